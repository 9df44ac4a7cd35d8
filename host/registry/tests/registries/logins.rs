//! Who gets credentials, and who does not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbar_registry::{Error, Kind};
use serde_json::{Value, json};

use crate::fake::{Asked, Contents, Fake, Reply, registries};

const COMPONENT: &[u8] = b"\0asm component";

fn login(host: &Fake) -> Value {
    json!({ "auths": { host.address.to_string(): { "auth": STANDARD.encode("ann:s3cret") } } })
}

fn basic() -> String {
    format!("Basic {}", STANDARD.encode("ann:s3cret"))
}

/// A registry that lets in who has this authorization, and challenges others.
async fn guarded(
    authorization: String,
    challenge: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Fake, sandbar_registry::Digest) {
    let mut contents = Contents::default();
    let digest = contents.artifact(COMPONENT);
    let registry = Fake::plain(move |asked| match asked.authorization.as_ref() == Some(&authorization) {
        true if asked.what.starts_with("GET /v2/") => contents.answer(asked),
        _ => challenge(asked),
    });
    (registry.await, digest)
}

async fn pull(hosts: &[&Fake], digest: &sandbar_registry::Digest, login: Option<Value>) -> Result<(), Error> {
    registries(hosts, login, None).pull(&hosts[0].pinned(digest)).await.map(drop)
}

#[tokio::test]
async fn a_name_and_a_password_are_sent_when_they_are_asked_for() {
    let (registry, digest) = guarded(basic(), |_| Reply::challenge("Basic realm=\"x\"")).await;
    pull(&[&registry], &digest, Some(login(&registry))).await.expect("let in");
    assert_eq!(registry.asked()[0].authorization, None, "nobody is told who asks before it is asked for");
    let error = pull(&[&registry], &digest, None).await.expect_err("nobody");
    assert_eq!(error.kind, Kind::Denied);
    assert!(error.to_string().contains("asks for credentials; the docker configuration has none"), "{error}");
    let wrong = json!({ "auths": { registry.address.to_string(): { "username": "ann", "password": "other" } } });
    let error = pull(&[&registry], &digest, Some(wrong)).await.expect_err("another").to_string();
    assert!(error.contains("does not take the credentials") && !error.contains("other"), "{error}");
}

