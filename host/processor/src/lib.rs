//! The processor time of one call: counted, bounded by whoever asks for the count, and shared out so that no call makes others wait.
//!
//! A call is one future, guest and host work alike. It is polled in the task of its request while it computes little, as most do, and
//! from then on on a thread of its own, of a lower priority, where the operating system shares the processors out. Knows neither wasm
//! nor Kubernetes.
//!
//! Work that does not wait for anything has to be cut into steps: [`Meter::prepare_for`] before one that is long by its size,
//! [`Meter::yield_if_due`] between two of them.

mod estimate;
mod meter;
mod priority;
mod processors;

use std::time::Duration;

pub use estimate::CpuEstimate;
#[cfg(any(test, feature = "test-clock"))]
pub use meter::Hand;
pub use meter::Meter;
use priority::lower_priority;
pub use priority::{NICENESS, yield_cpu};
pub use processors::{Failed, Processors};

/// How long a call may compute in the task of its request. It is looked at where the call waits, ends, or could give way: for a guest
/// that is a tick of the epoch later at most, or as long as one instruction that fills all its memory takes.
const BRIEF: Duration = Duration::from_millis(1);

/// How long it may compute before it has to take turns with its like. A page of 1,000 objects takes less.
const LONG: Duration = Duration::from_millis(20);

/// How long such a turn is. Each change of turns wakes a thread, perhaps on the processor that was free: with a change at every tick of
/// the epoch there would be a thousand a second.
const TURN: Duration = Duration::from_millis(50);

/// Bytes of one step of work in the task of a request: parsing and masking so many takes about as long as a call may compute there.
pub const STEP_BYTES: usize = 64 * 1024;
