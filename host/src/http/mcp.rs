//! `/mcp`: one message a request, in either era, handed to rmcp and answered.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::Value;

use super::admission::{Busy, Place};
use super::answer::{Pending, answer, come_back, json_response};
use super::body::{LargeBody, Unread};
use super::held::until_sent;
use super::message::{self, INTERNAL_ERROR, INVALID_REQUEST, Kind, Malformed, Message};
use super::outlive::outlive;
use super::plain::plain_call;
use super::router::App;
use super::session::Session;
use super::stream;
use crate::catalog::Catalog;
use crate::mcp::Server;
use crate::policy::Caller;

/// The key under which a modern request carries what its client calls itself.
const CLIENT_KEY: &str = "io.modelcontextprotocol/clientInfo";

/// Bytes of an answer to `initialize`. It has about a thousand.
const INITIALIZE_BYTES: usize = 64 * 1024;

pub(super) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// rmcp, without sessions of its own and with plain JSON answers.
pub(super) type Rmcp = StreamableHttpService<Server, NeverSessionManager>;

/// rmcp as Sandbar uses it. Host and Origin are checked before it is reached.
pub(super) fn rmcp(server: Server) -> Rmcp {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        // A message is bounded before it comes here, and may be a little longer as we write it.
        .with_max_request_body_bytes(usize::MAX)
        .with_sse_retry(None)
        .disable_allowed_hosts()
        .disable_allowed_origins();
    StreamableHttpService::new(move || Ok(server.refreshed()), NeverSessionManager::default().into(), config)
}

/// Answers a POST.
pub(super) async fn post(State(app): State<Arc<App>>, request: Request) -> Response {
    let (mut head, body) = request.into_parts();
    let (message, large) = match read(&app, body).await {
        Ok(read) => read,
        Err(refusal) => return *refusal,
    };
    accept_anything(&mut head.headers);
    let modern = message.is_modern(text(&head.headers, &PROTOCOL_VERSION));
    let session = text(&head.headers, &SESSION_ID).filter(|_| !modern).map(str::to_owned);
    match session.as_ref().map(|id| app.sessions.open(id)) {
        Some(Some(session)) => speak_for(&session, &mut head),
        Some(None) => return unknown_session(),
        None => introduce(&client(&message, modern), &mut head),
    }
    match admit(&app, &head, &message, large) {
        Ok(held) if modern => {
            let pending = pending(&app, head, &message, held.clone());
            match message.kind() {
                Kind::Request { id, method } if method == stream::LISTEN => stream::listen(&app, id, pending).await,
                _ => until_sent(answer(pending).await, held),
            }
        }
        Ok(held) => legacy(&app, head, message, session, held).await,
        Err(refusal) => busy(&head, &message, &refusal),
    }
}

/// The answer to a request: straight from the tool where that is possible, else from rmcp.
fn pending(app: &App, head: request::Parts, message: &Message, held: Held) -> Pending {
    // One catalog for the check and for the call.
    let server = app.server.refreshed();
    let mirrored = |tool: &str| server.has_mirrored_arguments(tool);
    match (plain_call(message, &head.headers, mirrored), head.extensions.get::<Caller>()) {
        (Some(call), Some(caller)) => app.call(server, caller.clone(), message, call, held),
        _ => app.ask(head, message, held),
    }
}

/// The answer to an id that is none of ours. It makes a client open a new session.
pub(super) fn unknown_session() -> Response {
    let words = "this session is unknown here; initialize again";
    json_response(StatusCode::NOT_FOUND, message::error(&Value::Null, INVALID_REQUEST, words))
}

/// Answers a DELETE: there is nothing to delete, since an id holds no state.
pub(super) async fn delete() -> Response {
    stream::not_allowed("this server has no session to DELETE: an id costs nothing and ends by itself")
}

/// Reads and parses the body, or says how it is refused.
async fn read(app: &App, body: Body) -> Result<(Message, Option<LargeBody>), Box<Response>> {
    let refuse = |status, code, words: &str| json_response(status, message::error(&Value::Null, code, words));
    let (body, large) = app.bodies.read(body).await.map_err(|unread| {
        let words = unread.to_string();
        Box::new(match unread {
            Unread::TooLarge => refuse(StatusCode::PAYLOAD_TOO_LARGE, INVALID_REQUEST, &words),
            Unread::Late => refuse(StatusCode::REQUEST_TIMEOUT, INVALID_REQUEST, &words),
            Unread::Broken(_) => refuse(StatusCode::BAD_REQUEST, INVALID_REQUEST, &words),
            Unread::Busy { retry_after } => {
                come_back(StatusCode::SERVICE_UNAVAILABLE, retry_after, message::error(&Value::Null, INTERNAL_ERROR, &words))
            }
        })
    })?;
    let message = Message::parse(&body)
        .map_err(|Malformed { code, message, id }| json_response(StatusCode::BAD_REQUEST, message::error(&id, code, &message)))?;
    Ok((message, large))
}

