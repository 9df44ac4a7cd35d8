//! A caller whose rights count, and servers that decide about them.

use std::collections::HashSet;
use std::sync::Arc;

use sandbar_policy::{ANONYMOUS, Access, Budget, Identity, Limits, Namespaces, Place, Proof, User, Verb};
use serde_json::{Value, json};

use super::reviews::{AT_ONCE, attributes};
use super::{Selectors, Subject};
use crate::cluster::{Cluster, WhoseRights};
use crate::error::{Code, Error};
use crate::impersonation::ExtraKeys;
use crate::reader::Reader;
use crate::testing::{FakeAnswer, Seen, allowed, cluster, grant, list, names, parameter, query, resource};
use crate::types::{LogSource, Page, Scope};

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

fn user(name: &str) -> Identity {
    Identity::User(Arc::new(User { name: name.into(), ..User::anonymous() }), Proof::TokenReview)
}

fn status(status: Value) -> FakeAnswer {
    FakeAnswer::json(json!({ "status": status }))
}

/// A page of the namespaces that there are.
fn namespaces(names: &[&str], next: &str) -> FakeAnswer {
    let items: Vec<Value> = names.iter().map(|name| json!({ "metadata": { "name": name } })).collect();
    FakeAnswer::json(json!({ "metadata": { "continue": next }, "items": items }))
}

/// A cluster that holds callers to their rights by reviews, and whose server answers like this.
fn reviewing(answer: impl Fn(&str, usize) -> FakeAnswer + Send + Sync + 'static) -> (Cluster, Seen) {
    let (cluster, seen) = cluster(answer);
    (cluster.with_rights(WhoseRights::Caller), seen)
}

fn reader(cluster: &Cluster, caller: &Identity, namespaces: Namespaces) -> Reader {
    let budget = Budget::of(caller.account(), Limits::default());
    cluster.reader_for(caller, Arc::new(grant(namespaces)), Arc::new(budget)).expect("at home")
}

/// Gets a pod from a server that reviews like this, and what it was asked.
async fn get(
    caller: Identity,
    review: impl Fn(usize) -> FakeAnswer + Send + Sync + 'static,
) -> (Result<String, Error>, Vec<String>) {
    let (cluster, seen) = reviewing(move |path, number| match path {
        REVIEWS => review(number),
        _ => FakeAnswer::json(json!({ "metadata": { "name": "web" } })),
    });
    let within = Scope::Namespace("team-a".into());
    let got = reader(&cluster, &caller, Namespaces::All).get_object(&resource("", "pods"), &within, "web", None).await;
    (got, seen.all())
}

#[tokio::test]
async fn a_read_is_reviewed_first() {
    let (got, asked) = get(user("ann"), |_| status(json!({ "allowed": true }))).await;
    assert!(got.is_ok());
    assert_eq!(asked, [REVIEWS, "/api/v1/namespaces/team-a/pods/web"]);
}

#[tokio::test(start_paused = true)]
async fn whatever_is_no_yes_is_a_no() {
    type Answer = fn(usize) -> FakeAnswer;
    let answers: [(Answer, Code, &str); 9] = [
        (|_| status(json!({ "allowed": false })), Code::Denied, "ann may not get pods \"web\" in namespace \"team-a\""),
        (|_| status(json!({ "allowed": false, "reason": "x" })), Code::Denied, "they lack a Role"),
        (|_| status(json!({ "allowed": true, "denied": true })), Code::Denied, "may not"),
        (|_| status(json!({ "allowed": "true" })), Code::Unavailable, "cannot be found out"),
        (|_| status(json!({})), Code::Unavailable, "cannot be found out"),
        (|_| FakeAnswer::json(json!({})), Code::Unavailable, "cannot be found out"),
        (|_| FakeAnswer::with_status(403, "no"), Code::Unavailable, "cannot be found out"),
        (|_| FakeAnswer::Disconnect, Code::Unavailable, "cannot be found out"),
        (|_| FakeAnswer::Silence, Code::Unavailable, "cannot be found out"),
    ];
    for (number, (answer, code, words)) in answers.into_iter().enumerate() {
        let (got, asked) = get(user("ann"), answer).await;
        let error = got.expect_err(words);
        assert!(error.code == code && error.message.contains(words), "{number}: {error:?}");
        assert!(asked.iter().all(|path| path == REVIEWS), "{number}: nothing is read: {asked:?}");
    }
}

