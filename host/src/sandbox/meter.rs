//! Processor time of one call, counted while its guest is polled.
//!
//! On a thread of the guest's own, the thread's clock tells what it used. Counting epoch ticks instead would charge a guest for
//! waiting: 64 host calls of 12 ms each cost 630 ms by ticks. The wall clock would charge it for other guests that have the processor
//! meanwhile. But it costs a fiftieth of the thread's clock, and so it is good enough for the first millisecond.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// A count that its guest's future and whoever limits it share. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<Inner>);

/// Times in nanoseconds.
#[derive(Debug, Default)]
struct Inner {
    /// What was used before the poll that is going on, or in all where none is.
    before: AtomicU64,
    /// The clock when that poll began; none: zero.
    began: AtomicU64,
    /// The guest has its thread to itself.
    alone: AtomicBool,
}

impl Meter {
    /// The processor time used so far. During a poll it must be asked on the thread that polls.
    pub(super) fn spent(&self) -> Duration {
        let before = self.0.before.load(Ordering::Relaxed);
        match self.0.began.load(Ordering::Relaxed) {
            0 => Duration::from_nanos(before),
            began => Duration::from_nanos(before + self.clock().saturating_sub(began)),
        }
    }

    /// The part of it that was used before the poll that is going on.
    pub(super) fn spent_before(&self) -> Duration {
        Duration::from_nanos(self.0.before.load(Ordering::Relaxed))
    }

    /// Whether more than `limit` was used beyond doubt, with no time of anybody else's in the count.
    pub(super) fn is_over(&self, limit: Duration) -> bool {
        self.is_exact() && self.spent() > limit
    }

    /// Whether no time of anybody else's is in the count.
    pub(super) fn is_exact(&self) -> bool {
        self.0.alone.load(Ordering::Relaxed)
    }

    /// Counts what a future uses, from each poll's beginning to its end.
    pub(super) fn count<F: Future>(&self, future: F) -> Metered<F> {
        Metered { meter: self.clone(), future: Box::pin(future) }
    }

    /// Never zero.
    fn clock(&self) -> u64 {
        if self.is_exact() { thread_time() } else { wall_time() }
    }
}

/// A future whose processor time is counted.
pub(super) struct Metered<F> {
    meter: Meter,
    future: Pin<Box<F>>,
}

impl<F> Metered<F> {
    /// The count.
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The same, for a thread that polls nothing else. Of what was charged by the wall clock, no more than `most` is kept: the rest may
    /// be somebody else's.
    pub(super) fn alone(self, most: Duration) -> Self {
        self.meter.0.before.fetch_min(nanos(most), Ordering::Relaxed);
        self.meter.0.alone.store(true, Ordering::Relaxed);
        self
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let count = &self.meter.0;
        count.began.store(self.meter.clock(), Ordering::Relaxed);
        let polled = self.future.as_mut().poll(context);
        let count = &self.meter.0;
        count.before.store(nanos(self.meter.spent()), Ordering::Relaxed);
        count.began.store(0, Ordering::Relaxed);
        polled
    }
}

/// What this thread has had of processors since it began. It takes some to ask.
fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    nanos(Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default()))
}

/// Since a moment before the first call.
fn wall_time() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    nanos(START.elapsed()).saturating_add(1)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[tokio::test]
    async fn waiting_is_not_charged_and_computing_is() {
        let meter = Meter::default();
        let during = meter.clone();
        let guest = async move {
            tokio::time::sleep(50 * MILLISECOND).await;
            let waited = during.spent();
            assert!(waited < 50 * MILLISECOND, "{waited:?}");
            while during.spent() < waited + MILLISECOND {
                std::hint::black_box(thread_time());
            }
            waited
        };
        let waited = meter.count(guest).alone(MILLISECOND).await;
        let spent = meter.spent();
        assert!(spent >= waited + MILLISECOND);
        let began = thread_time();
        while thread_time() < began + nanos(MILLISECOND) {}
        assert_eq!(meter.spent(), spent, "what the thread does after the last poll is not the guest's");
    }

    #[tokio::test]
    async fn between_two_polls_nothing_is_charged_by_either_clock() {
        for alone in [false, true] {
            let meter = Meter::default();
            let guest = meter.count(tokio::time::sleep(200 * MILLISECOND));
            if alone {
                guest.alone(MILLISECOND).await
            } else {
                guest.await
            }
            assert!(meter.spent() > Duration::ZERO && meter.spent() < 100 * MILLISECOND, "{meter:?}");
        }
    }
}
