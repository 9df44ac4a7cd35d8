//! The image and the manifests as they ship, in a whole cluster: scheduled by a scheduler, run as containers, reached through Services and
//! `kubectl port-forward`. `make e2e` runs it; run.sh says what it needs.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the answer")]
#![allow(clippy::print_stdout, reason = "a run by hand: how many calls there were says how much it proves")]

mod cluster;
mod faults;
mod kubectl;
mod node;
mod registry;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cluster::Cluster;
use sandbar_tests::clients::{Connected, Era, Outcome, RealClient};
use sandbar_tests::components;
use sandbar_tests::sandbar::Run;
use sandbar_tests::until;
use serde_json::{Value, json};

/// Clients that survive a refused connection. The Python client is none of them: after one it has to be made anew, whatever a server does.
const STEADY: [(RealClient, Era); 7] = [
    (RealClient::TypeScriptV1, Era::Legacy),
    (RealClient::TypeScriptV2, Era::Legacy),
    (RealClient::TypeScriptV2, Era::Modern),
    (RealClient::Go, Era::Legacy),
    (RealClient::Go, Era::Modern),
    (RealClient::Rust, Era::Legacy),
    (RealClient::Rust, Era::Modern),
];

const PYTHON: [(RealClient, Era); 2] = [(RealClient::Python, Era::Legacy), (RealClient::Python, Era::Modern)];

/// Clients that reach the Service through the API server.
const PROXIED: [(RealClient, Era); 2] = [(RealClient::Go, Era::Legacy), (RealClient::Go, Era::Modern)];

/// Calls that each client makes after the new pods have taken over: they show that it went on.
const CALLS_AFTER: usize = 5;

#[tokio::test]
#[ignore = "takes a whole cluster: make e2e"]
async fn a_deployed_server_reads_events_and_logs_of_the_cluster_that_it_runs_in() {
    let cluster = Cluster::shared().await;
    let forward = cluster.port_forward(0).await;
    let (_, mut client) = RealClient::Go.connect(forward.url(), Era::Modern).await.unwrap();

    let health = answered(client.call("check_health", json!({})).await);
    assert_eq!(health["status"], "ok");
    let events = answered(client.call("get_events", json!({ "namespace": "coder-system", "limit": 1000 })).await);
    let reasons: Vec<&Value> = events["items"].as_array().unwrap().iter().map(|event| &event["reason"]).collect();
    assert!(reasons.iter().any(|reason| **reason == "Started"), "{reasons:?}");
    let pod = &cluster.pods()[0];
    let log = answered(client.call("get_pod_logs", json!({ "namespace": "coder-system", "name": pod })).await);
    assert!(log["logs"].as_str().unwrap().contains("sandbar serves 7 tools for cluster of this pod"), "{log}");
}

#[tokio::test]
#[ignore = "takes a whole cluster: make e2e"]
async fn clients_go_on_where_a_port_forward_breaks_and_is_opened_again() {
    let cluster = Cluster::shared().await;
    let forward = cluster.port_forward(0).await;
    let port = forward.port();
    let mut steady = connected(&STEADY, forward.url()).await;
    let mut python = connected(&PYTHON, forward.url()).await;
    for client in steady.iter_mut().chain(&mut python) {
        answered(client.call("check_health", json!({})).await);
    }

    drop(forward);
    for client in &mut steady {
        let outcome = client.call("check_health", json!({})).await;
        assert!(matches!(outcome, Outcome::Failure { .. }), "nobody listens: {outcome:?}");
    }
    // The pods of before are gone, so that the new way leads to another one.
    cluster.kubectl(&["delete", "pods", "--selector", "app=coder-k8s-mcp"]);
    cluster.rolled_out();
    let _again = cluster.port_forward(port).await;
    for client in steady.iter_mut().chain(&mut python) {
        answered(client.call("check_health", json!({})).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a whole cluster: make e2e"]
async fn no_call_fails_while_the_deployment_is_rolled() {
    let cluster = Cluster::shared().await;
    let proxy = cluster.proxy().await;
    let mut clients = connected(&PROXIED, proxy.url()).await;
    if let Some(url) = cluster.service_url().await {
        clients.extend(connected(&STEADY, &url).await);
        clients.extend(connected(&PYTHON, &url).await);
    }
    let rolled: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let calling: Vec<_> = clients.into_iter().map(|client| tokio::spawn(call_until(client, rolled))).collect();

    cluster.roll().await;
    rolled.store(true, Ordering::Relaxed);

    let mut failures = Vec::new();
    let mut calls = 0;
    for client in calling {
        let (made, failed) = client.await.unwrap();
        calls += made;
        failures.extend(failed);
    }
    assert!(failures.is_empty(), "{} of {calls} calls failed: {failures:#?}", failures.len());
    println!("{calls} calls were answered");
}

/// A script with a tool that counts pods, and says which version of it that was.
fn counting(version: u32) -> String {
    let schema = json!({ "type": "object", "properties": { "namespace": { "type": "string" } } });
    let manifest = json!({
        "rules": lists_pods(),
        "tools": [{ "name": "count_pods", "description": "How many pods a namespace has.", "inputSchema": schema }],
    });
    let answer = format!("{{ version: {version}, pods: [...sandbar.all(\"pods\", {{ namespace }})].length }}");
    format!("export const manifest = {manifest};\nexport const count_pods = ({{ namespace }}) => ({answer});\n")
}

/// What a tool that lists pods is granted.
fn lists_pods() -> Value {
    json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }])
}

