//! Label and field selectors, as far as they can be applied on this side.
//!
//! A server that pages applies them itself, and then this filter lets everything through. One that does not, the aggregated
//! Coder API for example, ignores selectors too, and what was not asked for must not reach the tool.

use std::collections::HashMap;

use super::error::Error;
use super::items::malformed;
use super::name::ObjectName;
use super::prune::Identity;

/// Both selectors of a list.
#[derive(Debug, Default)]
pub(super) struct Filter {
    labels: Vec<LabelTerm>,
    fields: Vec<FieldTerm>,
    /// A part that only the server can apply, or refuse.
    beyond_us: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum LabelTerm {
    In(String, Vec<String>),
    /// Also true of an object without the label.
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Greater(String, i64),
    Less(String, i64),
}

#[derive(Debug, PartialEq, Eq)]
struct FieldTerm {
    field: Field,
    equal: bool,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
}

impl Filter {
    /// Reads the selectors. What it cannot read is left to the server, which has the last word on their grammar anyway.
    pub(super) fn parse(labels: Option<&str>, fields: Option<&str>) -> Self {
        let mut filter = Self::default();
        match labels.map_or(Some(Vec::new()), label_terms) {
            Some(terms) => filter.labels = terms,
            None => filter.beyond_us = true,
        }
        for term in fields.into_iter().flat_map(|fields| fields.split(',')).filter(|term| !term.trim().is_empty()) {
            match field_term(term) {
                Some(term) => filter.fields.push(term),
                None => filter.beyond_us = true,
            }
        }
        filter
    }

    /// Whether a part of the selectors is up to the server.
    pub(super) fn is_beyond_us(&self) -> bool {
        self.beyond_us
    }

    /// Whether an object is among those that were asked for, as far as this side can tell.
    pub(super) fn matches(&self, object: &Identity<'_>) -> Result<bool, Error> {
        let fields = self.fields.iter().all(|term| {
            let value = match term.field {
                Field::Name => &object.name,
                Field::Namespace => &object.namespace,
            };
            (term.value == *value) == term.equal
        });
        if !fields || self.labels.is_empty() {
            return Ok(fields);
        }
        let labels: HashMap<String, String> = match object.labels {
            Some(labels) => serde_json::from_str(labels.get()).map_err(|error| malformed(&format!("labels: {error}")))?,
            None => HashMap::new(),
        };
        Ok(self.labels.iter().all(|term| term.matches(&labels)))
    }
}

/// The name that a field selector narrows a list to, if it is exactly `metadata.name=NAME`. RBAC lets such a list pass a rule with
/// `resourceNames`.
pub(super) fn single_name(field_selector: Option<&str>) -> Option<ObjectName> {
    let term = field_term(field_selector?)?;
    if term.field != Field::Name || !term.equal {
        return None;
    }
    ObjectName::parse(&term.value).ok()
}

impl LabelTerm {
    fn matches(&self, labels: &HashMap<String, String>) -> bool {
        let number = |key: &String| labels.get(key)?.parse::<i64>().ok();
        match self {
            LabelTerm::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            LabelTerm::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            LabelTerm::Exists(key) => labels.contains_key(key),
            LabelTerm::Absent(key) => !labels.contains_key(key),
            LabelTerm::Greater(key, bound) => number(key).is_some_and(|value| value > *bound),
            LabelTerm::Less(key, bound) => number(key).is_some_and(|value| value < *bound),
        }
    }
}

/// `metadata.name=web-0`; none for every other field, and for the escapes that no name needs.
fn field_term(term: &str) -> Option<FieldTerm> {
    let (field, equal, value) = if let Some((field, value)) = term.split_once("!=") {
        (field, false, value)
    } else {
        let (field, value) = term.split_once('=')?;
        (field, true, value.strip_prefix('=').unwrap_or(value))
    };
    let field = match field.trim() {
        "metadata.name" => Field::Name,
        "metadata.namespace" => Field::Namespace,
        _ => return None,
    };
    let value = value.trim();
    (!value.contains(['\\', '=', ','])).then(|| FieldTerm { field, equal, value: value.to_owned() })
}

/// The terms of a label selector; none: this is none that we can read.
fn label_terms(selector: &str) -> Option<Vec<LabelTerm>> {
    split_terms(selector).into_iter().filter(|term| !term.is_empty()).map(label_term).collect()
}

/// Splits at the commas outside of parentheses.
fn split_terms(selector: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let terms = selector.split(|c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    });
    terms.map(str::trim).collect()
}

