//! kubernetes-mcp-server, whose answers ours are compared with: `tests/bench/peer` installs it.

use std::path::Path;
use std::process::{Command, Stdio as Standard};

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::stdio::Stdio;
use serde_json::json;

/// The text of its list of the pods of a namespace, or why it cannot be had on this machine.
pub(super) async fn table_of_pods(control_plane: &ControlPlane, namespace: &str) -> Result<String, String> {
    let mut command = Command::new(program()?);
    command.arg("--kubeconfig").arg(control_plane.kubeconfig());
    let mut peer = Stdio::start(command);
    peer.initialize().await;
    let call = json!({ "name": "pods_list_in_namespace", "arguments": { "namespace": namespace } });
    let answer = peer.request("tools/call", call).await;
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {answer}"));
    assert!(text.starts_with("NAMESPACE") && text.contains("Running"), "{text:.500}");
    Ok(text.to_owned())
}

/// Installs it, if it is not there.
fn program() -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/peer/setup.sh");
    let output = Command::new(script).stderr(Standard::piped()).output().expect("setup.sh can be run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
