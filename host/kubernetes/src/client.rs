//! The HTTP client, built layer by layer.
//!
//! kube's ready-made client waits 30 s to connect and for ever to read, retries for minutes on its own account, and has Nagle's
//! algorithm on, which costs 40 ms on each new connection. Time limits and the retry are not layers here: they depend on the
//! call, see `exchange`. Credentials are not a layer, either: they change while the connections stay, see `login`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::BoxFuture;
use http::{HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_rustls::{DefaultServerNameResolver, FixedServerNameResolver, HttpsConnector, ResolveServerName};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::Body;
use percent_encoding::percent_decode_str;
use tower::util::{BoxCloneSyncService, MapErr};
use tower::{BoxError, Service, ServiceExt as _};

use super::fault::Fault;
use super::gathered::{Answered, ComesInLines, gathered};
use super::gzip::{GZIP, TakesGzip};
use super::proxy::Proxy;
use super::target::{ClientCertificate, Secret, ServerAddress, Target, Trust};
use super::tls;

/// How long a TCP connection may take. Within a region it takes milliseconds; a lost SYN is sent again after 1 s.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// How long a connection is kept without a request: less than the idle time-outs of the usual load balancers, which drop
/// connections without a word.
const IDLE_TIME: Duration = Duration::from_secs(90);

/// Idle connections that are kept: one for each concurrent call on a large node.
const IDLE_CONNECTIONS: usize = 32;

/// How often an open connection is probed, to detect that its other end is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Wraps an error of a proxy, to tell it from one of the API server.
#[derive(Debug, thiserror::Error)]
#[error("no way through the proxy")]
pub(super) struct ProxyFailed;

/// A name without a known address.
#[derive(Debug, thiserror::Error)]
#[error("the name is not known")]
pub(super) struct Unresolved;

pub(super) type Http = BoxCloneSyncService<Request<Body>, Response<Incoming>, legacy::Error>;

/// Connections to an API server, for all users with the same client certificate.
#[derive(Debug)]
pub(super) struct Connections {
    between: Between,
    http: Http,
}

/// Everything that a connection depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Between {
    pub(super) server: ServerAddress,
    pub(super) trust: Trust,
    pub(super) server_name: Option<String>,
    pub(super) proxy: Proxy,
    pub(super) identity: Option<ClientCertificate>,
}

impl Connections {
    /// The connections to a server; the previous ones if nothing has changed. Must be called within a tokio runtime.
    pub(super) fn to(
        target: &Target,
        identity: Option<&ClientCertificate>,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Fault> {
        let between = Between {
            server: target.server.clone(),
            trust: target.trust.clone(),
            server_name: target.server_name.clone(),
            proxy: target.proxy.clone(),
            identity: identity.cloned(),
        };
        if let Some(same) = before.filter(|before| before.between == between) {
            return Ok(same.clone());
        }
        let http = connect(&between, &target.user.called)?;
        Ok(Arc::new(Self { between, http }))
    }

    /// A client over these connections, with headers that authenticate it. `takes_gzip` as in [`Target`].
    pub(super) fn client(&self, headers: Headers, takes_gzip: bool) -> kube::Client {
        let (http, server) = (self.http.clone(), self.between.server.clone());
        let service = tower::service_fn(move |request| send(http.clone(), &server, &headers, takes_gzip, request));
        kube::Client::new(service, "default")
    }
}

/// Headers of each request.
#[derive(Clone, Debug, Default)]
pub(super) struct Headers(Arc<Vec<(HeaderName, HeaderValue)>>);

impl Headers {
    /// `authorization` is the whole value of that header.
    pub(super) fn new(authorization: Option<&Secret>, more: &[(String, String)]) -> Result<Self, Fault> {
        let mut headers = Vec::new();
        if let Some(value) = authorization {
            let mut value = HeaderValue::try_from(value.expose())
                .map_err(|_quotes_it| Fault::new("has a token or a password with characters that no header can have"))?;
            value.set_sensitive(true);
            headers.push((header::AUTHORIZATION, value));
        }
        for (name, value) in more {
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else {
                return Err(Fault::new("asks on behalf of a user (`as`) with characters that no header can have"));
            };
            headers.push((name, value));
        }
        Ok(Self(Arc::new(headers)))
    }
}

/// Sends a request of ours, which only has a path, to the server.
fn send(
    mut http: Http,
    server: &ServerAddress,
    headers: &Headers,
    takes_gzip: bool,
    mut request: Request<Body>,
) -> BoxFuture<'static, Result<Response<Answered>, BoxError>> {
    let whole = server.join(request.uri().path_and_query().map_or("/", |path| path.as_str()));
    for (name, value) in headers.0.iter() {
        request.headers_mut().append(name, value.clone());
    }
    let comes_in_lines = request.extensions().get::<ComesInLines>().is_some();
    let takes_gzip = request.extensions_mut().remove::<TakesGzip>().filter(|_| takes_gzip);
    if takes_gzip.is_some() {
        request.headers_mut().insert(header::ACCEPT_ENCODING, GZIP);
    }
    Box::pin(async move {
        *request.uri_mut() = whole?;
        let mut answer = http.ready().await?.call(request).await?;
        if let Some(takes_gzip) = takes_gzip {
            answer.extensions_mut().insert(takes_gzip);
        }
        Ok(answer.map(if comes_in_lines { gathered } else { Incoming::boxed_unsync }))
    })
}

