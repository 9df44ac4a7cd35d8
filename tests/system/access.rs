//! What Kubernetes lets the server read, and what the operator lets it read of that.
//!
//! Each test has a ServiceAccount of its own, so that its rights are nobody else's business.

use std::path::PathBuf;

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::mcp::Client;
use sandbar_tests::namespace::{Namespace, create, resource};
use sandbar_tests::sandbar::{Builder, Finished, Run, Server};
use sandbar_tests::until;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The name of the ServiceAccounts.
const NAME: &str = "sandbar";

/// A ServiceAccount. It has no rights but those of every authenticated user, until it is granted some.
pub(crate) struct Account {
    folder: TempDir,
    pub(crate) namespace: Namespace,
}

impl Account {
    /// One in a namespace of its own, where nothing else is.
    pub(crate) async fn fresh(topic: &str) -> Self {
        Self::fresh_in(ControlPlane::shared(), topic).await
    }

    /// Likewise in this control plane.
    pub(crate) async fn fresh_in(control_plane: &ControlPlane, topic: &str) -> Self {
        let namespace = Namespace::fresh_in(control_plane, topic).await;
        namespace.service_account(NAME).await;
        let token = namespace.token(NAME, &[]).await;
        let account = Self { folder: tempfile::tempdir().unwrap(), namespace };
        let admin = std::fs::read_to_string(control_plane.kubeconfig()).unwrap();
        std::fs::write(account.kubeconfig(), admin.replace("admin-token", &token)).unwrap();
        account
    }

    /// The name by which the API server knows it.
    pub(crate) fn user(&self) -> String {
        format!("system:serviceaccount:{}:{NAME}", self.namespace.name())
    }

    /// A kubeconfig with its token in the place of the admin's.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// A server that runs as this account.
    pub(crate) async fn server(&self, config: &str) -> Server {
        self.builder().config(config).start().await
    }

    /// Such a server, to be started.
    pub(crate) fn builder(&self) -> Builder {
        Server::builder().kubeconfig(&self.kubeconfig()).cluster("kubeconfig:admin")
    }

    /// What `sandbar rbac` prints for this account. The roles follow from the tools alone, so no cluster has to be there.
    pub(crate) async fn rbac(&self, config: &str) -> Vec<Value> {
        let finished = self.print_roles(config, |run| run.arg("--cluster").arg("demo")).await;
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
        documents(&finished.stdout)
    }

    /// Runs `sandbar rbac` for this account, in front of some cluster.
    async fn print_roles(&self, config: &str, cluster: impl FnOnce(Run) -> Run) -> Finished {
        let file = self.folder.path().join("rbac.yaml");
        std::fs::write(&file, config).unwrap();
        // Cluster roles have no namespace to keep them apart.
        let unique = self.namespace.name();
        let run = Run::new(&["rbac", "--name", unique, "--service-account", NAME, "--namespace", unique]);
        cluster(run).arg("--config").arg(file).finish().await
    }

    /// Binds a role to the account in one namespace.
    pub(crate) async fn grant(&self, namespace: &Namespace, rules: Value) {
        let (name, api) = (self.namespace.name(), "rbac.authorization.k8s.io");
        let metadata = json!({ "name": name });
        let version = format!("{api}/v1");
        namespace.create(json!({ "apiVersion": version, "kind": "Role", "metadata": metadata, "rules": rules })).await;
        let subject = json!({ "kind": "ServiceAccount", "name": NAME, "namespace": name });
        let role = json!({ "apiGroup": api, "kind": "Role", "name": name });
        namespace
            .create(json!({ "apiVersion": version, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject] }))
            .await;
    }
}

/// The documents of a YAML stream.
fn documents(yaml: &str) -> Vec<Value> {
    yaml.split("---\n").filter(|text| !text.trim().is_empty()).map(|text| serde_saphyr::from_str(text).expect("YAML")).collect()
}

