//! `authentication.oidc`: issuers whose tokens count, in the shape of Kubernetes' AuthenticationConfiguration, whose `jwt` entries can be
//! copied here. What takes CEL there (`expression`, `extra`, `userValidationRules`) is not there, and neither is `egressSelectorType`.

use std::collections::HashSet;
use std::path::PathBuf;

use http::Uri;
use sandbar_policy::OF_KUBERNETES;
use schemars::JsonSchema;
use serde::Deserialize;

use super::authentication::is_of_api_servers;
use super::places::Step;
use super::present;

/// An issuer whose tokens count, and the users that they are.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Oidc")]
pub struct OidcConfig {
    /// Who issues the tokens, and for whom they have to be.
    pub issuer: IssuerConfig,
    /// Which claims are the user.
    pub claim_mappings: ClaimMappingsConfig,
    /// What claims have to be.
    #[serde(default)]
    pub claim_validation_rules: Vec<ClaimValidationRuleConfig>,
}

/// Who issues tokens, and for whom they have to be.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Issuer")]
pub struct IssuerConfig {
    /// The URL of the issuer, letter by letter as its tokens have it in `iss`.
    #[schemars(regex(pattern = "^https://[^?#@]+$"))]
    pub url: String,
    /// Where its discovery document is, if that is not below the URL.
    #[serde(default, rename = "discoveryURL", deserialize_with = "present")]
    #[schemars(with = "String", regex(pattern = "^https://[^?#@]+$"))]
    pub discovery_url: Option<String>,
    /// The audiences of this server: a token has to be for one of them.
    #[schemars(length(min = 1), inner(length(min = 1)))]
    pub audiences: Vec<String>,
    /// Required where there are several audiences.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "AudienceMatchPolicy")]
    pub audience_match_policy: Option<AudienceMatchPolicy>,
    /// The authorities that sign the issuer's certificate, as PEM; absent: those of this machine.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    pub certificate_authority: Option<String>,
    /// The same in a file. Relative paths start at the folder of this file.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    pub certificate_authority_file: Option<PathBuf>,
}

/// How the audiences of a token and of this server have to match.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
pub enum AudienceMatchPolicy {
    /// One of them is enough.
    MatchAny,
}

/// Which claims are the user.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ClaimMappings")]
pub struct ClaimMappingsConfig {
    /// The name of the user.
    pub username: PrefixedClaimConfig,
    /// The groups of the user: a text, or a list of texts.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "PrefixedClaimConfig")]
    pub groups: Option<PrefixedClaimConfig>,
    /// The uid of the user.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "ClaimConfig")]
    pub uid: Option<ClaimConfig>,
}

/// A claim, and what is put before its value.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "PrefixedClaim")]
pub struct PrefixedClaimConfig {
    /// The name of the claim.
    #[schemars(length(min = 1))]
    pub claim: String,
    /// Keeps its values apart from those of others; "" for none.
    pub prefix: String,
}

/// A claim.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Claim")]
pub struct ClaimConfig {
    /// The name of the claim.
    #[schemars(length(min = 1))]
    pub claim: String,
}

/// A claim that has to be there, and what it has to be.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ClaimValidationRule")]
pub struct ClaimValidationRuleConfig {
    /// The name of the claim.
    #[schemars(length(min = 1))]
    pub claim: String,
    /// Its value, a text.
    #[serde(default)]
    pub required_value: String,
}

/// What clients are told of this server by RFC 9728. It counts where there is an issuer.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Resource")]
pub struct ResourceConfig {
    /// The URL by which clients reach MCP, where something in front of the server makes it another than the one that is asked.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", regex(pattern = "^https?://[^?#@]+$"))]
    pub url: Option<String>,
    /// The scopes that a client should ask the issuer for.
    #[serde(default)]
    #[schemars(inner(regex(pattern = r"^[\x21\x23-\x5B\x5D-\x7E]+$")))]
    pub scopes: Vec<String>,
}

/// A place in the file, and what is wrong there.
type Faults = Vec<(Vec<Step>, String)>;

