//! The body of an answer, and the one owner of all that an answer holds until it is sent or given up.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::stream::{BoxStream, Stream, StreamExt};
use http_body::{Frame, SizeHint};
use sandbar_catalog::CallEvent;

use super::admission::CallPermit;
use super::backlog::Queued;
use super::body::LargeBody;
use super::connection::Turn;
use super::panics;

/// Resources held until an answer is sent or abandoned. If the client is gone, the running call holds them.
#[derive(Default)]
pub(super) struct Lease {
    /// The place of a call.
    pub(super) place: Option<CallPermit>,
    /// The place of the request's large body.
    pub(super) body: Option<LargeBody>,
    /// The room that a large answer takes.
    pub(super) queued: Option<Queued>,
    /// The way of a call's answer.
    pub(super) delivery: Option<Delivery>,
}

/// The event of a call whose answer is on its way. It is written when this is dropped, and says so if the answer has not arrived.
pub(super) struct Delivery {
    event: Box<CallEvent>,
    has_arrived: bool,
}

/// The body of an answer.
#[derive(Default)]
pub(super) struct Outgoing {
    content: Content,
    lease: Lease,
    /// The turn of the connection that the answer goes out on.
    turn: Option<Turn>,
}

#[derive(Default)]
enum Content {
    /// All has been handed out.
    #[default]
    Sent,
    /// It is all there, and its length is known; more than one piece where some is shared with others.
    Whole(VecDeque<Bytes>),
    /// It comes in parts.
    Parts(Parts),
}

/// An answer that comes in parts.
struct Parts {
    parts: BoxStream<'static, Part>,
    /// What takes the place of the next part if whoever makes the parts panics.
    last_words: Bytes,
}

/// A part of an answer.
pub(super) struct Part {
    pub(super) bytes: Bytes,
    /// What the answer holds from this part on.
    pub(super) lease: Lease,
}

impl From<Bytes> for Part {
    fn from(bytes: Bytes) -> Self {
        Self { bytes, lease: Lease::default() }
    }
}

impl Outgoing {
    /// A body that is all there.
    pub(super) fn whole(bytes: impl Into<Bytes>, lease: Lease) -> Self {
        Self::pieces([bytes.into()], lease)
    }

    /// A body that is all there, in pieces.
    pub(super) fn pieces(pieces: impl IntoIterator<Item = Bytes>, lease: Lease) -> Self {
        let pieces: VecDeque<_> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        let content = if pieces.is_empty() { Content::Sent } else { Content::Whole(pieces) };
        Self { content, lease, turn: None }
    }

    /// A body that comes in parts; where their maker panics, it ends with `last_words`.
    pub(super) fn parts(parts: impl Stream<Item = Part> + Send + 'static, last_words: impl Into<Bytes>) -> Self {
        let parts = Parts { parts: parts.boxed(), last_words: last_words.into() };
        Self { content: Content::Parts(parts), lease: Lease::default(), turn: None }
    }

    /// The same, with what is held until it is gone.
    pub(super) fn holding(mut self, lease: Lease) -> Self {
        self.lease = lease;
        self
    }

    /// Notes the connection that it goes out on.
    pub(super) fn on(mut self, turn: Turn) -> Self {
        self.turn = Some(turn);
        self
    }
}

impl http_body::Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        let bytes = match &mut this.content {
            Content::Sent => return Poll::Ready(None),
            Content::Whole(pieces) => {
                // There is one at least.
                let piece = pieces.pop_front().unwrap_or_default();
                if pieces.is_empty() {
                    this.content = Content::Sent;
                }
                piece
            }
            Content::Parts(Parts { parts, last_words }) => {
                match panics::caught(AssertUnwindSafe(|| parts.poll_next_unpin(context))) {
                    Ok(part) => match ready!(part) {
                        Some(Part { bytes, lease }) => {
                            this.lease.take_over(lease);
                            bytes
                        }
                        None => {
                            this.content = Content::Sent;
                            return Poll::Ready(None);
                        }
                    },
                    Err(_panicked) => {
                        let last_words = std::mem::take(last_words);
                        this.content = Content::Sent;
                        last_words
                    }
                }
            }
        };
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        // At the end of its frames hyper would drop the body, and then write for as long as its reader takes. So it asks once more, when
        // most is written.
        false
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Sent => SizeHint::with_exact(0),
            Content::Whole(pieces) => SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum()),
            Content::Parts(_) => SizeHint::default(),
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // hyper lets go of a body when nearly all of it is written, or when its connection has ended.
        let is_sent = matches!(self.content, Content::Sent);
        let has_arrived = is_sent && !self.turn.as_ref().is_some_and(Turn::is_lost);
        if let Some(delivery) = &mut self.lease.delivery {
            delivery.has_arrived = has_arrived;
        }
    }
}

