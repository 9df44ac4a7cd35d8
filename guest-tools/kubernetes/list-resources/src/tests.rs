//! What the tool answers, by topic. Each bound is in bytes of what a model reads.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbar_tool::discovery::{Kind, Kinds};
use sandbar_tool::read::{Column, Row, Table};
use sandbar_tool::testing::{Host, page};
use sandbar_tool::{Code, Error, Metadata, Page, Resource, Scope, Verb};
use serde_json::{Value, json};

use super::component;

const TOOL: &str = "list_resources";

/// A host that serves pods, nodes, Deployments, and something of others that is called pods, too.
fn host() -> Host {
    let kind = |group: &'static str, plural: &'static str, name: &str, short: &str, namespaced: bool| Kind {
        resource: Resource::new(group, "v1", plural),
        name: name.to_owned(),
        short_names: vec![short.to_owned()],
        namespaced,
        verbs: vec![Verb::List],
    };
    let kinds = vec![
        kind("", "nodes", "Node", "no", false),
        kind("", "pods", "Pod", "po", true),
        kind("apps", "deployments", "Deployment", "deploy", true),
        kind("example.com", "pods", "PodMetrics", "", true),
    ];
    Host::new().kinds(Kinds { kinds, warnings: Vec::new() }).at(Duration::from_secs(1_795_341_600))
}

/// A table of pods; of each its namespace and its cells.
fn table(rows: &[(&str, [Value; 5])]) -> Table {
    let columns = [("Name", false), ("Ready", false), ("Status", false), ("Restarts", false), ("Age", false), ("IP", true)];
    let row = |(namespace, cells): &(&str, [Value; 5])| {
        let cells: BTreeMap<String, Value> =
            columns.iter().map(|(name, _)| (*name).to_owned()).zip(cells.iter().cloned()).collect();
        let name = cells["Name"].as_str().unwrap_or_default().to_owned();
        Row { metadata: Metadata { name, namespace: (*namespace).to_owned() }, cells }
    };
    let columns = columns.iter().map(|(name, wide)| Column { name: (*name).to_owned(), wide: *wide }).collect();
    let items = rows.iter().map(row).collect();
    Table { columns, page: Page { items, continue_: None, remaining: None, warnings: Vec::new(), hint: None } }
}

fn pod(name: &str) -> [Value; 5] {
    [json!(name), json!("1/1"), json!("Running"), json!(0), json!("5d")]
}

#[test]
fn rows_are_the_servers_columns_without_the_wide_ones() {
    let host = host().tables(|request| {
        assert_eq!((request.resource.as_str(), &request.within), ("pods", &Scope::from("team-a")));
        assert_eq!((request.labels.as_deref(), request.selector.as_deref()), (Some("app=web"), Some("status.phase=Running")));
        assert_eq!((request.limit, request.after.as_deref()), (Some(2), Some("1")));
        let mut table = table(&[("team-a", pod("web-0")), ("team-a", pod("web-1"))]);
        (table.page.continue_, table.page.remaining) = (Some("3".to_owned()), Some(7));
        table.page.warnings.push("team-b does not answer".to_owned());
        Ok(table)
    });
    let asked = json!({
        "kind": "po", "namespace": " team-a", "labels": "app=web", "fieldSelector": "status.phase=Running", "limit": 2, "continue": "1",
    });
    let rows = "Name\tReady\tStatus\tRestarts\tAge\nweb-0\t1/1\tRunning\t0\t5d\nweb-1\t1/1\tRunning\t0\t5d";
    assert_eq!(
        host.answer(&component(), TOOL, &asked),
        Ok(json!({
            "kind": "pods", "namespace": "team-a", "count": 2, "continue": "3", "remaining": 7,
            "warnings": ["team-b does not answer"],
            "table": rows,
        }))
    );
    assert_eq!(host.text(&component(), TOOL, &asked), Ok(format!("team-b does not answer\n7 more with continue 3\n{rows}")));
}

#[test]
fn namespaces_are_a_column_only_where_they_differ() {
    let text = |rows: Vec<(&'static str, [Value; 5])>, kind: &str| {
        let host = host().tables(move |_| Ok(table(&rows)));
        host.text(&component(), TOOL, &json!({ "kind": kind })).expect("an answer")
    };
    let other = "kind is taken for pods; it can also be pods.example.com\n";
    assert_eq!(
        text(vec![("team-a", pod("a")), ("team-b", pod("b"))], "pods"),
        format!(
            "{other}Namespace\tName\tReady\tStatus\tRestarts\tAge\nteam-a\ta\t1/1\tRunning\t0\t5d\nteam-b\tb\t1/1\tRunning\t0\t5d"
        )
    );
    assert!(text(vec![("team-a", pod("a"))], "pods").starts_with(&format!("{other}all in namespace team-a\nName\t")));
    assert!(text(vec![("", pod("a"))], "nodes").starts_with("Name\t"), "nodes have no namespace");
}

