//! Logs against servers with every kind of record.

use std::sync::Arc;
use std::time::Duration;

use sandbar_policy::{Budget, Limits, Namespaces};
use sandbar_processor::{CpuEstimate, Processors};

use crate::error::{Code, Error};
use crate::testing::{FakeAnswer, allowed, cluster, grant, parameter, reader};
use crate::types::{Excerpt, LogSource};

fn web() -> LogSource {
    LogSource { namespace: "team-a".into(), pod: "web-0".into(), ..LogSource::default() }
}

fn capped(logs: u64) -> Limits {
    Limits { logs, ..Limits::default() }
}

/// The records that a kubelet sends for a request: the newest, oldest first.
fn tail_of(records: &[String], path: &str) -> String {
    let tail: usize = parameter(path, "tailLines").and_then(|tail| tail.parse().ok()).expect("a tail");
    records[records.len().saturating_sub(tail)..].concat()
}

fn lines(count: usize, length: usize) -> Vec<String> {
    (0..count).map(|n| format!("{n:0length$}\n")).collect()
}

/// Reads the log of a pod with these records; the requests that it took.
async fn tail(records: Vec<String>, source: &LogSource, limits: Limits) -> (Result<Excerpt, Error>, Vec<String>) {
    let (cluster, seen) = cluster(move |path, _| FakeAnswer::ok(tail_of(&records, path)));
    let excerpt = reader(&cluster, Namespaces::All, limits).tail(source).await;
    (excerpt, seen.all())
}

#[tokio::test]
async fn one_line_more_is_asked_for_and_left_out() {
    let source = LogSource { tail_lines: Some(2), ..web() };
    let (excerpt, asked) = tail(lines(3, 4), &source, Limits::default()).await;
    assert_eq!(asked, ["/api/v1/namespaces/team-a/pods/web-0/log?tailLines=3"]);
    let older =
        Excerpt { text: "0001\n0002\n".into(), truncated: false, dropped_bytes: None, older: Some(true), warnings: vec![] };
    assert_eq!(excerpt, Ok(older.clone()));
    let (excerpt, _) = tail(lines(2, 4), &source, Limits::default()).await;
    assert_eq!(excerpt, Ok(Excerpt { text: "0000\n0001\n".into(), older: Some(false), ..older }));
}

#[tokio::test]
async fn truncated_means_that_the_cap_cut_to_the_byte() {
    let source = LogSource { tail_lines: Some(3), ..web() };
    let (exact, _) = tail(lines(3, 4), &source, capped(15)).await;
    let exact = exact.expect("a log");
    assert_eq!((exact.text.len(), exact.truncated, exact.older), (15, false, Some(false)));

    let (over, _) = tail(lines(3, 4), &source, capped(14)).await;
    let over = over.expect("a log");
    assert_eq!((over.text.as_str(), over.truncated, over.dropped_bytes, over.older), ("0001\n0002\n", true, Some(5), Some(true)));

    // The line that was only read to see whether it exists does not count as cut off.
    let (one_more, _) = tail(lines(4, 4), &source, capped(15)).await;
    let one_more = one_more.expect("a log");
    assert_eq!((one_more.text.len(), one_more.truncated, one_more.older), (15, false, Some(true)));
    let (both, _) = tail(lines(4, 4), &source, capped(10)).await;
    let both = both.expect("a log");
    assert_eq!((both.text.as_str(), both.truncated, both.dropped_bytes), ("0002\n0003\n", true, Some(5)));
}

#[tokio::test]
async fn the_caller_can_only_lower_the_cap() {
    for (asked, kept) in [(Some(10), 10), (Some(0), 20), (None, 20), (Some(u32::MAX), 20)] {
        let (excerpt, _) = tail(lines(9, 4), &LogSource { limit_bytes: asked, ..web() }, capped(20)).await;
        assert_eq!(excerpt.expect("a log").text.len(), kept, "{asked:?}");
    }
}

#[tokio::test]
async fn the_defaults_are_2000_lines_and_20000_to_search() {
    let (_, asked) = tail(lines(1, 4), &web(), Limits::default()).await;
    assert_eq!(asked, ["/api/v1/namespaces/team-a/pods/web-0/log?tailLines=2001"]);
    let (_, asked) = tail(lines(1, 4), &LogSource { matching: Some("x".into()), ..web() }, Limits::default()).await;
    assert_eq!(asked, ["/api/v1/namespaces/team-a/pods/web-0/log?tailLines=20001"]);
}

