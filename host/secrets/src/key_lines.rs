//! Private keys in PEM (RFC 7468, and the forms of OpenSSH and OpenPGP), which span many lines and may be cut at both ends.
//!
//! They are masked line by line, because a log arrives so; every line of a key becomes a mask of its own, which keeps the number
//! of lines. A text that may begin inside a key, such as the tail of a log, has its first lines held back until what follows
//! shows what they are. A PEM file in base64 is followed in the same way, and so are the private lines of a PuTTY key.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use memchr::{memmem, memrchr};
use sandbar_text::steps::steps;

use super::alphabet::BASE64;
use super::masked;
use super::values::BASE64_ANY;

/// The name of a key in a mask.
const KIND: &str = "private key";

/// The mask of a key.
const MASK: &str = "[masked: private key]";

/// Common to all labels of private keys: `RSA PRIVATE KEY`, `OPENSSH PRIVATE KEY`, `PGP PRIVATE KEY BLOCK`.
const LABEL: &[u8] = b"PRIVATE KEY";

/// The beginning of a PEM file in base64: https://kubernetes.io/docs/concepts/configuration/secret/#tls-secrets
const ENCODED_BEGIN: &[u8] = b"LS0tLS1CRUdJTi";

/// `PRIVATE KEY` in base64 without its ends, at each of the three alignments.
const ENCODED_LABELS: [&[u8]; 3] = [b"UFJJVkFURSBLRV", b"BSSVZBVEUgS0VZ", b"QUklWQVRFIEtFW"];

/// The line before the private part of a PuTTY key.
const PUTTY: &[u8] = b"Private-Lines: ";

/// The beginnings of everything that is followed here.
static MENTIONS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    // Fails only for more patterns than a 32-bit number can count.
    #[allow(clippy::unwrap_used, reason = "the patterns are constants, and every test builds them")]
    AhoCorasick::new([LABEL, ENCODED_BEGIN, PUTTY]).unwrap()
});

/// Bytes between the beginning of a boundary and its label: `-----BEGIN ENCRYPTED `.
const BOUNDARY_MAX: usize = 40;

/// Lines after which a key without an end is given up: RSA with 16,384 bits has 200.
const LINES_MAX: u32 = 400;

/// Foreign lines between two lines of a key: standard output and standard error share a log.
const OTHERS_MAX: u32 = 8;

/// Bytes of a line of a key: 64 or 76 by the standards, more if lines were joined.
const LINE_MAX: usize = 16 * 1024;

/// Bytes of lines that are held back: the longest key has some 12 KiB, and foreign lines are between its own.
const HELD_MAX: usize = 256 * 1024;

/// Bytes of a line of a key, except for its last.
const LEAST: usize = 40;

/// Bytes of the shortest piece of a body that is masked by itself.
const PIECE: usize = 16;

/// What is known of the beginning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
    /// It is not inside a key.
    Known,
    /// It may be inside a key.
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
    /// At the beginning, which may be inside a key.
    Held(Held),
    /// Outside a key.
    Outside,
    /// Inside a key.
    Inside(Inside),
}

/// Lines that could belong to a key, and foreign lines between them.
#[derive(Debug, Default)]
struct Held {
    lines: Vec<String>,
    bytes: usize,
    /// Foreign lines in a row.
    others: u32,
}

/// A key whose beginning was seen.
#[derive(Debug, Default)]
struct Inside {
    /// Lines since its beginning.
    lines: u32,
    /// Foreign lines in a row.
    others: u32,
    /// Words before its beginning, a time stamp for example.
    words_before: usize,
    /// Whether a part of its body was seen: else it may only be mentioned.
    has_body: bool,
    /// Set if the whole file is in base64.
    encoded: Option<Encoded>,
}

/// A PEM file in base64.
#[derive(Debug)]
struct Encoded {
    /// Whether no private key was seen in it so far, but certificates for example.
    is_public: bool,
    /// The end of its last line: a label may span two.
    tail: String,
    /// The length of its lines, in bytes. The last one is shorter.
    width: usize,
}

/// The beginning or end of a key on a line.
enum Boundary {
    /// A key begins at `at`; `body` is the end of the boundary.
    Begin { at: usize, body: usize },
    /// A key ends before `at`, and its end's label before `label`. Dashes that follow may belong to another key.
    End { at: usize, label: usize },
    /// A PEM file in base64.
    Encoded { at: Range<usize>, is_public: bool },
}

/// Whether a text mentions private keys.
pub(super) fn mentions_a_key(text: &str) -> bool {
    mention(text).is_some()
}

/// The position of the first mention.
fn mention(text: &str) -> Option<usize> {
    let found = MENTIONS.find(text).map(|hit| hit.start());
    steps(found.unwrap_or(text.len()));
    found
}

