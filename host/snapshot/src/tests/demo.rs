//! The demo: all of its files are read, and its story can be reconstructed.

use super::super::files::Tree;
use super::super::lines::Stamps;
use super::super::notes::Notes;
use super::super::read::Contents;
use super::super::room::Room;
use super::super::{self as snapshot, DEMO};
use super::{Asker, LARGEST};
use serde_json::Value;

/// The pod that fails, and the one that is healthy.
const BROKEN: &str = "/api/v1/namespaces/team-b/pods/coder-59cc7b4d6-crwth";
const HEALTHY: &str = "/api/v1/namespaces/team-a/pods/coder-6d5f8b7c9-cwtch";

fn demo() -> kube::Client {
    snapshot::demo().client
}

fn files() -> Vec<super::super::files::File> {
    Tree::Embedded(&DEMO).files(&mut Notes::default()).unwrap()
}

#[test]
fn every_file_is_read_without_a_note() {
    let contents = Contents::read(&Tree::Embedded(&DEMO), Room::new(LARGEST)).unwrap();
    assert_eq!(contents.notes, Vec::<String>::new());
    let paths: Vec<_> = files().iter().map(|file| file.path().to_owned()).filter(|path| path.ends_with(".log")).collect();
    assert_eq!(contents.logs.len(), paths.len());
    for path in paths {
        let [_, pod, container, _] = path.split('/').collect::<Vec<_>>()[..] else { panic!("{path}") };
        let [namespace, pod, _] = pod.split('_').collect::<Vec<_>>()[..] else { panic!("{path}") };
        let of = contents.logs.of(namespace, pod).iter().filter(|log| log.container.as_deref() == Some(container));
        assert!(of.clone().count() > 0 && of.clone().all(|log| log.stamps == Stamps::Runtime), "{path}");
    }
}

#[test]
fn the_demo_is_small() {
    // More than a dozen problems, each with the objects, events and logs that tell of it. The binary is a hundred times as large.
    const MOST: usize = 288 * 1024;
    let size: usize = files().iter().map(|file| file.read(u64::MAX).unwrap().len()).sum();
    assert!(size < MOST, "{size} bytes");
}

#[tokio::test]
async fn nothing_of_what_the_tools_read_is_missing_from_it() {
    let demo = Asker(demo(), None);
    for resource in [
        "api/v1/{}events",
        "api/v1/{}pods",
        "api/v1/{}services",
        "api/v1/{}persistentvolumeclaims",
        "api/v1/{}resourcequotas",
        "apis/apps/v1/{}daemonsets",
        "apis/apps/v1/{}deployments",
        "apis/apps/v1/{}replicasets",
        "apis/apps/v1/{}statefulsets",
        "apis/autoscaling/v2/{}horizontalpodautoscalers",
        "apis/batch/v1/{}jobs",
        "apis/discovery.k8s.io/v1/{}endpointslices",
        "apis/networking.k8s.io/v1/{}ingresses",
        "apis/coder.com/v1alpha1/{}codercontrolplanes",
        "apis/aggregation.coder.com/v1alpha1/{}coderworkspaces",
        "apis/aggregation.coder.com/v1alpha1/{}codertemplates",
    ] {
        for within in ["", "namespaces/kube-system/"] {
            let path = format!("/{}", resource.replace("{}", within));
            assert_eq!(demo.warning(&path).await, None, "{path}");
        }
    }
    for path in [
        "/api/v1/namespaces",
        "/api/v1/nodes",
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "/apis/apiregistration.k8s.io/v1/apiservices",
        "/apis/networking.k8s.io/v1/ingressclasses",
        "/apis/storage.k8s.io/v1/storageclasses",
    ] {
        assert_eq!(demo.warning(path).await, None, "{path}");
    }
}

#[tokio::test]
async fn it_is_as_late_as_the_readme_says() {
    let now = k8s_openapi::jiff::Timestamp::try_from(snapshot::demo().now.unwrap()).unwrap();
    assert_eq!(now.to_string(), "2026-11-19T09:43:00Z");
}

