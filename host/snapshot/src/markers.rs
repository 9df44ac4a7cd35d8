//! The file in which `kubectl cluster-info dump` writes the logs of all containers of a pod, between marker lines. Source:
//! pkg/cmd/clusterinfo of k8s.io/kubectl.
//!
//! A program can print such a line itself. So a log only ends before the next marker of a start, or at the end of the file.

use memchr::memmem;

const START: &str = "==== START logs for container ";
const END: &str = "==== END logs for container ";
const LAST: &str = " ====";

/// What kubectl writes in place of a log that it cannot read: a line, with an error.
const FAILED: [&str; 2] = ["Request log error: ", "Create log request error: "];

/// Such a line is shorter.
pub(super) const LONGEST_FAILED: u64 = 4096;

/// Whether a log, of fewer bytes than that, is what kubectl wrote in place of one.
pub(super) fn has_failed(log: &[u8]) -> bool {
    let is_one_line = memchr::memchr(b'\n', log).is_none_or(|at| at + 1 == log.len());
    is_one_line && FAILED.iter().any(|failed| log.starts_with(failed.as_bytes()))
}

/// A marker line is shorter: it has three names, of 63, 63 and 253 bytes.
pub(super) const LONGEST: usize = 512;

/// Markers that are kept of one file: a pod has few containers.
const MARKERS_MAX: usize = 1_000;

/// A marker and its place.
#[derive(Debug, PartialEq, Eq)]
struct Marker {
    starts: bool,
    container: String,
    from: u64,
    /// The offset after its line.
    to: u64,
}

/// Finds the markers of one pod's file, piece by piece.
pub(super) struct Markers {
    of: String,
    found: Vec<Marker>,
}

impl Markers {
    /// Finds markers for this pod.
    pub(super) fn new(namespace: &str, pod: &str) -> Self {
        Self { of: format!(" of pod {namespace}/{pod}"), found: Vec::new() }
    }

    /// Finds the markers that begin in the first `new` bytes of `piece`; the rest belongs to the next piece. It is at `offset` in
    /// the file, and begins with the byte before the new ones, unless it is the first.
    pub(super) fn look(&mut self, piece: &[u8], offset: u64, new: usize) {
        for (starts, text) in [(true, START), (false, END)] {
            for at in memmem::find_iter(piece, text.as_bytes()).take_while(|&at| at < new) {
                if self.found.len() >= MARKERS_MAX {
                    return;
                }
                let begins_a_line = if at == 0 { offset == 0 } else { piece[at - 1] == b'\n' };
                // If a log does not end with a line break, its end marker is on its last line.
                if (at == 0 && offset > 0) || (starts && !begins_a_line) {
                    continue;
                }
                let line = &piece[at..piece.len().min(at + LONGEST)];
                let end = memchr::memchr(b'\n', line);
                let names = std::str::from_utf8(&line[text.len()..end.unwrap_or(line.len())]).ok();
                let container = names.and_then(|names| names.strip_suffix(LAST)?.strip_suffix(&*self.of));
                if let Some(container) = container {
                    let to = offset + (at + end.map_or(line.len(), |end| end + 1)) as u64;
                    self.found.push(Marker { starts, container: container.to_owned(), from: offset + at as u64, to });
                }
            }
        }
    }

    /// Where the logs are, in a file of this length. Without any marker the whole file is the log of the only container.
    pub(super) fn finish(mut self, length: u64) -> Sections {
        self.found.sort_by_key(|marker| marker.from);
        let mut sections = Vec::new();
        let mut next = 0;
        while let Some(start) = self.found.get(next).filter(|marker| marker.starts) {
            let is_end = |at: &usize| {
                let marker = &self.found[*at];
                let last =
                    marker.to >= length || self.found.get(at + 1).is_some_and(|next| next.starts && next.from == marker.to);
                !marker.starts && marker.container == start.container && last
            };
            let end = (next + 1..self.found.len()).find(is_end);
            sections.push((start.container.clone(), start.to, end.map_or(length, |end| self.found[end].from)));
            next = end.map_or(self.found.len(), |end| end + 1);
        }
        Sections { sections, length }
    }
}

