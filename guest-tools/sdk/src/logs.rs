//! Capability: container logs. Its rule is `pods/log` with the verb get.

use crate::bindings::sandbar::kubernetes::logs as wit;
use crate::{Error, host};

/// Which part of which log. Everything but the pod may be left at its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The container; none is right for a pod with one container only.
    pub container: Option<String>,
    /// The log of the container's previous run, before it was restarted.
    pub previous: bool,
    /// How many of the newest lines to read, counted before `matching` drops any: 2000 by default, more with `matching`.
    pub tail_lines: Option<u32>,
    /// Only lines that are at most this old, in seconds.
    pub since_seconds: Option<u32>,
    /// Begin each line with its RFC 3339 time stamp.
    pub timestamps: bool,
    /// Keep only the lines that this regular expression (RE2 syntax) matches somewhere.
    pub matching: Option<String>,
    /// Bytes of text at most. It can only lower the operator's cap, which is 1 MiB by default; 0 counts as none.
    pub limit_bytes: Option<u32>,
}

/// The newest lines that fit, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// Whole lines of clean text. Only a single line over the cap is cut, and keeps its newest bytes.
    pub text: String,
    /// The cap cut something off.
    pub truncated: bool,
    /// How many bytes were cut off, where that is known.
    pub dropped_bytes: Option<u32>,
    /// Whether older lines exist before these; none: not known.
    pub older: Option<bool>,
    /// What a reader of the text must know, for example that the pod is not scheduled yet.
    pub warnings: Vec<String>,
}

/// Reads the end of one container's log.
pub fn tail(source: Source) -> Result<Excerpt, Error> {
    Ok(host::tail(&source.into())?.into())
}

/// Reads the ends of several logs side by side: each has its own answer, in the order in which they were asked for. They have the room of
/// one together; at most 256 can be read at once. Fails as a whole only where they are more.
pub fn tail_many(sources: Vec<Source>) -> Result<Vec<Result<Excerpt, Error>>, Error> {
    let sources: Vec<wit::Source> = sources.into_iter().map(Into::into).collect();
    let excerpts = host::tail_many(&sources)?;
    Ok(excerpts.into_iter().map(|excerpt| excerpt.map(Into::into).map_err(Into::into)).collect())
}

impl From<Source> for wit::Source {
    fn from(source: Source) -> Self {
        Self {
            namespace: source.namespace,
            pod: source.pod,
            container: source.container,
            previous: Some(source.previous),
            tail_lines: source.tail_lines,
            since_seconds: source.since_seconds,
            timestamps: Some(source.timestamps),
            matching: source.matching,
            limit_bytes: source.limit_bytes,
            more: None,
        }
    }
}

impl From<wit::Excerpt> for Excerpt {
    fn from(excerpt: wit::Excerpt) -> Self {
        Self {
            text: excerpt.text,
            truncated: excerpt.truncated,
            dropped_bytes: excerpt.dropped_bytes,
            older: excerpt.older,
            warnings: excerpt.warnings,
        }
    }
}
