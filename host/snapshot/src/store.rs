//! The objects of a snapshot by resource, and what is made up so that they look like a cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, NamespaceSpec, NamespaceStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::DEFAULT_NAMESPACE;
use super::coverage::{Coverage, Gathered};
use super::kinds::{self, Kind};
use super::log::{Log, Logs};
use super::object::{NAME_BYTES, Object};
use super::read::{Contents, KINDS};

/// A cluster at rest.
pub(super) struct Snapshot {
    collections: Vec<Collection>,
    /// The index in `collections` of each kind.
    places: BTreeMap<Kind, usize>,
    coverage: Coverage,
    logs: Logs,
    version: Value,
    id: String,
    revision: u64,
    clock: Option<Timestamp>,
}

/// All objects of one resource, in the order in which a server lists them.
pub(super) struct Collection {
    /// Their resource.
    pub(super) kind: Kind,
    /// By `namespace/name`, or by name where the resource is cluster-scoped: the order of the server's own store.
    objects: BTreeMap<String, Arc<Object>>,
}

impl Collection {
    /// An object; a namespaced one needs its namespace.
    pub(super) fn get(&self, namespace: Option<&str>, name: &str) -> Option<&Arc<Object>> {
        self.objects.get(&key(namespace, name))
    }

    /// The objects in `namespace`, or all of them, whose keys come after `after`.
    pub(super) fn after<'a>(
        &'a self,
        namespace: Option<&str>,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&'a str, &'a Arc<Object>)> + use<'a> {
        let prefix = namespace.map(|namespace| key(Some(namespace), "")).unwrap_or_default();
        let start = match after.filter(|after| *after >= prefix.as_str()) {
            Some(after) => Bound::Excluded(after.to_owned()),
            None => Bound::Included(prefix.clone()),
        };
        let range = self.objects.range((start, Bound::Unbounded));
        range.take_while(move |(key, _)| key.starts_with(&prefix)).map(|(key, object)| (key.as_str(), object))
    }
}

