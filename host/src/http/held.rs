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
        // At the end of its frames hyper would drop the body, and then write for as long as its reader takes. So it asks once more, when
        // most is written.
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_body::Body as _;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn what_is_held_is_held_until_the_body_is_asked_for_more_than_there_is() {
        let thing = Arc::new(());
        let mut body = until_sent(Response::new(Body::from("all of it")), thing.clone()).into_body();
        assert_eq!(body.size_hint().exact(), Some(9));
        assert!(body.frame().await.is_some());
        assert!(!body.is_end_stream() && Arc::strong_count(&thing) == 2, "it is not written yet");
        assert!(body.frame().await.is_none());
        drop(body);
        assert_eq!(Arc::strong_count(&thing), 1);
    }
}
