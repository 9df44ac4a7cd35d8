//! Takes the secrets out of objects, before anything of them reaches a tool.
//!
//! By structure where there is one: the values of Secrets, the environment of containers, what stands under a name such as
//! `password`, and manifests inside of annotations. Every other string goes through [`secret::mask`]. What is cut out of an object
//! must not decide what is masked of the rest, or a tool would only have to ask for the value without its name: so where the name
//! is gone the value goes, too, and manifests of Secrets inside of other objects are masked before fields are picked.
//!
//! JSON stays JSON: whole strings are replaced, in their escaped form.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ops::Range;

use memchr::{memchr2, memmem};
use serde_json::value::RawValue;

use super::discovery::ServedResource;
use super::error::Error;
use super::fields::Keep;
use super::items::malformed;
use super::prune::{Identity, identify, prune};
use crate::policy::secret::{self, Named, Secrets, Value, masked, named, named_header};
use crate::policy::{Grant, clean};

/// How deep JSON is looked into that stands as text inside of JSON: a manifest in an annotation of a manifest.
const TEXTS_MAX: u8 = 3;

/// How deep JSON is followed, which is a call for each level. What parsers follow, ours and those of the guests.
const DEPTH_MAX: usize = 128;

/// What the values of a Secret are called.
const SECRET_VALUE: &str = "Secret value";

/// What a value of the environment is called whose name is not known.
const ENVIRONMENT_VALUE: &str = "environment value without its name";

/// What is masked of the objects of one resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mask {
    /// None: the operator lets the component see what the cluster holds.
    secrets: Option<Kind>,
}

/// Which objects they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Secrets of the core group: all of their data is secret.
    Secret,
    Other,
}

impl Mask {
    /// For objects of a resource, by what discovery says of it and not by what they say of themselves: an object without its `kind`
    /// is a Secret all the same.
    pub(super) fn of(grant: &Grant, served: &ServedResource) -> Self {
        let is_secret = served.group.is_empty() && served.plural == "secrets";
        let kind = if is_secret { Kind::Secret } else { Kind::Other };
        Self { secrets: (grant.secrets == Secrets::Masked).then_some(kind) }
    }

    /// Masks nothing.
    #[cfg(test)]
    pub(super) fn nothing() -> Self {
        Self { secrets: None }
    }

    /// [`prune`], and what is left is masked.
    pub(super) fn prune<'o>(self, object: &'o str, keep: &Keep, out: &mut String) -> Result<Identity<'o>, Error> {
        let Some(kind) = self.secrets else { return prune(object, keep, out) };
        let start = out.len();
        let identity = if *keep != Keep::Whole && holds_a_secret(object) {
            // Its `kind`, which may be about to be cut off, is what tells a Secret inside of it.
            prune(&hide(object, kind).ok_or_else(too_deep)?, keep, out)?;
            identify(object)?
        } else {
            prune(object, keep, out)?
        };
        match hide(&out[start..], kind).ok_or_else(too_deep)? {
            Cow::Borrowed(_) => {}
            Cow::Owned(hidden) => {
                out.truncate(start);
                out.push_str(&hidden);
            }
        }
        Ok(identity)
    }
}

/// Whether an object may have the manifest of a Secret inside, or that of a list of them.
fn holds_a_secret(object: &str) -> bool {
    let object = object.as_bytes();
    [&b"\"Secret\""[..], b"\"SecretList\""].iter().any(|kind| memmem::find(object, kind).is_some())
}

/// A JSON object without its secrets; none: it is too deep to be followed.
fn hide(object: &str, kind: Kind) -> Option<Cow<'_, str>> {
    Walk::new(object, 0).hide(kind)
}

fn too_deep() -> Error {
    malformed("it nests deeper than 128 levels")
}

/// A way through one JSON text, whose syntax has been checked, that notes which strings have to be replaced.
struct Walk<'j> {
    json: &'j str,
    at: usize,
    /// How many texts this JSON stands inside of.
    texts: u8,
    /// The text has something in it that looks like a secret. If not, strings without escapes have not either.
    is_suspect: bool,
    /// How many objects and arrays this place is inside of.
    depth: usize,
    /// It was deeper somewhere than is followed, and the walk has ended there.
    is_too_deep: bool,
    /// Strings with their quotes, and what stands there instead. Of two for one string the later one knows more.
    edits: Vec<(Range<usize>, String)>,
    /// The values of Secrets, wherever they stand.
    secrets: Vec<Range<usize>>,
    /// What is `data` in the elements of an array, and how deep: these are Secrets if the array turns out to be that of a list of them,
    /// whose elements do not say what they are.
    elements: Vec<(usize, Range<usize>)>,
}

/// What is known about a value from where it stands.
#[derive(Clone, Copy)]
struct Place<'j> {
    /// The key that it stands under, arrays aside.
    key: &'j str,
    /// Everything below is secret, and this is what.
    hidden: Option<&'static str>,
}

