//! The server as a part of the Kubernetes API: the real API server's aggregation layer hands requests on, with the certificate of its own.

use futures::StreamExt as _;
use http::Request;
use http_body_util::BodyExt as _;
use kube::client::Body;
use rcgen::ExtendedKeyUsagePurpose;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::extension::Extension;
use sandbar_tests::mcp::{self, LEGACY};
use sandbar_tests::sandbar::assert_refused_at_start;
use sandbar_tests::tls_api::{Pair, Shape};
use sandbar_tests::{in_time, until};
use serde_json::{Value, json};

/// A certificate with the name of the API server's, by another authority.
fn proxy_of(authority: &Pair) -> Pair {
    let shape = Shape { purpose: Some(ExtendedKeyUsagePurpose::ClientAuth), ..Shape::default() };
    Pair::signed("front-proxy-client", &shape, authority)
}

#[tokio::test]
async fn whoever_may_create_the_server_calls_with_nothing_but_a_kubeconfig() {
    let control_plane = ControlPlane::shared();
    let extension = Extension::start(control_plane, "admin", "").await.handed_on(control_plane).await;
    let viewer = control_plane.client("viewer").await;
    let refused = extension.list(&viewer).await;
    assert_eq!(refused.status, 403);
    assert!(refused.text.contains(r#"cannot create resource \"servers\""#), "{}", refused.text);
    extension.admit(control_plane, "viewer");
    until("the binding counts", async || (extension.list(&viewer).await.status == 200).then_some(())).await;
    let arguments = json!({ "name": "get_events", "arguments": { "namespace": extension.namespace.name() } });
    let called = extension.send(&viewer, extension.addressed(mcp::modern(json!(2), "tools/call", arguments))).await;
    assert_ne!(called.message()["result"]["isError"], json!(true), "{}", called.text);
    extension.server.until_logged(r#""caller":"viewer","groups":"system:authenticated","proof":"apiServer""#).await;

    // kubectl finds it, and asks RBAC about it.
    let listed = control_plane.kubectl(&["api-resources", "--api-group", &extension.group, "--no-headers"]);
    assert!(listed.starts_with("servers"), "{listed}");
    let server = format!("servers.{}/main", extension.group);
    assert_eq!(control_plane.kubectl(&["auth", "can-i", "create", &server, "--as", "viewer"]).trim(), "yes");
    let raw = control_plane.kubectl(&["get", "--raw", &extension.root()]);
    assert!(raw.contains("APIResourceList"), "{raw}");
}

#[tokio::test]
async fn a_token_and_somebody_who_is_impersonated_are_who_the_api_server_says() {
    let control_plane = ControlPlane::shared();
    let extension =
        Extension::start(control_plane, "admin", "authorization: { rights: caller }\n").await.handed_on(control_plane).await;
    let namespace = extension.namespace.name();
    extension.namespace.event("one", json!({})).await;
    extension.namespace.service_account("agent").await;
    let user = format!("system:serviceaccount:{namespace}:agent");
    extension.admit(control_plane, &user);
    let token = extension.namespace.token("agent", &[]).await;
    let kubeconfig = kube::config::Kubeconfig::read_from(control_plane.kubeconfig()).unwrap();
    let options = kube::config::KubeConfigOptions { context: Some("viewer".to_owned()), ..Default::default() };
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    config.auth_info = kube::config::AuthInfo { token: Some(token.into()), ..Default::default() };
    let agent = kube::Client::try_from(config).unwrap();
    until("the binding counts", async || (extension.list(&agent).await.status == 200).then_some(())).await;

    let events = || {
        let arguments = json!({ "name": "get_events", "arguments": { "namespace": namespace } });
        extension.addressed(mcp::modern(json!(2), "tools/call", arguments))
    };
    let denied = extension.send(&agent, events()).await.message();
    assert!(
        denied["result"]["content"][0]["text"].as_str().expect("words").contains(&format!("{user} may not list")),
        "{denied}"
    );
    // What a client sends of such headers, the API server takes for itself, and refuses.
    let mut forged = events();
    mcp::set(&mut forged, "impersonate-user", "admin");
    assert_eq!(extension.send(&agent, forged).await.status, 403);
    let mut forged = events();
    mcp::set(&mut forged, "x-remote-user", "admin");
    mcp::set(&mut forged, "x-remote-group", "system:masters");
    let message = extension.send(&agent, forged).await.message();
    assert!(message["result"]["content"][0]["text"].as_str().expect("words").contains(&user), "{message}");

    let role = ["create", "role", "reader", "--verb", "list", "--resource", "events,events.events.k8s.io", "-n", namespace];
    control_plane.kubectl(&role);
    control_plane.kubectl(&["create", "rolebinding", "reader", "--role", "reader", "--user", &user, "-n", namespace]);
    until("the right counts", async || {
        let message = extension.send(&agent, events()).await.message();
        (message["result"]["structuredContent"]["items"].as_array()?.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_sessions_stream_is_open_as_a_watch() {
    let control_plane = ControlPlane::shared();
    let extension = Extension::start(control_plane, "admin", "").await.handed_on(control_plane).await;
    let admin = control_plane.client("admin").await;
    let begun = extension.send(&admin, extension.addressed(mcp::initialize(LEGACY))).await;
    let session = begun.headers["mcp-session-id"].to_str().unwrap().to_owned();
    let stream = |query: &str| {
        Request::get(format!("{}/servers{query}", extension.root()))
            .header("accept", "text/event-stream")
            .header("mcp-session-id", &session)
            .header("mcp-protocol-version", LEGACY)
            .body(Body::empty())
            .unwrap()
    };
    let response = in_time("a stream", admin.send(stream("?watch=true"))).await.expect("an answer");
    assert_eq!(response.status(), 200);
    let mut events = response.into_body().into_data_stream();
    let config = std::fs::read_to_string(extension.folder.path().join("sandbar.yaml")).unwrap();
    extension.server.configure(&format!("{config}bundled: {{ tools: {{ get_events: {{ enabled: false }} }} }}\n"));
    let mut seen = String::new();
    in_time("the list has changed", async {
        while !seen.contains("notifications/tools/list_changed") {
            seen.push_str(&String::from_utf8_lossy(&events.next().await.expect("it goes on").expect("it is not cut")));
        }
    })
    .await;
    // Without `watch` the API server would end it after a minute.
    let response = admin.send(stream("")).await.expect("an answer");
    assert_eq!(response.status(), 405);
    // Somebody else's session is nobody's.
    extension.admit(control_plane, "viewer");
    let viewer = control_plane.client("viewer").await;
    until("the binding counts", async || (extension.list(&viewer).await.status == 200).then_some(())).await;
    assert_eq!(viewer.send(stream("?watch=true")).await.expect("an answer").status(), 404);
}

#[tokio::test]
async fn nobody_but_the_api_server_hands_on_requests() {
    let control_plane = ControlPlane::shared();
    let extension = Extension::start(control_plane, "admin", "").await.handed_on(control_plane).await;
    let address = extension.server.address();
    // Whoever reaches the port has what a client has that trusts it.
    let own = proxy_of(&Pair::alone("own", &Shape::authority()));
    let (stranger, own) = (extension.direct(None), extension.direct(Some(&own)));
    let claims = [("x-remote-user", "admin"), ("x-remote-group", "system:masters"), ("X_Remote_User", "admin")];
    for uri in ["/mcp", "/"] {
        let mut plain = mcp::modern(json!(1), "tools/list", json!({}));
        if uri != "/mcp" {
            plain = extension.addressed(plain);
        }
        let reply = stranger.send(address, plain.clone()).await.expect("an answer");
        assert_eq!(reply.status, 403, "{uri}");
        for (name, value) in claims {
            let mut forged = plain.clone();
            forged.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
            assert_eq!(stranger.send(address, forged.clone()).await.expect("an answer").status, 403, "{uri} {name}");
            assert!(own.send(address, forged).await.is_err(), "the handshake fails");
        }
    }
    for path in ["/apis", &extension.root()] {
        assert_eq!(stranger.get(address, path).await.expect("an answer").status, 403, "{path}");
    }
    extension.server.until_logged("claims to be from a front proxy").await;
}

#[tokio::test]
async fn another_certificate_of_the_api_server_counts_once_it_is_published() {
    // One of its own, since what the API server publishes is changed.
    let control_plane = ControlPlane::start(&[]);
    let extension = Extension::start(&control_plane, "admin", "").await.handed_on(&control_plane).await;
    let authority = Pair::alone("renewed", &Shape::authority());
    let proxy = extension.direct(Some(&proxy_of(&authority)));
    let request = || {
        let mut request = extension.addressed(mcp::modern(json!(1), "tools/list", json!({})));
        mcp::set(&mut request, "x-remote-user", "ann");
        request
    };
    assert!(proxy.send(extension.server.address(), request()).await.is_err());
    let map = ["get", "configmap", "extension-apiserver-authentication", "--namespace", "kube-system", "--output", "json"];
    let mut published: Value = serde_json::from_str(&control_plane.kubectl(&map)).unwrap();
    let before = published["data"]["requestheader-client-ca-file"].as_str().expect("PEM").to_owned();
    // The API server puts back what it needs itself, and leaves what others have added.
    published["data"]["requestheader-client-ca-file"] = json!(format!("{before}{}", authority.pem()));
    let manifest = extension.folder.path().join("published.json");
    std::fs::write(&manifest, published.to_string()).unwrap();
    control_plane.kubectl(&["replace", "--filename", &manifest.display().to_string()]);
    until("the new authority counts", async || {
        let reply = proxy.send(extension.server.address(), request()).await.ok()?;
        (reply.status == 200).then_some(())
    })
    .await;
    let admin = control_plane.client("admin").await;
    assert_eq!(extension.list(&admin).await.status, 200, "and so does the one before");
}

#[tokio::test]
async fn a_server_that_may_not_read_it_says_so_and_believes_nobody() {
    let control_plane = ControlPlane::shared();
    let extension = Extension::start(control_plane, "narrow", "").await;
    extension.server.until_logged("extension-apiserver-authentication-reader").await;
    let state = extension.direct(None).get(extension.server.address(), "/readyz?verbose").await.expect("an answer");
    let text = state.text().await;
    assert!(text.contains("[-] what the API server's own certificate is known by cannot be read"), "{text}");
    let mut claim = extension.addressed(mcp::modern(json!(1), "tools/list", json!({})));
    mcp::set(&mut claim, "x-remote-user", "admin");
    let client = extension.direct(None);
    assert_eq!(client.send(extension.server.address(), claim).await.expect("an answer").status, 403);
}

#[tokio::test]
async fn what_cannot_be_a_part_of_the_api_is_refused_at_start() {
    for (text, said) in [
        ("apiService: {}\n", "--tls-certificate"),
        ("apiService:\n", "sandbar.yaml:1:"),
        ("apiService: { group: sandbar }\n", "is no API group"),
        ("apiService: { group: mcp.k8s.io }\n", "Kubernetes' own"),
        ("apiService: { server: Main }\n", "is no name of an object"),
    ] {
        assert_refused_at_start(text, said).await;
    }
}
