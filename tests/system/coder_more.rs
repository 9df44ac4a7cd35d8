//! The pack coder-more against a real API server: every argument, every field of the answers, and the words of its failures.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::golden;
use sandbar_tests::mcp::Client;
use sandbar_tests::namespace::{Namespace, merge};
use sandbar_tests::sandbar::Server;
use serde_json::{Value, json};

/// The list in compact JSON costs every conversation in which the pack is on this many bytes.
const MOST_BYTES: usize = 6 * 1024;

const PACK: &str = "bundled: { packs: [coder-more] }\n";

async fn client() -> Client {
    static SERVER: tokio::sync::OnceCell<Server> = tokio::sync::OnceCell::const_new();
    let start = || async { Server::builder().of(ControlPlane::shared(), "admin").config(PACK).start().await };
    Client::modern(SERVER.get_or_init(start).await)
}

/// What makes something a part of a control plane.
fn labels(control_plane: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "coder-control-plane", "app.kubernetes.io/managed-by": "coder-k8s",
        "app.kubernetes.io/instance": control_plane,
    })
}

async fn pod(namespace: &Namespace, name: &str, more: Value) {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": { "containers": [{ "name": "coder", "image": "example.com/coder:1" }, { "name": "proxy", "image": "example.com/proxy:1" }] },
    });
    merge(&mut pod, more);
    namespace.create(pod).await;
}

