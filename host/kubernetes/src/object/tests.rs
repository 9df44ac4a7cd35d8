//! Objects with secrets in every place, and their masked forms.

mod certificates;
mod generated;
mod linear;

use serde_json::{Value, json};

use super::mask::Objects;
use super::write::TEXTS_MAX;
use super::*;
use crate::fields::Keep;

const MASK_OF_SECRETS: &str = "[masked: Secret value]";

fn pick(object: &str, of: Objects, keep: &Keep) -> Result<String, Error> {
    // The page before it stays as it is.
    let mut out = String::from("<");
    Object::read(object.as_bytes())?.masked(Mask::everything_of(of)).pick(keep, &mut out);
    Ok(out.split_off(1))
}

/// The object as a component gets it that asks for these fields.
fn picked(object: &str, of: Objects, fields: &[&str]) -> Value {
    let fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
    let keep = Keep::parse(Some(&fields)).expect("valid");
    serde_json::from_str(&pick(object, of, &keep).expect("an object")).expect("it is JSON still")
}

fn asked(object: &Value, of: Objects, fields: &[&str]) -> Value {
    picked(&object.to_string(), of, fields)
}

fn hidden(object: &Value) -> Value {
    hidden_of(object, Objects::Others)
}

fn hidden_of(object: &Value, of: Objects) -> Value {
    serde_json::from_str(&shown(&object.to_string(), of)).expect("it is JSON still")
}

fn shown(object: &str, of: Objects) -> String {
    pick(object, of, &Keep::Whole).expect("an object")
}

#[test]
fn a_command_is_read_as_one_however_it_is_cut_into_words() {
    const SECRET: &str = "hX9kQ2vLm4Zt7Rw1";
    for words in [
        vec!["mysqladmin", "ping", "-uroot", "-p{}"],
        vec!["/usr/bin/redis-cli", "-a", "{}", "ping"],
        vec!["curl", "-su", "admin:{}", "https://x"],
        vec!["timeout", "5", "sshpass", "-p", "{}", "ssh", "x"],
        vec!["htpasswd", "-bc", "/f", "admin", "{}"],
        vec!["htpasswd", "-nbB", "admin", "{}"],
        vec!["vault", "login", "{}"],
        vec!["kubectl", "create", "secret", "generic", "x", "--from-literal=a=b", "--from-literal=key={}"],
    ] {
        let words: Vec<String> = words.iter().map(|word| word.replace("{}", SECRET)).collect();
        for at in 0..words.len() {
            // The command is the program alone, or has arguments.
            let container = json!({ "name": "a", "args": words[at..], "command": words[..at] });
            let probe = json!({ "livenessProbe": { "exec": { "command": words } } });
            let shown = hidden(&json!({ "spec": { "containers": [container, probe] } })).to_string();
            assert!(!shown.contains(SECRET) && shown.contains(&words[0]), "{shown}");
        }
    }
    for object in [
        json!({ "args": ["docker", "run", "-p", "8080:80"], "names": ["curl", "vault"], "verbs": ["get", "list"] }),
        json!({ "command": "docker", "args": ["run", "-p", "8080:80"] }),
        json!({ "command": ["mysql"], "args": "-P 3306 -h db" }),
        json!({ "command": ["htpasswd", "-vb", "/f", "admin"], "args": [{ "name": "x", "value": "y" }] }),
        json!({ "conditions": [{ "type": "Ready" }], "command": { "name": "mysql" }, "args": ["-psomething"] }),
        json!({ "programs": ["mysql"], "args": ["-parallel"] }),
        json!({ "command": ["sshpass", "-p", "", "ssh"] }),
    ] {
        assert_eq!(hidden(&object), object);
    }
}

