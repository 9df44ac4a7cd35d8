//! The servers that rows lead to, and the files and values in their texts.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::ExtendedKeyUsagePurpose::ClientAuth;
use sandbar_tests::tls_api::{Pair, Shape, TlsApi};
use tempfile::TempDir;

/// The servers, and the files that lead to them.
pub(super) struct World {
    pub(super) folder: TempDir,
    /// Signed by an authority.
    pub(super) signed: TlsApi,
    /// What rows need: names and values in their texts.
    values: Vec<(&'static str, String)>,
}

impl World {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Shape::server();
        let authority = Pair::alone("authority", &Shape::authority());
        let stranger = Pair::alone("stranger", &Shape::authority());
        let between = Pair::signed("between", &Shape::authority(), &authority);
        let old_authority = Pair::alone("old", &Shape { expired: true, ..Shape::authority() });
        // Authorities with so many intermediates below them, and the same intermediate below each.
        let with_length = |length| Pair::alone("narrow", &Shape { path_length: Some(length), ..Shape::authority() });
        let (none_between, one_between) = (with_length(0), with_length(1));
        let below_none = Pair::signed("between", &Shape::authority(), &none_between);
        let below_one = Pair::signed("between", &Shape::authority(), &one_between);
        let leaf = Pair::signed("server", &server, &authority);
        let client = Pair::signed("client", &Shape { purpose: Some(ClientAuth), ..Shape::default() }, &authority);
        let other_client = Pair::signed("client", &Shape { purpose: Some(ClientAuth), ..Shape::default() }, &authority);
        let own_authority = Pair::alone("own", &Shape { authority: true, ..server.clone() });
        let own_leaf = Pair::alone("own", &server);
        let start = |pair: &Pair, chain: &[&Pair]| TlsApi::start(pair, chain, &authority).address().to_string();
        let signed = TlsApi::start(&leaf, &[], &authority);
        let mut values = vec![
            ("SIGNED", signed.address().to_string()),
            ("PORT", signed.address().port().to_string()),
            ("OWN_CA", start(&own_authority, &[])),
            ("OWN_LEAF", start(&own_leaf, &[])),
            ("CA_SIGNED_BY_CA", start(&Pair::signed("sub", &Shape { authority: true, ..server.clone() }, &authority), &[])),
            ("CHAIN", start(&Pair::signed("below", &server, &between), &[&between])),
            ("BELOW", start(&Pair::signed("below", &server, &between), &[])),
            ("DIRECT_BELOW_NONE", start(&Pair::signed("direct", &server, &none_between), &[])),
            ("CHAIN_BELOW_NONE", start(&Pair::signed("below", &server, &below_none), &[&below_none])),
            ("CHAIN_BELOW_ONE", start(&Pair::signed("below", &server, &below_one), &[&below_one])),
            ("CA_BELOW_NONE", start(&Pair::signed("sub", &Shape { authority: true, ..server.clone() }, &none_between), &[])),
            ("NAMED", start(&Pair::signed("named", &Shape { names: vec!["api.test"], ..server.clone() }, &authority), &[])),
            ("EXPIRED", start(&Pair::signed("expired", &Shape { expired: true, ..server.clone() }, &authority), &[])),
            ("OLD_CA", start(&Pair::signed("late", &server, &old_authority), &[])),
            (
                "FOR_CLIENTS",
                start(&Pair::signed("wrong", &Shape { purpose: Some(ClientAuth), ..server.clone() }, &authority), &[]),
            ),
            ("BY_LEAF", start(&Pair::signed("forged", &server, &leaf), &[])),
            ("STRANGE", start(&Pair::signed("strange", &server, &stranger), &[])),
            ("PLAIN", TlsApi::plain().address().to_string()),
            ("TLS_IN_WORDS", answering(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")),
            ("TLS_THAT_CLOSES", answering(b"")),
        ];
        let files = [
            ("ca", authority.pem()),
            ("leaf", leaf.pem()),
            ("own_ca", own_authority.pem()),
            ("own_leaf", own_leaf.pem()),
            ("between", between.pem()),
            ("none_between", none_between.pem()),
            ("below_none", below_none.pem()),
            ("one_between", one_between.pem()),
            ("old", old_authority.pem()),
            ("stranger", stranger.pem()),
            ("crt", client.pem()),
            ("key", client.key_pem()),
            ("sec1", sec1(&client.key_der())),
            ("pkcs8_as_sec1", client.key_pem().replace("PRIVATE KEY", "EC PRIVATE KEY")),
            ("pkcs8_as_rsa", client.key_pem().replace("PRIVATE KEY", "RSA PRIVATE KEY")),
            ("pkcs8_as_encrypted", client.key_pem().replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")),
            ("pkcs8_as_anything", client.key_pem().replace("PRIVATE KEY", "ANY PRIVATE KEY")),
            ("pkcs8_as_public", client.key_pem().replace("PRIVATE KEY", "PUBLIC KEY")),
            ("sec1_as_pkcs8", sec1(&client.key_der()).replace("EC PRIVATE KEY", "PRIVATE KEY")),
            ("key_with_headers", client.key_pem().replacen('\n', "\nComment: mine\n\n", 1)),
            ("encrypted_key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAQID\n-----END ENCRYPTED PRIVATE KEY-----\n".to_owned()),
            ("other_key", other_client.key_pem()),
            ("both", client.pem() + &client.key_pem()),
            ("broken", "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n".to_owned()),
            ("token", "good-token\n".to_owned()),
            ("bad_token", "SECRET-token\n".to_owned()),
        ];
        for (name, text) in &files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let data = |names: &[&str]| {
            let text: String =
                names.iter().map(|&name| files.iter().find(|(known, _)| *known == name).unwrap().1.as_str()).collect();
            STANDARD.encode(text)
        };
        for (name, parts) in [
            ("CA", &["ca"][..]),
            ("LEAF", &["leaf"]),
            ("OWN_CA_PEM", &["own_ca"]),
            ("OWN_LEAF_PEM", &["own_leaf"]),
            ("BETWEEN", &["between"]),
            ("NONE_BETWEEN", &["none_between"]),
            ("NONE_BETWEEN_AND_BELOW", &["none_between", "below_none"]),
            ("ONE_BETWEEN", &["one_between"]),
            ("OLD", &["old"]),
            ("BUNDLE", &["token", "stranger", "broken", "ca"]),
            ("STRANGER", &["stranger"]),
            ("BROKEN", &["broken"]),
            ("CRT", &["crt"]),
            ("KEY", &["key"]),
            ("SEC1", &["sec1"]),
            ("PKCS8_AS_SEC1", &["pkcs8_as_sec1"]),
            ("PKCS8_AS_RSA", &["pkcs8_as_rsa"]),
            ("PKCS8_AS_ENCRYPTED", &["pkcs8_as_encrypted"]),
            ("PKCS8_AS_ANYTHING", &["pkcs8_as_anything"]),
            ("PKCS8_AS_PUBLIC", &["pkcs8_as_public"]),
            ("SEC1_AS_PKCS8", &["sec1_as_pkcs8"]),
            ("KEY_WITH_HEADERS", &["key_with_headers"]),
            ("ENCRYPTED_KEY", &["encrypted_key"]),
            ("KEY_BEHIND_CERTIFICATE", &["ca", "key", "other_key"]),
            ("OTHER_KEY", &["other_key"]),
            ("NO_PEM", &["token"]),
        ] {
            values.push((name, data(parts)));
        }
        let wrapped: Vec<String> =
            data(&["ca"]).as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
        values.push(("WRAPPED_CA", wrapped.join("\n      ")));
        values.push(("DIR", folder.path().display().to_string()));
        values.push(("PLUGIN", plugin(folder.path(), "plugin", r#""token": "good-token""#)));
        values.push((
            "CERTIFICATE_PLUGIN",
            plugin(
                folder.path(),
                "cert-plugin",
                &format!(r#""clientCertificateData": {:?}, "clientKeyData": {:?}"#, client.pem(), client.key_pem()),
            ),
        ));
        for (name, token) in [("LATE_PLUGIN", "good-token"), ("LATE_WRONG_PLUGIN", "SECRET-token")] {
            let status = format!(r#""token": "{token}", "expirationTimestamp": "2020-01-01T00:00:00Z""#);
            values.push((name, plugin(folder.path(), name, &status)));
        }
        values.push(("FAILING_PLUGIN", script(folder.path(), "failing", "echo SECRET-output; echo log in first >&2; exit 1")));
        // Longer names first, so that none is taken for the beginning of another.
        values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { folder, signed, values }
    }

    pub(super) fn fill(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
    }

    /// A row's bytes with its values.
    pub(super) fn bytes(&self, row: &[u8]) -> Vec<u8> {
        let unit: fn([u8; 2]) -> u16 = match row {
            [0xff, 0xfe, ..] => u16::from_le_bytes,
            [0xfe, 0xff, ..] => u16::from_be_bytes,
            _ => return self.fill(std::str::from_utf8(row).unwrap()).into_bytes(),
        };
        let units: Vec<u16> = row.chunks(2).map(|pair| unit([pair[0], pair[1]])).collect();
        let filled = self.fill(&String::from_utf16(&units).unwrap());
        let is_little = row[0] == 0xff;
        filled.encode_utf16().flat_map(|unit| if is_little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
    }
}

/// The address of a server that reads a request, says this whatever it was, and closes.
fn answering(words: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // Whoever asks has said enough when it goes away.
            let _ = stream.read(&mut [0; 8192]).and_then(|_| stream.write_all(words));
        }
    });
    address.to_string()
}

/// A program that prints credentials.
fn plugin(folder: &Path, name: &str, status: &str) -> String {
    let version = "client.authentication.k8s.io/v1";
    let answer = format!(r#"{{"kind": "ExecCredential", "apiVersion": "{version}", "status": {{{status}}}}}"#);
    script(folder, name, &format!("cat <<'END'\n{answer}\nEND"))
}

fn script(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// A P-256 key of PKCS 8 as openssl and Go write it: SEC 1, with the name of its curve.
fn sec1(pkcs8: &[u8]) -> String {
    /// `[0] prime256v1`.
    const CURVE: [u8; 12] = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let start = pkcs8.windows(7).position(|bytes| bytes[..3] == [0x02, 0x01, 0x01] && bytes[3..5] == [0x04, 0x20]).unwrap();
    let inner = &pkcs8[start..];
    let mut key = inner[..37].to_vec();
    key.extend(CURVE);
    key.extend(&inner[37..]);
    let mut der = vec![0x30, u8::try_from(key.len()).unwrap()];
    der.extend(key);
    let mut pem = "-----BEGIN EC PRIVATE KEY-----\n".to_owned();
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        let _ = writeln!(pem, "{}", std::str::from_utf8(line).unwrap());
    }
    pem + "-----END EC PRIVATE KEY-----\n"
}
