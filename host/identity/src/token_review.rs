//! Tokens that the API server reviews: those of ServiceAccounts, for an audience of this server's own.
//!
//! A review is remembered for some seconds, by a digest of the token, so that a model that calls ten times in a breath asks once. That
//! bounds for how long a token counts that was taken back. What cannot be reviewed is refused.

use std::sync::Arc;
use std::time::Duration;

use sandbar_kubernetes::{Cluster, Error, Reviewed};
use sandbar_policy::{Account, User};
use sandbar_processor::{FairSemaphore, Share};
use sandbar_verdicts::{Digest, Uses, Verdicts};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::Unidentified;
use super::bearer::{Claims, listed};

/// How long it is remembered whose a token is.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// The same of a token that is nobody's: a ServiceAccount that is made a moment after its first call should not wait for long.
const UNKNOWN_FOR: Duration = Duration::from_secs(2);

/// Bytes of all that is remembered.
const REMEMBERED_BYTES: usize = 16 * 1024 * 1024;

/// How long a review may take, a wait for its turn included.
const REVIEW_TIME: Duration = Duration::from_secs(5);

/// Reviews at once: as many as an API server answers beside its work. Whoever sends made-up tokens costs it no more than that.
const AT_ONCE: usize = 16;

/// Reviews that wait for their turn: more than the API server answers in the time that each has.
const WAITING: usize = 4096;

/// How long it is remembered that a token was somebody's. Its next review is then in line with those of its user; all tokens that nothing is
/// known of stand in one line, and so does whatever is made up.
const ACQUAINTED_FOR: Duration = Duration::from_secs(3600);

/// Bytes of what is remembered of that: some 10,000 tokens.
const ACQUAINTED_BYTES: usize = 4 * 1024 * 1024;

/// Whose a token is, or why it is nobody's.
type Verdict = Result<Arc<User>, Arc<str>>;

/// Has tokens reviewed by the API server.
pub struct TokenReviews {
    cluster: Cluster,
    audiences: Vec<String>,
    verdicts: Verdicts<Verdict>,
    turns: FairSemaphore,
    acquainted: Verdicts<Account>,
    /// Set once it is known whether one of the audiences is the API server's own.
    own: OnceCell<Option<String>>,
}

impl TokenReviews {
    /// For tokens with one of these audiences.
    pub fn new(cluster: Cluster, audiences: Vec<String>) -> Self {
        let verdicts = Verdicts::new(REMEMBERED_BYTES, |verdict: &Verdict| {
            verdict.as_ref().map_or_else(|reason| reason.len(), |user| user.bytes())
        });
        let acquainted = Verdicts::new(ACQUAINTED_BYTES, |account: &Account| match account {
            Account::User(name) => name.len(),
            Account::Anonymous | Account::Operator => 0,
        });
        let turns = FairSemaphore::new(Share::All, AT_ONCE, WAITING);
        Self { cluster, audiences, verdicts, turns, acquainted, own: OnceCell::new() }
    }

    /// How often it was known from before whose a token is.
    pub(super) fn uses(&self) -> Uses {
        self.verdicts.uses()
    }

    /// Which of the audiences is the API server's own, if one is. Then no token is accepted: each pod has one that fits.
    pub async fn own_audience(&self) -> Result<Option<&str>, Error> {
        let found = self.own.get_or_try_init(|| self.cluster.own_audience(&self.audiences, REVIEW_TIME)).await?;
        Ok(found.as_deref())
    }

    /// Whose a token is.
    pub(super) async fn user_of(&self, token: &str) -> Result<Arc<User>, Unidentified> {
        let digest = Digest::of(token);
        let verdict = match self.verdicts.get(digest) {
            Some(verdict) => verdict,
            None => {
                // In a box: it is seldom found out, and every request would carry the room for it.
                let reviewing = Box::pin(self.verdicts.get_or_find(digest, self.review(digest, token)));
                let late = |_late| Unidentified::Unavailable(format!("no answer within {} s", REVIEW_TIME.as_secs()));
                timeout(REVIEW_TIME, reviewing).await.map_err(late)??
            }
        };
        verdict.map_err(|reason| Unidentified::Refused(reason.to_string()))
    }

