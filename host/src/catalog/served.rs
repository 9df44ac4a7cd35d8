//! A component that is served: linked with what it was granted, with its limits and settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;

use super::answer::{Answer, Trust};
use super::audit::{AuditEvent, Outcome};
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

    /// Whether the other does the same: the same code, with the same grant, limits and options.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        // All fields by name, so that another one has to be thought of here. What is left out follows from the digest, or is one for
        // the whole process.
        let Self { source, artifact, component: _, manifest: _, grant, limits, settings, engine: _, cluster: _ } = other;
        self.source == *source
            && self.artifact.digest() == artifact.digest()
            && self.grant == *grant
            && self.limits == *limits
            && self.settings == *settings
    }

    /// Runs one of its tools with arguments that fit the schema.
    pub(super) async fn call(
        self: &Arc<Self>,
        definition: &Definition,
        arguments: String,
        progress: watch::Sender<Progress>,
        audit: &mut AuditEvent,
    ) -> Answer {
        let budget = Arc::new(Budget::new(self.limits.clone()));
        audit.runs(self.clone(), budget.clone());
        let reader = self.cluster.reader(self.grant.clone(), budget.clone());
        let host =
            Host { component: self.name().clone(), budget, settings: self.settings.clone(), progress, reader: Some(reader) };
        let returned = match self.component.call(&self.engine, host, definition.name(), arguments).await {
            Ok(returned) => returned,
            Err(error) => {
                audit.end(Outcome::from(&error));
                return Answer::failure(&error.to_string());
            }
        };
        let (Ok(words) | Err(words)) = &returned.answer;
        audit.returned(words.len());
        let answer = match &returned.answer {
            Ok(result) => Answer::parse(result, definition, self.trust()),
            Err(message) => Answer::failed(message, self.trust()),
        };
        audit.end(Outcome::of(&answer));
        answer
    }

    fn trust(&self) -> Trust {
        match self.source {
            Source::Bundled(_) => Trust::Bundled,
            Source::File(_) if self.grant.reads() => Trust::Reader,
            Source::File(_) => Trust::Extra,
        }
    }
}
