//! Which right is missing, and whose, in the words of RBAC.

use sandbar_policy::{Access, Place, User, Verb};

use super::error::{Code, Error};
use super::exchange::Failure;
use super::response::Refusal;

/// The verb of impersonation as it was before it was constrained. It stands for all that a user may do, so it is never asked for.
const LEGACY: &str = "impersonate";

/// How the verbs of constrained impersonation begin: as somebody at all, and for this verb.
const CONSTRAINED: [&str; 2] = ["impersonate:", "impersonate-on:"];

/// What the API server's authorizer has refused, by its own words: `User "ann" cannot get resource "pods" in API group "" ...`.
struct Forbidden<'a> {
    verb: &'a str,
    resource: &'a str,
    group: &'a str,
}

impl<'a> Forbidden<'a> {
    /// None for a message of somebody else: a proxy, an admission plugin, a kubelet.
    fn parse(message: &'a str) -> Option<Self> {
        let (_, rest) = message.split_once("is forbidden: User \"")?;
        // The name is quoted as Go does it, so whatever it holds ends before the first quote without a backslash.
        let mut escaped = false;
        let end = rest.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        let (verb, rest) = rest[end + 1..].strip_prefix(" cannot ")?.split_once(" resource \"")?;
        let (resource, rest) = rest.split_once('"')?;
        let (group, _) = rest.strip_prefix(" in API group \"")?.split_once('"')?;
        Some(Self { verb, resource, group })
    }
}

/// Why a read in the name of a user was refused: the user lacks the right, or this server lacks that of reading in their name, or the
/// API server does not know of constrained impersonation.
pub(super) fn in_the_name_of(user: &User, access: &Access<'_>, refusal: Refusal) -> Failure {
    let name = user.shown();
    let denied = |words: String| Failure::Failed(Error::new(Code::Denied, words));
    match Forbidden::parse(&refusal.message) {
        Some(Forbidden { verb: LEGACY, .. }) => denied(
            "this server reads in the name of its callers by constrained impersonation, which this API server does not know: it takes \
             Kubernetes 1.36 or later. On an older one the server's operator has to set `authorization.rights` to `caller`"
            .to_owned(),
        ),
        Some(Forbidden { verb, resource, group }) if CONSTRAINED.iter().any(|begin| verb.starts_with(begin)) => denied(format!(
            "this server may not {} in the name of {name}: it lacks a {} with the rule {}; its operator has to apply what `sandbar rbac` \
             prints",
            access,
            if verb.starts_with(CONSTRAINED[0]) { "ClusterRole" } else { role(access) },
            rule(group, resource, verb),
        )),
        Some(_) => Failure::Forbidden(caller_lacks(user, access)),
        None => denied(format!("the API server refuses this to {name}: {}", refusal.message)),
    }
}

/// A caller may not read something.
pub(super) fn caller_lacks(user: &User, access: &Access<'_>) -> Error {
    let (name, role) = (user.shown(), role(access));
    let rule = rule(access.group, access.resource, access.verb.as_str());
    let words =
        format!("{name} may not {access}: the caller's own rights count here, and they lack a {role} with the rule {rule}");
    Error::new(Code::Denied, words)
}

/// The kind of role that can allow it.
fn role(access: &Access<'_>) -> &'static str {
    if matches!(access.place, Place::Namespace(_)) || is_namespace(access) { "Role" } else { "ClusterRole" }
}

fn rule(group: &str, resource: &str, verb: &str) -> String {
    format!("{{apiGroups: [{group:?}], resources: [{resource:?}], verbs: [{verb:?}]}}")
}

/// Whether a namespace itself is got. To Kubernetes it is in itself, so that a Role there can allow that; a list of one is of all of them.
pub(super) fn is_namespace(access: &Access<'_>) -> bool {
    access.verb == Verb::Get && access.group.is_empty() && access.resource == "namespaces" && access.name.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_an_authorizer_are_taken_apart() {
        let parsed = |message: &str| {
            Forbidden::parse(message).map(|Forbidden { verb, resource, group }| format!("{verb} {resource} {group}"))
        };
        for (message, expected) in [
            (
                r#"events is forbidden: User "ann" cannot list resource "events" in API group "" in the namespace "a""#,
                Some("list events "),
            ),
            (
                r#"userextras.authentication.k8s.io "q" is forbidden: User "s" cannot impersonate:user-info resource "userextras/a.b/c" in API group "authentication.k8s.io" at the cluster scope: why"#,
                Some("impersonate:user-info userextras/a.b/c authentication.k8s.io"),
            ),
            // A name that looks like the rest of the message.
            (
                r#"pods "web" is forbidden: User "a\" cannot impersonate resource \"users\" in API group \"\"" cannot get resource "pods" in API group "" in the namespace "a""#,
                Some("get pods "),
            ),
            (
                r#"pods is forbidden: User "a\\" cannot get resource "pods" in API group "" at the cluster scope"#,
                Some("get pods "),
            ),
            (r#"pods is forbidden: User "a\" cannot get resource "pods""#, None),
            (r#"forbidden: User "ann" cannot get path "/readyz""#, None),
            ("no pods for you", None),
            ("", None),
        ] {
            assert_eq!(parsed(message).as_deref(), expected, "{message}");
        }
    }
}
