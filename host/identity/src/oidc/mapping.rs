//! The user that claims are, by the rules of Kubernetes' `claimMappings` and `claimValidationRules`.

use std::collections::BTreeMap;

use sandbar_policy::{AUTHENTICATED, CREDENTIAL_ID, OF_KUBERNETES, User};
use sandbar_secrets::quotable;
use serde_json::Value;

use super::super::bearer::QUOTED_BYTES;
use super::IssuerSettings;
use super::token::{Claims, texts};

/// A claim, and what is put before its value.
#[derive(Clone, Debug)]
pub struct ClaimMapping {
    /// The name of the claim.
    pub claim: String,
    /// Keeps its values apart from those of others; may be empty.
    pub prefix: String,
}

/// A claim that has to be there, and its value.
#[derive(Clone, Debug)]
pub struct RequiredClaim {
    /// The name of the claim.
    pub claim: String,
    /// What it has to be.
    pub value: String,
}

/// The user of a token with these claims, or why it is none.
pub(super) fn user(settings: &IssuerSettings, claims: &Claims) -> Result<User, String> {
    let text = |claim: &str| match claims.get(claim) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(format!("its claim `{claim}` is no text")),
        None => Err(format!("it has no claim `{claim}`")),
    };
    for required in &settings.required {
        let is = text(&required.claim)?;
        if is != required.value {
            let is = quotable(is, QUOTED_BYTES);
            return Err(format!("its claim `{}` is `{is}`, and has to be `{}`", required.claim, required.value));
        }
    }
    let username = &settings.username;
    let name = text(&username.claim)?;
    if name.is_empty() {
        return Err(format!("its claim `{}` is empty, which is nobody's name", username.claim));
    }
    let is_verified = claims.get("email_verified").is_none_or(|verified| *verified == Value::Bool(true));
    if username.claim == "email" && !is_verified {
        return Err("nobody has verified that the address `email` is its owner's: `email_verified` is not true".to_owned());
    }
    let name = kept_apart(username, name)?;
    let mut groups = match &settings.groups {
        Some(groups) => groups_of(groups, claims)?,
        None => Vec::new(),
    };
    // As an API server adds it.
    groups.push(AUTHENTICATED.to_owned());
    let uid = settings.uid.as_deref().map(text).transpose()?.filter(|uid| !uid.is_empty()).map(str::to_owned);
    let id = claims.get("jti").and_then(Value::as_str).filter(|id| !id.is_empty());
    // In the API server's words.
    let extra = id.map(|id| BTreeMap::from([(CREDENTIAL_ID.to_owned(), vec![format!("JTI={id}")])])).unwrap_or_default();
    User { name: name.into(), uid, groups, extra }.checked().map_err(|error| error.to_string())
}

fn groups_of(mapping: &ClaimMapping, claims: &Claims) -> Result<Vec<String>, String> {
    let claim = &mapping.claim;
    if let Some(by) = elsewhere(claim, claims) {
        return Err(format!(
            "its claim `{claim}` lies elsewhere (`{by}`), from where it is not fetched: have the issuer put fewer groups in, those \
             that are assigned to the application for example"
        ));
    }
    match claims.get(claim) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(value) => {
            let groups = texts(value).ok_or_else(|| format!("its claim `{claim}` is no text, and no list of texts"))?;
            groups.iter().map(|group| kept_apart(mapping, group)).collect()
        }
    }
}

/// What says that the groups of somebody lie elsewhere, who is in more than fit into a token. Better no user than one without them, for whom
/// nobody knows why; so what stands in their place does not count.
fn elsewhere(claim: &str, claims: &Claims) -> Option<&'static str> {
    // An object with the names of claims (OpenID Connect Core 1.0, 5.6.2). Of anything else nobody knows what it names.
    let names = claims.get("_claim_names").filter(|names| !names.is_null());
    if names.is_some_and(|names| names.as_object().is_none_or(|names| names.contains_key(claim))) {
        return Some("_claim_names");
    }
    // Entra's, where there is no room for that either.
    let has_groups = claims.get("hasgroups") == Some(&Value::Bool(true));
    let are_there = claims.get(claim).is_some_and(|groups| !groups.is_null());
    (claim == "groups" && has_groups && !are_there).then_some("hasgroups")
}

/// A value with what is put before it, which makes nobody a user or a group of Kubernetes' own.
fn kept_apart(mapping: &ClaimMapping, value: &str) -> Result<String, String> {
    let name = format!("{}{value}", mapping.prefix);
    if name.starts_with(OF_KUBERNETES) {
        let (claim, value) = (&mapping.claim, quotable(value, QUOTED_BYTES));
        return Err(format!("its claim `{claim}` has `{value}`: what begins with `{OF_KUBERNETES}` is Kubernetes' own"));
    }
    Ok(name)
}
