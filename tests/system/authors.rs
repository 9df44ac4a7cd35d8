//! What authors of tools work with: `sandbar new`, `test`, `diff` and `build`.

use std::path::{Path, PathBuf};

use sandbar_tests::mcp::Client;
use sandbar_tests::sandbar::{Finished, Run, Server};
use sandbar_tests::until;
use serde_json::json;
use tempfile::TempDir;

/// A folder that `sandbar new` has written.
struct Folder {
    _outer: TempDir,
    path: PathBuf,
}

impl Folder {
    async fn new(name: &str, more: &[&str]) -> Self {
        let outer = tempfile::tempdir().unwrap();
        let written = Run::new(&[&["new", name], more].concat()).within(outer.path()).finish().await;
        assert_eq!(written.code(), 0, "{written:?}");
        let path = outer.path().join(name);
        assert!(written.stdout.lines().all(|file| outer.path().join(file).is_file()), "{written:?}");
        Self { _outer: outer, path }
    }

    async fn run(&self, arguments: &[&str]) -> Finished {
        Run::new(arguments).within(&self.path).finish().await
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let file = self.path.join(file);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
    }
}

#[tokio::test]
async fn a_script_answers_from_the_folder_that_was_written_for_it() {
    let folder = Folder::new("list-restarts", &[]).await;
    let tested = folder.run(&["test"]).await;
    assert!(tested.code() == 0 && tested.stderr.contains("2 passed, 0 failed"), "{tested:?}");
    let called = folder.run(&["call", "--cluster=demo", "--config=sandbar.yaml", "list_restarts", "namespace=team-b"]).await;
    assert!(
        called.code() == 0 && called.stdout.contains(r#""pod":"coder-59cc7b4d6-crwth","container":"coder","restarts":12"#),
        "{called:?}"
    );
    let again = Run::new(&["new", "list-restarts"]).within(folder.path.parent().unwrap()).finish().await;
    again.assert_refused("list-restarts is there already");
}

#[tokio::test]
async fn a_case_that_does_not_pass_says_what_is_otherwise() {
    let folder = Folder::new("many", &[]).await;
    folder.edit("many.test.yaml", "restarts: 7", "restarts: 8");
    folder.edit("many.test.yaml", "bytes <= 1000", "bytes <= 10");
    folder.edit("many.test.yaml", "threshold: 10", "threshold: ten");
    let tested = folder.run(&["test"]).await;
    assert_eq!(tested.code(), 1, "{tested:?}");
    for said in
        ["$.items[0].restarts: 8 was expected, and it is 7", "bytes <= 10: it was", "its `settings` in sandbar.yaml do not fit"]
    {
        assert!(tested.stdout.contains(said), "{said}: {tested:?}");
    }
    let one = folder.run(&["test", "--only", "nothing has this name"]).await;
    assert!(one.code() == 2 && one.stderr.contains("there are no cases to run"), "{one:?}");
}

#[tokio::test]
async fn what_has_changed_between_two_versions_is_shown() {
    let folder = Folder::new("many", &[]).await;
    std::fs::copy(folder.path.join("many.js"), folder.path.join("old.js")).unwrap();
    let same = folder.run(&["diff", "old.js", "many.js"]).await;
    assert!(same.code() == 0 && same.stdout.is_empty(), "{same:?}");
    folder.edit("many.js", r#"title: "List restarts""#, r#"title: "Restarts""#);
    folder.edit("many.js", r#"resources: ["pods"]"#, r#"resources: ["pods", "secrets"]"#);
    let changed = folder.run(&["diff", "old.js", "many.js"]).await;
    assert_eq!(changed.code(), 1, "{changed:?}");
    for said in [r#"~ tools.many.title: "List restarts" → "Restarts""#, r#"+ rules.secrets: "list""#] {
        assert!(changed.stdout.contains(said), "{said}: {changed:?}");
    }
}

#[tokio::test]
async fn what_is_missing_for_a_build_is_named() {
    let folder = Folder::new("many", &["--lang", "python"]).await;
    folder.run(&["build"]).await.assert_refused("pip install --requirement requirements.txt");
    let folder = Folder::new("many", &["--lang", "ts"]).await;
    folder.run(&["build"]).await.assert_refused("npm install");
    let script = Folder::new("many", &["--lang", "script"]).await;
    let built = script.run(&["build"]).await;
    assert!(built.code() == 0 && Path::new(built.stdout.trim()).ends_with("many.js"), "{built:?}");
    for (more, said) in [
        (&["--lang", "rust", "--sdk", "no/such/folder"][..], "--sdk: no/such/folder has no Cargo.toml"),
        (&["--sdk", "."], "--sdk is about the library for tools in Rust"),
    ] {
        let refused = Run::new(&[&["new", "unwritten"], more].concat()).within(folder.path.parent().unwrap()).finish().await;
        assert!(refused.code() == 2 && refused.stderr.contains(said), "{refused:?}");
        assert!(!folder.path.with_file_name("unwritten").exists());
    }
    let cobol = Run::new(&["new", "many", "--lang", "cobol"]).finish().await;
    assert!(cobol.code() == 2 && cobol.stderr.contains("script, rust, python, js, ts"), "{cobol:?}");
}

#[tokio::test]
async fn an_edit_answers_while_the_tool_is_written_and_a_broken_one_is_told() {
    let folder = Folder::new("many", &[]).await;
    let server = Server::developing(&folder.path).start().await;
    let client = Client::modern(&server);
    let first = async || client.answer("many", json!({ "namespace": "team-b" })).await["items"][0].clone();
    assert!(first().await["restarts"].is_u64(), "what it asks for is granted on the demo");
    server.until_logged("\"many\"").await;
    folder.edit("many.js", "restarts: restartCount", "restarts: restartCount + 1000");
    let is_edited = async || first().await["restarts"].as_u64().is_some_and(|restarts| restarts > 1000);
    until("the edit answers", || async { is_edited().await.then_some(()) }).await;
    folder.edit("many.js", "export function many", "export functio many");
    server.until_logged("many.js:").await;
    assert!(is_edited().await, "the one before goes on");
    folder.edit("many.js", "export functio many", "export function many");
    folder.edit("many.js", r#"title: "List restarts""#, r#"title: "Restarts""#);
    server.until_logged(r#"~ tools.many.title: "List restarts" → "Restarts""#).await;
}

#[tokio::test]
async fn an_answer_is_a_table_for_people_and_a_document_for_programs() {
    let folder = Folder::new("many", &[]).await;
    let call = async |format: &str| {
        folder.run(&["call", "--cluster=demo", "--config=sandbar.yaml", "-o", format, "many", "namespace=team-b"]).await
    };
    let table = call("table").await.stdout;
    assert!(table.lines().next().is_some_and(|heads| heads.contains("POD") && heads.contains("RESTARTS")), "{table}");
    assert!(call("yaml").await.stdout.contains("isError: false"));
    assert_eq!(call("json").await.json()["isError"], false);
}

/// Cases for a script of three reads: a list everywhere, an object, and a log.
const READS: &str = r#"
export const manifest = {
  rules: [{ apiGroups: [""], resources: ["pods", "events"], verbs: ["get", "list"] }, { apiGroups: [""], resources: ["pods/log"], verbs: ["get"] }],
  tools: [{ name: "reads", description: "Reads.", inputSchema: { type: "object" } }],
};
export function reads() {
  const pods = [...sandbar.all("pods", { fields: ["metadata.name", "metadata.namespace"] })];
  const events = [...sandbar.all("events", { namespace: "team-b" })];
  const pod = pods.find(({ metadata }) => metadata.namespace === "team-b").metadata;
  const { text } = sandbar.log(pod.name, { namespace: pod.namespace, tailLines: 3 });
  let missing;
  try { sandbar.get("pods", "nobody", { namespace: "team-a" }); } catch (error) { missing = error.code; }
  return { pods: pods.length, events: events.length, lines: text.split("\n").length, missing };
}
"#;

#[tokio::test]
async fn what_cases_read_is_recorded_and_answers_the_same_without_the_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    put("reads.js", READS);
    let cases = |cluster: &str| {
        format!("cluster: {cluster}\ncases:\n  - name: it reads\n    call: reads\n    expect: {{ text: 'not-found' }}\n")
    };
    put("reads.test.yaml", &cases("demo"));
    let run = async |arguments: &[&str]| Run::new(&[&["test"], arguments].concat()).within(folder.path()).finish().await;
    let recorded = run(&["--record", "cluster"]).await;
    assert!(recorded.code() == 0 && recorded.stderr.contains("1 logs are in cluster"), "{recorded:?}");
    put(
        "sandbar.yaml",
        r#"tools: [{ script: reads.js, rules: [{ apiGroups: [""], resources: [pods, events], verbs: [get, list] }, { apiGroups: [""], resources: [pods/log], verbs: [get] }] }]"#,
    );
    let config = async |cluster: &str| {
        let call = ["call", "--config=sandbar.yaml", "-o", "json", "reads", "--cluster", cluster];
        Run::new(&call).within(folder.path()).finish().await.json()["structuredContent"].clone()
    };
    let (demo, replayed) = (config("demo").await, config("snapshot:cluster").await);
    assert!(demo["pods"].as_u64() > Some(3) && demo["events"].as_u64() > Some(0) && demo["missing"] == "not-found", "{demo}");
    assert_eq!(demo, replayed);
    // A second record replaces the first, and nothing that was not recorded.
    put("cluster/notes.txt", "x");
    assert_eq!(run(&["--record", "cluster"]).await.code(), 0);
    assert!(!folder.path().join("cluster/notes.txt").exists());
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    put("mine/notes.txt", "x");
    let refused = run(&["--record", "mine"]).await;
    assert!(refused.code() == 1 && refused.stderr.contains("was not recorded"), "{refused:?}");
    put("reads.test.yaml", &cases("cluster"));
    assert_eq!(run(&[]).await.code(), 0);
}
