//! Calls that ask for nothing but their result, as nearly all do. They go straight to their tool.
//!
//! rmcp starts four tasks for each request, which takes longer than a short call does. So a call that is beyond doubt well-formed is
//! recognised here. Everything else goes to rmcp, which knows all rules and says which one is broken: a call that wants to hear of its
//! progress, another method, another version, and whatever is written in an unusual way.

use http::{HeaderMap, HeaderName, header};
use rmcp::model::ClientCapabilities;
use serde::Deserialize;
use serde_json::Value;

use super::mcp::PROTOCOL_VERSION;
use super::message::{Message, VERSION_KEY};
use crate::mcp::{MODERN, PlainCall};

/// The versions with sessions of which such a call has the same form.
const LEGACY: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// What a header's value begins with that stands for another one.
const ENCODED: &str = "=?";

/// The key under which a modern request carries what its client can do.
const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// The parameters that such a call has.
const PARAMS: [&str; 3] = ["name", "arguments", "_meta"];

/// The call, if it is one. `mirrored` says whether a tool has arguments that headers have to repeat.
pub(super) fn plain_call(message: &Message, headers: &HeaderMap, mirrored: impl Fn(&str) -> bool) -> Option<PlainCall> {
    let params = message.call_params()?;
    let name = params.get("name")?.as_str()?;
    let arguments = match params.get("arguments") {
        Some(arguments) => arguments.as_object()?.clone(),
        None => serde_json::Map::default(),
    };
    let version = only(headers, &PROTOCOL_VERSION)?;
    let plain = params.keys().all(|key| PARAMS.contains(&key.as_str()))
        && only(headers, &header::CONTENT_TYPE)? == "application/json"
        && accepts_both(only(headers, &header::ACCEPT)?)
        && match params.get("_meta") {
            None => LEGACY.contains(&version),
            Some(meta) if LEGACY.contains(&version) => is_silent(meta) && meta.get(VERSION_KEY).is_none(),
            Some(meta) => {
                version == MODERN
                    && is_silent(meta)
                    && meta.get(VERSION_KEY)? == version
                    && ClientCapabilities::deserialize(meta.get(CAPABILITIES_KEY)?).is_ok()
                    && only(headers, &METHOD)? == "tools/call"
                    && only(headers, &NAME)? == name
                    && !name.starts_with(ENCODED)
                    && !mirrored(name)
            }
        };
    plain.then(|| PlainCall { name: name.to_owned(), arguments, version: version.to_owned() })
}

/// Whether nobody waits for notifications of progress.
fn is_silent(meta: &Value) -> bool {
    meta.as_object().is_some_and(|meta| !meta.contains_key("progressToken"))
}

/// Whether the client takes both of MCP's content types, without weights and the like.
fn accepts_both(accept: &str) -> bool {
    let accepts = |kind: &str| accept.split(',').any(|accepted| accepted.trim() == kind);
    accepts("application/json") && accepts("text/event-stream") && !accept.contains('"')
}

/// The value of a header that stands there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let common = [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
        common.iter().chain(pairs).map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn legacy() -> HeaderMap {
        headers(&[("mcp-protocol-version", "2025-11-25")])
    }

    fn modern() -> HeaderMap {
        headers(&[("mcp-protocol-version", MODERN), ("mcp-method", "tools/call"), ("mcp-name", "t")])
    }

    fn meta() -> Value {
        json!({ VERSION_KEY: MODERN, CAPABILITIES_KEY: { "elicitation": {} }, "io.modelcontextprotocol/clientInfo": {} })
    }

    fn is_plain(params: Value, headers: &HeaderMap) -> bool {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        let message = Message::parse(message.as_bytes()).expect("a message");
        plain_call(&message, headers, |_| false).is_some()
    }

    #[test]
    fn calls_as_clients_write_them_are_plain() {
        assert!(is_plain(json!({ "name": "t" }), &legacy()));
        assert!(is_plain(json!({ "name": "t", "arguments": { "x": 1 }, "_meta": { "a": 1 } }), &legacy()));
        assert!(is_plain(json!({ "name": "t", "arguments": {}, "_meta": meta() }), &modern()));
    }

    #[test]
    fn whatever_is_unusual_is_for_rmcp() {
        let (of_legacy, of_modern) = (json!({ "name": "t" }), json!({ "name": "t", "_meta": meta() }));
        let with = |key: &str, value: Value| {
            let mut meta = meta();
            meta[key] = value;
            json!({ "name": "t", "_meta": meta })
        };
        for params in [
            json!({ "name": "t", "_meta": { "progressToken": 1 } }),
            json!({ "name": "t", "_meta": [] }),
            json!({ "name": "t", "task": {} }),
            of_modern.clone(),
        ] {
            assert!(!is_plain(params.clone(), &legacy()), "{params}");
        }
        for params in [
            of_legacy.clone(),
            with("progressToken", json!(1)),
            with(VERSION_KEY, json!("2025-11-25")),
            with(CAPABILITIES_KEY, json!(1)),
            json!({ "name": "other", "_meta": meta() }),
        ] {
            assert!(!is_plain(params.clone(), &modern()), "{params}");
        }
        for name in ["content-type", "accept", "mcp-protocol-version", "mcp-method", "mcp-name"] {
            let mut twice = modern();
            twice.append(name, twice[name].clone());
            assert!(!is_plain(of_modern.clone(), &twice), "{name} twice");
            let mut other = modern();
            other.insert(name, HeaderValue::from_static("x"));
            assert!(!is_plain(of_modern.clone(), &other), "another {name}");
            let mut without = modern();
            without.remove(name);
            assert!(!is_plain(of_modern.clone(), &without), "no {name}");
        }
        for accept in
            ["application/json", "application/json, text/event-stream;q=0", "a/b;x=\"application/json, text/event-stream, \""]
        {
            let mut headers = legacy();
            headers.insert("accept", HeaderValue::from_static(accept));
            assert!(!is_plain(of_legacy.clone(), &headers), "{accept}");
        }
        let mut encoded = modern();
        encoded.insert("mcp-name", HeaderValue::from_static("=?base64?dA==?="));
        assert!(!is_plain(json!({ "name": "=?base64?dA==?=", "_meta": meta() }), &encoded));
        let two = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": of_legacy, "result": {} }).to_string();
        let two = Message::parse(two.as_bytes()).expect("a message");
        assert_eq!(plain_call(&two, &legacy(), |_| false), None, "a request and a response");
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": of_modern }).to_string();
        let message = Message::parse(message.as_bytes()).expect("a message");
        assert_eq!(plain_call(&message, &modern(), |tool| tool == "t"), None, "headers repeat its arguments");
    }
}
