//! The work for one answer, in steps. It runs in the future of the call that asks: a long one moves to a thread of its own,
//! yields in between, and ends with its limits.

use http::Extensions;
use sandbar_processor::{Meter, STEP_BYTES};

/// Splits work into steps of about [`STEP_BYTES`].
pub(super) struct Steps {
    meter: Meter,
    since: usize,
}

impl Steps {
    /// The steps of the call in a request's extensions. Outside of a call there is nothing to yield to.
    pub(super) fn of(extensions: &Extensions) -> Self {
        Self { meter: extensions.get::<Meter>().cloned().unwrap_or_default(), since: 0 }
    }

    /// Prepares for work on `bytes` bytes.
    pub(super) async fn take(&mut self, bytes: usize) {
        self.meter.prepare_for(bytes).await;
        self.since += bytes;
        if self.since > STEP_BYTES {
            self.since = bytes;
            self.meter.yield_if_due().await;
        }
    }
}
