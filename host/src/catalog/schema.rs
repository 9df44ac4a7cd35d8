//! A JSON Schema, compiled once, and what it says about a value.

mod toll;

use std::fmt::Write;

use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

/// How many faults a message lists; a model mends a few at a time.
const FAULTS: usize = 5;

/// Bytes of one fault: the value itself is part of it, and can be large.
const FAULT_BYTES: usize = 300;

/// Said of a value whose check was given up.
const TOO_MUCH: &str = "checking it against the tool's schema takes too long; ask for less, or have the schema simplified";

/// A compiled schema. References are resolved within the schema only: neither files nor the network are ever read. Whoever wrote the
/// schema or the value, a check ends: `toll` bounds its steps, and patterns are matched in linear time.
pub(super) struct Schema(Validator);

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Schema").finish_non_exhaustive()
    }
}

impl Schema {
    /// Compiles a schema, or says why it is none.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        jsonschema::meta::validate(schema).map_err(|error| fault(&error))?;
        let schema = toll::with_tolls(schema)?;
        jsonschema::options()
            .with_keyword(toll::KEYWORD, |_, price, _| Ok(Box::new(toll::Toll::of(price))))
            // Look-around and back references take exponential time, so they are no part of a pattern here.
            .with_pattern_options(PatternOptions::regex())
            .build(&schema)
            .map(Self)
            .map_err(|error| fault(&error))
    }

    /// Whether a value fits; else the first faults, with the place of each.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        toll::bounded(|| if self.0.is_valid(value) { Ok(()) } else { Err(self.faults(value)) })
            .unwrap_or_else(|toll::TooMuch| Err(TOO_MUCH.to_owned()))
    }

    /// The first faults of a value.
    fn faults(&self, value: &Value) -> String {
        let mut message = String::new();
        for error in self.0.iter_errors(value).take(FAULTS) {
            let separator = if message.is_empty() { "" } else { "; " };
            // Writing to a string cannot fail.
            let _ = write!(message, "{separator}{}", fault(&error));
        }
        message
    }
}

/// One fault, after the place that it is in.
fn fault(error: &ValidationError<'_>) -> String {
    let (place, words) = (error.instance_path().to_string(), error.to_string());
    let words = &words[..words.floor_char_boundary(FAULT_BYTES)];
    match place.trim_start_matches('/') {
        "" => words.to_owned(),
        place => format!("`{}`: {words}", place.replace('/', ".")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_names_its_place() {
        let schema = json!({
            "type": "object",
            "properties": { "limit": { "type": "integer" }, "namespace": { "type": "string" } },
            "required": ["namespace"],
            "additionalProperties": false,
        });
        let schema = Schema::compile(&schema).expect("a schema");
        assert_eq!(schema.check(&json!({ "namespace": "a", "limit": 3 })), Ok(()));
        let message = schema.check(&json!({ "limit": "x", "colour": 1 })).expect_err("invalid");
        assert!(message.contains("`limit`: \"x\" is not of type \"integer\""), "{message}");
        assert!(message.contains("colour"), "{message}");
        assert!(message.contains("namespace"), "{message}");
    }

    #[test]
    fn what_is_no_schema_is_told_with_its_place() {
        let fault = Schema::compile(&json!({ "type": "object", "properties": { "a": 7 } })).expect_err("no schema");
        assert!(fault.starts_with("`properties.a`: "), "{fault}");
    }

    /// Each level applies the one below twice.
    fn doubling(levels: usize) -> Value {
        let mut schema = json!({ "$ref": format!("#/$defs/{levels}"), "$defs": { "0": { "type": "object" } } });
        for level in 1..=levels {
            let below = json!({ "$ref": format!("#/$defs/{}", level - 1) });
            schema["$defs"][level.to_string()] = json!({ "allOf": [below, below] });
        }
        schema
    }

    #[test]
    fn a_check_that_would_never_end_is_given_up() {
        assert_eq!(Schema::compile(&doubling(10)).expect("a schema").check(&json!({})), Ok(()));
        let endless = Schema::compile(&doubling(100)).expect("a schema");
        assert_eq!(endless.check(&json!({})), Err(TOO_MUCH.to_owned()));
        assert_eq!(endless.check(&json!({})), Err(TOO_MUCH.to_owned()), "giving up leaves nothing behind");
        let old = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "allOf": [doubling(100)] });
        assert!(Schema::compile(&old).is_err(), "its references lead nowhere");

        // Few applications, each of which is much.
        let numbers: Vec<f64> = (0..50_000).map(|n| f64::from(n) + 0.5).collect();
        let schema = Schema::compile(&json!({ "items": { "enum": numbers } })).expect("a schema");
        assert_eq!(schema.check(&json!(vec![50_000.25; 100_000])), Err(TOO_MUCH.to_owned()));
    }

    #[test]
    fn no_reference_goes_around_the_toll() {
        let schema = json!({ "$ref": "#/default/100", "default": doubling(100)["$defs"] });
        let refused = Schema::compile(&schema).expect_err("it leads into values");
        assert!(refused.contains("`default`, which holds no schema"), "{refused}");
        let named = json!({ "properties": { "default": { "type": "string" }, "b": { "$ref": "#/properties/default" } } });
        assert!(Schema::compile(&named).is_ok(), "a property may have any name");
    }

    #[test]
    fn a_large_honest_value_is_checked_to_its_end() {
        let item = json!({ "type": "object", "required": ["name"], "properties": { "name": { "type": "string" }, "n": { "type": "integer" } } });
        let schema =
            Schema::compile(&json!({ "properties": { "items": { "type": "array", "items": item } } })).expect("a schema");
        let items: Vec<Value> = (0..100_000).map(|n| json!({ "name": format!("item-{n}"), "n": n })).collect();
        assert_eq!(schema.check(&json!({ "items": items })), Ok(()));
    }

    #[test]
    fn a_pattern_takes_linear_time() {
        let schema = Schema::compile(&json!({ "pattern": "^(a+)+$" })).expect("a schema");
        assert!(schema.check(&json!("a".repeat(50_000) + "!")).is_err());
        assert!(Schema::compile(&json!({ "pattern": "(a+)\\1" })).is_err(), "a back reference");
    }

    #[test]
    fn references_outside_the_schema_are_not_followed() {
        let schema = json!({ "$ref": "file:///etc/passwd" });
        assert!(Schema::compile(&schema).is_err());
    }
}
