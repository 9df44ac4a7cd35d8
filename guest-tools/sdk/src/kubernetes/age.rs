//! Points in time as Kubernetes writes them, and ages as kubectl does.

use std::fmt;

use super::written::written;
use crate::context;

/// A point in time. It is written in RFC 3339, in UTC and to the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    seconds: i64,
    nanoseconds: u32,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Years have leap days in cycles of 400 years.
const DAYS_IN_CYCLE: i64 = 146_097;

/// Days from the first of March of the year 0, in the calendar of today, to 1970.
const DAYS_BEFORE_1970: i64 = 719_468;

/// Days before each month of a year that begins in March, so that its leap day is its last.
const BEFORE_MONTH: [i64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];

impl Time {
    /// The time that this RFC 3339 text says: `2026-11-22T10:00:00.5+01:00`. None where it says none.
    pub fn parse(text: &str) -> Option<Self> {
        // YYYY-MM-DDThh:mm:ss, and then a fraction, and `Z` or an offset.
        let (date_time, rest) = text.split_at_checked(19)?;
        let bytes = date_time.as_bytes();
        let marks = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
        if marks.iter().any(|&(at, mark)| bytes[at] != mark) || !matches!(bytes[10], b'T' | b't' | b' ') {
            return None;
        }
        let number = |from: usize, to: usize| number(&bytes[from..to]);
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        // A leap second is the second after.
        if !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (nanoseconds, zone) = fraction(rest)?;
        let seconds = days(year, month, day) * DAY + hour * HOUR + minute * MINUTE + second - offset(zone)?;
        Some(Self { seconds, nanoseconds })
    }

    /// The time of the running call.
    pub fn now() -> Self {
        let now = context::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self { seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX), nanoseconds: now.subsec_nanos() }
    }

    /// So many seconds since 1970.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    /// Whole seconds since 1970.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Whole seconds from here to `later`; less than 0 where that is earlier.
    pub fn seconds_to(self, later: Self) -> i64 {
        let borrowed = i64::from(later.nanoseconds < self.nanoseconds);
        later.seconds.saturating_sub(self.seconds).saturating_sub(borrowed)
    }

    /// How long ago it is in the running call, in words: `4h12m`.
    pub fn age(self) -> String {
        words(self.seconds_to(Self::now()))
    }
}

/// So many seconds as kubectl writes an age: `5s`, `3m`, `4h12m`, `12d`. What is less than 0 is `0s`: clocks differ.
pub fn words(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / MINUTE, seconds / HOUR, seconds / DAY);
    let (count, unit, rest, small) = match seconds {
        ..0 => (0, 's', 0, ' '),
        _ if minutes < 2 => (seconds, 's', 0, ' '),
        _ if minutes < 10 => (minutes, 'm', seconds % MINUTE, 's'),
        _ if hours < 3 => (minutes, 'm', 0, ' '),
        _ if hours < 8 => (hours, 'h', minutes % 60, 'm'),
        _ if days < 2 => (hours, 'h', 0, ' '),
        _ if days < 8 => (days, 'd', hours % 24, 'h'),
        _ if days < 2 * 365 => (days, 'd', 0, ' '),
        _ if days < 8 * 365 => (days / 365, 'y', days % 365, 'd'),
        _ => (days / 365, 'y', 0, ' '),
    };
    if rest == 0 { format!("{count}{unit}") } else { format!("{count}{unit}{rest}{small}") }
}

/// Digits as a number.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

/// The nanoseconds of `.5Z`, which are cut beyond nine digits, and what follows.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let Some(text) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    let padded = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = padded.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    (!digits.is_empty()).then_some((nanoseconds, rest))
}

