//! One JSON document as a flat list of its values, in order, each with its range in the text.
//!
//! Nothing is copied, and a value takes 16 bytes, however long its text. With at most [`VALUES_MAX`] values, an object takes at
//! most 16 MiB beside its text of 8 MiB.

use std::borrow::Cow;
use std::fmt;

use memchr::memchr;
use sandbar_text::steps::steps;
use serde::de::{Deserializer as _, Visitor};

use crate::items::ValueScanner;

/// Values of one document, including keys. An object that fits into etcd has some 100,000.
pub(super) const VALUES_MAX: usize = 1 << 20;

/// Nesting of a document: as deep as JSON parsers, ours and those of guests, agree to go.
pub(super) const DEPTH_MAX: usize = 128;

/// Bytes of text for each value, in typical objects of Kubernetes: the initial capacity follows from it.
const BYTES_PER_VALUE: usize = 12;

/// A JSON document.
pub(super) struct Tree<'j> {
    json: &'j str,
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
struct Node {
    start: u32,
    end: u32,
    /// The index of the node after this value and its contents.
    next: u32,
    kind: Kind,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    /// A string whose raw text is its value: visible ASCII without escapes.
    PlainString,
    String,
    Number,
    /// `true`, `false` or `null`.
    Literal,
}

/// Why a text is not parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not JSON, from this offset on.
    Syntax(usize),
    /// It nests deeper than [`DEPTH_MAX`].
    TooDeep,
    /// More than [`VALUES_MAX`] values, or too long for a 32-bit offset.
    TooLarge,
}

/// A value of a document, or a key, which is a string.
#[derive(Clone, Copy)]
pub(super) struct ValueRef<'t> {
    tree: &'t Tree<'t>,
    at: usize,
}

impl<'j> Tree<'j> {
    /// Parses a text with one value.
    pub(super) fn parse(json: &'j str) -> Result<Self, Fault> {
        Self::parse_with(json, false)
    }

    /// The same for an object of Kubernetes, of which nobody reads `metadata.managedFields`. They can have more values than all the rest, and
    /// are an empty array here, whatever their text is: it must not be written.
    pub(super) fn parse_object(json: &'j str) -> Result<Self, Fault> {
        Self::parse_with(json, true)
    }

    fn parse_with(json: &'j str, leaves_out: bool) -> Result<Self, Fault> {
        if u32::try_from(json.len()).is_err() {
            return Err(Fault::TooLarge);
        }
        let room = (json.len() / BYTES_PER_VALUE).min(VALUES_MAX) + 1;
        steps(json.len());
        let mut parser = Parser { bytes: json.as_bytes(), at: 0, leaves_out, nodes: Vec::with_capacity(room), open: Vec::new() };
        parser.document()?;
        Ok(Self { json, nodes: parser.nodes })
    }

    /// The outermost value.
    pub(super) fn root(&self) -> ValueRef<'_> {
        ValueRef { tree: self, at: 0 }
    }

    pub(super) fn json(&self) -> &str {
        self.json
    }
}

impl<'t> ValueRef<'t> {
    pub(super) fn kind(self) -> Kind {
        self.node().kind
    }

    pub(super) fn is_string(self) -> bool {
        matches!(self.kind(), Kind::PlainString | Kind::String)
    }

    pub(super) fn is_null(self) -> bool {
        self.raw() == "null"
    }

    /// The offset of its first byte.
    pub(super) fn start(self) -> usize {
        self.node().start as usize
    }

    /// The offset after its last byte.
    pub(super) fn end(self) -> usize {
        self.node().end as usize
    }

