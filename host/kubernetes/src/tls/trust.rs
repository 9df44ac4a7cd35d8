//! Verifies server certificates by Go's rules, where those of webpki differ.
//!
//! - A certificate in the pool needs no chain, whoever signed it and whether or not it is an authority's.
//! - A server may present a certificate with `CA:TRUE`.
//! - Only a certificate that may sign others is an authority: a leaf in the pool is trusted for itself alone. For webpki, all of
//!   the pool are authorities.
//! - An expired authority is none.
//! - The path length of an authority in the pool counts, too; webpki ignores it.
//!
//! Name, time and purpose of a server's certificate are always checked.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use sandbar_tls::blocks;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey;
use x509_parser::x509::X509Version;

/// Bits of an RSA key that may sign.
const RSA_BITS: usize = 2048;

/// Accepted signatures: RSA and ECDSA with SHA-2, and Ed25519 (RFC 8017, RFC 5758, RFC 8410).
const SIGNATURES: [&str; 7] = [
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
    "1.2.840.10045.4.3.4",
    "1.3.101.112",
];

/// A chain has more intermediates than its authority allows.
#[derive(Debug, thiserror::Error)]
#[error("the chain is too long")]
pub(crate) struct ChainTooLong;

/// The trusted certificates.
#[derive(Debug)]
pub(super) struct Pool {
    certificates: Vec<Trusted>,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug)]
struct Trusted {
    der: CertificateDer<'static>,
    /// Its validity, in seconds since 1970.
    validity: (i64, i64),
    /// Whether it may sign server certificates.
    is_authority: bool,
    /// The number of intermediates that it allows, if limited.
    path_length: Option<u32>,
}

impl Pool {
    /// Parses the certificates of a PEM text; unreadable ones are ignored. An error continues a sentence that begins with the
    /// text's source.
    pub(super) fn new(pem: &[u8], provider: Arc<CryptoProvider>) -> Result<Self, &'static str> {
        let blocks = blocks(pem).into_iter().filter(|block| block.label == "CERTIFICATE" && !block.has_headers);
        let certificates: Vec<Trusted> = blocks.filter_map(|block| Trusted::read(block.content.into())).collect();
        if certificates.is_empty() {
            return Err("is not PEM with a CERTIFICATE in it");
        }
        Ok(Self { certificates, provider })
    }

    /// The authorities that are valid at `now`.
    fn authorities(&self, now: UnixTime) -> RootCertStore {
        let mut store = RootCertStore::empty();
        let authorities = self.certificates.iter().filter(|trusted| trusted.is_authority && trusted.is_valid(now));
        store.add_parsable_certificates(authorities.map(|trusted| trusted.der.clone()));
        store
    }

    fn check(&self, leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>], now: UnixTime) -> Result<(), Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        if self.certificates.iter().any(|trusted| trusted.der == *leaf) {
            return check_alone(leaf, now);
        }
        let algorithms = self.provider.signature_verification_algorithms.all;
        let authorities = self.authorities(now);
        match verify_server_cert_signed_by_trust_anchor(&parsed, &authorities, intermediates, now, algorithms) {
            Ok(()) => self.check_path_length(leaf, intermediates, &authorities, now),
            // webpki rejects an authority's certificate as that of a server.
            Err(_) if is_authority(leaf) => self.check_signed_directly(leaf, now),
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Err(self.unknown(now)),
            outcome => outcome,
        }
    }

    /// Whether some chain satisfies the path lengths in the pool.
    fn check_path_length(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        authorities: &RootCertStore,
        now: UnixTime,
    ) -> Result<(), Error> {
        let valid = || self.certificates.iter().filter(|trusted| trusted.is_authority && trusted.is_valid(now));
        if valid().all(|trusted| trusted.path_length.is_none()) {
            return Ok(());
        }
        let is_short_enough = |path: &VerifiedPath<'_>| {
            let between = path.intermediate_certificates().count();
            // Of several authorities with the same name and key, the most generous counts.
            let allows = |trusted: &Trusted| {
                let allowed = trusted.path_length.is_none_or(|most| between <= most as usize);
                allowed
                    && anchor_from_trusted_cert(&trusted.der).is_ok_and(|anchor| {
                        anchor.subject == path.anchor().subject
                            && anchor.subject_public_key_info == path.anchor().subject_public_key_info
                    })
            };
            if valid().any(allows) { Ok(()) } else { Err(webpki::Error::PathLenConstraintViolated) }
        };
        let found = EndEntityCert::try_from(leaf).and_then(|leaf| {
            let (algorithms, usage) = (self.provider.signature_verification_algorithms.all, KeyUsage::server_auth());
            leaf.verify_for_usage(algorithms, &authorities.roots, intermediates, now, usage, None, Some(&is_short_enough))
                .map(drop)
        });
        found.map_err(|_| CertificateError::Other(OtherError(Arc::new(ChainTooLong))).into())
    }

    /// Checks a server certificate with `CA:TRUE` that one in the pool has signed. It is not checked through intermediates, which
    /// does not occur.
    fn check_signed_directly(&self, leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
        check_alone(leaf, now)?;
        let (_, server) = X509Certificate::from_der(leaf).map_err(|_| CertificateError::BadEncoding)?;
        let signed = self.certificates.iter().filter(|trusted| trusted.is_authority && trusted.is_valid(now)).any(|trusted| {
            let Ok((_, authority)) = X509Certificate::from_der(&trusted.der) else { return false };
            authority.subject().as_raw() == server.issuer().as_raw()
                // The constraints would have to be applied to the server's names.
                && matches!(authority.name_constraints(), Ok(None))
                && is_strong(&server, &authority)
                && server.verify_signature(Some(authority.public_key())).is_ok()
        });
        if signed { Ok(()) } else { Err(self.unknown(now)) }
    }

    /// The error for an unknown issuer, or for an expired authority if that is the reason.
    fn unknown(&self, now: UnixTime) -> Error {
        let authorities = || self.certificates.iter().filter(|trusted| trusted.is_authority);
        let all_over = authorities().next().is_some() && authorities().all(|trusted| !trusted.is_valid(now));
        let error = if all_over { CertificateError::Expired } else { CertificateError::UnknownIssuer };
        Error::InvalidCertificate(error)
    }
}

