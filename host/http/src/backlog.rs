//! How many bytes of answers may wait for their readers, all together. A slow reader costs the memory of what it has not read; with
//! many of them at once that is more than the container has, so a large answer that finds no room is given up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of an answer that is not counted: it is no larger than what a connection has anyway.
const SMALL: usize = 64 * 1024;

/// Bytes that are counted as one.
const UNIT: usize = 1024;

/// When a caller should try again: the time that readers of a few large answers take.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The room for answers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Backlog {
    units: Arc<Semaphore>,
    all: u32,
}

/// The room of one answer, until it has been sent or given up; none for a small one.
pub(super) struct Queued(#[expect(dead_code, reason = "it is free again once this is dropped")] Option<OwnedSemaphorePermit>);

/// There is no room for an answer. In words for the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "busy: the answer is there, but too many large answers are waiting for their readers; retry after {} s, or ask for less",
    RETRY_AFTER.as_secs()
)]
pub(super) struct NoRoom;

impl Backlog {
    /// Room for so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes / UNIT as u64).unwrap_or(u32::MAX);
        Self { units: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// Counts an answer of so many bytes. One that is larger than all the room is let out when there is no other.
    pub(super) fn take(&self, bytes: usize) -> Result<Queued, NoRoom> {
        if bytes <= SMALL {
            return Ok(Queued(None));
        }
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.all);
        self.units.clone().try_acquire_many_owned(units).map(|permit| Queued(Some(permit))).map_err(|_| NoRoom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_have_room_together_until_they_are_read() {
        let backlog = Backlog::new(4 * SMALL as u64);
        let first = backlog.take(3 * SMALL).expect("there is room");
        assert_eq!(backlog.take(2 * SMALL).err(), Some(NoRoom));
        assert!(backlog.take(SMALL).is_ok(), "a small one needs none");
        drop(first);
        let all = backlog.take(9 * SMALL).expect("more than there is, but alone");
        assert_eq!(backlog.take(2 * SMALL).err(), Some(NoRoom));
        drop(all);
        assert!(backlog.take(2 * SMALL).is_ok());
    }
}
