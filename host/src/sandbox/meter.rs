//! Processor time of one call.
//!
//! A call has its thread to itself while it runs, so the thread's own clock tells what it used. Counting epoch ticks instead would
//! charge a guest for waiting: 64 host calls of 12 ms each cost 630 ms by ticks. The wall clock between two waits would charge it
//! for other guests that had the processor meanwhile.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Counts from its making on, on the thread that made it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    start: Duration,
}

impl Meter {
    /// A meter at zero.
    pub(super) fn start() -> Self {
        Self { start: thread_time() }
    }

    /// The processor time used since. Must be asked on the same thread.
    pub(super) fn spent(&self) -> Duration {
        thread_time().saturating_sub(self.start)
    }
}

/// What this thread has had of processors since it began.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_not_charged_and_computing_is() {
        let meter = Meter::start();
        std::thread::park_timeout(Duration::from_millis(50));
        let waited = meter.spent();
        assert!(waited < Duration::from_millis(50), "{waited:?}");
        while meter.spent() < waited + Duration::from_millis(1) {
            std::hint::black_box(thread_time());
        }
    }
}
