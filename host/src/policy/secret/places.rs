//! Secrets that are known by the place that they stand in: the password of a URL, what follows `Authorization`, the value of a name
//! such as `password`.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::{memchr, memchr2_iter, memmem};

use super::alphabet::{BASE64, BEARER, NAME, QUERY, WORD, begins_word};
use super::names::{COOKIE, Value, is_random, named, named_header, names_nothing};
use super::{By, Found, LONGEST};

/// Bytes of a name, of the user and the password of a URL.
const NAME_MAX: usize = 128;
const USER_MAX: usize = 1024;

/// Bytes of a reference to another variable, and of a header that is looked at to see what it is.
const NEAR: usize = 256;

/// How quotes are written inside of strings and URLs.
const QUOTES: [&[u8]; 3] = [b"\\x22", b"\\u0022", b"%22"];

/// Base64 whose padding may be left out.
static BASE64_ANY: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Adds the secrets that an equals sign, a colon or a flag announces.
pub(super) fn find(text: &str, found: &mut Vec<Found>) {
    let bytes = text.as_bytes();
    let mut values = Values { text, bytes, unquoted: [0..0, 0..0] };
    let mut done = 0;
    // Where the next @ is. Most URLs have none, and need not be walked to see it.
    let mut next_at = 0;
    for at in memchr2_iter(b'=', b':', bytes) {
        if at < done {
            continue;
        }
        let slashes = [&b"//"[..], b"\\/\\/"].into_iter().find(|slashes| bytes[at + 1..].starts_with(slashes));
        let secret = match slashes {
            Some(slashes) if bytes[at] == b':' => {
                let start = at + 1 + slashes.len();
                if next_at < start {
                    next_at = memchr(b'@', &bytes[start..]).map_or(usize::MAX, |found| start + found);
                }
                if next_at - start < USER_MAX { url(bytes, start, slashes.len() > 2) } else { None }
            }
            _ => values.value(&Separator { at, end: at + 1, is_colon: bytes[at] == b':' }),
        };
        if let Some(secret) = secret {
            done = secret.at.end;
            found.push(secret);
        }
    }
    // An equals sign inside of a query string and of a string in JSON.
    for escape in [&b"%3D"[..], b"%3d", b"\\u003d", b"\\u003D"] {
        let hits = memmem::find_iter(bytes, escape);
        found.extend(hits.filter_map(|at| values.value(&Separator { at, end: at + escape.len(), is_colon: false })));
    }
    found.extend(memmem::find_iter(bytes, b"--").filter_map(|at| values.flag(at)));
}

/// Bytes in which an `@` is looked for behind what should have ended the authority: it is looked for at each `://`.
const FORGOTTEN: usize = 128;

/// The password in the authority of a URL (RFC 3986, section 3.2.1): databases are configured with such URLs, for example
/// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS. The authority begins at `start`.
fn url(bytes: &[u8], start: usize, is_escaped: bool) -> Option<Found> {
    let rest = &bytes[start..bytes.len().min(start + USER_MAX)];
    let ends_url =
        |byte: u8| byte.is_ascii_whitespace() || byte.is_ascii_control() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`');
    let ends = |byte: u8| ends_url(byte) || matches!(byte, b'/' | b'?' | b'#') || (is_escaped && byte == b'\\');
    let authority = &rest[..rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len())];
    let colon = authority.iter().position(|&byte| byte == b':')?;
    // The last one, because people forget to escape an @ in a password.
    let end = match authority.iter().rposition(|&byte| byte == b'@') {
        Some(end) => end,
        // People forget to escape what ends an authority, too. Then no port follows the colon, but a password.
        None => {
            let port = &authority[colon + 1..];
            if port.iter().all(u8::is_ascii_digit) || authority.starts_with(b"[") {
                return None;
            }
            let near = &rest[..rest.len().min(FORGOTTEN)];
            near[..near.iter().position(|&byte| ends_url(byte)).unwrap_or(near.len())].iter().rposition(|&byte| byte == b'@')?
        }
    };
    let password = rest.get(colon + 1..end)?;
    let user = &rest[..colon];
    // `registry.example.com:5000@…` has a port, `docker://sha256:…@…` a digest.
    let is_port = password.len() <= 5 && password.iter().all(u8::is_ascii_digit) && user.contains(&b'.');
    if is_port || user.starts_with(b"sha256") || user.starts_with(b"sha512") {
        return None;
    }
    let at = start + colon + 1..start + end;
    let shown = std::str::from_utf8(&bytes[at.clone()]).ok()?;
    (!names_nothing(shown)).then_some(Found { at, kind: "password in a URL", by: By::Place })
}

