//! One JSON-RPC message: parsed once, refused where two readers could read it differently, and handed on as it was parsed.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};

use crate::mcp::MODERN;

/// JSON-RPC's code for what is not JSON.
pub(super) const PARSE_ERROR: i32 = -32700;
/// JSON-RPC's code for JSON that is no message.
pub(super) const INVALID_REQUEST: i32 = -32600;
/// JSON-RPC's code for parameters of the wrong shape.
pub(super) const INVALID_PARAMS: i32 = -32602;

/// The key under which a modern request carries its protocol version.
const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// A JSON-RPC message of a client.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    object: Map<String, Value>,
    kind: Kind,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// It wants an answer, under this id: a string or a number.
    Request { id: Value, method: String },
    /// It wants none.
    Notification { method: String },
    /// It answers a request of the server's.
    Response,
}

/// A body that is not a message. The id is the request's, where it could be read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Malformed {
    pub(super) code: i32,
    pub(super) message: String,
    pub(super) id: Value,
}

impl Message {
    /// Parses a body.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let malformed = |code, message: &str, id: Option<&Value>| Malformed {
            code,
            message: message.to_owned(),
            id: id.filter(|id| is_id(id)).cloned().unwrap_or(Value::Null),
        };
        let Unique(value) = serde_json::from_slice(body)
            .map_err(|error| malformed(PARSE_ERROR, &format!("the body is not JSON: {error}"), None))?;
        let object = match value {
            Value::Object(object) => object,
            Value::Array(_) => {
                return Err(malformed(INVALID_REQUEST, "batches are not part of MCP: send one message a request", None));
            }
            _ => return Err(malformed(INVALID_REQUEST, "the body is not a JSON-RPC message", None)),
        };
        let id = object.get("id");
        if object.get("jsonrpc") != Some(&Value::from("2.0")) {
            return Err(malformed(INVALID_REQUEST, "`jsonrpc` has to be \"2.0\"", id));
        }
        let method = object.get("method").and_then(Value::as_str).map(str::to_owned);
        let kind = match (method, id) {
            (Some(method), Some(id)) if is_id(id) => Kind::Request { id: id.clone(), method },
            (Some(_), Some(_)) => return Err(malformed(INVALID_REQUEST, "`id` has to be a string or a number", id)),
            (Some(method), None) => Kind::Notification { method },
            (None, Some(_)) if object.contains_key("result") || object.contains_key("error") => Kind::Response,
            (None, _) => return Err(malformed(INVALID_REQUEST, "`method` is missing", id)),
        };
        let message = Self { object, kind };
        message.check_params().map_err(|reason| malformed(INVALID_PARAMS, reason, message.object.get("id")))?;
        Ok(message)
    }

    /// Shapes that rmcp would take for an unknown method.
    fn check_params(&self) -> Result<(), &'static str> {
        let params = self.object.get("params");
        if params.is_some_and(|params| !params.is_object()) {
            return Err("`params` has to be an object");
        }
        let Kind::Request { method, .. } = &self.kind else { return Ok(()) };
        let param = |key: &str| params.and_then(|params| params.get(key));
        match method.as_str() {
            "tools/call" if !param("name").is_some_and(Value::is_string) => Err("`params.name` has to be a string"),
            "tools/call" if param("arguments").is_some_and(|arguments| !arguments.is_object()) => {
                Err("`params.arguments` has to be an object")
            }
            "tools/list" if param("cursor").is_some_and(|cursor| !cursor.is_string()) => {
                Err("`params.cursor` has to be a string")
            }
            // In the modern era there is no such method, and its parameters do not matter.
            "initialize" if !self.is_modern(None) && !param("protocolVersion").is_some_and(Value::is_string) => {
                Err("`params.protocolVersion` has to be a string")
            }
            _ => Ok(()),
        }
    }

    /// What it is.
    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// One of its parameters.
    pub(super) fn param(&self, key: &str) -> Option<&Value> {
        self.object.get("params")?.get(key)
    }

    /// Whether the message belongs to the era without sessions. `header` is its MCP-Protocol-Version.
    pub(super) fn is_modern(&self, header: Option<&str>) -> bool {
        let in_body = self.param("_meta").and_then(|meta| meta.get(VERSION_KEY)).is_some();
        let discovers = matches!(&self.kind, Kind::Request { method, .. } if method == "server/discover");
        in_body || discovers || header.is_some_and(|version| version >= MODERN)
    }

    /// The message as it was parsed.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // A map of JSON values always serialises.
        serde_json::to_vec(&self.object).unwrap_or_default()
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_number()
}

/// A JSON-RPC error.
pub(super) fn error(id: &Value, code: i32, message: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }).to_string()
}

/// JSON without duplicate keys. Which of two equal keys counts differs from reader to reader, so a gateway in front could have
/// checked another message than the one that is served.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Unique)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom(format!("the key {key:?} stands twice in one object")));
            }
            let Unique(value) = entries.next_value()?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> Malformed {
        Message::parse(body.as_bytes()).expect_err(body)
    }

    #[test]
    fn messages_are_told_apart() {
        let kind = |body: &str| Message::parse(body.as_bytes()).expect(body).kind().clone();
        assert_eq!(
            kind(r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#),
            Kind::Request { id: json!("a"), method: "ping".to_owned() }
        );
        assert_eq!(
            kind(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            Kind::Notification { method: "notifications/initialized".to_owned() }
        );
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Kind::Response);
    }

    #[test]
    fn what_is_no_message_gets_json_rpcs_code() {
        assert_eq!(refused("{").code, PARSE_ERROR);
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#).code, PARSE_ERROR);
        assert_eq!(refused("[]").code, INVALID_REQUEST);
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#).code, INVALID_REQUEST);
        assert_eq!(refused(r#"{"id":7,"method":"ping"}"#).id, json!(7));
        let call = refused(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":1}}"#);
        assert_eq!((call.code, call.id), (INVALID_PARAMS, json!(7)));
    }

    #[test]
    fn initialize_is_the_legacy_eras_own() {
        assert_eq!(refused(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#).code, INVALID_PARAMS);
        let modern = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        assert!(Message::parse(modern.as_bytes()).is_ok(), "it is an unknown method, which rmcp says");
    }

    #[test]
    fn json_bombs_are_refused() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(refused(&deep).code, PARSE_ERROR);
    }

    #[test]
    fn the_era_is_the_requests_own() {
        let modern = Message::parse(
            br#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
        );
        assert!(modern.expect("valid").is_modern(None));
        let plain = Message::parse(br#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).expect("valid");
        assert!(!plain.is_modern(None));
        assert!(!plain.is_modern(Some("2025-11-25")));
        assert!(plain.is_modern(Some("2026-07-28")));
    }
}
