//! The memory that answers may take on their way to the client, all together.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::{Failure, FailureKind};

/// Bytes of one message of the server. A tool's result has at most 4 MiB unless an operator allows more, and stands in an answer twice.
pub(crate) const MESSAGE_MAX: usize = 32 << 20;

/// Bytes of all messages of the server that wait for the client.
const TOTAL: usize = 64 << 20;

/// Bytes of one thing that is kept when its message is gone, such as the id of a session or of an event. It comes back in a header, of
/// which many servers take no more.
const KEPT_MAX: usize = 8 * 1024;

/// What memory is counted in.
const UNIT: usize = 1024;

/// The memory for answers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

/// What a message takes of it.
#[derive(Default)]
pub(crate) struct Taken {
    permit: Option<OwnedSemaphorePermit>,
}

/// A message, and the room that it takes until it is with the client.
pub(crate) struct Text {
    pub(crate) bytes: Bytes,
    taken: Taken,
}

/// Refuses something of the server's that is too long to be kept when its message is gone.
pub(crate) fn check_kept(what: &str, bytes: usize) -> Result<(), Failure> {
    if bytes <= KEPT_MAX {
        return Ok(());
    }
    let words = format!("{what} takes {bytes} bytes, and {KEPT_MAX} are the most that is kept of a server's");
    Err(Failure::new(FailureKind::Refused, words))
}

/// Something of the server's that comes back in a header, in memory of its own. None where no header can hold it.
pub(crate) fn kept(what: &str, value: &[u8]) -> Result<Option<HeaderValue>, Failure> {
    check_kept(what, value.len())?;
    Ok(HeaderValue::from_bytes(value).ok())
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TOTAL / UNIT)))
    }
}

impl Room {
    /// Sees that `taken` is enough for so many bytes.
    pub(crate) fn grow(&self, taken: &mut Taken, bytes: usize) -> Result<(), Failure> {
        if bytes > MESSAGE_MAX {
            let words = format!(
                "the server's answer is over {} MiB, which is the most that is passed on; ask for less",
                MESSAGE_MAX >> 20
            );
            return Err(Failure::new(FailureKind::Refused, words));
        }
        let has = taken.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = u32::try_from(bytes.div_ceil(UNIT).saturating_sub(has)).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        // Nobody waits for room while holding some.
        let permit = self.0.clone().try_acquire_many_owned(more).map_err(|_| {
            let words = format!("answers of {} MiB wait for the client already; ask again when it has read them", TOTAL >> 20);
            Failure::new(FailureKind::Refused, words)
        })?;
        match &mut taken.permit {
            Some(taken) => taken.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }
}

impl Text {
    /// A short one of our own, which takes none.
    pub(crate) fn of(text: impl Into<Bytes>) -> Self {
        Self { bytes: text.into(), taken: Taken::default() }
    }

    /// One that takes room.
    pub(crate) fn taking(taken: Taken, text: impl Into<Bytes>) -> Self {
        Self { bytes: text.into(), taken }
    }

    /// Other words in its place.
    pub(crate) fn rewritten(self, text: String) -> Self {
        Self { bytes: text.into(), taken: self.taken }
    }

    /// Its bytes, which take the room for as long as anybody has them.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self.taken.permit {
            Some(_) => Bytes::from_owner(self),
            None => self.bytes,
        }
    }
}

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_or_too_much_together_is_refused_and_room_comes_back() {
        let room = Room::default();
        let mut taken = Taken::default();
        assert!(room.grow(&mut taken, MESSAGE_MAX + 1).is_err());
        let mut held = Vec::new();
        for _ in 0..TOTAL / MESSAGE_MAX {
            let mut taken = Taken::default();
            room.grow(&mut taken, MESSAGE_MAX / 2).expect("room");
            room.grow(&mut taken, MESSAGE_MAX).expect("room");
            held.push(taken);
        }
        let words = room.grow(&mut taken, 1).expect_err("full").words;
        assert!(words.contains("64 MiB"), "{words}");
        held.pop();
        room.grow(&mut taken, 1).expect("room again");
    }

    #[test]
    fn a_message_takes_its_room_until_nobody_has_its_bytes() {
        let room = Room::default();
        let mut taken = Taken::default();
        room.grow(&mut taken, MESSAGE_MAX).expect("room");
        let bytes = Text::taking(taken, "x").rewritten("y".to_owned()).into_bytes();
        assert_eq!((&bytes[..], room.0.available_permits()), (&b"y"[..], (TOTAL - MESSAGE_MAX) / UNIT));
        drop(bytes);
        assert_eq!(room.0.available_permits(), TOTAL / UNIT);
    }

    #[test]
    fn what_is_kept_is_short_or_refused_in_words() {
        assert_eq!(kept("an id", &[b'x'; KEPT_MAX]).map(|value| value.map(|value| value.len())), Ok(Some(KEPT_MAX)));
        assert_eq!(kept("an id", b"a\nb"), Ok(None));
        let failure = kept("an id", &[b'x'; KEPT_MAX + 1]).expect_err("too long");
        assert_eq!(failure.kind, FailureKind::Refused);
        assert!(failure.words.starts_with("an id takes 8193 bytes") && failure.words.contains("8192"), "{}", failure.words);
    }
}
