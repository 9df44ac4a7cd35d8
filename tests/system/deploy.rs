//! What is in `deploy/`: its roles are those that the tools need today, and a real API server accepts all of it.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::sandbar::Run;

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
    let always = ["serviceaccount/coder-k8s-mcp", "service/coder-k8s", "deployment.apps/coder-k8s-mcp"];
    let policy = "networkpolicy.networking.k8s.io/coder-k8s-mcp";
    for (folder, more) in [
        (format!("{DEPLOY}/base"), vec!["clusterrole.rbac.authorization.k8s.io/coder-k8s-mcp"]),
        (format!("{DEPLOY}/overlays/namespaced"), vec!["role.rbac.authorization.k8s.io/coder-k8s-mcp", "configmap/", policy]),
        (format!("{OVERLAYS}/private"), vec!["poddisruptionbudget.policy/coder-k8s-mcp", "configmap/", policy]),
        (format!("{OVERLAYS}/proxied"), vec![policy]),
        (format!("{OVERLAYS}/encrypted"), vec![]),
    ] {
        let accepted = control_plane.kubectl(&["apply", "--dry-run=server", "--warnings-as-errors", "-k", &folder]);
        for object in always.into_iter().chain(more) {
            assert!(accepted.contains(object), "{object} in {folder}: {accepted}");
        }
    }
}
