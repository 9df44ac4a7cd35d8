//! Other readings of a text: without the spaces that cleaning left in it, and with its escapes undone. A secret that is found in
//! one of them is mapped to its place in the text.

use std::ops::Range;

use memchr::{memchr, memchr3, memrchr};
use sandbar_text::steps::steps;
use sandbar_text::{Cleaned, Seam};

/// A reading of those lines of a text that read differently.
pub(super) struct Reading {
    pub(super) text: String,
    /// Places where a word may begin or end although nothing shows it.
    pub(super) seams: Vec<Seam>,
    pieces: Vec<Piece>,
}

/// A place where a reading differs from its source. After it both are the same, up to the next one.
struct Piece {
    at: usize,
    /// Bytes that replace this part of the source.
    length: usize,
    source: Range<usize>,
}

impl Reading {
    fn new() -> Self {
        Self { text: String::new(), seams: Vec::new(), pieces: Vec::new() }
    }

    /// Adds text that replaces a part of the source.
    fn push(&mut self, text: &str, source: Range<usize>) {
        self.pieces.push(Piece { at: self.text.len(), length: text.len(), source });
        self.text.push_str(text);
    }

    /// Adds text that continues the source unchanged.
    fn copy(&mut self, text: &str) {
        steps(text.len());
        self.text.push_str(text);
    }

    /// Marks a place where a word may begin or end.
    fn push_seam(&mut self) {
        self.seams.push(Seam { at: self.text.len(), is_space: false, taken: 0..0 });
    }

    /// Continues at another place of the source, on a new line.
    fn begin_line(&mut self, start: usize) {
        self.push(if self.text.is_empty() { "" } else { "\n" }, start..start);
    }

    /// The range in the source of a range in the reading.
    pub(super) fn source(&self, at: &Range<usize>) -> Range<usize> {
        let of = |place: usize, is_end: bool| {
            let last = self.pieces.partition_point(|piece| piece.at <= place).checked_sub(1)?;
            let piece = &self.pieces[last];
            Some(match place.checked_sub(piece.at + piece.length) {
                Some(behind) => piece.source.end + behind + usize::from(is_end),
                None if is_end => piece.source.end,
                None => piece.source.start,
            })
        };
        let start = of(at.start, false).unwrap_or(at.start);
        let end = at.end.checked_sub(1).and_then(|last| of(last, true)).unwrap_or(at.end);
        start..end.max(start)
    }
}

/// The lines in which a space replaces removed text, without the space: the text may or may not have separated two words.
pub(super) fn glued(text: &str, seams: &[Seam]) -> Option<Reading> {
    let mut reading = Reading::new();
    let mut spaces = seams.iter().filter(|seam| seam.is_space).map(|seam| seam.at).peekable();
    let mut last = 0;
    while let Some(first) = spaces.next() {
        let (start, end) = line_around(text, first, last);
        last = end;
        reading.begin_line(start);
        let mut done = start;
        let mut next = Some(first);
        while let Some(space) = next {
            reading.copy(&text[done..space]);
            reading.push_seam();
            reading.push("", space..space + 1);
            done = space + 1;
            next = spaces.next_if(|&space| space < end);
        }
        reading.copy(&text[done..end]);
    }
    (last > 0).then_some(reading)
}

/// The reading of a cleaned text.
pub(super) fn cleaned(cleaned: Cleaned<'_>, text: &str) -> Reading {
    let mut reading = Reading::new();
    let mut done = 0;
    for seam in &cleaned.seams {
        reading.copy(&text[done..seam.taken.start]);
        reading.push(if seam.is_space { " " } else { "" }, seam.taken.clone());
        done = seam.taken.end;
    }
    reading.copy(&text[done..]);
    reading.seams = cleaned.seams;
    reading
}

/// The lines with escapes, undone: those of JSON and C, of URLs, and of HTML. Lines without any of `hits`, which are the
/// triggers, are included only if an escape hides more than quotes and spaces.
pub(super) fn unescaped(text: &str, hits: &[usize]) -> Option<Reading> {
    let bytes = text.as_bytes();
    let mut reading = Reading::new();
    let mut hits = hits.iter().copied().peekable();
    // The position up to which lines are handled, the current line, and whether it is included.
    let (mut at, mut line, mut is_read) = (0, (0, 0), false);
    steps(text.len());
    while let Some(found) = memchr3(b'\\', b'%', b'&', &bytes[at..]) {
        let here = at + found;
        let Some((meaning, length)) = escape(&bytes[here..bytes.len().min(here + ESCAPE_MAX)]) else {
            at = here + 1;
            continue;
        };
        if here >= line.1 {
            line = line_around(text, here, line.1);
            while hits.next_if(|&hit| hit < line.0).is_some() {}
            is_read = hits.peek().is_some_and(|&hit| hit < line.1);
        } else if is_read {
            // It was included as a whole.
            at = line.1;
            continue;
        }
        is_read |= !matches!(meaning, '"' | '\'' | '`' | '\\' | '\n' | '\r' | '\t' | ' ' | '<' | '>' | '&' | '=' | ',');
        if is_read {
            reading.begin_line(line.0);
            unescape(text, line, &mut reading);
            at = line.1;
        } else {
            at = here + length;
        }
    }
    (!reading.text.is_empty()).then_some(reading)
}

/// Adds a line with its escapes undone.
fn unescape(text: &str, (start, end): (usize, usize), reading: &mut Reading) {
    let bytes = &text.as_bytes()[..end];
    let (mut at, mut done) = (start, start);
    while let Some(found) = memchr3(b'\\', b'%', b'&', &bytes[at..]) {
        let here = at + found;
        match escape(&bytes[here..end.min(here + ESCAPE_MAX)]) {
            None => at = here + 1,
            Some((meaning, length)) => {
                reading.copy(&text[done..here]);
                reading.push(meaning.encode_utf8(&mut [0; 4]), here..here + length);
                at = here + length;
                done = at;
            }
        }
    }
    reading.copy(&text[done..end]);
}

/// The line around a position, within the text after `from`.
pub(super) fn line_around(text: &str, at: usize, from: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let start = memrchr(b'\n', &bytes[from..at]).map_or(from, |end| from + end + 1);
    let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end + 1);
    steps(end - start);
    (start, end)
}

/// Bytes of the longest known escape: `\U0000003d`.
const ESCAPE_MAX: usize = 10;

/// The character of an escape, and the escape's length.
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
        // Only ASCII matters; in URLs, more would be part of a character.
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
