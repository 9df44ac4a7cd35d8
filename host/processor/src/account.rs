//! On whose account something is done.

use std::sync::Arc;

/// Key that per-caller limits are counted under; shared by all tokens of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// All that are not authenticated.
    Anonymous,
    /// The user of the command line, and whatever the server does by itself.
    #[default]
    Operator,
    /// The user of this name.
    User(Arc<str>),
}

impl Account {
    /// Whether this is one caller among others. How much each of those has who are not authenticated cannot be told.
    pub(super) fn is_one_caller(&self) -> bool {
        matches!(self, Self::User(_))
    }
}
