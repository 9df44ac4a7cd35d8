//! Names of variables, flags, headers, elements and keys whose value is a secret.
//!
//! A name is split into words and read from its end: what it names, and before that, of which kind. `DB_PASSWORD`, `dbPassword`,
//! `db-password` and `DBPassword` have the same two words. After the telling word, some words only tell one of several
//! (`PASSWORD_PROD`, `apiKeyV2`); after others it names something else (`passwordFile`, `TOKEN_TTL`).

use std::cell::RefCell;

use super::values::{
    List, is_basic, is_measure, is_random, names_nothing, reads_as_identifier, reads_as_message, reads_as_name, reads_as_path,
    says_state,
};
use crate::{LeftCaches, NameCache};

/// What a name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The kind of secret: `password`.
    pub kind: &'static str,
    /// What the value may be instead.
    pub value: Expected,
}

/// What the value of a name may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The secret itself.
    Secret,
    /// The secret, or a count: `pass` of tests.
    OrCount,
    /// The secret, or the path of a file that holds it.
    OrPath,
    /// The secret, a count, a path, or the name of an object that holds it: `secret: registry-login`.
    OrName,
    /// The secret, if it looks random: `tokens` are mostly counted.
    IfRandom,
    /// The secret, if it looks random and has the length of a key.
    IfLong,
    /// The secret, if it is a user and a password, in base64 or with a colon between them: `auth` of a Docker configuration.
    IfBasic,
}

use Expected::{IfBasic, IfLong, IfRandom, OrCount, OrName, OrPath, Secret};

/// Words of a name whose value is a secret. The longest that ends a word counts, so that words without a separator are found:
/// `userpassword`, `authtoken`.
const WORDS: &[(&str, &str, Expected)] = &[
    ("passwords", "password", IfRandom),
    ("password", "password", Secret),
    ("passwort", "password", Secret),
    ("passwd", "password", Secret),
    ("passphrase", "passphrase", Secret),
    ("passcode", "password", Secret),
    ("pass", "password", OrCount),
    ("pwd", "password", OrName),
    ("pswd", "password", Secret),
    ("bindpw", "password", Secret),
    ("rootpw", "password", Secret),
    ("pw", "password", OrPath),
    ("authtoken", "token", Secret),
    ("tokens", "token", IfRandom),
    ("token", "token", OrName),
    ("secrets", "secret", IfRandom),
    ("secret", "secret", OrName),
    ("apikeys", "API key", IfRandom),
    ("apikey", "API key", OrPath),
    ("psk", "pre-shared key", Secret),
    ("credentials", "credentials", OrName),
    ("credential", "credentials", OrName),
    ("creds", "credentials", OrName),
    ("masterauth", "password", Secret),
    ("sessionid", "session", IfRandom),
    ("sessid", "session", IfRandom),
    ("auth", "basic credentials", IfBasic),
    ("userpwd", "basic credentials", IfBasic),
    ("mnemonic", "recovery phrase", Secret),
];

/// Words that end in one of [`WORDS`] and mean something else.
static OTHERS: List = List::new("bypass compass trespass encompass overpass underpass keypass sortkey unauth preauth reauth");

/// Words before `token` that make it a position in a list, or a parser's token.
static PLACES: List = List::new(
    "page next continue continuation sync unexpected cancellation cancel resume stop start end eof bad illegal per max min \
     prompt completion input output total",
);

/// Words before `secret` after which the value is one: nobody names an object like this.
static OWNERS: List = List::new("app client consumer cookie hmac jwt oauth session shared signing totp webhook api");

