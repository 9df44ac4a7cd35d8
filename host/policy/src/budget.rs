//! The budget of one running call.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sandbar_processor::{Account, Meter};
use sandbar_spans::{OpenSpan, Part, Trace};

use super::limits::Limits;

/// Bytes of the time, level and names of a log line. Without them, empty messages would be free.
const LOG_LINE_OVERHEAD: u64 = 64;

/// The part of the processor time that the host's work for a call leaves to the component: one over this.
const CPU_KEPT: u32 = 8;

/// Questions about its caller's rights for one call: a list over every namespace asks one for each.
const REVIEWS: u32 = 2_500;

/// Further namespaces that the lists of one call look into, each with a request of its own.
const SWEPT: u32 = 2_000;

/// The counters of one call, shared by everything that works for it.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    deadline: Instant,
    requests: AtomicU32,
    swept: AtomicU32,
    reviews: AtomicU32,
    read: AtomicU64,
    handed: AtomicU64,
    logged: AtomicU64,
    meter: Meter,
    namespaces: Mutex<BTreeSet<Box<str>>>,
    reported: AtomicU32,
    trace: Option<Arc<Trace>>,
    /// Or else of something that the server asks by itself.
    is_of_call: bool,
}

/// The outcome of a soft quota, on log lines or progress reports: what exceeds it is dropped, and the call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// Within it.
    Within,
    /// The first in this call to exceed it.
    FirstBeyond,
    /// Exceeds it, and is not the first.
    Beyond,
}

/// A budget that is spent. The message names the limit, its value and how to need less.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Exhausted {
    /// All API requests are used.
    #[error(
        "this call has used all of its {0} requests to the API server (limit `requests`); narrow the query or page through it"
    )]
    Requests(u32),
    /// All namespaces that may be looked into beside the first of a list are looked into.
    #[error("this call has looked into {SWEPT} namespaces, which is all it may; name a namespace")]
    Namespaces,
    /// All questions about the caller's rights are asked.
    #[error(
        "this call has asked {REVIEWS} times what its caller may read, which is all it may; narrow the query, or name a namespace"
    )]
    Reviews,
    /// All bytes that may be read are read.
    #[error(
        "this call has read {0} bytes from the API server, which is all it may (limit `read`); narrow the query or ask for a smaller page"
    )]
    Read(u64),
    /// All bytes that may be handed to the component are handed to it.
    #[error(
        "this call has handed {0} bytes of objects and logs to the tool, which is all it may (limit `handed`); narrow the query or ask for fewer fields"
    )]
    Handed(u64),
    /// The processor time is up.
    #[error("the call has computed for nearly all of the {} s that it may (limit `cpu`); narrow the query", .0.as_secs_f64())]
    Cpu(Duration),
    /// The time is up.
    #[error("the call's time of {} s is up (limit `time`); narrow the query", .0.as_secs_f64())]
    Time(Duration),
    /// The time of what the server asks by itself is up.
    #[error("there was no answer within {:.1} s", .0.as_secs_f64())]
    Unanswered(Duration),
}

impl Budget {
    /// A full budget whose time starts now, on the operator's account.
    pub fn new(limits: Limits) -> Self {
        Self::of(Account::Operator, limits)
    }

    /// The same on the account of whoever makes the call.
    pub fn of(account: Account, limits: Limits) -> Self {
        Self {
            deadline: Instant::now() + limits.time,
            requests: AtomicU32::new(0),
            swept: AtomicU32::new(0),
            reviews: AtomicU32::new(0),
            read: AtomicU64::new(0),
            handed: AtomicU64::new(0),
            logged: AtomicU64::new(0),
            meter: Meter::of(account),
            namespaces: Mutex::default(),
            reported: AtomicU32::new(0),
            trace: None,
            is_of_call: true,
            limits,
        }
    }

    /// The same for a call with a trace, if it has one.
    pub fn traced(self, trace: Option<Arc<Trace>>) -> Self {
        Self { trace, ..self }
    }

