//! Background tasks by key, shared by all loads. A task runs once; a load waits for it up to `PATIENCE`, and a callback runs when it
//! finishes later.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use tokio::task::{AbortHandle, JoinError};

/// How long a load waits. What takes longer is found by a later load.
const PATIENCE: Duration = Duration::from_secs(1);

type Outcome<V, E> = Shared<BoxFuture<'static, Result<V, E>>>;

/// Tasks by key.
pub(super) struct Late<K, V, E>(Mutex<State<K, V, E>>);

struct State<K, V, E> {
    begun: HashMap<K, Entry<V, E>>,
    /// How often everything has been looked at.
    round: u64,
    /// How often something was begun.
    count: u64,
}

struct Entry<V, E> {
    running: Running<V, E>,
    /// The last round in which it was needed.
    round: u64,
    /// Whether somebody is told when it is done.
    is_awaited: bool,
    task: AbortHandle,
}

/// Handle of a spawned task.
pub(super) struct Running<V, E> {
    outcome: Outcome<V, E>,
    /// Which of all that was begun: what is begun anew under the same key is another.
    number: u64,
}

impl<V, E> Clone for Running<V, E> {
    fn clone(&self) -> Self {
        Self { outcome: self.outcome.clone(), number: self.number }
    }
}

impl<K, V, E> Default for Late<K, V, E> {
    fn default() -> Self {
        Self(Mutex::new(State { begun: HashMap::new(), round: 0, count: 0 }))
    }
}

