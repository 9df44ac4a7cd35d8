//! The signatures that a registry has for a digest. They prove themselves, so they may come from anywhere, and be kept beside what they are for.
//!
//! cosign 2 has them under the tag `sha256-….sig`, cosign 3 as bundles that refer to what was signed: among the referrers, or, where a
//! registry does not know those, in the index with the tag `sha256-…`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tracing::warn;

use super::claim::COSIGN_3;
use super::referrers::{Page, Referrers};
use crate::conversation::{Access, Ask, Conversation};
use crate::digest::Digest;
use crate::error::{Error, Kind};
use crate::json;
use crate::manifest::{ACCEPTED, DOCUMENT_BYTES, Descriptor, Document, Manifest};
use crate::reference::Pinned;
use crate::registries::{Part, Registries, in_time};

/// Signatures of each layout that are looked at. Whoever signs each release with a few keys has a few.
const SIGNATURES: usize = 16;

/// Signatures of one digest that are kept: those of both layouts, and as many from before.
const KEPT: usize = 4 * SIGNATURES;

/// Bytes of what cosign 2 has signed, and of a bundle.
const PAYLOAD_BYTES: u64 = 64 * 1024;
const BUNDLE_BYTES: u64 = 128 * 1024;

/// Bytes of all that is kept of the signatures of one digest, as JSON.
const KEPT_BYTES: u64 = 8 * 1024 * 1024;

const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
/// What cosign 3 notes beside a bundle of what is in it.
const PREDICATE: &str = "dev.sigstore.bundle.predicateType";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";

/// The signatures that there were for a digest when somebody looked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Signatures {
    /// The document with that digest: some signatures are of its bytes.
    pub(crate) document: Base64,
    pub(crate) found: Vec<Found>,
    /// How many more there were than are looked at.
    #[serde(default)]
    pub(crate) left_out: usize,
}

/// One signature as it was found.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "layout", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Found {
    /// As cosign 2 has it: what was signed, and the rest in annotations of its layer.
    Payload { payload: Base64, annotations: BTreeMap<String, String> },
    /// As cosign 3 has it: a Sigstore bundle.
    Bundle { bundle: Base64 },
    /// There, and cannot be read.
    Unreadable { why: String },
}

/// Bytes, as JSON has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base64(pub(crate) Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(|_| de::Error::custom("it is no base64"))
    }
}

impl Signatures {
    /// How many there were.
    pub fn count(&self) -> usize {
        self.found.len() + self.left_out
    }
}

impl Registries {
    /// Asks the registry for the signatures of a digest, and keeps them in the cache.
    pub async fn signatures(&self, pinned: &Pinned) -> Result<Signatures, Error> {
        let looked = async {
            let mut conversation = self.conversation(&pinned.repository, Access::Pull);
            let document = self.document(&mut conversation, &pinned.digest).await?;
            let mut found = Vec::new();
            let payloads = self.payloads(&mut conversation, &pinned.digest, &mut found).await;
            let mut left_out = unless_wrong(payloads, &mut found)?;
            let bundles = self.bundles(&mut conversation, &pinned.digest, &mut found).await;
            left_out += unless_wrong(bundles, &mut found)?;
            Ok(Signatures { document: Base64(document.to_vec()), found, left_out })
        };
        let mut signatures =
            in_time::<_, Error>(looked).await.map_err(|error| error.about(format_args!("{pinned}, its signatures")))?;
        // What was seen once goes on to count: that a registry does not show it now is no reason to lose it.
        if let Some(before) = self.kept_signatures(&pinned.digest).await {
            for found in before.found {
                let is_one = matches!(found, Found::Payload { .. } | Found::Bundle { .. });
                if is_one && signatures.found.len() < KEPT && !signatures.found.contains(&found) {
                    signatures.found.push(found);
                }
            }
        }
        if let (Some(cache), Ok(text)) = (&self.settings.cache, serde_json::to_vec(&signatures)) {
            cache.keep_signatures(&pinned.digest, text.into()).await;
        }
        Ok(signatures)
    }

    /// The signatures of a digest that the cache has.
    pub async fn kept_signatures(&self, digest: &Digest) -> Option<Signatures> {
        let kept = self.settings.cache.as_ref()?.signatures(digest, KEPT_BYTES).await?;
        let read = json::parse(&kept);
        read.inspect_err(|_| warn!(%digest, "what the cache has of a component's signatures cannot be read")).ok()
    }

