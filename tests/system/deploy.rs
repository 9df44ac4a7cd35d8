//! What is in `deploy/`: its roles are those that the tools need today, and a real API server accepts all of it.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::sandbar::Run;
use serde_json::{Value, json};

/// The folder.
const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy");

/// Overlays over it, which take up the components.
const OVERLAYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/system/deploy");

#[tokio::test]
async fn the_cluster_role_of_the_base_is_what_rbac_prints() {
    assert_no_drift("base", None).await;
}

#[tokio::test]
async fn the_roles_of_the_namespaced_overlay_are_what_rbac_prints() {
    assert_no_drift("overlays/namespaced", Some("overlays/namespaced/sandbar.yaml")).await;
}

async fn assert_no_drift(folder: &str, config: Option<&str>) {
    let mut run = Run::new(&["rbac", "--cluster", "demo"]);
    if let Some(config) = config {
        run = run.arg("--config").arg(format!("{DEPLOY}/{config}"));
    }
    let printed = run.finish().await.stdout;
    let written = std::fs::read_to_string(format!("{DEPLOY}/{folder}/rbac.yaml")).unwrap();
    assert_eq!(written, printed, "`make rbac` writes {folder}/rbac.yaml anew");
}

#[test]
fn a_real_api_server_accepts_the_base_the_overlay_and_each_component() {
    let control_plane = ControlPlane::start(&[]);
    // A dry run creates nothing, so the namespaces that the objects are in have to be there. A Deployment whose pods `restricted`
    // would refuse is a warning, and a warning is an error here.
    for namespace in ["coder-system", "team-a", "team-b"] {
        control_plane.kubectl(&["create", "namespace", namespace]);
    }
    control_plane.kubectl(&["label", "namespace", "coder-system", "pod-security.kubernetes.io/warn=restricted"]);
    let always = [
        "serviceaccount/coder-k8s-mcp",
        "service/coder-k8s",
        "deployment.apps/coder-k8s-mcp",
        "networkpolicy.networking.k8s.io/coder-k8s-mcp",
    ];
    for (folder, more) in [
        (format!("{DEPLOY}/base"), vec!["clusterrole.rbac.authorization.k8s.io/coder-k8s-mcp"]),
        (format!("{DEPLOY}/overlays/namespaced"), vec!["role.rbac.authorization.k8s.io/coder-k8s-mcp", "configmap/"]),
        (format!("{OVERLAYS}/private"), vec!["poddisruptionbudget.policy/coder-k8s-mcp", "configmap/"]),
        (format!("{OVERLAYS}/opened"), vec!["networkpolicy.networking.k8s.io/coder-k8s-mcp-egress"]),
        (format!("{OVERLAYS}/confined"), vec![]),
        (format!("{OVERLAYS}/encrypted"), vec![]),
        (format!("{OVERLAYS}/mounted"), vec!["configmap/"]),
        (format!("{OVERLAYS}/pulled"), vec!["configmap/"]),
        (format!("{OVERLAYS}/scripted"), vec!["configmap/coder-k8s-mcp-scripts-"]),
        (
            format!("{OVERLAYS}/measured"),
            vec!["service/coder-k8s-mcp-metrics", "networkpolicy.networking.k8s.io/coder-k8s-mcp-metrics"],
        ),
    ] {
        let accepted = control_plane.kubectl(&["apply", "--dry-run=server", "--warnings-as-errors", "-k", &folder]);
        for object in always.into_iter().chain(more) {
            assert!(accepted.contains(object), "{object} in {folder}: {accepted}");
        }
    }
}

#[test]
fn every_object_says_what_it_is_part_of_and_none_is_a_namespace() {
    let overlays = ["private", "opened", "measured"].map(overlay);
    for folder in [format!("{DEPLOY}/base"), format!("{DEPLOY}/overlays/namespaced")].into_iter().chain(overlays) {
        for object in objects_of(&folder) {
            let labels = &object["metadata"]["labels"];
            for (key, value) in
                [("name", "sandbar"), ("instance", "coder-k8s-mcp"), ("component", "mcp-server"), ("part-of", "sandbar")]
            {
                assert_eq!(labels[format!("app.kubernetes.io/{key}")], value, "{folder}: {object:#}");
            }
            assert_ne!(object["kind"], "Namespace", "`kubectl delete -k` would take all that lives there");
        }
    }
}

#[test]
fn the_port_is_reached_by_pods_with_the_label_or_where_it_is_open_by_everybody() {
    let port = json!([{ "port": "mcp", "protocol": "TCP" }]);
    let labelled = json!({ "podSelector": { "matchLabels": { "coder-k8s-mcp-client": "true" } } });
    for (folder, wanted) in [
        (format!("{DEPLOY}/base"), json!([{ "from": [labelled], "ports": port }])),
        (overlay("opened"), json!([{ "ports": port }])),
    ] {
        let objects = objects_of(&folder);
        let policy = objects.iter().find(|object| object["kind"] == "NetworkPolicy" && object["spec"]["ingress"].is_array());
        assert_eq!(policy.unwrap()["spec"]["ingress"], wanted, "{folder}");
    }
}

