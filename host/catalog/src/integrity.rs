//! What a component has to be before it is taken up: these contents, or what somebody has signed.

use std::sync::Arc;

use sandbar_registry::{Digest, Policy, Reference, Version};

use super::source::Source;

/// What a component has to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Integrity {
    /// Its digest: of a file the SHA-256 of its bytes, in a registry that of its manifest, as references have it.
    pub digest: Option<Digest>,
    /// Who has to have signed it.
    pub signatures: Option<Arc<Policy>>,
}

/// Why a component is not taken up. Worded for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// It has other contents.
    #[error(
        "it has the digest {found}, and `digest` in sandbar.yaml says {wanted}, so it is not what was meant: if it is, write that digest there"
    )]
    Other {
        /// What it has.
        found: Digest,
        /// What it has to have.
        wanted: Digest,
    },
    /// A file has no signature.
    #[error(
        "`signatures` in sandbar.yaml says who has to have signed components, and nobody has signed a file: load it from a registry, or add \
         `digest: {0}` to its entry, if it is to be served as it is"
    )]
    File(Digest),
    /// Nothing says which contents a tag stands for.
    #[error(
        "a tag can lead to anything: add the `digest` of what is meant to its entry (`sandbar lock` does), or say in `signatures` who has to have \
         signed it"
    )]
    Tag,
}

impl Integrity {
    /// Checks the digest of a file. Components of registries were pinned and verified before they were read.
    pub fn check_contents(&self, source: &Source, digest: Option<Digest>) -> Result<(), NotTaken> {
        match (source, digest) {
            (Source::File(_), Some(digest)) => self.check_file(digest),
            _ => Ok(()),
        }
    }

    fn check_file(&self, found: Digest) -> Result<(), NotTaken> {
        match (self.digest, &self.signatures) {
            (Some(wanted), _) if wanted == found => Ok(()),
            (Some(wanted), _) => Err(NotTaken::Other { found, wanted }),
            (None, Some(_)) => Err(NotTaken::File(found)),
            (None, None) => Ok(()),
        }
    }

    /// What is asked for where a reference stands: by digest, if there is one.
    pub fn exact(&self, reference: &Reference) -> Result<Reference, NotTaken> {
        match (&reference.version, self.digest) {
            (Version::Tag(_), Some(digest)) => {
                Ok(Reference { repository: reference.repository.clone(), version: Version::Digest(digest) })
            }
            (Version::Digest(found), Some(wanted)) if *found != wanted => Err(NotTaken::Other { found: *found, wanted }),
            (Version::Tag(_), None) if self.signatures.is_none() => Err(NotTaken::Tag),
            _ => Ok(reference.clone()),
        }
    }

    /// Whether what was taken up with this digest, as the other says, stays as this says, for all that is known without looking anew.
    /// `is_admitted` says whether a policy is met by the signatures that are known.
    pub(super) fn still_takes(
        &self,
        source: &Source,
        digest: Option<Digest>,
        other: &Self,
        is_admitted: impl FnOnce(&Policy) -> bool,
    ) -> bool {
        match (source, digest) {
            (Source::File(_), Some(digest)) => self.check_file(digest).is_ok(),
            (Source::Registry(_), Some(digest)) => {
                let is_signed = || match &self.signatures {
                    Some(policy) => self.signatures == other.signatures || is_admitted(policy),
                    None => true,
                };
                self.digest.is_none_or(|wanted| digest == wanted) && is_signed()
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Arc<Policy> {
        Arc::new(
            serde_json::from_value(serde_json::json!({ "allOf": [{ "kind": "githubAction", "owner": "team" }] }))
                .expect("a policy"),
        )
    }

    #[test]
    fn a_file_is_taken_up_by_its_digest_and_where_nobody_has_to_have_signed_by_its_path() {
        let (found, other) = (Digest::of(b"a"), Digest::of(b"b"));
        let signatures = Some(policy());
        for (integrity, taken) in [
            (Integrity::default(), Ok(())),
            (Integrity { digest: Some(found), signatures: None }, Ok(())),
            (Integrity { digest: Some(found), signatures: signatures.clone() }, Ok(())),
            (Integrity { digest: Some(other), signatures: None }, Err(NotTaken::Other { found, wanted: other })),
            (Integrity { digest: None, signatures }, Err(NotTaken::File(found))),
        ] {
            assert_eq!(integrity.check_file(found), taken, "{integrity:?}");
        }
    }

    #[test]
    fn a_tag_is_no_answer_to_what_is_meant() {
        let tag: Reference = "oci://ghcr.io/team/restarts:1".parse().expect("a reference");
        let (digest, other) = (Digest::of(b"a"), Digest::of(b"b"));
        let by_digest = Reference { repository: tag.repository.clone(), version: Version::Digest(digest) };
        let pinned = Integrity { digest: Some(digest), signatures: None };
        let signed = Integrity { digest: None, signatures: Some(policy()) };
        assert_eq!(Integrity::default().exact(&tag), Err(NotTaken::Tag));
        assert_eq!(pinned.exact(&tag), Ok(by_digest.clone()));
        assert_eq!(signed.exact(&tag), Ok(tag));
        assert_eq!(Integrity::default().exact(&by_digest), Ok(by_digest.clone()));
        let wanted = Integrity { digest: Some(other), signatures: None };
        assert_eq!(wanted.exact(&by_digest), Err(NotTaken::Other { found: digest, wanted: other }));
    }

    #[test]
    fn what_is_served_stays_unless_more_is_asked_of_it_than_was_looked_at() {
        let (digest, other) = (Digest::of(b"a"), Digest::of(b"b"));
        let signed = Integrity { digest: None, signatures: Some(policy()) };
        let any = Integrity::default();
        let pinned = |digest| Integrity { digest: Some(digest), signatures: None };
        let tag = Source::Registry("oci://ghcr.io/team/restarts:1".parse().expect("a reference"));
        let stays =
            |source: &Source, now: &Integrity, before: &Integrity| now.still_takes(source, Some(digest), before, |_| false);
        assert!(stays(&tag, &any, &any) && stays(&tag, &any, &signed) && stays(&tag, &signed, &signed));
        assert!(!stays(&tag, &signed, &any));
        assert!(
            signed.still_takes(&tag, Some(digest), &any, |_| true)
                && !pinned(other).still_takes(&tag, Some(digest), &any, |_| true)
        );
        assert!(stays(&tag, &pinned(digest), &any) && !stays(&tag, &pinned(other), &any));
        // Of a file the digest alone counts.
        let file = Source::File("a.wasm".into());
        let both = Integrity { digest: Some(digest), signatures: Some(policy()) };
        assert!(stays(&file, &any, &both) && stays(&file, &both, &any) && stays(&file, &pinned(digest), &both));
        assert!(!stays(&file, &signed, &both) && !stays(&file, &signed, &signed) && !stays(&file, &pinned(other), &any));
    }
}
