//! The only way to look at a text for secrets.
//!
//! A look starts at a position, and sees a bounded number of bytes ahead and back, or asks where a run of characters ends. The
//! last runs of each alphabet are remembered, so that going through a text walks each byte once for each alphabet, whatever the
//! text is. The text itself is not handed out.

use std::cell::{Cell, OnceCell, RefCell};
use std::ops::Range;

use rustc_hash::FxHashMap;
use sandbar_text::Seam;
use sandbar_text::steps::steps;

use super::LONGEST;
use super::alphabet::{Alphabet, SLOTS};

/// Bytes that can be seen around a position: a command line.
const AROUND: usize = 512;

/// Bytes of a value that are enough to judge it.
pub(super) const JUDGED_MAX: usize = 160;

/// Runs of an alphabet that are remembered: a value may consist of several.
const REMEMBERED: usize = 12;

/// How often a byte is walked: a statement may have no end, and the next ones stand in it.
const WALKS: usize = 8;

/// A text that is searched for secrets.
pub(super) struct Scan<'t> {
    text: &'t str,
    /// Places where text was removed, so that a word may begin or end there, in order.
    seams: &'t [Seam],
    /// Whether it is the text itself, and not another reading.
    pub(super) is_source: bool,
    /// The last runs of each alphabet. Allocated on use: most texts are short and need none.
    runs: OnceCell<Box<[Runs; SLOTS]>>,
    /// Base64 was decoded up to here.
    decoded: Cell<usize>,
    /// Statements were walked up to here, of which one may stand in another.
    walked: [Cell<usize>; WALKS],
    /// Members of JSON Web Keys were searched up to here.
    pub(super) web_keys: Cell<usize>,
    /// Maps of manifests were looked at up to here.
    pub(super) maps: Cell<usize>,
    /// Whether it says of something that it is a Secret.
    names_a_secret: OnceCell<bool>,
    /// The end of the last name that was looked at.
    named: Cell<usize>,
    /// The last result of `word_back`: alphabet, and range of the word.
    back: Cell<(usize, usize, usize)>,
    /// The last argument that was looked at, by program.
    arguments: RefCell<FxHashMap<usize, usize>>,
}

