//! What some write into a cluster takes nobody's answer away: objects that are made to be compared for long.

use tempfile::TempDir;

use super::*;

/// A server of these objects.
async fn of(objects: Value) -> (Client, Server, TempDir) {
    let files = tempfile::tempdir().unwrap();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    std::fs::write(files.path().join("all.json"), list.to_string()).unwrap();
    let server = Server::builder().cluster(&format!("snapshot:{}", files.path().display()));
    let server = server.config("bundled: { packs: [kubernetes] }\n").start().await;
    (Client::modern(&server), server, files)
}

fn metadata(name: &str, namespace: &str, labels: Value) -> Value {
    json!({ "name": name, "namespace": namespace, "labels": labels })
}

#[tokio::test]
async fn services_and_pods_of_one_namespace_do_not_hide_what_is_wrong_in_another() {
    let labels = |last: &str| -> Value {
        (0..30).map(|key| (format!("k{key}"), json!("v"))).chain([("z".to_owned(), json!(last))]).collect()
    };
    let namespace = |name: &str| json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
    let service = |number: usize| {
        let name = format!("s{number}");
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(&name, "crowd", json!({})),
            "spec": { "selector": labels("no") },
        })
    };
    let pod = |number: usize| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata(&format!("p{number}"), "crowd", labels("yes")),
            "spec": { "nodeName": "n", "containers": [{ "name": "app" }] },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] },
        })
    };
    let crash = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata("crash", "shop", json!({})),
        "spec": { "nodeName": "n", "containers": [{ "name": "app" }] },
        "status": { "phase": "Running", "containerStatuses": [{
            "name": "app", "restartCount": 9, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } },
        }] },
    });
    let objects = [namespace("crowd"), namespace("shop"), crash];
    let objects = objects.into_iter().chain((0..1500).map(service)).chain((0..600).map(pod)).collect();
    let (client, _server, _files) = of(objects).await;
    let (text, structure) = said(&client, "find_problems", json!({})).await;
    assert!(text.contains("Pod shop/crash: CrashLoopBackOff"), "{text}");
    let not_read = structure["notRead"].as_str().unwrap();
    assert!(not_read.contains("pods of Services (1500 in crowd: too many labels are alike)"), "{not_read}");
}

#[tokio::test]
async fn an_object_is_measured_once_however_deep_it_is() {
    let large: Vec<Value> = (0..80_000).map(|number| json!({ format!("k{number}"): number })).collect();
    let deep = (0..55).fold(json!({ "blob": large }), |inner, _| json!({ "a": inner }));
    let object =
        json!({ "apiVersion": "example.com/v1", "kind": "Deep", "metadata": { "name": "x", "namespace": "shop" }, "spec": deep });
    let (client, _server, _files) = of(json!([object])).await;
    let (_, structure) = said(&client, "get_resource", json!({ "kind": "Deep", "name": "x", "namespace": "shop" })).await;
    assert!(structure["cut"][0].as_str().unwrap().contains(" of 80000 entries"), "{}", structure["cut"]);
}
