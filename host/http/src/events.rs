//! Messages as server-sent events, and answers that are streams of them.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use super::HttpResponse;
use super::lease::Outgoing;
use super::media::EVENTS;
use super::rejection::typed;

/// What stands before a message in its event, and behind it.
const BEFORE_MESSAGE: &str = "event: message\ndata: ";
const AFTER_MESSAGE: &str = "\n\n";

/// An answer that is a stream of events.
pub(super) fn event_stream(body: Outgoing) -> HttpResponse {
    unbuffered(typed(StatusCode::OK, EVENTS, body))
}

/// An answer that comes in parts, each of which has to reach its reader at once.
pub(super) fn unbuffered(mut response: HttpResponse) -> HttpResponse {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold it back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// A message as an event.
pub(super) fn event(message: &str) -> Bytes {
    Bytes::from([BEFORE_MESSAGE, message, AFTER_MESSAGE].concat())
}

/// A message that comes in pieces as an event.
pub(super) fn event_of(pieces: impl IntoIterator<Item = Bytes>) -> impl Iterator<Item = Bytes> {
    let [before, after] = [BEFORE_MESSAGE, AFTER_MESSAGE].map(|text| Bytes::from_static(text.as_bytes()));
    std::iter::once(before).chain(pieces).chain([after])
}

/// What keeps a stream open and says nothing to its client.
pub(super) fn comment(words: &str) -> Bytes {
    Bytes::from(if words.is_empty() { ":\n\n".to_owned() } else { format!(": {words}\n\n") })
}
