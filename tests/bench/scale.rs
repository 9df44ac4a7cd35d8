//! Many clients of one server: what each of them holds, and how many calls there are in a second.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::Request;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::fake_api::{FakeAnswer, FakeApi, Gate};
use sandbar_tests::mcp::{self, LEGACY};
use sandbar_tests::namespace::Namespace;
use sandbar_tests::process::{Leash, resident};
use sandbar_tests::sandbar::{Server, binary};
use sandbar_tests::{components, http as wire, until};
use serde_json::json;

use crate::guests;
use crate::load::{Connection, NO_RATE_LIMIT, Raw, load};
use crate::native::Native;
use crate::process::processor_time;
use crate::table::{Table, mb, median_of, ms};

/// Connections of the load generator.
const CONNECTIONS: usize = 16;

/// Rounds of a comparison, and how long each side has in each.
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(1);

/// Legacy sessions that are opened and left alone.
const SESSIONS: usize = 10_000;

/// Calls that come as streams, all open at once, and how many of them wait for the cluster before the others come: fewer than run at
/// once on a machine with 4 GB. Of the others, most wait for their turn to run.
const STREAMS: usize = 1_000;
const RUNNING: usize = 32;

/// The most calls that any server runs at once. See `sandbox/slots.rs`.
const SLOTS: usize = 128;

/// The path on which the made-up API server keeps its callers waiting.
const SLOW: &str = "/pods/slow";

/// A server with a trivial tool, its log thrown away: what it writes is part of a call, reading it is not.
struct Silent {
    address: SocketAddr,
    child: Child,
    _leash: Leash,
    _files: tempfile::TempDir,
}

impl Silent {
    async fn start() -> Self {
        let files = tempfile::tempdir().expect("a temporary directory");
        let component = guests::write(files.path(), "nothing", &guests::nothing());
        let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
        let child = Command::new(binary())
            .args(["serve", "--cluster", "demo", "--listen", &address.to_string(), "--tools"])
            .arg(component)
            .envs([NO_RATE_LIMIT])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary can be run");
        let leash = Leash::new(child.id());
        until("the server is ready", || async {
            tokio::net::TcpStream::connect(address).await.ok()?;
            (wire::get(address, "/readyz").await.status == 200).then_some(())
        })
        .await;
        Self { address, child, _leash: leash, _files: files }
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A call of the modern era.
fn modern(tool: &str) -> Request<Bytes> {
    mcp::modern(json!(1), "tools/call", json!({ "name": tool, "arguments": {} }))
}

/// A call that reads a pod, and wants to hear of its progress.
fn reading(pod: &str) -> Request<Bytes> {
    let arguments = json!({ "word": "this call", "namespace": "x", "pod": pod });
    mcp::modern(json!(1), "tools/call", json!({ "name": "read", "arguments": arguments, "_meta": { "progressToken": 1 } }))
}

/// A call of the legacy era.
fn legacy(session: &str, tool: &str) -> Request<Bytes> {
    let params = json!({ "name": tool, "arguments": {} });
    let mut request = mcp::post(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }));
    mcp::set(&mut request, "mcp-session-id", session);
    mcp::set(&mut request, "mcp-protocol-version", LEGACY);
    request
}

async fn open_session(address: SocketAddr) -> String {
    let reply = wire::send(address, mcp::initialize(LEGACY)).await;
    reply.header("mcp-session-id").expect("a session").to_owned()
}

/// How fast a server answers.
struct Rate {
    /// Calls a second.
    calls: f64,
    /// Microseconds of processor time that the server takes for one, the kernel's share included. The load generator has its own,
    /// and on a busy machine this is the number that stays.
    cpu: f64,
}

impl Rate {
    /// Loads a server for one round.
    async fn of(process: u32, address: SocketAddr, request: &Raw) -> Self {
        let before = processor_time(process);
        let load = load(address, request, CONNECTIONS, ROUND).await;
        let used = processor_time(process).saturating_sub(before);
        Self { calls: load.per_second(), cpu: used.as_secs_f64() * 1e6 / load.calls() as f64 }
    }

    fn median<'a>(rounds: impl Iterator<Item = &'a Self> + Clone) -> Self {
        Self { calls: median_of(rounds.clone().map(|rate| rate.calls)), cpu: median_of(rounds.map(|rate| rate.cpu)) }
    }
}

