//! Reading a request's body, in bounded time and memory, and where what is in it is parsed.

use std::time::Duration;

use bytes::Bytes;
use http_body::Body as HttpBody;
use http_body_util::BodyExt;
use sandbar_policy::Account;
use sandbar_processor::{Failed, FairPermit, FairSemaphore, NoPermit, Processors, Share};

/// Bytes of a body.
const BODY_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of a body that each connection may have, and that are parsed in the task of its request: less than half a millisecond. A
/// call's arguments are a few hundred.
const SMALL_BODY_BYTES: usize = 16 * 1024;

/// Bodies beyond that at once, from their arrival until their request is answered, half of them for one caller. Parsed, one of the
/// largest takes some 10 MB.
const LARGE_BODIES: usize = 4;

/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// When a client should try again with a large body.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Reads bodies. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bodies {
    large: FairSemaphore,
    processors: Processors,
}

/// What a large body holds until its request is answered.
pub(super) type LargeBody = FairPermit;

/// A body that is all there.
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    /// Its place, if it is large.
    pub(super) large: Option<LargeBody>,
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotRead {
    #[error("the body is larger than {BODY_BYTES} bytes")]
    TooLarge,
    #[error("the server is busy with other large requests; send less than {SMALL_BODY_BYTES} bytes, or retry after {} s", .retry_after.as_secs())]
    Busy { retry_after: Duration },
    #[error("you have {held} of the {LARGE_BODIES} large requests that this server takes at once, and the rest is left to other callers; send less than {SMALL_BODY_BYTES} bytes, or retry after {} s", .retry_after.as_secs())]
    BusyWithYours { held: usize, retry_after: Duration },
    #[error("the body did not arrive within {} s", BODY_TIME.as_secs())]
    Late,
    #[error("the body did not arrive whole")]
    Broken,
}

impl Bodies {
    /// Large ones are parsed on these processors.
    pub(super) fn new(processors: Processors) -> Self {
        Self::of(LARGE_BODIES, processors)
    }

    /// So many large ones at once.
    pub(super) fn of(large: usize, processors: Processors) -> Self {
        Self { large: FairSemaphore::new(Share::Half, large, 0), processors }
    }

    /// The place of a large body of this caller, if there is one.
    pub(super) fn try_large(&self, caller: &Account) -> Result<LargeBody, NotRead> {
        self.large.try_acquire(caller, 1).map_err(|why| match why {
            NoPermit::Taken => NotRead::Busy { retry_after: RETRY_AFTER },
            NoPermit::LeftToOthers { held } => NotRead::BusyWithYours { held, retry_after: RETRY_AFTER },
        })
    }

    /// Reads a body to its end.
    pub(super) async fn read(&self, caller: &Account, body: impl HttpBody<Data = Bytes>) -> Result<Body, NotRead> {
        tokio::time::timeout(BODY_TIME, self.collect(caller, body)).await.unwrap_or(Err(NotRead::Late))
    }

    async fn collect(&self, caller: &Account, body: impl HttpBody<Data = Bytes>) -> Result<Body, NotRead> {
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
                large = Some(self.try_large(caller)?);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Body { bytes, large })
    }

    /// Does what takes time linear in a body's length: here where it is small, and else on a thread of its own, in turns with the calls
    /// that compute for long. There it goes on to its end when nobody waits for it any more, with the body's place.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        caller: &Account,
        body: Body,
        work: impl FnOnce(Body) -> T + Send + 'static,
    ) -> Result<T, Failed> {
        match body.large {
            None => Ok(work(body)),
            Some(_) => self.processors.work(caller, move || work(body)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::stream::{self, StreamExt};
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    const EVERYBODY: &Account = &Account::Anonymous;

    fn bodies() -> Bodies {
        Bodies::new(Processors::all_but_one())
    }

    fn of(bytes: usize) -> Full<Bytes> {
        Full::from(vec![b'x'; bytes])
    }

    #[tokio::test]
    async fn large_bodies_are_few_at_once_and_small_ones_never_wait_for_them() {
        let bodies = bodies();
        let mut held = Vec::new();
        for _ in 0..LARGE_BODIES {
            let body = bodies.read(EVERYBODY, of(BODY_BYTES)).await.expect("free");
            assert_eq!(body.bytes.len(), BODY_BYTES);
            held.push(body.large.expect("it is large"));
        }
        assert!(matches!(bodies.read(EVERYBODY, of(SMALL_BODY_BYTES + 1)).await, Err(NotRead::Busy { .. })));
        let small = bodies.read(EVERYBODY, of(SMALL_BODY_BYTES)).await.expect("small ones are read");
        assert!(small.large.is_none());
        held.pop();
        bodies.read(EVERYBODY, of(SMALL_BODY_BYTES + 1)).await.expect("free again");
    }

    #[tokio::test]
    async fn a_caller_whose_large_bodies_never_end_leaves_room_to_others() {
        let bodies = bodies();
        let [slow, other] = ["slow", "other"].map(|name| Account::User(name.into()));
        let begun = || {
            let begin = stream::iter([Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'x'; SMALL_BODY_BYTES + 1])))]);
            StreamBody::new(begin.chain(stream::pending()))
        };
        let mut arriving: Vec<_> = (0..LARGE_BODIES / 2).map(|_| Box::pin(bodies.read(&slow, begun()))).collect();
        for body in &mut arriving {
            assert!(futures::poll!(body).is_pending());
        }
        let Err(NotRead::BusyWithYours { held, .. }) = bodies.read(&slow, begun()).await else {
            panic!("the rest is left to others")
        };
        assert_eq!(held, LARGE_BODIES / 2);
        assert!(bodies.read(&other, of(BODY_BYTES)).await.is_ok());
        drop(arriving);
        assert!(bodies.read(&slow, of(BODY_BYTES)).await.is_ok());
    }

    #[tokio::test]
    async fn a_body_without_end_is_refused_after_the_limit() {
        let frames = stream::repeat_with(|| Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; 1000]))));
        assert!(matches!(bodies().read(EVERYBODY, StreamBody::new(frames)).await, Err(NotRead::TooLarge)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_byte_by_byte_is_given_up() {
        let drops = stream::repeat(()).then(async |()| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
        });
        let bodies = bodies();
        assert!(matches!(bodies.read(EVERYBODY, StreamBody::new(drops)).await, Err(NotRead::Late)));
    }
}
