//! The only way to look at a text for secrets.
//!
//! Whoever looks for one stands at a place and may look a bounded number of bytes ahead and back, or ask where a run of characters
//! ends. The last run of each alphabet is remembered, and a place inside of it has its end, so that going through a text from its
//! beginning to its end walks each byte once for each alphabet, whatever stands in it. The text itself is not handed out.

use std::cell::{Cell, OnceCell, RefCell};
use std::ops::Range;

use rustc_hash::FxHashMap;

use super::LONGEST;
use super::alphabet::{Alphabet, SLOTS};
use sandbar_text::Seam;
use sandbar_text::steps::steps;

/// Bytes that can be looked at around a place: a command line.
const AROUND: usize = 512;

/// Bytes of a value that show what it is.
pub(super) const JUDGED_MAX: usize = 160;

/// How many runs of an alphabet are remembered: a value may be several.
const REMEMBERED: usize = 12;

/// A text that secrets are looked for in.
pub(super) struct Scan<'t> {
    text: &'t str,
    /// Places where something was taken out, so that a word may begin or end there, in their order.
    seams: &'t [Seam],
    /// It is the text itself, and not another reading of it.
    pub(super) is_source: bool,
    /// The last runs of each alphabet. Most texts are short and have none that anybody asks for.
    runs: OnceCell<Box<[Runs; SLOTS]>>,
    /// Up to here base64 was looked into.
    decoded: Cell<usize>,
    /// Up to here statements were walked through.
    walked: Cell<usize>,
    /// Up to here members of JSON Web Keys were looked for.
    pub(super) web_keys: Cell<usize>,
    /// The end of the name that was looked at last.
    named: Cell<usize>,
    /// The last word that was looked for backwards, and its alphabet.
    back: Cell<(usize, usize, usize)>,
    /// The last argument that was looked at for each program.
    arguments: RefCell<FxHashMap<usize, usize>>,
}

/// The last runs of an alphabet, and which of them is the oldest.
#[derive(Default)]
struct Runs {
    last: [Cell<(usize, usize)>; REMEMBERED],
    oldest: Cell<usize>,
}

impl<'t> Scan<'t> {
    pub(super) fn new(text: &'t str, seams: &'t [Seam], is_source: bool) -> Self {
        Self {
            text,
            seams,
            is_source,
            runs: OnceCell::new(),
            decoded: Cell::new(0),
            walked: Cell::new(0),
            web_keys: Cell::new(0),
            named: Cell::new(usize::MAX),
            back: Cell::default(),
            arguments: RefCell::default(),
        }
    }

