//! `sandbar connect`: clients over stdio and over a port of this machine, ways to a server, and what heals.
#![allow(clippy::print_stderr, reason = "a client that cannot be had on this machine is a line, not a failure")]

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::Request;
use rcgen::ExtendedKeyUsagePurpose;
use sandbar_tests::clients::{Era, Outcome, Program, RealClient};
use sandbar_tests::components;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::extension::Extension;
use sandbar_tests::http as wire;
use sandbar_tests::mcp;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Run, Server};
use sandbar_tests::stdio::{Stdio, modern};
use sandbar_tests::tls_api::{Pair, Shape};
use sandbar_tests::{TOOLS, in_time, until};
use serde_json::{Value, json};

use crate::logins::{PRINT, plugin, runs};

/// `sandbar connect` to a server at an address.
fn to_url(address: SocketAddr) -> Run {
    Run::new(&["connect", "--url"]).arg(format!("http://{address}/mcp"))
}

/// A server whose ids of sessions are signed with this key.
async fn server_with_key(at: Option<SocketAddr>, key: &str) -> Server {
    let builder = Server::builder().cluster("demo").env("SANDBAR_SESSION_KEY", key);
    let builder = if let Some(address) = at { builder.listen(address) } else { builder };
    builder.start().await
}

const KEY: &str = "a key of sixteen bytes or more";

/// Ends a server as a pod that is gone.
async fn kill(mut server: Server) {
    server.signal("KILL");
    server.ended().await;
}

#[tokio::test]
async fn real_clients_start_it_and_reach_a_server() {
    let server = server_with_key(None, KEY).await;
    let program = to_url(server.address()).as_program();
    for (client, era) in CLIENTS {
        uses(client, era, &program).await;
    }
}

#[tokio::test]
async fn real_clients_start_it_as_a_whole_server() {
    let program = Run::new(&["connect", "--cluster", "demo"]).as_program();
    for (client, era) in CLIENTS {
        uses(client, era, &program).await;
    }
}

/// Claude Desktop's way, and that of whatever starts programs.
const CLIENTS: [(RealClient, Era); 5] = [
    (RealClient::TypeScriptV1, Era::Legacy),
    (RealClient::TypeScriptV2, Era::Legacy),
    (RealClient::TypeScriptV2, Era::Modern),
    (RealClient::Python, Era::Legacy),
    (RealClient::Python, Era::Modern),
];

