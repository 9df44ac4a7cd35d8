//! Who calls: honest clients that know the answer, hostile components, and clients that go away.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::mcp::{self, Client};
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::Server;
use sandbar_tests::{TOOLS, until};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::weather::{SHORTEST, Weather};

/// The hostile texts that take part; their tools have the same names.
pub(crate) const TEXTS: [&str; 11] = [
    "fill",
    "realloc-spins",
    "realloc-lies",
    "realloc-grows",
    "bundle",
    "utf16",
    "bad-text",
    "hoard",
    "print",
    "clutch",
    "sleep",
];

/// Faults of the hostile component, and what the caller is told of each.
fn faults() -> Vec<(&'static str, Value, &'static str)> {
    let misbehave = |how: Value, said| ("misbehave", how, said);
    let mut faults = vec![
        misbehave(json!({ "how": "trap" }), "crashed"),
        misbehave(json!({ "how": "panic", "words": "soak" }), "crashed"),
        misbehave(json!({ "how": "recurse" }), "limit `stack`"),
        misbehave(json!({ "how": "spin" }), "limit `"),
        misbehave(json!({ "how": "grow" }), "limit `memory`"),
        misbehave(json!({ "how": "wait" }), "limit `"),
        misbehave(json!({ "how": "push", "bytes": 3_000_000 }), "handed more than"),
        misbehave(json!({ "how": "fill", "bytes": 100_000 }), "limit `result`"),
        misbehave(json!({ "how": "ask" }), "limit `"),
        misbehave(json!({ "how": "flood", "times": u32::MAX, "line": "soak" }), "limit `"),
        misbehave(json!({ "how": "push-paths", "paths": 200_000 }), "handed more than"),
        misbehave(json!({ "how": "return", "text": "[".repeat(60_000) }), "malformed"),
        misbehave(json!({ "how": "fail", "text": "soak" }), "soak"),
    ];
    let said = |text| match text {
        "realloc-lies" | "bad-text" | "utf16" => "crashed",
        "realloc-grows" | "bundle" => "limit `memory`",
        "hoard" | "clutch" => "limit `handles`",
        _ => "limit `",
    };
    faults.extend(TEXTS.map(|text| (text, json!({}), said(text))));
    faults
}

/// Commits each fault once.
pub(crate) async fn one_of_each(server: &Server) {
    for (tool, arguments, said) in faults() {
        let words = Client::modern(server).failure(tool, arguments).await;
        assert!(words.contains(said) || words.contains("limit `"), "{tool}: {words}");
    }
}

