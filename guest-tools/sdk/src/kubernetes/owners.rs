//! To whom an object belongs, and to whom that belongs: a pod to a ReplicaSet, which belongs to a Deployment.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::lenient::{each, or_default, shortened};
use crate::discovery::qualified;
use crate::{Resource, Scope};

/// An entry of an object's `metadata.ownerReferences`. The owner is in the namespace of the object, or in none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub struct Owner {
    /// Its API group and version: `apps/v1`, `v1`.
    #[schemars(description = "")]
    pub api_version: String,
    /// Its kind.
    #[schemars(description = "")]
    pub kind: String,
    /// Its name.
    #[schemars(description = "")]
    pub name: String,
    /// Which of all objects that ever had this name.
    #[serde(skip)]
    pub uid: String,
    /// Whether it is the one that manages the object.
    #[serde(skip)]
    pub is_controller: bool,
}

/// Owners, one of the next, and why there are no more of them, if that is not where they end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The object's owner first.
    pub owners: Vec<Owner>,
    /// What could not be read, or why the walk was ended.
    pub ended: Option<String>,
}

/// An object of any kind as far as its owners are concerned. It can be a part of a type: `metadata: Owned`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owned {
    /// Which of all objects that ever had this name.
    #[serde(deserialize_with = "or_default")]
    pub uid: String,
    /// What fits of the list.
    #[serde(deserialize_with = "each")]
    pub owner_references: Vec<Owner>,
}

/// Which resource an owner is of an object in a namespace, and where it is; none where that is not known.
pub type Place<'a> = dyn Fn(&Owner, &str) -> Option<(Resource, Scope)> + 'a;

/// Owners that are followed at most. A CronJob's pod has two, what an operator of operators makes may have five.
const OWNERS_MAX: usize = 8;

/// Bytes at most of what an owner is called, and of why a walk ended.
const NAME_MAX: usize = 253;
const WORDS_MAX: usize = 512;

impl<'de> Deserialize<'de> for Owner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Written {
            #[serde(default, deserialize_with = "or_default")]
            api_version: String,
            #[serde(default, deserialize_with = "or_default")]
            kind: String,
            #[serde(default, deserialize_with = "or_default")]
            name: String,
            #[serde(default, deserialize_with = "or_default")]
            uid: String,
            #[serde(default, deserialize_with = "or_default")]
            controller: bool,
        }

        let Written { api_version, kind, name, uid, controller } = Written::deserialize(deserializer)?;
        let short = |text| shortened(text, NAME_MAX);
        Ok(Self {
            api_version: short(api_version),
            kind: short(kind),
            name: short(name),
            uid: short(uid),
            is_controller: controller,
        })
    }
}

impl fmt::Display for Owner {
    /// `ReplicaSet/web-5d9`, and `Rollout.argoproj.io/web` where the group is not Kubernetes' own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", qualified(self.group(), &self.kind), self.name)
    }
}

/// The one among an object's owners that manages it.
pub fn controller(owners: &[Owner]) -> Option<&Owner> {
    owners.iter().find(|owner| owner.is_controller)
}

/// Follows the owners of an object in `namespace` (or in none: "") upwards, by reading one after the other: of each the controller, or
/// the first where none is. `place` says which resource an owner is and where, such as [`built_in`] does; where it does not know one,
/// the owner is the last.
pub fn chain(namespace: &str, owners: &[Owner], place: &Place<'_>) -> Chain {
    let mut namespace = namespace;
    let mut chain = Chain::default();
    let mut next = one_of(owners).cloned();
    while let Some(owner) = next {
        if chain.owners.iter().any(|before| before.is_same(&owner)) {
            chain.end(format!("{owner} owns itself"));
            break;
        }
        if chain.owners.len() == OWNERS_MAX {
            chain.end(format!("more than {OWNERS_MAX} owners, one of the next"));
            break;
        }
        next = None;
        if let Some((resource, scope)) = place(&owner, namespace) {
            if scope == Scope::Cluster {
                // What has no namespace belongs to nothing that has one.
                namespace = "";
            }
            match above(&owner, &resource, scope) {
                Ok(above) => next = above,
                Err(words) => chain.end(words),
            }
        }
        chain.owners.push(owner);
    }
    chain
}

