//! MCP's own headers: their names, and what they repeat of a message of the modern era, so that gateways need not read bodies. And those of a
//! trace, where `_meta` has none.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AsHeaderName;
use http::{HeaderMap, HeaderValue};
use rmcp::model::ErrorData;
use sandbar_catalog::{Asked, MirroredArgument};
use sandbar_spans::TraceParent;
use sandbar_text::clean_line;
use serde_json::Value;

pub(super) const SESSION_ID: &str = "mcp-session-id";
pub(super) const PROTOCOL_VERSION: &str = "mcp-protocol-version";
const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// What stands around a value that a header could not hold as it is.
const ENCODED: (&str, &str) = ("=?base64?", "?=");

/// Bytes of somebody's header that an error repeats.
const REPEATED_BYTES: usize = 128;

/// A header that may stand there once, and does more often.
pub(super) struct Twice;

/// The value of a header that may stand there once; which one another reader would take is not known.
pub(super) fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Result<Option<&HeaderValue>, Twice> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Twice) } else { Ok(first) }
}

/// The same as text.
pub(super) fn only_text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, ErrorData> {
    let value = only(headers, name).map_err(|Twice| mismatch(format!("the header {name} stands there more than once")))?;
    let Some(value) = value else { return Ok(None) };
    value.to_str().map(Some).map_err(|_| mismatch(format!("the header {name} holds something else than visible ASCII")))
}

/// The caller's span. One that is said twice, or is not right, is ignored, as W3C Trace Context has it.
pub(super) fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    let parent = only(headers, TRACE_PARENT).ok().flatten()?.to_str().ok()?;
    let states = headers.get_all(TRACE_STATE).iter();
    let states: Option<Vec<&str>> = states.map(|state| state.to_str().ok()).collect();
    let state = states.filter(|states| !states.is_empty()).map(|states| states.join(","));
    TraceParent::parse(parent, state.as_deref())
}

/// Whether the header that names the method does.
pub(super) fn check_method(headers: &HeaderMap, method: &str) -> Result<(), ErrorData> {
    agree(METHOD, only_text(headers, METHOD)?, Some(method))
}

/// Whether the headers that repeat a call's name or URI and its arguments do.
pub(super) fn check_call(headers: &HeaderMap, asked: &Asked, mirrored: &[MirroredArgument]) -> Result<(), ErrorData> {
    agree(NAME, decoded(headers, NAME)?.as_deref(), Some(asked.name()))?;
    for MirroredArgument { path, header } in mirrored {
        let (first, rest) = path.split_first().map_or(("", path.as_slice()), |(first, rest)| (first.as_str(), rest));
        let argument = rest.iter().try_fold(asked.argument(first), |value, key| value.map(|value| value.get(key)));
        let said = decoded(headers, header)?;
        agree(header, said.as_deref(), argument.flatten().and_then(as_text).as_deref())?;
    }
    Ok(())
}

fn agree(name: &str, said: Option<&str>, meant: Option<&str>) -> Result<(), ErrorData> {
    match (said, meant) {
        (None, None) => Ok(()),
        (Some(said), Some(meant)) if said == meant => Ok(()),
        (None, Some(meant)) => Err(mismatch(format!(
            "the header {name} is missing; it has to repeat {:?} of the body",
            clean_line(meant, REPEATED_BYTES)
        ))),
        (Some(_), None) => Err(mismatch(format!("the header {name} repeats something that the body does not have"))),
        (Some(said), Some(meant)) => {
            let (said, meant) = (clean_line(said, REPEATED_BYTES), clean_line(meant, REPEATED_BYTES));
            Err(mismatch(format!("the header {name} is {said:?}, and the body has {meant:?}")))
        }
    }
}

/// The value of a header that may be encoded.
fn decoded<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<Cow<'a, str>>, ErrorData> {
    let Some(value) = only_text(headers, name)? else { return Ok(None) };
    let Some(encoded) = value.strip_prefix(ENCODED.0).and_then(|rest| rest.strip_suffix(ENCODED.1)) else {
        return Ok(Some(Cow::Borrowed(value)));
    };
    let text = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(|text| Some(Cow::Owned(text))).ok_or_else(|| mismatch(format!("the header {name} is no Base64 of text")))
}

/// An argument as a header repeats it; none where it is left out.
fn as_text(argument: &Value) -> Option<String> {
    match argument {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(argument.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn mismatch(words: String) -> ErrorData {
    ErrorData::header_mismatch(words, None)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn check(pairs: &[(&'static str, &'static str)], arguments: Value) -> Result<(), String> {
        let arguments = arguments.as_object().cloned().unwrap_or_default().into();
        let asked = Asked::Tool { name: "t".to_owned(), arguments };
        let mirrored = [(&["region"][..], "mcp-param-region"), (&["in", "zone"], "mcp-param-zone")].map(|(path, header)| {
            MirroredArgument { path: path.iter().map(|&key| key.to_owned()).collect(), header: header.to_owned() }
        });
        check_call(&headers(pairs), &asked, &mirrored).map_err(|error| error.message.into_owned())
    }

    #[test]
    fn a_trace_is_read_from_its_headers_unless_one_is_said_twice() {
        let parent = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        let parsed = |state| TraceParent::parse(parent.1, state);
        assert_eq!(trace_parent(&headers(&[parent])), parsed(None));
        assert_eq!(trace_parent(&headers(&[("tracestate", "a=b")])), None);
        let mut several = headers(&[parent, ("tracestate", "a=b")]);
        several.append("tracestate", HeaderValue::from_static("c=d"));
        assert_eq!(trace_parent(&several), parsed(Some("a=b,c=d")));
        several.append("traceparent", HeaderValue::from_static(parent.1));
        assert_eq!(trace_parent(&several), None);
    }

    #[test]
    fn headers_that_repeat_the_body_are_right_in_either_writing() {
        assert_eq!(check_method(&headers(&[("mcp-method", "ping")]), "ping"), Ok(()));
        for name in ["t", "=?base64?dA==?="] {
            assert_eq!(check(&[("mcp-name", name)], json!({})), Ok(()), "{name}");
        }
        let all = [("mcp-name", "t"), ("mcp-param-region", "=?base64?w6k=?="), ("mcp-param-zone", "7")];
        assert_eq!(check(&all, json!({ "region": "é", "in": { "zone": 7 } })), Ok(()));
        assert_eq!(check(&all[..1], json!({ "region": null, "in": { "zone": [] } })), Ok(()));
    }

    #[test]
    fn headers_that_do_not_are_named() {
        assert!(check_method(&headers(&[]), "ping").is_err());
        assert!(check_method(&headers(&[("mcp-method", "ping"), ("mcp-method", "ping")]), "ping").is_err());
        let name = ("mcp-name", "t");
        for (pairs, arguments, named) in [
            (&[][..], json!({}), "mcp-name"),
            (&[("mcp-name", "T")], json!({}), "mcp-name"),
            (&[("mcp-name", "=?base64?!?=")], json!({}), "Base64"),
            (&[("mcp-name", "=?base64?/w==?=")], json!({}), "Base64"),
            (&[name], json!({ "region": "x" }), "mcp-param-region is missing"),
            (&[name, ("mcp-param-region", "y")], json!({ "region": "x" }), "mcp-param-region"),
            (&[name, ("mcp-param-zone", "y")], json!({ "in": 1 }), "does not have"),
        ] {
            let words = check(pairs, arguments).expect_err("refused");
            assert!(words.contains(named), "{words}");
        }
    }
}
