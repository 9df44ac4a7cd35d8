//! Running components: one fresh instance for each call, within its budget.
//!
//! Knows wasmtime, and neither MCP nor Kubernetes: what the functions that a component imports do, and with which data, is its caller's. A
//! call goes `engine` → `component` → `run`; `contract` says what there is to import, `imports` what a component does import, `memory` and
//! `sandbar_processor` measure it while it runs.

mod bindings;
mod compile;
mod component;
mod contract;
mod crash;
mod engine;
mod error;
mod features;
mod imports;
mod logging;
mod memory;
mod pools;
mod queue;
mod run;
mod slots;
mod state;
mod ticker;
mod wasi;

pub use compile::run as run_compiler;
pub use compile::{Bounds, CompileError, Compiler, Folder};
pub use component::{Artifact, Component};
pub use contract::{Contract, Interface, PACKAGES, contract};
pub use engine::Engine;
pub use error::{CallError, LoadError};
pub use imports::{Imports, check_header};
pub use logging::may_log;
pub use pools::Options;
pub use run::Answer;
pub use slots::{Slots, available_memory, for_answers};
pub use state::State;
