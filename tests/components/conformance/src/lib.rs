//! The tools, prompts and resources that the official MCP conformance suite asks for by name, as far as a component of contract 0.1 can be
//! them: no questions to the client.

// Outside WebAssembly there is no host to call.
#![cfg(target_arch = "wasm32")]

mod bindings;

use bindings::exports::sandbar::tool::{prompts, resources, tools};
use bindings::sandbar::tool::context;
use bindings::sandbar::tool::logging::{Level, log};
use serde_json::{Value, json};

/// A red pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mP4z8AAAAMBAQD3A0FDAAAAAElFTkSuQmCC";

/// Four samples of silence.
const WAV: &str = "UklGRigAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQQAAACAgICA";

/// Milliseconds that the tool with progress takes. The host holds progress back for 2 s and then sends four reports a second, of
/// which the suite wants three; after 5 s of work it stops a component.
const WORK_MS: u32 = 3_500;

struct Fixture;

impl tools::Guest for Fixture {
    fn manifest() -> String {
        include_str!("../manifest.json").to_owned()
    }

    fn call(name: String, _arguments: String) -> Result<String, String> {
        let content = match name.as_str() {
            "test_simple_text" => json!([text("This is a simple text response for testing.")]),
            "test_image_content" => json!([image()]),
            "test_audio_content" => json!([{ "type": "audio", "data": WAV, "mimeType": "audio/wav" }]),
            "test_embedded_resource" => {
                json!([resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")])
            }
            "test_multiple_content_types" => json!([
                text("Multiple content types test:"),
                image(),
                resource("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
            ]),
            "test_error_handling" => return Err("This tool intentionally returns an error for testing".to_owned()),
            "test_tool_with_progress" => {
                work();
                json!([text("The work is done.")])
            }
            "test_logging_tool" => {
                log(Level::Info, "a line for the operator");
                json!([text("A line was written.")])
            }
            "test_trigger_tool_change" => {
                // No tool can change what a server serves: whoever runs the suite reads the log and does.
                log(Level::Info, "the list of tools is to change");
                json!([text("The list of tools is about to change.")])
            }
            "test_trigger_prompt_change" => {
                log(Level::Info, "the list of prompts is to change");
                json!([text("The list of prompts is about to change.")])
            }
            "test_custom_header" | "json_schema_2020_12_tool" => json!([text("The arguments were accepted.")]),
            unknown => return Err(format!("the fixture has no tool `{unknown}`")),
        };
        Ok(json!({ "content": content }).to_string())
    }
}

impl prompts::Guest for Fixture {
    fn get(name: String, arguments: String) -> Result<String, String> {
        let arguments: Value = serde_json::from_str(&arguments).map_err(|error| error.to_string())?;
        let argument = |name: &str| arguments[name].as_str().unwrap_or_default();
        let contents = match name.as_str() {
            "test_simple_prompt" => vec![text("This is a simple prompt for testing.")],
            "test_prompt_with_arguments" => {
                vec![text(&format!("Prompt with arguments: arg1='{}', arg2='{}'", argument("arg1"), argument("arg2")))]
            }
            "test_prompt_with_embedded_resource" => vec![
                resource(argument("resourceUri"), "text/plain", "Embedded resource content for testing."),
                text("Please process the embedded resource above."),
            ],
            "test_prompt_with_image" => vec![image(), text("Please analyze the image above.")],
            unknown => return Err(format!("the fixture has no prompt `{unknown}`")),
        };
        let messages: Vec<_> = contents.into_iter().map(|content| json!({ "role": "user", "content": content })).collect();
        Ok(json!({ "messages": messages }).to_string())
    }
}

impl resources::Guest for Fixture {
    fn read(uri: String) -> Result<String, String> {
        let id = uri.strip_prefix("test://template/").and_then(|rest| rest.strip_suffix("/data"));
        let mut contents = match (uri.as_str(), id) {
            ("test://static-text", _) => {
                json!({ "mimeType": "text/plain", "text": "This is the content of the static text resource." })
            }
            ("test://static-binary", _) => json!({ "mimeType": "image/png", "blob": PNG }),
            (_, Some(id)) => {
                let data = json!({ "id": id, "templateTest": true, "data": format!("Data for ID: {id}") });
                json!({ "mimeType": "application/json", "text": data.to_string() })
            }
            _ => return Ok(json!({ "contents": [] }).to_string()),
        };
        contents["uri"] = json!(uri);
        Ok(json!({ "contents": [contents] }).to_string())
    }
}

/// Counts from 0 to 100 over [`WORK_MS`]. A component cannot sleep, so it works.
fn work() {
    let at_first = context::remaining_ms();
    let mut said = None;
    loop {
        let spent = (at_first - context::remaining_ms()).min(WORK_MS);
        let percent = 100 * spent / WORK_MS;
        if said.replace(percent) != Some(percent) {
            context::progress(f64::from(percent), Some(100.0), None);
        }
        if spent == WORK_MS {
            return;
        }
    }
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn image() -> Value {
    json!({ "type": "image", "data": PNG, "mimeType": "image/png" })
}

fn resource(uri: &str, mime_type: &str, text: &str) -> Value {
    json!({ "type": "resource", "resource": { "uri": uri, "mimeType": mime_type, "text": text } })
}
