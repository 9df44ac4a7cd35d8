//! The values of an object that are secret by their place: under a name such as `password`, beside such a name, after a flag, in
//! a Secret.
//!
//! The place of a value is derived from the whole object: from what the value is inside of, and from what is beside it. The
//! requested fields are not known here, so they cannot matter.

use std::borrow::Cow;
use std::collections::BTreeMap;

use sandbar_policy::Grant;
use sandbar_secrets::{Expected, LONGEST, Named, Secrets, WORDS_MAX, has_program, has_secret, named, named_header, secret_words};

use super::certificate::are_certificates;
use super::key::{Field, Key, PartOfCommand, Role, last_word, owner, seen};
use super::tree::{Kind, ValueRef};
use crate::types::ServedResource;

/// The name of a Secret's values in a mask.
const SECRET_VALUE: &str = "Secret value";

/// The type of a Secret that has a certificate and its key, and the keys of such a Secret that hold certificates.
const TLS: &str = "kubernetes.io/tls";
const CERTIFICATES: [&str; 2] = ["tls.crt", "ca.crt"];

/// Digits of the shortest number that counts as a secret in the place of a secret or its name. Shorter ones count something.
const DIGITS: usize = 4;

/// What to mask in the objects of one resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask {
    /// None: the operator lets the component see secrets.
    secrets: Option<Objects>,
}

/// The kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objects {
    /// Secrets of the core group: all of their data is secret.
    Secrets,
    Others,
}

impl Mask {
    /// The mask for a resource, by discovery and not by what its objects say: an object without its `kind` is a Secret all the
    /// same.
    pub(crate) fn of(grant: &Grant, served: &ServedResource) -> Self {
        let is_secret = served.group.is_empty() && served.plural == "secrets";
        let objects = if is_secret { Objects::Secrets } else { Objects::Others };
        Self { secrets: (grant.secrets == Secrets::Masked).then_some(objects) }
    }

    /// A name as it may be shown outside of its object.
    pub(crate) fn name<'n>(self, name: &'n str) -> Cow<'n, str> {
        if self.secrets.is_some() { sandbar_secrets::mask(name) } else { Cow::Borrowed(name) }
    }

    /// Masks nothing.
    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        Self { secrets: None }
    }

    #[cfg(test)]
    pub(super) fn everything_of(objects: Objects) -> Self {
        Self { secrets: Some(objects) }
    }

    /// The place of the object itself; none: nothing in it is masked.
    pub(super) fn root<'t>(self) -> Option<Context<'t>> {
        self.secrets.map(|objects| match objects {
            Objects::Secrets => Context { is_secret: true, certificates: Certificates::OfSecret, ..Context::default() },
            Objects::Others => Context::default(),
        })
    }
}

/// The place of a value, as far as it decides what is masked.
#[derive(Clone, Copy, Default)]
pub(super) struct Context<'t> {
    /// Set if everything below is secret: what it is.
    hidden: Option<&'static str>,
    /// What the names around the value say about it. An array passes it on to its elements, and an object to its `value`.
    named: Option<Named>,
    /// Whether it is a Secret, or an array of them.
    is_secret: bool,
    /// Whether it is in the metadata of a Secret, where tools that write objects leave packed copies of them.
    is_beside_values: bool,
    /// Whether it is a program's environment, or part of one.
    is_environment: bool,
    /// Whether it is a request's headers, or part of them.
    is_headers: bool,
    /// The command that it holds the arguments of.
    command: Option<ValueRef<'t>>,
    certificates: Certificates,
}

/// How near a place is to where certificates are shown: in the data of a Secret for TLS that is read as such, and in no manifest of one.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Certificates {
    /// They are hidden like all else.
    #[default]
    Hidden,
    /// The place is the Secret.
    OfSecret,
    /// The place is the data of one for TLS.
    InData,
    /// The value at this place is shown, if it is made of them.
    Shown,
}

