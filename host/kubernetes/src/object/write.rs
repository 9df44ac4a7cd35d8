//! Writes an object masked, and cut down to the requested fields.
//!
//! What stays is copied raw, so it remains JSON as it was: numbers keep their digits and strings their escapes. [`Context`] decides
//! about secrets by place; every other string, and every key, is searched as a text. Most objects have no secret in any of them,
//! and then all strings are searched at once. `metadata.managedFields` is always left out; it can be half of an object and is
//! useless to a tool.

use std::borrow::Cow;

use sandbar_text::clean;

use super::mask::{Context, Mask};
use super::tree::{Fault, Kind, Tree, ValueRef};
use crate::fields::Keep;

/// Levels of JSON in strings that are parsed: a manifest in an annotation of a manifest.
pub(super) const TEXTS_MAX: u8 = 3;

/// Bytes of strings that are searched at once.
const TOGETHER: usize = 64 * 1024;

/// The name in a mask of a string with JSON that cannot be parsed.
pub(super) const UNREADABLE: &str = "JSON that is too deep or too large to be looked into";

/// A masked object.
pub(crate) struct Masked<'t> {
    tree: &'t Tree<'t>,
    /// None: nothing is masked.
    root: Option<Context<'t>>,
}

impl<'t> Masked<'t> {
    pub(super) fn new(tree: &'t Tree<'t>, mask: Mask) -> Self {
        Self { tree, root: mask.root() }
    }

    /// Appends the parts of the object that `keep` selects.
    pub(crate) fn pick(&self, keep: &Keep, out: &mut String) {
        let start = out.len();
        let strings = String::with_capacity(self.tree.json().len().min(TOGETHER));
        let mut together = Scan::Together { strings, has_secret: false };
        self.write(keep, out, &mut together);
        if together.found_something() {
            // Some string has a secret: start again, with a search of each.
            out.truncate(start);
            self.write(keep, out, &mut Scan::Each);
        }
    }

    fn write(&self, keep: &Keep, out: &mut String, scan: &mut Scan) {
        let mut writer = Writer { tree: self.tree, out, scan, texts: 0, copied: 0 };
        writer.object(self.tree.root(), keep, self.root, Level::Root);
    }
}

/// How plain strings are searched.
enum Scan {
    /// All at once, one on each line, to see whether any has a secret.
    Together { strings: String, has_secret: bool },
    /// Each by itself.
    Each,
}

impl Scan {
    /// The masked string, if it is known to differ from the string.
    fn look(&mut self, string: &str) -> Option<String> {
        match self {
            Scan::Each => match sandbar_secrets::mask(string) {
                Cow::Owned(hidden) => Some(hidden),
                Cow::Borrowed(_) => None,
            },
            Scan::Together { has_secret: true, .. } => None,
            Scan::Together { strings, has_secret } => {
                strings.push_str(string);
                strings.push('\n');
                if strings.len() > TOGETHER {
                    *has_secret = sandbar_secrets::has_line_with_secret(strings);
                    strings.clear();
                }
                None
            }
        }
    }

    /// Whether there may be a secret in the strings that were searched at once.
    fn found_something(&mut self) -> bool {
        match self {
            Scan::Each => false,
            Scan::Together { strings, has_secret } => *has_secret || sandbar_secrets::has_line_with_secret(strings),
        }
    }
}

/// The level of an object, as far as it decides what is left out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    /// The whole object.
    Root,
    /// Its metadata.
    Metadata,
    Inside,
}

/// Writes one document.
struct Writer<'t, 'w> {
    tree: &'t Tree<'t>,
    out: &'w mut String,
    scan: &'w mut Scan,
    /// The number of strings that this document is nested in.
    texts: u8,
    /// The offset up to which a value that is kept as a whole is copied.
    copied: usize,
}

