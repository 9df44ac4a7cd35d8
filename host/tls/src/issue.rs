//! A certificate for a server that only one client has to trust: an authority that signs it and is gone.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// How long before now a certificate is valid, for clocks that are behind.
const SLACK: Duration = Duration::from_secs(5 * 60);

/// A server's certificate, and what its clients trust. All of it is PEM.
#[derive(Debug)]
pub struct Issued {
    /// The authority, whose key nobody has.
    pub authority: String,
    /// The certificate, of ECDSA on P-256.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Issued {
    /// A certificate for these names and addresses, from now on for so long. An error is one of the names' or of the time.
    pub fn new(names: Vec<String>, valid_for: Duration) -> Result<Self, Error> {
        let common_name = names.first().cloned().unwrap_or_default();
        let (authority_key, key) = (KeyPair::generate()?, KeyPair::generate()?);
        let mut authority = params(Vec::new(), &format!("{common_name} authority"), valid_for)?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let mut server = params(names, &common_name, valid_for)?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.use_authority_key_identifier_extension = true;
        let authority_certificate = authority.self_signed(&authority_key)?;
        let certificate = server.signed_by(&key, &Issuer::new(authority, authority_key))?;
        Ok(Self { authority: authority_certificate.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

fn params(names: Vec<String>, common_name: &str, valid_for: Duration) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    // Of a name, X.509 takes 64 characters.
    params.distinguished_name.push(DnType::CommonName, common_name.chars().take(64).collect::<String>());
    let now = SystemTime::now();
    params.not_before = (now - SLACK).into();
    params.not_after = now.checked_add(valid_for).ok_or(Error::Time)?.into();
    Ok(params)
}

#[cfg(test)]
mod tests {
    use super::super::certificate::Certificate;
    use super::*;

    #[test]
    fn a_pair_is_one_that_a_listener_takes() {
        let names = vec!["coder-k8s.coder-system.svc".to_owned(), "127.0.0.1".to_owned()];
        let issued = Issued::new(names, Duration::from_secs(3600)).expect("a pair");
        let read = Certificate::read(issued.certificate.as_bytes(), issued.key.as_bytes()).expect("a pair");
        let left = read.valid_until.expect("an end").duration_since(SystemTime::now()).expect("later");
        assert!((3590..=3600).contains(&left.as_secs()), "{left:?}");
        assert!(super::super::Authorities::read(issued.authority.as_bytes()).is_ok());
    }

    #[test]
    fn what_is_no_name_is_an_error() {
        assert!(Issued::new(vec!["ü".to_owned()], Duration::from_secs(1)).is_err());
        assert!(Issued::new(vec!["a".to_owned()], Duration::MAX).is_err());
    }
}
