//! On what terms a component is served. The operator's configuration says them; nothing here knows how it is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use sandbar_policy::{Grant, Limits, ONLY_CLUSTER, ToolAccess};
use serde_json::{Map, Value};

use super::arguments::IgnoredArguments;
use super::integrity::Integrity;

/// On what terms a component is served.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// What it may read in each cluster, by the cluster's name. The rules of a bundled one are what it asks for, whatever stands here.
    pub grants: BTreeMap<Arc<str>, Grant>,
    /// Whether it is granted what it asks for, in the place of the rules of its grants. For authors, where nothing can be given away: of the
    /// demo and of gathered files.
    pub grants_what_is_asked: bool,
    /// Whether it is served although it asks for more than it is granted.
    pub accepts_partial_grant: bool,
    /// Required digest and signatures; empty for a bundled component.
    pub integrity: Integrity,
    /// How much one call of it may use.
    pub limits: Limits,
    /// Its options.
    pub settings: Map<String, Value>,
    /// Arguments that its tools do not get.
    pub ignored_arguments: IgnoredArguments,
    /// Who may call its tools; none: everybody who is let in.
    pub callers: Option<Arc<ToolAccess>>,
}

impl Terms {
    /// What it may read in the one cluster that there is.
    pub fn granting(grant: Grant) -> Self {
        Self {
            grants: BTreeMap::from([(ONLY_CLUSTER.into(), grant)]),
            grants_what_is_asked: false,
            accepts_partial_grant: false,
            integrity: Integrity::default(),
            limits: Limits::default(),
            settings: Map::new(),
            ignored_arguments: IgnoredArguments::default(),
            callers: None,
        }
    }
}

impl Default for Terms {
    /// Those of a component that nobody has said anything about, in the one cluster that there is.
    fn default() -> Self {
        Self::granting(Grant::default())
    }
}
