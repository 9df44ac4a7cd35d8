//! A cluster at rest gives the same answers. The faults are staged in a cluster of this test's own, which is asked; then its files are
//! gathered as three tools do, and the files are asked the same.
//!
//! What may differ, and why:
//!
//! - Ages: "now" is the newest time in the files.
//! - Times of log lines, where the tool gathers logs without the kubelet's times.
//! - A kind that the tool does not gather: what depends on it is said not to be known. It is never said not to be there.

use std::fmt::{Debug, Display};
use std::path::Path;

use sandbar_tests::cri_log::CriLog;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::troubles::Trouble;
use tempfile::TempDir;

use super::*;

/// What is gathered of each namespace: `apiVersion`, plural, kind, and Troubleshoot's name of it.
const GATHERED: [(&str, &str, &str, &str); 14] = [
    ("v1", "configmaps", "ConfigMap", "configmaps"),
    ("v1", "events", "Event", "events"),
    ("v1", "persistentvolumeclaims", "PersistentVolumeClaim", "pvcs"),
    ("v1", "pods", "Pod", "pods"),
    ("v1", "resourcequotas", "ResourceQuota", "resource-quota"),
    ("v1", "services", "Service", "services"),
    ("apps/v1", "daemonsets", "DaemonSet", "daemonsets"),
    ("apps/v1", "deployments", "Deployment", "deployments"),
    // A folder's name that was meant for errors, and stayed.
    ("apps/v1", "replicasets", "ReplicaSet", "statefulsets-errors.json"),
    ("apps/v1", "statefulsets", "StatefulSet", "statefulsets"),
    ("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", ""),
    ("batch/v1", "cronjobs", "CronJob", "cronjobs"),
    ("batch/v1", "jobs", "Job", "jobs"),
    ("discovery.k8s.io/v1", "endpointslices", "EndpointSlice", "endpointslices"),
];

/// What `oc adm inspect namespace/NAME` leaves out of the above.
const NOT_INSPECTED: [&str; 1] = ["ResourceQuota"];

/// The namespaces and what is wrong there: the object to explain.
const FAULTS: [(Trouble, &str, &str, &str); 11] = [
    (Trouble::Image, "image", "Pod", "web"),
    (Trouble::CrashLoop, "crash", "Pod", "web"),
    (Trouble::OutOfMemory, "memory", "Pod", "web"),
    (Trouble::Room, "room", "Pod", "web"),
    (Trouble::Taint, "taint", "Pod", "web"),
    (Trouble::Claim, "claim", "Pod", "web"),
    (Trouble::Probe, "probe", "Pod", "web"),
    (Trouble::Quota, "quota", "Deployment", "api"),
    (Trouble::Rollout, "rollout", "Deployment", "api"),
    (Trouble::Service, "service", "Service", "web"),
    (Trouble::Job, "job", "Job", "migrate"),
];

/// The cluster, and what it said.
struct Live {
    control_plane: ControlPlane,
    /// By topic.
    namespaces: Vec<(&'static str, Namespace)>,
    client: Client,
    _server: Server,
}

impl Live {
    async fn staged() -> Self {
        let control_plane = ControlPlane::start(&[]);
        // A controller that is not here takes it off nodes that are ready.
        let _ = control_plane.try_kubectl(&["taint", "nodes", "--all", "node.kubernetes.io/not-ready:NoSchedule-"]);
        let mut namespaces = Vec::new();
        for (trouble, topic, ..) in FAULTS {
            let namespace = Namespace::fresh_in(&control_plane, topic).await;
            trouble.stage(&namespace).await;
            namespaces.push((topic, namespace));
        }
        let logs = Namespace::fresh_in(&control_plane, "logs").await;
        for (pod, lines) in [("web-a", ["GET / 200", "GET /login 500 id=1"]), ("web-b", ["GET /login 500 id=2", "bye"])] {
            logs.pod_with_log(pod, &CriLog::of(lines.map(str::to_owned))).await;
            control_plane.kubectl(&["-n", logs.name(), "label", "pod", pod, "tier=web"]);
        }
        logs.control_plane("coder", json!({ "phase": "Ready" })).await;
        let class = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": { "name": "slow" }, "provisioner": "example.com/disk",
        });
        let request = http::Request::post("/apis/storage.k8s.io/v1/storageclasses").header("content-type", "application/json");
        let _: Value = logs.client().request(request.body(class.to_string().into_bytes()).unwrap()).await.unwrap();
        namespaces.push(("logs", logs));
        let server = Server::builder().of(&control_plane, "admin").config(CONFIG);
        let server = server.env("SANDBAR_CALLS_PER_SECOND", "1000").start().await;
        Self { client: Client::modern(&server), control_plane, namespaces, _server: server }
    }

    fn namespace(&self, topic: &str) -> &str {
        self.namespaces.iter().find(|(of, _)| *of == topic).unwrap().1.name()
    }
}

