//! Objects whose kind is known only when the tool runs: fields by their paths, and what is missing or of another type is empty.
//!
//! A type of an own says which fields the host should hand over, and its author is told when a name is wrong: where a tool knows the
//! kind, that is better. A view is less code, which counts where a tool reads many kinds.
//!
//! ```
//! use sandbar_tool::kubernetes::View;
//!
//! let pod = serde_json::json!({ "spec": { "nodeName": "n1", "containers": [{ "name": "app" }] }, "status": 7 });
//! let pod = View::of(&pod);
//! assert_eq!((pod.text("spec.nodeName"), pod.text("status.phase")), ("n1", ""));
//! assert_eq!(pod.list("spec.containers").map(|container| container.text("name")).collect::<Vec<_>>(), ["app"]);
//! ```

use serde_json::Value;

use super::lenient::shortened;
use super::{Condition, Owner, Quantity, Time, owners};
use crate::discovery::qualified;

/// An object, or a part of one.
#[derive(Clone, Copy, Debug)]
pub struct View<'a>(&'a Value);

/// Bytes of a condition's words at most.
const WORD_MAX: usize = 128;
const MESSAGE_MAX: usize = 1024;

impl<'a> View<'a> {
    /// A view of this.
    pub fn of(json: &'a Value) -> Self {
        Self(json)
    }

    /// What is at this path: dots separate, and no key has one. See [`key`](Self::key) for those that do.
    pub fn at(self, path: &str) -> Self {
        path.split('.').fold(self, Self::key)
    }

    /// What is under this key, whatever is in it.
    pub fn key(self, key: &str) -> Self {
        Self(self.0.get(key).unwrap_or(&Value::Null))
    }

    /// Whether there is something.
    pub fn has(self, path: &str) -> bool {
        self.at(path).has_itself()
    }

    /// This itself, to be kept.
    pub fn json(self) -> &'a Value {
        self.0
    }

    /// Whether this itself is something.
    pub fn has_itself(self) -> bool {
        !self.0.is_null()
    }

    /// The text at this path, or "".
    pub fn text(self, path: &str) -> &'a str {
        self.at(path).0.as_str().unwrap_or_default()
    }

    /// The number at this path, or 0.
    pub fn number(self, path: &str) -> i64 {
        self.at(path).0.as_i64().unwrap_or_default()
    }

    /// Whether it says `true` at this path.
    pub fn is(self, path: &str) -> bool {
        self.at(path).0.as_bool().unwrap_or_default()
    }

    /// The time at this path.
    pub fn time(self, path: &str) -> Option<Time> {
        Time::parse(self.text(path))
    }

    /// The entries of the list at this path.
    pub fn list(self, path: &str) -> impl Iterator<Item = View<'a>> + use<'a> {
        self.at(path).0.as_array().map_or(&[][..], Vec::as_slice).iter().map(View)
    }

    /// The members of the object at this path.
    pub fn members(self, path: &str) -> impl Iterator<Item = (&'a str, View<'a>)> + use<'a> {
        self.at(path).own_members()
    }

    /// The members of this itself.
    pub fn own_members(self) -> impl Iterator<Item = (&'a str, View<'a>)> + use<'a> {
        self.0.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), View(value)))
    }

    /// This itself as words: a text, a number, or "".
    pub fn words(self) -> String {
        match self.0 {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(is) => is.to_string(),
            _ => String::new(),
        }
    }

    /// This itself as an amount.
    pub fn quantity(self) -> Quantity {
        Quantity::parse(&self.words()).unwrap_or_default()
    }

    /// The object's name.
    pub fn name(self) -> &'a str {
        self.text("metadata.name")
    }

    /// The object's namespace; "" for a cluster-scoped one.
    pub fn namespace(self) -> &'a str {
        self.text("metadata.namespace")
    }

    /// The object's conditions.
    pub fn conditions(self) -> Vec<Condition> {
        let condition = |condition: View<'_>| {
            let word = |key: &str| shortened(condition.text(key).to_owned(), WORD_MAX);
            let some = |word: String| Some(word).filter(|word| !word.is_empty());
            Condition {
                r#type: word("type"),
                status: word("status"),
                reason: some(word("reason")),
                message: some(shortened(condition.text("message").to_owned(), MESSAGE_MAX)),
                last_transition_time: some(word("lastTransitionTime")),
                ..Condition::default()
            }
        };
        self.list("status.conditions").map(condition).collect()
    }

    /// The condition of this type, whether it holds or not.
    pub fn condition(self, of: &str) -> Option<View<'a>> {
        self.list("status.conditions").find(|condition| condition.text("type") == of)
    }

    /// The object's owners.
    pub fn owners(self) -> Vec<Owner> {
        let owner = |owner: View<'_>| Owner {
            api_version: owner.text("apiVersion").to_owned(),
            kind: owner.text("kind").to_owned(),
            name: owner.text("name").to_owned(),
            uid: owner.text("uid").to_owned(),
            is_controller: owner.is("controller"),
        };
        self.list("metadata.ownerReferences").map(owner).collect()
    }

    /// Kind and name of the owner that manages the object. The kind of a group that is not Kubernetes' own has it behind a dot, so that
    /// it is taken for no other.
    pub fn controller(self) -> Option<(String, &'a str)> {
        let owner = self.list("metadata.ownerReferences").find(|owner| owner.is("controller"))?;
        Some((qualified(owners::group(owner.text("apiVersion")), owner.text("kind")), owner.text("name")))
    }
}

