//! What scripts cost, and what it costs to know who has signed a component.

use std::time::{Duration, Instant};

use sandbar_registry::{Cache, Package, Pinned, Policy, Proxies, Reference, Registries, Settings, Trust};
use sandbar_tests::mcp::{self, Client};
use sandbar_tests::process::{computed, resident};
use sandbar_tests::registry::{Key, Registry};
use sandbar_tests::sandbar::{Builder, Run, Server};
use sandbar_tests::until;
use serde_json::{Value, json};

use crate::load::{Connection, NO_RATE_LIMIT, Raw};
use crate::table::{Table, mb, median, ms, us};

/// Pods of the cluster.
const PODS: usize = 5_000;

/// Calls of the tool that does nothing, and of the one that reads all pods.
const CALLS: u32 = 2_000;
const READS: u32 = 20;

/// Scripts beside the first.
const SCRIPTS: u64 = 20;

/// Edits, and checks of a signature.
const EDITS: usize = 10;
const CHECKS: usize = 200;

pub(crate) async fn all(table: &mut Table) {
    let files = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        std::fs::write(files.path().join("unfinished"), text).expect("written");
        std::fs::rename(files.path().join("unfinished"), files.path().join(name)).expect("renamed");
    };
    put("nothing.js", &script("nothing", "return {};"));
    put("restarts.js", &script("restarts", OVER_PODS));
    std::fs::create_dir(files.path().join("cluster")).expect("made");
    put(
        "cluster/pods.json",
        &json!({ "apiVersion": "v1", "kind": "PodList", "items": (0..PODS).map(pod).collect::<Vec<_>>() }).to_string(),
    );
    let rules = r#"rules: [{ apiGroups: [""], resources: [pods], verbs: [list] }]"#;
    let named = |name: &str| format!("  - {{ script: {}, {rules} }}\n", files.path().join(name).display());
    let config = format!("tools:\n{}{}", named("nothing.js"), named("restarts.js"));
    let snapshot = format!("snapshot:{}", files.path().join("cluster").display());
    let server = |builder: Builder| builder.cluster(&snapshot).env(NO_RATE_LIMIT.0, NO_RATE_LIMIT.1);
    let server = server(Server::builder()).config(&config).start().await;

    let used = per_call(&server, "nothing", CALLS).await;
    table.row("a script that does nothing, processor time of a call", us(used), "500 us", used <= Duration::from_micros(500));
    let used = per_call(&server, "restarts", READS).await;
    table.row("a script over 5,000 pods, processor time of a call", ms(used), "100 ms", used <= Duration::from_millis(100));

    second(table).await;
    save_to_answer(table).await;
    signature(table).await;
}

/// Reads all pods, and answers with those that restart most.
const OVER_PODS: &str = r#"
  const fields = ["metadata.name", "metadata.namespace", "status.phase", "status.containerStatuses"];
  const found = [];
  for (const { metadata, status } of sandbar.all("pods", { fields, limit: 1000 })) {
    for (const { name, restartCount } of status.containerStatuses ?? []) {
      if (restartCount > 3) found.push({ pod: `${metadata.namespace}/${metadata.name}`, name, restartCount });
    }
  }
  found.sort((one, other) => other.restartCount - one.restartCount);
  return { found: found.length, first: found.slice(0, 10) };"#;

fn script(name: &str, body: &str) -> String {
    let manifest = json!({
        "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }],
        "tools": [{ "name": name, "description": "A measurement.", "inputSchema": { "type": "object" } }],
    });
    format!("export const manifest = {manifest};\nexport function {name}() {{\n{body}\n}}\n")
}

fn pod(number: usize) -> Value {
    let name = format!("web-{number:05}");
    json!({
        "metadata": { "name": name, "namespace": format!("team-{}", number % 70), "labels": { "app": "web" } },
        "spec": { "nodeName": format!("node-{}", number % 200), "containers": [{ "name": "web", "image": "registry.example/web:1.2.0" }] },
        "status": { "phase": "Running", "containerStatuses": [{ "name": "web", "ready": true, "restartCount": number % 7 }] },
    })
}

