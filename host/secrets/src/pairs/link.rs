//! What joins a name and its value: signs, spaces, tags, and pairs of `name` and `value`.

use memchr::memmem;

use super::{NAME_MAX, SPACES_MAX};
use crate::alphabet::PATH_NAME;
use crate::extent;
use crate::scan::Scan;

/// What joins a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
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
pub(super) struct Site<'t> {
    pub(super) name: &'t str,
    pub(super) start: usize,
    /// Whether the name is between quotes.
    pub(super) is_quoted: bool,
    pub(super) link: Link,
    /// Spaces after the link.
    pub(super) spaces: usize,
    /// The start of the value.
    pub(super) value: usize,
}

/// The site of a name: its link and the start of its value.
pub(super) fn site<'t>(scan: &Scan<'t>, name: &'t str, start: usize, end: usize) -> Option<Site<'t>> {
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

/// The value inside of an object: `{"value": "…"}`, `{"type": "string", "value": "…"}`.
pub(super) fn inner(scan: &Scan<'_>, at: usize) -> Option<usize> {
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
