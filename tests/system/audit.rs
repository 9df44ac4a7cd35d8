//! The audit trail: who called what, what it touched and what it used, and nothing of what was read or said.

use sandbar_tests::fake_api::{Answer, FakeApi, Gate};
use sandbar_tests::mcp::Client;
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

fn held_back(gate: &Gate) -> Answer {
    Answer::Behind(gate.clone(), Box::new(Answer::text(500, "too late")))
}
