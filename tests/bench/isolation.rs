//! What one component can do to the others, and what it costs that it can do no more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use sandbar_catalog::{Answer, Answered, Arrival, Asked, Catalog, Progress, Source};
use sandbar_config::Config;
use sandbar_policy::{Caller, Identity, Limits};
use sandbar_tests::mcp;
use sandbar_tests::sandbar::Server;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::bare::Bare;
use crate::calls::{call, load};
use crate::guests::{self, Does};
use crate::load::{Connection, NO_RATE_LIMIT, Raw};
use crate::table::{Table, in_turn, median, ms, p99, us};

/// Calls on each side.
const ROUNDS: usize = 2000;

/// Guests that compute for ever, all of one component.
const SPINNING: usize = 8;

/// Runs of a guest that is stopped.
const STOPS: usize = 25;

/// What a guest is stopped at: more than it takes to start it, little enough for many runs.
const LIMIT: Duration = Duration::from_millis(200);

/// The limit that is not the one in question.
const FAR: Duration = Duration::from_secs(20);

/// A guest that spins only now and then does it for so long, and then makes so many calls that take no time: what makes a host forget.
const SPELL: Duration = Duration::from_millis(20);
const BRIEF_CALLS: usize = 10;

/// How often the neighbours of busy guests are timed, and the calls of each time.
const TURNS: usize = 5;
const CALLS: usize = 400;

/// How late a guest may be stopped.
const LATE: Duration = Duration::from_millis(15);

/// A p99 that nobody minds, whatever it was before.
const UNNOTICED: Duration = Duration::from_millis(5);

/// A call with everything around it, against the same component called by a program that trusts it.
///
/// The difference is: the wait for a slot, the limiter, the fuel
/// for what it hands over, the epochs that interrupt it and the clock that measures it, the deadline, the check of the arguments and of
/// the result against their schemas, the parsing and cleaning of the result, its form as text, and the event for the audit trail, in
/// JSON lines as in a cluster, but written nowhere.
pub(crate) async fn guards(table: &mut Table) {
    // Calls as short as these are made in the task that asks for them, so on this thread.
    let log = tracing_subscriber::fmt().json().with_max_level(tracing::Level::INFO).with_writer(std::io::sink).finish();
    let _logging = tracing::subscriber::set_default(log);
    let cases =
        [("nothing", "a call that does nothing", guests::nothing()), ("typical", "a call with a result of 1 kB", typical())];
    for (tool, what, component) in cases {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = guests::write(directory.path(), tool, &component);
        let (catalog, _) = load(vec![Source::File(file)], Config::default()).await;
        let bare = Bare::new(&component).expect("it is a component");
        let arguments = Map::new();
        let through = || call(&catalog, tool, &arguments);
        let alone = async || drop(bare.call(tool, "{}").await.expect("it answers"));
        let (through, alone) = in_turn(ROUNDS, through, alone).await;
        let more = through.saturating_sub(alone);
        table.row(
            &format!("all guards together, {what}"),
            format!("{} more ({} / {})", us(more), us(through), us(alone)),
            "20 us more",
            more <= Duration::from_micros(20),
        );
    }
}

/// A tool with a result as bundled ones have it: 1 kB of short fields, and a schema for them.
fn typical() -> Vec<u8> {
    let item = json!({ "name": "web-0", "namespace": "team-a", "phase": "Running", "restarts": 3 });
    let items: Vec<_> = std::iter::repeat_n(item, 14).collect();
    let schema = json!({
        "type": "object",
        "required": ["items"],
        "properties": { "items": { "type": "array", "items": {
            "type": "object",
            "required": ["name"],
            "properties": { "name": { "type": "string" }, "restarts": { "type": "integer" } },
        } } },
    });
    let answer = json!({ "structuredContent": { "items": items } }).to_string();
    guests::component("typical", &format!(",\"outputSchema\":{schema}"), Does::Answers(&answer))
}

/// How long after its limit a guest that computes for ever is stopped.
pub(crate) async fn overruns(table: &mut Table) {
    let by_time = Limits { time: LIMIT, cpu: FAR, ..Limits::default() };
    let by_cpu = Limits { time: FAR, cpu: LIMIT, ..Limits::default() };
    for (limit, limits, at_once) in [("time", by_time.clone(), 1), ("cpu", by_cpu, 1), ("time", by_time, SPINNING)] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = guests::write(directory.path(), "spin", &guests::spin());
        let (catalog, _) = load(vec![Source::File(file)], Config { limits, ..Config::default() }).await;
        let mut late = Vec::new();
        for _ in 0..STOPS.div_ceil(at_once) {
            late.extend(join_all((0..at_once).map(|_| overrun(&catalog, limit))).await);
        }
        let worst = late.iter().max().copied().unwrap_or_default();
        let measured = format!("{} ({} at worst)", ms(median(late)), ms(worst));
        let what = match at_once {
            1 => format!("a spinning guest is stopped, after its limit of {limit}"),
            _ => format!("{at_once} spinning guests are stopped, after their limit of {limit}"),
        };
        table.row(&what, measured, "15 ms", worst <= LATE);
    }
}

async fn overrun(catalog: &Catalog, limit: &str) -> Duration {
    let began = Instant::now();
    let answer = spin(catalog).await;
    let late = began.elapsed().saturating_sub(LIMIT);
    let words = &answer.content[0].as_text().expect("words").text;
    assert!(answer.is_error && words.contains(&format!("limit `{limit}`")), "{words}");
    late
}

async fn spin(catalog: &Catalog) -> Answer {
    ask(catalog, json!({ "for": "ever" })).await
}

