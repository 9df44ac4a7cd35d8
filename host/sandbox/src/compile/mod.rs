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
pub(super) use process::compile;
pub use process::{CompileLimits, run};

/// Compiles in another process whatever the folder does not hold yet.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The `sandbar` binary.
    pub program: PathBuf,
    /// Where the results are stored.
    pub folder: Arc<Folder>,
}
