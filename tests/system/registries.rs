//! Components from registries: by digest, by tag with a signature, and what a digest and a signature keep out.

use std::path::{Path, PathBuf};

use sandbar_registry::Digest;
use sandbar_tests::components::build;
use sandbar_tests::mcp::Client;
use sandbar_tests::registry::{Key, Registry};
use sandbar_tests::sandbar::{Finished, Run, Server};
use sandbar_tests::{http, until};
use serde_json::json;
use tempfile::TempDir;

const RULES: &str = r#"rules: [{ apiGroups: [""], resources: [pods], verbs: [list] }]"#;

/// The tool of the guide in a version of its own, so that no cache has it.
fn version(folder: &TempDir, name: &str) -> PathBuf {
    let mut component = std::fs::read(build("restarts")).expect("a component");
    let text = format!("{name} {}", folder.path().display());
    // A section of the name `version`, of less than 128 bytes.
    component.extend([0, 8 + u8::try_from(text.len()).expect("short"), 7]);
    component.extend([b"version", text.as_bytes()].concat());
    let file = folder.path().join(format!("{name}.wasm"));
    std::fs::write(&file, component).expect("written");
    file
}

fn entry(component: &str, more: &str) -> String {
    format!("tools:\n  - {{ component: \"{component}\", {RULES}{more} }}\n")
}

/// A configuration's file in a folder.
fn configured(folder: &TempDir, yaml: &str) -> String {
    let file = folder.path().join("sandbar.yaml");
    std::fs::write(&file, yaml).expect("written");
    file.display().to_string()
}

/// Pushes a component, and returns where it is by digest.
async fn push(registry: &Registry, folder: &TempDir, file: &Path, tag: &str) -> String {
    let settings = folder.path().join("push.yaml");
    std::fs::write(&settings, registry.settings()).expect("written");
    let pushed = Run::new(&["push"]).arg(file).arg(registry.reference(tag)).arg("--config").arg(settings).finish().await;
    assert_eq!(pushed.code(), 0, "{pushed:?}");
    pushed.stdout.trim().to_owned()
}

fn digest(pinned: &str) -> &str {
    pinned.split_once('@').expect("a digest").1
}

async fn serve(yaml: &str) -> Server {
    Server::builder().cluster("demo").config(yaml).start().await
}

/// Waits until the server serves the tool, or until it does not.
async fn until_served(server: &Server, is_served: bool) {
    let client = Client::modern(server);
    until("the tool comes or goes", || async { (has_tool(&client).await == is_served).then_some(()) }).await;
}

async fn has_tool(client: &Client) -> bool {
    let listed = client.request("tools/list", json!({})).await;
    let mut tools = listed["result"]["tools"].as_array().expect("tools").iter();
    tools.any(|tool| tool["name"] == "list_restarts")
}

/// What is wrong, as the server says it to its operator.
async fn until_said(server: &Server, words: &str) {
    until(words, || async {
        let state = http::get(server.address(), "/readyz?verbose").await.text().await;
        state.contains(words).then_some(())
    })
    .await;
}

async fn run(command: &str, arguments: &[&str], config: &str) -> Finished {
    Run::new(&[&[command, "--config", config], arguments].concat()).finish().await
}

#[tokio::test]
async fn what_was_pushed_is_served_by_its_digest_and_from_then_on_without_a_registry() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start(&[]).await);
    let pinned = push(&registry, &folder, &version(&folder, "one"), "team/restarts:1").await;
    let offline = registry.settings_offline() + &entry(&pinned, "");
    let server = serve(&offline).await;
    until_said(&server, "no registry is asked; fill the cache with `sandbar pull`").await;
    assert!(!has_tool(&Client::modern(&server)).await);

    let online = serve(&(registry.settings() + &entry(&pinned, ""))).await;
    until_served(&online, true).await;
    let answer = Client::modern(&online).answer("list_restarts", json!({})).await;
    assert!(answer["restarts"].is_array() || answer["items"].is_array(), "{answer}");
    // By now it is in the cache that both have.
    drop((registry, online));
    server.signal("HUP");
    until_served(&server, true).await;
}

