//! The role of a file by its path, in the layouts of the tools that gather files from clusters.
//!
//! Objects mostly describe themselves, and are read wherever they are. A path adds what the file lacks: the kind of items that
//! leave it out, and the namespace of a list, which shows even for an empty list that it was gathered.

use std::collections::BTreeMap;

use super::kinds::{self, Kind};

/// The role of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role<'p> {
    /// Objects, with a hint from the path.
    Objects(Hint<'p>),
    /// Troubleshoot's failures, unless another tool has a file of objects of that name.
    Failures,
    /// Nothing that a cluster serves.
    Other,
    /// An archive, which has to be unpacked first.
    Archive,
}

/// What a path adds to the objects in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hint<'p> {
    /// The only namespace that they can be in.
    pub(super) namespace: Option<&'p str>,
    /// Whether a list is one over all namespaces, though what is in it may all be in one.
    pub(super) everywhere: bool,
    /// `apiVersion` and kind of items that leave them out.
    pub(super) kind: Option<(&'static str, &'static str)>,
    /// The file's name without its extension: the kind of an empty list.
    pub(super) stem: &'p str,
}

impl<'p> Role<'p> {
    /// What the path adds to objects in the file.
    pub(super) fn hint(self) -> Hint<'p> {
        match self {
            Role::Objects(hint) => hint,
            Role::Failures | Role::Other | Role::Archive => Hint::default(),
        }
    }
}

/// Troubleshoot's folder.
pub(super) const TROUBLESHOOT: &str = "cluster-resources";

/// Troubleshoot's folder of custom resources, inside the former.
const CUSTOM: &str = "custom-resources";

