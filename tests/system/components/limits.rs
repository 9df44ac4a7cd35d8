//! Guests that crash, or use more than they may: the caller learns which limit it was, and nobody else notices.

use sandbar_tests::fake_api::{FakeAnswer, FakeApi};
use sandbar_tests::http as wire;
use tokio::sync::OnceCell;

use super::*;

/// Limits that are reached soon, but by no call that behaves, on a busy machine either.
const SMALL: &str = "    limits: { time: 20s, cpu: 1s, memory: 16Mi, result: 64Ki }\n";

/// The demo cluster with the hostile component, shared: if one test could disturb another, that would be a fault, too.
async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER.get_or_init(|| async { Server::builder().cluster("demo").config(&hostile_config(SMALL)).start().await }).await
}

/// Commits a fault and returns what the caller is told.
async fn told(how: Value) -> String {
    let server = server().await;
    let described = how.to_string();
    let words = misbehave(&Client::modern(server), how).await.expect_err(&described);
    the_next_call_works(server).await;
    words
}

#[tokio::test]
async fn a_trap_is_a_fault_of_the_tool() {
    let words = told(json!({ "how": "trap" })).await;
    assert!(words.contains("the tool crashed") && words.contains("unreachable"), "{words}");
    assert!(words.contains("fault of the tool"), "{words}");
}

#[tokio::test]
async fn the_words_of_a_panic_are_in_the_log_and_not_in_the_answer() {
    let words = told(json!({ "how": "panic", "words": "my \u{1b}[31msecret\nthoughts" })).await;
    assert!(words.contains("the tool crashed") && !words.contains("secret"), "{words}");
    server().await.until_logged("my secret thoughts").await;
    let log = server().await.log();
    let line = log.lines().find(|line| line.contains("my secret thoughts")).unwrap();
    assert!(line.contains("hostile") && line.contains("ERROR") && line.contains("misbehave.rs"), "{line}");
}

#[tokio::test]
async fn the_stack_is_bounded() {
    let words = told(json!({ "how": "recurse" })).await;
    assert!(words.contains("all of its 524288 bytes") && words.contains("limit `stack`"), "{words}");
}

#[tokio::test]
async fn computing_is_bounded() {
    for how in ["spin", "ask"] {
        let words = told(json!({ "how": how })).await;
        assert!(words.contains("1 s") && words.contains("limit `cpu`"), "{how}: {words}");
    }
}

#[tokio::test]
async fn memory_is_bounded() {
    let words = told(json!({ "how": "grow" })).await;
    assert!(words.contains("may have 16777216") && words.contains("limit `memory`"), "{words}");
}

#[tokio::test]
async fn answers_are_bounded() {
    for bytes in [70_000, 200_000, 3_000_000] {
        for how in ["fill", "fail-long"] {
            let words = told(json!({ "how": how, "bytes": bytes })).await;
            assert!(words.contains("65536 bytes") && words.contains("limit `result`"), "{how} {bytes}: {words}");
        }
    }
    let answer =
        misbehave(&Client::modern(server().await), json!({ "how": "fill", "bytes": 60_000 })).await.expect("within the limit");
    assert_eq!(answer["text"].as_str().unwrap().len(), 60_000);
}

#[tokio::test]
async fn what_a_tool_hands_to_a_host_function_is_bounded() {
    let words = told(json!({ "how": "push", "bytes": 3_000_000 })).await;
    assert!(words.contains("bytes") && !words.contains("result is larger"), "{words}");
    let words = told(json!({ "how": "push", "bytes": 1000 })).await;
    assert!(words.contains("not a valid namespace") && words.len() < 400, "{words}");
}

#[tokio::test]
async fn waiting_for_the_cluster_is_bounded() {
    let api = FakeApi::start(|path| path.contains("/pods").then_some(FakeAnswer::Never));
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let config = hostile_config("    limits: { time: 2s }\n");
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").config(&config).start().await;
    let words = misbehave(&Client::modern(&server), json!({ "how": "wait" })).await.expect_err("it waits for ever");
    assert!(words.contains("2 s") && words.contains("limit `time`"), "{words}");
    the_next_call_works(&server).await;
    sandbar_tests::until("the request is given up", || async { (api.in_flight() == 0).then_some(()) }).await;
}