#[tokio::test]
async fn a_cache_is_filled_before_a_server_starts() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start(&["-login", "ann:s3cret", "-tokens"]).await);
    let login = json!({ "auths": { registry.address().to_string(): { "username": "ann", "password": "s3cret" } } });
    let credentials = folder.path().join("pull-secret.json");
    std::fs::write(&credentials, login.to_string()).unwrap();
    let named = format!("credentials: [{}], hosts", credentials.display());
    let settings = registry.settings_offline().replace("hosts", &named);
    let file = version(&folder, "one");
    let config = configured(&folder, &settings);
    let pushed = Run::new(&["push"]).arg(&file).arg(registry.reference("team/restarts:1")).arg("--config").arg(&config);
    let pinned = pushed.finish().await.stdout.trim().to_owned();
    let nobody = configured(&folder, &(registry.settings_offline() + &entry(&pinned, "")));
    run("pull", &[], &nobody).await.assert_refused("asks for credentials");
    let yaml = settings + &entry(&pinned, "");
    let config = configured(&folder, &yaml);
    let pulled = run("pull", &[], &config).await;
    assert_eq!((pulled.code(), pulled.stdout.trim()), (0, &*pinned), "{pulled:?}");
    drop(registry);
    until_served(&serve(&yaml).await, true).await;
    // To a file, and as an argument.
    let copy = folder.path().join("copy.wasm");
    let pulled = run("pull", &[&pinned, "-o", &copy.display().to_string()], &config).await;
    assert_eq!((pulled.code(), std::fs::read(copy).unwrap()), (0, std::fs::read(file).unwrap()), "{pulled:?}");
}

#[tokio::test]
async fn a_registry_that_is_down_at_start_holds_up_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::start(&[]).await;
    let (address, file) = (registry.address().to_string(), version(&folder, "one"));
    let pinned = push(&registry, &folder, &file, "team/restarts:1").await;
    let yaml = registry.settings() + &entry(&pinned, "");
    drop(registry);
    let server = serve(&yaml).await;
    Client::modern(&server).answer("check_health", json!({})).await;
    until_said(&server, &format!("{pinned}: ")).await;
    let registry = Registry::start(&["-address", &address]).await;
    push(&registry, &folder, &file, "team/restarts:1").await;
    until_served(&server, true).await;
}

#[tokio::test]
async fn a_tag_is_served_where_a_digest_or_a_signature_says_what_is_meant() {
    let (folder, registry, key) = (tempfile::tempdir().unwrap(), Registry::start(&[]).await, Key::new());
    let first = push(&registry, &folder, &version(&folder, "one"), "team/restarts:1").await;
    let tag = registry.reference("team/restarts:1");
    let unsigned = format!("{}signatures: {}\n{}", registry.settings(), key.policy(), entry(&tag, ""));
    let server = serve(&(registry.settings() + &entry(&tag, ""))).await;
    until_said(&server, "a tag can lead to anything").await;
    server.configure(&unsigned);
    until_said(&server, "it is not signed").await;
    registry.sign(&first, &key).await;
    server.signal("HUP");
    until_served(&server, true).await;

    // The next version: first it is not signed, then it is.
    let second = push(&registry, &folder, &version(&folder, "two"), "team/restarts:1").await;
    server.signal("HUP");
    until_said(&server, "the one that was loaded before stays in force").await;
    assert!(has_tool(&Client::modern(&server)).await);
    registry.sign(&second, &key).await;
    server.signal("HUP");
    until("the second one is served", || async {
        let state = http::get(server.address(), "/readyz?verbose").await.text().await;
        (!state.contains("stays in force")).then_some(())
    })
    .await;
    assert!(has_tool(&Client::modern(&server)).await);

    // One that is signed and asks for more.
    let third = push(&registry, &folder, &build("whoami"), "team/restarts:1").await;
    registry.sign(&third, &key).await;
    server.signal("HUP");
    until_said(&server, "it asks for more than it is granted").await;
    assert!(has_tool(&Client::modern(&server)).await, "the older one goes on");

    // Who has to have signed it is somebody else by now.
    server.configure(&unsigned.replace(&key.policy(), &Key::new().policy()));
    until_said(&server, "not made with this key").await;
    until_served(&server, false).await;
}

