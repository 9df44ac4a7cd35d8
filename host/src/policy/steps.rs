//! How much work is done on texts of others, counted in tests alone: time is linear in a text if this is.

#[cfg(test)]
thread_local! {
    static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Notes that so many bytes are looked at. Does nothing outside of tests.
#[inline(always)]
pub(crate) fn steps(bytes: usize) {
    #[cfg(test)]
    STEPS.with(|steps| steps.set(steps.get() + bytes));
    #[cfg(not(test))]
    let _ = bytes;
}

/// How many steps something takes.
#[cfg(test)]
pub(crate) fn counted(work: impl FnOnce()) -> usize {
    STEPS.with(|steps| steps.set(0));
    work();
    STEPS.with(std::cell::Cell::get)
}
