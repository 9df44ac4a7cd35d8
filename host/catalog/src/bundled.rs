//! The components inside the binary. The build script compiles them from guest-tools.
#![allow(unreachable_pub, reason = "the table is also read by tests outside the crate")]

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
