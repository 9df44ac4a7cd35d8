//! Faults, each staged in a namespace of its own as the control plane and the kubelet would leave it. `find_problems` names each among the first
//! three, and one `explain` names its cause.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::namespace::{Namespace, create, merge};

use super::*;

/// Bytes of what `explain` says, and of all of it.
const TEXT_MAX: usize = 2_000;
const ALL_MAX: usize = 4 * 1024;

/// Asks what is wrong in a namespace, and why; `words` are those that the cause is told in.
async fn is_found_and_explained(namespace: &Namespace, kind: &str, name: &str, words: &[&str]) {
    let client = client().await;
    let (_, found) = said(&client, "find_problems", json!({ "namespace": namespace.name() })).await;
    let problems = found["problems"].as_array().unwrap();
    let next = problems.iter().take(3).map(|problem| &problem["next"]).find(|next| next["kind"] == kind && next["name"] == name);
    let next = next.unwrap_or_else(|| panic!("{kind} {name}: {found:#}"));
    explained(&client, next, words).await;
}

async fn explained(client: &Client, asked: &Value, words: &[&str]) {
    let (text, structure) = said(client, "explain", asked.clone()).await;
    assert!(text.len() <= TEXT_MAX, "{} bytes: {text}", text.len());
    assert!(text.len() + structure.to_string().len() <= ALL_MAX, "{text}\n{structure}");
    for word in words {
        assert!(text.contains(word), "{word:?}: {text}\n{structure:#}");
    }
}

/// A pod that nothing here touches: it is on a node that kwok does not play.
fn pod(name: &str, more: Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": name } },
        "spec": { "nodeName": "elsewhere", "containers": [{ "name": "app", "image": "example.com/app:1" }] },
    });
    merge(&mut pod, more);
    pod
}

/// The status of a pod whose container is in this state.
fn status(phase: &str, container: Value) -> Value {
    let mut of_container =
        json!({ "name": "app", "image": "example.com/app:1", "imageID": "", "ready": false, "restartCount": 0 });
    merge(&mut of_container, container);
    json!({ "phase": phase, "containerStatuses": [of_container], "conditions": [
        { "type": "PodScheduled", "status": "True" },
        { "type": "Ready", "status": "False", "reason": "ContainersNotReady", "message": "containers with unready status: [app]" },
    ] })
}

/// The status of a pod that no node takes.
fn unschedulable(message: &str) -> Value {
    json!({ "phase": "Pending", "conditions": [
        { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message },
    ] })
}

/// Sets the status of a pod that kwok has started.
fn patch_status(namespace: &Namespace, name: &str, status: &Value) {
    let patch = json!({ "status": status }).to_string();
    let of = ["-n", namespace.name(), "patch", "pod", name, "--subresource=status", "--type=merge", "-p", &patch];
    ControlPlane::shared().kubectl(&of);
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled() {
    let namespace = Namespace::fresh("image").await;
    let message = "Back-off pulling image \"example.com/app:1\": ErrImagePull: not found";
    let waiting = json!({ "state": { "waiting": { "reason": "ImagePullBackOff", "message": message } } });
    namespace.create(pod("web", json!({ "status": status("Pending", waiting) }))).await;
    is_found_and_explained(&namespace, "Pod", "web", &["example.com/app:1", "not found"]).await;
}

#[tokio::test]
async fn a_crash_loop_whose_reason_is_in_the_log() {
    let namespace = Namespace::fresh("crash").await;
    let log = CriLog::of(["starting".to_owned(), "panic: no such table: users".to_owned()]);
    namespace.log("web", None, &log, Some(&log)).await;
    namespace.pod("web", &["app"]).await;
    let state = json!({
        "restartCount": 7,
        "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container" } },
        "lastState": { "terminated": { "exitCode": 2, "reason": "Error", "finishedAt": "2026-11-20T10:00:00Z", "startedAt": "2026-11-20T09:59:00Z" } },
    });
    patch_status(&namespace, "web", &status("Running", state));
    is_found_and_explained(&namespace, "Pod", "web", &["code 2", "no such table: users"]).await;
}

