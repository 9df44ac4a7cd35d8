//! Objects with a secret in every place.

use serde_json::{Value, json};

use super::*;

fn hidden(object: &Value) -> Value {
    hidden_of(object, Kind::Other)
}

fn hidden_of(object: &Value, kind: Kind) -> Value {
    serde_json::from_str(&hide(&object.to_string(), kind)).expect("it is JSON still")
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
fn escapes_and_invisible_characters_do_not_hide_a_secret() {
    let token = "ghp_aB3dE5gH7jK9mN1pQ2sT4vW6yZ8aB3dE5gH7";
    let escaped: String = token.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    assert_eq!(hide(&format!("{{\"a\":\"{escaped}\"}}"), Kind::Other), "{\"a\":\"[masked: GitHub token]\"}");
    let (head, tail) = token.split_at(12);
    for between in ["\u{200b}", "\\u200b", "\\u0007", "\\u001b[31m", "\u{e0041}"] {
        assert_eq!(hide(&format!("{{\"a\":\"{head}{between}{tail}\"}}"), Kind::Other), "{\"a\":\"[masked: GitHub token]\"}");
    }
    let unclean = "{\"a\":\"\u{200b}\\u0007\"}";
    assert!(matches!(hide(unclean, Kind::Other), Cow::Borrowed(_)), "cleaning is for the answer");
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
        assert!(matches!(hide(json, Kind::Secret), Cow::Borrowed(_)), "{json}");
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
