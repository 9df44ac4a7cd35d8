//! Container logs, from the runtime's file through kubelet and API server to the client.

use std::time::Duration;

use sandbar_tests::cri_log::CriLog;
use sandbar_tests::mcp::Client;
use sandbar_tests::namespace::{Namespace, merge};
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};

mod matching;
mod nodes;
mod size;

/// The cap on one answer, in bytes.
const CAP: usize = 1 << 20;

/// What marks an answer that is not all that was asked for.
const MARK: &str = "\n(truncated)";

/// What a runtime splits longer lines into, in bytes.
const RECORD: usize = 16 * 1024;

async fn client() -> Client {
    Client::modern(Server::shared().await)
}

/// The answer about the pod `web`.
async fn read(namespace: &Namespace, more: Value) -> Value {
    client().await.answer("get_pod_logs", about_web(namespace, more)).await
}

/// The words of a failure about the pod `web`.
async fn refusal(namespace: &Namespace, more: Value) -> String {
    client().await.failure("get_pod_logs", about_web(namespace, more)).await
}

fn about_web(namespace: &Namespace, more: Value) -> Value {
    let mut arguments = json!({ "namespace": namespace.name(), "name": "web" });
    merge(&mut arguments, more);
    arguments
}

/// A namespace with a running pod `web` that has this log.
async fn web(log: &CriLog) -> Namespace {
    let namespace = Namespace::fresh("logs").await;
    namespace.pod_with_log("web", log).await;
    namespace
}

fn logs(answer: &Value) -> &str {
    answer["logs"].as_str().unwrap_or_else(|| panic!("no logs: {answer:.300}"))
}

#[tokio::test]
async fn a_short_log_is_the_whole_answer() {
    let namespace = web(&CriLog::of(["one", "", "  three"])).await;
    assert_eq!(read(&namespace, json!({})).await, json!({ "logs": "one\n\n  three\n" }));
}

#[tokio::test]
async fn an_empty_log_is_empty_and_says_why() {
    let namespace = web(&CriLog::new()).await;
    let hint = "this container has logged nothing, or its log has been rotated away";
    assert_eq!(read(&namespace, json!({})).await, json!({ "hint": hint, "logs": "" }));
    let full = web(&CriLog::of(["one"])).await;
    let none = read(&full, json!({ "tailLines": 0 })).await;
    assert_eq!(none, json!({ "hint": "tailLines is 0, so no line was read; leave it out for the newest 2000", "logs": "" }));
}

#[tokio::test]
async fn what_is_no_utf_8_is_replaced() {
    let namespace = web(&CriLog::of([&b"caf\xe9 \xf0\x9f\x92"[..], "日本語".as_bytes(), b"\xff\xfe\xfd"])).await;
    assert_eq!(logs(&read(&namespace, json!({})).await), "caf\u{fffd} \u{fffd}\n日本語\n\u{fffd}\u{fffd}\u{fffd}\n");
}

#[tokio::test]
async fn a_cut_never_lands_inside_a_character() {
    let namespace = web(&CriLog::of(["é".repeat(1000)])).await;
    for limit in 1..8 {
        let answer = read(&namespace, json!({ "limitBytes": limit })).await;
        let text = logs(&answer).strip_suffix(MARK).expect("it is marked");
        assert!(text.len() <= limit && text.trim_end_matches('\n').chars().all(|c| c == 'é'), "{limit}: {text:?}");
    }
}

#[tokio::test]
async fn the_last_line_may_lack_its_end() {
    let namespace = web(&CriLog::of(["whole"]).part("still being writ")).await;
    assert_eq!(logs(&read(&namespace, json!({})).await), "whole\nstill being writ");
}

#[tokio::test]
async fn what_a_person_would_not_see_does_not_reach_a_model() {
    let namespace = web(&CriLog::of([
        "\u{1b}[31mred\u{1b}[0m and \u{1b}[1;4mbold\u{1b}[m",
        "\u{1b}]8;;http://evil.example.com\u{7}link\u{1b}]8;;\u{7}",
        "a\u{202e}b\u{2066}c\u{e0041}d\u{0}e\u{8}f",
        "tab\tstays",
    ]))
    .await;
    assert_eq!(logs(&read(&namespace, json!({})).await), "red and bold\nlink\nabcd e f\ntab\tstays\n");
}

#[tokio::test]
async fn lines_of_a_certain_age_are_left_out() {
    let log = CriLog::new().ago(Duration::from_secs(3600)).line("an hour ago").ago(Duration::from_secs(1)).line("now");
    let namespace = web(&log).await;
    assert_eq!(logs(&read(&namespace, json!({ "sinceSeconds": 600 })).await), "now\n");
    assert_eq!(logs(&read(&namespace, json!({ "sinceSeconds": 7200 })).await), "an hour ago\nnow\n");
    assert_eq!(logs(&read(&namespace, json!({ "sinceSeconds": 1e12 })).await), "an hour ago\nnow\n");
    // Clients fill in what they do not mean.
    assert_eq!(logs(&read(&namespace, json!({ "sinceSeconds": 0 })).await), "an hour ago\nnow\n");
    let words = refusal(&namespace, json!({ "sinceSeconds": -1 })).await;
    assert!(words.contains("sinceSeconds is -1"), "{words}");
}

#[tokio::test]
async fn a_negative_number_of_lines_is_refused() {
    let namespace = web(&CriLog::of(["one"])).await;
    let words = refusal(&namespace, json!({ "tailLines": -1 })).await;
    assert!(words.contains("tailLines is -1"), "{words}");
}

#[tokio::test]
async fn the_run_before_the_last_restart_has_a_log_of_its_own() {
    let namespace = Namespace::fresh("logs").await;
    namespace.log("web", None, &CriLog::of(["running"]), Some(&CriLog::of(["panic: out of tables"]))).await;
    namespace.pod("web", &["app"]).await;
    assert_eq!(logs(&read(&namespace, json!({ "previous": true })).await), "panic: out of tables\n");
    assert_eq!(logs(&read(&namespace, json!({ "previous": false })).await), "running\n");
}

#[tokio::test]
async fn lines_can_begin_with_their_time() {
    let namespace = web(&CriLog::of(["one", "two"])).await;
    let answer = read(&namespace, json!({ "timestamps": true })).await;
    let lines: Vec<&str> = logs(&answer).lines().collect();
    assert_eq!(lines.len(), 2);
    for (line, text) in lines.iter().zip(["one", "two"]) {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z') && time.contains('T'), "{line}");
        assert_eq!(rest, text);
    }
}

#[tokio::test]
async fn each_container_has_its_own_log_and_one_has_to_be_named() {
    let namespace = Namespace::fresh("logs").await;
    namespace.log("web", Some("app"), &CriLog::of(["of app"]), None).await;
    namespace.log("web", Some("proxy"), &CriLog::of(["of proxy"]), None).await;
    namespace.pod("web", &["app", "proxy"]).await;
    assert_eq!(logs(&read(&namespace, json!({ "container": "app" })).await), "of app\n");
    assert_eq!(logs(&read(&namespace, json!({ "container": "proxy" })).await), "of proxy\n");
    let words = refusal(&namespace, json!({})).await;
    assert!(words.contains("a container name must be specified") && words.contains("app") && words.contains("proxy"), "{words}");
    let words = refusal(&namespace, json!({ "container": "nope" })).await;
    assert!(words.contains("container nope is not valid for pod web"), "{words}");
}
