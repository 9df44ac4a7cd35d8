//! The pattern that log lines are matched against.

use regex::{Regex, RegexBuilder};

use crate::kubernetes::error::{Code, Error};
use crate::kubernetes::name::quote;

/// Bytes of a pattern.
const PATTERN_MAX: usize = 1024;

/// Bytes of its compiled form. `\w{100}` takes 3 MiB with Unicode tables; what needs more repeats something too often.
const COMPILED_MAX: usize = 4 * 1024 * 1024;

/// Bytes of the cache that a search may fill.
const CACHE_MAX: usize = 2 * 1024 * 1024;

/// Compiles a pattern. The engine is linear in the text, so a pattern can be too large but never too slow.
pub(super) fn compile(pattern: &str) -> Result<Regex, Error> {
    if pattern.len() > PATTERN_MAX {
        return Err(refused(pattern, "it is over 1 KiB"));
    }
    let compiled = RegexBuilder::new(pattern).size_limit(COMPILED_MAX).dfa_size_limit(CACHE_MAX).build();
    compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => refused(pattern, "it is too large once compiled, repeat less"),
        other => {
            // A syntax error is a drawing of several lines; the last one says what is wrong.
            let drawing = other.to_string();
            let reason = drawing.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
            refused(pattern, reason)
        }
    })
}

fn refused(pattern: &str, reason: &str) -> Error {
    Error::new(Code::Invalid, format!("`matching` {} is not a usable regular expression (RE2 syntax): {reason}", quote(pattern)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_cannot_be_used_says_why() {
        assert!(compile("error|(?i)fail(ed)?").is_ok());
        for (pattern, reason) in [
            ("(", "unclosed group"),
            (r"(a)\1", "backreferences are not supported"),
            (r"\w{1000}{1000}", "too large once compiled"),
            (&"a".repeat(PATTERN_MAX + 1), "over 1 KiB"),
        ] {
            let error = compile(pattern).expect_err(pattern);
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.contains(reason), "{}", error.message);
        }
    }
}
