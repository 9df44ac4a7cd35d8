//! sandbar.yaml: where to listen, which cluster, which tools, their grants and their limits. Every key has a default.

mod api_service;
mod authentication;
mod authorization;
mod check;
mod clusters;
mod component;
mod limits;
mod lock;
mod missing;
mod mistake;
mod oidc;
mod packs;
mod places;
mod quantity;
mod registries;
mod schema;
#[cfg(test)]
mod tests;
mod traces;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sandbar_catalog::{IgnoredArguments, Integrity, PackNames, Source, Terms};
use sandbar_kubernetes::{ClusterSettings, ClusterSource};
use sandbar_policy::{EVERY_TOOL, Grant, Limits, Namespaces, ONLY_CLUSTER, PolicyRule};
use sandbar_registry::{Policy, Reference};
use sandbar_secrets::Secrets;
use sandbar_text::nearest;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use self::places::Places;
use self::quantity::{Count, Time};
pub use api_service::ApiServiceConfig;
pub use authentication::{AuthenticationConfig, FrontProxyConfig, TokenReviewConfig};
pub use authorization::{AuthorizationConfig, ExtraConfig, RightsConfig};
pub use check::{host, namespace, origin};
pub use clusters::ClusterConfig;
pub use component::{BundledConfig, ToolConfig};
pub use limits::{LimitsConfig, written as written_limits};
pub use lock::{NotWritten, with_digests};
pub use mistake::{ConfigError, Mistake};
pub use oidc::{
    AudienceMatchPolicy, ClaimConfig, ClaimMappingsConfig, ClaimValidationRuleConfig, IssuerConfig, OidcConfig,
    PrefixedClaimConfig, ResourceConfig,
};
pub use packs::Packs;
pub use quantity::size;
pub use registries::{RegistriesConfig, RegistryHostConfig};
pub use schema::schema;
pub use traces::TracesConfig;

/// Bytes of sandbar.yaml: more than a ConfigMap can have.
const FILE_BYTES: u64 = 2 * 1024 * 1024;

/// The port of the server that Sandbar replaces.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8090);

/// Tool calls a second for each caller. A model makes a few; while all callers are anonymous, this is for a hundred models
/// together.
const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// Connections at once, each with up to 32 KiB of its own.
const CONNECTIONS: usize = 4096;

/// The bounds of `connections`: with fewer than 8, a client with a stream and a few calls would keep everybody else out.
type Connections = Count<8, { u32::MAX }>;

/// With the 3 s during which the server still accepts and the 2 s for its last messages, this stays under a pod's grace period of
/// 30 s.
const DRAIN: Duration = Duration::from_secs(24);

/// The files of a listener that speaks TLS.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tls")]
pub struct TlsConfig {
    /// The certificate that it shows and then its chain, as PEM. Relative paths start at the folder of this file.
    #[schemars(with = "String", length(min = 1))]
    pub certificate: PathBuf,
    /// The key of that certificate, as PEM.
    #[schemars(with = "String", length(min = 1))]
    pub key: PathBuf,
    /// The authorities whose client certificates are taken, as PEM; without it, clients are not asked for one.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    pub client_certificate_authority: Option<PathBuf>,
}

/// The port for Prometheus.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Metrics")]
pub struct MetricsConfig {
    /// Where to listen: IP address and port.
    #[serde(deserialize_with = "listening")]
    #[schemars(with = "String", extend("examples" = ["127.0.0.1:9090", "0.0.0.0:9090"]))]
    pub listen: SocketAddr,
    /// Whether a web page is there for people, too.
    #[serde(default = "with_page")]
    pub page: bool,
}

/// A port for Prometheus has a page, unless somebody says otherwise.
fn with_page() -> bool {
    true
}