#[tokio::test]
async fn tags_are_locked_to_what_is_signed_and_asks_for_no_more() {
    let (folder, registry, key) = (tempfile::tempdir().unwrap(), Registry::start(&[]).await, Key::new());
    let first = push(&registry, &folder, &version(&folder, "one"), "team/restarts:1").await;
    let tag = registry.reference("team/restarts:1");
    let yaml = |digest: &str| {
        let digest = if digest.is_empty() { String::new() } else { format!("    digest: {digest}\n") };
        let policy = format!("signatures: {} # who\n", key.policy());
        format!("{}{policy}tools:\n  - component: {tag} # the tool\n{digest}    {RULES}\n", registry.settings())
    };
    let config = configured(&folder, &yaml(""));
    let text = || std::fs::read_to_string(&config).unwrap();
    run("lock", &[], &config).await.assert_refused("it is not signed");
    assert_eq!(run("lock", &["--check"], &config).await.code(), 1, "what it leads to is known");
    assert_eq!(text(), yaml(""));
    registry.sign(&first, &key).await;
    assert_eq!(run("lock", &["--check"], &config).await.code(), 1);
    assert_eq!(text(), yaml(""));
    let locked = run("lock", &[], &config).await;
    assert_eq!((locked.code(), text()), (0, yaml(digest(&first))), "{locked:?}");
    assert_eq!(run("lock", &["--check"], &config).await.code(), 0);
    until_served(&serve(&text()).await, true).await;

    let second = push(&registry, &folder, &version(&folder, "two"), "team/restarts:1").await;
    registry.sign(&second, &key).await;
    let locked = run("lock", &[], &config).await;
    assert_eq!((locked.code(), text()), (0, yaml(digest(&second))), "{locked:?}");
    assert!(locked.stdout.contains(&format!("(was {})", digest(&first))), "{locked:?}");

    let third = push(&registry, &folder, &build("whoami"), "team/restarts:1").await;
    registry.sign(&third, &key).await;
    let refused = run("lock", &[], &config).await;
    refused.assert_refused("asks for more than it is granted");
    assert!(refused.stderr.contains("imports.sandbar:tool/caller") && refused.stderr.contains("caller: true"), "{refused:?}");
    assert_eq!(text(), yaml(digest(&second)), "the digest that is there stays");
    assert_eq!(run("lock", &["--check"], &config).await.code(), 1);
    drop(registry);
    let unknown = run("lock", &["--check"], &config).await;
    assert!(unknown.code() == 2 && unknown.stderr.contains("the digest that is there stays"), "{unknown:?}");
    run("lock", &[], &config).await.assert_refused("the digest that is there stays");
}

#[tokio::test]
async fn a_component_is_pushed_with_a_tag_and_what_is_missing_is_told_in_words_of_pushing() {
    let folder = tempfile::tempdir().unwrap();
    let file = version(&folder, "one");
    for (to, said) in [
        ("oci://registry.example.com/team/restarts", "it has no tag, and `latest` is not assumed"),
        ("oci://registry.example.com:5000/restarts", "it has no tag, and `latest` is not assumed"),
        ("registry.example.com/team/restarts:1", "is no reference"),
    ] {
        let pushed = Run::new(&["push"]).arg(&file).arg(to).finish().await;
        assert!(pushed.code() == 2 && pushed.stderr.contains(said) && !pushed.stderr.contains("signature"), "{to}: {pushed:?}");
    }
    let broken = folder.path().join("broken.wasm");
    std::fs::write(&broken, b"\0asm\x0d\0\x01\0\xff").unwrap();
    let pushed = Run::new(&["push"]).arg(&broken).arg("oci://registry.example.com/team/restarts:1").finish().await;
    let words = pushed.stderr.trim();
    let (_, cause) = words.split_once("it cannot be read as WebAssembly: ").unwrap_or_else(|| panic!("{pushed:?}"));
    assert_eq!(words.matches(cause).count(), 1, "{words}");
    assert!(!cause.contains(": "), "{words}");
}

