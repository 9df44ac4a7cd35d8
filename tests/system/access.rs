//! What a user's rights allow, and what the operator's list of namespaces does.

use std::path::PathBuf;

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::mcp::Client;
use sandbar_tests::namespace::{Namespace, create};
use sandbar_tests::sandbar::{Run, Server};
use sandbar_tests::until;
use serde_json::{Value, json};

/// A namespace with something for every tool.
async fn full(topic: &str) -> Namespace {
    let namespace = Namespace::fresh(topic).await;
    namespace.control_plane("main", json!({ "phase": "Ready" })).await;
    namespace.event("event", json!({})).await;
    namespace.pod_with_log("web", &CriLog::of(["a line"])).await;
    for kind in ["CoderWorkspace", "CoderTemplate"] {
        let object = json!({ "apiVersion": "aggregation.coder.com/v1alpha1", "kind": kind, "metadata": { "name": "acme.one" }, "spec": {} });
        namespace.create(object).await;
    }
    namespace
}

/// A call of each tool about a namespace.
fn calls(namespace: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("get_control_plane_status", json!({ "namespace": namespace, "name": "main" })),
        ("get_events", json!({ "namespace": namespace })),
        ("get_pod_logs", json!({ "namespace": namespace, "name": "web" })),
        ("list_control_planes", json!({ "namespace": namespace })),
        ("list_templates", json!({ "namespace": namespace })),
        ("list_workspaces", json!({ "namespace": namespace })),
    ]
}

/// Lets a user do something in a namespace.
async fn grant(namespace: &Namespace, user: &str, group: &str, resource: &str, verb: &str) {
    let name = format!("{user}-{verb}-{}", resource.replace('/', "-"));
    let rbac = "rbac.authorization.k8s.io";
    namespace
        .create(json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "Role", "metadata": { "name": name },
            "rules": [{ "apiGroups": [group], "resources": [resource], "verbs": [verb] }],
        }))
        .await;
    namespace
        .create(json!({
            "apiVersion": format!("{rbac}/v1"), "kind": "RoleBinding", "metadata": { "name": name },
            "roleRef": { "apiGroup": rbac, "kind": "Role", "name": name },
            "subjects": [{ "apiGroup": rbac, "kind": "User", "name": user }],
        }))
        .await;
}

/// Calls until the API server has taken note of a role.
async fn until_answered(client: &Client, tool: &str, arguments: Value) -> Value {
    until(&format!("{tool} is allowed"), || async { client.call(tool, arguments.clone()).await.ok() }).await
}

#[tokio::test]
async fn what_rbac_denies_is_said_in_the_words_of_the_api_server() {
    let namespace = full("denied").await;
    let server = Server::builder().of(ControlPlane::shared(), "viewer").start().await;
    for (tool, arguments) in calls(namespace.name()) {
        let words = Client::modern(&server).failure(tool, arguments).await;
        assert!(
            words.contains("forbidden") && words.contains("\"viewer\"") && words.contains(namespace.name()),
            "{tool}: {words}"
        );
    }
}

#[tokio::test]
async fn rights_in_one_namespace_are_enough_for_that_namespace() {
    let namespace = full("narrow").await;
    grant(&namespace, "narrow", "coder.com", "codercontrolplanes", "list").await;
    let server = Server::builder().of(ControlPlane::shared(), "narrow").start().await;
    let client = Client::modern(&server);
    let answer = until_answered(&client, "list_control_planes", json!({ "namespace": namespace.name() })).await;
    assert_eq!(answer["items"][0]["name"], "main");
    let words = client.failure("list_control_planes", json!({})).await;
    assert!(words.contains("cluster scope"), "{words}");
    assert!(words.contains("namespace"), "it says what else to try: {words}");
}

