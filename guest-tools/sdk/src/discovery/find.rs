//! Which kind somebody means by a word: `deploy`, `Deployment`, `deployments.apps`.

use super::group::rank;
use super::{Kind, kinds};
use crate::near::{are_alike, is_mistyped};
use crate::tally::few;
use crate::{Code, Error, Resource, Verb, arguments};

/// Characters of a word that are compared with the names that there are: a kind has at most 63.
const WORD_MAX: usize = 63;

/// Groups whose objects are those of the core group once more, or what was measured of them: nobody has to be told of them.
const SAME: [&str; 2] = ["events.k8s.io", "metrics.k8s.io"];

/// A kind that was found by a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The kind.
    pub kind: Kind,
    /// What else the word may mean.
    pub others: Vec<Resource>,
}

/// Finds the kind that is called by this word and can be read so. Of several it is that of the core group, else of one without a dot,
/// as `apps`, else of one of Kubernetes' own. Fails where there is none, and says what is near.
pub fn find(word: &str, verb: Verb) -> Result<Found, Error> {
    let word = arguments::required("kind", word)?;
    let served = kinds()?;
    let mut all = served.kinds;
    all.sort_by_key(|kind| (!kind.verbs.contains(&verb), rank(kind.resource.group())));
    let mut fitting = all.iter().filter(|kind| kind.is_called(&word));
    let Some(kind) = fitting.next() else { return Err(none(&word, &all, &served.warnings)) };
    if !kind.verbs.contains(&verb) {
        let cannot = if verb == Verb::List { "be listed" } else { "be read one by one" };
        return Err(Error::new(Code::Denied, format!("{} cannot {cannot} here", kind.resource)));
    }
    let others = fitting.map(|kind| &kind.resource).filter(|other| !SAME.contains(&other.group())).cloned().collect();
    Ok(Found { kind: kind.clone(), others })
}

impl Found {
    /// What to tell a reader where the word may mean another kind.
    pub fn warning(&self) -> Option<String> {
        let others: Vec<String> = self.others.iter().map(ToString::to_string).collect();
        (!others.is_empty()).then(|| format!("kind is taken for {}; it can also be {}", self.kind.resource, few(&others)))
    }

    /// The same beside an error: the object may be of the other kind.
    pub fn hint(&self, error: Error) -> Error {
        self.warning().into_iter().fold(error, |error, warning| error.hint(warning))
    }
}

fn none(word: &str, all: &[Kind], warnings: &[String]) -> Error {
    let word: String = word.chars().take(WORD_MAX).collect();
    let is_near = |kind: &&Kind| {
        let name = word.split('.').next().unwrap_or_default();
        are_alike(name, &kind.name) || are_alike(name, kind.resource.plural()) || is_mistyped(name, &kind.name)
    };
    let names = |kinds: &mut dyn Iterator<Item = &Kind>| kinds.map(|kind| kind.resource.to_string()).collect::<Vec<_>>();
    let near = names(&mut all.iter().filter(is_near));
    let said = match (near.is_empty(), all.is_empty()) {
        (false, _) => format!("near it: {}", few(&near)),
        (true, false) => format!("there are {}", few(&names(&mut all.iter()))),
        (true, true) => "no kind can be read here".to_owned(),
    };
    let error = Error::new(Code::NotServed, format!("no kind that can be read here is called `{word}`; {said}"));
    if warnings.is_empty() { error } else { error.hint(few(warnings)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::Kinds;
    use crate::testing::Host;

    fn kind(group: &'static str, plural: &'static str, name: &str, verbs: &[Verb]) -> Kind {
        Kind {
            resource: Resource::new(group, "v1", plural),
            name: name.to_owned(),
            short_names: Vec::new(),
            namespaced: true,
            verbs: verbs.to_vec(),
        }
    }

    fn found(word: &str, verb: Verb) -> Result<Found, String> {
        const BOTH: &[Verb] = &[Verb::Get, Verb::List];
        let kinds = vec![
            kind("", "bindings", "Binding", &[Verb::Get]),
            kind("a.example.com", "ingresses", "Ingress", BOTH),
            kind("acme.io", "deployments", "Deployment", BOTH),
            kind("apps", "deployments", "Deployment", BOTH),
            kind("aaa.k8s.io", "ingresses", "Ingress", BOTH),
            kind("metrics.k8s.io", "pods", "PodMetrics", BOTH),
            kind("networking.k8s.io", "ingresses", "Ingress", BOTH),
            kind("", "pods", "Pod", BOTH),
        ];
        let host = Host::new().kinds(Kinds { kinds, warnings: Vec::new() });
        host.run(|| find(word, verb)).map_err(|error| error.to_string())
    }

    #[test]
    fn of_several_the_one_of_kubernetes_is_meant_and_the_others_are_said() {
        let of = |word: &str| found(word, Verb::List).map(|found| (found.kind.resource.to_string(), found.others.len()));
        for (word, resource, others) in [
            ("pods", "pods", 0),
            ("PodMetrics", "pods.metrics.k8s.io", 0),
            (" ingress ", "ingresses.networking.k8s.io", 2),
            ("Deployment", "deployments.apps", 1),
            ("Deployment.acme.io", "deployments.acme.io", 0),
            ("ingress.a.example.com", "ingresses.a.example.com", 0),
        ] {
            assert_eq!(of(word), Ok((resource.to_owned(), others)), "{word}");
        }
        let warning = |word: &str| found(word, Verb::List).ok().and_then(|found| found.warning());
        assert_eq!(warning("pods"), None);
        assert_eq!(
            warning("Deployment").as_deref(),
            Some("kind is taken for deployments.apps; it can also be deployments.acme.io")
        );
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is_near() {
        let error = |word: &str| found(word, Verb::List).expect_err("none");
        assert!(
            error("deploymnet").ends_with("is called `deploymnet`; near it: deployments.apps, deployments.acme.io"),
            "{}",
            error("deploymnet")
        );
        assert!(error("podmetric").ends_with("near it: pods, pods.metrics.k8s.io"), "{}", error("podmetric"));
        assert!(error("secrets").contains("; there are pods, deployments.apps, "), "{}", error("secrets"));
        assert!(error(&"x".repeat(10_000)).len() < 400);
        assert_eq!(error(" "), "kind is required");
        assert_eq!(error("binding"), "bindings cannot be listed here");
    }
}
