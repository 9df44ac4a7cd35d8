//! Calls that take long, are cancelled, lose their client, or share an id.

use sandbar_tests::fake_api::{FakeAnswer, FakeApi, Gate};
use sandbar_tests::until;

use super::*;

/// A server in front of an API server that holds back its lists of workspaces. In each namespace there is one that is named after it.
struct Slow {
    server: Server,
    api: FakeApi,
    gate: Gate,
}

impl Slow {
    async fn start(config: &str) -> Self {
        let gate = Gate::closed();
        let held = gate.clone();
        let api = FakeApi::start(move |path| {
            let (_, rest) = path.split_once("/namespaces/")?;
            let (namespace, resource) = rest.split_once('/')?;
            let answer = match resource.split('?').next()? {
                "coderworkspaces" => FakeAnswer::json(&json!({
                    "kind": "CoderWorkspaceList", "apiVersion": "aggregation.coder.com/v1alpha1", "metadata": {},
                    "items": [{ "metadata": { "name": format!("of-{namespace}"), "namespace": namespace }, "spec": { "running": true } }],
                })),
                "pods/web/log" => FakeAnswer::text(200, &"a line of a log\n".repeat(60_000)),
                _ => return None,
            };
            Some(FakeAnswer::Behind(held.clone(), Box::new(answer)))
        });
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        api.write_kubeconfig(&kubeconfig);
        let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").config(config).start().await;
        Self { server, api, gate }
    }

    fn list(client: &Client, id: i64, namespace: &str) -> Request<Bytes> {
        client.http_request(
            json!(id),
            "tools/call",
            json!({ "name": "list_workspaces", "arguments": { "namespace": namespace } }),
        )
    }

    async fn send(&self, request: Request<Bytes>) -> Reply {
        wire::send(self.server.address(), request).await
    }

    /// Waits until the API server holds back so many answers.
    async fn until_waiting(&self, count: usize) {
        until(&format!("{count} requests wait for the API server"), || async { (self.api.in_flight() == count).then_some(()) })
            .await;
    }

    async fn until_asked(&self, path: &str) {
        until(&format!("the API server is asked for {path}"), || async {
            self.api.requests().iter().any(|request| request.contains(path)).then_some(())
        })
        .await;
    }
}

/// The name of the one workspace in an answer.
async fn workspace(reply: Reply) -> String {
    let message = reply.message().await.expect("an answer");
    message["result"]["structuredContent"]["items"][0]["name"].as_str().unwrap_or_else(|| panic!("{message}")).to_owned()
}

#[tokio::test]
async fn the_head_of_a_slow_answer_goes_out_before_it_is_there() {
    let slow = Slow::start("").await;
    for client in [Client::modern(&slow.server), Client::legacy(&slow.server).await] {
        let fast = client.send("tools/call", json!({ "name": "check_health", "arguments": {} })).await;
        assert!(fast.header("content-length").is_some() && fast.header("content-type") == Some("application/json"));
    }
    let modern = Client::modern(&slow.server);
    let legacy = Client::legacy(&slow.server).await;
    let mut events = Slow::list(&legacy, 2, "team-b");
    mcp::set(&mut events, "accept", "text/event-stream");
    // The heads arrive while the API server still holds everything back.
    let (modern, legacy, events) =
        tokio::join!(slow.send(Slow::list(&modern, 1, "team-a")), slow.send(Slow::list(&legacy, 1, "team-b")), slow.send(events));
    for reply in [&modern, &legacy] {
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!((reply.header("content-length"), reply.header("x-accel-buffering")), (None, Some("no")));
    }
    assert!(events.is_event_stream());
    slow.gate.open();
    assert_eq!(workspace(modern).await, "of-team-a");
    let text = legacy.text().await;
    assert!(text.starts_with(' ') && text.trim_start().starts_with('{'), "white space keeps the connection: {text:?}");
    let events = events.text().await;
    assert!(events.starts_with(':'), "so do comments: {events:?}");
    assert!(events.contains("of-team-b") && events.matches("data:").count() == 1, "{events:?}");
    assert!(!events.lines().any(|line| line.starts_with("id:")), "a stream cannot be resumed: {events:?}");
}

