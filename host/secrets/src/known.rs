//! Caches by short name: the objects of a list have the same keys, and so have the lines of a log.

use std::hash::BuildHasher as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustc_hash::FxBuildHasher;

/// Names that are remembered: ten for each of a pod, so that two of them seldom have the same slot.
const NAMES: usize = 1024;

/// Caches that nobody uses. There are seldom more threads at a time that look into objects.
const LEFT: usize = 8;

/// A direct-mapped cache of a thread: each name has one slot, and replaces another there, so that nobody can fill it. A long call has a
/// thread of its own, so the cache of a thread that ends is left to the next.
pub struct NameCache<T: 'static> {
    names: Vec<(ShortName, T)>,
    left: &'static LeftCaches<T>,
}

/// The caches of threads that have ended.
pub struct LeftCaches<T>(Mutex<Vec<Vec<(ShortName, T)>>>);

/// A name of up to 31 bytes, with its length in the last byte.
type ShortName = [u64; 4];

impl<T> LeftCaches<T> {
    /// None yet.
    pub const fn none() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Vec<(ShortName, T)>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Copy + Default> NameCache<T> {
    /// A cache for this thread.
    pub fn of(left: &'static LeftCaches<T>) -> Self {
        // The empty name is known with the default value.
        let names = left.lock().pop().unwrap_or_else(|| vec![([0; 4], T::default()); NAMES]);
        Self { names, left }
    }
}

impl<T> Drop for NameCache<T> {
    fn drop(&mut self) {
        let mut left = self.left.lock();
        if left.len() < LEFT {
            left.push(std::mem::take(&mut self.names));
        }
    }
}

impl<T: Copy> NameCache<T> {
    /// The value of a name, computed now if it is not cached. It depends on the name alone.
    pub fn find(&mut self, name: &str, find: impl Fn(&str) -> T) -> T {
        let Some(short) = short(name) else { return find(name) };
        let place = FxBuildHasher.hash_one((short[0], short[1], short[2], short[3])) as usize % NAMES;
        let (known, found) = &mut self.names[place];
        if *known != short {
            (*known, *found) = (short, find(name));
        }
        *found
    }
}

/// Reads whole words, which may overlap: a copy of any length would be a call of its own for these few bytes.
fn short(name: &str) -> Option<ShortName> {
    let (bytes, length) = (name.as_bytes(), name.len());
    let word = |at: usize| bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
    let [first, second, third, last] = match length {
        0..8 => [bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)), 0, 0, 0],
        8..=16 => [word(0), word(length - 8), 0, 0],
        17..=24 => [word(0), word(8), word(length - 8), 0],
        25..32 => [word(0), word(8), word(16), word(length - 8) >> (8 * (32 - length))],
        _ => return None,
    };
    Some([first, second, third, last | (length as u64) << 56])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache<T: Copy + Default>() -> NameCache<T> {
        NameCache::of(Box::leak(Box::new(LeftCaches::none())))
    }

    #[test]
    fn of_each_name_its_own_is_known_however_many_there_are() {
        let mut known = cache::<usize>();
        let names = (0..2_000).flat_map(|n| [n.to_string(), format!("{n}\0"), format!("{n}{}", "x".repeat(n % 40))]);
        let names: Vec<String> = names.chain([String::new(), "é".repeat(11), "é".repeat(12)]).collect();
        for name in names.iter().chain(&names) {
            let sum = |name: &str| name.bytes().map(usize::from).sum::<usize>();
            assert_eq!(known.find(name, sum), sum(name), "{name}");
        }
    }

    #[test]
    fn what_is_known_is_not_found_out_again() {
        let mut known = cache();
        assert_eq!(known.find("name", |_| 7), 7);
        assert_eq!(known.find("name", |_| unreachable!()), 7);
        assert_eq!(known.find(&"x".repeat(31), |_| 7), 7);
        assert_eq!(known.find(&"x".repeat(31), |_| unreachable!()), 7);
        assert_eq!(known.find(&"x".repeat(32), |_| 8), 8);
        assert_eq!(known.find(&"x".repeat(32), |_| 9), 9, "long ones are not remembered");
    }

    #[test]
    fn what_a_thread_knew_the_next_one_knows_and_few_are_kept() {
        static LEFT_OVER: LeftCaches<u32> = LeftCaches::none();
        let on_a_thread = |find: fn(&str) -> u32| {
            let looking = move || NameCache::of(&LEFT_OVER).find("name", find);
            std::thread::spawn(looking).join().expect("no panic")
        };
        assert_eq!(on_a_thread(|_| 7), 7);
        assert_eq!(on_a_thread(|_| unreachable!()), 7);
        drop((0..2 * LEFT).map(|_| NameCache::of(&LEFT_OVER)).collect::<Vec<_>>());
        assert_eq!(LEFT_OVER.lock().len(), LEFT);
    }
}
