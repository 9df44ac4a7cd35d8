//! The rights of a call's caller: what RBAC, or whatever else the API server asks, lets them read.
//!
//! Either each read is reviewed before its request leaves (`reviews`), with the name, the namespace and the selectors of that request. What
//! cannot be reviewed is not read. Or each read is sent in the caller's name, and the API server refuses what they may not read.

mod reviews;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use sandbar_policy::{Access, Budget, Namespaces, Place, User, Verb};
use sandbar_verdicts::{Digest, Verdicts};
use serde::Deserialize;

pub use self::reviews::ToolRights;
use self::reviews::{ALLOWED_FOR, AT_ONCE_OF_A_CALL, REMEMBERED_BYTES, REVIEW_TIME, attributes, in_time};
pub(super) use self::reviews::{AccessReviews, Selectors, Subject};
use super::context::ReadContext;
use super::error::{Code, Error};
use super::exchange::FIRST_BYTE;
use super::forbidden::caller_lacks;
use super::impersonation::Impersonated;
use super::request::Read;

/// Namespaces that are looked through for those that a caller may list in.
const NAMESPACES_MAX: usize = 2_000;

/// Requests for these, 500 at a time, and a retry.
const NAMESPACES_REQUESTS: u32 = 5;

/// Bytes of a page of namespaces, of which only the metadata come.
const NAMESPACES_BYTES: usize = 8 * 1024 * 1024;

/// Whose rights count for the reads of a call, beside the grant of its tool.
#[derive(Clone, Debug)]
pub(super) enum Rights {
    /// Those of this server, which the API server itself enforces.
    Server,
    /// Those of the caller as well, by a review of each read.
    Caller(Arc<Subject>),
    /// Those of the caller, in whose name each read is sent; or why that is not possible.
    Impersonation(Arc<Result<Impersonated, Error>>),
}

impl Rights {
    /// Whose they are, as sandbar.yaml has it.
    pub(super) fn whose(&self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Caller(_) => "caller",
            Self::Impersonation(_) => "impersonation",
        }
    }

    /// In whose name a read is to be sent, if not in that of this server.
    pub(super) fn impersonated(&self) -> Result<Option<&Impersonated>, Error> {
        match self {
            Self::Server | Self::Caller(_) => Ok(None),
            Self::Impersonation(impersonated) => (**impersonated).as_ref().map(Some).map_err(Clone::clone),
        }
    }
}

/// Names of namespaces, and whether they are all that there are.
type Names = (BTreeSet<String>, bool);

/// The namespaces that the cluster was seen to have. Whose rights count has no say in them.
pub(super) struct KnownNamespaces(Verdicts<Arc<Names>>);

impl Default for KnownNamespaces {
    fn default() -> Self {
        Self(Verdicts::new(REMEMBERED_BYTES, |_| 0))
    }
}

impl ReadContext {
    /// Whether the caller may read this, where that is reviewed. What is sent in the caller's name the API server itself decides.
    pub(super) async fn authorize(&self, access: &Access<'_>, selectors: Selectors<'_>) -> Result<(), Error> {
        let Rights::Caller(subject) = &self.rights else { return Ok(()) };
        if self.allows(subject, access, selectors).await? { Ok(()) } else { Err(caller_lacks(&subject.user, access)) }
    }

    async fn allows(&self, subject: &Subject, access: &Access<'_>, selectors: Selectors<'_>) -> Result<bool, Error> {
        self.server.reviews.allow(subject, attributes(access, selectors), access, &self.budget).await
    }