/// A namespace with something for each tool to read; the objects are named after it.
pub(crate) async fn furnished(topic: &str) -> Namespace {
    let namespace = Namespace::fresh(topic).await;
    let name = namespace.name().to_owned();
    namespace.control_plane(&name, json!({ "phase": "Ready", "readyReplicas": 1, "url": "http://coder" })).await;
    for kind in ["CoderWorkspace", "CoderTemplate"] {
        let object = json!({
            "apiVersion": "aggregation.coder.com/v1alpha1", "kind": kind, "metadata": { "name": name },
            "spec": { "organization": "acme", "running": true },
        });
        namespace.create(object).await;
    }
    namespace.event("tested", json!({})).await;
    namespace.pod_with_log("web", &CriLog::of(["a line"])).await;
    namespace
}

/// Everything that the seven tools may read.
pub(crate) fn every_rule() -> Value {
    json!([
        { "apiGroups": [""], "resources": ["events"], "verbs": ["list"] },
        { "apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"] },
        { "apiGroups": ["coder.com"], "resources": ["codercontrolplanes"], "verbs": ["get", "list"] },
        { "apiGroups": ["aggregation.coder.com"], "resources": ["coderworkspaces", "codertemplates"], "verbs": ["list"] },
    ])
}

/// The tools, each with a call that reads something of this namespace.
pub(crate) fn calls(namespace: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("check_health", json!({})),
        ("get_control_plane_status", json!({ "namespace": namespace, "name": namespace })),
        ("get_events", json!({ "namespace": namespace })),
        ("get_pod_logs", json!({ "namespace": namespace, "name": "web" })),
        ("list_control_planes", json!({ "namespace": namespace })),
        ("list_templates", json!({ "namespace": namespace })),
        ("list_workspaces", json!({ "namespace": namespace })),
    ]
}

/// The tools that list over every namespace.
const LISTS: [&str; 3] = ["list_control_planes", "list_templates", "list_workspaces"];

/// What does not work in this namespace, with the words of each.
async fn failures(client: &Client, namespace: &str) -> Vec<String> {
    let mut failures = Vec::new();
    for (tool, arguments) in calls(namespace) {
        match client.call(tool, arguments).await {
            Err(words) => failures.push(format!("{tool}: {words}")),
            Ok(answer) => {
                let something = ["items", "logs", "phase", "status"].iter().any(|key| match &answer[key] {
                    Value::Array(items) => !items.is_empty(),
                    Value::String(text) => !text.is_empty(),
                    _ => false,
                });
                assert!(something, "{tool} found nothing in {namespace}: {answer}");
            }
        }
    }
    failures
}

/// The API server learns of new roles within moments.
async fn until_all_work(client: &Client, namespaces: &[&Namespace]) {
    for namespace in namespaces {
        until(&format!("all tools work in {}", namespace.name()), || async {
            failures(client, namespace.name()).await.is_empty().then_some(())
        })
        .await;
    }
}

