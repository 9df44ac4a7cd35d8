//! Replicas die, come back and are rolled, and the API server goes away and comes back, while a hundred clients of both eras call
//! without pause: only what is in flight on a killed replica is lost, nobody gets the answer of somebody else, and nobody starts over.
//!
//! `SANDBAR_SURVIVAL_ROUNDS` is how often all of that happens; without it, once.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the answer")]

mod caller;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use futures::future::join_all;
use sandbar_tests::clients::{Era, Outcome, RealClient};
use sandbar_tests::components;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::proxy::Proxy;
use sandbar_tests::replicas::{Death, Replicas};
use sandbar_tests::sandbar::Server;
use sandbar_tests::until;
use serde_json::json;
use tokio::task::{JoinSet, block_in_place};

use caller::{Caller, Common, How, Lost, Unavailable, control_plane};

/// Replicas behind the proxy.
const REPLICAS: usize = 3;

/// Clients, half of them of each era.
const CLIENTS: usize = 100;

/// Of these, so many of each era make calls that come as a stream. Each keeps a processor busy.
const LONG_CALLERS: usize = 1;

/// Objects that are asked for by name.
const CONTROL_PLANES: usize = 20;

/// Calls of each real client in a rollout.
const REAL_CALLS: usize = 40;

/// Calls that have to see an outage of the API server before it ends.
const SEEN_OUTAGES: usize = 50;

/// Calls that have to be answered before anything else is broken.
const SOME_CALLS: usize = 300;

/// An outage of the API server.
#[derive(Debug)]
struct Outage {
    began: Instant,
    over: Instant,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_in_flight_on_a_killed_replica_is_lost() {
    let mut control_plane = ControlPlane::start(&[]);
    let namespace = filled(&control_plane).await;
    let template = {
        let config = config();
        let kubeconfig = control_plane.kubeconfig().to_owned();
        move || {
            let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig:admin").config(&config);
            let server = server.env("SANDBAR_SESSION_KEY", "one key for all replicas");
            // A hundred clients of one address are more than a model's user would be.
            server.env("SANDBAR_CALLS_PER_SECOND", "100000")
        }
    };
    let mut replicas = Replicas::start(REPLICAS, template).await;
    let proxy = Proxy::start(&replicas.addresses()).await;
    for replica in 0..REPLICAS {
        proxy.until_ready(replica).await;
    }

    let common = Arc::new(Common {
        proxy: proxy.address(),
        going_on: AtomicBool::new(true),
        namespace: namespace.name().to_owned(),
        control_planes: CONTROL_PLANES,
        answered: AtomicUsize::new(0),
        streamed: AtomicUsize::new(0),
        lost: Vec::new().into(),
        unavailable: Vec::new().into(),
    });
    let mut clients = start_clients(&common).await;
    let mut outages = Vec::new();
    for _ in 0..rounds() {
        some_calls(&common).await;
        kill_one(&mut replicas, &proxy, &common).await;
        kill_two(&mut replicas, &proxy, &common).await;
        roll(&mut replicas, &proxy).await;
        outages.push(outage(&mut control_plane, &mut replicas, &proxy, &common).await);
        some_calls(&common).await;
    }
    common.going_on.store(false, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }

    let lost = common.lost.lock().unwrap();
    for lost in lost.iter() {
        assert!(replicas.deaths().iter().any(|death| is_victim(lost, death)), "{lost:?}\n{:?}", replicas.deaths());
    }
    let unavailable = common.unavailable.lock().unwrap();
    for call in unavailable.iter() {
        assert!(outages.iter().any(|outage| met(call, outage)), "{call:?}\n{outages:?}");
    }
    assert!(common.streamed.load(Ordering::Relaxed) > 0, "no call came as a stream");
    let count = |how| lost.iter().filter(|lost| lost.how == how).count();
    report(&format!(
        "{} calls of {CLIENTS} clients were answered, {} of them as streams; {} SIGKILLs lost {} in flight and {} streams, and {} calls \
         got a 502 because nobody listened; {} met an outage of the API server",
        common.answered.load(Ordering::Relaxed),
        common.streamed.load(Ordering::Relaxed),
        replicas.deaths().len(),
        count(How::Unanswered),
        count(How::Cut),
        count(How::Undelivered),
        unavailable.len(),
    ));
}

/// Whether a call was lost to a death: it was in flight on that replica, or sent there while the proxy had yet to find out. The
/// second kind reached no server; a gateway that tries the next replica instead of answering 502 has none of it.
fn is_victim(lost: &Lost, death: &Death) -> bool {
    lost.replica == death.replica
        && lost.ended >= death.began
        && match lost.how {
            How::Cut | How::Unanswered => lost.asked <= death.gone,
            How::Undelivered => death.back.is_none_or(|back| lost.asked <= back),
        }
}

/// Whether a call ran into an outage.
fn met(call: &Unavailable, outage: &Outage) -> bool {
    call.ended >= outage.began && call.asked <= outage.over
}

fn rounds() -> usize {
    std::env::var("SANDBAR_SURVIVAL_ROUNDS").map_or(1, |rounds| rounds.parse().expect("SANDBAR_SURVIVAL_ROUNDS is a number"))
}

#[allow(clippy::print_stderr, reason = "what a long run found, for whoever started it")]
fn report(line: &str) {
    eprintln!("{line}");
}

/// A namespace with what the clients ask for.
async fn filled(cluster: &ControlPlane) -> Namespace {
    let namespace = Namespace::fresh_in(cluster, "survival").await;
    join_all((0..CONTROL_PLANES).map(|number| {
        let (namespace, name) = (namespace.clone(), control_plane(number));
        async move { namespace.control_plane(&name, json!({ "phase": "Ready", "url": format!("http://{name}") })).await }
    }))
    .await;
    namespace.pod("web", &["app"]).await;
    namespace
}

/// A sandbar.yaml with the component whose answers name their calls.
fn config() -> String {
    format!(
        "tools:\n  - component: {}\n    rules:\n      - {{ apiGroups: [\"\"], resources: [pods], verbs: [get] }}\n",
        components::build("echo").display()
    )
}

async fn start_clients(common: &Arc<Common>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let caller = match number % 2 {
            0 => Caller::modern(common, number),
            _ => Caller::legacy(common, number).await,
        };
        if number / 2 < LONG_CALLERS {
            clients.spawn(caller.run_long());
        } else {
            clients.spawn(caller.run());
        }
    }
    clients
}

