//! Real clients: each lists the tools, calls all seven, and reads a log of 1 MiB.
#![allow(clippy::print_stderr, reason = "a client that cannot be had on this machine is a line, not a failure")]

use sandbar_tests::TOOLS;
use sandbar_tests::clients::{Connected, Era, Outcome, RealClient};
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};

/// The cap of one log excerpt.
const MIB: usize = 1024 * 1024;

/// Calls for the log, where the machine is so busy that it takes longer than a plain answer may.
const ATTEMPTS: usize = 5;

/// The table of the clients, in the documentation.
const TABLE: &str = include_str!("../../docs/reference/clients.md");

#[tokio::test]
async fn the_python_client_of_the_legacy_era_uses_all_tools() {
    uses_all_tools(RealClient::Python, Era::Legacy, "Python SDK").await;
}

#[tokio::test]
async fn the_python_client_of_the_modern_era_uses_all_tools() {
    uses_all_tools(RealClient::Python, Era::Modern, "Python SDK").await;
}

#[tokio::test]
async fn the_typescript_client_version_1_uses_all_tools() {
    uses_all_tools(RealClient::TypeScriptV1, Era::Legacy, "TypeScript SDK 1").await;
}

#[tokio::test]
async fn the_typescript_client_version_2_of_the_legacy_era_uses_all_tools() {
    uses_all_tools(RealClient::TypeScriptV2, Era::Legacy, "TypeScript SDK 2").await;
}

#[tokio::test]
async fn the_typescript_client_version_2_of_the_modern_era_uses_all_tools() {
    uses_all_tools(RealClient::TypeScriptV2, Era::Modern, "TypeScript SDK 2").await;
}

#[tokio::test]
async fn the_go_client_of_the_legacy_era_uses_all_tools() {
    uses_all_tools(RealClient::Go, Era::Legacy, "Go SDK").await;
}

#[tokio::test]
async fn the_go_client_of_the_modern_era_uses_all_tools() {
    uses_all_tools(RealClient::Go, Era::Modern, "Go SDK").await;
}

#[tokio::test]
async fn the_java_client_uses_all_tools() {
    uses_all_tools(RealClient::Java, Era::Legacy, "Java SDK").await;
}

#[tokio::test]
async fn the_rust_client_of_the_legacy_era_uses_all_tools() {
    uses_all_tools(RealClient::Rust, Era::Legacy, "Rust SDK").await;
}

#[tokio::test]
async fn the_rust_client_of_the_modern_era_uses_all_tools() {
    uses_all_tools(RealClient::Rust, Era::Modern, "Rust SDK").await;
}

#[tokio::test]
async fn the_inspector_on_its_command_line_uses_all_tools_in_the_legacy_era() {
    uses_all_tools(RealClient::InspectorCli, Era::Legacy, "Inspector, command line").await;
}

#[tokio::test]
async fn the_inspector_on_its_command_line_uses_all_tools_in_the_modern_era() {
    uses_all_tools(RealClient::InspectorCli, Era::Modern, "Inspector, command line").await;
}

#[tokio::test]
async fn the_inspector_in_a_browser_uses_all_tools_in_the_legacy_era() {
    uses_all_tools(RealClient::InspectorWeb, Era::Legacy, "Inspector, browser").await;
}

#[tokio::test]
async fn the_inspector_in_a_browser_uses_all_tools_in_the_modern_era() {
    uses_all_tools(RealClient::InspectorWeb, Era::Modern, "Inspector, browser").await;
}

/// `documented`: how the client's row in the documentation begins.
async fn uses_all_tools(client: RealClient, era: Era, documented: &str) {
    let server = Server::shared().await;
    let url = format!("http://{}/mcp", server.address());
    let (greeting, mut client) = match client.connect(&url, era).await {
        Ok(connected) => connected,
        Err(reason) => return eprintln!("SKIPPED {client:?}: {reason}"),
    };
    assert_eq!(greeting.protocol, era.version());
    assert_eq!(greeting.tools, TOOLS);
    let row = format!("| {documented} | {} |", greeting.library);
    let row = TABLE.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row {row:?} in the documentation"));
    assert!(row.contains(era.version()), "{row}");

    let namespace = filled().await;
    let name = namespace.name();
    assert_eq!(answer(&mut client, "check_health", json!({})).await["status"], "ok");
    let planes = answer(&mut client, "list_control_planes", json!({ "namespace": name })).await;
    assert_eq!(planes["items"][0]["phase"], "Ready");
    let plane = answer(&mut client, "get_control_plane_status", json!({ "namespace": name, "name": "coder" })).await;
    assert_eq!(plane["readyReplicas"], 1);
    let workspaces = answer(&mut client, "list_workspaces", json!({ "namespace": name })).await;
    assert_eq!(workspaces["items"][0]["name"], "acme.ana.api");
    let templates = answer(&mut client, "list_templates", json!({ "namespace": name })).await;
    assert_eq!(templates["items"][0]["name"], "acme.docker");
    let events = answer(&mut client, "get_events", json!({ "namespace": name })).await;
    assert_eq!(events["items"][0]["reason"], "Tested");

    let log = log(&mut client, name).await;
    let (text, mark) = log["logs"].as_str().unwrap().rsplit_once('\n').unwrap();
    assert_eq!(mark, "(truncated)");
    assert!((MIB - 100..=MIB).contains(&text.len()), "{} bytes", text.len());
    assert!(text.ends_with("the last line\n"), "the newest lines are kept");
}

/// The log has to come as plain JSON: a stream has no room for it. On a busy machine it may take too long for that once.
async fn log(client: &mut Connected, namespace: &str) -> Value {
    let arguments = json!({ "namespace": namespace, "name": "loud", "tailLines": 100_000 });
    for _ in 1..ATTEMPTS {
        match client.call("get_pod_logs", arguments.clone()).await {
            Outcome::Result { is_error: true, text, .. } if text.contains("the answer took longer than") => {}
            outcome => return answered(outcome),
        }
    }
    answer(client, "get_pod_logs", arguments).await
}

async fn answer(client: &mut Connected, tool: &str, arguments: Value) -> Value {
    answered(client.call(tool, arguments).await)
}

/// The structured result of a call that was answered. Its text form says the same.
fn answered(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Result { structured, text, is_error: false } => {
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), structured);
            structured
        }
        failed => panic!("{failed:?}"),
    }
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
