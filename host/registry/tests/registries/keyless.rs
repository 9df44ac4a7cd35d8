//! Who has signed a component without a key of their own: with a certificate, at a time that a log or a timestamp authority vouches for.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PublicKeyData as _,
    SanType, SigningKey as _, date_time_ymd,
};
use sandbar_registry::{Digest, Policy, Signatures, TrustRoot};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer as _, X509Certificate};

const DOCUMENT: &[u8] = b"{\"a\":\"manifest\"}";
const ISSUER: &str = "https://accounts.example.com";
const ANN: &str = "ann@example.com";

/// The noon of the one day at which certificates are valid here, in seconds since 1970.
const NOON: i64 = 1_767_225_600 + 12 * 3600;
const DAY: i64 = 24 * 3600;

/// An authority and logs of a test's own.
struct Sigstore {
    params: CertificateParams,
    authority: KeyPair,
    root: Vec<u8>,
    log: KeyPair,
    certificate_log: KeyPair,
}

/// What a signature is made with.
struct Wish {
    name: SanType,
    purposes: Vec<ExtendedKeyUsagePurpose>,
    time: i64,
    is_logged: bool,
    predicate: &'static str,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            name: SanType::Rfc822Name(ANN.try_into().expect("ASCII")),
            purposes: vec![ExtendedKeyUsagePurpose::CodeSigning],
            time: NOON,
            is_logged: true,
            predicate: "https://sigstore.dev/cosign/sign/v1",
        }
    }
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

fn signed(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    key.sign(message).expect("signed")
}

