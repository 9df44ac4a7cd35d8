//! Schemas that are traps, and honest ones that have to pass.

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
    assert_eq!(schema.check(&json!(vec![49_999.5; 100_000])), Err(TOO_MUCH.to_owned()));
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
    let schema = Schema::compile(&json!({ "properties": { "items": { "type": "array", "items": item } } })).expect("a schema");
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

/// What the bundled tools and the one for conformance say of themselves.
const HONEST: [&str; 8] = [
    include_str!("../../../../guest-tools/check-health/manifest.json"),
    include_str!("../../../../guest-tools/get-control-plane-status/manifest.json"),
    include_str!("../../../../guest-tools/get-events/manifest.json"),
    include_str!("../../../../guest-tools/get-pod-logs/manifest.json"),
    include_str!("../../../../guest-tools/list-control-planes/manifest.json"),
    include_str!("../../../../guest-tools/list-templates/manifest.json"),
    include_str!("../../../../guest-tools/list-workspaces/manifest.json"),
    include_str!("../../../../tests/components/conformance/manifest.json"),
];

#[test]
fn the_schemas_of_honest_tools_are_taken() {
    for manifest in HONEST {
        let manifest: Value = serde_json::from_str(manifest).expect("JSON");
        let mut patterns = Patterns::default();
        for tool in manifest["tools"].as_array().expect("tools") {
            for schema in ["inputSchema", "outputSchema"].iter().filter_map(|key| tool.get(*key)) {
                Schema::compile_within(schema, &mut patterns).unwrap_or_else(|fault| panic!("{}: {fault}", tool["name"]));
            }
        }
    }
}

#[test]
fn patterns_that_are_in_use_are_taken() {
    for pattern in [
        "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "^([0-9]{1,3}\\.){3}[0-9]{1,3}(/[0-9]{1,2})?$",
        "^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$",
        "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "^[\\w.+-]+@[\\w-]+\\.[\\w.-]+$",
        "^\\p{L}+$",
    ] {
        Schema::compile(&json!({ "pattern": pattern })).unwrap_or_else(|fault| panic!("{pattern}: {fault}"));
    }
    let name = json!({ "type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" });
    let schema = Schema::compile(&json!({ "items": { "properties": { "name": name, "node": name } } })).expect("a schema");
    let items: Vec<Value> = (0..20_000).map(|n| json!({ "name": format!("web-7d4b9c-{n}"), "node": "node-a" })).collect();
    assert_eq!(schema.check(&json!(items)), Ok(()));
}

#[test]
fn a_pattern_that_is_large_once_compiled_is_refused() {
    let refused = |schema: Value| Schema::compile(&schema).expect_err("too large");
    let words = refused(json!({ "properties": { "a": { "pattern": r"(\p{L}{220}|x)1" } } }));
    assert!(words.contains(r"(\\p{L}{220}|x)1") && words.contains("repeat less"), "{words}");
    assert!(refused(json!({ "patternProperties": { r"\p{L}{220}": true } })).contains("repeat less"));
    let words = refused(json!({ "pattern": "\\p{L}".repeat(10_000) }));
    assert!(words.contains("over 2048 bytes") && words.len() < 500, "the pattern is not repeated: {words}");
}

#[test]
fn the_patterns_of_a_manifest_have_a_bound_together() {
    let with = |count: usize, pattern: &dyn Fn(usize) -> String| {
        let parts: Vec<Value> = (0..count).map(|n| json!({ "pattern": pattern(n) })).collect();
        json!({ "allOf": parts })
    };
    let large = Schema::compile(&with(40, &|n| format!(r"\p{{L}}|{n}"))).expect_err("too large together");
    assert!(large.contains("the manifest's patterns are over 1024 KiB"), "{large}");
    let many = Schema::compile(&with(200, &|n| format!("^{n}$"))).expect_err("too many");
    assert!(many.contains("128"), "{many}");
    assert!(Schema::compile(&with(200, &|_| r"^\p{L}+$".to_owned())).is_ok(), "the same one counts once");

    let mut left = Patterns::default();
    let one = with(100, &|n| format!("^{n}$"));
    assert!(Schema::compile_within(&one, &mut left).is_ok());
    assert!(Schema::compile_within(&one, &mut left).is_err(), "the next schema has only what is left");
}

