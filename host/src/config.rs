//! sandbar.yaml: where to listen, which cluster, what tools are granted and how much they may use. Every key has a default.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use crate::catalog::Source;
use crate::kubernetes;
use crate::policy::{Limits, Namespaces, PolicyRule, RuleError};

/// The port of the server that Sandbar replaces.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8090);

/// Tool calls a second for each caller. A model makes a few; while all callers are anonymous, this is for a hundred models at once.
const CALLS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();

/// Connections at once, each with up to 32 KiB of its own.
const CONNECTIONS: usize = 4096;

/// With the 3 s that the server goes on accepting and the 2 s of its last words it stays under a pod's grace period of 30 s.
const DRAIN: Duration = Duration::from_secs(24);

/// The configuration of a server.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Which cluster to look into.
    #[serde(deserialize_with = "from_str")]
    pub cluster: kubernetes::Source,
    /// The namespaces that tools may look into; none: no restriction of ours.
    pub namespaces: Option<Vec<String>>,
    /// The limits of every call.
    #[serde(deserialize_with = "limits_over_defaults")]
    pub limits: Limits,
    /// Names by which clients may address the server, beside those that are always right (loopback, IP addresses, Service names).
    pub hosts: Vec<String>,
    /// Origins of web pages that may connect, `https://inspector.example.com` for example.
    pub origins: Vec<String>,
    /// Tool calls a second for each caller.
    pub calls_per_second: NonZeroU32,
    /// Connections at once.
    pub connections: usize,
    /// Time for running calls to end when the server stops.
    #[serde(deserialize_with = "duration")]
    pub drain: Duration,
    /// Components to load beside the bundled ones, and what each is granted.
    pub tools: Vec<ToolConfig>,
}

/// What one component is granted.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolConfig {
    /// The component's file. A relative path starts at the configuration file's directory.
    pub component: PathBuf,
    /// What it may read of namespaced resources.
    #[serde(default)]
    rules: Vec<PolicyRule>,
    /// What it may read of cluster-scoped resources.
    #[serde(default)]
    cluster_rules: Vec<PolicyRule>,
    /// Where; it can only narrow the server's namespaces.
    #[serde(default)]
    namespaces: Option<Vec<String>>,
    /// Its options, for `context.setting`.
    #[serde(default)]
    settings: Map<String, Value>,
    /// Its limits, over those of the server.
    #[serde(default)]
    limits: LimitsConfig,
}

/// Limits as they are written; what is absent is inherited.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct LimitsConfig {
    time: Option<Seconds>,
    cpu: Option<Seconds>,
    memory: Option<Bytes>,
    requests: Option<u32>,
    read: Option<Bytes>,
    logs: Option<Bytes>,
    result: Option<Bytes>,
    page: Option<u32>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {path} cannot be read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no YAML, or has an unknown key or a value of a wrong type.
    #[error("the configuration {path} is not valid: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// What, and where.
        reason: String,
    },
    /// A rule that no grant can hold.
    #[error("the configuration {path} grants {component} a rule that cannot be granted: {reason}")]
    Rule {
        /// The file.
        path: PathBuf,
        /// The component.
        component: PathBuf,
        /// Why.
        reason: RuleError,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            cluster: kubernetes::Source::default(),
            namespaces: None,
            limits: Limits::default(),
            hosts: Vec::new(),
            origins: Vec::new(),
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
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let mut config = Self::parse(&text).map_err(|reason| ConfigError::Parse { path: path.to_owned(), reason })?;
        let directory = path.parent().unwrap_or(Path::new(""));
        for tool in &mut config.tools {
            tool.component = directory.join(&tool.component);
            for rule in tool.rules.iter().chain(&tool.cluster_rules) {
                rule.validate().map_err(|reason| ConfigError::Rule {
                    path: path.to_owned(),
                    component: tool.component.clone(),
                    reason,
                })?;
            }
        }
        Ok(config)
    }

    fn parse(text: &str) -> Result<Self, String> {
        // An empty document is null, not an empty mapping; it means all defaults.
        let config: Option<Self> = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        Ok(config.unwrap_or_default())
    }

    /// The entry of a component, where there is one.
    pub fn tool(&self, source: &Source) -> Option<&ToolConfig> {
        let Source::File(path) = source else { return None };
        // One file has many paths.
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let path = canonical(path);
        self.tools.iter().find(|tool| canonical(&tool.component) == path)
    }

    /// The limits of a component's calls.
    pub fn limits_of(&self, tool: Option<&ToolConfig>) -> Limits {
        tool.map_or_else(|| self.limits.clone(), |tool| tool.limits.over(&self.limits))
    }

    /// The largest memory that any call may have, in bytes.
    pub fn largest_memory(&self) -> u64 {
        self.tools.iter().map(|tool| self.limits_of(Some(tool)).memory).fold(self.limits.memory, u64::max)
    }

    /// The namespaces that a component may look into.
    pub fn namespaces_of(&self, tool: Option<&ToolConfig>) -> Namespaces {
        let listed = |names: Option<&Vec<String>>| names.map_or(Namespaces::All, |names| names.iter().cloned().collect());
        listed(self.namespaces.as_ref()).intersection(&listed(tool.and_then(|tool| tool.namespaces.as_ref())))
    }
}

