//! The HTTP client, put together layer by layer from kube's parts.
//!
//! kube's ready-made client waits 30 s to connect and for ever to read, retries for minutes on its own account, and has Nagle's
//! algorithm on, which costs 40 ms on each new connection. Time limits and the retry are not layers here: they depend on the call,
//! see `exchange`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::Config;
use kube::client::{AuthError, Body, ConfigExt as _};
use percent_encoding::percent_decode_str;
use tower::{BoxError, ServiceBuilder};

use super::exchange::{auth_failure, root_cause};
use super::proxy::Proxy;

/// How long a TCP connection may take. Within a region it takes milliseconds; a lost SYN is sent again after 1 s.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// How long a connection is kept without a request: less than the idle time-outs of the usual load balancers, which drop
/// connections without a word.
const IDLE_TIME: Duration = Duration::from_secs(90);

/// Connections that are kept: one for each call at once on a large node.
const IDLE_CONNECTIONS: usize = 32;

/// How often an open connection is probed, so that one whose other end is gone is found out.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Why a client cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The credentials; the plugin's output is left out.
    #[error("{0}")]
    Credentials(String),
    /// Certificates, keys or headers.
    #[error("{0}")]
    Configuration(String),
}

/// Builds the client for a configuration. It may run the kubeconfig's credential plugin, so it can take a while; must be called
/// within a tokio runtime.
pub(super) fn build(config: &Config, proxy: &Proxy) -> Result<kube::Client, ClientError> {
    let mut tcp = HttpConnector::new();
    // The TLS layer above uses it for `https` addresses too.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIME));
    tcp.set_keepalive(Some(KEEP_ALIVE));
    tcp.set_keepalive_interval(Some(KEEP_ALIVE));
    match proxy {
        Proxy::Direct => stack(config, tcp),
        Proxy::Http(address) => {
            let tunnel = Tunnel::new(address.clone(), tcp);
            let with_credentials = credentials(address).and_then(|(user, password)| {
                let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
                HeaderValue::try_from(value).ok()
            });
            match with_credentials {
                Some(header) => stack(config, tunnel.with_auth(header)),
                None => stack(config, tunnel),
            }
        }
        Proxy::Socks5(address) => {
            let socks = SocksV5::new(address.clone(), tcp);
            match credentials(address) {
                Some((user, password)) => stack(config, socks.with_auth(user, password)),
                None => stack(config, socks),
            }
        }
    }
}

/// The layers above the connection: TLS, the pool, who we are, and the server's address.
fn stack<C>(config: &Config, connector: C) -> Result<kube::Client, ClientError>
where
    C: tower::Service<Uri> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
    C::Response: hyper::rt::Read + hyper::rt::Write + Connection + Send + Unpin + 'static,
{
    let https = config.rustls_https_connector_with_connector(connector)?;
    let http: legacy::Client<_, Body> = legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIME)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .build(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(kube::Client::new(service, config.default_namespace.clone()))
}

/// User and password of a proxy's address.
fn credentials(address: &Uri) -> Option<(String, String)> {
    let (user_info, _) = address.authority()?.as_str().rsplit_once('@')?;
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    Some((decode(user), decode(password)))
}

impl From<kube::Error> for ClientError {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Auth(auth) => ClientError::Credentials(auth_message(auth)),
            other => {
                let (message, cause) = (other.to_string(), root_cause(other));
                let known = message.contains(&cause);
                ClientError::Configuration(if known { message } else { format!("{message}: {cause}") })
            }
        }
    }
}

fn auth_message(error: &AuthError) -> String {
    format!("its credentials are not to be had: {}", auth_failure(error))
}

#[cfg(test)]
mod tests {
    use kube::config::{KubeConfigOptions, Kubeconfig};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// The next request's head.
    async fn head(stream: &mut TcpStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a byte of a request"));
        }
        String::from_utf8(head).expect("ASCII")
    }

    async fn config(server: &str) -> Config {
        let yaml = format!(
            "contexts: [{{ name: a, context: {{ cluster: a, user: a }} }}]
clusters: [{{ name: a, cluster: {{ server: '{server}' }} }}]
users: [{{ name: a, user: {{ token: t0ken, as: alice }} }}]"
        );
        let options = KubeConfigOptions { context: Some("a".into()), ..KubeConfigOptions::default() };
        let kubeconfig = Kubeconfig::from_yaml(&yaml).expect("valid");
        Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("usable")
    }

    fn get(client: &kube::Client) -> impl Future<Output = Result<http::StatusCode, kube::Error>> + use<> {
        let client = client.clone();
        async move { Ok(client.send(crate::kubernetes::request::Get::fixed("/version").to_http().expect("valid")).await?.status()) }
    }

    #[tokio::test]
    async fn a_request_carries_who_we_are_and_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let client = build(&config(&format!("http://{address}/prefix/")).await, &Proxy::Direct).expect("built");
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
        let client = build(&config("https://api.example:6443").await, &proxy).expect("built");
        let server = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            head(&mut stream).await.to_ascii_lowercase()
        };
        // The proxy closes the connection once it has been asked.
        let (asked, answer) = tokio::join!(server, get(&client));
        assert!(asked.starts_with("connect api.example:6443 "), "{asked}");
        let credentials = format!("proxy-authorization: basic {}", STANDARD.encode("me:p@ss")).to_ascii_lowercase();
        assert!(asked.contains(&credentials) && !asked.contains("t0ken"), "{asked}");
        assert!(answer.is_err());
    }
}
