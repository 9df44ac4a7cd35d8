//! What the API server says of this process itself: who it is, and what it may do. Both are reviews, which it answers and does not store,
//! and which everybody may ask for.

use std::fmt;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use sandbar_policy::User;
use tokio::time::Instant;

use super::error::{Code, Error};
use super::exchange::{ApiServer, Failure};
use super::request::ApiRequest;
use super::response::json;
use super::review::user;

/// Reviews at once: each takes a healthy API server a millisecond.
const AT_ONCE: usize = 16;

/// The most that is asked for. All tools in a hundred namespaces are fewer.
const PERMISSIONS_MAX: usize = 4_000;

/// Bytes of a review that is answered: it has the user's groups.
const ANSWER_MAX: usize = 512 * 1024;

/// Something that somebody may do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// Where: none is in every namespace, or of the cluster.
    pub namespace: Option<String>,
    /// The API group; empty for the core group.
    pub group: String,
    /// The resource, and its subresource: `pods/log`.
    pub resource: String,
    /// The object; none: all of them.
    pub name: Option<String>,
    /// What is done.
    pub verb: String,
}

/// As `kubectl auth can-i` has it.
impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, group, resource, name, verb } = self;
        let (plural, subresource) =
            resource.split_once('/').map_or((resource.as_str(), None), |(plural, sub)| (plural, Some(sub)));
        write!(f, "{verb} {plural}")?;
        if !group.is_empty() {
            write!(f, ".{group}")?;
        }
        if let Some(subresource) = subresource {
            write!(f, "/{subresource}")?;
        }
        if let Some(name) = name {
            write!(f, " named {name}")?;
        }
        match namespace {
            Some(namespace) => write!(f, " in {namespace}"),
            None => Ok(()),
        }
    }
}

/// What came of asking for permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRights {
    /// Those that are not there.
    pub missing: Vec<Permission>,
    /// Why not all of them could be found out.
    pub trouble: Option<Error>,
}

/// Who asks. None where the API server does not know the question, which is of Kubernetes 1.28.
pub(super) async fn identity(api: &ApiServer, time: Duration) -> Result<Option<User>, Error> {
    let answer = match api.read_outside_calls(&ApiRequest::own_review(), time, ANSWER_MAX, "this review").await {
        Ok(answer) => answer,
        Err(Failure::Refused(refusal)) if refusal.status == http::StatusCode::NOT_FOUND => return Ok(None),
        Err(failure) => return Err(failure.into()),
    };
    let review: SelfSubjectReview = json(&answer)?;
    let found = user(review.status.unwrap_or_default().user_info.unwrap_or_default());
    found.checked().map(Some).map_err(|error| Error::new(Code::Other, error.to_string()))
}

/// Returns which of these permissions this process lacks, and why not all could be checked, if they could not.
pub(super) async fn rights(api: &ApiServer, permissions: Vec<Permission>, time: Duration) -> OwnRights {
    let deadline = Instant::now() + time;
    let number = permissions.len();
    let asking = permissions.into_iter().take(PERMISSIONS_MAX).map(|permission| async move {
        let allowed = may(api, &permission, deadline.saturating_duration_since(Instant::now())).await;
        (permission, allowed)
    });
    let mut asked = stream::iter(asking).buffered(AT_ONCE);
    let mut missing = Vec::new();
    while let Some((permission, allowed)) = asked.next().await {
        match allowed {
            Ok(true) => {}
            Ok(false) => missing.push(permission),
            // What refuses one refuses the others.
            Err(error) => return OwnRights { missing, trouble: Some(error) },
        }
    }
    let trouble = (number > PERMISSIONS_MAX)
        .then(|| Error::new(Code::TooLarge, format!("there are {number} of them, of which {PERMISSIONS_MAX} were asked for")));
    OwnRights { missing, trouble }
}