#[tokio::test]
async fn a_tail_far_over_the_cap_is_asked_for_again_with_fewer_records() {
    // 1,000 records of 1 KiB under a cap of 10 KiB.
    let records = lines(1000, 1023);
    let newest = records[990..].concat();
    let (excerpt, asked) = tail(records, &web(), capped(10 * 1024)).await;
    let excerpt = excerpt.expect("a log");
    assert_eq!((excerpt.text, excerpt.truncated, excerpt.older, excerpt.dropped_bytes), (newest, true, Some(true), None));
    let tails: Vec<_> = asked.iter().filter_map(|path| parameter(path, "tailLines")).collect();
    assert_eq!(tails, ["2001", "21"]);
}

#[tokio::test]
async fn fewer_records_that_turn_out_small_are_made_up_for() {
    // Old records of 8 KiB, new ones of 10 bytes: what the old ones suggest is too few.
    let mut records = lines(500, 8 * 1024 - 1);
    records.extend(lines(1000, 9));
    let expected_end = records[500..].concat();
    let (excerpt, asked) = tail(records, &web(), capped(64 * 1024)).await;
    let excerpt = excerpt.expect("a log");
    assert!(excerpt.text.ends_with(&expected_end), "all new lines are there");
    assert!(excerpt.text.len() > 64 * 1024 - 8 * 1024, "and the cap is filled: {}", excerpt.text.len());
    assert!(asked.len() <= 4, "{asked:?}");
}

#[tokio::test]
async fn one_huge_record_is_read_through_and_keeps_its_end() {
    let record = format!("{}the end\n", "x".repeat(300_000));
    let (excerpt, _) = tail(vec![record], &LogSource { tail_lines: Some(1), ..web() }, capped(8)).await;
    let excerpt = excerpt.expect("a log");
    assert_eq!((excerpt.text.as_str(), excerpt.truncated, excerpt.dropped_bytes), ("the end\n", true, Some(300_000)));

    let record = format!("{}the end\n", "x".repeat(300_000));
    let (excerpt, _) = tail(vec![record], &web(), Limits { read: 100_000, ..capped(8) }).await;
    assert_eq!(excerpt.expect_err("over the budget").code, Code::Exhausted);
}

#[tokio::test]
async fn a_search_keeps_what_matches_and_counts_only_that() {
    let records = vec!["error one\n".into(), "fine\n".into(), "error two\n".into(), "fine\n".into()];
    let search = |lines| LogSource { matching: Some("^error".into()), tail_lines: lines, ..web() };
    let (all, _) = tail(records.clone(), &search(None), Limits::default()).await;
    let all = all.expect("a log");
    assert_eq!((all.text.as_str(), all.truncated, all.older), ("error one\nerror two\n", false, Some(false)));

    let (last_three, _) = tail(records.clone(), &search(Some(3)), Limits::default()).await;
    let last_three = last_three.expect("a log");
    assert_eq!((last_three.text.as_str(), last_three.truncated, last_three.older), ("error two\n", false, Some(true)));

    let (cut, _) = tail(records, &search(None), capped(10)).await;
    let cut = cut.expect("a log");
    assert_eq!((cut.text.as_str(), cut.truncated, cut.dropped_bytes), ("error two\n", true, Some(10)));
}

#[tokio::test]
async fn a_search_that_cannot_read_all_says_so() {
    let search = LogSource { matching: Some("x".into()), tail_lines: Some(1000), ..web() };
    let (excerpt, asked) = tail(lines(1000, 99), &search, Limits { read: 50_000, ..capped(10) }).await;
    let excerpt = excerpt.expect("a log");
    assert_eq!((excerpt.text.as_str(), excerpt.truncated, excerpt.older), ("", false, Some(true)));
    assert_eq!(excerpt.warnings.len(), 1, "{asked:?}");
    assert!(excerpt.warnings[0].starts_with("only the newest "), "{}", excerpt.warnings[0]);
}

#[tokio::test]
async fn a_search_without_a_hit_says_how_much_was_searched() {
    let said = async |log: &str, source: LogSource| {
        let search = LogSource { matching: Some("needle".into()), ..source };
        tail(log.split_inclusive('\n').map(str::to_owned).collect(), &search, Limits::default()).await.0.expect("a log").warnings
    };
    assert_eq!(said("a\nb\nc\n", web()).await, ["3 lines were searched, and none matches"]);
    assert_eq!(said("a\n", web()).await, ["there was one line to search, and it does not match"]);
    assert_eq!(said("", web()).await, ["there was no line to search"]);
    let since = LogSource { since_seconds: Some(60), ..web() };
    assert_eq!(said("a\nb\n", since).await, ["2 lines of the last 60 s were searched, and none matches"]);
    assert!(said("a\nneedle\n", web()).await.is_empty(), "there is a hit");
}

