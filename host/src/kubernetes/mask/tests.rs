//! Objects with a secret in every place.

use serde_json::{Value, json};

use super::*;

fn hidden(object: &Value) -> Value {
    hidden_of(object, Kind::Other)
}

fn shown(json: &str, kind: Kind) -> Cow<'_, str> {
    hide(json, kind).expect("it is not too deep")
}

fn hidden_of(object: &Value, kind: Kind) -> Value {
    serde_json::from_str(&shown(&object.to_string(), kind)).expect("it is JSON still")
}

/// What a component gets that asks for these fields.
fn asked(object: &Value, kind: Kind, fields: &[&str]) -> Value {
    let fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
    let keep = Keep::parse(Some(&fields)).expect("valid");
    let mut out = String::from("[");
    Mask { secrets: Some(kind) }.prune(&object.to_string(), &keep, &mut out).expect("an object");
    serde_json::from_str(&out[1..]).expect("it is JSON still")
}

#[test]
fn the_values_of_a_secret_are_masked_and_its_keys_are_not() {
    let secret = json!({
        "metadata": { "name": "db", "annotations": { "a": "b" } }, "type": "Opaque",
        "data": { "user": "YQ==", "empty": "" }, "stringData": { "x": "y" }, "immutable": true,
    });
    let mut masked = secret.clone();
    masked["data"]["user"] = json!("[masked: Secret value]");
    masked["stringData"]["x"] = json!("[masked: Secret value]");
    assert_eq!(hidden_of(&secret, Kind::Secret), masked);
    assert_eq!(hidden_of(&secret, Kind::Other), secret, "a ConfigMap has data, too");
    let data = asked(&secret, Kind::Secret, &["data.user"]);
    assert_eq!(data, json!({ "data": { "user": "[masked: Secret value]" } }));
}

#[test]
fn a_manifest_in_an_annotation_is_masked_as_the_object_is() {
    let inner = json!({ "kind": "Secret", "data": { "user": "YQ==" }, "metadata": { "name": "x\"y" } });
    let outer = |manifest: &Value| json!({ "metadata": { "annotations": { "kubectl.kubernetes.io/last-applied-configuration": manifest.to_string() } } });
    let mut masked = inner.clone();
    masked["data"]["user"] = json!("[masked: Secret value]");
    assert_eq!(hidden(&outer(&inner)), outer(&masked));
    assert_eq!(hidden(&outer(&outer(&inner))), outer(&outer(&masked)));
    let plain = outer(&json!({ "kind": "ConfigMap", "data": { "user": "YQ==" } }));
    assert_eq!(hidden(&plain), plain);
}

#[test]
fn a_secret_inside_of_another_object_is_found_without_its_kind() {
    let object = json!({ "spec": { "objects": [{ "data": { "a": "YQ==" }, "kind": "Secret" }, { "kind": "ConfigMap", "data": { "a": "YQ==" } }] } });
    let masked = json!({ "spec": { "objects": [{ "data": { "a": "[masked: Secret value]" } }, { "data": { "a": "YQ==" } }] } });
    assert_eq!(asked(&object, Kind::Other, &["spec.objects.data"]), masked);
}

#[test]
fn the_environment_is_masked_by_its_names_and_by_its_values() {
    let container = |env: Value| json!({ "spec": { "containers": [{ "name": "app", "env": env }] } });
    let env = json!([
        { "name": "DB_PASSWORD", "value": "sesame" },
        { "value": "postgres://u:sesame@db/x", "name": "DB_URL" },
        { "name": "PASSWORD", "value": "a\"b\\c\n" },
        { "name": "API_TOKEN", "value": "letmein" },
        { "name": "LOG_LEVEL", "value": "debug" },
        { "name": "TOKEN_TTL", "value": "24h" },
        { "name": "DB_PASSWORD_REF", "valueFrom": { "secretKeyRef": { "name": "db", "key": "password" } } },
        { "name": "USE_PASSWORD", "value": "true" },
        { "name": "COPY_PASSWORD", "value": "$(DB_PASSWORD)" },
        { "name": "PASSWORD", "value": "" },
    ]);
    let mut masked = env.clone();
    masked[0]["value"] = json!("[masked: password]");
    masked[1]["value"] = json!("postgres://u:[masked: password in a URL]@db/x");
    masked[2]["value"] = json!("[masked: password]");
    masked[3]["value"] = json!("[masked: token]");
    assert_eq!(hidden(&container(env.clone())), container(masked));

    let values = asked(&container(env), Kind::Other, &["spec.containers.env.value"]);
    let texts: Vec<&str> = values["spec"]["containers"][0]["env"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|entry| entry["value"].as_str())
        .collect();
    assert_eq!(texts[4], "[masked: environment value without its name]", "{texts:?}");
    assert!(!values.to_string().contains("sesame") && !values.to_string().contains("letmein"), "{values}");
}

