//! Logs that are larger than an answer may be: the newest lines are kept, whole.

use super::*;

/// Lines of some hundred bytes, each with its number.
fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("line {n:07} {}", "x".repeat(87))).collect()
}

#[tokio::test]
async fn the_newest_whole_lines_that_fit_are_kept() {
    let lines = numbered(30_000);
    let namespace = web(&CriLog::of(&lines)).await;
    let answer = read(&namespace, json!({ "tailLines": 30_000 })).await;
    let text = logs(&answer).strip_suffix(MARK).expect("it is marked");
    // 101 bytes a line.
    let fit = CAP / (lines[0].len() + 1);
    let newest: String = lines[lines.len() - fit..].iter().map(|line| format!("{line}\n")).collect();
    assert!(text == newest, "{} bytes, from {:?}", text.len(), &text[..30]);
    assert_eq!(answer["truncated"], true);
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("tailLines")), "{:?}", answer["hint"]);
}

#[tokio::test]
async fn the_cap_counts_to_the_byte() {
    let line = |bytes: usize| "x".repeat(bytes - 1);
    let half = CAP / 2;
    for (bytes, truncated) in [(CAP, false), (CAP + 1, true)] {
        let namespace = web(&CriLog::of([line(bytes - half), line(half)])).await;
        let answer = read(&namespace, json!({})).await;
        assert_eq!(logs(&answer).ends_with(MARK), truncated, "{bytes} bytes");
        assert_eq!(answer.get("truncated").is_some(), truncated);
        let kept = logs(&answer).trim_end_matches(MARK).len();
        assert_eq!(kept, if truncated { half } else { CAP }, "of {bytes} bytes");
    }
}

#[tokio::test]
async fn a_log_of_many_times_the_cap_still_ends_with_its_newest_line() {
    let lines = numbered(250_000);
    let namespace = web(&CriLog::of(&lines)).await;
    let answer = read(&namespace, json!({ "tailLines": 1_000_000 })).await;
    let text = logs(&answer).strip_suffix(MARK).expect("it is marked");
    assert!(text.ends_with(&format!("{}\n", lines[lines.len() - 1])));
    assert!(text.len() <= CAP && text.len() > CAP - 200, "{} bytes", text.len());
    assert!(text.starts_with("line "), "it begins with a whole line: {:?}", &text[..20]);
}

#[tokio::test]
async fn one_line_of_5_mib_keeps_its_newest_bytes() {
    let long = format!("{}the end", "0123456789abcdef".repeat(5 * CAP / 16));
    let whole = web(&CriLog::of([long.clone()])).await;
    let split = long.as_bytes().chunks(RECORD).collect::<Vec<_>>();
    let (last, parts) = split.split_last().unwrap();
    let split = web(&parts.iter().fold(CriLog::new(), |log, part| log.part(part)).line(last)).await;
    for (how, namespace) in [("as one record", whole), ("in records of 16 KiB", split)] {
        let answer = read(&namespace, json!({})).await;
        let text = logs(&answer).strip_suffix(MARK).unwrap_or_else(|| panic!("{how}: it is not marked"));
        assert!(text.len() <= CAP && text.len() > CAP - RECORD, "{how}: {} bytes", text.len());
        assert!(format!("{long}\n").ends_with(text), "{how}");
    }
}

#[tokio::test]
async fn lines_that_the_runtime_has_split_are_whole_again() {
    let long: String = (0..10_000).map(|n| format!("{n:06} ")).collect();
    let mut log = CriLog::of(["before"]);
    let records: Vec<&[u8]> = long.as_bytes().chunks(RECORD).collect();
    let (last, parts) = records.split_last().unwrap();
    for part in parts {
        log = log.part(part);
    }
    let namespace = web(&log.line(last).line("after")).await;
    let answer = read(&namespace, json!({})).await;
    assert!(logs(&answer) == format!("before\n{long}\nafter\n"), "{} bytes", logs(&answer).len());
    assert_eq!(answer.get("truncated"), None);
}

#[tokio::test]
async fn a_tail_that_begins_inside_a_split_line_does_not_pass_its_end_off_as_a_line() {
    // 5 records: tailLines counts them, not lines.
    let log = CriLog::new().part("a".repeat(RECORD)).part("b".repeat(RECORD)).line("c").line("one").line("two");
    let namespace = web(&log).await;
    assert_eq!(logs(&read(&namespace, json!({ "tailLines": 2 })).await), "one\ntwo\n");
    let answer = read(&namespace, json!({ "tailLines": 3 })).await;
    let text = logs(&answer);
    let is_whole = text.lines().next().is_some_and(|line| line.len() > 2 * RECORD);
    let is_said = answer.get("truncated").is_some() || answer.get("hint").is_some() || answer.get("warnings").is_some();
    assert!(text == "one\ntwo\n" || is_whole || is_said, "{:.200}", answer.to_string());
}

#[tokio::test]
async fn older_lines_are_mentioned_to_whom_does_not_expect_them() {
    let namespace = web(&CriLog::of(numbered(2001))).await;
    let answer = read(&namespace, json!({})).await;
    assert_eq!(logs(&answer).lines().count(), 2000);
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("older lines")), "{:?}", answer["hint"]);
    assert_eq!(read(&namespace, json!({ "tailLines": 5 })).await.get("hint"), None);
    assert_eq!(read(&namespace, json!({ "tailLines": 3000 })).await.get("hint"), None);
}

#[tokio::test]
async fn a_log_of_the_full_cap_reaches_clients_of_both_eras_as_plain_json() {
    // The original answers with one event of over 2 MiB, which the official Python client refuses to read.
    let namespace = web(&CriLog::of(numbered(12_000))).await;
    for client in [client().await, Client::legacy(Server::shared().await).await] {
        let call = json!({ "name": "get_pod_logs", "arguments": about_web(&namespace, json!({ "tailLines": 12_000 })) });
        let reply = client.send("tools/call", call).await;
        assert_eq!(reply.header("content-type"), Some("application/json"));
        let result = reply.message().await.unwrap()["result"].take();
        assert!(logs(&result["structuredContent"]).len() > CAP - 200);
        assert_eq!(result["content"][0]["text"], result["structuredContent"].to_string());
    }
}

#[tokio::test]
async fn the_operator_can_lower_the_cap_and_a_caller_cannot_raise_it() {
    let namespace = web(&CriLog::of(numbered(1000))).await;
    let server = Server::builder()
        .of(sandbar_tests::control_plane::ControlPlane::shared(), "admin")
        .config("limits: { logs: 10Ki }\n")
        .start()
        .await;
    let answer = Client::modern(&server).answer("get_pod_logs", about_web(&namespace, json!({ "limitBytes": 1_000_000 }))).await;
    let text = logs(&answer).strip_suffix(MARK).expect("it is marked");
    assert!(text.len() <= 10 * 1024 && text.len() > 10 * 1024 - 200, "{} bytes", text.len());
}
