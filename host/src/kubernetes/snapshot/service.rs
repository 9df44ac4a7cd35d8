//! Requests to answers: the routes of an API server over a snapshot.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, header};
use kube::client::Body;
use percent_encoding::percent_decode_str;

use super::status::Refusal;
use super::store::{Collection, Snapshot};
use super::{discovery, list, pod_log};

/// Answers like an API server. Clones share the snapshot.
#[derive(Clone)]
pub(super) struct ApiServer {
    snapshot: Arc<Snapshot>,
}

impl ApiServer {
    /// An API server over `snapshot`.
    pub(super) fn new(snapshot: Snapshot) -> Self {
        Self { snapshot: Arc::new(snapshot) }
    }
}

impl tower::Service<Request<Body>> for ApiServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // In the future, not here: whoever asks does the work, and calls do not wait for each other.
        let snapshot = Arc::clone(&self.snapshot);
        Box::pin(async move { Ok(respond(&snapshot, &request)) })
    }
}

/// What a request that is not refused gets.
enum Answer {
    Json(String),
    Text(Bytes),
    Nothing,
}

fn respond(snapshot: &Snapshot, request: &Request<Body>) -> Response<Body> {
    const JSON: &str = "application/json";
    const TEXT: &str = "text/plain; charset=utf-8";
    let (code, media_type, body) = match answer(snapshot, request) {
        Ok(Answer::Json(text)) => (StatusCode::OK, JSON, Bytes::from(text)),
        Ok(Answer::Text(text)) => (StatusCode::OK, TEXT, text),
        Ok(Answer::Nothing) => (StatusCode::NO_CONTENT, TEXT, Bytes::new()),
        Err(refusal) => {
            let (code, media_type, text) = refusal.into_parts();
            (code, media_type, Bytes::from(text))
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
    response
}

fn answer(snapshot: &Snapshot, request: &Request<Body>) -> Result<Answer, Refusal> {
    if request.method() != Method::GET {
        return Err(Refusal::method_not_allowed());
    }
    let path = request.uri().path().trim_matches('/').split('/');
    let path: Vec<_> = path.map(|part| percent_decode_str(part).decode_utf8_lossy()).collect();
    let path: Vec<&str> = path.iter().map(AsRef::as_ref).collect();
    let query = request.uri().query().unwrap_or_default();
    let json = |value: serde_json::Value| Answer::Json(value.to_string());
    match *path.as_slice() {
        ["version"] => Ok(json(snapshot.version().clone())),
        ["readyz" | "livez" | "healthz"] => Ok(Answer::Text(Bytes::from_static(b"ok"))),
        ["api"] => Ok(json(discovery::core_versions())),
        ["apis"] => Ok(json(discovery::groups(snapshot))),
        ["apis", group] => discovery::group(snapshot, group).map(json).ok_or(Refusal::NotServed),
        ["api", version] => discovery::resources(snapshot, "", version).map(json).ok_or(Refusal::NotServed),
        ["apis", group, version] => discovery::resources(snapshot, group, version).map(json).ok_or(Refusal::NotServed),
        ["api", version, ref rest @ ..] => resource(snapshot, "", version, rest, query),
        ["apis", group, version, ref rest @ ..] => resource(snapshot, group, version, rest, query),
        _ => Err(Refusal::NotServed),
    }
}

/// Whatever stands behind a version in a path. The path of a namespace itself begins like that of what is in it.
fn resource(snapshot: &Snapshot, group: &str, version: &str, rest: &[&str], query: &str) -> Result<Answer, Refusal> {
    let find = |plural: &str, namespaced: bool| {
        let found = snapshot.collection(group, version, plural);
        found.filter(|found| found.kind.namespaced == namespaced).ok_or(Refusal::NotServed)
    };
    match *rest {
        [plural] => {
            let found = snapshot.collection(group, version, plural).ok_or(Refusal::NotServed)?;
            list::list(snapshot, found, None, &list::Options::parse(query)?).map(Answer::Json)
        }
        [plural, name] => get(find(plural, false)?, None, name),
        ["namespaces", namespace, plural] => {
            let found = find(plural, true)?;
            list::list(snapshot, found, Some(namespace), &list::Options::parse(query)?).map(Answer::Json)
        }
        ["namespaces", namespace, plural, name] => get(find(plural, true)?, Some(namespace), name),
        ["namespaces", namespace, "pods", name, "log"] if group.is_empty() => {
            let options = pod_log::Options::parse(name, query)?;
            let log = pod_log::read(snapshot, find("pods", true)?, namespace, name, &options)?;
            Ok(log.map_or(Answer::Nothing, Answer::Text))
        }
        _ => Err(Refusal::NotServed),
    }
}

fn get(collection: &Collection, namespace: Option<&str>, name: &str) -> Result<Answer, Refusal> {
    let object = collection.get(namespace, name).ok_or_else(|| Refusal::not_found(&collection.kind, name))?;
    Ok(Answer::Json(object.json.to_string()))
}
