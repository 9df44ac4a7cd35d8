//! A cluster: its API server, and what is known about it.

use std::sync::Arc;
use std::time::Duration;

use sandbar_policy::{Budget, Grant, Identity, ONLY_CLUSTER, User};
use sandbar_verdicts::Uses;

use super::aggregation::{self, Aggregator};
use super::clock::{self, ServerClock};
use super::context::{KnownServer, ReadContext};
use super::discovery::{ApiResources, Discovery};
use super::error::{Code, Error};
use super::impersonation::{ExtraKeys, Impersonated};
use super::many::Share;
use super::noted::Noted;
use super::observer::RequestObserver;
use super::own::{self, OwnRights, Permission};
use super::reader::Reader;
use super::review::{self, Reviewed};
use super::rights::{AccessReviews, KnownNamespaces, Rights, Subject, ToolRights};
use super::source::{ClusterSource, ConnectError, Connection};
use super::types::Health;
use super::unpaged::Unpaged;

/// How long listing everything that a cluster serves may take: some hundred requests of a few milliseconds.
const API_RESOURCES_TIME: Duration = Duration::from_secs(60);

/// Requests for the state of the API server: two, and their retries.
const HEALTH_REQUESTS: u32 = 4;

/// A cluster that can be read. Cheap to clone; all clones share connections and what discovery has found. Connections are tasks of the
/// runtime that it is made and used on.
#[derive(Clone)]
pub struct Cluster {
    server: Arc<KnownServer>,
    description: Arc<str>,
    /// Empty where there is one cluster without a name.
    name: Arc<str>,
    rights: WhoseRights,
    /// Whether callers were authenticated by another cluster, or for another.
    is_away: bool,
    /// Where reads are noted, if they are.
    noted: Option<Arc<Noted>>,
}

/// Whose rights count when somebody calls, beside the grant of the tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WhoseRights {
    /// Those of this server alone.
    #[default]
    Server,
    /// Those of the caller as well, by what the API server says of them before each read.
    Caller,
    /// Those of the caller, in whose name each read is sent.
    Impersonation(Arc<ExtraKeys>),
}

impl Cluster {
    /// Finds out where the cluster is and prepares the client.
    ///
    /// Reads files and the environment. The API server need not be there, and no credential plugin runs: that is for the first request
    /// that needs it. Must be called on a tokio runtime.
    pub async fn connect(source: &ClusterSource) -> Result<Self, ConnectError> {
        Self::connect_observed(source, None).await
    }

    /// The same, where somebody is told of each request.
    pub(super) async fn connect_observed(
        source: &ClusterSource,
        observer: Option<Arc<dyn RequestObserver>>,
    ) -> Result<Self, ConnectError> {
        let connection = source.open().await?;
        Ok(Self::new(Connection { api: connection.api.observed_by(observer), ..connection }))
    }

    /// No cluster: whatever is asked of it is answered with the reason, and nothing is sent anywhere.
    pub fn none(why: &str) -> Self {
        Self::new(Connection::none(why))
    }

    /// A cluster behind a client that a test has made. Must be called on a tokio runtime.
    #[cfg(any(test, feature = "test-client"))]
    pub fn from_client(client: kube::Client) -> Self {
        let api = super::exchange::ApiServer::new(client, "the API server");
        Self::new(Connection { api, description: "a client that was handed in".to_owned(), now: None })
    }

    fn new(Connection { api, description, now }: Connection) -> Self {
        let (discovery, reviews) = (Discovery::new(api.clone()), AccessReviews::new(api.clone()));
        let (namespaces, unpaged) = (KnownNamespaces::default(), Unpaged::default());
        let server = Arc::new(KnownServer { api, reviews, namespaces, discovery, unpaged, now });
        Self {
            server,
            description: description.into(),
            name: ONLY_CLUSTER.into(),
            rights: WhoseRights::default(),
            is_away: false,
            noted: None,
        }
    }

    /// The same cluster, where these rights count.
    pub fn with_rights(self, rights: WhoseRights) -> Self {
        Self { rights, ..self }
    }

    /// The same cluster under a name.
    pub(super) fn named(self, name: Arc<str>) -> Self {
        Self { name, ..self }
    }

    /// The same cluster, where callers are those of another.
    pub(super) fn away_from_home(self) -> Self {
        Self { is_away: true, ..self }
    }

    /// A reader for nobody in particular: by the rights of this process.
    pub(super) fn reader(&self, grant: Arc<Grant>, budget: Arc<Budget>) -> Reader {
        self.reader_with(Rights::Server, grant, budget)
    }

