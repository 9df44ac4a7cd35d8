//! A component that is served: linked with what it was granted, with its limits and settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::answer::{Answer, Trust};
use super::manifest::{Definition, Manifest};
use super::source::Source;
use crate::capability::{Host, Progress};
use crate::kubernetes;
use crate::policy::{Budget, Grant, Limits};
use crate::sandbox::{Artifact, Component, Engine};

/// A component that is served.
pub struct Served {
    pub(super) source: Source,
    pub(super) artifact: Artifact,
    pub(super) component: Component,
    pub(super) manifest: Manifest,
    pub(super) grant: Arc<Grant>,
    pub(super) limits: Limits,
    pub(super) settings: Arc<BTreeMap<String, String>>,
    pub(super) engine: Arc<Engine>,
    pub(super) cluster: kubernetes::Cluster,
}

impl Served {
    /// The name that stands for it in logs and messages.
    pub fn name(&self) -> &Arc<str> {
        self.artifact.name()
    }

    /// Where it comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The compiled component: its digest and imports.
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// What it says about itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What it may read.
    pub fn grant(&self) -> &Grant {
        &self.grant
    }

    /// How much one call of it may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Runs one of its tools with arguments that fit the schema.
    pub(super) async fn call(&self, definition: &Definition, arguments: &Value, progress: watch::Sender<Progress>) -> Answer {
        let budget = Arc::new(Budget::new(self.limits.clone()));
        let reader = self.cluster.reader(self.grant.clone(), budget.clone());
        let host =
            Host { component: self.name().clone(), budget, settings: self.settings.clone(), progress, reader: Some(reader) };
        match self.component.call(&self.engine, host, definition.name(), arguments.to_string()).await {
            Ok(Ok(returned)) => Answer::parse(&returned, definition, self.trust()),
            Ok(Err(message)) => Answer::failed(&message, self.trust()),
            Err(error) => Answer::failure(&error.to_string()),
        }
    }

    fn trust(&self) -> Trust {
        match self.source {
            Source::Bundled(_) => Trust::Bundled,
            Source::File(_) if self.grant.reads() => Trust::Reader,
            Source::File(_) => Trust::Extra,
        }
    }
}
