//! Arguments that make no sense or mean harm: each is refused with a reason, and nothing of it reaches the API server.

use std::collections::BTreeSet;

use sandbar_tests::TOOLS;
use sandbar_tests::fake_api::{FakeAnswer, FakeApi};
use sandbar_tests::mcp::Client;
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Arguments that each tool accepts.
fn good(tool: &str) -> Value {
    match tool {
        "check_health" => json!({}),
        "get_control_plane_status" | "get_pod_logs" => json!({ "namespace": "team-a", "name": "main" }),
        _ => json!({ "namespace": "team-a" }),
    }
}

/// A server in front of a made-up API server, which sees what gets through.
struct Watched {
    server: Server,
    api: FakeApi,
    _folder: TempDir,
}

impl Watched {
    async fn start() -> Self {
        let api = FakeApi::start(|path| {
            let object =
                json!({ "kind": "CoderControlPlane", "apiVersion": "coder.com/v1alpha1", "metadata": { "name": "main" } });
            if path.contains("/log") {
                return Some(FakeAnswer::text(200, "a line\n"));
            }
            path.ends_with("/main").then(|| FakeAnswer::json(&object))
        });
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        api.write_kubeconfig(&kubeconfig);
        let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").start().await;
        Self { server, api, _folder: folder }
    }

    fn client(&self) -> Client {
        Client::modern(&self.server)
    }

    /// What was asked for inside namespaces, or of lists over all of them.
    fn objects_asked_for(&self) -> Vec<String> {
        let discovery = [
            "/version",
            "/readyz",
            "/api",
            "/api/v1",
            "/apis",
            "/apis/coder.com/v1alpha1",
            "/apis/aggregation.coder.com/v1alpha1",
        ];
        self.api.requests().into_iter().filter(|path| !discovery.contains(&path.as_str())).collect()
    }
}

#[tokio::test]
async fn the_good_arguments_of_these_tests_are_good() {
    let watched = Watched::start().await;
    for &tool in TOOLS.iter() {
        watched.client().answer(tool, good(tool)).await;
    }
    let asked: BTreeSet<String> =
        watched.objects_asked_for().into_iter().map(|path| path.split('?').next().unwrap().to_owned()).collect();
    assert!(asked.len() >= TOOLS.len() - 1, "{asked:?}");
}

#[tokio::test]
async fn arguments_that_frameworks_fill_in_are_absent() {
    let watched = Watched::start().await;
    let filled = [
        ("get_events", json!({ "name": "", "kind": "", "type": "", "limit": 0, "continue": "" })),
        ("get_events", json!({ "name": null, "kind": null, "type": null, "limit": null, "continue": null })),
        ("get_events", json!({ "limit": "10", "type": "warning", "toolCallId": "c", "sessionId": "s" })),
        (
            "get_pod_logs",
            json!({ "container": "", "sinceSeconds": 0, "matching": "", "previous": false, "timestamps": false, "limitBytes": 0 }),
        ),
        (
            "get_pod_logs",
            json!({ "tailLines": "2", "previous": "False", "timestamps": "true", "limitBytes": "1000", "container": null }),
        ),
        ("list_workspaces", json!({ "namespace": null, "limit": "", "continue": [] })),
        ("list_templates", json!({ "namespace": "", "limit": 0.0, "task_progress": "- [x] a" })),
        ("list_control_planes", json!({ "namespace": " default ", "limit": "0" })),
        ("check_health", json!({ "random_string": "x" })),
    ];
    for (tool, more) in filled {
        let mut arguments = good(tool);
        sandbar_tests::namespace::merge(&mut arguments, more.clone());
        assert!(watched.client().call(tool, arguments).await.is_ok(), "{tool}: {more}");
    }
    for path in watched.objects_asked_for() {
        assert!(!path.contains("involvedObject") && !path.contains("sinceSeconds") && !path.contains("container="), "{path}");
    }
}

#[tokio::test]
async fn an_argument_that_a_tool_does_not_have_is_named() {
    let watched = Watched::start().await;
    for &tool in TOOLS.iter() {
        let mut arguments = good(tool);
        arguments["colour"] = json!("red");
        let words = watched.client().failure(tool, arguments).await;
        assert!(words.contains(tool) && words.contains("colour"), "{tool}: {words}");
    }
    assert_eq!(watched.objects_asked_for(), [""; 0]);
}

#[tokio::test]
async fn an_argument_that_is_missing_is_named() {
    let watched = Watched::start().await;
    for (tool, missing) in [
        ("get_control_plane_status", "namespace"),
        ("get_control_plane_status", "name"),
        ("get_events", "namespace"),
        ("get_pod_logs", "namespace"),
        ("get_pod_logs", "name"),
    ] {
        let mut arguments = good(tool);
        arguments.as_object_mut().unwrap().remove(missing);
        let words = watched.client().failure(tool, arguments).await;
        assert!(words.contains(tool) && words.contains(missing), "{tool}: {words}");
    }
    assert_eq!(watched.objects_asked_for(), [""; 0]);
}

