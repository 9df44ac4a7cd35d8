//! Scripts as tools: what they may do, how they fail, and what they cannot.

use std::path::{Path, PathBuf};

use sandbar_tests::mcp::Client;
use sandbar_tests::sandbar::{Run, Server};
use sandbar_tests::until;
use serde_json::json;
use tempfile::TempDir;

/// Scripts, and a server of the demo cluster that is granted what they ask for.
struct Scripts(TempDir);

impl Scripts {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Puts a script there, at once as a whole.
    fn put(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let (unfinished, file) = (self.0.path().join("unfinished"), self.0.path().join(name));
        std::fs::write(&unfinished, text).unwrap();
        std::fs::rename(&unfinished, &file).unwrap();
        file
    }

    async fn serve(&self, entries: &str) -> Server {
        Server::builder().cluster("demo").config(&format!("tools:\n{entries}")).start().await
    }
}

/// A script with one tool of this name, and the body of its function.
fn script(name: &str, body: &str) -> String {
    let manifest = json!({
        "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"] }],
        "tools": [{ "name": name, "description": "A test.", "inputSchema": { "type": "object" } }],
    });
    format!("export const manifest = {manifest};\nexport function {name}(args) {{\n{body}\n}}\n")
}

fn entry(file: &Path, more: &str) -> String {
    let rules = r#"rules: [{ apiGroups: [""], resources: [pods], verbs: [get, list] }]"#;
    format!("  - {{ script: {}, {rules}{more} }}\n", file.display())
}

/// What the tool says, behind the host's mark.
async fn call(client: &Client, tool: &str) -> String {
    let result = client.request("tools/call", json!({ "name": tool, "arguments": {} })).await["result"].take();
    let said = result["content"].as_array().and_then(|content| content.last()?["text"].as_str());
    said.unwrap_or_else(|| panic!("{result}")).to_owned()
}

#[tokio::test]
async fn a_script_reads_what_it_is_granted_and_answers_as_it_was_meant() {
    let scripts = Scripts::new();
    let names = r#"
        const names = [...sandbar.all("pods", { fields: ["metadata.name"], limit: 2 })].map((pod) => pod.metadata.name);
        const { items, warnings } = sandbar.list("pods", { namespace: "team-a", limit: 1 });
        return { count: names.length, first: items[0].metadata.name, warnings, now: sandbar.now() instanceof Date };"#;
    let text = "console.log(\"a line\", { of: 1 }); return `${sandbar.remainingMs() > 0} ${sandbar.setting(\"nope\")} ${sandbar.caller()}`;";
    let denied = "return sandbar.list(\"secrets\");";
    let kind = r#"
        try { sandbar.list("deployments.apps"); } catch (error) {
          return { isOurs: error instanceof sandbar.HostError, isError: error instanceof Error, code: error.code };
        }"#;
    let many = r#"
        const [pods, secrets] = sandbar.listMany([{ resource: "pods", namespace: "team-a" }, { resource: "secrets", namespace: "team-a" }]);
        return { pods: pods.value.items.length > 0, secrets: secrets.error.code };"#;
    let entries: String = [("names", names), ("text", text), ("denied", denied), ("kind", kind), ("many", many)]
        .into_iter()
        .map(|(name, body)| entry(&scripts.put(&format!("{name}.js"), script(name, body)), ""))
        .collect();
    let server = scripts.serve(&entries).await;
    let client = Client::modern(&server);
    let answer = client.answer("names", json!({})).await;
    assert!(answer["count"].as_u64().unwrap() > 2 && answer["first"].is_string(), "{answer}");
    assert_eq!((&answer["warnings"], &answer["now"]), (&json!([]), &json!(true)));
    assert_eq!(call(&client, "text").await, "true undefined undefined");
    server.until_logged("a line {\"of\":1}").await;
    let words = client.failure("denied", json!({})).await;
    assert!(words.contains("secrets"), "{words}");
    assert_eq!(client.answer("kind", json!({})).await, json!({ "isOurs": true, "isError": true, "code": "denied" }));
    assert_eq!(client.answer("many", json!({})).await, json!({ "pods": true, "secrets": "denied" }));
    server.until_logged("tool=\"names\"").await;
}

