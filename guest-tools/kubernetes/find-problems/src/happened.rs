//! Events of the namespaces in which something is wrong: the cause of what an object shows only the symptom of, and what happened to
//! objects that show nothing.

use std::collections::{BTreeMap, BTreeSet};

use sandbar_tool::kubernetes::events::{EVENTS, Event, FIELDS, grouped};
use sandbar_tool::kubernetes::view::quoted;
use sandbar_tool::kubernetes::{Time, Trouble, View, troubles};
use sandbar_tool::read::list_many;
use serde_json::Value;

use crate::pods::Pods;
use crate::problem::{Object, Problem, Rank};
use crate::reading::Missing;

/// Namespaces whose events are read, and events of each.
const NAMESPACES_MAX: usize = 24;
const EVENTS_MAX: u32 = 300;

/// Seconds after which an event about an object that shows no trouble is over: one that repeats, and one that does not.
const REPEATS_WITHIN: i64 = 15 * 60;
const LAST_WITHIN: i64 = 5 * 60;

/// How often is often.
const OFTEN: i64 = 5;

/// Problems that only events tell of.
const ALONE_MAX: usize = 5;

/// Bytes of an event's sentence.
const MESSAGE_MAX: usize = 150;

/// The warnings of the namespaces that these problems are in, the worst first, and of `asked`.
pub(crate) fn warnings(problems: &[Problem], asked: Option<&str>, missing: &mut Missing) -> Vec<Event> {
    let mut seen = BTreeSet::new();
    let of_problems = problems.iter().map(|problem| problem.object.namespace.as_str());
    let all = asked.into_iter().chain(of_problems).filter(|namespace| !namespace.is_empty() && seen.insert(*namespace));
    let mut namespaces: Vec<&str> = all.collect();
    if namespaces.len() > NAMESPACES_MAX {
        missing.add("Events", &format!("of {NAMESPACES_MAX} of {} namespaces with problems alone", namespaces.len()));
        namespaces.truncate(NAMESPACES_MAX);
    }
    let list = |namespace: &&str| {
        EVENTS.list::<Value>().within(*namespace).fields(&FIELDS).with_field("type", "Warning").limit(Some(EVENTS_MAX))
    };
    let answers = list_many(namespaces.iter().map(list).collect());
    let mut events = Vec::new();
    match answers {
        Ok(answers) => {
            for answer in answers {
                match answer {
                    Ok(page) => events.extend(page.items.iter().map(|event| Event::of(View::of(event)))),
                    Err(error) => missing.add("Events", &error.to_string()),
                }
            }
        }
        Err(error) => missing.add("Events", &error.to_string()),
    }
    grouped(events)
}

/// Puts the cause into problems that show a symptom.
pub(crate) fn tell(problems: &mut [Problem], events: &[Event]) {
    let causes = causes(events);
    for problem in problems.iter_mut().filter(|problem| problem.is_told_by_events) {
        let Object { kind, namespace, name } = &problem.object;
        let newest = |kind: &str, name: &str| causes.get(&(namespace.as_str(), kind.to_owned(), name)).copied();
        let of_pods = problem.pods.iter().filter_map(|pod| newest("Pod", pod));
        let Some(event) = of_pods.chain(newest(kind, name)).min().and_then(|at| events.get(at)) else { continue };
        if event.reason == "FailedCreate" {
            let Trouble { reason, cause, .. } = troubles::refused(&event.message, None);
            problem.why = format!("{reason}: {cause} ({})", problem.why);
        } else {
            problem.why.push_str(&format!(": {}", quoted(&event.message, MESSAGE_MAX)));
        }
    }
}

/// The newest event that is no symptom, of each object by its namespace, kind and name.
fn causes(events: &[Event]) -> BTreeMap<(&str, String, &str), usize> {
    let mut causes = BTreeMap::new();
    // The newest come first.
    for (at, Event { object, .. }) in events.iter().enumerate().filter(|(_, event)| !event.is_symptom()) {
        let (namespace, kind) = (object.namespace.as_str(), object.qualified_kind());
        // Those of a ReplicaSet tell of its Deployment, too, which has its name without the hash.
        if kind == "ReplicaSet"
            && let Some((deployment, _)) = object.name.rsplit_once('-')
        {
            causes.entry((namespace, "Deployment".to_owned(), deployment)).or_insert(at);
        }
        causes.entry((namespace, kind, object.name.as_str())).or_insert(at);
    }
    causes
}

/// What happened of late to objects of which nothing was said, the same reason of one kind in a namespace once.
pub(crate) fn alone(problems: &[Problem], pods: &Pods, events: &[Event]) -> Vec<Problem> {
    fn place(object: &Object) -> (&str, &str) {
        (object.namespace.as_str(), object.name.as_str())
    }
    let wholes: BTreeSet<_> = problems.iter().map(|problem| place(&problem.object)).collect();
    let told: BTreeSet<_> = problems.iter().flat_map(|problem| &problem.alike).map(place).collect();
    let mut groups: Vec<(usize, &Event)> = Vec::new();
    for event in events {
        let Event { object: about, count, last, .. } = event;
        let age = last.map_or(0, |last| last.seconds_to(Time::now()));
        let is_over = age > REPEATS_WITHIN || (age > LAST_WITHIN && *count < OFTEN);
        let (namespace, name) = (about.namespace.as_str(), about.name.as_str());
        // What has the name of a workload and something behind a dash is a part of it.
        let ends = name.match_indices('-').map(|(dash, _)| dash).chain([name.len()]);
        let is_said = pods.is_troubled(namespace, name)
            || told.contains(&(namespace, name))
            || ends.map(|end| &name[..end]).any(|whole| wholes.contains(&(namespace, whole)));
        if !is_over && !is_said {
            let is_same = |other: &Event| {
                let of = |event: &Event| (event.object.qualified_kind(), event.reason.clone());
                other.object.namespace == about.namespace && of(other) == of(event)
            };
            match groups.iter().position(|(_, other)| is_same(other)) {
                Some(at) => groups[at].0 += 1,
                // The newest come first.
                None if groups.len() < ALONE_MAX => groups.push((1, event)),
                None => {}
            }
        }
    }
    groups.into_iter().map(problem).collect()
}

fn problem((objects, event): (usize, &Event)) -> Problem {
    let Event { object, reason, message, count, last, .. } = event;
    let others = if objects > 1 { format!(", also of {} others", objects - 1) } else { String::new() };
    let cause = format!("{} (event, {count} times{others})", quoted(message, MESSAGE_MAX));
    let object = Object::new(&object.qualified_kind(), &object.namespace, &object.name);
    Problem { size: 0, ..Problem::new(Rank::Rest, object, Trouble::new(reason, cause, *last)) }
}
