//! Everything at once, for minutes: all tools, hostile components, work that takes long, connections that are dropped, and an API server
//! that goes and comes again. At the end nothing is missing: no memory, no file, no thread, no slot, and no answer was wrong. Run by `make soak`.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the answer")]
#![allow(clippy::print_stdout, reason = "what was measured is printed")]

mod callers;
mod census;
mod heavy;
mod weather;

use std::path::Path;
use std::time::{Duration, Instant};

use sandbar_sandbox::available_memory;
use sandbar_tests::components;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::process::Holdings;
use sandbar_tests::sandbar::Server;
use tokio::task::JoinSet;

use callers::{Honest, Tally, drop_connections, misbehave, one_of_each};
use census::MORE;
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

/// The sandbar.yaml: the hostile component with limits that are reached soon, the texts that take what they get, and the one whose
/// arguments take long to check, in this folder.
fn config(folder: &Path) -> String {
    let limits = "    limits: { time: 2s, cpu: 200ms, memory: 16Mi, result: 64Ki, requests: 8 }\n";
    // Nobody uses that much. A memory of more than 4 GiB does not exist.
    let largest = (available_memory() / SLOTS).min(3 << 30);
    let hostile = components::build("hostile");
    let mut config = format!(
        "tools:\n  - component: {}\n    rules:\n      - {{ apiGroups: [\"\"], resources: [pods], verbs: [get, list] }}\n      - {{ apiGroups: [\"\"], resources: [pods/log], verbs: [get] }}\n{limits}",
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
    let (folder, bombs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::builder().of(&control_plane, "admin").config(&config(folder.path()));
    let server = server.arg("--tools").arg(bombs.path()).start().await;

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
    let server = std::sync::Arc::new(server);
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
    let outages = weather::change_until(end, control_plane, weather.clone(), server.clone(), tally.clone());
    let control_plane = outages.await;
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }

    honest.all_answer_as_before(&server).await;
    one_of_each(&server).await;
    let after = before.until_as_before(server.id(), &MORE, "everything").await;
    println!("{tally}");
    println!("before: {before}\nafter:  {after}");
    tally.check(Duration::from_secs(60 * minutes));
    drop(control_plane);
}
