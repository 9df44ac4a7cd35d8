//! What the cluster serves: which resources, in which versions, with which scope.
//!
//! Only the server can say whether a resource is namespaced: the URLs of a cluster-scoped list and of a list over all
//! namespaces look alike. Its answers are kept for a while and shared by all calls, so they are not charged to any one of them,
//! and only what the server lists itself is ever asked for: a guest that makes up names causes no requests.

mod memory;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_util::task::AbortOnDropHandle;

use self::memory::{IfStale, Memory};
use super::error::{Code, Error};
use super::exchange::{ApiServer, FIRST_BYTE};
use super::name::quote;
use super::request::Get;
use super::types::Resource;
use crate::policy::{Budget, Limits};
use crate::processor::STEP_BYTES;

/// How long an answer is good for. A new CRD is found at once (see `SECOND_LOOK`); a removed one answers 404 by itself.
const GOOD_FOR: Duration = Duration::from_secs(5 * 60);

/// How old an answer must be before a resource that it lacks is looked for again.
const SECOND_LOOK: Duration = Duration::from_secs(10);

/// Time for one document, its retry included.
const DOCUMENT_TIME: Duration = Duration::from_secs(20);

/// Requests for one look-up: one, and its retry.
const REQUESTS: u32 = 2;

/// Bytes of one discovery document. The largest group of a cluster with 1,000 CRDs is below 1 MiB.
const DOCUMENT_MAX: usize = 8 * 1024 * 1024;

/// How many of a group's resources, or versions, an error names.
const NAMED_IN_ERROR: usize = 20;

/// Bytes of a group's name: a DNS name.
const GROUP_BYTES: usize = 253;

/// Bytes of the name of a version, a resource or a verb: a DNS label. Nobody can ask for what has a longer one, and an aggregated API
/// that lists it would have it repeated in errors.
const NAME_BYTES: usize = 63;

/// Verbs of one resource. Kubernetes has eight.
const VERBS: usize = 20;

/// Bytes of a parser's words in an error: they can quote all of what it could not read.
const REASON_BYTES: usize = 200;

/// One resource that the cluster serves.
#[derive(Debug)]
pub struct ServedResource {
    /// The API group; `""` is the core group.
    pub group: String,
    /// The version that this entry is about.
    pub version: String,
    /// The plural name, as in a URL.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// What can be done with it, in RBAC's words.
    pub verbs: Vec<String>,
    /// The server behind it was seen to send whole lists, whatever `limit` it was sent.
    ignores_limit: AtomicBool,
}

impl ServedResource {
    /// A resource that a server was seen to serve, or is made to serve.
    pub(crate) fn new(group: &str, version: &str, plural: &str, namespaced: bool, verbs: &[&str]) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            namespaced,
            verbs: verbs.iter().map(|&verb| verb.to_owned()).collect(),
            ignores_limit: AtomicBool::new(false),
        }
    }

    pub(super) fn ignores_limit(&self) -> bool {
        self.ignores_limit.load(Ordering::Relaxed)
    }

    /// Remembered until the entry is read anew, so a server that learns to page is found out.
    pub(super) fn remember_that_it_ignores_limit(&self) {
        self.ignores_limit.store(true, Ordering::Relaxed);
    }
}

/// Everything that the cluster serves, as far as it could be found out.
#[derive(Debug)]
pub struct Catalogue {
    /// Every resource in every version, sorted by group, version and plural.
    pub resources: Vec<Arc<ServedResource>>,
    /// Groups that did not answer, and why.
    pub unanswered: Vec<(String, Error)>,
}

/// The versions of one API group.
#[derive(Clone, Debug)]
struct Versions {
    preferred: String,
    all: Vec<String>,
}

type Groups = BTreeMap<String, Versions>;
type Resources = BTreeMap<String, Arc<ServedResource>>;
type GroupVersion = (String, String);

/// The cluster's answers so far. One per cluster.
pub(super) struct Discovery {
    api: ApiServer,
    groups: Memory<Groups>,
    /// One entry for each version that the server lists, hence bounded by it.
    resources: Mutex<HashMap<GroupVersion, Arc<Memory<Resources>>>>,
}

impl Discovery {
    pub(super) fn new(api: ApiServer) -> Self {
        Self { api, groups: Memory::default(), resources: Mutex::default() }
    }

