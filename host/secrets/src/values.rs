//! Judges a value by its looks: a secret, or what replaces one: nothing, a reference, a word about its state, a count.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rustc_hash::FxHashSet;

use super::scan::JUDGED_MAX;

/// Bytes of a user and a password.
pub(super) const USER_MAX: usize = 1024;

/// Base64 with optional padding.
pub(super) static BASE64_ANY: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// What programs print in place of a value.
static NONE: List = List::new(
    "true false yes no on off null nil none undefined redacted masked hidden filtered removed omitted sensitive nan n/a na \
     empty secret:redacted your-password your_password your-token your_token string object array int bytes bool boolean str \
     any void string? varchar uuid option<string> optional[str] <string> unset yes/no todo tbd",
);

/// Words about the state of a secret, in its place.
static STATES: List = List::new(
    "accepted active added allowed already authenticated authorized available bad blank cached changed checked configured \
     correct created deleted denied deprecated different disabled enabled encrypted error exists expired expires expiring \
     exceeded failed failure fetched forbidden forgotten found generated granted ignored incorrect invalid invalidated \
     issued loaded locked loading malformed match matched matches mismatch missing must needed not obtained ok okay old \
     optional pending present provided protected ready received refreshed refreshing rejected renewed replaced required \
     requested reset revoked rotated rotating saved sent skipped specified stale stored success successful succeeded synced \
     too unauthorized unavailable unchanged unexpected unknown unspecified unsupported unverified updated used using valid \
     validated validating verified wrong written weak strong basic bearer digest md5 sha1 sha256 sha512 scram-sha-256 \
     bcrypt scrypt argon2 argon2id plain plaintext jwt oidc oauth oauth2 ldap kerberos saml vault file kubernetes static \
     dynamic auto automatic manual internal external prompt interactive opaque rsa ecdsa ed25519 aes aes256 read write \
     readonly user admin-only stdin keyring keychain",
);

/// Words that make a text of several words a message.
static MESSAGE: List = List::new(
    "are be been blank can't cannot characters could denied does doesn't empty enter expired failed incorrect invalid is \
     isn't least length may mismatch missing must need needs not provide required should to too use was were will \
     wrong",
);

/// Whether a value is none, whatever its name: nothing, a truth value, a type, a placeholder, a mask.
pub(super) fn names_nothing(value: &str) -> bool {
    // YAML's `|`, and a parser's unexpected character: `invalid token '}'`.
    let is_punctuation = |value: &str| value.len() < 3 && value.bytes().all(|byte| byte.is_ascii_punctuation());
    if value.len() > JUDGED_MAX {
        return value.starts_with("[masked:");
    }
    let is_placeholder = value.starts_with('<') && value.ends_with('>') || value.starts_with("[masked:") || is_punctuation(value);
    /// Placeholders in examples.
    const EXAMPLES: &[&str] = &[
        "PASSWORD",
        "PASS",
        "TOKEN",
        "SECRET",
        "KEY",
        "API_KEY",
        "APIKEY",
        "PASSPHRASE",
        "VALUE",
        "STRING",
        "YOUR_",
        "YOUR-",
        "your_",
        "your-",
    ];
    let is_example = EXAMPLES.iter().any(|example| {
        value.strip_prefix(example).is_some_and(|rest| rest.is_empty() || example.len() == 5 && example.starts_with(['Y', 'y']))
    });
    let bare = value.trim_matches(|c: char| c.is_ascii_whitespace() || matches!(c, '[' | ']' | '(' | ')' | '<' | '>'));
    let same = bare.bytes().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'_' | b'?' | b'#'))
        || bare.chars().all(|c| matches!(c, '•' | '●' | '…'));
    same || is_example || is_placeholder || bare.is_empty() || NONE.has(bare) || is_reference(value)
}

/// Whether a reference has a default: `${PASSWORD:-sesame}`.
pub(super) fn has_default(reference: &str) -> bool {
    const BEFORE: &[&str] = &[":-", ":=", "default \"", "default '", "|| \"", "|| '", ", \"", ", '"];
    BEFORE.iter().any(|before| {
        let default = reference.split_once(before).map_or("", |(_, default)| default);
        !default.is_empty() && !default.starts_with(['}', '"', '\'', '$'])
    })
}

