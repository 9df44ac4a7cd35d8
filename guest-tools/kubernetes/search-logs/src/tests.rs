//! What the tool answers, by topic.

use sandbar_tool::logs::{Excerpt, Source};
use sandbar_tool::testing::{Host, page};
use sandbar_tool::{Code, Error};
use serde_json::{Value, json};

use super::component;

const TOOL: &str = "search_logs";

/// Pods with these containers; the last is the newest.
fn pods(names: &[String], containers: &[&str]) -> Vec<Value> {
    let containers: Vec<Value> = containers.iter().map(|name| json!({ "name": name })).collect();
    let statuses: Vec<Value> =
        containers.iter().map(|container| json!({ "name": container["name"], "restartCount": 2 })).collect();
    let pod = |(at, name): (usize, &String)| {
        json!({
            "metadata": { "name": name, "creationTimestamp": format!("2026-11-22T{:02}:{:02}:00Z", at / 60, at % 60) },
            "spec": { "containers": containers },
            "status": { "containerStatuses": statuses },
        })
    };
    names.iter().enumerate().map(pod).collect()
}

fn web(names: &[&str], containers: &[&str]) -> Host {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let pods = pods(&names, containers);
    Host::new()
        .objects(|request| match (&*request.resource, &*request.name) {
            ("deployments.apps", "web") => Ok(json!({ "spec": { "selector": { "matchLabels": { "app": "web" } } } })),
            _ => Err(Error::new(Code::NotFound, "not found")),
        })
        .lists(move |request| match (&*request.resource, request.labels.as_deref()) {
            ("pods", Some("app=web")) => Ok(page(pods.clone())),
            ("deployments.apps", None) => Ok(page([json!({ "metadata": { "name": "web" } })])),
            _ => Ok(page([])),
        })
}

fn log(lines: &[&str]) -> Excerpt {
    Excerpt { text: lines.iter().map(|line| format!("{line}\n")).collect(), older: Some(false), ..Excerpt::default() }
}

fn asked() -> Value {
    json!({ "namespace": "team-a", "kind": "deploy", "name": "web" })
}

#[test]
fn logs_are_merged_in_the_order_of_time_with_pods_told_apart() {
    let host = web(&["web-5d9-aa", "web-5d9-bb"], &["app", "proxy"]).logs(|source| {
        assert!(source.timestamps);
        Ok(match (&*source.pod, source.container.as_deref()) {
            ("web-5d9-aa", Some("app")) => log(&["2026-11-22T10:00:01.5Z one", "2026-11-22T10:00:03Z three"]),
            ("web-5d9-bb", Some("app")) => log(&["2026-11-21T23:00:00Z yesterday", "2026-11-22T10:00:01.6Z two"]),
            _ => log(&[]),
        })
    });
    assert_eq!(
        host.text(&component(), TOOL, &asked()).as_deref(),
        Ok("4 lines in 2 of 4 logs of 2 pods\n\
            pods web-5d9-…, 2026-11-22 UTC\n\
            11-21T23:00:00 bb/app: yesterday\n\
            10:00:01 aa/app: one\n\
            10:00:01 bb/app: two\n\
            10:00:03 aa/app: three")
    );
    let answer = host.answer(&component(), TOOL, &asked()).expect("an answer");
    assert_eq!(
        (&answer["lines"], &answer["logsWithLines"], &answer["logsRead"], &answer["pods"]),
        (&json!(4), &json!(2), &json!(4), &json!(2))
    );
    assert!(answer["text"].as_str().is_some_and(|text| text.ends_with("three")));
}

#[test]
fn lines_of_gathered_logs_may_have_no_time() {
    let host = web(&["web-a", "web-b"], &["app"]).logs(|source| Ok(log(&["GET /login 500", &format!("only {}", source.pod)])));
    assert_eq!(
        host.text(&component(), TOOL, &asked()).as_deref(),
        Ok("4 lines in 2 of 2 logs of 2 pods\n\
            pods web-…\n\
            b: only web-b\n\
            a: GET /login 500 (x2 in 2 pods)\n\
            a: only web-a")
    );
}

#[test]
fn lines_that_repeat_are_counted() {
    let host = web(&["web-a", "web-b"], &["app"]).logs(|source| {
        let second = if source.pod == "web-a" { 1 } else { 2 };
        Ok(log(&[
            &format!("2026-11-22T10:00:0{second}Z request 6f1c2f3e-aaaa-bbbb-cccc-abcdefabcde{second} took {second}5ms"),
            &format!("2026-11-22T10:00:1{second}Z request 7f1c2f3e-aaaa-bbbb-cccc-abcdefabcde{second} took 1ms"),
            &format!("2026-11-22T10:00:2{second}Z only {}", source.pod),
        ]))
    });
    assert_eq!(
        host.text(&component(), TOOL, &asked()).as_deref(),
        Ok("6 lines in 2 of 2 logs of 2 pods\n\
            pods web-…, 2026-11-22 UTC\n\
            10:00:12 b: request 7f1c2f3e-aaaa-bbbb-cccc-abcdefabcde2 took 1ms (x4 in 2 pods since 10:00:01)\n\
            10:00:21 a: only web-a\n\
            10:00:22 b: only web-b")
    );
}

