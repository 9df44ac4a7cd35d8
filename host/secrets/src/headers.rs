//! Headers that are secret except for the name of the scheme (RFC 9110, section 11.4), and schemes anywhere in a text.

use std::ops::Range;

use super::alphabet::{BASE64, BEARER, IN_DOUBLE, IN_SINGLE, LINE, LIST, WORD};
use super::names::COOKIE;
use super::scan::Scan;
use super::values::{USER_MAX, is_basic, is_random, names_nothing, reads_as_message, says_state};
use super::{By, Found, LONGEST};

/// The form of a scheme's credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One word.
    Word,
    /// Parameters, up to the end of the header.
    Parameters,
}

/// Schemes, the form of their credentials, and the name of these in a mask.
const SCHEMES: &[(&str, Shape, &str)] = &[
    ("bearer", Shape::Word, "bearer token"),
    ("basic", Shape::Word, "basic credentials"),
    ("token", Shape::Word, CREDENTIALS),
    ("apikey", Shape::Word, CREDENTIALS),
    ("api-key", Shape::Word, CREDENTIALS),
    ("key", Shape::Word, CREDENTIALS),
    ("negotiate", Shape::Word, CREDENTIALS),
    ("ntlm", Shape::Word, CREDENTIALS),
    ("kerberos", Shape::Word, CREDENTIALS),
    ("geniekey", Shape::Word, CREDENTIALS),
    ("splunk", Shape::Word, CREDENTIALS),
    ("bot", Shape::Word, CREDENTIALS),
    ("jwt", Shape::Word, CREDENTIALS),
    ("ssws", Shape::Word, CREDENTIALS),
    ("dpop", Shape::Word, CREDENTIALS),
    ("secret", Shape::Word, CREDENTIALS),
    ("zoho-oauthtoken", Shape::Word, CREDENTIALS),
    ("sharedkey", Shape::Word, CREDENTIALS),
    ("sharedkeylite", Shape::Word, CREDENTIALS),
    ("aws", Shape::Word, CREDENTIALS),
    ("mac", Shape::Parameters, CREDENTIALS),
    ("digest", Shape::Parameters, CREDENTIALS),
    ("aws4-hmac-sha256", Shape::Parameters, CREDENTIALS),
    ("aws4-ecdsa-p256-sha256", Shape::Parameters, CREDENTIALS),
    ("goog4-rsa-sha256", Shape::Parameters, CREDENTIALS),
    ("oauth", Shape::Parameters, CREDENTIALS),
    ("hawk", Shape::Parameters, CREDENTIALS),
    ("signature", Shape::Parameters, CREDENTIALS),
    ("hmac", Shape::Parameters, CREDENTIALS),
    ("scram-sha-256", Shape::Parameters, CREDENTIALS),
    ("sharedaccesssignature", Shape::Parameters, CREDENTIALS),
    ("vapid", Shape::Parameters, CREDENTIALS),
    ("snowflake", Shape::Parameters, CREDENTIALS),
    ("private-token", Shape::Parameters, CREDENTIALS),
    ("mauth", Shape::Parameters, CREDENTIALS),
];

const CREDENTIALS: &str = "credentials";

/// Bytes of a header that tell what it is.
const NEAR: usize = 256;

/// The secret of a header whose value begins at `at`.
pub(super) fn find(scan: &Scan<'_>, kind: &'static str, at: usize, is_tuple: bool) -> Option<Found> {
    let (start, end) = whole(scan, at, is_tuple);
    let shown = scan.judged(&(start..end));
    if names_nothing(shown.trim_ascii()) || says_state(shown.trim_ascii()) {
        return None;
    }
    let found = |at: Range<usize>, kind| Some(Found { at, kind, by: By::Place });
    if kind == COOKIE {
        // A sentence has spaces before its first equals sign.
        let name = shown.split('=').next().unwrap_or_default();
        let is_cookie = shown.contains('=') && !name.trim_ascii().contains(' ');
        return if is_cookie { found(start..end, kind) } else { None };
    }
    let scheme = shown.split([' ', ',']).next().unwrap_or_default();
    let known = SCHEMES.iter().find(|(name, ..)| scheme.eq_ignore_ascii_case(name));
    let behind = start + scheme.len();
    let rest = behind + scan.spaces(behind, 8);
    let first = scan.judged(&(rest..end)).split([' ', ',']).next().unwrap_or_default();
    match known {
        Some((_, Shape::Word, kind)) if rest > behind && rest < end => {
            let word = rest..rest + first.len();
            let word = if word.len() >= NEAR { rest..scan.run(rest, &BEARER).min(end).max(word.end) } else { word };
            let is_secret = !names_nothing(first) && !says_state(first) && !first.contains("=\"") && !is_header_prose(first);
            if is_secret { found(word, kind) } else { None }
        }
        Some((_, Shape::Parameters, kind)) if rest > behind && rest < end && scan.judged(&(rest..end)).contains('=') => {
            found(rest..end, kind)
        }
        Some(_) => None,
        None => {
            let more = scan.judged(&(rest..end));
            // A word that nobody writes in a sentence, after the name of a scheme that is not known.
            let is_own_scheme = rest > behind
                && !more.trim_ascii_end().contains(' ')
                && more.len() >= 6
                && is_random(more)
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !more.contains('=');
            // Without a scheme the value itself is the token, and anything may follow.
            let is_token = scheme.len() >= 12 && is_random(scheme);
            let is_alone = scheme.len() >= 8 && rest >= end && is_random(scheme);
            let is_secret = is_own_scheme || is_token || is_alone;
            if is_secret && !reads_as_message(shown) {
                found(if is_own_scheme { rest..end } else { start..end }, CREDENTIALS)
            } else {
                None
            }
        }
    }
}

