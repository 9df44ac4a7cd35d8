//! Reading a request's body, in bounded time and memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of a body.
const BODY_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of a body that each connection may have. A call's arguments are a few hundred.
const SMALL_BODY_BYTES: usize = 16 * 1024;

/// Bodies beyond that at once, from their arrival until their request is answered. Parsed, one of the largest
/// takes some 10 MB.
const LARGE_BODIES: usize = 4;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// When a client should try again with a large body.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Reads bodies. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bodies(Arc<Semaphore>);

/// What a large body holds until its request is answered.
pub(super) type LargeBody = OwnedSemaphorePermit;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRead {
    #[error("the body is larger than {BODY_BYTES} bytes")]
    TooLarge,
    #[error("the server is busy with other large requests; send less than {SMALL_BODY_BYTES} bytes, or retry after {} s", .retry_after.as_secs())]
    Busy { retry_after: Duration },
    #[error("the body did not arrive within {} s", BODY_TIME.as_secs())]
    Late,
    #[error("the body did not arrive whole")]
    Broken,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::of(LARGE_BODIES)
    }
}

impl Bodies {
    /// Reads so many large bodies at once.
    pub(super) fn of(large: usize) -> Self {
        Self(Arc::new(Semaphore::new(large)))
    }

    /// The place of a large body, if there is one.
    pub(super) fn try_large(&self) -> Option<LargeBody> {
        self.0.clone().try_acquire_owned().ok()
    }

    /// Reads a body to its end.
    pub(super) async fn read(&self, body: impl Body<Data = Bytes>) -> Result<(Vec<u8>, Option<LargeBody>), NotRead> {
        tokio::time::timeout(BODY_TIME, self.collect(body)).await.unwrap_or(Err(NotRead::Late))
    }

    async fn collect(&self, body: impl Body<Data = Bytes>) -> Result<(Vec<u8>, Option<LargeBody>), NotRead> {
        let mut body = std::pin::pin!(body);
        let mut bytes = Vec::new();
        let mut large = None;
        while let Some(frame) = body.frame().await {
            // Trailers say nothing to us, and a parser's words are not for others.
            let data: Bytes = frame.map_err(|_| NotRead::Broken)?.into_data().unwrap_or_default();
            let length = bytes.len() + data.len();
            if length > BODY_BYTES {
                return Err(NotRead::TooLarge);
            }
            if length > SMALL_BODY_BYTES && large.is_none() {
                large = Some(self.try_large().ok_or(NotRead::Busy { retry_after: RETRY_AFTER })?);
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes, large))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream::{self, StreamExt};
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    fn of(bytes: usize) -> Full<Bytes> {
        Full::from(vec![b'x'; bytes])
    }

    #[tokio::test]
    async fn large_bodies_are_few_at_once_and_small_ones_never_wait_for_them() {
        let bodies = Bodies::default();
        let mut held = Vec::new();
        for _ in 0..LARGE_BODIES {
            let (bytes, large) = bodies.read(of(BODY_BYTES)).await.expect("free");
            assert_eq!(bytes.len(), BODY_BYTES);
            held.push(large.expect("it is large"));
        }
        assert!(matches!(bodies.read(of(SMALL_BODY_BYTES + 1)).await, Err(NotRead::Busy { .. })));
        let (_, large) = bodies.read(of(SMALL_BODY_BYTES)).await.expect("small ones are read");
        assert!(large.is_none());
        held.pop();
        bodies.read(of(SMALL_BODY_BYTES + 1)).await.expect("free again");
    }

    #[tokio::test]
    async fn a_body_without_end_is_refused_after_the_limit() {
        let frames = stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 1000]))));
        assert!(matches!(Bodies::default().read(StreamBody::new(frames)).await, Err(NotRead::TooLarge)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_byte_by_byte_is_given_up() {
        let drops = stream::repeat(()).then(async |()| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
        });
        let bodies = Bodies::default();
        assert!(matches!(bodies.read(StreamBody::new(drops)).await, Err(NotRead::Late)));
    }
}