/// A client for a server. `user` is whose certificate it is, for messages.
pub(super) fn connect(between: &Between, user: &str) -> Result<Http, Fault> {
    let speaks_tls = between.server.is_https() || matches!(between.proxy, Proxy::Https(_));
    // Without TLS nothing is verified, and no certificate authorities are needed.
    let trust = if speaks_tls { &between.trust } else { &Trust::Anything };
    let identity = between.identity.as_ref().map(|identity| tls::certificate(&identity.certificate, &identity.key.0)).transpose();
    let identity = identity.map_err(|fault| Fault::new(format!("{user} {fault}")))?.map(|certificate| certificate.key);
    let tls = Arc::new(tls::client_config(trust, identity)?);
    let by_address: Names = Arc::new(DefaultServerNameResolver::default());
    let names: Names = match &between.server_name {
        None => by_address.clone(),
        Some(name) => Arc::new(FixedServerNameResolver::new(tls::server_name(name)?)),
    };
    let secured = (tls.clone(), names);
    Ok(match &between.proxy {
        Proxy::Direct => pool(tcp(), secured),
        Proxy::Http(address) => pool(tunnel(address, tcp()), secured),
        Proxy::Https(address) => pool(tunnel(address, HttpsConnector::new(tcp(), tls, true, by_address)), secured),
        Proxy::Socks5(address) => pool(socks(address, tcp()), secured),
    })
}

type Names = Arc<dyn ResolveServerName + Send + Sync>;

/// A connector for TCP, below any TLS.
fn tcp() -> HttpConnector<Resolver> {
    let resolver: fn(Name) -> Addresses = |name| Box::pin(resolve(name));
    let mut tcp = HttpConnector::new_with_resolver(tower::service_fn(resolver));
    // The TLS layer above also uses it for `https` addresses.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIME));
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp.set_keepalive_interval(Some(KEEP_ALIVE));
    tcp
}

type Resolver = tower::util::ServiceFn<fn(Name) -> Addresses>;
type Addresses = BoxFuture<'static, Result<std::vec::IntoIter<SocketAddr>, Unresolved>>;

/// Resolves a name. The system's error adds nothing to the name.
async fn resolve(name: Name) -> Result<std::vec::IntoIter<SocketAddr>, Unresolved> {
    let addresses = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| Unresolved)?;
    Ok(addresses.collect::<Vec<_>>().into_iter())
}

/// A connection pool, with TLS if the address has it.
fn pool<C>(connector: C, (tls, names): (Arc<rustls::ClientConfig>, Names)) -> Http
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
    C::Response: hyper::rt::Read + hyper::rt::Write + Connection + Send + Unpin + 'static,
{
    let http: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIME)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .build(HttpsConnector::new(connector, tls, false, names));
    BoxCloneSyncService::new(http)
}

/// A connector through a proxy, whose errors are distinguished from the API server's.
type OverProxy<C> = MapErr<C, fn(<C as Service<Uri>>::Error) -> ProxyFailed>;

