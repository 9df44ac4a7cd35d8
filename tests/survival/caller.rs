//! A client that calls without pause, and notes what it did not get.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use sandbar_tests::proxy::{REPLICA, UNDELIVERED};
use sandbar_tests::{in_time, mcp};
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// How long the tool `work` works: long enough for a stream with progress, which begins after 2 s.
const WORK_MS: u32 = 3_000;

/// What all callers share.
pub(crate) struct Common {
    /// Where to connect.
    pub(crate) proxy: SocketAddr,
    /// Whether to call on.
    pub(crate) going_on: AtomicBool,
    /// The namespace in which there are so many control planes, named by [`control_plane`].
    pub(crate) namespace: String,
    /// How many control planes there are.
    pub(crate) control_planes: usize,
    /// Calls that were answered as they should be.
    pub(crate) answered: AtomicUsize,
    /// The same, of those that came as a stream with progress.
    pub(crate) streamed: AtomicUsize,
    /// Calls that had no answer.
    pub(crate) lost: Mutex<Vec<Lost>>,
    /// Calls that were answered, and that could not read the cluster.
    pub(crate) unavailable: Mutex<Vec<Unavailable>>,
}

/// A call without an answer.
#[derive(Debug)]
#[allow(dead_code, reason = "a failed test prints all of it")]
pub(crate) struct Lost {
    pub(crate) what: String,
    pub(crate) replica: usize,
    pub(crate) how: How,
    /// The proxy's, where it had one.
    pub(crate) reason: String,
    pub(crate) asked: Instant,
    pub(crate) ended: Instant,
}

/// How a call was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// Nobody listened on the replica that the proxy chose.
    Undelivered,
    /// The replica had the request, and no answer had begun.
    Unanswered,
    /// The answer had begun, and broke off.
    Cut,
}

/// A call that says that the cluster cannot be read.
#[derive(Debug)]
#[allow(dead_code, reason = "a failed test prints all of it")]
pub(crate) struct Unavailable {
    pub(crate) what: String,
    pub(crate) words: String,
    pub(crate) asked: Instant,
    pub(crate) ended: Instant,
}

/// The name of a control plane, whose URL holds it.
pub(crate) fn control_plane(number: usize) -> String {
    format!("plane-{number}")
}

/// One client with one connection.
pub(crate) struct Caller {
    common: Arc<Common>,
    number: usize,
    /// None: it speaks the modern era.
    session: Option<String>,
    connection: Option<SendRequest<Full<Bytes>>>,
    calls: usize,
}

/// What a client asks.
enum Ask {
    Echo,
    Work,
    Read,
    ControlPlane(usize),
}

/// A whole answer.
struct Received {
    status: StatusCode,
    headers: HeaderMap,
    /// None: it broke off.
    body: Option<Bytes>,
}

impl Caller {
    /// A client that sends every request by itself.
    pub(crate) fn modern(common: &Arc<Common>, number: usize) -> Self {
        Self { common: common.clone(), number, session: None, connection: None, calls: 0 }
    }

    /// A client that opens a session, once.
    pub(crate) async fn legacy(common: &Arc<Common>, number: usize) -> Self {
        let mut caller = Self::modern(common, number);
        let opened = caller.exchange(mcp::initialize(mcp::LEGACY)).await;
        assert_eq!(opened.status, 200, "client {number} opens a session");
        let id = opened.headers.get("mcp-session-id").expect("a session").to_str().expect("visible ASCII");
        caller.session = Some(id.to_owned());
        caller
    }

    /// Makes short calls until it is told to stop.
    pub(crate) async fn run(mut self) {
        while self.common.going_on.load(Ordering::Relaxed) {
            let ask = match self.calls % 8 {
                7 => Ask::Read,
                3 => Ask::ControlPlane((self.number * 7 + self.calls) % self.common.control_planes),
                _ => Ask::Echo,
            };
            self.call(ask).await;
        }
    }

    /// Makes calls that take long enough for a stream until it is told to stop.
    pub(crate) async fn run_long(mut self) {
        while self.common.going_on.load(Ordering::Relaxed) {
            self.call(Ask::Work).await;
        }
    }

