//! TLS on the listener: who is served, what happens while a certificate is renewed, and what a handshake may take.
#![allow(clippy::print_stderr, reason = "a program that is not on this machine is a line, not a failure")]

use std::path::{Path, PathBuf};
use std::process::Output;

use rcgen::ExtendedKeyUsagePurpose;
use sandbar_tests::clients::{Era, Outcome, RealClient};
use sandbar_tests::fake_api::{FakeAnswer, FakeApi, Gate};
use sandbar_tests::http as wire;
use sandbar_tests::https::HttpsClient;
use sandbar_tests::mcp;
use sandbar_tests::raw::Raw;
use sandbar_tests::sandbar::{Builder, Run, Server};
use sandbar_tests::tls_api::{Pair, Shape};
use sandbar_tests::{TOOLS, in_time, until};
use serde_json::{Value, json};

/// An authority, and the files of a certificate that it has signed.
struct Files {
    authority: Pair,
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let authority = Pair::alone("authority", &Shape::authority());
        let files = Self { authority, folder: tempfile::tempdir().unwrap() };
        files.write("ca.crt", &files.authority.pem());
        let pair = files.pair();
        files.write("tls.crt", &pair.pem());
        files.write("tls.key", &pair.key_pem());
        files
    }

    /// Another pair that clients trust.
    fn pair(&self) -> Pair {
        Pair::signed("sandbar", &Shape::server(), &self.authority)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// In its place, as editors do.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).unwrap();
    }

    fn client(&self) -> HttpsClient {
        HttpsClient::new(&self.authority, None)
    }

    /// A server of the demo cluster with these files.
    fn server(&self) -> Builder {
        self.serving(Server::builder().cluster("demo"))
    }

    fn serving(&self, server: Builder) -> Builder {
        server.arg("--tls-certificate").arg(self.at("tls.crt")).arg("--tls-key").arg(self.at("tls.key"))
    }
}

/// Starts it and waits until it is ready.
async fn started(server: Builder, client: &HttpsClient) -> Server {
    let server = server.start_unready().await;
    until("the server is ready", || async {
        client.get(server.address(), "/readyz").await.is_ok_and(|reply| reply.status == 200).then_some(())
    })
    .await;
    server
}

async fn verbose(client: &HttpsClient, server: &Server) -> String {
    client.get(server.address(), "/readyz?verbose").await.unwrap().text().await
}

fn call(tool: &str, arguments: Value) -> http::Request<bytes::Bytes> {
    mcp::modern(json!(1), "tools/call", json!({ "name": tool, "arguments": arguments }))
}

/// A GET as it goes over the wire.
fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[tokio::test]
async fn calls_are_answered_over_tls_and_plain_http_is_told_to_use_it() {
    let files = Files::new();
    let client = files.client();
    let server = started(files.server(), &client).await;
    assert!(server.log().contains(&format!("connect an MCP client to https://{}/mcp", server.address())), "{}", server.log());
    let reply = client.send(server.address(), call("check_health", json!({}))).await.unwrap();
    assert_eq!(reply.message().await.unwrap()["result"]["structuredContent"]["status"], "ok");
    let state = verbose(&client, &server).await;
    assert!(state.contains("tls.crt: valid until 2199-01-01T00:00:00Z"), "{state}");

    for request in
        [wire::get(server.address(), "/healthz").await, wire::send(server.address(), mcp::initialize(mcp::LEGACY)).await]
    {
        assert_eq!((request.status.as_u16(), request.header("connection")), (400, Some("close")));
        let message = request.message().await.unwrap();
        assert_eq!(message["error"]["message"], "this port speaks TLS: use https://");
    }
    for garbage in ["\x15\x03\x01\0\x02\x01\0", "\x16\x03\x01\0\x05hello", "\0\0\0\0\r\n\r\n"] {
        let answers = Raw::sent(server.address(), garbage).await;
        // An alert or a refusal, and an end.
        in_time("an end", ended(answers)).await;
    }
    assert_eq!(client.get(server.address(), "/healthz").await.unwrap().status, 200);
}

/// Reads whatever comes until the server ends the connection.
async fn ended(mut raw: Raw) {
    while raw.more().await {}
}

