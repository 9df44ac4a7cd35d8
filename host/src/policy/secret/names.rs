//! Names of variables, flags, headers and keys that say that their value is a secret.

use super::places::is_basic;

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// What the value is: `password`.
    pub kind: &'static str,
    /// What else it may be.
    pub value: Value,
}

/// What stands under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// The secret itself.
    Secret,
    /// It, or the path of a file that holds it.
    OrPath,
    /// It, a path, or the name of an object that holds it: `secret: registry-login`.
    OrName,
    /// It, where it looks random: `tokens` are mostly counted.
    IfRandom,
    /// It, where it is a user and a password in base64: `auth` of a Docker configuration.
    IfBasic,
}

use Value::{IfBasic, IfRandom, OrName, OrPath, Secret};

/// Last words of a name whose value is a secret.
const WORDS: &[(&str, &str, Value)] = &[
    ("password", "password", Secret),
    ("passwd", "password", Secret),
    ("pass", "password", Secret),
    ("passphrase", "passphrase", Secret),
    ("pwd", "password", OrName),
    ("pgpassword", "password", Secret),
    ("requirepass", "password", Secret),
    ("masterauth", "password", Secret),
    ("token", "token", OrName),
    ("secret", "secret", OrName),
    ("apikey", "API key", Secret),
    ("psk", "pre-shared key", Secret),
    ("credential", "credentials", OrName),
    ("credentials", "credentials", OrName),
    ("passwords", "password", IfRandom),
    ("tokens", "token", IfRandom),
    ("secrets", "secret", IfRandom),
    ("auth", "basic credentials", IfBasic),
];

/// Words before `token` that make it a place in a list.
const PLACES: &[&str] = &["page", "next", "continue", "continuation"];

/// Words before `secret` that say that it is one: nobody names an object like this.
const OWNERS: &[&str] = &["app", "client", "cookie", "jwt", "webhook"];

/// Words that make a key a secret one when they stand before `key`. A public key, a sort key or a cache key is none.
const KEYS: &[(&str, &str)] = &[
    ("access", "access key"),
    ("account", "account key"),
    ("api", "API key"),
    // `CODER_PROVISIONER_DAEMON_KEY`: https://coder.com/docs/reference/cli/provisioner_start
    ("daemon", "key"),
    ("encryption", "encryption key"),
    ("hmac", "key"),
    ("license", "license key"),
    ("master", "master key"),
    ("preshared", "pre-shared key"),
    ("private", "private key"),
    ("secret", "secret key"),
    ("service", "service key"),
    ("shared", "shared key"),
    ("signing", "signing key"),
];

/// Words in one that names write without a separator: `accountkey`, `secretkey`.
const WORD_MAX: usize = 24;

/// Bytes of a name that are looked at, from its end.
const NAME_MAX: usize = 128;

/// Bytes of a value that can be something else than a secret: a path, a name, a reference.
const JUDGED_MAX: usize = 256;

/// What a name says of its value; none: nothing secret. Only its last words count, numbers aside: `TOKEN_TTL` and `passwordFile` are
/// no secrets, `PASSWORD1` is.
pub fn named(name: &str) -> Option<Named> {
    // Each of many values under one long key asks again.
    let name = &name[name.ceil_char_boundary(name.len().saturating_sub(NAME_MAX))..];
    let mut words = Words::new(name.trim_end_matches(|c: char| c.is_ascii_digit()));
    let last = words.back()?;
    let named = by_word(last, &mut words).or_else(|| by_words(last, &mut words))?;
    // A variable of the environment holds what it is about, and not the name of what holds it.
    let is_variable = !name.bytes().any(|byte| byte.is_ascii_lowercase());
    Some(if is_variable { named.of_variable() } else { named })
}

/// What the name of a header says of its value, if that is secret as a whole.
pub fn named_header(name: &str) -> Option<Named> {
    const HEADERS: [(&str, &str); 4] =
        [("authorization", "credentials"), ("proxy-authorization", "credentials"), ("cookie", COOKIE), ("set-cookie", COOKIE)];
    let (_, kind) = HEADERS.into_iter().find(|(header, _)| name.eq_ignore_ascii_case(header))?;
    Some(Named { kind, value: Secret })
}

/// What a mask calls a cookie.
pub(super) const COOKIE: &str = "cookie";

/// By the last word alone, or nearly.
fn by_word(last: &str, words: &mut Words<'_>) -> Option<Named> {
    let &(word, kind, value) = WORDS.iter().find(|(word, ..)| last.eq_ignore_ascii_case(word))?;
    let before = if matches!(word, "token" | "secret") { words.back().unwrap_or_default() } else { "" };
    let is_one_of = |words: &[&str]| words.iter().any(|word| before.eq_ignore_ascii_case(word));
    match word {
        "token" if is_one_of(PLACES) => None,
        "secret" if is_one_of(OWNERS) => Some(Named { kind, value: Secret }),
        _ => Some(Named { kind, value }),
    }
}