fn names(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_of_tools_is_the_reviewed_one_with_the_arguments_of_the_original() {
    let tools = client().await.request("tools/list", json!({})).await["result"]["tools"].take();
    let bytes = tools.to_string().len();
    assert!(bytes < MOST_BYTES, "{bytes} bytes");
    golden::assert_tools("coder-more.json", &tools);

    let one: &[&str] = &["namespace", "name"];
    let original = [
        ("get_control_plane_deployment_status", one),
        ("get_service_status", one),
        ("get_template", one),
        ("get_workspace", one),
        ("list_control_plane_pods", &["namespace", "name", "limit"]),
    ];
    let tools = tools.as_array().unwrap();
    assert_eq!(tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect::<Vec<_>>(), original.map(|(name, _)| name));
    for (tool, (name, arguments)) in tools.iter().zip(original) {
        assert_eq!(tool["inputSchema"]["required"], json!(["namespace", "name"]), "{name}");
        for argument in arguments {
            assert!(tool["inputSchema"]["properties"].get(argument).is_some(), "{name} takes {argument}");
        }
    }
}

#[tokio::test]
async fn namespace_and_name_are_asked_for_in_the_words_of_the_original() {
    let client = client().await;
    for tool in
        ["get_control_plane_deployment_status", "get_service_status", "get_template", "get_workspace", "list_control_plane_pods"]
    {
        assert_eq!(client.failure(tool, json!({ "namespace": "", "name": "x" })).await, "namespace is required", "{tool}");
        assert_eq!(client.failure(tool, json!({ "namespace": "x", "name": "" })).await, "name is required", "{tool}");
    }
}

#[tokio::test]
async fn the_pods_of_a_control_plane_are_those_with_its_labels_by_name() {
    let namespace = Namespace::fresh("plane-pods").await;
    let node = ControlPlane::shared().node();
    let mut unmanaged = labels("main");
    unmanaged["app.kubernetes.io/managed-by"] = json!("somebody");
    for (name, labels) in [
        ("main-c", labels("main")),
        ("main-a", labels("main")),
        ("main-b", labels("main")),
        ("dev-a", labels("dev")),
        ("main-x", unmanaged),
    ] {
        pod(&namespace, name, json!({ "metadata": { "labels": labels } })).await;
    }
    pod(&namespace, "main-d", json!({ "metadata": { "labels": labels("main") }, "spec": { "nodeName": node } })).await;
    namespace.until_running("main-d").await;

    let client = client().await;
    let pods = async |more: Value| {
        let mut arguments = json!({ "namespace": namespace.name(), "name": "main" });
        merge(&mut arguments, more);
        client.answer("list_control_plane_pods", arguments).await
    };
    let all = pods(json!({})).await;
    assert_eq!(names(&all), ["main-a", "main-b", "main-c", "main-d"]);
    assert_eq!(all.get("truncated"), None);
    assert_eq!(
        all["items"][0],
        json!({ "name": "main-a", "namespace": namespace.name(), "phase": "Pending", "readyContainers": 0, "totalContainers": 2 })
    );
    let mut running = all["items"][3].clone();
    let started = running["startTime"].take();
    assert!(started.as_str().is_some_and(|time| time.ends_with('Z')), "{started}");
    assert_eq!(
        running,
        json!({
            "name": "main-d", "namespace": namespace.name(), "phase": "Running", "nodeName": node, "readyContainers": 2,
            "totalContainers": 2, "startTime": null,
        })
    );

    let first = pods(json!({ "limit": 3 })).await;
    assert_eq!((names(&first).len(), &first["truncated"]), (3, &json!(true)));
    let rest = pods(json!({ "limit": 3, "continue": first["continue"] })).await;
    assert_eq!((names(&rest), rest.get("truncated")), (vec!["main-d"], None));
    for limit in [json!(0), json!(-1), json!(1e18)] {
        assert_eq!(names(&pods(json!({ "limit": limit })).await).len(), 4, "limit {limit}");
    }
}

#[tokio::test]
async fn a_control_plane_without_pods_is_told_with_those_that_have_some() {
    let namespace = Namespace::fresh("plane-pods").await;
    let none = async |name: &str| {
        let answer =
            client().await.answer("list_control_plane_pods", json!({ "namespace": namespace.name(), "name": name })).await;
        assert_eq!(answer["items"], json!([]));
        answer["hint"].as_str().expect("a hint").to_owned()
    };
    let hint = none("main").await;
    assert!(hint.contains(&format!("there are no pods of control planes in namespace {}", namespace.name())), "{hint}");
    pod(&namespace, "dev-a", json!({ "metadata": { "labels": labels("dev") } })).await;
    assert_eq!(
        none("main").await,
        format!("no pod belongs to control plane {0}/main; namespace {0} has pods of dev (1)", namespace.name())
    );
    // A comma would begin another condition.
    let arguments = json!({ "namespace": namespace.name(), "name": "x,app.kubernetes.io/instance notin (y)" });
    let words = client().await.failure("list_control_plane_pods", arguments).await;
    assert!(words.contains("no label app.kubernetes.io/instance is"), "{words}");
}

#[tokio::test]
async fn the_deployment_of_a_control_plane_has_every_field_of_the_original() {
    let namespace = Namespace::fresh("rollout").await;
    let available = json!({
        "type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable", "message": "too few replicas",
        "lastUpdateTime": "2026-11-22T10:05:00Z", "lastTransitionTime": "2026-11-22T10:00:00Z",
    });
    let mut progressing = available.clone();
    merge(&mut progressing, json!({ "type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated" }));
    let deployment = |name: &str| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
            "spec": {
                "replicas": 3, "selector": { "matchLabels": { "app": name } },
                "template": {
                    "metadata": { "labels": { "app": name } },
                    "spec": { "containers": [{ "name": "coder", "image": "example.com/coder:1" }] },
                },
            },
        })
    };
    let mut main = deployment("main");
    main["status"] = json!({
        "observedGeneration": 1, "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 2,
        "unavailableReplicas": 2, "conditions": [progressing, available],
    });
    namespace.create(main).await;
    namespace.create(deployment("new")).await;

    let client = client().await;
    let asked = |name: &str| json!({ "namespace": namespace.name(), "name": name });
    assert_eq!(
        client.answer("get_control_plane_deployment_status", asked("main")).await,
        json!({
            "name": "main", "namespace": namespace.name(), "replicas": 3, "readyReplicas": 3, "updatedReplicas": 1,
            "availableReplicas": 2, "unavailableReplicas": 2, "observedGeneration": 1, "conditions": [available, progressing],
        })
    );
    assert_eq!(
        client.answer("get_control_plane_deployment_status", asked("new")).await,
        json!({
            "name": "new", "namespace": namespace.name(), "replicas": 3, "readyReplicas": 0, "updatedReplicas": 0,
            "availableReplicas": 0, "unavailableReplicas": 0, "observedGeneration": 0, "conditions": [],
        })
    );
    assert_eq!(
        client.failure("get_control_plane_deployment_status", asked("coder")).await,
        format!(
            r#"get deployment {0}/coder: deployments.apps "coder" not found; Deployments in namespace {0}: main, new"#,
            namespace.name()
        )
    );
}

