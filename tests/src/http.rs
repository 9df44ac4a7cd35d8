//! HTTP/1.1 with nothing done for the caller: a connection for each request, every header as it was given, and a body that can be
//! left unread.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use crate::in_time;

/// The head of an answer, and a body that comes as it is read. Dropping it closes the connection.
#[derive(Debug)]
pub struct Reply {
    /// Its status code.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    _connection: AbortOnDropHandle<()>,
}

/// Sends a request and waits for the head of the answer. `Host` is added where it is missing, `Content-Length` always fits.
pub async fn send(address: SocketAddr, request: Request<Bytes>) -> Reply {
    let stream = in_time("a connection", TcpStream::connect(address)).await.expect("the server accepts connections");
    send_over(stream, address, request).await.expect("an answer")
}

/// The same over a connection that there is, to this address.
pub async fn send_over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    address: SocketAddr,
    mut request: Request<Bytes>,
) -> hyper::Result<Reply> {
    if !request.headers().contains_key(header::HOST) {
        let host = address.to_string().parse().expect("an address is a header value");
        request.headers_mut().insert(header::HOST, host);
    }
    let sending = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(async move {
            let _ = connection.await;
        });
        let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
        Ok(Reply { status: head.status, headers: head.headers, body, _connection: AbortOnDropHandle::new(driver) })
    };
    in_time("the head of an answer", sending).await
}

/// Sends a GET.
pub async fn get(address: SocketAddr, path: &str) -> Reply {
    send(address, Request::get(path).body(Bytes::new()).expect("a request")).await
}

impl Reply {
    /// One of the headers, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Whether the answer comes as a stream of events.
    pub fn is_event_stream(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
    }

    /// The next part of the body, as it arrives; none at its end.
    pub async fn part(&mut self) -> Option<Bytes> {
        let frame = in_time("more of a body", self.body.frame()).await?.expect("a body that ends as it should");
        Some(frame.into_data().unwrap_or_default())
    }

    /// The whole body.
    pub async fn bytes(self) -> Bytes {
        in_time("a body", self.body.collect()).await.expect("a body").to_bytes()
    }

    /// The whole body, as text.
    pub async fn text(self) -> String {
        String::from_utf8(self.bytes().await.to_vec()).expect("UTF-8")
    }

    /// The JSON of a plain body, or of the last event of a stream; none where a stream ends without one.
    pub async fn message(self) -> Option<Value> {
        let streamed = self.is_event_stream();
        let text = self.text().await;
        if !streamed {
            return Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("no JSON ({error}): {text:?}")));
        }
        let data = text.lines().filter_map(|line| line.strip_prefix("data:")).next_back()?;
        Some(serde_json::from_str(data).unwrap_or_else(|error| panic!("no JSON ({error}): {data:?}")))
    }
}
