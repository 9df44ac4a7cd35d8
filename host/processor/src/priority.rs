//! How a thread stands back behind others.

use rustix::process::{getpriority_process, setpriority_process};

/// How far, in steps of `nice`: at 10 a thread gets a tenth of what another gets that it competes with.
pub const NICENESS: i32 = 10;

/// Lowers the priority of the thread that calls it, for ever: to raise it again takes a privilege. Where it is forbidden, calls compete
/// with everything else as equals.
pub(crate) fn lower_priority() {
    // On Linux this is about one thread, and none means the caller.
    let _ = getpriority_process(None).and_then(|nice| setpriority_process(None, nice + NICENESS));
}

/// Lets whoever waits for the processor go first. By itself Linux lets a thread of a low priority finish its slice, of up to 4 ms, before
/// one that has just woken up.
pub fn yield_cpu() {
    std::thread::yield_now();
}
