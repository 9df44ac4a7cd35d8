//! Bringing an MCP client to a Sandbar server: a client on this machine on one side, a [`Way`] to a server on the other.
//!
//! A client speaks through a front: `stdio`, a message a line, or `port`, Streamable HTTP on a loopback address. Its messages stay the
//! bytes that they are, and are read only for what the way needs to know (`message`, `headers`). A `conversation` brings one request to
//! the server and its answers back, and heals what can be healed; `stream` does that for what stays open, `telling` for what has no
//! answer. All send through the `upstream`, one attempt at a time, which takes answers apart (`events`) and finds out what they are (`outline`). What a client has
//! agreed on with the server, so that it can be begun anew, is a `session`.
//!
//! All tools of Sandbar only read, so a request whose answer was lost is sent again, once, and nobody has to find out whether the
//! first one arrived. Where a server has not said that it is Sandbar, calls are not.

mod bridge;
mod conversation;
mod events;
mod failure;
mod headers;
mod message;
mod out;
mod outline;
mod port;
mod room;
mod session;
mod sleep;
mod stdio;
mod stream;
mod telling;
#[cfg(test)]
mod tests;
mod tool_list;
mod upstream;
mod way;

pub use bridge::Bridge;
pub use failure::{Failure, FailureKind};
pub use port::serve_port;
pub use stdio::serve_stdio;
pub use way::{Answer, AnswerBody, BehindApiServer, Forwarded, InProcess, Way};
