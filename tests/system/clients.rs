//! Real clients: each lists the tools, calls all seven, and reads a log of 1 MiB, in time and late.
#![allow(clippy::print_stderr, reason = "a client that cannot be had on this machine is a line, not a failure")]

use std::time::Duration;

use sandbar_tests::TOOLS;
use sandbar_tests::clients::{Connected, Era, Outcome, RealClient};
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::fake_api::{FakeAnswer, FakeApi};
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};

/// The cap of one log excerpt.
const MIB: usize = 1024 * 1024;

/// How long an API server takes whose answers are late: longer than 2 s, after which the head of an answer goes out.
const LATE: Duration = Duration::from_millis(2_600);

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
async fn uses_all_tools(real: RealClient, era: Era, documented: &str) {
    let server = Server::shared().await;
    let url = format!("http://{}/mcp", server.address());
    let (greeting, mut client) = match real.connect(&url, era).await {
        Ok(connected) => connected,
        Err(reason) => return eprintln!("SKIPPED {real:?}: {reason}"),
    };
    assert_eq!(greeting.protocol, era.version());
    assert_eq!(greeting.tools, *TOOLS);
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

    let arguments = json!({ "namespace": name, "name": "loud", "tailLines": 100_000 });
    let log = answer(&mut client, "get_pod_logs", arguments).await;
    let (text, mark) = log["logs"].as_str().unwrap().rsplit_once('\n').unwrap();
    assert_eq!(mark, "(truncated)");
    assert!((MIB - 100..=MIB).contains(&text.len()), "{} bytes", text.len());
    assert!(text.ends_with("the last line\n"), "the newest lines are kept");
    drop(client);
    reads_what_comes_late(real, era).await;
}

/// A log of the full size, from an API server that takes longer than an answer's head.
async fn reads_what_comes_late(client: RealClient, era: Era) {
    let api = FakeApi::start(|path| {
        let log = || format!("{}the last line\n", format!("{}\n", "x".repeat(99)).repeat(10_000));
        path.contains("/log").then(|| FakeAnswer::After(LATE, Box::new(FakeAnswer::text(200, &log()))))
    });
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").start().await;
    let url = format!("http://{}/mcp", server.address());
    let (_, mut client) = client.connect(&url, era).await.expect("it has connected before");
    let arguments = json!({ "namespace": "team-a", "name": "web", "tailLines": 100_000 });
    let log = answer(&mut client, "get_pod_logs", arguments).await;
    let text = log["logs"].as_str().unwrap();
    assert!(text.len() > 1_000_000 && text.ends_with("the last line\n"), "{} bytes", text.len());
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
