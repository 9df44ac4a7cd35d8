//! What the bundled tools for Coder share. It is for them alone, and may change.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Metadata, Resource};

/// CoderWorkspaces.
pub const WORKSPACES: Resource = Resource::new("aggregation.coder.com", "v1alpha1", "coderworkspaces");

/// CoderTemplates.
pub const TEMPLATES: Resource = Resource::new("aggregation.coder.com", "v1alpha1", "codertemplates");

/// A workspace or a template, as tools answer it. It is what they read, too: of a template's files nothing is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub struct Summary {
    name: String,
    namespace: String,
    running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    auto_shutdown: Option<String>,
}

impl<'de> Deserialize<'de> for Summary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            metadata: Metadata,
            spec: Option<Spec>,
            status: Option<Status>,
        }
        #[derive(Deserialize)]
        struct Spec {
            running: Option<bool>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Status {
            auto_shutdown: Option<String>,
        }

        let Object { metadata, spec, status } = Object::deserialize(deserializer)?;
        Ok(Self {
            name: metadata.name,
            namespace: metadata.namespace,
            running: spec.and_then(|spec| spec.running).unwrap_or_default(),
            auto_shutdown: status.and_then(|status| status.auto_shutdown),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_answer_is_read() {
        let paths = crate::fields::of::<Summary>().expect("paths");
        assert_eq!(paths, ["metadata.name", "metadata.namespace", "spec.running", "status.autoShutdown"]);
    }
}
