//! A namespace of a test's own, and what is put into it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::cri_log::CriLog;
use crate::until;

/// A namespace of a control plane. It is never deleted: nothing in this control plane would finish that.
#[derive(Clone)]
pub struct Namespace {
    name: String,
    client: kube::Client,
    node: String,
    logs: PathBuf,
}

impl Namespace {
    /// A new one in the shared control plane; `topic` is the beginning of its name.
    pub async fn fresh(topic: &str) -> Self {
        Self::fresh_in(ControlPlane::shared(), topic).await
    }

    /// A new one in this control plane.
    pub async fn fresh_in(control_plane: &ControlPlane, topic: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("{topic}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let client = control_plane.client("admin").await;
        create(&client, json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })).await;
        Self { name, client, node: control_plane.node().to_owned(), logs: control_plane.directory().to_owned() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A client that may do everything.
    pub fn client(&self) -> &kube::Client {
        &self.client
    }

    /// Creates an object here, its status included.
    pub async fn create(&self, mut object: Value) -> DynamicObject {
        object["metadata"]["namespace"] = json!(self.name);
        create(&self.client, object).await
    }

    /// Creates a ServiceAccount.
    pub async fn service_account(&self, name: &str) {
        self.create(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } })).await;
    }

    /// A token of a ServiceAccount for these audiences; for that of the API server without any.
    pub async fn token(&self, account: &str, audiences: &[&str]) -> String {
        let path = format!("/api/v1/namespaces/{}/serviceaccounts/{account}/token", self.name);
        let asked =
            json!({ "kind": "TokenRequest", "apiVersion": "authentication.k8s.io/v1", "spec": { "audiences": audiences } });
        let request = http::Request::post(path).header("content-type", "application/json").body(asked.to_string().into_bytes());
        let given: Value = self.client.request(request.expect("a request")).await.expect("a token");
        given["status"]["token"].as_str().expect("a token").to_owned()
    }

    /// Creates a CoderControlPlane.
    pub async fn control_plane(&self, name: &str, status: Value) {
        let object = json!({ "apiVersion": "coder.com/v1alpha1", "kind": "CoderControlPlane", "metadata": { "name": name } });
        let mut object = object;
        if !status.is_null() {
            object["status"] = status;
        }
        self.create(object).await;
    }

    /// Creates an event; `event` holds what is special about it.
    pub async fn event(&self, name: &str, event: Value) {
        let mut object = json!({
            "apiVersion": "v1", "kind": "Event", "metadata": { "name": name },
            "involvedObject": { "kind": "Pod", "name": "web-0", "namespace": self.name },
            "type": "Normal", "reason": "Tested", "message": "a test made it",
        });
        merge(&mut object, event);
        self.create(object).await;
    }

    /// Creates a pod whose one container `app` has this log, and waits until it runs.
    pub async fn pod_with_log(&self, name: &str, log: &CriLog) {
        self.log(name, None, log, None).await;
        self.pod(name, &["app"]).await;
    }

    /// Says what a pod's log is, before the pod is there: for one container, or for all that have no other; and the log of the
    /// run before.
    pub async fn log(&self, pod: &str, container: Option<&str>, log: &CriLog, previous: Option<&CriLog>) {
        let mut entry = json!({ "logsFile": self.write_log(pod, container, "log", log) });
        if let Some(container) = container {
            entry["containers"] = json!([container]);
        }
        if let Some(previous) = previous {
            entry["previousLogsFile"] = json!(self.write_log(pod, container, "previous", previous));
        }
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.name, &resource("kwok.x-k8s.io/v1alpha1", "Logs"));
        let patch = json!({ "apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Logs", "metadata": { "name": pod } });
        let mut existing = match api.get_opt(pod).await.expect("Logs can be read") {
            Some(existing) => existing.data["spec"]["logs"].clone(),
            None => json!([]),
        };
        existing.as_array_mut().expect("a list").push(entry);
        let mut patch = patch;
        patch["spec"] = json!({ "logs": existing });
        api.patch(pod, &PatchParams::apply("tests").force(), &Patch::Apply(patch)).await.expect("Logs can be written");
    }

    fn write_log(&self, pod: &str, container: Option<&str>, kind: &str, log: &CriLog) -> PathBuf {
        let path = self.logs.join(format!("{}.{pod}.{}.{kind}", self.name, container.unwrap_or("all")));
        std::fs::write(&path, log.bytes()).expect("a log file can be written");
        path
    }

    /// Creates a pod with these containers, and waits until it runs.
    pub async fn pod(&self, name: &str, containers: &[&str]) {
        self.pod_on(&self.node, name, containers).await;
        self.until_running(name).await;
    }

    /// Creates a pod on some node; `""` is none, and nothing here schedules it.
    pub async fn pod_on(&self, node: &str, name: &str, containers: &[&str]) {
        let containers: Vec<Value> =
            containers.iter().map(|name| json!({ "name": name, "image": "example.com/app:1" })).collect();
        let mut spec = json!({ "containers": containers });
        if !node.is_empty() {
            spec["nodeName"] = json!(node);
        }
        self.create(
            json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": name } }, "spec": spec }),
        )
        .await;
    }

    /// Waits until kwok has played the start of a pod.
    pub async fn until_running(&self, name: &str) {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.name, &resource("v1", "Pod"));
        until(&format!("the pod {name} runs"), || async {
            let pod = api.get(name).await.expect("the pod can be read");
            (pod.data["status"]["phase"] == "Running").then_some(())
        })
        .await;
    }

    /// Sets the status of an object that is there, a pod that kwok has started for example.
    pub async fn patch_status(&self, api_version: &str, kind: &str, name: &str, status: Value) {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.name, &resource(api_version, kind));
        let patch = Patch::Merge(json!({ "status": status }));
        api.patch_status(name, &PatchParams::default(), &patch).await.expect("the status can be written");
    }

    /// Deletes one object.
    pub async fn delete(&self, api_version: &str, kind: &str, name: &str) {
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.name, &resource(api_version, kind));
        api.delete(name, &kube::api::DeleteParams::default()).await.expect("it can be deleted");
    }
}

