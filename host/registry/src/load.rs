//! Loading: resolved, checked, pulled, in this order.

use tokio::task::spawn_blocking;

use super::error::{Error, Kind};
use super::reference::{Pinned, Reference};
use super::registries::{Artifact, Registries, in_time};
use super::signature::{Met, Policy, Signatures, Unmet};

/// Why a component is not loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLoaded {
    /// It is not there, or not what it should be.
    #[error(transparent)]
    Registry(#[from] Error),
    /// It is not signed as it has to be.
    #[error("{pinned}: {unmet}")]
    Unsigned {
        /// What was asked for.
        pinned: Pinned,
        /// Which rule is not met.
        unmet: Unmet,
    },
}

impl Registries {
    /// Whether what a digest names is signed as it has to be: by the signatures that the cache has, or else by those that the registry has.
    pub async fn verify(&self, pinned: &Pinned, policy: &Policy) -> Result<Met, NotLoaded> {
        let unmet = match self.kept_signatures(&pinned.digest).await {
            Some(kept) => match self.check(policy, pinned, kept).await {
                Ok(met) => return Ok(met),
                Err(NotLoaded::Unsigned { unmet, .. }) => Some(unmet),
                Err(error) => return Err(error),
            },
            None => None,
        };
        let found = self.signatures(pinned).await.map_err(|error| match &unmet {
            Some(unmet) => error.about(format_args!("{unmet}; whether there are other signatures by now cannot be found out")),
            None => error,
        })?;
        self.check(policy, pinned, found).await
    }

    /// Whether the cache has a component, and signatures of it that are enough. No registry is asked, and the component is not read: whether its
    /// bytes are right is seen when they are.
    pub async fn has_kept(&self, pinned: &Pinned, policy: Option<&Policy>) -> bool {
        let is_enough = match policy {
            Some(policy) => match self.kept_signatures(&pinned.digest).await {
                Some(kept) => self.check(policy, pinned, kept).await.is_ok(),
                None => false,
            },
            None => true,
        };
        is_enough && self.is_whole(pinned).await
    }

    /// Holds signatures against a policy, on a thread of its own: a registry decides how much that is.
    async fn check(&self, policy: &Policy, pinned: &Pinned, found: Signatures) -> Result<Met, NotLoaded> {
        let (policy, digest, root) = (policy.clone(), pinned.digest, self.settings.trust_root.clone());
        let checked = spawn_blocking(move || policy.check(&digest, &found, root.as_deref())).await;
        let failed = |_panicked| Error::new(Kind::Local, "its signatures could not be checked");
        checked.map_err(failed)?.map_err(|unmet| NotLoaded::Unsigned { pinned: pinned.clone(), unmet })
    }

    /// Loads a component that is signed as it has to be. Where the reference has a digest and the cache has all of it, no registry is asked.
    pub async fn load(&self, reference: &Reference, policy: Option<&Policy>) -> Result<(Artifact, Option<Met>), NotLoaded> {
        let loaded = async {
            let pinned = self.resolve(reference).await?;
            let met = match policy {
                Some(policy) => Some(self.verify(&pinned, policy).await?),
                None => None,
            };
            Ok((self.pull(&pinned).await?, met))
        };
        in_time(loaded).await
    }
}