impl Sigstore {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2040, 1, 1));
        let [authority, log, certificate_log] = std::array::from_fn(|_| KeyPair::generate().expect("a key"));
        let root = params.self_signed(&authority).expect("a certificate").der().to_vec();
        Self { params, authority, root, log, certificate_log }
    }

    fn written(&self) -> Value {
        let log = |key: &KeyPair| {
            let id = Digest::of(&key.subject_public_key_info()).hex();
            let id: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&id[at * 2..at * 2 + 2], 16).expect("digits")).collect();
            json!({ "publicKey": { "rawBytes": STANDARD.encode(key.subject_public_key_info()), "validFor": { "start": "2020-01-01T00:00:00Z" } },
                "logId": { "keyId": STANDARD.encode(id) } })
        };
        json!({
            "certificateAuthorities": [{ "certChain": { "certificates": [{ "rawBytes": STANDARD.encode(&self.root) }] },
                "validFor": { "start": "2020-01-01T00:00:00.000Z" } }],
            "tlogs": [log(&self.log)],
            "ctlogs": [log(&self.certificate_log)],
        })
    }

    fn root(&self) -> TrustRoot {
        TrustRoot::parse(self.written().to_string().as_bytes()).expect("a trust root")
    }

    /// A certificate, and its key.
    fn certificate(&self, wish: &Wish) -> (Vec<u8>, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.subject_alt_names = vec![wish.name.clone()];
        params.extended_key_usages.clone_from(&wish.purposes);
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2026, 1, 2));
        params.serial_number = Some(7.into());
        let issuer = [&[0x0c, u8::try_from(ISSUER.len()).expect("short")][..], ISSUER.as_bytes()].concat();
        params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 57264, 1, 8], issuer));
        let by = Issuer::from_params(&self.params, &self.authority);
        let der = |params: &CertificateParams| params.signed_by(&key, &by).expect("a certificate").der().to_vec();
        if wish.is_logged {
            let unlogged = der(&params);
            let (_, read) = X509Certificate::from_der(&unlogged).expect("a certificate");
            params.custom_extensions.push(CustomExtension::from_oid_content(
                &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2],
                self.logged(read.tbs_certificate.as_ref()),
            ));
        }
        (der(&params), key)
    }

    /// What the certificate log says of a certificate that is not yet signed.
    fn logged(&self, unlogged: &[u8]) -> Vec<u8> {
        let time = (u64::try_from(NOON).expect("after 1970") * 1000).to_be_bytes();
        let short = |bytes: &[u8]| [&u16::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat();
        let hash = |bytes: &[u8]| {
            let hex = Digest::of(bytes).hex();
            (0..32).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).expect("digits")).collect::<Vec<u8>>()
        };
        let length = u32::try_from(unlogged.len()).expect("short").to_be_bytes();
        let message =
            [&[0, 0][..], &time, &[0, 1], &hash(&self.authority.subject_public_key_info()), &length[1..], unlogged, &[0, 0]]
                .concat();
        let own = hash(&self.certificate_log.subject_public_key_info());
        let entry = [&[0][..], &own, &time, &[0, 0], &[4, 3], &short(&signed(&self.certificate_log, &message))].concat();
        let list = short(&short(&entry));
        let length = list.len();
        match length {
            0..=127 => [&[4, u8::try_from(length).expect("short")][..], &list].concat(),
            _ => [&[4, 0x81, u8::try_from(length).expect("short")][..], &list].concat(),
        }
    }

    fn id(&self) -> String {
        Digest::of(&self.log.subject_public_key_info()).hex()
    }

    /// The log's promise about an entry.
    fn promise(&self, body: &str, time: i64) -> Vec<u8> {
        let text =
            format!(r#"{{"body":"{}","integratedTime":{time},"logID":"{}","logIndex":7}}"#, STANDARD.encode(body), self.id());
        signed(&self.log, text.as_bytes())
    }

    /// A bundle, as cosign 3 has it.
    fn bundle(&self, wish: &Wish) -> Value {
        let (certificate, key) = self.certificate(wish);
        let hex = Digest::of(DOCUMENT).hex();
        let payload = json!({ "_type": "https://in-toto.io/Statement/v1", "subject": [{ "digest": { "sha256": hex } }],
            "predicateType": wish.predicate, "predicate": {} })
        .to_string();
        let kind = "application/vnd.in-toto+json";
        let signature =
            STANDARD.encode(signed(&key, format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len()).as_bytes()));
        let body = json!({ "apiVersion": "0.0.1", "kind": "dsse", "spec": {
            "payloadHash": { "algorithm": "sha256", "value": Digest::of(payload.as_bytes()).hex() },
            "signatures": [{ "signature": signature, "verifier": STANDARD.encode(pem(&certificate)) }] } })
        .to_string();
        let id: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&self.id()[at * 2..at * 2 + 2], 16).expect("digits")).collect();
        json!({
            "verificationMaterial": {
                "certificate": { "rawBytes": STANDARD.encode(certificate) },
                "tlogEntries": [{
                    "logIndex": "7", "logId": { "keyId": STANDARD.encode(id) }, "integratedTime": wish.time.to_string(),
                    "inclusionPromise": { "signedEntryTimestamp": STANDARD.encode(self.promise(&body, wish.time)) },
                    "canonicalizedBody": STANDARD.encode(&body),
                }],
            },
            "dsseEnvelope": { "payload": STANDARD.encode(&payload), "payloadType": kind, "signatures": [{ "sig": signature }] },
        })
    }

    /// A proof that an entry is the only one of the log.
    fn proof(&self, body: &str) -> Value {
        let hash = ring::digest::digest(&ring::digest::SHA256, &[&[0], body.as_bytes()].concat());
        let root = STANDARD.encode(hash);
        let text = format!("log.example\n1\n{root}\n");
        let signature = STANDARD.encode([&[0; 4][..], &signed(&self.log, text.as_bytes())].concat());
        json!({ "logIndex": "0", "treeSize": "1", "rootHash": root, "hashes": [],
            "checkpoint": { "envelope": format!("{text}\n\u{2014} log.example {signature}\n") } })
    }
}

fn signatures(document: &[u8], found: &Value) -> Signatures {
    serde_json::from_value(json!({ "document": STANDARD.encode(document), "found": [found] })).expect("signatures")
}

fn by(subject: &str) -> Value {
    json!({ "kind": "genericIssuer", "issuer": ISSUER, "subject": { "equal": subject } })
}

