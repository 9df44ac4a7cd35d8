//! Limits that one component has for itself, and what is said when it reaches them.

use sandbar_tests::{components, until};

use super::*;
use crate::components::Text;

/// The demo cluster with the hostile component, which has these limits, and the others have the defaults.
async fn server(limits: &str) -> Server {
    let config = crate::components::hostile_config(&format!("    limits: {limits}\n"));
    Server::builder().cluster("demo").config(&config).start().await
}

/// What the hostile component reads.
async fn read(client: &Client, request: Value) -> Value {
    client.answer("read", request).await
}

fn pods(within: Value) -> Value {
    json!({ "function": "list-objects", "of": { "plural": "pods" }, "within": within })
}

#[tokio::test]
async fn what_is_handed_over_has_a_limit() {
    let server = server("{ handed: 1Ki }").await;
    let client = Client::modern(&server);
    let list = pods(json!({ "namespace": "team-a" }));
    let logs = json!({ "function": "tail", "namespace": "team-a", "pod": "postgres-0" });
    let object = json!({ "function": "get-object", "of": { "plural": "pods" }, "within": { "namespace": "team-a" }, "name": "postgres-0" });
    for request in [list, logs, object] {
        let answer = read(&client, request.clone()).await;
        assert_eq!(answer["code"], "exhausted", "{request}: {answer}");
        assert!(
            answer["message"].as_str().unwrap().contains("1024 bytes") && answer.to_string().contains("limit `handed`"),
            "{answer}"
        );
    }
    let mut few = pods(json!({ "namespace": "team-a" }));
    few["fields"] = json!(["metadata.name"]);
    assert!(read(&client, few).await["answer"].as_str().unwrap().contains("postgres-0"), "less fits");
    // A bundled tool has its own.
    let events = client.answer("get_events", json!({ "namespace": "team-b" })).await.to_string();
    assert!(events.len() > 1024, "{events}");
}

#[tokio::test]
async fn bytes_from_the_cluster_and_requests_have_a_limit() {
    let server = server("{ read: 1Ki }").await;
    let answer = read(&Client::modern(&server), pods(json!({ "namespace": "team-a" }))).await;
    assert!(answer["message"].as_str().unwrap().contains("limit `read`"), "{answer}");

    // The allowed namespaces of a list count as one.
    let config = crate::components::hostile_config("    limits: { requests: 1 }\n") + "namespaces: [team-a, team-b, default]\n";
    let server = Server::builder().cluster("demo").config(&config).start().await;
    let client = Client::modern(&server);
    let page = read(&client, pods(json!("every-namespace"))).await;
    assert!(page["continue"].is_null(), "{page}");
    let all = client.answer("list_control_planes", json!({})).await;
    assert_eq!((all["items"].as_array().unwrap().len(), all.get("continue")), (2, None), "a bundled tool has its own: {all}");
}

#[tokio::test]
async fn log_excerpts_and_pages_have_a_limit() {
    let server = server("{ logs: 100, page: 1 }").await;
    let client = Client::modern(&server);
    let logs = json!({ "function": "tail", "namespace": "team-a", "pod": "postgres-0" });
    let text = read(&client, logs).await["answer"].as_str().unwrap().to_owned();
    assert!(!text.is_empty() && text.len() <= 100, "{text}");
    let page = read(&client, pods(json!({ "namespace": "team-a" }))).await;
    let items: Vec<Value> = serde_json::from_str(page["answer"].as_str().unwrap()).unwrap();
    assert!(items.len() == 1 && page["continue"].is_string(), "{page}");
    let whole = client.answer("get_pod_logs", json!({ "namespace": "team-a", "name": "postgres-0" })).await;
    assert!(whole["logs"].as_str().unwrap().len() > 100, "a bundled tool has its own: {whole}");
}

#[tokio::test]
async fn log_lines_and_reports_of_progress_have_a_limit_and_the_log_says_so_once() {
    let server = server("{ logged: 4Ki, progress: 10, time: 20s, cpu: 10s }").await;
    let client = Client::modern(&server);
    // Empty lines take room in a log, too.
    for (calls, line) in [(1, "x".repeat(100)), (2, String::new())] {
        let before = server.log().len();
        let flood = json!({ "how": "flood", "times": 5000, "line": line });
        assert_eq!(client.answer("misbehave", flood).await, json!({ "text": "done" }), "it is no reason to stop the call");
        for said in ["logs more than 4096 bytes (limit `logged`)", "reports its progress more than 10 times (limit `progress`)"] {
            until(said, || async { (server.log().matches(said).count() >= calls).then_some(()) }).await;
            assert_eq!(server.log().matches(said).count(), calls, "once for each call: {}", server.log());
        }
        let written = server.log().len() - before;
        assert!(written < 16 * 1024, "{written} bytes were logged");
    }
}

