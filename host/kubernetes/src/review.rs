//! Whose token that is, which only the API server can say.

use std::collections::HashSet;
use std::time::Duration;

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use sandbar_policy::User;
use sandbar_secrets::quotable;
use sandbar_text::beginning;
use serde::Deserialize;

use super::error::Error;
use super::exchange::{ApiServer, Failure};
use super::request::ApiRequest;
use super::response::json;

/// Bytes of a review that is answered: it repeats the token, and has the user's groups.
const ANSWER_MAX: usize = 512 * 1024;

/// Bytes of a token's part that tell something of it: fewer are in any text.
const TELLING: usize = 12;

/// Bytes of the API server's reason.
const REASON_BYTES: usize = 512;

/// Bytes of the document that names the issuer.
const ISSUER_DOCUMENT_MAX: usize = 64 * 1024;

/// What the API server says of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// Whose it is.
    Known(User),
    /// It is nobody's, or not for these audiences: why.
    Unknown(String),
}

/// Has a token reviewed that has to be for one of the audiences.
pub(super) async fn token(api: &ApiServer, token: &str, audiences: &[String], time: Duration) -> Result<Reviewed, Error> {
    let spec = TokenReviewSpec { audiences: Some(audiences.to_vec()), token: token.to_owned() };
    let request = ApiRequest::token_review(&TokenReview { spec, ..TokenReview::default() });
    let without_token = |error: Error| Error { message: without(token, &error.message), ..error };
    let answer = api.read_outside_calls(&request, time, ANSWER_MAX, "this review").await;
    let review: TokenReview = json(&answer.map_err(|failure| without_token(failure.into()))?)?;
    let status = review.status.unwrap_or_default();
    if !status.authenticated.unwrap_or(false) {
        let reason = status.error.filter(|reason| !reason.is_empty()).unwrap_or_else(|| "it is nobody's".to_owned());
        let (reason, _) = beginning(&reason, 4 * REASON_BYTES);
        return Ok(Reviewed::Unknown(quotable(without(token, &reason), REASON_BYTES)));
    }
    // An authenticator that knows nothing of audiences leaves them out: then the token is one for the API server itself.
    if !status.audiences.iter().flatten().any(|audience| audiences.contains(audience)) {
        return Ok(Reviewed::Unknown("it is for another audience".to_owned()));
    }
    Ok(match user(status.user.unwrap_or_default()).checked() {
        Ok(user) => Reviewed::Known(user),
        Err(error) => Reviewed::Unknown(error.to_string()),
    })
}

/// A text without any part of a token that tells something of it. An authenticator may quote it cut, or its signature alone.
fn without(token: &str, text: &str) -> String {
    let parts: HashSet<&[u8]> = token.as_bytes().windows(TELLING).collect();
    let (mut cleaned, mut shown) = (String::new(), 0);
    for (at, part) in text.as_bytes().windows(TELLING).enumerate() {
        if parts.contains(part) {
            // Tokens are ASCII, so both ends are between letters.
            if at > shown || cleaned.is_empty() {
                cleaned.push_str(text.get(shown..at).unwrap_or_default());
                cleaned.push_str("[the token]");
            }
            shown = at + TELLING;
        }
    }
    cleaned.push_str(text.get(shown..).unwrap_or_default());
    cleaned
}

pub(super) fn user(UserInfo { username, uid, groups, extra }: UserInfo) -> User {
    User {
        name: username.unwrap_or_default().into(),
        uid: uid.filter(|uid| !uid.is_empty()),
        groups: groups.unwrap_or_default(),
        extra: extra.unwrap_or_default(),
    }
}

/// Which of the audiences is the API server's own, if one is known to be: that of the token that this process has for it, or the name of its
/// issuer, which is the default.
pub(super) async fn own_audience(api: &ApiServer, audiences: &[String], time: Duration) -> Result<Option<String>, Error> {
    if let Some(issuer) = issuer(api, time).await?
        && audiences.contains(&issuer)
    {
        return Ok(Some(issuer));
    }
    let Some(own) = api.bearer(time).await? else { return Ok(None) };
    for audience in audiences {
        if let Reviewed::Known(_) = token(api, &own, std::slice::from_ref(audience), time).await? {
            return Ok(Some(audience.clone()));
        }
    }
    Ok(None)
}

