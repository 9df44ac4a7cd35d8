//! Arguments as frameworks and models send them, and what becomes of them.

use super::super::super::arguments::IgnoredArguments;
use super::*;

/// What a tool with these properties gets; or why it gets nothing.
fn read_by(schema: &Value, arguments: &Value) -> Result<Value, String> {
    let (schema, ignored) = (compiled(schema), IgnoredArguments::default());
    let mut arguments = arguments.clone();
    schema.read(&mut arguments, |name| ignored.have(name));
    schema.check(&arguments).map(|()| arguments)
}

/// A schema of one optional property `x`, that refuses others.
fn optional(x: &Value) -> Value {
    json!({ "type": "object", "properties": { "x": x }, "additionalProperties": false })
}

/// A value for `x`, and what it is read as: none where it is absent.
type Row = (Value, Option<Value>);

fn is(value: Value) -> Option<Value> {
    Some(value)
}

#[test]
fn what_stands_for_absent_is_absent_and_what_loses_nothing_is_taken() {
    let (text, integer, number, boolean) =
        (json!({ "type": "string" }), json!({ "type": "integer" }), json!({ "type": "number" }), json!({ "type": "boolean" }));
    let table: Vec<(Value, Vec<Row>)> = vec![
        (
            integer.clone(),
            vec![
                (json!(2), is(json!(2))),
                (json!(0), is(json!(0))),
                (json!("2"), is(json!(2))),
                (json!(" 2 "), is(json!(2))),
                (json!("-2"), is(json!(-2))),
                (json!("+2"), is(json!(2))),
                (json!("2.0"), is(json!(2))),
                (json!(2.0), is(json!(2))),
                (json!("1e3"), is(json!(1000))),
                (json!(1e30), is(json!(1e30))),
                (json!("18446744073709551615"), is(json!(u64::MAX))),
                (json!(null), None),
                (json!(""), None),
                (json!("  "), None),
                (json!("null"), None),
                (json!("None"), None),
                (json!("undefined"), None),
                (json!([]), None),
                (json!({}), None),
            ],
        ),
        (
            number,
            vec![
                (json!("2.5"), is(json!(2.5))),
                (json!(2.0), is(json!(2.0))),
                (json!("-0.5e1"), is(json!(-5))),
                (json!(null), None),
            ],
        ),
        (
            boolean,
            vec![
                (json!("false"), is(json!(false))),
                (json!("True"), is(json!(true))),
                (json!(" TRUE\n"), is(json!(true))),
                (json!(0), is(json!(false))),
                (json!(1), is(json!(true))),
                (json!(false), is(json!(false))),
                (json!(null), None),
                (json!(""), None),
            ],
        ),
        (
            text.clone(),
            vec![
                (json!("a"), is(json!("a"))),
                (json!(""), is(json!(""))),
                (json!("null"), is(json!("null"))),
                (json!("None"), is(json!("None"))),
                (json!(" a "), is(json!(" a "))),
                (json!(5), is(json!("5"))),
                (json!(true), is(json!("true"))),
                (json!(0), is(json!("0"))),
                (json!(null), None),
                (json!([]), None),
                (json!({}), None),
            ],
        ),
        (
            json!({ "type": "string", "pattern": "^[a-z-]+$" }),
            vec![
                (json!(" team-a\n"), is(json!("team-a"))),
                (json!(""), None),
                (json!(null), None),
                (json!("none"), is(json!("none"))),
            ],
        ),
        (
            json!({ "type": "string", "minLength": 1 }),
            vec![(json!(""), None), (json!(" "), is(json!(" "))), (json!("a"), is(json!("a")))],
        ),
        (
            json!({ "type": "string", "format": "date-time" }),
            vec![(json!(""), None), (json!("2026-01-01T00:00:00Z"), is(json!("2026-01-01T00:00:00Z")))],
        ),
        (json!({ "type": "string", "format": "password" }), vec![(json!(""), is(json!("")))]),
        (
            json!({ "type": "string", "enum": ["Warning", "Normal"] }),
            vec![
                (json!("Warning"), is(json!("Warning"))),
                (json!("warning"), is(json!("Warning"))),
                (json!(" NORMAL "), is(json!("Normal"))),
                (json!(""), None),
                (json!("none"), None),
                (json!(null), None),
                (json!(0), None),
            ],
        ),
        (
            json!({ "type": "string", "enum": ["None", "All"] }),
            vec![(json!("none"), is(json!("None"))), (json!("None"), is(json!("None")))],
        ),
        (
            json!({ "enum": [1, 2, "all"] }),
            vec![(json!("2"), is(json!(2))), (json!("ALL"), is(json!("all"))), (json!(2.0), is(json!(2)))],
        ),
        (
            json!({ "type": "integer", "minimum": 1 }),
            vec![(json!(0), None), (json!(0.0), None), (json!("0"), None), (json!("3"), is(json!(3)))],
        ),
        (
            json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }] }),
            vec![
                (json!(null), is(json!(null))),
                (json!("5"), is(json!(5))),
                (json!(""), None),
                (json!("null"), None),
                (json!(5.0), is(json!(5))),
            ],
        ),
        (
            json!({ "type": ["string", "null"] }),
            vec![(json!(null), is(json!(null))), (json!(""), is(json!(""))), (json!(7), is(json!("7")))],
        ),
        (
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }),
            vec![(json!("5"), is(json!("5"))), (json!(5), is(json!(5)))],
        ),
        (json!({}), vec![(json!(null), is(json!(null))), (json!(""), is(json!(""))), (json!([]), is(json!([])))]),
        (
            json!({ "type": "array", "items": integer }),
            vec![
                (json!([1, "2", 3.0]), is(json!([1, 2, 3]))),
                (json!([]), is(json!([]))),
                (json!("[1, \"2\"]"), is(json!([1, 2]))),
                (json!("7"), is(json!([7]))),
                (json!(7), is(json!([7]))),
                (json!(""), None),
                (json!(null), None),
                (json!({}), None),
            ],
        ),
        (
            json!({ "type": "array", "items": text, "minItems": 1 }),
            vec![
                (json!("team-a"), is(json!(["team-a"]))),
                (json!(["team-a"]), is(json!(["team-a"]))),
                (json!([]), None),
                (json!(5), is(json!(["5"]))),
                (json!("[\"a\",\"b\"]"), is(json!(["a", "b"]))),
            ],
        ),
        (
            json!({ "type": "object", "properties": { "n": { "type": "integer" }, "on": { "type": "boolean" }, "s": { "type": "string" } }, "required": ["s"] }),
            vec![
                (json!({ "n": "1", "on": "false", "s": 3 }), is(json!({ "n": 1, "on": false, "s": "3" }))),
                (json!({ "n": null, "on": "", "s": "a" }), is(json!({ "s": "a" }))),
                (json!("{\"n\":\"1\",\"s\":\"a\"}"), is(json!({ "n": 1, "s": "a" }))),
                (json!({}), None),
                (json!([]), None),
                (json!(""), None),
            ],
        ),
        (
            json!({ "type": "object", "properties": { "n": { "type": "integer" } } }),
            vec![(json!([]), is(json!({}))), (json!("{}"), is(json!({})))],
        ),
        (
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            vec![(json!({ "a": 1 }), is(json!({ "a": "1" })))],
        ),
        (
            json!({ "oneOf": [
                { "type": "object", "properties": { "kind": { "const": "pod" }, "n": { "type": "integer" } }, "required": ["kind"] },
                { "type": "object", "properties": { "kind": { "const": "node" }, "n": { "type": "string" } }, "required": ["kind"] },
            ] }),
            vec![
                (json!({ "kind": "pod", "n": "5" }), is(json!({ "kind": "pod", "n": 5 }))),
                (json!({ "kind": "node", "n": 5 }), is(json!({ "kind": "node", "n": "5" }))),
            ],
        ),
        (
            json!({ "anyOf": [{ "type": "array", "items": { "type": "integer" } }, { "type": "null" }] }),
            vec![(json!(["1"]), is(json!([1]))), (json!("[1]"), is(json!([1]))), (json!(null), is(json!(null)))],
        ),
        (
            json!({ "allOf": [{ "$ref": "#/properties/y" }], "description": "as older generators write it" }),
            vec![(json!(null), is(json!(null)))],
        ),
    ];
    for (x, rows) in table {
        let mut schema = optional(&x);
        if x.to_string().contains("properties/y") {
            schema["properties"]["y"] = json!({ "type": ["integer", "null"] });
        }
        for (given, read) in rows {
            let expected = read.map_or(json!({}), |x| json!({ "x": x }));
            assert_eq!(read_by(&schema, &json!({ "x": given })), Ok(expected), "{x}: {given}");
        }
    }
}

