//! What a component may read is what the operator grants, whatever it asks.

use super::*;

#[tokio::test]
async fn the_message_about_what_is_not_granted_can_be_pasted() {
    let finished = tools_with(hostile()).await;
    assert_eq!(finished.code(), 1);
    let (_, yaml) = finished.stderr.split_once("add to sandbar.yaml:\n").unwrap_or_else(|| panic!("{}", finished.stderr));
    assert!(yaml.starts_with("tools:\n"), "{yaml}");
    let server = Server::builder().cluster("demo").config(yaml).start().await;
    assert_eq!(Client::modern(&server).answer("remembers", json!({})).await["text"], "1");
}

#[tokio::test]
async fn a_part_of_what_it_asks_for_is_not_enough_and_the_message_names_the_rest() {
    let config = format!(
        "tools:\n  - component: {}\n    rules: [{{ apiGroups: [\"\"], resources: [pods], verbs: [get] }}]\n",
        hostile().display()
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbar.yaml");
    std::fs::write(&path, config).unwrap();
    let finished = Run::new(&["tools", "--cluster", "demo", "--config"]).arg(&path).finish().await;
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("list"), "{}", finished.stderr);
}

#[tokio::test]
async fn a_component_reaches_nothing_but_what_it_was_granted() {
    let api = FakeApi::start(|path| {
        let object = |kind: &str| Answer::json(&json!({ "kind": kind, "apiVersion": "v1", "metadata": { "name": "web" } }));
        match path {
            "/api/v1/namespaces/team-a/pods/web" => Some(object("Pod")),
            _ if path.contains("/namespaces/") || path.contains("/nodes") => Some(object("Trap")),
            _ => None,
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server =
        Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").config(&granting("namespaces: [team-a]")).start().await;
    let client = Client::modern(&server);
    let reach = |group: &str, plural: &str, namespace: Option<&str>, name: &str| {
        let mut arguments = json!({ "group": group, "version": "v1", "plural": plural, "name": name });
        if let Some(namespace) = namespace {
            arguments["namespace"] = json!(namespace);
        }
        arguments
    };
    let granted = client.answer("reaches", reach("", "pods", Some("team-a"), "web")).await;
    assert!(granted["text"].as_str().unwrap().contains("\"Pod\""), "{granted}");
    let team_a = Some("team-a");
    for arguments in [
        reach("", "events", team_a, "web"),
        reach("", "pods", Some("team-b"), "web"),
        reach("", "pods", None, "web"),
        reach("", "pods/log", team_a, "web"),
        reach("", "pods/exec", team_a, "web"),
        reach("", "pods/proxy", team_a, "web"),
        reach("", "pods", team_a, "web/exec"),
        reach("", "pods", team_a, "web%2Fexec"),
        reach("", "pods", team_a, "web?x=y"),
        reach("", "pods", team_a, "../events/web"),
        reach("", "pods", team_a, ".."),
        reach("", "pods", Some("team-a/../team-b"), "web"),
        reach("", "pods", Some(".."), "web"),
        reach("", "pods", Some(""), "web"),
        reach("", "PODS", team_a, "web"),
        reach("", "secrets", team_a, "web"),
        reach("../api", "pods", team_a, "web"),
        reach("", "../../nodes", team_a, "web"),
        reach("", "nodes", None, "node-1"),
        reach("", "namespaces", None, "team-a"),
    ] {
        let described = arguments.to_string();
        let words = client.failure("reaches", arguments).await;
        assert!(!words.is_empty() && !words.contains("Trap"), "{described}: {words}");
    }
    let objects: Vec<String> =
        api.requests().into_iter().filter(|path| path.contains("/namespaces/") || path.contains("/nodes")).collect();
    assert_eq!(objects, ["/api/v1/namespaces/team-a/pods/web"], "nothing else was asked for");
}

#[tokio::test]
async fn settings_reach_the_component_and_are_checked_at_the_start() {
    let with = |settings: &str| granting("") + &format!("    settings: {settings}\n");
    let server = Server::builder().cluster("demo").config(&with("{ threshold: 5 }")).start().await;
    assert_eq!(Client::modern(&server).answer("tells", json!({})).await["text"], "Some(5)");
    let server = Server::builder().cluster("demo").config(&granting("")).start().await;
    assert_eq!(Client::modern(&server).answer("tells", json!({})).await["text"], "None");
    for (settings, said) in [("{ threshold: many }", "threshold"), ("{ treshold: 5 }", "treshold")] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandbar.yaml");
        std::fs::write(&path, with(settings)).unwrap();
        let finished = Run::new(&["tools", "--cluster", "demo", "--config"]).arg(&path).finish().await;
        assert!(finished.code() != 0 && finished.stderr.contains(said), "{settings}: {finished:?}");
    }
}