#[tokio::test]
async fn whoever_is_not_known_is_anonymous_to_the_api_server_too() {
    let (got, asked) = get(Identity::Anonymous, |_| status(json!({ "allowed": false }))).await;
    assert!(got.expect_err("no right").message.starts_with("system:anonymous may not"));
    assert_eq!(asked, [REVIEWS]);
    let (got, asked) = get(Identity::Operator, |_| status(json!({ "allowed": false }))).await;
    assert!(got.is_ok() && asked.len() == 1, "the command line reads with its own kubeconfig");
}

/// Lists pods over every namespace, of which there are three, for somebody who may list in one or the other of them.
async fn list_for(within: Namespaces, may: &'static [usize]) -> (Result<Page, Error>, Vec<String>) {
    let (cluster, seen) = reviewing(move |path, number| match path {
        REVIEWS => status(json!({ "allowed": may.contains(&number) })),
        _ if path.starts_with("/api/v1/namespaces?") && parameter(path, "continue").is_none() => namespaces(&["a", "b"], "more"),
        _ if path.starts_with("/api/v1/namespaces?") => namespaces(&["c"], ""),
        _ => list("x", &[path], None),
    });
    let pods = query(resource("", "pods"), Scope::EveryNamespace);
    (reader(&cluster, &user("ann"), within).list_objects(&pods).await, seen.all())
}

#[tokio::test]
async fn a_list_over_every_namespace_is_one_over_those_of_the_caller() {
    // The first review is of the whole list, the next ones are of each namespace; before them, the namespaces are listed.
    let (page, asked) = list_for(Namespaces::All, &[3]).await;
    let page = page.expect("a page");
    assert_eq!(names(&page.items).len(), 1, "{asked:?}");
    assert_eq!(page.warnings, ["only the namespaces where ann may list pods are here (1)"]);
    let (page, _) = list_for(Namespaces::All, &[3, 4, 5]).await;
    assert_eq!(page.expect("a page").warnings, Vec::<String>::new());
    let (page, asked) = list_for(Namespaces::All, &[0]).await;
    assert!(page.is_ok() && asked.len() == 2, "whoever may list everywhere is asked about once: {asked:?}");
    let (page, _) = list_for(Namespaces::All, &[]).await;
    assert!(page.expect_err("no right").message.contains("list pods in every namespace"));
    let (page, asked) = list_for(allowed(&["b", "c"]), &[2]).await;
    assert_eq!((names(&page.expect("a page").items).len(), asked.len()), (1, 4), "{asked:?}");
}

#[tokio::test]
async fn namespaces_are_not_listed_anew_for_each_page() {
    let (cluster, seen) = reviewing(|path, number| match path {
        // To a list over all of them no, to each of them yes.
        REVIEWS => status(json!({ "allowed": number > 0 })),
        _ if path.starts_with("/api/v1/namespaces?") => namespaces(&["a"], ""),
        _ => list("a", &["one"], Some("token")),
    });
    let mut query = query(resource("", "pods"), Scope::EveryNamespace);
    for _ in 0..3 {
        let page = reader(&cluster, &user("ann"), Namespaces::All).list_objects(&query).await;
        query.continue_ = page.expect("a page").continue_;
    }
    let listed = seen.all().iter().filter(|path| path.starts_with("/api/v1/namespaces?")).count();
    assert_eq!((listed, seen.count()), (1, 2 + 1 + 3), "two reviews, the namespaces, three pages: {:?}", seen.all());
}

/// A page of a list over every namespace, for somebody who may list everywhere or in each namespace.
async fn page(everywhere: bool, cursor: Option<String>) -> Result<Page, Error> {
    let (cluster, _) = reviewing(move |path, number| match path {
        REVIEWS => status(json!({ "allowed": everywhere || number > 0 })),
        _ if path.starts_with("/api/v1/namespaces?") => namespaces(&["a", "b"], ""),
        _ => list("x", &["one"], Some("token")),
    });
    let mut query = query(resource("", "pods"), Scope::EveryNamespace);
    (query.limit, query.continue_) = (Some(1), cursor);
    reader(&cluster, &user("ann"), Namespaces::All).list_objects(&query).await
}

