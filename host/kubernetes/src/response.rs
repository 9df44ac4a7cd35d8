//! An API server's answer: a body that is charged while it is read, or a refusal in the server's words.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use kube::client::Body;
use sandbar_policy::{Budget, SUBDOMAIN_MAX};
use sandbar_processor::STEP_BYTES;
use sandbar_secrets::quotable;
use sandbar_snapshot::NOT_GATHERED;
use sandbar_text::size;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{Code, Error};
use super::explain::{self, explain};
use super::gzip::{Coding, Step, goes_on, not_asked_for};
use super::items::malformed;
use super::request::is_of_resource;

/// How long the server may pause inside an answer.
const BETWEEN_CHUNKS: Duration = Duration::from_secs(10);

/// Bytes that are read of an error's body. A Status is under 2 KiB; a proxy's error page can be anything.
const ERROR_BODY_MAX: usize = 16 * 1024;

/// Bytes of the server's message in ours.
const MESSAGE_MAX: usize = 2 * 1024;

/// Bytes of an object's name in a message.
const NAME_MAX: usize = SUBDOMAIN_MAX;

/// Warnings that are passed on of one answer, and bytes of each: the API server's own limits.
const WARNINGS_MAX: usize = 8;
const WARNING_MAX: usize = 512;

/// A successful answer whose body is still arriving.
pub(super) struct Incoming<'b> {
    pub(super) status: StatusCode,
    /// The server's warnings: that a version is deprecated, or that something is missing.
    pub(super) warnings: Vec<String>,
    /// Its `Date`, as it was sent.
    pub(super) date: Option<HeaderValue>,
    body: Body,
    coding: Coding,
    /// Bytes that are there, as they were before they were compressed, and are not handed out yet.
    rest: Bytes,
    handed_out: usize,
    budget: &'b Budget,
}

impl<'b> Incoming<'b> {
    pub(super) fn new(response: Response<Body>, budget: &'b Budget) -> Self {
        let (status, warnings) = (response.status(), warnings(response.headers()));
        let date = response.headers().get(header::DATE).cloned();
        let coding = Coding::of(&response);
        Self { status, warnings, date, body: response.into_body(), coding, rest: Bytes::new(), handed_out: 0, budget }
    }

    /// The next piece of the body, at most [`STEP_BYTES`]; none at its end. Every byte is charged to the budget.
    ///
    /// The work on a piece is one step of the call, so the call yields between two of them. A longer body is handled on a thread
    /// of the call's own, since its pieces add up to another step, an object for example.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        self.budget.checkpoint().await?;
        if self.rest.is_empty() {
            match self.arrived().await? {
                Some(chunk) => self.rest = chunk,
                None => return Ok(None),
            }
        }
        self.budget.meter().prepare_for(self.handed_out.saturating_add(self.rest.len())).await;
        let piece = self.rest.split_to(self.rest.len().min(STEP_BYTES));
        self.handed_out += piece.len();
        Ok(Some(piece))
    }

    /// What is there next, charged; none at the end.
    async fn arrived(&mut self) -> Result<Option<Bytes>, Error> {
        let gunzip = match &mut self.coding {
            Coding::Foreign(encoding) => return Err(not_asked_for(encoding)),
            Coding::Plain => {
                let chunk = next_chunk(&mut self.body, self.budget).await?;
                self.budget.take_read(chunk.as_ref().map_or(0, Bytes::len) as u64)?;
                return Ok(chunk);
            }
            Coding::Gzip(gunzip) => gunzip,
        };
        loop {
            self.budget.meter().prepare_for(self.handed_out.saturating_add(STEP_BYTES)).await;
            let step = gunzip.step()?;
            self.budget.take_read(gunzip.uncharged())?;
            match step {
                Step::Piece(piece) => return Ok(Some(piece)),
                Step::Wants => gunzip.feed(next_chunk(&mut self.body, self.budget).await?),
                Step::End => {
                    let more = next_chunk(&mut self.body, self.budget).await?;
                    return if more.is_none() { Ok(None) } else { Err(goes_on()) };
                }
            }
            // Whatever arrives may come to nothing, and is charged before it is looked at.
            self.budget.take_read(gunzip.uncharged())?;
            self.budget.checkpoint().await?;
        }
    }

    /// The whole body. `what` names it in an error; it may have `max` bytes.
    pub(super) async fn bytes(mut self, max: usize, what: &str) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if bytes.len() + chunk.len() > max {
                return Err(Error::new(Code::TooLarge, format!("{what} is over {} and cannot be read", size(max as u64))));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The whole body, read as JSON; `what` and `max` as in [`Incoming::bytes`].
    pub(super) async fn json<T: DeserializeOwned>(self, max: usize, what: &str) -> Result<T, Error> {
        json(&self.bytes(max, what).await?)
    }
}

/// Reads a body as JSON.
pub(super) fn json<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| malformed(&explain::json(&error)))
}

/// The texts of `Warning` headers with Kubernetes' code: `299 - "text"`.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    headers.get_all(header::WARNING).iter().filter_map(|value| warning(value.as_bytes())).take(WARNINGS_MAX).collect()
}