#[test]
fn every_argument_reaches_the_host() {
    let host = web(&["web-a"], &["app", "proxy"]).logs(|source| {
        let all = Source {
            namespace: "team-a".to_owned(),
            pod: "web-a".to_owned(),
            container: Some("app".to_owned()),
            previous: source.previous,
            tail_lines: Some(50),
            since_seconds: Some(60),
            timestamps: true,
            matching: Some("panic|fatal".to_owned()),
            limit_bytes: None,
        };
        assert_eq!(*source, all);
        Ok(log(&[if source.previous { "2026-11-22T09:00:00Z panic" } else { "2026-11-22T10:00:00Z fatal" }]))
    });
    let asked = json!({
        "namespace": "team-a", "labels": "app=web", "container": "app", "previous": true, "tailLines": 50, "sinceSeconds": 60,
        "matching": "panic|fatal",
    });
    assert_eq!(
        host.text(&component(), TOOL, &asked).as_deref(),
        Ok("2 lines match in 2 of 2 logs of 1 pods\n\
            pod web-a, 2026-11-22 UTC\n\
            09:00:00 (previous): panic\n\
            10:00:00: fatal")
    );
}

#[test]
fn what_cannot_be_read_is_said_once() {
    let host = web(&["web-a", "web-b", "web-c", "web-d", "web-e"], &["app"]).logs(|source| match &*source.pod {
        "web-a" => Ok(Excerpt { truncated: true, older: Some(true), ..log(&["2026-11-22T10:00:00Z one"]) }),
        "web-b" => {
            let warnings = vec!["pod web-b is not scheduled yet".to_owned()];
            Ok(Excerpt { warnings, older: Some(false), ..Excerpt::default() })
        }
        pod => Err(Error::new(Code::Unavailable, format!("container app of {pod} is waiting"))),
    });
    let answer = host.answer(&component(), TOOL, &asked()).expect("an answer");
    assert_eq!(
        answer["warnings"],
        json!([
            "e, d, c: cannot be read: container app of … is waiting",
            "b: pod … is not scheduled yet",
            "of 1 logs only the newest lines fit into one call",
        ])
    );
    assert_eq!((&answer["logsRead"], &answer["pods"]), (&json!(2), &json!(5)));
    let denied = web(&["web-a", "web-b"], &["app"]).logs(|_| Err(Error::new(Code::Denied, "no")));
    assert_eq!(denied.text(&component(), TOOL, &asked()), Err("none of 2 logs can be read: no".to_owned()));
}

#[test]
fn eighty_pods_of_a_thousand_lines_fit_into_one_answer() {
    let names: Vec<String> = (0..80).map(|n| format!("web-5d9f7c8b6d-{n:05x}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let host = web(&names, &["app"]).logs(|source| {
        assert_eq!(source.tail_lines, Some(3_000));
        let line = |n: usize| {
            let letters: String = (0..4).map(|at| char::from(b'a' + (n >> (4 * at) & 15) as u8)).collect();
            format!("2026-11-22T10:{:02}:{:02}.{n:09}Z {} did {letters} with {}", n / 60 % 60, n % 60, source.pod, "x".repeat(60))
        };
        let lines: Vec<String> = (0..1_000).map(line).collect();
        Ok(log(&lines.iter().map(String::as_str).collect::<Vec<_>>()))
    });
    let mut asked = asked();
    asked["matching"] = json!("did");
    let text = host.text(&component(), TOOL, &asked).expect("an answer");
    assert!(text.starts_with("80000 lines match in 80 of 80 logs of 80 pods\n"), "{}", &text[..200]);
    assert!((12 * 1024..17 * 1024).contains(&text.len()), "{}", text.len());
    assert!(
        text.lines().nth(1).is_some_and(|note| note.contains(" lines (") && note.contains("are not shown")),
        "{}",
        &text[..300]
    );
    asked["limitBytes"] = json!(0);
    assert!(host.text(&component(), TOOL, &asked).expect("an answer").len() < 2048);
}

#[test]
fn of_too_many_pods_the_newest_are_searched() {
    let names: Vec<String> = (0..150).map(|n| format!("web-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let host = web(&names, &["app", "proxy"]).logs(|source| {
        let number: usize = source.pod.trim_start_matches("web-").parse().expect("a number");
        assert!(number >= 50, "{number} is old");
        Ok(log(&[]))
    });
    let answer = host.answer(&component(), TOOL, &asked()).expect("an answer");
    assert_eq!((&answer["pods"], &answer["logsRead"], answer.get("text")), (&json!(100), &json!(200), None));
    let warnings = answer["warnings"].to_string();
    assert!(warnings.contains("only the newest 100 of 150 pods") && warnings.contains("there is no line"), "{warnings}");
}

#[test]
fn a_hostile_line_stays_a_line() {
    let host = web(&["web-a"], &["app"]).logs(|_| {
        let dump = format!("2026-11-22T10:00:00Z {}", "é".repeat(500_000));
        Ok(log(&[&dump, "no time", "", "2026-11-22T10:00:01Z"]))
    });
    let text = host.text(&component(), TOOL, &asked()).expect("an answer");
    assert!(text.lines().count() == 5 && text.len() < 1400, "{text}");
    assert!(text.contains("\n10:00:00: no time\n"), "a line without a time has that of the one before");
}

#[test]
fn what_was_asked_wrongly_says_how_to_ask() {
    let host = web(&["web-a"], &["app", "proxy"]);
    let error = |asked: Value| host.text(&component(), TOOL, &asked).expect_err("refused");
    assert!(error(json!({ "namespace": "team-a" })).starts_with("kind and name of a workload are required"));
    assert!(error(json!({ "namespace": "a", "name": "b", "labels": "c" })).ends_with("but not both"));
    assert!(error(json!({ "namespace": "a", "kind": "Service", "name": "b" })).contains("one of Deployment, "));
    assert_eq!(error(json!({ "namespace": "team-a", "name": "deploy/we" })), "not found; Deployments in namespace team-a: web");
    assert_eq!(
        error(json!({ "namespace": "team-a", "labels": "app=web", "container": "ap" })),
        "no pod has a container `ap`; there are app (1), proxy (1)"
    );
    assert!(error(json!({ "namespace": "team-a", "labels": "app=db" })).starts_with("there are no pods with labels app=db"));
}
