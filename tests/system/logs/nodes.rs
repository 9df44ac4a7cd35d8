//! Pods that are nowhere, and nodes that do not answer.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::namespace::create;
use sandbar_tests::until;

use super::*;

/// Makes a node whose kubelet is said to listen on this port.
async fn node(namespace: &Namespace, port: u16) -> String {
    let name = format!("node-of-{}", namespace.name());
    create(
        namespace.client(),
        json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": { "name": name, "annotations": { "kwok.x-k8s.io/node": "fake" } },
            "status": {
                "addresses": [{ "type": "InternalIP", "address": "127.0.0.1" }],
                "daemonEndpoints": { "kubeletEndpoint": { "Port": port } },
            },
        }),
    )
    .await;
    name
}

/// A pod `web` on such a node, once it runs.
async fn web_on(port: u16) -> (Namespace, String) {
    let namespace = Namespace::fresh("nodes").await;
    let node = node(&namespace, port).await;
    namespace.pod_on(&node, "web", &["app"]).await;
    namespace.until_running("web").await;
    (namespace, node)
}

#[tokio::test]
async fn a_pod_that_is_not_there_is_named() {
    let namespace = Namespace::fresh("nodes").await;
    let words = refusal(&namespace, json!({})).await;
    assert_eq!(words, format!(r#"get logs of {}/web: pods "web" not found"#, namespace.name()));
}

#[tokio::test]
async fn a_pod_that_is_not_scheduled_yet_has_no_log_and_the_answer_says_why() {
    let namespace = Namespace::fresh("nodes").await;
    namespace.pod_on("", "web", &["app"]).await;
    let answer = read(&namespace, json!({})).await;
    assert_eq!(logs(&answer), "");
    assert!(answer["warnings"][0].as_str().is_some_and(|words| words.contains("not scheduled")), "{answer}");
}

#[tokio::test]
async fn a_pod_on_a_node_that_is_gone_is_not_mistaken_for_a_missing_pod() {
    let (namespace, node) = web_on(1).await;
    ControlPlane::shared().kubectl(&["delete", "node", &node, "--wait=false"]);
    let words = until("the node is gone", || async {
        let words = refusal(&namespace, json!({})).await;
        words.contains("gone").then_some(words)
    })
    .await;
    assert!(words.contains(&node), "the node is named: {words}");
}

#[tokio::test]
async fn a_kubelet_that_refuses_connections_is_the_suspect() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (namespace, node) = web_on(port).await;
    let words = refusal(&namespace, json!({})).await;
    assert!(words.starts_with(&format!("get logs of {}/web: ", namespace.name())), "{words}");
    assert!(words.contains(&node) || words.contains("kubelet") || words.contains("node"), "{words}");
}

#[tokio::test]
async fn a_kubelet_that_says_nothing_is_the_suspect_before_the_clients_patience_ends() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (namespace, node) = web_on(listener.local_addr().unwrap().port()).await;
    let words = refusal(&namespace, json!({})).await;
    assert!(words.contains(&node) || words.contains("kubelet") || words.contains("node"), "{words}");
    assert!(!words.contains("time limit"), "the call has time left: {words}");
}
