//! A JSON Schema, compiled once, and what it says about a value.

use std::fmt::Write;

use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// How many faults a message lists; a model mends a few at a time.
const FAULTS: usize = 5;

/// Bytes of one fault: the value itself is part of it, and can be large.
const FAULT_BYTES: usize = 300;

/// A compiled schema. References are resolved within the schema only: neither files nor the network are ever read.
pub(super) struct Schema(Validator);

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Schema").finish_non_exhaustive()
    }
}

impl Schema {
    /// Compiles a schema, or says why it is none.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        jsonschema::validator_for(schema).map(Self).map_err(|error| fault(&error))
    }

    /// Whether a value fits; else the first faults, with the place of each.
    pub(super) fn check(&self, value: &Value) -> Result<(), String> {
        if self.0.is_valid(value) {
            return Ok(());
        }
        let mut message = String::new();
        for error in self.0.iter_errors(value).take(FAULTS) {
            let separator = if message.is_empty() { "" } else { "; " };
            // Writing to a string cannot fail.
            let _ = write!(message, "{separator}{}", fault(&error));
        }
        Err(message)
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

    #[test]
    fn references_outside_the_schema_are_not_followed() {
        let schema = json!({ "$ref": "file:///etc/passwd" });
        assert!(Schema::compile(&schema).is_err());
    }
}
