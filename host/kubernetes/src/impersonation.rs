//! Reading in the name of a call's caller: the headers by which the API server lets this server act as somebody else.
//!
//! By constrained impersonation the API server holds such a request to the rights of that somebody and to what this server may do in
//! their name. It has to be the same somebody: who would lose or gain something on the way is not impersonated at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sandbar_policy::{AUTHENTICATED, CREDENTIAL_ID, User, is_label};
use sandbar_text::clean_line;

use super::error::{Code, Error};

const USER: HeaderName = HeaderName::from_static("impersonate-user");
const GROUP: HeaderName = HeaderName::from_static("impersonate-group");
const UID: HeaderName = HeaderName::from_static("impersonate-uid");
const EXTRA: &str = "impersonate-extra-";

/// Escaped in the name of a header, as client-go does it: all that cannot stand there, and the sign of escapes itself.
pub(super) const HEADER_KEY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'*')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The group that no rule of RBAC limits, and that the API server lets nobody impersonate.
const MASTERS: &str = "system:masters";

/// How the names of ServiceAccounts and nodes begin.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";
const NODE: &str = "system:node:";

/// How the keys begin that the API server itself gives to a ServiceAccount: which pod, node or credential it was.
const OF_KUBERNETES: &str = "authentication.kubernetes.io/";

/// Bytes of a group or a key in a message.
const NAME_BYTES: usize = 256;

/// What becomes of the keys of a user's extra. A user with any other key is not impersonated: it may be one that takes rights away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraKeys {
    impersonated: BTreeSet<String>,
    dropped: BTreeSet<String>,
}

impl ExtraKeys {
    /// Those that are impersonated beside the one that the API server itself adds, and those that are left out.
    pub fn new(impersonated: &[String], dropped: &[String]) -> Self {
        let dropped: BTreeSet<String> = dropped.iter().cloned().collect();
        let impersonated = impersonated.iter().map(String::as_str).chain([CREDENTIAL_ID]);
        let impersonated = impersonated.filter(|&key| !dropped.contains(key)).map(str::to_owned).collect();
        Self { impersonated, dropped }
    }

    /// The keys that are impersonated, each of which takes a right.
    pub fn impersonated(&self) -> impl Iterator<Item = &str> {
        self.impersonated.iter().map(String::as_str)
    }
}

/// Somebody in whose name can be read.
#[derive(Debug)]
pub(super) struct Impersonated {
    user: Arc<User>,
    headers: HeaderMap,
}

impl Impersonated {
    /// Fails with `denied` if the API server does not allow impersonating this user, or if the headers would not carry the same identity.
    pub(super) fn new(user: Arc<User>, keys: &ExtraKeys) -> Result<Self, Error> {
        let headers = headers(&user, keys)
            .map_err(|why| Error::new(Code::Denied, format!("this server cannot read in the name of {}: {why}", user.shown())))?;
        Ok(Self { user, headers })
    }

