//! What sandbar.yaml says of single bundled tools: whether they are served, where they look, and how much they may use.

use sandbar_tests::TOOLS;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::namespace::Namespace;

use super::*;

async fn server(yaml: &str) -> Server {
    Server::builder().cluster("demo").config(yaml).start().await
}

/// The names of all tools that are listed.
async fn listed(client: &Client) -> Vec<String> {
    let list = client.request("tools/list", json!({})).await["result"]["tools"].take();
    list.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_tool_that_is_disabled_is_not_there_and_no_role_has_its_rules() {
    for (tool, rule) in [("get_pod_logs", "pods/log"), ("get_events", "events"), ("list_templates", "codertemplates")] {
        let yaml = format!("bundled: {{ tools: {{ {tool}: {{ enabled: false }} }} }}\n");
        let server = server(&yaml).await;
        for client in [Client::modern(&server), Client::legacy(&server).await] {
            let others: Vec<_> = TOOLS.iter().copied().filter(|other| *other != tool).collect();
            assert_eq!(listed(&client).await, others);
            let called = client.request("tools/call", json!({ "name": tool, "arguments": { "namespace": "team-a" } })).await;
            assert_eq!(called["error"]["code"], -32602, "{called}");
            client.answer("check_health", json!({})).await;
        }
        let folder = folder_with(&yaml);
        let with = |command: &str| Run::new(&[command, "--cluster", "demo", "--config"]).arg(folder.path().join("sandbar.yaml"));
        let roles = with("rbac").finish().await;
        let of_all = Run::new(&["rbac", "--cluster", "demo"]).finish().await;
        let asks = |finished: &Finished| finished.stdout.lines().any(|line| line.trim_start_matches([' ', '-']) == rule);
        assert!(roles.code() == 0 && !asks(&roles) && asks(&of_all), "{rule}: {roles:?}");
        let tools = with("tools").finish().await;
        assert!(tools.code() == 0 && !tools.stdout.contains(tool) && tools.stdout.contains("check_health"), "{tools:?}");
        let call = Run::new(&["call", tool, "{}", "--cluster", "demo", "--config"]).arg(folder.path().join("sandbar.yaml"));
        let call = call.finish().await;
        assert!(call.code() == 2 && call.stderr.contains(tool), "{call:?}");
    }
}

#[tokio::test]
async fn all_of_them_can_be_disabled_and_those_of_others_are_served() {
    let disabled: String = TOOLS.iter().map(|tool| format!("    {tool}: {{ enabled: false }}\n")).collect();
    let yaml = format!("bundled:\n  tools:\n{disabled}{}", crate::components::hostile_config(""));
    let server = server(&yaml).await;
    let client = Client::modern(&server);
    assert_eq!(listed(&client).await, ["misbehave", "promise", "read"]);
    assert_eq!(client.answer("promise", json!({ "how": "remember" })).await, json!({ "n": 0 }));
}

#[tokio::test]
async fn its_namespaces_and_limits_are_its_own_and_only_narrow() {
    let yaml = "bundled: { tools: { get_events: { namespaces: [team-a] }, list_control_planes: { limits: { result: 10 } } } }\n";
    let server = self::server(yaml).await;
    let client = Client::modern(&server);
    assert!(client.answer("get_events", json!({ "namespace": "team-a" })).await["items"].is_array());
    let words = client.failure("get_events", json!({ "namespace": "team-b" })).await;
    assert!(words.contains("team-b") && words.contains("team-a"), "it says where it may look: {words}");
    let words = client.failure("list_control_planes", json!({})).await;
    assert!(words.contains("larger than 10 bytes (limit `result`)"), "{words}");
    // Another tool has neither.
    assert!(client.answer("list_workspaces", json!({ "namespace": "team-b" })).await["items"].is_array());

    // What the server may not look into, no entry opens.
    let yaml = "namespaces: [team-a]\nbundled: { tools: { get_events: { namespaces: [team-b] } } }\n";
    let server = self::server(yaml).await;
    let client = Client::modern(&server);
    for namespace in ["team-a", "team-b"] {
        client.failure("get_events", json!({ "namespace": namespace })).await;
    }
    assert!(client.answer("list_workspaces", json!({ "namespace": "team-a" })).await["items"].is_array());
}

#[tokio::test]
async fn an_unknown_tool_or_key_is_refused_with_the_nearest_right_one() {
    for (yaml, said) in [
        (
            "bundled:\n  tools:\n    get_pod_log: { enabled: false }\n",
            "sandbar.yaml:3:5: unknown key `get_pod_log`; did you mean `get_pod_logs`?",
        ),
        (
            "bundled:\n  tools:\n    get-events: { enabled: false }\n",
            "sandbar.yaml:3:5: unknown key `get-events`; did you mean `get_events`?",
        ),
        (
            "bundled:\n  tools:\n    get_events: { enable: false }\n",
            "sandbar.yaml:3:19: unknown key `enable`; did you mean `enabled`?",
        ),
        ("bundled:\n  tools:\n    get_events: { namespaces: [Team] }\n", "sandbar.yaml:3:32: \"Team\" is no namespace"),
        ("bundled:\n  tools:\n    get_events: { rules: [] }\n", "sandbar.yaml:3:19: unknown key `rules`"),
    ] {
        let folder = folder_with(yaml);
        let finished = tools(folder.path()).finish().await;
        assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{yaml}: {finished:?}");
        assert!(finished.stderr.contains(said), "{yaml}: {finished:?}");
    }
}

/// A token in the form of GitHub's, in two halves, so that no scanner of repositories takes it for real.
fn token() -> String {
    format!("ghp_{}{}", "aB3dE5gH7jK9mN1pQ2", "sT4vW6yZ8aB3dE5gH7")
}

#[tokio::test]
async fn whether_secrets_are_masked_is_said_for_all_of_them_or_for_one_and_the_flag_counts_first() {
    let namespace = Namespace::fresh("masks").await;
    namespace.pod_with_log("web", &CriLog::of([format!("the token is {}", token()).as_str()])).await;
    let all = "bundled: { maskSecrets: false }\n";
    let one = "bundled: { tools: { get_pod_logs: { maskSecrets: false } } }\n";
    let other = "bundled: { tools: { get_events: { maskSecrets: false } } }\n";
    let one_not = "bundled: { maskSecrets: false, tools: { get_pod_logs: { maskSecrets: true } } }\n";
    let builder = |yaml: &str| Server::builder().of(ControlPlane::shared(), "admin").config(yaml);
    let variable = |yaml: &str, value: &str| builder(yaml).env("SANDBAR_MASK_SECRETS", value);
    for (what, server, shown) in [
        ("nothing", builder(""), false),
        ("the file", builder(all), true),
        ("the file, of this one", builder(one), true),
        ("the file, of another", builder(other), false),
        ("the file, of all but this one", builder(one_not), false),
        ("the variable", variable("", "false"), true),
        ("the variable over the file", variable(all, "true"), false),
        ("the flag over the variable", variable("", "true").arg("--mask-secrets").arg("false"), true),
    ] {
        let server = server.start().await;
        let log = Client::modern(&server).answer("get_pod_logs", json!({ "namespace": namespace.name(), "name": "web" })).await;
        let text = log["logs"].as_str().unwrap();
        assert!(text.starts_with("the token is "), "{what}: {text}");
        assert_eq!(text.contains(&token()), shown, "{what}: {text}");
    }
    let wrong = Run::new(&["tools", "--cluster", "demo"]).env("SANDBAR_MASK_SECRETS", "perhaps").finish().await;
    assert!(wrong.code() == 2 && wrong.stderr.contains("--mask-secrets"), "{wrong:?}");
}
