//! A proxy in front that says who calls, over TLS and with a certificate of its own.

use bytes::Bytes;
use http::Request;
use rcgen::ExtendedKeyUsagePurpose;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::http::Reply;
use sandbar_tests::https::HttpsClient;
use sandbar_tests::mcp;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::{Builder, Server, assert_refused_at_start};
use sandbar_tests::tls_api::{Pair, Shape};
use sandbar_tests::until;
use serde_json::{Value, json};

/// A server behind a proxy, and what the proxy has.
pub(crate) struct Behind {
    pub(crate) server: Server,
    /// Of the server's certificate, and of the proxies'.
    pub(crate) authority: Pair,
    pub(crate) proxy: HttpsClient,
    _folder: tempfile::TempDir,
}

fn client_shape() -> Shape {
    Shape { purpose: Some(ExtendedKeyUsagePurpose::ClientAuth), ..Shape::default() }
}

const PROXY: &str = "authentication: { frontProxy: { allowedNames: [front-proxy] } }\n";

/// A server behind a proxy, with more in its configuration than where it finds its files.
async fn behind(config: &str) -> Behind {
    Behind::start(Server::builder().of(ControlPlane::shared(), "admin"), config).await
}

impl Behind {
    /// Starts this server behind a proxy.
    pub(crate) async fn start(server: Builder, config: &str) -> Self {
        let authority = Pair::alone("authority", &Shape::authority());
        let folder = tempfile::tempdir().unwrap();
        let own = Pair::signed("sandbar", &Shape::server(), &authority);
        for (name, text) in [("ca.crt", authority.pem()), ("tls.crt", own.pem()), ("tls.key", own.key_pem())] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "tls: {{ certificate: {}, key: {}, clientCertificateAuthority: {} }}\n{config}",
            at("tls.crt"),
            at("tls.key"),
            at("ca.crt"),
        );
        let server = server.config(&config).env("SANDBAR_LOG_FORMAT", "json").start_unready().await;
        let proxy = HttpsClient::new(&authority, Some(&Pair::signed("front-proxy", &client_shape(), &authority)));
        until("the server is ready", async || {
            proxy.get(server.address(), "/readyz").await.is_ok_and(|reply| reply.status == 200).then_some(())
        })
        .await;
        Behind { server, authority, proxy, _folder: folder }
    }

    /// Lists the tools as this client, with these headers.
    async fn list(&self, client: &HttpsClient, headers: &[(&str, &str)]) -> Reply {
        client
            .send(self.server.address(), with(mcp::modern(json!(1), "tools/list", json!({})), headers))
            .await
            .expect("an answer")
    }
}

/// A request with these headers as well.
pub(crate) fn with(mut request: Request<Bytes>, headers: &[(&str, &str)]) -> Request<Bytes> {
    for (name, value) in headers {
        let name: http::HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    request
}

#[tokio::test]
async fn whom_the_proxy_names_reads_by_their_own_rights() {
    let behind = behind(&format!("{PROXY}authorization: {{ rights: caller }}\n")).await;
    let namespace = Namespace::fresh("proxied").await;
    namespace.control_plane("coder", json!({ "phase": "Ready" })).await;
    let api = "rbac.authorization.k8s.io/v1";
    let rules = json!([{ "apiGroups": ["coder.com"], "resources": ["codercontrolplanes"], "verbs": ["get"] }]);
    let name = json!({ "name": "readers" });
    namespace.create(json!({ "apiVersion": api, "kind": "Role", "metadata": name, "rules": rules })).await;
    let role_ref = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "readers" });
    let subjects = json!([{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "on call, tonight" }]);
    let binding =
        json!({ "apiVersion": api, "kind": "RoleBinding", "metadata": name, "roleRef": role_ref, "subjects": subjects });
    namespace.create(binding).await;

    let call = async |headers: &[(&str, &str)]| -> Value {
        let arguments = json!({ "namespace": namespace.name(), "name": "coder" });
        let request = mcp::modern(json!(1), "tools/call", json!({ "name": "get_control_plane_status", "arguments": arguments }));
        let reply = behind.proxy.send(behind.server.address(), with(request, headers)).await.expect("an answer");
        assert_eq!(reply.status, 200);
        reply.message().await.expect("a result")["result"].clone()
    };
    until("the group's right counts", async || {
        let headers = [("X-Remote-User", "ann"), ("X-Remote-Group", "others"), ("X-Remote-Group", "on call, tonight")];
        (call(&headers).await["structuredContent"]["phase"] == "Ready").then_some(())
    })
    .await;
    // Whose words an API server would take for somebody else's rights.
    let headers = [("X-Remote-User", "bob"), ("Impersonate-User", "ann"), ("Impersonate-Group", "on call, tonight")];
    let denied = call(&headers).await;
    assert!(denied["content"][0]["text"].as_str().expect("words").contains(": bob may not get"), "{denied}");
    behind
        .server
        .until_logged(r#""caller":"ann","groups":"others,on call\\u{2c} tonight,system:authenticated","proof":"frontProxy""#)
        .await;
}

