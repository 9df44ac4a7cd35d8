//! The bytes of a component, and what they are known by.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// A component's bytes with their digest. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Binary {
    bytes: Bytes,
    digest: Arc<str>,
}

impl Binary {
    /// Hashes all bytes, which may take too long for a thread of the runtime.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = format!("{:x}", Sha256::digest(&bytes)).into();
        Self { bytes, digest }
    }

    /// Their SHA-256, in hexadecimal.
    pub fn digest(&self) -> &Arc<str> {
        &self.digest
    }
}

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}
