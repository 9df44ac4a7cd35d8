//! A port for Prometheus alone: `GET /metrics`, in plain HTTP. What is bounded of other connections is bounded here, and whoever scrapes keeps
//! nobody waiting who calls: the text is written on a thread of its own, and whole before any of it is sent.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use http::{HeaderMap, Method, Request, StatusCode, request};
use hyper::body::{Body as _, Incoming};
use tokio::net::TcpListener;

use super::HttpResponse;
use super::connections::Connections;
use super::lease::{Lease, Outgoing};
use super::media::names;
use super::rejection::{Rejection, last, typed};
use super::router::{PROBE_METHODS, check_coding};
use super::{panics, port};

/// Connections at once: a few Prometheus servers, and people who look.
const CONNECTIONS: usize = 16;

/// Connections beyond them, each for one answer that says so.
const OVERFLOW: usize = 16;

/// When to come back where all are taken: idle ones make room after 5 s.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

/// Where the metrics are.
const METRICS: &str = "/metrics";

/// The type of the newer format, which Prometheus names first.
const OPENMETRICS: &str = "application/openmetrics-text";

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
        if names(headers, OPENMETRICS) { Self::OpenMetrics } else { Self::Text }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Writes all metrics as they are now.
pub type WriteMetrics = dyn Fn(Exposition) -> String + Send + Sync;

/// Serves the port until `stop` resolves.
pub async fn serve_metrics(listener: TcpListener, write: Arc<WriteMetrics>, stop: impl Future<Output = ()>) {
    let connections = Connections::with_overflow(CONNECTIONS, OVERFLOW);
    let answers = move |is_overflow| {
        let write = write.clone();
        move |request: Request<Incoming>| answer(request, write.clone(), is_overflow).boxed()
    };
    port::serve(listener, connections, answers, stop).await;
}

async fn answer(request: Request<Incoming>, write: Arc<WriteMetrics>, is_overflow: bool) -> HttpResponse {
    let has_body = !request.body().is_end_stream();
    let answered = panics::caught_in(async move {
        check_coding(request.headers())?;
        if is_overflow {
            let words =
                format!("all {CONNECTIONS} connections of this port are taken; come back in {} s", RETRY_WHEN_FULL.as_secs());
            return Err(Rejection::no_room(None, RETRY_WHEN_FULL, words));
        }
        scraped(request.into_parts().0, write).await
    });
    let answered = answered.await.unwrap_or_else(|_panicked| Err(Rejection::failed(None)));
    let mut response = answered.unwrap_or_else(|rejection| rejection.answer(has_body));
    if is_overflow || has_body {
        last(&mut response);
    }
    response
}

async fn scraped(head: request::Parts, write: Arc<WriteMetrics>) -> Result<HttpResponse, Rejection> {
    if head.uri.path() != METRICS {
        return Err(Rejection::of_http(StatusCode::NOT_FOUND, "there is nothing here but /metrics: MCP is on another port"));
    }
    if ![Method::GET, Method::HEAD].contains(&head.method) {
        return Err(Rejection::of_method(PROBE_METHODS, "metrics are there to GET"));
    }
    let exposition = Exposition::of(&head.headers);
    let text = tokio::task::spawn_blocking(move || write(exposition)).await.map_err(|_panicked| Rejection::failed(None))?;
    Ok(typed(StatusCode::OK, exposition.content_type(), Outgoing::whole(text, Lease::default())))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::BodyExt as _;

    use super::*;

    fn write() -> Arc<WriteMetrics> {
        Arc::new(|exposition| format!("{exposition:?}"))
    }

    async fn ask(method: Method, path: &str, accept: Option<&'static str>) -> (StatusCode, String, String) {
        let mut request = Request::builder().method(method).uri(path).body(()).expect("a request");
        if let Some(accept) = accept {
            request.headers_mut().insert(http::header::ACCEPT, HeaderValue::from_static(accept));
        }
        let response = scraped(request.into_parts().0, write()).await.unwrap_or_else(|rejection| rejection.answer(false));
        let (head, body) = response.into_parts();
        let kind = head.headers[http::header::CONTENT_TYPE].to_str().expect("text").to_owned();
        let body = body.collect().await.expect("a body").to_bytes();
        (head.status, kind, String::from_utf8(body.to_vec()).expect("UTF-8"))
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
            let expected = (StatusCode::OK, kind.to_owned(), written.to_owned());
            assert_eq!(ask(Method::GET, "/metrics", accept).await, expected, "{accept:?}");
        }
    }

    #[tokio::test]
    async fn there_is_nothing_else_here() {
        for path in ["/", "/mcp", "/healthz", "/metrics/"] {
            let (status, kind, words) = ask(Method::GET, path, None).await;
            assert_eq!((status, &*kind), (StatusCode::NOT_FOUND, "application/json"), "{path}");
            assert!(words.contains("nothing here but /metrics"), "{words}");
        }
        let (status, _, words) = ask(Method::POST, "/metrics", None).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{words}");
    }
}
