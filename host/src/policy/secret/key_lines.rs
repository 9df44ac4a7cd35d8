//! Private keys in PEM (RFC 7468, and the forms of OpenSSH and OpenPGP), which go over many lines and may be cut at both ends.
//!
//! Line by line, because a log arrives so: every line of a key becomes a mask of its own, so that lines can be counted before and
//! after. Where the text may begin inside a key - the tail of a log does - lines that could be a part of one are held back until
//! what follows shows what they are.

use std::borrow::Cow;

use memchr::memmem;

use super::alphabet::BASE64;
use super::masked;

/// What a mask calls a key.
const KIND: &str = "private key";

/// The text that all labels of private keys have in common: `RSA PRIVATE KEY`, `OPENSSH PRIVATE KEY`, `PGP PRIVATE KEY BLOCK`.
const LABEL: &[u8] = b"PRIVATE KEY";

/// Bytes between the beginning of a boundary and its label: `-----BEGIN ENCRYPTED `.
const BOUNDARY_MAX: usize = 40;

/// Lines of a key that are followed before its end is given up: RSA with 16,384 bits has 200.
const LINES_MAX: u32 = 400;

/// Lines of others between two lines of a key: standard output and standard error come in one log.
const OTHERS_MAX: u32 = 8;

/// Bytes of a line that can be a part of a key: 64 or 76 by the standards, more where somebody has joined them.
const LINE_MAX: usize = 16 * 1024;

/// What is known of the place where a text begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// It is the beginning of something.
    Known,
    /// It may be the middle of a key.
    Anywhere,
}

/// Masks private keys in a text that comes in pieces of whole lines.
#[derive(Debug)]
pub(super) struct KeyLines {
    state: State,
    beginning: Beginning,
}

#[derive(Debug)]
enum State {
    /// At the beginning, which may be inside of a key: these lines could be a part of it.
    Held(Vec<String>),
    /// Outside of a key.
    Outside,
    /// Inside of a key, so many lines after its beginning.
    Inside { lines: u32, others: u32, words_before: usize },
}

/// Where a line says that a key begins or ends.
enum Boundary {
    /// At this byte a key begins, and it goes on at this one, behind the boundary.
    Begin { at: usize, body: usize },
    /// A key ends before this byte.
    End { at: usize },
}

/// Whether a text says anything about private keys.
pub(super) fn mentions_a_key(text: &str) -> bool {
    memmem::find(text.as_bytes(), LABEL).is_some()
}

impl KeyLines {
    /// For a text that begins like this.
    pub(super) fn new(beginning: Beginning) -> Self {
        Self { state: State::Held(Vec::new()), beginning }
    }

    /// The lines without private keys. Some may be held back.
    pub(super) fn mask<'t>(&mut self, lines: &'t str) -> Cow<'t, str> {
        if matches!(self.state, State::Held(_)) && self.beginning == Beginning::Known {
            // Only an end without a beginning makes one look back.
            if !mentions_a_key(lines) {
                return Cow::Borrowed(lines);
            }
        }
        if matches!(self.state, State::Outside) && !mentions_a_key(lines) {
            return Cow::Borrowed(lines);
        }
        let mut out = String::with_capacity(lines.len());
        let mut rest = lines;
        while !rest.is_empty() {
            if matches!(self.state, State::Outside) && !mentions_a_key(rest) {
                out.push_str(rest);
                break;
            }
            let end = memchr::memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            self.line(line, &mut out);
            rest = after;
        }
        if out == lines { Cow::Borrowed(lines) } else { Cow::Owned(out) }
    }

    /// What was held back, once the text has ended.
    pub(super) fn finish(&mut self) -> String {
        let mut out = String::new();
        self.release(&mut out);
        out
    }

    fn line(&mut self, line: &str, out: &mut String) {
        match (boundary(line), &mut self.state) {
            (Some(Boundary::Begin { at, body }), _) => {
                self.release(out);
                self.begin(line, at, body, out);
            }
            (Some(Boundary::End { at }), State::Held(_)) => {
                self.mask_held(out);
                // The end of the body may stand on the same line.
                let body = line[..at].rfind(|c: char| !is_of_body(c)).map_or(0, |before| before + 1);
                let body = line.ceil_char_boundary(body);
                push_masked(&line[..body], &line[body..at], &line[at..], out);
                self.state = State::Outside;
            }
            (Some(Boundary::End { at }), State::Inside { .. }) => {
                push_masked("", &line[..at], &line[at..], out);
                self.state = State::Outside;
            }
            (None, State::Held(held)) => match body(line, None) {
                Some(_) if held.len() < LINES_MAX as usize => held.push(line.to_owned()),
                _ if is_public_end(line) => {
                    let held = std::mem::take(held);
                    held.iter().for_each(|line| out.push_str(line));
                    out.push_str(line);
                    self.state = State::Outside;
                }
                _ => {
                    self.release(out);
                    out.push_str(line);
                }
            },
            (None, State::Inside { lines, others, words_before }) => {
                *lines += 1;
                match body(line, Some(*words_before)) {
                    Some(at) => {
                        *others = 0;
                        push_masked(&line[..at.start], &line[at.clone()], &line[at.end..], out);
                    }
                    None => {
                        *others += u32::from(!line.trim().is_empty());
                        out.push_str(line);
                    }
                }
                if *lines > LINES_MAX || *others > OTHERS_MAX {
                    self.state = State::Outside;
                }
            }
            (_, State::Outside) => out.push_str(line),
        }
    }

    /// A line on which a key begins, and perhaps ends.
    fn begin(&mut self, line: &str, at: usize, body: usize, out: &mut String) {
        let rest = &line[body..];
        if let Some(Boundary::End { at: end }) = boundary(rest) {
            out.push_str(&line[..body]);
            push_masked("", &rest[..end], "", out);
            self.state = State::Outside;
            // A second key may follow on the same line.
            self.line(&rest[end..], out);
            return;
        }
        let key = rest.find(|c: char| !is_of_body(c)).map_or(rest, |end| &rest[..end]);
        push_masked(&line[..body], key, &rest[key.len()..], out);
        let words_before = line[..at].split_whitespace().count();
        self.state = State::Inside { lines: 0, others: 0, words_before };
    }

    /// Lets go of what was held: it was no key as far as one can tell, unless it is as random as one.
    fn release(&mut self, out: &mut String) {
        if let State::Held(held) = std::mem::replace(&mut self.state, State::Outside) {
            for line in held {
                match body(&line, None).filter(|at| self.beginning == Beginning::Anywhere && is_random(&line[at.clone()])) {
                    Some(at) => push_masked(&line[..at.start], &line[at.clone()], &line[at.end..], out),
                    None => out.push_str(&line),
                }
            }
        }
    }

    fn mask_held(&mut self, out: &mut String) {
        if let State::Held(held) = &mut self.state {
            for line in std::mem::take(held) {
                if let Some(at) = body(&line, None) {
                    push_masked(&line[..at.start], &line[at.clone()], &line[at.end..], out);
                }
            }
        }
    }
}

