//! The object that is meant: its kind by any of its names, and its namespace where nobody says it. What is not there is told with what is
//! near.

use sandbar_tool::arguments::{given, required};
use sandbar_tool::discovery::{self, Kind};
use sandbar_tool::kubernetes::View;
use sandbar_tool::near::{are_alike, is_mistyped};
use sandbar_tool::tally::few;
use sandbar_tool::{Code, Error, Scope, Verb};
use serde_json::Value;

/// Objects that are looked at for what is near.
const LOOKED_AT: u32 = 1000;

/// The paths that name an object.
const NAMED: [&str; 2] = ["metadata.name", "metadata.namespace"];

/// The object, whole.
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) object: Value,
    /// That the kind may mean another, too.
    pub(crate) warning: Option<String>,
}

/// Finds it.
pub(crate) fn find(kind: &str, namespace: Option<String>, name: &str) -> Result<Found, Error> {
    let name = required("name", name)?;
    let namespace = given(namespace);
    let found = discovery::find(kind, Verb::Get)?;
    let (namespace, name) = place(&found.kind, namespace, &name)?;
    match read(&found.kind, namespace.as_deref(), name) {
        Ok(object) => Ok(Found { warning: found.warning(), kind: found.kind, object }),
        Err(error) => {
            let near = || near(&found.kind, namespace.as_deref(), name);
            let near = if error.code() == Code::NotFound { near() } else { None };
            Err(found.hint(near.into_iter().fold(error, |error, near| error.hint(near))))
        }
    }
}

/// Namespace and name, where the name is written with what is before a slash: its kind, as kubectl prints it (`deployment.apps/web`), or its
/// namespace.
fn place<'n>(kind: &Kind, namespace: Option<String>, name: &'n str) -> Result<(Option<String>, &'n str), Error> {
    let Some((before, own)) = name.rsplit_once('/') else { return Ok((namespace, name)) };
    match namespace {
        namespace if kind.is_called(before) => Ok((namespace, own)),
        None if kind.namespaced => Ok((Some(before.to_owned()), own)),
        Some(namespace) if namespace == before => Ok((Some(namespace), own)),
        _ => Err(Error::invalid(format!("name: {name:?} is no name, and {before:?} before the slash is no {}", kind.name))),
    }
}

fn read(of: &Kind, namespace: Option<&str>, name: &str) -> Result<Value, Error> {
    let scope = match (of.namespaced, namespace) {
        (false, _) => Scope::Cluster,
        (true, Some(namespace)) => namespace.into(),
        (true, None) => anywhere(of, name)?.as_str().into(),
    };
    of.resource.get(scope, name).read().map_err(|error| error.context(format_args!("get {} {name}", of.name)))
}

/// The one namespace in which there is an object of this name.
fn anywhere(of: &Kind, name: &str) -> Result<String, Error> {
    let list = of.resource.list::<Value>().fields(&NAMED).with_field("metadata.name", name).limit(Some(LOOKED_AT));
    let page = list.page().map_err(|error| error.hint("namespace says where to look"))?;
    let namespaces: Vec<String> = page.items.iter().map(|object| View::of(object).namespace().to_owned()).collect();
    match namespaces.as_slice() {
        [] => {
            let error = Error::new(Code::NotFound, format!("there is no {} {name} in any namespace", of.name));
            // Not all may have been looked into.
            Err(page.warnings.into_iter().fold(error, Error::hint))
        }
        [one] => Ok(one.clone()),
        several => Err(Error::invalid(format!(
            "there are {} of kind {} called {name}: say which namespace, {}",
            several.len(),
            of.name,
            few(several)
        ))),
    }
}

/// A hint is not worth an error.
fn near(of: &Kind, namespace: Option<&str>, name: &str) -> Option<String> {
    let scope = |namespace: Option<&str>| match (of.namespaced, namespace) {
        (false, _) => Scope::Cluster,
        (true, Some(namespace)) => namespace.into(),
        (true, None) => Scope::EveryNamespace,
    };
    let objects = |namespace: Option<&str>| {
        let list = of.resource.list::<Value>().within(scope(namespace)).fields(&NAMED).limit(Some(LOOKED_AT));
        list.page().ok().map(|page| page.items)
    };
    let plural = of.resource.plural();
    let here = objects(namespace)?;
    let alike = words(&here, |there| are_alike(name, there) || is_mistyped(name, there));
    if !alike.is_empty() {
        return Some(format!("{plural} that are near: {alike}"));
    }
    if of.namespaced && namespace.is_some() {
        let everywhere = objects(None).unwrap_or_default();
        let same = words(&everywhere, |there| there == name);
        if !same.is_empty() {
            return Some(format!("it is in another namespace: {same}"));
        }
    }
    let all = words(&here, |_| true);
    Some(if all.is_empty() { format!("there are no {plural} there") } else { format!("{plural}: {all}") })
}

/// The objects whose names are like that: `team-a/web, team-a/api`.
fn words(objects: &[Value], is_like: impl Fn(&str) -> bool) -> String {
    let views = objects.iter().map(View::of).filter(|object| is_like(object.name()));
    let words: Vec<String> = views
        .map(|object| match object.namespace() {
            "" => object.name().to_owned(),
            namespace => format!("{namespace}/{}", object.name()),
        })
        .collect();
    few(&words)
}

/// An object of a view, as it is called in an answer: `Pod team-a/web-0`.
pub(crate) fn called(kind: &str, object: View<'_>) -> String {
    let slash = if object.namespace().is_empty() { "" } else { "/" };
    format!("{kind} {}{slash}{}", object.namespace(), object.name())
}

#[cfg(test)]
mod tests {
    use sandbar_tool::Resource;

    use super::*;

    #[test]
    fn before_a_slash_stands_a_kind_or_a_namespace() {
        let kind = Kind {
            resource: Resource::new("apps", "v1", "deployments"),
            name: "Deployment".to_owned(),
            short_names: vec!["deploy".to_owned()],
            namespaced: true,
            verbs: Vec::new(),
        };
        let found = |namespace: Option<&str>, name: &str| {
            let place = place(&kind, namespace.map(str::to_owned), name).map_err(|error| error.to_string());
            place.map(|(namespace, name)| (namespace.unwrap_or_default(), name.to_owned()))
        };
        let is = |namespace: &str, name: &str| Ok((namespace.to_owned(), name.to_owned()));
        for name in ["web", "deployment.apps/web", "deploy/web", "Deployment/web"] {
            assert_eq!(found(Some("team-a"), name), is("team-a", "web"), "{name}");
        }
        assert_eq!(found(None, "team-b/web"), is("team-b", "web"));
        assert_eq!(found(Some("team-b"), "team-b/web"), is("team-b", "web"));
        let error = found(Some("team-a"), "team-b/web").expect_err("which is meant?");
        assert!(error.contains("\"team-b\" before the slash is no Deployment"), "{error}");
    }
}
