//! Who has signed a digest, and whether that is enough.
//!
//! `found` is what a registry has, which is nobody's word yet; `claim` is what was signed; `check` holds it against a `policy`. Keys are
//! checked here with ring, offline. An attestation is no signature, whoever has made it.

mod check;
mod claim;
mod found;
mod key;
#[cfg(feature = "keyless")]
mod keyless;
#[cfg(not(feature = "keyless"))]
#[path = "signature/without_keyless.rs"]
mod keyless;
mod policy;
mod referrers;

pub use check::{Met, Signer, Unmet};
pub use found::Signatures;
pub use key::PublicKey;
pub use keyless::TrustRoot;
pub use policy::{Policy, Rule, Segment, Subject, UrlPrefix};
