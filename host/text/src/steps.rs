//! Counts the work on untrusted text, for tests alone (feature `steps`): time is linear in a text if this count is.

#[cfg(feature = "steps")]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts the bytes that are looked at. Does nothing without the feature.
#[inline(always)]
pub fn steps(bytes: usize) {
    #[cfg(feature = "steps")]
    STEPS.with(|steps| steps.set(steps.get() + bytes));
    #[cfg(not(feature = "steps"))]
    let _ = bytes;
}

/// The number of steps that `work` takes.
#[cfg(feature = "steps")]
pub fn counted(work: impl FnOnce()) -> usize {
    STEPS.with(|steps| steps.set(0));
    work();
    STEPS.with(std::cell::Cell::get)
}
