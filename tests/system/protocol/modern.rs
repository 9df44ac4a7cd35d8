//! The era without sessions: every request stands alone.

use super::*;

#[tokio::test]
async fn a_call_needs_no_session_and_no_handshake() {
    let client = Client::modern(demo().await);
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
    let reply = client.send("tools/list", json!({})).await;
    assert_eq!(reply.header("mcp-session-id"), None);
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn discovery_names_the_versions_and_the_server() {
    let result = Client::modern(demo().await).request("server/discover", json!({})).await["result"].take();
    let versions: Vec<_> = result["supportedVersions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(versions.contains(&MODERN) && versions.contains(&LEGACY), "{versions:?}");
    let changes = json!({ "listChanged": true });
    assert_eq!(result["capabilities"], json!({ "tools": changes, "prompts": changes, "resources": changes }));
    assert!(result["ttlMs"].is_u64() && result["cacheScope"].is_string(), "{result}");
}

#[tokio::test]
async fn lists_say_how_long_they_may_be_kept() {
    let result = Client::modern(demo().await).request("tools/list", json!({})).await["result"].take();
    assert!(result["ttlMs"].is_u64() && result["cacheScope"].is_string(), "{result}");
    let legacy = Client::legacy(demo().await).await.request("tools/list", json!({})).await["result"].take();
    assert!(legacy.get("ttlMs").is_none(), "older versions do not know the field");
    assert_eq!(legacy["tools"], result["tools"]);
}

#[tokio::test]
async fn headers_have_to_agree_with_the_body() {
    let list = || mcp::modern(json!(1), "tools/list", json!({}));
    let call = || mcp::modern(json!(1), "tools/call", json!({ "name": "check_health", "arguments": {} }));
    let broken = [
        ("another version", {
            let mut r = list();
            mcp::set(&mut r, "mcp-protocol-version", LEGACY);
            r
        }),
        ("another method", {
            let mut r = list();
            mcp::set(&mut r, "mcp-method", "tools/call");
            r
        }),
        ("no method", {
            let mut r = list();
            r.headers_mut().remove("mcp-method");
            r
        }),
        ("another name", {
            let mut r = call();
            mcp::set(&mut r, "mcp-name", "get_events");
            r
        }),
        ("no name", {
            let mut r = call();
            r.headers_mut().remove("mcp-name");
            r
        }),
    ];
    for (what, request) in broken {
        let (status, code, words) = error_of(send(request).await).await;
        assert_eq!((status, code), (400, -32020), "{what}: {words}");
    }
}

#[tokio::test]
async fn a_request_without_capabilities_is_malformed() {
    let mut request = mcp::modern(json!(1), "tools/list", json!({}));
    let params = json!({ "_meta": { "io.modelcontextprotocol/protocolVersion": MODERN } });
    *request.body_mut() = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params }).to_string().into();
    let (status, code, words) = error_of(send(request).await).await;
    assert_eq!((status, code), (400, -32602), "{words}");
}

#[tokio::test]
async fn a_version_that_nobody_knows_is_refused_with_those_that_are() {
    let mut request = mcp::modern(json!(1), "tools/list", json!({}));
    let body = String::from_utf8(request.body().to_vec()).unwrap().replace(MODERN, "2099-01-01");
    *request.body_mut() = body.into();
    mcp::set(&mut request, "mcp-protocol-version", "2099-01-01");
    let reply = send(request).await;
    assert_eq!(reply.status, 400);
    let error = reply.message().await.unwrap()["error"].take();
    assert_eq!(error["code"], -32022, "{error}");
    assert_eq!(error["data"]["requested"], "2099-01-01");
    assert!(error["data"]["supported"].as_array().unwrap().contains(&json!(MODERN)), "{error}");
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    for method in ["completion/complete", "resources/subscribe", "ping", "no/such"] {
        let (status, code, _) = error_of(Client::modern(demo().await).send(method, json!({})).await).await;
        assert_eq!((status, code), (404, -32601), "{method}");
    }
}
