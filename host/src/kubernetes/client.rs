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
            other => ClientError::Configuration(format!("{other}: {}", root_cause(other))),
        }
    }
}

fn auth_message(error: &AuthError) -> String {
    format!("its credentials are not to be had: {}", auth_failure(error))
}
