//! The host functions. In a component they are the imports; on any other target, that is in an author's tests, they are the
//! fake of [`crate::testing`].

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::sandbar::{
    kubernetes::{
        health::api_server,
        logs::tail,
        read::{get_object, list_objects},
    },
    tool::{
        context::{now_ms, progress, remaining_ms, setting},
        logging::log,
    },
};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::imports::{
    api_server, get_object, list_objects, log, now_ms, progress, remaining_ms, setting, tail,
};
