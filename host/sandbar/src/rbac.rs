//! The Kubernetes roles that a set of grants needs: computed, never written by hand.

use std::collections::BTreeSet;

use k8s_openapi::api::rbac::v1::{self as api, ClusterRole, ClusterRoleBinding, Role, RoleBinding, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use sandbar_kubernetes::{AGGREGATOR_CONFIG_MAP, AGGREGATOR_READER, ApiResources, ExtraKeys, Permission};
use sandbar_policy::{Grant, Namespaces, POD_LOGS, PolicyRule, Verb};
use serde::Serialize;

use crate::labels;

/// Who gets the roles, and what they are called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// The name of the roles and bindings.
    pub name: String,
    /// The ServiceAccount.
    pub service_account: String,
    /// Its namespace.
    pub namespace: String,
}

/// An object of a cluster that gives a ServiceAccount its rights.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Object {
    ClusterRole(ClusterRole),
    ClusterRoleBinding(ClusterRoleBinding),
    Role(Role),
    RoleBinding(RoleBinding),
}

/// A rule whose wildcard cannot be turned into names. Kubernetes' `*` covers Secrets, logs and every subresource, which Sandbar's does
/// not, and RBAC has no "all but".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WildcardError {
    /// Nobody has said what the cluster serves.
    #[error(
        "the rule {0} has a wildcard, which means more to Kubernetes than to Sandbar, and no cluster has said what it stands for"
    )]
    NotExpanded(String),
    /// A part of the cluster that the wildcard may cover has not said what it serves.
    #[error(
        "the wildcard in the rule {rule} cannot be expanded, because the cluster does not say what it serves in {part}: {reason}; try again, or name the groups and resources in sandbar.yaml"
    )]
    Unanswered {
        /// The rule.
        rule: String,
        /// The API group and its version.
        part: String,
        /// Why there is no answer.
        reason: String,
    },
    /// Nothing of what the cluster serves is meant.
    #[error("the rule {0} means nothing that the cluster serves: name the groups and resources in sandbar.yaml")]
    Nothing(String),
}

/// Whether discovery has to be asked before roles can be printed.
pub(crate) fn has_wildcard(grants: &[Grant]) -> bool {
    grants.iter().any(|grant| grant.rules.iter().chain(&grant.cluster_rules).any(PolicyRule::has_wildcard))
}

/// The grants with names in the place of every wildcard: those of what the cluster serves now. Of secrets and logs, only what a rule
/// names.
pub(crate) fn expand(grants: &[Grant], served: &ApiResources) -> Result<Vec<Grant>, WildcardError> {
    let expand_all = |rules: &[PolicyRule], namespaced| {
        let expanded = rules.iter().map(|rule| expand_rule(rule, namespaced, served)).collect::<Result<Vec<_>, _>>()?;
        Ok(expanded.concat())
    };
    let expand_grant = |grant: &Grant| {
        Ok(Grant {
            rules: expand_all(&grant.rules, true)?,
            cluster_rules: expand_all(&grant.cluster_rules, false)?,
            ..grant.clone()
        })
    };
    grants.iter().map(expand_grant).collect()
}

fn expand_rule(rule: &PolicyRule, namespaced: bool, served: &ApiResources) -> Result<Vec<PolicyRule>, WildcardError> {
    if !rule.has_wildcard() {
        return Ok(vec![rule.clone()]);
    }
    let described = || serde_json::to_string(rule).unwrap_or_default();
    let may_cover = |group: &str| rule.api_groups.iter().any(|wanted| wanted == "*" || wanted == group);
    let unanswered = served.unanswered.iter().find(|(part, _)| may_cover(part.split_once('/').map_or(part, |(group, _)| group)));
    if let Some((part, error)) = unanswered {
        let (part, reason) = (part.clone(), error.message.clone());
        return Err(WildcardError::Unanswered { rule: described(), part, reason });
    }
    // Discovery lists no subresources; the one that there is belongs to the core group.
    let logs = namespaced && rule.resources.iter().any(|resource| resource == POD_LOGS) && may_cover("");
    let logs = logs.then(|| one(rule, "", POD_LOGS, vec![Verb::Get]));
    let resources = served.resources.iter().filter(|resource| resource.namespaced == namespaced).filter_map(|resource| {
        let covered = |verb: &Verb| {
            let covers = |name: Option<&str>| rule.allows(*verb, &resource.group, &resource.plural, name);
            covers(None) || rule.resource_names.first().is_some_and(|name| covers(Some(name)))
        };
        let verbs: Vec<Verb> = rule.verbs.iter().copied().filter(|verb| resource.verbs.has(*verb) && covered(verb)).collect();
        (!verbs.is_empty()).then(|| one(rule, &resource.group, &resource.plural, verbs))
    });
    let expanded: Vec<_> = logs.into_iter().chain(resources).collect();
    if expanded.is_empty() { Err(WildcardError::Nothing(described())) } else { Ok(expanded) }
}

