//! The binary as a process: its size, its start, its memory.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures::future::join_all;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::process::{peak, resident};
use sandbar_tests::sandbar::{Server, binary};
use serde_json::{Value, json};

use crate::table::{Table, mb, median, ms};
use crate::tools::Connection;

/// Starts that are measured with and without a compile cache.
const STARTS: usize = 7;

/// Between two looks at /readyz.
const LOOK: Duration = Duration::from_millis(1);

/// Calls at once.
const CONCURRENT: usize = 32;

/// Objects of the large list, and the bytes of each.
const OBJECTS: usize = 10_000;
const OBJECT_BYTES: usize = 10_000;

pub(crate) fn binary_size(table: &mut Table) {
    let size = binary().metadata().expect("the binary").len();
    table.row("release binary, stripped", mb(size), "40 MB", size <= 40_000_000);
}

pub(crate) async fn start_to_ready(table: &mut Table) {
    let caches = tempfile::tempdir().expect("a temporary directory");
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for round in 0..STARTS {
        let cache = caches.path().join(round.to_string());
        cold.push(one_start(&cache).await);
        warm.push(one_start(&cache).await);
    }
    let (cold, warm) = (median(cold), median(warm));
    table.row("start to ready, demo cluster, warm compile cache", ms(warm), "150 ms", warm <= Duration::from_millis(150));
    table.row("start to ready, demo cluster, no compile cache", ms(cold), "600 ms", cold <= Duration::from_millis(600));
}

async fn one_start(cache: &Path) -> Duration {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let began = Instant::now();
    let mut child = Command::new(binary())
        .args(["serve", "--cluster", "demo", "--listen", &port.to_string(), "--cache-dir"])
        .arg(cache)
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary can be run");
    while !is_ready(port).await {
        tokio::time::sleep(LOOK).await;
    }
    let time = began.elapsed();
    // The cache is written by a thread of its own; a start that found half of it would count as warm.
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop(&mut child);
    time
}

async fn is_ready(address: std::net::SocketAddr) -> bool {
    let Ok(stream) = tokio::net::TcpStream::connect(address).await else { return false };
    let Ok((mut sender, connection)) = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await else {
        return false;
    };
    tokio::spawn(connection);
    let request = http::Request::get("/readyz").header("host", "localhost").body(String::new()).expect("a request");
    sender.send_request(request).await.is_ok_and(|response| response.status() == http::StatusCode::OK)
}

fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// Resident memory at rest and under load, against the real API server.
pub(crate) async fn memory(table: &mut Table) {
    let control_plane = ControlPlane::shared();
    let namespace = Namespace::fresh("memory").await;
    namespace.pod_with_log("loud", &mebibyte()).await;

    let server = Server::builder().of(control_plane, "admin").arg("--calls-per-second=1000000").start().await;
    let connection = Connection::to(&server);
    connection.call("check_health", json!({})).await;
    let rest = resident(server.id());
    table.row("resident at rest, seven tools loaded", mb(rest), "40 MB", rest <= 40_000_000);

    let peak = peak_of(&server, async {
        for _ in 0..3 {
            let log = json!({ "namespace": namespace.name(), "name": "loud", "tailLines": 100_000 });
            // On a busy machine one may take too long for plain JSON, and is then too large for a stream; it is held all the same.
            join_all((0..CONCURRENT).map(|_| connection.result("get_pod_logs", log.clone()))).await;
        }
    })
    .await;
    table.row("resident under 32 concurrent 1 MiB logs", mb(peak), "200 MB", peak <= 200_000_000);
    drop(server);

    let server = Server::builder().of(control_plane, "admin").arg("--calls-per-second=1000000").start().await;
    large_list(table, &server).await;
    drop(server);

    let server = Server::builder().of(control_plane, "admin").arg("--calls-per-second=1000000").start().await;
    gibibyte_log(table, &server, &namespace).await;
}

