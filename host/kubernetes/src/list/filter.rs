//! Selectors, as far as they can be applied on this side.
//!
//! A server that pages applies them itself, and then this filter lets everything through. One that does not, the aggregated
//! Coder API for example, ignores selectors too, and what was not asked for must not reach the tool.

use sandbar_secrets::{named, quotable};
use sandbar_snapshot::Selector;

use crate::name::ObjectName;
use crate::object::ObjectMeta;

/// The two fields that every kind of object can be selected by.
const NAME: &str = "metadata.name";
const NAMESPACE: &str = "metadata.namespace";

/// The fields under which Secrets have their values. No API server selects by one, a snapshot by any.
const VALUES: [&str; 2] = ["data.", "stringData."];

/// Bytes of what is said of a selector.
const WORDS_MAX: usize = 512;

/// Both selectors of a list.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    labels: Selector,
    fields: Selector,
    /// A part that only the server can apply, or refuse.
    beyond_us: bool,
    /// Why they cannot be sent where secrets are masked.
    unfit_for_masks: Option<String>,
}

impl Filter {
    /// Reads the selectors.
    pub(crate) fn parse(labels: Option<&str>, fields: Option<&str>) -> Self {
        let labels = Selector::parse_labels(labels.unwrap_or_default());
        let fields = Selector::parse_fields(fields.unwrap_or_default());
        let unfit_for_masks = unfit_for_masks(labels.as_ref(), fields.as_ref());
        let mut beyond_us = labels.is_err() || fields.is_err();
        let (labels, mut fields) = (labels.unwrap_or_default(), fields.unwrap_or_default());
        beyond_us |= fields.drop_unless(|key| matches!(key, NAME | NAMESPACE));
        Self { labels, fields, beyond_us, unfit_for_masks }
    }

    /// Why the selectors cannot be sent where secrets are masked: a list says of each object whether a guess is right. So what is compared
    /// has to be known, and what cannot be read here is not left to the server, which may read it otherwise.
    pub(crate) fn unfit_for_masks(&self) -> Option<&str> {
        self.unfit_for_masks.as_deref()
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

fn unfit_for_masks(labels: Result<&Selector, &String>, fields: Result<&Selector, &String>) -> Option<String> {
    let invalid = |what: &str, error: &str| Some(quotable(format_args!("the {what} selector is invalid: {error}"), WORDS_MAX));
    let (labels, fields) = match (labels, fields) {
        (Err(error), _) => return invalid("label", error),
        (_, Err(error)) => return invalid("field", error),
        (Ok(labels), Ok(fields)) => (labels, fields),
    };
    if let Some((field, _)) = fields.compared().find(|(field, _)| !field.bytes().all(|byte| byte.is_ascii_graphic())) {
        return invalid("field", &format!("{field:?} is no field"));
    }
    let is_value = |field: &str| VALUES.iter().any(|values| field.starts_with(values));
    let is_secret = |key: &str, value: Option<&str>| named(key).is_some_and(|named| value.is_none_or(|value| named.hides(value)));
    let compares_secret = labels
        .compared()
        .chain(fields.compared())
        .find(|&(key, value)| is_secret(key, value))
        .or_else(|| fields.compared().find(|(field, _)| is_value(field)));
    let (key, _) = compares_secret?;
    let words =
        format_args!("{key:?} is masked in what is read here, and cannot be asked for by a selector either; leave it out");
    Some(quotable(words, WORDS_MAX))
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
        let unfit = |labels| Filter::parse(Some(labels), None).unfit_for_masks().map(str::to_owned);
        for labels in
            ["db-password>5", "app=web,example.com/password=hunter22x", "api-token in (a8Fk29dLq0Zx)", "password!=hunter22x"]
        {
            assert!(unfit(labels).is_some_and(|words| words.contains("cannot be asked for by a selector")), "{labels}");
        }
        for labels in
            ["app=web", "generation>3", "password", "!db-password", "app.kubernetes.io/name=password-store", "tier in (a,b)"]
        {
            assert_eq!(unfit(labels), None, "{labels}");
        }
        for field in ["spec.password=hunter22x", "data.pin=NDcxMQ==", "metadata.name=a,stringData.pin!=4711"] {
            let field = field.replace("==", "\\=\\=");
            let filter = Filter::parse(None, Some(&field));
            assert!(filter.unfit_for_masks().is_some_and(|words| words.contains("cannot be asked for")), "{field}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_sent_where_secrets_are_masked() {
        // The API server takes a NUL for the end of a word or of all: for it, these compare the password.
        for labels in [
            "db-password>471192\0",
            "db-password\0>471192",
            "db-password>\x00471192",
            "db-password\0=hunter22x",
            "db-password in (hunter22x)\0)",
            "db-password=hunter22x\0,=",
            "\0db-password>471192",
            "app=web,db-password>4\0",
            "db-password>471192 ",
            "db-password > +471192",
            "db-password>471192\u{b}",
            "db-password\u{a0}>471192",
            "db-password>471192,,",
            "db-password=\"hunter22x\"",
            "db-password==\\hunter22x",
            "((",
        ] {
            assert!(Filter::parse(Some(labels), None).unfit_for_masks().is_some(), "{labels:?}");
        }
        for fields in [
            "spec.password\0=hunter22x",
            " spec.password=hunter22x",
            "spec.password\\=hunter22x",
            "spec.x=a=b",
            "spec.x",
            "spec.x=\\",
        ] {
            let words = Filter::parse(None, Some(fields)).unfit_for_masks.expect(fields);
            assert!(words.contains("selector") && !words.contains('\0'), "{fields:?}: {words}");
        }
        let words = Filter::parse(Some("app=we b"), None).unfit_for_masks;
        assert_eq!(words.as_deref(), Some("the label selector is invalid: found 'b', expected: ',' or 'end of string'"));
        for (labels, fields) in [
            (" app = web , tier in ( a , b ),!x", "metadata.name=web-0"),
            ("a in ()", "type!=a\\,b\\=c\\\\"),
            ("a notin (,b,,)", ",metadata.namespace==é,"),
            ("in in (notin)", ""),
        ] {
            assert_eq!(Filter::parse(Some(labels), Some(fields)).unfit_for_masks(), None, "{labels} {fields}");
        }
    }
}
