//! Signatures with a certificate of a few minutes, which an authority gave to somebody whom an issuer knows.
//!
//! Such a certificate is long over when its signature is checked. That the signature was made in time, somebody else says: a transparency
//! log with its promise, or a timestamp authority. Whom to believe about all this is in the trust root, a file. By hand on ring and webpki,
//! since the crates of Sigstore bring another cryptography with them.

mod certificate;
mod der;
mod log;
mod time;
mod timestamp;
mod tree;
mod trust_root;

use self::certificate::Certificate;
use super::claim::{Claim, Evidence};
pub use trust_root::TrustRoot;

/// Entries of logs and timestamps of one signature. It has one or two.
const VOUCHERS: usize = 8;

/// Whom a certificate was for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) issuer: String,
    pub(crate) subject: String,
}

impl Identity {
    /// Who has signed. An error continues a sentence that begins with the signature.
    pub(crate) fn of(claim: &Claim, root: Option<&TrustRoot>) -> Result<Self, String> {
        let Some(Evidence { chain, entries, timestamps, form }) = &claim.evidence else {
            return Err("was made with a key, and a certificate is asked for".to_owned());
        };
        let root =
            root.ok_or("was made with a certificate, and no trust root is configured that would say whether to believe it")?;
        let [leaf, between @ ..] = chain.as_slice() else { return Err("has no certificate".to_owned()) };
        let certificate = Certificate::read(leaf)?;
        if !certificate.key.has_signed(&claim.message, &claim.signature) {
            return Err("was not made with its certificate, or what was signed has been changed".to_owned());
        }
        if entries.len() + timestamps.len() > VOUCHERS {
            return Err(format!("has more than {VOUCHERS} entries of logs and timestamps"));
        }
        // Each entry has to be what it says it is, and one of them has to be there.
        let mut times = Vec::new();
        for entry in entries {
            times.extend(log::check(entry, root, claim, *form, leaf)?);
        }
        if entries.is_empty() {
            return Err("is in no transparency log".to_owned());
        }
        for timestamp in timestamps {
            times.push(timestamp::check(timestamp, root, &claim.signature)?);
        }
        if times.is_empty() {
            return Err("was made at a time that nobody vouches for: neither its log nor a timestamp does".to_owned());
        }
        for time in times {
            certificate.check(leaf, between, root, time)?;
        }
        certificate.identity()
    }
}
