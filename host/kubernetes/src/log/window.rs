//! One reading of a log, as it streams in: lines are put together from chunks, cleaned, masked, matched and handed on to the newest text.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memrchr};
use sandbar_secrets::{LONGEST, MaskedLines, Secrets};

use super::matching::Search;
use super::newest::{Kept, Newest};
use super::stamps::Stamps;
use crate::error::Error;

/// The longest record of a container runtime: it splits longer lines, and `tailLines` counts the pieces.
pub(super) const RECORD_MAX: usize = 16 * 1024;

/// Bytes of whole lines that are masked together. A log may come in pieces of one line each, and what the lines before them announce is
/// looked at again with each piece. Nothing of a log is shown before it has ended, so they may wait.
const GATHERED: usize = 16 * 1024;

/// A log while it is read.
pub(super) struct Window<'s, 'p> {
    cap: usize,
    search: Option<&'s mut Search<'p>>,
    /// What takes the secrets out; none: they are shown.
    mask: Option<MaskedLines>,
    /// The times before the lines; none: nobody has asked for them.
    stamps: Option<Stamps>,
    /// Whole lines that wait for others, to be masked with them.
    gathered: Vec<u8>,
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

impl<'s, 'p> Window<'s, 'p> {
    /// `cap`: bytes of text at most. `search`: only lines that it matches are kept; it sees what the tool will see, so that nobody
    /// can ask it what a secret is.
    pub(super) fn new(cap: usize, search: Option<&'s mut Search<'p>>, secrets: Secrets) -> Self {
        Self {
            cap,
            search,
            mask: (secrets == Secrets::Masked).then(MaskedLines::new),
            stamps: None,
            gathered: Vec::new(),
            newest: Newest::new(cap),
            partial: Vec::new(),
            partial_lost: 0,
            bytes: 0,
            lines: 0,
            records: 0,
            first: None,
        }
    }

    /// The same for a log whose lines have times before them.
    pub(super) fn with_times(self, has_times: bool) -> Self {
        Self { stamps: has_times.then(Stamps::default), ..self }
    }

    /// Bytes that have come so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Lines that have ended so far.
    pub(super) fn lines(&self) -> u64 {
        self.lines
    }

    /// Takes the next chunk. Fails where the search through its lines takes too long.
    pub(super) fn feed(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.bytes += chunk.len() as u64;
        let Some(last) = memrchr(b'\n', chunk) else {
            self.hold(chunk);
            return Ok(());
        };
        let (mut whole, rest) = chunk.split_at(last + 1);
        if !self.partial.is_empty() {
            let end = memchr(b'\n', whole).map_or(whole.len(), |at| at + 1);
            self.hold(&whole[..end]);
            self.take_partial()?;
            whole = &whole[end..];
        }
        self.take(whole)?;
        self.hold(rest);
        Ok(())
    }

    /// The end of the log. Fails as [`Self::feed`] does.
    pub(super) fn finish(mut self) -> Result<Reading, Error> {
        if !self.partial.is_empty() {
            self.take_partial()?;
        }
        self.keep_gathered()?;
        self.keep_held()?;
        let Self { newest, bytes, lines, records, first, .. } = self;
        Ok(Reading { kept: newest.finish(), bytes, lines, records, first })
    }

    /// Keeps the piece of a line until its end comes, the newest bytes of it at least.
    fn hold(&mut self, piece: &[u8]) {
        // A chunk is far smaller than the cap as a rule, so this copies each byte twice at most.
        self.partial.extend_from_slice(piece);
        // What is kept without its beginning is not shown from its first byte on: see `mask_tail`.
        let room = self.cap.max(RECORD_MAX) + 2 * LONGEST;
        if self.partial.len() > 2 * room {
            let lost = self.partial.len() - room;
            self.partial.drain(..lost);
            self.partial_lost += lost as u64;
        }
    }

    /// Takes the line that was held.
    fn take_partial(&mut self) -> Result<(), Error> {
        let line = std::mem::take(&mut self.partial);
        let lost = std::mem::take(&mut self.partial_lost);
        if lost == 0 {
            self.take(&line)?;
        } else {
            self.take_headless(&line, lost)?;
        }
        self.partial = line;
        self.partial.clear();
        Ok(())
    }

    /// Takes whole lines.
    fn take(&mut self, lines: &[u8]) -> Result<(), Error> {
        if lines.is_empty() {
            return Ok(());
        }
        self.count(lines);
        if lines.len() >= GATHERED {
            self.keep_gathered()?;
            return self.keep_masked(lines);
        }
        self.gathered.extend_from_slice(lines);
        if self.gathered.len() >= GATHERED { self.keep_gathered() } else { Ok(()) }
    }

    /// Keeps the lines that have been waiting.
    fn keep_gathered(&mut self) -> Result<(), Error> {
        let mut lines = std::mem::take(&mut self.gathered);
        self.keep_masked(&lines)?;
        lines.clear();
        self.gathered = lines;
        Ok(())
    }

