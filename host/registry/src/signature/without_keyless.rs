//! Signatures with a certificate of a few minutes. This build does not check them: it has not the feature `keyless`.

use super::claim::Claim;

/// Whom to believe about certificates and logs. There is none without the feature `keyless`.
#[derive(Clone, Debug)]
pub enum TrustRoot {}

impl TrustRoot {
    /// Takes the `trusted_root.json` of Sigstore, which this build has no use for.
    pub fn parse(_: &[u8]) -> Result<Self, String> {
        Err("this build does not check signatures without a key: it has not the feature `keyless`".to_owned())
    }
}

/// Whom a certificate was for.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) issuer: String,
    pub(crate) subject: String,
}

impl Identity {
    pub(crate) fn of(_: &Claim, _: Option<&TrustRoot>) -> Result<Self, String> {
        Err("is not looked at: this build does not check signatures without a key".to_owned())
    }
}