/// The server's processor time for a call, after some that warm it up.
async fn per_call(server: &Server, tool: &str, calls: u32) -> Duration {
    let call = Raw::new(server.address(), &mcp::modern(json!(1), "tools/call", json!({ "name": tool, "arguments": {} })));
    let mut connection = Connection::to(server.address()).await;
    let mut run = async |calls: u32| {
        for _ in 0..calls {
            assert!(connection.exchange(&call).await.0.starts_with("HTTP/1.1 200"));
        }
    };
    run(calls / 10 + 1).await;
    let before = computed(server.id());
    run(calls).await;
    (computed(server.id()) - before) / calls
}

/// What each script takes that comes beside one that is served.
async fn second(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str| std::fs::write(folder.path().join(format!("{name}.js")), script_without_rules(name)).expect("written");
    put("first");
    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).start().await;
    let client = Client::modern(&server);
    client.answer("first", json!({})).await;
    let before = (computed(server.id()), resident(server.id()));
    (0..SCRIPTS).for_each(|number| put(&format!("script{number}")));
    let last = format!("script{}", SCRIPTS - 1);
    until("all of them are served", || async {
        let listed = client.request("tools/list", json!({})).await.to_string();
        listed.contains(&last).then_some(())
    })
    .await;
    let time = (computed(server.id()) - before.0) / u32::try_from(SCRIPTS).expect("few");
    let memory = resident(server.id()).saturating_sub(before.1) / SCRIPTS;
    let what = "each script beside the first: processor time, and resident memory";
    let holds = time <= Duration::from_millis(20) && memory <= 1_000_000;
    table.row(what, format!("{}, {}", ms(time), mb(memory)), "20 ms, 1 MB", holds);
}

fn script_without_rules(name: &str) -> String {
    script(name, "return {};").replace(r#""rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["list"]}],"#, "")
}

/// From an edit to an answer of it, under `sandbar dev`.
async fn save_to_answer(table: &mut Table) {
    let outer = tempfile::tempdir().expect("a folder");
    assert_eq!(Run::new(&["new", "many"]).within(outer.path()).finish().await.code(), 0);
    let file = outer.path().join("many/many.js");
    let text = std::fs::read_to_string(&file).expect("a script");
    let server = Server::developing(&outer.path().join("many")).start().await;
    let client = Client::modern(&server);
    let mut times = Vec::new();
    for edit in 1..=EDITS {
        let more = edit * 1000;
        let edited = text.replace("restarts: restartCount", &format!("restarts: restartCount + {more}"));
        let began = Instant::now();
        std::fs::write(&file, edited).expect("written");
        until("the edit answers", || async {
            let answer = client.answer("many", json!({ "namespace": "team-b" })).await;
            (answer["items"][0]["restarts"].as_u64() > Some(more as u64)).then_some(())
        })
        .await;
        times.push(began.elapsed());
    }
    let time = median(times);
    table.row("from an edit of a script to its answer, under `sandbar dev`", ms(time), "1 s", time <= Duration::from_secs(1));
}

/// What it takes to check a signature that was fetched before.
async fn signature(table: &mut Table) {
    let (registry, key, folder) = (Registry::start(&[]).await, Key::new(), tempfile::tempdir().expect("a folder"));
    let settings = Settings {
        hosts: [(registry.address().to_string(), Trust::Insecure)].into(),
        credentials: Vec::new(),
        proxies: Proxies::default(),
        component_bytes: 1 << 20,
        cache: Some(Cache::new(folder.path(), 1 << 20)),
        trust_root: None,
        online: true,
    };
    let registries = Registries::new(settings).expect("settings");
    let tag: Reference = registry.reference("team/tool:1").parse().expect("a reference");
    let pinned: Pinned =
        registries.push(&tag, &Package { component: vec![0; 500_000].into(), ..Package::default() }).await.expect("pushed");
    registry.sign(&pinned.to_string(), &key).await;
    let policy: Policy = serde_json::from_str(&key.policy()).expect("a policy");
    registries.verify(&pinned, &policy).await.expect("signed");
    let mut times = Vec::new();
    for _ in 0..CHECKS {
        let began = Instant::now();
        registries.verify(&pinned, &policy).await.expect("signed");
        times.push(began.elapsed());
    }
    let time = median(times);
    table.row("a signature with a key is checked at load", us(time), "10 ms", time <= Duration::from_millis(10));
}
