//! The clock that interrupts guests: a thread that moves the engine's epoch on while calls run, and sleeps while none does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::Engine;

/// Time between two interruptions of a running guest. A spinning guest is stopped at most this late.
const TICK: Duration = Duration::from_millis(5);

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
    /// Starts the clock's thread. It ends with the engine.
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let running = Arc::new(AtomicUsize::new(0));
        let (weak_engine, weak_running) = (engine.weak(), Arc::downgrade(&running));
        let thread = std::thread::Builder::new()
            .name("sandbar-epoch".to_owned())
            .spawn(move || tick(&weak_running, || weak_engine.upgrade().map(|engine| engine.increment_epoch())))?
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
        // A parked thread would never see that the engine is gone.
        self.thread.unpark();
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Ticks while something runs; returns when the ticker or the engine is gone.
fn tick(running: &Weak<AtomicUsize>, advance: impl Fn() -> Option<()>) {
    while let Some(count) = running.upgrade().map(|count| count.load(Ordering::Acquire)) {
        if count == 0 {
            // An unpark between the load and here is not lost: the token makes this return at once.
            std::thread::park();
        } else {
            std::thread::sleep(TICK);
            if advance().is_none() {
                return;
            }
        }
    }
}