/// What a tool answers once it is compiled, which a pod is ready before.
async fn served(client: &mut Connected, tool: &str, arguments: &Value) -> Value {
    let since = Instant::now();
    loop {
        match client.call(tool, arguments.clone()).await {
            Outcome::Result { structured, is_error: false, .. } => return structured,
            not_yet => assert!(since.elapsed() < UNTIL_TOLD, "{not_yet:?}"),
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Before the tests that have roles of their own, by its name.
#[tokio::test]
#[ignore = "takes a whole cluster: make e2e"]
async fn scripts_in_a_config_map_are_served_and_an_edit_is_taken_up_without_new_pods() {
    let cluster = Cluster::shared().await;
    cluster.write("coder-k8s-mcp-scripts", "pods.js", &counting(1));
    let entry = json!({ "script": "/etc/sandbar-scripts/pods.js", "rules": lists_pods() });
    cluster.serves(cluster::SCRIPTS, &json!({ "tools": [entry] })).await;
    let forward = cluster.port_forward(0).await;
    let (_, mut client) = RealClient::Go.connect(forward.url(), Era::Modern).await.unwrap();
    let asked = json!({ "namespace": "coder-system" });
    let counted = served(&mut client, "count_pods", &asked).await;
    assert_eq!(counted["version"], 1);
    assert!(counted["pods"].as_u64().is_some_and(|pods| pods >= 2), "{counted}");

    let before = cluster.pods();
    cluster.write("coder-k8s-mcp-scripts", "pods.js", &counting(2));
    // The kubelet looks for it once a minute.
    let since = Instant::now();
    while answered(client.call("count_pods", asked.clone()).await)["version"] != 2 {
        assert!(since.elapsed() < UNTIL_TOLD, "the edit has not been taken up");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(cluster.pods(), before);
}

/// The same.
#[tokio::test]
#[ignore = "takes a whole cluster: make e2e"]
async fn signed_tools_are_pulled_from_a_registry_before_the_server_starts_and_others_keep_it_from_starting() {
    let cluster = Cluster::shared().await;
    let Some(registry) = cluster.registry().await else {
        println!("left out: pods of this cluster reach no registry of this machine");
        return;
    };
    let (ours, theirs) = (registry.key("ours"), registry.key("theirs"));
    let pushed = registry.push(&components::build("restarts"), "team/restarts:1.2.0").await;
    registry.sign(&pushed, "ours");
    let signed_by = |key: &str| {
        json!({
            "registries": registry.trusted(),
            "signatures": { "allOf": [{ "kind": "pubKey", "owner": "team", "key": key }] },
            "tools": [{ "component": pushed, "rules": lists_pods() }],
        })
    };
    cluster.serves(cluster::TOOLS, &signed_by(&ours)).await;
    let forward = cluster.port_forward(0).await;
    let (_, mut client) = RealClient::Go.connect(forward.url(), Era::Modern).await.unwrap();
    let listed = served(&mut client, "list_restarts", &json!({ "namespace": "coder-system" })).await;
    assert!(listed["items"].is_array(), "{listed}");

    cluster.write("coder-k8s-mcp", "sandbar.yaml", &signed_by(&theirs).to_string());
    cluster.restart();
    until("a new pod says why it does not start", || {
        let said = cluster.logs("pull");
        async move { said.contains("it is not signed as the policy says").then_some(()) }
    })
    .await;
    assert_eq!(answered(client.call("check_health", json!({})).await)["status"], "ok", "the pods of before go on");

    cluster.write("coder-k8s-mcp", "sandbar.yaml", &signed_by(&ours).to_string());
    cluster.restart();
    cluster.rolled_out();
}

/// In a namespace of its own.
#[tokio::test]
#[ignore = "takes a whole cluster: make e2e"]
async fn the_chart_is_installed_upgraded_to_a_script_taken_back_and_removed() {
    let cluster = Cluster::shared().await;
    cluster.charts(&[]);
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("pods.js");
    std::fs::write(&script, counting(1)).unwrap();
    let entry = json!({ "script": "/etc/sandbar-scripts/pods.js", "rules": lists_pods() });
    let (config, roles) = Cluster::files(folder.path(), &json!({ "tools": [entry] })).await;
    let files = format!("config={config},rbac.roles={roles},scripts.pods\\.js={}", script.display());
    cluster.charts(&["--set", "replicas=2", "--set-file", &files]);
    let forward = cluster.port_forward_to_chart().await;
    let (_, mut client) = RealClient::Go.connect(forward.url(), Era::Modern).await.unwrap();
    let counted = served(&mut client, "count_pods", &json!({ "namespace": "charted" })).await;
    assert!(counted["pods"].as_u64().is_some_and(|pods| pods >= 2), "{counted}");

    cluster.helm(&["rollback", "tools", "1"]);
    let forward = cluster.port_forward_to_chart().await;
    let (_, mut client) = RealClient::Go.connect(forward.url(), Era::Modern).await.unwrap();
    let gone = client.call("count_pods", json!({})).await;
    assert!(!matches!(gone, Outcome::Result { is_error: false, .. }), "{gone:?}");
    assert_eq!(answered(client.call("check_health", json!({})).await)["status"], "ok");
    cluster.helm(&["uninstall", "tools"]);
}

/// How long it may take until a fault is told: a controller gives a node that has never said anything a minute, and looks every few seconds.
const UNTIL_TOLD: Duration = Duration::from_secs(180);

/// Bytes of what `explain` says.
const EXPLANATION_MAX: usize = 2_000;

/// After those of the server as it ships, by its name: it changes what is deployed.
#[tokio::test]
#[ignore = "takes a whole cluster: make e2e"]
async fn the_faults_of_real_kubelets_and_controllers_are_found_and_explained() {
    let cluster = Cluster::shared().await;
    let faults = cluster.stage_faults();
    cluster.serves_the_pack().await;
    let forward = cluster.port_forward(0).await;
    let (_, mut client) = RealClient::Go.connect(forward.url(), Era::Modern).await.unwrap();
    let mut wrong = Vec::new();
    for fault in &faults {
        let namespace = format!("e2e-{}", fault.topic);
        let asked = json!({ "namespace": namespace });
        wrong.extend(until_told(&mut client, asked, fault.kind, fault.name, fault.words).await.err());
    }
    let words = ["Kubelet", "never"];
    wrong.extend(until_told(&mut client, json!({}), "Node", faults::GONE, &words).await.err());
    assert!(wrong.is_empty(), "{} faults are not told:\n{}", wrong.len(), wrong.join("\n\n"));
    cluster.ends_faults();
}

/// Waits until `find_problems` names an object among the first three, and `explain` has these words. Fails with what they said last.
async fn until_told(client: &mut Connected, asked: Value, kind: &str, name: &str, words: &[&str]) -> Result<(), String> {
    let since = Instant::now();
    loop {
        let found = answered(client.call("find_problems", asked.clone()).await);
        let first = found["problems"].as_array().unwrap().iter().take(3).map(|problem| &problem["next"]);
        let next = first.clone().find(|next| next["kind"] == kind && next["name"] == name);
        let explained = match next {
            Some(next) => text(client.call("explain", next.clone()).await),
            None => String::new(),
        };
        assert!(explained.len() <= EXPLANATION_MAX, "{} bytes: {explained}", explained.len());
        if next.is_some() && words.iter().all(|word| explained.contains(word)) {
            println!("{asked}: {kind} {name}, after {:?}:\n{explained}", since.elapsed());
            return Ok(());
        }
        if since.elapsed() > UNTIL_TOLD {
            return Err(format!("{asked}: {kind} {name} {words:?}: {found:#}\n{explained}"));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The last one by its name: it changes what is deployed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a whole cluster: make e2e"]
async fn two_people_see_what_each_of_them_may_through_connect_while_the_deployment_is_rolled() {
    let cluster = Cluster::shared().await;
    cluster.becomes_part_of_the_api().await;
    let folder = tempfile::tempdir().unwrap();
    let rolled: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
    let mut calling = Vec::new();
    for (person, namespace, other) in [("ann", "team-a", "team-b"), ("bob", "team-b", "team-a")] {
        let kubeconfig = cluster.person(person, namespace, folder.path());
        for (client, era) in [(RealClient::TypeScriptV2, Era::Legacy), (RealClient::TypeScriptV2, Era::Modern)] {
            let program = Run::new(&["connect", "--kubeconfig"]).arg(&kubeconfig).as_program();
            let (greeting, client) = client.connect_to_program(&program, era).await.unwrap();
            assert_eq!(greeting.protocol, era.version());
            calling.push(tokio::spawn(list_until(client, namespace, other, rolled)));
        }
    }
    cluster.roll().await;
    rolled.store(true, Ordering::Relaxed);
    let mut calls = 0;
    for client in calling {
        calls += client.await.unwrap();
    }
    println!("{calls} lists were answered, each with what its caller may see");
}

/// Lists the events of the caller's namespace, and those of somebody else's, until it is rolled, and some more. Returns how often.
async fn list_until(mut client: Connected, own: &str, other: &str, rolled: &AtomicBool) -> usize {
    let (mut calls, mut left) = (0, CALLS_AFTER);
    while left > 0 {
        if rolled.load(Ordering::Relaxed) {
            left -= 1;
        }
        calls += 1;
        let list = answered(client.call("get_events", json!({ "namespace": own })).await);
        assert!(list["items"].as_array().is_some_and(|items| !items.is_empty()), "{list}");
        let denied = client.call("get_events", json!({ "namespace": other })).await;
        assert!(matches!(&denied, Outcome::Result { is_error: true, text, .. } if text.contains("may not list")), "{denied:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    calls
}

/// Calls without a pause until it is rolled, and some more. Returns how often, and what went wrong.
async fn call_until(mut client: Connected, rolled: &AtomicBool) -> (usize, Vec<String>) {
    let (mut calls, mut left, mut failures) = (0, CALLS_AFTER, Vec::new());
    while left > 0 {
        if rolled.load(Ordering::Relaxed) {
            left -= 1;
        }
        calls += 1;
        match client.call("check_health", json!({})).await {
            Outcome::Result { is_error: false, .. } => {}
            failed => failures.push(format!("{client:?}: {failed:?}")),
        }
        // A person's pace, not a flood: there is a limit of calls at once.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (calls, failures)
}

async fn connected(clients: &[(RealClient, Era)], url: &str) -> Vec<Connected> {
    let mut connected = Vec::new();
    for &(client, era) in clients {
        let (greeting, client) = client.connect(url, era).await.unwrap();
        assert_eq!(greeting.protocol, era.version());
        connected.push(client);
    }
    connected
}

fn text(outcome: Outcome) -> String {
    match outcome {
        Outcome::Result { text, is_error: false, .. } => text,
        failed => panic!("{failed:?}"),
    }
}

fn answered(outcome: Outcome) -> Value {
    match outcome {
        Outcome::Result { structured, is_error: false, .. } => structured,
        failed => panic!("{failed:?}"),
    }
}
