//! What the real cosign, in versions 2 and 3, signs with keys. It takes minutes to build, so it runs in `make e2e`, and what it wrote once is
//! in `fixtures`: with FIXTURES=write it is written anew.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use sandbar_registry::{Pinned, Policy};
use serde_json::{Map, Value, json};

use crate::real::{Registry, built, package};

/// A cosign, and a folder for keys.
struct Cosign {
    version: u8,
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Cosign {
    fn new(version: u8) -> Self {
        let program = built("bigger.sh").join(format!("cosign-{version}"));
        Self { version, program, folder: tempfile::tempdir().expect("a folder") }
    }

    fn run(&self, arguments: &[&str]) {
        let ran = Command::new(&self.program).args(arguments).current_dir(self.folder.path()).env("COSIGN_PASSWORD", "").output();
        let ran = ran.expect("cosign runs");
        assert!(ran.status.success(), "cosign {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// A new key pair, and the text of the public key.
    fn key(&self, name: &str, is_ed25519: bool) -> String {
        let private = self.folder.path().join("private.pem");
        match is_ed25519 {
            false => self.run(&["generate-key-pair", "--output-key-prefix", name]),
            true => {
                let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
                std::fs::write(private, pair.serialize_pem()).expect("written");
                self.run(&["import-key-pair", "--key", "private.pem", "--output-key-prefix", name]);
            }
        }
        std::fs::read_to_string(self.folder.path().join(name).with_extension("pub")).expect("a key")
    }

    fn sign(&self, name: &str, pinned: &Pinned) {
        let key = format!("{name}.key");
        let reference = pinned.to_string().replace("oci://", "");
        let mut arguments = vec!["sign", "--key", &key, "--allow-http-registry", "-a", "team=blue", "-y"];
        match self.version {
            2 => arguments.push("--tlog-upload=false"),
            _ => {
                self.run(&["signing-config", "create", "--out", "none.json"]);
                arguments.extend(["--signing-config", "none.json"]);
            }
        }
        arguments.push(&reference);
        self.run(&arguments);
    }
}

/// What is at a path of a registry, below the repository.
fn get(registry: &Registry, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(&registry.address).expect("connected");
    let accepts = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
    write!(stream, "GET /v2/team/tool/{path} HTTP/1.0\r\naccept: {accepts}\r\n\r\n").expect("written");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let body = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    answer.starts_with(b"HTTP/1.0 200").then(|| answer.split_off(body))
}

/// Everything that there is for a digest, by its path.
fn contents(registry: &Registry, digest: &str) -> Map<String, Value> {
    let tag = digest.replace(':', "-");
    let mut contents = Map::new();
    let mut paths = vec![
        format!("manifests/{digest}"),
        format!("manifests/{tag}.sig"),
        format!("manifests/{tag}"),
        format!("referrers/{digest}"),
    ];
    while let Some(path) = paths.pop() {
        let Some(bytes) = get(registry, &path) else { continue };
        let text = String::from_utf8(bytes).expect("text");
        if let Ok(document) = serde_json::from_str::<Value>(&text) {
            let of = |list: &str, kind: &str| {
                let entries = document[list].as_array().cloned().unwrap_or_default();
                entries.iter().map(|entry| format!("{kind}/{}", entry["digest"].as_str().expect("a digest"))).collect::<Vec<_>>()
            };
            paths.extend(of("manifests", "manifests"));
            paths.extend(of("layers", "blobs"));
        }
        contents.insert(path, text.into());
    }
    contents
}

#[tokio::test]
#[ignore = "builds cosign, which takes minutes: `make e2e`"]
async fn what_cosign_signs_is_signed_for_us() {
    let own = |arguments: &[&str]| Registry::start(arguments);
    let distribution = || Registry::run(&built("bigger.sh").join("distribution"), &[]);
    for (version, registry, name) in [
        (2, own(&[]), "cosign-2"),
        (3, own(&[]), "cosign-3"),
        (3, own(&["-referrers=false"]), "cosign-3-without-referrers"),
        (2, distribution(), "cosign-2-in-distribution"),
        (3, distribution(), "cosign-3-in-distribution"),
    ] {
        let client = registry.client(None);
        let cosign = Cosign::new(version);
        let pinned = client.push(&registry.reference("team/tool:1"), &package()).await.expect("pushed");
        let keys = [cosign.key("p256", false), cosign.key("ed25519", true)];
        let stranger = cosign.key("stranger", false);
        let policy = |keys: &[&String]| -> Policy {
            let rules: Vec<Value> =
                keys.iter().map(|key| json!({ "kind": "pubKey", "key": key, "annotations": { "team": "blue" } })).collect();
            serde_json::from_value(json!({ "allOf": rules })).expect("a policy")
        };
        let verified = async |keys: &[&String]| client.verify(&pinned, &policy(keys)).await.map_err(|error| error.to_string());
        let error = verified(&[&keys[0]]).await.expect_err("not signed yet");
        assert!(error.contains("it is not signed"), "{error}");
        cosign.sign("p256", &pinned);
        verified(&[&keys[0]]).await.expect(name);
        let error = verified(&[&keys[1]]).await.expect_err("not by this one");
        assert!(error.contains("not made with this key"), "{error}");
        cosign.sign("ed25519", &pinned);
        verified(&[&keys[0], &keys[1]]).await.expect(name);
        verified(&[&keys[0], &stranger]).await.expect_err("by a stranger");
        if !name.ends_with("distribution") && std::env::var_os("FIXTURES").is_some_and(|mode| mode == "write") {
            let digest = pinned.digest.to_string();
            let fixture = json!({ "digest": digest, "keys": { "p256": keys[0], "ed25519": keys[1] }, "contents": contents(&registry, &digest) });
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.json"));
            std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
            std::fs::write(file, serde_json::to_string_pretty(&fixture).expect("JSON") + "\n").expect("written");
        }
    }
}

#[test]
#[ignore = "builds cosign, which takes minutes: `make e2e`"]
fn what_sigstore_go_signs_can_be_written_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, document) = (folder.path().join("document"), r#"{"a":"manifest"}"#);
    std::fs::write(&file, document).expect("written");
    let ran = Command::new(built("bigger.sh").join("keyless")).arg(&file).output().expect("it runs");
    let mut fixture: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    fixture["document"] = document.into();
    if std::env::var_os("FIXTURES").is_some_and(|mode| mode == "write") {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keyless.json");
        std::fs::write(file, serde_json::to_string_pretty(&fixture).expect("JSON") + "\n").expect("written");
    }
}
