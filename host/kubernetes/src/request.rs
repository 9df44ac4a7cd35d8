//! Requests to the API server, and the only place where their URLs are built.
//!
//! Invariant: every request is a GET, of an object, a list, a pod's log or one of a few fixed paths, or a review, which the API server
//! answers and does not store: whose a token is, what somebody may do, and of this process itself who it is and what it may do. Another
//! method, a subresource or an `Upgrade` header cannot be expressed, so nothing that uses this module can change a cluster. What a call reads
//! is sent in somebody's name, or not at all.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenReview};
use k8s_openapi::api::authorization::v1::{SelfSubjectAccessReview, SubjectAccessReview};
use kube::client::Body;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sandbar_policy::{Budget, Exhausted};
use serde::Serialize;

use super::gathered::ComesInLines;
use super::gzip::TakesGzip;
use super::impersonation::Impersonated;
use super::name::{Container, Namespace, ObjectName};
use super::observer::RequestVerb;
use super::types::ServedResource;

/// Escaped in a path segment or a query value: everything but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Identifies Sandbar in the API server's audit log.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("sandbar/", env!("CARGO_PKG_VERSION")));

/// A request, relative to the API server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiRequest {
    path_and_query: String,
    accept: HeaderValue,
    /// Who it is from, where that is not this server.
    impersonation: HeaderMap,
    /// The review that it asks for, as JSON; a GET has none. It is not shown, since it can hold a token.
    review: Option<Review>,
    /// The namespace that it reads; [`EVERY`] for a list over all of them.
    namespace: Option<Box<str>>,
    /// Whether it is for a further namespace of a list whose first one was asked before.
    is_swept: bool,
    /// Whether its answer is a log.
    is_log: bool,
    /// What it is about, for those who count requests.
    about: About,
}

/// A verb, and what it is about: a resource as RBAC has it, or a path that every cluster has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct About(RequestVerb, Cow<'static, str>);

impl About {
    fn of(verb: RequestVerb, of: &ServedResource) -> Self {
        let ServedResource { group, plural, .. } = of;
        Self(verb, if group.is_empty() { plural.clone() } else { format!("{plural}.{group}") }.into())
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What of an object is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    /// All of it.
    #[default]
    Whole,
    /// Its metadata alone, where the server can send them alone. They have the `kind` of no object.
    Metadata,
    /// A row of a table, with its metadata, or with all of it. Of lists alone.
    Row { is_with_object: bool },
}

impl Form {
    pub(super) fn is_row(self) -> bool {
        matches!(self, Self::Row { .. })
    }

    fn accept(self, metadata: &'static str) -> HeaderValue {
        match self {
            Self::Whole => JSON,
            Self::Metadata => HeaderValue::from_static(metadata),
            Self::Row { .. } => HeaderValue::from_static("application/json;as=Table;g=meta.k8s.io;v=v1"),
        }
    }
}

/// The metadata of one object, and of a list.
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json";
const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json";

/// The JSON of a review.
#[derive(Clone, PartialEq, Eq)]
struct Review(Bytes);

impl fmt::Debug for Review {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Review")
    }
}

/// Stands for all namespaces.
const EVERY: &str = "*";

/// The parameters of a list request. Absent ones are not sent.
#[derive(Clone, Debug, Default)]
pub(super) struct ListParameters<'a> {
    pub(super) label_selector: Option<&'a str>,
    pub(super) field_selector: Option<&'a str>,
    /// Never 0, which means "no limit" to the API server.
    pub(super) limit: Option<std::num::NonZeroU32>,
    /// The server's own continue token.
    pub(super) token: Option<&'a str>,
    pub(super) form: Form,
}

/// The parameters of a log request.
#[derive(Clone, Debug, Default)]
pub(super) struct LogParameters<'a> {
    pub(super) container: Option<&'a Container>,
    pub(super) previous: bool,
    pub(super) timestamps: bool,
    pub(super) since_seconds: Option<u32>,
    /// CRI records, counted by the kubelet before `since_seconds` applies.
    pub(super) tail: u64,
}

/// What a call reads. It cannot be sent until it is said in whose name.
pub(super) struct Read(ApiRequest);

