//! The clusters that a component may look into, and how a call says which of them it means: by an argument that the host adds to each
//! tool, and that the component never sees.

use std::sync::Arc;

use sandbar_kubernetes::{Cluster, NamedCluster};
use sandbar_policy::Grant;
use sandbar_sandbox::{Engine, Imports, Queue};
use serde_json::{Map, Value, json};

use super::grant::Missing;
use super::manifest::Manifest;
use super::terms::Terms;

/// The argument that says which cluster is meant.
const ARGUMENT: &str = "cluster";

/// Keywords by which a schema says something of properties that it does not name.
const CONSTRAINING: [&str; 16] = [
    "$ref",
    "allOf",
    "anyOf",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxProperties",
    "minProperties",
    "not",
    "oneOf",
    "patternProperties",
    "propertyNames",
    "then",
    "unevaluatedProperties",
];

/// The clusters that a component may look into: at least one.
#[derive(Clone)]
pub(super) struct Reach {
    places: Arc<[ClusterGrant]>,
    /// Whether a call says which it means.
    is_said: bool,
    /// Whether home is among them, which is meant where a call says nothing.
    has_home: bool,
}

/// A cluster of the server, and where the calls to it stand, if there are several.
#[derive(Clone)]
pub(super) struct QueuedCluster {
    pub(super) named: NamedCluster,
    pub(super) queue: Option<Queue>,
}

/// A cluster that a component may look into, and what it may read there.
#[derive(Clone)]
pub(super) struct ClusterGrant {
    pub(super) name: Arc<str>,
    pub(super) cluster: Cluster,
    pub(super) grant: Arc<Grant>,
    /// Where calls to this cluster stand before those of the component, the narrowest first: with several, one that does not answer leaves
    /// slots to the others. None where the component has no function to read with.
    pub(super) queues: Arc<[Queue]>,
}

impl Reach {
    /// Of these clusters, those that the terms name; none where they name none of them. `grants` makes of what the terms say what the
    /// component is granted.
    pub(super) fn of(clusters: &[QueuedCluster], terms: &Terms, reads: bool, grants: impl Fn(&Grant) -> Grant) -> Option<Self> {
        let place = |QueuedCluster { named: NamedCluster { name, cluster }, queue }: &QueuedCluster| {
            let grant = Arc::new(grants(terms.grants.get(name)?));
            Some(ClusterGrant {
                name: name.clone(),
                cluster: cluster.clone(),
                grant,
                queues: queue.iter().filter(|_| reads).cloned().collect(),
            })
        };
        let places: Arc<[ClusterGrant]> = clusters.iter().filter_map(place).collect();
        let has_home = places.first()?.name == clusters.first()?.named.name;
        Some(Self { places, is_said: clusters.len() > 1 && reads, has_home })
    }

    /// The same with queues for the component's own calls to each of several clusters: those of `before`, where there are some.
    pub(super) fn queued(self, engine: &Engine, component: &Queue, before: Option<&Self>) -> Self {
        let queued = |place: &ClusterGrant| {
            let before = before.and_then(|before| before.places.iter().find(|other| other.name == place.name));
            let before = before.and_then(|before| before.queues.first());
            let own = (!place.queues.is_empty()).then(|| engine.queue_in_cluster(component, before));
            ClusterGrant { queues: own.into_iter().chain(place.queues.iter().cloned()).collect(), ..place.clone() }
        };
        Self { places: self.places.iter().map(queued).collect(), ..self }
    }

    /// What the component may read in each of them, by its name.
    pub(super) fn grants(&self) -> impl Iterator<Item = (&str, &Grant)> + Clone {
        self.places.iter().map(|place| (&*place.name, &*place.grant))
    }

    /// The one that is meant where a call says none.
    pub(super) fn first(&self) -> &ClusterGrant {
        &self.places[0]
    }

    /// Whether something is granted in one of them.
    pub(super) fn is_open(&self) -> bool {
        self.grants().any(|(_, grant)| grant.allows_anything())
    }

    /// What a component lacks, in whichever of them.
    pub(super) fn missing(&self, manifest: &Manifest, imports: &Imports) -> Missing {
        let of_one = |place: &ClusterGrant| {
            let cluster = self.is_said.then(|| place.name.clone());
            Missing { cluster, ..Missing::of(manifest, imports, &place.grant) }
        };
        Missing::gravest(self.places.iter().map(of_one)).unwrap_or_default()
    }

    /// Whether the same is granted in clusters of the same names.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.is_said == other.is_said && self.grants().eq(other.grants())
    }

    /// Whether a call says which it means.
    pub(super) fn is_said(&self) -> bool {
        self.is_said
    }

    /// Takes the cluster that a call means out of its arguments, which fit the tool's schema with the argument for it.
    pub(super) fn choose(&self, arguments: &mut Value) -> &ClusterGrant {
        let said = arguments.as_object_mut().filter(|_| self.is_said).and_then(|arguments| arguments.shift_remove(ARGUMENT));
        let meant = said.and_then(|said| self.places.iter().find(|place| said == *place.name));
        meant.unwrap_or_else(|| self.first())
    }

    /// The definition of the argument, as a JSON Schema.
    fn argument(&self) -> Value {
        let names: Vec<&str> = self.places.iter().map(|place| &*place.name).collect();
        let default = if self.has_home { format!(". Default: {}", names[0]) } else { String::new() };
        json!({ "type": "string", "enum": names, "description": format!("Which cluster{default}") })
    }

    /// Adds the argument to the input schema of a tool; false where the tool has one of that name itself, or its schema is one that may not
    /// fit with another.
    pub(super) fn add_to(&self, input: &mut Map<String, Value>) -> bool {
        let is_open = input.get("additionalProperties").is_none_or(Value::is_boolean);
        if !is_open || CONSTRAINING.iter().any(|keyword| input.contains_key(*keyword)) {
            return false;
        }
        let properties = input.entry("properties").or_insert_with(|| Value::Object(Map::new()));
        match properties {
            Value::Object(properties) if !properties.contains_key(ARGUMENT) => {
                properties.insert(ARGUMENT.to_owned(), self.argument());
            }
            _ => return false,
        }
        if !self.has_home
            && let Value::Array(required) = input.entry("required").or_insert_with(|| json!([]))
        {
            required.push(json!(ARGUMENT));
        }
        true
    }
}
