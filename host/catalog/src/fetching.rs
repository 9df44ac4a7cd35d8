//! Components on their way from registries. Nothing waits for a registry for long, and what fails is tried again after a pause that grows;
//! meanwhile everything else is served.
//!
//! What was fetched is in the cache by its digest, and is read from there. What a tag leads to, and who has signed it, is found out once: until
//! the policy is another, until somebody says so ([`Fetching::look_anew`]), or until nothing names it any more.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use sandbar_registry::{Digest, NotLoaded, Pinned, Policy, Reference, Registries, Signatures, Signer};
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use super::compiling::{FIRST_PAUSE, LONGEST_PAUSE};
use super::integrity::Integrity;
use super::late::{Late, Running};
use super::problem::Reason;

/// Components that are in memory at once because they arrive: one of each registry, so that a slow one holds up no other.
const AT_ONCE: usize = 4;

/// Cache key: the reference and the signature policy as JSON. A changed policy is a new lookup.
type Key = (Reference, String);

/// Components on their way.
pub(super) struct Fetching {
    registries: Mutex<Arc<Registries>>,
    turns: Semaphore,
    /// By host.
    turns_of: Mutex<HashMap<String, Arc<Semaphore>>>,
    late: Late<Key, Fetch, FetchError>,
    /// The last pause before something was tried again.
    pauses: Mutex<HashMap<Key, Duration>>,
}

/// What was fetched, and the signatures that it was admitted by.
#[derive(Clone)]
pub(super) struct Fetch {
    pub(super) pinned: Pinned,
    pub(super) signatures: Option<Arc<Signatures>>,
}

/// A component that is in the cache, unless others have taken its room since.
#[derive(Clone)]
pub(super) struct Fetched {
    pub(super) fetch: Fetch,
    registries: Arc<Registries>,
    key: Key,
    running: Running<Fetch, FetchError>,
}

/// Why a component is not there.
#[derive(Clone, Debug)]
pub(super) enum FetchError {
    NotLoaded(NotLoaded),
    Host(String),
}

impl From<JoinError> for FetchError {
    fn from(failure: JoinError) -> Self {
        Self::Host(failure.to_string())
    }
}

impl From<FetchError> for Reason {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::NotLoaded(error) => Self::Registry(error),
            FetchError::Host(words) => Self::Host(words),
        }
    }
}

impl Fetching {
    pub(super) fn new(registries: Registries) -> Arc<Self> {
        let registries = Mutex::new(Arc::new(registries));
        Arc::new(Self {
            registries,
            turns: Semaphore::new(AT_ONCE),
            turns_of: Mutex::default(),
            late: Late::default(),
            pauses: Mutex::default(),
        })
    }

    /// Begins to look at all components.
    pub(super) fn begin(&self) {
        self.late.begin_round();
    }

    /// Forgets what this look had no need of.
    pub(super) fn end(&self) {
        self.late.end_round();
        lock(&self.pauses).retain(|key, _| self.late.has(key));
        lock(&self.turns_of).retain(|_, turns| Arc::strong_count(turns) > 1);
    }

    /// Looks up tags anew and tries at once what failed, with registries as they are configured now.
    pub(super) fn look_anew(&self, registries: Registries) {
        *lock(&self.registries) = Arc::new(registries);
        lock(&self.pauses).clear();
        self.late.forget_all();
    }

    /// Which contents are meant, once they are in the cache and signed as they have to be. `found_more` is run when it is worth asking
    /// again.
    pub(super) async fn ready(
        self: &Arc<Self>,
        reference: &Reference,
        integrity: &Integrity,
        found_more: impl Fn() + Clone + Send + 'static,
    ) -> Result<Fetched, Reason> {
        let policy = integrity.signatures.clone();
        let words = serde_json::to_string(&policy).map_err(|error| Reason::Host(error.to_string()))?;
        let key = (integrity.exact(reference)?, words);
        let registries = lock(&self.registries).clone();
        let work = || self.clone().fetch(registries.clone(), key.0.clone(), policy).boxed();
        let (running, is_new) = self.late.begun(&key, work);
        if is_new {
            tokio::spawn(self.clone().try_again(key.clone(), running.clone(), found_more.clone()));
        }
        let fetch = self.late.outcome(&key, &running, found_more).await.ok_or(Reason::Fetching)??;
        Ok(Fetched { fetch, registries, key, running })
    }

    /// Whether a policy admits a component by the signatures that it was admitted by before.
    pub(super) fn admits(&self, policy: &Policy, digest: &Digest, signatures: &Signatures) -> bool {
        lock(&self.registries).clone().admits(policy, digest, signatures)
    }

    /// Whose signatures a policy is met by.
    pub(super) fn signers(&self, policy: &Policy, digest: &Digest, signatures: &Signatures) -> Vec<Signer> {
        let met = lock(&self.registries).clone().met_by(policy, digest, signatures);
        let signers: BTreeSet<Signer> = met.into_iter().flat_map(|met| met.by).map(|(_, signer)| signer).collect();
        signers.into_iter().collect()
    }

    /// The component. One that the cache has not kept is fetched again after a pause.
    pub(super) async fn contents(
        self: &Arc<Self>,
        Fetched { fetch, registries, key, running }: &Fetched,
        found_more: impl Fn() + Send + 'static,
    ) -> Result<Bytes, Reason> {
        match registries.kept(&fetch.pinned).await {
            Ok(artifact) => {
                lock(&self.pauses).remove(key);
                Ok(artifact.component)
            }
            Err(error) => {
                let (fetching, key, running) = (self.clone(), key.clone(), running.clone());
                tokio::spawn(async move { fetching.after_a_pause(&key, &running, found_more).await });
                Err(Reason::NotKept(error))
            }
        }
    }

    async fn fetch(
        self: Arc<Self>,
        registries: Arc<Registries>,
        reference: Reference,
        policy: Option<Arc<Policy>>,
    ) -> Result<Fetch, FetchError> {
        let pinned = match reference.pinned() {
            // What is there waits for no registry.
            Some(pinned) if registries.has_kept(&pinned, policy.as_deref()).await => pinned,
            _ => {
                let of_host = self.turns_of(reference.repository.host());
                let _turn = of_host.acquire().await;
                let _turn = self.turns.acquire().await;
                registries.load(&reference, policy.as_deref()).await.map_err(FetchError::NotLoaded)?.0.pinned
            }
        };
        let signatures = match policy {
            Some(_) => registries.kept_signatures(&pinned.digest).await.map(Arc::new),
            None => None,
        };
        Ok(Fetch { pinned, signatures })
    }

    /// Whose turn it is to ask one registry.
    fn turns_of(&self, host: &str) -> Arc<Semaphore> {
        lock(&self.turns_of).entry(host.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
    }

    /// Forgets what failed after a pause, so that it is begun anew.
    async fn try_again(self: Arc<Self>, key: Key, running: Running<Fetch, FetchError>, found_more: impl Fn()) {
        if running.clone().fails().await {
            self.after_a_pause(&key, &running, found_more).await;
        }
    }

    async fn after_a_pause(&self, key: &Key, running: &Running<Fetch, FetchError>, found_more: impl Fn()) {
        let pause = {
            let mut pauses = lock(&self.pauses);
            let pause = pauses.get(key).map_or(FIRST_PAUSE, |last| (2 * *last).min(LONGEST_PAUSE));
            pauses.insert(key.clone(), pause);
            pause
        };
        tokio::time::sleep(pause).await;
        // Whoever has begun it anew meanwhile looks after that.
        if self.late.forget(key, running) {
            found_more();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change is one step, so a panic elsewhere leaves nothing broken.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
