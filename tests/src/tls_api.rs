//! A made-up API server behind TLS, with certificates as people have them, for what is between a kubeconfig and an answer.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate with its key.
#[derive(Debug)]
pub struct Pair {
    certificate: Certificate,
    params: CertificateParams,
    key: KeyPair,
}

/// What a certificate is to be.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// The names and addresses that it is for.
    pub names: Vec<&'static str>,
    /// `CA:TRUE`, with the right to sign.
    pub authority: bool,
    /// Its time was up years ago.
    pub expired: bool,
    /// How many intermediates there may be below it, where it says so.
    pub path_length: Option<u8>,
    /// What it is for, where it says so.
    pub purpose: Option<ExtendedKeyUsagePurpose>,
}

impl Shape {
    /// A server's, for loopback.
    pub fn server() -> Self {
        Self {
            names: vec!["localhost", "127.0.0.1", "::1"],
            purpose: Some(ExtendedKeyUsagePurpose::ServerAuth),
            ..Self::default()
        }
    }

    /// An authority's.
    pub fn authority() -> Self {
        Self { authority: true, ..Self::default() }
    }

    fn params(&self, name: &str) -> CertificateParams {
        let names: Vec<String> = self.names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        if self.authority {
            params.is_ca = IsCa::Ca(self.path_length.map_or(BasicConstraints::Unconstrained, BasicConstraints::Constrained));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        } else {
            params.is_ca = IsCa::ExplicitNoCa;
        }
        params.extended_key_usages = self.purpose.iter().cloned().collect();
        (params.not_before, params.not_after) = if self.expired {
            (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1))
        } else {
            (date_time_ymd(2020, 1, 1), date_time_ymd(2199, 1, 1))
        };
        params
    }
}

impl Pair {
    /// One that has signed itself.
    pub fn alone(name: &str, shape: &Shape) -> Self {
        let (params, key) = (shape.params(name), KeyPair::generate().expect("a key"));
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { certificate, params, key }
    }

    /// One that another has signed.
    pub fn signed(name: &str, shape: &Shape, by: &Pair) -> Self {
        Self::with_key(name, shape, by, KeyPair::generate().expect("a key"))
    }

    /// The same, for a key that there is.
    pub fn with_key(name: &str, shape: &Shape, by: &Pair, key: KeyPair) -> Self {
        let params = shape.params(name);
        let certificate = params.signed_by(&key, &Issuer::from_params(&by.params, &by.key)).expect("a certificate");
        Self { certificate, params, key }
    }

    /// The certificate as PEM.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// The certificate as DER.
    pub fn der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    /// The key as PEM, in PKCS 8.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The key in PKCS 8.
    pub fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }
}

/// An API server that knows the token `good-token`, the user `me` with the password `good-password`, and every certificate of an authority.
#[derive(Clone, Debug)]
pub struct TlsApi {
    address: SocketAddr,
    tokens: Arc<Mutex<Vec<String>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl TlsApi {
    /// Shows a certificate with its chain, and asks for one of `clients`.
    pub fn start(server: &Pair, chain: &[&Pair], clients: &Pair) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let certificates: Vec<CertificateDer<'static>> =
            std::iter::once(server).chain(chain.iter().copied()).map(|pair| pair.certificate.der().clone()).collect();
        let mut roots = RootCertStore::empty();
        roots.add(clients.certificate.der().clone()).expect("an authority");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).allow_unauthenticated();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_client_cert_verifier(verifier.build().expect("an authority"))
            .with_single_cert(certificates, PrivateKeyDer::Pkcs8(server.key_der().into()))
            .expect("a certificate and its key");
        Self::run(Some(TlsAcceptor::from(Arc::new(config))))
    }

    /// Speaks plain HTTP, and knows everybody.
    pub fn plain() -> Self {
        Self::run(None)
    }

    fn run(tls: Option<TlsAcceptor>) -> Self {
        let api = Arc::new(Mutex::new(vec!["good-token".to_owned()]));
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (ready, address) = std::sync::mpsc::channel();
        let (tokens, log) = (api.clone(), requests.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let _ = ready.send(listener.local_addr().expect("an address"));
                loop {
                    let Ok((stream, _)) = listener.accept().await else { continue };
                    tokio::spawn(serve(stream, tls.clone(), tokens.clone(), log.clone()));
                }
            });
        });
        Self { address: address.recv().expect("the thread runs"), tokens: api, requests }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Knows this token from now on, and no other.
    pub fn accept_only(&self, token: &str) {
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = vec![token.to_owned()];
    }

    /// The heads of the requests so far: the path, and what they said of who asks.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn serve(
    stream: tokio::net::TcpStream,
    tls: Option<TlsAcceptor>,
    tokens: Arc<Mutex<Vec<String>>>,
    log: Arc<Mutex<Vec<String>>>,
) {
    let Some(tls) = tls else {
        let service = service_fn(move |request| answer(request, true, tokens.clone(), log.clone()));
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        return;
    };
    let Ok(stream) = tls.accept(stream).await else { return };
    let has_certificate = stream.get_ref().1.peer_certificates().is_some();
    let service = service_fn(move |request| answer(request, has_certificate, tokens.clone(), log.clone()));
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    is_known: bool,
    tokens: Arc<Mutex<Vec<String>>>,
    log: Arc<Mutex<Vec<String>>>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let authorization = text(header::AUTHORIZATION.as_str());
    let as_user = text("impersonate-user");
    log.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{} {authorization} {as_user}", request.uri().path()));
    let accepted = tokens.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // `me:good-password`.
    let is_known = is_known
        || authorization == "Basic bWU6Z29vZC1wYXNzd29yZA=="
        || accepted.iter().any(|token| authorization == format!("Bearer {token}"));
    let (status, body) = if !is_known {
        (
            StatusCode::UNAUTHORIZED,
            r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}"#,
        )
    } else {
        match request.uri().path() {
            "/version" | "/prefix/version" => {
                (StatusCode::OK, r#"{"major":"1","minor":"37","gitVersion":"v1.37.2","platform":"linux/amd64"}"#)
            }
            "/readyz" | "/prefix/readyz" => (StatusCode::OK, "ok"),
            _ => (StatusCode::NOT_FOUND, "404 page not found\n"),
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    if body.starts_with('{') {
        response.headers_mut().insert(header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    }
    Ok(response)
}
