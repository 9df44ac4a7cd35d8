//! Requests as clients write them, and what can go wrong with each part of them.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use sandbar_tests::mcp::{LEGACY, MODERN};
use serde_json::{Map, Value, json};

const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// Versions, and what is none.
const VERSIONS: [&str; 9] = ["2024-11-05", "2025-03-26", "2025-06-18", LEGACY, MODERN, "2026-07-29", "1999-01-01", "", "latest"];

/// Methods, and what is none.
const METHODS: [&str; 15] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "completion/complete",
    "logging/setLevel",
    "notifications/initialized",
    "notifications/cancelled",
    "no/such",
];

/// Resources, and what is none.
const RESOURCES: [&str; 4] = ["sandbar://explain/tool.md", "sandbar://top/tool.md", "sandbar://top/no-such", "no-uri"];

const ACCEPTS: [&str; 9] = [
    "application/json, text/event-stream",
    "text/event-stream, application/json;q=0.5",
    "application/json",
    "text/event-stream",
    "*/*",
    "application/*, text/*",
    "application/json;q=0, text/event-stream",
    "text/html",
    "Application/Json; charset=utf-8, TEXT/event-stream",
];

const TYPES: [&str; 6] = [
    "application/json",
    "application/json; charset=utf-8",
    "APPLICATION/JSON",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json-rpc",
];

/// Pieces that readers of JSON are known to stumble over.
const PIECES: [&[u8]; 12] =
    [b"\"id\":1,", b"\\ud800", b"\0", b"\xff", b"1e999", b"-0", b"[", b"}", b",", b"null", b"{\"a\":1,\"a\":2}", b"1.5"];

/// A request.
#[derive(Clone)]
pub(crate) struct Case {
    headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, value) in &self.headers {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "{}", String::from_utf8_lossy(&self.body))
    }
}

