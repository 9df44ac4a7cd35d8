//! What goes wrong in clusters, each in a namespace of its own. `find_problems` names each among the first three, and one `explain` names
//! its cause.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::namespace::{Namespace, create};
use sandbar_tests::troubles::{Staged, Trouble};

use super::*;

/// Bytes of what `explain` says, and of all of it.
const TEXT_MAX: usize = 2_000;
const ALL_MAX: usize = 4 * 1024;

/// Has it go wrong, and asks what is wrong there, and why.
async fn is_found_and_explained(trouble: Trouble) {
    let namespace = Namespace::fresh("trouble").await;
    let Staged { kind, name, words } = trouble.stage(&namespace).await;
    let client = client().await;
    let (_, found) = said(&client, "find_problems", json!({ "namespace": namespace.name() })).await;
    let problems = found["problems"].as_array().unwrap();
    let next = problems.iter().take(3).map(|problem| &problem["next"]).find(|next| next["kind"] == kind && next["name"] == name);
    let next = next.unwrap_or_else(|| panic!("{kind} {name}: {found:#}"));
    explained(&client, next, &words).await;
}

async fn explained(client: &Client, asked: &Value, words: &[&str]) {
    let (text, structure) = said(client, "explain", asked.clone()).await;
    assert!(text.len() <= TEXT_MAX, "{} bytes: {text}", text.len());
    assert!(text.len() + structure.to_string().len() <= ALL_MAX, "{text}\n{structure}");
    for word in words {
        assert!(text.contains(word), "{word:?}: {text}\n{structure:#}");
    }
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled() {
    is_found_and_explained(Trouble::Image).await;
}

#[tokio::test]
async fn a_crash_loop_whose_reason_is_in_the_log() {
    is_found_and_explained(Trouble::CrashLoop).await;
}

#[tokio::test]
async fn out_of_memory() {
    is_found_and_explained(Trouble::OutOfMemory).await;
}

#[tokio::test]
async fn no_node_has_the_memory() {
    // A controller that is not here takes it off nodes that are ready.
    let _ = ControlPlane::shared().try_kubectl(&["taint", "nodes", "--all", "node.kubernetes.io/not-ready:NoSchedule-"]);
    is_found_and_explained(Trouble::Room).await;
}

#[tokio::test]
async fn a_taint_that_it_does_not_tolerate() {
    is_found_and_explained(Trouble::Taint).await;
}

#[tokio::test]
async fn a_claim_that_is_not_bound() {
    is_found_and_explained(Trouble::Claim).await;
}

#[tokio::test]
async fn a_readiness_probe_that_fails() {
    is_found_and_explained(Trouble::Probe).await;
}

#[tokio::test]
async fn a_quota_that_is_used_up() {
    is_found_and_explained(Trouble::Quota).await;
}

#[tokio::test]
async fn a_rollout_that_is_stuck() {
    is_found_and_explained(Trouble::Rollout).await;
}

#[tokio::test]
async fn a_service_whose_selector_matches_nothing() {
    is_found_and_explained(Trouble::Service).await;
}

#[tokio::test]
async fn a_job_past_its_backoff_limit() {
    is_found_and_explained(Trouble::Job).await;
}

/// Here kwok sets every node ready again at once, so it is one that lacks memory; one that is not ready is a matter of real kubelets.
#[tokio::test]
async fn a_node_under_pressure() {
    let namespace = Namespace::fresh("node").await;
    let name = format!("pressed-{}", namespace.name());
    create(namespace.client(), json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name } })).await;
    let control_plane = ControlPlane::shared();
    control_plane.kubectl(&["wait", "--for=condition=Ready", &format!("node/{name}"), "--timeout=120s"]);
    let condition = json!({
        "type": "MemoryPressure", "status": "True", "reason": "KubeletHasInsufficientMemory",
        "message": "kubelet has insufficient memory available", "lastTransitionTime": "2026-11-20T10:00:00Z",
    });
    let patch = json!({ "status": { "conditions": [condition] } }).to_string();
    control_plane.kubectl(&["patch", "node", &name, "--subresource=status", "--type=strategic", "-p", &patch]);
    let client = client().await;
    let (_, found) = said(&client, "find_problems", json!({ "limit": 50 })).await;
    let problems = found["problems"].as_array().unwrap();
    // Other tests stage theirs in the same cluster.
    assert!(problems.iter().any(|problem| problem["next"]["name"] == *name), "{found:#}");
    explained(&client, &json!({ "kind": "node", "name": name }), &["MemoryPressure", "insufficient memory"]).await;
    control_plane.kubectl(&["delete", "node", &name]);
}

#[tokio::test]
async fn where_nothing_is_wrong_that_is_one_line() {
    let namespace = Namespace::fresh("well").await;
    namespace.pod("web", &["app"]).await;
    let (text, found) = said(&client().await, "find_problems", json!({ "namespace": namespace.name() })).await;
    assert!(found["problems"].as_array().unwrap().is_empty(), "{found:#}");
    assert!(found.to_string().len() < 300 && text.len() < 400, "{text}\n{found}");
}
