//! A real kube-apiserver with etcd, and kwok as its nodes: see `tests/control-plane`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::Deserialize;
use tempfile::TempDir;

use crate::process::Transcript;

/// Removes the directory once the control plane has ended, also when nobody is left to do it, unless it is to be started again.
/// Ctrl-C reaches the shell too, which has to stay for that.
const RUN_AND_CLEAN: &str =
    r#"trap : INT TERM; directory=$1; shift; "$@"; status=$?; [ -e "$directory/again" ] || rm -rf "$directory"; exit $status"#;

/// A running control plane. It ends when this is dropped, or with this process.
#[derive(Debug)]
pub struct ControlPlane {
    started: Started,
    directory: PathBuf,
    arguments: Vec<String>,
    /// Its standard input: the control plane runs until it is closed.
    leash: Option<ChildStdin>,
    child: Child,
}

/// What the program says once everything is ready.
#[derive(Debug, Deserialize)]
struct Started {
    kubeconfig: PathBuf,
    server: String,
    ca: PathBuf,
    #[serde(rename = "serviceAccountKey")]
    service_account_key: PathBuf,
    /// Absent where real kubelets are the nodes.
    node: Option<String>,
}

impl ControlPlane {
    /// The one that most tests share.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<ControlPlane> = LazyLock::new(|| ControlPlane::start(&[]));
        &SHARED
    }

    /// One of a test's own. `arguments` come after `start --dir DIR`.
    ///
    /// # Panics
    /// When it cannot be built or started.
    pub fn start(arguments: &[&str]) -> Self {
        let directory = TempDir::with_prefix("sandbar-control-plane-").expect("a temporary directory").keep();
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let (started, leash, child) = Self::start_in(&directory, &arguments);
        Self { started, directory, arguments, leash, child }
    }

    /// Starts in a directory, which may be that of an earlier run: then it goes on with the same keys, objects and ports.
    fn start_in(directory: &Path, arguments: &[String]) -> (Started, Option<ChildStdin>, Child) {
        let mut child = Command::new("sh")
            .args(["-c", RUN_AND_CLEAN, "sh"])
            .arg(directory)
            .arg(Self::programs().join("control-plane"))
            .arg("start")
            .arg("--dir")
            .arg(directory)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("sh can be run");
        let words = Transcript::of(child.stderr.take().expect("it is piped"));
        let leash = child.stdin.take();
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
        let started = serde_json::from_str(&line)
            .unwrap_or_else(|error| panic!("the control plane did not start ({error}): {line}{}", words.text()));
        (started, leash, child)
    }

    /// Ends it; [`ControlPlane::start_again`] goes on from there.
    pub fn stop(&mut self) {
        std::fs::write(self.directory.join("again"), "").expect("its directory is there");
        drop(self.leash.take());
        let status = self.child.wait().expect("it can be waited for");
        assert!(status.success(), "the control plane ended with {status}");
    }

    /// Starts it where it was stopped: with the same objects, and at the same address.
    pub fn start_again(&mut self) {
        std::fs::remove_file(self.directory.join("again")).expect("it was stopped");
        (self.started, self.leash, self.child) = Self::start_in(&self.directory, &self.arguments);
    }

    /// The folder with the programs `control-plane`, `kwok` and `kubectl`. The first time, building them takes minutes.
    pub fn programs() -> &'static Path {
        static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(|| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/control-plane/build.sh");
            let output = Command::new(script).stderr(Stdio::inherit()).output().expect("build.sh can be run");
            assert!(output.status.success(), "{script} failed: {}", output.status);
            String::from_utf8(output.stdout).expect("a path").trim_end().into()
        });
        &PROGRAMS
    }

    /// A kubeconfig with a context for each user: `admin`, `viewer` and `narrow`.
    pub fn kubeconfig(&self) -> &Path {
        &self.started.kubeconfig
    }

    /// The API server's address.
    pub fn server(&self) -> &str {
        &self.started.server
    }

    /// The certificate that its own is signed with.
    pub fn certificate_authority(&self) -> &Path {
        &self.started.ca
    }

    /// The key that signs the tokens of pods.
    pub fn service_account_key(&self) -> &Path {
        &self.started.service_account_key
    }

    /// The node that pods run on, played by kwok.
    pub fn node(&self) -> &str {
        self.started.node.as_deref().expect("there is no kwok where real kubelets are the nodes")
    }

    /// A folder for files that kwok reads, log files for example. It goes with the control plane.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A client for one of the users. It lives on the runtime that it is made on, so each test makes its own.
    pub async fn client(&self, user: &str) -> kube::Client {
        client(self.kubeconfig(), user).await
    }

    /// Runs kubectl as `admin` and returns what it prints.
    ///
    /// # Panics
    /// When kubectl fails.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).unwrap_or_else(|words| panic!("kubectl {arguments:?}: {words}"))
    }

    /// The same, or what it says is wrong.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let output = Command::new(Self::programs().join("kubectl"))
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(arguments)
            .output()
            .expect("kubectl can be run");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }
}

/// A client for one of the users of a kubeconfig.
pub async fn client(kubeconfig: &Path, user: &str) -> kube::Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions { context: Some(user.to_owned()), ..KubeConfigOptions::default() };
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a context for each user");
    kube::Client::try_from(config).expect("a client")
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if self.leash.take().is_some() {
            let _ = self.child.wait();
        } else {
            // It was stopped, and nobody has started it again.
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }
}
