//! The clusters that a component may look into, and how a call says which of them it means: by an argument that the host adds to each
//! tool, and that the component never sees.

use std::sync::Arc;

use sandbar_kubernetes::{Cluster, NamedCluster};
use sandbar_policy::Grant;
use sandbar_sandbox::{Imports, Queue};
use sandbar_text::{clean_line, nearest};
use serde_json::{Map, Value, json};

use super::arguments::Arguments;
use super::grant::Missing;
use super::manifest::Manifest;
use super::terms::Terms;

/// The argument that says which cluster is meant.
const ARGUMENT: &str = "cluster";

/// Bytes of what a caller has said in its place.
const SAID_BYTES: usize = 64;

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
    /// Where calls to this cluster stand, whichever tool they are for: with several, one that does not answer leaves slots to the others. None
    /// where the component has no function to read with.
    pub(super) queue: Option<Queue>,
}

impl Reach {
    /// Of these clusters, those that the terms name; none where they name none of them. `grants` makes of what the terms say what the
    /// component is granted.
    pub(super) fn of(clusters: &[QueuedCluster], terms: &Terms, reads: bool, grants: impl Fn(&Grant) -> Grant) -> Option<Self> {
        let place = |QueuedCluster { named: NamedCluster { name, cluster }, queue }: &QueuedCluster| {
            let grant = Arc::new(grants(terms.grants.get(name)?));
            Some(ClusterGrant { name: name.clone(), cluster: cluster.clone(), grant, queue: queue.clone().filter(|_| reads) })
        };
        let places: Arc<[ClusterGrant]> = clusters.iter().filter_map(place).collect();
        let has_home = places.first()?.name == clusters.first()?.named.name;
        Some(Self { places, is_said: clusters.len() > 1 && reads, has_home })
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
        self.grants()
            .map(|(_, grant)| Missing::of(manifest, imports, grant))
            .find(|missing| !missing.is_empty())
            .unwrap_or_default()
    }

    /// Whether the same is granted in clusters of the same names.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.is_said == other.is_said && self.grants().eq(other.grants())
    }

    /// Whether a call says which it means.
    pub(super) fn is_said(&self) -> bool {
        self.is_said
    }

    /// The cluster that a call means, which is no argument of the tool any more; else what is wrong with it, for the caller.
    pub(super) fn choose(&self, arguments: &mut Arguments) -> Result<&ClusterGrant, String> {
        if !self.is_said {
            return Ok(self.first());
        }
        let unsaid = || match self.has_home {
            true => Ok(self.first()),
            false => Err(format!("{ARGUMENT}: this tool may not look into the default cluster, so say one of {}", self.names())),
        };
        match arguments.take(ARGUMENT) {
            None | Some(Value::Null) => unsaid(),
            Some(Value::String(said)) if said.trim().is_empty() => unsaid(),
            Some(Value::String(said)) => {
                let said = said.trim();
                let is_meant = |place: &&ClusterGrant| place.name.eq_ignore_ascii_case(said);
                self.places.iter().find(is_meant).ok_or_else(|| self.unknown(said))
            }
            Some(other) => Err(format!("{ARGUMENT}: it is {}, and should be {}", kind(&other), self.names())),
        }
    }

    fn unknown(&self, said: &str) -> String {
        let said = clean_line(said, SAID_BYTES);
        let names: Vec<&str> = self.places.iter().map(|place| &*place.name).collect();
        let meant = nearest(&said, &names).map(|nearest| format!("; did you mean {nearest:?}?")).unwrap_or_default();
        format!("{ARGUMENT}: {said:?} is none that this tool may look into, which are {}{meant}", self.names())
    }

    fn names(&self) -> String {
        let names: Vec<String> = self.places.iter().map(|place| format!("{:?}", &*place.name)).collect();
        names.join(", ")
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

/// What a value of JSON is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
