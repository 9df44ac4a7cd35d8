//! The routes.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::FutureExt;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::access::Access;
use super::admission::Admission;
use super::answer::{come_back, json_response};
use super::body::Bodies;
use super::legacy::Calls;
use super::mcp::{self, Rmcp};
use super::message::{self, INTERNAL_ERROR, INVALID_REQUEST};
use super::ready::Readiness;
use super::session::SessionKey;
use super::stream::{self, Streams};
use super::unread::Unread;
use super::{ask, caller};
use crate::mcp::Server;

const HEALTHZ: &str = "/healthz";
const READYZ: &str = "/readyz";

/// When a client should try again after it found all connections taken: idle ones make room after 5 s.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

/// What the routes work with.
pub struct App {
    pub(super) rmcp: Rmcp,
    pub(super) server: Server,
    pub(super) streams: Streams,
    pub(super) sessions: SessionKey,
    pub(super) calls: Calls,
    /// Calls whose request may be gone already.
    pub(super) running: TaskTracker,
    /// Cancelled once calls that still run have to be given up, because the server stops.
    pub(super) ending: CancellationToken,
    pub(super) admission: Admission,
    pub(super) bodies: Bodies,
    pub(super) unread: Unread,
    pub(super) access: Access,
    pub(super) readiness: Readiness,
}

impl App {
    /// Everything for one server. `answers` are the bytes of large answers that may wait for their readers.
    pub fn new(
        server: Server,
        sessions: SessionKey,
        access: Access,
        admission: Admission,
        answers: u64,
        readiness: Readiness,
    ) -> Self {
        Self {
            rmcp: mcp::rmcp(server.clone()),
            server,
            streams: Streams::default(),
            sessions,
            calls: Calls::default(),
            running: TaskTracker::new(),
            ending: CancellationToken::new(),
            admission,
            bodies: Bodies::default(),
            unread: Unread::new(answers),
            access,
            readiness,
        }
    }
}

/// Routes, and what holds for each request and for each answer, whatever the route.
#[derive(Clone)]
pub(super) struct Routes {
    router: Router,
    app: Arc<App>,
    /// Each answer is the last of its connection.
    last: bool,
}

impl Routes {
    /// `/mcp`, `/healthz` and `/readyz`.
    pub(super) fn inside(app: Arc<App>) -> Self {
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::list(app.access.origins()))
            .allow_methods([Method::POST, Method::GET, Method::DELETE])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([HeaderName::from_static("mcp-session-id")]);
        let mcp = Router::new().route("/mcp", post(mcp::post).get(stream::get).delete(mcp::delete)).layer(cors);
        Self::new(probes().merge(mcp), app, false)
    }

    /// What is served at the door of a server that is full: the probes as ever, and for everything else a time to come back.
    pub(super) fn door(app: Arc<App>) -> Self {
        Self::new(probes().fallback(full), app, true)
    }

    fn new(router: Router<Arc<App>>, app: Arc<App>, last: bool) -> Self {
        Self { router: router.with_state(app.clone()), app, last }
    }

    /// Answers a request.
    pub(super) async fn answer(self, mut request: Request) -> Response {
        let Self { router, app, last } = self;
        let answering = async {
            match admit(&app, &mut request) {
                Ok(()) => router.oneshot(request).await.unwrap_or_else(|never| match never {}),
                Err(forbidden) => *forbidden,
            }
        };
        let answered = AssertUnwindSafe(answering).catch_unwind().await;
        let response = answered.unwrap_or_else(|panic| failed(panic.as_ref()));
        // While the server drains, clients should find another with their next request, rather than lose it when this one is gone.
        if last || app.readiness.is_draining() { leave(response) } else { response }
    }
}

/// What is asked for without saying who one is: the kubelet probes by address and gets one word. `?verbose` is another matter.
fn probes() -> Router<Arc<App>> {
    Router::new().route(HEALTHZ, get(|| async { "ok" })).route(READYZ, get(readyz))
}

