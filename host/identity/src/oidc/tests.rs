//! What an issuer's token has to be, attack by attack. Keys are made here; a real provider's are in tests/system.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = "https://issuer.example/realm";

/// What a logout token tells of.
const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A key that signs.
enum Signer {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    fn p256() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        Self::P256(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key"))
    }

    fn p384() -> Self {
        let (algorithm, random) = (&ECDSA_P384_SHA384_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        Self::P384(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key"))
    }

    fn ed25519() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("a key"))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::P256(_) => "ES256",
            Self::P384(_) => "ES384",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) | Self::P384(key) => key.sign(&SystemRandom::new(), message).expect("a signature").as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// The public key as an issuer publishes it.
    fn jwk(&self, id: &str) -> Value {
        let point = |key: &EcdsaKeyPair, curve: &str| {
            let point = &key.public_key().as_ref()[1..];
            let (x, y) = point.split_at(point.len() / 2);
            json!({ "kty": "EC", "crv": curve, "kid": id, "use": "sig", "x": encoded(x), "y": encoded(y) })
        };
        match self {
            Self::P256(key) => point(key, "P-256"),
            Self::P384(key) => point(key, "P-384"),
            Self::Ed25519(key) => json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": encoded(key.public_key().as_ref()) }),
        }
    }

    /// A token with this header and these claims.
    fn token(&self, header: &Value, claims: &Value) -> String {
        self.raw(&header.to_string(), &claims.to_string())
    }

