//! What a signature says that it is for, read from what was signed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::found::{Base64, Found};
use crate::digest::Digest;
use crate::json;

/// What says so in what cosign 2 signs, and in what cosign 3 signs. An attestation is no signature: that somebody has written down what is
/// wrong with a component does not let it pass.
const COSIGN_2: &str = "cosign container image signature";
pub(crate) const COSIGN_3: &str = "https://sigstore.dev/cosign/sign/v1";

const STATEMENT: &str = "application/vnd.in-toto+json";
const STATEMENTS: [&str; 2] = ["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"];

/// A signature that is for the right digest, if whoever made it is to be believed.
#[derive(Debug)]
pub(crate) struct Claim {
    /// What was signed.
    pub(crate) message: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// What was signed beside the digest.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Who made it and when, where that is not a key that one knows.
    pub(crate) evidence: Option<Evidence>,
}

/// A certificate, and what a transparency log says about what was signed with it.
#[derive(Debug)]
#[cfg_attr(not(feature = "keyless"), expect(dead_code, reason = "what is not checked without the feature"))]
pub(crate) struct Evidence {
    /// Of whoever signed, as DER, and of who is between them and a root.
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) entries: Vec<Entry>,
    /// What timestamp authorities say, as DER.
    pub(crate) timestamps: Vec<Vec<u8>>,
    /// How a bundle signs: whatever the log has of it.
    pub(crate) form: Form,
}

/// An entry of a transparency log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) body: Vec<u8>,
    /// Seconds since 1970.
    pub(crate) time: i64,
    pub(crate) index: i64,
    /// SHA-256 of the log's key.
    pub(crate) log: Vec<u8>,
    /// The log's signature of all of these.
    pub(crate) promise: Option<Vec<u8>>,
    /// That it is in the log.
    pub(crate) proof: Option<Proof>,
}

/// The way from an entry to the root of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) index: u64,
    pub(crate) size: u64,
    pub(crate) root: Vec<u8>,
    pub(crate) hashes: Vec<Vec<u8>>,
    pub(crate) checkpoint: String,
}

/// What a log's entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The message itself.
    Message,
    /// An envelope: the SHA-256 of what is in it.
    Envelope { payload: Digest },
}

impl Claim {
    /// Reads a signature of a document, which has this digest. An error says why it is none, and continues a sentence that begins with it.
    pub(crate) fn read(found: &Found, digest: &Digest, document: &[u8]) -> Result<Self, String> {
        match found {
            Found::Payload { payload, annotations } => Self::of_payload(payload, annotations, digest),
            Found::Bundle { bundle } => Self::of_bundle(&bundle.0, digest, document),
            Found::Unreadable { why } => Err(format!("cannot be read: {why}")),
        }
    }

