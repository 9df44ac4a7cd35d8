//! What is often wrong, as objects: each function adds one fault to a cluster, as a server of Kubernetes shows it.
//!
//! ```
//! use sandbar_tool::testing::faults;
//!
//! let cluster = faults::crash_loop(faults::well(), "team-a");
//! # drop(cluster.host());
//! ```

use serde_json::{Value, json};

use super::Cluster;

/// Adds a fault to a namespace.
pub type Fault = fn(Cluster, &str) -> Cluster;

/// Two nodes, and a Deployment `shop/front` of two pods with a Service, all of them well.
pub fn well() -> Cluster {
    let front = pods("shop", "front", 2, &json!({}), &json!({ "ready": true, "state": running("2026-11-22T08:00:00Z") }));
    Cluster::new()
        .with_all([node("node-1"), node("node-2"), namespace("shop")])
        .with_all([deployment("shop", "front", 2, 2, json!([])), replica_set("shop", "front", 2)])
        .with(service("shop", "front", json!({ "app": "front" })))
        .with(slice("shop", "front", &["10.0.0.1", "10.0.0.2"]))
        .with_all(front)
}

/// A node that is well, with 4 processors and 8Gi.
pub fn node(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } }, "spec": {},
        "status": {
            "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "110" },
            "conditions": [
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory", ""), condition("Ready", "True", "KubeletReady", ""),
            ],
        },
    })
}

/// A namespace.
pub fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name }, "status": { "phase": "Active" } })
}

/// A Deployment that wants this many replicas, of which as many are available.
pub fn deployment(namespace: &str, name: &str, replicas: i64, available: i64, conditions: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": namespace, "uid": format!("{name}-uid"), "creationTimestamp": "2026-11-22T08:00:00Z" },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": { "app": name } } },
        },
        "status": {
            "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": available, "availableReplicas": available,
            "conditions": conditions,
        },
    })
}

/// The ReplicaSet of a Deployment.
pub fn replica_set(namespace: &str, name: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{name}-5d9"), "namespace": namespace, "labels": { "app": name, "pod-template-hash": "5d9" },
            "annotations": { "deployment.kubernetes.io/revision": "1" },
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": name, "controller": true }],
        },
        "spec": { "replicas": replicas, "selector": { "matchLabels": { "app": name, "pod-template-hash": "5d9" } } },
        "status": { "replicas": replicas },
    })
}

/// Pods of a Deployment's ReplicaSet on `node-1`. Their container is `app`; `spec` is put into it, and `status` is its status.
pub fn pods(namespace: &str, name: &str, count: usize, spec: &Value, status: &Value) -> Vec<Value> {
    let names = ["a", "b", "c", "d"].into_iter().take(count);
    names.map(|letter| pod(namespace, name, &format!("{name}-5d9-{letter}"), spec, status)).collect()
}

/// A Service without endpoints of its own.
pub fn service(namespace: &str, name: &str, selector: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name, "namespace": namespace },
        "spec": { "type": "ClusterIP", "clusterIP": "10.0.0.9", "selector": selector, "ports": [{ "port": 80, "targetPort": 8080 }] },
    })
}

/// The EndpointSlice of a Service.
pub fn slice(namespace: &str, service: &str, addresses: &[&str]) -> Value {
    let endpoints: Vec<Value> =
        addresses.iter().map(|address| json!({ "addresses": [address], "conditions": { "ready": true } })).collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "name": format!("{service}-x"), "namespace": namespace, "labels": { "kubernetes.io/service-name": service } },
        "endpoints": endpoints,
    })
}

/// A Warning event of two minutes ago.
pub fn warning(namespace: &str, kind: &str, name: &str, reason: &str, message: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "name": format!("{name}.{}", reason.to_lowercase()), "namespace": namespace },
        "involvedObject": { "kind": kind, "namespace": namespace, "name": name }, "type": "Warning",
        "reason": reason, "message": message, "count": 7, "lastTimestamp": "2026-11-22T09:58:00Z", "firstTimestamp": "2026-11-22T09:40:00Z",
    })
}