/// By the words before the last one.
fn by_words(last: &str, words: &mut Words<'_>) -> Option<Named> {
    let before = match last.len().checked_sub("key".len()) {
        Some(0) if last.eq_ignore_ascii_case("key") => words.back()?,
        Some(length) if last.len() <= WORD_MAX && last.is_char_boundary(length) && last[length..].eq_ignore_ascii_case("key") => {
            &last[..length]
        }
        // `SECRET_KEY_BASE` of Rails, and the signatures that make a presigned URL of AWS or Google a key to what it names.
        _ if last.eq_ignore_ascii_case("base") => {
            let is_key = words.back()?.eq_ignore_ascii_case("key") && words.back()?.eq_ignore_ascii_case("secret");
            return is_key.then_some(Named { kind: "secret key", value: Secret });
        }
        _ if last.eq_ignore_ascii_case("signature") => {
            let vendor = words.back()?;
            let is_presigned = vendor.eq_ignore_ascii_case("amz") || vendor.eq_ignore_ascii_case("goog");
            return is_presigned.then_some(Named { kind: "signature of a URL", value: Secret });
        }
        // `CODER_EXTERNAL_TOKEN_ENCRYPTION_KEYS` and `CODER_SCIM_AUTH_HEADER`: https://coder.com/docs/reference/cli/server
        _ if last.eq_ignore_ascii_case("keys") => {
            let is_encryption = words.back()?.eq_ignore_ascii_case("encryption");
            return is_encryption.then_some(Named { kind: "encryption key", value: Secret });
        }
        _ if last.eq_ignore_ascii_case("header") => {
            let is_scim = words.back()?.eq_ignore_ascii_case("auth") && words.back()?.eq_ignore_ascii_case("scim");
            return is_scim.then_some(Named { kind: "credentials", value: Secret });
        }
        _ => return None,
    };
    let (_, kind) = KEYS.iter().find(|(word, _)| before.eq_ignore_ascii_case(word))?;
    let is_aws = *kind == "access key" && words.back().is_some_and(|word| word.eq_ignore_ascii_case("secret"));
    Some(Named { kind: if is_aws { "AWS secret access key" } else { kind }, value: Secret })
}

/// Whether a value is none, whatever its name: nothing, a truth value, a reference to another variable, a mask.
pub(super) fn names_nothing(value: &str) -> bool {
    /// What programs print in place of a value.
    const NONE: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "null", "nil", "none", "undefined", "redacted"];
    if value.len() > JUDGED_MAX {
        return value.starts_with("[masked:");
    }
    let bare = value.trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '[' | ']' | '(' | ')' | '<' | '>'));
    let same = bare.bytes().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-'));
    let is_variable = |name: &str| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    same || NONE.iter().any(|none| bare.eq_ignore_ascii_case(none))
        || value.starts_with("[masked:")
        || (value.starts_with("$(") && value.ends_with(')'))
        || (value.starts_with("${") && value.ends_with('}'))
        || (value.starts_with("{{") && value.ends_with("}}"))
        || value.strip_prefix('$').is_some_and(is_variable)
}

/// Whether a value reads as the name of an object, with or without its namespace: `team-a/registry-login`.
pub(super) fn reads_as_name(value: &str) -> bool {
    let is_name =
        value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'/'));
    if value.len() > JUDGED_MAX || !is_name {
        return false;
    }
    // It begins with a word, and what is random in it is short. What is random altogether begins with something else as a rule.
    let mut words = value.split(['-', '.', '/']);
    let first = words.next().unwrap_or_default();
    first.len() >= 2 && first.bytes().all(|byte| byte.is_ascii_lowercase()) && !words.any(is_long_and_random)
}

/// Whether a value reads as the path of a file.
fn reads_as_path(value: &str) -> bool {
    let is_path = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/' | b'_'));
    if value.len() > JUDGED_MAX || !is_path || !value.starts_with(['/', '.']) {
        return false;
    }
    let rest = value.trim_start_matches(['/', '.']);
    let is_word = |word: &str| !word.bytes().any(|byte| byte.is_ascii_digit());
    !rest.split(['-', '.', '/', '_']).any(is_long_and_random) && (rest.contains('/') || is_word(rest))
}

/// Whether a part of a name is too long to be one, digits included.
fn is_long_and_random(part: &str) -> bool {
    /// The longest random parts of names have 10 characters.
    const LONG: usize = 16;
    part.len() >= LONG && part.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether a word looks as if nobody had thought of it.
pub(super) fn is_random(word: &str) -> bool {
    let word = &word.as_bytes()[..word.len().min(JUDGED_MAX)];
    word.len() >= 6 && word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_alphabetic)
}

impl Named {
    /// The same for a variable of the environment.
    pub fn of_variable(self) -> Self {
        Self { value: if self.value == OrName { OrPath } else { self.value }, ..self }
    }

    /// Whether a value of this name has to be masked.
    pub fn hides(self, value: &str) -> bool {
        /// Bytes of the shortest random value that is masked only because it is random.
        const LEAST: usize = 12;
        let is_secret = match self.value {
            Secret => true,
            OrPath => !reads_as_path(value),
            // One word is hardly the name of what holds a token, but may be a token that a person has thought of.
            OrName => {
                let is_name = reads_as_name(value) && (self.kind != "token" || value.contains(['-', '.', '/']));
                !is_name && !reads_as_path(value)
            }
            IfRandom => value.len() >= LEAST && is_random(value) && !reads_as_path(value) && !reads_as_name(value),
            IfBasic => is_basic(value.as_bytes()),
        };
        is_secret && !names_nothing(value)
    }
}

/// The words of a name from its end: `DB_PASSWORD`, `dbPassword` and `db-password` have the same two.
struct Words<'n>(&'n str);

impl<'n> Words<'n> {
    fn new(name: &'n str) -> Self {
        Self(name)
    }

    fn back(&mut self) -> Option<&'n str> {
        let name = self.0.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let bytes = name.as_bytes();
        let mut start = bytes.len();
        while start > 0 && bytes[start - 1].is_ascii_alphanumeric() {
            start -= 1;
            // A hump: a capital letter whose neighbour on the left is a small one, `dbPassword`.
            if start > 0 && bytes[start].is_ascii_uppercase() && bytes[start - 1].is_ascii_lowercase() {
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
