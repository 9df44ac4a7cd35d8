//! Who makes a request: found out from what the request itself proves, and from nothing else.
//!
//! `bearer` takes the token out of a request; `token_review` has the API server say whose it is. What is refused, or cannot be found out
//! now, is nobody's: a request without an identity is not served.

mod bearer;
mod token_review;

use http::HeaderMap;
use sandbar_policy::{Identity, Proof};

pub use token_review::TokenReviews;

/// How a server finds out who makes a request.
#[derive(Default)]
pub struct Authentication {
    /// None: nobody is asked who they are.
    pub token_review: Option<TokenReviews>,
}

/// Why it is not known who makes a request. In words for whoever makes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// It has no token.
    #[error("this server wants to know who calls: send a token, as `Authorization: Bearer TOKEN`")]
    NoToken,
    /// It has something else in the place of one token.
    #[error("the header Authorization {0}")]
    Malformed(&'static str),
    /// The token is nobody's, or not for this server.
    #[error("the token is not accepted: {0}")]
    Refused(String),
    /// It cannot be found out now.
    #[error("whose token this is cannot be found out now: {0}; try again in a moment")]
    Unavailable(String),
}

impl Authentication {
    /// Whether requests have to prove who makes them.
    pub fn is_required(&self) -> bool {
        self.token_review.is_some()
    }

    /// Who makes a request with these headers.
    pub async fn identify(&self, headers: &HeaderMap) -> Result<Identity, Unidentified> {
        let Some(reviews) = &self.token_review else { return Ok(Identity::Anonymous) };
        let token = bearer::token(headers)?.ok_or(Unidentified::NoToken)?;
        Ok(Identity::User(reviews.user_of(token).await?, Proof::TokenReview))
    }
}