/// A condition since half an hour.
pub fn condition(of: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({ "type": of, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-11-22T09:30:00Z" })
}

/// Deployment `pull`: its image is not there.
pub fn image(cluster: Cluster, namespace: &str) -> Cluster {
    let status = json!({ "ready": false, "state": { "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling image \"example.com/app:typo\"" } } });
    let spec = json!({ "image": "example.com/app:typo" });
    let failed = "Failed to pull image \"example.com/app:typo\": manifest unknown: tag typo not found";
    unavailable(cluster, namespace, "pull", 2, &spec, &status).with(warning(namespace, "Pod", "pull-5d9-a", "Failed", failed))
}

/// Deployment `crash`: its program says in its log why it ends.
pub fn crash_loop(cluster: Cluster, namespace: &str) -> Cluster {
    let status = json!({
        "ready": false, "restartCount": 5, "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 5m0s" } },
        "lastState": { "terminated": { "exitCode": 1, "reason": "Error", "finishedAt": "2026-11-22T09:57:00Z" } },
    });
    let log = "starting\nreading configuration\nFATAL: no variable DATABASE_URL\n";
    unavailable(cluster, namespace, "crash", 3, &json!({}), &status)
        .previous_log(namespace, "crash-5d9-a", "app", log)
        .previous_log(namespace, "crash-5d9-b", "app", log)
        .previous_log(namespace, "crash-5d9-c", "app", log)
        .with(warning(namespace, "Pod", "crash-5d9-a", "BackOff", "Back-off restarting failed container app"))
}

/// Deployment `hungry`: it uses more memory than it may.
pub fn out_of_memory(cluster: Cluster, namespace: &str) -> Cluster {
    let status = json!({
        "ready": false, "restartCount": 4, "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 2m40s" } },
        "lastState": { "terminated": { "exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-22T09:57:00Z" } },
    });
    let spec = json!({ "resources": { "limits": { "memory": "128Mi" } } });
    unavailable(cluster, namespace, "hungry", 1, &spec, &status).previous_log(
        namespace,
        "hungry-5d9-a",
        "app",
        "loading everything\n",
    )
}

/// Deployment `large`: no node has the memory that it requests.
pub fn too_large(cluster: Cluster, namespace: &str) -> Cluster {
    let spec = json!({ "resources": { "requests": { "memory": "64Gi" } } });
    unscheduled(cluster, namespace, "large", &spec, "0/2 nodes are available: 2 Insufficient memory.")
}

/// Deployment `choosy`: each node has a taint that it does not tolerate.
pub fn tainted(cluster: Cluster, namespace: &str) -> Cluster {
    let message = "0/2 nodes are available: 2 node(s) had untolerated taint {dedicated: gpu}.";
    let cluster = unscheduled(cluster, namespace, "choosy", &json!({}), message);
    cluster
        .changed("nodes", |node| node["spec"]["taints"] = json!([{ "key": "dedicated", "value": "gpu", "effect": "NoSchedule" }]))
}

/// Deployment `stateful`: its claim `data` names a StorageClass that does not exist.
pub fn unbound_claim(cluster: Cluster, namespace: &str) -> Cluster {
    let message = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": { "name": "data", "namespace": namespace, "creationTimestamp": "2026-11-22T09:30:00Z" },
        "spec": { "storageClassName": "fast", "resources": { "requests": { "storage": "10Gi" } } }, "status": { "phase": "Pending" },
    });
    let class = json!({ "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": "standard" }, "volumeBindingMode": "Immediate" });
    unscheduled(cluster, namespace, "stateful", &json!({}), message)
        .changed("pods", |pod| {
            if pod["metadata"]["name"] == "stateful-5d9-a" {
                pod["spec"]["volumes"] = json!([{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }]);
            }
        })
        .with_all([claim, class])
        .with(warning(
            namespace,
            "PersistentVolumeClaim",
            "data",
            "ProvisioningFailed",
            "storageclass.storage.k8s.io \"fast\" not found",
        ))
}