/// The resource of an owner of Kubernetes' own kinds, and where it is.
pub fn built_in(owner: &Owner, namespace: &str) -> Option<(Resource, Scope)> {
    let resource = match (owner.group(), owner.kind.as_str()) {
        ("apps", "DaemonSet") => Resource::new("apps", "v1", "daemonsets"),
        ("apps", "Deployment") => Resource::new("apps", "v1", "deployments"),
        ("apps", "ReplicaSet") => Resource::new("apps", "v1", "replicasets"),
        ("apps", "StatefulSet") => Resource::new("apps", "v1", "statefulsets"),
        ("batch", "CronJob") => Resource::new("batch", "v1", "cronjobs"),
        ("batch", "Job") => Resource::new("batch", "v1", "jobs"),
        ("", "Node") => return Some((Resource::new("", "v1", "nodes"), Scope::Cluster)),
        ("", "Pod") => Resource::new("", "v1", "pods"),
        ("", "ReplicationController") => Resource::new("", "v1", "replicationcontrollers"),
        ("", "Service") => Resource::new("", "v1", "services"),
        _ => return None,
    };
    (!namespace.is_empty()).then(|| (resource, namespace.into()))
}

/// The group of an `apiVersion`; "" is the core group.
pub(super) fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn one_of(owners: &[Owner]) -> Option<&Owner> {
    controller(owners).or_else(|| owners.first())
}

/// Reads an owner, for the one above it.
fn above(owner: &Owner, resource: &Resource, scope: Scope) -> Result<Option<Owner>, String> {
    #[derive(Deserialize)]
    struct Object {
        #[serde(default, deserialize_with = "or_default")]
        metadata: Owned,
    }
    let object = resource.get::<Object>(scope, &*owner.name).read().map_err(|error| format!("get {owner}: {error}"))?;
    let Owned { uid, owner_references } = object.metadata;
    if !uid.is_empty() && !owner.uid.is_empty() && uid != owner.uid {
        return Err(format!("the owner {owner} is gone, and another object has its name"));
    }
    Ok(one_of(&owner_references).cloned())
}

impl Owner {
    /// Its API group; "" is the core group.
    pub fn group(&self) -> &str {
        group(&self.api_version)
    }

    /// The version in that group.
    pub fn version(&self) -> &str {
        self.api_version.split_once('/').map_or(&self.api_version, |(_, version)| version)
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.group(), &self.kind, &self.name) == (other.group(), &other.kind, &other.name)
    }
}

impl Chain {
    /// The last of the owners: what a person has made, most often.
    pub fn top(&self) -> Option<&Owner> {
        self.owners.last()
    }

