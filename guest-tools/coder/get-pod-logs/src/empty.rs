//! Why a log is empty, and what to ask instead: an empty answer is easily taken for "nothing happened".

use sandbar_tool::logs::{Excerpt, Source};

/// What to know about an excerpt without a line.
pub(crate) fn hint(source: &Source, excerpt: &Excerpt) -> Option<String> {
    if source.tail_lines == Some(0) {
        return Some("tailLines is 0, so no line was read; leave it out for the newest 2000".to_owned());
    }
    if let Some(pattern) = &source.matching {
        // How many lines were searched is among the warnings: the host has counted them.
        let wider = if excerpt.older == Some(true) { "; a larger tailLines searches older lines, too" } else { "" };
        let advice = otherwise_meant(pattern).unwrap_or_else(|| match pattern.starts_with("(?i") {
            true => "it is a regular expression (RE2)".to_owned(),
            false => "it is a regular expression (RE2); begin it with (?i) for any case".to_owned(),
        });
        return Some(format!("no line matches: {advice}{wider}"));
    }
    if !excerpt.warnings.is_empty() {
        return None;
    }
    let run = if source.previous { "the run before the last restart" } else { "this container" };
    Some(match source.since_seconds {
        Some(seconds) => format!("there is no line of the last {seconds} s; leave out sinceSeconds for older ones"),
        None => format!("{run} has logged nothing, or its log has been rotated away"),
    })
}

/// How a pattern reads in RE2 that was probably written for another program, and how to write it.
fn otherwise_meant(pattern: &str) -> Option<String> {
    if let Some((inner, flags)) = pattern.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'))
        && !inner.is_empty()
        && !inner.replace(r"\/", "").contains('/')
        && flags.chars().all(|flag| "dgimsuvy".contains(flag))
    {
        let case = if flags.contains('i') { "(?i)" } else { "" };
        return Some(format!("the slashes of {pattern} are looked for as text; write {case}{inner}"));
    }
    // As grep writes them without -E.
    if [r"\|", r"\+"].iter().any(|escaped| pattern.contains(escaped)) {
        let basic = [r"\|", r"\(", r"\)", r"\+", r"\?", r"\{", r"\}"];
        let written = basic.iter().fold(pattern.to_owned(), |written, escaped| written.replace(escaped, &escaped[1..]));
        return Some(format!("behind a backslash, each of |()+?{{}} is that character; to use it as grep does, write {written}"));
    }
    // As a shell or SQL writes them.
    if pattern.starts_with('%') && pattern.trim_matches('%').chars().all(|character| character.is_ascii_alphanumeric()) {
        return Some(format!("% is looked for as text; write {}", pattern.trim_matches('%')));
    }
    if pattern.starts_with(['"', '\'']) && pattern.len() > 2 && pattern.ends_with(['"', '\'']) {
        return Some(format!("the quotes are looked for as text; write {}", &pattern[1..pattern.len() - 1]));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_of(source: Source, excerpt: &Excerpt) -> String {
        hint(&source, excerpt).expect("a hint")
    }

    #[test]
    fn a_pattern_of_another_program_is_written_anew() {
        for (pattern, written) in [
            (r"error\|failed", "write error|failed"),
            (r"\(error\|failed\) [0-9]\+", "write (error|failed) [0-9]+"),
            ("/failed/i", "write (?i)failed"),
            ("/fail.*/", "write fail.*"),
            ("/a|b/gi", "write (?i)a|b"),
            ("%error%", "write error"),
            ("\"disk full\"", "write disk full"),
            ("no such words", "begin it with (?i)"),
            ("/var/log/", "begin it with (?i)"),
            ("/var/log/s", "begin it with (?i)"),
            (r"main\(\)", "begin it with (?i)"),
            ("100%", "begin it with (?i)"),
        ] {
            let source = Source { matching: Some(pattern.to_owned()), ..Source::default() };
            let said = hint_of(source, &Excerpt::default());
            assert!(said.starts_with("no line matches: ") && said.contains(written), "{pattern}: {said}");
        }
    }

    #[test]
    fn an_empty_log_says_why_it_is() {
        let excerpt = Excerpt::default();
        let of = |source: Source| hint_of(source, &excerpt);
        assert!(
            of(Source { tail_lines: Some(0), matching: Some("a".to_owned()), ..Source::default() }).contains("tailLines is 0")
        );
        assert_eq!(
            of(Source { since_seconds: Some(60), ..Source::default() }),
            "there is no line of the last 60 s; leave out sinceSeconds for older ones"
        );
        assert!(
            of(Source { previous: true, ..Source::default() }).starts_with("the run before the last restart has logged nothing")
        );
        assert!(of(Source::default()).starts_with("this container has logged nothing"));
        let older = Excerpt { older: Some(true), ..Excerpt::default() };
        let source = Source { matching: Some("(?i)a".to_owned()), ..Source::default() };
        assert!(hint_of(source, &older).contains("a larger tailLines"));
        let warned = Excerpt { warnings: vec!["pod a is not scheduled yet".to_owned()], ..Excerpt::default() };
        assert_eq!(hint(&Source::default(), &warned), None, "the host has said it");
    }
}
