//! Only the lines that a regular expression matches.

use super::*;

#[tokio::test]
async fn only_lines_that_match_are_kept() {
    let namespace = web(&CriLog::of(["INFO start", "ERROR disk full", "info error-free", "Error again"])).await;
    assert_eq!(logs(&read(&namespace, json!({ "matching": "ERROR" })).await), "ERROR disk full\n");
    assert_eq!(logs(&read(&namespace, json!({ "matching": "(?i)^error" })).await), "ERROR disk full\nError again\n");
    assert_eq!(logs(&read(&namespace, json!({ "matching": "full$|again$" })).await), "ERROR disk full\nError again\n");
    assert_eq!(logs(&read(&namespace, json!({ "matching": "no such thing" })).await), "");
    assert_eq!(logs(&read(&namespace, json!({ "matching": "" })).await).lines().count(), 4, "empty means any");
}

#[tokio::test]
async fn a_search_without_a_hit_says_what_was_searched_and_how_to_write_the_pattern() {
    let namespace = web(&CriLog::of(["ERROR disk full", "two"])).await;
    for (pattern, hint) in [
        ("no such thing", "begin it with (?i) for any case"),
        (r"disk\|memory", "write disk|memory"),
        ("/error/i", "write (?i)error"),
    ] {
        let answer = read(&namespace, json!({ "matching": pattern })).await;
        assert_eq!(answer["logs"], "");
        assert_eq!(answer["warnings"], json!(["2 lines were searched, and none matches"]), "{answer}");
        assert!(answer["hint"].as_str().is_some_and(|words| words.contains(hint)), "{answer}");
    }
    // Following it helps.
    for written in ["disk|memory", "(?i)error"] {
        assert_eq!(logs(&read(&namespace, json!({ "matching": written })).await), "ERROR disk full\n");
    }
}

#[tokio::test]
async fn what_is_matched_is_what_is_shown() {
    let namespace = web(&CriLog::of(["\u{1b}[31mERR\u{1b}[0mOR one", "fine"])).await;
    assert_eq!(logs(&read(&namespace, json!({ "matching": "^ERR OR one$" })).await), "ERR OR one\n");
}

#[tokio::test]
async fn the_lines_that_are_searched_are_those_of_the_tail() {
    let lines: Vec<String> = (0..100).map(|n| if n % 10 == 0 { format!("hit {n}") } else { format!("miss {n}") }).collect();
    let namespace = web(&CriLog::of(&lines)).await;
    let answer = read(&namespace, json!({ "matching": "hit", "tailLines": 25 })).await;
    assert_eq!(logs(&answer), "hit 80\nhit 90\n");
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("tailLines")), "older lines were not searched: {answer}");
}

#[tokio::test]
async fn a_needle_is_found_in_far_more_than_an_answer_holds() {
    let mut lines: Vec<String> = (0..60_000).map(|n| format!("line {n:07} {}", "x".repeat(87))).collect();
    lines[10_000] = "the needle".to_owned();
    let namespace = web(&CriLog::of(&lines)).await;
    let answer = read(&namespace, json!({ "matching": "needle", "tailLines": 100_000 })).await;
    assert_eq!(logs(&answer), "the needle\n", "{:.300}", answer.to_string());
}

#[tokio::test]
async fn a_pattern_that_cannot_be_used_is_refused_with_the_reason() {
    let namespace = web(&CriLog::of(["one"])).await;
    for (pattern, reason) in [
        ("(", "unclosed group"),
        ("[a-", "unclosed character class"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?=a)", "look-around"),
        ("*.log", "write `.*`"),
        (r"\w{1000}{1000}", "too large"),
        (r"(?:[ -~]{0,50}){0,400}[\x01-\x1e]", "repeat less"),
    ] {
        let words = refusal(&namespace, json!({ "matching": pattern })).await;
        assert!(words.contains("`matching`") && words.contains(reason), "{pattern}: {words}");
    }
    let words = refusal(&namespace, json!({ "matching": "a".repeat(100_000) })).await;
    assert!(words.len() < 1000, "the pattern is not repeated: {} bytes", words.len());
}

#[tokio::test]
async fn classes_are_those_of_re2_and_cost_little() {
    let namespace = web(&CriLog::of(["from 10.0.0.1 port 80", "from ü", "mail to a.b@example.com"])).await;
    assert_eq!(logs(&read(&namespace, json!({ "matching": r"\b\d{1,3}(\.\d{1,3}){3}\b" })).await), "from 10.0.0.1 port 80\n");
    assert_eq!(logs(&read(&namespace, json!({ "matching": r"[\w.]+@\w+\.\w+" })).await), "mail to a.b@example.com\n");
    assert_eq!(logs(&read(&namespace, json!({ "matching": r"^from \W$" })).await), "from ü\n");
}

#[tokio::test]
async fn a_pattern_that_hangs_other_engines_is_as_fast_as_any() {
    let namespace = web(&CriLog::of([format!("{}b", "a".repeat(100_000)), "aaaa".to_owned()])).await;
    for pattern in ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$"] {
        assert_eq!(logs(&read(&namespace, json!({ "matching": pattern })).await), "aaaa\n", "{pattern}");
    }
}