    fn end(&mut self, words: String) {
        self.ended = Some(shortened(words, WORDS_MAX));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::Host;
    use crate::{Code, Error};

    fn reference(kind: &str, name: &str, controller: bool) -> Value {
        let api_version = if kind == "Node" { "v1" } else { "apps/v1" };
        json!({ "apiVersion": api_version, "kind": kind, "name": name, "uid": format!("uid-{name}"), "controller": controller })
    }

    fn owned(references: Value) -> Value {
        json!({ "metadata": { "ownerReferences": references } })
    }

    fn owners(references: Value) -> Vec<Owner> {
        serde_json::from_value::<Owned>(owned(references)["metadata"].take()).expect("nothing fails").owner_references
    }

    /// The chain of an object in team-a that a ReplicaSet `a` owns, as names, and why it ended.
    fn walked(host: &Host) -> (Vec<String>, Option<String>) {
        let of_a = owners(json!([reference("ReplicaSet", "a", true)]));
        let chain = host.run(|| chain("team-a", &of_a, &built_in));
        (chain.owners.iter().map(Owner::to_string).collect(), chain.ended)
    }

    #[test]
    fn the_controller_is_one_of_the_owners() {
        let owners = owners(json!([reference("ConfigMap", "c", false), reference("ReplicaSet", "a", true), 7, {}]));
        assert_eq!(owners.len(), 3, "what is no object is left out");
        assert_eq!(controller(&owners).map(Owner::to_string).as_deref(), Some("ReplicaSet/a"));
        assert_eq!(controller(&owners[..1]), None);
        assert_eq!((owners[1].group(), owners[1].version()), ("apps", "v1"));
        let node = &self::owners(json!([reference("Node", "n", true)]))[0];
        assert_eq!((node.group(), node.version()), ("", "v1"));
    }

    #[test]
    fn owners_are_followed_to_the_top() {
        let host = Host::new().objects(|request| {
            assert_eq!(request.within, Scope::from("team-a"));
            assert_eq!(
                request.fields.as_ref().map(Vec::len),
                Some(6),
                "the uid, and five fields of each owner: {:?}",
                request.fields
            );
            Ok(match (&*request.resource, &*request.name) {
                ("replicasets.apps", "a") => {
                    owned(json!([reference("ConfigMap", "c", false), reference("Deployment", "web", true)]))
                }
                ("deployments.apps", "web") => owned(json!(null)),
                other => panic!("{other:?}"),
            })
        });
        assert_eq!(walked(&host), (vec!["ReplicaSet/a".to_owned(), "Deployment/web".to_owned()], None));
    }

    #[test]
    fn an_owner_of_another_kind_is_the_last_unless_the_tool_knows_it() {
        let host = Host::new().objects(|request| {
            let object = if request.name == "a" { owned(json!([reference("Rollout", "r", true)])) } else { json!({}) };
            Ok(object)
        });
        assert_eq!(walked(&host), (vec!["ReplicaSet/a".to_owned(), "Rollout/r".to_owned()], None));
        let asked = std::cell::RefCell::new(Vec::new());
        let place = |owner: &Owner, namespace: &str| {
            asked.borrow_mut().push(owner.kind.clone());
            Some((Resource::named(owner.group(), owner.version(), owner.kind.to_lowercase() + "s"), namespace.into()))
        };
        let owners = owners(json!([reference("Rollout", "r", false)]));
        let chain = host.run(|| chain("team-a", &owners, &place));
        assert_eq!((chain.top().map(|top| &*top.kind), &chain.ended), (Some("Rollout"), &None));
        assert_eq!(asked.into_inner(), ["Rollout"]);
    }

    #[test]
    fn a_node_has_no_namespace() {
        let host = Host::new().objects(|request| {
            assert_eq!((&*request.resource, &request.within), ("nodes", &Scope::Cluster));
            Ok(json!({}))
        });
        let owners = owners(json!([reference("Node", "n", true)]));
        assert_eq!(host.run(|| chain("kube-system", &owners, &built_in)).owners.len(), 1);
    }

    #[test]
    fn a_walk_ends_whatever_the_cluster_says() {
        let circle = Host::new().objects(|request| {
            let other = if request.name == "a" { "b" } else { "a" };
            Ok(owned(json!([reference("ReplicaSet", other, true)])))
        });
        let names = |names: &[&str]| names.iter().map(|name| format!("ReplicaSet/{name}")).collect::<Vec<_>>();
        assert_eq!(walked(&circle), (names(&["a", "b"]), Some("ReplicaSet/a owns itself".to_owned())));

        let endless =
            Host::new().objects(|request| Ok(owned(json!([reference("ReplicaSet", &(request.name.clone() + "a"), true)]))));
        let (owners, ended) = walked(&endless);
        assert_eq!((owners.len(), ended.as_deref()), (8, Some("more than 8 owners, one of the next")));

        let denied = Host::new().objects(|_| Err(Error::new(Code::Denied, "no ".repeat(1_000))));
        let (owners, ended) = walked(&denied);
        assert_eq!(owners, names(&["a"]));
        assert!(ended.is_some_and(|words| words.starts_with("get ReplicaSet/a: no no") && words.len() <= WORDS_MAX));

        let replaced = Host::new().objects(|_| Ok(json!({ "metadata": { "uid": "another" } })));
        let (_, ended) = walked(&replaced);
        assert_eq!(ended.as_deref(), Some("the owner ReplicaSet/a is gone, and another object has its name"));
    }
}