#[tokio::test]
async fn a_list_over_the_operators_namespaces_works_where_rbac_grants_single_ones() {
    let (one, other, denied) = (full("fan-out").await, full("fan-out").await, full("fan-out").await);
    for namespace in [&one, &other] {
        grant(namespace, "narrow", "coder.com", "codercontrolplanes", "list").await;
    }
    let config = format!("namespaces: [{}, {}, {}]\n", one.name(), other.name(), denied.name());
    let server = Server::builder().of(ControlPlane::shared(), "narrow").config(&config).start().await;
    let client = Client::modern(&server);
    for namespace in [&one, &other] {
        until_answered(&client, "list_control_planes", json!({ "namespace": namespace.name() })).await;
    }
    let answer = client.answer("list_control_planes", json!({})).await;
    let namespaces: Vec<&str> =
        answer["items"].as_array().unwrap().iter().filter_map(|item| item["namespace"].as_str()).collect();
    assert_eq!(namespaces, [one.name(), other.name()], "{answer}");
    let warnings = answer["warnings"].as_array().unwrap();
    assert_eq!(warnings.len(), 1);
    let warning = warnings[0].as_str().unwrap();
    assert!(warning.contains(denied.name()) && warning.contains("forbidden"), "{warning}");

    // Page by page, nothing of it gets lost.
    let first = client.answer("list_control_planes", json!({ "limit": 1 })).await;
    assert_eq!(first["items"][0]["namespace"], one.name());
    let second = client.answer("list_control_planes", json!({ "limit": 1, "continue": first["continue"] })).await;
    assert_eq!(second["items"][0]["namespace"], other.name());
    // The list ends only once the last namespace has been asked.
    let last = client.answer("list_control_planes", json!({ "limit": 1, "continue": second["continue"] })).await;
    assert_eq!((last["items"].as_array().unwrap().len(), last.get("continue")), (0, None), "{last}");
    assert!(last["warnings"][0].as_str().unwrap().contains(denied.name()), "{last}");
}

#[tokio::test]
async fn only_when_no_namespace_answers_a_list_over_them_fails() {
    let (one, other) = (full("all-denied").await, full("all-denied").await);
    let config = format!("namespaces: [{}, {}]\n", one.name(), other.name());
    let server = Server::builder().of(ControlPlane::shared(), "viewer").config(&config).start().await;
    let words = Client::modern(&server).failure("list_control_planes", json!({})).await;
    assert!(words.contains("forbidden"), "{words}");
}

#[tokio::test]
async fn a_namespace_outside_the_operators_list_is_refused_whatever_rbac_allows() {
    let (inside, outside) = (full("inside").await, full("outside").await);
    let config = format!("namespaces: [{}]\n", inside.name());
    let server = Server::builder().of(ControlPlane::shared(), "admin").config(&config).start().await;
    let client = Client::modern(&server);
    for (tool, arguments) in calls(inside.name()) {
        client.answer(tool, arguments).await;
    }
    for (tool, arguments) in calls(outside.name()) {
        let words = client.failure(tool, arguments).await;
        assert!(words.contains(outside.name()) && words.contains(inside.name()), "{tool}: {words}");
    }
    let answer = client.answer("list_control_planes", json!({})).await;
    assert_eq!(answer["items"].as_array().unwrap().len(), 1, "{answer}");
}

#[tokio::test]
async fn a_token_that_the_api_server_does_not_know_is_named_as_the_fault() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let text = std::fs::read_to_string(ControlPlane::shared().kubeconfig()).unwrap().replace("admin-token", "stale-token");
    std::fs::write(&kubeconfig, text).unwrap();
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig:admin").start_unready().await;
    let words = Client::modern(&server).failure("list_control_planes", json!({})).await;
    assert!(words.contains("credentials"), "{words}");
    assert!(!words.contains("stale-token") && !server.log().contains("stale-token"), "{words}");
}

/// A ServiceAccount with the roles that `sandbar rbac` prints for it, and a kubeconfig with its token.
struct Account {
    namespace: Namespace,
    roles: Vec<Value>,
    kubeconfig: PathBuf,
    _folder: tempfile::TempDir,
}

