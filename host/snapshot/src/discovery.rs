//! What the snapshot serves, in the words of the discovery API.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use kube::core::Version;
use serde_json::{Value, json};

use super::kinds::Kind;
use super::store::Snapshot;

/// `/api`
pub(super) fn core_versions() -> Value {
    json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] })
}

/// `/apis`
pub(super) fn groups(snapshot: &Snapshot) -> Value {
    let mut versions = BTreeMap::<&str, BTreeSet<&str>>::new();
    for kind in kinds(snapshot).filter(|kind| !kind.group.is_empty()) {
        versions.entry(&kind.group).or_default().insert(&kind.version);
    }
    let groups: Vec<Value> = versions.into_iter().filter_map(|(name, versions)| group_entry(name, versions)).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// `/apis/GROUP`; none if nothing of the group is served.
pub(super) fn group(snapshot: &Snapshot, name: &str) -> Option<Value> {
    let versions = kinds(snapshot).filter(|kind| kind.group == name).map(|kind| kind.version.as_str()).collect();
    let mut group = group_entry(name, versions)?;
    group["kind"] = "APIGroup".into();
    group["apiVersion"] = "v1".into();
    Some(group)
}

/// `/api/v1` and `/apis/GROUP/VERSION`; none if nothing of the version is served.
pub(super) fn resources(snapshot: &Snapshot, group: &str, version: &str) -> Option<Value> {
    let mut served: Vec<&Kind> = kinds(snapshot).filter(|kind| kind.group == group && kind.version == version).collect();
    if served.is_empty() {
        return None;
    }
    served.sort_by(|a, b| a.plural.cmp(&b.plural));
    let mut resources: Vec<Value> = served.into_iter().map(resource_entry).collect();
    if group.is_empty() {
        resources.push(json!({ "name": "pods/log", "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ["get"] }));
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources }))
}

fn kinds(snapshot: &Snapshot) -> impl Iterator<Item = &Kind> {
    snapshot.collections().iter().map(|collection| &collection.kind)
}

/// None without any version.
fn group_entry(name: &str, versions: BTreeSet<&str>) -> Option<Value> {
    let mut names: Vec<&str> = versions.into_iter().collect();
    names.sort_by_cached_key(|version| Reverse(Version::parse(version).priority()));
    let versions: Vec<Value> =
        names.into_iter().map(|version| json!({ "groupVersion": format!("{name}/{version}"), "version": version })).collect();
    let preferred = versions.first()?.clone();
    Some(json!({ "name": name, "versions": versions, "preferredVersion": preferred }))
}

fn resource_entry(kind: &Kind) -> Value {
    json!({
        "name": kind.plural,
        "singularName": kind.kind.to_lowercase(),
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": ["get", "list"],
    })
}
