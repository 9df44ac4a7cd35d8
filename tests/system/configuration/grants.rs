//! What a component asks for against what sandbar.yaml grants it.

use super::*;

/// All that the hostile component asks for.
const ASKED: &str = r#"[{"apiGroups":[""],"resources":["pods/log"],"verbs":["get"]},{"apiGroups":[""],"resources":["pods"],"verbs":["get","list"]}]"#;

/// What `sandbar tools` says on standard error, from where the YAML begins.
fn yaml_of(finished: &Finished) -> &str {
    let (_, yaml) = finished.stderr.split_once("sandbar.yaml:\n").unwrap_or_else(|| panic!("YAML to paste: {finished:?}"));
    yaml
}

/// Loads the hostile component with this sandbar.yaml and expects that nothing is missing.
async fn is_granted(yaml: &str) {
    let folder = folder_with(yaml);
    let finished = tools(folder.path()).finish().await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{yaml}: {finished:?}");
    assert_eq!(component(&finished, "hostile")["missing"], json!({ "rules": [], "clusterRules": [] }));
}

#[tokio::test]
async fn what_is_missing_can_be_pasted_whatever_is_in_the_file_already() {
    let folder = folder_with("");
    let tool = folder.path().join("hostile.wasm");
    std::fs::copy(hostile(), &tool).unwrap();
    // A relative path on the command line starts where the command is run, in the file where the file is.
    let refused = tools(folder.path()).within(folder.path()).arg("--tools").arg("hostile.wasm").finish().await;
    assert_eq!(refused.code(), 1, "{refused:?}");
    is_granted(yaml_of(&refused)).await;

    let quiet = folder.path().join("quiet.wasm");
    std::fs::copy(hostile(), &quiet).unwrap();
    let other = format!("tools:\n  - component: {}\n", quiet.display());
    let elsewhere = folder_with(&other);
    let refused = tools(elsewhere.path()).arg("--tools").arg(&tool).finish().await;
    let said = refused.stderr.lines().position(|line| line.contains("/hostile.wasm: it asks for more")).unwrap();
    let lines: Vec<_> = refused.stderr.lines().skip(said + 1).collect();
    is_granted(&format!("tools:\n{}\n", lines.join("\n"))).await;

    let entry = format!("tools:\n  - component: {}\n", tool.display());
    let here = folder_with(&entry);
    let refused = tools(here.path()).finish().await;
    assert!(refused.stderr.contains("add these rules to its entry"), "{refused:?}");
    is_granted(&format!("{entry}{}", yaml_of(&refused))).await;
}

#[tokio::test]
async fn a_component_that_asks_for_more_is_loaded_only_if_the_operator_says_so() {
    let rules = "    rules:\n      - { apiGroups: [\"\"], resources: [pods, pods/log, services], verbs: [get] }\n";
    let entry = format!("tools:\n  - component: {}\n{rules}", hostile().display());
    let folder = folder_with(&entry);
    let refused = tools(folder.path()).finish().await;
    assert_eq!(refused.code(), 1, "{refused:?}");
    assert!(refused.stderr.contains("`partialGrant: true`"), "{refused:?}");
    let missing = r#"      - {"apiGroups":[""],"resources":["pods"],"verbs":["list"]}"#;
    assert_eq!(yaml_of(&refused).trim_end(), format!("    rules:\n{missing}"), "what is missing and no more");

    let partial = format!("{entry}    partialGrant: true\n");
    let folder = folder_with(&partial);
    let finished = tools(folder.path()).finish().await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    let hostile = component(&finished, "hostile");
    let missing = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }]);
    assert_eq!(hostile["missing"], json!({ "rules": missing, "clusterRules": [] }));

    let server = Server::builder().cluster("demo").config(&partial).start().await;
    let client = Client::modern(&server);
    let pods = json!({ "plural": "pods" });
    let list = json!({ "function": "list-objects", "of": pods, "within": { "namespace": "team-a" } });
    let denied = client.answer("read", list).await;
    assert_eq!(denied["code"], "denied", "{denied}");
    let get = json!({ "function": "get-object", "of": pods, "within": { "namespace": "team-a" }, "name": "postgres-0" });
    assert!(client.answer("read", get).await["answer"].is_string());
}

#[tokio::test]
async fn a_capability_of_which_nothing_is_granted_does_not_exist() {
    let rules = "    partialGrant: true\n    rules:\n      - { apiGroups: [\"\"], resources: [pods], verbs: [get, list] }\n";
    let folder = folder_with(&format!("tools:\n  - component: {}\n{rules}", hostile().display()));
    let finished = tools(folder.path()).finish().await;
    assert_eq!(finished.code(), 1, "{finished:?}");
    assert!(finished.stderr.contains("imports `sandbar:kubernetes/logs`, which is not granted to it"), "{finished:?}");
}

#[tokio::test]
async fn tools_and_inspect_show_asked_granted_and_missing_side_by_side() {
    let rules = "    partialGrant: true\n    rules:\n      - { apiGroups: [\"\"], resources: [pods, pods/log], verbs: [get] }\n    clusterRules:\n      - { apiGroups: [\"\"], resources: [nodes], verbs: [list] }\n";
    let folder = folder_with(&format!("tools:\n  - component: {}\n{rules}", hostile().display()));
    let table = [
        "  resource         asked      granted  missing",
        "  pods             get, list  get      list",
        "  pods/log         get        get      -",
        "  nodes (cluster)  -          list     -",
    ]
    .join("\n");
    let config = folder.path().join("sandbar.yaml");
    for run in [Run::new(&["tools", "--cluster", "demo"]), Run::new(&["inspect"]).arg(hostile())] {
        let finished = run.arg("--config").arg(&config).finish().await;
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
        assert!(finished.stdout.contains(&table), "{}", finished.stdout);
    }
    let asked: Value = serde_json::from_str(ASKED).unwrap();
    let sorted = |rules: &Value| {
        let mut rules = rules.as_array().unwrap().clone();
        rules.sort_by_key(Value::to_string);
        rules
    };
    let inspected = Run::new(&["inspect", "-o", "json", "--config"]).arg(&config).arg(hostile()).finish().await.json();
    for shown in [inspected, component(&tools(folder.path()).finish().await, "hostile")] {
        assert_eq!(sorted(&shown["asked"]["rules"]), sorted(&asked), "{shown}");
        let nodes = json!([{ "apiGroups": [""], "resources": ["nodes"], "verbs": ["list"] }]);
        assert_eq!((&shown["granted"]["clusterRules"], &shown["missing"]["clusterRules"]), (&nodes, &json!([])), "{shown}");
        let list = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }]);
        assert_eq!(shown["missing"]["rules"], list, "{shown}");
    }

    // Without a grant everything is missing, and `inspect` says how to grant it.
    let finished = Run::new(&["inspect"]).arg(hostile()).finish().await;
    assert_eq!(finished.code(), 0, "{finished:?}");
    assert!(finished.stdout.contains("  pods      get, list  -        get, list\n"), "{}", finished.stdout);
    let (_, yaml) = finished.stdout.split_once("sandbar.yaml:\n").expect("YAML to paste");
    is_granted(yaml).await;
}