impl Read {
    /// One object.
    pub(super) fn object(of: &ServedResource, namespace: Option<&Namespace>, name: &ObjectName, form: Form) -> Self {
        let mut path = collection(of, namespace);
        push_segment(&mut path, name.as_str());
        let accept = form.accept(METADATA);
        let request = ApiRequest::json(path, About::of(RequestVerb::Get, of));
        Self(ApiRequest { accept, namespace: namespace.map(|namespace| namespace.as_str().into()), ..request })
    }

    /// A list. Without a namespace: cluster-scoped, or over all namespaces.
    pub(super) fn list(of: &ServedResource, namespace: Option<&Namespace>, parameters: &ListParameters<'_>) -> Self {
        let mut query = Query(collection(of, namespace), '?');
        query.push("labelSelector", parameters.label_selector);
        query.push("fieldSelector", parameters.field_selector);
        query.push("limit", parameters.limit.map(|limit| limit.to_string()).as_deref());
        query.push("continue", parameters.token);
        query.push("includeObject", (parameters.form == Form::Row { is_with_object: true }).then_some("Object"));
        let namespace = namespace.map(Namespace::as_str).or(of.namespaced.then_some(EVERY));
        let accept = parameters.form.accept(METADATA_LIST);
        let request = ApiRequest::json(query.0, About::of(RequestVerb::List, of));
        Self(ApiRequest { accept, namespace: namespace.map(Into::into), ..request })
    }

    /// The log of one container of a pod.
    pub(super) fn log(namespace: &Namespace, pod: &ObjectName, parameters: &LogParameters<'_>) -> Self {
        let mut path = String::from("/api/v1/namespaces");
        push_segment(&mut path, namespace.as_str());
        path.push_str("/pods");
        push_segment(&mut path, pod.as_str());
        path.push_str("/log");
        let mut query = Query(path, '?');
        query.push("container", parameters.container.map(Container::as_str));
        query.push("previous", parameters.previous.then_some("true"));
        query.push("timestamps", parameters.timestamps.then_some("true"));
        query.push("sinceSeconds", parameters.since_seconds.map(|seconds| seconds.to_string()).as_deref());
        query.push("tailLines", Some(parameters.tail.to_string().as_str()));
        // The log itself is plain text; only a refusal is JSON.
        let accept = HeaderValue::from_static("application/json, */*");
        let request = ApiRequest::json(query.0, About(RequestVerb::Log, "pods".into()));
        Self(ApiRequest { accept, namespace: Some(namespace.as_str().into()), is_log: true, ..request })
    }

    /// The metadata of a page of namespaces.
    pub(super) fn namespaces(token: &str) -> Self {
        let mut query = Query("/api/v1/namespaces?limit=500".to_owned(), '&');
        query.push("continue", Some(token).filter(|token| !token.is_empty()));
        let request = ApiRequest::json(query.0, About(RequestVerb::List, "namespaces".into()));
        Self(ApiRequest { accept: Form::Metadata.accept(METADATA_LIST), ..request })
    }

    /// The same for a further namespace of a list.
    pub(super) fn swept(self) -> Self {
        Self(ApiRequest { is_swept: true, ..self.0 })
    }

    /// The request in somebody's name; none: in that of this server.
    pub(super) fn sent_as(self, whom: Option<&Impersonated>) -> ApiRequest {
        ApiRequest { impersonation: whom.map(|whom| whom.headers().clone()).unwrap_or_default(), ..self.0 }
    }
}

impl ApiRequest {
    /// A path that every cluster has: `/version`, `/readyz`, `/apis`.
    pub(super) fn fixed(path: &'static str) -> Self {
        Self::json(path.to_owned(), About(RequestVerb::Get, path.into()))
    }

    /// The ConfigMap at this path.
    pub(super) fn config_map(path: &'static str) -> Self {
        Self::json(path.to_owned(), About(RequestVerb::Get, "configmaps".into()))
    }

    /// The resources of one version of an API group. Its names come from the server, and are encoded all the same.
    pub(super) fn group_version(group: &str, version: &str) -> Self {
        // Of all groups alike: what this process keeps of them is one thing.
        Self::json(root(group, version), About(RequestVerb::Get, "/apis".into()))
    }

    fn json(path_and_query: String, about: About) -> Self {
        Self {
            path_and_query,
            accept: JSON,
            impersonation: HeaderMap::new(),
            review: None,
            namespace: None,
            is_swept: false,
            is_log: false,
            about,
        }
    }

