//! Lists against servers that behave in every way that was seen, and in some that were not.

use std::sync::Arc;

use sandbar_policy::{Budget, Grant, Limits, Namespaces, PolicyRule, Verb};

use crate::error::{Code, Error};
use crate::testing::{FakeAnswer, allowed, cluster, list, names, parameter, query, reader, resource};
use crate::types::{Page, Query, Scope};

fn in_team_a() -> Query {
    query(resource("", "pods"), Scope::Namespace("team-a".into()))
}

fn workspaces(within: Scope) -> Query {
    query(resource("aggregation.coder.com", "coderworkspaces"), within)
}

/// Reads one page of an answer that is the same whatever is asked.
async fn page_of(answer: impl Fn() -> FakeAnswer + Send + Sync + 'static, query: &Query) -> Result<Page, Error> {
    let (cluster, _) = cluster(move |_, _| answer());
    reader(&cluster, Namespaces::All, Limits::default()).list_objects(query).await
}

#[tokio::test]
async fn pages_of_the_server_are_passed_on() {
    let (cluster, seen) = cluster(|path, _| match parameter(path, "continue") {
        None => list("team-a", &["b", "a"], Some("next/1")),
        Some("next%2F1") => list("team-a", &["c"], None),
        Some(other) => FakeAnswer::with_status(400, other),
    });
    let reader = reader(&cluster, Namespaces::All, Limits::default());
    let first = reader.list_objects(&Query { limit: Some(2), ..in_team_a() }).await.expect("first");
    assert_eq!((names(&first.items), first.remaining), (vec!["b".to_owned(), "a".to_owned()], Some(3)));
    let second = reader.list_objects(&Query { limit: Some(2), continue_: first.continue_, ..in_team_a() }).await.expect("second");
    assert_eq!(names(&second.items), ["c"]);
    assert_eq!((second.continue_, second.remaining), (None, None));
    assert_eq!(
        seen.all(),
        ["/api/v1/namespaces/team-a/pods?limit=2", "/api/v1/namespaces/team-a/pods?limit=2&continue=next%2F1"]
    );
}

