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
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
    ] {
        assert_eq!(refused(body).await, (400, -32600), "{body}");
    }
}

#[tokio::test]
async fn parameters_of_the_wrong_shape_are_named() {
    for params in ["[]", "7", "\"x\"", "{}", "{\"name\":7}", "{\"name\":\"check_health\",\"arguments\":[1]}"] {
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
    let (status, _, words) = error_of(send(request).await).await;
    assert!(status == 415 && words.contains("Content-Type: application/json"), "{words}");
    for kind in ["Application/JSON", "application/json; charset=utf-8"] {
        let mut request = mcp::initialize(LEGACY);
        mcp::set(&mut request, "content-type", kind);
        assert_eq!(send(request).await.status, 200, "{kind}");
    }
    let mut request = mcp::initialize(LEGACY);
    request.headers_mut().remove("content-type");
    assert_eq!(send(request).await.status, 200, "who says nothing has to mean JSON");
}

#[tokio::test]
async fn every_client_that_admits_json_gets_it_and_others_get_what_they_take() {
    for client in [Client::modern(demo().await), Client::legacy(demo().await).await] {
        let of = |accept: Option<&str>| {
            let mut request = client.http_request(json!(1), "tools/call", json!({ "name": "check_health", "arguments": {} }));
            request.headers_mut().remove("accept");
            if let Some(accept) = accept {
                mcp::set(&mut request, "accept", accept);
            }
            send(request)
        };
        let json = [
            None,
            Some("*/*"),
            Some("*/*;q=0.8"),
            Some("application/*"),
            Some("application/json"),
            Some("application/json, text/plain, */*"),
            Some("application/json;q=0.5, text/event-stream"),
            Some("text/event-stream;q=0, application/json"),
        ];
        for accept in json {
            let reply = of(accept).await;
            assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some("application/json")), "{accept:?}");
        }
        let reply = of(Some("application/json;q=0, text/event-stream")).await;
        assert!(reply.is_event_stream());
        assert_eq!(reply.message().await.unwrap()["result"]["structuredContent"]["status"], "ok");
        let (status, _, words) = error_of(of(Some("text/html")).await).await;
        assert!(status == 406 && words.contains("application/json, text/event-stream"), "{words}");
    }
}

#[tokio::test]
async fn what_stands_for_nothing_is_nothing() {
    for params in
        ["null", "[]", r#"{"cursor":null}"#, r#"{"cursor":""}"#, r#"{"_meta":null}"#, r#"{"_meta":{"progressToken":null}}"#]
    {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{params}}}"#);
        let message = send(mcp::post_text(body)).await.message().await.unwrap();
        assert_eq!(message["result"]["tools"].as_array().map(Vec::len), Some(7), "{params}: {message}");
    }
    for arguments in ["null", "[]", "{}"] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"check_health","arguments":{arguments},"_meta":{{"progressToken":null}}}}}}"#
        );
        let message = send(mcp::post_text(body)).await.message().await.unwrap();
        assert_eq!(message["result"]["isError"], false, "{arguments}: {message}");
    }
    for body in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized","params":null}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"notifications/initialized","params":[]}"#,
    ] {
        assert_eq!(send(mcp::post_text(body)).await.status, 202, "{body}");
    }
}

#[tokio::test]
async fn a_handshake_with_odd_fields_is_served_or_says_which() {
    for params in [
        json!({ "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": { "name": "x" } }),
        json!({ "protocolVersion": LEGACY, "capabilities": [], "clientInfo": { "name": "php", "version": 1 } }),
        json!({ "protocolVersion": LEGACY, "capabilities": { "roots": [], "sampling": true, "elicitation": "yes" } }),
        json!({ "protocolVersion": LEGACY, "clientInfo": [] }),
        json!({ "protocolVersion": LEGACY, "capabilities": null, "clientInfo": null, "_meta": [] }),
    ] {
        let reply = send(mcp::post(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }))).await;
        assert!(reply.header("mcp-session-id").is_some(), "{params}");
        assert_eq!(reply.message().await.unwrap()["result"]["protocolVersion"], LEGACY, "{params}");
    }
    for params in [Value::Null, json!({}), json!({ "protocolVersion": 1 }), json!({ "protocolVersion": null })] {
        let request = mcp::post(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }));
        let (status, code, words) = error_of(send(request).await).await;
        assert_eq!((status, code), (400, -32602), "{params}");
        assert!(words.contains("params.protocolVersion") && words.contains("string"), "{words}");
    }
}

#[tokio::test]
async fn an_old_session_does_not_keep_a_client_from_a_new_one() {
    let mut request = mcp::initialize(LEGACY);
    mcp::set(&mut request, "mcp-session-id", "of.another-server");
    assert!(send(request).await.header("mcp-session-id").is_some());
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
    let call = || json!({ "name": "get_events", "arguments": { "namespace": [7, 8] } });
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