/// What is wrong with the issuers: by Kubernetes' rules, and by those that keep the users of two of them apart.
pub(super) fn faults(issuers: &[OidcConfig]) -> Faults {
    let mut faults = Vec::new();
    for (index, oidc) in issuers.iter().enumerate() {
        let (before, rest) = issuers.split_at(index);
        let others: Vec<&OidcConfig> = before.iter().chain(&rest[1..]).collect();
        let of_issuer = within("issuer", faults_of_issuer(&oidc.issuer, before));
        let of_mappings = within("claimMappings", faults_of_mappings(&oidc.claim_mappings, &others));
        let of_rules = within("claimValidationRules", faults_of_rules(&oidc.claim_validation_rules));
        let all = of_issuer.chain(of_mappings).chain(of_rules);
        faults.extend(all.map(|(path, what)| ([&[Step::Entry(index)], path.as_slice()].concat(), what)));
    }
    faults
}

/// Faults of what stands under a key.
fn within(key: &'static str, faults: Faults) -> impl Iterator<Item = (Vec<Step>, String)> {
    faults.into_iter().map(move |(path, what)| ([&[Step::Key(key)], path.as_slice()].concat(), what))
}

/// `before` are the entries above.
fn faults_of_issuer(issuer: &IssuerConfig, before: &[OidcConfig]) -> Faults {
    let IssuerConfig { url, discovery_url, audiences, audience_match_policy, certificate_authority, .. } = issuer;
    let mut faults = Vec::new();
    let mut add = |key, what: String| faults.push((vec![Step::Key(key)], what));
    for (key, url) in [("url", Some(url)), ("discoveryURL", discovery_url.as_ref())] {
        if let Some(what) = url.and_then(|url| fault_of_url(url, &["https"])) {
            add(key, what);
        }
    }
    if is_of_api_servers(url) {
        let how = "which `tokenReview` is for: it also sees those that were taken back";
        add("url", format!("{url:?} issues the tokens of ServiceAccounts, {how}"));
    }
    if before.iter().any(|other| other.issuer.url == *url) {
        add("url", format!("{url:?} has an entry already: an issuer has one"));
    }
    if discovery_url.as_ref().is_some_and(|discovery| discovery.trim_end_matches('/') == url.trim_end_matches('/')) {
        add("discoveryURL", "it is the same as `url`: leave it out".to_owned());
    }
    if audiences.is_empty() {
        let what = "an audience is required: without one, each token of the issuer would count, for whatever it was made";
        add("audiences", what.to_owned());
    }
    if audiences.len() > 1 && audience_match_policy.is_none() {
        let what = "several audiences take `audienceMatchPolicy: MatchAny` beside them, as in Kubernetes";
        add("audiences", what.to_owned());
    }
    match certificate_authority {
        Some(_) if issuer.certificate_authority_file.is_some() => {
            add("certificateAuthorityFile", "`certificateAuthority` stands there, too: give one of them".to_owned());
        }
        Some(pem) if !pem.contains("-----BEGIN CERTIFICATE-----") => {
            let what = "it is the text of certificates, as PEM; a file is named by `certificateAuthorityFile`";
            add("certificateAuthority", what.to_owned());
        }
        _ => {}
    }
    faults.extend(within("audiences", faults_of_audiences(audiences)));
    faults
}

fn faults_of_audiences(audiences: &[String]) -> Faults {
    let mut known = HashSet::new();
    let fault = |audience: &String| match audience.as_str() {
        "" => Some("an audience cannot be empty".to_owned()),
        _ if is_of_api_servers(audience) => {
            let why = "so each token would be one for the cluster, too: choose another";
            Some(format!("{audience:?} is the API server's own audience, {why}"))
        }
        _ => (!known.insert(audience.clone())).then(|| format!("{audience:?} stands there already")),
    };
    entries(audiences.iter().map(fault))
}

