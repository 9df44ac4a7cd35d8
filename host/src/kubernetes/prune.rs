//! Cuts an object down to the fields that were asked for, while it is parsed.
//!
//! Nothing is built in memory: what is kept is copied as it stands in the input, what is not is skipped. `metadata.managedFields`
//! is skipped always; it can be half of an object and tells a tool nothing.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::error::Error;
use super::explain;
use super::fields::Keep;
use super::items::malformed;

/// What tells an object from the others of its list.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Identity<'o> {
    /// Empty for an object of the cluster.
    #[serde(borrow, default)]
    pub(super) namespace: Cow<'o, str>,
    #[serde(borrow, default)]
    pub(super) name: Cow<'o, str>,
    /// A JSON object; parsed only where a selector needs it.
    #[serde(borrow, default)]
    pub(super) labels: Option<&'o RawValue>,
}

/// Appends what `keep` keeps of one JSON object to `out`, and says which object it was.
pub(super) fn prune<'o>(object: &'o str, keep: &Keep, out: &mut String) -> Result<Identity<'o>, Error> {
    let mut identity = Identity::default();
    let mut json = serde_json::Deserializer::from_str(object);
    let part = Object { keep, out, identity: &mut identity };
    part.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| malformed(&explain::json(&error)))?;
    Ok(identity)
}

/// Which object this is, for a list that has to know before it decides whether to keep it.
pub(super) fn identify(object: &str) -> Result<Identity<'_>, Error> {
    #[derive(Deserialize)]
    struct Outline<'o> {
        #[serde(borrow, default)]
        metadata: Identity<'o>,
    }
    serde_json::from_str::<Outline<'_>>(object).map(|outline| outline.metadata).map_err(|error| malformed(&explain::json(&error)))
}

/// The body of an item as text, which JSON has to be.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))
}

/// The object itself. Apart from [`Part`] because its `metadata` is looked into whatever is kept.
struct Object<'k, 'w, 'o> {
    keep: &'k Keep,
    out: &'w mut String,
    identity: &'w mut Identity<'o>,
}

impl<'de> DeserializeSeed<'de> for Object<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut writer = ObjectWriter::open(self.out);
        while let Some(Key(key)) = entries.next_key()? {
            let keep = self.keep.of(&key);
            if key == "metadata" {
                let metadata: &'de RawValue = entries.next_value()?;
                *self.identity = parse(metadata)?;
                if let Some(keep) = keep {
                    writer.entry(&key, |out| {
                        let part = Part { keep, unless: Some("managedFields"), out };
                        let mut json = serde_json::Deserializer::from_str(metadata.get());
                        part.deserialize(&mut json).map_err(serde::de::Error::custom)
                    })?;
                }
                continue;
            }
            match keep {
                None => drop(entries.next_value::<IgnoredAny>()?),
                Some(keep) => writer.entry(&key, |out| entries.next_value_seed(Part { keep, unless: None, out }))?,
            }
        }
        writer.close();
        Ok(())
    }
}

/// Parses a value that has been read as a whole before.
fn parse<'de, T: Deserialize<'de>, E: serde::de::Error>(json: &'de RawValue) -> Result<T, E> {
    serde_json::from_str(json.get()).map_err(E::custom)
}

/// Any value inside the object. Its result: whether something was written, which is not so where a path goes on and the value
/// does not.
struct Part<'k, 'w> {
    keep: &'k Keep,
    /// A key that is left out even where everything is kept.
    unless: Option<&'static str>,
    out: &'w mut String,
}

impl<'de> DeserializeSeed<'de> for Part<'_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        if *self.keep == Keep::Whole && self.unless.is_none() {
            self.out.push_str(<&'de RawValue>::deserialize(json)?.get());
            return Ok(true);
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<bool, A::Error> {
        let mut writer = ObjectWriter::open(self.out);
        while let Some(Key(key)) = entries.next_key()? {
            match self.keep.of(&key).filter(|_| self.unless != Some(&*key)) {
                None => drop(entries.next_value::<IgnoredAny>()?),
                Some(keep) => writer.entry(&key, |out| entries.next_value_seed(Part { keep, unless: None, out }))?,
            }
        }
        writer.close();
        Ok(true)
    }

    /// Arrays are crossed: the path goes on in each element.
    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        self.out.push('[');
        let mut first = true;
        loop {
            let before = self.out.len();
            if !first {
                self.out.push(',');
            }
            match elements.next_element_seed(Part { keep: self.keep, unless: None, out: &mut *self.out })? {
                Some(true) => first = false,
                Some(false) => self.out.truncate(before),
                None => {
                    self.out.truncate(before);
                    break;
                }
            }
        }
        self.out.push(']');
        Ok(true)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }
}

impl Keep {
    /// What is kept of the value under a key; none: nothing.
    fn of(&self, key: &str) -> Option<&Keep> {
        match self {
            Keep::Whole => Some(&Keep::Whole),
            Keep::Keys(children) => children.get(key),
        }
    }
}

/// Writes one JSON object entry by entry, and takes an entry back that turns out to have no value.
struct ObjectWriter<'w> {
    out: &'w mut String,
    first: bool,
}

