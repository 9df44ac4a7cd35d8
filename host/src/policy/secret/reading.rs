//! Other ways to read a text: as it is without the spaces that cleaning left in it, and as it is once its escapes are undone. A secret
//! that is found in one of them stands in the text itself, too, and its place there is known.

use std::ops::Range;

use memchr::{memchr, memchr3, memrchr};

use crate::policy::steps::steps;
use crate::policy::text::{Cleaned, Seam};

/// A text in other words, of those lines that read differently.
pub(super) struct Reading {
    pub(super) text: String,
    /// Where a word may begin or end although nothing shows it.
    pub(super) seams: Vec<Seam>,
    pieces: Vec<Piece>,
}

/// A part of a reading, and what it stands for: the same bytes, or fewer for an escape.
struct Piece {
    at: usize,
    source: Range<usize>,
}

impl Reading {
    fn new(capacity: usize) -> Self {
        Self { text: String::with_capacity(capacity), seams: Vec::new(), pieces: Vec::new() }
    }

    /// Adds what stands for a part of the source.
    fn push(&mut self, text: &str, source: Range<usize>) {
        steps(text.len());
        if !source.is_empty() {
            self.pieces.push(Piece { at: self.text.len(), source });
            self.text.push_str(text);
        }
    }

    /// Notes that a word may begin or end here.
    fn push_seam(&mut self) {
        self.seams.push(Seam { at: self.text.len(), is_space: false, taken: 0..0 });
    }

    /// Parts the next line from the last one, if others stand between them in the source.
    fn begin_line(&mut self, start: usize) {
        if self.pieces.last().is_some_and(|last| last.source.end != start) {
            self.pieces.push(Piece { at: self.text.len(), source: start..start });
            self.text.push('\n');
        }
    }

    /// What a place in the reading is in the source.
    pub(super) fn source(&self, at: &Range<usize>) -> Range<usize> {
        let piece = |place: usize| self.pieces.partition_point(|piece| piece.at <= place).saturating_sub(1);
        let length = |index: usize| self.pieces.get(index + 1).map_or(self.text.len(), |next| next.at) - self.pieces[index].at;
        let (first, last) = (piece(at.start), piece(at.end.saturating_sub(1)));
        let (Some(start), Some(end)) = (self.pieces.get(first), self.pieces.get(last)) else { return 0..0 };
        let is_same = |index: usize| self.pieces[index].source.len() == length(index);
        let from = if is_same(first) { start.source.start + (at.start - start.at) } else { start.source.start };
        let to = if is_same(last) { end.source.start + (at.end - end.at) } else { end.source.end };
        from..to.max(from)
    }
}

/// The lines with a space that stands for what was taken out, without it: nobody knows whether it parted two words.
pub(super) fn glued(text: &str, seams: &[Seam]) -> Option<Reading> {
    let mut reading = Reading::new(0);
    let mut spaces = seams.iter().filter(|seam| seam.is_space).map(|seam| seam.at).peekable();
    while let Some(first) = spaces.next() {
        let (start, end) = line_around(text, first, reading.pieces.last().map_or(0, |piece| piece.source.end));
        reading.begin_line(start);
        reading.push(&text[start..first], start..first);
        let mut done = first + 1;
        reading.push_seam();
        while let Some(next) = spaces.next_if(|&next| next < end) {
            reading.push(&text[done..next], done..next);
            reading.push_seam();
            done = next + 1;
        }
        reading.push(&text[done..end], done..end);
    }
    (!reading.pieces.is_empty()).then_some(reading)
}

/// A text that had to be cleaned.
pub(super) fn cleaned(cleaned: Cleaned<'_>, text: &str) -> Reading {
    let mut reading = Reading::new(text.len());
    let mut done = 0;
    for seam in &cleaned.seams {
        reading.push(&text[done..seam.taken.start], done..seam.taken.start);
        if seam.is_space {
            reading.push(" ", seam.taken.clone());
        }
        done = seam.taken.end;
    }
    reading.push(&text[done..], done..text.len());
    reading.seams = cleaned.seams;
    reading
}