async fn uses(client: RealClient, era: Era, program: &Program) {
    let (greeting, mut connected) = match client.connect_to_program(program, era).await {
        Ok(connected) => connected,
        Err(reason) => return eprintln!("SKIPPED {client:?}: {reason}"),
    };
    assert_eq!(greeting.protocol, era.version(), "{client:?}");
    assert_eq!(greeting.tools, *TOOLS, "{client:?}");
    for (tool, arguments) in [("check_health", json!({})), ("get_events", json!({ "namespace": "coder" }))] {
        let outcome = connected.call(tool, arguments).await;
        assert!(matches!(&outcome, Outcome::Result { is_error: false, .. }), "{client:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back_costs_a_client_nothing() {
    let mut server = server_with_key(None, KEY).await;
    let address = server.address();
    let mut client = to_url(address).converse();
    client.initialize().await;
    client.call("check_health", json!({})).await;
    for _ in 0..2 {
        kill(server).await;
        // Nobody is there now, and somebody is before the client gives up.
        let id = client.send("tools/list", json!({})).await;
        server = server_with_key(Some(address), KEY).await;
        let answer = client.answer(id).await;
        assert_eq!(answer["result"]["tools"].as_array().map(Vec::len), Some(TOOLS.len()), "{answer}");
    }
    let (status, log) = client.end().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn a_session_that_the_server_does_not_know_is_begun_anew() {
    let server = server_with_key(None, KEY).await;
    let address = server.address();
    let mut client = to_url(address).converse();
    client.initialize().await;
    client.call("check_health", json!({})).await;
    kill(server).await;
    let _another = server_with_key(Some(address), "another key of sixteen bytes").await;
    client.call("check_health", json!({})).await;
    // What it lists may be another list, since the session is another.
    assert_eq!(client.next_told().await["method"], "notifications/tools/list_changed");
    client.call("check_health", json!({})).await;
}

#[tokio::test]
async fn a_change_of_the_list_is_told_over_the_death_of_a_server() {
    let config = |tools: &str| format!("bundled: {{ tools: {{ {tools} }} }}\n");
    let server = |at: Option<SocketAddr>, disabled: &'static str| async move {
        let builder = Server::builder().cluster("demo").env("SANDBAR_SESSION_KEY", KEY).config(&config(disabled));
        let builder = if let Some(address) = at { builder.listen(address) } else { builder };
        builder.start().await
    };
    let first = server(None, "").await;
    let address = first.address();
    // A client of each era: one has a stream, one a subscription.
    let mut legacy = to_url(address).converse();
    legacy.initialize().await;
    let mut newer = to_url(address).converse();
    let subscription = newer.send("subscriptions/listen", modern(json!({ "notifications": { "toolsListChanged": true } }))).await;
    let acknowledged = newer.next_told().await;
    assert_eq!(acknowledged["method"], "notifications/subscriptions/acknowledged", "{acknowledged}");
    kill(first).await;
    let _second = server(Some(address), "get_events: { enabled: false }").await;
    assert_eq!(legacy.next_told().await["method"], "notifications/tools/list_changed");
    let told = newer.next_told().await;
    assert_eq!(told["method"], "notifications/tools/list_changed", "{told}");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], json!(subscription));
    let listed = newer.request("tools/list", modern(json!({}))).await;
    assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(TOOLS.len() - 1), "{listed}");
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_in_words() {
    let nobody = Server::builder().cluster("demo").start().await;
    let address = nobody.address();
    kill(nobody).await;
    let mut client = to_url(address).converse();
    let answer = client.request("tools/list", modern(json!({}))).await;
    let error = &answer["error"];
    assert_eq!((&error["code"], &error["data"]["maySendAgain"]), (&json!(-32000), &json!(true)), "{answer}");
    let words = error["message"].as_str().expect("words");
    assert!(words.contains("connection refused") && words.contains("may be sent again"), "{words}");

    let server = Server::builder().cluster("demo").start().await;
    let mut client = Run::new(&["connect", "--url"]).arg(format!("http://{}/other", server.address())).converse();
    let answer = client.request("tools/list", modern(json!({}))).await;
    let words = answer["error"]["message"].as_str().expect("words");
    assert!(words.contains("/mcp"), "{words}");
}