fn key(namespace: Option<&str>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

impl Snapshot {
    /// A cluster that holds `contents`. Of two copies of an object, the later one counts.
    pub(super) fn new(contents: Contents) -> Self {
        let Contents { mut objects, gathered, mentioned, failures, logs, version, namespaces, custom_resources, .. } = contents;
        let custom = custom_kinds(&objects);
        let names = Names::new(custom, &objects);
        let mut store = Self {
            collections: Vec::new(),
            places: BTreeMap::new(),
            coverage: Coverage::default(),
            clock: objects.iter().filter_map(Object::newest).max().max(logs.newest),
            revision: objects.iter().map(|object| object.revision).max().unwrap_or_default().max(1),
            version: version.unwrap_or_else(|| version_of_nodes(&objects)),
            id: String::new(),
            logs,
        };
        let always = kinds::ALWAYS.iter().flat_map(|(api_version, kinds)| kinds.iter().map(|kind| (*api_version, *kind)));
        for (api_version, kind) in always.chain(gathered.iter().filter_map(Gathered::as_kind)) {
            let (group, version) = kinds::group_and_version(api_version);
            store.serve(names.describe(group, version, kind));
        }
        for kind in names.custom.values().flat_map(Custom::kinds).take(KINDS) {
            store.serve(kind);
        }
        let described = described_namespaces(&objects);
        objects.extend(missing_namespaces(&described, &mentioned));
        for object in objects {
            let (group, version) = kinds::group_and_version(&object.api_version);
            store.serve(names.describe(group, version, &object.kind)).add(object);
        }
        let kinds = store.collections.iter().map(|collection| &collection.kind);
        store.coverage = Coverage::new(&gathered, failures, kinds, described, namespaces);
        if custom_resources {
            store.coverage.looked_for(names.custom.values().map(|custom| &custom.kind));
        }
        store.id = store.digest();
        store
    }

    /// All resources that are served.
    pub(super) fn collections(&self) -> &[Collection] {
        &self.collections
    }

    /// The resource at a path, if it is served.
    pub(super) fn collection(&self, group: &str, version: &str, plural: &str) -> Option<&Collection> {
        self.collections
            .iter()
            .find(|Collection { kind, .. }| kind.group == group && kind.version == version && kind.plural == plural)
    }

    /// What the snapshot covers.
    pub(super) fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// The logs of a pod, the most specific first.
    pub(super) fn logs(&self, namespace: &str, pod: &str) -> &[Log] {
        self.logs.of(namespace, pod)
    }

    /// The answer of `/version`.
    pub(super) fn version(&self) -> &Value {
        &self.version
    }

    /// The `resourceVersion` of every list.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// A digest of the contents: a cursor is valid for one snapshot only.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The newest time in the snapshot, which counts as now.
    pub(super) fn clock(&self) -> Option<Timestamp> {
        self.clock
    }

    fn serve(&mut self, kind: Kind) -> &mut Collection {
        let Self { collections, places, .. } = self;
        let at = *places.entry(kind).or_insert_with_key(|kind| {
            collections.push(Collection { kind: kind.clone(), objects: BTreeMap::new() });
            collections.len() - 1
        });
        &mut self.collections[at]
    }

    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (key, object) in self.collections.iter().flat_map(|collection| &collection.objects) {
            hash.update(key);
            hash.update([0]);
            hash.update(object.json.as_bytes());
        }
        hash.finalize()[..8].iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl Collection {
    fn add(&mut self, mut object: Object) {
        if !self.kind.namespaced {
            self.objects.insert(key(None, &object.name), object.into());
            return;
        }
        if object.namespace.is_none() {
            // A manifest written by hand gets the namespace that kubectl would give it.
            let mut value = object.value();
            value["metadata"]["namespace"] = DEFAULT_NAMESPACE.into();
            object.namespace = Some(DEFAULT_NAMESPACE.to_owned());
            object.json = value.to_string().into_boxed_str();
        }
        self.objects.insert(key(object.namespace.as_deref(), &object.name), object.into());
    }
}

/// A CustomResourceDefinition.
struct Custom {
    /// The version is empty.
    kind: Kind,
    versions: Vec<String>,
}

impl Custom {
    fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.versions.iter().map(|version| Kind { version: version.clone(), ..self.kind.clone() })
    }
}

/// By group and kind.
fn custom_kinds(objects: &[Object]) -> BTreeMap<(String, String), Custom> {
    let definitions = objects.iter().filter(|object| object.kind == "CustomResourceDefinition").map(Object::value);
    definitions
        .filter_map(|definition| custom(&definition["spec"]))
        .map(|custom| ((custom.kind.group.clone(), custom.kind.kind.clone()), custom))
        .collect()
}

/// Short names that are kept of a definition. Few have more than one.
const SHORT_NAMES: usize = 8;

/// None for a definition that no server would have accepted.
fn custom(spec: &Value) -> Option<Custom> {
    let versions = spec["versions"].as_array()?.iter().filter(|version| version["served"] != false);
    Some(Custom {
        kind: Kind {
            group: text(&spec["group"])?,
            version: String::new(),
            plural: text(&spec["names"]["plural"])?,
            kind: text(&spec["names"]["kind"])?,
            namespaced: spec["scope"] != "Cluster",
            short_names: spec["names"]["shortNames"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(text)
                .take(SHORT_NAMES)
                .collect(),
        },
        versions: versions.filter_map(|version| text(&version["name"])).collect(),
    })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| text.len() <= NAME_BYTES).map(str::to_owned)
}

/// Plural names and scopes of the kinds in this snapshot.
struct Names {
    /// By group and kind.
    custom: BTreeMap<(String, String), Custom>,
    /// Group and kind of objects without a namespace.
    without: BTreeSet<(String, String)>,
    /// Group and kind of objects with a namespace.
    within: BTreeSet<(String, String)>,
}

impl Names {
    fn new(custom: BTreeMap<(String, String), Custom>, objects: &[Object]) -> Self {
        let (mut within, mut without) = (BTreeSet::new(), BTreeSet::new());
        for object in objects {
            let (group, _) = kinds::group_and_version(&object.api_version);
            let set = if object.namespace.is_some() { &mut within } else { &mut without };
            set.insert((group.to_owned(), object.kind.clone()));
        }
        Self { custom, without, within }
    }

    /// A CustomResourceDefinition decides, then our tables, then the objects.
    fn describe(&self, group: &str, version: &str, kind: &str) -> Kind {
        let of = (group.to_owned(), kind.to_owned());
        if let Some(custom) = self.custom.get(&of) {
            return Kind { version: version.to_owned(), ..custom.kind.clone() };
        }
        let seems_namespaced = || self.within.contains(&of) || !self.without.contains(&of);
        Kind {
            namespaced: kinds::namespaced(group, kind).unwrap_or_else(seems_namespaced),
            group: group.to_owned(),
            version: version.to_owned(),
            plural: kinds::plural(group, kind),
            kind: kind.to_owned(),
            short_names: kinds::short_names(group, kind),
        }
    }
}

/// The namespaces whose objects are in the snapshot.
fn described_namespaces(objects: &[Object]) -> BTreeSet<String> {
    let is_namespace = |object: &&Object| object.kind == "Namespace" && object.api_version == "v1";
    objects.iter().filter(is_namespace).map(|object| object.name.clone()).collect()
}

/// Namespaces that are mentioned and have no object: `cluster-info dump` leaves these out.
fn missing_namespaces(described: &BTreeSet<String>, mentioned: &BTreeSet<String>) -> Vec<Object> {
    let missing = mentioned.difference(described).map(|name| {
        let labels = BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), name.clone())]);
        Namespace {
            metadata: ObjectMeta { name: Some(name.clone()), labels: Some(labels), ..ObjectMeta::default() },
            spec: Some(NamespaceSpec { finalizers: Some(vec!["kubernetes".to_owned()]) }),
            status: Some(NamespaceStatus { phase: Some("Active".to_owned()), ..NamespaceStatus::default() }),
        }
    });
    missing.filter_map(|namespace| Object::new(serde_json::to_value(namespace).ok()?).ok()).collect()
}

/// The nodes' version, the best guess at the API server's, which `cluster-info dump` leaves out.
fn version_of_nodes(objects: &[Object]) -> Value {
    let nodes = objects.iter().filter(|object| object.kind == "Node" && object.api_version == "v1");
    let mut infos = nodes.map(|node| node.value()["status"]["nodeInfo"].take());
    let info = infos.find(|info| info["kubeletVersion"].is_string()).unwrap_or_default();
    let field = |key: &str, default: &str| info[key].as_str().unwrap_or(default).to_owned();
    let version = field("kubeletVersion", "v0.0.0");
    let mut numbers = version.trim_start_matches('v').split('.');
    json!({
        "major": numbers.next(),
        "minor": numbers.next(),
        "gitVersion": version,
        "platform": format!("{}/{}", field("operatingSystem", "linux"), field("architecture", "amd64")),
    })
}
