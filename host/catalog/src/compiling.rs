//! Components that are being compiled while others are served: one after the other, and nobody waits for them. When some are ready,
//! the catalog is loaded anew. What failed for want of a disk or a process is tried again after a pause, and nothing else is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sandbar_sandbox::{Binary, CompileError, Engine};
use tokio::sync::watch;
use tokio::time::Instant;

use super::located::{Contents, Located};
use super::observer::Observers;
use super::source::Source;

/// How long what is ready waits for the next one at most, so that a folder of many components is not loaded anew for each.
const TOGETHER: Duration = Duration::from_secs(1);

/// The pause before what may have passed is tried again. It doubles up to the longest as long as nothing else can be compiled either: a
/// full disk may stay so for hours.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(2);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(256);

/// How many components are remembered that cannot be compiled.
const REMEMBERED: usize = 1024;

/// What is to be compiled, and what became of what was.
pub(super) struct Compiling {
    engine: Arc<Engine>,
    observers: Observers,
    state: Mutex<State>,
    /// How often something became ready, turned out to be impossible, or is to be tried again.
    progress: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// Each with the digest that it had.
    next: VecDeque<(Arc<str>, Located)>,
    /// Whether there is a task for them, and the digest of what it is at.
    runs: bool,
    current: Option<Arc<str>>,
    /// What cannot be compiled, by digest.
    failed: BTreeMap<Arc<str>, CompileError>,
    /// Whether what may have passed of that is about to be forgotten, and the last pause before it was.
    pauses: bool,
    pause: Option<Duration>,
    /// How often something was compiled that has not been loaded since.
    ready: BTreeMap<Arc<str>, u32>,
}

impl Compiling {
    pub(super) fn new(engine: Arc<Engine>, observers: Observers) -> Arc<Self> {
        Arc::new(Self { engine, observers, state: Mutex::default(), progress: watch::Sender::default() })
    }

    /// Changes whenever loading again finds more than before.
    pub(super) fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    /// Says that loading again finds more than before.
    pub(super) fn found_more(&self) {
        self.progress.send_modify(|count| *count += 1);
    }

    /// What says so.
    pub(super) fn telling(self: &Arc<Self>) -> impl Fn() + Clone + Send + 'static {
        let compiling = self.clone();
        move || compiling.found_more()
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
    pub(super) async fn bundled(self: &Arc<Self>, binary: Binary, source: &Source) -> Result<(), CompileError> {
        self.check(binary.digest())?;
        let digest = binary.digest().clone();
        self.engine.compile_bundled(vec![binary]).await.inspect_err(|error| self.failed(digest, source, error.clone()))
    }

    /// Has a component compiled that is not in the cache, unless that is known to fail.
    pub(super) fn want(self: &Arc<Self>, digest: &Arc<str>, located: &Located) -> Result<(), CompileError> {
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
        state.next.push_back((digest.clone(), located.clone()));
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
        while let Some((digest, located)) = self.take() {
            let outcome = match located.read(self.telling()).await {
                Ok(Contents { binary, .. }) if *binary.digest() == digest => {
                    let began = Instant::now();
                    let outcome = self.engine.compile(binary).await;
                    self.observers.compiled(began.elapsed());
                    outcome
                }
                // Another one by now, or gone: it will be looked at again.
                _ => continue,
            };
            match outcome {
                Ok(()) => self.compiled(digest),
                Err(error) => self.failed(digest, located.source(), error),
            }
            if told.elapsed() > TOGETHER {
                told = Instant::now();
                self.found_more();
            }
        }
        self.found_more();
    }

    /// The next one. After the last one this ends, and another one begins anew.
    fn take(&self) -> Option<(Arc<str>, Located)> {
        let mut state = self.lock();
        let next = state.next.pop_front();
        state.runs = next.is_some();
        state.current = next.as_ref().map(|(digest, _)| digest.clone());
        next
    }

    fn compiled(&self, digest: Arc<str>) {
        let mut state = self.lock();
        *state.ready.entry(digest).or_default() += 1;
        state.pause = None;
    }

    fn failed(self: &Arc<Self>, digest: Arc<str>, source: &Source, error: CompileError) {
        tracing::debug!(component = %source, %error, "a component cannot be compiled");
        let mut state = self.lock();
        if state.failed.len() >= REMEMBERED {
            state.failed.clear();
        }
        let may_pass = error.may_pass();
        state.failed.insert(digest, error);
        if may_pass && !std::mem::replace(&mut state.pauses, true) {
            let pause = state.pause.map_or(FIRST_PAUSE, |last| (2 * last).min(LONGEST_PAUSE));
            state.pause = Some(pause);
            tokio::spawn(self.clone().try_again_after(pause));
        }
    }

    /// Forgets what may have passed, so that it is wanted again.
    async fn try_again_after(self: Arc<Self>, pause: Duration) {
        tokio::time::sleep(pause).await;
        let mut state = self.lock();
        state.failed.retain(|_, error| !error.may_pass());
        state.pauses = false;
        drop(state);
        self.found_more();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one step, so a panic elsewhere leaves nothing broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use sandbar_policy::Limits;
    use sandbar_sandbox::{Compiler, EngineOptions, Folder, Slots};
    use tokio::time::timeout;

    use super::*;

    /// Longer than any pause.
    const LONG: Duration = Duration::from_secs(3600);

    /// A program that is not there compiles: that may pass.
    fn without_a_program() -> Arc<Compiling> {
        let folder = Arc::new(Folder::temporary().expect("a folder"));
        let compiler = Compiler { program: "/nonexistent/sandbar".into(), folder };
        let Limits { memory, stack, .. } = Limits::default();
        let options = EngineOptions { slots: Slots::for_memory(0, memory), memory, stack, compiler: Some(compiler) };
        Compiling::new(Arc::new(Engine::new(&options).expect("an engine")), Observers::default())
    }

    /// A component that is in the binary, so that nobody has to write one.
    fn component() -> (Arc<str>, Source) {
        let source = Source::bundled().next().expect("one");
        (source.read().expect("in the binary").binary.digest().clone(), source)
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_after_a_pause_that_grows() {
        let (compiling, (digest, source)) = (without_a_program(), component());
        let mut progress = compiling.progress();
        let mut pauses = Vec::new();
        for _ in 0..10 {
            compiling.want(&digest, &Located::Here(source.clone())).expect("it is tried");
            progress.changed().await.expect("it failed");
            let failed = Instant::now();
            let error = compiling.want(&digest, &Located::Here(source.clone())).expect_err("and is not tried again at once");
            assert!(error.may_pass(), "{error}");
            timeout(LONG, progress.changed()).await.expect("it is to be tried again").expect("in use");
            pauses.push(failed.elapsed().as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 64, 128, 256, 256, 256]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_the_components_fault_is_not_tried_again() {
        let (compiling, (digest, source)) = (without_a_program(), component());
        compiling.failed(digest.clone(), &source, CompileError::Depth);
        assert!(timeout(LONG, compiling.progress().changed()).await.is_err(), "nobody is told to");
        // Nor beside what may pass.
        compiling.failed("another".into(), &source, CompileError::Now("the disk is full".to_owned()));
        timeout(LONG, compiling.progress().changed()).await.expect("that is to be tried again").expect("in use");
        assert_eq!(compiling.check("another"), Ok(()));
        assert_eq!(compiling.want(&digest, &Located::Here(source.clone())), Err(CompileError::Depth));
    }
}
