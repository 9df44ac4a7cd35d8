//! Words of languages and protocols that precede a secret, and texts of known kinds: SQL, Redis, JSON Web Keys, base64.

use std::ops::Range;

use base64::Engine as _;

use super::alphabet::{ALPHANUMERIC, ARGUMENT, BASE64_BODY, BASE64URL, KEY_BODY, LINE};
use super::extent::{self, Style};
use super::names::{Named, named};
use super::scan::Scan;
use super::values::{BASE64_ANY, has_all_kinds, is_random, names_nothing, reads_as_message, says_state};
use super::{By, Found, urls};

/// Words that precede a secret.
pub(super) struct Phrase {
    pub(super) kind: &'static str,
    pub(super) words: &'static str,
    follows: Follows,
}

/// What follows the words.
#[derive(Clone, Copy)]
enum Follows {
    /// A value, quoted or not.
    Value,
    /// A quoted value.
    Quoted,
    /// The last of at most two words on the line: `AUTH user password`.
    LastOfTwo,
    /// Words on the line that begin with one of these: rules of Redis.
    Rules,
    /// A quoted number in base64url, with at least so many characters.
    Number(usize),
    /// The lines of a key.
    Key,
    /// The rest of a password file's line, after a port.
    PgPass,
}

const fn phrase(kind: &'static str, words: &'static str, follows: Follows) -> Phrase {
    Phrase { kind, words, follows }
}

use Follows::{Key, LastOfTwo, Number, PgPass, Quoted, Rules, Value};

pub(super) static PHRASES: &[Phrase] = &[
    // https://dev.mysql.com/doc/refman/8.4/en/create-user.html, and of Oracle and ClickHouse.
    phrase("password", "IDENTIFIED BY ", Value),
    phrase("password", "identified by ", Value),
    phrase("password", "Identified by ", Value),
    phrase("password", "_password BY ", Quoted),
    phrase("password", "_password by ", Quoted),
    phrase("password", "_password AS ", Quoted),
    phrase("password", "_password USING ", Quoted),
    phrase("password", "ENTIFIED WITH plaintext_password BY ", Quoted),
    // https://developer.hashicorp.com/vault/docs/commands/operator/init
    phrase("unseal key", "Unseal Key 1: ", Value),
    phrase("unseal key", "Unseal Key 2: ", Value),
    phrase("unseal key", "Unseal Key 3: ", Value),
    phrase("unseal key", "Unseal Key 4: ", Value),
    phrase("unseal key", "Unseal Key 5: ", Value),
    // https://www.elastic.co/docs/reference/elasticsearch/command-line-tools/setup-passwords
    phrase("password", "PASSWORD elastic = ", Value),
    phrase("password", "PASSWORD kibana = ", Value),
    phrase("password", "PASSWORD kibana_system = ", Value),
    phrase("password", "PASSWORD logstash_system = ", Value),
    phrase("password", "PASSWORD beats_system = ", Value),
    // RFC 2849: in base64.
    phrase("password", "userPassword:: ", Value),
    // https://www.postgresql.org/docs/current/pgcrypto.html
    phrase("password", "password = crypt('", Value),
    // https://redis.io/docs/latest/operate/oss_and_stack/management/config/ and /commands/auth/
    phrase("password", "requirepass ", Value),
    phrase("password", "masterauth ", Value),
    phrase("password", "AUTH ", LastOfTwo),
    phrase("password", "AUTH\" ", LastOfTwo),
    phrase("password", "auth\" ", LastOfTwo),
    phrase("password", "AUTH2 ", LastOfTwo),
    // https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
    phrase("password", "SETUSER ", Rules),
    phrase("password", "setuser ", Rules),
    phrase("password", " on >", Rules),
    phrase("password", " on #", Rules),
    phrase("password", " off >", Rules),
    // https://www.postgresql.org/docs/current/libpq-pgpass.html
    phrase("password", ":5432:", PgPass),
    phrase("password", ":5433:", PgPass),
    phrase("password", ":6432:", PgPass),
    phrase("password", ":*:", PgPass),
    // RFC 7518, section 6: the private members of a JSON Web Key.
    phrase("private key", "\"d\":", Number(32)),
    phrase("private key", "\"p\":", Number(40)),
    phrase("private key", "\"q\":", Number(40)),
    phrase("private key", "\"dp\":", Number(40)),
    phrase("private key", "\"dq\":", Number(40)),
    phrase("private key", "\"qi\":", Number(40)),
    phrase("key", "\"k\":", Number(21)),
    // RFC 7468, in a string whose escapes are undone.
    phrase("private key", "PRIVATE KEY-----", Key),
    phrase("private key", "PRIVATE+KEY-----", Key),
    phrase("private key", "PRIVATE KEY BLOCK-----", Key),
];