fn warning(value: &[u8]) -> Option<String> {
    let value = &value[..value.len().min(2 * WARNING_MAX)];
    let quoted = value.strip_prefix(b"299 ")?.splitn(2, |byte| *byte == b'"').nth(1)?;
    let mut text = Vec::new();
    let mut bytes = quoted.iter();
    while let Some(byte) = bytes.next().filter(|byte| **byte != b'"') {
        text.push(if *byte == b'\\' { *bytes.next()? } else { *byte });
    }
    let text = quotable(String::from_utf8_lossy(&text), WARNING_MAX);
    Some(text).filter(|text| !text.is_empty())
}

/// The next piece of a body, within the remaining time.
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
                let cause = explain(&error);
                return Err(Error::new(Code::Unavailable, format!("the API server's answer broke off: {cause}")));
            }
            Err(_) if remaining <= BETWEEN_CHUNKS => return Err(budget.late().into()),
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

/// An unsuccessful answer.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// The server's message, cleaned and cut.
    pub(super) message: String,
    /// The server's `Retry-After`.
    pub(super) retry_after: Option<Duration>,
    /// The path of the request.
    path: String,
    /// Set if the body was a Kubernetes Status, so that Kubernetes has answered and not a proxy.
    details: Option<StatusDetails>,
}

/// The fields of a Status beside its message.
#[derive(Clone, Debug, Default)]
struct StatusDetails {
    reason: String,
    name: String,
    continue_: Option<String>,
}

impl Refusal {
    /// Reads the answer. Never fails: whatever cannot be read is left out.
    pub(super) async fn read(response: Response<Body>, path: &str, budget: &Budget) -> Self {
        let status = response.status();
        let header = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let coding = Coding::of(&response);
        let mut body = response.into_body();
        let mut bytes = Vec::new();
        while bytes.len() < ERROR_BODY_MAX
            && let Ok(Some(chunk)) = next_chunk(&mut body, budget).await
        {
            bytes.extend_from_slice(&chunk[..chunk.len().min(ERROR_BODY_MAX - bytes.len())]);
        }
        let bytes = coding.beginning(bytes, ERROR_BODY_MAX);
        let parsed = serde_json::from_slice::<Status>(&bytes).ok().filter(|status| status.kind == "Status");
        let (message, details, wait) = match parsed {
            Some(Status { message, reason, details, metadata, .. }) => {
                let continue_ = metadata.continue_.filter(|token| !token.is_empty());
                let details = details.unwrap_or_default();
                let wait = details.retry_after_seconds;
                (message, Some(StatusDetails { reason, name: quotable(&details.name, NAME_MAX), continue_ }), wait)
            }
            None => (String::from_utf8_lossy(&bytes).trim().to_owned(), None, None),
        };
        let retry_after = header.or(wait).map(Duration::from_secs).filter(|wait| !wait.is_zero());
        Self { status, message: quotable(&message, MESSAGE_MAX), retry_after, path: path.to_owned(), details }
    }

    /// Whether Kubernetes has answered, and not a proxy.
    pub(super) fn is_of_kubernetes(&self) -> bool {
        self.details.is_some()
    }

    /// The token in a 410, which continues at the same position of the current list.
    pub(super) fn fresh_token(&self) -> Option<&str> {
        self.details.as_ref().filter(|_| self.status == StatusCode::GONE)?.continue_.as_deref()
    }

    /// The object that was not found, if Kubernetes names one.
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
                Some(details) if details.reason == NOT_GATHERED => Code::Other,
                // An unknown path has an answer in plain text, or, from an extension server, a Status that names no object.
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
            // `sandbar rbac` prints rights on resources. All other rights belong to every user, unless somebody has revoked them.
            Code::Denied if refusal.details.is_some() && !is_of_resource(path) => {
                format!("{words} (the ClusterRole system:discovery allows it: bind that to the user of this server)")
            }
            // A 403 without a Status is a proxy's or a kubelet's, which no role can change.
            Code::Denied if refusal.details.is_some() => {
                format!("{words} (`sandbar rbac` prints the roles that this server needs)")
            }
            Code::Denied | Code::NotFound | Code::Invalid => words.to_owned(),
            Code::Other if *status == StatusCode::NOT_FOUND => words.to_owned(),
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

/// The fields of `metav1.Status` that are used.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_read_as_the_api_server_writes_them() {
        for (value, expected) in [
            (r#"299 - "v1 Endpoints is deprecated""#, Some("v1 Endpoints is deprecated")),
            (r#"299 - "a \"b\" c\\d" "Thu, 19 Nov 2026 09:00:00 GMT""#, Some(r#"a "b" c\d"#)),
            (r#"299 proxy:3128 "x""#, Some("x")),
            (r#"299 - "never closed"#, Some("never closed")),
            (r#"199 - "x""#, None),
            (r#"299 - """#, None),
            ("299 - x", None),
            ("299", None),
            ("", None),
        ] {
            assert_eq!(warning(value.as_bytes()).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn warnings_are_few_short_and_clean() {
        let mut headers = HeaderMap::new();
        for _ in 0..100 {
            headers.append(header::WARNING, format!("299 - \"a\tb{}\"", "\u{e9}".repeat(100_000)).try_into().expect("valid"));
        }
        let warnings = warnings(&headers);
        assert_eq!(warnings.len(), WARNINGS_MAX);
        assert!(warnings.iter().all(|warning| warning.len() <= WARNING_MAX && warning.starts_with('a')));
    }
}
