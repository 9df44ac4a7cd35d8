//! The end of a value, by the way in which it is written.

use std::ops::Range;

use super::LONGEST;
use super::alphabet::{Alphabet, BARE, ELEMENT, IN_BACK, IN_DOUBLE, IN_SINGLE, LINE, LIST, NAME};
use super::scan::Scan;

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Between quotes.
    Quoted,
    /// A single word.
    Bare,
    /// Several words, between brackets.
    List,
    /// The text of an XML element.
    Element,
    /// The lines of a block of YAML.
    Block,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) at: Range<usize>,
    pub(super) style: Style,
}

/// What types and languages write before a value.
const OPENERS: &[&str] = &[
    "[]string{",
    "[]string ",
    "<![CDATA[",
    "Some(",
    "Just ",
    "Secret(",
    "SecretString(",
    "Optional[",
    "Ok(",
    "String(",
    "string(",
    "str(",
    "N'",
    "E'",
    "U&'",
    "b'",
    "u'",
    "r'",
    "b\"",
    "u\"",
    "r\"",
    "L\"",
    "!!str ",
    "&\"",
    "*\"",
];

/// The value that begins at `at`.
pub(super) fn value(scan: &Scan<'_>, at: usize) -> Extent {
    let at = after_openers(scan, at);
    match scan.byte(at) {
        Some(quote @ (b'"' | b'\'')) => thrice_quoted(scan, at, quote).unwrap_or_else(|| pieces(scan, at, quote)),
        Some(b'`') => quoted(scan, at, b'`', LONGEST),
        Some(b'[') => list(scan, at),
        Some(b'|' | b'>') => block(scan, at).unwrap_or_else(|| bare(scan, at)),
        _ => bare(scan, at),
    }
}

/// The position after the name of a type or a function.
fn after_openers(scan: &Scan<'_>, at: usize) -> usize {
    /// Bytes of a colon and the spaces behind it.
    const SPACES: usize = 8;
    // An anchor of YAML: `password: &db sesame`.
    if scan.byte(at) == Some(b'&') && scan.before(at, SPACES).trim_ascii_end().ends_with(b":") {
        let end = scan.run(at + 1, &NAME);
        if end > at + 1 && scan.byte(end) == Some(b' ') {
            return end + scan.spaces(end, 4);
        }
    }
    let Some(opener) = scan.first_of(at, OPENERS, |opener| opener) else { return at };
    let end = at + opener.len();
    match opener.as_bytes() {
        // PHP writes a string's length: `string(6) "sesame"`.
        b"string(" => {
            let digits = scan.ahead(end, 6).iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits > 0 && scan.starts_with(end + digits, ") ") { end + digits + 2 } else { end }
        }
        [.., b'\'' | b'"'] => end - 1,
        _ => end,
    }
}

/// A value between quotes; if unclosed, it ends with its line. After `most` bytes no further escapes are followed.
pub(super) fn quoted(scan: &Scan<'_>, at: usize, quote: u8, most: usize) -> Extent {
    let inside: &Alphabet = match quote {
        b'"' => &IN_DOUBLE,
        b'\'' => &IN_SINGLE,
        _ => &IN_BACK,
    };
    /// Quotes within a value that may be doubled, as in SQL.
    const DOUBLED: usize = 4;
    let start = at + 1;
    let mut end = start;
    let mut doubled = 0;
    while end - start < most {
        end = scan.run(end, inside);
        match scan.byte(end) {
            Some(b'\\') => end = (end + 2).min(scan.len()),
            Some(b'\'') if quote == b'\'' && doubled < DOUBLED && end > start && scan.byte(end + 1) == Some(b'\'') => {
                doubled += 1;
                end += 2;
            }
            _ => break,
        }
    }
    Extent { at: start..end, style: Style::Quoted }
}

