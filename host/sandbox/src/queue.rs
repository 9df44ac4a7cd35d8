//! The calls of one component: some run, some more wait, and the rest is refused.
//!
//! This keeps a slow or popular component from taking every slot of the server, and its callers from piling up in memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Waiting calls for each running one. An ordinary call takes a few milliseconds, so eight of them are over in a moment.
const WAITING_FOR_EACH: usize = 8;

/// Limits how many calls of one component run and wait.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    running: Arc<Semaphore>,
    room: Arc<Semaphore>,
    most: usize,
}

/// As many calls wait as may wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Queue {
    /// A queue that runs `most` calls at once.
    pub(super) fn new(most: usize) -> Self {
        let waiting = most.saturating_mul(WAITING_FOR_EACH);
        Self { running: Arc::new(Semaphore::new(most)), room: Arc::new(Semaphore::new(waiting)), most }
    }

    /// How many calls may run at once.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Waits for a permit, first come first served, if there is room to wait.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, Full> {
        if let Ok(turn) = self.running.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let _room = self.room.try_acquire().map_err(|_| Full)?;
        self.running.clone().acquire_owned().await.map_err(|_closed| Full)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn some_run_some_wait_and_the_rest_is_sent_away() {
        let queue = Queue::new(1);
        let first = queue.turn().now_or_never().expect("there is a turn").expect("not full");
        let mut waiting: Vec<_> = (0..WAITING_FOR_EACH).map(|_| Box::pin(queue.turn())).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        assert_eq!(queue.turn().now_or_never().map(|turn| turn.map(drop)), Some(Err(Full)));
        drop(first);
        let second = waiting.remove(0).now_or_never().expect("its turn has come").expect("not full");
        assert!(queue.turn().now_or_never().is_none(), "there is room again");
        drop(second);
    }
}