impl<'w> ObjectWriter<'w> {
    fn open(out: &'w mut String) -> Self {
        out.push('{');
        Self { out, first: true }
    }

    fn entry<E>(&mut self, key: &str, value: impl FnOnce(&mut String) -> Result<bool, E>) -> Result<(), E> {
        let before = self.out.len();
        if !self.first {
            self.out.push(',');
        }
        push_string(self.out, key);
        self.out.push(':');
        if value(self.out)? {
            self.first = false;
        } else {
            self.out.truncate(before);
        }
        Ok(())
    }

    fn close(self) {
        self.out.push('}');
    }
}

/// Writes a JSON string.
fn push_string(out: &mut String, text: &str) {
    if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// A key, borrowed where it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        json.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::error::Code;

    const POD: &str = r#"{"kind":"Pod","metadata":{"name":"web-0","managedFields":[{"manager":"x"}],"namespace":"team-a","labels":{"app":"web"},"annotations":{"example.com/owner":"a\"b","other":"x"}},"spec":{"nodeName":null,"containers":[{"name":"web","image":"i:1"},{"name":"sidecar"}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"},7,{"status":"?"}],"started":1.50e1}}"#;

    fn pruned(object: &str, fields: Option<&[&str]>) -> Result<String, Error> {
        let fields: Option<Vec<String>> = fields.map(|paths| paths.iter().map(|&path| path.to_owned()).collect());
        let keep = Keep::parse(fields.as_deref())?;
        let mut out = String::from("<");
        prune(object, &keep, &mut out)?;
        Ok(out.split_off(1))
    }

    #[test]
    fn only_what_was_asked_for_is_kept_in_its_nesting() {
        let fields = ["metadata.name", "metadata.annotations[\"example.com/owner\"]", "spec.containers.image", "status.started"];
        assert_eq!(
            pruned(POD, Some(&fields)).expect("valid"),
            r#"{"metadata":{"name":"web-0","annotations":{"example.com/owner":"a\"b"}},"spec":{"containers":[{"image":"i:1"},{}]},"status":{"started":1.50e1}}"#
        );
    }

    #[test]
    fn without_fields_everything_but_managed_fields_is_kept() {
        assert_eq!(pruned(POD, None).expect("valid"), POD.replace(r#""managedFields":[{"manager":"x"}],"#, ""));
        let metadata = pruned(POD, Some(&["metadata"])).expect("valid");
        assert!(metadata.contains("web-0") && !metadata.contains("managedFields"), "{metadata}");
    }

    #[test]
    fn an_absent_path_is_absent() {
        for (path, kept) in [
            ("status.nope", r#"{"status":{}}"#),
            ("nope.nope", "{}"),
            ("spec.nodeName.deeper", r#"{"spec":{}}"#),
            ("status.phase.deeper", r#"{"status":{}}"#),
            ("spec.nodeName", r#"{"spec":{"nodeName":null}}"#),
            ("status.conditions.type", r#"{"status":{"conditions":[{"type":"Ready"},{}]}}"#),
        ] {
            assert_eq!(pruned(POD, Some(&[path])).expect(path), kept, "{path}");
        }
        assert_eq!(pruned(POD, Some(&[])).expect("no paths"), "{}");
    }

    #[test]
    fn the_identity_is_read_on_the_way() {
        let mut out = String::new();
        let keep = Keep::parse(Some(&["kind".to_owned()])).expect("valid");
        let identity = prune(POD, &keep, &mut out).expect("valid");
        assert_eq!((&*identity.namespace, &*identity.name), ("team-a", "web-0"));
        assert_eq!(identity.labels.map(RawValue::get), Some(r#"{"app":"web"}"#));
        assert_eq!(out, r#"{"kind":"Pod"}"#);
        assert_eq!(identify(POD).expect("valid").name, "web-0");
        assert_eq!(identify("{}").expect("valid").name, "");
    }

    #[test]
    fn what_comes_out_is_json_whatever_the_strings_hold() {
        let odd = r#"{"a\"\\\u0001é":{"b\n":["\ud83d\ude80\u0000",{"c":-0.0e-2}]},"metadata":{"name":"é\u00e9","n":[]}}"#;
        for fields in [None, Some(["[\"a\\\"\\\\\\u0001é\"][\"b\\n\"]"].as_slice())] {
            let kept = pruned(odd, fields).expect("valid");
            let value: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
            assert_eq!(value["a\"\\\u{1}é"]["b\n"][0], "🚀\0", "{kept}");
        }
    }

    #[test]
    fn what_is_not_an_object_is_an_error() {
        for body in
            ["", "[]", "{", r#"{"a":}"#, r#"{"a":1,}"#, r#"{"a" 1}"#, r#"{"metadata":{"name":1}}"#, "{}{}", r#"{"a":"\x"}"#]
        {
            assert_eq!(pruned(body, None).expect_err(body).code, Code::Other);
            assert!(pruned(body, Some(&["b.c"])).is_err(), "{body}");
        }
        assert_eq!(text(b"{\"a\":\"\xff\"}").expect_err("not UTF-8").code, Code::Other);
    }
}
