//! Who calls: tokens of ServiceAccounts, reviewed by the real API server.

use bytes::Bytes;
use http::Request;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::http::{self as wire, Reply};
use sandbar_tests::mcp::{self, Client, LEGACY};
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Run, Server};
use sandbar_tests::until;
use serde_json::{Value, json};

mod shares;

const REVIEWED: &str = "authentication: { tokenReview: { audiences: [sandbar, also-sandbar] } }\n";

/// A server that has tokens reviewed.
async fn server() -> Server {
    let server = Server::builder().of(ControlPlane::shared(), "admin").config(REVIEWED).env("SANDBAR_LOG_FORMAT", "json");
    server.start().await
}

/// A namespace with a ServiceAccount of this name.
async fn with_account(name: &str) -> Namespace {
    let namespace = Namespace::fresh("identity").await;
    namespace.service_account(name).await;
    namespace
}

/// A token of a ServiceAccount for this server, as a header has it.
async fn bearer(namespace: &Namespace, account: &str) -> String {
    format!("Bearer {}", namespace.token(account, &["sandbar"]).await)
}

/// A request with a header `Authorization`.
fn authorized(mut request: Request<Bytes>, value: &str) -> Request<Bytes> {
    mcp::set(&mut request, "authorization", value);
    request
}

/// Lists the tools, with a token.
async fn list(server: &Server, token: &str) -> Reply {
    let request = mcp::modern(json!(1), "tools/list", json!({}));
    wire::send(server.address(), authorized(request, &format!("Bearer {token}"))).await
}

/// What a refusal says, having checked that it is one.
async fn refused(reply: Reply, status: u16) -> String {
    let challenge = reply.header("www-authenticate").map(str::to_owned);
    assert_eq!(reply.status, status, "{challenge:?}");
    assert_eq!(challenge.is_some_and(|challenge| challenge.starts_with("Bearer")), status != 503);
    let message: Value = reply.message().await.expect("JSON");
    message["error"]["message"].as_str().expect("words").to_owned()
}

