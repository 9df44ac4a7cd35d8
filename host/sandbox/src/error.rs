//! Why a component could not be loaded, and why a call of it failed.

use std::time::Duration;

use super::compile::CompileError;
use super::contract::contract;
use sandbar_text::clean_line;

/// Why a component could not be loaded. Worded for the operator and the component's author.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are not WebAssembly at all.
    #[error("this is not a WebAssembly file: it begins with {0}")]
    NotWasm(String),
    /// A core module; tools are components.
    #[error(
        "this is a core WebAssembly module, not a component: wrap it, for example with `wasm-tools component new`, or build it with a component toolchain"
    )]
    CoreModule,
    /// A header of neither kind.
    #[error("this is WebAssembly of an unknown kind (version {version}, layer {layer}): rebuild it with a current toolchain")]
    UnknownLayer {
        /// The version field of the header.
        version: u16,
        /// The layer field of the header.
        layer: u16,
    },
    /// Truncated, malformed, or made of more, or of other things, than this host runs.
    #[error("the component is damaged, or needs what this host does not have: {0}")]
    Malformed(String),
    /// One function that would take the compiler minutes, and the memory of the server.
    #[error("one function of the component has {bytes} bytes of code, and may have {most}: split it up")]
    HugeFunction {
        /// What it has.
        bytes: usize,
        /// What it may have.
        most: usize,
    },
    /// It cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// Names of imports and exports that are longer than anybody would read.
    #[error("the names of what the component imports and exports have {bytes} bytes, and may have {most}: shorten them")]
    Names {
        /// What they have.
        bytes: usize,
        /// What they may have.
        most: usize,
    },
    /// Something of the component model's asynchronous functions, in wasmparser's words.
    #[error(
        "the component uses asynchronous functions (`{0}`), which are not part of the contract: export and import plain functions, \
        and compose it of such"
    )]
    Asynchronous(String),
    /// A WIT package instead of a component.
    #[error("this is a WIT package in binary form, not a component")]
    WitPackage,
    /// It does not export the tools interface.
    #[error("the component does not export `sandbar:tool/tools@0.1.0`, so it serves no tools (it exports: {0})")]
    NoTools(String),
    /// It exports, or imports, another version of the contract.
    #[error("the component was built for `{found}`; this host speaks version {offered} of it: rebuild the component against that", offered = contract().version)]
    Version {
        /// The interface with its version.
        found: String,
    },
    /// An import that the host does not have.
    #[error("the component imports `{0}`, which this host does not offer; it offers {offered} and WASI 0.2 without http", offered = offered())]
    UnknownImport(String),
    /// wasi:http would be a way around every grant.
    #[error("the component imports `{0}`: tools reach the network only through `sandbar:kubernetes`; build it without HTTP")]
    Http(String),
    /// A newer 0.1 contract has functions that this host lacks.
    #[error("the component uses `{function}` of `{interface}`, which this host does not have: use a newer host")]
    UnknownFunction {
        /// The interface's name.
        interface: String,
        /// The function that is missing here.
        function: String,
    },
    /// An import that the operator has not granted.
    #[error("the component imports `{0}`, which is not granted to it")]
    NotGranted(String),
    /// The engine has no room for stacks of this size.
    #[error("the component cannot have {stack} bytes of stack on this machine (limit `stack`): {source:#}")]
    Stack {
        /// What it was to have, in bytes.
        stack: u64,
        /// What the engine says.
        source: anyhow::Error,
    },
    /// Types differ from the contract, or the component is invalid in a way that only compiling shows.
    #[error("the component cannot be linked: {0}")]
    Link(String),
}

/// Bytes of what wasmtime, or a decoder, says about a component. It quotes names that the component has given.
const WORDS: usize = 1024;

/// What somebody else says about a component, as a part of a line of ours: cleaned and cut.
pub(super) fn short(words: impl std::fmt::Display) -> String {
    clean_line(words, WORDS)
}

/// What the host offers, for a message.
fn offered() -> String {
    contract().imports.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// How many calls of a component run.
fn running(calls: usize) -> String {
    if calls == 1 { "1 call of it runs".to_owned() } else { format!("{calls} calls of it run") }
}

/// Why a call did not come to an answer. Worded for the model that made the call.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallError {
    /// No slot became free.
    #[error("the server is busy: all {slots} slots for running tools are taken; try again in {} s", .retry_after.as_secs())]
    Busy {
        /// How many calls run at once.
        slots: usize,
        /// When to try again.
        retry_after: Duration,
    },
    /// No turn among the calls of the same component.
    #[error("this tool is busy: {} already (limit `calls`); try again in {} s", running(*.calls), .retry_after.as_secs())]
    ToolBusy {
        /// How many of its calls run at once.
        calls: usize,
        /// When to try again.
        retry_after: Duration,
    },
    /// The wall-clock limit.
    #[error("the tool was stopped after {} s, its time limit (limit `time`); narrow the query", .0.as_secs_f64())]
    Time(Duration),
    /// The CPU limit.
    #[error(
        "the tool was stopped: it computed for {} s, its limit of processor time (limit `cpu`); narrow the query", .0.as_secs_f64()
    )]
    Cpu(Duration),
    /// The memory limit.
    #[error(
        "the tool was stopped: it asked for {wanted} bytes of memory, and may have {limit} (limit `memory`); narrow the query"
    )]
    Memory {
        /// What it would have had, in bytes.
        wanted: u64,
        /// What it may have, in bytes.
        limit: u64,
    },
    /// Too many table entries, core instances or the like.
    #[error("the tool was stopped: it asked for {wanted} table entries, and may have {limit} (limit `tables`)")]
    Table {
        /// What it would have had.
        wanted: u64,
        /// What it may have.
        limit: u64,
    },
    /// The stack limit.
    #[error(
        "the tool was stopped: it used all of its {limit} bytes of stack (limit `stack`); this is a fault of the tool, which calls itself too often"
    )]
    Stack {
        /// What it may have, in bytes.
        limit: u64,
    },
    /// The result limit.
    #[error("the tool's result is larger than {limit} bytes (limit `result`); ask it for less")]
    Result {
        /// What it may have, in bytes.
        limit: u64,
    },
    /// Too many handles of the host's resources.
    #[error("the tool was stopped: it held {limit} handles and asked for more (limit `handles`); this is a fault of the tool")]
    Handles {
        /// How many it may hold.
        limit: u32,
    },
    /// More than a guest may hand to a host function at once.
    #[error(
        "the tool was stopped: it handed more than {limit} bytes to the host at once (limits `result` and `passed` together); this is a fault of the tool"
    )]
    Passed {
        /// What it may hand over, in bytes.
        limit: u64,
    },
    /// The guest trapped: a panic, an out-of-bounds access.
    #[error("the tool crashed ({0}); this is a fault of the tool, its log has the details")]
    Trap(String),
    /// The host panicked. Never the guest's fault.
    #[error("the server failed while it ran the tool; its log has the details")]
    Host,
}
