//! One test a fault, what many faults at once cost, and a cluster of many pods.

use sandbar_tool::testing::{Cluster, faults};
use serde_json::{Value, json};

use super::component;

fn answer(cluster: &Cluster, arguments: Value) -> Value {
    cluster.host().answer(&component(), "find_problems", &arguments).expect("an answer")
}

fn text(cluster: &Cluster) -> String {
    cluster.host().text(&component(), "find_problems", &json!({})).expect("an answer")
}

/// What is wrong and why, one after the other.
fn problems(answer: &Value) -> Vec<String> {
    let word = |item: &Value, key: &str| item[key].as_str().expect("a text").to_owned();
    let items = answer["problems"].as_array().expect("a list");
    items.iter().map(|item| format!("{}: {}", word(item, "what"), word(item, "why"))).collect()
}

#[test]
fn the_prompt_names_the_place_and_the_tools() {
    let words = |arguments: Value| {
        let messages = Cluster::new().host().prompt(&component(), "what_is_wrong", &arguments).expect("a prompt");
        let [(role, words)] = &messages[..] else { panic!("{messages:?}") };
        assert_eq!(role, "user");
        words.clone()
    };
    for cluster in [json!({}), json!({ "namespace": " " })] {
        assert!(
            words(cluster).starts_with("Find out what is wrong in the Kubernetes cluster, and why.\n1. Call find_problems. It")
        );
    }
    let of_one = words(json!({ "namespace": "team-a" }));
    assert!(
        of_one.contains("wrong in the namespace team-a,") && of_one.contains("find_problems with the namespace team-a."),
        "{of_one}"
    );
}

/// Every fault, what it is found as, and words of its cause.
const FAULTS: [(faults::Fault, &str, &[&str]); 14] = [
    (faults::image, "Deployment team-a/pull", &["2 of 2 pods", "ImagePullBackOff", "example.com/app:typo", "manifest unknown"]),
    (faults::crash_loop, "Deployment team-a/crash", &["3 of 3 pods", "CrashLoopBackOff", "exits with code 1", "last 3m ago"]),
    (faults::out_of_memory, "Deployment team-a/hungry", &["OOMKilled", "limit of 128Mi", "4 restarts"]),
    (faults::too_large, "Deployment team-a/large", &["Unschedulable", "Insufficient memory"]),
    (faults::tainted, "Deployment team-a/choosy", &["Unschedulable", "untolerated taint"]),
    (faults::unbound_claim, "Deployment team-a/stateful", &["Unschedulable", "unbound immediate PersistentVolumeClaims"]),
    (faults::unbound_claim, "PersistentVolumeClaim team-a/data", &["there is no StorageClass fast"]),
    (faults::failing_probe, "Deployment team-a/slow", &["NotReady", "readiness probe GET :8080/ready", "statuscode: 503"]),
    (faults::quota, "Deployment team-a/more", &["QuotaExceeded", "exceeded quota: small"]),
    (faults::selector, "Service team-a/web", &["app=webb matches no pod"]),
    (faults::stuck_rollout, "Deployment team-a/rolling", &["rollout is stuck", "secret \"login\" not found"]),
    (faults::failed_job, "Job team-a/import", &["BackoffLimitExceeded", "exits with code 2"]),
    (faults::missing_volume, "Deployment team-a/mounts", &["ContainerCreating", "configmap \"settings\" not found"]),
    (faults::pressure, "Node node-2", &["MemoryPressure"]),
];

#[test]
fn every_fault_is_among_the_first_three_with_its_cause() {
    for (fault, what, words) in FAULTS {
        let answer = answer(&fault(faults::well(), "team-a"), json!({}));
        let problems = problems(&answer);
        let found = problems.iter().take(3).find(|problem| problem.starts_with(what));
        let found = found.unwrap_or_else(|| panic!("{what} is not in {problems:#?}"));
        for word in words {
            assert!(found.contains(word), "{word}: {found}");
        }
        assert!(problems.len() < 3, "one fault is told once: {problems:#?}");
    }
}

#[test]
fn a_node_that_does_not_answer_is_the_worst() {
    let cluster = faults::silent_node(faults::crash_loop(faults::well(), "team-a"), "");
    let problems = problems(&answer(&cluster, json!({})));
    assert!(problems[0].starts_with("Node node-2: NodeNotReady: the node does not answer"), "{problems:#?}");
}

#[test]
fn a_cluster_that_is_well_is_one_line() {
    assert_eq!(
        text(&faults::well()),
        "Nothing is wrong in the cluster: looked at 2 Pods, 1 Services, 1 Namespaces, 2 Nodes, 1 Deployments.\n"
    );
}

