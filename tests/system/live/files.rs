//! Components that come, change and go while the server serves.

use std::os::unix::fs::symlink;

use sandbar_tests::fake_api::{FakeAnswer, FakeApi, Gate};

use super::*;

#[tokio::test]
async fn a_component_that_comes_changes_or_goes_does_so_without_a_restart() {
    let folder = Folder::new();
    let server = folder.serve().await;
    let (modern, legacy) = (Client::modern(&server), Client::legacy(&server).await);
    assert_eq!(extra_tools(&modern).await, [""; 0]);

    folder.put("greet.wasm", &tool("greet", "hello"));
    until_listed(&modern, &["greet"]).await;
    assert_eq!((words(&modern, "greet").await, words(&legacy, "greet").await), ("hello".to_owned(), "hello".to_owned()));
    server.until_logged("a component was added").await;

    folder.put("greet.wasm", &tool("greet", "good evening"));
    until_said(&legacy, "greet", "good evening").await;
    folder.put("greet.wasm", &tool("salute", "salve"));
    until_listed(&legacy, &["salute"]).await;
    server.until_logged("a component was replaced").await;

    folder.remove("greet.wasm");
    until_listed(&modern, &[]).await;
    let unknown = legacy.request("tools/call", json!({ "name": "salute", "arguments": {} })).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
    assert_eq!(modern.answer("check_health", json!({})).await["status"], "ok");
    until_ready_says(&server, &[]).await;
}

#[tokio::test]
async fn a_name_stays_with_whoever_serves_it_whatever_replaces_another() {
    let folder = Folder::new();
    folder.put("a.wasm", &tool("first", "a"));
    folder.put("b.wasm", &tool("greet", "b"));
    let server = folder.serve().await;
    let client = Client::modern(&server);
    until_listed(&client, &["first", "greet"]).await;

    folder.put("a.wasm", &tool("greet", "a"));
    let taken = r#"it serves a tool named "greet", and so does b, which was loaded first"#;
    until_ready_says(&server, &["component not replaced", "a.wasm", "stays in force", taken]).await;
    assert_eq!(extra_tools(&client).await, ["first", "greet"]);
    assert_eq!((words(&client, "first").await, words(&client, "greet").await), ("a".to_owned(), "b".to_owned()));

    // It is free when nobody serves it any more.
    folder.remove("b.wasm");
    until_listed(&client, &["greet"]).await;
    assert_eq!(words(&client, "greet").await, "a");
    until_ready_says(&server, &[]).await;
}

#[tokio::test]
async fn a_file_that_is_written_in_its_place_is_served_once_it_is_whole() {
    let folder = Folder::new();
    let file = folder.path().join("greet.wasm");
    let server = folder.serve().await;
    let client = Client::modern(&server);
    std::fs::write(&file, tool("greet", "hello")).unwrap();
    until_said_at_last(&client, "hello").await;
    std::fs::write(&file, tool("greet", "good evening")).unwrap();
    until_said_at_last(&client, "good evening").await;
}

/// The words of `greet`, which need not be there yet.
async fn until_said_at_last(client: &Client, expected: &str) {
    until(expected, || async {
        let message = client.request("tools/call", json!({ "name": "greet", "arguments": {} })).await;
        (message["result"]["content"][0]["text"] == expected).then_some(())
    })
    .await;
}

