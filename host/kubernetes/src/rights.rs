//! The rights of a call's caller: what RBAC, or whatever else the API server asks, lets them read.
//!
//! Each read is reviewed before its request leaves, with the name, the namespace and the selectors of that request. What a review says is
//! remembered for seconds. What cannot be reviewed is not read.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::authorization::v1::{
    FieldSelectorAttributes, LabelSelectorAttributes, ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use sandbar_policy::{Access, Budget, Namespaces, Place, User};
use sandbar_verdicts::{Subject, Verdicts};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::context::ReadContext;
use super::error::{Code, Error};
use super::exchange::{ApiServer, FIRST_BYTE};
use super::explain;
use super::items::malformed;
use super::request::ApiRequest;

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

/// Bytes of a review that is answered: it repeats the user.
const ANSWER_MAX: usize = 512 * 1024;

/// Namespaces that are looked through for those that a caller may list in.
const NAMESPACES_MAX: usize = 2_000;

/// Bytes of a page of namespaces, of which only the metadata come.
const NAMESPACES_BYTES: usize = 8 * 1024 * 1024;

/// Whose rights count for the reads of a call, beside the grant of its tool.
#[derive(Clone, Debug)]
pub(super) enum Rights {
    /// Those of this server, which the API server itself enforces.
    Server,
    /// Those of the caller as well.
    Caller(Arc<User>),
}

impl Rights {
    /// Whose they are, as sandbar.yaml has it.
    pub(super) fn whose(&self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Caller(_) => "caller",
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
    turns: Semaphore,
}

impl AccessReviews {
    pub(super) fn new(api: ApiServer) -> Self {
        Self { api, decisions: Verdicts::new(REMEMBERED_BYTES, |_| 0), turns: Semaphore::new(AT_ONCE) }
    }

