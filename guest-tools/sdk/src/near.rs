//! What is near where a name was not found: it may be only a part of the name, or of another namespace.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::read::{Get, Wanted};
use crate::tally::few;
use crate::{Code, Error, Metadata, Scope};

/// Objects that are looked at.
const LOOKED_AT: u32 = 1000;

impl<T: DeserializeOwned> Get<T> {
    /// [`read`](Self::read) whose failure, where there is no such object, says which names there are. `kinds` is several of them in
    /// words. For the names the component needs [`Verb::List`](crate::Verb::List).
    pub fn read_or_near(&self, kinds: impl Into<Cow<'static, str>>) -> Result<T, Error> {
        self.read().map_err(|error| {
            let near = if error.code() == Code::NotFound { near(&self.wanted, kinds.into()) } else { None };
            match near {
                Some(near) => error.hint(near),
                None => error,
            }
        })
    }
}

/// Which names there are, or in which other namespace there are some. A hint is not worth an error.
fn near(Wanted { of, within, name, .. }: &Wanted, kinds: Cow<'static, str>) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        metadata: Metadata,
    }
    let page = of.list::<Named>().within(within.clone()).limit(Some(LOOKED_AT)).called(kinds.clone()).page().ok()?;
    if page.hint.is_some() {
        return page.hint;
    }
    let place = match within {
        Scope::Namespace(namespace) => format!(" in namespace {namespace}"),
        Scope::Cluster | Scope::EveryNamespace => String::new(),
    };
    let among_others = if page.continue_.is_some() { ", among others" } else { "" };
    let names: Vec<String> = page.items.into_iter().map(|named| named.metadata.name).collect();
    let alike: Vec<String> = names.iter().filter(|there| are_alike(name, there)).cloned().collect();
    let there = few(if alike.is_empty() { &names } else { &alike });
    (!there.is_empty()).then(|| format!("{kinds}{place}: {there}{among_others}"))
}

/// Whether one name is part of another, in any case: a pod's begins with that of its Deployment.
pub fn are_alike(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_ascii_lowercase(), other.to_ascii_lowercase());
    !one.is_empty() && !other.is_empty() && (one.contains(&other) || other.contains(&one))
}

/// Letters that a mistyped name may have wrong.
const TYPOS: usize = 2;

/// Letters of a name that are compared: a kind has no more.
const LETTERS_MAX: usize = 63;

/// Whether a few letters make the one of the other, in any case: too many, missing or wrong ones.
pub fn is_mistyped(word: &str, name: &str) -> bool {
    let letters = |word: &str| word.bytes().take(LETTERS_MAX).map(|letter| letter.to_ascii_lowercase()).collect::<Vec<u8>>();
    let (word, name) = (letters(word), letters(name));
    if word.len() <= TYPOS || word.len().abs_diff(name.len()) > TYPOS {
        return false;
    }
    // The row of the table of distances for each letter of the word.
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (at, letter) in word.iter().enumerate() {
        let mut before = std::mem::replace(&mut row[0], at + 1);
        for (column, other) in name.iter().enumerate() {
            let least = (before + usize::from(letter != other)).min(row[column] + 1).min(row[column + 1] + 1);
            before = std::mem::replace(&mut row[column + 1], least);
        }
    }
    row.last().is_some_and(|&distance| distance <= TYPOS)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{Host, page};
    use crate::{ObjectKey, Page, Resource};

    const SERVICES: Resource = Resource::new("", "v1", "services");

    fn read(asked: &ObjectKey) -> Result<Value, Error> {
        SERVICES.get_asked("service", asked)?.read_or_near("Services")
    }

    /// The words for a Service `web` that is not there.
    fn said(answer: impl Fn(bool) -> Result<Page<Value>, Error> + 'static) -> String {
        let host = Host::new()
            .objects(|_| Err(Error::new(Code::NotFound, "services \"web\" not found")))
            .lists(move |request| answer(request.within == "team-a".into()));
        let asked = ObjectKey { namespace: " team-a".to_owned(), name: "web".to_owned() };
        let error = host.run(|| read(&asked)).expect_err("not there");
        error.to_string().replace("get service team-a/web: services \"web\" not found", "…")
    }

    fn named(namespace: &str, names: &[&str]) -> Page<Value> {
        page(names.iter().map(|name| json!({ "metadata": { "name": name, "namespace": namespace } })))
    }

    #[test]
    fn what_is_not_found_is_told_with_what_is_near() {
        assert_eq!(said(|_| Ok(named("team-a", &["db", "Web-0", "web-api"]))), "…; Services in namespace team-a: Web-0, web-api");
        assert_eq!(said(|_| Ok(named("team-a", &["db", "api"]))), "…; Services in namespace team-a: db, api");
        assert_eq!(
            said(|here| Ok(if here { page([]) } else { named("team-b", &["db"]) })),
            "…; there are no Services in namespace team-a; there are some in team-b (1)"
        );
        let first = || Page { continue_: Some("2".to_owned()), ..named("team-a", &["db"]) };
        assert_eq!(said(move |_| Ok(first())), "…; Services in namespace team-a: db, among others");
    }

    #[test]
    fn what_cannot_be_looked_at_is_left_out() {
        assert_eq!(said(|_| Err(Error::new(Code::Denied, "no"))), "…");
        let nothing_yet = || Page { continue_: Some("2".to_owned()), ..page([]) };
        assert_eq!(said(move |_| Ok(nothing_yet())), "…");
    }

    #[test]
    fn only_what_is_not_found_is_looked_for() {
        let host = Host::new().objects(|_| Err(Error::new(Code::Denied, "no")));
        let asked = ObjectKey { namespace: "team-a".to_owned(), name: "web".to_owned() };
        let error = host.run(|| read(&asked)).expect_err("denied");
        assert_eq!(error.to_string(), "get service team-a/web: no");
    }

    #[test]
    fn what_has_no_namespace_is_near_in_the_cluster() {
        let host = Host::new()
            .objects(|_| Err(Error::new(Code::NotFound, "nodes \"one\" not found")))
            .lists(|request| Ok(if request.within == Scope::Cluster { named("", &["one-1", "two"]) } else { page([]) }));
        let nodes = Resource::new("", "v1", "nodes");
        let error = host.run(|| nodes.get::<Value>(Scope::Cluster, "one").read_or_near("Nodes")).expect_err("not there");
        assert_eq!(error.to_string(), "nodes \"one\" not found; Nodes: one-1");
    }
}
