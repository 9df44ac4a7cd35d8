//! What a component asks the cluster for beyond its grant. The server itself may read everything here, so nothing but the host stands
//! between the component and the cluster.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::fake_api::{FakeAnswer, FakeApi};
use sandbar_tests::namespace::Namespace;

use super::*;

/// What lies in the cluster and must never come out.
const SECRET: &str = "c2VzYW1l";

/// Asks a host function. Returns its answer, or code and message of its error.
async fn ask(client: &Client, request: Value) -> Result<Value, (String, String)> {
    let mut said = client.answer("read", request).await;
    assert!(!said.to_string().contains(SECRET), "{said}");
    match said["code"].as_str() {
        Some(code) => Err((code.to_owned(), said["message"].as_str().unwrap().to_owned())),
        None => Ok(said["answer"].take()),
    }
}

fn list(plural: &str, within: Value) -> Value {
    json!({ "function": "list-objects", "of": { "plural": plural }, "within": within })
}

fn get(plural: &str, within: Value, name: &str) -> Value {
    json!({ "function": "get-object", "of": { "plural": plural }, "within": within, "name": name })
}

/// The names in a list.
fn names(answer: &Value) -> Vec<String> {
    let items: Vec<Value> = serde_json::from_str(answer.as_str().unwrap()).unwrap();
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Two namespaces of a real cluster: one is granted, both hold the same.
struct Two {
    granted: Namespace,
    other: Namespace,
    server: Server,
}

impl Two {
    async fn start() -> Self {
        let (granted, other) = (Namespace::fresh("granted").await, Namespace::fresh("other").await);
        for namespace in [&granted, &other] {
            let data = json!({ "password": SECRET });
            namespace
                .create(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "password" }, "data": data }))
                .await;
            for name in ["a", "b", "c"] {
                namespace
                    .pod_with_log(&format!("{name}-{}", namespace.name()), &CriLog::of([format!("log of {}", namespace.name())]))
                    .await;
            }
        }
        let config = hostile_config(&format!("    namespaces: [{}]\n", granted.name()));
        let server = Server::builder().of(ControlPlane::shared(), "admin").config(&config).start().await;
        Self { granted, other, server }
    }

    fn client(&self) -> Client {
        Client::modern(&self.server)
    }

    fn within(&self) -> Value {
        json!({ "namespace": self.granted.name() })
    }

    /// Pods of the granted namespace.
    fn pods(&self) -> Vec<String> {
        ["a", "b", "c"].iter().map(|name| format!("{name}-{}", self.granted.name())).collect()
    }
}

#[tokio::test]
async fn what_is_not_granted_is_denied_though_the_server_may_read_it() {
    let two = Two::start().await;
    let client = two.client();
    let (within, other) = (two.within(), json!({ "namespace": two.other.name() }));
    let outside = format!("namespace `{}` is not among", two.other.name());
    let deployments = json!({ "function": "list-objects", "of": { "group": "apps", "plural": "deployments" }, "within": within });

    for (request, code, said) in [
        (list("secrets", within.clone()), "denied", "rules: [{ apiGroups: [\"\"], resources: [secrets], verbs: [list] }]"),
        (get("secrets", within.clone(), "password"), "denied", "resources: [secrets], verbs: [get]"),
        (list("secrets", json!("every-namespace")), "denied", "resources: [secrets]"),
        (list("configmaps", within.clone()), "denied", "resources: [configmaps]"),
        (deployments, "denied", "apiGroups: [apps], resources: [deployments]"),
        (list("nodes", json!("cluster")), "denied", "clusterRules: [{ apiGroups: [\"\"], resources: [nodes]"),
        (get("namespaces", json!("cluster"), "default"), "denied", "clusterRules"),
        (list("nodes", json!("every-namespace")), "invalid", "belong to the cluster"),
        (list("nodes", within.clone()), "invalid", "belong to the cluster"),
        (list("pods", json!("cluster")), "invalid", "live in namespaces"),
        (get("pods", json!("every-namespace"), "a"), "invalid", "namespace is required"),
        (list("events", json!("every-namespace")), "invalid", "one namespace"),
        (list("pods", other.clone()), "denied", &outside),
        (get("pods", other.clone(), &format!("a-{}", two.other.name())), "denied", &outside),
        (get("secrets", other.clone(), "password"), "denied", &outside),
        (
            json!({ "function": "tail", "namespace": two.other.name(), "pod": format!("a-{}", two.other.name()) }),
            "denied",
            &outside,
        ),
        (list("pods/log", within.clone()), "invalid", "subresource"),
        (get("pods/exec", within.clone(), "a"), "invalid", "subresource"),
        (get("nodes/proxy", json!("cluster"), "node-1"), "invalid", "subresource"),
        (list("pod", within.clone()), "not-served", "does not serve pod"),
    ] {
        let (found, message) = ask(&client, request.clone()).await.expect_err(&request.to_string());
        assert_eq!(found, code, "{request}: {message}");
        assert!(message.contains(said), "{said:?} for {request}: {message}");

        // Beside others it is the same, and takes none of them along.
        let mut both = client.answer("read", beside(&request, &two)).await["answer"].take();
        assert!(!both.to_string().contains(SECRET), "{both}");
        assert_eq!((&both[0]["code"], &both[0]["message"]), (&json!(code), &json!(message)), "{request}");
        assert!(both[1].take().get("answer").is_some(), "{request}");
        if request["function"] == "list-objects" {
            let table = ask(&client, with(&request, "/function", "list-table")).await.expect_err("a table is a list");
            assert_eq!(table, (found, message), "{request}");
        }
    }

    assert_eq!(names(&ask(&client, list("pods", within.clone())).await.unwrap()), two.pods());
    assert_eq!(
        names(&ask(&client, list("pods", json!("every-namespace"))).await.unwrap()),
        two.pods(),
        "every one that is granted"
    );
    let log = ask(&client, json!({ "function": "tail", "namespace": two.granted.name(), "pod": two.pods()[0] })).await.unwrap();
    assert_eq!(log, format!("log of {}\n", two.granted.name()));
    assert!(ask(&client, json!({ "function": "api-server" })).await.is_ok(), "it needs no rule");
}

