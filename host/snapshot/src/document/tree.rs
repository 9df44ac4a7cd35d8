//! One value with all that is inside of it, within the memory of its object.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::parsing::Parsing;

/// Nesting of values. Schemas in CustomResourceDefinitions have 40; 100 would overflow a thread's stack of 2 MiB in a debug
/// build.
pub(super) const DEPTH: usize = 64;

/// Parses one value, within the bytes that are left.
pub(super) struct Tree<'p> {
    pub(super) parsing: &'p mut Parsing,
    pub(super) depth: usize,
}

impl Tree<'_> {
    fn inner<E: Error>(&mut self) -> Result<Tree<'_>, E> {
        if self.depth >= DEPTH {
            return Err(self.parsing.refuse(format!("more than {DEPTH} values inside of each other")));
        }
        Ok(Tree { parsing: self.parsing, depth: self.depth + 1 })
    }

    fn scalar<E: Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        self.parsing.spend(0)?;
        Ok(value.into())
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.scalar(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.scalar(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.parsing.spend(text.len())?;
        Ok(Value::from(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        self.parsing.spend(text.len())?;
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        self.parsing.spend(0)?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        self.parsing.spend(0)?;
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            self.parsing.spend(key.len())?;
            let value = map.next_value_seed(self.inner()?)?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}