impl Phrase {
    /// Adds the secrets after the words at `at`.
    pub(super) fn find(&self, scan: &Scan<'_>, at: usize, found: &mut Vec<Found>) {
        let start = at + self.words.len();
        let one = match self.follows {
            Value => self.value(scan, start),
            Quoted => self.value(scan, start).filter(|at| matches!(scan.byte_before(at.start), Some(b'"' | b'\''))),
            LastOfTwo => self.last_of_two(scan, start),
            Number(least) => self.number(scan, start, least),
            Key => key(scan, start),
            PgPass => urls::pgpass(scan, at, self.words.len()).map(|found| found.at),
            Rules => return self.rules(scan, at, found),
        };
        found.extend(one.map(|at| self.found(at)));
    }

    fn found(&self, at: Range<usize>) -> Found {
        Found { at, kind: self.kind, by: By::Place }
    }

    fn value(&self, scan: &Scan<'_>, start: usize) -> Option<Range<usize>> {
        let start = start + scan.spaces(start, 8);
        let value = extent::value(scan, start);
        let shown = scan.judged(&value.at);
        let begins = matches!(
            scan.byte_before(start.saturating_sub(self.words.len())),
            None | Some(b'\n' | b' ' | b'-' | b'"' | b'\'' | b'@')
        );
        let is_statement = self.words.contains(' ') && !self.words.starts_with(['r', 'm']);
        let is_secret = shown.len() >= 3
            && !shown.starts_with(['=', ':'])
            && !names_nothing(shown)
            && !says_state(shown)
            && (value.style != Style::Quoted || !reads_as_message(shown));
        ((is_statement || begins) && is_secret && !PROSE.contains(&shown)).then_some(value.at)
    }

    /// `AUTH default password`, with or without quotes.
    fn last_of_two(&self, scan: &Scan<'_>, start: usize) -> Option<Range<usize>> {
        let is_reply = self.words == "AUTH "
            && scan
                .byte_before(start - self.words.len())
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'(' | b'_' | b'-' | b'O'));
        let first = word(scan, start)?;
        let next = first.end + usize::from(matches!(scan.byte(first.end), Some(b'"' | b'\'')));
        let second = word(scan, next).filter(|_| scan.byte(next) == Some(b' '));
        let last = second.unwrap_or(first);
        let after = last.end + usize::from(matches!(scan.byte(last.end), Some(b'"' | b'\'')));
        // `HELLO 3 AUTH user password SETNAME client`
        let ends = matches!(scan.byte(after), None | Some(b'\n' | b'\r' | b'"' | b'\'')) || scan.starts_with(after, " SETNAME ");
        let shown = scan.judged(&last);
        let is_secret = shown.len() >= 4
            && !names_nothing(shown)
            && !says_state(shown)
            && !shown.ends_with(':')
            && shown != "PLAIN"
            && shown != "LOGIN"
            && !PROSE.contains(&shown);
        (ends && is_secret && !is_reply).then_some(last)
    }

    /// `on >password #hash`
    fn rules(&self, scan: &Scan<'_>, at: usize, found: &mut Vec<Found>) {
        let window = scan.ahead(at, 256);
        let line = window.iter().position(|&byte| byte == b'\n').unwrap_or(window.len());
        let mut place = 0;
        for word in window[..line].split(|&byte| matches!(byte, b' ' | b'"' | b'\'')) {
            let is_password = matches!(word.first(), Some(b'>' | b'<')) && word.len() >= 3 && word[1] != b'=';
            let is_hash = word.first() == Some(&b'#') && word.len() == 65;
            if is_password || is_hash {
                found.push(self.found(at + place + 1..at + place + word.len()));
            }
            place += word.len() + 1;
        }
    }

    fn number(&self, scan: &Scan<'_>, start: usize, least: usize) -> Option<Range<usize>> {
        let start = start + scan.spaces(start, 4);
        let end = scan.run(start + 1, &BASE64URL);
        let is_key = scan.byte(start) == Some(b'"')
            && scan.byte(end) == Some(b'"')
            && end > start + least
            && has_all_kinds(scan.judged(&(start + 1..end)).as_bytes());
        is_key.then_some(start + 1..end)
    }
}