#[tokio::test]
async fn whether_older_lines_exist_is_not_guessed() {
    let since = LogSource { since_seconds: Some(60), ..web() };
    assert_eq!(tail(lines(3, 4), &since, Limits::default()).await.0.expect("a log").older, None);
    // Lines of over 16 KiB came in several records each: 6 of them here.
    assert_eq!(tail(lines(3, 20_000), &web(), Limits::default()).await.0.expect("a log").older, Some(false));
    let five = LogSource { tail_lines: Some(5), ..web() };
    let excerpt = tail(lines(3, 20_000), &five, Limits::default()).await.0.expect("a log");
    assert_eq!(excerpt.older, None);
    assert_eq!(excerpt.warnings, ["the first line may lack its beginning: it is so long that the runtime has split it"]);
}

#[tokio::test]
async fn what_was_asked_for_is_passed_on() {
    let source = LogSource {
        container: Some("sidecar".into()),
        previous: true,
        timestamps: true,
        since_seconds: Some(60),
        tail_lines: Some(5),
        ..web()
    };
    let (_, asked) = tail(lines(1, 4), &source, Limits::default()).await;
    assert_eq!(
        asked,
        ["/api/v1/namespaces/team-a/pods/web-0/log?container=sidecar&previous=true&timestamps=true&sinceSeconds=60&tailLines=6"]
    );
}

