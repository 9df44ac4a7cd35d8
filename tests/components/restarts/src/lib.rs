//! The tool of the guide for authors, docs/how-to/write-a-tool.md, with its test.

// What the guide shows beside the tool is compiled and not served.
#![allow(dead_code, reason = "parts of the guide")]

include!(concat!(env!("OUT_DIR"), "/guide.rs"));
