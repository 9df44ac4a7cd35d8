//! Each tool through the whole server, against the bare request to the API server that it needs.

use bytes::Bytes;
use futures::future::join_all;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::Body;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::mcp;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};

use crate::table::{Table, in_turn, ms};

/// Calls on each side.
const ROUNDS: usize = 40;

/// Events and workspaces.
const OBJECTS: usize = 1000;

/// Objects that are created at once.
const BATCH: usize = 32;

/// A kept connection to a server, as a real client has one.
pub(crate) struct Connection {
    client: Client<HttpConnector, Full<Bytes>>,
    server: std::net::SocketAddr,
}

impl Connection {
    pub(crate) fn to(server: &Server) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), server: server.address() }
    }

    /// Calls a tool that answers, and returns its structured result.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Value {
        let mut result = self.result(tool, arguments).await;
        assert_eq!(result["isError"], json!(false), "{result}");
        result["structuredContent"].take()
    }

    /// Calls a tool, and returns what it says, also where that is a failure.
    pub(crate) async fn result(&self, tool: &str, arguments: Value) -> Value {
        let body = self.answer(tool, arguments).await;
        let text = std::str::from_utf8(&body).expect("text");
        // What takes long on a busy machine comes as a stream, with the answer in its last event.
        let json = text.lines().rev().find_map(|line| line.strip_prefix("data: ")).unwrap_or(text);
        let mut message: Value = serde_json::from_str(json).expect("JSON");
        message["result"].take()
    }

    /// Calls a tool, and returns what comes over the wire.
    pub(crate) async fn answer(&self, tool: &str, arguments: Value) -> Bytes {
        let request = mcp::modern(json!(1), "tools/call", json!({ "name": tool, "arguments": arguments }));
        let (mut head, body) = request.into_parts();
        head.uri = format!("http://{}/mcp", self.server).parse().expect("a URL");
        let response = self.client.request(http::Request::from_parts(head, Full::new(body))).await.expect("an answer");
        response.into_body().collect().await.expect("a body").to_bytes()
    }
}

pub(crate) async fn over_the_bare_request(table: &mut Table) {
    let control_plane = ControlPlane::shared();
    let namespace = Namespace::fresh("bench").await;
    fill(&namespace).await;
    let server = Server::builder().of(control_plane, "admin").arg("--calls-per-second=1000000").start().await;
    let connection = Connection::to(&server);
    let api = control_plane.client("admin").await;
    let name = namespace.name();

    let cases = [
        (
            "get_events",
            json!({ "namespace": name, "limit": OBJECTS }),
            format!("/api/v1/namespaces/{name}/events?limit=1000"),
            "1,000 events",
        ),
        (
            "list_workspaces",
            json!({ "namespace": name, "limit": OBJECTS }),
            format!("/apis/aggregation.coder.com/v1alpha1/namespaces/{name}/coderworkspaces?limit=1000"),
            "1,000 workspaces",
        ),
        (
            "get_pod_logs",
            json!({ "namespace": name, "name": "loud", "tailLines": 100_000 }),
            format!("/api/v1/namespaces/{name}/pods/loud/log?tailLines=100000"),
            "a 1 MiB log",
        ),
        (
            "get_control_plane_status",
            json!({ "namespace": name, "name": "coder" }),
            format!("/apis/coder.com/v1alpha1/namespaces/{name}/codercontrolplanes/coder"),
            "one small object",
        ),
    ];
    for (tool, arguments, path, what) in cases {
        // Once with a look at the answer; then bytes against bytes, for the bare request is not parsed by its client either.
        connection.call(tool, arguments.clone()).await;
        let through = async || drop(connection.answer(tool, arguments.clone()).await);
        let bare = async || {
            let request = http::Request::get(&path).body(Body::empty()).expect("a request");
            let response = api.send(request).await.expect("an answer");
            assert!(response.status().is_success());
            response.into_body().collect().await.expect("a body");
        };
        let (through, bare) = in_turn(ROUNDS, through, bare).await;
        let reach = bare.mul_f64(1.2) + std::time::Duration::from_millis(1);
        let ratio = through.as_secs_f64() / bare.as_secs_f64();
        table.row(
            &format!("{tool}, {what}, over the bare request"),
            format!("{ratio:.2}x ({} / {})", ms(through), ms(bare)),
            "1.2x + 1 ms",
            through <= reach,
        );
    }
}

async fn fill(namespace: &Namespace) {
    let numbers: Vec<usize> = (0..OBJECTS).collect();
    for batch in numbers.chunks(BATCH) {
        join_all(batch.iter().map(|number| async move {
            let event = json!({
                "count": 3, "lastTimestamp": "2026-11-20T10:00:00Z", "firstTimestamp": "2026-11-20T09:00:00Z",
                "reason": "BackOff", "message": "Back-off restarting failed container app in pod web-0", "type": "Warning",
                "source": { "component": "kubelet", "host": "node-1" },
            });
            namespace.event(&format!("event-{number}"), event).await;
            let workspace = json!({
                "apiVersion": "aggregation.coder.com/v1alpha1",
                "kind": "CoderWorkspace",
                "metadata": { "name": format!("acme.user.w{number}") },
                "spec": { "organization": "acme", "templateName": "docker", "running": true },
                "status": { "ownerName": "user", "latestBuildStatus": "succeeded", "autoShutdown": "2026-11-20T10:00:00Z" },
            });
            namespace.create(workspace).await;
        }))
        .await;
    }
    namespace.pod_with_log("loud", &CriLog::of((0..1024 * 1024 / 100).map(|number| format!("{number:099}")))).await;
    namespace.control_plane("coder", json!({ "phase": "Ready", "readyReplicas": 1, "url": "http://coder" })).await;
}
