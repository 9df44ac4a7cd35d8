//! Masks secrets in a log that arrives line by line and may begin anywhere.

use std::borrow::Cow;

use memchr::{memrchr, memrchr_iter};
use sandbar_text::Cleaned;

use super::alphabet::BASE64URL;
use super::find::{announced, find};
use super::key_lines::{Beginning, KeyLines};
use super::{masked, without};

/// Bytes of the shortest word that may be the end of a secret. Shorter ones are useless.
const REST: usize = 16;

/// Bytes and lines of earlier text that may announce a secret on the next lines: a block of YAML, `name:` and `value:`.
const BEFORE_MAX: usize = 1024;
const BEFORE_LINES: usize = 16;

/// Masks the lines of a log. Each line stays a line.
#[derive(Debug)]
pub struct MaskedLines {
    keys: KeyLines,
    /// Whether nothing has arrived yet. The first line may lack its beginning: runtimes split long lines, and a tail counts the
    /// parts.
    at_first: bool,
    /// The last lines, clean but not masked, from the first that announces a secret on.
    before: String,
}

impl MaskedLines {
    /// For a log that may have been cut anywhere.
    pub fn new() -> Self {
        Self { keys: KeyLines::new(Beginning::Anywhere), at_first: true, before: String::new() }
    }

    /// Whole lines, clean and masked. Some may be held back until it is clear what they are.
    ///
    /// The result does not depend on how the lines are split into pieces, which says nothing about them.
    pub fn mask<'t>(&mut self, lines: &'t str) -> Cow<'t, str> {
        let lines = match (self.mask_after_others(lines), std::mem::take(&mut self.at_first)) {
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

    /// The lines without the secrets that they and the lines before them show.
    fn mask_after_others<'t>(&mut self, lines: &'t str) -> Cow<'t, str> {
        let Cleaned { text, mut seams } = Cleaned::of(lines);
        let before = std::mem::take(&mut self.before);
        if before.is_empty() {
            let found = find(&text, &seams);
            self.before = announcing(&text).to_owned();
            return if found.is_empty() { text } else { Cow::Owned(without(&text, &found, 0)) };
        }
        seams.iter_mut().for_each(|seam| seam.at += before.len());
        let all = before.clone() + &text;
        let mut found = find(&all, &seams);
        found.retain(|secret| secret.at.end > before.len());
        self.before = announcing(&all).to_owned();
        if found.is_empty() { text } else { Cow::Owned(without(&all, &found, before.len())) }
    }

    /// The lines that were held back, once the log has ended.
    pub fn finish(&mut self) -> String {
        self.keys.finish()
    }
}

/// The last lines, from the first that announces a secret on.
fn announcing(text: &str) -> &str {
    let bytes = text.as_bytes();
    let near = bytes.len().saturating_sub(BEFORE_MAX);
    let lines = memrchr_iter(b'\n', &bytes[near..]).map(|end| near + end + 1);
    // The last start is the end of the text. In a short text the first line counts, too.
    let starts = lines.chain((near == 0).then_some(0));
    let start = starts.take(BEFORE_LINES + 1).last().unwrap_or(bytes.len());
    let last = &text[start..];
    match announced(last) {
        Some(at) => &last[memrchr(b'\n', &last.as_bytes()[..at]).map_or(0, |end| end + 1)..],
        None => "",
    }
}

impl Default for MaskedLines {
    fn default() -> Self {
        Self::new()
    }
}

/// Masks the first word if it may be the rest of a secret: long, and too random for a word of a language.
fn without_rest(lines: &str) -> Cow<'_, str> {
    let bytes = lines.as_bytes();
    let count = |from: usize, is: fn(u8) -> bool| bytes[from..].iter().take_while(|&&byte| is(byte)).count();
    let word = &bytes[..count(0, |byte| BASE64URL.has(byte) || byte == b'+')];
    let end = count(0, |byte| BASE64URL.has(byte) || matches!(byte, b'+' | b'/'));
    let padding = count(end, |byte| byte == b'=');
    let rest = &bytes[end + padding..];
    // A line of only that may belong to a key or a certificate, which `KeyLines` decides; and a word with a value is a name.
    let is_whole_line = matches!(rest, [] | [b'\n' | b'\r', ..]);
    let is_name = padding == 1 && matches!(rest, [b'"' | b'\'', next, ..] | [next, ..] if next.is_ascii_alphanumeric());
    if word.len() >= REST && changes_often(word) && !is_whole_line && !is_name {
        Cow::Owned(format!("{}{}", masked("possibly the end of a secret"), &lines[end + padding..]))
    } else {
        Cow::Borrowed(lines)
    }
}

