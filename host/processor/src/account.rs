//! On whose account something is done.

use std::sync::Arc;

/// What is counted for one caller is counted under this: the same for all tokens of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// All that are not authenticated.
    Anonymous,
    /// The user of the command line, and whatever the server does by itself.
    #[default]
    Operator,
    /// The user of this name.
    User(Arc<str>),
    /// What one of the others does in one of several clusters: of the calls to a cluster that does not answer, there are never so many that
    /// none to another can run.
    In(Arc<str>, Box<Account>),
}

impl Account {
    /// The account for what is done in the cluster of this name.
    pub fn within(self, cluster: Arc<str>) -> Self {
        Self::In(cluster, Box::new(self))
    }

    /// Whether this is one among others, which leaves room to those. How much each of those has who are not authenticated cannot be told.
    pub(super) fn leaves_room(&self) -> bool {
        matches!(self, Self::User(_) | Self::In(..))
    }
}