#[test]
fn metrics_are_at_a_port_of_their_own_for_prometheus_in_a_namespace_with_the_label_and_for_nobody_else() {
    let objects = objects_of(&overlay("measured"));
    let spec = |kind: &str, name: &str| {
        let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))["spec"].clone()
    };
    let scraper = json!({
        "namespaceSelector": { "matchLabels": { "coder-k8s-mcp-metrics": "true" } },
        "podSelector": { "matchLabels": { "app.kubernetes.io/name": "prometheus" } },
    });
    let wanted = json!([{ "from": [scraper], "ports": [{ "port": "metrics", "protocol": "TCP" }] }]);
    assert_eq!(spec("NetworkPolicy", "coder-k8s-mcp-metrics")["ingress"], wanted);
    assert_eq!(spec("NetworkPolicy", "coder-k8s-mcp")["ingress"][0]["ports"], json!([{ "port": "mcp", "protocol": "TCP" }]));
    let ports = |service: &str| spec("Service", service)["ports"].as_array().unwrap().len();
    assert_eq!((ports("coder-k8s"), ports("coder-k8s-mcp-metrics")), (1, 1));
    assert_eq!(spec("Service", "coder-k8s-mcp-metrics")["clusterIP"], "None", "each replica is scraped by itself");
    let pod = pod_of("measured");
    assert_eq!(named(&pod["containers"][0]["ports"], "metrics")["containerPort"], 9090);
    assert_eq!(named(&pod["containers"][0]["env"], "SANDBAR_METRICS_LISTEN")["value"], "[::]:9090");
}

#[test]
fn the_user_is_left_to_the_image_and_the_cluster_and_both_families_are_listened_on() {
    let image = std::fs::read_to_string(format!("{DEPLOY}/Dockerfile")).unwrap();
    assert!(image.contains("\nUSER 65532:65532\n"), "`runAsNonRoot` takes a number");
    let pod = pod_of("private");
    assert_eq!(pod["securityContext"], json!({ "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } }));
    assert_eq!(named(&pod["containers"][0]["env"], "SANDBAR_LISTEN")["value"], "[::]:8090");
    for (folder, protocol) in [("private", "http"), ("encrypted", "https")] {
        let objects = objects_of(&overlay(folder));
        let service = &objects.iter().find(|object| object["kind"] == "Service").unwrap()["spec"];
        assert_eq!(service["ipFamilyPolicy"], "PreferDualStack");
        let port = json!({ "name": "mcp", "port": 8090, "protocol": "TCP", "targetPort": "mcp", "appProtocol": protocol });
        assert_eq!(service["ports"], json!([port]));
    }
}

#[test]
fn what_pulls_before_the_server_has_its_image_and_its_cache_and_alone_has_credentials() {
    let pod = pod_of("pulled");
    let [pull] = &pod["initContainers"].as_array().unwrap()[..] else { panic!("{pod:#}") };
    let [server] = &pod["containers"].as_array().unwrap()[..] else { panic!("{pod:#}") };
    assert_eq!(pull["args"], json!(["pull"]));
    assert_eq!(pull["image"], "registry.example.com/sandbar:0.1.0");
    assert_eq!(pull["image"], server["image"], "the overlay names one");
    assert_eq!(pull["securityContext"], server["securityContext"]);
    for variable in ["SANDBAR_CONFIG", "SANDBAR_CACHE_DIR"] {
        assert!(named(&pull["env"], variable).is_object(), "{variable}: {pull:#}");
        assert_eq!(named(&pull["env"], variable), named(&server["env"], variable));
    }
    for mount in ["config", "cache"] {
        assert!(named(&pull["volumeMounts"], mount).is_object(), "{mount}: {pull:#}");
        assert_eq!(named(&pull["volumeMounts"], mount), named(&server["volumeMounts"], mount));
    }
    for mount in ["registry", "authorities"] {
        assert_eq!(named(&pull["volumeMounts"], mount)["readOnly"], true);
        assert!(named(&server["volumeMounts"], mount).is_null(), "the server asks no registry");
    }
}

#[test]
fn an_overlay_names_the_image_of_a_tool_as_it_names_that_of_the_server() {
    let pod = pod_of("mounted");
    let image = &named(&pod["volumes"], "tools")["image"];
    assert!(image["reference"].as_str().unwrap().starts_with("registry.example.com/team/restarts@sha256:"), "{image}");
    let mount = named(&pod["containers"][0]["volumeMounts"], "tools");
    assert_eq!((&mount["mountPath"], &mount["readOnly"]), (&json!("/tools"), &json!(true)));
}

#[tokio::test]
async fn the_roles_for_tools_that_only_the_pod_has_are_those_of_their_entries() {
    for overlay in ["mounted", "pulled", "scripted"] {
        let config = format!("{OVERLAYS}/{overlay}/sandbar.yaml");
        let printed = Run::new(&["rbac", "--cluster", "demo", "--config"]).arg(config).finish().await;
        assert_eq!(printed.code(), 0, "{}", printed.stderr);
        assert!(printed.stderr.contains("is not here; the roles have what its entry grants it"), "{}", printed.stderr);
        assert!(printed.stdout.contains("  resources:\n  - events\n  - pods\n  verbs:\n  - list\n"), "{}", printed.stdout);
    }
}

fn overlay(name: &str) -> String {
    format!("{OVERLAYS}/{name}")
}

/// What kustomize makes of a folder.
fn objects_of(folder: &str) -> Vec<Value> {
    let printed = ControlPlane::shared().kubectl(&["create", "--dry-run=client", "--output", "json", "-k", folder]);
    serde_json::Deserializer::from_str(&printed).into_iter().map(Result::unwrap).collect()
}

/// The pod of the Deployment in an overlay.
fn pod_of(name: &str) -> Value {
    let mut objects = objects_of(&overlay(name));
    let deployment = objects.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
    deployment["spec"]["template"]["spec"].take()
}

/// The entry of a list that has this name, or null.
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().into_iter().flatten().find(|entry| entry["name"] == name).unwrap_or(&Value::Null)
}
