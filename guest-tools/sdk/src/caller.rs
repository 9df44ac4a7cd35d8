//! Capability: who calls. A component that asks is loaded only where the operator grants it with `caller: true`; no rule does.

use crate::bindings::sandbar::tool::caller as wit;
use crate::host;

/// A user as the server's authentication has established them, and as RBAC knows them.
///
/// Both are text that others have chosen. What could not be seen in it is written `\u{200b}`, so that two that differ look different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The name, unique in the cluster: `system:serviceaccount:team-a:agent` for example.
    pub name: String,
    /// All groups that the user is in.
    pub groups: Vec<String>,
}

/// Who has made the running call; none where nobody was authenticated: at a server that lets everybody in, and on the command line.
pub fn user() -> Option<User> {
    host::who_calls().map(|wit::User { name, groups, .. }| User { name, groups })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn a_test_says_who_calls() {
        assert_eq!(Host::new().run(user), None);
        let ann = User { name: "ann".to_owned(), groups: vec!["team-a".to_owned()] };
        assert_eq!(Host::new().caller("ann", &["team-a"]).run(user), Some(ann));
    }
}