    /// Finds a resource. Errors: `not-served` with what is served instead; `unavailable` where the server does not say.
    /// Each document is bounded in time; whoever has less of it bounds this future.
    pub(super) async fn find(&self, of: &Resource) -> Result<Arc<ServedResource>, Error> {
        for (good_for, if_stale) in [(GOOD_FOR, IfStale::Use), (SECOND_LOOK, IfStale::Fail)] {
            let Some(versions) = self.versions(&of.group, good_for, if_stale).await? else { continue };
            let candidates = if of.version.is_empty() {
                versions.preferred_first()
            } else if versions.all.contains(&of.version) {
                vec![of.version.as_str()]
            } else {
                continue;
            };
            for version in candidates {
                match self.in_version(&of.group, version, good_for, if_stale).await {
                    Ok(served) => {
                        if let Some(found) = served.get(&of.plural) {
                            return Ok(found.clone());
                        }
                    }
                    // A version that has gone since the groups were listed.
                    Err(error) if error.code == Code::NotServed => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Err(self.not_served(of).await)
    }

    /// Everything that is served, a group that does not answer left out and named. For the command line, not for calls.
    pub(super) async fn everything(&self) -> Result<Catalogue, Error> {
        let groups = self.groups(GOOD_FOR, IfStale::Use).await?;
        let named = groups.iter().map(|(group, versions)| (group.as_str(), versions.clone()));
        let mut catalogue = Catalogue { resources: Vec::new(), unanswered: Vec::new() };
        for (group, versions) in std::iter::once(("", Versions::core())).chain(named) {
            for version in &versions.all {
                match self.in_version(group, version, GOOD_FOR, IfStale::Use).await {
                    Ok(resources) => catalogue.resources.extend(resources.values().cloned()),
                    Err(error) => catalogue.unanswered.push((format!("{group}/{version}"), error)),
                }
            }
        }
        catalogue.resources.sort_by(|a, b| (&a.group, &a.version, &a.plural).cmp(&(&b.group, &b.version, &b.plural)));
        Ok(catalogue)
    }

    async fn versions(&self, group: &str, good_for: Duration, if_stale: IfStale) -> Result<Option<Versions>, Error> {
        if group.is_empty() {
            return Ok(Some(Versions::core()));
        }
        Ok(self.groups(good_for, if_stale).await?.get(group).cloned())
    }

    async fn groups(&self, good_for: Duration, if_stale: IfStale) -> Result<Arc<Groups>, Error> {
        self.groups
            .recall(good_for, if_stale, async {
                let list: GroupList = self.read(Get::fixed("/apis")).await?;
                let named = list.groups.into_iter().filter(|group| group.name.len() <= GROUP_BYTES);
                Ok(named.map(|group| (group.name.clone(), group.into())).collect())
            })
            .await
    }

    async fn in_version(
        &self,
        group: &str,
        version: &str,
        good_for: Duration,
        if_stale: IfStale,
    ) -> Result<Arc<Resources>, Error> {
        let key = (group.to_owned(), version.to_owned());
        let memory = self.resources.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        memory
            .recall(good_for, if_stale, async {
                let list: ResourceList = self.read(Get::group_version(group, version)).await?;
                let served = list.resources.into_iter().filter(ResourceEntry::can_be_asked_for).map(|entry| {
                    let verbs = entry.verbs.iter().map(String::as_str).filter(|verb| verb.len() <= NAME_BYTES);
                    let verbs: Vec<&str> = verbs.take(VERBS).collect();
                    let served = ServedResource::new(group, version, &entry.name, entry.namespaced, &verbs);
                    (entry.name, Arc::new(served))
                });
                Ok(served.collect())
            })
            .await
    }

    /// Reads one document on the process's account, in a task of its own: all calls wait for it, so it must not wait until the call that
    /// asks first has its turn on a processor.
    async fn read<T: DeserializeOwned + Send + 'static>(&self, get: Get) -> Result<T, Error> {
        let task = AbortOnDropHandle::new(tokio::spawn(read(self.api.clone(), get)));
        match task.await {
            Ok(document) => document,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_cancelled) => Err(Error::new(Code::Unavailable, "this server is shutting down")),
        }
    }

    /// The error for a resource that is not there, with what there is.
    async fn not_served(&self, of: &Resource) -> Error {
        let missing = |advice: String| Error::new(Code::NotServed, advice);
        let versions = match self.versions(&of.group, GOOD_FOR, IfStale::Use).await {
            Ok(Some(versions)) => versions,
            Ok(None) => return missing(format!("the cluster does not serve {of}: it has no API group {}", quote(&of.group))),
            Err(error) => return error,
        };
        if !of.version.is_empty() && !versions.all.contains(&of.version) {
            let group = if of.group.is_empty() { "the core group" } else { of.group.as_str() };
            let all = versions.all.iter().take(NAMED_IN_ERROR).map(String::as_str).collect::<Vec<_>>().join(", ");
            return missing(format!("the cluster does not serve {of} in version {}: {group} is served as {all}", of.version));
        }
        let looked = if of.version.is_empty() { versions.preferred.as_str() } else { of.version.as_str() };
        let names = match self.in_version(&of.group, looked, GOOD_FOR, IfStale::Use).await {
            Ok(resources) if resources.len() <= NAMED_IN_ERROR => resources.keys().cloned().collect::<Vec<_>>().join(", "),
            _ => String::new(),
        };
        if names.is_empty() {
            missing(format!("the cluster does not serve {of}"))
        } else {
            missing(format!("the cluster does not serve {of}; the API group has {names}"))
        }
    }
}

impl Versions {
    /// The core group is not in the list of groups, and has had one version since 2015.
    fn core() -> Self {
        Self { preferred: "v1".to_owned(), all: vec!["v1".to_owned()] }
    }

