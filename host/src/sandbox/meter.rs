//! Processor time of one call: the time inside `Future::poll`.
//!
//! Counting epoch ticks instead would charge a guest for waiting: 64 host calls of 12 ms each cost 630 ms by ticks and 12 ms by
//! the time inside `poll`.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The processor time that a call has used. Shared between the task that is measured and the epoch callback inside it.
#[derive(Debug)]
pub(super) struct Meter {
    origin: Instant,
    /// Nanoseconds used in polls that have ended.
    used: AtomicU64,
    /// Nanoseconds between `origin` and the beginning of the running poll; [`IDLE`] between polls.
    began: AtomicU64,
}

/// No poll is running.
const IDLE: u64 = u64::MAX;

impl Meter {
    /// A meter at zero.
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), used: AtomicU64::new(0), began: AtomicU64::new(IDLE) }
    }

    /// Runs a future and counts its polls.
    pub(super) async fn measure<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            self.began.store(self.now(), Ordering::Relaxed);
            let outcome = future.as_mut().poll(context);
            self.used.store(nanoseconds(self.spent()), Ordering::Relaxed);
            self.began.store(IDLE, Ordering::Relaxed);
            outcome
        })
        .await
    }

    /// The time used so far, that of a running poll included.
    pub(super) fn spent(&self) -> Duration {
        let running = match self.began.load(Ordering::Relaxed) {
            IDLE => 0,
            began => self.now().saturating_sub(began),
        };
        Duration::from_nanos(self.used.load(Ordering::Relaxed) + running)
    }

    fn now(&self) -> u64 {
        nanoseconds(self.origin.elapsed())
    }
}

/// A call lasts far less than the 584 years that fit.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(IDLE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_is_not_charged() {
        let meter = Meter::new();
        let before = meter.spent();
        meter.measure(tokio::time::sleep(Duration::from_secs(3600))).await;
        assert!(before.is_zero());
        assert!(meter.spent() < Duration::from_secs(3600));
        assert!(!meter.spent().is_zero(), "polls themselves are");
    }
}
