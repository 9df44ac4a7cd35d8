//! The lines of several logs in the order of time. Lines that are the same but for numbers and ids are one, with their number.

use std::collections::BTreeMap;

use sandbar_tool::kubernetes::Time;
use sandbar_tool::kubernetes::lenient::shortened;

use crate::mask::mask;
use crate::which::Log;

/// Bytes of a line. What is longer is a dump, and begins with what matters.
const LINE_MAX: usize = 1024;

/// Lines that are one.
struct Group<'a> {
    /// The newest, and when it was written: gathered logs may not say.
    text: &'a str,
    newest: Option<Time>,
    /// Where it was among all lines, for those of the same time.
    at: usize,
    label: &'a str,
    oldest: Option<Time>,
    lines: usize,
    pods: usize,
    /// The last pod that had one: those of a pod come together.
    pod: &'a str,
}

/// Lines, by what makes them the same.
#[derive(Default)]
pub(crate) struct Merged<'a> {
    groups: BTreeMap<String, Group<'a>>,
    /// All lines.
    pub(crate) lines: usize,
    /// Logs that had some.
    pub(crate) logs: usize,
    /// What makes the line at hand the same as others.
    key: String,
}

impl<'a> Merged<'a> {
    /// Adds the lines of a log, each of which begins with its time where that is known. All logs of a pod have to come together.
    pub(crate) fn add(&mut self, log: &'a Log, label: &'a str, text: &'a str) {
        let mut time = None;
        let before = self.lines;
        for line in text.lines() {
            let (stamp, rest) = line.split_once(' ').unwrap_or((line, ""));
            let text = match Time::parse(stamp) {
                Some(stamp) => {
                    time = Some(stamp);
                    rest
                }
                // It is of the time of the line before.
                None => line,
            };
            self.lines += 1;
            let looked_at = &text[..text.floor_char_boundary(LINE_MAX)];
            mask(looked_at, &mut self.key);
            self.line(Group { text, newest: time, at: self.lines, label, oldest: time, lines: 1, pods: 1, pod: &log.pod });
        }
        self.logs += usize::from(self.lines > before);
    }

    fn line(&mut self, line: Group<'a>) {
        let Some(group) = self.groups.get_mut(&self.key) else {
            self.groups.insert(self.key.clone(), line);
            return;
        };
        group.lines += 1;
        group.pods += usize::from(group.pod != line.pod);
        group.pod = line.pod;
        group.oldest = group.oldest.min(line.oldest);
        if line.newest >= group.newest {
            (group.text, group.newest, group.at, group.label) = (line.text, line.newest, line.at, line.label);
        }
    }

    /// The newest that fit, oldest first, under what all have in common, and what is said of the others.
    pub(crate) fn text(&self, heading: &str, bytes: usize) -> (String, Option<String>) {
        let mut groups: Vec<&Group> = self.groups.values().collect();
        groups.sort_by_key(|group| (group.newest, group.at));
        let day = |time: Time| time.to_string()[..10].to_owned();
        let newest = groups.last().and_then(|group| group.newest).map(day).unwrap_or_default();
        let mut left = bytes;
        let mut shown: Vec<String> = Vec::new();
        for group in groups.iter().rev() {
            let line = group.line(&newest);
            let Some(less) = left.checked_sub(line.len() + 1) else { break };
            left = less;
            shown.push(line);
        }
        let cut = groups.len() - shown.len();
        let cut_lines: usize = groups[..cut].iter().map(|group| group.lines).sum();
        let said = (cut > 0).then(|| {
            let until = groups[cut - 1].newest.map(|time| format!(" up to {time}")).unwrap_or_default();
            format!(
                "{cut_lines} lines ({cut} kinds){until} are not shown: narrow it with matching, sinceSeconds or container, or raise limitBytes"
            )
        });
        if shown.is_empty() {
            return (String::new(), said);
        }
        let day = if newest.is_empty() { newest } else { format!("{newest} UTC") };
        let heading = [heading, &day].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(", ");
        shown.extend(Some(heading).filter(|heading| !heading.is_empty()));
        shown.reverse();
        (shown.join("\n"), said)
    }
}

impl Group<'_> {
    /// As it is shown: times of the newest day are without it.
    fn line(&self, newest_day: &str) -> String {
        let time = |time: Time| {
            let time = time.to_string();
            let (day, of_day) = time.trim_end_matches('Z').split_at(10);
            if day == newest_day { of_day[1..].to_owned() } else { format!("{}{of_day}", &day[5..]) }
        };
        let since = self.oldest.map(|oldest| format!(" since {}", time(oldest))).unwrap_or_default();
        let text = &self.text[..self.text.floor_char_boundary(LINE_MAX + '…'.len_utf8())];
        let text = shortened(text.to_owned(), LINE_MAX);
        let when = self.newest.map(time).unwrap_or_default();
        let place = [&*when, self.label].into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ");
        let colon = if place.is_empty() { "" } else { ": " };
        let again = match (self.lines, self.pods) {
            (1, _) => String::new(),
            (lines, 1) => format!(" (x{lines}{since})"),
            (lines, pods) => format!(" (x{lines} in {pods} pods{since})"),
        };
        format!("{place}{colon}{text}{again}")
    }
}
