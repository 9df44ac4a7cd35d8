//! What is no message, and what is a message that asks for the impossible.

use super::*;

async fn refused(body: impl Into<Bytes>) -> (u16, i64) {
    let (status, code, words) = error_of(send(mcp::post_text(body)).await).await;
    assert!(!words.is_empty());
    (status, code)
}

#[tokio::test]
async fn a_body_that_is_not_json_is_a_parse_error() {
    for body in ["", "{", "not json", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}}", "\u{feff}{}"] {
        assert_eq!(refused(body).await, (400, -32700), "{body:?}");
    }
    assert_eq!(refused(&b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"[..]).await, (400, -32700), "no UTF-8");
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(refused(deep).await, (400, -32700), "nested without end");
}

#[tokio::test]
async fn a_key_that_stands_twice_is_refused_because_two_readers_could_differ() {
    let twice =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"check_health","name":"get_pod_logs","arguments":{}}}"#;
    assert_eq!(refused(twice).await, (400, -32700));
}

#[tokio::test]
async fn json_that_is_no_message_is_an_invalid_request() {
    for body in [
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        "1",
        "null",
        "{}",
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
    ] {
        assert_eq!(refused(body).await, (400, -32600), "{body}");
    }
}

#[tokio::test]
async fn parameters_of_the_wrong_shape_are_named() {
    for params in ["[]", "7", "\"x\"", "{}", "{\"name\":7}", "{\"name\":\"check_health\",\"arguments\":[]}"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        assert_eq!(refused(body).await, (400, -32602), "{params}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_whatever_it_says() {
    let filler = "x".repeat(5 * 1024 * 1024);
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping", "params": { "filler": filler } });
    let (status, _, words) = error_of(send(mcp::post(body)).await).await;
    assert_eq!(status, 413);
    assert!(words.contains("4194304"), "the limit is named: {words}");
}

#[tokio::test]
async fn only_json_is_read() {
    let mut request = mcp::initialize(LEGACY);
    mcp::set(&mut request, "content-type", "text/plain");
    assert_eq!(send(request).await.status, 415);
}

#[tokio::test]
async fn a_client_that_takes_anything_gets_json() {
    let mut request = mcp::initialize(LEGACY);
    mcp::set(&mut request, "accept", "*/*");
    let reply = send(request).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some("application/json")));
    let mut request = mcp::initialize(LEGACY);
    request.headers_mut().remove("accept");
    assert_eq!(send(request).await.status, 200);
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error_in_both_eras() {
    for client in [Client::modern(demo().await), Client::legacy(demo().await).await] {
        let error = client.request("tools/call", json!({ "name": "get_secrets", "arguments": {} })).await["error"].take();
        assert_eq!(error["code"], -32602, "{error}");
        let words = error["message"].as_str().unwrap();
        assert!(words.contains("\"get_secrets\"") && words.contains("list_control_planes"), "{words}");
    }
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_a_result_that_the_model_reads_and_an_error_before_2025_11_25() {
    let call = || json!({ "name": "get_events", "arguments": { "namespace": 7 } });
    for client in [Client::modern(demo().await), Client::legacy(demo().await).await] {
        let message = client.request("tools/call", call()).await;
        assert_eq!(message["result"]["isError"], true, "{message}");
        let words = message["result"]["content"][0]["text"].as_str().unwrap();
        assert!(words.contains("get_events") && words.contains("namespace") && words.contains("string"), "{words}");
    }
    for version in ["2025-03-26", "2025-06-18"] {
        let message = Client::legacy_version(demo().await, version).await.request("tools/call", call()).await;
        assert_eq!(message["error"]["code"], -32602, "{version}: {message}");
    }
}

#[tokio::test]
async fn arguments_may_be_left_out_where_none_is_needed() {
    let message = Client::modern(demo().await).request("tools/call", json!({ "name": "check_health" })).await;
    assert_eq!(message["result"]["structuredContent"]["status"], "ok", "{message}");
}