impl KeyLines {
    /// For a text with this beginning.
    pub(super) fn new(beginning: Beginning) -> Self {
        Self { state: State::Held(Held::default()), beginning }
    }

    /// The lines without private keys. Some may be held back.
    pub(super) fn mask<'t>(&mut self, lines: &'t str) -> Cow<'t, str> {
        steps(lines.len());
        // With a known beginning, only an end without a beginning looks back.
        let may_skip = match self.state {
            State::Held(_) => self.beginning == Beginning::Known,
            State::Outside => true,
            State::Inside(_) => false,
        };
        if may_skip && !mentions_a_key(lines) {
            return Cow::Borrowed(lines);
        }
        let mut out = String::with_capacity(lines.len());
        let mut rest = lines;
        while !rest.is_empty() {
            if matches!(self.state, State::Outside) {
                // The text before a mention is passed at once, not line by line.
                let Some(label) = mention(rest) else {
                    out.push_str(rest);
                    break;
                };
                let (before, line) = rest.split_at(memrchr(b'\n', &rest.as_bytes()[..label]).map_or(0, |end| end + 1));
                out.push_str(before);
                rest = line;
            }
            let end = memchr::memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |at| at + 1);
            let (line, after) = rest.split_at(end);
            steps(4 * line.len());
            self.line(line, &mut out);
            rest = after;
        }
        if out == lines { Cow::Borrowed(lines) } else { Cow::Owned(out) }
    }

    /// The lines that were held back, once the text has ended.
    pub(super) fn finish(&mut self) -> String {
        let mut out = String::new();
        self.release(&mut out);
        out
    }

    /// Masks one line, on which any number of keys may begin and end.
    fn line(&mut self, line: &str, out: &mut String) {
        // Within a file in base64, another beginning is that of its next part.
        if let State::Inside(inside) = &mut self.state
            && inside.encoded.is_some()
            && body(line, Some(inside.words_before)).is_some()
        {
            if inside.line(line, out) {
                self.state = State::Outside;
            }
            return;
        }
        let mut rest = line;
        // The position on this line, of which `rest` is the end, where the key began.
        let mut begun = None;
        while let Some(boundary) = boundary(rest) {
            match boundary {
                Boundary::Begin { at, body } => {
                    self.release(out);
                    if matches!(self.state, State::Inside(_)) {
                        push_runs(&rest[..at], begun.is_some(), begun.is_some(), false, out);
                    } else {
                        out.push_str(&rest[..at]);
                    }
                    out.push_str(&rest[at..body]);
                    begun = Some(line.len() - rest.len() + at);
                    self.state = State::Inside(Inside::default());
                    rest = &rest[body..];
                }
                Boundary::End { at, label } => {
                    match &mut self.state {
                        State::Inside(_) => push_masked("", &rest[..at], "", out),
                        State::Held(held) => {
                            let has_body = mask_held(&std::mem::take(held), out);
                            push_runs(&rest[..at], has_body, false, true, out);
                        }
                        State::Outside => _ = push_runs(&rest[..at], false, false, true, out),
                    }
                    out.push_str(&rest[at..label]);
                    begun = None;
                    self.state = State::Outside;
                    rest = &rest[label..];
                }
                Boundary::Encoded { at, is_public } => {
                    self.release(out);
                    if matches!(self.state, State::Inside(_)) {
                        push_runs(&rest[..at.start], begun.is_some(), begun.is_some(), false, out);
                    } else {
                        out.push_str(&rest[..at.start]);
                    }
                    out.push_str(if is_public { &rest[at.clone()] } else { MASK });
                    let tail =
                        rest[..at.end].get(at.end.saturating_sub(ENCODED_BEGIN.len())..at.end).unwrap_or_default().to_owned();
                    let encoded = Encoded { is_public, tail, width: at.len() };
                    let start = line.len() - rest.len() + at.start;
                    rest = &rest[at.end..];
                    // The file continues on the next line if nothing follows it here.
                    let goes_on = rest.bytes().all(|byte| matches!(byte, b'"' | b'\'' | b',' | b' ' | b'\n'));
                    self.state = State::Outside;
                    if goes_on {
                        let words_before = line[..start].split_whitespace().count();
                        let inside = Inside { encoded: Some(encoded), words_before, has_body: true, ..Inside::default() };
                        self.state = State::Inside(inside);
                    }
                    if goes_on {
                        out.push_str(rest);
                        return;
                    }
                }
            }
        }
        match &mut self.state {
            State::Outside => out.push_str(rest),
            State::Held(_) => self.hold(rest, out),
            State::Inside(inside) => match begun {
                Some(at) => {
                    inside.words_before = line[..at].split_whitespace().count();
                    inside.has_body = push_runs(rest, false, true, false, out);
                }
                None if inside.line(rest, out) => self.state = State::Outside,
                None => {}
            },
        }
    }

    /// Holds a line back until what follows shows what it is.
    fn hold(&mut self, line: &str, out: &mut String) {
        let State::Held(held) = &mut self.state else { return };
        if is_public_end(line) {
            held.lines.iter().for_each(|line| out.push_str(line));
            out.push_str(line);
            self.state = State::Outside;
            return;
        }
        let is_of_key = body(line, None).is_some() || runs(line).any(|run| run.len() >= LEAST);
        held.others = if is_of_key { 0 } else { held.others + u32::from(!line.trim().is_empty()) };
        held.bytes += line.len();
        let has_room = held.lines.len() < LINES_MAX as usize && held.bytes <= HELD_MAX;
        if has_room && held.others <= OTHERS_MAX && !line.contains("-----BEGIN ") {
            held.lines.push(line.to_owned());
        } else {
            self.release(out);
            out.push_str(line);
        }
    }

    /// Releases the held lines. They are not known to be a key, but lines as random as one are masked.
    fn release(&mut self, out: &mut String) {
        let State::Held(held) = &mut self.state else { return };
        for line in std::mem::take(&mut held.lines) {
            match body(&line, None).filter(|at| self.beginning == Beginning::Anywhere && is_random(&line[at.clone()])) {
                Some(at) => push_masked(&line[..at.start], &line[at.clone()], &line[at.end..], out),
                None => out.push_str(&line),
            }
        }
        self.state = State::Outside;
    }
}

