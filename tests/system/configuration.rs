//! sandbar.yaml, and the flags and variables that count before it: what of them reaches a server, and what is refused at start.

use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use bytes::Bytes;
use http::Request;
use sandbar_tests::mcp::Client;
use sandbar_tests::sandbar::{Finished, Run, Server};
use sandbar_tests::{TOOLS, http as wire};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::components::hostile;

mod bundled;
mod grants;
mod limits;
mod serving;

/// A folder with this sandbar.yaml.
fn folder_with(yaml: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sandbar.yaml"), yaml).unwrap();
    folder
}

/// `sandbar tools -o json` for the demo cluster, with the sandbar.yaml of a folder.
fn tools(folder: &Path) -> Run {
    Run::new(&["tools", "--cluster", "demo", "-o", "json", "--config"]).arg(folder.join("sandbar.yaml"))
}

/// One of the components that `sandbar tools -o json` has printed.
fn component(finished: &Finished, name: &str) -> Value {
    let components = finished.json();
    let mut found = components.as_array().unwrap().iter().filter(|component| component["component"] == name);
    let component = found.next().unwrap_or_else(|| panic!("no {name}: {finished:?}"));
    assert!(found.next().is_none(), "{name} is there twice: {finished:?}");
    component.clone()
}

#[tokio::test]
async fn a_mistake_is_refused_with_file_line_and_the_nearest_right_key() {
    let folder = folder_with("cluster: demo\nlimits:\n  tme: 5s\n");
    for command in ["tools", "rbac", "serve"] {
        let finished = Run::new(&[command, "--config"]).arg(folder.path().join("sandbar.yaml")).finish().await;
        assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{command}: {finished:?}");
        let place = format!("{}/sandbar.yaml:3:3: unknown key `tme`; did you mean `time`?\n", folder.path().display());
        assert!(finished.stderr.ends_with(&place), "{command}: {finished:?}");
    }
    // Everything that is impossible is named at once.
    let folder = folder_with(
        "namespaces: [Team]\ntools:\n  - component: a.wasm\n    rules: [{ apiGroups: [\"\"], resources: [pods/exec], verbs: [get] }]\n",
    );
    let finished = tools(folder.path()).finish().await;
    for said in ["sandbar.yaml:1:14: \"Team\" is no namespace", "sandbar.yaml:4:13: this rule cannot be granted: `pods/exec`"] {
        assert!(finished.stderr.contains(said), "{said}: {finished:?}");
    }
    let finished = Run::new(&["tools", "--cluster", "demo", "--config", "/no/such/sandbar.yaml"]).finish().await;
    finished.assert_refused("/no/such/sandbar.yaml");
}

/// Each limit with three values: of the file, of the variable and of the flag.
const LIMITS: [(&str, [&str; 3]); 16] = [
    ("time", ["11s", "12s", "13s"]),
    ("cpu", ["11s", "12s", "13s"]),
    ("memory", ["11Mi", "12Mi", "13Mi"]),
    ("requests", ["11", "12", "13"]),
    ("read", ["11Mi", "12Mi", "13Mi"]),
    ("handed", ["11Mi", "12Mi", "13Mi"]),
    ("logs", ["11Ki", "12Ki", "13Ki"]),
    ("result", ["11Ki", "12Ki", "13Ki"]),
    ("page", ["11", "12", "13"]),
    ("logged", ["11Ki", "12Ki", "13Ki"]),
    ("progress", ["11", "12", "13"]),
    ("stack", ["1Mi", "2Mi", "3Mi"]),
    ("tables", ["1100", "1200", "1300"]),
    ("handles", ["11", "12", "13"]),
    ("passed", ["11Ki", "12Ki", "13Ki"]),
    ("calls", ["1", "2", "3"]),
];

