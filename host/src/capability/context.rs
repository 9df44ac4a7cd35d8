//! `sandbar:tool/context`: facts of the running call.

use std::time::{SystemTime, UNIX_EPOCH};

use super::bindings::sandbar::tool::context;
use super::host::{Host, Progress};
use crate::policy::{Aside, clean_line};

/// Bytes of a progress message: a line for a person.
const PROGRESS_MESSAGE_BYTES: usize = 256;

impl context::Host for Host {
    fn remaining_ms(&mut self) -> u32 {
        u32::try_from(self.budget.remaining().as_millis()).unwrap_or(u32::MAX)
    }

    fn now_ms(&mut self) -> f64 {
        // A clock before 1970 is the operator's problem, not a reason to trap.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        since_epoch.as_millis() as f64
    }

    fn setting(&mut self, key: String) -> Option<String> {
        self.settings.get(&key).cloned()
    }

    fn progress(&mut self, done: f64, total: Option<f64>, message: Option<String>) {
        // JSON has no NaN and no infinity.
        if !done.is_finite() {
            return;
        }
        match self.budget.take_report() {
            Aside::Heard => {}
            Aside::FirstDropped => {
                let (component, most) = (&*self.component, self.budget.limits().progress);
                return tracing::warn!(
                    component,
                    "a tool reports its progress more than {most} times (limit `progress`): the rest in this call is dropped"
                );
            }
            Aside::Dropped => return,
        }
        let message = message.map(|message| {
            let end = message.floor_char_boundary(PROGRESS_MESSAGE_BYTES);
            clean_line(&message[..end])
        });
        self.progress.send_replace(Progress { done, total: total.filter(|total| total.is_finite()), message });
    }
}
