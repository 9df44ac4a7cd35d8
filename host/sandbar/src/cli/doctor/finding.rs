//! What a check has found.

use sandbar_text::size;
use serde::Serialize;

/// Bytes in words, without the digits that nobody reads: what is free on a machine is no round number.
pub(super) fn about(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    match bytes {
        ..GIB => size(bytes.max(MIB) / MIB * MIB).to_string(),
        _ => format!("{} GiB", bytes / GIB),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_without_their_last_digits() {
        for (bytes, said) in [
            (24_684_084 << 10, "23 GiB"),
            ((512 << 20) + 17, "512 MiB"),
            (64 << 20, "64 MiB"),
            (1 << 30, "1 GiB"),
            (700, "1 MiB"),
        ] {
            assert_eq!(about(bytes), said);
        }
    }
}
