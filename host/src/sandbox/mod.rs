//! Running components: one fresh instance for each call, within its budget.
//!
//! Knows wasmtime and the capability next door; knows neither MCP nor Kubernetes. A call goes `engine` → `component` → `run`;
//! `imports` decides what a component may be linked with, `memory` and `crate::processor` measure it while it runs.

mod compile;
mod component;
mod crash;
mod engine;
mod error;
mod features;
mod imports;
mod memory;
mod pools;
mod queue;
mod run;
mod slots;
mod state;
mod ticker;
mod wasi;

pub(crate) use compile::run as run_compiler;
pub use compile::{Bounds, CompileError, Compiler, Folder};
pub use component::{Artifact, Component};
pub use engine::Engine;
pub use error::{CallError, LoadError};
pub use imports::{Imports, check_header};
pub use pools::Options;
pub use run::Answer;
pub use slots::{Slots, available_memory, for_answers};
