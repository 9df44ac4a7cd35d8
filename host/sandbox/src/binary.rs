//! A component's bytes with the SHA-256 digest that identifies it; a script's digest covers the engine and the text.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::script::Script;

/// A component's bytes with their digest. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Binary {
    bytes: Bytes,
    digest: Arc<str>,
    runs: Runs,
}

/// What a component runs.
#[derive(Clone, Debug)]
enum Runs {
    /// Itself.
    Itself,
    /// It is the engine of scripts, with one or without.
    Script(Option<Script>),
}

impl Binary {
    /// Hashes all bytes, which may take too long for a thread of the runtime.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let digest = format!("{:x}", Sha256::digest(&bytes)).into();
        Self { bytes, digest, runs: Runs::Itself }
    }

    /// The engine of scripts. It is run while it is compiled, so it is one of ours.
    pub fn engine_of_scripts(bytes: Vec<u8>) -> Self {
        Self { runs: Runs::Script(None), ..Self::new(bytes) }
    }

    /// A script, and the engine that runs it. `name` is what its errors call it.
    pub fn script(engine: &Self, name: &str, text: &str) -> Self {
        let digest = Sha256::new().chain_update(&*engine.digest).chain_update(text);
        let digest = format!("{:x}", digest.finalize()).into();
        Self { bytes: engine.bytes.clone(), digest, runs: Runs::Script(Some(Script::new(name, text))) }
    }

    /// The script that it runs, if it is an engine with one.
    pub(super) fn runs(&self) -> Option<&Script> {
        match &self.runs {
            Runs::Itself => None,
            Runs::Script(script) => script.as_ref(),
        }
    }

    /// Whether it is the engine of scripts.
    pub(super) fn is_engine(&self) -> bool {
        matches!(self.runs, Runs::Script(_))
    }

    /// Their SHA-256, in hexadecimal; with a script, that of the engine's digest and the script.
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