#[tokio::test]
async fn the_stack_has_a_limit() {
    let deep = json!({ "how": "recurse", "times": 3000 });
    let small = server("{ stack: 64Ki }").await;
    let words = Client::modern(&small).call("misbehave", deep.clone()).await.expect_err("it does not fit");
    assert!(words.contains("all of its 65536 bytes") && words.contains("limit `stack`"), "{words}");
    // It fits into what the others have, and what others have is no bound for one.
    for (own, others) in [("", ""), ("    limits: { stack: 1Mi }\n", "limits: { stack: 64Ki }\n")] {
        let config = crate::components::hostile_config(own) + others;
        let server = Server::builder().cluster("demo").config(&config).start().await;
        let client = Client::modern(&server);
        assert_eq!(client.answer("misbehave", deep.clone()).await, json!({ "text": "3000" }));
        client.answer("get_events", json!({ "namespace": "team-b" })).await;
    }
}

/// What the caller of a tool in WebAssembly text is told, whose component has these limits: the words of its failure, or none.
async fn told_by(text: &Text, limits: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = text.write(folder.path(), "odd.wasm");
    let config = format!("tools:\n  - component: {}\n    limits: {limits}\n", file.display());
    let server = Server::builder().cluster("demo").config(&config).start().await;
    let mut message = Client::modern(&server).request("tools/call", json!({ "name": "odd", "arguments": {} })).await;
    let result = message["result"].take();
    (result["isError"] == true).then(|| result["content"][0]["text"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn entries_of_tables_have_a_limit_which_is_that_of_all_tables_together() {
    let grow = |table: &str| {
        format!("(if (i32.eq (table.grow ${table} (ref.null func) (i32.const 60)) (i32.const -1)) (then unreachable))")
    };
    let one = || Text::tool("odd").with_core("(table $one 1 funcref)", "");
    // A module has one table; the other is that of another module.
    let two = || {
        let module = r#"(core module $second (table (export "table") 1 funcref)) (core instance $n (instantiate $second))"#;
        let import = r#"(import "n" "table" (table $other 1 funcref)) (table $one 1 funcref)"#;
        Text::tool("odd").importing(module).with_core(import, r#"(with "n" (instance $n))"#)
    };
    for (text, [first, second], all) in [(one(), ["one", "one"], 121), (two(), ["one", "other"], 122)] {
        let text = text.before_answering(&(grow(first) + &grow(second)));
        let words = told_by(&text, "{ tables: 100 }").await.expect("too many");
        let said = format!("asked for {all} table entries, and may have 100 (limit `tables`)");
        assert!(words.contains(&said), "{words}");
        assert_eq!(told_by(&text, &format!("{{ tables: {all} }}")).await, None, "so many fit");
    }
}

#[tokio::test]
async fn handles_have_a_limit() {
    for name in ["hoard", "clutch"] {
        let file = components::assemble(name);
        let config = format!("tools:\n  - component: {}\n    limits: {{ handles: 10 }}\n", file.display());
        let server = Server::builder().cluster("demo").config(&config).start().await;
        let words = Client::modern(&server).failure(name, json!({})).await;
        assert!(words.contains("held 10 handles and asked for more (limit `handles`)"), "{name}: {words}");
    }
}

#[tokio::test]
async fn what_is_handed_to_the_host_at_once_has_a_limit_beyond_that_of_a_result() {
    let push = json!({ "how": "push", "bytes": 3000 });
    let small = server("{ result: 1Ki, passed: 1Ki }").await;
    let words = Client::modern(&small).failure("misbehave", push.clone()).await;
    assert!(words.contains("handed more than 2048 bytes to the host at once (limits `result` and `passed` together)"), "{words}");
    let roomy = server("{ result: 1Ki, passed: 8Ki }").await;
    let words = Client::modern(&roomy).failure("misbehave", push).await;
    assert!(words.contains("not a valid namespace"), "it has come to the host: {words}");
}

#[tokio::test]
async fn the_request_after_the_last_one_names_the_limit() {
    let twice = json!({ "how": "twice" });
    let one = server("{ requests: 1 }").await;
    let words = Client::modern(&one).failure("misbehave", twice.clone()).await;
    let said = "the second: this call has used all of its 1 requests to the API server (limit `requests`)";
    assert!(words.starts_with(said), "{words}");
    let two = server("{ requests: 2 }").await;
    assert_eq!(Client::modern(&two).answer("misbehave", twice).await, json!({ "text": "a page" }));
}

#[tokio::test]
async fn with_the_least_memory_and_stack_the_bundled_tools_are_loaded() {
    let folder = folder_with("limits: { memory: 2Mi, stack: 64Ki }\n");
    let finished = tools(folder.path()).finish().await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    let config = crate::components::hostile_config("    limits: { memory: 2Mi }\n") + "limits: { memory: 3Mi }\n";
    let server = Server::builder().cluster("demo").config(&config).start().await;
    let words = Client::modern(&server).call("misbehave", json!({ "how": "grow" })).await.expect_err("it grows for ever");
    assert!(words.contains("may have 2097152") && words.contains("limit `memory`"), "its own limit: {words}");
}
