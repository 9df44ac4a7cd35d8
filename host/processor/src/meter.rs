//! Processor time of one call, counted while its future is polled.
//!
//! The thread's clock tells what a call used. Epoch ticks would charge a call for waiting: 64 reads of 12 ms each cost 630 ms by
//! ticks. The wall clock charges it for others that have the processor meanwhile, but costs a fiftieth to read. So it is enough
//! for the first millisecond; beyond that, the thread's clock is read.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::{Account, BRIEF, LONG, STEP_BYTES, TURN, yield_cpu};

/// A meter shared by a call's future and whoever limits it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Inner>);

/// Times in nanoseconds.
#[derive(Debug, Default)]
struct Inner {
    account: Account,
    clock: Clock,
    /// Used before the current poll, or in all between polls.
    before: AtomicU64,
    /// The clock when the current poll began; zero between polls.
    began: AtomicU64,
    /// The thread's clock when the current poll began, or a little more.
    computed: AtomicU64,
    /// The result of the last `spent`.
    noted: AtomicU64,
    /// The call has a thread of its own.
    alone: AtomicBool,
    /// The call asks for a thread of its own.
    wants_thread: AtomicBool,
    /// Nobody waits for the call any more.
    given_up: AtomicBool,
}

impl Meter {
    /// A meter of what is computed on this account. The default one is the operator's.
    pub fn of(account: Account) -> Self {
        Self(Arc::new(Inner { account, ..Inner::default() }))
    }

    /// On whose account it is.
    pub fn account(&self) -> &Account {
        &self.0.account
    }

    /// The processor time used so far. During a poll, only for the thread that polls.
    pub(crate) fn spent(&self) -> Duration {
        let before = self.0.before.load(Ordering::Relaxed);
        let spent = match self.0.began.load(Ordering::Relaxed) {
            0 => before,
            began => before + self.since(began, before),
        };
        self.0.noted.store(spent, Ordering::Relaxed);
        Duration::from_nanos(spent)
    }

    /// What the current poll has used.
    fn since(&self, began: u64, before: u64) -> u64 {
        let clock = &self.0.clock;
        if self.is_alone() {
            return clock.thread().saturating_sub(began);
        }
        let passed = clock.wall().saturating_sub(began);
        if before + passed <= nanos(BRIEF) {
            return passed;
        }
        // Usually others had the processor for a while.
        passed.min(clock.thread().saturating_sub(self.0.computed.load(Ordering::Relaxed)))
    }

    /// The processor time at the last call of `spent`. For any thread.
    pub fn last_spent(&self) -> Duration {
        Duration::from_nanos(self.0.noted.load(Ordering::Relaxed))
    }

    /// Whether the call certainly used more than `limit`: only a thread of its own is metered without time of others.
    pub fn is_over(&self, limit: Duration) -> bool {
        self.is_alone() && self.spent() > limit
    }

    /// Whether the call has a thread of its own, and so is metered without time of others.
    pub fn is_alone(&self) -> bool {
        self.0.alone.load(Ordering::Relaxed)
    }

    /// Whether nobody waits for the call any more.
    pub fn is_given_up(&self) -> bool {
        self.0.given_up.load(Ordering::Relaxed)
    }

    /// Whether the current poll should yield: to move to another thread, or because its turn is over.
    pub fn is_due(&self) -> bool {
        let before = Duration::from_nanos(self.0.before.load(Ordering::Relaxed));
        self.is_polled()
            && match self.is_alone() {
                false => self.spent() > BRIEF,
                true if before > LONG => self.spent() > before + TURN,
                true => self.spent() > LONG,
            }
    }

    /// Yields between two steps of work, if that is due. Steps should be short: a call that was given up still ends its current
    /// one.
    pub async fn yield_if_due(&self) {
        if self.is_alone() {
            yield_cpu();
        }
        if self.is_due() {
            tokio::task::yield_now().await;
        }
    }

