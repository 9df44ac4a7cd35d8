//! Files that are no tools, or ask for too much: each is named with its reason, and the rest serves.

use std::collections::BTreeMap;

use super::*;

/// A file that cannot be served, and what is said about it.
struct Refused {
    file: PathBuf,
    said: &'static [&'static str],
}

/// Everything that is wrong with a file by itself.
fn refused(folder: &Path) -> Vec<Refused> {
    let mut all = Vec::new();
    let mut file = |name: &str, bytes: &[u8], said| {
        let file = folder.join(name);
        std::fs::write(&file, bytes).unwrap();
        all.push(Refused { file, said });
    };
    let whole = std::fs::read(hostile()).unwrap();
    file(
        "module.wasm",
        &wat::parse_str("(module)").unwrap(),
        &["core WebAssembly module, not a component", "wasm-tools component new"],
    );
    file("truncated.wasm", &whole[..whole.len() / 2], &["the component is damaged"]);
    file("header.wasm", &whole[..6], &["the component is damaged"]);
    file("empty.wasm", b"", &["not a WebAssembly file"]);
    file("text.wasm", b"#!/bin/sh\necho tools\n", &["not a WebAssembly file", "#!/bin/s"]);
    file("unknown.wasm", b"\0asm\x07\0\x01\0", &["version 7, layer 1"]);
    file("bare.wasm", &wat::parse_str("(component)").unwrap(), &["does not export `sandbar:tool/tools@0.1.0`", "nothing"]);

    let other_export = r#"(component
        (core module $m (func (export "f"))) (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f"))) (instance $x (export "f" (func $f))) (export "acme:db/store@1.0.0" (instance $x)))"#;
    file(
        "other.wasm",
        &wat::parse_str(other_export).unwrap(),
        &["does not export `sandbar:tool/tools@0.1.0`", "acme:db/store@1.0.0"],
    );

    let mut text = |name: &str, text: Text, said| all.push(Refused { file: text.write(folder, name), said });
    text(
        "later.wasm",
        Text::tool("later").exporting("sandbar:tool/tools@0.2.0"),
        &["`sandbar:tool/tools@0.2.0`", "0.1.0", "rebuild"],
    );
    text(
        "later-import.wasm",
        Text::tool("t").importing(r#"(import "sandbar:kubernetes/read@0.2.0" (instance (export "watch" (func))))"#),
        &["`sandbar:kubernetes/read@0.2.0`", "0.1.0"],
    );
    text(
        "import.wasm",
        Text::tool("t").importing(r#"(import "acme:db/store@1.0.0" (instance (export "get" (func (result string)))))"#),
        &["imports `acme:db/store@1.0.0`", "`sandbar:kubernetes/read`"],
    );
    text("function.wasm", Text::tool("t").importing(r#"(import "exec" (func))"#), &["imports `exec`"]);
    text(
        "newer.wasm",
        Text::tool("t").importing(r#"(import "sandbar:tool/context@0.1.0" (instance (export "caller" (func (result string)))))"#),
        &["`caller` of `sandbar:tool/context`", "newer host"],
    );
    text(
        "types.wasm",
        Text::tool("t").importing(r#"(import "sandbar:tool/context@0.1.0" (instance (export "now-ms" (func (result u64)))))"#),
        &["cannot be linked"],
    );
    text(
        "http.wasm",
        Text::tool("t").importing(r#"(import "wasi:http/outgoing-handler@0.2.6" (instance (export "handle" (func))))"#),
        &["`wasi:http/outgoing-handler@0.2.6`", "without HTTP"],
    );
    text("no-json.wasm", Text::with_manifest("tools: []"), &["manifest is not a JSON object"]);
    let nested = format!(r#"{{"tools":[],"deep":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    text("deep.wasm", Text::with_manifest(nested), &["manifest is not a JSON object", "recursion limit"]);
    text("no-utf8.wasm", Text::with_manifest(b"{\"tools\":\xff}"), &["manifest", "utf-8"]);
    text("list.wasm", Text::new(&json!([])), &["manifest is not a JSON object"]);
    text("no-tools.wasm", Text::new(&json!({ "rules": [] })), &["`tools` in the manifest is not a list"]);
    let many = |count: u32| {
        let tools: Vec<Value> =
            (0..count).map(|n| json!({ "name": format!("t{n}"), "inputSchema": { "type": "object" } })).collect();
        Text::new(&json!({ "tools": tools }))
    };
    text("hundred.wasm", many(101), &["`tools` in the manifest has 101 entries", "100 is the most"]);
    text("thousands.wasm", many(10_000), &["manifest", "262144 bytes"]);
    text("name.wasm", Text::tool("get pods\n"), &[r#"tool name "get pods\n""#, "[A-Za-z0-9_.-]"]);
    text("nameless.wasm", Text::tool(""), &[r#"tool name """#]);
    text("long.wasm", Text::tool(&"n".repeat(129)), &["128 characters"]);
    let twice = json!({ "name": "t", "inputSchema": { "type": "object" } });
    text("twice.wasm", Text::new(&json!({ "tools": [twice, twice] })), &[r#"two tools named "t""#]);
    let schema = |schema: Value| Text::new(&json!({ "tools": [{ "name": "t", "inputSchema": schema }] }));
    text("schema.wasm", schema(json!({ "type": "object", "properties": 7 })), &[r#"tool "t""#, "properties"]);
    let titled = json!({ "name": "t", "title": { "a": "T" }, "inputSchema": { "type": "object" } });
    text("title.wasm", Text::new(&json!({ "tools": [titled] })), &[r#"tool "t""#, "`title` is not a string"]);
    let hinted = json!({ "name": "t", "annotations": { "readOnlyHint": "Y" }, "inputSchema": { "type": "object" } });
    text("hint.wasm", Text::new(&json!({ "tools": [hinted] })), &[r#"tool "t""#, "`annotations.readOnlyHint` is not true or"]);
    text("string.wasm", schema(json!({ "type": "string" })), &[r#"tool "t""#, "object"]);
    text("file-schema.wasm", schema(json!({ "type": "object", "$ref": "file:///etc/passwd" })), &[r#"tool "t""#, "/etc/passwd"]);
    let rules = |key: &str, resource: &str, verb: &str| {
        let mut manifest = json!({ "tools": [{ "name": "t", "inputSchema": { "type": "object" } }] });
        manifest[key] = json!([{ "apiGroups": [""], "resources": [resource], "verbs": [verb] }]);
        Text::new(&manifest)
    };
    text("exec.wasm", rules("rules", "pods/exec", "get"), &["`pods/exec` cannot be granted"]);
    text("proxy.wasm", rules("clusterRules", "nodes/proxy", "get"), &["`nodes/proxy` cannot be granted"]);
    let multiplied = {
        let names: Vec<String> = (0..1000).map(|number| format!("n{number}")).collect();
        let mut manifest = json!({ "tools": [{ "name": "t", "inputSchema": { "type": "object" } }] });
        manifest["rules"] = json!([{ "apiGroups": names, "resources": names, "verbs": ["get"] }]);
        Text::new(&manifest)
    };
    text("multiplied.wasm", multiplied, &["the rules come to 1000000 rights", "4096 at most"]);
    text("delete.wasm", rules("rules", "pods", "delete"), &["`delete`"]);
    text("trap.wasm", Text::tool("t").with_core("(func $start unreachable) (start $start)", ""), &["manifest", "crashed"]);
    all
}

#[tokio::test]
async fn a_file_that_cannot_be_served_is_named_with_its_reason_and_the_rest_serves() {
    let folder = tempfile::tempdir().unwrap();
    let refused = refused(folder.path());
    Text::tool("good").write(folder.path(), "good.wasm");
    std::fs::write(folder.path().join("README.md"), "no component, and not asked for").unwrap();

    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).start().await;
    for Refused { file, said } in &refused {
        let name = file.display().to_string();
        let log = server.log();
        let line =
            log.lines().find(|line| line.contains(&format!("{name}:"))).unwrap_or_else(|| panic!("no word of {name}: {log}"));
        for said in *said {
            assert!(line.contains(said), "{said:?} about {name}: {line}");
        }
    }
    assert!(!server.log().contains("README.md"), "{}", server.log());
    let client = Client::modern(&server);
    let tools = client.request("tools/list", json!({})).await["result"]["tools"].take();
    assert_eq!(tools.as_array().unwrap().len(), 8, "{tools}");
    assert_eq!(client.request("tools/call", json!({ "name": "good", "arguments": {} })).await["result"]["content"], json!([]));
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
}

#[tokio::test]
async fn inspect_says_the_same_with_status_1() {
    let folder = tempfile::tempdir().unwrap();
    for Refused { file, said } in refused(folder.path()) {
        let finished = Run::new(&["inspect"]).arg(&file).finish().await;
        assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{}: {finished:?}", file.display());
        for said in said.iter().chain(&[file.file_name().unwrap().to_str().unwrap()]) {
            assert!(finished.stderr.contains(said), "{said:?} about {}: {finished:?}", file.display());
        }
    }
}

#[tokio::test]
async fn a_manifest_that_never_ends_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let file = Text::tool("t")
        .with_core("(func $start (loop $forever (br $forever))) (start $start)", "")
        .write(folder.path(), "slow.wasm");
    // Little enough to be computed within the 2 s of a manifest on a busy machine.
    let config = "limits: { cpu: 100ms }\n";
    let server = Server::builder().cluster("demo").config(config).arg("--tools").arg(&file).start().await;
    let log = server.log();
    assert!(log.contains("its manifest cannot be had") && log.contains("computed for 0.1 s") && !log.contains("narrow"), "{log}");
    assert_eq!(Client::modern(&server).answer("check_health", json!({})).await["status"], "ok");
}

#[tokio::test]
async fn a_file_that_declares_more_than_it_holds_takes_no_room() {
    /// What the one section of the file says of its size, in bytes, and how the format writes that.
    const DECLARED: (u64, &[u8]) = (0x3fff_ffff, b"\xff\xff\xff\xff\x03");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.wasm");
    std::fs::write(&file, [b"\0asm\x0d\0\x01\0\x07", DECLARED.1, b"\x01"].concat()).unwrap();
    let server = Server::builder().cluster("demo").arg("--tools").arg(&file).start().await;
    assert!(server.log().contains("large.wasm: the component is damaged"), "{}", server.log());
    let peak = sandbar_tests::process::peak(server.id());
    assert!(peak < DECLARED.0, "{peak} bytes for a file of 14");
}

#[tokio::test]
async fn a_file_of_any_size_takes_no_more_room_than_the_largest_component() {
    /// Bytes of a file that is a hole, and has no blocks of a disk.
    const HUGE: u64 = 1 << 40;
    /// What a server takes that reads of each file as much as the largest component has.
    const MOST: u64 = 512 << 20;
    let folder = tempfile::tempdir().unwrap();
    let huge = folder.path().join("huge.wasm");
    std::fs::File::create(&huge).unwrap().set_len(HUGE).unwrap();
    // It has no end at all.
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("endless.wasm")).unwrap();
    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).start().await;
    for (name, said) in [("huge.wasm", "it has more than 64 MiB"), ("endless.wasm", ", not a file")] {
        let log = server.log();
        let line = log.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no word of {name}: {log}"));
        assert!(line.contains(said), "{line}");
    }
    let peak = sandbar_tests::process::peak(server.id());
    assert!(peak < MOST, "{peak} bytes");
}

#[tokio::test]
async fn a_function_that_would_take_minutes_to_compile_is_refused() {
    /// Bytes of code that one function may have.
    const MOST: usize = 1024 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let long = format!("(func {})", "nop ".repeat(MOST));
    let file = Text::tool("t").with_core(&long, "").write(folder.path(), "long.wasm");
    let finished = Run::new(&["inspect"]).arg(&file).finish().await;
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{finished:?}");
    assert!(finished.stderr.contains("bytes of code, and may have 1048576: split it up"), "{finished:?}");
}

#[tokio::test]
async fn a_name_that_is_taken_stays_with_whoever_was_loaded_first() {
    let folder = tempfile::tempdir().unwrap();
    Text::tool("twin").answering(r#"{"content":[{"type":"text","text":"the first"}]}"#).write(folder.path(), "a.wasm");
    Text::tool("twin").answering(r#"{"content":[{"type":"text","text":"the second"}]}"#).write(folder.path(), "b.wasm");
    Text::tool("check_health").write(folder.path(), "c.wasm");
    let finished = Run::new(&["tools", "--cluster", "demo", "--tools"]).arg(folder.path()).finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    let lines: BTreeMap<&str, &str> =
        finished.stderr.lines().filter_map(|line| line.rsplit_once('/')?.1.split_once(": ")).collect();
    assert_eq!(lines["b.wasm"], r#"it serves a tool named "twin", and so does a, which was loaded first; rename one of them"#);
    assert!(lines["c.wasm"].starts_with(r#"it serves a tool named "check_health", and so does check-health"#), "{lines:?}");
    assert_eq!(lines.len(), 2, "{lines:?}");

    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).start().await;
    let client = Client::modern(&server);
    let twin = client.request("tools/call", json!({ "name": "twin", "arguments": {} })).await;
    assert_eq!(twin["result"]["content"][0]["text"], "the first", "{twin}");
    assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
}

#[tokio::test]
async fn one_component_under_two_paths_is_one_problem_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let file = Text::tool("t").write(folder.path(), "t.wasm");
    let finished =
        Run::new(&["tools", "--cluster", "demo", "--tools"]).arg(&file).arg("--tools").arg(folder.path()).finish().await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
}

#[tokio::test]
async fn what_is_asked_for_beyond_the_grant_is_shown_as_yaml_that_grants_it() {
    // A folder whose name YAML would take for the beginning of a comment.
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("my tools #1");
    std::fs::create_dir(&odd).unwrap();
    let file = odd.join("hostile.wasm");
    std::fs::copy(hostile(), &file).unwrap();

    let refused = Run::new(&["tools", "--cluster", "demo", "--tools"]).arg(&file).finish().await;
    assert_eq!(refused.code(), 1, "{refused:?}");
    assert!(refused.stderr.contains("hostile.wasm: it asks for more than it is granted"), "{refused:?}");
    assert!(!refused.stdout.contains("misbehave"), "{refused:?}");
    let (_, yaml) = refused.stderr.split_once("sandbar.yaml:\n").expect("YAML to paste");

    let config = folder.path().join("sandbar.yaml");
    std::fs::write(&config, yaml).unwrap();
    let granted = Run::new(&["tools", "--cluster", "demo", "-o", "json", "--config"]).arg(&config).finish().await;
    assert_eq!((granted.code(), granted.stderr.as_str()), (0, ""), "{yaml}: {granted:?}");
    let components = granted.json();
    let hostile = components.as_array().unwrap().iter().find(|component| component["component"] == "hostile").unwrap();
    let rules = json!([
        { "apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"] },
        { "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"] },
    ]);
    assert_eq!(hostile["granted"]["rules"], rules);

    // Part of it is not enough, and only the rest is shown.
    let part = yaml.lines().filter(|line| !line.contains("pods/log")).collect::<Vec<_>>().join("\n");
    std::fs::write(&config, part).unwrap();
    let refused = Run::new(&["tools", "--cluster", "demo", "--config"]).arg(&config).finish().await;
    let (_, rest) = refused.stderr.split_once("sandbar.yaml:\n").expect("YAML to paste");
    assert!(rest.contains("pods/log") && !rest.contains("list"), "{refused:?}");
}

#[tokio::test]
async fn a_memory_that_32_bits_cannot_address_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let own = Text::tool("own").with_core("(memory $wide i64 1)", "").write(folder.path(), "own.wasm");
    let wide = "(core module $wide (memory i64 0)) (core instance (instantiate $wide))";
    let beside = Text::tool("beside").lowering(wide).write(folder.path(), "beside.wasm");
    for file in [own, beside] {
        let finished = Run::new(&["inspect"]).arg(&file).finish().await;
        assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{finished:?}");
        assert!(finished.stderr.contains("memory64"), "{finished:?}");
    }
}

/// `sandbar:kubernetes/logs`, with the types of the contract: nothing but a grant is missing.
const LOGS: &str = r#"(import "sandbar:kubernetes/logs@0.1.0" (instance
    (type $failure (record (field "code" string) (field "message" string) (field "retry-after-ms" (option u32))))
    (export "error" (type $e (eq $failure)))
    (type $wanted (record (field "namespace" string) (field "pod" string) (field "container" (option string))
      (field "previous" (option bool)) (field "tail-lines" (option u32)) (field "since-seconds" (option u32))
      (field "timestamps" (option bool)) (field "matching" (option string)) (field "limit-bytes" (option u32))
      (field "more" (option string))))
    (export "source" (type $s (eq $wanted)))
    (type $found (record (field "text" string) (field "truncated" bool) (field "dropped-bytes" (option u32))
      (field "older" (option bool)) (field "warnings" (list string)) (field "more" (option string))))
    (export "excerpt" (type $x (eq $found)))
    (export "tail" (func (param "source" $s) (result (result $x (error $e)))))))"#;

/// What grants it.
const LOGS_RULES: &str = r#"{ apiGroups: [""], resources: [pods/log], verbs: [get] }"#;

#[tokio::test]
async fn whoever_imports_a_capability_without_asking_for_it_is_not_linked() {
    let folder = tempfile::tempdir().unwrap();
    let file = Text::tool("quiet").importing(LOGS).write(folder.path(), "quiet.wasm");
    let finished = Run::new(&["tools", "--cluster", "demo", "--tools"]).arg(&file).finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    let said = "quiet.wasm: the component imports `sandbar:kubernetes/logs`, which is not granted to it";
    assert!(finished.stderr.contains(said) && !finished.stdout.contains("quiet"), "{finished:?}");

    // The grant is all that it lacked. Another one is none.
    let config = folder.path().join("sandbar.yaml");
    let pods = r#"{ apiGroups: [""], resources: [pods], verbs: [get, list] }"#;
    for (rule, said) in [(pods, said), (LOGS_RULES, "")] {
        std::fs::write(&config, format!("tools:\n  - component: quiet.wasm\n    rules: [{rule}]\n")).unwrap();
        let finished = Run::new(&["tools", "--cluster", "demo", "--config"]).arg(&config).finish().await;
        assert_eq!(
            (finished.code(), finished.stdout.contains("quiet")),
            (i32::from(rule == pods), rule == LOGS_RULES),
            "{finished:?}"
        );
        assert!(finished.stderr.contains(said), "{finished:?}");
    }
}

#[tokio::test]
async fn whoever_asks_for_what_it_imports_is_told_the_rules_that_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = json!({ "tools": [{ "name": "asking", "inputSchema": { "type": "object" } }] });
    manifest["rules"] = json!([{ "apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"] }]);
    let file = Text::new(&manifest).importing(LOGS).write(folder.path(), "asking.wasm");
    let finished = Run::new(&["tools", "--cluster", "demo", "--tools"]).arg(&file).finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    let rule = r#"{"apiGroups":[""],"resources":["pods/log"],"verbs":["get"]}"#;
    for said in ["asking.wasm: it asks for more than it is granted", rule] {
        assert!(finished.stderr.contains(said), "{said}: {finished:?}");
    }
    // Without the right to its logs the interface does not exist, whatever the operator accepts.
    let config = folder.path().join("sandbar.yaml");
    std::fs::write(&config, "tools:\n  - component: asking.wasm\n    partialGrant: true\n").unwrap();
    let finished = Run::new(&["tools", "--cluster", "demo", "--config"]).arg(&config).finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert!(finished.stderr.contains("`sandbar:kubernetes/logs`, which is not granted to it"), "{finished:?}");
}

#[tokio::test]
async fn a_path_that_is_not_there_is_named() {
    let finished = Run::new(&["tools", "--cluster", "demo", "--tools", "/no/such/tool.wasm"]).finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert!(finished.stderr.contains("/no/such/tool.wasm"), "{finished:?}");
}
