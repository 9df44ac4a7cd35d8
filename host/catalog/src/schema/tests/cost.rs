//! Schemas that would take long, and that a check is linear with those that are taken.

use super::super::check::steps;
use super::super::cost::PARTS_A_VALUE;
use super::*;

/// Each level applies the one below twice.
fn doubling(keyword: &str, levels: usize, leaf: &Value) -> Value {
    let mut schema = json!({ "$ref": format!("#/$defs/{levels}"), "$defs": { "0": leaf } });
    for level in 1..=levels {
        let below = json!({ "$ref": format!("#/$defs/{}", level - 1) });
        schema["$defs"][level.to_string()] = match keyword {
            "properties" => {
                json!({ "allOf": [{ "properties": { "a": below } }, { "additionalProperties": below }, { "properties": { "a": below } }] })
            }
            "items" => json!({ "allOf": [{ "items": below }, { "contains": below }, { "prefixItems": [below] }] }),
            "if" => json!({ "if": below, "then": below }),
            "not" => json!({ "not": { "not": below }, "allOf": [below] }),
            "dependentSchemas" => json!({ "dependentSchemas": { "a": below, "b": below } }),
            "propertyNames" => json!({ "propertyNames": below, "allOf": [below] }),
            "unevaluatedProperties" => json!({ "allOf": [below], "unevaluatedProperties": below }),
            keyword => json!({ keyword: [below, below] }),
        };
    }
    schema
}

#[test]
fn a_schema_that_doubles_the_work_is_refused_by_whatever_keyword() {
    for keyword in ["allOf", "anyOf", "oneOf", "if", "not", "dependentSchemas", "properties", "items"] {
        for leaf in [json!({ "type": "object" }), json!(false), json!(true), json!({ "required": ["a"] })] {
            compiled(&doubling(keyword, 3, &leaf));
            let words = refused(&doubling(keyword, 60, &leaf));
            assert!(words.contains("can look at one value") && words.contains("$defs"), "{keyword}: {words}");
        }
    }
    for draft in ["http://json-schema.org/draft-04/schema#", "https://json-schema.org/draft/2019-09/schema"] {
        let mut schema = doubling("allOf", 60, &json!({}));
        schema["$schema"] = json!(draft);
        refused(&schema);
    }
}

#[test]
fn a_part_that_only_looks_at_itself_is_refused() {
    for schema in [
        json!({ "$ref": "#" }),
        json!({ "allOf": [{ "$ref": "#" }] }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "anyOf": [{ "$ref": "#/$defs/b" }] }, "b": { "not": { "$ref": "#/$defs/a" } } } }),
    ] {
        assert!(refused(&schema).contains("refers to itself without going deeper"), "{schema}");
    }
}

#[test]
fn a_part_that_recurs_looks_at_each_value_once() {
    // Without what is kept of it, each level would double the work: three ways lead from a value to what is inside of it.
    let tree = compiled(&json!({
        "$ref": "#/$defs/tree",
        "$defs": { "tree": { "anyOf": [
            { "type": "object", "properties": { "next": { "$ref": "#/$defs/tree" }, "kind": { "const": "a" } }, "required": ["kind"] },
            { "type": "object", "properties": { "next": { "$ref": "#/$defs/tree" }, "kind": { "const": "b" } }, "required": ["kind"] },
            { "type": "object", "allOf": [{ "properties": { "next": { "$ref": "#/$defs/tree" } } }], "required": ["never"] },
            { "type": "null" },
        ] } },
    }));
    let chain = |levels: usize, end: Value| (0..levels).fold(end, |below, _| json!({ "next": below, "kind": "b" }));
    for (end, fits) in [(json!(null), true), (json!(7), false)] {
        let (one, four) = (steps(&tree.parts, &chain(25, end.clone())), steps(&tree.parts, &chain(100, end.clone())));
        assert!(four < 5 * one, "{one} and {four} steps");
        assert_eq!(tree.check(&chain(100, end)).is_ok(), fits);
    }
    let words = tree.check(&chain(3, json!(7))).expect_err("no tree");
    assert_eq!(words, "`next.next.next` is 7, and has to be an object or null");
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let list = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "uniqueItems": true, "items": { "$ref": "#/$defs/a" } } } });
    assert!(refused(&list).contains("`uniqueItems` compares whole items"));
    let crossed = json!({ "$ref": "#/$defs/a", "$defs": {
        "a": { "properties": { "x": { "$ref": "#/$defs/b" }, "y": { "$ref": "#/$defs/c" } } },
        "b": { "items": { "$ref": "#/$defs/a" } },
        "c": { "uniqueItems": true, "items": { "$ref": "#/$defs/b" } },
    } });
    assert!(refused(&crossed).contains("`uniqueItems`"), "by whichever way");
    compiled(&json!({ "items": { "uniqueItems": true, "items": { "items": {} } } }));
    let numbers: Vec<f64> = (0..50_000).map(|n| f64::from(n) + 0.5).collect();
    assert!(refused(&json!({ "items": { "enum": numbers } })).contains("can look at one value"));
    let words: Vec<String> = (0..5_000).map(|n| format!("word-{n}")).collect();
    compiled(&json!({ "items": { "enum": words } }));
    let many: Value = (0..20_000).map(|_| json!({})).collect();
    assert!(refused(&json!({ "prefixItems": many })).contains("more than 10000 parts"));
    let patterns: serde_json::Map<_, _> = (0..128).map(|n| (format!("^{n}$"), json!(true))).collect();
    refused(&json!({ "patternProperties": patterns }));
}

