//! An API server inside the process that answers with the bytes of an input, and sees what is asked of it.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::StreamBody;
use kube::client::Body;
use sandbar_kubernetes::{Cluster, Reader};
use sandbar_policy::{Budget, Grant, Identity, Limits, PolicyRule, Verb};
use tokio::runtime::Runtime;

/// The one namespace that readers are granted.
pub(crate) const NAMESPACE: &str = "team-a";

/// An answer: a status and a body.
pub(crate) type ApiResponse = (StatusCode, Vec<u8>);

/// The cluster of one execution.
pub(crate) struct Api {
    runtime: Runtime,
    cluster: Cluster,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Api {
    /// Answers each path with what `answer` says, cut into chunks of so many bytes; discovery by itself, where it says nothing.
    pub(crate) fn new(chunk: usize, answer: impl Fn(&str) -> Option<ApiResponse> + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = seen.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            assert_eq!(request.method(), Method::GET, "the capability path only reads");
            assert!(!request.headers().contains_key(header::UPGRADE), "no request is upgraded");
            let path = request.uri().path_and_query().unwrap().to_string();
            noted.lock().unwrap().push(path.clone());
            let (status, body) = answer(&path).unwrap_or_else(|| usual(request.uri().path()));
            let chunks: Vec<_> = body
                .chunks(chunk.max(1))
                .map(|chunk| Ok::<_, std::io::Error>(Frame::data(Bytes::copy_from_slice(chunk))))
                .collect();
            let body = StreamBody::new(futures::stream::iter(chunks));
            async move { Ok::<_, tower::BoxError>(Response::builder().status(status).body(body).unwrap()) }
        });
        let cluster = {
            let _inside = runtime.enter();
            Cluster::from_client(kube::Client::new(service, "default"))
        };
        Self { runtime, cluster, seen }
    }

    /// Reads within [`NAMESPACE`], whatever lies there but Secrets.
    pub(crate) fn read<T>(&self, limits: Limits, read: impl AsyncFnOnce(Reader) -> T) -> T {
        self.read_granted(&["*", "pods/log"], limits, read)
    }

    /// Reads these resources within [`NAMESPACE`].
    pub(crate) fn read_granted<T>(&self, resources: &[&str], limits: Limits, read: impl AsyncFnOnce(Reader) -> T) -> T {
        let grant = Grant {
            rules: vec![PolicyRule::new("*", resources, &[Verb::Get, Verb::List])],
            cluster_rules: Vec::new(),
            namespaces: [NAMESPACE.to_owned()].into_iter().collect(),
            ..Grant::default()
        };
        let reader = self.cluster.reader_for(&Identity::Operator, Arc::new(grant), Arc::new(Budget::new(limits))).unwrap();
        self.runtime.block_on(read(reader))
    }

    /// Lists all that the cluster serves.
    pub(crate) fn api_resources(&self) {
        if let Ok(served) = self.runtime.block_on(self.cluster.api_resources()) {
            assert!(served.resources.is_sorted_by_key(|found| (&found.group, &found.version, &found.plural)));
        }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

/// What a small cluster answers.
fn usual(path: &str) -> ApiResponse {
    let body = match path {
        "/apis" => {
            r#"{"kind":"APIGroupList","groups":[{"name":"coder.com","versions":[{"groupVersion":"coder.com/v1","version":"v1"}]}]}"#
        }
        "/api/v1" => {
            r#"{"kind":"APIResourceList","resources":[{"name":"pods","namespaced":true,"kind":"Pod","verbs":["get","list"]},{"name":"secrets","namespaced":true,"kind":"Secret","verbs":["get","list"]},{"name":"nodes","namespaced":false,"kind":"Node","verbs":["get","list"]}]}"#
        }
        "/apis/coder.com/v1" => {
            r#"{"kind":"APIResourceList","resources":[{"name":"codercontrolplanes","namespaced":true,"kind":"X","verbs":["get","list"]}]}"#
        }
        "/version" => r#"{"gitVersion":"v1.37.2","platform":"linux/amd64"}"#,
        _ => return (StatusCode::NOT_FOUND, b"404 page not found\n".to_vec()),
    };
    (StatusCode::OK, body.into())
}