/// Calls of a tool that does nothing, against the same in rmcp with a function for a tool.
pub(crate) async fn rates(table: &mut Table) {
    let (sandbar, native) = (Silent::start().await, Native::start());
    let session = open_session(sandbar.address).await;
    for (era, request) in [("modern", modern("nothing")), ("legacy", legacy(&session, "nothing"))] {
        let (ours, theirs) = (Raw::new(sandbar.address, &request), Raw::new(native.address(), &request));
        let mut rounds = Vec::new();
        // The first one warms up and does not count.
        for round in 0..=ROUNDS {
            let ours = Rate::of(sandbar.child.id(), sandbar.address, &ours).await;
            let theirs = Rate::of(native.process(), native.address(), &theirs).await;
            if round > 0 {
                rounds.push((ours, theirs));
            }
        }
        let ratio = median_of(rounds.iter().map(|(ours, theirs)| ours.calls / theirs.calls));
        let ours = Rate::median(rounds.iter().map(|round| &round.0));
        let theirs = Rate::median(rounds.iter().map(|round| &round.1));
        table.row(
            &format!("calls of a trivial tool a second, {era}, over rmcp with a native one"),
            format!("{ratio:.2}x ({:.0} / {:.0}; {:.0} / {:.0} us of CPU each)", ours.calls, theirs.calls, ours.cpu, theirs.cpu),
            "1.0x",
            ratio >= 1.0,
        );
    }
}

/// A small read from a real API server over many connections, against the same in rmcp with a function that makes the same request.
pub(crate) async fn reads(table: &mut Table) {
    /// Clients that call without a pause.
    const CLIENTS: usize = 32;
    let control_plane = ControlPlane::shared();
    let namespace = Namespace::fresh("bench").await;
    namespace.control_plane("coder", json!({ "phase": "Ready", "readyReplicas": 1, "url": "http://coder" })).await;
    let (name, value) = NO_RATE_LIMIT;
    let sandbar = Server::builder().of(control_plane, "admin").env(name, value).env("SANDBAR_LOG", "warn").start().await;
    let native = Native::reading(control_plane.kubeconfig());
    let arguments = json!({ "namespace": namespace.name(), "name": "coder" });
    let request = mcp::modern(json!(1), "tools/call", json!({ "name": "get_control_plane_status", "arguments": arguments }));
    let (ours, theirs) = (Raw::new(sandbar.address(), &request), Raw::new(native.address(), &request));
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let ours = load(sandbar.address(), &ours, CLIENTS, ROUND).await;
        let theirs = load(native.address(), &theirs, CLIENTS, ROUND).await;
        if round > 0 {
            rounds.push([ours, theirs]);
        }
    }
    let ratio = median_of(rounds.iter().map(|[ours, theirs]| ours.p99().as_secs_f64() / theirs.p99().as_secs_f64()));
    let p99 = |side: usize| ms(Duration::from_secs_f64(median_of(rounds.iter().map(|round| round[side].p99().as_secs_f64()))));
    let rate = |side: usize| median_of(rounds.iter().map(|round| round[side].per_second()));
    table.row(
        "p99 of get_control_plane_status at 32 connections, over rmcp with a native one",
        format!("{ratio:.2}x ({} / {}; {:.0} / {:.0} calls a second)", p99(0), p99(1), rate(0), rate(1)),
        "1.0x",
        ratio <= 1.0,
    );
}

/// Sessions that are open and idle.
pub(crate) async fn sessions(table: &mut Table) {
    let server = Silent::start().await;
    let process = server.child.id();
    // As many once before: what the allocator keeps for its own use, it has then.
    open_sessions(server.address).await;
    let rest = resident(process);
    open_sessions(server.address).await;
    let more = resident(process).saturating_sub(rest);
    let each = more / SESSIONS as u64;
    table.row("an idle legacy session, of 10,000", format!("{each} bytes ({} in all)", mb(more)), "100 bytes", each <= 100);
}

async fn open_sessions(address: SocketAddr) {
    let request = Raw::new(address, &mcp::initialize(LEGACY));
    let opening = (0..CONNECTIONS).map(|_| async {
        let mut connection = Connection::to(address).await;
        for _ in 0..SESSIONS / CONNECTIONS {
            let (head, _) = connection.exchange(&request).await;
            assert!(head.starts_with("HTTP/1.1 200") && head.contains("mcp-session-id: "), "{head}");
        }
    });
    join_all(opening).await;
}

