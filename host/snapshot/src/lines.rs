//! The lines of a log file: their time stamps, and which of them go into an answer.
//!
//! A time at the beginning of a line is the kubelet's or the container runtime's only if the file's layout says so and the lines
//! confirm it. Programs write such times themselves, with nine decimals too; if in doubt, a line is served whole.

use k8s_openapi::jiff::Timestamp;
use memchr::memchr;

/// The prefix of each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamps {
    /// No known one: the line is the program's.
    None,
    /// The kubelet's time and a space, as in `kubectl logs --timestamps`.
    Kubelet,
    /// The time, `stdout` or `stderr`, and `F` or `P`: the format of container runtimes, which split long lines.
    Runtime,
}

/// The longest prefix, in bytes: a time with an offset, a stream and tags.
const HEAD_MAX: usize = 96;

/// The parsed prefix of a line.
#[derive(Debug, PartialEq, Eq)]
struct Head<'l> {
    /// The time, as written.
    written: &'l [u8],
    time: Timestamp,
    /// Where the text begins.
    text: usize,
    /// Whether the next line continues this one.
    partial: bool,
}

impl Stamps {
    fn head(self, line: &[u8]) -> Option<Head<'_>> {
        match self {
            Stamps::None => None,
            Stamps::Kubelet => kubelet(line),
            Stamps::Runtime => runtime(line),
        }
    }

    /// These stamps if all whole lines in a piece of a file have them, else none. An empty piece confirms any.
    pub(super) fn borne_out_by(self, piece: &[u8], starts_a_line: bool, ends_the_file: bool) -> Self {
        let all = whole_lines(piece, starts_a_line, ends_the_file).all(|line| self.head(line).is_some());
        if all { self } else { Stamps::None }
    }

    /// The time of the newest whole line in the last piece of a file.
    pub(super) fn newest(self, piece: &[u8], starts_a_line: bool) -> Option<Timestamp> {
        whole_lines(piece, starts_a_line, true).filter_map(|line| self.head(line).map(|head| head.time)).max()
    }
}

/// The lines of a piece without partial and empty ones.
fn whole_lines(piece: &[u8], starts_a_line: bool, ends_the_file: bool) -> impl Iterator<Item = &[u8]> {
    let lines = piece.split_inclusive(|byte| *byte == b'\n').skip(usize::from(!starts_a_line));
    lines.filter(move |line| (ends_the_file || line.ends_with(b"\n")) && !line.trim_ascii().is_empty())
}

/// The kubelet's format always has nine decimals.
fn kubelet(line: &[u8]) -> Option<Head<'_>> {
    const FRACTION: std::ops::Range<usize> = "2026-11-19T09:00:00.".len().."2026-11-19T09:00:00.000000000".len();
    let head = time(line)?;
    head.written.get(FRACTION)?.iter().all(u8::is_ascii_digit).then_some(head)
}

fn runtime(line: &[u8]) -> Option<Head<'_>> {
    let Head { written, time, text, .. } = time(line)?;
    let mut words = line.get(text..)?.splitn(3, |byte| *byte == b' ');
    let (stream, tags) = (words.next()?, words.next()?.trim_ascii_end());
    let partial = match tags.split(|byte| *byte == b':').next()? {
        b"P" => true,
        b"F" => false,
        _ => return None,
    };
    let end = text + stream.len() + 1 + tags.len();
    let text = end + usize::from(line.get(end) == Some(&b' '));
    [&b"stdout"[..], b"stderr"].contains(&stream).then_some(Head { written, time, text, partial })
}

/// A time as the first word of a line.
fn time(line: &[u8]) -> Option<Head<'_>> {
    let end = line.iter().take(HEAD_MAX).position(u8::is_ascii_whitespace)?;
    let written = &line[..end];
    let time = std::str::from_utf8(written).ok()?.parse().ok()?;
    let text = if line[end] == b' ' { end + 1 } else { end };
    Some(Head { written, time, text, partial: false })
}

