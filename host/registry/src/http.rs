//! The HTTP client: one request, one answer, within bounds and without following anything.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io::ErrorKind;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use sandbar_text::size;
use sandbar_tls::blocks;

use super::conversation::asked;
use super::digest::{Digest, Digester};
use super::error::{Error, Kind};
use super::proxy::{Proxies, ProxyFailed, Route};
use super::settings::Trust;

/// How long a TCP connection may take. A lost SYN is sent again after 1 s and after 3 s.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How long the head of an answer may take. A registry that has to fetch from another one first takes seconds.
const HEAD_TIME: Duration = Duration::from_secs(30);

/// Bytes a second of the slowest way on which something is sent, since there is no answer before it has arrived.
const SENT_BYTES: u64 = 256 * 1024;

/// How long there may be nothing in the middle of a body.
const QUIET_TIME: Duration = Duration::from_secs(20);

/// How long a connection is kept without a request: one pull asks several times in a row.
const IDLE_TIME: Duration = Duration::from_secs(10);

/// Bytes of an answer's head, and headers in it. A redirect to a storage is an address with a long signature.
const HEAD_BYTES: usize = 64 * 1024;
const HEADERS: usize = 100;

type Client = legacy::Client<HttpsConnector<Route>, Full<Bytes>>;

/// Connections to registries, each to be trusted in its own way.
#[derive(Debug)]
pub(crate) struct Http {
    /// By host and port, in lower case.
    hosts: BTreeMap<String, Way>,
    /// Made when it is needed: a machine without authorities may need none, where each host has its own.
    others: OnceLock<Result<Client, Error>>,
    proxies: Proxies,
    /// Whether anybody is asked.
    online: bool,
}

#[derive(Debug)]
enum Way {
    Plain(Client),
    Secured(Client),
}

impl Http {
    /// One that asks nobody.
    pub(crate) fn silent() -> Self {
        Self { hosts: BTreeMap::new(), others: OnceLock::new(), proxies: Proxies::default(), online: false }
    }

    pub(crate) fn new(hosts: &BTreeMap<String, Trust>, proxies: &Proxies) -> Result<Self, Error> {
        let way = |(host, trust): (&String, &Trust)| {
            let host = asked(&host.to_ascii_lowercase()).to_owned();
            let way = match trust {
                Trust::Insecure => Way::Plain(client(nobody()?, proxies)),
                Trust::Authorities(pem) => Way::Secured(client(own(pem).map_err(|error| error.about(&host))?, proxies)),
            };
            Ok((host, way))
        };
        let hosts = hosts.iter().map(way).collect::<Result<_, Error>>()?;
        Ok(Self { hosts, others: OnceLock::new(), proxies: proxies.clone(), online: true })
    }

    /// Whether this host is one that is spoken to in plain HTTP.
    pub(crate) fn is_insecure(&self, host: &str) -> bool {
        matches!(self.hosts.get(host), Some(Way::Plain(_)))
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Error> {
        if !self.online {
            return Err(Error::new(Kind::Offline, "the cache of components has not got all of it, and no registry is asked"));
        }
        let authority = authority(request.uri())?;
        let client = match (request.uri().scheme() == Some(&Scheme::HTTP), self.hosts.get(&authority)) {
            (true, Some(Way::Plain(client))) | (false, Some(Way::Secured(client))) => client,
            (true, _) => {
                return Err(Error::wrong(format!(
                    "{authority} would be asked over plain http, and is not among the hosts that are named as insecure"
                )));
            }
            // https at a host that may be spoken to in plain HTTP is taken as https at any other.
            (false, _) => {
                self.others.get_or_init(|| system().map(|tls| client(tls, &self.proxies))).as_ref().map_err(Clone::clone)?
            }
        };
        let bytes = http_body::Body::size_hint(request.body()).lower();
        let time = HEAD_TIME + Duration::from_secs(bytes / SENT_BYTES);
        match tokio::time::timeout(time, client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Error::new(Kind::Unreachable, format!("{authority} {}", explained(&error)))),
            Err(_elapsed) => {
                Err(Error::new(Kind::Unreachable, format!("{authority} has not answered within {} s", time.as_secs())))
            }
        }
    }
}

