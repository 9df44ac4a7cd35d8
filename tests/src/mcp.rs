//! An MCP client in both eras, small enough to see what goes over the wire.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::http::{self as wire, Reply};
use crate::sandbar::Server;

/// The version that needs no session.
pub const MODERN: &str = "2026-07-28";

/// The newest version with sessions.
pub const LEGACY: &str = "2025-11-25";

/// A client. Each request has a connection of its own.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    era: Era,
    next_id: AtomicU64,
}

#[derive(Clone, Debug)]
enum Era {
    Modern,
    Legacy { version: String, session: String },
}

impl Client {
    /// A client that sends every request by itself.
    pub fn modern(server: &Server) -> Self {
        Self { address: server.address(), era: Era::Modern, next_id: AtomicU64::new(1) }
    }

    /// A client that opens a session first.
    pub async fn legacy(server: &Server) -> Self {
        Self::legacy_version(server, LEGACY).await
    }

    /// A client that opens a session of this version.
    pub async fn legacy_version(server: &Server, version: &str) -> Self {
        Self::legacy_at(server.address(), version).await
    }

    /// The same with whoever serves at this address.
    pub async fn legacy_at(address: SocketAddr, version: &str) -> Self {
        let reply = wire::send(address, initialize(version)).await;
        assert_eq!(reply.status, 200);
        let session = reply.header("mcp-session-id").expect("a session").to_owned();
        let message = reply.message().await.expect("a result");
        assert_eq!(message["result"]["protocolVersion"], version);
        Self::resume_at(address, version, &session)
    }

    /// A client that goes on with a session that it has opened elsewhere.
    pub fn resume(server: &Server, version: &str, session: &str) -> Self {
        Self::resume_at(server.address(), version, session)
    }

    /// The same with whoever serves at this address.
    pub fn resume_at(address: SocketAddr, version: &str, session: &str) -> Self {
        let era = Era::Legacy { version: version.to_owned(), session: session.to_owned() };
        Self { address, era, next_id: AtomicU64::new(1) }
    }

    /// The session's id.
    pub fn session(&self) -> &str {
        match &self.era {
            Era::Modern => "",
            Era::Legacy { session, .. } => session,
        }
    }

    /// Calls a tool: its structured result, or the words of its failure.
    ///
    /// # Panics
    /// Where the answer is no result of MCP, or the text is not the JSON of the structured content.
    pub async fn call(&self, tool: &str, arguments: Value) -> Result<Value, String> {
        outcome(&self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await)
    }

    /// Calls a tool that answers.
    ///
    /// # Panics
    /// Where it fails.
    pub async fn answer(&self, tool: &str, arguments: Value) -> Value {
        let described = arguments.to_string();
        self.call(tool, arguments).await.unwrap_or_else(|words| panic!("{tool} {described} failed: {words}"))
    }

    /// Calls a tool that fails, and returns its words.
    ///
    /// # Panics
    /// Where it answers.
    pub async fn failure(&self, tool: &str, arguments: Value) -> String {
        let described = arguments.to_string();
        match self.call(tool, arguments).await {
            Err(words) => words,
            Ok(answer) => panic!("{tool} {described} answered: {answer}"),
        }
    }

    /// Sends a request and returns the JSON-RPC message that answers it.
    pub async fn request(&self, method: &str, params: Value) -> Value {
        self.send(method, params).await.message().await.expect("an answer")
    }

    /// Sends a request and returns the HTTP answer.
    pub async fn send(&self, method: &str, params: Value) -> Reply {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        wire::send(self.address, self.http_request(json!(id), method, params)).await
    }

    /// A request as it goes over the wire.
    pub fn http_request(&self, id: Value, method: &str, params: Value) -> Request<Bytes> {
        match &self.era {
            Era::Modern => modern(id, method, params),
            Era::Legacy { version, session } => {
                let mut request = post(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
                set(&mut request, "mcp-session-id", session);
                set(&mut request, "mcp-protocol-version", version);
                request
            }
        }
    }

    /// Sends a notification.
    pub async fn notify(&self, method: &str, params: Value) -> Reply {
        let mut request = self.http_request(Value::Null, method, Value::Null);
        *request.body_mut() = json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string().into();
        wire::send(self.address, request).await
    }
}

/// How the notice begins that stands before what a component of others has read.
pub const NOTICE: &str = "This was read from the cluster by a tool that is not part of this server.";

/// The key that it has in a structured result.
pub const NOTICE_KEY: &str = "_untrusted";

/// What the answer to a `tools/call` says, apart from the notice: its structured result, or the words of its failure.
///
/// # Panics
/// Where it is no result of MCP, or the text is not the JSON of the structured content.
pub fn outcome(message: &Value) -> Result<Value, String> {
    let result = &message["result"];
    assert!(result.is_object(), "no result: {message}");
    let texts = result["content"].as_array().into_iter().flatten().filter_map(|block| block["text"].as_str());
    let texts: Vec<&str> = texts.filter(|text| !text.starts_with(NOTICE)).collect();
    if result["isError"] == json!(true) {
        return Err(texts.concat());
    }
    let structured = &result["structuredContent"];
    if let [text] = texts[..] {
        assert_eq!(text, structured.to_string(), "the text is the structured content");
    }
    let mut structured = structured.clone();
    if let Some(structured) = structured.as_object_mut() {
        structured.remove(NOTICE_KEY);
    }
    Ok(structured)
}

/// `initialize`, with this version.
pub fn initialize(version: &str) -> Request<Bytes> {
    let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "tests", "version": "1" } });
    post(json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }))
}

/// A request that stands alone.
pub fn modern(id: Value, method: &str, mut params: Value) -> Request<Bytes> {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!(MODERN);
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({ "name": "tests", "version": "1" });
    let name = params["name"].as_str().or(params["uri"].as_str()).map(str::to_owned);
    let mut request = post(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
    set(&mut request, "mcp-protocol-version", MODERN);
    set(&mut request, "mcp-method", method);
    if let Some(name) = name {
        set(&mut request, "mcp-name", &name);
    }
    request
}

/// A POST of a message, with the headers that every client sends.
pub fn post(message: Value) -> Request<Bytes> {
    post_text(message.to_string())
}

/// A POST of anything.
pub fn post_text(body: impl Into<Bytes>) -> Request<Bytes> {
    Request::post("/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(body.into())
        .expect("a request")
}

/// Sets a header.
pub fn set(request: &mut Request<Bytes>, name: &'static str, value: &str) {
    request.headers_mut().insert(name, value.parse().expect("a header value"));
}
