//! The calls of one component, or to one cluster: some run, some more wait, and the rest is refused.
//!
//! This keeps a slow or popular component from taking every slot of the server, a cluster that does not answer from taking every turn of a
//! component, and callers from piling up in memory.

use sandbar_policy::Account;
use sandbar_processor::{FairPermit, FairSemaphore, NoPermit, Share};

/// Waiting calls for each running one. An ordinary call takes a few milliseconds, so eight of them are over in a moment.
const WAITING_FOR_EACH: usize = 8;

/// Limits how many calls of one kind run and wait. Its clones are the same queue, so a component that is loaded anew can go on with
/// that of the one before, whose calls may still run.
#[derive(Clone, Debug)]
pub struct Queue {
    of: Line,
    turns: FairSemaphore,
}

/// Which calls stand in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Those of a component.
    Component,
    /// Those to a cluster, where there are several.
    Cluster,
    /// Those of a component to one of several clusters.
    ComponentInCluster,
}

/// A call that runs.
pub(super) type Turn = FairPermit;

impl Queue {
    /// A queue that runs `most` calls at once.
    pub(super) fn new(of: Line, most: usize) -> Self {
        Self { of, turns: FairSemaphore::new(Share::Half, most, room(most)) }
    }

    /// Which calls stand in it.
    pub(super) fn of(&self) -> Line {
        self.of
    }

    /// How many calls may run at once.
    pub(super) fn most(&self) -> usize {
        self.turns.permits()
    }

    /// Has it run `most` calls at once. Where more run already, they end, and none takes their place.
    pub(super) fn resize(&self, most: usize) {
        self.turns.resize(most, room(most));
    }

    /// Waits for a turn, if there is room to wait.
    pub(super) async fn turn(&self, account: &Account) -> Result<Turn, NoPermit> {
        self.turns.acquire(account).await
    }

    /// Why the account would have to wait now.
    pub(super) fn why_not(&self, account: &Account) -> NoPermit {
        self.turns.why_not(account)
    }
}

fn room(most: usize) -> usize {
    most.saturating_mul(WAITING_FOR_EACH)
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn turn(queue: &Queue) -> Option<Turn> {
        queue.turn(&Account::Anonymous).now_or_never().map(|turn| turn.expect("not full"))
    }

    #[test]
    fn some_run_some_wait_and_the_rest_is_sent_away() {
        let queue = Queue::new(Line::Component, 1);
        let everybody = Account::Anonymous;
        let first = turn(&queue).expect("there is a turn");
        let mut waiting: Vec<_> = (0..WAITING_FOR_EACH).map(|_| Box::pin(queue.turn(&everybody))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        assert_eq!(queue.turn(&everybody).now_or_never().map(|turn| turn.map(drop)), Some(Err(NoPermit::Taken)));
        drop(first);
        let second = waiting.remove(0).now_or_never().expect("its turn has come").expect("not full");
        assert!(queue.turn(&everybody).now_or_never().is_none(), "there is room again");
        drop(second);
    }

    #[test]
    fn a_caller_neither_runs_every_call_of_a_component_nor_fills_its_room() {
        let queue = Queue::new(Line::Component, 4);
        let [greedy, other] = ["greedy", "other"].map(|name| Account::User(name.into()));
        let running: Vec<_> = (0..2).filter_map(|_| queue.turn(&greedy).now_or_never()).collect();
        assert_eq!(running.len(), 2);
        let mut waiting: Vec<_> = (0..4 * WAITING_FOR_EACH).map(|_| Box::pin(queue.turn(&greedy))).collect();
        assert!(waiting.iter_mut().all(|turn| turn.now_or_never().is_none()));
        let sent_away = queue.turn(&greedy).now_or_never().expect("there is no room").expect_err("none for more of these");
        assert_eq!(sent_away, NoPermit::LeftToOthers { held: 2 });
        let others: Vec<_> = (0..9).map(|_| Box::pin(queue.turn(&other))).collect();
        let come = others.into_iter().map(|mut turn| ((&mut turn).now_or_never(), turn)).collect::<Vec<_>>();
        assert!(come[0].0.as_ref().is_some_and(Result::is_ok), "one runs at once");
        assert!(come.iter().all(|(turn, _)| turn.as_ref().is_none_or(Result::is_ok)), "and there is room for the rest");
    }

    #[test]
    fn a_queue_that_gets_another_size_counts_what_runs_already() {
        let queue = Queue::new(Line::Component, 3);
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
        let queue = Queue::new(Line::Component, 2);
        let (first, second) = (turn(&queue), turn(&queue));
        let mut waiting = Box::pin(queue.turn(&Account::Anonymous));
        assert!((&mut waiting).now_or_never().is_none());
        queue.resize(1);
        drop(first);
        assert!((&mut waiting).now_or_never().is_none(), "the second runs");
        drop(second);
        assert!(waiting.now_or_never().is_some_and(|turn| turn.is_ok()));
    }
}
