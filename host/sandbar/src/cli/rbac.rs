//! `sandbar rbac`.

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::Args;

use sandbar_config::{AuthenticationConfig, Config, RightsConfig};

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
    /// The namespace of that ServiceAccount
    #[arg(short, long, default_value = "coder-system")]
    namespace: String,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.common.config()?;
    let runtime = runtime()?;
    let Setup { config, cluster, catalog, problems, packs, .. } =
        runtime.block_on(arguments.common.load(config, Patience::ENDLESS))?;
    if let Some(problem) = problems.first() {
        // Roles for some of the tools would look complete.
        return Err(anyhow!("a component is not loaded, so its rules are unknown: {}", config.described(problem)).into());
    }
    if let Some(trouble) = packs.unknown(&config) {
        let way_out = "name the packs with --packs";
        return Err(anyhow!("which packs `auto` stands for is unknown, and so are their rules: {trouble}; {way_out}").into());
    }
    let mut grants: Vec<_> = catalog.components().iter().map(|served| served.grant().clone()).collect();
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
    let reads_as = match config.authorization.rights {
        RightsConfig::Server => ReadsAs::Server,
        RightsConfig::Caller => ReadsAs::ServerAfterReviews,
        RightsConfig::Impersonation => ReadsAs::Callers(callers(&config)),
    };
    let has_tool_reviews = config.authorization.tools.as_ref().is_some_and(|tools| tools.rbac.is_some());
    let questions = Questions {
        token_reviews: config.authentication.token_review.is_some(),
        access_reviews: reads_as == ReadsAs::ServerAfterReviews || has_tool_reviews,
        aggregator: config.api_service.is_some(),
    };
    let roles = objects(&grants, &config.namespaces(), &reads_as, questions, &account)?;
    if roles.is_empty() {
        return Err(anyhow!("the loaded tools may read nothing that needs a role").into());
    }
    output::yaml(&roles)?;
    Ok(ExitCode::SUCCESS)
}

/// Which kinds of callers come in by the ways that are configured.
fn callers(config: &Config) -> Callers {
    let AuthenticationConfig { front_proxy, oidc, token_review, .. } = &config.authentication;
    // The API server hands on the requests of both. Tokens for an audience that is not its own are those of ServiceAccounts.
    let people = config.api_service.is_some() || front_proxy.is_some() || !oidc.is_empty();
    let service_accounts = config.api_service.is_some() || token_review.is_some();
    Callers { people: people.then(|| config.authorization.extra_keys()), service_accounts }
}