/// As the kubelet mounts a ConfigMap: FILE -> ..data/FILE, and ..data -> a folder that another takes the place of.
#[tokio::test]
async fn a_mounted_config_map_that_is_updated_is_served() {
    let folder = Folder::new();
    let at = |name: &str| folder.path().join(name);
    let publish = |version: &str, component: &[u8]| {
        std::fs::create_dir(at(version)).unwrap();
        std::fs::write(at(version).join("greet.wasm"), component).unwrap();
        symlink(version, at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
    };
    publish("..2026_11_22_01", &tool("greet", "hello"));
    symlink("..data/greet.wasm", at("greet.wasm")).unwrap();
    let server = folder.serve().await;
    let client = Client::modern(&server);
    assert_eq!(words(&client, "greet").await, "hello");

    publish("..2026_11_22_02", &tool("greet", "good evening"));
    until_said(&client, "greet", "good evening").await;

    // The key is gone, and its link not yet: there is no component any more, rather than a broken one.
    std::fs::remove_file(at("..2026_11_22_02").join("greet.wasm")).unwrap();
    until_listed(&client, &[]).await;
    until_ready_says(&server, &["greet.wasm", "not served", "cannot be read"]).await;
}

#[tokio::test]
async fn a_broken_replacement_leaves_the_old_one_in_force_and_says_so() {
    let folder = Folder::new();
    folder.put("greet.wasm", &tool("greet", "hello"));
    folder.put("other.wasm", &tool("other", "here"));
    let server = folder.serve().await;
    let client = Client::modern(&server);

    let whole = tool("greet", "good evening");
    folder.put("greet.wasm", &whole[..whole.len() / 2]);
    until_ready_says(&server, &["greet.wasm", "not replaced", "stays in force", "damaged"]).await;
    assert_eq!(words(&client, "greet").await, "hello");
    assert!(server.log().contains("component not replaced"), "{}", server.log());

    // One that asks for more than it is granted is no better.
    let rules = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }]);
    let greedy = json!({ "tools": [{ "name": "greet", "inputSchema": { "type": "object" } }], "rules": rules });
    folder.put("greet.wasm", &answering(&greedy, "mine"));
    until_ready_says(&server, &["greet.wasm", "stays in force", "asks for more than it is granted"]).await;
    assert_eq!(words(&client, "greet").await, "hello");

    // Nor is one that takes another's name.
    folder.put("other.wasm", &tool("greet", "mine"));
    until_ready_says(&server, &["other.wasm", "stays in force", "\"greet\""]).await;
    assert_eq!((words(&client, "greet").await, words(&client, "other").await), ("hello".to_owned(), "here".to_owned()));

    folder.put("greet.wasm", &whole);
    folder.put("other.wasm", &tool("other", "still here"));
    until_said(&client, "greet", "good evening").await;
    until_said(&client, "other", "still here").await;
    until_ready_says(&server, &[]).await;
}

#[tokio::test]
async fn a_component_that_was_named_and_is_gone_is_a_problem_and_not_the_end() {
    let folder = Folder::new();
    let file = folder.put("greet.wasm", &tool("greet", "hello"));
    let server = Server::builder().cluster("demo").arg("--tools").arg(&file).start().await;
    let client = Client::modern(&server);
    folder.remove("greet.wasm");
    until_listed(&client, &[]).await;
    until_ready_says(&server, &["greet.wasm", "not served", "cannot be read"]).await;
    folder.put("greet.wasm", &tool("greet", "hello again"));
    until_listed(&client, &["greet"]).await;
    assert_eq!(words(&client, "greet").await, "hello again");
}

#[tokio::test]
async fn calls_in_flight_end_on_the_component_that_they_began_with() {
    let gate = Gate::closed();
    let held = gate.clone();
    let api = FakeApi::start(move |path| {
        let list = json!({ "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [{ "metadata": { "name": "web" } }] });
        path.contains("/pods").then(|| FakeAnswer::Behind(held.clone(), Box::new(FakeAnswer::json(&list))))
    });
    let folder = Folder::new();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let hostile = std::fs::read(crate::components::hostile()).unwrap();
    let file = folder.put("reader.wasm", &hostile);
    let config =
        crate::components::hostile_config("").replace(crate::components::hostile().to_str().unwrap(), file.to_str().unwrap());
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").config(&config).start().await;

    let (modern, legacy) = (Client::modern(&server), Client::legacy(&server).await);
    let pods = json!({ "function": "list-objects", "of": { "plural": "pods" }, "within": { "namespace": "a" } });
    let calls = async { tokio::join!(modern.answer("read", pods.clone()), legacy.answer("read", pods.clone())) };
    let replaced = async {
        until("two requests wait for the API server", || async { (api.in_flight() == 2).then_some(()) }).await;
        folder.put("reader.wasm", &tool("read", "the new one"));
        let client = Client::modern(&server);
        until("a call of the new component", || async {
            let message = client.request("tools/call", json!({ "name": "read", "arguments": {} })).await;
            // The last block: before it stands that this is data from the cluster.
            let said = message["result"]["content"].as_array()?.last()?;
            (said["text"] == "the new one").then_some(())
        })
        .await;
        folder.remove("reader.wasm");
        until_listed(&client, &[]).await;
        assert_eq!(api.in_flight(), 2, "the calls still run");
        gate.open();
    };
    let ((first, second), ()) = tokio::join!(calls, replaced);
    for answer in [first, second] {
        assert!(answer["answer"].as_str().unwrap().contains("\"web\""), "{answer}");
    }
}
