//! Cursors: where a list goes on.
//!
//! A cursor travels through a model and comes back, to this replica or another, so it may be old, cut short, made up, or meant for
//! another list. It only ever says *where* in a list to go on, never *which* list: the query says that anew, the grant is checked
//! anew, and a cursor that was not made for this query is refused. It is not signed, because replicas share no key and there is
//! nothing to gain from forging one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sandbar_policy::{Namespaces, ONLY_CLUSTER, is_label};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::{Code, Error};
use crate::types::{Query, Scope};

/// The layout of [`Wire`].
const VERSION: u8 = 1;

/// Bytes of an encoded cursor. A server's token is a few hundred.
const CURSOR_MAX: usize = 16 * 1024;

/// Bytes of the digest that ties a cursor to its list: enough that two lists do not meet by accident.
const BINDING_LEN: usize = 16;

/// What tells an object from the others of a list, in the order of lists that we cut ourselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// How far one list has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// Not at all.
    Start,
    /// Up to the server's own token.
    Token(String),
    /// Up to and with this object, in a list that the server does not page.
    After(Key),
}

/// How far a query has been answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    /// In a list over the allowed namespaces: the one that it stands in.
    pub(super) namespace: Option<String>,
    /// Where in that list.
    pub(super) position: Position,
    /// In a list over the allowed namespaces: at least one has answered so far.
    pub(super) answered: bool,
}

/// The list that a cursor belongs to.
pub(super) struct Binding(String);

/// A cursor as it travels, in base64url.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "v")]
    version: u8,
    #[serde(rename = "l")]
    list: String,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    after: Option<Key>,
    #[serde(rename = "o", default)]
    answered: bool,
}

impl Binding {
    /// Everything that makes two lists different, and the namespaces that the operator allows: a cursor does not outlive them. `cluster` is
    /// its name, which is empty where there is one cluster without a name.
    pub(super) fn new(query: &Query, allowed: &Namespaces, cluster: &str) -> Self {
        let mut digest = Sha256::new();
        let mut part = |text: &str| {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        };
        if cluster != ONLY_CLUSTER {
            // No group has a colon.
            part(&format!("cluster:{cluster}"));
        }
        part(&query.of.group);
        part(&query.of.plural);
        match &query.within {
            Scope::Cluster => part("cluster"),
            Scope::EveryNamespace => part("every"),
            Scope::Namespace(namespace) => {
                part("one");
                part(namespace);
            }
        }
        for selector in [&query.label_selector, &query.field_selector] {
            part(selector.as_deref().unwrap_or_default());
        }
        match allowed {
            Namespaces::All => part("all"),
            Namespaces::Only(names) => names.iter().for_each(|name| part(name)),
        }
        Self(URL_SAFE_NO_PAD.encode(&digest.finalize()[..BINDING_LEN]))
    }

    /// The cursor as the client gets it.
    pub(super) fn seal(&self, cursor: Cursor) -> Result<String, Error> {
        let (token, after) = match cursor.position {
            Position::Start => (None, None),
            Position::Token(token) => (Some(token), None),
            Position::After(key) => (None, Some(key)),
        };
        let wire =
            Wire { version: VERSION, list: self.0.clone(), namespace: cursor.namespace, token, after, answered: cursor.answered };
        let json =
            serde_json::to_vec(&wire).map_err(|error| Error::new(Code::Other, format!("cannot write the cursor: {error}")))?;
        let sealed = URL_SAFE_NO_PAD.encode(json);
        if sealed.len() > CURSOR_MAX {
            let words = "the API server names a place in this list that is too long for a cursor; narrow the query, or ask for more objects on a page";
            return Err(Error::new(Code::TooLarge, words));
        }
        Ok(sealed)
    }

