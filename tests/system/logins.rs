//! Logins over time: credential plugins that fail, wait and come back, tokens that run out, files that change. Nothing needs a restart.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use sandbar_tests::http as wire;
use sandbar_tests::mcp::Client;
use sandbar_tests::sandbar::{Run, Server};
use sandbar_tests::tls_api::{Pair, Shape, TlsApi};
use sandbar_tests::until;
use serde_json::{Value, json};
use tempfile::TempDir;

/// An API server, and a folder for what leads to it.
struct Laptop {
    folder: TempDir,
    api: TlsApi,
    authority: Pair,
}

impl Laptop {
    fn new() -> Self {
        let authority = Pair::alone("authority", &Shape::authority());
        let api = TlsApi::start(&Pair::signed("server", &Shape::server(), &authority), &[], &authority);
        Self { folder: tempfile::tempdir().unwrap(), api, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        // At once, as who changes files with care does it.
        let new = self.path("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    /// The kubeconfig, whose user is this.
    fn kubeconfig(&self, user: &Value) -> PathBuf {
        self.write("ca", &self.authority.pem());
        let config = json!({
            "current-context": "test",
            "clusters": [{ "name": "test", "cluster": { "server": format!("https://{}", self.api.address()), "certificate-authority": "ca" } }],
            "users": [{ "name": "me", "user": user }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "me" } }],
        });
        self.write("kubeconfig", &config.to_string());
        self.path("kubeconfig")
    }

    /// A plugin with a script, and with secrets of its own.
    fn plugin(&self, script: &str) -> Value {
        let mut user = plugin(self.folder.path(), script);
        user["exec"]["args"] = json!(["--secret=SECRET-argument"]);
        user["exec"]["env"] = json!([{ "name": "LOGIN", "value": "SECRET-variable" }]);
        user
    }

    /// How often the plugin has run.
    fn runs(&self) -> usize {
        runs(self.folder.path())
    }

    async fn server(&self, user: &Value) -> Server {
        Server::builder().kubeconfig(&self.kubeconfig(user)).cluster("kubeconfig").start_unready().await
    }
}

/// A user whose credential plugin is this script, which notes in a folder that it runs. In the script, `$D` is the folder.
pub(crate) fn plugin(folder: &Path, script: &str) -> Value {
    let path = folder.join("plugin");
    std::fs::write(&path, format!("#!/bin/sh\nD={}\necho run >>$D/runs\n{script}\n", folder.display())).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    json!({ "exec": { "apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never" } })
}

/// How often the plugin of a folder has run.
pub(crate) fn runs(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("runs")).unwrap_or_default().lines().count()
}

/// What a plugin prints to give the token in a file of the folder.
pub(crate) const PRINT: &str = r#"printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$(cat $D/token)""#;

async fn is_healthy(client: &Client) -> bool {
    client.call("check_health", json!({})).await.is_ok()
}

async fn until_healthy(client: &Client) {
    until("the cluster can be asked", || async { is_healthy(client).await.then_some(()) }).await;
}

async fn readyz(server: &Server) -> String {
    wire::get(server.address(), "/readyz?verbose").await.text().await
}

/// Neither who asks nor who looks is told what the kubeconfig hands a plugin, or what that prints.
async fn assert_secrets_are_kept(server: &Server, words: &str) {
    for (place, text) in [("an answer", words), ("/readyz", &readyz(server).await), ("the log", &server.log())] {
        assert!(!text.contains("SECRET"), "{place}: {text}");
    }
}

#[tokio::test]
async fn a_token_that_has_run_out_is_renewed_once_for_all_calls() {
    let place = Laptop::new();
    place.write("token", "good-token");
    let server = place.server(&place.plugin(PRINT)).await;
    let client = Client::modern(&server);
    until_healthy(&client).await;
    for _ in 0..3 {
        assert!(is_healthy(&client).await);
    }
    assert_eq!(place.runs(), 1, "what it gives is kept");

    place.write("token", "fresh-token");
    place.api.accept_only("fresh-token");
    let calls = futures::future::join_all((0..8).map(|_| is_healthy(&client))).await;
    assert!(calls.iter().all(|healthy| *healthy), "{calls:?}");
    assert_eq!(place.runs(), 2);
}

