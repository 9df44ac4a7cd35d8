//! Streamable HTTP: connections, sessions and streams around MCP's methods.
//!
//! A request passes `serve` (the connection), `router`, `access` (who may connect), `message` (one JSON-RPC message, parsed once),
//! `session` and `legacy` (the older era), rmcp, and on its way back `answer` (plain JSON, or a stream where it takes long).
//! No state is kept between two requests.

mod access;
mod admission;
mod answer;
mod ask;
mod body;
mod caller;
mod connection;
mod connections;
mod held;
mod legacy;
mod mcp;
mod message;
mod outlive;
mod plain;
mod ready;
mod router;
mod serve;
mod session;
mod stream;
mod unread;

pub use access::Access;
pub use admission::Admission;
#[doc(hidden)]
pub use message::check_body;
pub use ready::Readiness;
pub use router::App;
pub use serve::{Bounds, serve};
pub use session::SessionKey;