/// The configuration of a server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen: IP address and port.
    #[serde(deserialize_with = "listening")]
    #[schemars(with = "String", extend("examples" = ["0.0.0.0:8090", "[::]:8090"]))]
    pub listen: SocketAddr,
    /// The files of a listener that speaks TLS; absent: plain HTTP.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "TlsConfig")]
    pub tls: Option<TlsConfig>,
    /// Which cluster to look into: auto, in-cluster, kubeconfig, kubeconfig:CONTEXT, snapshot:DIR or demo.
    #[serde(deserialize_with = "some_from_str")]
    #[schemars(with = "String", regex(pattern = "^(auto|in-cluster|kubeconfig(:.+)?|snapshot:.+|demo)$"))]
    pub cluster: Option<ClusterSource>,
    /// Several clusters in the place of `cluster`. The first authenticates callers, and is meant where a call names none.
    pub clusters: Vec<ClusterConfig>,
    /// The namespaces that tools may look into; absent: no restriction of ours.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<String>", inner(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub namespaces: Option<Vec<String>>,
    /// The limits of every call.
    #[serde(deserialize_with = "limits_over_defaults")]
    #[schemars(with = "LimitsConfig")]
    pub limits: Limits,
    /// Names by which clients may address the server, beside those that are always right (localhost, IP addresses, in a pod its Services' names).
    pub hosts: Vec<String>,
    /// Origins of web pages and desktop apps that may connect, `https://inspector.example.com` or `tauri://localhost` for example.
    #[schemars(inner(regex(pattern = "^[A-Za-z][A-Za-z0-9+.-]*://[^/*]+$")))]
    pub origins: Vec<String>,
    /// How it is found out who calls; absent: nobody is asked.
    #[serde(deserialize_with = "authentication::configured")]
    pub authentication: AuthenticationConfig,
    /// The server as a part of the Kubernetes API; absent: it is none.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "ApiServiceConfig")]
    pub api_service: Option<ApiServiceConfig>,
    /// Whose rights count when a tool reads, and who may call which tool.
    pub authorization: AuthorizationConfig,
    /// Whether everybody who reaches the server may call where nobody is asked who they are; absent: no. On loopback addresses they always may.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "bool")]
    pub allow_anonymous: Option<bool>,
    /// What holds for the bundled tools.
    pub bundled: BundledConfig,
    /// Arguments that clients add by themselves, and that are dropped where a tool has none of that name.
    pub ignored_arguments: IgnoredArguments,
    /// Whether components of the operator are granted what they ask for, whatever stands here: no key, but for authors, see
    /// [`Terms::grants_what_is_asked`].
    #[serde(skip)]
    pub grants_what_is_asked: bool,
    /// Tool calls a second for each caller.
    #[serde(deserialize_with = "rate")]
    pub calls_per_second: NonZeroU32,
    /// Connections at once.
    #[serde(deserialize_with = "count")]
    #[schemars(with = "Connections")]
    pub connections: usize,
    /// Time for running calls to end when the server stops.
    #[serde(deserialize_with = "duration")]
    #[schemars(with = "Time")]
    pub drain: Duration,
    /// The port for Prometheus; absent: there is none.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "MetricsConfig")]
    pub metrics: Option<MetricsConfig>,
    /// Spans of calls, sent to a collector of OpenTelemetry; absent: as the variables for it say.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "TracesConfig")]
    pub traces: Option<TracesConfig>,
    /// Who has to have signed components that are not bundled; absent: nobody.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Policy")]
    pub signatures: Option<Arc<Policy>>,
    /// How components are fetched from registries.
    pub registries: RegistriesConfig,
    /// Components to load beside the bundled ones, and what each is granted.
    pub tools: Vec<ToolConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            tls: None,
            cluster: None,
            clusters: Vec::new(),
            namespaces: None,
            limits: Limits::default(),
            hosts: Vec::new(),
            origins: Vec::new(),
            authentication: AuthenticationConfig::default(),
            api_service: None,
            authorization: AuthorizationConfig::default(),
            allow_anonymous: None,
            bundled: BundledConfig::default(),
            ignored_arguments: IgnoredArguments::default(),
            grants_what_is_asked: false,
            calls_per_second: CALLS_PER_SECOND,
            connections: CONNECTIONS,
            drain: DRAIN,
            metrics: None,
            traces: None,
            signatures: None,
            registries: RegistriesConfig::default(),
            tools: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::of(&Self::text(path)?, path)
    }

    /// The text of a configuration file.
    pub fn text(path: &Path) -> Result<String, ConfigError> {
        sandbar_files::in_time(path, sandbar_files::READ_TIME, |path| sandbar_files::read_to_string(path, FILE_BYTES))
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })
    }

    /// Parses the text of the configuration file at `path`.
    pub fn of(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let directory = path.parent().unwrap_or(Path::new(""));
        Self::parse(text, directory).map_err(|mistakes| ConfigError::Invalid { path: path.to_owned(), mistakes })
    }

    /// Parses a text, or says what is wrong with it. Relative paths start at `directory`.
    fn parse(text: &str, directory: &Path) -> Result<Self, Vec<Mistake>> {
        // An empty document is null, not an empty mapping; it means all defaults.
        let config: Option<Self> = serde_saphyr::from_str(text).map_err(|error| vec![Mistake::of(&error, text)])?;
        let mut config = config.unwrap_or_default();
        let of_tls = config
            .tls
            .as_mut()
            .map(|tls| [Some(&mut tls.certificate), Some(&mut tls.key), tls.client_certificate_authority.as_mut()]);
        let of_issuers = config.authentication.oidc.iter_mut().filter_map(|oidc| oidc.issuer.certificate_authority_file.as_mut());
        let files = config.tools.iter_mut().filter_map(|tool| match &mut tool.component {
            Source::File(file) => Some(file),
            Source::Bundled(_) | Source::Registry(_) => None,
        });
        let of_clusters = config.clusters.iter_mut().filter_map(|cluster| cluster.kubeconfig.as_mut());
        let files = files
            .chain(of_tls.into_iter().flatten().flatten())
            .chain(of_issuers)
            .chain(of_clusters)
            .chain(config.traces.iter_mut().flat_map(TracesConfig::files))
            .chain(config.registries.files());
        files.for_each(|file| *file = directory.join(&*file));
        let faults = check::faults(&config);
        if faults.is_empty() {
            return Ok(config);
        }
        let places = Places::of(text);
        let place = |path: &[_]| places.as_ref().map_or(serde_saphyr::Location::UNKNOWN, |places| places.find(path));
        Err(faults.into_iter().map(|fault| Mistake::at(place(&fault.path), fault.what)).collect())
    }

    /// Whether callers are asked who they are.
    pub fn knows_callers(&self) -> bool {
        self.api_service.is_some() || self.authentication != AuthenticationConfig::default()
    }

    /// Whether authentication or tool authorization depends on the API server of the home cluster.
    pub fn asks_home(&self) -> bool {
        self.api_service.is_some()
            || self.authentication.token_review.is_some()
            || self.authorization.tools.iter().any(|tools| tools.rbac.is_some())
    }

    /// What keeps the server from being served as the whole configuration says, flags included.
    pub fn check_serving(&self) -> Result<(), String> {
        check::serving(self)
    }

    /// What is said of tools that are not there, each a line; `known` are those that are, and `on` the packs.
    pub fn unknown_tools<'a>(&self, known: impl Iterator<Item = &'a str>, on: &PackNames) -> Vec<String> {
        let known: Vec<&str> = known.collect();
        let off: BTreeMap<String, &str> = Source::bundled()
            .filter_map(|source| Some((source.bundled_tool()?, source.pack().filter(|pack| !on.contains(pack))?)))
            .collect();
        let rules = self.authorization.tools.iter().flat_map(|tools| &tools.rules);
        let unknown = rules.flat_map(|rule| &rule.tools).filter(|tool| *tool != EVERY_TOOL && !known.contains(&tool.as_str()));
        let in_rules = unknown.filter_map(|tool| match off.get(tool) {
            Some(_) if self.bundled.packs == Packs::Auto => None,
            Some(pack) => {
                Some(format!("authorization.tools.rules: {tool} is in the pack {pack}, which is not on: `bundled.packs`"))
            }
            None => {
                let meant = nearest(tool, &known).map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default();
                Some(format!("authorization.tools.rules: there is no tool {tool:?}{meant}"))
            }
        });
        // What is off by itself comes back by itself.
        let entries = self.bundled.tools.iter().filter(|(_, entry)| entry.enabled && self.bundled.packs != Packs::Auto);
        let entries = entries.filter_map(|(tool, _)| {
            let pack = off.get(tool)?;
            Some(format!(
                "bundled.tools: {tool} is in the pack {pack}, which is not on: add that to `bundled.packs`, or remove the entry"
            ))
        });
        in_rules.chain(entries).collect()
    }

    /// The entry of a component.
    fn tool(&self, source: &Source) -> Option<&ToolConfig> {
        // Most often it is spelled as in the entry, and no disk has to be asked.
        self.tools.iter().find(|tool| tool.component == *source).or_else(|| {
            let file = source.file()?;
            self.tools.iter().find(|tool| tool.component.file().as_ref() == Some(&file))
        })
    }

    /// Whether there is an entry for a component.
    pub fn has_entry(&self, source: &Source) -> bool {
        self.tool(source).is_some()
    }

    /// Takes files as they are, whatever `digest` and `signatures` say. For authors, whose components change and are not signed yet; what is in a
    /// registry has no author here.
    pub fn take_files_as_they_are(&mut self) {
        let for_all = self.signatures.take();
        for tool in &mut self.tools {
            match tool.component {
                Source::Registry(_) => tool.signatures = tool.signatures.take().or_else(|| for_all.clone()),
                Source::File(_) | Source::Bundled(_) => tool.digest = None,
            }
        }
    }

    /// Grants a component what stands here, in the place of what its entry has.
    pub fn grant(&mut self, source: &Source, rules: Vec<PolicyRule>, cluster_rules: Vec<PolicyRule>) {
        let mut entry = self.tool(source).cloned().unwrap_or_else(|| ToolConfig::of(source));
        (entry.rules, entry.cluster_rules) = (rules, cluster_rules);
        self.tools.retain(|tool| tool.component != entry.component);
        self.tools.push(entry);
    }

    /// The packs that are on, where `suited` are those that the cluster has something for.
    pub fn packs(&self, suited: &PackNames) -> PackNames {
        match &self.bundled.packs {
            Packs::Auto => suited.clone(),
            Packs::Only(names) => names.clone(),
        }
    }

    /// Whether a component is served at all, where these packs are on.
    pub fn serves(&self, source: &Source, on: &PackNames) -> bool {
        source.pack().is_none_or(|pack| on.contains(pack)) && self.bundled.tools.of(source).is_none_or(|tool| tool.enabled)
    }

    /// The largest memory that any call may have, in bytes.
    pub fn largest_memory(&self) -> u64 {
        let sources = self.tools.iter().map(|tool| tool.component.clone()).chain(Source::bundled());
        sources.map(|source| self.terms(&source).limits.memory).fold(self.limits.memory, u64::max)
    }

    /// The terms on which a component is served.
    pub fn terms(&self, source: &Source) -> Terms {
        // Looked up once: with another entry for each of its parts, a link that turns in between would mix them.
        let entry = self.tool(source);
        let is_bundled = matches!(source, Source::Bundled(_));
        let own = match source {
            Source::Bundled(_) => self.bundled.own(source),
            Source::File(_) | Source::Registry(_) => entry.map(ToolConfig::own).unwrap_or_default(),
        };
        // Without an entry, nothing is granted. A bundled component has no rules here.
        let (rules, cluster_rules) = entry.map(ToolConfig::granted).unwrap_or_default();
        let secrets = if own.mask_secrets.unwrap_or(true) { Secrets::Masked } else { Secrets::Shown };
        let grant = |(name, cluster): (&str, Option<&ClusterConfig>)| {
            let here = match own.clusters {
                Some(clusters) => Some(clusters.get(name)?),
                None => None,
            };
            let namespaces = [own.namespaces, here.and_then(|here| here.namespaces.as_ref())].into_iter().map(listed);
            let grant = Grant {
                rules: here.and_then(|here| here.rules.clone()).unwrap_or_else(|| rules.clone()),
                cluster_rules: here.and_then(|here| here.cluster_rules.clone()).unwrap_or_else(|| cluster_rules.clone()),
                namespaces: namespaces.fold(self.namespaces_in(cluster), |all, some| all.intersection(&some)),
                secrets,
                caller: entry.is_some_and(|tool| tool.caller),
            };
            Some((Arc::from(name), grant))
        };
        Terms {
            grants: self.named_clusters().filter_map(grant).collect(),
            grants_what_is_asked: self.grants_what_is_asked && !is_bundled,
            accepts_partial_grant: entry.is_some_and(|tool| tool.partial_grant),
            integrity: if is_bundled { Integrity::default() } else { self.integrity(entry) },
            limits: own.limits.over(&self.limits),
            settings: entry.map(|tool| tool.settings.clone()).unwrap_or_default(),
            ignored_arguments: self.ignored_arguments.clone(),
            callers: self.authorization.tools.clone(),
        }
    }

    /// What a component in a registry has to be, by the entry that names it, or the same name there in another version.
    pub fn integrity_of(&self, reference: &Reference) -> Integrity {
        let same = self
            .tools
            .iter()
            .filter(|tool| matches!(&tool.component, Source::Registry(other) if other.repository == reference.repository));
        let named = |tool: &&ToolConfig| matches!(&tool.component, Source::Registry(other) if other == reference);
        match same.clone().find(named) {
            Some(entry) => self.integrity(Some(entry)),
            None => Integrity { digest: None, ..self.integrity(same.into_iter().next()) },
        }
    }

    /// What a component with this entry has to be.
    fn integrity(&self, entry: Option<&ToolConfig>) -> Integrity {
        let own = entry.and_then(|tool| tool.signatures.clone());
        Integrity { digest: entry.and_then(|tool| tool.digest), signatures: own.or_else(|| self.signatures.clone()) }
    }

    /// The clusters by their names, home first. One that is alone has no entry.
    fn named_clusters(&self) -> impl Iterator<Item = (&str, Option<&ClusterConfig>)> {
        let alone = self.clusters.is_empty().then_some((ONLY_CLUSTER, None));
        alone.into_iter().chain(self.clusters.iter().map(|cluster| (cluster.name.as_str(), Some(cluster))))
    }

    /// The clusters that are looked into, home first: at least one.
    pub fn clusters(&self) -> impl Iterator<Item = ClusterSettings> {
        self.named_clusters().map(|(name, cluster)| ClusterSettings {
            name: name.into(),
            source: cluster.map_or_else(|| self.cluster.clone().unwrap_or_default(), ClusterConfig::source),
            rights: self.authorization.whose(self.rights_in(cluster)),
        })
    }

    /// The rights mode of a cluster: its own `rights`, else `authorization.rights`.
    pub fn rights_in(&self, cluster: Option<&ClusterConfig>) -> RightsConfig {
        cluster.and_then(|cluster| cluster.rights).unwrap_or(self.authorization.rights)
    }

    /// The namespaces of a cluster that any component may look into.
    fn namespaces_in(&self, cluster: Option<&ClusterConfig>) -> Namespaces {
        listed(self.namespaces.as_ref()).intersection(&listed(cluster.and_then(|cluster| cluster.namespaces.as_ref())))
    }
}

