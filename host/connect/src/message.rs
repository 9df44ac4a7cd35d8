//! A client's message: its bytes, and what has to be known of it to bring it to a server.

use bytes::Bytes;
use http::HeaderMap;
use sandbar_mcp::{Era, Message, MessageKind, RequestId, Response, VERSION_KEY, Version};
use serde_json::Value;

use crate::headers;

/// Methods by which nothing is changed, however often they come.
const ONLY_READING: [&str; 15] = [
    "initialize",
    "server/discover",
    "ping",
    "tools/list",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "subscriptions/listen",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/roots/list_changed",
];

/// A message of a client.
pub(crate) struct ClientMessage {
    /// What is sent on.
    pub(crate) body: Bytes,
    pub(crate) kind: Kind,
    /// Empty in a response.
    pub(crate) method: String,
    /// The version that it says itself, in the modern era.
    modern: Option<String>,
    /// The name or address that a header repeats.
    named: Option<Value>,
}

/// What a client's message is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// A request with this id.
    Request(RequestId),
    /// A notification; of a cancellation, with the id of what is cancelled.
    Notification { cancelled: Option<RequestId> },
    /// A response, to a server that has asked something.
    Response,
}

impl ClientMessage {
    /// Reads a message; else the answer that refuses it.
    pub(crate) fn read(body: Bytes) -> Result<Self, String> {
        let message = Message::parse(&body).map_err(|error| Response::error(&error).text)?;
        let kind = match &message.kind {
            MessageKind::Request { id, .. } => Kind::Request(id.clone()),
            MessageKind::Notification { method } => {
                let cancels = method == "notifications/cancelled";
                Kind::Notification { cancelled: message.cancelled().filter(|_| cancels) }
            }
            MessageKind::Response => Kind::Response,
        };
        let method = message.method().unwrap_or_default().to_owned();
        let opens_session = method == "initialize" && message.param("protocolVersion").is_some();
        let modern = message.meta(VERSION_KEY).and_then(Value::as_str).filter(|_| !opens_session);
        // A version that nobody knows may be of any era: a server says better than we what it speaks.
        let modern = modern.filter(|version| Version::parse(version).is_none_or(|version| version.era() == Era::Modern));
        let named = message.param(if method == "resources/read" { "uri" } else { "name" }).cloned();
        Ok(Self { kind, modern: modern.map(str::to_owned), named, method, body })
    }

    pub(crate) fn era(&self) -> Era {
        if self.modern.is_some() { Era::Modern } else { Era::Legacy }
    }

    /// The version that it says itself; none in the legacy era.
    pub(crate) fn modern_version(&self) -> Option<&str> {
        self.modern.as_deref()
    }

    /// Whether it begins a subscription, which the modern era alone has.
    pub(crate) fn is_subscription(&self) -> bool {
        self.era() == Era::Modern && self.method == "subscriptions/listen"
    }

    /// The headers of a client that has none.
    pub(crate) fn headers(&self) -> HeaderMap {
        match &self.modern {
            Some(version) => headers::of_modern(version, &self.method, self.named.as_ref()),
            None => headers::of_message(),
        }
    }

    /// Whether nothing is changed by sending it twice, whichever server it is for: by MCP, it asks for something or says what is so.
    pub(crate) fn only_reads(&self) -> bool {
        ONLY_READING.contains(&self.method.as_str())
    }

    /// The tool that it calls.
    pub(crate) fn tool(&self) -> Option<&str> {
        self.named.as_ref().filter(|_| self.method == "tools/call")?.as_str()
    }

    /// A part of its parameters, read anew: it is needed now and then.
    pub(crate) fn param(&self, key: &str) -> Option<Value> {
        Message::parse(&self.body).ok()?.param(key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(message: Value) -> ClientMessage {
        ClientMessage::read(message.to_string().into()).unwrap_or_else(|refused| panic!("{message}: {refused}"))
    }

    #[test]
    fn a_message_says_which_era_it_is_of() {
        let meta = json!({ VERSION_KEY: "2026-07-28" });
        for (method, params, era) in [
            ("initialize", json!({ "protocolVersion": "2025-11-25" }), Era::Legacy),
            ("initialize", json!({ "protocolVersion": "2025-11-25", "_meta": meta }), Era::Legacy),
            ("tools/list", json!({}), Era::Legacy),
            ("tools/list", json!({ "_meta": meta }), Era::Modern),
            ("server/discover", json!({ "_meta": { VERSION_KEY: "2099-01-01" } }), Era::Modern),
            ("tools/list", json!({ "_meta": { VERSION_KEY: "2025-11-25" } }), Era::Legacy),
        ] {
            let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
            assert_eq!(read(message).era(), era, "{method} {params}");
        }
    }

    #[test]
    fn requests_cancellations_and_responses_are_told_apart() {
        let call = read(
            json!({ "jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": { "name": "t", "arguments": { "x": 1 } } }),
        );
        assert_eq!(
            (&call.kind, call.tool(), call.param("arguments")),
            (&Kind::Request(RequestId::String("a".into())), Some("t"), Some(json!({ "x": 1 })))
        );
        let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 7 } });
        assert_eq!(read(cancel).kind, Kind::Notification { cancelled: Some(RequestId::Number(7)) });
        assert_eq!(read(json!({ "jsonrpc": "2.0", "id": 1, "result": {} })).kind, Kind::Response);
        let refused = ClientMessage::read("[1".into()).err().expect("no JSON");
        assert!(refused.contains("-32700"), "{refused}");
    }
}
