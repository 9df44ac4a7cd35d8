//! What is looked at: a server as it would be started with these flags, and what several checks need of it.

use std::io;
use std::time::Duration;

use futures::future::join_all;
use sandbar_config::Config;
use sandbar_kubernetes::{Clusters, Error, Health, NamedCluster};
use tokio::sync::OnceCell;

use super::finding::Finding;
use crate::cli::serve;
use crate::cli::setup::{Patience, Setup};

/// How long components that are not compiled yet are waited for.
const COMPILING: Duration = Duration::from_secs(45);

/// How long the clusters have to say which packs they have something for.
const PACKS: Duration = Duration::from_secs(5);

/// How long an API server may take, so that what it is asked has an answer of its own within the time of a check.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(8);

/// What is said of a question to an API server where the check of the clusters has failed.
pub(super) const NOT_ASKED: &str = "it was not looked at, for the reason that `cluster` has";

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
    setup: OnceCell<anyhow::Result<Setup>>,
    /// How each of the clusters is, once one of the checks has asked.
    health: Vec<OnceCell<Result<Health, Error>>>,
}

/// A cluster that is an API server, and not files.
#[derive(Clone, Copy)]
pub(super) struct ApiServer<'s> {
    pub(super) named: &'s NamedCluster,
    /// What a line about it begins with, where there are several.
    prefix: Option<&'s str>,
    health: &'s OnceCell<Result<Health, Error>>,
}

impl ApiServer<'_> {
    /// How it is, asked once for all checks.
    pub(super) async fn health(&self) -> Result<&Health, &Error> {
        self.health.get_or_init(|| self.named.cluster.health(ANSWER_TIME)).await.as_ref()
    }

    /// A finding about it.
    pub(super) fn told(&self, Finding { level, says }: Finding) -> Finding {
        Finding { level, says: self.prefix.map(|name| format!("{name}: ")).unwrap_or_default() + &says }
    }
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
        let health = clusters.iter().map(|_| OnceCell::new()).collect();
        Self { arguments, config, clusters, is_offline, setup: OnceCell::new(), health }
    }

    /// The tools, as the server would load them.
    pub(super) async fn setup(&self) -> Result<&Setup, &anyhow::Error> {
        let patience = Patience { compiling: COMPILING, packs: PACKS };
        let load = async || {
            let common = &self.arguments.common;
            common.load_what_is_there(self.config.clone(), self.clusters.clone(), patience).await
        };
        self.setup.get_or_init(load).await.as_ref()
    }

    /// The clusters that are API servers.
    pub(super) fn api_servers(&self) -> impl Iterator<Item = ApiServer<'_>> {
        let are_several = self.clusters.are_several();
        let all = self.config.clusters().zip(self.clusters.iter()).zip(&self.health);
        all.filter(|((settings, _), _)| !settings.source.is_at_rest()).map(move |((_, named), health)| ApiServer {
            named,
            prefix: are_several.then_some(&*named.name),
            health,
        })
    }

    /// What is found out of each API server that answers. Of the others the check of the clusters says why they do not.
    pub(super) async fn of_each<'s, F>(&'s self, ask: impl Fn(ApiServer<'s>) -> F) -> Vec<Finding>
    where
        F: Future<Output = Finding>,
    {
        let asked = self.api_servers().map(|server| {
            let ask = &ask;
            async move {
                server.told(match server.health().await {
                    Ok(_) => ask(server).await,
                    Err(_) => Finding::warn(NOT_ASKED),
                })
            }
        });
        join_all(asked).await
    }

    /// Whether an error says that something is not on this machine, where the server need not run.
    pub(super) fn is_elsewhere(&self, error: &anyhow::Error) -> bool {
        let is_absence = |cause: &io::Error| cause.kind() == io::ErrorKind::NotFound;
        self.is_offline && error.chain().filter_map(|cause| cause.downcast_ref()).any(is_absence)
    }
}
