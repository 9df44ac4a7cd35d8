//! The routes, and what holds for each request and for each answer, whatever the route.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body::Body;
use sandbar_identity::{Authentication, TokenUses};
use sandbar_mcp::Server;
use sandbar_policy::Caller;
use sandbar_processor::Processors;
use tokio::sync::watch;
use tower::{Layer, ServiceExt};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::HttpResponse;
use super::admission::Admission;
use super::allowlist::Allowlist;
use super::extension::{Extension, Place};
use super::headers::SESSION_ID;
use super::lease::Lease;
use super::metadata::ProtectedResource;
use super::peer::Peer;
use super::post::{Endpoint, UnderWay, post};
use super::ready::{Audience, Readiness};
use super::rejection::{MCP_METHODS, Rejection, json, last, words};
use super::session::SessionKeys;
use super::{caller, panics, stream};

const HEALTHZ: &str = "/healthz";
const READYZ: &str = "/readyz";

/// Where MCP is. Some clients add a slash to every address.
pub(super) const MCP: [&str; 2] = ["/mcp", "/mcp/"];

/// The methods of HTTP that probes have.
pub(super) const PROBE_METHODS: &str = "GET, HEAD";

/// When a client should try again after it found all connections taken: idle ones make room after 5 s.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

/// What the routes lead to, and who may take them.
pub struct App {
    pub(super) endpoint: Arc<Endpoint>,
    authentication: Authentication,
    extension: Option<Extension>,
    resource: Option<ProtectedResource>,
    allowed: Allowlist,
    readiness: Readiness,
}

/// What an [`App`] is made of.
pub struct Parts {
    /// What answers MCP's messages.
    pub server: Server,
    /// The keys that ids of sessions are signed with, now and later.
    pub sessions: watch::Receiver<SessionKeys>,
    /// Which names and web pages may connect.
    pub allowed: Allowlist,
    /// How it is found out who calls.
    pub authentication: Authentication,
    /// What the server is in the Kubernetes API, where it is a part of that.
    pub extension: Option<Extension>,
    /// Where tokens are to be had, if clients are told.
    pub resource: Option<ProtectedResource>,
    /// Which calls are let in.
    pub admission: Admission,
    /// The bytes of large answers that may wait for their readers.
    pub answers: u64,
    /// Those that calls compute on.
    pub processors: Processors,
    /// How the server is.
    pub readiness: Readiness,
}

impl From<Parts> for App {
    fn from(parts: Parts) -> Self {
        let Parts { server, sessions, allowed, authentication, resource, extension, admission, answers, processors, readiness } =
            parts;
        let endpoint = Endpoint::new(server, sessions, admission, answers, processors);
        Self { endpoint: Arc::new(endpoint), authentication, resource, extension, allowed, readiness }
    }
}

impl App {
    /// What is under way now.
    pub fn under_way(&self) -> UnderWay {
        self.endpoint.under_way()
    }

    /// How often it was known from before whose a token is.
    pub fn token_uses(&self) -> TokenUses {
        self.authentication.token_uses()
    }
}

/// The routes, for one sort of connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Routes {
    app: Arc<App>,
    cors: Arc<CorsLayer>,
    offer: Offer,
}

/// What there is for the requests of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Offer {
    /// Everything.
    All,
    /// The connection is one too many: probes are answered as ever, and everything else is told when to come back.
    Probes,
    /// Nothing: the port speaks TLS, and the client does not.
    Nothing,
}