#[tokio::test]
async fn an_argument_of_the_wrong_type_is_named_with_the_right_one() {
    let watched = Watched::start().await;
    for (tool, argument, value, right) in [
        ("get_events", "namespace", json!(7.5), "string"),
        ("get_events", "namespace", Value::Null, "string"),
        ("get_events", "name", json!(["a"]), "string"),
        ("get_events", "limit", json!("10 items"), "integer"),
        ("get_events", "limit", json!(1.5), "integer"),
        ("get_events", "limit", json!(true), "integer"),
        ("get_events", "type", json!("Error"), "Warning"),
        ("get_events", "continue", json!({ "after": "a" }), "string"),
        ("get_pod_logs", "tailLines", json!("many"), "integer"),
        ("get_pod_logs", "previous", json!("yes"), "boolean"),
        ("get_pod_logs", "container", json!({ "name": "a" }), "string"),
        ("list_workspaces", "namespace", json!(["a"]), "string"),
        ("list_control_planes", "limit", json!([1]), "integer"),
    ] {
        let mut arguments = good(tool);
        arguments[argument] = value;
        let described = arguments.to_string();
        let words = watched.client().failure(tool, arguments).await;
        assert!(words.contains(argument) && words.contains(right), "{tool} {described}: {words}");
    }
    assert_eq!(watched.objects_asked_for(), [""; 0]);
}

#[tokio::test]
async fn a_huge_value_is_not_repeated_in_the_message() {
    let watched = Watched::start().await;
    for arguments in [
        json!({ "namespace": "x".repeat(1 << 20) }),
        json!({ "namespace": ["x".repeat(1 << 20)] }),
        json!({ "namespace": "a", "x".repeat(1 << 20): 1 }),
    ] {
        let words = watched.client().failure("get_events", arguments).await;
        assert!(words.len() < 8 * 1024, "{} bytes", words.len());
    }
}

#[tokio::test]
async fn numbers_of_any_size_are_taken_as_the_nearest_that_makes_sense() {
    let watched = Watched::start().await;
    for number in [json!(-1), json!(0), json!(i64::MIN), json!(i64::MAX), json!(u64::MAX), json!(1e300), json!(-1e300)] {
        for tool in ["list_control_planes", "list_workspaces", "list_templates", "get_events"] {
            let mut arguments = good(tool);
            arguments["limit"] = number.clone();
            watched.client().answer(tool, arguments).await;
        }
        let mut arguments = good("get_pod_logs");
        arguments["limitBytes"] = number;
        watched.client().answer("get_pod_logs", arguments).await;
    }
    for path in watched.objects_asked_for() {
        assert!(!path.contains("limit=0") && !path.contains("limit=-") && !path.contains("limitBytes"), "{path}");
    }
}

#[tokio::test]
async fn a_namespace_or_name_never_leaves_its_place_in_the_path() {
    let watched = Watched::start().await;
    let escapes = [
        "..",
        ".",
        "../..",
        "../kube-system",
        "team-a/../kube-system",
        "..%2fkube-system",
        "%2e%2e",
        "team-a%2Fpods",
        "team-a?watch=true",
        "team-a#x",
        "team-a;x",
        "team-a\\..\\x",
        "/",
        "//",
        " ",
        "team-a\n",
        "team-a\r\nX-Injected: 1",
        "team-a\u{0}",
        "tëam",
        "team-a\u{202e}",
        "TEAM",
        "a/exec",
        "a%2Fexec",
        "a?follow=true",
        "a&container=x",
    ];
    let client = watched.client();
    for escape in escapes {
        for (tool, argument) in [
            ("get_control_plane_status", "namespace"),
            ("get_events", "namespace"),
            ("get_pod_logs", "namespace"),
            ("list_control_planes", "namespace"),
            ("list_workspaces", "namespace"),
            ("list_templates", "namespace"),
            ("get_control_plane_status", "name"),
            ("get_pod_logs", "name"),
            ("get_pod_logs", "container"),
        ] {
            let mut arguments = good(tool);
            arguments[argument] = json!(escape);
            // A name may hold what a namespace may not: RBAC's are any one segment of a path.
            if let Err(words) = client.call(tool, arguments).await {
                assert!(
                    words.contains(argument) || words.contains("not found") || words.contains("not serve"),
                    "{tool} {argument} {escape:?}: {words}"
                );
            }
        }
    }
    for path in watched.objects_asked_for() {
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let segments: Vec<&str> = path.split('/').collect();
        let Some(place) = segments.iter().position(|&segment| segment == "namespaces") else {
            // An empty answer says which other namespaces have some.
            assert!(segments.len() == 5 && segments[1] == "apis" && segments[3] == "v1alpha1", "{path}");
            continue;
        };
        assert_eq!(segments[place + 1], "team-a", "{path}");
        assert!(segments.len() <= place + 5 && !segments.contains(&"..") && !path.to_lowercase().contains("%2f"), "{path}");
        assert!(!query.contains("follow") && !query.contains("watch"), "{path}?{query}");
        assert!(!path.contains("/exec"), "{path}");
    }
}

#[tokio::test]
async fn a_resource_that_the_cluster_does_not_serve_is_not_mistaken_for_an_empty_list() {
    let api = FakeApi::start(|path| {
        let none = json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": [] });
        match path {
            "/apis" => Some(FakeAnswer::json(&none)),
            _ => path.starts_with("/apis/").then(|| FakeAnswer::text(404, "404 page not found\n")),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").start().await;
    for (tool, resource) in [
        ("list_control_planes", "codercontrolplanes"),
        ("list_workspaces", "coderworkspaces"),
        ("list_templates", "codertemplates"),
        ("get_control_plane_status", "codercontrolplanes"),
    ] {
        let words = Client::modern(&server).failure(tool, good(tool)).await;
        assert!(words.contains(resource) && words.contains("serve"), "{tool}: {words}");
    }
    Client::modern(&server).answer("get_events", good("get_events")).await;
}
