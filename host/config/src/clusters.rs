//! `clusters`: the clusters that are looked into, where there are several.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use sandbar_kubernetes::ClusterSource;
use sandbar_policy::PolicyRule;
use sandbar_text::nearest;
use schemars::JsonSchema;
use serde::Deserialize;

use super::authorization::RightsConfig;
use super::check::namespace;
use super::places::Step;
use super::{Config, present, some_from_str};

/// Characters of a cluster's name.
const NAME: usize = 63;

/// Clusters of one server. Each is a name in the definition of every tool, which a model has to read.
const MOST: usize = 32;

/// A cluster among several.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Cluster")]
pub struct ClusterConfig {
    /// The name by which a call chooses it.
    #[schemars(length(max = 63), regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"))]
    pub name: String,
    /// Where it is, as `cluster` has it: auto, in-cluster, kubeconfig, kubeconfig:CONTEXT, snapshot:DIR or demo.
    #[serde(default, deserialize_with = "some_from_str")]
    #[schemars(with = "String", regex(pattern = "^(auto|in-cluster|kubeconfig(:.+)?|snapshot:.+|demo)$"))]
    pub(super) source: Option<ClusterSource>,
    /// A kubeconfig that says where it is. A relative path starts at the folder of this file.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    pub(super) kubeconfig: Option<PathBuf>,
    /// The context of that kubeconfig; absent: its current one.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    context: Option<String>,
    /// The namespaces of this cluster that tools may look into; they can only narrow those of the server.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Vec<String>", inner(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub(super) namespaces: Option<Vec<String>>,
    /// Whose rights count in it; absent: as `authorization.rights` says.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "RightsConfig")]
    pub(super) rights: Option<RightsConfig>,
    /// Whether the names of users and groups mean the same people as in the first cluster, which authenticates them.
    #[serde(default)]
    same_users: bool,
}

/// What a component may read in one of several clusters. What is absent is as in its entry.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "ToolInCluster")]
pub(super) struct ToolInCluster {
    /// What it may read of namespaced resources.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<PolicyRule>")]
    pub(super) rules: Option<Vec<PolicyRule>>,
    /// What it may read of cluster-scoped resources.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<PolicyRule>")]
    pub(super) cluster_rules: Option<Vec<PolicyRule>>,
    /// Where `rules` hold; it can only narrow the namespaces of its entry.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<String>", inner(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub(super) namespaces: Option<Vec<String>>,
}

/// What a component has for itself in each of the clusters that it may look into; none: the same in all of them.
pub(super) type InClusters = Option<BTreeMap<String, ToolInCluster>>;

impl ClusterConfig {
    /// Where it is.
    pub fn source(&self) -> ClusterSource {
        match (&self.source, &self.kubeconfig) {
            (Some(source), _) => source.clone(),
            (None, Some(path)) => ClusterSource::KubeconfigFile { path: path.clone(), context: self.context.clone() },
            // Checked: there is one of them.
            (None, None) => ClusterSource::default(),
        }
    }

    fn faults(&self, is_home: bool) -> Vec<(Vec<Step>, String)> {
        let mut faults = Vec::new();
        if !is_name(&self.name) {
            let what = format!(
                "{:?} is no name for a cluster: up to {NAME} letters, digits, `-`, `_` and `.`, with a letter or digit at both ends",
                self.name
            );
            faults.push((vec![Step::Key("name")], what));
        }
        match (&self.source, &self.kubeconfig, &self.context) {
            (None, None, _) => faults.push((Vec::new(), "it needs a `source` or a `kubeconfig`".to_owned())),
            (Some(_), Some(_), _) => {
                faults.push((Vec::new(), "it has a `source` and a `kubeconfig`: one of them says where it is".to_owned()))
            }
            (Some(_), None, Some(_)) => {
                let what = "a `context` is one of a `kubeconfig`; in a `source` it is written kubeconfig:CONTEXT";
                faults.push((vec![Step::Key("context")], what.to_owned()));
            }
            _ => {}
        }
        for (index, name) in self.namespaces.iter().flatten().enumerate() {
            faults.extend(namespace(name).err().map(|what| (vec![Step::Key("namespaces"), Step::Entry(index)], what)));
        }
        if is_home && self.same_users {
            let what = "the first cluster is the one that authenticates users, so its names mean them anyway: remove this";
            faults.push((vec![Step::Key("sameUsers")], what.to_owned()));
        }
        faults
    }
}

/// What is wrong with the clusters, and with what names them.
pub(super) fn faults(config: &Config) -> Vec<(Vec<Step>, String)> {
    let at = |index: usize, more: &[Step]| [&[Step::Key("clusters"), Step::Entry(index)], more].concat();
    let mut faults = Vec::new();
    if config.cluster.is_some() && !config.clusters.is_empty() {
        let what = "there is `cluster`, too: one of them says what is looked into";
        faults.push((vec![Step::Key("clusters")], what.to_owned()));
    }
    if config.clusters.len() > MOST {
        faults.push((vec![Step::Key("clusters")], format!("there are {}; {MOST} is the most", config.clusters.len())));
    }
    let mut names = HashSet::new();
    for (index, cluster) in config.clusters.iter().enumerate() {
        faults.extend(cluster.faults(index == 0).into_iter().map(|(place, what)| (at(index, &place), what)));
        if !names.insert(cluster.name.to_ascii_lowercase()) {
            faults.push((at(index, &[Step::Key("name")]), format!("there is a cluster {:?} already", cluster.name)));
        }
        let rights = config.rights_in(Some(cluster));
        if rights != RightsConfig::Server && index > 0 && !cluster.same_users {
            let what = format!(
                "the rights of callers count in {:?}, and who they are is found out by another cluster: `sameUsers: true` says that names of \
                 users and groups mean the same people in both, and with `rights: server` the server's own rights count",
                cluster.name
            );
            faults.push((at(index, &[]), what));
        }
        if rights != RightsConfig::Server && !config.knows_callers() {
            let what =
                "the caller's rights cannot count where nobody is asked who they are: configure `authentication` or `apiService`";
            faults.push((at(index, &[Step::Key("rights")]), what.to_owned()));
        }
    }
    faults
}

/// What is wrong with the clusters that a component is to look into, by what there is.
pub(super) fn faults_of_names<'a>(names: impl Iterator<Item = &'a str>, known: &[ClusterConfig]) -> Option<String> {
    let known: Vec<&str> = known.iter().map(|cluster| cluster.name.as_str()).collect();
    let (mut is_empty, mut unknown) = (true, None);
    for name in names {
        is_empty = false;
        unknown = unknown.or((!known.contains(&name)).then_some(name));
    }
    match unknown {
        _ if known.is_empty() => Some("there are no `clusters` to choose from: remove this, or list them".to_owned()),
        None if is_empty => Some("this leaves no cluster: name some, or leave it out for all".to_owned()),
        None => None,
        Some(name) => {
            let meant = nearest(name, &known).map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default();
            Some(format!("{name:?} is none of `clusters`, which are {}{meant}", known.join(", ")))
        }
    }
}

fn is_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    name.len() <= NAME
        && is_end(bytes.first())
        && is_end(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}