    fn raw(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encoded(header), encoded(claims));
        let signature = encoded(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A token as the issuer makes them, with these claims instead of its own.
    fn good(&self, claims: Value) -> String {
        self.token(&json!({ "alg": self.algorithm(), "kid": "one", "typ": "JWT" }), &with(claims))
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// Good claims, with these in their place; null takes one away.
fn with(changes: Value) -> Value {
    let mut claims =
        json!({ "iss": ISSUER, "aud": "sandbar", "sub": "ann", "exp": now() + 3600, "iat": now(), "groups": ["dev", "on call"] });
    for (claim, value) in changes.as_object().expect("claims") {
        if value.is_null() {
            claims.as_object_mut().expect("claims").remove(claim);
        } else {
            claims[claim] = value.clone();
        }
    }
    claims
}

fn settings() -> IssuerSettings {
    let mapping = |claim: &str, prefix: &str| ClaimMapping { claim: claim.to_owned(), prefix: prefix.to_owned() };
    IssuerSettings {
        url: ISSUER.into(),
        discovery_url: None,
        audiences: vec!["sandbar".to_owned(), "https://sandbar.example/mcp".to_owned()],
        trusted: Trusted::Machine,
        username: mapping("sub", "oidc:"),
        groups: Some(mapping("groups", "oidc:")),
        uid: None,
        required: Vec::new(),
    }
}

/// What an issuer publishes, and how often its keys were asked for.
#[derive(Default)]
struct Site {
    documents: Mutex<BTreeMap<String, Value>>,
    looks: AtomicUsize,
}

const DISCOVERY: &str = "https://issuer.example/realm/.well-known/openid-configuration";
const KEYS: &str = "https://issuer.example/keys";

impl Site {
    fn with(keys: Value) -> Arc<Self> {
        let site = Arc::new(Self::default());
        site.set(DISCOVERY, json!({ "issuer": ISSUER, "jwks_uri": KEYS }));
        site.set(KEYS, json!({ "keys": keys }));
        site
    }

    /// Publishes a document; null takes it away.
    fn set(&self, address: &str, document: Value) {
        self.documents.lock().unwrap_or_else(PoisonError::into_inner).insert(address.to_owned(), document);
    }

    fn issuers(self: &Arc<Self>, settings: Vec<IssuerSettings>) -> Issuers {
        Issuers::with(settings, |settings| {
            let site = self.clone();
            Published::follow(
                settings,
                Arc::new(move |address| {
                    let site = site.clone();
                    async move {
                        if address == KEYS {
                            site.looks.fetch_add(1, Ordering::Relaxed);
                        }
                        let documents = site.documents.lock().unwrap_or_else(PoisonError::into_inner);
                        let found = documents.get(&address).filter(|document| !document.is_null());
                        found.map(|document| document.to_string().into()).ok_or_else(|| format!("{address} answers 404"))
                    }
                    .boxed()
                }),
            )
        })
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }
}

/// The words of a refusal.
async fn refused(issuers: &Issuers, token: &str) -> String {
    match issuers.user_of(token).await.map(|known| known.user.name.clone()) {
        Err(Unknown::Ours(Unidentified::Refused(words)) | Unknown::Foreign(words)) => words,
        other => panic!("{other:?}: {token}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_of_the_issuer_is_its_users() {
    for signer in [Signer::p256(), Signer::p384(), Signer::ed25519()] {
        let issuers = Site::with(json!([signer.jwk("one")])).issuers(vec![settings()]);
        let known = issuers.user_of(&signer.good(json!({ "jti": "7", "aud": ["x", "sandbar"] }))).await;
        let Ok(Known { user, issuer }) = known else { panic!("{:?}", known.err()) };
        assert_eq!((&*user.name, &*issuer, user.uid.as_deref()), ("oidc:ann", ISSUER, None));
        assert_eq!(user.groups, ["oidc:dev", "oidc:on call", "system:authenticated"]);
        assert_eq!(user.extra["authentication.kubernetes.io/credential-id"], ["JTI=7"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_has_signed_is_refused() {
    let (signer, stranger) = (Signer::p256(), Signer::p256());
    let issuers = Site::with(json!([signer.jwk("one"), Signer::p384().jwk("two")])).issuers(vec![settings()]);
    let good = signer.good(json!({}));
    assert!(issuers.user_of(&good).await.is_ok());
    let parts: Vec<&str> = good.split('.').collect();
    let claims = with(json!({ "sub": "admin" }));
    let unsigned = |header: Value| format!("{}.{}.", encoded(header.to_string()), encoded(claims.to_string()));
    // The public key as the secret of a symmetric algorithm, in each form that somebody may have taken it from.
    let jwk = signer.jwk("one");
    let secrets = [jwk.to_string(), jwk["x"].as_str().expect("x").to_owned()];
    let symmetric = secrets.map(|secret| {
        let signed = format!("{}.{}", encoded(json!({ "alg": "HS256", "kid": "one" }).to_string()), encoded(claims.to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), signed.as_bytes());
        format!("{signed}.{}", encoded(tag))
    });
    let es256 = |more: Value| {
        let mut header = json!({ "alg": "ES256", "kid": "one" });
        header.as_object_mut().expect("a header").extend(more.as_object().expect("more").clone());
        header
    };
    for (token, said) in [
        (format!("{}.{}.{}", parts[0], encoded(claims.to_string()), parts[2]), "no key that"),
        (format!("{}.{}.", parts[0], parts[1]), "no key that"),
        (format!("{}.{}.{}", parts[0], parts[1], encoded([0; 64])), "no key that"),
        (unsigned(json!({ "alg": "none" })), "`none`"),
        (unsigned(json!({ "alg": "None", "kid": "one" })), "`None`"),
        (unsigned(json!({ "alg": "", "kid": "one" })), "``"),
        (unsigned(json!({ "kid": "one" })), "no algorithm"),
        (unsigned(json!({ "alg": ["ES256"], "kid": "one" })), "no algorithm"),
        (symmetric[0].clone(), "`HS256`"),
        (symmetric[1].clone(), "`HS256`"),
        // By another algorithm than its key is for.
        (signer.token(&json!({ "alg": "ES384", "kid": "one" }), &claims), "no key that"),
        (signer.token(&json!({ "alg": "ES384", "kid": "two" }), &claims), "no key that"),
        (signer.token(&json!({ "alg": "RS256", "kid": "one" }), &claims), "no key that"),
        (signer.token(&json!({ "alg": "ES512", "kid": "one" }), &claims), "`ES512`"),
        // With a key of its own.
        (stranger.token(&es256(json!({})), &claims), "no key that"),
        (stranger.token(&es256(json!({ "jwk": stranger.jwk("one") })), &claims), "no key that"),
        (stranger.token(&es256(json!({ "jku": "https://evil.example/keys" })), &claims), "no key that"),
        (stranger.token(&es256(json!({ "x5u": "https://evil.example/key", "x5c": ["AQ=="] })), &claims), "no key that"),
        // Names of keys.
        (signer.token(&json!({ "alg": "ES256", "kid": "two" }), &claims), "no key that"),
        (signer.token(&json!({ "alg": "ES256", "kid": "three" }), &claims), "no key that"),
        (signer.token(&json!({ "alg": "ES256", "kid": "../../../dev/null" }), &claims), "no key that"),
        (signer.token(&json!({ "alg": "ES256", "kid": "one' OR '1'='1" }), &claims), "no key that"),
        (signer.token(&json!({ "alg": "ES256", "kid": "x".repeat(8_000) }), &claims), "no key that"),
        (signer.token(&json!({ "alg": "ES256", "kid": "" }), &claims), "no key that"),
        (signer.token(&json!({ "alg": "ES256", "kid": 1 }), &claims), "`kid`"),
        (signer.token(&json!({ "alg": "ES256", "kid": null }), &claims), "`kid`"),
        (signer.token(&json!({ "alg": "ES256", "kid": ["one"] }), &claims), "`kid`"),
        // What has to be understood, and is not.
        (signer.token(&es256(json!({ "crit": ["exp"] })), &claims), "`crit`"),
        (signer.token(&es256(json!({ "crit": [] })), &claims), "`crit`"),
        (signer.token(&es256(json!({ "b64": false, "crit": ["b64"] })), &claims), "`crit`"),
        (signer.token(&es256(json!({ "enc": "A128GCM" })), &claims), "`enc`"),
        (signer.token(&es256(json!({ "cty": "JWT" })), &claims), "`cty`"),
        // Of other sorts, which issuers sign with the same keys.
        (signer.token(&es256(json!({ "typ": "logout+jwt" })), &claims), "logout+jwt"),
        (signer.token(&es256(json!({ "typ": "application/dpop+jwt" })), &claims), "dpop+jwt"),
        (signer.token(&es256(json!({ "typ": 1 })), &claims), "another sort"),
        (signer.token(&es256(json!({})), &with(json!({ "events": { LOGOUT: {} } }))), "`events`"),
        (signer.token(&es256(json!({ "typ": "JWT" })), &with(json!({ "events": { LOGOUT: {} } }))), "`events`"),
        (
            signer.raw(&es256(json!({})).to_string(), &with(json!({})).to_string().replacen('{', r#"{"events":null,"#, 1)),
            "`events`",
        ),
        // Not of this form.
        (format!("{}.{}.{}.{}.{}", parts[0], parts[1], parts[2], parts[1], parts[2]), "encrypted"),
        (format!("{}.{}.{}.{}", parts[0], parts[1], parts[2], parts[1]), "no signed JSON Web Token"),
        (format!("{}.{}", parts[0], parts[1]), "no signed JSON Web Token"),
        (String::new(), "no signed JSON Web Token"),
        ("..".to_owned(), "content"),
        (format!("{good}="), "base64url"),
        (format!("{}=.{}.{}", parts[0], parts[1], parts[2]), "header"),
        (signer.raw(&es256(json!({})).to_string(), &format!("\"{good}\"")), "content"),
        (signer.raw(&es256(json!({})).to_string(), &good), "content"),
        (signer.raw("[]", &claims.to_string()), "header"),
        (signer.raw("{}x", &claims.to_string()), "header"),
        (signer.raw(&es256(json!({})).to_string(), &"[".repeat(11_000)), "content"),
        (signer.raw(&es256(json!({})).to_string(), &format!("{{\"a\":{}", "{\"a\":".repeat(2_000))), "content"),
        // What stands there twice.
        (signer.raw(r#"{"alg":"none","alg":"ES256","kid":"one"}"#, &claims.to_string()), "once"),
        (signer.raw(r#"{"alg":"ES256","kid":"one","kid":"two"}"#, &claims.to_string()), "once"),
    ] {
        let words = refused(&issuers, &token).await;
        assert!(words.contains(said), "{said}: {words}");
        assert!(words.len() < 400 && !words.contains(parts[2]), "{words}");
    }
    for (header, fine) in [
        (es256(json!({ "typ": "at+jwt" })), "an access token"),
        (es256(json!({ "typ": "application/at+JWT" })), "with its whole name"),
        (json!({ "alg": "ES256" }), "without the name of its key"),
        (es256(json!({ "jku": "https://evil.example/keys", "jwk": stranger.jwk("one") })), "nobody looks there"),
    ] {
        assert!(issuers.user_of(&signer.token(&header, &with(json!({})))).await.is_ok(), "{fine}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_names_an_issuer_is_refused_in_its_name_and_goes_nowhere_else() {
    let signer = Signer::p256();
    let google = IssuerSettings { url: GOOGLE.1.into(), ..settings() };
    let issuers = Site::with(json!([signer.jwk("one")])).issuers(vec![settings(), google]);
    let header = json!({ "alg": "ES256", "kid": "one" }).to_string();
    // Claims with this behind the opening brace.
    let claims = |first: &str| with(json!({})).to_string().replacen('{', &format!("{{{first},"), 1);
    let raw = |header: &[u8], claims: &[u8]| format!("{}.{}.AA", encoded(header), encoded(claims));
    let bytes =
        |claims: String| claims.replace('?', "\u{0}").into_bytes().into_iter().map(|byte| if byte == 0 { 0xff } else { byte });
    let (fine, deep) = (claims(r#""a":1"#), format!(r#""a":{}{}"#, "[".repeat(500), "]".repeat(500)));
    for (token, what) in [
        (raw(b"{}", fine.as_bytes()), "no algorithm"),
        (raw(b"[]", fine.as_bytes()), "no header"),
        (raw(b"\xff", fine.as_bytes()), "a header that is no text"),
        (format!("!.{}.AA", encoded(&fine)), "a header in another alphabet"),
        (format!("{}.{}.!", encoded(&header), encoded(&fine)), "a signature in another alphabet"),
        (raw(br#"{"alg":"ES256","typ":"logout+jwt"}"#, fine.as_bytes()), "another sort"),
        (raw(header.as_bytes(), claims(r#""a":1,"a":2"#).as_bytes()), "a claim twice"),
        (raw(header.as_bytes(), claims(r#""iss":"https://kubernetes.example""#).as_bytes()), "another issuer before it"),
        (
            raw(header.as_bytes(), fine.replacen('}', r#","iss":"https://kubernetes.example"}"#, 1).as_bytes()),
            "another one behind it",
        ),
        (raw(header.as_bytes(), claims(r#""iss":7"#).as_bytes()), "no text before it"),
        (raw(header.as_bytes(), fine.replace("\"iss\"", r#""\u0069ss""#).as_bytes()), "in other letters"),
        (raw(b"[]", fine.replace(ISSUER, GOOGLE.0).as_bytes()), "by another name"),
        (raw(header.as_bytes(), claims(&deep).as_bytes()), "a claim that is too deep"),
        (raw(header.as_bytes(), claims(r#""a":1e999"#).as_bytes()), "a number that is none"),
        (raw(header.as_bytes(), claims(r#""a":"\ud800""#).as_bytes()), "half a letter"),
        (raw(header.as_bytes(), &bytes(claims(r#""a":"?""#)).collect::<Vec<u8>>()), "a value that is no text"),
        (raw(header.as_bytes(), &bytes(claims(r#""?":1"#)).collect::<Vec<u8>>()), "a name that is none"),
    ] {
        let error = issuers.user_of(&token).await.map(drop).expect_err(what);
        assert!(matches!(error, Unknown::Ours(Unidentified::Refused(_))), "{what}: {error:?}");
    }
    for (token, what) in [
        (raw(header.as_bytes(), fine.replace(ISSUER, "https://kubernetes.example").as_bytes()), "another issuer's"),
        (raw(b"[]", fine.replace(ISSUER, "https://kubernetes.example").as_bytes()), "another issuer's, and odd"),
        (raw(header.as_bytes(), b"{}"), "nobody's"),
        (raw(header.as_bytes(), b"[]"), "no claims"),
        (format!("{}.{}", encoded(&header), encoded(&fine)), "no JSON Web Token"),
        ("opaque".to_owned(), "none either"),
    ] {
        let error = issuers.user_of(&token).await.map(drop).expect_err(what);
        assert!(matches!(error, Unknown::Foreign(_)), "{what}: {error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_has_to_be_for_this_server_and_of_this_time() {
    let signer = Signer::p256();
    let issuers = Site::with(json!([signer.jwk("one")])).issuers(vec![settings()]);
    for (claims, said) in [
        (json!({ "aud": null }), "for no audience"),
        (json!({ "aud": [] }), "for no audience"),
        (json!({ "aud": "" }), "audience ``"),
        (json!({ "aud": "other" }), "audience `other`, and this server takes those for `sandbar`, `https://sandbar.example/mcp`"),
        (json!({ "aud": "Sandbar" }), "audience `Sandbar`"),
        (json!({ "aud": ["sandbar2", "sandba", "sandbar "] }), "audience"),
        (json!({ "aud": "sandbar,other" }), "audience"),
        (json!({ "aud": { "sandbar": true } }), "`aud`"),
        (json!({ "aud": ["sandbar", 7] }), "`aud`"),
        (json!({ "aud": 7 }), "`aud`"),
        (json!({ "iss": "https://issuer.example/realm/" }), "from the issuer"),
        (json!({ "iss": "https://evil.example" }), "from the issuer `https://evil.example`"),
        (json!({ "iss": ["https://issuer.example/realm"] }), "no issuer"),
        (json!({ "iss": null }), "no issuer"),
        (json!({ "exp": now() }), "expired"),
        (json!({ "exp": now() - 60 }), "expired"),
        (json!({ "exp": 0 }), "expired"),
        (json!({ "exp": -1 }), "expired"),
        (json!({ "exp": null }), "`exp`"),
        (json!({ "exp": "9999999999" }), "`exp`"),
        (json!({ "exp": true }), "`exp`"),
        (json!({ "nbf": now() + 120 }), "not valid before"),
        (json!({ "nbf": 1e300 }), "not valid before"),
        (json!({ "nbf": "0" }), "`nbf`"),
    ] {
        let words = refused(&issuers, &signer.good(claims.clone())).await;
        assert!(words.contains(said), "{claims}: {words}");
    }
    for claims in [
        json!({ "aud": ["a", "b", "https://sandbar.example/mcp"] }),
        json!({ "exp": (now() + 100) as f64 + 0.5 }),
        json!({ "exp": 1e300 }),
        json!({ "nbf": now() + 30 }),
        json!({ "nbf": 0 }),
    ] {
        assert!(issuers.user_of(&signer.good(claims.clone())).await.is_ok(), "{claims}");
    }
    let header = json!({ "alg": "ES256", "kid": "one" }).to_string();
    for (claim, value) in [("aud", "\"other\""), ("iss", "\"https://evil.example\""), ("sub", "\"admin\""), ("exp", "1")] {
        let claims = with(json!({})).to_string().replacen('{', &format!("{{\"{claim}\":{value},"), 1);
        assert!(refused(&issuers, &signer.raw(&header, &claims)).await.contains("once"), "{claim}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_is_what_the_claims_say_and_nothing_of_kubernetes() {
    let signer = Signer::p256();
    let mapping = |claim: &str, prefix: &str| ClaimMapping { claim: claim.to_owned(), prefix: prefix.to_owned() };
    let plain = IssuerSettings { username: mapping("sub", ""), groups: Some(mapping("groups", "")), ..settings() };
    let email = IssuerSettings { username: mapping("email", ""), uid: Some("sub".to_owned()), ..settings() };
    let sly = IssuerSettings { username: mapping("sub", "sys"), groups: Some(mapping("groups", "system")), ..settings() };
    let required = RequiredClaim { claim: "hd".to_owned(), value: "example.com".to_owned() };
    let strict = IssuerSettings { required: vec![required], ..settings() };
    let of = async |settings: &IssuerSettings, claims: Value| {
        let issuers = Site::with(json!([signer.jwk("one")])).issuers(vec![settings.clone()]);
        match issuers.user_of(&signer.good(claims)).await {
            Ok(known) => Ok(known.user),
            Err(Unknown::Ours(Unidentified::Refused(words))) => Err(words),
            Err(other) => panic!("{other:?}"),
        }
    };
    for (settings, claims, said) in [
        (&plain, json!({ "sub": "system:admin" }), "Kubernetes' own"),
        (&plain, json!({ "sub": "system:serviceaccount:a:b" }), "Kubernetes' own"),
        (&plain, json!({ "groups": ["dev", "system:masters"] }), "Kubernetes' own"),
        (&plain, json!({ "groups": "system:authenticated" }), "Kubernetes' own"),
        (&sly, json!({ "sub": "tem:admin" }), "Kubernetes' own"),
        (&sly, json!({ "groups": [":masters"] }), "Kubernetes' own"),
        (&plain, json!({ "sub": null }), "no claim `sub`"),
        (&plain, json!({ "sub": "" }), "nobody's name"),
        (&plain, json!({ "sub": ["ann"] }), "no text"),
        (&plain, json!({ "sub": 7 }), "no text"),
        (&plain, json!({ "groups": { "a": "b" } }), "no list of texts"),
        (&plain, json!({ "groups": ["a", 7] }), "no list of texts"),
        (&plain, json!({ "groups": [["a"]] }), "no list of texts"),
        (&plain, json!({ "groups": null, "_claim_names": { "groups": "src1" } }), "_claim_names"),
        (&plain, json!({ "groups": [], "_claim_names": { "groups": "src1" } }), "_claim_names"),
        (&plain, json!({ "groups": {}, "_claim_names": { "groups": null } }), "_claim_names"),
        (&plain, json!({ "groups": null, "_claim_names": "groups" }), "_claim_names"),
        (&plain, json!({ "groups": null, "_claim_names": ["groups"] }), "_claim_names"),
        (&plain, json!({ "groups": null, "hasgroups": true }), "hasgroups"),
        (&email, json!({ "email": "ann@example.com", "email_verified": false }), "verified"),
        (&email, json!({ "email": "ann@example.com", "email_verified": "true" }), "verified"),
        (&email, json!({ "email_verified": true }), "no claim `email`"),
        (&strict, json!({}), "no claim `hd`"),
        (&strict, json!({ "hd": "evil.example" }), "has to be `example.com`"),
        (&strict, json!({ "hd": ["example.com"] }), "no text"),
        (&plain, json!({ "groups": vec!["x"; 10_000] }), "bytes together"),
    ] {
        let words = of(settings, claims.clone()).await.expect_err(said);
        assert!(words.contains(said), "{claims}: {words}");
    }
    for (settings, claims, name, groups) in [
        (&plain, json!({}), "ann", &["dev", "on call"][..]),
        (&plain, json!({ "groups": null }), "ann", &[]),
        (&plain, json!({ "groups": null, "_claim_names": { "address": "src1" }, "hasgroups": false }), "ann", &[]),
        (&plain, json!({ "groups": "dev", "hasgroups": true }), "ann", &["dev"]),
        (&plain, json!({ "groups": "dev" }), "ann", &["dev"]),
        (&plain, json!({ "groups": [] }), "ann", &[]),
        (&email, json!({ "email": "ann@example.com", "groups": null }), "ann@example.com", &[]),
        (&email, json!({ "email": "a@b", "email_verified": true, "groups": null }), "a@b", &[]),
        (&strict, json!({ "hd": "example.com", "groups": null }), "oidc:ann", &[]),
    ] {
        let user = of(settings, claims).await.expect("a user");
        let groups: Vec<&str> = groups.iter().copied().chain(["system:authenticated"]).collect();
        assert_eq!((&*user.name, user.groups.iter().map(String::as_str).collect::<Vec<_>>()), (name, groups));
        assert_eq!(user.uid.as_deref(), settings.uid.as_ref().map(|_| "ann"));
    }
}

#[tokio::test(start_paused = true)]
async fn groups_that_lie_elsewhere_do_so_whatever_stands_in_their_place() {
    let signer = Signer::p256();
    let issuers = Site::with(json!([signer.jwk("one")])).issuers(vec![settings()]);
    let header = json!({ "alg": "ES256", "kid": "one" }).to_string();
    for (claims, by) in [
        (r#""groups":null,"_claim_names":{"groups":"src1"}"#, "_claim_names"),
        (r#""groups":null,"hasgroups":true"#, "hasgroups"),
    ] {
        let claims = with(json!({ "groups": null })).to_string().replacen('{', &format!("{{{claims},"), 1);
        let words = refused(&issuers, &signer.raw(&header, &claims)).await;
        assert!(words.contains("lies elsewhere") && words.contains(by), "{words}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_cannot_be_used_are_passed_over() {
    let signer = Signer::p256();
    let mut encryption = signer.jwk("one");
    encryption["use"] = "enc".into();
    let mut wrapping = signer.jwk("one");
    wrapping["key_ops"] = json!(["wrapKey"]);
    let mut other = signer.jwk("one");
    other["alg"] = "ES384".into();
    let useless = json!([
        encryption,
        wrapping,
        other,
        { "kty": "oct", "kid": "one", "k": encoded("secret") },
        { "kty": "EC", "crv": "P-521", "kid": "one", "x": "AA", "y": "AA" },
        { "kty": "EC", "crv": "P-256", "kid": "one", "x": "AA", "y": "AA" },
        { "kty": "RSA", "kid": "one", "n": encoded([0xff; 128]), "e": "AQAB" },
        { "kty": "RSA", "kid": "one", "n": encoded([0xff; 2000]), "e": "AQAB" },
        { "kty": "new", "kid": 7 },
        "no key",
        null,
        signer.jwk("two"),
    ]);
    let issuers = Site::with(useless.clone()).issuers(vec![settings()]);
    assert!(refused(&issuers, &signer.good(json!({}))).await.contains("no key that"));
    let mut keys = useless;
    keys.as_array_mut().expect("keys").extend([Signer::p256().jwk("one"), signer.jwk("one")]);
    let issuers = Site::with(keys).issuers(vec![settings()]);
    assert!(issuers.user_of(&signer.good(json!({}))).await.is_ok(), "one of two with the same name");
}

#[tokio::test(start_paused = true)]
async fn an_issuer_with_new_keys_is_asked_and_not_more_often_than_it_can_bear() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let site = Site::with(json!([old.jwk("one")]));
    let issuers = site.issuers(vec![settings()]);
    assert!(issuers.user_of(&old.good(json!({}))).await.is_ok());
    assert_eq!(site.looks(), 1);

    let made_up = |number: u32| Signer::p256().token(&json!({ "alg": "ES256", "kid": number.to_string() }), &with(json!({})));
    for number in 0..50 {
        refused(&issuers, &made_up(number)).await;
    }
    assert_eq!(site.looks(), 1, "it was asked a moment ago");
    tokio::time::sleep(Duration::from_secs(6)).await;
    for number in 0..50 {
        refused(&issuers, &made_up(number)).await;
    }
    assert_eq!(site.looks(), 2);

    tokio::time::sleep(Duration::from_secs(6)).await;
    site.set(KEYS, json!({ "keys": [old.jwk("one"), new.jwk("two")] }));
    let of_new = |claims: Value| new.token(&json!({ "alg": "ES256", "kid": "two" }), &with(claims));
    assert!(issuers.user_of(&of_new(json!({}))).await.is_ok(), "it has a new key");
    assert_eq!(site.looks(), 3);

    // What is taken back counts no longer, by itself.
    site.set(KEYS, json!({ "keys": [new.jwk("two")] }));
    tokio::time::sleep(Duration::from_secs(301)).await;
    refused(&issuers, &old.good(json!({ "sub": "bob" }))).await;
    assert!(issuers.user_of(&of_new(json!({ "sub": "bob" }))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_is_waited_for_and_what_it_has_said_still_counts() {
    let signer = Signer::p256();
    let site = Site::with(json!([signer.jwk("one")]));
    site.set(DISCOVERY, Value::Null);
    let issuers = site.issuers(vec![settings()]);
    for _ in 0..2 {
        let error = issuers.user_of(&signer.good(json!({}))).await.map(drop).expect_err("no keys");
        assert!(matches!(error, Unknown::Ours(Unidentified::Unavailable(_))), "{error:?}");
    }
    let check = issuers.checks().remove(0).expect_err("down");
    assert!(check.contains("answers 404; none of its tokens can be checked"), "{check}");
    // It comes back by itself.
    site.set(DISCOVERY, json!({ "issuer": ISSUER, "jwks_uri": KEYS }));
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(issuers.user_of(&signer.good(json!({}))).await.is_ok());
    assert!(issuers.checks().remove(0).is_ok_and(|check| check.contains(": its keys (1) are of ")));
    // And goes again, or has nothing to say that is of use.
    let useless = json!({ "keys": [{ "kty": "oct", "kid": "one", "k": encoded("secret") }, { "kty": "EC", "crv": "P-521" }] });
    for (keys, said, user) in
        [(Value::Null, "answers 404", "bob"), (useless, "P-256", "eve"), (json!({ "keys": [] }), "P-256", "joe")]
    {
        site.set(KEYS, keys);
        tokio::time::sleep(Duration::from_secs(400)).await;
        assert!(issuers.user_of(&signer.good(json!({ "sub": user }))).await.is_ok(), "{user} was not seen before");
        let check = issuers.checks().remove(0).expect_err("down");
        assert!(check.contains(said) && check.contains("; its keys (1) of ") && check.contains("still count"), "{check}");
    }
    let unknown = signer.token(&json!({ "alg": "ES256", "kid": "new" }), &with(json!({})));
    let error = issuers.user_of(&unknown).await.map(drop).expect_err("perhaps one of a new key");
    assert!(matches!(error, Unknown::Ours(Unidentified::Unavailable(_))), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn the_document_has_to_be_that_of_the_issuer() {
    let signer = Signer::p256();
    for (document, said) in [
        (json!({ "issuer": "https://issuer.example/realm/", "jwks_uri": KEYS }), "another issuer"),
        (json!({ "issuer": "https://evil.example", "jwks_uri": KEYS }), "another issuer"),
        (json!({ "issuer": ISSUER }), "no discovery document"),
        (json!({ "jwks_uri": KEYS }), "no discovery document"),
        (json!([]), "no discovery document"),
        (json!({ "issuer": ISSUER, "jwks_uri": DISCOVERY }), "no JSON Web Key Set"),
    ] {
        let site = Site::with(json!([signer.jwk("one")]));
        site.set(DISCOVERY, document);
        let issuers = site.issuers(vec![settings()]);
        assert!(issuers.user_of(&signer.good(json!({}))).await.is_err(), "{said}");
        let check = issuers.checks().remove(0).expect_err(said);
        assert!(check.contains(said), "{check}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_users_of_two_issuers_are_told_apart() {
    let (one, other) = (Signer::p256(), Signer::p256());
    let site = Site::with(json!([one.jwk("one")]));
    let elsewhere = "https://other.example";
    site.set(
        "https://other.example/.well-known/openid-configuration",
        json!({ "issuer": elsewhere, "jwks_uri": "https://other.example/keys" }),
    );
    site.set("https://other.example/keys", json!({ "keys": [other.jwk("one")] }));
    let username = ClaimMapping { claim: "sub".to_owned(), prefix: "other:".to_owned() };
    let issuers = site.issuers(vec![settings(), IssuerSettings { url: elsewhere.into(), username, ..settings() }]);
    let of =
        async |token: String| issuers.user_of(&token).await.map(|known| (known.user.name.to_string(), known.issuer.to_string()));
    let names = [of(one.good(json!({}))).await, of(other.good(json!({ "iss": elsewhere }))).await];
    let [Ok(first), Ok(second)] = names else { panic!("{names:?}") };
    assert_eq!((first.0.as_str(), first.1.as_str()), ("oidc:ann", ISSUER));
    assert_eq!((second.0.as_str(), second.1.as_str()), ("other:ann", elsewhere));
    // The one signs for the other.
    assert!(refused(&issuers, &one.good(json!({ "iss": elsewhere }))).await.contains("no key that https://other.example"));
    assert!(refused(&issuers, &other.good(json!({}))).await.contains("no key that https://issuer.example"));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_is_not_remembered_beyond_that() {
    let signer = Signer::p256();
    let site = Site::with(json!([signer.jwk("one")]));
    let issuers = site.issuers(vec![settings()]);
    let issuer = &issuers.issuers[0];
    issuers.user_of(&signer.good(json!({}))).await.expect("fetched");
    let good_for = async |exp: u64| {
        let token = signer.good(json!({ "exp": exp }));
        issuer.verify(&Token::of(&token).expect("a token")).await.expect("valid").1
    };
    assert!(good_for(now() + 20).await <= Duration::from_secs(20));
    assert_eq!(good_for(now() + 3600).await, KNOWN_FOR);
}