impl Lease {
    /// Holds what the other holds, too.
    fn take_over(&mut self, other: Self) {
        let Self { place, body, queued, delivery } = other;
        self.place = place.or_else(|| self.place.take());
        self.body = body.or_else(|| self.body.take());
        self.queued = queued.or_else(|| self.queued.take());
        self.delivery = delivery.or_else(|| self.delivery.take());
    }
}

impl Delivery {
    /// The answer has not arrived yet.
    pub(super) fn of(event: Box<CallEvent>) -> Self {
        Self { event, has_arrived: false }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if !self.has_arrived {
            self.event.undelivered();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use http_body::Body;
    use http_body_util::BodyExt;
    use sandbar_policy::Account;
    use sandbar_processor::Processors;
    use tokio::sync::Semaphore;

    use super::super::body::Bodies;
    use super::*;

    #[tokio::test]
    async fn what_is_held_is_held_until_the_body_is_asked_for_more_than_there_is() {
        let bodies = Bodies::of(1, Processors::all_but_one());
        let lease = Lease { body: bodies.try_large(&Account::Anonymous).ok(), ..Lease::default() };
        assert!(bodies.try_large(&Account::Anonymous).is_err(), "the one place is taken");
        let mut body = Outgoing::whole("all of it", lease);
        assert_eq!(body.size_hint().exact(), Some(9));
        assert!(body.frame().await.is_some());
        assert!(!body.is_end_stream() && bodies.try_large(&Account::Anonymous).is_err(), "it is not written yet");
        assert!(body.frame().await.is_none());
        drop(body);
        assert!(bodies.try_large(&Account::Anonymous).is_ok());
    }

    #[tokio::test]
    async fn what_is_shared_goes_out_as_it_is() {
        let shared = Bytes::from("shared".repeat(1000));
        let mut body = Outgoing::pieces(["[".into(), Bytes::new(), shared.clone(), "]".into()], Lease::default());
        assert_eq!(body.size_hint().exact(), Some(6002));
        let mut pieces = Vec::new();
        while let Some(frame) = body.frame().await {
            pieces.extend(frame.expect("no error").into_data());
        }
        assert_eq!(pieces, [Bytes::from("["), shared.clone(), "]".into()]);
        assert_eq!(pieces[1].as_ptr(), shared.as_ptr(), "it is no copy");
    }

    #[tokio::test]
    async fn what_comes_with_a_part_is_held_from_then_on() {
        let bodies = Bodies::of(1, Processors::all_but_one());
        let lease = Lease { body: bodies.try_large(&Account::Anonymous).ok(), ..Lease::default() };
        let last = Part { bytes: Bytes::from_static(b"the rest"), lease };
        let mut body = Outgoing::parts(stream::iter([Bytes::from_static(b"some and ").into(), last]), "");
        assert!(body.frame().await.is_some() && body.frame().await.is_some() && body.frame().await.is_none());
        assert!(bodies.try_large(&Account::Anonymous).is_err(), "the parts are gone, the body is not");
        drop(body);
        assert!(bodies.try_large(&Account::Anonymous).is_ok());
    }

    #[tokio::test]
    async fn a_body_whose_maker_panics_ends_in_words() {
        let gate = Semaphore::new(0);
        let parts = stream::iter(["a", "b"]).map(move |text| {
            assert!(text != "b" || gate.available_permits() > 0, "on purpose");
            Part::from(Bytes::from_static(text.as_bytes()))
        });
        let body = Outgoing::parts(parts, "the end").collect().await.expect("a body").to_bytes();
        assert_eq!(body, "athe end");
    }
}
