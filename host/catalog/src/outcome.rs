//! How a call ended.

use sandbar_sandbox::CallError;

use super::answered::Answered;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The component answered.
    Answered,
    /// The component answered that it failed.
    Failed,
    /// It was not run: nothing has this name, or the arguments do not fit.
    Refused,
    /// It was not run: its caller may not have this, as far as is known.
    Denied,
    /// There was no room for it.
    Busy,
    /// The component answered, and there was no room for its answer.
    GivenUp,
    /// The component answered, and its caller did not take all of the answer.
    Undelivered,
    /// The host ended it at this limit.
    Limit(LimitReached),
    /// The component trapped.
    Crashed,
    /// The host failed.
    Fault,
    /// The caller went away, or took the call back.
    Cancelled,
}

/// A limit at which the host ends a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named as in `limits`, or as the error that tells of it")]
pub enum LimitReached {
    Time,
    Cpu,
    Memory,
    Stack,
    Tables,
    Result,
    Passed,
    Handles,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Answered,
        Self::Failed,
        Self::Refused,
        Self::Denied,
        Self::Busy,
        Self::GivenUp,
        Self::Undelivered,
        Self::Limit(LimitReached::Time),
        Self::Limit(LimitReached::Cpu),
        Self::Limit(LimitReached::Memory),
        Self::Limit(LimitReached::Stack),
        Self::Limit(LimitReached::Tables),
        Self::Limit(LimitReached::Result),
        Self::Limit(LimitReached::Passed),
        Self::Limit(LimitReached::Handles),
        Self::Crashed,
        Self::Fault,
        Self::Cancelled,
    ];

    /// The outcome of a call that came to an answer.
    pub(super) fn of(answer: &Answered) -> Self {
        if answer.is_success() { Self::Answered } else { Self::Failed }
    }

    /// The words for it in the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Denied => "denied",
            Self::Busy => "busy",
            Self::GivenUp => "given up",
            Self::Undelivered => "undelivered",
            Self::Limit(LimitReached::Time) => "limit time",
            Self::Limit(LimitReached::Cpu) => "limit cpu",
            Self::Limit(LimitReached::Memory) => "limit memory",
            Self::Limit(LimitReached::Stack) => "limit stack",
            Self::Limit(LimitReached::Tables) => "limit tables",
            Self::Limit(LimitReached::Result) => "limit result",
            Self::Limit(LimitReached::Passed) => "limit passed",
            Self::Limit(LimitReached::Handles) => "limit handles",
            Self::Crashed => "crashed",
            Self::Fault => "server fault",
            Self::Cancelled => "cancelled",
        }
    }

    /// The limit, if it was one, as it is called in the audit trail.
    pub fn limit(self) -> Option<&'static str> {
        self.as_str().strip_prefix("limit ")
    }
}

impl From<&CallError> for Outcome {
    fn from(error: &CallError) -> Self {
        Self::Limit(match error {
            CallError::Busy { .. } | CallError::QueueBusy { .. } => return Self::Busy,
            CallError::Time(_) => LimitReached::Time,
            CallError::Cpu(_) => LimitReached::Cpu,
            CallError::Memory { .. } => LimitReached::Memory,
            CallError::Stack { .. } => LimitReached::Stack,
            CallError::Table { .. } => LimitReached::Tables,
            CallError::Result { .. } => LimitReached::Result,
            CallError::Passed { .. } => LimitReached::Passed,
            CallError::Handles { .. } => LimitReached::Handles,
            CallError::Trap(_) | CallError::Script(_) => return Self::Crashed,
            CallError::Host => return Self::Fault,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_outcome_has_words_of_its_own() {
        let words: BTreeSet<_> = Outcome::ALL.map(Outcome::as_str).into();
        assert_eq!(words.len(), Outcome::ALL.len());
        let limits = Outcome::ALL.into_iter().filter(|outcome| matches!(outcome, Outcome::Limit(_)));
        assert_eq!(limits.filter_map(Outcome::limit).count(), 8);
        assert_eq!((Outcome::from(&CallError::Host).limit(), Outcome::Limit(LimitReached::Cpu).limit()), (None, Some("cpu")));
    }
}
