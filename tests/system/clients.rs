//! Real clients: each lists the tools, calls all seven, and reads a log of 1 MiB.

use sandbar_tests::TOOLS;
use sandbar_tests::clients::{Outcome, RealClient, Seen};
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};

/// The cap of one log excerpt.
const MIB: usize = 1024 * 1024;

/// Runs for one client, where the machine is so busy that the log takes longer than a plain answer may.
const ATTEMPTS: usize = 5;

#[tokio::test]
async fn the_python_client_of_the_legacy_era_uses_all_tools() {
    uses_all_tools(RealClient::PythonLegacy).await;
}

#[tokio::test]
async fn the_python_client_of_the_modern_era_uses_all_tools() {
    uses_all_tools(RealClient::PythonModern).await;
}

#[tokio::test]
async fn the_typescript_client_uses_all_tools() {
    uses_all_tools(RealClient::TypeScript).await;
}

async fn uses_all_tools(client: RealClient) {
    let namespace = filled().await;
    let name = namespace.name();
    let calls = json!([
        { "tool": "check_health", "arguments": {} },
        { "tool": "list_control_planes", "arguments": { "namespace": name } },
        { "tool": "get_control_plane_status", "arguments": { "namespace": name, "name": "coder" } },
        { "tool": "list_workspaces", "arguments": { "namespace": name } },
        { "tool": "list_templates", "arguments": { "namespace": name } },
        { "tool": "get_events", "arguments": { "namespace": name } },
        { "tool": "get_pod_logs", "arguments": { "namespace": name, "name": "loud", "tailLines": 100_000 } },
    ]);
    let Seen { tools, results } = run(client, calls).await;
    assert_eq!(tools, TOOLS);

    let structured: Vec<&Value> = results.iter().map(answered).collect();
    assert_eq!(structured[0]["status"], "ok");
    assert_eq!(structured[1]["items"][0]["phase"], "Ready");
    assert_eq!(structured[2]["readyReplicas"], 1);
    assert_eq!(structured[3]["items"][0]["name"], "acme.ana.api");
    assert_eq!(structured[4]["items"][0]["name"], "acme.docker");
    assert_eq!(structured[5]["items"][0]["reason"], "Tested");
    let log = structured[6]["logs"].as_str().unwrap();
    let (text, mark) = log.rsplit_once('\n').unwrap();
    assert_eq!(mark, "(truncated)");
    assert!((MIB - 100..=MIB).contains(&text.len()), "{} bytes", text.len());
    assert!(text.ends_with("the last line\n"), "the newest lines are kept");
}

/// The log has to come as plain JSON: a stream has no room for it. On a busy machine it may take too long for that once.
async fn run(client: RealClient, calls: Value) -> Seen {
    let server = Server::shared().await;
    let url = format!("http://{}/mcp", server.address());
    for _ in 1..ATTEMPTS {
        let seen = client.run(&url, calls.clone()).await;
        if !seen.results.last().unwrap().text.starts_with("the answer took longer than") {
            return seen;
        }
    }
    client.run(&url, calls).await
}

/// The structured result of a call that was answered. Its text form says the same.
fn answered(outcome: &Outcome) -> &Value {
    assert!(!outcome.is_error, "{}", outcome.text);
    assert_eq!(serde_json::from_str::<Value>(&outcome.text).unwrap(), outcome.structured);
    &outcome.structured
}

/// A namespace with one of everything, and more than 1 MiB of log.
async fn filled() -> Namespace {
    let namespace = Namespace::fresh("clients").await;
    namespace.control_plane("coder", json!({ "phase": "Ready", "readyReplicas": 1, "url": "http://coder" })).await;
    for (kind, name) in [("CoderWorkspace", "acme.ana.api"), ("CoderTemplate", "acme.docker")] {
        let object = json!({
            "apiVersion": "aggregation.coder.com/v1alpha1", "kind": kind,
            "metadata": { "name": name }, "spec": { "running": true },
        });
        namespace.create(object).await;
    }
    namespace.event("tested", json!({})).await;
    let lines = (0..12_000).map(|number| format!("{number:099}"));
    namespace.pod_with_log("loud", &CriLog::of(lines).line("the last line")).await;
    namespace
}