impl<'t> Writer<'t, '_> {
    /// Writes the selected entries of an object.
    fn object(&mut self, object: ValueRef<'t>, keep: &Keep, place: Option<Context<'t>>, level: Level) {
        let inside = place.map(|place| place.inside(object));
        // Of all of its keys at once: what is not kept is most of them.
        let may_be_masks = place.is_some() && keep.asks_for_a_mask();
        self.out.push('{');
        let mut is_first = true;
        for (key, value) in object.entries() {
            let Some((keep, shown)) = self.key(key, keep, place.is_some(), may_be_masks) else { continue };
            let is = |name: &str| key.text() == name;
            if level == Level::Metadata && is("managedFields") {
                continue;
            }
            let below = if level == Level::Root && is("metadata") { Level::Metadata } else { Level::Inside };
            let before = self.out.len();
            if !is_first {
                self.out.push(',');
            }
            self.out.push_str(&shown);
            self.out.push(':');
            if self.value(value, keep, inside.as_ref().map(|inside| inside.place(key, value)), below) {
                is_first = false;
            } else {
                self.out.truncate(before);
            }
        }
        self.out.push('}');
    }

    /// The selection below a key, and the key as it is written. A masked key is known by its mask: asking for the key itself
    /// finds nothing.
    fn key<'k>(
        &mut self,
        key: ValueRef<'t>,
        keep: &'k Keep,
        is_masked: bool,
        may_be_a_mask: bool,
    ) -> Option<(&'k Keep, Cow<'t, str>)> {
        let kept = keep.of(&key.text());
        if kept.is_none() && !may_be_a_mask {
            return None;
        }
        match Some(key).filter(|_| is_masked).and_then(|key| self.without_secrets(key)) {
            None => Some((kept?, Cow::Borrowed(key.raw()))),
            Some(hidden) => Some((keep.of(&hidden)?, Cow::Owned(quoted(&hidden)))),
        }
    }

    /// Writes the selected part of a value. False: nothing, because a path continues and the value does not.
    fn value(&mut self, value: ValueRef<'t>, keep: &Keep, place: Option<Context<'t>>, level: Level) -> bool {
        match value.kind() {
            Kind::Object if *keep != Keep::Whole || level == Level::Metadata => self.object(value, keep, place, level),
            Kind::Array if *keep != Keep::Whole => self.array(value, keep, place),
            _ if *keep != Keep::Whole => return false,
            _ => self.whole(value, place),
        }
        true
    }

    /// Paths continue in each element of an array.
    fn array(&mut self, array: ValueRef<'t>, keep: &Keep, place: Option<Context<'t>>) {
        let mut places = place.map(|place| place.elements(array));
        self.out.push('[');
        let mut is_first = true;
        for element in array.elements() {
            let place = places.as_mut().map(|places| places.next(element));
            let before = self.out.len();
            if !is_first {
                self.out.push(',');
            }
            if self.value(element, keep, place, Level::Inside) {
                is_first = false;
            } else {
                self.out.truncate(before);
            }
        }
        self.out.push(']');
    }

    /// Writes a whole value.
    fn whole(&mut self, value: ValueRef<'t>, place: Option<Context<'t>>) {
        self.copied = value.start();
        if let Some(place) = place {
            self.mask(value, place);
        }
        self.out.push_str(&self.tree.json()[self.copied..value.end()]);
    }

    /// Copies a value up to its last secret, with masks.
    fn mask(&mut self, value: ValueRef<'t>, place: Context<'t>) {
        match value.kind() {
            Kind::Object => {
                let inside = place.inside(value);
                for (key, value) in value.entries() {
                    if let Some(hidden) = self.without_secrets(key) {
                        self.replace(key, &hidden);
                    }
                    self.mask(value, inside.place(key, value));
                }
            }
            Kind::Array => {
                let mut places = place.elements(value);
                for element in value.elements() {
                    let place = places.next(element);
                    self.mask(element, place);
                }
            }
            Kind::PlainString | Kind::String | Kind::Number | Kind::Literal => {
                if let Some(kind) = place.hides(value) {
                    self.replace(value, &sandbar_secrets::masked(kind));
                } else if value.is_string()
                    && let Some(hidden) = self.without_secrets(value)
                {
                    self.replace(value, &hidden);
                }
            }
        }
    }

    /// Copies what precedes a value, and writes `text` in its place.
    fn replace(&mut self, value: ValueRef<'t>, text: &str) {
        self.out.push_str(&self.tree.json()[self.copied..value.start()]);
        self.out.push_str(&quoted(text));
        self.copied = value.end();
    }

    /// The masked string; none if it has no secrets, as far as is known yet.
    fn without_secrets(&mut self, string: ValueRef<'t>) -> Option<String> {
        let text = string.text();
        if string.kind() == Kind::PlainString {
            return self.scan.look(&text);
        }
        // Invisible characters inside a secret would be removed on the way to the client, so they must not hide it here.
        let raw = text;
        let text = clean(&raw);
        let hidden = match self.json_inside(&text) {
            Some(hidden) => hidden,
            None => sandbar_secrets::mask(&raw),
        };
        match hidden {
            Cow::Owned(hidden) if hidden != *text => Some(hidden),
            _ => None,
        }
    }

    /// A masked string that is JSON itself, such as the manifest that `kubectl apply` leaves in an annotation.
    fn json_inside<'s>(&mut self, text: &'s str) -> Option<Cow<'s, str>> {
        if !text.trim_ascii_start().starts_with(['{', '[']) {
            return None;
        }
        let tree = match Tree::parse(text) {
            Ok(tree) if self.texts < TEXTS_MAX => tree,
            Err(Fault::Syntax(_)) => return None,
            // Its contents are not known, so all of it is masked.
            Ok(_) | Err(Fault::TooDeep | Fault::TooLarge) => return Some(Cow::Owned(sandbar_secrets::masked(UNREADABLE))),
        };
        let mut hidden = String::new();
        let mut inside = Writer { tree: &tree, out: &mut hidden, scan: &mut *self.scan, texts: self.texts + 1, copied: 0 };
        inside.mask(tree.root(), Context::default());
        let copied = inside.copied;
        if copied == 0 {
            return Some(Cow::Borrowed(text));
        }
        hidden.push_str(&text[copied..]);
        Some(Cow::Owned(hidden))
    }
}

