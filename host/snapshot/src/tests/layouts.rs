//! The layouts of tools: each has the part of one small cluster that its tool gathers, and is asked the same questions.

use super::Asker;

/// A pod without the fields that its list has.
const POD: &str = r#""metadata": { "name": "web-0", "namespace": "team-a", "uid": "u2", "creationTimestamp": "2026-11-19T08:00:00Z" },
    "spec": { "nodeName": "node-1", "containers": [{ "name": "app" }, { "name": "sidecar" }] },
    "status": { "phase": "Running", "containerStatuses": [
        { "name": "app", "restartCount": 2, "containerID": "containerd://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "lastState": { "terminated": { "exitCode": 1 } } },
        { "name": "sidecar", "restartCount": 0 }
    ] }"#;

const EVENT: &str = r#""metadata": { "name": "web-0.1", "namespace": "team-a" }, "type": "Warning", "count": 3"#;

const PLANE: &str = r#"{ "apiVersion": "coder.com/v1alpha1", "kind": "CoderControlPlane",
    "metadata": { "name": "coder", "namespace": "team-a" }, "status": { "phase": "Ready" } }"#;

const PLANE_YAML: &str =
    "apiVersion: coder.com/v1alpha1\nkind: CoderControlPlane\nmetadata:\n  name: coder\n  namespace: team-a\n";

const DEFINITION: &str = r#"{ "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": { "name": "codercontrolplanes.coder.com" },
    "spec": { "group": "coder.com", "scope": "Namespaced", "names": { "kind": "CoderControlPlane", "plural": "codercontrolplanes" },
              "versions": [{ "name": "v1alpha1", "served": true }] } }"#;

fn pod() -> String {
    format!("{{ \"apiVersion\": \"v1\", \"kind\": \"Pod\", {POD} }}")
}

fn event() -> String {
    format!("{{ \"apiVersion\": \"v1\", \"kind\": \"Event\", {EVENT} }}")
}

/// A list as a server writes one whose keys are sorted: the kind comes after the items.
fn list(kind: &str, item: &str) -> String {
    format!("{{ \"apiVersion\": \"v1\", \"items\": [{{ {item} }}], \"kind\": \"{kind}\", \"metadata\": {{}} }}")
}

/// Lines with the kubelet's time stamps.
fn kubelet(text: &str) -> String {
    format!("2026-11-19T09:00:00.123456789Z {text}\n")
}

/// Lines in a container runtime's format, one of them split.
fn runtime(text: &str) -> String {
    let (one, two) = text.split_at(1);
    format!("2026-11-19T09:00:00.123456789Z stdout P {one}\n2026-11-19T09:00:00.123456789Z stdout F {two}\n")
}

fn marked(container: &str, text: &str) -> String {
    let of = format!("logs for container {container} of pod team-a/web-0 ====");
    format!("==== START {of}\n{text}==== END {of}\n")
}

/// A tool's files, and what of the cluster they show.
struct Layout {
    tool: &'static str,
    files: Vec<(String, String)>,
    events: bool,
    planes: bool,
    logs: bool,
    previous: bool,
    /// The API server's version; without one in a file, the nodes' version or none.
    version: &'static str,
}

impl Layout {
    fn new(tool: &'static str, files: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let files = files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
        Self { tool, files, events: true, planes: true, logs: true, previous: true, version: "v0.0.0" }
    }
}