impl ToolConfig {
    /// Its rules for namespaced and for cluster-scoped resources.
    pub fn rules(&self) -> (Vec<PolicyRule>, Vec<PolicyRule>) {
        (self.rules.clone(), self.cluster_rules.clone())
    }

    /// Its options.
    pub fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }
}

impl LimitsConfig {
    fn over(&self, base: &Limits) -> Limits {
        Limits {
            time: self.time.map_or(base.time, |Seconds(time)| time),
            cpu: self.cpu.map_or(base.cpu, |Seconds(time)| time),
            memory: self.memory.map_or(base.memory, |Bytes(bytes)| bytes),
            requests: self.requests.unwrap_or(base.requests),
            read: self.read.map_or(base.read, |Bytes(bytes)| bytes),
            logs: self.logs.map_or(base.logs, |Bytes(bytes)| bytes),
            result: self.result.map_or(base.result, |Bytes(bytes)| bytes),
            page: self.page.unwrap_or(base.page),
        }
    }
}

fn limits_over_defaults<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
    Ok(LimitsConfig::deserialize(deserializer)?.over(&Limits::default()))
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    Seconds::deserialize(deserializer).map(|Seconds(time)| time)
}

fn from_str<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

/// A duration as `30s`, `500ms` or `2m`.
#[derive(Clone, Copy, Debug)]
struct Seconds(Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let wrong = || de::Error::custom(format!("{text:?} is not a duration above zero: write 500ms, 30s or 2m"));
        let number: u64 = text[..split].parse().map_err(|_| wrong())?;
        let time = match &text[split..] {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.saturating_mul(60)),
            _ => return Err(wrong()),
        };
        if time.is_zero() { Err(wrong()) } else { Ok(Self(time)) }
    }
}

/// A size as Kubernetes writes it: `64Mi`, `512Ki`, `1Gi`, or plain bytes.
#[derive(Clone, Copy, Debug)]
struct Bytes(u64);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Plain bytes may stand without quotes.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Number(number) => number.to_string(),
            Written::Text(text) => text,
        };
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let wrong =
            || de::Error::custom(format!("{text:?} is not a size above zero: write 64Mi, 512Ki, 1Gi or a number of bytes"));
        let number: u64 = text[..split].parse().map_err(|_| wrong())?;
        let unit = match &text[split..] {
            "" => 1,
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            _ => return Err(wrong()),
        };
        match number.checked_mul(unit) {
            Some(bytes) if bytes > 0 => Ok(Self(bytes)),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_means_defaults() {
        assert_eq!(Config::parse("").expect("valid").listen, DEFAULT_LISTEN);
        assert_eq!(Config::parse("# nothing\n").expect("valid").limits, Limits::default());
    }

    #[test]
    fn every_key_is_read() {
        let config = Config::parse(
            "listen: 0.0.0.0:80\ncluster: demo\nnamespaces: [team-a, team-b]\nlimits: { time: 10s, memory: 32Mi, logs: 1000 }\n\
             tools:\n  - component: a.wasm\n    rules:\n      - { apiGroups: [\"\"], resources: [pods], verbs: [get] }\n    \
             namespaces: [team-a, other]\n    settings: { threshold: 5 }\n    limits: { time: 500ms }\n",
        )
        .expect("valid");
        let tool = &config.tools[0];
        assert_eq!(config.limits.memory, 32 << 20);
        assert_eq!(config.limits.logs, 1000);
        assert_eq!(config.limits_of(Some(tool)).time, Duration::from_millis(500));
        assert_eq!(config.limits_of(Some(tool)).memory, 32 << 20, "what is absent is inherited");
        assert_eq!(config.namespaces_of(Some(tool)), ["team-a".to_owned()].into_iter().collect());
        assert_eq!(tool.settings()["threshold"], 5);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let error = |text: &str| Config::parse(text).expect_err("refused");
        assert!(error("lisen: x\n").contains("lisen"), "{}", error("lisen: x\n"));
        assert!(error("limits: { time: 0s }\n").contains("\"0s\""));
        assert!(error("limits: { memory: 5MB }\n").contains("5MB"));
        assert!(error("cluster: nowhere\n").contains("nowhere"));
        let text = "tools:\n  - component: a\n    rules:\n      - { apiGroups: [\"\"], resources: [pods], verbs: [watch] }\n";
        assert!(error(text).contains("watch"));
    }
}
