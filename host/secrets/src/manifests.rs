//! Manifests of Secrets inside a text, as JSON or as YAML: the values of `data` and `stringData`, whatever their names.

use std::ops::Range;

use base64::Engine as _;

use super::alphabet::{LINE, NAME};
use super::extent::{self, Style};
use super::scan::Scan;
use super::values::{BASE64_ANY, names_nothing};
use super::{By, Found, LONGEST};

/// The name of such a value in a mask.
const KIND: &str = "Secret value";

/// Spaces and line breaks between two tokens, and lines of a map that are looked at.
const BETWEEN: usize = 128;
const LINES: usize = 256;

/// Adds the values of the map whose key ends with the word at `hit`, up to its quote and colon, if it is one of a Secret.
pub(super) fn of_key(scan: &Scan<'_>, hit: &Range<usize>, found: &mut Vec<Found>) {
    // A map that stands in another is looked at with it.
    if hit.start < scan.maps.get() {
        return;
    }
    let start = hit.start - scan.run_back(hit.start, &NAME, "string".len() + 1);
    let is_encoded = match scan.judged(&(start..hit.start + "data".len())) {
        "stringData" => false,
        "data" if scan.names_a_secret() => true,
        _ => return,
    };
    let hides = |value: &Range<usize>| {
        let value = scan.judged(value);
        if is_encoded { is_encoded_value(value) } else { !names_nothing(value) }
    };
    let open = blank(scan, hit.end);
    let (values, end) = if scan.byte(open) == Some(b'{') { of_json(scan, open + 1) } else { of_yaml(scan, start, hit.end) };
    scan.maps.set(end);
    found.extend(values.into_iter().filter(hides).map(|at| Found { at, kind: KIND, by: By::Place }));
}

/// Whether a text is what a value of `data` is: base64 of a few bytes or more.
fn is_encoded_value(value: &str) -> bool {
    const LEAST: usize = 8;
    let whole = &value.as_bytes()[..value.len() - value.len() % 4];
    value.len() >= LEAST && BASE64_ANY.decode(whole).is_ok()
}

/// The position after white space.
fn blank(scan: &Scan<'_>, at: usize) -> usize {
    at + scan.ahead(at, BETWEEN).iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

/// The strings in a map of JSON that is open at `at`, and where it ends.
fn of_json(scan: &Scan<'_>, mut at: usize) -> (Vec<Range<usize>>, usize) {
    let mut values = Vec::new();
    let string = |at: usize| (scan.byte(at) == Some(b'"')).then(|| extent::quoted(scan, at, b'"', LONGEST).at);
    while let Some(key) = string(blank(scan, at)) {
        let colon = blank(scan, key.end + 1);
        let Some(value) = string(blank(scan, colon + 1)).filter(|_| scan.byte(colon) == Some(b':')) else { break };
        at = blank(scan, value.end + 1);
        values.push(value);
        if scan.byte(at) != Some(b',') {
            break;
        }
        at += 1;
    }
    (values, at)
}

/// The values of the lines below a key of YAML that begins at `key`, and where they end.
fn of_yaml(scan: &Scan<'_>, key: usize, after: usize) -> (Vec<Range<usize>>, usize) {
    let mut values = Vec::new();
    let mut end = after + scan.spaces(after, BETWEEN);
    let outside = scan.before(key, BETWEEN).iter().rev().take_while(|&&byte| byte == b' ').count();
    let mut inside = None;
    for _ in 0..LINES {
        if scan.byte(end) != Some(b'\n') {
            break;
        }
        let line = end + 1;
        let indent = scan.spaces(line, BETWEEN);
        let first = line + indent;
        end = scan.run(first, &LINE);
        if first == end {
            continue;
        }
        if indent <= outside {
            break;
        }
        // What is deeper belongs to a value that has been seen.
        if indent != *inside.get_or_insert(indent) {
            continue;
        }
        let quoted = usize::from(matches!(scan.byte(first), Some(b'"' | b'\'')));
        let name = scan.run(first + quoted, &NAME) + quoted;
        if scan.byte(name) == Some(b':') {
            let value = name + 1 + scan.spaces(name + 1, BETWEEN);
            let value = extent::value(scan, value);
            let at = if value.style == Style::Bare { value.at.start..end } else { value.at };
            values.push(at);
        }
    }
    (values, end)
}
