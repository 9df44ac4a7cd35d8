//! Whose client certificates a listener takes.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::peer::ClientCertificate;
use super::pem::certificates;

/// Certificates of a chain, the listener's or a client's. More than six intermediates are verified by no client of rustls.
pub(super) const LONGEST_CHAIN: usize = 8;

/// Authorities of clients in one file.
pub(super) const MOST_AUTHORITIES: usize = 64;

/// Bytes of their names, as a handshake has them. Those of two files are in one message of each, and Java takes no message of more than 32 KiB.
pub(super) const MOST_NAMES: usize = 15 * 1024;

/// Why client certificates cannot be taken by some authorities. It continues a sentence that begins with their source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnusableAuthorities {
    /// There is none.
    #[error("is not PEM with a CERTIFICATE in it")]
    None,
    /// One is the certificate of somebody else.
    #[error("has a certificate in it that is no authority's (CA:TRUE)")]
    NoAuthority,
    /// One cannot be read.
    #[error("has an authority's certificate in it that cannot be used")]
    Broken,
    /// There are too many.
    #[error("has {0} authorities in it, and {MOST_AUTHORITIES} are the most: leave in those that sign certificates of clients")]
    TooMany(usize),
    /// They are called too much.
    #[error(
        "has authorities in it whose names have {0} bytes together, and {MOST_NAMES} are the most: leave in those that sign certificates of \
         clients"
    )]
    LongNames(usize),
}

/// Whose client certificates are taken, as one file has them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Authorities {
    roots: Arc<RootCertStore>,
    verifier: Arc<ShortChains>,
}

impl Authorities {
    /// Parses a PEM text.
    pub fn read(pem: &[u8]) -> Result<Self, UnusableAuthorities> {
        let certificates: Vec<_> = certificates(pem).collect();
        match certificates.len() {
            0 => return Err(UnusableAuthorities::None),
            1..=MOST_AUTHORITIES => {}
            many => return Err(UnusableAuthorities::TooMany(many)),
        }
        let mut store = RootCertStore::empty();
        for certificate in certificates {
            // rustls takes the holder of any certificate in a store for an authority.
            let is_authority = X509Certificate::from_der(&certificate).is_ok_and(|(_, certificate)| certificate.is_ca());
            if !is_authority {
                return Err(UnusableAuthorities::NoAuthority);
            }
            store.add(certificate).map_err(|_| UnusableAuthorities::Broken)?;
        }
        // Each with its length before it.
        match store.subjects().iter().map(|name| 2 + name.as_ref().len()).sum::<usize>() {
            ..=MOST_NAMES => Ok(Self::of(store)),
            bytes => Err(UnusableAuthorities::LongNames(bytes)),
        }
    }

    /// Those of a store that is not empty.
    fn of(store: RootCertStore) -> Self {
        let roots = Arc::new(store);
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), Arc::new(default_provider()));
        let verifier = verifier.allow_unauthenticated().build();
        let verifier = verifier.unwrap_or_else(|_| unreachable!("there is an authority, and no list of revoked ones"));
        Self { roots, verifier: Arc::new(ShortChains(verifier)) }
    }

    /// Whose certificates a handshake takes by the authorities of two files.
    pub(super) fn verifier([one, other]: [Option<&Self>; 2]) -> Option<Arc<ShortChains>> {
        match (one, other) {
            (Some(one), Some(other)) => {
                let mut store = RootCertStore::clone(&one.roots);
                store.extend(other.roots.roots.iter().cloned());
                Some(Self::of(store).verifier)
            }
            (one, other) => one.or(other).map(|only| only.verifier.clone()),
        }
    }

    /// Whether one of these has signed a certificate that is still valid. That somebody else's have signed it as well may be why the
    /// handshake took it, and an authority may be taken out while a connection is open.
    pub fn have_signed(&self, certificate: &ClientCertificate) -> bool {
        let (leaf, intermediates) = certificate.chain();
        self.verifier.verify_client_cert(leaf, intermediates, UnixTime::now()).is_ok()
    }
}

/// Looks at no long chain: to search one for a way to an authority takes up to a hundred signatures, and anybody can send it.
#[derive(Debug)]
pub(super) struct ShortChains(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for ShortChains {
    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if intermediates.len() >= LONGEST_CHAIN {
            return Err(CertificateError::UnknownIssuer.into());
        }
        self.0.verify_client_cert(leaf, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Pair, named};

    #[test]
    fn of_two_sets_of_authorities_each_knows_its_own() {
        let (one, other) = (Pair::of("one", true, None), Pair::of("other", true, None));
        let read = |pem: String| Authorities::read(pem.as_bytes()).expect("authorities");
        let below = Pair::of("below", true, Some(&one));
        let far = Pair::of("me", false, Some(&below));
        let chain = [&far, &below].map(|pair| pair.certificate.der().clone());
        let certificate = ClientCertificate::of(&chain).expect("a certificate");
        assert!(read(one.pem()).have_signed(&certificate) && read(other.pem() + &one.pem()).have_signed(&certificate));
        assert!(!read(other.pem()).have_signed(&certificate));
        let alone = ClientCertificate::of(&chain[..1]).expect("a certificate");
        assert!(!read(one.pem()).have_signed(&alone) && read(below.pem()).have_signed(&alone));
    }

    #[test]
    fn authorities_are_a_few_certificates_that_may_sign_others() {
        let (authority, leaf) = (Pair::of("authority", true, None).pem(), Pair::of("leaf", false, None).pem());
        for (text, said) in [
            (String::new(), "not PEM"),
            (Pair::of("key", true, None).key().serialize_pem(), "not PEM"),
            (leaf.clone(), "no authority's"),
            (format!("{authority}{leaf}"), "no authority's"),
            (authority.repeat(MOST_AUTHORITIES + 1), "65 authorities in it, and 64 are the most"),
            (named(MOST_NAMES), "bytes together, and 15360 are the most"),
        ] {
            let why = Authorities::read(text.as_bytes()).map(drop).expect_err(said).to_string();
            assert!(why.contains(said), "{why}");
        }
        assert!(Authorities::read(authority.repeat(MOST_AUTHORITIES).as_bytes()).is_ok());
    }
}
