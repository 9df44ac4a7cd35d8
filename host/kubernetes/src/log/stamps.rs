//! The times that the kubelet writes before the lines of a log, kept apart while the lines are masked: what a line says, and what the next
//! one is by it, does not depend on whether somebody has asked for times.

use std::collections::VecDeque;

/// Bytes of the longest time: `2026-11-20T10:00:00.123456789+01:00`.
const TIME_MAX: usize = 35;

/// The times of lines that were taken and have not come back yet, empty where a line has none.
#[derive(Debug, Default)]
pub(super) struct Stamps(VecDeque<Box<str>>);

impl Stamps {
    /// Whole lines without their times.
    pub(super) fn take_off(&mut self, lines: &str) -> String {
        let mut bare = String::with_capacity(lines.len());
        for line in lines.split_inclusive('\n') {
            let (time, rest) = line.split_at(time(line));
            self.0.push_back(time.into());
            bare.push_str(rest);
        }
        bare
    }

    /// The next of these lines, with their times.
    pub(super) fn put_back(&mut self, lines: &str) -> String {
        let mut stamped = String::with_capacity(lines.len() + lines.len() / 2);
        for line in lines.split_inclusive('\n') {
            stamped.push_str(&self.0.pop_front().unwrap_or_default());
            stamped.push_str(line);
        }
        stamped
    }
}

/// Bytes of the time that a line begins with, and of the space behind it.
fn time(line: &str) -> usize {
    let bytes = &line.as_bytes()[..line.len().min(TIME_MAX + 1)];
    let is_of_time = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'T' | b':' | b'.' | b'Z' | b'+');
    let length = bytes.iter().take_while(|byte| is_of_time(byte)).count();
    let is_time =
        matches!(bytes, [year @ .., _] if year.len() > 10 && year[..4].iter().all(u8::is_ascii_digit) && year[10] == b'T');
    if is_time && bytes.get(length) == Some(&b' ') { length + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_gets_its_own_time_back_whenever_it_comes() {
        let log = "2026-11-20T10:00:00.123456789Z one\n2026-11-20T10:00:01+01:00 \nno time\n\n2026-11-20T10:00:02Z 2026-11-20T10:00:03Z two";
        let mut stamps = Stamps::default();
        let bare = stamps.take_off(log);
        assert_eq!(bare, "one\n\nno time\n\n2026-11-20T10:00:03Z two");
        let (first, rest) = bare.split_at(5);
        assert_eq!(stamps.put_back(first) + &stamps.put_back(rest), log);
    }

    #[test]
    fn what_is_no_time_is_a_part_of_its_line() {
        for line in
            ["", "\n", "x\n", "2026-11-20\n", "2026-11-20T10:00:00Z\n", "2026-11-20T10:00:00Zpassword\n", "1.2.3.4 x\n", "é\n"]
        {
            assert_eq!(time(line), 0, "{line}");
        }
        assert_eq!(time(&format!("2026-11-20T10:00:00.{}Z x\n", "1".repeat(40))), 0);
    }
}