    /// Its raw text.
    pub(super) fn raw(self) -> &'t str {
        &self.tree.json[self.start()..self.end()]
    }

    /// A string without quotes and escapes; any other value raw.
    pub(super) fn text(self) -> Cow<'t, str> {
        let raw = self.raw();
        match self.kind() {
            Kind::PlainString => Cow::Borrowed(&raw[1..raw.len() - 1]),
            Kind::String if raw.contains('\\') => Cow::Owned(unescaped(raw)),
            Kind::String => Cow::Borrowed(&raw[1..raw.len() - 1]),
            _ => Cow::Borrowed(raw),
        }
    }

    /// The beginning of a string, from at most `most` raw bytes; any other value raw.
    pub(super) fn beginning(self, most: usize) -> Cow<'t, str> {
        let raw = self.raw();
        if raw.len() <= most || !self.is_string() {
            return self.text();
        }
        let (mut end, most) = (1, raw.floor_char_boundary(most));
        while let Some(escape) = memchr(b'\\', &raw.as_bytes()[end..most]) {
            let whole = end + escape + if raw.as_bytes()[end + escape + 1] == b'u' { 6 } else { 2 };
            if whole > most {
                return Cow::Owned(unescaped(&format!("{}\"", &raw[..end + escape])));
            }
            end = whole;
        }
        if end == 1 { Cow::Borrowed(&raw[1..most]) } else { Cow::Owned(unescaped(&format!("{}\"", &raw[..most]))) }
    }

    /// The keys and values of an object; empty for other types.
    pub(super) fn entries(self) -> impl Iterator<Item = (ValueRef<'t>, ValueRef<'t>)> {
        let mut inside = self.inside(Kind::Object);
        std::iter::from_fn(move || Some((inside.next()?, inside.next()?)))
    }

    /// The elements of an array; empty for other types.
    pub(super) fn elements(self) -> impl Iterator<Item = ValueRef<'t>> {
        self.inside(Kind::Array)
    }

    /// The value of a key in an object, the last one of several.
    pub(super) fn get(self, key: &str) -> Option<ValueRef<'t>> {
        self.entries().filter(|(name, _)| name.text() == key).map(|(_, value)| value).last()
    }

    fn inside(self, kind: Kind) -> impl Iterator<Item = ValueRef<'t>> {
        let Node { next: end, kind: own, .. } = self.node();
        let (tree, end) = (self.tree, if own == kind { end as usize } else { 0 });
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let value = (at < end).then_some(ValueRef { tree, at })?;
            steps(1);
            at = value.node().next as usize;
            Some(value)
        })
    }

    fn node(self) -> Node {
        self.tree.nodes[self.at]
    }
}

/// A JSON string without quotes and escapes. A lone surrogate, which no text can hold, becomes U+FFFD.
fn unescaped(quoted: &str) -> String {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(String::from_utf8_lossy(bytes).into_owned())
        }
    }
    steps(quoted.len());
    // As bytes, because as text a lone surrogate is an error. Nothing else can fail: the syntax has been checked.
    serde_json::Deserializer::from_str(quoted).deserialize_bytes(Bytes).unwrap_or_default()
}

/// Classes of bytes in a string: plain ones need no look.
const PLAIN: u8 = 0;
const FOREIGN: u8 = 1;
const QUOTE: u8 = 2;
const ESCAPE: u8 = 3;
const CONTROL: u8 = 4;
static CLASSES: [u8; 256] = {
    let mut classes = [PLAIN; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            0x00..=0x1f => CONTROL,
            b'"' => QUOTE,
            b'\\' => ESCAPE,
            0x20..=0x7e => PLAIN,
            0x7f..=0xff => FOREIGN,
        };
        byte += 1;
    }
    classes
};

