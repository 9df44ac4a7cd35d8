//! How much processor time the next call of a component is expected to take.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::LONG;

/// A decaying maximum: what the last call took, but no less than half of the previous estimate. It decides where the next call
/// starts. After one brief call, a component whose calls are long still starts on a thread, so nobody gets long work into the
/// task of a request by asking for something short now and then. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct CpuEstimate(Arc<AtomicU64>);

impl CpuEstimate {
    /// The processor time that the next call is expected to take.
    pub(super) fn expected(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// Records the processor time of a call.
    pub(super) fn note(&self, computed: Duration) {
        // Capped, so that a few brief calls make up for any long one.
        let computed = u64::try_from(computed.min(2 * LONG).as_micros()).unwrap_or(u64::MAX);
        // Two calls that end at once may overwrite each other's update, which is harmless.
        self.0.store(computed.max(self.0.load(Ordering::Relaxed) / 2), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BRIEF;

    #[test]
    fn a_long_call_is_remembered_for_a_few_brief_ones() {
        let estimate = CpuEstimate::default();
        assert_eq!(estimate.expected(), Duration::ZERO);
        estimate.note(Duration::from_secs(60));
        assert_eq!(estimate.expected(), 2 * LONG, "however long it was");
        let mut brief = 0;
        while estimate.expected() > BRIEF {
            estimate.note(Duration::ZERO);
            brief += 1;
        }
        assert_eq!(brief, 6);
        estimate.note(3 * BRIEF);
        assert_eq!(estimate.expected(), 3 * BRIEF);
    }
}
