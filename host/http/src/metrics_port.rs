//! A port for Prometheus, and for people who run a server: `GET /metrics`, and a page at `/`, in plain HTTP. What is bounded of other
//! connections is bounded here, and whoever asks keeps nobody waiting who calls: both are written on a thread of its own, and whole before any of it is
//! sent.

use std::io::Read as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzEncoder;
use futures::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header, request};
use hyper::body::{Body as _, Incoming};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::HttpResponse;
use super::connections::Connections;
use super::lease::{Lease, Outgoing};
use super::media::names;
use super::page::WebPage;
use super::rejection::{Rejection, last, typed};
use super::router::{PROBE_METHODS, check_coding};
use super::{page, panics, port};

/// Connections at once: a few Prometheus servers, and people who look.
const CONNECTIONS: usize = 16;

/// Connections beyond them, each for one answer that says so.
const OVERFLOW: usize = 16;

/// When to come back where all are taken: idle ones make room after 5 s.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

/// Where the metrics are.
const METRICS: &str = "/metrics";

/// Where the page is.
const PAGE: &str = "/";

/// The type of the newer format, which Prometheus names first.
const OPENMETRICS: &str = "application/openmetrics-text";

/// The encoding in which Prometheus asks for them.
const GZIP: &str = "gzip";

/// A format that Prometheus reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus' own text format, 0.0.4, which everything else reads as well.
    Text,
}

impl Exposition {
    /// The one for whoever sends these headers: OpenMetrics has to be named.
    fn of(headers: &HeaderMap) -> Self {
        if names(headers, header::ACCEPT, OPENMETRICS) { Self::OpenMetrics } else { Self::Text }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What there is at the port.
pub struct MetricsAnswers {
    /// Writes all metrics as they are now.
    pub metrics: Box<dyn Fn(Exposition) -> String + Send + Sync>,
    /// The page, if there is one.
    pub page: Option<WebPage>,
}

/// The port: what there is, and whose turn it is to have it written. One at a time, since each keeps a processor for milliseconds.
struct Port {
    there: MetricsAnswers,
    turn: Arc<Semaphore>,
}

impl Port {
    fn new(there: MetricsAnswers) -> Arc<Self> {
        Arc::new(Self { there, turn: Arc::new(Semaphore::new(1)) })
    }

    /// What is written on a thread of its own.
    async fn written<T: Send + 'static>(&self, write: impl FnOnce() -> T + Send + 'static) -> Result<T, Rejection> {
        // Nobody closes it.
        let turn = self.turn.clone().acquire_owned().await.ok();
        let write = move || {
            let _turn = turn;
            write()
        };
        tokio::task::spawn_blocking(write).await.map_err(|_panicked| Rejection::failed(None))
    }
}

/// Serves the port until `stop` resolves.
pub async fn serve_metrics(listener: TcpListener, there: MetricsAnswers, stop: impl Future<Output = ()>) {
    let connections = Connections::with_overflow(CONNECTIONS, OVERFLOW);
    let there = Port::new(there);
    let answers = move |from, is_overflow| {
        let there = there.clone();
        move |request: Request<Incoming>| answer(request, from, there.clone(), is_overflow).boxed()
    };
    port::serve(listener, connections, answers, stop).await;
}

async fn answer(request: Request<Incoming>, from: IpAddr, port: Arc<Port>, is_overflow: bool) -> HttpResponse {
    let has_body = !request.body().is_end_stream();
    let answered = panics::caught_in(async move {
        check_coding(request.headers())?;
        if is_overflow {
            let words =
                format!("all {CONNECTIONS} connections of this port are taken; come back in {} s", RETRY_WHEN_FULL.as_secs());
            return Err(Rejection::no_room(None, RETRY_WHEN_FULL, words));
        }
        of_port(request.into_parts().0, from, port).await
    });
    let answered = answered.await.unwrap_or_else(|_panicked| Err(Rejection::failed(None)));
    let mut response = answered.unwrap_or_else(|rejection| rejection.answer(has_body));
    if is_overflow || has_body {
        last(&mut response);
    }
    response
}

async fn of_port(head: request::Parts, from: IpAddr, port: Arc<Port>) -> Result<HttpResponse, Rejection> {
    let there = &port.there;
    let (is_page, is_metrics) = (there.page.is_some() && head.uri.path() == PAGE, head.uri.path() == METRICS);
    if !is_page && !is_metrics {
        let page = if there.page.is_some() { " and a page at /" } else { "" };
        let words = format!("there is nothing here but /metrics{page}: MCP is on another port");
        return Err(Rejection::of_http(StatusCode::NOT_FOUND, words));
    }
    if ![Method::GET, Method::HEAD].contains(&head.method) {
        return Err(Rejection::of_method(PROBE_METHODS, "what is here is there to GET"));
    }
    if let Some(page) = there.page.as_ref().filter(|_| is_page) {
        let (audience, policy) = (page.audience(&head, from)?, page.policy);
        let write = page.write.clone();
        return Ok(page::response(port.written(move || write(audience)).await?, policy));
    }
    let exposition = Exposition::of(&head.headers);
    let takes_gzip = names(&head.headers, header::ACCEPT_ENCODING, GZIP);
    let of_port = port.clone();
    let write = move || {
        let text = (of_port.there.metrics)(exposition).into_bytes();
        if takes_gzip { gzipped(&text) } else { text }
    };
    let body = Outgoing::whole(port.written(write).await?, Lease::default());
    let mut response = typed(StatusCode::OK, exposition.content_type(), body);
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept, accept-encoding"));
    if takes_gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(GZIP));
    }
    Ok(response)
}

