//! `sandbar doctor`: what keeps a server of a configuration from working is found before one is started.

use std::path::Path;

use sandbar_tests::collector::Collector;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::fake_api::{FakeAnswer, FakeApi};
use sandbar_tests::http as wire;
use sandbar_tests::sandbar::{Finished, Run, Server};
use serde_json::{Value, json};

use crate::access::{Account, every_rule, furnished};

/// A doctor that looks at this sandbar.yaml, and prints JSON. Its address is a free one.
fn doctor(folder: &Path, yaml: &str) -> Run {
    doctor_at("127.0.0.1:0", folder, yaml)
}

/// The same at another address.
fn doctor_at(address: &str, folder: &Path, yaml: &str) -> Run {
    let config = folder.join("sandbar.yaml");
    std::fs::write(&config, yaml).unwrap();
    Run::new(&["doctor", "--listen", address, "-o", "json", "--config"]).arg(config)
}

/// What was found by this check: how bad it is, and in which words.
fn found<'r>(report: &'r Value, check: &str) -> Vec<(&'r str, &'r str)> {
    let all = report["checks"].as_array().expect("checks").iter().filter(|entry| entry["check"] == check);
    all.map(|entry| (entry["level"].as_str().expect("a level"), entry["says"].as_str().expect("words"))).collect()
}

/// Checks that one of the findings of a check is this bad and says this.
#[track_caller]
fn assert_found(finished: &Finished, check: &str, level: &str, said: &str) {
    let report = finished.json();
    let found = found(&report, check);
    assert!(found.iter().any(|(bad, says)| *bad == level && says.contains(said)), "{check}, {level}, {said}: {finished:?}");
}

#[tokio::test]
async fn all_is_well_with_the_demo() {
    let finished = Run::new(&["doctor", "--cluster", "demo", "--listen", "127.0.0.1:0"]).finish().await;
    assert_eq!(finished.code(), 0, "{finished:?}");
    for check in [
        "configuration",
        "tools",
        "session key",
        "certificate",
        "traces",
        "address",
        "memory",
        "cache",
        "registries",
        "cluster",
        "rights",
        "callers",
    ] {
        let line = finished.stdout.lines().find(|line| line.contains(&format!("  {check}: ")));
        assert!(line.is_some_and(|line| !line.starts_with("FAIL")), "{check}: {finished:?}");
    }
}

#[tokio::test]
async fn each_mistake_in_the_configuration_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let finished = doctor(folder.path(), "namespaces: [Team_A]\norigins: ['*']\n").arg("--offline").finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    let report = finished.json();
    let mistakes = found(&report, "configuration");
    assert!(mistakes.len() == 2 && mistakes.iter().all(|(level, _)| *level == "fail"), "{finished:?}");
    assert!(mistakes[0].1.contains("sandbar.yaml:1:") && mistakes[1].1.contains("sandbar.yaml:2:"), "{finished:?}");
    assert_eq!(report["checks"].as_array().unwrap().len(), 2, "nothing else is looked at");

    let finished = doctor_at("0.0.0.0:0", folder.path(), "").arg("--cluster").arg("demo").finish().await;
    assert_found(&finished, "configuration", "fail", "nobody is asked who they are");
}

#[tokio::test]
async fn without_a_cluster_the_configuration_alone_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let yaml = "
        tls: { certificate: /nowhere/tls.crt, key: /nowhere/tls.key }
        tools:
          - component: /nowhere/restarts.wasm
            rules: [{ apiGroups: [''], resources: [pods], verbs: [list] }]
    ";
    let run = || doctor(folder.path(), yaml).env("HOME", folder.path());
    let finished = run().arg("--offline").finish().await;
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert_found(&finished, "tools", "warn", "/nowhere/restarts.wasm: it is not on this machine");
    assert_found(&finished, "certificate", "warn", "/nowhere/tls.crt");
    for check in ["address", "memory", "cluster", "rights"] {
        assert!(found(&finished.json(), check).is_empty(), "{check}: {finished:?}");
    }

    // Where the server is to run, it has to be there.
    let finished = run().finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert_found(&finished, "tools", "fail", "/nowhere/restarts.wasm");
    assert_found(&finished, "certificate", "fail", "/nowhere/tls.crt");
    assert_found(&finished, "cluster", "fail", "no cluster found");
}

