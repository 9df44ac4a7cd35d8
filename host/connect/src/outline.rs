//! What a message of the server is, read without taking it apart: its bytes are passed on as they are.

use std::borrow::Cow;

use sandbar_text::clean_line;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What a message of the server is.
#[derive(Debug, PartialEq)]
pub(crate) struct Outline<'a> {
    /// Its id, where it is a request or a response.
    pub(crate) id: Option<Value>,
    pub(crate) kind: Kind<'a>,
}

/// What it says.
#[derive(Debug)]
pub(crate) enum Kind<'a> {
    /// A response with a result.
    Result(&'a RawValue),
    /// A response with an error, and its code.
    Error(&'a RawValue, i64),
    /// A request or a notification.
    Told { method: Cow<'a, str> },
}

impl PartialEq for Kind<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Kind::Result(one), Kind::Result(other)) => one.get() == other.get(),
            (Kind::Error(one, code), Kind::Error(other, other_code)) => one.get() == other.get() && code == other_code,
            (Kind::Told { method }, Kind::Told { method: other }) => method == other,
            _ => false,
        }
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    code: i64,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// Bytes of a server's words in ours.
const WORDS_MAX: usize = 1024;

/// Bytes of an id that is compared.
const ID_BYTES: usize = 4096;

impl<'a> Outline<'a> {
    /// Reads a message; none where it is no message of JSON-RPC.
    pub(crate) fn read(text: &'a [u8]) -> Option<Self> {
        // A parser of structs takes an array for one, and does not look at the text of what it skips.
        let text = std::str::from_utf8(text).ok().filter(|text| text.trim_ascii_start().starts_with('{'))?;
        let Envelope { jsonrpc, id, method, result, error } = serde_json::from_str(text).ok()?;
        if jsonrpc != "2.0" {
            return None;
        }
        let id = id.filter(|id| id.get().len() <= ID_BYTES).and_then(|id| serde_json::from_str(id.get()).ok());
        let kind = match (method, result, error) {
            (Some(method), None, None) => Kind::Told { method },
            (None, _, Some(error)) => Kind::Error(error, serde_json::from_str(error.get()).map_or(0, |Code { code }| code)),
            (None, Some(result), None) => Kind::Result(result),
            // Which of the two it is would be anybody's guess.
            (Some(_), ..) | (None, None, None) => return None,
        };
        Some(Self { id, kind })
    }

    /// Whether it answers the request with this id. An error may have lost it.
    pub(crate) fn answers(&self, id: &Value) -> bool {
        match self.kind {
            Kind::Result(_) => self.id.as_ref() == Some(id),
            Kind::Error(..) => self.id.as_ref().is_none_or(|own| own == id || own.is_null()),
            Kind::Told { .. } => false,
        }
    }
}

/// The words of a server's error as they may stand in ours, and in the log: clean, on one line, and no more than some.
pub(crate) fn error_words(text: &[u8]) -> Option<String> {
    let Kind::Error(error, _) = Outline::read(text)?.kind else { return None };
    serde_json::from_str(error.get()).ok().map(|Said { message }| clean_line(message, WORDS_MAX))
}

/// A message on one line: line breaks of JSON are white space between its parts, since inside of its texts there are none.
pub(crate) fn on_one_line(text: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = memchr::memchr2(b'\n', b'\r', &text[from..]) {
        text[from + at] = b' ';
        from += at + 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_told_apart_and_answers_find_their_requests() {
        let outline = |text: &'static str| Outline::read(text.as_bytes());
        let answer = outline(r#"{"jsonrpc":"2.0","id":"a","result":{}}"#).expect("a message");
        assert!(answer.answers(&json!("a")) && !answer.answers(&json!("b")) && matches!(answer.kind, Kind::Result(_)));
        let error = outline(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32020,"message":"m"}}"#).expect("a message");
        assert!(error.answers(&json!(1)) && matches!(error.kind, Kind::Error(_, -32020)));
        let told = outline(r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"id":1}}"#).expect("a message");
        assert!(!told.answers(&json!(1)) && matches!(&told.kind, Kind::Told { method } if method == "notifications/progress"));
        for text in [
            "",
            "{",
            "[]",
            "{}",
            "7",
            r#"{"id":1}"#,
            r#"["2.0",1,null,{},null]"#,
            r#"{"jsonrpc":"1.0","id":1,"result":{}}"#,
            r#"{"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"m","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"m","error":{"code":1,"message":"m"}}"#,
            "{\"id\":1,\"result\":{}} x",
            "{\"id\":1,\"result\":{\"a\":\"\n\"}}",
        ] {
            assert_eq!(outline(Box::leak(text.to_owned().into_boxed_str())), None, "{text}");
        }
    }

    #[test]
    fn a_message_is_on_one_line() {
        let mut text = b"{\r\n  \"a\": \"\\n\"\n}".to_vec();
        on_one_line(&mut text);
        assert_eq!(text, b"{    \"a\": \"\\n\" }");
    }
}