#[test]
fn a_command_may_be_a_line_hold_what_is_no_text_and_be_called_otherwise() {
    const SECRET: &str = "hX9kQ2vLm4Zt7Rw1";
    let password = format!("-p{SECRET}");
    let long = format!("--ignore-table={}", "shop.orders,".repeat(400));
    for object in [
        json!({ "command": "mysqladmin", "args": ["ping", password] }),
        json!({ "args": ["ping", password], "command": "/usr/bin/mysqladmin" }),
        json!({ "command": "timeout 5 mysqladmin -uroot", "args": ["ping", password] }),
        json!({ "command": ["mysqladmin"], "args": format!("ping {password}") }),
        json!({ "command": "mysqladmin", "args": format!("-uroot {password} ping") }),
        json!({ "Entrypoint": ["mysqladmin"], "Cmd": ["ping", password] }),
        json!({ "cmd": "mysqladmin", "args": ["ping", password] }),
        json!({ "cmds": ["mysqladmin"], "arguments": ["ping", password] }),
        json!({ "executable": "mysqladmin", "args": ["ping", password] }),
        json!({ "program": "/opt/mysqladmin", "Arguments": ["ping", password] }),
        json!({ "command": ["mysqladmin", "ping", "-P", 3306, password] }),
        json!({ "command": ["mysqladmin", 3], "args": [null, true, { "a": "b" }, ["c"], password] }),
        json!({ "command": ["mysqldump", long, password] }),
        json!({ "command": ["mysqldump"], "args": [long, long, password] }),
        json!({ "command": ["sh", "-c", format!("exec mysqldump {long} {password}")] }),
        json!({ "command": ["htpasswd", "-nbBC", 12, "admin", SECRET] }),
        json!({ "command": ["htpasswd", "-C", "12", "-bn", "admin", SECRET] }),
        json!({ "command": ["htpasswd", "-b", "-c", "/f", "admin", SECRET] }),
        json!({ "command": ["sshpass", "-p", format!(";{SECRET}"), "mysql", format!("-p|{SECRET}")] }),
        json!({ "command": ["sshpass", "-p", format!("'{SECRET}"), "mysql", password] }),
        json!({ "command": ["sshpass", "-p", format!(", \"{SECRET}\\"), "--", "redis-cli", "-a", format!(" '{SECRET}")] }),
        json!({ "command": ["redis-cli", "", "-h", "", "-a", SECRET, "\n"] }),
        json!({ "command": ["curl", "https://a", "-o", "&", "-u", format!("admin:{SECRET}")] }),
        json!({ "com\u{200b}mand": ["mysqladmin"], "a\u{200b}rgs": [password] }),
        json!({ "command": vec!["x"; 46], "args": ["mysql", password] }),
    ] {
        let inside = json!({ "metadata": { "annotations": { "a": object.to_string() } } });
        for object in [object, inside] {
            let shown = hidden(&object).to_string();
            assert!(!shown.contains(SECRET) && shown.contains("[masked: password]"), "{shown}");
        }
    }
    let number = json!({ "command": ["sshpass", "-p", 12345678, "ssh", 22] });
    assert_eq!(hidden(&number), json!({ "command": ["sshpass", "-p", "[masked: password]", "ssh", 22] }));
    // Of two equal keys, parsers take the last one.
    let twice = format!("{{\"args\":[\"a\"],\"command\":[\"mysql\"],\"args\":[\"{password}\"]}}");
    assert_eq!(shown(&twice, Objects::Others), twice.replace(&password, "[masked: password]"));
}

#[test]
fn what_names_a_value_beside_it_may_be_a_path_or_a_variable() {
    let object = json!({
        "patches": [{ "op": "add", "path": "/spec/password", "value": "sesame" }, { "op": "add", "path": "/spec/replicas", "value": 3 }],
        "env": [["DB_PASSWORD", "hX9kQ2vLm4Zt"], ["DB_HOST", "hX9kQ2vLm4Zt"]],
        "other": [{ "name": "DB_PASSWORD", "value": "${PW:-sesame}" }, { "name": "DB_PASSWORD", "value": "${PW}" }],
    });
    let mut masked = object.clone();
    masked["patches"][0]["value"] = json!("[masked: password]");
    masked["env"][0][1] = json!("[masked: password]");
    masked["other"][0]["value"] = json!("[masked: password]");
    assert_eq!(hidden(&object), masked);
}

