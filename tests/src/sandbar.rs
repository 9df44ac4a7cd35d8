//! The `sandbar` binary: run for one command, or as a server.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio as Standard};
use std::sync::LazyLock;

use serde_json::Value;

use crate::cargo::cargo;
use crate::clients::Program;
use crate::control_plane::ControlPlane;
use crate::fake_api::FakeApi;
use crate::process::{Leash, Transcript, Unread};
use crate::stdio::Stdio;
use crate::{http, in_time, until};

/// The binary under test: `$SANDBAR`, else the one of this cargo profile, brought up to date first.
pub fn binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| match std::env::var_os("SANDBAR") {
        Some(path) => path.into(),
        None => build(),
    });
    &BINARY
}

/// Cargo builds a binary for the tests of its own package only.
fn build() -> PathBuf {
    let profile_folder = profile_folder();
    let profile = profile_folder.file_name().and_then(OsStr::to_str).expect("a folder of cargo's");
    let profile = if profile == "debug" { "dev" } else { profile };
    let status = cargo()
        .args(["build", "--quiet", "--locked", "--package", "sandbar", "--bin", "sandbar", "--profile", profile, "--target-dir"])
        .arg(profile_folder.parent().expect("a target directory"))
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "sandbar does not compile");
    profile_folder.join("sandbar")
}

/// `target/debug`, where the test binary is in `target/debug/deps`.
pub(crate) fn profile_folder() -> PathBuf {
    let exe = std::env::current_exe().expect("a path");
    exe.ancestors().nth(2).expect("cargo's folders").to_owned()
}

/// A folder of these tests in cargo's target directory.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = profile_folder().with_file_name("system-tests").join(name);
    std::fs::create_dir_all(&folder).expect("a folder in the target directory");
    folder
}

/// A command line of `sandbar`, free of what the caller's environment would change.
fn command(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Standard::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_uppercase();
        if text.starts_with("SANDBAR") || text.ends_with("_PROXY") || text.starts_with("KUBE") {
            command.env_remove(&name);
        }
    }
    // Compiled components, shared by all that these tests start.
    command.env("SANDBAR_CACHE_DIR", scratch("components"));
    command
}

/// How one command ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// Data.
    pub stdout: String,
    /// Words.
    pub stderr: String,
}

impl Finished {
    /// The exit status.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("no exit status: {self:?}"))
    }

    /// Checks that it was refused, with these words.
    ///
    /// # Panics
    /// Where it was not.
    #[track_caller]
    pub fn assert_refused(&self, said: &str) {
        assert!(self.code() == 1 && self.stderr.contains(said), "{said}: {self:?}");
    }

    /// What it printed, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// One run of `sandbar`.
pub struct Run(Command);

impl Run {
    /// `sandbar ARGUMENTS`.
    pub fn new(arguments: &[&str]) -> Self {
        Self(command(arguments))
    }

    /// With a variable in its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Without a variable in its environment.
    pub fn without(mut self, name: &str) -> Self {
        self.0.env_remove(name);
        self
    }