impl<'t> Context<'t> {
    /// The name of this value in a mask, if its place makes it secret. Objects and arrays never are, but their contents may be.
    pub(super) fn hides(self, value: ValueRef<'_>) -> Option<&'static str> {
        let (kind, is_literal) = (value.kind(), value.kind() == Kind::Literal);
        if matches!(kind, Kind::Object | Kind::Array) {
            return None;
        }
        if let Some(kind) = self.hidden {
            let is_nothing = is_literal && value.is_null() || value.raw() == "\"\"";
            let is_public = || self.certificates == Certificates::Shown && value.is_string() && are_certificates(&value.text());
            return (!is_nothing && !is_public()).then_some(kind);
        }
        if self.is_beside_values && value.is_string() && is_packed(&value.text()) {
            return Some(SECRET_VALUE);
        }
        let named = self.named.filter(|_| !is_literal)?;
        let is_count = kind == Kind::Number && named.value != Expected::Secret && value.raw().len() < DIGITS;
        (!is_count && named.hides(&value.text())).then_some(named.kind)
    }

    /// The context inside of an object at this place.
    pub(super) fn inside(self, object: ValueRef<'t>) -> Inside<'t> {
        let mut inside = Inside {
            place: self,
            is_secret: self.is_secret,
            has_certificates: self.certificates == Certificates::OfSecret
                && object.get("type").is_some_and(|kind| kind.is_string() && kind.text() == TLS),
            lists_secrets: false,
            is_web_key: false,
            command: None,
            args: None,
            pairs: Pairs::default(),
        };
        if self.hidden.is_some() {
            return inside;
        }
        let (mut has_name, mut has_value, mut either) = (false, false, None);
        for (key, value) in object.entries() {
            let key = Key::of(key);
            match key.role {
                Role::Name => has_name |= value.is_string(),
                Role::Value => has_value = true,
                Role::Neither => {}
            }
            match key.command.filter(|_| value.is_string() || value.kind() == Kind::Array) {
                Some(PartOfCommand::Program) => inside.command = Some(value),
                Some(PartOfCommand::Arguments) => inside.args = Some(value),
                Some(PartOfCommand::Either) => either = Some(value),
                None => {}
            }
            inside.is_web_key |= key.field == Some(Field::KeyType) && value.is_string();
            if key.field == Some(Field::Kind) && value.is_string() {
                let kind = value.text();
                inside.is_secret |= kind == "Secret";
                inside.lists_secrets |= kind == "SecretList";
            }
        }
        match inside.command {
            Some(_) => inside.args = inside.args.or(either),
            None => inside.command = either,
        }
        if has_name && has_value {
            for (key, name) in object.entries().filter(|(_, name)| name.is_string()) {
                if Key::of(key).role == Role::Name
                    && let Some(says) = self.says(&seen(name))
                {
                    inside.pairs.add(owner(&seen(key)), says);
                }
            }
        }
        inside
    }

    /// What a name says that is a value here, such as that of a variable or a header.
    fn says(self, name: &str) -> Option<Named> {
        let named = named(name).or_else(|| named_header(name))?;
        Some(if self.is_environment { named.of_variable() } else { named })
    }

    /// The context of the elements of an array at this place.
    pub(super) fn elements(self, array: ValueRef<'t>) -> Elements<'t> {
        // A list of passwords does not hold counts.
        let is_passwords = |named: &Named| named.kind == "password" && named.value == Expected::IfRandom;
        let named =
            self.named.map(|named| if is_passwords(&named) { Named { value: Expected::OrCount, ..named } } else { named });
        let place = Self { named, certificates: Certificates::Hidden, ..self };
        Elements { place, flag: None, header: None, at: 0, secret: secret_arguments(self.command, array) }
    }
}

/// The arguments that are secret because of the program in them, or in the command that they belong to. Each with its index and
/// its kind.
fn secret_arguments(command: Option<ValueRef<'_>>, arguments: ValueRef<'_>) -> Vec<(usize, &'static str)> {
    // A list of objects is no list of words.
    let is_list = |value: ValueRef<'_>| value.is_string() || value.elements().next().is_some_and(ValueRef::is_string);
    let command = command.filter(|&command| is_list(command));
    if command.is_none() && !is_list(arguments) {
        return Vec::new();
    }
    let all = || command.into_iter().flat_map(words).chain(words(arguments));
    if !has_program(all()) {
        return Vec::new();
    }
    let of_command = command.into_iter().flat_map(words).count();
    secret_words(all()).into_iter().filter_map(|(word, kind)| Some((word.checked_sub(of_command)?, kind))).collect()
}

/// The words of a command, which is a list or a line.
fn words<'t>(command: ValueRef<'t>) -> impl Iterator<Item = Cow<'t, str>> {
    let line = command.is_string().then(|| command.beginning(LONGEST));
    let of_line = |line: Cow<'t, str>| line.split_ascii_whitespace().map(|word| Cow::Owned(word.to_owned())).collect::<Vec<_>>();
    let word = |element: ValueRef<'t>| match element.kind() {
        Kind::Object | Kind::Array => Cow::Borrowed("_"),
        _ => element.beginning(LONGEST),
    };
    command.elements().map(word).chain(line.into_iter().flat_map(of_line)).take(WORDS_MAX)
}