const CONFIG: &str = "bundled: { packs: [kubernetes] }\n";

/// Files of a tool, and a server that answers from them.
struct Dump {
    tool: &'static str,
    /// Kinds that it does not gather.
    lacks: Vec<&'static str>,
    /// Whether its logs have the kubelet's times.
    has_times: bool,
    client: Client,
    _server: Server,
    _files: TempDir,
}

impl Dump {
    async fn of(tool: &'static str, lacks: &[&'static str], has_times: bool, files: TempDir) -> Self {
        let server = Server::builder().cluster(&format!("snapshot:{}", files.path().display())).config(CONFIG);
        let server = server.env("SANDBAR_CALLS_PER_SECOND", "1000").start().await;
        Self { tool, lacks: lacks.to_vec(), has_times, client: Client::modern(&server), _server: server, _files: files }
    }

    fn lacks(&self, kind: &str) -> bool {
        self.lacks.contains(&kind)
    }
}

/// `kubectl cluster-info dump`: the real one.
async fn cluster_info(live: &Live) -> Dump {
    let files = tempfile::tempdir().unwrap();
    let folder = files.path().to_str().unwrap();
    live.control_plane.kubectl(&["cluster-info", "dump", "--all-namespaces", "--output-directory", folder]);
    let lacks = [
        "APIService",
        "ConfigMap",
        "CronJob",
        "CustomResourceDefinition",
        "EndpointSlice",
        "HorizontalPodAutoscaler",
        "Job",
        "Namespace",
        "PersistentVolumeClaim",
        "ResourceQuota",
        "StatefulSet",
        "StorageClass",
        "CoderControlPlane",
    ];
    Dump::of("kubectl cluster-info dump", &lacks, false, files).await
}

/// The bundle of Troubleshoot's collectors `clusterResources` and `logs`, as its pkg/collect/cluster_resources.go and logs.go write them.
async fn troubleshoot(live: &Live) -> Dump {
    let files = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| write(files.path(), &format!("bundle/cluster-resources/{path}"), text);
    for (path, api_version, plural, kind) in [
        ("namespaces", "v1", "namespaces", "Namespace"),
        ("nodes", "v1", "nodes", "Node"),
        ("storage-classes", "storage.k8s.io/v1", "storageclasses", "StorageClass"),
        ("custom-resource-definitions", "apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition"),
    ] {
        write(&format!("{path}.json"), &pretty(&list(live, api_version, plural, kind, None).await));
        write(&format!("{path}-errors.json"), "null");
    }
    for (_, namespace) in &live.namespaces {
        let name = namespace.name();
        for (api_version, plural, kind, of) in GATHERED.into_iter().filter(|(.., of)| !of.is_empty()) {
            write(&format!("{of}/{name}.json"), &pretty(&list(live, api_version, plural, kind, Some(name)).await));
        }
        let planes = list(live, "coder.com/v1alpha1", "codercontrolplanes", "CoderControlPlane", Some(name)).await;
        if planes["items"] != json!([]) {
            write(&format!("custom-resources/codercontrolplanes.coder.com/{name}.json"), &pretty(&planes["items"]));
        }
        for (pod, previous, log) in logs(live, name, false).await {
            let previous = if previous { "-previous" } else { "" };
            write(&format!("pods/logs/{name}/{pod}/app{previous}.log"), &log);
        }
    }
    Dump::of("Troubleshoot", &["APIService", "HorizontalPodAutoscaler"], false, files).await
}

