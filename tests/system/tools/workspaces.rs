//! `list_workspaces` and `list_templates`.

use super::*;

#[tokio::test]
async fn workspaces_and_templates_are_lines_of_four_fields() {
    let namespace = Namespace::fresh("workspaces").await;
    let client = client().await;
    for (kind, tool) in [("CoderWorkspace", "list_workspaces"), ("CoderTemplate", "list_templates")] {
        let object = |name: &str, spec: Value, status: Value| {
            json!({
                "apiVersion": "aggregation.coder.com/v1alpha1", "kind": kind, "metadata": { "name": name }, "spec": spec, "status": status,
            })
        };
        namespace
            .create(object(
                "acme.ada.dev",
                json!({ "organization": "acme", "running": true }),
                json!({ "autoShutdown": "2026-11-22T18:00:00Z" }),
            ))
            .await;
        namespace.create(object("acme.bob.old", json!({ "running": false }), json!({}))).await;
        namespace.create(object("acme.cyd.new", json!({}), json!({ "ownerName": "cyd" }))).await;
        let answer = client.answer(tool, json!({ "namespace": namespace.name() })).await;
        assert_eq!(
            answer,
            json!({ "items": [
                { "name": "acme.ada.dev", "namespace": namespace.name(), "running": true, "autoShutdown": "2026-11-22T18:00:00Z" },
                { "name": "acme.bob.old", "namespace": namespace.name(), "running": false },
                { "name": "acme.cyd.new", "namespace": namespace.name(), "running": false },
            ] }),
            "{tool}"
        );
    }
}
