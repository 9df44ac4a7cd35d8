//! Values whose names say that they are secret, in every notation that joins the two.

use std::ops::Range;

use memchr::memmem;

use super::alphabet::{KEY_LIST, LINE, NAME, PATH_NAME, UNBROKEN};
use super::extent::{self, Extent, Style};
use super::names::{Expected, Named, named, named_header};
use super::scan::Scan;
use super::values::{has_default, is_random, is_reference, reads_as_message, says_state};
use super::{By, Found, headers};

/// Bytes of a name.
const NAME_MAX: usize = 128;

/// Spaces between a name and its value: columns are aligned with them.
const SPACES_MAX: usize = 40;

/// Values of a list that are looked at.
const ITEMS_MAX: usize = 8;

/// What joins a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Equals,
    Colon,
    /// A colon after an owner: `Password for admin: …`
    Owner,
    Arrow,
    /// A comma between two strings: a tuple, a list of arguments.
    Comma,
    /// A space: after a flag, in SQL, in `.netrc`.
    Space,
    /// The end of an XML tag.
    Tag,
    /// `name: PASSWORD, value: …`
    Pair,
}

/// The notations of links, longest first. A double equals sign compares.
const LINKS: &[(&str, Option<Link>)] = &[
    ("=>", Some(Link::Arrow)),
    ("==", None),
    ("=~", None),
    ("!=", None),
    ("->", Some(Link::Arrow)),
    ("\u{2192}", Some(Link::Arrow)),
    (":=", Some(Link::Equals)),
    ("::", None),
    // In a shell, the message for a variable that is not set.
    (":?", None),
    ("=", Some(Link::Equals)),
    (":", Some(Link::Colon)),
];

/// A name in a text, and its link to a value.
struct Site<'t> {
    name: &'t str,
    start: usize,
    /// Whether the name is between quotes.
    is_quoted: bool,
    link: Link,
    /// Spaces after the link.
    spaces: usize,
    /// The start of the value.
    value: usize,
}

/// Adds the value of the name that contains the word at `hit`.
pub(super) fn find(scan: &Scan<'_>, hit: &Range<usize>, found: &mut Vec<Found>) {
    let end = scan.run(hit.end, &NAME);
    // A name often has several such words, and most names have no value.
    if scan.is_new_name(end) && may_have_value(scan, hit.start, end) {
        let from = hit.start - scan.run_back(hit.start, &PATH_NAME, NAME_MAX);
        let (start, end) = trimmed(scan, from.max(end.saturating_sub(NAME_MAX)), end);
        found.extend(by_name(scan, start, end));
    }
}

/// Whether the text after a name can link it to a value.
fn may_have_value(scan: &Scan<'_>, start: usize, end: usize) -> bool {
    let next = match scan.byte(end) {
        Some(b' ' | b'\t') => scan.byte(end + scan.spaces(end, SPACES_MAX)),
        Some(
            byte @ (b'=' | b':' | b'"' | b'\'' | b'`' | b']' | b')' | b'}' | b'<' | b'>' | b'(' | b'\n' | b'\r' | b',' | 0xe2),
        ) => Some(byte),
        // The arrow of `password->sesame`, whose hyphen seems to belong to the name.
        _ => return false,
    };
    match next {
        None => false,
        Some(byte) if !byte.is_ascii_alphanumeric() => true,
        // After a space comes the word of a flag, of SQL or `.netrc`, of a tag, of a pair, or of a sentence.
        Some(b'v' | b'V' | b'i') => true,
        Some(_) => {
            let name = start - scan.run_back(start, &NAME, NAME_MAX);
            let is_marked = scan.byte(name) == Some(b'-')
                || matches!(scan.byte_before(name), None | Some(b'\n' | b'<' | b':' | b'=' | b'"' | b'\''));
            let before = scan.before(name, 5);
            // Columns in a file of settings.
            let is_marked = is_marked || before.iter().all(|&byte| byte == b' ') || before.ends_with(b"\t");
            let before = before.trim_ascii_end();
            is_marked || before.ends_with(b"set") || before.ends_with(b"SET") || scan.starts_with_ignoring_case(start, "pass")
        }
    }
}

