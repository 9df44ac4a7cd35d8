//! The clock that interrupts guests: a thread that moves the epoch on while calls run, and sleeps while none does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::Thread;
use std::time::Duration;

/// Time between two interruptions of a running guest: how late a spinning guest is stopped, how long one can hold the task of its
/// request, and how long a thread waits that wakes up on the processor of one that computes for long. A tick takes some
/// microseconds, of this thread and of each guest that runs.
const TICK: Duration = Duration::from_millis(1);

/// Counts the running calls and wakes the clock for the first.
#[derive(Debug)]
pub(super) struct Ticker {
    running: Arc<AtomicUsize>,
    thread: Thread,
}

/// A call that runs: while it is held, the clock ticks.
#[derive(Debug)]
pub(super) struct Ticking(Arc<AtomicUsize>);

impl Ticker {
    /// Starts the clock's thread, which moves the epoch on with `advance`. It ends with the ticker and the last call that runs.
    pub(super) fn start(advance: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let running = Arc::new(AtomicUsize::new(0));
        let weak_running = Arc::downgrade(&running);
        let thread = std::thread::Builder::new()
            .name("sandbar-epoch".to_owned())
            .spawn(move || tick(&weak_running, advance))?
            .thread()
            .clone();
        Ok(Self { running, thread })
    }

    /// Keeps the clock going until the guard is dropped.
    pub(super) fn run(&self) -> Ticking {
        if self.running.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread.unpark();
        }
        Ticking(self.running.clone())
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // A parked thread would never see that nobody is left.
        self.thread.unpark();
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Ticks while something runs; returns when the ticker and all calls are gone.
fn tick(running: &Weak<AtomicUsize>, advance: impl Fn()) {
    while let Some(count) = running.upgrade().map(|count| count.load(Ordering::Acquire)) {
        if count == 0 {
            // An unpark between the load and here is not lost: the token makes this return at once.
            std::thread::park();
        } else {
            std::thread::sleep(TICK);
            advance();
        }
    }
}
