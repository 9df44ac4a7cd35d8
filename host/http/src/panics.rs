//! What becomes of a panic in a handler: an answer, and the connection goes on. There is no other net in this process but those around
//! the threads of guests.

use std::any::Any;
use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind};

use futures::FutureExt;

/// Something has panicked. What it said is in the log.
pub(super) struct Panicked;

/// Runs something that may panic.
pub(super) fn caught<T>(work: impl FnOnce() -> T + UnwindSafe) -> Result<T, Panicked> {
    catch_unwind(work).map_err(|panic| logged(panic.as_ref()))
}

/// Awaits something that may panic. Not an `async fn`, which would have room for the work twice.
pub(super) fn caught_in<T>(work: impl Future<Output = T>) -> impl Future<Output = Result<T, Panicked>> {
    AssertUnwindSafe(work).catch_unwind().map(|worked| worked.map_err(|panic| logged(panic.as_ref())))
}

fn logged(panic: &(dyn Any + Send)) -> Panicked {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned());
    tracing::error!(panic = text, "the server failed in a request");
    Panicked
}