/// A name without the punctuation around it.
fn trimmed(scan: &Scan<'_>, start: usize, end: usize) -> (usize, usize) {
    let name = scan.ahead(start, end - start);
    let is_edge = |byte: &&u8| matches!(byte, b'.' | b'/');
    let back = name.iter().rev().take_while(|byte| matches!(byte, b'.' | b'-')).count();
    let front = name.iter().take_while(is_edge).count();
    // In `passwd->x` an arrow follows.
    ((start + front).min(end), end - back.min(end - start))
}

fn by_name(scan: &Scan<'_>, start: usize, end: usize) -> Option<Found> {
    let name = scan.judged(&(start..end));
    let name = name.trim_start_matches('-');
    let name_start = end - name.len().min(end - start);
    // `checksum/secret` is a name as a whole; of a path, the last part is one.
    let last = name.rsplit('/').next().unwrap_or(name);
    if let Some(header) = named_header(last) {
        let site = site(scan, last, name_start, end).filter(|site| site.link != Link::Owner)?;
        return headers::find(scan, header.kind, site.value, site.link == Link::Comma);
    }
    let named = named(name)?;
    value_of(scan, named, &site(scan, last, name_start, end)?)
}

/// The value of a site, if it is a secret.
fn value_of(scan: &Scan<'_>, named: Named, site: &Site<'_>) -> Option<Found> {
    let found = |at: Range<usize>| Some(Found { at, kind: named.kind, by: By::Place });
    if site.link == Link::Tag {
        let value = extent::element(scan, site.value);
        return if named.hides(scan.judged(&value.at)) { found(value.at) } else { None };
    }
    // `{"password": {"value": "…"}}`
    let is_object = scan.byte(site.value) == Some(b'{') && scan.byte(site.value + 1) != Some(b'{');
    let at = if is_object { inner(scan, site.value + 1)? } else { site.value };
    if let Some(reference) = reference(scan, at) {
        // A reference with a default holds the value itself.
        return if has_default(scan.judged(&reference)) { found(reference) } else { None };
    }
    let value = extent::value(scan, at);
    if value.style == Style::Bare
        && is_reference(scan.judged(&value.at))
        && let Some(otherwise) = fallback(scan, value.at.end)
    {
        return if named.hides(scan.judged(&otherwise.at)) { found(otherwise.at) } else { None };
    }
    let shown = scan.judged(&value.at);
    let starts_line = starts_line(scan, site.start);
    match value.style {
        Style::Block => return if named.hides(shown) { found(value.at) } else { None },
        Style::List => {
            // A list of passwords is not one of counts.
            let named = if named.kind == "password" { Named { value: Expected::OrCount, ..named } } else { named };
            let mut items = shown.split([',', ' ']).filter(|item| !item.is_empty()).take(ITEMS_MAX);
            let is_secret = items.any(|item| named.hides(item.trim_matches(['"', '\'', ' '])));
            return if is_secret { found(value.at) } else { None };
        }
        _ => {}
    }
    // Several words without quotes that fill the line.
    if let Some(phrase) = phrase(scan, named, site, &value, starts_line) {
        return found(phrase);
    }
    let value = Extent { at: alone(scan, site, &value, starts_line), ..value };
    let shown = scan.judged(&value.at);
    let is_settled = match needs(scan, site, &value, starts_line) {
        Needs::Nothing => true,
        Needs::Random => is_random(shown) && !reads_as_message(shown),
        Needs::Setting => is_random(shown) || is_setting(scan, site, &value, starts_line),
        Needs::More => false,
    };
    if !is_settled || matches!(site.link, Link::Colon | Link::Space) && is_unexpected(scan, site.start) {
        return None;
    }
    // A list of keys, the first of which ends at a comma.
    let mut at = value.at.clone();
    if value.style == Style::Bare && (site.name.ends_with("keys") || site.name.ends_with("KEYS")) {
        at.end = scan.run(at.start, &KEY_LIST).max(at.end);
    }
    if named.hides(scan.judged(&value.at)) { found(at) } else { None }
}

