//! Legacy sessions without a store: the id carries what there is to know about a session, so that any replica and any restarted
//! process serves it. It grants nothing; it is signed only so that a foreign id is told apart.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sandbar_catalog::ListDigest;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Random bytes of an id: enough that no two are ever alike, and that nobody guesses another's.
const NONCE_BYTES: usize = 16;

/// What all replicas of a Deployment share without asking each other, as the kubelet mounts it.
const SHARED_FILES: [&str; 2] =
    ["/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", "/var/run/secrets/kubernetes.io/serviceaccount/namespace"];

/// The key that ids are signed with: a signature that has read nothing but the key.
#[derive(Clone)]
pub struct SessionKey(Hmac<Sha256>);

/// What an id says about its session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// The protocol version that was negotiated.
    #[serde(rename = "v")]
    pub(super) version: String,
    /// The client's name and version, for the audit trail.
    #[serde(rename = "c")]
    pub(super) client: String,
    /// The list of tools at that time; empty in ids of older servers.
    #[serde(rename = "t", default)]
    pub(super) tools: ListDigest,
    /// What makes two sessions of one client two: calls are cancelled, and streams superseded, by the id.
    #[serde(rename = "n", default)]
    nonce: String,
}

impl Session {
    /// A session as `initialize` has negotiated it. None where the system has no random bytes to tell it from others.
    pub(super) fn new(version: String, client: String, tools: ListDigest) -> Option<Self> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce).inspect_err(|error| tracing::error!(%error, "a session has no id: no random bytes")).ok()?;
        Some(Self { version, client, tools, nonce: URL_SAFE_NO_PAD.encode(nonce) })
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

    /// The id of a session.
    pub(super) fn mint(&self, session: &Session) -> String {
        // A struct of strings always serialises.
        let payload = serde_json::to_vec(session).unwrap_or_default();
        let signature = self.sign(&payload).finalize().into_bytes();
        format!("{}.{}", URL_SAFE_NO_PAD.encode(&payload), URL_SAFE_NO_PAD.encode(signature))
    }

    /// The session of an id; none where the id is not one of ours.
    pub(super) fn open(&self, id: &str) -> Option<Session> {
        let (payload, signature) = id.split_once('.')?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.sign(&payload).verify_slice(&signature).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    fn sign(&self, payload: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_with_the_key_opens_an_id() {
        let session =
            Session::new("2025-11-25".to_owned(), "inspector 2.12".to_owned(), ListDigest::from("a list")).expect("random bytes");
        let id = SessionKey::from_secret(b"k").mint(&session);
        assert_eq!(SessionKey::from_secret(b"k").open(&id), Some(session));
        assert!(id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "an id is visible ASCII");
    }

    #[test]
    fn two_sessions_of_one_client_are_two() {
        let session = || Session::new("2025-11-25".to_owned(), "x".to_owned(), ListDigest::default()).expect("random bytes");
        let key = SessionKey::from_secret(b"k");
        assert_ne!(key.mint(&session()), key.mint(&session()));
    }

    #[test]
    fn an_id_from_before_lists_were_noted_opens() {
        let key = SessionKey::from_secret(b"k");
        let payload = br#"{"v":"2025-11-25","c":"x"}"#;
        let signature = key.sign(payload).finalize().into_bytes();
        let id = format!("{}.{}", URL_SAFE_NO_PAD.encode(payload), URL_SAFE_NO_PAD.encode(signature));
        let session = key.open(&id).expect("one of ours");
        assert_eq!((session.version.as_str(), session.tools), ("2025-11-25", ListDigest::default()));
    }

    #[test]
    fn a_foreign_or_forged_id_does_not_open() {
        let key = SessionKey::from_secret(b"k");
        let session = Session::new("2025-11-25".to_owned(), "x".to_owned(), ListDigest::default()).expect("random bytes");
        let id = key.mint(&session);
        assert_eq!(SessionKey::from_secret(b"other").open(&id), None);
        let forged = URL_SAFE_NO_PAD.encode(r#"{"v":"2024-11-05","c":"x"}"#);
        assert_eq!(key.open(&format!("{forged}.{}", id.split_once('.').expect("signed").1)), None);
        assert_eq!(key.open(""), None);
        assert_eq!(key.open("."), None);
    }
}