/// A client that takes anything takes both of MCP's content types; curl and the like send this.
fn accept_anything(headers: &mut HeaderMap) {
    let anything = headers.get_all(header::ACCEPT).iter().all(|accept| accept.as_bytes().trim_ascii() == b"*/*");
    if anything {
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    }
}

/// Says what a session knows of its client: what it calls itself, and the protocol version, where the request leaves that out.
fn speak_for(session: &Session, head: &mut request::Parts) {
    introduce(&session.client, head);
    if !head.headers.contains_key(PROTOCOL_VERSION)
        && let Ok(version) = HeaderValue::from_str(&session.version)
    {
        head.headers.insert(PROTOCOL_VERSION, version);
    }
}

fn introduce(client: &str, head: &mut request::Parts) {
    if let Some(caller) = head.extensions.get_mut::<Caller>() {
        caller.introduce(client);
    }
}

/// A message of the legacy era.
async fn legacy(app: &App, head: request::Parts, message: Message, session: Option<String>, held: Held) -> Response {
    match message.kind() {
        Kind::Request { method, .. } if method == "initialize" => initialize(app, head, &message, held).await,
        Kind::Request { id, .. } => {
            let call = app.calls.begin(session.as_deref().unwrap_or_default(), id);
            let pending = pending(app, head, &message, held.clone());
            let answered = outlive(pending, call, &app.running);
            // The call may be over long before its reader has read: both hold the place.
            until_sent(answer(answered).await, held)
        }
        Kind::Notification { method } if method == "notifications/cancelled" => {
            if let (Some(session), Some(id)) = (&session, message.param("requestId")) {
                app.calls.cancel(session, id);
            }
            accepted()
        }
        Kind::Notification { .. } | Kind::Response => app.ask(head, &message, held).await,
    }
}

fn accepted() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// `initialize`: rmcp negotiates, and the outcome becomes a session id.
async fn initialize(app: &App, head: request::Parts, message: &Message, held: Held) -> Response {
    let client = head.extensions.get::<Caller>().and_then(Caller::client).unwrap_or_default().to_owned();
    let response = app.ask(head, message, held).await;
    let (mut head, body) = response.into_parts();
    let body = axum::body::to_bytes(body, INITIALIZE_BYTES).await.unwrap_or_default();
    if let Some(version) = negotiated(&body)
        && let Some(session) = Session::new(version, client, app.server.list_digest())
        && let Ok(id) = HeaderValue::from_str(&app.sessions.mint(&session))
    {
        head.headers.insert(SESSION_ID, id);
    }
    Response::from_parts(head, Body::from(body))
}

/// The protocol version of an `initialize` result.
fn negotiated(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    answer.get("result")?.get("protocolVersion")?.as_str().map(str::to_owned)
}

/// The client's name and version, as it introduces itself: when it initializes, or with each request of the modern era.
fn client(message: &Message, modern: bool) -> String {
    let info = if modern { message.meta(CLIENT_KEY) } else { message.param("clientInfo") };
    let part = |key| info.and_then(|client| client.get(key)).and_then(Value::as_str).unwrap_or_default();
    format!("{} {}", part("name"), part("version")).trim().to_owned()
}

/// What a request holds until its answer has been sent: the place of a call, and that of a large body.
#[derive(Clone)]
struct Held {
    _place: Option<Place>,
    _large: Option<Arc<LargeBody>>,
}

/// Lets a call in. Other methods are answered from memory, and need no place.
fn admit(app: &App, head: &request::Parts, message: &Message, large: Option<LargeBody>) -> Result<Held, Busy> {
    let place = match (message.kind(), head.extensions.get::<Caller>()) {
        (Kind::Request { method, .. }, Some(caller)) if method == "tools/call" => Some(app.admission.admit(caller.identity())?),
        _ => None,
    };
    Ok(Held { _place: place, _large: large.map(Arc::new) })
}

/// What the model reads of a call that is not let in. A client would not show it a status of HTTP.
fn busy(head: &request::Parts, message: &Message, busy: &Busy) -> Response {
    if let Some(caller) = head.extensions.get::<Caller>() {
        let tool = message.param("name").and_then(Value::as_str).unwrap_or_default();
        let arguments = message.param("arguments").map(Value::to_string).unwrap_or_default();
        Catalog::turned_away(caller, tool, arguments.len());
    }
    let Kind::Request { id, .. } = message.kind() else { unreachable!("only requests are turned away") };
    let body = message::tool_failure(id, message.is_modern(None), &busy.to_string());
    json_response(StatusCode::OK, body)
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