/// The namespaces of a list; without one, all.
fn listed(names: Option<&Vec<String>>) -> Namespaces {
    names.map_or(Namespaces::All, |names| names.iter().cloned().collect())
}

fn limits_over_defaults<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
    Ok(LimitsConfig::deserialize(deserializer)?.over(&Limits::default()))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Time::deserialize(deserializer).map(|Time(time)| time)
}

/// Parses the flag for `connections`.
pub fn connections(text: &str) -> Result<usize, String> {
    text.parse().map(|Count(number): Connections| number as usize)
}

/// Parses the flag for `calls_per_second`.
pub fn calls_per_second(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| format!("{text:?} is no whole number above zero"))
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU32, D::Error> {
    calls_per_second(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// Parses the flag for `drain`.
pub fn drain(text: &str) -> Result<Duration, String> {
    text.parse().map(|Time(time)| time)
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    Connections::deserialize(deserializer).map(|Count(number)| number as usize)
}

/// A value, if the key is there. An empty `namespaces:` must not mean "no restriction", nor an empty `tls:` plain HTTP.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn listening<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    address(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// Parses an address to listen on.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        let port: u16 = text.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(8090);
        format!("{text:?} is no IP address with a port: write 127.0.0.1:{port}, or 0.0.0.0:{port} in a container")
    })
}

fn some_from_str<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    from_str(deserializer).map(Some)
}

fn from_str<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}
