//! A body that holds something until it has been sent, or given up.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::{Frame, SizeHint};

struct Held<T> {
    body: Body,
    _thing: T,
}

/// Ties a thing to the life of a response: it is dropped with the body.
pub(super) fn until_sent<T: Send + Unpin + 'static>(response: Response, thing: T) -> Response {
    response.map(|body| Body::new(Held { body, _thing: thing }))
}

impl<T: Unpin> http_body::Body for Held<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
