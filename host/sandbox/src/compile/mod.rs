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
use std::time::Duration;

pub use folder::Folder;
pub(super) use folder::name as entry_name;
pub use process::Bounds;
pub use process::run;

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
    /// The compiler refuses it. Its message quotes the component, so it is cleaned and cut.
    #[error("{0}")]
    Refused(String),
    /// The compiler asked for more memory than it may have.
    #[error(
        "compiling it takes more than {} MiB of memory, which is what this server has for that: give the server more memory, \
        or make the component smaller, above all its largest functions", .0 >> 20
    )]
    Memory(u64),
    /// The compiler used more processor time than it may.
    #[error("compiling it takes more than {} s of processor time: make the component smaller, above all its largest functions", .0.as_secs())]
    Cpu(Duration),
    /// The compiler was not done in time, however little it computed.
    #[error("compiling it takes more than {} s: give the server more of a processor, or make the component smaller", .0.as_secs())]
    Time(Duration),
    /// The compiled component is too large.
    #[error("it is compiled to more than {} MiB: make the component smaller", .0 >> 20)]
    Size(u64),
    /// It nests so deeply that the compiler ran out of stack.
    #[error("it nests too deeply to be compiled: split its largest functions and types up")]
    Depth,
    /// The compiler ended for a reason that is not known.
    #[error("the compiler failed on it ({0}): rebuild it with a current toolchain, and report it if that does not help")]
    Crashed(String),
    /// There is no process, or no room for its result.
    #[error("it cannot be compiled now: {0}")]
    Now(String),
    /// There is no folder for the result of a process.
    #[error(
        "there is no folder that the compiler's result could be written to, so that only bundled tools can be served: \
        name one that this user can write to with --cache-dir, or have /tmp or /dev/shm"
    )]
    Nowhere,
}

impl CompileError {
    /// Whether another attempt may succeed.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Now(_))
    }
}
