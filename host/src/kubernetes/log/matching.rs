//! The pattern that log lines are matched against, and what that may take.
//!
//! Matching is linear in the text, but a pattern can make each byte as expensive as it is large. It is the component, or its caller,
//! that wrote the pattern, and the host that pays: so a compiled pattern is small, and the time has an end.

use std::time::{Duration, Instant};

use regex::{Regex, RegexBuilder};

use crate::kubernetes::error::{Code, Error};
use crate::kubernetes::name::quote;
use crate::policy::Budget;

/// Bytes of a pattern.
const PATTERN_MAX: usize = 1024;

/// Bytes of its compiled form. A dozen words without regard to case take 7 KiB, an IP address 2 KiB, `\p{L}` 45 KiB: what needs more
/// repeats something too often. At worst, each byte of text takes 0.1 ns for each byte of it.
const COMPILED_MAX: usize = 64 * 1024;

/// Bytes that the smallest pattern counts as.
const COMPILED_LEAST: usize = 1024;

/// Bytes of the cache that a search may fill, for each direction: with less, a dozen words without regard to case are slow.
const CACHE_MAX: usize = 256 * 1024;

/// Bytes of pattern times bytes of line: nothing can interrupt the search of one line, and this is a second of it at worst. With a
/// dozen words, a line as long as an excerpt can still be searched.
const AT_ONCE: u64 = 8 * 1024 * 1024 * 1024;

/// How long the lines of one excerpt may be searched. The 64 MiB that a call may read take 100 ms as a rule.
const TIME: Duration = Duration::from_secs(2);

/// What to do instead, for a pattern that is too much.
const ADVICE: &str = r"repeat less (`.*` rather than `.{0,100}`), and use [a-z] or \w rather than \p{L}";

/// A compiled pattern.
pub(super) struct Pattern {
    regex: Regex,
    /// Bytes of it, up to the next power of two.
    size: usize,
    /// As it is shown in messages.
    shown: String,
}

/// Compiles a pattern, of RE2's dialect.
pub(super) fn compile(pattern: &str) -> Result<Pattern, Error> {
    if pattern.len() > PATTERN_MAX {
        return Err(refused(pattern, "it is over 1 KiB"));
    }
    let re2 = as_re2(pattern);
    // No engine says how large a pattern is; what says it is which limit lets it pass.
    let mut size = COMPILED_LEAST;
    loop {
        match RegexBuilder::new(&re2).size_limit(size).dfa_size_limit(CACHE_MAX).build() {
            Ok(regex) => return Ok(Pattern { regex, size, shown: quote(pattern) }),
            Err(regex::Error::CompiledTooBig(_)) if size < COMPILED_MAX => size *= 2,
            Err(regex::Error::CompiledTooBig(_)) => {
                return Err(refused(pattern, &format!("it is too large once compiled; {ADVICE}")));
            }
            Err(other) => {
                // A syntax error is a drawing of several lines; the last one says what is wrong.
                let drawing = other.to_string();
                let reason = drawing.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
                return Err(refused(pattern, &format!("{reason}{}", advice(reason))));
            }
        }
    }
}

/// What to write instead, for what other programs take.
fn advice(reason: &str) -> &'static str {
    match reason {
        _ if reason.contains("look-around") => "; search for what has to be there, and leave out afterwards what must not",
        _ if reason.contains("backreferences") => "; write out what repeats",
        _ if reason.contains("repetition operator missing") => {
            r"; `*`, `+` and `?` repeat what stands before them: for anything, as in the name of a file, write `.*`"
        }
        _ if reason.contains("unclosed") || reason.contains("unopened") => {
            r"; a bracket that is looked for as text has a backslash before it, as in `\(` and `\[`"
        }
        _ if reason.contains("unrecognized escape") => r"; a backslash that is looked for as text is written `\\`",
        _ => "",
    }
}

fn refused(pattern: &str, reason: &str) -> Error {
    Error::new(Code::Invalid, format!("`matching` {} is not a usable regular expression (RE2 syntax): {reason}", quote(pattern)))
}

/// The same pattern where `\d`, `\w` and `\b` mean ASCII, as in RE2. Here they would be Unicode's: `\w` alone takes 50 KiB, and `\b`
/// is slow on each line with a letter that is not ASCII.
fn as_re2(pattern: &str) -> String {
    let mut re2 = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut rest = pattern.chars().peekable();
    while let Some(char) = rest.next() {
        if char != '\\' {
            in_class = (in_class || char == '[') && char != ']';
            re2.push(char);
            continue;
        }
        let escaped = rest.next();
        let class = match escaped {
            Some('d') => "[0-9]",
            Some('D') => "[^0-9]",
            Some('w') => "[0-9A-Za-z_]",
            Some('W') => "[^0-9A-Za-z_]",
            // `\b{start}` is something else.
            Some('b') if !in_class && rest.peek() != Some(&'{') => r"(?-u:\b)",
            _ => "",
        };
        // Behind a hyphen it would be the end of a range, which is an error that has to stay one.
        let is_range = re2.ends_with('-') && !["[-", "[^-", r"\-"].iter().any(|lone| re2.ends_with(lone));
        if class.is_empty() || (in_class && is_range) {
            re2.push('\\');
            re2.extend(escaped);
        } else {
            re2.push_str(class);
        }
    }
    re2
}

/// One search through the lines of a log, and the time that it has taken. It is the call's time, too.
pub(super) struct Search<'p> {
    pattern: &'p Pattern,
    budget: &'p Budget,
    taken: Duration,
}

