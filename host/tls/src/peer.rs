//! Who is at the other end of a connection, as its certificate says.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A client's certificate, of which the handshake has shown that an authority of the listener's has signed it, and that the client has its
/// key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    common_name: Option<String>,
    leaf: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
}

impl ClientCertificate {
    /// Reads a chain that was verified. None where it is empty, or a common name in it is no text: nobody is better than somebody else.
    pub(super) fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let (leaf, intermediates) = chain.split_first()?;
        let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
        let names: Result<Vec<&str>, _> = parsed.subject().iter_common_name().map(|name| name.as_str()).collect();
        Some(Self {
            // Of several the last one counts, as it does for the API server.
            common_name: names.ok()?.pop().map(str::to_owned),
            leaf: leaf.clone().into_owned(),
            intermediates: intermediates.iter().map(|certificate| certificate.clone().into_owned()).collect(),
        })
    }

    /// The common name of its subject.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The certificate itself, and those of authorities that the client has sent along.
    pub(super) fn chain(&self) -> (&CertificateDer<'static>, &[CertificateDer<'static>]) {
        (&self.leaf, &self.intermediates)
    }
}

/// An authority of clients, for tests.
#[cfg(any(test, feature = "test-certificate"))]
pub struct TestAuthority {
    pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

#[cfg(any(test, feature = "test-certificate"))]
impl TestAuthority {
    /// One that nobody else has.
    ///
    /// # Panics
    /// Where none can be made.
    #[allow(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: rcgen::Issuer::new(params, key) }
    }

    /// It alone.
    ///
    /// # Panics
    /// Never: it is an authority.
    pub fn authorities(&self) -> super::Authorities {
        super::Authorities::read(self.pem.as_bytes()).expect("an authority")
    }

    /// A client's certificate with this common name.
    ///
    /// # Panics
    /// Where none can be made.
    pub fn sign(&self, common_name: &str) -> ClientCertificate {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        ClientCertificate::of(&[certificate.der().clone()]).expect("text")
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    fn read(attributes: &[(DnType, DnValue)]) -> Option<Option<String>> {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in attributes {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        let certificate = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
        ClientCertificate::of(&[certificate.der().clone()]).map(|read| read.common_name)
    }

    #[test]
    fn a_subject_has_a_name() {
        let text = |text: &str| DnValue::Utf8String(text.to_owned());
        let (name, group) = ((DnType::CommonName, text("front-proxy")), (DnType::OrganizationName, text("system:masters")));
        assert_eq!(read(&[name, group.clone()]), Some(Some("front-proxy".to_owned())));
        assert_eq!(read(&[group]), Some(None));
        assert_eq!(read(&[]), Some(None));
        // What is no text for us could be anybody's name for somebody else.
        let odd = DnValue::BmpString("front-proxy".try_into().expect("letters"));
        assert_eq!(read(&[(DnType::CommonName, odd)]), None);
    }
}