/// What stands between a name and its value.
struct Separator {
    at: usize,
    end: usize,
    is_colon: bool,
}

/// A name before a separator.
struct Name<'t> {
    end: usize,
    name: &'t str,
    /// The same without the last letter of an escape sequence, which may have been taken for its first: `\npassword`.
    bare: &'t str,
    is_quoted: bool,
}

/// The values of names in a text.
struct Values<'t> {
    text: &'t str,
    bytes: &'t [u8],
    /// The values without quotes that were looked for last, behind an equals sign and behind a colon. What begins inside of one ends
    /// where it ends, and is not walked again.
    unquoted: [Range<usize>; 2],
}

impl Values<'_> {
    /// The value behind a separator, if the name before it says that it is secret.
    fn value(&mut self, separator: &Separator) -> Option<Found> {
        let bytes = self.bytes;
        let &Separator { at, end, is_colon } = separator;
        let before = name_before(self.text, at)?;
        let quoted = before.is_quoted;
        if let Some(header) = named_header(before.bare) {
            return self.header(header.kind, end);
        }
        let (name, named) = match named(before.bare) {
            Some(named) => (before.bare, named),
            // The signature of a shared access signature, which is all that a request needs:
            // https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas
            None if before.bare == "sig" && !is_colon => {
                let length = QUERY.run(&bytes[end..]);
                return (length >= 40).then(|| Found { at: end..end + length, kind: "Azure signature", by: By::Place });
            }
            None => (before.name, named(before.name)?),
        };
        if !is_colon && bytes.get(end) == Some(&b'=') {
            return None;
        }
        let name_at = before.end - name.len();
        let starts_line = !quoted && self.starts_line(name_at);
        let space = bytes[end..].iter().take_while(|&&byte| byte == b' ').count();
        if space > 1 && !starts_line {
            return None;
        }
        let start = end + space;
        if is_reference(&bytes[start..]) || (is_colon && self.is_unexpected(name_at)) {
            return None;
        }
        let (mut range, in_quotes) = self.extent(start, is_colon);
        // Tests that have passed are named and counted.
        let counts = self.text.get(range.clone())?.bytes().all(|byte| byte.is_ascii_digit());
        let is_count = counts && name.eq_ignore_ascii_case("pass");
        // A list of keys.
        let is_list = named.value == Value::Secret && (name.ends_with("keys") || name.ends_with("KEYS")) && !in_quotes;
        while is_list && bytes.get(range.end) == Some(&b',') {
            range.end = self.extent(range.end + 1, is_colon).0.end;
        }
        let shown = self.text.get(range.clone())?;
        // A colon also follows a word of a sentence. What follows that is prose, not a secret, unless it is a setting.
        let is_setting = || {
            let names_variable = name.contains('_') || !name.bytes().any(|byte| byte.is_ascii_lowercase());
            let is_alone = self.ends_line(range.end) && starts_line;
            let is_last = self.ends_line(range.end) || matches!(bytes.get(range.end), Some(b',' | b';' | b'}' | b'&'));
            shown.len() > 1 && !says_why(shown) && (is_alone || names_variable && is_last)
        };
        let is_prose = match (is_colon, quoted, in_quotes) {
            (false, _, _) => space > 0 && !in_quotes && !is_random(shown) && !is_setting(),
            (true, true, true) => false,
            (true, true, false) => return None,
            (true, false, true) => shown.contains(' ') && !starts_line,
            (true, false, false) => !is_random(shown) && !is_setting(),
        };
        let is_test = name == "PASS" && is_colon;
        (!is_prose && !is_count && !is_test && named.hides(shown)).then_some(Found { at: range, kind: named.kind, by: By::Place })
    }

    /// What follows the name of a header that is secret as a whole, but for the scheme of its credentials.
    fn header(&mut self, kind: &'static str, end: usize) -> Option<Found> {
        /// The schemes after which one word follows.
        const SCHEMES: [(&str, &str); 6] = [
            ("bearer", "bearer token"),
            ("basic", "basic credentials"),
            ("token", "credentials"),
            ("apikey", "credentials"),
            ("api-key", "credentials"),
            ("negotiate", "credentials"),
        ];
        /// The schemes after which parameters follow.
        const PARAMETERS: [&str; 5] = ["digest", "aws4-hmac-sha256", "oauth", "hawk", "signature"];
        let bytes = self.bytes;
        let skip =
            |at: usize, is: fn(u8) -> bool, most: usize| at + bytes[at..].iter().take(most).take_while(|&&byte| is(byte)).count();
        // In the JSON and the notation of Go, headers have lists of values.
        let mut start = skip(end, |byte| byte == b' ', 4);
        start = skip(start, |byte| byte == b'[', 1);
        start = skip(start, |byte| matches!(byte, b'"' | b'\'' | b'\\'), 4);
        let ends = |byte: u8| matches!(byte, b'\n' | b'\r' | b'"' | b'\'' | b'`' | b'\\' | b']');
        let rest = self.within(start, LONGEST).as_bytes();
        let near = self.within(start, NEAR);
        let near = &near[..near.bytes().position(ends).unwrap_or(near.len())];
        if near.starts_with("[masked:") || names_nothing(near) || is_reference(rest) {
            return None;
        }
        let whole = || start + rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len());
        if kind == COOKIE {
            return near.contains('=').then(|| Found { at: start..whole(), kind, by: By::Place });
        }
        let scheme = near.split(' ').next().unwrap_or_default();
        if let Some((_, kind)) = SCHEMES.iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name)) {
            let start = skip(start + scheme.len(), |byte| byte == b' ', 4);
            let word = |byte: u8| ends(byte) || byte.is_ascii_whitespace() || byte == b',';
            let rest = self.within(start, LONGEST);
            let shown = &rest[..rest.bytes().position(word).unwrap_or(rest.len())];
            let is_alone = rest.as_bytes().get(shown.len()).is_none_or(|&byte| ends(byte));
            let is_secret = is_random(shown) || (is_alone && shown.len() >= 6 && !says_why(shown));
            let is_shown = is_reference(rest.as_bytes()) || names_nothing(shown) || shown.starts_with('<');
            return (is_secret && !is_shown).then(|| Found { at: start..start + shown.len(), kind, by: By::Place });
        }
        // Parameters, or one word that nobody would write in a sentence.
        let is_word = !near.contains(' ') && near.len() >= 6 && is_random(near);
        let names_parameters = scheme.contains('=') || PARAMETERS.iter().any(|name| scheme.eq_ignore_ascii_case(name));
        let has_parameters = names_parameters && near.split([' ', ',']).any(|word| word.contains('=') && is_random(word));
        // Without a scheme, what follows is the token itself, and anything may follow that.
        let is_token = scheme.len() >= 12 && is_random(scheme);
        (is_word || is_token || has_parameters).then(|| Found { at: start..whole(), kind, by: By::Place })
    }

    /// The text from a place on, and no more than so many bytes of it.
    fn within(&self, start: usize, most: usize) -> &str {
        &self.text[start..self.text.floor_char_boundary(start + most)]
    }

    /// What follows a flag, where both stand in one string: `--password sesame`.
    fn flag(&mut self, at: usize) -> Option<Found> {
        /// What follows the name of a flag where it is written about.
        const PROSE: &[&str] = &[
            "a",
            "and",
            "as",
            "argument",
            "can",
            "cannot",
            "file",
            "flag",
            "flags",
            "for",
            "from",
            "has",
            "if",
            "in",
            "instead",
            "int",
            "is",
            "may",
            "must",
            "not",
            "on",
            "option",
            "or",
            "parameter",
            "requires",
            "should",
            "string",
            "stringArray",
            "strings",
            "the",
            "to",
            "value",
            "was",
            "when",
            "will",
            "with",
        ];
        let bytes = self.bytes;
        let start = at + "--".len();
        let is_flag =
            bytes[..at].last().is_none_or(|&byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'(' | b'`'));
        if !is_flag || !bytes.get(start).is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        let length = NAME.run(&bytes[start..bytes.len().min(start + NAME_MAX)]);
        // In a list, both are in quotes: `"--password", "sesame"`.
        let space =
            bytes[start + length..].iter().take(4).take_while(|&&byte| matches!(byte, b' ' | b'"' | b'\'' | b',')).count();
        let between = &bytes[start + length..start + length + space];
        let is_list = [&b"\",\""[..], b"\", \"", b"','", b"', '"].contains(&between);
        let is_flag = is_list || between.first() == Some(&b' ');
        // A quote of the value is a part of the value.
        let space = if is_list { space - 1 } else { between.iter().take_while(|&&byte| byte == b' ').count() };
        let named = Some(self.text.get(start..start + length)?).filter(|_| is_flag).and_then(named)?;
        let start = start + length + space;
        let begins_flag = bytes.get(start + usize::from(is_list)) == Some(&b'-');
        if begins_flag || is_reference(&bytes[start..]) {
            return None;
        }
        let (range, _) = self.extent(start, false);
        let shown = self.text.get(range.clone())?;
        let is_prose = PROSE.contains(&shown) || says_why(shown);
        (!is_prose && named.hides(shown)).then_some(Found { at: range, kind: named.kind, by: By::Place })
    }

    /// Whether nothing but white space and what announces a setting stands between the beginning of a line and a name.
    fn starts_line(&self, start: usize) -> bool {
        let without_space =
            |text: &'_ [u8]| text.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
        let before = &self.bytes[start.saturating_sub(NAME_MAX)..start];
        let before = &before[..without_space(before)];
        let before = [&b"-"[..], b"export", b"set"].into_iter().find_map(|word| before.strip_suffix(word)).unwrap_or(before);
        match &before[..without_space(before)] {
            // A quote begins a string of JSON, whose contents are looked at by themselves, too, and have to look the same there.
            [.., b'\n' | b'\r' | b'"'] | [.., b'\\', b'n' | b'r'] => true,
            rest => rest.is_empty() && start <= NAME_MAX,
        }
    }

    /// Whether nothing follows on a line.
    fn ends_line(&self, at: usize) -> bool {
        let rest = &self.bytes[at..];
        let space = rest.iter().take(NEAR).take_while(|&&byte| byte == b' ').count();
        let rest = &rest[space..];
        let is_comment = space > 0 && rest.starts_with(b"# ");
        rest.is_empty() || is_comment || [&b"\n"[..], b"\r", b"\\n", b"\\r", b"\""].iter().any(|end| rest.starts_with(end))
    }

    /// Whether a parser complains of what follows.
    fn is_unexpected(&self, start: usize) -> bool {
        const WORD: &[u8] = b"unexpected ";
        start.checked_sub(WORD.len()).is_some_and(|at| self.bytes[at..start].eq_ignore_ascii_case(WORD))
    }

    /// Where a value is that begins at `start`, and whether it stands in quotes.
    fn extent(&mut self, start: usize, is_colon: bool) -> (Range<usize>, bool) {
        let rest = &self.bytes[start..];
        if let Some(quote) = QUOTES.into_iter().find(|quote| rest.starts_with(quote)) {
            let value = self.within(start + quote.len(), LONGEST / 4).as_bytes();
            let line = memchr(b'\n', value).unwrap_or(value.len());
            let length = memmem::find(&value[..line], quote).unwrap_or(line);
            return (start + quote.len()..start + quote.len() + length, true);
        }
        let escapes = rest.iter().take_while(|&&byte| byte == b'\\').count();
        let quote = rest.get(escapes).copied().filter(|quote| matches!(quote, b'"' | b'\''));
        if let Some(quote) = quote {
            let value = &rest[escapes + 1..];
            let length = end_of_quoted(value, quote, escapes);
            return (start + escapes + 1..start + escapes + 1 + length, true);
        }
        let known = &mut self.unquoted[usize::from(is_colon)];
        if !known.contains(&start) {
            let ends = |byte: u8| {
                byte.is_ascii_whitespace()
                    || matches!(byte, b'&' | b',' | b';' | b'"' | b'\'' | b'<' | b'>' | b')' | b']' | b'}' | b'|' | b'`' | b'\\')
                    || (is_colon && byte == b':')
            };
            let length = rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len());
            *known = start..start + length;
        }
        (start..known.end.max(start), false)
    }
}