/// Words before `key` that make it a secret. A public key, a sort key or a cache key is none.
const KEYS: &[(&str, &str)] = &[
    ("access", "access key"),
    ("account", "account key"),
    ("api", "API key"),
    ("app", "key"),
    ("application", "key"),
    ("auth", "key"),
    ("authentication", "key"),
    ("cipher", "key"),
    ("consumer", "key"),
    ("crypt", "encryption key"),
    ("crypto", "encryption key"),
    // `CODER_PROVISIONER_DAEMON_KEY`: https://coder.com/docs/reference/cli/provisioner_start
    ("daemon", "key"),
    ("decryption", "encryption key"),
    ("deploy", "key"),
    ("encrypt", "encryption key"),
    ("encryption", "encryption key"),
    ("fernet", "encryption key"),
    ("functions", "key"),
    ("hmac", "key"),
    ("ingest", "key"),
    ("integration", "key"),
    ("jwt", "signing key"),
    ("license", "license key"),
    ("master", "master key"),
    ("preshared", "pre-shared key"),
    ("priv", "private key"),
    ("private", "private key"),
    ("recovery", "key"),
    ("rsa", "private key"),
    ("secret", "secret key"),
    ("seal", "key"),
    ("service", "service key"),
    ("session", "key"),
    ("shared", "shared key"),
    ("sign", "signing key"),
    ("signing", "signing key"),
    ("ssh", "private key"),
    ("storage", "account key"),
    ("subscription", "key"),
    ("unseal", "key"),
    ("webhook", "key"),
    ("wireguard", "private key"),
    ("write", "key"),
];

/// Words before `key` that make it no secret, whatever else is known of it.
static OPEN_KEYS: List = List::new(
    "public pub publishable anon gpg primary foreign sort partition cache object s3 row map routing index unique lookup \
     config registry hot host idempotency group sharding shard label annotation topology tenant message translation site \
     ssl tls client server etcd ca cert known trusted apt data secrets configmap field column record event metric dedup \
     lock queue bucket file path env foreignkey the no unknown missing duplicate invalid",
);

/// Words next to the telling one for values that are derived from a secret and do not reveal it.
static DERIVED: List =
    List::new("checksum hash hashed digest sha1 sha256 sha md5 fingerprint thumbprint etag public pub rotation");

/// Words after the telling one that tell one of several secrets.
static WHICH: List = List::new(
    "prod production prd dev develop development stage staging stg test testing qa uat live sandbox local old new prev \
     previous current curr primary secondary main default backup bak replica master slave leader admin root app db api \
     value val plain plaintext cleartext clear text raw str string encoded base64 b64 base data one two three a b c eu us \
     asia ro rw ext int shared global common v confirm confirmation again repeat hex seed now override initial bot ci",
);

/// Words after the telling one that make it the name of something else.
static ABOUT: List = List::new(
    "file files path dir name names ttl expiry expires expire expired expiration exp age length len size count policy ref \
     refs reference id ids type url uri endpoint host port server store manager provider issuer audience subject enabled \
     enable disabled required require min max minimum maximum limit lifetime duration seconds sec ms minutes hours days \
     interval period header prefix suffix field param parameter prompt reset change changed update updated created rotated \
     at by on status state error errors valid validity review reviews cache bucket mode method algorithm algo alg hint help \
     description label placeholder title message encryption authentication auth login mount volume namespace kind version \
     format encoding source env command cmd script exists usage used remaining index offset class template handler service \
     controller factory filter validator generator grant scope scopes owner username email history strength checker reader \
     writer selector list rotation sync watcher request requests response exchange renewal refresh polling spec metadata \
     annotations labels keys backend engine agent map set keyring callback redirect free less based protected only",
);

/// Bytes of a name that are looked at, from its end.
const NAME_MAX: usize = 128;

/// Words of a name that are looked at, from its end.
const WORDS_MAX: usize = 10;

/// What a name says about its value; none if it is no secret.
pub fn named(name: &str) -> Option<Named> {
    // Bounded, since each of many values under one long key asks again.
    let name = &name[name.ceil_char_boundary(name.len().saturating_sub(NAME_MAX))..];
    KNOWN.with_borrow_mut(|known| known.find(name, by_words))
}

static LEFT: LeftCaches<Option<Named>> = LeftCaches::none();

thread_local! {
    static KNOWN: RefCell<NameCache<Option<Named>>> = RefCell::new(NameCache::of(&LEFT));
}

