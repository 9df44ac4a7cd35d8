//! What the snapshot serves, in the documents of the discovery API.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{
    APIGroup, APIGroupList, APIResource, APIResourceList, APIVersions, GroupVersionForDiscovery,
};
use kube::core::Version;

use super::kinds::Kind;
use super::store::Snapshot;

/// `/api`
pub(super) fn core_versions() -> APIVersions {
    APIVersions { versions: vec!["v1".to_owned()], server_address_by_client_cidrs: Vec::new() }
}

/// `/apis`
pub(super) fn groups(snapshot: &Snapshot) -> APIGroupList {
    let mut versions = BTreeMap::<&str, BTreeSet<&str>>::new();
    for kind in kinds(snapshot).filter(|kind| !kind.group.is_empty()) {
        versions.entry(&kind.group).or_default().insert(&kind.version);
    }
    APIGroupList { groups: versions.into_iter().filter_map(|(name, versions)| group_entry(name, versions)).collect() }
}

/// `/apis/GROUP`; none if nothing of the group is served.
pub(super) fn group(snapshot: &Snapshot, name: &str) -> Option<APIGroup> {
    let versions = kinds(snapshot).filter(|kind| kind.group == name).map(|kind| kind.version.as_str()).collect();
    group_entry(name, versions)
}

/// `/api/v1` and `/apis/GROUP/VERSION`; none if nothing of the version is served.
pub(super) fn resources(snapshot: &Snapshot, group: &str, version: &str) -> Option<APIResourceList> {
    let mut served: Vec<&Kind> = kinds(snapshot).filter(|kind| kind.group == group && kind.version == version).collect();
    if served.is_empty() {
        return None;
    }
    served.sort_by(|a, b| a.plural.cmp(&b.plural));
    let mut resources: Vec<APIResource> = served.into_iter().map(resource_entry).collect();
    if group.is_empty() {
        resources.push(APIResource {
            name: "pods/log".to_owned(),
            namespaced: true,
            kind: "Pod".to_owned(),
            verbs: vec!["get".to_owned()],
            ..APIResource::default()
        });
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(APIResourceList { group_version, resources })
}

fn kinds(snapshot: &Snapshot) -> impl Iterator<Item = &Kind> {
    snapshot.collections().iter().map(|collection| &collection.kind)
}

/// None if there is no version.
fn group_entry(name: &str, versions: BTreeSet<&str>) -> Option<APIGroup> {
    let mut names: Vec<&str> = versions.into_iter().collect();
    names.sort_by_cached_key(|version| Reverse(Version::parse(version).priority()));
    let entry =
        |version: &str| GroupVersionForDiscovery { group_version: format!("{name}/{version}"), version: version.to_owned() };
    let versions: Vec<_> = names.into_iter().map(entry).collect();
    let preferred_version = Some(versions.first()?.clone());
    Some(APIGroup { name: name.to_owned(), versions, preferred_version, server_address_by_client_cidrs: None })
}

fn resource_entry(kind: &Kind) -> APIResource {
    APIResource {
        name: kind.plural.clone(),
        singular_name: kind.kind.to_lowercase(),
        namespaced: kind.namespaced,
        kind: kind.kind.clone(),
        verbs: ["get", "list"].map(str::to_owned).into(),
        short_names: Some(kind.short_names.clone()).filter(|names| !names.is_empty()),
        ..APIResource::default()
    }
}
