//! How much a call may write to the server's log.

use sandbar_policy::{Budget, Quota};

/// Whether a call may write this line to the server's log. Logs a warning for the first line that is dropped.
pub fn may_log(component: &str, budget: &Budget, line: &str) -> bool {
    match budget.take_log(line.len() as u64) {
        Quota::Within => return true,
        Quota::FirstBeyond => {
            let most = budget.limits().logged;
            tracing::warn!(
                component,
                "a tool logs more than {most} bytes (limit `logged`): the rest of what it logs in this call is dropped"
            );
        }
        Quota::Beyond => {}
    }
    false
}
