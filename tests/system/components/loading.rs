//! What cannot be loaded is named with the reason, and the rest still serves.

use super::*;

/// Loads a file and returns why it is not served.
async fn refused(bytes: &[u8]) -> String {
    let (_folder, path) = folder_with("mine.wasm", bytes);
    let finished = tools_with(&path).await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert_eq!(finished.json().as_array().unwrap().len(), 7, "the bundled ones are still there");
    let place = path.display().to_string();
    assert!(finished.stderr.contains(&place), "the file is named: {}", finished.stderr);
    finished.stderr
}

#[tokio::test]
async fn a_component_of_webassembly_text_is_served() {
    let (_folder, path) = folder_with("mine.wasm", &Text::tool("mine").component());
    let server = Server::builder().cluster("demo").arg("--tools").arg(&path).start().await;
    assert_eq!(Client::modern(&server).answer("mine", json!({})).await, json!({ "ok": true }));
}

#[tokio::test]
async fn a_core_module_is_told_apart_from_a_component() {
    let words = refused(&Text::tool("mine").module()).await;
    assert!(words.contains("core WebAssembly module") && words.contains("wasm-tools component new"), "{words}");
}

#[tokio::test]
async fn a_file_that_was_cut_short_is_damaged() {
    let whole = Text::tool("mine").component();
    for bytes in [9, 100, whole.len() / 2, whole.len() - 1] {
        let words = refused(&whole[..bytes]).await;
        assert!(words.contains("damaged"), "{bytes} bytes: {words}");
    }
}

#[tokio::test]
async fn what_is_no_webassembly_says_what_it_begins_with() {
    for (bytes, said) in
        [(&b"#!/bin/sh\necho\n"[..], "#!/bin/s"), (b"", "not a WebAssembly file"), (b"\0as", "not a WebAssembly file")]
    {
        let words = refused(bytes).await;
        assert!(words.contains(said), "{words}");
    }
}

#[tokio::test]
async fn another_version_of_the_contract_is_named_beside_ours() {
    let words = refused(&Text { version: "0.2.0", ..Text::tool("mine") }.component()).await;
    assert!(words.contains("sandbar:tool/tools@0.2.0") && words.contains("0.1.0"), "{words}");
}

#[tokio::test]
async fn an_import_that_nobody_offers_is_named() {
    let words = refused(&Text { import: Some("example:other/thing@1.0.0"), ..Text::tool("mine") }.component()).await;
    assert!(words.contains("example:other/thing@1.0.0") && words.contains("sandbar:kubernetes/read"), "{words}");
}

#[tokio::test]
async fn http_is_refused_with_the_way_there_is() {
    let words = refused(&Text { import: Some("wasi:http/outgoing-handler@0.2.0"), ..Text::tool("mine") }.component()).await;
    assert!(words.contains("wasi:http/outgoing-handler@0.2.0") && words.contains("sandbar:kubernetes"), "{words}");
}

#[tokio::test]
async fn a_manifest_that_cannot_be_used_says_what_is_wrong() {
    let with = |manifest: Value| Text { manifest: manifest.to_string(), ..Text::tool("mine") }.component();
    for (manifest, said) in [
        (json!([]), "manifest"),
        (json!({ "tools": [] }), "0 tools"),
        (manifest(&["has space"]), "has space"),
        (manifest(&["twice", "twice"]), "twice"),
        (json!({ "tools": [{ "name": "mine" }] }), "inputSchema"),
        (
            json!({ "tools": [{ "name": "mine", "inputSchema": { "type": "object", "$ref": "file:///etc/passwd" } }] }),
            "inputSchema",
        ),
    ] {
        let words = refused(&with(manifest)).await;
        assert!(words.contains(said), "{said}: {words}");
    }
    let forbidden = |resource: &str, verb: &str| {
        let mut manifest = manifest(&["mine"]);
        manifest["rules"] = json!([{ "apiGroups": [""], "resources": [resource], "verbs": [verb] }]);
        with(manifest)
    };
    for (resource, verb) in
        [("pods/exec", "get"), ("pods/proxy", "get"), ("pods", "create"), ("pods", "*"), ("nodes/proxy", "get")]
    {
        let words = refused(&forbidden(resource, verb)).await;
        assert!(words.contains(if resource == "pods" { verb } else { resource }), "{resource} {verb}: {words}");
    }
}

#[tokio::test]
async fn the_first_of_two_components_keeps_a_tools_name() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["a.wasm", "b.wasm"] {
        std::fs::write(folder.path().join(file), Text::tool("mine").component()).unwrap();
    }
    let finished = tools_with(folder.path()).await;
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("b.wasm") && finished.stderr.contains("\"mine\""), "{}", finished.stderr);
    assert!(!finished.stderr.contains("a.wasm:"), "the first is served: {}", finished.stderr);
}

#[tokio::test]
async fn no_component_can_take_the_name_of_a_bundled_tool() {
    let words = refused(&Text::tool("get_pod_logs").component()).await;
    assert!(words.contains("\"get_pod_logs\"") && words.contains("get-pod-logs"), "{words}");
}

#[tokio::test]
async fn a_server_with_a_bad_component_is_ready_and_says_so() {
    let (_folder, path) = folder_with("mine.wasm", b"not a component");
    let server = Server::builder().cluster("demo").arg("--tools").arg(&path).start().await;
    assert_eq!(Client::modern(&server).answer("check_health", json!({})).await["status"], "ok");
    let verbose = sandbar_tests::http::get(server.address(), "/readyz?verbose").await.text().await;
    assert!(verbose.contains("mine.wasm"), "{verbose}");
    assert!(server.log().contains("mine.wasm"), "{}", server.log());
}

#[tokio::test]
async fn a_path_that_is_not_there_is_an_error_at_the_start() {
    let finished = tools_with(Path::new("/no/such/place")).await;
    assert!(finished.code() != 0 && finished.stderr.contains("/no/such/place"), "{finished:?}");
}

#[tokio::test]
async fn inspect_shows_what_a_component_is_without_granting_it_anything() {
    let finished = Run::new(&["inspect", "-o", "json"]).arg(hostile()).finish().await;
    assert_eq!(finished.code(), 0, "{finished:?}");
    let shown = finished.json();
    assert_eq!(shown["component"], "hostile");
    assert_eq!(shown["rules"], json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"] }]));
    assert_eq!(shown["imports"]["interfaces"]["sandbar:kubernetes/read"], json!(["get-object", "list-objects"]));
    assert_eq!(shown["imports"]["wasi"], json!([]), "nothing of a system");
    assert_eq!(shown["settings"]["properties"]["threshold"]["type"], "integer");
    let text = Run::new(&["inspect"]).arg(hostile()).finish().await;
    assert!(text.stdout.contains("asks to  get, list pods"), "{text:?}");
    let none = Run::new(&["inspect", "/no/such/file.wasm"]).finish().await;
    assert!(none.code() == 1 && none.stderr.contains("/no/such/file.wasm"), "{none:?}");
}
