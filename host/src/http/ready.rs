//! Whether the server is ready, and what it knows.
//!
//! Ready means: every bundled tool is loaded, and the API server has answered once. After that only draining ends it. An outage of
//! the API server must not take every replica out of its Service at once: clients would lose their connections, and get no error
//! that says what is wrong.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::kubernetes::{Cluster, Code, Error, Health};
use crate::policy::{clean, clean_line};

/// Time for the API server to answer a probe.
const PROBE_TIME: Duration = Duration::from_secs(2);

/// Time between two probes until the first answer.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// Bytes of an error of the API server.
const ERROR_BYTES: usize = 1024;

/// What is known of the server's readiness.
#[derive(Clone)]
pub struct Readiness(Arc<Inner>);

struct Inner {
    cluster: Cluster,
    loaded: Mutex<Loaded>,
    bundled_loaded: bool,
    answered: AtomicBool,
    draining: AtomicBool,
}

/// What is served now.
struct Loaded {
    tools: usize,
    problems: Vec<String>,
}

impl Readiness {
    /// Not ready yet. `problems` are what is not served as it should be, each a line.
    pub fn new(cluster: Cluster, tools: usize, bundled_loaded: bool, problems: Vec<String>) -> Self {
        let (answered, draining) = (AtomicBool::new(false), AtomicBool::new(false));
        let loaded = Mutex::new(Loaded { tools, problems });
        Self(Arc::new(Inner { cluster, loaded, bundled_loaded, answered, draining }))
    }

    /// From now on so many tools are served, with these problems. It makes the server neither ready nor unready.
    pub fn loaded(&self, tools: usize, problems: Vec<String>) {
        *self.lock() = Loaded { tools, problems };
    }

    /// Asks the API server until it answers for the first time.
    pub async fn wait_for_cluster(&self) {
        loop {
            let probe = self.probe().await;
            if has_answered(&probe) {
                self.0.answered.store(true, Ordering::Release);
                return;
            }
            if let Err(error) = probe {
                tracing::warn!(%error, "the API server has not answered yet");
            }
            tokio::time::sleep(PROBE_INTERVAL).await;
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

    /// The present state in words, one line for each check.
    pub(super) async fn describe(&self) -> String {
        let inner = &*self.0;
        let mark = |good| if good { "+" } else { "-" };
        let mut text = String::new();
        let draining = inner.draining.load(Ordering::Acquire);
        // Writing to a string cannot fail.
        {
            let loaded = self.lock();
            let _ = writeln!(text, "[{}] tools: {} loaded", mark(inner.bundled_loaded), loaded.tools);
            for problem in &loaded.problems {
                // Some have lines to paste, which belong to the same check.
                let _ = writeln!(text, "[-] {}", clean(problem).replace('\n', "\n    "));
            }
        }
        let answered = inner.answered.load(Ordering::Acquire);
        let _ = writeln!(text, "[{}] the API server has answered once", mark(answered));
        let cluster = inner.cluster.describe();
        let _ = match self.probe().await {
            Ok(health) => {
                writeln!(text, "[{}] now: {cluster}, {} on {}", mark(health.ready), health.git_version, health.platform)
            }
            Err(error) => writeln!(text, "[-] now: {cluster}: {}", clean_line(error, ERROR_BYTES)),
        };
        let _ = writeln!(text, "[{}] {}", mark(!draining), if draining { "draining" } else { "accepting calls" });
        text
    }

    fn lock(&self) -> MutexGuard<'_, Loaded> {
        // It is replaced as a whole, so a panic elsewhere leaves nothing broken.
        self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn probe(&self) -> Result<Health, Error> {
        self.0.cluster.health(PROBE_TIME).await
    }
}

/// A server that refuses is a server that is there; one that says nothing until the probe's time is up is not.
fn has_answered(probe: &Result<Health, Error>) -> bool {
    !matches!(probe, Err(Error { code: Code::Unavailable | Code::Exhausted, .. }))
}
