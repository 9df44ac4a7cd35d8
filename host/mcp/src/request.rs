//! A client's request: its version and its method, with the parameters read once.
//!
//! Values that stand for "nothing" are read as nothing, and parameters that a method does not need are ignored. A missing or
//! malformed one that it needs is an error that names the parameter and the expected value.

use rmcp::model::{ErrorCode, ErrorData, JsonRpcError, ProgressToken, ProtocolVersion, RequestId};
use sandbar_catalog::{Arguments, Asked, Offer};
use sandbar_spans::TraceParent;
use sandbar_text::clean_line;
use serde_json::{Map, Value};

use super::message::{Message, MessageKind, NAME_BYTES, absent_or_object, malformed, request_id};
use super::version::{Era, Version};

/// The key under which a modern request carries its protocol version.
pub const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";

/// The key under which a modern request carries its client's capabilities.
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// The key under which a modern request carries its client's name and version.
const CLIENT_KEY: &str = "io.modelcontextprotocol/clientInfo";

/// The key under which a request asks for progress notifications.
const PROGRESS_KEY: &str = "progressToken";

/// Bytes of a URI: no resource has a longer one.
const URI_BYTES: usize = 1024;

/// Bytes that are read of a client's name, and of its version. A few dozen are kept.
const CLIENT_BYTES: usize = 256;

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The id of its response.
    pub id: RequestId,
    /// The client's version.
    pub version: Version,
    /// The method.
    pub method: Method,
    /// The token of its progress notifications, if the client asked for them.
    pub progress: Option<ProgressToken>,
    /// The span of the caller in which it is made, if it says one.
    pub parent: Option<TraceParent>,
}

/// The methods, each with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// `initialize`: opens a session of the request's version.
    Initialize,
    /// `ping`: whether the server lives.
    Ping,
    /// `server/discover`: the server's name and capabilities.
    Discover,
    /// A list of what there is.
    List(Listing),
    /// `tools/call`, `prompts/get` or `resources/read`: what a component has to be asked.
    Call(Asked),
    /// `subscriptions/listen`.
    Listen {
        /// The lists of whose changes to notify. There are no other notifications.
        changes_of: Vec<Offer>,
    },
}

/// A list of what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listing {
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    ResourceTemplates,
}

impl Listing {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::ResourceTemplates];
}

impl Version {
    /// The version of a message: in the modern era its own; else that of the header, or, in older versions, of the session.
    pub fn of(message: &Message, header: Option<&str>, session: Option<Self>) -> Result<Self, ErrorData> {
        let opens = message.param("protocolVersion");
        // With only the modern era's version it is answered in that era, which has no such method.
        if is_initialize(message) && (opens.is_some() || message.meta(VERSION_KEY).is_none()) {
            let asked = opens.and_then(Value::as_str);
            return asked.map(Self::negotiated).ok_or_else(|| {
                let newest = Self::NEWEST_LEGACY.as_str();
                ErrorData::invalid_params(format!("`params.protocolVersion` has to be a string, {newest:?} for example"), None)
            });
        }
        let said = match message.meta(VERSION_KEY) {
            Some(Value::String(version)) => Some(version.as_str()),
            Some(_) => {
                return Err(ErrorData::invalid_params(
                    format!("`params._meta` has `{VERSION_KEY}`, which has to be a string"),
                    None,
                ));
            }
            None => None,
        };
        let is_request = message.id().is_some();
        match (said, header) {
            (Some(said), Some(header)) if said != header => {
                let words = format!(
                    "the header MCP-Protocol-Version is {:?}, and `{VERSION_KEY}` in `_meta` is {:?}",
                    clean_line(header, NAME_BYTES),
                    clean_line(said, NAME_BYTES)
                );
                Err(ErrorData::header_mismatch(words, None))
            }
            (Some(said), None) if is_request => {
                let words = format!(
                    "the header MCP-Protocol-Version is missing: it has to repeat `{VERSION_KEY}` ({:?})",
                    clean_line(said, NAME_BYTES)
                );
                Err(ErrorData::header_mismatch(words, None))
            }
            (Some(text), _) | (None, Some(text)) => Self::parse(text).ok_or_else(|| unsupported(text)),
            (None, None) => Ok(session.unwrap_or(Self::ASSUMED)),
        }
    }
}