/// Calls the component that spins.
async fn ask(catalog: &Catalog, arguments: Value) -> Answer {
    let Value::Object(arguments) = arguments else { unreachable!("an object") };
    let caller = Caller::new(Identity::Operator);
    let asked = Asked::Tool { name: "spin".to_owned(), arguments: arguments.into() };
    let answered =
        catalog.call(&caller, Arrival::default(), asked, watch::Sender::<Progress>::default(), |answered| answered).await.0;
    let Answered::Tool(answer) = answered.expect("a call") else { unreachable!("of a tool") };
    answer
}

/// What the greedy component does, and what the table calls it.
const GREEDY: [(&str, Does<'static>); 3] = [
    ("spinning guests", Does::Spins),
    ("guests that fill their memory", Does::Fills),
    ("guests that spin now and then", Does::SpinsForArguments),
];

/// Other tools beside guests that take what they can get, inside this process.
pub(crate) async fn neighbours(table: &mut Table) {
    for (greedy, does) in GREEDY {
        beside(table, greedy, does).await;
    }
}

async fn beside(table: &mut Table, greedy: &str, does: Does<'static>) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut sources: Vec<Source> = Source::bundled().collect();
    sources.push(Source::File(guests::write(directory.path(), "spin", &guests::component("spin", "", does))));
    sources.push(Source::File(guests::write(directory.path(), "nothing", &guests::nothing())));
    let catalog = Arc::new(load(sources, Config::default()).await.0);
    let status = json!({ "namespace": "team-a", "name": "coder" });
    let status = status.as_object().cloned().expect("an object");
    for (tool, arguments) in [("nothing", Map::new()), ("get_control_plane_status", status)] {
        let (mut idle, mut busy) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            idle.extend(time_calls(&catalog, tool, &arguments).await);
            let spinning = Spinning::start(|going_on| {
                let catalog = catalog.clone();
                async move {
                    while going_on.load(Ordering::Relaxed) {
                        if does == Does::SpinsForArguments {
                            let _ = tokio::time::timeout(SPELL, spin(&catalog)).await;
                            for _ in 0..BRIEF_CALLS {
                                ask(&catalog, json!({})).await;
                            }
                        } else {
                            spin_until_told(&catalog, &going_on).await;
                        }
                    }
                }
            });
            busy.extend(time_calls(&catalog, tool, &arguments).await);
            spinning.stop().await;
        }
        neighbour_row(table, &format!("p99 of {tool} beside {SPINNING} {greedy}"), idle, busy);
    }
}

/// A call that spins, given up when nobody wants it any more.
async fn spin_until_told(catalog: &Catalog, going_on: &AtomicBool) {
    let told = async {
        while going_on.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        _ = spin(catalog) => {}
        () = told => {}
    }
}

async fn time_calls(catalog: &Catalog, tool: &str, arguments: &Map<String, Value>) -> Vec<Duration> {
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        call(catalog, tool, arguments).await;
        times.push(began.elapsed());
    }
    times
}

/// The same through the whole server.
pub(crate) async fn neighbours_over_http(table: &mut Table) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    guests::write(directory.path(), "spin", &guests::spin());
    guests::write(directory.path(), "nothing", &guests::nothing());
    let (name, value) = NO_RATE_LIMIT;
    let server = Server::builder().cluster("demo").arg("--tools").arg(directory.path()).env(name, value).start().await;
    let address = server.address();
    let request = |tool: &str| Raw::new(address, &mcp::modern(json!(1), "tools/call", json!({ "name": tool, "arguments": {} })));
    let (nothing, spin) = (request("nothing"), request("spin"));
    let (mut idle, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        idle.extend(time_exchanges(address, &nothing).await);
        let spinning = Spinning::start(|going_on| {
            let spin = spin.clone();
            async move {
                while going_on.load(Ordering::Relaxed) {
                    // Whoever closes the connection cancels the call.
                    let mut connection = Connection::to(address).await;
                    connection.send(&spin).await;
                    let told = async {
                        while going_on.load(Ordering::Relaxed) {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    };
                    tokio::select! {
                        _ = connection.until("limit `") => {}
                        () = told => {}
                    }
                }
            }
        });
        busy.extend(time_exchanges(address, &nothing).await);
        spinning.stop().await;
    }
    neighbour_row(table, &format!("p99 of nothing over HTTP beside {SPINNING} spinning guests"), idle, busy);
}

async fn time_exchanges(address: SocketAddr, request: &Raw) -> Vec<Duration> {
    let mut connection = Connection::to(address).await;
    let mut times = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let began = Instant::now();
        let (head, _) = connection.exchange(request).await;
        times.push(began.elapsed());
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
    times
}

fn neighbour_row(table: &mut Table, what: &str, idle: Vec<Duration>, busy: Vec<Duration>) {
    let (idle, busy) = (p99(idle), p99(busy));
    let measured = format!("{} ({} on an idle host)", ms(busy), ms(idle));
    table.row(what, measured, "2x or 5 ms", busy <= (idle * 2).max(UNNOTICED));
}

/// Tasks that keep guests spinning.
struct Spinning {
    going_on: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Spinning {
    fn start<F: Future<Output = ()> + Send + 'static>(task: impl Fn(Arc<AtomicBool>) -> F) -> Self {
        let going_on = Arc::new(AtomicBool::new(true));
        let mut tasks = JoinSet::new();
        for _ in 0..SPINNING {
            tasks.spawn(task(going_on.clone()));
        }
        Self { going_on, tasks }
    }

    /// Ends them all, and waits for it.
    async fn stop(self) {
        self.going_on.store(false, Ordering::Relaxed);
        self.tasks.join_all().await;
    }
}
