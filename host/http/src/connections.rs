//! How many connections are open at once, and what becomes of those beyond.
//!
//! A connection that finds the server full is not left waiting: it is accepted at the door, where one request is answered with 503
//! and a time to come back. The kubelet's probes are answered there as always, because a server that is full is alive, and killing
//! it would cut everybody off. Only when the door is full too, connections wait in the kernel's queue.

use std::sync::Arc;

use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections at the door. Each stays for one request.
const AT_THE_DOOR: usize = 64;

/// Files that the process needs beside connections of clients: connections to the API server, components, the runtime's own.
const OTHER_FILES: u64 = 192;

/// With fewer, a browser and a probe would fill the server.
const LEAST: usize = 8;

/// The connections of one server.
#[derive(Clone)]
pub(super) struct Connections {
    inside: Arc<Semaphore>,
    door: Arc<Semaphore>,
    most: usize,
}

/// Where a connection is served. It is free again once this is dropped.
pub(super) struct Seat {
    inside: bool,
    _permit: OwnedSemaphorePermit,
}

impl Seat {
    /// Whether the connection is served like any other, and not told to come back.
    pub(super) fn is_inside(&self) -> bool {
        self.inside
    }
}

impl Connections {
    /// So many connections, or as many as the process may have files open.
    pub(super) fn new(wanted: usize) -> Self {
        let most = wanted.min(allowed()).max(LEAST);
        if most < wanted {
            tracing::warn!(connections = most, wanted, "fewer connections than configured: the limit of open files is too low");
        }
        Self { inside: Arc::new(Semaphore::new(most)), door: Arc::new(Semaphore::new(AT_THE_DOOR)), most }
    }

    /// A seat for a connection, as soon as there is one.
    pub(super) async fn seat(&self) -> Seat {
        let (inside, permit) = tokio::select! {
            biased;
            permit = self.inside.clone().acquire_owned() => (true, permit),
            permit = self.door.clone().acquire_owned() => (false, permit),
        };
        Seat { inside, _permit: permit.unwrap_or_else(|_| unreachable!("the semaphores are never closed")) }
    }

    /// Whether idle connections should make room.
    pub(super) fn is_crowded(&self) -> bool {
        self.inside.available_permits() < self.most.div_ceil(4)
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
    async fn beyond_the_number_there_is_the_door_and_beyond_the_door_there_is_waiting() {
        let connections = Connections::new(LEAST);
        let mut inside: Vec<Seat> = Vec::new();
        for _ in 0..LEAST {
            inside.push(connections.seat().await);
        }
        assert!(inside.iter().all(Seat::is_inside));
        let mut door = Vec::new();
        for _ in 0..AT_THE_DOOR {
            door.push(connections.seat().await);
        }
        assert!(!door.iter().any(Seat::is_inside));
        assert!(connections.seat().now_or_never().is_none());
        door.pop();
        let at_the_door = connections.seat().await;
        assert!(!at_the_door.is_inside());
        inside.pop();
        assert!(connections.seat().await.is_inside(), "a seat inside comes first");
    }

    #[tokio::test]
    async fn it_is_crowded_before_it_is_full() {
        let connections = Connections::new(LEAST);
        let mut seats = Vec::new();
        while !connections.is_crowded() {
            seats.push(connections.seat().await);
        }
        assert!(seats.len() > LEAST / 2 && seats.len() < LEAST, "{}", seats.len());
    }
}
