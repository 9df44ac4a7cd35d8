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

/// Placeholder until the reader is merged.
mod placeholder {
    #![allow(missing_docs, clippy::todo, dead_code)]
    use super::*;
    #[derive(Clone)]
    pub struct Reader;
    impl Reader {
        pub async fn get_object(&self, _: &Resource, _: &Scope, _: &str, _: Option<&[String]>) -> Result<String, Error> {
            todo!()
        }
        pub async fn list_objects(&self, _: &Query) -> Result<Page, Error> {
            todo!()
        }
        pub async fn tail(&self, _: &LogSource) -> Result<Excerpt, Error> {
            todo!()
        }
        pub async fn api_server(&self) -> Result<Health, Error> {
            todo!()
        }
    }
    #[derive(Clone, Debug, Default)]
    pub enum Source {
        #[default]
        Auto,
        Demo,
    }
    impl std::str::FromStr for Source {
        type Err = String;
        fn from_str(s: &str) -> Result<Self, String> {
            if s == "demo" { Ok(Self::Demo) } else { Err(format!("{s} is no cluster")) }
        }
    }
    #[derive(Clone)]
    pub struct Cluster;
    impl Cluster {
        pub async fn connect(_: &Source) -> Result<Self, Error> {
            Ok(Self)
        }
        pub fn reader(&self, _: std::sync::Arc<crate::policy::Grant>, _: std::sync::Arc<crate::policy::Budget>) -> Reader {
            Reader
        }
        pub fn describe(&self) -> &str {
            "nothing"
        }
        pub async fn health(&self, _: std::time::Duration) -> Result<Health, Error> {
            Ok(Health { git_version: "v0".into(), platform: "x".into(), ready: true })
        }
    }
}
pub use placeholder::*;
