//! What a key says about its value, whatever is around it.

use std::borrow::Cow;
use std::cell::RefCell;

use sandbar_secrets::{LeftCaches, NameCache, Named, named, named_header, web_key_member};
use sandbar_text::clean;

use super::tree::{Kind, ValueRef};

static LEFT: LeftCaches<Key> = LeftCaches::none();

thread_local! {
    static KNOWN: RefCell<NameCache<Key>> = RefCell::new(NameCache::of(&LEFT));
}

/// What a key says about its value.
#[derive(Clone, Copy, Default)]
pub(super) struct Key {
    /// That the value is a secret.
    pub(super) named: Option<Named>,
    /// What it says as the name of a header.
    pub(super) header: Option<Named>,
    /// What the words before its last one say, if that one is for a value: `secret` of `secretValue`.
    pub(super) of_owner: Option<Named>,
    pub(super) role: Role,
    pub(super) command: Option<PartOfCommand>,
    pub(super) field: Option<Field>,
    /// Whether the value is an environment: `env`, `extraEnv`, `envVars`.
    pub(super) is_environment: bool,
    /// Whether the value is the headers of a request.
    pub(super) is_headers: bool,
}

impl Key {
    /// Reads a key.
    pub(super) fn of(key: ValueRef<'_>) -> Self {
        let key = &*seen(key);
        KNOWN.with_borrow_mut(|known| known.find(key, Self::read))
    }

    fn read(key: &str) -> Self {
        let role = Role::of(key);
        Self {
            named: named(key),
            header: named_header(key),
            of_owner: (role == Role::Value).then(|| named(owner(key))).flatten().map(Named::of_variable),
            role,
            command: part_of_command(key),
            field: field(key),
            is_environment: is_environment(key),
            is_headers: ends_with(key, "headers"),
        }
    }
}

/// A key or name as a reader sees it: invisible characters in it make no difference.
pub(super) fn seen(key: ValueRef<'_>) -> Cow<'_, str> {
    let text = key.text();
    if key.kind() == Kind::PlainString { text } else { Cow::Owned(clean(&text).into_owned()) }
}

/// A field that tells what an object is, or where its secrets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Kind,
    Items,
    Data,
    StringData,
    /// `kty`: the object is a JSON Web Key.
    KeyType,
    /// A private member of a JSON Web Key, and what it is.
    OfWebKey(&'static str),
    /// A text that is nearly all of its object.
    Text,
}

fn field(key: &str) -> Option<Field> {
    match key {
        "kind" => Some(Field::Kind),
        "items" => Some(Field::Items),
        "data" => Some(Field::Data),
        "stringData" => Some(Field::StringData),
        "text" => Some(Field::Text),
        _ if key.eq_ignore_ascii_case("kty") => Some(Field::KeyType),
        _ => web_key_member(key).map(Field::OfWebKey),
    }
}

/// The role of a key in an object that holds a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PartOfCommand {
    Program,
    Arguments,
    /// `cmd`: the arguments beside an `entrypoint`, the program beside `args`.
    Either,
}

fn part_of_command(key: &str) -> Option<PartOfCommand> {
    const PROGRAMS: &[&str] = &["command", "cmds", "program", "entrypoint", "executable"];
    const ARGUMENTS: &[&str] = &["args", "arguments"];
    let is = |word: &&str| key.eq_ignore_ascii_case(word);
    if PROGRAMS.iter().any(is) {
        Some(PartOfCommand::Program)
    } else if ARGUMENTS.iter().any(is) {
        Some(PartOfCommand::Arguments)
    } else {
        is(&"cmd").then_some(PartOfCommand::Either)
    }
}

/// The role of a key in an object that holds a name and a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    /// The name: `name`, `headerName`, `ParameterKey`.
    Name,
    /// The value: `value`, `secretValue`, `ParameterValue`.
    Value,
    #[default]
    Neither,
}

/// The last words of keys that hold a name or a value.
const ROLES: &[(&str, Role)] = &[
    // Of a JSON patch, whose path ends in a name.
    ("path", Role::Name),
    ("name", Role::Name),
    ("key", Role::Name),
    ("value", Role::Value),
    ("type", Role::Name),
    ("values", Role::Value),
    ("data", Role::Value),
    ("default", Role::Value),
    ("header", Role::Name),
    ("variable", Role::Name),
    ("var", Role::Name),
    ("field", Role::Name),
    ("property", Role::Name),
    ("param", Role::Name),
    ("parameter", Role::Name),
    ("attribute", Role::Name),
    ("option", Role::Name),
    ("setting", Role::Name),
    ("flag", Role::Name),
    ("label", Role::Name),
    ("id", Role::Name),
    ("val", Role::Value),
    ("content", Role::Value),
    ("literal", Role::Value),
    ("plain", Role::Value),
    ("plaintext", Role::Value),
    ("raw", Role::Value),
];

/// Letters of the longest last word.
const WORD_MAX: usize = 9;

impl Role {
    fn of(key: &str) -> Self {
        let word = last_word(key);
        ROLES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map_or(Role::Neither, |&(_, role)| role)
    }
}

/// The last word of a key, if it is short enough for [`ROLES`]: `Value` of `secretValue`, `value` of `secret-value`.
pub(super) fn last_word(key: &str) -> &str {
    let bytes = key.as_bytes();
    let mut start = bytes.len();
    while start > 0 && bytes.len() - start <= WORD_MAX && bytes[start - 1].is_ascii_alphabetic() {
        start -= 1;
        // A hump: a capital letter after a small one.
        if start > 0 && bytes[start].is_ascii_uppercase() && bytes[start - 1].is_ascii_lowercase() {
            break;
        }
    }
    &key[start..]
}

/// The words before the last one of a key: `secret` of `secretValue`.
pub(super) fn owner(key: &str) -> &str {
    &key[..key.len() - last_word(key).len()]
}

/// Whether the value of a key is an environment: `env`, `extraEnv`, `envVars`.
fn is_environment(key: &str) -> bool {
    /// Bytes of a key that are looked at.
    const KEY_MAX: usize = 64;
    let key = &key.as_bytes()[..key.len().min(KEY_MAX)];
    key.windows("env".len()).any(|word| word.eq_ignore_ascii_case(b"env"))
}

fn ends_with(key: &str, word: &str) -> bool {
    let (key, word) = (key.as_bytes(), word.as_bytes());
    key.len() >= word.len() && key[key.len() - word.len()..].eq_ignore_ascii_case(word)
}