    fn of_payload(payload: &Base64, beside: &BTreeMap<String, String>, digest: &Digest) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Payload {
            critical: Critical,
            optional: Option<BTreeMap<String, Value>>,
        }
        #[derive(Deserialize)]
        struct Critical {
            image: Image,
            #[serde(rename = "type")]
            kind: String,
        }
        #[derive(Deserialize)]
        struct Image {
            #[serde(rename = "docker-manifest-digest")]
            digest: Digest,
        }
        let Payload { critical, optional } =
            json::parse(&payload.0).map_err(|_| "has signed something that is not what cosign signs")?;
        if critical.kind != COSIGN_2 {
            return Err("has signed something that is not what cosign signs".to_owned());
        }
        if critical.image.digest != *digest {
            return Err(format!("is of another digest, {}", critical.image.digest));
        }
        let signature = beside.get("dev.cosignproject.cosign/signature").and_then(|text| STANDARD.decode(text).ok());
        let signature = signature.ok_or("is missing: its annotation is not there, or no base64")?;
        let annotations = optional.unwrap_or_default().into_iter().filter_map(|(key, value)| match value {
            Value::String(value) => Some((key, value)),
            _ => None,
        });
        Ok(Self { message: payload.0.clone(), signature, annotations: annotations.collect(), evidence: beside_payload(beside)? })
    }

    fn of_bundle(bundle: &[u8], digest: &Digest, document: &[u8]) -> Result<Self, String> {
        let bundle: Bundle = json::parse(bundle).map_err(|_| "is no Sigstore bundle")?;
        let Bundle { verification_material, dsse_envelope, message_signature } = bundle;
        let (message, signature, annotations, form) = match (dsse_envelope, message_signature) {
            (Some(envelope), None) => {
                let payload = envelope.payload.0;
                let [EnvelopeSignature { sig }] =
                    <[_; 1]>::try_from(envelope.signatures).map_err(|_| "has an envelope without the one signature")?;
                if envelope.payload_type != STATEMENT {
                    return Err("has signed something that is no in-toto statement".to_owned());
                }
                let annotations = stated(&payload, digest)?;
                let form = Form::Envelope { payload: Digest::of(&payload) };
                (pre_authenticated(&envelope.payload_type, &payload), sig.0, annotations, form)
            }
            (None, Some(MessageSignature { signature })) => {
                if Digest::of(document) != *digest {
                    return Err("is of bytes that are not there".to_owned());
                }
                (document.to_vec(), signature.0, BTreeMap::new(), Form::Message)
            }
            _ => return Err("is a bundle without a signature, or with two".to_owned()),
        };
        Ok(Self { message, signature, annotations, evidence: verification_material.evidence(form)? })
    }
}

/// What a statement says of a digest beside that it was signed.
fn stated(payload: &[u8], digest: &Digest) -> Result<BTreeMap<String, String>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statement {
        #[serde(rename = "_type")]
        kind: String,
        predicate_type: String,
        subject: Vec<Subject>,
    }
    #[derive(Deserialize)]
    struct Subject {
        digest: BTreeMap<String, String>,
        #[serde(default)]
        annotations: BTreeMap<String, Value>,
    }
    let Statement { kind, predicate_type, subject } =
        json::parse(payload).map_err(|_| "has signed something that is no in-toto statement")?;
    if !STATEMENTS.contains(&kind.as_str()) {
        return Err("has signed something that is no in-toto statement".to_owned());
    }
    if predicate_type != COSIGN_3 {
        let shown = sandbar_text::clean_line(&predicate_type, 200);
        return Err(format!(
            "is an attestation ({shown}), which says something about the component, and not that it may be used"
        ));
    }
    let hex = digest.hex();
    let own = subject.into_iter().find(|subject| subject.digest.get("sha256") == Some(&hex));
    let own = own.ok_or("is of another digest")?;
    let texts = own.annotations.into_iter().filter_map(|(key, value)| match value {
        Value::String(value) => Some((key, value)),
        _ => None,
    });
    Ok(texts.collect())
}

/// What an envelope's signature is of (DSSE, version 1).
fn pre_authenticated(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

/// The certificate and the log's entry that cosign 2 puts beside what it has signed.
fn beside_payload(beside: &BTreeMap<String, String>) -> Result<Option<Evidence>, String> {
    let Some(certificate) = beside.get("dev.sigstore.cosign/certificate") else { return Ok(None) };
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Noted {
        signed_entry_timestamp: Base64,
        payload: Body,
    }
    #[derive(Deserialize)]
    struct Body {
        body: Base64,
        #[serde(rename = "integratedTime")]
        time: i64,
        #[serde(rename = "logIndex")]
        index: i64,
        #[serde(rename = "logID")]
        log: String,
    }
    let pem = |text: &str| {
        let blocks = sandbar_tls::blocks(text.as_bytes()).into_iter().filter(|block| block.label == "CERTIFICATE");
        blocks.map(|block| block.content).collect::<Vec<_>>()
    };
    let mut chain = pem(certificate);
    chain.truncate(1);
    chain.extend(beside.get("dev.sigstore.cosign/chain").map(|chain| pem(chain)).unwrap_or_default());
    let entries = match beside.get("dev.sigstore.cosign/bundle") {
        None => Vec::new(),
        Some(noted) => {
            let Noted { signed_entry_timestamp, payload: Body { body, time, index, log } } =
                json::parse(noted.as_bytes()).map_err(|_| "has an entry of a transparency log that cannot be read")?;
            let log = Digest::from_hex(&log).map_err(|_| "has an entry of a transparency log that cannot be read")?;
            vec![Entry {
                body: body.0,
                time,
                index,
                log: log.bytes().to_vec(),
                promise: Some(signed_entry_timestamp.0),
                proof: None,
            }]
        }
    };
    Ok(Some(Evidence { chain, entries, timestamps: Vec::new(), form: Form::Message }))
}

// A Sigstore bundle, of which protobuf's JSON leaves out what is empty and writes 64-bit numbers as texts.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    verification_material: Material,
    dsse_envelope: Option<Envelope>,
    message_signature: Option<MessageSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: Base64,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Deserialize)]
