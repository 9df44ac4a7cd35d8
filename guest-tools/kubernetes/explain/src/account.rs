//! What is said of an object: the verdict, what stands behind it, a log, and what happened. It is bounded as a whole.

use sandbar_tool::Told;
use sandbar_tool::kubernetes::view::{one_line, quoted};
use sandbar_tool::kubernetes::{Event, Time};
use schemars::JsonSchema;
use serde::Serialize;

/// Bytes of the text and of the structure at most.
const TEXT_MAX: usize = 2_000;

/// Bytes of the verdict, of a fact, of a line of a log, and of an event's sentence.
const VERDICT_MAX: usize = 600;
const FACT_MAX: usize = 260;
const LINE_MAX: usize = 200;
const MESSAGE_MAX: usize = 160;

/// Bytes of why something could not be read.
const WHY_MAX: usize = 100;

/// Events that are told at most: the newest.
const EVENTS_MAX: usize = 6;

/// Facts that are kept: fewer fit.
const FACTS_MAX: usize = 100;

/// What happens to every pod.
const ORDINARY: [&str; 6] = ["Created", "Pulled", "Pulling", "Scheduled", "Started", "SuccessfulCreate"];

/// What is left of each where the whole is too long.
const FEW: usize = 3;

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Answer {
    object: String,
    /// The cause, or that nothing is wrong.
    verdict: String,
    /// Whether nothing is wrong.
    well: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<String>,
    /// The newest lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Lines>,
    /// The newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<String>,
}

/// The end of a container's log.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Lines {
    pub(crate) of: String,
    pub(crate) lines: Vec<String>,
}

/// The same while it is found out.
#[derive(Default)]
pub(crate) struct Account {
    /// The cause, where something is wrong.
    pub(crate) cause: Option<String>,
    /// What is said where nothing is.
    pub(crate) well: String,
    /// The more important first.
    pub(crate) facts: Vec<String>,
    pub(crate) log: Option<Lines>,
    /// The newest first.
    pub(crate) events: Vec<Event>,
}

impl Account {
    /// Says what is wrong, unless that is known already.
    pub(crate) fn blame(&mut self, cause: impl Into<String>) {
        self.cause.get_or_insert_with(|| cause.into());
    }

    pub(crate) fn fact(&mut self, fact: impl AsRef<str>) {
        let fact = one_line(fact.as_ref(), FACT_MAX);
        if !fact.is_empty() && self.facts.len() < FACTS_MAX && !self.facts.contains(&fact) {
            self.facts.push(fact);
        }
    }

    /// A fact that comes before the others.
    pub(crate) fn first(&mut self, fact: impl AsRef<str>) {
        self.facts.insert(0, one_line(fact.as_ref(), FACT_MAX));
    }

    /// What could not be read is a fact.
    pub(crate) fn took<T>(&mut self, what: &str, read: Result<T, sandbar_tool::Error>) -> Option<T> {
        read.map_err(|error| self.fact(format!("not read: {what}: {}", one_line(&error.to_string(), WHY_MAX)))).ok()
    }

    /// The newest warning, other than that something is tried again.
    pub(crate) fn warning(&self) -> Option<&Event> {
        self.events.iter().find(|event| event.r#type == "Warning" && !event.is_symptom())
    }

    /// The answer, with as much as fits.
    pub(crate) fn told(mut self, object: String) -> Told<Answer> {
        self.events.retain(|event| event.r#type == "Warning" || !ORDINARY.contains(&event.reason.as_str()));
        self.events.truncate(EVENTS_MAX);
        let well = self.cause.is_none();
        let verdict = self.cause.unwrap_or_else(|| format!("Nothing is wrong: {}", self.well));
        let events = self.events.iter().rev().map(|event| event_words(event, &verdict)).collect();
        let mut answer =
            Answer { object, verdict: one_line(&verdict, VERDICT_MAX), well, facts: self.facts, log: self.log, events };
        if let Some(log) = &mut answer.log {
            log.lines.iter_mut().for_each(|line| *line = one_line(line, LINE_MAX));
        }
        loop {
            let text = answer.text();
            let structure = serde_json::to_string(&answer).map_or(0, |json| json.len());
            if (text.len() <= TEXT_MAX && structure <= TEXT_MAX) || !answer.shrink() {
                return Told { text, answer };
            }
        }
    }
}

impl Answer {
    fn text(&self) -> String {
        let mut text = format!("{}\n{}\n", sentence(&self.verdict), self.object);
        for fact in &self.facts {
            text.push_str(&format!("- {fact}\n"));
        }
        if let Some(Lines { of, lines }) = &self.log {
            text.push_str(&format!("Log of {of}:\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
        if !self.events.is_empty() {
            text.push_str("Events:\n");
            self.events.iter().for_each(|event| text.push_str(&format!("- {event}\n")));
        }
        text
    }

    /// Leaves out what matters least; whether there was anything.
    fn shrink(&mut self) -> bool {
        let log = self.log.as_ref().map_or(0, |log| log.lines.len());
        if self.events.len() > FEW {
            self.events.remove(0);
        } else if self.facts.len() > FEW {
            self.facts.pop();
        } else if let (Some(lines), true) = (&mut self.log, log > 1) {
            lines.lines.remove(0);
        } else if !self.events.is_empty() {
            self.events.remove(0);
        } else if self.facts.pop().is_none() {
            return self.log.take().is_some();
        }
        true
    }
}

fn sentence(words: &str) -> String {
    let ends = words.ends_with(['.', '!', '…']);
    format!("{words}{}", if ends { "" } else { "." })
}

/// `2m ago, 7 times, Pod web-0 Unhealthy: "…"`, and without the sentence where the verdict has it.
fn event_words(event: &Event, verdict: &str) -> String {
    let Event { object, r#type, reason, message, count, last, .. } = event;
    let age = last
        .map(|last| format!("{} ago, ", sandbar_tool::kubernetes::age::words(last.seconds_to(Time::now()))))
        .unwrap_or_default();
    let times = if *count > 1 { format!("{count} times, ") } else { String::new() };
    let mark = if r#type == "Warning" { "" } else { " (normal)" };
    let message = quoted(message, MESSAGE_MAX);
    let said = if verdict.contains(&message) { String::new() } else { format!(": {message}") };
    format!("{age}{times}{} {} {reason}{mark}{said}", object.kind, object.name)
}
