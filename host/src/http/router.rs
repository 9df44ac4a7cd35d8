//! The routes.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
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
use super::{ask, caller};
use crate::mcp::Server;

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
    pub(super) access: Access,
    pub(super) readiness: Readiness,
}

impl App {
    /// Everything for one server.
    pub fn new(server: Server, sessions: SessionKey, access: Access, admission: Admission, readiness: Readiness) -> Self {
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
            access,
            readiness,
        }
    }
}

/// `/mcp`, `/healthz` and `/readyz`.
pub fn router(app: Arc<App>) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(app.access.origins()))
        .allow_methods([Method::POST, Method::GET, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([HeaderName::from_static("mcp-session-id")]);
    let guarded = Router::new()
        .route("/mcp", post(mcp::post).get(stream::get).delete(mcp::delete))
        .layer(cors)
        .layer(middleware::from_fn_with_state(app.clone(), guard));
    finished(probes().merge(guarded), app)
}

/// What is served at the door of a server that is full: the probes as ever, and for everything else a time to come back.
pub(super) fn door(app: Arc<App>) -> Router {
    finished(probes().fallback(full), app).layer(middleware::map_response(leave))
}

/// The kubelet probes by address and gets one word, so these two are not guarded; `?verbose` is.
fn probes() -> Router<Arc<App>> {
    Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(readyz))
}

fn finished(router: Router<Arc<App>>, app: Arc<App>) -> Router {
    router
        .layer(middleware::map_response_with_state(app.clone(), leave_when_draining))
        .layer(CatchPanicLayer::custom(failed))
        .with_state(app)
}

async fn full() -> Response {
    let words = format!("all connections of this server are taken; come back in {} s", RETRY_WHEN_FULL.as_secs());
    come_back(StatusCode::SERVICE_UNAVAILABLE, RETRY_WHEN_FULL, message::error(&Value::Null, INTERNAL_ERROR, &words))
}

/// Ends the connection after this answer.
async fn leave(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// While the server drains, clients should find another with their next request, rather than lose it when this one is gone.
async fn leave_when_draining(State(app): State<Arc<App>>, response: Response) -> Response {
    if app.readiness.is_draining() { leave(response).await } else { response }
}

/// A panic in a handler of ours: an answer, and the connection goes on.
fn failed(panic: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!(panic = ask::words(panic.as_ref()), "the server failed in a request");
    let words = "the server failed in this request; its log says why";
    json_response(StatusCode::INTERNAL_SERVER_ERROR, message::error(&Value::Null, INTERNAL_ERROR, words))
}

async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match app.access.check(request.uri(), request.headers()) {
        Ok(()) => {
            let (mut head, body) = request.into_parts();
            let caller = caller::of(&head);
            head.extensions.insert(caller);
            next.run(Request::from_parts(head, body)).await
        }
        Err(forbidden) => {
            tracing::warn!(%forbidden, "a request was refused");
            json_response(StatusCode::FORBIDDEN, message::error(&Value::Null, INVALID_REQUEST, &forbidden.to_string()))
        }
    }
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
    use tower::ServiceExt;

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
        let routes = probes().route("/panic", get(panicking));
        let router = finished(routes, app().await);
        let response = router.clone().oneshot(get_of("/panic")).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(answer["error"]["code"], INTERNAL_ERROR);
        assert_eq!(router.oneshot(get_of("/healthz")).await.expect("an answer").status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn at_the_door_probes_are_answered_and_everybody_else_comes_back() {
        let door = door(app().await);
        assert_eq!(door.clone().oneshot(get_of("/healthz")).await.expect("an answer").status(), StatusCode::OK);
        let response = door.oneshot(get_of("/mcp")).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        assert_eq!(response.headers()[header::CONNECTION], "close");
    }

    #[tokio::test]
    async fn while_the_server_drains_its_answers_end_their_connections() {
        let app = app().await;
        let router = router(app.clone());
        let closes = async |path: &str| {
            let response = router.clone().oneshot(get_of(path)).await.expect("an answer");
            response.headers().contains_key(header::CONNECTION)
        };
        assert!(!closes("/healthz").await && !closes("/mcp").await);
        app.readiness.drain();
        assert!(closes("/healthz").await && closes("/mcp").await);
    }
}
