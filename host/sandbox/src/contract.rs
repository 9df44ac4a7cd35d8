//! The contract between components and host, as far as the sandbox has to know it: read from the WIT, so that nothing is written
//! twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use wit_parser::{InterfaceId, Resolve, World, WorldItem};

/// The WIT packages: the file of each in `wit/`, and its text.
pub const PACKAGES: [(&str, &str); 2] = [
    ("tool/tool.wit", include_str!("../../../wit/tool/tool.wit")),
    ("kubernetes/kubernetes.wit", include_str!("../../../wit/kubernetes/kubernetes.wit")),
];

/// The interfaces of the contract.
#[derive(Debug, Default)]
pub(super) struct Contract {
    /// The version of all of them.
    pub(super) version: String,
    /// The interfaces that a component may import, by package and name, with the functions of each. One without functions has
    /// types alone, and importing it grants nothing.
    pub(super) imports: BTreeMap<String, BTreeSet<String>>,
    /// The one interface that every component exports. What else a component may export is in no table: it has it, or has not.
    pub(super) export: String,
}

/// The contract of this host.
pub(super) fn contract() -> &'static Contract {
    static CONTRACT: LazyLock<Contract> = LazyLock::new(|| {
        Contract::parse().expect("the WIT packages are part of this program, and it does not compile without them")
    });
    &CONTRACT
}

impl Contract {
    fn parse() -> anyhow::Result<Self> {
        let mut resolve = Resolve::default();
        for (file, text) in PACKAGES {
            resolve.push_source(file, text)?;
        }
        let worlds: Vec<BTreeSet<InterfaceId>> = resolve.worlds.iter().map(|(_, world)| exported(world)).collect();
        let mut contract = Self::default();
        for (id, interface) in resolve.interfaces.iter() {
            let (Some(package), Some(name)) = (interface.package, &interface.name) else { continue };
            let package = &resolve.packages[package].name;
            let name = format!("{}:{}/{name}", package.namespace, package.name);
            contract.version = package.version.as_ref().map(ToString::to_string).unwrap_or_default();
            if worlds.iter().filter(|exports| !exports.is_empty()).all(|exports| exports.contains(&id)) {
                contract.export = name;
            } else if !worlds.iter().any(|exports| exports.contains(&id)) {
                contract.imports.insert(name, interface.functions.keys().cloned().collect());
            }
        }
        Ok(contract)
    }
}

/// The interfaces that a world exports.
fn exported(world: &World) -> BTreeSet<InterfaceId> {
    let id = |item: &WorldItem| match item {
        WorldItem::Interface { id, .. } => Some(*id),
        WorldItem::Function(_) | WorldItem::Type { .. } => None,
    };
    world.exports.values().filter_map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_is_what_the_wit_says() {
        let Contract { version, imports, export } = contract();
        assert_eq!((version.as_str(), export.as_str()), ("0.1.0", "sandbar:tool/tools"));
        assert!(imports["sandbar:kubernetes/types"].is_empty(), "types alone");
        assert!(imports["sandbar:kubernetes/read"].contains("list-objects"));
        assert!(imports["sandbar:tool/context"].contains("remaining-ms"));
        for exported in ["sandbar:tool/tools", "sandbar:tool/prompts", "sandbar:tool/resources"] {
            assert!(!imports.contains_key(exported), "{exported}");
        }
    }
}
