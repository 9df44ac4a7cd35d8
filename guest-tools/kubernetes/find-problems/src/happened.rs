//! Events of the namespaces in which something is wrong: the cause of what an object shows only the symptom of, and what happened to
//! objects that show nothing.

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
    let mut namespaces: Vec<&str> = asked.into_iter().collect();
    for namespace in problems.iter().map(|problem| problem.object.namespace.as_str()) {
        if !namespace.is_empty() && !namespaces.contains(&namespace) {
            namespaces.push(namespace);
        }
    }
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
    for problem in problems.iter_mut().filter(|problem| problem.is_told_by_events) {
        let mut about = events.iter().filter(|event| is_about(event, problem) && !event.is_symptom());
        // The newest comes first.
        let Some(event) = about.next() else { continue };
        if event.reason == "FailedCreate" {
            let Trouble { reason, cause, .. } = troubles::refused(&event.message, None);
            problem.why = format!("{reason}: {cause} ({})", problem.why);
        } else {
            problem.why.push_str(&format!(": {}", quoted(&event.message, MESSAGE_MAX)));
        }
    }
}

fn is_about(event: &Event, Problem { object, pods, .. }: &Problem) -> bool {
    let Event { object: about, .. } = event;
    let is_named = about.kind == object.kind && about.name == object.name;
    let is_part = about.kind == "ReplicaSet" && object.kind == "Deployment" && is_of(&about.name, &object.name);
    let is_pod = about.kind == "Pod" && pods.contains(&about.name);
    about.namespace == object.namespace && (is_named || is_part || is_pod)
}

/// Whether what is called like this may be a part of a workload.
fn is_of(name: &str, workload: &str) -> bool {
    name.strip_prefix(workload).is_some_and(|rest| rest.starts_with('-'))
}

/// What happened of late to objects of which nothing was said, the same reason of one kind in a namespace once.
pub(crate) fn alone(problems: &[Problem], pods: &Pods, events: &[Event]) -> Vec<Problem> {
    let mut groups: Vec<(usize, &Event)> = Vec::new();
    for event in events {
        let Event { object: about, count, last, .. } = event;
        let age = last.map_or(0, |last| last.seconds_to(Time::now()));
        let is_over = age > REPEATS_WITHIN || (age > LAST_WITHIN && *count < OFTEN);
        let is_said = pods.is_troubled(&about.namespace, &about.name)
            || problems.iter().any(|problem| {
                let is_named = |object: &Object| object.namespace == about.namespace && object.name == about.name;
                let is_part = problem.object.namespace == about.namespace && is_of(&about.name, &problem.object.name);
                is_part || is_named(&problem.object) || problem.alike.iter().any(is_named)
            });
        if !is_over && !is_said {
            let is_same = |other: &Event| {
                (&other.object.namespace, &other.object.kind, &other.reason) == (&about.namespace, &about.kind, &event.reason)
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
    let object = Object::new(&object.kind, &object.namespace, &object.name);
    Problem { size: 0, ..Problem::new(Rank::Rest, object, Trouble::new(reason, cause, *last)) }
}
