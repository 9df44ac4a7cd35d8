//! What the tool answers, by topic.

use sandbar_tool::testing::{Host, page};
use sandbar_tool::{Code, Error, Page, Scope};
use serde_json::{Value, json};

use super::component;

fn text(host: &Host, asked: Value) -> String {
    host.text(&component(), "top", &asked).expect("an answer")
}

fn pod(namespace: &str, name: &str, node: &str, containers: Value) -> Value {
    json!({
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "nodeName": node, "containers": containers },
        "status": { "phase": "Running" },
    })
}

fn container(name: &str, cpu: &str, memory: &str, limit: Value) -> Value {
    json!({ "name": name, "resources": { "requests": { "cpu": cpu, "memory": memory }, "limits": limit } })
}

fn measured(namespace: &str, name: &str, containers: &[(&str, &str, &str)]) -> Value {
    let containers: Vec<Value> =
        containers.iter().map(|(name, cpu, memory)| json!({ "name": name, "usage": { "cpu": cpu, "memory": memory } })).collect();
    json!({ "metadata": { "name": name, "namespace": namespace }, "containers": containers })
}

fn cluster(metrics: bool) -> Host {
    Host::new().lists(move |request| {
        Ok(page(match &*request.resource {
            "pods" => {
                assert_eq!(request.selector.as_deref(), Some("status.phase!=Succeeded,status.phase!=Failed"));
                let small = || json!({ "memory": "128Mi" });
                vec![
                    pod(
                        "team-a",
                        "idle",
                        "one",
                        json!([container("app", "100m", "64Mi", json!({ "cpu": "1", "memory": "1Gi" }))]),
                    ),
                    pod(
                        "team-a",
                        "full",
                        "one",
                        json!([
                            container("app", "1", "1Gi", json!({ "cpu": "2", "memory": "2Gi" })),
                            container("proxy", "50m", "64Mi", small()),
                        ]),
                    ),
                    pod("team-b", "free", "two", json!([{ "name": "app" }])),
                ]
            }
            "nodes" => ["one", "two"]
                .map(
                    |name| json!({ "metadata": { "name": name }, "status": { "allocatable": { "cpu": "4", "memory": "16Gi" } } }),
                )
                .into(),
            _ if !metrics => return Err(Error::new(Code::NotServed, "no")),
            "pods.metrics.k8s.io" => vec![
                measured("team-a", "idle", &[("app", "12345678n", "52428Ki")]),
                measured("team-a", "full", &[("app", "500m", "512Mi"), ("proxy", "10m", "125Mi")]),
                measured("team-b", "free", &[("app", "3", "3Gi")]),
            ],
            "nodes.metrics.k8s.io" => vec![
                json!({ "metadata": { "name": "one" }, "usage": { "cpu": "1", "memory": "4Gi" } }),
                json!({ "metadata": { "name": "two" }, "usage": { "cpu": "3", "memory": "15Gi" } }),
            ],
            other => panic!("{other}"),
        }))
    })
}

#[test]
fn pods_are_sorted_by_the_container_that_is_nearest_to_its_limit() {
    assert_eq!(
        text(&cluster(true), json!({ "of": "pods" })),
        "Namespace\tPod\tCPU use/request/limit\t%\tMemory use/request/limit\t%\n\
         team-a\tfull\t510m/1050m/-\t25\t637Mi/1088Mi/2176Mi\t97\n\
         team-a\tidle\t13m/100m/1\t1\t51Mi/64Mi/1Gi\t4\n\
         team-b\tfree\t3/-/-\t-\t3Gi/-/-\t-"
    );
    let first =
        |sort: &str| text(&cluster(true), json!({ "of": "pods", "sort": sort, "limit": 1 })).lines().nth(2).map(str::to_owned);
    assert!(first("cpu").is_some_and(|row| row.starts_with("team-b\tfree")));
    assert!(first("memory").is_some_and(|row| row.starts_with("team-b\tfree")));
}

