//! Selectors, as far as they can be applied on this side.
//!
//! A server that pages applies them itself, and then this filter lets everything through. One that does not, the aggregated
//! Coder API for example, ignores selectors too, and what was not asked for must not reach the tool.

use sandbar_secrets::named;
use sandbar_snapshot::Selector;

use crate::name::ObjectName;
use crate::object::ObjectMeta;

/// The two fields that every kind of object can be selected by.
const NAME: &str = "metadata.name";
const NAMESPACE: &str = "metadata.namespace";

/// Both selectors of a list.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    labels: Selector,
    fields: Selector,
    /// A part that only the server can apply, or refuse.
    beyond_us: bool,
    /// A label or field that a term compares with what would be masked in an object.
    compares_secret: Option<String>,
}

impl Filter {
    /// Reads the selectors. What it cannot read is left to the server, which has the last word on their grammar anyway.
    pub(crate) fn parse(labels: Option<&str>, fields: Option<&str>) -> Self {
        let labels = Selector::parse_labels(labels.unwrap_or_default());
        let fields = Selector::parse_fields(fields.unwrap_or_default());
        let mut beyond_us = labels.is_err() || fields.is_err();
        let (labels, mut fields) = (labels.unwrap_or_default(), fields.unwrap_or_default());
        let is_secret =
            |key: &str, value: Option<&str>| named(key).is_some_and(|named| value.is_none_or(|value| named.hides(value)));
        let mut compared = labels.compared().chain(fields.compared());
        let compares_secret = compared.find(|&(key, value)| is_secret(key, value)).map(|(key, _)| key.to_owned());
        drop(compared);
        beyond_us |= fields.drop_unless(|key| matches!(key, NAME | NAMESPACE));
        Self { labels, fields, beyond_us, compares_secret }
    }

    /// The label or field by which secrets could be found out: a list says of each object whether a guess is right.
    pub(crate) fn compares_secret(&self) -> Option<&str> {
        self.compares_secret.as_deref()
    }

    /// Whether a part of the selectors is up to the server.
    pub(crate) fn is_beyond_us(&self) -> bool {
        self.beyond_us
    }

    /// Whether an object is among those that were asked for, as far as this side can tell.
    pub(crate) fn matches(&self, object: &ObjectMeta<'_>) -> bool {
        let selected = self.fields.matches(|key| Some(if key == NAME { &*object.name } else { &*object.namespace }));
        if !selected || self.labels.is_empty() {
            return selected;
        }
        let labels = object.labels();
        self.labels.matches(|key| labels.get(key))
    }
}

/// The name that a field selector narrows a list to, if it is exactly `metadata.name=NAME`. RBAC lets such a list pass a rule with
/// `resourceNames`.
pub(crate) fn single_name(field_selector: Option<&str>) -> Option<ObjectName> {
    let selector = Selector::parse_fields(field_selector?).ok()?;
    ObjectName::parse(selector.only_value_of(NAME)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Object;

    const OBJECT: &str = r#"{"metadata":{"namespace":"team-a","name":"web-0","labels":{"app":"web","example.com/n":"7"}}}"#;

    fn matches(labels: Option<&str>, fields: Option<&str>) -> bool {
        let filter = Filter::parse(labels, fields);
        assert!(!filter.is_beyond_us(), "{labels:?} {fields:?}");
        filter.matches(&Object::read(OBJECT.as_bytes()).expect("valid").identity().expect("valid"))
    }

    #[test]
    fn labels_are_selected_on_this_side() {
        for selector in ["", "app=web", "app in (api,web)", "!owner", "example.com/n>6"] {
            assert!(matches(Some(selector), None), "{selector}");
        }
        for selector in ["app=api", "app notin (web)", "owner", "example.com/n<7"] {
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
        for (labels, fields) in [(Some("app=we b"), None), (Some("a,(b"), None), (None, Some("spec.nodeName=n1"))] {
            let filter = Filter::parse(labels, fields);
            assert!(filter.is_beyond_us(), "{labels:?} {fields:?}");
            assert!(filter.matches(&Object::read(OBJECT.as_bytes()).expect("valid").identity().expect("valid")));
        }
    }

    #[test]
    fn a_list_of_one_name_is_found_out() {
        let name = |selector| single_name(Some(selector)).map(|name| name.as_str().to_owned());
        assert_eq!(name("metadata.name=web-0").as_deref(), Some("web-0"));
        assert_eq!(name("metadata.name==web-0").as_deref(), Some("web-0"));
        for other in ["metadata.name!=web-0", "metadata.name=a,metadata.namespace=b", "metadata.namespace=a", "metadata.name="] {
            assert_eq!(name(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_masked_cannot_be_found_out_by_asking_for_it() {
        let compares = |labels| Filter::parse(Some(labels), None).compares_secret().map(str::to_owned);
        for labels in
            ["db-password>5", "app=web,example.com/password=hunter22x", "api-token in (a8Fk29dLq0Zx)", "password!=hunter22x"]
        {
            assert!(compares(labels).is_some(), "{labels}");
        }
        for labels in
            ["app=web", "generation>3", "password", "!db-password", "app.kubernetes.io/name=password-store", "tier in (a,b)"]
        {
            assert_eq!(compares(labels), None, "{labels}");
        }
        let field = Filter::parse(None, Some("spec.password=hunter22x"));
        assert_eq!(field.compares_secret(), Some("spec.password"));
    }
}
