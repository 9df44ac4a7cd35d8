//! Where a guest runs: in the task that asks for it while it computes little, as most do, and from then on on a thread of its own.
//!
//! A guest that computes gives nobody a turn but the operating system, so that is who shares the processors out: between guests,
//! and between guests and everything else. With eight spinning guests on the runtime that also serves HTTP, a timer of 3 ms was
//! 360 ms late there; and on a runtime of two threads for all guests, each would wait for the turns of the seven others. But the way
//! to another thread and back takes longer than a short call, so it is for those that make others wait.
//!
//! Whoever computes for long gets its turns on all processors but one: with threads on every processor, even of the lowest priority, a
//! call that waited for the network comes back to a processor that is taken, and may wait for some milliseconds at each step.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::FutureExt;
use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use super::meter::{Meter, Metered};

/// How long a guest may compute in the task that asks for it. It is looked at when the guest waits, ends or is interrupted: a tick of
/// the epoch later at most, or as long as one instruction that fills all its memory takes.
const BRIEF: Duration = Duration::from_millis(1);

/// How long it may compute before it has to take turns with its like. A page of 1,000 objects takes less.
const LONG: Duration = Duration::from_millis(20);

/// How far the threads of such guests stand back, in steps of `nice`: at 10 a thread gets a tenth of what another gets that it
/// competes with.
const NICENESS: i32 = 10;

/// How long such a turn is. Each change of turns wakes a thread, perhaps on the processor that was free: with a change at every tick of
/// the epoch there would be a thousand a second.
const TURN: Duration = Duration::from_millis(50);

/// The processors that guests which compute for long share, first come first served. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Processors(Arc<Semaphore>);

impl Processors {
    /// All of the machine's, or of the cgroup's, but one.
    pub(super) fn all_but_one() -> Self {
        let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self(Arc::new(Semaphore::new((all - 1).max(1))))
    }
}

/// How long the calls of a component compute: as long as the last one that ended, or moved, but no less than half of what was expected
/// of it. The next one begins where that leads to. A call that computes for long after one that did not finds its thread again, and
/// nobody gets to the task of a request by asking for something short now and then. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Habit(Arc<AtomicU64>);

/// The guest ended without an outcome: the host panicked, or no thread could be started.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Habit {
    /// Runs a guest. Dropping the future that is returned drops the guest's, at the next moment at which it gives way.
    pub(super) async fn run<F>(&self, mut guest: Metered<F>, processors: &Processors) -> Result<F::Output, Gone>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let before = self.computed();
        if before <= BRIEF {
            let brief = AssertUnwindSafe(briefly(&mut guest)).catch_unwind().await;
            // A guest can end before anybody has looked at it. The next one will not compute here. That it has to take turns is
            // for the thread's clock to say.
            self.note(guest.meter().spent().min(LONG));
            if let Some(outcome) = brief.map_err(|_panic| Gone)? {
                return Ok(outcome);
            }
        }
        self.on_thread(guest, before > LONG, processors.clone()).await
    }

    /// Runs a guest to its end on a thread of its own, with the timers and connections of the runtime that asks. `long`: it is taken
    /// for one that computes for long from its beginning on.
    async fn on_thread<F>(&self, guest: Metered<F>, long: bool, processors: Processors) -> Result<F::Output, Gone>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let (mut done, outcome) = oneshot::channel();
        let (asking, habit, meter, guest) = (Handle::current(), self.clone(), guest.meter().clone(), guest.alone(BRIEF));
        let run = move || {
            let outcome = asking.block_on(async {
                tokio::select! {
                    biased;
                    () = done.closed() => None,
                    outcome = in_turns(guest, long, &processors) => Some(outcome),
                }
            });
            habit.note(meter.spent());
            // Whoever asked may have gone just now.
            let _ = outcome.map(|outcome| done.send(outcome));
        };
        if let Err(error) = std::thread::Builder::new().name("sandbar-guest".to_owned()).spawn(run) {
            tracing::error!(%error, "no thread can be started for a guest");
        }
        outcome.await.map_err(|_| Gone)
    }

    fn computed(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn note(&self, computed: Duration) {
        // However long it was, a few calls that are brief are enough to make up for it.
        let computed = u64::try_from(computed.min(2 * LONG).as_micros()).unwrap_or(u64::MAX);
        // Two calls that end at once may each see the other's or not.
        self.0.store(computed.max(self.0.load(Ordering::Relaxed) / 2), Ordering::Relaxed);
    }
}

