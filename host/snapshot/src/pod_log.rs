//! `GET pods/NAME/log`: which container, which run, how much of it. The API server's checks come first, then the kubelet's.

use std::collections::BTreeSet;

use k8s_openapi::jiff::SignedDuration;
use serde_json::{Value, json};

use super::lines::Stamps;
use super::list::number;
use super::log::Log;
use super::status::Refusal;
use super::steps::Steps;
use super::store::{Collection, Snapshot};
use super::tail::{Body, LogOptions, Source};

/// The parameters of a log request.
#[derive(Debug, Default)]
pub(super) struct Options {
    container: Option<String>,
    previous: bool,
    timestamps: bool,
    tail_lines: Option<u64>,
    limit_bytes: Option<u64>,
    since_seconds: Option<i64>,
}

impl Options {
    /// Parses a query string. `follow` is ignored: nothing more will come.
    ///
    /// # Errors
    /// 400 for something that is not a number, 422 for one out of range; both in the API server's words.
    pub(super) fn parse(pod: &str, query: &str) -> Result<Self, Refusal> {
        let mut options = Self::default();
        let at_least = |field: &str, text: &str, least: i64, problem: &str| match number(text)? {
            number if number < least => Err(Refusal::invalid_log_options(pod, field, &format!("{number}: must be {problem}"))),
            number => Ok(number),
        };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let truth = ["1", "true"].contains(&&*value);
            match &*key {
                "container" if !value.is_empty() => options.container = Some(value.into_owned()),
                "previous" => options.previous = truth,
                "timestamps" => options.timestamps = truth,
                "tailLines" => {
                    let lines = at_least("tailLines", &value, 0, "greater than or equal to 0")?;
                    options.tail_lines = u64::try_from(lines).ok();
                }
                "limitBytes" => {
                    let bytes = at_least("limitBytes", &value, 1, "greater than 0")?;
                    options.limit_bytes = u64::try_from(bytes).ok();
                }
                "sinceSeconds" => options.since_seconds = Some(at_least("sinceSeconds", &value, 1, "greater than 0")?),
                _ => {}
            }
        }
        Ok(options)
    }
}

/// A log that was found.
pub(super) struct Found {
    /// The part of it that was asked for.
    pub(super) body: Body,
    /// What was asked for and is not known.
    pub(super) warning: Option<String>,
}

/// The part of a log that `options` select; none while the pod has no node.
///
/// # Errors
/// Like the API server; and 404 for a log that the cluster may have had and the snapshot has not.
pub(super) async fn read(
    snapshot: &Snapshot,
    pods: &Collection,
    namespace: &str,
    name: &str,
    options: &Options,
    steps: &mut Steps,
) -> Result<Option<Found>, Refusal> {
    let logs = snapshot.logs(namespace, name);
    let pod = match pods.get(Some(namespace), name) {
        Some(pod) => {
            steps.take(pod.json.len()).await;
            pod.value()
        }
        // The logs alone tell enough about the pod.
        None if !logs.is_empty() => described_by(logs),
        None => {
            snapshot.coverage().check(&pods.kind, Some(namespace)).map_err(Refusal::not_held)?;
            return Err(Refusal::not_found(&pods.kind, name));
        }
    };
    let (container, sole) = container(&pod, name, options.container.as_deref())?;
    if pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty) {
        return Ok(None);
    }
    // Nothing is older than the beginning of time, so a longer span is unlimited.
    let since = options
        .since_seconds
        .zip(snapshot.clock())
        .and_then(|(seconds, now)| now.checked_sub(SignedDuration::from_secs(seconds)).ok());
    let cut =
        LogOptions { tail_lines: options.tail_lines, since, timestamps: options.timestamps, limit_bytes: options.limit_bytes };
    let of_container = |log: &&Log| log.previous == options.previous && log.container.as_deref().is_none_or(|of| of == container);
    for log in logs.iter().filter(of_container) {
        let unreadable = |error| Refusal::not_held(format!("the snapshot cannot read {} any more: {error}", log.file.path()));
        let Some(source) = Source::find(log, namespace, name, container, sole).await.map_err(unreadable)? else { continue };
        let asked = options.since_seconds.is_some() || options.timestamps;
        let warning = (asked && log.stamps == Stamps::None).then(|| {
            format!(
                "the file of this log ({}) does not have the kubelet's times: sinceSeconds and timestamps have no effect, and the lines are \
                 of any age",
                log.file.path()
            )
        });
        return Ok(Some(Found { body: source.part(&cut).await.map_err(unreadable)?, warning }));
    }
    Err(missing(&pod, namespace, name, container, options.previous))
}

/// A pod, as far as its logs show it.
fn described_by(logs: &[Log]) -> Value {
    let containers: BTreeSet<&str> = logs.iter().filter_map(|log| log.container.as_deref()).collect();
    let containers: Vec<Value> = containers.into_iter().map(|name| json!({ "name": name })).collect();
    json!({ "spec": { "nodeName": "-", "containers": containers } })
}

/// The container, and whether it is the pod's only one.
fn container<'a>(pod: &'a Value, name: &str, wanted: Option<&'a str>) -> Result<(&'a str, bool), Refusal> {
    let containers = names(pod, "containers");
    let others: Vec<&str> = names(pod, "initContainers").into_iter().chain(names(pod, "ephemeralContainers")).collect();
    match (wanted, containers.as_slice()) {
        (Some(wanted), _) if containers.contains(&wanted) || others.contains(&wanted) => {
            Ok((wanted, others.is_empty() && containers.len() == 1))
        }
        (Some(wanted), _) => Err(Refusal::bad_request(format!("container {wanted} is not valid for pod {name}"))),
        (None, [only]) => Ok((only, others.is_empty())),
        (None, []) => Err(Refusal::bad_request(format!("a container name must be specified for pod {name}"))),
        (None, several) => {
            let mut message =
                format!("a container name must be specified for pod {name}, choose one of: [{}]", several.join(" "));
            let init = names(pod, "initContainers");
            if !init.is_empty() {
                message.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
            }
            Err(Refusal::bad_request(message))
        }
    }
}

fn names<'a>(pod: &'a Value, list: &str) -> Vec<&'a str> {
    let containers = pod["spec"][list].as_array().into_iter().flatten();
    containers.filter_map(|container| container["name"].as_str()).collect()
}

/// Why a log is missing.
fn missing(pod: &Value, namespace: &str, name: &str, container: &str, previous: bool) -> Refusal {
    let statuses = ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"];
    let mut statuses = statuses.iter().flat_map(|list| pod["status"][list].as_array().into_iter().flatten());
    let status = statuses.find(|status| status["name"] == container).unwrap_or(&Value::Null);
    let has_ended = status["lastState"]["terminated"].is_object();
    if previous && !has_ended {
        return Refusal::bad_request(format!("previous terminated container {container:?} in pod {name:?} not found"));
    }
    match status["state"]["waiting"]["reason"].as_str() {
        Some(reason) if !has_ended => {
            Refusal::bad_request(format!("container {container:?} in pod {name:?} is waiting to start: {reason}"))
        }
        _ => {
            let run = if previous { "the previous run of " } else { "" };
            Refusal::not_held(format!("the snapshot holds no log of {run}container {container:?} in pod {namespace}/{name}"))
        }
    }
}