    /// Whose token that is.
    pub(super) fn token_review(review: &TokenReview) -> Self {
        Self::review("/apis/authentication.k8s.io/v1/tokenreviews", "tokenreviews.authentication.k8s.io", review)
    }

    /// What somebody may do.
    pub(super) fn access_review(review: &SubjectAccessReview) -> Self {
        Self::review("/apis/authorization.k8s.io/v1/subjectaccessreviews", "subjectaccessreviews.authorization.k8s.io", review)
    }

    /// What the sender may do.
    pub(super) fn own_access_review(review: &SelfSubjectAccessReview) -> Self {
        Self::review(
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            "selfsubjectaccessreviews.authorization.k8s.io",
            review,
        )
    }

    /// Who the sender is.
    pub(super) fn own_review() -> Self {
        let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
        Self::review(path, "selfsubjectreviews.authentication.k8s.io", &SelfSubjectReview::default())
    }

    fn review(path: &str, resource: &'static str, review: &impl Serialize) -> Self {
        // An object of strings always serialises.
        let review = Review(serde_json::to_vec(review).unwrap_or_default().into());
        let about = About(RequestVerb::Review, resource.into());
        Self { review: Some(review), ..Self::json(path.to_owned(), about) }
    }

    /// Whether it is sent in somebody's name.
    pub(super) fn is_impersonated(&self) -> bool {
        !self.impersonation.is_empty()
    }

    /// Takes it from the call's budget.
    pub(super) fn charge(&self, budget: &Budget) -> Result<(), Exhausted> {
        if self.is_swept {
            budget.take_swept()?
        } else {
            budget.take_request()?
        }
        if let Some(namespace) = self.namespace() {
            budget.record_namespace(namespace);
        }
        Ok(())
    }

    /// The HTTP request.
    pub(super) fn to_http(&self) -> Result<Request<Body>, http::Error> {
        let request = match &self.review {
            None => Request::get(&self.path_and_query),
            Some(_) => Request::post(&self.path_and_query).header(header::CONTENT_TYPE, JSON),
        };
        let body = self.review.as_ref().map_or_else(Body::empty, |Review(json)| Body::from(json.clone()));
        let mut request =
            request.header(header::ACCEPT, self.accept.clone()).header(header::USER_AGENT, USER_AGENT).body(body)?;
        for (name, value) in &self.impersonation {
            request.headers_mut().try_append(name, value.clone())?;
        }
        if self.is_log {
            request.extensions_mut().insert(ComesInLines);
        } else if self.review.is_none() {
            // A log is not compressed: what comes line by line would come late. The answer to a review is small.
            request.extensions_mut().insert(TakesGzip);
        }
        Ok(request)
    }

    /// The namespace that it reads, `*` for a list over all of them; none for a cluster-scoped request.
    fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref()
    }

    /// The verb, and what it is about, for those who count requests: nothing of a namespace or of an object.
    pub(super) fn about(&self) -> (RequestVerb, &str) {
        let About(verb, resource) = &self.about;
        (*verb, resource)
    }

    /// The path, for the log.
    pub(super) fn path(&self) -> &str {
        self.path_and_query.split('?').next().unwrap_or_default()
    }
}

/// `/api/v1` or `/apis/GROUP/VERSION`.
fn root(group: &str, version: &str) -> String {
    let mut path = String::from(if group.is_empty() { "/api" } else { "/apis" });
    if !group.is_empty() {
        push_segment(&mut path, group);
    }
    push_segment(&mut path, version);
    path
}

/// Whether a path is that of a resource, not what RBAC calls a non-resource URL: discovery, the version and the like.
pub(super) fn is_of_resource(path: &str) -> bool {
    let mut segments = path.split('/').skip(1);
    let root = match segments.next() {
        Some("api") => 1,
        Some("apis") => 2,
        _ => return false,
    };
    segments.count() > root
}

/// The path of a resource's objects.
fn collection(of: &ServedResource, namespace: Option<&Namespace>) -> String {
    let mut path = root(&of.group, &of.version);
    if let Some(namespace) = namespace {
        path.push_str("/namespaces");
        push_segment(&mut path, namespace.as_str());
    }
    push_segment(&mut path, &of.plural);
    path
}

fn push_segment(path: &mut String, segment: &str) {
    // Writing to a string cannot fail.
    let _ = write!(path, "/{}", utf8_percent_encode(segment, ESCAPED));
}

