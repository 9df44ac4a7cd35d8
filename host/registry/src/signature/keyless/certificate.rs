//! A signer's certificate: by whom, at what time, in a log, and for whom.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

use super::Identity;
use super::der::{SEQUENCE, Value, all, first, only, wrapped};
use super::trust_root::TrustRoot;
use crate::digest::Digest;
use crate::signature::key::BareKey;

/// id-kp-codeSigning, as DER.
const CODE_SIGNING: &[u8] = &[43, 6, 1, 5, 5, 7, 3, 3];

/// Who says whom a certificate is for: as text alone, and, later, as a UTF8String.
const ISSUER_OLD: &str = "1.3.6.1.4.1.57264.1.1";
const ISSUER: &str = "1.3.6.1.4.1.57264.1.8";

/// The extension with what certificate logs say, as DER.
const LOGGED: &[u8] = &[43, 6, 1, 4, 1, 214, 121, 2, 4, 2];

/// Certificates between a signer's and a root.
const BETWEEN: usize = 8;

const UNREADABLE: &str = "has a certificate that cannot be read";

/// A signer's certificate.
pub(super) struct Certificate<'c> {
    read: X509Certificate<'c>,
    pub(super) key: BareKey,
}

impl<'c> Certificate<'c> {
    pub(super) fn read(leaf: &'c [u8]) -> Result<Self, String> {
        let (_, read) = X509Certificate::from_der(leaf).ok().filter(|(rest, _)| rest.is_empty()).ok_or(UNREADABLE)?;
        let key = BareKey::from_der(read.public_key().raw).map_err(|why| format!("has a certificate whose key {why}"))?;
        Ok(Self { read, key })
    }

    /// Whether an authority gave it, it was valid at that time, and it was logged.
    pub(super) fn check(&self, leaf: &[u8], between: &[Vec<u8>], root: &TrustRoot, time: i64) -> Result<(), String> {
        if between.len() > BETWEEN {
            return Err(format!("has a chain of more than {BETWEEN} certificates"));
        }
        let leaf_der = CertificateDer::from(leaf);
        let end_entity = EndEntityCert::try_from(&leaf_der).map_err(|_| UNREADABLE)?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time).map_err(|_| "was made before 1970")?));
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
        let mut why =
            "has a certificate of an authority that is not in the trust root, or was not valid there when it was made".to_owned();
        for authority in root.authorities.iter().filter(|authority| authority.valid.covers(time)) {
            let mut chain: Vec<CertificateDer<'_>> = authority.between.clone();
            chain.extend(between.iter().map(|der| CertificateDer::from(der.as_slice())));
            let anchors = std::slice::from_ref(&authority.anchor);
            match end_entity.verify_for_usage(algorithms, anchors, &chain, at, KeyUsage::required(CODE_SIGNING), None, None) {
                Ok(path) if root.certificate_logs.is_empty() || self.is_logged(leaf, &path.issuer_spki(), root) => return Ok(()),
                Ok(_) => why = "has a certificate that is in no certificate log of the trust root".to_owned(),
                Err(webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. }) => {
                    why = "was made at a time at which its certificate was not valid".to_owned();
                }
                Err(webpki::Error::RequiredEkuNotFoundContext(_)) => {
                    why = "has a certificate that is not for signing code".to_owned()
                }
                Err(_) => {}
            }
        }
        Err(why)
    }

    /// Whether a certificate log has signed for it (RFC 6962).
    fn is_logged(&self, leaf: &[u8], issuer: &[u8], root: &TrustRoot) -> bool {
        let Some(unlogged) = without_logged(leaf) else { return false };
        let extensions = self.read.extensions().iter().map(|extension| extension.parsed_extension());
        let logged = extensions.flat_map(|extension| match extension {
            ParsedExtension::SCT(logged) => logged.as_slice(),
            _ => &[],
        });
        logged.into_iter().any(|entry| {
            let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
            // Version 1, of a certificate that is not yet signed.
            let mut message = vec![0, 0];
            message.extend_from_slice(&entry.timestamp.to_be_bytes());
            message.extend_from_slice(&[0, 1]);
            message.extend_from_slice(Digest::of(issuer).bytes());
            message.extend_from_slice(&length(&unlogged)[1..]);
            message.extend_from_slice(&unlogged);
            message.extend_from_slice(&length(entry.extensions.0)[2..]);
            message.extend_from_slice(entry.extensions.0);
            let seconds = i64::try_from(entry.timestamp / 1000).unwrap_or(i64::MAX);
            let mut logs = root.certificate_logs.iter().filter(|log| log.is_called(entry.id.key_id) && log.valid.covers(seconds));
            entry.version.0 == 0 && logs.any(|log| log.key.has_signed(&message, entry.signature.data))
        })
    }

    /// Whom it is for.
    pub(super) fn identity(&self) -> Result<Identity, String> {
        let names = self.read.subject_alternative_name().map_err(|_| UNREADABLE)?;
        let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
        let subject = match names {
            [GeneralName::RFC822Name(name) | GeneralName::URI(name)] => (*name).to_owned(),
            _ => return Err("has a certificate that is for nobody with one address of mail or one URL".to_owned()),
        };
        let extension = |wanted: &str| {
            let mut found = self.read.extensions().iter().filter(|extension| extension.oid.to_id_string() == wanted);
            found.next().map(|extension| extension.value)
        };
        let issuer = match extension(ISSUER) {
            Some(der) => only(der, 0x0c),
            None => extension(ISSUER_OLD),
        };
        let issuer =
            issuer.and_then(|issuer| std::str::from_utf8(issuer).ok()).ok_or("has a certificate that names no issuer")?;
        Ok(Identity { issuer: issuer.to_owned(), subject })
    }
}

/// What a certificate log has signed for: what is in a certificate without what the log says.
fn without_logged(certificate: &[u8]) -> Option<Vec<u8>> {
    let (signed, _) = first(only(certificate, SEQUENCE)?)?;
    let mut fields: Vec<Value<'_>> = all(signed.content)?;
    let extensions = fields.pop().filter(|last| last.tag == 0xa3)?;
    let is_logged = |extension: &Value<'_>| first(extension.content).is_some_and(|(name, _)| name.content == LOGGED);
    let kept: Vec<u8> = all(only(extensions.content, SEQUENCE)?)?
        .iter()
        .filter(|extension| !is_logged(extension))
        .flat_map(|extension| extension.whole)
        .copied()
        .collect();
    let mut content: Vec<u8> = fields.iter().flat_map(|field| field.whole).copied().collect();
    content.extend(wrapped(0xa3, &wrapped(SEQUENCE, &kept)));
    Some(wrapped(SEQUENCE, &content))
}
