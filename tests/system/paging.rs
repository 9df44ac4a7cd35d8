//! Lists that come in pages: nothing lost, nothing twice, and cursors that only fit their own list.

use std::collections::BTreeSet;

use futures::StreamExt;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::mcp::Client;
use sandbar_tests::namespace::{Namespace, create, merge};
use sandbar_tests::sandbar::Server;
use sandbar_tests::until;
use serde_json::{Value, json};

/// Creates many events, some at a time.
pub(crate) async fn create_events(namespace: &Namespace, events: impl IntoIterator<Item = (String, Value)>) {
    let events = events.into_iter().map(|(name, event)| async move { namespace.event(&name, event).await });
    futures::stream::iter(events).buffer_unordered(16).collect::<Vec<_>>().await;
}

/// Creates many control planes, some at a time.
async fn create_control_planes(namespace: &Namespace, names: impl IntoIterator<Item = String>) {
    let planes = names.into_iter().map(|name| async move { namespace.control_plane(&name, Value::Null).await });
    futures::stream::iter(planes).buffer_unordered(16).collect::<Vec<_>>().await;
}

/// The names on all pages from here, in their order. `between` runs after each page.
pub(crate) async fn names_on_all_pages(
    client: &Client,
    tool: &str,
    arguments: Value,
    mut between: impl AsyncFnMut(usize),
) -> Vec<String> {
    let mut names = Vec::new();
    let mut cursor = Value::Null;
    for page in 0.. {
        let mut arguments = arguments.clone();
        if !cursor.is_null() {
            arguments["continue"] = cursor;
        }
        let mut answer = client.answer(tool, arguments).await;
        names.extend(answer["items"].as_array().unwrap().iter().map(name_of));
        cursor = answer["continue"].take();
        if cursor.is_null() {
            break;
        }
        assert!(page < 1000, "{tool} never ends");
        between(page).await;
    }
    names
}

/// Events have no name in the answer; tests put one into the message.
fn name_of(item: &Value) -> String {
    let name = item["name"].as_str().or(item["message"].as_str()).unwrap();
    match item["namespace"].as_str() {
        Some(namespace) => format!("{namespace}/{name}"),
        None => name.to_owned(),
    }
}

fn assert_each_once(names: &[String]) {
    let different: BTreeSet<&String> = names.iter().collect();
    assert_eq!(different.len(), names.len(), "one came twice");
}

#[tokio::test]
async fn hundreds_of_objects_come_once_each() {
    let namespace = Namespace::fresh("paging").await;
    let made: BTreeSet<String> = (0..300).map(|n| format!("plane-{n:03}")).collect();
    create_control_planes(&namespace, made.iter().cloned()).await;
    let client = Client::modern(Server::shared().await);
    for limit in [7, 150, 299, 300, 301] {
        let arguments = json!({ "namespace": namespace.name(), "limit": limit });
        let names = names_on_all_pages(&client, "list_control_planes", arguments, async |_| {}).await;
        let expected: Vec<String> = made.iter().map(|name| format!("{}/{name}", namespace.name())).collect();
        assert_eq!(names, expected, "pages of {limit}");
    }
}

#[tokio::test]
async fn what_stays_comes_once_while_others_come_and_go() {
    let namespace = Namespace::fresh("paging").await;
    let stays: Vec<String> = (0..120).map(|n| format!("stays-{n:03}")).collect();
    let goes: Vec<String> = (0..40).map(|n| format!("goes-{n:03}")).collect();
    let message = |name: &String| (name.clone(), json!({ "message": name }));
    create_events(&namespace, stays.iter().chain(&goes).map(message)).await;

    let client = Client::modern(Server::shared().await);
    let arguments = json!({ "namespace": namespace.name(), "limit": 10 });
    let names = names_on_all_pages(&client, "get_events", arguments, async |page| {
        if let Some(name) = goes.get(page) {
            namespace.delete("v1", "Event", name).await;
        }
        // One before and one behind any cursor.
        create_events(
            &namespace,
            [(format!("a-{page}"), json!({ "message": "new" })), (format!("z-{page}"), json!({ "message": "new" }))],
        )
        .await;
    })
    .await;
    let old: Vec<String> = names.iter().filter(|name| *name != "new").cloned().collect();
    assert_each_once(&old);
    for name in &stays {
        assert!(old.contains(name), "{name} is lost");
    }
}

#[tokio::test]
async fn the_last_page_says_so_and_the_others_how_many_follow() {
    let namespace = Namespace::fresh("paging").await;
    create_control_planes(&namespace, (0..5).map(|n| format!("plane-{n}"))).await;
    let client = Client::modern(Server::shared().await);
    let first = client.answer("list_control_planes", json!({ "namespace": namespace.name(), "limit": 3 })).await;
    assert_eq!(first["remaining"], 2, "{first}");
    let arguments = json!({ "namespace": namespace.name(), "limit": 3, "continue": first["continue"] });
    let last = client.answer("list_control_planes", arguments).await;
    assert_eq!(last["items"].as_array().unwrap().len(), 2);
    assert!(last.get("continue").is_none() && last.get("remaining").is_none(), "{last}");
}

