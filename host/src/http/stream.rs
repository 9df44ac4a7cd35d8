//! The two streams on which a server speaks by itself, to say that the list of tools has changed: a GET in the era of sessions,
//! `subscriptions/listen` in the newer one.
//!
//! Nothing is queued and nothing is kept for a client that is away: a session's id says which list it began with, and the id of an
//! event which list it announced. So a stream that opens, on any replica, knows what its client has missed.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use futures::stream::{self, StreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::answer::{KEEP_ALIVE, Pending, answer, event_stream, json_response};
use super::mcp::{PROTOCOL_VERSION, SESSION_ID, text, unknown_session};
use super::message::{self, INVALID_REQUEST};
use super::router::App;
use crate::catalog::ListDigest;
use crate::mcp::{Changes, MODERN};

/// The newer era's method for a stream.
pub(super) const LISTEN: &str = "subscriptions/listen";

/// Open streams of both eras together. A session's takes 11 KiB, one of rmcp's 44 KiB: this many fit beside the memory of the calls.
const STREAMS: usize = 1_000;

/// Seconds after which a client that found no room should try again.
const RETRY_AFTER: u32 = 60;

/// JSON-RPC's first code for errors of a server's own.
const NO_ROOM: i32 = -32000;

/// The event that says it.
const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;

/// The streams that are open.
#[derive(Clone)]
pub(super) struct Streams {
    places: Arc<Semaphore>,
    newest: Arc<Mutex<HashMap<String, Newest>>>,
}

/// The newest stream of a session.
struct Newest {
    superseded: CancellationToken,
    place: OwnedSemaphorePermit,
}

/// A session's stream. Dropping it makes room.
struct Stream {
    streams: Streams,
    session: String,
    superseded: CancellationToken,
}

impl Default for Streams {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(STREAMS)), newest: Arc::default() }
    }
}

impl Streams {
    /// Room for one more stream.
    fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Opens the stream of a session. One that is open ends, since a message must not come twice and a client that opens another has
    /// lost the first, and its place goes to the new one.
    fn open(&self, session: &str) -> Option<Stream> {
        let superseded = CancellationToken::new();
        let mut newest = self.lock();
        let place = match newest.remove(session) {
            Some(older) => {
                older.superseded.cancel();
                older.place
            }
            None => self.place()?,
        };
        newest.insert(session.to_owned(), Newest { superseded: superseded.clone(), place });
        Some(Stream { streams: self.clone(), session: session.to_owned(), superseded })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Newest>> {
        // The map is whole after every operation, so a panic elsewhere leaves nothing broken.
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut newest = self.streams.lock();
        // A stream that was superseded has left its place to the one that is there now.
        if !self.superseded.is_cancelled() {
            newest.remove(&self.session);
        }
    }
}

/// Answers a GET: the stream of a session.
pub(super) async fn get(State(app): State<Arc<App>>, request: Request) -> Response {
    let headers = request.headers();
    let is_modern = text(headers, &PROTOCOL_VERSION).is_some_and(|version| version >= MODERN);
    // A HEAD comes here, too, and must not end the stream that is open.
    if is_modern || request.method() != Method::GET {
        return not_allowed("there is nothing to GET here: POST your requests, `subscriptions/listen` for a stream");
    }
    let Some(id) = text(headers, &SESSION_ID) else {
        return not_allowed("there is no stream without a session: `initialize` first, and send the Mcp-Session-Id");
    };
    let Some(session) = app.sessions.open(id) else { return unknown_session() };
    if !takes_events(headers) {
        let words = "the stream is one of events: send `Accept: text/event-stream`";
        return json_response(StatusCode::NOT_ACCEPTABLE, message::error(&Value::Null, INVALID_REQUEST, words));
    }
    let Some(stream) = app.streams.open(id) else { return no_room(&Value::Null) };
    let known = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map_or(session.tools, ListDigest::from);
    let changes = app.server.changes_since(known);
    event_stream(Body::from_stream(events(stream, changes).map(Ok::<_, Infallible>)))
}

/// Answers `subscriptions/listen` with what rmcp makes of it, where there is room.
pub(super) async fn listen(app: &App, id: &Value, pending: Pending) -> Response {
    let Some(place) = app.streams.place() else { return no_room(id) };
    answer(pending).await.map(|body| {
        let held = body.into_data_stream().map(move |frame| {
            let _until_the_stream_is_dropped = &place;
            frame
        });
        Body::from_stream(held)
    })
}

/// An answer to a method of HTTP that is not served, in words for whoever reads it.
pub(super) fn not_allowed(words: &str) -> Response {
    let mut response = json_response(StatusCode::METHOD_NOT_ALLOWED, message::error(&Value::Null, INVALID_REQUEST, words));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, POST"));
    response
}

fn no_room(id: &Value) -> Response {
    let words = format!("this server has {STREAMS} streams open, and no room for more; requests are served without one");
    let mut response = json_response(StatusCode::SERVICE_UNAVAILABLE, message::error(id, NO_ROOM, &words));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER));
    response
}

fn takes_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|accept| accept.to_str().ok());
    let mut kinds = accepted.flat_map(|accept| accept.split(',')).map(|kind| kind.split(';').next().unwrap_or_default().trim());
    !headers.contains_key(header::ACCEPT) || kinds.any(|kind| matches!(kind, "text/event-stream" | "text/*" | "*/*"))
}

/// The events of a session's stream, each made when the client is ready to take it.
fn events(stream: Stream, changes: Changes) -> impl stream::Stream<Item = Bytes> + Send {
    // A comment at once, so that proxies pass the headers on.
    let opening = stream::once(async { Bytes::from_static(b": the list of tools is watched\n\n") });
    opening.chain(stream::unfold((stream, changes), next_event))
}

async fn next_event((stream, mut changes): (Stream, Changes)) -> Option<(Bytes, (Stream, Changes))> {
    let event = tokio::select! {
        biased;
        () = stream.superseded.cancelled() => return None,
        changed = tokio::time::timeout(KEEP_ALIVE, changes.next()) => match changed {
            Ok(Some(list)) => Bytes::from(format!("id: {}\nevent: message\ndata: {CHANGED}\n\n", list.as_str())),
            Ok(None) => return None,
            Err(_) => Bytes::from_static(b":\n\n"),
        },
    };
    Some((event, (stream, changes)))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn the_newest_stream_of_a_session_ends_the_others_and_takes_their_place() {
        let streams = Streams::default();
        let (first, other) = (streams.open("s").expect("room"), streams.open("t").expect("room"));
        let second = streams.open("s").expect("room");
        assert!(first.superseded.cancelled().now_or_never().is_some());
        assert!(second.superseded.cancelled().now_or_never().is_none());
        assert!(other.superseded.cancelled().now_or_never().is_none());
        assert_eq!(streams.places.available_permits(), STREAMS - 2);
        drop(first);
        assert!(streams.lock().contains_key("s"), "the one that was superseded does not take the newer one along");
        drop((second, other));
        assert_eq!(streams.places.available_permits(), STREAMS);
        assert!(streams.lock().is_empty());
    }

    #[test]
    fn streams_are_bounded_and_a_session_that_has_one_may_open_it_anew() {
        let streams = Streams::default();
        let open: Vec<_> = (0..STREAMS).map(|number| streams.open(&number.to_string()).expect("room")).collect();
        assert!(streams.open("another").is_none() && streams.place().is_none());
        assert!(streams.open("7").is_some());
        drop(open);
        assert!(streams.open("another").is_some());
    }
}
