//! A local port whose requests somebody else answers, `sandbar connect --listen` for example: connections, time, bodies, Host and Origin
//! are bounded and looked at as on the server's own port, and then the request is handed on.
//!
//! No web page may connect but one of the very same port, of which there is none: whoever reaches the port has the rights of the person
//! who opened it.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt as _};
use futures::{FutureExt as _, Stream};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use sandbar_policy::Account;
use sandbar_processor::Processors;
use tokio::net::TcpListener;

use super::HttpResponse;
use super::allowlist::{Allowlist, Surroundings};
use super::body::Bodies;
use super::connections::Connections;
use super::lease::{Lease, Outgoing, Part};
use super::media::not_json;
use super::post::not_read;
use super::rejection::Rejection;
use super::router::{MCP, check_allowed, check_coding};
use super::{panics, port};

/// Connections at once: one person's clients.
const CONNECTIONS: usize = 256;

/// Whoever answers the requests of a port.
pub trait Relay: Send + Sync + 'static {
    /// Answers a POST or a GET of MCP, whose body has been read and may be JSON.
    fn answer(&self, request: Request<Bytes>) -> BoxFuture<'static, Response<RelayBody>>;
}

/// The body of an answer.
pub enum RelayBody {
    /// It is all there.
    Whole(Bytes),
    /// It comes in parts.
    Parts(BoxStream<'static, Bytes>),
}

impl RelayBody {
    /// A body that comes in parts.
    pub fn parts(parts: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self::Parts(parts.boxed())
    }
}

/// Serves a port, which has to be one of this machine alone, until `stop` resolves.
pub async fn relay(listener: TcpListener, relay: Arc<dyn Relay>, stop: impl Future<Output = ()>) {
    let allowed = Allowlist::new(Vec::new(), Vec::new(), Surroundings::Loopback);
    let door = Arc::new(Door { allowed, relay, bodies: Bodies::new(Processors::all_but_one()) });
    let answers = move |_from, _is_overflow| {
        let door = door.clone();
        move |request: Request<Incoming>| door.clone().answer(request).boxed()
    };
    port::serve(listener, Connections::new(CONNECTIONS, None), answers, stop).await;
}

/// What each request passes.
struct Door {
    allowed: Allowlist,
    relay: Arc<dyn Relay>,
    bodies: Bodies,
}

impl Door {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> HttpResponse {
        let has_body = !request.body().is_end_stream();
        let answered = panics::caught_in(self.checked(request)).await;
        let answered = answered.unwrap_or_else(|_panicked| Err(Rejection::failed(None)));
        answered.unwrap_or_else(|rejection| rejection.answer(has_body))
    }

    async fn checked(self: Arc<Self>, request: Request<Incoming>) -> Result<HttpResponse, Rejection> {
        check_coding(request.headers())?;
        // There are few connections here: a page that asks again and again is not to keep those of the person whose port it is.
        check_allowed(&self.allowed, request.uri(), request.headers()).map_err(Rejection::of_stranger)?;
        if !MCP.contains(&request.uri().path()) {
            return Err(Rejection::of_http(StatusCode::NOT_FOUND, "there is nothing here: MCP is at /mcp"));
        }
        if ![Method::POST, Method::GET].contains(request.method()) {
            return Err(Rejection::of_no_method_of_mcp());
        }
        if *request.method() == Method::POST
            && let Some(words) = not_json(request.headers())
        {
            return Err(Rejection::of_http(StatusCode::UNSUPPORTED_MEDIA_TYPE, words));
        }
        let (head, body) = request.into_parts();
        // Whoever comes is the one person whose process this is.
        let body = self.bodies.read(&Account::Operator, body).await.map_err(not_read)?;
        let (bytes, lease) = (Bytes::from(body.bytes), Lease { body: body.large, ..Lease::default() });
        let (head, body) = self.relay.answer(Request::from_parts(head, bytes)).await.into_parts();
        let body = match body {
            RelayBody::Whole(bytes) => Outgoing::whole(bytes, lease),
            // The request is kept until it is answered.
            RelayBody::Parts(parts) => Outgoing::parts(parts.map(Part::from), "").holding(lease),
        };
        Ok(Response::from_parts(head, body))
    }
}