impl Inside {
    /// Masks a line after the first. Returns whether the key is given up.
    fn line(&mut self, line: &str, out: &mut String) -> bool {
        self.lines += 1;
        if let Some(encoded) = &mut self.encoded {
            return encoded.line(line, self.words_before, &mut self.others, out) || self.lines > LINES_MAX;
        }
        let is_of_key = push_body(line, Some(self.words_before), self.has_body, out);
        self.has_body |= is_of_key;
        self.others = if is_of_key { 0 } else { self.others + u32::from(!line.trim().is_empty()) };
        self.lines > LINES_MAX || self.others > OTHERS_MAX
    }
}

impl Encoded {
    /// Masks the next line. Returns whether the file is over.
    fn line(&mut self, line: &str, words_before: usize, others: &mut u32, out: &mut String) -> bool {
        let Some(at) = body(line, Some(words_before)).filter(|at| BASE64.run(&line.as_bytes()[at.clone()]) == at.len()) else {
            out.push_str(line);
            *others += u32::from(!line.trim().is_empty());
            return *others > OTHERS_MAX;
        };
        *others = 0;
        let word = &line[at.clone()];
        if self.is_public {
            let joined = std::mem::take(&mut self.tail) + word;
            self.is_public = !has_encoded_label(joined.as_bytes());
            let keep = joined.len().saturating_sub(ENCODED_BEGIN.len());
            self.tail = joined.get(keep..).unwrap_or_default().to_owned();
        }
        if self.is_public {
            out.push_str(line);
        } else {
            push_masked(&line[..at.start], word, &line[at.end..], out);
        }
        word.len() < self.width
    }
}

fn has_encoded_label(text: &[u8]) -> bool {
    ENCODED_LABELS.iter().any(|label| memmem::find(text, label).is_some())
}

/// Masks the held lines, after an end has shown that they belong to a key. Returns whether one of them does.
fn mask_held(held: &Held, out: &mut String) -> bool {
    let mut has_body = false;
    for line in &held.lines {
        has_body |= push_body(line, None, has_body, out);
    }
    has_body
}

/// Writes a line with its part of a key masked. Returns whether there is one.
///
/// A short word can be the end of a body, whose length is a multiple of four; before a body was seen it is foreign, unless it
/// looks like base64.
fn push_body(line: &str, words_before: Option<usize>, has_body: bool, out: &mut String) -> bool {
    let is_of_key = |word: &str| {
        let is_end = has_body && (word.len().is_multiple_of(4) || word.contains('\\'));
        is_end || word.len() >= LEAST || looks_like_base64(word)
    };
    match body(line, words_before).filter(|at| is_of_key(&line[at.clone()])) {
        Some(at) => {
            push_masked(&line[..at.start], &line[at.clone()], &line[at.end..], out);
            true
        }
        None => push_runs(line, has_body, false, false, out),
    }
}

