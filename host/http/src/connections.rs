//! How many connections are open at once, and what becomes of those beyond.
//!
//! A connection that finds the server full is not left waiting: it is accepted as overflow, and its one request is answered
//! with 503 and a time to come back. The kubelet's probes are answered as always, because a server that is full is alive, and killing it
//! would cut everybody off. Only when there is no room for overflow either, connections wait in the kernel's queue.

use std::sync::Arc;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections beyond the number of the server that are open at once. Each stays for one request.
const OVERFLOW: usize = 64;

/// Files that the process needs beside connections of clients: connections to the API server, components, the runtime's own.
const OTHER_FILES: u64 = 192;

/// Bytes that TLS may hold for a connection of which nothing is understood yet: one of its messages, which may have 64 KiB, and a record each
/// way.
const TLS_BYTES: u64 = 96 * 1024;

/// With fewer, a browser and a probe would fill the server.
const LEAST: usize = 8;

/// The connections of one server. Cheap to clone.
#[derive(Clone)]
pub struct Connections {
    regular: Arc<Semaphore>,
    overflow: Arc<Semaphore>,
    most: usize,
    most_overflow: usize,
}

/// The place of a connection. It is free again once this is dropped.
pub(super) struct Seat {
    is_overflow: bool,
    _permit: OwnedSemaphorePermit,
}

impl Seat {
    /// Whether the connection is one too many, and told to come back.
    pub(super) fn is_overflow(&self) -> bool {
        self.is_overflow
    }
}

impl Connections {
    /// So many connections, or as many as the process may have files open; where there is TLS, as many as these bytes are enough for.
    pub fn new(wanted: usize, tls_memory: Option<u64>) -> Self {
        let room = tls_memory.map_or(usize::MAX, |bytes| usize::try_from(bytes / TLS_BYTES).unwrap_or(usize::MAX));
        let files = allowed();
        let most = wanted.min(files).min(room).max(LEAST);
        if files < wanted {
            tracing::warn!(connections = most, wanted, "fewer connections than configured: the limit of open files is too low");
        } else if room < wanted {
            tracing::info!(
                connections = most,
                wanted,
                "fewer connections than configured: with TLS each may take 96 KiB of memory"
            );
        }
        Self::with_overflow(most, OVERFLOW)
    }

    /// So many connections, and so many beyond them.
    pub(super) fn with_overflow(most: usize, most_overflow: usize) -> Self {
        let [regular, overflow] = [most, most_overflow].map(|permits| Arc::new(Semaphore::new(permits)));
        Self { regular, overflow, most, most_overflow }
    }

    /// How many may be open.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many are open, those that are told to come back aside.
    pub fn open(&self) -> usize {
        self.most - self.regular.available_permits().min(self.most)
    }

    /// How many are open beyond them, to be told to come back.
    pub fn overflow(&self) -> usize {
        self.most_overflow - self.overflow.available_permits().min(self.most_overflow)
    }

    /// A seat for a connection, as soon as there is one.
    pub(super) async fn seat(&self) -> Seat {
        let (is_overflow, permit) = tokio::select! {
            biased;
            permit = self.regular.clone().acquire_owned() => (false, permit),
            permit = self.overflow.clone().acquire_owned() => (true, permit),
        };
        Seat { is_overflow, _permit: permit.unwrap_or_else(|_| unreachable!("the semaphores are never closed")) }
    }

    /// Whether idle connections should make room.
    pub(super) fn is_crowded(&self) -> bool {
        self.regular.available_permits() < self.most.div_ceil(4)
    }
}

/// How many connections the limit of open files leaves, after the soft limit has been raised to the hard one. The soft limit is kept
/// low for programs that use select(2).
fn allowed() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit = raised,
        Err(error) => tracing::debug!(%error, "the limit of open files stays as it is"),
    }
    let files = limit.current.unwrap_or(u64::MAX).saturating_sub(OTHER_FILES);
    usize::try_from(files).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn beyond_the_number_there_is_overflow_and_beyond_that_there_is_waiting() {
        let connections = Connections::new(LEAST, None);
        let mut regular: Vec<Seat> = Vec::new();
        for _ in 0..LEAST {
            regular.push(connections.seat().await);
        }
        assert!(!regular.iter().any(Seat::is_overflow));
        let mut overflow = Vec::new();
        for _ in 0..OVERFLOW {
            overflow.push(connections.seat().await);
        }
        assert!(overflow.iter().all(Seat::is_overflow));
        assert!(connections.seat().now_or_never().is_none());
        assert_eq!((connections.open(), connections.overflow()), (LEAST, OVERFLOW));
        overflow.pop();
        let next = connections.seat().await;
        assert!(next.is_overflow());
        regular.pop();
        assert!(!connections.seat().await.is_overflow(), "a regular seat comes first");
    }

    #[test]
    fn with_tls_there_are_no_more_than_there_is_memory_for() {
        for (memory, most) in [(None, 16), (Some(u64::MAX), 16), (Some(12 * TLS_BYTES), 12), (Some(0), LEAST)] {
            assert_eq!(Connections::new(16, memory).most, most, "{memory:?}");
        }
    }

    #[tokio::test]
    async fn it_is_crowded_before_it_is_full() {
        let connections = Connections::new(LEAST, None);
        let mut seats = Vec::new();
        while !connections.is_crowded() {
            seats.push(connections.seat().await);
        }
        assert!(seats.len() > LEAST / 2 && seats.len() < LEAST, "{}", seats.len());
    }
}
