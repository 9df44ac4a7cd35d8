//! Schemas that are traps for whoever checks a value against them. The host does, outside of any sandbox.

use super::*;

/// Each level doubles the work of the one below.
fn doubling(levels: usize) -> Value {
    let mut definitions = json!({ "d0": { "type": "object" } });
    for level in 1..=levels {
        let below = json!({ "$ref": format!("#/$defs/d{}", level - 1) });
        definitions[format!("d{level}")] = json!({ "allOf": [below, below] });
    }
    json!({ "type": "object", "$defs": definitions, "$ref": format!("#/$defs/d{levels}") })
}

/// Calls a tool with these schemas, which answers with an empty object. Returns what the caller is told.
async fn told_by(input: Value, output: Value, arguments: Value) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let tool = json!({ "name": "odd", "inputSchema": input, "outputSchema": output });
    let file = Text::new(&json!({ "tools": [tool] })).answering(r#"{"structuredContent":{}}"#).write(folder.path(), "odd.wasm");
    let server = Server::builder().cluster("demo").arg("--tools").arg(&file).start().await;
    let client = Client::modern(&server);
    let answer = client.request("tools/call", json!({ "name": "odd", "arguments": arguments })).await;
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
    answer["result"].clone()
}

#[tokio::test]
async fn a_check_that_would_never_end_is_given_up() {
    let any = json!({ "type": "object" });
    for (input, output) in [(doubling(60), any.clone()), (any.clone(), doubling(60))] {
        let result = told_by(input, output, json!({})).await;
        let words = result["content"][0]["text"].as_str().unwrap();
        assert!(result["isError"] == true && words.contains("takes too long"), "{result}");
    }
    // Much work is not too much.
    assert_eq!(told_by(doubling(10), doubling(10), json!({})).await["isError"], false);
}

#[tokio::test]
async fn a_schema_that_refers_to_itself_is_checked_once() {
    let same = json!({ "type": "object", "allOf": [{ "$ref": "#" }] });
    assert_eq!(told_by(same.clone(), same, json!({})).await["isError"], false);
}

#[tokio::test]
async fn a_pattern_cannot_backtrack() {
    let pattern = json!({ "type": "object", "properties": { "a": { "type": "string", "pattern": "^(a+)+$" } } });
    let result = told_by(pattern, json!({ "type": "object" }), json!({ "a": "a".repeat(50_000) + "!" })).await;
    assert!(result["isError"] == true && result.to_string().contains("invalid arguments for odd: `a`"), "{result}");
}

#[tokio::test]
async fn of_countless_faults_one_is_told() {
    let failing = json!({ "type": "string", "minimum": 5, "enum": ["x"], "multipleOf": 7.5, "exclusiveMinimum": 3, "not": {} });
    let input = json!({ "type": "object", "properties": { "a": { "items": failing } } });
    let result = told_by(input, json!({ "type": "object" }), json!({ "a": vec![0; 10_000] })).await;
    let words = result["content"][0]["text"].as_str().unwrap();
    assert!(result["isError"] == true && words.contains("invalid arguments for odd: `a.0`: "), "{result}");
    assert!(words.len() < 1000, "{} bytes", words.len());
}

#[tokio::test]
async fn a_reference_that_is_spelled_in_another_way_goes_around_nothing() {
    let mut schema = json!({ "type": "object", "anyOf": [{ "$ref": "#/%24defs/60" }], "$defs": { "0": false } });
    for level in 1..=60 {
        let below = json!({ "$ref": format!("#/%24defs/{}", level - 1) });
        schema["$defs"][level.to_string()] = json!({ "anyOf": [below, below] });
    }
    let result = told_by(schema, json!({ "type": "object" }), json!({})).await;
    assert!(result["isError"] == true && result.to_string().contains("takes too long"), "what fails is counted, too: {result}");
}

#[tokio::test]
async fn keywords_that_hold_values_are_left_alone() {
    let output = json!({ "type": "object", "dependentRequired": { "a": ["b"] }, "default": { "a": { "b": 1 } } });
    assert_eq!(told_by(json!({ "type": "object" }), output, json!({})).await["isError"], false);
}