/// Words that follow in a sentence about it.
const PROSE: &[&str] = &[
    "the",
    "clause",
    "and",
    "for",
    "with",
    "password",
    "external",
    "externally",
    "global",
    "values",
    "is",
    "a",
    "failed",
    "command",
    "called",
    "without",
    "error",
    "method",
    "methods",
    "LDAP",
    "PLAIN",
];

/// Private members of a JSON Web Key, their least length, and what they are.
const MEMBERS: &[(&str, usize, &str)] = &[
    ("k", 21, "key"),
    ("d", 32, "private key"),
    ("p", 40, "private key"),
    ("q", 40, "private key"),
    ("dp", 40, "private key"),
    ("dq", 40, "private key"),
    ("qi", 40, "private key"),
];

/// What the member of this name in a JSON Web Key is, if it is private.
pub fn web_key_member(name: &str) -> Option<&'static str> {
    // The other primes of an RSA key are a list of objects.
    if name.eq_ignore_ascii_case("oth") {
        return Some("private key");
    }
    MEMBERS.iter().find(|(member, ..)| name.eq_ignore_ascii_case(member)).map(|&(.., kind)| kind)
}

/// Adds the private members of a JSON Web Key in the notations of Java, Python and YAML: `{kty=oct, k=…}`. In JSON they are
/// phrases.
pub(super) fn web_key(scan: &Scan<'_>, kty: &Range<usize>, found: &mut Vec<Found>) {
    /// Bytes of short members on either side, and between two long ones.
    const NEAR: usize = 320;
    /// Letters of a member that is a number of RSA, and pieces of such numbers on either side.
    const LONG: usize = 64;
    const LONG_MAX: usize = 16;
    let is_assigned = match scan.byte(kty.end) {
        Some(b'=' | b':' | b'\'') => true,
        Some(b' ') => scan.byte(kty.end + scan.spaces(kty.end, 8)) == Some(b'='),
        _ => false,
    };
    if !is_assigned {
        return;
    }
    let seen = scan.web_keys.get();
    let mut at = kty.start;
    for _ in 0..LONG_MAX {
        if at <= seen {
            break;
        }
        let near = scan.before(at, NEAR);
        at -= near.len();
        if near.is_empty() || !near.split(|&byte| !BASE64URL.has(byte)).any(|word| word.len() >= LONG) {
            break;
        }
    }
    at = at.max(seen);
    let (mut end, mut long) = (kty.end + NEAR, 0);
    while at < end.min(scan.len()) {
        let word = at..scan.run(at, &BASE64URL);
        if word.is_empty() {
            at += 1;
            continue;
        }
        at = word.end;
        if word.end >= word.start + LONG && word.end > kty.end && long < LONG_MAX {
            (end, long) = (end.max(word.end + NEAR), long + 1);
        }
        let begins = matches!(scan.byte_before(word.start), None | Some(b'{' | b'[' | b' ' | b',' | b'\'' | b'\n' | b':'));
        if word.len() > 2 || !begins {
            continue;
        }
        let name = scan.judged(&word);
        let Some((_, least, kind)) = MEMBERS.iter().find(|(member, ..)| *member == name) else { continue };
        let is_link = |byte: &&u8| matches!(byte, b'\'' | b'"' | b'=' | b':' | b' ' | b'>');
        let link = scan.ahead(word.end, 8).iter().take_while(is_link).count();
        let value = word.end + link;
        let value = value..scan.run(value, &BASE64URL);
        let is_key = link > 0 && value.len() >= *least && has_all_kinds(scan.judged(&value).as_bytes());
        found.extend(is_key.then_some(Found { at: value, kind, by: By::Place }));
    }
    scan.web_keys.set(at.max(seen));
}