/// `oc adm inspect` of the namespaces, the nodes and the StorageClasses, as its pkg/cli/admin/inspect writes them; a must-gather is a folder of
/// these.
async fn must_gather(live: &Live) -> Dump {
    let files = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| write(files.path(), &format!("must-gather/quay-io-tools-sha256-0f/{path}"), text);
    for (group, api_version, plural, kind) in
        [("core", "v1", "nodes", "Node"), ("storage.k8s.io", "storage.k8s.io/v1", "storageclasses", "StorageClass")]
    {
        for object in list(live, api_version, plural, kind, None).await["items"].as_array().unwrap() {
            write(
                &format!("cluster-scoped-resources/{group}/{plural}/{}.yaml", object["metadata"]["name"].as_str().unwrap()),
                &yaml(object),
            );
        }
    }
    for (_, namespace) in &live.namespaces {
        let name = namespace.name();
        let all = list(live, "v1", "namespaces", "Namespace", None).await;
        let object = all["items"].as_array().unwrap().iter().find(|object| object["metadata"]["name"] == *name).unwrap();
        write(&format!("namespaces/{name}/{name}.yaml"), &yaml(object));
        for (api_version, plural, kind, _) in GATHERED.into_iter().filter(|(_, _, kind, _)| !NOT_INSPECTED.contains(kind)) {
            let group = api_version.split_once('/').map_or("core", |(group, _)| group);
            let list = list(live, api_version, plural, kind, Some(name)).await;
            write(&format!("namespaces/{name}/{group}/{plural}.yaml"), &yaml(&list));
            for pod in list["items"].as_array().unwrap().iter().filter(|_| kind == "Pod") {
                let pod_name = pod["metadata"]["name"].as_str().unwrap();
                write(&format!("namespaces/{name}/pods/{pod_name}/{pod_name}.yaml"), &yaml(pod));
            }
        }
        for (pod, previous, log) in logs(live, name, true).await {
            let run = if previous { "previous" } else { "current" };
            write(&format!("namespaces/{name}/pods/{pod}/app/app/logs/{run}.log"), &log);
        }
    }
    let lacks = ["APIService", "CustomResourceDefinition", "ResourceQuota", "CoderControlPlane"];
    Dump::of("must-gather", &lacks, true, files).await
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn yaml(value: &Value) -> String {
    format!("---\n{}", serde_saphyr::to_string(value).unwrap())
}

/// A list as client-go has it once it was read: each item says what it is.
async fn list(live: &Live, api_version: &str, plural: &str, kind: &str, namespace: Option<&str>) -> Value {
    let root = if api_version.contains('/') { "apis" } else { "api" };
    let within = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
    let request = http::Request::get(format!("/{root}/{api_version}{within}/{plural}")).body(Vec::new()).unwrap();
    let mut list: Value = live.namespaces[0].1.client().request(request).await.unwrap();
    for item in list["items"].as_array_mut().unwrap() {
        item["kind"] = json!(kind);
        item["apiVersion"] = json!(api_version);
    }
    list
}

/// The logs that can be had of the container `app` of each pod of a namespace: the pod, whether it is the run before, and the text.
async fn logs(live: &Live, namespace: &str, timestamps: bool) -> Vec<(String, bool, String)> {
    let mut logs = Vec::new();
    for pod in list(live, "v1", "pods", "Pod", Some(namespace)).await["items"].as_array().unwrap() {
        let name = pod["metadata"]["name"].as_str().unwrap();
        for previous in [false, true] {
            let query = format!("container=app&previous={previous}&timestamps={timestamps}");
            let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/log?{query}");
            let request = http::Request::get(path).body(Vec::new()).unwrap();
            if let Ok(log) = live.namespaces[0].1.client().request_text(request).await {
                logs.push((name.to_owned(), previous, log));
            }
        }
    }
    logs
}

/// Words on one line each, without what may differ: ages, and the widths of columns.
fn plain(text: &str) -> Vec<String> {
    let is_age = |word: &str| {
        let mut digits = false;
        let fits = word.bytes().all(|byte| {
            let unit = b"smhdy".contains(&byte) && digits;
            digits = byte.is_ascii_digit();
            digits || unit
        });
        fits && !digits && !word.is_empty()
    };
    let word = |word: &str| {
        let core = word.trim_matches(|character: char| !character.is_ascii_alphanumeric());
        if is_age(core) { word.replace(core, "AGE") } else { word.to_owned() }
    };
    text.lines().map(|line| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")).collect()
}

/// What `find_problems` names, less what is of kinds that were not gathered.
fn problems(found: &Value, lacks: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let all = found["problems"].as_array().unwrap().iter();
    let kept = all.filter(|problem| !lacks(problem["next"]["kind"].as_str().unwrap()));
    kept.map(|problem| plain(&format!("{}\n{}", problem["what"].as_str().unwrap(), problem["why"].as_str().unwrap()))).collect()
}

/// What `explain` says, less what it could not read, and which of two logs of one container it has.
fn explanation(text: &str) -> Vec<String> {
    let lines = plain(text).into_iter().filter(|line| !line.starts_with("- not read:") && !line.starts_with("- not all "));
    lines.map(|line| line.replace(", before it ended", "")).collect()
}

#[tokio::test]
async fn a_dump_answers_as_the_cluster_did() {
    let live = Live::staged().await;
    let dumps = [cluster_info(&live).await, troubleshoot(&live).await, must_gather(&live).await];
    // One run tells of all that differs.
    let mut wrong = Differences::default();
    for dump in &dumps {
        problems_are_found(&live, dump, &mut wrong).await;
        objects_are_explained(&live, dump, &mut wrong).await;
        tables_are_the_same(&live, dump, &mut wrong).await;
        objects_are_the_same(&live, dump, &mut wrong).await;
        logs_are_searched(&live, dump, &mut wrong).await;
        what_is_missing_is_said(&live, dump, &mut wrong).await;
    }
    assert!(wrong.0.is_empty(), "{}", wrong.0.join("\n\n"));
}

/// What is not as it should be.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare<T: PartialEq + Debug>(&mut self, dump: &Dump, of: impl Display, found: &T, expected: &T) {
        if found != expected {
            self.0.push(format!("{}: {of}: found {found:#?}\nexpected {expected:#?}", dump.tool));
        }
    }

    fn check(&mut self, dump: &Dump, said: &str, is_right: bool) {
        if !is_right {
            self.0.push(format!("{}: {said}", dump.tool));
        }
    }

    /// What was not gathered is an error that says so.
    async fn not_gathered(&mut self, dump: &Dump, tool: &str, asked: Value) {
        let error = dump.client.failure(tool, asked).await;
        self.check(dump, &error, error.contains("this snapshot holds no ") && error.contains("is not known"));
    }
}

