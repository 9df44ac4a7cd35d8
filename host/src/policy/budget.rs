//! What one running call has left.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::limits::Limits;

/// Bytes that a component may write to the server's log in one call: dozens of backtraces, and little for the operator's disk where
/// a loop writes them.
const LOG_BYTES: u64 = 256 * 1024;

/// The counters of one call, shared by everything that works for it.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    deadline: Instant,
    requests: AtomicU32,
    read: AtomicU64,
    logged: AtomicU64,
    computed: AtomicU64,
    touched: Mutex<BTreeSet<Box<str>>>,
}

/// What becomes of a line that a component writes to the server's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLine {
    /// It is written.
    Written,
    /// It is dropped, as the first of this call.
    FirstDropped,
    /// It is dropped.
    Dropped,
}

/// A budget that is spent. The message names the limit, its value and the way to need less.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// No API request is left.
    #[error(
        "this call has used all of its {0} requests to the API server (limit `requests`); narrow the query or page through it"
    )]
    Requests(u32),
    /// No byte may be read any more.
    #[error(
        "this call has read {0} bytes from the API server, which is all it may (limit `read`); narrow the query or ask for a smaller page"
    )]
    Read(u64),
    /// The time is up.
    #[error("the call's time of {} s is up (limit `time`); narrow the query", .0.as_secs_f64())]
    Time(Duration),
}

impl Budget {
    /// A full budget whose time starts now.
    pub fn new(limits: Limits) -> Self {
        Self {
            deadline: Instant::now() + limits.time,
            requests: AtomicU32::new(0),
            read: AtomicU64::new(0),
            logged: AtomicU64::new(0),
            computed: AtomicU64::new(0),
            touched: Mutex::default(),
            limits,
        }
    }

    /// The limits that the budget was made from.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// When the host stops the call.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How much time is left; zero once it is up.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Requests sent to the API server so far.
    pub fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Bytes read from the API server so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Processor time used so far, as last measured.
    pub fn computed(&self) -> Duration {
        Duration::from_nanos(self.computed.load(Ordering::Relaxed))
    }

    /// Notes how much processor time the call has used by now.
    pub fn note_computed(&self, total: Duration) {
        self.computed.store(u64::try_from(total.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Notes that the call asks for something in a namespace.
    pub fn touch(&self, namespace: &str) {
        let mut touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if !touched.contains(namespace) {
            touched.insert(namespace.into());
        }
    }

    /// The namespaces that requests went to, in order and separated by commas; `*` stands for a list over all of them.
    pub fn touched(&self) -> String {
        let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
        touched.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(",")
    }

    /// Takes one request, or says which limit forbids it.
    pub fn take_request(&self) -> Result<(), Exhausted> {
        if self.remaining().is_zero() {
            return Err(Exhausted::Time(self.limits.time));
        }
        let limit = self.limits.requests;
        self.requests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| (used < limit).then_some(used + 1))
            .map(drop)
            .map_err(|_| Exhausted::Requests(limit))
    }

    /// Whether a request is left, for a reader that can stop early and hand out a cursor instead of failing.
    pub fn has_request(&self) -> bool {
        self.requests() < self.limits.requests && !self.remaining().is_zero()
    }

    /// Takes bytes that were read, or says which limit forbids it.
    pub fn take_read(&self, bytes: u64) -> Result<(), Exhausted> {
        let before = self.read.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limits.read {
            return Err(Exhausted::Read(self.limits.read));
        }
        Ok(())
    }

    /// Takes a line of so many bytes for the server's log.
    pub fn take_log(&self, bytes: u64) -> LogLine {
        match self.logged.fetch_add(bytes, Ordering::Relaxed) {
            before if before.saturating_add(bytes) <= LOG_BYTES => LogLine::Written,
            before if before <= LOG_BYTES => LogLine::FirstDropped,
            _ => LogLine::Dropped,
        }
    }

    /// How many bytes may still be read.
    pub fn read_left(&self) -> u64 {
        self.limits.read.saturating_sub(self.read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_names_its_limit() {
        let budget = Budget::new(Limits { requests: 1, read: 10, ..Limits::default() });
        assert_eq!(budget.take_request(), Ok(()));
        assert_eq!(budget.take_request(), Err(Exhausted::Requests(1)));
        assert_eq!(budget.requests(), 1, "a refused request is not counted");
        assert_eq!(budget.take_read(10), Ok(()));
        assert_eq!(budget.take_read(1), Err(Exhausted::Read(10)));
    }

    #[test]
    fn a_full_log_is_said_once() {
        let budget = Budget::new(Limits::default());
        assert_eq!(budget.take_log(LOG_BYTES), LogLine::Written);
        assert_eq!(budget.take_log(1), LogLine::FirstDropped);
        assert_eq!(budget.take_log(1), LogLine::Dropped);
    }

    #[test]
    fn a_late_call_sends_nothing() {
        let budget = Budget::new(Limits { time: Duration::ZERO, ..Limits::default() });
        assert_eq!(budget.take_request(), Err(Exhausted::Time(Duration::ZERO)));
        assert!(!budget.has_request());
    }
}
