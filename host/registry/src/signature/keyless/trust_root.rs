//! Whom to believe about certificates, logs and times: the `trusted_root.json` of Sigstore.

use rustls::pki_types::{CertificateDer, TrustAnchor};
use serde::Deserialize;
use webpki::anchor_from_trusted_cert;

use super::time::rfc3339;
use crate::signature::found::Base64;
use crate::signature::key::BareKey;

/// Authorities and logs of each kind. The public instance has some four.
const EACH: usize = 64;

/// Whom to believe about certificates, logs and times.
#[derive(Debug)]
pub struct TrustRoot {
    pub(super) authorities: Vec<Authority>,
    /// Transparency logs of signatures.
    pub(super) logs: Vec<Log>,
    /// Transparency logs of certificates. Where there are some, each certificate has to be in one.
    pub(super) certificate_logs: Vec<Log>,
    pub(super) timestamp_authorities: Vec<Authority>,
}

/// Who gives certificates.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) anchor: TrustAnchor<'static>,
    /// What is between it and the certificates that it gives, and, of a timestamp authority, the certificate that it signs with.
    pub(super) between: Vec<CertificateDer<'static>>,
    pub(super) valid: Valid,
}

/// A log's key.
#[derive(Debug)]
pub(super) struct Log {
    id: Vec<u8>,
    pub(super) key: BareKey,
    pub(super) valid: Valid,
}

impl Log {
    /// Whether entries mean it by this: the id that the trust root has for it, or the SHA-256 of its key.
    pub(super) fn is_called(&self, id: &[u8]) -> bool {
        self.id == id || self.key.id.bytes() == id
    }
}

/// From when on, and until when, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Valid {
    start: i64,
    end: Option<i64>,
}

impl Valid {
    pub(super) fn covers(&self, time: i64) -> bool {
        self.start <= time && self.end.is_none_or(|end| time <= end)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(default)]
    tlogs: Vec<WrittenLog>,
    #[serde(default)]
    certificate_authorities: Vec<WrittenAuthority>,
    #[serde(default)]
    ctlogs: Vec<WrittenLog>,
    #[serde(default)]
    timestamp_authorities: Vec<WrittenAuthority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenLog {
    public_key: WrittenKey,
    log_id: WrittenId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenKey {
    raw_bytes: Base64,
    #[serde(default)]
    valid_for: WrittenValid,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenId {
    key_id: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenAuthority {
    cert_chain: WrittenChain,
    #[serde(default)]
    valid_for: WrittenValid,
}

#[derive(Deserialize)]
struct WrittenChain {
    certificates: Vec<WrittenCertificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenCertificate {
    raw_bytes: Base64,
}

#[derive(Default, Deserialize)]
struct WrittenValid {
    start: Option<String>,
    end: Option<String>,
}

impl TrustRoot {
    /// Takes the text of a `trusted_root.json`. An error continues a sentence that begins with the file.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let written: Written = serde_json::from_slice(text)
            .map_err(|error| format!("is no trusted root of Sigstore: line {}, column {}", error.line(), error.column()))?;
        let Written { tlogs, certificate_authorities, ctlogs, timestamp_authorities } = written;
        let most = [tlogs.len(), certificate_authorities.len(), ctlogs.len(), timestamp_authorities.len()].into_iter().max();
        if most > Some(EACH) {
            return Err(format!("has more than {EACH} authorities or logs of one kind"));
        }
        let had_certificate_logs = !ctlogs.is_empty();
        let root = Self {
            authorities: authorities(certificate_authorities)?,
            logs: logs(tlogs)?,
            certificate_logs: logs(ctlogs)?,
            timestamp_authorities: authorities(timestamp_authorities)?,
        };
        if root.authorities.is_empty() || root.logs.is_empty() {
            return Err("has no certificate authority, or no transparency log with a key on P-256 or Ed25519".to_owned());
        }
        // Without the keys of any, nothing would be asked of certificates.
        if had_certificate_logs && root.certificate_logs.is_empty() {
            return Err("has certificate logs, and none with a key on P-256 or Ed25519".to_owned());
        }
        Ok(root)
    }
}

/// Logs whose keys are of a kind that can be checked. What is in another one is in none that is known.
fn logs(written: Vec<WrittenLog>) -> Result<Vec<Log>, String> {
    let mut logs = Vec::new();
    for WrittenLog { public_key, log_id } in written {
        let valid = valid(public_key.valid_for)?;
        if let Ok(key) = BareKey::from_der(&public_key.raw_bytes.0) {
            logs.push(Log { id: log_id.key_id.0, key, valid });
        }
    }
    Ok(logs)
}

fn authorities(written: Vec<WrittenAuthority>) -> Result<Vec<Authority>, String> {
    let authority = |WrittenAuthority { cert_chain, valid_for }| {
        let mut chain: Vec<CertificateDer<'static>> =
            cert_chain.certificates.into_iter().map(|certificate| certificate.raw_bytes.0.into()).collect();
        // The root is the last one.
        let root = chain.pop().ok_or("has an authority without a certificate")?;
        let anchor = anchor_from_trusted_cert(&root).map_err(|_| "has an authority with a certificate that cannot be read")?;
        Ok(Authority { anchor: anchor.to_owned(), between: chain, valid: valid(valid_for)? })
    };
    written.into_iter().map(authority).collect()
}

fn valid(WrittenValid { start, end }: WrittenValid) -> Result<Valid, String> {
    let time = |text: Option<String>| text.map(|text| rfc3339(&text).ok_or("has a time that is none")).transpose();
    Ok(Valid { start: time(start)?.unwrap_or(i64::MIN), end: time(end)? })
}
