//! The memory for all objects of a snapshot.

use super::object::Object;

/// Bytes that a snapshot keeps.
const KEPT_BYTES: usize = 256 << 20;

/// Objects that a snapshot keeps.
const KEPT_OBJECTS: usize = 1_000_000;

/// Bytes of an object beside its texts: itself, in a vector with spare capacity, and its entry in a map.
const OBJECT_BYTES: usize = 3 * size_of::<Object>();

/// The memory that is left.
#[derive(Clone, Copy)]
pub(super) struct Room {
    bytes: usize,
    objects: usize,
    /// Bytes of one object.
    largest: usize,
}

impl Room {
    /// All of it, for objects of `largest` bytes at most.
    pub(super) fn new(largest: usize) -> Self {
        Self { bytes: KEPT_BYTES, objects: KEPT_OBJECTS, largest }
    }

    /// A test's bounds.
    #[cfg(test)]
    pub(super) fn of(bytes: usize, objects: usize) -> Self {
        Self { bytes, objects, largest: usize::MAX }
    }

    /// The object, unless it is too large to be served. It takes no memory yet.
    pub(super) fn admit(self, object: Object) -> Result<Object, String> {
        let bytes = object.json.len();
        if bytes <= self.largest {
            Ok(object)
        } else {
            Err(format!("an object of {bytes} bytes, and one can have {} MiB", self.largest >> 20))
        }
    }

    /// Takes the memory of a whole object.
    ///
    /// # Errors
    /// If less is left.
    pub(super) fn take_object(&mut self, object: &Object) -> Result<(), String> {
        let objects = self.objects.checked_sub(1);
        self.objects = objects.ok_or_else(|| {
            format!("a snapshot holds {KEPT_OBJECTS} objects at most, and this file has more; give a part of it")
        })?;
        self.take(OBJECT_BYTES + object.json.len())
    }

    /// Takes bytes.
    ///
    /// # Errors
    /// If fewer are left.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), String> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or_else(|| {
            format!("a snapshot holds {} MiB of objects at most, and this file has more; give a part of it", KEPT_BYTES >> 20)
        })?;
        Ok(())
    }
}