/// Whether small letters, capital letters and digits alternate as in random text, where two of three neighbours are of different
/// kinds. In names of several words it is one of four.
fn changes_often(word: &[u8]) -> bool {
    let kind = |byte: u8| (byte.is_ascii_lowercase(), byte.is_ascii_uppercase(), byte.is_ascii_digit());
    let changes = word.windows(2).filter(|two| kind(two[0]) != kind(two[1])).count();
    let has = |is: fn(&u8) -> bool| word.iter().any(is);
    5 * changes >= 2 * word.len() && has(u8::is_ascii_digit) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The masked log, in one piece.
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
        let word = "aB3dE5fG7hI9jK1lM2nO4pQ6";
        for rest in [
            "==\",\"user\":\"ana\"}",
            "=\",\"user\":\"ana\"}",
            "==,x",
            "=,x",
            "==&next=1",
            "=&next=1",
            "== x",
            "=' x",
            "='",
            "=;x=1",
            "==)",
            "/x+9== was used",
            "/x+9\" was used",
            "\",\"user\":\"ana\"}",
            ", x",
        ] {
            let behind = rest.trim_start_matches(['/', 'x', '+', '9', '=']);
            assert_eq!(shown(&format!("{word}{rest}\n")), format!("[masked: possibly the end of a secret]{behind}\n"));
        }
        for line in [
            "aB3dE5fG7hI9jK1lM2nO4pQ6=x and so on\n",
            "aB3dE5fG7hI9jK1lM2nO4pQ6=\"x\" and so on\n",
            "aB3dE5fG7hI9jK1lM2nO4pQ6='1'\n",
            "aB3dE5fG7hI9jK1lM2nO4pQ6==\n",
            "aB3dE5fG7hI9jK1lM2nO4pQ6/x+9==\n",
            "2026-11-20T10:00:00.123Z x\n",
            "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0 x\n",
            "web-6d5f8b7c9-cwtch: x\n",
            "I1120 x\n",
            "NullPointerException at\n",
            "time=2026-11-20T10:00:00.123Z level=INFO msg=started\n",
            "ts=2026-11-20T10:00:00.123Z caller=main.go:12\n",
            "ClusterRole2Binding-sync started\n",
            "thread-Pool1-worker-12 started\n",
            "password_expires_at=2027-01-01T00:00:00Z\n",
        ] {
            assert_eq!(shown(line), line);
        }
    }

    #[test]
    fn it_does_not_matter_in_which_pieces_lines_come() {
        for lines in [
            "config:\n  password: |\n    sesame\n    street\n  other: x\n",
            "config:\n  db_password: >-\n    sesame street\n",
            "env:\n- name: DB_PASSWORD\n  value: sesame\n- name: X\n  value: y\n",
            "{\n  \"name\": \"DB_PASSWORD\",\n  \"value\": \"sesame\"\n}\n",
            "array(\n  ['password'] =>\n  string(6) \"sesame\"\n)\n",
            "<entry>\n<key name=\"db.password\"\n value=\"sesame\"/>\n</entry>\n",
            "a token\nis here\n\u{1b}[31mand \u{1b}[0mgone\n",
        ] {
            let whole = shown(lines);
            let mut mask = MaskedLines::new();
            let pieces: String = lines.split_inclusive('\n').map(|line| mask.mask(line).into_owned()).collect();
            assert_eq!(pieces + &mask.finish(), whole);
            assert!(!whole.contains("sesame"), "{whole}");
        }
    }

    #[test]
    fn secrets_in_later_lines_are_masked() {
        let mut lines = MaskedLines::new();
        let pieces = [lines.mask("line one\n").into_owned(), lines.mask("two password=sesame\n").into_owned(), lines.finish()];
        assert_eq!(pieces.concat(), "line one\ntwo password=[masked: password]\n");
    }
}
