//! TLS to an API server, by Go's rules: it trusts the servers that kubectl trusts, and no others.

mod trust;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use sandbar_tls::Certificate;

pub(super) use self::trust::ChainTooLong;
use self::trust::{Anybody, Pool};
use super::fault::Fault;
use super::target::Trust;

/// Parses a client's certificate with its chain, and its key. An error continues a sentence that begins with their source.
pub(super) fn certificate(certificate: &[u8], key: &[u8]) -> Result<Certificate, Fault> {
    Certificate::read(certificate, key).map_err(|unusable| Fault::new(format!("has a client {} that {unusable}", unusable.part)))
}

/// The TLS configuration of connections to a server.
pub(super) fn client_config(trust: &Trust, identity: Option<Arc<CertifiedKey>>) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone());
    // As in kubectl: TLS 1.2 and 1.3.
    let builder = builder.with_safe_default_protocol_versions().map_err(|_| Fault::new("TLS cannot be set up"))?;
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier(trust, provider)?);
    Ok(match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(identity))),
    })
}

fn verifier(trust: &Trust, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, Fault> {
    Ok(match trust {
        Trust::Anything => Arc::new(Anybody),
        Trust::Authorities(pem, key) => Arc::new(Pool::new(pem, provider).map_err(|why| Fault::new(format!("`{key}` {why}")))?),
        Trust::System => Arc::new(rustls_platform_verifier::Verifier::new(provider).map_err(|_| {
            Fault::new(
                "no certificate authority is configured, and this machine has none either: configure one \
                 (`certificate-authority-data` in a kubeconfig, `--certificate-authority` with --url), or install the package \
                 ca-certificates",
            )
        })?),
    })
}

/// A server's name, for checking its certificate.
pub(super) fn server_name(name: &str) -> Result<ServerName<'static>, Fault> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|_| Fault::new(format!("no certificate can be for the name {name:?}")))
}
