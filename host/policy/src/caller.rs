//! Who makes a call.

use std::fmt;
use std::sync::Arc;

use sandbar_text::clean_line;

/// Bytes of a client's name that are kept.
const CLIENT_BYTES: usize = 64;

/// Who makes a call, as the server has established it, and the name that the client program gives itself. A session id never
/// identifies a caller: it names a conversation, and whoever has read it can send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    identity: Identity,
    client: Option<Arc<str>>,
}

/// An identity, by which rates are counted and rights are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Identity {
    /// Anybody who can reach the server, which authenticates nobody yet.
    Anonymous,
    /// The user of the command line, who holds the kubeconfig.
    Operator,
}

impl Caller {
    /// A caller with this identity, from an unnamed client.
    pub fn new(identity: Identity) -> Self {
        Self { identity, client: None }
    }

    /// The caller's identity.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The name that the client program gives itself, if any. Unverified: for the log, and nothing is decided by it.
    pub fn client(&self) -> Option<&str> {
        self.client.as_deref()
    }

    /// Sets the name that the client program gives itself: a line of up to 64 bytes; an empty one is none.
    pub fn introduce(&mut self, client: &str) {
        let client = clean_line(client, CLIENT_BYTES);
        self.client = (!client.is_empty()).then(|| client.into());
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "anonymous",
            Self::Operator => "operator",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_calls_itself_is_a_short_clean_line() {
        let mut caller = Caller::new(Identity::Anonymous);
        caller.introduce("");
        assert_eq!(caller.client(), None);
        caller.introduce(&format!("a\u{1b}[31mb\n{}", "é".repeat(CLIENT_BYTES)));
        let client = caller.client().expect("a name");
        assert!(client.starts_with("a b é") && client.ends_with('…') && client.len() <= CLIENT_BYTES, "{client}");
    }
}
