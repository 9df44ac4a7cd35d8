//! One test a fault, and one for each kind.

use sandbar_tool::testing::{Cluster, faults};
use serde_json::{Value, json};

use super::component;

fn text(cluster: &Cluster, kind: &str, namespace: &str, name: &str) -> String {
    let mut arguments = json!({ "kind": kind, "name": name });
    if !namespace.is_empty() {
        arguments["namespace"] = namespace.into();
    }
    let host = cluster.host();
    let answer = host.answer(&component(), "explain", &arguments).unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
    let text = host.text(&component(), "explain", &arguments).expect("an answer");
    assert!(
        text.len() <= 2_000 && answer.to_string().len() <= 2_000,
        "{} and {} bytes:\n{text}",
        text.len(),
        answer.to_string().len()
    );
    text
}

/// The first line: the verdict.
fn verdict(cluster: &Cluster, kind: &str, namespace: &str, name: &str) -> String {
    text(cluster, kind, namespace, name).lines().next().unwrap_or_default().to_owned()
}

fn failure(cluster: &Cluster, arguments: Value) -> String {
    cluster.host().answer(&component(), "explain", &arguments).expect_err("refused")
}

/// A fault, what is asked about it, words of the verdict, and words of what follows.
type Explained = (faults::Fault, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// Every fault.
const FAULTS: [Explained; 18] = [
    (
        faults::image,
        "deploy",
        "pull",
        &["2 of 2 pods: ImagePullBackOff", "example.com/app:typo", "manifest unknown"],
        &["Failed"],
    ),
    (
        faults::image,
        "pod",
        "pull-5d9-a",
        &["ImagePullBackOff", "tag typo not found"],
        &["owned by ReplicaSet/pull-5d9, by Deployment/pull"],
    ),
    (
        faults::crash_loop,
        "Deployment",
        "crash",
        &[
            "3 of 3 pods: CrashLoopBackOff: the container app exits with code 1 (Error), 5 restarts, last 3m ago",
            "its log says \"FATAL: no variable DATABASE_URL\"",
        ],
        &["Log of crash-5d9-a/app, before it ended:\n  starting\n", "0 of 3 replicas are ready"],
    ),
    (
        faults::out_of_memory,
        "pods",
        "hungry-5d9-a",
        &["OOMKilled: the container app used more than its memory limit of 128Mi, 4 restarts, last 3m ago"],
        &["loading everything"],
    ),
    (
        faults::too_large,
        "deployments.apps",
        "large",
        &["Unschedulable", "2 of 2 nodes: too little memory", "requests 64Gi", "8Gi of 8Gi"],
        &["the scheduler says \"0/2 nodes"],
    ),
    (
        faults::tainted,
        "Pod",
        "choosy-5d9-a",
        &["2 of 2 nodes: the taint dedicated=gpu:NoSchedule, which the pod does not tolerate"],
        &[],
    ),
    (
        faults::unbound_claim,
        "rs",
        "stateful-5d9",
        &["its PersistentVolumeClaim data is not bound: there is no StorageClass fast"],
        &[],
    ),
    (
        faults::unbound_claim,
        "pvc",
        "data",
        &["Pending: there is no StorageClass fast"],
        &["it asks for 10Gi", "ProvisioningFailed"],
    ),
    (
        faults::failing_probe,
        "deploy",
        "slow",
        &["readiness probe GET :8080/ready fails", "statuscode: 503"],
        &["waiting for the cache"],
    ),
    (
        faults::quota,
        "deploy",
        "more",
        &["QuotaExceeded", "exceeded quota: small, requested: requests.cpu=2"],
        &["ResourceQuota small: requests.cpu 1 of 2 used", "it has no pods"],
    ),
    (
        faults::selector,
        "svc",
        "web",
        &["the selector app=webb matches no pod", "nearest are the pods of ReplicaSet web-5d9 with app=web"],
        &[],
    ),
    (
        faults::stuck_rollout,
        "Deployment",
        "rolling",
        &["ProgressDeadlineExceeded", "1 of 2 pods: CreateContainerConfigError", "secret \"login\" not found"],
        &["the rollout is stuck"],
    ),
    (
        faults::failed_job,
        "job",
        "import",
        &["BackoffLimitExceeded, 1 of 1 pods", "exits with code 2", "no such file: /data/in.csv"],
        &["backoffLimit 1"],
    ),
    (
        faults::pressure,
        "node",
        "node-2",
        &["MemoryPressure", "kubelet has insufficient memory available"],
        &["taints: node.kubernetes.io/memory-pressure:NoSchedule", "memory: 0 of 8Gi are requested"],
    ),
    (
        faults::missing_volume,
        "deploy",
        "mounts",
        &["1 of 1 pods: ContainerCreating: the container app is not created yet", "configmap \"settings\" not found"],
        &["FailedMount"],
    ),
    (faults::silent_node, "no", "node-2", &["NodeNotReady: the node does not answer", "Kubelet stopped posting"], &[]),
    (faults::selector, "Deployment", "web", &["Nothing is wrong: 2 of 2 replicas are ready"], &["pods: web-5d9-a (Running)"]),
    (faults::selector, "Pod", "web-5d9-a", &["Nothing is wrong: its phase is Running, on node node-1"], &[]),
];

#[test]
fn every_fault_has_its_cause_in_the_first_line() {
    for (fault, kind, name, words, more) in FAULTS {
        let namespace = if kind.starts_with("no") { "" } else { "team-a" };
        let text = text(&fault(faults::well(), "team-a"), kind, namespace, name);
        let (verdict, rest) = text.split_once('\n').expect("lines");
        for word in words {
            assert!(verdict.contains(word), "{word}:\n{text}");
        }
        for word in more {
            assert!(rest.contains(word), "{word}:\n{text}");
        }
    }
}

#[test]
fn room_is_what_others_leave() {
    let running = |name: &str, memory: &str| {
        let mut pods = faults::pods(
            "shop",
            name,
            1,
            &json!({ "resources": { "requests": { "memory": memory } } }),
            &json!({ "ready": true }),
        );
        pods.remove(0)
    };
    let cluster = faults::too_large(faults::well().with(running("big", "7Gi")), "team-a").changed("pods", |pod| {
        if pod["metadata"]["name"] == "large-5d9-a" {
            pod["spec"]["containers"][0]["resources"]["requests"]["memory"] = json!("2Gi");
        }
    });
    let cluster = cluster.changed("nodes", |node| {
        if node["metadata"]["name"] == "node-2" {
            node["spec"]["taints"] = json!([{ "key": "x", "effect": "NoExecute" }]);
        }
    });
    let text = text(&cluster, "po", "team-a", "large-5d9-a");
    assert!(
        text.contains("1 of 2 nodes: too little memory is left: the pod requests 2Gi, and node node-1 has the most, 1Gi of 8Gi"),
        "{text}"
    );
    assert!(text.contains("1 of 2 nodes: the taint x:NoExecute"), "{text}");
    let node = self::text(&cluster, "node", "", "node-1");
    assert!(node.contains("memory: 7Gi of 8Gi are requested by 3 pods; most: shop/big-5d9-a 7Gi"), "{node}");
}

#[test]
fn a_service_has_ports_that_its_pods_have() {
    let mut service = faults::service("shop", "named", json!({ "app": "front" }));
    service["spec"]["ports"] = json!([{ "port": 80, "targetPort": "http" }]);
    let cluster = faults::well().with(service).with(faults::slice("shop", "named", &["10.0.0.1"]));
    assert_eq!(
        verdict(&cluster, "service", "shop", "named"),
        "WrongPort: no container of its pods has a port named http; they declare 8080."
    );
    assert_eq!(
        verdict(&cluster, "service", "shop", "front"),
        "Nothing is wrong: 2 pods match app=front, and 2 endpoints are ready."
    );
    let behind = faults::crash_loop(cluster, "team-a").with(faults::service("team-a", "crash", json!({ "app": "crash" })));
    let verdict = verdict(&behind, "svc", "team-a", "crash");
    assert!(verdict.starts_with("3 of 3 pods behind it are not well: CrashLoopBackOff"), "{verdict}");
}

#[test]
fn an_ingress_needs_a_class_and_services() {
    let ingress = |class: Value, service: &str, port: i64| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": { "name": "shop", "namespace": "shop" },
            "spec": { "ingressClassName": class, "rules": [{ "host": "shop.example.com", "http": { "paths": [
                { "backend": { "service": { "name": service, "port": { "number": port } } } },
            ] } }] },
        })
    };
    let class = json!({ "apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": { "name": "nginx" } });
    let said = |class_name: Value, service: &str, port: i64| {
        verdict(&faults::well().with(class.clone()).with(ingress(class_name, service, port)), "ing", "shop", "shop")
    };
    assert_eq!(said(json!("nginx"), "front", 80), "Nothing is wrong: 1 backends are there, for hosts shop.example.com.");
    assert_eq!(said(json!("nginx"), "frnt", 80), "NoBackend: its Service frnt does not exist.");
    assert_eq!(said(json!("nginx"), "front", 81), "WrongPort: its Service front has no port 81, but 80.");
    assert_eq!(said(json!("ngin"), "front", 80), "NoClass: there is no IngressClass ngin.");
    assert!(said(Value::Null, "front", 80).starts_with("NoClass: it names no IngressClass, and there is no default"));
}