/// Checks who may connect, and notes who it is.
fn admit(app: &App, request: &mut Request) -> Result<(), Box<Response>> {
    if ![HEALTHZ, READYZ].contains(&request.uri().path()) {
        app.access.check(request.uri(), request.headers()).map_err(|forbidden| {
            tracing::warn!(%forbidden, "a request was refused");
            json_response(StatusCode::FORBIDDEN, message::error(&Value::Null, INVALID_REQUEST, &forbidden.to_string()))
        })?;
    }
    let caller = caller::of(request.headers());
    request.extensions_mut().insert(caller);
    Ok(())
}

async fn full() -> Response {
    let words = format!("all connections of this server are taken; come back in {} s", RETRY_WHEN_FULL.as_secs());
    come_back(StatusCode::SERVICE_UNAVAILABLE, RETRY_WHEN_FULL, message::error(&Value::Null, INTERNAL_ERROR, &words))
}

/// Ends the connection after this answer.
fn leave(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A panic in a handler of ours: an answer, and the connection goes on.
fn failed(panic: &(dyn Any + Send)) -> Response {
    tracing::error!(panic = ask::words(panic), "the server failed in a request");
    let words = "the server failed in this request; its log says why";
    json_response(StatusCode::INTERNAL_SERVER_ERROR, message::error(&Value::Null, INTERNAL_ERROR, words))
}

async fn readyz(State(app): State<Arc<App>>, RawQuery(query): RawQuery, request: Request) -> Response {
    let ready = app.readiness.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = query.is_some_and(|query| query.split('&').any(|part| part == "verbose" || part.starts_with("verbose=")));
    if verbose {
        // It tells of the cluster, so it is not for web pages.
        if let Err(forbidden) = app.access.check(request.uri(), request.headers()) {
            return (StatusCode::FORBIDDEN, forbidden.to_string()).into_response();
        }
        return (status, app.readiness.describe().await).into_response();
    }
    (status, if ready { "ok" } else { "not ready; /readyz?verbose says why" }).into_response()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use axum::body::Body;

    use super::*;
    use crate::catalog::Catalog;
    use crate::kubernetes::{Cluster, Source};

    async fn app() -> Arc<App> {
        let cluster = Cluster::connect(&Source::Demo).await.expect("it is in the binary");
        Arc::new(App::new(
            Server::new(tokio::sync::watch::channel(Arc::new(Catalog::default())).1),
            SessionKey::from_secret(b"k"),
            Access::new(Vec::new(), Vec::new()),
            Admission::new(NonZeroU32::MIN, 0),
            u64::MAX,
            Readiness::new(cluster, 0, true, Vec::new()),
        ))
    }

    fn get_of(path: &str) -> Request {
        Request::get(path).header("host", "localhost").body(Body::empty()).expect("a request")
    }

    async fn panicking() -> &'static str {
        panic!("on purpose")
    }

    #[tokio::test]
    async fn a_panic_in_a_handler_is_an_answer() {
        let routes = Routes::new(probes().route("/panic", get(panicking)), app().await, false);
        let response = routes.clone().answer(get_of("/panic")).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(answer["error"]["code"], INTERNAL_ERROR);
        assert_eq!(routes.answer(get_of("/healthz")).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn at_the_door_probes_are_answered_and_everybody_else_comes_back() {
        let door = Routes::door(app().await);
        assert_eq!(door.clone().answer(get_of("/healthz")).await.status(), StatusCode::OK);
        let response = door.answer(get_of("/mcp")).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        assert_eq!(response.headers()[header::CONNECTION], "close");
    }

    #[tokio::test]
    async fn while_the_server_drains_its_answers_end_their_connections() {
        let app = app().await;
        let routes = Routes::inside(app.clone());
        let closes = async |path: &str| {
            let response = routes.clone().answer(get_of(path)).await;
            response.headers().contains_key(header::CONNECTION)
        };
        assert!(!closes("/healthz").await && !closes("/mcp").await);
        app.readiness.drain();
        assert!(closes("/healthz").await && closes("/mcp").await);
    }
}
