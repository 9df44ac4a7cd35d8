//! The last failures, without their contents: which tool of which component, how it ended and when.
//!
//! Those that are alike are one, with their number. So a caller who fails in one way over and over hides nothing else, and there are never
//! more than [`MOST`].

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sandbar_catalog::Outcome;

/// Failures that are kept.
pub(crate) const MOST: usize = 24;

/// How a call failed. The names are the catalog's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The tool, or what else was asked for.
    pub(crate) asked: Arc<str>,
    pub(crate) component: Arc<str>,
    pub(crate) outcome: Outcome,
    /// The code of the error of JSON-RPC, if it was one.
    pub(crate) code: Option<i32>,
}

/// Failures that are alike.
#[derive(Clone, Debug)]
pub(crate) struct Failures {
    pub(crate) failure: Failure,
    /// When the last of them was.
    pub(crate) last: SystemTime,
    /// How long that took.
    pub(crate) took: Duration,
    /// How many there were, since the first that is remembered.
    pub(crate) count: u64,
}

/// The last failures, the latest at the end.
#[derive(Default)]
pub(crate) struct LastFailures(Vec<Failures>);

impl LastFailures {
    /// Notes another.
    pub(crate) fn add(&mut self, failure: Failure, at: SystemTime, took: Duration) {
        let known = self.0.iter().position(|known| known.failure == failure);
        let count = known.map_or(0, |known| self.0.remove(known).count);
        if self.0.len() == MOST {
            self.0.remove(0);
        }
        self.0.push(Failures { failure, last: at, took, count: count.saturating_add(1) });
    }

    /// All of them, the latest first.
    pub(crate) fn latest(&self) -> Vec<Failures> {
        self.0.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(asked: &str, outcome: Outcome) -> Failure {
        Failure { asked: asked.into(), component: "c".into(), outcome, code: None }
    }

    #[test]
    fn what_fails_over_and_over_hides_nothing() {
        let mut last = LastFailures::default();
        let at = |second| SystemTime::UNIX_EPOCH + Duration::from_secs(second);
        last.add(failure("a", Outcome::Crashed), at(0), Duration::ZERO);
        for second in 1..1_000 {
            last.add(failure("b", Outcome::Refused), at(second), Duration::ZERO);
        }
        let latest = last.latest();
        let seen: Vec<_> = latest.iter().map(|failures| (&*failures.failure.asked, failures.count)).collect();
        assert_eq!(seen, [("b", 999), ("a", 1)]);
        assert_eq!(latest[0].last, at(999));
    }

    #[test]
    fn there_are_never_more_than_are_kept() {
        let mut last = LastFailures::default();
        for number in 0..10 * MOST {
            last.add(failure(&number.to_string(), Outcome::Failed), SystemTime::now(), Duration::ZERO);
        }
        let latest = last.latest();
        assert_eq!((latest.len(), &*latest[0].failure.asked), (MOST, "239"));
    }
}