/// All faults, each in a namespace of its own.
fn broken() -> Cluster {
    FAULTS.iter().enumerate().fold(faults::well(), |cluster, (index, (fault, ..))| fault(cluster, &format!("team-{index}")))
}

#[test]
fn ten_problems_are_less_than_4_kilobytes() {
    let answer = answer(&broken(), json!({ "limit": 10 }));
    assert_eq!(answer["problems"].as_array().map(Vec::len), Some(10));
    assert!(answer["more"].as_u64() > Some(2), "{answer}");
    assert!(answer.to_string().len() < 4_000, "{} bytes", answer.to_string().len());
    let text = broken().host().text(&component(), "find_problems", &json!({ "limit": 10 })).expect("an answer");
    assert!(text.len() < 3_000, "{} bytes:\n{text}", text.len());
    assert_eq!(answer["problems"][0]["next"]["kind"], "Node");
}

#[test]
fn one_namespace_is_looked_at_alone() {
    let answer = answer(&broken(), json!({ "namespace": "team-2" }));
    let problems = problems(&answer);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(answer["problems"][0]["next"], json!({ "kind": "Deployment", "namespace": "team-2", "name": "hungry" }));
    assert_eq!(answer["problems"][0]["since"], "30m");
}

#[test]
fn a_namespace_that_is_not_there_is_no_healthy_one() {
    let cluster = faults::well().with(json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "payments" } }));
    let fails = |namespace: &str| {
        let arguments = json!({ "namespace": namespace });
        cluster.host().answer(&component(), "find_problems", &arguments).expect_err("there is none")
    };
    assert_eq!(fails("payment"), "there is no namespace payment; near it: payments");
    assert_eq!(fails("elsewhere"), "there is no namespace elsewhere; leave it out for the whole cluster");
    let empty = cluster.host().text(&component(), "find_problems", &json!({ "namespace": "payments" })).expect("an answer");
    assert!(empty.starts_with("Nothing is wrong in namespace payments: looked at 1 Namespaces"), "{empty}");
}

#[test]
fn what_may_not_be_read_is_a_warning_and_fails_nothing() {
    let cluster = faults::crash_loop(faults::well(), "team-a").denied("nodes").denied("services").denied("deployments.apps");
    let answer = answer(&cluster, json!({}));
    assert!(problems(&answer)[0].starts_with("Deployment team-a/crash: 3 of 3 pods"), "{answer}");
    assert_eq!(answer["notRead"], "Services, Nodes, Deployments (… may not be read)");
    let nothing = ["nodes", "services", "namespaces", "pods"].into_iter().fold(faults::well(), Cluster::denied);
    let error = nothing.host().answer(&component(), "find_problems", &json!({})).expect_err("nothing");
    assert!(error.starts_with("nothing could be read: Services, Namespaces, Nodes, Pods (… may not be read)"), "{error}");
}

#[test]
fn a_service_of_a_workload_without_pods_is_not_told_twice() {
    let scaled = faults::deployment("team-a", "idle", 0, 0, json!([]));
    let mut cluster = faults::quota(faults::well(), "team-a").with(scaled);
    for name in ["idle", "more"] {
        cluster = cluster.with(faults::service("team-a", name, json!({ "app": name })));
    }
    let problems = problems(&answer(&cluster, json!({})));
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(problems[1].ends_with("NoEndpoints: its Deployment idle is scaled to 0"), "{problems:#?}");
}

#[test]
fn what_is_next_is_that_object_and_no_other_of_its_name() {
    let cluster = faults::crash_loop(faults::well(), "team-a").changed("pods", |pod| {
        if pod["metadata"]["namespace"] == "team-a" {
            pod["metadata"]["ownerReferences"] =
                json!([{ "apiVersion": "acme.io/v1", "kind": "Deployment", "name": "crash", "controller": true }]);
        }
    });
    let mut about = faults::warning("team-a", "Ingress", "shop", "SyncError", "no certificate");
    about["involvedObject"]["apiVersion"] = json!("acme.io/v1");
    let answer = answer(&cluster.with(about), json!({}));
    let next = |at: usize| answer["problems"][at]["next"]["kind"].clone();
    let mut kinds = [next(0), next(1), next(2)].map(|kind| kind.as_str().unwrap_or_default().to_owned());
    kinds.sort();
    assert_eq!(kinds, ["Deployment", "Deployment.acme.io", "Ingress.acme.io"], "{answer:#}");
}

