//! Capability: objects and lists. Events are objects too.

mod get;
mod list;
mod many;
mod page;
mod table;

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::bindings::sandbar::kubernetes::types;
use crate::{Code, Error, arguments};

pub use get::Get;
pub(crate) use get::Wanted;
pub use list::List;
pub use many::{get_many, list_many};
pub use page::Page;
pub use table::{Column, Row, Table};

/// An API resource as it stands in a URL and in RBAC: `apps`, `v1`, `deployments`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    group: Cow<'static, str>,
    version: Cow<'static, str>,
    plural: Cow<'static, str>,
}

/// Where to look. The host knows which resources are namespaced; a scope that does not fit is [`Code::Invalid`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A cluster-scoped resource.
    Cluster,
    /// A namespaced resource in every namespace that the operator allows. Events cannot be listed like this.
    EveryNamespace,
    /// A namespaced resource in this namespace.
    Namespace(String),
}

impl Scope {
    /// The scope of an optional argument: absent or empty means every namespace.
    pub fn or_every(namespace: Option<String>) -> Self {
        arguments::given(namespace).map_or(Self::EveryNamespace, Self::Namespace)
    }
}

impl From<&str> for Scope {
    /// This namespace.
    fn from(namespace: &str) -> Self {
        Self::Namespace(namespace.to_owned())
    }
}

impl Resource {
    /// The resource of this API group ("" is the core group), version ("" is the one that the server prefers) and plural name in
    /// lower case.
    pub const fn new(group: &'static str, version: &'static str, plural: &'static str) -> Self {
        Self { group: Cow::Borrowed(group), version: Cow::Borrowed(version), plural: Cow::Borrowed(plural) }
    }

    /// [`new`](Self::new) with words that are known only when the tool runs.
    pub fn named(group: impl Into<String>, version: impl Into<String>, plural: impl Into<String>) -> Self {
        Self { group: Cow::Owned(group.into()), version: Cow::Owned(version.into()), plural: Cow::Owned(plural.into()) }
    }

    /// The API group; "" is the core group.
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The plural name.
    pub fn plural(&self) -> &str {
        &self.plural
    }
}

impl fmt::Display for Resource {
    /// As in the words of an API server: `deployments.apps`, `pods`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plural)?;
        if self.group.is_empty() { Ok(()) } else { write!(f, ".{}", self.group) }
    }
}

/// The part of `metadata` that names an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Metadata {
    /// The object's name.
    pub name: String,
    /// Its namespace; "" for a cluster-scoped object.
    #[serde(default)]
    pub namespace: String,
}

/// The paths that an author gives.
fn owned(paths: &[&str]) -> Option<Vec<String>> {
    Some(paths.iter().map(|&path| path.to_owned()).collect())
}

/// What the host hands over is JSON; whether it has the shape of `T` depends on the cluster.
fn parse<T: DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json)
        .map_err(|error| Error::new(Code::Other, format!("the cluster's answer has an unknown shape: {error}")))
}

impl From<&Resource> for types::ApiResource {
    fn from(resource: &Resource) -> Self {
        let word = |word: &Cow<'static, str>| word.clone().into_owned();
        Self { group: word(&resource.group), version: word(&resource.version), plural: word(&resource.plural) }
    }
}

impl From<Scope> for types::Scope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Cluster => Self::Cluster,
            Scope::EveryNamespace => Self::EveryNamespace,
            Scope::Namespace(name) => Self::Namespace(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn an_empty_namespace_means_every_one() {
        assert_eq!(Scope::or_every(None), Scope::EveryNamespace);
        assert_eq!(Scope::or_every(Some(String::new())), Scope::EveryNamespace);
        assert_eq!(Scope::or_every(Some("team-a".to_owned())), Scope::Namespace("team-a".to_owned()));
    }
}
