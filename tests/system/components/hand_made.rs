//! Components that no toolchain would make: the texts of `tests/components/hostile/wat`.

use sandbar_tests::process::computed;
use tokio::sync::OnceCell;

use super::*;

/// The texts that serve a tool of their own name, and what is to be known of each: the words that its caller is told.
const TOLD: [(&str, &[&str]); 10] = [
    ("fill", &["0.3 s", "limit `cpu`"]),
    ("realloc-spins", &["0.3 s", "limit `cpu`"]),
    ("realloc-lies", &["the tool crashed", "fault of the tool"]),
    ("realloc-grows", &["may have 16777216", "limit `memory`"]),
    ("bundle", &["may have 16777216", "limit `memory`"]),
    ("utf16", &["the tool crashed", "surrogate"]),
    ("bad-text", &["the tool crashed", "utf-8"]),
    ("hoard", &["held 256 handles", "limit `handles`"]),
    ("print", &["0.3 s", "limit `cpu`"]),
    ("clutch", &["held 256 handles", "limit `handles`"]),
];

/// The texts that serve a tool of their own name and never answer.
pub(super) fn texts() -> impl Iterator<Item = &'static str> {
    TOLD.iter().map(|(name, _)| *name).chain(["sleep"])
}

/// A server with all of them, under limits that are reached soon.
async fn server() -> &'static Server {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER
        .get_or_init(|| async {
            let mut config = hostile_config("");
            for (name, _) in TOLD {
                let file = components::assemble(name);
                config += &format!(
                    "  - component: {}\n    limits: {{ time: 20s, cpu: 300ms, memory: 16Mi, logged: 16Ki }}\n",
                    file.display()
                );
            }
            Server::builder().cluster("demo").config(&config).start().await
        })
        .await
}

#[tokio::test]
async fn each_ends_with_a_clear_error_and_the_next_call_works() {
    let server = server().await;
    for (name, said) in TOLD {
        let words = Client::modern(server).failure(name, json!({})).await;
        for said in said {
            assert!(words.contains(said), "{said:?} of {name}: {words}");
        }
        assert!(words.len() < 500, "{name}: {words}");
        the_next_call_works(server).await;
    }
}

#[tokio::test]
async fn what_it_prints_is_bounded_and_cannot_pass_for_a_line_of_the_server() {
    let server = server().await;
    Client::modern(server).failure("print", json!({})).await;
    server.until_logged("the rest of what it logs in this call is dropped").await;
    let log = server.log();
    let printed: Vec<&str> = log.lines().filter(|line| line.contains("forged")).collect();
    assert!(!printed.is_empty() && printed.iter().all(|line| line.contains("sandbar::component")), "{:.1000}", printed.concat());
    assert!(!log.contains('\u{1b}'), "an escape sequence of the tool's");
    assert!(log.len() < 4 * 1024 * 1024, "{} bytes", log.len());
}

#[tokio::test]
async fn whoever_prints_for_ever_has_computed_and_the_audit_says_how_long() {
    /// How much more the whole server may have computed than its calls: it serves the calls, and writes the log.
    const SERVER: f64 = 1.5;
    let file = components::assemble("print");
    let config = format!("tools:\n  - component: {}\n    limits: {{ time: 60s, cpu: 2s }}\n", file.display());
    let server = Server::builder().cluster("demo").config(&config).env("SANDBAR_LOG_FORMAT", "json").start().await;
    let client = Client::modern(&server);
    let before = computed(server.id());
    let words = client.failure("print", json!({})).await;
    let in_all = (computed(server.id()) - before).as_secs_f64() * 1000.0;
    assert!(words.contains("2 s") && words.contains("limit `cpu`"), "{words}");
    server.until_logged("\"limit cpu\"").await;
    let log = server.log();
    let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let call = events.map(|mut event| event["fields"].take()).find(|fields| fields["outcome"] == "limit cpu").unwrap();
    let charged = call["cpu_ms"].as_f64().unwrap();
    assert!(charged >= 2000.0 && in_all < SERVER * charged, "{in_all} ms in all: {call}");
    the_server_answers(&server).await;
}

