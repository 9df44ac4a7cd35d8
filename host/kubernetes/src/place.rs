//! Where a read takes place: the scope that was asked for, held against what discovery says.

use sandbar_policy::Place;

use super::error::{Code, Error};
use super::name::Namespace;
use super::types::{Scope, ServedResource};

/// A scope whose namespace is a valid name. Whether it fits the resource is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked(Target);

/// A scope that fits the resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Cluster,
    EveryNamespace,
    Namespace(Namespace),
}

impl Asked {
    pub(super) fn parse(scope: &Scope) -> Result<Self, Error> {
        Ok(Self(match scope {
            Scope::Cluster => Target::Cluster,
            Scope::EveryNamespace => Target::EveryNamespace,
            Scope::Namespace(name) => Target::Namespace(Namespace::parse(name)?),
        }))
    }

    /// Holds the scope against the resource's own.
    pub(super) fn target(self, served: &ServedResource) -> Result<Target, Error> {
        let plural = &served.plural;
        match (&self.0, served.namespaced) {
            (Target::Cluster, true) => {
                Err(Error::new(Code::Invalid, format!("{plural} live in namespaces: name one, or ask for every namespace")))
            }
            (Target::EveryNamespace | Target::Namespace(_), false) => Err(Error::new(
                Code::Invalid,
                format!("{plural} belong to the cluster and not to a namespace: ask within `cluster`"),
            )),
            _ => Ok(self.0),
        }
    }
}

impl Target {
    /// The same for the grant.
    pub(super) fn place(&self) -> Place<'_> {
        match self {
            Target::Cluster => Place::Cluster,
            Target::EveryNamespace => Place::EveryNamespace,
            Target::Namespace(namespace) => Place::Namespace(namespace.as_str()),
        }
    }

    /// The namespace that stands in the URL.
    pub(super) fn namespace(&self) -> Option<&Namespace> {
        match self {
            Target::Namespace(namespace) => Some(namespace),
            Target::Cluster | Target::EveryNamespace => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_discovery_decides_which_scope_fits() {
        let scopes = [Scope::Cluster, Scope::EveryNamespace, Scope::Namespace("team-a".into())];
        let fits = |namespaced| {
            let served = ServedResource::new("", "v1", "things", namespaced, &["list"]);
            scopes.each_ref().map(|scope| Asked::parse(scope).expect("valid").target(&served).map_err(|error| error.code).is_ok())
        };
        assert_eq!(fits(true), [false, true, true]);
        assert_eq!(fits(false), [true, false, false]);
    }
}
