//! What the API server says of somebody's rights, by a review of what they are about to do. It is remembered for seconds.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::authorization::v1::{
    FieldSelectorAttributes, LabelSelectorAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use sandbar_policy::{Access, Account, Budget, Place, User};
use sandbar_processor::{FairSemaphore, Share};
use sandbar_verdicts::{Digest, Uses, Verdicts};
use serde::Deserialize;
use tokio::time::timeout;

use crate::context::KnownServer;
use crate::error::{Code, Error};
use crate::exchange::ApiServer;
use crate::forbidden::is_namespace;
use crate::request::ApiRequest;
use crate::response::json;

/// How long a yes counts, and a no. A right that was given should not be waited for as long as one that was taken may still count.
pub(super) const ALLOWED_FOR: Duration = Duration::from_secs(10);
const DENIED_FOR: Duration = Duration::from_secs(5);

/// Bytes of decisions that are remembered: some 50,000.
pub(super) const REMEMBERED_BYTES: usize = 12 * 1024 * 1024;

/// How long a review may take, a wait for its turn or for that of another call included.
pub(super) const REVIEW_TIME: Duration = Duration::from_secs(5);

/// Reviews at once, of all calls, and of one call.
pub(super) const AT_ONCE: usize = 64;
pub(super) const AT_ONCE_OF_A_CALL: usize = 16;

/// Reviews that wait for their turn: those of 128 calls, which are more than run at once.
const WAITING: usize = 128 * AT_ONCE_OF_A_CALL;

/// Bytes of a review that is answered: it repeats the user.
const ANSWER_MAX: usize = 512 * 1024;

/// Whose rights are reviewed.
#[derive(Debug)]
pub(crate) struct Subject {
    pub(super) user: Arc<User>,
    /// Of everything about them that can decide. Made once for all reads of a call.
    pub(super) digest: Digest,
}

impl Subject {
    pub(crate) fn new(user: Arc<User>) -> Self {
        let User { name, uid, groups, extra } = &*user;
        // Texts, and lists and maps of them, always serialise.
        let all = serde_json::to_vec(&(&**name, uid, groups, extra)).unwrap_or_default();
        Self { digest: Digest::of(all), user }
    }
}

/// The selectors of a list, as they are sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Selectors<'a> {
    pub(crate) label: Option<&'a str>,
    pub(crate) field: Option<&'a str>,
}

/// What the API server says of somebody's rights.
pub(crate) struct AccessReviews {
    api: ApiServer,
    decisions: Verdicts<bool>,
    turns: FairSemaphore,
}

impl AccessReviews {
    pub(crate) fn new(api: ApiServer) -> Self {
        let decisions = Verdicts::new(REMEMBERED_BYTES, |_| 0);
        Self { api, decisions, turns: FairSemaphore::new(Share::Half, AT_ONCE, WAITING) }
    }

    pub(crate) fn uses(&self) -> Uses {
        self.decisions.uses()
    }

    /// Whether somebody may do `what`, which are the words for it.
    pub(super) async fn allow(
        &self,
        Subject { user, digest }: &Subject,
        attributes: ResourceAttributes,
        what: &(dyn Display + Sync),
        budget: &Budget,
    ) -> Result<bool, Error> {
        let key = Digest::of([digest.as_ref(), &serde_json::to_vec(&attributes).unwrap_or_default()].concat());
        if let Some(allowed) = self.decisions.get(key) {
            return Ok(allowed);
        }
        let spec = SubjectAccessReviewSpec {
            user: Some(user.name.to_string()),
            uid: user.uid.clone(),
            groups: Some(user.groups.clone()),
            extra: Some(user.extra.clone()),
            resource_attributes: Some(attributes),
            non_resource_attributes: None,
        };
        let review = SubjectAccessReview { spec, ..SubjectAccessReview::default() };
        let request = ApiRequest::access_review(&review);
        budget.take_review()?;
        // Others may wait for the same, whose calls have more time than this one: so nothing of its budget is in there.
        let asking = async {
            let busy = |_no_room| Error::new(Code::Unavailable, "too many such questions wait for the API server");
            let _turn = self.turns.acquire(&Account::User(user.name.clone())).await.map_err(busy)?;
            let allowed = self.ask(&request).await?;
            Ok((allowed, if allowed { ALLOWED_FOR } else { DENIED_FOR }))
        };
        // In a box: it is seldom asked, and every read would carry the room for it.
        in_time(Box::pin(self.decisions.get_or_find(key, asking))).await.map_err(|error| {
            let words = format!("whether {} may {what} cannot be found out: {}", user.shown(), error.message);
            Error { code: Code::Unavailable, message: words, retry_after: error.retry_after }
        })
    }

    async fn ask(&self, request: &ApiRequest) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Answer {
            status: Status,
        }
        #[derive(Deserialize)]
        struct Status {
            allowed: bool,
            #[serde(default)]
            denied: bool,
        }
        let answer = self.api.read_outside_calls(request, REVIEW_TIME, ANSWER_MAX, "this review").await?;
        let Answer { status } = json(&answer)?;
        Ok(status.allowed && !status.denied)
    }
}

/// Ends what is found out for many calls with the time that it may take: whoever waits for another call would else go on where that has failed.
pub(super) async fn in_time<T>(finding: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_late| Error::new(Code::Unavailable, format!("no answer within {} s", REVIEW_TIME.as_secs()));
    timeout(REVIEW_TIME, finding).await.map_err(late)?
}

/// Which tools somebody may call.
pub struct ToolRights {
    server: Arc<KnownServer>,
    subject: Subject,
    /// Of which the reviews count, and nothing else: each has its own time.
    budget: Budget,
}

impl ToolRights {
    pub(crate) fn new(server: Arc<KnownServer>, user: Arc<User>) -> Self {
        Self { server, subject: Subject::new(user), budget: Budget::outside_calls(REVIEW_TIME, 0) }
    }

    /// Whether they may `create` a tool of this name, as a resource of this API group; without a name, all of them. It is remembered as all
    /// that is found out of rights.
    pub async fn allow(&self, group: &str, tool: Option<&str>) -> Result<bool, Error> {
        let Self { server, subject, budget } = self;
        let attributes = ResourceAttributes {
            verb: Some("create".to_owned()),
            group: Some(group.to_owned()),
            version: Some("*".to_owned()),
            resource: Some("tools".to_owned()),
            name: tool.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let what = format!("call {}", tool.unwrap_or("all tools"));
        server.reviews.allow(subject, attributes, &what, budget).await
    }
}

/// A read as the API server's authorizers see it.
pub(super) fn attributes(access: &Access<'_>, selectors: Selectors<'_>) -> ResourceAttributes {
    let (resource, subresource) = access.resource.split_once('/').unwrap_or((access.resource, ""));
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let namespace = match access.place {
        Place::Namespace(namespace) => Some(namespace.to_owned()),
        Place::Cluster if is_namespace(access) => access.name.map(str::to_owned),
        Place::Cluster | Place::EveryNamespace => None,
    };
    let field_selector = selectors.field.and_then(text);
    let label_selector = selectors.label.and_then(text);
    ResourceAttributes {
        verb: Some(access.verb.as_str().to_owned()),
        group: text(access.group),
        version: text(access.version),
        resource: text(resource),
        subresource: text(subresource),
        namespace,
        name: access.name.and_then(text),
        field_selector: field_selector.map(|raw| FieldSelectorAttributes { raw_selector: Some(raw), requirements: None }),
        label_selector: label_selector.map(|raw| LabelSelectorAttributes { raw_selector: Some(raw), requirements: None }),
    }
}
