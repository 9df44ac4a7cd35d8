//! Streamable HTTP: connections, sessions and streams around MCP's methods.
//!
//! A request passes `serve` (the connection, which `handshake` begins where it is TLS), `router` (the address, and who may connect), and
//! `post`, where its one message is read and decided on: version, session, method. `mcp` answers it, and `late` and `stream` are the ways
//! back of what takes time, which `events` writes as events. A `lease` holds what an answer needs until it is sent. No state is kept between
//! two requests.

mod accepted;
mod admission;
mod allowlist;
mod backlog;
mod body;
mod caller;
mod connection;
mod connections;
mod events;
mod extension;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handshake;
mod headers;
mod in_flight;
mod late;
mod lease;
mod media;
mod metadata;
mod metrics_port;
mod operator;
mod outlive;
mod page;
mod panics;
mod peer;
mod port;
mod post;
mod ready;
mod rejection;
mod relay;
mod router;
mod selection;
mod serve;
mod session;
mod stream;

pub use admission::Admission;
pub use allowlist::{Allowlist, Surroundings};
pub use connections::Connections;
pub use extension::Extension;
pub use in_flight::{RequestInFlight, RequestsInFlight};
pub use metadata::ProtectedResource;
pub use metrics_port::{Exposition, MetricsAnswers, serve_metrics};
pub use operator::answer_operator;
pub use page::WebPage;
pub use post::UnderWay;
pub use ready::{Audience, Check, Followed, ProbedCluster, Readiness};
pub use relay::{Relay, RelayBody, relay};
pub use router::{App, Parts};
pub use serve::serve;
pub use session::{SessionKey, SessionKeys};

/// An answer, as it goes out.
type HttpResponse = http::Response<lease::Outgoing>;
