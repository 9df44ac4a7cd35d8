//! A certificate with its chain and its key: a client's for an API server, or the listener's own.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{Error, InconsistentKeys};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::pem::{Block, blocks, certificates};

/// A certificate with its chain and its key, and the end of its validity.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// What a handshake needs.
    pub key: Arc<CertifiedKey>,
    /// None where the certificate does not parse.
    pub valid_until: Option<SystemTime>,
}

/// Why a certificate and a key cannot be used. It continues a sentence that begins with the part that is meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unusable {
    /// The part.
    pub part: Part,
    why: Cow<'static, str>,
}

/// What a certificate is used with, and itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The certificate and its chain.
    Certificate,
    /// The key.
    Key,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::Key => "key",
        })
    }
}

impl Unusable {
    pub(super) fn certificate(why: impl Into<Cow<'static, str>>) -> Self {
        Self { part: Part::Certificate, why: why.into() }
    }

    fn key(why: &'static str) -> Self {
        Self { part: Part::Key, why: why.into() }
    }
}

impl Certificate {
    /// Parses the PEM text of a certificate with its chain, and that of its key.
    pub fn read(certificate: &[u8], key: &[u8]) -> Result<Self, Unusable> {
        let chain: Vec<CertificateDer<'static>> = certificates(certificate).collect();
        let Some(leaf) = chain.first() else {
            return Err(Unusable::certificate("is not PEM with a CERTIFICATE in it"));
        };
        let valid_until = X509Certificate::from_der(leaf).ok().and_then(|(_, leaf)| {
            let seconds = u64::try_from(leaf.validity().not_after.timestamp()).ok()?;
            SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
        });
        let key = CertifiedKey::new(chain, private_key(key)?);
        match key.keys_match() {
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(Unusable::key("is not the key of its certificate"))
            }
            // Whether the certificate itself is acceptable is up to the other end.
            _ => Ok(Self { key: Arc::new(key), valid_until }),
        }
    }
}

/// The first key of a PEM text. As in Go the label only says that it is a key, not its format: programs use any label for any
/// format.
fn private_key(text: &[u8]) -> Result<Arc<dyn SigningKey>, Unusable> {
    let is_key = |block: &Block| block.label == "PRIVATE KEY" || block.label.ends_with(" PRIVATE KEY");
    let Some(Block { label, has_headers, content }) = blocks(text).into_iter().find(is_key) else {
        return Err(Unusable::key("is not PEM with a PRIVATE KEY in it"));
    };
    let forms: [fn(Vec<u8>) -> PrivateKeyDer<'static>; 3] =
        [|der| PrivateKeyDer::Pkcs1(der.into()), |der| PrivateKeyDer::Pkcs8(der.into()), |der| PrivateKeyDer::Sec1(der.into())];
    let key = forms.into_iter().find_map(|form| any_supported_type(&form(content.clone())).ok());
    key.ok_or_else(|| {
        Unusable::key(if has_headers || label == "ENCRYPTED PRIVATE KEY" {
            "is encrypted: write it without a passphrase, `openssl pkey -in KEY` does"
        } else {
            "cannot be used: RSA from 2048 bits on, ECDSA on P-256 or P-384, and Ed25519 can"
        })
    })
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, generate_simple_self_signed};

    use super::*;

    /// The key inside PKCS 8, which is SEC 1 for ECDSA as openssl writes it: after two objects and one header.
    fn sec1(pkcs8: &[u8]) -> Vec<u8> {
        let start = (0..pkcs8.len()).find(|&at| pkcs8[at] == 0x30 && pkcs8[at..].get(2..6) == Some(&[0x02, 0x01, 0x01, 0x04]));
        pkcs8[start.expect("it can")..].to_vec()
    }

    fn pem(label: &str, der: &[u8]) -> String {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    }

    const LABELS: [&str; 5] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "ANY PRIVATE KEY"];

    #[test]
    fn a_key_is_taken_in_each_form_under_each_label() {
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
            let key = KeyPair::generate_for(algorithm).expect("it can");
            let mut forms = vec![("PKCS 8", key.serialize_der())];
            if algorithm == &PKCS_ECDSA_P256_SHA256 {
                forms.push(("SEC 1", sec1(&key.serialize_der())));
            }
            for (form, der) in forms {
                for label in LABELS {
                    let taken = private_key(pem(label, &der).as_bytes());
                    assert!(taken.is_ok(), "{algorithm:?} in {form} as {label}: {:?}", taken.err());
                }
            }
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let key = KeyPair::generate().expect("it can");
        let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAQID\n-----END RSA PRIVATE KEY-----";
        for (text, part) in [
            (pem("ENCRYPTED PRIVATE KEY", &[1, 2, 3]), "encrypted"),
            (encrypted.to_owned(), "encrypted"),
            (pem("PRIVATE KEY", &[1, 2, 3]), "cannot be used"),
            (pem("CERTIFICATE", &key.serialize_der()), "not PEM"),
            (pem("PRIVATE KEYS", &key.serialize_der()), "not PEM"),
            (pem("PUBLIC KEY", &key.serialize_der()), "not PEM"),
            (String::new(), "not PEM"),
            // The first one counts, as in Go.
            (pem("PRIVATE KEY", &[1, 2, 3]) + &key.serialize_pem(), "cannot be used"),
        ] {
            let unusable = private_key(text.as_bytes()).map(drop).expect_err(&text);
            assert!(unusable.to_string().contains(part), "{text}: {unusable}");
        }
        let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        assert!(private_key((parameters.to_owned() + &key.serialize_pem()).as_bytes()).is_ok());
    }

    #[test]
    fn a_key_belongs_to_its_certificate() {
        let (own, other) = (generate_simple_self_signed(["a".to_owned()]).expect("it can"), KeyPair::generate().expect("it can"));
        let read = |key: &str| Certificate::read(own.cert.pem().as_bytes(), key.as_bytes());
        assert!(read(&own.signing_key.serialize_pem()).is_ok_and(|read| read.valid_until.is_some()));
        assert!(read(&other.serialize_pem()).is_err_and(|unusable| unusable.to_string().contains("not the key")));
    }
}
