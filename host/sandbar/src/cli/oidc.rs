//! `authentication.oidc`, put together.

use std::time::Duration;

use anyhow::{Context as _, bail};
use sandbar_config::{
    AuthenticationConfig, ClaimMappingsConfig, ClaimValidationRuleConfig, IssuerConfig, OidcConfig, PrefixedClaimConfig,
};
use sandbar_http::ProtectedResource;
use sandbar_identity::{ClaimMapping, IssuerSettings, Issuers, RequiredClaim, Trusted};
use sandbar_kubernetes::Cluster;

/// How long a start waits for the API server to say what its own issuer is.
const OWN_ISSUER_TIME: Duration = Duration::from_secs(5);

/// The issuers whose tokens count, if there are some. One whose tokens each pod has is found now, if the API server is there.
pub(super) async fn issuers(config: &AuthenticationConfig, cluster: &Cluster) -> anyhow::Result<Option<Issuers>> {
    if config.oidc.is_empty() {
        return Ok(None);
    }
    match cluster.token_issuer(OWN_ISSUER_TIME).await {
        Ok(own) => config.oidc.iter().try_for_each(|oidc| check(&oidc.issuer, own.as_deref().unwrap_or_default()))?,
        Err(error) => tracing::warn!(%error, "whether an issuer is the API server's own cannot be found out now"),
    }
    let settings: Vec<_> = config.oidc.iter().map(settings).collect();
    for IssuerSettings { url, trusted, .. } in &settings {
        trusted.read().with_context(|| format!("authentication.oidc: the certificate authorities of {url}"))?;
    }
    Ok(Some(Issuers::start(settings)))
}

fn check(IssuerConfig { url, audiences, .. }: &IssuerConfig, own: &str) -> anyhow::Result<()> {
    if url == own {
        bail!(
            "authentication.oidc: {url} issues the tokens of this cluster's ServiceAccounts: use `tokenReview`, which also sees those that \
             were taken back"
        );
    }
    if audiences.iter().any(|audience| audience == own) {
        bail!(
            "authentication.oidc: the audience {own:?} of {url} is the API server's own, so each token would be one for the cluster, too: \
             choose another"
        );
    }
    Ok(())
}

fn settings(OidcConfig { issuer, claim_mappings, claim_validation_rules }: &OidcConfig) -> IssuerSettings {
    let IssuerConfig {
        url,
        discovery_url,
        audiences,
        audience_match_policy: _any,
        certificate_authority,
        certificate_authority_file,
    } = issuer.clone();
    let trusted = match (certificate_authority, certificate_authority_file) {
        (_, Some(file)) => Trusted::File(file),
        (Some(pem), None) => Trusted::Authorities(pem.into_bytes().into()),
        (None, None) => Trusted::Machine,
    };
    let mapping = |PrefixedClaimConfig { claim, prefix }: PrefixedClaimConfig| ClaimMapping { claim, prefix };
    let ClaimMappingsConfig { username, groups, uid } = claim_mappings.clone();
    let required = claim_validation_rules.iter().cloned();
    let required =
        required.map(|ClaimValidationRuleConfig { claim, required_value }| RequiredClaim { claim, value: required_value });
    IssuerSettings {
        url: url.into(),
        discovery_url,
        audiences,
        trusted,
        username: mapping(username),
        groups: groups.map(mapping),
        uid: uid.map(|uid| uid.claim),
        required: required.collect(),
    }
}

/// What clients are told of the issuers, if there are some.
pub(super) fn resource(
    AuthenticationConfig { oidc, resource, .. }: &AuthenticationConfig,
    speaks_tls: bool,
) -> Option<ProtectedResource> {
    if oidc.is_empty() {
        return None;
    }
    let issuers = oidc.iter().map(|oidc| oidc.issuer.url.clone()).collect();
    let scopes = resource.as_ref().map(|resource| resource.scopes.clone()).unwrap_or_default();
    let url = resource.as_ref().and_then(|resource| resource.url.clone());
    Some(ProtectedResource::new(issuers, scopes, url, speaks_tls))
}

/// Whose tokens count, each in a few words.
pub(super) fn who(config: &AuthenticationConfig) -> impl Iterator<Item = String> {
    config.oidc.iter().map(|OidcConfig { issuer, .. }| {
        format!("holders of a token of {} for the audience {}", issuer.url, issuer.audiences.join(", "))
    })
}