#[tokio::test]
async fn an_empty_cursor_begins_the_list() {
    let namespace = Namespace::fresh("paging").await;
    create_control_planes(&namespace, ["only".to_owned()]).await;
    let answer = Client::modern(Server::shared().await)
        .answer("list_control_planes", json!({ "namespace": namespace.name(), "continue": "" }))
        .await;
    assert_eq!(answer["items"][0]["name"], "only");
}

#[tokio::test]
async fn a_cursor_is_good_for_another_process_and_for_another_page_size() {
    let namespace = Namespace::fresh("paging").await;
    create_control_planes(&namespace, (0..6).map(|n| format!("plane-{n}"))).await;
    let first = Client::modern(Server::shared().await)
        .answer("list_control_planes", json!({ "namespace": namespace.name(), "limit": 2 }))
        .await;
    let other = Server::builder().of(ControlPlane::shared(), "admin").start().await;
    let arguments = json!({ "namespace": namespace.name(), "limit": 100, "continue": first["continue"] });
    let rest = Client::modern(&other).answer("list_control_planes", arguments).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_cursor_fits_no_other_list() {
    let (namespace, other) = (Namespace::fresh("paging").await, Namespace::fresh("paging").await);
    for namespace in [&namespace, &other] {
        create_control_planes(namespace, (0..3).map(|n| format!("plane-{n}"))).await;
        create_events(namespace, (0..3).map(|n| (format!("event-{n}"), json!({})))).await;
    }
    let client = Client::modern(Server::shared().await);
    let cursor_of = async |tool: &str, arguments: Value| {
        let answer = client.answer(tool, arguments).await;
        answer["continue"].as_str().expect("there is more").to_owned()
    };
    let planes = cursor_of("list_control_planes", json!({ "namespace": namespace.name(), "limit": 1 })).await;
    let events = cursor_of("get_events", json!({ "namespace": namespace.name(), "limit": 1 })).await;
    let everywhere = cursor_of("list_control_planes", json!({ "limit": 1 })).await;
    for (what, tool, arguments) in [
        ("another namespace", "list_control_planes", json!({ "namespace": other.name(), "continue": planes })),
        ("every namespace", "list_control_planes", json!({ "continue": planes })),
        ("one namespace instead of all", "list_control_planes", json!({ "namespace": namespace.name(), "continue": everywhere })),
        ("another tool", "list_workspaces", json!({ "namespace": namespace.name(), "continue": planes })),
        ("another resource", "list_control_planes", json!({ "namespace": namespace.name(), "continue": events })),
        ("another selection", "get_events", json!({ "namespace": namespace.name(), "type": "Warning", "continue": events })),
    ] {
        let words = client.failure(tool, arguments).await;
        assert!(words.contains("belongs to another list") && words.contains("without `continue`"), "{what}: {words}");
    }
}

#[tokio::test]
async fn what_is_no_cursor_is_refused_before_the_api_server_sees_it() {
    let namespace = Namespace::fresh("paging").await;
    let client = Client::modern(Server::shared().await);
    let native = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MTAsInN0YXJ0IjoieFx1MDAwMCJ9";
    for cursor in ["garbage", "../../secrets", "%00", "eyJ9", native, &"A".repeat(100_000)] {
        let words = client.failure("get_events", json!({ "namespace": namespace.name(), "continue": cursor })).await;
        assert!(words.contains("not a cursor of this server"), "{cursor:.40}: {words:.300}");
    }
}

#[tokio::test]
async fn a_cursor_outlives_compaction_with_a_warning() {
    let control_plane = ControlPlane::start(&["--", "--etcd-compaction-interval=1s"]);
    let namespace = Namespace::fresh_in(&control_plane, "compacted").await;
    create_control_planes(&namespace, (0..20).map(|n| format!("plane-{n:02}"))).await;
    let server = Server::builder().of(&control_plane, "admin").start().await;
    let client = Client::modern(&server);
    let first = client.answer("list_control_planes", json!({ "namespace": namespace.name(), "limit": 5 })).await;
    // What the API server itself thinks of its token tells when the compaction is there.
    let token = native_token(&namespace).await;
    let ticks = std::cell::Cell::new(0);
    until("the compaction", || async {
        ticks.set(ticks.get() + 1);
        namespace.event(&format!("tick-{}", ticks.get()), json!({})).await;
        (list_native(&namespace, &token).await == 410).then_some(())
    })
    .await;

    let arguments = json!({ "namespace": namespace.name(), "limit": 100, "continue": first["continue"] });
    let rest = client.answer("list_control_planes", arguments).await;
    let names: Vec<String> =
        first["items"].as_array().unwrap().iter().chain(rest["items"].as_array().unwrap()).map(name_of).collect();
    assert_eq!(names.len(), 20, "the list goes on where it stood");
    assert_each_once(&names);
    assert!(rest["warnings"][0].as_str().is_some_and(|words| !words.is_empty()), "{rest}");
}

/// The API server's own token for the second page of the control planes.
async fn native_token(namespace: &Namespace) -> String {
    let path = format!("/apis/coder.com/v1alpha1/namespaces/{}/codercontrolplanes?limit=1", namespace.name());
    let request = http::Request::get(path).body(Vec::new()).unwrap();
    let list: Value = namespace.client().request(request).await.unwrap();
    list["metadata"]["continue"].as_str().unwrap().to_owned()
}

/// The status code of a list from such a token on.
async fn list_native(namespace: &Namespace, token: &str) -> u16 {
    let path = format!("/apis/coder.com/v1alpha1/namespaces/{}/codercontrolplanes?limit=1&continue={token}", namespace.name());
    let request = http::Request::get(path).body(Vec::new()).unwrap();
    match namespace.client().request::<Value>(request).await {
        Ok(_) => 200,
        Err(kube::Error::Api(status)) => status.code,
        Err(error) => panic!("{error}"),
    }
}

/// A control plane whose workspaces come from an API server that knows no pages.
pub(crate) struct Aggregated {
    pub(crate) control_plane: ControlPlane,
    server: Server,
}

pub(crate) async fn aggregated() -> &'static Aggregated {
    static AGGREGATED: tokio::sync::OnceCell<Aggregated> = tokio::sync::OnceCell::const_new();
    let start = || async {
        let control_plane =
            ControlPlane::start(&["--aggregated", "--namespaces", "team-a,team-b", "--workspaces", "523", "--templates", "5"]);
        let without_coder = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "no-coder" } });
        create(&control_plane.client("admin").await, without_coder).await;
        let server = Server::builder().of(&control_plane, "admin").start().await;
        Aggregated { control_plane, server }
    };
    AGGREGATED.get_or_init(start).await
}