impl<'p> Search<'p> {
    pub(super) fn new(pattern: &'p Pattern, budget: &'p Budget) -> Self {
        Self { pattern, budget, taken: Duration::ZERO }
    }

    /// How long matching has taken so far.
    pub(super) fn taken(&self) -> Duration {
        self.taken
    }

    /// Whether the pattern matches a line, its newline aside. Fails once matching has taken too long, here or in the whole call.
    pub(super) fn is_match(&mut self, line: &str) -> Result<bool, Error> {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if (line.len() as u64).saturating_mul(self.pattern.size as u64) > AT_ONCE {
            return Err(self.too_costly(&format!("the log has a line of {} bytes", line.len())));
        }
        let began = Instant::now();
        let is_match = self.pattern.regex.is_match(line);
        let taken = began.elapsed();
        self.taken += taken;
        if self.budget.take_search(taken) && self.taken <= TIME {
            return Ok(is_match);
        }
        Err(self.too_costly(&format!("the search has taken {:.1} s", self.taken.as_secs_f64())))
    }

    fn too_costly(&self, found: &str) -> Error {
        let message =
            format!("`matching` {} is too costly for this log: {found}; {ADVICE}, or ask for fewer lines", self.pattern.shown);
        Error::new(Code::Exhausted, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Limits;

    fn is_match(pattern: &str, line: &str) -> bool {
        let pattern = compile(pattern).unwrap_or_else(|error| panic!("{}", error.message));
        Search::new(&pattern, &Budget::new(Limits::default())).is_match(line).expect("in time")
    }

    #[test]
    fn a_pattern_that_cannot_be_used_says_why() {
        for (pattern, reason) in [
            ("(", "unclosed group"),
            (r"(a)\1", "backreferences are not supported"),
            (r"\w{1000}{1000}", "too large once compiled"),
            (r"(?:[ -~]{0,50}){0,400}[\x01-\x1e]", "repeat less"),
            (r"\p{L}\p{L}", r"\w rather than \p{L}"),
            (r"[!-\w]", "invalid"),
            ("*.log", "write `.*`"),
            (
                "(?!debug)error",
                "look-around, including look-ahead and look-behind, is not supported; search for what has to be there",
            ),
            ("f(x", r"as in `\(`"),
            (r"a\qb", r"written `\\`"),
            (&"a".repeat(PATTERN_MAX + 1), "over 1 KiB"),
        ] {
            let error = compile(pattern).err().unwrap_or_else(|| panic!("{pattern} compiles"));
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.contains(reason), "{}", error.message);
        }
    }

    #[test]
    fn patterns_that_are_in_use_fit() {
        for (pattern, line) in [
            ("error|(?i)fail(ed)?", "FAILED"),
            ("(?i)error|warn|panic", "a WARNing"),
            ("(?i)error|warn|fatal|panic|fail|exception|denied|refused|timeout|timed out|oom|evicted|unhealthy", "Timed Out"),
            (r"\b\d{1,3}(\.\d{1,3}){3}\b", "to 10.0.0.1:80"),
            (r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z \w+ .*$", "2026-01-01T00:00:00.123Z stderr F x"),
            (r"[\w.+-]+@[\w-]+\.\w+", "from a.b@example.com"),
            (r"\p{L}+", "ü"),
            (r"status=[45]\d\d .*(timeout|reset|refused)", "status=502 x reset"),
            (r"\bü", "aü"),
            (r"[-\w]+\.[-\w]+\.svc", "to web-0.team-a.svc"),
            (r"[^-\w]{3}", "a / b"),
            (r"[.\-\w]+:\d+", "db-0.x:5432"),
        ] {
            assert!(is_match(pattern, line), "{pattern}");
        }
    }

    #[test]
    fn classes_are_those_of_re2() {
        for (pattern, line) in
            [(r"^\w$", "ü"), (r"^\d$", "٣"), (r"^[\w]$", "ü"), (r"^\W$", "a"), (r"^\D$", "1"), (r"^[^\D]$", "a")]
        {
            assert!(!is_match(pattern, line), "{pattern}");
        }
        for (pattern, line) in
            [(r"^\W$", "ü"), (r"^\D$", "٣"), (r"^[\d\-]$", "-"), (r"^\\w$", r"\w"), (r"^[]\d]+$", "]1"), (r"^[^\W]$", "a")]
        {
            assert!(is_match(pattern, line), "{pattern}");
        }
    }

    #[test]
    fn a_search_that_takes_too_long_ends_in_an_error() {
        let pattern = compile("[a-y]{1,200}z").expect("it compiles");
        let none = Budget::new(Limits { cpu: Duration::ZERO, ..Limits::default() });
        let error = Search::new(&pattern, &none).is_match(&"a".repeat(100)).expect_err("no time");
        assert_eq!(error.code, Code::Exhausted);
        assert!(error.message.contains("too costly") && error.message.contains("repeat less"), "{}", error.message);
    }

    #[test]
    fn a_line_that_is_too_long_for_a_large_pattern_is_not_searched() {
        let long = "a".repeat(1 << 20);
        let pattern = compile("[a-y]{1,200}z").expect("it compiles");
        let budget = Budget::new(Limits::default());
        let mut search = Search::new(&pattern, &budget);
        assert!(search.is_match(&long).expect_err("too long").message.contains("a line of 1048576 bytes"));
        assert_eq!(search.taken(), Duration::ZERO);
        assert!(!is_match("(?i)error|warn|panic", &long));
    }
}
