//! Secrets: what a component that may read everything gets to see of them, on a real API server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::mcp::Client;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Run, Server};
use serde_json::{Value, json};

use crate::components::hostile;

/// The words that nothing of may come out. None opens anything.
const PASSWORD: &str = "opensesame7";
const ENCODED: &str = "b3BlbnNlc2FtZTc=";
const BODY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDc9xYz1aQ2bW3c";

/// A token in the form of GitHub's, in two halves, so that no scanner of repositories takes it for real.
fn token() -> String {
    format!("ghp_{}{}", "aB3dE5gH7jK9mN1pQ2", "sT4vW6yZ8aB3dE5gH7")
}

/// A private key of three lines.
fn key() -> [&'static str; 5] {
    ["-----BEGIN PRIVATE KEY-----", BODY, BODY, "x9A=", "-----END PRIVATE KEY-----"]
}

/// Everything that must not come out.
fn is_hidden_in(text: &str) -> bool {
    ![PASSWORD, ENCODED, &BODY[..20], &BODY[40..], &token()[4..]].iter().any(|secret| text.contains(secret))
}

/// The hostile component, granted everything that this is about; `more` follows its rules.
fn config(more: &str) -> String {
    let rules = r#"
    rules:
      - { apiGroups: [""], resources: [pods, secrets, configmaps, events], verbs: [get, list] }
      - { apiGroups: [""], resources: [pods/log], verbs: [get] }"#;
    format!("tools:\n  - component: {}{rules}\n{more}", hostile().display())
}

async fn server(config: &str) -> Server {
    Server::builder().of(ControlPlane::shared(), "admin").config(config).start().await
}

/// A namespace with a secret in every place.
async fn full_of_secrets() -> Namespace {
    let namespace = Namespace::fresh("secrets").await;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "login" },
        "data": { "password": ENCODED }, "stringData": { "token": token() },
    });
    let mut applied = secret.clone();
    let annotation = json!({ "kubectl.kubernetes.io/last-applied-configuration": secret.to_string() });
    applied["metadata"]["annotations"] = annotation.clone();
    namespace.create(applied).await;
    namespace
        .create(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "config", "annotations": annotation },
            "data": { "DB_PASSWORD": PASSWORD, "app.properties": format!("user=x\npassword={PASSWORD}\n"), "key.pem": key().join("\n") },
        }))
        .await;
    namespace.log("web", None, &log(), None).await;
    namespace
        .create(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web", "annotations": { "note": format!("the token is {}", token()) } },
            "spec": {
                "nodeName": ControlPlane::shared().node(),
                "containers": [{
                    "name": "app", "image": "example.com/app:1", "args": ["--db-password", PASSWORD],
                    "livenessProbe": { "httpGet": { "port": 80, "httpHeaders": [{ "name": "X-Api-Key", "value": PASSWORD }] } },
                    "env": [
                        { "name": "DB_PASSWORD", "value": PASSWORD },
                        { "name": "DB_URL", "value": format!("postgres://coder:{PASSWORD}@db:5432/coder") },
                        { "name": "PLAIN", "value": "plain" },
                    ],
                }],
            },
        }))
        .await;
    namespace.until_running("web").await;
    namespace.event("leak", json!({ "message": format!("login with {} failed\u{200b}", token()) })).await;
    namespace
}

fn log() -> CriLog {
    let lines =
        ["line one".to_owned(), format!("Authorization: Bearer {}", token()), format!("connect password={PASSWORD} host=db")];
    CriLog::of(lines.into_iter().chain(key().map(str::to_owned)).chain(["line nine".to_owned()]))
}

fn get(namespace: &Namespace, plural: &str, name: &str, fields: Value) -> Value {
    json!({ "function": "get-object", "of": { "plural": plural }, "within": { "namespace": namespace.name() }, "name": name, "fields": fields })
}

fn list(namespace: &Namespace, plural: &str, fields: Value) -> Value {
    json!({ "function": "list-objects", "of": { "plural": plural }, "within": { "namespace": namespace.name() }, "fields": fields })
}