#[test]
fn nodes_have_what_is_used_and_requested_of_them() {
    assert_eq!(
        text(&cluster(true), json!({ "of": "nodes" })),
        "Node\tCPU use/requests/allocatable\t% use/requests\tMemory use/requests/allocatable\t% use/requests\n\
         two\t3/0/4\t75/0\t15Gi/0/16Gi\t93/0\n\
         one\t1/1150m/4\t25/28\t4Gi/1152Mi/16Gi\t25/7"
    );
}

#[test]
fn without_metrics_requests_are_shown_and_how_to_get_them() {
    let nodes = text(&cluster(false), json!({ "of": "nodes" }));
    assert!(nodes.starts_with("use is not known, since this cluster does not serve metrics.k8s.io"), "{nodes}");
    assert!(nodes.contains("metrics-server"));
    assert_eq!(nodes.lines().nth(2), Some("one\t-/1150m/4\t-/28\t-/1152Mi/16Gi\t-/7"));
    let pods = text(&cluster(false), json!({ "of": "pods" }));
    assert_eq!(pods.lines().nth(2), Some("team-a\tfull\t-/1050m/-\t-/1088Mi/2176Mi"), "{pods}");
    let answer = cluster(false).answer(&component(), "top", &json!({ "of": "pods", "limit": 2 })).expect("an answer");
    assert_eq!((&answer["count"], answer["warnings"].as_array().map(Vec::len)), (&json!(3), Some(2)));
    assert!(answer["table"].as_str().is_some_and(|table| table.lines().count() == 3));
}

#[test]
fn what_the_scheduler_counts_is_requested() {
    let host = Host::new().lists(|request| match &*request.resource {
        "pods" => {
            assert_eq!((&request.within, request.labels.as_deref()), (&Scope::from("team-a"), Some("app=web")));
            let mut sidecar = container("mesh", "100m", "100Mi", json!({}));
            sidecar["restartPolicy"] = json!("Always");
            let mut pod = pod(
                "team-a",
                "web",
                "",
                json!([container("app", "200m", "100Mi", json!({})), { "name": "odd", "resources": { "requests": 7 } }]),
            );
            pod["spec"]["initContainers"] = json!([sidecar, container("migrate", "1", "50Mi", json!({}))]);
            pod["spec"]["overhead"] = json!({ "cpu": "10m", "memory": "8Mi" });
            let mut done = pod.clone();
            done["status"]["phase"] = json!("Succeeded");
            Ok(page([pod, done]))
        }
        _ => Err(Error::new(Code::Denied, "not granted")),
    });
    assert_eq!(
        text(&host, json!({ "of": "pods", "namespace": "team-a", "labels": "app=web" })),
        "use is not known: metrics.k8s.io cannot be read: not granted\n\
         Pod\tCPU use/request/limit\tMemory use/request/limit\n\
         web\t-/1110m/-\t-/208Mi/-"
    );
}

#[test]
fn no_pods_are_told_with_where_there_are_some() {
    let host = Host::new().lists(|request| match (&*request.resource, &request.within) {
        ("pods", Scope::EveryNamespace) => Ok(page([pod("team-b", "a", "", json!([]))])),
        _ => Ok(Page { warnings: Vec::new(), ..page([]) }),
    });
    assert_eq!(
        text(&host, json!({ "of": "pods", "namespace": "team-a" })),
        "there are no pods that run in namespace team-a; there are some in team-b (1)"
    );
}

#[test]
fn a_thousand_pods_are_thirty_rows() {
    let host = Host::new().lists(|request| match &*request.resource {
        "pods" => Ok(page((0..1_000).map(|n| {
            pod(
                "team-a",
                &format!("web-5d9f7c8b6d-{n:05}"),
                "one",
                json!([container("app", "100m", "64Mi", json!({ "cpu": "1" }))]),
            )
        }))),
        _ => Ok(page([])),
    });
    let text = text(&host, json!({ "of": "pods" }));
    assert!(text.len() < 1_800 && text.starts_with("all in namespace team-a\nthe first 30 of 1000 are here"), "{}", text.len());
}