#[tokio::test]
async fn of_each_limit_the_flag_counts_before_the_variable_and_both_before_the_file() {
    let of_file: String = LIMITS.iter().map(|(key, [file, ..])| format!("  {key}: {file}\n")).collect();
    let folder = folder_with(&format!("limits:\n{of_file}"));
    let run = || Run::new(&["tools", "--cluster", "demo", "--config"]).arg(folder.path().join("sandbar.yaml"));
    let with_variables = |run: Run| {
        LIMITS
            .iter()
            .fold(run, |run, (key, [_, variable, _])| run.env(&format!("SANDBAR_LIMIT_{}", key.to_uppercase()), variable))
    };
    let with_flags = |run: Run| LIMITS.iter().fold(run, |run, (key, [.., flag])| run.arg(format!("--limit-{key}")).arg(flag));
    for (counts, run) in [run(), with_variables(run()), with_flags(with_variables(run()))].into_iter().enumerate() {
        let finished = run.finish().await;
        assert_eq!(finished.code(), 0, "{finished:?}");
        for (key, values) in LIMITS {
            let said = format!("{key} {}", values[counts]);
            let lines = finished.stdout.lines().filter(|line| line.trim_start().starts_with("limits "));
            let is_said = |line: &str| line.trim_start_matches("  limits").split(',').any(|limit| limit.trim() == said);
            assert!(lines.clone().count() == TOOLS.len() && lines.clone().all(is_said), "{said}: {}", finished.stdout);
        }
    }
    for wrong in ["0", "-1", "many"] {
        let finished = Run::new(&["tools", "--cluster", "demo"]).env("SANDBAR_LIMIT_MEMORY", wrong).finish().await;
        assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""), "{finished:?}");
        assert!(finished.stderr.contains(wrong) && finished.stderr.contains("--limit-memory"), "{finished:?}");
    }
}

#[tokio::test]
async fn of_cluster_and_namespaces_too_and_a_list_counts_as_a_whole() {
    // None of these clusters can be reached, and their names are in the message.
    let folder = folder_with("cluster: snapshot:/of/the/file\nnamespaces: [of-file, of-both]\n");
    let run = |command: &str| Run::new(&[command, "--config"]).arg(folder.path().join("sandbar.yaml"));
    let of_file = run("call").arg("check_health").finish().await;
    of_file.assert_refused("/of/the/file");
    let of_variable = run("tools").env("SANDBAR_CLUSTER", "snapshot:/of/the/variable").finish().await;
    of_variable.assert_refused("/of/the/variable");
    let of_flag = |run: Run| run.env("SANDBAR_CLUSTER", "snapshot:/of/the/variable").arg("--cluster").arg("demo");

    let namespaces = |finished: &Finished| component(finished, "get-events")["granted"]["namespaces"].clone();
    let json = |run: Run| of_flag(run).arg("-o").arg("json");
    assert_eq!(namespaces(&json(run("tools")).finish().await), json!(["of-both", "of-file"]));
    let variable = json(run("tools")).env("SANDBAR_NAMESPACES", "of-both,of-variable");
    assert_eq!(namespaces(&variable.finish().await), json!(["of-both", "of-variable"]));
    let flag = json(run("tools")).env("SANDBAR_NAMESPACES", "of-both,of-variable").arg("--namespaces").arg("of-flag");
    assert_eq!(namespaces(&flag.finish().await), json!(["of-flag"]));

    // The roles follow.
    let roles = of_flag(run("rbac")).arg("--namespaces").arg("of-flag").finish().await;
    assert!(roles.stdout.contains("namespace: of-flag") && !roles.stdout.contains("of-file"), "{roles:?}");
}

#[tokio::test]
async fn of_hosts_and_origins_too() {
    let yaml = "hosts: [file.example.com]\norigins: [\"https://file.example.com\"]\n";
    let builder = || Server::builder().cluster("demo").config(yaml);
    let variables = || {
        builder().env("SANDBAR_ALLOW_HOST", "variable.example.com").env("SANDBAR_ALLOW_ORIGIN", "https://variable.example.com")
    };
    let flags = || variables().arg("--allow-host").arg("flag.example.com").arg("--allow-origin").arg("https://flag.example.com");
    for (counts, server) in [("file", builder()), ("variable", variables()), ("flag", flags())] {
        let server = server.start().await;
        for name in ["file", "variable", "flag"] {
            let as_host = Request::get("/mcp").header("Host", format!("{name}.example.com"));
            let as_origin = Request::get("/mcp").header("Origin", format!("https://{name}.example.com"));
            for request in [as_host, as_origin] {
                let reply = wire::send(server.address(), request.body(Bytes::new()).unwrap()).await;
                assert_eq!(reply.status == 403, name != counts, "{name} with that of the {counts}: {}", reply.status);
            }
        }
    }
    for (flag, wrong) in [("--allow-host", "https://a.example.com"), ("--allow-origin", "a.example.com"), ("--listen", "8090")] {
        let finished = Run::new(&["serve", "--cluster", "demo", flag, wrong]).finish().await;
        assert_eq!(finished.code(), 2, "{finished:?}");
        assert!(finished.stderr.contains(flag) && finished.stderr.contains(wrong), "{finished:?}");
    }
}

