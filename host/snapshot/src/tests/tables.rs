//! Lists as tables, with the columns of kubectl.

use serde_json::Value;

use super::Asker;

/// The rows of a table as lines, the names of its columns first.
async fn lines(cluster: &Asker, path: &str) -> Vec<String> {
    let (code, text) = cluster.table(path).await;
    assert_eq!(code, 200, "{path}: {text}");
    let table: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(table["kind"], "Table", "{text}");
    let cell = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
    let line = |cells: &mut dyn Iterator<Item = &Value>| cells.map(cell).collect::<Vec<_>>().join(" | ");
    let columns = table["columnDefinitions"].as_array().unwrap();
    let rows = table["rows"].as_array().unwrap().iter();
    let rows = rows.map(|row| line(&mut row["cells"].as_array().unwrap().iter()));
    std::iter::once(line(&mut columns.iter().map(|column| &column["name"]))).chain(rows).collect()
}

const PODS: &str = r#"
apiVersion: v1
kind: PodList
items:
- metadata: { name: crash, namespace: a, creationTimestamp: "2026-11-20T10:00:00Z" }
  spec: { containers: [{ name: app }, { name: side }] }
  status:
    phase: Running
    containerStatuses:
    - { name: app, ready: false, restartCount: 7, state: { waiting: { reason: CrashLoopBackOff } }, lastState: { terminated: { exitCode: 2, finishedAt: "2026-11-22T09:55:30Z" } } }
    - { name: side, ready: true, restartCount: 0, state: { running: { startedAt: "2026-11-20T10:00:00Z" } } }
- metadata: { name: done, namespace: a, creationTimestamp: "2026-11-22T06:30:00Z" }
  spec: { containers: [{ name: app }] }
  status: { phase: Succeeded, containerStatuses: [{ name: app, ready: false, restartCount: 0, state: { terminated: { exitCode: 0, reason: Completed } } }] }
- metadata: { name: init, namespace: a, creationTimestamp: "2026-11-22T09:59:00Z" }
  spec: { initContainers: [{ name: one }, { name: two }], containers: [{ name: app }] }
  status:
    phase: Pending
    initContainerStatuses:
    - { name: one, ready: true, restartCount: 0, state: { terminated: { exitCode: 0, reason: Completed } } }
    - { name: two, ready: false, restartCount: 0, state: { waiting: { reason: PodInitializing } } }
- metadata: { name: killed, namespace: a, creationTimestamp: "2026-11-22T09:59:00Z" }
  spec: { containers: [{ name: app }] }
  status: { phase: Failed, containerStatuses: [{ name: app, ready: false, restartCount: 0, state: { terminated: { exitCode: 137, signal: 9 } } }] }
- metadata: { name: leaves, namespace: a, creationTimestamp: "2025-11-22T10:00:00Z", deletionTimestamp: "2026-11-22T10:00:00Z" }
  spec: { containers: [{ name: app }] }
  status: { phase: Running, containerStatuses: [{ name: app, ready: true, restartCount: 0, state: { running: {} } }] }
- metadata: { name: mesh, namespace: a, creationTimestamp: "2026-11-22T10:00:00Z" }
  spec: { initContainers: [{ name: proxy, restartPolicy: Always }], containers: [{ name: app }] }
  status:
    phase: Running
    conditions: [{ type: Initialized, status: "True" }]
    initContainerStatuses: [{ name: proxy, ready: true, started: true, restartCount: 1, state: { running: {} } }]
    containerStatuses: [{ name: app, ready: true, restartCount: 0, state: { running: {} } }]
"#;

#[tokio::test]
async fn a_table_of_pods_is_what_kubectl_shows_at_the_newest_time() {
    assert_eq!(
        lines(&Asker::of(&[("pods.yaml", PODS)]), "/api/v1/namespaces/a/pods").await,
        [
            "Name | Ready | Status | Restarts | Age",
            "crash | 1/2 | CrashLoopBackOff | 7 (4m30s ago) | 2d",
            "done | 0/1 | Completed | 0 | 3h30m",
            "init | 0/1 | Init:1/2 | 0 | 60s",
            "killed | 0/1 | Signal:9 | 0 | 60s",
            "leaves | 1/1 | Terminating | 0 | 365d",
            "mesh | 2/2 | Running | 1 | 0s",
        ]
    );
}

