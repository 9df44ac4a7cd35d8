//! HTTP as bytes: what no client would send, and what really comes back.

use std::fmt;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::in_time;

/// A connection on which anything can be sent.
#[derive(Debug)]
pub struct Raw {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
}

/// What a connection goes over.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Stream for S {}

/// One answer as it came.
#[derive(Debug)]
pub struct RawResponse {
    /// Its status code.
    pub status: u16,
    /// Its head, as text.
    pub head: String,
    /// Its body, as text.
    pub body: String,
}

impl RawResponse {
    /// The JSON of its body.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// One of its headers.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = in_time("a connection", TcpStream::connect(address)).await.expect("the server accepts connections");
        Self::over(stream)
    }

    /// Goes over a connection that there is.
    pub fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug + 'static) -> Self {
        Self { stream: Box::new(stream), read: Vec::new() }
    }

    /// Connects and sends.
    pub async fn sent(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Self {
        let mut raw = Self::connect(address).await;
        raw.send(bytes).await;
        raw
    }

    /// Sends. That the server has closed by now is one way to refuse.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = async {
            self.stream.write_all(bytes.as_ref()).await?;
            // TLS may hold the end of it.
            self.stream.flush().await
        };
        let _ = in_time("bytes are taken", sent).await;
    }

    /// The next answer; none where the connection ends instead. Of one with status 1xx there is only a head.
    ///
    /// # Panics
    /// Where an answer is broken off, or is none of HTTP.
    pub async fn answer(&mut self) -> Option<RawResponse> {
        let Some(head) = self.up_to(b"\r\n\r\n").await else {
            assert!(self.read.is_empty(), "half a head: {:?}", String::from_utf8_lossy(&self.read));
            return None;
        };
        let head = String::from_utf8(head).expect("a head is text");
        let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|code| code.parse().ok());
        let mut answer = RawResponse { status: status.unwrap_or_else(|| panic!("no status: {head}")), head, body: String::new() };
        // One that has taken long begins before its length is known. A stream of events is read by whoever waits for its events.
        let is_late =
            answer.header("transfer-encoding") == Some("chunked") && answer.header("content-type") == Some("application/json");
        let body = if is_late {
            self.chunks().await
        } else {
            let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            self.bytes(length).await
        };
        answer.body = String::from_utf8(body).expect("a body is text");
        Some(answer)
    }

    /// A body in chunks, up to its last one.
    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let size = self.up_to(b"\r\n").await.expect("a chunk has a size");
            let size = String::from_utf8(size).expect("a size is text");
            let size = usize::from_str_radix(size.trim(), 16).expect("a size is a number");
            let chunk = self.bytes(size + 2).await;
            if size == 0 {
                return body;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    /// What comes up to this, with it; none where the connection ends before.
    async fn up_to(&mut self, what: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.read, what) {
                return Some(self.read.drain(..at + what.len()).collect());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// So many bytes.
    async fn bytes(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            assert!(self.more().await, "half a body: {:?}", String::from_utf8_lossy(&self.read));
        }
        self.read.drain(..length).collect()
    }

    /// All answers until the server ends the connection.
    pub async fn answers(mut self) -> Vec<RawResponse> {
        let mut answers = Vec::new();
        while let Some(answer) = self.answer().await {
            answers.push(answer);
        }
        answers
    }

    /// Reads something; false at the end of the connection.
    pub async fn more(&mut self) -> bool {
        let read = in_time("something to read", self.stream.read_buf(&mut self.read)).await;
        // A reset is an end, too.
        read.is_ok_and(|bytes| bytes > 0)
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
