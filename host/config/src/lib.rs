//! sandbar.yaml: where to listen, which cluster, what tools are granted and how much they may use. Every key has a default.

mod check;
mod component;
#[cfg(test)]
mod documents;
mod limits;
mod missing;
mod mistake;
mod places;
mod quantity;
mod schema;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use self::component::Own;
use self::places::Places;
use self::quantity::{Count, Time};
use sandbar_catalog::{IgnoredArguments, Source, Terms};
use sandbar_policy::{Grant, Limits, Namespaces};
use sandbar_secrets::Secrets;

pub use check::{host, namespace, origin};
pub use component::{BundledConfig, ToolConfig};
pub use limits::{LimitsConfig, written as written_limits};
pub use mistake::{ConfigError, Mistake};
pub use quantity::size;
pub use schema::schema;

/// Bytes of sandbar.yaml: more than a ConfigMap can have.
const FILE_BYTES: u64 = 2 * 1024 * 1024;

/// The port of the server that Sandbar replaces.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8090);

/// Tool calls a second for each caller. A model makes a few; while all callers are anonymous, this is for a hundred models at once.
const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// Connections at once, each with up to 32 KiB of its own.
const CONNECTIONS: usize = 4096;

/// As many connections as can be configured: with fewer than 8, a client with a stream and a few calls would keep everybody else out.
type Connections = Count<8, { u32::MAX }>;

/// With the 3 s that the server goes on accepting and the 2 s of its last words it stays under a pod's grace period of 30 s.
const DRAIN: Duration = Duration::from_secs(24);

