//! How findings are told.

use sandbar_text::clean;
use serde_json::{Value, json};

use super::finding::{Finding, Level};

/// What was found, in the order in which it is told, each with the name of its check.
pub(super) struct Report(pub(super) Vec<(&'static str, Finding)>);

impl Report {
    /// Whether nothing keeps a server from working.
    pub(super) fn is_ok(&self) -> bool {
        self.0.iter().all(|(_, finding)| finding.level != Level::Fail)
    }

    /// A line for each finding; what has several lines, some to paste for example, goes on below.
    pub(super) fn text(&self) -> String {
        let line = |(check, Finding { level, says }): &(&str, Finding)| {
            format!("{:4}  {check}: {}\n", level.mark(), clean(says).trim_end().replace('\n', "\n      "))
        };
        self.0.iter().map(line).collect()
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        let entry = |(check, Finding { level, says }): &(&str, Finding)| json!({ "check": check, "level": level, "says": says });
        json!({ "ok": self.is_ok(), "checks": self.0.iter().map(entry).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_and_what_fails_fails_all() {
        let mut report = Report(vec![("cache", Finding::ok("well")), ("memory", Finding::warn("little\nof it\u{1b}[31m"))]);
        assert!(report.is_ok());
        report.0.push(("rights", Finding::fail("none")));
        assert_eq!(report.text(), "ok    cache: well\nwarn  memory: little\n      of it\nFAIL  rights: none\n");
        let json = report.json();
        assert_eq!(
            (&json["ok"], &json["checks"][2]),
            (&json!(false), &json!({ "check": "rights", "level": "fail", "says": "none" }))
        );
    }
}
