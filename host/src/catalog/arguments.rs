//! Arguments as clients send them, before any tool's schema is asked: what they are written in, and what clients add by themselves.
//!
//! How a schema reads what is in them is in `schema/reading.rs`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::policy::json::Room;

/// What well-known clients and frameworks add to every call, and the model cannot leave out. Each has been seen to reach servers.
pub const KNOWN: [&str; 10] = [
    // n8n's AI agent: the item that its node works on.
    "toolCallId",
    "sessionId",
    "action",
    "chatInput",
    "tool",
    // Cline's focus chain.
    "task_progress",
    // Gemini CLI's scheduler.
    "wait_for_previous",
    // CrewAI's fingerprints of agents.
    "security_context",
    // OpenHands' estimate of what a call may break.
    "security_risk",
    // Cursor, for a tool that has no arguments.
    "random_string",
];

/// Values of arguments that come as a text: the bound of a message.
const TEXT_VALUES: usize = 50_000;

/// Arguments that clients add by themselves. They are dropped where a tool has no argument of that name.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct IgnoredArguments {
    /// Whether those of well-known clients are dropped.
    pub known: bool,
    /// Names of others.
    pub also: Vec<String>,
}

impl Default for IgnoredArguments {
    fn default() -> Self {
        Self { known: true, also: Vec::new() }
    }
}

impl IgnoredArguments {
    /// Whether an argument of this name is dropped.
    pub fn have(&self, name: &str) -> bool {
        (self.known && KNOWN.contains(&name)) || self.also.iter().any(|also| also == name)
    }
}

/// The arguments of a call from what stands for them in a message: null, an empty array and an empty text are none, and some clients
/// send the object as a text. None where they are anything else.
pub fn of_message(arguments: Option<Value>) -> Option<Map<String, Value>> {
    match arguments.unwrap_or_default() {
        Value::Null => Some(Map::new()),
        Value::Array(items) if items.is_empty() => Some(Map::new()),
        Value::Object(object) => Some(object),
        Value::String(text) if text.trim().is_empty() => Some(Map::new()),
        Value::String(text) => match Room::new(TEXT_VALUES).parse(text.as_bytes()) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_an_object_however_they_are_written() {
        let of = |arguments: Value| of_message(Some(arguments)).map(Value::Object);
        for none in [json!(null), json!([]), json!({}), json!(""), json!(" "), json!("{}")] {
            assert_eq!(of(none.clone()), Some(json!({})), "{none}");
        }
        assert_eq!(of_message(None), Some(Map::new()));
        assert_eq!(of(json!({ "a": 1 })), Some(json!({ "a": 1 })));
        assert_eq!(of(json!("{\"a\": {\"b\": [1]}}")), Some(json!({ "a": { "b": [1] } })));
        for other in [json!([1]), json!(0), json!(false), json!("a"), json!("[1]"), json!("{\"a\":1,\"a\":2}"), json!([[]])] {
            assert_eq!(of(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn the_list_can_be_turned_off_and_added_to() {
        let default = IgnoredArguments::default();
        assert!(default.have("toolCallId") && !default.have("traceId") && !default.have("toolcallid"));
        let own: IgnoredArguments = serde_json::from_value(json!({ "known": false, "also": ["traceId"] })).expect("valid");
        assert!(!own.have("toolCallId") && own.have("traceId"));
    }
}
