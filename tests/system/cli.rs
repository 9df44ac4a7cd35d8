//! The command line: what goes to which stream, and with which exit status.

use sandbar_tests::TOOLS;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::mcp::Client;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Finished, Run, Server};
use serde_json::{Value, json};

async fn sandbar(arguments: &[&str]) -> Finished {
    Run::new(arguments).finish().await
}

#[tokio::test]
async fn call_prints_what_a_model_would_read_and_nothing_else() {
    let finished = sandbar(&["call", "list_control_planes", "--cluster", "demo"]).await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    let items = finished.json()["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 2);
    assert_eq!(finished.stdout.lines().count(), 1, "compact, as over MCP");
}

#[tokio::test]
async fn call_prints_the_whole_result_for_programs() {
    let finished = sandbar(&["call", "check_health", "{}", "--cluster", "demo", "-o", "json"]).await;
    assert_eq!(finished.code(), 0, "{finished:?}");
    let result = finished.json();
    assert_eq!(result["isError"], false);
    assert_eq!(result["structuredContent"]["status"], "ok");
    assert_eq!(result["content"][0]["text"], result["structuredContent"].to_string());
}

#[tokio::test]
async fn a_tool_that_fails_is_status_1_and_says_why_on_stderr() {
    let arguments = r#"{"namespace":"team-a","name":"nope"}"#;
    let finished = sandbar(&["call", "get_control_plane_status", arguments, "--cluster", "demo"]).await;
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{finished:?}");
    assert!(
        finished.stderr.contains(r#"get CoderControlPlane team-a/nope: codercontrolplanes.coder.com "nope" not found"#),
        "{finished:?}"
    );
}

#[tokio::test]
async fn a_call_that_cannot_be_is_status_2() {
    for (arguments, said) in [
        (&["call", "no_such_tool"][..], "unknown tool \"no_such_tool\"; the tools of this server are check_health, "),
        (&["call", "get_event"], "did you mean \"get_events\"?"),
        (&["call", "get-pod-logs"], "did you mean \"get_pod_logs\"?"),
        (&["call", "ListWorkspaces"], "did you mean \"list_workspaces\"?"),
        (&["call", "get_control_plane"], "did you mean \"get_control_plane_status\"?"),
        (&["call", "get_events", "--kubeconfig", "x"], "$KUBECONFIG"),
        (&["call", "get_events", "{}"], "namespace"),
        (&["call", "get_events", r#"{"namespace":"team-a","colour":"red"}"#], "colour"),
        (&["call", "get_events", "{"], "JSON object"),
        (&["call", "get_events", "[]"], "JSON object"),
        (&["call"], "<TOOL>"),
        (&["no-such-command"], "no-such-command"),
        (&["call", "check_health", "--cluster", "nowhere"], "nowhere"),
    ] {
        let finished = Run::new(arguments).env("SANDBAR_CLUSTER", "demo").finish().await;
        assert_eq!((finished.code(), finished.stdout.as_str()), (2, ""), "{arguments:?}: {finished:?}");
        assert!(finished.stderr.contains(said), "{arguments:?}: {finished:?}");
    }
}

#[tokio::test]
async fn arguments_can_come_through_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("arguments.json");
    std::fs::write(&path, r#"{"namespace":"team-a"}"#).unwrap();
    let run = Run::new(&["call", "list_control_planes", "-", "--cluster", "demo"]).stdin(std::fs::File::open(path).unwrap());
    let finished = run.finish().await;
    assert_eq!(finished.json()["items"].as_array().unwrap().len(), 1, "{finished:?}");
}

#[tokio::test]
async fn tools_shows_what_is_served_and_what_it_may_read() {
    let finished = sandbar(&["tools", "--cluster", "demo", "-o", "json"]).await;
    assert_eq!(finished.code(), 0, "{finished:?}");
    let components = finished.json();
    let logs = components.as_array().unwrap().iter().find(|component| component["component"] == "get-pod-logs").unwrap();
    assert_eq!(logs["source"], "bundled");
    let rules = json!([{ "apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"] }]);
    assert_eq!((&logs["asked"]["rules"], &logs["granted"]["rules"]), (&rules, &rules));
    assert_eq!(logs["missing"], json!({ "rules": [], "clusterRules": [], "caller": false }));
    let text = sandbar(&["tools", "--cluster", "demo"]).await;
    for &tool in TOOLS.iter() {
        assert!(text.stdout.contains(tool), "{tool}: {text:?}");
    }
}

#[tokio::test]
async fn rbac_prints_a_cluster_role_or_a_role_for_each_namespace() {
    let finished = sandbar(&["rbac", "--cluster", "demo"]).await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    let documents = documents(&finished.stdout);
    assert_eq!(kinds(&documents), ["ClusterRole", "ClusterRoleBinding"]);
    assert_eq!(documents[0]["metadata"]["name"], "coder-k8s-mcp");
    assert_eq!(
        documents[1]["subjects"][0],
        json!({ "kind": "ServiceAccount", "name": "coder-k8s-mcp", "namespace": "coder-system" })
    );

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sandbar.yaml");
    std::fs::write(&config, "namespaces: [team-a, team-b]\n").unwrap();
    let finished = Run::new(&["rbac", "--cluster", "demo", "--config"]).arg(&config).finish().await;
    assert_eq!(kinds(&self::documents(&finished.stdout)), ["Role", "RoleBinding", "Role", "RoleBinding"], "{finished:?}");
}

#[tokio::test]
async fn a_tool_that_may_look_into_some_namespaces_gets_roles_there_and_nothing_in_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sandbar.yaml");
    std::fs::write(&config, "bundled: { tools: { get_pod_logs: { namespaces: [team-a, team-b] } } }\n").unwrap();
    let finished = Run::new(&["rbac", "--cluster", "demo", "--config"]).arg(&config).finish().await;
    let documents = documents(&finished.stdout);
    let expected = ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Role", "RoleBinding"];
    assert_eq!(kinds(&documents), expected, "{finished:?}");
    let logs = json!([{ "apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"] }]);
    for (role, namespace) in [(&documents[2], "team-a"), (&documents[4], "team-b")] {
        assert_eq!((&role["metadata"]["namespace"], &role["rules"]), (&json!(namespace), &logs));
    }
    let everywhere = documents[0]["rules"].to_string();
    assert!(everywhere.contains("events") && !everywhere.contains("pods/log"), "{everywhere}");
}

#[tokio::test]
async fn what_follows_from_the_tools_alone_needs_no_cluster() {
    let nobody = tempfile::tempdir().unwrap();
    let alone = |arguments: &[&str]| Run::new(arguments).env("HOME", nobody.path()).finish();
    let roles = alone(&["rbac"]).await;
    assert_eq!((roles.code(), roles.stderr.as_str()), (0, ""), "{roles:?}");
    assert_eq!(roles.stdout, sandbar(&["rbac", "--cluster", "demo"]).await.stdout);
    let tools = alone(&["tools", "-o", "json"]).await;
    assert_eq!((tools.code(), tools.stderr.as_str()), (0, ""), "{tools:?}");
    assert_eq!(tools.json(), sandbar(&["tools", "--cluster", "demo", "-o", "json"]).await.json());

    // What only a cluster can say is refused, with the reason why there is none; and so is one that was asked for.
    for arguments in
        [&["rbac", "--packs", "auto"][..], &["rbac", "--cluster", "kubeconfig"], &["tools", "--cluster", "in-cluster"]]
    {
        let refused = alone(arguments).await;
        assert_eq!((refused.code(), refused.stdout.as_str()), (1, ""), "{arguments:?}: {refused:?}");
    }
    alone(&["rbac", "--packs", "auto"]).await.assert_refused("no cluster found");
}

#[tokio::test]
async fn tools_are_a_table_where_that_is_asked_for() {
    let finished = sandbar(&["tools", "--cluster", "demo", "-o", "table"]).await;
    assert_eq!(finished.code(), 0, "{finished:?}");
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 1 + TOOLS.len(), "{finished:?}");
    assert!(lines[0].starts_with("NAME ") && lines[0].contains("READS"), "{finished:?}");
    let logs = lines.iter().find(|line| line.starts_with("get_pod_logs ")).unwrap();
    assert!(logs.contains("pods/log") && logs.contains("pack coder"), "{logs}");
}