/// Parses a document by RFC 8259, without recursion.
struct Parser<'j> {
    bytes: &'j [u8],
    at: usize,
    /// Whether `metadata.managedFields` is not looked into.
    leaves_out: bool,
    nodes: Vec<Node>,
    /// The indices of open objects and arrays.
    open: Vec<u32>,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        loop {
            self.value()?;
            if self.close()? {
                break;
            }
        }
        self.space();
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.syntax()) }
    }

    /// Parses a value, or the beginning of an object or array: up to where another value has to begin, or has ended.
    fn value(&mut self) -> Result<(), Fault> {
        loop {
            self.space();
            let (start, kind) = (self.at, self.kind()?);
            match kind {
                Kind::Object | Kind::Array if self.is_managed_fields() => {
                    let length = ValueScanner::default().end(&self.bytes[start..]);
                    self.at += length.ok_or(Fault::Syntax(self.bytes.len()))?;
                    self.push(start, kind)?;
                }
                Kind::Object | Kind::Array => {
                    if self.open.len() == DEPTH_MAX {
                        return Err(Fault::TooDeep);
                    }
                    // The number of values is below 2^32.
                    self.open.push(self.nodes.len() as u32);
                    self.at += 1;
                    self.push(start, kind)?;
                    self.space();
                    if matches!(self.byte(), Some(b'}' | b']')) {
                        return Ok(());
                    }
                    if kind == Kind::Object {
                        self.key()?;
                    }
                    continue;
                }
                Kind::PlainString | Kind::String => {
                    let kind = self.string()?;
                    self.push(start, kind)?;
                }
                Kind::Number => {
                    self.number()?;
                    self.push(start, kind)?;
                }
                Kind::Literal => {
                    self.literal()?;
                    self.push(start, kind)?;
                }
            }
            return Ok(());
        }
    }

    /// Whether the value that begins here is `metadata.managedFields`, and is not looked into.
    fn is_managed_fields(&self) -> bool {
        let is_object = |at: u32| self.nodes[at as usize].kind == Kind::Object;
        let is_key = |at: usize, name: &str| {
            let node = self.nodes.get(at);
            node.is_some_and(|node| &self.bytes[node.start as usize..node.end as usize] == name.as_bytes())
        };
        // The key of what begins here is the last node, and that of an object the one before it.
        match self.open[..] {
            [root, metadata] if self.leaves_out && is_object(root) && is_object(metadata) => {
                is_key(self.nodes.len() - 1, "\"managedFields\"") && is_key(metadata as usize - 1, "\"metadata\"")
            }
            _ => false,
        }
    }

    /// Parses what follows a value: ends of objects and arrays, and what precedes the next value. True: the document has ended.
    fn close(&mut self) -> Result<bool, Fault> {
        while let Some(&open) = self.open.last() {
            let end = self.nodes.len() as u32;
            let node = &self.nodes[open as usize];
            let (is_object, is_empty) = (node.kind == Kind::Object, open + 1 == end);
            self.space();
            match self.byte() {
                Some(b',') if !is_empty => {
                    self.at += 1;
                    if is_object {
                        self.space();
                        self.key()?;
                    }
                    return Ok(false);
                }
                Some(b'}') if is_object => {}
                Some(b']') if !is_object => {}
                _ => return Err(self.syntax()),
            }
            self.at += 1;
            self.open.pop();
            let node = &mut self.nodes[open as usize];
            (node.end, node.next) = (self.at as u32, end);
        }
        Ok(true)
    }

    /// Parses a key and its colon.
    fn key(&mut self) -> Result<(), Fault> {
        if self.byte() != Some(b'"') {
            return Err(self.syntax());
        }
        let start = self.at;
        let kind = self.string()?;
        self.push(start, kind)?;
        self.space();
        self.expect(b':')
    }

    fn push(&mut self, start: usize, kind: Kind) -> Result<(), Fault> {
        if self.nodes.len() == VALUES_MAX {
            return Err(Fault::TooLarge);
        }
        // The length of the text is below 2^32.
        self.nodes.push(Node { start: start as u32, end: self.at as u32, next: self.nodes.len() as u32 + 1, kind });
        Ok(())
    }

    /// The type of the value that begins here.
    fn kind(&self) -> Result<Kind, Fault> {
        match self.byte() {
            Some(b'{') => Ok(Kind::Object),
            Some(b'[') => Ok(Kind::Array),
            Some(b'"') => Ok(Kind::String),
            Some(b'-' | b'0'..=b'9') => Ok(Kind::Number),
            Some(b't' | b'f' | b'n') => Ok(Kind::Literal),
            _ => Err(self.syntax()),
        }
    }

    fn string(&mut self) -> Result<Kind, Fault> {
        self.at += 1;
        let mut kind = Kind::PlainString;
        loop {
            let rest = &self.bytes[self.at..];
            self.at += rest.iter().position(|&byte| CLASSES[byte as usize] != PLAIN).unwrap_or(rest.len());
            match self.byte().map(|byte| CLASSES[byte as usize]) {
                Some(QUOTE) => {
                    self.at += 1;
                    return Ok(kind);
                }
                Some(FOREIGN) => self.at += 1,
                Some(ESCAPE) => self.escape()?,
                _ => return Err(self.syntax()),
            }
            kind = Kind::String;
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.at + 2..self.at + 6);
                match digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    true => 6,
                    false => return Err(self.syntax()),
                }
            }
            _ => return Err(self.syntax()),
        };
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Result<(), Fault> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += length;
        if length > 0 { Ok(()) } else { Err(self.syntax()) }
    }

    fn literal(&mut self) -> Result<(), Fault> {
        let rest = &self.bytes[self.at..];
        let literal = [&b"true"[..], b"false", b"null"].into_iter().find(|literal| rest.starts_with(literal));
        self.at += literal.ok_or_else(|| self.syntax())?.len();
        Ok(())
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        if self.byte() != Some(byte) {
            return Err(self.syntax());
        }
        self.at += 1;
        Ok(())
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn syntax(&self) -> Fault {
        Fault::Syntax(self.at)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The document as a value of serde_json, rebuilt from the nodes.
    fn rebuilt(value: ValueRef<'_>) -> serde_json::Value {
        match value.kind() {
            Kind::Object => value.entries().map(|(key, value)| (key.text().into_owned(), rebuilt(value))).collect(),
            Kind::Array => value.elements().map(rebuilt).collect(),
            Kind::PlainString | Kind::String => value.text().into(),
            Kind::Number | Kind::Literal => serde_json::from_str(value.raw()).expect("a scalar"),
        }
    }

    #[test]
    fn a_document_is_what_serde_json_reads() {
        for text in [
            "{}",
            " [ ] ",
            "null",
            "\"\"",
            r#"{"a":{},"b":[],"c":[[],{}],"":0}"#,
            r#"{ "a" : [ 1 , -0 , 0.5 , 1e9 , -1.5E-3 , true , false , null , "x" ] , "b" : { "c" : "d" } }"#,
            r#"["é","\u00e9\n\"\\\/","\ud83d\ude80",""]"#,
            "\r\n\t{\"a\"\n:\t1\r}\n",
        ] {
            let tree = Tree::parse(text).unwrap_or_else(|fault| panic!("{fault:?}: {text}"));
            assert_eq!(rebuilt(tree.root()), serde_json::from_str::<serde_json::Value>(text).expect("JSON"), "{text}");
        }
    }

    #[test]
    fn what_serde_json_refuses_is_refused() {
        // Every text that results from these if one byte is left out, doubled, or replaced.
        let seeds = [
            r#"{"a":[1,-0.5e+3,true],"b":{"c":null,"d\n":"\u00e9"}}"#,
            r#"[{"a":"b"},[],{},"x",01,false]"#,
            r#" {"x" : [ { } , [ ] ] } "#,
        ];
        let mut refused = 0;
        for seed in seeds {
            for at in 0..seed.len() {
                for insert in [&b""[..], b"\"", b"\\", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b"e", b" ", b"\n", b"\x01"]
                {
                    for skip in [0, 1] {
                        let text = [&seed.as_bytes()[..at], insert, &seed.as_bytes()[at + skip..]].concat();
                        let text = String::from_utf8(text).expect("ASCII");
                        let ours = Tree::parse(&text).is_ok();
                        let theirs = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
                        assert_eq!(ours, theirs, "{text}");
                        refused += usize::from(!ours);
                    }
                }
            }
        }
        assert!(refused > 1000, "{refused}");
    }

    #[test]
    fn half_of_a_surrogate_pair_is_no_character() {
        for (escaped, text) in
            [(r#""\ud800""#, "\u{fffd}\u{fffd}\u{fffd}"), (r#""a\udc00b\u00e9""#, "a\u{fffd}\u{fffd}\u{fffd}bé")]
        {
            assert_eq!(Tree::parse(escaped).expect("JSON").root().text(), text);
        }
    }

    #[test]
    fn the_beginning_of_a_string_ends_before_what_would_be_cut() {
        for (string, most, beginning) in [
            (r#""abcdef""#, 4, "abc"),
            (r#""abcdef""#, 99, "abcdef"),
            (r#""ab\ncdef""#, 4, "ab"),
            (r#""ab\ncdef""#, 5, "ab\n"),
            (r#""a\u00e9bcdef""#, 7, "a"),
            (r#""a\u00e9bcdef""#, 9, "aéb"),
            (r#""a\\\\\\""#, 7, "a\\\\"),
            ("\"aéééé\"", 5, "aé"),
            ("123456", 3, "123456"),
        ] {
            assert_eq!(Tree::parse(string).expect("JSON").root().beginning(most), beginning, "{string}");
        }
    }

    #[test]
    fn what_is_skipped_is_skipped_as_a_whole() {
        let text = json!({ "a": [[1, 2], { "b": 3 }], "c": 4, "a ": 5, "c": { "d": 6 } }).to_string();
        let tree = Tree::parse(&text).expect("JSON");
        assert_eq!(tree.root().get("c").map(ValueRef::raw), Some(r#"{"d":6}"#));
        assert_eq!(tree.root().entries().map(|(key, _)| key.text().into_owned()).collect::<Vec<_>>(), ["a", "c", "a "]);
        let twice = Tree::parse(r#"{"a":1,"\u0061":2}"#).expect("JSON");
        assert_eq!(twice.root().get("a").map(ValueRef::raw), Some("2"));
        assert_eq!((twice.root().elements().count(), tree.root().get("nope").is_none()), (0, true));
    }

    #[test]
    fn what_nobody_reads_is_one_value() {
        let text = r#"{"metadata":{"managedFields":[{"f:a\"]":{}}],"name":"x"},"spec":{"managedFields":[{"a":1}]}}"#;
        let tree = Tree::parse_object(text).expect("JSON");
        let (metadata, spec) = (tree.root().get("metadata").expect("there"), tree.root().get("spec").expect("there"));
        let skipped = metadata.get("managedFields").expect("there");
        assert_eq!((skipped.raw(), skipped.elements().count()), (r#"[{"f:a\"]":{}}]"#, 0));
        assert_eq!(metadata.get("name").map(ValueRef::raw), Some("\"x\""));
        assert_eq!(spec.get("managedFields").map(|fields| fields.elements().count()), Some(1));
        for open in [r#"{"metadata":{"managedFields":[{}}"#, r#"{"metadata":{"managedFields":[{}}}"#] {
            assert!(Tree::parse_object(open).is_err(), "{open}");
        }
        for other in [
            r#"{"metadata":{"managedFields":null}}"#,
            r#"{"metadata":["managedFields",[1]]}"#,
            r#"["metadata",{"managedFields":[1]}]"#,
            r#"{"a":{"managedFields":[[1]]}}"#,
            r#"{"a":{"metadata":{"managedFields":[1]}}}"#,
        ] {
            assert_eq!(rebuilt(Tree::parse_object(other).expect("JSON").root()).to_string(), other);
        }
        let elsewhere = Tree::parse(r#"{"metadata":{"managedFields":[1]}}"#).expect("JSON");
        assert_eq!(rebuilt(elsewhere.root())["metadata"]["managedFields"][0], 1, "as in an annotation");
    }

    #[test]
    fn depth_and_values_are_bounded() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(Tree::parse(&deep(DEPTH_MAX)).is_ok());
        assert_eq!(Tree::parse(&deep(DEPTH_MAX + 1)).err(), Some(Fault::TooDeep));
        assert_eq!(Tree::parse(&"[".repeat(1 << 20)).err(), Some(Fault::TooDeep));
        let wide = |values: usize| format!("[{}0]", "0,".repeat(values - 2));
        assert!(Tree::parse(&wide(VALUES_MAX)).is_ok());
        assert_eq!(Tree::parse(&wide(VALUES_MAX + 1)).err(), Some(Fault::TooLarge));
        assert_eq!(size_of::<Node>(), 16, "as it says above");
    }
}
