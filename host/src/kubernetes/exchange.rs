//! One request and its answer: time limits, the one retry, and what the call's budget pays.
//!
//! kube's own client retries for minutes, waits for a silent server for ever and reads an error of any size. Here every wait
//! ends, every attempt is counted, and dropping the future ends the request.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use kube::client::{AuthError, Body};

use super::error::{Code, Error};
use super::request::Get;
use super::response::{Incoming, Refusal};
use crate::policy::{Budget, Exhausted};

/// How long the API server may take for its first byte. A healthy one takes milliseconds, and a list of 64 MiB under a second.
pub(super) const FIRST_BYTE: Duration = Duration::from_secs(10);

/// The same for a log: the API server itself gives up on a hung kubelet after 10 s, and its words say more than ours.
pub(super) const LOG_FIRST_BYTE: Duration = Duration::from_secs(12);

/// The pause before a connection that failed is tried again: long enough for a server that restarts its listener.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// The longest that a server can make us wait before the retry. Who asks for more is passed on to the client as `throttled`.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What a 429 without `Retry-After` is taken to mean: API Priority and Fairness says 1.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);

/// The API server: a client, and its name for messages.
#[derive(Clone)]
pub(super) struct ApiServer {
    client: kube::Client,
    name: Arc<str>,
}

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server answered, and its answer is no success.
    Refused(Refusal),
    /// No answer, or none that the budget still pays for.
    Failed(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Failed(error)
    }
}

impl From<Exhausted> for Failure {
    fn from(exhausted: Exhausted) -> Self {
        Failure::Failed(exhausted.into())
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.into(),
            Failure::Failed(error) => error,
        }
    }
}

impl ApiServer {
    /// `name` is for messages: the server's address, where it is known.
    pub(super) fn new(client: kube::Client, name: &str) -> Self {
        Self { client, name: name.into() }
    }

    /// Sends a GET and waits for the head of the answer, `first_byte` at most.
    pub(super) async fn get<'b>(&self, get: &Get, budget: &'b Budget, first_byte: Duration) -> Result<Incoming<'b>, Failure> {
        match self.attempt(get, budget, first_byte).await? {
            Attempt::Done(response) => Ok(Incoming::new(response, budget)),
            Attempt::Refused(refusal) if refusal.wait().is_none_or(|wait| !may_wait(wait, budget)) => {
                Err(Failure::Refused(refusal))
            }
            Attempt::Refused(refusal) => {
                tokio::time::sleep(refusal.wait().unwrap_or(DEFAULT_WAIT)).await;
                self.last_attempt(get, budget, first_byte).await
            }
            Attempt::Disconnected(error) if !may_wait(RECONNECT_PAUSE, budget) => Err(self.unreachable(error.as_ref()).into()),
            Attempt::Disconnected(_) => {
                tokio::time::sleep(RECONNECT_PAUSE).await;
                self.last_attempt(get, budget, first_byte).await
            }
        }
    }

    async fn last_attempt<'b>(&self, get: &Get, budget: &'b Budget, first_byte: Duration) -> Result<Incoming<'b>, Failure> {
        match self.attempt(get, budget, first_byte).await? {
            Attempt::Done(response) => Ok(Incoming::new(response, budget)),
            Attempt::Refused(refusal) => Err(Failure::Refused(refusal)),
            Attempt::Disconnected(error) => Err(self.unreachable(error.as_ref()).into()),
        }
    }

    async fn attempt(&self, get: &Get, budget: &Budget, first_byte: Duration) -> Result<Attempt, Failure> {
        budget.take_request()?;
        let request = get.to_http().map_err(|error| Error::new(Code::Other, format!("cannot make the request: {error}")))?;
        tracing::trace!(path = get.path(), "GET");
        let remaining = budget.remaining();
        let response = match tokio::time::timeout(first_byte.min(remaining), self.client.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if is_connection_failure(&error) => return Ok(Attempt::Disconnected(error.into())),
            Ok(Err(error)) => return Err(self.unreachable(&error).into()),
            Err(_) if remaining <= first_byte => return Err(Exhausted::Time(budget.limits().time).into()),
            Err(_) => return Err(self.silent(first_byte).into()),
        };
        if response.status().is_success() {
            return Ok(Attempt::Done(response));
        }
        Ok(Attempt::Refused(Refusal::read(response, get.path(), budget).await))
    }

    fn silent(&self, waited: Duration) -> Error {
        Error::new(
            Code::Unavailable,
            format!("{} did not answer within {} s; try again later", self.name, waited.as_secs_f32().round()),
        )
    }

    fn unreachable(&self, error: &(dyn StdError + 'static)) -> Error {
        if let Some(error) = causes(error).find_map(|cause| cause.downcast_ref::<AuthError>()) {
            return Error::new(
                Code::Unavailable,
                format!("the credentials for {} cannot be renewed: {}", self.name, auth_failure(error)),
            );
        }
        Error::new(
            Code::Unavailable,
            format!("{} cannot be reached: {}", self.name, crate::policy::clean_line(&root_cause(error))),
        )
    }
}

/// How one attempt ended, time-outs apart.
enum Attempt {
    Done(Response<Body>),
    Refused(Refusal),
    Disconnected(Box<dyn StdError + Send + Sync>),
}

/// Whether the budget has room for a pause and another attempt.
fn may_wait(wait: Duration, budget: &Budget) -> bool {
    wait <= LONGEST_WAIT && wait < budget.remaining() / 2 && budget.has_request()
}

impl Refusal {
    /// How long the server asks to wait before the same request may succeed. None: it does not say that it may.
    fn wait(&self) -> Option<Duration> {
        match self.status.as_u16() {
            429 => Some(self.retry_after.unwrap_or(DEFAULT_WAIT)),
            // Without Retry-After it is an aggregated API that is down or says no, and asking twice helps neither.
            503 => self.retry_after,
            _ => None,
        }
    }
}

/// Whether the request may never have reached the server, or the connection broke before an answer. A GET can be sent again.
fn is_connection_failure(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<hyper_util::client::legacy::Error>() || cause.is::<io::Error>())
        && !causes(error).any(|cause| cause.is::<AuthError>())
}

/// The innermost cause: the layers around it only say that a request failed.
pub(super) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    causes(error).last().map(ToString::to_string).unwrap_or_default()
}

/// An error and what is behind it, outermost first.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn StdError + 'static)| (*error).source())
}

/// An authentication failure without the output of a credential plugin, which may hold a token.
pub(super) fn auth_failure(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { cmd, out } => format!("the credential plugin `{cmd}` failed ({})", out.status),
        other => crate::policy::clean_line(&other.to_string()),
    }
}
