//! The key of sessions, changed while three replicas serve: the new one beside the old, then before it, then alone. No call is lost,
//! whichever replica has begun the session and whichever serves it, and whichever of them has heard of the change.

use std::sync::{Arc, Mutex};

use sandbar_tests::proxy::Proxy;
use sandbar_tests::replicas::Replicas;
use sandbar_tests::{in_time, until};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::*;

const REPLICAS: usize = 3;

const OLD: &str = "the key that is there first";
const NEW: &str = "the key that is there at last";

/// The keys, step by step.
fn steps() -> [String; 4] {
    [format!("{OLD}\n"), format!("{OLD}\n{NEW}\n"), format!("{NEW}\n{OLD}\n"), format!("{NEW}\n")]
}

/// A client of the older era that calls all the while, by whichever replica the proxy chooses, and begins another session where its own is
/// unknown, as clients do.
struct Caller {
    progress: watch::Receiver<Progress>,
    _calling: AbortOnDropHandle<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    answered: usize,
    /// Sessions that were unknown.
    unknown: usize,
}

impl Caller {
    async fn start(proxy: &Proxy) -> Self {
        let address = proxy.address();
        let mut client = Client::legacy_at(address, LEGACY).await;
        let (told, progress) = watch::channel(Progress::default());
        let calling = async move {
            loop {
                let reply = client.send("tools/call", json!({ "name": "check_health", "arguments": {} })).await;
                match reply.status.as_u16() {
                    404 => {
                        told.send_modify(|progress| progress.unknown += 1);
                        client = Client::legacy_at(address, LEGACY).await;
                    }
                    status => {
                        let message = reply.message().await.unwrap_or_default();
                        assert!(status == 200 && message["result"]["structuredContent"]["status"] == "ok", "{status}: {message}");
                        told.send_modify(|progress| progress.answered += 1);
                    }
                }
            }
        };
        Self { progress, _calling: AbortOnDropHandle::new(tokio::spawn(calling)) }
    }

    /// Waits until each replica has answered it again, and says how many sessions were unknown so far. Fails where a call has.
    async fn goes_on(&mut self) -> usize {
        let enough = self.progress.borrow().answered + 2 * REPLICAS;
        let progress = in_time("calls go on", self.progress.wait_for(|progress| progress.answered >= enough)).await;
        progress.expect("each call is answered").unknown
    }
}

/// Each session is known at each address; `sessions` gets those that each address begins now.
async fn all_are_known(addresses: &[SocketAddr], sessions: &mut Vec<String>) {
    for address in addresses {
        sessions.push(Client::legacy_at(*address, LEGACY).await.session().to_owned());
    }
    for address in addresses {
        for session in sessions.iter() {
            let client = Client::resume_at(*address, LEGACY, session);
            assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
        }
    }
}

/// Changes the key at one replica after the other: `give` has a replica know the keys of a step.
async fn change(addresses: &[SocketAddr], mut give: impl AsyncFnMut(&Proxy, usize, usize, &str)) {
    let proxy = Proxy::start(addresses).await;
    for replica in 0..REPLICAS {
        proxy.until_ready(replica).await;
    }
    let mut caller = Caller::start(&proxy).await;
    let mut sessions = Vec::new();
    for (step, keys) in steps().iter().enumerate().skip(1) {
        all_are_known(addresses, &mut sessions).await;
        if keys.trim() == NEW {
            // Those of the old key end with it. By now each session that begins has the new one.
            sessions.clear();
            all_are_known(addresses, &mut sessions).await;
            assert_eq!(caller.goes_on().await, 0, "a session was lost although its key was there");
        }
        for replica in 0..REPLICAS {
            give(&proxy, step, replica, keys).await;
            caller.goes_on().await;
            all_are_known(addresses, &mut sessions).await;
        }
    }
    assert_eq!(caller.goes_on().await, 1, "whose key is gone begins anew once, and that counts everywhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_changed_in_its_file_costs_no_call_and_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    // One for each replica: no two kubelets bring a changed Secret at the same time.
    let file = |replica: usize| folder.path().join(format!("key-{replica}"));
    let put = |replica: usize, text: &str| {
        std::fs::write(folder.path().join("next"), text).unwrap();
        std::fs::rename(folder.path().join("next"), file(replica)).unwrap();
    };
    let mut servers = Vec::new();
    for replica in 0..REPLICAS {
        put(replica, &steps()[0]);
        servers.push(Server::builder().cluster("demo").arg("--session-key-file").arg(file(replica)).start().await);
    }
    let addresses: Vec<_> = servers.iter().map(Server::address).collect();
    change(&addresses, async |_, step, replica, keys| {
        put(replica, keys);
        let server = &servers[replica];
        let is_read = || async { (server.log().matches("the session keys were read anew").count() == step).then_some(()) };
        until("the key file is read anew", is_read).await;
    })
    .await;
    // What is no key changes nothing, and says so where one looks.
    put(0, "short");
    until("a problem in /readyz", || async {
        let state = wire::get(addresses[0], "/readyz?verbose").await.text().await;
        state
            .contains("[-] session keys not replaced, those of before stay in use: the session key in line 1 of")
            .then_some(state)
    })
    .await;
    all_are_known(&addresses, &mut Vec::new()).await;
    assert!(!servers[0].log().contains(NEW), "{}", servers[0].log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_changed_by_rolling_costs_no_call() {
    let keys = Arc::new(Mutex::new(steps()[0].clone()));
    let given = keys.clone();
    let mut replicas = Replicas::start(REPLICAS, move || {
        Server::builder().cluster("demo").env("SANDBAR_SESSION_KEY", &*given.lock().expect("not poisoned"))
    })
    .await;
    change(&replicas.addresses(), async |proxy, _, replica, text| {
        text.clone_into(&mut keys.lock().expect("not poisoned"));
        replicas.roll(replica).await;
        proxy.until_ready(replica).await;
    })
    .await;
}
