//! Hints: who follows one is helped by it.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::sandbar::{Finished, Run};
use sandbar_tests::until;

/// The events of a namespace, as `narrow`, who may do what every user may.
async fn events(control_plane: &ControlPlane) -> Finished {
    Run::new(&["call", "get_events", r#"{"namespace":"default"}"#]).of(control_plane, "narrow").finish().await
}

/// Rights count a moment after they were given.
async fn until_said(control_plane: &ControlPlane, part: &str) -> String {
    until(part, || async {
        let finished = events(control_plane).await;
        let said = finished.stdout + &finished.stderr;
        said.contains(part).then_some(said)
    })
    .await
}

#[tokio::test]
async fn each_missing_right_is_told_with_what_gives_it() {
    let control_plane = ControlPlane::start(&[]);
    // As hardened clusters have it.
    control_plane.kubectl(&["delete", "clusterrolebinding", "system:discovery"]);
    let said = until_said(&control_plane, "system:discovery").await;
    assert!(!said.contains("sandbar rbac"), "it prints no such role: {said}");

    control_plane.kubectl(&["create", "clusterrolebinding", "found", "--clusterrole=system:discovery", "--user=narrow"]);
    let said = until_said(&control_plane, "sandbar rbac").await;
    assert!(!said.contains("system:discovery"), "{said}");

    let roles = Run::new(&["rbac"]).of(&control_plane, "admin").finish().await;
    assert_eq!(roles.code(), 0, "{roles:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rbac.yaml");
    std::fs::write(&path, roles.stdout).unwrap();
    control_plane.kubectl(&["apply", "-f", path.to_str().unwrap()]);
    control_plane.kubectl(&["create", "clusterrolebinding", "given", "--clusterrole=coder-k8s-mcp", "--user=narrow"]);
    until("the events are read", || async { (events(&control_plane).await.code() == 0).then_some(()) }).await;
}

#[tokio::test]
async fn each_way_out_of_a_missing_cluster_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let lost = Run::new(&["call", "check_health"]).env("HOME", folder.path()).finish().await;
    assert!(lost.stderr.contains("`--cluster demo`"), "{lost:?}");
    let demo = Run::new(&["call", "check_health", "--cluster", "demo"]).env("HOME", folder.path()).finish().await;
    assert_eq!(demo.code(), 0, "{demo:?}");

    let kubeconfig = std::fs::read_to_string(ControlPlane::shared().kubeconfig()).unwrap();
    let path = folder.path().join("kubeconfig");
    let without: String =
        kubeconfig.lines().filter(|line| !line.starts_with("current-context")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, without).unwrap();
    let nameless = Run::new(&["call", "check_health", "--cluster", "kubeconfig"]).env("KUBECONFIG", &path).finish().await;
    assert!(nameless.stderr.contains("--cluster kubeconfig:CONTEXT") && nameless.stderr.contains("viewer"), "{nameless:?}");
    let named = Run::new(&["call", "check_health", "--cluster", "kubeconfig:viewer"]).env("KUBECONFIG", &path).finish().await;
    assert_eq!(named.code(), 0, "{named:?}");

    let pod = Run::new(&["call", "check_health", "--cluster", "in-cluster"]).env("KUBECONFIG", &path).finish().await;
    assert!(pod.stderr.contains("`--cluster kubeconfig`"), "{pod:?}");
}
