//! Calls of the legacy era. There a lost connection does not cancel a call, only `notifications/cancelled` does, which comes with a
//! request of its own: so the calls in flight are known by their ids.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::model::RequestId;
use tokio_util::sync::CancellationToken;

/// A session's id and a request's id. Without a session id all such clients share one space, as they do on any stateless server:
/// they cannot cancel, since one could cancel another's call.
type Key = (String, RequestId);

/// The calls in flight. Nothing is left of a call once it is over.
#[derive(Clone, Default)]
pub(super) struct CallsInFlight(Arc<Mutex<HashMap<Arc<Key>, Vec<CancellationToken>>>>);

/// A call in flight; dropping it forgets the call.
pub(super) struct CallInFlight {
    calls: CallsInFlight,
    key: Arc<Key>,
    token: CancellationToken,
}

impl CallsInFlight {
    /// Notes a call. One id may be used for several calls at once; each keeps its own answer.
    pub(super) fn begin(&self, session: &str, id: &RequestId) -> CallInFlight {
        let key = Arc::new((session.to_owned(), id.clone()));
        let token = CancellationToken::new();
        self.lock().entry(key.clone()).or_default().push(token.clone());
        CallInFlight { calls: self.clone(), key, token }
    }

    /// Cancels the calls of an id. Unknown ids are none of anybody's business: the call may be over, or run on another replica.
    pub(super) fn cancel(&self, session: &str, id: &RequestId) {
        for token in self.lock().get(&(session.to_owned(), id.clone())).into_iter().flatten() {
            token.cancel();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Arc<Key>, Vec<CancellationToken>>> {
        // The map is whole after every operation, so a panic elsewhere leaves nothing broken.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CallInFlight {
    /// Resolves once the client has cancelled the call.
    pub(super) async fn cancelled(&self) {
        self.token.cancelled().await;
    }
}

impl Drop for CallInFlight {
    fn drop(&mut self) {
        // Each token knows itself only by being cancelled, so mark it and drop the marked ones.
        self.token.cancel();
        let mut calls = self.calls.lock();
        if let Some(tokens) = calls.get_mut(&self.key) {
            tokens.retain(|token| !token.is_cancelled());
            if tokens.is_empty() {
                calls.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_cancellation_reaches_its_call_and_no_other() {
        let calls = CallsInFlight::default();
        let (one, other, elsewhere) = (
            calls.begin("s", &RequestId::Number(1)),
            calls.begin("s", &RequestId::String("1".into())),
            calls.begin("t", &RequestId::Number(1)),
        );
        calls.cancel("s", &RequestId::Number(1));
        assert!(one.cancelled().now_or_never().is_some());
        assert!(other.cancelled().now_or_never().is_none(), "the string \"1\" is another id");
        assert!(elsewhere.cancelled().now_or_never().is_none());
    }

    #[test]
    fn nothing_is_left_of_a_finished_call() {
        let calls = CallsInFlight::default();
        let (first, second) = (calls.begin("s", &RequestId::Number(1)), calls.begin("s", &RequestId::Number(1)));
        drop(first);
        assert!(second.cancelled().now_or_never().is_none(), "the other call of the same id goes on");
        drop(second);
        assert!(calls.lock().is_empty());
    }
}
