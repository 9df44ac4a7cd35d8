//! Resources: documents that a client reads and shows to a user or a model.
//!
//! ```
//! use sandbar_tool::resource::{Document, Template, Variables};
//! use sandbar_tool::{Component, Error, Tools, testing::Host};
//!
//! fn runbook(variables: &Variables) -> Result<Option<String>, Error> {
//!     Ok(match variables.get("name") {
//!         "restart" => Some("Delete the pod.".to_owned()),
//!         _ => None,
//!     })
//! }
//!
//! fn component() -> Component<impl Tools> {
//!     Component::new()
//!         .resource(Document::new("runbooks://index", "Runbooks", "What there are runbooks for.", || Ok("restart".to_owned())))
//!         .template(Template::new("runbooks://of/{name}", "Runbook", "What to do.", runbook).mime_type("text/markdown"))
//! }
//!
//! let host = Host::new();
//! assert_eq!(host.resource(&component(), "runbooks://index").unwrap().as_deref(), Some("restart"));
//! assert_eq!(host.resource(&component(), "runbooks://of/restart").unwrap().as_deref(), Some("Delete the pod."));
//! assert_eq!(host.resource(&component(), "runbooks://of/else").unwrap(), None);
//! ```

use serde::Serialize;

use crate::{Error, answer};

/// The type of a document that says no other.
const PLAIN: &str = "text/plain";

/// A resource with one URI: a text that a function writes.
#[derive(Clone, Debug)]
#[must_use]
pub struct Document<F> {
    pub(crate) about: About,
    read: F,
}

/// Resources whose URIs differ in the variables of a template.
#[derive(Clone, Debug)]
#[must_use]
pub struct Template<F> {
    pub(crate) about: About,
    read: F,
}

/// What a client reads about a resource.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) uri: &'static str,
    pub(crate) name: &'static str,
    pub(crate) title: Option<&'static str>,
    pub(crate) description: &'static str,
    pub(crate) mime_type: &'static str,
}

/// What stands in a URI for the variables of its template, percent-decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variables(Vec<(&'static str, String)>);

impl Variables {
    /// One of them; of a name that the template does not have, nothing.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(variable, _)| *variable == name).map_or("", |(_, value)| value)
    }
}

impl<F: Fn() -> Result<String, Error>> Document<F> {
    /// A document. `uri` is `scheme://authority/path`, whose scheme is none that clients know by themselves, such as `https`; no other
    /// component may have URIs with the same scheme and authority. `name` is what a client shows.
    pub const fn new(uri: &'static str, name: &'static str, description: &'static str, read: F) -> Self {
        Self { about: About::new(uri, name, description), read }
    }

    /// A name for people, where `name` is none.
    pub fn title(mut self, title: &'static str) -> Self {
        self.about.title = Some(title);
        self
    }

    /// What the text is: `text/markdown` for example, and `text/plain` if this is not said.
    pub fn mime_type(mut self, mime_type: &'static str) -> Self {
        self.about.mime_type = mime_type;
        self
    }

    /// The result of an MCP `resources/read` of this URI, if it is this one's, in JSON.
    pub(crate) fn read(&self, uri: &str) -> Option<Result<String, Error>> {
        (uri == self.about.uri).then(|| (self.read)().and_then(|text| self.about.contents(uri, Some(text))))
    }
}

impl<F: Fn(&Variables) -> Result<Option<String>, Error>> Template<F> {
    /// Documents. `uri` has variables in its path, at most one between two slashes: `runbooks://of/{name}`. None is for a document that
    /// there is not.
    pub const fn new(uri: &'static str, name: &'static str, description: &'static str, read: F) -> Self {
        Self { about: About::new(uri, name, description), read }
    }

    /// A name for people, where `name` is none.
    pub fn title(mut self, title: &'static str) -> Self {
        self.about.title = Some(title);
        self
    }

    /// What the texts are: `text/markdown` for example, and `text/plain` if this is not said.
    pub fn mime_type(mut self, mime_type: &'static str) -> Self {
        self.about.mime_type = mime_type;
        self
    }

    /// The result of an MCP `resources/read` of this URI, if it fits the template, in JSON.
    pub(crate) fn read(&self, uri: &str) -> Option<Result<String, Error>> {
        let variables = variables(self.about.uri, uri)?;
        Some((self.read)(&variables).and_then(|text| self.about.contents(uri, text)))
    }
}

impl About {
    const fn new(uri: &'static str, name: &'static str, description: &'static str) -> Self {
        Self { uri, name, title: None, description, mime_type: PLAIN }
    }

    fn contents(&self, uri: &str, text: Option<String>) -> Result<String, Error> {
        let contents = text.into_iter().map(|text| Contents { uri, mime_type: self.mime_type, text }).collect();
        answer::written(&Read { contents })
    }
}

#[derive(Serialize)]
struct Read<'a> {
    contents: Vec<Contents<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Contents<'a> {
    uri: &'a str,
    mime_type: &'static str,
    text: String,
}

/// What stands in a URI for the variables of a template that it fits.
fn variables(template: &'static str, uri: &str) -> Option<Variables> {
    let mut segments = uri.split('/');
    let mut found = Vec::new();
    for pattern in template.split('/') {
        let segment = segments.next()?;
        match pattern.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
            Some((before, (name, after))) => {
                let value = segment.strip_prefix(before)?.strip_suffix(after)?;
                found.push((name, decoded(value)));
            }
            None if pattern == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(Variables(found))
}

/// A text whose percent-encoded bytes are as they were. Bytes that are no text are replaced.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
        match hex.filter(|_| byte == b'%') {
            Some(encoded) => {
                bytes.push(encoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_what_stands_in_their_place() {
        let found = variables("a://b/{x}/c-{y}.md", "a://b/1%20%C3%A9/c-2.md").expect("it fits");
        assert_eq!((found.get("x"), found.get("y"), found.get("z")), ("1 é", "2", ""));
        assert_eq!(variables("a://b/{x}", "a://b/%ff%2"), Some(Variables(vec![("x", "\u{fffd}%2".to_owned())])));
        for uri in ["a://b/1/c-2", "a://b/1", "a://b/1/c-2.md/3", "a://c/1/c-2.md", ""] {
            assert_eq!(variables("a://b/{x}/c-{y}.md", uri), None, "{uri}");
        }
    }
}
