//! The seven tools against a real API server: every argument, every field of the answers, and the words of their failures.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::mcp::Client;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};

mod control_planes;
mod events;
mod list;
mod workspaces;

async fn client() -> Client {
    Client::modern(Server::shared().await)
}

#[tokio::test]
async fn check_health_names_both_versions() {
    let answer = client().await.answer("check_health", json!({})).await;
    assert_eq!(answer, json!({ "status": "ok", "version": "0.1.0", "kubernetesVersion": "v1.37.2" }));
}

#[tokio::test]
async fn check_health_needs_no_rights_at_all() {
    // The original lists all namespaces, and fails where a server may see only some.
    let server = Server::builder().of(ControlPlane::shared(), "narrow").start().await;
    assert_eq!(Client::modern(&server).answer("check_health", json!({})).await["status"], "ok");
}

#[tokio::test]
async fn every_namespace_and_name_that_is_required_is_asked_for_in_the_words_of_the_original() {
    let client = client().await;
    for (tool, arguments, words) in [
        ("get_control_plane_status", json!({ "namespace": "", "name": "x" }), "namespace is required"),
        ("get_control_plane_status", json!({ "namespace": "x", "name": "" }), "name is required"),
        ("get_events", json!({ "namespace": "" }), "namespace is required"),
        ("get_pod_logs", json!({ "namespace": "", "name": "x" }), "namespace is required"),
        ("get_pod_logs", json!({ "namespace": "x", "name": "" }), "name is required"),
    ] {
        assert_eq!(client.failure(tool, arguments).await, words, "{tool}");
    }
}

#[tokio::test]
async fn lists_of_nothing_are_empty_and_never_null() {
    let namespace = Namespace::fresh("empty").await;
    let client = client().await;
    for tool in ["list_control_planes", "list_workspaces", "list_templates", "get_events"] {
        let answer = client.answer(tool, json!({ "namespace": namespace.name() })).await;
        assert_eq!(answer["items"], json!([]), "{tool}");
        assert!(
            answer["hint"].as_str().is_some_and(|hint| hint.contains(namespace.name())),
            "it says what was searched: {answer}"
        );
    }
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_as_empty_as_any() {
    let answer = client().await.answer("list_control_planes", json!({ "namespace": "no-such-namespace" })).await;
    assert_eq!(answer["items"], json!([]));
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("no-such-namespace")), "{answer}");
}

#[tokio::test]
async fn a_log_is_read_with_the_arguments_of_the_original() {
    let namespace = Namespace::fresh("pod-logs").await;
    let lines: Vec<String> = (1..=3000).map(|n| format!("line {n}")).collect();
    namespace.pod_with_log("web", &CriLog::of(&lines)).await;
    let client = client().await;
    let logs = async |more: Value| {
        let mut arguments = json!({ "namespace": namespace.name(), "name": "web" });
        sandbar_tests::namespace::merge(&mut arguments, more);
        client.answer("get_pod_logs", arguments).await["logs"].as_str().unwrap().to_owned()
    };
    let joined = |from: usize| lines[from..].iter().map(|line| format!("{line}\n")).collect::<String>();
    assert_eq!(logs(json!({})).await, joined(1000), "2000 lines by default");
    assert_eq!(logs(json!({ "tailLines": 2 })).await, "line 2999\nline 3000\n");
    assert_eq!(logs(json!({ "tailLines": 0 })).await, "");
    assert_eq!(logs(json!({ "tailLines": 1e9 })).await, joined(0));
    assert_eq!(logs(json!({ "tailLines": 2, "limitBytes": 0 })).await, "line 2999\nline 3000\n", "0 means the cap");
    assert_eq!(logs(json!({ "tailLines": 2, "limitBytes": -5 })).await, "line 2999\nline 3000\n");
    assert_eq!(logs(json!({ "tailLines": 2, "limitBytes": 20 })).await, "line 2999\nline 3000\n", "exactly at the limit");
    assert_eq!(logs(json!({ "tailLines": 2, "limitBytes": 19 })).await, "line 3000\n\n(truncated)", "the newest lines stay");
    assert_eq!(logs(json!({ "tailLines": 1, "container": "app" })).await, "line 3000\n");
    assert_eq!(logs(json!({ "tailLines": 1, "container": "" })).await, "line 3000\n");
}
