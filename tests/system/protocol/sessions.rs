//! The era of sessions: ids that carry all there is to know, so that any process serves them.

use sandbar_tests::TOOLS;

use super::*;

#[tokio::test]
async fn each_version_with_sessions_is_spoken() {
    for version in ["2025-03-26", "2025-06-18", "2025-11-25"] {
        let client = Client::legacy_version(demo().await, version).await;
        assert_eq!(client.answer("check_health", json!({})).await["status"], "ok", "{version}");
    }
}

#[tokio::test]
async fn initialize_says_what_the_server_is_and_can_do() {
    let reply = send(mcp::initialize(LEGACY)).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let result = &reply.message().await.unwrap()["result"];
    assert_eq!(result["serverInfo"]["name"], "sandbar");
    let capabilities: Vec<_> = result["capabilities"].as_object().unwrap().keys().collect();
    assert_eq!(capabilities, ["prompts", "resources", "tools"], "what is not there is not declared");
    assert!(capabilities.iter().all(|of| result["capabilities"][of.as_str()] == json!({ "listChanged": true })), "{result}");
    assert!(result["instructions"].as_str().unwrap().contains("never follow"), "{result}");
}

#[tokio::test]
async fn a_version_that_nobody_knows_is_answered_with_one_that_is() {
    let reply = send(mcp::initialize("1999-01-01")).await;
    assert_eq!(reply.status, 200);
    assert!(reply.header("mcp-session-id").is_some());
    assert_eq!(reply.message().await.unwrap()["result"]["protocolVersion"], LEGACY);
}

#[tokio::test]
async fn the_session_stands_in_for_a_version_header_that_is_missing() {
    // Wrong arguments are the place where the versions differ.
    for (version, is_error) in [("2025-06-18", true), ("2025-11-25", false)] {
        let client = Client::legacy_version(demo().await, version).await;
        let mut request = client.http_request(json!(1), "tools/call", json!({ "name": "get_events", "arguments": {} }));
        request.headers_mut().remove("mcp-protocol-version").unwrap();
        let message = send(request).await.message().await.unwrap();
        assert_eq!(message.get("error").is_some(), is_error, "{version}: {message}");
    }
}

#[tokio::test]
async fn a_session_outlives_the_process_that_opened_it() {
    let first = Server::builder().cluster("demo").start().await;
    let client = Client::legacy(&first).await;
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
    let session = client.session().to_owned();
    drop(first);

    let second = Server::builder().cluster("demo").start().await;
    let client = Client::resume(&second, LEGACY, &session);
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
}

#[tokio::test]
async fn a_forged_or_foreign_session_is_not_found_so_that_the_client_opens_a_new_one() {
    let real = Client::legacy(demo().await).await;
    let (payload, signature) = real.session().split_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    for forged in
        ["x", ".", &format!("{payload}.{turned}"), &format!("{payload}A.{signature}"), "1868a90c-7a3b-4f0d-a2a1-000000000000"]
    {
        let client = Client::resume(demo().await, LEGACY, forged);
        let (status, _, words) = error_of(client.send("tools/list", json!({})).await).await;
        assert_eq!(status, 404, "{forged}");
        assert_eq!(words, "this session is unknown here; initialize again");
    }
}

#[tokio::test]
async fn clients_without_a_session_are_served_too() {
    let mut request = mcp::post(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} }));
    mcp::set(&mut request, "mcp-protocol-version", LEGACY);
    let message = send(request).await.message().await.unwrap();
    assert_eq!(message["result"]["tools"].as_array().unwrap().len(), TOOLS.len());
}

#[tokio::test]
async fn there_is_nothing_to_delete() {
    let session = Client::legacy(demo().await).await.session().to_owned();
    let request = Request::delete("/mcp").header("mcp-session-id", &session);
    let reply = send(request.body(Bytes::new()).unwrap()).await;
    assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, Some("GET, POST")));
    // The official clients go on after this answer, and so must the session.
    let client = Client::resume(demo().await, LEGACY, &session);
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
}

#[tokio::test]
async fn notifications_and_answers_are_accepted_in_silence() {
    let client = Client::legacy(demo().await).await;
    let reply = client.notify("notifications/initialized", json!({})).await;
    assert_eq!((reply.status.as_u16(), reply.text().await.as_str()), (202, ""));
    let reply = client.notify("notifications/cancelled", json!({ "requestId": 77, "reason": "long over" })).await;
    assert_eq!(reply.status, 202);
}

#[tokio::test]
async fn ping_is_answered() {
    let client = Client::legacy(demo().await).await;
    assert_eq!(client.request("ping", json!({})).await["result"], json!({}));
}

#[tokio::test]
async fn what_is_not_declared_does_not_exist() {
    let client = Client::legacy(demo().await).await;
    for method in ["completion/complete", "logging/setLevel", "resources/subscribe", "resources/unsubscribe", "no/such"] {
        let message = client.request(method, json!({})).await;
        assert_eq!(message["error"]["code"], -32601, "{method}: {message}");
    }
}

#[tokio::test]
async fn clients_of_one_name_have_sessions_of_their_own() {
    let (one, other) = (Client::legacy(demo().await).await, Client::legacy(demo().await).await);
    assert_ne!(one.session(), other.session(), "one could cancel the other's calls");
}

#[tokio::test]
async fn a_plain_answer_says_its_length_in_both_eras() {
    for client in [Client::modern(demo().await), Client::legacy(demo().await).await] {
        let reply = client.send("tools/call", json!({ "name": "check_health", "arguments": {} })).await;
        let length = reply.header("content-length").unwrap_or_else(|| panic!("{:?}", reply.headers)).to_owned();
        assert_eq!(length, reply.bytes().await.len().to_string());
    }
}
