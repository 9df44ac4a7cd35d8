//! Who may call which tool: rules of the configuration, and RBAC of the real API server.

use sandbar_tests::components;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::http as wire;
use sandbar_tests::mcp::{self, LEGACY};
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Server, assert_refused_at_start};
use sandbar_tests::until;
use serde_json::{Value, json};

pub(crate) const REVIEWED: &str = "authentication: { tokenReview: { audiences: [sandbar] } }\n";

/// A ServiceAccount with a token.
pub(crate) struct Agent {
    pub(crate) user: String,
    pub(crate) token: String,
}

impl Agent {
    pub(crate) async fn of(namespace: &Namespace, name: &str) -> Self {
        namespace.service_account(name).await;
        let token = namespace.token(name, &["sandbar"]).await;
        Self { user: format!("system:serviceaccount:{}:{name}", namespace.name()), token }
    }

    /// The result of a request.
    pub(crate) async fn ask(&self, server: &Server, method: &str, params: Value) -> Value {
        let mut request = mcp::modern(json!(1), method, params);
        mcp::set(&mut request, "authorization", &format!("Bearer {}", self.token));
        wire::send(server.address(), request).await.message().await.expect("a message")
    }

    pub(crate) async fn tools(&self, server: &Server) -> Vec<String> {
        let message = self.ask(server, "tools/list", json!({})).await;
        assert_eq!(message["result"]["cacheScope"], "private");
        let tools = message["result"]["tools"].as_array().expect("tools");
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// What a call is refused with, if it is.
    async fn refusal(&self, server: &Server, tool: &str) -> Option<String> {
        let arguments = if tool == "check_health" { json!({}) } else { json!({ "namespace": "default" }) };
        let params = json!({ "name": tool, "arguments": arguments });
        mcp::outcome(&self.ask(server, "tools/call", params).await).err()
    }
}

/// The configuration of who may call which tool.
fn access(tools: &str) -> String {
    format!("{REVIEWED}authorization: {{ tools: {tools} }}\n")
}

async fn server(tools: &str) -> Server {
    server_of(&access(tools)).await
}

async fn server_of(config: &str) -> Server {
    let server = Server::builder().of(ControlPlane::shared(), "admin").config(config).env("SANDBAR_LOG_FORMAT", "json");
    server.start().await
}

#[tokio::test]
async fn rules_by_user_and_group_say_who_calls_what() {
    let namespace = Namespace::fresh("callers").await;
    let (ann, bob) = (Agent::of(&namespace, "ann").await, Agent::of(&namespace, "bob").await);
    let rules = |events: &str| {
        let group = format!("system:serviceaccounts:{}", namespace.name());
        format!(
            "{{ rules: [{{ users: [{:?}], tools: ['*'] }}, {{ groups: [{group:?}], tools: [check_health{events}] }}] }}",
            ann.user
        )
    };
    let with_headers = format!("tools: [{{ component: {} }}]\n", components::build("conformance").display());
    let server = server_of(&format!("{with_headers}{}", access(&rules(", get_evnets")))).await;
    server.until_logged(r#"there is no tool \"get_evnets\"; did you mean \"get_events\"?"#).await;
    server.configure(&format!("{with_headers}{}", access(&rules(""))));
    until("the rules count", async || (bob.tools(&server).await == ["check_health"]).then_some(())).await;
    assert!(ann.tools(&server).await.len() > 7);
    assert_eq!(bob.tools(&server).await, ["check_health"]);
    // What a client chooses to see is taken from what its user may call.
    let mut request = mcp::modern(json!(1), "tools/list", json!({}));
    mcp::set(&mut request, "authorization", &format!("Bearer {}", ann.token));
    mcp::set(&mut request, "x-mcp-tools", "check_health,get_events,none");
    let chosen = wire::send(server.address(), request.clone()).await.message().await.expect("a message");
    assert_eq!(chosen["result"]["tools"].as_array().map(Vec::len), Some(2), "{chosen}");
    mcp::set(&mut request, "authorization", &format!("Bearer {}", bob.token));
    let chosen = wire::send(server.address(), request).await.message().await.expect("a message");
    assert_eq!(chosen["result"]["tools"].as_array().map(Vec::len), Some(1), "{chosen}");
    assert_eq!(bob.refusal(&server, "check_health").await, None);
    assert_eq!(ann.refusal(&server, "get_events").await, None);
    let words = bob.refusal(&server, "get_events").await.expect("it is not his");
    assert!(words.contains(&format!("{} may not call get_events", bob.user)), "{words}");
    server.until_logged(r#""outcome":"denied""#).await;
    // Which of its arguments a tool wants in headers is told to whoever may call it.
    for (agent, status) in [(&ann, 400), (&bob, 200)] {
        let params = json!({ "name": "test_custom_header", "arguments": { "region": "é" } });
        let mut request = mcp::modern(json!(1), "tools/call", params);
        mcp::set(&mut request, "authorization", &format!("Bearer {}", agent.token));
        let reply = wire::send(server.address(), request).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.text().await.contains("mcp-param"), status == 400);
    }
    // Prompts and resources are for whoever may call a tool that they come with.
    for (agent, is_allowed) in [(&ann, true), (&bob, false)] {
        let prompts = agent.ask(&server, "prompts/list", json!({})).await;
        assert_eq!(prompts["result"]["prompts"].as_array().map(Vec::is_empty), Some(!is_allowed), "{prompts}");
        let resources = agent.ask(&server, "resources/list", json!({})).await;
        assert_eq!(resources["result"]["resources"].as_array().map(Vec::is_empty), Some(!is_allowed), "{resources}");
        for (method, params) in [
            ("prompts/get", json!({ "name": "test_simple_prompt" })),
            ("resources/read", json!({ "uri": "test://template/7/data" })),
        ] {
            let answered = agent.ask(&server, method, params).await;
            let words = answered["error"]["message"].as_str();
            assert_eq!(words.is_none(), is_allowed, "{answered}");
            assert!(words.is_none_or(|words| words.contains(&format!("{} may not ", bob.user))), "{answered}");
        }
    }
    let unknown = bob.ask(&server, "tools/call", json!({ "name": "get_event", "arguments": {} })).await;
    let words = unknown["error"]["message"].as_str().expect("words");
    assert!(words.contains("unknown tool") && !words.contains("get_events"), "{words}");

    // In the era of sessions the list is a caller's own as well, and a change of the rules is one of the list.
    let mut request = mcp::initialize(LEGACY);
    mcp::set(&mut request, "authorization", &format!("Bearer {}", bob.token));
    let session = wire::send(server.address(), request).await.header("mcp-session-id").expect("a session").to_owned();
    let with_session = |mut request: http::Request<bytes::Bytes>| {
        mcp::set(&mut request, "authorization", &format!("Bearer {}", bob.token));
        mcp::set(&mut request, "mcp-session-id", &session);
        mcp::set(&mut request, "mcp-protocol-version", LEGACY);
        request
    };
    let list = mcp::post(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} }));
    let listed = wire::send(server.address(), with_session(list)).await.message().await.expect("a message");
    assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(1), "{listed}");
    let stream = http::Request::get("/mcp").header("accept", "text/event-stream").body(bytes::Bytes::new()).unwrap();
    let mut stream = wire::send(server.address(), with_session(stream)).await;
    server.configure(&format!("{with_headers}{}", access(&rules(", get_events"))));
    let mut seen = String::new();
    while !seen.contains("notifications/tools/list_changed") {
        seen.push_str(&String::from_utf8_lossy(&stream.part().await.expect("it goes on")));
    }
    assert_eq!(bob.tools(&server).await, ["check_health", "get_events"]);
    assert_eq!(bob.refusal(&server, "get_events").await, None);
}

