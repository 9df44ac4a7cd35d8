//! What the reads of one call work with.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::StatusCode;
use sandbar_policy::{Access, Budget, Grant};

use super::discovery::Discovery;
use super::exchange::{ApiServer, Failure};
use super::forbidden;
use super::many::Share;
use super::request::Read;
use super::response::Incoming;
use super::rights::{AccessReviews, KnownNamespaces, Rights};
use super::unpaged::Unpaged;

/// An API server, and what has been found out about it. One per cluster.
pub(super) struct KnownServer {
    pub(super) api: ApiServer,
    pub(super) reviews: AccessReviews,
    pub(super) namespaces: KnownNamespaces,
    pub(super) discovery: Discovery,
    pub(super) unpaged: Unpaged,
    /// The time that it is there, where no time goes by.
    pub(super) now: Option<SystemTime>,
}

/// Whom the reads of one call ask, within which grant and whose rights, and on whose budget. Cheap to clone.
#[derive(Clone)]
pub(super) struct ReadContext {
    pub(super) server: Arc<KnownServer>,
    pub(super) grant: Arc<Grant>,
    pub(super) rights: Rights,
    pub(super) budget: Arc<Budget>,
    /// What part of the call's room a read has.
    pub(super) share: Share,
}

impl ReadContext {
    /// Sends a read on the call's budget and waits for the head of the answer, `first_byte` at most. It is sent in the name of the caller
    /// where that is how their rights count.
    pub(super) async fn ask(&self, read: Read, access: &Access<'_>, first_byte: Duration) -> Result<Incoming<'_>, Failure> {
        let whom = self.rights.impersonated()?;
        let answer = self.server.api.ask(&read.sent_as(whom), &self.budget, first_byte).await;
        match (whom, answer) {
            (Some(whom), Err(Failure::Refused(refusal))) if refusal.status == StatusCode::FORBIDDEN => {
                Err(forbidden::in_the_name_of(whom.user(), access, refusal))
            }
            (_, answer) => answer,
        }
    }
}
