//! What a snapshot does not cover is an error or a warning, never a denial.

use super::{Asker, CLUSTER};
use crate::NOT_GATHERED;

const PLANES: &str = "/apis/coder.com/v1alpha1/codercontrolplanes";

/// The message of a 404 for something that was not gathered.
async fn not_held(cluster: &Asker, path: &str) -> String {
    let (code, reason, message) = cluster.refusal(path).await;
    assert_eq!((code, reason.as_str()), (404, NOT_GATHERED), "{path}");
    assert!(!message.contains("not found") && message.contains("is not known"), "{path}: {message}");
    message
}

#[tokio::test]
async fn what_nobody_gathered_is_an_error_and_no_empty_list() {
    let dump = Asker::of(&CLUSTER[..4]);
    for (path, plural) in [
        (PLANES, "codercontrolplanes.coder.com"),
        ("/apis/coder.com/v1alpha1/namespaces/team-a/codercontrolplanes", "codercontrolplanes.coder.com"),
        ("/apis/coder.com/v1alpha1/namespaces/team-a/codercontrolplanes/coder", "codercontrolplanes.coder.com"),
        ("/apis/aggregation.coder.com/v1alpha1/coderworkspaces", "coderworkspaces.aggregation.coder.com"),
        ("/apis/batch/v1/namespaces/team-a/jobs/x", "jobs.batch"),
        ("/apis/storage.k8s.io/v1/storageclasses", "storageclasses.storage.k8s.io"),
        ("/api/v1/services", "services"),
    ] {
        let message = not_held(&dump, path).await;
        assert!(message.starts_with(&format!("this snapshot holds no {plural}: ")), "{message}");
        assert!(message.contains(&format!("`kubectl get {plural} ")), "{message}");
    }
}

#[tokio::test]
async fn following_the_advice_helps_even_if_there_is_nothing() {
    let empty = "apiVersion: v1\nitems: []\nkind: List\nmetadata:\n  resourceVersion: \"\"\n";
    let cluster = Asker::of(&[CLUSTER[1], ("codercontrolplanes.coder.com.yaml", empty)]);
    assert_eq!(cluster.names(PLANES).await, Vec::<String>::new());
    assert_eq!(cluster.warning(PLANES).await, None);
    let (_, _, message) = cluster.refusal("/apis/coder.com/v1alpha1/namespaces/team-a/codercontrolplanes/coder").await;
    assert_eq!(message, "codercontrolplanes.coder.com \"coder\" not found");
    let full = Asker::of(&[CLUSTER[1], CLUSTER[4]]);
    assert_eq!(full.names(PLANES).await, ["team-a/coder"]);
}

#[tokio::test]
async fn a_namespace_that_was_not_looked_into_is_said() {
    let dump = Asker::of(&CLUSTER);
    for path in ["/api/v1/namespaces/team-b/events", "/api/v1/namespaces/team-b/events/x"] {
        let message = not_held(&dump, path).await;
        assert!(
            message.starts_with("this snapshot holds events of namespace team-a only, and none of namespace team-b: "),
            "{message}"
        );
    }
    for path in ["/api/v1/namespaces/nope/pods", "/api/v1/namespaces/nope/pods/web-0/log"] {
        let message = not_held(&dump, path).await;
        assert!(
            message.starts_with("this snapshot holds pods of namespaces team-a, team-b only, and none of namespace nope: "),
            "{message}"
        );
    }
    assert_eq!(dump.refusal("/api/v1/namespaces/team-b/pods/x").await.2, "pods \"x\" not found", "there somebody looked");
}

