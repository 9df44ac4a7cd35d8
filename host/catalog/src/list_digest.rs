//! What stands for the lists of tools, prompts and resources, so that whoever has seen some can be told of others.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Catalog;
use super::callers::Sight;
use super::manifest::Definition;
use super::offer::Offer;
use super::prompt::PromptDefinition;
use super::resource::{ResourceDefinition, TemplateDefinition};

/// Bytes of each hash that are kept. Nobody gains from two lists that hash alike; it is only not to happen by itself.
const BYTES: usize = 12;

/// What separates the hashes of the lists. None of them holds it.
const SEPARATOR: char = '.';

/// Stands for the lists as clients see them: a hash for each offer, empty where there is none. Equal components make equal digests, in any
/// process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ListDigest(String);

impl ListDigest {
    /// The digest of what a catalog lists, and of who may have it.
    pub(super) fn of(catalog: &Catalog) -> Self {
        let all = Sight::everything();
        // JSON values and MCP's own types always serialise.
        let callers = catalog.components.iter().filter_map(|component| component.callers.as_deref());
        let callers: Vec<_> = callers.map(|access| serde_json::to_vec(access).unwrap_or_default()).collect();
        let tools = catalog.tools(&all).map(Definition::object).map(json);
        let prompts = catalog.prompts(&all).map(PromptDefinition::object).map(json);
        let resources = catalog.resources(&all).map(ResourceDefinition::object).map(json);
        let templates = catalog.templates(&all).map(TemplateDefinition::object).map(json);
        Self::joined([hash(tools, &callers), hash(prompts, &callers), hash(resources.chain(templates), &callers)])
    }

    fn joined(hashes: [String; Offer::ALL.len()]) -> Self {
        let text = hashes.join(&SEPARATOR.to_string());
        Self(text.trim_end_matches(SEPARATOR).to_owned())
    }

    /// As text: visible ASCII.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The offers whose lists differ from those of another digest.
    pub fn differing(&self, other: &Self) -> Vec<Offer> {
        let differs = |at: usize| {
            self.0.split(SEPARATOR).nth(at).unwrap_or_default() != other.0.split(SEPARATOR).nth(at).unwrap_or_default()
        };
        Offer::ALL.into_iter().enumerate().filter(|(at, _)| differs(*at)).map(|(_, offer)| offer).collect()
    }
}

fn json(object: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(object).unwrap_or_default()
}

/// The hash of a list, in this order, and of who may have what is in it; of an empty one, nothing.
fn hash(list: impl Iterator<Item = Vec<u8>>, callers: &[Vec<u8>]) -> String {
    let mut list = list.peekable();
    if list.peek().is_none() {
        return String::new();
    }
    let mut hash = Sha256::new();
    for entry in list.chain(callers.iter().cloned()) {
        hash.update(&entry);
        // No JSON holds a NUL, which hence separates.
        hash.update([0]);
    }
    URL_SAFE_NO_PAD.encode(&hash.finalize()[..BYTES])
}

impl From<&str> for ListDigest {
    /// A digest that a client has brought back. Whatever is none of ours equals none of ours.
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(lists: [&[&str]; 3]) -> ListDigest {
        ListDigest::joined(lists.map(|list| hash(list.iter().map(|entry| entry.as_bytes().to_vec()), &[])))
    }

    #[test]
    fn whatever_a_client_would_see_changes_the_digest_of_its_list_and_nothing_else() {
        let one = digest([&["a", "b"], &[], &["r"]]);
        for (lists, changed) in [
            ([&["a", "b"][..], &[], &["r"]], &[][..]),
            ([&["a", "c"], &[], &["r"]], &[Offer::Tool]),
            ([&["a"], &[], &["r"]], &[Offer::Tool]),
            ([&["a", "b"], &["p"], &["r"]], &[Offer::Prompt]),
            ([&["a", "b"], &[], &[]], &[Offer::Resource]),
            ([&[], &["p"], &["s"]], &[Offer::Tool, Offer::Prompt, Offer::Resource]),
        ] {
            let other = digest(lists);
            assert_eq!((one.differing(&other), one == other), (changed.to_vec(), changed.is_empty()), "{lists:?}");
        }
        assert!(one.as_str().bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "it goes into a header");
    }

    #[test]
    fn whoever_may_have_what_is_listed_is_a_part_of_it() {
        let of = |callers: &[Vec<u8>]| hash(std::iter::once(b"a".to_vec()), callers);
        assert_ne!(of(&[b"{}".to_vec()]), of(&[]));
        assert_eq!(hash(std::iter::empty(), &[b"{}".to_vec()]), "", "of nothing nobody has to hear");
    }

    #[test]
    fn a_digest_of_an_older_server_is_of_its_tools_alone() {
        let (now, before) = (digest([&["a"], &["p"], &[]]), digest([&["a"], &[], &[]]));
        assert!(!before.as_str().contains(SEPARATOR));
        assert_eq!(now.differing(&before), [Offer::Prompt]);
        assert_eq!(before.differing(&ListDigest::from("else")), [Offer::Tool]);
        assert_eq!(ListDigest::default().differing(&ListDigest::from("")), []);
    }
}