/// Commits faults, one after the other.
pub(crate) async fn misbehave(end: Instant, number: usize, server: Arc<Server>, tally: Tally) {
    let faults = faults();
    for (tool, arguments, said) in faults.iter().cycle().skip(number * 7) {
        if Instant::now() > end {
            return;
        }
        let words = Client::modern(&server).failure(tool, arguments.clone()).await;
        if is_busy(&words) {
            tally.busy.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        // On a busy machine another limit may come first.
        assert!(
            words.contains(said) || words.contains("limit `time`") || words.contains("limit `cpu`"),
            "{tool} {arguments}: {words}"
        );
        tally.faults.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) fn is_busy(words: &str) -> bool {
    words.contains("busy")
}

/// Sends calls and goes away: in the middle of the request, before the answer, in the middle of the answer.
pub(crate) async fn drop_connections(end: Instant, number: usize, server: Arc<Server>, namespace: String, tally: Tally) {
    let logs = json!({ "name": "get_pod_logs", "arguments": { "namespace": namespace, "name": "web" } });
    let spin = json!({ "name": "misbehave", "arguments": { "how": "spin" } });
    let sleep = json!({ "name": "sleep", "arguments": {} });
    for (turn, params) in [logs, spin, sleep].iter().cycle().enumerate() {
        if Instant::now() > end {
            return;
        }
        let request = bytes_of(&server, mcp::modern(json!(turn), "tools/call", params.clone()));
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let sent = match (turn + number) % 4 {
            0 => request.len() / 2,
            1 => request.len() - 1,
            _ => request.len(),
        };
        stream.write_all(&request[..sent]).await.unwrap();
        if (turn + number) % 4 == 3 {
            // The first bytes of an answer, which for the slow ones come only at their end.
            let _ = stream.read(&mut [0; 16]).await;
        } else {
            stream.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        drop(stream);
        tally.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// A request as it goes over the wire.
fn bytes_of(server: &Server, request: http::Request<bytes::Bytes>) -> Vec<u8> {
    let (head, body) = request.into_parts();
    let mut text =
        format!("POST {} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n", head.uri, server.address(), body.len()).into_bytes();
    for (name, value) in &head.headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(&body);
    text
}

/// Calls all tools, and knows what they answer.
#[derive(Clone)]
pub(crate) struct Honest {
    namespace: String,
    expected: Vec<Value>,
}

impl Honest {
    /// Makes a namespace with something for each tool to read.
    pub(crate) async fn furnish(control_plane: &ControlPlane) -> Self {
        let namespace = Namespace::fresh_in(control_plane, "soak").await;
        let name = namespace.name().to_owned();
        let url = format!("http://coder.{name}");
        namespace.control_plane(&name, json!({ "phase": "Ready", "readyReplicas": 1, "url": url })).await;
        for kind in ["CoderWorkspace", "CoderTemplate"] {
            let object = json!({
                "apiVersion": "aggregation.coder.com/v1alpha1", "kind": kind, "metadata": { "name": name },
                "spec": { "organization": "acme", "running": true },
            });
            namespace.create(object).await;
        }
        namespace.event("tested", json!({ "message": format!("made in {name}") })).await;
        let lines: Vec<String> = (0..500).map(|number| format!("line {number} of {name}")).collect();
        crate::heavy::furnish(&namespace).await;
        namespace.pod_with_log("web", &CriLog::of(lines.iter().map(String::as_str))).await;
        Self { namespace: name, expected: Vec::new() }
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    fn arguments(&self, tool: &str) -> Value {
        let namespace = &self.namespace;
        match tool {
            "check_health" => json!({}),
            "get_control_plane_status" => json!({ "namespace": namespace, "name": namespace }),
            "get_pod_logs" => json!({ "namespace": namespace, "name": "web" }),
            _ => json!({ "namespace": namespace }),
        }
    }

    /// Waits until every tool answers.
    pub(crate) async fn all_answer(&self, server: &Server) {
        let client = Client::modern(server);
        for &tool in TOOLS.iter() {
            until(&format!("{tool} answers"), || async { client.call(tool, self.arguments(tool)).await.ok() }).await;
        }
    }

    /// From now on it expects these very answers, which have to hold the namespace's name where they are about it.
    pub(crate) async fn remember(mut self, server: &Server) -> Self {
        let client = Client::modern(server);
        for &tool in TOOLS.iter() {
            let answer = client.answer(tool, self.arguments(tool)).await;
            assert!(tool == "check_health" || answer.to_string().contains(&self.namespace), "{tool}: {answer}");
            self.expected.push(answer);
        }
        self
    }

    /// Every tool answers as before.
    pub(crate) async fn all_answer_as_before(&self, server: &Server) {
        self.all_answer(server).await;
        let client = Client::modern(server);
        for (tool, expected) in TOOLS.iter().zip(&self.expected) {
            assert_eq!(&client.answer(tool, self.arguments(tool)).await, expected, "{tool}");
        }
    }

    /// Calls tool after tool, in both eras. While the API server is there, each answer is the expected one; else it may be a failure.
    pub(crate) async fn call_until(self, end: Instant, number: usize, server: Arc<Server>, weather: Weather, tally: Tally) {
        let mut client = if number.is_multiple_of(2) { Client::modern(&server) } else { Client::legacy(&server).await };
        for (tool, expected) in TOOLS.iter().zip(&self.expected).cycle().skip(number * 2) {
            if Instant::now() > end {
                return;
            }
            let before = weather.now();
            let call = json!({ "name": tool, "arguments": self.arguments(tool) });
            let mut reply = client.send("tools/call", call.clone()).await;
            // The key of its session is gone: it begins another, as clients do, and knows that one from then on.
            if reply.status == 404 {
                tally.begun_anew.fetch_add(1, Ordering::Relaxed);
                client = Client::legacy(&server).await;
                reply = client.send("tools/call", call).await;
            }
            match mcp::outcome(&reply.message().await.expect("an answer")) {
                Ok(answer) if answer == *expected => drop(tally.answered.fetch_add(1, Ordering::Relaxed)),
                // A list says in a warning what it could not read.
                Ok(answer) => assert!(!weather.was_fair_since(before), "{tool} answered {answer}, and not {expected}"),
                Err(words) if is_busy(&words) => drop(tally.busy.fetch_add(1, Ordering::Relaxed)),
                Err(words) => {
                    assert!(!weather.was_fair_since(before), "{tool}: {words}");
                    tally.unavailable.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }
}

/// What happened, by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<Counts>);

/// The numbers.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    answered: AtomicU64,
    unavailable: AtomicU64,
    pub(crate) busy: AtomicU64,
    pub(crate) heavy: AtomicU64,
    pub(crate) bombs: AtomicU64,
    faults: AtomicU64,
    dropped: AtomicU64,
    outages: AtomicU64,
    begun_anew: AtomicU64,
    pub(crate) reloads: AtomicU64,
    pub(crate) keys: AtomicU64,
    pub(crate) secured: AtomicU64,
    pub(crate) certificates: AtomicU64,
    pub(crate) visits: AtomicU64,
}

impl std::ops::Deref for Tally {
    type Target = Counts;

    fn deref(&self) -> &Counts {
        &self.0
    }
}

impl Tally {
    pub(crate) fn outage(&self) {
        self.outages.fetch_add(1, Ordering::Relaxed);
    }

    /// A soak in which something did not happen says nothing about it.
    pub(crate) fn check(&self, time: Duration) {
        for (what, count) in [("answers", &self.answered), ("faults", &self.faults), ("dropped connections", &self.dropped)] {
            assert!(count.load(Ordering::Relaxed) > 100, "too few {what}: {self}");
        }
        // Each takes seconds, with a compiler that is not optimised up to a minute.
        for (what, count) in [("long calls and large messages", &self.heavy), ("components that take too much", &self.bombs)] {
            assert!(count.load(Ordering::Relaxed) > 0, "no {what}: {self}");
        }
        for (what, count) in [
            ("outages of the API server", &self.outages),
            ("reloads", &self.reloads),
            ("keys", &self.keys),
            ("sessions that were begun anew", &self.begun_anew),
            ("certificates", &self.certificates),
            ("calls over TLS", &self.secured),
            ("visits of the registry and the collector", &self.visits),
        ] {
            assert!(count.load(Ordering::Relaxed) > 0 || time < SHORTEST, "no {what}: {self}");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} right answers, {} told that the API server is away, {} told that the server is busy, {} faults, {} dropped connections, \
             {} long calls and large messages, {} components that take a compiler too much, {} outages; \
             {} reloads, {} keys, {} sessions begun anew, {} certificates, {} calls over TLS, {} visits of the registry and the collector",
            count(&self.answered),
            count(&self.unavailable),
            count(&self.busy),
            count(&self.faults),
            count(&self.dropped),
            count(&self.heavy),
            count(&self.bombs),
            count(&self.outages),
            count(&self.reloads),
            count(&self.keys),
            count(&self.begun_anew),
            count(&self.certificates),
            count(&self.secured),
            count(&self.visits)
        )
    }
}
