//! `sandbar:tool/logging`: lines for the operator.

use sandbar_sandbox::{Interface, StoreData, log_line};
use wasmtime::component::HasSelf;

use super::Capability;
use super::bindings::sandbar::tool::logging::{self, Level};
use super::host::Host;

/// Bytes of one line: enough for a panic message with its backtrace.
const LINE_BYTES: usize = 8 * 1024;

pub(super) static CAPABILITY: Capability = Capability {
    interface: Interface {
        name: "sandbar:tool/logging",
        link: |linker| logging::add_to_linker::<_, HasSelf<Host>>(linker, StoreData::data),
    },
    is_open_to: |_| true,
};

impl logging::Host for Host {
    fn log(&mut self, level: Level, message: String) {
        let component = &*self.component;
        let Some(message) = log_line(component, &self.budget, message, LINE_BYTES) else { return };
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
