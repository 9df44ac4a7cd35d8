//! What a component asks for against what sandbar.yaml grants it.

use sandbar_tests::control_plane::ControlPlane;

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
    assert_eq!(component(&finished, "hostile")["missing"], json!({ "rules": [], "clusterRules": [], "caller": false }));
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
    assert!(refused.stderr.contains("add this to its entry"), "{refused:?}");
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
    let said = yaml_of(&refused);
    assert_eq!(said.trim_end(), format!("    # below the others of `rules`:\n{missing}"), "what is missing and no more");
    is_granted(&format!("{entry}{said}")).await;

    let partial = format!("{entry}    partialGrant: true\n");
    let folder = folder_with(&partial);
    let finished = tools(folder.path()).finish().await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{finished:?}");
    let hostile = component(&finished, "hostile");
    let missing = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }]);
    assert_eq!(hostile["missing"], json!({ "rules": missing, "clusterRules": [], "caller": false }));

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

/// What a component with these rules is told about a read: the answer, or the code of the refusal.
async fn told(client: &Client, request: Value) -> String {
    let said = client.answer("read", request).await;
    said["code"].as_str().map_or_else(|| "answered".to_owned(), str::to_owned)
}

#[tokio::test]
async fn names_verbs_and_stars_of_a_rule_mean_what_they_mean_in_a_role_and_less() {
    let rules = "    partialGrant: true\n    rules:\n      \
                 - { apiGroups: [\"\"], resources: [pods, pods/log], resourceNames: [postgres-0], verbs: [get, list] }\n      \
                 - { apiGroups: [apps], resources: [deployments], verbs: [list] }\n      \
                 - { apiGroups: [coder.com], resources: [\"*\"], verbs: [get] }\n    \
                 clusterRules:\n      - { apiGroups: [\"*\"], resources: [\"*\"], verbs: [list] }\n";
    let config = format!("tools:\n  - component: {}\n{rules}", hostile().display());
    let server = Server::builder().cluster("demo").config(&config).start().await;
    let client = Client::modern(&server);
    let team = json!({ "namespace": "team-a" });
    let of = |group: &str, version: &str, plural: &str| json!({ "group": group, "version": version, "plural": plural });
    let get = |of: Value, name: &str| json!({ "function": "get-object", "of": of, "within": team, "name": name });
    let list = |of: Value, within: Value| json!({ "function": "list-objects", "of": of, "within": within });
    let tail = |pod: &str| json!({ "function": "tail", "namespace": "team-a", "pod": pod });
    for (request, expected) in [
        (get(of("", "v1", "pods"), "postgres-0"), "answered"),
        (get(of("", "v1", "pods"), "coder-6d5f8b7c9-cwtch"), "denied"),
        (list(of("", "v1", "pods"), team.clone()), "denied"),
        (tail("postgres-0"), "answered"),
        (tail("coder-6d5f8b7c9-cwtch"), "denied"),
        (list(of("apps", "v1", "deployments"), team.clone()), "answered"),
        (get(of("apps", "v1", "deployments"), "coder"), "denied"),
        (get(of("coder.com", "v1alpha1", "codercontrolplanes"), "coder"), "answered"),
        (list(of("coder.com", "v1alpha1", "codercontrolplanes"), team.clone()), "denied"),
        // A star under `clusterRules` is of the cluster's resources only.
        (list(of("", "v1", "nodes"), json!("cluster")), "answered"),
        (list(of("", "v1", "services"), json!("every-namespace")), "denied"),
        (list(of("", "v1", "services"), team.clone()), "denied"),
    ] {
        assert_eq!(told(&client, request.clone()).await, expected, "{request}");
    }
}

#[tokio::test]
async fn a_star_covers_neither_secrets_nor_logs_and_no_subresource_can_be_granted() {
    let star = "- { apiGroups: [\"*\"], resources: [\"*\"], verbs: [get, list] }";
    let entry = |rule: &str| format!("tools:\n  - component: {}\n    rules:\n      {star}\n{rule}", hostile().display());
    // Logs are not in it, so the component lacks a capability.
    let folder = folder_with(&entry(""));
    let refused = tools(folder.path()).finish().await;
    assert!(refused.code() == 1 && yaml_of(&refused).contains("pods/log"), "{refused:?}");

    let logs = "      - { apiGroups: [\"\"], resources: [pods/log], verbs: [get] }\n";
    // A cluster that serves Secrets, to somebody who may read them.
    let server = Server::builder().of(ControlPlane::shared(), "admin").config(&entry(logs)).start().await;
    let client = Client::modern(&server);
    let read = |function: &str, plural: &str| json!({ "function": function, "of": { "plural": plural }, "within": { "namespace": "default" }, "name": "x" });
    for function in ["get-object", "list-objects"] {
        assert_eq!(told(&client, read(function, "secrets")).await, "denied", "{function}");
    }
    assert_eq!(told(&client, read("list-objects", "services")).await, "answered");

    for subresource in ["pods/proxy", "pods/exec", "pods/attach", "pods/portforward", "services/proxy", "nodes/proxy", "pods/*"] {
        let folder = folder_with(&entry(&format!("      - {{ apiGroups: [\"\"], resources: [{subresource}], verbs: [get] }}\n")));
        let refused = tools(folder.path()).finish().await;
        let said = format!("sandbar.yaml:5:9: this rule cannot be granted: `{subresource}`");
        refused.assert_refused(&said);
    }
}
