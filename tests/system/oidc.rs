//! Tokens of a real OpenID Connect provider.
#![allow(clippy::print_stderr, reason = "a client that cannot be had on this machine is a line, not a failure")]

use bytes::Bytes;
use http::Request;
use sandbar_tests::clients::{Era, Outcome, RealClient, Who};
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::http::{self as wire, Reply};
use sandbar_tests::issuer::Issuer;
use sandbar_tests::mcp;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Server, assert_refused_at_start};
use sandbar_tests::until;
use serde_json::{Value, json};

/// What oidc-provider takes for a resource is a URL.
const AUDIENCE: &str = "https://sandbar.example/mcp";

/// A `jwt` entry of Kubernetes, and one of ours.
fn entry(issuer: &Issuer) -> Value {
    json!({
        "issuer": {
            "url": issuer.url(),
            "audiences": [AUDIENCE, "https://other.example/"],
            "audienceMatchPolicy": "MatchAny",
            "certificateAuthority": issuer.authority(),
        },
        "claimMappings": {
            "username": { "claim": "sub", "prefix": "oidc:" },
            "groups": { "claim": "groups", "prefix": "oidc:" },
            "uid": { "claim": "client_id" },
        },
        "claimValidationRules": [{ "claim": "scope", "requiredValue": "mcp" }],
    })
}

/// A server that takes its tokens, with more in `authentication`.
async fn server(issuer: &Issuer, more: Value) -> Server {
    let mut authentication = json!({ "oidc": [entry(issuer)] });
    authentication.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let config = json!({ "authentication": authentication, "origins": ["http://inspector.example"] }).to_string();
    let server = Server::builder().of(ControlPlane::shared(), "admin").config(&config).env("SANDBAR_LOG_FORMAT", "json");
    server.start().await
}

fn authorized(mut request: Request<Bytes>, token: &str) -> Request<Bytes> {
    mcp::set(&mut request, "authorization", &format!("Bearer {token}"));
    request
}

async fn list(server: &Server, token: &str) -> Reply {
    wire::send(server.address(), authorized(mcp::modern(json!(1), "tools/list", json!({})), token)).await
}

async fn words(reply: Reply) -> String {
    let message: Value = reply.message().await.expect("JSON");
    message["error"]["message"].as_str().expect("words").to_owned()
}

