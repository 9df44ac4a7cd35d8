//! Certificates in Secrets: what of a Secret for TLS is shown, and that no byte of a key is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use sandbar_kubernetes::{Resource, Scope};
use sandbar_policy::Limits;
use serde_json::{Value, json};

use crate::api::{Api, NAMESPACE};

/// A certificate, and the key that it is about, in DER as base64. The key opens nothing.
const CERTIFICATE: &str = "MIIBpzCCAU2gAwIBAgIUQ7wm6EeAFYDFS03Vj2n4FTWeP/gwCgYIKoZIzj0EAwIwGjEYMBYGA1UEAwwPd2ViLmV4YW1wbGUuY29tMCAXDTI2MTEyOTE5MDcxMloYDzIxMjYxMTA1MTkwNzEyWjAaMRgwFgYDVQQDDA93ZWIuZXhhbXBsZS5jb20wWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ5S+i9Ie2ALX+obIRWrZX3Hb/p4pHMRz59bBP1+2m4VoRBWjxjQtlTM5EZ5GYbIuYzmUWUrlPI/ByqjAi2btCvo28wbTAdBgNVHQ4EFgQUGolyURI/5C6R/sy8gq/OpQ+AZNwwHwYDVR0jBBgwFoAUGolyURI/5C6R/sy8gq/OpQ+AZNwwDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgg93ZWIuZXhhbXBsZS5jb20wCgYIKoZIzj0EAwIDSAAwRQIhAITNdCjM2/vLdZmf75CRP2NUK3iIY4RzY5kkVYeUqJdbAiB/DoVTHdAA8p7+HYL7W8q7TqjPxuHM27shb3Ba3TXFnQ==";
const KEY: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSCuu0irlZNI8VVLY+MB6G0tswCgp7FO9F2+b2cxzY5WhRANCAAQ5S+i9Ie2ALX+obIRWrZX3Hb/p4pHMRz59bBP1+2m4VoRBWjxjQtlTM5EZ5GYbIuYzmUWUrlPI/ByqjAi2btCv";

/// Where the number is in the key that is all of its secret.
const NUMBER: std::ops::Range<usize> = 36..68;