/// What a rule means for one resource.
fn one(rule: &PolicyRule, group: &str, resource: &str, verbs: Vec<Verb>) -> PolicyRule {
    PolicyRule {
        api_groups: vec![group.to_owned()],
        resources: vec![resource.to_owned()],
        resource_names: rule.resource_names.clone(),
        verbs,
    }
}

/// What the server itself has to ask the API server beside the reads of tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Questions {
    /// Whose a token is.
    pub token_reviews: bool,
    /// What a caller may read, or which tools they may call.
    pub access_reviews: bool,
    /// What the API server proves itself with, where it hands on the requests of others.
    pub aggregator: bool,
}

/// In whose name the tools read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReadsAs {
    /// In that of the server.
    #[default]
    Server,
    /// In that of the server, once it was asked what the caller may read, and in which namespaces.
    ServerAfterReviews,
    /// In that of the caller.
    Callers(Callers),
}

/// Callers whom the server impersonates. The API server has rights of their own for each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Callers {
    /// People, and all other users without a kind of their own; with the keys of their `extra` that are impersonated.
    pub people: Option<ExtraKeys>,
    /// ServiceAccounts.
    pub service_accounts: bool,
}

const AUTHENTICATION: &str = "authentication.k8s.io";

/// What Kubernetes calls the kinds of users in the verbs of constrained impersonation.
const PEOPLE: &str = "user-info";
const SERVICE_ACCOUNTS: &str = "serviceaccount";

impl Questions {
    fn rules(self) -> Vec<api::PolicyRule> {
        let reviews = [
            (self.token_reviews, AUTHENTICATION, "tokenreviews"),
            (self.access_reviews, "authorization.k8s.io", "subjectaccessreviews"),
        ];
        let reviews = reviews.into_iter().filter(|(is_asked, ..)| *is_asked);
        reviews.map(|(_, group, resource)| own_rule(group, [resource], ["create"])).collect()
    }
}

impl ReadsAs {
    /// The rights that it takes beside those on what is read. Which namespaces there are has to be known where some tool may look into all
    /// of them.
    fn rules(&self, in_all_namespaces: bool) -> Vec<api::PolicyRule> {
        let mut rules = match self {
            Self::Server => return Vec::new(),
            Self::ServerAfterReviews => Vec::new(),
            Self::Callers(Callers { people, service_accounts }) => {
                let people = people.iter().map(|extra| {
                    let extra = extra.impersonated().map(|key| format!("userextras/{key}"));
                    let resources = ["users", "groups", "uids"].map(str::to_owned).into_iter().chain(extra);
                    own_rule(AUTHENTICATION, resources, [format!("impersonate:{PEOPLE}")])
                });
                let accounts = service_accounts
                    .then(|| own_rule(AUTHENTICATION, ["serviceaccounts"], [format!("impersonate:{SERVICE_ACCOUNTS}")]));
                people.chain(accounts).collect()
            }
        };
        if in_all_namespaces {
            rules.push(self.rule(PolicyRule::new("", &["namespaces"], &[Verb::List])));
        }
        rules
    }