async fn problems_are_found(live: &Live, dump: &Dump, wrong: &mut Differences) {
    let everywhere = json!({ "limit": 100 });
    let of_each = FAULTS.map(|(_, topic, ..)| json!({ "namespace": live.namespace(topic) }));
    for asked in of_each.into_iter().chain([everywhere]) {
        let (_, expected) = said(&live.client, "find_problems", asked.clone()).await;
        let (text, found) = said(&dump.client, "find_problems", asked.clone()).await;
        // A Service is a problem by its pods, and a claim also by its pod.
        let expected = problems(&expected, |kind| dump.lacks(kind));
        wrong.compare(dump, &asked, &problems(&found, |_| false), &expected);
        // Each of them leaves something out.
        let not_read = found["notRead"].as_str().unwrap_or_else(|| panic!("{}: {text}", dump.tool));
        wrong.check(dump, &text, !text.contains("Nothing is wrong"));
        if dump.lacks("Job") {
            wrong.check(dump, not_read, not_read.contains("Jobs, ") && not_read.contains("this snapshot holds no …"));
        }
    }
}

async fn objects_are_explained(live: &Live, dump: &Dump, wrong: &mut Differences) {
    for (_, topic, kind, name) in FAULTS {
        let asked = json!({ "kind": kind, "name": name, "namespace": live.namespace(topic) });
        if dump.lacks(kind) {
            wrong.not_gathered(dump, "explain", asked).await;
            continue;
        }
        let (expected, _) = said(&live.client, "explain", asked.clone()).await;
        let (text, _) = said(&dump.client, "explain", asked).await;
        if topic == "claim" && dump.lacks("PersistentVolumeClaim") {
            // The claim is what it is about. The scheduler's words are left.
            let has_both = ["unbound immediate PersistentVolumeClaims", "- not read: PersistentVolumeClaim data"];
            wrong.check(dump, &text, has_both.iter().all(|words| text.contains(words)));
            continue;
        }
        wrong.compare(dump, topic, &explanation(&text), &explanation(&expected));
    }
}