/// A reference in place of a value: `$(DB_PASSWORD)`, `{{ .Values.password }}`.
fn reference(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    const OPENS: &[(&[u8], u8)] =
        &[(b"$(", b')'), (b"${", b'}'), (b"{{", b'}'), (b"<%", b'>'), (b"#{", b'}'), (b"%{", b'}'), (b"[masked:", b']')];
    /// Bytes of a reference.
    const REFERENCE: usize = 96;
    let quote = scan.byte(at).filter(|byte| matches!(byte, b'"' | b'\''));
    let start = at + usize::from(quote.is_some());
    let near = scan.ahead(start, REFERENCE);
    let (open, close) = OPENS.iter().find(|(open, _)| near.starts_with(open))?;
    let inside = &near[open.len()..];
    let end = inside.iter().position(|byte| byte == close || *byte == b'\n' || Some(*byte) == quote)?;
    let closers = inside[end..].iter().take(2).take_while(|byte| *byte == close).count();
    (closers > 0).then_some(start..start + open.len() + end + closers)
}

/// A quoted text that is used if another value is not set: `process.env.PASSWORD || 'sesame'`.
fn fallback(scan: &Scan<'_>, end: usize) -> Option<Extent> {
    const OTHERWISE: &[&str] = &["|| ", "?? ", "or ", "?: "];
    let at = end + scan.spaces(end, 4);
    let at = at + scan.first_of(at, OTHERWISE, |word| word)?.len();
    matches!(scan.byte(at), Some(b'"' | b'\'' | b'`')).then(|| extent::value(scan, at))
}

/// The evidence that a value needs beside its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// It has to look random.
    Random,
    /// It has to look random, or the whole has to look like a setting.
    Setting,
    /// No evidence suffices.
    More,
}

/// The evidence that is needed: words of a sentence follow colons and spaces, too.
fn needs(scan: &Scan<'_>, site: &Site<'_>, value: &Extent, starts_line: bool) -> Needs {
    let quoted = value.style == Style::Quoted;
    match (site.link, site.is_quoted, quoted, site.spaces) {
        // link           name   value  spaces
        (Link::Equals, _, true, _) => Needs::Nothing,
        (Link::Equals, _, false, 0) => Needs::Nothing,
        (Link::Equals, _, false, _) => Needs::Setting,
        (Link::Owner, _, true, _) => Needs::Nothing,
        (Link::Owner, _, false, _) => Needs::Setting,
        (Link::Arrow | Link::Pair | Link::Tag | Link::Comma, ..) => Needs::Nothing,
        // The kubelet writes `volume "token" : secret "x" not found`. JSON with this space has quotes around its values.
        (Link::Colon, true, false, _) if scan.starts_with(site.start + site.name.len() + 1, " ") => Needs::Setting,
        (Link::Colon, true, ..) => Needs::Nothing,
        (Link::Colon, false, true, _) => Needs::Nothing,
        (Link::Colon, false, false, 0) if is_field(scan, site) => Needs::Nothing,
        (Link::Colon, false, false, 0 | 1) => Needs::Setting,
        (Link::Colon, false, false, _) if starts_line => Needs::Setting,
        (Link::Colon, false, false, _) => Needs::More,
        (Link::Space, ..) => by_space(scan, site, value, starts_line),
    }
}

/// Whether a name with a colon is a field of a structure that Go prints: `{User:a Password:b}`.
fn is_field(scan: &Scan<'_>, site: &Site<'_>) -> bool {
    matches!(scan.byte_before(site.start), Some(b'{' | b'['))
        || site.name.starts_with(|c: char| c.is_ascii_uppercase())
            && site.name.bytes().any(|byte| byte.is_ascii_lowercase())
            && scan.byte_before(site.start) == Some(b' ')
}

