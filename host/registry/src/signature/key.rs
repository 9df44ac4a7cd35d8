//! Public keys, and what they have signed.

use std::borrow::Cow;
use std::fmt;

use ed25519_dalek::{Digest as _, Sha512, Signature, VerifyingKey};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use sandbar_tls::blocks;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::digest::Digest;

/// Bytes of a key's text. One on P-256 has 178.
const TEXT_BYTES: usize = 4096;

/// A public key as PEM: ECDSA on P-256, as `cosign generate-key-pair` makes it, or Ed25519.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    text: String,
    pub(crate) bare: BareKey,
}

/// A public key by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BareKey {
    kind: Kind,
    /// As ring takes it: a point, or the key itself.
    bytes: Vec<u8>,
    /// Of the key with what it is for, as DER: what others know it by.
    pub(crate) id: Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    Ed25519,
}

impl BareKey {
    /// Takes a `SubjectPublicKeyInfo`. The error continues a sentence that begins with the key.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, &'static str> {
        const OTHER: &str = "is of a kind that is not taken: ECDSA on P-256 and Ed25519 are";
        let (rest, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| "is no public key")?;
        if !rest.is_empty() {
            return Err("is no public key");
        }
        let curve = info.algorithm.parameters.as_ref().and_then(|curve| curve.as_oid().ok()).map(|curve| curve.to_id_string());
        let kind = match (info.algorithm.algorithm.to_id_string().as_str(), curve.as_deref()) {
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => Kind::P256,
            ("1.3.101.112", None) => Kind::Ed25519,
            _ => return Err(OTHER),
        };
        Ok(Self { kind, bytes: info.subject_public_key.data.to_vec(), id: Digest::of(der) })
    }

    /// Whether it has signed a message. Signatures on P-256 are of its SHA-256, as DER.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = |algorithm: &'static dyn VerificationAlgorithm| {
            UnparsedPublicKey::new(algorithm, &self.bytes).verify(message, signature).is_ok()
        };
        match self.kind {
            Kind::P256 => verified(&ECDSA_P256_SHA256_ASN1),
            Kind::Ed25519 => verified(&ED25519) || self.has_signed_hash(message, signature).is_some(),
        }
    }

    /// Whether it has signed the SHA-512 of a message (Ed25519ph, RFC 8032), as cosign does.
    fn has_signed_hash(&self, message: &[u8], signature: &[u8]) -> Option<()> {
        let key = VerifyingKey::from_bytes(self.bytes.as_slice().try_into().ok()?).ok()?;
        let signature = Signature::from_slice(signature).ok()?;
        key.verify_prehashed_strict(Sha512::new_with_prefix(message), None, &signature).ok()
    }
}

impl TryFrom<String> for PublicKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.len() > TEXT_BYTES {
            return Err(format!("a key has {TEXT_BYTES} bytes at most, and this has {}", text.len()));
        }
        let mut keys = blocks(text.as_bytes()).into_iter().filter(|block| block.label == "PUBLIC KEY");
        let bare = match (keys.next(), keys.next()) {
            (Some(key), None) => BareKey::from_der(&key.content).map_err(|why| format!("the key {why}"))?,
            (None, _) => {
                return Err(
                    "it is not PEM with a PUBLIC KEY in it: `cosign.pub` is such a file, and its text belongs here".to_owned()
                );
            }
            (Some(_), Some(_)) => return Err("it is PEM with several keys: write a rule for each of them".to_owned()),
        };
        Ok(Self { text, bare })
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.text
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.bare.id)
    }
}

impl JsonSchema for PublicKey {
    fn schema_name() -> Cow<'static, str> {
        "PublicKey".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({ "type": "string", "description": "A public key as PEM: ECDSA on P-256 or Ed25519." })
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData as _};

    use super::*;

    #[test]
    fn a_key_knows_what_it_has_signed() {
        for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ED25519] {
            let (own, other) =
                (KeyPair::generate_for(algorithm).expect("a key"), KeyPair::generate_for(algorithm).expect("a key"));
            let key = PublicKey::try_from(own.public_key_pem()).expect("a key");
            assert_eq!(key.bare.id, Digest::of(&own.subject_public_key_info()));
            let signed = |pair: &KeyPair, message: &[u8]| rcgen::SigningKey::sign(pair, message).expect("signed");
            assert!(key.bare.has_signed(b"message", &signed(&own, b"message")));
            assert!(!key.bare.has_signed(b"message", &signed(&other, b"message")));
            assert!(!key.bare.has_signed(b"message", &signed(&own, b"another")));
            assert!(!key.bare.has_signed(b"message", b""));
            assert_eq!(String::from(key), own.public_key_pem());
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        let pem = |algorithm| KeyPair::generate_for(algorithm).expect("a key").public_key_pem();
        let key = pem(&PKCS_ECDSA_P256_SHA256);
        for (text, said) in [
            (String::new(), "not PEM"),
            ("cosign.pub".to_owned(), "not PEM"),
            (KeyPair::generate().expect("a key").serialize_pem(), "not PEM"),
            (key.clone() + &key, "several keys"),
            (pem(&PKCS_ECDSA_P384_SHA384), "P-256 and Ed25519"),
            ("-----BEGIN PUBLIC KEY-----\nAQID\n-----END PUBLIC KEY-----\n".to_owned(), "is no public key"),
            ("x".repeat(5000), "4096 bytes at most"),
        ] {
            let why = PublicKey::try_from(text).expect_err(said);
            assert!(why.contains(said), "{why}");
        }
    }
}
