//! A signed JSON Web Token in its compact form (RFC 7515 and RFC 7519), taken apart. Its length is bounded before.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbar_secrets::quotable;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::super::bearer::QUOTED_BYTES;
use super::key::Key;

/// Keys that are tried for a token. Two have the same name, or none, while one takes the place of the other.
const KEYS_TRIED: usize = 4;

/// The sorts of tokens (`typ`) that say who somebody is: ID tokens and access tokens. Issuers sign others with the same keys.
const TYPES: [&str; 2] = ["jwt", "at+jwt"];

/// What a token says, and the signature that is to prove it.
pub(crate) struct Token<'t> {
    /// What is signed.
    signed: &'t str,
    signature: Vec<u8>,
    algorithm: String,
    key: Option<String>,
    claims: Claims,
}

/// The claims of a token, each once.
pub(super) type Claims = BTreeMap<String, Value>;

/// Why a token is not taken to be signed.
#[derive(Debug, PartialEq)]
pub(crate) enum NotSigned {
    /// None of the keys that are known has signed it.
    ByKnown,
    /// Whatever keys there are: why.
    Ever(String),
}

/// The issuers that a token names (`iss`). It is theirs to take or to refuse, so they are read whatever else is wrong with it; more than one
/// are made up. An error says why it names none.
pub(super) fn issuers(token: &str) -> Result<Vec<String>, String> {
    let [_, claims, _] = parts(token)?;
    let odd = || "its content is no JSON object".to_owned();
    let json = URL_SAFE_NO_PAD.decode(claims).map_err(|_| odd())?;
    let text = String::from_utf8_lossy(&json);
    let Entries(entries) = serde_json::from_str(&text).map_err(|_| odd())?;
    let named = entries.iter().filter(|(claim, _)| claim == "iss");
    let issuers: Vec<String> = named.filter_map(|(_, value)| serde_json::from_str(value.get()).ok()).collect();
    if issuers.is_empty() { Err("it names no issuer (`iss`)".to_owned()) } else { Ok(issuers) }
}

/// The header, the claims and the signature of a token.
fn parts(token: &str) -> Result<[&str; 3], String> {
    let parts: Vec<&str> = token.split('.').collect();
    <[&str; 3]>::try_from(parts).map_err(|parts| match parts.len() {
        5 => "it is encrypted, and this server takes those that are signed".to_owned(),
        _ => "it is no signed JSON Web Token".to_owned(),
    })
}

impl<'t> Token<'t> {
    /// Takes a token apart. An error says why it is none of an issuer's.
    pub(crate) fn of(token: &'t str) -> Result<Self, String> {
        let [header, claims, signature] = parts(token)?;
        let signed = &token[..header.len() + 1 + claims.len()];
        let mut header = object(header).map_err(|what| format!("its header {what}"))?;
        let claims = object(claims).map_err(|what| format!("its content {what}"))?;
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| "its signature is no base64url".to_owned())?;
        if let Some(what) = ["crit", "enc", "cty"].into_iter().find(|what| header.contains_key(*what)) {
            return Err(format!("its header has `{what}`, which no token of a person needs"));
        }
        if let Some(of) = header.get("typ") {
            let name = of.as_str().unwrap_or_default().to_ascii_lowercase();
            if !TYPES.contains(&name.strip_prefix("application/").unwrap_or(&name)) {
                let of = quotable(of, QUOTED_BYTES);
                return Err(format!("it is a token of another sort: its header has the `typ` {of}"));
            }
        }
        // A security event token (RFC 8417, 2.2), which says what has happened to somebody, not that they are here. A logout token is one, and
        // its `typ`, which says so too, is no more than recommended (OpenID Connect Back-Channel Logout 1.0, 2.4).
        if claims.contains_key("events") {
            return Err("it is a token of another sort: it tells of `events`, as a logout token does".to_owned());
        }
        let Some(Value::String(algorithm)) = header.remove("alg") else {
            return Err("its header names no algorithm (`alg`)".to_owned());
        };
        let key = match header.remove("kid") {
            None => None,
            Some(Value::String(key)) => Some(key),
            Some(_) => return Err("its header names its key (`kid`) by something else than a text".to_owned()),
        };
        Ok(Self { signed, signature, algorithm, key, claims })
    }

    /// What it says.
    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Checks that one of these keys has signed it. The keys decide which algorithms there are: none is symmetric, and `none` is none.
    pub(crate) fn verify(&self, keys: &[Key]) -> Result<(), NotSigned> {
        let Self { signed, signature, algorithm, key, .. } = self;
        if !ALGORITHMS.contains(&algorithm.as_str()) {
            let named = quotable(algorithm, QUOTED_BYTES);
            return Err(NotSigned::Ever(format!("it is signed by `{named}`, and only {} count", ALGORITHMS.join(", "))));
        }
        let fitting: Vec<&Key> = keys.iter().filter(|candidate| candidate.fits(key.as_deref(), algorithm)).collect();
        let mut tried = fitting.iter().take(KEYS_TRIED);
        if tried.any(|key| key.has_signed(algorithm, signed.as_bytes(), signature)) {
            return Ok(());
        }
        if fitting.len() <= KEYS_TRIED {
            return Err(NotSigned::ByKnown);
        }
        let which = if key.is_some() { "names a key (`kid`)" } else { "names no key (`kid`)" };
        let many = fitting.len();
        Err(NotSigned::Ever(format!(
            "its header {which}, and of {many} keys that it could mean, the {KEYS_TRIED} that were tried have not signed it"
        )))
    }

    /// When it ends, from 1970 on; none where it does not say so in seconds.
    pub(super) fn expires(&self) -> Option<Duration> {
        seconds(self.claims.get("exp")?)
    }

    /// When it begins to be valid, from 1970 on, if it says so.
    pub(super) fn not_before(&self) -> Result<Option<Duration>, String> {
        let Some(claim) = self.claims.get("nbf").filter(|claim| !claim.is_null()) else { return Ok(None) };
        seconds(claim).map(Some).ok_or_else(|| "it does not say in seconds when it begins (`nbf`)".to_owned())
    }

    /// For whom it is.
    pub(super) fn audiences(&self) -> Result<Vec<String>, String> {
        let Some(claim) = self.claims.get("aud").filter(|claim| !claim.is_null()) else { return Ok(Vec::new()) };
        texts(claim).ok_or_else(|| "it names its audience (`aud`) by something else than a text, or a list of some".to_owned())
    }
}

/// The algorithms that keys can be for. ring has none for P-521.
const ALGORITHMS: [&str; 10] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "Ed25519"];

/// A text, or a list of texts.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Seconds from 1970 on; what is before that is then.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().filter(|seconds| seconds.is_finite())?;
    Some(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX))
}

/// A JSON object in base64url, each of whose keys is there once: of two that are not, others may have looked at the first.
fn object(part: &str) -> Result<Claims, String> {
    let odd = "is no JSON object whose keys stand there once";
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| "is no base64url".to_owned())?;
    let Entries(entries) = serde_json::from_slice(&json).map_err(|_| odd.to_owned())?;
    let mut object = BTreeMap::new();
    for (key, value) in entries {
        let value = serde_json::from_str(value.get()).map_err(|_| odd.to_owned())?;
        if object.insert(key, value).is_some() {
            return Err(odd.to_owned());
        }
    }
    Ok(object)
}

/// The entries of a JSON object, in the order in which they stand, whatever their values are.
struct Entries<'j>(Vec<(String, &'j RawValue)>);

impl<'de: 'j, 'j> Deserialize<'de> for Entries<'j> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
