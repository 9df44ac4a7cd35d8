//! Components of others: what the host refuses to load, and what a hostile one gets out of it.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sandbar_tests::components;
use sandbar_tests::mcp::Client;
use sandbar_tests::sandbar::{Run, Server};
use serde_json::{Value, json};

mod answers;
mod compiling;
mod denied;
mod floods;
mod hand_made;
mod limits;
mod loading;
mod log;
mod offers;
mod reading;
mod recovery;
mod schemas;
mod settings;
mod wasi;

pub(super) use sandbar_tests::text::Text;

/// What the hostile component asks for, as it stands in sandbar.yaml.
const HOSTILE_RULES: &str = r#"
    rules:
      - { apiGroups: [""], resources: [pods], verbs: [get, list] }
      - { apiGroups: [""], resources: [pods/log], verbs: [get] }"#;

/// The hostile component.
pub(super) fn hostile() -> &'static Path {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| components::build("hostile"));
    &FILE
}

/// A sandbar.yaml with the hostile component, granted what it asks for; `more` follows its rules.
pub(super) fn hostile_config(more: &str) -> String {
    format!("tools:\n  - component: {}{HOSTILE_RULES}\n{more}", hostile().display())
}

/// The bytes of a component with this manifest. Each of its tools answers with this text block.
pub(super) fn answering(manifest: &Value, words: &str) -> Vec<u8> {
    let result = json!({ "content": [{ "type": "text", "text": words }] });
    wat::parse_str(Text::new(manifest).answering(&result.to_string()).to_string()).unwrap()
}

/// Calls the hostile component: its structured result, or the words of its failure.
async fn misbehave(client: &Client, how: Value) -> Result<Value, String> {
    client.call("misbehave", how).await
}

/// The component still answers, and its memory is new: whatever a call did, it was its own instance that it did it to.
async fn the_next_call_works(server: &Server) {
    let client = Client::modern(server);
    for _ in 0..2 {
        assert_eq!(client.answer("promise", json!({ "how": "remember" })).await, json!({ "n": 0 }));
    }
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
}
