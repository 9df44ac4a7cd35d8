//! The components inside the binary. The build script compiles them from guest-tools.
#![allow(unreachable_pub, reason = "the table is also read by tests outside the crate")]

use std::io::Read as _;

use flate2::read::ZlibDecoder;

/// A component as it was before the build script compressed it.
pub(crate) fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut component = Vec::new();
    // It is a part of this program. Were it damaged, so would be what is left of it, and refused as no component.
    let _ = ZlibDecoder::new(packed).read_to_end(&mut component);
    component
}

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));
