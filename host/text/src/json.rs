//! Untrusted JSON, read as any two parsers read it, within bounds.
//!
//! Parsers differ in which of two equal keys counts, so a gateway in front could have checked another message than the one that
//! is served: duplicates are refused. A short text can have a large value (`[[],[],[]` costs two bytes an element in the text and
//! some seventy in memory), so values are counted. serde_json itself refuses nesting beyond 128 levels.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

/// The weight of an object, beside the values in it: with one key it takes some 600 bytes, as much as eight numbers.
const OBJECT: usize = 8;

/// A bound on the values that are read, over several texts. Each takes some 80 bytes of memory, however short its text.
#[derive(Debug)]
pub struct JsonLimit {
    most: usize,
    left: usize,
}

impl JsonLimit {
    /// A limit of `most` values.
    pub fn new(most: usize) -> Self {
        Self { most, left: most }
    }

    /// Parses a text that holds one value.
    pub fn parse(&mut self, text: &[u8]) -> Result<Value, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let value = Counted(self).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }

    fn take<E: de::Error>(&mut self, values: usize) -> Result<(), E> {
        let left = self.left.checked_sub(values);
        self.left =
            left.ok_or_else(|| E::custom(format_args!("it holds more than {} values (an object counts as 8)", self.most)))?;
        Ok(())
    }
}

/// Parses one value, which is counted.
struct Counted<'a>(&'a mut JsonLimit);

impl<'de> DeserializeSeed<'de> for Counted<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.take(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(Counted(self.0))? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.0.take(OBJECT - 1)?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            match object.entry(key) {
                Entry::Occupied(other) => {
                    return Err(de::Error::custom(format_args!(
                        "the key {:?} stands twice in one object",
                        shortened(other.key())
                    )));
                }
                Entry::Vacant(place) => {
                    place.insert(entries.next_value_seed(Counted(self.0))?);
                }
            }
        }
        Ok(Value::Object(object))
    }
}

/// A key as an error may repeat it.
fn shortened(key: &str) -> &str {
    const MOST: usize = 100;
    &key[..key.floor_char_boundary(MOST)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const MOST_VALUES: usize = 50_000;

    fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
        JsonLimit::new(MOST_VALUES).parse(text)
    }

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).expect_err(text.get(..100).unwrap_or(text)).to_string()
    }

    #[test]
    fn json_is_read_as_it_stands() {
        let text = r#"{"b":[1,-2,3.5,18446744073709551615,true,null,"é\n"],"a":{}}"#;
        let value = parse(text.as_bytes()).expect("JSON");
        assert_eq!(value, json!({ "b": [1, -2, 3.5, u64::MAX, true, null, "é\n"], "a": {} }));
        assert_eq!(value.to_string(), text, "keys keep their order");
    }

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        assert!(refused(r#"{"a":1,"a":1}"#).contains("\"a\" stands twice"));
        assert!(refused(r#"[{"b":{"a":1,"\u0061":2}}]"#).contains("\"a\" stands twice"), "an escape makes no other key");
        assert!(parse(br#"[{"a":1},{"a":1}]"#).is_ok());
        let long = "k".repeat(1 << 20);
        assert!(refused(&format!(r#"{{"{long}":1,"{long}":1}}"#)).len() < 300, "an error does not repeat a huge key");
    }

    #[test]
    fn values_are_counted() {
        let many = |count: usize| format!("[{}0]", "[],".repeat(count - 2));
        assert!(parse(many(MOST_VALUES).as_bytes()).is_ok());
        assert!(refused(&many(MOST_VALUES + 1)).contains("more than 50000 values"));
        let keys: Vec<String> = (0..=MOST_VALUES).map(|key| format!("\"{key}\":0")).collect();
        assert!(refused(&format!("{{{}}}", keys.join(","))).contains("more than 50000 values"));
        assert!(
            refused(&format!("[{}0]", "{\"\":0},".repeat(MOST_VALUES / 9 + 1))).contains("more than 50000 values"),
            "objects are large"
        );
        let mut limit = JsonLimit::new(10);
        assert!(limit.parse(b"[1,2,3,4,5]").is_ok() && limit.parse(b"[1,2,3,4,5]").is_err(), "it is one limit for all texts");
    }

    #[test]
    fn what_only_some_readers_accept_is_refused() {
        for text in [
            "",
            " ",
            "{} {}",
            "{}x",
            "\u{feff}{}",
            "{'a':1}",
            "{a:1}",
            "[1,]",
            "01",
            "1e999",
            "NaN",
            "\"\t\"",
            "\"\\ud800\"",
            "/**/1",
        ] {
            refused(text);
        }
        assert!(parse(b"\"\xff\"").is_err(), "no UTF-8");
        assert!(refused(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))).contains("recursion"));
    }
}
