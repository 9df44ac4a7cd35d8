//! `get_events`.

use super::*;

async fn events(namespace: &Namespace, more: Value) -> Vec<Value> {
    let mut arguments = json!({ "namespace": namespace.name() });
    sandbar_tests::namespace::merge(&mut arguments, more);
    match client().await.answer("get_events", arguments).await["items"].take() {
        Value::Array(items) => items,
        other => panic!("items: {other}"),
    }
}

fn reasons(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["reason"].as_str()).collect()
}

#[tokio::test]
async fn an_event_of_the_old_kind_has_its_own_count_and_its_last_time() {
    let namespace = Namespace::fresh("events").await;
    let event = json!({
        "type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container", "count": 4,
        "firstTimestamp": "2026-11-22T10:00:00Z", "lastTimestamp": "2026-11-22T10:05:00Z",
    });
    namespace.event("old", event).await;
    assert_eq!(
        events(&namespace, json!({})).await,
        [json!({
            "type": "Warning", "reason": "BackOff", "message": "Back-off restarting failed container", "count": 4,
            "lastTimestamp": "2026-11-22T10:05:00Z", "object": "Pod/web-0",
        })]
    );
}

#[tokio::test]
async fn an_event_of_the_new_kind_counts_by_its_series_and_not_from_its_first_time() {
    // The original shows a count of 0, and the time when it first happened.
    let namespace = Namespace::fresh("events").await;
    let new = |series: Value| {
        let mut event = json!({
            "eventTime": "2026-11-22T10:00:00.000001Z", "reportingComponent": "example.com/tests", "reportingInstance": "tests-0",
            "action": "Testing", "reason": "Again",
        });
        sandbar_tests::namespace::merge(&mut event, series);
        event
    };
    namespace.event("again", new(json!({ "series": { "count": 12, "lastObservedTime": "2026-11-22T11:00:00.500000Z" } }))).await;
    namespace.event("once", new(json!({ "reason": "Once" }))).await;
    let items = events(&namespace, json!({})).await;
    let facts: Vec<_> = items.iter().map(|item| (&item["reason"], &item["count"], &item["lastTimestamp"])).collect();
    assert_eq!(
        facts,
        [
            (&json!("Again"), &json!(12), &json!("2026-11-22T11:00:00.500000Z")),
            (&json!("Once"), &json!(1), &json!("2026-11-22T10:00:00.000001Z")),
        ]
    );
}

#[tokio::test]
async fn an_event_without_any_time_has_none() {
    let namespace = Namespace::fresh("events").await;
    namespace.event("timeless", json!({})).await;
    let items = events(&namespace, json!({})).await;
    assert_eq!(
        items,
        [json!({ "type": "Normal", "reason": "Tested", "message": "a test made it", "count": 1, "object": "Pod/web-0" })]
    );
}

#[tokio::test]
async fn events_are_selected_by_name_kind_and_type() {
    let namespace = Namespace::fresh("events").await;
    let about = |kind: &str, name: &str, event_type: &str, reason: &str| json!({ "involvedObject": { "kind": kind, "name": name }, "type": event_type, "reason": reason });
    namespace.event("a", about("Pod", "web-0", "Normal", "Pulled")).await;
    namespace.event("b", about("Pod", "web-0", "Warning", "BackOff")).await;
    namespace.event("c", about("Pod", "web-1", "Warning", "Failed")).await;
    namespace.event("d", about("CoderControlPlane", "web-0", "Normal", "Reconciled")).await;
    let selected = async |more: Value| {
        let mut found: Vec<String> = reasons(&events(&namespace, more).await).into_iter().map(str::to_owned).collect();
        found.sort();
        found
    };
    assert_eq!(selected(json!({})).await, ["BackOff", "Failed", "Pulled", "Reconciled"]);
    assert_eq!(selected(json!({ "name": "web-0" })).await, ["BackOff", "Pulled", "Reconciled"]);
    assert_eq!(selected(json!({ "kind": "Pod" })).await, ["BackOff", "Failed", "Pulled"]);
    assert_eq!(selected(json!({ "name": "web-0", "kind": "Pod" })).await, ["BackOff", "Pulled"]);
    assert_eq!(selected(json!({ "name": "web-0", "kind": "Pod", "type": "Warning" })).await, ["BackOff"]);
    assert_eq!(selected(json!({ "name": "", "kind": "" })).await.len(), 4, "empty means any");
    assert_eq!(selected(json!({ "name": "nobody" })).await.len(), 0);
}

#[tokio::test]
async fn a_complete_answer_is_newest_first() {
    let namespace = Namespace::fresh("events").await;
    for (name, minute) in [("a", "01"), ("b", "03"), ("c", "02")] {
        namespace.event(name, json!({ "reason": name, "lastTimestamp": format!("2026-11-22T10:{minute}:00Z") })).await;
    }
    assert_eq!(reasons(&events(&namespace, json!({})).await), ["b", "c", "a"]);
}

#[tokio::test]
async fn a_selector_cannot_be_smuggled_into_a_name() {
    let namespace = Namespace::fresh("events").await;
    namespace.event("a", json!({ "type": "Warning", "reason": "Secret" })).await;
    assert_eq!(events(&namespace, json!({ "name": "x,type=Warning" })).await.len(), 0);
    assert_eq!(events(&namespace, json!({ "name": "x\\,involvedObject.name=web-0" })).await.len(), 0);
}

#[tokio::test]
async fn limits_below_one_mean_200_and_above_1000_mean_1000() {
    let namespace = Namespace::fresh("events").await;
    let made: Vec<_> = (0..1003).map(|n| (format!("e{n:04}"), json!({}))).collect();
    crate::paging::create_events(&namespace, made).await;
    for (limit, expected) in [
        (json!(null), 200),
        (json!(0), 200),
        (json!(-7), 200),
        (json!(3), 3),
        (json!(1000), 1000),
        (json!(5000), 1000),
        (json!(1e18), 1000),
    ] {
        let more = if limit.is_null() { json!({}) } else { json!({ "limit": limit }) };
        assert_eq!(events(&namespace, more).await.len(), expected, "limit {limit}");
    }
}

#[tokio::test]
async fn a_kind_in_another_spelling_is_taken_and_what_is_not_there_is_told_with_what_is() {
    let namespace = Namespace::fresh("events").await;
    namespace.event("one", json!({ "reason": "One" })).await;
    let about = events(&namespace, json!({})).await;
    assert_eq!(about.len(), 1);
    let answer = async |more: Value| {
        let mut arguments = json!({ "namespace": namespace.name() });
        sandbar_tests::namespace::merge(&mut arguments, more);
        client().await.answer("get_events", arguments).await
    };
    let nothing = answer(json!({ "kind": "Deployment" })).await;
    assert_eq!(nothing["items"], json!([]));
    let hint = nothing["hint"].as_str().unwrap().to_owned();
    assert!(hint.contains("no event is about a Deployment") && hint.contains("(1)"), "{hint}");
    let kind = hint.rsplit_once("events about ").unwrap().1.split(' ').next().unwrap().to_owned();
    for spelled in [kind.to_lowercase(), format!("{kind}s"), format!("{}s.v1", kind.to_lowercase())] {
        let taken = answer(json!({ "kind": spelled })).await;
        assert_eq!(taken["items"].as_array().map(Vec::len), Some(1), "{taken}");
        assert_eq!(taken["hint"], format!("kind {spelled} was taken for {kind}"));
    }
}
