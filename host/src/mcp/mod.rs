//! MCP's methods, answered from the catalog. Knows rmcp and the catalog, nothing of HTTP but that a request's head says who
//! its caller is.

mod call;
mod changes;
mod result;
mod server;

pub use call::PlainCall;
pub use changes::Changes;
pub use server::Server;

/// The first protocol version of the modern era, which has no sessions and where every request stands alone.
pub const MODERN: &str = "2026-07-28";