/// As fast as can be: labels repeat themselves, so even that leaves a twentieth.
fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut gzip = Vec::new();
    // Reading from memory cannot fail.
    let _ = GzEncoder::new(text, Compression::fast()).read_to_end(&mut gzip);
    gzip
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;
    use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST};
    use http_body_util::BodyExt as _;

    use super::super::allowlist::{Allowlist, Surroundings};
    use super::*;

    fn there(has_page: bool) -> Arc<Port> {
        let allowed = Allowlist::new(vec!["sandbar.example.com".to_owned()], Vec::new(), Surroundings::Elsewhere);
        let page = WebPage { allowed, policy: "default-src 'none'", write: Arc::new(|audience| format!("{audience:?}")) };
        Port::new(MetricsAnswers { metrics: Box::new(|exposition| format!("{exposition:?}")), page: has_page.then_some(page) })
    }

    async fn send(request: http::request::Builder, has_page: bool) -> (http::response::Parts, String) {
        send_from(IpAddr::from([127, 0, 0, 1]), request, has_page).await
    }

    async fn send_from(from: IpAddr, request: http::request::Builder, has_page: bool) -> (http::response::Parts, String) {
        let request = request.body(()).expect("a request");
        let response =
            of_port(request.into_parts().0, from, there(has_page)).await.unwrap_or_else(|rejection| rejection.answer(false));
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let mut text = String::new();
        match head.headers.contains_key(CONTENT_ENCODING) {
            true => GzDecoder::new(&*body).read_to_string(&mut text).expect("gzip"),
            false => (&*body).read_to_string(&mut text).expect("UTF-8"),
        };
        (head, text)
    }

    #[tokio::test]
    async fn who_takes_gzip_gets_the_same_text_in_it() {
        for (accept, is_gzip) in [
            (None, false),
            (Some("gzip"), true),
            (Some("deflate, GZIP;q=0.5"), true),
            (Some("gzip;q=0, br"), false),
            (Some("*"), false),
        ] {
            let request = Request::get("/metrics");
            let request = accept.into_iter().fold(request, |request, accept| request.header(ACCEPT_ENCODING, accept));
            let (head, text) = send(request, true).await;
            assert_eq!((head.headers.contains_key(CONTENT_ENCODING), &*text), (is_gzip, "Text"), "{accept:?}");
        }
    }

    #[tokio::test]
    async fn who_names_openmetrics_gets_it_and_everybody_else_the_text_format() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, kind, written) in [
            (Some(prometheus), "application/openmetrics-text; version=1.0.0; charset=utf-8", "OpenMetrics"),
            (Some("text/plain"), "text/plain; version=0.0.4; charset=utf-8", "Text"),
            (Some("application/openmetrics-text;q=0, */*"), "text/plain; version=0.0.4; charset=utf-8", "Text"),
            (Some("*/*"), "text/plain; version=0.0.4; charset=utf-8", "Text"),
            (None, "text/plain; version=0.0.4; charset=utf-8", "Text"),
        ] {
            let request = accept.into_iter().fold(Request::get("/metrics"), |request, accept| request.header(ACCEPT, accept));
            let (head, text) = send(request, true).await;
            assert_eq!(
                (head.status, &head.headers[CONTENT_TYPE], &*text),
                (StatusCode::OK, &HeaderValue::from_static(kind), written)
            );
        }
    }

    #[tokio::test]
    async fn there_is_nothing_else_here() {
        for path in ["/", "/mcp", "/healthz", "/metrics/", "//"] {
            let (head, words) = send(Request::get(path), false).await;
            assert_eq!((head.status, head.headers[CONTENT_TYPE].as_bytes()), (StatusCode::NOT_FOUND, &b"application/json"[..]));
            assert!(words.contains("nothing here but /metrics: MCP"), "{path}: {words}");
        }
        let (head, words) = send(Request::get("/favicon.ico"), true).await;
        assert!(head.status == StatusCode::NOT_FOUND && words.contains("/metrics and a page at /: MCP"), "{words}");
        for path in ["/metrics", "/"] {
            let (head, words) = send(Request::post(path).header(HOST, "localhost"), true).await;
            assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED, "{words}");
        }
    }

    #[tokio::test]
    async fn the_page_is_for_names_that_nobody_else_can_own() {
        for (host, audience) in [
            ("localhost:9090", "Operator"),
            ("127.0.0.1", "Operator"),
            ("[::1]:9090", "Operator"),
            ("10.1.2.3:9090", "Stranger"),
            ("sandbar.example.com", "Stranger"),
        ] {
            let (head, text) = send(Request::get("/").header(HOST, host), true).await;
            assert_eq!((head.status, &*text), (StatusCode::OK, audience), "{host}");
            for (name, value) in [
                ("content-type", "text/html; charset=utf-8"),
                ("content-security-policy", "default-src 'none'"),
                ("cache-control", "no-store"),
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
                ("cross-origin-resource-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"),
            ] {
                assert_eq!(head.headers.get(name), Some(&HeaderValue::from_static(value)), "{name}");
            }
            assert!(!head.headers.contains_key("access-control-allow-origin"));
        }
        for request in [
            Request::get("/").header(HOST, "rebound.example.net:9090"),
            Request::get("/").header(HOST, "localhost:9090").header("origin", "https://evil.example.net"),
            Request::get("/"),
        ] {
            let (head, words) = send(request, true).await;
            assert!(head.status == StatusCode::FORBIDDEN && !words.contains("Operator"), "{words}");
        }
        let (_, audience) = send_from(IpAddr::from([10, 0, 0, 7]), Request::get("/").header(HOST, "localhost"), true).await;
        assert_eq!(audience, "Stranger", "who comes from another machine can say any name");
        let (head, _) = send(Request::get("/metrics").header(HOST, "rebound.example.net:9090"), true).await;
        assert_eq!(head.status, StatusCode::OK, "scrapers come by names of all sorts");
    }
}
