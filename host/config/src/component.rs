//! The entries of sandbar.yaml for single components: the operator's files, and bundled ones.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use sandbar_catalog::Source;
use sandbar_policy::PolicyRule;
use sandbar_registry::{Digest, Policy, Reference};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IntoDeserializer as _, MapAccess, Visitor};
use serde_json::{Map, Value, json};

use super::clusters::{InClusters, ToolInCluster};
use super::limits::LimitsConfig;
use super::packs::Packs;
use super::present;

/// What one component is granted.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tool", transform = with_script)]
pub struct ToolConfig {
    /// The component: its file, or a script's, which ends in `.js`, or oci://HOST/NAME@sha256:DIGEST or oci://HOST/NAME:TAG. A relative path starts at
    /// the configuration file's directory.
    #[serde(alias = "script", deserialize_with = "source")]
    #[schemars(with = "String", length(min = 1))]
    pub component: Source,
    /// What it has to have: of a file the SHA-256 of its bytes, of a tag in a registry the digest that it stands for. `sandbar lock` writes it.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Digest")]
    pub digest: Option<Digest>,
    /// Who has to have signed it, in the place of `signatures` for all.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Policy")]
    pub(super) signatures: Option<Arc<Policy>>,
    /// What it may read of namespaced resources: Kubernetes PolicyRules with the verbs get and list.
    #[serde(default)]
    pub(super) rules: Vec<PolicyRule>,
    /// What it may read of cluster-scoped resources.
    #[serde(default)]
    pub(super) cluster_rules: Vec<PolicyRule>,
    /// Whether it is told who calls: the user's name and groups.
    #[serde(default)]
    pub(super) caller: bool,
    /// Whether to load it although it asks for more than it is granted. What it is not granted is denied to it.
    #[serde(default)]
    pub(super) partial_grant: bool,
    /// Where `rules` hold; it can only narrow the server's namespaces.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Vec<String>", inner(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub(super) namespaces: Option<Vec<String>>,
    /// The clusters that it may look into, by their names, and what it may read in each; absent: the same in all of `clusters`.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "BTreeMap<String, ToolInCluster>")]
    pub(super) clusters: InClusters,
    /// Its options. `sandbar inspect` shows which it knows.
    #[serde(default)]
    pub(super) settings: Map<String, Value>,
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
    pub mask_secrets: Option<bool>,
    /// The packs that are served: a list, or `auto` for those that the cluster has something for.
    #[schemars(extend("default" = ["coder"]))]
    pub packs: Packs,
    /// What single ones have for themselves.
    pub(super) tools: BundledTools,
}

/// What bundled tools have for themselves, by their names.
#[derive(Clone, Debug, Default)]
pub(super) struct BundledTools(BTreeMap<&'static str, BundledTool>);

/// The names of all bundled tools.
static BUNDLED: LazyLock<Vec<&str>> =
    LazyLock::new(|| Source::bundled().filter_map(|source| Some(&*source.bundled_tool()?.leak())).collect());

/// What one bundled tool has for itself. It is granted what it asks for.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct BundledTool {
    /// Whether it is served.
    pub(super) enabled: bool,
    /// Where it may look; it can only narrow the server's namespaces.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "Vec<String>", inner(length(max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")))]
    pub(super) namespaces: Option<Vec<String>>,
    /// The clusters that it may look into, by their names, and where in each; absent: the same in all of `clusters`.
    #[serde(deserialize_with = "present")]
    #[schemars(with = "BTreeMap<String, ToolInCluster>")]
    pub(super) clusters: InClusters,
    /// Its limits, in the place of those for all.
    limits: LimitsConfig,
    /// Whether secrets in what it reads are masked; none: as for all bundled tools.
    #[schemars(with = "bool")]
    mask_secrets: Option<bool>,
}

