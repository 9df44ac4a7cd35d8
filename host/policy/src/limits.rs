//! The limits of one call. Each has a default that suits a tool that reads a cluster and answers a model.

use std::time::Duration;

use serde::Serialize;

/// Bytes in a KiB.
const KIB: u64 = 1024;
/// Bytes in a MiB.
const MIB: u64 = 1024 * KIB;
/// Bytes in a GiB.
const GIB: u64 = 1024 * MIB;

/// The longest time that a call may have. Proxies cut connections that are open for longer, and no model waits for it.
pub const LONGEST_TIME: Duration = Duration::from_secs(60 * 60);

/// The smallest memory that a component may have, in bytes. A Rust guest starts with 1 MiB of stack, a C guest with little less;
/// below this, no bundled tool would load.
pub const LEAST_MEMORY: u64 = 2 * MIB;

/// The largest memory that a component may have, in bytes: WebAssembly addresses it with 32 bits. So nothing that passes through
/// it in one piece, such as a log excerpt or a result, can be larger.
pub const MOST_MEMORY: u64 = 4 * GIB;

/// The most objects that a page may have: one page is in memory as a whole, in the host and in the component.
pub const MOST_PAGE: u32 = 10_000;

/// The most table entries that an instance may have: the pool has room for so many, of 8 to 16 bytes each.
pub const MOST_TABLES: u32 = 20_000;

/// The smallest stack that a component may have, in bytes: a few dozen calls of compiled code.
pub const LEAST_STACK: u64 = 64 * KIB;

/// The largest stack that a component may have, in bytes. It takes memory beside that of the instance, and has to be small
/// against what the host reserves for each call.
pub const MOST_STACK: u64 = 4 * MIB;

/// The limits of one call.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Limits {
    /// Wall-clock time, waiting included.
    pub time: Duration,
    /// Processor time, of the component and of the host's work for it.
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
    /// Stack in bytes. A compiler's own stack in linear memory counts as memory.
    pub stack: u64,
    /// Table entries, summed over all tables of the instance.
    pub tables: u32,
    /// Handles of host resources that the component holds, such as WASI streams.
    pub handles: u32,
    /// Bytes of one argument to the host, beyond the size of a result.
    pub passed: u64,
    /// Concurrent calls of one component; none: half of the slots.
    pub calls: Option<u32>,
    /// Bytes that the component writes to the server's log.
    pub logged: u64,
    /// Progress reports of the component.
    pub progress: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Longer than the slowest honest answer (a dead kubelet takes 30 s to fail), shorter than the time-outs of MCP
            // clients, which start at 60 s.
            time: Duration::from_secs(30),
            // Reading, masking and pruning 64 MiB takes under 2 s, and so does parsing them in a guest.
            cpu: Duration::from_secs(5),
            // A 1 MiB log needs 6 MiB in a Rust guest; a Python interpreter starts at 30 MiB.
            memory: 64 * MIB,
            // The logs of all pods of a large workload, or a list of 256,000 objects.
            requests: 256,
            read: 64 * MIB,
            // What was read, less what the host removed.
            handed: 64 * MIB,
            // The cap of the server that Sandbar replaces.
            logs: MIB,
            // Four times what a full log excerpt takes, so that escaping cannot make an allowed log fail.
            result: 4 * MIB,
            // The cap of the server that Sandbar replaces.
            page: 1000,
            // Enough for a Python interpreter, and wasmtime's default.
            stack: 512 * KIB,
            // A Python interpreter has some 10,000.
            tables: MOST_TABLES,
            // The contract has no resources, WASI needs a few.
            handles: 256,
            // A query with thousands of field paths.
            passed: MIB,
            calls: None,
            // Dozens of backtraces, and little of the operator's disk if a loop writes them.
            logged: 256 * KIB,
            // A report for each of 10,000 objects. The host passes on only the newest, four times a second.
            progress: 10_000,
        }
    }
}
