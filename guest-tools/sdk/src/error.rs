//! Why a tool has no answer.

use std::fmt;
use std::time::Duration;

use crate::bindings::sandbar::kubernetes::types;

/// A failure that the model reads: the host's, or a tool's own. Its text says what was wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: String,
    retry_after: Option<Duration>,
}

/// What kind of failure it is. The list is open: a later host may know more kinds, which arrive as [`Code::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The component's grant, or the server's RBAC, does not allow it.
    Denied,
    /// No such object.
    NotFound,
    /// The cluster has no such resource.
    NotServed,
    /// The request, or an argument of the tool, is malformed.
    Invalid,
    /// The cursor is too old; start the list again.
    Expired,
    /// The answer is over a limit of this call; ask for less.
    TooLarge,
    /// This call's budget is spent; nothing more can be read.
    Exhausted,
    /// The server asks to wait.
    Throttled,
    /// The server, or what is behind it, does not answer.
    Unavailable,
    /// Anything else.
    Other,
}

impl Code {
    /// The code of the contract's name for it.
    fn from_name(name: &str) -> Self {
        match name {
            "denied" => Code::Denied,
            "not-found" => Code::NotFound,
            "not-served" => Code::NotServed,
            "invalid" => Code::Invalid,
            "expired" => Code::Expired,
            "too-large" => Code::TooLarge,
            "exhausted" => Code::Exhausted,
            "throttled" => Code::Throttled,
            "unavailable" => Code::Unavailable,
            _ => Code::Other,
        }
    }

    /// The contract's name, which only a host has to write; here that is the fake.
    #[cfg(not(target_arch = "wasm32"))]
    fn name(self) -> &'static str {
        match self {
            Code::Denied => "denied",
            Code::NotFound => "not-found",
            Code::NotServed => "not-served",
            Code::Invalid => "invalid",
            Code::Expired => "expired",
            Code::TooLarge => "too-large",
            Code::Exhausted => "exhausted",
            Code::Throttled => "throttled",
            Code::Unavailable => "unavailable",
            Code::Other => "other",
        }
    }
}

impl Error {
    /// A failure of this kind, in words for the model.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// An argument that the tool cannot work with.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// Says what was being done: `prefix: message`.
    pub fn context(mut self, prefix: impl fmt::Display) -> Self {
        self.message = format!("{prefix}: {}", self.message);
        self
    }

    /// Says what may help: `message; hint`.
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.message = format!("{}; {hint}", self.message);
        self
    }

    /// What kind of failure it is.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Says how long to wait before trying again.
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// How long to wait before trying again, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match self.retry_after {
            Some(wait) => write!(f, " (try again in {} s)", wait.as_millis().div_ceil(1000)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        Self {
            code: Code::from_name(&error.code),
            message: error.message,
            retry_after: error.retry_after_ms.map(|ms| Duration::from_millis(ms.into())),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        Self {
            code: error.code.name().to_owned(),
            message: error.message,
            retry_after_ms: error.retry_after.map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_was_done_and_how_long_to_wait() {
        let error =
            Error::new(Code::Throttled, "the API server asks to wait").after(Duration::from_millis(1_200)).context("list pods");
        assert_eq!(error.to_string(), "list pods: the API server asks to wait (try again in 2 s)");
        assert_eq!(error.retry_after(), Some(Duration::from_millis(1_200)));
        assert_eq!(Error::invalid("no").hint("ask for less").context("list").to_string(), "list: no; ask for less");
    }

    #[test]
    fn every_code_keeps_its_name_and_an_unknown_one_is_other() {
        let names = [
            "denied",
            "not-found",
            "not-served",
            "invalid",
            "expired",
            "too-large",
            "exhausted",
            "throttled",
            "unavailable",
            "other",
        ];
        for name in names {
            assert_eq!(Code::from_name(name).name(), name);
        }
        assert_eq!(Code::from_name("of-a-later-host"), Code::Other);
    }
}
