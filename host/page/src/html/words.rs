//! Numbers, times and the text of others, as the page has them.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use maud::{Markup, html};
use sandbar_catalog::Outcome;
use sandbar_text::{clean, clean_line};

use crate::hour::Calls;

/// Somebody else's text on one line: of so many bytes at most, and in a direction of its own.
pub(super) fn line(text: &str, most: usize) -> Markup {
    html! { bdi { (clean_line(text, most)) } }
}

/// The same with its lines.
pub(super) fn lines(text: &str, most: usize) -> Markup {
    let kept = &text[..text.floor_char_boundary(most)];
    html! { bdi { (clean(kept)) @if kept.len() < text.len() { "…" } } }
}

/// A time of day, with its date in the same form wherever a log has it.
pub(super) fn time(at: SystemTime) -> Markup {
    let Ok(at) = Timestamp::try_from(at) else { return html! { "—" } };
    html! { time datetime=(at.strftime("%FT%TZ")) { (at.strftime("%F %T")) } }
}

/// How long something is going on: its two largest units.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// How long a call took.
pub(super) fn took(ms: f64) -> String {
    match ms {
        ..1.0 => "<1 ms".to_owned(),
        ..1_000.0 => format!("{ms:.0} ms"),
        ..10_000.0 => format!("{:.1} s", ms / 1_000.0),
        _ => format!("{:.0} s", ms / 1_000.0),
    }
}

/// The time that so many of a hundred calls took no longer than.
pub(super) fn percentile(calls: &Calls, percent: u64) -> String {
    calls.percentile(percent).map_or_else(|| "—".to_owned(), took)
}

/// A number with thin spaces between its thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut words = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            words.push('\u{202f}');
        }
        words.push(digit);
    }
    words
}

/// So many of something.
pub(super) fn number_of(number: u64, what: &str) -> String {
    format!("{} {what}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A part of a whole, in percent.
pub(super) fn share(part: u64, whole: u64) -> String {
    let percent = part as f64 * 100.0 / whole.max(1) as f64;
    match percent {
        0.0 => "0%".to_owned(),
        ..0.1 => "<0.1%".to_owned(),
        ..10.0 => format!("{percent:.1}%"),
        _ => format!("{percent:.0}%"),
    }
}

/// Bytes of memory.
pub(super) fn memory(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes / MIB {
        mib @ ..1024 => format!("{mib} MiB"),
        mib => format!("{:.1} GiB", mib as f64 / 1024.0),
    }
}

/// An outcome, in words that need no other page.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Failed => "failed",
        Outcome::Refused => "refused",
        Outcome::Denied => "denied",
        Outcome::Busy => "no room",
        Outcome::Crashed => "crashed",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        assert_eq!([0, 12, 999, 1_000, 1_234_567].map(count), ["0", "12", "999", "1\u{202f}000", "1\u{202f}234\u{202f}567"]);
        assert_eq!([0.4, 1.0, 12.4, 999.4, 1_500.0, 30_000.0].map(took), ["<1 ms", "1 ms", "12 ms", "999 ms", "1.5 s", "30 s"]);
        assert_eq!([(0, 0), (1, 2_000), (1, 40), (3, 4)].map(|(part, whole)| share(part, whole)), ["0%", "<0.1%", "2.5%", "75%"]);
        let seconds = [5, 65, 3_700, 90_000].map(|seconds| duration(Duration::from_secs(seconds)));
        assert_eq!(seconds, ["5 s", "1 min", "1 h 1 min", "1 d 1 h"]);
    }

    #[test]
    fn text_of_others_is_escaped_bounded_and_isolated() {
        assert_eq!(line("<img src=x onerror=1>\u{202e}\n&", 100).into_string(), "<bdi>&lt;img src=x onerror=1&gt; &amp;</bdi>");
        assert_eq!(line("word".repeat(100).as_str(), 10).into_string(), "<bdi>wordwor…</bdi>");
        assert_eq!(lines("a\n  b: c\nüü", 10).into_string(), "<bdi>a\n  b: c\n…</bdi>");
    }
}