/// Adds the values of secret columns: `INSERT INTO users (name, password) VALUES ('a', 'sesame'), …`. `word` is the one after the
/// names of the columns.
pub(super) fn inserted(scan: &Scan<'_>, word: &Range<usize>, found: &mut Vec<Found>) {
    /// Bytes of the column names, and how many columns and rows are looked at.
    const NAMES: usize = 512;
    const COLUMNS: usize = 64;
    const ROWS: usize = 4096;
    let before = scan.before(word.start, NAMES);
    let Some(close) = before.iter().rposition(|&byte| byte == b')') else { return };
    let Some(open) = before[..close].iter().rposition(|&byte| byte == b'(') else { return };
    // PostgreSQL and SQL Server allow a clause before the values.
    let clause = before[close + 1..].trim_ascii();
    let is_clause = |begin: &[u8]| clause.get(..begin.len()).is_some_and(|word| word.eq_ignore_ascii_case(begin));
    if !clause.is_empty() && !is_clause(b"OVERRIDING ") && !is_clause(b"OUTPUT ") {
        return;
    }
    let is_around = |c: char| c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '`' | '[' | ']' | '\\');
    let column = |name: &[u8]| std::str::from_utf8(name).ok().and_then(|name| named(name.trim_matches(is_around)));
    let columns: Vec<Option<Named>> = before[open + 1..close].split(|&byte| byte == b',').take(COLUMNS).map(column).collect();
    let Some(first) = columns.iter().flatten().next() else { return };
    let is_walked = scan.walk(word.end, |text| {
        let mut at = blank(text, 0);
        for _ in 0..ROWS {
            // `ROW('a', 'sesame')` of MySQL
            if text.get(at..at + 3).is_some_and(|word| word.eq_ignore_ascii_case(b"ROW")) {
                at += 3;
            }
            if text.get(at) != Some(&b'(') {
                break;
            }
            for named in columns.iter().copied().chain(std::iter::repeat(None)) {
                at = blank(text, at + 1);
                let value = expression(text, at);
                if let Some(named) = named
                    && let Some(secret) = literal(&text[value.clone()])
                {
                    let secret = word.end + value.start + secret.start..word.end + value.start + secret.end;
                    let hides = named.hides(scan.judged(&secret));
                    found.extend(hides.then_some(Found { at: secret, kind: named.kind, by: By::Place }));
                }
                at = blank(text, value.end);
                if text.get(at) != Some(&b',') {
                    break;
                }
            }
            // After a row and a comma comes the next one.
            if text.get(at) != Some(&b')') {
                break;
            }
            at = blank(text, at + 1);
            if text.get(at) != Some(&b',') {
                break;
            }
            at = blank(text, at + 1);
        }
        at.min(text.len())
    });
    // So many others without an end are around it that its rows are not looked at.
    if !is_walked {
        found.push(Found { at: word.end..scan.run(word.end, &LINE), kind: first.kind, by: By::Place });
    }
}