fn tail(namespace: &Namespace, lines: usize, matching: Option<&str>) -> Value {
    json!({ "function": "tail", "namespace": namespace.name(), "pod": "web", "tailLines": lines, "matching": matching })
}

/// What the component got from a host function, as text.
async fn got(client: &Client, request: Value) -> String {
    let said = client.answer("read", request).await;
    said["answer"].as_str().unwrap_or_else(|| panic!("no answer: {said}")).to_owned()
}

#[tokio::test]
async fn no_secret_reaches_a_component_whatever_it_asks_for() {
    let namespace = full_of_secrets().await;
    let server = server(&config("")).await;
    let client = Client::modern(&server);
    for (request, masks) in [
        (get(&namespace, "secrets", "login", Value::Null), 4),
        (get(&namespace, "secrets", "login", json!(["data"])), 2),
        (get(&namespace, "secrets", "login", json!(["data.password"])), 1),
        (list(&namespace, "secrets", Value::Null), 4),
        (list(&namespace, "secrets", json!(["data.token"])), 1),
        (get(&namespace, "configmaps", "config", Value::Null), 4),
        (get(&namespace, "configmaps", "config", json!(["metadata.annotations"])), 2),
        (get(&namespace, "pods", "web", Value::Null), 5),
        (get(&namespace, "pods", "web", json!(["spec.containers.env.value"])), 2),
        (get(&namespace, "pods", "web", json!(["spec.containers.livenessProbe.httpGet.httpHeaders.value"])), 1),
        (list(&namespace, "pods", json!(["spec.containers.env", "spec.containers.args", "metadata.annotations.note"])), 4),
        (list(&namespace, "events", json!(["message"])), 1),
        (tail(&namespace, 100, None), 5),
    ] {
        let described = request.to_string();
        let text = got(&client, request).await;
        assert!(is_hidden_in(&text), "{described}: {text}");
        assert!(text.matches("[masked: ").count() >= masks, "{described}: {text}");
        if !described.contains("tail") {
            serde_json::from_str::<Value>(&text).unwrap_or_else(|error| panic!("{described}: {error}: {text}"));
        }
    }
    let pod: Value = serde_json::from_str(&got(&client, get(&namespace, "pods", "web", Value::Null)).await).unwrap();
    assert_eq!(pod["spec"]["containers"][0]["env"][1]["value"], "postgres://coder:[masked: password in a URL]@db:5432/coder");
    assert_eq!(pod["spec"]["containers"][0]["env"][2]["value"], "plain");
    assert_eq!(pod["metadata"]["annotations"]["note"], "the token is [masked: GitHub token]");
}

#[tokio::test]
async fn a_log_cut_anywhere_shows_nothing_of_a_key_and_keeps_its_lines() {
    let namespace = full_of_secrets().await;
    let server = server(&config("")).await;
    let client = Client::modern(&server);
    for lines in 1..=10 {
        let text = got(&client, tail(&namespace, lines, None)).await;
        assert!(is_hidden_in(&text), "{lines}: {text}");
        assert_eq!(text.lines().count(), lines.min(9), "{text}");
        assert!(text.ends_with("line nine\n"), "{text}");
    }
    // With limits that cut inside of a line, too.
    for limit in 1..200 {
        let arguments = json!({ "namespace": namespace.name(), "name": "web", "limitBytes": limit });
        let answer = client.answer("get_pod_logs", arguments).await;
        assert!(is_hidden_in(&answer.to_string()), "{limit}: {answer}");
        let text = answer["logs"].as_str().unwrap().strip_suffix("\n(truncated)").expect("the cap cut");
        assert!(text.len() <= limit, "{limit}: {text}");
    }
}

#[tokio::test]
async fn a_pattern_cannot_be_asked_what_a_secret_is() {
    let namespace = full_of_secrets().await;
    let server = server(&config("")).await;
    let client = Client::modern(&server);
    for pattern in [&token(), "ghp_", PASSWORD, "opens", &BODY[..8], "x9A="] {
        assert_eq!(got(&client, tail(&namespace, 100, Some(pattern))).await, "", "{pattern}");
    }
    let masked = got(&client, tail(&namespace, 100, Some("masked: GitHub|masked: password"))).await;
    assert_eq!(masked, "Authorization: Bearer [masked: GitHub token]\nconnect password=[masked: password] host=db\n");
}

