//! Plural names of kinds, and which kinds are cluster-scoped: what a real server knows from its own types.

/// A resource as discovery describes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// The API group; `""` is the core group.
    pub(super) group: String,
    /// The version, `v1` for example.
    pub(super) version: String,
    /// The plural name, as it stands in a URL.
    pub(super) plural: String,
    /// The kind, `Pod` for example.
    pub(super) kind: String,
    /// Whether its objects are in a namespace.
    pub(super) namespaced: bool,
    /// What people write for it, `po` for example.
    pub(super) short_names: Vec<String>,
}

/// Kinds that are always served, by `apiVersion`: those of Kubernetes itself, and those that the bundled tools read. Listing one
/// that was not gathered is an error that says so; "not served" would claim that the cluster cannot have any.
pub(super) const ALWAYS: [(&str, &[&str]); 17] = [
    (
        "v1",
        &[
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "Namespace",
            "Node",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("apps/v1", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("autoscaling/v2", &["HorizontalPodAutoscaler"]),
    ("batch/v1", &["CronJob", "Job"]),
    ("coordination.k8s.io/v1", &["Lease"]),
    ("discovery.k8s.io/v1", &["EndpointSlice"]),
    ("networking.k8s.io/v1", &["Ingress", "IngressClass", "NetworkPolicy"]),
    ("policy/v1", &["PodDisruptionBudget"]),
    ("rbac.authorization.k8s.io/v1", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]),
    ("scheduling.k8s.io/v1", &["PriorityClass"]),
    ("storage.k8s.io/v1", &["CSIDriver", "CSINode", "CSIStorageCapacity", "StorageClass", "VolumeAttachment"]),
    ("apiextensions.k8s.io/v1", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io/v1", &["APIService"]),
    ("metrics.k8s.io/v1beta1", &["NodeMetrics", "PodMetrics"]),
    ("admissionregistration.k8s.io/v1", &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]),
    ("coder.com/v1alpha1", &["CoderControlPlane"]),
    ("aggregation.coder.com/v1alpha1", &["CoderTemplate", "CoderWorkspace"]),
];

/// Whether a kind is among [`ALWAYS`].
pub(super) fn is_served_always(api_version: &str, kind: &str) -> bool {
    ALWAYS.iter().any(|(of, kinds)| *of == api_version && kinds.contains(&kind))
}

/// The cluster-scoped kinds of Kubernetes' own groups; every other kind of these groups is namespaced.
const CLUSTER_SCOPED: [(&str, &[&str]); 13] = [
    ("", &["ComponentStatus", "Namespace", "Node", "PersistentVolume"]),
    (
        "admissionregistration.k8s.io",
        &[
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        ],
    ),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("apiregistration.k8s.io", &["APIService"]),
    ("certificates.k8s.io", &["CertificateSigningRequest", "ClusterTrustBundle"]),
    ("flowcontrol.apiserver.k8s.io", &["FlowSchema", "PriorityLevelConfiguration"]),
    ("metrics.k8s.io", &["NodeMetrics"]),
    ("networking.k8s.io", &["IngressClass", "IPAddress", "ServiceCIDR"]),
    ("node.k8s.io", &["RuntimeClass"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("resource.k8s.io", &["DeviceClass", "DeviceTaintRule", "ResourceSlice"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"]),
];

/// Kubernetes' groups whose kinds are all namespaced.
const NAMESPACED_GROUPS: [&str; 7] =
    ["apps", "autoscaling", "batch", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "policy"];

/// Plural names that do not follow the rule of [`plural`], by group and kind.
const IRREGULAR_PLURALS: [(&str, &str, &str); 3] =
    [("", "Endpoints", "endpoints"), ("metrics.k8s.io", "NodeMetrics", "nodes"), ("metrics.k8s.io", "PodMetrics", "pods")];

/// Short names of Kubernetes' own kinds, by group and kind.
const SHORT_NAMES: [(&str, &str, &str); 26] = [
    ("", "ConfigMap", "cm"),
    ("", "Endpoints", "ep"),
    ("", "Event", "ev"),
    ("", "LimitRange", "limits"),
    ("", "Namespace", "ns"),
    ("", "Node", "no"),
    ("", "PersistentVolume", "pv"),
    ("", "PersistentVolumeClaim", "pvc"),
    ("", "Pod", "po"),
    ("", "ReplicationController", "rc"),
    ("", "ResourceQuota", "quota"),
    ("", "Service", "svc"),
    ("", "ServiceAccount", "sa"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", "crd"),
    ("apiextensions.k8s.io", "CustomResourceDefinition", "crds"),
    ("apps", "DaemonSet", "ds"),
    ("apps", "Deployment", "deploy"),
    ("apps", "ReplicaSet", "rs"),
    ("apps", "StatefulSet", "sts"),
    ("autoscaling", "HorizontalPodAutoscaler", "hpa"),
    ("batch", "CronJob", "cj"),
    ("networking.k8s.io", "Ingress", "ing"),
    ("networking.k8s.io", "NetworkPolicy", "netpol"),
    ("policy", "PodDisruptionBudget", "pdb"),
    ("scheduling.k8s.io", "PriorityClass", "pc"),
    ("storage.k8s.io", "StorageClass", "sc"),
];

/// What people write for a kind of Kubernetes' own groups.
pub(super) fn short_names(group: &str, kind: &str) -> Vec<String> {
    let of_kind = SHORT_NAMES.iter().filter(|(in_group, of, _)| *in_group == group && *of == kind);
    of_kind.map(|(.., short)| (*short).to_owned()).collect()
}

/// The plural name of a kind, by the rules of English. Right for nearly all of Kubernetes' own kinds, and for most custom ones.
pub(super) fn plural(group: &str, kind: &str) -> String {
    if let Some((_, _, plural)) = IRREGULAR_PLURALS.iter().find(|(in_group, of, _)| *in_group == group && *of == kind) {
        return (*plural).to_owned();
    }
    let singular = kind.to_lowercase();
    match singular.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        None if singular.ends_with('s') => format!("{singular}es"),
        _ => format!("{singular}s"),
    }
}

/// Whether a kind of Kubernetes' own groups is namespaced; none for any other group.
pub(super) fn namespaced(group: &str, kind: &str) -> Option<bool> {
    match CLUSTER_SCOPED.iter().find(|(in_group, _)| *in_group == group) {
        Some((_, kinds)) => Some(!kinds.contains(&kind)),
        None => NAMESPACED_GROUPS.contains(&group).then_some(true),
    }
}

/// Splits an `apiVersion` into group and version.
pub(super) fn group_and_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_are_those_of_the_api_server() {
        for (group, kind, expected) in [
            ("", "Pod", "pods"),
            ("", "Endpoints", "endpoints"),
            ("discovery.k8s.io", "EndpointSlice", "endpointslices"),
            ("networking.k8s.io", "Ingress", "ingresses"),
            ("networking.k8s.io", "NetworkPolicy", "networkpolicies"),
            ("networking.k8s.io", "IPAddress", "ipaddresses"),
            ("storage.k8s.io", "StorageClass", "storageclasses"),
            ("storage.k8s.io", "CSIStorageCapacity", "csistoragecapacities"),
            ("metrics.k8s.io", "PodMetrics", "pods"),
            ("coder.com", "CoderControlPlane", "codercontrolplanes"),
            ("gateway.networking.k8s.io", "Gateway", "gateways"),
        ] {
            assert_eq!(plural(group, kind), expected);
        }
    }

    #[test]
    fn only_kubernetes_own_groups_have_a_known_scope() {
        assert_eq!(namespaced("", "Node"), Some(false));
        assert_eq!(namespaced("", "Pod"), Some(true));
        assert_eq!(namespaced("apps", "Deployment"), Some(true));
        assert_eq!(namespaced("rbac.authorization.k8s.io", "Role"), Some(true));
        assert_eq!(namespaced("rbac.authorization.k8s.io", "ClusterRole"), Some(false));
        assert_eq!(namespaced("example.com", "Node"), None);
    }

    #[test]
    fn the_core_group_has_no_name() {
        assert_eq!(group_and_version("v1"), ("", "v1"));
        assert_eq!(group_and_version("apps/v1"), ("apps", "v1"));
    }
}
