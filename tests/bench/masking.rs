//! What it costs to mask secrets, and how well it is done: the same reads with and without it, in one process and in turn, without a
//! component and without a network; and what is found in the corpus that the tests of the mask have.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kube::client::Body;
use sandbar_kubernetes::{Cluster, LogSource, Query, Reader, Resource, Scope};
use sandbar_policy::{Budget, Grant, Identity, Limits, PolicyRule, Verb};
use sandbar_secrets::Secrets;
use serde_json::{Value, json};

use crate::table::{Table, in_turn, ms};

/// Reads on each side.
const ROUNDS: usize = 60;

/// Bytes of the log, and objects of the list.
const LOG: usize = 1024 * 1024;
const OBJECTS: usize = 1000;

/// A log of 1 MiB and a list of 1,000 pods, masked and not.
pub(crate) async fn over_the_plain_read(table: &mut Table) {
    let (ordinary, leaky) = (log(|_| false), log(|line| line % 10 == 0));
    let cluster = cluster(ordinary.into(), leaky.into(), pods().to_string().into());
    let [masked, shown] = [Secrets::Masked, Secrets::Shown].map(|secrets| reader(&cluster, secrets));

    for (pod, what) in [("ordinary", "a 1 MiB log without secrets"), ("leaky", "a 1 MiB log, a token in every tenth line")] {
        let source = LogSource { namespace: "a".into(), pod: pod.into(), tail_lines: Some(100_000), ..LogSource::default() };
        let read = async |reader: &dyn Fn() -> Reader| drop(reader().tail(&source).await.expect("a log"));
        let (masked, plain) = in_turn(ROUNDS, || read(&masked), || read(&shown)).await;
        row(table, what, masked, plain, Duration::from_millis(10));
    }
    for (fields, what) in [(None, "1,000 whole pods"), (Some(vec!["metadata.name".to_owned()]), "the names of 1,000 pods")] {
        let query = Query {
            of: Resource { group: String::new(), version: "v1".into(), plural: "pods".into() },
            within: Scope::Namespace("a".into()),
            label_selector: None,
            field_selector: None,
            fields,
            limit: Some(1000),
            continue_: None,
        };
        let read = async |reader: &dyn Fn() -> Reader| drop(reader().list_objects(&query).await.expect("a page"));
        let (masked, plain) = in_turn(ROUNDS, || read(&masked), || read(&shown)).await;
        row(table, what, masked, plain, Duration::from_millis(10));
    }
}

/// How much of the corpus is right: secrets that are found, and harmless lines that stay.
pub(crate) fn of_the_corpus(table: &mut Table) {
    let lines = |file: &'static str| file.lines().filter(|line| !line.is_empty()).collect::<Vec<_>>();
    let plain = |line: &str| line.replace('⏎', "\n").replace('␛', "\u{1b}").replace('␍', "\r").replace('·', "");
    let is_found = |line: &&str| {
        let line = plain(line);
        let shown = sandbar_secrets::mask(&line.replace(['⟦', '⟧'], "")).into_owned();
        !line.split('⟦').skip(1).filter_map(|rest| rest.split('⟧').next()).any(|secret| shown.contains(secret))
    };
    let secrets = lines(include_str!("../../host/secrets/src/corpus/secrets.txt"));
    let secrets: Vec<&str> = secrets.into_iter().filter(|line| line.contains('⟦')).collect();
    let found = secrets.iter().filter(|line| is_found(line)).count();
    let harmless = lines(include_str!("../../host/secrets/src/corpus/harmless.txt"));
    let stay = |line: &&&str| sandbar_secrets::mask(&plain(line)) == sandbar_text::clean(&plain(line));
    let stayed = harmless.iter().filter(stay).count();
    let percent = |of: usize, all: usize| format!("{:.1} % ({of} of {all})", 100.0 * of as f64 / all as f64);
    table.row("secrets of the corpus that are masked", percent(found, secrets.len()), "90 %", found * 10 >= secrets.len() * 9);
    let is_precise = (harmless.len() - stayed) * 40 <= harmless.len();
    table.row("harmless lines of the corpus that stay", percent(stayed, harmless.len()), "97.5 %", is_precise);
}