fn checked(found: &Value, root: Option<&TrustRoot>, rule: Value) -> Result<String, String> {
    let policy: Policy = serde_json::from_value(json!({ "allOf": [rule] })).expect("a policy");
    let met = policy.check(&Digest::of(DOCUMENT), &signatures(DOCUMENT, found), root);
    met.map(|met| met.to_string()).map_err(|unmet| unmet.to_string())
}

fn as_found(bundle: &Value) -> Value {
    json!({ "layout": "bundle", "bundle": STANDARD.encode(bundle.to_string()) })
}

fn body_of(bundle: &Value) -> String {
    let body = bundle["verificationMaterial"]["tlogEntries"][0]["canonicalizedBody"].as_str().expect("a body");
    String::from_utf8(STANDARD.decode(body).expect("base64")).expect("text")
}

#[test]
fn who_has_signed_is_whom_the_certificate_was_for() {
    let sigstore = Sigstore::new();
    let (root, found) = (sigstore.root(), as_found(&sigstore.bundle(&Wish::default())));
    let met = checked(&found, Some(&root), by(ANN)).expect("met");
    assert!(met.ends_with("is met by ann@example.com (https://accounts.example.com)"), "{met}");
    let elsewhere = json!({ "kind": "genericIssuer", "issuer": "https://accounts.example.org", "subject": { "equal": ANN } });
    let key = json!({ "kind": "pubKey", "key": KeyPair::generate().expect("a key").public_key_pem() });
    for (root, rule, said) in [
        (Some(&root), by("bob@example.com"), "was made with a certificate for ann@example.com"),
        (Some(&root), elsewhere, "whom https://accounts.example.com knows"),
        (Some(&root), json!({ "kind": "githubAction", "owner": "team" }), "whom https://accounts.example.com knows"),
        (Some(&root), key, "was made with a certificate, and a key is asked for"),
        (None, by(ANN), "no trust root is configured"),
        (Some(&Sigstore::new().root()), by(ANN), "a transparency log that is not in the trust root"),
    ] {
        let unmet = checked(&found, root, rule).expect_err(said);
        assert!(unmet.contains(said), "{unmet}");
    }
    let workflow = "https://github.com/team/tool/.github/workflows/x.yml@refs/tags/v1";
    let wish = Wish { name: SanType::URI(workflow.try_into().expect("ASCII")), ..Wish::default() };
    let found = as_found(&sigstore.bundle(&wish));
    let below = |prefix: &str| json!({ "kind": "genericIssuer", "issuer": ISSUER, "subject": { "urlPrefix": prefix } });
    checked(&found, Some(&root), below("https://github.com/team/")).expect("met");
    checked(&found, Some(&root), below("https://github.com/tea/")).expect_err("another owner");
}