#[tokio::test]
async fn whatever_a_client_writes_has_an_answer_and_standard_output_is_mcps() {
    let server = Server::builder().cluster("demo").start().await;
    let mut client = to_url(server.address()).converse();
    for (line, code) in [
        ("{", -32700),
        ("[]", -32600),
        (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
        (&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":"{}"}}}}"#, "x".repeat(4 << 20)), -32000),
        (r#"{"jsonrpc":"2.0","id":1,"method":"none","params":{}}"#, -32601),
    ] {
        client.write(line).await;
        let answer = client.read().await;
        assert_eq!(answer["error"]["code"], json!(code), "{answer}");
    }
    client.write("").await;
    // The last answers are waited for.
    client.send("tools/list", modern(json!({}))).await;
    let (status, log) = client.end().await;
    assert!(status.success(), "{log}");
}

#[tokio::test]
async fn a_cancelled_request_has_no_answer_in_either_era() {
    let server = Server::builder().cluster("demo").start().await;
    let mut client = to_url(server.address()).converse();
    let subscription = client.send("subscriptions/listen", modern(json!({ "notifications": {} }))).await;
    client.next_told().await;
    client.notify("notifications/cancelled", json!({ "requestId": subscription })).await;
    // There is one answer, to this.
    let answer = client.request("tools/list", modern(json!({}))).await;
    assert!(answer["result"]["tools"].is_array(), "{answer}");
    let (status, _) = client.end().await;
    assert!(status.success());
}

/// A `sandbar connect --listen` that waits for clients.
async fn port(run: Run) -> (Stdio, SocketAddr) {
    let connect = run.arg("--listen").arg("127.0.0.1:0").converse();
    let address = until("it says where it listens", || {
        let log = connect.log();
        async move {
            let (_, rest) = log.split_once("connect an MCP client to http://")?;
            rest.split_once("/mcp")?.0.parse().ok()
        }
    })
    .await;
    (connect, address)
}

#[tokio::test]
async fn a_port_serves_clients_of_this_machine_in_both_eras() {
    let server = server_with_key(None, KEY).await;
    let (_connect, address) = port(to_url(server.address())).await;
    let url = format!("http://{address}/mcp");
    for (client, era) in CLIENTS {
        let (greeting, mut connected) = match client.connect(&url, era).await {
            Ok(connected) => connected,
            Err(reason) => {
                eprintln!("SKIPPED {client:?}: {reason}");
                continue;
            }
        };
        assert_eq!(greeting.tools, *TOOLS, "{client:?}");
        let outcome = connected.call("check_health", json!({})).await;
        assert!(matches!(&outcome, Outcome::Result { is_error: false, .. }), "{client:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_client_at_the_port_outlives_its_server_and_its_session() {
    let server = server_with_key(None, KEY).await;
    let at = server.address();
    let (_connect, address) = port(to_url(at)).await;
    let opened = wire::send(address, mcp::initialize(mcp::LEGACY)).await;
    let session = opened.header("mcp-session-id").expect("a session").to_owned();
    let list = || {
        let mut request = mcp::post(json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {} }));
        mcp::set(&mut request, "mcp-session-id", &session);
        mcp::set(&mut request, "mcp-protocol-version", mcp::LEGACY);
        wire::send(address, request)
    };
    let count = |message: Value| message["result"]["tools"].as_array().map(Vec::len);
    assert_eq!(count(list().await.message().await.expect("a list")), Some(TOOLS.len()));
    kill(server).await;
    let _another = server_with_key(Some(at), "another key of sixteen bytes").await;
    assert_eq!(count(list().await.message().await.expect("a list")), Some(TOOLS.len()));
}

#[tokio::test]
async fn the_port_is_no_door_for_web_pages_and_other_machines() {
    let server = Server::builder().cluster("demo").start().await;
    let (_connect, address) = port(to_url(server.address())).await;
    let list = || mcp::modern(json!(1), "tools/list", json!({}));
    assert_eq!(wire::send(address, list()).await.status, 200);
    let with = |name: &'static str, value: &str| {
        let mut request = list();
        mcp::set(&mut request, name, value);
        request
    };
    let get = |path: &str| Request::get(path).body(Bytes::new()).expect("a request");
    let own = format!("http://{address}");
    for (request, status) in [
        (with("host", "evil.example.com"), 403),
        (with("host", "localhost.evil.example.com"), 403),
        (with("host", "192.0.2.7:8090"), 403),
        (with("host", "0.0.0.0:8090"), 403),
        (with("origin", "http://evil.example.com"), 403),
        (with("origin", "null"), 403),
        (with("origin", "http://localhost:1"), 403),
        (with("content-type", "text/plain"), 415),
        (with("content-type", "application/x-www-form-urlencoded"), 415),
        (get("/mcp"), 405),
        (get("/"), 404),
        (Request::options("/mcp").body(Bytes::new()).expect("a request"), 405),
        // The only page that may connect is one of this very port, which has none.
        (with("origin", &own), 200),
    ] {
        let described = format!("{request:?}");
        let reply = wire::send(address, request).await;
        assert_eq!(reply.status, status, "{described}");
        assert!(reply.header("access-control-allow-origin").is_none(), "{described}");
        // A page that asks again and again leaves the port's connections to others.
        assert!(status != 403 || reply.header("connection") == Some("close"), "{described}");
        // There are no such flags.
        assert!(!reply.text().await.contains("--allow"), "{described}");
    }
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.7:8090"] {
        let finished = Run::new(&["connect", "--cluster", "demo", "--listen", address]).finish().await;
        assert!(finished.code() == 2 && finished.stderr.contains("this machine alone"), "{finished:?}");
    }
}

#[tokio::test]
async fn a_token_goes_to_the_server_and_nowhere_else() {
    const TOKEN: &str = "open-sesame-4711-and-more";
    let server = Server::builder()
        .of(ControlPlane::shared(), "admin")
        .config("authentication: { tokenReview: { audiences: [sandbar] } }\n")
        .start()
        .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let mut client = to_url(server.address()).arg("--token-file").arg(&file).env("SANDBAR_LOG", "trace").converse();
    let answer = client.request("tools/list", modern(json!({}))).await;
    let words = answer["error"]["message"].as_str().expect("words").to_owned();
    assert!(words.contains("--token-file") && !words.contains(TOKEN), "{words}");

    let namespace = Namespace::fresh("connected").await;
    namespace.service_account("agent").await;
    let token = namespace.token("agent", &["sandbar"]).await;
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let listed = in_time("the new token is read", async {
        loop {
            let answer = client.request("tools/list", modern(json!({}))).await;
            if answer["result"]["tools"].is_array() {
                return answer;
            }
        }
    })
    .await;
    assert_eq!(listed["result"]["tools"].as_array().map(Vec::len), Some(TOOLS.len()));
    let (_, log) = client.end().await;
    assert!(!log.contains(TOKEN) && !log.contains(token.trim()), "a token in the log");

    // Over a network it would be anybody's.
    let finished = Run::new(&["connect", "--url", "http://192.0.2.7:8090/mcp", "--token-file"]).arg(&file).finish().await;
    assert!(finished.code() == 2 && finished.stderr.contains("https://"), "{finished:?}");
}

/// A pod that is ready, and whose port leads to a server.
async fn pod_for(namespace: &Namespace, name: &str, server: &Server) {
    let target = json!({ "address": "127.0.0.1", "port": server.address().port() });
    let forward = json!({ "forwards": [{ "ports": [8090], "target": target }] });
    let object =
        json!({ "apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "PortForward", "metadata": { "name": name }, "spec": forward });
    namespace.create(object).await;
    let container = json!({ "name": "app", "image": "example.com/app:1", "ports": [{ "name": "mcp", "containerPort": 8090 }] });
    let spec = json!({ "nodeName": ControlPlane::shared().node(), "containers": [container] });
    let metadata = json!({ "name": name, "labels": { "app": "sandbar" } });
    namespace.create(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec })).await;
    namespace.until_running(name).await;
}

#[tokio::test]
async fn it_forwards_a_port_to_a_pod_by_itself_and_to_another_when_that_is_gone() {
    let namespace = Namespace::fresh("forwarded").await;
    let ports = json!([{ "port": 80, "targetPort": "mcp" }]);
    let spec = json!({ "selector": { "app": "sandbar" }, "ports": ports });
    namespace.create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "sandbar" }, "spec": spec })).await;
    let first = server_with_key(None, KEY).await;
    pod_for(&namespace, "first", &first).await;

    let kubeconfig = ControlPlane::shared().kubeconfig();
    let connect = |user: &str| {
        let run = Run::new(&["connect", "--context", user, "--kubeconfig"]).arg(kubeconfig);
        run.arg("--service").arg(format!("{}/sandbar", namespace.name())).converse()
    };
    let mut client = connect("admin");
    client.initialize().await;
    client.call("check_health", json!({})).await;

    ControlPlane::shared().kubectl(&["delete", "pod", "first", "--namespace", namespace.name()]);
    kill(first).await;
    let second = server_with_key(None, KEY).await;
    pod_for(&namespace, "second", &second).await;
    client.call("check_health", json!({})).await;

    let mut stranger = connect("viewer");
    let answer = stranger.request("tools/list", modern(json!({}))).await;
    let words = answer["error"]["message"].as_str().expect("words");
    assert!(words.contains("pods/portforward") && words.contains("services \"sandbar\" is forbidden"), "{words}");
}

