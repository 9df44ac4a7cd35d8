//! What goes wrong in a cluster, brought about by the real kubelet, scheduler and controllers. Each is in a namespace of its own, and all run
//! the one image that is there: Sandbar's.

use serde_json::{Value, json};

/// One thing that is wrong, and how it has to be told.
pub(crate) struct Fault {
    /// Its namespace, after `e2e-`.
    pub(crate) topic: &'static str,
    /// What to apply there.
    pub(crate) objects: Vec<Value>,
    /// Which object `find_problems` has to name; of a Node the name alone counts.
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    /// Words in which one `explain` has to tell the cause.
    pub(crate) words: &'static [&'static str],
}

/// The label of all that is made here.
pub(crate) const LABEL: &str = "sandbar.test/faults";

/// A node whose kubelet never says anything, and which takes nothing but what tolerates its taint.
pub(crate) const GONE: &str = "e2e-gone";

/// That node.
pub(crate) fn gone() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": GONE, "labels": { LABEL: "", "kubernetes.io/hostname": GONE } },
        "spec": { "taints": [{ "key": "dedicated", "value": "gpu", "effect": "NoSchedule" }] },
    })
}

/// Sandbar as a container that serves its demo, or ends with an error where this is no cluster.
fn container(image: &str, cluster: &str) -> Value {
    json!({
        "name": "app", "image": image, "imagePullPolicy": "IfNotPresent",
        "args": ["serve", "--cluster", cluster, "--listen", "0.0.0.0:8090", "--allow-anonymous"],
    })
}

fn template(container: Value, more: Value) -> Value {
    let mut spec =
        json!({ "containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": false });
    sandbar_tests::namespace::merge(&mut spec, more);
    json!({ "metadata": { "labels": { "app": "web" } }, "spec": spec })
}

fn pod(container: Value, more: Value) -> Value {
    let mut pod = template(container, more);
    sandbar_tests::namespace::merge(&mut pod, json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web" } }));
    pod
}

fn deployment(container: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "api" },
        "spec": { "progressDeadlineSeconds": 5, "selector": { "matchLabels": { "app": "web" } }, "template": template(container, json!({})) },
    })
}

/// All of them; `image` is Sandbar's in this cluster.
pub(crate) fn all(image: &str) -> Vec<Fault> {
    let with = |cluster: &str, more: Value| {
        let mut container = container(image, cluster);
        sandbar_tests::namespace::merge(&mut container, more);
        container
    };
    let well = || container(image, "demo");
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" },
        "spec": { "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": { "requests": { "storage": "1Gi" } } },
    });
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "small" }, "spec": { "hard": { "pods": "0" } } });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "selector": { "app": "wbe" }, "ports": [{ "port": 80 }] },
    });
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "migrate" },
        "spec": { "backoffLimit": 0, "template": template(container(image, "nowhere"), json!({ "restartPolicy": "Never" })) },
    });
    let fault = |topic, objects, kind, name, words| Fault { topic, objects, kind, name, words };
    vec![
        fault("image", vec![pod(container("sandbar.test/none:1", "demo"), json!({}))], "Pod", "web", &["sandbar.test/none:1"]),
        fault("crash", vec![pod(container(image, "nowhere"), json!({}))], "Pod", "web", &["`nowhere` is not a cluster"]),
        fault(
            "memory",
            vec![pod(with("demo", json!({ "resources": { "limits": { "memory": "10Mi" } } })), json!({}))],
            "Pod",
            "web",
            &["OOMKilled", "10Mi"],
        ),
        fault(
            "room",
            vec![pod(with("demo", json!({ "resources": { "requests": { "memory": "9000Gi" } } })), json!({}))],
            "Pod",
            "web",
            &["9000Gi", "memory"],
        ),
        fault(
            "taint",
            vec![pod(well(), json!({ "nodeSelector": { "kubernetes.io/hostname": GONE } }))],
            "Pod",
            "web",
            &["taint", "dedicated"],
        ),
        fault(
            "claim",
            vec![
                claim,
                pod(well(), json!({ "volumes": [{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }] })),
            ],
            "Pod",
            "web",
            &["data", "fast"],
        ),
        fault(
            "probe",
            vec![pod(with("demo", json!({ "readinessProbe": { "httpGet": { "path": "/nothing", "port": 8090 } } })), json!({}))],
            "Pod",
            "web",
            &["/nothing", "404"],
        ),
        fault("quota", vec![quota, deployment(well())], "Deployment", "api", &["quota", "small"]),
        fault("service", vec![pod(well(), json!({})), service], "Service", "web", &["app=wbe", "app=web"]),
        fault(
            "rollout",
            vec![deployment(container("sandbar.test/none:1", "demo"))],
            "Deployment",
            "api",
            &["ProgressDeadlineExceeded", "sandbar.test/none:1"],
        ),
        fault("job", vec![job], "Job", "migrate", &["BackoffLimitExceeded", "`nowhere` is not a cluster"]),
    ]
}
