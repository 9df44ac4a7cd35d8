//! Values whose names say that they are secret, in every notation that joins the two.

mod evidence;
mod line;
mod link;

use std::ops::Range;

use self::evidence::{Needs, is_setting, needs};
use self::line::{ends_line, is_unexpected, starts_line};
use self::link::{Link, Site, inner, site};
use super::alphabet::{KEY_LIST, LINE, NAME, PATH_NAME, UNBROKEN};
use super::extent::{self, Extent, Style};
use super::names::{Expected, Named, named, named_header};
use super::scan::Scan;
use super::values::{has_default, is_random, is_reference, is_variable, reads_as_message, says_state};
use super::{By, Found, LONGEST, headers};

/// Bytes of a name.
const NAME_MAX: usize = 128;

/// Spaces between a name and its value: columns are aligned with them.
const SPACES_MAX: usize = 40;

/// Values of a list that are looked at.
const ITEMS_MAX: usize = 8;

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
        if has_default(scan.judged(&reference)) {
            return found(reference);
        }
        let rest = behind(scan, at, reference.end)?;
        return if named.hides(scan.judged(&rest)) { found(rest) } else { None };
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

/// What a value goes on with behind the references that it begins with: `${PREFIX}sesame`.
fn behind(scan: &Scan<'_>, at: usize, mut end: usize) -> Option<Range<usize>> {
    /// References that are followed.
    const REFERENCES: usize = 4;
    for _ in 0..REFERENCES {
        match reference(scan, end) {
            Some(next) if next.start == end => end = next.end,
            _ => break,
        }
    }
    let goes_on = scan.byte(end).is_some_and(|byte| byte.is_ascii_alphanumeric());
    let rest = match scan.byte(at).filter(|byte| matches!(byte, b'"' | b'\'')) {
        Some(quote) => end..extent::quoted(scan, end - 1, quote, LONGEST).at.end,
        None => end..scan.run(end, &UNBROKEN),
    };
    goes_on.then_some(rest)
}

/// A quoted text that is used if another value is not set: `process.env.PASSWORD || 'sesame'`.
fn fallback(scan: &Scan<'_>, end: usize) -> Option<Extent> {
    const OTHERWISE: &[&str] = &["|| ", "?? ", "or ", "?: "];
    let at = end + scan.spaces(end, 4);
    let at = at + scan.first_of(at, OTHERWISE, |word| word)?.len();
    matches!(scan.byte(at), Some(b'"' | b'\'' | b'`')).then(|| extent::value(scan, at))
}

/// Several words without quotes that fill the line: `passphrase: correct horse battery staple`.
fn phrase(scan: &Scan<'_>, named: Named, site: &Site<'_>, value: &Extent, starts_line: bool) -> Option<Range<usize>> {
    /// Bytes of a phrase.
    const LENGTH: usize = 160;
    let is_password = matches!(named.kind, "password" | "passphrase" | "recovery phrase");
    // The value of a variable needs no space before it: `DB_PASSWORD=correct horse battery staple`.
    if value.style != Style::Bare
        || !starts_line
        || !is_password
        || !matches!(site.link, Link::Equals | Link::Colon | Link::Owner)
        || site.spaces == 0 && !is_variable(site.name)
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
