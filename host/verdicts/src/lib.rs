//! Cache of decisions on tokens and rights, each with its own time to live, bounded in bytes.
//!
//! Keys are digests, since a token is a secret. Concurrent lookups of one key are coalesced; failures are not cached.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::{Cache, DefaultLifecycle, EntryAction, EntryResult};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};
use sha2::{Digest as _, Sha256};

/// Bytes of an entry beside its verdict.
const ENTRY_BYTES: usize = 256;

/// Parts of the room that are locked each for itself. A verdict that is larger than one is not remembered, so their number does not follow
/// from that of the processors.
const PARTS: usize = 4;

/// A digest of what a verdict is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// That of these bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// For a digest of several.
impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Verdicts that still count. Of those that are more than there is room for, the least used go.
pub struct Verdicts<V> {
    known: Cache<Digest, Timed<V>, Weight<V>>,
    remembered: AtomicU64,
    found_out: AtomicU64,
}

/// How often verdicts were asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// One was there, or somebody else was just finding it out.
    pub remembered: u64,
    /// It had to be found out, whether that worked or not.
    pub found_out: u64,
}

impl std::ops::Add for Uses {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { remembered: self.remembered + other.remembered, found_out: self.found_out + other.found_out }
    }
}

/// A verdict, and until when it counts.
#[derive(Clone)]
struct Timed<V> {
    verdict: V,
    until: Instant,
}

impl<V> Timed<V> {
    fn new(verdict: V, good_for: Duration) -> Self {
        Self { verdict, until: Instant::now() + good_for }
    }

    fn counts(&self) -> bool {
        Instant::now() < self.until
    }
}

/// How many bytes a verdict takes.
#[derive(Clone, Copy)]
struct Weight<V>(fn(&V) -> usize);

impl<V> Weighter<Digest, Timed<V>> for Weight<V> {
    fn weight(&self, _: &Digest, timed: &Timed<V>) -> u64 {
        ((self.0)(&timed.verdict) + ENTRY_BYTES) as u64
    }
}

impl<V: Clone> Verdicts<V> {
    /// Room for so many bytes, where `bytes` says how many a verdict takes.
    pub fn new(room: usize, bytes: fn(&V) -> usize) -> Self {
        let mut options = OptionsBuilder::new();
        // Its table grows as it is filled; so many there are when all are small.
        options.shards(PARTS).weight_capacity(room as u64).estimated_items_capacity(room / ENTRY_BYTES);
        let options = options.build().expect("the options that have to be given are");
        let known = Cache::with_options(options, Weight(bytes), DefaultHashBuilder::default(), DefaultLifecycle::default());
        Self { known, remembered: AtomicU64::new(0), found_out: AtomicU64::new(0) }
    }

    /// How often verdicts were asked for. Where there was none, and nobody went on to find it out, it does not count.
    pub fn uses(&self) -> Uses {
        Uses { remembered: self.remembered.load(Ordering::Relaxed), found_out: self.found_out.load(Ordering::Relaxed) }
    }

    /// The verdict, if there is one that still counts.
    pub fn get(&self, digest: Digest) -> Option<V> {
        let verdict = self.known.get(&digest).filter(Timed::counts).map(|timed| timed.verdict)?;
        self.remembered.fetch_add(1, Ordering::Relaxed);
        Some(verdict)
    }

    /// Remembers a verdict for as long as it counts.
    pub fn insert(&self, digest: Digest, verdict: V, good_for: Duration) {
        self.known.insert(digest, Timed::new(verdict, good_for));
    }

    /// The verdict; where there is none, it is found out, with the time for which it counts. Of many who ask at once one finds out and the
    /// others wait for it; where that fails or is given up, the next of them goes on.
    pub async fn get_or_find<E>(&self, digest: Digest, finding: impl Future<Output = Result<(V, Duration), E>>) -> Result<V, E> {
        let if_it_counts = |_: &Digest, timed: &mut Timed<V>| {
            if timed.counts() { EntryAction::Retain(timed.verdict.clone()) } else { EntryAction::ReplaceWithGuard }
        };
        match self.known.entry_async(&digest, if_it_counts).await {
            EntryResult::Retained(verdict) => {
                self.remembered.fetch_add(1, Ordering::Relaxed);
                Ok(verdict)
            }
            EntryResult::Vacant(place) | EntryResult::Replaced(place, _) => {
                self.found_out.fetch_add(1, Ordering::Relaxed);
                let (verdict, good_for) = finding.await?;
                // An error says that it was removed in the meantime, which nobody does.
                let _ = place.insert(Timed::new(verdict.clone(), good_for));
                Ok(verdict)
            }
            EntryResult::Removed(..) | EntryResult::Timeout => unreachable!("nothing is removed, and no time is set"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AN_HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn a_verdict_is_found_out_once_and_a_failure_each_time() {
        let verdicts = Verdicts::new(1 << 20, |_: &u32| 4);
        let find = async |found: Result<u32, &'static str>| {
            verdicts.get_or_find(Digest::of("it"), async { found.map(|verdict| (verdict, AN_HOUR)) }).await
        };
        assert_eq!(find(Err("not now")).await, Err("not now"));
        assert_eq!(find(Ok(1)).await, Ok(1));
        assert_eq!(find(Ok(2)).await, Ok(1));
        assert_eq!(find(Err("not now")).await, Ok(1));
        assert_eq!(verdicts.get(Digest::of("it")), Some(1));
        assert_eq!(verdicts.get(Digest::of("another")), None);
        assert_eq!(verdicts.uses(), Uses { remembered: 3, found_out: 2 });
    }

    #[tokio::test]
    async fn who_asks_while_it_is_found_out_waits_for_it_and_goes_on_where_that_is_given_up() {
        let verdicts = Verdicts::new(1 << 20, |_: &u32| 4);
        let it = Digest::of("it");
        let mut first = Box::pin(verdicts.get_or_find(it, std::future::pending::<Result<_, ()>>()));
        let mut second = Box::pin(verdicts.get_or_find(it, async { Ok::<_, ()>((2, AN_HOUR)) }));
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        let third = verdicts.get_or_find(it, async { Ok::<_, ()>((3, AN_HOUR)) });
        drop(first);
        assert_eq!(second.await, Ok(2));
        assert_eq!(third.await, Ok(2));
    }

    #[tokio::test]
    async fn a_verdict_whose_time_is_nothing_is_not_remembered() {
        let verdicts = Verdicts::new(1 << 20, |_: &u32| 4);
        for verdict in 0..3 {
            let found = verdicts.get_or_find(Digest::of("it"), async { Ok::<_, ()>((verdict, Duration::ZERO)) }).await;
            assert_eq!(found, Ok(verdict));
        }
    }

    #[tokio::test]
    async fn there_are_no_more_than_there_is_room_for() {
        const ROOM: usize = 100 * 1024;
        let verdicts = Verdicts::new(ROOM, |text: &String| text.len());
        for number in 0..1_000_u32 {
            let finding = async { Ok::<_, ()>(("x".repeat(1024), AN_HOUR)) };
            verdicts.get_or_find(Digest::of(number.to_be_bytes()), finding).await.expect("found");
        }
        let held = verdicts.known.weight();
        assert!((1..=ROOM as u64).contains(&held), "{held}");
    }
}
