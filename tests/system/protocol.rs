//! MCP over HTTP in both eras, as it goes over the wire.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use sandbar_tests::http::{self as wire, Reply};
use sandbar_tests::mcp::{self, Client, LEGACY, MODERN};
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

mod bodies;
mod calls;
mod connections;
mod modern;
mod session_keys;
mod sessions;
mod tokens;

/// A server of the demo cluster, shared by the tests that only look.
async fn demo() -> &'static Server {
    static DEMO: OnceCell<Server> = OnceCell::const_new();
    DEMO.get_or_init(|| async { Server::builder().cluster("demo").start().await }).await
}

async fn send(request: Request<Bytes>) -> Reply {
    wire::send(demo().await.address(), request).await
}

/// The status of an answer, and the code of its JSON-RPC error.
async fn error_of(reply: Reply) -> (u16, i64, String) {
    let status = reply.status.as_u16();
    let message = reply.message().await.expect("a message");
    let error = &message["error"];
    let code = error["code"].as_i64().unwrap_or_else(|| panic!("no error: {message}"));
    (status, code, error["message"].as_str().unwrap_or_default().to_owned())
}