/// The last runs of an alphabet, and the index of the oldest.
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
            walked: Default::default(),
            web_keys: Cell::new(0),
            maps: Cell::new(0),
            names_a_secret: OnceCell::new(),
            named: Cell::new(usize::MAX),
            back: Cell::default(),
            arguments: RefCell::default(),
        }
    }

    /// Bytes of the text.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The byte at `at`.
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The byte before `at`.
    pub(super) fn byte_before(&self, at: usize) -> Option<u8> {
        at.checked_sub(1).and_then(|before| self.byte(before))
    }

    /// At most `most` bytes from `at` on.
    pub(super) fn ahead(&self, at: usize, most: usize) -> &'t [u8] {
        let bytes = self.text.as_bytes();
        let (start, end) = (at.min(bytes.len()), bytes.len().min(at + most.min(AROUND)));
        steps(end.saturating_sub(start));
        &bytes[start..end]
    }

    /// At most `most` bytes before `at`.
    pub(super) fn before(&self, at: usize, most: usize) -> &'t [u8] {
        let start = at.saturating_sub(most.min(AROUND));
        steps(at - start);
        &self.text.as_bytes()[start..at]
    }

    pub(super) fn starts_with(&self, at: usize, literal: &str) -> bool {
        self.ahead(at, literal.len()) == literal.as_bytes()
    }

    /// The first of the rows whose literal is at `at`.
    pub(super) fn first_of<'r, R>(&self, at: usize, rows: &'r [R], literal: impl Fn(&R) -> &str) -> Option<&'r R> {
        let here = self.byte(at)?;
        rows.iter().find(|row| literal(row).as_bytes()[0] == here && self.starts_with(at, literal(row)))
    }

    pub(super) fn starts_with_ignoring_case(&self, at: usize, literal: &str) -> bool {
        self.ahead(at, literal.len()).eq_ignore_ascii_case(literal.as_bytes())
    }

    /// The end of the run that begins at `at`.
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

    /// The position of a program's last argument that was looked at; zero if there is none.
    pub(super) fn last_argument(&self, program: usize) -> usize {
        self.arguments.borrow().get(&program).copied().unwrap_or_default()
    }

    /// Sets that position.
    pub(super) fn set_last_argument(&self, program: usize, at: usize) {
        self.arguments.borrow_mut().insert(program, at);
    }

    /// Whether the name that ends at `end` differs from the last one that was asked for.
    pub(super) fn is_new_name(&self, end: usize) -> bool {
        self.named.replace(end) != end
    }

    /// A run to decode, once: runs that begin inside of it are not returned again.
    pub(super) fn once(&self, at: usize, end: usize) -> Option<&'t str> {
        if at < self.decoded.get() {
            return None;
        }
        self.decoded.set(end);
        steps(end - at);
        self.text.get(at..end)
    }

    /// Whether some `kind` in the text is a Secret.
    pub(super) fn names_a_secret(&self) -> bool {
        const KIND: &[u8] = b"kind";
        /// Quotes, a colon and spaces between the two.
        const BETWEEN: usize = 8;
        *self.names_a_secret.get_or_init(|| {
            steps(self.len());
            memchr::memmem::find_iter(self.text.as_bytes(), b"Secret").any(|at| {
                let before = self.before(at, KIND.len() + BETWEEN);
                let key = before.trim_ascii_end();
                let between = key.iter().rev().take_while(|byte| matches!(byte, b'"' | b'\'' | b':' | b' ')).count();
                key[..key.len() - between].ends_with(KIND)
                    && !self.byte(at + "Secret".len()).is_some_and(|byte| byte.is_ascii_lowercase())
            })
        })
    }

    /// Lends the text from `at` on to `look`, which returns how many bytes it has walked. False: it was lent [`WALKS`] times already.
    pub(super) fn walk(&self, at: usize, look: impl FnOnce(&'t [u8]) -> usize) -> bool {
        let Some(walked) = self.walked.iter().find(|walked| walked.get() <= at) else { return false };
        let length = look(&self.text.as_bytes()[at..]);
        steps(length);
        walked.set(at + length);
        true
    }

    /// A part of the text, up to [`LONGEST`] bytes, that only one position leads to, so that it is looked at once.
    pub(super) fn walked(&self, at: Range<usize>) -> &'t [u8] {
        let bytes = &self.text.as_bytes()[at.start..at.end.min(at.start + LONGEST)];
        steps(bytes.len());
        bytes
    }

    /// The start of the word that ends at `at`, up to [`LONGEST`] bytes back.
    pub(super) fn word_back(&self, at: usize, alphabet: &Alphabet) -> usize {
        let (slot, last_start, last_end) = self.back.get();
        // A word that continues the last one begins where that one does.
        let known = if slot == alphabet.slot && last_end <= at { last_end } else { 0 };
        let limit = at.saturating_sub(LONGEST);
        let length = alphabet.run_back(&self.text.as_bytes()[limit.max(known)..at]);
        steps(length + 1);
        let start = if known > limit && at - length == known { last_start.max(limit) } else { at - length };
        self.back.set((alphabet.slot, start, at));
        start
    }

    /// The length of the run that ends at `at`, up to `most` bytes.
    pub(super) fn run_back(&self, at: usize, alphabet: &Alphabet, most: usize) -> usize {
        alphabet.run_back(self.before(at, most))
    }

    /// The part of a value that is enough to judge it.
    pub(super) fn judged(&self, value: &Range<usize>) -> &'t str {
        let start = self.text.ceil_char_boundary(value.start);
        let end = self.text.floor_char_boundary(value.end.min(start + JUDGED_MAX + 1).max(start));
        steps(end - start);
        &self.text[start..end]
    }

    /// Whether text was removed at `at`.
    pub(super) fn is_seam(&self, at: usize) -> bool {
        self.seams.binary_search_by_key(&at, |seam| seam.at).is_ok()
    }

    /// Whether a word can begin at `at`: nothing of a word precedes it. The last letter of an escape sequence does not count: `
    /// ` and `\u003d` of JSON, `\x22` of nginx, `%3D` of a URL.
    pub(super) fn begins_word(&self, at: usize, word: &Alphabet) -> bool {
        if self.byte_before(at).is_none_or(|byte| !word.has(byte)) || self.is_seam(at) {
            return true;
        }
        let hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        match self.before(at, 6) {
            [.., b'\\', b'n' | b'r' | b't'] => true,
            [.., b'%', one, two] | [.., b'\\', b'x', one, two] => hex(&[*one, *two]),
            [b'\\', b'u', digits @ ..] => hex(digits),
            _ => false,
        }
    }

    /// Whether a word can end at `at`.
    pub(super) fn ends_word(&self, at: usize, word: &Alphabet) -> bool {
        self.byte(at).is_none_or(|byte| !word.has(byte)) || self.is_seam(at)
    }

    /// The number of spaces and tabs from `at` on, up to `most`.
    pub(super) fn spaces(&self, at: usize, most: usize) -> usize {
        self.ahead(at, most).iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }
}