    /// A part of the call begins: its span, which ends when it is dropped, where the call has a trace.
    pub fn enter(&self, part: impl FnOnce() -> Part) -> Option<OpenSpan<'_>> {
        self.trace.as_ref().map(|trace| trace.enter(part))
    }

    /// A budget for requests of the process itself, outside of any call. The reader bounds the bytes.
    pub fn outside_calls(time: Duration, requests: u32) -> Self {
        let limits = Limits { time, requests, read: u64::MAX, ..Limits::default() };
        Self { is_of_call: false, ..Self::new(limits) }
    }

    /// Like [`Self::new`], with the clock of a test.
    #[cfg(any(test, feature = "test-clock"))]
    pub fn with_meter(meter: Meter, limits: Limits) -> Self {
        Self { meter, ..Self::new(limits) }
    }

    /// What is to be said once its time is up.
    pub fn late(&self) -> Exhausted {
        if self.is_of_call { Exhausted::Time(self.limits.time) } else { Exhausted::Unanswered(self.limits.time) }
    }

    /// The limits that the budget was made from.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// On whose account the call is made.
    pub fn account(&self) -> &Account {
        self.meter.account()
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
        self.requests.load(Ordering::Relaxed) + self.swept.load(Ordering::Relaxed)
    }

    /// Questions about the caller's rights that the API server was asked so far.
    pub fn reviews(&self) -> u32 {
        self.reviews.load(Ordering::Relaxed)
    }

    /// Counts such a question before it is asked.
    pub fn take_review(&self) -> Result<(), Exhausted> {
        let take = |asked: u32| (asked < REVIEWS).then_some(asked + 1);
        self.reviews.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map(drop).map_err(|_| Exhausted::Reviews)
    }

    /// Bytes read from the API server so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// The meter of the call's processor time.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Whether the call has to end: its time or its processor time is up, or nobody waits for it any more.
    pub fn is_over(&self) -> bool {
        self.remaining().is_zero() || self.meter.is_given_up() || self.meter.is_over(self.limits.cpu)
    }

    /// Whether the host may go on with its work for the call, or which limit forbids it. Called every few milliseconds by work
    /// that cannot yield. Part of the processor time is left to the component, which has to report what became of its read.
    pub fn check(&self) -> Result<(), Exhausted> {
        if self.remaining().is_zero() || self.meter.is_given_up() {
            return Err(self.late());
        }
        if self.meter.is_over(self.limits.cpu - self.limits.cpu / CPU_KEPT) {
            return Err(Exhausted::Cpu(self.limits.cpu));
        }
        Ok(())
    }

    /// Like [`Self::check`], between two steps of work that can yield: lets other calls run.
    pub async fn checkpoint(&self) -> Result<(), Exhausted> {
        self.check()?;
        self.meter.yield_if_due().await;
        self.check()
    }

    /// Records a namespace that the call reads.
    pub fn record_namespace(&self, namespace: &str) {
        let mut namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        if !namespaces.contains(namespace) {
            namespaces.insert(namespace.into());
        }
    }

    /// The namespaces that requests went to, in order and separated by commas; `*` stands for a list over all of them.
    pub fn namespaces(&self) -> String {
        let namespaces = self.namespaces.lock().unwrap_or_else(PoisonError::into_inner);
        namespaces.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(",")
    }

    /// Takes one request, or says which limit forbids it.
    pub fn take_request(&self) -> Result<(), Exhausted> {
        if self.remaining().is_zero() {
            return Err(self.late());
        }
        let limit = self.limits.requests;
        self.requests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| (used < limit).then_some(used + 1))
            .map(drop)
            .map_err(|_| Exhausted::Requests(limit))
    }

    /// Takes the request for a further namespace of a list: all of them count as one, up to a number that no honest call comes to.
    pub fn take_swept(&self) -> Result<(), Exhausted> {
        if self.remaining().is_zero() {
            return Err(self.late());
        }
        let take = |swept: u32| (swept < SWEPT).then_some(swept + 1);
        self.swept.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map(drop).map_err(|_| Exhausted::Namespaces)
    }

    /// Whether a request is left.
    pub fn has_request(&self) -> bool {
        self.requests.load(Ordering::Relaxed) < self.limits.requests && !self.remaining().is_zero()
    }

    /// Whether a further namespace may be looked into, for a list that can stop early and hand out a cursor instead of failing.
    pub fn may_sweep(&self) -> bool {
        self.swept.load(Ordering::Relaxed) < SWEPT && !self.remaining().is_zero()
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

    /// Takes a line of `bytes` bytes for the server's log.
    pub fn take_log(&self, bytes: u64) -> Quota {
        let (bytes, most) = (bytes.saturating_add(LOG_LINE_OVERHEAD), self.limits.logged);
        match self.logged.fetch_add(bytes, Ordering::Relaxed) {
            before if before.saturating_add(bytes) <= most => Quota::Within,
            before if before <= most => Quota::FirstBeyond,
            _ => Quota::Beyond,
        }
    }

    /// Whether the log is full: no further line of the call is within its quota.
    pub fn has_filled_log(&self) -> bool {
        self.logged.load(Ordering::Relaxed) > self.limits.logged
    }

    /// Takes one report of the call's progress.
    pub fn take_report(&self) -> Quota {
        let most = self.limits.progress;
        // Stops counting after the first that is dropped, so that the counter cannot overflow.
        let counted = self.reported.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |reported| {
            (reported <= most).then(|| reported.saturating_add(1))
        });
        match counted {
            Ok(before) if before < most => Quota::Within,
            Ok(_) => Quota::FirstBeyond,
            Err(_) => Quota::Beyond,
        }
    }

    /// How many bytes may still be read.
    pub fn read_left(&self) -> u64 {
        self.limits.read.saturating_sub(self.read())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sandbar_processor::{CpuEstimate, Processors, TestClock};

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

    #[tokio::test]
    async fn the_hosts_work_for_a_call_ends_before_its_processor_time_does() {
        let hand = TestClock::default();
        let limits = Limits { cpu: Duration::from_secs(8), ..Limits::default() };
        let budget = Arc::new(Budget::with_meter(hand.meter(), limits));
        let (during, meter) = (budget.clone(), budget.meter().clone());
        let call = async move {
            // Moves to a thread of its own: until then, the count may include time of others.
            meter.prepare_for(usize::MAX).await;
            hand.advance(Duration::from_secs(7));
            assert_eq!(during.checkpoint().await, Ok(()));
            hand.advance(Duration::from_nanos(1));
            let exhausted = during.check().expect_err("seven of eight seconds are over");
            assert!(!during.is_over(), "the component has the eighth");
            hand.advance(Duration::from_secs(1));
            assert!(during.is_over());
            exhausted
        };
        let exhausted = Processors::all_but_one().run(budget.meter(), &CpuEstimate::default(), call).await;
        assert_eq!(exhausted, Ok(Exhausted::Cpu(Duration::from_secs(8))));
        assert_eq!(budget.meter().last_spent(), Duration::from_secs(8) + Duration::from_nanos(1));
        assert_eq!(budget.check(), Err(Exhausted::Time(budget.limits().time)), "nobody waits for it any more");
    }

    #[test]
    fn a_full_log_is_said_once() {
        let budget = Budget::new(Limits { logged: 1000, ..Limits::default() });
        assert_eq!(budget.take_log(1000 - LOG_LINE_OVERHEAD), Quota::Within);
        assert!(!budget.has_filled_log(), "it has not been said yet");
        assert_eq!(budget.take_log(1), Quota::FirstBeyond);
        assert!(budget.has_filled_log());
        assert_eq!(budget.take_log(1), Quota::Beyond);
    }

    #[test]
    fn empty_lines_fill_the_log_too() {
        let budget = Budget::new(Limits { logged: 10 * LOG_LINE_OVERHEAD, ..Limits::default() });
        let lines: Vec<_> = (0..12).map(|_| budget.take_log(0)).collect();
        assert_eq!(lines[9..], [Quota::Within, Quota::FirstBeyond, Quota::Beyond]);
    }

    #[test]
    fn too_many_reports_are_said_once() {
        let budget = Budget::new(Limits { progress: 2, ..Limits::default() });
        let reports: Vec<_> = (0..5).map(|_| budget.take_report()).collect();
        assert_eq!(reports, [Quota::Within, Quota::Within, Quota::FirstBeyond, Quota::Beyond, Quota::Beyond]);
    }

    #[test]
    fn a_late_call_sends_nothing() {
        let budget = Budget::new(Limits { time: Duration::ZERO, ..Limits::default() });
        assert_eq!(budget.take_request(), Err(Exhausted::Time(Duration::ZERO)));
        assert!(!budget.has_request());
    }
}