/// Polls a guest until it is done, or has computed for too long to go on here.
async fn briefly<F: Future>(guest: &mut Metered<F>) -> Option<F::Output> {
    poll_fn(|context| match guest.poll_unpin(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if guest.meter().spent() > BRIEF => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Whether a guest that is interrupted in a poll has a turn that is not over: it need not give way.
pub(super) fn has_turn(meter: &Meter) -> bool {
    let before = meter.spent_before();
    meter.is_exact() && before > LONG && meter.spent() < before + TURN
}

/// Lets whoever waits for the processor go first, where a guest has a thread of its own. By itself Linux lets a thread of a low
/// priority finish its slice, of up to 4 ms, before one that has just woken up.
pub(super) fn give_way(meter: &Meter) {
    if meter.is_exact() {
        std::thread::yield_now();
    }
}

/// Polls a guest until it is done. Once it has computed for long, each poll is a turn on one of the processors.
async fn in_turns<F: Future>(mut guest: Metered<F>, mut long: bool, processors: &Processors) -> F::Output {
    stand_back();
    loop {
        // It is never closed.
        let turn = if long { processors.0.acquire().await.ok() } else { None };
        if let Poll::Ready(outcome) = futures::poll!(&mut guest) {
            return outcome;
        }
        drop(turn);
        long |= guest.meter().spent() > LONG;
        woken().await;
    }
}

/// Waits until the task is woken, by whatever it has been polling.
async fn woken() {
    let mut asked = false;
    poll_fn(|_| if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Lowers the priority of the thread that calls it, for ever: to raise it again takes a privilege. Where it is forbidden guests
/// compete as equals.
pub(super) fn stand_back() {
    // On Linux this is about one thread, and none means the caller.
    let _ = getpriority_process(None).and_then(|nice| setpriority_process(None, nice + NICENESS));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread() -> Option<String> {
        std::thread::current().name().map(str::to_owned)
    }

    /// A guest that computes in small steps and says on which thread it ended.
    async fn computes(habit: &Habit, time: Duration) -> Option<String> {
        let meter = Meter::default();
        let during = meter.clone();
        let guest = async move {
            while during.spent() < time {
                tokio::task::yield_now().await;
            }
            thread()
        };
        habit.run(meter.count(guest), &Processors::all_but_one()).await.expect("no panic")
    }

    #[tokio::test]
    async fn a_guest_that_computes_moves_to_a_thread_and_the_next_begins_there() {
        let habit = Habit::default();
        let (here, there) = (thread(), Some("sandbar-guest".to_owned()));
        assert_eq!(computes(&habit, Duration::ZERO).await, here);
        assert_eq!(computes(&habit, 50 * BRIEF).await, there);
        let mut brief = 0;
        while computes(&habit, Duration::ZERO).await == there {
            brief += 1;
        }
        assert!((3..=10).contains(&brief), "it takes some that are brief until the next begins here again: {brief}");
        assert_eq!(computes(&habit, Duration::ZERO).await, here);
    }

    #[tokio::test]
    async fn a_panic_is_told_wherever_it_happens() {
        let habit = Habit::default();
        for on_thread in [false, true] {
            habit.note(if on_thread { 2 * BRIEF } else { Duration::ZERO });
            let guest = Meter::default().count(async { panic!("on purpose") });
            assert_eq!(habit.run(guest, &Processors::all_but_one()).await.map(|_: ()| ()), Err(Gone));
        }
    }

    #[tokio::test]
    async fn a_guest_that_is_given_up_is_dropped() {
        for on_thread in [false, true] {
            let habit = Habit::default();
            habit.note(if on_thread { 2 * BRIEF } else { Duration::ZERO });
            let (alive, dropped) = oneshot::channel::<()>();
            let guest = Meter::default().count(async move {
                let _alive = alive;
                std::future::pending::<()>().await;
            });
            let processors = Processors::all_but_one();
            let mut running = Box::pin(habit.run(guest, &processors));
            assert!(futures::poll!(&mut running).is_pending());
            drop(running);
            assert!(dropped.await.is_err(), "its future is gone");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn guests_that_compute_for_long_take_turns() {
        let one = Processors(Arc::new(Semaphore::new(1)));
        let running = Arc::new(AtomicU64::new(0));
        let spinning = || {
            let (running, one) = (running.clone(), one.clone());
            async move {
                let habit = Habit::default();
                habit.note(2 * LONG);
                let meter = Meter::default();
                let during = meter.clone();
                let guest = async move {
                    while during.spent() < 2 * LONG {
                        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "nobody else computes");
                        let began = during.spent();
                        while during.spent() < began + BRIEF {}
                        running.fetch_sub(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                    }
                };
                habit.run(meter.count(guest), &one).await
            }
        };
        let ends = futures::join!(spinning(), spinning(), spinning());
        assert_eq!(ends, (Ok(()), Ok(()), Ok(())));
    }
}