impl Request {
    /// Reads a request of this version.
    pub fn read(id: RequestId, message: Message, version: Version) -> Result<Self, JsonRpcError> {
        let refused = |error| JsonRpcError::new(Some(id.clone()), error);
        let Message { kind: MessageKind::Request { method, .. }, mut params } = message else {
            return Err(refused(ErrorData::invalid_request("`method` is missing", None)));
        };
        let meta = absent_or_object(params.remove("_meta"))
            .ok_or_else(|| malformed(Some(id.clone()), "`params._meta` has to be an object"))?
            .unwrap_or_default();
        let modern = version.era() == Era::Modern;
        if modern || method == "server/discover" {
            check_meta(&meta).map_err(refused)?;
        }
        let progress = match meta.get(PROGRESS_KEY) {
            None | Some(Value::Null) => None,
            Some(token) => Some(ProgressToken(request_id(token).ok_or_else(|| {
                let words = "`params._meta.progressToken` has to be an integer or a string of up to 1024 bytes";
                malformed(Some(id.clone()), words)
            })?)),
        };
        let parent = parent(&meta);
        let method = match method.as_str() {
            "initialize" if !modern => Method::Initialize,
            "ping" if !modern => Method::Ping,
            "server/discover" => Method::Discover,
            "tools/list" => list(Listing::Tools, &params).map_err(refused)?,
            "prompts/list" => list(Listing::Prompts, &params).map_err(refused)?,
            "resources/list" => list(Listing::Resources, &params).map_err(refused)?,
            "resources/templates/list" => list(Listing::ResourceTemplates, &params).map_err(refused)?,
            "tools/call" => {
                let (name, arguments) = call(params).map_err(refused)?;
                Method::Call(Asked::Tool { name, arguments })
            }
            "prompts/get" => {
                let (name, arguments) = call(params).map_err(refused)?;
                Method::Call(Asked::Prompt { name, arguments })
            }
            "resources/read" => Method::Call(Asked::Resource { uri: uri(params).map_err(refused)? }),
            "subscriptions/listen" if modern => listen(&params).map_err(refused)?,
            unknown => return Err(refused(unknown_method(unknown, version))),
        };
        Ok(Self { id, version, method, progress, parent })
    }
}

/// Whether a message opens a session. If so it is of the legacy era, whatever else it says.
/// The caller's span, where MCP's conventions have it. What is not right there is ignored, as W3C Trace Context has it.
fn parent(meta: &Map<String, Value>) -> Option<TraceParent> {
    TraceParent::parse(meta.get("traceparent")?.as_str()?, meta.get("tracestate").and_then(Value::as_str))
}

fn is_initialize(message: &Message) -> bool {
    matches!(&message.kind, MessageKind::Request { method, .. } if method == "initialize")
}

/// Checks the members of `_meta` that every request of the modern era has.
fn check_meta(meta: &Map<String, Value>) -> Result<(), ErrorData> {
    let capabilities = match meta.get(CAPABILITIES_KEY) {
        Some(Value::Object(_)) => true,
        // Their content does not matter here, nor how a language writes an empty one.
        Some(Value::Array(items)) => items.is_empty(),
        _ => false,
    };
    let missing: Vec<&str> =
        [(VERSION_KEY, meta.get(VERSION_KEY).is_some_and(Value::is_string)), (CAPABILITIES_KEY, capabilities)]
            .into_iter()
            .filter_map(|(key, is_there)| (!is_there).then_some(key))
            .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let words = format!(
        "each request of {} needs in `params._meta` a string `{VERSION_KEY}` and an object `{CAPABILITIES_KEY}`; missing or malformed: {}",
        Version::V2026_07_28.as_str(),
        missing.join(", ")
    );
    Err(ErrorData::invalid_params(words, None))
}

