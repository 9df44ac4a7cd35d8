//! A real registry, that of go-containerregistry in memory (`tests/registry`), and keys that sign what is in it as cosign does.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, SigningKey as _};
use sandbar_registry::{Digest, Reference, Version};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin};

use crate::http::send;

/// A running registry, which ends when this is dropped.
pub struct Registry {
    address: SocketAddr,
    _leash: Option<ChildStdin>,
    _process: Child,
}

impl Registry {
    /// Starts one on a free port, with these flags.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(flags: &[&str]) -> Self {
        let mut process = tokio::process::Command::new(program())
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a registry");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let address = lines.next_line().await.expect("a line").expect("its address").parse().expect("an address");
        Self { address, _leash: process.stdin.take(), _process: process }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Something in it: `team/restarts:1`.
    pub fn reference(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.address)
    }

    /// What sandbar.yaml says of it: that it speaks plain HTTP, and that servers may ask it.
    pub fn settings(&self) -> String {
        format!("registries: {{ pull: true, hosts: {{ \"{}\": {{ insecure: true }} }} }}\n", self.address)
    }

    /// What `sandbar.yaml` says where nothing is pulled by a server.
    pub fn settings_offline(&self) -> String {
        self.settings().replace("pull: true", "pull: false")
    }

    /// Signs what has a digest, in the layout of cosign 2: a manifest with the tag `sha256-….sig`.
    ///
    /// # Panics
    /// When the registry does not take it.
    pub async fn sign(&self, pinned: &str, key: &Key) {
        let reference: Reference = pinned.trim().parse().expect("a reference");
        let Version::Digest(digest) = reference.version else { panic!("{pinned} has no digest") };
        let name = reference.repository.name();
        let payload = json!({
            "critical": {
                "identity": { "docker-reference": "" },
                "image": { "docker-manifest-digest": digest },
                "type": "cosign container image signature",
            },
            "optional": null,
        });
        let payload = payload.to_string().into_bytes();
        let mut layer = self.blob(name, "application/vnd.dev.cosign.simplesigning.v1+json", &payload).await;
        layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": key.signed(&payload) });
        let config = self.blob(name, "application/vnd.oci.image.config.v1+json", b"{}").await;
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer] });
        let path = format!("/v2/{name}/manifests/sha256-{}.sig", digest.hex());
        self.send(Method::PUT, &path, media_type, manifest.to_string().into_bytes()).await;
    }

    async fn blob(&self, name: &str, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        self.send(Method::POST, &path, "application/octet-stream", bytes.to_vec()).await;
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    async fn send(&self, method: Method, path: &str, media_type: &str, body: Vec<u8>) -> Bytes {
        let request = Request::builder().method(method).uri(path).header("host", self.address.to_string());
        let request = request.header("content-type", media_type).header("accept", media_type);
        let reply = send(self.address, request.body(Bytes::from(body)).expect("a request")).await;
        assert!([StatusCode::OK, StatusCode::CREATED, StatusCode::ACCEPTED].contains(&reply.status), "{path}: {}", reply.status);
        reply.bytes().await
    }
}

/// A key of somebody who signs.
pub struct Key(KeyPair);

impl Key {
    /// A new one.
    ///
    /// # Panics
    /// Never.
    pub fn new() -> Self {
        Self(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key"))
    }

    /// The public part, as PEM.
    pub fn public(&self) -> String {
        self.0.public_key_pem()
    }

    /// A policy in JSON, which is YAML, that asks for this key.
    pub fn policy(&self) -> String {
        json!({ "allOf": [{ "kind": "pubKey", "owner": "team", "key": self.public() }] }).to_string()
    }

    fn signed(&self, message: &[u8]) -> String {
        STANDARD.encode(self.0.sign(message).expect("signed"))
    }
}

impl Default for Key {
    fn default() -> Self {
        Self::new()
    }
}

/// The registry's program, built where it is not there yet.
fn program() -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("registry/build.sh");
    let built = Command::new(&script).stderr(Stdio::inherit()).output().expect("a shell");
    assert!(built.status.success(), "{} fails", script.display());
    Path::new(String::from_utf8(built.stdout).expect("a path").trim_end()).join("registry")
}