    /// Finds what cosign 2 has signed, and says how many signatures are left out.
    async fn payloads(
        &self,
        conversation: &mut Conversation<'_>,
        digest: &Digest,
        found: &mut Vec<Found>,
    ) -> Result<usize, Error> {
        let uri = conversation.address(&format!("manifests/sha256-{}.sig", digest.hex()))?;
        let Some((document, _)) = conversation.get(Ask::new(Method::GET, uri).accepts(ACCEPTED), DOCUMENT_BYTES).await? else {
            return Ok(0);
        };
        let layers = match Document::parse(&document) {
            Ok(Document::Manifest(manifest)) => manifest.layers,
            Ok(Document::Index(_)) | Err(_) => {
                found.push(Found::Unreadable { why: "what has the tag of cosign's signatures is no manifest".to_owned() });
                return Ok(0);
            }
        };
        let layers: Vec<Descriptor> = layers.into_iter().filter(|layer| layer.media_type == PAYLOAD).collect();
        let left_out = layers.len().saturating_sub(SIGNATURES);
        for layer in layers.into_iter().take(SIGNATURES) {
            found.push(match self.blob(conversation, &layer.digest, PAYLOAD_BYTES).await? {
                Ok(payload) => Found::Payload { payload: Base64(payload.to_vec()), annotations: layer.annotations },
                Err(why) => Found::Unreadable { why },
            });
        }
        Ok(left_out)
    }

    /// Finds the bundles that refer to a digest, and says how many are left out.
    async fn bundles(
        &self,
        conversation: &mut Conversation<'_>,
        digest: &Digest,
        found: &mut Vec<Found>,
    ) -> Result<usize, Error> {
        // Signatures first, and what says of itself that it is another statement last. Some registries say of each artifact that it is of the
        // type of its configuration, which is empty here.
        let rank =
            |entry: &Descriptor| match (entry.artifact_type.as_deref(), entry.annotations.get(PREDICATE).map(String::as_str)) {
                (Some(kind), None | Some(COSIGN_3)) if kind.starts_with(BUNDLE) => 0,
                (None | Some(EMPTY), _) => 1,
                (Some(kind), Some(_)) if kind.starts_with(BUNDLE) => 2,
                (Some(_), _) => 3,
            };
        let (mut referring, mut left_out) = (Vec::new(), 0);
        let mut pages = Referrers::of(conversation, digest)?;
        loop {
            let page = match pages.next(conversation).await? {
                Page::Entries(entries) => entries,
                Page::Wrong(why) => {
                    found.push(Found::Unreadable { why: why.to_owned() });
                    break;
                }
                Page::None => break,
            };
            referring.extend(page.into_iter().filter(|entry| rank(entry) < 3));
            referring.sort_by_key(rank);
            left_out += referring.len().saturating_sub(SIGNATURES);
            referring.truncate(SIGNATURES);
        }
        for entry in referring {
            let document = match self.referring(conversation, &entry.digest).await? {
                Ok(document) => document,
                Err(why) => {
                    found.push(Found::Unreadable { why });
                    continue;
                }
            };
            for layer in document.layers.into_iter().filter(|layer| layer.media_type.starts_with(BUNDLE)).take(1) {
                found.push(match self.blob(conversation, &layer.digest, BUNDLE_BYTES).await? {
                    Ok(bundle) => Found::Bundle { bundle: Base64(bundle.to_vec()) },
                    Err(why) => Found::Unreadable { why },
                });
            }
        }
        Ok(left_out)
    }

    async fn referring(
        &self,
        conversation: &mut Conversation<'_>,
        digest: &Digest,
    ) -> Result<Result<Box<Manifest>, String>, Error> {
        let document = match of_a_signature(self.document(conversation, digest).await)? {
            Ok(document) => document,
            Err(why) => return Ok(Err(why)),
        };
        Ok(match Document::parse(&document) {
            Ok(Document::Manifest(manifest)) => Ok(manifest),
            Ok(Document::Index(_)) | Err(_) => Err("what refers to it is no manifest".to_owned()),
        })
    }

    async fn blob(
        &self,
        conversation: &mut Conversation<'_>,
        digest: &Digest,
        most: u64,
    ) -> Result<Result<Bytes, String>, Error> {
        of_a_signature(self.part(conversation, Part::Contents, digest, most).await)
    }
}

/// What is wrong with one signature is no reason not to look at the others; that the registry does not answer is one.
fn of_a_signature<T>(outcome: Result<T, Error>) -> Result<Result<T, String>, Error> {
    use crate::error::Kind;
    match outcome {
        Ok(there) => Ok(Ok(there)),
        Err(error) if matches!(error.kind, Kind::Wrong | Kind::Absent) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Notes that signatures of one layout cannot be looked at, and goes on with the others. A registry that does not answer is asked again later.
fn unless_wrong(left_out: Result<usize, Error>, found: &mut Vec<Found>) -> Result<usize, Error> {
    left_out.or_else(|error| match error.kind {
        Kind::Wrong | Kind::Denied | Kind::Absent => {
            found.push(Found::Unreadable { why: format!("cannot be looked at: {error}") });
            Ok(0)
        }
        Kind::Unreachable | Kind::Offline | Kind::Local => Err(error),
    })
}