#[test]
fn a_cron_job_is_as_its_last_job_is() {
    let cron_job = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": "nightly", "namespace": "team-a" },
        "spec": { "schedule": "0 3 * * *" }, "status": { "lastScheduleTime": "2026-11-22T03:00:00Z" },
    });
    let cluster = faults::failed_job(faults::well(), "team-a").with(cron_job).changed("jobs.batch", |job| {
        job["metadata"]["ownerReferences"] =
            json!([{ "apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "controller": true }]);
    });
    let text = text(&cluster, "cj", "team-a", "nightly");
    assert!(
        text.starts_with("its last Job import: BackoffLimitExceeded, 1 of 1 pods: Error: the container app exits with code 2"),
        "{text}"
    );
    assert!(text.contains("schedule \"0 3 * * *\", last started 7h ago, last succeeded never"), "{text}");
    let suspended = cluster.changed("cronjobs.batch", |cron_job| cron_job["spec"]["suspend"] = json!(true));
    assert_eq!(verdict(&suspended, "cj", "team-a", "nightly"), "Suspended: the CronJob is suspended and starts no Jobs.");
}

#[test]
fn other_kinds_are_told_by_their_conditions() {
    let widget = |status: &str| {
        json!({
            "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": "one", "namespace": "team-a" },
            "status": { "phase": "Working", "conditions": [
                faults::condition("Ready", status, "NotReady", "not all is well"),
                faults::condition("Synced", status, "NoLogin", "the login was refused"),
            ] },
        })
    };
    let well = faults::well().with(widget("True"));
    assert_eq!(verdict(&well, "widgets.example.com", "team-a", "one"), "Nothing is wrong: its phase is Working.");
    let text = text(&faults::well().with(widget("False")), "Widget", "team-a", "one");
    assert!(text.starts_with("NoLogin: Synced=False, \"the login was refused\".\nWidget.example.com team-a/one\n"), "{text}");
    assert!(text.contains("- Ready=False for 30m: \"not all is well\"\n"), "{text}");
}

#[test]
fn an_autoscaler_and_a_namespace_have_theirs() {
    let autoscaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": "front", "namespace": "shop" },
        "spec": { "scaleTargetRef": { "kind": "Deployment", "name": "front" }, "maxReplicas": 5 },
        "status": { "currentReplicas": 2, "conditions": [
            faults::condition("ScalingActive", "False", "FailedGetResourceMetric", "no metrics known for pod"),
        ] },
    });
    let ending = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "old", "deletionTimestamp": "2026-11-22T09:00:00Z" },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Terminating", "conditions": [
            faults::condition("NamespaceFinalizersRemaining", "True", "SomeFinalizersRemain", "example.com/hold in 1 resource instances"),
        ] },
    });
    let cluster = faults::well().with_all([autoscaler, ending]);
    let text = self::text(&cluster, "hpa", "shop", "front");
    assert!(text.starts_with("FailedGetResourceMetric: ScalingActive=False, \"no metrics known for pod\"."), "{text}");
    assert!(text.contains("it scales Deployment front between 1 and 5: 2 replicas, 0 wanted"), "{text}");
    let text = self::text(&cluster, "ns", "", "old");
    assert!(text.starts_with("Terminating: the namespace does not end: \"example.com/hold in 1 resource instances\"."), "{text}");
    assert!(text.contains("its finalizers: kubernetes"), "{text}");
    assert_eq!(verdict(&cluster, "ns", "", "shop"), "Nothing is wrong: its phase is Active.");
}

