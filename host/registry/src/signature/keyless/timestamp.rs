//! A timestamp authority's word on when a signature was made (RFC 3161).

use std::time::Duration;

use ring::digest::{SHA256, SHA384, SHA512, digest};
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::der::{INTEGER, OBJECT, OCTETS, SEQUENCE, SET, TIME, Value, all, first, only, wrapped};
use super::time::generalized;
use super::trust_root::TrustRoot;

/// id-kp-timeStamping, as DER.
const TIME_STAMPING: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 8];

// Names of objects, as DER: signedData, TSTInfo, contentType, messageDigest, and three hashes.
const SIGNED_DATA: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 7, 2];
const TIME_INFO: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 9, 16, 1, 4];
const CONTENT_TYPE: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[42, 134, 72, 134, 247, 13, 1, 9, 4];
const HASHES: [(&[u8], &ring::digest::Algorithm); 3] = [
    (&[96, 134, 72, 1, 101, 3, 4, 2, 1], &SHA256),
    (&[96, 134, 72, 1, 101, 3, 4, 2, 2], &SHA384),
    (&[96, 134, 72, 1, 101, 3, 4, 2, 3], &SHA512),
];

/// What is looked at in a timestamp.
struct Read<'t> {
    /// The time and what it is for.
    info: &'t [u8],
    /// What the authority has signed: that it is this info.
    attributes: &'t [u8],
    hash: &'static ring::digest::Algorithm,
    signature: &'t [u8],
    certificates: Vec<&'t [u8]>,
}

/// The time, in seconds since 1970, at which there was a signature. An error continues a sentence that begins with the signature.
pub(super) fn check(response: &[u8], root: &TrustRoot, signature: &[u8]) -> Result<i64, String> {
    let read = read(response).ok_or("has a timestamp that cannot be read")?;
    let (time, imprint, algorithm) = info(read.info).ok_or("has a timestamp that cannot be read")?;
    if digest(algorithm, signature).as_ref() != imprint {
        return Err("has a timestamp of another signature".to_owned());
    }
    if !is_of(read.attributes, digest(read.hash, read.info).as_ref()).unwrap_or(false) {
        return Err("has a timestamp that has been changed".to_owned());
    }
    let signed = wrapped(SET, read.attributes);
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time).map_err(|_| "was made before 1970")?));
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
    for authority in root.timestamp_authorities.iter().filter(|authority| authority.valid.covers(time)) {
        let own = authority.between.iter().map(|der| der.as_ref());
        for leaf in own.chain(read.certificates.iter().copied()) {
            let leaf = CertificateDer::from(leaf);
            let Ok(end_entity) = EndEntityCert::try_from(&leaf) else { continue };
            let has_signed =
                algorithms.iter().any(|algorithm| end_entity.verify_signature(*algorithm, &signed, read.signature).is_ok());
            let anchors = std::slice::from_ref(&authority.anchor);
            let usage = KeyUsage::required(TIME_STAMPING);
            if has_signed && end_entity.verify_for_usage(algorithms, anchors, &authority.between, at, usage, None, None).is_ok() {
                return Ok(time);
            }
        }
    }
    Err("has a timestamp of an authority that is not in the trust root, or was not valid there".to_owned())
}

/// Takes a response apart.
fn read(response: &[u8]) -> Option<Read<'_>> {
    let fields = all(only(response, SEQUENCE)?)?;
    let [status, token] = fields.as_slice() else { return None };
    // Granted, or granted with changes.
    let granted = first(status.content).filter(|(status, _)| status.tag == INTEGER && matches!(status.content, [0 | 1]));
    granted?;
    let token = all(token.content)?;
    let [kind, content] = token.as_slice() else { return None };
    if (kind.tag, kind.content) != (OBJECT, SIGNED_DATA) || content.tag != 0xa0 {
        return None;
    }
    let fields = all(only(content.content, SEQUENCE)?)?;
    let [_version, _hashes, inner, more @ .., signers] = fields.as_slice() else { return None };
    let inner = all(inner.content)?;
    let [kind, info] = inner.as_slice() else { return None };
    if (kind.tag, kind.content) != (OBJECT, TIME_INFO) || info.tag != 0xa0 {
        return None;
    }
    let info = only(info.content, OCTETS)?;
    let certificates = more.iter().find(|field| field.tag == 0xa0).map(|field| all(field.content)).unwrap_or(Some(Vec::new()))?;
    // One signer: an authority signs its own word alone.
    let signer = all(only(only(signers.whole, SET)?, SEQUENCE)?)?;
    let [_version, _who, hash, attributes, _algorithm, signature, ..] = signer.as_slice() else { return None };
    if attributes.tag != 0xa0 || signature.tag != OCTETS {
        return None;
    }
    Some(Read {
        info,
        attributes: attributes.content,
        hash: hash_of(hash)?,
        signature: signature.content,
        certificates: certificates.iter().take(4).map(|certificate| certificate.whole).collect(),
    })
}

/// Time, hash and its algorithm.
fn info(info: &[u8]) -> Option<(i64, &[u8], &'static ring::digest::Algorithm)> {
    let fields = all(only(info, SEQUENCE)?)?;
    let [_version, _policy, imprint, _number, time, ..] = fields.as_slice() else { return None };
    let imprint = all(imprint.content)?;
    let [algorithm, hash] = imprint.as_slice() else { return None };
    if (hash.tag, time.tag) != (OCTETS, TIME) {
        return None;
    }
    Some((generalized(std::str::from_utf8(time.content).ok()?)?, hash.content, hash_of(algorithm)?))
}

fn hash_of(algorithm: &Value<'_>) -> Option<&'static ring::digest::Algorithm> {
    let (name, _) = first(algorithm.content).filter(|(name, _)| algorithm.tag == SEQUENCE && name.tag == OBJECT)?;
    HASHES.iter().find(|(known, _)| *known == name.content).map(|(_, hash)| *hash)
}

/// Whether the signed attributes are of this info.
fn is_of(attributes: &[u8], hash: &[u8]) -> Option<bool> {
    let (mut kinds, mut hashes) = (Vec::new(), Vec::new());
    for attribute in all(attributes)? {
        let fields = all(attribute.content)?;
        let [name, values] = fields.as_slice() else { return None };
        let (value, _) = first(values.content)?;
        match name.content {
            CONTENT_TYPE => kinds.push(value.content),
            MESSAGE_DIGEST => hashes.push(value.content),
            _ => {}
        }
    }
    Some(kinds == [TIME_INFO] && hashes == [hash])
}