#[test]
fn long_and_deep_schemas_are_compiled_without_recursion() {
    let chain: serde_json::Map<_, _> =
        (0..9_000).map(|n| (n.to_string(), json!({ "items": { "$ref": format!("#/$defs/{}", n + 1) } }))).collect();
    let mut schema = json!({ "$ref": "#/$defs/0", "$defs": chain });
    schema["$defs"]["9000"] = json!({});
    let words = refused(&schema);
    assert!(words.contains("more than 10000 parts"), "{words}");
    let chain: serde_json::Map<_, _> =
        (0..4_000).map(|n| (n.to_string(), json!({ "items": { "$ref": format!("#/$defs/{}", n + 1) } }))).collect();
    let mut schema = json!({ "$ref": "#/$defs/0", "$defs": chain });
    schema["$defs"]["4000"] = json!({});
    assert_eq!(compiled(&schema).check(&json!([[[[1]]]])), Ok(()));
    let deep = (0..120).fold(json!({ "type": "object" }), |below, _| json!({ "not": below }));
    assert_eq!(compiled(&deep).check(&json!({})), Ok(()));
}

/// Values of two sizes, one four times as large as the other, of every shape that a keyword looks at.
fn values(size: usize) -> Vec<Value> {
    let numbers: Vec<usize> = (0..size).collect();
    let texts: Vec<String> = (0..size).map(|n| format!("web-{n:06}")).collect();
    let object: serde_json::Map<_, _> = texts.iter().map(|text| (text.clone(), json!(1))).collect();
    let items: Vec<Value> = (0..size).map(|n| json!({ "a": n, "b": { "a": "x" }, "kind": "k7" })).collect();
    vec![
        json!(numbers),
        json!(texts),
        json!(object),
        json!(items),
        json!("x".repeat(size * 16)),
        json!({ "a": items, "b": object }),
    ]
}

