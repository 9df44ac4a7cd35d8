//! The next page of a list, asked for while a component looks at this one.
//!
//! A component that has followed one cursor follows the next as a rule, so the API server may as well be at work meanwhile. Of a call there is
//! at most one such request. Its answer waits in the connection, so it takes no room, and it ends with the call.

use std::sync::{Arc, Mutex, PoisonError};

use sandbar_policy::Budget;
use tokio::task::JoinSet;

use super::error::{Code, Error};
use super::exchange::{ApiServer, Attempt, FIRST_BYTE, Failure};
use super::request::ApiRequest;

/// A request that nobody waits for yet, if there is one.
#[derive(Default)]
pub(super) struct Ahead(Mutex<Option<Asked>>);

struct Asked {
    request: ApiRequest,
    attempt: JoinSet<Result<Attempt, Failure>>,
}

impl Ahead {
    /// Sends a request, in place of one that was sent before.
    pub(super) fn send(&self, api: ApiServer, request: ApiRequest, budget: Arc<Budget>) {
        let mut attempt = JoinSet::new();
        let sent = request.clone();
        attempt.spawn(async move { api.attempt(&sent, &budget, FIRST_BYTE, None).await });
        *self.lock() = Some(Asked { request, attempt });
    }

    /// Awaits the prefetched attempt if it was for this request; `None` if there is none, or it was for another.
    pub(super) async fn of(&self, request: &ApiRequest) -> Option<Result<Attempt, Failure>> {
        let mut asked = self.lock().take_if(|asked| asked.request == *request)?;
        let attempt = asked.attempt.join_next().await?;
        Some(attempt.unwrap_or_else(|_panic| {
            Err(Error::new(Code::Other, "the request has failed, which is a fault of this server; its log has more").into())
        }))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Asked>> {
        // Each change is a single step, so a panic elsewhere leaves it valid.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
