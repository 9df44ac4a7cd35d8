//! Secrets in a log that arrives line by line and may begin in the middle of anything.

use std::borrow::Cow;

use super::alphabet::BASE64URL;
use super::key_lines::{Beginning, KeyLines};
use super::{mask_in_lines, masked};

/// Bytes of the shortest word that may be the end of a secret. Shorter ones are too little of a secret to be of use.
const REST: usize = 16;

/// Masks the lines of a log. Each line stays a line.
#[derive(Debug)]
pub struct MaskedLines {
    keys: KeyLines,
    /// Nothing has come yet. The first line may lack its beginning: a runtime splits long lines, and a tail counts the pieces.
    at_first: bool,
}

impl MaskedLines {
    /// For a log that has been cut somewhere.
    pub fn new() -> Self {
        Self { keys: KeyLines::new(Beginning::Anywhere), at_first: true }
    }

    /// Whole lines, clean and without their secrets. Some may be held back until it is clear what they are.
    pub fn mask<'t>(&mut self, lines: &'t str) -> Cow<'t, str> {
        let lines = match (mask_in_lines(lines), std::mem::take(&mut self.at_first)) {
            (lines, false) => lines,
            (lines, true) => match without_rest(&lines) {
                Cow::Borrowed(_) => lines,
                Cow::Owned(lines) => Cow::Owned(lines),
            },
        };
        match self.keys.mask(&lines) {
            Cow::Borrowed(_) => lines,
            Cow::Owned(lines) => Cow::Owned(lines),
        }
    }

    /// The lines that were held back, once the log has ended.
    pub fn finish(&mut self) -> String {
        self.keys.finish()
    }
}

impl Default for MaskedLines {
    fn default() -> Self {
        Self::new()
    }
}

/// Masks the first word if it may be the rest of a secret: long, with small letters, capital letters and digits.
fn without_rest(lines: &str) -> Cow<'_, str> {
    let bytes = lines.as_bytes();
    let word =
        &bytes[..bytes.iter().position(|&byte| !BASE64URL.has(byte) && !matches!(byte, b'+' | b'=')).unwrap_or(bytes.len())];
    // A line of nothing else may belong to a key or a certificate, which is for `KeyLines` to tell.
    let is_whole_line = matches!(bytes.get(word.len()), None | Some(b'\n' | b'/'));
    let has = |is: fn(&u8) -> bool| word.iter().any(is);
    let is_rest = word.len() >= REST && has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    if is_rest && !is_whole_line {
        Cow::Owned(format!("{}{}", masked("possibly the end of a secret"), &lines[word.len()..]))
    } else {
        Cow::Borrowed(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a log of one piece.
    fn shown(lines: &str) -> String {
        let mut mask = MaskedLines::new();
        let shown = mask.mask(lines).into_owned();
        shown + &mask.finish()
    }

    #[test]
    fn the_rest_of_a_secret_at_the_beginning_is_masked() {
        assert_eq!(
            shown("H7jK9mN1pQ2sT4vW6yZ8 was used\nH7jK9mN1pQ2sT4vW6yZ8 here\n"),
            "[masked: possibly the end of a secret] was used\nH7jK9mN1pQ2sT4vW6yZ8 here\n"
        );
        for line in [
            "2026-11-20T10:00:00.123Z x\n",
            "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0 x\n",
            "web-6d5f8b7c9-cwtch: x\n",
            "I1120 x\n",
            "NullPointerException at\n",
        ] {
            assert_eq!(shown(line), line);
        }
    }

    #[test]
    fn secrets_in_later_lines_are_masked() {
        let mut lines = MaskedLines::new();
        let pieces = [lines.mask("line one\n").into_owned(), lines.mask("two password=sesame\n").into_owned(), lines.finish()];
        assert_eq!(pieces.concat(), "line one\ntwo password=[masked: password]\n");
    }
}