    /// The rule that the server needs to read what this one allows.
    fn rule(&self, rule: PolicyRule) -> api::PolicyRule {
        let verbs = rule.verbs.into_iter().map(Verb::as_str);
        let verbs = match self {
            Self::Server | Self::ServerAfterReviews => verbs.map(str::to_owned).collect(),
            Self::Callers(Callers { people, service_accounts }) => {
                let kinds = people.as_ref().map(|_| PEOPLE).into_iter().chain(service_accounts.then_some(SERVICE_ACCOUNTS));
                verbs.flat_map(|verb| kinds.clone().map(move |kind| format!("impersonate-on:{kind}:{verb}"))).collect()
            }
        };
        api::PolicyRule {
            api_groups: Some(rule.api_groups),
            resources: Some(rule.resources),
            resource_names: Some(rule.resource_names).filter(|names| !names.is_empty()),
            verbs,
            non_resource_urls: None,
        }
    }
}

/// A rule for what the server does itself.
fn own_rule<R: Into<String>, V: Into<String>>(
    group: &str,
    resources: impl IntoIterator<Item = R>,
    verbs: impl IntoIterator<Item = V>,
) -> api::PolicyRule {
    api::PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(resources.into_iter().map(Into::into).collect()),
        verbs: verbs.into_iter().map(Into::into).collect(),
        ..api::PolicyRule::default()
    }
}

/// What the grants and the server's own questions need: a ClusterRole for what counts in all namespaces or in none, and a Role in each
/// namespace that some grant names; with their bindings.
pub(crate) fn objects(
    grants: &[Grant],
    reads_as: &ReadsAs,
    questions: Questions,
    account: &Account,
) -> Result<Vec<Object>, WildcardError> {
    let reads = |rules: Vec<PolicyRule>| -> Vec<_> { rules.into_iter().map(|rule| reads_as.rule(rule)).collect() };
    let in_all: Vec<&PolicyRule> =
        grants.iter().filter(|grant| grant.namespaces == Namespaces::All).flat_map(|grant| &grant.rules).collect();
    let of_cluster = merge(in_all.iter().copied().chain(grants.iter().flat_map(|grant| &grant.cluster_rules)))?;
    let of_cluster = [reads(of_cluster), reads_as.rules(!in_all.is_empty()), questions.rules()].concat();
    let mut objects = in_cluster(account, of_cluster);
    let named = grants.iter().filter_map(|grant| match &grant.namespaces {
        Namespaces::Only(names) => Some(names),
        Namespaces::All => None,
    });
    for name in named.flatten().collect::<BTreeSet<_>>() {
        let is_here = |grant: &&Grant| matches!(&grant.namespaces, Namespaces::Only(names) if names.contains(name));
        let rules = merge(grants.iter().filter(is_here).flat_map(|grant| &grant.rules))?;
        objects.extend(in_namespace(account, name, reads(rules)));
    }
    objects.extend(questions.aggregator.then(|| aggregator(account)));
    Ok(objects)
}

/// What these objects allow, one by one and each once.
pub(crate) fn permissions(objects: &[Object]) -> BTreeSet<Permission> {
    let of_rules = |namespace: Option<&String>, rules: &[api::PolicyRule]| {
        rules.iter().flat_map(|rule| of_rule(namespace, rule)).collect::<Vec<_>>()
    };
    let of_object = |object: &Object| match object {
        Object::ClusterRole(role) => of_rules(None, role.rules.as_deref().unwrap_or_default()),
        Object::Role(role) => of_rules(role.metadata.namespace.as_ref(), role.rules.as_deref().unwrap_or_default()),
        // Of a role that every cluster has.
        Object::RoleBinding(binding) if binding.role_ref.name == AGGREGATOR_READER => {
            vec![Permission {
                namespace: binding.metadata.namespace.clone(),
                group: String::new(),
                resource: "configmaps".to_owned(),
                name: Some(AGGREGATOR_CONFIG_MAP.to_owned()),
                verb: Verb::Get.as_str().to_owned(),
            }]
        }
        Object::ClusterRoleBinding(_) | Object::RoleBinding(_) => Vec::new(),
    };
    objects.iter().flat_map(of_object).collect()
}