#[tokio::test]
async fn a_user_may_have_hundreds_of_groups() {
    let behind = behind(PROXY).await;
    let groups: Vec<String> = (0..500).map(|number| format!("group-{number}")).collect();
    let mut headers = vec![("x-remote-user", "ann")];
    headers.extend(groups.iter().map(|group| ("x-remote-group", group.as_str())));
    assert_eq!(behind.list(&behind.proxy, &headers).await.status, 200);
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let behind = behind(PROXY).await;
    let signed =
        |name: &str, authority: &Pair| HttpsClient::new(&behind.authority, Some(&Pair::signed(name, &client_shape(), authority)));
    let stranger = HttpsClient::new(&behind.authority, None);
    let colleague = signed("colleague", &behind.authority);
    let admin = [("x-remote-user", "admin"), ("x-remote-group", "system:masters")];
    for client in [&stranger, &colleague] {
        for headers in [&admin[..], &admin[..1], &admin[1..], &[("X_Remote_User", "admin")], &[("x-remote-extra-scopes", "all")]]
        {
            assert_eq!(behind.list(client, headers).await.status, 403, "{headers:?}");
        }
        assert_eq!(behind.list(client, &[]).await.status, 403, "there is no other way in");
    }
    behind.server.until_logged("claims to be from a front proxy").await;
    // Another authority's certificate does not get as far as a request.
    let foreign = signed("front-proxy", &Pair::alone("foreign", &Shape::authority()));
    let request = with(mcp::modern(json!(1), "tools/list", json!({})), &admin);
    assert!(foreign.send(behind.server.address(), request).await.is_err());

    // What the proxy takes away of its client's, and what it does not know of.
    for headers in [
        &[("x-remote-user", "ann"), ("x-remote-user", "admin")][..],
        &[("x-remote-user", "ann"), ("x_remote_group", "system:masters")],
        &[("x-remote-group", "system:masters")],
        &[("x-remote-user", "")],
        &[],
    ] {
        assert_eq!(behind.list(&behind.proxy, headers).await.status, 403, "{headers:?}");
    }
    assert_eq!(behind.list(&behind.proxy, &[("x-remote-user", "ann")]).await.status, 200);
}

#[tokio::test]
async fn a_proxy_and_tokens_are_two_ways_in() {
    let both = "authentication: { frontProxy: { allowedNames: [front-proxy] }, tokenReview: { audiences: [sandbar] } }\n";
    let behind = behind(both).await;
    let account = Namespace::fresh("proxied").await;
    account.service_account("agent").await;
    let token = format!("Bearer {}", account.token("agent", &["sandbar"]).await);
    let stranger = HttpsClient::new(&behind.authority, None);
    assert_eq!(behind.list(&stranger, &[("authorization", &token)]).await.status, 200);
    assert_eq!(behind.list(&stranger, &[]).await.status, 401);
    // A good token does not make a claim to be somebody else true.
    assert_eq!(behind.list(&stranger, &[("authorization", &token), ("x-remote-user", "admin")]).await.status, 403);
    assert_eq!(behind.list(&behind.proxy, &[("x-remote-user", "ann")]).await.status, 200);
}

#[tokio::test]
async fn a_proxy_that_nothing_proves_is_refused_at_start() {
    for (text, said) in [
        ("authentication: { frontProxy: { allowedNames: [front-proxy] } }\n", "--tls-client-ca"),
        ("authentication: {}\n", "leave the key out to ask nobody"),
        ("authentication: { frontProxy: { allowedNames: [] } }\n", "the name in the proxy's certificate is required"),
        ("authentication: { frontProxy: }\n", "sandbar.yaml:1:"),
    ] {
        assert_refused_at_start(text, said).await;
    }
}
