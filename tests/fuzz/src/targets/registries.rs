//! What registries send, and the signatures of what they have.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbar_registry::fuzzing::{component, layers, realm};
use sandbar_registry::{Digest, DockerConfig, Policy, Reference, Signatures, TrustRoot};
use serde_json::{Value, json};

use crate::{head_and_body, is_clean};

const MOST: u64 = 64 * 1024;

const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A reference, and a docker configuration: what is taken is shown as it was written, and nothing of a configuration is quoted.
pub(super) fn reference(bytes: &[u8]) {
    let (head, body) = head_and_body(bytes);
    let text = String::from_utf8_lossy(head);
    match text.parse::<Reference>() {
        Ok(reference) => {
            let shown = reference.to_string();
            assert!(shown.eq_ignore_ascii_case(&text) && is_clean(&shown), "{shown}");
            assert_eq!(shown.parse::<Reference>().as_ref(), Ok(&reference));
            assert!(!reference.repository.name().split('/').any(|part| part.is_empty() || part == ".."), "{shown}");
        }
        Err(why) => assert!(is_clean(&why.to_string())),
    }
    if let Err(error) = DockerConfig::parse(body) {
        assert!(is_clean(&error.to_string()) && !error.to_string().contains("s3cret"), "{error}");
    }
}