/// What the words of a name say.
fn by_words(name: &str) -> Option<Named> {
    // How many words after the telling one do not tell one of several.
    let mut unknown = 0;
    let mut words = Words(name).take(WORDS_MAX);
    while let Some(word) = words.next() {
        let word = word.trim_end_matches(|c: char| c.is_ascii_digit());
        let before: Vec<_> = words.clone().collect();
        if let Some(named) = by_word(word, &before, name).or_else(|| by_key(word, &before, name)) {
            let is_derived = before.iter().any(|word| DERIVED.has(word));
            let named = if unknown > 0 { Named { value: named.value.unless_random(), ..named } } else { named };
            // An environment variable holds a value, rather than the name of an object that holds it.
            let is_variable = !name.bytes().any(|byte| byte.is_ascii_lowercase());
            return (!is_derived).then(|| if is_variable { named.of_variable() } else { named });
        }
        if word.is_empty() || WHICH.has(word) {
            continue;
        }
        unknown += 1;
        if unknown > 1 || ABOUT.has(word) || DERIVED.has(word) {
            return None;
        }
    }
    None
}

/// What the name of a header says about its value, if that is secret as a whole.
pub fn named_header(name: &str) -> Option<Named> {
    const HEADERS: &[(&str, &str)] = &[
        ("authorization", "credentials"),
        ("proxy-authorization", "credentials"),
        ("x-authorization", "credentials"),
        ("x-forwarded-authorization", "credentials"),
        ("cookie", COOKIE),
        ("set-cookie", COOKIE),
    ];
    let &(_, kind) = HEADERS.iter().find(|(header, _)| {
        // CGI has `HTTP_AUTHORIZATION`, and some programs write an underscore for a hyphen.
        let name = name.strip_prefix("HTTP_").or_else(|| name.strip_prefix("http_")).unwrap_or(name).as_bytes();
        name.len() == header.len()
            && name
                .iter()
                .zip(header.bytes())
                .all(|(&byte, expected)| byte.to_ascii_lowercase() == expected || byte == b'_' && expected == b'-')
    })?;
    Some(Named { kind, value: Secret })
}

/// The name of a cookie in a mask.
pub(super) const COOKIE: &str = "cookie";

/// By a telling word, and the words before it.
fn by_word(word: &str, before: &[&str], name: &str) -> Option<Named> {
    let &(end, kind, value) = WORDS.iter().find(|(end, ..)| ends_with(word, end))?;
    let previous = before.first().copied().unwrap_or_default();
    let is_whole = word.len() == end.len();
    match end {
        _ if OTHERS.has(word) => None,
        // Other words end in these short ones: `oauth` does not name credentials.
        "auth" | "psk" if !is_whole => None,
        "pw" if !is_whole || previous.is_empty() => None,
        "tokens" | "token" if PLACES.has(previous) => None,
        "secret" if OWNERS.has(previous) || !is_whole => Some(Named { kind, value: OrPath }),
        "token" if !is_whole || is_one_of(previous, &["access", "auth", "bearer", "refresh", "id", "api", "session"]) => {
            Some(Named { kind, value: OrPath })
        }
        // Tests that passed are named and counted; `PWD` is a directory.
        "pass" if !is_whole || !previous.is_empty() => Some(Named { kind, value: Secret }),
        "pwd" if name != "PWD" && name != "OLDPWD" => Some(Named { kind, value: OrPath }),
        _ => Some(Named { kind, value }),
    }
}