impl Case {
    pub(crate) fn request(&self) -> Request<Bytes> {
        let mut request = Request::post("/mcp").body(Bytes::from(self.body.clone())).unwrap();
        for (name, value) in &self.headers {
            request.headers_mut().append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        request
    }

    /// The values of a header.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(header, _)| *header == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as another reader reads it.
    pub(crate) fn message(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A member of the body, by its keys.
    pub(crate) fn at(&self, pointer: &str) -> Option<Value> {
        self.message()?.pointer(pointer).cloned()
    }

    pub(crate) fn method(&self) -> String {
        self.at("/method").and_then(|method| method.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// SplitMix64: the same cases in every run.
pub(crate) struct Generator(u64);

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// The next request: mostly right, and wrong in a place or two.
    pub(crate) fn case(&mut self) -> Case {
        let method = self.method();
        let version = if self.one_in(12) { self.of(&VERSIONS) } else { self.of(&VERSIONS[..5]) };
        let params = self.params(method, version);
        let mut message = json!({ "jsonrpc": "2.0", "id": self.id(), "method": method, "params": params });
        if method.starts_with("notifications/") {
            message.as_object_mut().unwrap().remove("id");
        }
        let mut headers = vec![("accept", ACCEPTS[0].to_owned()), ("content-type", TYPES[0].to_owned())];
        if method != "initialize" || self.one_in(4) {
            headers.push(("mcp-protocol-version", version.to_owned()));
        }
        if version == MODERN {
            headers.push(("mcp-method", method.to_owned()));
            if let Some(name) = message["params"]["name"].as_str().or(message["params"]["uri"].as_str()) {
                headers.push(("mcp-name", name.to_owned()));
            }
        }
        for _ in 0..self.below(3) {
            if self.one_in(2) { self.spoil_headers(&mut headers) } else { self.spoil(&mut message) }
        }
        let mut body = message.to_string().into_bytes();
        if self.one_in(10) {
            self.spoil_bytes(&mut body);
        }
        Case { headers, body }
    }

    fn method(&mut self) -> &'static str {
        if self.one_in(5) { self.of(&METHODS) } else { self.of(&METHODS[..10]) }
    }

    fn id(&mut self) -> Value {
        self.of(&[json!(1), json!(-7), json!("a"), json!(""), json!(i64::MAX)])
    }

    fn params(&mut self, method: &str, version: &str) -> Value {
        let mut params = match method {
            "initialize" => json!({
                "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "oracle", "version": "1" },
            }),
            "tools/call" => self.call(),
            "prompts/get" => self.prompt(),
            "resources/read" => json!({ "uri": self.of(&RESOURCES) }),
            "notifications/cancelled" => json!({ "requestId": self.id(), "reason": "x" }),
            _ => json!({}),
        };
        if version == MODERN && method != "initialize" {
            params["_meta"] = json!({ VERSION_KEY: version, CAPABILITIES_KEY: {} });
        }
        params
    }

    fn call(&mut self) -> Value {
        self.of(&[
            json!({ "name": "check_health", "arguments": {} }),
            json!({ "name": "check_health" }),
            json!({ "name": "list_workspaces", "arguments": { "namespace": "team-a", "limit": 1 } }),
            json!({ "name": "get_events", "arguments": { "namespace": "team-b" } }),
            json!({ "name": "get_events", "arguments": {} }),
            json!({ "name": "get_pod_logs", "arguments": { "namespace": "team-b", "name": "no-such-pod" } }),
            json!({ "name": "no_such_tool", "arguments": {} }),
        ])
    }

    fn prompt(&mut self) -> Value {
        self.of(&[
            json!({ "name": "what_is_wrong", "arguments": { "namespace": "team-a" } }),
            json!({ "name": "what_is_wrong" }),
            json!({ "name": "what_is_wrong", "arguments": { "place": "team-a" } }),
            json!({ "name": "no_such_prompt", "arguments": {} }),
        ])
    }

    /// Some value where another is expected.
    fn odd(&mut self) -> Value {
        self.of(&[
            Value::Null,
            json!([]),
            json!({}),
            json!(true),
            json!(0),
            json!(1.5),
            json!(1.0),
            json!("x"),
            json!(""),
            json!([1]),
            json!({ "x": null }),
            json!(u64::MAX),
            json!("x".repeat(200)),
        ])
    }

    fn spoil(&mut self, message: &mut Value) {
        let odd = self.odd();
        let keys = [
            "/jsonrpc",
            "/id",
            "/method",
            "/params",
            "/params/name",
            "/params/uri",
            "/params/arguments",
            "/params/cursor",
            "/params/protocolVersion",
            "/params/capabilities",
            "/params/clientInfo",
            "/params/clientInfo/name",
            "/params/clientInfo/version",
            "/params/capabilities/roots",
            "/params/capabilities/sampling",
            "/params/_meta",
            "/params/_meta/progressToken",
            "/params/_meta/io.modelcontextprotocol~1protocolVersion",
            "/params/_meta/io.modelcontextprotocol~1clientCapabilities",
            "/params/_meta/x",
            "/params/x",
            "/x",
        ];
        let pointer = self.of(&keys);
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/");
        // What is on the way there is made where it is missing.
        if parent == "/params/_meta" && message.pointer(parent).is_none() && message["params"].is_object() {
            message["params"]["_meta"] = Value::Object(Map::new());
        }
        if let Some(parent) = message.pointer_mut(parent).and_then(Value::as_object_mut) {
            if self.one_in(4) {
                parent.remove(&key);
            } else {
                parent.insert(key, odd);
            }
        }
    }

    fn spoil_headers(&mut self, headers: &mut Vec<(&'static str, String)>) {
        let name = self.of(&["accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name"]);
        let value = match name {
            "accept" => self.of(&ACCEPTS),
            "content-type" => self.of(&TYPES),
            "mcp-protocol-version" => self.of(&VERSIONS),
            "mcp-method" => self.of(&METHODS),
            _ => self.of(&["check_health", "x", "=?base64?Y2hlY2tfaGVhbHRo?=", "=?base64?!?="]),
        };
        // Twice, another one, or none.
        let is_twice = self.one_in(6);
        if !is_twice {
            headers.retain(|(header, _)| *header != name);
        }
        if is_twice || !self.one_in(3) {
            headers.push((name, value.to_owned()));
        }
    }

    fn spoil_bytes(&mut self, body: &mut Vec<u8>) {
        let at = self.below(body.len());
        match self.below(4) {
            0 => drop(body.remove(at)),
            1 => body[at] ^= 1 << self.below(8),
            2 => drop(body.splice(at..at, self.of(&PIECES).iter().copied())),
            _ => drop(body.splice(at..(at + self.below(9)).min(body.len()), [])),
        }
    }
}
