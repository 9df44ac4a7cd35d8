//! The one door for the errors of the libraries below: each is told by what it means, in our words. What a library says is never passed on:
//! it may quote what was sent.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, CertificateError, OtherError};

use super::client::{ProxyFailed, Unresolved};
use super::tls::ChainTooLong;

/// Where it is configured whom to trust, which the words for a certificate name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Configured {
    /// In a kubeconfig, or by it.
    Kubeconfig,
    /// By the flags of `sandbar connect --url`.
    Flags,
    /// With an issuer in sandbar.yaml.
    Issuer,
    /// With the collector of traces there, or by the variables for it.
    Collector,
}

impl Configured {
    /// What says which authorities count.
    pub(super) fn authority(self) -> &'static str {
        match self {
            Self::Kubeconfig => "`certificate-authority-data` in the kubeconfig",
            Self::Flags => "`--certificate-authority FILE`",
            Self::Issuer => "`certificateAuthority`",
            Self::Collector => "`traces.certificateAuthorityFile`",
        }
    }

    /// What says for which name the certificate has to be, if anything but the address does.
    fn name(self) -> Option<&'static str> {
        (self == Self::Kubeconfig).then_some("`tls-server-name` in the kubeconfig")
    }
}

/// What has become of a request or an answer, on a way that a kubeconfig describes.
pub(super) fn explain(error: &(dyn StdError + 'static)) -> String {
    explain_as(error, Configured::Kubeconfig)
}

/// What has become of a request or an answer.
pub(super) fn explain_as(error: &(dyn StdError + 'static), configured: Configured) -> String {
    let known = causes(error).filter_map(|cause| {
        let tls = cause.downcast_ref::<rustls::Error>().map(|error| of_tls(error, configured));
        let proxy = || cause.is::<ProxyFailed>().then(|| "its proxy opens no way to it; look at the proxy's own log".to_owned());
        let name = || cause.is::<Unresolved>().then(|| "its name is not known here (DNS)".to_owned());
        let late = || cause.is::<tokio::time::error::Elapsed>().then(|| "it took too long".to_owned());
        tls.or_else(proxy).or_else(name).or_else(late)
    });
    // The innermost that is known says most.
    if let Some(words) = known.last() {
        return words;
    }
    let system = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).last();
    if let Some(words) = system.and_then(of_system) {
        return words.to_owned();
    }
    match causes(error).filter_map(|cause| cause.downcast_ref::<hyper::Error>()).last() {
        Some(error) => of_http(error).to_owned(),
        None => "the connection has failed".to_owned(),
    }
}

/// Whether the server has refused the certificate that it was shown, or asks for one.
pub(super) fn is_refused_certificate(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| {
        matches!(cause.downcast_ref::<rustls::Error>(), Some(rustls::Error::AlertReceived(alert)) if is_about_certificate(*alert))
    })
}

/// Whether a server that speaks TLS may have brought it about, having been asked without: it answers with an alert, or closes.
pub(super) fn may_be_of_tls(error: &(dyn StdError + 'static)) -> bool {
    let of_http = |error: &hyper::Error| error.is_parse() || error.is_incomplete_message();
    let of_system = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionReset;
    causes(error).any(|cause| cause.downcast_ref().is_some_and(of_http) || cause.downcast_ref().is_some_and(of_system))
}

/// An error and what is behind it, outermost first.
pub(super) fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn StdError + 'static)| behind(*error))
}

/// What is behind an error. An io::Error that wraps another passes that one off as itself, and names what is behind it.
fn behind<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// What is wrong with JSON of the API server. The parser would quote it.
pub(super) fn json(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        Category::Eof => "it ends in the middle".to_owned(),
        Category::Data if line == 0 => "it holds something of another type than Kubernetes has there".to_owned(),
        Category::Data => format!("what it holds at line {line}, column {column} is of another type than Kubernetes has there"),
        Category::Syntax | Category::Io => format!("it is not JSON from line {line}, column {column} on"),
    }
}

fn of_tls(error: &rustls::Error, configured: Configured) -> String {
    use rustls::Error;
    match error {
        Error::InvalidCertificate(error) => of_certificate(error, configured),
        Error::AlertReceived(alert) if is_about_certificate(*alert) => {
            "it does not accept the client certificate of this server, or asks for one".to_owned()
        }
        Error::AlertReceived(AlertDescription::UnknownCA) => {
            "it does not know the authority behind the client certificate of this server".to_owned()
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_) => {
            "it speaks no TLS that is still safe (1.2 or 1.3)".to_owned()
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => match configured.name() {
            Some(key) => format!("it serves no such name; {key} sets another"),
            None => "it serves no such name as its address has".to_owned(),
        },
        Error::InvalidMessage(_) => "what listens there does not speak TLS; is its address http://?".to_owned(),
        _ => "TLS with it has failed".to_owned(),
    }
}

fn is_about_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::AccessDenied
            | Alert::UnknownCA
    )
}

