//! The rights of a call's caller: what RBAC, or whatever else the API server asks, lets them read.
//!
//! Either each read is reviewed before its request leaves, with the name, the namespace and the selectors of that request. What a review
//! says is remembered for seconds. What cannot be reviewed is not read. Or each read is sent in the caller's name, and the API server
//! refuses what they may not read.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::authorization::v1::{
    FieldSelectorAttributes, LabelSelectorAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use sandbar_policy::{Access, Account, Budget, Namespaces, Place, User, Verb};
use sandbar_processor::{FairSemaphore, Share};
use sandbar_verdicts::{Digest, Verdicts};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::context::{KnownServer, ReadContext};
use super::error::{Code, Error};
use super::exchange::{ApiServer, FIRST_BYTE};
use super::forbidden::{caller_lacks, is_namespace};
use super::impersonation::Impersonated;
use super::request::{ApiRequest, Read};

/// How long a yes counts, and a no. A right that was given should not be waited for as long as one that was taken may still count.
const ALLOWED_FOR: Duration = Duration::from_secs(10);
const DENIED_FOR: Duration = Duration::from_secs(5);

/// Bytes of decisions that are remembered: some 50,000.
const REMEMBERED_BYTES: u64 = 12 * 1024 * 1024;

/// How long a review may take.
const REVIEW_TIME: Duration = Duration::from_secs(5);

/// Requests for one review: it, and its retry.
const REQUESTS: u32 = 2;

/// Reviews at once, of all calls, and of one call.
const AT_ONCE: usize = 64;
const AT_ONCE_OF_A_CALL: usize = 16;

/// Reviews that wait for their turn: those of 128 calls, which are more than run at once.
const WAITING: usize = 128 * AT_ONCE_OF_A_CALL;

/// Bytes of a review that is answered: it repeats the user.
const ANSWER_MAX: usize = 512 * 1024;

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

/// Whose rights are reviewed.
#[derive(Debug)]
pub(super) struct Subject {
    user: Arc<User>,
    /// Made once for all reads of a call.
    digest: [u8; 32],
}

impl Subject {
    pub(super) fn new(user: Arc<User>) -> Self {
        Self { digest: digest(&user), user }
    }
}

/// The digest of everything about a user that can decide.
fn digest(User { name, uid, groups, extra }: &User) -> [u8; 32] {
    // Texts, and lists and maps of them, always serialise.
    Sha256::digest(serde_json::to_vec(&(&**name, uid, groups, extra)).unwrap_or_default()).into()
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

/// The selectors of a list, as they are sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Selectors<'a> {
    pub(super) label: Option<&'a str>,
    pub(super) field: Option<&'a str>,
}

/// What the API server says of somebody's rights.
pub(super) struct AccessReviews {
    api: ApiServer,
    decisions: Verdicts<bool>,
    /// The names of the cluster's namespaces, and whether they are all there. Whose rights are reviewed has no say in them.
    namespaces: Verdicts<Arc<(BTreeSet<String>, bool)>>,
    turns: FairSemaphore,
}

impl AccessReviews {
    pub(super) fn new(api: ApiServer) -> Self {
        let (decisions, namespaces) = (Verdicts::new(REMEMBERED_BYTES, |_| 0), Verdicts::new(REMEMBERED_BYTES, |_| 0));
        Self { api, decisions, namespaces, turns: FairSemaphore::new(Share::Half, AT_ONCE, WAITING) }
    }

