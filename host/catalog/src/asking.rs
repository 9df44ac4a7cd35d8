//! Calls the `manifest` export of components. This runs guest code, so it has limits of its own and a load waits for it only briefly.
//! Results, including failures that are the component's own fault, are cached by digest and limits for as long as loads need them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sandbar_capability::Host;
use sandbar_policy::{Budget, Limits};
use sandbar_sandbox::{Artifact, CallError, Component, Engine};
use tokio::sync::watch;
use tokio::task::JoinError;

use super::late::Late;
use super::manifest::{MANIFEST_BYTES, Manifest, ManifestError};
use super::problem::{MANIFEST_CPU, MANIFEST_TIME, Reason};

/// Cache key: the component's digest and the limits of the `manifest` call, which decide whether that call succeeds.
type Key = (Arc<str>, Limits);

/// What came of asking.
type Asked = Result<Manifest, AskError>;

/// Why there is no manifest.
#[derive(Clone, Debug)]
pub(super) enum AskError {
    Call(CallError),
    Manifest(Arc<ManifestError>),
    Host(String),
}

/// The components that were asked.
#[derive(Default)]
pub(super) struct Asking(Late<Key, Manifest, AskError>);

impl From<JoinError> for AskError {
    fn from(failure: JoinError) -> Self {
        Self::Host(failure.to_string())
    }
}

impl From<AskError> for Reason {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Call(error) => Self::Call(error),
            AskError::Manifest(error) => Self::Manifest(error),
            AskError::Host(words) => Self::Host(words),
        }
    }
}

impl Asking {
    /// Begins to look at all components.
    pub(super) fn begin(&self) {
        self.0.begin_round();
    }

    /// Forgets all that this look had no need of: a component that is served, or is not there any more.
    pub(super) fn end(&self) {
        self.0.end_round();
    }

    /// Fails if it is known that this component has no manifest to use.
    pub(super) fn check(&self, digest: &Arc<str>, limits: &Limits, patience: Duration) -> Result<(), Reason> {
        match self.0.known(&(digest.clone(), limits_of_manifest(limits, patience))) {
            Some(Err(error)) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The manifest of a component, for which it has as long as `patience`: an honest one has some milliseconds of work with it. One that takes
    /// longer, or has no slot yet, is not ready, and `late` is run when it is.
    pub(super) async fn manifest(
        &self,
        artifact: &Artifact,
        engine: &Arc<Engine>,
        limits: &Limits,
        patience: Duration,
        late: impl FnOnce() + Send + 'static,
    ) -> Result<Manifest, Reason> {
        let limits = limits_of_manifest(limits, patience);
        let key = (artifact.digest().clone(), limits.clone());
        let component = artifact.link(&sandbar_capability::interfaces(), engine.queue(None, None))?;
        let engine = engine.clone();
        self.outcome(key, move || async move { ask(component, &engine, limits).await }.boxed(), late).await
    }

    async fn outcome(
        &self,
        key: Key,
        work: impl FnOnce() -> BoxFuture<'static, Asked>,
        late: impl FnOnce() + Send + 'static,
    ) -> Result<Manifest, Reason> {
        let (running, _) = self.0.begun(&key, work);
        let asked = self.0.outcome(&key, &running, late).await.ok_or(Reason::Asked)?;
        asked.map_err(|error| {
            let reason = Reason::from(error);
            // That there was no slot, or that the host failed, is not the component's doing.
            if !matches!(&reason, Reason::Manifest(_)) && (reason.may_pass() || matches!(&reason, Reason::Host(_))) {
                self.0.forget(&key, &running);
            }
            reason
        })
    }
}

/// Calls a component's `manifest` with every host interface linked and no `Reader`, so host functions exist but cannot read a cluster.
pub async fn manifest_of(artifact: &Artifact, engine: &Engine, limits: &Limits) -> Result<Manifest, Reason> {
    let component = artifact.link(&sandbar_capability::interfaces(), engine.queue(None, None))?;
    Ok(ask(component, engine, limits_of_manifest(limits, MANIFEST_TIME)).await?)
}

async fn ask(component: Component<Host>, engine: &Engine, limits: Limits) -> Asked {
    let name = component.name().clone();
    let begin = || {
        let budget = Arc::new(Budget::new(limits));
        let host = Host {
            component: component.name().clone(),
            budget: budget.clone(),
            settings: Arc::new(BTreeMap::new()),
            caller: None,
            progress: watch::Sender::default(),
            reader: None,
        };
        (budget, host)
    };
    let text = component.manifest(engine, begin).await.map_err(AskError::Call)?;
    // Its schemas and their patterns are compiled, so it has a thread of its own, too.
    let parsing = tokio::task::spawn_blocking(move || Manifest::parse(&text));
    let parsed = parsing.await?;
    let malformed = |error| AskError::Manifest(Arc::new(error));
    let (manifest, unknown) = parsed.map_err(malformed)?;
    manifest.check_exports(component.has_prompts(), component.has_resources()).map_err(malformed)?;
    if !unknown.is_empty() {
        tracing::warn!(component = %name, keys = ?unknown, "the manifest has keys that this version does not know");
    }
    Ok(manifest)
}

/// What the manifest of a component may use: as much room as its calls, but little time, however much they have.
fn limits_of_manifest(calls: &Limits, patience: Duration) -> Limits {
    let Limits { memory, stack, tables, handles, time, cpu, .. } = *calls;
    let (time, cpu) = (time.min(patience), cpu.min(MANIFEST_CPU));
    Limits { memory, stack, tables, handles, time, cpu, result: MANIFEST_BYTES, ..Limits::default() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use sandbar_processor::NoPermit;

    use super::*;

    /// Asks a component that ends like this, if it is not known how it does.
    async fn outcome(asking: &Asking, digest: &str, times: &Arc<AtomicU32>, ends: Asked) -> Result<Manifest, Reason> {
        let times = times.clone();
        let work = move || {
            async move {
                times.fetch_add(1, Ordering::Relaxed);
                ends
            }
            .boxed()
        };
        asking.outcome((digest.into(), limits_of_manifest(&Limits::default(), MANIFEST_TIME)), work, || ()).await
    }

    #[tokio::test]
    async fn what_fails_by_its_own_doing_is_not_asked_again() {
        let (asking, times) = (Asking::default(), Arc::new(AtomicU32::new(0)));
        let slow = || Err(AskError::Call(CallError::Time(MANIFEST_TIME)));
        for _ in 0..3 {
            asking.begin();
            let reason = outcome(&asking, "slow", &times, slow()).await.expect_err("slow");
            assert!(matches!(reason, Reason::Call(CallError::Time(_))), "{reason}");
            asking.end();
            assert!(
                asking.check(&"slow".into(), &Limits::default(), MANIFEST_TIME).is_err(),
                "its file is not even read to be compiled"
            );
        }
        assert_eq!(times.swap(0, Ordering::Relaxed), 1);
        let roomier = Limits { memory: 2 * Limits::default().memory, ..Limits::default() };
        assert!(asking.check(&"slow".into(), &roomier, MANIFEST_TIME).is_ok(), "with other limits it may do better");
        assert!(asking.check(&"another".into(), &Limits::default(), MANIFEST_TIME).is_ok());

        let busy =
            || Err(AskError::Call(CallError::Busy { slots: 2, why: NoPermit::Taken, retry_after: Duration::from_secs(1) }));
        for _ in 0..3 {
            assert!(outcome(&asking, "unlucky", &times, busy()).await.is_err_and(|reason| reason.may_pass()));
        }
        assert_eq!(times.load(Ordering::Relaxed), 3, "that is not its doing");
    }
}