fn list(listing: Listing, params: &Map<String, Value>) -> Result<Method, ErrorData> {
    match params.get("cursor") {
        None | Some(Value::Null | Value::String(_)) => Ok(Method::List(listing)),
        Some(_) => Err(ErrorData::invalid_params("`params.cursor` has to be a string", None)),
    }
}

fn call(mut params: Map<String, Value>) -> Result<(String, Arguments), ErrorData> {
    let name = match params.remove("name") {
        Some(Value::String(name)) if name.len() <= NAME_BYTES => name,
        _ => return Err(ErrorData::invalid_params("`params.name` has to be a string of up to 128 bytes", None)),
    };
    let arguments = Arguments::of_message(params.remove("arguments"))
        .ok_or_else(|| ErrorData::invalid_params("`params.arguments` has to be an object", None))?;
    Ok((name, arguments))
}

fn uri(mut params: Map<String, Value>) -> Result<String, ErrorData> {
    match params.remove("uri") {
        Some(Value::String(uri)) if uri.len() <= URI_BYTES => Ok(uri),
        _ => Err(ErrorData::invalid_params(format!("`params.uri` has to be a string of up to {URI_BYTES} bytes"), None)),
    }
}

fn listen(params: &Map<String, Value>) -> Result<Method, ErrorData> {
    let wanted = params.get("notifications").cloned();
    if wanted.is_none() {
        let words = "`params.notifications` is missing: an object such as {\"toolsListChanged\": true}";
        return Err(ErrorData::invalid_params(words, None));
    }
    let wanted = absent_or_object(wanted)
        .ok_or_else(|| ErrorData::invalid_params("`params.notifications` has to be an object", None))?
        .unwrap_or_default();
    let mut changes_of = Vec::new();
    for offer in Offer::ALL {
        // `toolsListChanged` and so on.
        let key = format!("{offer}sListChanged");
        match wanted.get(&key) {
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(Value::Bool(true)) => changes_of.push(offer),
            Some(_) => {
                return Err(ErrorData::invalid_params(format!("`params.notifications.{key}` has to be true or false"), None));
            }
        }
    }
    Ok(Method::Listen { changes_of })
}

/// The methods that both eras have.
const METHODS: &str =
    "tools/list, tools/call, prompts/list, prompts/get, resources/list, resources/templates/list, resources/read";

fn unknown_method(method: &str, version: Version) -> ErrorData {
    let own = match version.era() {
        Era::Legacy => "initialize and ping",
        Era::Modern => "server/discover and subscriptions/listen",
    };
    // Quotes at most 128 bytes.
    let words = format!("this server has no method {method:?}; in version {} it has {METHODS}, {own}", version.as_str());
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, words, None)
}

fn unsupported(version: &str) -> ErrorData {
    let version = clean_line(version, NAME_BYTES);
    let requested: ProtocolVersion = serde_json::from_value(version.as_str().into()).unwrap_or_default();
    let spoken = Version::ALL.map(Version::as_str).join(", ");
    let message = format!("this server does not speak version {version:?} of the protocol; it speaks {spoken}").into();
    ErrorData { message, ..ErrorData::unsupported_protocol_version(requested, &Version::ALL.map(ProtocolVersion::from)) }
}