impl Account {
    /// `config` is the sandbar.yaml that the roles are for.
    async fn with_printed_roles(config: &str) -> Self {
        let namespace = Namespace::fresh("rbac").await;
        let name = namespace.name();
        let folder = tempfile::tempdir().unwrap();
        let config_file = folder.path().join("sandbar.yaml");
        std::fs::write(&config_file, config).unwrap();
        let run = Run::new(&[
            "rbac",
            "--cluster",
            "demo",
            "--name",
            name,
            "--service-account",
            "reader",
            "--namespace",
            name,
            "--config",
        ]);
        let finished = run.arg(&config_file).finish().await;
        assert_eq!(finished.code(), 0, "{finished:?}");
        let roles: Vec<Value> =
            finished.stdout.split("---\n").map(|document| serde_saphyr::from_str(document).expect("YAML")).collect();
        namespace.create(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "reader" } })).await;
        for role in &roles {
            create(namespace.client(), role.clone()).await;
        }
        let token = ControlPlane::shared().kubectl(&["create", "token", "reader", "--namespace", name]);
        let admin = std::fs::read_to_string(ControlPlane::shared().kubeconfig()).unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, admin.replace("admin-token", token.trim())).unwrap();
        Self { namespace, roles, kubeconfig, _folder: folder }
    }

    async fn server(&self, config: &str) -> Server {
        Server::builder().kubeconfig(&self.kubeconfig).cluster("kubeconfig:admin").config(config).start().await
    }

    /// Replaces the rules of one role.
    async fn set_rules(&self, role: &Value, rules: &Value) {
        let kind = role["kind"].as_str().unwrap();
        let name = role["metadata"]["name"].as_str().unwrap();
        let patch = json!({ "rules": rules }).to_string();
        let mut arguments = vec!["patch", kind, name, "--type", "merge", "--patch", &patch];
        if let Some(namespace) = role["metadata"]["namespace"].as_str() {
            arguments.extend(["--namespace", namespace]);
        }
        ControlPlane::shared().kubectl(&arguments);
    }
}

/// Each rule less one resource or one verb.
fn reductions(rules: &Value) -> Vec<Value> {
    let mut reduced = Vec::new();
    for (index, rule) in rules.as_array().unwrap().iter().enumerate() {
        for key in ["apiGroups", "resources", "verbs"] {
            for entry in 0..rule[key].as_array().unwrap().len() {
                let mut rules = rules.clone();
                rules[index][key].as_array_mut().unwrap().remove(entry);
                if rules[index][key].as_array().unwrap().is_empty() {
                    rules.as_array_mut().unwrap().remove(index);
                }
                if !reduced.contains(&rules) {
                    reduced.push(rules);
                }
            }
        }
    }
    reduced
}

#[tokio::test]
async fn the_printed_cluster_role_suffices_and_nothing_of_it_can_be_left_out() {
    let target = full("rbac-target").await;
    let account = Account::with_printed_roles("").await;
    let server = account.server("").await;
    let client = Client::modern(&server);
    let all_work = || async {
        let mut calls = calls(target.name());
        calls.extend(["list_control_planes", "list_templates", "list_workspaces"].map(|tool| (tool, json!({}))));
        for (tool, arguments) in calls {
            client.call(tool, arguments).await.ok()?;
        }
        Some(())
    };
    until("every tool works", all_work).await;
    let role = account.roles.iter().find(|role| role["kind"] == "ClusterRole").unwrap();
    let reductions = reductions(&role["rules"]);
    assert!(reductions.len() >= 6, "{reductions:?}");
    for rules in reductions {
        account.set_rules(role, &rules).await;
        until(&format!("a tool fails with {rules}"), || async { all_work().await.is_none().then_some(()) }).await;
    }
    account.set_rules(role, &role["rules"]).await;
    until("every tool works again", all_work).await;
}

#[tokio::test]
async fn the_printed_roles_suffice_for_the_operators_namespaces() {
    let (one, other) = (full("rbac-target").await, full("rbac-target").await);
    let config = format!("namespaces: [{}, {}]\n", one.name(), other.name());
    let account = Account::with_printed_roles(&config).await;
    assert!(account.roles.iter().all(|role| !role["kind"].as_str().unwrap().starts_with("Cluster")), "{:?}", account.roles);
    let server = account.server(&config).await;
    let client = Client::modern(&server);
    for namespace in [&one, &other] {
        for (tool, arguments) in calls(namespace.name()) {
            until_answered(&client, tool, arguments).await;
        }
    }
    for tool in ["list_control_planes", "list_templates", "list_workspaces"] {
        let answer = client.answer(tool, json!({})).await;
        assert_eq!((answer["items"].as_array().unwrap().len(), answer.get("warnings")), (2, None), "{tool}: {answer}");
    }
    let _ = &account.namespace;
}
