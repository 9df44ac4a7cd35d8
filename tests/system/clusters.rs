//! Several clusters behind one server: a call says which it means, and each has its own grants, callers' rights and troubles.

use std::path::Path;

use futures::future::join_all;
use sandbar_tests::components;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::fake_api::{FakeAnswer, FakeApi, kubeconfig};
use sandbar_tests::http as wire;
use sandbar_tests::mcp::{self, Client};
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Run, Server, assert_refused_at_start};
use sandbar_tests::until;
use serde_json::{Value, json};

/// More calls than there are slots.
const MANY: usize = 300;

/// An entry of `clusters` for the control plane of the tests.
fn real(name: &str, more: &str) -> String {
    let file = ControlPlane::shared().kubeconfig().display();
    format!("- {{ name: {name}, kubeconfig: {file}, context: admin, {more} }}\n")
}

async fn server(clusters: &str, more: &str) -> Server {
    Server::builder().config(&format!("clusters:\n{clusters}{more}")).env("SANDBAR_LOG_FORMAT", "json").start().await
}

/// A kubeconfig with another server in it.
fn leading_to(folder: &Path, name: &str, server: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, kubeconfig(server)).unwrap();
    format!("- {{ name: {name}, kubeconfig: {} }}\n", file.display())
}

/// The `cluster` argument of each tool, by the tool's name.
async fn arguments(client: &Client) -> Vec<(String, Value)> {
    let list = client.request("tools/list", json!({})).await["result"]["tools"].take();
    let argument = |tool: &Value| {
        let name = tool["name"].as_str().expect("a name").to_owned();
        (name, tool["inputSchema"]["properties"]["cluster"].clone())
    };
    list.as_array().expect("tools").iter().map(argument).collect()
}