/// Whether a value is a reference to another one.
pub(super) fn is_reference(value: &str) -> bool {
    /// How a path to another value begins.
    const SOURCES: &[&str] = &[
        "process.env",
        "os.environ",
        "os.getenv",
        "env.",
        "env:",
        "ENV[",
        "vault:",
        "ref+",
        "valueFrom",
        "file:",
        "file://",
        "secret:",
        "secrets.",
        "arn:",
        "$env:",
        "getenv",
        "var.",
        "projects/",
        "ssm:",
        "sops:",
        "op://",
        "keyring:",
        "system:",
        "urn:",
        "data.",
        "local.",
        "self.",
        "this.",
        "config.",
        "vault://",
        "awssm://",
    ];
    let is_printf = matches!(value, "%s" | "%v" | "%q" | "%d" | "%@" | "?" | ":password" | "{}" | "$1" | "$2" | "$3");
    let is_path_from =
        |source: &&str| value.strip_prefix(*source).is_some_and(|path| !path.split(['.', '/']).any(is_long_and_random));
    is_of_references(value) && !has_default(value)
        || SOURCES.iter().any(is_path_from)
        || value.strip_prefix('$').is_some_and(is_variable)
        || value.strip_prefix('%').and_then(|rest| rest.strip_suffix('%')).is_some_and(is_variable)
        || is_printf
}

/// Whether a name is that of a variable.
pub(super) fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Whether a value consists of references, and of nothing beside them but what separates them: `$(USER):$(PASSWORD)`.
fn is_of_references(value: &str) -> bool {
    /// How templates and references begin, and how they end.
    const WHOLE: &[(&str, &str)] = &[
        ("$(", ")"),
        ("${", "}"),
        ("{{", "}}"),
        ("<%", "%>"),
        ("%(", ")s"),
        ("#{", "}"),
        ("@@", "@@"),
        ("%{", "}"),
        ("ENC(", ")"),
    ];
    // A template may go on on other lines, and in front of a path.
    let is_template = value.starts_with("{{") || value.starts_with("${{");
    let is_separator = |c: char| c.is_ascii_punctuation() && !WHOLE.iter().any(|(open, _)| open.starts_with(c));
    let mut rest = value;
    while let Some((open, close)) = WHOLE.iter().find(|(open, _)| rest.starts_with(open)) {
        let Some(end) = rest[open.len()..].find(close) else { return is_template };
        // Of one in another, the outer one ends, too.
        let behind = rest[open.len() + end..].trim_start_matches(close);
        let behind = behind.trim_start_matches(|c| close.ends_with(c));
        if behind.is_empty() {
            return true;
        }
        rest = behind.trim_start_matches(is_separator);
    }
    is_template && rest.is_empty()
}

/// Whether a value describes the state of a secret.
pub(super) fn says_state(value: &str) -> bool {
    let word = value.trim_end_matches(['.', '!', '?', ',', ';', ':']);
    STATES.has(word)
}

/// Whether a text of several words is a message about a secret.
pub(super) fn reads_as_message(value: &str) -> bool {
    if value.len() > JUDGED_MAX {
        return false;
    }
    let words = value.split([' ', '\t']).filter(|word| !word.is_empty());
    let (mut several, mut is_message) = (0, false);
    for word in words {
        several += 1;
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        // A passphrase may ask as well, but would not begin with it.
        is_message |= MESSAGE.has(word) || several == 1 && word.eq_ignore_ascii_case("please");
    }
    several > 1 && is_message
}

/// A list of words, in small letters.
pub(super) struct List {
    /// Separated by spaces.
    words: &'static str,
    set: OnceLock<FxHashSet<&'static [u8]>>,
}

/// Bytes of the longest word of any list.
const WORD_MAX: usize = 20;

impl List {
    pub(super) const fn new(words: &'static str) -> Self {
        Self { words, set: OnceLock::new() }
    }

