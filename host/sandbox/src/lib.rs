//! Running components: one fresh instance for each call, within its budget.
//!
//! Knows wasmtime, and neither MCP nor Kubernetes: what imported functions do, and on which data, is up to the caller. A call
//! goes `engine` → `component` → `run`; `contract` has the interfaces that the host offers, `imports` those that a component
//! imports; `memory` and `sandbar_processor` meter it while it runs.

mod binary;
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
mod script;
mod slots;
mod state;
mod ticker;
mod wasi;

pub use binary::Binary;
pub use compile::run as run_compiler;
pub use compile::{CompileLimits, Compiler, Folder};
pub use component::{Artifact, Component, Interface};
pub use contract::PACKAGES;
pub use engine::{CallsUnderWay, Engine, EngineOptions};
pub use error::{CallError, CompileError, LoadError};
pub use imports::{Imports, check_header};
pub use logging::log_line;
pub use queue::{Line, Queue};
pub use run::{Ask, GuestResult};
pub use slots::{Slots, available_memory, memory_for_answers};
pub use state::StoreData;
