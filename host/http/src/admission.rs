//! Which calls are let in: so many a second for each caller, and so many at once for the server, which callers leave to each other.
//!
//! The rate is the caller's own, whoever that is; while nobody says who they are, all share one. An address is no caller: behind a
//! port-forward, an ingress or a mesh everybody has the same. Nor is a session, since whoever is refused in one can open another.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use sandbar_policy::Account;
use sandbar_processor::{FairPermit, FairSemaphore, NoPermit, Share};

/// Seconds of the rate that may come at once: a model asks for many things in one breath and then reads for a while.
const BURST_SECONDS: u32 = 10;

/// With more, the time between two calls would be less than the clock can tell. No server is that fast.
const MOST_PER_SECOND: NonZeroU32 = NonZeroU32::new(1_000_000).unwrap();

/// Bytes of the process's memory for each call that is let in, whether it runs, waits for a slot, or its answer waits for its reader. What
/// such a call takes is bounded elsewhere; this keeps its number in proportion.
const CALL_BYTES: u64 = 8 * 1024 * 1024;

/// With fewer, the parallel calls of a few models would be turned away although a slot becomes free within milliseconds.
const LEAST_CALLS: u64 = 64;

/// With more, the last in the queue would not get a slot in time.
const MOST_CALLS: u64 = 1024;

/// When a caller should try again after the server was full: the time that a queue of ordinary calls takes.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(2);

/// How long the answer of a call that is not let in takes at least, and at most twice as long. Whoever asks again at once, however often, is
/// slowed down by it over each of their connections, and leaves the processors to others; whoever comes back when they are told does not
/// notice.
pub(super) const REFUSAL_TIME: Duration = Duration::from_millis(250);

/// A step between two such times, as a part of 2^32: by the golden ratio the times of successive refusals lie far from each other. Calls that
/// were refused together would else come back together, and be let in all at once.
const REFUSAL_STEP: u32 = 0x9E37_79B9;

/// Callers whose rate is remembered before those that have not called for a while are forgotten.
const CALLERS: usize = 10_000;

/// Lets calls in. Cheap to clone.
#[derive(Clone)]
pub struct Admission(Arc<Inner>);

struct Inner {
    rate: RateLimiter<Account, HashMapStateStore<Account>, DefaultClock>,
    clock: DefaultClock,
    per_second: NonZeroU32,
    places: FairSemaphore,
    /// Where the time of the next refusal lies between the shortest and the longest, as a part of 2^32.
    next_refusal: AtomicU32,
}

/// A call's place, from its arrival until its answer has been written or given up.
#[derive(Debug)]
pub(super) struct CallPermit(#[expect(dead_code, reason = "it is free again once this is dropped")] FairPermit);

/// Why a call is not let in, in words for the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Busy {
    /// The caller's rate is used up.
    #[error(
        "busy: more than {per_second} tool calls a second were asked for; retry after {} s, and ask for more with each call",
        seconds(*.retry_after)
    )]
    Rate { per_second: NonZeroU32, retry_after: Duration },
    /// All places are taken.
    #[error("busy: {calls} tool calls are already on their way through this server; retry after {} s", seconds(*.retry_after))]
    Full { calls: usize, retry_after: Duration },
    /// The caller has as many as are left to others.
    #[error(
        "busy: you have {held} of the {calls} calls that may be on their way through this server, and the rest is left to other callers; \
        retry after {} s",
        seconds(*.retry_after)
    )]
    Own { held: usize, calls: usize, retry_after: Duration },
}

/// Whole seconds, never none: "after 0 s" would be an invitation.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

impl Admission {
    /// For a server with this rate for each caller, in a process that may use so many bytes of memory.
    pub fn new(calls_per_second: NonZeroU32, memory: u64) -> Self {
        let calls = (memory / CALL_BYTES).clamp(LEAST_CALLS, MOST_CALLS);
        Self::with_places(calls_per_second, usize::try_from(calls).unwrap_or(LEAST_CALLS as usize))
    }

    fn with_places(per_second: NonZeroU32, calls: usize) -> Self {
        let per_second = per_second.min(MOST_PER_SECOND);
        let burst = per_second.saturating_mul(const { NonZeroU32::new(BURST_SECONDS).unwrap() });
        let clock = DefaultClock::default();
        let rate =
            RateLimiter::new(Quota::per_second(per_second).allow_burst(burst), HashMapStateStore::default(), clock.clone());
        let places = FairSemaphore::new(Share::Half, calls, 0);
        Self(Arc::new(Inner { rate, clock, per_second, places, next_refusal: AtomicU32::new(0) }))
    }