/// The context inside of one object.
pub(super) struct Inside<'t> {
    place: Context<'t>,
    is_secret: bool,
    /// Whether it is one whose certificates are shown.
    has_certificates: bool,
    /// Whether its `items` are Secrets, which do not say so.
    lists_secrets: bool,
    /// Whether it is a JSON Web Key (RFC 7517).
    is_web_key: bool,
    /// Its command, and the only arguments that are read together with it, even if it has several.
    command: Option<ValueRef<'t>>,
    args: Option<ValueRef<'t>>,
    pairs: Pairs,
}

/// What names say about their values, if both are in one object: `name` and `value`, `ParameterKey` and `ParameterValue`.
#[derive(Default)]
struct Pairs {
    /// From any of the names.
    any: Option<Named>,
    /// From a name whose key is only `name` or the like.
    bare: Option<Named>,
    /// From a key with words before `Name`, by these words: `parameter`.
    owned: BTreeMap<String, Named>,
}

impl Pairs {
    fn add(&mut self, owner: &str, says: Named) {
        self.any = stronger(self.any, Some(says));
        if owner.is_empty() {
            self.bare = stronger(self.bare, Some(says));
        } else {
            let said = self.owned.entry(owner.to_ascii_lowercase()).or_insert(says);
            *said = stronger(Some(*said), Some(says)).unwrap_or(says);
        }
    }

    /// What the names say about the value of a key. In an object of many settings they are not about each other: `AUTH_TYPE` and
    /// `LOG_DEFAULT`.
    fn of(&self, key: &str) -> Option<Named> {
        match owner(key) {
            "" => self.any,
            _ if self.any.is_none() => None,
            owner => {
                let is_value = last_word(key).get(..3).is_some_and(|word| word.eq_ignore_ascii_case("val"));
                let same = self.owned.get(&owner.to_ascii_lowercase()).copied();
                stronger(same, self.bare.filter(|_| is_value))
            }
        }
    }
}

impl<'t> Inside<'t> {
    /// The place of the value of a key.
    pub(super) fn place(&self, key: ValueRef<'_>, value: ValueRef<'t>) -> Context<'t> {
        let own = self.place;
        if own.hidden.is_some() {
            let is_one = own.certificates == Certificates::InData && CERTIFICATES.contains(&&*key.text());
            return Context { certificates: if is_one { Certificates::Shown } else { Certificates::Hidden }, ..own };
        }
        let says = Key::of(key);
        let is_data = says.field == Some(Field::Data) && self.is_secret || says.field == Some(Field::StringData);
        let command = self.command.filter(|_| self.args.is_some_and(|args| args.start() == value.start()));
        // Arguments on one line are not a command by themselves.
        let line = command.filter(|_| value.is_string()).and_then(|_| secret_arguments(command, value).pop());
        let hidden = match says.field {
            _ if is_data => Some(SECRET_VALUE),
            Some(Field::OfWebKey(kind)) if self.is_web_key && is_number_or_list(value) => Some(kind),
            _ => line.map(|(_, kind)| kind),
        };
        Context {
            hidden,
            named: self.named(key, says).filter(|_| !is_count(key, value)),
            is_secret: self.lists_secrets && says.field == Some(Field::Items),
            is_beside_values: own.is_beside_values || self.is_secret && key.text() == "metadata",
            is_environment: says.is_environment,
            is_headers: says.is_headers,
            command,
            certificates: match says.field {
                Some(Field::Data) if self.has_certificates => Certificates::InData,
                _ => Certificates::Hidden,
            },
        }
    }

    fn named(&self, key: ValueRef<'_>, says: Key) -> Option<Named> {
        let own = self.place;
        // A key with the name of a header may be a setting: `authorization: RBAC`.
        let of_header = if own.is_headers { Expected::Secret } else { Expected::IfRandom };
        let mut named = says.named.or(says.header.map(|named| Named { value: of_header, ..named }));
        if says.role == Role::Value {
            named = [says.of_owner, self.pairs.of(&seen(key)), own.named].into_iter().fold(named, stronger);
        }
        // `{"password": {"text": "sesame"}}`
        if says.field == Some(Field::Text) {
            named = stronger(named, own.named.map(Named::if_random));
        }
        if own.is_environment { named.map(Named::of_variable) } else { named }
    }
}

