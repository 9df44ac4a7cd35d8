//! Who makes a call.

use std::fmt;

/// Who makes a call, as the server has established it. A session id is never a caller: it says which conversation a request belongs
/// to, and whoever has read one can send it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Caller {
    /// Whoever can reach the server. It asks nobody who they are yet.
    Anonymous,
    /// Whoever runs the command line: somebody with the kubeconfig in hand.
    Operator,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "anonymous",
            Self::Operator => "operator",
        })
    }
}
