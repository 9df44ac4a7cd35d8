//! What one running call has left.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::limits::Limits;

/// Bytes that a line of the server's log takes beside its message: time, level, names. Without them, empty messages would be free.
const LOG_LINE_OVERHEAD: u64 = 64;

/// The counters of one call, shared by everything that works for it.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    deadline: Instant,
    requests: AtomicU32,
    read: AtomicU64,
    handed: AtomicU64,
    logged: AtomicU64,
    computed: AtomicU64,
    searched: AtomicU64,
    touched: Mutex<BTreeSet<Box<str>>>,
    reported: AtomicU32,
}

/// What becomes of something that a component says on the side: a line for the server's log, a report of its progress. Too much of
/// it is no reason to stop the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// It is passed on.
    Heard,
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
    /// No byte may be handed to the component any more.
    #[error(
        "this call has handed {0} bytes of objects and logs to the tool, which is all it may (limit `handed`); narrow the query or ask for fewer fields"
    )]
    Handed(u64),
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
            handed: AtomicU64::new(0),
            logged: AtomicU64::new(0),
            computed: AtomicU64::new(0),
            searched: AtomicU64::new(0),
            touched: Mutex::default(),
            reported: AtomicU32::new(0),
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

    /// Counts time that the host has spent on matching text for the call. Returns whether all of it together is still within what
    /// the call may compute itself.
    pub fn take_search(&self, time: Duration) -> bool {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Hundreds of years do not overflow it.
        let before = self.searched.fetch_add(nanos(time), Ordering::Relaxed);
        before.saturating_add(nanos(time)) <= nanos(self.limits.cpu)
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

    /// Takes bytes that a host function is about to hand to the component, or says which limit forbids it.
    pub fn take_handed(&self, bytes: u64) -> Result<(), Exhausted> {
        let before = self.handed.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limits.handed {
            return Err(Exhausted::Handed(self.limits.handed));
        }
        Ok(())
    }

    /// Takes a line of so many bytes for the server's log.
    pub fn take_log(&self, bytes: u64) -> Aside {
        let (bytes, most) = (bytes.saturating_add(LOG_LINE_OVERHEAD), self.limits.logged);
        match self.logged.fetch_add(bytes, Ordering::Relaxed) {
            before if before.saturating_add(bytes) <= most => Aside::Heard,
            before if before <= most => Aside::FirstDropped,
            _ => Aside::Dropped,
        }
    }

    /// Takes one report of the call's progress.
    pub fn take_report(&self) -> Aside {
        let most = self.limits.progress;
        // Not counted beyond the first that is dropped, so that no number of them begins anew.
        let counted = self.reported.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |reported| {
            (reported <= most).then(|| reported.saturating_add(1))
        });
        match counted {
            Ok(before) if before < most => Aside::Heard,
            Ok(_) => Aside::FirstDropped,
            Err(_) => Aside::Dropped,
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
    fn what_is_handed_over_is_counted_together() {
        let budget = Budget::new(Limits { handed: 10, ..Limits::default() });
        assert_eq!(budget.take_handed(10), Ok(()));
        assert_eq!(budget.take_handed(1), Err(Exhausted::Handed(10)));
        assert!(Exhausted::Handed(10).to_string().contains("limit `handed`"));
    }

    #[test]
    fn all_searches_of_a_call_count_together() {
        let budget = Budget::new(Limits { cpu: Duration::from_secs(3), ..Limits::default() });
        assert!(budget.take_search(Duration::from_secs(2)));
        assert!(budget.take_search(Duration::from_secs(1)));
        assert!(!budget.take_search(Duration::from_nanos(1)));
    }

    #[test]
    fn a_full_log_is_said_once() {
        let budget = Budget::new(Limits { logged: 1000, ..Limits::default() });
        assert_eq!(budget.take_log(1000 - LOG_LINE_OVERHEAD), Aside::Heard);
        assert_eq!(budget.take_log(1), Aside::FirstDropped);
        assert_eq!(budget.take_log(1), Aside::Dropped);
    }

    #[test]
    fn empty_lines_fill_the_log_too() {
        let budget = Budget::new(Limits { logged: 10 * LOG_LINE_OVERHEAD, ..Limits::default() });
        let lines: Vec<_> = (0..12).map(|_| budget.take_log(0)).collect();
        assert_eq!(lines[9..], [Aside::Heard, Aside::FirstDropped, Aside::Dropped]);
    }

    #[test]
    fn too_many_reports_are_said_once() {
        let budget = Budget::new(Limits { progress: 2, ..Limits::default() });
        let reports: Vec<_> = (0..5).map(|_| budget.take_report()).collect();
        assert_eq!(reports, [Aside::Heard, Aside::Heard, Aside::FirstDropped, Aside::Dropped, Aside::Dropped]);
    }

    #[test]
    fn a_late_call_sends_nothing() {
        let budget = Budget::new(Limits { time: Duration::ZERO, ..Limits::default() });
        assert_eq!(budget.take_request(), Err(Exhausted::Time(Duration::ZERO)));
        assert!(!budget.has_request());
    }
}