#[tokio::test]
async fn no_level_of_the_log_has_more_of_it_than_its_quota() {
    /// Bytes of a log that says everything: what is said of the start, of the requests and of the one call.
    const LOG: usize = 1024 * 1024;
    let file = components::assemble("print");
    let config = format!("tools:\n  - component: {}\n    limits: {{ time: 60s, cpu: 1s, logged: 16Ki }}\n", file.display());
    let server = Server::builder().cluster("demo").config(&config).env("SANDBAR_LOG", "trace").start().await;
    let before = server.log().len();
    Client::modern(&server).failure("print", json!({})).await;
    server.until_logged("the rest of what it logs in this call is dropped").await;
    server.until_logged("limit cpu").await;
    let log = server.log().split_off(before);
    let printed: Vec<&str> = log.lines().filter(|line| line.contains("forged")).collect();
    assert!(!printed.is_empty() && printed.iter().all(|line| line.contains("sandbar::component")), "{:.1000}", printed.concat());
    assert!(log.len() < LOG, "{} bytes: {:.4000}", log.len(), log);
}

#[tokio::test]
async fn whoever_sleeps_is_woken_by_the_time_limit_and_not_charged_for_computing() {
    let config =
        format!("tools:\n  - component: {}\n    limits: {{ time: 2s, cpu: 500ms }}\n", components::assemble("sleep").display());
    let server = Server::builder().cluster("demo").config(&config).start().await;
    let words = Client::modern(&server).failure("sleep", json!({})).await;
    assert!(words.contains("2 s") && words.contains("limit `time`"), "{words}");
    the_server_answers(&server).await;
}

#[tokio::test]
async fn a_manifest_that_changes_is_asked_for_once() {
    let file = components::assemble("fickle");
    let server = Server::builder().cluster("demo").arg("--tools").arg(&file).start().await;
    let client = Client::modern(&server);
    let listed = async || {
        let tools = client.request("tools/list", json!({})).await["result"]["tools"].take();
        let names: Vec<String> = tools.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect();
        names
    };
    let first = listed().await;
    let [served, other] = if first.contains(&"heads".to_owned()) { ["heads", "tails"] } else { ["tails", "heads"] };
    assert!(first.contains(&served.to_owned()) && !first.contains(&other.to_owned()), "{first:?}");
    for _ in 0..20 {
        assert_eq!(listed().await, first);
        let answer = client.request("tools/call", json!({ "name": served, "arguments": {} })).await;
        assert_eq!(answer["result"]["content"], json!([]), "{answer}");
        let answer = client.request("tools/call", json!({ "name": other, "arguments": {} })).await;
        assert!(answer.get("result").is_none(), "{answer}");
    }
}

#[tokio::test]
async fn a_trap_in_the_manifest_keeps_the_component_out() {
    let file = components::assemble("trap-in-manifest");
    let server = Server::builder().cluster("demo").arg("--tools").arg(&file).start().await;
    let log = server.log();
    assert!(log.contains("its manifest cannot be had: the tool crashed") && log.contains("unreachable"), "{log}");
    the_server_answers(&server).await;
}

#[tokio::test]
async fn what_a_bundled_component_imports_is_what_the_whole_asks_for() {
    let file = components::assemble("stowaway");
    let refused = Run::new(&["tools", "--cluster", "demo", "--tools"]).arg(&file).finish().await;
    assert_eq!(refused.code(), 1, "{refused:?}");
    let said = "stowaway.wasm: the component imports `sandbar:kubernetes/read`, which is not granted to it";
    assert!(refused.stderr.contains(said) && !refused.stdout.contains("stowaway"), "{refused:?}");
    let inspected = Run::new(&["inspect"]).arg(&file).finish().await;
    assert!(inspected.stdout.contains("imports  sandbar:kubernetes/read (get-object)"), "{inspected:?}");

    // Nothing else keeps it out.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sandbar.yaml");
    let rules = r#"[{ apiGroups: [""], resources: [pods], verbs: [get] }]"#;
    std::fs::write(&config, format!("tools:\n  - component: {}\n    rules: {rules}\n", file.display())).unwrap();
    let granted = Run::new(&["tools", "--cluster", "demo", "--config"]).arg(&config).finish().await;
    assert!(granted.code() == 0 && granted.stdout.contains("stowaway"), "{granted:?}");
}

/// A tool that ships with the server works.
async fn the_server_answers(server: &Server) {
    assert_eq!(Client::modern(server).answer("check_health", json!({})).await["status"], "ok");
}
