//! Real MCP clients and the official conformance suite: see `tests/clients`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use crate::in_time;

/// The folder of the scripts and lists.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// A client that is not ours.
#[derive(Clone, Copy, Debug)]
pub enum RealClient {
    /// The official Python client, in the era of sessions.
    PythonLegacy,
    /// The official Python client, in the era without.
    PythonModern,
    /// The official TypeScript client, version 1, which knows sessions only.
    TypeScript,
}

/// What a client saw.
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// The names of the tools.
    pub tools: Vec<String>,
    /// What each call came back with.
    pub results: Vec<Outcome>,
}

/// What one call came back with.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The structured result; null where there is none.
    pub structured: Value,
    /// The text form.
    pub text: String,
    /// Whether the tool failed.
    pub is_error: bool,
}

/// One of the installed programs: `python`, `node` or `conformance`. The first time, they are installed.
///
/// # Panics
/// When they cannot be installed.
pub fn program(name: &str) -> PathBuf {
    static INSTALLED: LazyLock<PathBuf> = LazyLock::new(|| {
        let script = format!("{FOLDER}/setup.sh");
        let output = Command::new(&script).stderr(Stdio::inherit()).output().expect("setup.sh can be run");
        assert!(output.status.success(), "{script} failed: {}", output.status);
        Path::new(String::from_utf8(output.stdout).expect("a path").trim_end()).to_owned()
    });
    INSTALLED.join(name)
}

impl RealClient {
    /// Connects to `url`, lists the tools and makes the calls, each `{"tool", "arguments"}`.
    ///
    /// # Panics
    /// When the client fails. That a tool fails is part of what it sees.
    pub async fn run(self, url: &str, calls: Value) -> Seen {
        let (interpreter, script, mode) = match self {
            RealClient::PythonLegacy => ("python", "client.py", "legacy"),
            RealClient::PythonModern => ("python", "client.py", "2026-07-28"),
            RealClient::TypeScript => ("node", "client.cjs", ""),
        };
        let task = serde_json::json!({ "url": url, "mode": mode, "calls": calls });
        let mut client = tokio::process::Command::new(program(interpreter))
            .arg(Path::new(FOLDER).join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the client can be run");
        let mut input = client.stdin.take().expect("it is piped");
        input.write_all(task.to_string().as_bytes()).await.expect("the client reads its task");
        drop(input);
        let output = in_time("a real client", client.wait_with_output()).await.expect("the client ends");
        assert!(output.status.success(), "{self:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("what the client saw")
    }
}