#[tokio::test]
async fn of_where_to_listen_too() {
    let other = Server::builder().cluster("demo").start().await;
    let taken = other.address().to_string();
    let folder = folder_with(&format!("cluster: demo\nlisten: {taken}\n"));
    // The address is taken, so whether it counts can be seen.
    let run = || Run::new(&["serve", "--config"]).arg(folder.path().join("sandbar.yaml"));
    let finished = run().finish().await;
    finished.assert_refused(&taken);
    let finished = run().env("SANDBAR_LISTEN", "192.0.2.1:1").finish().await;
    finished.assert_refused("192.0.2.1:1");
    let finished = run().env("SANDBAR_LISTEN", "192.0.2.1:1").arg("--listen").arg("192.0.2.1:2").finish().await;
    finished.assert_refused("192.0.2.1:2");
}

#[tokio::test]
async fn a_colon_separates_paths_in_the_variable_and_belongs_to_the_path_on_the_command_line() {
    let rules = "partialGrant: true\n    rules: [{ apiGroups: [\"\"], resources: [pods, pods/log], verbs: [get] }]\n";
    let folder = folder_with("");
    let odd = folder.path().join("a:b");
    std::fs::create_dir(&odd).unwrap();
    std::fs::copy(hostile(), odd.join("hostile.wasm")).unwrap();
    std::fs::copy(hostile(), folder.path().join("other.wasm")).unwrap();
    let yaml = format!("tools:\n  - component: a:b/hostile.wasm\n    {rules}");
    std::fs::write(folder.path().join("granted.yaml"), yaml).unwrap();

    let run = || Run::new(&["tools", "--cluster", "demo", "-o", "json", "--config"]).arg(folder.path().join("granted.yaml"));
    let finished = run().arg("--tools").arg(odd.join("hostile.wasm")).finish().await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    component(&finished, "hostile");

    // Two paths, of which the second serves tools of the same names without a grant.
    let both = format!("{}:{}", folder.path().join("other.wasm").display(), folder.path().join("sandbar.yaml").display());
    let finished = run().env("SANDBAR_TOOLS", &both).finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    for said in ["other.wasm: it asks for more", "sandbar.yaml: this is not a WebAssembly file"] {
        assert!(finished.stderr.contains(said), "{said}: {finished:?}");
    }
    // The flag takes the place of the variable.
    let finished = run().env("SANDBAR_TOOLS", &both).arg("--tools").arg(odd.join("hostile.wasm")).finish().await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
}

#[tokio::test]
async fn a_session_key_that_is_none_is_refused_with_its_place_and_what_makes_one() {
    let folder = folder_with("");
    let at = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let serve = || Run::new(&["serve", "--cluster", "demo", "--listen", "127.0.0.1:0"]);
    for (file, said) in [
        ("/dev/null".to_owned(), "no session key in"),
        (at("empty", b""), "no session key in"),
        (at("blank", b" \n\n"), "no session key in"),
        (at("short", b"123456789012345\n"), "has 15 bytes"),
        (at("second", b"0123456789abcdef\n123456789012345\n"), "line 2 of"),
        (at("binary", b"\x000123456789abcdef"), "is not text"),
        (at("twice", b"0123456789abcdef\n0123456789abcdef\n"), "of line 1 again"),
        (at("huge", &[b'x'; 65 * 1024]), "64 KiB"),
        (folder.path().join("none").display().to_string(), "cannot be read"),
        (folder.path().display().to_string(), "cannot be read"),
        ("/dev/zero".to_owned(), "64 KiB"),
    ] {
        for run in [serve().arg("--session-key-file").arg(&file), serve().env("SANDBAR_SESSION_KEY_FILE", &file)] {
            let finished = run.finish().await;
            assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{file}: {finished:?}");
            assert!(finished.stderr.contains(&file) && finished.stderr.contains(said), "{file}: {finished:?}");
        }
    }
    let finished = serve().env("SANDBAR_SESSION_KEY", "short").finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    for said in ["SANDBAR_SESSION_KEY has 5 bytes", "openssl rand"] {
        assert!(finished.stderr.contains(said) && !finished.stderr.contains("short"), "{said}: {finished:?}");
    }
}

