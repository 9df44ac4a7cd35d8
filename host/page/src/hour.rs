//! The calls of one tool in the last hour, a minute at a time: how they ended, and how long they took.
//!
//! It takes 12 KB, however many calls there are. Times are kept by
//! buckets, none of which ends beyond twice its beginning.

use std::time::Duration;

use sandbar_catalog::Outcome;

/// Minutes that are kept.
pub(crate) const MINUTES: usize = 60;

/// Where buckets of times end, in milliseconds. The last one has no end: no call may take longer than an hour.
const BOUNDS: [u32; 29] = [
    1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000,
    15_000, 20_000, 30_000, 60_000, 120_000,
];

/// The calls of the last hour.
pub(crate) struct Hour {
    /// That of minute m stands at m modulo 60.
    minutes: Box<[Calls; MINUTES]>,
    /// The last minute that is in there, counted from the start of the server.
    newest: u64,
}

/// Some calls.
#[derive(Clone)]
pub(crate) struct Calls {
    /// In the order of [`Outcome::ALL`].
    outcomes: [u32; Outcome::ALL.len()],
    took: [u32; BOUNDS.len() + 1],
}

impl Default for Hour {
    fn default() -> Self {
        Self { minutes: Box::new(std::array::from_fn(|_| Calls::default())), newest: 0 }
    }
}

impl Hour {
    /// A call ended in this minute, and took as long if it was let in. One of more than an hour before another is forgotten.
    pub(crate) fn add(&mut self, minute: u64, outcome: Outcome, took: Option<Duration>) {
        self.advance(minute);
        if self.newest - minute < MINUTES as u64 {
            self.minutes[place(minute)].add(outcome, took);
        }
    }

    /// Empties the minutes that have passed since the newest one.
    fn advance(&mut self, minute: u64) {
        let passed = minute.saturating_sub(self.newest).min(MINUTES as u64);
        for gone in minute.saturating_sub(passed)..minute {
            self.minutes[place(gone + 1)] = Calls::default();
        }
        self.newest = self.newest.max(minute);
    }

    /// The last hour in spans of so many minutes, the oldest first. `now` is the minute that has begun.
    pub(crate) fn spans(&self, now: u64, minutes: usize) -> Vec<Calls> {
        let now = now.max(self.newest);
        let at = |ago: usize| {
            now.checked_sub(ago as u64).filter(|minute| *minute <= self.newest && self.newest - minute < MINUTES as u64)
        };
        let ago: Vec<usize> = (0..MINUTES).rev().collect();
        let span =
            |ago: &[usize]| -> Calls { ago.iter().filter_map(|ago| at(*ago)).map(|minute| &self.minutes[place(minute)]).sum() };
        ago.chunks(minutes).map(span).collect()
    }

    /// All of the last hour.
    pub(crate) fn all(&self, now: u64) -> Calls {
        self.spans(now, MINUTES).iter().sum()
    }
}

fn place(minute: u64) -> usize {
    // Below 60.
    (minute % MINUTES as u64) as usize
}

impl Default for Calls {
    fn default() -> Self {
        Self { outcomes: [0; Outcome::ALL.len()], took: [0; BOUNDS.len() + 1] }
    }
}

impl<'c> std::iter::Sum<&'c Self> for Calls {
    fn sum<I: Iterator<Item = &'c Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, calls| {
            sum.add_all(calls);
            sum
        })
    }
}

impl Calls {
    fn add(&mut self, outcome: Outcome, took: Option<Duration>) {
        if let Some(at) = Outcome::ALL.iter().position(|known| *known == outcome) {
            self.outcomes[at] = self.outcomes[at].saturating_add(1);
        }
        let Some(took) = took else { return };
        let bucket = BOUNDS.partition_point(|bound| Duration::from_millis((*bound).into()) < took);
        self.took[bucket] = self.took[bucket].saturating_add(1);
    }

    fn add_all(&mut self, other: &Self) {
        let sums = self.outcomes.iter_mut().chain(&mut self.took).zip(other.outcomes.iter().chain(&other.took));
        sums.for_each(|(sum, more)| *sum = sum.saturating_add(*more));
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        sum(&self.outcomes)
    }

    /// How many ended in this way.
    pub(crate) fn of(&self, outcome: Outcome) -> u32 {
        Outcome::ALL.iter().position(|known| *known == outcome).map_or(0, |at| self.outcomes[at])
    }

