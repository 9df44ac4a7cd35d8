//! Names of variables, flags, headers and keys that say that their value is a secret.

/// What a name says of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// What the value is: `password`.
    pub kind: &'static str,
    /// The value may also be the name of something that holds the secret: `secret: registry-login`.
    pub may_name_another: bool,
}

/// Last words of a name whose value is a secret.
const WORDS: &[(&str, &str, bool)] = &[
    ("password", "password", false),
    ("passwd", "password", false),
    ("passphrase", "passphrase", false),
    ("pwd", "password", true),
    ("pgpassword", "password", false),
    ("token", "token", true),
    ("secret", "secret", true),
    ("apikey", "API key", false),
    ("credential", "credentials", true),
    ("credentials", "credentials", true),
];

/// Words that make a key a secret one when they stand before `key`. A public key, a sort key or a cache key is none.
const KEYS: &[(&str, &str)] = &[
    ("access", "access key"),
    ("account", "account key"),
    ("api", "API key"),
    ("encryption", "encryption key"),
    ("hmac", "key"),
    ("license", "license key"),
    ("master", "master key"),
    ("private", "private key"),
    ("secret", "secret key"),
    ("service", "service key"),
    ("signing", "signing key"),
];

/// Words in one that names write without a separator: `accountkey`, `secretkey`.
const WORD_MAX: usize = 24;

/// What a name says of its value; none: nothing secret. Only its last words count: `TOKEN_TTL` and `passwordFile` are no secrets.
pub fn named(name: &str) -> Option<Named> {
    let mut words = Words::new(name);
    let last = words.back()?;
    if let Some(&(_, kind, may_name_another)) = WORDS.iter().find(|(word, ..)| last.eq_ignore_ascii_case(word)) {
        return Some(Named { kind, may_name_another });
    }
    let before = match last.len().checked_sub("key".len()) {
        Some(0) if last.eq_ignore_ascii_case("key") => words.back()?,
        Some(length) if last.len() <= WORD_MAX && last.is_char_boundary(length) && last[length..].eq_ignore_ascii_case("key") => {
            &last[..length]
        }
        // `SECRET_KEY_BASE` of Rails, and the signatures that make a presigned URL of AWS or Google a key to what it names.
        _ if last.eq_ignore_ascii_case("base") => {
            let is_key = words.back()?.eq_ignore_ascii_case("key") && words.back()?.eq_ignore_ascii_case("secret");
            return is_key.then_some(Named { kind: "secret key", may_name_another: false });
        }
        _ if last.eq_ignore_ascii_case("signature") => {
            let vendor = words.back()?;
            let is_presigned = vendor.eq_ignore_ascii_case("amz") || vendor.eq_ignore_ascii_case("goog");
            return is_presigned.then_some(Named { kind: "signature of a URL", may_name_another: false });
        }
        _ => return None,
    };
    let (_, kind) = KEYS.iter().find(|(word, _)| before.eq_ignore_ascii_case(word))?;
    let is_aws = *kind == "access key" && words.back().is_some_and(|word| word.eq_ignore_ascii_case("secret"));
    Some(Named { kind: if is_aws { "AWS secret access key" } else { kind }, may_name_another: false })
}

/// Whether a value is none, whatever its name: nothing, a truth value, a reference to another variable, a mask.
pub fn names_nothing(value: &str) -> bool {
    /// What programs print in place of a value.
    const NONE: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "null", "nil", "none", "undefined", "redacted"];
    let bare = value.trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '[' | ']' | '(' | ')' | '<' | '>'));
    let same = bare.bytes().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-'));
    same || NONE.iter().any(|none| bare.eq_ignore_ascii_case(none))
        || value.starts_with("[masked:")
        || (value.starts_with("$(") && value.ends_with(')'))
        || (value.starts_with("${") && value.ends_with('}'))
        || (value.starts_with("{{") && value.ends_with("}}"))
}

/// Whether a value reads as the name of an object, with or without its namespace: `team-a/registry-login`.
pub(super) fn reads_as_name(value: &str) -> bool {
    let is_name =
        value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'/'));
    // It begins with a word. What is random begins with something else as a rule.
    let word = value.split(['-', '.', '/']).next().unwrap_or_default();
    is_name && word.len() >= 2 && word.bytes().all(|byte| byte.is_ascii_lowercase())
}

impl Named {
    /// Whether a value of this name has to be masked.
    pub fn hides(self, value: &str) -> bool {
        let is_name = self.may_name_another && reads_as_name(value);
        !is_name && !names_nothing(value)
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
            "tokens",
            "KEYS",
            "imagePullSecrets",
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
        for value in ["registry-login", "team-a/registry-login"] {
            assert!(password.hides(value) && !secret.hides(value), "{value}");
        }
        for value in ["hunter2", "d41d8cd98f00b204", "Sesame", "a b"] {
            assert!(password.hides(value) && secret.hides(value), "{value}");
        }
    }
}
