//! Why a component could not be compiled or loaded, and why a call of it failed.

use std::time::Duration;

use sandbar_processor::NoPermit;
use sandbar_text::clean_line;

use super::contract::contract;
use super::queue::Line;

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
    /// Neither a core module nor a component.
    #[error("this is WebAssembly of an unknown kind (version {version}, layer {layer}): rebuild it with a current toolchain")]
    UnknownLayer {
        /// The version field of the header.
        version: u16,
        /// The layer field of the header.
        layer: u16,
    },
    /// Truncated or malformed, or made of what this host does not run.
    #[error("the component is damaged, or needs what this host does not have: {0}")]
    Malformed(String),
    /// A function that would take the compiler minutes, and the server's memory.
    #[error("one function of the component has {bytes} bytes of code, and may have {most}: split it up")]
    HugeFunction {
        /// Its size, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        most: usize,
    },
    /// Its components or types nest in each other without end.
    #[error("the components or types in it nest more than {0} levels deep: compose it of fewer")]
    Depth(usize),
    /// It cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The names of imports and exports are too long.
    #[error("the names of what the component imports and exports have {bytes} bytes, and may have {most}: shorten them")]
    Names {
        /// Their size, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        most: usize,
    },
    /// It uses asynchronous functions of the component model. Names the construct, in wasmparser's words.
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
    /// The engine cannot have stacks of this size.
    #[error("the component cannot have {stack} bytes of stack on this machine (limit `stack`): {source:#}")]
    Stack {
        /// The stack that it was to have, in bytes.
        stack: u64,
        /// The engine's error.
        source: anyhow::Error,
    },
    /// There is no engine for components that name tasks, whatever their stack.
    #[error("this machine cannot run components that name functions for asynchronous tasks, as this one does: {0:#}")]
    NamesTasks(anyhow::Error),
    /// Types differ from the contract, or the component is invalid in a way that only compiling shows.
    #[error("the component cannot be linked: {0}")]
    Link(String),
}

/// Bytes of a message by wasmtime or a decoder. It quotes names from the component.
const WORDS: usize = 1024;

/// Such a message, cleaned and cut, as a part of a line of ours.
pub(super) fn short(words: impl std::fmt::Display) -> String {
    clean_line(words, WORDS)
}

