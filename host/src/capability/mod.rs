//! Where WIT meets our types: one file for each interface that a component can import.
//!
//! The only place that names the generated bindings. Host functions convert, ask `kubernetes`, and convert back; they decide
//! nothing themselves.

mod bindings;
mod context;
mod health;
mod host;
mod logging;
mod logs;
mod read;
mod types;

use wasmtime::component::{HasSelf, Linker};

pub use bindings::exports::sandbar::tool::tools::{Guest as Tools, GuestIndices as ToolsIndices};
pub use host::{Host, Progress};
pub(crate) use logging::may_log;

/// An interface of the contract that a component can import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Interface {
    /// `sandbar:tool/context`
    #[serde(rename = "sandbar:tool/context")]
    Context,
    /// `sandbar:tool/logging`
    #[serde(rename = "sandbar:tool/logging")]
    Logging,
    /// `sandbar:kubernetes/types`: types only, importing it grants nothing.
    #[serde(rename = "sandbar:kubernetes/types")]
    Types,
    /// `sandbar:kubernetes/read`
    #[serde(rename = "sandbar:kubernetes/read")]
    Read,
    /// `sandbar:kubernetes/logs`
    #[serde(rename = "sandbar:kubernetes/logs")]
    Logs,
    /// `sandbar:kubernetes/health`
    #[serde(rename = "sandbar:kubernetes/health")]
    Health,
}

impl Interface {
    /// Every interface that the host offers.
    pub const ALL: [Interface; 6] =
        [Interface::Context, Interface::Logging, Interface::Types, Interface::Read, Interface::Logs, Interface::Health];

    /// The version of all of them.
    pub const VERSION: &str = "0.1.0";

    /// Package and name, without the version.
    pub fn name(self) -> &'static str {
        match self {
            Interface::Context => "sandbar:tool/context",
            Interface::Logging => "sandbar:tool/logging",
            Interface::Types => "sandbar:kubernetes/types",
            Interface::Read => "sandbar:kubernetes/read",
            Interface::Logs => "sandbar:kubernetes/logs",
            Interface::Health => "sandbar:kubernetes/health",
        }
    }

    /// The functions that it has, by their WIT names.
    pub fn functions(self) -> &'static [&'static str] {
        match self {
            Interface::Context => &["remaining-ms", "now-ms", "setting", "progress"],
            Interface::Logging => &["log"],
            Interface::Types => &[],
            Interface::Read => &["get-object", "list-objects"],
            Interface::Logs => &["tail"],
            Interface::Health => &["api-server"],
        }
    }

    /// Adds the interface's functions to a linker. `host` finds the [`Host`] in the store's data.
    pub fn add_to_linker<T: Send + 'static>(self, linker: &mut Linker<T>, host: fn(&mut T) -> &mut Host) -> wasmtime::Result<()> {
        use bindings::sandbar::{kubernetes, tool};
        match self {
            Interface::Context => tool::context::add_to_linker::<T, HasSelf<Host>>(linker, host),
            Interface::Logging => tool::logging::add_to_linker::<T, HasSelf<Host>>(linker, host),
            Interface::Types => Ok(()),
            Interface::Read => kubernetes::read::add_to_linker::<T, HasSelf<Host>>(linker, host),
            Interface::Logs => kubernetes::logs::add_to_linker::<T, HasSelf<Host>>(linker, host),
            Interface::Health => kubernetes::health::add_to_linker::<T, HasSelf<Host>>(linker, host),
        }
    }
}