/// The context of an array's elements. Among the arguments of a program, a flag tells what the next one is: `--password`,
/// `sesame`; and so does the program itself.
pub(super) struct Elements<'t> {
    place: Context<'t>,
    flag: Option<Named>,
    /// A header's name, which the next element may be the value of.
    header: Option<(String, Named)>,
    /// The number of elements so far.
    at: usize,
    /// Elements that are secret because of the program.
    secret: Vec<(usize, &'static str)>,
}

impl<'t> Elements<'t> {
    /// The place of the next element.
    pub(super) fn next(&mut self, element: ValueRef<'_>) -> Context<'t> {
        let at = self.at;
        self.at += 1;
        let flag = self.flag.take();
        let header = self.header.take();
        let place = Context { command: None, ..self.place };
        if let Some((_, kind)) = self.secret.iter().find(|(word, _)| *word == at) {
            return Context { hidden: place.hidden.or(Some(kind)), ..place };
        }
        if !element.is_string() {
            return Context { named: stronger(place.named, flag), ..place };
        }
        let text = element.text();
        self.header = named_header(&text).map(|named| (text.to_string(), named));
        // Names of headers are listed, too: the next element is a header's value if the two would be masked on one line.
        if let Some((name, named)) = header
            && has_secret(&format!("{name}: {}", element.beginning(LONGEST)))
        {
            return Context { hidden: place.hidden.or(Some(named.kind)), ..place };
        }
        match text.strip_prefix('-') {
            // A flag that takes no value is followed by the next flag.
            Some(name) => self.flag = named(name),
            // A name and its value: `["DB_PASSWORD", "sesame1"]`.
            None if flag.is_none() && place.named.is_none() && is_name(&text) && named(&text).is_some() => {
                self.flag = named(&text).map(Named::if_random)
            }
            None => return Context { named: stronger(place.named, flag), ..place },
        }
        place
    }
}

/// Whether a text has a long run of base64, which may be a packed object. JSON is looked into instead.
fn is_packed(text: &str) -> bool {
    /// Characters of the shortest run: more than a digest or a label has.
    const LEAST: usize = 72;
    let is_encoded = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    !text.trim_ascii_start().starts_with(['{', '['])
        && text.as_bytes().split(|byte| !is_encoded(byte)).any(|run| run.len() >= LEAST)
}

/// Whether a text may be the name of a variable, a setting or a header.
fn is_name(text: &str) -> bool {
    /// Bytes of a name.
    const NAME_MAX: usize = 64;
    text.len() <= NAME_MAX && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// Whether a member of a JSON Web Key may be one of its numbers, or the list of its other primes.
fn is_number_or_list(value: ValueRef<'_>) -> bool {
    /// Characters of 12 bytes in base64. No key is shorter.
    const LEAST: usize = 16;
    value.kind() == Kind::Array || value.is_string() && value.raw().len() >= LEAST + 2
}

/// Whether a number counts tests that have passed.
fn is_count(key: ValueRef<'_>, value: ValueRef<'_>) -> bool {
    value.kind() == Kind::Number && seen(key).eq_ignore_ascii_case("pass")
}

/// Of two statements about one value, the one that shows less of it.
fn stronger(one: Option<Named>, other: Option<Named>) -> Option<Named> {
    let strength = |named: &Named| match named.value {
        Expected::Secret => 3,
        Expected::OrCount | Expected::OrPath => 2,
        Expected::OrName => 1,
        Expected::IfRandom | Expected::IfLong | Expected::IfBasic => 0,
    };
    match (one, other) {
        (Some(one), Some(other)) => Some(if strength(&other) > strength(&one) { other } else { one }),
        (one, other) => one.or(other),
    }
}