#[tokio::test]
async fn every_owner_is_there_and_no_node_is_promised_more_than_it_has() {
    let demo = Asker(demo(), None);
    let mut uids = std::collections::BTreeMap::new();
    let mut owned = Vec::new();
    for path in [
        "/api/v1/pods",
        "/api/v1/services",
        "/apis/apps/v1/deployments",
        "/apis/apps/v1/replicasets",
        "/apis/apps/v1/statefulsets",
        "/apis/batch/v1/cronjobs",
        "/apis/batch/v1/jobs",
        "/apis/coder.com/v1alpha1/codercontrolplanes",
        "/apis/discovery.k8s.io/v1/endpointslices",
    ] {
        for object in demo.json(path).await["items"].as_array().unwrap() {
            let metadata = &object["metadata"];
            let key = |kind: &Value, name: &Value| format!("{kind} {} {name}", metadata["namespace"]);
            let kind = path.rsplit('/').next().unwrap();
            owned.extend(metadata["ownerReferences"].as_array().into_iter().flatten().map(|owner| {
                (format!("{kind} {}", metadata["name"]), key(&owner["kind"], &owner["name"]), owner["uid"].clone())
            }));
            uids.insert(key(&object["kind"], &metadata["name"]), metadata["uid"].clone());
        }
    }
    for (object, owner, uid) in owned {
        assert_eq!(uids.get(&owner), Some(&uid), "{object}: {owner}");
    }
    for node in demo.json("/api/v1/nodes").await["items"].as_array().unwrap() {
        let name = node["metadata"]["name"].as_str().unwrap();
        let pods = demo.json(&format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{name}")).await;
        let alive = |pod: &&Value| !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        let containers =
            pods["items"].as_array().unwrap().iter().filter(alive).flat_map(|pod| pod["spec"]["containers"].as_array().unwrap());
        let requested: f64 = containers.map(|container| mebibytes(&container["resources"]["requests"]["memory"])).sum();
        assert!(requested <= mebibytes(&node["status"]["allocatable"]["memory"]), "{name}: {requested} Mi");
    }
}

fn mebibytes(quantity: &Value) -> f64 {
    let text = quantity.as_str().unwrap();
    let (digits, unit) = text.split_at(text.len() - 2);
    digits.parse::<f64>().unwrap() * if unit == "Gi" { 1024.0 } else { 1.0 }
}

#[tokio::test]
async fn the_directory_and_the_embedded_copy_are_the_same_cluster() {
    let directory = super::open(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/demo"))).unwrap();
    let (directory, embedded) = (Asker(directory, None), Asker(demo(), None));
    let page = embedded.json("/api/v1/pods?limit=1").await;
    let token = page["metadata"]["continue"].as_str().unwrap();
    assert_eq!(directory.json(&format!("/api/v1/pods?continue={token}")).await["items"].as_array().unwrap().len(), 33);
}

#[tokio::test]
async fn one_control_plane_is_ready_and_one_is_not() {
    let list = Asker(demo(), None).json("/apis/coder.com/v1alpha1/codercontrolplanes").await;
    let phases: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|one| (&one["metadata"]["namespace"], &one["status"]["phase"])).collect();
    assert_eq!(phases, [(&"team-a".into(), &"Ready".into()), (&"team-b".into(), &"Pending".into())]);
}

#[tokio::test]
async fn the_log_of_the_broken_pod_holds_the_cause_in_both_runs() {
    let demo = Asker(demo(), None);
    for query in ["", "?previous=true"] {
        let (code, text) = demo.get(&format!("{BROKEN}/log{query}")).await;
        assert_eq!(code, 200);
        assert!(text.contains("password authentication failed for user \\\"coder\\\""), "{text}");
        assert!(!text.starts_with("2026-11-19T"), "the kubelet's stamps are not the container's");
    }
    assert_ne!(demo.get(&format!("{BROKEN}/log")).await, demo.get(&format!("{BROKEN}/log?previous=true")).await);
    let (_, healthy) = demo.get(&format!("{HEALTHY}/log")).await;
    assert!(healthy.contains("coderd: ready") && !healthy.contains("password"));
}

#[tokio::test]
async fn the_secret_that_was_rotated_is_not_the_one_that_is_used() {
    let demo = Asker(demo(), None);
    let pod = demo.json(BROKEN).await;
    let variables = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let url = variables.iter().find(|one| one["name"] == "CODER_PG_CONNECTION_URL").unwrap();
    assert_eq!(url["valueFrom"]["secretKeyRef"]["name"], "coder-db-url");
    let rotated = demo.json("/api/v1/namespaces/team-b/events?fieldSelector=reason%3DCredentialsRotated").await;
    assert_eq!(rotated["items"][0]["involvedObject"]["name"], "postgres-app");
    let (_, log) = demo.get("/api/v1/namespaces/coder-system/pods/rotate-credentials-29917965-vjxbw/log").await;
    assert!(log.lines().any(|line| line.contains("holds the old password") && line.contains("coder-db-url")));
}

#[tokio::test]
async fn the_pending_pod_has_no_node_and_an_event_that_says_why() {
    let demo = Asker(demo(), None);
    let pending = demo.json("/api/v1/namespaces/team-b/pods?fieldSelector=status.phase%3DPending").await;
    assert_eq!(pending["items"].as_array().unwrap().len(), 1);
    let name = pending["items"][0]["metadata"]["name"].as_str().unwrap();
    assert_eq!(demo.get(&format!("/api/v1/namespaces/team-b/pods/{name}/log")).await, (204, String::new()));
    let events = demo.json(&format!("/api/v1/namespaces/team-b/events?fieldSelector=involvedObject.name%3D{name}")).await;
    let event = &events["items"][0];
    assert_eq!(event["reason"], "FailedScheduling");
    assert!(event.get("count").is_none() && event["series"]["count"].is_u64(), "a new-style event");
}

#[tokio::test]
async fn there_is_something_of_everything_that_the_tools_read() {
    let demo = Asker(demo(), None);
    for (path, least) in [
        ("/api/v1/nodes", 2),
        ("/api/v1/namespaces", 5),
        ("/api/v1/pods", 10),
        ("/api/v1/events", 20),
        ("/api/v1/namespaces/team-b/events?fieldSelector=type%3DWarning", 5),
        ("/api/v1/services", 5),
        ("/apis/apps/v1/deployments", 3),
        ("/apis/aggregation.coder.com/v1alpha1/coderworkspaces", 11),
        ("/apis/aggregation.coder.com/v1alpha1/namespaces/team-b/coderworkspaces", 5),
        ("/apis/aggregation.coder.com/v1alpha1/codertemplates", 5),
    ] {
        let found = demo.names(path).await.len();
        assert!(found >= least, "{path}: {found}");
    }
    assert_eq!(demo.json("/version").await["gitVersion"], "v1.37.2");
}

#[tokio::test]
async fn a_pod_with_two_containers_needs_the_name_of_one() {
    let demo = Asker(demo(), None);
    let path = "/api/v1/namespaces/team-a/pods/workspace-ana-api/log";
    let (code, _, message) = demo.refusal(path).await;
    assert_eq!(code, 400);
    assert!(message.ends_with("choose one of: [dev docker]"), "{message}");
    assert!(demo.get(&format!("{path}?container=docker")).await.1.contains("Docker daemon"));
}
