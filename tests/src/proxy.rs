//! What stands in front of replicas in a cluster: a Service that leaves out who is not ready, and a gateway that takes the rest in
//! turn and answers 502 for one that is dead.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::until;

/// The header of every answer that says which replica the request went to, by its number.
pub const REPLICA: &str = "x-replica";

/// The header of a 502 whose request never reached the replica, because nobody listens there.
pub const UNDELIVERED: &str = "x-undelivered";

/// How long the proxy keeps a connection to a replica that nobody uses: as long as nginx and the load balancers of clouds do. A server
/// that closes it earlier may do so just when the next request comes.
const KEEP_IDLE: Duration = Duration::from_secs(60);

/// Between two looks at a replica's /readyz. A kubelet looks every few seconds, and a replica that is rolled leaves it that time.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);

/// The proxy. It ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    replicas: Arc<Replicas>,
    _tasks: Vec<AbortOnDropHandle<()>>,
}

#[derive(Debug)]
struct Replicas {
    all: Vec<Replica>,
    next: AtomicUsize,
    client: Client<HttpConnector, Full<Bytes>>,
}

#[derive(Debug)]
struct Replica {
    address: SocketAddr,
    ready: AtomicBool,
    /// Streams of events that it has begun since it was first started.
    streams: watch::Sender<usize>,
}

impl Proxy {
    /// A proxy in front of these addresses.
    pub async fn start(replicas: &[SocketAddr]) -> Self {
        let all = replicas.iter().map(|&address| Replica { address, ready: false.into(), streams: watch::Sender::new(0) });
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client =
            Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).pool_idle_timeout(KEEP_IDLE).build(connector);
        let replicas = Arc::new(Replicas { all: all.collect(), next: AtomicUsize::new(0), client });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let mut tasks = vec![AbortOnDropHandle::new(tokio::spawn(serve(listener, replicas.clone())))];
        for number in 0..replicas.all.len() {
            tasks.push(AbortOnDropHandle::new(tokio::spawn(probe(replicas.clone(), number))));
        }
        Self { address, replicas, _tasks: tasks }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a replica is sent requests.
    pub async fn until_ready(&self, replica: usize) {
        let is_ready = || async { self.replicas.all[replica].ready.load(Ordering::Acquire).then_some(()) };
        until(&format!("replica {replica} is sent requests"), is_ready).await;
    }

    /// Waits until a replica begins another stream of events.
    pub async fn next_stream(&self, replica: usize) {
        let mut streams = self.replicas.all[replica].streams.subscribe();
        // The sender lives as long as the proxy.
        let _ = crate::in_time("a stream of events", streams.changed()).await;
    }
}

async fn serve(listener: TcpListener, replicas: Arc<Replicas>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let replicas = replicas.clone();
        let service = service_fn(move |request| {
            let replicas = replicas.clone();
            async move { Ok::<_, Infallible>(replicas.pass(request).await) }
        });
        tokio::spawn(async move {
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type AnyBody = UnsyncBoxBody<Bytes, hyper::Error>;

impl Replicas {
    /// The next one that is ready, by number.
    fn pick(&self) -> Option<usize> {
        let start = self.next.fetch_add(1, Ordering::Relaxed);
        (0..self.all.len())
            .map(|offset| (start + offset) % self.all.len())
            .find(|&number| self.all[number].ready.load(Ordering::Acquire))
    }

    async fn pass(&self, request: Request<Incoming>) -> Response<AnyBody> {
        let (mut head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return refuse(StatusCode::BAD_REQUEST, "", String::new()) };
        let Some(number) = self.pick() else { return refuse(StatusCode::SERVICE_UNAVAILABLE, "", String::new()) };
        let replica = &self.all[number];
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        head.uri = format!("http://{}{path}", replica.address).parse().expect("a URL");
        head.headers.remove(header::HOST);
        head.version = http::Version::HTTP_11;
        match self.client.request(Request::from_parts(head, Full::new(body.to_bytes()))).await {
            Ok(response) => {
                let kind = response.headers().get(header::CONTENT_TYPE);
                if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
                    replica.streams.send_modify(|count| *count += 1);
                }
                let mut response = response.map(|body| body.boxed_unsync());
                response.headers_mut().insert(REPLICA, HeaderValue::from(number));
                response
            }
            Err(error) => {
                let mut response = refuse(StatusCode::BAD_GATEWAY, &number.to_string(), chain(&error));
                if error.is_connect() {
                    response.headers_mut().insert(UNDELIVERED, HeaderValue::from_static("true"));
                }
                response
            }
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An answer of the proxy's own, with its reason.
fn refuse(status: StatusCode, replica: &str, reason: String) -> Response<AnyBody> {
    let body = Full::new(Bytes::from(reason)).map_err(|never| match never {});
    Response::builder().status(status).header(REPLICA, replica).body(body.boxed_unsync()).expect("a response")
}

/// Looks whether a replica is ready, again and again, with a connection for each look.
async fn probe(replicas: Arc<Replicas>, number: usize) {
    let replica = &replicas.all[number];
    loop {
        let ready = is_ready(replica.address).await;
        replica.ready.store(ready, Ordering::Release);
        tokio::time::sleep(PROBE_INTERVAL).await;
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let Ok(stream) = TcpStream::connect(address).await else { return false };
    let Ok((mut sender, connection)) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await else { return false };
    let _driver = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::get("/readyz").header(header::HOST, address.to_string()).body(Full::new(Bytes::new()));
    let response = sender.send_request(request.expect("a request")).await;
    response.is_ok_and(|response| response.status() == StatusCode::OK)
}
