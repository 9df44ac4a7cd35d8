//! Who is at the other end of a connection, as its certificate says.

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// A client's certificate, of which the handshake has shown that an authority of the listener's has signed it, and that the client has its
/// key. To Kubernetes the common name is a user, and the organizations are the user's groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    common_name: Option<String>,
    organizations: Vec<String>,
    leaf: CertificateDer<'static>,
    intermediates: Vec<CertificateDer<'static>>,
}

impl ClientCertificate {
    /// Reads a chain that was verified. None where it is empty, or a name in it is no text: nobody is better than somebody else.
    pub(super) fn of(chain: &[CertificateDer<'_>]) -> Option<Self> {
        let (leaf, intermediates) = chain.split_first()?;
        let (_, parsed) = X509Certificate::from_der(leaf).ok()?;
        let subject = parsed.subject();
        Some(Self {
            // Of several the last one counts, as it does for the API server.
            common_name: texts(subject, X509Name::iter_common_name)?.pop(),
            organizations: texts(subject, X509Name::iter_organization)?,
            leaf: leaf.clone().into_owned(),
            intermediates: intermediates.iter().map(|certificate| certificate.clone().into_owned()).collect(),
        })
    }

    /// The common name of its subject.
    pub fn common_name(&self) -> Option<&str> {
        self.common_name.as_deref()
    }

    /// The organizations of its subject.
    pub fn organizations(&self) -> &[String] {
        &self.organizations
    }

    /// The certificate itself, as DER.
    pub fn der(&self) -> &[u8] {
        &self.leaf
    }

    /// The certificate itself, and those of authorities that the client has sent along.
    pub(super) fn chain(&self) -> (&CertificateDer<'static>, &[CertificateDer<'static>]) {
        (&self.leaf, &self.intermediates)
    }
}

/// The values of an attribute, if all of them are text.
fn texts<'n, I>(name: &'n X509Name<'n>, values: impl FnOnce(&'n X509Name<'n>) -> I) -> Option<Vec<String>>
where
    I: Iterator<Item = &'n AttributeTypeAndValue<'n>>,
{
    values(name).map(|value| value.as_str().ok().map(str::to_owned)).collect()
}

/// A client's certificate with this common name.
///
/// # Panics
/// Where none can be made.
#[cfg(any(test, feature = "test-certificate"))]
pub fn test_certificate(common_name: &str) -> ClientCertificate {
    let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
    let certificate = params.self_signed(&rcgen::KeyPair::generate().expect("a key")).expect("a certificate");
    ClientCertificate::of(&[certificate.der().clone()]).expect("text")
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};

    use super::*;

    fn read(attributes: &[(DnType, DnValue)]) -> Option<ClientCertificate> {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in attributes {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        let certificate = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
        ClientCertificate::of(&[certificate.der().clone()])
    }

    #[test]
    fn a_subject_is_a_name_and_organizations() {
        let text = |text: &str| DnValue::Utf8String(text.to_owned());
        let read_as = |attributes: &[(DnType, DnValue)]| {
            read(attributes).map(|read| (read.common_name().map(str::to_owned), read.organizations().to_vec()))
        };
        let (name, group) = ((DnType::CommonName, text("front-proxy")), (DnType::OrganizationName, text("system:masters")));
        assert_eq!(read_as(&[name.clone(), group.clone()]), Some((Some("front-proxy".into()), vec!["system:masters".into()])));
        assert_eq!(read_as(&[group]), Some((None, vec!["system:masters".into()])));
        assert_eq!(read_as(&[]), Some((None, Vec::new())));
        // What is no text for us could be anybody's name for somebody else.
        let odd = DnValue::BmpString("front-proxy".try_into().expect("letters"));
        assert_eq!(read_as(&[(DnType::CommonName, odd)]), None);
        assert!(read(&[name]).is_some_and(|read| X509Certificate::from_der(read.der()).is_ok()));
    }
}