/// Host and port of an address as references write them, without anybody's name and password.
pub(crate) fn authority(uri: &Uri) -> Result<String, Error> {
    match uri.authority() {
        Some(authority) if !authority.as_str().contains('@') => Ok(authority.as_str().to_ascii_lowercase()),
        _ => Err(Error::wrong("an address without a host, or with somebody's name in front of it, is not followed")),
    }
}

/// Reads a body of at most `most` bytes, and their digest.
pub(crate) async fn read(mut body: Incoming, most: u64) -> Result<(Bytes, Digest), Error> {
    let too_large = || Error::wrong(format!("there are more than {}", size(most)));
    let says = http_body::Body::size_hint(&body).lower();
    if says > most {
        return Err(too_large());
    }
    // Room that is not written to costs nothing.
    let mut bytes = Vec::with_capacity(usize::try_from(says).unwrap_or_default());
    let mut digester = Digester::new();
    loop {
        let frame = match tokio::time::timeout(QUIET_TIME, body.frame()).await {
            Ok(None) => return Ok((bytes.into(), digester.end())),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(_broken))) => return Err(Error::new(Kind::Unreachable, "the answer breaks off")),
            Err(_elapsed) => {
                return Err(Error::new(
                    Kind::Unreachable,
                    format!("the answer stops for {} s in its middle", QUIET_TIME.as_secs()),
                ));
            }
        };
        let Ok(piece) = frame.into_data() else { continue };
        if (bytes.len() + piece.len()) as u64 > most {
            return Err(too_large());
        }
        digester.add(&piece);
        bytes.extend_from_slice(&piece);
    }
}

fn client(tls: ClientConfig, proxies: &Proxies) -> Client {
    let mut tcp = HttpConnector::new();
    // The TLS layer above also uses it for `https` addresses.
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIME));
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .wrap_connector(Route::new(tcp, proxies));
    legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIME)
        .http1_max_buf_size(HEAD_BYTES)
        .http1_max_headers(HEADERS)
        .build(https)
}

/// TLS 1.2 and 1.3 with ring, as everywhere in this program.
fn versions() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.map_err(|_| Error::new(Kind::Local, "TLS cannot be set up"))
}

/// Trust in the authorities of this machine.
fn system() -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(|_| {
        Error::new(
            Kind::Local,
            "this machine has no certificate authorities: install the package ca-certificates, or name those of the registry's host",
        )
    })?;
    Ok(versions()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// Trust in these authorities alone.
fn own(pem: &[u8]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    let certificates = blocks(pem).into_iter().filter(|block| block.label == "CERTIFICATE");
    roots.add_parsable_certificates(certificates.map(|block| CertificateDer::from(block.content)));
    if roots.is_empty() {
        return Err(Error::new(Kind::Local, "its certificate authorities are not PEM with a CERTIFICATE in it"));
    }
    Ok(versions()?.with_root_certificates(roots).with_no_client_auth())
}

/// For a host that is never spoken to in TLS.
fn nobody() -> Result<ClientConfig, Error> {
    Ok(versions()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// Why there is no answer. It continues a sentence that begins with the host.
fn explained(error: &(dyn StdError + 'static)) -> &'static str {
    let mut next = Some(error);
    let mut words = "closed the connection, or answered with something that is not HTTP";
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            words = match error.kind() {
                ErrorKind::ConnectionRefused => "refuses the connection",
                ErrorKind::TimedOut => "has not taken the connection within 5 s",
                ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => "cannot be reached from here",
                _ => words,
            };
            // An I/O error passes over what is in it when it is asked for its source.
            if let Some(inner) = error.get_ref() {
                next = Some(inner);
                continue;
            }
        }
        if error.is::<ProxyFailed>() {
            return "cannot be reached through the proxy (HTTPS_PROXY): it has to be an http:// one that lets connections through to it";
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return tls(error);
        }
        if error.to_string() == "dns error" {
            return "has no address: the name is not known";
        }
        next = error.source();
    }
    words
}

fn tls(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "has a certificate of an authority that is not trusted: name its authorities for this host"
        }
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "has a certificate whose time is up"
        }
        rustls::Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            "has a certificate whose time has not come, or the clock here is wrong"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "has a certificate for other names",
        rustls::Error::InvalidMessage(_) => "does not speak TLS: where plain http is meant, name the host as insecure",
        _ => "cannot be trusted: TLS with it has failed",
    }
}