#[test]
fn names_of_keys_and_flags_tell_of_their_values() {
    let object = json!({
        "data": { "DB_PASSWORD": "sesame", "app.properties": "user=x\npassword=sesame\n", "tls-secret": "web-tls" },
        "spec": {
            "args": ["--db-password", "sesame", "--token=s3same123", "--verbose", "yes"],
            "httpHeaders": [{ "name": "Authorization", "value": "sesame" }],
            "secretName": "web-tls", "secret": "web-tls", "token": { "a": "b" }, "password": 7,
        },
    });
    assert_eq!(
        hidden(&object),
        json!({
            "data": { "DB_PASSWORD": "[masked: password]", "app.properties": "user=x\npassword=[masked: password]\n", "tls-secret": "web-tls" },
            "spec": {
                "args": ["--db-password", "[masked: password]", "--token=[masked: token]", "--verbose", "yes"],
                "httpHeaders": [{ "name": "Authorization", "value": "[masked: credentials]" }],
                "secretName": "web-tls", "secret": "web-tls", "token": { "a": "b" }, "password": 7,
            },
        })
    );
}

#[test]
fn a_string_is_masked_as_a_text_of_its_own() {
    let object = json!({
        "data": { "a": "password: letmein", "b": "--db-password letmein", "c": "requirepass letmein", "Cookie": "sid=0a1b2c3d4e5f" },
        "spec": { "authorization": "RBAC" },
    });
    let masked = json!({
        "data": {
            "a": "password: [masked: password]", "b": "--db-password [masked: password]", "c": "requirepass [masked: password]",
            "Cookie": "[masked: cookie]",
        },
        "spec": { "authorization": "RBAC" },
    });
    assert_eq!(hidden(&object), masked);
}

#[test]
fn escapes_and_invisible_characters_do_not_hide_a_secret() {
    let token = "ghp_aB3dE5gH7jK9mN1pQ2sT4vW6yZ8aB3dE5gH7";
    let escaped: String = token.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    assert_eq!(shown(&format!("{{\"a\":\"{escaped}\"}}"), Kind::Other), "{\"a\":\"[masked: GitHub token]\"}");
    let (head, tail) = token.split_at(12);
    for between in ["\u{200b}", "\\u200b", "\\u0007", "\\u001b[31m", "\u{e0041}"] {
        assert_eq!(shown(&format!("{{\"a\":\"{head}{between}{tail}\"}}"), Kind::Other), "{\"a\":\"[masked: GitHub token]\"}");
    }
    let unclean = "{\"a\":\"\u{200b}\\u0007\"}";
    assert!(matches!(shown(unclean, Kind::Other), Cow::Borrowed(_)), "cleaning is for the answer");
}

#[test]
fn what_holds_no_secret_is_borrowed() {
    for json in [
        "{}",
        "{ }",
        "{\"a\":[],\"b\":[{}],\"c\":[1 , true,null] , \"d\":-1.5e3}",
        " {\"a\": \"b\\n\"}\n",
        "{\"items\":[{\"name\":\"x\",\"value\":7}]}",
    ] {
        assert!(matches!(shown(json, Kind::Secret), Cow::Borrowed(_)), "{json}");
    }
}

#[test]
fn what_is_no_json_ends_all_the_same() {
    // It never comes here, and must not hang or panic if it does.
    for text in
        ["", "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":\"\\", "[", "[\"", "}", "{\"a\"}", "{]", "[}", "{\"a\":}", "\"é"]
    {
        let _ = hide(text, Kind::Secret);
    }
}

