//! The way to a registry through an HTTP proxy, by HTTPS_PROXY and NO_PROXY.
//!
//! Only what is encrypted goes that way, in a tunnel: a proxy sees a host's name and nothing else. Plain HTTP is for hosts nearby.

use std::net::IpAddr;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use tokio::net::TcpStream;
use tower::{BoxError, Service, ServiceExt as _};

/// The proxy to registries, and which hosts are reached without it.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Option<Arc<Matcher>>);

impl Proxies {
    /// Those of HTTPS_PROXY (or ALL_PROXY) and NO_PROXY, also in small letters.
    pub fn of_environment() -> Self {
        Self(Some(Arc::new(Matcher::from_env())))
    }

    /// A proxy, and the hosts that are reached without it: names, domains and networks with commas in between, as NO_PROXY has them.
    pub fn new(proxy: &str, without: &str) -> Self {
        Self(Some(Arc::new(Matcher::builder().https(proxy.to_owned()).no(without.to_owned()).build())))
    }
}

/// The proxy has not led to the host.
#[derive(Debug, thiserror::Error)]
#[error("no way through the proxy")]
pub(crate) struct ProxyFailed;

/// A connector for TCP, below any TLS.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    tcp: HttpConnector,
    proxies: Proxies,
}

impl Route {
    pub(crate) fn new(tcp: HttpConnector, proxies: &Proxies) -> Self {
        Self { tcp, proxies: proxies.clone() }
    }
}

impl Service<Uri> for Route {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let mut tcp = self.tcp.clone();
        let may_be_far = uri.scheme() == Some(&Scheme::HTTPS) && !is_here(&uri);
        let proxy = self.proxies.0.as_ref().filter(|_| may_be_far).and_then(|proxies| proxies.intercept(&uri));
        Box::pin(async move {
            let Some(proxy) = proxy else { return Ok(tcp.ready().await?.call(uri).await?) };
            // A proxy that is spoken to in TLS, or in SOCKS, is none that is known here.
            if proxy.uri().scheme() != Some(&Scheme::HTTP) {
                return Err(ProxyFailed.into());
            }
            let mut tunnel = Tunnel::new(proxy.uri().clone(), tcp);
            if let Some(login) = proxy.basic_auth() {
                tunnel = tunnel.with_auth(login.clone());
            }
            Ok(tunnel.ready().await.map_err(|_| ProxyFailed)?.call(uri).await.map_err(|_| ProxyFailed)?)
        })
    }
}

/// Whether a host is this machine.
fn is_here(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
