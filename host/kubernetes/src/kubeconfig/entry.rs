//! The fields of a kubeconfig, read one by one as client-go understands them: what is empty or null is not set, and what nobody asks for
//! may be anything.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use crate::fault::Fault;

/// Padding may be missing, and the last letter may have bits that stand for nothing: what is meant is clear.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// A mapping, and what to call it in messages.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'v> {
    fields: Option<&'v Map<String, Value>>,
    what: String,
}

impl<'v> Entry<'v> {
    /// `what` is its name in messages: `user "dev"` for example.
    pub(crate) fn new(value: Option<&'v Value>, what: impl Into<String>) -> Result<Self, Fault> {
        let what = what.into();
        match value {
            None | Some(Value::Null) => Ok(Self { fields: None, what }),
            Some(Value::Object(fields)) => Ok(Self { fields: Some(fields), what }),
            Some(other) => Err(Fault::new(format!("{what} is {}, and should be a mapping", kind(other)))),
        }
    }

    /// A field as it stands there, where it is set to anything.
    pub(crate) fn value(&self, key: &str) -> Option<&'v Value> {
        self.fields?.get(key).filter(|value| !value.is_null())
    }

    /// Text that is not empty.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'v str>, Fault> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(other) => Err(self.wrong(key, other, "text; put it in quotes")),
        }
    }

    /// Whether a flag is on. YAML 1.1 has more words for that than YAML 1.2.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, Fault> {
        match self.value(key) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(Value::String(word)) => match word.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" => Ok(true),
                "false" | "no" | "off" | "n" | "" => Ok(false),
                _ => Err(Fault::new(format!("`{key}` of {} is neither true nor false", self.what))),
            },
            Some(other) => Err(self.wrong(key, other, "true or false")),
        }
    }

    /// What stands in base64 there; line breaks and spaces are none of it.
    pub(crate) fn bytes(&self, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        if text.is_empty() {
            return Ok(None);
        }
        let decoded = BASE64.decode(text).map_err(|_quotes_it| Fault::new(format!("`{key}` of {} is not base64", self.what)))?;
        Ok(Some(decoded).filter(|decoded| !decoded.is_empty()))
    }

    /// A list of texts.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, Fault> {
        self.list(key)?
            .iter()
            .map(|item| match item {
                Value::Null => Ok(String::new()),
                Value::String(text) => Ok(text.clone()),
                other => Err(self.wrong(key, other, "a list of texts; put each in quotes")),
            })
            .collect()
    }

    /// A list of mappings.
    pub(crate) fn entries(&self, key: &str) -> Result<Vec<Entry<'v>>, Fault> {
        self.list(key)?.iter().map(|item| Entry::new(Some(item), format!("an entry of `{key}` of {}", self.what))).collect()
    }

    /// A mapping, where there is one.
    pub(crate) fn entry(&self, key: &str) -> Result<Option<Entry<'v>>, Fault> {
        self.value(key).map(|value| Entry::new(Some(value), format!("`{key}` of {}", self.what))).transpose()
    }

    /// All fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'v String, &'v Value)> {
        self.fields.into_iter().flatten()
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    fn list(&self, key: &str) -> Result<&'v [Value], Fault> {
        match self.value(key) {
            None => Ok(&[]),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(self.wrong(key, other, "a list")),
        }
    }

    /// The refusal of a value that is given as a file and as it is. kubectl refuses it, too: which of them counts is anybody's guess.
    pub(crate) fn both(&self, key: &str) -> Fault {
        Fault::new(format!("{} has both `{key}` and `{key}-data`: remove one of them", self.what))
    }

    fn wrong(&self, key: &str, is: &Value, should: &str) -> Fault {
        Fault::new(format!("`{key}` of {} is {}, and should be {should}", self.what, kind(is)))
    }
}

/// What something is, without saying what it holds.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_empty_is_not_set() {
        let value = json!({ "a": "", "b": null, "c": [], "d": " \n", "e": "eHl=", "f": "e\n Hk", "g": "yes", "h": "" });
        let entry = Entry::new(Some(&value), "it").expect("a mapping");
        for key in ["a", "b", "none"] {
            assert_eq!((entry.text(key), entry.bytes(key), entry.flag(key)), (Ok(None), Ok(None), Ok(false)), "{key}");
        }
        assert_eq!((entry.texts("b"), entry.texts("c")), (Ok(vec![]), Ok(vec![])));
        assert_eq!(
            (entry.bytes("d"), entry.bytes("e"), entry.bytes("f")),
            (Ok(None), Ok(Some(b"xy".into())), Ok(Some(b"xy".into())))
        );
        assert_eq!((entry.flag("g"), entry.flag("h")), (Ok(true), Ok(false)));
        assert!(Entry::new(None, "it").is_ok_and(|entry| entry.value("a").is_none()));
    }

    #[test]
    fn what_is_wrong_is_told_without_its_value() {
        let value = json!({ "n": 4711, "t": "4711", "l": ["4711"], "m": { "4711": 1 }, "p": "4711!" });
        let entry = Entry::new(Some(&value), "user \"me\"").expect("a mapping");
        let faults = [
            entry.text("n").map(drop),
            entry.text("l").map(drop),
            entry.text("m").map(drop),
            entry.bytes("p").map(drop),
            entry.flag("t").map(drop),
            entry.flag("n").map(drop),
            entry.texts("t").map(drop),
            entry.entries("l").map(drop),
            entry.entry("t").map(drop),
        ];
        for fault in faults {
            let words = fault.expect_err("wrong").to_string();
            assert!(words.contains("user \"me\"") && !words.contains("4711"), "{words}");
        }
    }
}
