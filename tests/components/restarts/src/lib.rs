//! The tool of the guide for authors, docs/how-to/write-a-tool.md, with its test.

include!(concat!(env!("OUT_DIR"), "/guide.rs"));
