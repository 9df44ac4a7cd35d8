//! How many bytes of answers may wait for their readers, all together. A slow reader costs the memory of what it has not read; with
//! many of them at once that is more than the container has, so a large answer that finds no room is given up.

use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use http_body::Body as _;
use tokio::sync::Semaphore;

use super::held::until_sent;

/// Bytes of an answer that is not counted: it is no larger than what a connection has anyway.
const SMALL: u64 = 64 * 1024;

/// Bytes that are counted as one.
const UNIT: u64 = 1024;

/// When a caller should try again: the time that readers of a few large answers take.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Room for answers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Unread {
    room: Arc<Semaphore>,
    units: u32,
}

/// There is no room for an answer. In words for the model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "busy: the answer is there, but too many large answers are waiting for their readers; retry after {} s, or ask for less",
    RETRY_AFTER.as_secs()
)]
pub(super) struct NoRoom;

impl Unread {
    /// Room for so many bytes.
    pub(super) fn new(bytes: u64) -> Self {
        let units = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX);
        Self { room: Arc::new(Semaphore::new(units as usize)), units }
    }

    /// Counts an answer until it has been sent or given up. One that is larger than all the room is let out when there is no other.
    pub(super) fn keep(&self, answer: Response) -> Result<Response, NoRoom> {
        // A stream has no size: what it brings is bounded event by event.
        let bytes = answer.body().size_hint().exact().unwrap_or_default();
        if bytes <= SMALL {
            return Ok(answer);
        }
        let units = u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX).min(self.units);
        let permit = self.room.clone().try_acquire_many_owned(units).map_err(|_| NoRoom)?;
        Ok(until_sent(answer, permit))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn answer(bytes: u64) -> Response {
        Response::new(Body::from("x".repeat(usize::try_from(bytes).expect("few"))))
    }

    #[test]
    fn large_answers_have_room_together_until_they_are_read() {
        let unread = Unread::new(4 * SMALL);
        let first = unread.keep(answer(3 * SMALL)).expect("there is room");
        assert_eq!(unread.keep(answer(2 * SMALL)).err(), Some(NoRoom));
        assert!(unread.keep(answer(SMALL)).is_ok(), "a small one needs none");
        drop(first);
        let all = unread.keep(answer(9 * SMALL)).expect("more than there is, but alone");
        assert_eq!(unread.keep(answer(2 * SMALL)).err(), Some(NoRoom));
        drop(all);
        assert!(unread.keep(answer(2 * SMALL)).is_ok());
    }
}