/// Whether a value is what a variable holds that is filled in later, or a mask.
fn is_reference(value: &[u8]) -> bool {
    let near = &value[..value.len().min(NEAR)];
    let closes = |open: &[u8], close: &[u8], is_name: fn(u8) -> bool| {
        let inside = near.strip_prefix(open)?;
        let inside = &inside[..memmem::find(inside, close)?];
        Some(inside.iter().all(|&byte| is_name(byte)))
    };
    near.starts_with(b"[masked:")
        || closes(b"$(", b")", |byte| byte != b'\n' && byte != b'"') == Some(true)
        || closes(b"${", b"}", |byte| WORD.has(byte)) == Some(true)
        || closes(b"{{", b"}}", |byte| byte != b'\n') == Some(true)
}

/// Whether a word says what is wrong with a secret and is none.
fn says_why(word: &str) -> bool {
    const WHY: [&str; 8] = ["required", "missing", "invalid", "expired", "empty", "incorrect", "wrong", "rejected"];
    let word = word.trim_end_matches(['.', '!', '?', ',']);
    WHY.iter().any(|why| word.eq_ignore_ascii_case(why))
}

/// The name before a separator.
fn name_before(text: &str, separator: usize) -> Option<Name<'_>> {
    let bytes = &text.as_bytes()[..separator];
    let mut end = separator;
    if end > 0 && bytes[end - 1] == b' ' {
        end -= 1;
    }
    let mut name_end = bytes[..end].iter().rposition(|byte| !matches!(byte, b'"' | b'\'' | b'\\'))? + 1;
    if let Some(quote) = QUOTES.into_iter().find(|quote| bytes[..name_end].ends_with(quote)) {
        name_end -= quote.len();
    }
    // Nearly every name is none of ours, and its last letters show it. Some are numbered.
    let digits = bytes[..name_end].iter().rev().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let mut letters = name_end - digits;
    if digits > 0 && letters > 0 && matches!(bytes[letters - 1], b'_' | b'-') {
        letters -= 1;
    }
    let last: [u8; 3] = bytes[letters.checked_sub(3)?..letters].try_into().ok()?;
    if !matches!(
        &last.map(|byte| byte.to_ascii_lowercase()),
        b"ord"
            | b"swd"
            | b"pwd"
            | b"ase"
            | b"ass"
            | b"ken"
            | b"ret"
            | b"key"
            | b"psk"
            | b"uth"
            | b"ial"
            | b"als"
            | b"sig"
            | b"ure"
            | b"rds"
            | b"ens"
            | b"ets"
            | b"eys"
            | b"der"
            | b"ion"
            | b"kie"
    ) {
        return None;
    }
    let length = NAME.run_back(&bytes[name_end.saturating_sub(NAME_MAX)..name_end]);
    let name = text.get(name_end - length..name_end)?;
    let before = &bytes[..name_end - length];
    let is_hex = |digits: Option<&[u8]>| digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    let escape = match (before.last(), name.as_bytes()) {
        (Some(b'\\'), [b'u', rest @ ..]) if is_hex(rest.get(..4)) => 5,
        (Some(b'\\'), [b'x', rest @ ..]) if is_hex(rest.get(..2)) => 3,
        (Some(b'\\'), [b'n' | b'r' | b't' | b'b' | b'f' | b'v', ..]) => 1,
        (Some(b'%'), rest) if is_hex(rest.get(..2)) => 2,
        _ => 0,
    };
    Some(Name { end: name_end, name, bare: &name[escape..], is_quoted: name_end < end })
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