/// A page as the API server sends it, its token before the objects.
fn numbered_page(path: &str) -> FakeAnswer {
    let page: u32 = parameter(path, "continue").map_or(1, |token| token.parse().expect("a number"));
    let token = if page < 5 { format!(r#""continue":"{}""#, page + 1) } else { String::new() };
    FakeAnswer::ok(format!(r#"{{"kind":"PodList","metadata":{{{token}}},"items":[{{"metadata":{{"name":"pod-{page}"}}}}]}}"#))
}

#[tokio::test]
async fn a_page_is_asked_for_ahead_once_a_cursor_was_followed() {
    let (cluster, seen) = cluster(|path, _| numbered_page(path));
    let (mut query, mut read) = (in_team_a(), Vec::new());
    let reader = reader(&cluster, Namespaces::All, Limits::default());
    for asked in [1, 3, 4, 5, 5] {
        let page = reader.list_objects(&query).await.expect("a page");
        read.extend(names(&page.items));
        query.continue_ = page.continue_;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(seen.count(), asked, "after {read:?}");
    }
    assert_eq!(read, ["pod-1", "pod-2", "pod-3", "pod-4", "pod-5"]);
    assert_eq!(query.continue_, None);
    let tokens: Vec<_> = seen.all().iter().filter_map(|path| parameter(path, "continue").map(str::to_owned)).collect();
    assert_eq!(tokens, ["2", "3", "4", "5"], "none of them twice");
}

#[tokio::test]
async fn nothing_is_asked_for_ahead_of_lists_side_by_side_or_without_a_request_left() {
    let (cluster, seen) = cluster(|path, _| numbered_page(path));
    let second = reader(&cluster, Namespaces::All, Limits::default()).list_objects(&in_team_a()).await.expect("a page").continue_;
    let query = Query { continue_: second, ..in_team_a() };
    for (lists, limits) in [(2, Limits::default()), (1, Limits { requests: 1, ..Limits::default() })] {
        let before = seen.count();
        let reader = reader(&cluster, Namespaces::All, limits);
        assert!(reader.list_many(&vec![query.clone(); lists]).await.expect("few enough").iter().all(Result::is_ok));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(seen.count() - before, lists);
    }
}

#[tokio::test]
async fn a_limit_is_never_more_than_allowed_and_never_zero() {
    let (cluster, seen) = cluster(|_, _| list("team-a", &[], None));
    let reader = reader(&cluster, Namespaces::All, Limits { page: 300, ..Limits::default() });
    for (asked, sent) in [(None, "200"), (Some(0), "200"), (Some(1), "1"), (Some(299), "299"), (Some(u32::MAX), "300")] {
        reader.list_objects(&Query { limit: asked, ..in_team_a() }).await.expect("a page");
        assert_eq!(seen.last("limit").as_deref(), Some(sent));
    }
}

/// The whole list whatever is asked, in an order that turns with each request, as by last use.
fn ignores_limit(names: &'static [&'static str]) -> impl Fn(&str, usize) -> FakeAnswer + Send + Sync {
    move |_, request| {
        let mut turned = names.to_vec();
        turned.rotate_left(request % names.len());
        list("team-a", &turned, None)
    }
}

#[tokio::test]
async fn a_server_that_ignores_the_limit_is_paged_here() {
    let (cluster, seen) = cluster(ignores_limit(&["e", "b", "d", "a", "c"]));
    let mut query = Query { limit: Some(2), ..workspaces(Scope::Namespace("team-a".into())) };
    let mut read = Vec::new();
    let mut left = Vec::new();
    loop {
        let page = reader(&cluster, Namespaces::All, Limits::default()).list_objects(&query).await.expect("a page");
        read.push(names(&page.items));
        left.push(page.remaining);
        query.continue_ = page.continue_;
        if query.continue_.is_none() {
            break;
        }
    }
    assert_eq!(read, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
    assert_eq!(left, [Some(3), Some(1), None]);
    let limits: Vec<_> = seen.all().iter().map(|path| parameter(path, "limit").map(str::to_owned)).collect();
    assert_eq!(limits, [Some("2".to_owned()), None, None], "the limit is not sent again");
}

#[tokio::test]
async fn such_a_page_can_be_continued_by_another_process() {
    let first = cluster(ignores_limit(&["b", "a", "c"])).0;
    let query = Query { limit: Some(2), ..workspaces(Scope::Namespace("team-a".into())) };
    let page = reader(&first, Namespaces::All, Limits::default()).list_objects(&query).await.expect("a page");
    let second = cluster(ignores_limit(&["c", "b", "a"])).0;
    let query = Query { continue_: page.continue_, ..query };
    let page = reader(&second, Namespaces::All, Limits::default()).list_objects(&query).await.expect("a page");
    assert_eq!((names(&page.items), page.continue_), (vec!["c".to_owned()], None));
}

#[tokio::test]
async fn selectors_hold_where_the_server_ignores_them() {
    let answer = || {
        let item = |name: &str, app: &str| {
            format!(r#"{{"metadata":{{"namespace":"team-a","name":"{name}","labels":{{"app":"{app}"}}}}}}"#)
        };
        FakeAnswer::ok(format!(r#"{{"items":[{},{},{}]}}"#, item("a", "web"), item("b", "api"), item("c", "web")))
    };
    let query = Query { label_selector: Some("app=web".into()), ..workspaces(Scope::Namespace("team-a".into())) };
    let page = page_of(answer, &query).await.expect("a page");
    assert_eq!(names(&page.items), ["a", "c"]);
    let named = Query { field_selector: Some("metadata.name=b".into()), label_selector: None, ..query.clone() };
    assert_eq!(names(&page_of(answer, &named).await.expect("a page").items), ["b"]);

    let unknown = Query { field_selector: Some("status.phase=x".into()), limit: Some(2), ..query };
    let page = page_of(answer, &unknown).await.expect("a page");
    assert_eq!(page.warnings.len(), 1);
    assert!(page.warnings[0].contains("may not have applied the selector"), "{}", page.warnings[0]);
}

#[tokio::test]
async fn a_made_up_cursor_does_not_make_a_paging_server_send_everything() {
    let ours = cluster(ignores_limit(&["b", "a", "c"])).0;
    let query = Query { limit: Some(1), ..in_team_a() };
    let page = reader(&ours, Namespaces::All, Limits::default()).list_objects(&query).await.expect("a page");
    let (paging, seen) = cluster(|_, _| list("team-a", &["a"], Some("t")));
    let query = Query { continue_: page.continue_, ..query };
    let error = reader(&paging, Namespaces::All, Limits::default()).list_objects(&query).await.expect_err("another kind");
    assert_eq!(error.code, Code::Expired);
    assert_eq!(seen.last("limit").as_deref(), Some("1"));
}

#[tokio::test]
async fn a_whole_list_over_the_budget_is_too_large() {
    let (cluster, _) = cluster(ignores_limit(&["a", "b", "c", "d", "e", "f"]));
    let limits = Limits { read: 200, ..Limits::default() };
    let query = Query { limit: Some(2), ..workspaces(Scope::Namespace("team-a".into())) };
    let error = reader(&cluster, Namespaces::All, limits).list_objects(&query).await.expect_err("too large");
    assert_eq!(error.code, Code::TooLarge);
    assert!(error.message.contains("limit `read`"), "{}", error.message);
}

#[tokio::test]
async fn an_old_token_goes_on_where_the_server_says() {
    let (cluster, seen) = cluster(|path, _| match parameter(path, "continue") {
        None => list("team-a", &["a"], Some("old")),
        Some("old") => FakeAnswer::status(410, "Expired", "too old", serde_json::json!({ "metadata": { "continue": "fresh" } })),
        _ => list("team-a", &["b"], None),
    });
    let reader = reader(&cluster, Namespaces::All, Limits::default());
    let first = reader.list_objects(&in_team_a()).await.expect("first");
    let second = reader.list_objects(&Query { continue_: first.continue_, ..in_team_a() }).await.expect("second");
    assert_eq!(names(&second.items), ["b"]);
    assert_eq!(second.warnings, ["the list has changed since its first pages: objects may be missing or come twice"]);
    assert_eq!(seen.last("continue").as_deref(), Some("fresh"));
}

#[tokio::test]
async fn an_old_token_without_a_fresh_one_is_expired() {
    let (cluster, _) = cluster(|path, _| match parameter(path, "continue") {
        None => list("team-a", &["a"], Some("old")),
        Some(_) => FakeAnswer::status(410, "Expired", "too old", serde_json::json!({})),
    });
    let reader = reader(&cluster, Namespaces::All, Limits::default());
    let first = reader.list_objects(&in_team_a()).await.expect("first");
    let error = reader.list_objects(&Query { continue_: first.continue_, ..in_team_a() }).await.expect_err("expired");
    assert_eq!((error.code, error.message.as_str()), (Code::Expired, "the cursor is too old, start the list again (too old)"));
}

#[tokio::test]
async fn a_page_over_its_bytes_is_asked_for_again_with_fewer_objects() {
    const ALL: [&str; 4] = ["a", "b", "c", "d"];
    let (cluster, seen) = cluster(|path, _| {
        let limit: usize = parameter(path, "limit").and_then(|limit| limit.parse().ok()).expect("a limit");
        let from = parameter(path, "continue").map_or(0, |token| token.parse().expect("ours"));
        let to = ALL.len().min(from + limit);
        list("team-a", &ALL[from..to], Some(to.to_string().as_str()).filter(|_| to < ALL.len()))
    });
    // Room for two objects of 46 bytes and their comma.
    let limits = Limits { memory: 8 * 100, ..Limits::default() };
    let reader = reader(&cluster, Namespaces::All, limits.clone());
    let mut query = in_team_a();
    let mut read = Vec::new();
    loop {
        let page = reader.list_objects(&query).await.expect("a page");
        assert!(page.items.len() <= 102, "{}", page.items);
        read.extend(names(&page.items));
        query.continue_ = page.continue_;
        if query.continue_.is_none() {
            break;
        }
    }
    assert_eq!(read, ALL);
    assert_eq!(seen.count(), 3, "one page was asked for twice: {:?}", seen.all());

    let limits = Limits { memory: 8 * 20, ..limits };
    let reader = crate::testing::reader(&cluster, Namespaces::All, limits);
    assert_eq!(reader.list_objects(&in_team_a()).await.expect_err("no object fits").code, Code::TooLarge);
}

#[tokio::test]
async fn the_grant_is_checked_before_anything_is_asked() {
    let (cluster, seen) = cluster(|_, _| list("team-a", &[], None));
    let grant = Grant {
        rules: vec![PolicyRule { resource_names: vec!["web-0".into()], ..PolicyRule::new("", &["pods"], &[Verb::List]) }],
        cluster_rules: Vec::new(),
        namespaces: allowed(&["team-a"]),
        ..Grant::default()
    };
    let reader = cluster.reader(Arc::new(grant), Arc::new(Budget::new(Limits::default())));
    let named = |selector: &str, namespace: &str| Query {
        field_selector: Some(selector.into()),
        ..query(resource("", "pods"), Scope::Namespace(namespace.into()))
    };
    for refused in [
        in_team_a(),
        named("metadata.name=web-1", "team-a"),
        named("metadata.name=web-0,status.phase=x", "team-a"),
        named("metadata.name=web-0", "team-b"),
        query(resource("", "nodes"), Scope::Cluster),
    ] {
        assert_eq!(reader.list_objects(&refused).await.expect_err("refused").code, Code::Denied, "{refused:?}");
    }
    assert_eq!(seen.count(), 0);
    assert!(reader.list_objects(&named("metadata.name=web-0", "team-a")).await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_listed_is_refused_with_the_reason() {
    let everywhere = |of| query(of, Scope::EveryNamespace);
    for (query, code, words) in [
        (everywhere(resource("", "events")), Code::Invalid, "events can only be listed in one namespace"),
        (everywhere(resource("", "nodes")), Code::Invalid, "nodes belong to the cluster"),
        (query(resource("", "pods"), Scope::Cluster), Code::Invalid, "pods live in namespaces"),
        (everywhere(resource("", "bindings")), Code::NotServed, "only offers create"),
        (everywhere(resource("", "gadgets")), Code::NotServed, "the API group has bindings, events, nodes, pods, secrets"),
        (everywhere(resource("nope.example", "gadgets")), Code::NotServed, "no API group `nope.example`"),
        (everywhere(resource("broken.example", "gadgets")), Code::Unavailable, "/apis/broken.example/v1"),
        (everywhere(resource("", "pods/log")), Code::Invalid, "`pods/log` is a subresource"),
        (query(resource("", "pods"), Scope::Namespace("../x".into())), Code::Invalid, "`../x`"),
        (Query { continue_: Some("x".into()), ..in_team_a() }, Code::Invalid, "not a cursor"),
        (Query { fields: Some(vec!["a[0]".into()]), ..in_team_a() }, Code::Invalid, "`a[0]` is not a field path"),
    ] {
        let error = page_of(|| list("team-a", &[], None), &query).await.expect_err(words);
        assert_eq!(error.code, code, "{}", error.message);
        assert!(error.message.contains(words), "{}", error.message);
    }
}

#[tokio::test]
async fn a_version_that_is_not_served_is_told_with_those_that_are() {
    let mut of = resource("coder.com", "codercontrolplanes");
    of.version = "v2".into();
    let error = page_of(|| list("a", &[], None), &query(of, Scope::EveryNamespace)).await.expect_err("not served");
    assert_eq!(
        error.message,
        "the cluster does not serve codercontrolplanes.coder.com in version v2: coder.com is served as v1, v1alpha1"
    );
}

#[tokio::test]
async fn a_resource_is_found_in_a_version_that_is_not_the_preferred_one() {
    let (cluster, seen) = cluster(|_, _| list("a", &[], None));
    let reader = reader(&cluster, Namespaces::All, Limits { requests: 1, ..Limits::default() });
    reader.list_objects(&query(resource("coder.com", "codercontrolplanes"), Scope::EveryNamespace)).await.expect("a page");
    assert_eq!(seen.all(), ["/apis/coder.com/v1alpha1/codercontrolplanes?limit=200"]);
}

#[tokio::test]
async fn a_list_that_rbac_forbids_everywhere_says_what_to_do() {
    let forbidden = || FakeAnswer::status(403, "Forbidden", "pods is forbidden", serde_json::json!({}));
    let everywhere = query(resource("", "pods"), Scope::EveryNamespace);
    let error = page_of(forbidden, &everywhere).await.expect_err("forbidden");
    assert_eq!(error.code, Code::Denied);
    assert_eq!(
        error.message,
        "pods is forbidden (`sandbar rbac` prints the roles that this server needs); name a namespace, or let the operator set `namespaces`, so that each of them is asked by itself"
    );
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_an_error() {
    for body in [
        "",
        "<html>",
        r#"{"kind":"Pod"}"#,
        r#"{"items":7}"#,
        r#"{"items":[{"metadata":{"name":"#,
        "{\"items\":[{\"a\":\"\u{1}\"}]}",
    ] {
        let error = page_of(move || FakeAnswer::ok(body), &in_team_a()).await.expect_err(body);
        assert_eq!(error.code, Code::Other, "{body}: {}", error.message);
    }
    let page =
        page_of(|| FakeAnswer::ok(r#"{"items":null}"#), &in_team_a()).await.expect("an empty list, as some servers write it");
    assert_eq!(page.items, "[]");
}
