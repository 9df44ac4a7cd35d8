//! The object that is meant: its kind by any of its names, and its namespace where nobody says it. What is not there is told with what is
//! near.

use sandbar_tool::arguments::{given, required};
use sandbar_tool::discovery::{Kind, kinds};
use sandbar_tool::kubernetes::View;
use sandbar_tool::near::are_alike;
use sandbar_tool::tally::few;
use sandbar_tool::{Code, Error, Scope, Verb};
use serde_json::Value;

/// Objects that are looked at for what is near.
const LOOKED_AT: u32 = 1000;

/// Letters that a typing error changes at most.
const TYPING_ERROR: usize = 2;

/// Letters of a word that are compared.
const WORD_MAX: usize = 63;

/// The paths that name an object.
const NAMED: [&str; 2] = ["metadata.name", "metadata.namespace"];

/// The object, whole.
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) object: Value,
    /// All that are served, for its owners.
    pub(crate) kinds: Vec<Kind>,
}

/// Finds it.
pub(crate) fn find(kind: &str, namespace: Option<String>, name: &str) -> Result<Found, Error> {
    let (kind, name) = (required("kind", kind)?, required("name", name)?);
    let namespace = given(namespace);
    // As kubectl prints it: `deployment.apps/web`.
    let name = name.rsplit('/').next().unwrap_or_default();
    let served = kinds()?;
    let can_get = |served: &&Kind| served.verbs.contains(&Verb::Get);
    let of = |word: &str| served.kinds.iter().filter(can_get).filter(|served| served.is_called(word)).collect::<Vec<&Kind>>();
    let meant = of(&kind);
    let Some(first) = meant.first() else { return Err(no_kind(&kind, &served.kinds, &served.warnings)) };
    let mut error = None;
    for of in &meant {
        match read(of, namespace.as_deref(), name) {
            Ok(object) => return Ok(Found { kind: (*of).clone(), object, kinds: served.kinds.clone() }),
            Err(new) if new.code() == Code::NotFound => drop(error.get_or_insert(new)),
            Err(new) => return Err(new),
        }
    }
    let error = error.unwrap_or_else(|| Error::new(Code::NotFound, "not found"));
    Err(match near(first, namespace.as_deref(), name) {
        Some(near) => error.hint(near),
        None => error,
    })
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
    let alike = words(&here, |there| is_near(name, there));
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

fn no_kind(word: &str, kinds: &[Kind], warnings: &[String]) -> Error {
    let word = sandbar_tool::kubernetes::view::one_line(word, WORD_MAX);
    let plain = word.split('.').next().unwrap_or_default();
    let is_like = |kind: &&Kind| is_near(plain, &kind.name) || is_near(plain, kind.resource.plural());
    let near: Vec<String> = kinds.iter().filter(is_like).map(|kind| kind.resource.to_string()).collect();
    let mut said = format!("no kind `{word}` can be read here");
    if !near.is_empty() {
        said.push_str(&format!("; near: {}", few(&near)));
    }
    // Some may be missing from the list.
    if let Some(warning) = warnings.first() {
        said.push_str(&format!("; {warning}"));
    }
    Error::invalid(said)
}

/// Whether one is part of the other, or a typing error away.
fn is_near(word: &str, there: &str) -> bool {
    are_alike(word, there) || distance(word, there) <= TYPING_ERROR
}

/// How many letters have to change, be added or be left out; `usize::MAX` where that is certainly many.
fn distance(one: &str, other: &str) -> usize {
    let letters = |word: &str| word.bytes().take(WORD_MAX).map(|byte| byte.to_ascii_lowercase()).collect::<Vec<u8>>();
    let (one, other) = (letters(one), letters(other));
    if one.len().abs_diff(other.len()) > TYPING_ERROR || one.len().min(other.len()) <= TYPING_ERROR {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (at, there) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != there);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// An object of a view, as it is called in an answer: `Pod team-a/web-0`.
pub(crate) fn called(kind: &str, object: View<'_>) -> String {
    let slash = if object.namespace().is_empty() { "" } else { "/" };
    format!("{kind} {}{slash}{}", object.namespace(), object.name())
}
