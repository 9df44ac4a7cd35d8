//! Whether the server is ready, and what it knows.
//!
//! Ready means: every bundled tool is loaded, and the API server of one of the clusters has answered once; where that of the first is asked
//! about callers, it has to be that one. After that only draining ends it. An outage of an API server must not take every replica out of its
//! Service at once: clients would lose their connections, and get no error that says what is wrong.

mod audience;
mod probes;
mod rights;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sandbar_kubernetes::Clusters;
use sandbar_text::{clean, clean_line};

pub use audience::Audience;
pub use probes::ProbedCluster;
use probes::{PROBE_TIME, Probes};
use rights::Rights;

/// Bytes of what the API server, or a login, says is wrong.
const ERROR_BYTES: usize = 2 * 1024;

/// What is known of the server's readiness.
#[derive(Clone)]
pub struct Readiness(Arc<Inner>);

struct Inner {
    probes: Probes,
    loaded: Mutex<Loaded>,
    followed: Mutex<BTreeMap<Followed, Vec<Check>>>,
    /// What the server itself may do.
    rights: Rights,
    bundled_loaded: bool,
    /// Who can call.
    who: String,
    draining: AtomicBool,
}

/// One line of the report: `Ok` = passes, `Err` = fails; each with its text.
pub type Check = Result<String, String>;

/// An input that is read at start and reloaded when it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Followed {
    /// The certificate of the listener.
    Certificate,
    /// The way through the API server.
    ApiService,
    /// The keys of sessions.
    SessionKeys,
}

/// What is served now, in words, and what is not.
#[derive(Clone)]
struct Loaded {
    tools: String,
    problems: Vec<String>,
}

impl Readiness {
    /// Not ready yet: one of the clusters has to answer, or the first of them where `needs_home`. `tools` says what is served, `problems` are
    /// what is not served as it should be, each a line, and `who` says who can call.
    pub fn new(
        clusters: Clusters,
        needs_home: bool,
        tools: String,
        bundled_loaded: bool,
        problems: Vec<String>,
        who: String,
    ) -> Self {
        Self(Arc::new(Inner {
            probes: Probes::new(clusters, needs_home),
            loaded: Mutex::new(Loaded { tools, problems }),
            followed: Mutex::default(),
            rights: Rights::new(),
            bundled_loaded,
            who,
            draining: AtomicBool::new(false),
        }))
    }

    /// From now on these tools are served, in words, with these problems. It makes the server neither ready nor unready.
    pub fn loaded(&self, tools: String, problems: Vec<String>) {
        *lock(&self.0.loaded) = Loaded { tools, problems };
    }

    /// Replaces the checks of a reloaded input. Does not affect readiness.
    pub fn follows(&self, what: Followed, checks: Vec<Check>) {
        lock(&self.0.followed).insert(what, checks);
    }

    /// Waits until somebody wants to know what the server itself may do, which is told from the first wait on.
    pub async fn rights_asked(&self) {
        self.0.rights.asked().await;
    }

    /// Stores the result of the check of the server's own permissions, which is not repeated for `good_for`. Does not affect readiness.
    pub fn rights(&self, checks: Vec<Check>, good_for: Duration) {
        self.0.rights.found(checks, good_for);
    }

    /// Asks the API servers until one of them answers for the first time.
    pub async fn wait_for_cluster(&self) {
        self.0.probes.wait_for_one().await;
    }

    /// Probes the API servers whenever somebody asks, and when a call has had no answer, and not more often than they can bear. Says once
    /// that one of them is away, and once that it is there again.
    pub async fn watch_cluster(self) {
        self.0.probes.watch().await;
    }

    /// What is wrong with what is followed, and with logins, each in words of a line.
    pub fn troubles(&self) -> Vec<String> {
        let followed = lock(&self.0.followed);
        let broken = followed.values().flatten().filter_map(|check| check.clone().err());
        broken.chain(self.0.probes.login_troubles()).map(|words| clean_line(words, ERROR_BYTES)).collect()
    }

    /// How the API servers were at the last probe. Nobody is asked for that.
    pub fn clusters(&self) -> Vec<ProbedCluster> {
        self.0.probes.clusters()
    }

