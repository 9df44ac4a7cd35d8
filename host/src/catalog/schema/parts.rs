//! Which parts of a schema are schemas themselves, with a toll before each of them.
//!
//! Only what is a part gets a toll, so no reference may lead to anything else.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::patterns::Weights;
use super::toll::{self, Toll};
use crate::policy::clean_line;

/// Keywords whose object holds schemas by name, and is none itself.
pub(super) const BY_NAME: [&str; 6] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];

/// Keywords that hold values, and no schemas.
pub(super) const VALUES: [&str; 7] = ["enum", "const", "default", "examples", "required", "dependentRequired", "$vocabulary"];

/// Keywords that lead to another part.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Keywords that give a part an address of its own; the second one is that of draft 4.
const IDS: [&str; 2] = ["$id", "id"];

/// Keywords that say what a part is called, and in which language it is written.
const OUTER: [&str; 7] = ["$id", "id", "$schema", "$anchor", "$dynamicAnchor", "$recursiveAnchor", "$vocabulary"];

/// Where the schemas of schemas are. jsonschema knows them by heart, and applies them without a toll.
const META: &str = "json-schema.org";

/// Bytes of a reference or an address in a message.
const QUOTE_BYTES: usize = 100;

/// Shows a schema, and each of its parts, to a visitor.
pub(super) fn each<'s, E>(schema: &'s Value, visit: &mut impl FnMut(&'s Map<String, Value>) -> Result<(), E>) -> Result<(), E> {
    match schema {
        Value::Object(object) => {
            visit(object)?;
            for (key, value) in object.iter().filter(|(key, _)| !VALUES.contains(&key.as_str())) {
                match value {
                    Value::Object(schemas) if BY_NAME.contains(&key.as_str()) => {
                        schemas.values().try_for_each(|schema| each(schema, visit))?;
                    }
                    value => each(value, visit)?,
                }
            }
            Ok(())
        }
        Value::Array(schemas) => schemas.iter().try_for_each(|schema| each(schema, visit)),
        _ => Ok(()),
    }
}

/// Makes the copy of a schema in which each part is applied after its toll is paid.
pub(super) struct Tolling<'s> {
    root: &'s Value,
    /// The schema's own address, where it has one.
    id: Option<&'s str>,
    weights: &'s Weights,
}

impl<'s> Tolling<'s> {
    /// The copy. Fails where a reference leads out of the schema, or to what is no part of it.
    pub(super) fn copy(root: &'s Value, weights: &'s Weights) -> Result<Value, String> {
        let id = check_addresses(root)?;
        Self { root, id, weights }.schema(root)
    }

    fn schema(&self, schema: &Value) -> Result<Value, String> {
        match schema {
            Value::Object(object) => self.part(object),
            Value::Array(schemas) => schemas.iter().map(|schema| self.schema(schema)).collect(),
            other => Ok(other.clone()),
        }
    }

    /// `{ "$id": …, "allOf": [the toll, all the rest] }`. Beside the rest, the toll would be the last keyword that jsonschema looks
    /// at, and where another one fails, it would not come to that: what fails would be free.
    fn part(&self, part: &Map<String, Value>) -> Result<Value, String> {
        let (mut outer, mut inner) = (Map::new(), Map::new());
        for (key, value) in part {
            let value = match value {
                _ if OUTER.contains(&key.as_str()) => {
                    outer.insert(key.clone(), value.clone());
                    continue;
                }
                _ if VALUES.contains(&key.as_str()) => value.clone(),
                Value::String(reference) if REFERENCES.contains(&key.as_str()) => Value::from(self.reference(reference)?),
                Value::Object(schemas) if BY_NAME.contains(&key.as_str()) => {
                    let named = schemas.iter().map(|(name, schema)| Ok((name.clone(), self.schema(schema)?)));
                    Value::Object(named.collect::<Result<_, String>>()?)
                }
                value => self.schema(value)?,
            };
            inner.insert(key.clone(), value);
        }
        inner.remove(toll::KEYWORD);
        let toll = json!({ toll::KEYWORD: Toll::price(part, self.weights).to_value() });
        outer.insert("allOf".to_owned(), json!([toll, inner]));
        Ok(Value::Object(outer))
    }