/// A read and one that is granted, at once.
fn beside(request: &Value, two: &Two) -> Value {
    let pod = two.pods().remove(0);
    match request["function"].as_str().unwrap() {
        "get-object" => json!({ "function": "get-many", "objects": [request, get("pods", two.within(), &pod)] }),
        "list-objects" => json!({ "function": "list-many", "queries": [request, list("pods", two.within())] }),
        _ => json!({ "function": "tail-many", "sources": [request, { "namespace": two.granted.name(), "pod": pod }] }),
    }
}

#[tokio::test]
async fn a_table_has_the_columns_that_kubectl_prints_and_the_rows_of_what_is_granted() {
    let two = Two::start().await;
    let client = two.client();
    let table = with(&list("pods", json!("every-namespace")), "/function", "list-table");
    let mut said = client.answer("read", with(&table, "/limit", 2)).await;
    let columns: Vec<&str> = said["columns"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(columns[..5], ["Name", "Ready", "Status", "Restarts", "Age"]);
    let rows: Vec<Value> = serde_json::from_str(said["answer"].as_str().unwrap()).unwrap();
    assert_eq!(rows[0]["metadata"], json!({ "name": two.pods()[0], "namespace": two.granted.name() }));
    assert_eq!((&rows[0]["cells"]["Name"], rows.len()), (&json!(two.pods()[0]), 2));
    let rest = client.answer("read", with(&table, "/continue", said["continue"].take())).await;
    assert_eq!(names(&rest["answer"]), two.pods()[2..]);
}

#[tokio::test]
async fn what_is_served_is_named_as_far_as_it_is_granted() {
    let every = format!(
        "tools:\n  - component: {}\n    rules: [{{ apiGroups: [\"*\"], resources: [\"*\", pods/log], verbs: [get, list] }}]\n    \
         clusterRules: [{{ apiGroups: [\"\"], resources: [nodes], verbs: [get] }}]\n",
        hostile().display()
    );
    for (config, all) in [(hostile_config(""), false), (every, true)] {
        let server = Server::builder().of(ControlPlane::shared(), "admin").config(&config).start().await;
        let kinds = Client::modern(&server).answer("read", json!({ "function": "served-kinds" })).await;
        let of = |plural: &str| kinds["answer"].as_array().unwrap().iter().find(|kind| kind["plural"] == plural).cloned();
        let pods = json!({ "group": "", "plural": "pods", "name": "Pod", "short": ["po"], "verbs": ["get", "list"] });
        assert_eq!(of("pods"), Some(pods), "{kinds}");
        assert_eq!(of("deployments").is_some_and(|kind| kind["short"] == json!(["deploy"])), all, "{kinds}");
        assert_eq!(of("nodes").is_some_and(|kind| kind["verbs"] == json!(["get"])), all, "{kinds}");
        assert_eq!((of("secrets"), of("namespaces")), (None, None), "{kinds}");
    }
}

#[tokio::test]
async fn a_forged_cursor_leads_nowhere_else() {
    let two = Two::start().await;
    let client = two.client();
    let page = |within: &Value, cursor: &str| json!({ "function": "list-objects", "of": { "plural": "pods" }, "within": within, "limit": 1, "continue": cursor });
    let cursor_of = async |within: &Value| {
        let first = client.answer("read", page(within, "")).await;
        first["continue"].as_str().expect("more pages").to_owned()
    };
    let (one, every) = (two.within(), json!("every-namespace"));
    let mine = cursor_of(&one).await;

    // What is no cursor, or one of another list.
    let with_labels = json!({ "function": "list-objects", "of": { "plural": "pods" }, "within": one, "labelSelector": "app", "continue": mine });
    for request in [
        page(&one, "nonsense"),
        page(&one, &mine[..mine.len() / 2]),
        page(&one, &"A".repeat(100_000)),
        page(&one, "../../secrets"),
        page(&one, &URL_SAFE_NO_PAD.encode(r#"{"v":1}"#)),
        page(&every, &mine),
        with_labels,
    ] {
        let (code, message) = ask(&client, request.clone()).await.expect_err("no cursor of this list");
        assert_eq!(code, "invalid", "{request}");
        assert!(message.contains("start the list again"), "{request}: {message}");
    }

    // A real cursor with a part exchanged. What is answered at all is the granted namespace's.
    let native = native_token(&two.other).await;
    let other = two.other.name();
    for within in [&one, &every] {
        let cursor = cursor_of(within).await;
        let wire: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&cursor).unwrap()).unwrap();
        for (key, forged) in [
            ("n", json!(other)),
            ("n", json!("a")),
            ("n", json!("../secrets")),
            ("t", json!(native)),
            ("t", json!("forged")),
            ("t", json!("a&limit=0&continue=")),
            ("t", Value::Null),
            ("a", json!({ "namespace": other, "name": "a" })),
            ("v", json!(2)),
            ("x", json!("unknown")),
        ] {
            let mut wire = wire.clone();
            wire[key] = forged;
            let cursor = URL_SAFE_NO_PAD.encode(wire.to_string());
            match ask(&client, page(within, &cursor)).await {
                Ok(answer) => {
                    let names = names(&answer);
                    assert!(names.len() <= 1 && names.iter().all(|name| two.pods().contains(name)), "{wire}: {names:?}");
                }
                Err((code, message)) => assert!(["invalid", "expired"].contains(&code.as_str()), "{wire}: {code}: {message}"),
            }
        }
    }
}

/// The API server's own cursor of another namespace's list.
async fn native_token(namespace: &Namespace) -> String {
    let pods: kube::Api<kube::api::DynamicObject> = kube::Api::namespaced_with(
        namespace.client().clone(),
        namespace.name(),
        &sandbar_tests::namespace::resource("v1", "Pod"),
    );
    let page = pods.list(&kube::api::ListParams::default().limit(1)).await.unwrap();
    page.metadata.continue_.expect("more pages")
}

#[tokio::test]
async fn without_a_namespace_there_is_nothing_to_read() {
    let config = hostile_config("    namespaces: []\n");
    let server = Server::builder().of(ControlPlane::shared(), "admin").config(&config).start().await;
    let client = Client::modern(&server);
    for request in [
        list("pods", json!("every-namespace")),
        list("pods", json!({ "namespace": "default" })),
        get("pods", json!({ "namespace": "default" }), "x"),
    ] {
        let (code, message) = ask(&client, request).await.expect_err("no namespace is allowed");
        assert_eq!(code, "denied", "{message}");
    }
}

/// Values that would lead somewhere else if they were put into a URL as they are, and some that are only wrong.
const TRICKS: [&str; 24] = [
    "",
    ".",
    "..",
    "../secrets",
    "..%2fsecrets",
    "%2e%2e",
    "a%2fb",
    "a/b",
    "/",
    "a?limit=0",
    "a#b",
    "a&b=c",
    "a;b",
    "a\\b",
    "a\0b",
    "a\nb",
    "a\r\nHost: evil",
    "a b",
    "A",
    "ä",
    "*",
    "pods/exec",
    "web/../../secrets/password",
    "a\u{202e}b",
];

#[tokio::test]
async fn no_string_of_the_contract_leads_to_another_path() {
    let api = FakeApi::start(|path| path.contains("/pods/web/log").then(|| FakeAnswer::text(200, "a line\n")));
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let config = hostile_config("    namespaces: [team-a]\n");
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig").config(&config).start().await;
    let client = Client::modern(&server);

    let within = json!({ "namespace": "team-a" });
    let list = json!({ "function": "list-objects", "of": { "plural": "pods" }, "within": within, "limit": 10 });
    let get = json!({ "function": "get-object", "of": { "plural": "pods" }, "within": within, "name": "web" });
    let tail = json!({ "function": "tail", "namespace": "team-a", "pod": "web" });
    let long = "a".repeat(300);
    for trick in TRICKS.iter().copied().chain([long.as_str()]) {
        // Names: none of these is one, but for an empty group, version or container, which have a meaning.
        for (request, place) in [
            (&list, "/of/group"),
            (&list, "/of/version"),
            (&list, "/of/plural"),
            (&list, "/within/namespace"),
            (&get, "/of/group"),
            (&get, "/of/version"),
            (&get, "/of/plural"),
            (&get, "/within/namespace"),
            (&get, "/name"),
            (&tail, "/namespace"),
            (&tail, "/pod"),
            (&tail, "/container"),
        ] {
            let optional = ["/of/group", "/of/version", "/container"].contains(&place);
            if optional && trick.is_empty() {
                continue;
            }
            // The loosest names of Kubernetes are those of RBAC's objects; this API server has none of these.
            let loose = place == "/name" || place == "/pod";
            for other in other_forms(&with(request, place, trick)) {
                let _ = ask(&client, other).await;
            }
            match ask(&client, with(request, place, trick)).await {
                Err((code, _)) if code == "invalid" => {}
                Err((code, _))
                    if code == "not-served" && loose && !trick.contains(['/', '%', '?', '#', '\\', '\0', '\n', ' ']) => {}
                other => panic!("{place} of {request} as {trick:?}: {other:?}"),
            }
        }
        // Values that are nobody's name: they may pass, as what they are.
        for (request, place) in [
            (&list, "/labelSelector"),
            (&list, "/fieldSelector"),
            (&list, "/continue"),
            (&list, "/more"),
            (&list, "/fields"),
            (&get, "/fields"),
            (&get, "/more"),
            (&tail, "/matching"),
            (&tail, "/more"),
        ] {
            let value = if place == "/fields" { json!([trick]) } else { json!(trick) };
            let request = with(request, place, value);
            for request in other_forms(&request).into_iter().chain([request]) {
                let _ = ask(&client, request).await;
            }
        }
    }
    for request in api.requests() {
        assert!(is_expected(&request), "{request}");
    }
    assert_eq!(ask(&client, tail).await.unwrap(), "a line\n");
}

/// The same request to the functions that came later.
fn other_forms(request: &Value) -> Vec<Value> {
    let twice = [request, request];
    match request["function"].as_str().unwrap() {
        "get-object" => vec![json!({ "function": "get-many", "objects": twice })],
        "list-objects" => vec![with(request, "/function", "list-table"), json!({ "function": "list-many", "queries": twice })],
        _ => vec![json!({ "function": "tail-many", "sources": twice })],
    }
}

/// A request with one of its values exchanged.
fn with(request: &Value, place: &str, value: impl Into<Value>) -> Value {
    let mut request = request.clone();
    let (parent, key) = place.rsplit_once('/').expect("a JSON pointer");
    request.pointer_mut(parent).expect("the parent is there")[key] = value.into();
    request
}

/// Whether a request is discovery, or one that the grant allows.
fn is_expected(request: &str) -> bool {
    let (path, query) = request.split_once('?').unwrap_or((request, ""));
    let discovery =
        ["/version", "/readyz", "/apis", "/api/v1", "/apis/coder.com/v1alpha1", "/apis/aggregation.coder.com/v1alpha1"];
    let pods = path.strip_prefix("/api/v1/namespaces/team-a/pods");
    let one_segment = |rest: &str| {
        let name = rest.strip_prefix('/').unwrap_or(rest);
        let name = name.strip_suffix("/log").unwrap_or(name);
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)) && name != "." && name != ".."
    };
    let known = |parameter: &str| {
        let Some((key, value)) = parameter.split_once('=') else { return false };
        ["labelSelector", "fieldSelector", "limit", "continue", "tailLines"].contains(&key)
            && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte))
            && (key != "limit" || value == "10")
    };
    (discovery.contains(&path) || pods.is_some_and(one_segment)) && query.split('&').filter(|part| !part.is_empty()).all(known)
}

#[tokio::test]
async fn keys_that_the_host_does_not_know_are_refused_by_name() {
    let server = Server::builder().cluster("demo").config(&hostile_config("")).start().await;
    let client = Client::modern(&server);
    let within = json!({ "namespace": "team-a" });
    let tail = json!({ "function": "tail", "namespace": "team-a", "pod": "nope" });
    for request in [list("pods", within.clone()), get("pods", within, "nope"), tail] {
        for (more, said) in
            [(r#"{"as":"admin"}"#, "\"as\""), ("[]", "JSON object"), ("nonsense", "JSON object"), ("", "JSON object")]
        {
            let (code, message) = ask(&client, with(&request, "/more", more)).await.expect_err("an unknown key");
            assert_eq!(code, "invalid", "{message}");
            assert!(message.contains("`more`") && message.contains(said), "{message}");
        }
        let nothing_more = ask(&client, with(&request, "/more", "{}")).await;
        assert!(!matches!(&nothing_more, Err((code, _)) if code == "invalid"), "{nothing_more:?}");
    }
}
