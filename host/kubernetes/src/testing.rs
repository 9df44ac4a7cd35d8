//! An API server for tests that says what no real one can be made to say: 429, silence, whole lists, broken answers.
//!
//! A tower service as the client. It answers discovery by itself; everything else is up to the test.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use futures::future::Either;
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt as _;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use kube::client::Body;
use sandbar_policy::{Budget, Grant, Limits, Namespaces, PolicyRule, Verb};
use serde_json::{Value, json};
use tower::BoxError;

use super::cluster::Cluster;
use super::reader::Reader;
use super::types::{Query, Resource, Scope};

/// How bodies are cut: small, and never at the same place of an object.
const CHUNK: usize = 61;

/// What the server does with a request.
pub(super) enum FakeAnswer {
    /// Answers.
    Say { status: StatusCode, retry_after: Option<&'static str>, body: Vec<u8>, then_silence: bool },
    /// Never answers.
    Silence,
    /// Closes the connection.
    Disconnect,
}

impl FakeAnswer {
    pub(super) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::with_status(200, body)
    }

    pub(super) fn json(body: Value) -> Self {
        Self::ok(body.to_string())
    }

    pub(super) fn with_status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let status = StatusCode::from_u16(status).expect("a status");
        FakeAnswer::Say { status, retry_after: None, body: body.into(), then_silence: false }
    }

    /// A `metav1.Status`, with more of its fields.
    pub(super) fn status(code: u16, reason: &str, message: &str, more: Value) -> Self {
        let mut status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": message });
        let more = more.as_object().expect("an object").clone();
        status.as_object_mut().expect("an object").extend(more);
        Self::with_status(code, status.to_string())
    }

    pub(super) fn retry_after(mut self, seconds: &'static str) -> Self {
        if let FakeAnswer::Say { retry_after, .. } = &mut self {
            *retry_after = Some(seconds);
        }
        self
    }

    pub(super) fn then_silence(mut self) -> Self {
        if let FakeAnswer::Say { then_silence, .. } = &mut self {
            *then_silence = true;
        }
        self
    }
}

/// The requests that a server has seen, discovery aside: path and query, and in whose name.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<Noted>>>);

/// Path and query, and in whose name.
type Noted = (String, Option<String>);

impl Seen {
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().expect("not poisoned").iter().map(|(path, _)| path.clone()).collect()
    }

    /// In whose name each of them was sent, if not in that of the sender.
    pub(super) fn impersonated(&self) -> Vec<Option<String>> {
        self.0.lock().expect("not poisoned").iter().map(|(_, whom)| whom.clone()).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.all().len()
    }

    /// The last value of a query parameter, as it was sent.
    pub(super) fn last(&self, key: &str) -> Option<String> {
        let last = self.all().pop()?;
        parameter(&last, key).map(str::to_owned)
    }
}

/// A query parameter of a path.
pub(super) fn parameter<'a>(path: &'a str, key: &str) -> Option<&'a str> {
    let (_, query) = path.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

/// A cluster whose server answers with `answer`, given path and query and the number of requests before.
pub(super) fn cluster(answer: impl Fn(&str, usize) -> FakeAnswer + Send + Sync + 'static) -> (Cluster, Seen) {
    cluster_in_time(move |path, before| std::future::ready(answer(&path, before)))
}

