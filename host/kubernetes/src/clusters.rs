//! The clusters that a server looks into, by name.

use std::sync::Arc;

use futures::future::join_all;
use sandbar_policy::ONLY_CLUSTER;

use super::cluster::{Cluster, WhoseRights};
use super::observer::RequestObserver;
use super::source::{ClusterSource, ConnectError};

/// The clusters that a server looks into: at least one. The first is its home: it authenticates callers, and is meant where a call names
/// none. Cheap to clone.
#[derive(Clone)]
pub struct Clusters(Arc<[NamedCluster]>);

/// A cluster, and what it is called.
#[derive(Clone)]
pub struct NamedCluster {
    /// The name by which a call chooses it. Nobody sees it where there is one cluster.
    pub name: Arc<str>,
    /// The cluster.
    pub cluster: Cluster,
}

/// Where a cluster comes from, what it is called, and whose rights count there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// Its name.
    pub name: Arc<str>,
    /// Where it comes from.
    pub source: ClusterSource,
    /// Whose rights count there.
    pub rights: WhoseRights,
}

/// A cluster that cannot be looked into, by its name.
#[derive(Debug, thiserror::Error)]
#[error("{}{error}", if name.is_empty() { String::new() } else { format!("the cluster {name:?} cannot be looked into: ") })]
pub struct ClusterError {
    name: Arc<str>,
    error: ConnectError,
}

impl Clusters {
    /// Prepares a client for each of them, of which the first is home. As for [`Cluster::connect`], no API server need be there. The observer,
    /// if there is one, is told of each request to any of them.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn connect(
        all: impl Iterator<Item = ClusterSettings>,
        observer: Option<Arc<dyn RequestObserver>>,
    ) -> Result<Self, ClusterError> {
        let connect = async |settings: ClusterSettings| match Cluster::connect_observed(&settings.source, observer.clone()).await
        {
            Ok(cluster) => Ok((settings, cluster)),
            Err(error) => Err(ClusterError { name: settings.name, error }),
        };
        let connected: Vec<_> = join_all(all.map(connect)).await.into_iter().collect::<Result<_, _>>()?;
        Ok(Self::of(connected.into_iter()))
    }

    /// Like `connect`, but a cluster whose configuration cannot be used stays in the list and answers every request with the reason.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn connect_if_there(all: impl Iterator<Item = ClusterSettings>) -> Self {
        let connect = async |settings: &ClusterSettings| {
            Cluster::connect(&settings.source).await.unwrap_or_else(|error| Cluster::none(&error.to_string()))
        };
        let all: Vec<ClusterSettings> = all.collect();
        let connected = join_all(all.iter().map(connect)).await;
        Self::of(all.into_iter().zip(connected))
    }

    /// The same where none is to be asked, and why.
    ///
    /// # Panics
    /// Where there is none.
    pub fn unasked(all: impl Iterator<Item = ClusterSettings>, why: &str) -> Self {
        Self::of(all.map(|settings| (settings, Cluster::none(why))))
    }

    fn of(all: impl Iterator<Item = (ClusterSettings, Cluster)>) -> Self {
        let named = |(at, (ClusterSettings { name, rights, .. }, cluster)): (usize, (ClusterSettings, Cluster))| {
            let cluster = cluster.named(Arc::clone(&name)).with_rights(rights);
            NamedCluster { name, cluster: if at == 0 { cluster } else { cluster.away_from_home() } }
        };
        let all: Arc<[NamedCluster]> = all.enumerate().map(named).collect();
        assert!(!all.is_empty(), "a server looks into at least one cluster");
        Self(all)
    }

    /// This one alone.
    pub fn only(cluster: Cluster) -> Self {
        Self([NamedCluster { name: ONLY_CLUSTER.into(), cluster }].into())
    }

    /// The first of them.
    pub fn home(&self) -> &Cluster {
        &self.0[0].cluster
    }

    /// All of them, home first.
    pub fn iter(&self) -> impl Iterator<Item = &NamedCluster> {
        self.0.iter()
    }

    /// The one of this name, in whatever case.
    pub fn named(&self, name: &str) -> Option<&Cluster> {
        self.iter().find(|cluster| cluster.name.eq_ignore_ascii_case(name.trim())).map(|NamedCluster { cluster, .. }| cluster)
    }

    /// Which clusters these are, for the log.
    pub fn describe(&self) -> String {
        let describe = |NamedCluster { name, cluster }: &NamedCluster| match self.are_several() {
            true => format!("{name}: {}", cluster.describe()),
            false => cluster.describe().to_owned(),
        };
        self.iter().map(describe).collect::<Vec<_>>().join(", ")
    }

    /// Whether a call can choose between some.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }
}