/// `others` are the other issuers.
fn faults_of_mappings(mappings: &ClaimMappingsConfig, others: &[&OidcConfig]) -> Faults {
    let ClaimMappingsConfig { username, groups, uid } = mappings;
    let of_others = |mapping: fn(&ClaimMappingsConfig) -> Option<&PrefixedClaimConfig>| {
        others.iter().filter_map(|other| mapping(&other.claim_mappings).map(|mapping| mapping.prefix.as_str())).collect()
    };
    let of_username = faults_of_mapping(username, "user", of_others(|mappings| Some(&mappings.username)));
    let of_groups =
        groups.as_ref().map(|groups| faults_of_mapping(groups, "group", of_others(|mappings| mappings.groups.as_ref())));
    let of_uid = uid.as_ref().map(|uid| fault_of_claim(&uid.claim));
    let all = within("username", of_username).chain(within("groups", of_groups.unwrap_or_default()));
    all.chain(within("uid", of_uid.unwrap_or_default())).collect()
}

/// `others` are the prefixes of the other issuers for the same.
fn faults_of_mapping(PrefixedClaimConfig { claim, prefix }: &PrefixedClaimConfig, whose: &str, others: Vec<&str>) -> Faults {
    let mut faults = fault_of_claim(claim);
    let mut add = |what| faults.push((vec![Step::Key("prefix")], what));
    if prefix.starts_with(OF_KUBERNETES) {
        add(format!("what begins with `{OF_KUBERNETES}` is Kubernetes' own, and no token makes somebody that"));
    }
    // Of two that are different, the longer one could be the beginning of a name in the other.
    if let Some(other) = others.into_iter().find(|other| other.starts_with(prefix)) {
        add(format!(
            "{other:?} of another issuer begins with it, so a {whose} of the one could be taken for one of the other: give each a prefix \
             of its own"
        ));
    }
    faults
}

fn fault_of_claim(claim: &str) -> Faults {
    if claim.is_empty() { vec![(vec![Step::Key("claim")], "a claim has a name".to_owned())] } else { Vec::new() }
}

fn faults_of_rules(rules: &[ClaimValidationRuleConfig]) -> Faults {
    let mut known = HashSet::new();
    let fault = |ClaimValidationRuleConfig { claim, .. }: &ClaimValidationRuleConfig| match claim.as_str() {
        "" => Some("a claim has a name".to_owned()),
        _ => (!known.insert(claim.clone())).then(|| format!("{claim:?} has a rule already")),
    };
    entries(rules.iter().map(fault))
}

/// Faults of the entries of a list.
fn entries(faults: impl Iterator<Item = Option<String>>) -> Faults {
    faults.enumerate().filter_map(|(index, what)| Some((vec![Step::Entry(index)], what?))).collect()
}

/// What is wrong with what clients are told.
pub(super) fn faults_of_resource(resource: &ResourceConfig, has_issuers: bool) -> Faults {
    let mut faults = Vec::new();
    if !has_issuers {
        let what = "it says where tokens are to be had, and there is no issuer: give `oidc`, or leave it out";
        faults.push((Vec::new(), what.to_owned()));
    }
    let url = resource.url.as_ref().and_then(|url| fault_of_url(url, &["https", "http"]));
    faults.extend(url.map(|what| (vec![Step::Key("url")], what)));
    let is_scope =
        |scope: &String| !scope.is_empty() && scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    for (number, scope) in resource.scopes.iter().enumerate().filter(|(_, scope)| !is_scope(scope)) {
        let what = format!("{scope:?} is no scope: it has visible ASCII, without spaces, quotes and backslashes");
        faults.push((vec![Step::Key("scopes"), Step::Entry(number)], what));
    }
    faults
}

/// What is wrong with a URL, by Kubernetes' rules.
fn fault_of_url(text: &str, schemes: &[&str]) -> Option<String> {
    let is_url = text.parse::<Uri>().is_ok_and(|uri| {
        uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme)) && uri.host().is_some_and(|host| !host.is_empty())
    });
    let schemes: Vec<String> = schemes.iter().map(|scheme| format!("{scheme}://")).collect();
    (!is_url || text.contains(['?', '#', '@'])).then(|| {
        format!(
            "{text:?} is no such URL: it begins with {}, and has a host, and no user, query or fragment",
            schemes.join(" or ")
        )
    })
}
