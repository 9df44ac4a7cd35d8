#![doc = include_str!("../README.md")]

mod answer;
pub mod arguments;
#[doc(hidden)]
#[rustfmt::skip]
pub mod bindings;
pub mod caller;
#[doc(hidden)]
pub mod coder;
pub mod columns;
mod component;
pub mod context;
pub mod discovery;
mod error;
mod export;
mod fields;
pub mod health;
mod host;
mod integer;
pub mod kubernetes;
pub mod log;
pub mod logs;
mod manifest;
pub mod near;
pub mod path;
pub mod prompt;
pub mod read;
pub mod resource;
mod schema;
pub mod tally;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

pub use answer::{Answer, Told};
pub use arguments::ObjectKey;
pub use component::{Component, Rule, Tool, Tools, Verb};
pub use error::{Code, Error};
pub use integer::Integer;
pub use manifest::Manifest;
pub use read::{Metadata, Page, Resource, Scope};

/// For [`export!`] alone.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings::exports::sandbar::tool::prompts::Guest as PromptsGuest;
    pub use crate::bindings::exports::sandbar::tool::resources::Guest as ResourcesGuest;
    pub use crate::bindings::exports::sandbar::tool::tools::Guest;
    pub use crate::export::{call, computed_manifest, get, log_panics, read};
}
