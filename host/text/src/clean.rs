//! The text that may reach a client: no terminal escapes, no control characters, nothing that a reader cannot see.
//!
//! Text from a cluster is untrusted. An escape sequence can rewrite a terminal, a bidi override can make a line read backwards,
//! and Unicode tag characters can carry words that a model reads and a person does not see.
//!
//! Text that is removed between two words leaves a space, so that they stay apart, and never a line break, so that no text gets
//! lines that its author did not write. Invisible characters leave nothing.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::steps::steps;

/// How many times longer than its limit a text may be before it is cleaned: some of it may be invisible.
const RAW: usize = 4;

/// Removes terminal escape sequences, control characters (newline and tab stay), bidi controls, zero-width and Unicode tag
/// characters. Borrows if there is nothing to remove, which is the common case.
///
/// The result may be as long as the text. To keep only a part, use [`clean_line`], which bounds the work, too.
pub fn clean(text: &str) -> Cow<'_, str> {
    Cleaned::of(text).text
}

/// Formats into at most `most` bytes: clean, on one line, with an ellipsis if there is more. Formatting stops after four times as
/// many bytes.
pub fn clean_line(said: impl fmt::Display, most: usize) -> String {
    line_of(said, most, clean)
}

/// Like [`clean_line`], with the caller's way to clean.
pub fn line_of(said: impl fmt::Display, most: usize, clean: impl Fn(&str) -> Cow<'_, str>) -> String {
    let (raw, is_all) = beginning(&said, most.saturating_mul(RAW));
    let mut line = clean(&raw).replace('\n', " ");
    cut(&mut line, most, is_all);
    line
}

/// Cuts a line that is too long or incomplete, and marks it with an ellipsis.
fn cut(line: &mut String, most: usize, is_all: bool) {
    const ELLIPSIS: &str = "…";
    if is_all && line.len() <= most {
        return;
    }
    line.truncate(line.floor_char_boundary(most.saturating_sub(ELLIPSIS.len())));
    line.push_str(ELLIPSIS);
}

/// Formats into at most `most` bytes, and says whether that is all. Formatting stops there, whatever the length.
pub fn beginning(said: &impl fmt::Display, most: usize) -> (String, bool) {
    let mut beginning = Beginning { text: String::new(), most };
    let is_all = write!(beginning, "{said}").is_ok();
    (beginning.text, is_all)
}

/// A writer that stops at its limit.
struct Beginning {
    text: String,
    most: usize,
}

impl Write for Beginning {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let fits = more.floor_char_boundary(self.most - self.text.len());
        self.text.push_str(&more[..fits]);
        if fits < more.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// A clean text, and the places where something was removed.
pub struct Cleaned<'t> {
    /// The clean text.
    pub text: Cow<'t, str>,
    /// The places where something was removed, in order.
    pub seams: Vec<Seam>,
}

/// A place where something was removed from a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seam {
    /// The offset in the clean text of what follows, or of the space that replaces it.
    pub at: usize,
    /// Whether a space replaces it.
    pub is_space: bool,
    /// The range that was removed from the original text.
    pub taken: std::ops::Range<usize>,
}

impl<'t> Cleaned<'t> {
    /// Cleans a text.
    pub fn of(text: &'t str) -> Self {
        match first_unclean(text) {
            None => Self { text: Cow::Borrowed(text), seams: Vec::new() },
            Some(first) => Cleaner { text, unended: 0, out: String::with_capacity(text.len()), seams: Vec::new() }.run(first),
        }
    }
}

/// How a removed part separates its neighbours. Of several in a row, the largest counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    /// It is invisible: they stay neighbours.
    None,
    /// It may have changed the colour within a word or between two: it separates words only.
    Words,
    /// It moved the cursor: what follows was elsewhere.
    Space,
}

/// Walks a text and removes what is unclean.
struct Cleaner<'t> {
    text: &'t str,
    /// No control string ends before this offset. Without it, each of many that are only opened would search its whole line.
    unended: usize,
    out: String,
    seams: Vec<Seam>,
}

