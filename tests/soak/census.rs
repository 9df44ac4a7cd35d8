//! What a process holds.

use std::fmt;

use sandbar_tests::process::{open_files, resident, threads};
use sandbar_tests::sandbar::Server;
use sandbar_tests::until;

/// Files that may be open beyond those before: connections to the API server, which are kept for a while after an answer.
const FILES: u64 = 16;

/// Threads that may run beyond those before: tokio keeps a few for files and names, and lets them go when nothing comes.
const THREADS: u64 = 8;

/// Bytes that may be in use beyond those before. The allocator keeps what it once had, and so does the pool of instances: 1 MiB for each
/// slot that was ever used. A leak of 1 KiB for each call is more after half an hour.
const MEMORY: u64 = 96 << 20;

/// What a server holds at one time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Census {
    memory: u64,
    files: u64,
    threads: u64,
}

impl Census {
    pub(crate) fn of(server: &Server) -> Self {
        Self { memory: resident(server.id()), files: open_files(server.id()), threads: threads(server.id()) }
    }

    fn holds_no_more_than(&self, before: &Self) -> bool {
        self.files <= before.files + FILES && self.threads <= before.threads + THREADS && self.memory <= before.memory + MEMORY
    }

    /// Waits until the server holds no more than before, or for as long as anything may take.
    pub(crate) async fn until_as_before(&self, server: &Server) -> Self {
        until("the server holds no more than before", || async {
            let now = Self::of(server);
            now.holds_no_more_than(self).then_some(now)
        })
        .await
    }

    /// Says so where something was not given back.
    pub(crate) fn check(&self, after: &Self) {
        assert!(after.holds_no_more_than(self), "before: {self}; after: {after}");
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} KiB resident, {} files, {} threads", self.memory / 1024, self.files, self.threads)
    }
}