    pub(super) fn user(&self) -> &User {
        &self.user
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

fn headers(user: &User, keys: &ExtraKeys) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let mut add = |name: HeaderName, text: &str, what: &str, called: &str| {
        let value = value(text).ok_or_else(|| format!("no header can hold the {what} {:?}", clean_line(called, NAME_BYTES)))?;
        headers.try_append(name, value).map(drop).map_err(|_| "they have more than fits into headers".to_owned())
    };
    if user.groups.iter().any(|group| group == MASTERS) {
        return Err(format!(
            "they are in the group {MASTERS}, and the API server lets nobody be impersonated with that; they have \
             to come as a user who has their rights by RBAC"
        ));
    }
    if user.name.starts_with(NODE) {
        return Err("they are a node".to_owned());
    }
    add(USER, &user.name, "name", &user.name)?;
    if let Some(namespace) = namespace_of_account(&user.name) {
        // The API server makes the groups of a ServiceAccount from its name, and takes neither these nor a uid nor extra.
        if !has_groups_of_account(user, namespace) {
            return Err("they are a ServiceAccount, and have not the groups of one".to_owned());
        }
        return match user.extra.keys().find(|key| !key.starts_with(OF_KUBERNETES) && !keys.dropped.contains(*key)) {
            None => Ok(headers),
            Some(key) => Err(format!(
                "they are a ServiceAccount whose `extra` has the key {:?}, which cannot be impersonated: where nothing in the cluster takes \
                 rights away by it, `authorization.extra.dropped` in sandbar.yaml may name it",
                clean_line(key, NAME_BYTES)
            )),
        };
    }
    for group in &user.groups {
        add(GROUP, group, "group", group)?;
    }
    if let Some(uid) = &user.uid {
        add(UID, uid, "uid", uid)?;
    }
    for (key, values) in user.extra.iter().filter(|(key, _)| !keys.dropped.contains(*key)) {
        if !keys.impersonated.contains(key) {
            let key = clean_line(key, NAME_BYTES);
            return Err(format!(
                "their `extra` has the key {key:?}, and the server's operator has not said what to do with it: \
                 `authorization.extra` in sandbar.yaml has to name it, as `impersonated` or as `dropped`"
            ));
        }
        let name = format!("{EXTRA}{}", utf8_percent_encode(key, HEADER_KEY));
        let name = HeaderName::try_from(name).map_err(|_| format!("no header can be named after {key:?} in their `extra`"))?;
        for value in values {
            add(name.clone(), value, "value of their `extra`", key)?;
        }
    }
    Ok(headers)
}

/// A header's value that arrives as it is: HTTP takes away blanks at both ends, which would make another name of it.
fn value(text: &str) -> Option<HeaderValue> {
    let is_kept = !text.is_empty() && text.trim_matches([' ', '\t']) == text;
    is_kept.then(|| HeaderValue::from_bytes(text.as_bytes()).ok()).flatten()
}

/// The namespace of a ServiceAccount, if it is the name of one.
fn namespace_of_account(name: &str) -> Option<&str> {
    let (namespace, name) = name.strip_prefix(SERVICE_ACCOUNT)?.split_once(':')?;
    (is_label(namespace) && !name.is_empty() && !name.contains(':')).then_some(namespace)
}

/// Whether they have the groups that the API server gives to a ServiceAccount of that namespace, and no other.
fn has_groups_of_account(user: &User, namespace: &str) -> bool {
    let own = ["system:serviceaccounts".to_owned(), format!("system:serviceaccounts:{namespace}")];
    let is_known = |group: &String| own.contains(group) || group == AUTHENTICATED;
    own.iter().all(|group| user.groups.contains(group)) && user.groups.iter().all(is_known)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn user(name: &str, groups: &[&str], extra: &[(&str, &[&str])]) -> User {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let extra: BTreeMap<_, _> = extra.iter().map(|(key, values)| ((*key).to_owned(), texts(values))).collect();
        User { name: name.into(), uid: None, groups: texts(groups), extra }
    }

    fn keys(impersonated: &[&str], dropped: &[&str]) -> ExtraKeys {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        ExtraKeys::new(&texts(impersonated), &texts(dropped))
    }

    /// The headers of a user as `name: value`, in order.
    fn sent(user: User, keys: &ExtraKeys) -> Result<Vec<String>, String> {
        let impersonated = Impersonated::new(Arc::new(user), keys).map_err(|error| error.message)?;
        let text = |value: &HeaderValue| String::from_utf8(value.as_bytes().to_vec()).expect("UTF-8");
        let mut sent: Vec<String> =
            impersonated.headers().iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
        sent.sort();
        Ok(sent)
    }

    #[test]
    fn a_user_is_impersonated_with_all_that_decides_their_rights() {
        let extra: &[(&str, &[&str])] =
            &[(CREDENTIAL_ID, &["JTI=1"]), ("example.com/a%b:c", &["x", "y, z"]), ("arn", &["secret"])];
        let ann = User { uid: Some("7".to_owned()), ..user("Ännchen <a@example.com>", &["b, c", "a"], extra) };
        assert_eq!(
            sent(ann, &keys(&["example.com/a%b:c"], &["arn"])).expect("all of it can be sent"),
            [
                "impersonate-extra-authentication.kubernetes.io%2fcredential-id: JTI=1",
                "impersonate-extra-example.com%2fa%25b%3ac: x",
                "impersonate-extra-example.com%2fa%25b%3ac: y, z",
                "impersonate-group: a",
                "impersonate-group: b, c",
                "impersonate-uid: 7",
                "impersonate-user: Ännchen <a@example.com>",
            ]
        );
    }

    #[test]
    fn a_service_account_is_its_name() {
        let name = "system:serviceaccount:team-a:agent";
        let own = ["system:serviceaccounts", "system:serviceaccounts:team-a", "system:authenticated"];
        let account = |groups: &[&str]| {
            let user = user(name, groups, &[("authentication.kubernetes.io/pod-name", &["web"])]);
            sent(User { uid: Some("7".to_owned()), ..user }, &keys(&[], &[]))
        };
        for groups in [&own[..], &own[..2]] {
            assert_eq!(account(groups).expect("a ServiceAccount's groups"), [format!("impersonate-user: {name}")]);
        }
        let scoped = user(name, &own, &[("scopes.example.com/x", &["read"])]);
        assert!(
            sent(scoped.clone(), &keys(&["scopes.example.com/x"], &[]))
                .expect_err("it would be lost")
                .contains("cannot be impersonated")
        );
        assert!(sent(scoped, &keys(&[], &["scopes.example.com/x"])).is_ok());
        for groups in [&own[1..], &own[..1], &[], &[own[0], own[1], "admins"], &[own[0], "system:serviceaccounts:team-b"]] {
            assert!(account(groups).expect_err("others").contains("not the groups of one"), "{groups:?}");
        }
        for other in ["system:serviceaccount:team-a", "system:serviceaccount:a:b:c", "system:serviceaccount:A:b", "ann"] {
            assert_eq!(namespace_of_account(other), None, "{other}");
        }
    }

    #[test]
    fn who_would_be_somebody_else_is_not_impersonated() {
        let scopes: &[(&str, &[&str])] = &[("scopes.example.com/x", &["read"])];
        for (user, why) in [
            (user("ann", &["devs", MASTERS], &[]), "system:masters"),
            (user("system:node:n1", &["system:nodes"], &[]), "a node"),
            (user("ann", &[], scopes), "`authorization.extra`"),
            (user("ann ", &[], &[]), "the name \"ann"),
            (user("ann", &["\tadmins"], &[]), "the group"),
            (user("ann", &["admins "], &[]), "the group"),
            (user("ann", &[""], &[]), "the group \"\""),
            (user("ann", &["a\r\nImpersonate-Group: system:masters"], &[]), "the group"),
            (user("ann\0", &[], &[]), "the name"),
            (user("ann", &[], &[(CREDENTIAL_ID, &[""])]), "value of their `extra`"),
        ] {
            let words = sent(user.clone(), &keys(&[], &[])).expect_err("somebody else");
            assert!(words.contains(why), "{user:?}: {words}");
        }
    }

    #[test]
    fn what_is_dropped_is_not_impersonated() {
        let keys = keys(&["example.com/a"], &[CREDENTIAL_ID]);
        assert_eq!(keys.impersonated().collect::<Vec<_>>(), ["example.com/a"]);
        assert_eq!(sent(user("ann", &[], &[(CREDENTIAL_ID, &["x"])]), &keys), Ok(vec!["impersonate-user: ann".to_owned()]));
    }
}
