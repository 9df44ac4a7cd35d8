//! Tokens of OpenID Connect issuers, verified here: by the keys that each issuer publishes, and by the rules of the API server's own
//! AuthenticationConfiguration.
//!
//! `token` takes a token apart and says whether a key has signed it; `key` reads an issuer's keys, which `published` fetches and follows, from
//! a server that is `trusted`; and `mapping` makes a user of claims. What a token says of keys (`jku`, `jwk`, `x5u`) is not looked at.

pub(super) mod key;
mod mapping;
mod published;
pub(super) mod token;
mod trusted;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sandbar_policy::User;
use sandbar_verdicts::{Digest, Uses, Verdicts};

pub use self::mapping::{ClaimMapping, RequiredClaim};
use self::published::{Looked, Published, documents};
use self::token::{NotSigned, Token};
pub use self::trusted::{Trusted, UnusableAuthority};
use super::Unidentified;
use super::bearer::listed;

/// How long it is remembered whose a token is, if it is valid for that long. A key that an issuer takes back counts for so long in tokens
/// that were seen before.
const KNOWN_FOR: Duration = Duration::from_secs(60);

/// Bytes of all that is remembered.
const REMEMBERED_BYTES: usize = 16 * 1024 * 1024;

/// For how long a token may be not valid yet, as at the API server: clocks differ. Its end has no such time there, and none here.
const NOT_BEFORE_LEEWAY: Duration = Duration::from_secs(60);

/// What Google has written in its tokens, and what it means by it. The API server knows the same exception.
const GOOGLE: (&str, &str) = ("accounts.google.com", "https://accounts.google.com");

/// An issuer, as it is configured: by the rules of Kubernetes' `jwt` entries.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// What its tokens have as `iss`, and where its discovery document is.
    pub url: Arc<str>,
    /// Where that document is instead.
    pub discovery_url: Option<String>,
    /// A token has to be for one of these.
    pub audiences: Vec<String>,
    /// Whose certificate the issuer has.
    pub trusted: Trusted,
    /// The name of a user.
    pub username: ClaimMapping,
    /// The groups of a user.
    pub groups: Option<ClaimMapping>,
    /// The claim that is the uid of a user.
    pub uid: Option<String>,
    /// What claims have to be.
    pub required: Vec<RequiredClaim>,
}

/// The issuers whose tokens count.
pub struct Issuers {
    issuers: Vec<Issuer>,
    known: Verdicts<Known>,
}

/// An issuer and its keys.
struct Issuer {
    settings: IssuerSettings,
    published: Published,
}

/// An authenticated user, and the issuer of the token.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) user: Arc<User>,
    pub(super) issuer: Arc<str>,
}

/// Why a token is nobody's here.
#[derive(Clone, Debug)]
pub(super) enum Unknown {
    /// It names no issuer that is known here, so that others may know it.
    Foreign(String),
    /// It names one of them, and is not accepted.
    Ours(Unidentified),
}

impl Issuers {
    /// For the tokens of these issuers, whose keys are fetched from now on. Must be called on a tokio runtime.
    pub fn start(issuers: Vec<IssuerSettings>) -> Self {
        Self::with(issuers, |settings| Published::follow(settings, documents(settings.trusted.clone())))
    }

    fn with(issuers: Vec<IssuerSettings>, publish: impl Fn(&IssuerSettings) -> Published) -> Self {
        let issuer = |settings: IssuerSettings| Issuer { published: publish(&settings), settings };
        let bytes = |known: &Known| known.user.bytes();
        Self { issuers: issuers.into_iter().map(issuer).collect(), known: Verdicts::new(REMEMBERED_BYTES, bytes) }
    }

    /// How each issuer is: whether its keys are there and of when, in words of one line.
    pub fn checks(&self) -> Vec<Result<String, String>> {
        self.issuers.iter().map(|issuer| issuer.published.now().check(&issuer.settings.url)).collect()
    }

