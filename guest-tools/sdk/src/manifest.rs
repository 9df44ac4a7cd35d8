//! What the host and the model read about a component, in the contract's words.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::Rule;

/// The manifest of a component. Its text is one JSON object.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest<'a> {
    pub(crate) tools: Vec<ToolEntry>,
    #[serde(skip_serializing_if = "<[Rule]>::is_empty")]
    pub(crate) rules: &'a [Rule],
    #[serde(skip_serializing_if = "<[Rule]>::is_empty")]
    pub(crate) cluster_rules: &'a [Rule],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) settings: Option<Value>,
}

/// An MCP Tool.
#[doc(hidden)]
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolEntry {
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
