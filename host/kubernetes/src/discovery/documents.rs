//! The cache of all versions' documents, within one bound. The least recently used are removed first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::document::Resources;
use super::memory::Memory;

/// Bytes of all documents together: at least two thousand versions, and tens of thousands of resources.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Bytes of a version beside its names and resources, including the message of a failure.
const OVERHEAD: usize = 4 * 1024;

/// A group and a version.
type GroupVersion = (Box<str>, Box<str>);

/// The documents by group and version. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Documents {
    shelf: Arc<Mutex<Shelf>>,
}

#[derive(Default)]
struct Shelf {
    places: HashMap<GroupVersion, Entry>,
    bytes: usize,
    /// A counter of uses.
    uses: u64,
}

struct Entry {
    memory: Memory<Resources>,
    bytes: usize,
    /// The counter at the last use.
    used: u64,
}

impl Documents {
    /// The cache entry of a version's document. Its holder may fill it even after it was evicted here.
    pub(super) fn of(&self, group: &str, version: &str) -> Memory<Resources> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.uses += 1;
        let used = shelf.uses;
        let key = (group.into(), version.into());
        if let Some(place) = shelf.places.get_mut(&key) {
            place.used = used;
            return place.memory.clone();
        }
        let bytes = OVERHEAD + group.len() + version.len();
        let memory = Memory::default();
        shelf.places.insert(key, Entry { memory: memory.clone(), bytes, used });
        shelf.bytes += bytes;
        shelf.make_room();
        memory
    }

    /// Records the size of a version's document.
    pub(super) fn note(&self, group: &str, version: &str, resources: &Resources) {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = OVERHEAD + group.len() + version.len() + resources.bytes();
        let Some(place) = shelf.places.get_mut(&(group.into(), version.into())) else { return };
        let before = std::mem::replace(&mut place.bytes, bytes);
        shelf.bytes = shelf.bytes - before + bytes;
        shelf.make_room();
    }
}

impl Shelf {
    fn make_room(&mut self) {
        while self.bytes > BYTES_MAX {
            let oldest = self.places.iter().min_by_key(|(_, place)| place.used).map(|(key, _)| key.clone());
            let Some(place) = oldest.and_then(|key| self.places.remove(&key)) else { return };
            self.bytes -= place.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_is_given_up_first() {
        let documents = Documents::default();
        let kept = documents.of("kept.example", "v1");
        for n in 0..10_000 {
            documents.of(&format!("g{n}.example"), "v1");
            assert!(kept.is(&documents.of("kept.example", "v1")), "it is in use");
        }
        let shelf = documents.shelf.lock().expect("not poisoned");
        assert!(shelf.bytes <= BYTES_MAX && shelf.places.len() < 2_100, "{} bytes, {} versions", shelf.bytes, shelf.places.len());
        assert_eq!(shelf.bytes, shelf.places.values().map(|place| place.bytes).sum::<usize>());
        assert!(!shelf.places.contains_key(&("g0.example".into(), "v1".into())));
    }
}