/// Writes a part of a line with masks: for each long run of base64, for the last run if it looks like the end of a body, and for
/// runs next to the beginning or end of a key. Returns whether there was one.
fn push_runs(text: &str, has_body: bool, after_begin: bool, before_end: bool, out: &mut String) -> bool {
    steps(text.len());
    let mut done = 0;
    let mut has_body = has_body;
    let mut found = false;
    let last = text.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '}' | ']' | ')' | ',')).len();
    for run in runs(text) {
        let is_last = run.end == last && has_body && looks_like_base64(&text[run.clone()]);
        // After a beginning, a body may be split anywhere.
        let is_piece = after_begin && run.len() >= PIECE && looks_like_base64(&text[run.clone()]);
        let touches = is_piece || after_begin && run.start == 0 || before_end && run.end == text.len();
        if run.len() >= LEAST || is_last || touches {
            push_masked(&text[done..run.start], &text[run.clone()], "", out);
            done = run.end;
            (has_body, found) = (true, true);
        }
    }
    out.push_str(&text[done..]);
    found
}

/// The runs of body characters in a text.
fn runs(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(is_of_body)?;
        at = text[start..].find(|c| !is_of_body(c)).map_or(text.len(), |length| start + length);
        Some(start..at)
    })
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
    let mut looked = 0;
    MENTIONS.find_iter(line).find_map(|hit| {
        let label = hit.start();
        steps(hit.end() - std::mem::replace(&mut looked, hit.end()));
        if hit.pattern().as_usize() == 1 {
            return Some(encoded(bytes, label));
        }
        if hit.pattern().as_usize() == 2 {
            let body = hit.end() + bytes[hit.end()..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            return Some(Boundary::Begin { at: label, body });
        }
        let before = &bytes[label.saturating_sub(BOUNDARY_MAX)..label];
        let start = label - before.len();
        let begin = memmem::rfind(before, b"--BEGIN ").or_else(|| memmem::rfind(before, b"-- BEGIN "));
        let end = memmem::rfind(before, b"--END ").or_else(|| memmem::rfind(before, b"-- END "));
        let dashes = |at: usize| bytes[..start + at].iter().rposition(|&byte| byte != b'-').map_or(0, |last| last + 1);
        let label_end = label + LABEL.len();
        match (begin, end) {
            (Some(begin), end) if end.is_none_or(|end| end < begin) => {
                let closing = if bytes[label_end..].starts_with(b" BLOCK") { label_end + " BLOCK".len() } else { label_end };
                let body = closing + bytes[closing..].iter().take_while(|&&byte| byte == b'-').count();
                Some(Boundary::Begin { at: dashes(begin), body })
            }
            (_, Some(end)) => Some(Boundary::End { at: dashes(end), label: label_end }),
            _ => None,
        }
    })
}

/// The PEM file in base64 at a position. From outside, certificates look the same.
fn encoded(bytes: &[u8], at: usize) -> Boundary {
    /// Bytes that have the label of every key with which a file can begin: `-----BEGIN ENCRYPTED PRIVATE KEY`.
    const LABEL_MAX: usize = 48;
    let file = &bytes[at..at + BASE64.run(&bytes[at..])];
    steps((1 + ENCODED_LABELS.len()) * file.len());
    let head = &file[..file.len().min(LABEL_MAX) / 4 * 4];
    let is_key = BASE64_ANY.decode(head).is_ok_and(|decoded| memmem::find(&decoded, LABEL).is_some()) || has_encoded_label(file);
    Boundary::Encoded { at: at..at + file.len(), is_public: !is_key }
}

/// Whether a line ends something public, a certificate for example.
fn is_public_end(line: &str) -> bool {
    line.contains("-----END ")
}

/// Whether a character can be in a key's body on one line, with line breaks written as `
/// `.
fn is_of_body(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '\\')
}

/// The part of a line that belongs to a key: its last word, if as many words precede it as on the key's first line, or at most a
/// time stamp if that line is not known.
fn body(line: &str, words_before: Option<usize>) -> Option<Range<usize>> {
    let trimmed = line.trim_end_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ','));
    let word = trimmed.rsplit(char::is_whitespace).next().unwrap_or_default();
    let start = trimmed.len() - word.len();
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

/// Whether a word is a time stamp of the kubelet (RFC 3339).
fn is_time_stamp(word: &str) -> bool {
    word.len() >= 20 && word.as_bytes()[10] == b'T' && word.as_bytes()[..4].iter().all(u8::is_ascii_digit)
}

/// Whether a word of a line's length looks like random base64.
fn is_random(word: &str) -> bool {
    word.len() >= LEAST && has_all_kinds(word)
}

/// Whether a word is likelier base64 than a word of a language.
fn looks_like_base64(word: &str) -> bool {
    has_all_kinds(word) || (word.ends_with('=') && word.len().is_multiple_of(4))
}

/// Whether a word has digits, small letters and capital letters.
fn has_all_kinds(word: &str) -> bool {
    let has = |is: fn(&u8) -> bool| word.as_bytes().iter().any(is);
    has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}