impl Trusted {
    fn read(der: CertificateDer<'static>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        let validity = (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
        let (may_sign, path_length) = match certificate.basic_constraints() {
            Ok(Some(constraints)) => (constraints.value.ca, constraints.value.path_len_constraint),
            // Before version 3 there was no way to mark a leaf.
            Ok(None) => (certificate.version() != X509Version::V3, None),
            Err(_) => (false, None),
        };
        let for_signing = match certificate.key_usage() {
            Ok(usage) => usage.is_none_or(|usage| usage.value.key_cert_sign()),
            Err(_) => false,
        };
        let is_authority = may_sign && for_signing && is_for_servers(&certificate);
        Some(Self { der, validity, is_authority, path_length })
    }

    fn is_valid(&self, now: UnixTime) -> bool {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        (self.validity.0..=self.validity.1).contains(&now)
    }
}

/// Whether Go and webpki would accept a signature: x509-parser also checks those with SHA-1 and short keys.
fn is_strong(signed: &X509Certificate<'_>, by: &X509Certificate<'_>) -> bool {
    let long_enough = match by.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => key.key_size() >= RSA_BITS,
        Ok(_) => true,
        Err(_) => false,
    };
    long_enough && SIGNATURES.contains(&signed.signature_algorithm.algorithm.to_id_string().as_str())
}

/// Checks the time and purpose of a certificate that is trusted by itself.
fn check_alone(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < certificate.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > certificate.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    if !is_for_servers(&certificate) {
        return Err(CertificateError::InvalidPurpose.into());
    }
    Ok(())
}

/// Whether a certificate is for servers: it says so, or has no purpose.
fn is_for_servers(certificate: &X509Certificate<'_>) -> bool {
    match certificate.extended_key_usage() {
        Ok(None) => true,
        Ok(Some(usage)) => usage.value.server_auth || usage.value.any,
        Err(_) => false,
    }
}

/// Whether a certificate is an authority's.
fn is_authority(leaf: &CertificateDer<'_>) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else { return false };
    certificate.basic_constraints().is_ok_and(|constraints| constraints.is_some_and(|constraints| constraints.value.ca))
}

