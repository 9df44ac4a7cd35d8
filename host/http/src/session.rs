//! Legacy sessions without a store: the id carries what there is to know about a session, so that any replica and any restarted
//! process serves it. It grants nothing, and is of no use to anybody but the caller who began the session; it is signed so that a
//! foreign id is told apart.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sandbar_catalog::ListDigest;
use sandbar_policy::Account;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Random bytes of an id: enough that no two are ever alike, and that nobody guesses another's.
const NONCE_BYTES: usize = 16;

/// What all replicas of a Deployment share without asking each other, as the kubelet mounts it.
const SHARED_FILES: [&str; 2] =
    ["/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", "/var/run/secrets/kubernetes.io/serviceaccount/namespace"];

/// A key that ids are signed with: a signature that has read nothing but the key.
#[derive(Clone)]
pub struct SessionKey(Hmac<Sha256>);

/// The keys of sessions. The first signs, and an id that any of them has signed opens, so that a key can be changed while sessions go on.
/// An id of somebody else costs one look with each, so whoever makes them bounds their number.
#[derive(Clone)]
pub struct SessionKeys {
    first: SessionKey,
    others: Vec<SessionKey>,
}

/// What an id says about its session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// The protocol version that was negotiated.
    #[serde(rename = "v")]
    pub(super) version: String,
    /// The client's name and version, for the audit trail.
    #[serde(rename = "c")]
    pub(super) client: String,
    /// The lists at that time; empty in ids of older servers.
    #[serde(rename = "t", default)]
    pub(super) lists: ListDigest,
    /// What makes two sessions of one client two: calls are cancelled, and streams superseded, by the id.
    #[serde(rename = "n", default)]
    nonce: String,
    /// A digest of the caller who began it; empty where nobody is authenticated.
    #[serde(rename = "o", default, skip_serializing_if = "String::is_empty")]
    owner: String,
}

impl Session {
    /// A session as `initialize` has negotiated it. None where the system has no random bytes to tell it from others.
    pub(super) fn new(version: String, client: String, lists: ListDigest, owner: &Account) -> Option<Self> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).inspect_err(|error| tracing::error!(%error, "a session has no id: no random bytes")).ok()?;
        Some(Self { version, client, lists, nonce: URL_SAFE_NO_PAD.encode(nonce), owner: digest(owner) })
    }
}

/// What an id holds of its owner. Half of a SHA-256 is as unlikely to be met by another name.
fn digest(owner: &Account) -> String {
    match owner {
        Account::Anonymous | Account::Operator => String::new(),
        Account::User(name) => URL_SAFE_NO_PAD.encode(&Sha256::digest(name.as_bytes())[..16]),
    }
}

impl SessionKey {
    /// A key from any secret text.
    pub fn from_secret(secret: &[u8]) -> Self {
        let key = Sha256::new().chain_update(b"sandbar session key\0").chain_update(secret).finalize();
        Self(Mac::new_from_slice(&key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length")))
    }

    /// The key that all replicas derive by themselves: from the cluster's CA and the namespace inside a cluster, else from
    /// `fallback`, which names what the server looks into. A rollout changes neither.
    pub fn derived(fallback: &str) -> Self {
        let shared: Vec<u8> = SHARED_FILES.iter().filter_map(|path| std::fs::read(path).ok()).flatten().collect();
        Self::from_secret(if shared.is_empty() { fallback.as_bytes() } else { &shared })
    }

    fn sign(&self, payload: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(payload)
    }
}

impl From<SessionKey> for SessionKeys {
    fn from(first: SessionKey) -> Self {
        Self { first, others: Vec::new() }
    }
}

impl SessionKeys {
    /// The first one signs.
    pub fn new(first: SessionKey, others: Vec<SessionKey>) -> Self {
        Self { first, others }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }

    /// The id of a session.
    pub(super) fn mint(&self, session: &Session) -> String {
        // A struct of strings always serialises.
        let payload = serde_json::to_vec(session).unwrap_or_default();
        let signature = self.first.sign(&payload).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&payload), URL_SAFE_NO_PAD.encode(signature))
    }