impl Routes {
    /// `/mcp`, `/healthz` and `/readyz`.
    pub(super) fn new(app: Arc<App>) -> Self {
        let allowed = app.clone();
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(move |origin, _| allowed.allowed.is_configured_origin(origin)))
            .allow_methods([Method::POST, Method::GET, Method::DELETE])
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([HeaderName::from_static(SESSION_ID), header::WWW_AUTHENTICATE]);
        Self { app, cors: Arc::new(cors), offer: Offer::All }
    }

    /// The same for connections beyond the number of the server.
    pub(super) fn of_overflow(app: Arc<App>) -> Self {
        Self { offer: Offer::Probes, ..Self::new(app) }
    }

    /// The same for a connection without TLS where there should be some.
    pub(super) fn of_plain(app: Arc<App>) -> Self {
        Self { offer: Offer::Nothing, ..Self::new(app) }
    }

    /// Answers the requests of a connection.
    pub(super) fn answers<B>(self, peer: Peer) -> impl Fn(Request<B>) -> BoxFuture<'static, HttpResponse> + Send + 'static
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        move |request| self.clone().answer(request, peer.clone()).boxed()
    }

    /// Answers a request from this peer.
    pub(super) async fn answer<B>(self, request: Request<B>, peer: Peer) -> HttpResponse
    where
        B: Body<Data = Bytes> + Send + 'static,
    {
        let Self { app, cors, offer } = self;
        let draining = app.clone();
        let has_body = !request.body().is_end_stream();
        let answered = panics::caught_in(async move {
            check_coding(request.headers())?;
            match request.uri().path() {
                _ if offer == Offer::Nothing => Err(plain()),
                HEALTHZ => probe(request.method(), || words(StatusCode::OK, "ok")),
                READYZ => readyz(&app, request.method(), request.uri(), request.headers(), peer.from).await,
                _ if offer == Offer::Probes => Err(full()),
                _ => web(app, cors, request, peer).await,
            }
        });
        let answered = answered.await.unwrap_or_else(|_panicked| Err(Rejection::failed(None)));
        let mut response = answered.unwrap_or_else(|rejection| rejection.answer(has_body));
        // While the server drains, clients should find another with their next request, rather than lose it when this one is gone.
        if offer != Offer::All || draining.readiness.is_draining() {
            last(&mut response);
        }
        response
    }
}

/// What web pages can reach, and so everybody has to be allowed to. What pages have to hear of that is added here.
async fn web<B>(app: Arc<App>, cors: Arc<CorsLayer>, request: Request<B>, peer: Peer) -> Result<HttpResponse, Rejection>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    check_allowed(&app.allowed, request.uri(), request.headers())?;
    if !request.headers().contains_key(header::ORIGIN) {
        return mcp(&app, request, &peer).await;
    }
    let answering = tower::service_fn(move |request: Request<B>| {
        let (app, peer) = (app.clone(), peer.clone());
        async move {
            let has_body = !request.body().is_end_stream();
            Ok::<_, Infallible>(mcp(&app, request, &peer).await.unwrap_or_else(|rejection| rejection.answer(has_body)))
        }
    });
    Ok(cors.layer(answering).oneshot(request).await.unwrap_or_else(|never| match never {}))
}

/// MCP, where tokens for it are to be had, and what the Kubernetes API is told of it.
async fn mcp<B>(app: &App, request: Request<B>, peer: &Peer) -> Result<HttpResponse, Rejection>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    if let Some(answer) = app.resource.as_ref().and_then(|resource| resource.answer(&request)) {
        return answer;
    }
    if MCP.contains(&request.uri().path()) {
        let caller = caller::of(&app.authentication, request.headers(), peer).await;
        let caller = caller.map_err(|rejection| match &app.resource {
            Some(resource) => resource.complete(rejection, request.uri(), request.headers()),
            None => rejection,
        })?;
        return endpoint(app, request, caller).await;
    }
    let path = request.uri().path();
    let Some(extension) = app.extension.as_ref().filter(|_| path == "/apis" || path.starts_with("/apis/")) else {
        let words = "there is nothing here: MCP is at /mcp, and /healthz and /readyz say how the server is";
        return Err(Rejection::of_http(StatusCode::NOT_FOUND, words));
    };
    // First who asks: whoever comes past the API server hears nothing of which group and server there are.
    let caller = caller::behind_api_server(&app.authentication, request.headers(), peer)?;
    let Some(place) = extension.place(request.uri()) else {
        let words = format!("there is nothing here: this server is {} in the Kubernetes API", extension.path());
        return Err(Rejection::of_http(StatusCode::NOT_FOUND, words));
    };
    let is_get = *request.method() == Method::GET;
    match place {
        Place::Document(document) if is_get => Ok(json(StatusCode::OK, document, Lease::default())),
        Place::Document(_) => Err(Rejection::of_method("GET", "this says what there is: GET it")),
        Place::Server => endpoint(app, request, caller).await,
        Place::Servers { watched: true } if is_get => endpoint(app, request, caller).await,
        Place::Servers { .. } => {
            let words = "POST to a server by its name; here is the stream of a session alone, by GET with ?watch=true";
            Err(Rejection::of_method("GET", words))
        }
    }
}

