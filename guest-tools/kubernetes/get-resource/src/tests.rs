//! What the tool answers, by topic.

use sandbar_tool::discovery::{Kind, Kinds};
use sandbar_tool::testing::{Host, page};
use sandbar_tool::{Code, Error, Resource, Scope, Verb};
use serde_json::{Value, json};

use super::component;

const TOOL: &str = "get_resource";

fn host() -> Host {
    let kind = |group: &'static str, plural: &'static str, name: &str, namespaced: bool| Kind {
        resource: Resource::new(group, "v1", plural),
        name: name.to_owned(),
        short_names: Vec::new(),
        namespaced,
        verbs: vec![Verb::Get, Verb::List],
    };
    let kinds = vec![
        kind("", "configmaps", "ConfigMap", true),
        kind("", "nodes", "Node", false),
        kind("apps", "deployments", "Deployment", true),
    ];
    Host::new().kinds(Kinds { kinds, warnings: Vec::new() })
}

fn answer(host: &Host, asked: Value) -> Result<Value, String> {
    host.answer(&component(), TOOL, &asked)
}

fn with(object: Value) -> Host {
    host().objects(move |_| Ok(object.clone()))
}

fn web() -> Value {
    json!({ "kind": "Deployment", "name": "web", "namespace": "team-a" })
}

#[test]
fn what_says_nothing_is_left_out_and_what_means_something_stays() {
    let applied = "kubectl.kubernetes.io/last-applied-configuration";
    let object = json!({
        "kind": "Deployment",
        "metadata": { "name": "web", "annotations": { applied: "{}", "a": "" }, "labels": {}, "creationTimestamp": null },
        "spec": {
            "replicas": 0, "paused": false, "strategy": null, "storageClassName": "",
            "volumes": [{ "name": "tmp", "emptyDir": {} }], "rules": [{ "apiGroups": [""] }],
        },
        "status": { "conditions": [{ "type": "Ready", "message": "" }], "addresses": [], "state": { "nested": {} } },
    });
    assert_eq!(
        answer(&with(object), web()),
        Ok(json!({ "object": {
            "kind": "Deployment",
            "metadata": { "name": "web" },
            "spec": {
                "replicas": 0, "paused": false, "storageClassName": "",
                "volumes": [{ "name": "tmp", "emptyDir": {} }], "rules": [{ "apiGroups": [""] }],
            },
            "status": { "conditions": [{ "type": "Ready" }] },
        } }))
    );
}

#[test]
fn chosen_fields_are_all_that_is_read() {
    let host = host().objects(|request| {
        assert_eq!(request.fields.as_deref(), Some(&["spec.replicas".to_owned(), "spec.other".to_owned()][..]));
        Ok(json!({ "metadata": { "name": "web" }, "spec": { "replicas": 3, "paused": true } }))
    });
    let mut asked = web();
    asked["fields"] = json!([".spec.replicas", "spec.other"]);
    assert_eq!(
        answer(&host, asked),
        Ok(json!({ "warnings": ["nothing at spec.other"], "object": { "spec": { "replicas": 3 } } }))
    );
}

#[test]
fn a_large_object_is_cut_where_it_is_large_and_says_which_paths_show_it() {
    let object = json!({
        "metadata": { "name": "web", "annotations": { "example.com/notes": "n".repeat(40_000), "b": "small" } },
        "spec": { "replicas": 3, "list": (0..5_000).collect::<Vec<_>>() },
        "status": { "conditions": (0..300).map(|n| json!({ "type": format!("C{n}"), "message": "m".repeat(100) })).collect::<Vec<_>>() },
    });
    let answer = answer(&with(object), web()).expect("an answer");
    let bytes = answer.to_string().len();
    assert!((8 * 1024..17 * 1024).contains(&bytes), "{bytes}");
    assert_eq!(
        (&answer["object"]["spec"]["replicas"], &answer["object"]["metadata"]["annotations"]["b"]),
        (&json!(3), &json!("small"))
    );
    let cut: Vec<String> = serde_json::from_value(answer["cut"].clone()).expect("texts");
    assert_eq!(cut.len(), 3, "{cut:?}");
    assert!(cut[0].starts_with("spec.list (") && cut[0].ends_with(" of 5000 entries, 23891 bytes in all)"), "{cut:?}");
    assert!(cut.iter().any(|path| path == r#"metadata.annotations["example.com/notes"] (a text of 40002 bytes)"#), "{cut:?}");
    assert!(cut.iter().any(|path| path.starts_with("status.conditions (")), "{cut:?}");
}

#[test]
fn whatever_is_large_is_within_the_limit() {
    let deep = (0..100).fold(json!("x".repeat(50_000)), |inner, _| json!({ "a": inner }));
    let wide: Value = (0..20_000).map(|n| (format!("key-{n}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    for data in [json!("\u{1}".repeat(100_000)), deep, wide, json!([["é".repeat(90_000)]]), json!({ "k".repeat(30_000): [1, 2] })]
    {
        let host = with(json!({ "metadata": { "name": "web" }, "data": { "a": data }, "more": [{ "b": "x".repeat(70_000) }] }));
        for limit in [0, 5_000, 16 * 1024] {
            let mut asked = web();
            asked["limitBytes"] = json!(limit);
            let answer = answer(&host, asked).expect("an answer");
            assert!(size(&answer["object"]) <= limit.max(1024) + 64, "{} of {limit}", size(&answer["object"]));
            assert_eq!(answer["object"]["metadata"]["name"], "web");
            assert!(answer["cut"].as_array().is_some_and(|cut| !cut.is_empty()));
        }
    }
}

fn size(value: &Value) -> usize {
    value.to_string().len()
}

#[test]
fn one_that_is_not_there_is_told_with_what_is_near() {
    let host = host()
        .objects(|_| Err(Error::new(Code::NotFound, "deployments.apps \"web\" not found")))
        .lists(|_| Ok(page(["web-api", "db"].map(|name| json!({ "metadata": { "name": name, "namespace": "team-a" } })))));
    assert_eq!(
        answer(&host, web()),
        Err("deployments.apps \"web\" not found; deployments.apps in namespace team-a: web-api".to_owned())
    );
    assert_eq!(
        answer(&host, json!({ "kind": "deployment", "name": "web" })),
        Err("no namespace has a deployments.apps web; near it: team-a/web-api".to_owned())
    );
}

#[test]
fn without_a_namespace_it_is_found_by_its_name() {
    let at = |namespaces: &'static [&'static str]| {
        host()
            .lists(move |request| {
                assert_eq!(request.selector.as_deref(), Some("metadata.name=web"));
                Ok(page(namespaces.iter().map(|namespace| json!({ "metadata": { "name": "web", "namespace": namespace } }))))
            })
            .objects(|request| Ok(json!({ "within": format!("{:?}", request.within) })))
    };
    let asked = || json!({ "kind": "configmap", "name": "web" });
    assert_eq!(answer(&at(&["team-b"]), asked()), Ok(json!({ "object": { "within": "Namespace(\"team-b\")" } })));
    assert_eq!(answer(&at(&["a", "b"]), asked()), Err("namespace is required: there is a configmaps web in a, b".to_owned()));
    let node = host().objects(|request| {
        assert_eq!(request.within, Scope::Cluster);
        Ok(json!({ "kind": "Node" }))
    });
    assert_eq!(
        answer(&node, json!({ "kind": "node", "name": "one", "namespace": "x" })),
        Ok(json!({ "object": { "kind": "Node" } }))
    );
}