#[test]
fn a_wrong_kind_or_name_is_told_with_what_is_near() {
    let cluster = faults::selector(faults::well(), "team-a");
    for (arguments, said) in [
        (
            json!({ "kind": "Deploymnet", "name": "web" }),
            "no kind that can be read here is called `Deploymnet`; near it: deployments.apps",
        ),
        (
            json!({ "kind": "pod", "name": "wbe", "namespace": "team-a" }),
            "get Pod wbe: pods \"wbe\" not found; pods: team-a/web-5d9-a, team-a/web-5d9-b",
        ),
        (
            json!({ "kind": "pod", "name": "web", "namespace": "team-a" }),
            "get Pod web: pods \"web\" not found; pods that are near: team-a/web-5d9-a, team-a/web-5d9-b",
        ),
        (
            json!({ "kind": "deploy", "name": "web", "namespace": "shop" }),
            "get Deployment web: deployments.apps \"web\" not found; it is in another namespace: team-a/web",
        ),
        (
            json!({ "kind": "deploy", "name": "webs" }),
            "there is no Deployment webs in any namespace; deployments that are near: team-a/web",
        ),
        (json!({ "kind": "deploy", "name": " " }), "name is required"),
    ] {
        assert_eq!(failure(&cluster, arguments), said);
    }
    let nothing_near = failure(&cluster, json!({ "kind": "zebra", "name": "web" }));
    assert!(
        nothing_near.starts_with("no kind that can be read here is called `zebra`; there are configmaps, "),
        "{nothing_near}"
    );
}

