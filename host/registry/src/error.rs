//! What goes wrong between here and a registry, in words for the operator.

use std::fmt::Display;

/// Why a registry has not given what it was asked for, or what it gave is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Error {
    /// What to do about it.
    pub kind: Kind,
    words: String,
}

/// What can be done about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The registry did not answer, or not in time. Later it may.
    Unreachable,
    /// It wants credentials, or others.
    Denied,
    /// It says that it has nothing there.
    Absent,
    /// What it sent is not what was asked for, or no component, or breaks a bound.
    Wrong,
    /// The cache has not got it, and nobody may be asked.
    Offline,
    /// Something on this side: the settings, or a file.
    Local,
}

impl Error {
    pub(crate) fn new(kind: Kind, words: impl Display) -> Self {
        Self { kind, words: words.to_string() }
    }

    pub(crate) fn wrong(words: impl Display) -> Self {
        Self::new(Kind::Wrong, words)
    }

    /// The same, with what it is about in front.
    pub(crate) fn about(self, what: impl Display) -> Self {
        Self { kind: self.kind, words: format!("{what}: {}", self.words) }
    }
}