/// A text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{OBJECT_MAX, Object};
    use super::*;
    use crate::error::{Code, Error};

    const POD: &str = r#"{"kind":"Pod","metadata":{"name":"web-0","managedFields":[{"manager":"x"}],"namespace":"team-a","labels":{"app":"web"},"annotations":{"example.com/owner":"a\"b","other":"x"}},"spec":{"nodeName":null,"containers":[{"name":"web","image":"i:1"},{"name":"sidecar"}]},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"},7,{"status":"?"}],"started":1.50e1}}"#;

    fn pruned(object: &str, fields: Option<&[&str]>) -> Result<String, Error> {
        let fields: Option<Vec<String>> = fields.map(|paths| paths.iter().map(|&path| path.to_owned()).collect());
        let keep = Keep::parse(fields.as_deref())?;
        let mut out = String::from("<");
        Object::read(object.as_bytes())?.masked(Mask::nothing()).pick(&keep, &mut out);
        Ok(out.split_off(1))
    }

    #[test]
    fn only_what_was_asked_for_is_kept_in_its_nesting() {
        let fields = ["metadata.name", "metadata.annotations[\"example.com/owner\"]", "spec.containers.image", "status.started"];
        assert_eq!(
            pruned(POD, Some(&fields)).expect("valid"),
            r#"{"metadata":{"name":"web-0","annotations":{"example.com/owner":"a\"b"}},"spec":{"containers":[{"image":"i:1"},{}]},"status":{"started":1.50e1}}"#
        );
    }

    #[test]
    fn without_fields_everything_but_managed_fields_is_kept() {
        assert_eq!(pruned(POD, None).expect("valid"), POD.replace(r#""managedFields":[{"manager":"x"}],"#, ""));
        let metadata = pruned(POD, Some(&["metadata"])).expect("valid");
        assert!(metadata.contains("web-0") && !metadata.contains("managedFields"), "{metadata}");
        let escaped = pruned(r#"{"metadata":{"managed\u0046ields":[1]},"spec":{"managedFields":[2]}}"#, None).expect("valid");
        assert_eq!(escaped, r#"{"metadata":{},"spec":{"managedFields":[2]}}"#);
    }

    #[test]
    fn an_absent_path_is_absent() {
        for (path, kept) in [
            ("status.nope", r#"{"status":{}}"#),
            ("nope.nope", "{}"),
            ("spec.nodeName.deeper", r#"{"spec":{}}"#),
            ("status.phase.deeper", r#"{"status":{}}"#),
            ("spec.nodeName", r#"{"spec":{"nodeName":null}}"#),
            ("status.conditions.type", r#"{"status":{"conditions":[{"type":"Ready"},{}]}}"#),
        ] {
            assert_eq!(pruned(POD, Some(&[path])).expect(path), kept, "{path}");
        }
        assert_eq!(pruned(POD, Some(&[])).expect("no paths"), "{}");
    }

    #[test]
    fn it_is_known_which_object_it_is() {
        let pod = Object::read(POD.as_bytes()).expect("valid");
        let identity = pod.identity().expect("valid");
        assert_eq!((&*identity.namespace, &*identity.name), ("team-a", "web-0"));
        assert_eq!(identity.labels().into_iter().collect::<Vec<_>>(), [("app".into(), "web".into())]);
        for unnamed in ["{}", r#"{"metadata":null}"#, r#"{"metadata":{"name":null,"labels":null}}"#] {
            assert_eq!(Object::read(unnamed.as_bytes()).expect("valid").identity().expect("valid").name, "");
        }
        assert!(Object::read(br#"{"metadata":{"name":1}}"#).expect("valid").identity().is_err());
    }

    #[test]
    fn what_comes_out_is_json_whatever_the_strings_hold() {
        let odd = r#"{"a\"\\\u0001é":{"b\n":["\ud83d\ude80\u0000",{"c":-0.0e-2}]},"metadata":{"name":"é\u00e9","n":[]}}"#;
        for fields in [None, Some(["[\"a\\\"\\\\\\u0001é\"][\"b\\n\"]"].as_slice())] {
            let kept = pruned(odd, fields).expect("valid");
            let value: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
            assert_eq!(value["a\"\\\u{1}é"]["b\n"][0], "🚀\0", "{kept}");
        }
    }

    #[test]
    fn what_is_not_an_object_is_an_error() {
        for body in ["", "[]", "null", "{", r#"{"a":}"#, r#"{"a":1,}"#, r#"{"a" 1}"#, "{}{}", "{} x", r#"{"a":"\x"}"#] {
            assert_eq!(pruned(body, None).expect_err(body).code, Code::Other);
            assert!(pruned(body, Some(&["b.c"])).is_err(), "{body}");
        }
        assert_eq!(Object::read(b"{\"a\":\"\xff\"}").err().map(|error| error.code), Some(Code::Other));
        assert!(pruned(&" ".repeat(OBJECT_MAX), None).is_err());
    }
}
