//! Components that are being compiled while others are served: one after the other, and nobody waits for them. When some are ready,
//! the catalog is loaded anew.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sandbar_sandbox::{Binary, CompileError, Engine};
use tokio::sync::watch;
use tokio::time::Instant;

use super::source::Source;

/// How long what is ready waits for the next one at most, so that a folder of many components is not loaded anew for each.
const TOGETHER: Duration = Duration::from_secs(1);

/// How many components are remembered that cannot be compiled.
const REMEMBERED: usize = 1024;

/// What is to be compiled, and what became of what was.
pub(super) struct Compiling {
    engine: Arc<Engine>,
    state: Mutex<State>,
    /// How often something became ready, or turned out to be impossible.
    progress: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Each with the digest that it had.
    next: VecDeque<(Arc<str>, Source)>,
    /// Whether there is a task for them, and the digest of what it is at.
    runs: bool,
    current: Option<Arc<str>>,
    /// What cannot be compiled, by digest: it is not tried again.
    failed: BTreeMap<Arc<str>, CompileError>,
    /// How often something was compiled that has not been loaded since.
    ready: BTreeMap<Arc<str>, u32>,
}

impl Compiling {
    pub(super) fn new(engine: Arc<Engine>) -> Arc<Self> {
        Arc::new(Self { engine, state: Mutex::default(), progress: watch::Sender::default() })
    }

    /// Changes whenever loading again finds more than before.
    pub(super) fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    /// Forgets what is to be compiled, since all that is there is about to be looked at again.
    pub(super) fn start_over(&self) {
        self.lock().next.clear();
    }

    /// Fails if that is known to fail.
    pub(super) fn check(&self, digest: &str) -> Result<(), CompileError> {
        self.lock().failed.get(digest).cloned().map_or(Ok(()), Err)
    }

    /// Compiles a bundled component at once.
    pub(super) async fn bundled(&self, binary: Binary, source: &Source) -> Result<(), CompileError> {
        self.check(binary.digest())?;
        let digest = binary.digest().clone();
        self.engine.compile_bundled(vec![binary]).await.inspect_err(|error| self.failed(digest, source, error.clone()))
    }

    /// Has a component compiled that is not in the cache, unless that is known to fail.
    pub(super) fn want(self: &Arc<Self>, digest: &Arc<str>, source: &Source) -> Result<(), CompileError> {
        self.check(digest)?;
        let mut state = self.lock();
        // Once it may have become ready just after it was looked for.
        if state.ready.get(digest).is_some_and(|times| *times > 1) {
            state.ready.remove(digest);
            return Err(CompileError::Now("what it was compiled to is gone again, or does not fit this machine".to_owned()));
        }
        if state.current.as_ref() == Some(digest) || state.next.iter().any(|(known, _)| known == digest) {
            return Ok(());
        }
        state.next.push_back((digest.clone(), source.clone()));
        if !std::mem::replace(&mut state.runs, true) {
            tokio::spawn(self.clone().run());
        }
        Ok(())
    }

    /// Says that a component has been loaded.
    pub(super) fn loaded(&self, digest: &str) {
        self.lock().ready.remove(digest);
    }

    async fn run(self: Arc<Self>) {
        let mut told = Instant::now();
        while let Some((digest, source)) = self.take() {
            let outcome = match source.clone().read_on_thread().await {
                Ok(Ok(binary)) if *binary.digest() == digest => self.engine.compile(binary).await,
                // Another one by now, or gone: it will be looked at again.
                _ => continue,
            };
            match outcome {
                Ok(()) => self.compiled(digest),
                Err(error) => self.failed(digest, &source, error),
            }
            if told.elapsed() > TOGETHER {
                told = Instant::now();
                self.progress.send_modify(|count| *count += 1);
            }
        }
        self.progress.send_modify(|count| *count += 1);
    }

    /// The next one. After the last one this ends, and another one begins anew.
    fn take(&self) -> Option<(Arc<str>, Source)> {
        let mut state = self.lock();
        let next = state.next.pop_front();
        state.runs = next.is_some();
        state.current = next.as_ref().map(|(digest, _)| digest.clone());
        next
    }

    fn compiled(&self, digest: Arc<str>) {
        *self.lock().ready.entry(digest).or_default() += 1;
    }

    fn failed(&self, digest: Arc<str>, source: &Source, error: CompileError) {
        tracing::debug!(component = %source, %error, "a component cannot be compiled");
        let mut state = self.lock();
        if state.failed.len() >= REMEMBERED {
            state.failed.clear();
        }
        state.failed.insert(digest, error);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one step, so a panic elsewhere leaves nothing broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