/// Whether the header `Authorization` is named shortly before `at`.
fn follows_authorization(bytes: &[u8], at: usize) -> bool {
    const NEAR: usize = 32;
    let before = &bytes[at.saturating_sub(NEAR)..at];
    before.windows("authorization".len()).any(|window| window.eq_ignore_ascii_case(b"authorization"))
}

/// Where the word begins that follows the name of a scheme.
fn behind_scheme(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take(4).take_while(|&&byte| byte == b' ').count()
}

/// The token behind `Bearer ` (RFC 6750, section 2.1). In prose a word follows, and a word has no digits.
pub(super) fn bearer(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = behind_scheme(bytes, at + "bearer ".len());
    let length = BEARER.run(&bytes[start..]);
    let token = std::str::from_utf8(&bytes[start..start + length]).ok()?;
    let least = if length < 16 && follows_authorization(bytes, at) { 8 } else { 16 };
    let is_token = is_random(token) || length >= 24 && token.bytes().any(|byte| byte.is_ascii_uppercase());
    (length >= least && is_token && begins_word(bytes, at, &WORD)).then_some(start..start + length)
}

/// The credentials behind `Basic ` (RFC 7617, section 2): user and password with a colon between them, in base64.
pub(super) fn basic(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = behind_scheme(bytes, at + "basic ".len());
    let length = BASE64.run(&bytes[start..bytes.len().min(start + USER_MAX)]);
    (is_basic(&bytes[start..start + length]) && begins_word(bytes, at, &WORD)).then_some(start..start + length)
}

