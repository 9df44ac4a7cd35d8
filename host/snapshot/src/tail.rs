//! The requested part of a log, read from its file in pieces: memory does not depend on the file's size, and a request that was
//! given up ends with its piece.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, StreamBody};
use k8s_openapi::jiff::Timestamp;
use memchr::memrchr_iter;

use super::files::{Content, File};
use super::lines::{Cutter, Stamps};
use super::log::Log;
use super::markers::{self, Markers};

/// The body of an answer.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Bytes that are read at once.
const PIECE: u64 = 256 << 10;

/// The requested part of a log, by the API server's own parameters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LogOptions {
    /// The newest lines only.
    pub(super) tail_lines: Option<u64>,
    /// Of those, only lines from this time on.
    pub(super) since: Option<Timestamp>,
    /// Begin each line with its time stamp, where there is one.
    pub(super) timestamps: bool,
    /// Of all that, only the first bytes.
    pub(super) limit_bytes: Option<u64>,
}

/// The log of one container in a file.
pub(super) struct Source {
    content: Arc<Content>,
    stamps: Stamps,
    from: u64,
    to: u64,
}

impl Source {
    /// Finds the log of a container in the file; none if it only has logs of others, or why there is none. `sole`: it is the pod's only container.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) async fn find(log: &Log, namespace: &str, pod: &str, container: &str, sole: bool) -> io::Result<Option<Self>> {
        let content = Arc::new(open(log.file.clone()).await?);
        let (from, to) = match log.container {
            Some(_) => (0, content.len()),
            None => match sections(&content, namespace, pod).await?.of(container, sole) {
                Some(section) => section,
                None => return Ok(None),
            },
        };
        let may_have_failed = log.container.is_none() && to - from < markers::LONGEST_FAILED;
        if may_have_failed && markers::has_failed(&piece(&content, from, to).await?) {
            return Ok(None);
        }
        Ok(Some(Self { content, stamps: log.stamps, from, to }))
    }

    /// The part that `cut` describes, oldest line first.
    ///
    /// In the kubelet's order: first the tail, then lines that are too old are dropped, then bytes are counted. A line without a
    /// time stamp is never too old.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub(super) async fn part(self, cut: &LogOptions) -> io::Result<Body> {
        let from = match cut.tail_lines {
            Some(lines) => self.start_of_tail(lines).await?,
            None => self.from,
        };
        let reading = Reading {
            at: from,
            left: cut.limit_bytes.unwrap_or(u64::MAX),
            cutter: Cutter::new(self.stamps, cut.since, cut.timestamps),
            source: self,
        };
        let pieces = stream::try_unfold(reading, async |mut reading| {
            let piece = reading.next().await?;
            Ok::<_, io::Error>(piece.map(|piece| (Frame::data(piece), reading)))
        });
        Ok(StreamBody::new(pieces).boxed_unsync())
    }

    /// The offset of the newest lines. A line break at the end of the log ends its last line and begins no other.
    async fn start_of_tail(&self, lines: u64) -> io::Result<u64> {
        let (mut end, mut left) = (self.to, lines);
        if lines == 0 {
            return Ok(self.to);
        }
        while end > self.from {
            let start = end.saturating_sub(PIECE).max(self.from);
            let piece = piece(&self.content, start, end).await?;
            for at in memrchr_iter(b'\n', &piece) {
                let begins = start + at as u64 + 1;
                if begins == self.to {
                    continue;
                }
                left -= 1;
                if left == 0 {
                    return Ok(begins);
                }
            }
            end = start;
        }
        Ok(self.from)
    }
}

/// A part of a log that is being read.
struct Reading {
    source: Source,
    at: u64,
    left: u64,
    cutter: Cutter,
}

impl Reading {
    /// The next bytes of the answer; none at its end.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let mut out = Vec::new();
        while out.is_empty() && self.at < self.source.to && self.left > 0 {
            let piece = piece(&self.source.content, self.at, self.source.to.min(self.at + PIECE)).await?;
            // The file may have been truncated.
            self.at = if piece.is_empty() { self.source.to } else { self.at + piece.len() as u64 };
            self.cutter.feed(&piece, &mut out);
            if self.at >= self.source.to {
                self.cutter.finish(&mut out);
            }
        }
        out.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= out.len() as u64;
        Ok((!out.is_empty()).then(|| out.into()))
    }
}

/// The sections of a pod's file.
async fn sections(content: &Arc<Content>, namespace: &str, pod: &str) -> io::Result<markers::Sections> {
    let mut markers = Markers::new(namespace, pod);
    let (mut at, length) = (0, content.len());
    while at < length {
        let from = at.saturating_sub(1);
        let piece = piece(content, from, from + PIECE + markers::LONGEST as u64).await?;
        let new = piece.len().min(PIECE as usize);
        if from + new as u64 <= at {
            break;
        }
        markers.look(&piece, from, new);
        at = from + new as u64;
    }
    Ok(markers.finish(length))
}

async fn open(file: File) -> io::Result<Content> {
    apart(move || file.open()).await
}

async fn piece(content: &Arc<Content>, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let content = Arc::clone(content);
    apart(move || content.piece(from, to)).await
}

/// Reads on a blocking thread.
async fn apart<T: Send + 'static>(read: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
}