#[test]
fn what_changes_the_meaning_is_refused_with_its_value_and_what_fits() {
    for (x, given, words) in [
        (json!({ "type": "integer" }), json!("2.5"), "`x` is \"2.5\", and has to be an integer"),
        (json!({ "type": "integer" }), json!("5m"), "`x` is \"5m\""),
        (json!({ "type": "integer" }), json!("1,000"), "`x` is \"1,000\""),
        (json!({ "type": "integer" }), json!("007"), "`x` is \"007\""),
        (json!({ "type": "integer" }), json!("0x10"), "`x` is \"0x10\""),
        (json!({ "type": "integer" }), json!("99999999999999999999"), "`x` is \"99999999999999999999\""),
        (json!({ "type": "integer" }), json!("NaN"), "`x` is \"NaN\""),
        (json!({ "type": "integer" }), json!(1.5), "`x` is 1.5"),
        (json!({ "type": "integer" }), json!(true), "`x` is true"),
        (json!({ "type": "integer" }), json!([2]), "`x` is [2]"),
        (json!({ "type": "integer", "minimum": 1 }), json!(-1), "`x` is -1, and has to be 1 or more"),
        (json!({ "type": "boolean" }), json!("yes"), "`x` is \"yes\", and has to be a boolean"),
        (json!({ "type": "boolean" }), json!(2), "`x` is 2"),
        (json!({ "type": "string" }), json!(1.10), "`x` is 1.1, and has to be a string"),
        (json!({ "type": "string" }), json!(["a"]), "`x` is [\"a\"]"),
        (json!({ "type": "string" }), json!({ "a": 1 }), "`x` is {\"a\":1}"),
        (json!({ "type": "string", "enum": ["on", "ON"] }), json!("On"), "`x` is \"On\", and has to be one of \"on\", \"ON\""),
        (json!({ "type": "string", "enum": ["Warning", "Normal"] }), json!("warn"), "`x` is \"warn\""),
        (json!({ "type": "array", "items": { "type": "string" } }), json!("a,b"), "`x` is \"a,b\", and has to be an array"),
        (json!({ "type": "array", "items": { "type": "string" } }), json!("a b"), "`x` is \"a b\""),
        (json!({ "type": "array", "items": { "type": "integer" } }), json!([1, null]), "`x.1` is null"),
        (json!({ "type": "array", "items": { "type": "integer" } }), json!("[1,\"b\"]"), "`x.1` is \"b\""),
        (json!({ "type": "object", "required": ["a"] }), json!("{\"b\":1}"), "`x.a` is missing"),
        (json!({ "type": "object" }), json!("{broken"), "`x` is \"{broken\""),
    ] {
        let said = read_by(&optional(&x), &json!({ "x": given })).expect_err(&given.to_string());
        assert!(said.contains(words), "{x} {given}: {said}");
    }
}