    async fn review(&self, digest: Digest, token: &str) -> Result<(Verdict, Duration), Unidentified> {
        let unavailable = |error: Error| {
            tracing::warn!(%error, "a token cannot be reviewed");
            Unidentified::Unavailable("the API server does not review it".to_owned())
        };
        // The token of a ServiceAccount says for whom it is. Whatever else somebody makes up costs the API server nothing.
        let claims = Claims::of(token).ok_or_else(|| Unidentified::Refused("it is no ServiceAccount's token".to_owned()))?;
        if let Some(reason) = self.is_for_others(&claims) {
            return Err(Unidentified::Refused(reason));
        }
        let account = self.acquainted.get(digest).unwrap_or(Account::Anonymous);
        let busy = |_no_room| Unidentified::Unavailable("too many tokens wait for their review".to_owned());
        let _turn = self.turns.acquire(&account).await.map_err(busy)?;
        if let Some(own) = self.own_audience().await.map_err(unavailable)? {
            tracing::error!(
                audience = own,
                "no token is accepted: the audience is that of the API server, for which every pod has one"
            );
            return Err(Unidentified::Unavailable("this server is not set up for it".to_owned()));
        }
        let reviewed = self.cluster.review_token(token, &self.audiences, REVIEW_TIME).await.map_err(unavailable)?;
        Ok(match reviewed {
            Reviewed::Known(user) => {
                self.acquainted.insert(digest, Account::User(user.name.clone()), ACQUAINTED_FOR);
                let good_for = claims.valid_for().map_or(KNOWN_FOR, |valid| valid.min(KNOWN_FOR));
                (Ok(Arc::new(user)), good_for)
            }
            Reviewed::Unknown(reason) => (Err(reason.into()), UNKNOWN_FOR),
        })
    }

