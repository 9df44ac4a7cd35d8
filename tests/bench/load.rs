//! The cheapest client that can be: requests that are bytes already, over connections that are kept, and answers that are not parsed
//! beyond their length. It takes its share of the same two cores, so that is what both sides of a comparison have to do without.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The variable and the value that let one client call as often as it can.
pub(crate) const NO_RATE_LIMIT: (&str, &str) = ("SANDBAR_CALLS_PER_SECOND", "1000000");

/// Bytes that are read at once.
const CHUNK: usize = 16 * 1024;

/// A request as it goes over the wire.
#[derive(Clone)]
pub(crate) struct Raw(Vec<u8>);

impl Raw {
    /// Writes a request down.
    pub(crate) fn new(address: SocketAddr, request: &Request<Bytes>) -> Self {
        let path = request.uri().path();
        let mut text = format!("{} {path} HTTP/1.1\r\nhost: {address}\r\n", request.method());
        for (name, value) in request.headers() {
            text += &format!("{name}: {}\r\n", value.to_str().expect("text"));
        }
        text += &format!("content-length: {}\r\n\r\n", request.body().len());
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(request.body());
        Self(bytes)
    }
}

/// A connection that is kept.
pub(crate) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server accepts connections");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, received: Vec::with_capacity(CHUNK) }
    }

    /// Sends a request and receives a plain answer: its head and its body.
    pub(crate) async fn exchange(&mut self, request: &Raw) -> (&str, &[u8]) {
        self.send(request).await;
        let head = loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break end + 4;
            }
            self.receive().await;
        };
        let text = std::str::from_utf8(&self.received[..head]).expect("an HTTP head");
        let length = text.split("\r\n").find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or_else(|| panic!("no length: {text}"));
        while self.received.len() < head + length {
            self.receive().await;
        }
        let (head, body) = self.received.split_at(head);
        (std::str::from_utf8(head).expect("an HTTP head"), body)
    }

    /// Sends a request.
    pub(crate) async fn send(&mut self, request: &Raw) {
        self.received.clear();
        self.stream.write_all(&request.0).await.expect("the server reads");
    }

    /// Receives until some text has come, and returns all that came.
    pub(crate) async fn until(&mut self, text: &str) -> String {
        while find(&self.received, text.as_bytes()).is_none() {
            self.receive().await;
        }
        String::from_utf8_lossy(&self.received).into_owned()
    }

    async fn receive(&mut self) {
        let read = self.stream.read_buf(&mut self.received).await.expect("the server answers");
        assert_ne!(read, 0, "the server ended the connection after {:?}", String::from_utf8_lossy(&self.received));
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// What a load has seen.
pub(crate) struct Load {
    /// How long each call took, from the shortest on.
    calls: Vec<Duration>,
    time: Duration,
}

impl Load {
    pub(crate) fn calls(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.calls.len() as f64 / self.time.as_secs_f64()
    }

    /// What 99 of 100 calls take at most.
    pub(crate) fn p99(&self) -> Duration {
        self.calls[self.calls.len() * 99 / 100]
    }
}

/// Makes calls that are answered over so many connections for so long, from one thread.
pub(crate) async fn load(address: SocketAddr, request: &Raw, connections: usize, time: Duration) -> Load {
    let request = request.clone();
    let load = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let began = Instant::now();
            let calls = (0..connections).map(|_| call_until(address, &request, began + time));
            let mut calls = futures::future::join_all(calls).await.concat();
            calls.sort_unstable();
            Load { calls, time: began.elapsed() }
        })
    };
    tokio::task::spawn_blocking(load).await.expect("no panic")
}

async fn call_until(address: SocketAddr, request: &Raw, end: Instant) -> Vec<Duration> {
    let mut connection = Connection::to(address).await;
    let (mut calls, mut now) = (Vec::new(), Instant::now());
    while now < end {
        let began = now;
        let (head, body) = connection.exchange(request).await;
        let answered = head.starts_with("HTTP/1.1 200") && find(body, b"\"result\"").is_some();
        let failed = find(body, b"\"isError\":true").is_some();
        assert!(answered && !failed, "{head}{}", String::from_utf8_lossy(body));
        now = Instant::now();
        calls.push(now - began);
    }
    calls
}
