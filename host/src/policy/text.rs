//! The text that may reach a client: no terminal escapes, no control characters, nothing that a reader cannot see.
//!
//! Text from a cluster is data that somebody else wrote. An escape sequence can rewrite a terminal, a bidi override can make a
//! line read backwards, and Unicode tag characters can carry words that a model reads and a person does not.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::secret;

/// Removes terminal escape sequences, control characters (newline and tab stay), bidi controls, zero-width and Unicode tag
/// characters. Borrows where there is nothing to remove, which is the common case.
pub fn clean(text: &str) -> Cow<'_, str> {
    let Some(first) = first_unclean(text) else { return Cow::Borrowed(text) };
    let mut cleaned = String::with_capacity(text.len());
    let mut skip = Skip { text, unended: 0 };
    let mut rest = text;
    let mut next = Some(first);
    while let Some(at) = next {
        cleaned.push_str(&rest[..at]);
        rest = skip.unclean(&rest[at..]);
        next = first_unclean(rest);
    }
    cleaned.push_str(rest);
    Cow::Owned(cleaned)
}

/// [`clean`], and line breaks become spaces: for text that has to stay on its line.
pub fn clean_line(text: &str) -> String {
    clean(text).replace(['\n', '\r'], " ")
}

/// Somebody else's words inside of a message of ours: clean, on one line, without secrets.
pub fn quotable(words: &str) -> String {
    secret::mask(&clean_line(words)).into_owned()
}

/// The first bytes of what something says, up to so many, and whether that is all. Whoever writes it is stopped where there is enough, so it
/// may be of any length.
pub fn beginning(said: &impl fmt::Display, most: usize) -> (String, bool) {
    let mut beginning = Beginning { text: String::new(), most };
    let is_all = write!(beginning, "{said}").is_ok();
    (beginning.text, is_all)
}

/// Takes text until there is enough.
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

/// The byte offset of the first character that has to go.
fn first_unclean(text: &str) -> Option<usize> {
    // ASCII is nearly all of a log, and this loop is what a 1 MiB log costs: look at bytes, and at a character only where a
    // lead byte says that one of the ranges below may begin.
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        match byte {
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

/// A way through a text over what has to go.
struct Skip<'t> {
    text: &'t str,
    /// Up to this byte no control string is ended. Without it, each of many that are only opened would look through its whole line.
    unended: usize,
}

impl<'t> Skip<'t> {
    /// The text after the unclean run that the rest begins with: one whole escape sequence, or one character.
    fn unclean(&mut self, rest: &'t str) -> &'t str {
        let mut characters = rest.chars();
        match characters.next() {
            Some('\u{1b}') => self.escape(characters.as_str()),
            // The 8-bit forms of CSI and OSC.
            Some('\u{9b}') => skip_csi(characters.as_str()),
            Some('\u{9d}') => self.string(characters.as_str()),
            _ => characters.as_str(),
        }
    }

    /// What follows ESC, per ECMA-48: CSI sequences, strings (OSC, DCS, SOS, PM, APC), or a short sequence.
    fn escape(&mut self, rest: &'t str) -> &'t str {
        match rest.as_bytes().first() {
            Some(b'[') => skip_csi(&rest[1..]),
            Some(b']' | b'P' | b'X' | b'^' | b'_') => self.string(&rest[1..]),
            // Intermediate bytes, then a final one: `ESC ( B` selects a character set.
            Some(0x20..=0x2f) => {
                let after = rest.trim_start_matches(|c| ('\u{20}'..='\u{2f}').contains(&c));
                after.strip_prefix(|c| ('\u{30}'..='\u{7e}').contains(&c)).unwrap_or(after)
            }
            Some(0x30..=0x7e) => &rest[1..],
            _ => rest,
        }
    }

    /// The rest of a control string, up to its terminator. One that is not ended on its line is only opened, never swallowed: a log
    /// line must not be able to hide the lines after it.
    fn string(&mut self, rest: &'t str) -> &'t str {
        let at = self.text.len() - rest.len();
        if at < self.unended {
            return rest;
        }
        let line = rest.find('\n').unwrap_or(rest.len());
        let end = rest[..line].char_indices().find_map(|(at, c)| match c {
            '\u{7}' | '\u{9c}' => Some(at + c.len_utf8()),
            '\u{1b}' if rest[at + 1..].starts_with('\\') => Some(at + 2),
            _ => None,
        });
        if end.is_none() {
            self.unended = at + line;
        }
        &rest[end.unwrap_or(0)..]
    }
}

/// The rest of a control sequence: parameters, intermediates, one final byte.
fn skip_csi(text: &str) -> &str {
    let after = text.trim_start_matches(|c| ('\u{20}'..='\u{3f}').contains(&c));
    after.strip_prefix(|c| ('\u{40}'..='\u{7e}').contains(&c)).unwrap_or(after)
}

/// Characters beyond ASCII that a person does not see: C1 controls, line separators, and all that Unicode (17) has as
/// Default_Ignorable_Code_Point, since a bit can be hidden in whether any of them is there.
fn is_hidden(character: char) -> bool {
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
        assert_eq!(clean("a\u{1b}]8;;https://evil.example\u{7}link\u{1b}]8;;\u{1b}\\b"), "alinkb");
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
        // It would take minutes if each of them looked for its end again.
        for opened in ["\u{1b}]", "\u{9d}", "\u{1b}Px", "\u{9d}\u{1b}["] {
            let text = opened.repeat((1 << 20) / opened.len());
            assert!(clean(&text).bytes().all(|byte| byte == b'x'));
            assert_eq!(clean(&format!("{text}\n\u{1b}]0;title\u{7}end")).trim_start_matches('x'), "\nend");
        }
    }

    #[test]
    fn hidden_characters_are_removed() {
        assert_eq!(clean("a\u{fe0f}\u{fe00}b\u{34f}c\u{3164}d\u{180b}e\u{115f}f\u{ffa0}g\u{17b4}h\u{e01ef}i"), "abcdefghi");
        assert_eq!(clean("a\u{202e}b\u{200b}c\u{2066}d\u{e0041}e\u{feff}f\u{0}g\rh\u{8}i"), "abcdefghi");
    }

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(clean_line("one\r\ntwo\u{1b}[2J"), "one two");
    }
}
