//! A registry, from which a component is asked for in one version after the other.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use sandbar_registry::Digest;
use sandbar_tests::components;
use sandbar_tests::mcp::Client;
use sandbar_tests::registry::Registry;
use sandbar_tests::sandbar::{Run, Server};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpStream;

use super::Neighbour;
use crate::eventually;
use crate::operator::Configuration;
use crate::scrape::Scrape;

/// What a component's entry grants.
const RULES: &str = r#"rules: [{ apiGroups: [""], resources: [pods], verbs: [list] }]"#;

/// A registry, and the component that is in it.
pub(crate) struct ComponentsOfRegistry {
    server: Arc<Server>,
    metrics: SocketAddr,
    configuration: Arc<Configuration>,
    /// None: it is away.
    registry: Option<Registry>,
    address: SocketAddr,
    folder: TempDir,
    /// The newest version: its file, and the SHA-256 of its bytes.
    newest: Option<(PathBuf, String)>,
}

impl ComponentsOfRegistry {
    /// `registry` is the one that the configuration of the server names.
    pub(crate) fn new(server: &Arc<Server>, metrics: SocketAddr, configuration: &Arc<Configuration>, registry: Registry) -> Self {
        let address = registry.address();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("push.yaml"), registry.settings()).unwrap();
        let (server, configuration) = (server.clone(), configuration.clone());
        Self { server, metrics, configuration, registry: Some(registry), address, folder, newest: None }
    }

    /// Writes the tool of the guide in a version of its own.
    fn write(&mut self, round: u64) {
        let mut component = std::fs::read(components::build("restarts")).unwrap();
        let text = format!("{round} {}", self.folder.path().display());
        // A section of the name `version`, of less than 128 bytes.
        component.extend([0, 8 + u8::try_from(text.len()).unwrap(), 7]);
        component.extend([b"version", text.as_bytes()].concat());
        let file = self.folder.path().join("restarts.wasm");
        std::fs::write(&file, &component).unwrap();
        self.newest = Some((file, Digest::of(&component).hex()));
    }

    /// Pushes the newest version, and returns where it is.
    async fn push(&self) -> String {
        let (file, _) = self.newest.as_ref().unwrap();
        let to = format!("oci://{}/team/restarts:1", self.address);
        let pushed =
            Run::new(&["push"]).arg(file).arg(to).arg("--config").arg(self.folder.path().join("push.yaml")).finish().await;
        assert_eq!(pushed.code(), 0, "{pushed:?}");
        pushed.stdout.trim().to_owned()
    }
}

impl Neighbour for ComponentsOfRegistry {
    async fn come(&mut self) {
        self.registry = Some(Registry::start(&["-address", &self.address.to_string()]).await);
        // It has forgotten everything.
        self.push().await;
    }

    async fn go(&mut self) {
        drop(self.registry.take());
        eventually("the registry is gone", || async { TcpStream::connect(self.address).await.is_err() }).await;
    }

    async fn happen(&mut self, round: u64, is_there: bool) {
        self.write(round);
        let pinned = if is_there {
            self.push().await
        } else {
            // Somebody has pushed it elsewhere, where the same bytes have the same digest.
            let other = Registry::start(&[]).await;
            let (address, settings) = (self.address, self.folder.path().join("push.yaml"));
            self.address = other.address();
            std::fs::write(&settings, other.settings()).unwrap();
            let pinned = self.push().await.replace(&self.address.to_string(), &address.to_string());
            self.address = address;
            std::fs::write(&settings, other.settings().replace(&other.address().to_string(), &address.to_string())).unwrap();
            pinned
        };
        self.configuration.component(&self.server, format!("  - {{ component: \"{pinned}\", {RULES} }}\n"));
    }

    async fn made_up_for(&mut self) {
        let (_, digest) = self.newest.as_ref().unwrap();
        eventually("the component of the registry is served", || async {
            Scrape::of(&self.server, self.metrics).await.serves(digest)
        })
        .await;
        let client = Client::modern(&self.server);
        eventually("it answers", || async { client.call("list_restarts", json!({})).await.is_ok() }).await;
    }
}