    /// The namespaces in which a list over every namespace looks, and what is left out of it. A caller who may not list in all of them
    /// gets those in which they may, as far as a review tells.
    pub(super) async fn visible(
        &self,
        list: &Access<'_>,
        selectors: Selectors<'_>,
    ) -> Result<(Namespaces, Option<String>), Error> {
        let granted = &self.grant.namespaces;
        let Rights::Caller(subject) = &self.rights else { return Ok((granted.clone(), None)) };
        if self.allows(subject, list, selectors).await? {
            return Ok((granted.clone(), None));
        }
        let user = &subject.user;
        let (names, are_all) = match granted {
            Namespaces::Only(names) => (names.clone(), true),
            Namespaces::All => self.namespaces(caller_lacks(user, list)).await?,
        };
        let looked_at = names.len();
        let reviewing = names.into_iter().map(|name| async move {
            self.budget.checkpoint().await?;
            let there = Access { place: Place::Namespace(&name), ..*list };
            // As a whole, so that the answer serves for whatever is selected next.
            let allowed = self.allows(subject, &there, Selectors::default()).await?;
            Ok::<_, Error>(allowed.then_some(name))
        });
        let reviewed = stream::iter(reviewing).buffer_unordered(AT_ONCE_OF_A_CALL);
        let names: BTreeSet<String> = reviewed.try_filter_map(|name| async { Ok(name) }).try_collect().await?;
        if names.is_empty() {
            return Err(caller_lacks(user, list));
        }
        let more = if are_all { "" } else { ", and there are more than were looked at" };
        let warning =
            (!are_all || names.len() < looked_at).then(|| format!("{} ({}){more}", only_some(user, list.resource), names.len()));
        Ok((Namespaces::Only(names), warning))
    }

    /// The names of the cluster's namespaces, by the rights that reads are sent with, and whether they are all there; `error` is why they
    /// have to be known. In somebody's name they are listed for each page, since what is theirs is for the API server to say.
    pub(super) async fn namespaces(&self, error: Error) -> Result<Names, Error> {
        let found = match &self.rights {
            Rights::Impersonation(_) => self.list_namespaces().await,
            Rights::Server | Rights::Caller(_) => self.known_namespaces().await,
        };
        found.map_err(|then| {
            let message = format!(
                "{}; which namespaces there are cannot be found out either ({}): name a namespace",
                error.message, then.message
            );
            Error { message, ..then }
        })
    }

    /// Those that this server has seen within seconds. Other calls may wait for them, so nothing of this one's budget is in there, and they
    /// are listed in a task of their own.
    async fn known_namespaces(&self) -> Result<Names, Error> {
        let budget = Arc::new(Budget::outside_calls(REVIEW_TIME, NAMESPACES_REQUESTS));
        let own = Self { rights: Rights::Server, budget, ..self.clone() };
        let listing = async {
            let listed = tokio::spawn(async move { own.list_namespaces().await }).await;
            let listed = listed.unwrap_or_else(|_ended| Err(Error::new(Code::Unavailable, "this server is shutting down")));
            listed.map(|listed| (Arc::new(listed), ALLOWED_FOR))
        };
        let known = in_time(self.server.namespaces.0.get_or_find(Digest::of("namespaces"), listing)).await?;
        Ok((*known).clone())
    }

    async fn list_namespaces(&self) -> Result<Names, Error> {
        #[derive(Deserialize)]
        struct List {
            #[serde(default)]
            metadata: ListMeta,
            items: Vec<Item>,
        }
        #[derive(Default, Deserialize)]
        struct ListMeta {
            #[serde(default, rename = "continue")]
            continue_: String,
        }
        #[derive(Deserialize)]
        struct Item {
            metadata: Meta,
        }
        #[derive(Deserialize)]
        struct Meta {
            name: String,
        }
        let access =
            Access { verb: Verb::List, group: "", version: "v1", resource: "namespaces", place: Place::Cluster, name: None };
        let (mut names, mut token) = (BTreeSet::new(), String::new());
        loop {
            let incoming = self.ask(Read::namespaces(&token), &access, FIRST_BYTE).await?;
            let List { metadata, items } = incoming.json(NAMESPACES_BYTES, "the list of namespaces").await?;
            names.extend(items.into_iter().map(|item| item.metadata.name));
            token = metadata.continue_;
            if token.is_empty() || names.len() >= NAMESPACES_MAX {
                return Ok((names, token.is_empty()));
            }
        }
    }
}

/// The warning of a list that lacks namespaces.
pub(super) fn only_some(user: &User, resource: &str) -> String {
    format!("only the namespaces where {} may list {resource} are here", user.shown())
}
