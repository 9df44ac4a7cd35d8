//! Each resource that a real cluster serves, each verb, and selectors that pretend to be something else. The server may read
//! everything there; the component may not.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::namespace::Namespace;

use super::*;

/// A server as the control plane's admin, with the hostile component; `more` follows its rules.
async fn server_with(more: &str) -> Server {
    Server::builder().of(ControlPlane::shared(), "admin").config(&hostile_config(more)).start().await
}

/// What the host answers: the objects, or the code of its error.
async fn ask(client: &Client, request: Value) -> Result<String, String> {
    let said = client.answer("read", request).await;
    match said["code"].as_str() {
        Some(code) => Err(code.to_owned()),
        None => Ok(said["answer"].as_str().unwrap().to_owned()),
    }
}

fn request(function: &str, group: &str, plural: &str, within: &Value, name: &str) -> Value {
    json!({ "function": function, "of": { "group": group, "plural": plural, "version": "" }, "within": within, "name": name })
}

/// Group and plural of everything that can be listed, in namespaces or in the cluster.
fn resources(namespaced: bool) -> Vec<(String, String)> {
    let scope = format!("--namespaced={namespaced}");
    let names = ControlPlane::shared().kubectl(&["api-resources", "--output=name", "--verbs=list", &scope]);
    let split = |name: &str| match name.split_once('.') {
        Some((plural, group)) => (group.to_owned(), plural.to_owned()),
        None => (String::new(), name.to_owned()),
    };
    names.lines().map(split).collect()
}

#[tokio::test]
async fn no_resource_of_the_cluster_is_read_without_a_rule() {
    let server = server_with("").await;
    let client = Client::modern(&server);
    let (namespace, cluster) = (json!({ "namespace": "default" }), json!("cluster"));
    let mut asked = 0;
    for (namespaced, within) in [(true, &namespace), (false, &cluster)] {
        for (group, plural) in resources(namespaced) {
            if (group.as_str(), plural.as_str()) == ("", "pods") {
                continue;
            }
            for function in ["list-objects", "get-object"] {
                let found = ask(&client, request(function, &group, &plural, within, "x")).await;
                assert_eq!(found, Err("denied".to_owned()), "{function} {plural}.{group}");
                asked += 1;
            }
        }
    }
    assert!(asked > 60, "a real API server has more than {asked} things to ask for");
    assert!(ask(&client, request("list-objects", "", "pods", &namespace, "")).await.is_ok());
}

#[tokio::test]
async fn a_rule_allows_its_verbs_and_names_and_no_others() {
    let namespace = Namespace::fresh("verbs").await;
    for name in ["mine", "yours"] {
        namespace.create(json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name } })).await;
    }
    let rules = r#"      - { apiGroups: [""], resources: [configmaps], resourceNames: [mine], verbs: [get, list] }
      - { apiGroups: [""], resources: [serviceaccounts], verbs: [list] }
      - { apiGroups: [""], resources: [services], verbs: [get] }
"#;
    let server = server_with(rules).await;
    let client = Client::modern(&server);
    let within = json!({ "namespace": namespace.name() });
    let denied = Err("denied".to_owned());
    assert!(ask(&client, request("get-object", "", "configmaps", &within, "mine")).await.is_ok());
    assert_eq!(ask(&client, request("get-object", "", "configmaps", &within, "yours")).await, denied);
    assert_eq!(ask(&client, request("list-objects", "", "configmaps", &within, "")).await, denied);
    assert!(ask(&client, request("list-objects", "", "serviceaccounts", &within, "")).await.is_ok());
    assert_eq!(ask(&client, request("get-object", "", "serviceaccounts", &within, "default")).await, denied);
    assert_eq!(ask(&client, request("get-object", "", "services", &within, "no")).await, Err("not-found".to_owned()));
    assert_eq!(ask(&client, request("list-objects", "", "services", &within, "")).await, denied);
}

#[tokio::test]
async fn a_star_is_no_secret_no_node_and_no_way_into_a_pod() {
    let namespace = Namespace::fresh("star").await;
    namespace.create(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "password" } })).await;
    let server = server_with("      - { apiGroups: [\"*\"], resources: [\"*\"], verbs: [get, list] }\n").await;
    let client = Client::modern(&server);
    let within = json!({ "namespace": namespace.name() });
    for (group, plural) in resources(true) {
        let found = ask(&client, request("list-objects", &group, &plural, &within, "")).await;
        match plural.as_str() {
            "secrets" => assert_eq!(found, Err("denied".to_owned()), "{plural}.{group}"),
            _ => assert!(!matches!(&found, Err(code) if code == "denied"), "{plural}.{group}: {found:?}"),
        }
    }
    assert_eq!(ask(&client, request("get-object", "", "secrets", &within, "password")).await, Err("denied".to_owned()));
    for (group, plural) in resources(false) {
        let found = ask(&client, request("list-objects", &group, &plural, &json!("cluster"), "")).await;
        assert_eq!(found, Err("denied".to_owned()), "{plural}.{group}");
    }
    for plural in ["pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "pods/log", "pods/status"] {
        let found = ask(&client, request("get-object", "", plural, &within, "web")).await;
        assert_eq!(found, Err("invalid".to_owned()), "{plural}");
    }
}

#[tokio::test]
async fn no_selector_leads_out_of_the_namespace() {
    let (granted, other) = (Namespace::fresh("granted").await, Namespace::fresh("other").await);
    for namespace in [&granted, &other] {
        namespace.pod_with_log(&format!("web-{}", namespace.name()), &CriLog::of(["a line"])).await;
    }
    let server = server_with(&format!("    namespaces: [{}]\n", granted.name())).await;
    let client = Client::modern(&server);
    let (mine, theirs) = (granted.name(), other.name());
    let fields = [
        format!("metadata.namespace={theirs}"),
        format!("metadata.namespace!={mine}"),
        format!("metadata.name=web-{theirs}"),
        format!("metadata.namespace={theirs}&fieldSelector="),
        format!("metadata.name=x%26namespace={theirs}"),
        "metadata.name=x\\,metadata.namespace=y".to_owned(),
        "metadata.name=x#".to_owned(),
    ];
    let labels = [
        format!("app=web-{theirs}"),
        format!("app in (web-{mine},web-{theirs})"),
        "app=x&labelSelector=app".to_owned(),
        "app&watch=true".to_owned(),
        "app&limit=0&continue=".to_owned(),
        "app\u{0}".to_owned(),
        "app\r\nX-Remote-User: admin".to_owned(),
        "../../secrets?labelSelector=".to_owned(),
        "app,".to_owned(),
        "!app".to_owned(),
    ];
    let smuggled = fields.map(|text| ("fieldSelector", text)).into_iter().chain(labels.map(|text| ("labelSelector", text)));
    for (key, text) in smuggled {
        for within in [json!("every-namespace"), json!({ "namespace": mine })] {
            let mut request = json!({ "function": "list-objects", "of": { "plural": "pods" }, "within": within });
            request[key] = json!(text);
            match ask(&client, request.clone()).await {
                Ok(items) => assert!(!items.contains(theirs) && !items.contains("\"Secret\""), "{request}: {items}"),
                // A namespace that refuses the selector is a warning in a list over several, and there is but one.
                Err(code) => assert_eq!(code, "invalid", "{request}"),
            }
        }
    }
    let honest =
        json!({ "function": "list-objects", "of": { "plural": "pods" }, "within": "every-namespace", "labelSelector": "app" });
    assert!(ask(&client, honest).await.unwrap().contains(&format!("web-{mine}")));
}
