//! Secrets that are known by the place that they stand in: the password of a URL, what follows `Authorization`, the value of a name
//! such as `password`.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr2_iter;

use super::alphabet::{BASE64, BEARER, NAME, QUERY, WORD, begins_word};
use super::names::named;
use super::{By, Found};

/// Bytes of a name, of the user and the password of a URL.
const NAME_MAX: usize = 128;
const USER_MAX: usize = 1024;

/// Adds the secrets that an equals sign or a colon announces.
pub(super) fn find(text: &str, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for at in memchr2_iter(b'=', b':', bytes) {
        if at < done {
            continue;
        }
        let secret = if bytes[at + 1..].starts_with(b"//") { url(bytes, at) } else { value(text, at) };
        if let Some(secret) = secret {
            done = secret.at.end;
            found.push(secret);
        }
    }
}

/// The password in the authority of a URL (RFC 3986, section 3.2.1): databases are configured with such URLs, for example
/// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS.
fn url(bytes: &[u8], colon: usize) -> Option<Found> {
    let start = colon + "://".len();
    let rest = &bytes[start..bytes.len().min(start + USER_MAX)];
    let ends = |byte: u8| {
        byte.is_ascii_whitespace()
            || byte.is_ascii_control()
            || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`')
    };
    let authority = &rest[..rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len())];
    // The last one, because people forget to escape an @ in a password.
    let user_info = &authority[..authority.iter().rposition(|&byte| byte == b'@')?];
    let password = user_info.iter().position(|&byte| byte == b':')? + 1;
    let at = start + password..start + user_info.len();
    let shown = std::str::from_utf8(&bytes[at.clone()]).ok()?;
    (!super::names_nothing(shown)).then_some(Found { at, kind: "password in a URL", by: By::Place })
}

/// The value behind the separator at `at`, if the name before it says that it is secret.
fn value(text: &str, at: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let (name, quoted) = name_before(text, at)?;
    let named = match named(name) {
        // The signature of a shared access signature, which is all that a request needs:
        // https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas
        None if name == "sig" && bytes[at] == b'=' => {
            let length = QUERY.run(&bytes[at + 1..]);
            return (length >= 40).then(|| Found { at: at + 1..at + 1 + length, kind: "Azure signature", by: By::Place });
        }
        None => return None,
        Some(named) => named,
    };
    let is_colon = bytes[at] == b':';
    if !is_colon && bytes.get(at + 1) == Some(&b'=') {
        return None;
    }
    let space = bytes[at + 1..].iter().take_while(|&&byte| byte == b' ').count();
    if space > 1 {
        return None;
    }
    let start = at + 1 + space;
    let (range, in_quotes) = extent(bytes, start, is_colon)?;
    let shown = text.get(range.clone())?;
    // A colon also follows a word of a sentence. What follows that is prose, not a secret.
    let is_prose = match (is_colon, quoted, in_quotes) {
        (false, _, _) => space > 0 && !in_quotes && !is_random(shown),
        (true, true, true) => false,
        (true, true, false) => return None,
        (true, false, true) => shown.contains(' '),
        (true, false, false) => !is_random(shown),
    };
    (!is_prose && named.hides(shown)).then_some(Found { at: range, kind: named.kind, by: By::Place })
}

/// The name before a separator, and whether it stands in quotes.
fn name_before(text: &str, separator: usize) -> Option<(&str, bool)> {
    let bytes = &text.as_bytes()[..separator];
    let mut end = separator;
    if end > 0 && bytes[end - 1] == b' ' {
        end -= 1;
    }
    let name_end = bytes[..end].iter().rposition(|byte| !matches!(byte, b'"' | b'\'' | b'\\'))? + 1;
    let quoted = name_end < end;
    // Nearly every name is none of ours, and its last letters show it.
    if !matches!(
        bytes[name_end.checked_sub(3)?..name_end].to_ascii_lowercase().as_slice(),
        b"ord" | b"swd" | b"pwd" | b"ase" | b"ken" | b"ret" | b"key" | b"ial" | b"als" | b"sig" | b"ure"
    ) {
        return None;
    }
    let length = NAME.run_back(&bytes[name_end.saturating_sub(NAME_MAX)..name_end]);
    Some((text.get(name_end - length..name_end)?, quoted))
}

/// Where a value is that begins at `start`, and whether it stands in quotes.
fn extent(bytes: &[u8], start: usize, is_colon: bool) -> Option<(Range<usize>, bool)> {
    let rest = &bytes[start..];
    let escapes = rest.iter().take_while(|&&byte| byte == b'\\').count();
    let quote = rest.get(escapes).copied().filter(|quote| matches!(quote, b'"' | b'\''));
    if let Some(quote) = quote {
        let value = &rest[escapes + 1..];
        let length = end_of_quoted(value, quote, escapes);
        return Some((start + escapes + 1..start + escapes + 1 + length, true));
    }
    let ends = |byte: u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'&' | b',' | b';' | b'"' | b'\'' | b'<' | b'>' | b')' | b']' | b'}' | b'|' | b'`' | b'\\')
            || (is_colon && byte == b':')
    };
    let length = rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len());
    Some((start..start + length, false))
}

/// How long a value is that ends with a quote behind so many backslashes; one without an end goes to the end of its line.
fn end_of_quoted(value: &[u8], quote: u8, escapes: usize) -> usize {
    let mut backslashes = 0;
    for (at, &byte) in value.iter().enumerate() {
        match byte {
            b'\\' => backslashes += 1,
            b'\n' => return at,
            // A quote that is a part of the value has more backslashes before it than the one that opened the value.
            byte if byte == quote && backslashes <= escapes => return at - backslashes,
            _ => backslashes = 0,
        }
    }
    value.len()
}

/// Whether a word looks as if nobody had thought of it.
fn is_random(word: &str) -> bool {
    word.len() >= 6 && word.bytes().any(|byte| byte.is_ascii_digit()) && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Whether the header `Authorization` is named shortly before `at`.
fn follows_authorization(bytes: &[u8], at: usize) -> bool {
    const NEAR: usize = 32;
    let before = &bytes[at.saturating_sub(NEAR)..at];
    before.windows("authorization".len()).any(|window| window.eq_ignore_ascii_case(b"authorization"))
}

/// The token behind `Bearer ` (RFC 6750, section 2.1). In prose a word follows, and a word has no digits.
pub(super) fn bearer(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + "bearer ".len();
    let length = BEARER.run(&bytes[start..]);
    let token = std::str::from_utf8(&bytes[start..start + length]).ok()?;
    let least = if length < 16 && follows_authorization(bytes, at) { 8 } else { 16 };
    let is_token = is_random(token) || length >= 24 && token.bytes().any(|byte| byte.is_ascii_uppercase());
    (length >= least && is_token && begins_word(bytes, at, &WORD)).then_some(start..start + length)
}

/// The credentials behind `Basic ` (RFC 7617, section 2): user and password with a colon between them, in base64.
pub(super) fn basic(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + "basic ".len();
    let length = BASE64.run(&bytes[start..bytes.len().min(start + USER_MAX)]);
    let decoded = STANDARD.decode(&bytes[start..start + length]).ok()?;
    let is_credentials = decoded.contains(&b':') && !decoded.iter().any(u8::is_ascii_control);
    (length > 0 && is_credentials && begins_word(bytes, at, &WORD)).then_some(start..start + length)
}
