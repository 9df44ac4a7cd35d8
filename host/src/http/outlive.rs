//! Calls that go on without their reader. In the legacy era a client that goes away does not end its call; it may come back and
//! cancel it, and else it runs to its end.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use futures::FutureExt;
use futures::future::BoxFuture;
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::answer::{Pending, no_answer};
use super::legacy::Call;

/// Frames between a call and its reader. A slow reader holds up its own call only.
const FRAMES: usize = 4;

/// The answer to a call that ends by itself or by its client's cancellation, and by nothing else. Whatever is left of it when the
/// future is dropped goes on in a task of `running`.
pub(super) fn outlive(pending: Pending, call: Call, running: &TaskTracker) -> Pending {
    let (sender, head) = oneshot::channel();
    let work = async move {
        tokio::select! {
            () = run_to_its_end(pending, sender) => {}
            () = call.cancelled() => {}
        }
    };
    Box::pin(Outliving { work: Some(work.boxed()), head, running: running.clone(), runtime: Handle::current() })
}

/// A call that is worked on in its request while that lasts: most calls need no task of their own.
struct Outliving {
    work: Option<BoxFuture<'static, ()>>,
    head: oneshot::Receiver<Response>,
    running: TaskTracker,
    runtime: Handle,
}

impl Future for Outliving {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        if self.work.as_mut().is_some_and(|work| work.poll_unpin(context).is_ready()) {
            self.work = None;
        }
        self.head.poll_unpin(context).map(|head| head.unwrap_or_else(|_cancelled| no_answer()))
    }
}

impl Drop for Outliving {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            self.running.spawn_on(work, &self.runtime);
        }
    }
}

/// Reads an answer to its end, whether or not anybody still wants it.
async fn run_to_its_end(pending: Pending, reader: oneshot::Sender<Response>) {
    let response = pending.await;
    if response.body().size_hint().exact().is_some() {
        // Plain JSON, all there: nothing is left to wait for, and its length can stand in its head.
        let _ = reader.send(response);
        return;
    }
    let (head, mut body) = response.into_parts();
    let (sender, mut receiver) = mpsc::channel(FRAMES);
    let frames = futures::stream::poll_fn(move |context| receiver.poll_recv(context));
    let mut reader_is_there = reader.send(Response::from_parts(head, Body::from_stream(frames))).is_ok();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map(|frame| frame.into_data().unwrap_or_default()) else { return };
        if reader_is_there {
            reader_is_there = sender.send(Ok::<_, Infallible>(data)).await.is_ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::answer::{answer, event_stream, json_response};
    use super::super::legacy::Calls;
    use super::*;

    /// A call that takes a second, and its end.
    fn call(calls: &Calls, running: &TaskTracker) -> (Pending, oneshot::Receiver<()>) {
        let (done, end) = oneshot::channel();
        let pending: Pending = Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = done.send(());
            json_response(http::StatusCode::OK, "{}".to_owned())
        });
        (outlive(pending, calls.begin("s", &json!(1)), running), end)
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_reader_goes_away_runs_to_its_end() {
        let (calls, running) = (Calls::default(), TaskTracker::new());
        let (mut answer, end) = call(&calls, &running);
        assert!(futures::poll!(&mut answer).is_pending());
        assert_eq!(running.len(), 0, "while there is a reader it needs no task");
        drop(answer);
        assert_eq!(running.len(), 1);
        end.await.expect("it ran");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_call_ends_with_or_without_its_reader() {
        let (calls, running) = (Calls::default(), TaskTracker::new());
        let (answer, end) = call(&calls, &running);
        calls.cancel("s", &json!(1));
        assert!(answer.await.headers()["content-type"].to_str().expect("text").starts_with("text/event-stream"));
        end.await.expect_err("it was given up");

        let (answer, end) = call(&calls, &running);
        drop(answer);
        calls.cancel("s", &json!(1));
        end.await.expect_err("it was given up");
        running.close();
        running.wait().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_whose_first_event_comes_late_reaches_its_reader() {
        let (calls, running) = (Calls::default(), TaskTracker::new());
        let pending: Pending = Box::pin(async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let late = futures::stream::once(async {
                tokio::time::sleep(Duration::from_secs(3)).await;
                Ok::<_, Infallible>("data: late\n\n")
            });
            event_stream(Body::from_stream(late))
        });
        let response = answer(outlive(pending, calls.begin("s", &json!(1)), &running)).await;
        let body = axum::body::to_bytes(response.into_body(), usize::MAX);
        let body = tokio::time::timeout(Duration::from_secs(60), body).await.expect("it ends").expect("a body");
        assert!(body.ends_with(b"data: late\n\n"), "{body:?}");
    }
}