#[tokio::test]
async fn out_of_memory() {
    let namespace = Namespace::fresh("memory").await;
    let state = json!({
        "restartCount": 4, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        "lastState": { "terminated": { "exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-20T10:00:00Z", "startedAt": "2026-11-20T09:59:00Z" } },
    });
    let container = json!({ "name": "app", "image": "example.com/app:1", "resources": { "limits": { "memory": "128Mi" } } });
    let more = json!({ "spec": { "containers": [container] }, "status": status("Running", state) });
    namespace.create(pod("web", more)).await;
    is_found_and_explained(&namespace, "Pod", "web", &["OOMKilled", "128Mi"]).await;
}

/// A pod that is on no node.
fn waiting_pod(more: Value) -> Value {
    let mut pod = pod("web", more);
    pod["spec"].as_object_mut().unwrap().remove("nodeName");
    pod
}

#[tokio::test]
async fn no_node_has_the_memory() {
    let namespace = Namespace::fresh("room").await;
    // A controller that is not here takes it off nodes that are ready.
    let _ = ControlPlane::shared().try_kubectl(&["taint", "nodes", "--all", "node.kubernetes.io/not-ready:NoSchedule-"]);
    let container = json!({ "name": "app", "image": "example.com/app:1", "resources": { "requests": { "memory": "9000Gi" } } });
    let said = unschedulable("0/1 nodes are available: 1 Insufficient memory.");
    namespace.create(waiting_pod(json!({ "spec": { "containers": [container] }, "status": said }))).await;
    is_found_and_explained(&namespace, "Pod", "web", &["9000Gi", "memory"]).await;
}

#[tokio::test]
async fn a_taint_that_it_does_not_tolerate() {
    let namespace = Namespace::fresh("taint").await;
    let said = unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}.");
    namespace.create(waiting_pod(json!({ "status": said }))).await;
    is_found_and_explained(&namespace, "Pod", "web", &["taint", "dedicated"]).await;
}

#[tokio::test]
async fn a_claim_that_is_not_bound() {
    let namespace = Namespace::fresh("claim").await;
    let spec = json!({ "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": { "requests": { "storage": "1Gi" } } });
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" }, "spec": spec, "status": { "phase": "Pending" },
    });
    namespace.create(claim).await;
    let said = unschedulable("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
    let volumes = json!([{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }]);
    namespace.create(waiting_pod(json!({ "spec": { "volumes": volumes }, "status": said }))).await;
    is_found_and_explained(&namespace, "Pod", "web", &["data", "fast"]).await;
}

#[tokio::test]
async fn a_readiness_probe_that_fails() {
    let namespace = Namespace::fresh("probe").await;
    let probe = json!({ "httpGet": { "path": "/ready", "port": 8080 } });
    let container = json!({ "name": "app", "image": "example.com/app:1", "readinessProbe": probe });
    let running = json!({ "started": true, "state": { "running": { "startedAt": "2026-11-20T09:59:00Z" } } });
    namespace.create(pod("web", json!({ "spec": { "containers": [container] }, "status": status("Running", running) }))).await;
    let message = "Readiness probe failed: HTTP probe failed with statuscode: 503";
    let event = json!({ "type": "Warning", "reason": "Unhealthy", "message": message, "count": 40, "lastTimestamp": "2026-11-20T10:00:00Z" });
    let about = json!({ "involvedObject": { "name": "web", "fieldPath": "spec.containers{app}" } });
    let mut event = event;
    merge(&mut event, about);
    namespace.event("unhealthy", event).await;
    is_found_and_explained(&namespace, "Pod", "web", &["/ready", "503"]).await;
}

/// A Deployment of three that has these conditions.
fn deployment(conditions: &Value) -> Value {
    let template = json!({ "metadata": { "labels": { "app": "api" } }, "spec": { "containers": [{ "name": "app", "image": "example.com/api:2" }] } });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "api" },
        "spec": { "replicas": 3, "selector": { "matchLabels": { "app": "api" } }, "template": template },
        "status": { "observedGeneration": 1, "unavailableReplicas": 3, "conditions": conditions },
    })
}

