//! The processor time of one call: metered, bounded by whoever asks the meter, and scheduled so that no call makes others wait; and whose
//! turn it is at what callers share, processors among it.
//!
//! A call is one future, guest and host work alike. While it computes little, as most do, it is polled in the task of its
//! request; after that on a thread of its own, of a lower priority, which the operating system schedules. Knows neither wasm nor
//! Kubernetes.
//!
//! Work without an await has to be cut into steps: [`Meter::prepare_for`] before one that is large, [`Meter::yield_if_due`]
//! between two of them.

mod account;
mod estimate;
mod fair;
mod meter;
mod priority;
mod processors;

use std::time::Duration;

pub use account::Account;
pub use estimate::CpuEstimate;
pub use fair::{FairPermit, FairSemaphore, NoPermit, Share};
pub use meter::Meter;
#[cfg(any(test, feature = "test-clock"))]
pub use meter::TestClock;
use priority::lower_priority;
pub use priority::{NICENESS, yield_cpu};
pub use processors::{Failed, Processors};

/// Processor time that a call may use in the task of its request. It is checked where the call waits, ends or could yield: for a
/// guest that is at most one tick of the epoch later, or one instruction that fills all its memory.
const BRIEF: Duration = Duration::from_millis(1);

/// Processor time after which a call takes turns with other long calls. A page of 1,000 objects takes less.
const LONG: Duration = Duration::from_millis(20);

/// The length of such a turn. Each change of turns wakes a thread, perhaps on the processor that was kept free: a change at every
/// tick of the epoch would be a thousand a second.
const TURN: Duration = Duration::from_millis(50);

/// Bytes of one step of work in the task of a request: parsing and masking them takes about as long as a
/// call may compute there.
pub const STEP_BYTES: usize = 64 * 1024;
