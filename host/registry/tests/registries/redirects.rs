//! Where a redirect may lead, and what goes along.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbar_registry::{Digest, Package};
use serde_json::{Value, json};

use crate::fake::{Asked, Contents, Fake, Reply, client, registries};

const COMPONENT: &[u8] = b"\0asm component";

fn login(host: &Fake) -> Value {
    json!({ "auths": { host.address.to_string(): { "auth": STANDARD.encode("ann:s3cret") } } })
}

/// An artifact, and a registry that has everything but the layer, which is elsewhere.
async fn without_layer(secured: bool, elsewhere: impl Fn(&Asked) -> String + Send + Sync + 'static) -> (Fake, Digest) {
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    let answer = move |asked: &Asked| match (&asked.authorization, asked.what.contains("/blobs/")) {
        (None, _) => Reply::challenge("Basic"),
        (Some(_), true) => Reply::to(elsewhere(asked)),
        (Some(_), false) => contents.answer(asked),
    };
    let registry = if secured { Fake::tls(answer).await } else { Fake::plain(answer).await };
    (registry, digest)
}

#[tokio::test]
async fn a_redirect_is_followed_without_credentials() {
    for secured in [false, true] {
        let answer = |_: &Asked| Reply::ok(COMPONENT);
        let storage = if secured { Fake::tls(answer).await } else { Fake::plain(answer).await };
        let scheme = if secured { "https" } else { "http" };
        let location = format!("{scheme}://{}/bucket?signed=yes", storage.address);
        let (registry, digest) = without_layer(secured, move |_| location.clone()).await;
        let client = registries(&[&registry, &storage], Some(login(&registry)), None);
        assert_eq!(&client.pull(&registry.pinned(&digest)).await.expect("pulled").component[..], COMPONENT);
        let asked = storage.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!((asked[0].what.as_str(), &asked[0].authorization), ("GET /bucket?signed=yes", &None));
    }
}

#[tokio::test]
async fn a_redirect_leads_never_from_https_to_http_nor_to_an_insecure_host_that_is_not_named() {
    let storage = Fake::plain(|_| Reply::ok(COMPONENT)).await;
    let location = format!("http://{}/bucket?signature=s3cret", storage.address);
    let to = location.clone();
    let (registry, digest) = without_layer(true, move |_| to.clone()).await;
    let client = registries(&[&registry, &storage], Some(login(&registry)), None);
    let error = client.pull(&registry.pinned(&digest)).await.expect_err("http").to_string();
    assert!(error.contains("from https to http://") && !error.contains("s3cret"), "{error}");
    let (registry, digest) = without_layer(false, move |_| location.clone()).await;
    let client = registries(&[&registry], Some(login(&registry)), None);
    let error = client.pull(&registry.pinned(&digest)).await.expect_err("not named").to_string();
    assert!(error.contains("not among the hosts that are named as insecure"), "{error}");
    assert!(storage.asked().is_empty());
}

#[tokio::test]
async fn who_asks_for_credentials_at_the_end_of_a_redirect_gets_none() {
    let storage = Fake::plain(|_| Reply::challenge("Basic")).await;
    let location = format!("http://{}/", storage.address);
    let (registry, digest) = without_layer(false, move |_| location.clone()).await;
    let client = registries(&[&registry, &storage], Some(login(&registry)), None);
    let error = client.pull(&registry.pinned(&digest)).await.expect_err("credentials").to_string();
    assert!(error.contains("asks for credentials, and none go there"), "{error}");
    assert!(storage.asked().iter().all(|asked| asked.authorization.is_none()));
}

#[tokio::test]
async fn a_redirect_ends_somewhere() {
    let (registry, digest) = without_layer(false, |asked| asked.what.trim_start_matches("GET ").to_owned()).await;
    let client = registries(&[&registry], Some(login(&registry)), None);
    let error = client.pull(&registry.pinned(&digest)).await.expect_err("a circle").to_string();
    assert!(error.contains("redirects more than 5 times"), "{error}");
    assert!(registry.asked().len() < 12, "{}", registry.asked().len());
    for location in ["", "file:///etc/passwd", "ftp://a/b", "//elsewhere/x", "https://ann:p@elsewhere/", "relative", "http://"] {
        let (registry, digest) = without_layer(false, move |_| location.to_owned()).await;
        let client = registries(&[&registry], Some(login(&registry)), None);
        client.pull(&registry.pinned(&digest)).await.expect_err(location);
    }
}

#[tokio::test]
async fn an_upload_goes_to_no_other_host() {
    let elsewhere = Fake::plain(|_| Reply::status(201)).await;
    let location = format!("http://{}/upload", elsewhere.address);
    let registry = Fake::plain(move |asked| match asked.what.starts_with("POST") {
        true => Reply::Whole(202, vec![("location", location.clone())], Vec::new()),
        false => Reply::status(404),
    })
    .await;
    let package = Package { component: COMPONENT.into(), ..Package::default() };
    let error = client(&[&registry, &elsewhere]).push(&registry.reference(":v1"), &package).await.expect_err("elsewhere");
    assert!(error.to_string().contains("at another host"), "{error}");
    assert!(elsewhere.asked().is_empty());
}