/// What a rule without wildcards allows.
fn of_rule(namespace: Option<&String>, rule: &api::PolicyRule) -> Vec<Permission> {
    let all = |texts: &Option<Vec<String>>| texts.clone().unwrap_or_default();
    let names: Vec<Option<String>> = match all(&rule.resource_names) {
        names if names.is_empty() => vec![None],
        names => names.into_iter().map(Some).collect(),
    };
    let mut permissions = Vec::new();
    for group in all(&rule.api_groups) {
        for resource in all(&rule.resources) {
            for (name, verb) in names.iter().flat_map(|name| rule.verbs.iter().map(move |verb| (name, verb))) {
                permissions.push(Permission {
                    namespace: namespace.cloned(),
                    group: group.clone(),
                    resource: resource.clone(),
                    name: name.clone(),
                    verb: verb.clone(),
                });
            }
        }
    }
    permissions
}

/// Every cluster has the role.
fn aggregator(account: &Account) -> Object {
    let name = format!("{}-{AGGREGATOR_READER}", account.name);
    let metadata = ObjectMeta { name: Some(name), ..account.metadata(Some("kube-system")) };
    let role_ref = RoleRef { name: AGGREGATOR_READER.to_owned(), ..account.role("Role") };
    Object::RoleBinding(RoleBinding { metadata, role_ref, subjects: Some(vec![account.subject()]) })
}

/// The rules in their shortest form and in order, so that equal grants print equally and nothing can be left out.
fn merge<'a>(rules: impl IntoIterator<Item = &'a PolicyRule>) -> Result<Vec<PolicyRule>, WildcardError> {
    let rules: Vec<&PolicyRule> = rules.into_iter().collect();
    match rules.iter().find(|rule| rule.has_wildcard()) {
        Some(rule) => Err(WildcardError::NotExpanded(serde_json::to_string(rule).unwrap_or_default())),
        None => Ok(PolicyRule::merged(rules)),
    }
}

/// A role for the whole cluster and its binding, if there is anything to allow.
fn in_cluster(account: &Account, rules: Vec<api::PolicyRule>) -> Vec<Object> {
    if rules.is_empty() {
        return Vec::new();
    }
    let metadata = account.metadata(None);
    let role = ClusterRole { metadata: metadata.clone(), rules: Some(rules), aggregation_rule: None };
    let binding = ClusterRoleBinding { metadata, role_ref: account.role("ClusterRole"), subjects: Some(vec![account.subject()]) };
    vec![Object::ClusterRole(role), Object::ClusterRoleBinding(binding)]
}

/// The same for one namespace.
fn in_namespace(account: &Account, namespace: &str, rules: Vec<api::PolicyRule>) -> Vec<Object> {
    if rules.is_empty() {
        return Vec::new();
    }
    let metadata = account.metadata(Some(namespace));
    let role = Role { metadata: metadata.clone(), rules: Some(rules) };
    let binding = RoleBinding { metadata, role_ref: account.role("Role"), subjects: Some(vec![account.subject()]) };
    vec![Object::Role(role), Object::RoleBinding(binding)]
}

impl Account {
    /// That of an object with its name.
    fn metadata(&self, namespace: Option<&str>) -> ObjectMeta {
        ObjectMeta {
            name: Some(self.name.clone()),
            namespace: namespace.map(str::to_owned),
            labels: Some(labels::of_instance(&self.name)),
            ..ObjectMeta::default()
        }
    }

    /// How a binding names a role.
    fn role(&self, kind: &str) -> RoleRef {
        let api_group = Some(<Role as k8s_openapi::Resource>::GROUP.to_owned());
        RoleRef { api_group, kind: kind.to_owned(), name: self.name.clone() }
    }