impl<'t> Cleaner<'t> {
    /// Cleans from the first unclean character on.
    fn run(mut self, first: usize) -> Cleaned<'t> {
        self.out.push_str(&self.text[..first]);
        let (mut from, mut at) = (first, first);
        let mut gap = Gap::None;
        while at < self.text.len() {
            let (end, left) = self.unclean(at);
            at = end;
            gap = gap.max(left);
            let rest = &self.text[at..];
            let next = first_unclean(rest).unwrap_or(rest.len());
            if next > 0 {
                self.join(gap, from..at);
                self.out.push_str(&rest[..next]);
                gap = Gap::None;
                at += next;
                from = at;
            }
        }
        if from < at {
            self.join(gap, from..at);
        }
        Cleaned { text: Cow::Owned(self.out), seams: self.seams }
    }

    /// Replaces a gap by a space if its neighbours have to stay apart.
    fn join(&mut self, gap: Gap, taken: std::ops::Range<usize>) {
        let (before, after) = (self.out.chars().next_back(), self.text[taken.end..].chars().next());
        let both = |is: fn(char) -> bool| before.is_some_and(is) && after.is_some_and(is);
        let is_space = match gap {
            Gap::None => false,
            Gap::Words => both(char::is_alphanumeric),
            Gap::Space => both(|character| !character.is_whitespace()),
        };
        self.seams.push(Seam { at: self.out.len(), is_space, taken });
        if is_space {
            self.out.push(' ');
        }
    }

    /// The end of the escape sequence or character at `at`, and the gap that it leaves.
    fn unclean(&mut self, at: usize) -> (usize, Gap) {
        let mut characters = self.text[at..].chars();
        let Some(character) = characters.next() else { return (self.text.len(), Gap::None) };
        let next = at + character.len_utf8();
        match character {
            '\u{1b}' => self.escape(next),
            // The 8-bit forms of CSI and of the control strings.
            '\u{9b}' => self.csi(next),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => (self.string(next), Gap::Words),
            character if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') => (next, Gap::Space),
            _ => (next, Gap::None),
        }
    }

    /// An escape sequence after ESC, by ECMA-48: a CSI sequence, a string (OSC, DCS, SOS, PM, APC), or a short sequence.
    fn escape(&mut self, at: usize) -> (usize, Gap) {
        match self.text.as_bytes().get(at) {
            Some(b'[') => self.csi(at + 1),
            Some(b']' | b'P' | b'X' | b'^' | b'_') => (self.string(at + 1), Gap::Words),
            // Intermediate bytes, then a final one: `ESC ( B` selects a character set.
            Some(0x20..=0x2f) => (self.sequence(at, 0x20..=0x2f, 0x30..=0x7e), Gap::Words),
            Some(0x30..=0x7e) => (at + 1, Gap::Space),
            _ => (at, Gap::Space),
        }
    }

    /// A control sequence: parameters, intermediate bytes, one final byte. Only those that end in `m` leave the cursor in place.
    fn csi(&self, at: usize) -> (usize, Gap) {
        let end = self.sequence(at, 0x20..=0x3f, 0x40..=0x7e);
        (end, if self.text.as_bytes()[at..end].ends_with(b"m") { Gap::Words } else { Gap::Space })
    }

    /// Bytes of one kind, and then one of another, if it is there.
    fn sequence(&self, at: usize, many: std::ops::RangeInclusive<u8>, last: std::ops::RangeInclusive<u8>) -> usize {
        let bytes = &self.text.as_bytes()[at..];
        let length = bytes.iter().position(|byte| !many.contains(byte)).unwrap_or(bytes.len());
        steps(length);
        at + length + usize::from(bytes.get(length).is_some_and(|byte| last.contains(byte)))
    }

    /// The end of the control string that begins at `at`. One that does not end on its line is not removed but for its opening: a
    /// log line must not be able to hide the lines after it.
    fn string(&mut self, at: usize) -> usize {
        if at < self.unended {
            return at;
        }
        for (offset, character) in self.text[at..].char_indices() {
            steps(1);
            let here = at + offset;
            match character {
                '\u{7}' | '\u{9c}' => return here + character.len_utf8(),
                '\u{1b}' if self.text[here + 1..].starts_with('\\') => return here + 2,
                '\n' => {
                    self.unended = here;
                    return at;
                }
                _ => {}
            }
        }
        self.unended = self.text.len();
        at
    }
}

/// The offset of the first unclean character.
fn first_unclean(text: &str) -> Option<usize> {
    // A log is nearly all ASCII: blocks of plain bytes are passed at once, and a character is decoded only if its lead byte could
    // begin a hidden one.
    let bytes = text.as_bytes();
    let mut at = plain(bytes);
    while at < bytes.len() {
        steps(1);
        match bytes[at] {
            b'\n' | b'\t' | 0x20..=0x7e => at += 1,
            0x00..=0x1f | 0x7f => return Some(at),
            _ => {
                let character = text[at..].chars().next()?;
                if is_hidden(character) {
                    return Some(at);
                }
                at += character.len_utf8();
            }
        }
    }
    None
}

