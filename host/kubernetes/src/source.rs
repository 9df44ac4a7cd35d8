//! Where the cluster comes from: `--cluster`, and the configuration that it leads to.
//!
//! Only configuration is read here. An address that nobody listens on is not an error: the server starts, and says so in each call
//! and in `/readyz?verbose`.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use sandbar_files::READ_TIME;
use sandbar_snapshot::{AtRest, SnapshotError};

use super::exchange::ApiServer;
use super::fault::Fault;
use super::kubeconfig::{Kubeconfig, Unusable};
use super::login::{Login, Origin};
use super::object::OBJECT_MAX;
use super::target::Target;
use super::{in_cluster, proxy};

/// What `--cluster` selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClusterSource {
    /// `auto`: `$KUBECONFIG` if it is set, else the cluster that this pod runs in, else `~/.kube/config`.
    #[default]
    Auto,
    /// `in-cluster`: the cluster that this pod runs in, as its ServiceAccount.
    InCluster,
    /// `kubeconfig` or `kubeconfig:CONTEXT`: `$KUBECONFIG`, else `~/.kube/config`; without a context, the current one.
    Kubeconfig(Option<String>),
    /// A kubeconfig of its own, which sandbar.yaml names; without a context, the current one.
    KubeconfigFile {
        /// The file.
        path: PathBuf,
        /// The context.
        context: Option<String>,
    },
    /// `snapshot:DIR`: the objects in a directory, as `kubectl cluster-info dump` writes it.
    Snapshot(PathBuf),
    /// `demo`: a small made-up cluster inside this program.
    Demo,
}

/// Text that selects no cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cluster: use auto, in-cluster, kubeconfig, kubeconfig:CONTEXT, snapshot:DIR or demo")]
pub struct ClusterSourceError(String);

impl FromStr for ClusterSource {
    type Err = ClusterSourceError;

    fn from_str(text: &str) -> Result<Self, ClusterSourceError> {
        // Context names may hold colons: those of EKS are ARNs.
        match text.split_once(':') {
            None => match text {
                "auto" => Ok(ClusterSource::Auto),
                "in-cluster" => Ok(ClusterSource::InCluster),
                "kubeconfig" => Ok(ClusterSource::Kubeconfig(None)),
                "demo" => Ok(ClusterSource::Demo),
                _ => Err(ClusterSourceError(text.to_owned())),
            },
            Some(("kubeconfig", context)) if !context.is_empty() => Ok(ClusterSource::Kubeconfig(Some(context.to_owned()))),
            Some(("snapshot", directory)) if !directory.is_empty() => Ok(ClusterSource::Snapshot(directory.into())),
            Some(_) => Err(ClusterSourceError(text.to_owned())),
        }
    }
}

impl fmt::Display for ClusterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClusterSource::Auto => f.write_str("auto"),
            ClusterSource::InCluster => f.write_str("in-cluster"),
            ClusterSource::Kubeconfig(None) => f.write_str("kubeconfig"),
            ClusterSource::Kubeconfig(Some(context)) => write!(f, "kubeconfig:{context}"),
            ClusterSource::KubeconfigFile { path, context: None } => write!(f, "kubeconfig {}", path.display()),
            ClusterSource::KubeconfigFile { path, context: Some(context) } => {
                write!(f, "kubeconfig {}, context {context}", path.display())
            }
            ClusterSource::Snapshot(directory) => write!(f, "snapshot:{}", directory.display()),
            ClusterSource::Demo => f.write_str("demo"),
        }
    }
}

/// Why there is no client for a cluster. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// `auto` found nothing.
    #[error(
        "no cluster found: $KUBECONFIG is not set, this is not a pod, and {0} does not exist; set one up, or try `--cluster demo`"
    )]
    Nothing(String),
    /// The pod's environment is not complete.
    #[error("this does not run in a pod with a ServiceAccount: {0}; outside of a cluster use `--cluster kubeconfig`")]
    InCluster(Fault),
    /// A kubeconfig that is not there.
    #[error("there is no kubeconfig at {0}; set $KUBECONFIG to the right path, or try `--cluster demo`")]
    Missing(String),
    /// A kubeconfig that cannot be read, or whose context cannot be used.
    #[error("the kubeconfig {path} cannot be used: {reason}")]
    Broken {
        /// Its path, or several with commas between them.
        path: String,
        /// What is wrong with it.
        reason: Fault,
    },
    /// No context was asked for, and the kubeconfig names none.
    #[error(
        "the kubeconfig {path} has no current context; name one, as `--cluster kubeconfig:CONTEXT` or `sandbar connect --context CONTEXT` ({contexts})"
    )]
    NoContext {
        /// Its path, or several with commas between them.
        path: String,
        /// The contexts that it has.
        contexts: String,
    },
    /// A context that the kubeconfig does not have.
    #[error("the kubeconfig {path} has no context `{context}` ({contexts})")]
    UnknownContext {
        /// Its path, or several with commas between them.
        path: String,
        /// The one that was asked for.
        context: String,
        /// The contexts that it has.
        contexts: String,
    },
    /// Certificates or credentials.
    #[error("the {cluster} cannot be used: {reason}")]
    Unusable {
        /// Which cluster.
        cluster: String,
        /// What is wrong with it.
        reason: Fault,
    },
    /// A snapshot that cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// A cluster's API server, and what to call the cluster.
