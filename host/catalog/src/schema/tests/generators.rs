//! Schemas as the libraries write them that authors of tools use.

use std::path::Path;

use super::*;

/// What the components of the packages in a folder say of themselves.
pub(super) fn manifests(folder: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let packages = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a package").path());
    let files = packages.map(|package| package.join("manifest.json")).filter(|file| file.exists());
    let read = |file| serde_json::from_str(&std::fs::read_to_string(file).expect("a file")).expect("JSON");
    files.map(read).collect()
}

/// What the bundled components say of themselves.
pub(super) fn of_bundled() -> Vec<Value> {
    let packs: std::collections::BTreeSet<&str> = crate::bundled::BUNDLED.iter().map(|(pack, ..)| *pack).collect();
    packs.into_iter().flat_map(|pack| manifests(&format!("guest-tools/{pack}"))).collect()
}

#[test]
fn the_schemas_of_honest_tools_are_taken() {
    let all = [of_bundled(), manifests("tests/components")].concat();
    assert!(!all.is_empty());
    for manifest in all {
        let mut patterns = Patterns::default();
        for tool in manifest["tools"].as_array().expect("tools") {
            for schema in ["inputSchema", "outputSchema"].iter().filter_map(|key| tool.get(*key)) {
                Schema::compile_within(schema, &mut patterns).unwrap_or_else(|fault| panic!("{}: {fault}", tool["name"]));
            }
        }
    }
}

