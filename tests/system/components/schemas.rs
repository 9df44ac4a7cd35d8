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

/// What `sandbar inspect` says of a tool with these schemas, which is not loaded.
async fn refused(input: Value, output: Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let tool = json!({ "name": "odd", "inputSchema": input, "outputSchema": output });
    let file = Text::new(&json!({ "tools": [tool] })).write(folder.path(), "odd.wasm");
    let finished = Run::new(&["inspect"]).arg(&file).finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    finished.stderr
}

#[tokio::test]
async fn a_schema_that_doubles_the_work_is_refused_with_its_place() {
    let any = json!({ "type": "object" });
    for (input, output, key) in [(doubling(60), any.clone(), "inputSchema"), (any.clone(), doubling(60), "outputSchema")] {
        let words = refused(input, output).await;
        assert!(words.contains(key) && words.contains("#/$defs/d") && words.contains("256 may"), "{words}");
    }
    // Much work is not too much.
    assert_eq!(told_by(doubling(6), doubling(6), json!({})).await["isError"], false);
}

#[tokio::test]
async fn a_schema_that_only_refers_to_itself_is_refused() {
    let same = json!({ "type": "object", "allOf": [{ "$ref": "#" }] });
    assert!(refused(same.clone(), same).await.contains("refers to itself without going deeper"));
}

#[tokio::test]
async fn a_pattern_cannot_backtrack() {
    let pattern = json!({ "type": "object", "properties": { "a": { "type": "string", "pattern": "^(a+)+$" } } });
    let result = told_by(pattern, json!({ "type": "object" }), json!({ "a": "a".repeat(50_000) + "!" })).await;
    assert!(result["isError"] == true && result.to_string().contains("invalid arguments for odd: `a` is"), "{result}");
}

#[tokio::test]
async fn of_countless_faults_a_few_are_told() {
    let failing = json!({ "type": "integer", "minimum": 5, "enum": [7], "multipleOf": 7.5, "exclusiveMinimum": 3, "not": {} });
    let input = json!({ "type": "object", "properties": { "a": { "items": failing } } });
    let result = told_by(input, json!({ "type": "object" }), json!({ "a": vec![0; 10_000] })).await;
    let words = result["content"][0]["text"].as_str().unwrap();
    assert!(result["isError"] == true && words.contains("invalid arguments for odd: `a.0` is 0"), "{result}");
    assert!(words.len() < 1000, "{} bytes", words.len());
}

#[tokio::test]
async fn a_reference_that_is_spelled_in_another_way_goes_around_nothing() {
    let mut schema = json!({ "type": "object", "anyOf": [{ "$ref": "#/%24defs/60" }], "$defs": { "0": false } });
    for level in 1..=60 {
        let below = json!({ "$ref": format!("#/%24defs/{}", level - 1) });
        schema["$defs"][level.to_string()] = json!({ "anyOf": [below, below] });
    }
    assert!(refused(schema, json!({ "type": "object" })).await.contains("256 may"));
}

#[tokio::test]
async fn arguments_of_a_foreign_tool_are_read_as_they_were_meant() {
    let input = json!({ "type": "object", "additionalProperties": false, "required": ["names"], "properties": {
        "names": { "type": "array", "items": { "type": "string" } },
        "depth": { "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "null" }] },
        "deep": { "type": "boolean" }, "since": { "type": "string", "format": "date-time" },
    } });
    for fitting in [
        json!({ "names": "web", "depth": "2", "deep": "False", "since": "" }),
        json!({ "names": "[\"web\",\"db\"]", "depth": 0, "deep": null, "since": null }),
        json!({ "names": [5], "depth": null, "toolCallId": "c", "task_progress": "- [ ] a" }),
    ] {
        let result = told_by(input.clone(), json!({ "type": "object" }), fitting.clone()).await;
        assert_eq!(result["isError"], false, "{fitting}: {result}");
    }
    for (unfit, words) in [
        (json!({ "names": null }), "`names` is null, and has to be an array"),
        (json!({ "names": ["a"], "dept": 2 }), "`dept` is not known; did you mean `depth`?"),
        (json!({ "names": ["a"], "depth": "deep" }), "`depth` is \"deep\", and has to be an integer or null"),
    ] {
        let result = told_by(input.clone(), json!({ "type": "object" }), unfit).await;
        assert!(result["content"][0]["text"].as_str().unwrap().contains(words), "{result}");
    }
}

#[tokio::test]
async fn keywords_that_hold_values_are_left_alone() {
    let output = json!({ "type": "object", "dependentRequired": { "a": ["b"] }, "default": { "a": { "b": 1 } } });
    assert_eq!(told_by(json!({ "type": "object" }), output, json!({})).await["isError"], false);
}