#[tokio::test]
async fn a_token_for_this_server_is_its_owners() {
    let (server, namespace) = (server().await, with_account("agent").await);
    for audiences in [&["sandbar"][..], &["other", "also-sandbar"]] {
        let token = namespace.token("agent", audiences).await;
        let arguments = json!({ "name": "get_events", "arguments": { "namespace": namespace.name() } });
        let request = authorized(mcp::modern(json!(1), "tools/call", arguments), &format!("Bearer {token}"));
        let reply = wire::send(server.address(), request).await;
        assert_eq!(reply.status, 200);
        let message = reply.message().await.expect("a result");
        assert_ne!(message["result"]["isError"], json!(true), "{message}");
        assert!(!server.log().contains(&token) && !message.to_string().contains(&token));
    }
    let audited = until("both calls are audited", async || {
        let log = server.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let events: Vec<_> = lines.filter(|line| line["target"] == "sandbar::audit").collect();
        (events.len() == 2).then_some(events)
    });
    for event in audited.await {
        let fields = &event["fields"];
        assert_eq!(fields["caller"], format!("system:serviceaccount:{}:agent", namespace.name()));
        assert_eq!(fields["proof"], "tokenReview");
        let groups = fields["groups"].as_str().expect("groups");
        assert!(groups.split(',').any(|group| group == "system:serviceaccounts"), "{groups}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_served_but_probes() {
    let server = server().await;
    let requests = [
        mcp::modern(json!(1), "server/discover", json!({})),
        mcp::initialize(LEGACY),
        Request::get("/mcp").header("accept", "text/event-stream").body(Bytes::new()).unwrap(),
        Request::delete("/mcp").body(Bytes::new()).unwrap(),
    ];
    for request in requests {
        let reply = wire::send(server.address(), request).await;
        // Nothing is said of an authorization server: clients would drop the token that they were given.
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        assert!(refused(reply, 401).await.contains("send a token"));
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(wire::get(server.address(), path).await.status, 200, "{path}");
    }
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        assert_eq!(wire::get(server.address(), path).await.status, 404, "{path}");
    }
    let state = wire::get(server.address(), "/readyz?verbose").await.text().await;
    assert!(state.contains("[+] callers: holders of a ServiceAccount's token for the audience sandbar, also-sandbar"), "{state}");
}

#[tokio::test]
async fn whoever_has_another_token_is_nobody() {
    let (server, namespace) = (server().await, with_account("agent").await);
    let good = namespace.token("agent", &["sandbar"]).await;
    assert_eq!(list(&server, &good).await.status, 200);

    // As it is in every pod.
    let of_pod = namespace.token("agent", &[]).await;
    let words = refused(list(&server, &of_pod).await, 401).await;
    assert!(words.contains("kubectl create token SERVICEACCOUNT --audience sandbar"), "{words}");

    let parts: Vec<&str> = good.split('.').collect();
    let header = |json: &str| base64_of(json.as_bytes());
    let (claims, signature) = (parts[1], parts[2]);
    let flipped: String = signature.chars().rev().collect();
    for forged in [
        format!("{}.{claims}.{flipped}", parts[0]),
        format!("{}.{claims}.", parts[0]),
        format!("{}.{claims}.", header(r#"{"alg":"none"}"#)),
        format!("{}.{claims}.{signature}", header(r#"{"alg":"HS256","typ":"JWT"}"#)),
        format!("{}.{claims}.{signature}", header(r#"{"alg":"RS256","kid":"../../../../dev/null"}"#)),
        format!("{}.{}.{signature}", parts[0], header(r#"{"aud":["sandbar"],"sub":"system:admin","exp":99999999999}"#)),
        // Those of the API server's other users are for itself.
        "viewer-token".to_owned(),
        "admin-token".to_owned(),
        "x".repeat(16 * 1024),
    ] {
        let words = refused(list(&server, &forged).await, 401).await;
        assert!(!words.contains(&forged) && !server.log().contains(&forged), "{words}");
    }

    for (value, status) in [(format!("Basic {good}"), 401), (format!("Bearer {good} x"), 400), ("Bearer".to_owned(), 400)] {
        let request = authorized(mcp::modern(json!(1), "tools/list", json!({})), &value);
        refused(wire::send(server.address(), request).await, status).await;
    }
    let mut twice = authorized(mcp::modern(json!(1), "tools/list", json!({})), &format!("Bearer {good}"));
    twice.headers_mut().append("authorization", "Bearer x".parse().unwrap());
    assert!(refused(wire::send(server.address(), twice).await, 400).await.contains("more than once"));
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn a_token_that_is_taken_back_counts_for_seconds() {
    let (server, namespace) = (server().await, with_account("agent").await);
    let token = namespace.token("agent", &["sandbar"]).await;
    assert_eq!(list(&server, &token).await.status, 200);
    ControlPlane::shared().kubectl(&["delete", "serviceaccount", "agent", "--namespace", namespace.name()]);
    until("the token does not count any more", async || (list(&server, &token).await.status == 401).then_some(())).await;
}

#[tokio::test]
async fn a_session_is_of_use_to_whoever_began_it() {
    let (server, namespace) = (server().await, with_account("ann").await);
    namespace.service_account("bob").await;
    let [ann, bob] = [bearer(&namespace, "ann").await, bearer(&namespace, "bob").await];
    let opened = wire::send(server.address(), authorized(mcp::initialize(LEGACY), &ann)).await;
    let session = opened.header("mcp-session-id").expect("a session").to_owned();
    let client = Client::resume(&server, LEGACY, &session);
    let list = || client.http_request(json!(2), "tools/list", json!({}));
    let stream = || {
        let mut request = Request::get("/mcp").header("accept", "text/event-stream").body(Bytes::new()).unwrap();
        mcp::set(&mut request, "mcp-session-id", &session);
        request
    };
    for (value, status) in [(&ann, 200), (&bob, 404)] {
        for request in [list(), stream()] {
            assert_eq!(wire::send(server.address(), authorized(request, value)).await.status, status);
        }
    }
    assert_eq!(wire::send(server.address(), list()).await.status, 401);
}

#[tokio::test]
async fn where_nothing_can_be_reviewed_nobody_is_let_in() {
    let namespace = with_account("agent").await;
    let token = namespace.token("agent", &["sandbar"]).await;
    // Who lacks the right to have tokens reviewed.
    let server = Server::builder().of(ControlPlane::shared(), "narrow").config(REVIEWED).start().await;
    let reply = list(&server, &token).await;
    assert!(reply.header("retry-after").is_some());
    assert!(refused(reply, 503).await.contains("cannot be found out now"));
    server.until_logged("tokenreviews").await;
    assert!(!server.log().contains(&token));
}

#[tokio::test]
async fn the_audience_of_the_api_server_is_refused_at_start() {
    let control_plane = ControlPlane::shared();
    let issuer: Value =
        serde_json::from_str(&control_plane.kubectl(&["get", "--raw", "/.well-known/openid-configuration"])).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sandbar.yaml");
    let audience = issuer["issuer"].as_str().expect("an issuer");
    for (audiences, said) in [
        (format!("[sandbar, \"{audience}\"]"), "own audience"),
        ("[https://kubernetes.default.svc/]".to_owned(), "sandbar.yaml:1:"),
        ("[]".to_owned(), "an audience is required"),
        ("[\"\"]".to_owned(), "cannot be empty"),
    ] {
        std::fs::write(&config, format!("authentication: {{ tokenReview: {{ audiences: {audiences} }} }}\n")).unwrap();
        let run = Run::new(&["serve", "--listen", "127.0.0.1:0", "--config"]).arg(&config).of(control_plane, "admin");
        run.finish().await.assert_refused(said);
    }
}

#[tokio::test]
async fn where_nobody_is_asked_a_network_is_not_served_by_chance() {
    let finished = Run::new(&["serve", "--cluster", "demo", "--listen", "0.0.0.0:0"]).finish().await;
    assert_eq!(finished.code(), 1);
    assert!(finished.stderr.contains("--allow-anonymous") && finished.stderr.contains("127.0.0.1"), "{}", finished.stderr);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sandbar.yaml");
    std::fs::write(&config, "allowAnonymous: false\n").unwrap();
    let run = Run::new(&["serve", "--cluster", "demo", "--listen", "0.0.0.0:0", "--config"]).arg(&config);
    let forbidden = run.env("SANDBAR_ALLOW_ANONYMOUS", "true").finish().await;
    forbidden.assert_refused("take `allowAnonymous: false` out of it");
    let everywhere = "0.0.0.0:0".parse().unwrap();
    let meant = Server::builder().cluster("demo").listen(everywhere).arg("--allow-anonymous").start().await;
    meant.until_logged("everybody who reaches 0.0.0.0").await;
    let reply = list(&meant, "of-somebody").await;
    assert_eq!(reply.status, 200, "a token that nobody asks for is not looked at");
    let reviewed = Server::builder().of(ControlPlane::shared(), "admin").config(REVIEWED).listen(everywhere).start().await;
    assert_eq!(list(&reviewed, "of-somebody").await.status, 401);
}
