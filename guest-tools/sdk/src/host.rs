//! The host functions. In a component they are the imports; on any other target, that is in an author's tests, they are the
//! fake of [`crate::testing`].

#[cfg(target_arch = "wasm32")]
pub(crate) use crate::bindings::sandbar::{
    kubernetes::{
        discovery::served_kinds,
        health::api_server,
        logs::tail,
        logs_many::tail_many,
        read::{get_object, list_objects},
        read_many::{get_many, list_many},
        table::list_table,
    },
    tool::{
        caller::who_calls,
        context::{now_ms, progress, remaining_ms, setting},
        logging::log,
    },
};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::testing::imports::{
    api_server, get_many, get_object, list_many, list_objects, list_table, log, now_ms, progress, remaining_ms, served_kinds,
    setting, tail, tail_many, who_calls,
};