#[test]
fn many_patterns_for_many_keys_are_too_much() {
    let patterns = |count: usize| -> Value {
        (0..count).map(|n| (format!("^(x|y)*z{n}$"), json!(true))).collect::<serde_json::Map<_, _>>().into()
    };
    let keys =
        |count: usize| -> Value { (0..count).map(|n| (n.to_string(), json!(0))).collect::<serde_json::Map<_, _>>().into() };
    let schema = Schema::compile(&json!({ "patternProperties": patterns(100) })).expect("a schema");
    assert_eq!(schema.check(&keys(100)), Ok(()));
    assert_eq!(schema.check(&keys(200_000)), Err(TOO_MUCH.to_owned()));
    let hidden = json!({ "allOf": [{ "patternProperties": patterns(100) }], "unevaluatedProperties": true });
    assert_eq!(Schema::compile(&hidden).expect("a schema").check(&keys(200_000)), Err(TOO_MUCH.to_owned()));
}

#[test]
fn a_large_pattern_for_much_text_is_too_much() {
    let schema = Schema::compile(&json!({ "pattern": "[a-y]{1,200}[0-9]{1,20}x" })).expect("a schema");
    assert_eq!(schema.check(&json!("a".repeat(4 << 20))), Err(TOO_MUCH.to_owned()));
    let schema = Schema::compile(&json!({ "pattern": "^[A-Za-z0-9+/]*={0,2}$" })).expect("a schema");
    assert_eq!(schema.check(&json!("a".repeat(4 << 20))), Ok(()));
}

#[test]
fn unique_items_are_paid_for_in_all_their_depth() {
    let deep = |levels: usize| {
        let leaf = (0..200_000).collect::<Value>();
        (0..levels).fold(leaf, |below, n| json!([n, below]))
    };
    let schema = Schema::compile(
        &json!({ "$ref": "#/$defs/a", "$defs": { "a": { "uniqueItems": true, "prefixItems": [true, { "$ref": "#/$defs/a" }] } } }),
    );
    let schema = schema.expect("a schema");
    assert_eq!(schema.check(&deep(200)), Err(TOO_MUCH.to_owned()));
    assert_eq!(schema.check(&json!([1, [2, [3, 4]]])), Ok(()));
}

#[test]
fn many_branches_without_a_toll_of_their_own_are_paid_for_where_they_are() {
    let schema = Schema::compile(&json!({ "items": { "allOf": vec![true; 20_000] } })).expect("a schema");
    assert_eq!(schema.check(&json!(vec![0; 100_000])), Err(TOO_MUCH.to_owned()));
}

