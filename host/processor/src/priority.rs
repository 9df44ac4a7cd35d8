//! Lowers the priority of a thread.

use rustix::process::{getpriority_process, setpriority_process};

/// Steps of `nice`: at 10 a thread gets a tenth of what a competing thread gets.
pub const NICENESS: i32 = 10;

/// Lowers the priority of the calling thread, for good: raising it takes a privilege. Where it is forbidden, calls compete as
/// equals.
pub(crate) fn lower_priority() {
    // On Linux this is per thread, and `None` means the caller. Elsewhere it would be the whole process.
    if cfg!(not(target_os = "linux")) {
        return;
    }
    let _ = getpriority_process(None).and_then(|nice| setpriority_process(None, nice + NICENESS));
}

/// Lets a waiting thread run first. By itself Linux lets a thread of low priority finish its slice, of up to 4 ms, before one
/// that has just woken up.
pub fn yield_cpu() {
    std::thread::yield_now();
}
