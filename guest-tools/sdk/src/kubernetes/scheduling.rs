//! Why no node takes a pod: what it asks for held against each node, as the scheduler does it, in the words of an answer.
//!
//! Node selectors, required node affinity, taints and room are looked at. What pods want of other pods is left to the scheduler's words.
//!
//! ```
//! use sandbar_tool::kubernetes::{View, scheduling::{self, Used}};
//! use serde_json::json;
//!
//! let pod = json!({ "spec": { "containers": [{ "resources": { "requests": { "memory": "8Gi" } } }] } });
//! let node = json!({ "metadata": { "name": "n1" }, "status": { "allocatable": { "memory": "4Gi" } } });
//! let running = json!({ "spec": { "nodeName": "n1", "containers": [{ "resources": { "requests": { "memory": "3Gi" } } }] } });
//! let mut used = Used::default();
//! used.add(View::of(&running));
//! assert_eq!(
//!     scheduling::refusals(View::of(&pod), &[View::of(&node)], Some(&used)),
//!     ["1 of 1 nodes: too little memory is left: the pod requests 8Gi, and node n1 has the most, 1Gi of 4Gi"]
//! );
//! ```

use std::collections::BTreeMap;

use super::Quantity;
use super::view::{View, one_line};

/// The paths that [`refusals`] reads of a node.
pub const NODE_FIELDS: [&str; 5] =
    ["metadata.name", "metadata.labels", "spec.taints", "spec.unschedulable", "status.allocatable"];

/// The paths that [`Used::add`] reads of a pod.
pub const POD_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "spec.nodeName",
    "spec.containers.resources.requests",
    "spec.initContainers.resources.requests",
    "spec.initContainers.restartPolicy",
    "spec.resources.requests",
    "spec.overhead",
    "status.phase",
];

/// The node affinity without which a node does not take a pod.
const REQUIRED_AFFINITY: &str = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution";

/// Amounts by resource: `cpu`, `memory`.
pub type Amounts = BTreeMap<String, Quantity>;

/// What the pods of each node request.
#[derive(Clone, Debug, Default)]
pub struct Used(BTreeMap<String, Amounts>);

/// Bytes of what others wrote in one reason, and reasons that are told.
const WORDS_MAX: usize = 120;
const REFUSALS_MAX: usize = 4;

/// Things that a pod may ask of each node: with more, all nodes are not held against it.
const ASKED_MAX: usize = 1_000;

impl Used {
    /// Counts a pod, if it is on a node and has not ended.
    pub fn add(&mut self, pod: View<'_>) {
        let node = pod.text("spec.nodeName");
        if node.is_empty() || matches!(pod.text("status.phase"), "Succeeded" | "Failed") {
            return;
        }
        let used = self.0.entry(node.to_owned()).or_default();
        *used = with(std::mem::take(used), requests(pod), std::ops::Add::add);
    }

    /// What the pods of this node request of a resource.
    pub fn of(&self, node: &str, resource: &str) -> Quantity {
        self.0.get(node).and_then(|used| used.get(resource)).copied().unwrap_or_default()
    }
}

/// What a pod requests of each resource, as the scheduler counts it, and one of `pods`: the most that is needed at once, while the initial
/// containers run one after the other beside the sidecars that are there by then, or afterwards. What is requested for the pod as a whole
/// takes the place of that, and the overhead comes on top.
pub fn requests(pod: View<'_>) -> Amounts {
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    for container in pod.list("spec.initContainers") {
        let is_sidecar = container.text("restartPolicy") == "Always";
        // Of what it does not request the sidecars need no more than in the end.
        for (resource, amount) in requested(container, "resources.requests") {
            let needed = sidecars.get(&resource).copied().unwrap_or_default() + amount;
            if is_sidecar {
                sidecars.insert(resource.clone(), needed);
            }
            let most = most.entry(resource).or_default();
            *most = needed.max(*most);
        }
    }
    let lasting = pod.list("spec.containers").map(|container| requested(container, "resources.requests"));
    let lasting = lasting.fold(sidecars, |all, one| with(all, one, std::ops::Add::add));
    let mut sum = with(most, lasting, Ord::max);
    sum.extend(requested(pod, "spec.resources.requests"));
    sum = with(sum, requested(pod, "spec.overhead"), std::ops::Add::add);
    sum.insert("pods".to_owned(), Quantity::from_thousandths(1000));
    sum
}

/// The amounts at a path.
fn requested(of: View<'_>, path: &str) -> Amounts {
    of.members(path).map(|(resource, amount)| (resource.to_owned(), amount.quantity())).collect()
}