#[tokio::test]
async fn what_is_locked_is_what_is_served_wherever_its_tag_leads() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start(&[]).await);
    let first = push(&registry, &folder, &version(&folder, "one"), "team/restarts:1").await;
    let tag = registry.reference("team/restarts:1");
    push(&registry, &folder, &build("whoami"), "team/restarts:1").await;
    let server = serve(&(registry.settings() + &entry(&tag, &format!(", digest: \"{}\"", digest(&first))))).await;
    until_served(&server, true).await;
}

#[tokio::test]
async fn who_has_signed_is_said_and_what_is_pushed_is_shown() {
    let (folder, registry, key) = (tempfile::tempdir().unwrap(), Registry::start(&[]).await, Key::new());
    let pinned = push(&registry, &folder, &version(&folder, "one"), "team/restarts:1").await;
    let config = configured(&folder, &registry.settings());
    let public = folder.path().join("team.pub");
    std::fs::write(&public, key.public()).unwrap();
    let public = public.display().to_string();
    let tag = registry.reference("team/restarts:1");
    run("verify", &[&tag, "--key", &public], &config).await.assert_refused("it is not signed");
    registry.sign(&pinned, &key).await;
    let verified = run("verify", &[&tag, "--key", &public], &config).await;
    assert_eq!((verified.code(), verified.stdout.trim()), (0, &*pinned), "{verified:?}");
    assert!(verified.stderr.contains("is met by"), "{verified:?}");
    let other = folder.path().join("other.yaml");
    std::fs::write(&other, Key::new().policy()).unwrap();
    run("verify", &[&tag, "--policy", &other.display().to_string()], &config).await.assert_refused("not made with this key");
    assert_eq!(run("verify", &[&tag], &config).await.code(), 2, "nobody says who has to have signed it");

    let shown = run("inspect", &[&tag], &config).await;
    assert!(shown.stdout.contains("list_restarts") && shown.stdout.contains("version  one"), "{shown:?}");
    let same = run("diff", &[&pinned, &folder.path().join("one.wasm").display().to_string()], &config).await;
    assert_eq!(same.code(), 0, "{same:?}");
    let script = folder.path().join("a.js");
    std::fs::write(&script, "").unwrap();
    assert_eq!(run("push", &[&script.display().to_string(), &tag], &config).await.code(), 2);
}

#[tokio::test]
async fn a_file_that_is_not_what_its_entry_says_is_not_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = version(&folder, "one");
    let sum = |file: &Path| Digest::of(&std::fs::read(file).unwrap()).to_string();
    let yaml = |digest: &str| entry(&file.display().to_string(), &format!(", digest: \"{digest}\""));
    let first = sum(&file);
    let server = serve(&yaml(&first)).await;
    assert!(has_tool(&Client::modern(&server)).await);
    std::fs::copy(build("whoami"), &file).unwrap();
    until_said(&server, &format!("it has the digest {}", sum(&file))).await;
    assert!(has_tool(&Client::modern(&server)).await, "the one that was loaded goes on");
    // Neither is what the entry says now.
    server.configure(&yaml(&Digest::of(b"another").to_string()));
    until_served(&server, false).await;
    std::fs::rename(version(&folder, "two"), &file).unwrap();
    server.configure(&yaml(&sum(&file)));
    until_served(&server, true).await;
}