#[test]
fn a_hostile_cell_stays_one_short_cell() {
    let long = "x\n\ty\u{b}".repeat(100_000);
    let cells = [json!("web-0"), json!(long), json!({ "a": [long] }), json!(null), json!("2026-11-22T09:00:00Z")];
    let host = host().tables(move |_| Ok(table(&[("a", cells.clone())])));
    let text = host.text(&component(), TOOL, &json!({ "kind": "Pod", "namespace": "a" })).expect("an answer");
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows[0], "Name\tReady\tStatus\tAge", "a column without a value is left out");
    assert!(rows.len() == 2 && rows[1].split('\t').count() == 4 && rows[1].len() < 300, "{}", rows[1]);
    assert!(rows[1].ends_with("\t60m") || rows[1].ends_with("\t1h"), "an age is short: {}", rows[1]);
}

#[test]
fn chosen_fields_are_values_in_a_line_each() {
    let host = host().lists(|request| {
        let fields = request.fields.clone().expect("fields");
        assert_eq!(fields[..2], ["spec.nodeName", "spec.containers.image"]);
        Ok(page([
            json!({
                "metadata": { "name": "web-0", "namespace": "team-a" },
                "spec": { "nodeName": "one", "containers": [{ "image": "a:1" }, { "image": "b:2" }] },
            }),
            json!({ "metadata": { "name": "web-1", "namespace": "team-a" }, "spec": {} }),
        ]))
    });
    let asked = json!({
        "kind": "pod.", "namespace": "team-a", "fields": ["{.spec.nodeName}", "spec.containers[*].image", "metadata.name"],
    });
    assert_eq!(
        host.text(&component(), TOOL, &asked),
        Ok("Name\tspec.nodeName\tspec.containers.image\nweb-0\tone\ta:1,b:2\nweb-1\t-\t-".to_owned())
    );
    let wrong = json!({ "kind": "Pod", "fields": ["spec..a"] });
    assert!(host.text(&component(), TOOL, &wrong).expect_err("refused").contains("`spec..a` is no path"));
}

#[test]
fn where_an_api_shows_no_table_names_and_ages_are_read() {
    let host = host().tables(|_| Err(Error::new(Code::NotServed, "no table"))).lists(|request| {
        assert_eq!(request.labels.as_deref(), Some("app=web"));
        Ok(page([json!({ "metadata": { "name": "a", "namespace": "team-a", "creationTimestamp": "2026-11-19T10:00:00Z" } })]))
    });
    let text = host.text(&component(), TOOL, &json!({ "kind": "podmetrics", "namespace": "team-a", "labels": "app=web" }));
    assert_eq!(text, Ok("Name\tAge\na\t3d".to_owned()));
    let refusing = self::host().tables(|_| Err(Error::new(Code::Denied, "no")));
    assert_eq!(refusing.text(&component(), TOOL, &json!({ "kind": "pods" })), Err("no".to_owned()));
}