    /// Whether somebody may.
    async fn allows(&self, user: &User, access: &Access<'_>, selectors: Selectors<'_>, budget: &Budget) -> Result<bool, Error> {
        let review = SubjectAccessReview { spec: spec(user, access, selectors), ..SubjectAccessReview::default() };
        let request = ApiRequest::access_review(&review);
        let subject = Subject::of(request.review().unwrap_or_default());
        if let Some(allowed) = self.decisions.get(subject).await {
            return Ok(allowed);
        }
        budget.take_review()?;
        // Others may wait for the same, whose calls have more time than this one: so nothing of its budget is in there.
        let asking = async {
            let _turn = self.turns.acquire().await;
            let allowed = self.ask(&request).await?;
            Ok((allowed, if allowed { ALLOWED_FOR } else { DENIED_FOR }))
        };
        self.decisions.get_or_find(subject, asking).await.map_err(|error: Arc<Error>| {
            let words = format!("whether {} may {access} cannot be found out: {}", user.name, error.message);
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
        let body = self.api.ask(request, &budget, FIRST_BYTE).await?.bytes(ANSWER_MAX, "this review").await?;
        let Answer { status } = serde_json::from_slice(&body).map_err(|error| malformed(&explain::json(&error)))?;
        Ok(status.allowed && !status.denied)
    }
}

fn spec(user: &User, access: &Access<'_>, selectors: Selectors<'_>) -> SubjectAccessReviewSpec {
    let (resource, subresource) = access.resource.split_once('/').unwrap_or((access.resource, ""));
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let namespace = match access.place {
        Place::Namespace(namespace) => Some(namespace.to_owned()),
        // To Kubernetes a namespace is in itself, so that a Role there can allow to get it.
        Place::Cluster if is_namespace(access) => access.name.map(str::to_owned),
        Place::Cluster | Place::EveryNamespace => None,
    };
    let field_selector = selectors.field.and_then(text);
    let label_selector = selectors.label.and_then(text);
    SubjectAccessReviewSpec {
        user: Some(user.name.to_string()),
        uid: user.uid.clone(),
        groups: Some(user.groups.clone()),
        extra: Some(user.extra.clone()),
        resource_attributes: Some(ResourceAttributes {
            verb: Some(access.verb.as_str().to_owned()),
            group: text(access.group),
            version: Some("*".to_owned()),
            resource: text(resource),
            subresource: text(subresource),
            namespace,
            name: access.name.and_then(text),
            field_selector: field_selector.map(|raw| FieldSelectorAttributes { raw_selector: Some(raw), requirements: None }),
            label_selector: label_selector.map(|raw| LabelSelectorAttributes { raw_selector: Some(raw), requirements: None }),
        }),
        non_resource_attributes: None,
    }
}

/// Whether it is a namespace itself that is read, by its name.
fn is_namespace(access: &Access<'_>) -> bool {
    access.group.is_empty() && access.resource == "namespaces" && access.name.is_some()
}

impl ReadContext {
    /// Whether the caller may read this, where the caller's rights count.
    pub(super) async fn authorize(&self, access: &Access<'_>, selectors: Selectors<'_>) -> Result<(), Error> {
        let Rights::Caller(user) = &self.rights else { return Ok(()) };
        if self.allows(user, access, selectors).await? { Ok(()) } else { Err(denied(user, access)) }
    }

    async fn allows(&self, user: &User, access: &Access<'_>, selectors: Selectors<'_>) -> Result<bool, Error> {
        self.server.reviews.allows(user, access, selectors, &self.budget).await
    }

    /// The namespaces in which a list over every namespace looks, and what is left out of it. A caller who may not list in all of them
    /// gets those in which they may.
    pub(super) async fn visible(
        &self,
        list: &Access<'_>,
        selectors: Selectors<'_>,
    ) -> Result<(Namespaces, Option<String>), Error> {
        let granted = &self.grant.namespaces;
        let Rights::Caller(user) = &self.rights else { return Ok((granted.clone(), None)) };
        if self.allows(user, list, selectors).await? {
            return Ok((granted.clone(), None));
        }
        let (names, are_all) = match granted {
            Namespaces::Only(names) => (names.clone(), true),
            Namespaces::All => self.namespaces().await.map_err(|error| {
                let message = format!("{}; {}, so name a namespace", denied(user, list).message, error.message);
                Error { message, ..error }
            })?,
        };
        let looked_at = names.len();
        let reviewing = names.into_iter().map(|name| async move {
            self.budget.checkpoint().await?;
            let there = Access { place: Place::Namespace(&name), ..*list };
            let allowed = self.allows(user, &there, selectors).await?;
            Ok::<_, Error>(allowed.then_some(name))
        });
        let reviewed = stream::iter(reviewing).buffer_unordered(AT_ONCE_OF_A_CALL);
        let names: BTreeSet<String> = reviewed.try_filter_map(|name| async { Ok(name) }).try_collect().await?;
        if names.is_empty() {
            return Err(denied(user, list));
        }
        let more = if are_all { "" } else { ", and there are more than were looked at" };
        let warning = (!are_all || names.len() < looked_at).then(|| {
            let (user, what, count) = (&user.name, list.resource, names.len());
            format!("only the namespaces where {user} may list {what} are here ({count}){more}")
        });
        Ok((Namespaces::Only(names), warning))
    }

    /// The names of the cluster's namespaces, by this server's rights, and whether they are all there.
    async fn namespaces(&self) -> Result<(BTreeSet<String>, bool), Error> {
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
        let (mut names, mut token) = (BTreeSet::new(), String::new());
        loop {
            let incoming = self.ask(&ApiRequest::namespaces(&token), FIRST_BYTE).await?;
            let body = incoming.bytes(NAMESPACES_BYTES, "the list of namespaces").await?;
            let List { metadata, items } = serde_json::from_slice(&body).map_err(|error| malformed(&explain::json(&error)))?;
            names.extend(items.into_iter().map(|item| item.metadata.name));
            token = metadata.continue_;
            if token.is_empty() || names.len() >= NAMESPACES_MAX {
                return Ok((names, token.is_empty()));
            }
        }
    }
}

fn denied(user: &User, access: &Access<'_>) -> Error {
    let Access { verb, group, resource, place, .. } = access;
    let kind = if matches!(place, Place::Namespace(_)) || is_namespace(access) { "Role" } else { "ClusterRole" };
    let rule = format!("{{apiGroups: [{group:?}], resources: [{resource:?}], verbs: [{:?}]}}", verb.as_str());
    let (user, rights) = (&user.name, "the caller's own rights count here");
    Error::new(Code::Denied, format!("{user} may not {access}: {rights}, and they lack a {kind} with the rule {rule}"))
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
        let cluster = cluster.with_callers_rights();
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
        let cluster = cluster.with_callers_rights();
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

    /// A page of a list over every namespace, for somebody who may list everywhere or in each namespace.
    async fn page(everywhere: bool, cursor: Option<String>) -> Result<crate::types::Page, Error> {
        let (cluster, _) = cluster(move |path, number| match path {
            REVIEWS => status(json!({ "allowed": everywhere || number > 0 })),
            _ if path.starts_with("/api/v1/namespaces?") => {
                FakeAnswer::json(json!({ "items": [{ "metadata": { "name": "a" } }, { "metadata": { "name": "b" } }] }))
            }
            _ => crate::testing::list("x", &["one"], Some("token")),
        });
        let cluster = cluster.with_callers_rights();
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
        let access =
            |resource, name| Access { verb: sandbar_policy::Verb::Get, group: "", resource, place: Place::Cluster, name };
        let namespace =
            |access| spec(&User::anonymous(), &access, Selectors::default()).resource_attributes.expect("a resource").namespace;
        assert_eq!(namespace(access("namespaces", Some("team-a"))).as_deref(), Some("team-a"));
        assert_eq!(namespace(access("nodes", Some("n1"))), None);
        assert_eq!(namespace(access("namespaces", None)), None);
    }
}