/// What the host offers, for a message.
fn offered() -> String {
    contract().imports.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// What keeps a call from running, where all or some of the server's slots are taken.
fn without_slot(slots: usize, why: NoPermit) -> String {
    match why {
        NoPermit::Taken => format!("all {slots} slots for running tools are taken"),
        NoPermit::LeftToOthers { held } => left_to_others(held, &format!("its {slots} slots for running tools")),
    }
}

/// The same for calls that stand in a queue.
fn without_turn(of: Line, calls: usize, why: NoPermit) -> String {
    let (busy, theirs, limit) = match of {
        Line::Component => ("this tool is busy", "of it", "limit `calls`"),
        Line::Cluster => ("this cluster is busy", "to it", "half of the server's slots"),
        Line::ComponentInCluster => ("this tool is busy in this cluster", "of it to it", "half of the limit `calls`"),
    };
    let why = match why {
        NoPermit::Taken if calls == 1 => format!("1 call {theirs} runs already ({limit})"),
        NoPermit::Taken => format!("{calls} calls {theirs} run already ({limit})"),
        NoPermit::LeftToOthers { held } => {
            left_to_others(held, &format!("the {calls} calls {theirs} that run at once ({limit})"))
        }
    };
    format!("{busy}: {why}")
}

fn left_to_others(held: usize, of: &str) -> String {
    format!("you have {held} of {of}, and the rest is left to other callers")
}

/// Bytes of what an engine says of a script: its first error with its place.
const SCRIPT_BYTES: usize = 1024;

/// Why a call has no answer. Worded for the model that made the call.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallError {
    /// No slot became free.
    #[error("the server is busy: {}; try again in {} s", without_slot(*.slots, *.why), .retry_after.as_secs())]
    Busy {
        /// How many calls run at once.
        slots: usize,
        /// Whether others take them, or they are left to others.
        why: NoPermit,
        /// When to try again.
        retry_after: Duration,
    },
    /// As many calls of a kind run as may.
    #[error("{}; try again in {} s", without_turn(*.of, *.calls, *.why), .retry_after.as_secs())]
    QueueBusy {
        /// Which calls.
        of: Line,
        /// How many of them run at once.
        calls: usize,
        /// Whether others run, or it is left to others.
        why: NoPermit,
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
        /// The total that it asked for, in bytes.
        wanted: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Too many table entries.
    #[error("the tool was stopped: it asked for {wanted} table entries, and may have {limit} (limit `tables`)")]
    Table {
        /// The total that it asked for.
        wanted: u64,
        /// The limit.
        limit: u64,
    },
    /// The stack limit.
    #[error(
        "the tool was stopped: it used all of its {limit} bytes of stack (limit `stack`); this is a fault of the tool, which calls itself too often"
    )]
    Stack {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The result limit.
    #[error("the tool's result is larger than {limit} bytes (limit `result`); ask it for less")]
    Result {
        /// The limit, in bytes.
        limit: u64,
    },
    /// Too many handles of the host's resources.
    #[error("the tool was stopped: it held {limit} handles and asked for more (limit `handles`); this is a fault of the tool")]
    Handles {
        /// The limit.
        limit: u32,
    },
    /// More bytes than a guest may hand to a host function at once.
    #[error(
        "the tool was stopped: it handed more than {limit} bytes to the host at once (limits `result` and `passed` together); this is a fault of the tool"
    )]
    Passed {
        /// The limit, in bytes.
        limit: u64,
    },
    /// The guest trapped: a panic, an out-of-bounds access.
    #[error("the tool crashed ({0}); this is a fault of the tool, its log has the details")]
    Trap(String),
    /// A script that cannot be evaluated, in its engine's words.
    #[error("{}", clean_line(.0, SCRIPT_BYTES))]
    Script(String),
    /// The host panicked. Never the guest's fault.
    #[error("the server failed while it ran the tool; its log has the details")]
    Host,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_to_come_back_hears_whose_calls_are_in_the_way() {
        let retry_after = Duration::from_secs(2);
        let slots = |why| CallError::Busy { slots: 10, why, retry_after }.to_string();
        let turns = |why| CallError::QueueBusy { of: Line::Component, calls: 5, why, retry_after }.to_string();
        let in_cluster = |of, why| CallError::QueueBusy { of, calls: 5, why, retry_after }.to_string();
        let own = |held| NoPermit::LeftToOthers { held };
        assert_eq!(slots(NoPermit::Taken), "the server is busy: all 10 slots for running tools are taken; try again in 2 s");
        assert_eq!(
            slots(own(5)),
            "the server is busy: you have 5 of its 10 slots for running tools, and the rest is left to other callers; try again in 2 s"
        );
        assert_eq!(turns(NoPermit::Taken), "this tool is busy: 5 calls of it run already (limit `calls`); try again in 2 s");
        assert_eq!(
            turns(own(3)),
            "this tool is busy: you have 3 of the 5 calls of it that run at once (limit `calls`), and the rest is left to other callers; \
            try again in 2 s"
        );
        assert_eq!(
            in_cluster(Line::Cluster, NoPermit::Taken),
            "this cluster is busy: 5 calls to it run already (half of the server's slots); try again in 2 s"
        );
        assert_eq!(
            in_cluster(Line::ComponentInCluster, own(3)),
            "this tool is busy in this cluster: you have 3 of the 5 calls of it to it that run at once (half of the limit `calls`), and the \
            rest is left to other callers; try again in 2 s"
        );
    }
}
