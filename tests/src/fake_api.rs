//! A made-up API server, for what a real one cannot be made to do: answer slowly, refuse, break off, say nothing.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt as _};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What it does with a request.
#[derive(Clone, Debug)]
pub enum FakeAnswer {
    /// Answers at once.
    Now(StatusCode, Vec<(&'static str, String)>, Bytes),
    /// Answers once the gate is open.
    Behind(Gate, Box<FakeAnswer>),
    /// Answers after this time.
    After(Duration, Box<FakeAnswer>),
    /// Never answers.
    Never,
    /// 200, a body that begins with this text, and what it does after that.
    Begun(String, Then),
}

/// What becomes of a body that has begun.
#[derive(Clone, Debug)]
pub enum Then {
    /// The connection ends.
    Breaks,
    /// Nothing comes any more.
    Stalls,
    /// This text comes again and again.
    Repeats(String),
}

impl FakeAnswer {
    /// 200 with JSON.
    pub fn json(value: &Value) -> Self {
        FakeAnswer::Now(StatusCode::OK, vec![("content-type", "application/json".to_owned())], value.to_string().into())
    }

    /// A Kubernetes Status.
    pub fn status(code: u16, reason: &str, message: &str) -> Self {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": code,
        });
        let code = StatusCode::from_u16(code).expect("a status code");
        FakeAnswer::Now(code, vec![("content-type", "application/json".to_owned())], status.to_string().into())
    }

    /// Plain text, as something in front of an API server writes it.
    pub fn text(code: u16, text: &str) -> Self {
        FakeAnswer::Now(
            StatusCode::from_u16(code).expect("a status code"),
            vec![("content-type", "text/plain".to_owned())],
            text.to_owned().into(),
        )
    }

    /// 200 with these bytes, said to be JSON.
    pub fn bytes(body: &[u8]) -> Self {
        FakeAnswer::Now(StatusCode::OK, vec![("content-type", "application/json".to_owned())], Bytes::copy_from_slice(body))
    }

    /// The same with another header.
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        if let FakeAnswer::Now(_, headers, _) = &mut self {
            headers.push((name, value.to_owned()));
        }
        self
    }
}

/// Holds answers back until it is opened.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed one.
    pub fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets everything through from now on.
    pub fn open(&self) {
        self.0.send_replace(true);
    }
}

/// A made-up API server. It runs in a thread of its own until the process ends.
#[derive(Clone, Debug)]
pub struct FakeApi {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Asked>>>,
    in_flight: Arc<watch::Sender<usize>>,
}

/// A request that has come.
#[derive(Clone, Debug)]
struct Asked {
    /// Path and query.
    path: String,
    headers: HeaderMap,
}

impl FakeApi {
    /// Serves what `special` says about a path and query, and for everything else that it returns none for: discovery, a version,
    /// and empty lists.
    pub fn start(special: impl Fn(&str) -> Option<FakeAnswer> + Send + Sync + 'static) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let in_flight = Arc::new(watch::Sender::new(0));
        let (ready, address) = std::sync::mpsc::channel();
        let (log, counter) = (requests.clone(), in_flight.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let _ = ready.send(listener.local_addr().expect("an address"));
                serve(listener, Arc::new(special), log, counter).await;
            });
        });
        Self { address: address.recv().expect("the thread runs"), requests, in_flight }
    }

    /// Writes a kubeconfig that leads here.
    pub fn write_kubeconfig(&self, path: &Path) {
        std::fs::write(path, kubeconfig(&format!("http://{}", self.address))).expect("a kubeconfig can be written");
    }

    /// Paths and queries of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.path).collect()
    }

    /// The headers of the requests so far whose path and query hold this text.
    pub fn headers_of(&self, text: &str) -> Vec<HeaderMap> {
        self.asked().into_iter().filter(|asked| asked.path.contains(text)).map(|asked| asked.headers).collect()
    }

    /// Its address as a URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> Vec<Asked> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many of the requests that contain this text wait for their answer. A request whose client has gone does not count.
    pub fn in_flight(&self) -> usize {
        *self.in_flight.borrow()
    }
}

/// A kubeconfig for one server, with one context, `test`.
pub fn kubeconfig(server: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{ "name": "test", "cluster": { "server": server } }],
        "users": [{ "name": "test", "user": { "token": "test" } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
    })
    .to_string()
}