#[tokio::test]
async fn a_right_that_a_tool_needs_and_the_server_has_not_is_named() {
    let (account, namespace) = (Account::fresh("doctor").await, furnished("doctor").await);
    let name = namespace.name();
    let folder = tempfile::tempdir().unwrap();
    let config = format!("namespaces: [{name}]\n");
    let look = || {
        doctor(folder.path(), &config).env("KUBECONFIG", account.kubeconfig()).arg("--cluster").arg("kubeconfig:admin").finish()
    };
    let mut rules = every_rule();
    rules.as_array_mut().unwrap().retain(|rule| rule["resources"] != json!(["events"]));
    account.grant(&namespace, rules).await;

    let finished = look().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    let missing = format!("this server may not list events in {name}; `sandbar rbac` prints");
    assert_found(&finished, "rights", "fail", &missing);
    assert_found(&finished, "identity", "ok", &account.user());
    assert_found(&finished, "cluster", "ok", "v1.");
    assert_found(&finished, "clock", "ok", "agrees");

    // What it says, the server says of itself.
    let server = account.server(&config).await;
    let state = wire::get(server.address(), "/readyz?verbose").await.text().await;
    assert!(state.contains(&format!("[-] rights: {missing}")), "{state}");
    assert_eq!(wire::get(server.address(), "/readyz").await.status, 200, "it is served as far as it goes");

    let finished =
        Run::new(&["doctor", "--listen", "127.0.0.1:0", "-o", "json"]).of(ControlPlane::shared(), "admin").finish().await;
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert_found(&finished, "rights", "ok", "that the tools need are there");
}

#[tokio::test]
async fn a_clock_that_is_wrong_and_a_version_that_is_too_old_are_told() {
    let api = FakeApi::start(|path| {
        (path == "/version").then(|| {
            let version = json!({ "major": "1", "minor": "20", "gitVersion": "v1.20.1", "platform": "linux/amd64" });
            FakeAnswer::json(&version).with_header("date", "Sun, 06 Nov 1994 08:49:37 GMT")
        })
    });
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let finished = doctor(folder.path(), "").env("KUBECONFIG", &kubeconfig).arg("--cluster").arg("kubeconfig").finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert_found(&finished, "clock", "fail", "behind this machine's");
    assert_found(&finished, "cluster", "fail", "v1.20.1");
}

#[tokio::test]
async fn an_address_that_is_taken_may_be_that_of_the_server_itself() {
    let server = Server::builder().cluster("demo").start().await;
    let address = server.address().to_string();
    let finished = Run::new(&["doctor", "--cluster", "demo", "-o", "json", "--listen", &address]).finish().await;
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert_found(&finished, "address", "warn", &format!("cannot listen on {address}: another program does"));
}

#[tokio::test]
async fn a_collector_is_asked_and_its_files_are_looked_at() {
    let (folder, collector) = (tempfile::tempdir().unwrap(), Collector::start().await);
    let look = |traces: &str| doctor(folder.path(), &format!("traces: {{ {traces} }}\n")).arg("--cluster").arg("demo");
    let endpoint = format!("endpoint: \"{}\"", collector.endpoint());
    let finished = look(&endpoint).finish().await;
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert_found(&finished, "traces", "ok", "takes spans of calls");

    let with_headers = format!("{endpoint}, headersFile: /nowhere/headers");
    let offline = look(&with_headers).arg("--offline").finish().await;
    assert_found(&offline, "traces", "warn", "/nowhere/headers is not there; it was not looked at");
    let here = look(&with_headers).finish().await;
    assert_eq!(here.code(), 1, "{here:?}");
    assert_found(&here, "traces", "fail", "/nowhere/headers");

    drop(collector);
    let away = look(&endpoint).finish().await;
    assert_eq!(away.code(), 0, "a server would start: {away:?}");
    assert_found(&away, "traces", "warn", "spans of calls would be lost");
}

#[tokio::test]
async fn no_secret_is_printed() {
    let run = Run::new(&["doctor", "--cluster", "demo", "--listen", "127.0.0.1:0", "-o", "json"]);
    let finished = run.env("SANDBAR_SESSION_KEY", "sesame").finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert_found(&finished, "session key", "fail", "SANDBAR_SESSION_KEY has 6 bytes");
    assert!(!finished.stdout.contains("sesame") && !finished.stderr.contains("sesame"), "{finished:?}");
}

#[tokio::test]
async fn a_trust_root_that_is_elsewhere_is_not_looked_at_offline_and_fails_here() {
    let folder = tempfile::tempdir().unwrap();
    let config = "registries: { trustRoot: /etc/sandbar-trust/trusted_root.json }\n";
    let look = || doctor(folder.path(), config).arg("--cluster").arg("demo");
    let offline = look().arg("--offline").finish().await;
    assert_eq!(offline.code(), 0, "{offline:?}");
    assert_found(
        &offline,
        "tools",
        "warn",
        "trusted_root.json cannot be read: No such file or directory (os error 2); they were not looked at",
    );
    let here = look().finish().await;
    assert_eq!(here.code(), 1, "{here:?}");
    assert_found(&here, "tools", "fail", "registries.trustRoot");
}