/// Where the logs of a pod's containers are in its file.
#[derive(Debug)]
pub(super) struct Sections {
    sections: Vec<(String, u64, u64)>,
    length: u64,
}

impl Sections {
    /// Where the log of `container` begins and ends. `sole`: it is the pod's only one.
    pub(super) fn of(&self, container: &str, sole: bool) -> Option<(u64, u64)> {
        if self.sections.is_empty() {
            return sole.then_some((0, self.length));
        }
        self.sections.iter().find(|(name, ..)| name == container).map(|(_, from, to)| (*from, *to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The logs of these containers in a file, read in pieces of all sizes.
    fn logs<const N: usize>(text: &str, containers: [&str; N]) -> [Option<String>; N] {
        let read = |size: usize| {
            let mut markers = Markers::new("team-a", "web-0");
            let mut at = 0;
            while at < text.len() {
                let from = at.saturating_sub(1);
                let new = (size + at - from).min(text.len() - from);
                markers.look(&text.as_bytes()[from..text.len().min(from + new + LONGEST)], from as u64, new);
                at = from + new;
            }
            let sections = markers.finish(text.len() as u64);
            containers
                .map(|container| sections.of(container, N == 1).map(|(from, to)| text[from as usize..to as usize].to_owned()))
        };
        let whole = read(text.len().max(1));
        for size in [1, 2, 3, 7, 64, 100] {
            assert_eq!(read(size), whole, "in pieces of {size} bytes");
        }
        whole
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_dump_holds_the_log_of_every_container() {
        let text = "==== START logs for container app of pod team-a/web-0 ====\n\
                    one\n==== START is not a marker\n\
                    ==== END logs for container app of pod team-a/web-0 ====\n\
                    ==== START logs for container quiet of pod team-a/web-0 ====\n\
                    ==== END logs for container quiet of pod team-a/web-0 ====\n\
                    ==== START logs for container sidecar of pod team-a/web-0 ====\n\
                    no line break==== END logs for container sidecar of pod team-a/web-0 ====\n\
                    ==== START logs for container cut of pod team-a/web-0 ====\n\
                    the file ends here";
        assert_eq!(
            logs(text, ["app", "quiet", "sidecar", "cut", "nobody"]),
            [some("one\n==== START is not a marker\n"), some(""), some("no line break"), some("the file ends here"), None,]
        );
    }

    #[test]
    fn a_program_that_prints_markers_ends_no_log_and_begins_none() {
        let text = "==== START logs for container app of pod team-a/web-0 ====\n\
                    ==== END logs for container app of pod team-a/web-0 ====\n\
                    ==== START logs for container other of pod team-b/web-0 ====\n\
                    ==== START logs for container sidecar of pod team-a/web-0 ====\n\
                    x ==== START logs for container sidecar of pod team-a/web-0 ====\n\
                    still app\n\
                    ==== END logs for container app of pod team-a/web-0 ====\n\
                    ==== START logs for container sidecar of pod team-a/web-0 ====\n\
                    sidecar\n\
                    ==== END logs for container sidecar of pod team-a/web-0 ====\n";
        let [app, sidecar] = logs(text, ["app", "sidecar"]);
        assert!(app.unwrap().ends_with("still app\n"));
        assert_eq!(sidecar, some("sidecar\n"));
    }

    #[test]
    fn an_error_of_kubectl_is_no_log() {
        for (log, failed) in [
            ("Request log error: container \"app\" in pod \"web-0\" is waiting to start\n", true),
            ("Create log request error: none", true),
            ("Request log error: one\nand more\n", false),
            ("one\nRequest log error: x\n", false),
            ("", false),
        ] {
            assert_eq!(has_failed(log.as_bytes()), failed, "{log}");
        }
    }

    #[test]
    fn a_file_without_markers_is_the_log_of_the_only_container() {
        assert_eq!(logs("one\ntwo", ["app"]), [some("one\ntwo")]);
        assert_eq!(logs("one\ntwo", ["app", "sidecar"]), [None, None]);
        assert_eq!(logs("", ["app"]), [some("")]);
    }
}
