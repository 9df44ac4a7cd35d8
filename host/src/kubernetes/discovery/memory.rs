//! An answer that is kept for a while: fetched once for all who wait for it, and again when it is old.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::kubernetes::error::Error;

/// How long a failure answers for the next who ask. Calls that a failing server turns away come back at once, in numbers, and
/// nobody is charged for what is fetched here.
const FAILURE_GOOD_FOR: Duration = Duration::from_secs(1);

/// What to do with an old answer when there is no new one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum IfStale {
    /// Use it: an outage must not make the cluster forget what it serves.
    Use,
    /// Fail: the question is whether something has been added since.
    Fail,
}

/// One answer, with its age.
pub(super) struct Memory<T> {
    held: Mutex<Held<T>>,
}

struct Held<T> {
    value: Option<(Arc<T>, Instant)>,
    failure: Option<(Error, Instant)>,
}

impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self { held: Mutex::new(Held { value: None, failure: None }) }
    }
}

impl<T> Memory<T> {
    /// The answer, if it is at most `good_for` old; else what `fetch` brings.
    pub(super) async fn recall(
        &self,
        good_for: Duration,
        if_stale: IfStale,
        fetch: impl Future<Output = Result<T, Error>>,
    ) -> Result<Arc<T>, Error> {
        // Held while fetching: whoever comes meanwhile waits for this answer instead of asking for another.
        let mut held = self.held.lock().await;
        if let Some((value, since)) = &held.value
            && since.elapsed() < good_for
        {
            return Ok(value.clone());
        }
        if let Some((error, since)) = &held.failure
            && since.elapsed() < FAILURE_GOOD_FOR
        {
            let error = error.clone();
            return held.stale(if_stale).ok_or(error);
        }
        match fetch.await {
            Ok(value) => {
                let value = Arc::new(value);
                *held = Held { value: Some((value.clone(), Instant::now())), failure: None };
                Ok(value)
            }
            Err(error) => {
                held.failure = Some((error.clone(), Instant::now()));
                held.stale(if_stale).ok_or(error)
            }
        }
    }
}

impl<T> Held<T> {
    fn stale(&self, if_stale: IfStale) -> Option<Arc<T>> {
        self.value.as_ref().filter(|_| if_stale == IfStale::Use).map(|(value, _)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::kubernetes::error::Code;

    const MINUTE: Duration = Duration::from_secs(60);

    fn failing() -> Result<u32, Error> {
        Err(Error::new(Code::Unavailable, "down"))
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_fetched_again_when_it_is_old() {
        let memory = Memory::default();
        let fetches = Cell::new(0);
        let fetch = async || {
            fetches.set(fetches.get() + 1);
            Ok(fetches.get())
        };
        assert_eq!(*memory.recall(MINUTE, IfStale::Use, fetch()).await.expect("fetched"), 1);
        assert_eq!(*memory.recall(MINUTE, IfStale::Use, fetch()).await.expect("remembered"), 1);
        tokio::time::advance(MINUTE).await;
        assert_eq!(*memory.recall(MINUTE, IfStale::Use, fetch()).await.expect("fetched anew"), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_share_one_fetch() {
        let memory = Memory::default();
        let fetches = Cell::new(0);
        let fetch = async || {
            tokio::time::sleep(Duration::from_millis(5)).await;
            fetches.set(fetches.get() + 1);
            Ok(fetches.get())
        };
        let recall = || memory.recall(MINUTE, IfStale::Use, fetch());
        let (first, second, third) = futures::join!(recall(), recall(), recall());
        assert_eq!([*first.expect("one"), *second.expect("two"), *third.expect("three")], [1, 1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_leaves_the_old_answer_standing() {
        let memory = Memory::default();
        memory.recall(MINUTE, IfStale::Use, async { Ok(7) }).await.expect("fetched");
        tokio::time::advance(MINUTE).await;
        assert_eq!(*memory.recall(MINUTE, IfStale::Use, async { failing() }).await.expect("stale"), 7);
        let strict = memory.recall(Duration::ZERO, IfStale::Fail, async { Ok(8) }).await;
        assert_eq!(strict.expect_err("the failure still stands").message, "down");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_answers_for_a_moment_and_not_longer() {
        let memory = Memory::default();
        assert!(memory.recall(MINUTE, IfStale::Use, async { failing() }).await.is_err());
        assert!(memory.recall(MINUTE, IfStale::Use, async { Ok(1) }).await.is_err());
        tokio::time::advance(FAILURE_GOOD_FOR).await;
        assert_eq!(*memory.recall(MINUTE, IfStale::Use, async { Ok(1) }).await.expect("up again"), 1);
    }
}