    /// The cursor that a client sent. Errors: `invalid`, for what is no cursor and for one of another list.
    pub(super) fn open(&self, text: &str) -> Result<Cursor, Error> {
        let wire: Wire = Some(text)
            .filter(|text| text.len() <= CURSOR_MAX)
            .and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
            .and_then(|json| serde_json::from_slice(&json).ok())
            .filter(|wire: &Wire| wire.version == VERSION)
            .ok_or_else(|| {
                Error::new(Code::Invalid, "`continue` is not a cursor of this server; start the list again without it")
            })?;
        if wire.list != self.0 || wire.namespace.as_deref().is_some_and(|namespace| !is_label(namespace)) {
            return Err(Error::new(
                Code::Invalid,
                "this cursor belongs to another list: cluster, resource, scope and selectors have to be those of the page before, and so \
                 does what this server may look into; start the list again without `continue`",
            ));
        }
        let position = match (wire.token, wire.after) {
            (Some(token), _) => Position::Token(token),
            (None, Some(key)) => Position::After(key),
            (None, None) => Position::Start,
        };
        Ok(Cursor { namespace: wire.namespace, position, answered: wire.answered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Resource;

    fn query() -> Query {
        Query {
            of: Resource { group: String::new(), version: "v1".into(), plural: "pods".into() },
            within: Scope::Namespace("team-a".into()),
            label_selector: None,
            field_selector: None,
            fields: None,
            limit: None,
            continue_: None,
        }
    }

    fn cursor(position: Position) -> Cursor {
        Cursor { namespace: Some("team-a".into()), position, answered: true }
    }

    #[test]
    fn a_cursor_comes_back_as_it_left() {
        let binding = Binding::new(&query(), &Namespaces::All, ONLY_CLUSTER);
        let key = Key { namespace: "team-a".into(), name: "web-0".into() };
        for position in [Position::Start, Position::Token("t/+=".into()), Position::After(key)] {
            let text = binding.seal(cursor(position.clone())).expect("sealed");
            assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{text}");
            assert_eq!(binding.open(&text).expect("its own"), cursor(position));
        }
    }

    #[test]
    fn a_cursor_is_good_for_its_own_list_alone() {
        let text =
            Binding::new(&query(), &Namespaces::All, ONLY_CLUSTER).seal(cursor(Position::Token("t".into()))).expect("sealed");
        let only = |name: &str| [name.to_owned()].into_iter().collect::<Namespaces>();
        let others: [(Query, Namespaces); 7] = [
            (Query { within: Scope::Namespace("team-b".into()), ..query() }, Namespaces::All),
            (Query { within: Scope::EveryNamespace, ..query() }, Namespaces::All),
            (Query { label_selector: Some("a=b".into()), ..query() }, Namespaces::All),
            (Query { field_selector: Some("a=b".into()), ..query() }, Namespaces::All),
            (Query { of: Resource { plural: "events".into(), ..query().of }, ..query() }, Namespaces::All),
            (Query { of: Resource { group: "apps".into(), ..query().of }, ..query() }, Namespaces::All),
            (query(), only("team-a")),
        ];
        for (query, allowed) in others {
            let error = Binding::new(&query, &allowed, ONLY_CLUSTER).open(&text).expect_err("another list");
            assert_eq!(error.code, Code::Invalid);
            assert!(error.message.starts_with("this cursor belongs to another list"), "{}", error.message);
        }
        let larger = Query { limit: Some(7), fields: Some(vec!["kind".into()]), ..query() };
        assert!(
            Binding::new(&larger, &Namespaces::All, ONLY_CLUSTER).open(&text).is_ok(),
            "the size of a page may change on the way"
        );
    }

    #[test]
    fn a_cursor_is_good_in_its_own_cluster_alone() {
        let names = [ONLY_CLUSTER, "one", "two"];
        for (from, to) in names.into_iter().flat_map(|from| names.map(|to| (from, to))) {
            let text = Binding::new(&query(), &Namespaces::All, from).seal(cursor(Position::Start)).expect("sealed");
            assert_eq!(Binding::new(&query(), &Namespaces::All, to).open(&text).is_ok(), from == to, "from {from:?} in {to:?}");
        }
        // The cursor of a cluster without a name is the same in every replica, and after an update.
        assert_eq!(Binding::new(&query(), &Namespaces::All, ONLY_CLUSTER).0, "yOauHQJURwSj0QmIa76kFA");
    }

    #[test]
    fn what_is_no_cursor_is_invalid() {
        let binding = Binding::new(&query(), &Namespaces::All, ONLY_CLUSTER);
        let good = binding.seal(cursor(Position::Start)).expect("sealed");
        let json = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let long = "A".repeat(CURSOR_MAX + 1);
        for text in ["", "x", "%%%", &good[..good.len() - 3], &json("{}"), &json(r#"{"v":2,"l":""}"#), &json("[1]"), &long] {
            assert_eq!(binding.open(text).expect_err(text).code, Code::Invalid);
        }
        let foreign = json(&format!(r#"{{"v":1,"l":"{}","n":"../x"}}"#, binding.0));
        assert_eq!(binding.open(&foreign).expect_err("no namespace").code, Code::Invalid);
    }

    #[test]
    fn a_place_that_no_client_could_send_back_is_no_cursor() {
        let cursor = |length| Cursor { namespace: None, position: Position::Token("x".repeat(length)), answered: true };
        let binding = Binding::new(&query(), &Namespaces::All, ONLY_CLUSTER);
        let longest = binding.seal(cursor(CURSOR_MAX / 4 * 3 - 100)).expect("short enough");
        assert!(binding.open(&longest).is_ok());
        assert_eq!(binding.seal(cursor(CURSOR_MAX)).expect_err("too long").code, Code::TooLarge);
    }
}
