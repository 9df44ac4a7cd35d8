//! What `sandbar connect` takes: memory at rest, and time of a small call.

use std::sync::Arc;

use sandbar_tests::mcp;
use sandbar_tests::process::resident;
use sandbar_tests::sandbar::{Run, Server};
use sandbar_tests::stdio::modern;
use serde_json::json;
use tokio::sync::Mutex;

use crate::load::{Connection, NO_RATE_LIMIT, Raw};
use crate::table::{Table, in_turn, mb, us};

/// Calls of each side.
const ROUNDS: usize = 500;

/// A small call to a server by itself, through `connect` over stdio, and through its port.
pub(crate) async fn over_the_server_alone(table: &mut Table) {
    let server = Server::builder().cluster("demo").env(NO_RATE_LIMIT.0, NO_RATE_LIMIT.1).start().await;
    let url = format!("http://{}/mcp", server.address());
    let mut client = Run::new(&["connect", "--url", &url]).converse();
    client.initialize().await;
    client.request("tools/list", modern(json!({}))).await;
    let rest = resident(client.id());
    table.row("sandbar connect at rest, resident", mb(rest), "25 MB", rest <= 25_000_000);

    let call = json!({ "name": "check_health", "arguments": {} });
    let raw = Raw::new(server.address(), &mcp::modern(json!(1), "tools/call", call.clone()));
    let direct = Arc::new(Mutex::new(Connection::to(server.address()).await));
    let client = Arc::new(Mutex::new(client));
    let (alone, through) = in_turn(
        ROUNDS,
        || {
            let (direct, raw) = (direct.clone(), raw.clone());
            async move {
                direct.lock().await.exchange(&raw).await;
            }
        },
        || {
            let (client, call) = (client.clone(), modern(call.clone()));
            async move {
                client.lock().await.request("tools/call", call).await;
            }
        },
    )
    .await;
    let more = through.saturating_sub(alone);
    let measured = format!("{} over {}", us(more), us(alone));
    table.row("a small call through sandbar connect, over stdio", measured, "1 ms more", more.as_micros() <= 1000);
}
