//! The output of a credential plugin: an `ExecCredential`.

use std::time::SystemTime;

use k8s_openapi::jiff::Timestamp;

use crate::fault::Fault;
use crate::kubeconfig::{Entry, parse};
use crate::target::{ClientCertificate, Secret, SecretBytes};
use crate::tls;

/// Credentials, and the end of their validity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The value of the header `Authorization`.
    pub(crate) authorization: Option<Secret>,
    pub(crate) identity: Option<ClientCertificate>,
    /// By the issuer's clock. None: as long as the server accepts them.
    pub(crate) valid_until: Option<SystemTime>,
}

impl Credentials {
    pub(super) fn bearer(token: &Secret) -> Self {
        Self { authorization: Some(Secret::new(format!("Bearer {}", token.expose()))), ..Self::default() }
    }
}

/// Parses a plugin's output. An error continues a sentence that begins with "the credential plugin x".
pub(super) fn read(printed: &[u8], api_version: &str) -> Result<Credentials, Fault> {
    let value = parse(printed).map_err(|fault| Fault::new(format!("prints no ExecCredential: {fault}")))?;
    let answer = Entry::new(Some(&value), "its answer")
        .and_then(|answer| Ok((answer.text("kind")?, answer.text("apiVersion")?, answer.entry("status")?)));
    let (kind, version, status) = answer.map_err(|fault| Fault::new(format!("prints no ExecCredential: {fault}")))?;
    if kind != Some("ExecCredential") {
        return Err(Fault::new("prints no ExecCredential: its answer has another `kind`, or none"));
    }
    if version != Some(api_version) {
        return Err(Fault::new(format!(
            "answers in another version than {api_version}, which the kubeconfig names; have the program that wrote the kubeconfig write it again"
        )));
    }
    let Some(status) = status else {
        return Err(Fault::new("prints an ExecCredential without `status`"));
    };
    of_status(&status).map_err(|fault| Fault::new(format!("prints an ExecCredential that cannot be used: {fault}")))
}

fn of_status(status: &Entry<'_>) -> Result<Credentials, Fault> {
    let token = status.text("token")?.map(Secret::token).transpose();
    let token = token.map_err(|fault| Fault::new(format!("its token {fault}")))?.flatten();
    let mut valid_until = status.text("expirationTimestamp")?.map(time).transpose()?;
    let identity = match (status.text("clientCertificateData")?, status.text("clientKeyData")?) {
        (None, None) => None,
        (Some(certificate), Some(key)) => {
            let read =
                tls::certificate(certificate.as_bytes(), key.as_bytes()).map_err(|fault| Fault::new(format!("it {fault}")))?;
            valid_until = [valid_until, read.valid_until].into_iter().flatten().min();
            Some(ClientCertificate { certificate: certificate.as_bytes().into(), key: SecretBytes(key.as_bytes().into()) })
        }
        (Some(_), None) => return Err(Fault::new("it has a client certificate without `clientKeyData`")),
        (None, Some(_)) => return Err(Fault::new("it has a client key without `clientCertificateData`")),
    };
    if token.is_none() && identity.is_none() {
        return Err(Fault::new("it has neither a token nor a client certificate"));
    }
    let bearer = token.as_ref().map(Credentials::bearer).unwrap_or_default();
    Ok(Credentials { identity, valid_until, ..bearer })
}

fn time(text: &str) -> Result<SystemTime, Fault> {
    let time: Timestamp = text.parse().map_err(|_quotes_it| Fault::new("its `expirationTimestamp` is no time"))?;
    Ok(SystemTime::from(time))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    const V1: &str = "client.authentication.k8s.io/v1";

    fn answer(status: Value) -> Vec<u8> {
        json!({ "apiVersion": V1, "kind": "ExecCredential", "status": status }).to_string().into_bytes()
    }

    #[test]
    fn a_token_is_taken_with_its_time() {
        let credentials =
            read(&answer(json!({ "token": "t0ken", "expirationTimestamp": "2099-01-01T00:00:00+01:00" })), V1).unwrap();
        assert_eq!(credentials.authorization, Some(Secret::new("Bearer t0ken")));
        let left = credentials.valid_until.unwrap().duration_since(SystemTime::now()).unwrap();
        assert!(left > Duration::from_secs(365 * 24 * 3600));
        // Whether it has expired is up to the server: this machine's clock may be wrong.
        let over = read(&answer(json!({ "token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z" })), V1).unwrap();
        assert!(over.valid_until.is_some_and(|until| until < SystemTime::now()));
        // YAML, a line break at the end, and nulls for unset fields.
        let yaml =
            format!("apiVersion: {V1}\nkind: ExecCredential\nstatus:\n  token: |\n    t0ken\n  expirationTimestamp: null\n");
        assert_eq!(read(yaml.as_bytes(), V1), Ok(Credentials::bearer(&Secret::new("t0ken"))));
        assert_eq!(
            read(&answer(json!({ "token": "t", "expirationTimestamp": "" })), V1),
            Ok(Credentials::bearer(&Secret::new("t")))
        );
    }

    #[test]
    fn what_cannot_be_used_is_told_without_what_it_holds() {
        let broken = |status: Value| read(&answer(status), V1);
        for outcome in [
            broken(json!({ "token": "SECRET", "expirationTimestamp": { "seconds": 1_893_456_000 } })),
            broken(json!({ "token": "SECRET", "expirationTimestamp": "tomorrow SECRET" })),
            broken(json!({ "token": "SECRET", "expirationTimestamp": 1_893_456_000 })),
            broken(json!({ "token": ["SECRET"] })),
            broken(json!({ "token": { "SECRET": "SECRET" } })),
            broken(json!({ "token": 4711 })),
            broken(json!({ "token": "SE\nCRET" })),
            broken(json!({ "token": "SE CRET" })),
            broken(json!({ "token": " " })),
            broken(json!({ "clientCertificateData": "SECRET" })),
            broken(json!({ "clientKeyData": "SECRET" })),
            broken(json!({ "clientCertificateData": "SECRET", "clientKeyData": "SECRET" })),
            broken(json!({ "clientCertificateData": 1, "clientKeyData": "SECRET" })),
            broken(json!({})),
            broken(json!("SECRET")),
            broken(json!(["SECRET"])),
            broken(Value::Null),
            read(br#"{"token":"SECRET""#, V1),
            read(b"SECRET", V1),
            read(b"[SECRET]", V1),
            read(b"", V1),
            read(b"token: SECRET\n  x: [", V1),
            read(&answer(json!({ "token": "SECRET" })), "client.authentication.k8s.io/v1beta1"),
            read(br#"{"kind":"SECRET","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"SECRET"}}"#, V1),
            read(br#"{"kind":["SECRET"],"apiVersion":7,"status":{"token":"SECRET"}}"#, V1),
        ] {
            let words = outcome.expect_err("of no use").to_string();
            assert!(!words.contains("SECRET") && !words.contains("4711") && words.len() < 250, "{words}");
        }
    }
}