/// Lists with a token, once the issuer's keys are there.
async fn is_taken(server: &Server, token: &str) {
    until("the token counts", async || {
        let status = list(server, token).await.status;
        assert!(status == 200 || status == 503 || status == 401, "{status}");
        (status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_token_is_its_owners_and_the_api_server_says_the_same() {
    let issuer = Issuer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authentication.yaml");
    let kubernetes =
        json!({ "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": [entry(&issuer)] });
    std::fs::write(&file, kubernetes.to_string()).unwrap();
    let control_plane = ControlPlane::start(&["--", &format!("--authentication-config={}", file.display())]);
    let config = json!({ "authentication": { "oidc": [entry(&issuer)] }, "authorization": { "rights": "caller" } }).to_string();
    let server = Server::builder().of(&control_plane, "admin").config(&config).env("SANDBAR_LOG_FORMAT", "json").start().await;

    let token = issuer.token(AUDIENCE).await;
    let call = || {
        let call = json!({ "name": "get_events", "arguments": { "namespace": "default" } });
        wire::send(server.address(), authorized(mcp::modern(json!(1), "tools/call", call), &token))
    };
    is_taken(&server, &token).await;
    let reply = call().await.message().await.expect("a result");
    let text = reply["result"]["content"][0]["text"].as_str().expect("words");
    assert!(text.contains("oidc:agent may not list events"), "{text}");

    // Whom the API server takes the same token for, and whom the audit trail names.
    let review = until("the API server has the issuer's keys", async || {
        control_plane.try_kubectl(&["--token", &token, "auth", "whoami", "--output", "json"]).ok()
    })
    .await;
    let user: Value = serde_json::from_str::<Value>(&review).expect("JSON")["status"]["userInfo"].clone();
    assert_eq!(user["username"], "oidc:agent");
    assert_eq!(user["uid"], "agent");
    let audited = until("the call is audited", async || {
        let log = server.log();
        let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.rfind(|line| line["target"] == "sandbar::audit")
    })
    .await;
    let fields = &audited["fields"];
    let groups: Vec<&str> = user["groups"].as_array().expect("groups").iter().filter_map(Value::as_str).collect();
    assert_eq!(groups, ["oidc:agents", "system:authenticated"]);
    assert_eq!(fields["caller"], user["username"]);
    assert_eq!(fields["groups"], groups.join(","));
    assert_eq!(fields["proof"], "oidc");
    assert_eq!(fields["issuer"], issuer.url());

    // A right of a group of the token's is one here.
    let role = ["create", "clusterrole", "readers", "--verb", "list", "--resource", "events"];
    control_plane.kubectl(&role);
    control_plane.kubectl(&["create", "clusterrolebinding", "readers", "--clusterrole", "readers", "--group", "oidc:agents"]);
    until("the right counts", async || {
        let reply = call().await.message().await.expect("a result");
        (reply["result"]["isError"] != json!(true)).then_some(())
    })
    .await;
    assert!(!server.log().contains(&token));
}

#[tokio::test]
async fn a_token_for_others_is_refused_and_so_is_a_forged_one() {
    let issuer = Issuer::start().await;
    let server = server(&issuer, json!({})).await;
    let good = issuer.token(AUDIENCE).await;
    is_taken(&server, &good).await;
    is_taken(&server, &issuer.token("https://other.example/").await).await;

    let parts: Vec<&str> = good.split('.').collect();
    let header = |json: &str| base64_of(json.as_bytes());
    let claims = |change: fn(&mut Value)| {
        use base64::Engine as _;
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(parts[1]).unwrap();
        let mut claims: Value = serde_json::from_slice(&claims).unwrap();
        change(&mut claims);
        base64_of(claims.to_string().as_bytes())
    };
    let admin = claims(|claims| claims["sub"] = "system:admin".into());
    let later = claims(|claims| claims["exp"] = 99_999_999_999_u64.into());
    let groups = claims(|claims| claims["groups"] = vec!["system:masters"; 10_000].into());
    let few = claims(|claims| claims["groups"] = vec!["x"; 1_000].into());
    let stranger = Issuer::start().await;
    for (token, status, said) in [
        (issuer.token("https://elsewhere.example/").await, 401, "audience `https://elsewhere.example/`"),
        (stranger.token(AUDIENCE).await, 401, "from the issuer `"),
        (format!("{}.{admin}.{}", parts[0], parts[2]), 401, "no key that"),
        (format!("{}.{later}.{}", parts[0], parts[2]), 401, "no key that"),
        (format!("{}.{few}.{}", parts[0], parts[2]), 401, "no key that"),
        (format!("{}.{}.", parts[0], parts[1]), 401, "no key that"),
        (format!("{}.{admin}.", header(r#"{"alg":"none"}"#)), 401, "`none`"),
        (format!("{}.{admin}.{}", header(r#"{"alg":"HS256"}"#), parts[2]), 401, "`HS256`"),
        (format!("{}.{admin}.{}", header(r#"{"alg":"RS256","kid":"../../etc/passwd"}"#), parts[2]), 401, "no key that"),
        ("opaque".to_owned(), 401, "no signed JSON Web Token"),
        ("x".repeat(16 * 1024 + 1), 400, "16 KiB"),
        (format!("{}.{groups}.{}", parts[0], parts[2]), 431, ""),
    ] {
        let reply = list(&server, &token).await;
        assert_eq!(reply.status, status, "{said}");
        if status == 431 {
            continue;
        }
        let challenge = reply.header("www-authenticate").expect("a challenge").to_owned();
        assert!(challenge.contains("resource_metadata=\"http://"), "{challenge}");
        assert!(status != 401 || challenge.starts_with("Bearer error=\"invalid_token\", error_description="), "{challenge}");
        let words = words(reply).await;
        assert!(words.contains(said), "{said}: {words}");
        assert!(!words.contains(&token) && !server.log().contains(&token));
    }
    is_taken(&server, &good).await;
}

fn base64_of(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn keys_are_rotated_and_an_issuer_that_is_down_stops_nobody_who_is_known() {
    let issuer = Issuer::start().await;
    issuer.go_down().await;
    let server = server(&issuer, json!({})).await;
    // It began without its issuer, and says so.
    until("the trouble is shown", async || {
        let state = wire::get(server.address(), "/readyz?verbose").await.text().await;
        (state.contains(&format!("[-] issuer {}: ", issuer.url())) && state.contains("none of its tokens can be checked"))
            .then_some(())
    })
    .await;
    server.until_logged("cannot be reached").await;
    issuer.come_up().await;
    let first = issuer.token(AUDIENCE).await;
    is_taken(&server, &first).await;
    let state = wire::get(server.address(), "/readyz?verbose").await.text().await;
    assert!(state.contains(&format!("[+] issuer {}: its keys (1) are of ", issuer.url())), "{state}");
    assert!(state.contains("holders of a token of "), "{state}");

    for algorithm in ["ES256", "EdDSA", "PS384", "ES384"] {
        issuer.rotate(algorithm, true).await;
        is_taken(&server, &issuer.token(AUDIENCE).await).await;
        assert_eq!(list(&server, &first).await.status, 200, "its key is published still");
    }
    issuer.go_down().await;
    assert_eq!(list(&server, &first).await.status, 200);
}

#[tokio::test]
async fn tokens_of_issuers_and_of_service_accounts_are_two_ways_in() {
    let issuer = Issuer::start().await;
    let server = server(&issuer, json!({ "tokenReview": { "audiences": ["sandbar"] } })).await;
    let namespace = Namespace::fresh("oidc").await;
    namespace.service_account("agent").await;
    let (ours, theirs) = (issuer.token(AUDIENCE).await, namespace.token("agent", &["sandbar"]).await);
    is_taken(&server, &ours).await;
    assert_eq!(list(&server, &theirs).await.status, 200);
    // Neither counts for what the other is for.
    assert!(words(list(&server, &namespace.token("agent", &[AUDIENCE]).await).await).await.contains("for the audience"));
    let elsewhere = issuer.token("https://elsewhere.example/").await;
    assert!(words(list(&server, &elsewhere).await).await.contains("and this server takes those for"));
    // A ServiceAccount's claims with the issuer's name are the issuer's to sign.
    let parts: Vec<&str> = theirs.split('.').collect();
    let ours: Vec<&str> = ours.split('.').collect();
    for mixed in [format!("{}.{}.{}", ours[0], parts[1], ours[2]), format!("{}.{}.{}", parts[0], ours[1], parts[2])] {
        assert_eq!(list(&server, &mixed).await.status, 401);
    }
}

#[tokio::test]
async fn where_tokens_are_to_be_had_is_told_where_there_is_an_issuer() {
    let issuer = Issuer::start().await;
    let server = server(&issuer, json!({ "resource": { "scopes": ["mcp"] } })).await;
    let base = format!("http://{}", server.address());
    for path in ["", "/mcp", "/mcp/"] {
        let reply = wire::get(server.address(), &format!("/.well-known/oauth-protected-resource{path}")).await;
        assert_eq!(reply.status, 200);
        let metadata: Value = serde_json::from_str(&reply.text().await).expect("JSON");
        let path = if path.is_empty() { "/mcp" } else { path };
        assert_eq!(
            metadata,
            json!({
                "resource": format!("{base}{path}"),
                "authorization_servers": [issuer.url()],
                "bearer_methods_supported": ["header"],
                "scopes_supported": ["mcp"],
                "resource_name": "Sandbar",
            })
        );
        let mut request = mcp::modern(json!(1), "tools/list", json!({}));
        *request.uri_mut() = path.parse().unwrap();
        let reply = wire::send(server.address(), request).await;
        assert_eq!(reply.status, 401);
        let challenge = format!("Bearer resource_metadata=\"{base}/.well-known/oauth-protected-resource{path}\", scope=\"mcp\"");
        assert_eq!(reply.header("www-authenticate"), Some(&*challenge));
    }
    let path = "/.well-known/oauth-protected-resource/mcp";
    for (host, origin, status) in [
        ("localhost", Some("http://inspector.example"), 200),
        ("localhost", Some("http://evil.example"), 403),
        ("evil.example", None, 403),
    ] {
        let mut request = Request::get(path).body(Bytes::new()).unwrap();
        mcp::set(&mut request, "host", host);
        mcp::set(&mut request, "x-forwarded-host", "evil.example");
        if let Some(origin) = origin {
            mcp::set(&mut request, "origin", origin);
        }
        let reply = wire::send(server.address(), request).await;
        assert_eq!(reply.status, status, "{host}");
        if status == 200 {
            assert_eq!(reply.header("access-control-allow-origin"), origin);
            let exposed = reply.header("access-control-expose-headers").expect("some").to_ascii_lowercase();
            assert!(exposed.contains("www-authenticate"), "{exposed}");
            assert!(reply.text().await.contains("\"http://localhost/mcp\""));
        }
    }
    let reply = wire::send(server.address(), Request::post(path).body(Bytes::new()).unwrap()).await;
    assert_eq!(reply.status, 405);
}

#[tokio::test]
async fn what_cannot_be_safe_is_refused_at_start() {
    let username = "claimMappings: { username: { claim: sub, prefix: 'oidc:' } }";
    let url = "url: 'https://issuer.example', audiences: [sandbar]";
    for (entry, said) in [
        (format!("{{ issuer: {{ url: 'http://issuer.example', audiences: [sandbar] }}, {username} }}"), "https://"),
        (format!("{{ issuer: {{ url: 'https://kubernetes.default.svc', audiences: [sandbar] }}, {username} }}"), "tokenReview"),
        (
            format!("{{ issuer: {{ url: 'https://issuer.example', audiences: [kubernetes.default.svc] }}, {username} }}"),
            "own audience",
        ),
        (format!("{{ issuer: {{ {url}, certificateAuthorityFile: nowhere.crt }}, {username} }}"), "nowhere.crt cannot be read"),
        (format!("{{ issuer: {{ {url}, certificateAuthorityFile: sandbar.yaml }}, {username} }}"), "no CERTIFICATE"),
    ] {
        assert_refused_at_start(&format!("authentication: {{ oidc: [{entry}] }}\n"), said).await;
    }
}

/// A server of the demo cluster at an address that is known before, which is the audience of its tokens.
async fn server_of_clients(issuer: &Issuer) -> (Server, String) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{free}/mcp");
    let oidc = json!([{
        "issuer": { "url": issuer.url(), "audiences": [url], "certificateAuthorityFile": issuer.authority_file() },
        "claimMappings": {
            "username": { "claim": "sub", "prefix": "oidc:" },
            "groups": { "claim": "groups", "prefix": "oidc:" },
        },
    }]);
    let config = json!({ "authentication": { "oidc": oidc, "resource": { "scopes": ["openid", "mcp"] } } }).to_string();
    let server = Server::builder().cluster("demo").config(&config).listen(free).env("SANDBAR_LOG_FORMAT", "json");
    (server.start().await, url)
}

/// A real client finds out where to log in, does, and calls.
async fn logs_in(client: RealClient, era: Era) {
    let issuer = Issuer::start().await;
    let (server, url) = server_of_clients(&issuer).await;
    let connected = client.connect_as(&url, era, Some(&issuer.authority_file()), Who::Account("ann")).await;
    let (greeting, mut client) = match connected {
        Ok(connected) => connected,
        Err(reason) => return eprintln!("SKIPPED: {reason}"),
    };
    assert_eq!(greeting.tools, *sandbar_tests::TOOLS);
    let outcome = client.call("check_health", json!({})).await;
    assert!(matches!(outcome, Outcome::Result { is_error: false, .. }), "{outcome:?}");
    server
        .until_logged(
            r#""caller":"oidc:ann","groups":"oidc:developers,oidc:on call\\u{2c} tonight,system:authenticated","proof":"oidc""#,
        )
        .await;
}

#[tokio::test]
async fn the_python_client_of_the_legacy_era_logs_in() {
    logs_in(RealClient::Python, Era::Legacy).await;
}

#[tokio::test]
async fn the_python_client_of_the_modern_era_logs_in() {
    logs_in(RealClient::Python, Era::Modern).await;
}

#[tokio::test]
async fn the_inspector_in_a_browser_logs_in() {
    logs_in(RealClient::InspectorWeb, Era::Modern).await;
}

#[tokio::test]
async fn a_client_with_a_fixed_header_is_let_in_by_it() {
    let issuer = Issuer::start().await;
    let (_server, url) = server_of_clients(&issuer).await;
    let token = format!("Bearer {}", issuer.token(&url).await);
    let reviewed = "authentication: { tokenReview: { audiences: [sandbar] } }\n";
    let silent = Server::builder().of(ControlPlane::shared(), "admin").config(reviewed).start().await;
    let namespace = Namespace::fresh("oidc").await;
    namespace.service_account("agent").await;
    let account = format!("Bearer {}", namespace.token("agent", &["sandbar"]).await);
    for (url, header) in [(url, token), (format!("http://{}/mcp", silent.address()), account)] {
        let (greeting, mut client) =
            RealClient::Python.connect_as(&url, Era::Modern, None, Who::Header(&header)).await.expect("a client");
        assert_eq!(greeting.tools, *sandbar_tests::TOOLS);
        let outcome = client.call("check_health", json!({})).await;
        assert!(matches!(outcome, Outcome::Result { is_error: false, .. }), "{outcome:?}");
    }
}
