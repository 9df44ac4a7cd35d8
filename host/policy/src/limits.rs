//! How much one call may use. Every limit has a default that suits a tool that reads a cluster and answers a model.

use std::time::Duration;

use serde::Serialize;

/// Bytes in a KiB.
const KIB: u64 = 1024;
/// Bytes in a MiB.
const MIB: u64 = 1024 * KIB;
/// Bytes in a GiB.
const GIB: u64 = 1024 * MIB;

/// The longest time that a call may be given. Nothing that holds a connection open for longer survives the proxies on its way, and a
/// model does not wait for it.
pub const LONGEST_TIME: Duration = Duration::from_secs(60 * 60);

/// The least memory that a component can be given, in bytes. A guest in Rust begins with 1 MiB of stack, and one in C is not far
/// below; with less, no tool that ships with the host would load.
pub const LEAST_MEMORY: u64 = 2 * MIB;

/// The most memory that a component can be given, in bytes: WebAssembly addresses it with 32 bits. So nothing that passes through
/// that memory in one piece, as a log excerpt and a result do, can be larger.
pub const MOST_MEMORY: u64 = 4 * GIB;

/// The most objects that a page can be given: one page is in memory as a whole, in the host and in the component.
pub const MOST_PAGE: u32 = 10_000;

/// The most entries of tables that an instance can have: the pool has room for so many, of 8 to 16 bytes each.
pub const MOST_TABLES: u32 = 20_000;

/// The least stack that a component can be given, in bytes: a few dozen calls of the kind that compiled code makes.
pub const LEAST_STACK: u64 = 64 * KIB;

/// The most stack that a component can be given, in bytes. It is the machine's memory, beside that of the instance, and has to be small
/// against what the host sets aside for each call.
pub const MOST_STACK: u64 = 4 * MIB;

/// The limits of one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Wall-clock time, waiting included.
    pub time: Duration,
    /// Time on a processor: inside the component, and of the host's work for it.
    pub cpu: Duration,
    /// Linear memory, summed over all memories of the instance, in bytes.
    pub memory: u64,
    /// Requests to the API server.
    pub requests: u32,
    /// Bytes read from the API server, after decompression.
    pub read: u64,
    /// Bytes of objects and logs that host functions hand to the component, all together.
    pub handed: u64,
    /// Bytes of text in one log excerpt.
    pub logs: u64,
    /// Bytes of JSON that the component returns.
    pub result: u64,
    /// Objects on a page.
    pub page: u32,
    /// Stack, in bytes: of calls that have not returned. What compilers put into linear memory as their own stack is memory.
    pub stack: u64,
    /// Entries of tables, summed over all tables of the instance.
    pub tables: u32,
    /// Handles that the component holds of what is not its own: streams of WASI and the like.
    pub handles: u32,
    /// Bytes that the component hands to a host function at once, beyond the size of a result.
    pub passed: u64,
    /// Calls of one component that run at once; none: half of those that the server has room for.
    pub calls: Option<u32>,
    /// Bytes that the component writes to the server's log.
    pub logged: u64,
    /// Times that the component reports its progress.
    pub progress: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Longer than the slowest honest answer (a dead kubelet takes 30 s to fail), shorter than the patience of MCP
            // clients, whose own time-outs start at 60 s.
            time: Duration::from_secs(30),
            // Reading, masking and pruning 64 MiB takes under 2 s, and parsing as much in a guest, too.
            cpu: Duration::from_secs(5),
            // A 1 MiB log needs 6 MiB in a Rust guest; a Python interpreter starts at 30 MiB.
            memory: 64 * MIB,
            // A fan-out over a few dozen namespaces, or a list of 64,000 objects.
            requests: 64,
            read: 64 * MIB,
            // What was read, less what the host took out of it.
            handed: 64 * MIB,
            // The cap of the server that Sandbar replaces.
            logs: MIB,
            // Four times what a full log excerpt takes, so that escaping cannot make an allowed log fail.
            result: 4 * MIB,
            // The cap of the server that Sandbar replaces.
            page: 1000,
            // A Python interpreter gets by with it, and it is what wasmtime gives by default.
            stack: 512 * KIB,
            // A Python interpreter has some 10,000.
            tables: MOST_TABLES,
            // The contract has no resources, WASI needs a few.
            handles: 256,
            // What a query with thousands of field paths takes.
            passed: MIB,
            calls: None,
            // Dozens of backtraces, and little for the operator's disk where a loop writes them.
            logged: 256 * KIB,
            // A report for each of 10,000 objects. Few of them leave the host, which passes on the newest four times a second.
            progress: 10_000,
        }
    }
}
