//! The pack kubernetes against a real API server: the list of its tools, and a dozen faults that it has to find and to explain.

mod any_kind;
mod dumps;
mod faults;
mod hostile;

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::golden;
use sandbar_tests::mcp::Client;
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};

/// The list in compact JSON costs every conversation in which the pack is on this many bytes.
const MOST_BYTES: usize = 8 * 1024;

async fn client() -> Client {
    static SERVER: tokio::sync::OnceCell<Server> = tokio::sync::OnceCell::const_new();
    let start = || async {
        let server = Server::builder().of(ControlPlane::shared(), "admin").config("bundled: { packs: [kubernetes] }\n");
        server.env("SANDBAR_CALLS_PER_SECOND", "1000").start().await
    };
    Client::modern(SERVER.get_or_init(start).await)
}

/// What a tool says: its text, and its structure.
async fn said(client: &Client, tool: &str, arguments: Value) -> (String, Value) {
    let reply = client.request("tools/call", json!({ "name": tool, "arguments": arguments })).await;
    let result = &reply["result"];
    assert_ne!(result["isError"], true, "{tool} {arguments}: {reply}");
    let blocks = result["content"].as_array().unwrap_or_else(|| panic!("{tool} {arguments}: {reply}"));
    let text: Vec<&str> = blocks.iter().map(|block| block["text"].as_str().unwrap()).collect();
    let mut structure = result["structuredContent"].clone();
    structure.as_object_mut().unwrap().remove("_untrusted");
    (text.join("\n"), structure)
}

#[tokio::test]
async fn the_list_of_tools_is_the_reviewed_one() {
    let tools = client().await.request("tools/list", json!({})).await["result"]["tools"].take();
    let bytes = tools.to_string().len();
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
    golden::assert_tools("kubernetes.json", &tools);
}