#[tokio::test]
async fn what_is_wrong_with_a_script_is_said_with_its_place() {
    let scripts = Scripts::new();
    for (file, text, said) in [
        ("syntax.js", "export const manifest = {\n  tools: [,\n".to_owned(), "syntax.js:"),
        ("none.js", "export const x = 1;".to_owned(), "it exports no object `manifest`"),
        ("throws.js", "const y = undefined;\nconst z = y();".to_owned(), "throws.js:2"),
        ("imports.js", "import fs from \"fs\";\nexport const manifest = {};".to_owned(), "there are no modules to import"),
        ("empty.js", "export const manifest = {};".to_owned(), "tools"),
        ("typo.js", script("many", "").replace("function many", "function mnay"), "it exports no function \"many\" for its tool"),
    ] {
        let file = scripts.put(file, text);
        let run = Run::new(&["inspect", file.to_str().unwrap()]).finish().await;
        assert!(run.code() != 0 && run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    let file = scripts.put("odd.js", b"export const manifest = \"\xff\";");
    let run = Run::new(&["inspect", file.to_str().unwrap()]).finish().await;
    assert!(run.stderr.contains("from byte 25 on it is not UTF-8"), "{}", run.stderr);
}

#[tokio::test]
async fn what_a_script_throws_is_for_the_model_and_a_fault_of_it_has_its_place() {
    let scripts = Scripts::new();
    let entries: String = [
        ("says", "throw new Error(\"say which namespace\");"),
        ("words", "throw \"say which namespace\";"),
        ("fault", "const pods = undefined;\nreturn pods.map((pod) => pod.name);"),
        ("thing", "throw { a: 1 };"),
        ("nothing", ""),
        ("number", "return 7;"),
    ]
    .into_iter()
    .map(|(name, body)| entry(&scripts.put(&format!("{name}.js"), script(name, body)), ""))
    .collect();
    let server = scripts.serve(&entries).await;
    let client = Client::modern(&server);
    assert_eq!(client.failure("says", json!({})).await, "say which namespace");
    assert_eq!(client.failure("words", json!({})).await, "say which namespace");
    let words = client.failure("fault", json!({})).await;
    assert!(words.contains("the script has failed: TypeError") && words.contains("fault.js:4:"), "{words}");
    server.until_logged("fault.js:4:").await;
    for (tool, said) in [("thing", "{\"a\":1}"), ("nothing", "answered nothing"), ("number", "answered 7")] {
        let words = client.failure(tool, json!({})).await;
        assert!(words.contains(said), "{words}");
    }
}

#[tokio::test]
async fn an_argument_of_the_wrong_type_is_a_fault_that_names_it_and_its_place() {
    let scripts = Scripts::new();
    let tool = r#"
        const ways = [
          () => sandbar.get("pods", { namespace: "team-a" }),
          () => sandbar.get({ resource: "pods" }, "a"),
          () => sandbar.list("pods", { limit: "2" }),
          () => sandbar.list("pods", { limit: 1.5 }),
          () => sandbar.list("pods", { namespace: 7 }),
          () => sandbar.list("pods", { fields: "metadata.name" }),
          () => sandbar.list("pods", { fields: [1] }),
          () => sandbar.list("pods", "team-a"),
          () => sandbar.table("pods", { labels: { app: "web" } }),
          () => [...sandbar.all("pods", { continue: 7 })],
          () => sandbar.log("a"),
          () => sandbar.log("a", { namespace: "team-a", previous: 1 }),
          () => sandbar.log("a", { namespace: "team-a", matching: /x/ }),
          () => sandbar.getMany([{ resource: "pods" }]),
          () => sandbar.listMany({ resource: "pods" }),
          () => sandbar.listMany(["pods"]),
          () => sandbar.logMany([{ pod: "a" }]),
          () => sandbar.setting(7),
          () => sandbar.setting("\ud800"),
          () => sandbar.progress("half"),
          () => sandbar.progress(1, "2"),
          () => sandbar.progress(1, 2, {}),
        ];
        const said = ways.map((way) => {
          try { return `nothing: ${JSON.stringify(way())}`; } catch (error) { return `${error instanceof TypeError} ${error.message}`; }
        });
        // What is absent may be so in either way, and a log takes any text.
        sandbar.list("pods", { namespace: null, labels: undefined, fields: null, limit: null });
        console.log("\ud800", 7, {});
        return { said };"#;
    let entries =
        [("ways", tool), ("fault", "\nreturn sandbar.get(\"pods\", {});"), ("half", "throw new Error(\"half: \\ud800\");")]
            .map(|(name, body)| entry(&scripts.put(&format!("{name}.js"), script(name, body)), ""))
            .concat();
    let server = scripts.serve(&entries).await;
    let client = Client::modern(&server);
    assert_eq!(
        client.answer("ways", json!({})).await["said"],
        json!([
            "true sandbar.get: `name` has to be a text, and is an object",
            "true sandbar.get: `resource` has to be a text, and is an object",
            "true sandbar.list: `limit` has to be a whole number below 2^32, and is \"2\"",
            "true sandbar.list: `limit` has to be a whole number below 2^32, and is 1.5",
            "true sandbar.list: `namespace` has to be a text, and is 7",
            "true sandbar.list: `fields` has to be a list of texts, and is \"metadata.name\"",
            "true sandbar.list: `fields` has to be a list of texts, and is a list with something else in it",
            "true sandbar.list: `options` has to be an object, and is \"team-a\"",
            "true sandbar.table: `labels` has to be a text, and is an object",
            "true sandbar.all: `continue` has to be a text, and is 7",
            "true sandbar.log: `namespace` has to be a text, and is undefined",
            "true sandbar.log: `previous` has to be true or false, and is 1",
            "true sandbar.log: `matching` has to be a text, and is an object",
            "true sandbar.getMany: `name` has to be a text, and is undefined",
            "true sandbar.listMany: `queries` has to be a list, and is an object",
            "true sandbar.listMany: `queries[0]` has to be an object, and is \"pods\"",
            "true sandbar.logMany: `namespace` has to be a text, and is undefined",
            "true sandbar.setting: `key` has to be a text, and is 7",
            "true sandbar.setting: `key` has to be a text, and is \"\\ud800\", with half a character in it",
            "true sandbar.progress: `done` has to be a number, and is \"half\"",
            "true sandbar.progress: `total` has to be a number, and is \"2\"",
            "true sandbar.progress: `message` has to be a text, and is an object",
        ])
    );
    let words = client.failure("fault", json!({})).await;
    assert!(words.contains("TypeError: sandbar.get: `name` has to be a text, and is an object (fault.js:4:"), "{words}");
    server.until_logged("fault.js:4:").await;
    assert_eq!(client.failure("half", json!({})).await, "half: \u{fffd}");
}

#[tokio::test]
async fn nothing_of_a_call_is_there_in_the_next_and_nothing_of_a_script_in_another() {
    let scripts = Scripts::new();
    let marks = r#"
        const before = [globalThis.mark, [].mark, sandbar.mark].map(String).join();
        globalThis.mark = Array.prototype.mark = sandbar.mark = "marked";
        JSON.stringify = () => "\"broken\"";
        Object.prototype.toJSON = () => "broken";
        return before;"#;
    let entries: String =
        ["one", "two"].into_iter().map(|name| entry(&scripts.put(&format!("{name}.js"), script(name, marks)), "")).collect();
    let server = scripts.serve(&entries).await;
    let client = Client::modern(&server);
    for tool in ["one", "one", "two", "one"] {
        let said = call(&client, tool).await;
        assert!(!said.contains("marked"), "{said}");
    }
}

/// All instances begin with one copy of the engine's memory, its generator of random numbers included.
#[tokio::test]
async fn calls_draw_other_numbers() {
    let scripts = Scripts::new();
    let server = scripts.serve(&entry(&scripts.put("draws.js", script("draws", "return String(Math.random());")), "")).await;
    let client = Client::modern(&server);
    let first = call(&client, "draws").await;
    assert!(first.parse::<f64>().is_ok_and(|drawn| (0.0..1.0).contains(&drawn)), "{first}");
    // Two calls in one millisecond may draw the same.
    until("another number", async || (call(&client, "draws").await != first).then_some(())).await;
}

#[tokio::test]
async fn what_a_script_takes_is_bounded_as_for_any_component() {
    let scripts = Scripts::new();
    let entries: String = [
        ("endless", "for (;;) {}", "limit `cpu`"),
        ("pattern", "return String(/^(a+)+$/.test(\"a\".repeat(40) + \"b\"));", "limit `cpu`"),
        (
            "large",
            "let text = \"x\".repeat(1 << 20); const all = []; for (;;) all.push(new Uint8Array(1 << 24).fill(1));",
            "memory",
        ),
        ("deep", "const deeper = () => deeper() + 1; return String(deeper());", "stack"),
        ("long", "return \"x\".repeat(100 << 20);", "memory"),
        ("evaluates", "return String(eval(\"1 + 1\")) + new Function(\"return 1\")();", "21"),
    ]
    .map(|(name, body, _)| entry(&scripts.put(&format!("{name}.js"), script(name, body)), ", limits: { cpu: 300ms, time: 20s }"))
    .concat();
    let server = scripts.serve(&entries).await;
    let client = Client::modern(&server);
    for (tool, said) in [
        ("endless", "limit `cpu`"),
        ("pattern", "limit `cpu`"),
        ("large", "memory"),
        ("deep", "stack"),
        ("long", "memory"),
        ("evaluates", "21"),
    ] {
        let words = call(&client, tool).await;
        assert!(words.contains(said), "{tool}: {words}");
    }
}

#[tokio::test]
async fn an_edited_script_answers_soon_and_one_that_is_broken_leaves_the_one_before() {
    let scripts = Scripts::new();
    let file = scripts.put("edited.js", script("edited", "return \"before\";"));
    let server = scripts.serve(&entry(&file, "")).await;
    let client = Client::modern(&server);
    assert_eq!(call(&client, "edited").await, "before");
    scripts.put("edited.js", script("edited", "return \"after\";"));
    until("the new answer", async || (call(&client, "edited").await == "after").then_some(())).await;
    scripts.put("edited.js", "export const manifest = ;");
    server.until_logged("the script cannot be run: Error: unexpected token").await;
    assert_eq!(call(&client, "edited").await, "after");
}
