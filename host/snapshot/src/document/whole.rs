//! A whole document: one object, or a list, whose items are taken one at a time.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::parsing::{PARSED_BYTES, Parsing};
use super::tree::Tree;
use super::{Document, List};
use crate::object::Object;

/// A whole document.
pub(super) struct Whole<'p>(pub(super) &'p mut Parsing);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let Self(parsing) = self;
        let (mut fields, mut items) = (Map::new(), None);
        while let Some(key) = map.next_key::<String>()? {
            parsing.spend(key.len())?;
            if key == "items" {
                match map.next_value_seed(Items(parsing))? {
                    Listed::Items(listed) => items = Some(listed),
                    Listed::Other(value) => drop(fields.insert(key, value)),
                }
            } else {
                let value = map.next_value_seed(Tree { parsing, depth: 1 })?;
                fields.insert(key, value);
            }
        }
        match items {
            Some(list) => Ok(Document::List(List { fields, ..list })),
            None => Ok(Document::Map(Value::Object(fields))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Document, A::Error> {
        Ok(Document::List(read_items(seq, self.0)?))
    }

    fn visit_unit<E: Error>(self) -> Result<Document, E> {
        Ok(Document::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Document, E> {
        Ok(Document::Nothing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Document, E> {
        Ok(Document::Scalar)
    }
}

/// The value of the key `items`.
enum Listed {
    Items(List),
    Other(Value),
}

/// Parses the value of the key `items`, an array one item at a time.
struct Items<'p>(&'p mut Parsing);

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Listed;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Listed, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Listed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the items of a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Listed, A::Error> {
        Ok(Listed::Items(read_items(seq, self.0)?))
    }

    // A server in Go writes an empty list as `null`.
    fn visit_unit<E: Error>(self) -> Result<Listed, E> {
        Ok(Listed::Items(List::default()))
    }

    fn visit_none<E: Error>(self) -> Result<Listed, E> {
        self.visit_unit()
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Listed, A::Error> {
        Tree { parsing: self.0, depth: 1 }.visit_map(map).map(Listed::Other)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Listed, E> {
        Ok(Listed::Other(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Listed, E> {
        Ok(Listed::Other(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Listed, E> {
        Ok(Listed::Other(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Listed, E> {
        Ok(Listed::Other(value.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Listed, E> {
        Tree { parsing: self.0, depth: 1 }.visit_str(text).map(Listed::Other)
    }
}

fn read_items<'de, A: SeqAccess<'de>>(mut seq: A, parsing: &mut Parsing) -> Result<List, A::Error> {
    let (mut list, around) = (List::default(), parsing.left);
    loop {
        parsing.left = PARSED_BYTES;
        let Some(value) = seq.next_element_seed(Tree { parsing: &mut *parsing, depth: 1 })? else { break };
        match Object::new(value).and_then(|object| parsing.room.admit(object)) {
            Ok(object) => {
                parsing.room.take_object(&object).map_err(|why| parsing.refuse::<A::Error>(why))?;
                list.items.push(object);
            }
            Err(error) => drop(list.wrong.get_or_insert(error)),
        }
    }
    parsing.left = around;
    Ok(list)
}