/// A PEM file in base64, as it stands in Secrets and in a kubeconfig, if there is a private key in it:
/// https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets. Certificates look the same from outside.
pub(super) fn pem(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    /// What has the label of every key in it, if a key is what the file begins with: `-----BEGIN ENCRYPTED PRIVATE KEY`.
    const LABEL: usize = 48;
    /// `PRIVATE KEY` in base64, less its ends, as it comes out behind a multiple of three bytes, one more, and two more.
    const LABELS: [&[u8]; 3] = [b"UFJJVkFURSBLRV", b"BSSVZBVEUgS0VZ", b"QUklWQVRFIEtFW"];
    let length = BASE64.run(&bytes[at..bytes.len().min(at + LABEL)]);
    let begins_file = begins_word(bytes, at, &BASE64) || matches!(bytes[..at], [.., b'=']);
    let decoded = BASE64_ANY.decode(&bytes[at..at + length / 4 * 4]).ok()?;
    let is_key = memmem::find(&decoded, b"PRIVATE KEY").is_some();
    if !is_key && !begins_file {
        return None;
    }
    let length = BASE64.run(&bytes[at..]);
    let file = &bytes[at..at + length];
    (is_key || LABELS.iter().any(|label| memmem::find(file, label).is_some())).then_some(at..at + length)
}

