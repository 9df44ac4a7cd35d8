//! `authorization`: whose rights count.

use schemars::JsonSchema;
use serde::Deserialize;

/// Whose rights count when a tool reads.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Authorization")]
pub struct AuthorizationConfig {
    /// Whose rights count beside the grant of the tool.
    pub rights: RightsConfig,
}

/// Whose rights count beside the grant of the tool.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Rights")]
pub enum RightsConfig {
    /// The server's alone: whoever may call reads what the server may read.
    #[default]
    Server,
    /// The caller's as well: a SubjectAccessReview for each read.
    Caller,
}
