//! `sandbar rbac`.

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;

use sandbar_config::{AuthenticationConfig, Config, RightsConfig};
use sandbar_kubernetes::{Clusters, NamedCluster};

use super::setup::{Patience, Setup, runtime};
use super::{Common, Failure, output};
use crate::rbac::{Account, Callers, Questions, ReadsAs, expand, has_wildcard, objects};

#[derive(Args)]
#[command(after_help = "With `namespaces` in the configuration it prints a Role for each, else a ClusterRole.")]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The name of the roles and their bindings
    #[arg(long, default_value = "coder-k8s-mcp")]
    name: String,
    /// The ServiceAccount that the server runs as
    #[arg(long, default_value = "coder-k8s-mcp")]
    service_account: String,
    /// The cluster that the roles are for, where `clusters` in the configuration names several [default: the first]
    #[arg(long, value_name = "NAME")]
    for_cluster: Option<String>,
    /// The namespace of that ServiceAccount
    #[arg(short, long, default_value = "coder-system")]
    namespace: String,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.common.config()?;
    let runtime = runtime()?;
    let Setup { config, clusters, catalog, problems, packs, .. } =
        runtime.block_on(arguments.common.load(config, Patience::ENDLESS))?;
    if let Some(problem) = problems.first() {
        // Roles for some of the tools would look complete.
        return Err(anyhow!("a component is not loaded, so its rules are unknown: {}", config.described(problem)).into());
    }
    if let Some(trouble) = packs.unknown(&config) {
        let way_out = "name the packs with --packs";
        return Err(anyhow!("which packs `auto` stands for is unknown, and so are their rules: {trouble}; {way_out}").into());
    }
    let (NamedCluster { name, cluster }, is_home) = chosen(&clusters, arguments.for_cluster.as_deref())?;
    let of_cluster = config.clusters.iter().find(|cluster| *cluster.name == *name);
    let mut grants: Vec<_> = catalog.components().iter().filter_map(|served| served.grant_in(&name).cloned()).collect();
    if has_wildcard(&grants) {
        runtime.block_on(cluster.log_in());
        let served = runtime
            .block_on(cluster.api_resources())
            .context("a rule has a wildcard, which only a cluster can turn into names")?;
        grants = expand(&grants, &served)?;
        output::say(&format!(
            "sandbar: the wildcards stand for what {} serves today; print the roles anew when that changes",
            cluster.describe()
        ));
    }
    let account = Account { name: arguments.name, service_account: arguments.service_account, namespace: arguments.namespace };
    let reads_as = match config.rights_in(of_cluster) {
        RightsConfig::Server => ReadsAs::Server,
        RightsConfig::Caller => ReadsAs::ServerAfterReviews,
        RightsConfig::Impersonation => ReadsAs::Callers(callers(&config)),
    };
    let has_tool_reviews = config.authorization.tools.as_ref().is_some_and(|tools| tools.rbac.is_some());
    let questions = Questions {
        token_reviews: is_home && config.authentication.token_review.is_some(),
        access_reviews: reads_as == ReadsAs::ServerAfterReviews || (is_home && has_tool_reviews),
        aggregator: is_home && config.api_service.is_some(),
    };
    let roles = objects(&grants, &config.namespaces_in(of_cluster), &reads_as, questions, &account)?;
    if roles.is_empty() {
        return Err(anyhow!("the loaded tools may read nothing that needs a role").into());
    }
    output::yaml(&roles)?;
    Ok(ExitCode::SUCCESS)
}

/// The cluster of this name, or home; and whether it is home.
fn chosen(clusters: &Clusters, name: Option<&str>) -> Result<(NamedCluster, bool), Failure> {
    let is_meant = |cluster: &NamedCluster| name.is_none_or(|name| *cluster.name == *name && clusters.are_several());
    let found = clusters.iter().cloned().enumerate().find(|(_, cluster)| is_meant(cluster));
    let (at, cluster) = found.ok_or_else(|| {
        let known: Vec<&str> = clusters.iter().map(|cluster| &*cluster.name).collect();
        Failure::Usage(match clusters.are_several() {
            true => {
                anyhow!("--for-cluster: {:?} is none of the clusters, which are {}", name.unwrap_or_default(), known.join(", "))
            }
            false => anyhow!("--for-cluster: there is one cluster; `clusters` in the configuration names several"),
        })
    })?;
    Ok((cluster, at == 0))
}

/// Which kinds of callers come in by the ways that are configured.
fn callers(config: &Config) -> Callers {
    let AuthenticationConfig { front_proxy, oidc, token_review, .. } = &config.authentication;
    // The API server hands on the requests of both. Tokens for an audience that is not its own are those of ServiceAccounts.
    let people = config.api_service.is_some() || front_proxy.is_some() || !oidc.is_empty();
    let service_accounts = config.api_service.is_some() || token_review.is_some();
    Callers { people: people.then(|| config.authorization.extra_keys()), service_accounts }
}
