//! The host functions: one file for each interface that a component can import.
//!
//! They convert between WIT's types and ours and call `kubernetes`; they decide nothing.

mod bindings;
mod caller;
mod context;
mod discovery;
mod health;
mod host;
mod logging;
mod logs;
mod logs_many;
mod read;
mod read_many;
mod table;
mod types;

use sandbar_policy::Grant;
use sandbar_sandbox::Interface;

pub use caller::CALLER;
pub use host::{Host, Progress};

/// An interface that a component can import, and the condition for it.
struct Capability {
    interface: Interface<Host>,
    /// Whether a grant opens it: a component that may read nothing gets no function to read with.
    is_open_to: fn(&Grant) -> bool,
}

/// All capabilities.
static CAPABILITIES: [&Capability; 10] = [
    &context::CAPABILITY,
    &caller::CAPABILITY,
    &logging::CAPABILITY,
    &read::CAPABILITY,
    &table::CAPABILITY,
    &read_many::CAPABILITY,
    &logs::CAPABILITY,
    &logs_many::CAPABILITY,
    &discovery::CAPABILITY,
    &health::CAPABILITY,
];

/// All interfaces that a component can import.
pub fn interfaces() -> Vec<&'static Interface<Host>> {
    CAPABILITIES.iter().map(|capability| &capability.interface).collect()
}

/// The interfaces that at least one of these grants (one per cluster) allows. A function checks the grant of the call's cluster again.
pub fn open_to<'a>(grants: impl Iterator<Item = &'a Grant> + Clone) -> Vec<&'static Interface<Host>> {
    let is_open = |capability: &&&Capability| grants.clone().any(|grant| (capability.is_open_to)(grant));
    CAPABILITIES.iter().filter(is_open).map(|capability| &capability.interface).collect()
}

/// Whether what an interface does depends on the cluster.
pub fn reads_cluster(interface: &str) -> bool {
    interface.starts_with("sandbar:kubernetes/")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sandbar_policy::PolicyRule;
    use sandbar_policy::Verb::Get;
    use sandbar_sandbox::PACKAGES;
    use wit_parser::Resolve;

    use super::*;

    #[test]
    fn every_interface_of_the_contract_that_has_functions_is_there() {
        let mut wit = Resolve::default();
        for (file, text) in PACKAGES {
            wit.push_source(file, text).expect("WIT");
        }
        let with_functions = wit.interfaces.iter().filter(|(_, interface)| !interface.functions.is_empty());
        let mut declared: BTreeSet<_> = with_functions.filter_map(|(id, _)| wit.id_of(id)).collect();
        for exported in ["tools", "prompts", "resources"] {
            assert!(declared.remove(&format!("sandbar:tool/{exported}@0.1.0")), "{exported} is what a component exports");
        }
        let offered: BTreeSet<_> = interfaces().iter().map(|interface| format!("{}@0.1.0", interface.name)).collect();
        assert_eq!(offered, declared);
    }

    #[test]
    fn logs_need_their_own_rule() {
        let names = |grant: &Grant| open_to(std::iter::once(grant)).iter().map(|interface| interface.name).collect::<Vec<_>>();
        let grant = Grant { rules: vec![PolicyRule::new("", &["*"], &[Get])], ..Grant::default() };
        assert!(names(&grant).contains(&"sandbar:kubernetes/read"));
        assert!(!names(&grant).contains(&"sandbar:kubernetes/logs"));
        assert!(!names(&Grant::default()).contains(&"sandbar:kubernetes/read"));
    }

    #[test]
    fn no_rule_opens_who_calls() {
        let opens = |grant: &Grant| open_to(std::iter::once(grant)).iter().any(|interface| interface.name == CALLER);
        let all = [PolicyRule::new("*", &["*", "pods/log", "secrets"], &[Get])];
        assert!(!opens(&Grant { rules: all.to_vec(), cluster_rules: all.to_vec(), ..Grant::default() }));
        assert!(opens(&Grant { caller: true, ..Grant::default() }));
    }
}
