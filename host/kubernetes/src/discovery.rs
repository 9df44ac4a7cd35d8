//! The resources that a cluster serves, with their versions and scopes.
//!
//! Only the server knows whether a resource is namespaced: the URLs of a cluster-scoped list and of a list over all namespaces
//! look alike. Its answers are cached and shared by all calls, so they are charged to none of them, and only what the server
//! lists itself is ever requested: a guest that makes up names causes no requests.

mod document;
mod documents;
mod memory;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sandbar_policy::{Budget, Verb};

use self::document::{Described, Document, Groups, Resources, Versions};
use self::documents::Documents;
use self::memory::{IfStale, Memory};
use super::error::{Code, Error};
use super::exchange::{ApiServer, FIRST_BYTE};
use super::many::{AT_ONCE, side_by_side};
use super::name::quote;
use super::request::ApiRequest;
use super::types::{Resource, ServedKind, ServedKinds, ServedResource};

/// How long an answer is valid. A new CRD is found at once (see [`SECOND_LOOK`]); a removed one answers 404.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);

/// The least age of an answer before a missing resource is looked up again.
const SECOND_LOOK: Duration = Duration::from_secs(10);

/// Time for one document, its retry included.
const DOCUMENT_TIME: Duration = Duration::from_secs(20);

/// Requests for one document: one, and its retry.
const REQUESTS: u32 = 2;

/// Resources or versions of a group that an error names.
const NAMED_IN_ERROR: usize = 20;

/// Resources of a whole cluster, for the command line. The largest known one has some 5,000.
const RESOURCES_MAX: usize = 100_000;

/// Everything that the cluster serves, as far as it answers.
#[derive(Debug)]
pub struct ApiResources {
    /// Every resource in every version, sorted by group, version and plural.
    pub resources: Vec<ServedResource>,
    /// Groups that did not answer, or only in part, and why.
    pub unanswered: Vec<(String, Error)>,
}

/// A group, one of its versions, and what is served in that.
type VersionOf = (String, String, Result<Arc<Resources>, Error>);

/// The cache of a cluster's answers.
pub(super) struct Discovery {
    api: ApiServer,
    groups: Memory<Groups>,
    resources: Documents,
}

impl Discovery {
    pub(super) fn new(api: ApiServer) -> Self {
        Self { api, groups: Memory::default(), resources: Documents::default() }
    }

    /// Finds a resource. Errors: `not-served`, with what is served instead; `unavailable` if the server does not answer. Each
    /// document has a time limit; a caller with less time bounds this future.
    pub(super) async fn find(&self, of: &Resource) -> Result<ServedResource, Error> {
        for (good_for, if_stale) in [(GOOD_FOR, IfStale::Use), (SECOND_LOOK, IfStale::Fail)] {
            let Some(versions) = self.versions(&of.group, good_for, if_stale).await? else { continue };
            let candidates = if of.version.is_empty() {
                versions.preferred_first()
            } else if versions.all().any(|version| version == of.version) {
                vec![of.version.as_str()]
            } else {
                continue;
            };
            for version in candidates {
                match self.in_version(&of.group, version, good_for, if_stale).await {
                    Ok(resources) => {
                        if let Some(found) = resources.get(&of.plural) {
                            return Ok(served(&of.group, version, found));
                        }
                    }
                    // The version has gone since the groups were listed.
                    Err(error) if error.code == Code::NotServed => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Err(self.not_served(of).await)
    }

    /// Everything that is served; groups that do not answer are named. For the command line, not for calls.
    pub(super) async fn everything(&self) -> Result<ApiResources, Error> {
        let (groups, documents) = self.documents().await?;
        if groups.is_cut {
            return Err(Error::new(Code::TooLarge, "the cluster lists more API groups than can be read"));
        }
        let mut served = ApiResources { resources: Vec::new(), unanswered: Vec::new() };
        for (group, version, resources) in documents {
            match resources {
                Ok(resources) => served.add(&group, &version, &resources)?,
                Err(error) => served.unanswered.push((format!("{group}/{version}"), error)),
            }
        }
        served.resources.sort_by(|a, b| (&a.group, &a.version, &a.plural).cmp(&(&b.group, &b.version, &b.plural)));
        Ok(served)
    }

    /// Every resource in the version that the server prefers of those that have it, for the calls of tools. Groups that do not answer are named.
    pub(super) async fn kinds(&self) -> Result<ServedKinds, Error> {
        let (groups, documents) = self.documents().await?;
        let mut served = ServedKinds::default();
        if groups.is_cut {
            served.warnings.push("the cluster has more API groups than are listed here".to_owned());
        }
        // A group's versions stand together, the preferred one first.
        for versions in documents.chunk_by(|(one, ..), (other, ..)| one == other) {
            let mut of_group = BTreeMap::new();
            for (group, version, resources) in versions {
                match resources {
                    Ok(resources) => served.take(&mut of_group, group, version, resources),
                    Err(error) => served.warnings.push(error.message.clone()),
                }
            }
            served.kinds.extend(of_group.into_values());
        }
        Ok(served)
    }

    /// The document of each version of each group, the core group and the preferred versions first.
    async fn documents(&self) -> Result<(Arc<Groups>, Vec<VersionOf>), Error> {
        let groups = self.groups(GOOD_FOR, IfStale::Use).await?;
        let core = Versions::core();
        let mut versions = Vec::new();
        for (group, of_group) in std::iter::once(("", &core)).chain(groups.iter()) {
            versions.extend(of_group.preferred_first().into_iter().map(|version| (group.to_owned(), version.to_owned())));
        }
        let reads = versions.into_iter().map(|(group, version)| self.version_of(group, version)).collect();
        let documents = side_by_side(reads, AT_ONCE).await;
        Ok((groups, documents))
    }

    async fn version_of(&self, group: String, version: String) -> VersionOf {
        let resources = self.in_version(&group, &version, GOOD_FOR, IfStale::Use).await;
        (group, version, resources)
    }

    /// Which of these groups are served, by an answer that is no older than `age`.
    pub(super) async fn serves_groups<'a>(&self, groups: &[&'a str], age: Duration) -> Result<Vec<&'a str>, Error> {
        let served = self.groups(age, IfStale::Fail).await?;
        Ok(groups.iter().copied().filter(|group| served.get(group).is_some()).collect())
    }

