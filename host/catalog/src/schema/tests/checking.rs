//! What fits, what is said of what does not, and what is no schema.

use super::*;

#[test]
fn a_fault_names_its_place_its_value_and_what_would_fit() {
    let schema = compiled(&json!({
        "type": "object",
        "properties": {
            "limit": { "type": "integer", "minimum": 1, "maximum": 10 },
            "namespace": { "type": "string", "minLength": 2, "maxLength": 5, "pattern": "^[a-z]+$" },
            "level": { "enum": ["low", "high"] },
            "tags": { "type": "array", "items": { "type": "string" }, "maxItems": 2, "uniqueItems": true },
            "size": { "anyOf": [{ "type": "integer" }, { "type": "null" }] },
            "target": { "oneOf": [
                { "type": "object", "properties": { "kind": { "const": "pod" }, "pod": { "type": "string" } }, "required": ["kind", "pod"] },
                { "type": "object", "properties": { "kind": { "const": "node" }, "node": { "type": "string" } }, "required": ["kind", "node"] },
            ] },
            "deep": { "properties": { "a": { "items": { "type": "boolean" } } } },
        },
        "required": ["namespace"],
        "additionalProperties": false,
    }));
    for (value, words) in [
        (json!({ "namespace": "abc", "limit": 3 }), ""),
        (json!({}), "`namespace` is missing"),
        (json!({ "namespace": "abc", "limit": "x" }), "`limit` is \"x\", and has to be an integer"),
        (json!({ "namespace": "abc", "limit": 0 }), "`limit` is 0, and has to be 1 or more"),
        (json!({ "namespace": "abc", "limit": 11.0 }), "`limit` is 11.0, and has to be 10 or less"),
        (json!({ "namespace": "abc", "limit": 1.5 }), "`limit` is 1.5, and has to be an integer"),
        (json!({ "namespace": "a" }), "`namespace` is \"a\", and needs 2 characters or more"),
        (json!({ "namespace": "äöüßxy" }), "`namespace` is \"äöüßxy\", with 6 characters; 5 is the most"),
        (json!({ "namespace": "A-B" }), "`namespace` is \"A-B\", and has to match ^[a-z]+$"),
        (json!({ "namespace": "abc", "level": "mid" }), "`level` is \"mid\", and has to be one of \"low\", \"high\""),
        (
            json!({ "namespace": "abc", "tags": ["a", "b", 3] }),
            "`tags` has 3 items; 2 is the most; `tags.2` is 3, and has to be a string",
        ),
        (json!({ "namespace": "abc", "tags": ["a", "a"] }), "`tags` has the same item twice, at 0 and 1"),
        (json!({ "namespace": "abc", "size": "x" }), "`size` is \"x\", and has to be an integer or null"),
        (json!({ "namespace": "abc", "target": { "kind": "node" } }), "`target.node` is missing"),
        (
            json!({ "namespace": "abc", "target": { "kind": "pot", "pod": "a" } }),
            "`target.kind` is \"pot\", and has to be one of \"pod\", \"node\"",
        ),
        (json!({ "namespace": "abc", "target": 3 }), "`target` is 3, and has to be an object"),
        (json!({ "namespace": "abc", "deep": { "a": [true, null] } }), "`deep.a.1` is null, and has to be a boolean"),
        (json!({ "namespace": "abc", "limits": 3 }), "`limits` is not known; did you mean `limit`?"),
        (json!({ "name_space": "abc" }), "`namespace` is missing; `name_space` is not known; did you mean `namespace`?"),
        (
            json!({ "namespace": "abc", "replicas": 3 }),
            "`replicas` is not known; the possible ones are deep, level, limit, namespace, size, tags, target",
        ),
        (json!([1]), "it is [1], and has to be an object"),
    ] {
        assert_eq!(schema.check(&value).err().unwrap_or_default(), words, "{value}");
    }
    let empty = compiled(&json!({ "type": "object", "properties": {}, "additionalProperties": false }));
    assert_eq!(empty.check(&json!({ "x": 1 })), Err("`x` is not known: there are no properties here".to_owned()));
}

