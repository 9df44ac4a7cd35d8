//! API servers that answer, and no good.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// Whether a request is for the events of `team-a`.
fn asks_for_events(path: &str) -> bool {
    path.starts_with("/api/v1/namespaces/team-a/events")
}

/// The words of `get_events` where the API server answers like this, and how often it was asked.
async fn events_of(answer: FakeAnswer) -> (String, usize) {
    events_within("", answer).await
}

/// The same with a sandbar.yaml.
async fn events_within(config: &str, answer: FakeAnswer) -> (String, usize) {
    let api = FakeApi::start(move |path| asks_for_events(path).then(|| answer.clone()));
    let (server, _folder) = in_front_of_fake_with(&api, config).await;
    let client = Client::modern(&server);
    let words = client.failure("get_events", json!({ "namespace": "team-a" })).await;
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok", "the server goes on");
    (words, api.requests().iter().filter(|path| asks_for_events(path)).count())
}

#[tokio::test]
async fn a_busy_api_server_is_asked_once_more_and_then_the_client_is_told_to_wait() {
    let busy =
        FakeAnswer::status(429, "TooManyRequests", "too many requests, please try again later").with_header("retry-after", "1");
    let (words, asked) = events_of(busy).await;
    assert!(words.contains("asks to wait") && words.contains("too many requests"), "{words}");
    assert_eq!(asked, 2, "no storm of retries");
}