    /// Prepares for one step of work on `bytes` bytes: before a large one, the call moves to a thread of its own. Does nothing
    /// outside of a call.
    pub async fn prepare_for(&self, bytes: usize) {
        if bytes > STEP_BYTES && self.is_polled() && !self.is_alone() {
            self.0.wants_thread.store(true, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    }

    /// Meters a future, from the beginning of each poll to its end.
    pub(super) fn count<F: Future>(&self, future: F) -> Metered<F> {
        Metered { meter: self.clone(), future: Box::pin(future) }
    }

    /// Whether a call that is pending has to move to a thread of its own.
    pub(super) fn is_for_thread(&self) -> bool {
        self.0.wants_thread.load(Ordering::Relaxed) || self.spent() > BRIEF
    }

    /// Gives the call up when the guard is dropped.
    pub(super) fn give_up_later(&self) -> impl Drop + use<> {
        struct GiveUp(Meter);
        impl Drop for GiveUp {
            fn drop(&mut self) {
                self.0.0.given_up.store(true, Ordering::Relaxed);
            }
        }
        GiveUp(self.clone())
    }

    fn is_polled(&self) -> bool {
        self.0.began.load(Ordering::Relaxed) != 0
    }
}

/// A future whose processor time is metered.
pub(super) struct Metered<F> {
    meter: Meter,
    future: Pin<Box<F>>,
}

impl<F> Metered<F> {
    pub(super) fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Prepares it for a thread that polls nothing else. Of the time by the wall clock, at most [`BRIEF`] is kept: the rest may be
    /// that of others.
    pub(super) fn alone(self) -> Self {
        self.meter.0.before.fetch_min(nanos(BRIEF), Ordering::Relaxed);
        self.meter.0.alone.store(true, Ordering::Relaxed);
        self
    }
}

impl<F: Future> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let count = &self.meter.0;
        let began = if self.meter.is_alone() {
            count.clock.thread()
        } else {
            let began = count.clock.wall();
            count.computed.store(count.clock.thread_at(began), Ordering::Relaxed);
            began
        };
        count.began.store(began, Ordering::Relaxed);
        let polled = self.future.as_mut().poll(context);
        let count = &self.meter.0;
        count.before.store(nanos(self.meter.spent()), Ordering::Relaxed);
        count.began.store(0, Ordering::Relaxed);
        polled
    }
}

/// The clocks, or those of a test.
#[derive(Debug, Default)]
enum Clock {
    #[default]
    Machine,
    /// Moved by a test.
    #[cfg(any(test, feature = "test-clock"))]
    TestClock(TestClock),
}

impl Clock {
    /// Processor time of this thread since it began. Never zero. Costs a system call.
    fn thread(&self) -> u64 {
        match self {
            Self::Machine => {
                let time = clock_gettime(ClockId::ThreadCPUTime);
                nanos(Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())).max(1)
            }
            #[cfg(any(test, feature = "test-clock"))]
            Self::TestClock(hand) => hand.thread(),
        }
    }

    /// The thread's clock at the wall clock's `wall`, or a little more. Extrapolated from the last reading, as if this thread had had
    /// the processor ever since: reading the wall clock alone is cheaper.
    fn thread_at(&self, wall: u64) -> u64 {
        /// How long a reading of the thread's clock is extrapolated, in nanoseconds.
        const MOMENT: u64 = 500_000;
        thread_local! {
            /// The last reading of both clocks, the wall clock first.
            static ASKED: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
        }
        match self {
            Self::Machine => ASKED.with(|asked| {
                if asked.get().0 == 0 || wall.saturating_sub(asked.get().0) > MOMENT {
                    asked.set((wall, self.thread()));
                }
                let (wall_then, thread_then) = asked.get();
                thread_then + wall.saturating_sub(wall_then)
            }),
            #[cfg(any(test, feature = "test-clock"))]
            Self::TestClock(hand) => hand.thread(),
        }
    }

    /// Wall-clock time since a moment before the first reading. Never zero.
    fn wall(&self) -> u64 {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::Machine => nanos(START.elapsed()).max(1),
            #[cfg(any(test, feature = "test-clock"))]
            Self::TestClock(hand) => hand.wall(),
        }
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A clock that a test moves.
#[cfg(any(test, feature = "test-clock"))]
#[derive(Clone, Debug, Default)]
pub struct TestClock {
    computed: Arc<AtomicU64>,
    /// Time of others on the processor, which only the wall clock counts.
    waited: Arc<AtomicU64>,
}

#[cfg(any(test, feature = "test-clock"))]
impl TestClock {
    /// A meter that reads this clock.
    pub fn meter(&self) -> Meter {
        Meter(Arc::new(Inner { clock: Clock::TestClock(self.clone()), ..Inner::default() }))
    }