#[tokio::test]
async fn other_programs_connect() {
    let files = Files::new();
    let server = started(files.server(), &files.client()).await;
    let (address, authority) = (server.address().to_string(), files.at("ca.crt"));
    let url = format!("https://{address}/healthz");
    if let Some(output) = run("curl", &["-sS", "--fail", "--cacert"], &authority, &[&url]).await {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "ok", "{output:?}");
    }
    for (version, expected) in [("-tls1_3", Some("TLSv1.3")), ("-tls1_2", Some("TLSv1.2")), ("-tls1_1", None)] {
        let more = ["-connect", &address, version, "-alpn", "h2,http/1.1", "-verify_return_error", "-brief"];
        let Some(output) = run("openssl", &["s_client", "-CAfile"], &authority, &more).await else { return };
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.success(), expected.is_some(), "{version}: {said}");
        assert!(expected.is_none_or(|version| said.contains(version) && said.contains("Verification: OK")), "{version}: {said}");
    }
}

/// Runs a program that may not be there.
async fn run(program: &str, before: &[&str], file: &Path, after: &[&str]) -> Option<Output> {
    let mut command = tokio::process::Command::new(program);
    command.args(before).arg(file).args(after).stdin(std::process::Stdio::null()).kill_on_drop(true);
    match in_time(program, command.output()).await {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("SKIPPED {program}: {error}");
            None
        }
    }
}

#[tokio::test]
async fn the_python_client_connects_over_tls() {
    connects(RealClient::Python).await;
}

#[tokio::test]
async fn the_typescript_client_connects_over_tls() {
    connects(RealClient::TypeScriptV2).await;
}

#[tokio::test]
async fn the_go_client_connects_over_tls() {
    connects(RealClient::Go).await;
}