    /// The same reference, to the same part in the copy.
    fn reference(&self, reference: &str) -> Result<String, String> {
        // As jsonschema takes it apart.
        let (base, fragment) = match reference.strip_prefix('#') {
            Some(fragment) => ("", fragment),
            None => reference.rsplit_once('#').unwrap_or((reference, "")),
        };
        if !base.is_empty() && Some(base) != self.id {
            let advice = "it has to begin with `#`, or with the schema's own `$id`";
            return Err(format!("the reference {} leads out of the schema: {advice}", quoted(reference)));
        }
        // Anything else is the name of an anchor, which only a part can have.
        let Some(pointer) = fragment.strip_prefix('/') else { return Ok(reference.to_owned()) };
        let mut copied = String::from("#");
        let mut at = Some(self.root);
        let pointer = decoded(pointer);
        let mut tokens = pointer.split('/').map(|token| token.replace("~1", "/").replace("~0", "~"));
        while let Some(token) = tokens.next() {
            at = match at {
                Some(Value::Object(_)) if VALUES.contains(&token.as_str()) => {
                    return Err(format!("the reference {} leads into `{token}`, which holds no schema", quoted(reference)));
                }
                Some(Value::Object(part)) => {
                    copied.push_str("/allOf/1");
                    push(&mut copied, &token);
                    match part.get(&token) {
                        Some(Value::Object(schemas)) if BY_NAME.contains(&token.as_str()) => {
                            let name = tokens.next();
                            name.iter().for_each(|name| push(&mut copied, name));
                            name.and_then(|name| schemas.get(&name))
                        }
                        value => value,
                    }
                }
                Some(Value::Array(schemas)) => {
                    push(&mut copied, &token);
                    token.parse::<usize>().ok().and_then(|index| schemas.get(index))
                }
                _ => None,
            };
        }
        match at {
            Some(Value::Object(_) | Value::Bool(_)) => Ok(copied),
            _ => Err(format!("the reference {} leads to no schema", quoted(reference))),
        }
    }
}

/// Fails where a part has an address that would make references lead elsewhere than [`Tolling`] sees. Returns the schema's own.
fn check_addresses(root: &Value) -> Result<Option<&str>, String> {
    let draft_4 = root.get("$schema").and_then(Value::as_str).is_some_and(|draft| draft.contains("draft-04"));
    let key = if draft_4 { "id" } else { "$id" };
    // Until 2019, what begins with `#` was the name of an anchor.
    let id = root.get(key).and_then(Value::as_str).filter(|id| !id.starts_with('#')).map(|id| id.trim_end_matches('#'));
    let mut is_root = true;
    each(root, &mut |part| {
        let inside = !std::mem::take(&mut is_root);
        for address in IDS.iter().filter_map(|key| part.get(*key)?.as_str()) {
            // What is encoded could be that name, too.
            if address.contains('%') || address.to_ascii_lowercase().contains(META) {
                return Err(format!("{} cannot be the address of a schema here: use one of your own", quoted(address)));
            }
        }
        match part.get(key) {
            Some(Value::String(address)) if inside && !address.starts_with('#') => {
                let advice = "only the whole may have one; use `$defs` and `#/$defs/NAME`";
                Err(format!("a part of it has the address {}: {advice}", quoted(address)))
            }
            _ => Ok(()),
        }
    })?;
    Ok(id)
}

/// Adds a token to a pointer, with everything encoded that could mean something else in a URI.
fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    for byte in token.replace('~', "~0").replace('/', "~1").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'$' => pointer.push(char::from(byte)),
            _ => pointer.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// What a pointer says, its `%64` read as `d`.
fn decoded(pointer: &str) -> Cow<'_, str> {
    if !pointer.contains('%') {
        return Cow::Borrowed(pointer);
    }
    let mut bytes = Vec::with_capacity(pointer.len());
    let mut rest = pointer.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        let digit = |at: usize| after.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                // Two digits of four bits each are a byte.
                bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                rest = &after[2..];
            }
            _ => bytes.push(*first),
        }
    }
    // What is not UTF-8 leads nowhere, with or without the characters that stand for it.
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn quoted(text: &str) -> String {
    format!("{:?}", clean_line(text, QUOTE_BYTES))
}