fn label_term(term: &str) -> Option<LabelTerm> {
    if let Some(key) = term.strip_prefix('!') {
        return Some(LabelTerm::Absent(label_key(key)?));
    }
    if let Some((key, value)) = term.split_once("!=") {
        return Some(LabelTerm::NotIn(label_key(key)?, vec![label_value(value)?]));
    }
    if let Some((key, value)) = term.split_once('=') {
        return Some(LabelTerm::In(label_key(key)?, vec![label_value(value.strip_prefix('=').unwrap_or(value))?]));
    }
    if let Some((key, bound)) = term.split_once('>') {
        return Some(LabelTerm::Greater(label_key(key)?, bound.trim().parse().ok()?));
    }
    if let Some((key, bound)) = term.split_once('<') {
        return Some(LabelTerm::Less(label_key(key)?, bound.trim().parse().ok()?));
    }
    if let Some((before, set)) = term.split_once('(') {
        let values = set.strip_suffix(')')?.split(',').map(label_value).collect::<Option<Vec<_>>>()?;
        let (key, operator) = before.trim().split_once(char::is_whitespace)?;
        return match operator.trim() {
            "in" => Some(LabelTerm::In(label_key(key)?, values)),
            "notin" => Some(LabelTerm::NotIn(label_key(key)?, values)),
            _ => None,
        };
    }
    Some(LabelTerm::Exists(label_key(term)?))
}

/// A label's key: an optional prefix, a slash, a name. Only what may stand in it is checked; the server checks the rest.
fn label_key(text: &str) -> Option<String> {
    let key = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    (!key.is_empty() && key.chars().all(allowed)).then(|| key.to_owned())
}

/// A label's value, which may be empty.
fn label_value(text: &str) -> Option<String> {
    let value = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    value.chars().all(allowed).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::prune::identify;

    const OBJECT: &str = r#"{"metadata":{"namespace":"team-a","name":"web-0","labels":{"app":"web","tier":"front","example.com/n":"7","empty":""}}}"#;

    fn matches(labels: Option<&str>, fields: Option<&str>) -> bool {
        let filter = Filter::parse(labels, fields);
        assert!(!filter.is_beyond_us(), "{labels:?} {fields:?}");
        filter.matches(&identify(OBJECT).expect("valid")).expect("valid")
    }

    #[test]
    fn label_selectors_mean_what_they_mean_to_kubernetes() {
        for selector in [
            "",
            "app=web",
            "app == web",
            "app=web,tier=front",
            "tier!=back",
            "owner!=me",
            "app in (api, web)",
            "app notin (api)",
            "owner notin (me)",
            "app",
            "!owner",
            "example.com/n>6",
            "example.com/n<8",
            "empty=",
            "app in (web),tier in (front,back)",
        ] {
            assert!(matches(Some(selector), None), "{selector}");
        }
        for selector in [
            "app=api",
            "app=web,tier=back",
            "tier!=front",
            "app in (api)",
            "app notin (web,api)",
            "owner",
            "!app",
            "example.com/n>7",
            "example.com/n<7",
            "app>1",
            "owner=me",
            "empty=x",
        ] {
            assert!(!matches(Some(selector), None), "{selector}");
        }
    }

    #[test]
    fn name_and_namespace_are_selected_on_this_side() {
        assert!(matches(None, Some("metadata.name=web-0")));
        assert!(matches(None, Some("metadata.name==web-0,metadata.namespace!=team-b")));
        assert!(!matches(None, Some("metadata.name!=web-0")));
        assert!(!matches(None, Some("metadata.namespace=team-b")));
    }

    #[test]
    fn what_only_the_server_can_apply_is_left_to_it() {
        for (labels, fields) in
            [(Some("app=we b"), None), (Some("app in web"), None), (Some("a,(b"), None), (None, Some("spec.nodeName=n1"))]
        {
            let filter = Filter::parse(labels, fields);
            assert!(filter.is_beyond_us(), "{labels:?} {fields:?}");
            assert!(filter.matches(&identify(OBJECT).expect("valid")).expect("valid"));
        }
    }

    #[test]
    fn a_list_of_one_name_is_found_out() {
        let name = |selector| single_name(Some(selector)).map(|name| name.as_str().to_owned());
        assert_eq!(name("metadata.name=web-0").as_deref(), Some("web-0"));
        assert_eq!(name("metadata.name==web-0").as_deref(), Some("web-0"));
        for other in [
            "metadata.name!=web-0",
            "metadata.name=a,metadata.namespace=b",
            "metadata.namespace=a",
            "metadata.name=a\\,b",
            "metadata.name=",
        ] {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