#[test]
fn a_web_key_is_shown_without_its_private_members() {
    const PRIVATE: &str = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
    const PUBLIC: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    for key in [
        json!({ "kty": "EC", "crv": "P-256", "x": PUBLIC, "d": PRIVATE }),
        json!({ "d": PRIVATE, "kty": "OKP", "x": PUBLIC }),
        json!({ "k": &PRIVATE[..16], "kty": "oct", "kid": PUBLIC }),
        json!({ "kty": "RSA", "n": PUBLIC, "e": "AQAB", "p": PRIVATE, "q": PRIVATE, "dp": PRIVATE, "dq": PRIVATE, "qi": PRIVATE }),
        json!({ "kty": "RSA", "n": PUBLIC, "oth": [{ "r": PRIVATE, "d": PRIVATE, "t": PRIVATE }] }),
    ] {
        let file = json!({ "keys": [key] }).to_string();
        let applied = json!({ "data": { "jwks.json": file } }).to_string();
        for object in [
            json!({ "spec": { "key": key } }),
            json!({ "spec": { "keys": [key] } }),
            json!({ "data": { "jwks.json": file } }),
            json!({ "metadata": { "annotations": { "kubectl.kubernetes.io/last-applied-configuration": applied } } }),
        ] {
            let shown = hidden(&object).to_string();
            assert!(!shown.contains(&PRIVATE[..16]) && shown.contains(PUBLIC), "{shown}");
        }
    }
    for object in [
        json!({ "kty": "EC", "crv": "P-256", "x": PUBLIC, "y": PUBLIC, "kid": "a" }),
        json!({ "kty": "RSA", "n": PUBLIC, "e": "AQAB", "key_ops": ["verify"] }),
        json!({ "k": "a long name of a thing", "p": "of another one of them", "d": 1 }),
        json!({ "kty": 1, "k": "a long name of a thing" }),
    ] {
        assert_eq!(hidden(&object), object);
    }
}

#[test]
fn an_element_of_a_list_tells_what_the_next_one_is() {
    const SECRET: &str = "hX9kQ2vLm4Zt7Rw1";
    for object in [
        json!(["db.password", SECRET]),
        json!([["x-api-key", SECRET]]),
        json!({ "rawHeaders": ["Host", "x.example", "Authorization", format!("Token {SECRET}"), "Accept", "*/*"] }),
        json!({ "rawHeaders": ["Host", "x.example", "Cookie", format!("sid={SECRET}")] }),
        json!(["CONFIG", "SET", "requirepass", SECRET]),
        json!({ "password": { "text": SECRET } }),
        json!({ "passwords": [SECRET, "beta-two"] }),
    ] {
        let file = json!({ "data": { "f": object.to_string() } });
        for object in [json!({ "spec": object }), file] {
            let shown = hidden(&object).to_string();
            assert!(!shown.contains(SECRET) && shown.contains("[masked: "), "{shown}");
        }
    }
    for object in [
        json!({ "words": ["token", "refresh"], "resources": ["secrets", "configmaps"], "verbs": ["get", "list"] }),
        json!({ "allowedHeaders": ["Authorization", "Cookie", "Content-Type", "X-Api-Key", "X-Requested-With"] }),
        json!({ "volumes": ["token", "kube-api-access-x7k2p"], "secrets": ["db-password", "app-registry-x7k2p"] }),
        json!({ "scopes": ["password", "client_credentials", "refresh_token"] }),
        json!({ "token": { "text": "Enter the code that you were sent" } }),
    ] {
        assert_eq!(hidden(&object), object);
    }
}

#[test]
fn the_values_of_a_secret_are_masked_and_its_keys_are_not() {
    let secret = json!({
        "metadata": { "name": "db", "annotations": { "a": "b" } }, "type": "Opaque",
        "data": { "user": "YQ==", "empty": "" }, "stringData": { "x": "y" }, "immutable": true,
    });
    let mut masked = secret.clone();
    masked["stringData"]["x"] = json!(MASK_OF_SECRETS);
    assert_eq!(hidden_of(&secret, Objects::Others), masked, "a ConfigMap has data, too, and only Secrets have the other");
    masked["data"]["user"] = json!(MASK_OF_SECRETS);
    assert_eq!(hidden_of(&secret, Objects::Secrets), masked);
    let data = asked(&secret, Objects::Secrets, &["data.user"]);
    assert_eq!(data, json!({ "data": { "user": "[masked: Secret value]" } }));
}