async fn may(api: &ApiServer, permission: &Permission, time: Duration) -> Result<bool, Error> {
    let Permission { namespace, group, resource, name, verb } = permission;
    let (plural, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let attributes = ResourceAttributes {
        verb: Some(verb.clone()),
        group: Some(group.clone()),
        resource: Some(plural.to_owned()),
        subresource: Some(subresource.to_owned()).filter(|text| !text.is_empty()),
        namespace: namespace.clone(),
        name: name.clone(),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), non_resource_attributes: None };
    let request = ApiRequest::own_access_review(&SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() });
    let answer = api.read_outside_calls(&request, time, ANSWER_MAX, "this review").await?;
    let review: SelfSubjectAccessReview = json(&answer)?;
    Ok(review.status.is_some_and(|status| status.allowed && !status.denied.unwrap_or(false)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{FakeAnswer, cluster};

    const TIME: Duration = Duration::from_secs(5);

    fn permission(verb: &str, resource: &str, namespace: Option<&str>) -> Permission {
        let (group, name) = (String::new(), None);
        Permission { namespace: namespace.map(str::to_owned), group, resource: resource.to_owned(), name, verb: verb.to_owned() }
    }

    #[test]
    fn a_permission_is_told_as_kubectl_tells_it() {
        let all = Permission {
            namespace: Some("team-a".to_owned()),
            group: "apps".to_owned(),
            resource: "deployments/scale".to_owned(),
            name: Some("web".to_owned()),
            verb: "get".to_owned(),
        };
        assert_eq!(all.to_string(), "get deployments.apps/scale named web in team-a");
        assert_eq!(permission("list", "pods", None).to_string(), "list pods");
    }

    #[tokio::test]
    async fn what_is_not_allowed_is_missing_and_what_cannot_be_asked_is_trouble() {
        let (some, seen) = cluster(|_, before| FakeAnswer::json(json!({ "spec": {}, "status": { "allowed": before != 1 } })));
        let asked = ["pods", "events", "nodes"].map(|resource| permission("list", resource, None));
        let rights = some.own_rights(asked.to_vec(), TIME).await;
        assert_eq!((rights.missing, rights.trouble), (vec![asked[1].clone()], None));
        assert_eq!(seen.all(), ["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"; 3]);

        for status in [json!({}), json!({ "status": { "allowed": true, "denied": true } })] {
            let (none, _) = cluster(move |_, _| {
                let mut review = json!({ "spec": {} });
                review.as_object_mut().expect("an object").extend(status.as_object().expect("an object").clone());
                FakeAnswer::json(review)
            });
            assert_eq!(none.own_rights(asked.to_vec(), TIME).await, OwnRights { missing: asked.to_vec(), trouble: None });
        }
        let (refusing, _) = cluster(|_, _| FakeAnswer::with_status(403, "no"));
        let rights = refusing.own_rights(asked.to_vec(), TIME).await;
        assert!(rights.missing.is_empty() && rights.trouble.is_some_and(|error| error.code == Code::Denied));
    }

    #[tokio::test]
    async fn more_than_anybody_needs_is_not_asked_for() {
        let (all, seen) = cluster(|_, _| FakeAnswer::json(json!({ "spec": {}, "status": { "allowed": true } })));
        let asked = (0..=PERMISSIONS_MAX).map(|number| permission("list", "pods", Some(&format!("team-{number}")))).collect();
        let rights = all.own_rights(asked, Duration::from_secs(600)).await;
        assert_eq!((rights.missing.len(), seen.count()), (0, PERMISSIONS_MAX));
        assert!(rights.trouble.is_some_and(|error| error.message.contains("4001")));
    }

    #[tokio::test]
    async fn who_asks_is_told_by_name() {
        let (known, seen) =
            cluster(|_, _| FakeAnswer::json(json!({ "status": { "userInfo": { "username": "ada", "groups": ["devs"] } } })));
        let user = known.own_identity(TIME).await.expect("an answer").expect("known");
        assert_eq!((&*user.name, user.groups.as_slice()), ("ada", &["devs".to_owned()][..]));
        assert_eq!(seen.all(), ["/apis/authentication.k8s.io/v1/selfsubjectreviews"]);
        let (old, _) = cluster(|_, _| FakeAnswer::with_status(404, "404 page not found"));
        assert_eq!(old.own_identity(TIME).await, Ok(None));
        let (nameless, _) = cluster(|_, _| FakeAnswer::json(json!({})));
        assert!(nameless.own_identity(TIME).await.is_err());
    }
}
