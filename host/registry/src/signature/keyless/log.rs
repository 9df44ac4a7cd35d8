//! An entry of a transparency log: that it is about this signature, and that the log vouches for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::tree;
use super::trust_root::{Log, TrustRoot};
use crate::digest::Digest;
use crate::json;
use crate::signature::claim::{Claim, Entry, Form, Proof};
use crate::signature::found::Base64;

/// Hashes beside the way to an entry: a log has less than 2^64 of them.
const HASHES: usize = 64;

/// Checks an entry. The time that it was made at, where the log vouches for one: a proof alone does not.
pub(super) fn check(entry: &Entry, root: &TrustRoot, claim: &Claim, form: Form, leaf: &[u8]) -> Result<Option<i64>, String> {
    is_about(entry, claim, form, leaf)?;
    let mut known = root.logs.iter().filter(|log| log.is_called(&entry.log)).peekable();
    if known.peek().is_none() {
        return Err("is in a transparency log that is not in the trust root".to_owned());
    }
    let vouches = |log: &Log| {
        let promise = entry.promise.as_ref().map(|promise| is_promised(entry, promise, log));
        let proof = entry.proof.as_ref().map(|proof| is_proven(entry, proof, log));
        (promise, proof)
    };
    let outcomes = known.map(|log| match vouches(log) {
        (None, None) => Err("is in a transparency log that gives no proof of it"),
        (Some(false), _) => Err("has a promise that its transparency log has not made"),
        (_, Some(false)) => Err("has a proof of its transparency log that does not lead there"),
        (Some(true), _) if !log.valid.covers(entry.time) => Err("is in a transparency log that was not valid when it was made"),
        (Some(true), _) => Ok(Some(entry.time)),
        (None, Some(true)) => Ok(None),
    });
    outcomes.reduce(|one, other| one.or(other)).unwrap_or(Err("is in no transparency log")).map_err(str::to_owned)
}