/// A client's name and version, from `initialize` or from each request of the modern era. Unverified, and cut.
pub fn client_of(message: &Message) -> String {
    let info = if is_initialize(message) { message.param("clientInfo") } else { message.meta(CLIENT_KEY) };
    let part = |key| match info.and_then(|client| client.get(key)) {
        Some(Value::String(text)) => text[..text.floor_char_boundary(CLIENT_BYTES)].to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    format!("{} {}", part("name"), part("version")).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(method: &str, params: &Value) -> Message {
        let text = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        Message::parse(text.as_bytes()).unwrap_or_else(|refusal| panic!("{text}: {refusal:?}"))
    }

    fn read(method: &str, params: &Value, version: Version) -> Result<Request, JsonRpcError> {
        Request::read(RequestId::Number(1), message(method, params), version)
    }

    fn legacy(method: &str, params: Value) -> Result<Method, (i32, String)> {
        read(method, &params, Version::V2025_11_25)
            .map(|request| request.method)
            .map_err(|refusal| (refusal.error.code.0, refusal.error.message.into_owned()))
    }

    #[test]
    fn what_stands_for_nothing_is_nothing() {
        for nothing in [Value::Null, json!([])] {
            assert_eq!(legacy("tools/list", nothing.clone()), Ok(Method::List(Listing::Tools)));
            assert_eq!(legacy("tools/list", json!({ "_meta": nothing })), Ok(Method::List(Listing::Tools)));
            assert_eq!(legacy("ping", nothing.clone()), Ok(Method::Ping));
            let called = Asked::Tool { name: "t".to_owned(), arguments: Arguments::default() };
            assert_eq!(legacy("tools/call", json!({ "name": "t", "arguments": nothing })), Ok(Method::Call(called)));
            let filled = Asked::Prompt { name: "t".to_owned(), arguments: Arguments::default() };
            assert_eq!(legacy("prompts/get", json!({ "name": "t", "arguments": nothing })), Ok(Method::Call(filled)));
        }
        let as_text = legacy("tools/call", json!({ "name": "t", "arguments": "{\"a\":1}" }));
        let arguments = Map::from_iter([("a".to_owned(), json!(1))]).into();
        assert_eq!(as_text, Ok(Method::Call(Asked::Tool { name: "t".to_owned(), arguments })));
        for cursor in [Value::Null, json!("")] {
            assert_eq!(legacy("tools/list", json!({ "cursor": cursor })), Ok(Method::List(Listing::Tools)));
        }
        let silent = read("tools/list", &json!({ "_meta": { "progressToken": null } }), Version::V2025_11_25);
        assert_eq!(silent.expect("a request").progress, None);
    }

    #[test]
    fn what_is_something_else_is_named() {
        for (method, params, named) in [
            ("tools/call", json!({}), "params.name"),
            ("tools/call", json!({ "name": 1 }), "params.name"),
            ("tools/call", json!({ "name": "x".repeat(129) }), "params.name"),
            ("tools/call", json!({ "name": "t", "arguments": [1] }), "params.arguments"),
            ("tools/call", json!({ "name": "t", "arguments": "{" }), "params.arguments"),
            ("tools/call", json!({ "name": "t", "_meta": 1 }), "params._meta"),
            ("tools/call", json!({ "name": "t", "_meta": { "progressToken": 1.5 } }), "progressToken"),
            ("tools/list", json!({ "cursor": 1 }), "params.cursor"),
            ("resources/templates/list", json!({ "cursor": 1 }), "params.cursor"),
            ("prompts/get", json!({ "arguments": {} }), "params.name"),
            ("resources/read", json!({}), "params.uri"),
            ("resources/read", json!({ "uri": "x".repeat(1025) }), "params.uri"),
        ] {
            let (code, words) = legacy(method, params.clone()).expect_err("refused");
            assert!(code == -32602 && words.contains(named), "{method} {params}: {code} {words}");
        }
        let (code, words) = legacy("completion/complete", Value::Null).expect_err("refused");
        assert!(code == -32601 && words.contains("completion/complete") && words.contains("tools/call"), "{words}");
    }

    #[test]
    fn a_handshake_needs_a_version_and_nothing_else() {
        let version = |params: Value| Version::of(&message("initialize", &params), None, None);
        for params in [
            json!({ "protocolVersion": "2025-06-18" }),
            json!({ "protocolVersion": "2025-06-18", "capabilities": [], "clientInfo": [] }),
            json!({ "protocolVersion": "2025-06-18", "capabilities": { "roots": [], "sampling": true }, "clientInfo": { "name": 1 } }),
            json!({ "protocolVersion": "2025-06-18", "capabilities": null, "clientInfo": null, "_meta": { VERSION_KEY: "2026-07-28" } }),
        ] {
            assert_eq!(version(params.clone()).ok(), Some(Version::V2025_06_18), "{params}");
            assert_eq!(legacy("initialize", params), Ok(Method::Initialize));
        }
        for params in [json!({}), json!({ "protocolVersion": null }), json!({ "protocolVersion": 2025 })] {
            let error = version(params).expect_err("refused");
            assert!(error.code == ErrorCode::INVALID_PARAMS && error.message.contains("params.protocolVersion"), "{error:?}");
        }
    }

    #[test]
    fn the_version_is_the_requests_own_then_the_headers_then_the_sessions() {
        let of = |meta: Option<&str>, header, session| {
            let params = meta.map_or(json!({}), |version| json!({ "_meta": { VERSION_KEY: version } }));
            Version::of(&message("tools/list", &params), header, session).map_err(|error| error.code.0)
        };
        let session = Some(Version::V2025_06_18);
        assert_eq!(of(None, None, None), Ok(Version::V2025_03_26));
        assert_eq!(of(None, None, session), Ok(Version::V2025_06_18));
        assert_eq!(of(None, Some("2025-11-25"), session), Ok(Version::V2025_11_25));
        assert_eq!(of(Some("2026-07-28"), Some("2026-07-28"), session), Ok(Version::V2026_07_28));
        assert_eq!(of(Some("2026-07-28"), Some("2025-11-25"), None), Err(-32020));
        assert_eq!(of(Some("2026-07-28"), None, None), Err(-32020));
        assert_eq!(of(Some("2099-01-01"), Some("2099-01-01"), None), Err(-32022));
        assert_eq!(of(None, Some("1"), None), Err(-32022));
    }

    #[test]
    fn the_modern_era_wants_to_know_what_its_client_can_do() {
        let meta = |capabilities: Value| json!({ "_meta": { VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: capabilities } });
        for capabilities in [json!({}), json!([]), json!({ "roots": [], "sampling": true })] {
            assert!(read("tools/list", &meta(capabilities), Version::V2026_07_28).is_ok());
        }
        for params in
            [json!({}), meta(Value::Null), meta(json!(true)), meta(json!([1])), json!({ "_meta": { CAPABILITIES_KEY: {} } })]
        {
            for method in ["tools/list", "tools/call", "server/discover"] {
                let refusal = read(method, &params, Version::V2026_07_28).expect_err("refused");
                assert_eq!(refusal.error.code, ErrorCode::INVALID_PARAMS, "{params}");
            }
        }
    }

    #[test]
    fn a_subscription_says_what_it_wants_to_hear() {
        let listen = |notifications: Value| {
            let meta = json!({ VERSION_KEY: "2026-07-28", CAPABILITIES_KEY: {} });
            let request =
                read("subscriptions/listen", &json!({ "_meta": meta, "notifications": notifications }), Version::V2026_07_28);
            request.map(|request| request.method).map_err(|refusal| refusal.error.message.into_owned())
        };
        let of = |changes_of: &[Offer]| Ok(Method::Listen { changes_of: changes_of.to_vec() });
        assert_eq!(listen(json!({ "toolsListChanged": true, "else": 1 })), of(&[Offer::Tool]));
        assert_eq!(
            listen(json!({ "resourcesListChanged": true, "promptsListChanged": true })),
            of(&[Offer::Prompt, Offer::Resource])
        );
        for silent in [json!({}), json!([]), json!({ "toolsListChanged": null }), json!({ "toolsListChanged": false })] {
            assert_eq!(listen(silent), of(&[]));
        }
        assert!(listen(json!({ "promptsListChanged": 1 })).is_err_and(|words| words.contains("promptsListChanged")));
        assert!(listen(json!({ "toolsListChanged": 1 })).is_err_and(|words| words.contains("toolsListChanged")));
    }

    #[test]
    fn a_client_is_named_in_its_own_words_and_few_of_them() {
        let name = |info: Value| client_of(&message("initialize", &json!({ "protocolVersion": "1", "clientInfo": info })));
        assert_eq!(name(json!({ "name": "c", "version": 2 })), "c 2");
        assert_eq!(name(json!({ "version": "2" })), "2");
        assert_eq!(name(json!([])), "");
        assert!(name(json!({ "name": "é".repeat(1 << 20), "version": "x".repeat(1 << 20) })).len() <= 2 * CLIENT_BYTES + 1);
    }
}
