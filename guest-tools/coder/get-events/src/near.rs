//! What is near where no event was found: an empty answer is easily taken for "nothing happened".

use sandbar_tool::Resource;
use sandbar_tool::near::are_alike;
use sandbar_tool::tally::tally;
use serde::Deserialize;

/// Events that are looked at.
const LOOKED_AT: u32 = 1000;

/// What kubectl takes for a kind, beside its name and its plural.
const SHORT: [(&str, &str); 22] = [
    ("cj", "cronjob"),
    ("cm", "configmap"),
    ("csr", "certificatesigningrequest"),
    ("deploy", "deployment"),
    ("ds", "daemonset"),
    ("ep", "endpoints"),
    ("hpa", "horizontalpodautoscaler"),
    ("ing", "ingress"),
    ("limits", "limitrange"),
    ("netpol", "networkpolicy"),
    ("no", "node"),
    ("ns", "namespace"),
    ("pdb", "poddisruptionbudget"),
    ("po", "pod"),
    ("pv", "persistentvolume"),
    ("pvc", "persistentvolumeclaim"),
    ("quota", "resourcequota"),
    ("rc", "replicationcontroller"),
    ("rs", "replicaset"),
    ("sa", "serviceaccount"),
    ("sts", "statefulset"),
    ("svc", "service"),
];

/// What was asked for.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) kind: Option<&'a str>,
    pub(crate) r#type: Option<&'a str>,
}

/// What is near.
pub(crate) struct Near {
    /// The kind that was meant, as it is written.
    pub(crate) kind: Option<String>,
    /// What was searched, and what there is.
    pub(crate) hint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    r#type: Option<String>,
    #[serde(default)]
    involved_object: Object,
}

#[derive(Default, Deserialize)]
struct Object {
    #[serde(default)]
    kind: String,
    #[serde(default)]
    name: String,
}

/// Looks around in the namespace. A hint is not worth an error: where it cannot be had, it says what was searched.
pub(crate) fn near(events: Resource, asked: Asked<'_>) -> Near {
    let Asked { namespace, name, kind, r#type } = asked;
    let without = |hint: String| Near { kind: None, hint };
    let nothing = || {
        without(format!(
            "namespace {namespace} has no events at all: they are kept about an hour, and a namespace that does not exist has none \
             either"
        ))
    };
    if name.is_none() && kind.is_none() && r#type.is_none() {
        return nothing();
    }
    let Ok(page) = events.list::<Event>().within(namespace).limit(Some(LOOKED_AT)).page() else {
        return without(format!("no event in namespace {namespace} is about that"));
    };
    if page.items.is_empty() && page.continue_.is_none() {
        return nothing();
    }
    let of = if page.continue_.is_some() { "of the first 1000 events of " } else { "" };
    let kinds = tally(page.items.iter().map(|event| event.involved_object.kind.clone()));
    let (kind, taken) = match kind.filter(|kind| !kinds.words().any(|there| there == *kind)) {
        None => (kind.map(str::to_owned), None),
        Some(kind) => {
            let mut meant = kinds.words().filter(|there| means(kind, there));
            match (meant.next(), meant.next()) {
                (Some(meant), None) => (Some(meant.to_owned()), Some(format!("kind {kind} was taken for {meant}"))),
                _ => return without(format!("no event is about a {kind}; {of}namespace {namespace} has events about {kinds}")),
            }
        }
    };
    let events: Vec<&Event> =
        page.items.iter().filter(|event| kind.as_ref().is_none_or(|kind| event.involved_object.kind == *kind)).collect();
    let of_name: Vec<&Event> =
        events.iter().copied().filter(|event| name.is_none_or(|name| event.involved_object.name == name)).collect();
    let missing = if of_name.is_empty() {
        let name = name.unwrap_or_default();
        let about = |event: &&Event| format!("{} {}", event.involved_object.kind, event.involved_object.name);
        let alike =
            tally(page.items.iter().filter(|event| are_alike(name, &event.involved_object.name)).map(|event| about(&event)));
        let there = if alike.is_empty() { tally(events.iter().map(about)) } else { alike };
        let object = kind.as_deref().unwrap_or("an object named");
        Some(format!("no event is about {object} {name}; {of}namespace {namespace} has events about {there}"))
    } else if !of_name.iter().any(|event| r#type.is_none() || event.r#type.as_deref() == r#type) {
        let there = tally(of_name.iter().filter_map(|event| event.r#type.clone()));
        Some(format!("none of these events is of type {}; there are {there}", r#type.unwrap_or_default()))
    } else {
        None
    };
    let meant = kind.filter(|_| taken.is_some() && missing.is_none());
    let hint: Vec<String> = taken.into_iter().chain(missing).collect();
    Near { kind: meant, hint: hint.join("; ") }
}

/// Whether a word, as people and kubectl write kinds, means this one: in any case, its plural, its short name, with its group behind.
fn means(word: &str, kind: &str) -> bool {
    let word = word.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let kind = kind.to_ascii_lowercase();
    let ies = kind.strip_suffix('y').map(|stem| format!("{stem}ies"));
    let mut plurals = [format!("{kind}s"), format!("{kind}es")].into_iter().chain(ies);
    word == kind || plurals.any(|plural| word == plural) || SHORT.iter().any(|(short, long)| *short == word && *long == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_known_by_its_other_names() {
        for (kind, words) in [
            ("Pod", &["pod", "pods", "Pods", "PODS", "po", "pods.", "Pod.v1"][..]),
            ("Deployment", &["deploy", "deployments", "Deployments.apps", "deployment.v1.apps"]),
            ("Ingress", &["ing", "ingresses", "ingress"]),
            ("NetworkPolicy", &["netpol", "networkpolicies"]),
            ("CoderControlPlane", &["codercontrolplanes", "codercontrolplane.coder.com"]),
        ] {
            words.iter().for_each(|word| assert!(means(word, kind), "{word}"));
        }
        for (kind, word) in [("Pod", "node"), ("Pod", ""), ("ReplicaSet", "replica"), ("Deployment", "dep"), ("Pod", "podss")] {
            assert!(!means(word, kind), "{word}");
        }
    }
}