#[tokio::test]
async fn a_login_that_has_run_out_heals_by_logging_in() {
    let place = Laptop::new();
    place.write("token", "good-token");
    let plugin = place.plugin(&format!(
        "[ -f $D/in ] || {{ echo \"SECRET-output\"; echo \"$@ $LOGIN: login has expired\" >&2; exit 1; }}\n{PRINT}"
    ));
    let server = place.server(&plugin).await;
    let client = Client::modern(&server);
    let words = client.failure("check_health", json!({})).await;
    assert!(
        words.contains("credential plugin") && words.contains("exit status 1") && words.contains("kubectl version"),
        "{words}"
    );
    assert_eq!(wire::get(server.address(), "/readyz").await.status, 503);
    assert!(server.log().contains("login has expired"), "the operator reads the plugin's words: {}", server.log());
    assert_secrets_are_kept(&server, &words).await;
    // However many ask, it is left alone for a while.
    let before = place.runs();
    for _ in 0..20 {
        client.failure("check_health", json!({})).await;
    }
    assert!(place.runs() <= before + 5, "{} runs", place.runs() - before);

    place.write("in", "");
    until_healthy(&client).await;
    until("the server is ready", || async { (wire::get(server.address(), "/readyz").await.status == 200).then_some(()) }).await;
    let log = server.log();
    assert!(log.contains("logged in again"), "{log}");
    assert_eq!(log.matches("login has expired").count(), 1, "the same words are not logged again and again: {log}");
}

#[tokio::test]
async fn a_plugin_that_waits_for_somebody_keeps_nothing_from_being_served() {
    let place = Laptop::new();
    place.write("token", "good-token");
    let server = place
        .server(
            &place.plugin(&format!("echo 'open https://login.example' >&2\nwhile ! [ -f $D/in ]; do sleep 0.1; done\n{PRINT}")),
        )
        .await;
    let client = Client::modern(&server);
    let words = client.failure("check_health", json!({})).await;
    assert!(words.contains("credential plugin") && words.contains("wait for somebody"), "{words}");
    server.until_logged("open https://login.example").await;
    server.until_logged("may wait for somebody to log in").await;
    assert_eq!(wire::get(server.address(), "/healthz").await.status, 200);
    assert_eq!(wire::get(server.address(), "/readyz").await.status, 503);
    assert_eq!(place.runs(), 1, "nobody starts another");
    place.write("in", "");
    until_healthy(&client).await;
    assert_eq!(place.runs(), 1);
}

#[tokio::test]
async fn a_plugin_that_is_not_there_is_named_with_its_hint() {
    let place = Laptop::new();
    let mut user = place.plugin("");
    user["exec"]["command"] = json!("aws-iam-authenticator-of-a-test");
    user["exec"]["installHint"] = json!("Install it with brew");
    let server = place.server(&user).await;
    let words = Client::modern(&server).failure("check_health", json!({})).await;
    assert!(words.contains("aws-iam-authenticator-of-a-test") && words.contains("Install it with brew"), "{words}");
    assert_secrets_are_kept(&server, &words).await;
}

#[tokio::test]
async fn a_server_that_accepts_nothing_does_not_make_plugins_run_without_end() {
    let place = Laptop::new();
    place.write("token", "SECRET-token");
    let server = place.server(&place.plugin(PRINT)).await;
    let client = Client::modern(&server);
    let words = client.failure("check_health", json!({})).await;
    assert!(words.contains("does not accept") && words.contains("log in anew"), "{words}");
    for _ in 0..20 {
        client.failure("check_health", json!({})).await;
    }
    assert!(place.runs() < 10, "{} runs", place.runs());
    assert_secrets_are_kept(&server, &words).await;
}

#[tokio::test]
async fn a_kubeconfig_that_changes_is_read_again() {
    let place = Laptop::new();
    let server = place.server(&json!({ "token": "SECRET-token" })).await;
    let client = Client::modern(&server);
    let words = client.failure("check_health", json!({})).await;
    assert!(words.contains("does not accept") && words.contains("another token"), "{words}");
    place.kubeconfig(&json!({ "token": "good-token" }));
    until_healthy(&client).await;

    // One that is broken while it is written changes nothing.
    place.write("kubeconfig", "users: [SECRET");
    until("it is told", || async {
        assert!(is_healthy(&client).await);
        server.log().contains("cannot be used").then_some(())
    })
    .await;
    // A cluster that was made anew: another address, another authority.
    let again = Laptop { folder: place.folder, ..Laptop::new() };
    again.kubeconfig(&json!({ "token": "good-token" }));
    let asked = again.api.requests().len();
    until_healthy(&client).await;
    until("the new cluster is asked", || async {
        is_healthy(&client).await;
        (again.api.requests().len() > asked).then_some(())
    })
    .await;
    assert_secrets_are_kept(&server, "").await;
}

