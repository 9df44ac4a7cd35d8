//! What comes back: a body that is counted while it is read, or a refusal in the API server's words.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde::Deserialize;

use super::error::{Code, Error};
use super::exchange::root_cause;
use crate::policy::{self, Budget, Exhausted};

/// How long the server may pause inside an answer.
const BETWEEN_CHUNKS: Duration = Duration::from_secs(10);

/// How much of an error's body is read. A Status is under 2 KiB; an error page of a proxy can be anything.
const ERROR_BODY_MAX: usize = 16 * 1024;

/// How much of the server's words a message carries, in bytes.
const MESSAGE_MAX: usize = 2 * 1024;

/// A successful answer whose body is still on its way.
pub(super) struct Incoming<'b> {
    pub(super) status: StatusCode,
    body: Body,
    budget: &'b Budget,
}

impl<'b> Incoming<'b> {
    pub(super) fn new(response: Response<Body>, budget: &'b Budget) -> Self {
        Self { status: response.status(), body: response.into_body(), budget }
    }

    /// The next piece of the body; none at its end. Every byte is taken from the budget.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let chunk = next_chunk(&mut self.body, self.budget).await?;
        if let Some(chunk) = &chunk {
            self.budget.take_read(chunk.len() as u64)?;
        }
        Ok(chunk)
    }

    /// The whole body, which is `what` and may have `max` bytes.
    pub(super) async fn bytes(mut self, max: usize, what: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > max {
                return Err(Error::new(Code::TooLarge, format!("{what} is over {} MiB and cannot be read", max >> 20)));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// The next piece of a body, within the time that is left.
async fn next_chunk(body: &mut Body, budget: &Budget) -> Result<Option<Bytes>, Error> {
    let remaining = budget.remaining();
    loop {
        match tokio::time::timeout(BETWEEN_CHUNKS.min(remaining), body.frame()).await {
            Ok(None) => return Ok(None),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => return Ok(Some(data)),
                Err(_trailers) => continue,
            },
            Ok(Some(Err(error))) => {
                let cause = policy::quotable(root_cause(&error), MESSAGE_MAX);
                return Err(Error::new(Code::Unavailable, format!("the API server's answer broke off: {cause}")));
            }
            Err(_) if remaining <= BETWEEN_CHUNKS => return Err(Exhausted::Time(budget.limits().time).into()),
            Err(_) => {
                let seconds = BETWEEN_CHUNKS.as_secs();
                return Err(Error::new(
                    Code::Unavailable,
                    format!("the API server fell silent in the middle of its answer, for {seconds} s"),
                ));
            }
        }
    }
}

/// An answer that is no success.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The server's words, clean and short.
    pub(super) message: String,
    /// How long the server asks to wait.
    pub(super) retry_after: Option<Duration>,
    /// The path that was asked for.
    path: String,
    /// The body was a Kubernetes Status, so Kubernetes itself answered and not something in front of it.
    details: Option<StatusDetails>,
}

/// What a Status says besides its message.
#[derive(Clone, Debug, Default)]
struct StatusDetails {
    reason: String,
    name: String,
    continue_: Option<String>,
}

impl Refusal {
    /// Reads the answer, and never fails: whatever cannot be read is left out.
    pub(super) async fn read(response: Response<Body>, path: &str, budget: &Budget) -> Self {
        let status = response.status();
        let header = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        while bytes.len() < ERROR_BODY_MAX
            && let Ok(Some(chunk)) = next_chunk(&mut body, budget).await
        {
            bytes.extend_from_slice(&chunk[..chunk.len().min(ERROR_BODY_MAX - bytes.len())]);
        }
        let parsed = serde_json::from_slice::<Status>(&bytes).ok().filter(|status| status.kind == "Status");
        let (message, details, wait) = match parsed {
            Some(Status { message, reason, details, metadata, .. }) => {
                let continue_ = metadata.continue_.filter(|token| !token.is_empty());
                let details = details.unwrap_or_default();
                let wait = details.retry_after_seconds;
                (message, Some(StatusDetails { reason, name: details.name, continue_ }), wait)
            }
            None => (String::from_utf8_lossy(&bytes).trim().to_owned(), None, None),
        };
        let retry_after = header.or(wait).map(Duration::from_secs).filter(|wait| !wait.is_zero());
        Self { status, message: shorten(&message), retry_after, path: path.to_owned(), details }
    }

    /// A 410's way out: a token that goes on where the old one stood, over the list as it is now.
    pub(super) fn fresh_token(&self) -> Option<&str> {
        self.details.as_ref().filter(|_| self.status == StatusCode::GONE)?.continue_.as_deref()
    }

    /// The object that was not found, where Kubernetes names one.
    pub(super) fn missing(&self) -> Option<&str> {
        let details = self.details.as_ref().filter(|_| self.status == StatusCode::NOT_FOUND)?;
        Some(details.name.as_str()).filter(|name| !name.is_empty())
    }

    /// The contract's code for this answer.
    fn code(&self) -> Code {
        match self.status.as_u16() {
            400 | 422 => Code::Invalid,
            401 | 403 => Code::Denied,
            404 => match &self.details {
                // What is not served says so in plain text, and an extension server in a Status that names no object.
                Some(details) if details.reason == "NotFound" && !details.name.is_empty() => Code::NotFound,
                Some(_) if !self.message.contains("could not find the requested resource") => Code::NotFound,
                _ => Code::NotServed,
            },
            410 => Code::Expired,
            413 => Code::TooLarge,
            429 => Code::Throttled,
            500..=599 => Code::Unavailable,
            _ => Code::Other,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let code = refusal.code();
        let Refusal { status, message, path, .. } = &refusal;
        let words = if message.is_empty() { status.canonical_reason().unwrap_or("no reason given") } else { message.as_str() };
        let message = match code {
            Code::Denied if *status == StatusCode::UNAUTHORIZED => {
                format!("the API server does not accept this server's credentials: {words}")
            }
            // A 403 without a Status is a proxy's, or a kubelet's: no role mends that.
            Code::Denied if refusal.details.is_some() => {
                format!("{words} (`sandbar rbac` prints the roles that this server needs)")
            }
            Code::Denied | Code::NotFound | Code::Invalid => words.to_owned(),
            Code::NotServed => format!("the cluster does not serve {path} ({words})"),
            Code::Expired => format!("the cursor is too old, start the list again ({words})"),
            Code::Throttled => format!("the API server asks to wait: {words}"),
            Code::Unavailable if refusal.details.is_none() && *status == StatusCode::SERVICE_UNAVAILABLE => {
                format!("the API behind {path} does not answer (503 from the API server: {words})")
            }
            _ => format!("the API server answered {}: {words}", status.as_u16()),
        };
        Error { code, message, retry_after: refusal.retry_after }
    }
}

/// Somebody else's words: clean, on one line, and short enough for a message.
fn shorten(words: &str) -> String {
    policy::quotable(words, MESSAGE_MAX)
}

/// The part of `metav1.Status` that says something to us.
#[derive(Deserialize)]
struct Status {
    kind: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    metadata: StatusMetadata,
    #[serde(default)]
    details: Option<RawDetails>,
}

#[derive(Default, Deserialize)]
struct StatusMetadata {
    #[serde(default, rename = "continue")]
    continue_: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawDetails {
    name: String,
    retry_after_seconds: Option<u64>,
}
