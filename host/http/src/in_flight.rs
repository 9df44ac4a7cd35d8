//! Requests that are not answered yet, by the ids that clients know them by. Over some connections nothing but `notifications/cancelled`
//! cancels a request, which is a message of its own: in the legacy era, where a lost connection does not, and on stdio.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::model::RequestId;
use tokio_util::sync::CancellationToken;

/// A session's id and a request's id. Without a session id all such clients share one space, as they do on any stateless server:
/// they cannot cancel, since one could cancel another's request.
type Key = (String, RequestId);

/// The requests in flight. Nothing is left of one once it is over. Cheap to clone.
#[derive(Clone, Default)]
pub struct RequestsInFlight(Arc<Mutex<HashMap<Arc<Key>, Vec<CancellationToken>>>>);

/// A request in flight; dropping it forgets the request.
pub struct RequestInFlight {
    requests: RequestsInFlight,
    key: Arc<Key>,
    cancelled: CancellationToken,
}

impl RequestsInFlight {
    /// Notes a request. One id may be used for several requests at once; each keeps its own answer.
    pub fn begin(&self, session: &str, id: &RequestId) -> RequestInFlight {
        let key = Arc::new((session.to_owned(), id.clone()));
        let cancelled = CancellationToken::new();
        self.lock().entry(key.clone()).or_default().push(cancelled.clone());
        RequestInFlight { requests: self.clone(), key, cancelled }
    }

    /// Cancels the requests of an id; whether there were any that were not cancelled before. An id that is unknown is nobody's business:
    /// the request may be over, or run on another replica.
    pub fn cancel(&self, session: &str, id: &RequestId) -> bool {
        let mut found = false;
        for token in self.lock().get(&(session.to_owned(), id.clone())).into_iter().flatten() {
            found |= !token.is_cancelled();
            token.cancel();
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<Key>, Vec<CancellationToken>>> {
        // The map is whole after every operation, so a panic elsewhere leaves nothing broken.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestInFlight {
    /// What is cancelled once the client cancels the request, and when it is over.
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancelled
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        // Each token knows itself only by being cancelled, so mark it and drop the marked ones.
        self.cancelled.cancel();
        let mut requests = self.requests.lock();
        if let Some(tokens) = requests.get_mut(&self.key) {
            tokens.retain(|token| !token.is_cancelled());
            if tokens.is_empty() {
                requests.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancellation_reaches_its_request_and_no_other() {
        let requests = RequestsInFlight::default();
        let (one, other, elsewhere) = (
            requests.begin("s", &RequestId::Number(1)),
            requests.begin("s", &RequestId::String("1".into())),
            requests.begin("t", &RequestId::Number(1)),
        );
        assert!(requests.cancel("s", &RequestId::Number(1)));
        assert!(one.cancellation().is_cancelled());
        assert!(!requests.cancel("s", &RequestId::Number(1)), "it is cancelled already");
        assert!(!other.cancellation().is_cancelled(), "the string \"1\" is another id");
        assert!(!elsewhere.cancellation().is_cancelled());
    }

    #[test]
    fn nothing_is_left_of_a_finished_request() {
        let requests = RequestsInFlight::default();
        let (first, second) = (requests.begin("s", &RequestId::Number(1)), requests.begin("s", &RequestId::Number(1)));
        drop(first);
        assert!(!second.cancellation().is_cancelled(), "the other request of the same id goes on");
        drop(second);
        assert!(requests.lock().is_empty());
        assert!(!requests.cancel("s", &RequestId::Number(1)), "there is none");
    }
}