    /// With another argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    /// In this folder.
    pub fn within(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// With standard input from a file.
    pub fn stdin(mut self, file: std::fs::File) -> Self {
        self.0.stdin(file);
        self
    }

    /// As `user` of a control plane.
    pub fn of(self, control_plane: &ControlPlane, user: &str) -> Self {
        self.env("KUBECONFIG", control_plane.kubeconfig()).arg("--cluster").arg(format!("kubeconfig:{user}"))
    }

    /// Starts it with its standard streams for whoever speaks to it.
    pub fn converse(self) -> Stdio {
        Stdio::start(self.0)
    }

    /// As a client starts it that is told of it in a file.
    pub fn as_program(&self) -> Program {
        let text = |text: &OsStr| text.to_str().expect("text").to_owned();
        Program {
            command: self.0.get_program().into(),
            args: self.0.get_args().map(text).collect(),
            env: self.0.get_envs().filter_map(|(name, value)| Some((text(name), text(value?)))).collect(),
        }
    }

    /// Runs it to its end.
    pub async fn finish(mut self) -> Finished {
        let described = format!("{:?}", self.0.get_args().collect::<Vec<_>>());
        self.0.stdout(Standard::piped()).stderr(Standard::piped());
        let mut command = tokio::process::Command::from(self.0);
        command.kill_on_drop(true);
        let output = in_time(&format!("sandbar {described}"), command.output()).await.expect("sandbar can be run");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Finished { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Checks that no server of the demo cluster starts with this sandbar.yaml, and what is said of it.
///
/// # Panics
/// Where one does, or something else is said.
pub async fn assert_refused_at_start(yaml: &str, said: &str) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let config = folder.path().join("sandbar.yaml");
    std::fs::write(&config, yaml).expect("a temporary file");
    let run = Run::new(&["serve", "--cluster", "demo", "--listen", "127.0.0.1:0", "--config"]).arg(config);
    run.finish().await.assert_refused(said);
}

/// A server that is to be started.
pub struct Builder {
    command: Command,
    listen: String,
    files: tempfile::TempDir,
}

impl Builder {
    fn new(arguments: &[&OsStr]) -> Self {
        Self {
            command: command(arguments),
            listen: "127.0.0.1:0".to_owned(),
            files: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// Looks into this cluster: the value of `--cluster`.
    pub fn cluster(self, source: &str) -> Self {
        self.arg("--cluster").arg(source)
    }

    /// Looks into a control plane, as one of its users.
    pub fn of(self, control_plane: &ControlPlane, user: &str) -> Self {
        self.kubeconfig(control_plane.kubeconfig()).cluster(&format!("kubeconfig:{user}"))
    }

    /// With this kubeconfig.
    pub fn kubeconfig(self, path: &Path) -> Self {
        self.env("KUBECONFIG", path)
    }

    /// Looks into a made-up API server.
    pub fn fake(self, api: &FakeApi) -> Self {
        let kubeconfig = self.files.path().join("kubeconfig");
        api.write_kubeconfig(&kubeconfig);
        self.kubeconfig(&kubeconfig).cluster("kubeconfig:test")
    }

    /// With this sandbar.yaml.
    pub fn config(self, yaml: &str) -> Self {
        let path = self.files.path().join("sandbar.yaml");
        std::fs::write(&path, yaml).expect("a temporary file");
        self.arg("--config").arg(path)
    }

    /// On this port, where an earlier server was.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address.to_string();
        self
    }

    /// With another argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// With a variable in its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it and waits until it is ready, and serves all components that it can.
    pub async fn start(self) -> Server {
        let server = self.start_unready().await;
        until("the server is ready", || async {
            let reply = http::get(server.address, "/readyz").await;
            (reply.status == 200).then_some(())
        })
        .await;
        // Only where there is something to wait for: it asks the API server.
        if server.log().contains(COMPILING) {
            until("its components are compiled", || async {
                let state = http::get(server.address, "/readyz?verbose").await.text().await;
                (!state.contains(COMPILING)).then_some(())
            })
            .await;
        }
        server
    }

    /// Starts it and waits until it listens.
    pub async fn start_unready(mut self) -> Server {
        self.command.args(["--listen", &self.listen]).stdout(Standard::null()).stderr(Standard::piped());
        let mut child = self.command.spawn().expect("sandbar can be run");
        let leash = Leash::new(child.id());
        let log = Transcript::of(child.stderr.take().expect("it is piped"));
        let address = until("the server says where it listens", || {
            let said = address_in(&log.text());
            let ended = child.try_wait().expect("it can be asked");
            let text = if ended.is_some() { log.text() } else { String::new() };
            async move {
                assert!(said.is_some() || ended.is_none(), "sandbar serve ended with {ended:?}: {text}");
                said
            }
        })
        .await;
        Server { address, child, log, _leash: leash, files: self.files }
    }
}

/// What a server says of a component that is not ready when it starts.
const COMPILING: &str = "is being compiled";

/// `... connect an MCP client to http://127.0.0.1:8090/mcp`, or to `https://`.
fn address_in(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("connect an MCP client to http").or_else(|| log.split_once("it listens at http"))?;
    rest.trim_start_matches('s').strip_prefix("://")?.split_once(['/', ' '])?.0.parse().ok()
}

/// A running server. It is killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    child: Child,
    log: Transcript,
    _leash: Leash,
    files: tempfile::TempDir,
}

impl Server {
    /// A server to be started.
    pub fn builder() -> Builder {
        Builder::new(&["serve".as_ref()])
    }

    /// One that serves the tool of a folder while it is written.
    pub fn developing(folder: &Path) -> Builder {
        Builder::new(&["dev".as_ref(), folder.as_ref()])
    }

    /// The one that most tests share: the shared control plane, as its admin, without a configuration.
    pub async fn shared() -> &'static Self {
        static SHARED: tokio::sync::OnceCell<Server> = tokio::sync::OnceCell::const_new();
        SHARED.get_or_init(|| async { Server::builder().of(ControlPlane::shared(), "admin").start().await }).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Gives it another sandbar.yaml in the place of the one that it was started with.
    pub fn configure(&self, yaml: &str) {
        // In one step: on a busy machine a file can be empty for seconds.
        let (next, file) = (self.files.path().join("sandbar.yaml.next"), self.files.path().join("sandbar.yaml"));
        std::fs::write(&next, yaml).and_then(|()| std::fs::rename(next, file)).expect("a temporary file");
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Has nobody read its log until this is dropped.
    pub fn log_unread(&self) -> Unread<'_> {
        self.log.unread()
    }

    /// Waits until the log holds some text.
    pub async fn until_logged(&self, text: &str) {
        until(&format!("{text:?} in the log"), || async { self.log().contains(text).then_some(()) }).await;
    }

    /// Sends it a signal by name, `TERM` for example.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().expect("kill can be run");
        assert!(status.success(), "kill -s {name}: {status}");
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> ExitStatus {
        until("the server ends", || {
            let ended = self.child.try_wait().expect("it can be asked");
            async move { ended }
        })
        .await
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_none()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
