//! Who makes a call.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use sandbar_processor::Account;
use sandbar_text::{clean_line, identifier};

use super::names::{ANONYMOUS, AUTHENTICATED, OF_KUBEADM, OF_KUBERNETES, UNAUTHENTICATED};
use super::selection::Selection;

/// Bytes of a client's name that are kept.
const CLIENT_BYTES: usize = 64;

/// Bytes of a user's name: more than that of any ServiceAccount. It is kept for each caller, and stands whole in messages and in the log.
const NAME_MAX: usize = 512;

/// Bytes of a user in all. Someone with 1,000 groups of an enterprise's directory has 50 KiB.
const USER_BYTES: usize = 128 * 1024;

/// Bytes that each group or value takes beside its text.
const ENTRY_BYTES: usize = 24;

/// Who makes a call, as the server has established it, and what the client program says of itself: its name, and which tools it wants to
/// see. A session id never identifies a caller: it names a conversation, and whoever has read it can send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    identity: Identity,
    client: Option<Arc<str>>,
    selections: Vec<Arc<Selection>>,
}

/// An identity, by which rights are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Anybody who can reach a server that authenticates nobody.
    Anonymous,
    /// The user of the command line, who holds the kubeconfig.
    Operator,
    /// Somebody who has proved who they are, and how.
    User(Arc<User>, Proof),
}

/// A user as Kubernetes knows one: what its authenticators find out and its authorizers decide by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name, which is unique in the cluster: `system:serviceaccount:team-a:agent` for example.
    pub name: Arc<str>,
    /// What tells two users apart who have had the name one after the other.
    pub uid: Option<String>,
    /// The groups.
    pub groups: Vec<String>,
    /// More that the authenticator has found out, by key.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// A user as a component may be told of them: nothing that proves who they are, and clean text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldUser {
    /// The name, where no two look the same.
    pub name: String,
    /// The groups, likewise.
    pub groups: Vec<String>,
}

/// How a user was authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The API server has authenticated them, and has handed on their request.
    ApiServer,
    /// A proxy in front has said it, with a certificate.
    FrontProxy,
    /// A token that this issuer has signed.
    Oidc(Arc<str>),
    /// The API server has reviewed a token.
    TokenReview,
}

/// A user that says too much, or nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// There is no name.
    #[error("the user has no name")]
    Nameless,
    /// A name with more bytes than are kept.
    #[error("the user's name has {bytes} bytes; {NAME_MAX} is the most")]
    LongName {
        /// How many there are.
        bytes: usize,
    },
    /// More bytes than are kept.
    #[error("the user's name, groups and extra have {bytes} bytes together; {USER_BYTES} is the most")]
    TooLarge {
        /// How many there are.
        bytes: usize,
    },
}

impl User {
    /// What an API server calls somebody who has not said who they are.
    pub fn anonymous() -> Self {
        Self { name: ANONYMOUS.into(), uid: None, groups: vec![UNAUTHENTICATED.to_owned()], extra: BTreeMap::new() }
    }

    /// The name, for a message or a line of the log, where no two users look the same: an issuer or a proxy may have put anything into it.
    pub fn shown(&self) -> String {
        identifier(&self.name, None)
    }

    /// The same user in a cluster that has not authenticated them, where the operator says that names mean the same people there. What begins
    /// with `system:` or `kubeadm:` never does: each cluster gives those names to its own ServiceAccounts, nodes and administrators. So a user with such a
    /// name is nobody elsewhere, and such groups stay behind, as do uid and extra.
    pub fn elsewhere(&self) -> Option<Self> {
        let is_own = |name: &str| [OF_KUBERNETES, OF_KUBEADM].iter().any(|prefix| name.starts_with(prefix));
        let is_general = |name: &str| [ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED].contains(&name);
        if is_own(&self.name) && !is_general(&self.name) {
            return None;
        }
        let groups = self.groups.iter().filter(|group| !is_own(group) || is_general(group)).cloned().collect();
        Some(Self { name: self.name.clone(), uid: None, groups, extra: BTreeMap::new() })
    }

    /// The bytes that the user takes.
    pub fn bytes(&self) -> usize {
        let list = |texts: &[String]| texts.iter().map(|text| text.len() + ENTRY_BYTES).sum::<usize>();
        let extra: usize = self.extra.iter().map(|(key, values)| key.len() + ENTRY_BYTES + list(values)).sum();
        self.name.len() + self.uid.as_ref().map_or(0, String::len) + list(&self.groups) + extra
    }

    /// The user, if it is one that can be worked with.
    pub fn checked(self) -> Result<Self, UserError> {
        match self.bytes() {
            _ if self.name.is_empty() => Err(UserError::Nameless),
            _ if self.name.len() > NAME_MAX => Err(UserError::LongName { bytes: self.name.len() }),
            bytes if bytes > USER_BYTES => Err(UserError::TooLarge { bytes }),
            _ => Ok(self),
        }
    }
}

impl Caller {
    /// A caller with this identity, from an unnamed client.
    pub fn new(identity: Identity) -> Self {
        Self { identity, client: None, selections: Vec::new() }
    }

    /// The caller's identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
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

    /// From now on the caller sees no tool that is not selected. What was taken away before stays so.
    pub fn select(&mut self, selection: Selection) {
        self.selections.push(Arc::new(selection));
    }

    /// Whether the client wants to see a tool, which is in this pack or in none.
    pub fn selects(&self, tool: &str, pack: Option<&str>) -> bool {
        self.selections.iter().all(|selection| selection.has(tool, pack))
    }