pub(super) fn reference_seeds() -> Vec<Vec<u8>> {
    [
        format!("oci://ghcr.io/team/tool@sha256:{HEX}\n{{\"auths\":{{\"ghcr.io\":{{\"auth\":\"YW5uOnMzY3JldA==\"}}}}}}"),
        "oci://[::1]:5000/a-b__c/d.e:v1\n{\"credsStore\":\"s3cret\"}".to_owned(),
        "oci://LOCALHOST/a:_\n[]".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// A challenge, and a manifest or an index: no more layers come of it than an image may have, and its refusal can be shown.
pub(super) fn artifact(bytes: &[u8]) {
    let (header, document) = head_and_body(bytes);
    if let Some(realm) = realm(header) {
        assert!(realm.len() <= header.len());
    }
    match layers(document) {
        Ok(layers) => assert!(layers <= 16),
        Err(words) => assert!(is_clean(&words), "{words}"),
    }
}

pub(super) fn artifact_seeds() -> Vec<Vec<u8>> {
    let described = |kind: &str| json!({ "mediaType": kind, "digest": format!("sha256:{HEX}"), "size": 7 });
    let manifest =
        |config: &str, layer: &str| json!({ "schemaVersion": 2, "config": described(config), "layers": [described(layer)] });
    let mut wasm = described("application/vnd.oci.image.manifest.v1+json");
    wasm["platform"] = json!({ "os": "wasip2", "architecture": "wasm" });
    let index = json!({ "schemaVersion": 2, "manifests": [wasm, described("x")] });
    [
        format!(
            "Bearer realm=\"https://a/\",service=\"s\"\n{}",
            manifest("application/vnd.wasm.config.v0+json", "application/wasm")
        ),
        format!(
            "Basic realm=x, Bearer realm=y\n{}",
            manifest("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip")
        ),
        format!("Negotiate a==, Basic\n{index}"),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// A layer of an image, packed or not: what is found in it is no larger than a component may be.
pub(super) fn layer(bytes: &[u8]) {
    let Some((first, layer)) = bytes.split_first() else { return };
    if let Some(component) = component(layer, first % 2 == 1, MOST) {
        assert!(component.len() as u64 <= MOST);
    }
}

pub(super) fn layer_seeds() -> Vec<Vec<u8>> {
    // A file of two bytes, as tar has it, and the same packed by gzip without compressing it.
    let mut head = [0; 512];
    head[..9].copy_from_slice(b"tool.wasm");
    head[100..108].copy_from_slice(b"0000644\0");
    head[124..136].copy_from_slice(b"00000000002\0");
    head[148..156].fill(b' ');
    head[156] = b'0';
    head[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = head.iter().map(|&byte| u32::from(byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let tar = [&head[..], b"ab", &[0; 510 + 1024]].concat();
    let length = u16::try_from(tar.len()).unwrap().to_le_bytes();
    let crc = tar.iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    let gzip = [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1][..],
        &length,
        &[!length[0], !length[1]],
        &tar,
        &(!crc).to_le_bytes(),
        &u32::from(u16::from_le_bytes(length)).to_le_bytes(),
    ]
    .concat();
    assert_eq!(component(&tar, false, MOST).as_deref(), Some(&b"ab"[..]));
    assert_eq!(component(&gzip, true, MOST).as_deref(), Some(&b"ab"[..]));
    vec![[&[0][..], &tar].concat(), [&[1][..], &gzip].concat()]
}

/// Signatures that were made: with a key by cosign 3, and without one by sigstore-go.
static WITH_KEY: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../host/registry/tests/fixtures/cosign-3.json")).unwrap());
static WITHOUT_KEY: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../host/registry/tests/fixtures/keyless.json")).unwrap());

/// Whether a bundle is a signature of a document that a rule wants.
fn is_met(document: &str, bundle: &[u8], rule: Value, root: Option<&TrustRoot>) -> bool {
    let policy: Policy = serde_json::from_value(json!({ "allOf": [rule] })).unwrap();
    let found = json!({ "layout": "bundle", "bundle": STANDARD.encode(bundle) });
    let kept = json!({ "document": STANDARD.encode(document), "found": [found] });
    let signatures: Signatures = serde_json::from_value(kept).unwrap();
    match policy.check(&Digest::of(document.as_bytes()), &signatures, root) {
        Ok(_) => true,
        Err(unmet) => {
            assert!(is_clean(&unmet.to_string()), "{unmet}");
            false
        }
    }
}

/// A bundle: it is taken for a signature where what was signed, and by what, is what was signed once.
pub(super) fn signature(bundle: &[u8]) {
    static ROOT: LazyLock<TrustRoot> =
        LazyLock::new(|| TrustRoot::parse(WITHOUT_KEY["trustedRoot"].to_string().as_bytes()).unwrap());
    let parts = |bundle: &Value| {
        let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap_or_default()).ok();
        let envelope = &bundle["dsseEnvelope"];
        (bytes(&envelope["payload"]), bytes(&envelope["signatures"][0]["sig"]), bytes(&bundle["messageSignature"]["signature"]))
    };
    let once = |bundle: &[u8]| {
        let found = serde_json::from_slice(bundle).map(|bundle| parts(&bundle)).ok();
        bundles().iter().any(|known| Some(parts(&serde_json::from_slice(known).unwrap())) == found)
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let signed = text(&WITH_KEY["contents"][format!("manifests/{}", text(&WITH_KEY["digest"]))]);
    let by_key = json!({ "kind": "pubKey", "key": WITH_KEY["keys"]["p256"] });
    let by_ann =
        json!({ "kind": "genericIssuer", "issuer": "https://accounts.example.com", "subject": { "equal": "ann@example.com" } });
    assert!(!is_met(&signed, bundle, by_key, None) || once(bundle));
    assert!(!is_met(&text(&WITHOUT_KEY["document"]), bundle, by_ann, Some(&ROOT)) || once(bundle));
}

fn bundles() -> Vec<Vec<u8>> {
    let with_key = WITH_KEY["contents"].as_object().unwrap().values().filter_map(Value::as_str);
    let with_key = with_key.filter(|text| text.contains("dsseEnvelope")).map(|text| text.as_bytes().to_vec());
    let without_key = WITHOUT_KEY["bundles"].as_object().unwrap().values().map(|bundle| bundle.to_string().into_bytes());
    with_key.chain(without_key).collect()
}

pub(super) fn signature_seeds() -> Vec<Vec<u8>> {
    bundles()
}