    async fn call(&mut self, ask: Ask) {
        self.calls += 1;
        // The same id for every client: what tells calls apart on the way back must not be that.
        let id = json!(self.calls);
        let word = format!("client {} call {}", self.number, self.calls);
        let namespace = &self.common.namespace;
        let (tool, arguments) = match &ask {
            Ask::Echo => ("echo", json!({ "word": word })),
            Ask::Work => ("work", json!({ "word": word, "ms": WORK_MS })),
            Ask::Read => ("read", json!({ "word": word, "namespace": namespace, "pod": "web" })),
            Ask::ControlPlane(number) => {
                ("get_control_plane_status", json!({ "namespace": namespace, "name": control_plane(*number) }))
            }
        };
        let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": word } });
        let request = self.request(&id, params);

        let asked = Instant::now();
        let received = self.exchange(request).await;
        let ended = Instant::now();
        let what = format!("{tool} of {word}");
        let replica = received.headers.get(REPLICA).and_then(|number| number.to_str().ok()?.parse().ok());
        let lost = |how| {
            let replica = replica.unwrap_or_else(|| panic!("{what}: {how:?}, and no replica had it"));
            Lost { what: what.clone(), replica, how, reason: String::new(), asked, ended }
        };
        match (received.status, received.body) {
            (StatusCode::OK, Some(body)) => {
                let messages = messages(&received.headers, &body);
                // A call that waits for its component to be compiled for longer than for a first report is answered as plain JSON.
                let streamed = messages.len() > 1;
                let words = check(&what, &id, &word, &ask, messages);
                if let Some(words) = words {
                    self.common.unavailable.lock().unwrap().push(Unavailable { what, words, asked, ended });
                } else {
                    self.common.answered.fetch_add(1, Ordering::Relaxed);
                    if streamed {
                        self.common.streamed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
            (StatusCode::OK, None) => self.common.lost.lock().unwrap().push(lost(How::Cut)),
            (StatusCode::BAD_GATEWAY, reason) => {
                let reason = reason.unwrap_or_default();
                let undelivered = received.headers.contains_key(UNDELIVERED);
                let how = if undelivered { How::Undelivered } else { How::Unanswered };
                let mut lost = lost(how);
                lost.reason = String::from_utf8_lossy(&reason).into_owned();
                self.common.lost.lock().unwrap().push(lost);
            }
            // 404 would be a session that is not known any more.
            (status, body) => panic!("{what}: {status} {body:?}"),
        }
    }

    fn request(&self, id: &Value, params: Value) -> Request<Bytes> {
        let Some(session) = &self.session else { return mcp::modern(id.clone(), "tools/call", params) };
        let mut request = mcp::post(json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }));
        mcp::set(&mut request, "mcp-session-id", session);
        mcp::set(&mut request, "mcp-protocol-version", mcp::LEGACY);
        request
    }

    /// Sends a request over the connection, which is opened where there is none, and receives the answer.
    async fn exchange(&mut self, mut request: Request<Bytes>) -> Received {
        request.headers_mut().insert(header::HOST, self.common.proxy.to_string().parse().expect("a header value"));
        let mut connection = match self.connection.take() {
            Some(connection) if !connection.is_closed() => connection,
            _ => connect(self.common.proxy).await,
        };
        let exchanging = async {
            connection.ready().await.expect("the proxy is there");
            let response = connection.send_request(request.map(Full::new)).await.expect("the proxy answers");
            let (head, body) = response.into_parts();
            let body = body.collect().await.ok().map(|body| body.to_bytes());
            Received { status: head.status, headers: head.headers, body }
        };
        let received = in_time("an answer, or none", exchanging).await;
        self.connection = received.body.is_some().then_some(connection);
        received
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.expect("the proxy accepts connections");
    stream.set_nodelay(true).expect("a socket");
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(async move {
        let _ = connection.await;
    });
    sender
}

/// The messages of a plain answer, or of a stream.
fn messages(headers: &HeaderMap, body: &Bytes) -> Vec<Value> {
    let text = std::str::from_utf8(body).expect("UTF-8");
    let parse = |json: &str| serde_json::from_str(json).unwrap_or_else(|error| panic!("no JSON ({error}): {json:?}"));
    let kind = headers.get(header::CONTENT_TYPE).expect("a content type").as_bytes();
    match kind.starts_with(b"text/event-stream") {
        true => text.lines().filter_map(|line| line.strip_prefix("data:")).map(parse).collect(),
        false => vec![parse(text)],
    }
}

/// Checks that an answer is that of the call. Returns what it says where the cluster could not be read.
fn check(what: &str, id: &Value, word: &str, ask: &Ask, mut messages: Vec<Value>) -> Option<String> {
    let answer = messages.pop().unwrap_or_else(|| panic!("{what}: a stream without an answer"));
    for progress in &messages {
        assert_eq!(progress["method"], "notifications/progress", "{what}: {progress}");
        assert_eq!(progress["params"]["progressToken"], word, "{what} got the progress of another call");
        assert_eq!(progress["params"]["message"], word, "{what} got the progress of another call");
    }
    assert_eq!(&answer["id"], id, "{what}: {answer}");
    let result = &answer["result"];
    let structured = &result["structuredContent"];
    match ask {
        Ask::ControlPlane(number) => {
            if result["isError"] == json!(true) {
                return Some(result["content"][0]["text"].as_str().expect("words").to_owned());
            }
            assert_eq!(structured["url"], format!("http://{}", control_plane(*number)), "{what} got another answer: {answer}");
        }
        Ask::Echo | Ask::Work | Ask::Read => {
            assert_eq!(structured["word"], word, "{what} got another answer: {answer}");
            if let Some(code) = structured["code"].as_str() {
                assert_eq!(code, "unavailable", "{what}: {answer}");
                return Some(structured["message"].as_str().expect("words").to_owned());
            }
        }
    }
    None
}
