//! Certificates for tests.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use super::authorities::MOST_AUTHORITIES;

/// A certificate and its key.
pub(super) struct Pair {
    pub(super) certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Pair {
    pub(super) fn of(name: &str, is_authority: bool, by: Option<&Pair>) -> Self {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.distinguished_name.push(DnType::CommonName, name);
        if is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        } else {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        }
        let key = KeyPair::generate().expect("a key");
        let certificate = match by {
            Some(by) => params.signed_by(&key, &by.issuer),
            None => params.self_signed(&key),
        };
        Self { certificate: certificate.expect("a certificate"), issuer: Issuer::new(params, key) }
    }

    pub(super) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(super) fn key(&self) -> &KeyPair {
        self.issuer.key()
    }
}

/// As many authorities as may be, whose names have so many bytes without what is around them.
pub(super) fn named(bytes: usize) -> String {
    Pair::of(&"x".repeat(bytes / MOST_AUTHORITIES), true, None).pem().repeat(MOST_AUTHORITIES)
}