/// A Deployment of somebody else's group.
fn another(namespace: &str, name: &str) -> Value {
    json!({ "apiVersion": "acme.io/v1", "kind": "Deployment", "metadata": { "name": name, "namespace": namespace } })
}

#[test]
fn of_kinds_of_one_name_it_is_kubernetes_own_and_that_is_said() {
    let cluster = faults::crash_loop(faults::well(), "team-a").with(another("team-a", "crash"));
    for cluster in [cluster.clone(), cluster.clone().denied("deployments.acme.io")] {
        let text = text(&cluster, "Deployment", "team-a", "crash");
        assert!(text.starts_with("3 of 3 pods: CrashLoopBackOff"), "{text}");
        assert!(text.contains("\n- kind is taken for deployments.apps; it can also be deployments.acme.io\n"), "{text}");
    }
    let text = text(&cluster, "deployments.acme.io", "team-a", "crash");
    assert!(text.starts_with("Nothing is wrong") && text.contains("\nDeployment.acme.io team-a/crash\n"), "{text}");
    assert!(!text.contains("taken for"), "{text}");
    let error = failure(&cluster, json!({ "kind": "deploy", "name": "none", "namespace": "team-a" }));
    assert!(error.contains("deployments.apps \"none\" not found"), "{error}");
    let error = failure(&cluster, json!({ "kind": "Deployment", "name": "none", "namespace": "team-a" }));
    assert!(error.ends_with("; kind is taken for deployments.apps; it can also be deployments.acme.io"), "{error}");
}

