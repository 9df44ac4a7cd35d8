//! The threads that calls compute on.
//!
//! A call that computes does not yield to other tasks, so the operating system schedules it: against other calls, and against
//! everything else. With eight spinning guests on the runtime that also serves HTTP, a timer of 3 ms was 360 ms late; and on a
//! runtime of two threads for all calls, each would wait for the turns of the seven others. But moving to another thread and back
//! takes longer than a short call, so only calls that make others wait are moved.
//!
//! Long calls take turns on all processors but one: with threads on every processor, even of the lowest priority, a call that
//! waited for the network returns to a busy processor, and may wait for some milliseconds at each step.

use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::panic::AssertUnwindSafe;
use std::task::Poll;

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::meter::{Meter, Metered};
use super::{Account, BRIEF, CpuEstimate, FairSemaphore, LONG, Share, lower_priority};

/// The processors that long calls share: their callers take turns, and so do the calls of each. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Processors {
    turns: FairSemaphore,
}

/// The work panicked, or no thread could be started for it.
#[derive(Debug, PartialEq, Eq)]
pub struct Failed;

impl Processors {
    /// All processors of the machine, or of the cgroup, but one.
    pub fn all_but_one() -> Self {
        let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self::of((all - 1).max(1))
    }

    /// So many processors.
    pub fn of(count: usize) -> Self {
        // As many wait as there are calls and bodies, and these are counted elsewhere.
        Self { turns: FairSemaphore::new(Share::All, count, usize::MAX) }
    }

    /// Runs a call to its end: in this task while it computes little, then on a thread of its own. Dropping the returned future
    /// drops the call's future the next time it yields. A panic of the call is caught here, wherever it runs.
    pub async fn run<F>(&self, meter: &Meter, estimate: &CpuEstimate, call: F) -> Result<F::Output, Failed>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let _given_up = meter.give_up_later();
        let call = async { AssertUnwindSafe(call).catch_unwind().await.map_err(|_panic| Failed) };
        let mut call = meter.count(call);
        let expected = estimate.expected();
        if expected <= BRIEF {
            let brief = poll_briefly(&mut call).await;
            // A call can end before its time is checked: the estimate starts the next one on a thread. Capped at [`LONG`], since
            // only the thread's clock tells that a call has to take turns.
            estimate.note(meter.spent().min(LONG));
            if let Some(outcome) = brief {
                return outcome;
            }
        }
        self.on_thread(call, estimate.clone(), expected > LONG).await.and_then(|outcome| outcome)
    }

    /// Runs CPU-bound work that is not part of a call on a thread of its own, in the runtime that asks, once it is the account's turn.
    /// It cannot be stopped, so it has to end by itself.
    pub async fn work<T: Send + 'static>(
        &self,
        account: &Account,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failed> {
        // There is always room to wait.
        let turn = self.turns.acquire(account).await.ok();
        let (done, outcome) = oneshot::channel();
        let asking = Handle::current();
        spawn(move || {
            let (_turn, _runtime) = (turn, asking.enter());
            // The receiver may be gone.
            let _ = done.send(work());
        });
        outcome.await.map_err(|_| Failed)
    }

    /// Runs a call to its end on a thread of its own, with the timers and connections of the runtime that asks. `long`: it takes
    /// turns from the beginning.
    async fn on_thread<F>(&self, call: Metered<F>, estimate: CpuEstimate, long: bool) -> Result<F::Output, Failed>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let (mut done, outcome) = oneshot::channel();
        let (asking, processors, meter, call) = (Handle::current(), self.clone(), call.meter().clone(), call.alone());
        spawn(move || {
            let outcome = asking.block_on(async {
                tokio::select! {
                    biased;
                    () = done.closed() => None,
                    outcome = poll_in_turns(call, long, &processors) => Some(outcome),
                }
            });
            estimate.note(meter.spent());
            // The receiver may be gone by now.
            let _ = outcome.map(|outcome| done.send(outcome));
        });
        outcome.await.map_err(|_| Failed)
    }
}

/// Starts a thread of low priority. If that fails, `work` is dropped.
fn spawn(work: impl FnOnce() + Send + 'static) {
    let run = move || {
        lower_priority();
        work();
    };
    if let Err(error) = std::thread::Builder::new().name("sandbar-call".to_owned()).spawn(run) {
        tracing::error!(%error, "no thread can be started for a call");
    }
}

