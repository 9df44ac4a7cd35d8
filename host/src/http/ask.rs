//! Handing a message to rmcp, and an answer whatever becomes of it: when a handler panics, says nothing, or the server stops.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use http::{HeaderValue, StatusCode, header, request};
use serde_json::Value;
use tower::ServiceExt;

use super::answer::{Pending, event, is_event_stream, json_response};
use super::held::until_sent;
use super::message::{self, INTERNAL_ERROR, Kind, Message};
use super::router::App;

/// How long a method other than `tools/call` may take. All of them are answered from memory. rmcp never answers for a handler that
/// panicked, so without a limit its client would wait for ever.
const METHOD_TIME: Duration = Duration::from_secs(10);

/// Methods whose answers have a time of their own: a call has its limits, and a subscription lasts as long as its client wants.
const LASTING: [&str; 2] = ["tools/call", "subscriptions/listen"];

/// What the caller of a call reads that was still running when the time to drain was over.
const STOPPED: &str = "the server is shutting down and has stopped this call; call again";

impl App {
    /// Asks rmcp. `held` is dropped once the answer has been sent or given up.
    pub(super) fn ask<T: Send + Unpin + 'static>(&self, mut head: request::Parts, message: &Message, held: T) -> Pending {
        let body = message.to_bytes();
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        let request = http::Request::from_parts(head, Body::from(body));
        let (rmcp, ending, asked) = (self.rmcp.clone(), self.ending.clone(), Asked::of(message));
        Box::pin(async move {
            let answered = AssertUnwindSafe(rmcp.oneshot(request)).catch_unwind();
            let response = tokio::select! {
                answered = answered => match answered {
                    Ok(Ok(response)) => asked.until(response.map(Body::new), ending),
                    Ok(Err(never)) => match never {},
                    Err(panic) => asked.failed(&words(panic.as_ref())),
                },
                () = ending.clone().cancelled_owned() => asked.stopped(),
                () = asked.time_out() => asked.failed("no answer"),
            };
            until_sent(response, held)
        })
    }
}

/// What was asked, for answers that rmcp does not give.
struct Asked {
    id: Value,
    method: String,
    modern: bool,
}

impl Asked {
    fn of(message: &Message) -> Self {
        let (id, method) = match message.kind() {
            Kind::Request { id, method } => (id.clone(), method.clone()),
            Kind::Notification { method } => (Value::Null, method.clone()),
            Kind::Response => (Value::Null, String::new()),
        };
        Self { id, method, modern: message.is_modern(None) }
    }

    async fn time_out(&self) {
        if LASTING.contains(&self.method.as_str()) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(METHOD_TIME).await;
    }

    /// A fault of the server's own.
    fn failed(&self, what: &str) -> Response {
        tracing::error!(method = self.method, what, "the server failed in a request");
        let words = "the server failed in this request; its log says why";
        json_response(StatusCode::INTERNAL_SERVER_ERROR, message::error(&self.id, INTERNAL_ERROR, words))
    }

    fn stopped(&self) -> Response {
        json_response(StatusCode::OK, self.stopped_message())
    }

    fn stopped_message(&self) -> String {
        if self.method == "tools/call" {
            message::tool_failure(&self.id, self.modern, STOPPED)
        } else {
            message::error(&self.id, INTERNAL_ERROR, "the server is shutting down")
        }
    }

    /// Ends a stream of events with a last one when the server ends.
    fn until(self, response: Response, ending: tokio_util::sync::CancellationToken) -> Response {
        if !is_event_stream(&response) || self.method != "tools/call" {
            return response;
        }
        response.map(|body| {
            let frames = body.into_data_stream().map(Some).chain(stream::once(async { None }));
            let stopped = stream::once(async move {
                ending.cancelled_owned().await;
                Some(Ok(event(&self.stopped_message())))
            });
            // Whichever ends first ends the stream: rmcp's frames with the None behind them, or the last event.
            let both = stream::select(frames.boxed(), stopped.boxed().chain(stream::once(async { None })));
            Body::from_stream(both.take_while(|frame| std::future::ready(frame.is_some())).filter_map(std::future::ready))
        })
    }
}

/// What a panic said.
pub(super) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