/// Deployment `slow`: its readiness probe fails.
pub fn failing_probe(cluster: Cluster, namespace: &str) -> Cluster {
    let spec = json!({ "readinessProbe": { "httpGet": { "path": "/ready", "port": 8080 }, "periodSeconds": 10 } });
    let status = json!({ "ready": false, "started": true, "restartCount": 0, "state": running("2026-11-22T09:30:00Z") });
    let cluster = unavailable(cluster, namespace, "slow", 1, &spec, &status);
    let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
    cluster.log(namespace, "slow-5d9-a", "app", "waiting for the cache\n").with(warning(
        namespace,
        "Pod",
        "slow-5d9-a",
        "Unhealthy",
        message,
    ))
}

/// Deployment `mounts`: a volume of its pod is a ConfigMap that does not exist.
pub fn missing_volume(cluster: Cluster, namespace: &str) -> Cluster {
    let status = json!({ "ready": false, "state": { "waiting": { "reason": "ContainerCreating" } } });
    let message = "MountVolume.SetUp failed for volume \"settings\" : configmap \"settings\" not found";
    unavailable(cluster, namespace, "mounts", 1, &json!({}), &status)
        .changed("pods", |pod| {
            if pod["metadata"]["name"] == "mounts-5d9-a" {
                pod["status"]["phase"] = json!("Pending");
            }
        })
        .with(warning(namespace, "Pod", "mounts-5d9-a", "FailedMount", message))
}

/// Deployment `more`: a quota allows it no pod.
pub fn quota(cluster: Cluster, namespace: &str) -> Cluster {
    let message = "pods \"more-5d9-a\" is forbidden: exceeded quota: small, requested: requests.cpu=2, used: requests.cpu=1, limited: requests.cpu=2";
    let mut deployment =
        deployment(namespace, "more", 2, 0, json!([condition("ReplicaFailure", "True", "FailedCreate", message)]));
    deployment["status"]["replicas"] = json!(0);
    deployment["status"]["updatedReplicas"] = json!(0);
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "small", "namespace": namespace },
        "status": { "hard": { "requests.cpu": "2" }, "used": { "requests.cpu": "1" } },
    });
    cluster.with_all([deployment, replica_set(namespace, "more", 2), quota]).with(warning(
        namespace,
        "ReplicaSet",
        "more-5d9",
        "FailedCreate",
        message,
    ))
}

/// Service `web`: its selector has a typing error, beside a Deployment that is well.
pub fn selector(cluster: Cluster, namespace: &str) -> Cluster {
    let status = json!({ "ready": true, "state": running("2026-11-22T08:00:00Z") });
    cluster
        .with_all([deployment(namespace, "web", 2, 2, json!([])), replica_set(namespace, "web", 2)])
        .with_all(pods(namespace, "web", 2, &json!({}), &status))
        .with(service(namespace, "web", json!({ "app": "webb" })))
        .with(slice(namespace, "web", &[]))
}

/// Deployment `rolling`: the pod of its new revision cannot start, and the rollout does not go on.
pub fn stuck_rollout(cluster: Cluster, namespace: &str) -> Cluster {
    let message = "ReplicaSet \"rolling-5d9\" has timed out progressing.";
    let mut deployment =
        deployment(namespace, "rolling", 2, 2, json!([condition("Progressing", "False", "ProgressDeadlineExceeded", message)]));
    deployment["status"]["updatedReplicas"] = json!(1);
    let status = json!({ "ready": false, "state": { "waiting": { "reason": "CreateContainerConfigError", "message": "secret \"login\" not found" } } });
    let well = json!({ "ready": true, "state": running("2026-11-22T08:00:00Z") });
    let mut old = pod(namespace, "rolling", "rolling-4c8-a", &json!({}), &well);
    old["metadata"]["labels"]["pod-template-hash"] = json!("4c8");
    old["metadata"]["ownerReferences"][0]["name"] = json!("rolling-4c8");
    cluster.with_all([deployment, replica_set(namespace, "rolling", 1), old]).with_all(pods(
        namespace,
        "rolling",
        1,
        &json!({}),
        &status,
    ))
}