    /// Why a token need not be reviewed: it says itself that it is for others.
    fn is_for_others(&self, claims: &Claims) -> Option<String> {
        let its = claims.audiences.as_slice();
        if its.iter().any(|audience| self.audiences.contains(audience)) {
            return None;
        }
        let wanted = self.audiences.first().map_or("", String::as_str);
        Some(format!(
            "it is for the audience {}, and this server takes those for {}; `kubectl create token SERVICEACCOUNT --audience {wanted}` makes one",
            listed(its),
            listed(&self.audiences),
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use kube::client::Body;
    use serde_json::{Value, json};
    use tokio::sync::{Notify, Semaphore};

    use super::*;

    /// Reviews by an API server with this answer, and how often it was asked for one.
    fn reviews<A>(answer: impl Fn(usize) -> A + Clone + Send + Sync + 'static) -> (Arc<TokenReviews>, Arc<AtomicUsize>)
    where
        A: Future<Output = Value> + Send,
    {
        let asked = Arc::new(AtomicUsize::new(0));
        let counting = asked.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (counting, answer) = (counting.clone(), answer.clone());
            async move {
                let body = if request.uri().path().ends_with("/tokenreviews") {
                    answer(counting.fetch_add(1, Ordering::Relaxed)).await.to_string()
                } else {
                    json!({ "issuer": "https://issuer" }).to_string()
                };
                Ok::<_, Infallible>(http::Response::new(http_body(body)))
            }
        });
        let cluster = Cluster::from_client(kube::Client::new(service, "default"));
        (Arc::new(TokenReviews::new(cluster, vec!["sandbar".to_owned()])), asked)
    }

    fn http_body(text: String) -> Body {
        Body::from(Bytes::from(text))
    }

    fn known(name: &str) -> Value {
        json!({ "status": { "authenticated": true, "audiences": ["sandbar"], "user": { "username": name } } })
    }

    fn ours(subject: &str) -> String {
        token(json!({ "aud": ["sandbar"], "sub": subject }))
    }

    fn token(claims: Value) -> String {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    #[tokio::test]
    async fn many_requests_at_once_are_one_review() {
        let gate = Arc::new(Notify::new());
        let waiting = gate.clone();
        let (reviews, asked) = reviews(move |_| {
            let gate = waiting.clone();
            async move {
                gate.notified().await;
                known("ann")
            }
        });
        let calls: Vec<_> = (0..20)
            .map(|_| {
                tokio::spawn({
                    let reviews = reviews.clone();
                    async move { reviews.user_of(&ours("t")).await }
                })
            })
            .collect();
        while asked.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        gate.notify_one();
        for call in calls {
            assert_eq!(&*call.await.expect("no panic").expect("known").name, "ann");
        }
        reviews.user_of(&ours("t")).await.expect("known");
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn each_token_has_its_own_user() {
        let (reviews, _) = reviews(|number| async move { known(&format!("user-{number}")) });
        let of = async |token| reviews.user_of(&ours(token)).await.expect("known").name.clone();
        assert_eq!((&*of("a").await, &*of("b").await, &*of("a").await), ("user-0", "user-1", "user-0"));
    }

    #[tokio::test]
    async fn a_token_for_others_is_not_reviewed() {
        let (reviews, asked) = reviews(|_| async { known("ann") });
        let error = reviews.user_of(&token(json!({ "aud": ["https://kubernetes.default.svc"] }))).await.expect_err("refused");
        let words = error.to_string();
        assert!(words.contains("`https://kubernetes.default.svc`") && words.contains("--audience sandbar"), "{words}");
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        for made_up in ["admin-token".to_owned(), token(json!({})), token(json!({ "aud": [] })), "a.b.c".to_owned()] {
            assert!(matches!(reviews.user_of(&made_up).await, Err(Unidentified::Refused(_))), "{made_up}");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        reviews.user_of(&token(json!({ "aud": ["x", "sandbar"] }))).await.expect("for us, too");
    }

    #[tokio::test]
    async fn what_cannot_be_reviewed_is_refused_and_not_remembered() {
        let (reviews, _) = reviews(|number| async move { if number < 2 { json!([]) } else { known("ann") } });
        for _ in 0..2 {
            assert!(matches!(reviews.user_of(&ours("t")).await, Err(Unidentified::Unavailable(_))));
        }
        assert!(reviews.user_of(&ours("t")).await.is_ok());
    }

    #[tokio::test]
    async fn a_token_counts_no_longer_than_it_is_valid() {
        let (reviews, asked) = reviews(|_| async { known("ann") });
        let expired = token(json!({ "aud": "sandbar", "exp": 1 }));
        for _ in 0..2 {
            reviews.user_of(&expired).await.expect("the API server says so");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn with_the_api_servers_own_audience_nobody_is_known() {
        let (reviews, _) = reviews(|_| async { known("ann") });
        let cluster = reviews.cluster.clone();
        let reviews = TokenReviews::new(cluster, vec!["sandbar".to_owned(), "https://issuer".to_owned()]);
        assert_eq!(reviews.own_audience().await.expect("an answer"), Some("https://issuer"));
        assert!(matches!(reviews.user_of(&ours("t")).await, Err(Unidentified::Unavailable(_))));
    }

    #[tokio::test]
    async fn tokens_that_nothing_is_known_of_do_not_keep_those_waiting_that_are_known() {
        let gate = Arc::new(Semaphore::new(1));
        let closed = gate.clone();
        let (reviews, asked) = reviews(move |_| {
            let gate = closed.clone();
            async move {
                gate.acquire().await.expect("it is never closed").forget();
                known("ann")
            }
        });
        let ask = |token: String| {
            let reviews = reviews.clone();
            tokio::spawn(async move { reviews.user_of(&token).await })
        };
        let waiting = async |count| {
            while reviews.turns.waiting() < count {
                tokio::task::yield_now().await;
            }
        };
        // It is over already, so each use has it reviewed anew.
        let known = token(json!({ "aud": ["sandbar"], "exp": 1 }));
        ask(known.clone()).await.expect("no panic").expect("known");
        let flood: Vec<_> = (0..20 * AT_ONCE).map(|number| ask(ours(&number.to_string()))).collect();
        waiting(19 * AT_ONCE).await;
        let again = ask(known);
        waiting(19 * AT_ONCE + 1).await;
        gate.add_permits(21 * AT_ONCE);
        again.await.expect("no panic").expect("known");
        let before = asked.load(Ordering::Relaxed);
        assert!(before < 5 * AT_ONCE, "{before} were asked about before");
        for asking in flood {
            asking.await.expect("no panic").expect("known");
        }
    }
}