async fn tables_are_the_same(live: &Live, dump: &Dump, wrong: &mut Differences) {
    for (topic, word, kind) in [
        ("crash", "po", "Pod"),
        ("image", "pods", "Pod"),
        ("quota", "deploy", "Deployment"),
        ("quota", "rs", "ReplicaSet"),
        ("service", "svc", "Service"),
        ("probe", "ev", "Event"),
        ("claim", "pvc", "PersistentVolumeClaim"),
        ("job", "job", "Job"),
        ("job", "cm", "ConfigMap"),
        ("", "no", "Node"),
        ("", "sc", "StorageClass"),
    ] {
        let mut asked = json!({ "kind": word });
        if !topic.is_empty() {
            asked["namespace"] = json!(live.namespace(topic));
        }
        if dump.lacks(kind) {
            wrong.not_gathered(dump, "list_resources", asked).await;
            continue;
        }
        let (_, expected) = said(&live.client, "list_resources", asked.clone()).await;
        let (_, found) = said(&dump.client, "list_resources", asked.clone()).await;
        let [mut expected, found] = [expected, found].map(|answer| plain(answer["table"].as_str().unwrap_or_default()));
        if kind == "StorageClass" {
            // Its columns are not known over files: its name and its age are.
            expected = vec!["Name Age".to_owned(), "slow AGE".to_owned()];
        }
        wrong.compare(dump, asked, &found, &expected);
    }
}

async fn objects_are_the_same(live: &Live, dump: &Dump, wrong: &mut Differences) {
    for (_, topic, kind, name) in FAULTS {
        let asked = json!({ "kind": kind, "name": name, "namespace": live.namespace(topic) });
        if dump.lacks(kind) {
            wrong.not_gathered(dump, "get_resource", asked).await;
            continue;
        }
        let (_, expected) = said(&live.client, "get_resource", asked.clone()).await;
        let (_, found) = said(&dump.client, "get_resource", asked.clone()).await;
        wrong.compare(dump, asked, &found["object"], &expected["object"]);
    }
}

async fn logs_are_searched(live: &Live, dump: &Dump, wrong: &mut Differences) {
    let asked = json!({ "namespace": live.namespace("logs"), "labels": "tier=web", "matching": " 500 " });
    let (_, expected) = said(&live.client, "search_logs", asked.clone()).await;
    let (text, found) = said(&dump.client, "search_logs", asked).await;
    for key in ["lines", "logsRead", "logsWithLines", "pods"] {
        wrong.compare(dump, key, &found[key], &expected[key]);
    }
    if dump.has_times {
        wrong.compare(dump, "logs", &found, &expected);
    } else {
        let is_told = text.contains("/login 500") && text.contains("(x2 in 2 pods)") && text.contains("of any age");
        wrong.check(dump, &text, is_told && !text.contains("1970"));
    }
}

/// What nobody gathered is neither denied nor the end of an answer.
async fn what_is_missing_is_said(live: &Live, dump: &Dump, wrong: &mut Differences) {
    let (text, _) = said(&dump.client, "top", json!({ "of": "pods", "namespace": live.namespace("logs") })).await;
    wrong.check(dump, &text, text.contains("this snapshot holds no pods.metrics.k8s.io") && !text.contains("install"));
    let asked = json!({ "kind": "codercontrolplanes", "namespace": live.namespace("logs") });
    if dump.lacks("CoderControlPlane") {
        wrong.not_gathered(dump, "list_resources", asked).await;
    } else {
        let (text, _) = said(&dump.client, "list_resources", asked).await;
        wrong.check(dump, &text, text.contains("coder"));
    }
    // kubectl writes an error in place of a log that cannot be read.
    let asked = json!({ "namespace": live.namespace("memory"), "kind": "Pod", "name": "web" });
    let error = dump.client.failure("search_logs", asked).await;
    wrong.check(dump, &error, error.contains("no log of container") && !error.contains("Request log"));
}