    /// Whether a user of that digest may do `what`, which are the words for it.
    async fn allows(
        &self,
        user: &User,
        digest: &[u8; 32],
        attributes: ResourceAttributes,
        what: &(dyn Display + Sync),
        budget: &Budget,
    ) -> Result<bool, Error> {
        let key = Digest::of([&digest[..], &serde_json::to_vec(&attributes).unwrap_or_default()].concat());
        if let Some(allowed) = self.decisions.get(key).await {
            return Ok(allowed);
        }
        let review = SubjectAccessReview { spec: spec(user, attributes), ..SubjectAccessReview::default() };
        let request = ApiRequest::access_review(&review);
        budget.take_review()?;
        // Others may wait for the same, whose calls have more time than this one: so nothing of its budget is in there.
        let asking = async {
            let busy = |_no_room| Error::new(Code::Unavailable, "too many such questions wait for the API server");
            let _turn = self.turns.acquire(&Account::User(user.name.clone())).await.map_err(busy)?;
            let allowed = self.ask(&request).await?;
            Ok((allowed, if allowed { ALLOWED_FOR } else { DENIED_FOR }))
        };
        self.decisions.get_or_find(key, asking).await.map_err(|error: Arc<Error>| {
            let words = format!("whether {} may {what} cannot be found out: {}", user.name, error.message);
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
        let budget = Budget::outside_calls(REVIEW_TIME, REQUESTS);
        let Answer { status } = self.api.ask(request, &budget, FIRST_BYTE).await?.json(ANSWER_MAX, "this review").await?;
        Ok(status.allowed && !status.denied)
    }
}

/// Which tools somebody may call.
pub struct ToolRights {
    server: Arc<KnownServer>,
    subject: Subject,
    /// Of which the reviews count, and nothing else: each has its own time.
    budget: Budget,
}

impl ToolRights {
    pub(super) fn new(server: Arc<KnownServer>, user: Arc<User>) -> Self {
        Self { server, subject: Subject::new(user), budget: Budget::outside_calls(REVIEW_TIME, REQUESTS) }
    }

    /// Whether they may `create` a tool of this name, as a resource of this API group; without a name, all of them. It is remembered as all
    /// that is found out of rights.
    pub async fn allow(&self, group: &str, tool: Option<&str>) -> Result<bool, Error> {
        let Self { server, subject: Subject { user, digest }, budget } = self;
        let attributes = ResourceAttributes {
            verb: Some("create".to_owned()),
            group: Some(group.to_owned()),
            version: Some("*".to_owned()),
            resource: Some("tools".to_owned()),
            name: tool.map(str::to_owned),
            ..ResourceAttributes::default()
        };
        let what = format!("call {}", tool.unwrap_or("all tools"));
        server.reviews.allows(user, digest, attributes, &what, budget).await
    }
}

fn spec(user: &User, attributes: ResourceAttributes) -> SubjectAccessReviewSpec {
    SubjectAccessReviewSpec {
        user: Some(user.name.to_string()),
        uid: user.uid.clone(),
        groups: Some(user.groups.clone()),
        extra: Some(user.extra.clone()),
        resource_attributes: Some(attributes),
        non_resource_attributes: None,
    }
}

/// A read as the API server's authorizers see it.
fn attributes(access: &Access<'_>, selectors: Selectors<'_>) -> ResourceAttributes {
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

impl ReadContext {
    /// Whether the caller may read this, where that is reviewed. What is sent in the caller's name the API server itself decides.
    pub(super) async fn authorize(&self, access: &Access<'_>, selectors: Selectors<'_>) -> Result<(), Error> {
        let Rights::Caller(subject) = &self.rights else { return Ok(()) };
        if self.allows(subject, access, selectors).await? { Ok(()) } else { Err(caller_lacks(&subject.user, access)) }
    }

    async fn allows(&self, subject: &Subject, access: &Access<'_>, selectors: Selectors<'_>) -> Result<bool, Error> {
        let Subject { user, digest } = subject;
        self.server.reviews.allows(user, digest, attributes(access, selectors), access, &self.budget).await
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
    pub(super) async fn namespaces(&self, error: Error) -> Result<(BTreeSet<String>, bool), Error> {
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
    async fn known_namespaces(&self) -> Result<(BTreeSet<String>, bool), Error> {
        let budget = Arc::new(Budget::outside_calls(REVIEW_TIME, NAMESPACES_REQUESTS));
        let own = Self { rights: Rights::Server, budget, ..self.clone() };
        let listing = async {
            let listed = tokio::spawn(async move { own.list_namespaces().await }).await;
            let listed = listed.unwrap_or_else(|_ended| Err(Error::new(Code::Unavailable, "this server is shutting down")));
            listed.map(|listed| (Arc::new(listed), ALLOWED_FOR))
        };
        let known = self.server.reviews.namespaces.get_or_find(Digest::of("namespaces"), listing).await;
        known.map(|known| (*known).clone()).map_err(|error: Arc<Error>| (*error).clone())
    }

    async fn list_namespaces(&self) -> Result<(BTreeSet<String>, bool), Error> {
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
    format!("only the namespaces where {} may list {resource} are here", user.name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sandbar_policy::{Identity, Limits, Proof};
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{FakeAnswer, allowed, cluster, grant, names, parameter, query, resource};
    use crate::types::Scope;

    const REVIEWS: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

    fn ann() -> Identity {
        Identity::User(Arc::new(User { name: "ann".into(), ..User::anonymous() }), Proof::TokenReview)
    }

    fn status(status: Value) -> FakeAnswer {
        FakeAnswer::json(json!({ "status": status }))
    }

    /// Gets a pod from a server that reviews like this, and what it was asked.
    async fn get(
        caller: Identity,
        review: impl Fn(usize) -> FakeAnswer + Send + Sync + 'static,
    ) -> (Result<String, Error>, Vec<String>) {
        let (cluster, seen) = cluster(move |path, number| match path {
            REVIEWS => review(number),
            _ => FakeAnswer::json(json!({ "metadata": { "name": "web" } })),
        });
        let cluster = cluster.with_rights(crate::WhoseRights::Caller);
        let limits = Limits { time: Duration::from_secs(20), ..Limits::default() };
        let reader = cluster.reader_for(&caller, Arc::new(grant(Namespaces::All)), Arc::new(Budget::new(limits)));
        let got = reader.get_object(&resource("", "pods"), &Scope::Namespace("team-a".into()), "web", None).await;
        (got, seen.all())
    }

    #[tokio::test]
    async fn a_read_is_reviewed_first() {
        let (got, asked) = get(ann(), |_| status(json!({ "allowed": true }))).await;
        assert!(got.is_ok());
        assert_eq!(asked, [REVIEWS, "/api/v1/namespaces/team-a/pods/web"]);
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_is_no_yes_is_a_no() {
        type Answer = fn(usize) -> FakeAnswer;
        let answers: [(Answer, Code, &str); 9] = [
            (|_| status(json!({ "allowed": false })), Code::Denied, "ann may not get pods \"web\" in namespace \"team-a\""),
            (|_| status(json!({ "allowed": false, "reason": "x" })), Code::Denied, "they lack a Role"),
            (|_| status(json!({ "allowed": true, "denied": true })), Code::Denied, "may not"),
            (|_| status(json!({ "allowed": "true" })), Code::Unavailable, "cannot be found out"),
            (|_| status(json!({})), Code::Unavailable, "cannot be found out"),
            (|_| FakeAnswer::json(json!({})), Code::Unavailable, "cannot be found out"),
            (|_| FakeAnswer::with_status(403, "no"), Code::Unavailable, "cannot be found out"),
            (|_| FakeAnswer::Disconnect, Code::Unavailable, "cannot be found out"),
            (|_| FakeAnswer::Silence, Code::Unavailable, "cannot be found out"),
        ];
        for (number, (answer, code, words)) in answers.into_iter().enumerate() {
            let (got, asked) = get(ann(), answer).await;
            let error = got.expect_err(words);
            assert!(error.code == code && error.message.contains(words), "{number}: {error:?}");
            assert!(asked.iter().all(|path| path == REVIEWS), "{number}: nothing is read: {asked:?}");
        }
    }

    #[tokio::test]
    async fn whoever_is_not_known_is_anonymous_to_the_api_server_too() {
        let (got, asked) = get(Identity::Anonymous, |_| status(json!({ "allowed": false }))).await;
        assert!(got.expect_err("no right").message.starts_with("system:anonymous may not"));
        assert_eq!(asked, [REVIEWS]);
        let (got, asked) = get(Identity::Operator, |_| status(json!({ "allowed": false }))).await;
        assert!(got.is_ok() && asked.len() == 1, "the command line reads with its own kubeconfig");
    }

    /// Lists pods over every namespace, of which there are three, for somebody who may list in one or the other of them.
    async fn list(namespaces: Namespaces, may: &'static [usize]) -> (Result<crate::types::Page, Error>, Vec<String>) {
        let (cluster, seen) = cluster(move |path, number| match path {
            REVIEWS => status(json!({ "allowed": may.contains(&number) })),
            _ if path.starts_with("/api/v1/namespaces?") => {
                let page = if parameter(path, "continue").is_none() { json!(["a", "b"]) } else { json!(["c"]) };
                let items: Vec<Value> =
                    page.as_array().expect("names").iter().map(|name| json!({ "metadata": { "name": name } })).collect();
                let next = if items.len() == 2 { "more" } else { "" };
                FakeAnswer::json(json!({ "metadata": { "continue": next }, "items": items }))
            }
            _ => crate::testing::list("x", &[path], None),
        });
        let cluster = cluster.with_rights(crate::WhoseRights::Caller);
        let budget = Arc::new(Budget::new(Limits::default()));
        let reader = cluster.reader_for(&ann(), Arc::new(grant(namespaces)), budget);
        (reader.list_objects(&query(resource("", "pods"), Scope::EveryNamespace)).await, seen.all())
    }

    #[tokio::test]
    async fn a_list_over_every_namespace_is_one_over_those_of_the_caller() {
        // The first review is of the whole list, the next ones are of each namespace; before them, the namespaces are listed.
        let (page, asked) = list(Namespaces::All, &[3]).await;
        let page = page.expect("a page");
        assert_eq!(names(&page.items).len(), 1, "{asked:?}");
        assert_eq!(page.warnings, ["only the namespaces where ann may list pods are here (1)"]);
        let (page, _) = list(Namespaces::All, &[3, 4, 5]).await;
        assert_eq!(page.expect("a page").warnings, Vec::<String>::new());
        let (page, asked) = list(Namespaces::All, &[0]).await;
        assert!(page.is_ok() && asked.len() == 2, "whoever may list everywhere is asked about once: {asked:?}");
        let (page, _) = list(Namespaces::All, &[]).await;
        assert!(page.expect_err("no right").message.contains("list pods in every namespace"));
        let (page, asked) = list(allowed(&["b", "c"]), &[2]).await;
        assert_eq!((names(&page.expect("a page").items).len(), asked.len()), (1, 4), "{asked:?}");
    }

    #[tokio::test]
    async fn namespaces_are_not_listed_anew_for_each_page() {
        let (cluster, seen) = cluster(|path, number| match path {
            // To a list over all of them no, to each of them yes.
            REVIEWS => status(json!({ "allowed": number > 0 })),
            _ if path.starts_with("/api/v1/namespaces?") => {
                FakeAnswer::json(json!({ "items": [{ "metadata": { "name": "a" } }] }))
            }
            _ => crate::testing::list("a", &["one"], Some("token")),
        });
        let cluster = cluster.with_rights(crate::WhoseRights::Caller);
        let mut query = query(resource("", "pods"), Scope::EveryNamespace);
        for _ in 0..3 {
            let budget = Arc::new(Budget::new(Limits::default()));
            let page = cluster.reader_for(&ann(), Arc::new(grant(Namespaces::All)), budget).list_objects(&query).await;
            query.continue_ = page.expect("a page").continue_;
        }
        let listed = seen.all().iter().filter(|path| path.starts_with("/api/v1/namespaces?")).count();
        assert_eq!((listed, seen.count()), (1, 2 + 1 + 3), "two reviews, the namespaces, three pages: {:?}", seen.all());
    }

    /// A page of a list over every namespace, for somebody who may list everywhere or in each namespace.
    async fn page(everywhere: bool, cursor: Option<String>) -> Result<crate::types::Page, Error> {
        let (cluster, _) = cluster(move |path, number| match path {
            REVIEWS => status(json!({ "allowed": everywhere || number > 0 })),
            _ if path.starts_with("/api/v1/namespaces?") => {
                FakeAnswer::json(json!({ "items": [{ "metadata": { "name": "a" } }, { "metadata": { "name": "b" } }] }))
            }
            _ => crate::testing::list("x", &["one"], Some("token")),
        });
        let cluster = cluster.with_rights(crate::WhoseRights::Caller);
        let reader = cluster.reader_for(&ann(), Arc::new(grant(Namespaces::All)), Arc::new(Budget::new(Limits::default())));
        let mut query = query(resource("", "pods"), Scope::EveryNamespace);
        (query.limit, query.continue_) = (Some(1), cursor);
        reader.list_objects(&query).await
    }

    #[tokio::test]
    async fn a_page_under_other_rights_is_not_gone_on_from() {
        for everywhere in [true, false] {
            let first = page(everywhere, None).await.expect("a page");
            assert!(page(everywhere, first.continue_.clone()).await.is_ok());
            let error = page(!everywhere, first.continue_).await.expect_err("another way to read it");
            assert!(error.code == Code::Expired && error.message.contains("rights have changed"), "{error:?}");
        }
    }

    #[test]
    fn a_namespace_is_asked_about_as_kubernetes_does() {
        let access = |resource, name| Access { verb: Verb::Get, group: "", version: "v1", resource, place: Place::Cluster, name };
        let namespace = |access| attributes(&access, Selectors::default()).namespace;
        assert_eq!(namespace(access("namespaces", Some("team-a"))).as_deref(), Some("team-a"));
        assert_eq!(namespace(access("nodes", Some("n1"))), None);
        assert_eq!(namespace(access("namespaces", None)), None);
    }

    /// Somebody in whose name is read from a server that answers like this.
    fn in_the_name_of(
        caller: &Identity,
        namespaces: Namespaces,
        answer: impl Fn(&str, usize) -> FakeAnswer + Send + Sync + 'static,
    ) -> (crate::Reader, crate::testing::Seen) {
        let (cluster, seen) = cluster(answer);
        let keys = Arc::new(crate::ExtraKeys::new(&[], &[]));
        let cluster = cluster.with_rights(crate::WhoseRights::Impersonation(keys));
        (cluster.reader_for(caller, Arc::new(grant(namespaces)), Arc::new(Budget::new(Limits::default()))), seen)
    }

    /// As the API server says it.
    fn forbidden(who: &str, verb: &str, resource: &str, group: &str) -> FakeAnswer {
        let words = format!(
            "{resource} is forbidden: User {who:?} cannot {verb} resource {resource:?} in API group {group:?} at the cluster scope"
        );
        FakeAnswer::status(403, "Forbidden", &words, json!({}))
    }

    const SERVER: &str = "system:serviceaccount:coder-system:coder-k8s-mcp";

    #[tokio::test]
    async fn each_read_is_in_the_callers_name_and_nothing_else_is() {
        for (caller, whom) in [(ann(), Some("ann")), (Identity::Anonymous, Some("system:anonymous")), (Identity::Operator, None)]
        {
            let (reader, seen) = in_the_name_of(&caller, Namespaces::All, |path, _| match path {
                "/api/v1/namespaces?limit=500" => FakeAnswer::json(json!({ "items": [{ "metadata": { "name": "a" } }] })),
                "/api/v1/events?limit=200" | "/api/v1/pods?limit=200" => forbidden("ann", "list", "pods", ""),
                "/version" => FakeAnswer::json(json!({ "gitVersion": "v1.37.2" })),
                path if path.contains("/log") => FakeAnswer::ok("a line\n"),
                path if path.contains("/pods/web") => FakeAnswer::json(json!({ "metadata": { "name": "web" } })),
                _ => crate::testing::list("a", &["web"], None),
            });
            let within = Scope::Namespace("team-a".into());
            reader.get_object(&resource("", "pods"), &within, "web", None).await.expect("a pod");
            reader.list_objects(&query(resource("", "pods"), within)).await.expect("pods");
            let source = crate::LogSource { namespace: "team-a".into(), pod: "web".into(), ..crate::LogSource::default() };
            reader.tail(&source).await.expect("a log");
            let list = reader.list_objects(&query(resource("", "pods"), Scope::EveryNamespace)).await;
            assert_eq!(list.is_ok(), whom.is_some(), "an operator who may not is told so: {list:?}");
            let reads = seen.count();
            assert_eq!(reads, if whom.is_some() { 6 } else { 4 }, "{:?}", seen.all());
            reader.api_server().await.expect("its state");
            let (own, rest) = (vec![None; seen.count() - reads], vec![whom.map(str::to_owned); reads]);
            assert_eq!(seen.impersonated(), [rest, own].concat());
        }
    }

    #[tokio::test]
    async fn who_cannot_be_impersonated_reads_nothing() {
        let user = User { groups: vec!["system:masters".to_owned()], ..User::anonymous() };
        let caller = Identity::User(Arc::new(user), Proof::ApiServer);
        let (reader, seen) = in_the_name_of(&caller, Namespaces::All, |_, _| FakeAnswer::json(json!({})));
        for within in [Scope::Namespace("team-a".into()), Scope::EveryNamespace] {
            let error = reader.list_objects(&query(resource("", "pods"), within)).await.expect_err("nobody");
            assert!(error.code == Code::Denied && error.message.contains("system:masters"), "{error:?}");
        }
        assert_eq!(seen.count(), 0);
    }

    #[tokio::test]
    async fn a_refusal_says_who_lacks_what() {
        type Answer = fn() -> FakeAnswer;
        let answers: [(Answer, &str); 6] = [
            (
                || forbidden("ann", "get", "pods", ""),
                r#"ann may not get pods "web" in namespace "a": the caller's own rights count here, and they lack a Role with the rule {apiGroups: [""], resources: ["pods"], verbs: ["get"]}"#,
            ),
            (
                || forbidden(SERVER, "impersonate-on:user-info:get", "pods", ""),
                r#"this server may not get pods "web" in namespace "a" in the name of ann: it lacks a Role with the rule {apiGroups: [""], resources: ["pods"], verbs: ["impersonate-on:user-info:get"]}; its operator has to apply what `sandbar rbac` prints"#,
            ),
            (
                || forbidden(SERVER, "impersonate:user-info", "userextras/example.com/a", "authentication.k8s.io"),
                r#"it lacks a ClusterRole with the rule {apiGroups: ["authentication.k8s.io"], resources: ["userextras/example.com/a"], verbs: ["impersonate:user-info"]}"#,
            ),
            (|| forbidden(SERVER, "impersonate", "users", ""), "Kubernetes 1.36"),
            (|| FakeAnswer::with_status(403, "no way"), "the API server refuses this to ann: no way"),
            (|| FakeAnswer::status(403, "Forbidden", "not today", json!({})), "the API server refuses this to ann: not today"),
        ];
        for (answer, words) in answers {
            let (reader, seen) = in_the_name_of(&ann(), Namespaces::All, move |_, _| answer());
            let got = reader.get_object(&resource("", "pods"), &Scope::Namespace("a".into()), "web", None).await;
            let error = got.expect_err("refused");
            assert!(error.code == Code::Denied && error.message.contains(words), "{error:?}");
            assert!(!error.message.contains(r#"verbs: ["impersonate"]"#) && seen.count() == 1, "{error:?}");
        }
    }

    /// A page of pods in every namespace, of which there are three and the caller may list in `b`; `everywhere` is what is said to a list
    /// of all at once.
    async fn every(
        namespaces: Namespaces,
        everywhere: fn() -> FakeAnswer,
        cursor: Option<String>,
    ) -> (Result<crate::types::Page, Error>, Vec<String>) {
        let (reader, seen) = in_the_name_of(&ann(), namespaces, move |path, _| {
            let names = ["a", "b", "c"].map(|name| json!({ "metadata": { "name": name } }));
            match path.split(['/', '?']).nth(4) {
                _ if path.starts_with("/api/v1/namespaces?") => FakeAnswer::json(json!({ "items": names })),
                Some("b") if parameter(path, "continue").is_none() => crate::testing::list("b", &["one"], Some("more")),
                Some("b") => crate::testing::list("b", &["two"], None),
                Some("a" | "c") => forbidden("ann", "list", "pods", ""),
                _ => everywhere(),
            }
        });
        let mut query = query(resource("", "pods"), Scope::EveryNamespace);
        (query.limit, query.continue_) = (Some(1), cursor);
        (reader.list_objects(&query).await, seen.all())
    }

    #[tokio::test]
    async fn a_list_over_every_namespace_in_somebodys_name_is_one_over_those_that_are_theirs() {
        let no: fn() -> FakeAnswer = || forbidden("ann", "list", "pods", "");
        let (first, asked) = every(Namespaces::All, no, None).await;
        let first = first.expect("a page");
        assert_eq!(names(&first.items), ["one"], "{asked:?}");
        assert_eq!(first.warnings, ["only the namespaces where ann may list pods are here"]);
        let (second, asked) = every(Namespaces::All, no, first.continue_).await;
        let second = second.expect("a page");
        assert_eq!(names(&second.items), ["two"], "{asked:?}");
        assert!(asked[0].starts_with("/api/v1/namespaces?"), "it goes on as it began: {asked:?}");
        let (third, asked) = every(Namespaces::All, no, second.continue_).await;
        let third = third.expect("a page");
        assert_eq!((third.items.as_str(), third.continue_, third.warnings), ("[]", None, first.warnings), "{asked:?}");
        // Where namespaces are configured, nobody has to see more of them.
        let (page, asked) = every(allowed(&["b", "c"]), no, None).await;
        assert!(page.is_ok() && asked.len() == 1 && asked[0].starts_with("/api/v1/namespaces/b/"), "{asked:?}");
        let (page, _) = every(allowed(&["a", "c"]), no, None).await;
        assert!(page.expect_err("none is theirs").message.contains("ann may not list pods"));
        // Who may list everywhere is sent one list, and may not go on with it once they may not any more.
        let yes: fn() -> FakeAnswer = || crate::testing::list("a", &["one"], Some("more"));
        let (page, asked) = every(Namespaces::All, yes, None).await;
        let page = page.expect("a page");
        assert_eq!((asked.len(), page.warnings), (1, Vec::new()));
        let (page, _) = every(Namespaces::All, no, page.continue_).await;
        let error = page.expect_err("other rights");
        assert!(error.code == Code::Expired && error.message.contains("rights have changed"), "{error:?}");
        // What the server lacks is no reason to look elsewhere.
        let (page, asked) = every(Namespaces::All, || forbidden(SERVER, "impersonate-on:user-info:list", "pods", ""), None).await;
        assert!(page.expect_err("nothing").message.contains("`sandbar rbac`") && asked.len() == 1, "{asked:?}");
    }

    #[tokio::test]
    async fn who_may_not_see_the_namespaces_has_to_name_one() {
        let (reader, _) = in_the_name_of(&ann(), Namespaces::All, |path, _| {
            forbidden("ann", "list", if path.contains("pods") { "pods" } else { "namespaces" }, "")
        });
        let list = reader.list_objects(&query(resource("", "pods"), Scope::EveryNamespace)).await;
        let Error { code, message, .. } = list.expect_err("denied");
        assert_eq!(code, Code::Denied);
        for words in ["list pods in every namespace", r#"resources: ["namespaces"]"#, "name a namespace"] {
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn users_who_differ_in_anything_are_other_subjects() {
        let user = |name: &str, uid: Option<&str>, groups: &[&str]| {
            let groups = groups.iter().map(|&group| group.to_owned()).collect();
            Subject::new(Arc::new(User { name: name.into(), uid: uid.map(str::to_owned), groups, ..User::anonymous() })).digest
        };
        let all = [
            user("ann", None, &[]),
            user("bob", None, &[]),
            user("ann", Some("1"), &[]),
            user("ann", None, &["a", "b"]),
            user("ann", None, &["ab"]),
            user("ann", None, &["b", "a"]),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all[0], user("ann", None, &[]));
    }

    #[tokio::test]
    async fn a_caller_with_many_reviews_does_not_keep_another_waiting() {
        // The greedy one's reviews never come, and there are more of them than are asked at once.
        let (cluster, seen) = cluster(|path, _| match path {
            REVIEWS => FakeAnswer::Silence,
            _ => FakeAnswer::json(json!({ "metadata": { "name": "web" } })),
        });
        let cluster = cluster.with_rights(crate::WhoseRights::Caller);
        let get = |name: &str, pod: usize| {
            let user = User { name: name.into(), ..User::anonymous() };
            let caller = Identity::User(Arc::new(user), Proof::TokenReview);
            let budget = Arc::new(Budget::of(caller.account(), Limits::default()));
            let reader = cluster.reader_for(&caller, Arc::new(grant(Namespaces::All)), budget);
            let (pods, namespace) = (resource("", "pods"), Scope::Namespace("team-a".into()));
            Box::pin(async move { reader.get_object(&pods, &namespace, &pod.to_string(), None).await })
        };
        let mut greedy: Vec<_> = (0..2 * AT_ONCE).map(|pod| get("greedy", pod)).collect();
        let mut others = [get("ann", 0), get("bob", 0)];
        let mut asked = 0;
        while asked < AT_ONCE / 2 || seen.count() > asked {
            asked = seen.count();
            for get in &mut greedy {
                assert!(futures::poll!(get).is_pending());
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(asked, AT_ONCE / 2, "no more than are left to others");
        while seen.count() < asked + others.len() {
            for get in &mut others {
                assert!(futures::poll!(get).is_pending());
            }
            tokio::task::yield_now().await;
        }
    }
}
