//! One reading of a log, as it streams in: lines are put together from chunks, cleaned, masked, matched and handed on to the newest text.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memrchr};
use regex::Regex;

use super::newest::{Kept, Newest};
use crate::policy;
use crate::policy::secret::{self, LONGEST, MaskedLines, Secrets};

/// The longest record of a container runtime: it splits longer lines, and `tailLines` counts the pieces.
pub(super) const RECORD_MAX: usize = 16 * 1024;

/// A log while it is read.
pub(super) struct Window<'p> {
    cap: usize,
    pattern: Option<&'p Regex>,
    /// What takes the secrets out; none: they are shown.
    mask: Option<MaskedLines>,
    newest: Newest,
    /// The beginning of a line whose end has not come yet; of a line over the cap, its newest bytes.
    partial: Vec<u8>,
    /// How much of that line is gone already.
    partial_lost: u64,
    bytes: u64,
    lines: u64,
    records: u64,
    first: Option<FirstLine>,
}

/// The oldest line, which may only have been read to see whether it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FirstLine {
    /// Clean bytes, the newline included.
    pub(super) bytes: u64,
    /// Whether it was kept, as far as the pattern goes.
    pub(super) matched: bool,
}

/// A log that was read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) kept: Kept,
    /// Bytes as they came.
    pub(super) bytes: u64,
    /// Lines as they came, before the pattern dropped any.
    pub(super) lines: u64,
    /// The records that these lines came in, where records are as long as they can be: `tailLines` counts them.
    pub(super) records: u64,
    pub(super) first: Option<FirstLine>,
}

impl<'p> Window<'p> {
    /// `cap`: bytes of text at most. `pattern`: only lines that it matches are kept; it sees what the tool will see, so that nobody
    /// can ask it what a secret is.
    pub(super) fn new(cap: usize, pattern: Option<&'p Regex>, secrets: Secrets) -> Self {
        Self {
            cap,
            pattern,
            mask: (secrets == Secrets::Masked).then(MaskedLines::new),
            newest: Newest::new(cap),
            partial: Vec::new(),
            partial_lost: 0,
            bytes: 0,
            lines: 0,
            records: 0,
            first: None,
        }
    }

    /// Bytes that have come so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Lines that have ended so far.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Takes the next chunk.
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.bytes += chunk.len() as u64;
        let Some(last) = memrchr(b'\n', chunk) else { return self.hold(chunk) };
        let (mut whole, rest) = chunk.split_at(last + 1);
        if !self.partial.is_empty() {
            let end = memchr(b'\n', whole).map_or(whole.len(), |at| at + 1);
            self.hold(&whole[..end]);
            self.take_partial();
            whole = &whole[end..];
        }
        self.take(whole);
        self.hold(rest);
    }

    /// The end of the log.
    pub(super) fn finish(mut self) -> Reading {
        if !self.partial.is_empty() {
            self.take_partial();
        }
        if let Some(mut mask) = self.mask.take() {
            self.keep(&mask.finish());
        }
        Reading { kept: self.newest.finish(), bytes: self.bytes, lines: self.lines, records: self.records, first: self.first }
    }

    /// Keeps the piece of a line until its end comes, the newest bytes of it at least.
    fn hold(&mut self, piece: &[u8]) {
        // A chunk is far smaller than the cap as a rule, so this copies each byte twice at most.
        self.partial.extend_from_slice(piece);
        // What is kept without its beginning is not shown from its first byte on: see `mask_behind`.
        let room = self.cap.max(RECORD_MAX) + 2 * LONGEST;
        if self.partial.len() > 2 * room {
            let lost = self.partial.len() - room;
            self.partial.drain(..lost);
            self.partial_lost += lost as u64;
        }
    }

    /// Takes the line that was held.
    fn take_partial(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let lost = std::mem::take(&mut self.partial_lost);
        if lost == 0 {
            self.take(&line);
        } else {
            self.take_headless(&line, lost);
        }
        self.partial = line;
        self.partial.clear();
    }

    /// Takes whole lines.
    fn take(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        self.count(lines);
        let text = String::from_utf8_lossy(lines);
        // Nearly every log is plain, and seeing that is ten times quicker than looking at each character.
        let text = if is_plain(lines) { text } else { Cow::Owned(policy::clean(&text).into_owned()) };
        match &mut self.mask {
            None => self.keep(&text),
            Some(mask) => {
                let masked = mask.mask(&text);
                self.keep(&masked);
            }
        }
    }

    /// Keeps what the pattern matches of these lines.
    fn keep(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        self.note_first(text, 0);
        match self.pattern {
            None => self.newest.push(text),
            Some(pattern) => {
                for line in text.split_inclusive('\n').filter(|line| is_match(pattern, line)) {
                    self.newest.push(line);
                }
            }
        }
    }

    /// Takes a line whose beginning is gone.
    fn take_headless(&mut self, line: &[u8], lost: u64) {
        self.count_line(line.len() as u64 + lost);
        // It may have been cut inside a character, whose other bytes say nothing any more.
        let torn = line.iter().take(3).take_while(|&&byte| byte & 0xc0 == 0x80).count();
        let text = String::from_utf8_lossy(&line[torn..]);
        let text = policy::clean(&text);
        let (text, skipped) = match &mut self.mask {
            None => (text, 0),
            Some(mask) => {
                // What was held back stands before this line.
                let held = mask.finish();
                self.keep(&held);
                let (text, skipped) = secret::mask_behind(&text);
                (text.into(), skipped)
            }
        };
        self.note_first(&text, lost);
        if self.pattern.is_none_or(|pattern| is_match(pattern, &text)) {
            self.newest.push_headless(&text, lost + (torn + skipped) as u64);
        }
    }

    fn count(&mut self, lines: &[u8]) {
        let mut start = 0;
        for end in memchr_iter(b'\n', lines) {
            self.count_line((end - start) as u64);
            start = end + 1;
        }
        if start < lines.len() {
            self.count_line((lines.len() - start) as u64);
        }
    }

    fn count_line(&mut self, bytes: u64) {
        self.lines += 1;
        self.records += bytes.div_ceil(RECORD_MAX as u64).max(1);
    }

    fn note_first(&mut self, text: &str, lost: u64) {
        if self.first.is_some() {
            return;
        }
        let line = text.split_inclusive('\n').next().unwrap_or_default();
        let matched = self.pattern.is_none_or(|pattern| is_match(pattern, line));
        self.first = Some(FirstLine { bytes: line.len() as u64 + lost, matched });
    }
}