fn push_masked(before: &str, key: &str, after: &str, out: &mut String) {
    out.push_str(before);
    if !key.trim().is_empty() {
        out.push_str(&masked(KIND));
    }
    out.push_str(after);
}

/// The first boundary of a private key on a line.
fn boundary(line: &str) -> Option<Boundary> {
    let bytes = line.as_bytes();
    memmem::find_iter(bytes, LABEL).find_map(|label| {
        let before = &bytes[label.saturating_sub(BOUNDARY_MAX)..label];
        let start = label - before.len();
        let begin = memmem::rfind(before, b"--BEGIN ").or_else(|| memmem::rfind(before, b"-- BEGIN "));
        let end = memmem::rfind(before, b"--END ").or_else(|| memmem::rfind(before, b"-- END "));
        let dashes = |at: usize| bytes[..start + at].iter().rposition(|&byte| byte != b'-').map_or(0, |last| last + 1);
        match (begin, end) {
            (Some(begin), end) if end.is_none_or(|end| end < begin) => {
                let label_end = label + LABEL.len();
                let closing = bytes[label_end..].iter().take_while(|&&byte| byte != b'-').count().min(" BLOCK ".len());
                let body = label_end + closing;
                let body = body + bytes[body..].iter().take_while(|&&byte| byte == b'-').count();
                Some(Boundary::Begin { at: dashes(begin), body: line.floor_char_boundary(body) })
            }
            (_, Some(end)) => Some(Boundary::End { at: dashes(end) }),
            _ => None,
        }
    })
}

/// Whether a line ends something that may be seen, a certificate for example.
fn is_public_end(line: &str) -> bool {
    line.contains("-----END ")
}

/// Whether a character can be a part of a key's body on one line, where line breaks are written as `\n`.
fn is_of_body(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\\')
}

/// The part of a line that is a line of a key: its last word, if it has as many words before it as the line with the beginning had,
/// or at most a time stamp where that line is not known.
fn body(line: &str, words_before: Option<usize>) -> Option<std::ops::Range<usize>> {
    let trimmed = line.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ','));
    let start = trimmed.rfind(char::is_whitespace).map_or(0, |space| space + 1);
    let word = trimmed[start..].trim_start_matches(['"', '\'']);
    let start = trimmed.len() - word.len();
    if word.is_empty() || word.len() > LINE_MAX || !word.chars().all(is_of_body) || !word.bytes().any(|byte| BASE64.has(byte)) {
        return None;
    }
    let mut before = trimmed[..start].split_whitespace();
    let fits = match words_before {
        Some(words) => before.clone().count() == words || before.next().is_none(),
        None => before.next().is_none_or(is_time_stamp) && before.next().is_none(),
    };
    fits.then_some(start..start + word.len())
}

/// Whether a word is a time stamp as the kubelet writes them (RFC 3339).
fn is_time_stamp(word: &str) -> bool {
    word.len() >= 20 && word.as_bytes()[10] == b'T' && word[..4].bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a word has all that random base64 of a line's length has.
fn is_random(word: &str) -> bool {
    /// The shortest line that is not the last one of a key.
    const LEAST: usize = 40;
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    word.len() >= LEAST && has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}