async fn connects(real: RealClient) {
    let files = Files::new();
    let server = started(files.server(), &files.client()).await;
    let url = format!("https://{}/mcp", server.address());
    for era in [Era::Legacy, Era::Modern] {
        let (greeting, mut client) = match real.connect_trusting(&url, era, Some(&files.at("ca.crt"))).await {
            Ok(connected) => connected,
            Err(reason) => return eprintln!("SKIPPED {real:?}: {reason}"),
        };
        assert_eq!(greeting.tools, *TOOLS);
        match client.call("check_health", json!({})).await {
            Outcome::Result { structured, is_error: false, .. } => assert_eq!(structured["status"], "ok"),
            failed => panic!("{failed:?}"),
        }
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    // As the kubelet mounts a Secret: FILE -> ..data/FILE, ..data -> a folder with the time in its name.
    let files = Files::new();
    let version = |name: &str| {
        let pair = files.pair();
        std::fs::create_dir(files.at(name)).unwrap();
        files.write(&format!("{name}/tls.crt"), &pair.pem());
        files.write(&format!("{name}/tls.key"), &pair.key_pem());
        pair
    };
    let turn = |to: &str| {
        std::os::unix::fs::symlink(to, files.at("..new")).unwrap();
        std::fs::rename(files.at("..new"), files.at("..data")).unwrap();
    };
    let (first, second) = (version("..1"), version("..2"));
    turn("..1");
    for name in ["tls.crt", "tls.key"] {
        std::fs::remove_file(files.at(name)).unwrap();
        std::os::unix::fs::symlink(format!("..data/{name}"), files.at(name)).unwrap();
    }
    let client = files.client();
    let server = started(files.server(), &client).await;
    assert_eq!(client.shown_by(server.address()).await, *first.der());
    let mut old = Raw::over(client.connect(server.address()).await.unwrap());
    old.send(get("/healthz")).await;
    assert_eq!(old.answer().await.unwrap().body, "ok");

    turn("..2");
    until("the new certificate", || async { (client.shown_by(server.address()).await == *second.der()).then_some(()) }).await;
    old.send(get("/healthz")).await;
    assert_eq!(old.answer().await.unwrap().body, "ok");
    assert!(server.log().contains("the certificate was replaced"), "{}", server.log());
}

#[tokio::test]
async fn a_pair_that_does_not_match_leaves_the_one_before_in_use_and_is_told_once() {
    let files = Files::new();
    let client = files.client();
    let server = started(files.server(), &client).await;
    let before = client.shown_by(server.address()).await;
    let next = files.pair();
    files.write("tls.crt", &next.pem());
    const SAID: &str = "certificate not replaced, the one before stays in use";
    server.until_logged(SAID).await;
    let state = verbose(&client, &server).await;
    assert!(state.contains(SAID) && state.contains("tls.key is not the key of its certificate"), "{state}");
    // A file that cannot be used for another reason is told, too; so there were looks in between.
    std::fs::write(files.at("tls.key"), "nothing").unwrap();
    server.until_logged("is not PEM with a PRIVATE KEY in it").await;
    assert_eq!(server.log().matches("is not the key of its certificate").count(), 1, "{}", server.log());
    assert_eq!(client.shown_by(server.address()).await, before);
    assert_eq!(client.get(server.address(), "/readyz").await.unwrap().status, 200);

    files.write("tls.key", &next.key_pem());
    until("the new certificate", || async { (client.shown_by(server.address()).await == *next.der()).then_some(()) }).await;
    until("all is well", || async { (!verbose(&client, &server).await.contains("[-]")).then_some(()) }).await;
}

#[tokio::test]
async fn a_server_without_a_pair_that_works_does_not_start() {
    let files = Files::new();
    let serve = async |arguments: &[&str]| {
        let run = Run::new(&["serve", "--cluster", "demo", "--listen", "127.0.0.1:0"]).within(files.folder.path());
        arguments.iter().fold(run, Run::arg).finish().await
    };
    files.write("other.key", &files.pair().key_pem());
    for (arguments, said) in [
        (&["--tls-certificate=tls.crt"][..], "--tls-key"),
        (&["--tls-client-ca=ca.crt"], "--tls-certificate and --tls-key"),
        (&["--tls-certificate=tls.crt", "--tls-key=other.key"], "the key other.key is not the key of its certificate"),
        (&["--tls-certificate=none.crt", "--tls-key=tls.key"], "the certificate none.crt cannot be read: No such file"),
        (&["--tls-certificate=tls.crt", "--tls-key=tls.key", "--tls-client-ca=tls.crt"], "no authority's"),
    ] {
        let finished = serve(arguments).await;
        finished.assert_refused(said);
    }
}

#[tokio::test]
async fn a_client_may_show_a_certificate_of_the_authority_or_none_and_no_other() {
    let files = Files::new();
    let for_clients = Shape { purpose: Some(ExtendedKeyUsagePurpose::ClientAuth), ..Shape::default() };
    let [another, namesake] = ["another", "authority"].map(|name| Pair::alone(name, &Shape::authority()));
    let shows = |pair: &Pair| HttpsClient::new(&files.authority, Some(pair));
    let own = shows(&Pair::signed("front-proxy", &for_clients, &files.authority));
    let config = "tls: { certificate: tls.crt, key: tls.key, clientCertificateAuthority: ca.crt }\n";
    files.write("sandbar.yaml", config);
    let server = Server::builder().cluster("demo").arg("--config").arg(files.at("sandbar.yaml")).env("SANDBAR_LOG", "debug");
    let server = started(server, &files.client()).await;
    let address = server.address();
    let health = async |client: &HttpsClient| {
        let reply = client.send(address, call("check_health", json!({}))).await?;
        Ok::<_, std::io::Error>(reply.message().await.expect("an answer")["result"]["structuredContent"]["status"].clone())
    };
    assert_eq!(health(&files.client()).await.unwrap(), "ok");
    assert_eq!(health(&own).await.unwrap(), "ok");
    for (reason, shape, by) in [
        ("UnknownIssuer", for_clients.clone(), &another),
        ("BadSignature", for_clients.clone(), &namesake),
        ("certificate expired", Shape { expired: true, ..for_clients.clone() }, &files.authority),
        ("extended key usage", Shape::server(), &files.authority),
    ] {
        let refused = shows(&Pair::signed("front-proxy", &shape, by));
        assert!(health(&refused).await.is_err(), "{reason}");
        until(&format!("{reason} in the log"), || async {
            server.log().lines().any(|line| line.contains("a TLS handshake failed") && line.contains(reason)).then_some(())
        })
        .await;
    }

    // Another authority takes the place of the first.
    let theirs = shows(&Pair::signed("front-proxy", &for_clients, &another));
    files.write("ca.crt", &another.pem());
    until("the other authority counts", || async { health(&theirs).await.is_ok().then_some(()) }).await;
    assert!(health(&own).await.is_err());
}

#[tokio::test]
async fn handshakes_that_hang_give_their_places_back() {
    let files = Files::new();
    let client = files.client();
    let server = started(files.server().arg("--connections=8"), &client).await;
    // Of those that say nothing, and of those that begin and do not go on, more than there is room for.
    let mut hanging = Vec::new();
    for number in 0..80 {
        let begun: &[u8] = if number % 2 == 0 { b"" } else { b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" };
        hanging.push(Raw::sent(server.address(), begun).await);
    }
    until("there is room again", || async {
        let reply = client.send(server.address(), mcp::initialize(mcp::LEGACY)).await.ok()?;
        (reply.status == 200).then_some(())
    })
    .await;
    for raw in hanging {
        ended(raw).await;
    }
}

#[tokio::test]
async fn a_large_answer_arrives_whole_and_many_come_on_one_connection() {
    let files = Files::new();
    let client = files.client();
    let log: String = (0..10_000).map(|number| format!("{number:099}\n")).collect();
    let sent = log.clone();
    let api = FakeApi::start(move |path| path.contains("/log").then(|| FakeAnswer::text(200, &sent)));
    let kubeconfig = files.at("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig");
    let server = started(files.serving(server), &client).await;
    let mut connection = Raw::over(client.connect(server.address()).await.unwrap());
    let (head, body) = call("get_pod_logs", json!({ "namespace": "a", "name": "b", "tailLines": 100_000 })).into_parts();
    let mut request = format!("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in &head.headers {
        request += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    let request = [request.as_bytes(), b"\r\n", &body].concat();
    for _ in 0..3 {
        connection.send(&request).await;
        let message = connection.answer().await.expect("an answer").json();
        assert!(message["result"]["structuredContent"]["logs"] == json!(log), "{:?}", message.to_string().get(..500));
    }
}

#[tokio::test]
async fn a_server_that_stops_answers_over_tls_what_it_has_begun() {
    let files = Files::new();
    let client = files.client();
    let gate = Gate::closed();
    let held = gate.clone();
    let api = FakeApi::start(move |path| {
        let list = json!({ "kind": "List", "apiVersion": "v1", "metadata": {}, "items": [] });
        path.contains("/coderworkspaces").then(|| FakeAnswer::Behind(held.clone(), Box::new(FakeAnswer::json(&list))))
    });
    let kubeconfig = files.at("kubeconfig");
    api.write_kubeconfig(&kubeconfig);
    let server = Server::builder().kubeconfig(&kubeconfig).cluster("kubeconfig");
    let mut server = started(files.serving(server), &client).await;
    let address = server.address();
    let mut idle = Raw::over(client.connect(address).await.unwrap());
    idle.send(get("/healthz")).await;
    assert_eq!(idle.answer().await.unwrap().body, "ok");
    let waiting = client.send(address, call("list_workspaces", json!({ "namespace": "team-a" }))).await.unwrap();

    server.signal("TERM");
    until("it is not ready any more", || async {
        client.get(address, "/readyz").await.is_ok_and(|reply| reply.status == 503).then_some(())
    })
    .await;
    let reply = client.send(address, call("check_health", json!({}))).await.unwrap();
    assert_eq!(reply.header("connection"), Some("close"));
    assert_eq!(reply.message().await.unwrap()["result"]["structuredContent"]["status"], "ok");
    gate.open();
    let message = waiting.message().await.expect("an answer");
    assert!(message["result"]["structuredContent"].is_object(), "{message}");
    assert!(idle.answer().await.is_none(), "an idle connection ends in peace");
    assert!(server.ended().await.success());
}
