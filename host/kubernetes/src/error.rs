//! Why a read failed, in the contract's codes.

use std::fmt;
use std::time::Duration;

/// What kind of failure it was. The names are the contract's (`types.error.code`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The grant, or the server's RBAC, does not allow it.
    Denied,
    /// No such object.
    NotFound,
    /// The cluster has no such resource.
    NotServed,
    /// The request is malformed.
    Invalid,
    /// The cursor is too old.
    Expired,
    /// The answer is over a limit.
    TooLarge,
    /// The call's budget is spent.
    Exhausted,
    /// The server asks to wait.
    Throttled,
    /// The server, or what is behind it, does not answer.
    Unavailable,
    /// Anything else.
    Other,
}

impl Code {
    /// The code as it stands in the contract.
    pub fn as_str(self) -> &'static str {
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

/// A failed read: a code for the tool, a message that a model can act on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure.
    pub code: Code,
    /// What was wrong, with which value, and what to do.
    pub message: String,
    /// How long to wait before trying again, where that is known.
    pub retry_after: Option<Duration>,
}

impl Error {
    /// An error without a time to wait.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<sandbar_policy::Denied> for Error {
    fn from(denied: sandbar_policy::Denied) -> Self {
        Self::new(Code::Denied, denied.to_string())
    }
}

impl From<sandbar_policy::Exhausted> for Error {
    fn from(exhausted: sandbar_policy::Exhausted) -> Self {
        Self::new(Code::Exhausted, exhausted.to_string())
    }
}