#[tokio::test]
async fn the_bundled_tools_mask_secrets_too() {
    let namespace = full_of_secrets().await;
    let client = Client::modern(Server::shared().await);
    let logs = client.answer("get_pod_logs", json!({ "namespace": namespace.name(), "name": "web" })).await;
    assert!(is_hidden_in(&logs.to_string()), "{logs}");
    assert!(logs.get("truncated").is_none(), "{logs}");
    let events = client.answer("get_events", json!({ "namespace": namespace.name(), "kind": "Pod", "name": "web-0" })).await;
    assert_eq!(events["items"][0]["message"], "login with [masked: GitHub token] failed");
}

#[tokio::test]
async fn the_operator_can_show_secrets_to_one_component() {
    let namespace = full_of_secrets().await;
    let server = server(&config("    maskSecrets: false\n")).await;
    let client = Client::modern(&server);
    let secret: Value = serde_json::from_str(&got(&client, get(&namespace, "secrets", "login", Value::Null)).await).unwrap();
    assert_eq!(secret["data"]["password"], ENCODED);
    assert!(got(&client, tail(&namespace, 100, Some(PASSWORD))).await.contains(PASSWORD));
    let logs = client.answer("get_pod_logs", json!({ "namespace": namespace.name(), "name": "web" })).await;
    assert!(is_hidden_in(&logs.to_string()), "the bundled ones are not meant: {logs}");
}

#[tokio::test]
async fn the_operator_can_show_secrets_to_the_bundled_tools() {
    let namespace = full_of_secrets().await;
    let server = server(&config("bundled: { maskSecrets: false }\n")).await;
    let client = Client::modern(&server);
    let logs = client.answer("get_pod_logs", json!({ "namespace": namespace.name(), "name": "web" })).await;
    assert!(logs["logs"].as_str().unwrap().contains(&token()), "{logs}");
    assert!(is_hidden_in(&got(&client, tail(&namespace, 100, None)).await), "others are not meant");
}

#[tokio::test]
async fn sandbar_tools_says_who_sees_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sandbar.yaml");
    std::fs::write(&file, config("    maskSecrets: false\n")).unwrap();
    let arguments = ["tools", "--cluster", "demo", "--config", file.to_str().unwrap()];
    let text = Run::new(&arguments).finish().await.stdout;
    assert_eq!((text.matches("secrets    masked").count(), text.matches("secrets    shown").count()), (7, 1), "{text}");
    let json = Run::new(&arguments).arg("-o").arg("json").finish().await.json();
    let secrets: Vec<&Value> = json.as_array().unwrap().iter().map(|component| &component["granted"]["secrets"]).collect();
    assert_eq!(secrets.last(), Some(&&json!("shown")), "{secrets:?}");
    assert!(secrets[..7].iter().all(|secrets| *secrets == "masked"), "{secrets:?}");
}

/// Whether a part of a secret is in a text of this JSON, or in what it is the base64 of.
fn holds_secret(json: &Value, parts: &[&[u8]]) -> bool {
    let has = |bytes: &[u8]| parts.iter().any(|part| bytes.windows(part.len()).any(|window| window == *part));
    match json {
        Value::String(text) => {
            let (decoded, inside) = (STANDARD.decode(text), serde_json::from_str::<Value>(text));
            let bodies =
                decoded.iter().flat_map(|pem| String::from_utf8_lossy(pem).split("-----").map(str::to_owned).collect::<Vec<_>>());
            let mut der = bodies.filter_map(|body| STANDARD.decode(body.split_whitespace().collect::<String>()).ok());
            has(text.as_bytes())
                || decoded.as_ref().is_ok_and(|bytes| has(bytes))
                || der.any(|der| has(&der))
                || inside.is_ok_and(|inside| !inside.is_string() && holds_secret(&inside, parts))
        }
        Value::Array(items) => items.iter().any(|item| holds_secret(item, parts)),
        Value::Object(object) => object.values().any(|value| holds_secret(value, parts)),
        _ => false,
    }
}