    /// How a binding names the ServiceAccount.
    fn subject(&self) -> Subject {
        Subject {
            kind: "ServiceAccount".to_owned(),
            name: self.service_account.clone(),
            namespace: Some(self.namespace.clone()),
            ..Subject::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use sandbar_kubernetes::{Code, Error, ServedResource};
    use sandbar_policy::Verb::{Get, List};
    use serde_json::{Value, json};

    use super::*;

    fn account() -> Account {
        Account { name: "mcp".to_owned(), service_account: "mcp".to_owned(), namespace: "coder-system".to_owned() }
    }

    /// A grant in all namespaces.
    fn grant(rules: &[PolicyRule]) -> Grant {
        Grant { rules: rules.to_vec(), ..Grant::default() }
    }

    /// A grant in these namespaces.
    fn grant_in(namespaces: &[&str], rules: &[PolicyRule]) -> Grant {
        Grant { namespaces: namespaces.iter().map(|&name| name.to_owned()).collect(), ..grant(rules) }
    }

    /// The objects as they are written.
    fn written(grants: &[Grant]) -> Value {
        serde_json::to_value(objects(grants, &ReadsAs::Server, Questions::default(), &account()).expect("no wildcards"))
            .expect("JSON")
    }

    /// Each role in short: its kind, its namespace and what may be read by it.
    fn roles(objects: &Value) -> Vec<String> {
        let roles = objects.as_array().expect("a list").iter().filter(|object| object["rules"].is_array());
        let short = |role: &Value| {
            let resources: Vec<_> = role["rules"].as_array().expect("rules").iter().map(|rule| &rule["resources"]).collect();
            let place = role["metadata"]["namespace"].as_str().unwrap_or("-");
            format!("{} {place} {}", role["kind"], json!(resources)).replace('"', "")
        };
        roles.map(short).collect()
    }

    fn resource(group: &str, version: &str, plural: &str, namespaced: bool, verbs: &[&str]) -> ServedResource {
        let verbs = verbs.iter().copied().collect();
        ServedResource { group: group.to_owned(), version: version.to_owned(), plural: plural.to_owned(), namespaced, verbs }
    }

    #[test]
    fn what_is_asked_for_is_what_the_roles_allow() {
        let grants = [
            Grant {
                cluster_rules: vec![PolicyRule::new("", &["nodes"], &[List])],
                ..grant(&[PolicyRule::new("", &["pods/log"], &[Get])])
            },
            Grant {
                namespaces: Namespaces::Only(["a".to_owned()].into()),
                ..grant(&[PolicyRule::new("apps", &["deployments"], &[Get, List])])
            },
        ];
        let questions = Questions { token_reviews: true, aggregator: true, ..Questions::default() };
        let objects = objects(&grants, &ReadsAs::Server, questions, &account()).expect("no wildcards");
        let mut said: Vec<String> = permissions(&objects).iter().map(ToString::to_string).collect();
        said.sort_unstable();
        let expected = [
            "create tokenreviews.authentication.k8s.io",
            "get configmaps named extension-apiserver-authentication in kube-system",
            "get deployments.apps in a",
            "get pods/log",
            "list deployments.apps in a",
            "list nodes",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn equal_verbs_of_a_group_become_one_rule() {
        let grants = [grant(&[PolicyRule::new("", &["pods"], &[List])]), grant(&[PolicyRule::new("", &["events"], &[List])])];
        let objects = written(&grants);
        assert_eq!(objects[0]["kind"], "ClusterRole");
        assert_eq!(objects[0]["rules"], json!([{ "apiGroups": [""], "resources": ["events", "pods"], "verbs": ["list"] }]));
        assert_eq!(objects[1]["roleRef"]["kind"], "ClusterRole");
    }

    #[test]
    fn an_allowlist_makes_roles_and_no_cluster_role() {
        let objects = written(&[grant_in(&["a", "b"], &[PolicyRule::new("", &["pods/log"], &[Get])])]);
        let objects = objects.as_array().expect("a list");
        let places: Vec<_> =
            objects.iter().map(|object| (object["kind"].as_str(), object["metadata"]["namespace"].as_str())).collect();
        assert_eq!(
            places,
            [
                (Some("Role"), Some("a")),
                (Some("RoleBinding"), Some("a")),
                (Some("Role"), Some("b")),
                (Some("RoleBinding"), Some("b")),
            ]
        );
    }

    #[test]
    fn a_tool_that_may_look_into_some_namespaces_only_has_roles_in_these() {
        let events = grant(&[PolicyRule::new("", &["events"], &[List])]);
        let logs = grant_in(&["a", "b"], &[PolicyRule::new("", &["pods/log"], &[Get])]);
        let of_both = PolicyRule::new("", &["nodes"], &[List]);
        let pods = Grant { cluster_rules: vec![of_both], ..grant_in(&["b"], &[PolicyRule::new("", &["pods"], &[List])]) };
        assert_eq!(
            roles(&written(&[events.clone(), logs.clone(), pods.clone()])),
            ["ClusterRole - [[events,nodes]]", "Role a [[pods/log]]", "Role b [[pods/log],[pods]]"]
        );
        assert_eq!(
            roles(&written(&[logs.clone(), pods])),
            ["ClusterRole - [[nodes]]", "Role a [[pods/log]]", "Role b [[pods/log],[pods]]"],
            "what is in no namespace takes a ClusterRole"
        );
        assert_eq!(roles(&written(&[events, grant_in(&[], &logs.rules)])), ["ClusterRole - [[events]]"], "none at all");
    }

    #[test]
    fn every_object_says_what_it_is_part_of() {
        let grants =
            [grant(&[PolicyRule::new("", &["pods"], &[List])]), grant_in(&["a"], &[PolicyRule::new("", &["pods"], &[List])])];
        let asking = Questions { aggregator: true, ..Questions::default() };
        let objects = objects(&grants, &ReadsAs::Server, asking, &account()).expect("no wildcards");
        for object in serde_json::to_value(objects).expect("JSON").as_array().expect("a list") {
            let labels = &object["metadata"]["labels"];
            assert_eq!(
                (&labels["app.kubernetes.io/name"], &labels["app.kubernetes.io/instance"]),
                (&json!("sandbar"), &json!("mcp"))
            );
        }
    }

    #[test]
    fn questions_of_the_server_itself_need_a_cluster_role() {
        let rules = [PolicyRule::new("", &["pods"], &[List])];
        let reviewing = Questions { token_reviews: true, access_reviews: true, aggregator: false };
        let reviews = json!({ "apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"] });
        for (grant, rules) in [(grant_in(&["a"], &rules), 2), (grant(&rules), 4)] {
            let objects = objects(&[grant], &ReadsAs::ServerAfterReviews, reviewing, &account()).expect("no wildcards");
            let objects = serde_json::to_value(objects).expect("JSON");
            let written = objects[0]["rules"].as_array().expect("rules");
            assert_eq!((&objects[0]["kind"], written.len()), (&json!("ClusterRole"), rules));
            assert!(written.contains(&reviews), "{written:?}");
        }
    }

    #[test]
    fn who_reads_in_the_name_of_others_has_no_right_to_read() {
        let granted = [PolicyRule::new("", &["pods/log"], &[Get]), PolicyRule::new("", &["pods"], &[Get, List])];
        let rules = |people: Option<ExtraKeys>, service_accounts, grant: Grant| {
            let reads_as = ReadsAs::Callers(Callers { people, service_accounts });
            let objects = objects(&[grant], &reads_as, Questions::default(), &account()).expect("no wildcards");
            let objects = serde_json::to_value(objects).expect("JSON");
            let roles = objects.as_array().expect("a list").iter().filter_map(|object| object["rules"].as_array());
            let short = |rule: &Value| format!("{} {}", rule["verbs"], rule["resources"]).replace('"', "");
            roles.flatten().map(short).collect::<Vec<_>>()
        };
        let extra = ExtraKeys::new(&["example.com/team".to_owned()], &[]);
        assert_eq!(
            rules(Some(extra), false, grant_in(&["a"], &granted)),
            [
                "[impersonate:user-info] [users,groups,uids,userextras/authentication.kubernetes.io/credential-id,userextras/example.com/team]",
                "[impersonate-on:user-info:get] [pods/log]",
                "[impersonate-on:user-info:get,impersonate-on:user-info:list] [pods]",
            ]
        );
        assert_eq!(
            rules(None, true, grant(&granted)),
            [
                "[impersonate-on:serviceaccount:get] [pods/log]",
                "[impersonate-on:serviceaccount:get,impersonate-on:serviceaccount:list] [pods]",
                "[impersonate:serviceaccount] [serviceaccounts]",
                "[impersonate-on:serviceaccount:list] [namespaces]",
            ]
        );
        let both = rules(Some(ExtraKeys::new(&[], &[])), true, grant(&granted));
        assert!(
            both.contains(&"[impersonate-on:user-info:list,impersonate-on:serviceaccount:list] [namespaces]".to_owned()),
            "{both:?}"
        );
    }

    #[test]
    fn the_api_servers_own_certificate_is_read_by_a_role_that_is_there() {
        let asking = Questions { aggregator: true, ..Questions::default() };
        let objects = objects(&[], &ReadsAs::Server, asking, &account()).expect("no wildcards");
        let objects = serde_json::to_value(objects).expect("JSON");
        let [binding] = objects.as_array().expect("a list").as_slice() else { panic!("{objects}") };
        assert_eq!(binding["metadata"]["namespace"], "kube-system");
        assert_eq!(binding["roleRef"]["name"], "extension-apiserver-authentication-reader");
    }

    /// A small cluster; `unanswered` is a group that does not say what it serves.
    fn served(unanswered: Option<&str>) -> ApiResources {
        let all = ["get", "list", "watch", "delete"];
        let resources = [
            resource("", "v1", "bindings", true, &["create"]),
            resource("", "v1", "nodes", false, &all),
            resource("", "v1", "pods", true, &all),
            resource("", "v1", "secrets", true, &all),
            resource("apps", "v1", "deployments", true, &all),
            resource("apps", "v1beta1", "deployments", true, &all),
            resource("metrics.k8s.io", "v1", "pods", true, &["list"]),
        ];
        let down = |group: &str| (format!("{group}/v1"), Error::new(Code::Unavailable, "down"));
        ApiResources { resources: resources.into(), unanswered: unanswered.map(down).into_iter().collect() }
    }

    /// What a wildcard rule becomes, each part as `get,list pods.`.
    fn expanded(rule: PolicyRule, namespaced: bool) -> Vec<String> {
        let rules = expand_rule(&rule, namespaced, &served(None)).expect("something is served");
        let describe = |rule: PolicyRule| {
            let verbs: Vec<_> = rule.verbs.iter().map(|verb| verb.as_str()).collect();
            format!("{} {}.{}", verbs.join(","), rule.resources.join(","), rule.api_groups.join(","))
        };
        PolicyRule::merged(&rules).into_iter().map(describe).collect()
    }

    #[test]
    fn a_wildcard_becomes_what_the_cluster_serves_without_secrets_and_logs() {
        let star = |verbs: &[Verb]| PolicyRule::new("*", &["*"], verbs);
        assert_eq!(
            expanded(star(&[Get, List]), true),
            ["get,list pods.", "get,list deployments.apps", "list pods.metrics.k8s.io"]
        );
        assert_eq!(expanded(star(&[Get]), true), ["get pods.", "get deployments.apps"]);
        assert_eq!(expanded(star(&[Get]), false), ["get nodes."], "the other scope");
        assert_eq!(expanded(PolicyRule::new("apps", &["*"], &[List]), true), ["list deployments.apps"]);
        assert_eq!(expanded(PolicyRule::new("*", &["pods"], &[List]), true), ["list pods.", "list pods.metrics.k8s.io"]);
        let named = PolicyRule::new("*", &["secrets", "pods/log"], &[Get]);
        assert_eq!(expanded(named, true), ["get pods/log,secrets."], "who names them gets them");
        let one = PolicyRule { resource_names: vec!["web".to_owned()], ..PolicyRule::new("apps", &["*"], &[Get, List]) };
        assert_eq!(expanded(one, true), ["get deployments.apps"]);
    }

    #[test]
    fn a_wildcard_that_cannot_be_expanded_is_refused() {
        let grants = [grant(&[PolicyRule::new("*", &["pods"], &[Get])])];
        assert!(has_wildcard(&grants));
        assert!(matches!(
            objects(&grants, &ReadsAs::Server, Questions::default(), &account()),
            Err(WildcardError::NotExpanded(_))
        ));
        let error = expand(&grants, &served(Some("example.com"))).expect_err("it may serve pods, too");
        assert!(error.to_string().contains("example.com/v1: down"), "{error}");
        let elsewhere = [grant(&[PolicyRule::new("apps", &["*"], &[Get])])];
        assert!(expand(&elsewhere, &served(Some("example.com"))).is_ok());
        let nothing = [grant(&[PolicyRule::new("example.com", &["*"], &[Get])])];
        assert!(matches!(expand(&nothing, &served(None)), Err(WildcardError::Nothing(_))));
    }
}
