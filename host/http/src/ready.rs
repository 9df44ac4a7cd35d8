//! Whether the server is ready, and what it knows.
//!
//! Ready means: every bundled tool is loaded, and the API server of one of the clusters has answered once; where that of the first is asked
//! about callers, it has to be that one. After that only draining ends it. An outage of an API server must not take every replica out of its Service at once: clients would lose their connections, and get no
//! error that says what is wrong.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{join_all, select_all};
use http::{HeaderMap, Uri};
use sandbar_kubernetes::{Clusters, Code, Error, Health, NamedCluster};
use sandbar_text::{clean, clean_line};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::allowlist::is_to_loopback;

/// Time for the API server to answer a probe.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// The pauses between two probes until the first answer: each is twice the one before, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The least time between two probes after that. They are made only while somebody asks, however many ask, and while an API server is away.
const LATER_PROBES: Duration = Duration::from_secs(5);

/// What somebody between a client and the server leaves in a request.
const FORWARDED: [&str; 6] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// Bytes of what the API server, or a login, says is wrong.
const ERROR_BYTES: usize = 2 * 1024;

/// What is known of the server's readiness.
#[derive(Clone)]
pub struct Readiness(Arc<Inner>);

struct Inner {
    clusters: Clusters,
    /// Whether nothing can be answered before the first of them has.
    needs_home: bool,
    loaded: Mutex<Loaded>,
    followed: Mutex<BTreeMap<Followed, Vec<Check>>>,
    /// What the server itself may do.
    rights: watch::Sender<Rights>,
    /// Somebody wants to know that.
    rights_asked: Notify,
    bundled_loaded: bool,
    /// Who can call.
    who: String,
    answered: AtomicBool,
    draining: AtomicBool,
    /// Somebody wants to know how the API server is.
    asked: Notify,
    /// The last probe.
    probed: watch::Sender<Option<Probed>>,
}

/// A probe of each cluster, in their order, and when they were over.
#[derive(Clone)]
struct Probed {
    at: Instant,
    outcomes: Vec<Outcome>,
}

type Outcome = Result<Health, Error>;

/// What is known of what the server itself may do.
#[derive(Clone, Debug)]
enum Rights {
    /// Nobody finds it out.
    NotFollowed,
    /// Nobody has asked before.
    NotLooked,
    /// What was found when somebody asked.
    Looked(Vec<Check>),
}

/// Who is told how the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Somebody on this machine, or who has come in through a port-forward: an operator.
    Operator,
    /// Anybody else. They hear which check fails, and nothing of the cluster or of what is served.
    Stranger,
}

impl Audience {
    /// Who has sent a request from there.
    pub(super) fn of(from: IpAddr, uri: &Uri, headers: &HeaderMap) -> Self {
        // A sidecar or a proxy on this machine speaks for anybody.
        let is_forwarded =
            headers.keys().any(|name| FORWARDED.contains(&name.as_str()) || name.as_str().starts_with("x-remote-"));
        if from.to_canonical().is_loopback() && is_to_loopback(uri, headers) && !is_forwarded {
            Self::Operator
        } else {
            Self::Stranger
        }
    }
}

/// A cluster, and how its API server was when it was asked last.
#[derive(Clone, Debug)]
pub struct ProbedCluster {
    /// Its name; empty where there is but one.
    pub name: Arc<str>,
    /// Which it is.
    pub description: String,
    /// What it answered, or why it did not, and how long ago; none before the first probe.
    pub found: Option<(Result<Health, String>, Duration)>,
}

/// What was looked at, in words of one line: that it is well, or what is wrong with it.
pub type Check = Result<String, String>;

