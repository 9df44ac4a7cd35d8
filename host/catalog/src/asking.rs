//! Components that are asked for their manifests. What a component says of itself runs its own code, so that has limits of its own,
//! nothing waits for it for long, and no component is asked twice: neither one that has answered, nor one that has failed by its own
//! doing.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use sandbar_capability::Host;
use sandbar_policy::{Budget, Limits};
use sandbar_sandbox::{Artifact, CallError, Component, Engine};
use tokio::sync::watch;

use super::manifest::{MANIFEST_BYTES, Manifest, ManifestError};
use super::problem::{MANIFEST_CPU, MANIFEST_TIME, Reason};

/// How long a load waits for a manifest. An honest component has some milliseconds of work with it; one that takes longer, or has no
/// slot yet, is loaded when it has answered.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a component is known by: its digest, and what bears on how its manifest ends.
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
pub(super) struct Asking(Mutex<State>);

#[derive(Default)]
struct State {
    asked: HashMap<Key, Entry>,
    /// How often all components have been looked at.
    round: u64,
}

struct Entry {
    outcome: Shared<BoxFuture<'static, Asked>>,
    /// The last round in which it was needed.
    round: u64,
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
        self.lock().round += 1;
    }

    /// Forgets all that this look had no need of: a component that is served, or is not there any more.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        let round = state.round;
        state.asked.retain(|_, entry| entry.round == round);
    }

    /// Fails if it is known that this component has no manifest to use.
    pub(super) fn check(&self, digest: &Arc<str>, limits: &Limits) -> Result<(), Reason> {
        let known = self.known(&(digest.clone(), limits_of_manifest(limits)));
        match known.as_ref().and_then(Shared::peek) {
            Some(Err(error)) => Err(error.clone().into()),
            _ => Ok(()),
        }
    }

    /// The manifest of a component. One that has none within [`PATIENCE`] is not ready yet, and `late` is run when it is.
    pub(super) async fn manifest(
        &self,
        artifact: &Artifact,
        engine: &Arc<Engine>,
        limits: &Limits,
        late: impl FnOnce() + Send + 'static,
    ) -> Result<Manifest, Reason> {
        let limits = limits_of_manifest(limits);
        let key = (artifact.digest().clone(), limits.clone());
        let outcome = match self.known(&key) {
            Some(outcome) => outcome,
            None => {
                let component = artifact.link(&sandbar_capability::interfaces(), engine.queue(None, None))?;
                let engine = engine.clone();
                self.ask(key.clone(), async move { ask(component, &engine, limits).await })
            }
        };
        self.wait(&key, outcome, late).await
    }

    /// What has been asked already, and is needed in this round.
    fn known(&self, key: &Key) -> Option<Shared<BoxFuture<'static, Asked>>> {
        let mut state = self.lock();
        let round = state.round;
        let entry = state.asked.get_mut(key)?;
        entry.round = round;
        Some(entry.outcome.clone())
    }

    /// Has a component asked by a task of its own, which goes on whoever waits for it.
    fn ask(&self, key: Key, asking: impl Future<Output = Asked> + Send + 'static) -> Shared<BoxFuture<'static, Asked>> {
        let asking = tokio::spawn(asking);
        let outcome = asking.map(|asked| asked.unwrap_or_else(|failure| Err(AskError::Host(failure.to_string()))));
        let outcome = outcome.boxed().shared();
        let mut state = self.lock();
        let entry = Entry { outcome: outcome.clone(), round: state.round };
        state.asked.insert(key, entry);
        outcome
    }

    async fn wait(
        &self,
        key: &Key,
        outcome: Shared<BoxFuture<'static, Asked>>,
        late: impl FnOnce() + Send + 'static,
    ) -> Result<Manifest, Reason> {
        let Ok(asked) = tokio::time::timeout(PATIENCE, outcome.clone()).await else {
            tokio::spawn(outcome.map(|_| late()));
            return Err(Reason::Asked);
        };
        asked.map_err(|error| {
            let reason = Reason::from(error);
            // That there was no slot, or that the host failed, is not the component's doing.
            if !matches!(&reason, Reason::Manifest(_)) && (reason.may_pass() || matches!(&reason, Reason::Host(_))) {
                self.lock().asked.remove(key);
            }
            reason
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one step, so a panic elsewhere leaves nothing broken.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a component what it serves, with every function that it imports there, and none of them able to read anything.
pub async fn manifest_of(artifact: &Artifact, engine: &Engine, limits: &Limits) -> Result<Manifest, Reason> {
    let component = artifact.link(&sandbar_capability::interfaces(), engine.queue(None, None))?;
    Ok(ask(component, engine, limits_of_manifest(limits)).await?)
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
    let parsed = parsing.await.map_err(|failure| AskError::Host(failure.to_string()))?;
    let malformed = |error| AskError::Manifest(Arc::new(error));
    let (manifest, unknown) = parsed.map_err(malformed)?;
    manifest.check_exports(component.has_prompts(), component.has_resources()).map_err(malformed)?;
    if !unknown.is_empty() {
        tracing::warn!(component = %name, keys = ?unknown, "the manifest has keys that this version does not know");
    }
    Ok(manifest)
}

/// What the manifest of a component may use: as much room as its calls, but little time, however much they have.
fn limits_of_manifest(calls: &Limits) -> Limits {
    let Limits { memory, stack, tables, handles, time, cpu, .. } = *calls;
    let (time, cpu) = (time.min(MANIFEST_TIME), cpu.min(MANIFEST_CPU));
    Limits { memory, stack, tables, handles, time, cpu, result: MANIFEST_BYTES, ..Limits::default() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use sandbar_processor::NoPermit;
    use tokio::sync::Notify;

    use super::*;

    fn key(digest: &str) -> Key {
        (digest.into(), limits_of_manifest(&Limits::default()))
    }

    /// Asks a component that ends like this, if it is not known how it does.
    async fn outcome(asking: &Asking, digest: &str, times: &Arc<AtomicU32>, ends: Asked) -> Result<Manifest, Reason> {
        let (key, times) = (key(digest), times.clone());
        let outcome = asking.known(&key).unwrap_or_else(|| {
            asking.ask(key.clone(), async move {
                times.fetch_add(1, Ordering::Relaxed);
                ends
            })
        });
        asking.wait(&key, outcome, || ()).await
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
            assert!(asking.check(&"slow".into(), &Limits::default()).is_err(), "its file is not even read to be compiled");
        }
        assert_eq!(times.swap(0, Ordering::Relaxed), 1);
        let roomier = Limits { memory: 2 * Limits::default().memory, ..Limits::default() };
        assert!(asking.check(&"slow".into(), &roomier).is_ok(), "with other limits it may do better");
        assert!(asking.check(&"another".into(), &Limits::default()).is_ok());

        let busy =
            || Err(AskError::Call(CallError::Busy { slots: 2, why: NoPermit::Taken, retry_after: Duration::from_secs(1) }));
        for _ in 0..3 {
            assert!(outcome(&asking, "unlucky", &times, busy()).await.is_err_and(|reason| reason.may_pass()));
        }
        assert_eq!(times.load(Ordering::Relaxed), 3, "that is not its doing");
    }

    #[tokio::test]
    async fn what_is_not_there_any_more_is_forgotten() {
        let (asking, times) = (Asking::default(), Arc::new(AtomicU32::new(0)));
        asking.begin();
        for n in 0..100 {
            let none = Err(AskError::Manifest(Arc::new(ManifestError::Nothing)));
            assert!(outcome(&asking, &n.to_string(), &times, none).await.is_err());
        }
        asking.end();
        assert_eq!(asking.lock().asked.len(), 100);
        asking.begin();
        assert!(asking.check(&"7".into(), &Limits::default()).is_err());
        asking.end();
        assert_eq!(asking.lock().asked.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_waits_for_a_manifest_for_long_and_it_is_told_of_when_it_is_there() {
        let (asking, answer, told) = (Asking::default(), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let answering = answer.clone();
        let outcome = asking.ask(key("late"), async move {
            answering.notified().await;
            Err(AskError::Manifest(Arc::new(ManifestError::Nothing)))
        });
        let tell = told.clone();
        let reason = asking.wait(&key("late"), outcome, move || tell.notify_one()).await.expect_err("not yet");
        assert!(reason.is_compiling() && matches!(reason, Reason::Asked), "{reason}");
        answer.notify_one();
        told.notified().await;
        assert!(matches!(asking.check(&"late".into(), &Limits::default()), Err(Reason::Manifest(_))));
    }
}
