//! On what terms a component is served. The operator's configuration says them; nothing here knows how it is written.

use std::sync::Arc;

use sandbar_policy::{Grant, Limits, ToolAccess};
use serde_json::{Map, Value};

use super::arguments::IgnoredArguments;

/// On what terms a component is served.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms {
    /// What it may read. The rules of a bundled one are what it asks for, whatever stands here.
    pub grant: Grant,
    /// Whether it is served although it asks for more than it is granted.
    pub accepts_partial_grant: bool,
    /// How much one call of it may use.
    pub limits: Limits,
    /// Its options.
    pub settings: Map<String, Value>,
    /// Arguments that its tools do not get.
    pub ignored_arguments: IgnoredArguments,
    /// Who may call its tools; none: everybody who is let in.
    pub callers: Option<Arc<ToolAccess>>,
}
