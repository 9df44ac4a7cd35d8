//! Calls that go wrong end with a reason, and the next call works.

use sandbar_tests::fake_api::Gate;
use sandbar_tests::until;

use super::*;

/// Calls a tool that fails, and after it one that works.
async fn failure_of(server: &Server, tool: &str) -> String {
    let client = Client::modern(server);
    let words = client.failure(tool, json!({})).await;
    assert_eq!(client.answer("remembers", json!({})).await["text"], "1", "the next call works, and in an instance of its own");
    words
}

#[tokio::test]
async fn a_panic_is_a_crash_of_the_tool_and_its_words_go_to_the_log() {
    let server = with_hostile("").await;
    let words = failure_of(&server, "panics").await;
    assert!(words.contains("the tool crashed") && !words.contains("a test made it panic"), "{words}");
    server.until_logged("a test made it panic").await;
}

#[tokio::test]
async fn a_tool_that_computes_without_end_is_stopped_at_its_limit() {
    let server = with_hostile("limits: { cpu: 300ms }").await;
    let words = failure_of(&server, "spins").await;
    assert!(words.contains("0.3 s") && words.contains("limit `cpu`"), "{words}");
}

#[tokio::test]
async fn a_tool_that_takes_too_much_memory_is_stopped_at_its_limit() {
    let server = with_hostile("limits: { memory: 16Mi }").await;
    let words = failure_of(&server, "allocates").await;
    assert!(words.contains("16777216") && words.contains("limit `memory`"), "{words}");
}

#[tokio::test]
async fn a_tool_that_calls_itself_without_end_crashes_alone() {
    let server = with_hostile("").await;
    let words = failure_of(&server, "recurses").await;
    assert!(words.contains("the tool crashed") && words.contains("stack"), "{words}");
}

#[tokio::test]
async fn a_result_that_is_too_large_is_refused_with_the_limit() {
    let server = with_hostile("").await;
    let words = failure_of(&server, "floods").await;
    assert!(words.contains("4194304") && words.contains("limit `result`"), "{words}");
}

#[tokio::test]
async fn a_tool_that_waits_too_long_is_stopped_at_its_limit() {
    let api = FakeApi::start(|path| path.contains("/pods").then_some(Answer::Never));
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server =
        Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").config(&granting("limits: { time: 1s }")).start().await;
    let client = Client::modern(&server);
    let words = client.failure("pages", json!({ "namespace": "team-a" })).await;
    assert!(words.contains("1 s") && words.contains("limit `time`"), "{words}");
    until("the API server is let go", || async { (api.in_flight() == 0).then_some(()) }).await;
    assert_eq!(client.answer("remembers", json!({})).await["text"], "1");
}

#[tokio::test]
async fn a_tool_that_asks_too_often_is_stopped_at_its_limit() {
    let api = FakeApi::start(|path| {
        let page = json!({
            "kind": "PodList", "apiVersion": "v1", "metadata": { "resourceVersion": "1", "continue": "more" },
            "items": [{ "metadata": { "name": "web", "namespace": "team-a" } }],
        });
        path.contains("/namespaces/team-a/pods").then(|| Answer::json(&page))
    });
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server = Server::builder()
        .kubeconfig(&kubeconfig)
        .cluster("kubeconfig")
        .config(&granting("limits: { requests: 5 }"))
        .start()
        .await;
    let client = Client::modern(&server);
    let words = client.failure("pages", json!({ "namespace": "team-a" })).await;
    assert!(words.contains("all of its 5 requests") && words.contains("limit `requests`"), "{words}");
    assert_eq!(api.requests().iter().filter(|path| path.contains("/pods")).count(), 5);
    assert_eq!(client.answer("remembers", json!({})).await["text"], "1");
}

#[tokio::test]
async fn many_tools_that_spin_do_not_hold_up_the_others() {
    let server = with_hostile("limits: { cpu: 2s, time: 4s }").await;
    let (spinner, client) = (Client::modern(&server), Client::modern(&server));
    let spinning = futures::future::join_all((0..3).map(|_| spinner.call("spins", json!({}))));
    let other = async {
        for _ in 0..10 {
            assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
        }
    };
    let (spun, ()) = tokio::join!(spinning, other);
    assert!(spun.iter().all(Result::is_err));
}