/// What others wrote, on one line and in quotation marks, and this many bytes of it at most.
pub fn quoted(text: &str, bytes: usize) -> String {
    format!("\"{}\"", one_line(text, bytes))
}

/// What others wrote, on one line, of this many bytes at most. No more of it is looked at, but for white space.
pub fn one_line(text: &str, bytes: usize) -> String {
    let mut line = String::new();
    let mut pending_space = false;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            pending_space = !line.is_empty();
            continue;
        }
        if line.len() + usize::from(pending_space) + character.len_utf8() > bytes {
            line.truncate(line.floor_char_boundary(bytes.saturating_sub('…'.len_utf8())));
            line.push('…');
            return line;
        }
        if std::mem::take(&mut pending_space) {
            line.push(' ');
        }
        line.push(character);
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_or_of_another_type_is_empty() {
        let json =
            json!({ "metadata": { "labels": { "example.com/app": "web" } }, "spec": [1], "status": { "conditions": [7] } });
        let view = View::of(&json);
        assert_eq!(view.at("metadata.labels").key("example.com/app").words(), "web");
        assert_eq!(
            (view.text("spec.nodeName"), view.number("spec"), view.is("spec.paused"), view.has("spec.x")),
            ("", 0, false, false)
        );
        assert_eq!((view.list("metadata").count(), view.members("spec").count(), view.owners().len()), (0, 0, 0));
        assert_eq!(view.conditions(), [Condition::default()]);
    }

    #[test]
    fn a_controller_of_somebody_elses_group_is_none_of_kubernetes() {
        let controller = |api_version: &str| {
            let owner = json!({ "apiVersion": api_version, "kind": "Deployment", "name": "web", "controller": true });
            let json = json!({ "metadata": { "ownerReferences": [owner] } });
            View::of(&json).controller().map(|(kind, _)| kind)
        };
        assert_eq!(controller("apps/v1").as_deref(), Some("Deployment"));
        assert_eq!(controller("acme.io/v1").as_deref(), Some("Deployment.acme.io"));
        assert_eq!(controller("").as_deref(), Some("Deployment"), "it may not be said");
    }

    #[test]
    fn a_quotation_is_one_short_line() {
        assert_eq!(quoted(" a\n\n b ", 10), "\"a b\"");
        assert_eq!(quoted(&"long ".repeat(1000), 9), "\"long l…\"");
    }
}