    /// Keeps whole lines as they may be shown.
    fn keep_masked(&mut self, lines: &[u8]) -> Result<(), Error> {
        let text = String::from_utf8_lossy(lines);
        match &mut self.mask {
            None => self.keep(&sandbar_text::clean(&text)),
            Some(mask) => {
                let masked = match &mut self.stamps {
                    None => mask.mask(&text),
                    Some(stamps) => {
                        let bare = stamps.take_off(&text);
                        Cow::Owned(stamps.put_back(&mask.mask(&bare)))
                    }
                };
                self.keep(&masked)
            }
        }
    }

    /// Keeps the lines that the mask has held back, which stand before all that is still to come.
    fn keep_held(&mut self) -> Result<(), Error> {
        let held = self.mask.as_mut().map(MaskedLines::finish).unwrap_or_default();
        let held = match &mut self.stamps {
            None => held,
            Some(stamps) => stamps.put_back(&held),
        };
        self.keep(&held)
    }

    /// Keeps what the pattern matches of these lines.
    fn keep(&mut self, text: &str) -> Result<(), Error> {
        if text.is_empty() {
            return Ok(());
        }
        self.note_first(text, 0)?;
        match &mut self.search {
            None => self.newest.push(text),
            Some(search) => {
                for line in text.split_inclusive('\n') {
                    if search.is_match(line)? {
                        self.newest.push(line);
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a line whose beginning is gone.
    fn take_headless(&mut self, line: &[u8], lost: u64) -> Result<(), Error> {
        self.count_line(line.len() as u64 + lost);
        self.keep_gathered()?;
        self.keep_held()?;
        // It may have been cut inside a character, whose other bytes say nothing any more.
        let torn = line.iter().take(3).take_while(|&&byte| byte & 0xc0 == 0x80).count();
        let text = String::from_utf8_lossy(&line[torn..]);
        let (text, skipped) = match &self.mask {
            None => (sandbar_text::clean(&text), 0),
            Some(_) => {
                let (text, skipped) = sandbar_secrets::mask_tail(&text);
                (text.into(), skipped)
            }
        };
        self.note_first(&text, lost)?;
        if self.is_match(&text)? {
            self.newest.push_headless(&text, lost + (torn + skipped) as u64);
        }
        Ok(())
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

    fn note_first(&mut self, text: &str, lost: u64) -> Result<(), Error> {
        if self.first.is_some() {
            return Ok(());
        }
        let line = text.split_inclusive('\n').next().unwrap_or_default();
        let matched = self.is_match(line)?;
        self.first = Some(FirstLine { bytes: line.len() as u64 + lost, matched });
        Ok(())
    }

    /// Whether a line is to be kept.
    fn is_match(&mut self, line: &str) -> Result<bool, Error> {
        self.search.as_mut().map_or(Ok(true), |search| search.is_match(line))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sandbar_policy::{Budget, Limits};
    use sandbar_text::steps::counted;

    use super::*;
    use crate::log::matching;

    fn read<'a>(cap: usize, pattern: Option<&str>, chunks: impl IntoIterator<Item = &'a [u8]>) -> Reading {
        let pattern = pattern.map(|pattern| matching::compile(pattern).unwrap_or_else(|error| panic!("{}", error.message)));
        let budget = Budget::new(Limits::default());
        let mut search = pattern.as_ref().map(|pattern| Search::new(pattern, &budget));
        let mut window = Window::new(cap, search.as_mut(), Secrets::Masked);
        chunks.into_iter().for_each(|chunk| window.feed(chunk).expect("in time"));
        window.finish().expect("in time")
    }

    #[test]
    fn a_search_that_takes_too_long_ends_the_reading() {
        let pattern = matching::compile("x").unwrap_or_else(|error| panic!("{}", error.message));
        for log in ["one\ntwo\n", "one"] {
            let budget = Budget::new(Limits { time: Duration::ZERO, ..Limits::default() });
            let mut search = Search::new(&pattern, &budget);
            let mut window = Window::new(100, Some(&mut search), Secrets::Shown);
            let fed = window.feed(log.as_bytes());
            assert!(fed.and_then(|()| window.finish().map(drop)).is_err(), "{log:?}");
        }
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
    fn secrets_are_masked_the_same_at_every_chunking() {
        let lines = "config:\n  password: |\n    sesame\n    street\n-----BEGIN PRIVATE KEY-----\naB3dE5gH7jK9mN1p\nready\n";
        for log in [lines.to_owned(), format!("{}\n{lines}", "x".repeat(GATHERED - 20)), lines.repeat(400)] {
            let whole = read(1 << 20, None, [log.as_bytes()]);
            assert!(whole.kept.text.contains("[masked: ") && !whole.kept.text.contains("sesame"), "{}", whole.kept.text);
            for pieces in [log.as_bytes().chunks(7), log.as_bytes().chunks(1000), log.as_bytes().chunks(GATHERED)] {
                assert_eq!(read(1 << 20, None, pieces), whole);
            }
            assert_eq!(read(1 << 20, None, log.as_bytes().split_inclusive(|&byte| byte == b'\n')), whole);
        }
    }

    #[test]
    fn times_before_the_lines_change_nothing_that_is_masked() {
        let key = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", "aB3dE5gH7jK9mN1p".repeat(4));
        for log in [
            "password: sesame",
            "password = sesame",
            "passphrase: correct horse battery staple",
            "column password   sesame123",
            "password: sesame # ok",
            "export token=sesame,x",
            "config:\n  password: |\n    sesame street\n  x: y",
            "env:\n- name: DB_PASSWORD\n  value: sesame",
            "INSERT INTO u (n,password) VALUES\n('a','sesame'),\n('b','sesame2');",
            "array(\n  ['password'] =>\n  string(6) \"sesame\"\n)",
            "{\n  \"name\": \"DB_PASSWORD\",\n  \"value\": \"sesame\"\n}",
            "hX9kQ2vLm4Zt7Rw1vX was here",
            &key,
            &format!("{}\nready", "aB3dE5gH7jK9mN1p".repeat(4)),
            "a\rb\u{b}c\u{2028}d\u{85}e\u{1b}[2Jf\r\n\u{0}\n\ng",
        ] {
            let log = format!("{log}\n");
            let plain = read(1 << 20, None, [log.as_bytes()]).kept.text;
            let time = |n: usize| format!("2026-11-28T10:00:00.{n:09}Z ");
            let stamped = |log: &str| log.split_inclusive('\n').enumerate().map(|(n, line)| time(n) + line).collect::<String>();
            let with_times = stamped(&log);
            for pieces in [with_times.len(), 7, 40] {
                let mut window = Window::new(1 << 20, None, Secrets::Masked).with_times(true);
                with_times.as_bytes().chunks(pieces).for_each(|chunk| window.feed(chunk).expect("in time"));
                assert_eq!(window.finish().expect("in time").kept.text, stamped(&plain), "{log}");
            }
        }
    }

    #[test]
    fn lines_that_come_one_by_one_take_no_more_work_than_many_at_once() {
        let line = |n: usize| format!("token {n} was refreshed, the key of the cache is user:{n}, password policy ok\n");
        let log: String = (0..2000).map(line).collect();
        let together = counted(|| drop(read(1 << 20, None, log.as_bytes().chunks(GATHERED))));
        let by_lines = counted(|| drop(read(1 << 20, None, log.as_bytes().split_inclusive(|&byte| byte == b'\n'))));
        assert!(by_lines * 10 <= together * 11, "{by_lines} steps for lines, {together} for larger pieces");
    }

    #[test]
    fn what_waits_is_kept_before_a_line_that_has_lost_its_beginning() {
        let mut window = Window::new(10 * RECORD_MAX, None, Secrets::Masked);
        window.feed(b"one\ntwo\n").expect("in time");
        for _ in 0..400 {
            window.feed(&[b'x'; 1000]).expect("in time");
        }
        window.feed(b"\n").expect("in time");
        let reading = window.finish().expect("in time");
        assert!(reading.kept.text.ends_with("x\n") && reading.kept.headless, "{}", reading.kept.text.len());
        assert_eq!((reading.lines, reading.kept.dropped_lines, reading.first.map(|first| first.bytes)), (3, 2, Some(4)));
    }

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        let reading = read(100, None, [b"a\xffb\xe2\x82\nc\xe2".as_slice()]);
        assert_eq!(reading.kept.text, "a\u{fffd}b\u{fffd}\nc\u{fffd}");
    }

    #[test]
    fn a_pattern_sees_clean_lines_one_by_one() {
        let log = "\u{1b}[31mERR\u{1b}[0mOR one\ninfo\nerror two\nERR OR three".as_bytes();
        for at in 0..log.len() {
            let (left, right) = log.split_at(at);
            let reading = read(100, Some("^ERR OR [a-z]+$"), [left, right]);
            assert_eq!(reading.kept.text, "ERR OR one\nERR OR three", "cut at {at}");
            assert_eq!((reading.lines, reading.kept.dropped_lines), (4, 0));
        }
    }

    #[test]
    fn an_endless_line_costs_the_cap_and_no_more() {
        let mut window = Window::new(10, None, Secrets::Masked);
        for _ in 0..1000 {
            window.feed(&[b'x'; 1000]).expect("in time");
            assert!(window.partial.capacity() <= 8 * RECORD_MAX);
        }
        window.feed("é12345678é\n".as_bytes()).expect("in time");
        let reading = window.finish().expect("in time");
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