#[test]
fn no_spelling_of_a_reference_goes_around_the_toll() {
    let bomb = |keyword: &str, to: &str| {
        let level = |n: usize| json!({ keyword: format!("{to}/{n}") });
        let mut values = json!({ "0": { "type": "object" } });
        for n in 1..=100 {
            values[n.to_string()] = json!({ "allOf": [level(n - 1), level(n - 1)] });
        }
        let mut schema = level(100);
        schema["default"] = values;
        schema
    };
    for keyword in ["$ref", "$dynamicRef"] {
        for to in ["#/default", "#/%64efault", "#/d%65fault", "#/%64%65%66%61%75%6C%74", "#/%64%65%66%61%75%6c%74"] {
            let refused = Schema::compile(&bomb(keyword, to)).expect_err(to);
            assert!(refused.contains("leads into `default`"), "{refused}");
        }
        for to in
            ["#%2Fdefault", "#%2fdefault", "#default", "#//default", "#/def~0ault", "#/x/../default", "##/default", "x#/default"]
        {
            assert!(Schema::compile(&bomb(keyword, to)).is_err(), "{keyword} {to}");
        }
    }
    let mut based = bomb("$ref", "https://example.com/a#/%64efault");
    based["$id"] = json!("https://example.com/a");
    assert!(Schema::compile(&based).expect_err("values").contains("leads into `default`"));
    for keyword in ["const", "examples", "enum", "required", "dependentRequired", "$vocabulary"] {
        assert!(Schema::compile(&json!({ "$ref": format!("#/{keyword}/0") })).is_err(), "{keyword}");
    }
    // Only parts of the schema have names.
    for named in [json!({ "$anchor": "a" }), json!({ "$dynamicAnchor": "a" }), json!({ "$id": "#a" })] {
        assert!(Schema::compile(&json!({ "$ref": "#a", "default": named, "examples": [named] })).is_err(), "{named}");
    }
    let named = json!({ "$ref": "x", "default": { "$id": "x" } });
    assert!(Schema::compile(&named).is_err(), "an address inside a value");
    let nested = json!({ "$defs": { "a": { "$id": "https://example.com/a", "default": {}, "$ref": "#/default" } } });
    assert!(Schema::compile(&nested).expect_err("another root").contains("only the whole may have one"));
}

#[test]
fn honest_references_are_followed() {
    let item = json!({ "type": "integer" });
    for (reference, mut schema) in [
        ("#/$defs/a", json!({ "$defs": { "a": item } })),
        ("#/%24defs/a", json!({ "$defs": { "a": item } })),
        ("#/$defs/a~1b", json!({ "$defs": { "a/b": item } })),
        ("#/$defs/a%20b", json!({ "$defs": { "a b": item } })),
        ("#/definitions/default", json!({ "definitions": { "default": item } })),
        ("#n", json!({ "$defs": { "a": { "$anchor": "n", "type": "integer" } } })),
        ("https://example.com/s#/$defs/a", json!({ "$id": "https://example.com/s", "$defs": { "a": item } })),
        ("#/allOf/0/properties/b", json!({ "allOf": [{ "properties": { "b": item } }] })),
        ("#/$defs/a%25%22%23", json!({ "$defs": { "a%\"#": item } })),
        ("#/$defs/list/items", json!({ "$defs": { "list": { "items": item } } })),
        (
            "#/$defs/properties/properties/properties",
            json!({ "$defs": { "properties": { "properties": { "properties": item } } } }),
        ),
    ] {
        schema["properties"] = json!({ "n": { "$ref": reference } });
        let schema = Schema::compile(&schema).unwrap_or_else(|fault| panic!("{reference}: {fault}"));
        assert_eq!(schema.check(&json!({ "n": 1 })), Ok(()), "{reference}");
        assert!(schema.check(&json!({ "n": "x" })).is_err(), "{reference}");
    }
}

#[test]
fn the_schemas_of_schemas_which_have_no_tolls_are_out_of_reach() {
    let meta = "https://json-schema.org/draft/2020-12/schema";
    assert!(Schema::compile(&json!({ "$ref": meta })).expect_err("built in").contains("leads out of the schema"));
    for schema in [
        json!({ "$id": meta, "properties": { "a": { "$ref": "#" } } }),
        json!({ "$id": "https://JSON-schema.org/draft/2020-12/x", "$ref": "schema" }),
        json!({ "$id": "https://json%2Dschema.org/draft/2020-12/x" }),
        json!({ "$defs": { "a": { "$id": "//json-schema.org/draft/2020-12/schema" } } }),
    ] {
        assert!(Schema::compile(&schema).is_err(), "{schema}");
    }
    assert!(Schema::compile(&json!({ "$schema": meta, "type": "object" })).is_ok());
}

