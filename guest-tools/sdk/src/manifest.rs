//! What the host and the model read about a component, in the contract's words.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::Rule;
use crate::resource::About;

/// The manifest of a component. Its text is one JSON object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest<'a> {
    #[serde(flatten)]
    pub(crate) entries: Entries,
    #[serde(skip_serializing_if = "<[Rule]>::is_empty")]
    pub(crate) rules: &'a [Rule],
    #[serde(skip_serializing_if = "<[Rule]>::is_empty")]
    pub(crate) cluster_rules: &'a [Rule],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) settings: Option<Value>,
}

/// What is served.
#[doc(hidden)]
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entries {
    pub(crate) tools: Vec<ToolEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) prompts: Vec<PromptEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) resources: Vec<ResourceEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) resource_templates: Vec<TemplateEntry>,
}

/// An MCP Prompt.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PromptEntry {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    description: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    arguments: Vec<ArgumentEntry>,
}

/// An MCP PromptArgument.
#[derive(Clone, Debug, Serialize)]
struct ArgumentEntry {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    required: bool,
}

/// An MCP Resource.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ResourceEntry {
    uri: &'static str,
    #[serde(flatten)]
    about: AboutEntry,
}

/// An MCP ResourceTemplate.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TemplateEntry {
    uri_template: &'static str,
    #[serde(flatten)]
    about: AboutEntry,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AboutEntry {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    description: &'static str,
    mime_type: &'static str,
}

impl PromptEntry {
    /// A prompt whose arguments have this schema.
    pub(crate) fn new(name: &'static str, title: Option<&'static str>, description: &'static str, schema: &Value) -> Self {
        let required =
            |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name));
        let argument = |(name, property): (&String, &Value)| ArgumentEntry {
            name: name.clone(),
            description: property["description"].as_str().map(str::to_owned),
            required: required(name),
        };
        let arguments = schema["properties"].as_object().into_iter().flatten().map(argument).collect();
        Self { name, title, description, arguments }
    }
}

impl ResourceEntry {
    pub(crate) fn new(about: About) -> Self {
        Self { uri: about.uri, about: AboutEntry::new(about) }
    }
}

impl TemplateEntry {
    pub(crate) fn new(about: About) -> Self {
        Self { uri_template: about.uri, about: AboutEntry::new(about) }
    }
}

impl AboutEntry {
    fn new(About { name, title, description, mime_type, .. }: About) -> Self {
        Self { name, title, description, mime_type }
    }
}

/// An MCP Tool.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolEntry {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    description: &'static str,
    input_schema: Value,
    output_schema: Value,
    annotations: Annotations,
}

/// The same for every tool: the contract lets a component read only, and what it reads is other people's words. MCP's hints on
/// destruction and repetition mean nothing beside `readOnlyHint`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Annotations {
    read_only_hint: bool,
    open_world_hint: bool,
}

impl ToolEntry {
    pub(crate) fn new(
        name: &'static str,
        title: Option<&'static str>,
        description: &'static str,
        input_schema: Value,
        output_schema: Value,
    ) -> Self {
        let annotations = Annotations { read_only_hint: true, open_world_hint: true };
        Self { name, title, description, input_schema, output_schema, annotations }
    }
}

impl fmt::Display for Manifest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Strings, lists and booleans only: all of it is JSON.
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}