#[tokio::test]
async fn a_late_answer_is_whole_in_both_forms_whatever_its_size() {
    // Every line break takes two bytes in JSON, and three in the text that holds JSON.
    let logs = ["a line of a log\n".repeat(30_000), "a line of a log\n".repeat(60_000), "\\\n".repeat(500_000)];
    for log in logs {
        let gate = Gate::closed();
        let (held, text) = (gate.clone(), log.clone());
        let api = FakeApi::start(move |path| {
            path.contains("/log").then(|| FakeAnswer::Behind(held.clone(), Box::new(FakeAnswer::text(200, &text))))
        });
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        api.write_kubeconfig(&kubeconfig);
        let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").start().await;
        let of = |client: &Client, accept| {
            let arguments = json!({ "namespace": "team-a", "name": "web", "tailLines": 1_000_000 });
            // Whoever asks for progress gets the same, since this tool reports none.
            let params = json!({ "name": "get_pod_logs", "arguments": arguments, "_meta": { "progressToken": 1 } });
            let mut request = client.http_request(json!(1), "tools/call", params);
            mcp::set(&mut request, "accept", accept);
            wire::send(server.address(), request)
        };
        let (modern, legacy) = (Client::modern(&server), Client::legacy(&server).await);
        let replies = tokio::join!(
            of(&modern, "application/json, text/event-stream"),
            of(&legacy, "application/json"),
            of(&modern, "text/event-stream"),
        );
        gate.open();
        for reply in <[Reply; 3]>::from(replies) {
            let result = reply.message().await.expect("an answer")["result"].take();
            let structured = &result["structuredContent"];
            assert!(structured["logs"].as_str().is_some_and(|logs| log.ends_with(logs) && logs.len() + 200 > log.len()));
            assert_eq!(result["content"][0]["text"], structured.to_string());
        }
    }
}

#[tokio::test]
async fn a_cancelled_call_ends_and_lets_go_of_the_api_server() {
    let slow = Slow::start("").await;
    let client = Client::legacy(&slow.server).await;
    let call = Slow::list(&client, 42, "team-a");
    let (reply, ()) = tokio::join!(slow.send(call), async {
        slow.until_waiting(1).await;
        // Not its id, and not its session: nothing happens.
        client.notify("notifications/cancelled", json!({ "requestId": "42" })).await;
        Client::legacy_version(&slow.server, "2025-06-18")
            .await
            .notify("notifications/cancelled", json!({ "requestId": 42 }))
            .await;
        assert_eq!(slow.api.in_flight(), 1);
        client.notify("notifications/cancelled", json!({ "requestId": 42, "reason": "no longer needed" })).await;
    });
    slow.until_waiting(0).await;
    // A cancelled call has no answer, unless the head was out already, which promises one.
    if let Some(message) = reply.message().await {
        assert!(message["error"]["message"].as_str().unwrap().contains("cancelled"), "{message}");
    }
}

#[tokio::test]
async fn two_calls_with_one_id_each_get_their_own_answer() {
    for modern in [false, true] {
        let slow = Slow::start("").await;
        let client = if modern { Client::modern(&slow.server) } else { Client::legacy(&slow.server).await };
        let (one, other, ()) =
            tokio::join!(slow.send(Slow::list(&client, 7, "team-a")), slow.send(Slow::list(&client, 7, "team-b")), async {
                slow.until_waiting(2).await;
                slow.gate.open();
            });
        assert_eq!((workspace(one).await, workspace(other).await), ("of-team-a".to_owned(), "of-team-b".to_owned()));
    }
}

#[tokio::test]
async fn a_legacy_call_goes_on_without_its_client() {
    let slow = Slow::start("namespaces: [team-a, team-b]\n").await;
    let client = Client::legacy(&slow.server).await;
    let call = client.http_request(json!(1), "tools/call", json!({ "name": "list_workspaces", "arguments": {} }));
    let reply = slow.send(call).await;
    slow.until_asked("/namespaces/team-a/").await;
    drop(reply);
    slow.gate.open();
    // The second namespace is only asked after the first has answered.
    slow.until_asked("/namespaces/team-b/").await;
}

#[tokio::test]
async fn a_modern_call_ends_with_its_client() {
    let slow = Slow::start("").await;
    let reply = slow.send(Slow::list(&Client::modern(&slow.server), 1, "team-a")).await;
    slow.until_waiting(1).await;
    drop(reply);
    slow.until_waiting(0).await;
}

#[tokio::test]
async fn sigterm_lets_running_calls_end_and_then_the_server() {
    let mut slow = Slow::start("").await;
    let client = Client::legacy(&slow.server).await;
    let reply = slow.send(Slow::list(&client, 1, "team-a")).await;
    slow.server.signal("TERM");
    until("the server says that it is not ready", || async {
        (wire::get(slow.server.address(), "/readyz").await.status == 503).then_some(())
    })
    .await;
    assert_eq!(wire::get(slow.server.address(), "/healthz").await.status, 200, "it is alive");
    slow.gate.open();
    assert_eq!(workspace(reply).await, "of-team-a");
    assert!(slow.server.ended().await.success());
}

#[tokio::test]
async fn a_call_that_was_left_alone_does_not_keep_the_server_from_ending() {
    let mut slow = Slow::start("limits: { time: 4s }\n").await;
    let client = Client::legacy(&slow.server).await;
    let reply = slow.send(Slow::list(&client, 1, "team-a")).await;
    drop(reply);
    slow.server.signal("TERM");
    assert!(slow.server.ended().await.success());
}