#[tokio::test]
async fn what_a_tool_writes_to_the_log_cannot_forge_lines() {
    let server = with_hostile("").await;
    assert_eq!(Client::modern(&server).answer("chatters", json!({})).await["text"], "done");
    server.until_logged("chatter 0").await;
    assert!(!server.log().lines().any(|line| line.starts_with("forged")), "a line break is escaped");
    assert!(!server.log().contains("\u{1b}[31m"), "so are terminal escapes");
}

#[tokio::test]
async fn what_a_person_would_not_see_does_not_reach_a_model() {
    let server = with_hostile("").await;
    let client = Client::modern(&server);
    assert_eq!(client.answer("hides", json!({})).await["text"], "red abcd");
    let list = client.request("tools/list", json!({})).await;
    let hides = list["result"]["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == "hides").unwrap();
    assert_eq!(hides["description"], "Hides something.");
}

#[tokio::test]
async fn a_result_that_breaks_the_contract_is_a_fault_of_the_tool() {
    let folder = tempfile::tempdir().unwrap();
    let mut promised = manifest(&["promises"]);
    promised["tools"][0]["outputSchema"] =
        json!({ "type": "object", "required": ["count"], "properties": { "count": { "type": "integer" } } });
    let cases = [
        ("not-json", manifest(&["not-json"]), "{".to_owned(), "malformed"),
        ("nothing", manifest(&["nothing"]), "{}".to_owned(), "neither"),
        ("later", manifest(&["later"]), json!({ "resultType": "input_required" }).to_string(), "input_required"),
        ("promises", promised, json!({ "structuredContent": { "count": "many" } }).to_string(), "output schema"),
    ];
    for (name, manifest, returns, _) in &cases {
        let component = Text { manifest: manifest.to_string(), returns: returns.clone(), ..Text::tool(name) }.component();
        std::fs::write(folder.path().join(name).with_extension("wasm"), component).unwrap();
    }
    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).start().await;
    for (name, _, _, said) in cases {
        let words = Client::modern(&server).failure(name, json!({})).await;
        assert!(words.contains(said) && words.contains("fault of the tool"), "{name}: {words}");
    }
}

#[tokio::test]
async fn progress_reaches_the_client_that_asked_for_it() {
    for modern in [true, false] {
        let gate = Gate::closed();
        let held = gate.clone();
        let api = FakeApi::start(move |path| {
            let list = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [] });
            path.contains("/namespaces/team-a/pods").then(|| Answer::Behind(held.clone(), Box::new(Answer::json(&list))))
        });
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("kubeconfig");
        api.write_kubeconfig(&kubeconfig);
        let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").config(&granting("")).start().await;
        let client = if modern { Client::modern(&server) } else { Client::legacy(&server).await };
        let arguments = json!({ "namespace": "team-a" });
        let call = json!({ "name": "reports", "arguments": arguments, "_meta": { "progressToken": "mine" } });
        let reply = client.send("tools/call", call).await;
        assert!(reply.is_event_stream());
        gate.open();
        let text = reply.text().await;
        let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
        let messages: Vec<Value> = data.filter_map(|data| serde_json::from_str(data).ok()).collect();
        let (last, progress) = messages.split_last().expect("an answer");
        assert_eq!(last["result"]["structuredContent"]["text"], "done", "{text}");
        // The newest report counts, so the first may be gone by now.
        assert!(!progress.is_empty(), "no progress: {text}");
        let done: Vec<f64> = progress.iter().filter_map(|message| message["params"]["progress"].as_f64()).collect();
        assert!(done.is_sorted() && done.iter().all(|done| [1.0, 2.0].contains(done)), "{text}");
        assert!(progress.iter().all(|message| message["params"]["progressToken"] == "mine"), "{text}");
        assert!(!text.contains('\u{202e}'), "its messages are clean, too");
    }
}
