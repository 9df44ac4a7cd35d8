//! sandbar.yaml, read anew: on SIGHUP, and whenever it has changed.

use super::*;
use crate::components::{hostile, hostile_config};

/// A server of the demo cluster and its sandbar.yaml.
struct Configured {
    server: Server,
    folder: Folder,
}

impl Configured {
    async fn start(yaml: &str) -> Self {
        let folder = Folder::new();
        let file = folder.path().join("sandbar.yaml");
        std::fs::write(&file, yaml).unwrap();
        let server = Server::builder().cluster("demo").arg("--config").arg(&file).start().await;
        Self { server, folder }
    }

    fn write(&self, yaml: &str) {
        self.folder.put("sandbar.yaml", yaml.as_bytes());
    }
}

/// What a component was told of an option.
async fn threshold(client: &Client) -> Value {
    client.answer("misbehave", json!({ "how": "tell", "option": "threshold" })).await
}

#[tokio::test]
async fn a_changed_file_changes_options_limits_namespaces_and_components() {
    let configured = Configured::start(&hostile_config("    settings: { threshold: 5 }\n")).await;
    let client = Client::legacy(&configured.server).await;
    assert_eq!(threshold(&client).await, json!({ "set": 5 }));

    configured.write(&hostile_config("    settings: { threshold: 6 }\n"));
    until("another option", || async { (threshold(&client).await == json!({ "set": 6 })).then_some(()) }).await;

    let listed = client.answer("list_control_planes", json!({ "namespace": "team-b" })).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    configured.write(&format!("namespaces: [team-a]\n{}", hostile_config("    limits: { result: 10 }\n")));
    let refused = until("a namespace that is not allowed any more", || async {
        client.call("list_control_planes", json!({ "namespace": "team-b" })).await.err()
    })
    .await;
    assert!(refused.contains("team-a"), "{refused}");
    let words = client.failure("misbehave", json!({ "how": "tell", "option": "threshold" })).await;
    assert!(words.contains("`result`"), "{words}");

    // The same session all the while.
    let greet = configured.folder.put("greet.wasm", &tool("greet", "hello"));
    configured.write(&format!("tools:\n  - component: {}\n", greet.display()));
    until_listed(&client, &["greet"]).await;
    assert_eq!(words_of_greet(&client).await, "hello");
    until_ready_says(&configured.server, &[]).await;
}

async fn words_of_greet(client: &Client) -> String {
    words(client, "greet").await
}

#[tokio::test]
async fn a_grant_that_is_taken_back_is_gone() {
    let configured = Configured::start(&hostile_config("")).await;
    let client = Client::modern(&configured.server);
    let pods = json!({ "function": "list-objects", "of": { "plural": "pods" }, "within": { "namespace": "team-a" } });
    assert!(client.answer("read", pods.clone()).await["answer"].is_string());

    configured.write(&format!("tools:\n  - component: {}\n", hostile().display()));
    until_listed(&client, &[]).await;
    until_ready_says(&configured.server, &["hostile.wasm", "not served", "asks for more than it is granted"]).await;
    // With the lines to add, which the thread of the log may write later.
    configured.server.until_logged("rules:").await;

    configured.write(&hostile_config(""));
    until_listed(&client, &["misbehave", "promise", "read"]).await;
    assert!(client.answer("read", pods).await["answer"].is_string());
}

#[tokio::test]
async fn sighup_reads_everything_anew_even_if_nothing_has_changed() {
    let configured = Configured::start(&hostile_config("    settings: { threshold: 5 }\n")).await;
    let client = Client::legacy(&configured.server).await;
    configured.server.signal("HUP");
    configured.server.until_logged("read anew").await;
    assert!(!configured.server.log().contains("a component was"), "nothing is loaded anew: {}", configured.server.log());
    assert_eq!(threshold(&client).await, json!({ "set": 5 }));

    configured.write(&hostile_config("    settings: { threshold: 6 }\n"));
    configured.server.signal("HUP");
    until("another option", || async { (threshold(&client).await == json!({ "set": 6 })).then_some(()) }).await;
    configured.server.until_logged("a component was granted or limited anew").await;
}