impl<K, V, E> Late<K, V, E>
where
    K: Eq + Hash,
    V: Clone + Send + Sync + 'static,
    E: Clone + From<JoinError> + Send + Sync + 'static,
{
    /// Begins a round.
    pub(super) fn begin_round(&self) {
        self.lock().round += 1;
    }

    /// Ends and forgets all that this round had no need of.
    pub(super) fn end_round(&self) {
        let mut state = self.lock();
        let round = state.round;
        state.begun.extract_if(|_, entry| entry.round != round).for_each(|(_, entry)| entry.task.abort());
    }

    /// Forgets what came of this work, so that it is begun anew. Whether it was there: another one under the same key stays.
    pub(super) fn forget(&self, key: &K, running: &Running<V, E>) -> bool {
        let mut state = self.lock();
        let is_there = state.begun.get(key).is_some_and(|entry| entry.running.number == running.number);
        if is_there {
            state.begun.remove(key);
        }
        is_there
    }

    /// Ends and forgets everything.
    pub(super) fn forget_all(&self) {
        self.lock().begun.drain().for_each(|(_, entry)| entry.task.abort());
    }

    /// Whether it was begun, and is not forgotten.
    pub(super) fn has(&self, key: &K) -> bool {
        self.lock().begun.contains_key(key)
    }

    /// What came of it so far, if it was begun. This round needs it.
    pub(super) fn known(&self, key: &K) -> Option<Result<V, E>> {
        self.lock().find(key).and_then(|running| running.outcome.peek().cloned())
    }

    /// Returns the task under this key and `false`, or spawns `work` and returns it with `true`. The task runs to its end even if nobody
    /// awaits it, unless a round ends without needing it, or everything is forgotten.
    pub(super) fn begun(&self, key: &K, work: impl FnOnce() -> BoxFuture<'static, Result<V, E>>) -> (Running<V, E>, bool)
    where
        K: Clone,
    {
        let mut state = self.lock();
        if let Some(running) = state.find(key) {
            return (running, false);
        }
        let working = tokio::spawn(work());
        let task = working.abort_handle();
        let outcome = async move { working.await.unwrap_or_else(|failure| Err(failure.into())) }.boxed().shared();
        state.count += 1;
        let running = Running { outcome, number: state.count };
        let entry = Entry { running: running.clone(), round: state.round, is_awaited: false, task };
        state.begun.insert(key.clone(), entry);
        (running, true)
    }

    /// Awaits the task for up to `PATIENCE`. On timeout returns `None`; `late` runs when the task ends. Only the first waiter's callback
    /// is kept.
    pub(super) async fn outcome(
        &self,
        key: &K,
        running: &Running<V, E>,
        late: impl FnOnce() + Send + 'static,
    ) -> Option<Result<V, E>> {
        let waited = tokio::time::timeout(PATIENCE, running.outcome.clone()).await;
        if waited.is_err() && self.lock().is_first_to_wait(key, running.number) {
            tokio::spawn(running.outcome.clone().map(|_| late()));
        }
        waited.ok()
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V, E>> {
        // Each change is one step, so a panic elsewhere leaves nothing broken.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V, E> Running<V, E>
where
    V: Clone,
    E: Clone,
{
    /// Waits for its end, and says whether it failed.
    pub(super) async fn fails(self) -> bool {
        self.outcome.await.is_err()
    }
}

impl<K: Eq + Hash, V, E> State<K, V, E> {
    fn find(&mut self, key: &K) -> Option<Running<V, E>> {
        let round = self.round;
        let entry = self.begun.get_mut(key)?;
        entry.round = round;
        Some(entry.running.clone())
    }

    fn is_first_to_wait(&mut self, key: &K, number: u64) -> bool {
        let entry = self.begun.get_mut(key).filter(|entry| entry.running.number == number);
        entry.is_some_and(|entry| !std::mem::replace(&mut entry.is_awaited, true))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Failed;

    impl From<JoinError> for Failed {
        fn from(_: JoinError) -> Self {
            Self
        }
    }

    type Works = Late<u32, u32, Failed>;

    async fn outcome(works: &Works, key: u32, ends: Result<u32, Failed>) -> Option<Result<u32, Failed>> {
        let (running, _) = works.begun(&key, || async { ends }.boxed());
        works.outcome(&key, &running, || ()).await
    }

    #[tokio::test]
    async fn what_a_round_has_no_need_of_is_forgotten() {
        let works = Works::default();
        works.begin_round();
        for key in 0..100 {
            assert_eq!(outcome(&works, key, Err(Failed)).await, Some(Err(Failed)));
        }
        works.end_round();
        assert_eq!(works.lock().begun.len(), 100);
        works.begin_round();
        assert_eq!(works.known(&7), Some(Err(Failed)));
        works.end_round();
        assert_eq!(works.lock().begun.len(), 1);
    }

    #[tokio::test]
    async fn what_is_begun_anew_is_not_forgotten_with_what_was_before() {
        let works = Works::default();
        let (first, is_new) = works.begun(&7, || async { Err(Failed) }.boxed());
        assert!(is_new && first.clone().fails().await && works.forget(&7, &first));
        let (second, is_new) = works.begun(&7, || async { Ok(1) }.boxed());
        assert!(is_new && !works.forget(&7, &first) && works.has(&7));
        assert_eq!(works.outcome(&7, &second, || ()).await, Some(Ok(1)));
        let (_, is_new) = works.begun(&7, || unreachable!("it was begun"));
        assert!(!is_new);
        works.forget_all();
        assert!(!works.has(&7));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_long_and_is_told_once_when_it_is_done() {
        let (works, done, told) = (Works::default(), Arc::new(Notify::new()), Arc::new(AtomicU32::new(0)));
        let ends = done.clone();
        let work = move || {
            async move {
                ends.notified().await;
                Ok(1)
            }
            .boxed()
        };
        let (running, _) = works.begun(&0, work);
        for _ in 0..3 {
            let tell = told.clone();
            let late = move || {
                tell.fetch_add(1, Ordering::Relaxed);
            };
            assert_eq!(works.outcome(&0, &running, late).await, None);
        }
        done.notify_one();
        assert!(!running.fails().await);
        tokio::time::sleep(PATIENCE).await;
        assert_eq!((works.known(&0), told.load(Ordering::Relaxed)), (Some(Ok(1)), 1));
    }

    #[tokio::test]
    async fn what_nobody_needs_any_more_is_ended() {
        let works = Works::default();
        let (running, _) = works.begun(&0, || std::future::pending().boxed());
        works.begin_round();
        works.end_round();
        assert!(running.fails().await);
    }
}