#[test]
fn nothing_is_masked_where_the_operator_says_so() {
    let object = r#"{"data":{"password":"sesame"}}"#;
    let mut out = String::new();
    Mask { secrets: None }.prune(object, &Keep::Whole, &mut out).expect("an object");
    assert_eq!(out, object);
}

/// Runs this where a thread of the server has to get by, too.
fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(run).expect("a thread").join().expect("it ends");
}

#[test]
fn deep_json_in_a_string_is_only_text() {
    on_a_small_stack(|| {
        for (open, close) in [("{\"a\":", "}"), ("[", "]"), ("[\"é\",", "]"), ("{\"a\":[", "]}")] {
            for depth in [60, 127, 200, 2000, 200_000] {
                let text = format!("{}\"password=sesame1\"{}", open.repeat(depth), close.repeat(depth));
                let hidden = hidden(&json!({ "data": { "a": text, "b": open.repeat(depth) } })).to_string();
                assert!(!hidden.contains("sesame1"), "{depth} of {open}");
            }
        }
    });
}

#[test]
fn deep_json_in_deep_json_is_followed() {
    on_a_small_stack(|| {
        let deep = |inner: Value| (0..60).fold(inner, |inner, _| json!([{ "a": inner }]));
        let mut object = deep(json!({ "password": "sesame" }));
        for _ in 0..TEXTS_MAX {
            object = deep(Value::from(object.to_string()));
        }
        assert!(!hidden(&json!({ "data": object })).to_string().contains("sesame"));
    });
}

#[test]
fn an_object_that_is_too_deep_is_refused() {
    on_a_small_stack(|| {
        for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
            for depth in [127, 128, 100_000] {
                let object = format!("{{\"spec\":{}1{}}}", open.repeat(depth), close.repeat(depth));
                let mut out = String::new();
                let pruned = Mask { secrets: Some(Kind::Other) }.prune(&object, &Keep::Whole, &mut out);
                assert_eq!(pruned.is_ok(), depth < DEPTH_MAX, "{depth}");
            }
        }
    });
}

#[test]
fn a_list_of_secrets_is_known_by_its_kind() {
    let list = |kind: &str, value: &str| json!({ "items": [{ "data": { "a": value } }, { "stringData": { "b": value } }], "kind": kind });
    let text = |list: Value| json!({ "data": { "backup.json": list.to_string() } });
    let mask = "[masked: Secret value]";
    assert_eq!(hidden(&text(list("SecretList", "YQ=="))), text(list("SecretList", mask)));
    assert_eq!(hidden(&text(list("ConfigMapList", "YQ=="))), text(list("ConfigMapList", "YQ==")));
    let object = json!({ "spec": list("SecretList", "YQ==") });
    let items = asked(&object, Kind::Other, &["spec.items.data"]);
    assert_eq!(items, json!({ "spec": { "items": [{ "data": { "a": mask } }, {}] } }));
}

#[test]
fn time_is_linear_in_the_pairs_of_an_object() {
    // It would take minutes if what was noted were walked again for each of them.
    let pair = json!({ "name": "PASSWORD", "value": "sesame" });
    let object = json!({ "env": vec![pair; 100_000] });
    assert_eq!(shown(&object.to_string(), Kind::Other).matches("[masked: password]").count(), 100_000);
    // Nor if a long key were walked for each of the values under it.
    let pairs = vec![json!({ "name": "A", "value": "a b" }); 100_000];
    let long = json!({ "env".repeat(1 << 19): pairs, "-token".repeat(1 << 18): vec!["registry-login"; 100_000] });
    assert!(matches!(shown(&long.to_string(), Kind::Other), Cow::Borrowed(_)));
    let secret =
        (0..100).fold(json!({ "kind": "Secret" }), |inner, _| json!({ "kind": "Secret", "a": "b".repeat(100), "data": inner }));
    assert!(!shown(&secret.to_string(), Kind::Other).contains("bbb\",\"data\":{\"a\":\"b"));
}