/// The length of the printable ASCII, newlines and tabs at the beginning, in whole blocks of 64, then of 8.
fn plain(bytes: &[u8]) -> usize {
    let many = blocks::<64>(bytes);
    many + blocks::<8>(&bytes[many..])
}

/// The length of the plain blocks at the beginning. No early exit inside a block, so that the compiler can vectorise it.
fn blocks<const BLOCK: usize>(bytes: &[u8]) -> usize {
    let is_plain = |byte: u8| (0x20..0x7f).contains(&byte) | (byte == b'\n') | (byte == b'\t');
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let count = blocks.iter().take_while(|block| block.iter().fold(true, |all, &byte| all & is_plain(byte))).count();
    steps((count + 1) * BLOCK.min(bytes.len()));
    count * BLOCK
}

/// Invisible characters beyond ASCII: C1 controls, line separators, and Unicode 17's Default_Ignorable_Code_Point, since the
/// presence of any of them can carry a bit.
pub(super) fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{80}'..='\u{9f}'         // C1 controls
        | '\u{ad}'                  // soft hyphen
        | '\u{34f}'                 // combining grapheme joiner
        | '\u{61c}'                 // Arabic letter mark
        | '\u{115f}'..='\u{1160}'   // Hangul fillers
        | '\u{17b4}'..='\u{17b5}'   // Khmer inherent vowels
        | '\u{180b}'..='\u{180f}'   // Mongolian variation selectors and vowel separator
        | '\u{200b}'..='\u{200f}'   // zero-width space and joiners, direction marks
        | '\u{2028}'..='\u{202e}'   // line and paragraph separators, bidi embeddings and overrides
        | '\u{2060}'..='\u{206f}'   // word joiner, invisible operators, bidi isolates
        | '\u{3164}'                // Hangul filler
        | '\u{fe00}'..='\u{fe0f}'   // variation selectors: an emoji without its one is still seen
        | '\u{feff}'                // byte order mark
        | '\u{ffa0}'                // halfwidth Hangul filler
        | '\u{fff0}'..='\u{fffb}'   // unassigned, and interlinear annotation
        | '\u{1bca0}'..='\u{1bca3}' // shorthand format controls
        | '\u{1d173}'..='\u{1d17a}' // musical format controls
        | '\u{e0000}'..='\u{e0fff}' // tags and variation selectors supplement
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_borrowed() {
        let text = "línea uno\n\tzwei – drei 日本語 🚀\n";
        assert!(matches!(clean(text), Cow::Borrowed(_)));
    }

    #[test]
    fn escape_sequences_go_as_a_whole() {
        assert_eq!(clean("\u{1b}[31merror\u{1b}[0m: x"), "error: x");
        assert_eq!(clean("a\u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{1b}\\b"), "a link b");
        assert_eq!(clean("\u{1b}(Bplain\u{1b}7"), "plain");
        assert_eq!(clean("\u{9b}1mbold"), "bold");
        assert_eq!(clean("cut\u{1b}["), "cut");
        assert_eq!(clean("cut\u{1b}"), "cut");
    }

    #[test]
    fn an_unended_string_does_not_hide_the_next_line() {
        assert_eq!(clean("\u{1b}]0;title\nline two\u{7}"), "0;title\nline two");
    }

    #[test]
    fn strings_that_are_only_opened_are_looked_through_once() {
        // It would take minutes if each of them searched for its end again.
        for opened in ["\u{1b}]", "\u{9d}", "\u{1b}Px", "\u{9d}\u{1b}["] {
            let text = opened.repeat((1 << 20) / opened.len());
            assert!(clean(&text).bytes().all(|byte| matches!(byte, b'x' | b' ')));
            assert_eq!(clean(&format!("{text}\n\u{1b}]0;title\u{7}end")).trim_start_matches(['x', ' ']), "\nend");
        }
    }

    #[test]
    fn hidden_characters_are_removed() {
        assert_eq!(clean("a\u{fe0f}\u{fe00}b\u{34f}c\u{3164}d\u{180b}e\u{115f}f\u{ffa0}g\u{17b4}h\u{e01ef}i"), "abcdefghi");
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{2066}d\u{e0041}e\u{feff}f\u{0}g\rh\u{8}i"), "abcdef g h i");
    }

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(clean_line("one\r\ntwo\u{1b}[2J", 64), "one two");
    }
}