#[test]
fn a_list_of_none_says_what_was_searched_and_where_there_are_some() {
    let host = host().tables(|_| Ok(table(&[]))).lists(|request| match (&request.within, &request.labels) {
        (Scope::EveryNamespace, None) => Ok(page([json!({ "metadata": { "name": "a", "namespace": "team-b" } })])),
        (Scope::Namespace(_), None) => Ok(page([json!({ "metadata": { "name": "a" } })])),
        _ => Ok(page([])),
    });
    let hint = |asked: Value| {
        let answer = host.answer(&component(), TOOL, &asked).expect("an answer");
        assert_eq!((&answer["count"], answer.get("table")), (&json!(0), None));
        assert!(host.text(&component(), TOOL, &asked).expect("text").ends_with(answer["hint"].as_str().expect("a hint")));
        answer["hint"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(
        hint(json!({ "kind": "deploy", "namespace": "team-a" })),
        "there are no deployments.apps in namespace team-a; there are some in team-b (1)"
    );
    assert_eq!(
        hint(json!({ "kind": "deploy", "namespace": "team-a", "labels": "app=web" })),
        "there are no deployments.apps with labels app=web in namespace team-a, and this server finds none in any other; \
         there are some that the selector does not fit"
    );
}

#[test]
fn what_has_no_namespace_is_listed_in_the_cluster() {
    let host = host().tables(|request| {
        assert_eq!(request.within, Scope::Cluster);
        Ok(table(&[("", pod("one"))]))
    });
    let answer = host.answer(&component(), TOOL, &json!({ "kind": "no", "namespace": "team-a" })).expect("an answer");
    assert_eq!(answer["warnings"], json!(["nodes have no namespace"]));
}

#[test]
fn five_hundred_pods_are_a_fiftieth_of_their_json_and_less_than_kubectls_table() {
    let name = |n: usize| format!("checkout-api-7d9f4c8b6d-{:05x}", n * 7919);
    let cells = |n: usize| [json!(name(n)), json!("1/1"), json!("Running"), json!(n % 3), json!(format!("{}d", n % 90))];
    let rows: Vec<_> = (0..500).map(|n| ("production", cells(n))).collect();
    let widths: Vec<usize> = (0..5).map(|c| rows.iter().map(|(_, r)| shown(&r[c]).len()).max().unwrap_or(0).max(8)).collect();
    let kubectl: usize = widths.iter().map(|width| width + 3).sum::<usize>() * 501;
    let pods: Vec<Value> = (0..500).map(|n| whole_pod(&name(n))).collect();
    let json = serde_json::to_string_pretty(&json!({ "apiVersion": "v1", "items": pods, "kind": "List" })).expect("JSON").len();

    let host = host().tables(move |_| Ok(table(&rows)));
    let asked = json!({ "kind": "pods", "namespace": "production", "limit": 500 });
    let text = host.text(&component(), TOOL, &asked).expect("an answer").len();
    let structure = host.answer(&component(), TOOL, &asked).expect("an answer").to_string().len();
    for bytes in [text, structure] {
        assert!(bytes * 50 <= json, "{bytes} of {json}");
        assert!(bytes <= kubectl, "{bytes} of {kubectl}");
    }
}

fn shown(cell: &Value) -> String {
    cell.as_str().map_or_else(|| cell.to_string(), str::to_owned)
}

/// A pod as a Deployment makes it, with one container: less than most are.
fn whole_pod(name: &str) -> Value {
    let conditions = ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"].map(|condition| {
        json!({ "lastProbeTime": null, "lastTransitionTime": "2026-11-22T10:00:00Z", "status": "True", "type": condition })
    });
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "creationTimestamp": "2026-11-22T10:00:00Z", "generateName": "checkout-api-7d9f4c8b6d-",
            "labels": { "app": "checkout-api", "pod-template-hash": "7d9f4c8b6d" }, "name": name, "namespace": "production",
            "ownerReferences": [{
                "apiVersion": "apps/v1", "blockOwnerDeletion": true, "controller": true, "kind": "ReplicaSet",
                "name": "checkout-api-7d9f4c8b6d", "uid": "6f1c2f3e-1111-4222-8333-abcdefabcdef",
            }],
            "resourceVersion": "123456", "uid": "6f1c2f3e-1111-4222-8333-abcdefabcdef",
        },
        "spec": {
            "containers": [{
                "image": "registry.example.com/shop/checkout-api:1.2.3", "imagePullPolicy": "IfNotPresent", "name": "app",
                "ports": [{ "containerPort": 8080, "protocol": "TCP" }],
                "resources": { "limits": { "memory": "512Mi" }, "requests": { "cpu": "100m", "memory": "512Mi" } },
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "volumeMounts": [{ "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "name": "kube-api-access", "readOnly": true }],
            }],
            "dnsPolicy": "ClusterFirst", "enableServiceLinks": true, "nodeName": "one", "preemptionPolicy": "PreemptLowerPriority",
            "priority": 0, "restartPolicy": "Always", "schedulerName": "default-scheduler", "securityContext": {},
            "serviceAccount": "default", "serviceAccountName": "default", "terminationGracePeriodSeconds": 30,
            "tolerations": [
                { "effect": "NoExecute", "key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300 },
                { "effect": "NoExecute", "key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 300 },
            ],
            "volumes": [{ "name": "kube-api-access", "projected": { "defaultMode": 420, "sources": [
                { "serviceAccountToken": { "expirationSeconds": 3607, "path": "token" } },
                { "configMap": { "items": [{ "key": "ca.crt", "path": "ca.crt" }], "name": "kube-root-ca.crt" } },
            ] } }],
        },
        "status": {
            "conditions": conditions,
            "containerStatuses": [{
                "containerID": "containerd://b1f6d0f3c9a84b5fae4ad51f25d4d7e2a6c7f6e9d1c0b3a294857fe6d3c2b1a0",
                "image": "registry.example.com/shop/checkout-api:1.2.3",
                "imageID": "registry.example.com/shop/checkout-api@sha256:c2b1a0b1f6d0f3c9a84b5fae4ad51f25d4d7e2a6c7f6e9d1c0b3a294857fe6d3",
                "lastState": {}, "name": "app", "ready": true, "restartCount": 0, "started": true,
                "state": { "running": { "startedAt": "2026-11-22T10:00:00Z" } },
            }],
            "hostIP": "10.0.0.4", "phase": "Running", "podIP": "10.1.0.9", "podIPs": [{ "ip": "10.1.0.9" }], "qosClass": "Burstable",
            "startTime": "2026-11-22T10:00:00Z",
        },
    })
}
