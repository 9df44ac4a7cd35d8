//! The keys that an issuer publishes (RFC 7517), and the signatures that each can be for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Keys of an issuer. Large ones have a dozen.
const KEYS_MAX: usize = 64;

/// Bits of an RSA key, as ring takes them.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key.
#[derive(Debug)]
pub(crate) struct Key {
    /// What tokens call it.
    id: Option<String>,
    /// The one algorithm that it is for, where it says so.
    algorithm: Option<String>,
    public: Public,
}

#[derive(Debug)]
enum Public {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The keys of a set that can be used here, one at least; others - for encryption, on other curves, too short, or symmetric - are passed
/// over. An error says what is wrong with the set.
pub(crate) fn read(set: &[u8]) -> Result<Vec<Key>, &'static str> {
    #[derive(Deserialize)]
    struct Set<'s> {
        #[serde(borrow)]
        keys: Vec<&'s RawValue>,
    }
    let Set { keys } = serde_json::from_slice(set).map_err(|_| "is no JSON Web Key Set")?;
    let keys: Vec<Key> = keys.into_iter().filter_map(|key| Key::read(key.get())).take(KEYS_MAX).collect();
    match keys.is_empty() {
        true => Err("has no key in it that can be used: RSA from 2048 bits on, P-256, P-384 and Ed25519 can"),
        false => Ok(keys),
    }
}

impl Key {
    fn read(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Jwk {
            kty: String,
            kid: Option<String>,
            alg: Option<String>,
            #[serde(rename = "use")]
            purpose: Option<String>,
            key_ops: Option<Vec<String>>,
            crv: Option<String>,
            n: Option<String>,
            e: Option<String>,
            x: Option<String>,
            y: Option<String>,
        }
        let Jwk { kty, kid, alg, purpose, key_ops, crv, n, e, x, y } = serde_json::from_str(json).ok()?;
        let is_for_signatures = purpose.is_none_or(|purpose| purpose == "sig")
            && key_ops.is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let number = |text| {
            let bytes = bytes(text)?;
            let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
            Some(bytes[zeros..].to_vec())
        };
        let exactly = |text, length| bytes(text).filter(|bytes| bytes.len() == length);
        // As it is written without compression.
        let point = |length| Some([&[4][..], &exactly(x.clone(), length)?, &exactly(y.clone(), length)?].concat());
        let public = match (kty.as_str(), crv.as_deref()) {
            ("RSA", _) => Public::Rsa { modulus: number(n)?, exponent: number(e)? },
            ("EC", Some("P-256")) => Public::P256(point(32)?),
            ("EC", Some("P-384")) => Public::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Public::Ed25519(exactly(x, 32)?),
            _ => return None,
        };
        if let Public::Rsa { modulus, .. } = &public {
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
            RSA_BITS.contains(&bits).then_some(())?;
        }
        is_for_signatures.then_some(Self { id: kid, algorithm: alg, public })
    }

    /// Whether it can have made a signature by this algorithm, for a token that calls its key so.
    pub(super) fn fits(&self, id: Option<&str>, algorithm: &str) -> bool {
        let is_of_kind = match &self.public {
            Public::Rsa { .. } => rsa(algorithm).is_some(),
            Public::P256(_) => algorithm == "ES256",
            Public::P384(_) => algorithm == "ES384",
            // RFC 9864 has given it a name of its own.
            Public::Ed25519(_) => ["EdDSA", "Ed25519"].contains(&algorithm),
        };
        is_of_kind
            && self.algorithm.as_deref().is_none_or(|only| only == algorithm)
            && id.is_none_or(|id| self.id.as_deref() == Some(id))
    }

    /// Whether it has made a signature by this algorithm, one that it fits.
    pub(super) fn has_signed(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.public {
            Public::Rsa { modulus: n, exponent: e } => {
                rsa(algorithm).map(|parameters| RsaPublicKeyComponents { n, e }.verify(parameters, message, signature))
            }
            Public::P256(point) => Some(UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)),
            Public::P384(point) => Some(UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message, signature)),
            Public::Ed25519(key) => Some(UnparsedPublicKey::new(&ED25519, key).verify(message, signature)),
        };
        verified.is_some_and(|verified| verified.is_ok())
    }
}

fn rsa(algorithm: &str) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        "PS384" => &RSA_PSS_2048_8192_SHA384,
        "PS512" => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}