    async fn versions(&self, group: &str, good_for: Duration, if_stale: IfStale) -> Result<Option<Versions>, Error> {
        if group.is_empty() {
            return Ok(Some(Versions::core()));
        }
        Ok(self.groups(good_for, if_stale).await?.get(group).cloned())
    }

    async fn groups(&self, good_for: Duration, if_stale: IfStale) -> Result<Arc<Groups>, Error> {
        let api = &self.api;
        self.groups.recall(good_for, if_stale, || read(api.clone(), ApiRequest::fixed("/apis"))).await
    }

    async fn in_version(
        &self,
        group: &str,
        version: &str,
        good_for: Duration,
        if_stale: IfStale,
    ) -> Result<Arc<Resources>, Error> {
        let fetch = || {
            let (api, kept, of) = (self.api.clone(), self.resources.clone(), (group.to_owned(), version.to_owned()));
            async move {
                let (group, version) = (of.0.as_str(), of.1.as_str());
                let resources = read(api, ApiRequest::group_version(group, version)).await?;
                kept.note(group, version, &resources);
                Ok(resources)
            }
        };
        self.resources.of(group, version).recall(good_for, if_stale, fetch).await
    }

    /// The error for a missing resource, with what is served instead.
    async fn not_served(&self, of: &Resource) -> Error {
        let missing = |advice: String| Error::new(Code::NotServed, format!("the cluster does not serve {of}{advice}"));
        let groups = if of.group.is_empty() { Ok(Arc::default()) } else { self.groups(GOOD_FOR, IfStale::Use).await };
        let groups = match groups {
            Ok(groups) => groups,
            Err(error) => return error,
        };
        let core = Versions::core();
        let versions = if of.group.is_empty() { Some(&core) } else { groups.get(&of.group) };
        let Some(versions) = versions else {
            let among = if groups.is_cut { " among the first ones that it lists, and the others were not read" } else { "" };
            return missing(format!(": it has no API group {}{among}", quote(&of.group)));
        };
        if !of.version.is_empty() && versions.all().all(|version| version != of.version) {
            let group = if of.group.is_empty() { "the core group" } else { of.group.as_str() };
            let all = versions.all().take(NAMED_IN_ERROR).collect::<Vec<_>>().join(", ");
            return missing(format!(" in version {}: {group} is served as {all}", of.version));
        }
        let looked = if of.version.is_empty() { versions.preferred() } else { of.version.as_str() };
        match self.in_version(&of.group, looked, GOOD_FOR, IfStale::Use).await {
            Ok(resources) if resources.is_cut => missing(format!(
                ": it is not among the first {} resources of its API group, and the others were not read",
                resources.len()
            )),
            Ok(resources) if (1..=NAMED_IN_ERROR).contains(&resources.len()) => {
                missing(format!("; the API group has {}", resources.names().collect::<Vec<_>>().join(", ")))
            }
            _ => missing(String::new()),
        }
    }
}