#[tokio::test]
async fn a_page_under_other_rights_is_not_gone_on_from() {
    for everywhere in [true, false] {
        let first = page(everywhere, None).await.expect("a page");
        assert!(page(everywhere, first.continue_.clone()).await.is_ok());
        let error = page(!everywhere, first.continue_).await.expect_err("another way to read it");
        assert!(error.code == Code::Expired && error.message.contains("rights have changed"), "{error:?}");
    }
}

#[test]
fn a_namespace_is_asked_about_as_kubernetes_does() {
    let access = |resource, name| Access { verb: Verb::Get, group: "", version: "v1", resource, place: Place::Cluster, name };
    let namespace = |access| attributes(&access, Selectors::default()).namespace;
    assert_eq!(namespace(access("namespaces", Some("team-a"))).as_deref(), Some("team-a"));
    assert_eq!(namespace(access("nodes", Some("n1"))), None);
    assert_eq!(namespace(access("namespaces", None)), None);
}

/// Somebody in whose name is read from a server that answers like this.
fn in_the_name_of(
    caller: &Identity,
    namespaces: Namespaces,
    answer: impl Fn(&str, usize) -> FakeAnswer + Send + Sync + 'static,
) -> (Reader, Seen) {
    let (cluster, seen) = cluster(answer);
    let cluster = cluster.with_rights(WhoseRights::Impersonation(Arc::new(ExtraKeys::new(&[], &[]))));
    (reader(&cluster, caller, namespaces), seen)
}

/// As the API server says it.
fn forbidden(who: &str, verb: &str, resource: &str, group: &str) -> FakeAnswer {
    let words = format!(
        "{resource} is forbidden: User {who:?} cannot {verb} resource {resource:?} in API group {group:?} at the cluster scope"
    );
    FakeAnswer::status(403, "Forbidden", &words, json!({}))
}

const SERVER: &str = "system:serviceaccount:coder-system:coder-k8s-mcp";

#[tokio::test]
async fn each_read_is_in_the_callers_name_and_nothing_else_is() {
    for (caller, whom) in [(user("ann"), Some("ann")), (Identity::Anonymous, Some(ANONYMOUS)), (Identity::Operator, None)] {
        let (reader, seen) = in_the_name_of(&caller, Namespaces::All, |path, _| match path {
            "/api/v1/namespaces?limit=500" => namespaces(&["a"], ""),
            "/api/v1/events?limit=200" | "/api/v1/pods?limit=200" => forbidden("ann", "list", "pods", ""),
            "/version" => FakeAnswer::json(json!({ "gitVersion": "v1.37.2" })),
            path if path.contains("/log") => FakeAnswer::ok("a line\n"),
            path if path.contains("/pods/web") => FakeAnswer::json(json!({ "metadata": { "name": "web" } })),
            _ => list("a", &["web"], None),
        });
        let within = Scope::Namespace("team-a".into());
        reader.get_object(&resource("", "pods"), &within, "web", None).await.expect("a pod");
        reader.list_objects(&query(resource("", "pods"), within)).await.expect("pods");
        let source = LogSource { namespace: "team-a".into(), pod: "web".into(), ..LogSource::default() };
        reader.tail(&source).await.expect("a log");
        let listed = reader.list_objects(&query(resource("", "pods"), Scope::EveryNamespace)).await;
        assert_eq!(listed.is_ok(), whom.is_some(), "an operator who may not is told so: {listed:?}");
        let reads = seen.count();
        assert_eq!(reads, if whom.is_some() { 6 } else { 4 }, "{:?}", seen.all());
        reader.api_server().await.expect("its state");
        let (own, rest) = (vec![None; seen.count() - reads], vec![whom.map(str::to_owned); reads]);
        assert_eq!(seen.impersonated(), [rest, own].concat());
    }
}