#[tokio::test]
async fn a_busy_api_server_that_asks_for_a_long_wait_is_not_waited_for() {
    let busy = FakeAnswer::status(429, "TooManyRequests", "slow down").with_header("retry-after", "3600");
    let (words, asked) = events_of(busy).await;
    assert!(words.contains("slow down") && words.contains("3600"), "{words}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn an_api_server_that_is_busy_for_a_moment_costs_a_moment() {
    let asked = AtomicU32::new(0);
    let api = FakeApi::start(move |path| {
        let first = asks_for_events(path) && asked.fetch_add(1, Ordering::Relaxed) == 0;
        first.then(|| FakeAnswer::status(429, "TooManyRequests", "one moment").with_header("retry-after", "1"))
    });
    let (server, _folder) = in_front_of_fake(&api).await;
    let answer = Client::modern(&server).answer("get_events", json!({ "namespace": "team-a" })).await;
    assert_eq!(answer["items"], json!([]));
}

#[tokio::test]
async fn errors_of_the_api_server_are_passed_on_with_their_code() {
    for (answer, said) in [
        (FakeAnswer::status(500, "InternalError", "etcdserver: leader changed"), "etcdserver: leader changed"),
        (
            FakeAnswer::status(503, "ServiceUnavailable", "the server is currently unable to handle the request"),
            "unable to handle",
        ),
        (FakeAnswer::text(503, "error trying to reach service: dial tcp 10.0.0.7:443: connect: connection refused"), "10.0.0.7"),
        (FakeAnswer::text(502, "<html><body>Bad Gateway</body></html>"), "502"),
        (FakeAnswer::status(504, "Timeout", "request did not complete within the allotted timeout"), "allotted"),
        (FakeAnswer::text(418, ""), "418"),
    ] {
        let (words, asked) = events_of(answer).await;
        assert!(words.starts_with("list events in team-a: ") && words.contains(said), "{words}");
        assert!(asked <= 2, "{asked} requests: {words}");
    }
}

#[tokio::test]
async fn a_busy_api_server_that_names_no_time_is_asked_once_more() {
    for answer in [FakeAnswer::status(429, "TooManyRequests", "slow down"), FakeAnswer::text(429, "slow down")] {
        let (words, asked) = events_of(answer).await;
        assert!(words.contains("asks to wait") && words.contains("slow down"), "{words}");
        assert_eq!(asked, 2, "{words}");
    }
}

/// The beginning of a list of events.
const BEGINNING: &str = r#"{"kind":"EventList","apiVersion":"v1","metadata":{},"items":["#;

/// One of its items, and the comma to the next.
const ITEM: &str = r#"{"metadata":{"name":"e","namespace":"team-a"},"reason":"Tested","message":"one of very many"},"#;

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_taken_for_a_short_one() {
    for beginning in ["", "{", BEGINNING, &format!("{BEGINNING}{ITEM}"), &format!("{BEGINNING}]")] {
        let (words, _) = events_of(FakeAnswer::Begun(beginning.to_owned(), Then::Breaks)).await;
        assert!(words.starts_with("list events in team-a: ") && words.contains("broke off"), "{beginning:?}: {words}");
    }
}

#[tokio::test]
async fn an_answer_that_stops_in_its_middle_ends_with_the_calls_time() {
    let stalled = FakeAnswer::Begun(format!("{BEGINNING}{ITEM}"), Then::Stalls);
    let (words, asked) = events_within("limits: { time: 3s }\n", stalled).await;
    assert!(words.contains("3 s") && words.contains("limit `time`"), "{words}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn an_answer_without_end_ends_with_what_the_call_may_read() {
    for (beginning, again) in [(BEGINNING, ITEM), (BEGINNING, " "), (" ", " "), (r#"{"items":[{"a":""#, "a")] {
        let endless = FakeAnswer::Begun(beginning.to_owned(), Then::Repeats(again.repeat(1000)));
        let (words, asked) = events_within("limits: { read: 4Mi }\n", endless).await;
        assert!(words.contains("4194304") || words.contains("64 KiB"), "{beginning:?}, {again:?}: {words}");
        assert!(asked <= 4, "{beginning:?}, {again:?}: {asked} requests");
    }
}

#[tokio::test]
async fn a_log_without_end_or_without_its_end_is_bounded_too() {
    let log = async |answer: FakeAnswer| {
        let api = FakeApi::start(move |path| path.contains("/pods/web/log").then(|| answer.clone()));
        let (server, _folder) = in_front_of_fake_with(&api, "limits: { time: 20s, read: 16Mi, logs: 64Ki }\n").await;
        let client = Client::modern(&server);
        let outcome = client.call("get_pod_logs", json!({ "namespace": "team-a", "name": "web" })).await;
        assert_eq!(client.answer("check_health", json!({})).await["status"], "ok", "the server goes on");
        outcome
    };
    let breaks = log(FakeAnswer::Begun("a line\n".to_owned(), Then::Breaks)).await;
    assert!(breaks.as_ref().is_err_and(|words| words.contains("broke off")), "{breaks:?}");
    let endless = log(FakeAnswer::Begun(String::new(), Then::Repeats("a line of a log\n".repeat(100)))).await;
    match endless {
        Ok(answer) => {
            let text = answer["logs"].as_str().unwrap();
            assert!(text.len() <= 65_536 + "\n(truncated)".len() && text.ends_with("(truncated)"), "{} bytes", text.len());
        }
        Err(words) => assert!(words.contains("16777216"), "{words}"),
    }
}

#[tokio::test]
async fn an_error_without_end_is_not_read_to_its_end() {
    let (words, _) = events_of(FakeAnswer::text(500, &"x".repeat(20 << 20))).await;
    assert!(words.len() < 8 * 1024, "{} bytes", words.len());
}

#[tokio::test]
async fn what_is_no_list_is_named_as_the_fault_of_the_api_server() {
    for body in [
        "",
        "{",
        "null",
        "[]",
        "<html></html>",
        r#"{"kind":"Status","apiVersion":"v1"}"#,
        r#"{"items":[{"metadata":"#,
        r#"{"items":7}"#,
    ] {
        let (words, _) = events_of(FakeAnswer::text(200, body)).await;
        assert!(words.starts_with("list events in team-a: ") && words.len() > 30, "{body:?}: {words}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = FakeApi::start(|_| None);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    elsewhere.write_kubeconfig(&path);
    let text = std::fs::read_to_string(&path).unwrap();
    let (_, address) = text.split_once("http://").unwrap();
    let address = format!("http://{}/stolen", address.split('"').next().unwrap());
    let (words, _) = events_of(FakeAnswer::text(302, "").with_header("location", &address)).await;
    assert!(words.contains("302"), "{words}");
    assert_eq!(elsewhere.requests(), [""; 0], "the token stays here");
}

#[tokio::test]
async fn a_list_that_never_ends_is_cut_at_the_limit() {
    let items: Vec<_> =
        (0..2000).map(|n| json!({ "metadata": { "name": format!("e{n}") }, "message": "x".repeat(1000) })).collect();
    let list = json!({ "kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": items });
    let api = FakeApi::start(move |path| asks_for_events(path).then(|| FakeAnswer::json(&list)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    api.write_kubeconfig(&path);
    let server = Server::builder().kubeconfig(&path).cluster("kubeconfig").config("limits: { read: 1Mi }\n").start().await;
    let words = Client::modern(&server).failure("get_events", json!({ "namespace": "team-a", "limit": 1000 })).await;
    assert!(words.contains("1048576") || words.contains("limit `read`"), "{words}");
}