#[test]
fn owners_and_events_of_another_group_are_not_taken_for_kubernetes_own() {
    let owned_by =
        |api_version: &str| json!([{ "apiVersion": api_version, "kind": "Deployment", "name": "stateful", "controller": true }]);
    let mut warning = faults::warning("team-a", "Deployment", "web", "Exploded", "it was somebody else's");
    warning["involvedObject"]["apiVersion"] = json!("acme.io/v1");
    let cluster = faults::selector(faults::well(), "team-a").with(another("team-a", "web")).with(warning);
    let well = text(&cluster, "Deployment", "team-a", "web");
    assert!(!well.contains("Exploded"), "{well}");
    assert!(text(&cluster, "Deployment.acme.io", "team-a", "web").contains("Exploded"));
    let mut widget = another("team-a", "owned");
    widget["kind"] = json!("Widget");
    widget["metadata"]["ownerReferences"] = owned_by("acme.io/v1");
    let text = text(&cluster.with(widget), "Widget", "team-a", "owned");
    assert!(text.contains("owned by Deployment.acme.io/stateful"), "{text}");
}

#[test]
fn a_namespace_is_found_where_only_one_has_the_name() {
    let cluster = faults::selector(faults::well(), "team-a");
    assert!(verdict(&cluster, "deploy", "", "web").starts_with("Nothing is wrong"));
    let both = faults::selector(cluster, "team-b");
    let error = failure(&both, json!({ "kind": "deploy", "name": "web" }));
    assert_eq!(error, "there are 2 of kind Deployment called web: say which namespace, team-a, team-b");
}

#[test]
fn what_may_not_be_read_is_a_fact_and_fails_nothing() {
    let cluster = faults::too_large(faults::well(), "team-a").denied("nodes").denied("events").denied("replicasets.apps");
    let text = text(&cluster, "deploy", "team-a", "large");
    assert!(text.starts_with("1 of 1 pods: Unschedulable: no node takes the pod: \"0/2 nodes"), "{text}");
    assert!(text.contains("- not read: nodes: nodes may not be read\n"), "{text}");
}

#[test]
fn what_others_wrote_is_cut_and_the_verdict_stays() {
    let long = "very \"long\" words\t".repeat(500);
    let mut cluster =
        faults::crash_loop(faults::well(), "team-a").previous_log("team-a", "crash-5d9-a", "app", &format!("{long}\n").repeat(9));
    for index in 0..20 {
        cluster = cluster.with(faults::warning("team-a", "Pod", "crash-5d9-a", &format!("Reason{index}"), &long));
    }
    let text = text(&cluster, "deploy", "team-a", "crash");
    assert!(text.starts_with("3 of 3 pods: CrashLoopBackOff: the container app exits with code 1"), "{text}");
}

#[test]
fn a_liveness_probe_that_ends_a_container_is_named() {
    let cluster = faults::out_of_memory(faults::well(), "team-a")
        .changed("pods", |pod| {
            if pod["metadata"]["namespace"] == "team-a" {
                pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"] = json!("Error");
                pod["spec"]["containers"][0]["livenessProbe"] = json!({ "tcpSocket": { "port": 9 } });
            }
        })
        .with(faults::warning("team-a", "Pod", "hungry-5d9-a", "Unhealthy", "Liveness probe failed: connection refused"));
    let verdict = verdict(&cluster, "po", "team-a", "hungry-5d9-a");
    assert!(verdict.contains("exits with code 137 (killed)"), "{verdict}");
    assert!(
        verdict.contains("the kubelet ends it, since a probe fails: \"Liveness probe failed: connection refused\""),
        "{verdict}"
    );
}