#[tokio::test]
async fn a_service_has_every_field_of_the_original_and_of_its_annotations_those_that_people_read() {
    let namespace = Namespace::fresh("service").await;
    let token = format!("ghp_{}", "a1B2c3D4e5F6".repeat(3));
    namespace
        .create(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "main",
                "annotations": {
                    "example.com/owner": "team-a", "example.com/note": token, "example.com/large": "x".repeat(2000),
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                },
            },
            "spec": {
                "type": "NodePort", "selector": { "app": "main" },
                "ports": [{ "name": "http", "port": 80, "targetPort": "web" }, { "name": "https", "port": 443, "protocol": "TCP" }],
            },
        }))
        .await;
    namespace
        .create(
            json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "headless" }, "spec": { "clusterIP": "None" } }),
        )
        .await;

    let client = client().await;
    let asked = |name: &str| json!({ "namespace": namespace.name(), "name": name });
    let mut service = client.answer("get_service_status", asked("main")).await;
    assert!(!service.to_string().contains(&token), "{service}");
    let address = service.as_object_mut().unwrap().remove("clusterIP");
    assert!(address.is_some_and(|address| address.as_str().unwrap().starts_with("10.")), "{service}");
    for port in service["ports"].as_array_mut().unwrap() {
        let node_port = port.as_object_mut().unwrap().remove("nodePort");
        assert!(node_port.is_some_and(|port| port.as_u64() >= Some(30000)), "{port}");
    }
    assert_eq!(
        service,
        json!({
            "name": "main", "namespace": namespace.name(), "type": "NodePort",
            "ports": [
                { "name": "http", "port": 80, "targetPort": "web", "protocol": "TCP" },
                { "name": "https", "port": 443, "targetPort": "443", "protocol": "TCP" },
            ],
            "annotations": { "example.com/owner": "team-a", "example.com/note": "[masked: GitHub token]" },
            "warnings": ["annotations that are left out: example.com/large (2000 bytes), \
                          kubectl.kubernetes.io/last-applied-configuration (2 bytes)"],
        })
    );
    assert_eq!(
        client.answer("get_service_status", asked("headless")).await,
        json!({ "name": "headless", "namespace": namespace.name(), "type": "ClusterIP", "clusterIP": "None", "ports": [] })
    );
    assert_eq!(
        client.failure("get_service_status", asked("Mai")).await,
        format!(r#"get service {0}/Mai: services "Mai" not found; Services in namespace {0}: main"#, namespace.name())
    );
}

#[tokio::test]
async fn a_workspace_and_a_template_are_their_lines_of_the_list() {
    let namespace = Namespace::fresh("workspace").await;
    let client = client().await;
    for (kind, field) in [("CoderWorkspace", "workspace"), ("CoderTemplate", "template")] {
        let object = |name: &str, spec: Value, status: Value| {
            json!({
                "apiVersion": "aggregation.coder.com/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec, "status": status,
            })
        };
        let until = json!({ "autoShutdown": "2026-11-22T18:00:00Z" });
        namespace.create(object("acme.ada.dev", json!({ "organization": "acme", "running": true }), until)).await;
        namespace.create(object("acme.bob.old", json!({}), json!({}))).await;
        let (tool, asked) = (format!("get_{field}"), |name: &str| json!({ "namespace": namespace.name(), "name": name }));
        assert_eq!(
            client.answer(&tool, asked("acme.ada.dev")).await,
            json!({ field: {
                "name": "acme.ada.dev", "namespace": namespace.name(), "running": true, "autoShutdown": "2026-11-22T18:00:00Z",
            } })
        );
        assert_eq!(
            client.answer(&tool, asked("acme.bob.old")).await,
            json!({ field: { "name": "acme.bob.old", "namespace": namespace.name(), "running": false } })
        );
        let words = client.failure(&tool, asked("ada")).await;
        let plural = format!("{}s.aggregation.coder.com", kind.to_lowercase());
        assert_eq!(
            words,
            format!(r#"get {kind} {0}/ada: {plural} "ada" not found; {kind}s in namespace {0}: acme.ada.dev"#, namespace.name())
        );
    }
}

#[tokio::test]
async fn an_api_without_pages_and_selectors_is_looked_into_all_the_same() {
    let aggregated = crate::paging::aggregated().await;
    let server = Server::builder().of(&aggregated.control_plane, "admin").config(PACK).start().await;
    let client = Client::modern(&server);
    let asked = |name: &str| json!({ "namespace": "team-a", "name": name });
    let whole = "acme.user-0.workspace-00042";
    let words = client.failure("get_workspace", asked("workspace-00042")).await;
    assert!(words.ends_with(&format!("; CoderWorkspaces in namespace team-a: {whole}")), "{words}");
    let mut answer = client.answer("get_workspace", asked(whole)).await;
    assert!(answer["workspace"]["autoShutdown"].take().is_string());
    let workspace = json!({ "name": whole, "namespace": "team-a", "running": true, "autoShutdown": null });
    assert_eq!(answer, json!({ "workspace": workspace }));
    assert_eq!(
        client.answer("get_template", asked("acme.template-1")).await,
        json!({ "template": { "name": "acme.template-1", "namespace": "team-a", "running": false } })
    );
    let words = client.failure("get_workspace", json!({ "namespace": "no-coder", "name": whole })).await;
    assert!(words.starts_with("get CoderWorkspace no-coder/") && words.contains("no eligible CoderControlPlane"), "{words}");
}
