//! Who has signed a component with a key, and what becomes of one that nobody has signed who should have.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{KeyPair, SigningKey as _};
use sandbar_registry::{Digest, Met, NotLoaded, Policy, Registries};
use serde_json::{Value, json};

use crate::fake::{Asked, Contents, Fake, Reply, client, registries};

const COMPONENT: &[u8] = b"\0asm component";
const PAYLOAD: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

/// What the real cosign wrote: a digest, two public keys, and what a registry had afterwards.
struct Fixture {
    digest: Digest,
    p256: String,
    ed25519: String,
    contents: Contents,
}

impl Fixture {
    fn read(name: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.json"));
        let fixture: Value = serde_json::from_slice(&std::fs::read(file).expect("a fixture")).expect("JSON");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let contents = fixture["contents"].as_object().expect("contents").iter();
        Self {
            digest: text(&fixture["digest"]).parse().expect("a digest"),
            p256: text(&fixture["keys"]["p256"]),
            ed25519: text(&fixture["keys"]["ed25519"]),
            contents: Contents(contents.map(|(path, content)| (path.clone(), text(content).into_bytes())).collect()),
        }
    }
}

const FIXTURES: [&str; 3] = ["cosign-2", "cosign-3", "cosign-3-without-referrers"];

fn policy(policy: Value) -> Policy {
    serde_json::from_value(policy).expect("a policy")
}

fn by(key: &str) -> Value {
    json!({ "kind": "pubKey", "key": key })
}

async fn verified(client: &Registries, registry: &Fake, digest: &Digest, policy: &Policy) -> Result<Met, String> {
    client.verify(&registry.pinned(digest), policy).await.map_err(|error| error.to_string())
}

/// What comes of checking what a registry has.
async fn checked(contents: Contents, digest: &Digest, rules: Value) -> Result<Met, String> {
    let registry = Fake::plain(move |asked| contents.answer(asked)).await;
    verified(&client(&[&registry]), &registry, digest, &policy(rules)).await
}

#[tokio::test]
async fn what_cosign_has_signed_is_signed() {
    for name in FIXTURES {
        let Fixture { digest, p256, ed25519, contents } = Fixture::read(name);
        let with = |mut rule: Value, team: &str| {
            rule["annotations"] = json!({ "team": team });
            rule
        };
        let stranger = KeyPair::generate().expect("a key").public_key_pem();
        for rules in [
            json!({ "allOf": [by(&p256)] }),
            json!({ "allOf": [by(&ed25519)] }),
            json!({ "allOf": [with(by(&p256), "blue")] }),
            json!({ "allOf": [by(&p256)], "anyOf": { "signatures": [by(&stranger), by(&ed25519)] } }),
            json!({ "anyOf": { "minimumMatches": 2, "signatures": [by(&stranger), by(&p256), by(&ed25519)] } }),
        ] {
            let met = checked(contents.clone(), &digest, rules).await.expect(name);
            assert!(met.to_string().contains("is met by key "), "{met}");
        }
        for (rules, said) in [
            (json!({ "allOf": [by(&stranger)] }), "signature 1 was not made with this key"),
            (json!({ "allOf": [by(&p256), by(&stranger)] }), "2 signatures found"),
            (json!({ "allOf": [with(by(&p256), "red")] }), "was signed with `blue`, where the annotation `team` is asked for"),
            (
                json!({ "anyOf": { "minimumMatches": 2, "signatures": [by(&stranger), by(&p256)] } }),
                "of anyOf 1 met and 2 needed",
            ),
            (json!({ "allOf": [by(&p256)], "anyOf": { "signatures": [by(&stranger)] } }), "of anyOf 0 met and 1 needed"),
            (json!({ "allOf": [{ "kind": "githubAction", "owner": "team" }] }), "githubAction of team is not met"),
        ] {
            let error = checked(contents.clone(), &digest, rules).await.expect_err(said);
            assert!(error.contains(said), "{name}: {error}");
        }
    }
}

#[tokio::test]
async fn what_is_not_signed_says_so_and_is_not_loaded() {
    for name in FIXTURES {
        let Fixture { digest, p256, mut contents, .. } = Fixture::read(name);
        contents.0.retain(|path, _| *path == format!("manifests/{digest}"));
        let error = checked(contents.clone(), &digest, json!({ "allOf": [by(&p256)] })).await.expect_err("stripped");
        assert!(error.contains("it is not signed: no signature of cosign was found"), "{error}");
        let registry = Fake::plain(move |asked| contents.answer(asked)).await;
        let policy = policy(json!({ "allOf": [by(&p256)] }));
        let refused = client(&[&registry]).load(&registry.pinned(&digest).into(), Some(&policy)).await.expect_err("not loaded");
        assert!(matches!(refused, NotLoaded::Unsigned { .. }));
        assert!(registry.asked().iter().all(|asked| !asked.what.contains("/blobs/")), "it is not even pulled");
    }
}