/// The seconds that a zone is ahead of UTC: `Z`, `+01:00`.
fn offset(zone: &str) -> Option<i64> {
    match zone.as_bytes() {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), hours @ .., b':', tens, ones] if hours.len() == 2 => {
            let (hours, minutes) = (number(hours)?, number(&[*tens, *ones])?);
            let seconds = hours * HOUR + minutes * MINUTE;
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn days_in(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let before_month = usize::try_from(month).ok().and_then(|month| BEFORE_MONTH.get(month)).copied().unwrap_or_default();
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + before_month + day - 1 - DAYS_BEFORE_1970
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.seconds.div_euclid(DAY), self.seconds.rem_euclid(DAY));
        let days = days + DAYS_BEFORE_1970;
        let (cycle, day) = (days.div_euclid(DAYS_IN_CYCLE), days.rem_euclid(DAYS_IN_CYCLE));
        // Four leap days in the cycle come with 1460 days each, less one in 36524, and one more on its very last day.
        let year = (day - day / 1_460 + day / 36_524 - day / (DAYS_IN_CYCLE - 1)) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = BEFORE_MONTH.iter().rposition(|&before| before <= day).unwrap_or_default();
        let day = day - BEFORE_MONTH[month] + 1;
        let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
        let year = cycle * 400 + year;
        let (hour, minute, second) = (second / HOUR, second / MINUTE % 60, second % MINUTE);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

written!(Time, "it is no time of RFC 3339");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::Host;

    fn time(text: &str) -> Time {
        Time::parse(text).unwrap_or_else(|| panic!("{text} is a time"))
    }

    #[test]
    fn seconds_since_1970_with_fractions_and_offsets() {
        for (text, seconds, nanoseconds) in [
            ("1970-01-01T00:00:00Z", 0, 0),
            ("1969-12-31T23:59:59Z", -1, 0),
            ("2000-02-29T00:00:00Z", 951_782_400, 0),
            ("2000-03-01T00:00:00Z", 951_868_800, 0),
            ("2026-11-22T10:00:00Z", 1_795_341_600, 0),
            ("2026-11-22T10:00:00.5Z", 1_795_341_600, 500_000_000),
            ("2026-11-22T10:00:00.000001Z", 1_795_341_600, 1_000),
            ("2026-11-22T10:00:00.1234567899Z", 1_795_341_600, 123_456_789),
            ("2026-11-22T11:30:00+01:30", 1_795_341_600, 0),
            ("2026-11-22T05:00:00-05:00", 1_795_341_600, 0),
            ("2026-11-22t10:00:00z", 1_795_341_600, 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800, 0),
            ("9999-12-31T23:59:59Z", 253_402_300_799, 0),
        ] {
            assert_eq!(time(text), Time { seconds, nanoseconds }, "{text}");
        }
        assert_eq!(time("2016-12-31T23:59:60Z"), time("2017-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "soon",
            "2026-11-22",
            "2026-11-22T10:00:00",
            "2026-11-22T10:00:00.Z",
            "2026-11-22T10:00:00.5",
            "2026-11-22T10:00:00+0100",
            "2026-11-22T10:00:00+1:00",
            "2026-11-22T10:00:00+24:00",
            "2026-11-22T10:00:00ZZ",
            "2026-13-22T10:00:00Z",
            "2026-00-22T10:00:00Z",
            "2026-11-31T10:00:00Z",
            "2026-02-29T10:00:00Z",
            "1900-02-29T10:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T10:60:00Z",
            "+026-11-22T10:00:00Z",
            "2026-11-22T10:00:0äZ",
            "ääääääääääääääää",
        ] {
            assert_eq!(Time::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_nearly_a_time_is_one_or_none() {
        for text in ["2026-11-22T10:00:00.123456789+01:00", "0000-01-02T00:00:00-23:59", "9999-12-30T23:59:60Z"] {
            for (at, _) in text.char_indices() {
                for other in ["", "9", "0", "-", ":", "T", "Z", "ä", "99999999999"] {
                    let text = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                    if let Some(time) = Time::parse(&text) {
                        assert_eq!(Time::parse(&time.to_string()).map(Time::seconds), Some(time.seconds()), "{text}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_time_is_written_as_it_was_read() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2026-11-22T10:00:00Z",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(time(text).to_string(), text);
        }
        assert_eq!(time("2026-11-22T11:00:00.5+01:00").to_string(), "2026-11-22T10:00:00Z");
        // Each day of more than a cycle of 400 years.
        let mut before = String::new();
        for day in -200_000..200_000 {
            let text = Time::from_seconds(day * DAY + 1).to_string();
            assert!(before < text, "{before} < {text}");
            assert_eq!(time(&text).seconds(), day * DAY + 1, "{text}");
            before = text;
        }
    }

    #[test]
    fn an_age_is_in_the_words_of_kubectl() {
        for (seconds, said) in [
            (-5, "0s"),
            (0, "0s"),
            (5, "5s"),
            (119, "119s"),
            (120, "2m"),
            (3 * MINUTE, "3m"),
            (3 * MINUTE + 7, "3m7s"),
            (10 * MINUTE + 7, "10m"),
            (3 * HOUR - 1, "179m"),
            (4 * HOUR + 12 * MINUTE + 9, "4h12m"),
            (5 * HOUR, "5h"),
            (8 * HOUR + 12 * MINUTE, "8h"),
            (47 * HOUR, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + 5 * HOUR, "2d5h"),
            (12 * DAY + 5 * HOUR, "12d"),
            (700 * DAY, "700d"),
            (800 * DAY, "2y70d"),
            (730 * DAY, "2y"),
            (4_000 * DAY, "10y"),
        ] {
            assert_eq!(words(seconds), said, "{seconds}");
        }
        assert!(!words(i64::MAX).is_empty() && !words(i64::MIN).is_empty());
    }

    #[test]
    fn an_age_is_that_of_the_call() {
        let host = Host::new().at(Duration::from_millis(1_795_341_600_250));
        host.run(|| {
            assert_eq!(time("2026-11-22T09:59:00.500Z").age(), "59s");
            assert_eq!(time("2026-11-22T09:59:00.250Z").age(), "60s");
            assert_eq!(time("2026-11-22T10:00:01Z").age(), "0s");
            assert_eq!(Time::now().to_string(), "2026-11-22T10:00:00Z");
        });
    }

    #[test]
    fn times_are_ordered_whatever_their_zone() {
        assert!(time("2026-11-22T10:00:00Z") < time("2026-11-22T10:00:00.000001Z"));
        assert!(time("2026-11-22T10:00:00.9Z") < time("2026-11-22T10:00:01Z"));
        assert!(time("2026-11-22T10:30:00+01:00") < time("2026-11-22T10:00:00Z"));
    }
}
