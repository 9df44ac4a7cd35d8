//! Objects of any kind, logs of many pods, and use, against a real API server.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::namespace::Namespace;

use super::*;

#[tokio::test]
async fn a_table_is_that_of_kubectl_in_no_more_bytes() {
    let namespace = Namespace::fresh("table").await;
    for number in 0..12 {
        namespace.pod(&format!("web-{number}"), &["app"]).await;
    }
    let (text, structure) = said(&client().await, "list_resources", json!({ "kind": "po", "namespace": namespace.name() })).await;
    assert_eq!((&structure["kind"], &structure["count"]), (&json!("pods"), &json!(12)), "{structure:#}");
    assert!(text.contains("web-11") && text.to_lowercase().contains("ready"), "{text}");
    let of_kubectl = ControlPlane::shared().kubectl(&["get", "pods", "-n", namespace.name()]);
    let table = structure["table"].as_str().unwrap_or(&text);
    assert!(table.len() <= of_kubectl.len(), "{} and {} bytes:\n{table}\n{of_kubectl}", table.len(), of_kubectl.len());
    let chosen = json!({ "kind": "Pod", "namespace": namespace.name(), "fields": ["spec.nodeName"], "limit": 1 });
    let (text, structure) = said(&client().await, "list_resources", chosen).await;
    assert!(text.contains(ControlPlane::shared().node()) && structure["continue"].is_string(), "{text}\n{structure}");
}

#[tokio::test]
async fn one_object_is_whole_without_what_is_empty() {
    let namespace = Namespace::fresh("object").await;
    namespace.pod("web", &["app"]).await;
    let client = client().await;
    let (_, structure) =
        said(&client, "get_resource", json!({ "kind": "pod", "name": "web", "namespace": namespace.name() })).await;
    let object = &structure["object"];
    assert_eq!(object["spec"]["containers"][0]["image"], "example.com/app:1", "{structure:#}");
    assert!(object["metadata"].get("managedFields").is_none() && !object["metadata"].to_string().contains("{}"), "{structure:#}");
    let missing = client.failure("get_resource", json!({ "kind": "pod", "name": "wbe", "namespace": namespace.name() })).await;
    assert!(missing.contains("web"), "{missing}");
    let unknown = client.failure("get_resource", json!({ "kind": "deploymnet", "name": "web" })).await;
    assert!(unknown.contains("deployments"), "{unknown}");
}

#[tokio::test]
async fn a_secret_is_masked_whoever_asks_and_however() {
    let namespace = Namespace::fresh("secret").await;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web" },
        "spec": { "containers": [{ "name": "app", "image": "example.com/app:1", "env": [{ "name": "DB_PASSWORD", "value": "sesame-4711" }] }] },
    });
    namespace.create(pod).await;
    let client = client().await;
    let of = |more: Value| {
        let mut arguments = json!({ "kind": "pod", "namespace": namespace.name() });
        sandbar_tests::namespace::merge(&mut arguments, more);
        arguments
    };
    for (tool, arguments) in [
        ("get_resource", of(json!({ "name": "web" }))),
        ("get_resource", of(json!({ "name": "web", "fields": ["spec.containers.env.value"] }))),
        ("list_resources", of(json!({ "fields": ["spec.containers.env.value"] }))),
        ("explain", of(json!({ "name": "web" }))),
    ] {
        let (text, structure) = said(&client, tool, arguments.clone()).await;
        assert!(!format!("{text}{structure}").contains("sesame"), "{tool} {arguments}: {text}{structure}");
    }
    // The API server takes a NUL for the end of the selector.
    for (labels, said) in [("db-password>471192", "is masked"), ("db-password>471192\0", "the label selector is invalid")] {
        let words = client.failure("list_resources", of(json!({ "labels": labels }))).await;
        assert!(words.contains(said), "{labels:?}: {words}");
    }
    let secrets = client.failure("list_resources", json!({ "kind": "secrets", "namespace": namespace.name() })).await;
    assert!(secrets.contains("secrets"), "{secrets}");
}

#[tokio::test]
async fn the_logs_of_all_pods_are_one_in_the_order_of_time() {
    let namespace = Namespace::fresh("search").await;
    for (pod, lines) in [("web-a", ["GET / 200", "GET /login 500 id=1"]), ("web-b", ["GET /login 500 id=2", "bye"])] {
        namespace.pod_with_log(pod, &CriLog::of(lines.map(str::to_owned))).await;
        ControlPlane::shared().kubectl(&["-n", namespace.name(), "label", "pod", pod, "tier=web"]);
    }
    let search = json!({ "namespace": namespace.name(), "labels": "tier=web", "matching": " 500 " });
    let (text, structure) = said(&client().await, "search_logs", search).await;
    assert_eq!((&structure["lines"], &structure["logsRead"]), (&json!(2), &json!(2)), "{text}\n{structure:#}");
    assert!(text.contains("/login 500") && !text.contains("bye"), "{text}");
}

#[tokio::test]
async fn use_that_nobody_measures_is_said_to_be() {
    let namespace = Namespace::fresh("top").await;
    namespace.pod("web", &["app"]).await;
    let (text, structure) = said(&client().await, "top", json!({ "of": "pods", "namespace": namespace.name() })).await;
    assert!(format!("{text}{structure}").contains("metrics-server"), "{text}\n{structure:#}");
}