#[test]
fn each_argument_of_the_bundled_tools_is_read_as_frameworks_send_it() {
    let mut read = 0;
    for manifest in super::generators::of_bundled() {
        for tool in manifest["tools"].as_array().expect("tools") {
            let schema = &tool["inputSchema"];
            let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let some = |name: &str| schema["properties"][name]["enum"].get(0).cloned().unwrap_or_else(|| json!("a"));
            let base: serde_json::Map<String, Value> = required.iter().map(|name| ((*name).to_owned(), some(name))).collect();
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                let with = |value: Value| {
                    let mut arguments = base.clone();
                    arguments.insert(name.clone(), value);
                    read_by(schema, &Value::Object(arguments)).map(|read| read.get(name).cloned())
                };
                if required.contains(&name.as_str()) {
                    let words = with(Value::Null).expect_err("a required one");
                    assert!(words.contains(&format!("`{name}` is null")), "{}: {words}", tool["name"]);
                    continue;
                }
                let rows = match property["type"].as_str() {
                    Some("integer") => {
                        vec![(json!("7"), is(json!(7))), (json!(7.0), is(json!(7))), (json!(0), is(json!(0))), (json!(""), None)]
                    }
                    Some("boolean") => {
                        vec![(json!("false"), is(json!(false))), (json!("TRUE"), is(json!(true))), (json!(""), None)]
                    }
                    Some("array") => vec![(json!("[\"a\"]"), is(json!(["a"])))],
                    _ if let [one, other] = property["enum"].as_array().map_or(&[][..], Vec::as_slice) => {
                        let written =
                            |word: &Value, case: fn(&str) -> String| json!(format!("{} ", case(word.as_str().expect("a word"))));
                        vec![
                            (json!(""), None),
                            (written(one, str::to_lowercase), is(one.clone())),
                            (written(other, str::to_uppercase), is(other.clone())),
                        ]
                    }
                    _ => vec![(json!(""), is(json!(""))), (json!(7), is(json!("7")))],
                };
                let empty = (property["type"] == "array").then(|| json!([]));
                for (given, expected) in rows.into_iter().chain([(Value::Null, None), (json!([]), empty), (json!({}), None)]) {
                    assert_eq!(with(given.clone()), Ok(expected), "{} {name}: {given}", tool["name"]);
                    read += 1;
                }
            }
        }
    }
    assert!(read > 80, "{read}");
}

