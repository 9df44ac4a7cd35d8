//! What the reads of one call work with.

use std::sync::Arc;
use std::time::Duration;

use sandbar_policy::{Budget, Grant};

use super::discovery::Discovery;
use super::exchange::{ApiServer, Failure};
use super::request::ApiRequest;
use super::response::Incoming;
use super::rights::{AccessReviews, Rights};
use super::unpaged::Unpaged;

/// An API server, and what has been found out about it. One per cluster.
pub(super) struct KnownServer {
    pub(super) api: ApiServer,
    pub(super) reviews: AccessReviews,
    pub(super) discovery: Discovery,
    pub(super) unpaged: Unpaged,
}

/// Whom the reads of one call ask, within which grant and whose rights, and on whose budget. Cheap to clone.
#[derive(Clone)]
pub(super) struct ReadContext {
    pub(super) server: Arc<KnownServer>,
    pub(super) grant: Arc<Grant>,
    pub(super) rights: Rights,
    pub(super) budget: Arc<Budget>,
}

impl ReadContext {
    /// Sends a request on the call's budget and waits for the head of the answer, `first_byte` at most.
    pub(super) async fn ask(&self, request: &ApiRequest, first_byte: Duration) -> Result<Incoming<'_>, Failure> {
        self.server.api.ask(request, &self.budget, first_byte).await
    }
}
