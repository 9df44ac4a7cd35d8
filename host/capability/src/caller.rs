//! `sandbar:tool/caller`: who has made the call.

use sandbar_policy::ToldUser;
use sandbar_sandbox::{Interface, StoreData};
use wasmtime::component::HasSelf;

use super::Capability;
use super::bindings::sandbar::tool::caller;
use super::host::Host;

/// The interface's name. Importing it is the one thing that a component asks for without a rule.
pub const CALLER: &str = "sandbar:tool/caller";

pub(super) static CAPABILITY: Capability = Capability {
    interface: Interface { name: CALLER, link: |linker| caller::add_to_linker::<_, HasSelf<Host>>(linker, StoreData::data) },
    is_open_to: |grant| grant.caller,
};

impl caller::Host for Host {
    fn who_calls(&mut self) -> Option<caller::User> {
        self.caller.clone().map(|ToldUser { name, groups }| caller::User { name, groups, more: None })
    }
}
