//! What was found out about a token or a right, remembered for as long as it counts.
//!
//! Each verdict has a time of its own. What is asked about is kept as a digest, because it may be a secret, and many who ask for the same at
//! once wait for one answer. What could not be found out is not remembered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;
use sha2::{Digest as _, Sha256};

/// Bytes of an entry beside its verdict.
const ENTRY_BYTES: usize = 256;

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
pub struct Verdicts<V>(Cache<Digest, Timed<V>>);

/// A verdict, and for how long it counts.
#[derive(Clone)]
struct Timed<V> {
    verdict: V,
    good_for: Duration,
}

/// Each entry ends by its own time.
struct OwnTime;

impl<V> Expiry<Digest, Timed<V>> for OwnTime {
    fn expire_after_create(&self, _: &Digest, timed: &Timed<V>, _: Instant) -> Option<Duration> {
        Some(timed.good_for)
    }

    fn expire_after_update(&self, _: &Digest, timed: &Timed<V>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(timed.good_for)
    }
}

impl<V: Clone + Send + Sync + 'static> Verdicts<V> {
    /// Room for so many bytes, where `bytes` says how many a verdict takes.
    pub fn new(room: u64, bytes: impl Fn(&V) -> usize + Send + Sync + 'static) -> Self {
        let weight = move |_: &Digest, timed: &Timed<V>| u32::try_from(bytes(&timed.verdict) + ENTRY_BYTES).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(room).weigher(weight).expire_after(OwnTime).build())
    }

    /// The verdict, if there is one that still counts.
    pub async fn get(&self, digest: Digest) -> Option<V> {
        self.0.get(&digest).await.map(|timed| timed.verdict)
    }

    /// Remembers a verdict for as long as it counts.
    pub async fn insert(&self, digest: Digest, verdict: V, good_for: Duration) {
        self.0.insert(digest, Timed { verdict, good_for }).await;
    }

    /// The verdict; where there is none, it is found out, with the time for which it counts.
    pub async fn get_or_find<E>(
        &self,
        digest: Digest,
        finding: impl Future<Output = Result<(V, Duration), E>>,
    ) -> Result<V, Arc<E>>
    where
        E: Send + Sync + 'static,
    {
        let finding = async { finding.await.map(|(verdict, good_for)| Timed { verdict, good_for }) };
        self.0.try_get_with(digest, finding).await.map(|timed| timed.verdict)
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
        assert_eq!(find(Err("not now")).await, Err(Arc::new("not now")));
        assert_eq!(find(Ok(1)).await, Ok(1));
        assert_eq!(find(Ok(2)).await, Ok(1));
        assert_eq!(find(Err("not now")).await, Ok(1));
        assert_eq!(verdicts.get(Digest::of("it")).await, Some(1));
        assert_eq!(verdicts.get(Digest::of("another")).await, None);
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
        const ROOM: u64 = 100 * 1024;
        let verdicts = Verdicts::new(ROOM, |text: &String| text.len());
        for number in 0..1_000_u32 {
            let finding = async { Ok::<_, ()>(("x".repeat(1024), AN_HOUR)) };
            verdicts.get_or_find(Digest::of(number.to_be_bytes()), finding).await.expect("found");
        }
        verdicts.0.run_pending_tasks().await;
        assert!((1..=ROOM).contains(&verdicts.0.weighted_size()), "{}", verdicts.0.weighted_size());
    }
}