/// The evidence for a value after a space.
fn by_space(scan: &Scan<'_>, site: &Site<'_>, value: &Extent, starts_line: bool) -> Needs {
    /// Bytes before a name in which `login` shows that it belongs to `.netrc`.
    const LOGIN: usize = 120;
    let shown = scan.judged(&value.at);
    let is_flag = scan.before(site.start, 1) == b"-";
    if is_flag {
        let is_prose = FLAG_PROSE.contains(&shown) || says_state(shown) || shown.starts_with('-');
        return if is_prose { Needs::More } else { Needs::Nothing };
    }
    // `ALTER ROLE app PASSWORD 'x'`
    let is_sql = value.style == Style::Quoted && matches!(scan.byte(value.at.start - 1), Some(b'\'' | b'"'));
    if is_sql && !reads_as_message(shown) {
        let is_statement =
            site.name.bytes().all(|byte| byte.is_ascii_uppercase()) || scan.byte(value.at.start - 1) == Some(b'\'');
        return if is_statement { Needs::Nothing } else { Needs::Random };
    }
    // `machine h login u password p`
    let before = scan.before(site.start, LOGIN);
    let before = &before[..before.len() - before.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count()];
    let user = before.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
    let login = &before[..user];
    let login = login.trim_ascii_end();
    let is_login = |word: &[u8]| login.strip_suffix(word).is_some_and(|rest| rest.last().is_none_or(u8::is_ascii_whitespace));
    let parted = scan.byte_before(site.start).is_some_and(|byte| byte.is_ascii_whitespace());
    let is_netrc = parted && user < before.len() && (is_login(b"login") || is_login(b"user"));
    if is_netrc
        && matches!(site.name, "password" | "passwd" | "insecure-password")
        && !reads_as_message(shown)
        && !says_state(shown)
    {
        return Needs::Nothing;
    }
    // `aws configure set aws_secret_access_key …`, `password is hunter2`
    if before.ends_with(b"set") || before.ends_with(b"SET") {
        return if site.name.contains(['_', '.', '-']) || site.name.len() > 8 { Needs::Nothing } else { Needs::Random };
    }
    // `HTTP_Passwd hunter2` of a file of settings, `password is hunter2`, `| password | hunter2 |`
    let is_column = starts_line && ends_line(scan, value.at.end);
    let before = scan.before(value.at.start, 4);
    let is_told = [&b" is "[..], b"is: ", b" | "].iter().any(|link| before.ends_with(link));
    if is_column || is_told { Needs::Random } else { Needs::More }
}

/// Words after the name of a flag in a sentence about it.
const FLAG_PROSE: &[&str] = &[
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
    "duration",
    "bool",
];

/// Whether a name and its value are a setting: alone on their line, or the last one of a line or list, under a name that nobody
/// would write in a sentence.
fn is_setting(scan: &Scan<'_>, site: &Site<'_>, value: &Extent, starts_line: bool) -> bool {
    let end = value.at.end;
    let is_last = ends_line(scan, end);
    let names_variable = site.name.contains('_') || !site.name.bytes().any(|byte| byte.is_ascii_lowercase());
    let is_test = site.name == "PASS" && site.link == Link::Colon;
    let in_list = is_last || matches!(scan.byte(end), Some(b',' | b';' | b'}' | b'&'));
    let in_braces = scan.before(site.start, 2).contains(&b'{');
    value.at.len() > 1 && !is_test && (starts_line && is_last || (names_variable || in_braces) && in_list)
}

/// Several words without quotes that fill the line: `passphrase: correct horse battery staple`.
fn phrase(scan: &Scan<'_>, named: Named, site: &Site<'_>, value: &Extent, starts_line: bool) -> Option<Range<usize>> {
    /// Bytes of a phrase.
    const LENGTH: usize = 160;
    let is_password = matches!(named.kind, "password" | "passphrase" | "recovery phrase");
    if value.style != Style::Bare
        || !starts_line
        || !is_password
        || !matches!(site.link, Link::Equals | Link::Colon | Link::Owner)
        || site.spaces == 0
    {
        return None;
    }
    let start = value.at.start;
    let line = scan.run(start, &LINE).min(start + LENGTH);
    let shown = scan.judged(&(start..line)).trim_ascii_end();
    let words = shown.split(' ').count();
    let is_phrase = (3..=24).contains(&words)
        && shown.split(' ').all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
        && !reads_as_message(shown)
        && (site.link != Link::Owner || !shown.split(' ').any(says_state));
    is_phrase.then_some(start..start + shown.len())
}