#[test]
fn each_draft_pays() {
    for draft in [
        "http://json-schema.org/draft-04/schema#",
        "http://json-schema.org/draft-06/schema#",
        "http://json-schema.org/draft-07/schema#",
        "https://json-schema.org/draft/2019-09/schema",
    ] {
        let mut schema =
            json!({ "$schema": draft, "allOf": [{ "$ref": "#/definitions/60" }], "definitions": { "0": { "type": "object" } } });
        for n in 1..=60 {
            let below = json!({ "$ref": format!("#/definitions/{}", n - 1) });
            schema["definitions"][n.to_string()] = json!({ "allOf": [below, below] });
        }
        assert_eq!(Schema::compile(&schema).expect(draft).check(&json!({})), Err(TOO_MUCH.to_owned()), "{draft}");
    }
}

#[test]
fn what_a_keyword_holds_as_a_value_stays_as_it_is() {
    let names = json!({ "dependentRequired": { "a": ["b"] } });
    let schema = Schema::compile(&names).expect("a schema");
    assert_eq!(schema.check(&json!({ "a": 1, "b": 2 })), Ok(()));
    assert!(schema.check(&json!({ "a": 1 })).is_err());

    let value = json!({ "a": { "b": [1] } });
    for schema in [json!({ "const": value }), json!({ "enum": [value] })] {
        let schema = Schema::compile(&schema).expect("a schema");
        assert_eq!(schema.check(&value), Ok(()));
        assert!(schema.check(&json!({ "a": {} })).is_err());
    }
    for schema in [
        json!({ "default": value, "examples": [value] }),
        json!({ "$vocabulary": { "https://example.com/v": false } }),
        json!({ "dependentSchemas": { "a": { "required": ["b"] } } }),
        json!({ "$schema": "http://json-schema.org/draft-07/schema#", "dependencies": { "a": ["b"], "b": { "type": "object" } } }),
        json!({ "x-vendor": { "a": { "b": 1 } }, "discriminator": { "propertyName": "a", "mapping": { "b": "#/c" } } }),
    ] {
        Schema::compile(&schema).unwrap_or_else(|fault| panic!("{schema}: {fault}"));
    }
}

#[test]
fn what_fails_is_paid_for_too() {
    for (leaf, value) in
        [(json!(false), json!({})), (json!({ "type": "string" }), json!({})), (json!({ "required": ["a"] }), json!({}))]
    {
        for keyword in ["anyOf", "oneOf"] {
            let mut schema = json!({ "$ref": "#/$defs/60", "$defs": { "0": leaf } });
            for level in 1..=60 {
                let below = json!({ "$ref": format!("#/$defs/{}", level - 1) });
                schema["$defs"][level.to_string()] = json!({ keyword: [below, below] });
            }
            assert_eq!(Schema::compile(&schema).expect("a schema").check(&value), Err(TOO_MUCH.to_owned()), "{keyword} {leaf}");
        }
    }
    let negated = json!({ "not": { "pattern": "[a-y]{1,200}[0-9]{1,20}x" } });
    assert_eq!(Schema::compile(&negated).expect("a schema").check(&json!("a".repeat(4 << 20))), Err(TOO_MUCH.to_owned()));
}

#[test]
fn a_deep_schema_is_taken() {
    let deep = (0..120).fold(json!({ "type": "object" }), |below, _| json!({ "not": below }));
    assert_eq!(Schema::compile(&deep).expect("a schema").check(&json!({})), Ok(()));
}

#[test]
fn a_schema_that_refers_to_itself_is_checked_once() {
    for schema in [
        json!({ "allOf": [{ "$ref": "#" }] }),
        json!({ "$ref": "#/$defs/a", "$defs": { "a": { "anyOf": [{ "$ref": "#/$defs/b" }] }, "b": { "$ref": "#/$defs/a" } } }),
    ] {
        assert_eq!(Schema::compile(&schema).expect("a schema").check(&json!({})), Ok(()), "{schema}");
    }
}

