//! The way back: plain JSON where the answer is ready soon, else a stream of events that begins before the answer is there.
//!
//! A client whose connection is cut before the response headers loses the whole connection, and some lose the whole client; with
//! a stream open, the one call fails. So headers go out early for what takes long. Events have no ids: a stream cannot be resumed
//! on another replica.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream::{self, Stream, StreamExt};
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::message;

/// How long an answer may take and still come as plain JSON.
const PATIENCE: Duration = Duration::from_secs(2);

/// Time between two comments on a silent stream, so that proxies and port-forwards keep it open.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Bytes of the last event of a stream. The official Python client refuses an event of more than 1,048,576 bytes; plain JSON has no
/// such limit.
const LAST_EVENT_BYTES: usize = 1_000_000;

/// The answer that is being worked on. Dropping it gives it up.
pub(super) type Pending = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Answers with what comes within the patience, or with a stream that brings it later.
pub(super) async fn answer(mut pending: Pending) -> Response {
    match tokio::time::timeout(PATIENCE, &mut pending).await {
        Ok(response) => response,
        Err(_) => event_stream(Body::from_stream(events(pending).map(Ok::<_, Infallible>))),
    }
}

/// A stream that ends without an event: the answer to a call that its client has cancelled.
pub(super) fn no_answer() -> Response {
    event_stream(Body::empty())
}

/// A response that is a stream of events.
pub(super) fn event_stream(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold the stream back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Where a stream of events stands.
enum State {
    Opening(Pending),
    Waiting(Pending),
    Passing(axum::body::BodyDataStream),
    /// The last event is on its way, with what its answer holds until it is sent.
    Sending(#[expect(dead_code, reason = "it is dropped once the event has been taken")] Body),
}

fn events(pending: Pending) -> impl Stream<Item = Bytes> + Send {
    stream::unfold(State::Opening(pending), next_event)
}

async fn next_event(state: State) -> Option<(Bytes, State)> {
    match state {
        State::Opening(pending) => Some((Bytes::from_static(b": the call is running\n\n"), State::Waiting(pending))),
        State::Waiting(mut pending) => match tokio::time::timeout(KEEP_ALIVE, &mut pending).await {
            Err(_) => Some((Bytes::from_static(b":\n\n"), State::Waiting(pending))),
            Ok(response) if is_event_stream(&response) => {
                // What is left of it goes on by itself from here on.
                drop(pending);
                pass(response.into_body().into_data_stream()).await
            }
            Ok(response) => Some(last_event(response).await),
        },
        State::Passing(frames) => pass(frames).await,
        State::Sending(_) => None,
    }
}

/// Passes on the events that rmcp makes where a call reports progress: a frame is an event.
async fn pass(mut frames: axum::body::BodyDataStream) -> Option<(Bytes, State)> {
    let frame = frames.next().await?.ok()?;
    let Some(data) = std::str::from_utf8(&frame).ok().filter(|text| text.len() > LAST_EVENT_BYTES).and_then(event_data) else {
        return Some((frame, State::Passing(frames)));
    };
    Some((event(&shrink(data)), State::Passing(frames)))
}

/// The data of an event on one line, as rmcp writes it.
fn event_data(event: &str) -> Option<&str> {
    event.lines().find_map(|line| line.strip_prefix("data:")).map(str::trim_start)
}

pub(super) fn is_event_stream(response: &Response) -> bool {
    response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

/// A JSON answer as the one event of its stream.
async fn last_event(response: Response) -> (Bytes, State) {
    let mut body = response.into_body();
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        frame.into_data().into_iter().for_each(|data| bytes.extend_from_slice(&data));
    }
    let text = String::from_utf8_lossy(&bytes);
    let event = if text.len() > LAST_EVENT_BYTES { event(&shrink(&text)) } else { event(&text) };
    (event, State::Sending(body))
}

/// A message as an event.
pub(super) fn event(data: &str) -> Bytes {
    Bytes::from(format!("event: message\ndata: {data}\n\n"))
}

/// Makes an answer fit an event: first without the text copy of its structured content, then as an error that names the limit.
fn shrink(text: &str) -> String {
    let Ok(mut message) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    if let Some(result) = message.get_mut("result").and_then(Value::as_object_mut)
        && result.contains_key("structuredContent")
    {
        result.insert("content".to_owned(), json!([]));
        let smaller = message.to_string();
        if smaller.len() <= LAST_EVENT_BYTES {
            return smaller;
        }
    }
    let words = format!(
        "the answer took longer than {} s and is larger than {LAST_EVENT_BYTES} bytes, which clients cannot read from a stream; ask for less, for example with a smaller limit",
        PATIENCE.as_secs()
    );
    let modern = message.get("result").is_some_and(|result| result.get("resultType").is_some());
    message::tool_failure(message.get("id").unwrap_or(&Value::Null), modern, &words)
}

/// A response of ours that asks the client to come back.
pub(super) fn come_back(status: StatusCode, after: Duration, body: String) -> Response {
    let mut response = json_response(status, body);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    response
}

/// A response of ours, with a JSON body.
pub(super) fn json_response(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(after: Duration, body: String) -> Pending {
        Box::pin(async move {
            tokio::time::sleep(after).await;
            json_response(StatusCode::OK, body)
        })
    }

    async fn text(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        String::from_utf8(bytes.to_vec()).expect("text")
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_ready_soon_is_plain_json() {
        let response = answer(later(Duration::from_secs(1), "{}".to_owned())).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(text(response).await, "{}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_is_a_stream_with_early_headers() {
        let response = answer(later(Duration::from_secs(20), "{\"id\":1}".to_owned())).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(text(response).await, ": the call is running\n\n:\n\nevent: message\ndata: {\"id\":1}\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_event_of_a_stream_is_bounded() {
        let result = |bytes: usize| {
            let text = "x".repeat(bytes);
            json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [{ "type": "text", "text": text }], "structuredContent": { "logs": text } } })
        };
        let streamed = text(answer(later(Duration::from_secs(3), result(600_000).to_string())).await).await;
        assert!(streamed.len() < LAST_EVENT_BYTES && streamed.contains("\"content\":[]"), "the text copy goes first");
        let streamed = text(answer(later(Duration::from_secs(3), result(1_200_000).to_string())).await).await;
        assert!(streamed.contains("\"isError\":true") && streamed.contains("1000000 bytes"));
    }
}