/// MCP, from a caller who is known.
pub(super) async fn endpoint<B>(app: &App, request: Request<B>, caller: Caller) -> Result<HttpResponse, Rejection>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    match *request.method() {
        Method::POST => post(&app.endpoint, request, caller).await,
        Method::GET | Method::HEAD => {
            let Endpoint { streams, sessions, server, .. } = app.endpoint.as_ref();
            stream::get(streams, &sessions.borrow(), server, request.method(), request.headers(), &caller.identity().account())
        }
        Method::DELETE => {
            let words = "this server has no session to DELETE: an id costs nothing and ends by itself";
            Err(Rejection::of_method(MCP_METHODS, words))
        }
        _ => Err(Rejection::of_no_method_of_mcp()),
    }
}

/// Refuses a name of the server, or a web page, that may not connect.
pub(super) fn check_allowed(allowed: &Allowlist, uri: &Uri, headers: &HeaderMap) -> Result<(), Rejection> {
    allowed.check(uri, headers).map_err(|forbidden| {
        tracing::warn!(%forbidden, "a request was refused");
        Rejection::of_http(StatusCode::FORBIDDEN, forbidden.to_string())
    })
}

/// The one transfer coding that is known is `chunked`, once. Of others hyper takes every list that ends with it, and would hand on what
/// is coded in some other way below.
pub(super) fn check_coding(headers: &HeaderMap) -> Result<(), Rejection> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if is_chunked(coding) => Ok(()),
        _ => {
            let words = "the only transfer coding that is known here is `chunked`, once: send the body with it, or with a length";
            // Its body is not read, so nothing can follow it: whoever stands in front may see its end elsewhere.
            Err(Rejection::of_http(StatusCode::BAD_REQUEST, words))
        }
    }
}

/// What is asked for without saying who one is: the kubelet probes by address and gets one word.
fn probe(method: &Method, answer: impl FnOnce() -> HttpResponse) -> Result<HttpResponse, Rejection> {
    if [Method::GET, Method::HEAD].contains(method) {
        Ok(answer())
    } else {
        Err(Rejection::of_method(PROBE_METHODS, "a probe is a GET"))
    }
}

/// `/readyz`. With `?verbose` it tells of the cluster, so that is not for everybody.
async fn readyz(app: &App, method: &Method, uri: &Uri, headers: &HeaderMap, from: IpAddr) -> Result<HttpResponse, Rejection> {
    let ready = app.readiness.is_ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = uri.query().is_some_and(|query| query.split('&').any(|part| part == "verbose" || part.starts_with("verbose=")));
    if !verbose {
        return probe(method, || words(status, if ready { "ok" } else { "not ready; /readyz?verbose says why" }));
    }
    check_allowed(&app.allowed, uri, headers)?;
    // In a box: it asks the API server, and without one the future of every request would have room for that.
    let description = app.readiness.describe(Audience::of(from, uri, headers), &app.authentication.checks()).boxed().await;
    probe(method, || words(status, description))
}

fn plain() -> Rejection {
    Rejection::of_http(StatusCode::BAD_REQUEST, "this port speaks TLS: use https://")
}