/// 10,000 workspaces of 10 KB, page by page; the tool keeps four short fields of each.
async fn large_list(table: &mut Table, server: &Server) {
    let namespace = Namespace::fresh("large").await;
    let filler = "x".repeat(OBJECT_BYTES);
    let numbers: Vec<usize> = (0..OBJECTS).collect();
    for batch in numbers.chunks(CONCURRENT) {
        join_all(batch.iter().map(|number| {
            namespace.create(json!({
                "apiVersion": "aggregation.coder.com/v1alpha1",
                "kind": "CoderWorkspace",
                "metadata": { "name": format!("acme.user.w{number:05}"), "annotations": { "filler": filler } },
                "spec": { "running": true },
            }))
        }))
        .await;
    }
    let connection = Connection::to(server);
    connection.call("check_health", json!({})).await;
    let rest = resident(server.id());
    let mut seen = 0;
    let peak = peak_of(server, async {
        let mut cursor = Value::Null;
        loop {
            let mut arguments = json!({ "namespace": namespace.name() });
            if !cursor.is_null() {
                arguments["continue"] = cursor;
            }
            let page = connection.call("list_workspaces", arguments).await;
            seen += page["items"].as_array().map_or(0, Vec::len);
            cursor = page["continue"].clone();
            if cursor.is_null() {
                break;
            }
        }
    })
    .await;
    assert_eq!(seen, OBJECTS, "every object, once");
    let more = peak.saturating_sub(rest);
    table.row("10,000 objects of 10 KB page by page, over rest", mb(more), "16 MB", more <= 16_000_000);
}

/// A log of 1 GiB, with a tail that asks for all of it.
async fn gibibyte_log(table: &mut Table, server: &Server, namespace: &Namespace) {
    let lines = CriLog::of((0..1024 * 1024 / 100).map(|number| format!("{number:099}")));
    let mut bytes = Vec::with_capacity(1 << 30);
    while bytes.len() < 1 << 30 {
        bytes.extend_from_slice(lines.bytes());
    }
    namespace.log("huge", None, &CriLog::from_bytes(bytes), None).await;
    namespace.pod("huge", &["app"]).await;
    let connection = Connection::to(server);
    connection.call("check_health", json!({})).await;
    let rest = resident(server.id());
    let mut kept = 0;
    let peak = peak_of(server, async {
        let arguments = json!({ "namespace": namespace.name(), "name": "huge", "tailLines": 100_000_000 });
        kept = connection.call("get_pod_logs", arguments).await["logs"].as_str().map_or(0, str::len);
    })
    .await;
    let more = peak.saturating_sub(rest);
    let measured = format!("{} for {} of text", mb(more), mb(kept as u64));
    table.row("get_pod_logs of a 1 GiB log, over rest", measured, "16 MB", more <= 16_000_000 && kept > 1_000_000);
}

fn mebibyte() -> CriLog {
    CriLog::of((0..1024 * 1024 / 100).map(|number| format!("{number:099}")))
}

/// Processor time that a process has used so far, the kernel's for it included.
pub(crate) fn processor_time(process: u32) -> Duration {
    /// Ticks of the clock that /proc counts in, a second. Linux has no other value; see sysconf(3), _SC_CLK_TCK.
    const TICKS: u64 = 100;
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("our own child");
    // The name of the program stands in parentheses and may hold anything; see proc_pid_stat(5).
    let (_, fields) = text.rsplit_once(')').expect("the kernel says so");
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let [user, system] = [11, 12].map(|field| fields[field].parse::<u64>().expect("a number"));
    Duration::from_millis((user + system) * 1000 / TICKS)
}

/// The most resident memory while something runs, in bytes.
pub(crate) async fn peak_of(server: &Server, work: impl Future<Output = ()>) -> u64 {
    // Resets the high-water mark; see proc(5).
    std::fs::write(format!("/proc/{}/clear_refs", server.id()), "5").expect("our own child");
    work.await;
    peak(server.id())
}