/// By `key` and the word before it.
fn by_key(word: &str, before: &[&str], name: &str) -> Option<Named> {
    let (is_list, stem) = match () {
        () if ends_with(word, "keys") => (true, &word[..word.len() - "keys".len()]),
        () if ends_with(word, "key") => (false, &word[..word.len() - "key".len()]),
        // A signature makes a presigned URL of AWS or Google a key to its object.
        () if word.eq_ignore_ascii_case("signature") => {
            let is_presigned = before.first().is_some_and(|vendor| is_one_of(vendor, &["amz", "goog", "oss"]));
            return is_presigned.then_some(Named { kind: "signature of a URL", value: Secret });
        }
        // `CODER_SCIM_AUTH_HEADER`: https://coder.com/docs/reference/cli/server
        () if word.eq_ignore_ascii_case("header") => {
            let is_scim =
                matches!(before, [auth, scim, ..] if auth.eq_ignore_ascii_case("auth") && scim.eq_ignore_ascii_case("scim"));
            return is_scim.then_some(Named { kind: "credentials", value: Secret });
        }
        // The shared secret of Erlang's nodes: `RABBITMQ_ERLANG_COOKIE`.
        () if word.eq_ignore_ascii_case("cookie") => {
            let is_erlang = before.first().is_some_and(|word| word.eq_ignore_ascii_case("erlang"));
            return is_erlang.then_some(Named { kind: "secret", value: Secret });
        }
        () => return None,
    };
    let (owner, further) =
        if stem.is_empty() { (before.first().copied().unwrap_or_default(), before.get(1)) } else { (stem, before.first()) };
    let known = KEYS.iter().find(|(word, _)| owner.eq_ignore_ascii_case(word));
    match known {
        Some((_, kind)) => {
            let is_aws = *kind == "access key" && further.is_some_and(|word| word.eq_ignore_ascii_case("secret"));
            let is_encryption = *kind == "encryption key";
            let value = if is_list && !is_encryption { IfRandom } else { OrPath };
            Some(Named { kind: if is_aws { "AWS secret access key" } else { kind }, value })
        }
        // `OPENAI_KEY`: a variable named after a key, which nothing marks as public.
        None => {
            let is_variable = stem.is_empty() && !owner.is_empty() && !name.bytes().any(|byte| byte.is_ascii_lowercase());
            (is_variable && !is_list && !OPEN_KEYS.has(owner)).then_some(Named { kind: "key", value: IfLong })
        }
    }
}

fn ends_with(word: &str, end: &str) -> bool {
    let (word, end) = (word.as_bytes(), end.as_bytes());
    word.len() >= end.len() && word[word.len() - end.len()..].eq_ignore_ascii_case(end)
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|one| word.eq_ignore_ascii_case(one))
}

impl Expected {
    /// The weaker expectation, for a name that may mean something else.
    fn unless_random(self) -> Self {
        if matches!(self, IfBasic | IfLong) { self } else { IfRandom }
    }
}

impl Named {
    /// For the name of an environment variable.
    pub fn of_variable(self) -> Self {
        Self { value: if self.value == OrName { OrPath } else { self.value }, ..self }
    }

    /// If the value may also be something else.
    pub fn if_random(self) -> Self {
        Self { value: self.value.unless_random(), ..self }
    }

    /// Whether a value of this name has to be masked.
    pub fn hides(self, value: &str) -> bool {
        /// Bytes of the shortest random value that is masked for its randomness alone, and of the shortest key.
        const LEAST: usize = 8;
        const LONG: usize = 20;
        let value = value.trim_ascii();
        let is_secret = match self.value {
            Secret => true,
            OrCount => !is_measure(value),
            OrPath => !reads_as_path(value),
            // A single word is rarely the name of an object, but may be a token that a person has chosen.
            OrName => {
                let is_name = reads_as_name(value) && (self.kind != "token" || value.contains(['-', '.', '/']));
                !is_name && !reads_as_path(value) && !is_measure(value)
            }
            IfRandom => {
                value.len() >= LEAST && is_random(value) && !reads_as_path(value) && !reads_as_name(value) && !is_measure(value)
            }
            IfLong => value.len() >= LONG && is_random(value) && !value.contains(['/', ':', ' ']) && !reads_as_name(value),
            IfBasic => is_basic(value.as_bytes()) || reads_as_user_and_password(value),
        };
        is_secret && !names_nothing(value) && !says_state(value) && !reads_as_message(value) && !reads_as_identifier(value)
    }
}

/// Whether a value is a user and a password with a colon between them.
fn reads_as_user_and_password(value: &str) -> bool {
    value.split_once(':').is_some_and(|(user, password)| {
        !user.is_empty()
            && user.len() <= 64
            && password.len() >= 4
            && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@'))
            && is_random(password)
    })
}

/// The words of a name, last first.
#[derive(Clone)]
struct Words<'n>(&'n str);

impl<'n> Iterator for Words<'n> {
    type Item = &'n str;

