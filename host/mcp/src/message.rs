//! One JSON-RPC message: parsed once, and refused if two parsers could read it differently.

use bytes::Bytes;
use rmcp::model::{ErrorCode, ErrorData, JsonRpcError, RequestId};
use sandbar_text::json::JsonLimit;
use serde::Serialize;
use serde_json::{Map, Value, json};

/// Bytes of an id or a progress token, which every answer and notification repeats.
const ID_BYTES: usize = 1024;

/// Values in a message: some 5 MB at most. The arguments of a call have a few dozen.
const MOST_VALUES: usize = 50_000;

/// Bytes of a method or of a tool's name, MCP's own limit for the latter: answers repeat them.
pub(super) const NAME_BYTES: usize = 128;

/// The prefix of the methods of notifications.
const NOTIFICATIONS: &str = "notifications/";

/// A JSON-RPC message of a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its kind.
    pub kind: MessageKind,
    /// Its parameters. `null`, and the `[]` of languages with one empty value, are read as none.
    pub(super) params: Map<String, Value>,
}

/// The kind of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum MessageKind {
    /// A request, to be answered under this id.
    Request {
        /// A string or an integer.
        id: RequestId,
        /// The method.
        method: String,
    },
    /// A notification, which has no answer.
    Notification {
        /// The method.
        method: String,
    },
    /// A response to a request of the server.
    Response,
}

/// A JSON-RPC response: a result or an error.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// The message as JSON.
    pub text: String,
    /// The error's code, if it is one.
    pub error: Option<ErrorCode>,
}

impl Message {
    /// Parses a body.
    pub fn parse(body: &[u8]) -> Result<Self, JsonRpcError> {
        let value = JsonLimit::new(MOST_VALUES).parse(body).map_err(|error| {
            JsonRpcError::new(None, ErrorData::parse_error(format!("the body cannot be read as JSON: {error}"), None))
        })?;
        let mut object = match value {
            Value::Object(object) => object,
            Value::Array(_) => return Err(invalid(None, "batches are not part of MCP: send one message a request")),
            _ => return Err(invalid(None, "the body is not a JSON-RPC message")),
        };
        let given = object.remove("id");
        let id = given.as_ref().and_then(request_id);
        if object.get("jsonrpc") != Some(&Value::from("2.0")) {
            return Err(invalid(id, "`jsonrpc` has to be \"2.0\""));
        }
        let method = match object.remove("method") {
            Some(Value::String(method)) if method.len() > NAME_BYTES => {
                return Err(invalid(id, "`method` is longer than 128 bytes"));
            }
            Some(Value::String(method)) => Some(method),
            Some(_) => return Err(invalid(id, "`method` has to be a string")),
            None => None,
        };
        let is_answer = object.contains_key("result") || object.contains_key("error");
        if is_answer && method.is_some() {
            return Err(invalid(id, "a request has no `result` and no `error`, and a response has no `method`"));
        }
        let kind = match (method, given, id) {
            (Some(method), Some(_), Some(id)) => MessageKind::Request { id, method },
            (Some(method), None, _) => MessageKind::Notification { method },
            // Some clients write `"id": null` in notifications.
            (Some(method), Some(Value::Null), _) if method.starts_with(NOTIFICATIONS) => MessageKind::Notification { method },
            (Some(_), ..) => {
                return Err(invalid(None, "`id` has to be an integer or a string of up to 1024 bytes"));
            }
            (None, Some(_), _) if is_answer => MessageKind::Response,
            (None, _, id) => return Err(invalid(id, "`method` is missing")),
        };
        let params = absent_or_object(object.remove("params"));
        match (params, kind) {
            (Some(params), kind) => Ok(Self { kind, params: params.unwrap_or_default() }),
            (None, MessageKind::Request { id, .. }) => Err(malformed(Some(id), "`params` has to be an object")),
            (None, _) => Err(malformed(None, "`params` has to be an object")),
        }
    }

    /// A parameter.
    pub fn param(&self, key: &str) -> Option<&Value> {
        self.params.get(key).filter(|value| !value.is_null())
    }

    /// A member of the parameters' `_meta`.
    pub fn meta(&self, key: &str) -> Option<&Value> {
        self.param("_meta")?.get(key).filter(|value| !value.is_null())
    }

    /// The request that a cancellation names.
    pub fn cancelled(&self) -> Option<RequestId> {
        self.param("requestId").and_then(request_id)
    }

    /// The id of a request.
    pub fn id(&self) -> Option<&RequestId> {
        match &self.kind {
            MessageKind::Request { id, .. } => Some(id),
            _ => None,
        }
    }

