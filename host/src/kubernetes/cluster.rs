//! A cluster: its API server, and what is known about it. One per process.

use std::sync::Arc;
use std::time::Duration;

use super::discovery::{Catalogue, Discovery};
use super::error::{Code, Error};
use super::exchange::ApiServer;
use super::reader::Reader;
use super::source::{ConnectError, Connection, Source};
use super::types::Health;
use crate::policy::{Budget, Grant, Limits};

/// How long listing everything that a cluster serves may take: some hundred requests of a few milliseconds.
const CATALOGUE_TIME: Duration = Duration::from_secs(60);

/// A cluster that can be read. Cheap to clone; all clones share connections and what discovery has found. Connections are tasks of the
/// runtime that it is made and used on.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    api: ApiServer,
    discovery: Discovery,
    description: String,
}

impl Cluster {
    /// Finds out where the cluster is and prepares the client.
    ///
    /// Reads files and the environment, and may run the kubeconfig's credential plugin; the API server need not be there. Must be
    /// called on a tokio runtime.
    pub async fn connect(source: &Source) -> Result<Self, ConnectError> {
        let Connection { client, server, description } = source.open().await?;
        Ok(Self::new(client, &server, description))
    }

    /// A cluster behind a client that somebody else made. Must be called on a tokio runtime.
    pub fn from_client(client: kube::Client) -> Self {
        Self::new(client, "the API server", "a client that was handed in".to_owned())
    }

    fn new(client: kube::Client, server: &str, description: String) -> Self {
        let api = ApiServer::new(client, server);
        let discovery = Discovery::new(api.clone());
        Self { inner: Arc::new(Inner { api, discovery, description }) }
    }

    /// A reader for one call.
    pub fn reader(&self, grant: Arc<Grant>, budget: Arc<Budget>) -> Reader {
        Reader::new(self.clone(), grant, budget)
    }

    /// Whether the API server is there and ready, outside of any call.
    pub async fn health(&self, timeout: Duration) -> Result<Health, Error> {
        let budget = Arc::new(Budget::new(Limits { time: timeout, ..Limits::default() }));
        self.reader(Arc::new(Grant::default()), budget).api_server().await
    }

    /// Everything that the cluster serves. For the command line; not charged to any call.
    pub async fn catalogue(&self) -> Result<Catalogue, Error> {
        let catalogue = tokio::time::timeout(CATALOGUE_TIME, self.inner.discovery.everything()).await;
        let late = || format!("the cluster did not say within {} s what it serves", CATALOGUE_TIME.as_secs());
        catalogue.unwrap_or_else(|_late| Err(Error::new(Code::Unavailable, late())))
    }

    /// Which cluster this is, for the log: `kubeconfig context kind-dev (https://127.0.0.1:6443)` for example.
    pub fn describe(&self) -> &str {
        &self.inner.description
    }

    pub(super) fn api(&self) -> &ApiServer {
        &self.inner.api
    }

    pub(super) fn discovery(&self) -> &Discovery {
        &self.inner.discovery
    }
}
