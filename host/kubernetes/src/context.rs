//! What the reads of one call work with.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use http::StatusCode;
use sandbar_policy::{Access, Budget, Grant};

use super::ahead::Ahead;
use super::discovery::Discovery;
use super::error::Error;
use super::exchange::{ApiServer, Failure};
use super::forbidden;
use super::many::Share;
use super::noted::Noted;
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
    /// The cluster's name; empty: it has none.
    pub(super) cluster: Arc<str>,
    pub(super) grant: Arc<Grant>,
    pub(super) rights: Rights,
    pub(super) budget: Arc<Budget>,
    /// What part of the call's room a read has.
    pub(super) share: Share,
    /// Where reads are noted, if they are.
    pub(super) noted: Option<Arc<Noted>>,
    /// What is asked for before the component does.
    pub(super) ahead: Arc<Ahead>,
}

impl ReadContext {
    /// Sends a read on the call's budget and waits for the head of the answer, `first_byte` at most. It is sent in the name of the caller
    /// where that is how their rights count.
    pub(super) async fn ask(&self, read: Read, access: &Access<'_>, first_byte: Duration) -> Result<Incoming<'_>, Failure> {
        let whom = self.rights.impersonated()?;
        let (api, request) = (&self.server.api, read.sent_as(whom));
        let answer = match self.ahead.of(&request).await {
            None => api.ask(&request, &self.budget, first_byte).await,
            Some(Ok(first)) => api.go_on(first, &request, &self.budget, first_byte).await,
            Some(Err(failure)) => Err(failure),
        };
        match (whom, answer) {
            (Some(whom), Err(Failure::Refused(refusal))) if refusal.status == StatusCode::FORBIDDEN => {
                Err(forbidden::in_the_name_of(whom.user(), access, refusal))
            }
            (_, answer) => answer,
        }
    }

    /// Waits for what the API server is asked for all calls together, for as long as this one has time.
    pub(super) fn wait_for<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> impl Future<Output = Result<T, Error>> {
        self.server.api.in_time(&self.budget, Duration::MAX, answer).map(Result::flatten)
    }

    /// Sends a read that the component is about to ask for, where it is the only one of its time. What gathered files say takes this
    /// process as long sooner or later.
    pub(super) fn ask_ahead(&self, read: Read) {
        let is_worth_it = self.share.is_whole() && self.server.now.is_none() && self.budget.has_request();
        if let Ok(whom) = self.rights.impersonated()
            && is_worth_it
        {
            self.ahead.send(self.server.api.clone(), read.sent_as(whom), self.budget.clone());
        }
    }
}
