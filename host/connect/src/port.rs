//! Clients that speak HTTP to a port of this machine. Their requests have the headers of MCP already, and their sessions are theirs: a
//! client goes on with the id that it has, whatever the server calls the session by now.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use sandbar_http::{Relay, RelayBody, relay};
use sandbar_mcp::Era;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Duration, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::bridge::Bridge;
use crate::conversation::{Asked, converse};
use crate::failure::refusal;
use crate::headers::{LAST_EVENT_ID, SESSION_ID};
use crate::message::{ClientMessage, Kind};
use crate::out::{Out, Part};
use crate::room::Text;
use crate::session::Session;
use crate::stream::{follow, listen};
use crate::telling::{Told, tell};
use crate::upstream::Form;

/// Requests and streams under way, of all clients.
const REQUESTS: usize = 256;

/// Parts of an answer that wait until the client reads.
const PARTS: usize = 4;

/// How long an answer may take, once its head is known, until that goes out without it.
const HEAD_PATIENCE: Duration = Duration::from_secs(2);

/// What the names of MCP's headers begin with.
const MCP: &str = "mcp-";

/// Headers by which a client chooses which tools it sees.
const SELECTION: [&str; 2] = ["x-mcp-tools", "x-mcp-toolsets"];

/// Serves clients on a port, which has to be one of this machine alone, until `stop` resolves.
pub async fn serve_port(bridge: Arc<Bridge>, listener: TcpListener, stop: impl Future<Output = ()>) {
    relay(listener, port(bridge), stop).await;
}

/// What answers the requests of a port.
pub(crate) fn port(bridge: Arc<Bridge>) -> Arc<dyn Relay> {
    Arc::new(Port { bridge, requests: Arc::new(Semaphore::new(REQUESTS)) })
}

struct Port {
    bridge: Arc<Bridge>,
    requests: Arc<Semaphore>,
}

impl Relay for Port {
    fn answer(&self, request: Request<Bytes>) -> BoxFuture<'static, Response<RelayBody>> {
        let place = self.requests.clone().try_acquire_owned();
        let bridge = self.bridge.clone();
        async move {
            let (head, body) = request.into_parts();
            let key = head.headers.get(SESSION_ID).and_then(|id| id.to_str().ok()).map(str::to_owned);
            let session = head.headers.get(SESSION_ID).map(|id| {
                key.as_deref().and_then(|key| bridge.sessions.find(key)).unwrap_or_else(|| Session::unknown(id.clone()))
            });
            let headers = passed_on(&head.headers);
            if head.method == Method::GET {
                let Ok(place) = place else { return no_place() };
                return stream_of(bridge, key.zip(session), headers, place).await;
            }
            let message = match ClientMessage::read(body) {
                Ok(message) => message,
                Err(refused) => return whole(StatusCode::BAD_REQUEST, Text::of(refused)),
            };
            // Without a session all clients would share their ids.
            let cancels = match (&message.kind, &key) {
                (Kind::Notification { cancelled: Some(id) }, Some(key)) => bridge.in_flight.cancel(key, id),
                _ => false,
            };
            // What is taken back gives up a place, and is told whether there is one or not: once for each request.
            if place.is_err() && !cancels {
                return no_place();
            }
            // Who says nothing of a session in its headers is in none, whichever era its message is of.
            let session = session.filter(|_| message.era() == Era::Legacy);
            match message.kind.clone() {
                Kind::Request(id) => {
                    let in_flight = bridge.in_flight.begin(key.as_deref().unwrap_or_default(), &id);
                    let (id, cancelled) = (id.into_json_value(), in_flight.cancellation().clone());
                    let asked = Asked { message, id, headers, session, key: None, cancelled, has_our_headers: false };
                    let (sender, parts) = mpsc::channel(PARTS);
                    let asking = async move {
                        let (_held, out) = ((in_flight, place), Out::Parts(sender));
                        if asked.message.is_subscription() {
                            listen(&bridge, &asked, &out).await;
                        } else {
                            converse(&bridge, &asked, &out).await;
                        }
                    };
                    assembled(parts, AbortOnDropHandle::new(tokio::spawn(asking))).await
                }
                Kind::Notification { .. } | Kind::Response => told(&bridge, &message, &headers, session.as_deref()).await,
            }
        }
        .boxed()
    }
}

/// There are too many requests.
fn no_place() -> Response<RelayBody> {
    let words = format!("{REQUESTS} requests and streams are under way already; try again when some are over");
    whole(StatusCode::SERVICE_UNAVAILABLE, refusal(&Value::Null, &words))
}

/// The headers that go along to the server. What a client says to this port of who it is does not: the way has its own login.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let is_passed_on = |name: &HeaderName| {
        (name.as_str().starts_with(MCP) && *name != SESSION_ID)
            || SELECTION.contains(&name.as_str())
            || [header::ACCEPT, header::CONTENT_TYPE, LAST_EVENT_ID].contains(name)
    };
    headers.iter().filter(|(name, _)| is_passed_on(name)).fold(HeaderMap::new(), |mut passed, (name, value)| {
        passed.append(name, value.clone());
        passed
    })
}

