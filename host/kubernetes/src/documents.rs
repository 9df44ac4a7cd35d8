//! Servers that are no API server, such as an issuer of tokens or a collector of traces: asked by the same client, so through the same
//! proxies and by the same rules for certificates, and never followed elsewhere.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use kube::client::Body;
use tower::{Service as _, ServiceExt as _};

use super::client::{Between, Http, connect};
use super::explain::{Configured, explain_as};
use super::fault::Fault;
use super::proxy::{Proxy, Variables};
use super::target::{ServerAddress, Trust};

/// A server that takes what is posted to it, over connections that are kept.
#[derive(Clone)]
pub struct Inbox {
    other: OtherServer,
}

/// How a server has answered a post.
#[derive(Debug)]
pub struct Receipt {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; none where it is longer than allowed, or breaks off.
    pub body: Option<Bytes>,
}

impl Inbox {
    /// The one at an `http://` or `https://` address. `authorities` are whose certificates count, as PEM; without them, those of this machine.
    /// Nothing is sent yet. Must be called on a tokio runtime.
    pub fn at(address: &str, authorities: Option<Arc<[u8]>>) -> Result<Self, Fault> {
        Ok(Self { other: OtherServer::at(address, authorities, Configured::Collector)? })
    }

    /// Posts a body with these headers, and reads `most` bytes of what is answered. Bounding the time is the caller's.
    pub async fn post(&self, headers: HeaderMap, body: Bytes, most: usize) -> Result<Receipt, Fault> {
        let mut request =
            Request::post(self.other.uri.clone()).body(Body::from(body)).map_err(|_| self.other.fault("is no URL"))?;
        *request.headers_mut() = headers;
        let (head, body) = self.other.send(request).await?.into_parts();
        let body = Limited::new(body, most).collect().await.map(|body| body.to_bytes()).ok();
        Ok(Receipt { status: head.status, headers: head.headers, body })
    }
}

/// Gets a JSON document from an `https://` address, over a connection of its own and without following it elsewhere. `authorities` are whose
/// certificates count, as PEM; without them, those of this machine. The document has at most `most` bytes. Bounding the time is the
/// caller's.
pub async fn document(address: &str, authorities: Option<Arc<[u8]>>, most: usize) -> Result<Bytes, Fault> {
    if !address.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https")) {
        return Err(Fault::new(format!("{address} is no https:// address, and what comes from it would be anybody's word")));
    }
    let other = OtherServer::at(address, authorities, Configured::Issuer)?;
    let request = Request::get(other.uri.clone()).header(header::ACCEPT, "application/json");
    let response = other.send(request.body(Body::empty()).map_err(|_| other.fault("is no URL"))?).await?;
    let status = response.status();
    if status != StatusCode::OK {
        let also = if status.is_redirection() { ", which is not followed: name the address itself" } else { "" };
        return Err(other.fault(&format!("answers {status}{also}")));
    }
    let body = Limited::new(response.into_body(), most).collect().await;
    let body = body.map_err(|error| match error.is::<LengthLimitError>() {
        true => other.fault(&format!("has more than {} KiB", most / 1024)),
        false => other.fault(&format!("breaks off: {}", explain_as(error.as_ref(), Configured::Issuer))),
    })?;
    Ok(body.to_bytes())
}

/// A client for one such server.
#[derive(Clone)]
struct OtherServer {
    address: String,
    uri: Uri,
    http: Http,
    configured: Configured,
}

impl OtherServer {
    fn at(address: &str, authorities: Option<Arc<[u8]>>, configured: Configured) -> Result<Self, Fault> {
        let fault = |words: &str| Fault::new(format!("{address} {words}"));
        let uri: Uri = address.parse().map_err(|_| fault("is no URL"))?;
        let server = ServerAddress::parse(address).map_err(|words| fault(&words))?;
        let proxy = Proxy::towards(&uri, None, &Variables::read()).map_err(|error| Fault::new(error.to_string()))?;
        let trust = authorities.map_or(Trust::System, |pem| Trust::Authorities(pem, configured.authority().trim_matches('`')));
        let http = connect(&Between { server, trust, server_name: None, proxy, identity: None }, "nobody")?;
        Ok(Self { address: address.to_owned(), uri, http, configured })
    }

    fn fault(&self, words: &str) -> Fault {
        Fault::new(format!("{} {words}", self.address))
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Fault> {
        const AGENT: &str = concat!("sandbar/", env!("CARGO_PKG_VERSION"));
        request.headers_mut().insert(header::USER_AGENT, header::HeaderValue::from_static(AGENT));
        let mut http = self.http.clone();
        let answering = async { http.ready().await?.call(request).await };
        answering.await.map_err(|error| self.fault(&format!("cannot be reached: {}", explain_as(&error, self.configured))))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use rcgen::generate_simple_self_signed;
    use sandbar_tls::{Acceptor, Certificate};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const MOST: usize = 4096;

    /// A server that answers whatever it is asked, and its certificate.
    async fn server(answer: String) -> (SocketAddr, Arc<[u8]>) {
        let own = generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let certificate = Certificate::read(own.cert.pem().as_bytes(), own.signing_key.serialize_pem().as_bytes());
        let certificate = certificate.expect("a certificate");
        let acceptor = Acceptor::new(&certificate, [None; 2]).expect("TLS");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok((mut stream, _)) = acceptor.accept(stream).await else { continue };
                let mut head = [0; 1024];
                let _ = stream.read(&mut head).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        (address, own.cert.pem().into_bytes().into())
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn a_document_is_what_is_there_whole_and_no_larger_than_allowed() {
        let get = async |answer: String| {
            let (address, pem) = server(answer).await;
            document(&format!("https://{address}/keys"), Some(pem), MOST).await.map_err(|fault| fault.to_string())
        };
        assert_eq!(get(ok("{}")).await.as_deref(), Ok(&b"{}"[..]));
        assert_eq!(get(ok(&"x".repeat(MOST))).await.map(|document| document.len()), Ok(MOST));
        for (answer, said) in [
            (ok(&"x".repeat(MOST + 1)), "/keys has more than 4 KiB"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx".to_owned(), "/keys breaks off: it closed the connection"),
            ("HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1/\r\ncontent-length: 0\r\n\r\n".to_owned(), "not followed"),
            ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned(), "answers 404"),
            ("nothing of HTTP".to_owned(), "cannot be reached"),
            (String::new(), "cannot be reached"),
        ] {
            let words = get(answer).await.expect_err(said);
            assert!(words.contains(said), "{words}");
        }
    }

    #[tokio::test]
    async fn who_is_not_trusted_is_not_asked() {
        let (address, _) = server(ok("{}")).await;
        let (_, other) = server(ok("{}")).await;
        for (address, pem, said) in [
            (format!("https://{address}/"), Some(other.clone()), "`certificateAuthority`"),
            (format!("https://{address}/"), Some(b"no certificate".as_slice().into()), "certificateAuthority"),
            (format!("http://{address}/"), None, "no https:// address"),
            ("file:///etc/passwd".to_owned(), None, "no https:// address"),
            ("https://".to_owned(), None, "no URL"),
        ] {
            let words = document(&address, pem, MOST).await.expect_err(said).to_string();
            assert!(words.contains(said), "{words}");
        }
    }
}
