//! A server as a part of the Kubernetes API, registered with the real API server.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};

use crate::control_plane::ControlPlane;
use crate::https::HttpsClient;
use crate::namespace::Namespace;
use crate::sandbar::{Run, Server};
use crate::tls_api::Pair;
use crate::{in_time, mcp, until};

/// A server that the API server knows of.
pub struct Extension {
    /// The server.
    pub server: Server,
    /// Where its Service is.
    pub namespace: Namespace,
    /// Its API group.
    pub group: String,
    /// Who has signed its certificate, as PEM.
    pub authority: String,
    /// Its configuration, `sandbar.yaml`, its certificate and its key.
    pub folder: tempfile::TempDir,
}

/// What the API server answers.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// The message of a plain body, or of the last event of a stream.
    ///
    /// # Panics
    /// When there is none.
    pub fn message(&self) -> Value {
        let text = self.text.lines().filter_map(|line| line.strip_prefix("data:")).next_back().unwrap_or(&self.text);
        serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {:?}", self.text))
    }
}

impl Extension {
    /// A server of its own API group, registered with what `sandbar apiservice` prints. `config` is what else its configuration has, and it
    /// reads as this user.
    ///
    /// # Panics
    /// When one of its parts cannot be had.
    pub async fn start(control_plane: &ControlPlane, user: &str, config: &str) -> Self {
        let namespace = Namespace::fresh_in(control_plane, "aggregated").await;
        let group = format!("{}.sandbar.test", namespace.name());
        let folder = tempfile::tempdir().expect("a temporary directory");
        let at = |name: &str| folder.path().join(name).display().to_string();
        let config = format!(
            "apiService: {{ group: {group}, server: main }}\ntls: {{ certificate: {}, key: {} }}\n{config}",
            at("tls.crt"),
            at("tls.key")
        );
        std::fs::write(at("sandbar.yaml"), &config).expect("a file");
        let printed =
            Run::new(&["apiservice", "--service", "sandbar", "--namespace", namespace.name(), "--port", "1", "--config"]);
        let printed = printed.arg(at("sandbar.yaml")).finish().await;
        assert_eq!(printed.code(), 0, "{}", printed.stderr);
        let objects: Vec<Value> = printed.stdout.split("---\n").map(|text| serde_saphyr::from_str(text).expect("YAML")).collect();
        let [secret, mut api_service, role] = <[Value; 3]>::try_from(objects).expect("three objects");
        for name in ["tls.crt", "tls.key"] {
            let text = BASE64_STANDARD.decode(secret["data"][name].as_str().expect("a file")).expect("base64");
            std::fs::write(at(name), text).expect("a file");
        }
        let authority = BASE64_STANDARD.decode(api_service["spec"]["caBundle"].as_str().expect("PEM")).expect("base64");
        let authority = String::from_utf8(authority).expect("PEM");
        let server = Server::builder().of(control_plane, user).config(&config).env("SANDBAR_LOG_FORMAT", "json");
        let server = server.start_unready().await;
        // A Service that leads out of the cluster: the server runs on this machine.
        let port = server.address().port();
        let spec = json!({ "type": "ExternalName", "externalName": "localhost", "ports": [{ "port": port }] });
        namespace.create(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "sandbar" }, "spec": spec })).await;
        api_service["spec"]["service"]["port"] = json!(port);
        let manifest = at("objects.json");
        std::fs::write(&manifest, json!({ "apiVersion": "v1", "kind": "List", "items": [api_service, role] }).to_string())
            .expect("a file");
        control_plane.kubectl(&["apply", "-f", &manifest]);
        Self { server, namespace, group, authority, folder }
    }

    /// The path of its API's version.
    pub fn root(&self) -> String {
        format!("/apis/{}/v1", self.group)
    }

    /// Waits until the API server hands requests on.
    pub async fn handed_on(self, control_plane: &ControlPlane) -> Self {
        let client = control_plane.client("admin").await;
        let discovery = Request::get(self.root()).body(Bytes::new()).expect("a request");
        until("the API server knows the group", async || {
            (self.send(&client, discovery.clone()).await.status == 200).then_some(())
        })
        .await;
        self
    }

    /// Lets a user call.
    pub fn admit(&self, control_plane: &ControlPlane, user: &str) {
        let role = format!("{}:main:caller", self.group);
        let name = format!("{}-{user}", self.namespace.name());
        control_plane.kubectl(&["create", "clusterrolebinding", &name, "--clusterrole", &role, "--user", user]);
    }

    /// Sends a request to the API server.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, client: &kube::Client, request: Request<Bytes>) -> Answer {
        let response = in_time("an answer of the API server", client.send(request.map(Body::from))).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = in_time("a body", body.collect()).await.expect("a body").to_bytes();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(body.to_vec()).expect("UTF-8") }
    }

    /// The same request, to this server's path in the Kubernetes API.
    ///
    /// # Panics
    /// Never: the path is one.
    pub fn addressed(&self, mut request: Request<Bytes>) -> Request<Bytes> {
        *request.uri_mut() = format!("{}/servers/main", self.root()).parse().expect("a request");
        request
    }

    /// A client of the server's own port, with this certificate.
    pub fn direct(&self, shown: Option<&Pair>) -> HttpsClient {
        HttpsClient::of_name("localhost", &self.authority, shown)
    }

    /// Asks for the list of tools.
    pub async fn list(&self, client: &kube::Client) -> Answer {
        self.send(client, self.addressed(mcp::modern(json!(1), "tools/list", json!({})))).await
    }
}
