//! Requests of the person who runs this process, which came over no network: `sandbar connect` with a server of its own.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use sandbar_policy::{Caller, Identity};

use super::panics;
use super::rejection::Rejection;
use super::router::{App, endpoint};

/// Answers a request to `/mcp` as one of the person who runs this process. There is no Host to look at, and nobody to ask who it is.
pub async fn answer_operator<B>(
    app: &Arc<App>,
    request: Request<B>,
) -> Response<impl Body<Data = Bytes, Error = Infallible> + Send + 'static + use<B>>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    let has_body = !request.body().is_end_stream();
    let answered = panics::caught_in(endpoint(app, request, Caller::new(Identity::Operator))).await;
    let answered = answered.unwrap_or_else(|_panicked| Err(Rejection::failed(None)));
    answered.unwrap_or_else(|rejection| rejection.answer(has_body))
}