#[test]
fn what_other_parts_evaluate_is_still_known() {
    let schema = json!({
        "$ref": "#/$defs/base",
        "properties": { "a": true },
        "if": { "properties": { "kind": { "const": "x" } }, "required": ["kind"] },
        "then": { "properties": { "b": true } },
        "unevaluatedProperties": false,
        "$defs": { "base": { "properties": { "kind": { "type": "string" } }, "patternProperties": { "^x-": true } } },
    });
    let schema = Schema::compile(&schema).expect("a schema");
    assert_eq!(schema.check(&json!({ "a": 1, "kind": "x", "b": 2, "x-c": 3 })), Ok(()));
    assert!(schema.check(&json!({ "kind": "y", "b": 2 })).is_err());
    let tree =
        json!({ "$dynamicAnchor": "node", "properties": { "next": { "$dynamicRef": "#node" }, "n": { "type": "integer" } } });
    let tree = Schema::compile(&tree).expect("a schema");
    assert_eq!(tree.check(&json!({ "next": { "next": { "n": 1 } } })), Ok(()));
    assert!(tree.check(&json!({ "next": { "next": { "n": "x" } } })).expect_err("a fault").starts_with("`next.next.n`: "));
}

/// Seven faults for each item.
fn failing() -> Value {
    json!({ "type": "string", "minimum": 5, "enum": ["x"], "multipleOf": 7.5, "exclusiveMinimum": 3, "const": "y", "not": {} })
}

#[test]
fn of_countless_faults_one_is_told() {
    let many = json!({ "a": vec![0; 500_000] });
    let schema = Schema::compile(&json!({ "properties": { "a": { "items": failing() } } })).expect("a schema");
    let words = schema.check(&many).expect_err("faults");
    assert!(words.starts_with("`a.0`: ") && !words.contains("; "), "{words}");
    let types = Schema::compile(&json!({ "properties": { "a": { "items": { "type": "string" } } } })).expect("a schema");
    assert_eq!(types.check(&many), Err("`a.0`: 0 is not of type \"string\"".to_owned()));
    // One that comes late among others that fit.
    let mut late = vec![json!("x"); 200_000];
    late.push(json!(0));
    assert_eq!(types.check(&json!({ "a": late })), Err("`a.200000`: 0 is not of type \"string\"".to_owned()));
}

#[test]
fn the_faults_of_alternatives_are_bounded_too() {
    let schema = Schema::compile(&json!({ "anyOf": [{ "items": failing() }, { "type": "null" }] })).expect("a schema");
    assert!(schema.check(&json!(vec![0; 3])).expect_err("a fault").contains("anyOf"));
    assert_eq!(schema.check(&json!(vec![0; 500_000])), Err(TOO_MANY_FAULTS.to_owned()));
    // Each fault would name the long key.
    let nested =
        Schema::compile(&json!({ "additionalProperties": { "anyOf": [{ "items": failing() }, false] } })).expect("a schema");
    assert_eq!(nested.check(&json!({ "k".repeat(1 << 20): vec![0; 1000] })), Err(TOO_MANY_FAULTS.to_owned()));
}

#[test]
fn a_place_and_a_value_are_cut_and_clean() {
    let schema = Schema::compile(&json!({ "additionalProperties": { "type": "integer" } })).expect("a schema");
    let words = schema.check(&json!({ "ä".repeat(100_000): "ö".repeat(100_000) })).expect_err("a fault");
    assert!(words.len() < PLACE_BYTES + FAULT_BYTES + 20 && words.contains('…'), "{words}");
    let words = schema.check(&json!({ "a\u{1b}[31m\n\u{202e}b": "c\u{1b}[0m\u{200b}" })).expect_err("a fault");
    assert!(!words.contains(['\u{1b}', '\n', '\u{202e}', '\u{200b}']), "{words:?}");
}
