//! `sandbar:tool/logging`: lines for the operator.

use super::bindings::sandbar::tool::logging::{self, Level};
use super::host::Host;
use crate::policy::{Budget, Quota, clean_line};

/// Bytes of one line: enough for a panic message with its backtrace.
const LINE_BYTES: usize = 8 * 1024;

impl logging::Host for Host {
    fn log(&mut self, level: Level, message: String) {
        let message = clean_line(message, LINE_BYTES);
        let component = &*self.component;
        if !may_log(component, &self.budget, &message) {
            return;
        }
        // A level is part of a tracing call site, so each needs its own.
        match level {
            Level::Trace => tracing::trace!(target: "sandbar::component", component, "{message}"),
            Level::Debug => tracing::debug!(target: "sandbar::component", component, "{message}"),
            Level::Info => tracing::info!(target: "sandbar::component", component, "{message}"),
            Level::Warn => tracing::warn!(target: "sandbar::component", component, "{message}"),
            Level::Error => tracing::error!(target: "sandbar::component", component, "{message}"),
        }
    }
}

/// Whether a call of a component may write this line to the server's log. The log says so when it stops.
pub(crate) fn may_log(component: &str, budget: &Budget, line: &str) -> bool {
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
