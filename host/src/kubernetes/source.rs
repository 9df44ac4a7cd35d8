//! Where the cluster comes from: `--cluster`, and the configuration that it leads to.
//!
//! Only configuration is read here. An address that nobody listens on is not an error: the server starts, and says so in each call
//! and in `/readyz?verbose`.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use kube::Config;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};

use super::client::{self, ClientError};
use super::proxy::{Proxy, ProxyError};
use super::snapshot::{self, SnapshotError};

/// Where a pod finds the token of its ServiceAccount.
const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// What `--cluster` selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// `auto`: `$KUBECONFIG` if it is set, else the cluster that this pod runs in, else `~/.kube/config`.
    #[default]
    Auto,
    /// `in-cluster`: the cluster that this pod runs in, as its ServiceAccount.
    InCluster,
    /// `kubeconfig` or `kubeconfig:CONTEXT`: `$KUBECONFIG`, else `~/.kube/config`; without a context, the current one.
    Kubeconfig(Option<String>),
    /// `snapshot:DIR`: the objects in a directory, as `kubectl cluster-info dump` writes it.
    Snapshot(PathBuf),
    /// `demo`: a small made-up cluster inside this program.
    Demo,
}

/// Text that selects no cluster.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cluster: use auto, in-cluster, kubeconfig, kubeconfig:CONTEXT, snapshot:DIR or demo")]
pub struct SourceError(String);

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        // Context names may hold colons: those of EKS are ARNs.
        match text.split_once(':') {
            None => match text {
                "auto" => Ok(Source::Auto),
                "in-cluster" => Ok(Source::InCluster),
                "kubeconfig" => Ok(Source::Kubeconfig(None)),
                "demo" => Ok(Source::Demo),
                _ => Err(SourceError(text.to_owned())),
            },
            Some(("kubeconfig", context)) if !context.is_empty() => Ok(Source::Kubeconfig(Some(context.to_owned()))),
            Some(("snapshot", directory)) if !directory.is_empty() => Ok(Source::Snapshot(directory.into())),
            Some(_) => Err(SourceError(text.to_owned())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Auto => f.write_str("auto"),
            Source::InCluster => f.write_str("in-cluster"),
            Source::Kubeconfig(None) => f.write_str("kubeconfig"),
            Source::Kubeconfig(Some(context)) => write!(f, "kubeconfig:{context}"),
            Source::Snapshot(directory) => write!(f, "snapshot:{}", directory.display()),
            Source::Demo => f.write_str("demo"),
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
    InCluster(#[source] InClusterError),
    /// A kubeconfig that is not there.
    #[error("there is no kubeconfig at {0}; set $KUBECONFIG to the right path, or try `--cluster demo`")]
    Missing(String),
    /// A kubeconfig that cannot be read or parsed, or whose files cannot.
    #[error("the kubeconfig {path} cannot be used: {reason}")]
    Broken {
        /// Its path, or several with separators.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No context was asked for, and the kubeconfig names none.
    #[error("the kubeconfig {path} has no current context; name one as `--cluster kubeconfig:CONTEXT` ({contexts})")]
    NoContext {
        /// Its path, or several with separators.
        path: String,
        /// The contexts that it has.
        contexts: String,
    },
    /// A context that the kubeconfig does not have.
    #[error("the kubeconfig {path} has no context `{context}` ({contexts})")]
    UnknownContext {
        /// Its path, or several with separators.
        path: String,
        /// The one that was asked for.
        context: String,
        /// The contexts that it has.
        contexts: String,
    },
    /// The way through the proxy.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// Certificates or credentials.
    #[error("the {cluster} cannot be used: {source}")]
    Client {
        /// Which cluster.
        cluster: String,
        /// What is wrong with it.
        source: ClientError,
    },
    /// A snapshot that cannot be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// A client, and what to call the cluster behind it.
pub(super) struct Connection {
    pub(super) client: kube::Client,
    /// The API server's name in messages.
    pub(super) server: String,
    pub(super) description: String,
}

impl Source {
    /// Whether it leads to the cluster that this process runs in, as a pod.
    pub fn is_this_pods(&self) -> bool {
        match self {
            Source::Auto => matches!(Environment::read().auto(), Ok(Found::InCluster)),
            Source::InCluster => true,
            Source::Kubeconfig(_) | Source::Snapshot(_) | Source::Demo => false,
        }
    }

    /// Reads the configuration and makes the client.
    pub(super) async fn open(&self) -> Result<Connection, ConnectError> {
        let environment = Environment::read();
        match self {
            Source::Auto => match environment.auto()? {
                Found::Kubeconfig => from_kubeconfig(&environment, None).await,
                Found::InCluster => in_cluster().await,
            },
            Source::InCluster => in_cluster().await,
            Source::Kubeconfig(context) => from_kubeconfig(&environment, context.as_deref()).await,
            Source::Snapshot(directory) => {
                let client = snapshot::open(directory)?;
                Ok(Connection::in_process(client, format!("snapshot {}", directory.display())))
            }
            Source::Demo => Ok(Connection::in_process(snapshot::demo(), "demo cluster".to_owned())),
        }
    }
}

impl Connection {
    fn in_process(client: kube::Client, description: String) -> Self {
        Self { client, server: format!("the {description}"), description }
    }

    /// A client may run a credential plugin while it is built, hence not on this thread.
    async fn build(config: Config, proxy: Proxy, cluster: String) -> Result<Self, ConnectError> {
        let address = config.cluster_url.to_string();
        let address = address.trim_end_matches('/');
        let description = format!("{cluster} ({address}){proxy}");
        let server = format!("the API server at {address}");
        let client = match tokio::task::spawn_blocking(move || client::build(&config, &proxy)).await {
            Ok(client) => client.map_err(|source| ConnectError::Client { cluster, source })?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        Ok(Self { client, server, description })
    }
}

async fn in_cluster() -> Result<Connection, ConnectError> {
    let config = Config::incluster().map_err(ConnectError::InCluster)?;
    // client-go reads HTTPS_PROXY here too, but a pod that has to leave its cluster to reach its own API server is misconfigured.
    Connection::build(config, Proxy::Direct, "cluster of this pod".to_owned()).await
}

async fn from_kubeconfig(environment: &Environment, context: Option<&str>) -> Result<Connection, ConnectError> {
    let file = KubeconfigFile::read(environment)?;
    let context = file.context(context)?;
    let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
    let declared = file.proxy_of(&context);
    let KubeconfigFile { path, content } = file;
    let mut config = Config::from_custom_kubeconfig(content, &options).await.map_err(|error| broken(path, &error))?;
    let proxy = Proxy::towards(&config.cluster_url, declared.as_deref(), &environment.proxies)?;
    // kube would take one from the environment without asking NO_PROXY.
    config.proxy_url = None;
    Connection::build(config, proxy, format!("kubeconfig context {context}")).await
}

/// A parser's message goes on with the lines around the error, and those can hold a token. The first line is enough.
fn broken(path: String, error: &KubeconfigError) -> ConnectError {
    let reason = error.to_string().lines().next().unwrap_or_default().to_owned();
    ConnectError::Broken { path, reason }
}

/// The parts of the environment that decide where the cluster is.
#[derive(Debug, Default)]
struct Environment {
    kubeconfig: Option<OsString>,
    home: Option<PathBuf>,
    in_pod: bool,
    proxies: super::proxy::Variables,
}

/// What `auto` leads to.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Kubeconfig,
    InCluster,
}

impl Environment {
    fn read() -> Self {
        Self {
            kubeconfig: std::env::var_os("KUBECONFIG").filter(|value| !value.is_empty()),
            home: std::env::home_dir(),
            in_pod: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() && Path::new(SERVICE_ACCOUNT_TOKEN).exists(),
            proxies: super::proxy::Variables::read(),
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
        let mut paths: Vec<PathBuf> = named.filter(|path| !path.as_os_str().is_empty()).collect();
        if paths.is_empty() {
            paths.push(self.default_kubeconfig());
        }
        paths
    }
}

/// A kubeconfig, merged from its files.
struct KubeconfigFile {
    path: String,
    content: Kubeconfig,
}

impl KubeconfigFile {
    fn read(environment: &Environment) -> Result<Self, ConnectError> {
        let paths = environment.kubeconfig_paths();
        let path = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        // As kubectl has it: files of a list may be missing, but not all of them.
        let present: Vec<&PathBuf> = paths.iter().filter(|path| path.exists()).collect();
        if present.is_empty() {
            return Err(ConnectError::Missing(path));
        }
        let merged = present.into_iter().try_fold(Kubeconfig::default(), |merged, file| {
            let next = Kubeconfig::read_from(file).and_then(|next| merged.merge(next));
            next.map_err(|error| broken(file.display().to_string(), &error))
        });
        Ok(Self { path, content: merged? })
    }

    /// The context to use: the one that was asked for or the current one, if it exists.
    fn context(&self, asked: Option<&str>) -> Result<String, ConnectError> {
        let contexts = || {
            let names: Vec<&str> = self.content.contexts.iter().map(|context| context.name.as_str()).collect();
            if names.is_empty() { "it has none at all".to_owned() } else { format!("it has {}", names.join(", ")) }
        };
        let current = self.content.current_context.as_deref().filter(|name| !name.is_empty());
        let Some(name) = asked.or(current) else {
            return Err(ConnectError::NoContext { path: self.path.clone(), contexts: contexts() });
        };
        if !self.content.contexts.iter().any(|context| context.name == name) {
            return Err(ConnectError::UnknownContext { path: self.path.clone(), context: name.to_owned(), contexts: contexts() });
        }
        Ok(name.to_owned())
    }

    /// The `proxy-url` of a context's cluster.
    fn proxy_of(&self, context: &str) -> Option<String> {
        let context = self.content.contexts.iter().find(|entry| entry.name == context)?.context.as_ref()?;
        let cluster = self.content.clusters.iter().find(|entry| entry.name == context.cluster)?.cluster.as_ref()?;
        cluster.proxy_url.clone().filter(|url| !url.is_empty())
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
            assert_eq!(text.parse::<Source>().expect(text).to_string(), text);
        }
        for text in ["", "Auto", "kubeconfig:", "snapshot", "snapshot:", "demo:x", "/etc/kubeconfig"] {
            assert_eq!(text.parse::<Source>(), Err(SourceError(text.to_owned())));
        }
        assert_eq!(Source::default(), Source::Auto);
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
        let environment = Environment { kubeconfig: Some("/a::/b".into()), ..Environment::default() };
        assert_eq!(environment.kubeconfig_paths(), [PathBuf::from("/a"), PathBuf::from("/b")]);
    }

    fn file(yaml: &str) -> KubeconfigFile {
        KubeconfigFile { path: "/home/me/.kube/config".into(), content: Kubeconfig::from_yaml(yaml).expect("valid YAML") }
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
        let file = file(TWO_CONTEXTS);
        assert_eq!(file.context(None).expect("current"), "kind-dev");
        assert_eq!(file.context(Some("prod")).expect("named"), "prod");
        assert_eq!(
            file.context(Some("staging")).expect_err("unknown").to_string(),
            "the kubeconfig /home/me/.kube/config has no context `staging` (it has kind-dev, prod)"
        );
        assert_eq!(file.proxy_of("prod").as_deref(), Some("http://proxy.example:3128"));
        assert_eq!(file.proxy_of("kind-dev"), None);
    }

    #[test]
    fn a_kubeconfig_without_a_current_context_asks_for_one() {
        let error = file("contexts: [{ name: a, context: { cluster: a } }]").context(None).expect_err("none");
        assert_eq!(
            error.to_string(),
            "the kubeconfig /home/me/.kube/config has no current context; name one as `--cluster kubeconfig:CONTEXT` (it has a)"
        );
        assert!(file("{}").context(None).expect_err("none").to_string().contains("it has none at all"));
    }

    #[test]
    fn a_missing_kubeconfig_is_told_by_its_path() {
        let environment = Environment { kubeconfig: Some("/nonexistent/config".into()), ..Environment::default() };
        let error = KubeconfigFile::read(&environment).err().expect("missing");
        assert!(error.to_string().starts_with("there is no kubeconfig at /nonexistent/config"), "{error}");
    }

    #[test]
    fn a_broken_kubeconfig_keeps_its_secrets() {
        let yaml = "contexts:\n- name: a\nusers:\n- name: me\n  user:\n    token: SECRET\n    bad: [\n";
        let error = broken("/a".into(), &Kubeconfig::from_yaml(yaml).expect_err("broken"));
        assert!(error.to_string().contains("line 7") && !error.to_string().contains("SECRET"), "{error}");
    }

    #[tokio::test]
    async fn connecting_needs_no_api_server() {
        let config = Config::new("https://127.0.0.1:1".parse().expect("a URL"));
        let connection = Connection::build(config, Proxy::Direct, "kubeconfig context a".to_owned()).await.expect("configured");
        assert_eq!(connection.description, "kubeconfig context a (https://127.0.0.1:1)");
    }
}