/// The issuer of ServiceAccount tokens; none where the API server does not tell.
pub(super) async fn issuer(api: &ApiServer, time: Duration) -> Result<Option<String>, Error> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
    }
    let request = ApiRequest::fixed("/.well-known/openid-configuration");
    match api.read_outside_calls(&request, time, ISSUER_DOCUMENT_MAX, "the document that names the issuer").await {
        Ok(document) => Ok(serde_json::from_slice(&document).ok().map(|Document { issuer }| issuer)),
        // Not everybody may ask, and there need not be one.
        Err(Failure::Refused(refusal)) if refusal.status.is_client_error() => Ok(None),
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error::Code;
    use crate::testing::{FakeAnswer, cluster};

    const TOKEN: &str = "sesame-of-a-kind";

    async fn review(status: Value) -> Result<Reviewed, Error> {
        let (cluster, _) = cluster(move |_, _| FakeAnswer::json(json!({ "spec": { "token": TOKEN }, "status": status })));
        cluster.review_token(TOKEN, &["sandbar".to_owned(), "other".to_owned()], Duration::from_secs(5)).await
    }

    #[tokio::test]
    async fn a_known_token_has_a_user() {
        let user = json!({ "username": "system:serviceaccount:a:b", "uid": "1", "groups": ["x", "y"], "extra": { "k": ["v"] } });
        let reviewed = review(json!({ "authenticated": true, "audiences": ["sandbar"], "user": user })).await;
        let Ok(Reviewed::Known(user)) = reviewed else { panic!("{reviewed:?}") };
        assert_eq!((&*user.name, user.uid.as_deref()), ("system:serviceaccount:a:b", Some("1")));
        assert_eq!((user.groups, user.extra["k"].clone()), (vec!["x".to_owned(), "y".to_owned()], vec!["v".to_owned()]));
    }

    #[tokio::test]
    async fn whoever_is_not_known_for_one_of_the_audiences_is_nobody() {
        let user = json!({ "username": "u" });
        let many: Vec<String> = (0..10_000).map(|number| format!("group-{number}")).collect();
        for (status, why) in [
            (json!({}), "it is nobody's"),
            (json!({ "user": user, "audiences": ["sandbar"] }), "it is nobody's"),
            (json!({ "authenticated": false, "error": "expired\n: sesame-of-a-kind" }), "expired : [the token]"),
            (json!({ "error": "é: esame-of-a-kind, and kin" }), "é: [the token], and kin"),
            (json!({ "authenticated": true, "user": user }), "another audience"),
            (json!({ "authenticated": true, "user": user, "audiences": [] }), "another audience"),
            (json!({ "authenticated": true, "user": user, "audiences": ["kubernetes"] }), "another audience"),
            (json!({ "authenticated": true, "audiences": ["other"] }), "no name"),
            (json!({ "authenticated": true, "audiences": ["other"], "user": { "username": "u", "groups": many } }), "the most"),
        ] {
            let reviewed = review(status.clone()).await;
            assert!(matches!(&reviewed, Ok(Reviewed::Unknown(reason)) if reason.contains(why)), "{status}: {reviewed:?}");
        }
    }

    #[tokio::test]
    async fn an_error_repeats_no_token() {
        let (cluster, seen) =
            cluster(|_, _| FakeAnswer::status(422, "Invalid", "spec.token: Invalid value: \"sesame-of-a-kind\"", json!({})));
        let error = cluster.review_token(TOKEN, &["sandbar".to_owned()], Duration::from_secs(5)).await.expect_err("refused");
        assert!(!error.message.contains(TOKEN), "{error}");
        assert_eq!(seen.all(), ["/apis/authentication.k8s.io/v1/tokenreviews"]);
    }

    #[tokio::test]
    async fn the_audience_of_the_api_server_is_found() {
        for (answer, own) in [
            (FakeAnswer::json as fn(Value) -> FakeAnswer, Some("https://issuer")),
            (|_| FakeAnswer::with_status(403, ""), None),
            (|_| FakeAnswer::with_status(404, ""), None),
        ] {
            let (cluster, _) = cluster(move |_, _| answer(json!({ "issuer": "https://issuer" })));
            let audiences = ["sandbar".to_owned(), "https://issuer".to_owned()];
            let found = cluster.own_audience(&audiences, Duration::from_secs(5)).await.expect("an answer");
            assert_eq!(found.as_deref(), own);
        }
        let (cluster, _) = cluster(|_, _| FakeAnswer::with_status(503, ""));
        let error = cluster.own_audience(&["sandbar".to_owned()], Duration::from_secs(5)).await.expect_err("no answer");
        assert_eq!(error.code, Code::Unavailable);
    }
}
