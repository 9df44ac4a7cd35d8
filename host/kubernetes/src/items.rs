//! Splits a body while it arrives: each element of one top-level array by itself - the `items` of a list, the `groups` or
//! `resources` of discovery - and the rest, which is small, as one envelope.
//!
//! Only brackets and strings are tracked. Whether an element is valid JSON is checked by its parser, and the envelope is parsed
//! at the end, so nothing malformed passes.

use memchr::memchr2;
use sandbar_secrets::quotable;
use sandbar_text::size;

use super::error::{Code, Error};

/// Bytes of the envelope. A list's `metadata` with its token is well below 4 KiB.
const ENVELOPE_MAX: usize = 64 * 1024;

/// Bytes of the reason in a message.
const REASON_MAX: usize = 300;

/// The state between two chunks of a body.
pub(super) struct Splitter {
    /// The most bytes of one element.
    element_max: usize,
    state: State,
    envelope: Envelope,
    value: ValueScanner,
    /// An element that the last chunk has begun.
    element: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Outside the array.
    Envelope,
    /// Inside the array, before an element or the end; the second and later ones follow a comma.
    BeforeElement { first: bool },
    /// Inside an element.
    Element,
    /// After an element, before a comma or the end.
    AfterElement,
}

impl Splitter {
    /// For a body with an array of this name, whose elements have at most `element_max` bytes.
    pub(super) fn new(array: &'static str, element_max: usize) -> Self {
        let envelope = Envelope { array, ..Envelope::default() };
        Self { element_max, state: State::Envelope, envelope, value: ValueScanner::default(), element: Vec::new() }
    }

    /// Takes the next chunk, and calls `each` for every element that it completes.
    pub(super) fn feed<E: From<Error>>(&mut self, chunk: &[u8], mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.feed_with_outline(chunk, |_, element| each(element))
    }

    /// The same with what of the envelope has arrived before the elements, up to the bracket that opens their array.
    pub(super) fn feed_with_outline<E: From<Error>>(
        &mut self,
        mut chunk: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        while !chunk.is_empty() {
            chunk = match self.state {
                State::Envelope => self.envelope(chunk)?,
                State::BeforeElement { first } => self.before_element(chunk, first)?,
                State::Element => self.element(chunk, &mut each)?,
                State::AfterElement => self.after_element(chunk)?,
            };
        }
        Ok(())
    }

    /// The envelope, with an empty array, once the body has ended.
    pub(super) fn finish(self) -> Result<Vec<u8>, Error> {
        if self.state != State::Envelope || self.envelope.depth != 0 || self.envelope.bytes.is_empty() {
            return Err(malformed("it ends in the middle"));
        }
        Ok(self.envelope.bytes)
    }

    fn envelope<'c>(&mut self, chunk: &'c [u8]) -> Result<&'c [u8], Error> {
        for (at, &byte) in chunk.iter().enumerate() {
            if self.envelope.push(byte)? {
                self.state = State::BeforeElement { first: true };
                return Ok(&chunk[at + 1..]);
            }
        }
        Ok(&[])
    }

    fn before_element<'c>(&mut self, chunk: &'c [u8], first: bool) -> Result<&'c [u8], Error> {
        match chunk[0] {
            byte if byte.is_ascii_whitespace() => Ok(&chunk[1..]),
            b'{' => {
                self.state = State::Element;
                self.value = ValueScanner::default();
                Ok(chunk)
            }
            b']' if first => self.end_of_items(chunk),
            _ => Err(malformed(&format!("`{}` holds something that is not an object", self.envelope.array))),
        }
    }

    fn element<'c, E: From<Error>>(
        &mut self,
        chunk: &'c [u8],
        each: &mut impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<&'c [u8], E> {
        let end = self.value.end(chunk);
        let (piece, rest) = chunk.split_at(end.unwrap_or(chunk.len()));
        if self.element.len() + piece.len() > self.element_max {
            let (array, most) = (self.envelope.array, size(self.element_max as u64));
            let words = format!("`{array}` of the API server's answer holds an object of over {most}, which cannot be read");
            return Err(Error::new(Code::TooLarge, words).into());
        }
        if end.is_none() {
            self.element.extend_from_slice(piece);
        } else {
            self.state = State::AfterElement;
            if self.element.is_empty() {
                each(&self.envelope.bytes, piece)?;
            } else {
                self.element.extend_from_slice(piece);
                each(&self.envelope.bytes, &self.element)?;
                self.element.clear();
            }
        }
        Ok(rest)
    }

    fn after_element<'c>(&mut self, chunk: &'c [u8]) -> Result<&'c [u8], Error> {
        match chunk[0] {
            byte if byte.is_ascii_whitespace() => Ok(&chunk[1..]),
            b',' => {
                self.state = State::BeforeElement { first: false };
                Ok(&chunk[1..])
            }
            b']' => self.end_of_items(chunk),
            _ => Err(malformed(&format!("two objects of `{}` have no comma between them", self.envelope.array))),
        }
    }

    fn end_of_items<'c>(&mut self, chunk: &'c [u8]) -> Result<&'c [u8], Error> {
        self.envelope.push(b']')?;
        self.state = State::Envelope;
        Ok(&chunk[1..])
    }
}

/// The document without the elements.
#[derive(Default)]
struct Envelope {
    /// The key of the array.
    array: &'static str,
    bytes: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// The last string at depth 1, without its quotes.
    key: Vec<u8>,
    /// Whether that string is the array's key, followed only by its colon and white space so far.
    at_array: bool,
}

