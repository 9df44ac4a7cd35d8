//! A client's certificate and key.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::pem::{Block, blocks};
use crate::kubernetes::kubeconfig::Fault;

/// A certificate to show, and until when it is valid.
#[derive(Clone, Debug)]
pub(in crate::kubernetes) struct Certificate {
    pub(in crate::kubernetes) key: Arc<CertifiedKey>,
    pub(in crate::kubernetes) valid_until: Option<SystemTime>,
}

/// Reads a certificate with its chain, and its key. An error goes on from the name of who has them.
pub(in crate::kubernetes) fn certificate(certificate: &[u8], key: &[u8]) -> Result<Certificate, Fault> {
    let chain: Vec<CertificateDer<'static>> = blocks(certificate)
        .into_iter()
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| CertificateDer::from(block.content))
        .collect();
    let Some(leaf) = chain.first() else {
        return Err(Fault::new("has a client certificate that is not PEM with a CERTIFICATE in it"));
    };
    let valid_until = X509Certificate::from_der(leaf).ok().and_then(|(_, leaf)| {
        let seconds = u64::try_from(leaf.validity().not_after.timestamp()).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    });
    let key = rustls::crypto::ring::sign::any_supported_type(&private_key(key)?).map_err(|_| {
        Fault::new("has a client key that cannot be used: RSA from 2048 bits on, ECDSA on P-256 or P-384, and Ed25519 can")
    })?;
    let key = CertifiedKey::new(chain, key);
    match key.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(Fault::new("has a client key that is not the key of its client certificate"))
        }
        // Whatever else rustls makes of its own certificate is up to the server.
        _ => Ok(Certificate { key: Arc::new(key), valid_until }),
    }
}

/// The first key of a PEM text.
fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, Fault> {
    let is_key = |block: &Block| block.label == "PRIVATE KEY" || block.label.ends_with(" PRIVATE KEY");
    let Some(block) = blocks(text).into_iter().find(is_key) else {
        return Err(Fault::new("has a client key that is not PEM with a PRIVATE KEY in it"));
    };
    match block.label.as_str() {
        "ENCRYPTED PRIVATE KEY" => Err(encrypted()),
        _ if block.has_headers => Err(encrypted()),
        "RSA PRIVATE KEY" => Ok(PrivateKeyDer::Pkcs1(block.content.into())),
        "EC PRIVATE KEY" => Ok(PrivateKeyDer::Sec1(block.content.into())),
        _ => Ok(PrivateKeyDer::Pkcs8(block.content.into())),
    }
}

fn encrypted() -> Fault {
    Fault::new(
        "has a client key that is encrypted, which kubectl does not take either: write it without a passphrase, `openssl pkey -in KEY` does",
    )
}
