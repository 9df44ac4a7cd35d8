//! Whether a policy is met by the signatures that there are, and by whom.

use std::cell::OnceCell;
use std::fmt;

use sandbar_text::clean_line;
use serde::{Deserialize, Serialize};

use super::claim::Claim;
use super::found::Signatures;
use super::keyless::{Identity, TrustRoot};
use super::policy::{Policy, Rule};
use crate::digest::Digest;

/// Bytes of somebody else's words in a message.
const WORDS_BYTES: usize = 400;

/// Of what is wrong, how many rules are named, and with how many signatures each.
const UNMET: usize = 8;
const WHYS: usize = 8;

/// A policy is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// The rules that are met, each by the first signature that does.
    pub by: Vec<(Rule, Signer)>,
}

/// A policy is not met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Unmet {
    /// The rules that are not met, each with what is wrong with each signature that was found.
    pub failed: Vec<(Rule, Vec<String>)>,
    /// How many of the rules in `anyOf` are met and how many have to be, where those are too few.
    pub any_of: Option<(usize, usize)>,
    /// How many signatures were found, and how many more there were than are looked at.
    pub found: (usize, usize),
}

/// Who has signed.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Signer {
    /// Whoever has a key: the SHA-256 of the public one, as DER.
    Key(Digest),
    /// Whom an issuer knows.
    Identity {
        /// The issuer.
        issuer: String,
        /// Its name for them.
        subject: String,
    },
}

/// A signature for the right digest, and by whom, as far as that has been looked at.
struct Candidate<'r> {
    claim: Result<Claim, String>,
    root: Option<&'r TrustRoot>,
    identity: OnceCell<Result<Identity, String>>,
}

impl Policy {
    /// Whether it is met for a digest by the signatures that were found. Asks nobody: it takes some 100 µs for each signature and rule.
    pub fn check(&self, digest: &Digest, signatures: &Signatures, root: Option<&TrustRoot>) -> Result<Met, Unmet> {
        let candidates = signatures.found.iter().map(|found| Candidate {
            claim: Claim::read(found, digest, &signatures.document.0),
            root,
            identity: OnceCell::new(),
        });
        let candidates: Vec<Candidate<'_>> = candidates.collect();
        let mut by = Vec::new();
        let mut failed = Vec::new();
        let mut check = |rules: &[Rule]| {
            let before = by.len();
            for rule in rules {
                let mut whys = Vec::new();
                let signer = candidates.iter().find_map(|candidate| candidate.signer(rule).map_err(|why| whys.push(why)).ok());
                match signer {
                    Some(signer) => by.push((rule.clone(), signer)),
                    None => failed.push((rule.clone(), whys)),
                }
            }
            by.len() - before
        };
        let all = check(&self.all_of) == self.all_of.len();
        let any = check(&self.any_of);
        if all && any >= self.minimum {
            return Ok(Met { by });
        }
        // What is missing in a list that is met does not matter.
        let matters = |rule: &Rule| self.all_of.contains(rule) || any < self.minimum;
        failed.retain(|(rule, _)| matters(rule));
        let any_of = (any < self.minimum).then_some((any, self.minimum));
        Err(Unmet { failed, any_of, found: (candidates.len(), signatures.left_out) })
    }
}

impl Candidate<'_> {
    /// Who has made it, if that is whom a rule wants.
    fn signer(&self, rule: &Rule) -> Result<Signer, String> {
        let claim = self.claim.as_ref().map_err(Clone::clone)?;
        let signer = match rule {
            Rule::PubKey { key, .. } => match key.bare.has_signed(&claim.message, &claim.signature) {
                true => Signer::Key(key.bare.id),
                false if claim.evidence.is_some() => return Err("was made with a certificate, and a key is asked for".to_owned()),
                false => return Err("was not made with this key, or what was signed has been changed".to_owned()),
            },
            Rule::GenericIssuer { .. } | Rule::GithubAction { .. } => {
                let identity = self.identity.get_or_init(|| Identity::of(claim, self.root)).as_ref().map_err(Clone::clone)?;
                rule.is_for(&identity.issuer, &identity.subject)?;
                Signer::Identity { issuer: identity.issuer.clone(), subject: identity.subject.clone() }
            }
        };
        for (key, value) in rule.annotations() {
            if claim.annotations.get(key) != Some(value) {
                let has = claim
                    .annotations
                    .get(key)
                    .map_or("without it".to_owned(), |has| format!("with `{}`", clean_line(has, WORDS_BYTES)));
                return Err(format!("was signed {has}, where the annotation `{}` is asked for", clean_line(key, WORDS_BYTES)));
            }
        }
        Ok(signer)
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key {}", &id.hex()[..12]),
            Self::Identity { issuer, subject } => {
                write!(f, "{} ({})", clean_line(subject, WORDS_BYTES), clean_line(issuer, WORDS_BYTES))
            }
        }
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (rule, signer)) in self.by.iter().enumerate() {
            let join = if at == 0 { "" } else { "; " };
            write!(f, "{join}{rule} is met by {signer}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (found, left_out) = self.found;
        match found {
            0 => write!(f, "it is not signed: no signature of cosign was found for its digest")?,
            found => {
                let plural = if found == 1 { "signature" } else { "signatures" };
                write!(f, "it is not signed as the policy says ({found} {plural} found")?;
                if left_out > 0 {
                    write!(f, ", and {left_out} more that were not looked at")?;
                }
                write!(f, ")")?;
            }
        }
        if let Some((met, needed)) = self.any_of {
            write!(f, "; of anyOf {met} met and {needed} needed")?;
        }
        for (rule, whys) in self.failed.iter().take(UNMET) {
            write!(f, "; {rule} is not met")?;
            for (at, why) in whys.iter().take(WHYS).enumerate() {
                let number = at + 1;
                write!(f, "{} signature {number} {}", if at == 0 { ":" } else { "," }, clean_line(why, WORDS_BYTES))?;
            }
            if whys.len() > WHYS {
                write!(f, ", and {} more", whys.len() - WHYS)?;
            }
        }
        Ok(())
    }
}