/// The configuration of a server.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen: IP address and port.
    #[serde(deserialize_with = "listening")]
    #[schemars(with = "String", extend("examples" = ["0.0.0.0:8090", "[::]:8090"]))]
    pub listen: SocketAddr,
    /// Which cluster to look into: auto, in-cluster, kubeconfig, kubeconfig:CONTEXT, snapshot:DIR or demo.
    #[serde(deserialize_with = "from_str")]
    #[schemars(with = "String", regex(pattern = "^(auto|in-cluster|kubeconfig(:.+)?|snapshot:.+|demo)$"))]
    pub cluster: sandbar_kubernetes::Source,
    /// The namespaces that tools may look into; absent: no restriction of ours.
    #[serde(deserialize_with = "list")]
    #[schemars(with = "Vec<String>", inner(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub namespaces: Option<Vec<String>>,
    /// The limits of every call.
    #[serde(deserialize_with = "limits_over_defaults")]
    #[schemars(with = "LimitsConfig")]
    pub limits: Limits,
    /// Names by which clients may address the server, beside those that are always right (localhost, IP addresses, in a pod its Services' names).
    pub hosts: Vec<String>,
    /// Origins of web pages and desktop apps that may connect, `https://inspector.example.com` or `tauri://localhost` for example.
    #[schemars(inner(regex(pattern = "^https?://[^/*]+$")))]
    pub origins: Vec<String>,
    /// What holds for the bundled tools.
    pub bundled: BundledConfig,
    /// Arguments that clients add by themselves, and that are dropped where a tool has none of that name.
    pub ignored_arguments: IgnoredArguments,
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
    /// Components to load beside the bundled ones, and what each is granted.
    pub tools: Vec<ToolConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            cluster: sandbar_kubernetes::Source::default(),
            namespaces: None,
            limits: Limits::default(),
            hosts: Vec::new(),
            origins: Vec::new(),
            bundled: BundledConfig::default(),
            ignored_arguments: IgnoredArguments::default(),
            calls_per_second: CALLS_PER_SECOND,
            connections: CONNECTIONS,
            drain: DRAIN,
            tools: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        Self::of(&Self::text(path)?, path)
    }

    /// What a configuration file has.
    pub fn text(path: &Path) -> Result<String, ConfigError> {
        sandbar_files::in_time(path, sandbar_files::READ_TIME, |path| sandbar_files::read_to_string(path, FILE_BYTES))
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })
    }

    /// The configuration that is the text of this file.
    pub fn of(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let directory = path.parent().unwrap_or(Path::new(""));
        Self::parse(text, directory).map_err(|mistakes| ConfigError::Invalid { path: path.to_owned(), mistakes })
    }

    /// Takes text apart, and names what is wrong with it. Relative paths start at `directory`.
    fn parse(text: &str, directory: &Path) -> Result<Self, Vec<Mistake>> {
        // An empty document is null, not an empty mapping; it means all defaults.
        let config: Option<Self> = serde_saphyr::from_str(text).map_err(|error| vec![Mistake::of(&error, text)])?;
        let mut config = config.unwrap_or_default();
        for tool in &mut config.tools {
            tool.component = directory.join(&tool.component);
        }
        let faults = check::faults(&config);
        if faults.is_empty() {
            return Ok(config);
        }
        let places = Places::of(text);
        let place = |path: &[_]| places.as_ref().map_or(serde_saphyr::Location::UNKNOWN, |places| places.find(path));
        Err(faults.into_iter().map(|fault| Mistake::at(place(&fault.path), fault.what)).collect())
    }

    /// The entry of a file, where there is one.
    fn tool(&self, source: &Source) -> Option<&ToolConfig> {
        let Source::File(path) = source else { return None };
        let file = check::file(path);
        self.tools.iter().find(|tool| check::file(&tool.component) == file)
    }

    /// Whether a component is served at all.
    pub fn serves(&self, source: &Source) -> bool {
        match source {
            Source::Bundled(_) => self.bundled.tools.of(source).is_none_or(|tool| tool.enabled),
            Source::File(_) => true,
        }
    }

    /// The limits of a component's calls.
    fn limits_of(&self, source: &Source) -> Limits {
        self.own(source).limits.over(&self.limits)
    }

    /// The largest memory that any call may have, in bytes.
    pub fn largest_memory(&self) -> u64 {
        let sources = self.tools.iter().map(|tool| Source::File(tool.component.clone())).chain(Source::bundled());
        sources.map(|source| self.limits_of(&source).memory).fold(self.limits.memory, u64::max)
    }

    /// On what terms a component is served.
    pub fn terms(&self, source: &Source) -> Terms {
        let entry = self.tool(source);
        Terms {
            grant: self.grant_of(source),
            accepts_partial_grant: entry.is_some_and(|tool| tool.partial_grant),
            limits: self.limits_of(source),
            settings: entry.map(|tool| tool.settings.clone()).unwrap_or_default(),
            ignored_arguments: self.ignored_arguments.clone(),
        }
    }

    /// What a component is granted by its entry: nothing without one. `rules` are for files only.
    fn grant_of(&self, source: &Source) -> Grant {
        let (rules, cluster_rules) = self.tool(source).map(ToolConfig::granted).unwrap_or_default();
        let own = self.own(source);
        let secrets = if own.mask_secrets.unwrap_or(true) { Secrets::Masked } else { Secrets::Shown };
        let namespaces = self.namespaces().intersection(&listed(own.namespaces));
        Grant { rules, cluster_rules, namespaces, secrets }
    }

    /// The namespaces that any component may look into.
    pub fn namespaces(&self) -> Namespaces {
        listed(self.namespaces.as_ref())
    }

    /// What a component has for itself.
    fn own(&self, source: &Source) -> Own<'_> {
        match source {
            Source::Bundled(_) => self.bundled.own(source),
            Source::File(_) => self.tool(source).map(ToolConfig::own).unwrap_or_default(),
        }
    }
}

/// Those of a list, where there is one.
fn listed(names: Option<&Vec<String>>) -> Namespaces {
    names.map_or(Namespaces::All, |names| names.iter().cloned().collect())
}

fn limits_over_defaults<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
    Ok(LimitsConfig::deserialize(deserializer)?.over(&Limits::default()))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Time::deserialize(deserializer).map(|Time(time)| time)
}

/// The flag of `connections`.
pub fn connections(text: &str) -> Result<usize, String> {
    text.parse().map(|Count(number): Connections| number as usize)
}

