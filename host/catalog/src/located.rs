//! Where the bytes of a component are: binary, file or cache. They are read on demand, so a component in the compile queue takes no
//! memory.

use std::sync::Arc;

use sandbar_registry::{Digest, Signatures};
use sandbar_sandbox::Binary;
use tokio::task::spawn_blocking;

use super::fetching::{Fetched, Fetching};
use super::problem::Reason;
use super::source::Source;

/// A component where it is.
#[derive(Clone)]
pub(super) enum Located {
    /// In the binary, or in a file.
    Here(Source),
    /// In the cache, since it was fetched.
    Cached(Source, Box<Fetched>, Arc<Fetching>),
}

/// A component that was read.
pub struct Contents {
    /// The component.
    pub binary: Binary,
    /// Of a file the SHA-256 of its bytes, in a registry the digest of its manifest. None of a bundled one.
    pub digest: Option<Digest>,
}

impl Located {
    /// Where it comes from.
    pub(super) fn source(&self) -> &Source {
        let (Self::Here(source) | Self::Cached(source, ..)) = self;
        source
    }

    /// The digest by which it is known before it is read: that of a registry's manifest.
    pub(super) fn digest(&self) -> Option<Digest> {
        match self {
            Self::Here(_) => None,
            Self::Cached(_, fetched, _) => Some(fetched.fetch.pinned.digest),
        }
    }

    /// The signatures that it was admitted by.
    pub(super) fn signatures(&self) -> Option<Arc<Signatures>> {
        match self {
            Self::Here(_) => None,
            Self::Cached(_, fetched, _) => fetched.fetch.signatures.clone(),
        }
    }

    /// Reads it on a thread of its own, since that takes as long as a network volume wants. `found_more` is run when it is worth trying
    /// again where it fails.
    pub(super) async fn read(&self, found_more: impl Fn() + Send + 'static) -> Result<Contents, Reason> {
        match self.clone() {
            Self::Here(source) => Ok(spawn_blocking(move || source.read()).await??),
            Self::Cached(_, fetched, fetching) => {
                let component = fetching.contents(&fetched, found_more).await?;
                let binary = spawn_blocking(move || Binary::new(component)).await?;
                Ok(Contents { binary, digest: Some(fetched.fetch.pinned.digest) })
            }
        }
    }
}
