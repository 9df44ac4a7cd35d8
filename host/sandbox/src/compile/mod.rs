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
use std::time::Duration;

pub use folder::Folder;
pub(super) use folder::name as entry_name;
pub use process::Bounds;
pub use process::run;

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

/// Why a component could not be compiled. Worded for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The compiler does not take it. In the compiler's words, which quote the component: cleaned and cut.
    #[error("{0}")]
    Refused(String),
    /// The compiler asked for more memory than it may have.
    #[error(
        "compiling it takes more than {} MiB of memory, which is what this server has for that: give the server more memory, \
        or make the component smaller, above all its largest functions", .0 >> 20
    )]
    Memory(u64),
    /// The compiler computed for longer than it may.
    #[error("compiling it takes more than {} s of processor time: make the component smaller, above all its largest functions", .0.as_secs())]
    Cpu(Duration),
    /// The compiler was not ready in time, however little it computed.
    #[error("compiling it takes more than {} s: give the server more of a processor, or make the component smaller", .0.as_secs())]
    Time(Duration),
    /// What it is compiled to is too much.
    #[error("it is compiled to more than {} MiB: make the component smaller", .0 >> 20)]
    Size(u64),
    /// It nests so deeply that the compiler ran out of stack.
    #[error("it nests too deeply to be compiled: split its largest functions and types up")]
    Depth,
    /// The compiler ended without a word that is known.
    #[error("the compiler failed on it ({0}): rebuild it with a current toolchain, and report it if that does not help")]
    Crashed(String),
    /// There is no process, or no room for what it leaves.
    #[error("it cannot be compiled now: {0}")]
    Now(String),
    /// There is no folder for what a process would leave.
    #[error(
        "there is no folder that the compiler's result could be written to, so that only bundled tools can be served: \
        name one that this user can write to with --cache-dir, or have /tmp or /dev/shm"
    )]
    Nowhere,
}

impl CompileError {
    /// Whether another attempt may end in another way.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Now(_))
    }
}