/// A URL that grows by one parameter at a time, with the separator before the next one.
struct Query(String, char);

impl Query {
    fn push(&mut self, key: &'static str, value: Option<&str>) {
        let Some(value) = value else { return };
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{}{key}={}", self.1, utf8_percent_encode(value, ESCAPED));
        self.1 = '&';
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn served(group: &str, version: &str, plural: &str) -> ServedResource {
        ServedResource::new(group, version, plural, true, &["get", "list"])
    }

    fn namespace(name: &str) -> Namespace {
        Namespace::parse(name).expect("valid")
    }

    #[test]
    fn a_url_is_that_of_the_resource_in_its_scope() {
        let pods = served("", "v1", "pods");
        let name = ObjectName::parse("web-0").expect("valid");
        assert_eq!(
            Read::object(&pods, Some(&namespace("team-a")), &name, Form::Whole).0.path_and_query,
            "/api/v1/namespaces/team-a/pods/web-0"
        );
        let planes = served("coder.com", "v1alpha1", "codercontrolplanes");
        let Read(everything) = Read::list(&planes, None, &ListParameters::default());
        assert_eq!(everything.path_and_query, "/apis/coder.com/v1alpha1/codercontrolplanes");
    }

    #[test]
    fn whatever_a_value_holds_stays_inside_it() {
        let name = ObjectName::parse("system:a&b=c+d").expect("valid");
        let roles = served("rbac.authorization.k8s.io", "v1", "roles");
        let Read(get) = Read::object(&roles, Some(&namespace("a")), &name, Form::Whole);
        assert!(get.path_and_query.ends_with("/roles/system%3Aa%26b%3Dc%2Bd"), "{}", get.path_and_query);

        let parameters = ListParameters {
            label_selector: Some("a=b&watch=true#"),
            field_selector: Some("metadata.name=x y"),
            limit: NonZeroU32::new(7),
            token: Some("t/+="),
            form: Form::Whole,
        };
        assert_eq!(
            Read::list(&served("", "v1", "pods"), None, &parameters).0.path_and_query,
            "/api/v1/pods?labelSelector=a%3Db%26watch%3Dtrue%23&fieldSelector=metadata.name%3Dx%20y&limit=7&continue=t%2F%2B%3D"
        );
    }

    #[test]
    fn a_request_is_a_bare_get() {
        let request = ApiRequest::fixed("/version").to_http().expect("valid");
        assert_eq!(request.method(), http::Method::GET);
        let headers: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
        assert_eq!(headers, ["accept", "user-agent"]);
    }

    #[test]
    fn a_review_shows_nobody_its_token() {
        let mut review = TokenReview::default();
        review.spec.token = "sesame".to_owned();
        let request = ApiRequest::token_review(&review);
        assert!(!format!("{request:?}").contains("sesame"));
        assert_eq!(request.to_http().expect("valid").method(), http::Method::POST);
        assert_eq!(request.path(), "/apis/authentication.k8s.io/v1/tokenreviews");
    }

    #[test]
    fn what_is_posted_is_a_review_that_stores_nothing() {
        for request in [
            ApiRequest::token_review(&TokenReview::default()),
            ApiRequest::access_review(&SubjectAccessReview::default()),
            ApiRequest::own_access_review(&SelfSubjectAccessReview::default()),
            ApiRequest::own_review(),
        ] {
            assert_eq!(request.to_http().expect("valid").method(), http::Method::POST);
            assert!(request.path().ends_with("reviews"), "{}", request.path());
        }
    }

    #[test]
    fn what_rbac_calls_a_resource_is_one() {
        for path in ["/api/v1/pods", "/api/v1/namespaces/a/pods/b/log", "/apis/apps/v1/deployments"] {
            assert!(is_of_resource(path), "{path}");
        }
        for path in ["/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/version", "/readyz", "/"] {
            assert!(!is_of_resource(path), "{path}");
        }
    }

    #[test]
    fn a_log_request_sends_no_byte_limit() {
        let parameters = LogParameters { previous: true, since_seconds: Some(60), tail: 11, ..LogParameters::default() };
        let pod = ObjectName::parse("web-0").expect("valid");
        assert_eq!(
            Read::log(&namespace("team-a"), &pod, &parameters).0.path_and_query,
            "/api/v1/namespaces/team-a/pods/web-0/log?previous=true&sinceSeconds=60&tailLines=11"
        );
    }
}
