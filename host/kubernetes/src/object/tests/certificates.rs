//! Certificates in Secrets: shown where they are all there is, and where a Secret for TLS has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, CustomExtension, KeyPair};

use super::*;

struct Issued {
    /// In PEM.
    certificate: String,
    der: Vec<u8>,
    key: String,
    key_der: Vec<u8>,
}

fn issued_with(extensions: Vec<CustomExtension>) -> Issued {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(["web.example.com".to_owned()]).expect("a name");
    params.custom_extensions = extensions;
    let certificate = params.self_signed(&key).expect("a certificate");
    let (der, key_der) = (certificate.der().to_vec(), key.serialize_der());
    Issued { certificate: certificate.pem(), der, key: key.serialize_pem(), key_der }
}

fn issued() -> Issued {
    issued_with(Vec::new())
}

fn block(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A Secret for TLS with this under `tls.crt`, as a component gets it.
fn shown_of(tls_crt: &str) -> String {
    let secret = json!({ "kind": "Secret", "type": "kubernetes.io/tls", "data": { "tls.crt": STANDARD.encode(tls_crt) } });
    let shown = hidden_of(&secret, Objects::Secrets)["data"]["tls.crt"].take();
    match shown.as_str() {
        Some(MASK_OF_SECRETS) => MASK_OF_SECRETS.to_owned(),
        shown => String::from_utf8(STANDARD.decode(shown.expect("a string")).expect("base64")).expect("text"),
    }
}

#[test]
fn certificates_of_a_secret_for_tls_are_shown_and_nothing_else_of_it() {
    let Issued { certificate, key, .. } = issued();
    let chain = format!("{certificate}{}", issued().certificate);
    let (chain, authority, key) = (STANDARD.encode(chain), STANDARD.encode(&certificate), STANDARD.encode(key));
    let data = json!({ "tls.crt": chain, "ca.crt": authority, "tls.key": key, "other.crt": authority, "nothing": "" });
    let mut secret = json!({ "metadata": { "name": "web" }, "type": "kubernetes.io/tls", "data": data, "stringData": data });
    secret["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/last-applied-configuration": json!({
        "kind": "Secret", "type": "kubernetes.io/tls", "data": data, "stringData": data,
    }).to_string() });
    let masked =
        json!({ "tls.crt": chain, "ca.crt": authority, "tls.key": MASK_OF_SECRETS, "other.crt": MASK_OF_SECRETS, "nothing": "" });
    let shown = hidden_of(&secret, Objects::Secrets);
    assert_eq!(shown["data"], masked);
    for key in ["tls.crt", "ca.crt", "tls.key", "other.crt"] {
        assert_eq!(shown["stringData"][key], MASK_OF_SECRETS);
    }
    let applied = shown["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].as_str().expect("text");
    assert_eq!(applied.matches(MASK_OF_SECRETS).count(), 8, "{applied}");
    assert!(!applied.contains(&authority[..40]), "{applied}");
    // The same, whichever fields are asked for.
    for (path, picked) in
        [("data[\"tls.crt\"]", json!({ "tls.crt": chain })), ("data[\"tls.key\"]", json!({ "tls.key": MASK_OF_SECRETS }))]
    {
        assert_eq!(asked(&secret, Objects::Secrets, &[path]), json!({ "data": picked }));
    }
}

#[test]
fn only_a_secret_for_tls_that_is_read_as_such_shows_them() {
    let certificate = STANDARD.encode(issued().certificate);
    let of = |kind: Value| json!({ "kind": "Secret", "type": kind, "data": { "tls.crt": certificate, "ca.crt": certificate } });
    let shown = |object: &Value, objects| hidden_of(object, objects).to_string().matches(&certificate).count();
    assert_eq!(shown(&of(json!("kubernetes.io/tls")), Objects::Secrets), 2);
    for kind in [json!("Opaque"), json!("kubernetes.io/tls "), json!(null), json!(["kubernetes.io/tls"]), json!({ "tls": 1 })] {
        assert_eq!(shown(&of(kind.clone()), Objects::Secrets), 0, "{kind}");
    }
    let tls = of(json!("kubernetes.io/tls"));
    // A manifest of one inside of another object, and values that are no strings.
    assert_eq!(shown(&tls, Objects::Others), 0);
    assert_eq!(shown(&json!({ "spec": tls, "type": "kubernetes.io/tls" }), Objects::Secrets), 0);
    assert_eq!(shown(&json!({ "kind": "SecretList", "items": [tls] }), Objects::Secrets), 0);
    let inside = |data: Value| json!({ "type": "kubernetes.io/tls", "data": data });
    for data in [
        json!({ "tls.crt": [certificate] }),
        json!({ "tls.crt": { "tls.crt": certificate } }),
        json!({ "TLS.CRT": certificate, "tls.crt\u{200b}": certificate, "tls": { "crt": certificate } }),
        json!([certificate]),
    ] {
        assert_eq!(shown(&inside(data.clone()), Objects::Secrets), 0, "{data}");
    }
    // Elsewhere a certificate is no secret: it is in ConfigMaps, too.
    let pem = issued().certificate;
    let config =
        json!({ "kind": "ConfigMap", "data": { "ca.crt": pem, "bundle": certificate }, "binaryData": { "ca.crt": certificate } });
    assert_eq!(hidden(&config), config);
}

#[test]
fn what_is_anything_but_certificates_stays_hidden() {
    let Issued { certificate, der, key, key_der } = issued();
    let without_end = certificate.trim_end().strip_suffix("-----END CERTIFICATE-----").expect("an end").to_owned();
    for pem in [
        "\n".to_owned(),
        key.clone(),
        format!("{certificate}{key}"),
        format!("{key}{certificate}"),
        format!("{certificate}{key}{certificate}"),
        format!("Bag Attributes\n    friendlyName: hX9kQ2vLm4Zt\n{certificate}"),
        format!("{certificate}password: hX9kQ2vLm4Zt\n"),
        format!("# hX9kQ2vLm4Zt\n{certificate}"),
        certificate.replacen("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n\n", 1),
        certificate.replacen("-----\n", "-----\nComment: hX9kQ2vLm4Zt\n", 1),
        block("CERTIFICATE", &key_der),
        block("CERTIFICATE", &[&der[..], &key_der].concat()),
        block("CERTIFICATE", &[&key_der, &der[..]].concat()),
        block("CERTIFICATE", &inside(&der, &key_der)),
        block("CERTIFICATE", &[]),
        block("CERTIFICATE", b"\x30\x00"),
        block("TRUSTED CERTIFICATE", &der),
        block("PRIVATE KEY", &der),
        block("CERTIFICATE", &der).replace("BEGIN", "begin"),
        without_end.clone(),
        format!("{without_end}{key}-----END CERTIFICATE-----\n"),
        format!("{}{certificate}", block("CERTIFICATE", &key_der)),
        format!("{certificate}{}", block("CERTIFICATE", &key_der)),
        certificate.replace('\n', ","),
    ] {
        assert_eq!(shown_of(&pem), MASK_OF_SECRETS, "{pem}");
    }
    for pem in [certificate.replace('\n', "\r\n"), format!("\n{certificate}\n\n{certificate}"), block("CERTIFICATE", &der)] {
        assert_eq!(shown_of(&pem), pem);
    }
    // In DER, as PKCS #12, or not in base64.
    for value in
        [STANDARD.encode(&der), STANDARD.encode(&key_der), certificate.clone(), format!("{}!", STANDARD.encode(&certificate))]
    {
        let secret = json!({ "type": "kubernetes.io/tls", "data": { "tls.crt": value } });
        assert_eq!(hidden_of(&secret, Objects::Secrets)["data"]["tls.crt"], MASK_OF_SECRETS, "{value}");
    }
    // What its issuer has signed is public, whether anybody knows the extension or not.
    let extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], b"\x04\x03abc".to_vec());
    let pem = issued_with(vec![extension]).certificate;
    assert_eq!(shown_of(&pem), pem);
}