/// The lines with escapes, once these are undone: those of JSON and of C, of URLs, and of HTML.
pub(super) fn unescaped(text: &str) -> Option<Reading> {
    let bytes = text.as_bytes();
    let mut reading = Reading::new(0);
    let (mut at, mut done) = (0, 0);
    // Where the line ends that is being read; none: there was no escape on it so far.
    let mut line: Option<usize> = None;
    steps(text.len());
    while let Some(found) = memchr3(b'\\', b'%', b'&', &bytes[at..]) {
        let here = at + found;
        let Some((meaning, length)) = escape(&bytes[here..bytes.len().min(here + ESCAPE_MAX)]) else {
            at = here + 1;
            continue;
        };
        if line.is_none_or(|end| here >= end) {
            if let Some(end) = line {
                reading.push(&text[done..end], done..end);
            }
            let (start, end) = line_around(text, here, line.unwrap_or(0));
            reading.begin_line(start);
            (line, done) = (Some(end), start);
        }
        reading.push(&text[done..here], done..here);
        let mut buffer = [0; 4];
        reading.push(meaning.encode_utf8(&mut buffer), here..here + length);
        at = here + length;
        done = at;
    }
    let end = line?;
    reading.push(&text[done..end], done..end);
    Some(reading)
}

/// The line that a place is on, of what follows `from`.
fn line_around(text: &str, at: usize, from: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let start = memrchr(b'\n', &bytes[from..at]).map_or(from, |end| from + end + 1);
    let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end + 1);
    steps(end - start);
    (start, end)
}

/// Bytes of the longest escape that is known: `\U0000003d`.
const ESCAPE_MAX: usize = 10;

/// What an escape stands for, and how long it is.
fn escape(bytes: &[u8]) -> Option<(char, usize)> {
    /// Entities of HTML and XML.
    const ENTITIES: &[(&[u8], char)] = &[
        (b"&quot;", '"'),
        (b"&#34;", '"'),
        (b"&apos;", '\''),
        (b"&#39;", '\''),
        (b"&lt;", '<'),
        (b"&#60;", '<'),
        (b"&gt;", '>'),
        (b"&#62;", '>'),
        (b"&amp;", '&'),
        (b"&#38;", '&'),
        (b"&#61;", '='),
        (b"&#58;", ':'),
        (b"&equals;", '='),
        (b"&colon;", ':'),
        (b"&#10;", '\n'),
        (b"&#xA;", '\n'),
        (b"&#xa;", '\n'),
        (b"&#x3D;", '='),
        (b"&#x3d;", '='),
        (b"&#x22;", '"'),
        (b"&#x27;", '\''),
        (b"&nbsp;", ' '),
    ];
    let hex = |from: usize, digits: usize| {
        let digits = std::str::from_utf8(bytes.get(from..from + digits)?).ok()?;
        let code = u32::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        // Only ASCII matters, and more of it would be a part of a character in URLs.
        char::from_u32(code).filter(|character| character.is_ascii())
    };
    match bytes {
        [b'\\', b'n', ..] => Some(('\n', 2)),
        [b'\\', b'r', ..] => Some(('\r', 2)),
        [b'\\', b't', ..] => Some(('\t', 2)),
        [b'\\', b'u', ..] => hex(2, 4).map(|character| (character, 6)),
        [b'\\', b'x', ..] => hex(2, 2).map(|character| (character, 4)),
        [b'\\', b'U', ..] => hex(2, 8).map(|character| (character, 10)),
        [b'\\', quoted @ (b'"' | b'\'' | b'\\' | b'/' | b'`'), ..] => Some((char::from(*quoted), 2)),
        [b'%', ..] => hex(1, 2).map(|character| (character, 3)),
        [b'&', ..] => {
            ENTITIES.iter().find(|(entity, _)| bytes.starts_with(entity)).map(|&(entity, character)| (character, entity.len()))
        }
        _ => None,
    }
}