#[tokio::test]
async fn a_wrong_variable_is_named_as_the_variable_and_an_unknown_one_is_told() {
    let serve = || Run::new(&["serve", "--cluster", "demo", "--listen", "127.0.0.1:0"]);
    for (name, value, said) in [
        ("SANDBAR_ALLOW_HOST", "https://a.example.com", "SANDBAR_ALLOW_HOST (--allow-host <NAME>)"),
        ("SANDBAR_CONNECTIONS", "3", "SANDBAR_CONNECTIONS (--connections <NUMBER>)"),
        ("SANDBAR_CALLS_PER_SECOND", "0", "is no whole number above zero"),
        ("SANDBAR_DRAIN", "", "SANDBAR_DRAIN (--drain <TIME>)"),
        ("SANDBAR_LIMIT_TIME", "soon", "SANDBAR_LIMIT_TIME (--limit-time <TIME>)"),
        ("SANDBAR_NAMESPACES", "team-a,Team", "SANDBAR_NAMESPACES (--namespaces <NAMES>)"),
        ("SANDBAR_LOG", "verbose", "SANDBAR_LOG=\"verbose\" is no filter of the log"),
        ("SANDBAR_LOG_FORMAT", "yaml", "write json or text"),
    ] {
        let finished = serve().env(name, value).finish().await;
        assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""), "{name}: {finished:?}");
        assert!(finished.stderr.contains(said), "{name}: {finished:?}");
    }
    // The flag counts, so it is what is wrong.
    let finished = serve().env("SANDBAR_DRAIN", "1s").arg("--drain=soon").finish().await;
    assert!(finished.stderr.contains("for '--drain <TIME>'"), "{finished:?}");
    let odd = std::ffi::OsString::from_vec(vec![0xff]);
    let finished = serve().env("SANDBAR_DRAIN", odd).finish().await;
    assert!(finished.code() == 2 && finished.stderr.contains("SANDBAR_DRAIN"), "{finished:?}");

    let server = Server::builder().cluster("demo").env("SANDBAR_LISEN", "0.0.0.0:80").env("SANDBAR_PORT", "tcp://10.0.0.1:80");
    let server = server.env("SANDBAR_SERVICE_HOST", "10.0.0.1").start().await;
    let log = server.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("nothing reads")).collect();
    assert!(
        matches!(told[..], [told] if told.contains("WARN") && told.contains("`SANDBAR_LISEN`; did you mean `SANDBAR_LISTEN`?")),
        "{log}"
    );
}

#[tokio::test]
async fn one_component_under_two_spellings_of_its_path_is_one_component() {
    let rules = "    rules:\n      - { apiGroups: [\"\"], resources: [pods], verbs: [get, list] }\n      - { apiGroups: [\"\"], resources: [pods/log], verbs: [get] }\n";
    let folder = folder_with(&format!("tools:\n  - component: ./sub/../sub/hostile.wasm\n{rules}"));
    let sub = folder.path().join("sub");
    std::fs::create_dir(&sub).unwrap();
    std::fs::copy(hostile(), sub.join("hostile.wasm")).unwrap();
    std::os::unix::fs::symlink(&sub, folder.path().join("link")).unwrap();
    for spelling in [sub.join("hostile.wasm"), sub.clone(), folder.path().join("link/hostile.wasm"), "sub/hostile.wasm".into()] {
        let finished = tools(folder.path()).within(folder.path()).arg("--tools").arg(&spelling).finish().await;
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{}: {finished:?}", spelling.display());
        component(&finished, "hostile");
    }
    // By the flag alone it is the same component, so it has the grant of the entry.
    let server = Server::builder().cluster("demo").arg("--config").arg(folder.path().join("sandbar.yaml"));
    let server = server.arg("--tools").arg(folder.path().join("link/hostile.wasm")).start().await;
    assert_eq!(Client::modern(&server).answer("promise", json!({ "how": "remember" })).await, json!({ "n": 0 }));

    // And two entries for it contradict each other.
    let folder = folder_with(&format!("tools:\n  - component: {0}\n  - component: {0}\n", hostile().display()));
    let finished = tools(folder.path()).finish().await;
    finished.assert_refused("sandbar.yaml:3:16: ");
}

#[tokio::test]
async fn the_schema_that_is_printed_is_the_one_that_is_shipped() {
    let finished = Run::new(&["config-schema"]).finish().await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    assert!(finished.stdout == include_str!("../../docs/reference/sandbar.schema.json"), "it is another one");
}
