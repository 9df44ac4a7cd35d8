//! What it costs to watch a server: the audit trail, metrics and traces. All of it is processor time of the server, in one run: the times of
//! equal calls differ by more than a line of the log takes.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http::header::ACCEPT_ENCODING;
use sandbar_tests::collector::Collector;
use sandbar_tests::http as wire;
use sandbar_tests::mcp::{self, Client};
use sandbar_tests::process::computed;
use sandbar_tests::sandbar::{Builder, Server};
use serde_json::json;

use crate::load::{Connection, NO_RATE_LIMIT, Raw};
use crate::table::{Table, median, ms, us};

/// Calls of each server in each of the rounds. Processor time is told in hundredths of a second, so it takes many of them.
const CALLS: u32 = 1_000;
const ROUNDS: u32 = 24;

/// Tools that are served where metrics are read, and how often they are.
const TOOLS: usize = 50;
const SCRAPES: usize = 50;

const WATCHED: Duration = Duration::from_micros(3);
const TRACED: Duration = Duration::from_micros(20);
const SCRAPE: Duration = Duration::from_millis(5);
const SCRAPE_BYTES: usize = 200_000;

/// A server, and what calls it.
struct Side {
    server: Server,
    connection: Connection,
    call: Raw,
    used: Duration,
}

impl Side {
    async fn of(builder: Builder) -> Self {
        let server = builder.cluster("demo").env(NO_RATE_LIMIT.0, NO_RATE_LIMIT.1).start().await;
        let call = mcp::modern(
            json!(1),
            "tools/call",
            json!({ "name": "get_events", "arguments": { "namespace": "team-a", "limit": 1 } }),
        );
        let (connection, call) = (Connection::to(server.address()).await, Raw::new(server.address(), &call));
        Self { server, connection, call, used: Duration::ZERO }
    }

    async fn calls(&mut self) {
        let before = computed(self.server.id());
        for _ in 0..CALLS {
            assert!(self.connection.exchange(&self.call).await.0.starts_with("HTTP/1.1 200"));
        }
        self.used += computed(self.server.id()) - before;
    }
}

/// A call that is counted and in the audit trail, and one that is traced, over one that is neither.
pub(crate) async fn calls(table: &mut Table) {
    let collector = Collector::start().await;
    let metered = |builder: Builder| builder.arg("--metrics-listen").arg("127.0.0.1:0");
    let traces = format!("traces: {{ endpoint: \"{}\" }}\n", collector.endpoint());
    let unwatched = Side::of(Server::builder().env("SANDBAR_LOG", "error")).await;
    let watched = Side::of(metered(Server::builder())).await;
    let traced = Side::of(metered(Server::builder().config(&traces))).await;
    let mut sides = [unwatched, watched, traced];
    // The first round warms up and does not count.
    for round in 0..=ROUNDS {
        for side in &mut sides {
            side.calls().await;
            if round == 0 {
                side.used = Duration::ZERO;
            }
        }
    }
    let [unwatched, watched, traced] = sides.map(|side| side.used / (ROUNDS * CALLS));
    let over = |more: Duration, less: Duration| (more.saturating_sub(less), format!("({} / {})", us(more), us(less)));
    let (more, both) = over(watched, unwatched);
    let what = "metrics and the audit trail, processor time of a call over one without";
    table.row(what, format!("{} more {both}", us(more)), "3 us more", more <= WATCHED);
    let (more, both) = over(traced, watched);
    let what = "tracing, processor time of a call over one that is not traced";
    table.row(what, format!("{} more {both}", us(more)), "20 us more", more <= TRACED);
}

/// A read of all metrics where there are many tools, each of which has answered and has failed.
pub(crate) async fn scrape(table: &mut Table) {
    let files = tempfile::tempdir().expect("a folder");
    let names: Vec<String> = (0..TOOLS).map(|number| format!("a_tool_of_the_team_{number}")).collect();
    for name in &names {
        let manifest =
            json!({ "tools": [{ "name": name, "description": "A measurement.", "inputSchema": { "type": "object" } }] });
        let mut script = format!("export const manifest = {manifest};\n");
        let _ = writeln!(script, "export function {name}({{ fail }}) {{ if (fail) throw new Error(\"no\"); return {{}}; }}");
        std::fs::write(files.path().join(format!("{name}.js")), script).expect("written");
    }
    let builder = Server::builder().cluster("demo").config("bundled: { packs: [] }\n").arg("--tools").arg(files.path());
    let server = builder.env(NO_RATE_LIMIT.0, NO_RATE_LIMIT.1).arg("--metrics-listen").arg("127.0.0.1:0").start().await;
    let client = Client::modern(&server);
    for name in &names {
        client.answer(name, json!({})).await;
        client.failure(name, json!({ "fail": true })).await;
    }
    let log = server.log();
    let (_, rest) = log.split_once("metrics are at http://").expect("the log says where the metrics are");
    let port = rest.split('/').next().and_then(|address| address.parse().ok()).expect("an address");
    // As Prometheus asks, and as curl does.
    for (what, encoding) in [("gzip", "gzip"), ("plain", "identity")] {
        let (mut times, mut bytes) = (Vec::new(), 0);
        for _ in 0..SCRAPES {
            let request = Request::get("/metrics").header(ACCEPT_ENCODING, encoding).body(Bytes::new()).expect("a request");
            let began = Instant::now();
            bytes = wire::send(port, request).await.bytes().await.len();
            times.push(began.elapsed());
        }
        let time = median(times);
        let what = format!("/metrics with 50 tools, {what}: time, bytes");
        let holds = time <= SCRAPE && bytes <= SCRAPE_BYTES;
        table.row(&what, format!("{}, {} KB", ms(time), bytes / 1000), "5 ms, 200 KB", holds);
    }
}
