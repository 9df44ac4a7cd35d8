//! The end of a container's log, in memory that depends on the cap and not on the log.
//!
//! `tailLines` counts records of the container runtime, which are up to 16 KiB and sometimes far more, so a tail of 2,000 can be a
//! GiB. It arrives oldest first: where it is much larger than the cap, reading stops and starts again with fewer records.

mod matching;
mod newest;
mod stamps;
#[cfg(test)]
mod tests;
mod window;

use http::StatusCode;
use sandbar_policy::{Access, Exhausted, Place, Verb};

use self::matching::{Pattern, Search};
use self::newest::Kept;
use self::window::{RECORD_MAX, Reading, Window};
use super::context::ReadContext;
use super::error::{Code, Error};
use super::exchange::{Failure, LOG_FIRST_BYTE};
use super::list::page_bytes;
use super::name::{Container, Namespace, ObjectName};
use super::request::{LogParameters, Read};
use super::rights::Selectors;
use super::types::{Excerpt, LogSource};

/// Lines, where nobody says how many: the default of the server that Sandbar replaces.
const DEFAULT_LINES: u32 = 2_000;

/// Lines to search where nobody says how many: a pattern is for what is rare, and 2,000 lines can be a minute.
const DEFAULT_LINES_MATCHING: u32 = 20_000;

/// How far a tail may go over the cap before fewer records are asked for: up to here, reading on is quicker than a new request.
const OVER_CAP: u64 = 4;

/// How far over the cap the second tail aims, since records differ in size.
const AIM_OVER_CAP: u64 = 2;

/// Requests for one excerpt: the first, one with fewer records, and two with more again if those were too few.
const REQUESTS: u32 = 4;

/// How many times more records one further request may ask for.
const GROWTH_MAX: u64 = 64;

/// Bytes of text that take as long to look at as one byte of a pattern to compile: a class of Unicode of five bytes takes 200 us.
const PATTERN_COSTS: usize = 1024;

/// Reads the excerpt.
pub(super) async fn tail(context: &ReadContext, source: &LogSource) -> Result<Excerpt, Error> {
    let namespace = Namespace::parse(&source.namespace)?;
    let pod = ObjectName::parse(&source.pod)?;
    let container = source.container.as_deref().filter(|name| !name.is_empty()).map(Container::parse).transpose()?;
    if source.since_seconds == Some(0) {
        return Err(Error::new(Code::Invalid, "`since-seconds` is 0: it has to be 1 or more, leave it out for the whole log"));
    }
    let access = Access {
        verb: Verb::Get,
        group: "",
        version: "v1",
        resource: "pods/log",
        place: Place::Namespace(namespace.as_str()),
        name: Some(pod.as_str()),
    };
    context.grant.check(&access)?;
    context.authorize(&access, Selectors::default()).await?;

    let default = if source.matching.is_some() { DEFAULT_LINES_MATCHING } else { DEFAULT_LINES };
    let lines = u64::from(source.tail_lines.unwrap_or(default));
    if lines == 0 {
        return Ok(Excerpt::empty());
    }
    let container = container.as_ref();
    let pattern = match &source.matching {
        Some(pattern) => {
            context.budget.meter().prepare_for(pattern.len().saturating_mul(PATTERN_COSTS)).await;
            Some(matching::compile(pattern)?)
        }
        None => None,
    };
    let log = Log {
        context,
        source,
        access,
        namespace: &namespace,
        pod: &pod,
        container,
        pattern: pattern.as_ref(),
        cap: cap(context, source),
    };
    log.excerpt(lines).await.map_err(|error| match (log.pattern, context.budget.check()) {
        (Some(pattern), Err(Exhausted::Cpu(_))) if error.code == Code::Exhausted => pattern.too_costly(&error),
        _ => error,
    })
}

/// The caller can only lower the operator's cap.
fn cap(context: &ReadContext, source: &LogSource) -> usize {
    let cap = context.share.of_answer(page_bytes(context.budget.limits())) as u64;
    let cap = cap.min(context.budget.limits().logs);
    let cap = source.limit_bytes.filter(|&limit| limit > 0).map_or(cap, |limit| cap.min(u64::from(limit)));
    // The text is held twice over and handed to a 32-bit guest.
    usize::try_from(cap).unwrap_or(usize::MAX).min(u32::MAX as usize / 4)
}

/// A log that has passed the grant.
struct Log<'q> {
    context: &'q ReadContext,
    source: &'q LogSource,
    access: Access<'q>,
    namespace: &'q Namespace,
    pod: &'q ObjectName,
    container: Option<&'q Container>,
    pattern: Option<&'q Pattern>,
    cap: usize,
}

