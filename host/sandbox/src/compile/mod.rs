//! Compiling, in a process of its own: the same binary, which is given bytes and leaves what wasmtime's compile cache keeps of them.
//!
//! A component of 35 KB can take a compiler gigabytes, and a compiler cannot be stopped from within the process that it runs in. So
//! the engines of the server have no compiler at all: they find what a component was compiled to in the cache, or nothing. What is
//! not there is compiled by a process with limits of memory and of time, at a low priority, which the kernel ends and which
//! takes its memory along.

mod folder;
mod process;

use std::path::PathBuf;
use std::sync::Arc;

pub use folder::Folder;
pub(super) use folder::name as entry_name;
pub use process::{Bounds, run};

use super::error::CompileError;

/// Who compiles components, and where the result lies.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// A process for whatever the folder does not hold yet.
    Process {
        /// The `sandbar` binary.
        program: PathBuf,
        /// Where the result lies.
        folder: Arc<Folder>,
    },
    /// This process, where there is no folder for a result of another one. No bound holds, so it is for bundled components alone.
    OnlyBundled,
    /// This process, for tests and for whoever trusts all components.
    InProcess,
}

impl Compiler {
    /// The folder that other processes leave their results in.
    pub(super) fn folder(&self) -> Option<&Arc<Folder>> {
        match self {
            Self::Process { folder, .. } => Some(folder),
            Self::OnlyBundled | Self::InProcess => None,
        }
    }

    /// Has one process compile all of these, one after the other, unless one of them fails. Each has the name that the folder keeps
    /// it under.
    pub(super) async fn compile(&self, components: &[(String, &[u8])], bounds: Bounds) -> Result<(), CompileError> {
        match self {
            Self::Process { program, folder } => process::compile(program, folder, components, bounds).await,
            Self::InProcess => Ok(()),
            Self::OnlyBundled => Err(CompileError::Nowhere),
        }
    }
}
