//! What a model sees of the tools, as files in `golden/` that a person can review.

use std::path::Path;

use serde_json::Value;

/// Fails unless a file holds this list of tools. With `UPDATE_GOLDEN=1` in the environment it writes the file first.
///
/// # Panics
/// When it does not, or cannot be written.
pub fn assert_tools(file: &str, tools: &Value) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(file);
    let text = serde_json::to_string_pretty(tools).expect("a value is JSON") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).expect("the file can be written");
    }
    let reviewed = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(
        text == reviewed,
        "{} is not what the server lists; look at the difference after UPDATE_GOLDEN=1 cargo test -p sandbar-tests the_list_of_tools",
        golden.display()
    );
}
