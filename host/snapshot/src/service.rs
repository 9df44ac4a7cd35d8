//! Requests to answers: the routes of an API server over a snapshot.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use super::status::Refusal;
use super::steps::Steps;
use super::store::{Collection, Snapshot};
use super::table::Shown;
use super::tail::Body;
use super::{discovery, list, pod_log};

/// A server over a snapshot. Clones share the snapshot.
#[derive(Clone)]
pub(super) struct SnapshotServer {
    snapshot: Arc<Snapshot>,
}

impl SnapshotServer {
    /// An API server over `snapshot`.
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self { snapshot: Arc::new(snapshot) }
    }
}

impl tower::Service<Request<kube::client::Body>> for SnapshotServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<kube::client::Body>) -> Self::Future {
        // In the future, not here: the work is charged to the call that asks, and calls do not wait for each other.
        let snapshot = Arc::clone(&self.snapshot);
        let (head, _) = request.into_parts();
        Box::pin(async move { Ok(respond(&snapshot, &head).await) })
    }
}

/// A successful answer.
struct Success {
    code: StatusCode,
    media_type: &'static str,
    body: Body,
    /// What the answer lacks, for the reader.
    warning: Option<String>,
}

const JSON: &str = "application/json";
/// What a client accepts that wants a table, and nothing else.
const TABLE: &[u8] = b"application/json;as=Table;g=meta.k8s.io;v=v1";
const TEXT: &str = "text/plain; charset=utf-8";

/// An API type, which always serialises.
fn json(value: impl Serialize) -> Success {
    Success::json(serde_json::to_string(&value).unwrap_or_default())
}

impl Success {
    fn json(text: String) -> Self {
        Self { code: StatusCode::OK, media_type: JSON, body: whole(text), warning: None }
    }

    fn text(code: StatusCode, text: &'static str) -> Self {
        Self { code, media_type: TEXT, body: whole(text), warning: None }
    }
}

fn whole(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

async fn respond(snapshot: &Snapshot, request: &Parts) -> Response<Body> {
    let Success { code, media_type, body, warning } = match answer(snapshot, request).await {
        Ok(answer) => answer,
        Err(refusal) => {
            let (code, media_type, text) = refusal.into_parts();
            Success { code, media_type, body: whole(text), warning: None }
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Some(warning) = warning.and_then(|text| warning_header(&text)) {
        response.headers_mut().insert(header::WARNING, warning);
    }
    response
}

/// Bytes of one warning: clients read no more.
const WARNING_MAX: usize = 512;

/// A warning in the API server's format: code 299, no agent, quoted.
fn warning_header(text: &str) -> Option<HeaderValue> {
    // A path or a name may have characters that a header cannot.
    let quoted = sandbar_text::clean_line(text, WARNING_MAX).replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::try_from(format!("299 - \"{quoted}\"")).ok()
}

async fn answer(snapshot: &Snapshot, request: &Parts) -> Result<Success, Refusal> {
    if request.method != Method::GET {
        return Err(Refusal::method_not_allowed());
    }
    let path = request.uri.path().trim_matches('/').split('/');
    let path: Vec<_> = path.map(|part| percent_decode_str(part).decode_utf8_lossy()).collect();
    let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    let mut steps = Steps::of(&request.extensions);
    match *path.as_slice() {
        ["version"] => Ok(json(snapshot.version())),
        ["readyz" | "livez" | "healthz"] => Ok(Success::text(StatusCode::OK, "ok")),
        ["api"] => Ok(json(discovery::core_versions())),
        ["apis"] => Ok(json(discovery::groups(snapshot))),
        ["apis", group] => discovery::group(snapshot, group).map(json).ok_or(Refusal::NotServed),
        ["api", version] => discovery::resources(snapshot, "", version).map(json).ok_or(Refusal::NotServed),
        ["apis", group, version] => discovery::resources(snapshot, group, version).map(json).ok_or(Refusal::NotServed),
        ["api", version, ref rest @ ..] => resource(snapshot, "", version, rest, request, &mut steps).await,
        ["apis", group, version, ref rest @ ..] => resource(snapshot, group, version, rest, request, &mut steps).await,
        _ => Err(Refusal::NotServed),
    }
}

/// Answers a path behind a version. The path of a namespace itself begins like that of its contents.
async fn resource(
    snapshot: &Snapshot,
    group: &str,
    version: &str,
    rest: &[&str],
    request: &Parts,
    steps: &mut Steps,
) -> Result<Success, Refusal> {
    let find = |plural: &str, namespaced: bool| {
        let found = snapshot.collection(group, version, plural);
        found.filter(|found| found.kind.namespaced == namespaced).ok_or(Refusal::NotServed)
    };
    match *rest {
        [plural] => {
            let found = snapshot.collection(group, version, plural).ok_or(Refusal::NotServed)?;
            page(snapshot, found, None, request, steps).await
        }
        [plural, name] => get(snapshot, find(plural, false)?, None, name),
        ["namespaces", namespace, plural] => page(snapshot, find(plural, true)?, Some(namespace), request, steps).await,
        ["namespaces", namespace, plural, name] => get(snapshot, find(plural, true)?, Some(namespace), name),
        ["namespaces", namespace, "pods", name, "log"] if group.is_empty() => {
            let options = pod_log::Options::parse(name, request.uri.query().unwrap_or_default())?;
            let found = pod_log::read(snapshot, find("pods", true)?, namespace, name, &options, steps).await?;
            Ok(found.map_or(Success::text(StatusCode::NO_CONTENT, ""), |pod_log::Found { body, warning }| Success {
                code: StatusCode::OK,
                media_type: TEXT,
                body,
                warning,
            }))
        }
        _ => Err(Refusal::NotServed),
    }
}

async fn page(
    snapshot: &Snapshot,
    of: &Collection,
    namespace: Option<&str>,
    request: &Parts,
    steps: &mut Steps,
) -> Result<Success, Refusal> {
    let wants_table = request.headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(TABLE));
    let shown = if wants_table { Shown::table(&of.kind, snapshot.clock())? } else { Shown::Objects };
    let options = list::Options::parse(request.uri.query().unwrap_or_default())?;
    let mut page = list::list(snapshot, of, namespace, &options, shown, steps).await?;
    let warning = page.warning.take();
    Ok(Success { code: StatusCode::OK, media_type: JSON, body: page.into_body(), warning })
}

fn get(snapshot: &Snapshot, collection: &Collection, namespace: Option<&str>, name: &str) -> Result<Success, Refusal> {
    if let Some(object) = collection.get(namespace, name) {
        return Ok(Success::json(object.json.to_string()));
    }
    snapshot.coverage().check(&collection.kind, namespace).map_err(Refusal::not_held)?;
    Err(Refusal::not_found(&collection.kind, name))
}