/// The value inside of an object: `{"value": "…"}`, `{"type": "string", "value": "…"}`.
fn inner(scan: &Scan<'_>, at: usize) -> Option<usize> {
    /// Bytes of an object that are looked at.
    const OBJECT: usize = 96;
    const KEYS: &[&str] =
        &["value", "secret", "plaintext", "password", "token", "plain", "raw", "string", "text", "data", "default"];
    let window = scan.ahead(at, OBJECT);
    let window = &window[..window.iter().position(|byte| matches!(byte, b'{' | b'}')).unwrap_or(window.len())];
    let begins = |&place: &usize| place == 0 || !window[place - 1].is_ascii_alphanumeric() && window[place].is_ascii_alphabetic();
    (0..window.len()).filter(begins).find_map(|place| {
        let key = KEYS.iter().find(|key| window[place..].len() > key.len() && scan.starts_with_ignoring_case(at + place, key))?;
        let (link, _, value) = link(scan, at + place + key.len())?;
        matches!(link.0, Link::Colon | Link::Equals | Link::Arrow).then_some(value)
    })
}

/// The site of a name: its link and the start of its value.
fn site<'t>(scan: &Scan<'t>, name: &'t str, start: usize, end: usize) -> Option<Site<'t>> {
    let start = start.max(end - name.len());
    if let Some(value) = tag(scan, start, end) {
        return Some(Site { name, start, is_quoted: false, link: Link::Tag, spaces: 0, value });
    }
    if let Some((link, value)) = pair(scan, start, end) {
        return Some(Site { name, start, is_quoted: false, link, spaces: 0, value });
    }
    let ((link, is_quoted), spaces, value) = link(scan, end)?;
    Some(Site { name, start, is_quoted, link, spaces, value })
}

/// The link of a name that ends at a position, whether quotes close the name, the spaces after it, and the start of the value.
fn link(scan: &Scan<'_>, end: usize) -> Option<((Link, bool), usize, usize)> {
    let window = scan.ahead(end, 4);
    let mut at = end;
    let mut is_quoted = false;
    for &byte in window {
        match byte {
            b'"' | b'\'' | b'`' if !is_quoted => is_quoted = true,
            b']' | b')' | b'}' => {}
            _ => break,
        }
        at += 1;
    }
    let before = scan.spaces(at, SPACES_MAX);
    at += before;
    let behind = |at: usize| {
        let spaces = scan.spaces(at, SPACES_MAX);
        // PHP has a line break there.
        let spaces = if spaces == 0 && scan.byte(at) == Some(b'\n') { 1 + scan.spaces(at + 1, SPACES_MAX) } else { spaces };
        (spaces, at + spaces)
    };
    if let Some((literal, link)) = scan.first_of(at, LINKS, |(literal, _)| literal) {
        let link = (*link)?;
        let at = at + literal.len();
        let (spaces, value) = behind(at);
        // A colon at the end of a line has no value on it.
        let breaks = scan.ahead(at, spaces.max(1)).contains(&b'\n');
        return (!breaks || link == Link::Arrow).then_some(((link, is_quoted), spaces.max(usize::from(before > 0)), value));
    }
    if is_quoted && scan.byte(at) == Some(b',') {
        let (spaces, value) = behind(at + 1);
        let is_string = matches!(scan.byte(value), Some(b'"' | b'\'')) && !matches!(scan.byte(value + 1), Some(b'-'));
        // The next string may be a key.
        let close = extent::value(scan, value).at.end + 1;
        let is_key = matches!(scan.byte(close + scan.spaces(close, 2)), Some(b':' | b'='));
        return (is_string && !is_key).then_some(((Link::Comma, true), spaces, value));
    }
    if before > 0
        && let Some((link, end)) = owner(scan, at)
    {
        let spaces = scan.spaces(end, SPACES_MAX);
        return (spaces > 0).then_some(((link, is_quoted), spaces, end + spaces));
    }
    // `PASSWORD('x')`
    let value = if before == 0 && scan.ahead(end, 2) == b"('" { end + 1 } else { at };
    let told = scan.first_of(value, &["is ", "is: ", "| "], |word| word).filter(|_| before > 0);
    let value = told.map_or(value, |word| value + word.len() + scan.spaces(value + word.len(), SPACES_MAX));
    let is_space = (before > 0 || value > at) && scan.byte(value).is_some_and(|byte| byte != b'\n');
    is_space.then_some(((Link::Space, is_quoted), before.max(1), value))
}