    /// The method of a request or notification.
    pub fn method(&self) -> Option<&str> {
        match &self.kind {
            MessageKind::Request { method, .. } | MessageKind::Notification { method } => Some(method),
            MessageKind::Response => None,
        }
    }
}

/// A response around a shared result: however many clients wait for it, it is in memory once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedResponse {
    /// The JSON before the result.
    pub before: String,
    /// The result, as JSON.
    pub result: Bytes,
    /// The JSON after the result.
    pub after: &'static str,
}

impl SharedResponse {
    /// The response with this id.
    pub(super) fn of(id: &RequestId, result: Bytes) -> Self {
        Self { before: before_result(id), result, after: AFTER_RESULT }
    }
}

/// What closes a response.
const AFTER_RESULT: &str = "}";

fn before_result(id: &RequestId) -> String {
    // An id always serialises.
    let id = serde_json::to_string(id).unwrap_or_default();
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"#)
}

impl Response {
    /// A response around a result that is already JSON.
    pub(super) fn result(id: &RequestId, result: &str) -> Self {
        let before = before_result(id);
        Self { text: [&before, result, AFTER_RESULT].concat(), error: None }
    }

    /// A response with an error.
    pub fn error(error: &JsonRpcError) -> Self {
        let JsonRpcError { jsonrpc: _, id, error } = error;
        // Clients of all eras accept a null id if it is not known.
        Self { text: json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string(), error: Some(error.code) }
    }
}

/// A notification of the server.
pub(super) fn notification(method: &str, params: &impl Serialize) -> String {
    json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string()
}

/// An object or nothing: absent, or a value that stands for nothing. The outer none: something else.
pub(super) fn absent_or_object(value: Option<Value>) -> Option<Option<Map<String, Value>>> {
    match value {
        None | Some(Value::Null) => Some(None),
        Some(Value::Array(items)) if items.is_empty() => Some(None),
        Some(Value::Object(object)) => Some(Some(object)),
        Some(_) => None,
    }
}

/// A string, or an integer that is echoed exactly: a fraction or a number of any size would not be.
pub(super) fn request_id(id: &Value) -> Option<RequestId> {
    match id {
        Value::Number(number) => number.as_i64().map(RequestId::Number),
        Value::String(text) if text.len() <= ID_BYTES => Some(RequestId::String(text.as_str().into())),
        _ => None,
    }
}

/// The error for something that is not a message.
fn invalid(id: Option<RequestId>, words: &'static str) -> JsonRpcError {
    JsonRpcError::new(id, ErrorData::invalid_request(words, None))
}

/// The error for parameters of the wrong shape.
pub(super) fn malformed(id: Option<RequestId>, words: impl Into<std::borrow::Cow<'static, str>>) -> JsonRpcError {
    JsonRpcError::new(id, ErrorData::invalid_params(words, None))
}