/// Troubleshoot's names of kinds, with `apiVersion` and kind. Its older versions write arrays of objects without either.
const GATHERED: [(&str, &str, &str); 32] = [
    ("clusterRoleBindings", "rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("clusterroles", "rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("configmaps", "v1", "ConfigMap"),
    ("cronjobs", "batch/v1", "CronJob"),
    ("custom-resource-definitions", "apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("daemonsets", "apps/v1", "DaemonSet"),
    ("deployments", "apps/v1", "Deployment"),
    ("endpoints", "v1", "Endpoints"),
    ("endpointslices", "discovery.k8s.io/v1", "EndpointSlice"),
    ("events", "v1", "Event"),
    ("ingress", "networking.k8s.io/v1", "Ingress"),
    ("jobs", "batch/v1", "Job"),
    ("leases", "coordination.k8s.io/v1", "Lease"),
    ("limitranges", "v1", "LimitRange"),
    ("namespaces", "v1", "Namespace"),
    ("network-policy", "networking.k8s.io/v1", "NetworkPolicy"),
    ("nodes", "v1", "Node"),
    ("pod-disruption-budgets", "policy/v1", "PodDisruptionBudget"),
    ("pods", "v1", "Pod"),
    ("priorityclasses", "scheduling.k8s.io/v1", "PriorityClass"),
    ("pvcs", "v1", "PersistentVolumeClaim"),
    ("pvs", "v1", "PersistentVolume"),
    ("replicasets", "apps/v1", "ReplicaSet"),
    ("resource-quota", "v1", "ResourceQuota"),
    ("rolebindings", "rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("roles", "rbac.authorization.k8s.io/v1", "Role"),
    ("serviceaccounts", "v1", "ServiceAccount"),
    ("services", "v1", "Service"),
    ("statefulsets", "apps/v1", "StatefulSet"),
    ("storage-classes", "storage.k8s.io/v1", "StorageClass"),
    // A bug in Troubleshoot kept this file in a folder of that name, for years.
    ("statefulsets-errors.json", "apps/v1", "ReplicaSet"),
    ("volumeattachments", "storage.k8s.io/v1", "VolumeAttachment"),
];

/// Files and folders of Troubleshoot that are not objects.
const NO_OBJECTS: [&str; 4] = ["auth-cani-list", "groups", "image-pull-secrets", "resources"];

/// The files that `kubectl cluster-info dump` writes in the folder of a namespace.
const DUMPED: [&str; 7] = ["daemonsets", "deployments", "events", "pods", "replicasets", "replication-controllers", "services"];

/// The role of the file at `path`. [`claims`](super::claims) recognises logs.
pub(super) fn role(path: &str) -> Role<'_> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let file = parts.pop().unwrap_or_default();
    let (stem, extension) = file.rsplit_once('.').unwrap_or((file, ""));
    // Logs that the kubelet has rotated are older than any that is asked for.
    if file.contains(".log.") {
        return Role::Other;
    }
    if [".tar", ".gz", ".tgz", ".zip", ".xz", ".bz2", ".zst", ".7z"].iter().any(|end| file.ends_with(end)) {
        return Role::Archive;
    }
    let gathered = parts.iter().rposition(|part| *part == TROUBLESHOOT).map(|at| &parts[at + 1..]);
    // Some of Troubleshoot's files have no extension.
    let is_text = ["json", "yaml", "yml"].contains(&extension) || (extension.is_empty() && gathered == Some(&[]));
    match gathered {
        _ if !is_text => Role::Other,
        _ if stem.ends_with("-errors") || stem == "errors" => Role::Failures,
        Some(folders) if folders.first().into_iter().chain([&stem]).any(|name| NO_OBJECTS.contains(name)) => Role::Other,
        Some([]) => Role::Objects(Hint { kind: gathered_kind(stem), stem, ..Hint::default() }),
        Some([CUSTOM]) => Role::Objects(Hint { stem, ..Hint::default() }),
        Some([CUSTOM, name]) => Role::Objects(Hint { namespace: Some(stem), stem: name, ..Hint::default() }),
        Some([name]) => Role::Objects(Hint { namespace: Some(stem), kind: gathered_kind(name), stem: name, ..Hint::default() }),
        _ => {
            let named = namespace(&parts, stem);
            let namespace = named.filter(|name| !ALL.contains(name));
            Role::Objects(Hint { namespace, everywhere: named.is_some() && namespace.is_none(), kind: None, stem })
        }
    }
}

/// What must-gather and Velero write in the place of a namespace, for all of them.
const ALL: [&str; 2] = ["all", "all-namespaces"];

/// The namespace in a path, for a file of this name.
fn namespace<'p>(parts: &[&'p str], stem: &str) -> Option<&'p str> {
    let after = |folder: &str| Some(*parts.get(parts.iter().rposition(|part| *part == folder)? + 1)?);
    // must-gather and Velero; sonobuoy; a dump.
    let named = after("namespaces").or_else(|| after("ns").filter(|_| parts.contains(&"resources")));
    named.or_else(|| parts.last().copied().filter(|_| DUMPED.contains(&stem)))
}

/// `apiVersion` and kind of one of Troubleshoot's names.
pub(super) fn gathered_kind(name: &str) -> Option<(&'static str, &'static str)> {
    GATHERED.iter().find(|(known, ..)| *known == name).map(|(_, api_version, kind)| (*api_version, *kind))
}

/// Troubleshoot's names of a kind.
pub(super) fn names_of_gathered<'k>(group: &'k str, kind: &'k str) -> impl Iterator<Item = &'static str> + use<'k> {
    let is_it = move |api_version: &str, name: &str| kinds::group_and_version(api_version).0 == group && name == kind;
    GATHERED.iter().filter(move |(_, api_version, name)| is_it(api_version, name)).map(|(name, ..)| *name)
}

/// Whether this file shows that Troubleshoot gathered custom resources.
pub(super) fn is_of_custom_resources(path: &str) -> bool {
    path.split('/').collect::<Vec<_>>().windows(2).any(|pair| pair == [TROUBLESHOOT, CUSTOM])
}

