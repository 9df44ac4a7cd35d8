//! The audit trail: who called what, what it touched and what it used, and nothing of what was read or said.

use sandbar_tests::fake_api::{FakeAnswer, FakeApi, Gate};
use sandbar_tests::mcp::{Client, LEGACY};
use sandbar_tests::sandbar::Server;
use sandbar_tests::{mcp, until};
use serde_json::{Value, json};

use super::components::hostile_config;

/// A server of the demo cluster that logs JSON lines.
async fn server(config: &str) -> Server {
    Server::builder().cluster("demo").config(config).env("SANDBAR_LOG_FORMAT", "json").start().await
}

/// The events of all calls so far, once there are so many.
async fn events(server: &Server, count: usize) -> Vec<Value> {
    until("the events of all calls", async || {
        let log = server.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let events: Vec<_> =
            lines.filter(|line| line["target"] == "sandbar::audit").map(|mut line| line["fields"].take()).collect();
        (events.len() >= count).then_some(events)
    })
    .await
}

async fn event(server: &Server) -> Value {
    let mut events = events(server, 1).await;
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

#[tokio::test]
async fn a_call_leaves_one_event_with_what_it_did() {
    let server = server("").await;
    let arguments = json!({ "namespace": "team-a", "name": "coder" });
    Client::modern(&server).answer("get_control_plane_status", arguments.clone()).await;
    let event = event(&server).await;
    assert_eq!(event["caller"], "anonymous");
    assert_eq!((&event["tool"], &event["outcome"]), (&json!("get_control_plane_status"), &json!("answered")));
    assert_eq!(event["digest"].as_str().map(str::len), Some(64), "{event}");
    assert_eq!(event["argument_bytes"], arguments.to_string().len());
    assert_eq!((&event["namespaces"], &event["requests"]), (&json!("team-a"), &json!(1)));
    assert!(event["read_bytes"].as_u64() > Some(0) && event["result_bytes"].as_u64() > Some(0), "{event}");
    let (wall, cpu) = (event["ms"].as_f64().unwrap(), event["cpu_ms"].as_f64().unwrap());
    assert!(0.0 < cpu && cpu < wall, "{event}");
}

#[tokio::test]
async fn nothing_of_what_was_asked_or_read_is_in_it() {
    let server = server("").await;
    let words =
        Client::modern(&server).failure("get_pod_logs", json!({ "namespace": "team-a", "name": "what-i-asked-for" })).await;
    assert!(words.contains("what-i-asked-for"), "{words}");
    let event = event(&server).await;
    assert_eq!(event["outcome"], "failed");
    assert!(!event.to_string().contains("what-i-asked-for"), "{event}");
}

#[tokio::test]
async fn namespaces_are_those_that_requests_went_to() {
    let server = server("namespaces: [team-a, team-b]").await;
    Client::modern(&server).answer("list_control_planes", json!({})).await;
    assert_eq!(event(&server).await["namespaces"], "team-a,team-b");

    let unrestricted = self::server("").await;
    Client::modern(&unrestricted).answer("list_control_planes", json!({})).await;
    assert_eq!(event(&unrestricted).await["namespaces"], "*");
}

#[tokio::test]
async fn a_call_that_is_refused_leaves_one_too() {
    let server = server("").await;
    // The older era has no header for the name, so that it can hold anything.
    let client = Client::legacy(&server).await;
    let answer = client.request("tools/call", json!({ "name": "no_such_tool\u{1b}[31m", "arguments": {} })).await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    client.failure("get_events", json!({ "limit": "many" })).await;
    let events = events(&server, 2).await;
    assert!(events.iter().all(|event| event["outcome"] == "refused" && event["digest"].is_null()), "{events:?}");
    assert_eq!((&events[0]["tool"], &events[1]["tool"]), (&json!("no_such_tool"), &json!("get_events")));
}

#[tokio::test]
async fn a_call_that_the_host_ends_names_the_limit() {
    let server = server(&hostile_config("    limits: { cpu: 100ms }\n")).await;
    let client = Client::modern(&server);
    client.failure("misbehave", json!({ "how": "spin" })).await;
    let spun = event(&server).await;
    assert_eq!(spun["outcome"], "limit cpu");
    assert!(spun["cpu_ms"].as_f64() >= Some(100.0), "{spun}");

    client.failure("misbehave", json!({ "how": "trap" })).await;
    assert_eq!(events(&server, 2).await[1]["outcome"], "crashed");
}

#[tokio::test]
async fn a_call_that_its_caller_leaves_is_cancelled() {
    let gate = Gate::closed();
    let api = FakeApi::start(move |path| path.contains("coderworkspaces").then(|| held_back(&gate)));
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").env("SANDBAR_LOG_FORMAT", "json").start().await;

    let arguments = json!({ "name": "list_workspaces", "arguments": { "namespace": "team-a" } });
    let request = mcp::modern(json!(1), "tools/call", arguments);
    let call = tokio::spawn(sandbar_tests::http::send(server.address(), request));
    until("the API server is asked", async || (api.in_flight() == 1).then_some(())).await;
    // In the newer era whoever goes takes the call back.
    call.abort();
    let event = event(&server).await;
    assert_eq!((&event["outcome"], &event["namespaces"]), (&json!("cancelled"), &json!("team-a")));
}

#[tokio::test]
async fn an_answer_that_its_caller_does_not_take_is_undelivered() {
    // Some 5 MB as an answer, more than the kernel keeps for a reader that reads nothing.
    let api = FakeApi::start(|path| path.contains("/log").then(|| FakeAnswer::text(200, &"\\\n".repeat(500_000))));
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").env("SANDBAR_LOG_FORMAT", "json").start().await;
    let arguments = json!({ "namespace": "team-a", "name": "web", "tailLines": 1_000_000 });
    let call = json!({ "name": "get_pod_logs", "arguments": arguments });
    for (number, client) in [Client::modern(&server), Client::legacy(&server).await].iter().enumerate() {
        // The answer has begun, and the rest of it is not read. Before it, a busy machine gives signs of life.
        let mut reply = client.send("tools/call", call.clone()).await;
        while reply.part().await.is_some_and(|part| part.trim_ascii().is_empty() || part.starts_with(b":")) {}
        drop(reply);
        let events = events(&server, 2 * number + 1).await;
        assert_eq!(events[2 * number]["outcome"], "undelivered", "{events:?}");
        assert!(events[2 * number]["result_bytes"].as_u64() > Some(1_000_000), "{events:?}");
        let read = client.send("tools/call", call.clone()).await.bytes().await;
        assert!(read.len() > 4_000_000, "{} bytes", read.len());
        assert_eq!(self::events(&server, 2 * number + 2).await[2 * number + 1]["outcome"], "answered");
    }
}

fn held_back(gate: &Gate) -> FakeAnswer {
    FakeAnswer::Behind(gate.clone(), Box::new(FakeAnswer::text(500, "too late")))
}

/// `check_health`, called by a client of this name, in the era without sessions.
async fn call_as(server: &Server, client_info: Value) {
    let mut request = mcp::modern(json!(1), "tools/call", json!({ "name": "check_health", "arguments": {} }));
    let mut message: Value = serde_json::from_slice(request.body()).unwrap();
    message["params"]["_meta"]["io.modelcontextprotocol/clientInfo"] = client_info;
    *request.body_mut() = message.to_string().into();
    assert_eq!(sandbar_tests::http::send(server.address(), request).await.status, 200);
}

/// The same in a session that such a client has opened.
async fn call_in_session_as(server: &Server, client_info: Value) {
    let params = json!({ "protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client_info });
    let initialize = mcp::post(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }));
    let reply = sandbar_tests::http::send(server.address(), initialize).await;
    let session = reply.header("mcp-session-id").expect("a session").to_owned();
    Client::resume(server, LEGACY, &session).answer("check_health", json!({})).await;
}

#[tokio::test]
async fn the_client_is_what_it_calls_itself_in_both_eras() {
    let server = server("").await;
    call_as(&server, json!({ "name": "modern", "version": "2.1" })).await;
    call_in_session_as(&server, json!({ "name": "legacy", "version": "1.0" })).await;
    let events = events(&server, 2).await;
    assert_eq!((&events[0]["client"], &events[1]["client"]), (&json!("modern 2.1"), &json!("legacy 1.0")), "{events:?}");
    assert!(events.iter().all(|event| event["caller"] == "anonymous"), "its word proves nothing: {events:?}");
}

#[tokio::test]
async fn a_client_that_says_nothing_has_no_name() {
    let server = server("").await;
    call_as(&server, json!({ "name": "", "version": "" })).await;
    let event = event(&server).await;
    assert_eq!(event.get("client"), None, "{event}");
}

#[tokio::test]
async fn what_a_client_calls_itself_is_one_clean_short_line() {
    /// Bytes that are kept.
    const KEPT: usize = 64;
    let name = format!("odd\u{1b}[2J\u{202e}\n1999-12-31T23:59:59Z  INFO sandbar::audit: {}", "é".repeat(1000));
    for format in ["text", "json"] {
        let server = Server::builder().cluster("demo").env("SANDBAR_LOG_FORMAT", format).start().await;
        call_as(&server, json!({ "name": name, "version": "1" })).await;
        call_in_session_as(&server, json!({ "name": name, "version": "1" })).await;
        until("both events", async || (server.log().matches("check_health").count() == 2).then_some(())).await;
        let log = server.log();
        assert!(!log.contains(['\u{1b}', '\u{202e}']) && !log.lines().any(|line| line.starts_with("1999")), "{log}");
        if format == "json" {
            for event in events(&server, 2).await {
                let client = event["client"].as_str().unwrap();
                assert!(client.starts_with("odd 1999") && client.len() <= KEPT, "{client:?}");
                assert!(client.len() > KEPT - 'é'.len_utf8(), "no more is cut than has to be: {client:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_call_that_is_turned_away_leaves_an_event_that_says_busy() {
    /// More than the rate lets in at once.
    const CALLS: usize = 40;
    let server = server("callsPerSecond: 1\n").await;
    let client = Client::modern(&server);
    let calls = (0..CALLS).map(|_| client.call("get_events", json!({ "namespace": "team-b" })));
    let busy = futures::future::join_all(calls).await.into_iter().filter(Result::is_err).count();
    assert!(busy > 0 && busy < CALLS, "{busy} of {CALLS}");
    let events = events(&server, CALLS).await;
    let turned_away: Vec<_> = events.iter().filter(|event| event["outcome"] == "busy").collect();
    assert_eq!((turned_away.len(), events.len()), (busy, CALLS));
    for event in turned_away {
        assert_eq!((&event["tool"], &event["client"]), (&json!("get_events"), &json!("tests 1")), "{event}");
        assert_eq!(event["argument_bytes"], json!({ "namespace": "team-b" }).to_string().len());
        assert!(event["component"].is_null() && event["requests"].is_null(), "it reached no component: {event}");
    }
}