#[tokio::test]
async fn a_quota_that_is_used_up() {
    let namespace = Namespace::fresh("quota").await;
    let message = "pods \"api-1\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0";
    let conditions = json!([
        { "type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "Deployment does not have minimum availability." },
        { "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message },
    ]);
    namespace.create(deployment(&conditions)).await;
    is_found_and_explained(&namespace, "Deployment", "api", &["quota", "small"]).await;
}

#[tokio::test]
async fn a_rollout_that_is_stuck() {
    let namespace = Namespace::fresh("rollout").await;
    let message = "ReplicaSet \"api-5c9\" has timed out progressing.";
    let conditions = json!([
        { "type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "Deployment does not have minimum availability." },
        { "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": message },
    ]);
    namespace.create(deployment(&conditions)).await;
    is_found_and_explained(&namespace, "Deployment", "api", &["0 of 3", "ProgressDeadlineExceeded"]).await;
}

#[tokio::test]
async fn a_service_whose_selector_matches_nothing() {
    let namespace = Namespace::fresh("service").await;
    namespace.pod("web", &["app"]).await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "selector": { "app": "wbe" }, "ports": [{ "port": 80 }] },
    });
    namespace.create(service).await;
    is_found_and_explained(&namespace, "Service", "web", &["app=wbe", "app=web"]).await;
}

#[tokio::test]
async fn a_job_past_its_backoff_limit() {
    let namespace = Namespace::fresh("job").await;
    let failed = |kind: &str| {
        json!({
            "type": kind, "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit",
            "lastTransitionTime": "2026-11-20T10:00:00Z", "lastProbeTime": "2026-11-20T10:00:00Z",
        })
    };
    let template =
        json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "app", "image": "example.com/migrate:1" }] } });
    let job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "migrate" }, "spec": { "backoffLimit": 2, "template": template },
        "status": {
            "startTime": "2026-11-20T09:59:00Z", "failed": 3, "uncountedTerminatedPods": {}, "conditions": [failed("FailureTarget"), failed("Failed")],
        },
    });
    namespace.create(job).await;
    is_found_and_explained(&namespace, "Job", "migrate", &["backoff limit", "BackoffLimitExceeded"]).await;
}

/// Here kwok sets every node ready again at once, so it is one that lacks memory; one that is not ready is a matter of real kubelets.
#[tokio::test]
async fn a_node_under_pressure() {
    let namespace = Namespace::fresh("node").await;
    let name = format!("pressed-{}", namespace.name());
    create(namespace.client(), json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } })).await;
    let control_plane = ControlPlane::shared();
    control_plane.kubectl(&["wait", "--for=condition=Ready", &format!("node/{name}"), "--timeout=120s"]);
    let condition = json!({
        "type": "MemoryPressure", "status": "True", "reason": "KubeletHasInsufficientMemory",
        "message": "kubelet has insufficient memory available", "lastTransitionTime": "2026-11-20T10:00:00Z",
    });
    let patch = json!({ "status": { "conditions": [condition] } }).to_string();
    control_plane.kubectl(&["patch", "node", &name, "--subresource=status", "--type=strategic", "-p", &patch]);
    let client = client().await;
    let (_, found) = said(&client, "find_problems", json!({ "limit": 50 })).await;
    let problems = found["problems"].as_array().unwrap();
    // Other tests stage theirs in the same cluster.
    assert!(problems.iter().any(|problem| problem["next"]["name"] == *name), "{found:#}");
    explained(&client, &json!({ "kind": "node", "name": name }), &["MemoryPressure", "insufficient memory"]).await;
    control_plane.kubectl(&["delete", "node", &name]);
}

#[tokio::test]
async fn where_nothing_is_wrong_that_is_one_line() {
    let namespace = Namespace::fresh("well").await;
    namespace.pod("web", &["app"]).await;
    let (text, found) = said(&client().await, "find_problems", json!({ "namespace": namespace.name() })).await;
    assert!(found["problems"].as_array().unwrap().is_empty(), "{found:#}");
    assert!(found.to_string().len() < 300 && text.len() < 400, "{text}\n{found}");
}