impl ServerCertVerifier for Pool {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(leaf, intermediates, now)?;
        verify_server_name(&ParsedCertificate::try_from(leaf)?, name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// `insecure-skip-tls-verify`: accepts any server. Whoever is in between can present any certificate, so its signatures prove
/// nothing, either.
#[derive(Debug)]
pub(super) struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        // The schemes of kubectl.
        vec![
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::ED25519,
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
    };

    use super::*;

    struct Pair {
        params: CertificateParams,
        key: KeyPair,
        der: CertificateDer<'static>,
        pem: String,
    }

    /// The difference from a server certificate for `api.example`.
    type Change = fn(&mut CertificateParams);

    fn pair(name: &str, by: Option<&Pair>, change: Change) -> Pair {
        let mut params = CertificateParams::new(["api.example".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2040, 1, 1));
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = match by {
            None => params.self_signed(&key),
            Some(by) => params.signed_by(&key, &Issuer::from_params(&by.params, &by.key)),
        };
        let certificate = certificate.unwrap();
        Pair { der: certificate.der().clone(), pem: certificate.pem(), params, key }
    }

    impl Pair {
        /// Another self-signed certificate for the same name and key.
        fn again(&self, change: Change) -> Pair {
            let mut params = self.params.clone();
            change(&mut params);
            let key = KeyPair::from_pem(&self.key.serialize_pem()).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            Pair { der: certificate.der().clone(), pem: certificate.pem(), params, key }
        }
    }

    fn leaf(_: &mut CertificateParams) {}

    fn no_authority(params: &mut CertificateParams) {
        params.is_ca = IsCa::ExplicitNoCa;
    }

    fn authority(params: &mut CertificateParams) {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }

    fn for_clients(params: &mut CertificateParams) {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }

    /// The result for a server that presents `shown` for a name, on New Year's Day of a year.
    fn verdict(pool: &[&Pair], shown: &[&Pair], name: &'static str, year: u64) -> Result<(), Error> {
        let pem: String = pool.iter().map(|pair| pair.pem.as_str()).collect();
        let pool = Pool::new(pem.as_bytes(), Arc::new(rustls::crypto::ring::default_provider())).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_557_600));
        let intermediates: Vec<_> = shown[1..].iter().map(|pair| pair.der.clone()).collect();
        let name = ServerName::try_from(name).unwrap();
        pool.verify_server_cert(&shown[0].der, &intermediates, &name, &[], now).map(drop)
    }

    #[test]
    fn whom_kubectl_trusts_is_trusted() {
        let root = pair("root", None, authority);
        let between = pair("between", Some(&root), authority);
        let stranger = pair("stranger", None, authority);
        let (signed, below) = (pair("signed", Some(&root), leaf), pair("below", Some(&between), leaf));
        let (alone, no) = (pair("alone", None, leaf), pair("no", None, no_authority));
        let own = pair("own", None, authority);
        let signed_authority = pair("sub", Some(&root), authority);
        let strange = pair("strange", Some(&stranger), no_authority);
        for (what, pool, shown) in [
            ("a chain", vec![&root], vec![&signed]),
            ("a chain of three", vec![&root], vec![&below, &between]),
            ("an intermediate as the authority", vec![&between], vec![&below]),
            ("the right one of several", vec![&stranger, &root], vec![&signed]),
            ("its own certificate", vec![&alone], vec![&alone]),
            ("its own, which is none of an authority", vec![&no], vec![&no]),
            ("its own, which is one of an authority", vec![&own], vec![&own]),
            ("its own, signed by somebody else", vec![&strange], vec![&strange]),
            ("a leaf beside the authority", vec![&strange, &root], vec![&signed]),
            ("an authority's, signed by one", vec![&root], vec![&signed_authority]),
        ] {
            assert_eq!(verdict(&pool, &shown, "api.example", 2030), Ok(()), "{what}");
            assert!(verdict(&pool, &shown, "other.example", 2030).is_err(), "{what}: another name");
            assert!(verdict(&pool, &shown, "api.example", 2045).is_err(), "{what}: too late");
            assert!(verdict(&pool, &shown, "api.example", 2015).is_err(), "{what}: too early");
        }
    }

    #[test]
    fn nobody_else_is() {
        let root = pair("root", None, authority);
        let stranger = pair("stranger", None, authority);
        let trusted_leaf = pair("leaf", Some(&root), no_authority);
        let trusted_plain = pair("plain", Some(&root), leaf);
        let no_signing = pair("no signing", None, |params| {
            authority(params);
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        });
        let for_clients_only = pair("clients", None, |params| {
            authority(params);
            for_clients(params);
        });
        let over = pair("over", None, |params| {
            authority(params);
            params.not_after = date_time_ymd(2025, 1, 1);
        });
        // Same name and signature as the root, with another key.
        let forged_root = pair("root", None, authority);
        for (what, pool, shown) in [
            ("signed by a stranger", &root, pair("x", Some(&stranger), leaf)),
            ("signed by one of the same name", &root, pair("x", Some(&forged_root), leaf)),
            ("signed by a leaf of the pool", &trusted_leaf, pair("x", Some(&trusted_leaf), leaf)),
            ("signed by a leaf of the pool that does not say it is one", &trusted_plain, pair("x", Some(&trusted_plain), leaf)),
            ("an authority, signed by a leaf of the pool", &trusted_leaf, pair("x", Some(&trusted_leaf), authority)),
            ("an authority, signed by a stranger", &root, pair("x", Some(&stranger), authority)),
            ("an authority, signed by one of the same name", &root, pair("x", Some(&forged_root), authority)),
            ("signed by what may not sign", &no_signing, pair("x", Some(&no_signing), leaf)),
            ("signed by an authority for clients", &for_clients_only, pair("x", Some(&for_clients_only), leaf)),
            ("for clients", &root, pair("x", Some(&root), for_clients)),
            ("signed by one whose time is up", &over, pair("x", Some(&over), leaf)),
            ("an authority, signed by one whose time is up", &over, pair("x", Some(&over), authority)),
        ] {
            assert!(verdict(&[pool], &[&shown], "api.example", 2030).is_err(), "{what}");
        }
        let own_for_clients = pair("own", None, for_clients);
        assert!(verdict(&[&own_for_clients], &[&own_for_clients], "api.example", 2030).is_err());
        let expired = Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(verdict(&[&over], &[&pair("x", Some(&over), leaf)], "api.example", 2030), Err(expired), "the reason is told");
    }

    #[test]
    fn an_authority_of_the_pool_allows_for_so_many_intermediates() {
        /// An authority with a path length.
        fn up_to<const LENGTH: u8>(params: &mut CertificateParams) {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(LENGTH));
        }
        let lengths: [Change; 4] = [up_to::<0>, up_to::<1>, up_to::<2>, authority];
        for (allowed, change) in lengths.into_iter().enumerate() {
            let root = pair("root", None, change);
            let first = pair("first", Some(&root), authority);
            let second = pair("second", Some(&first), authority);
            let chains = [vec![], vec![&first], vec![&second, &first]];
            for (length, chain) in chains.into_iter().enumerate() {
                let leaf = pair("leaf", Some(chain.first().copied().unwrap_or(&root)), leaf);
                let shown: Vec<&Pair> = std::iter::once(&leaf).chain(chain).collect();
                let verdict = |pool: &[&Pair]| verdict(pool, &shown, "api.example", 2030);
                assert_eq!(verdict(&[&root]).is_ok(), length <= allowed, "{allowed} allowed, {length} between");
                // If an intermediate is in the pool, the path ends there.
                assert!(shown.get(1).is_none_or(|nearest| verdict(&[&root, nearest]).is_ok()), "{allowed}, {length}");
                // The same authority without a path length, after or before.
                let twin = root.again(authority);
                assert!(verdict(&[&root, &twin]).is_ok() && verdict(&[&twin, &root]).is_ok(), "{allowed}, {length}");
            }
            // An authority's certificate that a server presents is not an intermediate.
            let shown = pair("sub", Some(&root), authority);
            assert_eq!(verdict(&[&root], &[&shown], "api.example", 2030), Ok(()), "{allowed}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        let root = pair("root", None, authority);
        let provider = || Arc::new(rustls::crypto::ring::default_provider());
        let broken = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
        let junk = format!("subject=/CN=x\n{broken}{}junk\n-----BEGIN CERTIFICATE-----\nunended", root.pem.replace('\n', "\r\n"));
        assert_eq!(Pool::new(junk.as_bytes(), provider()).unwrap().certificates.len(), 1);
        for empty in ["", "junk", broken, &root.key.serialize_pem()] {
            assert!(Pool::new(empty.as_bytes(), provider()).is_err(), "{empty}");
        }
    }
}