/// Cuts a log to the lines of an answer, piece by piece.
pub(super) struct Cutter {
    stamps: Stamps,
    /// Earlier lines are dropped; those without a time are not.
    since: Option<Timestamp>,
    /// Whether lines keep their times.
    timestamps: bool,
    /// The beginning of a line, until its prefix is complete.
    head: Vec<u8>,
    state: State,
    /// The line before was split, and this one continues it.
    goes_on: bool,
}

/// The position within a line.
#[derive(Clone, Copy)]
enum State {
    Head,
    Kept { partial: bool },
    Dropped,
}

impl Cutter {
    /// For a log with these stamps.
    pub(super) fn new(stamps: Stamps, since: Option<Timestamp>, timestamps: bool) -> Self {
        Self { stamps, since, timestamps, head: Vec::new(), state: State::Head, goes_on: false }
    }

    /// Takes the next piece, and adds the part that stays.
    pub(super) fn feed(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if self.stamps == Stamps::None {
            return out.extend_from_slice(piece);
        }
        let mut rest = piece;
        while !rest.is_empty() {
            let most = match self.state {
                State::Head => rest.len().min(HEAD_MAX - self.head.len()),
                State::Kept { .. } | State::Dropped => rest.len(),
            };
            let end = memchr(b'\n', &rest[..most]);
            let (taken, left) = rest.split_at(end.map_or(most, |at| at + 1));
            rest = left;
            match self.state {
                State::Head => {
                    self.head.extend_from_slice(taken);
                    if end.is_some() || self.head.len() == HEAD_MAX {
                        self.begin(out);
                    }
                    continue;
                }
                State::Kept { partial: true } if end.is_some() => out.extend_from_slice(&taken[..taken.len() - 1]),
                State::Kept { .. } => out.extend_from_slice(taken),
                State::Dropped => {}
            }
            if end.is_some() {
                self.state = State::Head;
            }
        }
    }

