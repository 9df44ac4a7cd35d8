//! Handing a message to who answers it, and an answer whatever becomes of it: when a handler panics, says nothing, or the server
//! stops.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use http::{HeaderValue, StatusCode, header, request};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::answer::{Pending, event, is_event_stream, json_response};
use super::held::until_sent;
use super::message::{self, INTERNAL_ERROR, Kind, Message};
use super::router::App;
use super::unread::{NoRoom, Unread};
use crate::mcp::{PlainCall, Server};
use crate::policy::Caller;

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
        let (rmcp, way, asked) = (self.rmcp.clone(), self.way_back(), Asked::of(message));
        Box::pin(async move {
            let answering =
                async move { rmcp.oneshot(request).await.map_or_else(|never| match never {}, |answer| answer.map(Body::new)) };
            until_sent(asked.answered(answering, way).await, held)
        })
    }

    /// Runs a call, past rmcp. `held` is dropped once the answer has been sent or given up.
    pub(super) fn call<T>(&self, server: Server, caller: Caller, message: &Message, call: PlainCall, held: T) -> Pending
    where
        T: Send + Unpin + 'static,
    {
        let (way, asked) = (self.way_back(), Asked::of(message));
        let id = asked.id.clone();
        Box::pin(async move {
            let answering = async {
                let body = match server.call(&caller, call).await {
                    Ok(result) => message::response(&id, &result),
                    Err(error) => message::error(&id, error.code.0, &error.message),
                };
                json_response(StatusCode::OK, body)
            };
            until_sent(asked.answered(answering, way).await, held)
        })
    }

    fn way_back(&self) -> WayBack {
        WayBack { ending: self.ending.clone(), unread: self.unread.clone() }
    }
}

/// What an answer depends on: that the server goes on, and that there is room until it is read.
#[derive(Clone)]
struct WayBack {
    ending: CancellationToken,
    unread: Unread,
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

    /// The answer, or one that says why there is none.
    async fn answered(self, answering: impl Future<Output = Response>, WayBack { ending, unread }: WayBack) -> Response {
        tokio::select! {
            answered = AssertUnwindSafe(answering).catch_unwind() => match answered.map(|response| unread.keep(response)) {
                Ok(Ok(response)) => self.until(response, ending),
                Ok(Err(no_room)) => self.given_up(&no_room),
                Err(panic) => self.failed(&words(panic.as_ref())),
            },
            () = ending.clone().cancelled_owned() => self.stopped(),
            () = self.time_out() => self.failed("no answer"),
        }
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

    fn given_up(&self, no_room: &NoRoom) -> Response {
        tracing::warn!("an answer was given up: {no_room}");
        json_response(StatusCode::OK, self.words(&no_room.to_string(), &no_room.to_string()))
    }

    fn stopped(&self) -> Response {
        json_response(StatusCode::OK, self.stopped_message())
    }

    fn stopped_message(&self) -> String {
        self.words(STOPPED, "the server is shutting down")
    }

    /// Words in the place of an answer: the model reads those about a call, the client others.
    fn words(&self, of_call: &str, others: &str) -> String {
        if self.method == "tools/call" {
            message::tool_failure(&self.id, self.modern, of_call)
        } else {
            message::error(&self.id, INTERNAL_ERROR, others)
        }
    }

    /// Ends a stream of events with a last one when the server ends.
    fn until(self, response: Response, ending: CancellationToken) -> Response {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str) -> Asked {
        Asked { id: Value::from(7), method: method.to_owned(), modern: false }
    }

    fn way(ending: CancellationToken) -> WayBack {
        WayBack { ending, unread: Unread::new(u64::MAX) }
    }

    async fn json(response: Response) -> Value {
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }

    #[tokio::test]
    async fn an_answer_that_there_is_no_room_for_is_given_up_in_words() {
        let full = WayBack { ending: CancellationToken::new(), unread: Unread::new(100_000) };
        let large = async || json_response(StatusCode::OK, "x".repeat(90_000));
        let _first = asked("tools/call").answered(large(), full.clone()).await;
        let answer = json(asked("tools/call").answered(large(), full).await).await;
        assert_eq!((&answer["id"], &answer["result"]["isError"]), (&Value::from(7), &Value::from(true)));
        assert!(answer["result"]["content"][0]["text"].as_str().unwrap_or_default().contains("retry after 2 s"), "{answer}");
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        for method in ["tools/call", "tools/list"] {
            let response = asked(method).answered(async { panic!("on purpose") }, way(CancellationToken::new())).await;
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let answer = json(response).await;
            assert_eq!((&answer["id"], &answer["error"]["code"]), (&Value::from(7), &Value::from(INTERNAL_ERROR)));
            assert!(!answer.to_string().contains("on purpose"), "what it said is for the log");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_never_answers_is_given_up_and_a_call_has_its_own_limits() {
        let silent = || std::future::pending::<Response>();
        let answer = json(asked("tools/list").answered(silent(), way(CancellationToken::new())).await).await;
        assert_eq!(answer["error"]["code"], INTERNAL_ERROR);
        for method in LASTING {
            let waiting = asked(method).answered(silent(), way(CancellationToken::new()));
            assert!(tokio::time::timeout(100 * METHOD_TIME, waiting).await.is_err(), "{method}");
        }
    }

    #[tokio::test]
    async fn a_call_that_is_stopped_with_the_server_has_an_answer() {
        let ending = CancellationToken::new();
        ending.cancel();
        let answer = json(asked("tools/call").answered(std::future::pending(), way(ending)).await).await;
        assert_eq!(answer["result"]["content"][0]["text"], STOPPED);
        assert_eq!(answer["result"]["isError"], true);
    }

    #[tokio::test]
    async fn a_stream_ends_with_its_answer_or_with_the_server_whichever_is_first() {
        let streaming = |frames| {
            let mut response = Response::new(Body::from_stream(frames));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            response
        };
        let frame = |text: &'static str| Ok::<_, axum::Error>(axum::body::Bytes::from_static(text.as_bytes()));
        let ending = CancellationToken::new();
        let whole = streaming(stream::iter([frame("a"), frame("b")]).boxed());
        let answered = asked("tools/call").answered(async { whole }, way(ending.clone())).await;
        let body = axum::body::to_bytes(answered.into_body(), usize::MAX).await.expect("a body");
        assert_eq!(body, "ab", "it ends although the server goes on");

        let endless = streaming(stream::iter([frame("a")]).chain(stream::pending()).boxed());
        let answered = asked("tools/call").answered(async { endless }, way(ending.clone())).await;
        ending.cancel();
        let body = axum::body::to_bytes(answered.into_body(), usize::MAX).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        assert!(text.contains(STOPPED) && text.ends_with("\n\n"), "{text}");
    }
}
