//! The routes.

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderName, Method, StatusCode};
use serde_json::Value;
use tokio_util::task::TaskTracker;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::access::Access;
use super::answer::json_response;
use super::caller;
use super::legacy::Calls;
use super::mcp::{self, Rmcp};
use super::message::{self, INVALID_REQUEST};
use super::ready::Readiness;
use super::session::SessionKey;
use super::stream::{self, Streams};
use crate::mcp::Server;

/// What the routes work with.
#[derive(Clone)]
pub struct App {
    pub(super) rmcp: Rmcp,
    pub(super) server: Server,
    pub(super) streams: Streams,
    pub(super) sessions: SessionKey,
    pub(super) calls: Calls,
    /// Calls whose request may be gone already.
    pub(super) running: TaskTracker,
    pub(super) access: Access,
    pub(super) readiness: Readiness,
}

impl App {
    /// Everything for one server.
    pub fn new(server: Server, sessions: SessionKey, access: Access, readiness: Readiness) -> Self {
        Self {
            rmcp: mcp::rmcp(server.clone()),
            server,
            streams: Streams::default(),
            sessions,
            calls: Calls::default(),
            running: TaskTracker::new(),
            access,
            readiness,
        }
    }
}

/// `/mcp`, `/healthz` and `/readyz`.
pub fn router(app: App) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(AllowOrigin::list(app.access.origins()))
        .allow_methods([Method::POST, Method::GET, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([HeaderName::from_static("mcp-session-id")]);
    let guarded = Router::new()
        .route("/mcp", post(mcp::post).get(stream::get).delete(mcp::delete))
        .layer(cors)
        .layer(middleware::from_fn_with_state(app.clone(), guard));
    // The kubelet probes by address and gets nothing of value, so these two are not guarded.
    Router::new().route("/healthz", get(|| async { "ok" })).route("/readyz", get(readyz)).merge(guarded).with_state(app)
}

async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
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

async fn readyz(State(app): State<App>, RawQuery(query): RawQuery) -> Response {
    let ready = app.readiness.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = query.is_some_and(|query| query.split('&').any(|part| part == "verbose" || part.starts_with("verbose=")));
    if verbose {
        return (status, app.readiness.describe().await).into_response();
    }
    (status, if ready { "ok" } else { "not ready; /readyz?verbose says why" }).into_response()
}
