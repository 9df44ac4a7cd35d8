//! How many bytes of answers may wait for their readers, all together. A slow reader costs the memory of what it has not read; with
//! many of them at once that is more than the container has, so a large answer that finds no room is given up. No caller has more of the
//! room than it leaves to others.

use std::time::Duration;

use sandbar_policy::Account;
use sandbar_processor::{FairPermit, FairSemaphore, NoPermit, Share};

/// Bytes of an answer that is not counted: it is no larger than what a connection has anyway.
const SMALL: usize = 64 * 1024;

/// Bytes that are counted as one.
const UNIT: usize = 1024;

/// When a caller should try again: the time that readers of a few large answers take.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The room for answers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Backlog {
    units: FairSemaphore,
    all: usize,
}

/// The room of one answer, until it has been sent or given up; none for a small one.
pub(super) struct Queued(#[expect(dead_code, reason = "it is free again once this is dropped")] Option<FairPermit>);

/// There is no room for an answer. In words for the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoRoom {
    /// Others take it.
    #[error(
        "busy: the answer is there, but too many large answers are waiting for their readers; retry after {} s, or ask for less",
        RETRY_AFTER.as_secs()
    )]
    Taken,
    /// The rest is left to others.
    #[error(
        "busy: the answer is there, but you have {bytes} bytes of others that are not read yet, and the rest of the room is left to other \
        callers; read them, and retry after {} s, or ask for less",
        RETRY_AFTER.as_secs()
    )]
    Own { bytes: usize },
}

impl Backlog {
    /// Room for so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let all = usize::try_from(bytes / UNIT as u64).unwrap_or(usize::MAX);
        Self { units: FairSemaphore::new(Share::Half, all, 0), all }
    }

    /// The bytes that wait now, in whole KiB.
    pub(super) fn bytes(&self) -> usize {
        self.units.taken().saturating_mul(UNIT)
    }

    /// Counts an answer of so many bytes for this caller. One that is larger than all the room is let out when there is no other.
    pub(super) fn take(&self, caller: &Account, bytes: usize) -> Result<Queued, NoRoom> {
        if bytes <= SMALL {
            return Ok(Queued(None));
        }
        let units = bytes.div_ceil(UNIT).min(self.all);
        self.units.try_acquire(caller, units).map(|permit| Queued(Some(permit))).map_err(|why| match why {
            NoPermit::Taken => NoRoom::Taken,
            NoPermit::LeftToOthers { held } => NoRoom::Own { bytes: held * UNIT },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_answers_have_room_together_until_they_are_read() {
        let backlog = Backlog::new(4 * SMALL as u64);
        let take = |bytes| backlog.take(&Account::Anonymous, bytes);
        let first = take(3 * SMALL).expect("there is room");
        assert_eq!(take(2 * SMALL).err(), Some(NoRoom::Taken));
        assert!(take(SMALL).is_ok(), "a small one needs none");
        drop(first);
        let all = take(9 * SMALL).expect("more than there is, but alone");
        assert_eq!(take(2 * SMALL).err(), Some(NoRoom::Taken));
        drop(all);
        assert!(take(2 * SMALL).is_ok());
    }

    #[test]
    fn whoever_does_not_read_leaves_room_to_those_who_do() {
        let backlog = Backlog::new(10 * 2 * SMALL as u64);
        let [slow, other] = ["slow", "other"].map(|name| Account::User(name.into()));
        let unread: Vec<_> = std::iter::from_fn(|| backlog.take(&slow, 2 * SMALL).ok()).collect();
        assert_eq!(unread.len(), 5);
        let no_room = backlog.take(&slow, 2 * SMALL).err().expect("the rest is left to others");
        assert_eq!(no_room, NoRoom::Own { bytes: 10 * SMALL });
        assert!(backlog.take(&slow, SMALL).is_ok() && backlog.take(&other, 10 * SMALL).is_ok());
        drop(unread);
        assert!(backlog.take(&slow, 2 * SMALL).is_ok());
    }
}