    /// The session of an id; none where the id is not one of ours, or another caller's.
    pub(super) fn open(&self, id: &str, caller: &Account) -> Option<Session> {
        let (payload, signature) = id.split_once('.')?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let has_signed = |key: &SessionKey| key.sign(&payload).verify_slice(&signature).is_ok();
        if !std::iter::once(&self.first).chain(&self.others).any(has_signed) {
            return None;
        }
        serde_json::from_slice(&payload).ok().filter(|session: &Session| session.owner == digest(caller))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys from these secrets.
    fn keys<const N: usize>(secrets: [&str; N]) -> SessionKeys {
        let mut keys = secrets.map(|secret| SessionKey::from_secret(secret.as_bytes())).into_iter();
        SessionKeys::new(keys.next().expect("one or more"), keys.collect())
    }

    #[test]
    fn the_first_key_signs_and_each_opens() {
        let session = Session::new("2025-11-25".to_owned(), "x".to_owned(), ListDigest::default(), &Account::Anonymous);
        let session = session.expect("random bytes");
        let opens = |keys: &SessionKeys, id: &str| keys.open(id, &Account::Anonymous).as_ref() == Some(&session);
        let [old, new] = [keys(["old"]), keys(["new"])];
        // As a key is changed: beside the old one, before it, alone. Replicas of two neighbouring steps serve at the same time.
        let steps = [old.clone(), keys(["old", "new"]), keys(["new", "old"]), new.clone()];
        for [before, after] in steps.array_windows() {
            for (mints, opened_by) in [(before, after), (after, before)] {
                assert!(opens(opened_by, &mints.mint(&session)));
            }
        }
        assert!(!opens(&old, &new.mint(&session)) && !opens(&new, &old.mint(&session)));
        assert!(opens(&old, &steps[1].mint(&session)) && opens(&new, &steps[2].mint(&session)), "the first one signs");
        assert_eq!(steps.map(|keys| keys.count()), [1, 2, 2, 1]);
    }

    #[test]
    fn another_process_with_the_key_opens_an_id() {
        let session =
            Session::new("2025-11-25".to_owned(), "inspector 2.12".to_owned(), ListDigest::from("a list"), &Account::Anonymous)
                .expect("random bytes");
        let id = keys(["k"]).mint(&session);
        assert_eq!(keys(["k"]).open(&id, &Account::Anonymous), Some(session));
        assert!(id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "an id is visible ASCII");
    }

    #[test]
    fn two_sessions_of_one_client_are_two() {
        let session = || {
            Session::new("2025-11-25".to_owned(), "x".to_owned(), ListDigest::default(), &Account::Anonymous)
                .expect("random bytes")
        };
        let key = keys(["k"]);
        assert_ne!(key.mint(&session()), key.mint(&session()));
    }

    #[test]
    fn an_id_from_before_lists_were_noted_opens() {
        let key = keys(["k"]);
        let payload = br#"{"v":"2025-11-25","c":"x"}"#;
        let signature = key.first.sign(payload).finalize().into_bytes();
        let id = format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(signature));
        let session = key.open(&id, &Account::Anonymous).expect("one of ours");
        assert_eq!((session.version.as_str(), session.lists), ("2025-11-25", ListDigest::default()));
    }

    #[test]
    fn an_id_is_of_use_to_its_owner_alone() {
        let key = keys(["k"]);
        let [ann, bob] = ["ann", "bob"].map(|name| Account::User(name.into()));
        let began = |owner| Session::new("2025-11-25".to_owned(), "x".to_owned(), ListDigest::default(), owner);
        let [of_ann, of_nobody] = [&ann, &Account::Anonymous].map(|owner| key.mint(&began(owner).expect("random bytes")));
        assert!(key.open(&of_ann, &ann).is_some() && key.open(&of_nobody, &Account::Anonymous).is_some());
        for (id, caller) in [(&of_ann, &bob), (&of_ann, &Account::Anonymous), (&of_nobody, &ann)] {
            assert_eq!(key.open(id, caller), None, "{caller:?}");
        }
        assert!(
            !String::from_utf8_lossy(&URL_SAFE_NO_PAD.decode(of_ann.split('.').next().expect("two parts")).expect("Base64"))
                .contains("ann")
        );
    }

    #[test]
    fn a_foreign_or_forged_id_does_not_open() {
        let key = keys(["k"]);
        let session = Session::new("2025-11-25".to_owned(), "x".to_owned(), ListDigest::default(), &Account::Anonymous)
            .expect("random bytes");
        let id = key.mint(&session);
        assert_eq!(keys(["other"]).open(&id, &Account::Anonymous), None);
        let forged = URL_SAFE_NO_PAD.encode(r#"{"v":"2024-11-05","c":"x"}"#);
        assert_eq!(key.open(&format!("{forged}.{}", id.split_once('.').expect("signed").1), &Account::Anonymous), None);
        assert_eq!(key.open("", &Account::Anonymous), None);
        assert_eq!(key.open(".", &Account::Anonymous), None);
    }
}