/// The same with a server that may take its time.
pub(super) fn cluster_in_time<A>(answer: impl Fn(String, usize) -> A + Send + Sync + 'static) -> (Cluster, Seen)
where
    A: Future<Output = FakeAnswer> + Send + 'static,
{
    let seen = Seen::default();
    let noted = seen.clone();
    let answer = Arc::new(answer);
    let service = tower::service_fn(move |request: Request<Body>| {
        let path = request.uri().path_and_query().expect("a path").to_string();
        let whom = request.headers().get("impersonate-user").map(|name| name.to_str().expect("ASCII").to_owned());
        let found = discovery(&path);
        assert!(found.is_none() || whom.is_none(), "what is served is found out in the server's own name");
        let answer = match found {
            Some(found) => Either::Left(std::future::ready(found)),
            None => {
                let mut noted = noted.0.lock().expect("not poisoned");
                noted.push((path.clone(), whom));
                Either::Right(answer(path, noted.len() - 1))
            }
        };
        async move {
            match answer.await {
                FakeAnswer::Silence => std::future::pending().await,
                FakeAnswer::Disconnect => Err(BoxError::from(io::Error::from(io::ErrorKind::ConnectionReset))),
                FakeAnswer::Say { status, retry_after, body, then_silence } => {
                    let mut response = Response::builder().status(status);
                    if let Some(seconds) = retry_after {
                        response = response.header("Retry-After", seconds);
                    }
                    Ok(response.body(in_chunks(body, then_silence)).expect("a response"))
                }
            }
        }
    });
    (Cluster::from_client(kube::Client::new(service, "default")), seen)
}

fn in_chunks(body: Vec<u8>, then_silence: bool) -> UnsyncBoxBody<Bytes, BoxError> {
    let chunks: Vec<_> = body.chunks(CHUNK).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    let stream = futures::stream::iter(chunks);
    if then_silence {
        StreamBody::new(stream.chain(futures::stream::pending())).boxed_unsync()
    } else {
        StreamBody::new(stream).boxed_unsync()
    }
}

/// What the cluster serves: pods, events and secrets, nodes, and the Coder APIs.
fn discovery(path: &str) -> Option<FakeAnswer> {
    let resource = |name: &str, namespaced: bool| json!({ "name": name, "namespaced": namespaced, "kind": "X", "verbs": ["get", "list", "watch"] });
    let list = |resources: Value| Some(FakeAnswer::json(json!({ "kind": "APIResourceList", "resources": resources })));
    let group = |name: &str, versions: &[&str]| {
        let versions: Vec<Value> =
            versions.iter().map(|version| json!({ "groupVersion": format!("{name}/{version}"), "version": version })).collect();
        json!({ "name": name, "versions": versions, "preferredVersion": versions[0] })
    };
    match path {
        "/apis" => Some(FakeAnswer::json(json!({
            "kind": "APIGroupList",
            "groups": [group("coder.com", &["v1", "v1alpha1"]), group("aggregation.coder.com", &["v1alpha1"]), group("broken.example", &["v1"])],
        }))),
        "/api/v1" => list(json!([
            resource("pods", true), resource("pods/log", true), resource("events", true), resource("secrets", true), resource("nodes", false),
            { "name": "bindings", "namespaced": true, "kind": "Binding", "verbs": ["create"] },
        ])),
        "/apis/coder.com/v1" => list(json!([])),
        "/apis/coder.com/v1alpha1" => list(json!([resource("codercontrolplanes", true)])),
        "/apis/aggregation.coder.com/v1alpha1" => list(json!([resource("coderworkspaces", true)])),
        "/apis/broken.example/v1" => Some(FakeAnswer::with_status(503, "service unavailable\n")),
        _ => None,
    }
}

/// A grant for everything that the server has, in these namespaces.
pub(super) fn grant(namespaces: Namespaces) -> Grant {
    Grant {
        rules: vec![PolicyRule::new("*", &["*", "pods/log"], &[Verb::Get, Verb::List])],
        cluster_rules: vec![PolicyRule::new("*", &["*"], &[Verb::Get, Verb::List])],
        namespaces,
        ..Grant::default()
    }
}

/// A reader with that grant and these limits.
pub(super) fn reader(cluster: &Cluster, namespaces: Namespaces, limits: Limits) -> Reader {
    cluster.reader(Arc::new(grant(namespaces)), Arc::new(Budget::new(limits)))
}

pub(super) fn allowed(names: &[&str]) -> Namespaces {
    names.iter().map(|&name| name.to_owned()).collect()
}

pub(super) fn resource(group: &str, plural: &str) -> Resource {
    Resource { group: group.into(), version: String::new(), plural: plural.into() }
}

pub(super) fn query(of: Resource, within: Scope) -> Query {
    Query { of, within, label_selector: None, field_selector: None, fields: None, limit: None, continue_: None }
}

/// A list as a server sends it, `metadata` behind `items` as for custom resources.
pub(super) fn list(namespace: &str, names: &[&str], continue_: Option<&str>) -> FakeAnswer {
    let items: Vec<Value> = names.iter().map(|name| json!({ "metadata": { "namespace": namespace, "name": name } })).collect();
    let mut metadata = json!({ "resourceVersion": "7" });
    if let Some(token) = continue_ {
        metadata["continue"] = token.into();
        metadata["remainingItemCount"] = 3.into();
    }
    FakeAnswer::json(json!({ "kind": "List", "apiVersion": "v1", "items": items, "metadata": metadata }))
}

/// The names on a page.
pub(super) fn names(items: &str) -> Vec<String> {
    let items: Vec<Value> = serde_json::from_str(items).expect("a JSON array");
    items.iter().map(|item| item["metadata"]["name"].as_str().expect("a name").to_owned()).collect()
}