#[tokio::test]
async fn no_lines_are_an_empty_log_and_no_request() {
    let (excerpt, asked) = tail(lines(9, 4), &LogSource { tail_lines: Some(0), ..web() }, Limits::default()).await;
    assert_eq!((excerpt.expect("empty").text.as_str(), asked.len()), ("", 0));
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_by_name() {
    for (source, words) in [
        (LogSource { since_seconds: Some(0), ..web() }, "`since-seconds` is 0"),
        (LogSource { namespace: String::new(), ..web() }, "namespace is required"),
        (LogSource { pod: "../secrets".into(), ..web() }, "`../secrets`"),
        (LogSource { container: Some("a/b".into()), ..web() }, "`a/b`"),
        (LogSource { matching: Some("(".into()), ..web() }, "`(`"),
    ] {
        let (excerpt, asked) = tail(lines(1, 4), &source, Limits::default()).await;
        let error = excerpt.expect_err(words);
        assert_eq!((error.code, asked.len()), (Code::Invalid, 0));
        assert!(error.message.contains(words), "{}", error.message);
    }
}

#[tokio::test]
async fn a_pattern_is_compiled_within_the_grant_and_where_there_is_something_to_search() {
    let (cluster, seen) = cluster(|_, _| FakeAnswer::ok("x\n"));
    let matching = |pattern: &str| LogSource { matching: Some(pattern.into()), ..web() };
    let nowhere = reader(&cluster, allowed(&["team-b"]), Limits::default());
    assert_eq!(nowhere.tail(&matching("(")).await.expect_err("not granted").code, Code::Denied);
    let none = LogSource { tail_lines: Some(0), ..matching("(") };
    let any = reader(&cluster, Namespaces::All, Limits::default());
    assert_eq!(any.tail(&none).await, Ok(Excerpt::empty()), "no lines need no pattern");
    assert_eq!(any.tail(&matching("(")).await.expect_err("no pattern").code, Code::Invalid);
    assert_eq!(seen.count(), 0);
}

/// What becomes of a tail within a call.
async fn in_a_call(records: Vec<String>, source: LogSource, limits: Limits) -> Result<Excerpt, Error> {
    let (cluster, _) = cluster(move |path, _| FakeAnswer::ok(tail_of(&records, path)));
    let budget = Arc::new(Budget::new(limits));
    let reader = cluster.reader(Arc::new(grant(Namespaces::All)), budget.clone());
    // From its beginning on a thread of its own, where its time is nobody else's.
    let meter = budget.meter().clone();
    let call = async move {
        budget.meter().prepare_for(usize::MAX).await;
        reader.tail(&source).await
    };
    Processors::all_but_one().run(&meter, &CpuEstimate::default(), call).await.expect("no panic")
}

#[tokio::test]
async fn a_search_is_the_calls_processor_time() {
    let search = LogSource { matching: Some("[a-y]{1,200}z".into()), ..web() };
    let none = Limits { cpu: Duration::ZERO, ..Limits::default() };
    let error = in_a_call(lines(10, 100), search.clone(), none.clone()).await.expect_err("no time");
    assert_eq!(error.code, Code::Exhausted);
    assert!(error.message.contains("too costly") && error.message.contains("repeat less"), "{}", error.message);
    let error = in_a_call(lines(10, 100), web(), none).await.expect_err("no time");
    assert!(error.message.starts_with("the call has computed"), "{}", error.message);
    assert_eq!(in_a_call(lines(10, 100), search, Limits::default()).await.expect("an excerpt").text, "");
}

/// What the server's answer becomes.
async fn answered(answer: impl Fn() -> FakeAnswer + Send + Sync + 'static) -> Result<Excerpt, Error> {
    let (cluster, _) = cluster(move |_, _| answer());
    reader(&cluster, Namespaces::All, Limits::default()).tail(&web()).await
}

#[tokio::test]
async fn a_pod_without_a_node_is_said_to_have_none() {
    let excerpt = answered(|| FakeAnswer::with_status(204, "")).await.expect("an empty log");
    assert_eq!(excerpt.warnings, ["pod web-0 is not scheduled yet: it has no node, so no container of it has run"]);
    let excerpt = answered(|| FakeAnswer::ok("")).await.expect("an empty log");
    assert_eq!((excerpt.text.as_str(), excerpt.warnings.len(), excerpt.older), ("", 0, Some(false)));
}

#[tokio::test]
async fn failures_name_what_is_likely_at_fault() {
    let none = || serde_json::json!({});
    let wrong_container =
        answered(move || FakeAnswer::status(400, "BadRequest", "container x is not valid for pod web-0", none())).await;
    assert_eq!(wrong_container, Err(Error::new(Code::Invalid, "container x is not valid for pod web-0")));

    let gone = || serde_json::json!({ "details": { "name": "n1", "kind": "pods" } });
    let node_gone =
        answered(move || FakeAnswer::status(404, "NotFound", "pods \"n1\" not found", gone())).await.expect_err("gone");
    assert_eq!(node_gone.code, Code::Unavailable);
    assert_eq!(node_gone.message, "the log of pod web-0 is gone with its node: the cluster has no node \"n1\" any more");

    let dead = answered(|| FakeAnswer::with_status(500, "Get \"https://10.0.0.5:10250/containerLogs\": i/o timeout"))
        .await
        .expect_err("dead");
    assert_eq!(dead.code, Code::Unavailable);
    assert!(dead.message.starts_with("the node of pod web-0 may be down"), "{}", dead.message);
    assert!(dead.message.contains("10.0.0.5"), "{}", dead.message);
}

#[tokio::test(start_paused = true)]
async fn a_hung_kubelet_ends_in_an_error() {
    let silent = answered(|| FakeAnswer::Silence).await.expect_err("silent");
    assert_eq!(silent.code, Code::Unavailable);
    assert!(silent.message.contains("did not answer within 12 s") && silent.message.contains("kubelet"), "{}", silent.message);
    let stuck = answered(|| FakeAnswer::ok("one\n").then_silence()).await.expect_err("stuck");
    assert_eq!(stuck.code, Code::Unavailable);
}

#[tokio::test]
async fn a_server_that_ignores_how_many_lines_are_asked_for_is_cut_to_them() {
    for (sent, wanted, cap, kept, truncated) in [
        // With and without lines that the cap has taken already, up to all that are too many.
        (9, 2, 100, "0007\n0008\n", false),
        (9, 8, 100, "0001\n0002\n0003\n0004\n0005\n0006\n0007\n0008\n", false),
        (9, 3, 20, "0006\n0007\n0008\n", false),
        (9, 3, 15, "0006\n0007\n0008\n", false),
        (9, 3, 14, "0007\n0008\n", true),
    ] {
        let all = lines(sent, 4).concat();
        let (cluster, _) = cluster(move |_, _| FakeAnswer::ok(all.clone()));
        let source = LogSource { tail_lines: Some(wanted), ..web() };
        let excerpt = reader(&cluster, Namespaces::All, capped(cap)).tail(&source).await.expect("a log");
        let case = format!("{wanted} of {sent} lines in {cap} bytes");
        assert_eq!((excerpt.text.as_str(), excerpt.truncated, excerpt.older), (kept, truncated, Some(true)), "{case}");
    }
}

#[tokio::test]
async fn surplus_lines_without_number_are_taken_off_in_one_go() {
    // Line by line this would move a TB.
    let sent = 2_000_000;
    let (cluster, _) = cluster(move |_, _| FakeAnswer::ok("\n".repeat(sent)));
    let excerpt = reader(&cluster, Namespaces::All, capped(8 << 20)).tail(&web()).await.expect("a log");
    assert_eq!((excerpt.text.len(), excerpt.truncated, excerpt.older), (2_000, false, Some(true)));
}
