//! Files: which ones are read, the effect of a broken one, and the messages of errors.

use super::{Asker, CLUSTER, SnapshotError, contents, directory, open};

pub(super) fn notes(files: &[(&str, &str)]) -> Vec<String> {
    let directory = directory(files);
    contents(&directory).notes
}

#[test]
fn a_dump_is_read_without_a_warning() {
    assert_eq!(notes(&CLUSTER), Vec::<String>::new());
}

#[tokio::test]
async fn one_broken_file_does_not_hide_the_others() {
    let broken = [CLUSTER[1], ("team-b/pods.json", "{ \"kind\": \"PodList\",\n \"items\": [ {"), ("x.yaml", "a: [1\nb: 2\n")];
    assert_eq!(Asker::of(&broken).names("/api/v1/pods").await.len(), 3);
    let notes = notes(&broken);
    assert!(notes[0].starts_with("team-b/pods.json: line 2: not JSON: "), "{notes:?}");
    assert!(notes[1].starts_with("x.yaml: line 2: not YAML: "), "{notes:?}");
    assert_eq!(notes.len(), 2);
}

#[test]
fn what_is_no_object_is_named() {
    let notes = notes(&[
        ("a.json", "[1]"),
        ("b.yaml", "apiVersion: v1\nkind: Pod\nmetadata: { generateName: web- }\n"),
        ("c.json", "{ \"rows\": 3 }"),
        ("d.json", "\u{feff}{ \"kind\": \"PodList\", \"apiVersion\": \"v1\", \"items\": [3] }"),
        ("e.json", r#"[{ "metadata": { "name": "a" } }, { "kind": "Pod", "apiVersion": "v1", "metadata": { "name": "b" } }]"#),
        ("f.json", r#"{ "kind": "Table", "items": [] }"#),
        ("g.json", "7"),
        ("h.json", ""),
        ("notes.txt", "not looked at"),
    ]);
    assert_eq!(
        notes,
        [
            "b.yaml: an object without metadata.name",
            "d.json: no Kubernetes object, but a list or a plain value",
            "e.json: an object without kind",
            "f.json: no Kubernetes object, but something with items of kind Table",
            "a.json: it holds no Kubernetes objects; nor do 2 other files",
        ]
    );
}

#[tokio::test]
async fn a_log_without_its_pod_makes_no_namespace() {
    let files = [CLUSTER[1], ("team-a/web-1/app.log", "hello\n"), ("host/var/syslog.log", "x\n"), ("host/var/dmesg.log", "x\n")];
    assert_eq!(notes(&files), Vec::<String>::new());
    let cluster = Asker::of(&files);
    assert_eq!(cluster.names("/api/v1/namespaces").await, ["team-a"], "a directory is no namespace");
    assert_eq!(cluster.get("/api/v1/namespaces/team-a/pods/web-1/log").await.1, "hello\n");
}

#[tokio::test]
async fn an_archive_is_an_error_that_says_how_to_unpack_it() {
    let folder = directory(&[("bundle.tar.gz", "")]);
    let packed = folder.path().join("bundle.tar.gz");
    let text = open(&packed).err().unwrap().to_string();
    let packed = packed.display();
    assert!(text.contains(&format!("`mkdir bundle && tar -xzf {packed} -C bundle`")), "{text}");
    let text = open(folder.path()).err().unwrap().to_string();
    assert!(text.contains("bundle.tar.gz: it is compressed; unpack it"), "{text}");
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_an_error_that_says_what_to_give() {
    let parent = directory(&[]);
    let error = open(&parent.path().join("nope")).err().unwrap();
    assert!(matches!(error, SnapshotError::Unreadable { .. }));
    let text = error.to_string();
    assert!(text.contains("nope") && text.contains("kubectl cluster-info dump --output-directory=DIR"), "{text}");
}

#[tokio::test]
async fn a_directory_without_objects_is_an_error_that_names_what_is_broken() {
    let bare = directory(&[("README.md", "nothing")]);
    let text = open(bare.path()).err().unwrap().to_string();
    assert!(text.starts_with(&format!("no Kubernetes objects in {}; write some with ", bare.path().display())), "{text}");
    let broken = directory(&[("a.json", "{"), ("b.json", "{"), ("c.json", "{"), ("d.json", "{"), ("e.json", "{")]);
    let text = open(broken.path()).err().unwrap().to_string();
    assert!(
        text.contains("(a.json: line 1: not JSON: ") && text.contains("c.json: ") && text.contains(", and 2 more);"),
        "{text}"
    );
}

#[tokio::test]
async fn yaml_keeps_text_text() {
    let cluster = Asker::of(&[(
        "pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web-0\n  creationTimestamp: 2026-11-19T09:00:00Z\n  labels: { on: \"yes\" }\n  \
         annotations:\n    answer: yes\n    quoted: \"true\"\n    time: 12:30\n    many: |\n      two\n      lines\n\
         spec: { hostNetwork: true, priority: 0 }\n",
    )]);
    let pod = cluster.json("/api/v1/namespaces/default/pods/web-0").await;
    assert_eq!(pod["metadata"]["namespace"], "default", "where kubectl would put it");
    assert_eq!(pod["metadata"]["creationTimestamp"], "2026-11-19T09:00:00Z");
    assert_eq!(pod["metadata"]["labels"]["on"], "yes");
    assert_eq!(pod["metadata"]["annotations"]["answer"], "yes");
    assert_eq!(pod["metadata"]["annotations"]["quoted"], "true");
    assert_eq!(pod["metadata"]["annotations"]["time"], "12:30");
    assert_eq!(pod["metadata"]["annotations"]["many"], "two\nlines\n");
    assert_eq!((&pod["spec"]["hostNetwork"], &pod["spec"]["priority"]), (&true.into(), &0.into()));
}

#[tokio::test]
async fn a_large_list_is_within_bounds() {
    let mut text = "apiVersion: v1\nkind: EventList\nitems:\n".to_owned();
    for index in 0..20_000 {
        text.push_str(&format!(
            "- metadata: {{ name: e{index}, namespace: a, labels: {{ a: b, c: d, e: f }} }}\n  type: Normal\n"
        ));
    }
    assert_eq!(Asker::of(&[("events.yaml", &text)]).names("/api/v1/events").await.len(), 20_000);
}

#[tokio::test]
async fn of_two_copies_the_later_path_counts() {
    let pod = |phase: &str| {
        serde_json::json!({
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": { "name": "a", "namespace": "b" },
            "status": { "phase": phase },
        })
        .to_string()
    };
    let cluster = Asker::of(&[("1.json", &pod("Pending")), ("2.json", &pod("Running"))]);
    assert_eq!(cluster.json("/api/v1/pods").await["items"].as_array().unwrap().len(), 1);
    assert_eq!(cluster.json("/api/v1/namespaces/b/pods/a").await["status"]["phase"], "Running");
}