/// Waits until many calls more were answered.
async fn some_calls(common: &Common) {
    let before = common.answered.load(Ordering::Relaxed);
    let enough = || async { (common.answered.load(Ordering::Relaxed) >= before + SOME_CALLS).then_some(()) };
    until("more calls are answered", enough).await;
}

/// SIGKILL for a replica that has just begun a stream, and many other calls beside it.
async fn kill_one(replicas: &mut Replicas, proxy: &Proxy, common: &Common) {
    let cut = || common.lost.lock().unwrap().iter().filter(|lost| lost.how == How::Cut).count();
    let before = cut();
    proxy.next_stream(0).await;
    replicas.kill(0).await;
    until("the stream breaks off", || async { (cut() > before).then_some(()) }).await;
    some_calls(common).await;
    replicas.start_again(0).await;
    proxy.until_ready(0).await;
}

/// SIGKILL for two at once: one is left.
async fn kill_two(replicas: &mut Replicas, proxy: &Proxy, common: &Common) {
    replicas.kill(1).await;
    replicas.kill(2).await;
    some_calls(common).await;
    for replica in [1, 2] {
        replicas.start_again(replica).await;
        proxy.until_ready(replica).await;
    }
}

/// A rollout: each replica after the other. Real clients call meanwhile, too, and nobody loses anything.
async fn roll(replicas: &mut Replicas, proxy: &Proxy) {
    let url = format!("http://{}/mcp", proxy.address());
    let real_clients =
        [(RealClient::Python, Era::Legacy), (RealClient::Python, Era::Modern), (RealClient::TypeScriptV1, Era::Legacy)].map(
            |(client, era)| {
                let url = url.clone();
                tokio::spawn(async move {
                    let (_, mut connected) = client.connect(&url, era).await.unwrap();
                    for number in 0..REAL_CALLS {
                        let asked = json!({ "word": format!("{client:?} {era:?} call {number}") });
                        match connected.call("echo", asked.clone()).await {
                            Outcome::Result { structured, .. } => assert_eq!(structured["word"], asked["word"]),
                            Outcome::Failure { failed } => panic!("{client:?} {era:?}, call {number}: {failed}"),
                        }
                    }
                })
            },
        );
    for replica in 0..REPLICAS {
        replicas.roll(replica).await;
        proxy.until_ready(replica).await;
    }
    for client in real_clients {
        client.await.unwrap();
    }
}

/// The API server goes away, a replica dies meanwhile, and the API server comes back.
async fn outage(control_plane: &mut ControlPlane, replicas: &mut Replicas, proxy: &Proxy, common: &Common) -> Outage {
    let seen = || common.unavailable.lock().unwrap().len();
    let before = seen();
    let began = Instant::now();
    block_in_place(|| control_plane.stop());
    until("calls meet the outage", || async { (seen() >= before + SEEN_OUTAGES).then_some(()) }).await;
    replicas.kill(2).await;
    some_calls(common).await;
    block_in_place(|| control_plane.start_again());
    let over = Instant::now();
    replicas.start_again(2).await;
    proxy.until_ready(2).await;
    Outage { began, over }
}