pub(super) struct Connection {
    pub(super) api: ApiServer,
    pub(super) description: String,
    /// The time that it is there, where no time goes by.
    pub(super) now: Option<SystemTime>,
}

impl ClusterSource {
    /// Whether it leads to the cluster that this process runs in, as a pod.
    pub fn is_this_pods(&self) -> bool {
        match self {
            ClusterSource::Auto => matches!(Environment::read().auto(), Ok(Found::InCluster)),
            ClusterSource::InCluster => true,
            ClusterSource::Kubeconfig(_)
            | ClusterSource::KubeconfigFile { .. }
            | ClusterSource::Snapshot(_)
            | ClusterSource::Demo => false,
        }
    }

    /// Whether it is files, and no API server that anybody else asks.
    pub fn is_at_rest(&self) -> bool {
        matches!(self, ClusterSource::Snapshot(_) | ClusterSource::Demo)
    }

    /// Reads the configuration and makes the client.
    pub(super) async fn open(&self) -> Result<Connection, ConnectError> {
        let environment = Environment::read();
        match self {
            ClusterSource::Auto => match environment.auto()? {
                Found::Kubeconfig => from_kubeconfig(environment, None).await,
                Found::InCluster => from_pod().await,
            },
            ClusterSource::InCluster => from_pod().await,
            ClusterSource::Kubeconfig(context) => from_kubeconfig(environment, context.clone()).await,
            ClusterSource::KubeconfigFile { path, context } => from_kubeconfig(environment.with(path), context.clone()).await,
            ClusterSource::Snapshot(directory) => {
                let snapshot = sandbar_snapshot::open(directory, OBJECT_MAX)?;
                Ok(Connection::in_process(snapshot, format!("snapshot {}", directory.display())))
            }
            ClusterSource::Demo => Ok(Connection::in_process(sandbar_snapshot::demo(), "demo cluster".to_owned())),
        }
    }
}

impl Connection {
    fn in_process(AtRest { client, now }: AtRest, description: String) -> Self {
        Self { api: ApiServer::new(client, &format!("the {description}")), description, now }
    }

    /// No cluster, and why.
    pub(super) fn none(why: &str) -> Self {
        Self { api: ApiServer::none(why), description: "no cluster".to_owned(), now: None }
    }

    async fn to(target: Target, origin: Arc<Origin>) -> Result<Self, ConnectError> {
        let cluster = target.called.clone();
        let description = format!("{cluster} ({}){}", target.server, target.proxy);
        let login = Login::open(origin, target).await.map_err(|reason| ConnectError::Unusable { cluster, reason })?;
        Ok(Self { api: ApiServer::with(login), description, now: None })
    }
}

/// The cluster of the person who runs this process: that of a kubeconfig that they name, else the one that `auto` finds.
pub(super) async fn of_person(kubeconfig: Option<&Path>, context: Option<&str>) -> Result<Connection, ConnectError> {
    let environment = kubeconfig.into_iter().fold(Environment::read(), Environment::with);
    match context {
        None if environment.auto()? == Found::InCluster => from_pod().await,
        _ => from_kubeconfig(environment, context.map(str::to_owned)).await,
    }
}

async fn from_pod() -> Result<Connection, ConnectError> {
    let origin = Arc::new(Origin::Pod);
    let target = origin.read_in_time().await.map_err(ConnectError::InCluster)?;
    Connection::to(target, origin).await
}