#[tokio::test]
async fn a_broken_file_is_reported_and_the_old_one_stays_in_force() {
    let configured = Configured::start(&hostile_config("    settings: { threshold: 5 }\n")).await;
    let client = Client::modern(&configured.server);
    for (broken, said) in
        [("tools: [\n", "sandbar.yaml"), ("namespace: [team-a]\n", "namespace"), ("limits: { time: 0s }\n", "0s")]
    {
        configured.write(broken);
        until_ready_says(&configured.server, &["configuration not reloaded", "stays in force", said]).await;
        assert_eq!(threshold(&client).await, json!({ "set": 5 }));
    }
    // Components are watched all the same, under the configuration that is in force.
    configured.server.until_logged("configuration not reloaded").await;
    configured.write(&hostile_config("    settings: { threshold: 6 }\n"));
    until("another option", || async { (threshold(&client).await == json!({ "set": 6 })).then_some(()) }).await;
    until_ready_says(&configured.server, &[]).await;
}

#[tokio::test]
async fn a_key_that_needs_a_restart_is_named_and_the_others_count() {
    let configured = Configured::start("").await;
    let client = Client::modern(&configured.server);
    let greet = configured.folder.put("greet.wasm", &tool("greet", "hello"));
    configured.write(&format!(
        "hosts: [mcp.example.com]\norigins: ['http://localhost:6274']\ncluster: in-cluster\nlisten: 127.0.0.1:1\n\
         limits: {{ memory: 128Mi }}\ntools:\n  - component: {}\n",
        greet.display()
    ));
    until_listed(&client, &["greet"]).await;
    for key in ["hosts", "origins", "limits.memory"] {
        until_ready_says(&configured.server, &[&format!("`{key}`"), "restart"]).await;
        assert!(configured.server.log().contains(&format!("`{key}`")), "{}", configured.server.log());
    }
    // Flags count before the file, so these two have not changed.
    let said = readyz(&configured.server).await;
    assert!(!said.contains("`cluster`") && !said.contains("`listen`"), "{said}");
    assert_eq!(words(&client, "greet").await, "hello");

    configured.write("");
    until_ready_says(&configured.server, &[]).await;
}

#[tokio::test]
async fn a_bundled_tool_comes_and_goes_and_clients_hear_of_it() {
    let disabled = "bundled: { tools: { get_pod_logs: { enabled: false } } }\n";
    let configured = Configured::start("").await;
    let client = Client::legacy(&configured.server).await;
    let request = Request::get("/mcp").header("accept", "text/event-stream").header("mcp-session-id", client.session());
    let request = request.header("mcp-protocol-version", LEGACY).body(Bytes::new()).unwrap();
    let mut events = Events::of(wire::send(configured.server.address(), request).await);
    let listed = async || {
        let list = client.request("tools/list", json!({})).await["result"]["tools"].take();
        list.as_array().unwrap().iter().any(|tool| tool["name"] == "get_pod_logs")
    };
    for (yaml, is_there) in [(disabled, false), ("", true), (disabled, false)] {
        configured.write(yaml);
        let event = events.next().await.expect("a change");
        assert_eq!(event.message["method"], "notifications/tools/list_changed");
        assert_eq!(listed().await, is_there, "{yaml}");
        let logs = json!({ "name": "get_pod_logs", "arguments": { "namespace": "team-a", "name": "postgres-0" } });
        let called = client.request("tools/call", logs).await;
        assert_eq!(called["result"]["structuredContent"]["logs"].is_string(), is_there, "{called}");
    }
    // The server is as ready as before: nothing is broken.
    until_ready_says(&configured.server, &[]).await;

    configured.write("bundled: { tools: { get_events: { namespaces: [team-b] } } }\n");
    until("a namespace that the tool may not look into any more", || async {
        client.call("get_events", json!({ "namespace": "team-a" })).await.err()
    })
    .await;
    client.answer("get_events", json!({ "namespace": "team-b" })).await;
}
