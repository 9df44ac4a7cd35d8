//! A cached answer: fetched once for all who wait for it, and again when it is old.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::error::{Code, Error};

/// How long a failure is cached. Calls that a failing server refuses are soon repeated, in numbers, and nobody is charged for a
/// fetch.
const FAILURE_GOOD_FOR: Duration = Duration::from_secs(1);

/// What to do with an old answer if the fetch fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfStale {
    /// Use it: an outage must not make the cluster forget what it serves.
    Use,
    /// Fail: the question is whether something is new.
    Fail,
}

/// One cached answer, with its age. Cheap to clone.
pub(super) struct Memory<T>(Arc<Mutex<Held<T>>>);

struct Held<T> {
    value: Option<(Arc<T>, Instant)>,
    failure: Option<(Error, Instant)>,
    /// The fetch in progress, which will yield its outcome.
    fetch: Option<watch::Receiver<Option<Outcome<T>>>>,
}

type Outcome<T> = Result<Arc<T>, Error>;

impl<T> Clone for Memory<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
impl<T> Memory<T> {
    /// Whether both are the same entry.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Held { value: None, failure: None, fetch: None })))
    }
}

impl<T: Send + Sync + 'static> Memory<T> {
    /// The answer, if it is at most `good_for` old, else a fetched one. The fetch runs to its end in a task of its own, for all
    /// who ask meanwhile: none of them ends it by leaving.
    pub(super) async fn recall<F>(&self, good_for: Duration, if_stale: IfStale, fetch: impl FnOnce() -> F) -> Outcome<T>
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let mut under_way = {
            let mut held = self.lock();
            if let Some((value, since)) = &held.value
                && since.elapsed() < good_for
            {
                return Ok(value.clone());
            }
            if let Some((error, since)) = &held.failure
                && since.elapsed() < FAILURE_GOOD_FOR
            {
                return held.stale(if_stale).ok_or_else(|| error.clone());
            }
            held.fetch.get_or_insert_with(|| self.start(fetch())).clone()
        };
        let outcome = match under_way.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone(),
            // The task was dropped with its runtime.
            Err(_dropped) => None,
        };
        let outcome = outcome.unwrap_or_else(|| Err(Error::new(Code::Unavailable, "this server is shutting down")));
        outcome.or_else(|error| self.lock().stale(if_stale).ok_or(error))
    }

    fn start(&self, fetch: impl Future<Output = Result<T, Error>> + Send + 'static) -> watch::Receiver<Option<Outcome<T>>> {
        let (done, under_way) = watch::channel(None);
        let memory = self.clone();
        tokio::spawn(async move {
            // A panic must yield an outcome, or all who wait would wait for ever.
            let outcome = AssertUnwindSafe(fetch).catch_unwind().await.unwrap_or_else(|_panic| {
                Err(Error::new(Code::Other, "reading it has failed, which is a fault of this server; its log has more"))
            });
            let outcome = outcome.map(Arc::new);
            memory.lock().keep(&outcome);
            done.send_replace(Some(outcome));
        });
        under_way
    }

    fn lock(&self) -> MutexGuard<'_, Held<T>> {
        // Each change is complete, so a panic elsewhere leaves it valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Held<T> {
    fn keep(&mut self, outcome: &Outcome<T>) {
        self.fetch = None;
        match outcome {
            Ok(value) => {
                self.value = Some((value.clone(), Instant::now()));
                self.failure = None;
            }
            Err(error) => self.failure = Some((error.clone(), Instant::now())),
        }
    }

    fn stale(&self, if_stale: IfStale) -> Option<Arc<T>> {
        self.value.as_ref().filter(|_| if_stale == IfStale::Use).map(|(value, _)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn failing() -> Result<u32, Error> {
        Err(Error::new(Code::Unavailable, "down"))
    }

    /// A fetch that counts itself and waits at a gate.
    struct Fetches {
        memory: Memory<u32>,
        begun: Arc<AtomicU32>,
        gate: Arc<Semaphore>,
    }

    impl Fetches {
        fn new() -> Self {
            Self { memory: Memory::default(), begun: Arc::default(), gate: Arc::new(Semaphore::new(0)) }
        }

        fn recall(&self) -> impl Future<Output = Outcome<u32>> + use<> {
            let (memory, begun, gate) = (self.memory.clone(), self.begun.clone(), self.gate.clone());
            async move {
                memory
                    .recall(MINUTE, IfStale::Use, || async move {
                        let number = begun.fetch_add(1, Ordering::Relaxed) + 1;
                        gate.acquire().await.expect("open").forget();
                        Ok(number)
                    })
                    .await
            }
        }

        fn begun(&self) -> u32 {
            self.begun.load(Ordering::Relaxed)
        }
    }

    /// Lets all tasks run until they wait.
    async fn settle() {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_fetched_again_when_it_is_old() {
        let fetches = Fetches::new();
        fetches.gate.add_permits(2);
        assert_eq!(*fetches.recall().await.expect("fetched"), 1);
        assert_eq!(*fetches.recall().await.expect("remembered"), 1);
        tokio::time::advance(MINUTE).await;
        assert_eq!(*fetches.recall().await.expect("fetched anew"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_share_one_fetch() {
        let fetches = Fetches::new();
        let open = async { fetches.gate.add_permits(1) };
        let (first, second, third, ()) = futures::join!(fetches.recall(), fetches.recall(), fetches.recall(), open);
        assert_eq!([*first.expect("one"), *second.expect("two"), *third.expect("three")], [1, 1, 1]);
        assert_eq!(fetches.begun(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_goes_away_takes_nothing_from_the_others() {
        // Which of three leave, the first of whom has started the fetch.
        for leaving in [&[0][..], &[1], &[0, 1], &[1, 2], &[0, 1, 2]] {
            let fetches = Fetches::new();
            let mut waiting: Vec<_> = (0..3).map(|_| Some(tokio::spawn(fetches.recall()))).collect();
            settle().await;
            for &who in leaving {
                waiting[who].take().expect("it waits").abort();
            }
            settle().await;
            fetches.gate.add_permits(1);
            for stays in waiting.into_iter().flatten() {
                assert_eq!(*stays.await.expect("not aborted").expect("fetched"), 1, "{leaving:?}");
            }
            settle().await;
            assert_eq!(*fetches.recall().await.expect("kept, though nobody may have waited"), 1, "{leaving:?}");
            assert_eq!(fetches.begun(), 1, "{leaving:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_time_is_up_leaves_the_fetch_to_the_others() {
        let fetches = Fetches::new();
        let hurried = tokio::spawn(tokio::time::timeout(Duration::from_millis(1), fetches.recall()));
        settle().await;
        let patient = tokio::spawn(fetches.recall());
        assert!(hurried.await.expect("no panic").is_err(), "its time is up");
        fetches.gate.add_permits(1);
        assert_eq!(*patient.await.expect("no panic").expect("fetched"), 1);
        assert_eq!(fetches.begun(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_that_panics_is_a_failure_for_all_and_not_the_last() {
        let memory = Memory::<u32>::default();
        let broken = || memory.recall(MINUTE, IfStale::Use, || async { panic!("on purpose") });
        let (first, second) = futures::join!(broken(), broken());
        for outcome in [first, second] {
            assert!(outcome.expect_err("it panics").message.contains("a fault of this server"));
        }
        tokio::time::advance(FAILURE_GOOD_FOR).await;
        assert_eq!(*memory.recall(MINUTE, IfStale::Use, || async { Ok(1) }).await.expect("the next one works"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_leaves_the_old_answer_standing() {
        let memory = Memory::default();
        memory.recall(MINUTE, IfStale::Use, || async { Ok(7) }).await.expect("fetched");
        tokio::time::advance(MINUTE).await;
        assert_eq!(*memory.recall(MINUTE, IfStale::Use, || async { failing() }).await.expect("stale"), 7);
        let strict = memory.recall(Duration::ZERO, IfStale::Fail, || async { Ok(8) }).await;
        assert_eq!(strict.expect_err("the failure still stands").message, "down");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_answers_for_a_moment_and_not_longer() {
        let memory = Memory::default();
        assert!(memory.recall(MINUTE, IfStale::Use, || async { failing() }).await.is_err());
        assert!(memory.recall(MINUTE, IfStale::Use, || async { Ok(1) }).await.is_err());
        tokio::time::advance(FAILURE_GOOD_FOR).await;
        assert_eq!(*memory.recall(MINUTE, IfStale::Use, || async { Ok(1) }).await.expect("up again"), 1);
    }
}
