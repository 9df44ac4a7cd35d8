//! What a server may hold in the end beyond what it held in the beginning.

use sandbar_tests::process::Holdings;

/// Files: connections to the API server are kept for a while after an answer. Threads: tokio keeps a few for files and names, and lets
/// them go when nothing comes. Memory: the allocator keeps what it once had, and so does the pool of instances: 1 MiB for each slot that
/// was ever used. A leak of 1 KiB for each call is more after half an hour.
pub(crate) const MORE: Holdings = Holdings { memory: 96 << 20, files: 16, threads: 8 };
