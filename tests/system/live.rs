//! What changes while the server serves: components, the configuration, and what clients hear of it.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Request;
use sandbar_tests::events::Events;
use sandbar_tests::mcp::{self, Client, LEGACY};
use sandbar_tests::sandbar::Server;
use sandbar_tests::{TOOLS, http as wire, until};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::components::answering;

mod configuration;
mod files;
mod odd_files;
mod streams;
mod under_way;

/// A folder that a server has its components from.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts a component there, in the place of the one that was there, at once as a whole.
    fn put(&self, name: &str, component: &[u8]) -> PathBuf {
        let (unfinished, file) = (self.path().join("unfinished"), self.path().join(name));
        std::fs::write(&unfinished, component).unwrap();
        std::fs::rename(&unfinished, &file).unwrap();
        file
    }

    fn remove(&self, name: &str) {
        std::fs::remove_file(self.path().join(name)).unwrap();
    }

    /// A server of the demo cluster with these components.
    async fn serve(&self) -> Server {
        Server::builder().cluster("demo").arg("--tools").arg(self.path()).start().await
    }
}

/// A component with one tool, which answers with these words.
fn tool(name: &str, words: &str) -> Vec<u8> {
    answering(&json!({ "tools": [{ "name": name, "inputSchema": { "type": "object" } }] }), words)
}

/// The names of the tools that are listed, beside the bundled ones.
async fn extra_tools(client: &Client) -> Vec<String> {
    let mut list = client.request("tools/list", json!({})).await["result"]["tools"].take();
    let names = list.as_array_mut().unwrap().iter_mut().map(|tool| tool["name"].take().as_str().unwrap().to_owned());
    names.filter(|name| !TOOLS.contains(&name.as_str())).collect()
}

/// Waits until exactly these tools are listed beside the bundled ones.
async fn until_listed(client: &Client, tools: &[&str]) {
    until(&format!("the tools {tools:?} beside the bundled ones"), || async {
        (extra_tools(client).await == tools).then_some(())
    })
    .await;
}

/// The words that a tool answers with.
async fn words(client: &Client, tool: &str) -> String {
    let mut message = client.request("tools/call", json!({ "name": tool, "arguments": {} })).await;
    message["result"]["content"][0]["text"].take().as_str().unwrap_or_else(|| panic!("no words: {message}")).to_owned()
}

/// Waits until a tool answers with these words.
async fn until_said(client: &Client, tool: &str, expected: &str) {
    until(&format!("{expected:?} from {tool}"), || async { (words(client, tool).await == expected).then_some(()) }).await;
}

/// The state in words. It stays 200: whatever is broken, what there was is served.
async fn readyz(server: &Server) -> String {
    let reply = wire::get(server.address(), "/readyz?verbose").await;
    assert_eq!(reply.status, 200);
    reply.text().await
}

/// Waits until the state has a problem with all of these, or no problem where they are none.
async fn until_ready_says(server: &Server, parts: &[&str]) {
    until(&format!("a problem with {parts:?} in /readyz"), || async {
        let text = readyz(server).await;
        let mut problems = text.split("\n[").filter(|check| check.starts_with("-]"));
        let found = if parts.is_empty() {
            problems.next().is_none()
        } else {
            problems.any(|check| parts.iter().all(|part| check.contains(part)))
        };
        found.then_some(())
    })
    .await;
}
