//! The threads that guests run on: one for each running call.
//!
//! A guest that computes gives nobody a turn but the operating system, so that is who shares the processors out: between guests,
//! and between guests and everything else. With eight spinning guests on the runtime that also serves HTTP, a timer of 3 ms was
//! 360 ms late there; and on a runtime of two threads for all guests, each would wait for the turns of the seven others.

use anyhow::Context;
use rustix::process::{getpriority_process, setpriority_process};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// How much the threads of guests stand back behind HTTP, API traffic and deadlines, in steps of `nice`: at 5 a thread gets a third
/// of what another gets that it competes with.
const NICENESS: i32 = 5;

/// Threads that run one guest at a time and are kept for a while for the next.
pub(super) struct Threads(Option<Runtime>);

/// The thread ended before it had an outcome: the host panicked, or is shutting down.
#[derive(Debug)]
pub(super) struct Gone;

impl Threads {
    /// At most so many threads; they are started as they are needed.
    pub(super) fn new(most: usize) -> anyhow::Result<Self> {
        // Tokio's pool for blocking work is the pool that is wanted; this runtime never runs a task of its own.
        let pool = Builder::new_current_thread()
            .max_blocking_threads(most)
            .thread_name("sandbar-guest")
            .on_thread_start(stand_back)
            .build()
            .context("the threads for guests cannot be set up")?;
        Ok(Self(Some(pool)))
    }

    /// Runs a guest on a thread of its own, with the timers and connections of the runtime that asks. Dropping the future that is
    /// returned drops the guest's, at the next moment at which it gives way.
    pub(super) fn run<F>(&self, guest: F) -> impl Future<Output = Result<F::Output, Gone>> + use<F>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        let (mut done, outcome) = oneshot::channel();
        let asking = Handle::current();
        let on_thread = move || {
            let outcome = asking.block_on(async {
                tokio::select! {
                    biased;
                    () = done.closed() => None,
                    outcome = guest => Some(outcome),
                }
            });
            // Whoever asked may have gone just now.
            let _ = outcome.map(|outcome| done.send(outcome));
        };
        if let Some(pool) = &self.0 {
            drop(pool.spawn_blocking(on_thread));
        }
        async { outcome.await.map_err(|_| Gone) }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime must not be dropped from async code, which is where the engine's last owner may be.
        if let Some(pool) = self.0.take() {
            pool.shutdown_background();
        }
    }
}

/// Lowers the priority of the thread that calls it. Where that is forbidden guests compete as equals.
fn stand_back() {
    // On Linux this is about one thread, and none means the caller.
    let _ = getpriority_process(None).and_then(|nice| setpriority_process(None, nice + NICENESS));
}