#[test]
fn what_nobody_vouches_for_is_not_believed() {
    let sigstore = Sigstore::new();
    let root = sigstore.root();
    let good = sigstore.bundle(&Wish::default());
    let with = |change: &dyn Fn(&mut Value)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        bundle
    };
    let entry = |change: &dyn Fn(&mut Value)| with(&|bundle| change(&mut bundle["verificationMaterial"]["tlogEntries"][0]));
    let made = |wish: Wish| sigstore.bundle(&wish);
    let stranger = Sigstore::new();
    // An authority of the same name, whose certificates are logged where those of the real one are.
    let forged = Sigstore { log: copy(&sigstore.log), certificate_log: copy(&sigstore.certificate_log), ..Sigstore::new() };
    let other_log = Sigstore { certificate_log: stranger.certificate_log, ..Sigstore::new() };
    let other_log = Sigstore {
        params: sigstore.params.clone(),
        authority: copy(&sigstore.authority),
        root: sigstore.root.clone(),
        log: copy(&sigstore.log),
        ..other_log
    };
    let purpose = |purposes: Vec<ExtendedKeyUsagePurpose>| Wish { purposes, ..Wish::default() };
    for (bundle, said) in [
        (made(Wish { time: NOON + DAY, ..Wish::default() }), "at a time at which its certificate was not valid"),
        (made(Wish { time: NOON - DAY, ..Wish::default() }), "at a time at which its certificate was not valid"),
        (
            entry(&|entry| entry["integratedTime"] = json!((NOON + 1).to_string())),
            "a promise that its transparency log has not made",
        ),
        (entry(&|entry| entry["logIndex"] = json!("8")), "a promise that its transparency log has not made"),
        (entry(&|entry| entry["inclusionPromise"] = Value::Null), "a transparency log that gives no proof of it"),
        (entry(&|entry| entry["canonicalizedBody"] = json!(STANDARD.encode("{}"))), "cannot be read"),
        (
            entry(&|entry| entry["canonicalizedBody"] = json!(STANDARD.encode(body_of(&good).replace("dsse", "rekord")))),
            "as rekord 0.0.1",
        ),
        (with(&|bundle| bundle["verificationMaterial"]["tlogEntries"] = json!([])), "is in no transparency log"),
        (
            // The entry of an older signature lends nothing to a newer one.
            with(&|bundle| {
                bundle["verificationMaterial"]["tlogEntries"] =
                    made(Wish::default())["verificationMaterial"]["tlogEntries"].clone()
            }),
            "not the one that its entry of a transparency log is about",
        ),
        (
            with(&|bundle| {
                bundle["verificationMaterial"]["certificate"] =
                    made(Wish::default())["verificationMaterial"]["certificate"].clone()
            }),
            "was not made with its certificate",
        ),
        (
            with(&|bundle| bundle["verificationMaterial"]["certificate"]["rawBytes"] = json!("AAAA")),
            "a certificate that cannot be read",
        ),
        (forged.bundle(&Wish::default()), "an authority that is not in the trust root"),
        (other_log.bundle(&Wish::default()), "in no certificate log of the trust root"),
        (made(Wish { is_logged: false, ..Wish::default() }), "in no certificate log of the trust root"),
        (made(purpose(Vec::new())), "not for signing code"),
        (made(purpose(vec![ExtendedKeyUsagePurpose::ServerAuth])), "not for signing code"),
        (
            made(Wish { name: SanType::DnsName("example.com".try_into().expect("ASCII")), ..Wish::default() }),
            "for nobody with one address",
        ),
        (made(Wish { predicate: "https://slsa.dev/provenance/v1", ..Wish::default() }), "is an attestation"),
    ] {
        let unmet = checked(&as_found(&bundle), Some(&root), by(ANN)).expect_err(said);
        assert!(unmet.contains(said), "{said}: {unmet}");
    }
}

fn copy(key: &KeyPair) -> KeyPair {
    KeyPair::from_pem(&key.serialize_pem()).expect("a key")
}

#[test]
fn a_proof_holds_and_says_nothing_of_the_time() {
    let sigstore = Sigstore::new();
    let root = sigstore.root();
    let good = sigstore.bundle(&Wish::default());
    let proof = sigstore.proof(&body_of(&good));
    let with = |proof: &Value, promise: bool| {
        let mut bundle = good.clone();
        let entry = &mut bundle["verificationMaterial"]["tlogEntries"][0];
        entry["inclusionProof"] = proof.clone();
        if !promise {
            entry["inclusionPromise"] = Value::Null;
        }
        checked(&as_found(&bundle), Some(&root), by(ANN))
    };
    with(&proof, true).expect("both hold");
    assert!(with(&proof, false).is_err_and(|unmet| unmet.contains("at a time that nobody vouches for")));
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut changed = proof.clone();
        change(&mut changed);
        changed
    };
    for proof in [
        sigstore.proof("another entry"),
        Sigstore::new().proof(&body_of(&good)),
        changed(&|proof| proof["treeSize"] = json!("2")),
        changed(&|proof| proof["hashes"] = json!([proof["rootHash"]])),
        changed(&|proof| proof["checkpoint"]["envelope"] = json!("")),
        changed(&|proof| {
            proof["checkpoint"]["envelope"] =
                json!(proof["checkpoint"]["envelope"].as_str().expect("a note").replace("\n1\n", "\n2\n"))
        }),
    ] {
        assert!(
            with(&proof, true).is_err_and(|unmet| unmet.contains("a proof of its transparency log that does not lead there")),
            "{proof}"
        );
    }
}

