//! Who calls: what a component is told that asks, and that no other way leads there.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sandbar_tests::components;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::mcp::{self, Client};
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Run, Server};
use sandbar_tests::text::Text;
use sandbar_tests::until;
use serde_json::{Value, json};

use crate::tool_access::{Agent, REVIEWED};

/// The component that asks.
fn whoami() -> &'static Path {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| components::build("whoami"));
    &FILE
}

/// A sandbar.yaml with that component; `grant` is what its entry has beside the file.
fn config(file: &Path, grant: &str) -> String {
    format!("tools:\n  - component: {}\n{grant}", file.display())
}

/// What the component has been told about somebody.
async fn told(agent: &Agent, server: &Server) -> Value {
    let answer = agent.ask(server, "tools/call", json!({ "name": "whoami", "arguments": {} })).await;
    assert!(!answer.to_string().contains(&agent.token), "a token proves who somebody is");
    assert!(answer["result"]["structuredContent"][mcp::NOTICE_KEY].is_string(), "names are what others wrote: {answer}");
    mcp::outcome(&answer).unwrap_or_else(|words| panic!("{words}"))
}

#[tokio::test]
async fn each_caller_is_told_apart_until_the_operator_takes_that_back() {
    let namespace = Namespace::fresh("caller").await;
    let (ann, bob) = (Agent::of(&namespace, "ann").await, Agent::of(&namespace, "bob").await);
    let granted = config(whoami(), "    caller: true\n");
    let server = Server::builder().of(ControlPlane::shared(), "admin").config(&format!("{granted}{REVIEWED}")).start().await;
    for _ in 0..2 {
        for agent in [&ann, &bob] {
            let told = told(agent, &server).await;
            let mut keys: Vec<&String> = told.as_object().expect("an object").keys().collect();
            keys.sort();
            assert_eq!(keys, ["groups", "name"], "there is nothing else");
            assert_eq!(told["name"], agent.user);
            let groups = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{}", namespace.name())];
            for group in groups.iter().map(String::as_str).chain(["system:authenticated"]) {
                assert!(told["groups"].as_array().is_some_and(|groups| groups.contains(&json!(group))), "{group}: {told}");
            }
        }
    }
    server.configure(&format!("{}{REVIEWED}", config(whoami(), "    partialGrant: true\n")));
    until("the tool is gone", async || (!ann.tools(&server).await.contains(&"whoami".to_owned())).then_some(())).await;
    server.until_logged("caller: true").await;
}

#[tokio::test]
async fn where_nobody_is_authenticated_there_is_nobody_to_tell_of() {
    let server = Server::builder().cluster("demo").config(&config(whoami(), "    caller: true\n")).start().await;
    let answer = Client::modern(&server).answer("whoami", json!({})).await;
    assert_eq!((answer.get("name"), &answer["groups"]), (None, &json!([])));
}

#[tokio::test]
async fn who_asks_without_the_grant_is_not_loaded_whatever_else_it_is_granted() {
    let folder = tempfile::tempdir().unwrap();
    let user = r#"(type $of (record (field "name" string) (field "groups" (list string)) (field "more" (option string))))
        (export "user" (type $user (eq $of)))"#;
    let import =
        |version: &str, function: &str| format!("(import \"sandbar:tool/caller@{version}\" (instance {user} {function}))");
    let who = r#"(export "who-calls" (func (result (option $user))))"#;
    let text = |name: &str, import: String| Text::tool(name).importing(&import).write(folder.path(), &format!("{name}.wasm"));
    // By another patch of the version, and by its types alone.
    let (later, types) = (text("later", import("0.1.7", who)), text("types", import("0.1.0", "")));
    for file in [whoami(), &later, &types] {
        for grant in [
            "",
            "    partialGrant: true\n",
            "    clusterRules:\n      - { apiGroups: [\"*\"], resources: [\"*\"], verbs: [get, list] }\n    partialGrant: true\n",
            "    rules:\n      - { apiGroups: [\"*\"], resources: [\"*\", pods/log, secrets], verbs: [get] }\n    caller: false\n",
        ] {
            let yaml = folder.path().join("sandbar.yaml");
            std::fs::write(&yaml, config(file, grant)).unwrap();
            let refused = Run::new(&["tools", "--cluster", "demo", "--config"]).arg(&yaml).finish().await;
            assert_eq!(refused.code(), 1, "{refused:?}");
            assert!(
                refused.stderr.contains("to grant the rest, add this to its entry in sandbar.yaml:\n    caller: true"),
                "{refused:?}"
            );
            assert!(!refused.stderr.contains("partialGrant"), "it would not help: {refused:?}");
        }
        std::fs::write(folder.path().join("sandbar.yaml"), config(file, "    caller: true\n")).unwrap();
        let yaml = folder.path().join("sandbar.yaml");
        let loaded = Run::new(&["tools", "--cluster", "demo", "--config"]).arg(&yaml).finish().await;
        assert_eq!((loaded.code(), loaded.stderr.as_str()), (0, ""), "{loaded:?}");
        assert!(loaded.stdout.contains("caller     told: asked and granted"), "{loaded:?}");
    }
}

#[tokio::test]
async fn inspect_names_it_among_what_is_asked_granted_and_missing() {
    let inspected = Run::new(&["inspect"]).arg(whoami()).finish().await;
    for said in [
        "imports  sandbar:tool/caller (who-calls)",
        "caller     not told: asked, and not granted",
        "to grant the rest, add to sandbar.yaml:\ntools:\n  - component: ",
        "\n    caller: true\n",
    ] {
        assert!(inspected.stdout.contains(said), "{said:?}: {inspected:?}");
    }
    let json = Run::new(&["inspect", "--output", "json"]).arg(whoami()).finish().await.json();
    let caller = ["asked", "granted", "missing"].map(|key| json[key]["caller"].clone());
    assert_eq!(caller, [json!(true), json!(false), json!(true)]);
}

#[tokio::test]
async fn an_entry_of_a_bundled_tool_cannot_grant_it() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = folder.path().join("sandbar.yaml");
    std::fs::write(&yaml, "bundled: { tools: { check_health: { caller: true } } }\n").unwrap();
    let refused = Run::new(&["tools", "--cluster", "demo", "--config"]).arg(&yaml).finish().await;
    refused.assert_refused("unknown key `caller`");
}