#[tokio::test]
async fn a_signature_of_another_digest_is_none() {
    for name in FIXTURES {
        let Fixture { digest, p256, contents, .. } = Fixture::read(name);
        let mut moved = Contents::default();
        let other = moved.artifact(b"another component");
        for (path, content) in contents.0 {
            let path = path.replace(&digest.hex(), &other.hex());
            moved.0.entry(path).or_insert(content);
        }
        let error = checked(moved, &other, json!({ "allOf": [by(&p256)] })).await.expect_err("of another");
        assert!(error.contains("is of another digest"), "{name}: {error}");
    }
}

#[tokio::test]
async fn what_was_signed_cannot_be_changed() {
    for name in FIXTURES {
        let Fixture { digest, p256, ed25519, contents } = Fixture::read(name);
        // Whoever has the registry changes what was signed, and all digests on the way to it.
        let mut changed = Contents::default();
        let mut texts: Vec<(String, String)> =
            contents.0.iter().map(|(path, text)| (path.clone(), String::from_utf8(text.clone()).expect("text"))).collect();
        let old: Vec<(String, String)> = texts.clone();
        for (path, text) in &mut texts {
            if path.starts_with("blobs/") {
                *text = text.replace("\"team\":\"blue\"", "\"team\":\"gray\"");
                if let Ok(mut bundle) = serde_json::from_str::<Value>(text)
                    && let Some(payload) = bundle["dsseEnvelope"]["payload"].as_str()
                {
                    let statement = String::from_utf8(STANDARD.decode(payload).expect("base64")).expect("text");
                    bundle["dsseEnvelope"]["payload"] = STANDARD.encode(statement.replace("blue", "gray")).into();
                    *text = bundle.to_string();
                }
            }
        }
        for round in 0..3 {
            let renamed: Vec<(String, String)> = old
                .iter()
                .zip(&texts)
                .filter(|((path, _), _)| path.contains("sha256:") && !path.contains(&digest.hex()))
                .map(|((path, _), (_, text))| {
                    (path.rsplit_once(':').expect("a digest").1.to_owned(), Digest::of(text.as_bytes()).hex())
                })
                .collect();
            for (path, text) in &mut texts {
                if path.starts_with("manifests/") || path.starts_with("referrers/") {
                    let original = old.iter().find(|(other, _)| other == path).expect("there").1.clone();
                    *text = renamed.iter().fold(original, |text, (from, to)| text.replace(from.as_str(), to));
                }
            }
            if round == 2 {
                for (path, text) in &texts {
                    let path = renamed.iter().fold(path.clone(), |path, (from, to)| path.replace(from.as_str(), to));
                    changed.0.insert(path, text.clone().into_bytes());
                }
            }
        }
        for key in [p256, ed25519] {
            let error = checked(changed.clone(), &digest, json!({ "allOf": [by(&key)] })).await.expect_err("changed");
            assert!(error.contains("was not made with this key, or what was signed has been changed"), "{name}: {error}");
        }
    }
}

/// A key with which a test signs what it likes.
struct Signs(KeyPair);

impl Signs {
    fn new() -> Self {
        Self(KeyPair::generate().expect("a key"))
    }

    fn public(&self) -> String {
        self.0.public_key_pem()
    }

    fn signed(&self, message: &[u8]) -> String {
        STANDARD.encode(self.0.sign(message).expect("signed"))
    }

    fn envelope(&self, statement: &Value) -> Value {
        let payload = statement.to_string();
        let kind = "application/vnd.in-toto+json";
        let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        json!({ "verificationMaterial": {}, "dsseEnvelope": {
            "payload": STANDARD.encode(&payload), "payloadType": kind, "signatures": [{ "sig": self.signed(message.as_bytes()) }] } })
    }
}

fn statement(digest: &Digest, predicate: &str) -> Value {
    json!({ "_type": "https://in-toto.io/Statement/v1", "subject": [{ "digest": { "sha256": digest.hex() } }], "predicateType": predicate, "predicate": {} })
}