    /// How many ended in ways other than an answer, by these ways.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (Outcome, u32)> {
        let ended = Outcome::ALL.into_iter().zip(self.outcomes);
        ended.filter(|(outcome, count)| *outcome != Outcome::Answered && *count > 0)
    }

    /// How many of those are somebody's trouble: not those that their callers took back, or did not wait for.
    pub(crate) fn bad(&self) -> u64 {
        let bad = self.unanswered().filter(|(outcome, _)| is_bad(*outcome));
        bad.map(|(_, count)| u64::from(count)).sum()
    }

    /// The time that so many of a hundred calls took no longer than, in milliseconds; none without calls.
    pub(crate) fn percentile(&self, percent: u64) -> Option<f64> {
        let all = sum(&self.took);
        // Of one call it is that call.
        let wanted = (all * percent).div_ceil(100).max(1);
        let mut before = 0;
        for (at, count) in self.took.iter().map(|count| u64::from(*count)).enumerate().filter(|(_, count)| *count > 0) {
            if before + count >= wanted {
                let from = at.checked_sub(1).map_or(0.0, |below| f64::from(BOUNDS[below]));
                let to = BOUNDS.get(at).map_or(from, |bound| f64::from(*bound));
                // As if they were spread evenly over their bucket.
                return Some(from + (to - from) * ((wanted - before) as f64 - 0.5) / count as f64);
            }
            before += count;
        }
        None
    }
}

/// Whether a call that ended so is somebody's trouble.
pub(crate) fn is_bad(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Answered | Outcome::Cancelled | Outcome::Undelivered)
}

fn sum(counts: &[u32]) -> u64 {
    counts.iter().map(|count| u64::from(*count)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn counts(hour: &Hour, now: u64, minutes: usize) -> Vec<u64> {
        hour.spans(now, minutes).iter().map(Calls::count).collect()
    }

    #[test]
    fn an_hour_is_the_last_one() {
        let mut hour = Hour::default();
        for minute in [0, 0, 1, 59] {
            hour.add(minute, Outcome::Answered, Some(SECOND));
        }
        let mut expected = vec![0; 60];
        (expected[0], expected[1], expected[59]) = (2, 1, 1);
        assert_eq!(counts(&hour, 59, 1), expected);
        assert_eq!(hour.all(59).count(), 4);
        assert_eq!(hour.all(60).count(), 2, "those of minute 0 are over an hour old");
        assert_eq!(hour.all(118).count(), 1);
        assert_eq!(hour.all(119).count(), 0);
        hour.add(61, Outcome::Failed, Some(SECOND));
        assert_eq!((hour.all(61).count(), hour.all(61).bad()), (2, 1), "minutes 59 and 61 are left");
        hour.add(10_000, Outcome::Failed, Some(SECOND));
        assert_eq!(hour.all(10_000).count(), 1, "nothing comes back after hours without a call");
    }

    #[test]
    fn one_that_is_told_late_is_in_its_own_minute() {
        let mut hour = Hour::default();
        hour.add(70, Outcome::Answered, Some(SECOND));
        hour.add(69, Outcome::Answered, Some(SECOND));
        hour.add(10, Outcome::Answered, Some(SECOND));
        assert_eq!(counts(&hour, 70, 1)[58..], [1, 1]);
        assert_eq!(hour.all(70).count(), 2, "that of an hour ago is forgotten");
        assert_eq!(counts(&hour, 70, 2)[29], 2);
    }

    #[test]
    fn percentiles_are_within_their_buckets() {
        let mut calls = Calls::default();
        assert_eq!(calls.percentile(50), None);
        (0..99).for_each(|_| calls.add(Outcome::Answered, Some(Duration::from_millis(12))));
        calls.add(Outcome::Answered, Some(Duration::from_secs(4)));
        let of = |percent| calls.percentile(percent).unwrap_or_default();
        assert!((10.0..=15.0).contains(&of(50)) && (10.0..=15.0).contains(&of(99)), "{} {}", of(50), of(99));
        assert!((3_000.0..=5_000.0).contains(&of(100)), "{}", of(100));
        calls.add(Outcome::Answered, Some(Duration::from_secs(3_000)));
        assert_eq!(calls.percentile(100), Some(120_000.0), "the last bucket has no end");
    }
}