/// A schema, values that fit, and values that do not.
fn generated() -> Vec<(&'static str, Value, Vec<Value>, Vec<Value>)> {
    vec![
        (
            "pydantic: a model with a nested one, optional fields, a literal and a dict",
            json!({
                "$defs": {
                    "Container": {
                        "properties": {
                            "name": { "title": "Name", "type": "string" },
                            "ports": { "default": [], "items": { "maximum": 65535, "minimum": 1, "type": "integer" }, "title": "Ports", "type": "array" },
                        },
                        "required": ["name"], "title": "Container", "type": "object",
                    },
                    "Level": { "enum": ["low", "high"], "title": "Level", "type": "string" },
                },
                "properties": {
                    "namespace": { "anyOf": [{ "type": "string" }, { "type": "null" }], "default": null, "title": "Namespace" },
                    "since": { "anyOf": [{ "format": "date-time", "type": "string" }, { "type": "null" }], "default": null, "title": "Since" },
                    "level": { "$ref": "#/$defs/Level", "default": "low" },
                    "containers": { "items": { "$ref": "#/$defs/Container" }, "title": "Containers", "type": "array" },
                    "labels": { "additionalProperties": { "type": "string" }, "propertyNames": { "pattern": "^[a-z]+$" }, "title": "Labels", "type": "object" },
                    "pair": { "maxItems": 2, "minItems": 2, "prefixItems": [{ "type": "integer" }, { "type": "string" }], "title": "Pair", "type": "array" },
                    "mode": { "const": "fast", "default": "fast", "title": "Mode", "type": "string" },
                    "ratio": { "exclusiveMinimum": 0, "maximum": 1, "title": "Ratio", "type": "number" },
                },
                "required": ["containers"], "title": "Arguments", "type": "object",
            }),
            vec![
                json!({ "containers": [{ "name": "a", "ports": [80] }], "namespace": null, "labels": { "app": "web" }, "pair": [1, "a"], "ratio": 0.5 }),
                json!({ "containers": [], "since": "2026-01-01T00:00:00Z", "level": "high", "mode": "fast" }),
            ],
            vec![
                json!({}),
                json!({ "containers": [{ "ports": [0] }] }),
                json!({ "containers": [], "level": "mid" }),
                json!({ "containers": [], "labels": { "App": "x" } }),
                json!({ "containers": [], "pair": [1] }),
                json!({ "containers": [], "ratio": 0 }),
            ],
        ),
        (
            "pydantic: a union with a discriminator, and a tree",
            json!({
                "$defs": {
                    "Cat": { "properties": { "kind": { "const": "cat", "title": "Kind", "type": "string" }, "lives": { "type": "integer" } }, "required": ["kind", "lives"], "type": "object" },
                    "Dog": { "properties": { "kind": { "const": "dog", "title": "Kind", "type": "string" }, "tricks": { "items": { "type": "string" }, "type": "array" } }, "required": ["kind"], "type": "object" },
                    "Node": { "properties": { "value": { "type": "integer" }, "children": { "items": { "$ref": "#/$defs/Node" }, "type": "array" } }, "required": ["value"], "type": "object" },
                },
                "properties": {
                    "pet": { "discriminator": { "mapping": { "cat": "#/$defs/Cat", "dog": "#/$defs/Dog" }, "propertyName": "kind" }, "oneOf": [{ "$ref": "#/$defs/Cat" }, { "$ref": "#/$defs/Dog" }] },
                    "tree": { "$ref": "#/$defs/Node" },
                },
                "type": "object",
            }),
            vec![
                json!({ "pet": { "kind": "cat", "lives": 9 }, "tree": { "value": 1, "children": [{ "value": 2, "children": [] }] } }),
            ],
            vec![json!({ "pet": { "kind": "cat" } }), json!({ "tree": { "value": 1, "children": [{ "children": [] }] } })],
        ),
        (
            "zod: toJSONSchema, draft 2020-12",
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "id": { "type": "string", "format": "uuid", "pattern": "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}|00000000-0000-0000-0000-000000000000|ffffffff-ffff-ffff-ffff-ffffffffffff)$" },
                    "count": { "type": "integer", "minimum": -9_007_199_254_740_991_i64, "maximum": 9_007_199_254_740_991_i64 },
                    "json": { "$ref": "#/$defs/__schema0" },
                    "record": { "type": "object", "propertyNames": { "type": "string" }, "additionalProperties": { "type": "number" } },
                    "either": { "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "number" }, { "type": "null" }] },
                },
                "required": ["id"],
                "additionalProperties": false,
                "$defs": { "__schema0": { "anyOf": [
                    { "type": "string" }, { "type": "number" }, { "type": "boolean" }, { "type": "null" },
                    { "type": "array", "items": { "$ref": "#/$defs/__schema0" } },
                    { "type": "object", "propertyNames": { "type": "string" }, "additionalProperties": { "$ref": "#/$defs/__schema0" } },
                ] } },
            }),
            vec![
                json!({ "id": "00000000-0000-0000-0000-000000000000", "json": { "a": [1, { "b": null }] }, "record": { "x": 1.5 }, "either": null }),
            ],
            vec![json!({ "id": "x" }), json!({ "id": "00000000-0000-0000-0000-000000000000", "other": 1 })],
        ),
        (
            "zod-to-json-schema, draft 7: references into properties, nullable types, a record",
            json!({
                "type": "object",
                "properties": {
                    "from": { "type": "object", "properties": { "x": { "type": "number" } }, "required": ["x"], "additionalProperties": false },
                    "to": { "$ref": "#/properties/from", "description": "where to" },
                    "note": { "type": ["string", "null"] },
                    "tuple": { "type": "array", "minItems": 1, "maxItems": 1, "items": [{ "type": "string" }] },
                    "level": { "type": "string", "enum": ["a", "b"] },
                    "positive": { "type": "number", "exclusiveMinimum": 0 },
                },
                "required": ["from"], "additionalProperties": false, "$schema": "http://json-schema.org/draft-07/schema#",
            }),
            vec![json!({ "from": { "x": 1 }, "to": { "x": 2 }, "note": null, "tuple": ["a"], "positive": 1 })],
            vec![
                json!({ "from": { "x": 1 }, "to": {} }),
                json!({ "from": { "x": 1 }, "positive": 0 }),
                json!({ "from": { "x": 1, "y": 2 } }),
            ],
        ),
        (
            "schemars: an enum with a tag, one without, flattened fields that refuse others",
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "title": "Arguments",
                "type": "object",
                "properties": {
                    "limit": { "type": ["integer", "null"], "format": "uint32", "minimum": 0 },
                    "level": { "oneOf": [{ "description": "Little.", "type": "string", "const": "low" }, { "type": "string", "enum": ["mid", "high"] }] },
                    "of": { "$ref": "#/$defs/Target" },
                },
                "required": ["of"],
                "oneOf": [
                    { "type": "object", "properties": { "pod": { "type": "string" } }, "required": ["pod"] },
                    { "type": "object", "properties": { "node": { "type": "string" } }, "required": ["node"] },
                ],
                "unevaluatedProperties": false,
                "$defs": { "Target": { "oneOf": [
                    { "type": "string", "const": "everything" },
                    { "type": "object", "properties": { "named": { "type": "array", "items": { "type": "string" }, "uniqueItems": true } }, "required": ["named"], "additionalProperties": false },
                    { "type": "object", "properties": { "not": { "$ref": "#/$defs/Target" } }, "required": ["not"], "additionalProperties": false },
                ] } },
            }),
            vec![
                json!({ "of": "everything", "pod": "a", "limit": null, "level": "low" }),
                json!({ "of": { "not": { "named": ["a", "b"] } }, "node": "n" }),
            ],
            vec![
                json!({ "of": "everything" }),
                json!({ "of": "everything", "pod": "a", "other": 1 }),
                json!({ "of": { "not": { "named": ["a", "a"] } }, "pod": "a" }),
                json!({ "of": "everything", "pod": "a", "level": "none" }),
            ],
        ),
    ]
}

#[test]
fn what_libraries_write_is_taken_and_means_what_they_mean() {
    for (library, schema, fitting, unfit) in generated() {
        let compiled = Schema::compile(&schema).unwrap_or_else(|fault| panic!("{library}: {fault}"));
        let oracle = jsonschema::validator_for(&schema).expect("a schema");
        for value in fitting {
            assert_eq!(compiled.check(&value), Ok(()), "{library}: {value}");
            assert!(oracle.is_valid(&value), "{library}: {value}");
        }
        for value in unfit {
            assert!(compiled.check(&value).is_err() && !oracle.is_valid(&value), "{library}: {value}");
        }
    }
}
