//! Components of others: those that cannot be loaded, and those that do what they should not.

use std::path::{Path, PathBuf};

use sandbar_tests::components::{Text, hostile, manifest};
use sandbar_tests::fake_api::{Answer, FakeApi};
use sandbar_tests::mcp::Client;
use sandbar_tests::sandbar::{Finished, Run, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

mod calls;
mod grants;
mod loading;

/// A folder with a component of some name.
fn folder_with(name: &str, bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// What `sandbar tools` says about it.
async fn tools_with(path: &Path) -> Finished {
    Run::new(&["tools", "--cluster", "demo", "-o", "json", "--tools"]).arg(path).finish().await
}

/// sandbar.yaml that grants the hostile component what it asks for, and `more` at the top level.
fn granting(more: &str) -> String {
    let rules = r#"[{ apiGroups: [""], resources: [pods], verbs: [get, list] }]"#;
    format!("{more}\ntools:\n  - component: {}\n    rules: {rules}\n", hostile().display())
}

/// A server of the demo cluster with the hostile component.
async fn with_hostile(more: &str) -> Server {
    Server::builder().cluster("demo").config(&granting(more)).start().await
}