/// Calls that wait for the cluster, and their streams.
pub(crate) async fn streams(table: &mut Table) {
    let gate = Gate::closed();
    let held = gate.clone();
    let api = FakeApi::start(move |path| {
        path.contains(SLOW)
            .then(|| FakeAnswer::Behind(held.clone(), Box::new(FakeAnswer::status(404, "NotFound", "there is no such pod"))))
    });
    let files = tempfile::tempdir().expect("a temporary directory");
    let kubeconfig = files.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    // By default half of the calls that run at once can be of one component, and too few of them wait.
    let config = format!(
        "tools:\n  - component: {}\n    rules:\n      - {{ apiGroups: [\"\"], resources: [pods], verbs: [get] }}\n    limits: {{ calls: {SLOTS} }}\n",
        components::build("echo").display()
    );
    let (name, value) = NO_RATE_LIMIT;
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").config(&config).env(name, value).start().await;
    let address = server.address();
    let (quick, slow) = (Raw::new(address, &reading("quick")), Raw::new(address, &reading("slow")));
    Connection::to(address).await.exchange(&quick).await;
    let rest = resident(server.id());

    let mut open = begin(address, &slow, RUNNING).await;
    until("all of them wait for the API server", || async { (api.in_flight() >= RUNNING).then_some(()) }).await;
    join_all(open.iter_mut().map(|stream| stream.until("notifications/progress"))).await;
    let running = resident(server.id()).saturating_sub(rest) / RUNNING as u64;
    table.row("a call that waits for the cluster, of 32", kb(running), "500 kB", running <= 500_000);

    // What waits for its turn has nothing to report: its head comes after 2 s all the same.
    let mut waiting = begin(address, &slow, STREAMS - RUNNING).await;
    join_all(waiting.iter_mut().map(|stream| stream.until("\r\n\r\n"))).await;
    open.extend(waiting);
    let each = resident(server.id()).saturating_sub(rest) / STREAMS as u64;
    gate.open();
    let answers = join_all(open.iter_mut().map(|stream| stream.until("\r\n0\r\n\r\n"))).await;
    let answered = answers.iter().filter(|answer| answer.contains(r#""word":"this call""#)).count();
    let measured = format!("{} ({answered} answered in the end)", kb(each));
    table.row("a call on its way, of 1,000", measured, "150 kB, all", each <= 150_000 && answered == STREAMS);
}

/// Sends a request over so many connections, each its own.
async fn begin(address: SocketAddr, request: &Raw, count: usize) -> Vec<Connection> {
    join_all((0..count).map(|_| async {
        let mut connection = Connection::to(address).await;
        connection.send(request).await;
        connection
    }))
    .await
}

/// Streams that wait for what the server may have to say by itself.
pub(crate) async fn listeners(table: &mut Table) {
    let server = Silent::start().await;
    let rest = resident(server.child.id());
    let mut sessions = Vec::new();
    for _ in 0..STREAMS {
        sessions.push(open_session(server.address).await);
    }
    let mut open = join_all(sessions.iter().map(|session| async move {
        let mut request = Request::get("/mcp").header("accept", "text/event-stream").body(Bytes::new()).expect("a request");
        mcp::set(&mut request, "mcp-session-id", session);
        mcp::set(&mut request, "mcp-protocol-version", LEGACY);
        let mut connection = Connection::to(server.address).await;
        connection.send(&Raw::new(server.address, &request)).await;
        connection
    }))
    .await;
    let heads = join_all(open.iter_mut().map(|stream| stream.until("\r\n\r\n"))).await;
    let accepted = heads.iter().filter(|head| head.starts_with("HTTP/1.1 200")).count();
    let each = resident(server.child.id()).saturating_sub(rest) / STREAMS as u64;
    let measured = format!("{} ({accepted} open)", kb(each));
    table.row("a session's idle GET stream, of 1,000", measured, "50 kB, all", each <= 50_000 && accepted == STREAMS);
}

/// Kilobytes (of a thousand bytes), for a cell.
fn kb(bytes: u64) -> String {
    format!("{:.1} kB", bytes as f64 / 1e3)
}