fn layouts() -> Vec<Layout> {
    let text = |text: &str| text.to_owned();
    let id = |letter: &str| letter.repeat(64);
    vec![
        Layout {
            planes: false,
            previous: false,
            ..Layout::new("kubectl cluster-info dump", [
                ("team-a/pods.json", list("PodList", POD)),
                ("team-a/events.json", list("EventList", EVENT)),
                ("team-a/replication-controllers.json", text(r#"{"kind":"ReplicationControllerList","apiVersion":"v1","items":[]}"#)),
                ("team-a/web-0/logs.txt", marked("app", "now\n") + &marked("sidecar", "side\n")),
            ])
        },
        Layout {
            planes: false,
            previous: false,
            ..Layout::new("kubectl cluster-info dump --output=yaml", [
                ("team-a/pods.yaml", format!("apiVersion: v1\nkind: PodList\nitems:\n- {{ {POD} }}\n")),
                ("team-a/events.yaml", format!("apiVersion: v1\nkind: EventList\nitems:\n- {{ {EVENT} }}\n")),
                ("team-a/web-0/logs.txt", marked("app", "now\n") + &marked("sidecar", "side\n")),
            ])
        },
        Layout::new("kubectl get of several kinds, and kubectl logs", [
            ("all.yaml", format!("apiVersion: v1\nkind: List\nitems:\n- {}\n- {}\n- {PLANE}\n", pod(), event())),
            ("team-a/web-0/app.log", text("now\n")),
            ("team-a/web-0/app.previous.log", text("before\n")),
            ("team-a/web-0/sidecar.log", text("side\n")),
        ]),
        Layout::new("single objects, several documents, and raw lists", [
            ("web.yml", format!("---\n{}\n---\n{PLANE_YAML}---\n", pod())),
            ("raw/events", text("no extension, no file of ours")),
            ("raw.json", list("EventList", EVENT)),
            ("version.json", text(r#"{ "major": "1", "minor": "37", "gitVersion": "v1.37.2", "platform": "linux/arm64" }"#)),
            ("team-a/web-0/app.log", text("now\n")),
            ("team-a/web-0/app-previous.log", text("before\n")),
            ("team-a/web-0/sidecar.log", text("side\n")),
        ])
        .versioned("v1.37.2"),
        Layout::new("Troubleshoot", [
            ("cluster-resources/namespaces.json", list("NamespaceList", r#""metadata": { "name": "team-a" }"#)),
            ("cluster-resources/namespaces-errors.json", text("null")),
            ("cluster-resources/pods/team-a.json", list("PodList", &format!("\"kind\": \"Pod\", \"apiVersion\": \"v1\", {POD}"))),
            ("cluster-resources/pods-errors.json", text("{}")),
            ("cluster-resources/events/team-a.json", list("EventList", EVENT)),
            ("cluster-resources/custom-resource-definitions.json", format!("{{ \"kind\": \"CustomResourceDefinitionList\", \"apiVersion\": \"apiextensions.k8s.io/v1\", \"items\": [{DEFINITION}] }}")),
            ("cluster-resources/custom-resources/codercontrolplanes.coder.com/team-a.yaml", format!("- {}", PLANE_YAML.replace('\n', "\n  "))),
            ("cluster-resources/custom-resources/codercontrolplanes.coder.com/team-a.json", format!("[{PLANE}]")),
            ("cluster-resources/custom-resources/custom-resources-errors.json", text("null")),
            ("cluster-resources/groups.json", text("[{}]")),
            ("cluster-resources/auth-cani-list/team-a.json", text("[{ \"verbs\": [\"get\"] }]")),
            ("cluster-resources/pods/logs/team-a/web-0/app.log", text("now\n")),
            ("cluster-resources/pods/logs/team-a/web-0/app-previous.log", text("before\n")),
            ("cluster-resources/pods/logs/team-a/web-0/sidecar.log", text("side\n")),
            ("cluster-resources/pods/logs/team-a/web-0/sidecar-logs-errors.log", text("no previous log")),
            ("cluster-info/cluster_version.json", text(r#"{ "info": { "major": "1", "minor": "36", "gitVersion": "v1.36.1" }, "string": "v1.36.1" }"#)),
        ])
        .versioned("v1.36.1"),
        Layout::new("Troubleshoot of before, and a logs collector", [
            ("cluster-resources/pods/team-a.json", format!("[{{ {POD} }}]")),
            ("cluster-resources/events/team-a.json", format!("[{{ {EVENT} }}]")),
            ("cluster-resources/custom-resources/codercontrolplanes.coder.com/team-a.json", format!("[{PLANE}]")),
            ("web/logs/web-0/app.log", text("now\n")),
            ("web/logs/web-0/app-previous.log", text("before\n")),
            ("web/logs/web-0/sidecar.log", text("side\n")),
            ("web/logs/errors.json", text("{}")),
        ]),
        Layout::new("must-gather", [
            ("timestamp", text("2026-11-19")),
            ("namespaces/team-a/team-a.yaml", text("apiVersion: v1\nkind: Namespace\nmetadata:\n  name: team-a\n")),
            ("namespaces/team-a/core/pods.yaml", format!("apiVersion: v1\nkind: PodList\nitems:\n- {{ {POD} }}\n")),
            ("namespaces/team-a/core/events.yaml", format!("apiVersion: v1\nkind: EventList\nitems:\n- {{ {EVENT} }}\n")),
            ("namespaces/team-a/coder.com/codercontrolplanes/coder.yaml", format!("---\n{PLANE_YAML}")),
            ("namespaces/team-a/pods/web-0/web-0.yaml", format!("---\n{}", pod())),
            ("namespaces/team-a/pods/web-0/app/app/logs/current.log", kubelet("now")),
            ("namespaces/team-a/pods/web-0/app/app/logs/previous.log", kubelet("before")),
            ("namespaces/team-a/pods/web-0/app/app/logs/previous.insecure.log", text("")),
            ("namespaces/team-a/pods/web-0/sidecar/sidecar/logs/current.insecure.log", kubelet("side")),
            ("namespaces/team-a/pods/web-0/app/app/version.json", text(r#"{ "gitVersion": "v9" }"#)),
            ("event-filter.html", text("<html>")),
        ])
        .times(),
        Layout::new("kubelet", [
            ("pods.yaml", pod()),
            ("events.yaml", event()),
            ("planes.yaml", text(PLANE)),
            ("var/log/pods/team-a_web-0_u2/app/0.log", runtime("long ago")),
            ("var/log/pods/team-a_web-0_u2/app/1.log", runtime("before")),
            ("var/log/pods/team-a_web-0_u2/app/2.log", runtime("now")),
            ("var/log/pods/team-a_web-0_u2/sidecar/0.log", runtime("side")),
            ("var/log/pods/team-a_web-0_u1/app/7.log", runtime("another pod of this name")),
        ])
        .times(),
        Layout::new("kubelet's links", [
            ("pods.yaml", pod()),
            ("events.yaml", event()),
            ("planes.yaml", text(PLANE)),
            (leak(format!("containers/web-0_team-a_app-{}.log", id("b"))), runtime("before")),
            (leak(format!("containers/web-0_team-a_app-{}.log", id("a"))), runtime("now")),
            (leak(format!("containers/web-0_team-a_sidecar-{}.log", id("0"))), runtime("side")),
        ])
        .times(),
        Layout {
            planes: false,
            previous: false,
            ..Layout::new("sonobuoy", [
                ("serverversion.json", text(r#"{"major":"1","minor":"35","gitVersion":"v1.35.0","platform":"linux/amd64"}"#)),
                ("resources/ns/team-a/core_v1_pods.json", list("PodList", POD)),
                ("resources/ns/team-a/core_v1_events.json", list("EventList", EVENT)),
                ("podlogs/team-a/web-0/logs/app.txt", text("now\n")),
                ("podlogs/team-a/web-0/logs/sidecar.txt", text("side\n")),
                ("plugins/e2e/results/global/e2e.log", text("not a container's\n")),
            ])
            .versioned("v1.35.0")
        },
        Layout {
            logs: false,
            ..Layout::new("Velero", [
                ("metadata/version", text("1.1.0")),
                ("resources/pods/namespaces/team-a/web-0.json", pod()),
                ("resources/pods/v1-preferredversion/namespaces/team-a/web-0.json", pod()),
                ("resources/events/namespaces/team-a/web-0.1.json", event()),
                ("resources/codercontrolplanes.coder.com/namespaces/team-a/coder.json", text(PLANE)),
            ])
        },
    ]
}

fn leak(path: String) -> &'static str {
    Box::leak(path.into_boxed_str())
}

impl Layout {
    fn versioned(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    /// Marks a layout whose logs have time stamps.
    fn times(self) -> Self {
        Self { tool: leak(format!("{}, with times", self.tool)), ..self }
    }
}

#[tokio::test]
async fn every_layout_is_read_without_a_note_wherever_it_lies() {
    for layout in layouts() {
        for outer in ["", "bundle/", "must-gather.local.1/quay-io-acm-sha256-0f/"] {
            let files: Vec<(String, &str)> =
                layout.files.iter().map(|(path, text)| (format!("{outer}{path}"), text.as_str())).collect();
            let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
            questions(&layout, &Asker::of(&files)).await;
            assert_eq!(super::files::notes(&files), Vec::<String>::new(), "{}", layout.tool);
        }
    }
}

async fn questions(layout: &Layout, cluster: &Asker) {
    let tool = layout.tool;
    assert_eq!(cluster.names("/api/v1/namespaces/team-a/pods").await, ["team-a/web-0"], "{tool}");
    assert_eq!(cluster.names("/api/v1/namespaces").await, ["team-a"], "{tool}");
    let pod = cluster.json("/api/v1/namespaces/team-a/pods/web-0").await;
    assert_eq!((&pod["kind"], &pod["apiVersion"]), (&"Pod".into(), &"v1".into()), "{tool}");
    assert_eq!(cluster.json("/version").await["gitVersion"], layout.version, "{tool}");
    if layout.events {
        assert_eq!(
            cluster.names("/api/v1/namespaces/team-a/events?fieldSelector=type%3DWarning").await,
            ["team-a/web-0.1"],
            "{tool}"
        );
    }
    let planes = "/apis/coder.com/v1alpha1/codercontrolplanes";
    match layout.planes {
        true => assert_eq!(cluster.names(planes).await, ["team-a/coder"], "{tool}"),
        false => assert_eq!(cluster.refusal(planes).await.0, 404, "{tool}"),
    }
    let path = |query: &str| format!("/api/v1/namespaces/team-a/pods/web-0/log?container={query}");
    if !layout.logs {
        assert_eq!(cluster.refusal(&path("app")).await.0, 404, "{tool}");
        return;
    }
    let read = async |query: &str| cluster.get(&path(query)).await;
    assert_eq!(read("app").await, (200, "now\n".to_owned()), "{tool}");
    assert_eq!(read("sidecar").await, (200, "side\n".to_owned()), "{tool}");
    match layout.previous {
        true => assert_eq!(read("app&previous=true").await, (200, "before\n".to_owned()), "{tool}"),
        false => assert_eq!(read("app&previous=true").await.0, 404, "{tool}"),
    }
    assert_eq!(read("sidecar&previous=true").await.0, 400, "{tool}");
    if tool.ends_with("with times") {
        assert_eq!(read("app&timestamps=true").await.1, "2026-11-19T09:00:00.123456789Z now\n", "{tool}");
        assert_eq!(cluster.warning(&path("app&timestamps=true")).await, None, "{tool}");
    } else {
        assert!(cluster.warning(&path("app&sinceSeconds=1")).await.is_some(), "{tool}");
    }
}

#[tokio::test]
async fn the_kubelets_files_are_enough_to_read_logs() {
    let cluster = Asker::of(&[("log/pods/team-a_web-0_u2/app/0.log", "2026-11-19T09:00:00Z stdout F alone\n")]);
    assert_eq!(cluster.get("/api/v1/namespaces/team-a/pods/web-0/log").await, (200, "alone\n".to_owned()));
    assert_eq!(cluster.refusal("/api/v1/namespaces/team-a/pods").await.0, 404, "it has no pods");
}

#[tokio::test]
async fn a_pods_name_decides_whose_a_log_is_where_the_path_leaves_the_namespace_out() {
    let named = |namespace: &str, name: &str| {
        format!(
            "{{ \"kind\": \"Pod\", \"apiVersion\": \"v1\", \"metadata\": {{ \"name\": \"{name}\", \"namespace\": \"{namespace}\" }}, \"spec\": {{ \"nodeName\": \"n\", \"containers\": [{{ \"name\": \"app\" }}] }} }}"
        )
    };
    let pods = [named("team-a", "web-0"), named("team-b", "db-0"), named("team-a", "same"), named("team-b", "same")].join("\n");
    let cluster = Asker::of(&[
        ("pods.json", &pods),
        ("web/web-0/app.log", "by folder\n"),
        ("db/db-0.log", "by name\n"),
        ("db/db-0-previous.log", "before\n"),
        ("x/same/app.log", "whose?\n"),
    ]);
    let log = async |pod: &str| cluster.get(&format!("/api/v1/namespaces/{pod}/log")).await;
    assert_eq!(log("team-a/pods/web-0").await.1, "by folder\n");
    assert_eq!(log("team-b/pods/db-0").await.1, "by name\n");
    assert_eq!(cluster.get("/api/v1/namespaces/team-b/pods/db-0/log?previous=true").await.1, "before\n");
    assert_eq!((log("team-a/pods/same").await.0, log("team-b/pods/same").await.0), (404, 404));
}