/// How one request ended.
enum Outcome {
    /// The pod has not been started anywhere, so there is no log.
    NotScheduled,
    /// What was read, and what the server says about it.
    Read(Reading, Vec<String>),
    /// Reading stopped after these bytes and lines.
    TooMuch { bytes: u64, lines: u64 },
}

impl Log<'_> {
    /// Reads the newest `wanted` lines, or as many of them as make sense.
    async fn excerpt(&self, wanted: u64) -> Result<Excerpt, Error> {
        let mut window = wanted;
        let mut stop_at = Some(self.too_much());
        let mut best: Option<(Reading, u64, Vec<String>)> = None;
        // One for all requests: what the first has taken is gone for the second.
        let mut search = self.pattern.map(|pattern| Search::new(pattern, &self.context.budget));
        for _ in 0..REQUESTS {
            match self.read(window, stop_at.filter(|_| window > self.fewest()), search.as_mut()).await {
                Ok(Outcome::NotScheduled) => return Ok(not_scheduled(self.pod)),
                Ok(Outcome::TooMuch { bytes, lines }) => {
                    window = self.fewer(window, bytes, lines);
                    stop_at = None;
                }
                Ok(Outcome::Read(reading, warnings)) => {
                    let larger = self.more(&reading, window, wanted);
                    best = Some((reading, window, warnings));
                    match larger {
                        Some(larger) => window = larger,
                        None => break,
                    }
                }
                // A further request only makes the excerpt longer; without it there still is one.
                Err(error) => match best {
                    Some(_) => break,
                    None => return Err(error),
                },
            }
        }
        match best {
            Some((reading, window, warnings)) => {
                let mut excerpt = self.make(reading, window, wanted);
                excerpt.warnings.extend(warnings);
                Ok(excerpt)
            }
            None => Err(Error::new(Code::TooLarge, "this log's lines are too long to be read; ask for fewer lines")),
        }
    }

    /// One request, for one record more than the window has: whether older lines exist is told by its being there.
    async fn read(&self, window: u64, stop_at: Option<u64>, search: Option<&mut Search<'_>>) -> Result<Outcome, Error> {
        let parameters = LogParameters {
            container: self.container,
            previous: self.source.previous,
            timestamps: self.source.timestamps,
            since_seconds: self.source.since_seconds,
            tail: window + 1,
        };
        let get = Read::log(self.namespace, self.pod, &parameters);
        let answer = self.context.ask(get, &self.access, LOG_FIRST_BYTE).await;
        let mut incoming = answer.map_err(|failure| self.explain(failure))?;
        if incoming.status == StatusCode::NO_CONTENT {
            return Ok(Outcome::NotScheduled);
        }
        let warnings = std::mem::take(&mut incoming.warnings);
        let window = Window::new(self.cap, search, self.context.grant.secrets);
        let mut reading = window.with_times(self.source.timestamps);
        while let Some(chunk) = incoming.chunk().await? {
            reading.feed(&chunk)?;
            if stop_at.is_some_and(|stop_at| reading.bytes() > stop_at) {
                return Ok(Outcome::TooMuch { bytes: reading.bytes(), lines: reading.lines() });
            }
        }
        Ok(Outcome::Read(reading.finish()?, warnings))
    }

    /// Bytes after which fewer records are asked for. A search reads as much as it may, and keeps the other half for that.
    fn too_much(&self) -> u64 {
        let over_cap = self.cap as u64 * OVER_CAP;
        match self.pattern {
            None => over_cap,
            Some(_) => over_cap.max(self.context.budget.read_left() / 2),
        }
    }

    /// The fewest records that it makes sense to ask for: full ones fill the cap.
    fn fewest(&self) -> u64 {
        (self.cap / RECORD_MAX).max(1) as u64
    }

    /// The window for the next request, after one that was too much.
    fn fewer(&self, window: u64, bytes: u64, lines: u64) -> u64 {
        let aim = match self.pattern {
            None => self.cap as u64 * AIM_OVER_CAP,
            Some(_) => self.context.budget.read_left() / 2,
        };
        // A line of several records counts as one here, which makes records look larger than they are and the next window smaller.
        let record = (bytes / lines.max(1)).max(1);
        (aim / record).clamp(self.fewest(), (window / 2).max(1))
    }

    /// The window for the next request, after one that was too little for the cap though there is more.
    fn more(&self, reading: &Reading, window: u64, wanted: u64) -> Option<u64> {
        let enough = window >= wanted || reading.bytes >= self.cap as u64 || self.pattern.is_some();
        if enough || !self.context.budget.has_request() {
            return None;
        }
        let factor = (self.cap as u64 * AIM_OVER_CAP / reading.bytes.max(1)).clamp(2, GROWTH_MAX);
        Some(window.saturating_mul(factor).min(wanted))
    }

    /// The excerpt of a log that was read with a window that may be smaller than what was wanted.
    fn make(&self, reading: Reading, window: u64, wanted: u64) -> Excerpt {
        let Reading { kept: Kept { mut text, dropped_bytes, dropped_lines, headless }, lines, records, first, .. } = reading;
        let reduced = window < wanted;
        // Lines beyond the window. The first of them is there because one more was asked for.
        let mut surplus = lines.saturating_sub(window);
        let first_matched = first.is_none_or(|first| first.matched);
        if self.pattern.is_some() {
            // Of the others it is not known which have matched; there are none unless the server ignores `tailLines`.
            surplus = u64::from(surplus > 0 && first_matched);
        }
        drop_first_lines(&mut text, surplus.saturating_sub(dropped_lines));
        let cut = dropped_lines > surplus || (headless && dropped_lines == surplus);
        let dropped = match (cut, surplus) {
            (false, _) => None,
            (true, 0) => Some(dropped_bytes),
            (true, 1) => Some(dropped_bytes.saturating_sub(first.map_or(0, |first| first.bytes))),
            (true, _) => None,
        };
        let truncated = cut || (reduced && self.pattern.is_none());
        let mut warnings = Vec::new();
        if reduced && self.pattern.is_some() {
            warnings
                .push(format!("only the newest {window} lines were searched: they are long, and a call may read only so much"));
        }
        if self.pattern.is_some() && text.is_empty() && !cut && !reduced {
            let age = self.source.since_seconds.map(|seconds| format!(" of the last {seconds} s")).unwrap_or_default();
            warnings.push(match lines.min(window) {
                0 => format!("there was no line{age} to search"),
                1 => format!("there was one line{age} to search, and it does not match"),
                lines => format!("{lines} lines{age} were searched, and none matches"),
            });
        }
        // All records came that were asked for, and they are fewer lines: what was to show that there is more is part of a line.
        if !cut && lines <= window && records > window && first.is_some_and(|first| first.bytes > RECORD_MAX as u64) {
            warnings.push("the first line may lack its beginning: it is so long that the runtime has split it".to_owned());
        }
        let older = if truncated || reduced || lines > window {
            Some(true)
        } else if self.source.since_seconds.is_some() || records > window {
            // The kubelet drops lines by age after it has counted them, and counts records, not lines.
            None
        } else {
            Some(false)
        };
        let dropped_bytes = dropped.filter(|_| !reduced).and_then(|bytes| u32::try_from(bytes).ok());
        Excerpt { text, truncated, dropped_bytes, older, warnings }
    }

    /// Failures of a log that are not the API server's own.
    fn explain(&self, failure: Failure) -> Error {
        let suspect = format!("the node of pod {} may be down, or its kubelet hangs", self.pod.as_str());
        match failure {
            // `pods "NODE" not found`: the API server looks up the node, and calls whatever it misses there a pod.
            Failure::Refused(refusal) if refusal.missing().is_some_and(|name| name != self.pod.as_str()) => {
                let node = refusal.missing().unwrap_or_default();
                Error::new(
                    Code::Unavailable,
                    format!(
                        "the log of pod {} is gone with its node: the cluster has no node {node:?} any more",
                        self.pod.as_str()
                    ),
                )
            }
            Failure::Refused(refusal) if refusal.status.is_server_error() => {
                let error = Error::from(refusal);
                Error { message: format!("{suspect}: {}", error.message), ..error }
            }
            Failure::Refused(refusal) => refusal.into(),
            Failure::Forbidden(error) => error,
            Failure::Failed(error) if error.code == Code::Unavailable => {
                Error { message: format!("{} ({suspect})", error.message), ..error }
            }
            Failure::Failed(error) => error,
        }
    }
}

impl Excerpt {
    /// A log without lines.
    fn empty() -> Self {
        Self { text: String::new(), truncated: false, dropped_bytes: None, older: None, warnings: Vec::new() }
    }
}

/// The API server's answer for a pod without a node is an empty one.
fn not_scheduled(pod: &ObjectName) -> Excerpt {
    let warning = format!("pod {} is not scheduled yet: it has no node, so no container of it has run", pod.as_str());
    Excerpt { older: Some(false), warnings: vec![warning], ..Excerpt::empty() }
}

/// Takes off the first lines in one cut: a server that ignores `tailLines` may have sent a million of them.
fn drop_first_lines(text: &mut String, lines: u64) {
    let Some(last) = lines.checked_sub(1) else { return };
    let mut ends = memchr::memchr_iter(b'\n', text.as_bytes());
    let end = usize::try_from(last).ok().and_then(|last| ends.nth(last)).map_or(text.len(), |at| at + 1);
    text.drain(..end);
}
