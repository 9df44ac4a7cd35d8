//! The epoch thread, which interrupts guests: it increments the epoch while calls run, and sleeps while none does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

/// Time between two interruptions of a running guest. It bounds how late a spinning guest is stopped, how long a guest can hold
/// the task of its request, and how long a waking thread waits for the processor of a guest that computes. A tick takes some
/// microseconds, of this thread and of each running guest.
const TICK: Duration = Duration::from_millis(1);

/// Counts the running calls and wakes the thread for the first.
#[derive(Debug)]
pub(super) struct Ticker {
    calls: Arc<Calls>,
    thread: Thread,
}

/// The running calls.
#[derive(Debug, Default)]
struct Calls {
    running: AtomicUsize,
    /// The ticker is gone: no more calls come.
    closed: AtomicBool,
}

/// A running call: the epoch advances while it is held.
#[derive(Debug)]
pub(super) struct Ticking(Arc<Calls>);

impl Ticker {
    /// Starts the thread, which calls `advance` at each tick. It ends with the ticker and the last running call.
    pub(super) fn start(advance: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let calls = Arc::new(Calls::default());
        let counted = calls.clone();
        let clock = std::thread::Builder::new().name("sandbar-epoch".to_owned()).spawn(move || tick(&counted, advance))?;
        Ok(Self { calls, thread: clock.thread().clone() })
    }

    /// How many calls run.
    pub(super) fn running(&self) -> usize {
        self.calls.running.load(Ordering::Acquire)
    }

    /// Keeps the epoch advancing until the guard is dropped.
    pub(super) fn run(&self) -> Ticking {
        if self.calls.running.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread.unpark();
        }
        Ticking(self.calls.clone())
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.calls.closed.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Ticks while a call runs; returns once none does and the ticker is gone.
fn tick(calls: &Calls, advance: impl Fn()) {
    loop {
        if calls.running.load(Ordering::Acquire) > 0 {
            std::thread::sleep(TICK);
            advance();
        } else if calls.closed.load(Ordering::Acquire) {
            return;
        } else {
            // An unpark since the loads above is not lost: its token makes this return at once.
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, RecvTimeoutError};

    use super::*;

    /// How long a test waits for something that never comes.
    const HANGS: Duration = Duration::from_secs(60);

    /// More ticks than fit into that time.
    const MOST_TICKS: u32 = 60_000;

    #[test]
    fn the_clock_ticks_to_the_end_of_the_last_call_and_ends_with_it() {
        let (ticked, ticks) = mpsc::channel();
        let ticker = Ticker::start(move || ticked.send(()).unwrap_or_default()).expect("a thread");
        let call = ticker.run();
        drop(ticker);
        for _ in 0..3 {
            ticks.recv_timeout(HANGS).expect("it ticks for the call that is left");
        }
        drop(call);
        let ended = (0..MOST_TICKS).find_map(|_| ticks.recv_timeout(HANGS).err());
        assert_eq!(ended, Some(RecvTimeoutError::Disconnected), "it ends with the last call");
    }
}