async fn planes(client: &Client, arguments: Value) -> Vec<String> {
    let answer = client.answer("list_control_planes", arguments).await;
    let names = answer["items"].as_array().expect("items").iter();
    names.map(|item| format!("{}/{}", item["namespace"].as_str().unwrap(), item["name"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_call_says_which_cluster_it_means() {
    let ours = Namespace::fresh("clusters").await;
    ours.control_plane("here", json!({ "phase": "Ready" })).await;
    let echo = components::build("echo");
    let more = format!("tools: [{{ component: {} }}]\n", echo.display());
    let server = server(&format!("{}- {{ name: demo-1, source: demo }}\n", real("Live", "")), &more).await;
    let client = Client::modern(&server);
    for (tool, argument) in arguments(&client).await {
        match tool.as_str() {
            "echo" => assert_eq!(argument, Value::Null, "it reads no cluster"),
            _ => {
                assert_eq!(argument["enum"], json!(["Live", "demo-1"]), "{tool}");
                assert!(argument["description"].as_str().unwrap().contains("Default: Live"), "{tool}");
            }
        }
    }
    let within = json!({ "namespace": ours.name() });
    for cluster in [json!("Live"), json!("live"), json!(" LIVE "), json!(""), json!("null"), json!([]), Value::Null] {
        assert_eq!(
            planes(&client, json!({ "namespace": ours.name(), "cluster": cluster })).await,
            [format!("{}/here", ours.name())]
        );
    }
    assert_eq!(planes(&client, within).await, [format!("{}/here", ours.name())]);
    assert_eq!(planes(&client, json!({ "cluster": "demo-1" })).await, ["team-a/coder", "team-b/coder"]);
    for (cluster, said) in [
        (json!("demo-2"), "is \"demo-2\", and has to be one of"),
        (json!(true), "cluster"),
        (json!("x\u{1b}[31m".repeat(500)), "has to be one of"),
    ] {
        let words = client.failure("list_control_planes", json!({ "cluster": cluster })).await;
        assert!(words.contains(said) && words.len() < 400 && !words.contains('\u{1b}'), "{words}");
    }
    let words = client.failure("list_control_planes", json!({ "Cluster": "demo-1" })).await;
    assert!(words.contains("Cluster") && words.contains("cluster"), "{words}");
    let words = client.failure("list_control_planes", json!({ "cluster": "demo-1", "clusters": "demo-1" })).await;
    assert!(words.contains("clusters"), "what is no argument stays none: {words}");
    server.until_logged(r#""cluster":"demo-1""#).await;

    let state = wire::get(server.address(), "/readyz?verbose").await.text().await;
    assert!(state.contains("\n[+] Live: ") && state.contains("\n[+] demo-1: ") && state.contains("demo cluster"), "{state}");
    let init = wire::send(server.address(), mcp::initialize(mcp::LEGACY)).await.message().await.expect("a message");
    assert!(init["result"]["instructions"].as_str().unwrap().contains("There are several clusters"), "{init}");
}

#[tokio::test]
async fn with_one_cluster_nothing_is_added_whatever_it_is_called() {
    let one = server("- { name: only, source: demo }\n", "").await;
    let plain = Server::builder().cluster("demo").start().await;
    let list = async |server: &Server| Client::modern(server).request("tools/list", json!({})).await["result"]["tools"].take();
    assert_eq!(list(&one).await, list(&plain).await);
    let words = Client::modern(&one).failure("list_control_planes", json!({ "cluster": "only" })).await;
    assert!(words.contains("cluster"), "{words}");
    let init = wire::send(one.address(), mcp::initialize(mcp::LEGACY)).await.message().await.expect("a message");
    assert!(!init["result"]["instructions"].as_str().unwrap().contains("several"), "{init}");
}

#[tokio::test]
async fn one_cluster_that_is_down_or_silent_stalls_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let silent = FakeApi::start(|path| path.contains("/events").then_some(FakeAnswer::Never));
    silent.write_kubeconfig(&folder.path().join("silent"));
    let clusters = format!(
        "- {{ name: silent, kubeconfig: {} }}\n{}- {{ name: demo-1, source: demo }}\n",
        folder.path().join("silent").display(),
        leading_to(folder.path(), "down", "http://127.0.0.1:9")
    );
    let server = server(&clusters, "callsPerSecond: 1000\n").await;
    let client = Client::modern(&server);
    let words = client.failure("list_control_planes", json!({ "cluster": "down" })).await;
    assert!(words.contains("127.0.0.1:9"), "{words}");
    let stuck = join_all((0..MANY).map(|_| client.call("get_events", json!({ "namespace": "default" }))));
    let events = json!({ "namespace": "team-a", "cluster": "demo-1" });
    let others = async {
        until("some wait for it", || async { (silent.in_flight() > 0).then_some(()) }).await;
        for _ in 0..10 {
            assert_eq!(planes(&client, json!({ "cluster": "demo-1" })).await, ["team-a/coder", "team-b/coder"]);
            client.answer("get_events", events.clone()).await;
        }
        assert!(silent.in_flight() > 0, "they still wait");
    };
    tokio::select! {
        _ = stuck => panic!("they do not end before"),
        () = others => {}
    }
}

#[tokio::test]
async fn grants_and_namespaces_are_those_of_each_cluster() {
    let (one, other) = (Namespace::fresh("clusters").await, Namespace::fresh("clusters").await);
    for namespace in [&one, &other] {
        namespace.control_plane("coder", json!({ "phase": "Ready" })).await;
        namespace.pod("web", &["main"]).await;
    }
    let restarts = components::build("restarts");
    let rules = r#"rules: [{ apiGroups: [""], resources: [pods], verbs: [list] }]"#;
    let config = |there: &str| {
        format!(
            "clusters:\n{}{}tools:\n- component: {}\n  {rules}\n  clusters: {{ b: {{ namespaces: [{there}] }} }}\n\
             bundled: {{ tools: {{ get_events: {{ clusters: {{ a: {{}} }} }} }} }}\n",
            real("a", &format!("namespaces: [{}]", one.name())),
            real("b", &format!("namespaces: [{}, {}]", one.name(), other.name())),
            restarts.display(),
        )
    };
    let server = Server::builder().config(&config(other.name())).start().await;
    let client = Client::modern(&server);
    let enumerated: Vec<(String, Value)> = arguments(&client).await;
    let of = |tool: &str| &enumerated.iter().find(|(name, _)| name == tool).expect("it is served").1["enum"];
    assert_eq!((of("list_restarts"), of("get_events"), of("check_health")), (&json!(["b"]), &json!(["a"]), &json!(["a", "b"])));
    assert_eq!(planes(&client, json!({})).await, [format!("{}/coder", one.name())]);
    assert_eq!(planes(&client, json!({ "cluster": "b" })).await.len(), 2);
    let in_other = client.failure("list_control_planes", json!({ "namespace": other.name() })).await;
    assert!(in_other.contains(other.name()), "{in_other}");
    let words = client.failure("get_events", json!({ "namespace": one.name(), "cluster": "b" })).await;
    assert!(words.contains("`cluster` is \"b\", and has to be \"a\""), "{words}");
    let unsaid = client.failure("list_restarts", json!({ "namespace": other.name() })).await;
    assert!(unsaid.contains("`cluster` is missing"), "{unsaid}");
    let denied = client.failure("list_restarts", json!({ "namespace": one.name(), "cluster": "b" })).await;
    assert!(denied.contains(one.name()), "{denied}");
    client.answer("list_restarts", json!({ "namespace": other.name(), "cluster": "b" })).await;
    // A right is taken back, and given, without a restart; which clusters there are is not.
    server.configure(&config(one.name()));
    until("it counts", async || client.call("list_restarts", json!({ "namespace": other.name(), "cluster": "b" })).await.err())
        .await;
    client.answer("list_restarts", json!({ "namespace": one.name(), "cluster": "b" })).await;
    // Another cluster has the name of one: what is granted there is not meant for that.
    server.configure("clusters: [{ name: a, source: demo }]\n");
    server.until_logged("a changed `clusters` needs a restart").await;
    until("nothing is served", async || arguments(&client).await.is_empty().then_some(())).await;
}

#[tokio::test]
async fn who_a_caller_is_in_one_cluster_says_nothing_in_another() {
    let namespace = Namespace::fresh("clusters").await;
    namespace.service_account("agent").await;
    let token = namespace.token("agent", &["sandbar"]).await;
    let reviewed = "authentication: { tokenReview: { audiences: [sandbar] } }\n";
    let clusters =
        [real("home", ""), real("theirs", "rights: caller, sameUsers: true"), real("shared", "rights: server")].concat();
    let server = server(&clusters, reviewed).await;
    let call = async |cluster: &str| {
        let params = json!({ "name": "list_control_planes", "arguments": { "namespace": namespace.name(), "cluster": cluster } });
        let mut request = mcp::modern(json!(1), "tools/call", params);
        mcp::set(&mut request, "authorization", &format!("Bearer {token}"));
        mcp::outcome(&wire::send(server.address(), request).await.message().await.expect("a message"))
    };
    for cluster in ["home", "shared"] {
        call(cluster).await.unwrap_or_else(|words| panic!("{cluster}: {words}"));
    }
    let words = call("theirs").await.expect_err("the same name is another account there");
    assert!(words.contains("means nothing in this one"), "{words}");
    server.until_logged(r#""outcome":"denied""#).await;

    let rights = "authorization: { rights: caller }\n";
    let refused = [real("home", ""), real("theirs", "")].concat();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sandbar.yaml");
    std::fs::write(&config, format!("clusters:\n{refused}{reviewed}{rights}")).unwrap();
    let run = Run::new(&["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&config).finish().await;
    run.assert_refused("`sameUsers: true` says that names of users and groups mean the same people in both");
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words() {
    for (yaml, said) in [
        ("cluster: demo\nclusters: [{ name: a, source: demo }]\n", "there is `cluster`, too"),
        ("clusters: [{ name: a, source: demo }, { name: A, source: demo }]\n", "there is a cluster \"A\" already"),
        ("clusters: [{ name: a }]\n", "it needs a `source` or a `kubeconfig`"),
        ("clusters: [{ name: a, source: demo, kubeconfig: x }]\n", "one of them says where it is"),
        ("clusters: [{ name: a, source: demo, context: x }]\n", "a `context` is one of a `kubeconfig`"),
        ("clusters: [{ name: '-a', source: demo }]\n", "is no name for a cluster"),
        ("clusters: [{ name: a, source: demo, sameUsers: true }]\n", "the first cluster is the one that authenticates users"),
        ("bundled: { tools: { get_events: { clusters: { a: {} } } } }\n", "there are no `clusters` to choose from"),
        (
            "clusters: [{ name: abc, source: demo }]\nbundled: { tools: { get_events: { clusters: { abd: {} } } } }\n",
            "did you mean \"abc\"?",
        ),
        (
            "clusters: [{ name: a, source: demo }]\nbundled: { tools: { get_events: { clusters: { a: { rules: [] } } } } }\n",
            "only `namespaces` counts here",
        ),
    ] {
        assert_refused_at_start(yaml, said).await;
    }
}

#[tokio::test]
async fn the_commands_know_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sandbar.yaml");
    let clusters = "clusters: [{ name: a, source: demo }, { name: b, source: demo, namespaces: [team-b] }]\n";
    std::fs::write(&config, clusters).unwrap();
    let run = |command: &[&str]| Run::new(command).arg("--config").arg(&config);
    let roles = run(&["rbac"]).finish().await;
    assert!(roles.code() == 0 && roles.stdout.contains("kind: ClusterRole\n"), "{roles:?}");
    let roles = run(&["rbac", "--for-cluster", "b"]).finish().await;
    assert!(
        roles.code() == 0 && roles.stdout.contains("kind: Role\n") && roles.stdout.contains("namespace: team-b"),
        "{roles:?}"
    );
    let roles = run(&["rbac", "--for-cluster", "c"]).finish().await;
    assert!(roles.code() == 2 && roles.stderr.contains("\"c\" is none of the clusters, which are a, b"), "{roles:?}");
    let tools = run(&["tools", "-o", "json"]).finish().await.json();
    assert_eq!(tools[0]["namespaces"]["b"], "team-b", "{tools}");
    let call = run(&["call", "list_control_planes", r#"{"cluster":"b"}"#]).finish().await;
    assert!(call.code() == 0 && call.stdout.contains("team-b") && !call.stdout.contains("team-a"), "{call:?}");
    // What the others are is of no account for the roles in one, and neither is what may not look into it.
    let elsewhere = "clusters: [{ name: a, kubeconfig: /nowhere }, { name: b, source: demo }]\n\
                     bundled: { tools: { get_pod_logs: { clusters: { a: {} } } } }\n";
    std::fs::write(&config, elsewhere).unwrap();
    let roles = run(&["rbac", "--for-cluster", "b"]).finish().await;
    assert!(roles.code() == 0 && roles.stdout.contains("events") && !roles.stdout.contains("pods/log"), "{roles:?}");
    std::fs::write(&config, clusters).unwrap();
    let beside = run(&["call", "--cluster", "demo", "list_control_planes"]).finish().await;
    assert!(beside.code() == 1 && beside.stderr.contains("Leave out one of the two"), "{beside:?}");
}