#[tokio::test]
async fn rbac_says_who_calls_what() {
    let namespace = Namespace::fresh("callers").await;
    let (ann, bob) = (Agent::of(&namespace, "ann").await, Agent::of(&namespace, "bob").await);
    let group = format!("{}.sandbar.test", namespace.name());
    let server = server(&format!("{{ rbac: {group} }}")).await;
    assert!(ann.tools(&server).await.is_empty());
    let words = bob.refusal(&server, "get_events").await.expect("no right yet");
    assert!(words.contains(&format!("apiGroups: [{group:?}]")) && words.contains(r#"resourceNames: ["get_events"]"#), "{words}");

    let bind = |agent: &Agent, name: &str, tools: &[&str]| {
        let mut rule = json!({ "apiGroups": [group], "resources": ["tools"], "verbs": ["create"] });
        if !tools.is_empty() {
            rule["resourceNames"] = json!(tools);
        }
        let api = "rbac.authorization.k8s.io/v1";
        let metadata = json!({ "name": format!("{}-{name}", namespace.name()) });
        let items = json!([
            { "apiVersion": api, "kind": "ClusterRole", "metadata": metadata, "rules": [rule] },
            {
                "apiVersion": api, "kind": "ClusterRoleBinding", "metadata": metadata,
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": metadata["name"] },
                "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": agent.user }],
            },
        ]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("objects.json");
        std::fs::write(&file, json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()).unwrap();
        ControlPlane::shared().kubectl(&["apply", "-f", &file.display().to_string()]);
    };
    bind(&ann, "ann", &[]);
    bind(&bob, "bob", &["get_events"]);
    until("both rights count", async || {
        (ann.tools(&server).await.len() == 7 && bob.tools(&server).await == ["get_events"]).then_some(())
    })
    .await;
    assert_eq!(bob.refusal(&server, "get_events").await, None);
    assert!(bob.refusal(&server, "get_pod_logs").await.is_some());
    ControlPlane::shared().kubectl(&["delete", "clusterrolebinding", &format!("{}-bob", namespace.name())]);
    until("the right does not count any more", async || bob.refusal(&server, "get_events").await).await;
}

#[tokio::test]
async fn what_cannot_be_found_out_is_not_allowed() {
    // This user may have nothing reviewed.
    let namespace = Namespace::fresh("callers").await;
    let ann = Agent::of(&namespace, "ann").await;
    let folder = tempfile::tempdir().unwrap();
    let reviewer = folder.path().join("reviewer.json");
    let rules = json!([{ "apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"] }]);
    let api = "rbac.authorization.k8s.io/v1";
    let metadata = json!({ "name": format!("{}-reviewer", namespace.name()) });
    let items = json!([
        { "apiVersion": api, "kind": "ClusterRole", "metadata": metadata, "rules": rules },
        {
            "apiVersion": api, "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": metadata["name"] },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "narrow" }],
        },
    ]);
    std::fs::write(&reviewer, json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()).unwrap();
    ControlPlane::shared().kubectl(&["apply", "-f", &reviewer.display().to_string()]);
    let config = format!("{REVIEWED}authorization: {{ tools: {{ rbac: tools.sandbar.test }} }}\n");
    let server = Server::builder().of(ControlPlane::shared(), "narrow").config(&config).start().await;
    let refusal = until("tokens are reviewed", async || {
        let message = ann.ask(&server, "tools/list", json!({})).await;
        let words = message["error"]["message"].as_str().unwrap_or_default().to_owned();
        words.contains("what you may call and read").then_some(words)
    });
    let words = refusal.await;
    assert!(words.contains("subjectaccessreviews"), "{words}");
    let words = ann.refusal(&server, "check_health").await.expect("refused");
    assert!(words.contains("cannot be found out"), "{words}");
}

#[tokio::test]
async fn rules_that_let_nobody_call_are_refused_at_start() {
    for (text, said) in [
        ("authorization: { tools: { rules: [{ users: [ann], tools: ['*'] }] } }\n", "nobody is asked who they are"),
        (&format!("{REVIEWED}authorization: {{ tools: {{}} }}\n"), "lets nobody call anything"),
        (&format!("{REVIEWED}authorization: {{ tools: }}\n"), "sandbar.yaml:2:"),
        (&format!("{REVIEWED}authorization: {{ tools: {{ rules: [{{ tools: ['*'] }}] }} }}\n"), "this rule is for nobody"),
        (&format!("{REVIEWED}authorization: {{ tools: {{ rules: [{{ users: [a], tools: [] }}] }} }}\n"), "allows nothing"),
        (
            &format!("{REVIEWED}authorization: {{ tools: {{ rules: [{{ groups: ['*'], tools: [a] }}] }} }}\n"),
            "is no user and no group",
        ),
        (&format!("{REVIEWED}authorization: {{ tools: {{ rbac: 'a b' }} }}\n"), "is no API group"),
    ] {
        assert_refused_at_start(text, said).await;
    }
}
