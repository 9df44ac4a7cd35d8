//! Calls that take long, are cancelled, lose their client, or share an id.

use sandbar_tests::fake_api::{Answer, FakeApi, Gate};
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
                "coderworkspaces" => Answer::json(&json!({
                    "kind": "CoderWorkspaceList", "apiVersion": "aggregation.coder.com/v1alpha1", "metadata": {},
                    "items": [{ "metadata": { "name": format!("of-{namespace}"), "namespace": namespace }, "spec": { "running": true } }],
                })),
                "pods/web/log" => Answer::text(200, &"a line of a log\n".repeat(60_000)),
                _ => return None,
            };
            Some(Answer::Behind(held.clone(), Box::new(answer)))
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
async fn a_fast_answer_is_plain_json_and_a_slow_one_is_a_stream_that_begins_before_it_is_there() {
    let slow = Slow::start("").await;
    for client in [Client::modern(&slow.server), Client::legacy(&slow.server).await] {
        let fast = client.send("tools/call", json!({ "name": "check_health", "arguments": {} })).await;
        assert_eq!(fast.header("content-type"), Some("application/json"));
    }
    let modern = Client::modern(&slow.server);
    let legacy = Client::legacy(&slow.server).await;
    // The heads arrive while the API server still holds everything back.
    let (modern, legacy) = tokio::join!(slow.send(Slow::list(&modern, 1, "team-a")), slow.send(Slow::list(&legacy, 1, "team-b")));
    assert!(modern.is_event_stream() && legacy.is_event_stream());
    slow.gate.open();
    assert_eq!(workspace(modern).await, "of-team-a");
    let events = legacy.text().await;
    assert!(events.starts_with(':'), "a comment keeps the connection: {events:?}");
    assert!(events.contains("of-team-b") && events.matches("data:").count() == 1, "{events:?}");
    assert!(!events.lines().any(|line| line.starts_with("id:")), "a stream cannot be resumed: {events:?}");
}

#[tokio::test]
async fn a_late_answer_that_no_client_could_read_as_an_event_loses_its_copy_as_text() {
    let slow = Slow::start("").await;
    let client = Client::modern(&slow.server);
    let call = |arguments| client.http_request(json!(1), "tools/call", json!({ "name": "get_pod_logs", "arguments": arguments }));
    let reply = slow.send(call(json!({ "namespace": "team-a", "name": "web", "limitBytes": 600_000 }))).await;
    assert!(reply.is_event_stream());
    slow.gate.open();
    let text = reply.text().await;
    let longest = text.lines().map(str::len).max().unwrap();
    assert!(longest < 1_000_000, "the official Python client stops at 1,048,576 bytes: {longest}");
    assert!(text.contains("a line of a log"), "the structured content is there");
}

#[tokio::test]
async fn a_late_answer_that_fits_no_event_at_all_is_an_error_that_says_so() {
    // Every line break takes two bytes in JSON.
    let gate = Gate::closed();
    let held = gate.clone();
    let api = FakeApi::start(move |path| {
        let log = "\\\n".repeat(500_000);
        path.contains("/log").then(|| Answer::Behind(held.clone(), Box::new(Answer::text(200, &log))))
    });
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").start().await;
    let client = Client::modern(&server);
    let call = json!({ "name": "get_pod_logs", "arguments": { "namespace": "team-a", "name": "web", "tailLines": 1_000_000 } });
    let reply = client.send("tools/call", call).await;
    assert!(reply.is_event_stream());
    gate.open();
    let result = reply.message().await.unwrap()["result"].take();
    assert_eq!(result["isError"], true, "{result}");
    assert!(result["content"][0]["text"].as_str().unwrap().contains("1000000 bytes"), "{result}");
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
    assert_eq!(reply.message().await, None, "a cancelled call has no answer");
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