#[tokio::test]
async fn now_is_what_kubernetes_has_written_and_nobody_else() {
    let age = async |more: &str| {
        let node = r#"{ apiVersion: v1, kind: Node, metadata: { name: n, creationTimestamp: "2026-11-22T09:00:00Z" } }"#;
        let lines = lines(&Asker::of(&[("objects.yaml", &format!("{node}\n---\n{more}\n"))]), "/api/v1/nodes").await;
        lines[1].split(" | ").nth(3).unwrap().to_owned()
    };
    const OTHERS: [&str; 7] = [
        r#"{ apiVersion: v1, kind: ConfigMap, metadata: { name: c, namespace: a }, data: { lastUpdateTime: "2036-01-01T00:00:00Z" } }"#,
        r#"{ apiVersion: v1, kind: ConfigMap, metadata: { name: c, namespace: a, annotations: { startTime: "2036-01-01T00:00:00Z" } } }"#,
        r#"{ apiVersion: v1, kind: Secret, metadata: { name: c, namespace: a }, stringData: { startedAt: "2036-01-01T00:00:00Z" } }"#,
        r#"{ apiVersion: v1, kind: Pod, metadata: { name: c, namespace: a, deletionTimestamp: "2036-01-01T00:00:00Z" } }"#,
        r#"{ apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: { name: c, namespace: a }, spec: { renewTime: "2036-01-01T00:00:00Z" } }"#,
        r#"{ apiVersion: example.com/v1, kind: Widget, metadata: { name: c, namespace: a }, spec: { startTime: "2036-01-01T00:00:00Z" } }"#,
        r#"{ apiVersion: example.com/v1, kind: Widget, metadata: { name: c, namespace: a }, status: { conditions: [{ lastTransitionTime: "2036-01-01T00:00:00Z" }] } }"#,
    ];
    for object in OTHERS {
        assert_eq!(age(object).await, "0s", "{object}");
    }
    const OWN: [&str; 6] = [
        r#"{ apiVersion: example.com/v1, kind: Widget, metadata: { name: c, namespace: a, creationTimestamp: "2026-11-22T10:00:00Z" } }"#,
        r#"{ apiVersion: v1, kind: Pod, metadata: { name: c, namespace: a }, status: { conditions: [{ lastTransitionTime: "2026-11-22T10:00:00Z" }] } }"#,
        r#"{ apiVersion: v1, kind: Pod, metadata: { name: c, namespace: a }, status: { containerStatuses: [{ lastState: { terminated: { finishedAt: "2026-11-22T10:00:00Z" } } }] } }"#,
        r#"{ apiVersion: v1, kind: Event, metadata: { name: c, namespace: a }, involvedObject: {}, lastTimestamp: "2026-11-22T10:00:00Z" }"#,
        r#"{ apiVersion: events.k8s.io/v1, kind: Event, metadata: { name: c, namespace: a }, regarding: {}, series: { lastObservedTime: "2026-11-22T10:00:00.000000Z" } }"#,
        r#"{ apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: { name: n, namespace: kube-node-lease }, spec: { renewTime: "2026-11-22T10:00:00.000000Z" } }"#,
    ];
    for object in OWN {
        assert_eq!(age(object).await, "60m", "{object}");
    }
}

#[tokio::test]
async fn tables_have_pages_and_selectors_as_lists_have() {
    let cluster = Asker::of(&[("pods.yaml", PODS)]);
    let (_, text) = cluster.table("/api/v1/pods?limit=1&fieldSelector=metadata.name!%3Dcrash").await;
    let table: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(table["rows"].as_array().unwrap().len(), 1, "{text}");
    assert!(table["metadata"]["continue"].is_string(), "{text}");
    let row = &table["rows"][0]["object"];
    assert_eq!((&row["kind"], &row["metadata"]["name"]), (&"PartialObjectMetadata".into(), &"done".into()), "{text}");
}

#[tokio::test]
async fn other_kinds_have_their_own_columns_and_what_has_none_is_refused_a_table() {
    let objects = r#"
{ apiVersion: v1, kind: Service, metadata: { name: web, namespace: a }, spec: { type: NodePort, clusterIP: 10.0.0.7, ports: [{ port: 80, nodePort: 30080, protocol: TCP }, { port: 53, protocol: UDP }] } }
---
{ apiVersion: v1, kind: Service, metadata: { name: open, namespace: a }, spec: { type: LoadBalancer, clusterIP: 10.0.0.8, ports: [] } }
---
{ apiVersion: v1, kind: Node, metadata: { name: n, labels: { node-role.kubernetes.io/worker: "", kubernetes.io/role: edge }, creationTimestamp: "2026-11-22T10:00:00Z" }, spec: { unschedulable: true }, status: { conditions: [{ type: Ready, status: Unknown }], nodeInfo: { kubeletVersion: v1.37.2 } } }
---
{ apiVersion: v1, kind: PersistentVolumeClaim, metadata: { name: data, namespace: a }, spec: { storageClassName: fast }, status: { phase: Pending } }
---
{ apiVersion: batch/v1, kind: Job, metadata: { name: j, namespace: a }, spec: { completions: 1 }, status: { failed: 3, startTime: "2026-11-22T09:00:00Z", conditions: [{ type: Failed, status: "True" }] } }
---
{ apiVersion: v1, kind: Event, metadata: { name: e, namespace: a }, type: Warning, reason: Unhealthy, message: "no\n", lastTimestamp: "2026-11-22T09:58:01Z", involvedObject: { kind: Pod, name: web-0 } }
---
{ apiVersion: v1, kind: LimitRange, metadata: { name: l, namespace: a } }
"#;
    let cluster = Asker::of(&[("objects.yaml", objects)]);
    for (path, expected) in [
        (
            "api/v1/namespaces/a/services",
            [
                "open | LoadBalancer | 10.0.0.8 | <pending> | <none> | <unknown>",
                "web | NodePort | 10.0.0.7 | <none> | 80:30080/TCP,53/UDP | <unknown>",
            ]
            .as_slice(),
        ),
        ("api/v1/nodes", &["n | NotReady,SchedulingDisabled | edge,worker | 0s | v1.37.2"]),
        ("api/v1/namespaces/a/persistentvolumeclaims", &["data | Pending |  |  |  | fast | <unset> | <unknown>"]),
        ("apis/batch/v1/namespaces/a/jobs", &["j | Failed | 0/1 | 60m | <unknown>"]),
        ("api/v1/namespaces/a/events", &["119s | Warning | Unhealthy | pod/web-0 | no"]),
    ] {
        assert_eq!(lines(&cluster, &format!("/{path}")).await[1..], *expected, "{path}");
    }
    assert_eq!(cluster.table("/api/v1/namespaces/a/limitranges").await.0, 406);
    assert_eq!(cluster.table("/api/v1/namespaces/a/secrets").await.0, 406);
    assert_eq!(cluster.table("/apis/apps/v1/deployments").await.0, 404, "they were not gathered");
}