/// One schema for each keyword, honest and at its most expensive.
fn schemas() -> Vec<Value> {
    let branches: Vec<Value> = (0..40)
        .map(|n| json!({ "properties": { "kind": { "const": format!("k{n}") }, "a": { "minimum": n } }, "required": ["kind"] }))
        .collect();
    let of_items = [
        json!({ "type": ["object", "string", "integer"] }),
        json!({ "enum": [1, "web-000001", { "a": 1 }] }),
        json!({ "const": "x" }),
        json!({ "minimum": 3, "exclusiveMaximum": 500_000, "multipleOf": 2 }),
        json!({ "minLength": 1, "maxLength": 100_000, "pattern": "^(a|b|[a-z0-9-])*$" }),
        json!({ "pattern": "(x|xx)*y" }),
        json!({ "properties": { "a": {}, "b": { "additionalProperties": { "type": "string" } } }, "required": ["a"], "additionalProperties": false }),
        json!({ "patternProperties": { "^web": { "type": "integer" }, "[0-9]$": {} }, "propertyNames": { "maxLength": 12 } }),
        json!({ "minProperties": 1, "maxProperties": 3, "dependentRequired": { "a": ["b"] }, "dependentSchemas": { "a": { "required": ["kind"] } } }),
        json!({ "prefixItems": [{}], "items": { "type": "integer" }, "contains": { "const": 7 }, "minItems": 1, "uniqueItems": true }),
        json!({ "anyOf": branches }),
        json!({ "oneOf": branches }),
        json!({ "allOf": branches[..6] }),
        json!({ "not": { "required": ["c"] }, "if": { "required": ["a"] }, "then": { "required": ["b"] }, "else": {} }),
        json!({ "allOf": [{ "properties": { "a": {} } }], "anyOf": [{ "properties": { "b": {} } }], "unevaluatedProperties": false }),
    ];
    of_items
        .iter()
        .flat_map(|schema| {
            let everywhere = json!({ "anyOf": [schema, { "type": "object", "additionalProperties": { "$ref": "#" } }, { "items": { "$ref": "#" } }] });
            [schema.clone(), json!({ "items": schema, "additionalProperties": { "items": schema } }), everywhere]
        })
        .filter(|schema| Schema::compile(schema).is_ok())
        .collect()
}

/// How many values a value holds, with its text: what a check may take a step for.
fn size(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Object(object) => 1 + object.iter().map(|(key, value)| 1 + key.len() / 16 + size(value)).sum::<usize>(),
        Value::String(text) => 1 + text.len() / 16,
        _ => 1,
    }
}

#[test]
fn a_check_is_linear_for_every_keyword() {
    let schemas = schemas();
    assert!(schemas.len() > 40, "{} of them", schemas.len());
    for schema in schemas {
        let compiled = compiled(&schema);
        for (small, large) in values(500).iter().zip(&values(2_000)) {
            let (one, four) = (steps(&compiled.parts, small), steps(&compiled.parts, large));
            assert!(four <= 4 * one + 1_000, "{schema}: {one} steps, and {four} for four times as much");
            let most = usize::try_from(PARTS_A_VALUE).expect("small") * size(large);
            assert!(four <= most, "{schema}: {four} steps, and {most} were promised");
        }
    }
}

#[test]
fn a_large_honest_value_is_checked_to_its_end() {
    let item = json!({ "type": "object", "required": ["name"], "properties": { "name": { "type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" }, "n": { "type": "integer" } } });
    let schema = compiled(&json!({ "properties": { "items": { "type": "array", "items": item } } }));
    let items: Vec<Value> = (0..100_000).map(|n| json!({ "name": format!("item-{n}"), "n": n })).collect();
    assert_eq!(schema.check(&json!({ "items": items })), Ok(()));
}

#[test]
fn a_value_that_is_nested_as_deep_as_json_can_be_is_checked_or_refused_in_words() {
    let nested = (0..120).fold(json!(1), |below, n| if n % 2 == 0 { json!([below]) } else { json!({ "a": below }) });
    let json_value = json!({ "$ref": "#/$defs/json", "$defs": { "json": { "anyOf": [
        { "type": ["string", "number", "boolean", "null"] },
        { "type": "array", "items": { "$ref": "#/$defs/json" } },
        { "type": "object", "additionalProperties": { "$ref": "#/$defs/json" } },
    ] } } });
    assert_eq!(compiled(&json_value).check(&nested), Ok(()));
    let through: serde_json::Map<_, _> =
        (0..10).map(|n| (n.to_string(), json!({ "$ref": format!("#/$defs/{}", n + 1) }))).collect();
    let mut roundabout = json!({ "$ref": "#/$defs/0", "$defs": through });
    roundabout["$defs"]["10"] = json!({ "items": { "$ref": "#/$defs/0" }, "additionalProperties": { "$ref": "#/$defs/0" } });
    let words = compiled(&roundabout).check(&nested).expect_err("too deep");
    assert!(words.ends_with("is nested too deep for its schema"), "{words}");
}
