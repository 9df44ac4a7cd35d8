//! How the server finds out who calls, put together from `authentication` and `apiService`, and what it says of that.

use anyhow::bail;
use sandbar_config::{ApiServiceConfig, AuthenticationConfig, Config, RightsConfig, TokenReviewConfig};
use sandbar_identity::{Authentication, FrontProxy, TokenReviews};
use sandbar_kubernetes::Cluster;

use super::aggregation::AggregatorFollower;
use super::certificate::CertificateFollower;
use super::oidc;

/// How it is found out who calls, and what has to be followed for that. The API server's authorities are added to those that connections
/// begin with.
pub(super) async fn authentication(
    config: &Config,
    cluster: &Cluster,
    certificate: Option<&mut CertificateFollower>,
) -> anyhow::Result<(Authentication, Option<AggregatorFollower>)> {
    let aggregation = match &config.api_service {
        Some(_) => Some(AggregatorFollower::start(cluster.clone()).await),
        None => None,
    };
    let api_server = aggregation.as_ref().map(AggregatorFollower::believed);
    let mut front_proxy = None;
    if let Some(certificate) = certificate {
        if let Some(api_server) = api_server.clone() {
            certificate.take_api_server(api_server);
        }
        front_proxy = config.authentication.front_proxy.is_some().then(|| certificate.front_proxy());
    }
    let authentication = Authentication {
        api_server: api_server.map(FrontProxy::new),
        front_proxy: front_proxy.map(FrontProxy::new),
        oidc: oidc::issuers(&config.authentication, cluster).await?,
        token_review: token_reviews(&config.authentication, cluster).await?,
    };
    Ok((authentication, aggregation))
}

/// How tokens are reviewed, if they are. An audience for which everybody has a token is found now, if the API server is there.
async fn token_reviews(config: &AuthenticationConfig, cluster: &Cluster) -> anyhow::Result<Option<TokenReviews>> {
    let Some(TokenReviewConfig { audiences }) = &config.token_review else { return Ok(None) };
    let reviews = TokenReviews::new(cluster.clone(), audiences.clone());
    match reviews.own_audience().await {
        Ok(None) => {}
        Ok(Some(own)) => bail!(
            "authentication.tokenReview.audiences has {own:?}, which is the API server's own audience: the token of any pod would \
             count. Choose another, `sandbar` for example"
        ),
        Err(error) => tracing::warn!(%error, "whether an audience is the API server's own is looked up with the first token"),
    }
    Ok(Some(reviews))
}

/// Who can call, and with whose rights, in a line for the operator.
pub(super) fn who_may_call(config: &Config) -> String {
    let AuthenticationConfig { front_proxy, token_review, .. } = &config.authentication;
    let by_proxy = front_proxy.as_ref().map(|proxy| format!("whom the front proxy {} names", proxy.allowed_names.join(" or ")));
    let by_token = token_review
        .as_ref()
        .map(|reviews| format!("holders of a ServiceAccount's token for the audience {}", reviews.audiences.join(", ")));
    let by_api_server = config.api_service.as_ref().map(|ApiServiceConfig { group, server }| {
        format!("those who come through the API server, and may create the server {server} of {group} there,")
    });
    let known: Vec<String> =
        by_api_server.into_iter().chain(by_proxy).chain(oidc::who(&config.authentication)).chain(by_token).collect();
    let who = match known.is_empty() {
        false => known.join(", and "),
        true if config.listen.ip().is_loopback() => "everybody on this machine".to_owned(),
        true => format!("everybody who reaches {}", config.listen),
    };
    let (home, others) = (config.rights_in(config.clusters.first()), config.clusters.iter().skip(1));
    let differing = others.filter(|cluster| config.rights_in(Some(cluster)) != home);
    let differing: String =
        differing.map(|cluster| format!("; in {} {}", cluster.name, words_of(config.rights_in(Some(cluster))))).collect();
    format!("{who} can call tools, which read {}{differing}", words_of(home))
}

/// What tools read, by whose rights count.
fn words_of(rights: RightsConfig) -> &'static str {
    match rights {
        RightsConfig::Server => "with this server's rights",
        RightsConfig::Caller => "what both the caller and this server may read",
        RightsConfig::Impersonation => "in the caller's name what the caller may read",
    }
}
