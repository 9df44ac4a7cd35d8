//! What a digest or a tag leads to.

use std::io::Write as _;
use std::sync::{Arc, Mutex};

use sandbar_registry::{Digest, Kind};
use serde_json::json;

use crate::fake::{Contents, Fake, Reply, client, registries};

const COMPONENT: &[u8] = b"\0asm component";

fn image(path: &str, component: &[u8]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_ustar();
    header.set_size(component.len() as u64);
    tar.append_data(&mut header, path, component).expect("a file");
    let mut gzip = tar.into_inner().expect("an archive");
    gzip.flush().expect("written");
    gzip.finish().expect("compressed")
}

#[tokio::test]
async fn a_component_is_pulled_from_an_artifact_an_image_and_an_index() {
    let mut contents = Contents::default();
    let artifact = contents.artifact(COMPONENT);
    let config = contents.blob("application/vnd.oci.image.config.v1+json", b"{}");
    let layer = contents.blob("application/vnd.oci.image.layer.v1.tar+gzip", &image("tool.wasm", COMPONENT));
    let image = contents.document(&json!({ "schemaVersion": 2, "config": config, "layers": [layer] }));
    let entry = |digest: &Digest, os: &str, architecture: &str| {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        json!({ "mediaType": kind, "digest": digest, "size": 1, "platform": { "os": os, "architecture": architecture } })
    };
    let entries = [entry(&Digest::of(b"native"), "linux", "amd64"), entry(&artifact, "wasip2", "wasm")];
    let index = contents.document(&json!({ "schemaVersion": 2, "manifests": entries }));
    let registry = Fake::plain(move |asked| contents.answer(asked)).await;
    for digest in [artifact, image, index] {
        let pulled = client(&[&registry]).pull(&registry.pinned(&digest)).await.expect("pulled");
        assert_eq!((&pulled.component[..], pulled.pinned.digest), (COMPONENT, digest));
    }
}

#[tokio::test]
async fn a_tag_that_moves_between_check_and_load_changes_nothing() {
    let mut contents = Contents::default();
    let (old, new) = (contents.artifact(COMPONENT), contents.artifact(b"another"));
    let tag = Arc::new(Mutex::new(old));
    let moves = tag.clone();
    let registry = Fake::plain(move |asked| {
        let tagged = format!("manifests/{}", tag.lock().expect("no panic"));
        match asked.what.ends_with("/manifests/v1") {
            true => Reply::ok(contents.0[&tagged].clone()),
            false => contents.answer(asked),
        }
    })
    .await;
    let client = client(&[&registry]);
    let pinned = client.resolve(&registry.reference(":v1")).await.expect("resolved");
    *moves.lock().expect("no panic") = new;
    assert_eq!(&client.pull(&pinned).await.expect("pulled").component[..], COMPONENT);
    let by_tag = registry.asked().iter().filter(|asked| asked.what.contains("v1")).count();
    assert_eq!(by_tag, 1, "a tag is looked at once");
    assert_eq!(client.resolve(&registry.reference(":v1")).await.expect("resolved").digest, new);
}

#[tokio::test]
async fn what_is_pulled_once_needs_no_registry_any_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    let kept = contents.clone();
    let registry = Fake::plain(move |asked| contents.answer(asked)).await;
    let pinned = registry.pinned(&digest);
    registries(&[&registry], None, Some(folder.path())).pull(&pinned).await.expect("pulled");
    let asked = registry.asked().len();
    let again = registries(&[&registry], None, Some(folder.path())).pull(&pinned).await.expect("kept");
    assert_eq!((&again.component[..], registry.asked().len()), (COMPONENT, asked));
    // A file that somebody has changed is not taken.
    for path in kept.0.keys().filter_map(|path| path.strip_prefix("blobs/")) {
        let file = folder.path().join(path.replace(':', "-"));
        if file.exists() {
            std::fs::write(&file, "changed").expect("written");
        }
    }
    let again = registries(&[&registry], None, Some(folder.path())).pull(&pinned).await.expect("pulled anew");
    assert_eq!((&again.component[..], registry.asked().len()), (COMPONENT, asked + 1));
}

#[tokio::test]
async fn a_registry_that_is_down_says_so_and_the_cache_does_without() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    let registry = Fake::plain(move |asked| contents.answer(asked)).await;
    registries(&[&registry], None, Some(folder.path())).pull(&registry.pinned(&digest)).await.expect("pulled");
    let down = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let mut gone = registry;
    gone.address = down;
    let error = client(&[&gone]).pull(&gone.pinned(&digest)).await.expect_err("down");
    assert_eq!(error.kind, Kind::Unreachable);
    assert!(error.to_string().contains("refuses the connection"), "{error}");
    let pulled = registries(&[&gone], None, Some(folder.path())).pull(&gone.pinned(&digest)).await.expect("kept");
    assert_eq!(&pulled.component[..], COMPONENT);
}
