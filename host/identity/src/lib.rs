//! Who makes a request: found out from what the request and its connection prove, and from nothing else.
//!
//! `front_proxy` believes a proxy with a certificate; `bearer` takes the token out of a request, `oidc` verifies those of issuers, and
//! `token_review` has the API server say whose the others are. What is refused, or cannot be found out now, is nobody's: a request without an
//! identity is not served.

mod bearer;
mod front_proxy;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod oidc;
mod token_review;

use http::HeaderMap;
use sandbar_policy::{Identity, Proof};
use sandbar_tls::ClientCertificate;
use sandbar_verdicts::Uses;

use self::oidc::{Known, Unknown};
pub use front_proxy::{Believed, FrontProxy};
pub use oidc::{ClaimMapping, IssuerSettings, Issuers, RequiredClaim, Trusted, UnusableAuthority};
pub use token_review::TokenReviews;

/// How a server finds out who makes a request.
#[derive(Default)]
pub struct Authentication {
    /// Whether the API server may say it, where it hands on a request as it does for its extensions.
    pub api_server: Option<FrontProxy>,
    /// Whether a proxy in front may say it.
    pub front_proxy: Option<FrontProxy>,
    /// Whether the tokens of issuers count.
    pub oidc: Option<Issuers>,
    /// Whether the API server is asked whose a token is.
    pub token_review: Option<TokenReviews>,
}

/// How often it was known from before whose a token is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUses {
    /// Of the tokens of issuers.
    pub oidc: Uses,
    /// Of those that the API server reviews.
    pub token_review: Uses,
}

/// Why it is not known who makes a request. In words for whoever makes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// It has no token.
    #[error("this server wants to know who calls: send a token in the header Authorization, behind the word Bearer")]
    NoToken,
    /// It is for the API server to hand on, and does not come from it.
    #[error("this address is for the API server to ask: send the request to the API server instead, with your kubeconfig")]
    NotHandedOn,
    /// There is no other way in than through a proxy.
    #[error("this server wants to know who calls, and believes a proxy or the API server in front of it alone: ask through that")]
    NoProxy,
    /// It has something else in the place of one token.
    #[error("the header Authorization {0}")]
    Malformed(&'static str),
    /// It says who makes it in a header that is a proxy's, and does not come from one.
    #[error("the header {0} is for a front proxy alone, and this request does not come from one")]
    Claimed(String),
    /// The headers of a proxy name nobody.
    #[error("the X-Remote- headers of the front proxy name nobody: {0}")]
    OfProxy(String),
    /// The token is nobody's, or not for this server.
    #[error("the token is not accepted: {0}")]
    Refused(String),
    /// It cannot be found out now.
    #[error("whose token this is cannot be found out now: {0}; try again in a moment")]
    Unavailable(String),
}

impl Authentication {
    /// Who makes a request with these headers, over a connection with that certificate.
    pub async fn identify(&self, headers: &HeaderMap, certificate: Option<&ClientCertificate>) -> Result<Identity, Unidentified> {
        let Self { api_server, front_proxy, oidc, token_review } = self;
        if api_server.is_none() && front_proxy.is_none() && oidc.is_none() && token_review.is_none() {
            front_proxy::warn_of_claims(headers);
            return Ok(Identity::Anonymous);
        }
        if let Some(user) = front_proxy::user_of(front_proxy.as_ref(), headers, certificate)? {
            return Ok(Identity::User(user, Proof::FrontProxy));
        }
        if oidc.is_none() && token_review.is_none() {
            return Err(Unidentified::NoProxy);
        }
        let token = bearer::token(headers)?.ok_or(Unidentified::NoToken)?;
        // A token is for whom it names, and nobody else is asked then: what one refuses, another must not take.
        let foreign = match oidc {
            None => None,
            Some(issuers) => match issuers.user_of(token).await {
                Ok(Known { user, issuer }) => return Ok(Identity::User(user, Proof::Oidc(issuer))),
                Err(Unknown::Ours(error)) => return Err(error),
                Err(Unknown::Foreign(reason)) => Some(reason),
            },
        };
        let Some(reviews) = token_review else { return Err(Unidentified::Refused(foreign.unwrap_or_default())) };
        match (reviews.user_of(token).await, foreign) {
            (Ok(user), _) => Ok(Identity::User(user, Proof::TokenReview)),
            // Which of the two it was meant for only its sender knows.
            (Err(Unidentified::Refused(words)), Some(reason)) => Err(Unidentified::Refused(format!("{words}; and {reason}"))),
            (Err(error), _) => Err(error),
        }
    }

    /// How often it was known from before whose a token is.
    pub fn token_uses(&self) -> TokenUses {
        TokenUses {
            oidc: self.oidc.as_ref().map(Issuers::uses).unwrap_or_default(),
            token_review: self.token_review.as_ref().map(TokenReviews::uses).unwrap_or_default(),
        }
    }

    /// One readiness check per OIDC issuer: `Ok`/`Err` with a line of text.
    pub fn checks(&self) -> Vec<Result<String, String>> {
        self.oidc.as_ref().map(Issuers::checks).unwrap_or_default()
    }

    /// Who makes a request that only the API server may hand on, because it is what has asked whether they may make it.
    pub fn identify_behind_api_server(
        &self,
        headers: &HeaderMap,
        certificate: Option<&ClientCertificate>,
    ) -> Result<Identity, Unidentified> {
        let user = front_proxy::user_of(self.api_server.as_ref(), headers, certificate)?;
        user.map(|user| Identity::User(user, Proof::ApiServer)).ok_or(Unidentified::NotHandedOn)
    }
}