/// The end of white space that begins at `at`.
fn blank(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// An SQL expression on one line, up to the comma or parenthesis that ends it: `'sesame'`, `NOW()`, `crypt('sesame',
/// gen_salt('bf'))`.
fn expression(text: &[u8], start: usize) -> Range<usize> {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(&byte) = text.get(at) {
        match byte {
            b',' | b')' if depth == 0 => break,
            b';' | b'\n' => break,
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b'\'' | b'"' | b'`' => at = quote_end(text, at),
            _ => {}
        }
        at += usize::from(text.get(at) != Some(&b'\n'));
    }
    start..at.min(text.len())
}

/// The position of the closing quote, or the end of the line. A quote in between may be doubled, or follow a backslash.
fn quote_end(text: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(&byte) = text.get(at).filter(|&&byte| byte != b'\n') {
        let is_pair = byte == b'\\' || byte == text[start] && text.get(at + 1) == Some(&byte);
        if byte == text[start] && !is_pair {
            break;
        }
        at += 1 + usize::from(is_pair && text.get(at + 1) != Some(&b'\n'));
    }
    at
}

/// The part of an expression that may be secret: from its first quote to its last one, or a number.
fn literal(expression: &[u8]) -> Option<Range<usize>> {
    let is_quote = |byte: &u8| matches!(byte, b'\'' | b'"');
    match expression.iter().position(is_quote) {
        Some(open) => {
            let close = expression.iter().rposition(is_quote).filter(|&close| close > open);
            Some(open + 1..close.unwrap_or(expression.trim_ascii_end().len()))
        }
        None => expression.first().is_some_and(u8::is_ascii_digit).then(|| 0..expression.trim_ascii_end().len()),
    }
}

/// The next word, quoted or not.
fn word(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let start = at + scan.spaces(at, 2);
    let start = start + usize::from(matches!(scan.byte(start), Some(b'"' | b'\'')));
    let end = scan.run(start, &ARGUMENT);
    (end > start).then_some(start..end)
}

/// The body of a key whose label ends at `start`.
fn key(scan: &Scan<'_>, start: usize) -> Option<Range<usize>> {
    const LEAST: usize = 16;
    // In the text itself, `KeyLines` follows keys line by line.
    if scan.is_source {
        return None;
    }
    let end = scan.run(start, &KEY_BODY);
    (end >= start + LEAST && is_random(scan.judged(&(start..end)).trim_ascii())).then_some(start..end)
}

/// How texts that hold secrets begin in base64: JSON, YAML, XML, PEM, URLs.
pub(super) static ENCODED: &[&str] = &[
    "eyJ",
    "ewog",
    "ewoJ",
    "ewoi",
    "ew0K",
    "eyAi",
    "eyAg",
    "W3si",
    "WyB7",
    "Wwog",
    "WyJ",
    "YXBpVmVyc2lvb",
    "a2luZDog",
    "LS0tC",
    "LS0tDQ",
    "PD94bWwg",
    "LS0tLS1CRUdJTi",
    "LS0tLS0tQkVHSU4",
    "aHR0cHM6Ly",
    "aHR0cDovL",
    "cG9zdGdyZXM6Ly",
    "cG9zdGdyZXNxbDovL",
    "bXlzcWw6Ly",
    "cmVkaXM6Ly",
    "cmVkaXNzOi8v",
    "bXNzcWw6Ly",
    "c3Fsc2VydmVyOi8v",
    "amRiYz",
    "bW9uZ29kYj",
    "YW1xcDovL",
    "YW1xcHM6Ly",
    "QmFnIEF0dHJpYnV0ZX",
    "UEFTU1dPUk",
    "cGFzc3dvcm",
    "Z2hwX",
    "Z2l0aHViX3BhdF",
    "Z2xwYXQt",
    "c2stYW50L",
    "dXNlcm5hbWU",
];

/// Bytes of base64 that are decoded.
const ENCODED_MAX: usize = 64 * 1024;

/// The range and text of a run of base64 that begins at `at`.
pub(super) fn decoded(scan: &Scan<'_>, at: usize) -> Option<(Range<usize>, String)> {
    /// Bytes of the shortest run that can hold a name and a secret.
    const LEAST: usize = 24;
    if !scan.begins_word(at, &ALPHANUMERIC) {
        return None;
    }
    let body = scan.run(at, &BASE64_BODY).max(scan.run(at, &BASE64URL)).min(at + ENCODED_MAX);
    let padding = scan.ahead(body, 2).iter().take_while(|&&byte| byte == b'=').count();
    if body < at + LEAST {
        return None;
    }
    let encoded = scan.once(at, body)?;
    // A PEM file may span many lines, which are followed one by one.
    if scan.is_source && encoded.starts_with("LS0tLS1CRUdJTi") {
        return None;
    }
    // A run that was cut may have a surplus character.
    let whole = &encoded[..encoded.len() - usize::from(encoded.len() % 4 == 1)];
    let bytes: Vec<u8> = whole
        .bytes()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => byte,
        })
        .collect();
    let mut text = BASE64_ANY.decode(bytes).ok()?;
    let valid = std::str::from_utf8(&text).map_or_else(|error| error.valid_up_to(), str::len);
    text.truncate(valid);
    (valid >= LEAST / 2).then(|| (at..body + padding, String::from_utf8(text).unwrap_or_default()))
}
