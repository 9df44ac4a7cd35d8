//! How the API servers are, which is asked for no more often than they can bear.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::{join_all, select_all};
use sandbar_kubernetes::{Clusters, Code, Error, Health, NamedCluster};
use sandbar_text::clean_line;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use super::{Check, ERROR_BYTES};

/// Time for the API server to answer a probe.
pub(super) const PROBE_TIME: Duration = Duration::from_secs(2);

/// The pauses between two probes until the first answer: each is twice the one before, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The least time between two probes after that. They are made only while somebody asks, however many ask, and while an API server is away.
const LATER_PROBES: Duration = Duration::from_secs(5);

/// The API servers, and how they were.
pub(super) struct Probes {
    clusters: Clusters,
    /// Whether nothing can be answered before the first of them has.
    needs_home: bool,
    answered: AtomicBool,
    /// Somebody wants to know how the API server is.
    asked: Notify,
    last: watch::Sender<Option<Probed>>,
}

/// A probe of each cluster, in their order, and when they were over.
#[derive(Clone)]
struct Probed {
    at: Instant,
    outcomes: Vec<Outcome>,
}

type Outcome = Result<Health, Error>;

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

impl ProbedCluster {
    /// In words, with `prefix` before them.
    fn check(self, prefix: &str) -> Check {
        let Self { description, found, .. } = self;
        let Some((outcome, ago)) = found else {
            return Err(format!("{prefix}now: {description}: no probe has come back yet"));
        };
        let when = match ago.as_secs() {
            0 => "now".to_owned(),
            seconds => format!("{seconds} s ago"),
        };
        match outcome {
            Ok(Health { ready, git_version, platform }) => {
                super::check(ready, format!("{prefix}{when}: {description}, {git_version} on {platform}"))
            }
            Err(error) => Err(format!("{prefix}{when}: {description}: {error}")),
        }
    }
}

impl Probes {
    pub(super) fn new(clusters: Clusters, needs_home: bool) -> Self {
        let (answered, asked, last) = (AtomicBool::new(false), Notify::new(), watch::Sender::new(None));
        Self { clusters, needs_home, answered, asked, last }
    }

    /// Whether those have answered once without which nothing can be.
    pub(super) fn have_answered(&self) -> bool {
        self.answered.load(Ordering::Acquire)
    }