#[test]
fn what_is_required_is_never_absent() {
    let schema = json!({ "type": "object", "properties": { "x": { "type": "string", "minLength": 1 }, "n": { "type": "integer" } }, "required": ["x", "n"] });
    for (arguments, words) in [
        (json!({ "x": null, "n": 1 }), "`x` is null, and has to be a string"),
        (json!({ "x": "", "n": 1 }), "`x` is \"\", and needs 1 characters or more"),
        (json!({ "x": "a", "n": "" }), "`n` is \"\", and has to be an integer"),
        (json!({ "n": 1 }), "`x` is missing"),
    ] {
        assert_eq!(read_by(&schema, &arguments), Err(words.to_owned()));
    }
}

#[test]
fn what_clients_add_is_dropped_where_the_tool_has_none_of_that_name() {
    let added = json!({ "x": 1, "toolCallId": "c", "sessionId": "s", "action": "sendMessage", "chatInput": "hi", "task_progress": "- [x] a" });
    assert_eq!(read_by(&optional(&json!({ "type": "integer" })), &added), Ok(json!({ "x": 1 })));
    let open = json!({ "type": "object", "properties": { "x": {} } });
    assert_eq!(read_by(&open, &added), Ok(json!({ "x": 1 })), "a tool that only does not say that it refuses others");
    for taking in [
        json!({ "type": "object", "properties": { "x": {}, "action": {}, "sessionId": {}, "chatInput": {}, "toolCallId": {}, "task_progress": {} }, "additionalProperties": false }),
        json!({ "type": "object" }),
        json!({ "type": "object", "additionalProperties": true }),
        json!({ "type": "object", "additionalProperties": {} }),
        json!({ "type": "object", "patternProperties": { "": {} } }),
        json!({ "type": "object", "anyOf": [{ "properties": { "x": {}, "action": {} }, "additionalProperties": true }] }),
    ] {
        assert_eq!(read_by(&taking, &added), Ok(added.clone()), "{taking}");
    }
    let nested = json!({ "x": { "toolCallId": 1 } });
    let inner = optional(&json!({ "type": "object", "properties": {}, "additionalProperties": false }));
    assert!(
        read_by(&inner, &nested).expect_err("inside").contains("`x.toolCallId` is not known"),
        "clients add to the whole alone"
    );
}

#[test]
fn a_name_that_may_be_misspelt_is_refused_with_the_right_one() {
    let schema = json!({ "type": "object", "properties": { "tailLines": { "type": "integer" }, "namespace": { "type": "string" } }, "additionalProperties": false });
    for wrong in ["tail_lines", "taillines", "TailLines", "tail-lines", "tailLine", "tail"] {
        for value in [json!(5), json!(null), json!("")] {
            let words = read_by(&schema, &json!({ wrong: value })).expect_err(wrong);
            assert_eq!(words, format!("`{wrong}` is not known; did you mean `tailLines`?"));
        }
    }
}

#[test]
fn a_reading_is_bounded() {
    // Texts inside of texts, and a text that stands for more values than a message may have.
    let list = json!({ "$ref": "#/$defs/l", "$defs": { "l": { "type": "array", "items": { "anyOf": [{ "type": "integer" }, { "$ref": "#/$defs/l" }] } } } });
    let schema = json!({ "type": "object", "properties": { "x": { "$ref": "#/$defs/l" } }, "$defs": list["$defs"] });
    let inside = |levels: usize| (0..levels).fold(json!([1]), |below, _| json!([below.to_string()]));
    assert_eq!(read_by(&schema, &json!({ "x": inside(1) })), Ok(json!({ "x": [[1]] })));
    assert!(read_by(&schema, &json!({ "x": inside(6) })).is_err());
    let many = format!("[{}0]", "0,".repeat(100_000));
    assert!(read_by(&schema, &json!({ "x": many })).expect_err("too many").contains("has to be an array"));
    let nulls: serde_json::Map<_, _> = (0..40_000).map(|n| (format!("k{n}"), Value::Null)).collect();
    let open = json!({ "type": "object", "patternProperties": { "^k": { "type": "integer" } } });
    assert_eq!(read_by(&open, &Value::Object(nulls)), Ok(json!({})));
}
