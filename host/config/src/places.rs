//! The places of values in a YAML file. Only used when something is wrong with a value.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// One step from a value to one inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// To the value of a key.
    Key(&'static str),
    /// To an entry of a list, from 0.
    Entry(usize),
}

/// The places of all values of a file.
pub(super) struct Places(Spanned<Node>);

enum Node {
    Scalar,
    List(Vec<Spanned<Node>>),
    Mapping(Vec<(String, Spanned<Node>)>),
}

impl Places {
    /// The places of the values in a text; none if it is not YAML.
    pub(super) fn of(text: &str) -> Option<Self> {
        serde_saphyr::from_str(text).ok().map(Self)
    }

    /// The place of a value, or of the nearest value around it that has one.
    pub(super) fn find(&self, path: &[Step]) -> Location {
        let mut here = &self.0;
        for step in path {
            let inside = match (step, &here.value) {
                (Step::Key(wanted), Node::Mapping(entries)) => {
                    entries.iter().find(|(key, _)| key == wanted).map(|(_, value)| value)
                }
                (Step::Entry(index), Node::List(entries)) => entries.get(*index),
                _ => None,
            };
            match inside {
                Some(inside) => here = inside,
                None => break,
            }
        }
        here.referenced
    }

    /// Whether a key's value, or an entry of it, is at this line and column.
    pub(super) fn is_list_or_entry(&self, key: &str, place: (u64, u64)) -> bool {
        let Node::Mapping(entries) = &self.0.value else { return false };
        let Some((_, list)) = entries.iter().find(|(name, _)| name == key) else { return false };
        let entries = if let Node::List(entries) = &list.value { entries.as_slice() } else { &[] };
        std::iter::once(list).chain(entries).any(|value| (value.referenced.line(), value.referenced.column()) == place)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Node::List(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = mapping.next_key::<String>()? {
            entries.push((key, mapping.next_value()?));
        }
        Ok(Node::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_place_in_both_styles() {
        let text = "# a comment\nnamespaces: [a, B]\ntools:\n  - component: x.wasm\n    rules:\n      - { verbs: [get] }\n      - verbs: [list]\n";
        let places = Places::of(text).expect("YAML");
        let place = |path: &[Step]| {
            let location = places.find(path);
            (location.line(), location.column())
        };
        assert_eq!(place(&[Step::Key("namespaces"), Step::Entry(1)]), (2, 17));
        let rules = [Step::Key("tools"), Step::Entry(0), Step::Key("rules")];
        assert_eq!(place(&[&rules[..], &[Step::Entry(1), Step::Key("verbs"), Step::Entry(0)]].concat()), (7, 17));
        assert_eq!(place(&[&rules[..], &[Step::Entry(0)]].concat()), (6, 9));
        assert_eq!(place(&[&rules[..], &[Step::Entry(0), Step::Key("resources")]].concat()), (6, 9), "the nearest around it");
    }
}
