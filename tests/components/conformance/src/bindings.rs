//! The contract, straight from its WIT: no SDK, so that the fixture is also a component as an author without the SDK writes it.

// Generated code: the canonical ABI is pointers and lengths.
#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, clippy::undocumented_unsafe_blocks)]

wit_bindgen::generate!({ path: "../../../wit/tool", world: "tool-with-prompts-and-resources" });

export!(Fixture with_types_in self);

use super::Fixture;
