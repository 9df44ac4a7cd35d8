//! Which logs there are of the pods that were meant, and what they are called in an answer.

use sandbar_tool::kubernetes::workload::Pods;
use sandbar_tool::kubernetes::{Time, lenient};
use sandbar_tool::{Code, Error};
use serde::Deserialize;

/// Logs that are read in one call: each is a request or two, of the 256 that a call has by default.
const LOGS_MAX: usize = 200;

/// Pods that are looked at.
const PODS_MAX: u32 = 5_000;

#[derive(Deserialize)]
struct Pod {
    metadata: Metadata,
    #[serde(default, deserialize_with = "lenient::or_default")]
    spec: Spec,
    #[serde(default, deserialize_with = "lenient::or_default")]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default, deserialize_with = "lenient::or_default")]
    creation_timestamp: Option<Time>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(default, deserialize_with = "lenient::each")]
    init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "lenient::each")]
    containers: Vec<Container>,
    #[serde(default, deserialize_with = "lenient::each")]
    ephemeral_containers: Vec<Container>,
}

#[derive(Deserialize)]
struct Container {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    #[serde(default, deserialize_with = "lenient::each")]
    init_container_statuses: Vec<Restarted>,
    #[serde(default, deserialize_with = "lenient::each")]
    container_statuses: Vec<Restarted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Restarted {
    name: String,
    #[serde(default, deserialize_with = "lenient::or_default")]
    restart_count: i64,
}

/// One log.
pub(crate) struct Log {
    pub(crate) pod: String,
    pub(crate) container: String,
    /// Of the run before the last restart.
    pub(crate) previous: bool,
}

/// The logs of a search.
pub(crate) struct Logs {
    /// The newest pods come first, and all logs of a pod together.
    pub(crate) logs: Vec<Log>,
    pub(crate) pods: usize,
    pub(crate) warnings: Vec<String>,
}

/// What logs are called: what tells one from the others.
pub(crate) struct Labels {
    /// What all of them have in common.
    pub(crate) heading: String,
    pub(crate) each: Vec<String>,
}

impl Logs {
    /// Those of these pods: of one container or of all, and of runs before the last restart if they are wanted. Fails where there is no
    /// pod, or none with such a container.
    pub(crate) fn of(pods: &Pods, namespace: &str, container: Option<&str>, previous: bool) -> Result<Self, Error> {
        let called = match pods {
            Pods::Named(_) => "such pods".to_owned(),
            Pods::Labelled(selector) => format!("pods with labels {selector}"),
        };
        let mut page = pods.list::<Pod>(namespace).called(called.clone()).up_to(PODS_MAX)?;
        if page.items.is_empty() {
            let words = page.hint.or(page.warnings.pop()).unwrap_or_else(|| format!("there are no {called}"));
            return Err(Error::new(Code::NotFound, words));
        }
        let mut warnings = page.warnings;
        let mut pods = page.items;
        pods.sort_by_key(|pod| std::cmp::Reverse(pod.metadata.creation_timestamp));
        let all = pods.len();
        let mut logs: Vec<Log> = Vec::new();
        let mut read = 0;
        for pod in &pods {
            let of_pod = pod.logs(container, previous);
            if logs.len() + of_pod.len() > LOGS_MAX && !logs.is_empty() {
                break;
            }
            logs.extend(of_pod);
            logs.truncate(LOGS_MAX);
            read += 1;
        }
        if logs.is_empty() {
            return Err(Error::invalid(no_container(&pods, container.unwrap_or_default())));
        }
        if read < all {
            warnings.push(format!("only the newest {read} of {all} pods were searched: a call reads {LOGS_MAX} logs; narrow it with labels or container"));
        }
        Ok(Self { logs, pods: read, warnings })
    }

    /// The shortest words that tell them apart.
    pub(crate) fn labels(&self) -> Labels {
        let first = self.logs.first().map_or("", |log| &log.pod);
        let common = self.logs.iter().fold(first, |common, log| shared(common, &log.pod));
        let one_pod = self.logs.iter().all(|log| log.pod == first);
        // Names are cut between their parts.
        let prefix = if one_pod { first } else { &common[..common.rfind('-').map_or(0, |dash| dash + 1)] };
        let one_container = self.logs.iter().all(|log| log.container == self.logs[0].container);
        let label = |log: &Log| {
            let pod = if one_pod { "" } else { &log.pod[prefix.len()..] };
            let slash = if one_pod || one_container { "" } else { "/" };
            let container = if one_container { "" } else { &log.container };
            format!("{pod}{slash}{container}{}", if log.previous { " (previous)" } else { "" }).trim_start().to_owned()
        };
        let heading = match (prefix, one_pod) {
            ("", _) => String::new(),
            (name, true) => format!("pod {name}"),
            (prefix, false) => format!("pods {prefix}…"),
        };
        Labels { heading, each: self.logs.iter().map(label).collect() }
    }
}

/// What both begin with.
fn shared<'a>(one: &'a str, other: &str) -> &'a str {
    let length = one.char_indices().zip(other.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    &one[..length.unwrap_or(one.len().min(other.len()))]
}

fn no_container(pods: &[Pod], container: &str) -> String {
    let containers = pods.iter().flat_map(Pod::containers).map(|container| container.name.clone());
    format!("no pod has a container `{container}`; there are {}", sandbar_tool::tally::tally(containers))
}

impl Pod {
    fn containers(&self) -> impl Iterator<Item = &Container> {
        self.spec.init_containers.iter().chain(&self.spec.containers).chain(&self.spec.ephemeral_containers)
    }

    fn logs(&self, container: Option<&str>, previous: bool) -> Vec<Log> {
        let log = |name: &str, previous| Log { pod: self.metadata.name.clone(), container: name.to_owned(), previous };
        let statuses = || self.status.init_container_statuses.iter().chain(&self.status.container_statuses);
        let was_restarted = |name: &str| statuses().any(|status| status.name == name && status.restart_count > 0);
        self.containers()
            .map(|container| &*container.name)
            .filter(|name| container.is_none_or(|container| container == *name))
            .flat_map(|name| {
                let before = (previous && was_restarted(name)).then(|| log(name, true));
                before.into_iter().chain([log(name, false)])
            })
            .collect()
    }
}