#[tokio::test]
async fn who_cannot_be_impersonated_reads_nothing() {
    let user = User { groups: vec!["system:masters".to_owned()], ..User::anonymous() };
    let caller = Identity::User(Arc::new(user), Proof::ApiServer);
    let (reader, seen) = in_the_name_of(&caller, Namespaces::All, |_, _| FakeAnswer::json(json!({})));
    for within in [Scope::Namespace("team-a".into()), Scope::EveryNamespace] {
        let error = reader.list_objects(&query(resource("", "pods"), within)).await.expect_err("nobody");
        assert!(error.code == Code::Denied && error.message.contains("system:masters"), "{error:?}");
    }
    assert_eq!(seen.count(), 0);
}

#[tokio::test]
async fn a_refusal_says_who_lacks_what() {
    type Answer = fn() -> FakeAnswer;
    let answers: [(Answer, &str); 6] = [
        (
            || forbidden("ann", "get", "pods", ""),
            r#"ann may not get pods "web" in namespace "a": the caller's own rights count here, and they lack a Role with the rule {apiGroups: [""], resources: ["pods"], verbs: ["get"]}"#,
        ),
        (
            || forbidden(SERVER, "impersonate-on:user-info:get", "pods", ""),
            r#"this server may not get pods "web" in namespace "a" in the name of ann: it lacks a Role with the rule {apiGroups: [""], resources: ["pods"], verbs: ["impersonate-on:user-info:get"]}; its operator has to apply what `sandbar rbac` prints"#,
        ),
        (
            || forbidden(SERVER, "impersonate:user-info", "userextras/example.com/a", "authentication.k8s.io"),
            r#"it lacks a ClusterRole with the rule {apiGroups: ["authentication.k8s.io"], resources: ["userextras/example.com/a"], verbs: ["impersonate:user-info"]}"#,
        ),
        (|| forbidden(SERVER, "impersonate", "users", ""), "Kubernetes 1.36"),
        (|| FakeAnswer::with_status(403, "no way"), "the API server refuses this to ann: no way"),
        (|| FakeAnswer::status(403, "Forbidden", "not today", json!({})), "the API server refuses this to ann: not today"),
    ];
    for (answer, words) in answers {
        let (reader, seen) = in_the_name_of(&user("ann"), Namespaces::All, move |_, _| answer());
        let got = reader.get_object(&resource("", "pods"), &Scope::Namespace("a".into()), "web", None).await;
        let error = got.expect_err("refused");
        assert!(error.code == Code::Denied && error.message.contains(words), "{error:?}");
        assert!(!error.message.contains(r#"verbs: ["impersonate"]"#) && seen.count() == 1, "{error:?}");
    }
}

/// A page of pods in every namespace, of which there are three and the caller may list in `b`; `everywhere` is what is said to a list
/// of all at once.
async fn every(within: Namespaces, everywhere: fn() -> FakeAnswer, cursor: Option<String>) -> (Result<Page, Error>, Vec<String>) {
    let (reader, seen) = in_the_name_of(&user("ann"), within, move |path, _| match path.split(['/', '?']).nth(4) {
        _ if path.starts_with("/api/v1/namespaces?") => namespaces(&["a", "b", "c"], ""),
        Some("b") if parameter(path, "continue").is_none() => list("b", &["one"], Some("more")),
        Some("b") => list("b", &["two"], None),
        Some("a" | "c") => forbidden("ann", "list", "pods", ""),
        _ => everywhere(),
    });
    let mut query = query(resource("", "pods"), Scope::EveryNamespace);
    (query.limit, query.continue_) = (Some(1), cursor);
    (reader.list_objects(&query).await, seen.all())
}

#[tokio::test]
async fn a_list_over_every_namespace_in_somebodys_name_is_one_over_those_that_are_theirs() {
    let no: fn() -> FakeAnswer = || forbidden("ann", "list", "pods", "");
    let (first, asked) = every(Namespaces::All, no, None).await;
    let first = first.expect("a page");
    assert_eq!(names(&first.items), ["one"], "{asked:?}");
    assert_eq!(first.warnings, ["only the namespaces where ann may list pods are here"]);
    let (second, asked) = every(Namespaces::All, no, first.continue_).await;
    let second = second.expect("a page");
    assert_eq!(names(&second.items), ["two"], "{asked:?}");
    assert!(asked[0].starts_with("/api/v1/namespaces?"), "it goes on as it began: {asked:?}");
    let (third, asked) = every(Namespaces::All, no, second.continue_).await;
    let third = third.expect("a page");
    assert_eq!((third.items.as_str(), third.continue_, third.warnings), ("[]", None, first.warnings), "{asked:?}");
    // Where namespaces are configured, nobody has to see more of them.
    let (page, asked) = every(allowed(&["b", "c"]), no, None).await;
    assert!(page.is_ok() && asked.len() == 1 && asked[0].starts_with("/api/v1/namespaces/b/"), "{asked:?}");
    let (page, _) = every(allowed(&["a", "c"]), no, None).await;
    assert!(page.expect_err("none is theirs").message.contains("ann may not list pods"));
    // Who may list everywhere is sent one list, and may not go on with it once they may not any more.
    let yes: fn() -> FakeAnswer = || list("a", &["one"], Some("more"));
    let (page, asked) = every(Namespaces::All, yes, None).await;
    let page = page.expect("a page");
    assert_eq!((asked.len(), page.warnings), (1, Vec::new()));
    let (page, _) = every(Namespaces::All, no, page.continue_).await;
    let error = page.expect_err("other rights");
    assert!(error.code == Code::Expired && error.message.contains("rights have changed"), "{error:?}");
    // What the server lacks is no reason to look elsewhere.
    let (page, asked) = every(Namespaces::All, || forbidden(SERVER, "impersonate-on:user-info:list", "pods", ""), None).await;
    assert!(page.expect_err("nothing").message.contains("`sandbar rbac`") && asked.len() == 1, "{asked:?}");
}

#[tokio::test]
async fn who_may_not_see_the_namespaces_has_to_name_one() {
    let (reader, _) = in_the_name_of(&user("ann"), Namespaces::All, |path, _| {
        forbidden("ann", "list", if path.contains("pods") { "pods" } else { "namespaces" }, "")
    });
    let list = reader.list_objects(&query(resource("", "pods"), Scope::EveryNamespace)).await;
    let Error { code, message, .. } = list.expect_err("denied");
    assert_eq!(code, Code::Denied);
    for words in ["list pods in every namespace", r#"resources: ["namespaces"]"#, "name a namespace"] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn users_who_differ_in_anything_are_other_subjects() {
    let user = |name: &str, uid: Option<&str>, groups: &[&str]| {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        Subject::new(Arc::new(User { name: name.into(), uid: uid.map(str::to_owned), groups, ..User::anonymous() })).digest
    };
    let all = [
        user("ann", None, &[]),
        user("bob", None, &[]),
        user("ann", Some("1"), &[]),
        user("ann", None, &["a", "b"]),
        user("ann", None, &["ab"]),
        user("ann", None, &["b", "a"]),
    ];
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    assert_eq!(all[0], user("ann", None, &[]));
}

#[tokio::test]
async fn a_caller_with_many_reviews_does_not_keep_another_waiting() {
    // The greedy one's reviews never come, and there are more of them than are asked at once.
    let (cluster, seen) = reviewing(|path, _| match path {
        REVIEWS => FakeAnswer::Silence,
        _ => FakeAnswer::json(json!({ "metadata": { "name": "web" } })),
    });
    let get = |name: &str, pod: usize| {
        let reader = reader(&cluster, &user(name), Namespaces::All);
        let (pods, namespace) = (resource("", "pods"), Scope::Namespace("team-a".into()));
        Box::pin(async move { reader.get_object(&pods, &namespace, &pod.to_string(), None).await })
    };
    let mut greedy: Vec<_> = (0..2 * AT_ONCE).map(|pod| get("greedy", pod)).collect();
    let mut others = [get("ann", 0), get("bob", 0)];
    let mut asked = 0;
    while asked < AT_ONCE / 2 || seen.count() > asked {
        asked = seen.count();
        for get in &mut greedy {
            assert!(futures::poll!(get).is_pending());
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(asked, AT_ONCE / 2, "no more than are left to others");
    while seen.count() < asked + others.len() {
        for get in &mut others {
            assert!(futures::poll!(get).is_pending());
        }
        tokio::task::yield_now().await;
    }
}
