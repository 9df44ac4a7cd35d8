//! Reading a cluster: objects, lists and container logs, within a grant and a budget.
//!
//! Knows kube and nothing of wasm or MCP, so it is tested without either. Every request of a tool leaves through here, is a GET,
//! and is checked against the grant first.

mod error;
mod selector;
pub mod snapshot;
mod types;

pub use error::{Code, Error};
pub use selector::Selector;
pub use types::{Excerpt, Health, LogSource, Page, Query, Resource, Scope};