    /// Adds the rest at the end of the log.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.head.is_empty() {
            self.begin(out);
        }
    }

    /// Decides about a line whose prefix is complete.
    fn begin(&mut self, out: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.head);
        let is_whole = line.ends_with(b"\n");
        let head = self.stamps.head(&line);
        let partial = head.as_ref().is_some_and(|head| head.partial);
        let dropped = head.as_ref().is_some_and(|head| self.since.is_some_and(|since| head.time < since));
        if !dropped {
            let mut text = &line[..];
            if let Some(head) = &head {
                text = line.get(head.text..).unwrap_or(b"\n");
                if self.timestamps && !self.goes_on {
                    out.extend_from_slice(head.written);
                    out.push(b' ');
                }
            }
            out.extend_from_slice(if partial && is_whole { &text[..text.len() - 1] } else { text });
        }
        self.goes_on = partial && !dropped;
        self.state = match (is_whole, dropped) {
            (true, _) => State::Head,
            (false, true) => State::Dropped,
            (false, false) => State::Kept { partial },
        };
        self.head = line;
        self.head.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBELET: &str = "2026-11-19T09:00:00.000000000Z one\n\
                           2026-11-19T09:00:10.500000000+01:00 two\n\
                           no stamp\n\
                           2026-11-19T10:00:20Z not the kubelet's\n\
                           2026-11-19T09:00:30.000000000Z \n";

    const RUNTIME: &str = "2026-11-19T09:00:00.123456789Z stdout P the begin\n\
                           2026-11-19T09:00:01.2Z stdout P ning, the\n\
                           2026-11-19T09:00:02Z stdout F  end\n\
                           2026-11-19T09:00:03.000000000Z stderr F 2026-11-19T09:00:03.000000000Z its own\n\
                           2026-11-19T09:00:04.000000000Z stdout F \n\
                           2026-11-19T09:00:05.000000000Z stdout F:x last";

    fn cut(stamps: Stamps, text: &str, since: Option<&str>, timestamps: bool) -> String {
        let since = since.map(|since| since.parse().unwrap());
        let whole = in_pieces(stamps, text, since, timestamps, text.len().max(1));
        for size in 1..100 {
            assert_eq!(in_pieces(stamps, text, since, timestamps, size), whole, "in pieces of {size} bytes");
        }
        whole
    }

    fn in_pieces(stamps: Stamps, text: &str, since: Option<Timestamp>, timestamps: bool, size: usize) -> String {
        let (mut cutter, mut out) = (Cutter::new(stamps, since, timestamps), Vec::new());
        text.as_bytes().chunks(size).for_each(|piece| cutter.feed(piece, &mut out));
        cutter.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_kubelets_times_are_shown_on_demand_only() {
        assert_eq!(cut(Stamps::Kubelet, KUBELET, None, true), KUBELET);
        assert_eq!(cut(Stamps::Kubelet, KUBELET, None, false), "one\ntwo\nno stamp\n2026-11-19T10:00:20Z not the kubelet's\n\n");
        let since = Some("2026-11-19T09:00:00Z");
        assert_eq!(cut(Stamps::Kubelet, KUBELET, since, false), "one\nno stamp\n2026-11-19T10:00:20Z not the kubelet's\n\n");
    }

    #[test]
    fn a_runtimes_parts_are_put_together() {
        let text = "the beginning, the end\n2026-11-19T09:00:03.000000000Z its own\n\nlast";
        assert_eq!(cut(Stamps::Runtime, RUNTIME, None, false), text);
        assert_eq!(
            cut(Stamps::Runtime, RUNTIME, Some("2026-11-19T09:00:03Z"), true),
            "2026-11-19T09:00:03.000000000Z 2026-11-19T09:00:03.000000000Z its own\n2026-11-19T09:00:04.000000000Z \n\
             2026-11-19T09:00:05.000000000Z last"
        );
        let long = format!("2026-11-19T09:00:00Z stdout P {}\n2026-11-19T09:00:00Z stdout F y\n", "x".repeat(200));
        assert_eq!(cut(Stamps::Runtime, &long, None, true), format!("2026-11-19T09:00:00Z {}y\n", "x".repeat(200)));
    }

    #[test]
    fn a_line_without_text_keeps_its_end() {
        let text = "2026-11-19T09:00:00Z stdout F\n2026-11-19T09:00:00Z stdout P\n2026-11-19T09:00:00Z stdout F x\n";
        assert_eq!(cut(Stamps::Runtime, text, None, false), "\nx\n");
    }

    #[test]
    fn where_nothing_is_known_lines_stay_as_they_are() {
        for text in [KUBELET, RUNTIME, "", "\n\nx"] {
            assert_eq!(cut(Stamps::None, text, Some("2030-01-01T00:00:00Z"), false), text);
        }
        for odd in
            ["\n\n\n", "2026-11-19T09:00:00Z stdout X y\n", "2026-11-19T09:00:00Z stdout\n", "2026-11-19T09:00:00Z stdout \n"]
        {
            assert_eq!(cut(Stamps::Runtime, odd, None, false), odd);
        }
    }

    #[test]
    fn a_layout_is_believed_only_if_all_lines_bear_it_out() {
        let stamped = |line: &str| format!("2026-11-19T09:00:00.000000000Z {line}\n");
        let both = stamped("a") + "\n" + &stamped("b");
        assert_eq!(Stamps::Kubelet.borne_out_by(both.as_bytes(), true, true), Stamps::Kubelet);
        assert_eq!(Stamps::Kubelet.borne_out_by(b"", true, true), Stamps::Kubelet);
        assert_eq!(Stamps::Kubelet.borne_out_by((both.clone() + "x\n").as_bytes(), true, true), Stamps::None);
        assert_eq!(Stamps::Runtime.borne_out_by(both.as_bytes(), true, true), Stamps::None);
        let cut = both.as_bytes();
        assert_eq!(Stamps::Kubelet.borne_out_by(&cut[5..cut.len() - 5], false, false), Stamps::Kubelet);
        assert_eq!(Stamps::Kubelet.borne_out_by(&cut[5..], true, true), Stamps::None);
        assert_eq!(Stamps::Kubelet.newest(&cut[5..], false), Some("2026-11-19T09:00:00Z".parse().unwrap()));
        assert_eq!(Stamps::Kubelet.newest(b"x", true), None);
    }
}
