//! The requests that a server sends to the API server for a call, seen on their way there, and the same sent without a server.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{HeaderValue, Request, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::client::Body;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::fake_api;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use crate::tools::Connection;

/// Requests, in the order in which they were sent.
pub(super) struct Requests(Vec<Sent>);

#[derive(Clone)]
struct Sent {
    path_and_query: String,
    accept: HeaderValue,
}

impl Requests {
    /// Those of one call: of a server that has made it before, so that it knows which kinds there are.
    pub(super) async fn of(control_plane: &ControlPlane, tool: &str, arguments: Value) -> Self {
        let recorder = Recorder::before(control_plane).await;
        let files = tempfile::tempdir().expect("a temporary directory");
        let kubeconfig = files.path().join("kubeconfig");
        std::fs::write(&kubeconfig, fake_api::kubeconfig(&recorder.address)).expect("a temporary file");
        let server = super::server().kubeconfig(&kubeconfig).cluster("kubeconfig:test").start().await;
        let connection = Connection::to(&server);
        connection.call(tool, arguments.clone()).await;
        recorder.take();
        connection.call(tool, arguments).await;
        Self(recorder.take())
    }

    /// Those whose path ends so.
    pub(super) fn to(self, end: &str) -> Self {
        let is_to = |sent: &Sent| sent.path_and_query.split('?').next().is_some_and(|path| path.ends_with(end));
        Self(self.0.into_iter().filter(is_to).collect())
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Sends them one after the other, and reads each answer before the next.
    pub(super) async fn send(&self, client: &kube::Client) {
        for Sent { path_and_query, accept } in &self.0 {
            let request = Request::get(path_and_query).header(header::ACCEPT, accept).body(Body::empty());
            let response = client.send(request.expect("a request")).await.expect("an answer");
            assert!(response.status().is_success(), "{path_and_query}: {}", response.status());
            response.into_body().collect().await.expect("a body");
        }
    }
}

/// What stands before an API server, asks it in its admin's name, and notes what was asked for.
struct Recorder {
    address: String,
    sent: Arc<Mutex<Vec<Sent>>>,
    _serving: AbortOnDropHandle<()>,
}

impl Recorder {
    async fn before(control_plane: &ControlPlane) -> Self {
        let client = control_plane.client("admin").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        let noted = sent.clone();
        let serving = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (client, noted) = (client.clone(), noted.clone());
                let pass = service_fn(move |request: Request<Incoming>| {
                    let accept = request.headers().get(header::ACCEPT).cloned().expect("each request has one");
                    let path_and_query = request.uri().path_and_query().expect("a path").to_string();
                    noted.lock().expect("nobody panics").push(Sent { path_and_query, accept: accept.clone() });
                    let client = client.clone();
                    async move {
                        let asked = Request::get(request.uri().to_string()).header(header::ACCEPT, accept).body(Body::empty());
                        Ok::<_, Infallible>(client.send(asked.expect("a request")).await.expect("an answer"))
                    }
                });
                tokio::spawn(async move {
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), pass).await;
                });
            }
        };
        Self { address, sent, _serving: AbortOnDropHandle::new(tokio::spawn(serving)) }
    }

    fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.sent.lock().expect("nobody panics"))
    }
}
