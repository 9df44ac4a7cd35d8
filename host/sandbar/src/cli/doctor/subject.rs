//! What is looked at: a server as it would be started with these flags, and what several checks need of it.

use std::io;
use std::time::Duration;

use sandbar_config::Config;
use sandbar_kubernetes::{Clusters, NamedCluster};
use tokio::sync::OnceCell;

use crate::cli::serve;
use crate::cli::setup::{Patience, Setup};
use crate::cli::words;

/// How long components that are not compiled yet are waited for.
const COMPILING: Duration = Duration::from_secs(45);

/// How long the clusters have to say which packs they have something for.
const PACKS: Duration = Duration::from_secs(5);

/// A server that is not started.
pub(super) struct Subject {
    /// The flags.
    pub(super) arguments: serve::Arguments,
    /// sandbar.yaml, with the flags over it.
    pub(super) config: Config,
    /// Those that it would look into.
    pub(super) clusters: Clusters,
    /// Whether the configuration alone is meant, and what it names may be elsewhere.
    pub(super) is_offline: bool,
    /// Its tools, once one of the checks has asked for them.
    setup: OnceCell<Result<Setup, String>>,
}

impl Subject {
    pub(super) async fn new(arguments: serve::Arguments, mut config: Config, is_offline: bool) -> Self {
        let clusters = match is_offline {
            true => Clusters::unasked(config.clusters(), "no cluster is asked, as --offline says"),
            false => Clusters::connect_if_there(config.clusters()).await,
        };
        if is_offline {
            config.registries.pull = false;
        }
        Self { arguments, config, clusters, is_offline, setup: OnceCell::new() }
    }

    /// The tools, as the server would load them.
    pub(super) async fn setup(&self) -> Result<&Setup, &str> {
        let patience = Patience { compiling: COMPILING, packs: PACKS };
        let load = async || {
            let common = &self.arguments.common;
            let loaded = common.load_what_is_there(self.config.clone(), self.clusters.clone(), patience).await;
            loaded.map_err(|error| words(&error))
        };
        self.setup.get_or_init(load).await.as_ref().map_err(String::as_str)
    }

    /// What a line about a cluster begins with, where there are several.
    pub(super) fn prefix(&self, cluster: &NamedCluster) -> String {
        if self.clusters.are_several() { format!("{}: ", cluster.name) } else { String::new() }
    }

    /// The clusters that are API servers, and not files.
    pub(super) fn api_servers(&self) -> Vec<&NamedCluster> {
        let sources = self.config.clusters().map(|settings| settings.source);
        self.clusters.iter().zip(sources).filter(|(_, source)| !source.is_at_rest()).map(|(named, _)| named).collect()
    }

    /// Whether an error says that something is not on this machine, where the server need not run.
    pub(super) fn is_elsewhere(&self, error: &anyhow::Error) -> bool {
        let is_absence = |cause: &io::Error| cause.kind() == io::ErrorKind::NotFound;
        self.is_offline && error.chain().filter_map(|cause| cause.downcast_ref()).any(is_absence)
    }
}