/// A quoted value with what goes on behind its quote without a space, as shells join it: `"a""b"`, `"a"b`, `'it'\''s'`.
fn pieces(scan: &Scan<'_>, at: usize, quote: u8) -> Extent {
    /// Pieces that are followed.
    const PIECES: usize = 8;
    let Extent { at: Range { start, mut end }, style } = quoted(scan, at, quote, LONGEST);
    let is_word = |at: usize| scan.byte(at).is_some_and(|byte| byte.is_ascii_alphanumeric());
    for _ in 0..PIECES {
        if scan.byte(end) != Some(quote) {
            break;
        }
        let next = end + 1;
        let opens = match (scan.byte(next), scan.byte(next + 1), scan.byte(next + 2)) {
            (Some(b'\\'), Some(escaped), Some(opens)) if escaped == quote && opens == quote => next + 2,
            (Some(opens), ..) if opens == quote && is_word(next + 1) => next,
            _ if is_word(next) => {
                end = scan.run(next, &BARE);
                continue;
            }
            _ => break,
        };
        end = quoted(scan, opens, quote, LONGEST).at.end;
    }
    Extent { at: start..end, style }
}

/// A value between three quotes, on one line: `"""#sesame;"""`.
fn thrice_quoted(scan: &Scan<'_>, at: usize, quote: u8) -> Option<Extent> {
    let three = [quote; 3];
    if scan.ahead(at, 3) != three {
        return None;
    }
    let start = at + 3;
    let line = scan.run(start, &LINE);
    let near = scan.ahead(start, line - start);
    let length = memchr::memmem::find(near, &three).unwrap_or(near.len());
    (length > 0).then_some(Extent { at: start..start + length, style: Style::Quoted })
}

/// A value without quotes.
fn bare(scan: &Scan<'_>, start: usize) -> Extent {
    /// Characters that may look like the end of the value and are not.
    const CLOSERS: usize = 8;
    let mut end = scan.run(start, &BARE);
    for _ in 0..CLOSERS {
        let next = scan.byte(end + 1);
        let goes_on = match scan.byte(end) {
            // A bracket or a backslash within a word belongs to it.
            Some(b')' | b']' | b'}' | b'>') => next.is_some_and(|next| next.is_ascii_alphanumeric()),
            Some(b'\\') => {
                next.is_some_and(|next| next.is_ascii_alphanumeric() && !matches!(next, b'n' | b'r' | b't' | b'u' | b'x'))
            }
            _ => false,
        };
        if !goes_on {
            break;
        }
        end = scan.run(end + 1, &BARE);
    }
    Extent { at: start..end, style: Style::Bare }
}

/// Values in brackets; Go prints those of a header so.
fn list(scan: &Scan<'_>, at: usize) -> Extent {
    let start = at + 1;
    let end = scan.run(start, &LIST).min(start + LONGEST);
    match (scan.byte(start), scan.byte(end)) {
        // A quoted one is a value like any other.
        (Some(quote @ (b'"' | b'\'')), _)
            if matches!(scan.byte(quoted(scan, start, quote, LONGEST).at.end + 1), Some(b']') | None) =>
        {
            quoted(scan, start, quote, LONGEST)
        }
        (_, Some(b']')) => Extent { at: start..end, style: Style::List },
        _ => bare(scan, start),
    }
}

/// A YAML block: `|` and indented lines.
fn block(scan: &Scan<'_>, at: usize) -> Option<Extent> {
    /// Lines of a block that are looked at.
    const LINES: usize = 16;
    let head = scan.ahead(at + 1, 3);
    let length = head.iter().take_while(|byte| matches!(byte, b'-' | b'+' | b'0'..=b'9')).count();
    if scan.byte(at + 1 + length) != Some(b'\n') {
        return None;
    }
    let first = at + 2 + length;
    let indent = scan.spaces(first, 64);
    let start = first + indent;
    let mut end = scan.run(start, &LINE);
    for _ in 1..LINES {
        let next = end + 1;
        if indent == 0 || scan.byte(end) != Some(b'\n') || scan.spaces(next, 64) < indent {
            break;
        }
        end = scan.run(next, &LINE);
    }
    (indent > 0 && end > start).then_some(Extent { at: start..end, style: Style::Block })
}

/// The text of an XML element that begins at `at`.
pub(super) fn element(scan: &Scan<'_>, at: usize) -> Extent {
    let start = after_openers(scan, at);
    let mut end = scan.run(start, &ELEMENT);
    if start > at && scan.before(end, 3) == b"]]>" {
        end -= 3;
    }
    Extent { at: start..end.max(start), style: Style::Element }
}