#[tokio::test]
async fn a_file_of_the_list_that_comes_later_is_read_too() {
    let place = Laptop::new();
    let mut config: Value = serde_json::from_slice(&std::fs::read(place.kubeconfig(&Value::Null)).unwrap()).unwrap();
    config["users"] = json!([]);
    place.write("kubeconfig", &config.to_string());
    let users = |token: &str| json!({ "users": [{ "name": "me", "user": { "token": token } }] }).to_string();
    let list = std::env::join_paths(["zeroth", "kubeconfig", "second"].map(|name| place.path(name))).unwrap();
    let server = Server::builder().kubeconfig(Path::new(&list)).cluster("kubeconfig").start_unready().await;
    let client = Client::modern(&server);
    let words = client.failure("check_health", json!({})).await;
    assert!(words.contains("no credentials"), "{words}");
    // An empty one names nobody: the first that does counts, wherever it stands.
    place.write("zeroth", "");
    place.write("second", &users("good-token"));
    until_healthy(&client).await;

    place.api.accept_only("fresh-token");
    assert!(!is_healthy(&client).await, "the token is another now");
    place.write("second", &users("fresh-token"));
    until_healthy(&client).await;
}

#[tokio::test]
async fn a_token_in_a_file_and_a_certificate_in_files_are_read_again() {
    let place = Laptop::new();
    place.write("token", "good-token\n");
    let server = place.server(&json!({ "tokenFile": "token" })).await;
    let client = Client::modern(&server);
    until_healthy(&client).await;
    place.write("token", "fresh-token\n");
    place.api.accept_only("fresh-token");
    assert!(is_healthy(&client).await, "a 401 is enough");

    let place = Laptop::new();
    let write = |by: &Pair| {
        let client = Pair::signed("client", &Shape::default(), by);
        place.write("key", &client.key_pem());
        place.write("crt", &client.pem());
    };
    write(&Pair::alone("stranger", &Shape::authority()));
    let server = place.server(&json!({ "client-certificate": "crt", "client-key": "key" })).await;
    let client = Client::modern(&server);
    let words = client.failure("check_health", json!({})).await;
    assert!(words.contains("certificate"), "{words}");
    write(&place.authority);
    until_healthy(&client).await;
}

#[tokio::test]
async fn a_command_waits_for_a_login_longer_than_a_call_would() {
    let place = Laptop::new();
    place.write("token", "good-token");
    // Twice as long as the call may take.
    let slow = format!("i=0; while [ $i -lt 20 ]; do sleep 0.1; i=$((i + 1)); done\n{PRINT}");
    let kubeconfig = place.kubeconfig(&place.plugin(&slow));
    let config = place.path("sandbar.yaml");
    std::fs::write(&config, "limits: {time: 1s}\n").unwrap();
    let run =
        Run::new(&["call", "check_health", "--cluster", "kubeconfig", "--config"]).arg(&config).env("KUBECONFIG", &kubeconfig);
    let finished = run.finish().await;
    assert!(finished.code() == 0 && finished.stdout.contains(r#""status":"ok""#), "{finished:?}");
    assert_eq!(place.runs(), 1);
}

/// What a kubeconfig's folder holds must not depend on where the server was started.
#[tokio::test]
async fn paths_begin_where_the_kubeconfig_is() {
    let place = Laptop::new();
    place.write("token", "good-token");
    let mut user = place.plugin(PRINT);
    user["exec"]["command"] = json!("./plugin");
    let kubeconfig = place.kubeconfig(&user);
    for (folder, path) in [(Path::new("/"), kubeconfig.as_path()), (place.folder.path(), Path::new("kubeconfig"))] {
        let run = Run::new(&["call", "check_health", "--cluster", "kubeconfig"]).within(folder).env("KUBECONFIG", path);
        let finished = run.finish().await;
        assert_eq!(finished.code(), 0, "{finished:?}");
    }
}