#[test]
fn a_packed_copy_in_the_metadata_of_a_secret_is_masked_and_nothing_else_there() {
    let packed = "H4sIAAAAAAAA".to_owned() + &"aB3dE5gH7jK9mN1p".repeat(6);
    let digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let manifest = "apiVersion: v1\nkind: Secret\nstringData:\n  foo: Winter2024\n";
    let metadata = |packed: &str, manifest: &str| json!({ "metadata": { "annotations": { "a/applied": packed, "a/checksum": digest, "a/yaml": manifest }, "labels": { "app": "web" } } });
    let shown = metadata(MASK_OF_SECRETS, &manifest.replace("Winter2024", MASK_OF_SECRETS));
    assert_eq!(hidden_of(&metadata(&packed, manifest), Objects::Secrets), shown);
    let elsewhere = metadata(&packed, &manifest.replace("Winter2024", MASK_OF_SECRETS));
    assert_eq!(hidden(&metadata(&packed, manifest)), elsewhere);
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
    assert_eq!(asked(&object, Objects::Others, &["spec.objects.data"]), masked);
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

    let values = asked(&container(env), Objects::Others, &["spec.containers.env.value"]);
    let entries = values["spec"]["containers"][0]["env"].as_array().expect("a list");
    let texts: Vec<&str> = entries.iter().filter_map(|entry| entry["value"].as_str()).collect();
    assert_eq!(texts[4], "debug", "its name is known, asked for or not");
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
                "secretName": "web-tls", "secret": "web-tls", "token": { "a": "b" }, "password": "[masked: password]",
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
fn no_string_keeps_the_next_one_from_being_masked() {
    let statement = "INSERT INTO users (name, password) VALUES ('bob', 'hunter2x')";
    for first in ["INSERT INTO t (c, password) VALUES (", "INSERT INTO t (password) VALUES ('", "x"] {
        for times in [1, 20] {
            let mut strings = vec![first; times];
            strings.push(statement);
            let masked = hidden(&json!({ "sql": strings }))["sql"][times].take();
            assert_eq!(
                masked, "INSERT INTO users (name, password) VALUES ('bob', '[masked: password]')",
                "{times} times {first}"
            );
        }
    }
}

#[test]
fn escapes_and_invisible_characters_do_not_hide_a_secret() {
    let token = "ghp_aB3dE5gH7jK9mN1pQ2sT4vW6yZ8aB3dE5gH7";
    let escaped: String = token.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    assert_eq!(shown(&format!("{{\"a\":\"{escaped}\"}}"), Objects::Others), "{\"a\":\"[masked: GitHub token]\"}");
    let (head, tail) = token.split_at(12);
    for between in ["\u{200b}", "\\u200b", "\\u0007", "\\u001b[31m", "\u{e0041}"] {
        assert_eq!(shown(&format!("{{\"a\":\"{head}{between}{tail}\"}}"), Objects::Others), "{\"a\":\"[masked: GitHub token]\"}");
    }
    let unclean = "{\"a\":\"\u{200b}\\u0007\"}";
    assert_eq!(shown(unclean, Objects::Others), unclean, "cleaning is for the answer");
}

#[test]
fn what_holds_no_secret_stays_as_it_was_written() {
    for json in [
        "{}",
        "{\"a\":[],\"b\":[{}],\"c\":[1 , true,null] ,\"d\":-1.5e3}",
        "{\"a\":{ \"b\": \"b\\n\" }}",
        "{\"items\":[{\"name\":\"x\",\"value\":7}]}",
        "{\"a\":\"\\ud800\"}",
    ] {
        let expected = json.replace("] ,", "],");
        assert_eq!(shown(json, Objects::Secrets), expected);
    }
}

#[test]
fn nothing_is_masked_where_the_operator_says_so() {
    let object = r#"{"data":{"password":"sesame"}}"#;
    let mut out = String::new();
    Object::read(object.as_bytes()).expect("an object").masked(Mask::nothing()).pick(&Keep::Whole, &mut out);
    assert_eq!(out, object);
}

/// Runs on a stack as small as that of the server's threads.
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
fn an_object_that_is_too_deep_or_too_large_is_refused() {
    on_a_small_stack(|| {
        for (open, close) in [("{\"a\":", "}"), ("[", "]")] {
            for depth in [127, 128, 100_000] {
                let object = format!("{{\"spec\":{}1{}}}", open.repeat(depth), close.repeat(depth));
                assert_eq!(pick(&object, Objects::Others, &Keep::Whole).is_ok(), depth < DEPTH_MAX, "{depth}");
            }
        }
    });
    let error = pick(&format!("{{\"a\":[{}0]}}", "0,".repeat(VALUES_MAX)), Objects::Others, &Keep::Whole).expect_err("too many");
    assert_eq!(
        (error.code, &*error.message),
        (Code::TooLarge, "an object with more than 1048576 keys and values cannot be read")
    );
}

#[test]
fn json_in_a_string_that_cannot_be_followed_is_hidden() {
    let secret = json!({ "kind": "Secret", "data": { "user": "YQ==" } });
    let wrapped = (0..TEXTS_MAX + 1).fold(secret, |inner, _| json!({ "data": { "a": inner.to_string() } }));
    assert!(!hidden(&wrapped).to_string().contains("YQ=="), "one text more than is followed");
    let deep = format!("{}{{\"kind\":\"Secret\",\"data\":{{\"user\":\"YQ==\"}}}}{}", "[".repeat(200), "]".repeat(200));
    assert!(!hidden(&json!({ "data": { "a": deep } })).to_string().contains("YQ=="));
}

#[test]
fn a_list_of_secrets_is_known_by_its_kind() {
    let list =
        |kind: &str, value: &str| json!({ "items": [{ "data": { "a": value } }, { "data": { "b": value } }], "kind": kind });
    let text = |list: Value| json!({ "data": { "backup.json": list.to_string() } });
    let mask = MASK_OF_SECRETS;
    assert_eq!(hidden(&text(list("SecretList", "YQ=="))), text(list("SecretList", mask)));
    assert_eq!(hidden(&text(list("ConfigMapList", "YQ=="))), text(list("ConfigMapList", "YQ==")));
    let object = json!({ "spec": list("SecretList", "YQ==") });
    let items = asked(&object, Objects::Others, &["spec.items.data"]);
    assert_eq!(items, json!({ "spec": { "items": [{ "data": { "a": mask } }, { "data": { "b": mask } }] } }));
}

#[test]
fn a_value_is_masked_by_its_name_wherever_both_stand() {
    let secret = json!("s3same-street");
    for (object, path) in [
        (json!({ "spec": { "httpHeaders": [{ "name": "X-Api-Key", "value": secret }] } }), "spec.httpHeaders.value"),
        (json!({ "spec": { "httpHeaders": [{ "value": secret, "name": "Authorization" }] } }), "spec.httpHeaders.value"),
        (
            json!({ "spec": { "source": { "helm": { "parameters": [{ "name": "db.password", "value": secret }] } } } }),
            "spec.source.helm.parameters.value",
        ),
        (json!({ "spec": { "params": [{ "name": "registry-password", "value": secret }] } }), "spec.params.value"),
        (
            json!({ "spec": { "params": [{ "name": "registry-password", "type": "string", "default": secret }] } }),
            "spec.params.default",
        ),
        (json!({ "spec": { "params": [{ "name": "registry-passwords", "value": ["a", secret] }] } }), "spec.params.value"),
        (
            json!({ "spec": { "params": [{ "name": "db-password", "value": { "stringValue": secret } }] } }),
            "spec.params.value.stringValue",
        ),
        (json!({ "spec": { "settings": [{ "key": "client_secret", "value": secret }] } }), "spec.settings.value"),
        (json!({ "spec": { "tags": [{ "Key": "DbPassword", "Value": secret }] } }), "spec.tags.Value"),
        (
            json!({ "spec": { "stack": [{ "ParameterKey": "DbPassword", "ParameterValue": secret }] } }),
            "spec.stack.ParameterValue",
        ),
        (json!({ "spec": { "form": [{ "type": "password", "value": secret }] } }), "spec.form.value"),
        (json!({ "spec": { "headers": [{ "headerName": "X-Auth-Token", "headerValue": secret }] } }), "spec.headers.headerValue"),
        (json!({ "spec": { "things": [{ "name": "x", "secretValue": secret }] } }), "spec.things.secretValue"),
        (json!({ "spec": { "password": { "value": secret } } }), "spec.password.value"),
        (json!({ "spec": { "password": { "value": { "plain": secret } } } }), "spec.password.value.plain"),
        (json!({ "spec": { "password": [secret] } }), "spec.password"),
        (json!({ "spec": { "password": [[{ "value": secret }]] } }), "spec.password.value"),
        (json!({ "spec": { "headers": { "Authorization": [secret] } } }), "spec.headers.Authorization"),
        (json!({ "spec": { "headers": { "authorization": "Token sesame" } } }), "spec.headers.authorization"),
        (json!({ "spec": { "env": { "TOKEN": secret } } }), "spec.env.TOKEN"),
        (json!({ "spec": { "containers": [{ "args": ["--db-password", secret] }] } }), "spec.containers.args"),
        (json!({ "spec": { "containers": [{ "command": ["x", "-password", secret, "--more"] }] } }), "spec.containers.command"),
        (json!({ "spec": { "containers": [{ "args": ["--password", 20261128] }] } }), "spec.containers.args"),
        (json!({ "spec": { "password": 20261128 } }), "spec.password"),
        (json!({ "spec": { "token": 20261128 } }), "spec.token"),
        (json!({ "spec": { "params": [{ "name": "pin-password", "value": 20261128 }] } }), "spec.params.value"),
        (json!({ "data": { "pass\u{200b}word": secret } }), "data"),
        (
            json!({ "spec": { "list": { "kind": "SecretList", "items": [{ "data": { "a": secret } }] } } }),
            "spec.list.items.data.a",
        ),
        (
            json!({ "spec": { "manifest": { "kind": "Secret", "data": { "a": 20261128, "b": [secret], "c": true } } } }),
            "spec.manifest.data",
        ),
        (json!({ "spec": { "template": { "stringData": { "a": secret } } } }), "spec.template.stringData.a"),
    ] {
        for answer in [hidden(&object), asked(&object, Objects::Others, &[path])] {
            let answer = answer.to_string();
            assert!(answer.contains("[masked: ") && !answer.contains("s3same") && !answer.contains("2026"), "{path}: {answer}");
        }
    }
}

#[test]
fn what_only_looks_like_a_name_and_a_value_stays() {
    for object in [
        json!({ "secret": { "secretName": "web-tls", "items": [{ "key": "password", "path": "db/password" }], "defaultMode": 420 } }),
        json!({ "env": [{ "name": "DB_PASSWORD", "valueFrom": { "secretKeyRef": { "name": "db", "key": "password" } } }] }),
        json!({ "password": { "valueFrom": { "secretKeyRef": { "name": "db", "key": "password" } } } }),
        json!({ "password": { "secretKeyRef": { "name": "db", "key": "password" } } }),
        json!({ "remoteRef": { "key": "prod/db-password", "property": "password", "version": "v1" } }),
        json!({ "secrets": [{ "name": "default-token-x7k2p" }], "imagePullSecrets": [{ "name": "registry-login" }] }),
        json!({ "sources": [{ "serviceAccountToken": { "audience": "vault", "expirationSeconds": 3600, "path": "token" } }] }),
        json!({ "automountServiceAccountToken": false, "tokens": 4096, "secret": 3, "summary": { "pass": 1234, "fail": 0 } }),
        json!({ "tolerations": [{ "key": "example.com/token", "operator": "Equal", "value": "true" }] }),
        json!({ "containers": [{ "name": "token-refresher", "image": "example.com/r:1", "args": ["--token-file", "/run/token", "-v"] }] }),
        json!({ "parameters": [{ "name": "replicas", "value": "3" }, { "name": "TOKEN_TTL", "value": "24h" }] }),
        json!({ "properties": { "password": { "type": "string", "description": "The password of the database." } } }),
        json!({ "rules": [{ "resources": ["secrets", "configmaps"], "verbs": ["get", "list"], "resourceNames": ["token", "password"] }] }),
        json!({ "addresses": [{ "type": "Hostname", "value": "node-1" }], "metric": { "name": "tokens", "value": "100" } }),
        json!({ "data": { "user": "YQ==" }, "kind": "ConfigMap" }),
        json!({ "data": { "AUTH_TYPE": "token", "LOG_DEFAULT": "info", "DB_NAME": "password", "HELP_CONTENT": "none", "MAX_VALUE": "7" } }),
    ] {
        let object = json!({ "spec": object });
        assert_eq!(hidden(&object), object);
    }
}

#[test]
fn a_key_that_is_a_secret_is_masked_and_not_found_by_itself() {
    let token = "ghp_aB3dE5gH7jK9mN1pQ2sT4vW6yZ8aB3dE5gH7";
    let object = json!({ "data": { token: "a", "é".to_owned() + token: "b", "c": "d" } });
    let masked = json!({ "data": { "[masked: GitHub token]": "a", "é[masked: GitHub token]": "b", "c": "d" } });
    assert_eq!(hidden(&object), masked);
    assert_eq!(asked(&object, Objects::Others, &[&format!("data[\"{token}\"]")]), json!({ "data": {} }));
    assert_eq!(
        asked(&object, Objects::Others, &["data[\"[masked: GitHub token]\"]"]),
        json!({ "data": { "[masked: GitHub token]": "a" } })
    );
}