#[tokio::test]
async fn where_signatures_are_asked_for_a_file_is_served_by_its_digest_alone() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("restarts.js");
    let manifest = json!({ "rules": [], "tools": [{ "name": "list_restarts", "description": "A test.", "inputSchema": { "type": "object" } }] });
    std::fs::write(&script, format!("export const manifest = {manifest};\nexport function list_restarts() {{ return 1; }}\n"))
        .unwrap();
    let signatures = format!("signatures: {}\n", Key::new().policy());
    let server = serve(&(signatures.clone() + &entry(&script.display().to_string(), ""))).await;
    let digest = Digest::of(&std::fs::read(&script).unwrap());
    until_said(&server, &format!("add `digest: {digest}` to its entry")).await;
    server.configure(&(signatures + &entry(&script.display().to_string(), &format!(", digest: \"{digest}\""))));
    until_served(&server, true).await;
}

#[tokio::test]
async fn roles_are_written_for_what_is_elsewhere_and_only_when_all_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let roles = folder.path().join("rbac.yaml");
    std::fs::write(&roles, "as before").unwrap();
    let output = roles.display().to_string();
    let rbac = async |yaml: &str| {
        let config = configured(&folder, yaml);
        run("rbac", &["--cluster", "demo", "-o", &output], &config).await
    };
    let elsewhere = rbac(&entry("/tools/elsewhere/restarts.wasm", "")).await;
    assert_eq!(elsewhere.code(), 0, "{elsewhere:?}");
    assert!(elsewhere.stderr.contains("/tools/elsewhere/restarts.wasm is not here"), "{elsewhere:?}");
    let text = std::fs::read_to_string(&roles).unwrap();
    assert!(text.contains("kind: ClusterRole") && text.contains("pods"), "{text}");
    let in_registry = rbac(&entry(
        "oci://registry.example/team/restarts@sha256:0000000000000000000000000000000000000000000000000000000000000000",
        "",
    ))
    .await;
    assert_eq!((in_registry.code(), std::fs::read_to_string(&roles).unwrap()), (0, text), "{in_registry:?}");
    std::fs::write(&roles, "as before").unwrap();
    let broken = folder.path().join("broken.wasm");
    std::fs::write(&broken, "no component").unwrap();
    rbac(&entry(&broken.display().to_string(), "")).await.assert_refused("its rules are unknown");
    assert_eq!(std::fs::read_to_string(&roles).unwrap(), "as before");
}

#[tokio::test]
async fn another_policy_that_admits_what_is_served_takes_nothing_away_though_its_registry_is_down() {
    let (folder, registry, key) = (tempfile::tempdir().unwrap(), Registry::start(&[]).await, Key::new());
    let pinned = push(&registry, &folder, &version(&folder, "one"), "team/restarts:1").await;
    registry.sign(&pinned, &key).await;
    let yaml =
        format!("{}signatures: {}\n{}", registry.settings(), key.policy(), entry(&registry.reference("team/restarts:1"), ""));
    let server = serve(&yaml).await;
    until_served(&server, true).await;
    drop(registry);
    server.configure(&yaml.replace("\"owner\":\"team\"", "\"owner\":\"other words\""));
    until_said(&server, "the one that was loaded before stays in force").await;
    assert!(has_tool(&Client::modern(&server)).await);
    server.configure(&yaml.replace(&key.policy(), &Key::new().policy()));
    until_served(&server, false).await;
}

#[tokio::test]
async fn what_no_folder_would_keep_is_not_pulled() {
    let (folder, registry) = (tempfile::tempdir().unwrap(), Registry::start(&[]).await);
    let pinned = push(&registry, &folder, &version(&folder, "one"), "team/restarts:1").await;
    let config = configured(&folder, &(registry.settings() + &entry(&pinned, "")));
    let pull = |arguments: &[&str]| Run::new(arguments).env("SANDBAR_CACHE_DIR", "none").finish();
    pull(&["pull", "--config", &config]).await.assert_refused("--cache-dir");
    pull(&["compile", "--config", &config]).await.assert_refused("--cache-dir");
    let compiled = Run::new(&["compile", "--config", &config, "--packs=kubernetes"]).finish().await;
    assert!(compiled.code() == 0 && compiled.stdout.contains(&pinned), "{compiled:?}");
}