#[tokio::test]
async fn an_empty_list_in_the_folder_of_a_namespace_shows_that_somebody_looked() {
    let empty = r#"{ "kind": "EventList", "apiVersion": "v1", "items": [] }"#;
    let dump = Asker::of(&[CLUSTER[1], ("team-c/events.json", empty), ("team-c/pods.json", &empty.replace("Event", "Pod"))]);
    assert_eq!(dump.names("/api/v1/namespaces/team-c/events").await, Vec::<String>::new());
    assert_eq!(dump.names("/api/v1/namespaces").await, ["team-a", "team-c"]);
    not_held(&dump, "/api/v1/namespaces/team-a/events").await;
    let everywhere = Asker::of(&[CLUSTER[1], ("events.json", empty)]);
    assert_eq!(everywhere.names("/api/v1/namespaces/team-a/events").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_list_of_all_namespaces_says_which_it_is_of() {
    let dump = Asker::of(&CLUSTER);
    assert_eq!(dump.warning("/api/v1/pods").await.as_deref(), Some("this snapshot holds pods of namespaces team-a, team-b only"));
    assert_eq!(dump.warning("/api/v1/namespaces/team-a/pods").await, None);
    assert_eq!(dump.warning("/api/v1/nodes").await, None);
    let page = dump.json("/api/v1/pods?limit=1").await;
    let next = format!("/api/v1/pods?limit=1&continue={}", page["metadata"]["continue"].as_str().unwrap());
    assert_eq!(dump.warning(&next).await, None, "once is enough");
    let note = dump.warning("/api/v1/namespaces").await.unwrap();
    assert!(note.starts_with("this snapshot has no list of namespaces"), "{note}");
    // Items of two namespaces were listed over all, and a list of all namespaces shows what is missing.
    let all = "apiVersion: v1\nkind: List\nitems:\n- { kind: Pod, apiVersion: v1, metadata: { name: a, namespace: a } }\n- { kind: Pod, apiVersion: v1, metadata: { name: b, namespace: b } }\n";
    assert_eq!(Asker::of(&[("pods.yaml", all)]).warning("/api/v1/pods").await, None);
    let list = |names: &str| format!("apiVersion: v1\nkind: NamespaceList\nitems: [{names}]\n");
    for (names, whole) in
        [("{metadata: {name: team-a}}", true), ("{metadata: {name: team-a}}, {metadata: {name: team-z}}", false)]
    {
        let dump = Asker::of(&[CLUSTER[1], ("namespaces.yaml", &list(names))]);
        assert_eq!(dump.warning("/api/v1/pods").await.is_none(), whole, "{names}");
        assert_eq!(dump.warning("/api/v1/namespaces").await, None);
    }
}

#[tokio::test]
async fn many_namespaces_are_not_all_named() {
    let file = |n: usize| (format!("team-{n}/pods.json"), CLUSTER[1].1.replace("team-a", &format!("team-{n}")));
    let files: Vec<_> = (0..50).map(file).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let cluster = Asker::of(&files);
    assert_eq!(
        cluster.warning("/api/v1/pods").await.unwrap(),
        "this snapshot holds pods of namespaces team-0, team-1, team-10, team-11, team-12 and 45 more only"
    );
}

const DEFINITIONS: &str = r#"{ "kind": "CustomResourceDefinitionList", "apiVersion": "apiextensions.k8s.io/v1", "items": [
    { "metadata": { "name": "oxen.farm.example.com" }, "spec": { "group": "farm.example.com", "scope": "Namespaced",
      "names": { "kind": "Ox", "plural": "oxen" }, "versions": [{ "name": "v1", "served": true }] } },
    { "metadata": { "name": "barns.farm.example.com" }, "spec": { "group": "farm.example.com", "scope": "Cluster",
      "names": { "kind": "Barn", "plural": "barns" }, "versions": [{ "name": "v1", "served": true }] } }
] }"#;

#[tokio::test]
async fn troubleshoot_looks_for_all_custom_resources_but_those_that_it_names_in_a_file() {
    let definitions = ("cluster-resources/custom-resource-definitions.json", DEFINITIONS);
    let failed = (
        "cluster-resources/custom-resources/custom-resources-errors.json",
        r#"{ "barns.farm.example.com": "forbidden: s3cret" }"#,
    );
    let (oxen, barns) = ("/apis/farm.example.com/v1/oxen", "/apis/farm.example.com/v1/barns");
    let all = r#"{ "kind": "NamespaceList", "apiVersion": "v1", "items": [{ "metadata": { "name": "alp" } }] }"#;
    let bundle = Asker::of(&[definitions, failed, ("cluster-resources/namespaces.json", all)]);
    assert_eq!(bundle.names(oxen).await, Vec::<String>::new(), "there were none");
    assert_eq!(bundle.warning(oxen).await, None);
    let some = r#"[{ "metadata": { "name": "alp" } }]"#;
    let some = Asker::of(&[definitions, failed, ("cluster-resources/namespaces.json", some)]);
    assert_eq!(some.warning(oxen).await.as_deref(), Some("this snapshot holds oxen.farm.example.com of namespace alp only"));
    not_held(&some, "/apis/farm.example.com/v1/namespaces/moor/oxen").await;
    let message = not_held(&bundle, barns).await;
    assert!(
        message.contains("could not read them, see cluster-resources/custom-resources/custom-resources-errors.json"),
        "{message}"
    );
    assert!(!message.contains("s3cret"), "{message}");
    for file in [definitions, ("somewhere/definitions.json", DEFINITIONS)] {
        not_held(&Asker::of(&[file]), oxen).await;
    }
}

#[tokio::test]
async fn what_could_not_be_read_is_said_with_the_file_that_says_why() {
    let bundle = Asker::of(&[
        ("cluster-resources/pods/team-a.json", CLUSTER[1].1),
        ("cluster-resources/pods-errors.json", r#"{ "team-b": "pods is forbidden" }"#),
        ("cluster-resources/nodes-errors.json", r#"["nodes is forbidden"]"#),
        ("cluster-resources/pvcs-errors.json", "null"),
    ]);
    for (path, file) in [
        ("/api/v1/namespaces/team-b/pods", Some("pods-errors.json")),
        ("/api/v1/namespaces/team-c/pods", None),
        ("/api/v1/nodes", Some("nodes-errors.json")),
        ("/api/v1/persistentvolumeclaims", None),
    ] {
        let message = not_held(&bundle, path).await;
        assert!(!message.contains("forbidden"), "nobody else's words: {message}");
        match file {
            Some(file) => assert!(message.contains(&format!("see cluster-resources/{file}")), "{message}"),
            None => assert!(!message.contains("errors.json"), "{message}"),
        }
    }
}
