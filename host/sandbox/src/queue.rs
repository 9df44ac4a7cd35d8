//! The calls of one component: some run, some more wait, and the rest is refused.
//!
//! This keeps a slow or popular component from taking every slot of the server, and its callers from piling up in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Waiting calls for each running one. An ordinary call takes a few milliseconds, so eight of them are over in a moment.
const WAITING_FOR_EACH: usize = 8;

/// Limits how many calls of one component run and wait. Its clones are the same queue, so a component that is loaded anew can go on with
/// that of the one before, whose calls may still run.
#[derive(Clone, Debug)]
pub struct Queue {
    running: Arc<Semaphore>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    /// How many calls may run at once.
    most: usize,
    /// How many more do, since that has become less.
    surplus: usize,
    waiting: usize,
}

/// As many calls wait as may wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A call that runs.
#[derive(Debug)]
pub(super) struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    queue: Queue,
}

/// A call that waits.
struct Waiting<'a>(&'a Queue);

impl Queue {
    /// A queue that runs `most` calls at once.
    pub(super) fn new(most: usize) -> Self {
        let state = State { most, surplus: 0, waiting: 0 };
        Self { running: Arc::new(Semaphore::new(most)), state: Arc::new(Mutex::new(state)) }
    }

    /// How many calls may run at once.
    pub(super) fn most(&self) -> usize {
        self.lock().most
    }

    /// Has it run `most` calls at once. Where more run already, they end, and none takes their place.
    pub(super) fn resize(&self, most: usize) {
        let mut state = self.lock();
        let (more, fewer) = (most.saturating_sub(state.most), state.most.saturating_sub(most));
        let allowed = state.surplus.min(more);
        self.running.add_permits(more - allowed);
        state.surplus = state.surplus - allowed + fewer - self.running.forget_permits(fewer);
        state.most = most;
    }

    /// Waits for a turn, first come first served, if there is room to wait.
    pub(super) async fn turn(&self) -> Result<Turn, Full> {
        let permit = match self.running.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _waiting = self.wait()?;
                self.running.clone().acquire_owned().await.map_err(|_closed| Full)?
            }
        };
        Ok(Turn { permit: Some(permit), queue: self.clone() })
    }

    fn wait(&self) -> Result<Waiting<'_>, Full> {
        let mut state = self.lock();
        if state.waiting >= state.most.saturating_mul(WAITING_FOR_EACH) {
            return Err(Full);
        }
        state.waiting += 1;
        Ok(Waiting(self))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one step, so a panic elsewhere leaves nothing broken.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        if state.surplus > 0 {
            state.surplus -= 1;
            self.permit.take().into_iter().for_each(OwnedSemaphorePermit::forget);
        }
        // Still locked: what is given back now cannot be counted as running by who resizes.
        drop(self.permit.take());
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn turn(queue: &Queue) -> Option<Turn> {
        queue.turn().now_or_never().map(|turn| turn.expect("not full"))
    }

    #[test]
    fn some_run_some_wait_and_the_rest_is_sent_away() {
        let queue = Queue::new(1);
        let first = turn(&queue).expect("there is a turn");
        let mut waiting: Vec<_> = (0..WAITING_FOR_EACH).map(|_| Box::pin(queue.turn())).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        assert_eq!(queue.turn().now_or_never().map(|turn| turn.map(drop)), Some(Err(Full)));
        drop(first);
        let second = waiting.remove(0).now_or_never().expect("its turn has come").expect("not full");
        assert!(queue.turn().now_or_never().is_none(), "there is room again");
        drop(second);
    }

    #[test]
    fn a_queue_that_gets_another_size_counts_what_runs_already() {
        let queue = Queue::new(3);
        let mut running: Vec<Turn> = (0..3).filter_map(|_| turn(&queue)).collect();
        assert_eq!(running.len(), 3);
        queue.resize(1);
        for left in [2, 1] {
            running.pop();
            assert_eq!(running.len(), left);
            assert!(turn(&queue).is_none(), "{left} still run, and 1 may");
        }
        running.pop();
        let one = turn(&queue).expect("none runs");
        assert!(turn(&queue).is_none());
        queue.resize(2);
        let two = turn(&queue).expect("one more may run");
        assert!(turn(&queue).is_none());
        // Fewer, and more again before any has ended.
        queue.resize(1);
        queue.resize(3);
        let three = turn(&queue).expect("one more may run");
        assert!(turn(&queue).is_none() && queue.most() == 3);
        drop((one, two, three));
        assert_eq!((0..9).map_while(|_| turn(&queue)).collect::<Vec<_>>().len(), 3);
    }

    #[test]
    fn a_turn_that_nobody_may_take_any_more_is_not_handed_to_who_waits() {
        let queue = Queue::new(2);
        let (first, second) = (turn(&queue), turn(&queue));
        let mut waiting = Box::pin(queue.turn());
        assert!((&mut waiting).now_or_never().is_none());
        queue.resize(1);
        drop(first);
        assert!((&mut waiting).now_or_never().is_none(), "the second runs");
        drop(second);
        assert!(waiting.now_or_never().is_some_and(|turn| turn.is_ok()));
    }
}
