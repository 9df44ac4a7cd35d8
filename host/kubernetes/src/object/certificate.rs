//! Whether a value of a Secret is certificates and nothing else.
//!
//! A certificate is public: a server shows it to whoever connects. What its issuer has signed is shown with it, the extensions that nobody
//! knows as well. Around that nothing may stand: no key in the same file, no words, no byte behind an end. Nobody here knows the issuer, so a
//! signature may be anything, and an extension may hold anything: a private key in one of them is looked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;
use sandbar_text::steps::steps;
use webpki::EndEntityCert;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::private_key;

/// Bytes of a value that is looked at: enough for all authorities that a browser trusts.
const MOST: usize = 384 * 1024;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Whether a value is the base64 of PEM that is made of certificates alone.
pub(super) fn are_certificates(value: &str) -> bool {
    if value.len() > MOST {
        return false;
    }
    steps(value.len());
    let pem = STANDARD.decode(value).ok().and_then(|pem| String::from_utf8(pem).ok());
    pem.is_some_and(|pem| is_pem_of_certificates(&pem))
}

fn is_pem_of_certificates(pem: &str) -> bool {
    let mut rest = pem.trim_ascii();
    while let Some((body, after)) = rest.strip_prefix(BEGIN).and_then(|block| block.split_once(END)) {
        let base64: String = body.split_ascii_whitespace().collect();
        if !STANDARD.decode(base64).is_ok_and(|der| is_certificate(&der)) {
            return false;
        }
        rest = after.trim_ascii_start();
        if rest.is_empty() {
            return true;
        }
    }
    false
}

/// Whether this is one certificate. webpki leaves no room behind any part, but does not look into names and times; x509-parser does, and
/// passes over what stands behind a part.
fn is_certificate(der: &[u8]) -> bool {
    EndEntityCert::try_from(&CertificateDer::from(der)).is_ok()
        && X509Certificate::from_der(der).is_ok()
        && !private_key::is_in(der)
}