#[tokio::test]
async fn a_server_that_ignores_limits_is_paged_all_the_same() {
    let client = Client::modern(&aggregated().await.server);
    for (arguments, count) in
        [(json!({ "namespace": "team-a", "limit": 100 }), 523), (json!({ "limit": 100 }), 2 * 523), (json!({}), 2 * 523)]
    {
        let first = client.answer("list_workspaces", arguments.clone()).await;
        let limit = arguments["limit"].as_u64().unwrap_or(200);
        assert_eq!(first["items"].as_array().unwrap().len() as u64, limit);
        let names = names_on_all_pages(&client, "list_workspaces", arguments.clone(), async |_| {}).await;
        assert_each_once(&names);
        assert_eq!(names.len(), count, "{arguments}");
        assert!(names.is_sorted(), "in an order that holds from page to page, whatever the server's is");
    }
}

#[tokio::test]
async fn a_workspace_of_the_real_api_has_its_fields() {
    let answer =
        Client::modern(&aggregated().await.server).answer("list_workspaces", json!({ "namespace": "team-a", "limit": 2 })).await;
    let items = answer["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["name"].as_str().unwrap().starts_with("acme.user-")), "{items:?}");
    for item in items {
        assert_eq!(item["running"] == true, item["autoShutdown"].is_string(), "{item}");
    }
    let templates = Client::modern(&aggregated().await.server).answer("list_templates", json!({ "namespace": "team-b" })).await;
    assert_eq!(templates["items"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn a_namespace_without_coder_says_so() {
    let words = Client::modern(&aggregated().await.server).failure("list_workspaces", json!({ "namespace": "no-coder" })).await;
    assert!(words.starts_with("list CoderWorkspaces: ") && words.contains("no eligible CoderControlPlane"), "{words}");
}

#[tokio::test]
async fn one_namespace_without_coder_does_not_hide_the_others() {
    let server = Server::builder()
        .of(&aggregated().await.control_plane, "admin")
        .config("namespaces: [no-coder, team-a, team-b]\n")
        .start()
        .await;
    let client = Client::modern(&server);
    let mut arguments = json!({ "limit": 1000 });
    let answer = client.answer("list_workspaces", arguments.clone()).await;
    assert_eq!(answer["items"].as_array().unwrap().len(), 1000);
    let warning = answer["warnings"][0].as_str().unwrap();
    assert!(warning.contains("no-coder"), "{warning}");
    merge(&mut arguments, json!({ "continue": answer["continue"] }));
    let rest = client.answer("list_workspaces", arguments).await;
    assert_eq!(rest["items"].as_array().unwrap().len(), 2 * 523 - 1000);
    assert!(rest.get("continue").is_none());
}
