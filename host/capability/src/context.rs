//! `sandbar:tool/context`: facts about the running call.

use std::time::{SystemTime, UNIX_EPOCH};

use sandbar_kubernetes::Reader;
use sandbar_policy::Quota;
use sandbar_sandbox::{Interface, StoreData};
use sandbar_text::clean_line;
use wasmtime::component::HasSelf;

use super::Capability;
use super::bindings::sandbar::tool::context;
use super::host::{Host, Progress};

/// Bytes of a progress message: a line for a person.
const PROGRESS_MESSAGE_BYTES: usize = 256;

pub(super) static CAPABILITY: Capability = Capability {
    interface: Interface {
        name: "sandbar:tool/context",
        link: |linker| context::add_to_linker::<_, HasSelf<Host>>(linker, StoreData::data),
    },
    is_open_to: |_| true,
};

impl context::Host for Host {
    fn remaining_ms(&mut self) -> u32 {
        u32::try_from(self.budget.remaining().as_millis()).unwrap_or(u32::MAX)
    }

    fn now_ms(&mut self) -> f64 {
        // A clock set before 1970 is the operator's problem, not a reason to trap.
        let now = self.reader.as_ref().map_or_else(SystemTime::now, Reader::now);
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
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
            Quota::Within => {}
            Quota::FirstBeyond => {
                let (component, most) = (&*self.component, self.budget.limits().progress);
                return tracing::warn!(
                    component,
                    "a tool reports its progress more than {most} times (limit `progress`): the rest in this call is dropped"
                );
            }
            Quota::Beyond => return,
        }
        let message = message.map(|message| clean_line(message, PROGRESS_MESSAGE_BYTES));
        self.progress.send_replace(Progress { done, total: total.filter(|total| total.is_finite()), message });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use sandbar_policy::{Budget, Limits};
    use tokio::sync::watch;

    use super::context::Host as _;
    use super::*;

    #[test]
    fn a_progress_message_is_one_clean_short_line() {
        let mut host = Host {
            component: "test".into(),
            budget: Arc::new(Budget::new(Limits::default())),
            settings: Arc::new(BTreeMap::new()),
            caller: None,
            progress: watch::Sender::default(),
            reader: None,
        };
        let message = format!("a\u{1b}[31mb\u{202e}c\u{200b}\nd{}", "é".repeat(PROGRESS_MESSAGE_BYTES));
        host.progress(1.0, Some(f64::INFINITY), Some(message));
        let Progress { done, total, message } = host.progress.borrow().clone();
        let message = message.expect("a message");
        assert_eq!((done, total), (1.0, None));
        assert!(message.starts_with("a bc dé") && message.len() <= PROGRESS_MESSAGE_BYTES, "{message}");

        host.progress(f64::NAN, None, None);
        assert_eq!(host.progress.borrow().done, 1.0, "that is no progress");
    }
}
