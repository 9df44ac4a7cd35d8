//! The work on one answer, cut into steps: it is done in the future of the call that asks, which goes over to a thread of its own if it
//! takes long, lets others have their turn in between, and ends with its limits.

use http::Extensions;

use sandbar_processor::{Meter, STEP_BYTES};

/// Steps of about [`STEP_BYTES`].
pub(super) struct Steps {
    meter: Meter,
    since: usize,
}

impl Steps {
    /// The steps of the call whose request has these extensions. Outside of a call nobody has to give way.
    pub(super) fn of(extensions: &Extensions) -> Self {
        Self { meter: extensions.get::<Meter>().cloned().unwrap_or_default(), since: 0 }
    }

    /// Makes ready for work on so many bytes.
    pub(super) async fn take(&mut self, bytes: usize) {
        self.meter.prepare_for(bytes).await;
        self.since += bytes;
        if self.since > STEP_BYTES {
            self.since = bytes;
            self.meter.yield_if_due().await;
        }
    }
}
