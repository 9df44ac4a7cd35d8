//! A registry that the pods of a node here can reach, and what is pushed there and signed: by the real cosign.

use std::path::{Path, PathBuf};
use std::process::Command;

use sandbar_tests::sandbar::Run;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A running registry, cosign, and a folder for keys.
pub(crate) struct Registry {
    registry: sandbar_tests::registry::Registry,
    cosign: PathBuf,
    files: TempDir,
}

impl Registry {
    /// Starts one on this address of the machine.
    pub(crate) async fn start(cosign: &Path, ip: &str) -> Self {
        let registry = sandbar_tests::registry::Registry::start(&["-address", &format!("{ip}:0")]).await;
        let registry = Self { registry, cosign: cosign.to_owned(), files: tempfile::tempdir().expect("a temporary directory") };
        // Else it would ask for the services of Sigstore.
        registry.cosign(&["signing-config", "create", "--out", "none.json"]);
        registry
    }

    /// `registries` of a sandbar.yaml that trusts it.
    pub(crate) fn trusted(&self) -> Value {
        json!({ "hosts": { self.registry.address().to_string(): { "insecure": true } } })
    }

    /// Pushes a component, and returns where it is by its digest: `oci://HOST/NAME@sha256:…`.
    pub(crate) async fn push(&self, component: &Path, name: &str) -> String {
        let config = self.files.path().join("sandbar.yaml");
        std::fs::write(&config, json!({ "registries": self.trusted() }).to_string()).expect("a temporary file");
        let run = Run::new(&["push", "--config"]).arg(&config).arg(component).arg(self.registry.reference(name));
        let pushed = run.finish().await;
        assert_eq!(pushed.code(), 0, "{}", pushed.stderr);
        pushed.stdout.trim_end().to_owned()
    }

    /// Makes a pair of keys of this name, and returns the public one, as PEM.
    pub(crate) fn key(&self, name: &str) -> String {
        self.cosign(&["generate-key-pair", "--output-key-prefix", name]);
        std::fs::read_to_string(self.files.path().join(name).with_extension("pub")).expect("a key")
    }

    /// Signs what was pushed.
    pub(crate) fn sign(&self, pushed: &str, key: &str) {
        let reference = pushed.trim_start_matches("oci://");
        let key = format!("{key}.key");
        self.cosign(&["sign", "--yes", "--allow-http-registry", "--signing-config", "none.json", "--key", &key, reference]);
    }

    fn cosign(&self, arguments: &[&str]) {
        let ran = Command::new(&self.cosign)
            .args(arguments)
            .current_dir(self.files.path())
            .env("COSIGN_PASSWORD", "")
            .output()
            .expect("cosign can be run");
        assert!(ran.status.success(), "cosign {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}
