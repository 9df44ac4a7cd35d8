//! What stands for a list of tools, so that whoever has seen one can be told of another.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbar_policy::ToolAccess;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::manifest::Definition;

/// Bytes of the hash that are kept. Nobody gains from two lists that hash alike; it is only not to happen by itself.
const BYTES: usize = 12;

/// Stands for a list of tools as clients see it. Equal components make equal digests, in any process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ListDigest(String);

impl ListDigest {
    /// The digest of these tools, in this order, and of who may call them.
    pub(super) fn of<'a>(tools: impl Iterator<Item = &'a Definition>, callers: impl Iterator<Item = &'a ToolAccess>) -> Self {
        let mut hash = Sha256::new();
        for tool in tools {
            // A map of JSON values always serialises; no JSON holds a NUL, which hence separates.
            hash.update(serde_json::to_vec(tool.object()).unwrap_or_default());
            hash.update([0]);
        }
        for access in callers {
            hash.update(serde_json::to_vec(access).unwrap_or_default());
            hash.update([0]);
        }
        Self(URL_SAFE_NO_PAD.encode(&hash.finalize()[..BYTES]))
    }

    /// As text: visible ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ListDigest {
    /// A digest that a client has brought back. Whatever is none of ours equals none of ours.
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::manifest::Manifest;
    use super::*;

    fn digest(descriptions: &[&str]) -> ListDigest {
        let tools: Vec<_> = descriptions
            .iter()
            .enumerate()
            .map(|(number, description)| {
                json!({ "name": format!("t{number}"), "description": description, "inputSchema": { "type": "object" } })
            })
            .collect();
        let (manifest, _) = Manifest::parse(&json!({ "tools": tools }).to_string()).expect("valid");
        ListDigest::of(manifest.tools.iter(), std::iter::empty())
    }

    #[test]
    fn whatever_a_client_would_see_changes_the_digest_and_nothing_else() {
        assert_eq!(digest(&["a", "b"]), digest(&["a", "b"]));
        assert_ne!(digest(&["a", "b"]), digest(&["a", "c"]));
        assert_ne!(digest(&["a", "b"]), digest(&["a"]));
        assert!(digest(&["a"]).as_str().bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "it goes into a header");
    }
}