/// The settings of one component that replace the general ones.
#[derive(Default)]
pub(super) struct Own<'a> {
    pub(super) namespaces: Option<&'a Vec<String>>,
    pub(super) clusters: Option<&'a BTreeMap<String, ToolInCluster>>,
    pub(super) limits: LimitsConfig,
    pub(super) mask_secrets: Option<bool>,
}

/// A component of the operator's.
fn source<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Source, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.starts_with("oci://") {
        true => Reference::deserialize(text.into_deserializer()).map(Source::Registry),
        false => Ok(Source::File(text.into())),
    }
}

/// `script` is another name of `component`, for a file that is one.
fn with_script(schema: &mut Schema) {
    let script = json!({ "description": "A script's file, in the place of `component`.", "type": "string", "pattern": "\\.js$" });
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert("script".to_owned(), script);
    }
    schema.remove("required");
    schema.insert("oneOf".to_owned(), json!([{ "required": ["component"] }, { "required": ["script"] }]));
}

impl ToolConfig {
    /// An entry for a component that grants nothing.
    pub(super) fn of(source: &Source) -> Self {
        Self {
            component: source.clone(),
            digest: None,
            signatures: None,
            rules: Vec::new(),
            cluster_rules: Vec::new(),
            caller: false,
            partial_grant: false,
            namespaces: None,
            clusters: None,
            settings: Map::new(),
            limits: LimitsConfig::default(),
            mask_secrets: None,
        }
    }

    /// Its rules for namespaced and for cluster-scoped resources.
    pub(super) fn granted(&self) -> (Vec<PolicyRule>, Vec<PolicyRule>) {
        (self.rules.clone(), self.cluster_rules.clone())
    }

    pub(super) fn own(&self) -> Own<'_> {
        Own {
            namespaces: self.namespaces.as_ref(),
            clusters: self.clusters.as_ref(),
            limits: self.limits.clone(),
            mask_secrets: self.mask_secrets,
        }
    }
}

impl BundledConfig {
    pub(super) fn own(&self, source: &Source) -> Own<'_> {
        let own = self.tools.of(source).map(|BundledTool { namespaces, clusters, limits, mask_secrets, .. }| Own {
            namespaces: namespaces.as_ref(),
            clusters: clusters.as_ref(),
            limits: limits.clone(),
            mask_secrets: *mask_secrets,
        });
        let own = own.unwrap_or_default();
        Own { mask_secrets: own.mask_secrets.or(self.mask_secrets), ..own }
    }
}

impl BundledTools {
    /// The bundled tools that have an entry, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &BundledTool)> {
        self.0.iter().map(|(name, tool)| (*name, tool))
    }

    /// The entry of a bundled component.
    pub(super) fn of(&self, source: &Source) -> Option<&BundledTool> {
        self.0.get(&*source.bundled_tool()?)
    }
}

impl<'de> Deserialize<'de> for BundledTools {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(BundledToolsVisitor)
    }
}

struct BundledToolsVisitor;

impl<'de> Visitor<'de> for BundledToolsVisitor {
    type Value = BundledTools;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bundled tools by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<BundledTools, A::Error> {
        let mut tools = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let name = BUNDLED.iter().find(|name| **name == key).ok_or_else(|| A::Error::unknown_field(&key, &BUNDLED))?;
            if tools.insert(*name, map.next_value()?).is_some() {
                return Err(A::Error::duplicate_field(name));
            }
        }
        Ok(BundledTools(tools))
    }
}

impl JsonSchema for BundledTools {
    fn schema_name() -> Cow<'static, str> {
        "BundledTools".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let tool = generator.subschema_for::<BundledTool>();
        let tools: Map<String, Value> = BUNDLED.iter().map(|&name| (name.to_owned(), tool.clone().into())).collect();
        json_schema!({
            "type": "object",
            "additionalProperties": false,
            "properties": tools,
            "description": "The bundled tools, by their names.",
        })
    }
}

impl Default for BundledTool {
    fn default() -> Self {
        Self { enabled: true, namespaces: None, clusters: None, limits: LimitsConfig::default(), mask_secrets: None }
    }
}