/// Reads one document on the process's account.
async fn read<D: Document>(api: ApiServer, request: ApiRequest) -> Result<D, Error> {
    let own = Budget::outside_calls(DOCUMENT_TIME, REQUESTS);
    let document = async { D::read(api.ask(&request, &own, FIRST_BYTE).await?).await };
    document.await.map_err(|error: Error| {
        let what = format!("the cluster does not say what it serves under {}: ", request.path());
        // An `exhausted` names the process's limits, not those of the call, and so does the size of a document.
        let is_ours = matches!(error.code, Code::Exhausted | Code::TooLarge);
        let code = if is_ours { Code::Unavailable } else { error.code };
        Error { code, message: what + &error.message, retry_after: error.retry_after }
    })
}

impl ApiResources {
    fn add(&mut self, group: &str, version: &str, resources: &Resources) -> Result<(), Error> {
        if self.resources.len() + resources.len() > RESOURCES_MAX {
            return Err(Error::new(Code::TooLarge, format!("the cluster serves more than {RESOURCES_MAX} resources")));
        }
        if resources.is_cut {
            let words = format!("it has more than {} resources, and the others were not read", resources.len());
            self.unanswered.push((format!("{group}/{version}"), Error::new(Code::TooLarge, words)));
        }
        self.resources.extend(resources.iter().map(|found| served(group, version, found)));
        Ok(())
    }
}

impl ServedKinds {
    /// Takes what no version before this one has.
    fn take(&mut self, of_group: &mut BTreeMap<String, ServedKind>, group: &str, version: &str, resources: &Resources) {
        if resources.is_cut {
            self.warnings
                .push(format!("{group}/{version} has more than {} resources, and the others are missing", resources.len()));
        }
        for found in resources.iter().filter(|found| found.verbs.has(Verb::Get) || found.verbs.has(Verb::List)) {
            of_group.entry(found.plural.to_owned()).or_insert_with(|| ServedKind {
                resource: served(group, version, found),
                kind: found.kind.to_owned(),
                short_names: found.short_names().map(str::to_owned).collect(),
            });
        }
    }
}