/// Through an HTTP proxy, with CONNECT.
fn tunnel<C>(address: &Uri, connector: C) -> OverProxy<Tunnel<C>>
where
    Tunnel<C>: Service<Uri>,
{
    let tunnel = Tunnel::new(address.clone(), connector);
    let with_credentials = credentials(address).and_then(|(user, password)| {
        HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))).ok()
    });
    let tunnel = match with_credentials {
        Some(header) => tunnel.with_auth(header),
        None => tunnel,
    };
    MapErr::new(tunnel, |_| ProxyFailed)
}

/// Through a SOCKS 5 proxy, which also resolves the name.
fn socks<C>(address: &Uri, connector: C) -> OverProxy<SocksV5<C>>
where
    SocksV5<C>: Service<Uri>,
{
    let socks = SocksV5::new(address.clone(), connector);
    let socks = match credentials(address) {
        Some((user, password)) => socks.with_auth(user, password),
        None => socks,
    };
    MapErr::new(socks, |_| ProxyFailed)
}

/// User and password in a proxy's address.
fn credentials(address: &Uri) -> Option<(String, String)> {
    let (user_info, _) = address.authority()?.as_str().rsplit_once('@')?;
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((decode(user), decode(password)))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::request::ApiRequest;
    use crate::target::User;
    use crate::watched::Watched;

    /// The head of the next request.
    async fn head(stream: &mut TcpStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a byte of a request"));
        }
        String::from_utf8(head).expect("ASCII")
    }

    fn client(server: &str, proxy: Proxy) -> kube::Client {
        let target = Target {
            called: "it".to_owned(),
            server: ServerAddress::parse(server).expect("an address"),
            trust: Trust::Anything,
            server_name: None,
            proxy,
            user: User::nobody(),
            watched: Watched::default(),
            cluster_info: serde_json::Value::Null,
            takes_gzip: true,
        };
        let as_alice = [("impersonate-user".to_owned(), "alice".to_owned())];
        let headers = Headers::new(Some(&Secret::new("Bearer t0ken")), &as_alice).expect("headers");
        Connections::to(&target, None, None).expect("built").client(headers, target.takes_gzip)
    }

    fn get(client: &kube::Client) -> impl Future<Output = Result<http::StatusCode, kube::Error>> + use<> {
        let client = client.clone();
        async move { Ok(client.send(ApiRequest::fixed("/version").to_http().expect("valid")).await?.status()) }
    }

    #[tokio::test]
    async fn a_request_carries_who_we_are_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let client = client(&format!("http://{address}/prefix/"), Proxy::Direct);
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut heads = Vec::new();
            for _ in 0..2 {
                heads.push(head(&mut stream).await);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.expect("written");
            }
            heads
        };
        let requests = async { (get(&client).await, get(&client).await) };
        let (heads, (first, second)) = tokio::join!(server, requests);
        assert_eq!((first.expect("an answer").as_u16(), second.expect("over the same connection").as_u16()), (200, 200));
        let mut lines: Vec<&str> = heads[0].lines().filter(|line| !line.is_empty()).collect();
        lines[1..].sort_unstable();
        assert_eq!(
            lines,
            [
                "GET /prefix/version HTTP/1.1",
                "accept-encoding: gzip",
                "accept: application/json",
                "authorization: Bearer t0ken",
                &format!("host: {address}"),
                "impersonate-user: alice",
                concat!("user-agent: sandbar/", env!("CARGO_PKG_VERSION")),
            ]
        );
    }

    #[tokio::test]
    async fn a_proxy_is_asked_for_a_tunnel() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let proxy = Proxy::Http(format!("http://me:p%40ss@{address}").parse().expect("a URL"));
        let client = client("https://api.example:6443", proxy);
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            head(&mut stream).await.to_ascii_lowercase()
        };
        // The proxy closes the connection after the request.
        let (asked, answer) = tokio::join!(server, get(&client));
        assert!(asked.starts_with("connect api.example:6443 "), "{asked}");
        let credentials = format!("proxy-authorization: basic {}", STANDARD.encode("me:p@ss")).to_ascii_lowercase();
        assert!(asked.contains(&credentials) && !asked.contains("t0ken"), "{asked}");
        let error = answer.expect_err("no tunnel");
        assert!(crate::explain::explain(&error).contains("proxy"), "{error}");
    }
}