/// What is read at start, and anew when it is another.
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
        let (answered, draining) = (AtomicBool::new(false), AtomicBool::new(false));
        let loaded = Mutex::new(Loaded { tools, problems });
        let (asked, probed) = (Notify::new(), watch::Sender::new(None));
        let (rights, rights_asked) = (watch::Sender::new(Rights::NotFollowed), Notify::new());
        Self(Arc::new(Inner {
            clusters,
            needs_home,
            loaded,
            followed: Mutex::default(),
            rights,
            rights_asked,
            bundled_loaded,
            who,
            answered,
            draining,
            asked,
            probed,
        }))
    }

    /// From now on these tools are served, in words, with these problems. It makes the server neither ready nor unready.
    pub fn loaded(&self, tools: String, problems: Vec<String>) {
        *lock(&self.0.loaded) = Loaded { tools, problems };
    }

    /// From now on this is how something is that is followed. It makes the server neither ready nor unready.
    pub fn follows(&self, what: Followed, checks: Vec<Check>) {
        lock(&self.0.followed).insert(what, checks);
    }

    /// Waits until somebody wants to know what the server itself may do, which is told from the first wait on.
    pub async fn rights_asked(&self) {
        self.0.rights.send_if_modified(|rights| {
            let is_first = matches!(rights, Rights::NotFollowed);
            if is_first {
                *rights = Rights::NotLooked;
            }
            is_first
        });
        self.0.rights_asked.notified().await;
    }

    /// From now on this is what is told of that. It makes the server neither ready nor unready.
    pub fn rights(&self, checks: Vec<Check>) {
        self.0.rights.send_replace(Rights::Looked(checks));
    }

    /// Asks the API servers until one of them answers for the first time.
    pub async fn wait_for_cluster(&self) {
        let mut said = None;
        for pause in pauses() {
            let outcomes = self.probe().await;
            let counting = if self.0.needs_home { 1 } else { outcomes.len() };
            if outcomes.iter().take(counting).any(has_answered) {
                self.0.answered.store(true, Ordering::Release);
                // From here on `watch_cluster` says what is wrong, with one of several that has not answered as well.
                self.0.asked.notify_one();
                return;
            }
            // Once, and again when there is another reason: it may go on for hours.
            let named = self.0.clusters.iter().zip(outcomes);
            let errors =
                named.filter_map(|(cluster, outcome)| Some(format!("{}{}", self.prefix(cluster), outcome.err()?.message)));
            let errors: Vec<String> = errors.collect();
            let error = errors.join("; ");
            if said.as_ref() != Some(&error) {
                tracing::warn!(error, "the API server has not answered yet");
                said = Some(error);
            }
            sleep(pause).await;
        }
    }

    /// Probes the API servers whenever somebody asks, and when a call has had no answer, and not more often than they can bear. Says once
    /// that one of them is away, and once that it is there again.
    pub async fn watch_cluster(self) {
        let mut away = vec![None; self.0.clusters.iter().count()];
        loop {
            let has_answered_once = self.0.answered.load(Ordering::Acquire);
            let unanswered = self.0.clusters.iter().map(|named| Box::pin(named.cluster.unanswered()));
            tokio::select! {
                () = self.0.asked.notified() => {}
                // A probe that fails is one of these, so while a server is away there is another one each time. Until the first answer
                // there are those of `wait_for_cluster`, which also says what is wrong.
                _ = select_all(unanswered), if has_answered_once => {}
            }
            let outcomes = self.probe().await;
            if has_answered_once {
                for ((cluster, since), outcome) in self.0.clusters.iter().zip(&mut away).zip(&outcomes) {
                    self.note(cluster, since, outcome);
                }
            }
            sleep(LATER_PROBES).await;
        }
    }

    /// Says that the API server has gone, or come back; `away` is since when it has been away.
    fn note(&self, cluster: &NamedCluster, away: &mut Option<Instant>, outcome: &Outcome) {
        let server = format!("{}{}", self.prefix(cluster), cluster.cluster.describe());
        match (outcome, *away) {
            (Err(error), None) if !has_answered(outcome) => {
                *away = Some(Instant::now());
                tracing::warn!(server, %error, "the API server does not answer any more; calls that read it fail until it does");
            }
            (_, Some(since)) if has_answered(outcome) => {
                *away = None;
                tracing::info!(server, seconds = since.elapsed().as_secs(), "the API server answers again");
            }
            _ => {}
        }
    }

    /// From now on the server only finishes what it has begun.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    pub(super) fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    pub(super) fn is_ready(&self) -> bool {
        self.0.bundled_loaded && self.0.answered.load(Ordering::Acquire) && !self.0.draining.load(Ordering::Acquire)
    }

    /// How the API servers were at the last probe. Nobody is asked for that.
    pub fn clusters(&self) -> Vec<ProbedCluster> {
        let probed = self.0.probed.borrow().clone();
        let found = |at: usize| {
            let Probed { at: when, outcomes } = probed.as_ref()?;
            let outcome = outcomes.get(at)?.clone().map_err(|error| clean_line(error, ERROR_BYTES));
            Some((outcome, when.elapsed()))
        };
        let cluster = |(at, named): (usize, &NamedCluster)| ProbedCluster {
            name: named.name.clone(),
            description: named.cluster.describe().to_owned(),
            found: found(at),
        };
        self.0.clusters.iter().enumerate().map(cluster).collect()
    }

    /// The present state in words, one line for each check, `more` among them.
    pub(super) async fn describe(&self, audience: Audience, more: &[Check]) -> String {
        let inner = &*self.0;
        let mark = |good| if good { "+" } else { "-" };
        let known = |words: String| if audience == Audience::Operator { words } else { String::new() };
        let mut text = String::new();
        // Writing to a string cannot fail.
        {
            let loaded = lock(&inner.loaded);
            let _ = writeln!(
                text,
                "[{}] tools{}",
                mark(inner.bundled_loaded),
                known(format!(": {}", clean_line(&loaded.tools, ERROR_BYTES)))
            );
            for problem in loaded.problems.iter().filter(|_| audience == Audience::Operator) {
                // Some have lines to paste, which belong to the same check.
                let _ = writeln!(text, "[-] {}", clean(problem).replace('\n', "\n    "));
            }
        }
        let of_others = lock(&inner.followed).values().flatten().chain(more).cloned().collect::<Vec<_>>();
        for check in of_others.iter().filter(|_| audience == Audience::Operator) {
            let (Ok(words) | Err(words)) = check;
            let _ = writeln!(text, "[{}] {}", mark(check.is_ok()), clean_line(words, ERROR_BYTES));
        }
        let answered = inner.answered.load(Ordering::Acquire);
        let _ = writeln!(text, "[{}] the API server has answered once", mark(answered));
        let of_operator = async {
            match audience {
                Audience::Operator => self.describe_rights().await,
                Audience::Stranger => Vec::new(),
            }
        };
        let (clusters, rights) = futures::join!(self.describe_clusters(), of_operator);
        if audience == Audience::Stranger {
            let _ = writeln!(text, "[{}] the API server answers", mark(clusters.iter().any(Check::is_ok)));
        }
        for (cluster, check) in inner.clusters.iter().zip(&clusters).filter(|_| audience == Audience::Operator) {
            let (Ok(words) | Err(words)) = check;
            let _ = writeln!(text, "[{}] {}{words}", mark(check.is_ok()), self.prefix(cluster));
            if let Some(trouble) = cluster.cluster.login_trouble() {
                let _ = writeln!(text, "[-] {}login: {}", self.prefix(cluster), clean_line(trouble, ERROR_BYTES));
            }
        }
        for check in &rights {
            let (Ok(words) | Err(words)) = check;
            let _ = writeln!(text, "[{}] {}", mark(check.is_ok()), clean_line(words, ERROR_BYTES));
        }
        if audience == Audience::Operator {
            let _ = writeln!(text, "[+] callers: {}", clean_line(&inner.who, ERROR_BYTES));
        }
        let draining = self.is_draining();
        let _ = writeln!(text, "[{}] {}", mark(!draining), if draining { "draining" } else { "accepting calls" });
        text
    }

    /// What a line about a cluster begins with, where there are several.
    fn prefix(&self, cluster: &NamedCluster) -> String {
        if self.0.clusters.are_several() { format!("{}: ", cluster.name) } else { String::new() }
    }

    /// How the API server of each cluster is, by a probe of some seconds ago at most, and what there is to say of it.
    async fn describe_clusters(&self) -> Vec<Check> {
        let clusters = self.0.clusters.iter().map(|named| named.cluster.describe());
        let Some(Probed { at, outcomes }) = self.recent().await else {
            return clusters.map(|cluster| Err(format!("now: {cluster}: no probe has come back yet"))).collect();
        };
        let when = match at.elapsed().as_secs() {
            0 => "now".to_owned(),
            seconds => format!("{seconds} s ago"),
        };
        let check = |(cluster, outcome): (&str, Outcome)| match outcome {
            Ok(Health { ready, git_version, platform }) => {
                let words = format!("{when}: {cluster}, {git_version} on {platform}");
                if ready { Ok(words) } else { Err(words) }
            }
            Err(error) => Err(format!("{when}: {cluster}: {}", clean_line(error, ERROR_BYTES))),
        };
        clusters.zip(outcomes).map(check).collect()
    }

    /// What the server itself may do, by what was found last. Whoever asks first waits for no longer than a probe may take.
    async fn describe_rights(&self) -> Vec<Check> {
        let mut rights = self.0.rights.subscribe();
        if matches!(*rights.borrow(), Rights::NotFollowed) {
            return Vec::new();
        }
        self.0.rights_asked.notify_one();
        let _ = timeout(PROBE_TIME, rights.wait_for(|rights| matches!(rights, Rights::Looked(_)))).await;
        match &*rights.borrow() {
            Rights::Looked(checks) => checks.clone(),
            Rights::NotFollowed | Rights::NotLooked => vec![Err("rights: they are still being looked at".to_owned())],
        }
    }

    /// The last probe, after one has been made anew if that one is old. Waits for no longer than a probe may take.
    async fn recent(&self) -> Option<Probed> {
        let mut probed = self.0.probed.subscribe();
        let is_recent = |probed: &Option<Probed>| probed.as_ref().is_some_and(|probed| probed.at.elapsed() < LATER_PROBES);
        if !is_recent(&probed.borrow_and_update()) {
            self.0.asked.notify_one();
            let _ = timeout(PROBE_TIME, probed.wait_for(is_recent)).await;
        }
        probed.borrow().clone()
    }

    async fn probe(&self) -> Vec<Outcome> {
        let outcomes = join_all(self.0.clusters.iter().map(|named| named.cluster.health(PROBE_TIME))).await;
        self.0.probed.send_replace(Some(Probed { at: Instant::now(), outcomes: outcomes.clone() }));
        outcomes
    }
}

fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    // It is replaced as a whole, so a panic elsewhere leaves nothing broken.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pauses until the first answer, without end.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(FIRST_PAUSE), |pause| Some((*pause * 2).min(LONGEST_PAUSE)))
}

/// A server that refuses is a server that is there; one that says nothing until the probe's time is up is not.
fn has_answered(probe: &Outcome) -> bool {
    !matches!(probe, Err(Error { code: Code::Unavailable | Code::Exhausted, .. }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use futures::FutureExt;
    use http::{HeaderValue, Request, Response};
    use kube::client::Body;
    use sandbar_kubernetes::Cluster;

    use super::*;

    const VERSION: &str = r#"{"major":"1","gitVersion":"v1.37.2","platform":"linux/amd64"}"#;

    /// A cluster whose API server is well, or silent, and how many requests it has had.
    fn cluster(is_silent: bool) -> (Clusters, Arc<AtomicUsize>) {
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = requests.clone();
        let api = tower::service_fn(move |request: Request<Body>| {
            counted.fetch_add(1, Ordering::Relaxed);
            let text = if request.uri().path() == "/version" { VERSION } else { "ok" };
            async move {
                if is_silent {
                    std::future::pending::<()>().await;
                }
                Ok::<_, std::convert::Infallible>(Response::new(Body::from(text.as_bytes().to_vec())))
            }
        });
        (Clusters::only(Cluster::from_client(kube::Client::new(api, "default"))), requests)
    }

    /// What is logged on this thread while the guard is there.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            std::io::Write::write(&mut *lock(&self.0), bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn begin() -> (Self, tracing::subscriber::DefaultGuard) {
            let log = Self::default();
            let (writer, lines) = (log.clone(), tracing_subscriber::fmt().with_ansi(false).without_time());
            let guard = tracing::subscriber::set_default(lines.with_writer(move || writer.clone()).finish());
            (log, guard)
        }

        /// The lines so far, which are not there the next time.
        fn take(&self) -> Vec<String> {
            let text = String::from_utf8(std::mem::take(&mut *lock(&self.0))).expect("text");
            text.lines().map(str::to_owned).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_says_once_that_the_api_server_is_away_and_once_that_it_is_back() {
        let (log, _guard) = Log::begin();
        let (clusters, _) = cluster(false);
        let readiness = readiness(clusters.clone(), &[]);
        let named = clusters.iter().next().expect("one");
        let well = || Ok(Health { ready: true, git_version: "v1.37.2".into(), platform: "linux/amd64".into() });
        let failed = |code| Err(Error::new(code, "connection refused"));
        let mut away = None;
        let mut said = async |outcome: Outcome| {
            readiness.note(named, &mut away, &outcome);
            sleep(LATER_PROBES).await;
            log.take().join("\n")
        };
        assert_eq!(said(well()).await, "");
        assert_eq!(said(failed(Code::Denied)).await, "", "it is there, and says no");
        let gone = said(failed(Code::Unavailable)).await;
        assert!(gone.contains("WARN") && gone.contains("does not answer any more"), "{gone}");
        assert!(gone.contains("error=connection refused") && gone.contains("a client that was handed in"), "{gone}");
        assert_eq!(said(failed(Code::Unavailable)).await, "");
        assert_eq!(said(failed(Code::Exhausted)).await, "", "another way of being away");
        let back = said(well()).await;
        assert!(back.contains("INFO") && back.contains("answers again") && back.contains("seconds=15"), "{back}");
        assert_eq!(said(well()).await, "");
        assert!(said(failed(Code::Unavailable)).await.contains("does not answer any more"), "the next time");
    }

    #[test]
    fn the_pauses_of_a_start_grow_to_half_a_minute() {
        let seconds: Vec<u64> = pauses().take(8).map(|pause| pause.as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_asks_less_and_less_often() {
        let api = tower::service_fn(|_: Request<Body>| async {
            Err::<Response<Body>, _>(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))
        });
        let nowhere = Clusters::only(Cluster::from_client(kube::Client::new(api, "default")));
        let readiness = readiness(nowhere, &[]);
        let mut probes = readiness.0.probed.subscribe();
        tokio::spawn(async move { readiness.wait_for_cluster().await });
        let mut at = Vec::new();
        for _ in 0..7 {
            probes.changed().await.expect("it goes on");
            at.push(probes.borrow_and_update().as_ref().expect("a probe").at);
        }
        let between: Vec<u64> = at.windows(2).map(|two| (two[1] - two[0]).as_secs()).collect();
        assert_eq!(between, [1, 2, 4, 8, 16, 30]);
    }

    /// A server that looks into these, with these problems.
    fn readiness(clusters: Clusters, problems: &[&str]) -> Readiness {
        let problems = problems.iter().map(|&problem| problem.to_owned()).collect();
        Readiness::new(clusters, false, "7 loaded".to_owned(), true, problems, "everybody can call".to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_ask_one_probe_is_asked_for_and_only_when_the_last_is_old() {
        let readiness = readiness(cluster(true).0, &[]);
        let asked = async || {
            futures::future::join_all((0..100).map(|_| readiness.describe(Audience::Operator, &[]))).await;
            let for_a_probe = || readiness.0.asked.notified().now_or_never().is_some();
            (for_a_probe(), for_a_probe())
        };
        let probed = || Probed { at: Instant::now(), outcomes: vec![Err(Error::new(Code::Unavailable, "gone".to_owned()))] };
        assert_eq!(asked().await, (true, false), "none was made yet");
        readiness.0.probed.send_replace(Some(probed()));
        assert_eq!(asked().await, (false, false));
        tokio::time::advance(LATER_PROBES).await;
        assert_eq!(asked().await, (true, false));
    }

    #[tokio::test]
    async fn a_probe_costs_two_requests() {
        let (cluster, requests) = cluster(false);
        let readiness = readiness(cluster, &[]);
        tokio::spawn(readiness.clone().watch_cluster());
        futures::future::join_all((0..100).map(|_| readiness.describe(Audience::Stranger, &[]))).await;
        assert_eq!(requests.load(Ordering::Relaxed), 2, "the version and the state");
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_is_silent_does_not_hold_up_whoever_asks() {
        let (cluster, _) = cluster(true);
        let readiness = readiness(cluster, &["a problem"]);
        tokio::spawn(readiness.clone().watch_cluster());
        let began = Instant::now();
        let text = readiness.describe(Audience::Operator, &[]).await;
        assert!(began.elapsed() <= 2 * PROBE_TIME && text.contains("[-] now: "), "{text}");
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
        readiness.rights(vec![Ok("rights: all are there".to_owned()), Err("rights: none\nis there".to_owned())]);
        let text = described(Audience::Operator).await;
        assert!(text.contains("[+] rights: all are there\n[-] rights: none is there\n"), "{text}");
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

    #[test]
    fn an_operator_is_on_this_machine_and_says_so() {
        let audience = |from: &str, host: &'static str, other: Option<&'static str>| {
            let mut headers = HeaderMap::from_iter([(http::header::HOST, HeaderValue::from_static(host))]);
            if let Some(name) = other {
                headers.insert(name, HeaderValue::from_static("x"));
            }
            Audience::of(from.parse().expect("an address"), &Uri::from_static("/readyz?verbose"), &headers)
        };
        for (from, host) in [
            ("127.0.0.1", "localhost:8090"),
            ("::1", "[::1]:8090"),
            ("127.0.0.1", "127.0.0.1"),
            ("::ffff:127.0.0.1", "LOCALHOST."),
        ] {
            assert_eq!(audience(from, host, None), Audience::Operator, "{from} {host}");
        }
        for (from, host) in [("10.1.2.3", "localhost"), ("127.0.0.6", "coder-k8s"), ("127.0.0.1", "10.1.2.3"), ("127.0.0.1", "")]
        {
            assert_eq!(audience(from, host, None), Audience::Stranger, "{from} {host}");
        }
        for name in FORWARDED.into_iter().chain(["x-remote-user", "x-remote-extra-scopes"]) {
            assert_eq!(audience("127.0.0.1", "localhost", Some(name)), Audience::Stranger, "{name}");
        }
    }
}