type Special = dyn Fn(&str) -> Option<FakeAnswer> + Send + Sync;

async fn serve(listener: TcpListener, special: Arc<Special>, log: Arc<Mutex<Vec<Asked>>>, counter: Arc<watch::Sender<usize>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (special, log, counter) = (special.clone(), log.clone(), counter.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(Asked { path: path.clone(), headers: request.headers().clone() });
            let answer = special(&path).unwrap_or_else(|| usual(request.uri().path()));
            let waiting = InFlight::new(counter.clone());
            async move {
                let response = respond(answer).await;
                drop(waiting);
                Ok::<_, std::convert::Infallible>(response)
            }
        });
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Counts a request until it is answered or its client is gone, which drops the future that holds this.
struct InFlight(Arc<watch::Sender<usize>>);

impl InFlight {
    fn new(counter: Arc<watch::Sender<usize>>) -> Self {
        counter.send_modify(|count| *count += 1);
        Self(counter)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

async fn respond(mut answer: FakeAnswer) -> Response<Body> {
    loop {
        match answer {
            FakeAnswer::Never => std::future::pending::<()>().await,
            FakeAnswer::Behind(gate, next) => {
                // The gate lives as long as its answer, so the sender cannot be gone.
                let _ = gate.0.subscribe().wait_for(|open| *open).await;
                answer = *next;
                continue;
            }
            FakeAnswer::After(time, next) => {
                tokio::time::sleep(time).await;
                answer = *next;
                continue;
            }
            FakeAnswer::Now(status, headers, body) => {
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                return response.body(Full::new(body).map_err(|never| match never {}).boxed_unsync()).expect("a response");
            }
            FakeAnswer::Begun(beginning, then) => {
                let body = StreamBody::new(stream::iter([Ok(Frame::data(beginning.into()))]).chain(then.frames()));
                return Response::new(body.boxed_unsync());
            }
        }
    }
}

impl Then {
    fn frames(self) -> BoxStream<'static, std::io::Result<Frame<Bytes>>> {
        match self {
            Then::Breaks => stream::once(async {
                // What has been sent goes out while there is nothing more to send.
                tokio::task::yield_now().await;
                Err(std::io::ErrorKind::BrokenPipe.into())
            })
            .boxed(),
            Then::Stalls => stream::pending().boxed(),
            Then::Repeats(text) => {
                let text = Bytes::from(text);
                stream::repeat_with(move || Ok(Frame::data(text.clone()))).boxed()
            }
        }
    }
}

/// What an API server with the Coder APIs and no objects answers.
fn usual(path: &str) -> FakeAnswer {
    let resources = |group_version: &str, kinds: &[(&str, &str)]| {
        let resources: Vec<Value> = kinds
            .iter()
            .map(|(plural, kind)| json!({ "name": plural, "singularName": "", "namespaced": true, "kind": kind, "verbs": ["get", "list"] }))
            .collect();
        json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources })
    };
    let group = |name: &str| {
        let version = json!({ "groupVersion": format!("{name}/v1alpha1"), "version": "v1alpha1" });
        json!({ "name": name, "versions": [version], "preferredVersion": version })
    };
    let value = match path {
        "/version" => json!({ "major": "1", "minor": "37", "gitVersion": "v1.37.2", "platform": "linux/amd64" }),
        "/readyz" => return FakeAnswer::text(200, "ok"),
        "/apis" => {
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [group("coder.com"), group("aggregation.coder.com")] })
        }
        "/api/v1" => resources("v1", &[("pods", "Pod"), ("pods/log", "Pod"), ("events", "Event")]),
        "/apis/coder.com/v1alpha1" => resources("coder.com/v1alpha1", &[("codercontrolplanes", "CoderControlPlane")]),
        "/apis/aggregation.coder.com/v1alpha1" => resources(
            "aggregation.coder.com/v1alpha1",
            &[("coderworkspaces", "CoderWorkspace"), ("codertemplates", "CoderTemplate")],
        ),
        _ if path.ends_with('s') => {
            json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "1" }, "items": [] })
        }
        _ => return FakeAnswer::text(404, "404 page not found\n"),
    };
    FakeAnswer::json(&value)
}