fn of_certificate(error: &CertificateError, configured: Configured) -> String {
    use CertificateError as Wrong;
    let authority = configured.authority();
    match error {
        Wrong::UnknownIssuer => format!("its certificate is signed by nobody whom the configuration trusts ({authority})"),
        Wrong::Expired | Wrong::ExpiredContext { .. } => {
            "its certificate, or the authority that signed it, has run out; is the clock of this machine right?".to_owned()
        }
        Wrong::NotValidYet | Wrong::NotValidYetContext { .. } => {
            "its certificate is not valid yet; is the clock of this machine right?".to_owned()
        }
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => match configured.name() {
            Some(key) => format!("its certificate is for other names; {key} says which to expect"),
            None => "its certificate is for other names than the one in its address".to_owned(),
        },
        Wrong::InvalidPurpose | Wrong::InvalidPurposeContext { .. } => "its certificate is not one for servers".to_owned(),
        Wrong::BadSignature => "its certificate has a signature that is wrong".to_owned(),
        Wrong::Other(OtherError(error)) if error.is::<ChainTooLong>() => {
            "its certificate has more authorities in between than the one in the configuration allows (its path length)"
                .to_owned()
        }
        Wrong::Other(OtherError(error)) if matches!(error.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)) => {
            format!(
                "its certificate is that of an authority, and only trusted where the configuration has that very one \
                 ({authority})"
            )
        }
        Wrong::Revoked => "its certificate is revoked".to_owned(),
        _ => "its certificate cannot be used".to_owned(),
    }
}

/// None where the kind says nothing.
fn of_system(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there (connection refused)",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            "it closed the connection"
        }
        io::ErrorKind::UnexpectedEof => "it closed the connection in the middle",
        io::ErrorKind::TimedOut => "no connection comes about in time",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            "no network leads there"
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no port left to connect from",
        io::ErrorKind::PermissionDenied => "this machine does not let connections out to it",
        _ => return None,
    })
}

fn of_http(error: &hyper::Error) -> &'static str {
    if error.is_parse() {
        "what it answers is not HTTP"
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        "it closed the connection in the middle"
    } else if error.is_timeout() {
        "it took too long"
    } else {
        "the connection has failed"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("SECRET")]
    struct Layer(#[source] Box<dyn StdError + Send + Sync>);

    #[test]
    fn what_is_wrong_with_json_is_told_without_it() {
        for text in [r#""SECRET""#, r#"["SECRET"]"#, "SECRET", r#"{"SECRET": 1"#, r#"{"SECRET": SECRET}"#] {
            let error = serde_json::from_str::<std::collections::BTreeMap<String, u8>>(text).expect_err(text);
            assert!(!json(&error).contains("SECRET"), "{}", json(&error));
        }
    }

    #[test]
    fn every_error_is_told_in_our_words() {
        let tls = |error: rustls::Error| io::Error::other(Layer(error.into()));
        for (error, part) in [
            (io::Error::other(Layer("SECRET".into())), "has failed"),
            (io::Error::from(io::ErrorKind::ConnectionRefused), "connection refused"),
            (io::Error::new(io::ErrorKind::TimedOut, "SECRET"), "in time"),
            (io::Error::other(Layer(io::Error::from(io::ErrorKind::ConnectionReset).into())), "closed"),
            (io::Error::other(Unresolved), "DNS"),
            (io::Error::other(ProxyFailed), "proxy"),
            (tls(rustls::Error::General("SECRET".into())), "TLS"),
            (tls(CertificateError::UnknownIssuer.into()), "certificate-authority-data"),
            (tls(CertificateError::Expired.into()), "run out"),
            (tls(CertificateError::NotValidForName.into()), "tls-server-name"),
            (tls(CertificateError::Other(OtherError(std::sync::Arc::new(ChainTooLong))).into()), "path length"),
            (
                tls(CertificateError::Other(OtherError(std::sync::Arc::new(webpki::Error::CaUsedAsEndEntity))).into()),
                "that very one",
            ),
            (
                tls(CertificateError::Other(OtherError(std::sync::Arc::new(webpki::Error::UnsupportedCertVersion))).into()),
                "cannot be used",
            ),
            (tls(rustls::Error::AlertReceived(AlertDescription::CertificateExpired)), "client certificate"),
            (tls(rustls::InvalidMessage::InvalidContentType.into()), "http://"),
        ] {
            let words = explain(&Layer(error.into()));
            assert!(words.contains(part) && !words.contains("SECRET"), "{words}");
        }
        for (error, part) in [
            (CertificateError::UnknownIssuer, "--certificate-authority"),
            (CertificateError::NotValidForName, "in its address"),
            (
                CertificateError::Other(OtherError(std::sync::Arc::new(webpki::Error::CaUsedAsEndEntity))),
                "--certificate-authority",
            ),
        ] {
            let words = explain_as(&tls(error.into()), Configured::Flags);
            assert!(words.contains(part) && !words.contains("kubeconfig"), "{words}");
        }
        assert!(is_refused_certificate(&tls(rustls::Error::AlertReceived(AlertDescription::CertificateRequired))));
        assert!(!is_refused_certificate(&tls(rustls::Error::AlertReceived(AlertDescription::HandshakeFailure))));
    }
}