/// Whether a text is a user and a password in base64, with or without its padding.
pub(super) fn is_basic(text: &[u8]) -> bool {
    if text.len() > USER_MAX {
        return false;
    }
    BASE64_ANY.decode(text).is_ok_and(|decoded| decoded.contains(&b':') && !decoded.iter().any(u8::is_ascii_control))
}

/// What follows a setting of Redis in its configuration: https://redis.io/docs/latest/operate/oss_and_stack/management/config/
pub(super) fn redis(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + bytes[at..].iter().position(|&byte| byte == b' ')? + 1;
    let quote = bytes.get(start).copied().filter(|byte| matches!(byte, b'"' | b'\''));
    let start = start + usize::from(quote.is_some());
    let rest = &bytes[start..bytes.len().min(start + USER_MAX)];
    let ends = |byte: u8| match quote {
        Some(quote) => byte == quote || byte == b'\n',
        None => byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'\\'),
    };
    let length = rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len());
    let value = std::str::from_utf8(&rest[..length]).ok()?;
    let starts_line = matches!(bytes[..at], [] | [.., b'\n' | b' ' | b'-' | b'"' | b'\'']);
    let is_secret = starts_line
        && length >= 4
        && !value.starts_with(['=', ':'])
        && !names_nothing(value)
        && !says_why(value)
        && !is_reference(rest);
    is_secret.then_some(start..start + length)
}