struct EnvelopeSignature {
    sig: Base64,
}

#[derive(Deserialize)]
struct MessageSignature {
    signature: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Material {
    certificate: Option<Certificate>,
    x509_certificate_chain: Option<Chain>,
    tlog_entries: Option<Vec<LogEntry>>,
    timestamp_verification_data: Option<Timestamps>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timestamps {
    rfc3161_timestamps: Option<Vec<Timestamp>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Timestamp {
    signed_timestamp: Base64,
}

#[derive(Deserialize)]
struct Chain {
    certificates: Vec<Certificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    raw_bytes: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogEntry {
    #[serde(default)]
    log_index: Number,
    log_id: Option<LogId>,
    #[serde(default)]
    integrated_time: Number,
    inclusion_promise: Option<Promise>,
    inclusion_proof: Option<WrittenProof>,
    canonicalized_body: Option<Base64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenProof {
    #[serde(default)]
    log_index: Number,
    root_hash: Base64,
    tree_size: Number,
    hashes: Option<Vec<Base64>>,
    checkpoint: WrittenCheckpoint,
}

#[derive(Deserialize)]
struct WrittenCheckpoint {
    envelope: String,
}

/// A 64-bit number, as a text or a number.
#[derive(Default)]
struct Number(i64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(i64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number)),
            Either::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

impl Material {
    fn evidence(self, form: Form) -> Result<Option<Evidence>, String> {
        let Self { certificate, x509_certificate_chain, tlog_entries, timestamp_verification_data } = self;
        let timestamps = timestamp_verification_data
            .and_then(|data| data.rfc3161_timestamps)
            .into_iter()
            .flatten()
            .map(|timestamp| timestamp.signed_timestamp.0)
            .collect();
        let certificates = certificate.into_iter().chain(x509_certificate_chain.into_iter().flat_map(|chain| chain.certificates));
        let chain: Vec<Vec<u8>> = certificates.map(|certificate| certificate.raw_bytes.0).collect();
        if chain.is_empty() {
            return Ok(None);
        }
        let unreadable = "has an entry of a transparency log that cannot be read";
        let entries = tlog_entries.into_iter().flatten().map(|entry| {
            let proof = entry.inclusion_proof.map(|proof| {
                let WrittenProof { log_index, root_hash, tree_size, hashes, checkpoint } = proof;
                let hashes = hashes.into_iter().flatten().map(|hash| hash.0).collect();
                let (index, size) = (u64::try_from(log_index.0).ok()?, u64::try_from(tree_size.0).ok()?);
                Some(Proof { index, size, root: root_hash.0, hashes, checkpoint: checkpoint.envelope })
            });
            let proof = match proof {
                Some(None) => return Err(unreadable),
                proof => proof.flatten(),
            };
            let (Some(log), Some(body)) = (entry.log_id, entry.canonicalized_body) else { return Err(unreadable) };
            let promise = entry.inclusion_promise.map(|promise| promise.signed_entry_timestamp.0);
            Ok(Entry { body: body.0, time: entry.integrated_time.0, index: entry.log_index.0, log: log.key_id.0, promise, proof })
        });
        let entries = entries.collect::<Result<Vec<Entry>, _>>()?;
        Ok(Some(Evidence { chain, entries, timestamps, form }))
    }
}
