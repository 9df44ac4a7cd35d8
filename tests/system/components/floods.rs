//! More than anybody should ask for: lines, reports, requests, and strings that fill a memory.

use sandbar_tests::fake_api::FakeApi;
use sandbar_tests::http as wire;

use super::*;

/// A server on the demo cluster, with the hostile component under these limits.
async fn server_with(limits: &str) -> Server {
    Server::builder().cluster("demo").config(&hostile_config(&format!("    limits: {limits}\n"))).start().await
}

#[tokio::test]
async fn millions_of_lines_and_reports_end_with_the_processor_time() {
    let server = server_with("{ time: 20s, cpu: 1s }").await;
    let client = Client::modern(&server);
    // An empty line is a line, too.
    for line in ["once more", ""] {
        let flood = json!({ "how": "flood", "times": u32::MAX, "line": line });
        let mut params = json!({ "name": "misbehave", "arguments": flood });
        params["_meta"]["progressToken"] = json!("flood");
        let reply = wire::send(server.address(), client.http_request(json!(1), "tools/call", params)).await;
        let body = reply.text().await;
        assert!(body.contains("limit `cpu`") && body.len() < 64 * 1024, "{} bytes: {:.500}", body.len(), body);
        the_next_call_works(&server).await;
    }
    server.until_logged("the rest of what it logs in this call is dropped").await;
    assert!(server.log().len() < 1024 * 1024, "{} bytes were logged", server.log().len());
}

#[tokio::test]
async fn a_million_requests_are_no_more_than_the_limit() {
    let api = FakeApi::start(|_| None);
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let config = hostile_config("    limits: { time: 20s, cpu: 1s, requests: 7 }\n");
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").config(&config).start().await;
    let words = misbehave(&Client::modern(&server), json!({ "how": "wait" })).await.expect_err("it asks for ever");
    assert!(words.contains("limit `cpu`") || words.contains("limit `time`"), "{words}");
    let lists = api.requests().iter().filter(|path| path.contains("/pods")).count();
    assert_eq!(lists, 7, "{:?}", api.requests());
    the_next_call_works(&server).await;
}

/// What a tool can hand over: everywhere that the contract has a string.
const PLACES: [&str; 28] = [
    "namespace",
    "name",
    "container",
    "pattern",
    "log-more",
    "group",
    "version",
    "plural",
    "scope",
    "label-selector",
    "field-selector",
    "field",
    "cursor",
    "more",
    "get-group",
    "get-version",
    "get-plural",
    "get-scope",
    "get-name",
    "get-field",
    "get-more",
    "table-selector",
    "many-name",
    "many-cursor",
    "many-pattern",
    "setting",
    "log",
    "progress",
];

#[tokio::test]
async fn a_huge_string_is_too_much_wherever_it_goes() {
    let server = server_with("{ time: 20s, cpu: 10s, result: 64Ki }").await;
    let client = Client::modern(&server);
    for at in PLACES {
        let words = client.failure("misbehave", json!({ "how": "push", "at": at, "bytes": 8_000_000 })).await;
        assert!(words.contains("handed more than") && words.contains("fault of the tool"), "{at}: {words}");
        the_next_call_works(&server).await;
        // What is let through is answered in a few words, or taken for what it is.
        match misbehave(&client, json!({ "how": "push", "at": at, "bytes": 1_000_000 })).await {
            Ok(answer) => assert!(answer.to_string().len() < 1000, "{at}: {answer:.1000}"),
            Err(words) => assert!(words.len() < 1000, "{at}: {words:.2000}"),
        }
        the_next_call_works(&server).await;
    }
    assert!(server.log().len() < 1024 * 1024, "{} bytes were logged", server.log().len());
}

#[tokio::test]
async fn so_are_very_many_small_ones() {
    let server = server_with("{ time: 20s, cpu: 10s }").await;
    let client = Client::modern(&server);
    let words = client.failure("misbehave", json!({ "how": "push-paths", "paths": 1000 })).await;
    assert!(words.contains("1000 field paths are too many"), "{words}");
    let words = client.failure("misbehave", json!({ "how": "push-paths", "paths": 1_000_000 })).await;
    assert!(words.contains("handed more than"), "{words}");
    let words = client.failure("misbehave", json!({ "how": "push-reads", "reads": 257 })).await;
    assert!(words.contains("257 reads at once are too many"), "{words}");
    let words = client.failure("misbehave", json!({ "how": "push-reads", "reads": 100_000 })).await;
    assert!(words.contains("handed more than"), "{words}");
    assert_eq!(misbehave(&client, json!({ "how": "push-reads", "reads": 256 })).await.unwrap()["text"], "256");
    the_next_call_works(&server).await;
}

/// As deep as no parser follows on any stack: 100,000 levels.
fn abyss() -> String {
    format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))
}

#[tokio::test]
async fn json_that_nests_without_end_is_refused_wherever_it_comes_from() {
    let server = server_with("{ time: 20s, cpu: 10s }").await;
    let client = Client::modern(&server);
    let objects = format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    for deep in [abyss(), objects] {
        let returned = format!(r#"{{"structuredContent":{deep}}}"#);
        let words = client.failure("misbehave", json!({ "how": "return", "text": returned })).await;
        assert!(words.contains("malformed") && words.len() < 1000, "{words:.2000}");
        let returned = format!(r#"{{"content":[],"_meta":{{"deep":{deep}}}}}"#);
        let words = client.failure("misbehave", json!({ "how": "return", "text": returned })).await;
        assert!(words.contains("malformed") && words.len() < 1000, "{words:.2000}");
    }
    for (place, deep) in [("more", format!(r#"{{"a":{}}}"#, abyss())), ("continue", abyss()), ("labelSelector", abyss())] {
        let mut request = json!({
            "function": "list-objects", "of": { "plural": "pods" }, "within": { "namespace": "team-a" },
        });
        request[place] = json!(deep);
        let said = client.answer("read", request).await;
        assert_eq!(said["code"], "invalid", "{place}: {:.1000}", said.to_string());
        assert!(said.to_string().len() < 1000, "{place}: {:.2000}", said.to_string());
    }
    the_next_call_works(&server).await;
}