#[test]
fn what_cosign_2_has_beside_a_payload_is_the_same() {
    let sigstore = Sigstore::new();
    let root = sigstore.root();
    let (certificate, key) = sigstore.certificate(&Wish::default());
    let payload = json!({ "critical": { "identity": {}, "image": { "docker-manifest-digest": Digest::of(DOCUMENT) },
        "type": "cosign container image signature" }, "optional": null })
    .to_string();
    let signature = STANDARD.encode(signed(&key, payload.as_bytes()));
    let body = json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {
        "data": { "hash": { "algorithm": "sha256", "value": Digest::of(payload.as_bytes()).hex() } },
        "signature": { "content": signature, "publicKey": { "content": STANDARD.encode(pem(&certificate)) } } } })
    .to_string();
    let with = |time: i64, promised: i64| {
        let noted = json!({ "SignedEntryTimestamp": STANDARD.encode(sigstore.promise(&body, promised)),
            "Payload": { "body": STANDARD.encode(&body), "integratedTime": time, "logIndex": 7, "logID": sigstore.id() } });
        let found = json!({ "layout": "payload", "payload": STANDARD.encode(&payload), "annotations": {
            "dev.cosignproject.cosign/signature": signature, "dev.sigstore.cosign/certificate": pem(&certificate),
            "dev.sigstore.cosign/chain": pem(&sigstore.root), "dev.sigstore.cosign/bundle": noted.to_string() } });
        checked(&found, Some(&root), by(ANN))
    };
    with(NOON, NOON).expect("met");
    assert!(with(NOON + DAY, NOON + DAY).is_err_and(|unmet| unmet.contains("certificate was not valid")));
    assert!(with(NOON, NOON + DAY).is_err_and(|unmet| unmet.contains("has not made")));
}

#[test]
fn a_trust_root_is_for_a_time_and_whole() {
    let sigstore = Sigstore::new();
    let found = as_found(&sigstore.bundle(&Wish::default()));
    let with = |change: &dyn Fn(&mut Value)| {
        let mut written = sigstore.written();
        change(&mut written);
        TrustRoot::parse(written.to_string().as_bytes())
    };
    let over = json!({ "start": "2020-01-01T00:00:00Z", "end": "2025-01-01T00:00:00Z" });
    for (changed, said) in [
        (with(&|root| root["certificateAuthorities"][0]["validFor"] = over.clone()), "not valid there when it was made"),
        (with(&|root| root["tlogs"][0]["publicKey"]["validFor"] = over.clone()), "a transparency log that was not valid"),
        (with(&|root| root["ctlogs"][0]["publicKey"]["validFor"] = over.clone()), "in no certificate log"),
    ] {
        let unmet = checked(&found, Some(&changed.expect("a trust root")), by(ANN)).expect_err(said);
        assert!(unmet.contains(said), "{unmet}");
    }
    // Who has an authority without a certificate log says so.
    checked(&found, Some(&with(&|root| root["ctlogs"] = json!([])).expect("a trust root")), by(ANN)).expect("met");
    for (changed, said) in [
        (with(&|root| root["ctlogs"][0]["publicKey"]["rawBytes"] = json!("AAAA")), "has certificate logs, and none with a key"),
        (with(&|root| root["tlogs"] = json!([])), "no transparency log"),
        (with(&|root| root["certificateAuthorities"] = json!([])), "no certificate authority"),
        (with(&|root| root["certificateAuthorities"][0]["certChain"]["certificates"] = json!([])), "without a certificate"),
        (with(&|root| root["tlogs"][0]["publicKey"]["validFor"]["end"] = json!("soon")), "a time that is none"),
        (TrustRoot::parse(b"5"), "no trusted root"),
    ] {
        let why = changed.expect_err(said);
        assert!(why.contains(said), "{why}");
    }
}