/// The flag of `calls_per_second`.
pub fn calls_per_second(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| format!("{text:?} is no whole number above zero"))
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU32, D::Error> {
    calls_per_second(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// The flag of `drain`.
pub fn drain(text: &str) -> Result<Duration, String> {
    text.parse().map(|Time(time)| time)
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    Connections::deserialize(deserializer).map(|Count(number)| number as usize)
}

/// A list, if the key is there. `namespaces:` with nothing behind it is not the absence of a restriction.
fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Vec::deserialize(deserializer).map(Some)
}

fn listening<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    address(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// An address to listen on.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no IP address with a port: write 127.0.0.1:8090, or 0.0.0.0:8090 in a container"))
}

fn from_str<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(text: &str) -> Config {
        Config::parse(text, Path::new("")).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
    }

    /// The mistakes as they are printed, without the file.
    fn mistakes(text: &str) -> Vec<String> {
        Config::parse(text, Path::new("")).expect_err(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_empty_file_means_defaults() {
        assert_eq!(parse("").listen, DEFAULT_LISTEN);
        assert_eq!(parse("# nothing\n").limits, Limits::default());
    }

    #[test]
    fn every_key_is_read() {
        let config = parse(
            "listen: 0.0.0.0:80\ncluster: demo\nnamespaces: [team-a, team-b]\nlimits: { time: 10s, memory: 32Mi, logs: 1000 }\n\
             tools:\n  - component: a.wasm\n    rules:\n      - { apiGroups: [\"\"], resources: [pods], verbs: [get] }\n    \
             partialGrant: true\n    \
             namespaces: [team-a, other]\n    settings: { threshold: 5 }\n    limits: { time: 500ms }\n    maskSecrets: false\nbundled: {}\n",
        );
        let tool = &config.tools[0];
        assert_eq!(config.limits.memory, 32 << 20);
        assert_eq!(config.limits.logs, 1000);
        let source = Source::File("a.wasm".into());
        assert_eq!(config.limits_of(&source).time, Duration::from_millis(500));
        assert_eq!(config.limits_of(&source).memory, 32 << 20, "what is absent is inherited");
        assert_eq!(config.grant_of(&source).namespaces, ["team-a".to_owned()].into_iter().collect());
        assert_eq!(tool.settings["threshold"], 5);
        assert!(tool.partial_grant);
        assert_eq!(config.grant_of(&source).secrets, Secrets::Shown);
        assert_eq!(config.grant_of(&Source::File("b.wasm".into())).secrets, Secrets::Masked);
    }

    #[test]
    fn a_bundled_tool_has_its_own_where_it_has_some() {
        let config = parse(
            "limits: { cpu: 2s }\nnamespaces: [team-a, team-b]\nbundled:\n  maskSecrets: false\n  tools:\n    \
             get_events: { limits: { time: 1s }, namespaces: [team-a, other], maskSecrets: true }\n    \
             get_pod_logs: { enabled: false, limits: { memory: 1Gi } }\n",
        );
        let of = |tool: &str| Source::bundled().find(|source| source.name() == tool).expect("a bundled component");
        let (events, logs, health) = (of("get-events"), of("get-pod-logs"), of("check-health"));
        let (time, cpu) = (Duration::from_secs(1), Duration::from_secs(2));
        assert_eq!(config.limits_of(&events), Limits { time, cpu, ..Limits::default() });
        assert_eq!(config.grant_of(&events).namespaces, ["team-a".to_owned()].into_iter().collect());
        assert_eq!((config.grant_of(&events).secrets, config.grant_of(&health).secrets), (Secrets::Masked, Secrets::Shown));
        assert_eq!((config.serves(&logs), config.serves(&events)), (false, true));
        assert_eq!(config.largest_memory(), 1 << 30);
        let [unknown] = &mistakes("bundled: { tools: { get_log: {} } }")[..] else { panic!("one mistake") };
        assert!(unknown.contains("unknown key `get_log`; did you mean `get_pod_logs`?"), "{unknown}");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place_and_the_nearest_right_one() {
        assert_eq!(mistakes("cluster: demo\nlisen: x\n"), ["2:1: unknown key `lisen`; did you mean `listen`?"]);
        assert_eq!(mistakes("limits:\n  cpus: 1s\n"), ["2:3: unknown key `cpus`; did you mean `cpu`?"]);
        let [far] = &mistakes("replicas: 2\n")[..] else { panic!("one mistake") };
        assert!(far.contains("the possible ones are listen, cluster, namespaces"), "{far}");
        let text = "tools:\n  - component: a\n    rules:\n      - { apiGroup: [\"\"], resources: [pods], verbs: [get] }\n";
        assert_eq!(mistakes(text), ["4:11: unknown key `apiGroup`; did you mean `apiGroups`?"]);
    }

    #[test]
    fn a_wrong_type_is_named_with_its_place() {
        for (text, place, said) in [
            ("namespaces: team-a\n", "1:13", "should be a list"),
            ("namespaces:\n", "1:11", "should be a list"),
            ("limits: 5\n", "1:9", "should be a mapping"),
            ("limits:\n", "1:7", "should be a mapping"),
            ("tools:\n  - a.wasm\n", "2:5", "write `- component: FILE`"),
            ("tools: [a.wasm, b.wasm]\n", "1:9", "write `- component: FILE`"),
            ("tools:\n  - component: a.wasm\n  - b.wasm\n", "3:5", "write `- component: FILE`"),
            ("tools: a.wasm\n", "1:8", "`- component: FILE`"),
            ("tools:\n  a.wasm: {}\n", "2:3", "`- component: FILE`"),
            ("bundled: [get_events]\n", "1:10", "should be a mapping of keys to values"),
            ("- listen\n", "1:1", "should be a mapping"),
            ("limits:\n  requests: many\n", "2:13", "\"many\" is no whole number above zero"),
            ("callsPerSecond: 0\n", "1:17", "\"0\" is no whole number above zero"),
            ("callsPerSecond: 1.5\n", "1:17", "\"1.5\" is no whole number above zero"),
            ("limits: { time: 0s }\n", "1:17", "\"0s\""),
            ("limits: { time: 10 }\n", "1:17", "30s"),
            ("limits: { memory: 5MB }\n", "1:19", "\"5MB\" is no size from 2Mi to 4Gi"),
            ("limits: { memory: 5Gi }\n", "1:19", "4Gi"),
            ("limits: { memory: 64Ki }\n", "1:19", "2Mi"),
            ("limits: { page: 0 }\n", "1:17", "from 1 to 10000"),
            ("limits: { time: 2000m }\n", "1:17", "up to 60m"),
            ("cluster: nowhere\n", "1:10", "nowhere"),
            ("listen: 8090\n", "1:9", "\"8090\" is no IP address with a port"),
            ("tools:\n  - rules: []\n", "2:", "`component` is missing"),
            ("tools:\n  - component: a\n    partialGrant: maybe\n", "3:19", "true or false"),
            ("hosts: [a]\nhosts: [b]\n", "2:1", "`hosts` is here twice"),
            ("listen: [\n", "", ""),
        ] {
            let [mistake] = &mistakes(text)[..] else { panic!("one mistake: {text}") };
            assert!(mistake.starts_with(place) && mistake.contains(said), "{text}: {mistake}");
        }
        let text = "tools:\n  - component: a\n    rules:\n      - { apiGroups: [\"\"], resources: [pods], verbs: [gets] }\n";
        assert_eq!(mistakes(text), ["4:55: `gets` is not known here; did you mean `get`?"]);
    }

    #[test]
    fn all_impossible_values_are_named_with_their_places() {
        let text = "namespaces: [team-a, Team_B]\norigins: [inspector.example.com]\nhosts: [\"*.example.com\"]\ntools:\n  \
                    - component: a.wasm\n    namespaces:\n      - a.b\n    rules:\n      \
                    - { apiGroups: [core], resources: [pods], verbs: [get] }\n      \
                    - { apiGroups: [\"\"], resources: [pods/exec], verbs: [get] }\n    clusterRules:\n      \
                    - { apiGroups: [\"\"], resources: [pods/log], verbs: [get] }\n  - component: a.wasm\n";
        let found = mistakes(text);
        for (place, said) in [
            ("1:22", "\"Team_B\" is no namespace"),
            ("2:11", "is no origin"),
            ("3:9", "is no host"),
            ("7:9", "\"a.b\" is no namespace"),
            ("9:9", "the core group is written \"\""),
            ("10:9", "`pods/exec` cannot be granted"),
            ("12:9", "put it under `rules`"),
            ("13:16", "a.wasm has an entry already"),
        ] {
            let one = found.iter().find(|mistake| mistake.starts_with(place)).unwrap_or_else(|| panic!("{place}: {found:?}"));
            assert!(one.contains(said), "{one}");
        }
        assert_eq!(found.len(), 8, "{found:?}");
    }

    #[test]
    fn an_entry_is_for_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("tools:\n  - component: {}\n", folder.path().display());
        let [mistake] = &mistakes(&text)[..] else { panic!("one mistake") };
        assert!(mistake.starts_with("2:16: ") && mistake.contains("is a folder"), "{mistake}");

        std::fs::write(folder.path().join("a.wasm"), "").unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        let twice = "tools:\n  - component: a.wasm\n  - component: b/../a.wasm\n";
        let found = Config::parse(twice, folder.path()).expect_err("one component twice");
        assert!(found[0].what.contains("has an entry already"), "{found:?}");
    }
}