fn served(group: &str, version: &str, found: Described<'_>) -> ServedResource {
    let Described { plural, namespaced, verbs, .. } = found;
    ServedResource { group: group.to_owned(), version: version.to_owned(), plural: plural.to_owned(), namespaced, verbs }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    use bytes::Bytes;
    use http::{Request, Response};
    use http_body_util::Full;
    use kube::client::Body;
    use tower::BoxError;

    use super::*;

    /// A server whose group `a.example` has `things` from the second look on; and how often each path was asked for.
    fn discovery() -> (Discovery, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        let looks = Arc::new(AtomicU32::new(0));
        let service = tower::service_fn(move |request: Request<Body>| {
            let path = request.uri().path().to_owned();
            let body = match path.as_str() {
                "/apis" => r#"{"groups":[{"name":"a.example","versions":[{"groupVersion":"a.example/v1","version":"v1"}]}]}"#,
                "/apis/a.example/v1" if looks.fetch_add(1, Ordering::Relaxed) == 0 => r#"{"resources":[]}"#,
                _ => {
                    r#"{"resources":[{"name":"things","namespaced":true,"verbs":["list"]},{"name":"things/status","namespaced":true,"verbs":["get"]}]}"#
                }
            };
            noted.lock().expect("not poisoned").push(path);
            std::future::ready(Ok::<_, BoxError>(Response::new(Full::new(Bytes::from(body)))))
        });
        (Discovery::new(ApiServer::new(kube::Client::new(service, "default"), "the API server")), asked)
    }

    fn of(group: &str, plural: &str) -> Resource {
        Resource { group: group.into(), version: String::new(), plural: plural.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_missing_is_looked_for_again_but_not_at_once() {
        let (discovery, asked) = discovery();
        let asked = || asked.lock().expect("not poisoned").len();
        let things = of("a.example", "things");
        for _ in 0..3 {
            assert_eq!(discovery.find(&things).await.expect_err("not yet").code, Code::NotServed);
        }
        assert_eq!(asked(), 2, "the groups and the version, once");
        tokio::time::advance(SECOND_LOOK).await;
        assert!(discovery.find(&things).await.expect("served now").namespaced);
        assert_eq!(asked(), 4);
        for _ in 0..3 {
            discovery.find(&things).await.expect("remembered");
        }
        assert_eq!(asked(), 4);
        tokio::time::advance(GOOD_FOR).await;
        discovery.find(&things).await.expect("read anew");
        assert_eq!(asked(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn groups_are_looked_up_at_once_and_again_when_the_answer_is_too_old() {
        let (discovery, asked) = discovery();
        for (age, requests) in [(GOOD_FOR, 1), (GOOD_FOR, 1), (Duration::ZERO, 2)] {
            let served = discovery.serves_groups(&["a.example", "b.example"], age).await;
            assert_eq!(served.expect("an answer"), ["a.example"]);
            assert_eq!(asked.lock().expect("not poisoned").len(), requests);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn made_up_names_cause_no_requests() {
        let (discovery, asked) = discovery();
        for n in 0..100 {
            assert_eq!(discovery.find(&of(&format!("g{n}.example"), "things")).await.expect_err("none").code, Code::NotServed);
            let version = Resource { version: format!("v{n}beta1"), ..of("a.example", "things") };
            assert_eq!(discovery.find(&version).await.expect_err("none").code, Code::NotServed);
        }
        let asked: Vec<String> = asked.lock().expect("not poisoned").clone();
        assert_eq!(asked, ["/apis"]);
    }

    /// The outcome of a look-up of `things` at a server with this answer at `/apis/a.example/v1`.
    async fn found(resources: String) -> Result<ServedResource, Error> {
        let service = tower::service_fn(move |request: Request<Body>| {
            let body = match request.uri().path() {
                "/apis" => r#"{"groups":[{"name":"a.example","versions":[{"version":"v1"}]}]}"#.to_owned(),
                _ => resources.clone(),
            };
            std::future::ready(Ok::<_, BoxError>(Response::new(Full::new(Bytes::from(body)))))
        });
        Discovery::new(ApiServer::new(kube::Client::new(service, "default"), "the API server"))
            .find(&of("a.example", "things"))
            .await
    }

    fn entry(name: &str, verbs: &[&str]) -> serde_json::Value {
        serde_json::json!({ "name": name, "namespaced": true, "verbs": verbs })
    }

    fn document(entries: impl IntoIterator<Item = serde_json::Value>) -> String {
        serde_json::json!({ "kind": "APIResourceList", "resources": entries.into_iter().collect::<Vec<_>>() }).to_string()
    }

    #[tokio::test]
    async fn what_breaks_the_rules_for_names_is_not_kept() {
        let long = "x".repeat(1 << 15);
        let odd = ["", "Things", "a_b", "a.b", "th\u{1b}ings", "../things", "things/status", "-x", &long];
        let served = found(document(
            odd.iter().map(|name| entry(name, &["get"])).chain([entry("things", &["watch", &long, "", "\u{202e}list", "get"])]),
        ))
        .await;
        assert_eq!(served.expect("it is served").verbs.to_string(), "get, watch");
        let only =
            found(document(odd.iter().map(|name| entry(name, &["get"])))).await.expect_err("nothing that can be asked for");
        assert_eq!(only.message, "the cluster does not serve things.a.example");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_not_repeated() {
        let long = "x".repeat(1 << 20);
        for answer in [
            serde_json::json!({ "resources": long }).to_string(),
            document([entry(&long, &[])]),
            document([serde_json::json!({ "name": "things", "namespaced": "\u{1b}[31m".repeat(1000), "verbs": [] })]),
            document([serde_json::json!({ "name": "things", "namespaced": true, "verbs": [1] })]),
            "{}".to_owned(),
            "<html>".to_owned(),
            format!("{{\"resources\":[]{}}}", " ".repeat(9 << 20)),
        ] {
            let error = found(answer).await.expect_err("unreadable");
            assert!(
                error.message.starts_with("the cluster does not say what it serves under /apis/a.example/v1: "),
                "{}",
                error.message
            );
            assert!(error.message.len() < 500 && !error.message.contains('\u{1b}'), "{} bytes", error.message.len());
        }
        assert!(found(r#"{"resources":null}"#.to_owned()).await.is_err_and(|error| error.code == Code::NotServed));
    }

    #[tokio::test]
    async fn of_a_huge_document_the_beginning_is_kept_and_the_rest_is_not_read() {
        let many = |count: usize| (0..count).map(|n| entry(&format!("r{n}"), &["list"]));
        let last = found(document(many(4_999).chain([entry("things", &["list"])]))).await;
        assert!(last.is_ok(), "so many are kept");
        let beyond = document(many(5_001)).strip_suffix("]}").expect("its end").to_owned() + ", what is no JSON";
        let error = found(beyond).await.expect_err("the rest is not read");
        assert_eq!(
            (error.code, error.message.as_str()),
            (
                Code::NotServed,
                "the cluster does not serve things.a.example: it is not among the first 5000 resources of its API group, and the others were not read"
            )
        );
    }

    #[tokio::test]
    async fn of_the_groups_no_more_is_kept_than_there_is_room_for() {
        let service = tower::service_fn(|request: Request<Body>| {
            let versions: Vec<_> = (0..40).map(|n| serde_json::json!({ "version": format!("v{n}") })).collect();
            let body = match request.uri().path() {
                "/apis" => {
                    let groups: Vec<_> = (0..3_000)
                        .map(|n| serde_json::json!({ "name": format!("g{n}.example"), "versions": versions }))
                        .collect();
                    serde_json::json!({ "groups": groups }).to_string()
                }
                _ => document([]),
            };
            let pieces = body
                .into_bytes()
                .chunks(10_000)
                .map(|piece| Ok::<_, BoxError>(http_body::Frame::data(Bytes::copy_from_slice(piece))))
                .collect::<Vec<_>>();
            std::future::ready(Ok::<_, BoxError>(Response::new(http_body_util::StreamBody::new(futures::stream::iter(pieces)))))
        });
        let discovery = Discovery::new(ApiServer::new(kube::Client::new(service, "default"), "the API server"));
        let message = |group: &str, version: &str| {
            let of = Resource { version: version.to_owned(), ..of(group, "things") };
            let discovery = &discovery;
            async move { discovery.find(&of).await.expect_err("not served").message }
        };
        let all = (0..16).map(|n| format!("v{n}")).collect::<Vec<_>>().join(", ");
        assert_eq!(
            message("g0.example", "v39").await,
            format!("the cluster does not serve things.g0.example in version v39: g0.example is served as {all}")
        );
        assert!(message("g2999.example", "").await.ends_with("among the first ones that it lists, and the others were not read"));
        assert!(discovery.everything().await.is_err());
    }

    #[tokio::test]
    async fn a_kind_is_named_once_in_the_version_that_is_preferred() {
        let service = tower::service_fn(|request: Request<Body>| {
            let thing = |kind: &str, short: &[&str]| serde_json::json!({ "name": kind.to_lowercase() + "s", "kind": kind, "shortNames": short, "namespaced": true, "verbs": ["get", "list"] });
            let body = match request.uri().path() {
                "/apis" => serde_json::json!({ "groups": [
                    { "name": "a.example", "versions": [{ "version": "v2" }, { "version": "v1" }], "preferredVersion": { "version": "v1" } },
                    { "name": "b.example", "versions": [{ "version": "v1" }] },
                ] })
                .to_string(),
                "/apis/a.example/v1" => document([thing("Thing", &["th", "a,b", "\u{1b}"])]),
                "/apis/a.example/v2" => document([thing("Thing", &[]), thing("New", &[&"x".repeat(63), &"y".repeat(63), "z"])]),
                "/apis/b.example/v1" => "no".to_owned(),
                _ => document([thing("Pod", &["po"]), serde_json::json!({ "name": "bindings", "namespaced": true, "verbs": ["create"] })]),
            };
            std::future::ready(Ok::<_, BoxError>(Response::new(Full::new(Bytes::from(body)))))
        });
        let discovery = Discovery::new(ApiServer::new(kube::Client::new(service, "default"), "the API server"));
        let ServedKinds { kinds, warnings } = discovery.kinds().await.expect("what is served");
        let told: Vec<_> = kinds
            .iter()
            .map(|served| {
                format!("{}/{} {} {}", served.resource.group, served.resource.version, served.kind, served.short_names.join(" "))
            })
            .collect();
        let long = format!("a.example/v2 New {} {} z", "x".repeat(63), "y".repeat(63));
        assert_eq!(told, ["/v1 Pod po", &long, "a.example/v1 Thing th"]);
        assert!(warnings.len() == 1 && warnings[0].contains("/apis/b.example/v1"), "{warnings:?}");
    }

    #[tokio::test]
    async fn everything_is_every_resource_and_no_subresource() {
        let (discovery, _) = discovery();
        let served = discovery.everything().await.expect("what is served");
        let names: Vec<_> = served.resources.iter().map(|served| (served.group.as_str(), served.plural.as_str())).collect();
        assert_eq!(names, [("", "things")]);
        assert!(served.unanswered.is_empty());
    }
}