/// The namespaces of a list's items.
fn namespaces_of(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|item| item["namespace"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_that_rbac_denies_says_what_to_do() {
    let account = Account::fresh("denied").await;
    let server = account.server("").await;
    let client = Client::modern(&server);
    for tool in LISTS {
        let words = client.failure(tool, json!({})).await;
        let resource = tool.replace("list_", "coder").replace('_', "");
        assert!(words.contains(&format!("cannot list resource \"{resource}\"")), "{words}");
        assert!(words.contains(&account.user()), "whose right it is: {words}");
        assert!(words.contains("name a namespace") && words.contains("`namespaces`"), "{words}");
        assert!(words.contains("`sandbar rbac`"), "{words}");
    }
    for (tool, arguments) in calls("default").into_iter().filter(|(tool, _)| *tool != "check_health") {
        let words = client.failure(tool, arguments).await;
        assert!(words.contains("forbidden") && words.contains("in the namespace \"default\""), "{words}");
        assert!(words.contains("`sandbar rbac`"), "{words}");
    }
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok", "it needs no right");
}

#[tokio::test]
async fn namespaces_are_enough_where_there_is_no_cluster_role() {
    let account = Account::fresh("some").await;
    let (a, b, c) = (furnished("a").await, furnished("b").await, furnished("c").await);
    for namespace in [&a, &b] {
        account.grant(namespace, every_rule()).await;
    }
    let config = format!("namespaces: [{}, {}, {}]\n", a.name(), b.name(), c.name());
    let server = account.server(&config).await;
    let client = Client::modern(&server);
    until_all_work(&client, &[&a, &b]).await;

    for tool in LISTS {
        let answer = client.answer(tool, json!({})).await;
        assert_eq!(namespaces_of(&answer), [a.name(), b.name()], "{tool}");
        let [warning] = answer["warnings"].as_array().unwrap().as_slice() else { panic!("one warning: {answer}") };
        let warning = warning.as_str().unwrap();
        assert!(
            warning.contains(&format!("namespace {} is missing here", c.name())) && warning.contains("forbidden"),
            "{warning}"
        );

        // The same page by page: each item once, and nothing but the end ends it.
        let (mut found, mut cursor) = (Vec::new(), json!(""));
        while !cursor.is_null() {
            let page = client.answer(tool, json!({ "limit": 1, "continue": cursor })).await;
            found.extend(namespaces_of(&page).into_iter().map(str::to_owned));
            cursor = page["continue"].clone();
        }
        assert_eq!(found, [a.name(), b.name()], "{tool}");
    }
    for (tool, arguments) in calls(c.name()).into_iter().filter(|(tool, _)| *tool != "check_health") {
        let words = client.failure(tool, arguments).await;
        assert!(words.contains("forbidden") && words.contains(c.name()), "{tool}: {words}");
    }
}

#[tokio::test]
async fn a_namespace_that_the_operator_leaves_out_is_refused_by_name_whatever_rbac_says() {
    let (inside, outside) = (furnished("inside").await, furnished("outside").await);
    let config = format!("namespaces: [{}]\n", inside.name());
    let server = Server::builder().of(ControlPlane::shared(), "admin").config(&config).start().await;
    let client = Client::modern(&server);
    assert_eq!(failures(&client, inside.name()).await, [""; 0]);
    for (tool, arguments) in calls(outside.name()).into_iter().filter(|(tool, _)| *tool != "check_health") {
        let words = client.failure(tool, arguments).await;
        let said = format!(
            "namespace `{}` is not among the namespaces that this tool may look into ({})",
            outside.name(),
            inside.name()
        );
        assert!(words.contains(&said), "{tool}: {words}");
    }
    for tool in LISTS {
        assert_eq!(namespaces_of(&client.answer(tool, json!({})).await), [inside.name()], "{tool}");
    }
}

#[tokio::test]
async fn a_list_that_every_namespace_denies_is_an_error() {
    let account = Account::fresh("none").await;
    let (a, b) = (furnished("a").await, furnished("b").await);
    let server = account.server(&format!("namespaces: [{}, {}]\n", a.name(), b.name())).await;
    let client = Client::modern(&server);
    for tool in LISTS {
        let words = client.failure(tool, json!({})).await;
        assert!(words.contains("forbidden") && words.contains("`sandbar rbac`"), "{words}");
    }
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

#[tokio::test]
async fn the_printed_cluster_role_is_enough_and_nothing_of_it_can_be_left_out() {
    let account = Account::fresh("whole").await;
    let namespace = furnished("team").await;
    let objects = account.rbac("").await;
    for object in &objects {
        create(account.namespace.client(), object.clone()).await;
    }
    let server = account.server("").await;
    let client = Client::modern(&server);
    until_all_work(&client, &[&namespace]).await;
    for tool in LISTS {
        let answer = client.answer(tool, json!({})).await;
        assert_eq!(answer.get("warnings"), None, "{answer}");
    }
    let role = Role::of(&objects, "ClusterRole");
    for right in role.rights() {
        role.without(&account, &right).await;
        until_denied(&client, &namespace, &right).await;
    }
    role.restore(&account).await;
    until_all_work(&client, &[&namespace]).await;
}

#[tokio::test]
async fn under_the_printed_roles_in_three_namespaces_each_tool_works_and_nothing_can_be_left_out() {
    let account = Account::fresh("parts").await;
    let (a, b, c) = (furnished("a").await, furnished("b").await, furnished("c").await);
    let all = [a.name(), b.name(), c.name()];
    let config = format!("namespaces: [{}]\n", all.join(", "));
    let objects = account.rbac(&config).await;
    assert!(!objects.iter().any(|object| object["kind"].as_str().unwrap().starts_with("Cluster")), "{objects:?}");
    for object in &objects {
        create(account.namespace.client(), object.clone()).await;
    }
    let server = account.server(&config).await;
    let client = Client::modern(&server);
    until_all_work(&client, &[&a, &b, &c]).await;
    for tool in LISTS {
        let answer = client.answer(tool, json!({})).await;
        assert_eq!(namespaces_of(&answer), all, "{tool}");
        assert_eq!(answer.get("warnings"), None, "{answer}");
    }
    // All have the same role but for the namespace, so taking one of them apart will do.
    let roles: Vec<&Value> = objects.iter().filter(|object| object["kind"] == "Role").collect();
    assert_eq!(roles.len(), 3, "{objects:?}");
    assert!(roles.iter().all(|role| role["rules"] == roles[0]["rules"]), "{roles:?}");
    let role = Role::of(&objects, "Role");
    assert_eq!(role.0["metadata"]["namespace"], a.name());
    for right in role.rights() {
        role.without(&account, &right).await;
        until_denied(&client, &a, &right).await;
        for other in [&b, &c] {
            assert_eq!(failures(&client, other.name()).await, [""; 0], "the other roles are other ones");
        }
        // A list over all of them goes on without it, and says so.
        if right.verb == "list" && right.resource != "events" {
            let tool = LISTS.into_iter().find(|tool| right.resource.ends_with(&tool["list_".len()..].replace('_', ""))).unwrap();
            let answer = client.answer(tool, json!({})).await;
            assert_eq!(namespaces_of(&answer), all[1..], "{tool}");
            assert!(answer["warnings"][0].as_str().unwrap().contains(a.name()), "{answer}");
        }
    }
    role.restore(&account).await;
    until_all_work(&client, &[&a, &b, &c]).await;
}

/// Grants the hostile component everything of two groups, and logs by name.
const EVERYTHING: &str = r#"
    rules:
      - { apiGroups: ["", coder.com], resources: ["*"], verbs: [get, list] }
      - { apiGroups: [""], resources: [pods/log], verbs: [get] }
"#;

#[tokio::test]
async fn a_wildcard_becomes_what_the_cluster_serves_and_never_secrets() {
    let account = Account::fresh("star").await;
    let namespace = furnished("stars").await;
    for kind in ["ConfigMap", "Secret"] {
        namespace.create(json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "some" } })).await;
    }
    let hostile = crate::components::hostile().display();
    let config = format!("namespaces: [{}]\ntools:\n  - component: {hostile}{EVERYTHING}", namespace.name());
    let printed = account.print_roles(&config, |run| run.of(ControlPlane::shared(), "admin")).await;
    assert_eq!(printed.code(), 0, "{printed:?}");
    assert!(printed.stderr.contains("print the roles anew"), "{printed:?}");
    let objects = documents(&printed.stdout);
    let role = Role::of(&objects, "Role");
    let rights: Vec<String> = role.rights().iter().map(ToString::to_string).collect();
    for right in ["list configmaps", "get pods", "get pods/log", "list codercontrolplanes.coder.com"] {
        assert!(rights.iter().any(|has| has == right), "{right}: {rights:?}");
    }
    for never in ["*", "secrets", "nodes", "bindings", "pods/exec"] {
        assert!(!rights.iter().any(|has| has.contains(&format!(" {never}"))), "{never}: {rights:?}");
    }
    assert!(!objects.iter().any(|object| object["kind"].as_str().unwrap().starts_with("Cluster")), "{objects:?}");

    for object in &objects {
        create(account.namespace.client(), object.clone()).await;
    }
    let server = account.server(&config).await;
    let client = Client::modern(&server);
    until_all_work(&client, &[&namespace]).await;
    let list = async |plural: &str| {
        let within = json!({ "namespace": namespace.name() });
        client.answer("read", json!({ "function": "list-objects", "of": { "plural": plural }, "within": within })).await
    };
    assert!(list("configmaps").await["answer"].as_str().unwrap().contains(r#""some""#));
    let denied = list("secrets").await;
    assert!(denied["code"] == "denied" && denied["message"].as_str().unwrap().contains("not granted"), "{denied}");
}

#[tokio::test]
async fn a_wildcard_is_refused_where_no_cluster_says_what_it_stands_for() {
    let account = Account::fresh("nobody").await;
    let kubeconfig = account.folder.path().join("nobody");
    let text = std::fs::read_to_string(ControlPlane::shared().kubeconfig()).unwrap();
    // Nothing listens on port 1.
    std::fs::write(&kubeconfig, text.replace(ControlPlane::shared().server(), "https://127.0.0.1:1")).unwrap();
    let config = format!("tools:\n  - component: {}{EVERYTHING}", crate::components::hostile().display());
    let nobody = |run: Run| run.env("KUBECONFIG", &kubeconfig).arg("--cluster").arg("kubeconfig:admin");
    let printed = account.print_roles(&config, nobody).await;
    assert_eq!((printed.code(), printed.stdout.as_str()), (1, ""), "{printed:?}");
    assert!(printed.stderr.contains("wildcard") && printed.stderr.contains("127.0.0.1:1"), "{printed:?}");
    // Without one, no cluster is asked.
    let printed =
        account.print_roles("", |run| run.env("KUBECONFIG", &kubeconfig).arg("--cluster").arg("kubeconfig:admin")).await;
    assert_eq!((printed.code(), printed.stderr.as_str()), (0, ""), "{printed:?}");
}

/// A printed role, which is taken apart.
pub(crate) struct Role(Value);

/// One verb on one resource: the smallest part of a role. A role without a whole rule lacks several of them.
pub(crate) struct Right {
    pub(crate) group: String,
    pub(crate) resource: String,
    pub(crate) verb: String,
}

impl Role {
    pub(crate) fn of(objects: &[Value], kind: &str) -> Self {
        Self(objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}: {objects:?}")).clone())
    }

    pub(crate) fn rights(&self) -> Vec<Right> {
        let texts = |list: &Value| -> Vec<String> {
            list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let mut rights = Vec::new();
        for rule in self.0["rules"].as_array().unwrap() {
            assert_eq!(rule.as_object().unwrap().len(), 3, "groups, resources and verbs, and nothing else: {rule}");
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    for verb in texts(&rule["verbs"]) {
                        rights.push(Right { group: group.clone(), resource: resource.clone(), verb });
                    }
                }
            }
        }
        assert!(!rights.is_empty());
        rights
    }

    /// Puts a role in its place that has all its rights but one.
    pub(crate) async fn without(&self, account: &Account, left_out: &Right) {
        let rules = self.rights().into_iter().filter(|right| right.to_string() != left_out.to_string());
        let rules =
            rules.map(|right| json!({ "apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb] }));
        self.replace(account, rules.collect()).await;
    }

    pub(crate) async fn restore(&self, account: &Account) {
        self.replace(account, self.0["rules"].clone()).await;
    }

    async fn replace(&self, account: &Account, rules: Value) {
        let (kind, metadata) = (self.0["kind"].as_str().unwrap(), &self.0["metadata"]);
        let resource = resource("rbac.authorization.k8s.io/v1", kind);
        let client = account.namespace.client().clone();
        let api: kube::Api<kube::api::DynamicObject> = match metadata["namespace"].as_str() {
            Some(namespace) => kube::Api::namespaced_with(client, namespace, &resource),
            None => kube::Api::all_with(client, &resource),
        };
        let patch = kube::api::Patch::Merge(json!({ "rules": rules }));
        api.patch(metadata["name"].as_str().unwrap(), &kube::api::PatchParams::default(), &patch).await.unwrap();
    }
}

impl std::fmt::Display for Right {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// Waits until a tool fails for the lack of a right. The one that was left out before has to be back by then, so it is the only one.
async fn until_denied(client: &Client, namespace: &Namespace, right: &Right) {
    let Right { group, resource, verb } = right;
    let said = format!("cannot {verb} resource \"{resource}\" in API group \"{group}\"");
    until(&format!("a tool fails without {right}"), || async {
        let failures = failures(client, namespace.name()).await;
        (!failures.is_empty() && failures.iter().all(|words| words.contains(&said))).then_some(())
    })
    .await;
}