/// Whether there is nothing but printable ASCII, newlines and tabs. Without an early exit inside a block, so that the compiler can
/// look at many bytes at once.
fn is_plain(bytes: &[u8]) -> bool {
    let plain = |byte: u8| (0x20..0x7f).contains(&byte) | (byte == b'\n') | (byte == b'\t');
    bytes.chunks(64).all(|block| block.iter().fold(true, |all, &byte| all & plain(byte)))
}

/// Whether the pattern matches a line, its newline aside.
fn is_match(pattern: &Regex, line: &str) -> bool {
    pattern.is_match(line.strip_suffix('\n').unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(cap: usize, pattern: Option<&str>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Reading {
        let pattern = pattern.map(|pattern| Regex::new(pattern).expect("valid"));
        let mut window = Window::new(cap, pattern.as_ref(), Secrets::Masked);
        chunks.into_iter().for_each(|chunk| window.feed(chunk));
        window.finish()
    }

    #[test]
    fn the_text_is_the_same_at_every_chunking() {
        let log = "one \u{1b}[31mred\u{1b}[0m\nzwei – drei\n\n日本 last".as_bytes();
        for cap in [1, 5, 12, 100] {
            let whole = read(cap, None, [log]);
            for at in 0..log.len() {
                let (left, right) = log.split_at(at);
                assert_eq!(read(cap, None, [left, right]), whole, "cap {cap}, cut at {at}");
            }
            assert_eq!(read(cap, None, log.chunks(1)), whole, "cap {cap}, byte by byte");
        }
        let whole = read(100, None, [log]);
        assert_eq!(whole.kept.text, "one red\nzwei – drei\n\n日本 last");
        assert_eq!((whole.lines, whole.first.map(|first| first.bytes)), (4, Some(8)));
    }

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        let reading = read(100, None, [b"a\xffb\xe2\x82\nc\xe2".as_slice()]);
        assert_eq!(reading.kept.text, "a\u{fffd}b\u{fffd}\nc\u{fffd}");
    }

    #[test]
    fn a_pattern_sees_clean_lines_one_by_one() {
        let log = "\u{1b}[31mERR\u{1b}[0mOR one\ninfo\nerror two\nERROR three".as_bytes();
        for at in 0..log.len() {
            let (left, right) = log.split_at(at);
            let reading = read(100, Some("^ERROR [a-z]+$"), [left, right]);
            assert_eq!(reading.kept.text, "ERROR one\nERROR three", "cut at {at}");
            assert_eq!((reading.lines, reading.kept.dropped_lines), (4, 0));
        }
    }

    #[test]
    fn an_endless_line_costs_the_cap_and_no_more() {
        let mut window = Window::new(10, None, Secrets::Masked);
        for _ in 0..1000 {
            window.feed(&[b'x'; 1000]);
            assert!(window.partial.capacity() <= 8 * RECORD_MAX);
        }
        window.feed("é12345678é\n".as_bytes());
        let reading = window.finish();
        assert_eq!(reading.kept.text, "2345678é\n");
        assert!(reading.kept.headless && reading.records == 62);
        assert_eq!(reading.kept.dropped_bytes, 1_000_000 + 13 - 10);
    }

    #[test]
    fn records_are_counted_as_the_runtime_splits_lines() {
        let line = |bytes: usize| [vec![b'x'; bytes], b"\n".to_vec()].concat();
        let records = |bytes: usize| read(100, None, [line(bytes).as_slice()]).records;
        assert_eq!([0, 1, RECORD_MAX, RECORD_MAX + 1, 2 * RECORD_MAX + 1].map(records), [1, 1, 1, 2, 3]);
    }
}
