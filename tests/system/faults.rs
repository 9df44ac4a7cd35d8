//! API servers that are gone, silent, busy or broken. Each call ends in words that say so, and the server goes on.

use std::path::Path;

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::fake_api::{FakeAnswer, FakeApi, Gate, Then, kubeconfig};
use sandbar_tests::mcp::Client;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Run, Server};
use sandbar_tests::{http as wire, until};
use serde_json::json;
use tempfile::TempDir;

mod answers;
mod kubeconfigs;
mod outages;

/// A server in front of an API server at some address.
async fn in_front_of(address: &str) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, kubeconfig(address)).unwrap();
    (Server::builder().kubeconfig(&path).cluster("kubeconfig").start_unready().await, folder)
}

/// A server in front of a made-up API server, once it is ready.
async fn in_front_of_fake(api: &FakeApi) -> (Server, TempDir) {
    in_front_of_fake_with(api, "").await
}

/// The same with a sandbar.yaml.
async fn in_front_of_fake_with(api: &FakeApi, config: &str) -> (Server, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    api.write_kubeconfig(&path);
    (Server::builder().kubeconfig(&path).cluster("kubeconfig").config(config).start().await, folder)
}

async fn readyz(server: &Server) -> (u16, String) {
    let reply = wire::get(server.address(), "/readyz?verbose").await;
    (reply.status.as_u16(), reply.text().await)
}

/// An address that nobody listens on.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("https://{}", listener.local_addr().unwrap())
}