    /// Whether a word is in the list, in any case.
    pub(super) fn has(&self, word: &str) -> bool {
        let set = self.set.get_or_init(|| self.words.split_ascii_whitespace().map(str::as_bytes).collect());
        let mut small = [0; WORD_MAX];
        let Some(small) = small.get_mut(..word.len()) else { return false };
        small.copy_from_slice(word.as_bytes());
        small.make_ascii_lowercase();
        set.contains(&*small)
    }
}

/// Whether a value is a number with or without a unit, which counts or measures: `100%`, `3600`, `24h0m0s`, `1.5s`.
pub(super) fn is_measure(value: &str) -> bool {
    /// Digits of the longest number that counts as one.
    const DIGITS: usize = 5;
    /// Units, in small letters.
    const UNITS: &[&str] = &[
        "", "%", "s", "ms", "us", "ns", "m", "min", "h", "d", "b", "k", "kb", "mb", "kib", "mib", "x", "tokens", "m0s", "h0m0s",
    ];
    let number = value.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'/')).count();
    let digits = value[..number].bytes().filter(u8::is_ascii_digit).count();
    (1..=DIGITS).contains(&digits) && UNITS.iter().any(|unit| value[number..].eq_ignore_ascii_case(unit))
}

/// Whether a value reads as the name of an object, with or without its namespace: `team-a/registry-login`.
pub(super) fn reads_as_name(value: &str) -> bool {
    let is_name =
        value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'/' | b'_'));
    if value.len() > JUDGED_MAX || !is_name {
        return false;
    }
    // A name begins with a word, and its random parts are short. A random value rarely begins with a word.
    let mut words = value.split(['-', '.', '/', '_']);
    let first = words.next().unwrap_or_default();
    first.len() >= 2 && first.bytes().all(|byte| byte.is_ascii_lowercase()) && !words.any(is_long_and_random)
}

/// Whether a value reads as the path of a file.
pub(super) fn reads_as_path(value: &str) -> bool {
    let is_path = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'/' | b'_'));
    if value.len() > JUDGED_MAX || !is_path || !value.starts_with(['/', '.', '~']) {
        return false;
    }
    let rest = value.trim_start_matches(['/', '.', '~']);
    let is_word = |word: &str| !word.bytes().any(|byte| byte.is_ascii_digit());
    !rest.split(['-', '.', '/', '_']).any(is_long_and_random) && (rest.contains('/') || is_word(rest))
}

/// Whether a value identifies something and opens nothing: the hash of an image or a commit, a UUID, a class.
pub(super) fn reads_as_identifier(value: &str) -> bool {
    const DIGESTS: &[&str] = &["sha256:", "sha512:", "sha256-", "sha384-", "sha512-", "SHA256:", "MD5:", "h1:"];
    let is_type = |value: &str| {
        value.split('.').count() >= 3
            && value.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphabetic()))
    };
    DIGESTS.iter().any(|digest| value.starts_with(digest))
        || value.starts_with("http://")
        || value.starts_with("https://")
        || value.len() < JUDGED_MAX && is_type(value)
}

/// Whether a part of a name is too long and random for one.
fn is_long_and_random(part: &str) -> bool {
    /// The longest random parts of names have 10 characters.
    const LONG: usize = 16;
    part.len() >= LONG && part.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether a word looks random.
pub(super) fn is_random(word: &str) -> bool {
    let word = &word.as_bytes()[..word.len().min(JUDGED_MAX)];
    word.len() >= 6 && word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_alphabetic)
}

/// Whether a token has digits, small letters and capital letters: random text of 20 characters and more nearly always has all
/// three, names have one or two.
pub(super) fn has_all_kinds(token: &[u8]) -> bool {
    let token = &token[..token.len().min(JUDGED_MAX)];
    let has = |is: fn(&u8) -> bool| token.iter().any(is);
    has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit)
}

/// Whether a text is a user and a password in base64, with optional padding.
pub(super) fn is_basic(text: &[u8]) -> bool {
    if text.len() > USER_MAX {
        return false;
    }
    BASE64_ANY.decode(text).is_ok_and(|decoded| decoded.contains(&b':') && !decoded.iter().any(u8::is_ascii_control))
}