/// Kinds by the names of files that hold empty lists of them: `pods`, `deployments.apps`.
pub(super) struct Called<'k>(BTreeMap<String, &'k Kind>);

impl<'k> Called<'k> {
    /// If two kinds have one name, the first counts.
    pub(super) fn new(kinds: impl Iterator<Item = &'k Kind>) -> Self {
        let mut called = BTreeMap::new();
        for kind in kinds {
            for name in [kind.plural.clone(), format!("{}.{}", kind.plural, kind.group)] {
                called.entry(name).or_insert(kind);
            }
        }
        Self(called)
    }

    /// The kind that a file is named after.
    pub(super) fn after(&self, stem: &str) -> Option<&'k Kind> {
        self.0.get(stem).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_the_namespace_and_the_kind_where_its_layout_does() {
        let none = (None, None);
        let pod = Some(("v1", "Pod"));
        for (path, expected) in [
            // kubectl get, and files of anybody.
            ("pods.yaml", none),
            ("a/b/anything.json", none),
            // kubectl cluster-info dump.
            ("dump/team-a/pods.json", (Some("team-a"), None)),
            ("team-a/replication-controllers.yaml", (Some("team-a"), None)),
            ("team-a/coder.yaml", none),
            ("dump/nodes.json", none),
            // Troubleshoot.
            ("b/cluster-resources/pods/team-a.json", (Some("team-a"), pod)),
            ("cluster-resources/statefulsets-errors.json/team-a.json", (Some("team-a"), Some(("apps/v1", "ReplicaSet")))),
            ("cluster-resources/custom-resources/codercontrolplanes.coder.com/team-a.yaml", (Some("team-a"), None)),
            ("cluster-resources/custom-resources/barns.farm.example.com.yaml", none),
            ("cluster-resources/nodes.json", (None, Some(("v1", "Node")))),
            ("cluster-resources/pvs", (None, Some(("v1", "PersistentVolume")))),
            // must-gather.
            ("must-gather/quay-io-sha256-0/namespaces/team-a/core/pods.yaml", (Some("team-a"), None)),
            ("namespaces/team-a/coder.com/codercontrolplanes/coder.yaml", (Some("team-a"), None)),
            ("namespaces/all/core/pods.yaml", none),
            ("cluster-scoped-resources/core/nodes/node-1.yaml", none),
            // sonobuoy and Velero.
            ("resources/ns/team-a/core_v1_pods.json", (Some("team-a"), None)),
            ("resources/deployments.apps/v1-preferredversion/namespaces/team-a/web.json", (Some("team-a"), None)),
            ("resources/persistentvolumes/cluster/pv.json", none),
        ] {
            let Role::Objects(hint) = role(path) else { panic!("{path}: {:?}", role(path)) };
            assert_eq!((hint.namespace, hint.kind), expected, "{path}");
        }
    }

    #[test]
    fn what_holds_no_objects_is_told_by_its_path() {
        for (path, expected) in [
            ("cluster-resources/pods-errors.json", Role::Failures),
            ("cluster-resources/custom-resources/custom-resources-errors.json", Role::Failures),
            ("web/logs/errors.json", Role::Failures),
            ("cluster-resources/groups.json", Role::Other),
            ("cluster-resources/auth-cani-list/team-a.json", Role::Other),
            ("cluster-resources/image-pull-secrets/team-a/registry.json", Role::Other),
            ("README.md", Role::Other),
            ("pods", Role::Other),
            ("bundle.tar.gz", Role::Archive),
            ("pods.json.gz", Role::Archive),
            ("logs/rotated/0.log.20261119-090000", Role::Other),
            ("logs/rotated/0.log.20261119-090000.gz", Role::Other),
        ] {
            assert_eq!(role(path), expected, "{path}");
        }
    }

    #[test]
    fn the_table_has_each_name_once() {
        let names: std::collections::BTreeSet<_> = GATHERED.iter().map(|(name, ..)| name).collect();
        assert_eq!(names.len(), GATHERED.len());
    }
}
