//! Answers that are not of an MCP server, in words for the person: what is missing, and what to do.

use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{Response, StatusCode};
use http_body_util::BodyExt as _;
use sandbar_secrets::quotable;
use serde::Deserialize;

use super::{ForwardError, ForwardErrorKind, ForwardedBody, ServerName};

/// Bytes that are read of an error. An MCP server's repeats what was wrong; a Status has less than 2 KiB, and a proxy's page can be
/// anything.
const ERROR_BODY_MAX: usize = 64 * 1024;

/// Bytes of a message in ours.
const MESSAGE_MAX: usize = 1024;

/// How long the body of an error may take.
const ERROR_BODY_TIME: Duration = Duration::from_secs(10);

/// An unsuccessful answer.
pub(super) enum Refused {
    /// An MCP server's, with its body.
    OfMcp(Box<Parts>, Bytes),
    /// Who asks is not known, with the words of whoever asked.
    Unknown(String),
    /// Somebody else's.
    Other(Other),
}

/// An answer of somebody on the way.
pub(super) struct Other {
    status: StatusCode,
    /// Cleaned, masked and cut.
    message: String,
    /// It is a Status of Kubernetes that names an object.
    names_object: bool,
}

/// The fields of `metav1.Status` that are used, or of JSON-RPC.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    jsonrpc: Option<serde::de::IgnoredAny>,
    kind: String,
    message: String,
    details: Option<Details>,
    error: Option<RpcError>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RpcError {
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Details {
    name: String,
}

impl Refused {
    /// Reads the answer. Never fails: whatever cannot be read is left out.
    pub(super) async fn read(response: Response<ForwardedBody>) -> Self {
        let (head, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        let reading = async {
            while let Some(Ok(frame)) = body.frame().await
                && bytes.len() < ERROR_BODY_MAX
            {
                let data = frame.into_data().unwrap_or_default();
                bytes.extend_from_slice(&data[..data.len().min(ERROR_BODY_MAX - bytes.len())]);
            }
        };
        let _ = tokio::time::timeout(ERROR_BODY_TIME, reading).await;
        let parsed: Option<ErrorBody> = serde_json::from_slice(&bytes).ok();
        let is_of_mcp = parsed.as_ref().is_some_and(|body| body.jsonrpc.is_some());
        if is_of_mcp && head.status != StatusCode::UNAUTHORIZED {
            return Self::OfMcp(Box::new(head), bytes.into());
        }
        let status = parsed.as_ref().filter(|body| body.kind == "Status");
        let names_object = status.and_then(|status| status.details.as_ref()).is_some_and(|of| !of.name.is_empty());
        let said = match (status, parsed.as_ref().and_then(|body| body.error.as_ref())) {
            (Some(status), _) => status.message.clone(),
            (None, Some(error)) => error.message.clone(),
            (None, None) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        };
        let message = match quotable(&said, MESSAGE_MAX) {
            silent if silent.is_empty() => head.status.canonical_reason().unwrap_or("no reason given").to_owned(),
            said => said,
        };
        match head.status {
            StatusCode::UNAUTHORIZED => Self::Unknown(message),
            status => Self::Other(Other { status, message, names_object }),
        }
    }
}

impl Refused {
    /// The status, and what is said of it.
    pub(super) fn into_parts(self) -> (StatusCode, String) {
        match self {
            Self::OfMcp(head, _) => (head.status, "an error of JSON-RPC".to_owned()),
            Self::Unknown(words) => (StatusCode::UNAUTHORIZED, words),
            Self::Other(Other { status, message, .. }) => (status, message),
        }
    }
}

impl Other {
    /// What it means of the API server.
    pub(super) fn of_api_server(self, name: &str, of: &ServerName) -> ForwardError {
        let Self { status, message, names_object } = self;
        let ServerName { group, server } = of;
        let (kind, words) = match status.as_u16() {
            403 => (
                ForwardErrorKind::Refused,
                format!(
                    "{name} knows you and does not let you use this server: {message}. Whoever runs the cluster can bind the ClusterRole \
                     that `sandbar apiservice` prints: `kubectl create clusterrolebinding NAME \
                     --clusterrole={group}:{server}:caller --user=YOU`, or --group=YOURS"
                ),
            ),
            404 if names_object => (
                ForwardErrorKind::Refused,
                format!("the API group {group} has no server {server:?} ({message}); --server names another"),
            ),
            404 => return of.not_served(name),
            429 => (ForwardErrorKind::Undelivered, format!("{name} asks to wait: {message}")),
            502 | 503 => (
                unreached(&message),
                format!(
                    "{name} does not reach the server behind {group}: {message}. `kubectl get apiservice v1.{group}` says why; while its \
                     pods are replaced, that passes"
                ),
            ),
            504 => (
                ForwardErrorKind::Refused,
                format!("{name} ends every request after 60 s, and the answer was not there by then ({message}): ask for less"),
            ),
            code => (ForwardErrorKind::Refused, format!("{name} answered {code}: {message}")),
        };
        ForwardError { kind, status: Some(status.as_u16()), words }
    }

    /// Whether a right is missing.
    pub(super) fn is_forbidden(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
    }

    /// What it means of a server with an address of its own.
    pub(super) fn of_address(self, name: &str) -> ForwardError {
        let Self { status, message, .. } = self;
        let (kind, words) = match status.as_u16() {
            404 => (ForwardErrorKind::NotServed, format!("{name} has no MCP there (404: {message}); Sandbar's path is /mcp")),
            429 => (ForwardErrorKind::Undelivered, format!("{name} asks to wait: {message}")),
            502 | 503 => (unreached(&message), format!("what is in front of {name} does not reach it ({status}: {message})")),
            _ => (ForwardErrorKind::Refused, format!("{name} answered {status}: {message}")),
        };
        ForwardError { kind, status: Some(status.as_u16()), words }
    }
}

/// Whether whoever is in between has reached nobody, by its words. If these do not say, it may have.
pub(super) fn unreached(message: &str) -> ForwardErrorKind {
    let message = message.to_ascii_lowercase();
    let nobody = ["connection refused", "no endpoints", "service unavailable", "dial ", "no route to host", "not running"];
    if nobody.iter().any(|words| message.contains(words)) { ForwardErrorKind::Undelivered } else { ForwardErrorKind::Lost }
}
