//! Attacks on the HTTP layer, byte by byte. Each is answered or cut off, and after each the next ordinary call is served.

use sandbar_tests::fake_api::{FakeAnswer, FakeApi, Gate};
use sandbar_tests::http as wire;
use sandbar_tests::mcp::{self, Client, LEGACY};
use sandbar_tests::raw::{Raw, RawResponse};
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

mod crowds;
mod framing;
mod heads;
mod json;
mod log;
mod paths;
mod rate;
mod stopping;

/// The server that is attacked.
async fn target() -> &'static Server {
    static TARGET: OnceCell<Server> = OnceCell::const_new();
    TARGET.get_or_init(|| async { Server::builder().cluster("demo").start().await }).await
}

/// A new connection on which this has been sent.
async fn attack(bytes: impl AsRef<[u8]>) -> Raw {
    Raw::sent(target().await.address(), bytes).await
}

/// The next ordinary calls are served, in both eras.
async fn all_is_well() {
    for client in [Client::modern(target().await), Client::legacy(target().await).await] {
        assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
    }
}

/// A request with these header lines, as it goes over the wire.
fn request(line: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let mut text = format!("{line}\r\nHost: 127.0.0.1\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    format!("{text}\r\n{body}").into_bytes()
}

const JSON: &str = "Content-Type: application/json";
const ACCEPT: &str = "Accept: application/json, text/event-stream";
const POST: &str = "POST /mcp HTTP/1.1";

/// `ping` of the legacy era, which is answered with its id and nothing else.
fn ping(id: i64) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }).to_string()
}

/// A POST of a body, as clients send it.
fn post(body: &str) -> Vec<u8> {
    request(POST, &[JSON, ACCEPT, &format!("Content-Length: {}", body.len())], body)
}

/// A server in front of an API server that holds back everything about workspaces, until the gate opens.
struct Held {
    server: Server,
    api: FakeApi,
    gate: Gate,
    _folder: tempfile::TempDir,
}

impl Held {
    async fn start(config: &str) -> Self {
        let gate = Gate::closed();
        let held = gate.clone();
        let api = FakeApi::start(move |path| {
            let list = json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": [] });
            path.contains("/coderworkspaces").then(|| FakeAnswer::Behind(held.clone(), Box::new(FakeAnswer::json(&list))))
        });
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        api.write_kubeconfig(&kubeconfig);
        let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").config(config).start().await;
        Self { server, api, gate, _folder: folder }
    }

    /// Sends a call that is held.
    async fn call(&self, client: &Client) -> wire::Reply {
        client.send("tools/call", json!({ "name": "list_workspaces", "arguments": { "namespace": "team-a" } })).await
    }

    async fn until_held(&self, calls: usize) {
        sandbar_tests::until(&format!("{calls} calls wait for the API server"), || async {
            (self.api.in_flight() >= calls).then_some(())
        })
        .await;
    }
}
