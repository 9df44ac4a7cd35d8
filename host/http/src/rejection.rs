//! Answers that refuse: always JSON, as an error of JSON-RPC, in words that a client can act on.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use rmcp::model::{ErrorCode, ErrorData, JsonRpcError, RequestId};
use sandbar_mcp::Era;

use super::HttpResponse;
use super::lease::{Lease, Outgoing};
use super::media::JSON;

/// JSON-RPC's first code for errors of a server's own.
const OWN: ErrorCode = ErrorCode(-32000);

/// When to come back with what could not be decided on.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The methods of HTTP that MCP has here.
pub(super) const MCP_METHODS: &str = "GET, POST";

/// A request that is not served.
pub(super) struct Rejection {
    pub(super) status: StatusCode,
    pub(super) error: JsonRpcError,
    /// When to try again.
    pub(super) retry_after: Option<Duration>,
    /// The methods of HTTP that are served there.
    pub(super) allow: Option<&'static str>,
    /// How to say who one is: the parameters of a challenge for a token.
    pub(super) challenge: Option<Challenge>,
    /// The request's body has been read. Else the connection cannot go on behind it.
    pub(super) is_read: bool,
    /// Close the connection after this answer: the peer's certificate was not accepted, or it may not connect at all, so further requests
    /// would fail as well.
    pub(super) is_of_stranger: bool,
}

/// The parameters of a challenge, by name. There may be none.
pub(super) type Challenge = Vec<(&'static str, String)>;

impl Rejection {
    fn new(status: StatusCode, error: JsonRpcError) -> Self {
        Self { status, error, retry_after: None, allow: None, challenge: None, is_read: false, is_of_stranger: false }
    }

    /// A request that is wrong as HTTP has it.
    pub(super) fn of_http(status: StatusCode, words: impl Into<String>) -> Self {
        Self::new(status, JsonRpcError::new(None, ErrorData::invalid_request(words.into(), None)))
    }

    /// A request that there is no room for.
    pub(super) fn no_room(id: Option<RequestId>, retry_after: Duration, words: impl Into<String>) -> Self {
        let error = JsonRpcError::new(id, ErrorData::new(OWN, words.into(), None));
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, error) }
    }

    /// A request of nobody who is known.
    pub(super) fn unauthorized(challenge: Challenge, words: impl Into<String>) -> Self {
        Self { challenge: Some(challenge), ..Self::of_http(StatusCode::UNAUTHORIZED, words) }
    }

    /// A request that cannot be decided on at the moment.
    pub(super) fn not_now(words: impl Into<String>) -> Self {
        Self::no_room(None, RETRY_AFTER, words)
    }

    /// A method of HTTP that is not served there.
    pub(super) fn of_method(allow: &'static str, words: impl Into<String>) -> Self {
        Self { allow: Some(allow), ..Self::of_http(StatusCode::METHOD_NOT_ALLOWED, words) }
    }

    /// A method of HTTP that MCP does not have.
    pub(super) fn of_no_method_of_mcp() -> Self {
        Self::of_method(MCP_METHODS, "MCP is spoken by POST, and by GET for a session's stream")
    }

    /// A session id that is none of ours. It makes a client open a new session.
    pub(super) fn unknown_session() -> Self {
        Self::of_http(StatusCode::NOT_FOUND, "this session is unknown here; initialize again")
    }

    /// A message that is wrong as MCP has it.
    pub(super) fn of_message(error: JsonRpcError, era: Era) -> Self {
        // To clients of sessions a 404 says that theirs is gone.
        let status = match (error.error.code, era) {
            (ErrorCode::METHOD_NOT_FOUND, Era::Modern) => StatusCode::NOT_FOUND,
            (ErrorCode::METHOD_NOT_FOUND, Era::Legacy) => StatusCode::OK,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error)
    }

    /// The same, from a connection that nothing more can be asked over.
    pub(super) fn of_stranger(self) -> Self {
        Self { is_of_stranger: true, ..self }
    }

    /// The same, once the request's body has been read.
    pub(super) fn of_read(self) -> Self {
        Self { is_read: true, ..self }
    }

    /// The answer to a request with or without a body.
    pub(super) fn answer(self, has_body: bool) -> HttpResponse {
        let is_last = self.is_of_stranger || (has_body && !self.is_read);
        let mut response = HttpResponse::from(self);
        if is_last {
            last(&mut response);
        }
        response
    }

    /// A fault of the server's own.
    pub(super) fn failed(id: Option<RequestId>) -> Self {
        let words = "the server failed in this request; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, JsonRpcError::new(id, ErrorData::internal_error(words, None)))
    }
}

impl From<Rejection> for HttpResponse {
    fn from(Rejection { status, error, retry_after, allow, challenge, is_read: _, is_of_stranger: _ }: Rejection) -> Self {
        let mut response = json(status, sandbar_mcp::Response::error(&error).text, Lease::default());
        let headers = response.headers_mut();
        if let Some(after) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if let Some(allow) = allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(challenge) = challenge.and_then(|challenge| written(&challenge)) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// A challenge for a token (RFC 6750), whose values are visible ASCII without quotes and backslashes.
fn written(challenge: &Challenge) -> Option<HeaderValue> {
    let is_allowed = |letter: &char| (' '..='~').contains(letter) && !['"', '\\'].contains(letter);
    let parameter = |(name, value): &(_, String)| format!(" {name}=\"{}\"", value.chars().filter(is_allowed).collect::<String>());
    let parameters: Vec<String> = challenge.iter().map(parameter).collect();
    HeaderValue::try_from(format!("Bearer{}", parameters.join(","))).ok()
}

/// Makes an answer the last one of its connection.
pub(super) fn last(response: &mut HttpResponse) {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
}

/// An answer that is JSON and all there.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>, lease: Lease) -> HttpResponse {
    typed(status, JSON, Outgoing::whole(body, lease))
}

/// An answer that is a few words.
pub(super) fn words(status: StatusCode, words: impl Into<Bytes>) -> HttpResponse {
    typed(status, "text/plain; charset=utf-8", Outgoing::whole(words, Lease::default()))
}

/// An answer of this type.
pub(super) fn typed(status: StatusCode, kind: &'static str, body: Outgoing) -> HttpResponse {
    let mut response = HttpResponse::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