    /// Whether the client does not want to see all.
    pub fn has_selected(&self) -> bool {
        !self.selections.is_empty()
    }
}

impl Identity {
    /// What is counted for this caller is counted under this.
    pub fn account(&self) -> Account {
        match self {
            Self::Anonymous => Account::Anonymous,
            Self::Operator => Account::Operator,
            Self::User(user, _) => Account::User(user.name.clone()),
        }
    }

    /// The user whose rights count where the caller's do: `system:anonymous` for a caller who is not authenticated. `None` for the
    /// operator, who uses the process's own credentials.
    pub fn whose_rights(&self) -> Option<Arc<User>> {
        match self {
            Self::Operator => None,
            Self::User(user, _) => Some(user.clone()),
            Self::Anonymous => Some(Arc::new(User::anonymous())),
        }
    }

    /// The user, if there is one.
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::Anonymous | Self::Operator => None,
            Self::User(user, _) => Some(user),
        }
    }

    /// The user as a component may be told of them; none: nobody was authenticated.
    pub fn told(&self) -> Option<ToldUser> {
        let user = self.user().filter(|user| *user.name != *ANONYMOUS)?;
        Some(ToldUser { name: user.shown(), groups: user.groups.iter().map(|group| identifier(group, None)).collect() })
    }

    /// How the user was authenticated, if there is one.
    pub fn proof(&self) -> Option<&Proof> {
        match self {
            Self::Anonymous | Self::Operator => None,
            Self::User(_, proof) => Some(proof),
        }
    }
}

impl Proof {
    /// The issuer of the token, if it is by one that the user was authenticated.
    pub fn issuer(&self) -> Option<&str> {
        match self {
            Self::Oidc(issuer) => Some(issuer),
            Self::ApiServer | Self::FrontProxy | Self::TokenReview => None,
        }
    }
}

impl fmt::Display for Identity {
    /// For a message or a line of the log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anonymous"),
            Self::Operator => f.write_str("operator"),
            Self::User(user, _) => f.write_str(&user.shown()),
        }
    }
}

impl fmt::Display for Proof {
    /// As the audit trail has it, and sandbar.yaml.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ApiServer => "apiServer",
            Self::FrontProxy => "frontProxy",
            Self::Oidc(_) => "oidc",
            Self::TokenReview => "tokenReview",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_name_is_short_and_looks_like_no_other() {
        let user = |name: &str| User { name: name.into(), ..User::anonymous() }.checked();
        assert_eq!(user("").map(drop), Err(UserError::Nameless));
        assert_eq!(user(&"x".repeat(513)).map(drop), Err(UserError::LongName { bytes: 513 }));
        assert_eq!(user("ann\u{200b}").expect("a user").shown(), "ann\\u{200b}");
    }

    #[test]
    fn what_a_cluster_names_by_itself_means_nothing_elsewhere() {
        let user = |name: &str, groups: &[&str]| User {
            name: name.into(),
            uid: Some("u".to_owned()),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            extra: BTreeMap::from([("a.example/b".to_owned(), vec!["c".to_owned()])]),
        };
        let ann = user("ann", &["team-a", "system:masters", "kubeadm:cluster-admins", "system:authenticated"])
            .elsewhere()
            .expect("a person");
        assert_eq!(ann, User { uid: None, extra: BTreeMap::new(), ..user("ann", &["team-a", "system:authenticated"]) });
        assert_eq!(User::anonymous().elsewhere(), Some(User::anonymous()));
        for name in ["system:serviceaccount:team-a:agent", "system:node:a", "system:admin"] {
            assert_eq!(user(name, &["team-a"]).elsewhere(), None, "{name}");
        }
    }

    #[test]
    fn a_component_is_told_names_that_are_clean_and_nothing_else_of_a_user() {
        let user = |name: &str| User {
            name: name.into(),
            uid: Some("7b1c".to_owned()),
            groups: vec!["team-a".to_owned(), "ad\u{202e}mins\n".to_owned()],
            extra: [("scopes".to_owned(), vec!["all".to_owned()])].into(),
        };
        let told = |name| Identity::User(Arc::new(user(name)), Proof::TokenReview).told();
        let groups = vec!["team-a".to_owned(), "ad\\u{202e}mins\\u{a}".to_owned()];
        assert_eq!(told("ann\u{200b}"), Some(ToldUser { name: "ann\\u{200b}".to_owned(), groups }));
        assert_eq!([Identity::Anonymous.told(), Identity::Operator.told(), told(ANONYMOUS)], [None, None, None]);
    }

    #[test]
    fn what_a_client_calls_itself_is_a_short_clean_line() {
        let mut caller = Caller::new(Identity::Anonymous);
        caller.introduce("");
        assert_eq!(caller.client(), None);
        caller.introduce(&format!("a\u{1b}[31mb\n{}", "é".repeat(CLIENT_BYTES)));
        let client = caller.client().expect("a name");
        assert!(client.starts_with("a b é") && client.ends_with('…') && client.len() <= CLIENT_BYTES, "{client}");
    }

    #[test]
    fn selecting_twice_leaves_what_both_select() {
        let mut caller = Caller::new(Identity::Anonymous);
        assert!(caller.selects("a", None) && !caller.has_selected());
        caller.select(Selection::of("a,b", "").expect("names"));
        caller.select(Selection::of("b,c", "").expect("names"));
        assert_eq!(["a", "b", "c"].map(|tool| caller.selects(tool, None)), [false, true, false]);
    }
}