async fn from_kubeconfig(environment: Environment, asked: Option<String>) -> Result<Connection, ConnectError> {
    let paths = environment.kubeconfig_paths();
    let reading = sandbar_files::wait_in_time(&paths[0], READ_TIME, move |_| Ok(open_kubeconfig(environment, asked.as_deref())));
    let (target, origin) =
        reading.await.map_err(|error| ConnectError::Broken { path: joined(&paths), reason: Fault::of_file(&error) })??;
    Connection::to(target, Arc::new(origin)).await
}

/// Reads the kubeconfig, and where its context leads. Blocks.
fn open_kubeconfig(environment: Environment, asked: Option<&str>) -> Result<(Target, Origin), ConnectError> {
    let paths = environment.kubeconfig_paths();
    let path = joined(&paths);
    let kubeconfig = Kubeconfig::read(&paths, None)?;
    // As kubectl has it: files of a list may be missing. But not all of them.
    if kubeconfig.is_missing() {
        return Err(ConnectError::Missing(path));
    }
    let context = context(&kubeconfig, path, asked)?;
    let target = kubeconfig.target(&context, &environment.proxies)?;
    let origin = Origin::Kubeconfig { paths, context, variables: environment.proxies, last: Mutex::new(kubeconfig) };
    Ok((target, origin))
}

/// Paths as a message names them.
fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The context to use: the one that was asked for or the current one, if it exists.
fn context(kubeconfig: &Kubeconfig, path: String, asked: Option<&str>) -> Result<String, ConnectError> {
    let contexts = || {
        let names = kubeconfig.contexts();
        if names.is_empty() { "it has none at all".to_owned() } else { format!("it has {}", names.join(", ")) }
    };
    let current = match asked {
        None => kubeconfig.current_context()?,
        Some(_) => None,
    };
    let Some(name) = asked.or(current) else {
        return Err(ConnectError::NoContext { path, contexts: contexts() });
    };
    if !kubeconfig.contexts().contains(&name) {
        return Err(ConnectError::UnknownContext { path, context: name.to_owned(), contexts: contexts() });
    }
    Ok(name.to_owned())
}

impl From<Unusable> for ConnectError {
    fn from(Unusable { path, fault }: Unusable) -> Self {
        ConnectError::Broken { path: path.display().to_string(), reason: fault }
    }
}

/// The parts of the environment that decide where the cluster is.
#[derive(Debug, Default)]
struct Environment {
    kubeconfig: Option<OsString>,
    home: Option<PathBuf>,
    in_pod: bool,
    proxies: proxy::Variables,
}

/// What `auto` leads to.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Kubeconfig,
    InCluster,
}

impl Environment {
    /// The same with this kubeconfig.
    fn with(self, kubeconfig: &Path) -> Self {
        Self { kubeconfig: Some(kubeconfig.into()), ..self }
    }

    fn read() -> Self {
        Self {
            kubeconfig: std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()),
            home: std::env::home_dir(),
            in_pod: in_cluster::is_pod(),
            proxies: proxy::Variables::read(),
        }
    }

    fn auto(&self) -> Result<Found, ConnectError> {
        if self.kubeconfig.is_some() {
            return Ok(Found::Kubeconfig);
        }
        if self.in_pod {
            return Ok(Found::InCluster);
        }
        let default = self.default_kubeconfig();
        if default.exists() {
            return Ok(Found::Kubeconfig);
        }
        Err(ConnectError::Nothing(default.display().to_string()))
    }

    fn default_kubeconfig(&self) -> PathBuf {
        self.home.as_deref().unwrap_or(Path::new("~")).join(".kube").join("config")
    }

    /// `$KUBECONFIG` may name several files; the first to set a value wins.
    fn kubeconfig_paths(&self) -> Vec<PathBuf> {
        let named = self.kubeconfig.iter().flat_map(std::env::split_paths);
        let mut paths = Vec::new();
        for path in named.filter(|path| !path.as_os_str().is_empty()) {
            // A file that is named twice is read once: it may be a pipe.
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        if paths.is_empty() {
            paths.push(self.default_kubeconfig());
        }
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_read_as_it_is_written() {
        for text in
            ["auto", "in-cluster", "kubeconfig", "kubeconfig:kind-dev", "kubeconfig:arn:aws:eks:x/y", "snapshot:/tmp/a:b", "demo"]
        {
            assert_eq!(text.parse::<ClusterSource>().expect(text).to_string(), text);
        }
        for text in ["", "Auto", "kubeconfig:", "snapshot", "snapshot:", "demo:x", "/etc/kubeconfig"] {
            assert_eq!(text.parse::<ClusterSource>(), Err(ClusterSourceError(text.to_owned())));
        }
        assert_eq!(ClusterSource::default(), ClusterSource::Auto);
    }

    #[test]
    fn auto_prefers_what_was_set_on_purpose() {
        let named = Environment { kubeconfig: Some("/a".into()), in_pod: true, ..Environment::default() };
        assert_eq!(named.auto().expect("a cluster"), Found::Kubeconfig);
        let pod = Environment { in_pod: true, ..Environment::default() };
        assert_eq!(pod.auto().expect("a cluster"), Found::InCluster);
        let bare = Environment { home: Some("/nonexistent".into()), ..Environment::default() };
        assert!(bare.auto().expect_err("none").to_string().contains("/nonexistent/.kube/config does not exist"));
    }

    #[test]
    fn kubeconfig_names_several_files() {
        let environment = Environment { kubeconfig: Some("/a::/b:/a".into()), ..Environment::default() };
        assert_eq!(environment.kubeconfig_paths(), [PathBuf::from("/a"), PathBuf::from("/b")]);
    }

    /// What becomes of a kubeconfig with this text.
    fn opened(yaml: &str, asked: Option<&str>) -> Result<(Target, Origin), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, yaml).unwrap();
        let environment = Environment { kubeconfig: Some(path.clone().into()), ..Environment::default() };
        let opened = open_kubeconfig(environment, asked);
        opened.map_err(|error| error.to_string().replace(path.to_str().unwrap(), "FILE"))
    }

    const TWO_CONTEXTS: &str = "
