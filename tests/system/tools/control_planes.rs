//! `list_control_planes` and `get_control_plane_status`.

use super::*;

fn ready() -> Value {
    json!({
        "observedGeneration": 3, "readyReplicas": 2, "url": "https://coder.example.com", "phase": "Ready",
        "conditions": [
            {
                "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "message": "2 of 2 replicas are up",
                "observedGeneration": 3, "lastTransitionTime": "2026-11-22T10:00:00Z",
            },
            { "type": "Licensed", "status": "Unknown" },
        ],
        "license": { "tier": "premium" },
    })
}

#[tokio::test]
async fn a_control_plane_is_a_line_of_five_fields() {
    let namespace = Namespace::fresh("planes").await;
    namespace.control_plane("main", ready()).await;
    namespace.control_plane("new", Value::Null).await;
    let answer = client().await.answer("list_control_planes", json!({ "namespace": namespace.name() })).await;
    assert_eq!(
        answer,
        json!({ "items": [
            { "name": "main", "namespace": namespace.name(), "phase": "Ready", "readyReplicas": 2, "url": "https://coder.example.com" },
            { "name": "new", "namespace": namespace.name(), "phase": "", "readyReplicas": 0, "url": "" },
        ] })
    );
}

#[tokio::test]
async fn without_a_namespace_all_of_them_are_listed() {
    let (one, other) = (Namespace::fresh("planes").await, Namespace::fresh("planes").await);
    one.control_plane("main", ready()).await;
    other.control_plane("main", ready()).await;
    let client = client().await;
    for arguments in [json!({}), json!({ "namespace": "" })] {
        let names = crate::paging::names_on_all_pages(&client, "list_control_planes", arguments, async |_| {}).await;
        for namespace in [&one, &other] {
            assert!(names.contains(&format!("{}/main", namespace.name())), "{names:?}");
        }
    }
}

#[tokio::test]
async fn the_status_of_a_control_plane_has_every_field_of_the_original_and_no_other() {
    let namespace = Namespace::fresh("status").await;
    namespace.control_plane("main", ready()).await;
    namespace.control_plane("new", Value::Null).await;
    let client = client().await;
    let mut expected = ready();
    expected.as_object_mut().unwrap().remove("license");
    let status = async |name: &str| {
        client.answer("get_control_plane_status", json!({ "namespace": namespace.name(), "name": name })).await
    };
    assert_eq!(status("main").await, expected);
    assert_eq!(
        status("new").await,
        json!({ "observedGeneration": 0, "readyReplicas": 0, "url": "", "phase": "", "conditions": [] })
    );
}

#[tokio::test]
async fn a_control_plane_that_is_not_there_is_named_in_the_words_of_the_original() {
    let namespace = Namespace::fresh("status").await;
    let words =
        client().await.failure("get_control_plane_status", json!({ "namespace": namespace.name(), "name": "nope" })).await;
    assert_eq!(
        words,
        format!(r#"get CoderControlPlane {}/nope: codercontrolplanes.coder.com "nope" not found"#, namespace.name())
    );
}