fn full() -> Rejection {
    let words = format!("all connections of this server are taken; come back in {} s", RETRY_WHEN_FULL.as_secs());
    Rejection::no_room(None, RETRY_WHEN_FULL, words)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::num::NonZeroU32;

    use http_body_util::{BodyExt, Empty, Full};
    use sandbar_catalog::Catalog;
    use sandbar_kubernetes::{Cluster, ClusterSource, Clusters};
    use sandbar_policy::Account;
    use serde_json::Value;

    use super::super::admission::REFUSAL_TIME;
    use super::super::allowlist::Surroundings;
    use super::super::session::SessionKey;
    use super::*;

    fn here() -> Peer {
        Peer::at(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    async fn app() -> Arc<App> {
        app_on(Processors::all_but_one()).await
    }

    async fn app_on(processors: Processors) -> Arc<App> {
        app_with(processors, None).await
    }

    async fn app_with(processors: Processors, extension: Option<Extension>) -> Arc<App> {
        let cluster = Cluster::connect(&ClusterSource::Demo).await.expect("it is in the binary");
        Arc::new(App::from(Parts {
            server: Server::new(watch::channel(Arc::new(Catalog::default())).1),
            sessions: watch::channel(SessionKey::from_secret(b"k").into()).1,
            allowed: Allowlist::new(Vec::new(), vec!["tauri://localhost".to_owned()], Surroundings::Elsewhere),
            authentication: Authentication::default(),
            resource: None,
            extension,
            admission: Admission::new(NonZeroU32::MIN, 0),
            answers: u64::MAX,
            processors,
            readiness: Readiness::new(Clusters::only(cluster), false, String::new(), true, Vec::new(), String::new()),
        }))
    }

    fn get_of(path: &str) -> Request<Empty<Bytes>> {
        Request::get(path).header("host", "localhost").body(Empty::new()).expect("a request")
    }

    async fn json_of(response: HttpResponse) -> Value {
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        serde_json::from_slice(&body).expect("JSON")
    }

    /// A body that panics when it is read.
    struct Panicking;

    impl Body for Panicking {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
            panic!("on purpose")
        }
    }

    #[tokio::test]
    async fn a_panic_in_a_handler_is_an_answer() {
        let routes = Routes::new(app().await);
        let request = Request::post("/mcp").header("host", "localhost").body(Panicking).expect("a request");
        let response = routes.clone().answer(request, here()).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(json_of(response).await["error"]["code"], -32603);
        assert_eq!(routes.answer(get_of("/healthz"), here()).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn a_full_server_answers_probes_and_everybody_else_comes_back() {
        let routes = Routes::of_overflow(app().await);
        assert_eq!(routes.clone().answer(get_of("/healthz"), here()).await.status(), StatusCode::OK);
        let response = routes.answer(get_of("/mcp"), here()).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
        assert_eq!(response.headers()[header::CONNECTION], "close");
    }

    #[tokio::test]
    async fn whoever_does_not_speak_tls_where_he_should_is_told_so_whatever_he_asks_for() {
        let routes = Routes::of_plain(app().await);
        for path in ["/healthz", "/readyz?verbose", "/mcp"] {
            let response = routes.clone().answer(get_of(path), here()).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            assert_eq!(response.headers()[header::CONNECTION], "close");
            assert_eq!(json_of(response).await["error"]["message"], "this port speaks TLS: use https://");
        }
    }

    #[tokio::test]
    async fn while_the_server_drains_its_answers_end_their_connections() {
        let app = app().await;
        let routes = Routes::new(app.clone());
        let closes = async |path: &str| {
            let response = routes.clone().answer(get_of(path), here()).await;
            response.headers().contains_key(header::CONNECTION)
        };
        assert!(!closes("/healthz").await && !closes("/mcp").await);
        app.readiness.drain();
        assert!(closes("/healthz").await && closes("/mcp").await);
    }

    #[tokio::test]
    async fn whatever_is_refused_is_refused_in_words_as_json() {
        let routes = Routes::new(app().await);
        let post = || Request::post("/mcp").header("host", "localhost");
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        for (status, request, named) in [
            (404, Request::get("/").header("host", "localhost").body(""), "/mcp"),
            (404, Request::post("/mcp/mcp").header("host", "localhost").body(ping), "/mcp"),
            (405, Request::put("/mcp").header("host", "localhost").body(ping), "POST"),
            (405, Request::delete("/mcp/").header("host", "localhost").body(""), "DELETE"),
            (405, Request::get("/mcp").header("host", "localhost").body(""), "initialize"),
            (405, Request::post("/healthz").body(""), "GET"),
            (406, post().header("accept", "text/html").body(ping), "application/json"),
            (415, post().header("content-type", "text/plain").body(ping), "application/json"),
            (415, post().header("content-encoding", "gzip").body(ping), "Content-Encoding"),
            (403, Request::post("/mcp").header("host", "evil.example.com").body(ping), "evil.example.com"),
            (403, post().header("origin", "http://evil.example.com").body(ping), "origins"),
            (400, post().header("transfer-encoding", "gzip, chunked").body(ping), "chunked"),
            (400, post().body("{"), "JSON"),
        ] {
            let request = request.expect("a request");
            let has_body = !request.body().is_empty();
            let request = request.map(Full::<Bytes>::from);
            let response = routes.clone().answer(request, here()).await;
            assert_eq!(response.status().as_u16(), status, "{named}");
            let goes_on = !response.headers().contains_key(header::CONNECTION);
            let message = json_of(response).await;
            let words = message["error"]["message"].as_str().expect("words");
            assert!(words.contains(named), "{words}");
            // A body that is left unread would be taken for the next request.
            assert_eq!(goes_on, !has_body || matches!(status, 406 | 415) || named == "JSON", "{words}");
        }
    }

    #[tokio::test]
    async fn whoever_comes_past_the_api_server_hears_of_no_group_and_no_server() {
        let extension = Extension::new("mcp.example.com".to_owned(), "main".to_owned());
        let path = extension.path();
        let routes = Routes::new(app_with(Processors::all_but_one(), Some(extension)).await);
        for path in [path.as_str(), "/apis", "/apis/mcp.example.com/v1", "/apis/", "/apis/other.example.com/v1/servers/main"] {
            let response = routes.clone().answer(get_of(path), here()).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
            let message = json_of(response).await.to_string();
            assert!(!message.contains("example.com") && !message.contains("main"), "{message}");
        }
        assert_eq!(routes.answer(get_of("/apismcp.example.com"), here()).await.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn both_writings_of_the_address_are_served_with_and_without_an_origin() {
        let routes = Routes::new(app().await);
        for path in MCP {
            for origin in [None, Some("tauri://localhost")] {
                let mut request = Request::post(path).header("host", "localhost");
                if let Some(origin) = origin {
                    request = request.header("origin", origin);
                }
                let ping = Full::<Bytes>::from(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
                let response = routes.clone().answer(request.body(ping).expect("a request"), here()).await;
                let allowed = response.headers().get(header::ACCESS_CONTROL_ALLOW_ORIGIN).cloned();
                assert_eq!(allowed.as_ref().map(HeaderValue::as_bytes), origin.map(str::as_bytes));
                assert_eq!(json_of(response).await["result"], serde_json::json!({}));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_not_let_in_is_answered_after_a_while_and_what_is_no_call_at_once() {
        let routes = Routes::new(app().await);
        let post = async |message: &str| {
            let request = Request::post("/mcp").header("host", "localhost").body(Full::<Bytes>::from(message.to_owned()));
            let began = tokio::time::Instant::now();
            let response = routes.clone().answer(request.expect("a request"), here()).await;
            (json_of(response).await, began.elapsed())
        };
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"none"}}"#;
        let mut refused = None;
        while refused.is_none() {
            let (message, took) = post(call).await;
            let is_refused = message["result"]["isError"] == true;
            let expected = if is_refused { REFUSAL_TIME..=2 * REFUSAL_TIME } else { Duration::ZERO..=Duration::ZERO };
            assert!(expected.contains(&took), "{message} after {took:?}");
            refused = is_refused.then_some(message);
        }
        assert_eq!(post(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).await.1, Duration::ZERO);
    }

    /// A message of so many bytes: one of these, with white space or a long text in it.
    fn padded(message: &str, bytes: usize) -> Bytes {
        let filler = "x".repeat(bytes - message.len());
        message.replacen("~", &format!("~{filler}"), 1).into()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_large_body_is_parsed_when_it_is_the_turn_of_what_computes_for_long_and_a_small_one_at_once() {
        const LARGE: usize = 16 * 1024 + 1;
        let processors = Processors::of(1);
        let app = app_on(processors.clone()).await;
        let routes = Routes::new(app.clone());
        let post = |body: Bytes| {
            let routes = routes.clone();
            let request = Request::post("/mcp").header("host", "localhost").body(Full::new(body)).expect("a request");
            async move {
                let response = routes.answer(request, here()).await;
                let status = response.status().as_u16();
                (status, response.into_body().collect().await.expect("a body").to_bytes())
            }
        };
        let modern = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;
        let messages = [
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"~"}}"#.to_owned(), 200),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","a":"~"}}"#.to_owned(),
                200,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"a":["~"]}}"#.to_owned(), 200),
            (r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,"reason":"~"}}"#.to_owned(), 202),
            (r#"{"jsonrpc":"2.0","id":1,"result":"~"}"#.to_owned(), 400),
            (r#"{"jsonrpc":"2.0","id":1,"method":"none","params":"~"}"#.to_owned(), 400),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"none","arguments":{"a":"~"}}}"#.to_owned(), 200),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"none","arguments":"{\"a\":\"~\"}"}}"#
                    .to_owned(),
                200,
            ),
            (format!(r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{"a":"~",{modern}}}}}"#), 400),
            (r#"[{"a":"~"}]"#.to_owned(), 400),
            (r#"{"~":"#.to_owned(), 400),
        ];
        for (message, status) in messages {
            // Whoever computes for long has the only turn, until it hears that it may end.
            let (end, gate) = std::sync::mpsc::channel::<()>();
            let mut turn = Box::pin(processors.work(&Account::Anonymous, move || gate.recv().is_ok()));
            assert!(futures::poll!(&mut turn).is_pending());
            let small = post(padded(&message, 1024)).await;
            assert_eq!(small.0, status, "{message}: {small:?}");
            let mut large = Box::pin(post(padded(&message, LARGE)));
            let mut largest = Box::pin(post(padded(&message, 4 << 20)));
            for _ in 0..100 {
                assert!(futures::poll!(&mut large).is_pending() && futures::poll!(&mut largest).is_pending(), "{message}");
                tokio::task::yield_now().await;
            }
            end.send(()).expect("it waits");
            assert_eq!(turn.await, Ok(true));
            assert_eq!((large.await.0, largest.await.0), (status, status), "{message}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_large_body_keeps_its_place_while_it_is_parsed_and_nobody_waits() {
        let processors = Processors::of(1);
        let app = app_on(processors.clone()).await;
        let (end, gate) = std::sync::mpsc::channel::<()>();
        let body =
            app.endpoint.bodies.read(&Account::Anonymous, Full::new(Bytes::from(vec![b' '; 4 << 20]))).await.expect("free");
        let (begun, begins) = tokio::sync::oneshot::channel();
        let mut parsing = Box::pin(app.endpoint.bodies.work(&Account::Anonymous, body, move |body| {
            let _ = begun.send(());
            let _ = gate.recv();
            drop(body);
        }));
        assert!(futures::poll!(&mut parsing).is_pending());
        begins.await.expect("it is its turn");
        drop(parsing);
        let places = || std::iter::from_fn(|| app.endpoint.bodies.try_large(&Account::Anonymous).ok()).collect::<Vec<_>>().len();
        assert_eq!(places(), 3, "it still has its place");
        end.send(()).expect("it is still parsed");
        // The next in turn comes after its end.
        processors.work(&Account::Anonymous, || ()).await.expect("a turn");
        assert_eq!(places(), 4);
    }
}