/// The link after an owner, and its end: `for user admin:`, `for admin is`.
fn owner(scan: &Scan<'_>, at: usize) -> Option<(Link, usize)> {
    /// Bytes and words of an owner.
    const OWNER: usize = 64;
    const WORDS: usize = 4;
    let start = at + scan.first_of(at, &["for ", "of ", "is generated for "], |word| word)?.len();
    let window = scan.ahead(start, OWNER);
    let end = window.iter().position(|byte| matches!(byte, b':' | b'\n' | b'=' | b',' | b'('));
    let is = memmem::find(window, b" is ").filter(|&is| end.is_none_or(|end| is < end));
    let (link, length, end) = match (is, end) {
        (Some(is), _) => (Link::Space, is, is + " is".len()),
        (None, Some(colon)) if window[colon] == b':' => (Link::Owner, colon, colon + 1),
        _ => return None,
    };
    (window[..length].split(|&byte| byte == b' ').count() <= WORDS).then_some((link, start + end))
}

/// The start of an element's text, if its name or one of its attributes is at this position.
fn tag(scan: &Scan<'_>, start: usize, end: usize) -> Option<usize> {
    /// Bytes of the attributes after a name.
    const ATTRIBUTES: usize = 96;
    let before = scan.before(start, 24);
    let open = before.iter().rposition(|&byte| matches!(byte, b'<' | b' ' | b'"' | b'\''))?;
    let is_element = before[open] == b'<'
        && before[open + 1..].iter().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_'));
    let is_named = matches!(before[open], b'"' | b'\'')
        && open + 1 == before.len()
        && [&b"name="[..], b"key=", b"id="].iter().any(|attribute| before[..open].ends_with(attribute));
    if !is_element && !is_named {
        return None;
    }
    let window = scan.ahead(end, ATTRIBUTES);
    let close = window.iter().position(|&byte| matches!(byte, b'>' | b'<' | b'\n')).filter(|&close| window[close] == b'>')?;
    let is_empty = close > 0 && window[close - 1] == b'/';
    let is_whole = is_element && matches!(window[0], b'>' | b' ') || is_named && matches!(window[0], b'"' | b'\'');
    (is_whole && !is_empty).then_some(end + close + 1)
}

/// The start of the value for a name that is itself the value of `name` or `key`, and its link.
fn pair(scan: &Scan<'_>, start: usize, end: usize) -> Option<(Link, usize)> {
    /// Bytes between the two.
    const BETWEEN: usize = 96;
    const NAMES: &[&[u8]] = &[b"name", b"key", b"variable", b"field", b"parametername", b"var", b"option", b"header", b"path"];
    // `path: /spec/password`
    let start = start - scan.run_back(start, &PATH_NAME, NAME_MAX);
    let before = scan.before(start, 24);
    let before = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'")).unwrap_or(before).trim_ascii_end();
    let element = before.strip_suffix(b">");
    let before = element.or_else(|| [&b":"[..], b"=", b"=>"].iter().find_map(|link| before.strip_suffix(*link)))?;
    let before = before.trim_ascii_end();
    let before = before.strip_suffix(b"\"").or_else(|| before.strip_suffix(b"'")).unwrap_or(before);
    let is_name =
        NAMES.iter().any(|name| before.len() >= name.len() && before[before.len() - name.len()..].eq_ignore_ascii_case(name));
    if !is_name {
        return None;
    }
    let window = scan.ahead(end, BETWEEN);
    let window = &window[..window.iter().position(|byte| matches!(byte, b'{' | b'}')).unwrap_or(window.len())];
    let at = memmem::find_iter(window, b"alue").find(|&at| {
        let is_word = at > 0 && matches!(window[at - 1], b'v' | b'V') && (at < 2 || !window[at - 2].is_ascii_alphanumeric());
        is_word && window.get(at + 4).is_some_and(|&next| !next.is_ascii_alphanumeric())
    })?;
    // No other name may begin in between.
    let lines = window[..at].iter().filter(|&&byte| byte == b'\n').count();
    if lines > 2 || window[..at].windows(2).any(|two| two == b"- ") {
        return None;
    }
    let behind = end + at + "alue".len();
    if element.is_some() {
        // `<name>password</name><value>…</value>` of Hadoop and its like.
        return (window.get(at + 4) == Some(&b'>')).then_some((Link::Tag, behind + 1));
    }
    let (link, _, value) = link(scan, behind)?;
    matches!(link.0, Link::Colon | Link::Equals | Link::Arrow).then_some((Link::Pair, value))
}

