//! Capability: which resources the cluster serves. It needs no rule, and names what the component's rules allow to read.

mod find;
mod group;

use crate::bindings::sandbar::kubernetes::discovery as wit;
use crate::{Error, Resource, Verb, host};

pub use find::{Found, find};
pub use group::qualified;

/// A resource, in the version that the server prefers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// How it is asked for.
    pub resource: Resource,
    /// What one of its objects is called, `Deployment` for example; "" where the server does not say so.
    pub name: String,
    /// What people write for it, `deploy` for example.
    pub short_names: Vec<String>,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Whether single objects can be read, and lists of them.
    pub verbs: Vec<Verb>,
}

/// All resources that can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Sorted by group and plural name; the core group comes first.
    pub kinds: Vec<Kind>,
    /// What is missing, for example an API group that does not answer.
    pub warnings: Vec<String>,
}

/// Asks what can be read here. The host remembers it for some minutes.
pub fn kinds() -> Result<Kinds, Error> {
    let wit::Kinds { kinds, warnings, .. } = host::served_kinds()?;
    Ok(Kinds { kinds: kinds.into_iter().map(Kind::from).collect(), warnings })
}

impl Kind {
    /// Whether somebody may mean it by this word: its kind, its plural or a short name in any case, with or without the group behind a
    /// dot (`deployments.apps`).
    pub fn is_called(&self, word: &str) -> bool {
        let (name, group) = word.split_once('.').map_or((word, None), |(name, group)| (name, Some(group)));
        group.is_none_or(|group| group.eq_ignore_ascii_case(self.resource.group()))
            && [&*self.name, self.resource.plural()]
                .into_iter()
                .chain(self.short_names.iter().map(String::as_str))
                .any(|called| called.eq_ignore_ascii_case(name))
    }
}

impl From<wit::Kind> for Kind {
    fn from(wit::Kind { of, name, short_names, namespaced, verbs }: wit::Kind) -> Self {
        let verb = |verb: &String| match verb.as_str() {
            "get" => Some(Verb::Get),
            "list" => Some(Verb::List),
            _ => None,
        };
        let verbs = verbs.iter().filter_map(verb).collect();
        Self { resource: Resource::named(of.group, of.version, of.plural), name, short_names, namespaced, verbs }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl From<Kind> for wit::Kind {
    fn from(Kind { resource, name, short_names, namespaced, verbs }: Kind) -> Self {
        let verb = |verb: Verb| match verb {
            Verb::Get => "get".to_owned(),
            Verb::List => "list".to_owned(),
        };
        Self { of: (&resource).into(), name, short_names, namespaced, verbs: verbs.into_iter().map(verb).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;

    #[test]
    fn a_kind_is_called_by_any_of_its_names() {
        let deployment = Kind {
            resource: Resource::new("apps", "v1", "deployments"),
            name: "Deployment".to_owned(),
            short_names: vec!["deploy".to_owned()],
            namespaced: true,
            verbs: vec![Verb::Get, Verb::List],
        };
        let host = Host::new().kinds(Kinds { kinds: vec![deployment.clone()], warnings: vec!["one is missing".to_owned()] });
        let found = host.run(kinds).expect("an answer");
        assert_eq!(found, Kinds { kinds: vec![deployment], warnings: vec!["one is missing".to_owned()] });
        for (word, is) in [
            ("Deployment", true),
            ("deployments", true),
            ("DEPLOY", true),
            ("deployment.apps", true),
            ("deployment.extensions", false),
            ("deployments.", false),
            ("pods", false),
            ("", false),
        ] {
            assert_eq!(found.kinds[0].is_called(word), is, "{word}");
        }
    }
}