    /// Whose rights count in it, as the audit trail has it.
    pub fn whose_rights(&self) -> &'static str {
        match self.rights {
            WhoseRights::Server => "server",
            WhoseRights::Caller => "caller",
            WhoseRights::Impersonation(_) => "impersonation",
        }
    }

    /// A reader for one call; none where the caller's rights count and the caller is nobody here.
    pub fn reader_for(&self, caller: &Identity, grant: Arc<Grant>, budget: Arc<Budget>) -> Result<Reader, Error> {
        let user = match (self.rights != WhoseRights::Server).then(|| caller.whose_rights()).flatten() {
            Some(user) if self.is_away => {
                Some(user.elsewhere().map(Arc::new).ok_or_else(|| Error::new(Code::Denied, nobody(&user)))?)
            }
            user => user,
        };
        let rights = match (&self.rights, user) {
            (WhoseRights::Server, _) | (_, None) => Rights::Server,
            (WhoseRights::Caller, Some(user)) => Rights::Caller(Arc::new(Subject::new(user))),
            (WhoseRights::Impersonation(keys), Some(user)) => Rights::Impersonation(Arc::new(Impersonated::new(user, keys))),
        };
        Ok(self.reader_with(rights, grant, budget))
    }

    fn reader_with(&self, rights: Rights, grant: Arc<Grant>, budget: Arc<Budget>) -> Reader {
        let (server, cluster, ahead) = (self.server.clone(), self.name.clone(), Arc::default());
        Reader::new(ReadContext { server, cluster, grant, rights, budget, share: Share::WHOLE, noted: self.noted.clone(), ahead })
    }

    /// The same, with all reads noted.
    pub fn noting(self, noted: Arc<Noted>) -> Self {
        Self { noted: Some(noted), ..self }
    }

    /// Whether the API server is there and ready, outside of any call.
    pub async fn health(&self, timeout: Duration) -> Result<Health, Error> {
        let budget = Arc::new(Budget::outside_calls(timeout, HEALTH_REQUESTS));
        self.reader(Arc::new(Grant::default()), budget).api_server().await
    }

    /// Waits for a request, of any call, that got no answer. One such event is remembered between two waits. Supports a single waiter.
    pub async fn unanswered(&self) {
        self.server.api.unanswered().await;
    }

    /// How its clock is set, as far as it tells. Outside of any call; takes no longer than `time`.
    pub async fn clock(&self, time: Duration) -> Result<ServerClock, Error> {
        clock::read(&self.server.api, time).await
    }

    /// Who this process is there; none where the API server is too old to tell. Outside of any call; takes no longer than `time`.
    pub async fn own_identity(&self, time: Duration) -> Result<Option<User>, Error> {
        own::identity(&self.server.api, time).await
    }

    /// Which of these this process may do there. Outside of any call; takes no longer than `time`.
    pub async fn own_rights(&self, permissions: Vec<Permission>, time: Duration) -> OwnRights {
        own::rights(&self.server.api, permissions, time).await
    }

    /// Whose token that is, if it is for one of these audiences. Outside of any call; takes no longer than `time`.
    pub async fn review_token(&self, token: &str, audiences: &[String], time: Duration) -> Result<Reviewed, Error> {
        review::token(&self.server.api, token, audiences, time).await
    }

    /// Which of these audiences is the API server's own, as far as can be found out: tokens for it must not count anywhere else, since
    /// every pod has one. Each of the few questions takes no longer than `time`.
    pub async fn own_audience(&self, audiences: &[String], time: Duration) -> Result<Option<String>, Error> {
        review::own_audience(&self.server.api, audiences, time).await
    }

    /// How often somebody's rights were known from a review before, and how often not.
    pub fn access_reviews(&self) -> Uses {
        self.server.reviews.uses()
    }

    /// Which tools a user may call.
    pub fn tool_rights(&self, user: Arc<User>) -> ToolRights {
        ToolRights::new(self.server.clone(), user)
    }

    /// The issuer of its ServiceAccounts' tokens, which is also their audience unless somebody has chosen another; none where it does not tell.
    /// Takes no longer than `time`.
    pub async fn token_issuer(&self, time: Duration) -> Result<Option<String>, Error> {
        review::issuer(&self.server.api, time).await
    }

    /// What the API server proves itself with where it hands on the requests of others. Outside of any call; takes no longer than `time`.
    pub async fn aggregator(&self, time: Duration) -> Result<Aggregator, Error> {
        aggregation::read(&self.server.api, time).await
    }

    /// Runs the credential plugin, if there is one, with the full time limit of a login rather than that of a call, since it may prompt a
    /// person. For one-shot commands. A failure is reported by the request that needs the login.
    pub async fn log_in(&self) {
        if let Some(login) = self.server.api.login() {
            login.wait().await;
        }
    }

    /// What is wrong with the login while an earlier one still holds. For the operator.
    pub fn login_trouble(&self) -> Option<String> {
        self.server.api.login()?.trouble()
    }

    /// Everything that the cluster serves. For the command line; not charged to any call.
    pub async fn api_resources(&self) -> Result<ApiResources, Error> {
        let served = tokio::time::timeout(API_RESOURCES_TIME, self.server.discovery.everything()).await;
        let late = || format!("the cluster did not say within {} s what it serves", API_RESOURCES_TIME.as_secs());
        served.unwrap_or_else(|_late| Err(Error::new(Code::Unavailable, late())))
    }

    /// Which of these API groups it serves, by an answer that is no older than `age`. Not charged to any call.
    pub async fn serves_groups<'a>(&self, groups: &[&'a str], age: Duration) -> Result<Vec<&'a str>, Error> {
        self.server.discovery.serves_groups(groups, age).await
    }

    /// Which cluster this is, for the log: `kubeconfig context kind-dev (https://127.0.0.1:6443)` for example.
    pub fn describe(&self) -> &str {
        &self.description
    }
}

/// Why a user of the home cluster may read nothing in another.
fn nobody(user: &User) -> String {
    format!(
        "{} is a name that each cluster gives by itself, so it means nothing in this one; ask about the server's own cluster, or as a person",
        user.shown()
    )
}
