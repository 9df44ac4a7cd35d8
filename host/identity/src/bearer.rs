//! The token of a request (RFC 6750), and what a token says of itself.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, header};
use sandbar_secrets::quotable;
use serde::Deserialize;

use super::Unidentified;

/// Bytes of a token. One of a ServiceAccount has some 1,200.
const TOKEN_MAX: usize = sandbar_secrets::LONGEST;

static TOO_LONG: LazyLock<String> = LazyLock::new(|| format!("holds a token of more than {} KiB", TOKEN_MAX >> 10));

/// Bytes of what a token says, in a message.
pub(super) const QUOTED_BYTES: usize = 128;

/// How many of a list are named there.
const NAMED: usize = 3;

/// Names in a message.
pub(super) fn listed(names: &[String]) -> String {
    let quoted = names.iter().take(NAMED).map(|name| format!("`{}`", quotable(name, QUOTED_BYTES)));
    quoted.collect::<Vec<_>>().join(", ")
}

/// The token of a request; none where there is none.
pub(super) fn token(headers: &HeaderMap) -> Result<Option<&str>, Unidentified> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unidentified::Malformed("stands there more than once"));
    }
    let text = value.to_str().map_err(|_| Unidentified::Malformed("holds something else than visible ASCII"))?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        // To be told which one, as whoever has sent none.
        return Err(Unidentified::NoToken);
    }
    let token = token.trim_matches(' ');
    if token.is_empty() || !token.bytes().all(is_of_token) {
        return Err(Unidentified::Malformed("holds no token: `Bearer` is followed by letters, digits and -._~+/="));
    }
    if token.len() > TOKEN_MAX {
        return Err(Unidentified::Malformed(&TOO_LONG));
    }
    Ok(Some(token))
}

/// RFC 6750's `b64token`.
fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)
}

/// What a JSON Web Token says of itself. Nothing is proved by it.
#[derive(Debug, Default, Deserialize, PartialEq)]
pub(super) struct Claims {
    #[serde(default, rename = "aud")]
    pub(super) audiences: Audiences,
    /// Seconds since 1970.
    #[serde(default, rename = "exp")]
    expires: Option<f64>,
}

/// One audience, or a list of them.
#[derive(Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub(super) enum Audiences {
    One(String),
    Several(Vec<String>),
}

impl Default for Audiences {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Audiences {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(audience) => std::slice::from_ref(audience),
            Self::Several(audiences) => audiences,
        }
    }
}

impl Claims {
    /// The claims of a token; none where it is no JSON Web Token.
    pub(super) fn of(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// How long the token is valid from now on; none where it does not say.
    pub(super) fn valid_for(&self) -> Option<Duration> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = Duration::try_from_secs_f64(self.expires?).unwrap_or_default();
        Some(expires.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_str(value).expect("a value"))).collect()
    }

    #[test]
    fn a_token_is_one_and_stands_alone() {
        assert_eq!(token(&HeaderMap::new()), Ok(None));
        for value in ["Bearer abc.DEF-_~+/==", "bearer  abc.DEF-_~+/==", "BEARER abc.DEF-_~+/== "] {
            assert_eq!(token(&headers(&[value])), Ok(Some("abc.DEF-_~+/==")), "{value}");
        }
        let long = format!("Bearer {}", "x".repeat(TOKEN_MAX + 1));
        for (values, why) in [
            (&["Bearer a", "Bearer a"][..], "more than once"),
            (&["Bearer a", "Basic a"], "more than once"),
            (&["Basic YTpi"], "send a token"),
            (&["Bearer"], "no token"),
            (&["Bearer "], "no token"),
            (&["Bearera"], "send a token"),
            (&["Bearer a b"], "no token"),
            (&["Bearer a,b"], "no token"),
            (&["Bearer\ta"], "send a token"),
            (&["a"], "send a token"),
            (&[""], "send a token"),
            (&[&long], "16 KiB"),
        ] {
            let error = token(&headers(values)).expect_err(why);
            assert!(error.to_string().contains(why), "{values:?}: {error}");
        }
    }

    fn of(claims: &str) -> Option<Claims> {
        Claims::of(&format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn claims_are_what_a_token_says() {
        assert_eq!(of(r#"{"aud":"a"}"#).expect("claims").audiences.as_slice(), ["a"]);
        assert_eq!(of(r#"{"aud":["a","b"],"x":1}"#).expect("claims").audiences.as_slice(), ["a", "b"]);
        assert_eq!(of("{}").expect("claims").audiences.as_slice(), [""; 0]);
        for odd in ["a.b", "a.b.c.d", "", "..", "e30.!!!.c2ln"] {
            assert_eq!(Claims::of(odd), None, "{odd}");
        }
        assert_eq!(of(r#"{"aud":7}"#), None);
    }

    #[test]
    fn a_token_is_valid_until_its_end() {
        let valid = |claims| of(claims).expect("claims").valid_for();
        assert_eq!(valid("{}"), None);
        for past in [r#"{"exp":1}"#, r#"{"exp":-1}"#] {
            assert_eq!(valid(past), Some(Duration::ZERO), "{past}");
        }
        assert!(valid(r#"{"exp":1e15}"#).is_some_and(|valid| valid > Duration::from_secs(1 << 32)));
        assert_eq!(valid(r#"{"exp":1e300}"#), Some(Duration::ZERO), "no time at all");
    }
}