#[tokio::test]
async fn without_a_server_behind_the_api_server_and_a_service_both_are_told() {
    let kubeconfig = ControlPlane::shared().kubeconfig();
    let connect = |user: &str| Run::new(&["connect", "--context", user, "--kubeconfig"]).arg(kubeconfig).converse();
    let answer = connect("admin").request("tools/list", modern(json!({}))).await;
    let words = answer["error"]["message"].as_str().expect("words");
    assert!(words.contains("no API group mcp.sandbar.dev") && words.contains("coder-system/coder-k8s"), "{words}");
    // Who has no rights hears of the right that is missing on the way that there may be.
    let answer = connect("viewer").request("tools/list", modern(json!({}))).await;
    let words = answer["error"]["message"].as_str().expect("words");
    assert!(words.contains("pods/portforward"), "{words}");
    assert!(!words.contains("viewer-token"), "{words}");
}

#[tokio::test]
async fn whoever_names_a_server_is_led_to_no_other() {
    let kubeconfig = ControlPlane::shared().kubeconfig();
    for (flag, named, group) in [("--group", "none.sandbar.dev", "none.sandbar.dev"), ("--server", "another", "mcp.sandbar.dev")]
    {
        for user in ["admin", "viewer"] {
            let run = Run::new(&["connect", flag, named, "--context", user, "--kubeconfig"]).arg(kubeconfig);
            let answer = run.converse().request("tools/list", modern(json!({}))).await;
            let words = answer["error"]["message"].as_str().expect("words");
            let is_told = words.contains(&format!("no API group {group}")) && words.contains("kubectl get apiservice v1.");
            assert!(is_told && words.contains(group) && !words.contains("coder-system"), "{flag} {user}: {words}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_told_with_the_flag_that_is_meant() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    std::fs::write(&file, "no certificate").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, said) in [
        (&["--url", "mcp.example.com"][..], r#"--url "mcp.example.com" does not begin with http:// or https://"#),
        (&["--url", "https://mcp example.com/mcp"], r#"--url "https://mcp example.com/mcp" has no host in it"#),
        (
            &["--url", "https://127.0.0.1/mcp", "--certificate-authority", file],
            "`--certificate-authority` is not PEM with a CERTIFICATE in it",
        ),
        (
            &["--url", "https://127.0.0.1/mcp", "--certificate-authority", "/no/such/file"],
            "--certificate-authority /no/such/file: ",
        ),
        (&["--group", "none.sandbar.dev", "--cluster", "demo"], "--group"),
    ] {
        let finished = Run::new(&[&["connect"], arguments].concat()).finish().await;
        assert!(finished.code() == 2 && finished.stderr.contains(said), "{finished:?}");
    }
}

#[tokio::test]
async fn nothing_but_a_kubeconfig_leads_to_a_server_behind_the_api_server() {
    let control_plane = ControlPlane::shared();
    let extension = Extension::start(control_plane, "admin", "").await.handed_on(control_plane).await;
    let connect = || {
        let run = Run::new(&["connect", "--server", "main", "--context", "viewer", "--group", &extension.group, "--kubeconfig"]);
        run.arg(control_plane.kubeconfig()).converse()
    };
    let mut client = connect();
    let answer = client.request("tools/list", modern(json!({}))).await;
    let words = answer["error"]["message"].as_str().expect("words");
    assert!(words.contains(&format!("--clusterrole={}:main:caller", extension.group)), "{words}");

    extension.admit(control_plane, "viewer");
    in_time("the binding counts", async { while client.request("tools/list", modern(json!({}))).await["error"].is_object() {} })
        .await;
    client.initialize().await;
    client.call("check_health", json!({})).await;
    extension.server.until_logged(r#""caller":"viewer","groups":"system:authenticated","proof":"apiServer""#).await;
    let mut subscribed = connect();
    let filter = modern(json!({ "notifications": { "toolsListChanged": true } }));
    subscribed.send("subscriptions/listen", filter).await;
    assert_eq!(subscribed.next_told().await["method"], "notifications/subscriptions/acknowledged");

    // The same server again, with a tool less.
    let config = std::fs::read_to_string(extension.folder.path().join("sandbar.yaml")).unwrap();
    let address = extension.server.address();
    kill(extension.server).await;
    let config = format!("{config}bundled: {{ tools: {{ get_events: {{ enabled: false }} }} }}\n");
    let _again = Server::builder().of(control_plane, "admin").config(&config).listen(address).start_unready().await;
    client.call("check_health", json!({})).await;
    for client in [&mut client, &mut subscribed] {
        assert_eq!(client.next_told().await["method"], "notifications/tools/list_changed");
    }
}

#[tokio::test]
async fn a_certificate_leads_there_and_a_credential_plugin_that_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let people = Pair::alone("people", &Shape::authority());
    std::fs::write(at("people.crt"), people.pem()).unwrap();
    let control_plane = ControlPlane::start(&["--", &format!("--client-ca-file={}", at("people.crt").display())]);
    let extension = Extension::start(&control_plane, "admin", "").await.handed_on(&control_plane).await;

    let shape = Shape { purpose: Some(ExtendedKeyUsagePurpose::ClientAuth), ..Shape::default() };
    let certificate = Pair::signed("alice", &shape, &people);
    let cluster = json!({ "server": control_plane.server(), "certificate-authority": control_plane.certificate_authority() });
    let contexts = ["alice", "agent"].map(|user| json!({ "name": user, "context": { "cluster": "test", "user": user } }));
    let kubeconfig = json!({
        "clusters": [{ "name": "test", "cluster": cluster }],
        "users": [
            { "name": "alice", "user": {
                "client-certificate-data": BASE64_STANDARD.encode(certificate.pem()),
                "client-key-data": BASE64_STANDARD.encode(certificate.key_pem()),
            } },
            { "name": "agent", "user": plugin(folder.path(), PRINT) },
        ],
        "contexts": contexts,
    });
    std::fs::write(at("kubeconfig"), kubeconfig.to_string()).unwrap();
    let connect = |user: &str| {
        let run = Run::new(&["connect", "--server", "main", "--group", &extension.group, "--context", user, "--kubeconfig"]);
        run.arg(at("kubeconfig")).converse()
    };
    // A token is of the account that there is: not of one with the same name later.
    let namespace = &extension.namespace;
    let new_login = async || {
        control_plane.kubectl(&["delete", "serviceaccount", "agent", "--ignore-not-found", "--namespace", namespace.name()]);
        namespace.service_account("agent").await;
        std::fs::write(at("token"), namespace.token("agent", &[]).await).unwrap();
    };
    new_login().await;
    for (user, name) in [("alice", "alice".to_owned()), ("agent", format!("system:serviceaccount:{}:agent", namespace.name()))] {
        extension.admit(&control_plane, &name);
        let mut client = connect(user);
        in_time("the binding counts", async {
            while client.request("tools/list", modern(json!({}))).await["error"].is_object() {}
        })
        .await;
        client.initialize().await;
        client.call("check_health", json!({})).await;
        extension.server.until_logged(&format!(r#""caller":"{name}""#)).await;
        if user == "agent" {
            let before = runs(folder.path());
            new_login().await;
            in_time("the plugin is asked again", async {
                while runs(folder.path()) == before {
                    client.call("check_health", json!({})).await;
                }
            })
            .await;
            client.call("check_health", json!({})).await;
        }
    }
}

#[tokio::test]
async fn a_call_that_the_api_server_ends_for_its_time_is_told_in_words() {
    // A minute is its default.
    let control_plane = ControlPlane::start(&["--", "--request-timeout=4s"]);
    let tool = components::build("echo");
    let rules = json!([{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"] }]);
    let config = format!("limits: {{ time: 40s, cpu: 40s }}\ntools: [{{ component: {}, rules: {rules} }}]\n", tool.display());
    let extension = Extension::start(&control_plane, "admin", &config).await.handed_on(&control_plane).await;
    let run = Run::new(&["connect", "--server", "main", "--group", &extension.group, "--context", "admin", "--kubeconfig"]);
    let mut client = run.arg(control_plane.kubeconfig()).converse();
    client.initialize().await;
    in_time("the tool is there", async {
        while !client.request("tools/list", json!({})).await.to_string().contains("\"work\"") {
            // Compilers run when nobody else wants to.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    for meta in [json!({}), json!({ "progressToken": "token" })] {
        let params = json!({ "name": "work", "arguments": { "word": "long", "ms": 30_000 }, "_meta": meta });
        let id = client.send("tools/call", params).await;
        let answer = client.answer(id).await;
        let words = answer["error"]["message"].as_str().unwrap_or_else(|| panic!("an error: {answer}"));
        assert!(words.contains("--request-timeout"), "{words}");
    }
    client.call("check_health", json!({})).await;
}
