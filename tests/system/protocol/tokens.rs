//! Calls that ask to hear of their progress, against the same calls without: the answers are the same, since no progress is told of a
//! call that is over soon.

use sandbar_tests::components;

use super::*;

/// Status, type and text of the answer to a call, with or without a token.
async fn answered(client: &Client, server: &Server, tool: &str, arguments: &Value, token: bool) -> (u16, String, String) {
    let mut params = json!({ "name": tool, "arguments": arguments });
    if token {
        params["_meta"]["progressToken"] = json!(1);
    }
    let reply = wire::send(server.address(), client.http_request(json!("id"), "tools/call", params)).await;
    let kind = reply.header("content-type").unwrap_or_default().to_owned();
    (reply.status.as_u16(), kind, reply.text().await)
}

/// Calls both ways, and checks that the answers are the same.
async fn agree(server: &Server, calls: &[(&str, Value)]) {
    let mut clients = vec![Client::modern(server)];
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", LEGACY] {
        clients.push(Client::legacy_version(server, version).await);
    }
    for client in &clients {
        for (tool, arguments) in calls {
            let plain = answered(client, server, tool, arguments, false).await;
            assert_eq!(plain, answered(client, server, tool, arguments, true).await, "{tool} {arguments} of {client:?}");
            assert_eq!((plain.0, plain.1.as_str()), (200, "application/json"), "{tool} {arguments}");
        }
    }
}

#[tokio::test]
async fn answers_of_bundled_tools_are_the_same_with_and_without_a_token() {
    let log = json!({ "namespace": "team-b", "name": "coder-0" });
    let calls = [
        ("list_control_planes", json!({})),
        ("list_workspaces", json!({ "namespace": "team-a" })),
        ("list_templates", json!({ "limit": 1 })),
        ("get_control_plane_status", json!({ "namespace": "team-b", "name": "coder" })),
        ("get_pod_logs", log),
        ("get_pod_logs", json!({ "namespace": "team-b", "name": "nothing-of-this-name" })),
        ("get_events", json!({ "namespace": 1 })),
        ("get_events", json!({ "no": "such", "arguments": "\u{202e}" })),
        ("no_such_tool", json!({})),
    ];
    agree(demo().await, &calls).await;
}

#[tokio::test]
async fn any_content_is_the_same_with_and_without_a_token() {
    let component = components::build("conformance");
    let server = Server::builder().cluster("demo").arg("--tools").arg(component).start().await;
    let tools = [
        "test_simple_text",
        "test_image_content",
        "test_audio_content",
        "test_embedded_resource",
        "test_multiple_content_types",
        "test_error_handling",
    ];
    agree(&server, &tools.map(|tool| (tool, json!({})))).await;
}
