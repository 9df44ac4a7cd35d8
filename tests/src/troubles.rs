//! What goes wrong in clusters, staged in a namespace as the control plane and the kubelet would leave it.

use serde_json::{Value, json};

use crate::cri_log::CriLog;
use crate::namespace::{Namespace, merge};

/// Something that is wrong with one object. Each has a namespace of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// An image that cannot be pulled.
    Image,
    /// A crash loop whose reason is in the log of the run before.
    CrashLoop,
    /// A container that needs more memory than it may have.
    OutOfMemory,
    /// A pod that asks for more memory than any node has.
    Room,
    /// A pod that does not tolerate a taint.
    Taint,
    /// A claim that is not bound, and the pod that waits for it.
    Claim,
    /// A readiness probe that fails.
    Probe,
    /// A Deployment whose pods a quota refuses.
    Quota,
    /// A rollout that is stuck.
    Rollout,
    /// A Service whose selector matches nothing.
    Service,
    /// A Job past its backoff limit.
    Job,
}

/// The object that it is found at, and words that its cause is told in.
#[derive(Clone, Copy, Debug)]
pub struct Staged {
    /// The object's kind.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What has to be said of it.
    pub words: [&'static str; 2],
}

impl Trouble {
    /// Where it is found, and what is to be said of it.
    fn staged(self) -> Staged {
        let (kind, name, words) = match self {
            Self::Image => ("Pod", "web", ["example.com/app:1", "not found"]),
            Self::CrashLoop => ("Pod", "web", ["code 2", "no such table: users"]),
            Self::OutOfMemory => ("Pod", "web", ["OOMKilled", "128Mi"]),
            Self::Room => ("Pod", "web", ["9000Gi", "memory"]),
            Self::Taint => ("Pod", "web", ["taint", "dedicated"]),
            Self::Claim => ("Pod", "web", ["data", "fast"]),
            Self::Probe => ("Pod", "web", ["/ready", "503"]),
            Self::Quota => ("Deployment", "api", ["quota", "small"]),
            Self::Rollout => ("Deployment", "api", ["0 of 3", "ProgressDeadlineExceeded"]),
            Self::Service => ("Service", "web", ["app=wbe", "app=web"]),
            Self::Job => ("Job", "migrate", ["backoff limit", "BackoffLimitExceeded"]),
        };
        Staged { kind, name, words }
    }

    /// Makes it so.
    pub async fn stage(self, namespace: &Namespace) -> Staged {
        match self {
            Self::Image => image(namespace).await,
            Self::CrashLoop => crash_loop(namespace).await,
            Self::OutOfMemory => out_of_memory(namespace).await,
            Self::Room => room(namespace).await,
            Self::Taint => taint(namespace).await,
            Self::Claim => claim(namespace).await,
            Self::Probe => probe(namespace).await,
            Self::Quota => quota(namespace).await,
            Self::Rollout => rollout(namespace).await,
            Self::Service => service(namespace).await,
            Self::Job => job(namespace).await,
        }
        self.staged()
    }
}

async fn image(namespace: &Namespace) {
    let message = "Back-off pulling image \"example.com/app:1\": ErrImagePull: not found";
    let waiting = json!({ "state": { "waiting": { "reason": "ImagePullBackOff", "message": message } } });
    namespace.create(pod("web", json!({ "status": status("Pending", waiting) }))).await;
}

async fn crash_loop(namespace: &Namespace) {
    let log = CriLog::of(["starting".to_owned(), "panic: no such table: users".to_owned()]);
    namespace.log("web", None, &log, Some(&log)).await;
    namespace.pod("web", &["app"]).await;
    let state = json!({
        "restartCount": 7,
        "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container" } },
        "lastState": { "terminated": { "exitCode": 2, "reason": "Error", "finishedAt": "2026-11-20T10:00:00Z", "startedAt": "2026-11-20T09:59:00Z" } },
    });
    namespace.patch_status("v1", "Pod", "web", status("Running", state)).await;
}

async fn out_of_memory(namespace: &Namespace) {
    let state = json!({
        "restartCount": 4, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
        "lastState": { "terminated": { "exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-20T10:00:00Z", "startedAt": "2026-11-20T09:59:00Z" } },
    });
    let container = json!({ "name": "app", "image": "example.com/app:1", "resources": { "limits": { "memory": "128Mi" } } });
    let more = json!({ "spec": { "containers": [container] }, "status": status("Running", state) });
    namespace.create(pod("web", more)).await;
}

async fn room(namespace: &Namespace) {
    let container = json!({ "name": "app", "image": "example.com/app:1", "resources": { "requests": { "memory": "9000Gi" } } });
    let said = unschedulable("0/1 nodes are available: 1 Insufficient memory.");
    namespace.create(waiting_pod(json!({ "spec": { "containers": [container] }, "status": said }))).await;
}

async fn taint(namespace: &Namespace) {
    let said = unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}.");
    namespace.create(waiting_pod(json!({ "status": said }))).await;
}

async fn claim(namespace: &Namespace) {
    let spec = json!({ "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": { "requests": { "storage": "1Gi" } } });
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" }, "spec": spec, "status": { "phase": "Pending" },
    });
    namespace.create(claim).await;
    let said = unschedulable("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.");
    let volumes = json!([{ "name": "data", "persistentVolumeClaim": { "claimName": "data" } }]);
    namespace.create(waiting_pod(json!({ "spec": { "volumes": volumes }, "status": said }))).await;
}

async fn probe(namespace: &Namespace) {
    let probe = json!({ "httpGet": { "path": "/ready", "port": 8080 } });
    let container = json!({ "name": "app", "image": "example.com/app:1", "readinessProbe": probe });
    let running = json!({ "started": true, "state": { "running": { "startedAt": "2026-11-20T09:59:00Z" } } });
    namespace.create(pod("web", json!({ "spec": { "containers": [container] }, "status": status("Running", running) }))).await;
    let event = json!({
        "type": "Warning", "reason": "Unhealthy", "message": "Readiness probe failed: HTTP probe failed with statuscode: 503",
        "count": 40, "lastTimestamp": "2026-11-20T10:00:00Z",
        "involvedObject": { "name": "web", "fieldPath": "spec.containers{app}" },
    });
    namespace.event("unhealthy", event).await;
}

async fn quota(namespace: &Namespace) {
    let message = "pods \"api-1\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0";
    let failure = json!({ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message });
    namespace.create(deployment(failure)).await;
}

async fn rollout(namespace: &Namespace) {
    let message = "ReplicaSet \"api-5c9\" has timed out progressing.";
    let stuck = json!({ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": message });
    namespace.create(deployment(stuck)).await;
}

async fn service(namespace: &Namespace) {
    namespace.pod("web", &["app"]).await;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "selector": { "app": "wbe" }, "ports": [{ "port": 80 }] },
    });
    namespace.create(service).await;
}

async fn job(namespace: &Namespace) {
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

/// A pod that is on no node.
fn waiting_pod(more: Value) -> Value {
    let mut pod = pod("web", more);
    pod["spec"].as_object_mut().expect("it has one").remove("nodeName");
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

/// A Deployment of three that has none, and why.
fn deployment(why: Value) -> Value {
    let available = json!({
        "type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "Deployment does not have minimum availability.",
    });
    let template = json!({ "metadata": { "labels": { "app": "api" } }, "spec": { "containers": [{ "name": "app", "image": "example.com/api:2" }] } });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "api" },
        "spec": { "replicas": 3, "selector": { "matchLabels": { "app": "api" } }, "template": template },
        "status": { "observedGeneration": 1, "unavailableReplicas": 3, "conditions": [available, why] },
    })
}
