//! What one caller can do to another.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::mcp;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::Server;
use sandbar_tests::until;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::guests;
use crate::load::{Connection, Raw};
use crate::table::{Table, ms, p99};

/// Connections over which the greedy caller calls without a pause.
const GREEDY: usize = 16;

/// How often the other's calls are timed, and the calls of each time.
const TURNS: usize = 5;
const CALLS: usize = 300;

/// Time between two of the other's calls: they stay within the rate that each caller has by default.
const PAUSE: Duration = Duration::from_millis(12);

/// The p99 of one caller's reads beside those of another who calls as fast as they can, with everything as it is by default: the same read,
/// once the burst is over that each caller may have, and a tool that computes for ever.
pub(crate) async fn beside_a_greedy_one(table: &mut Table) {
    let control_plane = ControlPlane::shared();
    let namespace = Namespace::fresh("callers").await;
    namespace.control_plane("coder", json!({ "phase": "Ready", "readyReplicas": 1, "url": "http://coder" })).await;
    let mut tokens = Vec::new();
    for name in ["greedy", "other"] {
        namespace.service_account(name).await;
        tokens.push(format!("Bearer {}", namespace.token(name, &["sandbar"]).await));
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    guests::write(directory.path(), "spin", &guests::spin());
    let config = "authentication: { tokenReview: { audiences: [sandbar] } }\n";
    let server = Server::builder().of(control_plane, "admin").config(config).arg("--tools").arg(directory.path());
    let server = server.env("SANDBAR_LOG", "warn").start().await;
    let address = server.address();
    let call = |token: &str, tool: &str, arguments: Value| {
        let request = mcp::modern(json!(1), "tools/call", json!({ "name": tool, "arguments": arguments }));
        Raw::new(address, &authorized(request, token))
    };
    let status = || json!({ "namespace": namespace.name(), "name": "coder" });
    let own = call(&tokens[1], "get_control_plane_status", status());
    let greedy = [
        ("calls the same", call(&tokens[0], "get_control_plane_status", status()), true),
        ("has a tool compute for ever", call(&tokens[0], "spin", json!({})), false),
    ];
    for (what, request, has_burst) in greedy {
        let (mut alone, mut beside, mut calls) = (Vec::new(), Vec::new(), 0);
        for _ in 0..TURNS {
            alone.extend(time_calls(address, &own).await);
            let greedy = Greedy::start(address, &request);
            if has_burst {
                until("the burst is over", async || greedy.was_refused.load(Ordering::Relaxed).then_some(())).await;
            }
            beside.extend(time_calls(address, &own).await);
            calls += greedy.stop().await;
        }
        let (alone, beside) = (p99(alone), p99(beside));
        let ratio = beside.as_secs_f64() / alone.as_secs_f64();
        table.row(
            &format!("p99 of get_control_plane_status beside a caller who {what} over {GREEDY} connections, over alone"),
            format!("{ratio:.2}x ({} / {}; {calls} answers to the other)", ms(beside), ms(alone)),
            "2x",
            ratio <= 2.0,
        );
    }
}

fn authorized(mut request: Request<Bytes>, token: &str) -> Request<Bytes> {
    mcp::set(&mut request, "authorization", token);
    request
}

/// One call after the other, each of which has its answer.
async fn time_calls(address: SocketAddr, request: &Raw) -> Vec<Duration> {
    let mut connection = Connection::to(address).await;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        let (head, body) = connection.exchange(request).await;
        times.push(began.elapsed());
        let body = String::from_utf8_lossy(body);
        assert!(head.starts_with("HTTP/1.1 200") && !body.contains("\"isError\":true"), "{head}{body}");
    }
    times
}

/// Somebody who calls without a pause, whatever the answer is.
struct Greedy {
    going_on: Arc<AtomicBool>,
    tasks: JoinSet<()>,
    answers: Arc<AtomicUsize>,
    was_refused: Arc<AtomicBool>,
}

impl Greedy {
    fn start(address: SocketAddr, request: &Raw) -> Self {
        let (going_on, answers) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let was_refused = Arc::new(AtomicBool::new(false));
        let mut tasks = JoinSet::new();
        for _ in 0..GREEDY {
            let (going_on, answers, request) = (going_on.clone(), answers.clone(), request.clone());
            let was_refused = was_refused.clone();
            tasks.spawn(async move {
                while going_on.load(Ordering::Relaxed) {
                    // Whoever closes the connection gives the call up.
                    let mut connection = Connection::to(address).await;
                    let told = async {
                        while going_on.load(Ordering::Relaxed) {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    };
                    let calling = async {
                        while going_on.load(Ordering::Relaxed) {
                            connection.send(&request).await;
                            // A call that takes long has no length.
                            let answer = connection.until("\"jsonrpc\"").await;
                            was_refused.fetch_or(answer.contains("tool calls a second"), Ordering::Relaxed);
                            answers.fetch_add(1, Ordering::Relaxed);
                        }
                    };
                    tokio::select! {
                        () = calling => {}
                        () = told => {}
                    }
                }
            });
        }
        Self { going_on, tasks, answers, was_refused }
    }

    /// Ends it, and says how many answers there were.
    async fn stop(self) -> usize {
        self.going_on.store(false, Ordering::Relaxed);
        self.tasks.join_all().await;
        self.answers.load(Ordering::Relaxed)
    }
}