impl Envelope {
    /// Takes one byte; true if it opens the array.
    fn push(&mut self, byte: u8) -> Result<bool, Error> {
        if self.bytes.len() >= ENVELOPE_MAX {
            return Err(malformed("what is around its objects is over 64 KiB"));
        }
        self.bytes.push(byte);
        if self.in_string {
            self.in_string_push(byte);
            return Ok(false);
        }
        match byte {
            b'"' => {
                self.in_string = true;
                self.at_array = false;
                self.key.clear();
            }
            b'{' | b'[' => {
                self.depth += 1;
                if std::mem::take(&mut self.at_array) && byte == b'[' {
                    return Ok(true);
                }
            }
            b'}' | b']' => {
                self.depth = self.depth.checked_sub(1).ok_or_else(|| malformed("a bracket is closed that was not opened"))?;
                self.at_array = false;
            }
            // Only after a colon: a string value is followed by a comma or a brace.
            b':' => self.at_array = self.depth == 1 && self.key == self.array.as_bytes(),
            byte if byte.is_ascii_whitespace() => {}
            _ => self.at_array = false,
        }
        Ok(false)
    }

    fn in_string_push(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.in_string = false;
                return;
            }
            _ => {}
        }
        if self.depth == 1 {
            self.key.push(byte);
        }
    }
}

/// Tracks one JSON object or array to its end.
#[derive(Default)]
pub(super) struct ValueScanner {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl ValueScanner {
    /// The offset after the value's end, in bytes that continue the last ones; none if it has not ended.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            if self.escaped {
                self.escaped = false;
                at += 1;
                continue;
            }
            if self.in_string {
                at += memchr2(b'"', b'\\', &bytes[at..])? + 1;
                match bytes[at - 1] {
                    b'"' => self.in_string = false,
                    _ => self.escaped = true,
                }
                continue;
            }
            at += 1;
            match bytes[at - 1] {
                b'"' => self.in_string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(at);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// The error for an answer that cannot be read.
pub(super) fn malformed(reason: &str) -> Error {
    // A parser's message can quote what it could not read.
    Error::new(Code::Other, format!("the API server's answer cannot be read: {}", quotable(reason, REASON_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELEMENT_MAX: usize = 1 << 20;

    /// The elements and the envelope of a body, fed in these pieces.
    fn split<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<String>, String), Error> {
        let mut splitter = Splitter::new("items", ELEMENT_MAX);
        let mut items = Vec::new();
        for piece in pieces {
            splitter.feed(piece, |item| {
                items.push(String::from_utf8(item.to_vec()).expect("the test's text"));
                Ok::<(), Error>(())
            })?;
        }
        Ok((items, String::from_utf8(splitter.finish()?).expect("the test's text")))
    }

    const LIST: &str = r#"{"kind":"PodList","note":"items","nested":{"items":[1]},"items": [ {"a":"}]\"\\","items":[{}]} ,{"b":[[],{"c":"ü"}]},{}] ,"metadata":{"continue":"t","resourceVersion":"1"}}
"#;

    #[test]
    fn items_come_apart_at_every_chunking() {
        let whole = split([LIST.as_bytes()]).expect("a list");
        assert_eq!(whole.0, [r#"{"a":"}]\"\\","items":[{}]}"#, r#"{"b":[[],{"c":"ü"}]}"#, "{}"]);
        assert_eq!(
            whole.1,
            "{\"kind\":\"PodList\",\"note\":\"items\",\"nested\":{\"items\":[1]},\"items\": [] ,\"metadata\":{\"continue\":\"t\",\"resourceVersion\":\"1\"}}\n"
        );
        for first in 0..LIST.len() {
            for second in first..LIST.len() {
                let bytes = LIST.as_bytes();
                let pieces = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(split(pieces).expect("a list"), whole, "cut at {first} and {second}");
            }
        }
        assert_eq!(split(LIST.as_bytes().chunks(1)).expect("a list"), whole);
    }

    #[test]
    fn a_list_may_be_empty_or_null() {
        assert_eq!(split([br#"{"items":[ ]}"#.as_slice()]).expect("empty"), (vec![], r#"{"items":[]}"#.to_owned()));
        assert_eq!(split([br#"{"items":null}"#.as_slice()]).expect("null"), (vec![], r#"{"items":null}"#.to_owned()));
        assert_eq!(split([br#"{"a":"items","b":[{}]}"#.as_slice()]).expect("no items").0, Vec::<String>::new());
    }

    #[test]
    fn a_body_that_is_not_a_list_is_an_error() {
        for body in [
            "",
            "{",
            r#"{"items":["#,
            r#"{"items":[{"#,
            r#"{"items":[{}"#,
            r#"{"items":[{}]"#,
            r#"{"items":[{}{}]}"#,
            r#"{"items":[{},]}"#,
            r#"{"items":[1]}"#,
            r#"{"items":[,{}]}"#,
            "}",
        ] {
            assert_eq!(split([body.as_bytes()]).expect_err(body).code, Code::Other);
        }
    }

    #[test]
    fn what_has_no_end_is_cut_off() {
        let deep = format!(r#"{{"items":[{}"#, r#"{"a":"#.repeat(ELEMENT_MAX / 5 + 1));
        assert_eq!(split([deep.as_bytes()]).expect_err("deep").code, Code::TooLarge);

        let wide = format!(r#"{{"note":"{}"#, "x".repeat(ENVELOPE_MAX));
        assert!(split([wide.as_bytes()]).expect_err("wide").message.contains("64 KiB"));

        let large = format!(r#"{{"items":[{{"a":"{}"#, "x".repeat(ELEMENT_MAX));
        assert_eq!(split([large.as_bytes()]).expect_err("large").code, Code::TooLarge);
    }
}