#[tokio::test]
async fn shells_and_manuals_are_told_of_the_command_line() {
    let script = sandbar(&["completions", "bash"]).await;
    assert_eq!((script.code(), script.stderr.as_str()), (0, ""), "{script:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbar.bash");
    std::fs::write(&file, &script.stdout).unwrap();
    // As a shell does that completes the word after `sandbar do`.
    let complete = r#"source "$1"; COMP_WORDS=(sandbar do) COMP_CWORD=1 COMP_LINE='sandbar do'; _sandbar sandbar do sandbar; echo "${COMPREPLY[@]}""#;
    let bash = std::process::Command::new("bash").args(["--norc", "-c", complete, "bash"]).arg(&file).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&bash.stdout).trim(), "doctor", "{bash:?}");

    let page = sandbar(&["man", "serve"]).await;
    assert!(page.code() == 0 && page.stdout.contains(".TH sandbar-serve 1") && page.stdout.contains("sandbar serve"), "{page:?}");
    let pages = folder.path().join("man1");
    let written = Run::new(&["man", "--dir"]).arg(&pages).finish().await;
    assert_eq!((written.code(), written.stdout.as_str()), (0, ""), "{written:?}");
    assert!(pages.join("sandbar-doctor.1").exists() && !pages.join("sandbar-compile-process.1").exists());
    let refused = sandbar(&["man", "compile-process"]).await;
    assert_eq!(refused.code(), 2, "{refused:?}");
}

