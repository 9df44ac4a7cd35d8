//! The official MCP conformance suite, against the real binary with the tools, prompts and resources that the suite asks for by name.
//!
//! What the suite asks and Sandbar does not offer is in `tests/conformance/expected-failures-*.yml`, each with its reason. An entry
//! that has come to pass fails the run, as does a failure without an entry.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use sandbar_tests::clients::program;
use sandbar_tests::sandbar::Server;
use sandbar_tests::{components, in_time};
use serde_json::{Value, json};

use crate::components::{Text, answering};

/// The folder of the lists.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance");

#[tokio::test]
async fn revision_2025_11_25_is_met() {
    meets("2025-11-25", &["server-session-lifecycle", "json-schema-2020-12"]).await;
}

#[tokio::test]
async fn revision_2026_07_28_is_met() {
    let beyond = ["json-schema-2020-12", "http-header-validation", "http-custom-header-server-validation"];
    meets("2026-07-28", &beyond).await;
}

/// Runs all that a revision requires. The suite runs a few scenarios more, which it does not count; those named in `beyond` have to
/// pass too.
async fn meets(revision: &str, beyond: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let server = Server::builder().cluster("demo").arg("--tools").arg(components::build("conformance"));
    let server = server.arg("--tools").arg(folder.path()).start().await;
    let results = tempfile::tempdir().expect("a temporary directory");
    let mut suite = tokio::process::Command::new(program("conformance"));
    suite.args(["server", "--requirements", revision, "--url", &format!("http://{}/mcp", server.address())]);
    suite.arg("--output-dir").arg(results.path());
    suite.arg("--expected-failures").arg(format!("{FOLDER}/expected-failures-{revision}.yml"));
    suite.stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::select! {
        output = in_time("the conformance suite", suite.output()) => output.expect("the suite can be run"),
        never = change_lists_when_asked(&server, folder.path()) => match never {},
    };
    let said = String::from_utf8_lossy(&output.stdout);
    let summary = said.find("=== SUMMARY").map_or(&*said, |start| &said[start..]);
    assert!(output.status.success(), "{}\n{summary}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    for scenario in beyond {
        let checks = checks(results.path(), scenario);
        let failed: Vec<_> = checks.iter().filter(|check| check["status"] == "FAILURE").collect();
        assert!(failed.is_empty(), "{scenario}: {failed:#?}");
        assert!(checks.iter().any(|check| check["status"] == "SUCCESS"), "{scenario} was not checked: {checks:#?}");
    }
}

/// Adds a tool or a prompt, or takes it away again, each time the fixture asks for it in the log. The suite waits 1.5 s for clients to hear
/// of it.
async fn change_lists_when_asked(server: &Server, folder: &Path) -> std::convert::Infallible {
    /// Between two looks at the log.
    const INTERVAL: Duration = Duration::from_millis(20);
    let tool = json!({ "tools": [{ "name": "extra", "description": "Comes and goes.", "inputSchema": { "type": "object" } }] });
    let prompt = Text::new(&json!({ "tools": [], "prompts": [{ "name": "extra", "description": "Comes and goes." }] }));
    let prompt = wat::parse_str(prompt.with_offers().to_string()).expect("a component");
    let mut extras = [
        ("the list of tools is to change", folder.join("tool.wasm"), answering(&tool, "here"), 0),
        ("the list of prompts is to change", folder.join("prompt.wasm"), prompt, 0),
    ];
    loop {
        tokio::time::sleep(INTERVAL).await;
        for (asked, file, component, changes) in &mut extras {
            if server.log().matches(*asked).count() > *changes {
                *changes += 1;
                let changed = if *changes % 2 == 1 { std::fs::write(&*file, component) } else { std::fs::remove_file(&*file) };
                changed.expect("a temporary directory");
                server.signal("HUP");
            }
        }
    }
}

/// The suite's outcome of one scenario. It writes each to a folder with the time in its name.
fn checks(results: &Path, scenario: &str) -> Vec<Value> {
    let prefix = format!("server-{scenario}-20");
    let folder = std::fs::read_dir(results)
        .expect("a folder")
        .map(|entry| entry.expect("an entry"))
        .find(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .unwrap_or_else(|| panic!("the suite has not run {scenario}"));
    let text = std::fs::read(folder.path().join("checks.json")).expect("the suite has written it");
    serde_json::from_slice(&text).expect("a list of checks")
}