    /// Asks the API servers until one of them answers for the first time.
    pub(super) async fn wait_for_one(&self) {
        let mut said = None;
        for pause in pauses() {
            let outcomes = self.probe().await;
            let counting = if self.needs_home { 1 } else { outcomes.len() };
            if outcomes.iter().take(counting).any(has_answered) {
                self.answered.store(true, Ordering::Release);
                // From here on `watch` says what is wrong, with one of several that has not answered as well.
                self.asked.notify_one();
                return;
            }
            // Once, and again when there is another reason: it may go on for hours.
            let named = self.clusters.iter().zip(outcomes);
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
    pub(super) async fn watch(&self) {
        let mut away = vec![None; self.clusters.iter().count()];
        loop {
            let has_answered_once = self.have_answered();
            let unanswered = self.clusters.iter().map(|named| Box::pin(named.cluster.unanswered()));
            tokio::select! {
                () = self.asked.notified() => {}
                // A probe that fails is one of these, so while a server is away there is another one each time. Until the first answer
                // there are those of `wait_for_one`, which also says what is wrong.
                _ = select_all(unanswered), if has_answered_once => {}
            }
            let outcomes = self.probe().await;
            if has_answered_once {
                for ((cluster, since), outcome) in self.clusters.iter().zip(&mut away).zip(&outcomes) {
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

    /// How the API servers were at the last probe. Nobody is asked for that.
    pub(super) fn clusters(&self) -> Vec<ProbedCluster> {
        let probed = self.last.borrow().clone();
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
        self.clusters.iter().enumerate().map(cluster).collect()
    }

    /// How each is, by a probe of some seconds ago at most, and what is wrong with the login there.
    pub(super) async fn describe(&self) -> Vec<Check> {
        self.recent().await;
        let of_each = self
            .clusters()
            .into_iter()
            .zip(self.clusters.iter())
            .flat_map(|(probed, named)| [Some(probed.check(&self.prefix(named))), self.login_trouble(named).map(Err)]);
        of_each.flatten().collect()
    }

    /// What is wrong with the logins.
    pub(super) fn login_troubles(&self) -> impl Iterator<Item = String> {
        self.clusters.iter().filter_map(|named| self.login_trouble(named))
    }

    fn login_trouble(&self, named: &NamedCluster) -> Option<String> {
        Some(format!("{}login: {}", self.prefix(named), named.cluster.login_trouble()?))
    }

    /// Whether one of them is well, by a probe of some seconds ago at most.
    pub(super) async fn one_is_well(&self) -> bool {
        let recent = self.recent().await;
        recent.is_some_and(|probed| probed.outcomes.iter().any(|outcome| outcome.as_ref().is_ok_and(|health| health.ready)))
    }

    /// What a line about a cluster begins with, where there are several.
    fn prefix(&self, cluster: &NamedCluster) -> String {
        if self.clusters.are_several() { format!("{}: ", cluster.name) } else { String::new() }
    }

    /// The last probe, after one has been made anew if that one is old. Waits for no longer than a probe may take.
    async fn recent(&self) -> Option<Probed> {
        let mut probed = self.last.subscribe();
        let is_recent = |probed: &Option<Probed>| probed.as_ref().is_some_and(|probed| probed.at.elapsed() < LATER_PROBES);
        if !is_recent(&probed.borrow_and_update()) {
            self.asked.notify_one();
            let _ = timeout(PROBE_TIME, probed.wait_for(is_recent)).await;
        }
        probed.borrow().clone()
    }

    async fn probe(&self) -> Vec<Outcome> {
        let outcomes = join_all(self.clusters.iter().map(|named| named.cluster.health(PROBE_TIME))).await;
        self.last.send_replace(Some(Probed { at: Instant::now(), outcomes: outcomes.clone() }));
        outcomes
    }
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
pub(super) mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::{Mutex, PoisonError};

    use futures::FutureExt;
    use http::{Request, Response};
    use kube::client::Body;
    use sandbar_kubernetes::Cluster;

    use super::*;

    const VERSION: &str = r#"{"major":"1","gitVersion":"v1.37.2","platform":"linux/amd64"}"#;

    /// A cluster whose API server is well, or silent, and how many requests it has had.
    pub(crate) fn cluster(is_silent: bool) -> (Clusters, Arc<AtomicUsize>) {
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
            std::io::Write::write(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), bytes)
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
            let text =
                String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))).expect("text");
            text.lines().map(str::to_owned).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_log_says_once_that_the_api_server_is_away_and_once_that_it_is_back() {
        let (log, _guard) = Log::begin();
        let (clusters, _) = cluster(false);
        let probes = Probes::new(clusters.clone(), false);
        let named = clusters.iter().next().expect("one");
        let well = || Ok(Health { ready: true, git_version: "v1.37.2".into(), platform: "linux/amd64".into() });
        let failed = |code| Err(Error::new(code, "connection refused"));
        let mut away = None;
        let mut said = async |outcome: Outcome| {
            probes.note(named, &mut away, &outcome);
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
        let probes = Probes::new(nowhere, false);
        let mut last = probes.last.subscribe();
        tokio::spawn(async move { probes.wait_for_one().await });
        let mut at = Vec::new();
        for _ in 0..7 {
            last.changed().await.expect("it goes on");
            at.push(last.borrow_and_update().as_ref().expect("a probe").at);
        }
        let between: Vec<u64> = at.windows(2).map(|two| (two[1] - two[0]).as_secs()).collect();
        assert_eq!(between, [1, 2, 4, 8, 16, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn however_many_ask_one_probe_is_asked_for_and_only_when_the_last_is_old() {
        let probes = Probes::new(cluster(true).0, false);
        let asked = async || {
            join_all((0..100).map(|_| probes.describe())).await;
            let for_a_probe = || probes.asked.notified().now_or_never().is_some();
            (for_a_probe(), for_a_probe())
        };
        let probed = || Probed { at: Instant::now(), outcomes: vec![Err(Error::new(Code::Unavailable, "gone".to_owned()))] };
        assert_eq!(asked().await, (true, false), "none was made yet");
        probes.last.send_replace(Some(probed()));
        assert_eq!(asked().await, (false, false));
        tokio::time::advance(LATER_PROBES).await;
        assert_eq!(asked().await, (true, false));
    }

    #[tokio::test]
    async fn a_probe_costs_two_requests() {
        let (cluster, requests) = cluster(false);
        let probes = Arc::new(Probes::new(cluster, false));
        let watching = probes.clone();
        tokio::spawn(async move { watching.watch().await });
        join_all((0..100).map(|_| probes.one_is_well())).await;
        assert_eq!(requests.load(Ordering::Relaxed), 2, "the version and the state");
    }

    #[tokio::test(start_paused = true)]
    async fn an_api_server_that_is_silent_does_not_hold_up_whoever_asks() {
        let (cluster, _) = cluster(true);
        let probes = Arc::new(Probes::new(cluster, false));
        let watching = probes.clone();
        tokio::spawn(async move { watching.watch().await });
        let began = Instant::now();
        let found = probes.describe().await;
        assert!(
            began.elapsed() <= 2 * PROBE_TIME && matches!(&found[..], [Err(words)] if words.starts_with("now: ")),
            "{found:?}"
        );
    }
}
