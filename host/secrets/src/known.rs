//! A cache by short name: the objects of a list have the same keys, and so have the lines of a log.

use std::hash::BuildHasher as _;

use rustc_hash::FxBuildHasher;

/// Names that are remembered: ten for each of a pod, so that two of them seldom have the same slot.
const NAMES: usize = 1024;

/// A direct-mapped cache: each name has one slot, and replaces another there, so that nobody can fill it.
pub struct NameCache<T>(Box<[(ShortName, T); NAMES]>);

/// A name of up to 31 bytes, with its length in the last byte.
type ShortName = [u64; 4];

/// The empty name is known with the default value.
impl<T: Copy + Default> Default for NameCache<T> {
    fn default() -> Self {
        Self(Box::new([([0; 4], T::default()); NAMES]))
    }
}

impl<T: Copy> NameCache<T> {
    /// The value of a name, computed now if it is not cached. It depends on the name alone.
    pub fn find(&mut self, name: &str, find: impl Fn(&str) -> T) -> T {
        let Some(short) = short(name) else { return find(name) };
        let place = FxBuildHasher.hash_one((short[0], short[1], short[2], short[3])) as usize % NAMES;
        let (known, found) = &mut self.0[place];
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

    #[test]
    fn of_each_name_its_own_is_known_however_many_there_are() {
        let mut known = NameCache::<usize>::default();
        let names = (0..2_000).flat_map(|n| [n.to_string(), format!("{n}\0"), format!("{n}{}", "x".repeat(n % 40))]);
        let names: Vec<String> = names.chain([String::new(), "é".repeat(11), "é".repeat(12)]).collect();
        for name in names.iter().chain(&names) {
            let sum = |name: &str| name.bytes().map(usize::from).sum::<usize>();
            assert_eq!(known.find(name, sum), sum(name), "{name}");
        }
    }

    #[test]
    fn what_is_known_is_not_found_out_again() {
        let mut known = NameCache::default();
        assert_eq!(known.find("name", |_| 7), 7);
        assert_eq!(known.find("name", |_| unreachable!()), 7);
        assert_eq!(known.find(&"x".repeat(31), |_| 7), 7);
        assert_eq!(known.find(&"x".repeat(31), |_| unreachable!()), 7);
        assert_eq!(known.find(&"x".repeat(32), |_| 8), 8);
        assert_eq!(known.find(&"x".repeat(32), |_| 9), 9, "long ones are not remembered");
    }
}