/// Tells the server something that has no answer.
async fn told(bridge: &Bridge, message: &ClientMessage, headers: &HeaderMap, session: Option<&Session>) -> Response<RelayBody> {
    let of = |status: u16| StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    match tell(&bridge.upstream, message, headers, session).await {
        Ok(Told { status, text: Some(text) }) => whole(of(status), text),
        Ok(Told { status, text: None }) => empty(of(status)),
        Err(failure) => whole(failure.status.map_or(StatusCode::BAD_GATEWAY, of), refusal(&Value::Null, &failure.words)),
    }
}

/// The stream of a session.
async fn stream_of(
    bridge: Arc<Bridge>,
    session: Option<(String, Arc<Session>)>,
    headers: HeaderMap,
    place: tokio::sync::OwnedSemaphorePermit,
) -> Response<RelayBody> {
    let Some((key, session)) = session else {
        let words = "there is no stream without a session: `initialize` first, and send the Mcp-Session-Id";
        return whole(StatusCode::METHOD_NOT_ALLOWED, refusal(&Value::Null, words));
    };
    let (sender, parts) = mpsc::channel(PARTS);
    let following = async move {
        let (_held, out) = (place, Out::Parts(sender));
        follow(&bridge, &key, &session, headers, &out).await;
    };
    assembled(parts, AbortOnDropHandle::new(tokio::spawn(following))).await
}

/// The answer of which these are the parts.
async fn assembled(mut parts: mpsc::Receiver<Part>, work: AbortOnDropHandle<()>) -> Response<RelayBody> {
    let (status, form, session) = match parts.recv().await {
        Some(Part::Head { status, form, session }) => {
            (StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), form, session)
        }
        // An error of ours, which is an answer to whoever reads JSON-RPC.
        Some(Part::Message(text)) => return whole(StatusCode::OK, text),
        // The request was cancelled, and an answer can end without one.
        Some(Part::Alive) | None => (StatusCode::OK, Form::Events, None),
    };
    let mut response = match form {
        Form::Nothing => empty(status),
        Form::Events => events(status, parts, work),
        Form::Json => json(status, parts, work).await,
    };
    if let Some(session) = session {
        response.headers_mut().insert(SESSION_ID, session);
    }
    response
}

fn events(status: StatusCode, parts: mpsc::Receiver<Part>, work: AbortOnDropHandle<()>) -> Response<RelayBody> {
    let events = stream::unfold((parts, work), |(mut parts, work)| async move {
        let event = match parts.recv().await? {
            Part::Message(text) => {
                vec![Bytes::from_static(b"event: message\ndata: "), text.into_bytes(), Bytes::from_static(b"\n\n")]
            }
            Part::Alive | Part::Head { .. } => vec![Bytes::from_static(b":\n\n")],
        };
        Some((stream::iter(event), (parts, work)))
    });
    unbuffered(typed(status, "text/event-stream", RelayBody::parts(events.flatten())))
}

/// One message, before which white space says that the server is at work.
async fn json(status: StatusCode, mut parts: mpsc::Receiver<Part>, work: AbortOnDropHandle<()>) -> Response<RelayBody> {
    let message = async {
        loop {
            match parts.recv().await {
                Some(Part::Message(text)) => return Some(text),
                Some(Part::Alive | Part::Head { .. }) => {}
                None => return None,
            }
        }
    };
    match timeout(HEAD_PATIENCE, message).await {
        Ok(Some(text)) => whole(status, text),
        Ok(None) => empty(status),
        Err(_late) => {
            let later = stream::unfold(Some((parts, work)), |state| async move {
                let (mut parts, work) = state?;
                Some(match parts.recv().await? {
                    Part::Message(text) => (text.into_bytes(), None),
                    Part::Alive | Part::Head { .. } => (Bytes::from_static(b" "), Some((parts, work))),
                })
            });
            unbuffered(typed(status, "application/json", RelayBody::parts(later)))
        }
    }
}

fn whole(status: StatusCode, text: Text) -> Response<RelayBody> {
    typed(status, "application/json", RelayBody::Whole(text.into_bytes()))
}

fn empty(status: StatusCode) -> Response<RelayBody> {
    let mut response = Response::new(RelayBody::Whole(Bytes::new()));
    *response.status_mut() = status;
    response
}

fn typed(status: StatusCode, kind: &'static str, body: RelayBody) -> Response<RelayBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn unbuffered(mut response: Response<RelayBody>) -> Response<RelayBody> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_of_itself_is_not_passed_on() {
        let names = [
            "authorization",
            "cookie",
            "x-remote-user",
            "host",
            "origin",
            "mcp-session-id",
            "mcp-method",
            "mcp-param-region",
            "accept",
            "x-mcp-tools",
        ];
        let headers = names.iter().map(|name| (HeaderName::from_static(name), HeaderValue::from_static("x"))).collect();
        let passed = passed_on(&headers);
        let mut passed: Vec<&str> = passed.keys().map(HeaderName::as_str).collect();
        passed.sort_unstable();
        assert_eq!(passed, ["accept", "mcp-method", "mcp-param-region", "x-mcp-tools"]);
    }
}