#[test]
fn what_is_no_schema_is_told_with_its_place_and_what_to_write() {
    for (schema, words) in [
        (json!({ "contains": true, "minContains": "2" }), "`minContains` is \"2\", and has to be an integer of 0 or more"),
        (json!({ "contains": true, "maxContains": -1 }), "`maxContains` is -1, and has to be an integer of 0 or more"),
        (json!({ "minContains": 1.5, "contains": true }), "`minContains` is 1.5, and has to be an integer of 0 or more"),
        (json!({ "maxContains": null }), "`maxContains` is null, and has to be an integer of 0 or more"),
        (json!({ "properties": { "a": 7 } }), "`properties.a`: 7 is no schema: that is an object, true or false"),
        (json!({ "properties": { "a": { "type": "text" } } }), "`properties.a`: `type` is \"text\", and has to be a type"),
        (json!({ "items": { "minimum": "1" } }), "`items`: `minimum` is \"1\", and has to be a number"),
        (json!({ "required": "a" }), "`required` is \"a\", and has to be an array of names"),
        (json!({ "properties": { "a": { "required": true } } }), "`required` of draft 3"),
        (json!({ "anyOf": { "type": "null" } }), "`anyOf` is {\"type\":\"null\"}, and has to be an array of schemas"),
        (json!({ "multipleOf": 0 }), "`multipleOf` is 0, and has to be a number above 0"),
        (json!({ "maxItems": -1 }), "`maxItems` is -1, and has to be an integer of 0 or more"),
        (json!({ "$dynamicRef": "#a" }), "`$dynamicRef` is not checked by this server: use `$ref`"),
        (json!({ "unevaluatedItems": false }), "use `items` behind `prefixItems`"),
        (json!({ "allOf": [true, { "pattern": "(?=a)" }] }), "`allOf.1`: the pattern \"(?=a)\" cannot be used"),
        (json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": 1 } } }), "`#/$defs/a`: `type` is 1"),
        (json!({ "$defs": { "a": { "$id": "https://example.com/a" } }, "$ref": "#/$defs/a" }), "only the whole may have one"),
    ] {
        let said = refused(&schema);
        assert!(said.contains(words), "{schema}: {said}");
    }
}

#[test]
fn references_stay_within_the_schema() {
    let item = json!({ "type": "integer" });
    for (reference, mut schema) in [
        ("#/$defs/a", json!({ "$defs": { "a": item } })),
        ("#/%24defs/a", json!({ "$defs": { "a": item } })),
        ("#/$defs/a~1b", json!({ "$defs": { "a/b": item } })),
        ("#/$defs/a%20b", json!({ "$defs": { "a b": item } })),
        ("#/definitions/default", json!({ "definitions": { "default": item } })),
        ("#n", json!({ "$defs": { "a": { "$anchor": "n", "type": "integer" } } })),
        ("#n", json!({ "$defs": { "a": { "$id": "#n", "type": "integer" } } })),
        ("https://example.com/s#/$defs/a", json!({ "$id": "https://example.com/s", "$defs": { "a": item } })),
        ("#/allOf/0/properties/b", json!({ "allOf": [{ "properties": { "b": item } }] })),
        ("#/$defs/a%25%22%23", json!({ "$defs": { "a%\"#": item } })),
        ("#/$defs/list/items", json!({ "$defs": { "list": { "items": item } } })),
    ] {
        schema["properties"] = json!({ "n": { "$ref": reference } });
        let schema = compiled(&schema);
        assert_eq!(schema.check(&json!({ "n": 1 })), Ok(()), "{reference}");
        assert!(schema.check(&json!({ "n": "x" })).is_err(), "{reference}");
    }
    for elsewhere in [
        "file:///etc/passwd",
        "https://json-schema.org/draft/2020-12/schema",
        "schema.json",
        "//example.com#",
        "#/$defs/missing",
        "#missing",
        "#/type",
        "#/%ff",
    ] {
        assert!(refused(&json!({ "type": "object", "$ref": elsewhere })).contains("lead"), "{elsewhere}");
    }
}

#[test]
fn what_a_keyword_holds_as_a_value_stays_as_it_is() {
    let value = json!({ "a": { "b": [1] } });
    for schema in [json!({ "const": value }), json!({ "enum": [value] })] {
        let schema = compiled(&schema);
        assert_eq!(schema.check(&json!({ "a": { "b": [1.0] } })), Ok(()), "1.0 is 1");
        assert!(schema.check(&json!({ "a": {} })).is_err());
    }
    for schema in [
        json!({ "default": value, "examples": [value] }),
        json!({ "$vocabulary": { "https://example.com/v": false } }),
        json!({ "x-vendor": { "a": { "b": 1 } }, "discriminator": { "propertyName": "a", "mapping": { "b": "#/c" } } }),
        json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": 1, "format": "whatever", "nullable": true }),
    ] {
        compiled(&schema);
    }
}

#[test]
fn older_drafts_mean_what_they_meant() {
    let draft_4 = compiled(&json!({
        "$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": true, "maximum": 3, "exclusiveMaximum": false,
    }));
    assert_eq!([1, 2, 3, 4].map(|n| draft_4.check(&json!(n)).is_ok()), [false, true, true, false]);
    let alone = |draft: &str| json!({ "$schema": draft, "$ref": "#/definitions/a", "maximum": 3, "definitions": { "a": {} } });
    assert!(compiled(&alone("http://json-schema.org/draft-07/schema#")).check(&json!(4)).is_ok(), "beside $ref, nothing counts");
    assert!(compiled(&alone("https://json-schema.org/draft/2020-12/schema")).check(&json!(4)).is_err());
    let tuple = compiled(&json!({ "items": [{ "type": "string" }], "additionalItems": { "type": "integer" } }));
    assert!(tuple.check(&json!(["a", 1, 2])).is_ok() && tuple.check(&json!(["a", "b"])).is_err());
    let with = compiled(&json!({ "dependencies": { "a": ["b"], "c": { "required": ["d"] } } }));
    assert!(with.check(&json!({ "a": 1, "b": 2 })).is_ok() && with.check(&json!({ "a": 1 })).is_err());
    assert!(with.check(&json!({ "c": 1, "d": 2 })).is_ok() && with.check(&json!({ "c": 1 })).is_err());
}

#[test]
fn numbers_are_told_apart_to_the_digit() {
    let least = compiled(&json!({ "minimum": 9_007_199_254_740_993_i64 }));
    assert!(least.check(&json!(9_007_199_254_740_992_i64)).is_err() && least.check(&json!(9_007_199_254_740_993_i64)).is_ok());
    assert!(compiled(&json!({ "multipleOf": 0.1 })).check(&json!(0.3)).is_ok());
    assert!(compiled(&json!({ "multipleOf": 0.1 })).check(&json!(0.35)).is_err());
    assert!(compiled(&json!({ "type": "integer" })).check(&json!(1e30)).is_ok());
    let unique = compiled(&json!({ "uniqueItems": true }));
    assert!(unique.check(&json!([1, 1.0])).is_err() && unique.check(&json!([1, true, "1", [1], { "a": 1 }])).is_ok());
    assert!(unique.check(&json!([{ "a": 1, "b": [2] }, { "b": [2.0], "a": 1 }])).is_err(), "in any order");
}

#[test]
fn a_place_and_a_value_are_cut_and_clean() {
    let schema = compiled(&json!({ "additionalProperties": { "type": "integer" } }));
    let words = schema.check(&json!({ "ä".repeat(100_000): "ö".repeat(100_000) })).expect_err("a fault");
    assert!(words.len() < 500 && words.matches('…').count() == 2, "{words}");
    let words = schema.check(&json!({ "a\u{1b}[31m\n\u{202e}b": "c\u{1b}[0m\u{200b}" })).expect_err("a fault");
    assert!(!words.contains(['\u{1b}', '\n', '\u{202e}', '\u{200b}']), "{words:?}");
    let many = compiled(&json!({ "items": { "type": "string" } })).check(&json!(vec![0; 100_000])).expect_err("faults");
    assert_eq!(many.split("; ").count(), 5, "{many}");
    let wide: serde_json::Map<_, _> = (0..1000).map(|n| (format!("x{n}{}", "y".repeat(1000)), json!({}))).collect();
    let closed = compiled(&json!({ "properties": wide, "additionalProperties": false }));
    assert!(closed.check(&json!({ "z": 1 })).expect_err("unknown").len() < 4096);
}
