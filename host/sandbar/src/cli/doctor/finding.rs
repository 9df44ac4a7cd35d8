//! What a check has found.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// A server would work, and not as well as it could.
    Warn,
    /// A server would not start, or not do what it is for.
    Fail,
}

impl Level {
    /// As a line begins.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }
}

/// What a check has found, with what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) level: Level,
    pub(super) says: String,
}

impl Finding {
    pub(super) fn ok(says: impl Into<String>) -> Self {
        Self { level: Level::Ok, says: says.into() }
    }

    pub(super) fn warn(says: impl Into<String>) -> Self {
        Self { level: Level::Warn, says: says.into() }
    }

    pub(super) fn fail(says: impl Into<String>) -> Self {
        Self { level: Level::Fail, says: says.into() }
    }
}