/// A block of PEM.
fn block(label: &str, base64: &str) -> String {
    let lines: Vec<&str> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// What a component gets of a Secret's data.
fn shown(kind: &str, data: &Value) -> Value {
    let secret = json!({ "kind": "Secret", "metadata": { "name": "web" }, "type": kind, "data": data, "stringData": data });
    let body = secret.to_string().into_bytes();
    let api = Api::new(usize::MAX, move |path| path.ends_with("/secrets/web").then(|| (StatusCode::OK, body.clone())));
    let of = Resource { group: String::new(), version: "v1".to_owned(), plural: "secrets".to_owned() };
    let within = Scope::Namespace(NAMESPACE.to_owned());
    let read =
        api.read_granted(&["secrets"], Limits::default(), async |reader| reader.get_object(&of, &within, "web", None).await);
    serde_json::from_str(&read.unwrap()).unwrap()
}

/// The input is the file under `tls.crt`. It is shown as it is or not at all, and only where it is certificates and white space.
pub(super) fn certificate(bytes: &[u8]) {
    let file = STANDARD.encode(bytes);
    let data = json!({ "tls.crt": file, "tls.key": file, "other.crt": file });
    let secret = shown("kubernetes.io/tls", &data);
    let is_masked = |value: &Value| *value == "[masked: Secret value]" || *value == "";
    for value in ["tls.key", "other.crt"]
        .map(|key| &secret["data"][key])
        .into_iter()
        .chain(secret["stringData"].as_object().unwrap().values())
    {
        assert!(is_masked(value), "{secret}");
    }
    let of_another_type = shown("Opaque", &data);
    assert!(is_masked(&of_another_type["data"]["tls.crt"]), "{of_another_type}");
    let value = &secret["data"]["tls.crt"];
    if is_masked(value) {
        return;
    }
    assert_eq!(*value, file, "it is shown as it is");
    let text = std::str::from_utf8(bytes).expect("PEM is text");
    // Split at every mark, it is space, label, DER, label, and so on.
    let parts: Vec<&str> = text.split("-----").collect();
    assert!(parts.len() > 1 && parts.len() % 4 == 1, "{text}");
    for (at, part) in parts.iter().enumerate() {
        match at % 4 {
            0 => assert_eq!(part.trim_ascii(), "", "{text}"),
            1 => assert_eq!(*part, "BEGIN CERTIFICATE"),
            3 => assert_eq!(*part, "END CERTIFICATE"),
            _ => is_one_certificate(&STANDARD.decode(part.split_ascii_whitespace().collect::<String>()).expect("base64")),
        }
    }
    let number = &STANDARD.decode(KEY).unwrap()[NUMBER];
    let holds = |bytes: &[u8]| bytes.windows(number.len()).any(|window| window == number);
    let bodies =
        parts.iter().skip(2).step_by(4).map(|part| STANDARD.decode(part.split_ascii_whitespace().collect::<String>()).unwrap());
    assert!(!holds(bytes) && !bodies.into_iter().any(|der| holds(&der)), "a key: {text}");
}

/// A sequence of three parts, of which the first is one of six to eight, and nothing behind any of them.
fn is_one_certificate(der: &[u8]) {
    let whole = parts(der);
    let [(0x30, content)] = whole[..] else { panic!("{whole:?}") };
    let of_certificate = parts(content);
    let [(0x30, signed), (0x30, _), (0x03, _)] = of_certificate[..] else { panic!("{of_certificate:?}") };
    let tags: Vec<u8> = parts(signed).iter().map(|(tag, _)| *tag).collect();
    assert!(
        matches!(tags[..], [0xa0, 0x02, 0x30, 0x30, 0x30, 0x30, 0x30] | [0xa0, 0x02, 0x30, 0x30, 0x30, 0x30, 0x30, 0xa3]),
        "{tags:x?}"
    );
}

/// The parts of DER that stand beside each other, by their tags.
fn parts(mut der: &[u8]) -> Vec<(u8, &[u8])> {
    let mut parts = Vec::new();
    while let [tag, length, rest @ ..] = der {
        let digits = usize::from(if *length < 0x80 { 0 } else { length & 0x7f });
        let long = rest[..digits].iter().fold(0, |length, &digit| length * 256 + usize::from(digit));
        let (content, behind) = rest[digits..].split_at(if digits == 0 { usize::from(*length) } else { long });
        parts.push((*tag, content));
        der = behind;
    }
    assert!(der.is_empty(), "half of a tag");
    parts
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let (certificate, key) = (block("CERTIFICATE", CERTIFICATE), block("PRIVATE KEY", KEY));
    let (der, key_der) = (STANDARD.decode(CERTIFICATE).unwrap(), STANDARD.decode(KEY).unwrap());
    // A certificate behind whose signature, within its sequence, stands the key.
    let length = u16::try_from(der.len() - 4 + key_der.len()).unwrap().to_be_bytes();
    let inside = [&[0x30, 0x82][..], &length, &der[4..], &key_der].concat();
    [
        certificate.clone(),
        format!("{certificate}\r\n{certificate}"),
        format!("{certificate}{key}"),
        format!("{key}{certificate}"),
        format!("{certificate}{key}{certificate}"),
        certificate.replacen('\n', &format!("\n{key}"), 1),
        certificate.replacen('\n', "\nProc-Type: 4,ENCRYPTED\n\n", 1),
        format!("Bag Attributes\n    localKeyID: 01\n{certificate}"),
        block("CERTIFICATE", KEY),
        block("CERTIFICATE", &STANDARD.encode([&der[..], &key_der].concat())),
        block("CERTIFICATE", &STANDARD.encode(inside)),
        block("TRUSTED CERTIFICATE", CERTIFICATE),
    ]
    .map(String::into_bytes)
    .to_vec()
}
