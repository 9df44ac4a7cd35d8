//! MCP's headers of a client that has none: one that speaks over stdio. They repeat what is in the message.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;

pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
pub(crate) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// What the name of a header begins with that repeats an argument.
const PARAMETER: &str = "mcp-param-";

/// The key of a schema that asks for such a header.
const MIRROR_KEY: &str = "x-mcp-header";

/// How deep in a schema it is looked for, and how many are sent of one tool.
const DEPTH: usize = 16;
const MIRRORED_MAX: usize = 64;

/// Bytes of a header that repeats something.
const VALUE_MAX: usize = 8 * 1024;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// An argument that a server wants repeated in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mirrored {
    path: Vec<String>,
    header: HeaderName,
}

impl Mirrored {
    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let path: usize = self.path.iter().map(|key| size_of::<String>() + key.len()).sum();
        size_of::<Self>() + path + self.header.as_str().len()
    }
}

/// The headers of every message.
pub(crate) fn of_message() -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_TYPE, JSON), (header::ACCEPT, BOTH)])
}

/// The headers of a session's stream.
pub(crate) fn of_stream() -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, EVENTS)])
}

/// The headers of a request of the modern era.
pub(crate) fn of_modern(version: &str, method: &str, named: Option<&Value>) -> HeaderMap {
    let mut headers = of_message();
    let mut set = |name, value: &str| {
        if let Some(value) = encoded(value) {
            headers.insert(name, value);
        }
    };
    set(PROTOCOL_VERSION, version);
    set(METHOD, method);
    if let (Some(Value::String(name)), "tools/call" | "prompts/get" | "resources/read") = (named, method) {
        set(NAME, name);
    }
    headers
}

/// Adds the headers that repeat a call's arguments.
pub(crate) fn mirror(headers: &mut HeaderMap, mirrored: &[Mirrored], arguments: &Value) {
    for Mirrored { path, header } in mirrored {
        let argument = path.iter().try_fold(arguments, |value, key| value.get(key));
        let text = match argument {
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => value.to_string(),
            _ => continue,
        };
        if let Some(value) = encoded(&text) {
            headers.insert(header.clone(), value);
        }
    }
}

/// The arguments that a tool's input schema wants repeated.
pub(crate) fn mirrored(schema: &Value) -> Vec<Mirrored> {
    let mut found = Vec::new();
    find(schema, &mut Vec::new(), &mut found);
    found
}

fn find(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Mirrored>) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    for (key, property) in properties {
        if found.len() >= MIRRORED_MAX || path.len() >= DEPTH {
            return;
        }
        path.push(key.clone());
        if let Some(Value::String(name)) = property.get(MIRROR_KEY)
            && let Ok(header) = HeaderName::try_from(format!("{PARAMETER}{name}"))
        {
            found.push(Mirrored { path: path.clone(), header });
        }
        find(property, path, found);
        path.pop();
    }
}

/// A text as the value of a header: as it is, or in Base64 where a header could not hold it. None where it is too long.
fn encoded(text: &str) -> Option<HeaderValue> {
    let is_plain = text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
        && text.trim() == text
        && !(text.starts_with("=?base64?") && text.ends_with("?="));
    if text.len() > VALUE_MAX {
        return None;
    }
    if is_plain {
        return HeaderValue::from_str(text).ok();
    }
    HeaderValue::try_from(format!("=?base64?{}?=", STANDARD.encode(text))).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_modern_request_repeats_its_version_method_and_name() {
        let headers = |method: &str, named: &str| of_modern("2026-07-28", method, Some(&json!(named)));
        let call = headers("tools/call", "get_events");
        for (name, value) in [(METHOD, "tools/call"), (NAME, "get_events"), (PROTOCOL_VERSION, "2026-07-28")] {
            assert_eq!(call[name], value);
        }
        assert_eq!(headers("resources/read", "a://b")[NAME], "a://b");
        assert!(!headers("tools/list", "x").contains_key(NAME));
        assert_eq!(headers("tools/call", " é")[NAME], "=?base64?IMOp?=");
        assert_eq!(headers("tools/call", "=?base64?x?=")[NAME], "=?base64?PT9iYXNlNjQ/eD89?=");
    }

    #[test]
    fn arguments_are_repeated_as_the_schema_asks() {
        let schema = json!({ "properties": {
            "region": { "type": "string", "x-mcp-header": "Region" },
            "in": { "properties": { "zone": { "x-mcp-header": "Zone" }, "bad": { "x-mcp-header": "a b" } } },
            "plain": {},
        } });
        let mirrored = mirrored(&schema);
        assert_eq!(mirrored.len(), 2);
        let mut headers = HeaderMap::new();
        mirror(&mut headers, &mirrored, &json!({ "region": "é", "in": { "zone": 7 }, "plain": "x" }));
        assert_eq!(headers["mcp-param-region"], "=?base64?w6k=?=");
        assert_eq!(headers["mcp-param-zone"], "7");
        let mut none = HeaderMap::new();
        mirror(&mut none, &mirrored, &json!({ "region": null, "in": [] }));
        assert!(none.is_empty());
    }
}
