//! Calls that go on without their reader. In the legacy era a client that goes away does not end its call; it may come back and
//! cancel it, and else it runs to its end.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

/// Work that is done by whoever waits for it: most calls need no task of their own.
pub(super) struct Work<T: 'static> {
    work: Option<BoxFuture<'static, T>>,
    /// Where it goes on if nobody waits any more; else it ends then.
    elsewhere: Option<(TaskTracker, Handle)>,
}

impl<T: Send + 'static> Work<T> {
    /// Work that ends when nobody waits for it.
    pub(super) fn ending(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Some(work.boxed()), elsewhere: None }
    }

    /// Work that goes on in a task of `running` when nobody waits for it.
    pub(super) fn outliving(work: impl Future<Output = T> + Send + 'static, running: &TaskTracker) -> Self {
        Self { work: Some(work.boxed()), elsewhere: Some((running.clone(), Handle::current())) }
    }
}

impl<T> Future for Work<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Taken out while it runs, so that nobody asks again for what has panicked.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let polled = work.poll_unpin(context);
        if polled.is_pending() {
            self.work = Some(work);
        }
        polled
    }
}

impl<T> Drop for Work<T> {
    fn drop(&mut self) {
        if let (Some(work), Some((running, runtime))) = (self.work.take(), self.elsewhere.take()) {
            running.spawn_on(work.map(drop), &runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    /// Work that waits for a word, and the word that it answers with.
    fn work(outliving: Option<&TaskTracker>) -> (Work<()>, oneshot::Sender<()>, oneshot::Receiver<()>) {
        let (go_on, going) = oneshot::channel();
        let (done, end) = oneshot::channel();
        let work = async move {
            let _ = going.await;
            let _ = done.send(());
        };
        let work = match outliving {
            Some(running) => Work::outliving(work, running),
            None => Work::ending(work),
        };
        (work, go_on, end)
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_reader_goes_away_runs_to_its_end() {
        let running = TaskTracker::new();
        let (mut work, go_on, end) = work(Some(&running));
        assert!(futures::poll!(&mut work).is_pending());
        assert_eq!(running.len(), 0, "while there is a reader it needs no task");
        drop(work);
        assert_eq!(running.len(), 1);
        go_on.send(()).expect("it waits");
        // The clock is paused: it goes on where nobody has anything to do any more.
        let moment = std::time::Duration::from_secs(1);
        tokio::time::timeout(moment, end).await.expect("it comes to its end").expect("it ran");
        running.close();
        tokio::time::timeout(moment, running.wait()).await.expect("no task is left");
    }

    #[tokio::test]
    async fn other_work_ends_with_its_reader() {
        let (work, go_on, end) = work(None);
        drop(work);
        assert!(go_on.send(()).is_err());
        end.await.expect_err("it was given up");
    }
}
