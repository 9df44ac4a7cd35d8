//! Streamable HTTP: connections, sessions and streams around MCP's methods.
//!
//! A request passes `serve` (the connection), `router`, `access` (who may connect), `message` (one JSON-RPC message, parsed once),
//! `session` and `legacy` (the older era), rmcp, and on its way back `answer` (plain JSON, or a stream where it takes long).
//! No state is kept between two requests.

mod access;
mod answer;
mod caller;
mod legacy;
mod mcp;
mod message;
mod ready;
mod router;
mod serve;
mod session;
mod stream;

pub use access::Access;
pub use ready::Readiness;
pub use router::{App, router};
pub use serve::serve;
pub use session::SessionKey;