/// What the authorities of sigstore-go's tests have signed.
fn by_sigstore_go(name: &str) -> (Vec<u8>, TrustRoot, Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/keyless.json");
    let fixture: Value = serde_json::from_slice(&std::fs::read(file).expect("a fixture")).expect("JSON");
    let root = TrustRoot::parse(fixture["trustedRoot"].to_string().as_bytes()).expect("a trust root");
    (fixture["document"].as_str().expect("a document").into(), root, fixture["bundles"][name].clone())
}

fn checked_of(document: &[u8], bundle: &Value, root: &TrustRoot) -> Result<String, String> {
    let policy: Policy = serde_json::from_value(json!({ "allOf": [by(ANN)] })).expect("a policy");
    let met = policy.check(&Digest::of(document), &signatures(document, &as_found(bundle)), Some(root));
    met.map(|met| met.to_string()).map_err(|unmet| unmet.to_string())
}

#[test]
fn what_sigstore_go_signs_is_signed_for_us() {
    for name in ["envelope, promised", "message, promised", "envelope, in Rekor 2"] {
        let (document, root, bundle) = by_sigstore_go(name);
        checked_of(&document, &bundle, &root).expect(name);
    }
    let (document, root, bundle) = by_sigstore_go("too late");
    let unmet = checked_of(&document, &bundle, &root).expect_err("too late");
    assert!(unmet.contains("at a time at which its certificate was not valid"), "{unmet}");
}

#[test]
fn a_timestamp_is_of_its_signature_and_unchanged() {
    let (document, root, good) = by_sigstore_go("envelope, in Rekor 2");
    let (.., other) = by_sigstore_go("envelope, promised");
    let timestamps = "timestampVerificationData";
    let with = |change: &dyn Fn(&mut Value)| {
        let mut bundle = good.clone();
        change(&mut bundle["verificationMaterial"][timestamps]);
        checked_of(&document, &bundle, &root)
    };
    let bytes = STANDARD
        .decode(good["verificationMaterial"][timestamps]["rfc3161Timestamps"][0]["signedTimestamp"].as_str().expect("one"));
    let bytes = bytes.expect("base64");
    let stamped = |bytes: &[u8]| json!({ "rfc3161Timestamps": [{ "signedTimestamp": STANDARD.encode(bytes) }] });
    assert!(with(&|data| *data = stamped(&bytes)).is_ok());
    assert!(with(&|data| *data = json!({})).is_err_and(|unmet| unmet.contains("at a time that nobody vouches for")));
    assert!(
        with(&|data| *data = other["verificationMaterial"][timestamps].clone())
            .is_err_and(|unmet| unmet.contains("of another signature"))
    );
    assert!(with(&|data| *data = stamped(&bytes[..bytes.len() - 1])).is_err_and(|unmet| unmet.contains("cannot be read")));
    // No byte of what counts can be changed, and none that does not makes another time of it.
    let mut refused = 0;
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        refused += usize::from(with(&|data| *data = stamped(&changed)).is_err());
    }
    assert!(refused * 2 > bytes.len(), "{refused} of {}", bytes.len());
}

#[test]
fn nothing_in_a_bundle_is_too_strange() {
    for name in ["message, promised", "envelope, in Rekor 2"] {
        let (document, root, good) = by_sigstore_go(name);
        let text = good.to_string().into_bytes();
        let mut refused = 0;
        for at in (0..text.len()).step_by(5) {
            let mut changed = text.clone();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let found = json!({ "layout": "bundle", "bundle": STANDARD.encode(&changed) });
            let policy: Policy = serde_json::from_value(json!({ "allOf": [by(ANN)] })).expect("a policy");
            refused += usize::from(policy.check(&Digest::of(&document), &signatures(&document, &found), Some(&root)).is_err());
        }
        assert!(refused * 10 > text.len() / 5 * 8, "{name}: {refused} of {}", text.len() / 5);
    }
}
