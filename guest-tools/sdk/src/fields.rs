//! The paths of the fields that a type reads, found by asking its `Deserialize`.
//!
//! A type is deserialised from nothing: every structure is told that all of its fields are there, every list that it has one
//! entry, and each plain value on the way is a path that the type reads. So the type alone says what the host should keep.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

/// Why the paths are not known; the value is never looked at.
type Unknown = serde::de::value::Error;

/// Deeper than any Kubernetes object is read. A type that contains itself has no end; it ends here.
const DEEPEST: usize = 24;

/// The paths of `T` in the contract's notation, or none where its `Deserialize` does not say, which means the whole object.
///
/// It does not say for types that read any JSON (`serde_json::Value`, maps, `#[serde(flatten)]`) at the top, that refuse an empty
/// string or a zero, and for enums that carry data. Inside a structure the first two are paths like any other.
pub(crate) fn of<'de, T: Deserialize<'de>>() -> Option<Vec<String>> {
    let mut found = Vec::new();
    T::deserialize(Trace { path: String::new(), depth: 0, found: &mut found }).ok()?;
    let whole = found.iter().any(String::is_empty);
    (!whole).then_some(found)
}

/// A deserialiser that has no value and writes down where it is.
struct Trace<'a> {
    path: String,
    depth: usize,
    found: &'a mut Vec<String>,
}

impl Trace<'_> {
    /// Here is a value that the type reads as a whole.
    fn note(self) {
        if !self.found.contains(&self.path) {
            self.found.push(self.path);
        }
    }
}

impl<'de> Deserializer<'de> for Trace<'_> {
    type Error = Unknown;

    /// By this a type can tell that it is asked for its fields alone: what is read of a cluster is JSON, which people can read.
    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        self.note();
        visitor.visit_unit()
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        self.note();
        visitor.visit_bool(false)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        self.note();
        visitor.visit_u64(0)
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        self.deserialize_i64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        self.note();
        visitor.visit_f64(0.0)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        self.note();
        visitor.visit_str("")
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unknown> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        visitor.visit_seq(OneEntry(Some(self)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unknown> {
        self.note();
        visitor.visit_map(Fields { parent: "", depth: 0, names: [].iter(), name: "", found: &mut Vec::new() })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unknown> {
        if self.depth == DEEPEST {
            return Err(Unknown::custom("too deep"));
        }
        visitor.visit_map(Fields { parent: &self.path, depth: self.depth + 1, names: names.iter(), name: "", found: self.found })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unknown> {
        self.note();
        visitor.visit_enum(StrDeserializer::new(variants.first().copied().unwrap_or_default()))
    }

    forward_to_deserialize_any! {
        i8 i16 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// A list with one entry, which has the path of the list: paths cross arrays.
struct OneEntry<'a>(Option<Trace<'a>>);

impl<'de> SeqAccess<'de> for OneEntry<'_> {
    type Error = Unknown;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Unknown> {
        self.0.take().map(|entry| seed.deserialize(entry)).transpose()
    }
}

/// A structure that has every field.
struct Fields<'a> {
    parent: &'a str,
    depth: usize,
    names: std::slice::Iter<'static, &'static str>,
    name: &'static str,
    found: &'a mut Vec<String>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Unknown;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unknown> {
        let Some(name) = self.names.next() else { return Ok(None) };
        self.name = name;
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unknown> {
        seed.deserialize(Trace { path: child(self.parent, self.name), depth: self.depth, found: self.found })
    }
}

/// The path of a field inside another: `status.phase`, `metadata.annotations["example.com/owner"]`.
fn child(parent: &str, name: &str) -> String {
    let plain = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    match (parent.is_empty(), plain) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{parent}.{name}"),
        (_, false) => format!("{parent}[\"{}\"]", name.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
#[allow(dead_code, reason = "the fields are there to be found, not to be read")]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::of;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Pod {
        metadata: Metadata,
        status: Option<Status>,
        #[serde(default)]
        spec: BTreeMap<String, serde_json::Value>,
    }

    #[derive(Deserialize)]
    struct Metadata {
        name: String,
        annotations: Option<Annotations>,
    }

    #[derive(Deserialize)]
    struct Annotations {
        #[serde(rename = "example.com/owner")]
        owner: Option<String>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        phase: Phase,
        container_statuses: Vec<Container>,
        first: crate::Integer,
        load: f64,
    }

    #[derive(Deserialize)]
    enum Phase {
        Running,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Container {
        restart_count: i32,
        ready: bool,
    }

    #[test]
    fn a_type_says_what_it_reads() {
        assert_eq!(
            of::<Pod>().expect("paths"),
            [
                "metadata.name",
                "metadata.annotations[\"example.com/owner\"]",
                "status.phase",
                "status.containerStatuses.restartCount",
                "status.containerStatuses.ready",
                "status.first",
                "status.load",
                "spec",
            ]
        );
    }

    #[test]
    fn a_type_that_reads_anything_gets_the_whole_object() {
        assert_eq!(of::<serde_json::Value>(), None);
        assert_eq!(of::<BTreeMap<String, String>>(), None);
    }

    #[test]
    fn a_type_that_cannot_say_gets_the_whole_object() {
        #[derive(Deserialize)]
        struct Flattened {
            kind: String,
            #[serde(flatten)]
            rest: Metadata,
        }
        #[derive(Deserialize)]
        struct Endless {
            within: Option<Box<Endless>>,
        }
        #[derive(Deserialize)]
        enum Carrying {
            Data(String),
        }
        #[derive(Deserialize)]
        struct Carries {
            carrying: Carrying,
        }

        assert_eq!(of::<Flattened>(), None);
        assert_eq!(of::<Endless>(), None);
        assert_eq!(of::<Carries>(), None);
    }
}