fn row(table: &mut Table, what: &str, masked: Duration, plain: Duration, reach: Duration) {
    let more = masked.saturating_sub(plain);
    table.row(
        &format!("masking secrets in {what}"),
        format!("{} more ({} / {})", ms(more), ms(masked), ms(plain)),
        &format!("{} more", ms(reach)),
        more <= reach,
    );
}

/// Makes a reader with a full budget, as each call has one.
fn reader(cluster: &Cluster, secrets: Secrets) -> impl Fn() -> Reader {
    let rules = vec![PolicyRule::new("", &["pods", "pods/log"], &[Verb::Get, Verb::List])];
    let (cluster, grant) = (cluster.clone(), Arc::new(Grant { rules, secrets, ..Grant::default() }));
    move || cluster.reader_for(&Identity::Operator, grant.clone(), Arc::new(Budget::new(Limits::default()))).expect("at home")
}

/// A log as a server writes it.
fn log(leaks: impl Fn(usize) -> bool) -> String {
    let mut log = String::new();
    for line in 0.. {
        if log.len() >= LOG {
            break;
        }
        let token = if leaks(line) { "ghp_aB3dE5gH7jK9mN1pQ2sT4vW6yZ8aB3dE5gH7" } else { "none" };
        log.push_str(&format!(
            "2026-11-19T09:42:54.{:03}Z [info]  api: GET /api/v2/workspaces  status=200  took={line}ms  user=ana  by={token}  \
             request_id=0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0\n",
            line % 1000
        ));
    }
    log.truncate(LOG);
    log
}

/// Pods as a deployment makes them, some 2 KB each.
fn pods() -> Value {
    let variables: Vec<Value> =
        (0..10).map(|n| json!({ "name": format!("OPTION_{n}"), "value": "a value of an option" })).collect();
    let pod = |n: usize| {
        json!({
            "metadata": {
                "name": format!("web-6d5f8b7c9-{n:05}"), "namespace": "a", "uid": "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0",
                "labels": { "app": "web", "pod-template-hash": "6d5f8b7c9" }, "annotations": { "example.com/note": "nothing \"special\"" },
            },
            "spec": { "containers": [{ "name": "web", "image": "example.com/web:1", "env": variables, "args": ["--verbose"] }], "nodeName": "n1" },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }, { "type": "Initialized", "status": "True" }] },
        })
    };
    json!({ "kind": "PodList", "apiVersion": "v1", "metadata": { "resourceVersion": "1" }, "items": (0..OBJECTS).map(pod).collect::<Vec<_>>() })
}

/// A cluster that has its answers ready, so that nothing else is measured.
fn cluster(ordinary: Bytes, leaky: Bytes, pods: Bytes) -> Cluster {
    /// What a read of a socket brings.
    const CHUNK: usize = 16 * 1024;
    let resource =
        |name: &str| json!({ "name": name, "singularName": "", "namespaced": true, "kind": "Pod", "verbs": ["get", "list"] });
    let discovery = json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "v1", "resources": [resource("pods"), resource("pods/log")],
    });
    let discovery = Bytes::from(discovery.to_string());
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let body = match request.uri().path() {
            "/api/v1" => discovery.clone(),
            "/api/v1/namespaces/a/pods" => pods.clone(),
            path if path.contains("leaky") => leaky.clone(),
            _ => ordinary.clone(),
        };
        let chunks = (0..body.len()).step_by(CHUNK).map(move |at| {
            let chunk = body.slice(at..body.len().min(at + CHUNK));
            Ok::<_, std::convert::Infallible>(hyper::body::Frame::data(chunk))
        });
        let body = http_body_util::StreamBody::new(futures::stream::iter(chunks));
        async move { Ok::<_, std::convert::Infallible>(http::Response::new(body)) }
    });
    Cluster::from_client(kube::Client::new(service, "default"))
}