/// Kinds whose status is a subresource.
const WITH_STATUS: [&str; 8] =
    ["CoderControlPlane", "Deployment", "Job", "Node", "PersistentVolumeClaim", "Pod", "ReplicaSet", "ResourceQuota"];

/// Creates any object, its status included.
pub async fn create(client: &kube::Client, object: Value) -> DynamicObject {
    let status = object.get("status").cloned();
    let object: DynamicObject = serde_json::from_value(object).expect("an object");
    let TypeMeta { api_version, kind } = object.types.clone().expect("apiVersion and kind");
    let resource = resource(&api_version, &kind);
    let api = match &object.metadata.namespace {
        Some(namespace) => Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let created =
        api.create(&PostParams::default(), &object).await.unwrap_or_else(|error| panic!("{}: {error}", describe(&object)));
    // Where the status is a subresource, POST has dropped it.
    match status {
        Some(status) if created.data["status"] != status && WITH_STATUS.contains(&&*kind) => {
            let name = created.metadata.name.clone().expect("a name");
            let patch = json!({ "status": status });
            api.patch_status(&name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("the status can be written")
        }
        _ => created,
    }
}

fn describe(object: &DynamicObject) -> String {
    let mut text = String::new();
    let types = object.types.clone().unwrap_or_default();
    let _ = write!(
        text,
        "{} {}/{}",
        types.kind,
        object.metadata.namespace.as_deref().unwrap_or("-"),
        object.metadata.name.as_deref().unwrap_or("-")
    );
    text
}

/// Any kind that these tests use, by its regular plural.
pub fn resource(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let gvk = GroupVersionKind::gvk(group, version, kind);
    // English has one word for one and many of them.
    let plural = if kind == "Logs" { "logs".to_owned() } else { format!("{}s", kind.to_lowercase()) };
    ApiResource::from_gvk_with_plural(&gvk, &plural)
}

/// Puts one object's keys over another's.
pub fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}