/// Job `import`: it has failed as often as it may.
pub fn failed_job(cluster: Cluster, namespace: &str) -> Cluster {
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": "import", "namespace": namespace, "creationTimestamp": "2026-11-22T09:20:00Z" },
        "spec": { "backoffLimit": 1, "selector": { "matchLabels": { "app": "import" } } },
        "status": { "failed": 2, "conditions": [condition("Failed", "True", "BackoffLimitExceeded", "Job has reached the specified backoff limit")] },
    });
    let status = json!({ "ready": false, "state": { "terminated": { "exitCode": 2, "reason": "Error", "finishedAt": "2026-11-22T09:30:00Z" } } });
    let mut pod = pod(namespace, "import", "import-x", &json!({}), &status);
    pod["status"]["phase"] = json!("Failed");
    pod["metadata"]["ownerReferences"] =
        json!([{ "apiVersion": "batch/v1", "kind": "Job", "name": "import", "controller": true }]);
    cluster.with_all([job, pod]).log(namespace, "import-x", "app", "opening the file\nno such file: /data/in.csv\n")
}

/// Node `node-2` runs out of memory.
pub fn pressure(cluster: Cluster, _: &str) -> Cluster {
    cluster.changed("nodes", |node| {
        if node["metadata"]["name"] == "node-2" {
            node["status"]["conditions"][0] =
                condition("MemoryPressure", "True", "KubeletHasInsufficientMemory", "kubelet has insufficient memory available");
            node["spec"]["taints"] = json!([{ "key": "node.kubernetes.io/memory-pressure", "effect": "NoSchedule" }]);
        }
    })
}

/// Node `node-2` does not answer any more.
pub fn silent_node(cluster: Cluster, _: &str) -> Cluster {
    cluster.changed("nodes", |node| {
        if node["metadata"]["name"] == "node-2" {
            node["status"]["conditions"][1] =
                condition("Ready", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.");
        }
    })
}

/// A Deployment none of whose pods is ready.
fn unavailable(cluster: Cluster, namespace: &str, name: &str, count: usize, spec: &Value, status: &Value) -> Cluster {
    let message = "Deployment does not have minimum availability.";
    let available = json!([condition("Available", "False", "MinimumReplicasUnavailable", message)]);
    let replicas = i64::try_from(count).unwrap_or_default();
    cluster
        .with_all([deployment(namespace, name, replicas, 0, available), replica_set(namespace, name, replicas)])
        .with_all(pods(namespace, name, count, spec, status))
}

/// A Deployment whose one pod no node takes.
fn unscheduled(cluster: Cluster, namespace: &str, name: &str, spec: &Value, message: &str) -> Cluster {
    let pod = format!("{name}-5d9-a");
    unavailable(cluster, namespace, name, 1, spec, &json!({}))
        .changed("pods", |object| {
            if object["metadata"]["name"] == *pod {
                object["spec"]["nodeName"] = Value::Null;
                object["status"] =
                    json!({ "phase": "Pending", "conditions": [condition("PodScheduled", "False", "Unschedulable", message)] });
            }
        })
        .with(warning(namespace, "Pod", &pod, "FailedScheduling", message))
}

fn pod(namespace: &str, app: &str, name: &str, spec: &Value, status: &Value) -> Value {
    let mut container = json!({ "name": "app", "image": "example.com/app:1", "ports": [{ "containerPort": 8080 }] });
    let mut container_status = json!({ "name": "app", "restartCount": 0 });
    for (into, from) in [(&mut container, spec), (&mut container_status, status)] {
        for (key, value) in from.as_object().into_iter().flatten() {
            into[key] = value.clone();
        }
    }
    let ready = if status["ready"] == true { "True" } else { "False" };
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "namespace": namespace, "labels": { "app": app, "pod-template-hash": "5d9" },
            "creationTimestamp": "2026-11-22T09:30:00Z",
            "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{app}-5d9"), "controller": true }],
        },
        "spec": { "nodeName": "node-1", "containers": [container] },
        "status": {
            "phase": "Running", "containerStatuses": [container_status],
            "conditions": [condition("PodScheduled", "True", "", ""), condition("Ready", ready, "", "")],
        },
    })
}

fn running(since: &str) -> Value {
    json!({ "running": { "startedAt": since } })
}