    /// How often it was known from before whose a token is.
    pub(super) fn uses(&self) -> Uses {
        self.known.uses()
    }

    /// The URLs of the issuers.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.issuers.iter().map(|issuer| &*issuer.settings.url)
    }

    /// Whose a token is.
    pub(super) async fn user_of(&self, token: &str) -> Result<Known, Unknown> {
        let digest = Digest::of(token);
        if let Some(known) = self.known.get(digest) {
            return Ok(known);
        }
        // What names one of these is theirs to take or to refuse, however odd it is beside that: nobody else is asked about it.
        let named = token::issuers(token).map_err(Unknown::Foreign)?;
        let issuer = self.issuers.iter().find(|issuer| named.iter().any(|named| issuer.is_called(named))).ok_or_else(|| {
            let ours: Vec<String> = self.urls().map(str::to_owned).collect();
            Unknown::Foreign(format!(
                "it is from the issuer {}, and this server takes those of {}",
                listed(&named),
                listed(&ours)
            ))
        })?;
        let token = Token::of(token).map_err(|why| Unknown::Ours(Unidentified::Refused(why)))?;
        self.known.get_or_find(digest, issuer.verify(&token)).await.map_err(Unknown::Ours)
    }
}

impl Issuer {
    /// Whether tokens that name this issuer are its own.
    fn is_called(&self, named: &str) -> bool {
        *self.settings.url == *(if named == GOOGLE.0 { GOOGLE.1 } else { named })
    }

    /// Whose a token of this issuer is, and for how long that is remembered.
    async fn verify(&self, token: &Token<'_>) -> Result<(Known, Duration), Unidentified> {
        let refused = |reason: String| Unidentified::Refused(reason);
        match self.signed(token, &self.published.now()) {
            Ok(()) => {}
            // A key that is not known may be a new one.
            Err(NotSigned::ByKnown) => {
                let looked = self.published.look().await;
                self.signed(token, &looked).map_err(|_| match looked {
                    Looked { keys: Some(_), trouble: None, .. } => {
                        refused(format!("no key that {} publishes has signed it", self.settings.url))
                    }
                    _ => Unidentified::Unavailable(format!("the keys of {} cannot be fetched", self.settings.url)),
                })?;
            }
            Err(NotSigned::Ever(reason)) => return Err(refused(reason)),
        }
        let valid_for = self.valid_for(token, SystemTime::now()).map_err(refused)?;
        let user = mapping::user(&self.settings, token.claims()).map_err(refused)?;
        Ok((Known { user: Arc::new(user), issuer: self.settings.url.clone() }, valid_for.min(KNOWN_FOR)))
    }

    fn signed(&self, token: &Token<'_>, looked: &Looked) -> Result<(), NotSigned> {
        token.verify(looked.keys.as_deref().unwrap_or_default())
    }

    /// How long a token that is signed is valid for this server.
    fn valid_for(&self, token: &Token<'_>, now: SystemTime) -> Result<Duration, String> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let expires = token.expires().ok_or("it does not say when it ends (`exp`)")?;
        let left = expires.checked_sub(now).filter(|left| !left.is_zero());
        let left = left.ok_or_else(|| format!("it has expired {} s ago", now.saturating_sub(expires).as_secs()))?;
        if let Some(begins) = token.not_before()?
            && begins > now + NOT_BEFORE_LEEWAY
        {
            return Err(format!("it is not valid before {} s from now (`nbf`)", (begins - now).as_secs()));
        }
        let audiences = token.audiences()?;
        if !audiences.iter().any(|audience| self.settings.audiences.contains(audience)) {
            let ours = listed(&self.settings.audiences);
            return Err(match audiences.is_empty() {
                true => format!("it is for no audience, and this server takes those for {ours}"),
                false => format!("it is for the audience {}, and this server takes those for {ours}", listed(&audiences)),
            });
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests;
