//! Compilation in a process of its own: the same binary, which takes components and leaves the entries of wasmtime's compile
//! cache.
//!
//! A component of 35 KB can take a compiler gigabytes, and a compiler cannot be stopped from within its process. So the server's
//! engines have no compiler: they load from the cache or not at all. Whatever is missing is compiled by a process of low
//! priority, with limits of memory and time; its memory goes with it when the kernel ends it.

mod folder;
mod process;

use std::path::PathBuf;
use std::sync::Arc;

pub use folder::Folder;
pub(super) use folder::name as entry_name;
pub use process::{CompileLimits, run};

use super::error::CompileError;

/// How components are compiled, and where the results are stored.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// A process compiles whatever the folder does not hold yet.
    Process {
        /// The `sandbar` binary.
        program: PathBuf,
        /// Where the results are stored.
        folder: Arc<Folder>,
    },
    /// This process, if no folder can hold the results of another one. No bound holds, so it is for bundled components alone.
    OnlyBundled,
    /// This process, for tests and for whoever trusts all components.
    InProcess,
}

impl Compiler {
    /// Where other processes leave their results.
    pub(super) fn folder(&self) -> Option<&Arc<Folder>> {
        match self {
            Self::Process { folder, .. } => Some(folder),
            Self::OnlyBundled | Self::InProcess => None,
        }
    }

    /// Compiles these in one process, one after the other, until one fails. Each comes with the name of its entry in the folder.
    pub(super) async fn compile(&self, components: &[(String, &[u8])], bounds: CompileLimits) -> Result<(), CompileError> {
        match self {
            Self::Process { program, folder } => process::compile(program, folder, components, bounds).await,
            Self::InProcess => Ok(()),
            Self::OnlyBundled => Err(CompileError::Nowhere),
        }
    }
}
