//! One JSON-RPC message: parsed once, refused where two readers could read it differently, and handed on as it was parsed.

use serde_json::{Map, Value, json};

use crate::mcp::MODERN;
use crate::policy::json::Room;

/// JSON-RPC's code for what is not JSON.
pub(super) const PARSE_ERROR: i32 = -32700;
/// JSON-RPC's code for JSON that is no message.
pub(super) const INVALID_REQUEST: i32 = -32600;
/// JSON-RPC's code for parameters of the wrong shape.
pub(super) const INVALID_PARAMS: i32 = -32602;

/// JSON-RPC's code for a failure of the server.
pub(super) const INTERNAL_ERROR: i32 = -32603;

/// Bytes of an id or a progress token, which come back with every answer and notification.
const ID_BYTES: usize = 1024;

/// Values in a message: some 5 MB at most. The arguments of a call have a few dozen.
const MOST_VALUES: usize = 50_000;

/// Bytes of a method or of a tool's name, as MCP bounds the latter: answers repeat them.
const NAME_BYTES: usize = 128;

/// The key under which a modern request carries its protocol version.
pub(super) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// A JSON-RPC message of a client.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Message {
    object: Map<String, Value>,
    kind: Kind,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// It wants an answer, under this id: a string or an integer.
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
        let value = Room::new(MOST_VALUES).parse(body);
        let value = value.map_err(|error| malformed(PARSE_ERROR, &format!("the body cannot be read as JSON: {error}"), None))?;
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
        if method.as_ref().is_some_and(|method| method.len() > NAME_BYTES) {
            return Err(malformed(INVALID_REQUEST, "`method` is longer than 128 bytes", id));
        }
        let kind = match (method, id) {
            (Some(method), Some(id)) if is_id(id) => Kind::Request { id: id.clone(), method },
            (Some(_), Some(_)) => {
                return Err(malformed(INVALID_REQUEST, "`id` has to be an integer or a string of up to 1024 bytes", id));
            }
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
        if param("_meta").and_then(|meta| meta.get("progressToken")).is_some_and(|token| !is_id(token)) {
            return Err("`params._meta.progressToken` has to be an integer or a string of up to 1024 bytes");
        }
        match method.as_str() {
            "tools/call" if param("name").and_then(Value::as_str).is_none_or(|name| name.len() > NAME_BYTES) => {
                Err("`params.name` has to be a string of up to 128 bytes")
            }
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

    /// A member of the parameters' `_meta`.
    pub(super) fn meta(&self, key: &str) -> Option<&Value> {
        self.param("_meta")?.get(key)
    }

    /// The parameters, of a request that calls a tool and is nothing else besides.
    pub(super) fn call_params(&self) -> Option<&Map<String, Value>> {
        let calls = matches!(&self.kind, Kind::Request { method, .. } if method == "tools/call");
        // Beside these: jsonrpc, id and method.
        self.object.get("params").filter(|_| calls && self.object.len() == 4)?.as_object()
    }

    /// Whether the message belongs to the era without sessions. `header` is its MCP-Protocol-Version.
    pub(super) fn is_modern(&self, header: Option<&str>) -> bool {
        let in_body = self.meta(VERSION_KEY).is_some();
        let discovers = matches!(&self.kind, Kind::Request { method, .. } if method == "server/discover");
        in_body || discovers || header.is_some_and(|version| version >= MODERN)
    }

    /// The message as it was parsed.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // A map of JSON values always serialises.
        serde_json::to_vec(&self.object).unwrap_or_default()
    }
}

/// A string, or an integer that comes back as it was sent: a number with a fraction or of any size would not.
fn is_id(id: &Value) -> bool {
    id.is_i64() || id.as_str().is_some_and(|id| id.len() <= ID_BYTES)
}

/// Takes a body through all that is done with it before rmcp sees it, and checks what holds for any body. For tests and fuzzing.
///
/// # Panics
/// Where it does not hold.
#[doc(hidden)]
pub fn check_body(body: &[u8]) {
    let message = match Message::parse(body) {
        Ok(message) => message,
        Err(Malformed { code, message, id }) => {
            assert!([PARSE_ERROR, INVALID_REQUEST, INVALID_PARAMS].contains(&code), "{code}");
            assert!(!message.is_empty() && message.len() < 1024, "a refusal is short: {message}");
            assert!(id.is_null() || is_id(&id), "{id}");
            let answer: Value = serde_json::from_str(&error(&id, code, &message)).unwrap_or_default();
            assert_eq!(answer["error"]["message"], message, "and a message by itself");
            return;
        }
    };
    let plain: Value = serde_json::from_slice(body).unwrap_or_default();
    assert_eq!(plain.as_object(), Some(&message.object), "another reader of the body reads the same");
    let modern = message.is_modern(None);
    if let Kind::Request { id, method } = message.kind() {
        assert_eq!((plain.get("id"), plain["method"].as_str()), (Some(id), Some(method.as_str())));
        let answer: Value = serde_json::from_str(&tool_failure(id, modern, method)).unwrap_or_default();
        assert_eq!(answer["id"], *id, "an answer finds its request");
    }
    let again = message.to_bytes();
    let again = Message::parse(&again).unwrap_or_else(|error| unreachable!("what was accepted is written as such: {error:?}"));
    assert_eq!((again.kind(), again.is_modern(None)), (message.kind(), modern));
    // rmcp reads what is handed on. It may refuse it, and must not panic.
    let _ = serde_json::from_slice::<rmcp::model::ClientJsonRpcMessage>(&message.to_bytes());
}

/// A result of `tools/call` that says in words for the model why there is none.
pub(super) fn tool_failure(id: &Value, modern: bool, words: &str) -> String {
    let mut result = json!({ "content": [{ "type": "text", "text": words }], "isError": true });
    if modern {
        result["resultType"] = json!("complete");
    }
    json!({ "jsonrpc": "2.0", "id": id, "result": result }).to_string()
}

/// A JSON-RPC response, around a result that is JSON already.
pub(super) fn response(id: &Value, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// A JSON-RPC error.
pub(super) fn error(id: &Value, code: i32, message: &str) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } }).to_string()
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
    fn an_id_comes_back_as_it_was_sent_or_is_refused() {
        for id in ["1.5", "1e3", "9223372036854775808", "123456789012345678901234567890", "true", "[1]", "{}"] {
            let malformed = refused(&format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#));
            assert_eq!((malformed.code, malformed.id), (INVALID_REQUEST, Value::Null), "{id}");
        }
        for id in ["0", "-1", "9223372036854775807", "\"\"", "\"\\u0000\""] {
            let message = Message::parse(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#).as_bytes());
            let Kind::Request { id: read, .. } = message.expect(id).kind.clone() else { panic!("{id}") };
            assert_eq!(read.to_string(), id);
        }
        let long = "x".repeat(ID_BYTES + 1);
        assert_eq!(refused(&format!(r#"{{"jsonrpc":"2.0","id":"{long}","method":"ping"}}"#)).code, INVALID_REQUEST);
        let token =
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{{"progressToken":"{long}"}}}}}}"#);
        assert_eq!(refused(&token).code, INVALID_PARAMS);
    }

    /// Messages as clients send them, and pieces that readers are known to stumble over.
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
