//! The components inside the binary. The build script compiles them from guest-tools.

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
