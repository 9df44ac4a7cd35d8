//! API groups of Kubernetes itself, and those of others.

/// Kubernetes' own groups that have a dot, as those of others have. What only ends like them is somebody else's:
/// `gateway.networking.k8s.io`.
const OWN: [&str; 18] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "events.k8s.io",
    "flowcontrol.apiserver.k8s.io",
    "metrics.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "resource.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
    "storagemigration.k8s.io",
];

/// Where a group stands among those that have a kind of the same name: the core group first, and Kubernetes' own before all others.
pub(super) fn rank(group: &str) -> u8 {
    match group {
        "" => 0,
        _ if !group.contains('.') => 1,
        _ if OWN.contains(&group) => 2,
        _ if group.ends_with(".k8s.io") => 3,
        _ => 4,
    }
}

/// A kind as [`find`](super::find) takes it for no other: with its group, unless that is one of Kubernetes' own. `Deployment`, and
/// `Deployment.example.com`.
pub fn qualified(group: &str, kind: &str) -> String {
    if rank(group) <= 2 { kind.to_owned() } else { format!("{kind}.{group}") }
}