/// Polls a call until it is done, or none if it has to move to a thread.
async fn poll_briefly<F: Future>(call: &mut Metered<F>) -> Option<F::Output> {
    poll_fn(|context| match call.poll_unpin(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if call.meter().is_for_thread() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// Polls a call until it is done. Once it is long, each poll takes a permit for one of the processors.
async fn poll_in_turns<F: Future>(mut call: Metered<F>, mut long: bool, processors: &Processors) -> F::Output {
    loop {
        // There is always room to wait.
        let turn = if long { processors.turns.acquire(call.meter().account()).await.ok() } else { None };
        if let Poll::Ready(outcome) = futures::poll!(&mut call) {
            return outcome;
        }
        drop(turn);
        long |= call.meter().spent() > LONG;
        woken().await;
    }
}

/// Waits until something that was polled wakes the task.
async fn woken() {
    let mut asked = false;
    poll_fn(|_| if std::mem::replace(&mut asked, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, mpsc};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::{STEP_BYTES, TestClock};

    /// How long a test waits for something that never comes.
    const HANGS: Duration = Duration::from_secs(60);

    /// The name of a call's own thread.
    const OWN: &str = "sandbar-call";

    fn thread() -> String {
        std::thread::current().name().unwrap_or_default().to_owned()
    }

    /// A call that computes for so long in two steps, and returns the name of the thread on which it ended.
    async fn computes(estimate: &CpuEstimate, time: Duration) -> String {
        let hand = TestClock::default();
        let meter = hand.meter();
        let during = meter.clone();
        let call = async move {
            hand.advance(time);
            during.yield_if_due().await;
            thread()
        };
        Processors::of(1).run(&meter, estimate, call).await.expect("no panic")
    }

    #[tokio::test]
    async fn a_call_that_computes_moves_to_a_thread_and_the_next_begins_there() {
        let (estimate, here) = (CpuEstimate::default(), thread());
        assert_eq!(computes(&estimate, BRIEF).await, here);
        assert_eq!(computes(&estimate, 50 * BRIEF).await, OWN);
        assert_eq!(computes(&estimate, Duration::ZERO).await, OWN);
        for _ in 0..10 {
            computes(&estimate, Duration::ZERO).await;
        }
        assert_eq!(computes(&estimate, Duration::ZERO).await, here);
    }

    #[tokio::test]
    async fn a_call_that_others_keep_from_the_processor_has_not_computed() {
        let (estimate, here) = (CpuEstimate::default(), thread());
        for _ in 0..2 {
            let hand = TestClock::default();
            let meter = hand.meter();
            let during = meter.clone();
            let call = async move {
                hand.advance(BRIEF / 2);
                hand.wait(50 * BRIEF);
                during.yield_if_due().await;
                thread()
            };
            assert_eq!(Processors::of(1).run(&meter, &estimate, call).await.as_deref(), Ok(&*here));
            assert_eq!(meter.spent(), BRIEF / 2);
        }
    }

    #[tokio::test]
    async fn a_step_that_is_large_is_not_made_in_the_task_of_the_request() {
        let here = thread();
        for (bytes, on) in [(0, &*here), (STEP_BYTES, &*here), (STEP_BYTES + 1, OWN), (usize::MAX, OWN)] {
            let meter = Meter::default();
            let during = meter.clone();
            let call = async move {
                during.prepare_for(bytes).await;
                thread()
            };
            assert_eq!(Processors::of(1).run(&meter, &CpuEstimate::default(), call).await.as_deref(), Ok(on), "{bytes} bytes");
        }
    }

    #[tokio::test]
    async fn a_panic_is_told_wherever_it_happens() {
        for on_thread in [false, true] {
            let (meter, estimate) = (Meter::default(), CpuEstimate::default());
            estimate.note(if on_thread { 2 * BRIEF } else { Duration::ZERO });
            let outcome: Result<(), Failed> = Processors::of(1).run(&meter, &estimate, async { panic!("on purpose") }).await;
            assert_eq!(outcome, Err(Failed));
        }
        assert_eq!(Processors::of(1).work(&Account::Operator, || -> () { panic!("on purpose") }).await, Err(Failed));
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_is_dropped_and_hears_of_it() {
        for on_thread in [false, true] {
            let (meter, estimate) = (Meter::default(), CpuEstimate::default());
            estimate.note(if on_thread { 2 * BRIEF } else { Duration::ZERO });
            let (alive, dropped) = oneshot::channel::<()>();
            let call = async move {
                let _alive = alive;
                std::future::pending::<()>().await;
            };
            let processors = Processors::of(1);
            let mut running = Box::pin(processors.run(&meter, &estimate, call));
            assert!(futures::poll!(&mut running).is_pending() && !meter.is_given_up());
            drop(running);
            assert!(meter.is_given_up());
            timeout(HANGS, dropped).await.expect("its future goes").expect_err("it is dropped");
        }
    }

    #[test]
    fn the_runtime_serves_others_while_a_call_computes() {
        // One thread for everything that is not a call's own work.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (open, gate) = mpsc::channel::<()>();
        let meter = Meter::default();
        let during = meter.clone();
        let call = async move {
            during.prepare_for(usize::MAX).await;
            // Stands for work of any length: only another task of the runtime ends it.
            gate.recv_timeout(HANGS).map_err(drop)
        };
        let outcome = runtime.block_on(async move {
            let call = tokio::spawn(async move { Processors::of(1).run(&meter, &CpuEstimate::default(), call).await });
            tokio::spawn(async move { open.send(()) }).await.expect("no panic").expect("the call waits");
            call.await.expect("no panic")
        });
        assert_eq!(outcome, Ok(Ok(())));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn calls_that_compute_for_long_take_turns_with_work_beside_them() {
        let one = Processors::of(1);
        let running = Arc::new(AtomicU64::new(0));
        let enter = |running: &AtomicU64| assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "nobody else computes");
        let spinning = || {
            let (running, one) = (running.clone(), one.clone());
            async move {
                let estimate = CpuEstimate::default();
                estimate.note(2 * LONG);
                let meter = Meter::default();
                let call = async move {
                    for _ in 0..100 {
                        enter(&running);
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        tokio::task::yield_now().await;
                    }
                };
                one.run(&meter, &estimate, call).await
            }
        };
        let beside = running.clone();
        let work = one.work(&Account::Anonymous, move || {
            enter(&beside);
            std::thread::yield_now();
            beside.fetch_sub(1, Ordering::SeqCst);
        });
        assert_eq!(futures::join!(spinning(), spinning(), work), (Ok(()), Ok(()), Ok(())));
    }
    #[tokio::test]
    async fn a_caller_with_many_long_calls_has_every_other_turn_beside_one_with_one() {
        const GREEDY: usize = 8;
        const POLLS: usize = 20;
        let one = Processors::of(1);
        let (turns, left) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(GREEDY + 1)));
        let long = |name: &'static str| {
            let (turns, left, one) = (turns.clone(), left.clone(), one.clone());
            async move {
                let estimate = CpuEstimate::default();
                estimate.note(2 * LONG);
                let line = one.turns.clone();
                let call = async move {
                    for _ in 0..POLLS {
                        // A turn takes longer than it takes to be back in line for the next.
                        while line.waiting() + 1 < left.load(Ordering::SeqCst) {
                            std::thread::yield_now();
                        }
                        turns.lock().expect("no panic").push(name);
                        tokio::task::yield_now().await;
                    }
                    left.fetch_sub(1, Ordering::SeqCst);
                };
                one.run(&Meter::of(Account::User(name.into())), &estimate, call).await
            }
        };
        // All of them come while somebody has the turn.
        let (end, gate) = mpsc::channel::<()>();
        let mut first = Box::pin(one.work(&Account::Operator, move || gate.recv_timeout(HANGS).is_ok()));
        assert!(futures::poll!(&mut first).is_pending());
        let mut calls: Vec<_> = std::iter::repeat_n("greedy", GREEDY).map(|name| Box::pin(long(name))).collect();
        calls.push(Box::pin(long("other")));
        for call in &mut calls {
            assert!(futures::poll!(call).is_pending());
        }
        while one.turns.waiting() < calls.len() {
            tokio::task::yield_now().await;
        }
        end.send(()).expect("it waits");
        assert_eq!(first.await, Ok(true));
        assert!(futures::future::join_all(calls).await.iter().all(Result::is_ok));
        let turns = turns.lock().expect("no panic");
        let until_its_last = turns.iter().rposition(|name| *name == "other").expect("it had turns");
        assert!(until_its_last <= 2 * POLLS, "{turns:?}");
    }
}
