//! Everything at once, for minutes or for hours: all tools, hostile components, work that takes long, connections that are dropped, an API
//! server, a registry and a collector that go and come again, and an operator who changes the configuration, certificates and the key of
//! sessions. At the end nothing is missing: no memory, no file, no thread, no slot, and no answer was wrong; and nothing has grown in
//! between, the series of metrics included. Run by `make soak`.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the answer")]
#![allow(clippy::print_stdout, reason = "what was measured is printed")]

mod callers;
mod census;
mod heavy;
mod neighbours;
mod operator;
mod scrape;
mod secured;
mod weather;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbar_sandbox::available_memory;
use sandbar_tests::PATIENCE;
use sandbar_tests::collector::Collector;
use sandbar_tests::components;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::process::Holdings;
use sandbar_tests::registry::Registry;
use sandbar_tests::sandbar::Server;
use tokio::task::JoinSet;

use callers::{Honest, Tally, drop_connections, misbehave, one_of_each};
use census::{Looks, MORE, look_until};
use neighbours::{CollectorOfTraces, ComponentsOfRegistry, come_and_go_until};
use operator::{Configuration, Keys, configure};
use scrape::Scrape;
use secured::Secured;
use weather::Weather;

/// Minutes, where `SOAK_MINUTES` does not say.
const MINUTES: u64 = 3;

/// Callers of each kind at a time. More only wait for each other on two processors.
const HONEST: usize = 3;
const HOSTILE: usize = 2;
const DROPPING: usize = 2;
const HEAVY: usize = 2;

/// Calls that may run at once, more or less: more than there are callers, and fewer than the faults of any one kind, so that a fault
/// that keeps its slot stops everything. A server has as many slots as the largest call's memory leaves room for.
const SLOTS: u64 = 12;

/// Waits for a condition that nothing announces, and does not look so often that it takes time from what it waits for.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_late| panic!("waited in vain: {what}"));
}

/// The entries of `tools`: the hostile component with limits that are reached soon, the texts that take what they get, and the one whose
/// arguments take long to check, in this folder.
fn tools(folder: &Path) -> String {
    let limits = "    limits: { time: 2s, cpu: 200ms, memory: 16Mi, result: 64Ki, requests: 8 }\n";
    // Nobody uses that much. A memory of more than 4 GiB does not exist.
    let largest = (available_memory() / SLOTS).min(3 << 30);
    let hostile = components::build("hostile");
    let mut config = format!(
        "  - component: {}\n    rules:\n      - {{ apiGroups: [\"\"], resources: [pods], verbs: [get, list] }}\n      - {{ apiGroups: [\"\"], resources: [pods/log], verbs: [get] }}\n{limits}",
        hostile.display()
    );
    for text in callers::TEXTS {
        let limits = if text == "sleep" { limits.replace("16Mi", &largest.to_string()) } else { limits.to_owned() };
        config += &format!("  - component: {}\n{limits}", components::assemble(text).display());
    }
    config + &format!("  - component: {}\n", heavy::checked(folder).display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it takes minutes: make soak"]
async fn nothing_leaks_hangs_or_lies() {
    let minutes = std::env::var("SOAK_MINUTES").ok().and_then(|minutes| minutes.parse().ok()).unwrap_or(MINUTES);
    let control_plane = ControlPlane::start(&[]);
    let honest = Honest::furnish(&control_plane).await;
    let (folder, bombs, keyed, secured) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (registry, collector, keys) = (Registry::start(&[]).await, Collector::start().await, Keys::in_folder(keyed.path()));
    let settings = format!("{}traces: {{ endpoint: \"{}\" }}\n", registry.settings(), collector.endpoint());
    let configuration = Arc::new(Configuration::new(settings, tools(folder.path())));
    let server = Server::builder().of(&control_plane, "admin").config(&configuration.text());
    let server = server.arg("--metrics-listen").arg("127.0.0.1:0").arg("--session-key-file").arg(keys.file());
    let server = server.arg("--tools").arg(bombs.path()).start().await;
    let secured = Secured::start(secured.path()).await;
    let (port, secured_port) = (Scrape::port(&server), Scrape::port(&secured.server));

    // Whatever is made once is made now.
    honest.all_answer(&server).await;
    one_of_each(&server).await;
    heavy::one_of_each(&server, honest.namespace()).await;
    let honest = honest.remember(&server).await;
    let before = Holdings::of(server.id());

    let tally = Tally::default();
    let weather = Weather::fair();
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut callers = JoinSet::new();
    let server = Arc::new(server);
    let mut looks: JoinSet<Looks> = JoinSet::new();
    looks.spawn(look_until(end, "the server", server.clone(), port));
    looks.spawn(look_until(end, "the server with TLS", secured.server.clone(), secured_port));
    callers.spawn(configure(end, server.clone(), port, configuration.clone(), tally.clone()));
    callers.spawn(keys.change_until(end, tally.clone()));
    callers.spawn(secured.clone().call_until(end, tally.clone()));
    callers.spawn(secured.renew_until(end, tally.clone()));
    let registry = ComponentsOfRegistry::new(&server, port, &configuration, registry);
    callers.spawn(come_and_go_until(end, registry, tally.clone()));
    callers.spawn(come_and_go_until(end, CollectorOfTraces::new(&server, collector), tally.clone()));
    for number in 0..HONEST {
        callers.spawn(honest.clone().call_until(end, number, server.clone(), weather.clone(), tally.clone()));
    }
    for number in 0..HOSTILE {
        callers.spawn(misbehave(end, number, server.clone(), tally.clone()));
    }
    for number in 0..DROPPING {
        callers.spawn(drop_connections(end, number, server.clone(), honest.namespace().to_owned(), tally.clone()));
    }
    for number in 0..HEAVY {
        let namespace = honest.namespace().to_owned();
        callers.spawn(heavy::work_hard(end, number, server.clone(), namespace, weather.clone(), tally.clone()));
    }
    callers.spawn(heavy::drop_bombs(end, server.clone(), bombs, tally.clone()));
    let outages = weather::change_until(end, control_plane, weather.clone(), server.clone(), honest.clone(), tally.clone());
    let control_plane = outages.await;
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }

    // Without the registry's component, as in the beginning.
    configuration.component(&server, String::new());
    honest.all_answer_as_before(&server).await;
    one_of_each(&server).await;
    let after = before.until_as_before(server.id(), &MORE, "everything").await;
    println!("{tally}");
    println!("before: {before}\nafter:  {after}");
    let looks = looks.join_all().await;
    looks.iter().for_each(|looks| println!("{looks}"));
    tally.check(Duration::from_secs(60 * minutes));
    looks.iter().for_each(Looks::check);
    let scrape = Scrape::of(&server, port).await;
    assert!(!scrape.tells(honest.namespace()), "a namespace is in the metrics");
    drop(control_plane);
}
