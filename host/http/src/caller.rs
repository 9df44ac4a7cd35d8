//! Who makes a request: the one place where an identity enters. What is found here goes on to the catalog with the call.

use http::{HeaderMap, StatusCode};
use sandbar_identity::{Authentication, Unidentified};
use sandbar_policy::Caller;

use super::peer::Peer;
use super::rejection::{Challenge, Rejection};

/// The caller of a request. It depends on what the request and its connection prove by themselves, never on its session.
pub(super) async fn of(authentication: &Authentication, headers: &HeaderMap, peer: &Peer) -> Result<Caller, Rejection> {
    authentication.identify(headers, peer.certificate.as_deref()).await.map(Caller::new).map_err(refused)
}

/// The caller of a request that the API server has handed on.
pub(super) fn behind_api_server(authentication: &Authentication, headers: &HeaderMap, peer: &Peer) -> Result<Caller, Rejection> {
    authentication.identify_behind_api_server(headers, peer.certificate.as_deref()).map(Caller::new).map_err(refused)
}

fn refused(reason: Unidentified) -> Rejection {
    let words = reason.to_string();
    match reason {
        // Without an authorization server there are no parameters: clients drop a token that they were given, once they read of one.
        Unidentified::NoToken => Rejection::unauthorized(Challenge::new(), words),
        Unidentified::Malformed(_) => {
            Rejection { status: StatusCode::BAD_REQUEST, ..Rejection::unauthorized(challenge("invalid_request", &words), words) }
        }
        Unidentified::NoProxy | Unidentified::NotHandedOn | Unidentified::Claimed(_) | Unidentified::OfProxy(_) => {
            Rejection::of_http(StatusCode::FORBIDDEN, words).of_stranger()
        }
        Unidentified::Refused(_) => {
            tracing::warn!(reason = words, "a request was refused");
            Rejection::unauthorized(challenge("invalid_token", &words), words)
        }
        Unidentified::Unavailable(_) => Rejection::not_now(words),
    }
}

/// A challenge with an error of RFC 6750.
fn challenge(error: &str, words: &str) -> Challenge {
    vec![("error", error.to_owned()), ("error_description", words.to_owned())]
}