/// Eight faults are found in nine calls: this is what eight of them may cost.
#[test]
fn eight_explanations_are_less_than_4_kilobytes() {
    let mut bytes = 0;
    for at in [0, 2, 3, 4, 8, 9, 10, 12] {
        let (fault, kind, name, ..) = FAULTS[at];
        let text = text(&fault(faults::well(), "team-a"), kind, "team-a", name);
        bytes += text.len();
    }
    assert!(bytes < 4_000, "{bytes} bytes");
}

#[test]
fn what_other_pods_of_a_workload_have_is_told_too() {
    let cluster = faults::crash_loop(faults::well(), "team-a").changed("pods", |pod| {
        if pod["metadata"]["name"] == "crash-5d9-c" {
            pod["status"]["containerStatuses"][0]["state"] =
                json!({ "waiting": { "reason": "ErrImagePull", "message": "no such tag" } });
        }
    });
    let text = text(&cluster, "deploy", "team-a", "crash");
    assert!(text.starts_with("2 of 3 pods: CrashLoopBackOff"), "{text}");
    assert!(text.contains("- 1 of 3 pods, crash-5d9-c for one: ImagePullBackOff: "), "{text}");
}

#[test]
fn the_line_that_names_a_failure_is_in_the_verdict() {
    let log = "connect: password authentication failed\ntrying again after 3s\n";
    let cluster = faults::failing_probe(faults::well(), "team-a").log("team-a", "slow-5d9-a", "app", log);
    let cluster = cluster.with(json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e", "namespace": "team-a" }, "type": "Normal", "reason": "Pulled",
        "involvedObject": { "kind": "Pod", "namespace": "team-a", "name": "slow-5d9-a" }, "message": "ordinary",
    }));
    let text = text(&cluster, "pod", "team-a", "slow-5d9-a");
    let (verdict, rest) = text.split_once('\n').expect("lines");
    assert!(verdict.ends_with("its log says \"connect: password authentication failed\"."), "{verdict}");
    assert!(!rest.contains("ordinary"), "{rest}");
}

#[test]
fn an_api_is_down_for_what_its_service_lacks_and_autoscalers_for_that_api() {
    let labels = json!({ "app": "metrics" });
    let off = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "metrics", "namespace": "system" },
        "spec": { "replicas": 0, "selector": { "matchLabels": labels }, "template": { "metadata": { "labels": labels } } },
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "metrics", "namespace": "system" }, "spec": { "selector": labels },
    });
    let api = json!({
        "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": { "name": "v1beta1.metrics.k8s.io" },
        "spec": { "service": { "namespace": "system", "name": "metrics" } },
        "status": { "conditions": [faults::condition("Available", "False", "MissingEndpoints", "no addresses")] },
    });
    let message = "unable to fetch metrics from resource metrics API: the server is currently unable to handle the request (get pods.metrics.k8s.io)";
    let autoscaler = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": "front", "namespace": "shop" },
        "spec": { "scaleTargetRef": { "kind": "Deployment", "name": "front" }, "maxReplicas": 5 },
        "status": { "conditions": [faults::condition("ScalingActive", "False", "FailedGetResourceMetric", message)] },
    });
    let cluster = faults::well().with_all([off, service, api, autoscaler]);
    let verdict = self::verdict(&cluster, "APIService", "", "v1beta1.metrics.k8s.io");
    let cause = "the selector app=metrics matches no pod of namespace system: Deployment metrics, whose pods it would match, is scaled to 0.";
    assert!(verdict.starts_with("MissingEndpoints: Available=False") && verdict.ends_with(cause), "{verdict}");
    assert!(self::verdict(&cluster, "svc", "system", "metrics").ends_with(cause));
    let verdict = self::verdict(&cluster, "hpa", "shop", "front");
    assert!(
        verdict.ends_with("; APIService v1beta1.metrics.k8s.io: MissingEndpoints: Available=False, \"no addresses\"."),
        "{verdict}"
    );
}
