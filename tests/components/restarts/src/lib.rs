//! The tool of the guide for authors, docs/how-to/write-a-tool.md, with its test.

// What the guide shows beside the tool is compiled and not served.
#![allow(dead_code, reason = "parts of the guide")]

include!(concat!(env!("OUT_DIR"), "/guide.rs"));

#[cfg(test)]
mod packages {
    /// The packages for other languages are held to this file (`tests/packages/run.sh`).
    #[test]
    fn the_tool_in_other_languages_has_the_same_manifest() {
        let shared: serde_json::Value = serde_json::from_str(include_str!("../../../packages/manifest.json")).unwrap();
        assert_eq!(serde_json::to_value(super::component().manifest()).unwrap(), shared);
    }
}
