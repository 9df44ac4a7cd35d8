//! Kubeconfigs that lead nowhere: what is wrong is said at once, and by its path.

use super::*;

/// Why `sandbar serve` does not start with a kubeconfig.
async fn refused(path: &Path, cluster: &str) -> String {
    let run = Run::new(&["serve", "--listen", "127.0.0.1:0", "--cluster", cluster]).env("KUBECONFIG", path);
    let finished = run.finish().await;
    assert_eq!((finished.code(), finished.stdout.as_str()), (1, ""), "{finished:?}");
    finished.stderr
}

#[tokio::test]
async fn one_that_is_missing_is_named_with_a_way_out() {
    let words = refused(Path::new("/no/such/kubeconfig"), "kubeconfig").await;
    assert!(words.contains("/no/such/kubeconfig") && words.contains("--cluster demo"), "{words}");
}

#[tokio::test]
async fn one_that_is_broken_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    for text in ["{", "clusters: 7", "\u{0}", "current-context: test\n", "[]"] {
        std::fs::write(&path, text).unwrap();
        let words = refused(&path, "kubeconfig").await;
        assert!(words.contains(path.to_str().unwrap()), "{text:?}: {words}");
    }
}

#[tokio::test]
async fn a_context_that_it_does_not_have_is_named_beside_those_that_it_has() {
    let words = refused(ControlPlane::shared().kubeconfig(), "kubeconfig:nope").await;
    assert!(words.contains("nope") && words.contains("viewer") && words.contains("admin"), "{words}");
}

#[tokio::test]
async fn one_whose_files_are_missing_is_named_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    let text =
        kubeconfig("https://127.0.0.1:1").replace(r#""cluster":{"#, r#""cluster":{"certificate-authority":"/no/such/ca.crt","#);
    assert!(text.contains("ca.crt"));
    std::fs::write(&path, text).unwrap();
    let words = refused(&path, "kubeconfig").await;
    assert!(words.contains("/no/such/ca.crt"), "{words}");
}

#[tokio::test]
async fn one_that_points_nowhere_starts_and_says_so_in_each_call() {
    let (server, _folder) = in_front_of("https://no-such-host.invalid:6443").await;
    let words = Client::modern(&server).failure("check_health", json!({})).await;
    assert!(words.contains("no-such-host.invalid") && words.contains("cannot be reached"), "{words}");
}

#[tokio::test]
async fn without_any_cluster_the_message_leads_to_the_demo() {
    let home = tempfile::tempdir().unwrap();
    let finished = Run::new(&["call", "check_health"]).env("HOME", home.path()).finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert!(finished.stderr.contains("--cluster demo"), "{finished:?}");
}

#[tokio::test]
async fn a_snapshot_that_is_not_there_is_named() {
    let finished = Run::new(&["call", "check_health", "--cluster", "snapshot:/no/such/dump"]).finish().await;
    finished.assert_refused("/no/such/dump");
}
