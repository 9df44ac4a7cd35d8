//! Arguments as clients send them, before any tool's schema is asked: what they are written in, and what clients add by themselves.
//!
//! How a schema reads what is in them is in `schema/reading.rs`.

use std::io::{self, Write};

use sandbar_text::json::JsonLimit;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What well-known clients and frameworks add to every call, and the model cannot leave out. Each has been seen to reach servers.
const KNOWN: [&str; 10] = [
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

/// The arguments of a call. How long they are decides where they are read, and so it is found out once.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    object: Map<String, Value>,
    bytes: usize,
}

impl Arguments {
    /// The arguments of a call from what stands for them in a message: null, an empty array and an empty text are none, and some clients
    /// send the object as a text. None where they are anything else.
    pub fn of_message(arguments: Option<Value>) -> Option<Self> {
        match arguments.unwrap_or_default() {
            Value::Null => Some(Self::default()),
            Value::Array(items) if items.is_empty() => Some(Self::default()),
            Value::Object(object) => Some(Self::from(object)),
            Value::String(text) if text.trim().is_empty() => Some(Self::default()),
            Value::String(text) => match JsonLimit::new(TEXT_VALUES).parse(text.as_bytes()) {
                Ok(Value::Object(object)) => Some(Self::from(object)),
                _ => None,
            },
            _ => None,
        }
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.object.get(name)
    }

    /// Their length as JSON, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, as one value.
    pub(super) fn into_value(self) -> Value {
        Value::Object(self.object)
    }
}

impl Default for Arguments {
    fn default() -> Self {
        Self::from(Map::new())
    }
}

impl From<Map<String, Value>> for Arguments {
    fn from(object: Map<String, Value>) -> Self {
        struct Length(usize);
        impl Write for Length {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0 += bytes.len();
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut length = Length(0);
        // Values of JSON always serialise, and a count takes all that is written to it.
        let _ = serde_json::to_writer(&mut length, &object);
        Self { object, bytes: length.0 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_an_object_however_they_are_written() {
        let of = |arguments: Value| Arguments::of_message(Some(arguments)).map(Arguments::into_value);
        for none in [json!(null), json!([]), json!({}), json!(""), json!(" "), json!("{}")] {
            assert_eq!(of(none.clone()), Some(json!({})), "{none}");
        }
        assert_eq!(Arguments::of_message(None), Some(Arguments::from(Map::new())));
        assert_eq!(of(json!({ "a": 1 })), Some(json!({ "a": 1 })));
        assert_eq!(of(json!("{\"a\": {\"b\": [1]}}")), Some(json!({ "a": { "b": [1] } })));
        for other in [json!([1]), json!(0), json!(false), json!("a"), json!("[1]"), json!("{\"a\":1,\"a\":2}"), json!([[]])] {
            assert_eq!(of(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn their_length_is_that_of_their_json() {
        for arguments in [json!({}), json!({ "a": [1.5, null, "é\n\u{1}\""], "b": { "": true } })] {
            let bytes = arguments.to_string().len();
            assert_eq!(Arguments::of_message(Some(arguments)).map(|read| read.bytes()), Some(bytes));
        }
        let as_text = Arguments::of_message(Some(json!(" { \"a\" : 1 } "))).expect("an object");
        assert_eq!(as_text.bytes(), "{\"a\":1}".len());
    }

    #[test]
    fn all_that_are_dropped_are_documented() {
        let document = include_str!("../../../docs/reference/configuration.md");
        let section = document.split("### ignoredArguments").nth(1).expect("the section");
        for name in KNOWN {
            assert!(section.contains(&format!("`{name}`")), "{name} is not documented");
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