current-context: kind-dev
contexts:
- { name: kind-dev, context: { cluster: dev, user: me } }
- { name: prod, context: { cluster: prod, user: me } }
clusters:
- { name: dev, cluster: { server: 'https://127.0.0.1:6443' } }
- { name: prod, cluster: { server: 'https://prod.example', proxy-url: 'http://proxy.example:3128' } }
";

    #[test]
    fn a_context_that_does_not_exist_is_told_with_those_that_do() {
        let called = |asked| opened(TWO_CONTEXTS, asked).expect("a cluster").0.called;
        assert_eq!(
            (called(None).as_str(), called(Some("prod")).as_str()),
            ("kubeconfig context kind-dev", "kubeconfig context prod")
        );
        let error = opened(TWO_CONTEXTS, Some("staging")).expect_err("unknown");
        assert_eq!(error, "the kubeconfig FILE has no context `staging` (it has kind-dev, prod)");
        let proxy = |asked| opened(TWO_CONTEXTS, asked).expect("a cluster").0.proxy.to_string();
        assert_eq!((proxy(Some("prod")).as_str(), proxy(None).as_str()), (" through http://proxy.example:3128/", ""));
    }

    #[test]
    fn a_kubeconfig_without_a_current_context_asks_for_one() {
        assert_eq!(
            opened("contexts: [{ name: a, context: { cluster: a } }]", None).expect_err("none"),
            "the kubeconfig FILE has no current context; name one, as `--cluster kubeconfig:CONTEXT` or `sandbar connect --context CONTEXT` (it has a)"
        );
        for empty in ["{}", "", "contexts: null", "current-context: ''"] {
            assert!(opened(empty, None).expect_err("none").contains("it has none at all"), "{empty:?}");
        }
    }

    #[test]
    fn a_missing_kubeconfig_is_told_by_its_path() {
        let environment = Environment { kubeconfig: Some("/nonexistent/config".into()), ..Environment::default() };
        let error = open_kubeconfig(environment, None).map(drop).expect_err("missing");
        assert!(error.to_string().starts_with("there is no kubeconfig at /nonexistent/config"), "{error}");
    }

    #[test]
    fn a_broken_kubeconfig_keeps_its_secrets() {
        let yaml = "contexts:\n- name: a\nusers:\n- name: me\n  user:\n    token: SECRET\n    bad: [\n";
        let error = opened(yaml, None).expect_err("broken");
        assert!(error.contains("line ") && !error.contains("SECRET"), "{error}");
    }

    #[tokio::test]
    async fn connecting_needs_no_api_server() {
        let (target, origin) = opened(TWO_CONTEXTS, None).expect("a cluster");
        let connection = Connection::to(target, Arc::new(origin)).await.expect("configured");
        assert_eq!(connection.description, "kubeconfig context kind-dev (https://127.0.0.1:6443)");
    }
}