/// Reads a body as far as is done before a method is called, and checks what holds for every body. For tests and fuzzing.
///
/// # Panics
/// If one of them does not hold.
#[cfg(any(test, feature = "fuzzing"))]
pub fn check_body(body: &[u8]) {
    let message = match Message::parse(body) {
        Ok(message) => message,
        Err(refusal) => {
            let code = refusal.error.code;
            assert!([ErrorCode::PARSE_ERROR, ErrorCode::INVALID_REQUEST, ErrorCode::INVALID_PARAMS].contains(&code), "{code:?}");
            let words = &refusal.error.message;
            assert!(!words.is_empty() && words.len() < 1024, "a refusal is short: {words}");
            let answer: Value = serde_json::from_str(&Response::error(&refusal).text).unwrap_or_default();
            assert_eq!(answer["error"]["message"], **words, "and a message by itself");
            return;
        }
    };
    let plain: Value = serde_json::from_slice(body).unwrap_or_default();
    let params = plain["params"].as_object().cloned().unwrap_or_default();
    assert_eq!(params, message.params, "another reader of the body reads the same");
    if let MessageKind::Request { id, method } = &message.kind {
        assert_eq!((&id.clone().into_json_value(), plain["method"].as_str()), (&plain["id"], Some(method.as_str())));
        let answer: Value = serde_json::from_str(&Response::result(id, "{}").text).unwrap_or_default();
        assert_eq!(answer["id"], plain["id"], "an answer finds its request");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> JsonRpcError {
        Message::parse(body.as_bytes()).expect_err(body)
    }

    #[test]
    fn messages_are_told_apart() {
        let kind = |body: &str| Message::parse(body.as_bytes()).expect(body).kind;
        assert_eq!(
            kind(r#"{"jsonrpc":"2.0","id":"a","method":"ping"}"#),
            MessageKind::Request { id: RequestId::String("a".into()), method: "ping".to_owned() }
        );
        let told = MessageKind::Notification { method: "notifications/initialized".to_owned() };
        assert_eq!(kind(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#), told);
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":null,"method":"notifications/initialized","params":null}"#), told);
        assert_eq!(kind(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), MessageKind::Response);
    }

    #[test]
    fn what_is_no_message_gets_json_rpcs_code() {
        let code = |body| refused(body).error.code;
        assert_eq!(code("{"), ErrorCode::PARSE_ERROR);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#), ErrorCode::PARSE_ERROR);
        assert_eq!(code("[]"), ErrorCode::INVALID_REQUEST);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#), ErrorCode::INVALID_REQUEST);
        assert_eq!(refused(r#"{"id":7,"method":"ping"}"#).id, Some(RequestId::Number(7)));
        for answer in [r#""result":{}"#, r#""result":null"#, r#""error":{"code":-1,"message":"m"}"#] {
            let both = refused(&format!(r#"{{"jsonrpc":"2.0","id":7,"method":"ping",{answer}}}"#));
            assert_eq!((both.error.code, both.id), (ErrorCode::INVALID_REQUEST, Some(RequestId::Number(7))), "{answer}");
            let told = refused(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/initialized",{answer}}}"#));
            assert_eq!(told.error.code, ErrorCode::INVALID_REQUEST, "{answer}");
        }
        let call = refused(r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":[1]}"#);
        assert_eq!((call.error.code, call.id), (ErrorCode::INVALID_PARAMS, Some(RequestId::Number(7))));
    }

    #[test]
    fn an_id_comes_back_as_it_was_sent_or_is_refused() {
        for id in ["1.5", "1e3", "9223372036854775808", "123456789012345678901234567890", "true", "[1]", "{}"] {
            let refusal = refused(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
            assert_eq!((refusal.error.code, refusal.id), (ErrorCode::INVALID_REQUEST, None), "{id}");
        }
        for id in ["0", "-1", "9223372036854775807", "\"\"", "\"\\u0000\""] {
            let message = Message::parse(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#).as_bytes());
            let MessageKind::Request { id: read, .. } = message.expect(id).kind else { panic!("{id}") };
            assert_eq!(Response::result(&read, "{}").text, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
        }
        let long = "x".repeat(ID_BYTES + 1);
        let refusal = refused(&format!(r#"{{"jsonrpc":"2.0","id":"{long}","method":"ping"}}"#));
        assert_eq!(refusal.error.code, ErrorCode::INVALID_REQUEST);
    }

    /// Messages as clients send them, and pieces that are known to confuse parsers.
    const SEEDS: [&str; 8] = [
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{"cursor":"x","_meta":{"progressToken":7}}}"#,
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"get_events","arguments":{"namespace":"team-a","limit":50,"x":[1.5,null,true]}}}"#,
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"check_health","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2,"reason":"\u00e9\ud83d\ude00"}}"#,
        r#"{"jsonrpc":"2.0","id":4,"result":{"x":[]}}"#,
        r#"[{"jsonrpc":"2.0","id":5,"error":{"code":-1,"message":"m"}}]"#,
    ];
    const PIECES: [&[u8]; 20] = [
        b"\"id\":1,",
        b"\\ud800",
        b"\\u0000",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"1e999",
        b"-0",
        b"1E400",
        b"18446744073709551616",
        b"[",
        b"{",
        b"]",
        b"}",
        b",",
        b"\"",
        b"null",
        b"{\"a\":1,\"a\":2}",
        b"0.1000000000000000055511151231257827",
        b"\"method\":\"tools/call\",",
    ];

    #[test]
    fn any_body_is_read_as_others_read_it_or_refused() {
        // SplitMix64: the same bodies in every run.
        let mut state = 0x5EED_u64;
        let mut below = move |bound: usize| {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below the bound")
        };
        let mut accepted = 0;
        for round in 0..20_000 {
            let mut body = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
            for _ in 0..=below(3) {
                let at = below(body.len());
                match below(6) {
                    0 => drop(body.remove(at)),
                    1 => body[at] = u8::try_from(below(256)).expect("a byte"),
                    2 => body[at] ^= 1 << below(8),
                    3 => drop(body.splice(at..at, PIECES[below(PIECES.len())].iter().copied())),
                    4 => drop(body.splice(at..(at + below(12)).min(body.len()), [])),
                    _ => {
                        let again = body[at..(at + below(40)).min(body.len())].to_vec();
                        drop(body.splice(at..at, again));
                    }
                }
                if body.is_empty() {
                    body.push(b' ');
                }
            }
            check_body(&body);
            accepted += usize::from(Message::parse(&body).is_ok());
        }
        assert!(accepted > 1000, "the test reaches beyond the parser: {accepted}");
        SEEDS.iter().for_each(|seed| check_body(seed.as_bytes()));
    }
}
