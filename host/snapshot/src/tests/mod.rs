//! The snapshot as a client sees it: every test asks through an ordinary `kube::Client`.

mod bounds;
mod coverage;
mod demo;
mod files;
mod layouts;
mod lists;
mod logs;
mod paths;
mod tables;

use std::fs;
use std::path::Path;

use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;
use tempfile::TempDir;

use super::SnapshotError;
use super::files::Tree;
use super::read::Contents;
use super::room::Room;

/// Bytes of the largest object that a client takes.
const LARGEST: usize = 8 << 20;

/// A client of what is in a directory.
fn open(directory: &Path) -> Result<kube::Client, SnapshotError> {
    super::open(directory, LARGEST).map(|at_rest| at_rest.client)
}

/// What is in a directory.
fn contents(directory: &TempDir) -> Contents {
    Contents::read(&Tree::directory(directory.path()).unwrap(), Room::new(LARGEST)).unwrap()
}

/// A snapshot directory with the files in it.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    directory
}

/// A client's view. Logs are read from the directory on request.
struct Asker(kube::Client, Option<TempDir>);

impl Asker {
    fn of(files: &[(&str, &str)]) -> Self {
        let directory = directory(files);
        Self(open(directory.path()).unwrap(), Some(directory))
    }

    async fn send(&self, method: Method, path: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = self.0.send(request).await.unwrap();
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The answer to somebody who wants a table.
    async fn table(&self, path: &str) -> (u16, String) {
        let accept = "application/json;as=Table;g=meta.k8s.io;v=v1";
        let request = Request::builder().uri(path).header(http::header::ACCEPT, accept).body(Body::empty()).unwrap();
        let response = self.0.send(request).await.unwrap();
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (code, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.send(Method::GET, path).await
    }

    /// The text of the `Warning` header of a 200.
    async fn warning(&self, path: &str) -> Option<String> {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = self.0.send(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let header = response.headers().get(http::header::WARNING)?.to_str().unwrap();
        Some(header.strip_prefix("299 - \"").unwrap().strip_suffix('"').unwrap().to_owned())
    }

    /// The JSON of a 200.
    async fn json(&self, path: &str) -> Value {
        let (code, text) = self.get(path).await;
        assert_eq!(code, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The `namespace/name` of each item in a list.
    async fn names(&self, path: &str) -> Vec<String> {
        let list = self.json(path).await;
        let name = |item: &Value| {
            let name = item["metadata"]["name"].as_str().unwrap();
            item["metadata"]["namespace"].as_str().map_or(name.to_owned(), |namespace| format!("{namespace}/{name}"))
        };
        list["items"].as_array().unwrap().iter().map(name).collect()
    }

    /// Code, reason and message of a `Status`.
    async fn refusal(&self, path: &str) -> (u16, String, String) {
        let (code, text) = self.get(path).await;
        let status: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status["kind"].as_str(), status["code"].as_u64()), (Some("Status"), Some(code.into())), "{path}: {text}");
        (code, status["reason"].as_str().unwrap().to_owned(), status["message"].as_str().unwrap().to_owned())
    }
}

/// The output of `kubectl cluster-info dump --output-directory` for a small cluster, and a custom resource beside it.
const CLUSTER: [(&str, &str); 5] = [
    (
        "nodes.json",
        r#"{ "kind": "NodeList", "apiVersion": "v1", "metadata": { "resourceVersion": "900" }, "items": [
            { "metadata": { "name": "node-1", "resourceVersion": "80" }, "status": {
                "nodeInfo": { "kubeletVersion": "v1.37.2", "operatingSystem": "linux", "architecture": "arm64" } } }
        ] }"#,
    ),
    (
        "team-a/pods.json",
        r#"{ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [
            { "metadata": { "name": "web-1", "namespace": "team-a", "labels": { "app": "web" }, "resourceVersion": "120" },
              "spec": { "nodeName": "node-1", "containers": [{ "name": "app" }] }, "status": { "phase": "Running" } },
            { "metadata": { "name": "web-0", "namespace": "team-a", "labels": { "app": "web", "canary": "yes" } },
              "spec": { "nodeName": "node-1", "containers": [{ "name": "app" }, { "name": "sidecar" }] },
              "status": { "phase": "Running" } },
            { "metadata": { "name": "idle-0", "namespace": "team-a" },
              "spec": { "containers": [{ "name": "app" }] }, "status": { "phase": "Pending" } }
        ] }"#,
    ),
    (
        "team-b/pods.json",
        r#"{ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [
            { "metadata": { "name": "db-0", "namespace": "team-b", "labels": { "app": "db" } },
              "spec": { "nodeName": "node-1", "containers": [{ "name": "db" }] }, "status": { "phase": "Running" } }
        ] }"#,
    ),
    (
        "team-a/events.yaml",
        "apiVersion: v1\nkind: EventList\nitems:\n\
         - metadata: { name: web-0.1, namespace: team-a }\n  type: Warning\n  count: 3\n  involvedObject: { kind: Pod, name: web-0 }\n\
         - metadata: { name: web-1.1, namespace: team-a }\n  type: Normal\n  count: 1\n  involvedObject: { kind: Pod, name: web-1 }\n",
    ),
    (
        "control-planes.yaml",
        "apiVersion: v1\nkind: List\nitems:\n\
         - apiVersion: coder.com/v1alpha1\n  kind: CoderControlPlane\n  metadata: { name: coder, namespace: team-a }\n  \
         status: { phase: Ready, readyReplicas: 1 }\n",
    ),
];