/// Whether a word after the name of a scheme belongs to a sentence about it.
fn is_header_prose(word: &str) -> bool {
    const PROSE: &[&str] = &[
        "authentication",
        "auth",
        "authorization",
        "realm",
        "scheme",
        "token",
        "tokens",
        "credentials",
        "is",
        "header",
        "or",
        "and",
        "not",
        "error",
        "only",
    ];
    PROSE.iter().any(|prose| word.eq_ignore_ascii_case(prose))
}

/// The range of a header's value: between quotes, between brackets, or the rest of the line.
fn whole(scan: &Scan<'_>, at: usize, is_tuple: bool) -> (usize, usize) {
    let mut start = at;
    if scan.starts_with(start, "[]string{") {
        start += "[]string{".len();
    }
    let is_list = scan.byte(start) == Some(b'[');
    start += usize::from(is_list);
    let quote = scan.byte(start).filter(|byte| matches!(byte, b'"' | b'\''));
    start += usize::from(quote.is_some());
    let end = match quote {
        Some(b'"') => scan.run(start, &IN_DOUBLE),
        Some(_) => scan.run(start, &IN_SINGLE),
        None if is_list => scan.run(start, &LIST),
        // The whole header may be quoted: `-H 'Cookie: a=b'`. Its parameters may have quotes, too.
        None => {
            let line = scan.run(start, &LINE);
            let single = scan.run(start, &IN_SINGLE).min(line);
            if scan.byte(single) == Some(b'\'') {
                single
            } else if is_within_double(scan, at, start, line) {
                scan.run(start, &IN_DOUBLE).min(line)
            } else {
                line
            }
        }
    };
    let end = end.min(start + LONGEST);
    let end = if is_tuple { end } else { end - usize::from(scan.byte_before(end) == Some(b'\r') && end > start) };
    (start, end.max(start))
}

/// Whether a header begins its line in double quotes and ends with them: `"Authorization: Bearer …"`.
fn is_within_double(scan: &Scan<'_>, at: usize, start: usize, line: usize) -> bool {
    let end = scan.run(start, &IN_DOUBLE);
    let opened = scan.before(at, 40).iter().rev().take_while(|&&byte| byte != b'\n').any(|&byte| byte == b'"');
    end < line && (opened || scan.byte(end.saturating_sub(1)) != Some(b'='))
}

/// The token after `Bearer ` (RFC 6750, section 2.1), in a URL, too. In prose a word follows, which has no digits.
pub(super) fn bearer(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let start = at + "bearer".len();
    let start = start + if scan.starts_with(start, "%20") { "%20".len() } else { scan.spaces(start, 4) };
    let end = scan.run(start, &BEARER);
    let token = scan.judged(&(start..end));
    let is_token =
        token.len() >= 16 && (is_random(token) || token.len() >= 24 && token.bytes().any(|byte| byte.is_ascii_uppercase()));
    (is_token && scan.begins_word(at, &WORD)).then_some(Found { at: start..end, kind: "bearer token", by: By::Place })
}

/// The credentials after `Basic ` (RFC 7617, section 2): user, colon and password in base64.
pub(super) fn basic(scan: &Scan<'_>, at: usize) -> Option<Found> {
    let start = at + "basic".len();
    let start = start + scan.spaces(start, 4);
    let end = scan.run(start, &BASE64);
    let is_credentials =
        (8..=USER_MAX).contains(&(end - start)) && is_basic(scan.ahead(start, end - start)) && scan.begins_word(at, &WORD);
    is_credentials.then_some(Found { at: start..end, kind: "basic credentials", by: By::Place })
}
