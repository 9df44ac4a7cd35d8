//! Paths: what they serve, single objects, discovery.

use http::Method;
use serde_json::{Value, json};

use super::{Asker, CLUSTER};

#[tokio::test]
async fn one_object_is_found_by_its_name() {
    let cluster = Asker::of(&CLUSTER);
    let pod = cluster.json("/api/v1/namespaces/team-a/pods/web-0").await;
    assert_eq!((&pod["apiVersion"], &pod["kind"]), (&json!("v1"), &json!("Pod")), "though its list said so only once");
    assert_eq!(cluster.json("/api/v1/nodes/node-1").await["metadata"]["name"], "node-1");
    assert_eq!(
        cluster.json("/apis/coder.com/v1alpha1/namespaces/team-a/codercontrolplanes/coder").await["status"]["readyReplicas"],
        1
    );
}

#[tokio::test]
async fn a_missing_object_is_a_status_and_a_missing_resource_is_not() {
    let cluster = Asker::of(&CLUSTER);
    let not_found = |message: &str| (404, "NotFound".to_owned(), message.to_owned());
    assert_eq!(
        cluster.refusal("/apis/coder.com/v1alpha1/namespaces/team-a/codercontrolplanes/nope").await,
        not_found("codercontrolplanes.coder.com \"nope\" not found")
    );
    assert_eq!(cluster.refusal("/api/v1/namespaces/team-b/pods/web-0").await, not_found("pods \"web-0\" not found"));
    let described = Asker::of(&[("ns.yaml", "apiVersion: v1\nkind: NamespaceList\nitems: []\n"), CLUSTER[1]]);
    assert_eq!(described.refusal("/api/v1/namespaces/nope").await, not_found("namespaces \"nope\" not found"));
    for path in [
        "/api/v1/widgets",
        "/apis/example.com/v1/widgets",
        "/apis/coder.com/v2/codercontrolplanes",
        "/apis/coder.com/v2",
        "/apis/example.com",
        "/api/v2",
        // Nor is a path in the wrong scope.
        "/api/v1/namespaces/team-a/nodes",
        "/api/v1/namespaces/team-a/nodes/node-1",
        "/api/v1/pods/web-0",
        // Subresources can do more than read.
        "/api/v1/namespaces/team-a/pods/web-0/proxy",
        "/api/v1/namespaces/team-a/pods/web-0/exec",
        "/api/v1/nodes/node-1/proxy",
        "/",
    ] {
        assert_eq!(cluster.get(path).await, (404, "404 page not found\n".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn an_empty_typed_list_shows_that_the_resource_is_served() {
    let cluster = Asker::of(&[("team-a/jobs.json", r#"{ "kind": "JobList", "apiVersion": "batch/v1", "items": null }"#)]);
    assert_eq!(cluster.json("/apis/batch/v1/namespaces/team-a/jobs").await["items"], json!([]));
    assert_eq!(cluster.get("/apis/farm.example.com/v1/barns").await, (404, "404 page not found\n".to_owned()));
}

#[tokio::test]
async fn namespaces_that_nobody_described_are_made_up() {
    let cluster = Asker::of(&CLUSTER);
    assert_eq!(cluster.names("/api/v1/namespaces").await, ["team-a", "team-b"]);
    assert_eq!(cluster.json("/api/v1/namespaces/team-a").await["status"]["phase"], "Active");
    let described =
        [("ns.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: { name: team-a, labels: { tier: gold } }\n"), CLUSTER[1]];
    let namespace = Asker::of(&described).json("/api/v1/namespaces/team-a").await;
    assert_eq!(namespace["metadata"]["labels"]["tier"], "gold");
}

#[tokio::test]
async fn a_definition_says_how_a_custom_resource_is_called() {
    const DEFINITION: &str = "\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: oxen.farm.example.com }
spec:
  group: farm.example.com
  scope: Cluster
  names: { kind: Ox, plural: oxen }
  versions: [{ name: v1beta1, served: true }, { name: v1, served: true }, { name: v1alpha1, served: false }]
---
apiVersion: farm.example.com/v1
kind: Ox
metadata: { name: rosa }
";
    let cluster = Asker::of(&[("farm.yml", DEFINITION)]);
    assert_eq!(cluster.names("/apis/farm.example.com/v1/oxen").await, ["rosa"]);
    assert!(cluster.names("/apis/farm.example.com/v1beta1/oxen").await.is_empty());
    let group = cluster.json("/apis/farm.example.com").await;
    assert_eq!(group["preferredVersion"]["version"], "v1");
    assert_eq!(group["versions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn without_a_definition_the_objects_say_whether_they_are_namespaced() {
    let cluster = Asker::of(&[(
        "farm.yaml",
        "{ apiVersion: farm.example.com/v1, kind: Barn, metadata: { name: big } }\n---\n\
         { apiVersion: farm.example.com/v1, kind: Cow, metadata: { name: rosa, namespace: alp } }\n",
    )]);
    let resources = cluster.json("/apis/farm.example.com/v1").await["resources"].clone();
    let scopes: Vec<_> =
        resources.as_array().unwrap().iter().map(|one| (one["name"].as_str().unwrap(), &one["namespaced"])).collect();
    assert_eq!(scopes, [("barns", &json!(false)), ("cows", &json!(true))]);
}

#[tokio::test]
async fn discovery_names_everything_that_is_served() {
    let cluster = Asker::of(&CLUSTER);
    assert_eq!(cluster.json("/api").await["versions"], json!(["v1"]));
    let groups = cluster.json("/apis").await["groups"].clone();
    let names: Vec<_> = groups.as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect();
    for group in ["aggregation.coder.com", "apps", "batch", "coder.com"] {
        assert!(names.contains(&group), "{names:?}");
    }
    let core = cluster.json("/api/v1").await;
    assert_eq!(core["groupVersion"], "v1");
    let find =
        |name: &str| core["resources"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap_or_default();
    assert_eq!((&find("pods")["namespaced"], &find("pods")["kind"]), (&json!(true), &json!("Pod")));
    assert_eq!(find("nodes")["namespaced"], false);
    assert_eq!(find("pods/log")["verbs"], json!(["get"]));
    assert_eq!(find("bindings"), Value::Null);
}

#[tokio::test]
async fn kube_finds_its_way_through_discovery() {
    let cluster = Asker::of(&CLUSTER);
    let discovery = kube::discovery::Discovery::new(cluster.0.clone()).run().await.unwrap();
    let (resource, capabilities) = discovery
        .groups()
        .flat_map(|group| group.recommended_resources())
        .find(|(resource, _)| resource.kind == "CoderWorkspace")
        .unwrap();
    assert_eq!((resource.api_version.as_str(), resource.plural.as_str()), ("aggregation.coder.com/v1alpha1", "coderworkspaces"));
    assert_eq!(capabilities.scope, kube::discovery::Scope::Namespaced);
}

#[tokio::test]
async fn the_version_is_the_servers_or_the_nodes() {
    let version = Asker::of(&CLUSTER).json("/version").await;
    assert_eq!((&version["gitVersion"], &version["platform"]), (&json!("v1.37.2"), &json!("linux/arm64")));
    assert_eq!((&version["major"], &version["minor"]), (&json!("1"), &json!("37")));
    let told = (
        "version.json",
        r#"{ "clientVersion": { "gitVersion": "v1.36.0" }, "serverVersion": { "gitVersion": "v1.38.1+k3s1", "platform": "linux/amd64" } }"#,
    );
    assert_eq!(Asker::of(&[told, CLUSTER[0]]).json("/version").await["gitVersion"], "v1.38.1+k3s1");
}

#[tokio::test]
async fn it_is_always_ready() {
    let cluster = Asker::of(&CLUSTER);
    for path in ["/readyz", "/livez"] {
        assert_eq!(cluster.get(path).await, (200, "ok".to_owned()));
    }
    let version = cluster.0.apiserver_version().await.unwrap();
    assert_eq!(version.git_version, "v1.37.2");
}

#[tokio::test]
async fn nothing_but_get_is_allowed() {
    let cluster = Asker::of(&CLUSTER);
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let (code, text) = cluster.send(method, "/api/v1/namespaces/team-a/pods/web-0").await;
        assert_eq!(code, 405);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["reason"], "MethodNotAllowed");
    }
    assert_eq!(cluster.refusal("/api/v1/pods?watch=true").await.0, 405);
}