#[tokio::test]
async fn certificates_of_secrets_are_shown_and_no_byte_of_a_key_beside_them() {
    let namespace = Namespace::fresh("certificates").await;
    let issued = rcgen::generate_simple_self_signed(["web.example.com".to_owned()]).unwrap();
    let (certificate, key) = (issued.cert.pem(), issued.signing_key.serialize_pem());
    let (der, key_der) = (issued.cert.der().to_vec(), issued.signing_key.serialize_der());
    let block = |der: &[u8]| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
    let mut params = rcgen::CertificateParams::new(["web.example.com".to_owned()]).unwrap();
    params.custom_extensions = vec![rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], key_der.clone())];
    let extended = params.self_signed(&issued.signing_key).unwrap().pem();
    let tls = "kubernetes.io/tls";
    let files = [
        ("web", tls, format!("{certificate}{certificate}"), true),
        ("opaque", "Opaque", certificate.clone(), false),
        ("key-behind", tls, format!("{certificate}{key}"), false),
        ("key-before", tls, format!("{key}{certificate}"), false),
        ("key-inside", tls, certificate.replacen('\n', &format!("\n{key}"), 1), false),
        ("key-alone", tls, key.clone(), false),
        ("key-by-another-name", tls, block(&key_der), false),
        ("key-behind-its-end", tls, block(&[&der[..], &key_der].concat()), false),
        ("key-in-an-extension", tls, extended, false),
        ("words", tls, format!("the password is {PASSWORD}\n{certificate}"), false),
        ("header", tls, certificate.replacen('\n', &format!("\nPassword: {PASSWORD}\n\n"), 1), false),
    ];
    for (name, kind, file, _) in &files {
        let data = json!({ "tls.crt": STANDARD.encode(file), "ca.crt": STANDARD.encode(&certificate), "tls.key": STANDARD.encode(&key) });
        let mut secret =
            json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "type": kind, "data": data });
        let applied = json!({ "kubectl.kubernetes.io/last-applied-configuration": secret.to_string() });
        secret["metadata"]["annotations"] = applied;
        namespace.create(secret).await;
    }
    let config_map =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "ca" }, "data": { "ca.crt": certificate } });
    namespace.create(config_map).await;

    let server = server(&config("")).await;
    let client = Client::modern(&server);
    let body = key.lines().nth(1).unwrap().as_bytes();
    // The key in DER has the number that is its secret there, and behind it the public one, which the certificate has, too.
    let parts = [&body[..24], &body[40..], &key_der[36..68], PASSWORD.as_bytes()];
    let is_hidden = |text: &str| {
        let json: Value = serde_json::from_str(text).unwrap();
        !holds_secret(&json, &parts)
    };
    let paths = [
        json!(null),
        json!(["data"]),
        json!(["data[\"tls.crt\"]", "data[\"ca.crt\"]", "data[\"tls.key\"]"]),
        json!(["metadata"]),
    ];
    for fields in &paths {
        let text = got(&client, list(&namespace, "secrets", fields.clone())).await;
        assert!(is_hidden(&text), "{fields}: {text}");
        for (name, ..) in &files {
            let text = got(&client, get(&namespace, "secrets", name, fields.clone())).await;
            assert!(is_hidden(&text), "{fields} of {name}: {text}");
        }
    }
    for (name, kind, file, is_shown) in &files {
        let secret: Value = serde_json::from_str(&got(&client, get(&namespace, "secrets", name, json!(["data"]))).await).unwrap();
        let of = |is_shown: bool, file: &str| if is_shown { STANDARD.encode(file) } else { "[masked: Secret value]".to_owned() };
        let expected =
            json!({ "tls.crt": of(*is_shown, file), "ca.crt": of(*kind == tls, &certificate), "tls.key": of(false, &key) });
        assert_eq!(secret["data"], expected, "{name}");
    }
    let ca: Value = serde_json::from_str(&got(&client, get(&namespace, "configmaps", "ca", Value::Null)).await).unwrap();
    assert_eq!(ca["data"]["ca.crt"], certificate);
}