#[tokio::test]
async fn a_flood_of_log_lines_and_progress_neither_fills_the_log_nor_the_answer() {
    let line = "x\u{1b}[2J\nforged line ".repeat(50);
    let server = Server::builder().cluster("demo").config(&hostile_config("    limits: { time: 20s, cpu: 10s }\n")).start().await;
    let client = Client::modern(&server);
    let mut params = json!({ "name": "misbehave", "arguments": { "how": "flood", "times": 20_000, "line": line } });
    params["_meta"]["progressToken"] = json!("flood");
    let reply = wire::send(server.address(), client.http_request(json!(1), "tools/call", params)).await;
    let body = reply.text().await;
    assert!(body.contains(r#""text":"done""#) && body.len() < 64 * 1024, "{} bytes: {:.500}", body.len(), body);
    the_next_call_works(&server).await;

    server.until_logged("the rest of what it logs in this call is dropped").await;
    let log = server.log();
    assert!(log.len() < 1024 * 1024, "20,000 lines of 750 bytes were sent, {} bytes were logged", log.len());
    let mut lines = log.lines();
    assert!(
        lines.all(|line| !line.starts_with("forged") && !line.contains('\u{1b}')),
        "a line of a tool is one line, and marked"
    );
}

#[tokio::test]
async fn spinning_guests_do_not_keep_others_from_being_served() {
    let server = Server::builder().cluster("demo").config(&hostile_config("    limits: { cpu: 2s }\n")).start().await;
    let client = Client::modern(&server);
    let mut calls: Vec<_> = (0..4).map(|_| Box::pin(misbehave(&client, json!({ "how": "spin" })))).collect();
    let all = futures::future::join_all(calls.iter_mut());
    let health = async {
        // Meanwhile the server answers.
        for _ in 0..5 {
            assert_eq!(wire::get(server.address(), "/readyz").await.status, 200);
            assert_eq!(Client::modern(&server).answer("check_health", json!({})).await["status"], "ok");
        }
    };
    let (outcomes, ()) = tokio::join!(all, health);
    for outcome in outcomes {
        let words = outcome.expect_err("it spins");
        assert!(words.contains("limit `cpu`") || words.contains("limit `time`"), "{words}");
    }
    the_next_call_works(&server).await;
}

/// A tool in WebAssembly text, called once in a server of its own. Returns what the caller is told.
async fn told_by(text: Text) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = text.write(folder.path(), "odd.wasm");
    let config = format!("tools:\n  - component: {}\n{SMALL}", file.display());
    let server = Server::builder().cluster("demo").config(&config).start().await;
    let client = Client::modern(&server);
    let words = client.failure("odd", json!({})).await;
    assert_eq!(client.failure("odd", json!({})).await, words, "the next call is as the first");
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
    words
}

#[tokio::test]
async fn tables_are_bounded() {
    let grow = "(loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) unreachable";
    let words = told_by(Text::tool("odd").with_core("(table $t 1 funcref)", "").calling(grow)).await;
    assert!(words.contains("table entries") && words.contains("may have 20000 (limit `tables`)"), "{words}");
}

#[tokio::test]
async fn memories_are_counted_together() {
    // Each of the two is within the limit.
    let second = r#"(import "n" "memory" (memory $n 1))"#;
    let grow = "(drop (memory.grow $n (i32.const 200))) (drop (memory.grow 0 (i32.const 200))) unreachable";
    let module = r#"(core module $second (memory (export "memory") 1)) (core instance $n (instantiate $second))"#;
    let text = Text::tool("odd").importing(module).with_core(second, r#"(with "n" (instance $n))"#).calling(grow);
    let words = told_by(text).await;
    assert!(words.contains("may have 16777216") && words.contains("limit `memory`"), "{words}");
}

#[tokio::test]
async fn an_answer_that_is_no_text_or_lies_outside_of_memory_is_a_crash() {
    let no_text = "(i32.store8 (i32.const 100) (i32.const 255)) (call $answer (i32.const 100) (i32.const 1))";
    let words = told_by(Text::tool("odd").calling(no_text)).await;
    assert!(words.contains("the tool crashed") && words.contains("utf-8"), "{words}");
    for beyond in [
        "(call $answer (i32.const 0x7fffffff) (i32.const 64))",
        "(call $answer (i32.const 16) (i32.const -1))",
        "i32.const -4",
        "i32.const 1",
    ] {
        let words = told_by(Text::tool("odd").calling(beyond)).await;
        assert!(words.contains("the tool crashed"), "{beyond}: {words}");
    }
}
