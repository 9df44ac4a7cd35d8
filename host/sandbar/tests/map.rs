//! The map in docs/architecture.md is that of the manifests: which crate of the host knows which others, and who knows a library.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Names, each with others.
type Table = BTreeMap<String, BTreeSet<String>>;

/// The direct dependencies of each crate of the host: those that are built into the binary, without those of its tests.
fn manifests() -> Table {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    let of_host = packages.filter(|package| {
        let manifest = text(&package["manifest_path"]);
        manifest.rsplit('/').nth(2) == Some("host")
    });
    let depends = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        all.filter(|dependency| dependency["kind"].is_null()).map(|dependency| text(&dependency["name"])).collect()
    };
    of_host.map(|package| (text(&package["name"]), depends(package))).collect()
}

/// The name of a crate of the host as the map has it.
fn short(package: &str) -> &str {
    package.strip_prefix("sandbar-").unwrap_or(package)
}

/// What stands in backticks.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows of the table with this head: what is in backticks in the first cell, and the last cell.
fn rows(map: &str, head: &str) -> Vec<(BTreeSet<String>, String)> {
    let table = map.lines().skip_while(|line| *line != head).skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = table
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').collect();
            (quoted(cells[0]), cells[cells.len() - 1].to_owned())
        })
        .collect();
    assert!(!rows.is_empty(), "no table {head}");
    rows
}

#[test]
fn the_map_is_that_of_the_manifests() {
    let map = include_str!("../../../docs/architecture.md");
    let manifests = manifests();
    let crates: BTreeSet<String> = manifests.keys().map(|name| short(name).to_owned()).collect();

    let mut drawn = Table::new();
    for (names, knows) in rows(map, "| crate | what it is | knows |") {
        let knows = match knows.trim().strip_prefix("all but") {
            Some(but) => crates.difference(&quoted(but)).filter(|name| !names.contains(*name)).cloned().collect(),
            None => quoted(&knows),
        };
        drawn.extend(names.into_iter().map(|name| (name, knows.clone())));
    }
    let within = |depends: &BTreeSet<String>| {
        depends.iter().filter(|name| manifests.contains_key(*name)).map(|name| short(name).to_owned()).collect()
    };
    let real: Table = manifests.iter().map(|(name, depends)| (short(name).to_owned(), within(depends))).collect();
    assert_eq!(drawn, real, "left: docs/architecture.md, right: host/*/Cargo.toml");

    for (libraries, known) in rows(map, "| library | known to |") {
        for library in libraries {
            let knowing = manifests.iter().filter(|(_, depends)| depends.contains(&library));
            let real: BTreeSet<_> = knowing.map(|(name, _)| short(name).to_owned()).collect();
            assert_eq!(quoted(&known), real, "who knows {library}; left: docs/architecture.md, right: host/*/Cargo.toml");
        }
    }
}
