//! The registry of go-containerregistry, in memory: `tests/registry`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use sandbar_registry::{DockerConfig, Kind, Package, Proxies, Reference, Registries, Settings, Trust};
use serde_json::json;

/// A running registry, which ends when this is dropped.
pub(crate) struct Registry {
    pub(crate) address: String,
    _leash: Option<ChildStdin>,
    child: Child,
}

impl Registry {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::run(&built("build.sh").join("registry"), arguments)
    }

    pub(crate) fn run(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a registry");
        let mut address = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut address).expect("its address");
        Self { address: address.trim_end().to_owned(), _leash: child.stdin.take(), child }
    }

    pub(crate) fn client(&self, login: Option<&str>) -> Registries {
        let (user, password) = login.and_then(|login| login.split_once(':')).unwrap_or_default();
        let config = json!({ "auths": { self.address.as_str(): { "username": user, "password": password } } });
        let settings = Settings {
            hosts: [(self.address.clone(), Trust::Insecure)].into(),
            credentials: vec![DockerConfig::parse(config.to_string().as_bytes()).expect("a configuration")],
            proxies: Proxies::default(),
            component_bytes: 1 << 20,
            cache: None,
            trust_root: None,
            online: true,
        };
        Registries::new(settings).expect("settings")
    }

    pub(crate) fn reference(&self, rest: &str) -> Reference {
        format!("oci://{}/{rest}", self.address).parse().expect("a reference")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder that a script of `tests/registry` builds programs in.
pub(crate) fn built(script: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/registry").join(script);
    let built = Command::new(&script).stderr(Stdio::inherit()).output().expect("a shell");
    assert!(built.status.success(), "{} fails", script.display());
    PathBuf::from(String::from_utf8(built.stdout).expect("a path").trim_end())
}

pub(crate) fn package() -> Package {
    Package {
        component: b"\0asm component".as_slice().into(),
        imports: vec!["sandbar:kubernetes/read@0.1.0".to_owned()],
        exports: Vec::new(),
        annotations: BTreeMap::from([("org.opencontainers.image.version".to_owned(), "1.2.0".to_owned())]),
    }
}

#[tokio::test]
async fn what_is_pushed_is_pulled_and_twice_the_same_has_one_digest() {
    pushes_and_pulls(&Registry::start(&[])).await;
}

#[tokio::test]
#[ignore = "builds distribution's registry, which takes minutes: `make e2e`"]
async fn the_same_holds_for_the_registry_of_distribution() {
    pushes_and_pulls(&Registry::run(&built("bigger.sh").join("distribution"), &[])).await;
}

async fn pushes_and_pulls(registry: &Registry) {
    let client = registry.client(None);
    let tagged = registry.reference("team/tool:1.2.0");
    let pushed = client.push(&tagged, &package()).await.expect("pushed");
    assert_eq!(client.resolve(&tagged).await.expect("resolved"), pushed);
    let pulled = client.pull(&pushed).await.expect("pulled");
    assert_eq!((pulled.component, pulled.annotations), (package().component, package().annotations));
    assert_eq!(client.push(&tagged, &package()).await.expect("pushed again"), pushed);
    client.push(&pushed.clone().into(), &package()).await.expect("pushed by its digest");
    let mut changed = package();
    changed.annotations.clear();
    let error = client.push(&pushed.into(), &changed).await.expect_err("another digest").to_string();
    assert!(error.contains("this package has the digest sha256:"), "{error}");
    let error = client.resolve(&registry.reference("team/tool:2")).await.expect_err("no tag");
    assert_eq!(error.kind, Kind::Absent);
}

#[tokio::test]
async fn a_login_is_for_pulling_and_for_pushing() {
    for arguments in [vec!["-login", "ann:s3cret"], vec!["-login", "ann:s3cret", "-tokens"]] {
        let registry = Registry::start(&arguments);
        let tagged = registry.reference("team/tool:1");
        let client = registry.client(Some("ann:s3cret"));
        let pushed = client.push(&tagged, &package()).await.expect("pushed");
        client.pull(&pushed).await.expect("pulled");
        for other in [None, Some("ann:guess")] {
            let client = registry.client(other);
            let denied =
                [client.push(&tagged, &package()).await.expect_err("no push"), client.pull(&pushed).await.expect_err("no pull")];
            assert!(denied.iter().all(|error| error.kind == Kind::Denied), "{denied:?}");
        }
    }
}