/// The end of the value of a setting that is alone on its line: in `.env` and YAML, generated values have no quotes and any
/// characters.
fn alone(scan: &Scan<'_>, site: &Site<'_>, value: &Extent, starts_line: bool) -> Range<usize> {
    let at = value.at.clone();
    // A value that is generated for somebody may have any characters.
    let is_told = site.link == Link::Owner;
    let is_setting = (starts_line && matches!(site.link, Link::Equals | Link::Colon) || is_told)
        && !site.is_quoted
        && value.style == Style::Bare;
    // With parentheses it is a call, and with another equals sign several settings.
    let is_more = || {
        let all = scan.judged(&(at.start..scan.run(at.start, &UNBROKEN)));
        all.contains('(') || all.trim_end_matches('=').contains('=')
    };
    if !is_setting || matches!(scan.byte(at.end), None | Some(b' ' | b'\t' | b'\r' | b'\n')) || !is_told && is_more() {
        return at;
    }
    let end = scan.run(at.start, &UNBROKEN);
    let end = end - usize::from(matches!(scan.byte_before(end), Some(b',' | b';' | b'"' | b'\'' | b'}')));
    // A text that is quoted as a whole ends with its quote, and in JSON its line breaks are escaped.
    let is_escaped = || memchr::memchr(b'\\', scan.judged(&(at.end..end)).as_bytes()).is_some();
    if ends_line(scan, scan.run(at.start, &UNBROKEN)) && end > at.end && !is_escaped() { at.start..end } else { at }
}

/// Whether only white space and words that announce a setting are between the beginning of a line and a name.
fn starts_line(scan: &Scan<'_>, start: usize) -> bool {
    let before = scan.before(start, NAME_MAX);
    let is_text_start = before.len() == start;
    let trim = |text: &[u8]| text.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
    let line = &before[..trim(before)];
    let line = [&b"-"[..], b"export", b"set", b"ENV", b"ARG", b"@", b"$", b":"]
        .into_iter()
        .find_map(|word| line.strip_suffix(word))
        .unwrap_or(line);
    match &line[..trim(line)] {
        // A quote begins a JSON string, whose contents are also examined by themselves, with the same result.
        [.., b'\n' | b'\r' | b'"'] => true,
        rest => rest.is_empty() && is_text_start,
    }
}

/// Whether nothing follows on a line.
fn ends_line(scan: &Scan<'_>, at: usize) -> bool {
    let space = scan.spaces(at, SPACES_MAX);
    let rest = scan.ahead(at + space, 3);
    let is_comment = space > 0 && rest.starts_with(b"# ");
    rest.is_empty()
        || is_comment
        || matches!(rest[0], b'\n' | b'\r')
        || space == 0 && rest[0] == b'"'
        || rest.starts_with(b"\\n")
        || rest.starts_with(b"\\r")
}

/// Whether a parser complains about what follows.
fn is_unexpected(scan: &Scan<'_>, start: usize) -> bool {
    let before = scan.before(start, 12);
    [&b"unexpected "[..], b"unknown ", b"near "].iter().any(|word| before.to_ascii_lowercase().ends_with(word))
}