    /// The places that are taken, and all of them.
    pub(super) fn taken(&self) -> (usize, usize) {
        (self.0.places.taken(), self.0.places.permits())
    }

    /// How long the answer of the next call that is not let in is to take.
    pub(super) fn refusal_time(&self) -> Duration {
        let part = self.0.next_refusal.fetch_add(REFUSAL_STEP, Ordering::Relaxed);
        REFUSAL_TIME + REFUSAL_TIME.mul_f64(f64::from(part) / f64::from(u32::MAX))
    }

    /// Lets a call in, or says when to try again. It never waits.
    pub(super) fn admit(&self, caller: &Account) -> Result<CallPermit, Busy> {
        let Inner { rate, clock, per_second, places, .. } = &*self.0;
        rate.check_key(caller).map_err(|early| Busy::Rate {
            per_second: *per_second,
            retry_after: early.wait_time_from(clock.now()).max(Duration::from_secs(1)),
        })?;
        if rate.len() > CALLERS {
            rate.retain_recent();
        }
        places.try_acquire(caller, 1).map(CallPermit).map_err(|why| match why {
            NoPermit::Taken => Busy::Full { calls: places.permits(), retry_after: RETRY_WHEN_FULL },
            NoPermit::LeftToOthers { held } => Busy::Own { held, calls: places.permits(), retry_after: RETRY_WHEN_FULL },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NonZeroU32 = NonZeroU32::MIN;

    #[test]
    fn a_caller_over_its_rate_is_told_when_to_come_back_and_another_is_not() {
        let admission = Admission::with_places(ONE, 1000);
        for _ in 0..BURST_SECONDS {
            admission.admit(&Account::Anonymous).expect("a burst is fine");
        }
        let busy = admission.admit(&Account::Anonymous).expect_err("too many");
        assert!(matches!(busy, Busy::Rate { .. }), "{busy}");
        assert!(busy.to_string().contains("retry after 1 s"), "{busy}");
        admission.admit(&Account::Operator).expect("somebody else");
    }

    #[test]
    fn a_place_is_free_again_once_its_call_is_over() {
        let admission = Admission::with_places(NonZeroU32::MAX, 2);
        let (first, _second) =
            (admission.admit(&Account::Anonymous).expect("free"), admission.admit(&Account::Anonymous).expect("free"));
        let busy = admission.admit(&Account::Anonymous).expect_err("full");
        assert_eq!(busy, Busy::Full { calls: 2, retry_after: RETRY_WHEN_FULL });
        assert!(busy.to_string().contains("retry after 2 s"), "{busy}");
        drop(first);
        admission.admit(&Account::Anonymous).expect("free again");
    }

    #[test]
    fn a_caller_with_half_of_the_places_leaves_the_rest_to_others() {
        let admission = Admission::with_places(NonZeroU32::MAX, 8);
        let [greedy, other] = ["greedy", "other"].map(|name| Account::User(name.into()));
        let held: Vec<_> = (0..4).map(|_| admission.admit(&greedy).expect("free")).collect();
        let busy = admission.admit(&greedy).expect_err("the rest is left to others");
        assert_eq!(busy, Busy::Own { held: 4, calls: 8, retry_after: RETRY_WHEN_FULL });
        assert!(busy.to_string().contains("you have 4 of the 8 calls"), "{busy}");
        let _others = admission.admit(&other).expect("it is left to others");
        drop(held);
        admission.admit(&greedy).expect("free again");
    }

    #[test]
    fn refusals_that_are_given_together_end_one_after_the_other() {
        let admission = Admission::with_places(ONE, 1);
        let mut times: Vec<_> = (0..16).map(|_| admission.refusal_time()).collect();
        times.sort_unstable();
        assert!(times[0] >= REFUSAL_TIME && times[15] <= 2 * REFUSAL_TIME, "{times:?}");
        let apart = times.windows(2).map(|pair| pair[1] - pair[0]).min();
        assert!(apart >= Some(REFUSAL_TIME / 32), "{times:?}");
    }

    #[test]
    fn the_places_follow_from_the_memory_within_bounds() {
        let calls = |memory| Admission::new(ONE, memory).0.places.permits();
        assert_eq!(calls(0), 64);
        assert_eq!(calls(1 << 30), 128);
        assert_eq!(calls(u64::MAX), 1024);
    }
}