    /// From now on the server only finishes what it has begun.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.0.bundled_loaded && self.0.probes.have_answered() && !self.is_draining()
    }

    /// The present state in words, one line for each check, `more` among them.
    pub(super) async fn describe(&self, audience: Audience, more: &[Check]) -> String {
        match audience {
            Audience::Operator => self.describe_all(more).await,
            Audience::Stranger => self.describe_checks().await,
        }
    }

    async fn describe_checks(&self) -> String {
        let is_well = self.0.probes.one_is_well().await;
        let tools = check(self.0.bundled_loaded, "tools".to_owned());
        lines([tools, self.answered_once(), check(is_well, "the API server answers".to_owned()), self.accepts_calls()])
    }

    async fn describe_all(&self, more: &[Check]) -> String {
        let Inner { probes, loaded, followed, rights, bundled_loaded, who, .. } = &*self.0;
        let (clusters, rights) = futures::join!(probes.describe(), rights.describe(PROBE_TIME));
        let Loaded { tools, problems } = lock(loaded).clone();
        // Some have lines to paste, which belong to the same check.
        let problem = |problem: &String| format!("[-] {}\n", clean(problem).replace('\n', "\n    "));
        let followed: Vec<Check> = lock(followed).values().flatten().chain(more).cloned().collect();
        let of_server = [Ok(format!("callers: {who}")), self.accepts_calls()];
        let checks = followed.into_iter().chain([self.answered_once()]).chain(clusters).chain(rights).chain(of_server);
        [lines([check(*bundled_loaded, format!("tools: {tools}"))]), problems.iter().map(problem).collect(), lines(checks)]
            .concat()
    }

    fn answered_once(&self) -> Check {
        check(self.0.probes.have_answered(), "the API server has answered once".to_owned())
    }

    fn accepts_calls(&self) -> Check {
        if self.is_draining() { Err("draining".to_owned()) } else { Ok("accepting calls".to_owned()) }
    }
}

fn check(is_well: bool, words: String) -> Check {
    if is_well { Ok(words) } else { Err(words) }
}

/// A line for each.
fn lines(checks: impl IntoIterator<Item = Check>) -> String {
    let line = |check: Check| {
        let mark = if check.is_ok() { '+' } else { '-' };
        let (Ok(words) | Err(words)) = check;
        format!("[{mark}] {}\n", clean_line(words, ERROR_BYTES))
    };
    checks.into_iter().map(line).collect()
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    // It is replaced as a whole, so a panic elsewhere leaves nothing broken.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::{Instant, sleep};

    use super::probes::tests::cluster;
    use super::*;

    /// A server that looks into these, with these problems.
    fn readiness(clusters: Clusters, problems: &[&str]) -> Readiness {
        let problems = problems.iter().map(|&problem| problem.to_owned()).collect();
        Readiness::new(clusters, false, "7 loaded".to_owned(), true, problems, "everybody can call".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn rights_are_looked_at_when_an_operator_asks_and_kept() {
        let readiness = readiness(cluster(false).0, &[]);
        tokio::spawn(readiness.clone().watch_cluster());
        let described = async |audience| readiness.describe(audience, &[]).await;
        assert!(!described(Audience::Operator).await.contains("rights"), "nobody finds them out");
        assert!(readiness.rights_asked().now_or_never().is_none(), "nobody has asked since");
        assert!(!described(Audience::Stranger).await.contains("rights"));
        assert!(readiness.rights_asked().now_or_never().is_none(), "a stranger asks for none");
        let began = Instant::now();
        assert!(described(Audience::Operator).await.contains("[-] rights: they are still being looked at\n"));
        assert!(began.elapsed() <= 2 * PROBE_TIME);
        assert!(readiness.rights_asked().now_or_never().is_some());
        let checks = vec![Ok("rights: all are there".to_owned()), Err("rights: none\nis there".to_owned())];
        readiness.rights(checks, Duration::from_secs(60));
        let text = described(Audience::Operator).await;
        assert!(text.contains("[+] rights: all are there\n[-] rights: none is there\n"), "{text}");
        sleep(Duration::from_secs(59)).await;
        let text = described(Audience::Operator).await;
        assert!(text.contains("[+] rights: all are there (59 s ago)\n"), "{text}");
        sleep(Duration::from_secs(2)).await;
        let (asking, answering) = (described(Audience::Operator), async {
            readiness.rights_asked().await;
            readiness.rights(vec![Ok("rights: now all".to_owned())], Duration::from_secs(60));
        });
        let (text, ()) = futures::join!(asking, answering);
        assert!(text.contains("[+] rights: now all\n"), "what is old is looked at anew: {text}");
    }

    #[tokio::test]
    async fn an_operator_hears_all_there_is_to_know() {
        let readiness = readiness(cluster(false).0, &["a problem\nin two lines"]);
        tokio::spawn(readiness.clone().watch_cluster());
        let text = readiness.describe(Audience::Operator, &[]).await;
        assert!(text.starts_with("[+] tools: 7 loaded\n[-] a problem\n    in two lines\n"), "{text}");
        assert!(text.contains("[+] now: a client that was handed in, v1.37.2 on linux/amd64\n"), "{text}");
        readiness.follows(Followed::Certificate, vec![Ok("in use".to_owned()), Err("not\nreplaced".to_owned())]);
        let text = readiness.describe(Audience::Operator, &[]).await;
        assert!(text.contains("[+] in use\n[-] not replaced\n"), "{text}");
    }

    #[tokio::test]
    async fn a_stranger_hears_which_check_fails_and_nothing_of_the_cluster() {
        let (cluster, _) = cluster(false);
        let readiness = readiness(cluster, &["a problem"]);
        tokio::spawn(readiness.clone().watch_cluster());
        readiness.follows(Followed::Certificate, vec![Err("not replaced".to_owned())]);
        let text = readiness.describe(Audience::Stranger, &[]).await;
        assert_eq!(text, "[+] tools\n[-] the API server has answered once\n[+] the API server answers\n[+] accepting calls\n");
    }
}