    /// Bytes of the text.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The byte at a place.
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The byte before a place.
    pub(super) fn byte_before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|before| self.byte(before))
    }

    /// At most so many bytes from a place on.
    pub(super) fn ahead(&self, at: usize, most: usize) -> &'t [u8] {
        let bytes = self.text.as_bytes();
        let (start, end) = (at.min(bytes.len()), bytes.len().min(at + most.min(AROUND)));
        steps(end.saturating_sub(start));
        &bytes[start..end]
    }

    /// At most so many bytes before a place.
    pub(super) fn behind(&self, at: usize, most: usize) -> &'t [u8] {
        let start = at.saturating_sub(most.min(AROUND));
        steps(at - start);
        &self.text.as_bytes()[start..at]
    }

    pub(super) fn starts_with(&self, at: usize, literal: &str) -> bool {
        self.ahead(at, literal.len()) == literal.as_bytes()
    }

    /// The first of some rows whose literal stands at a place.
    pub(super) fn first_of<'r, R>(&self, at: usize, rows: &'r [R], literal: impl Fn(&R) -> &str) -> Option<&'r R> {
        let here = self.byte(at)?;
        rows.iter().find(|row| literal(row).as_bytes()[0] == here && self.starts_with(at, literal(row)))
    }

    pub(super) fn starts_with_ignoring_case(&self, at: usize, literal: &str) -> bool {
        self.ahead(at, literal.len()).eq_ignore_ascii_case(literal.as_bytes())
    }

    /// Where the run of an alphabet ends that begins at a place.
    pub(super) fn run(&self, at: usize, alphabet: &Alphabet) -> usize {
        let bytes = self.text.as_bytes();
        let at = at.min(bytes.len());
        if bytes.get(at).is_none_or(|&byte| !alphabet.has(byte)) {
            return at;
        }
        let Runs { last, oldest } = &self.runs.get_or_init(Box::default)[alphabet.slot];
        if let Some((_, end)) = last.iter().map(Cell::get).find(|&(start, end)| start <= at && at < end) {
            return end;
        }
        let length = alphabet.run(&bytes[at..]);
        steps(length + 1);
        last[oldest.get()].set((at, at + length));
        oldest.set((oldest.get() + 1) % REMEMBERED);
        at + length
    }

    /// The place of the last argument that was looked at for a program; zero: there was none.
    pub(super) fn last_argument(&self, program: usize) -> usize {
        self.arguments.borrow().get(&program).copied().unwrap_or_default()
    }

    /// Notes that place.
    pub(super) fn set_last_argument(&self, program: usize, at: usize) {
        self.arguments.borrow_mut().insert(program, at);
    }

    /// Whether the name that ends at a place is another one than the last that was asked for.
    pub(super) fn is_new_name(&self, end: usize) -> bool {
        self.named.replace(end) != end
    }

    /// A run that is looked into, once: what begins inside of it is not looked into again.
    pub(super) fn once(&self, at: usize, end: usize) -> Option<&'t str> {
        if at < self.decoded.get() {
            return None;
        }
        self.decoded.set(end);
        steps(end - at);
        self.text.get(at..end)
    }

    /// Hands out the text from a place on to somebody who says how many bytes of it they have looked at. Nothing is handed out twice.
    pub(super) fn walk(&self, at: usize, look: impl FnOnce(&'t [u8]) -> usize) {
        if at >= self.walked.get() {
            let length = look(&self.text.as_bytes()[at..]);
            steps(length);
            self.walked.set(at + length);
        }
    }

    /// A part of the text, up to [`LONGEST`] bytes, that no other place leads to: whoever looks at it is the only one.
    pub(super) fn walked(&self, at: Range<usize>) -> &'t [u8] {
        let bytes = &self.text.as_bytes()[at.start..at.end.min(at.start + LONGEST)];
        steps(bytes.len());
        bytes
    }

    /// Where the word begins that ends at a place, up to [`LONGEST`] bytes before it.
    pub(super) fn word_back(&self, at: usize, alphabet: &Alphabet) -> usize {
        let (slot, last_start, last_end) = self.back.get();
        // A word that goes on from the last one begins where that one does.
        let known = if slot == alphabet.slot && last_end <= at { last_end } else { 0 };
        let limit = at.saturating_sub(LONGEST);
        let length = alphabet.run_back(&self.text.as_bytes()[limit.max(known)..at]);
        steps(length + 1);
        let start = if known > limit && at - length == known { last_start.max(limit) } else { at - length };
        self.back.set((alphabet.slot, start, at));
        start
    }

    /// How long the run of an alphabet is that ends at a place, up to so many bytes.
    pub(super) fn run_back(&self, at: usize, alphabet: &Alphabet, most: usize) -> usize {
        alphabet.run_back(self.behind(at, most))
    }

    /// As much of a value as shows what it is.
    pub(super) fn judged(&self, value: &Range<usize>) -> &'t str {
        let start = self.text.ceil_char_boundary(value.start);
        let end = self.text.floor_char_boundary(value.end.min(start + JUDGED_MAX + 1).max(start));
        steps(end - start);
        &self.text[start..end]
    }

    /// Whether something was taken out at a place.
    pub(super) fn is_seam(&self, at: usize) -> bool {
        self.seams.binary_search_by_key(&at, |seam| seam.at).is_ok()
    }

    /// Whether a word can begin at a place: nothing before it, or nothing that belongs to a word. The last letter of an escape sequence
    /// does not: `\n` and `\u003d` of JSON, `\x22` of nginx, `%3D` of a URL.
    pub(super) fn begins_word(&self, at: usize, word: &Alphabet) -> bool {
        if self.byte_before(at).is_none_or(|byte| !word.has(byte)) || self.is_seam(at) {
            return true;
        }
        let hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        match self.behind(at, 6) {
            [.., b'\\', b'n' | b'r' | b't'] => true,
            [.., b'%', one, two] | [.., b'\\', b'x', one, two] => hex(&[*one, *two]),
            [b'\\', b'u', digits @ ..] => hex(digits),
            _ => false,
        }
    }

    /// Whether a word can end at a place.
    pub(super) fn ends_word(&self, at: usize, word: &Alphabet) -> bool {
        self.byte(at).is_none_or(|byte| !word.has(byte)) || self.is_seam(at)
    }

    /// Spaces and tabs from a place on, up to so many.
    pub(super) fn spaces(&self, at: usize, most: usize) -> usize {
        self.ahead(at, most).iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }
}
