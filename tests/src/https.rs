//! A client that speaks TLS, and trusts one authority.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::http::{Reply, send_over};
use crate::in_time;
use crate::tls_api::Pair;

/// What it takes to connect. Each request has a connection of its own.
#[derive(Clone)]
pub struct HttpsClient {
    connector: TlsConnector,
    /// The name that the certificate has to have, where it has no address.
    name: Option<ServerName<'static>>,
}

impl HttpsClient {
    /// One that trusts an authority, and shows a certificate of its own, if any.
    pub fn new(authority: &Pair, shown: Option<&Pair>) -> Self {
        Self::trusting(authority.der().clone(), None, shown)
    }

    /// One that trusts an authority to have signed for a name, whatever the address is.
    pub fn of_name(name: &'static str, authority: &str, shown: Option<&Pair>) -> Self {
        let authority = CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM");
        Self::trusting(authority, Some(name.try_into().expect("a name")), shown)
    }

    fn trusting(authority: CertificateDer<'static>, name: Option<ServerName<'static>>, shown: Option<&Pair>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("TLS").with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(pair) => builder
                .with_client_auth_cert(vec![pair.der().clone()], PrivateKeyDer::Pkcs8(pair.key_der().into()))
                .expect("a certificate and its key"),
        };
        Self { connector: TlsConnector::from(Arc::new(config)), name }
    }

    /// Connects.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let connecting = async {
            let name = self.name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
            self.connector.connect(name, TcpStream::connect(address).await?).await
        };
        in_time("a TLS connection", connecting).await
    }

    /// The certificate that the server shows now.
    pub async fn shown_by(&self, address: SocketAddr) -> CertificateDer<'static> {
        let stream = self.connect(address).await.expect("a connection");
        let chain = stream.get_ref().1.peer_certificates().expect("a certificate");
        chain[0].clone().into_owned()
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(&self, address: SocketAddr, request: Request<Bytes>) -> io::Result<Reply> {
        let stream = self.connect(address).await?;
        send_over(stream, address, request).await.map_err(io::Error::other)
    }

    /// Sends a GET.
    pub async fn get(&self, address: SocketAddr, path: &str) -> io::Result<Reply> {
        self.send(address, Request::get(path).body(Bytes::new()).expect("a request")).await
    }
}