    /// Moves both clocks.
    pub fn advance(&self, time: Duration) {
        self.computed.fetch_add(nanos(time), Ordering::Relaxed);
    }

    /// Moves the wall clock only.
    pub fn wait(&self, time: Duration) {
        self.waited.fetch_add(nanos(time), Ordering::Relaxed);
    }

    fn thread(&self) -> u64 {
        self.computed.load(Ordering::Relaxed) + 1
    }

    fn wall(&self) -> u64 {
        self.thread() + self.waited.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures::FutureExt;

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    /// A future that computes for so long in each poll.
    fn computes<const POLLS: usize>(hand: &TestClock, times: [Duration; POLLS]) -> impl Future<Output = ()> + use<POLLS> {
        let (hand, mut times) = (hand.clone(), times.into_iter());
        poll_fn(move |_| {
            times.next().map_or(Poll::Ready(()), |time| {
                hand.advance(time);
                Poll::Pending
            })
        })
    }

    #[test]
    fn what_a_poll_takes_is_charged_and_what_lies_between_is_not() {
        let hand = TestClock::default();
        let meter = hand.meter();
        let mut call = meter.count(computes(&hand, [MILLISECOND, Duration::ZERO]));
        for _ in 0..3 {
            let _ = (&mut call).now_or_never();
            hand.advance(100 * MILLISECOND);
            assert_eq!((meter.spent(), meter.last_spent()), (MILLISECOND, MILLISECOND));
        }
    }

    #[test]
    fn of_what_the_wall_clock_has_charged_little_stays_on_a_thread_of_its_own() {
        let hand = TestClock::default();
        let meter = hand.meter();
        let mut call = meter.count(computes(&hand, [100 * MILLISECOND, MILLISECOND]));
        let _ = (&mut call).now_or_never();
        assert!(!meter.is_over(Duration::ZERO), "it may be somebody else's");
        let mut call = call.alone();
        let _ = (&mut call).now_or_never();
        assert_eq!(meter.spent(), BRIEF + MILLISECOND);
        assert!(meter.is_over(BRIEF) && !meter.is_over(2 * BRIEF));
    }

    #[test]
    fn a_poll_is_due_when_it_is_somebody_elses_turn() {
        for (alone, before, turn) in
            [(false, Duration::ZERO, BRIEF), (true, Duration::ZERO, LONG), (true, LONG, TURN), (true, 10 * LONG, TURN)]
        {
            let hand = TestClock::default();
            let meter = hand.meter();
            meter.0.alone.store(alone, Ordering::Relaxed);
            // Beyond it by a nanosecond, as a poll ends that has used a turn.
            let before = if before.is_zero() { before } else { before + Duration::from_nanos(1) };
            meter.0.before.store(nanos(before), Ordering::Relaxed);
            let (during, moving) = (meter.clone(), hand.clone());
            let polled = poll_fn(move |_| {
                moving.advance(turn);
                assert!(!during.is_due(), "{alone} {before:?}");
                moving.advance(Duration::from_nanos(1));
                assert!(during.is_due(), "{alone} {before:?}");
                Poll::Ready(())
            });
            meter.count(polled).now_or_never().expect("one poll");
            assert!(!meter.is_due(), "nothing is polled");
        }
    }

    #[tokio::test]
    async fn the_machines_clocks_go_on_while_something_computes() {
        /// Looks at a clock, which take longer together than any of its steps.
        const LOOKS: u32 = 10_000_000;
        for alone in [false, true] {
            let meter = Meter::default();
            meter.0.alone.store(alone, Ordering::Relaxed);
            let during = meter.clone();
            meter
                .count(async move {
                    let before = during.spent();
                    assert!((0..LOOKS).any(|_| during.spent() > before), "it stands still");
                })
                .await;
            assert!(meter.spent() > Duration::ZERO);
        }
    }

    #[tokio::test]
    async fn outside_of_a_call_nobody_has_to_give_way() {
        let meter = Meter::default();
        assert_eq!(meter.prepare_for(usize::MAX).now_or_never(), Some(()));
        assert_eq!(meter.yield_if_due().now_or_never(), Some(()));
    }
}