    fn preferred_first(&self) -> Vec<&str> {
        let others = self.all.iter().filter(|&version| *version != self.preferred);
        std::iter::once(&self.preferred).chain(others).map(String::as_str).collect()
    }
}

/// Reads one document. A long one is parsed beside the tasks of the runtime.
async fn read<T: DeserializeOwned + Send + 'static>(api: ApiServer, get: Get) -> Result<T, Error> {
    let own = Budget::new(Limits { time: DOCUMENT_TIME, requests: REQUESTS, read: DOCUMENT_MAX as u64, ..Limits::default() });
    let unanswered = |error: Error| {
        let what = format!("the cluster does not say what it serves under {}: ", get.path());
        // The limits behind an `exhausted` here are ours, not those of the call.
        let code = if error.code == Code::Exhausted { Code::Unavailable } else { error.code };
        Error { code, message: what + &error.message, retry_after: error.retry_after }
    };
    let incoming = api.get(&get, &own, FIRST_BYTE).await.map_err(|failure| unanswered(failure.into()))?;
    let body = incoming.bytes(DOCUMENT_MAX, "the API server's discovery document").await.map_err(unanswered)?;
    let document = if body.len() > STEP_BYTES {
        let parsing = tokio::task::spawn_blocking(move || serde_json::from_slice(&body));
        parsing.await.map_err(|_| unanswered(Error::new(Code::Other, "this server is shutting down")))?
    } else {
        serde_json::from_slice(&body)
    };
    document.map_err(|error| {
        let reason = crate::policy::quotable(error, REASON_BYTES);
        unanswered(Error::new(Code::Other, format!("not a document: {reason}")))
    })
}

/// `APIGroupList`.
#[derive(Deserialize)]
struct GroupList {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    versions: Vec<GroupVersionName>,
    preferred_version: Option<GroupVersionName>,
}

#[derive(Deserialize)]
struct GroupVersionName {
    version: String,
}

impl From<Group> for Versions {
    fn from(group: Group) -> Self {
        let named = |entry: &GroupVersionName| entry.version.len() <= NAME_BYTES;
        let all: Vec<String> = group.versions.into_iter().filter(named).map(|entry| entry.version).collect();
        // The server orders them by its priority, so the first is the preferred one where it does not say.
        let preferred =
            group.preferred_version.filter(named).map(|entry| entry.version).or_else(|| all.first().cloned()).unwrap_or_default();
        Self { preferred, all }
    }
}

/// `APIResourceList`.
#[derive(Deserialize)]
struct ResourceList {
    resources: Vec<ResourceEntry>,
}

#[derive(Deserialize)]
struct ResourceEntry {
    name: String,
    namespaced: bool,
    verbs: Vec<String>,
}

impl ResourceEntry {
    /// Not a subresource, and no name that no query can have.
    fn can_be_asked_for(&self) -> bool {
        !self.name.contains('/') && self.name.len() <= NAME_BYTES
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;

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

    /// What becomes of a look for the resource `things` of a server that answers with this at `/apis/a.example/v1`.
    async fn found(resources: String) -> Result<Arc<ServedResource>, Error> {
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

    #[tokio::test]
    async fn what_a_server_lists_is_not_repeated_at_length() {
        let long = "x".repeat(1 << 20);
        let entry = |name: &str, verbs: &[&str]| serde_json::json!({ "name": name, "namespaced": true, "verbs": verbs });
        let list = |entry: serde_json::Value| serde_json::json!({ "resources": [entry] }).to_string();
        let served = found(list(entry("things", &["watch", &long]))).await.expect("it is served");
        assert_eq!(served.verbs, ["watch"]);
        assert!(found(list(entry("things", &["v"; 1000]))).await.expect("it is served").verbs.len() <= VERBS);
        for answer in [list(entry(&long, &[])), serde_json::json!({ "resources": long }).to_string()] {
            let message = found(answer).await.expect_err("not there").message;
            assert!(message.len() < 500, "{} bytes", message.len());
        }
    }

    #[tokio::test]
    async fn everything_is_every_resource_and_no_subresource() {
        let (discovery, _) = discovery();
        let catalogue = discovery.everything().await.expect("a catalogue");
        let names: Vec<_> = catalogue.resources.iter().map(|served| (served.group.as_str(), served.plural.as_str())).collect();
        assert_eq!(names, [("", "things")]);
        assert!(catalogue.unanswered.is_empty());
    }
}