    fn next(&mut self) -> Option<&'n str> {
        let name = self.0.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let bytes = name.as_bytes();
        let mut start = bytes.len();
        while start > 0 && bytes[start - 1].is_ascii_alphanumeric() {
            start -= 1;
            // A hump: a capital letter after a small one or a digit (`dbPassword`), or before a small one and after a capital one
            // (`DBPassword`).
            let [before, here, after] =
                [start.checked_sub(1).map(|at| bytes[at]), Some(bytes[start]), bytes.get(start + 1).copied()];
            let is = |byte: Option<u8>, is: fn(&u8) -> bool| byte.as_ref().is_some_and(is);
            let is_hump = is(here, u8::is_ascii_uppercase)
                && (is(before, u8::is_ascii_lowercase)
                    || is(before, u8::is_ascii_digit) && is(after, u8::is_ascii_lowercase)
                    || is(before, u8::is_ascii_uppercase) && is(after, u8::is_ascii_lowercase));
            if is_hump {
                break;
            }
        }
        self.0 = &name[..start];
        Some(&name[start..]).filter(|word| !word.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_name_decide() {
        for (name, kind) in [
            ("password", "password"),
            ("DB_PASSWORD", "password"),
            ("dbPassword", "password"),
            ("--db-password", "password"),
            ("spring.datasource.password", "password"),
            ("PGPASSWORD", "password"),
            ("GITHUB_TOKEN", "token"),
            ("clientSecret", "secret"),
            ("apiKey", "API key"),
            ("X-API-Key", "API key"),
            ("APIKEY", "API key"),
            ("aws_secret_access_key", "AWS secret access key"),
            ("SecretAccessKey", "AWS secret access key"),
            ("AccountKey", "account key"),
            ("SECRET_KEY_BASE", "secret key"),
            ("X-Amz-Signature", "signature of a URL"),
            ("DB_PASS", "password"),
            ("PASSWORD1", "password"),
            ("API_KEY_2", "API key"),
            ("PresharedKey", "pre-shared key"),
            ("wifi-psk", "pre-shared key"),
            ("CODER_PROVISIONER_DAEMON_PSK", "pre-shared key"),
            ("CODER_PROVISIONER_DAEMON_KEY", "key"),
            ("CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS", "encryption key"),
            ("CODER_SCIM_AUTH_HEADER", "credentials"),
        ] {
            assert_eq!(named(name).map(|named| named.kind), Some(kind), "{name}");
        }
        for name in [
            "",
            "-",
            "TOKEN_TTL",
            "passwordFile",
            "secretName",
            "key",
            "public_key",
            "cacheKey",
            "nextPageToken",
            "page_token",
            "KEYS",
            "auth_header",
            "12",
            "database",
            "X-Signature",
            "monkey",
            "compass",
            "é",
        ] {
            assert_eq!(named(name), None, "{name}");
        }
    }

    #[test]
    fn a_value_may_be_none_or_name_another() {
        let (password, secret) = (named("password").expect("one"), named("secret").expect("one"));
        for value in
            ["", "true", "***", "<nil>", "[REDACTED]", "$(DB_PASSWORD)", "${PASSWORD}", "{{ .Values.x }}", "[masked: JWT]"]
        {
            assert!(!password.hides(value) && !secret.hides(value), "{value}");
        }
        for value in ["registry-login", "team-a/registry-login", "/var/run/secrets/kubernetes.io/serviceaccount/token", "/run"] {
            assert!(password.hides(value) && !secret.hides(value), "{value}");
        }
        let pul = format!("pul-{}", "0a1b2c3d".repeat(5));
        for value in ["hunter2", "d41d8cd98f00b204", "Sesame", "a b", "/hunter2", &pul, "/aB3dE5gH7jK9mN1pQ2s/x"] {
            assert!(password.hides(value) && secret.hides(value), "{value}");
        }
        for name in ["clientSecret", "jwt-secret", "cookie_secret", "webhookSecret", "TOKEN", "JWT_SECRET"] {
            assert!(named(name).expect("one").hides("supersecret"), "{name}");
        }
        let (tokens, auth) = (named("tokens").expect("one"), named("_auth").expect("one"));
        assert!(tokens.hides("d41d8cd98f00b204") && !tokens.hides("4096") && !tokens.hides("registry-login-1"));
        assert!(auth.hides("dXNlcjpodW50ZXIy") && auth.hides("dXNlcjpodW50ZXI") && !auth.hides("enabled"));
        let pwd = named("PWD").expect("one");
        assert!(!pwd.hides("/home/coder") && !pwd.hides("/") && pwd.hides("sesame"));
    }
}