/// The documents of a YAML stream.
fn documents(yaml: &str) -> Vec<Value> {
    yaml.split("---\n").filter(|text| !text.trim().is_empty()).map(|text| serde_saphyr::from_str(text).expect("YAML")).collect()
}

fn kinds(documents: &[Value]) -> Vec<&str> {
    documents.iter().filter_map(|document| document["kind"].as_str()).collect()
}

#[tokio::test]
async fn wit_writes_the_contract_and_keeps_the_authors_world() {
    let folder = tempfile::tempdir().unwrap();
    let finished = Run::new(&["wit"]).arg(folder.path()).finish().await;
    assert_eq!((finished.code(), finished.stdout.as_str()), (0, ""), "{finished:?}");
    let contract = std::fs::read_to_string(folder.path().join("deps/sandbar-kubernetes/kubernetes.wit")).unwrap();
    assert_eq!(contract, include_str!("../../wit/kubernetes/kubernetes.wit"));
    let mut resolve = wit_parser::Resolve::new();
    resolve.push_dir(folder.path()).expect("the directory is a WIT package");

    let world = folder.path().join("world.wit");
    std::fs::write(&world, "package mine:own;\n").unwrap();
    Run::new(&["wit"]).arg(folder.path()).finish().await;
    assert_eq!(std::fs::read_to_string(world).unwrap(), "package mine:own;\n");
}

#[tokio::test]
async fn an_address_that_cannot_be_listened_on_is_named_with_the_way_out() {
    let server = Server::builder().cluster("demo").start().await;
    let taken = server.address().to_string();
    // Of a network for documents.
    for (address, said) in [
        (taken.as_str(), &["another program does", "another port", "ss -ltnp"][..]),
        ("192.0.2.7:8090", &["192.0.2.7 is no address of this machine", "--listen 0.0.0.0:8090", "--listen 127.0.0.1:8090"]),
    ] {
        let finished = sandbar(&["serve", "--cluster", "demo", "--allow-anonymous", "--listen", address]).await;
        assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{finished:?}");
        for said in [&["cannot listen on", address][..], said].concat() {
            assert!(finished.stderr.contains(said), "{said}: {finished:?}");
        }
    }
}

#[tokio::test]
async fn a_dump_of_a_real_cluster_answers_as_the_cluster_did() {
    let namespace = Namespace::fresh("dump").await;
    namespace.control_plane("main", json!({ "phase": "Ready", "readyReplicas": 2 })).await;
    namespace.event("event", json!({ "reason": "Dumped", "lastTimestamp": "2026-11-22T10:05:00Z", "count": 3 })).await;
    namespace.pod_with_log("web", &CriLog::of(["one", "two"])).await;
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().to_str().unwrap();
    let name = namespace.name();
    let control_plane = ControlPlane::shared();
    control_plane.kubectl(&["cluster-info", "dump", "--output-directory", dump, "--namespaces", name]);
    // kubectl dumps no custom resources.
    let planes = control_plane.kubectl(&["get", "codercontrolplanes", "--namespace", name, "--output", "yaml"]);
    std::fs::write(folder.path().join("planes.yaml"), planes).unwrap();

    let live = Client::modern(Server::shared().await);
    let snapshot = format!("snapshot:{dump}");
    for (tool, arguments) in [
        ("list_control_planes", json!({ "namespace": name })),
        ("get_control_plane_status", json!({ "namespace": name, "name": "main" })),
        ("get_events", json!({ "namespace": name })),
        ("get_pod_logs", json!({ "namespace": name, "name": "web" })),
    ] {
        let answer = live.answer(tool, arguments.clone()).await;
        let finished = sandbar(&["call", tool, &arguments.to_string(), "--cluster", &snapshot]).await;
        assert_eq!(finished.code(), 0, "{tool}: {finished:?}");
        assert_eq!(finished.json(), answer, "{tool}");
    }
}