/// Both, put together resource by resource.
fn with(mut all: Amounts, more: Amounts, put: fn(Quantity, Quantity) -> Quantity) -> Amounts {
    for (resource, amount) in more {
        let there = all.entry(resource).or_default();
        *there = put(*there, amount);
    }
    all
}

/// Why no node takes a pod, the same reason of several nodes once; none where one would take it. First come those of the nodes that the
/// pod is meant for, the most frequent first, and then that nodes are not what its selector and affinity want. Without `used` the room is
/// that of an empty node. None, too, where the pod asks for more than anybody writes by hand.
pub fn refusals(pod: View<'_>, nodes: &[View<'_>], used: Option<&Used>) -> Vec<String> {
    let requests = requests(pod);
    if requests.len() + asked(pod) > ASKED_MAX {
        return Vec::new();
    }
    let mut elsewhere: BTreeMap<String, usize> = BTreeMap::new();
    let mut counted: BTreeMap<String, usize> = BTreeMap::new();
    let mut short: BTreeMap<&str, (usize, Quantity, View<'_>)> = BTreeMap::new();
    for &node in nodes {
        if let Some(words) = placement(pod, node) {
            *elsewhere.entry(words).or_default() += 1;
            continue;
        }
        if let Some(words) = taint(pod, node) {
            *counted.entry(words).or_default() += 1;
            continue;
        }
        let mut has_room = true;
        for (resource, &requested) in &requests {
            let left = left(node, resource, used);
            // A node that does not say how many pods it takes has room for one more.
            let is_told = resource != "pods" || node.at("status.allocatable").has(resource);
            if is_told && requested > left && requested != Quantity::default() {
                has_room = false;
                let (count, most, at) = short.entry(resource).or_insert((0, left, node));
                *count += 1;
                if left > *most {
                    (*most, *at) = (left, node);
                }
            }
        }
        if has_room {
            return Vec::new();
        }
    }
    let all = nodes.len();
    let by_count = |counted: BTreeMap<String, usize>| -> Vec<(usize, String)> {
        counted.into_iter().map(|(words, count)| (count, words)).collect()
    };
    let mut refusals = by_count(counted);
    for (resource, (count, most, node)) in short {
        let requested = requests[resource];
        let allocatable = node.at("status.allocatable").key(resource).quantity();
        let name = one_line(node.name(), WORDS_MAX);
        let words = if resource == "pods" {
            format!("no room for one more pod: node {name} takes {allocatable}")
        } else {
            format!(
                "too little {resource} is left: the pod requests {requested}, and node {name} has the most, {most} of {allocatable}"
            )
        };
        refusals.push((count, words));
    }
    let mut told = Vec::new();
    for mut refusals in [refusals, by_count(elsewhere)] {
        // Without a sort: a component is smaller for it.
        while told.len() < REFUSALS_MAX
            && let Some(most) = refusals.iter().map(|&(count, _)| count).max()
            && let Some(at) = refusals.iter().position(|&(count, _)| count == most)
        {
            let (count, words) = refusals.remove(at);
            told.push(format!("{count} of {all} nodes: {words}"));
        }
    }
    told
}

/// How many labels, values and taints the pod names.
fn asked(pod: View<'_>) -> usize {
    let required = pod.at(REQUIRED_AFFINITY);
    let expressions =
        required.list("nodeSelectorTerms").flat_map(|term| term.list("matchExpressions").chain(term.list("matchFields")));
    let values: usize = expressions.map(|expression| 1 + expression.list("values").count()).sum();
    let terms = required.list("nodeSelectorTerms").count();
    terms + values + pod.members("spec.nodeSelector").count() + pod.list("spec.tolerations").count()
}

fn left(node: View<'_>, resource: &str, used: Option<&Used>) -> Quantity {
    let allocatable = node.at("status.allocatable").key(resource).quantity();
    let used = used.map(|used| used.of(node.name(), resource)).unwrap_or_default();
    allocatable - used
}

/// What the pod wants of the node's labels, and the node does not have.
fn placement(pod: View<'_>, node: View<'_>) -> Option<String> {
    let labels = node.at("metadata.labels");
    let mut missing = pod.members("spec.nodeSelector").filter(|(key, value)| labels.key(key).words() != value.words());
    if let Some((key, value)) = missing.next() {
        return Some(format!(
            "no label {}, which the pod's nodeSelector wants",
            one_line(&format!("{key}={}", value.words()), WORDS_MAX)
        ));
    }
    let required = pod.at(REQUIRED_AFFINITY);
    let mut terms = required.list("nodeSelectorTerms").peekable();
    terms.peek()?;
    let mut wanted = String::new();
    for term in terms {
        let by_label = term.list("matchExpressions").find(|wanted| !holds(*wanted, labels.key(wanted.text("key"))));
        let by_name = term.list("matchFields").find(|wanted| !holds(*wanted, node.at(wanted.text("key"))));
        let failing = by_label.or(by_name)?;
        let values: Vec<String> = failing.list("values").map(View::words).collect();
        wanted = format!("{} {} {}", failing.text("key"), failing.text("operator"), values.join(", "));
    }
    Some(format!("the pod's node affinity wants {}", one_line(&wanted, WORDS_MAX)))
}

fn holds(wanted: View<'_>, label: View<'_>) -> bool {
    let value = label.words();
    let is_there = label.has_itself();
    let is_one_of = || wanted.list("values").any(|one| one.words() == value);
    let number = |text: &str| text.parse::<i64>().ok();
    let bound = || wanted.list("values").next().and_then(|bound| number(&bound.words()));
    match wanted.text("operator") {
        "In" => is_there && is_one_of(),
        "NotIn" => !is_there || !is_one_of(),
        "Exists" => is_there,
        "DoesNotExist" => !is_there,
        "Gt" => number(&value).zip(bound()).is_some_and(|(value, bound)| value > bound),
        "Lt" => number(&value).zip(bound()).is_some_and(|(value, bound)| value < bound),
        // What a later version knows is left to the scheduler.
        _ => true,
    }
}

/// A taint of the node that the pod does not tolerate.
fn taint(pod: View<'_>, node: View<'_>) -> Option<String> {
    let mut taints = node.list("spec.taints").filter(|taint| matches!(taint.text("effect"), "NoSchedule" | "NoExecute"));
    let taint = taints.find(|taint| !pod.list("spec.tolerations").any(|toleration| tolerates(toleration, *taint)))?;
    Some(match taint.text("key") {
        "node.kubernetes.io/unschedulable" => "cordoned".to_owned(),
        "node.kubernetes.io/not-ready" | "node.kubernetes.io/unreachable" => "not ready".to_owned(),
        _ => format!("the taint {}, which the pod does not tolerate", taint_words(taint)),
    })
}

/// A taint as kubectl writes it: `dedicated=gpu:NoSchedule`.
pub fn taint_words(taint: View<'_>) -> String {
    let value = taint.text("value");
    let equals = if value.is_empty() { "" } else { "=" };
    one_line(&format!("{}{equals}{value}:{}", taint.text("key"), taint.text("effect")), WORDS_MAX)
}

fn tolerates(toleration: View<'_>, taint: View<'_>) -> bool {
    let (key, effect) = (toleration.text("key"), toleration.text("effect"));
    let exists = toleration.text("operator") == "Exists";
    (effect.is_empty() || effect == taint.text("effect"))
        && (key == taint.text("key") || (key.is_empty() && exists))
        && (exists || toleration.text("value") == taint.text("value"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn node(name: &str, spec: Value) -> Value {
        json!({
            "metadata": { "name": name, "labels": { "disk": "hdd", "kubernetes.io/os": "linux", "cores": "8" } }, "spec": spec,
            "status": { "allocatable": { "cpu": "4", "memory": "8Gi", "pods": "110" } },
        })
    }

    fn said(spec: Value, nodes: &[Value]) -> Vec<String> {
        let pod = json!({ "spec": spec });
        let nodes: Vec<View<'_>> = nodes.iter().map(View::of).collect();
        refusals(View::of(&pod), &nodes, None)
    }

    #[test]
    fn a_pod_that_asks_for_too_much_is_left_to_the_schedulers_words() {
        let wanted = json!({ "nodeSelector": { "disk": "ssd" } });
        assert_eq!(said(wanted.clone(), &[node("n1", json!({}))]).len(), 1);
        let mut spec = wanted;
        spec["tolerations"] = (0..ASKED_MAX).map(|number| json!({ "key": format!("k{number}") })).collect();
        assert_eq!(said(spec, &[node("n1", json!({}))]), Vec::<String>::new());
    }

    #[test]
    fn each_node_says_why_it_does_not_take_the_pod() {
        let tainted = node("n1", json!({ "taints": [{ "key": "dedicated", "value": "gpu", "effect": "NoSchedule" }] }));
        let cordoned = node("n2", json!({ "taints": [{ "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule" }] }));
        let nodes = [tainted.clone(), tainted, cordoned, node("n3", json!({}))];
        let large = json!({ "containers": [{ "resources": { "requests": { "memory": "6Gi", "cpu": "100m" } } }, { "resources": { "requests": { "memory": "6Gi" } } }] });
        assert_eq!(
            said(large, &nodes),
            [
                "2 of 4 nodes: the taint dedicated=gpu:NoSchedule, which the pod does not tolerate",
                "1 of 4 nodes: cordoned",
                "1 of 4 nodes: too little memory is left: the pod requests 12Gi, and node n3 has the most, 8Gi of 8Gi",
            ]
        );
        let tolerant = json!({ "tolerations": [{ "operator": "Exists" }], "containers": [] });
        assert_eq!(said(tolerant, &nodes), Vec::<String>::new());
        let other = json!({ "tolerations": [{ "key": "dedicated", "value": "db" }] });
        assert_eq!(said(other, &nodes[..1]).len(), 1);
    }

    #[test]
    fn the_nodes_that_a_pod_is_meant_for_say_why_first() {
        let mut meant = node("n1", json!({ "taints": [{ "key": "dedicated", "value": "ml", "effect": "NoSchedule" }] }));
        meant["metadata"]["labels"]["disk"] = json!("ssd");
        let nodes = [node("n2", json!({})), node("n3", json!({})), meant];
        assert_eq!(
            said(json!({ "nodeSelector": { "disk": "ssd" } }), &nodes),
            [
                "1 of 3 nodes: the taint dedicated=ml:NoSchedule, which the pod does not tolerate",
                "2 of 3 nodes: no label disk=ssd, which the pod's nodeSelector wants",
            ]
        );
        assert_eq!(said(json!({}), &nodes), Vec::<String>::new(), "one takes it, so something else is the matter");
    }

    #[test]
    fn labels_are_wanted_by_selectors_and_by_affinity() {
        let nodes = [node("n1", json!({}))];
        assert_eq!(
            said(json!({ "nodeSelector": { "disk": "ssd" } }), &nodes),
            ["1 of 1 nodes: no label disk=ssd, which the pod's nodeSelector wants"]
        );
        let affinity = |expression: Value| {
            let terms = json!([{ "matchExpressions": [expression] }]);
            let required = json!({ "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": terms } });
            said(json!({ "affinity": { "nodeAffinity": required } }), &nodes)
        };
        for (operator, key, values, takes) in [
            ("In", "disk", json!(["hdd", "ssd"]), true),
            ("NotIn", "disk", json!(["ssd"]), true),
            ("Exists", "gpu", json!([]), false),
            ("DoesNotExist", "gpu", json!([]), true),
            ("Gt", "cores", json!(["4"]), true),
            ("Lt", "cores", json!(["4"]), false),
        ] {
            let words = affinity(json!({ "key": key, "operator": operator, "values": values }));
            assert_eq!(words.is_empty(), takes, "{operator} {key}: {words:?}");
        }
        assert_eq!(
            affinity(json!({ "key": "disk", "operator": "In", "values": ["ssd"] })),
            ["1 of 1 nodes: the pod's node affinity wants disk In ssd"]
        );
    }

    #[test]
    fn the_largest_init_container_and_the_overhead_count() {
        let memory = |amount: &str| json!({ "resources": { "requests": { "memory": amount } } });
        let mut sidecar = memory("1Gi");
        sidecar["restartPolicy"] = json!("Always");
        let pod = json!({ "spec": {
            "containers": [memory("1Gi"), memory("1Gi")], "initContainers": [memory("5Gi"), memory("2Gi"), sidecar],
            "overhead": { "memory": "1Gi" },
        } });
        assert_eq!(requests(View::of(&pod))["memory"].to_string(), "6Gi");
    }

    #[test]
    fn an_init_container_runs_beside_the_sidecars_before_it_and_what_is_said_for_the_pod_counts() {
        let memory = |amount: &str| json!({ "resources": { "requests": { "memory": amount } } });
        let mut sidecar = memory("1Gi");
        sidecar["restartPolicy"] = json!("Always");
        let mut pod = json!({ "spec": { "containers": [memory("2Gi")], "initContainers": [sidecar, memory("5Gi")] } });
        assert_eq!(requests(View::of(&pod))["memory"].to_string(), "6Gi");
        pod["spec"]["resources"] = json!({ "requests": { "memory": "4Gi" } });
        assert_eq!(requests(View::of(&pod))["memory"].to_string(), "4Gi");
    }
}
