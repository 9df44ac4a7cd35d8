//! What stands around a name and its value on their line.

use super::{NAME_MAX, SPACES_MAX};
use crate::scan::Scan;

/// Whether only white space and words that announce a setting are between the beginning of a line and a name.
pub(super) fn starts_line(scan: &Scan<'_>, start: usize) -> bool {
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
pub(super) fn ends_line(scan: &Scan<'_>, at: usize) -> bool {
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
pub(super) fn is_unexpected(scan: &Scan<'_>, start: usize) -> bool {
    let before = scan.before(start, 12);
    [&b"unexpected "[..], b"unknown ", b"near "].iter().any(|word| before.to_ascii_lowercase().ends_with(word))
}
