//! MCP: its messages, and its methods, answered from the catalog. Knows rmcp's types and the catalog; of HTTP only that a header
//! names the version.

mod answer;
mod changes;
mod message;
mod progress;
mod request;
mod result;
mod server;
mod version;

pub use answer::{Call, FinishedCall, List, OwnList, Reply, Subscription, answer, failure, list_changed};
pub use changes::{Change, Changes};
#[cfg(feature = "fuzzing")]
pub use message::check_body;
pub use message::{Message, MessageKind, Response, SharedResponse};
pub use progress::Notifications;
pub use request::{Listing, Method, Request, VERSION_KEY, client_of};
pub use rmcp::model::RequestId;
pub use server::Server;
pub use version::{Era, Version};
