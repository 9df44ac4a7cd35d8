//! A component that is served: linked with what it was granted, with its limits and settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use sandbar_capability::{Host, Progress};
use sandbar_kubernetes::{Cluster, Reader};
use sandbar_policy::{Budget, Grant, Identity, Limits, ToolAccess};
use sandbar_processor::Processors;
use sandbar_registry::{Digest, Signatures, Signer};
use sandbar_sandbox::{Artifact, Ask, CallError, Component, Engine};
use tokio::sync::watch;

use super::answer::Trust;
use super::answered::Answered;
use super::arguments::IgnoredArguments;
use super::event::CallEvent;
use super::found::{Form, Question};
use super::integrity::Integrity;
use super::manifest::Manifest;
use super::outcome::Outcome;
use super::reach::Reach;
use super::source::Source;

/// A component that is served.
pub struct Served {
    pub(super) source: Source,
    pub(super) artifact: Artifact,
    pub(super) component: Component<Host>,
    /// What the component says about itself, in its own words.
    pub(super) parsed: Manifest,
    /// The same, marked where it hands on what others wrote.
    pub(super) manifest: Manifest,
    pub(super) reach: Reach,
    pub(super) limits: Limits,
    pub(super) settings: Arc<BTreeMap<String, String>>,
    pub(super) ignored_arguments: IgnoredArguments,
    pub(super) callers: Option<Arc<ToolAccess>>,
    /// What it had to be when it was loaded, and the digest that it had then.
    pub(super) integrity: Integrity,
    pub(super) digest: Option<Digest>,
    /// The signatures that it was admitted by.
    pub(super) signatures: Option<Arc<Signatures>>,
    /// Whose those are, of those that had to have signed it.
    pub(super) signers: Vec<Signer>,
    pub(super) engine: Arc<Engine>,
    /// The cluster that says who may call it.
    pub(super) home: Cluster,
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

    /// The signers that satisfied its signature policy.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// What it may read in each of the clusters that it may look into, by their names.
    pub fn grants(&self) -> impl Iterator<Item = (&str, &Grant)> {
        self.reach.grants()
    }

    /// Whether no caller may use it: access rules are configured, its grant allows something, and it has no tool that a rule could name.
    pub(super) fn is_for_nobody(&self) -> bool {
        self.callers.is_some() && self.manifest.tools.is_empty() && self.reach.is_open()
    }

    /// What it may read in the cluster of this name.
    pub fn grant_in(&self, cluster: &str) -> Option<&Grant> {
        self.grants().find(|(name, _)| *name == cluster).map(|(_, grant)| grant)
    }

    /// How much one call of it may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The processors that its calls compute on.
    pub(super) fn processors(&self) -> &Processors {
        self.engine.processors()
    }

    /// Whether the other does the same: the same code, with the same grant, limits and options.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        // All fields by name, so that another one has to be thought of here. What is left out follows from the digest, or is one for
        // the whole process.
        let Self {
            source,
            artifact,
            component: _,
            parsed: _,
            manifest: _,
            reach,
            limits,
            settings,
            ignored_arguments,
            callers,
            integrity,
            digest,
            signatures: _,
            signers: _,
            engine: _,
            home: _,
        } = other;
        self.source == *source
            && self.artifact.digest() == artifact.digest()
            && self.reach.is_same(reach)
            && self.limits == *limits
            && self.settings == *settings
            && self.ignored_arguments == *ignored_arguments
            && self.callers == *callers
            && self.integrity == *integrity
            && self.digest == *digest
    }

    /// Asks it something, with arguments that fit. What is made of its answer is a part of the call, too.
    pub(super) async fn call<T, W>(
        self: &Arc<Self>,
        caller: &Identity,
        question: Question,
        progress: watch::Sender<Progress>,
        event: &mut CallEvent,
        write: W,
    ) -> T
    where
        T: Send + 'static,
        W: FnOnce(Answered) -> T + Clone + Send + 'static,
    {
        let Question { ask, form, place } = question;
        let offer = form.offer();
        let chosen = self.reach.is_said().then(|| place.name.clone());
        let budget = Arc::new(Budget::of(caller.account(), self.limits.clone()).traced(event.trace()));
        let reader = place.cluster.reader_for(caller, place.grant.clone(), budget.clone());
        let rights = reader.as_ref().map_or_else(|_| place.cluster.whose_rights(), Reader::whose_rights);
        event.runs(self.artifact.digest(), chosen, rights, &budget);
        let reader = match reader {
            Ok(reader) => reader,
            Err(error) => {
                event.end(Outcome::Denied);
                return write(Answered::failure(offer, &error.message));
            }
        };
        let host = Host {
            component: self.name().clone(),
            budget: budget.clone(),
            settings: self.settings.clone(),
            caller: place.grant.caller.then(|| caller.told()).flatten(),
            progress,
            reader: Some(reader),
        };
        // Boxed here, since each future around it would hold it twice, and a call would move it ten times.
        let (answering, in_call) = (self.clone().answer(ask, form, host).boxed(), write.clone());
        let work = async move {
            let (answer, bytes) = answering.await?;
            Ok::<_, CallError>((bytes, Outcome::of(&answer), in_call(answer)))
        };
        match self.component.run(&self.engine, &place.queues, &budget, work).await {
            Ok((bytes, outcome, written)) => {
                event.returned(bytes);
                event.end(outcome);
                written
            }
            Err(error) => {
                event.end(Outcome::from(&error));
                write(Answered::failure(offer, &error.to_string()))
            }
        }
    }

    /// The answer to a call, and how many bytes the component has returned for it.
    async fn answer(self: Arc<Self>, ask: Ask, form: Form, host: Host) -> Result<(Answered, usize), CallError> {
        let budget = host.budget.clone();
        let returned = self.component.ask(budget.clone(), host, ask).await?;
        let (Ok(words) | Err(words)) = &returned;
        let is_brief = self.trust() == Trust::Bundled || form.is_checked_briefly(words.len());
        budget.meter().prepare_for(if is_brief { words.len() } else { usize::MAX }).await;
        Ok((form.answered(&returned, self.trust()), words.len()))
    }

    fn trust(&self) -> Trust {
        match self.source {
            Source::Bundled(_) => Trust::Bundled,
            _ if self.reach.is_open() => Trust::Reader,
            _ => Trust::Extra,
        }
    }
}