impl<'j> Walk<'j> {
    fn new(json: &'j str, texts: u8) -> Self {
        Self {
            json,
            at: 0,
            texts,
            is_suspect: secret::is_suspect(json),
            depth: 0,
            is_too_deep: false,
            edits: Vec::new(),
            secrets: Vec::new(),
            elements: Vec::new(),
        }
    }

    fn hide(mut self, kind: Kind) -> Option<Cow<'j, str>> {
        self.space();
        match self.next() {
            Some(b'{') => self.object(Place { key: "", hidden: None }, kind),
            _ => self.value(Place { key: "", hidden: None }),
        }
        self.hide_secrets();
        if self.is_too_deep {
            return None;
        }
        if self.edits.is_empty() {
            return Some(Cow::Borrowed(self.json));
        }
        // Stable, so that the later one of two for a string comes later.
        self.edits.sort_by_key(|(at, _)| at.start);
        let mut hidden = String::with_capacity(self.json.len());
        let mut done = 0;
        for (index, (at, mask)) in self.edits.iter().enumerate() {
            if self.edits.get(index + 1).is_some_and(|(later, _)| later.start == at.start) {
                continue;
            }
            hidden.push_str(&self.json[done..at.start]);
            hidden.push_str(mask);
            done = at.end;
        }
        hidden.push_str(&self.json[done..]);
        Some(Cow::Owned(hidden))
    }

    /// Masks all values of the Secrets that were found, each once, also where one stands inside of another.
    fn hide_secrets(&mut self) {
        let mut secrets = std::mem::take(&mut self.secrets);
        secrets.sort_by_key(|data| (data.start, Reverse(data.end)));
        let mut done = 0;
        for data in secrets {
            if data.start >= done {
                self.at = data.start;
                self.depth = 0;
                self.value(Place { key: "", hidden: Some(SECRET_VALUE) });
                done = data.end;
            }
        }
    }

    /// Goes a level deeper, or ends the walk.
    fn descend(&mut self) -> bool {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.is_too_deep = true;
            self.at = self.json.len();
        }
        !self.is_too_deep
    }

    fn value(&mut self, place: Place<'j>) {
        match self.next() {
            Some(b'{') => self.object(place, Kind::Other),
            Some(b'[') => self.array(place),
            Some(b'"') => {
                if let Some(string) = self.string() {
                    self.leaf(string, place);
                }
            }
            _ => {
                let rest = &self.json.as_bytes()[self.at..];
                self.at += rest
                    .iter()
                    .position(|byte| b",]} \n\r\t".contains(byte))
                    .unwrap_or(rest.len())
                    .max(usize::from(!rest.is_empty()));
            }
        }
    }

    fn object(&mut self, place: Place<'j>, kind: Kind) {
        if !self.descend() {
            return;
        }
        let (mut is_secret, mut is_list) = (kind == Kind::Secret, false);
        let (mut name, mut value) = (None, None);
        let mut data = Vec::new();
        let elements = self.elements.len();
        self.at += 1;
        while let Some(b'"') = self.entry(b'}') {
            let Some(key) = self.string() else { break };
            let key = &self.json[key.start + 1..key.end - 1];
            self.space();
            self.at = (self.at + 1).min(self.json.len());
            self.space();
            let start = self.at;
            self.value(Place { key, ..place });
            let range = start..self.at;
            match key {
                "name" => name = Some(range),
                "value" => value = Some(range),
                "kind" => {
                    is_secret |= &self.json[range.clone()] == "\"Secret\"";
                    is_list |= &self.json[range] == "\"SecretList\"";
                }
                "data" | "stringData" => data.push(range),
                _ => {}
            }
        }
        self.depth -= 1;
        if place.hidden.is_some() {
            return;
        }
        if let Some(value) = value.filter(|value| self.is_string(value)) {
            self.pair(name, value, place);
        }
        // The array and its elements are two levels below the list.
        let own = self.depth + 2;
        let of_list = self.elements.drain(elements..).filter(|&(depth, _)| is_list && depth == own).map(|(_, data)| data);
        self.secrets.extend(of_list);
        if is_secret {
            self.secrets.extend(data);
        } else if place.key == "items" {
            self.elements.extend(data.into_iter().map(|data| (self.depth, data)));
        }
    }

    /// An array. Of the arguments of a program, one that is a flag tells what the next one is: `--password`, `sesame`.
    fn array(&mut self, place: Place<'j>) {
        if !self.descend() {
            return;
        }
        let mut flag = None;
        self.at += 1;
        while self.entry(b']').is_some() {
            let start = self.at;
            self.value(place);
            let range = start..self.at;
            // Behind a flag that takes no value stands the next one.
            if let Some(named) = flag.take()
                && !self.json[range.clone()].starts_with("\"-")
            {
                self.named(&range, named);
            }
            let element = &self.json[range];
            flag = element.strip_prefix("\"-").and_then(|rest| rest.strip_suffix('"')).and_then(named);
        }
        self.depth -= 1;
    }

    /// A name and a value, as in the environment of a container and the headers of a probe.
    fn pair(&mut self, name: Option<Range<usize>>, value: Range<usize>, place: Place<'j>) {
        let is_environment = is_environment(place.key);
        match name {
            Some(name) => {
                let name = if self.is_string(&name) { self.text(&name) } else { Cow::Borrowed("") };
                let named = named(&name).or_else(|| named_header(&name));
                if let Some(named) = named {
                    self.named(&value, if is_environment { named.of_variable() } else { named });
                }
            }
            None if is_environment => {
                let unknown = Named { kind: ENVIRONMENT_VALUE, value: Value::Secret };
                self.named(&value, unknown);
            }
            None => {}
        }
    }

    /// Masks a string because of its name, whatever is in it.
    fn named(&mut self, string: &Range<usize>, named: Named) {
        if self.is_string(string) && named.hides(&self.text(string)) {
            self.edits.push((string.clone(), quoted(&masked(named.kind))));
        }
    }

    /// A string by itself.
    fn leaf(&mut self, string: Range<usize>, place: Place<'j>) {
        let raw = &self.json[string.start + 1..string.end - 1];
        if let Some(kind) = place.hidden {
            if !raw.is_empty() {
                self.edits.push((string, quoted(&masked(kind))));
            }
            return;
        }
        // What is only called like a header may be a setting: `authorization: RBAC`.
        let header = || named_header(place.key).map(|named| Named { value: Value::IfRandom, ..named });
        if let Some(named) = named(place.key).or_else(header)
            && named.hides(&self.text(&string))
        {
            self.edits.push((string, quoted(&masked(named.kind))));
            return;
        }
        let is_plain = raw.bytes().all(|byte| byte.is_ascii() && byte != b'\\');
        if is_plain && !self.is_suspect {
            return;
        }
        // What hides between the letters of a secret would be removed on the way to the client, so it must not count here.
        let text = self.text(&string);
        let text = clean(&text);
        let hidden = match self.json_inside(&text) {
            Some(hidden) => hidden,
            None => secret::mask(&text),
        };
        if let Cow::Owned(hidden) = hidden
            && hidden != *text
        {
            self.edits.push((string, quoted(&hidden)));
        }
    }

    /// The masked form of a string that is JSON itself, such as the manifest that `kubectl apply` leaves in an annotation.
    fn json_inside<'t>(&self, text: &'t str) -> Option<Cow<'t, str>> {
        let is_json = self.texts < TEXTS_MAX && text.trim_ascii_start().starts_with(['{', '[']);
        if !is_json {
            return None;
        }
        // It checks the syntax, which nobody has checked yet, but not the depth, which the walk does.
        let json: &RawValue = serde_json::from_str(text).ok()?;
        match Walk::new(json.get(), self.texts + 1).hide(Kind::Other)? {
            Cow::Owned(hidden) => Some(Cow::Owned(hidden)),
            Cow::Borrowed(_) => Some(Cow::Borrowed(text)),
        }
    }

    fn is_string(&self, value: &Range<usize>) -> bool {
        let json = &self.json[value.clone()];
        json.len() >= 2 && json.starts_with('"') && json.ends_with('"')
    }

    /// A string without its quotes and escapes.
    fn text(&self, string: &Range<usize>) -> Cow<'j, str> {
        let quoted = &self.json[string.clone()];
        let raw = &quoted[1..quoted.len() - 1];
        match raw.contains('\\') {
            true => Cow::Owned(serde_json::from_str(quoted).unwrap_or_else(|_| raw.to_owned())),
            false => Cow::Borrowed(raw),
        }
    }

    fn next(&self) -> Option<u8> {
        self.json.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while self.next().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Goes to the next entry of an object or an array and returns its first byte; none: it has ended, and is passed.
    fn entry(&mut self, end: u8) -> Option<u8> {
        loop {
            match self.next()? {
                b',' => self.at += 1,
                byte if byte.is_ascii_whitespace() => self.at += 1,
                byte if byte == end => {
                    self.at += 1;
                    return None;
                }
                byte => return Some(byte),
            }
        }
    }

    /// Passes a string and returns where it is, with its quotes; none: it has no end.
    fn string(&mut self) -> Option<Range<usize>> {
        let start = self.at;
        let bytes = self.json.as_bytes();
        self.at += 1;
        while let Some(found) = memchr2(b'"', b'\\', &bytes[self.at..]) {
            self.at += found;
            if bytes[self.at] == b'"' {
                self.at += 1;
                return Some(start..self.at);
            }
            self.at = (self.at + 2).min(bytes.len());
        }
        self.at = bytes.len();
        None
    }
}

/// Whether what stands under a key is an environment: `env`, `extraEnv`, `envVars`.
fn is_environment(key: &str) -> bool {
    /// Bytes of a key that are looked at, since each of many values under a long one asks again.
    const KEY_MAX: usize = 64;
    let key = &key.as_bytes()[..key.len().min(KEY_MAX)];
    key.windows("env".len()).any(|word| word.eq_ignore_ascii_case(b"env"))
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