impl Contents {
    /// Has a bundle refer to a digest.
    fn refer(&mut self, to: &Digest, bundle: &[u8]) {
        let path = format!("referrers/{to}");
        let empty = self.blob("application/vnd.oci.empty.v1+json", b"{}");
        let layer = self.blob(BUNDLE, bundle);
        let digest = self.document(&json!({ "schemaVersion": 2, "config": empty, "layers": [layer], "artifactType": BUNDLE }));
        let mut index: Value = match self.0.get(&path) {
            Some(index) => serde_json::from_slice(index).expect("JSON"),
            None => json!({ "schemaVersion": 2, "manifests": [] }),
        };
        let entry = json!({ "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1, "artifactType": BUNDLE });
        index["manifests"].as_array_mut().expect("entries").push(entry);
        self.0.insert(path, index.to_string().into_bytes());
    }

    /// Has a signature as cosign 2 puts it.
    fn tag(&mut self, digest: &Digest, payload: &[u8], signature: &str) {
        let empty = self.blob("application/vnd.oci.image.config.v1+json", b"{}");
        let mut layer = self.blob(PAYLOAD, payload);
        layer["annotations"] = json!({ "dev.cosignproject.cosign/signature": signature });
        let manifest = json!({ "schemaVersion": 2, "config": empty, "layers": [layer] });
        self.0.insert(format!("manifests/sha256-{}.sig", digest.hex()), manifest.to_string().into_bytes());
    }
}

#[tokio::test]
async fn a_signature_on_a_later_page_is_one() {
    let signs = Signs::new();
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    let first = format!("/v2/team/tool/referrers/{digest}");
    contents.refer(&digest, signs.envelope(&statement(&digest, SIGNED)).to_string().as_bytes());
    // Others that refer to it fill the pages before: `pages` of them.
    let answer = move |asked: &Asked, pages: usize| {
        let page =
            asked.what.strip_prefix(&format!("GET {first}")).map(|query| query.trim_start_matches("?page=").parse().unwrap_or(0));
        match page {
            Some(page) if page < pages => {
                let next = ("link", format!("<{first}?page={}>; rel=\"next\"", page + 1));
                Reply::Whole(200, vec![next], json!({ "schemaVersion": 2, "manifests": [] }).to_string().into_bytes())
            }
            Some(_) => contents.answer(&Asked { what: format!("GET {first}"), ..asked.clone() }),
            None => contents.answer(asked),
        }
    };
    let rules = policy(json!({ "allOf": [by(&signs.public())] }));
    for (pages, found) in [(1, true), (15, true), (16, false), (usize::MAX, false)] {
        let answer = answer.clone();
        let registry = Fake::plain(move |asked| answer(asked, pages)).await;
        let outcome = verified(&client(&[&registry]), &registry, &digest, &rules).await;
        match found {
            true => _ = outcome.expect("signed"),
            false => assert!(outcome.expect_err("not read").contains("has more pages than are read"), "{pages}"),
        }
    }
}

#[tokio::test]
async fn an_attestation_is_no_signature() {
    let signs = Signs::new();
    let rules = json!({ "allOf": [by(&signs.public())] });
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    let kind = "https://slsa.dev/provenance/v1";
    contents.refer(&digest, signs.envelope(&statement(&digest, kind)).to_string().as_bytes());
    let error = checked(contents.clone(), &digest, rules.clone()).await.expect_err("an attestation");
    assert!(error.contains(&format!("is an attestation ({kind})")), "{error}");
    contents.refer(&digest, signs.envelope(&statement(&digest, SIGNED)).to_string().as_bytes());
    checked(contents, &digest, rules).await.expect("a signature beside it");
}

#[tokio::test]
async fn a_signature_may_be_of_the_manifest_itself() {
    let signs = Signs::new();
    let rules = json!({ "allOf": [by(&signs.public())] });
    let bundle =
        |message: &[u8]| json!({ "verificationMaterial": {}, "messageSignature": { "signature": signs.signed(message) } });
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    let manifest = contents.0[&format!("manifests/{digest}")].clone();
    let mut of_another = contents.clone();
    of_another.refer(&digest, bundle(b"another").to_string().as_bytes());
    checked(of_another, &digest, rules.clone()).await.expect_err("of another");
    contents.refer(&digest, bundle(&manifest).to_string().as_bytes());
    checked(contents, &digest, rules).await.expect("signed");
}

#[tokio::test]
async fn what_is_no_signature_is_told_and_in_nobodys_way() {
    let signs = Signs::new();
    let rules = json!({ "allOf": [by(&signs.public())] });
    let mut plain = Contents::default();
    let digest = plain.artifact(COMPONENT);
    let good = signs.envelope(&statement(&digest, SIGNED));
    let payload = json!({ "critical": { "identity": {}, "image": { "docker-manifest-digest": digest }, "type": "atomic container signature" } });
    let with = |change: &dyn Fn(&mut Value)| {
        let mut bundle = good.clone();
        change(&mut bundle);
        let mut contents = plain.clone();
        contents.refer(&digest, bundle.to_string().as_bytes());
        contents
    };
    let tagged = |payload: &[u8], signature: &str| {
        let mut contents = plain.clone();
        contents.tag(&digest, payload, signature);
        contents
    };
    let gone = {
        let mut contents = with(&|_| {});
        contents.0.retain(|path, _| path != &format!("blobs/{}", Digest::of(good.to_string().as_bytes())));
        contents
    };
    for (contents, said) in [
        (with(&|bundle| *bundle = json!([])), "is no Sigstore bundle"),
        (with(&|bundle| bundle["messageSignature"] = json!({ "signature": "" })), "without a signature, or with two"),
        (with(&|bundle| bundle["dsseEnvelope"] = Value::Null), "without a signature, or with two"),
        (with(&|bundle| bundle["dsseEnvelope"]["signatures"] = json!([])), "without the one signature"),
        (with(&|bundle| bundle["dsseEnvelope"]["payloadType"] = json!("text/plain")), "no in-toto statement"),
        (with(&|bundle| bundle["dsseEnvelope"]["payload"] = json!("e30=")), "no in-toto statement"),
        (with(&|bundle| bundle["dsseEnvelope"]["payload"] = json!("%")), "is no Sigstore bundle"),
        (tagged(b"{}", ""), "not what cosign signs"),
        (tagged(payload.to_string().as_bytes(), ""), "not what cosign signs"),
        (tagged(payload.to_string().replace("atomic container", "cosign container image").as_bytes(), "%"), "is missing"),
        (gone, "the registry has no sha256:"),
    ] {
        let error = checked(contents.clone(), &digest, rules.clone()).await.expect_err(said);
        assert!(error.contains(said), "{said}: {error}");
        let mut beside = contents;
        beside.refer(&digest, signs.envelope(&statement(&digest, SIGNED)).to_string().replace("{}", "{ }").as_bytes());
        checked(beside, &digest, rules.clone()).await.expect("a good one beside it");
    }
}

#[tokio::test]
async fn a_tag_that_moves_between_check_and_load_loads_what_was_checked() {
    let signs = Signs::new();
    let mut contents = Contents::default();
    let (checked, other) = (contents.artifact(COMPONENT), contents.artifact(b"another"));
    contents.refer(&checked, signs.envelope(&statement(&checked, SIGNED)).to_string().as_bytes());
    let first = std::sync::atomic::AtomicBool::new(true);
    let registry = Fake::plain(move |asked| match asked.what.ends_with("/manifests/v1") {
        true => {
            let now = if first.swap(false, std::sync::atomic::Ordering::Relaxed) { checked } else { other };
            Reply::ok(contents.0[&format!("manifests/{now}")].clone())
        }
        false => contents.answer(asked),
    })
    .await;
    let policy = policy(json!({ "allOf": [by(&signs.public())] }));
    let load = async || client(&[&registry]).load(&registry.reference(":v1"), Some(&policy)).await;
    let (artifact, _) = load().await.expect("loaded");
    assert_eq!((&artifact.component[..], artifact.pinned.digest), (COMPONENT, checked));
    assert!(matches!(load().await, Err(NotLoaded::Unsigned { .. })), "what the tag leads to now is not signed");
}

#[tokio::test]
async fn attestations_beside_a_signature_are_in_nobodys_way() {
    let signs = Signs::new();
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    let kind = "https://slsa.dev/provenance/v1";
    for _ in 0..20 {
        contents.refer(&digest, signs.envelope(&statement(&digest, kind)).to_string().as_bytes());
    }
    let list = format!("referrers/{digest}");
    let mut index: Value = serde_json::from_slice(&contents.0[&list]).expect("JSON");
    for entry in index["manifests"].as_array_mut().expect("entries") {
        entry["annotations"] = json!({ "dev.sigstore.bundle.predicateType": kind });
    }
    contents.0.insert(list, index.to_string().into_bytes());
    contents.refer(&digest, signs.envelope(&statement(&digest, SIGNED)).to_string().as_bytes());
    checked(contents, &digest, json!({ "allOf": [by(&signs.public())] })).await.expect("signed");
}

#[tokio::test]
async fn so_many_signatures_are_looked_at_and_no_more() {
    let (signs, other) = (Signs::new(), Signs::new());
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    for _ in 0..20 {
        contents.refer(&digest, other.envelope(&statement(&digest, SIGNED)).to_string().as_bytes());
    }
    contents.refer(&digest, signs.envelope(&statement(&digest, SIGNED)).to_string().as_bytes());
    let error = checked(contents, &digest, json!({ "allOf": [by(&signs.public())] })).await.expect_err("too many");
    assert!(error.contains("16 signatures found, and 5 more that were not looked at"), "{error}");
}

fn at(address: std::net::SocketAddr, digest: &Digest) -> sandbar_registry::Pinned {
    let reference: sandbar_registry::Reference = format!("oci://{address}/team/tool@{digest}").parse().expect("a reference");
    reference.pinned().expect("a digest")
}

#[tokio::test]
async fn what_was_checked_once_is_checked_again_without_a_registry() {
    let folder = tempfile::tempdir().expect("a folder");
    let signs = Signs::new();
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    contents.refer(&digest, signs.envelope(&statement(&digest, SIGNED)).to_string().as_bytes());
    let registry = Fake::plain(move |asked| contents.answer(asked)).await;
    let (own, others) =
        (policy(json!({ "allOf": [by(&signs.public())] })), policy(json!({ "allOf": [by(&Signs::new().public())] })));
    let load = async |policy: &Policy| {
        registries(&[&registry], None, Some(folder.path())).load(&registry.pinned(&digest).into(), Some(policy)).await
    };
    load(&own).await.expect("loaded");
    let asked = registry.asked().len();
    let (artifact, met) = load(&own).await.expect("loaded again");
    assert_eq!((&artifact.component[..], registry.asked().len()), (COMPONENT, asked));
    assert!(met.is_some());
    load(&others).await.expect_err("another policy is another check");
    assert!(registry.asked().len() > asked, "there might have been another signature by now");
    let down = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let error = registries(&[&registry], None, Some(folder.path()))
        .verify(&at(down, &digest), &others)
        .await
        .expect_err("neither here nor there")
        .to_string();
    assert!(
        error.contains("pubKey") && error.contains("whether there are other signatures by now cannot be found out"),
        "{error}"
    );
    // Whoever can write to the cache cannot make a signature.
    let file = folder.path().join(format!("sha256-{}.signatures.json", digest.hex()));
    std::fs::write(&file, "{}").expect("written");
    load(&own).await.expect("asked for anew");
    let kept = std::fs::read_to_string(&file).expect("kept anew");
    assert!(kept.contains("bundle"), "{kept}");
}

#[test]
fn no_byte_of_a_signature_can_be_changed_and_none_is_too_strange() {
    for name in FIXTURES {
        let Fixture { digest, p256, contents, .. } = Fixture::read(name);
        let document = &contents.0[&format!("manifests/{digest}")];
        let policy = policy(json!({ "allOf": [by(&p256)] }));
        let met = |bundle: &[u8]| {
            let found = json!({ "layout": "bundle", "bundle": STANDARD.encode(bundle) });
            let kept = json!({ "document": STANDARD.encode(document), "found": [found] });
            policy.check(&digest, &serde_json::from_value(kept).expect("signatures"), None).is_ok()
        };
        let bundles = contents.0.iter().filter(|(path, text)| path.starts_with("blobs/") && text.starts_with(b"{\"mediaType"));
        for (_, bundle) in bundles.filter(|(_, bundle)| met(bundle)) {
            let counts = |bundle: &[u8]| {
                let bundle: Value = serde_json::from_slice(bundle).ok()?;
                let text = |value: &Value| STANDARD.decode(value.as_str()?).ok();
                Some((text(&bundle["dsseEnvelope"]["payload"])?, text(&bundle["dsseEnvelope"]["signatures"][0]["sig"])?))
            };
            for at in 0..bundle.len() {
                for other in [bundle[at] ^ 1, b'"', b'9'] {
                    let mut changed = bundle.clone();
                    changed[at] = other;
                    assert!(!met(&changed) || counts(&changed) == counts(bundle), "{}", String::from_utf8_lossy(&changed));
                }
                assert!(!met(&bundle[..at]), "a part of it is none");
            }
        }
    }
}