/// Whether the log has promised to have it, at its time.
fn is_promised(entry: &Entry, promise: &[u8], log: &Log) -> bool {
    let id: String = entry.log.iter().map(|byte| format!("{byte:02x}")).collect();
    // In the canonical form of JSON (RFC 8785).
    let body = STANDARD.encode(&entry.body);
    let promised = format!(r#"{{"body":"{body}","integratedTime":{},"logID":"{id}","logIndex":{}}}"#, entry.time, entry.index);
    log.key.has_signed(promised.as_bytes(), promise)
}

/// Whether it is in the tree whose root the log has signed.
fn is_proven(entry: &Entry, proof: &Proof, log: &Log) -> bool {
    let hashes: Option<Vec<[u8; 32]>> = proof.hashes.iter().map(|hash| hash.as_slice().try_into().ok()).collect();
    let Some(hashes) = hashes.filter(|hashes| hashes.len() <= HASHES) else { return false };
    let found = tree::root(tree::leaf(&entry.body), proof.index, proof.size, &hashes);
    found.is_some_and(|found| found[..] == proof.root && is_signed(&proof.checkpoint, proof, log))
}

/// Whether a checkpoint, a note with the log's name, the size of its tree and the root of it, is signed by the log.
fn is_signed(checkpoint: &str, proof: &Proof, log: &Log) -> bool {
    let Some((text, signatures)) = checkpoint.split_once("\n\n") else { return false };
    let signed = format!("{text}\n");
    let mut lines = text.lines().skip(1);
    let size = lines.next().and_then(|size| size.parse().ok());
    let root = lines.next().and_then(|root| STANDARD.decode(root).ok());
    let is_by_log = |line: &str| {
        let signature = line
            .strip_prefix("\u{2014} ")
            .and_then(|line| line.rsplit_once(' '))
            .and_then(|(_, text)| STANDARD.decode(text).ok());
        // Before the signature is a hint of four bytes which key it is by.
        signature.is_some_and(|signature| signature.len() > 4 && log.key.has_signed(signed.as_bytes(), &signature[4..]))
    };
    size == Some(proof.size) && root.as_ref() == Some(&proof.root) && signatures.lines().take(HASHES).any(is_by_log)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    kind: String,
    api_version: String,
    spec: serde_json::Value,
}

#[derive(Deserialize)]
struct Hashed {
    data: HashedData,
    signature: HashedSignature,
}

#[derive(Deserialize)]
struct HashedData {
    hash: Hash,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedSignature {
    content: Base64,
    public_key: HashedKey,
}

#[derive(Deserialize)]
struct HashedKey {
    content: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse {
    payload_hash: Hash,
    signatures: Vec<DsseSignature>,
}

#[derive(Deserialize)]
struct DsseSignature {
    signature: Base64,
    verifier: Base64,
}

// The same in version 2 of Rekor.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hashed2 {
    hashed_rekord_v002: HashedSpec2,
}

#[derive(Deserialize)]
struct HashedSpec2 {
    data: Hash2,
    signature: Signature2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse2 {
    dsse_v002: DsseSpec2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseSpec2 {
    payload_hash: Hash2,
    signatures: Vec<Signature2>,
}

#[derive(Deserialize)]
struct Hash2 {
    algorithm: String,
    digest: Base64,
}

#[derive(Deserialize)]
struct Signature2 {
    content: Base64,
    verifier: Verifier2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifier2 {
    x509_certificate: Certificate2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificate2 {
    raw_bytes: Base64,
}

/// What an entry is about: the SHA-256 of what was signed, the signature, and the certificate as DER.
struct About {
    hash: Vec<u8>,
    signature: Vec<u8>,
    certificate: Vec<u8>,
}

/// Whether an entry is about this signature, with this certificate. An entry about another one would lend it its time.
fn is_about(entry: &Entry, claim: &Claim, form: Form, leaf: &[u8]) -> Result<(), String> {
    let body: Body = json::parse(&entry.body).map_err(|_| "has an entry of a transparency log that cannot be read")?;
    let (about, is_of_payload) = match (body.kind.as_str(), body.api_version.as_str()) {
        ("hashedrekord", "0.0.1") => (hashed(body.spec), false),
        ("hashedrekord", "0.0.2") => (hashed2(body.spec), false),
        ("dsse", "0.0.1") => (dsse(body.spec), true),
        ("dsse", "0.0.2") => (dsse2(body.spec), true),
        (kind, version) => {
            let kind = sandbar_text::clean_line(format_args!("{kind} {version}"), 100);
            return Err(format!("is in a transparency log as {kind}, which is not known"));
        }
    };
    let About { hash, signature, certificate } = about.ok_or("has an entry of a transparency log that cannot be read")?;
    let wanted = match form {
        Form::Envelope { payload } if is_of_payload => payload,
        Form::Message if is_of_payload => return Err("is in a transparency log as an envelope, and is none".to_owned()),
        Form::Envelope { .. } | Form::Message => Digest::of(&claim.message),
    };
    match hash == wanted.bytes() && signature == claim.signature && certificate == leaf {
        true => Ok(()),
        false => Err("is not the one that its entry of a transparency log is about".to_owned()),
    }
}

fn hashed(spec: serde_json::Value) -> Option<About> {
    let Hashed { data, signature } = serde_json::from_value(spec).ok()?;
    let certificate = certificate(&signature.public_key.content.0)?;
    Some(About { hash: sha256(data.hash)?, signature: signature.content.0, certificate })
}

fn dsse(spec: serde_json::Value) -> Option<About> {
    let Dsse { payload_hash, signatures } = serde_json::from_value(spec).ok()?;
    let [DsseSignature { signature, verifier }] = <[_; 1]>::try_from(signatures).ok()?;
    Some(About { hash: sha256(payload_hash)?, signature: signature.0, certificate: certificate(&verifier.0)? })
}

fn hashed2(spec: serde_json::Value) -> Option<About> {
    let Hashed2 { hashed_rekord_v002: HashedSpec2 { data, signature } } = serde_json::from_value(spec).ok()?;
    about2(data, signature)
}

fn dsse2(spec: serde_json::Value) -> Option<About> {
    let Dsse2 { dsse_v002: DsseSpec2 { payload_hash, signatures } } = serde_json::from_value(spec).ok()?;
    let [signature] = <[_; 1]>::try_from(signatures).ok()?;
    about2(payload_hash, signature)
}

fn about2(hash: Hash2, signature: Signature2) -> Option<About> {
    let is_sha256 = hash.algorithm == "SHA2_256";
    is_sha256.then_some(About {
        hash: hash.digest.0,
        signature: signature.content.0,
        certificate: signature.verifier.x509_certificate.raw_bytes.0,
    })
}

fn sha256(Hash { algorithm, value }: Hash) -> Option<Vec<u8>> {
    let digest = Digest::from_hex(&value).ok().filter(|_| algorithm == "sha256")?;
    Some(digest.bytes().to_vec())
}

/// The certificate in a PEM text.
fn certificate(pem: &[u8]) -> Option<Vec<u8>> {
    let mut blocks = sandbar_tls::blocks(pem).into_iter();
    blocks.next().filter(|block| block.label == "CERTIFICATE").map(|block| block.content)
}
