//! Lists, side by side and page after page, of which nothing is kept but what the tool picks out.

use sandbar_tool::kubernetes::View;
use sandbar_tool::read::{List, list_many};
use sandbar_tool::{Error, Page, Resource, Scope};
use serde_json::Value;

/// Objects on a page: some megabytes as JSON in memory.
const ON_PAGE: u32 = 500;

/// Pages of one list at most. 5,000 pods are ten.
const PAGES_MAX: usize = 40;

/// Bytes of why something could not be read.
const WARNING_MAX: usize = 100;

/// A kind, and how its objects are listed.
pub(crate) struct Reading {
    pub(crate) kind: &'static str,
    /// What errors call it.
    resource: String,
    list: List<Value>,
}

impl Reading {
    pub(crate) fn new(kind: &'static str, of: &Resource, within: Scope, fields: &[&str]) -> Self {
        Self { kind, resource: of.to_string(), list: of.list().within(within).fields(fields).limit(Some(ON_PAGE)) }
    }

    /// Fewer objects on a page, for those that are large on their way to the host.
    pub(crate) fn few(mut self, on_page: u32) -> Self {
        self.list = self.list.limit(Some(on_page));
        self
    }

    /// Only the one of this name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.list = self.list.with_field("metadata.name", name);
        self
    }
}

/// What could not be read, once for each kind.
#[derive(Default)]
pub(crate) struct Missing(Vec<(&'static str, String)>);

impl Missing {
    /// Whether all of this kind was read.
    pub(crate) fn nothing_of(&self, kind: &str) -> bool {
        !self.0.iter().any(|(missing, _)| *missing == kind)
    }

    pub(crate) fn add(&mut self, kind: &'static str, words: &str) {
        if self.nothing_of(kind) {
            self.0.push((kind, sandbar_tool::kubernetes::view::one_line(words, WARNING_MAX)));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of it as one warning: what is missing is less than what is wrong. The same words of several kinds are said once.
    pub(crate) fn warning(&self) -> Option<String> {
        let mut said: Vec<(&str, Vec<&str>)> = Vec::new();
        for (kind, words) in &self.0 {
            match said.iter_mut().find(|(other, _)| other == words) {
                Some((_, kinds)) => kinds.push(kind),
                None => said.push((words, vec![kind])),
            }
        }
        let said: Vec<String> = said.iter().map(|(words, kinds)| format!("{} ({words})", kinds.join(", "))).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }
}

/// Reads all pages of all lists, and hands over each object. What cannot be read is missing, and fails nothing else.
pub(crate) fn read_all(mut readings: Vec<Reading>, missing: &mut Missing, each: &mut dyn FnMut(&'static str, View<'_>)) {
    for page in 0..PAGES_MAX {
        if readings.is_empty() {
            return;
        }
        let lists = readings.iter().map(|reading| reading.list.clone()).collect();
        let answers = match list_many(lists) {
            Ok(answers) => answers,
            Err(error) => {
                readings.iter().for_each(|reading| missing.add(reading.kind, &error.to_string()));
                return;
            }
        };
        let mut next = Vec::new();
        for (reading, answer) in readings.into_iter().zip(answers) {
            next.extend(take(reading, answer, missing, each));
        }
        readings = next;
        if page + 1 == PAGES_MAX {
            readings.iter().for_each(|reading| missing.add(reading.kind, "there are more than were looked at; name a namespace"));
        }
    }
}

/// Hands over one page; the same list again where it goes on.
fn take(
    reading: Reading,
    answer: Result<Page<Value>, Error>,
    missing: &mut Missing,
    each: &mut dyn FnMut(&'static str, View<'_>),
) -> Option<Reading> {
    let kind = reading.kind;
    // What is said of each kind is the same but for its name.
    let mut lacks = |words: &str| missing.add(kind, &words.replace(&reading.resource, "…"));
    let page = answer.map_err(|error| lacks(&error.to_string())).ok()?;
    page.items.iter().for_each(|item| each(kind, View::of(item)));
    page.warnings.iter().for_each(|warning| lacks(warning));
    let cursor = page.continue_?;
    Some(Reading { list: reading.list.after(Some(cursor)), ..reading })
}
