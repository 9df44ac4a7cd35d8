//! What one caller leaves to another, when there is more to be had than either should have.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::future::{join_all, select_all};
use sandbar_sandbox::{Slots, available_memory};
use sandbar_tests::components;
use sandbar_tests::raw::Raw;

use super::*;

/// A server, and the tokens of two who share it.
struct Shared {
    server: Server,
    greedy: String,
    other: String,
    _namespace: Namespace,
}

impl Shared {
    async fn start(config: &str) -> Self {
        let namespace = with_account("greedy").await;
        namespace.service_account("other").await;
        let [greedy, other] = [bearer(&namespace, "greedy").await, bearer(&namespace, "other").await];
        let server = Server::builder().of(ControlPlane::shared(), "admin").config(&format!("{REVIEWED}{config}"));
        Self { server: server.start().await, greedy, other, _namespace: namespace }
    }

    /// Calls a tool: none where it answers, else its words.
    async fn call(&self, who: &str, tool: &str, arguments: Value) -> Option<String> {
        let request = mcp::modern(json!(1), "tools/call", json!({ "name": tool, "arguments": arguments }));
        mcp::outcome(&wire::send(self.server.address(), authorized(request, who)).await.message().await.expect("an answer")).err()
    }

    /// Opens a stream of the modern era.
    async fn listen(&self, who: &str) -> Reply {
        let listen = json!({ "notifications": { "toolsListChanged": true } });
        let request = mcp::modern(json!(1), "subscriptions/listen", listen);
        wire::send(self.server.address(), authorized(request, who)).await
    }

    /// Begins a large request, and sends no more than makes it one.
    async fn begin_large(&self, who: &str) -> Raw {
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {who}\r\nContent-Type: application/json\r\n\
            Accept: application/json, text/event-stream\r\nContent-Length: 1000000\r\n\r\n"
        );
        Raw::sent(self.server.address(), head + &" ".repeat(20_000)).await
    }
}

#[tokio::test]
async fn whoever_calls_a_tool_without_end_leaves_room_for_another() {
    /// Calls of the other's, one after the other.
    const CALLS: usize = 40;
    /// A memory that leaves room for few calls on any machine: bytes, and as sandbar.yaml writes them.
    const LARGE: (u64, &str) = (4 << 30, "4Gi");
    let slots = Slots::for_memory(available_memory(), LARGE.0).count();
    let echo = components::build("echo");
    let shared = Shared::start(&format!(
        "callsPerSecond: 10000\ntools:\n  - component: {}\n    partialGrant: true\n    rules: [{{ apiGroups: [\"\"], resources: [pods], verbs: [get] }}]\n    limits: {{ memory: {}, calls: {slots} }}\n",
        echo.display(),
        LARGE.1
    ))
    .await;
    let (ends, told) = (AtomicBool::new(false), AtomicUsize::new(0));
    let flood = join_all((0..12 * slots).map(|_| async {
        while !ends.load(Ordering::Relaxed) {
            let words = shared.call(&shared.greedy, "work", json!({ "word": "mine", "ms": 500 })).await;
            if let Some(words) = words {
                assert!(words.contains("busy"), "{words}");
                told.fetch_add(usize::from(words.contains("and the rest is left to other callers")), Ordering::Relaxed);
            }
        }
    }));
    let others = async {
        until("the greedy have all that they may, and more ask for it", async || {
            (told.load(Ordering::Relaxed) > 0).then_some(())
        })
        .await;
        for call in 0..CALLS {
            assert_eq!(shared.call(&shared.other, "echo", json!({ "word": "please" })).await, None, "call {call}");
            assert_eq!(shared.call(&shared.other, "check_health", json!({})).await, None, "call {call}");
        }
        ends.store(true, Ordering::Relaxed);
    };
    futures::join!(flood, others);
}

#[tokio::test]
async fn large_requests_that_never_end_leave_room_for_those_of_another() {
    let shared = Shared::start("").await;
    let mut slow = Vec::new();
    for _ in 0..3 {
        let mut connection = shared.begin_large(&shared.greedy).await;
        slow.push(Box::pin(async move { connection.answer().await }));
    }
    // Whichever comes last.
    let (refused, _, slow) = select_all(slow).await;
    let refused = refused.expect("an answer");
    assert_eq!(refused.status, 503);
    assert!(refused.body.contains("you have 2 of the 4 large requests"), "{refused:?}");
    let large = mcp::modern(json!(1), "tools/list", json!({ "filler": "x".repeat(100_000) }));
    for _ in 0..10 {
        assert_eq!(wire::send(shared.server.address(), authorized(large.clone(), &shared.other)).await.status, 200);
    }
    drop(slow);
}

#[tokio::test]
async fn whoever_has_half_of_the_streams_leaves_the_rest_to_others() {
    let shared = Shared::start("").await;
    let mut open = Vec::new();
    let refused = loop {
        let reply = shared.listen(&shared.greedy).await;
        if reply.status != 200 {
            break reply;
        }
        open.push(reply);
    };
    assert_eq!((refused.status.as_u16(), open.len()), (503, 500));
    let message = refused.message().await.expect("words");
    assert!(message["error"]["message"].as_str().expect("words").starts_with("you have 500 of this server's 1000"), "{message}");
    let theirs = shared.listen(&shared.other).await;
    assert!(theirs.status == 200 && theirs.is_event_stream());
    drop(open);
    until("there is room again", async || (shared.listen(&shared.greedy).await.status == 200).then_some(())).await;
}