/// An element of DER.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let [high, low] = u16::try_from(content.len()).expect("a short element").to_be_bytes();
    let head: &[u8] = match (high, low) {
        (0, ..0x80) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [head, &content].concat()
}

/// Private keys in all encodings that are recognised; the numbers are nobody's.
fn encodings() -> Vec<Vec<u8>> {
    let Issued { key, key_der: pkcs8, .. } = issued();
    let number = |length: usize| element(0x02, &[&b"\x5aW\xa3".repeat(length)[..length]]);
    let (version, ed25519) = (b"\x02\x01\x00", b"\x30\x05\x06\x03\x2b\x65\x70");
    let rsa = element(0x30, &[version, &number(256), b"\x02\x03\x01\x00\x01", &number(256), &number(128), &number(128)]);
    let sec1 = element(0x30, &[b"\x02\x01\x01", &element(0x04, &[&[0x5a; 32]])]);
    let of_edwards = [&b"\x30\x2e\x02\x01\x00"[..], ed25519, b"\x04\x22\x04\x20", &[0x5a; 32]].concat();
    let by_password = element(0x06, &[b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"]);
    let encrypted = element(0x30, &[&element(0x30, &[&by_password]), &element(0x04, &[&[0x5a; 160]])]);
    let without_length = [&b"\x30\x80"[..], &sec1[2..], b"\0\0"].concat();
    let openssh = [&b"openssh-key-v1\0"[..], &[0x5a; 64]].concat();
    let ders = [pkcs8.clone(), rsa, sec1, of_edwards, encrypted, without_length, openssh];
    let mut all: Vec<Vec<u8>> = ders.to_vec();
    for der in ders {
        let base64 = STANDARD.encode(der);
        let wrapped: Vec<&str> = base64.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        all.extend(
            [base64.clone(), wrapped.join("\r\n"), base64.replace('+', "-").replace('/', "_"), format!("a{base64}")]
                .map(Vec::from),
        );
        all.extend(
            [format!("ab{base64}"), format!("abc{base64}"), STANDARD.encode(block("EC PRIVATE KEY", &pkcs8))].map(Vec::from),
        );
    }
    all.push(key.into_bytes());
    all
}

#[test]
fn a_key_within_a_certificate_hides_it_wherever_it_stands() {
    let oid = [1, 3, 6, 1, 4, 1, 99_999, 1];
    let extended = |content: &[u8]| issued_with(vec![CustomExtension::from_oid_content(&oid, content.to_vec())]).certificate;
    for key in encodings() {
        let octets = element(0x04, &[b"x", &key]);
        for pem in
            [extended(&key), extended(&octets), extended(&element(0x0c, &[&key])), block("CERTIFICATE", &signed_with(&key))]
        {
            assert_eq!(shown_of(&pem), MASK_OF_SECRETS, "{}", key.escape_ascii());
        }
    }
    // A signature of any other length is shown: nobody here can verify it.
    let odd = block("CERTIFICATE", &signed_with(&[0x5a; 77]));
    assert_eq!(shown_of(&odd), odd);
    // So are names, numbers and words in extensions.
    for content in
        [&b"\x30\x0c\x02\x01\x01\x04\x07abcdefg"[..], b"\x30\x06\x02\x01\x01\x02\x01\x07", b"\x16\x15https://ca.example.com"]
    {
        let pem = extended(content);
        assert_eq!(shown_of(&pem), pem);
    }
}

/// A certificate with this in place of its signature.
fn signed_with(signature: &[u8]) -> Vec<u8> {
    let der = issued().der;
    let length = |at: usize| 4 + usize::from(u16::from_be_bytes([der[at + 2], der[at + 3]]));
    let signed = &der[4..4 + length(4)];
    // Its algorithm is short.
    let algorithm = &der[4 + signed.len()..];
    let algorithm = &algorithm[..2 + usize::from(algorithm[1])];
    element(0x30, &[signed, algorithm, &element(0x03, &[b"\0", signature])])
}

/// A certificate in whose outermost sequence something stands behind the signature.
fn inside(der: &[u8], more: &[u8]) -> Vec<u8> {
    let [0x30, 0x82, high, low, rest @ ..] = der else { panic!("a certificate of more than 255 bytes") };
    let length = u16::from_be_bytes([*high, *low]) + u16::try_from(more.len()).expect("a short key");
    [&[0x30, 0x82][..], &length.to_be_bytes(), rest, more].concat()
}

#[test]
fn every_byte_of_a_file_with_a_key_in_it_stays_hidden_wherever_the_key_stands() {
    let Issued { certificate, key, .. } = issued();
    for at in (0..=certificate.len()).filter(|&at| certificate.is_char_boundary(at)) {
        let pem = format!("{}{key}{}", &certificate[..at], &certificate[at..]);
        assert_eq!(shown_of(&pem), MASK_OF_SECRETS, "at {at}");
    }
}

#[test]
fn more_than_all_authorities_of_the_world_are_not_looked_at() {
    let certificate = issued().certificate;
    assert_ne!(shown_of(&certificate.repeat(100)), MASK_OF_SECRETS);
    assert_eq!(shown_of(&certificate.repeat(1000)), MASK_OF_SECRETS);
}