#[test]
fn services_whose_labels_are_too_alike_are_not_looked_for_and_take_nothing_from_others() {
    let labels = |last: &str| -> Value {
        (0..30).map(|number| (format!("k{number}"), json!("v"))).chain([("z".to_owned(), json!(last))]).collect()
    };
    let well = json!({ "ready": true, "state": { "running": {} } });
    let mut cluster = faults::selector(faults::well(), "team-a").with(faults::namespace("team-b"));
    for number in 0..100 {
        let mut pod = faults::pods("team-b", &format!("p{number}"), 1, &json!({}), &well).remove(0);
        pod["metadata"]["labels"] = labels("yes");
        cluster = cluster.with(pod).with(faults::service("team-b", &format!("s{number}"), labels("no")));
    }
    let answer = answer(&cluster, json!({}));
    let problems = problems(&answer);
    assert!(
        problems.iter().any(|problem| problem.starts_with("Service team-a/web: NoEndpoints: its selector app=webb")),
        "{problems:#?}"
    );
    let unknown = "pods of Services (100 in team-b: too many labels are alike)";
    assert_eq!(answer["notRead"], unknown, "{problems:#?}");
    assert!(!problems.iter().any(|problem| problem.contains("team-b/s")), "{problems:#?}");
}

#[test]
fn what_only_events_tell_is_told_last() {
    let cluster = faults::selector(faults::well(), "team-a")
        .with(faults::warning("team-a", "Ingress", "web", "SyncError", "no certificate"))
        .with(faults::warning("team-a", "Service", "web", "Other", "of a problem"));
    let problems = problems(&answer(&cluster, json!({})));
    assert_eq!(problems.len(), 1, "what has the name of a problem is a part of it: {problems:#?}");
    let cluster = cluster.with(faults::warning("team-a", "Ingress", "shop", "SyncError", "no certificate"));
    let problems = self::problems(&answer(&cluster, json!({})));
    assert_eq!(problems[1], "Ingress team-a/shop: SyncError: \"no certificate\" (event, 7 times)");
}

#[test]
fn many_pods_are_read_page_by_page_and_told_in_few_words() {
    let mut cluster = faults::well();
    let waiting = json!({ "state": { "waiting": { "reason": "ErrImagePull", "message": "not found" } } });
    for namespace in 0..70 {
        let namespace = format!("team-{namespace}");
        cluster = cluster.with(faults::namespace(&namespace));
        for app in 0..18 {
            cluster = cluster.with_all(faults::pods(&namespace, &format!("app-{app}"), 4, &json!({}), &waiting));
        }
    }
    let answer = answer(&cluster, json!({}));
    assert_eq!(answer["problems"].as_array().map(Vec::len), Some(20));
    assert_eq!(answer["more"], 70 * 18 - 20);
    assert!(answer["lookedAt"].as_str().expect("a text").starts_with("5042 Pods"), "{}", answer["lookedAt"]);
    assert!(answer.to_string().len() < 8_000, "{} bytes", answer.to_string().len());
    assert!(cluster.asked().len() < 64, "{} reads", cluster.asked().len());
}

#[test]
fn jobs_of_a_cron_job_are_one_problem_until_one_succeeds() {
    let job = |name: &str, failed: &str, succeeded: Value| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": name, "namespace": "team-a",
                "ownerReferences": [{ "apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "controller": true }],
            },
            "status": {
                "completionTime": succeeded,
                "conditions": [{ "type": "Failed", "status": if failed.is_empty() { "False" } else { "True" }, "reason": "DeadlineExceeded", "message": "late", "lastTransitionTime": failed }],
            },
        })
    };
    let cluster = faults::well().with(job("nightly-1", "2026-11-22T07:00:00Z", Value::Null)).with(job(
        "nightly-2",
        "2026-11-22T08:00:00Z",
        Value::Null,
    ));
    let problems = self::problems(&answer(&cluster, json!({})));
    assert_eq!(
        problems,
        ["CronJob team-a/nightly: DeadlineExceeded: 2 of its Jobs failed, the last: the Job has failed: \"late\""]
    );
    let cluster = cluster.with(job("nightly-3", "", json!("2026-11-22T09:00:00Z")));
    assert_eq!(self::problems(&answer(&cluster, json!({}))), Vec::<String>::new());
}

#[test]
fn autoscalers_without_metrics_are_one_problem() {
    let autoscaler = |namespace: &str| {
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": "front", "namespace": namespace },
            "status": { "conditions": [faults::condition("ScalingActive", "False", "FailedGetResourceMetric", "no metrics")] },
        })
    };
    let cluster = faults::well().with_all([autoscaler("team-a"), autoscaler("team-b")]);
    let of = "HorizontalPodAutoscaler team-a/front: 2 of them (team-a/front, team-b/front): FailedGetResourceMetric";
    assert_eq!(problems(&answer(&cluster, json!({}))), [format!("{of}: ScalingActive=False, \"no metrics\"")]);
}
