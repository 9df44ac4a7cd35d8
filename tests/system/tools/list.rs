//! What a model sees of the tools.

use sandbar_tests::{TOOLS, golden};

use super::*;

/// The list in compact JSON costs every conversation this many bytes. The original's is 4.3 KB.
const MOST_BYTES: usize = 8 * 1024;

#[tokio::test]
async fn the_list_of_tools_is_the_reviewed_one() {
    let tools = client().await.request("tools/list", json!({})).await["result"]["tools"].take();
    golden::assert_tools("tools.json", &tools);
}

#[tokio::test]
async fn the_list_of_tools_is_short() {
    let message = client().await.request("tools/list", json!({})).await;
    let bytes = message["result"]["tools"].to_string().len();
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
}

#[tokio::test]
async fn every_tool_has_the_name_and_the_arguments_of_the_original() {
    let original: &[(&str, &[&str], &[&str])] = &[
        ("check_health", &[], &[]),
        ("get_control_plane_status", &["namespace", "name"], &[]),
        ("get_events", &["namespace"], &["name", "kind", "limit", "continue"]),
        ("get_pod_logs", &["namespace", "name"], &["tailLines", "limitBytes", "container"]),
        ("list_control_planes", &[], &["namespace"]),
        ("list_templates", &[], &["namespace"]),
        ("list_workspaces", &[], &["namespace"]),
    ];
    let tools = client().await.request("tools/list", json!({})).await["result"]["tools"].take();
    let tools = tools.as_array().unwrap();
    for (name, required, optional) in original {
        let tool = tools.iter().find(|tool| tool["name"] == *name).unwrap_or_else(|| panic!("{name} is not listed"));
        let schema = &tool["inputSchema"];
        let given: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        assert_eq!(given, *required, "{name}");
        for argument in required.iter().chain(*optional) {
            assert!(schema["properties"].get(argument).is_some(), "{name} takes {argument}");
        }
    }
    assert_eq!(tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect::<Vec<_>>(), *TOOLS);
    for tool in tools {
        let (name, schema) = (&tool["name"], &tool["inputSchema"]);
        assert_eq!(schema["additionalProperties"], false, "{name}");
        assert_eq!(tool["annotations"], json!({ "readOnlyHint": true, "openWorldHint": true }), "{name}");
        assert!(tool["outputSchema"].is_object(), "{name}");
        let text = tool.to_string();
        for noise in ["$ref", "$defs", "$schema", "uint", "\"null\"", "\"format\""] {
            assert!(!text.contains(noise), "{noise} in {text}");
        }
    }
}

#[tokio::test]
async fn the_list_is_the_same_on_every_connection_and_in_both_eras() {
    let first = client().await.request("tools/list", json!({})).await["result"]["tools"].take();
    let legacy = Client::legacy(Server::shared().await).await;
    assert_eq!(legacy.request("tools/list", json!({})).await["result"]["tools"], first);
}