#[tokio::test]
async fn a_helper_is_not_run_and_named() {
    let (registry, digest) = guarded(basic(), |_| Reply::challenge("Basic")).await;
    for config in [json!({ "credsStore": "desktop" }), json!({ "credHelpers": { registry.address.to_string(): "desktop" } })] {
        let error = pull(&[&registry], &digest, Some(config)).await.expect_err("no credentials").to_string();
        assert!(error.contains("the helper `desktop`, and helpers are not run"), "{error}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_what_is_meant_and_nothing_else() {
    let (registry, digest) = guarded("Bearer t0ken".to_owned(), |asked| {
        if asked.what.starts_with("GET /token?") {
            return Reply::ok(json!({ "token": "t0ken" }).to_string());
        }
        Reply::challenge(format!(
            "Bearer realm=\"http://{}/token?a=b\",service=\"s & t\",scope=\"repository:other:push\"",
            host(asked)
        ))
    })
    .await;
    pull(&[&registry], &digest, Some(login(&registry))).await.expect("let in");
    let asked = registry.asked();
    let tokens: Vec<&Asked> = asked.iter().filter(|asked| asked.what.contains("/token")).collect();
    assert_eq!(tokens.len(), 1, "one token serves for all of a pull");
    assert_eq!(tokens[0].what, "GET /token?a=b&service=s+%26+t&scope=repository%3Ateam%2Ftool%3Apull");
    assert_eq!(tokens[0].authorization, Some(basic()));
    assert!(asked.iter().filter(|asked| asked.what.contains("/v2/")).all(|asked| asked.authorization != Some(basic())));
}

/// The address of the registry, which its handler does not know: the test's only one says it in its request.
fn host(asked: &Asked) -> String {
    asked.host.clone()
}

#[tokio::test]
async fn a_token_is_had_without_a_login_where_none_is_needed() {
    let (registry, digest) = guarded("Bearer open".to_owned(), |asked| match asked.what.starts_with("GET /token?") {
        true => Reply::ok(json!({ "access_token": "open" }).to_string()),
        false => Reply::challenge(format!("Bearer realm=\"http://{}/token\"", host(asked))),
    })
    .await;
    pull(&[&registry], &digest, None).await.expect("let in");
}

#[tokio::test]
async fn an_identity_token_is_exchanged_and_never_sent_to_the_registry() {
    let (registry, digest) = guarded("Bearer t0ken".to_owned(), |asked| match asked.what.starts_with("POST /token") {
        true => Reply::ok(json!({ "access_token": "t0ken" }).to_string()),
        false => Reply::challenge(format!("Bearer realm=\"http://{}/token\",service=\"s\"", host(asked))),
    })
    .await;
    let config = json!({ "auths": { registry.address.to_string(): { "identitytoken": "renews" } } });
    pull(&[&registry], &digest, Some(config)).await.expect("let in");
    let asked = registry.asked();
    let exchanged: Vec<&Asked> = asked.iter().filter(|asked| asked.body.contains("renews")).collect();
    assert_eq!(exchanged.len(), 1);
    assert!(exchanged[0].body.contains("grant_type=refresh_token") && exchanged[0].body.contains("pull"), "{exchanged:?}");
}

#[tokio::test]
async fn credentials_go_to_no_token_server_without_tls() {
    let elsewhere = Fake::plain(|_| Reply::ok(json!({ "token": "x" }).to_string())).await;
    let realm = format!("Bearer realm=\"http://{}/token\"", elsewhere.address);
    let (registry, digest) = guarded("never".to_owned(), move |_| Reply::challenge(realm.clone())).await;
    // Not even where the token server's host is named as insecure: the registry's is another one.
    let error = pull(&[&registry, &elsewhere], &digest, Some(login(&registry))).await.expect_err("refused").to_string();
    assert!(error.contains("not at https"), "{error}");
    assert!(elsewhere.asked().is_empty());
    for realm in ["", "token", "ftp://x/y", "https://ann:p@x/y", "file:///etc/passwd"] {
        let (registry, digest) =
            guarded("never".to_owned(), move |_| Reply::challenge(format!("Bearer realm=\"{realm}\""))).await;
        pull(&[&registry], &digest, Some(login(&registry))).await.expect_err(realm);
    }
}

#[tokio::test]
async fn a_token_server_with_tls_may_be_elsewhere() {
    let tokens = Fake::tls(|_| Reply::ok(json!({ "token": "t0ken" }).to_string())).await;
    let realm = format!("Bearer realm=\"https://{}/token\"", tokens.address);
    let (registry, digest) = guarded("Bearer t0ken".to_owned(), move |_| Reply::challenge(realm.clone())).await;
    pull(&[&registry, &tokens], &digest, Some(login(&registry))).await.expect("let in");
    assert_eq!(tokens.asked()[0].authorization, Some(basic()));
}

#[tokio::test]
async fn what_a_token_server_answers_is_bounded_and_looked_at() {
    for (reply, said) in [
        (Box::new(|| Reply::ok("{}")) as Box<dyn Fn() -> Reply + Send + Sync>, "without a token"),
        (Box::new(|| Reply::ok(r#"{"token":""}"#)), "without a token"),
        (Box::new(|| Reply::ok(r#"{"token":"a\nb"}"#)), "letters that no header can have"),
        (Box::new(|| Reply::ok(vec![b' '; 70_000])), "more than 64 KiB"),
        (Box::new(|| Reply::Endless(b"HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec())), "more than 64 KiB"),
        (Box::new(|| Reply::status(401)), "token server that does not take the credentials"),
        (Box::new(|| Reply::status(500)), "it answers 500"),
        (Box::new(|| Reply::to("https://elsewhere.example/")), "it answers 307"),
    ] {
        let (registry, digest) = guarded("never".to_owned(), move |asked| match asked.what.starts_with("GET /token") {
            true => reply(),
            false => Reply::challenge(format!("Bearer realm=\"http://{}/token\"", host(asked))),
        })
        .await;
        let error = pull(&[&registry], &digest, Some(login(&registry))).await.expect_err(said).to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[tokio::test]
async fn a_registry_that_never_has_enough_is_asked_twice() {
    let (registry, digest) = guarded("never".to_owned(), |asked| match asked.what.starts_with("GET /token") {
        true => Reply::ok(json!({ "token": "t0ken" }).to_string()),
        false => Reply::challenge(format!("Bearer realm=\"http://{}/token\"", host(asked))),
    })
    .await;
    let error = pull(&[&registry], &digest, Some(login(&registry))).await.expect_err("never").to_string();
    assert!(error.contains("does not take the credentials"), "{error}");
    assert_eq!(registry.asked().len(), 3);
    for strange in ["Negotiate", "", "Digest realm=\"x\""] {
        let (registry, digest) = guarded("never".to_owned(), move |_| Reply::challenge(strange)).await;
        let error = pull(&[&registry], &digest, Some(login(&registry))).await.expect_err(strange).to_string();
        assert!(error.contains("of a kind that is not known"), "{error}");
    }
}
