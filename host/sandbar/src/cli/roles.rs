//! What a server has to be allowed in a cluster: what its tools read there, and what it asks itself.

use anyhow::Context as _;
use sandbar_catalog::Catalog;
use sandbar_config::{AuthenticationConfig, Config, RightsConfig};
use sandbar_kubernetes::NamedCluster;
use sandbar_policy::Grant;

use crate::rbac::{Account, Callers, Object, Questions, ReadsAs, expand, has_wildcard, objects};

/// The roles for one cluster.
pub(super) struct Roles {
    /// The objects that give an account what it takes; none where it takes nothing.
    pub(super) objects: Vec<Object>,
    /// Whether they name what the cluster serves today, in the place of wildcards.
    pub(super) are_of_today: bool,
}

/// What these components may read in a cluster.
pub(super) fn grants(catalog: &Catalog, cluster: &str) -> Vec<Grant> {
    catalog.components().iter().filter_map(|served| served.grant_in(cluster).cloned()).collect()
}

/// The roles that these grants need in a cluster, which is asked where a rule has a wildcard. `is_home`: it is the first, which says who callers
/// are.
pub(super) async fn roles(
    config: &Config,
    NamedCluster { name, cluster }: &NamedCluster,
    is_home: bool,
    mut grants: Vec<Grant>,
    account: &Account,
) -> anyhow::Result<Roles> {
    let of_cluster = config.clusters.iter().find(|cluster| *cluster.name == **name);
    let are_of_today = has_wildcard(&grants);
    if are_of_today {
        cluster.log_in().await;
        let served = cluster.api_resources().await.context("a rule has a wildcard, which only a cluster can turn into names")?;
        grants = expand(&grants, &served)?;
    }
    let reads_as = match config.rights_in(of_cluster) {
        RightsConfig::Server => ReadsAs::Server,
        RightsConfig::Caller => ReadsAs::ServerAfterReviews,
        RightsConfig::Impersonation => ReadsAs::Callers(callers(config)),
    };
    let has_tool_reviews = config.authorization.tools.as_ref().is_some_and(|tools| tools.rbac.is_some());
    let questions = Questions {
        token_reviews: is_home && config.authentication.token_review.is_some(),
        access_reviews: reads_as == ReadsAs::ServerAfterReviews || (is_home && has_tool_reviews),
        aggregator: is_home && config.api_service.is_some(),
    };
    let objects = objects(&grants, &reads_as, questions, account)?;
    Ok(Roles { objects, are_of_today })
}

/// Which kinds of callers come in by the ways that are configured.
fn callers(config: &Config) -> Callers {
    let AuthenticationConfig { front_proxy, oidc, token_review, .. } = &config.authentication;
    // The API server hands on the requests of both. Tokens for an audience that is not its own are those of ServiceAccounts.
    let people = config.api_service.is_some() || front_proxy.is_some() || !oidc.is_empty();
    let service_accounts = config.api_service.is_some() || token_review.is_some();
    Callers { people: people.then(|| config.authorization.extra_keys()), service_accounts }
}
