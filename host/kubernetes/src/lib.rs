//! Reading a cluster: objects, lists and container logs, within a grant and a budget.
//!
//! Knows kube and nothing of wasm or MCP, so it is tested without either. Every request of a tool leaves through here, is a GET,
//! and is checked against the grant first, and against the caller's `rights` where these count: by a review before it leaves, or by the API
//! server itself, which it asks in the caller's name (`impersonation`). Whose a token is, `review` asks, and `own` who this process is, and
//! what it may do. The way of a read: `reader` (its time), then `get`, `list` or `log`, which share a `context`. Those ask `discovery` which resource that is, check the grant, build a URL
//! with `request`, send it with `exchange`, take the answer apart as it arrives (`response`, `items`), and read each object (`object`),
//! which comes out without its secrets and cut down to the fields that were asked for.
//!
//! Beside all that, `forward` sends the requests of the person who runs `sandbar connect`, under their own login.

mod aggregation;
mod ahead;
mod client;
mod clock;
mod cluster;
mod clusters;
mod context;
mod discovery;
mod documents;
mod error;
mod exchange;
mod explain;
mod fault;
mod fields;
mod forbidden;
mod forward;
mod gathered;
mod get;
mod gzip;
mod health;
mod impersonation;
mod in_cluster;
mod items;
mod kubeconfig;
mod list;
mod log;
mod login;
mod many;
mod name;
mod noted;
mod object;
mod observer;
mod own;
mod place;
mod proxy;
mod reader;
mod request;
mod response;
mod review;
mod rights;
mod source;
mod target;
#[cfg(test)]
mod testing;
mod tls;
mod types;
mod unpaged;
mod watched;

pub use aggregation::{AGGREGATOR_CONFIG_MAP, AGGREGATOR_READER, Aggregator};
pub use clock::ServerClock;
pub use cluster::{Cluster, WhoseRights};
pub use clusters::{ClusterError, ClusterSettings, Clusters, NamedCluster};
pub use discovery::ApiResources;
pub use documents::{Inbox, Receipt, document};
pub use error::{Code, Error};
pub use fault::Fault;
pub use forward::{Ask, ForwardError, ForwardErrorKind, ForwardedBody, Forwarder, ServerName, ServiceName, Token};
pub use impersonation::ExtraKeys;
pub use noted::{Noted, NotedRead};
pub use observer::{RequestObserver, RequestVerb, SentRequest};
pub use own::{OwnRights, Permission};
pub use reader::Reader;
pub use review::Reviewed;
pub use rights::ToolRights;
pub use sandbar_verdicts::Uses;
pub use source::{ClusterSource, ClusterSourceError, ConnectError};
pub use types::{
    Column, Excerpt, Health, LogSource, ObjectKey, Page, Query, Resource, Scope, ServedKind, ServedKinds, ServedResource,
    TablePage, Verbs,
};
