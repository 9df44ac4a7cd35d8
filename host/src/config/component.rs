//! What sandbar.yaml says of single components: of files of the operator's, and of bundled ones.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::limits::LimitsConfig;
use super::list;
use crate::catalog::Source;
use crate::policy::PolicyRule;

/// What one component is granted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tool")]
pub struct ToolConfig {
    /// The component's file. A relative path starts at the configuration file's directory.
    #[schemars(with = "String", length(min = 1))]
    pub component: PathBuf,
    /// What it may read of namespaced resources: Kubernetes PolicyRules with the verbs get and list.
    #[serde(default)]
    pub(super) rules: Vec<PolicyRule>,
    /// What it may read of cluster-scoped resources.
    #[serde(default)]
    pub(super) cluster_rules: Vec<PolicyRule>,
    /// Whether to load it although it asks for more than it is granted. What it is not granted is denied to it.
    #[serde(default)]
    partial_grant: bool,
    /// Where `rules` hold; it can only narrow the server's namespaces.
    #[serde(default, deserialize_with = "list")]
    #[schemars(with = "Vec<String>", inner(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub(super) namespaces: Option<Vec<String>>,
    /// Its options. `sandbar inspect` shows which it knows.
    #[serde(default)]
    settings: Map<String, Value>,
    /// Its limits, in the place of those for all.
    #[serde(default)]
    limits: LimitsConfig,
    /// Whether secrets in what it reads are masked; none: they are.
    #[serde(default)]
    #[schemars(with = "bool", extend("default" = true))]
    mask_secrets: Option<bool>,
}

/// What holds for the bundled tools.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Bundled")]
pub struct BundledConfig {
    /// Whether secrets in what they read are masked; none: they are.
    #[schemars(with = "bool", extend("default" = true))]
    pub(crate) mask_secrets: Option<bool>,
    /// What single ones have for themselves.
    pub(super) tools: BundledTools,
}

/// The bundled tools, by their names.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct BundledTools {
    check_health: BundledTool,
    get_control_plane_status: BundledTool,
    get_events: BundledTool,
    get_pod_logs: BundledTool,
    list_control_planes: BundledTool,
    list_templates: BundledTool,
    list_workspaces: BundledTool,
}

/// What one bundled tool has for itself. It is granted what it asks for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct BundledTool {
    /// Whether it is served.
    pub(super) enabled: bool,
    /// Where it may look; it can only narrow the server's namespaces.
    #[serde(deserialize_with = "list")]
    #[schemars(with = "Vec<String>", inner(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub(super) namespaces: Option<Vec<String>>,
    /// Its limits, in the place of those for all.
    limits: LimitsConfig,
    /// Whether secrets in what it reads are masked; none: as for all bundled tools.
    #[schemars(with = "bool")]
    mask_secrets: Option<bool>,
}

/// What a component has for itself, in the place of what holds for all.
#[derive(Default)]
pub(super) struct Own<'a> {
    pub(super) namespaces: Option<&'a Vec<String>>,
    pub(super) limits: LimitsConfig,
    pub(super) mask_secrets: Option<bool>,
}

impl ToolConfig {
    /// Whether it is loaded although it asks for more than its rules hold.
    pub fn accepts_partial_grant(&self) -> bool {
        self.partial_grant
    }

    /// Its options.
    pub fn settings(&self) -> &Map<String, Value> {
        &self.settings
    }

    /// Its rules, and those for cluster-scoped resources.
    pub(super) fn granted(&self) -> (Vec<PolicyRule>, Vec<PolicyRule>) {
        (self.rules.clone(), self.cluster_rules.clone())
    }

    pub(super) fn own(&self) -> Own<'_> {
        Own { namespaces: self.namespaces.as_ref(), limits: self.limits.clone(), mask_secrets: self.mask_secrets }
    }
}

impl BundledConfig {
    pub(super) fn own(&self, source: &Source) -> Own<'_> {
        let own = self.tools.of(source).map(|BundledTool { namespaces, limits, mask_secrets, .. }| Own {
            namespaces: namespaces.as_ref(),
            limits: limits.clone(),
            mask_secrets: *mask_secrets,
        });
        let own = own.unwrap_or_default();
        Own { mask_secrets: own.mask_secrets.or(self.mask_secrets), ..own }
    }
}

impl BundledTools {
    /// All of them, by their names.
    pub(super) fn all(&self) -> [(&'static str, &BundledTool); 7] {
        [
            ("check_health", &self.check_health),
            ("get_control_plane_status", &self.get_control_plane_status),
            ("get_events", &self.get_events),
            ("get_pod_logs", &self.get_pod_logs),
            ("list_control_planes", &self.list_control_planes),
            ("list_templates", &self.list_templates),
            ("list_workspaces", &self.list_workspaces),
        ]
    }

    /// What a bundled component has for itself.
    pub(super) fn of(&self, source: &Source) -> Option<&BundledTool> {
        let name = tool_of(source);
        self.all().into_iter().find_map(|(tool, own)| (tool == name).then_some(own))
    }
}

/// The tool of a bundled component, whose file cannot have its name to the letter: cargo wants dashes there.
fn tool_of(source: &Source) -> String {
    source.name().replace('-', "_")
}

impl Default for BundledTool {
    fn default() -> Self {
        Self { enabled: true, namespaces: None, limits: LimitsConfig::default(), mask_secrets: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bundled_component_has_its_place() {
        let tools = BundledTools::default();
        let names: Vec<_> = Source::bundled().map(|source| tool_of(&source)).collect();
        assert_eq!(names, tools.all().map(|(name, _)| name));
    }
}
