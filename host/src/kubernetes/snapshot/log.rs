//! Container logs as files, and the part of one that a request asks for.

use bytes::Bytes;
use k8s_openapi::jiff::Timestamp;

/// The file in which `kubectl cluster-info dump` writes the logs of all containers of a pod.
const DUMP_FILE: &str = "logs.txt";

/// The log of one run of one container.
pub(super) struct Log {
    /// The pod's namespace.
    pub(super) namespace: String,
    /// The pod's name.
    pub(super) pod: String,
    /// The container; none if the file does not say, which is right for a pod with one container.
    pub(super) container: Option<String>,
    /// Whether this is the run before the current one.
    pub(super) previous: bool,
    /// The lines.
    text: Bytes,
    /// Whether the lines begin with the kubelet's time stamps.
    stamped: bool,
}

/// What of a log to answer with. The API server's own parameters, checked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cut {
    /// The newest lines only.
    pub(super) tail_lines: Option<usize>,
    /// Of those, only lines from this time on.
    pub(super) since: Option<Timestamp>,
    /// Begin each line with its time stamp, where there is one.
    pub(super) timestamps: bool,
    /// Of all that, only the first bytes.
    pub(super) limit_bytes: Option<usize>,
}

/// What a path says about the log in the file.
pub(super) enum Place {
    /// `NAMESPACE/POD/logs.txt`: all containers, between marker lines.
    Pod(String, String),
    /// `NAMESPACE/POD/CONTAINER.log` or `NAMESPACE/POD/CONTAINER.previous.log`: one run of one container.
    Container { namespace: String, pod: String, container: String, previous: bool },
}

impl Place {
    /// What `path` says; none if no log belongs there.
    pub(super) fn of(path: &str) -> Option<Self> {
        let mut parts = path.rsplit('/');
        let (file, pod, namespace) = (parts.next()?, parts.next()?.to_owned(), parts.next()?.to_owned());
        if file == DUMP_FILE {
            return Some(Place::Pod(namespace, pod));
        }
        let stem = file.strip_suffix(".log")?;
        let (container, previous) = match stem.strip_suffix(".previous") {
            Some(container) => (container.to_owned(), true),
            None => (stem.to_owned(), false),
        };
        Some(Place::Container { namespace, pod, container, previous })
    }

    /// The logs in the text of the file. They share the text.
    pub(super) fn logs(self, text: &Bytes) -> Vec<Log> {
        match self {
            Place::Container { namespace, pod, container, previous } => {
                // A container that stamps its own lines does so in another format, as a rule: the kubelet writes nanoseconds.
                let stamped = lines(text).find(|line| !line.trim_ascii().is_empty()).is_some_and(|line| stamp(line).is_some());
                vec![Log { namespace, pod, container: Some(container), previous, text: text.clone(), stamped }]
            }
            // `cluster-info dump` asks for logs without time stamps: one at the start of a line is the container's own.
            Place::Pod(namespace, pod) => {
                let logs = sections(text);
                if logs.is_empty() {
                    return vec![Log { namespace, pod, container: None, previous: false, text: text.clone(), stamped: false }];
                }
                logs
            }
        }
    }
}

impl Log {
    /// The part that `cut` describes, oldest line first.
    ///
    /// In the kubelet's order: it takes the tail first, drops what is too old then, and counts bytes last. A line without a time
    /// stamp is never too old.
    pub(super) fn part(&self, cut: &Cut) -> Bytes {
        let tail = self.text.slice(cut.tail_lines.map_or(0, |count| start_of_tail(&self.text, count))..);
        let mut part = if self.stamped && (cut.since.is_some() || !cut.timestamps) {
            let mut kept = Vec::with_capacity(tail.len());
            for line in lines(&tail) {
                match stamp(line) {
                    Some((time, _)) if cut.since.is_some_and(|since| time < since) => {}
                    Some((_, text)) if !cut.timestamps => kept.extend_from_slice(text),
                    _ => kept.extend_from_slice(line),
                }
            }
            Bytes::from(kept)
        } else {
            tail
        };
        part.truncate(cut.limit_bytes.unwrap_or(usize::MAX));
        part
    }

    /// The time of its newest line, if it has time stamps.
    pub(super) fn newest(&self) -> Option<Timestamp> {
        if !self.stamped {
            return None;
        }
        lines(&self.text).filter_map(|line| stamp(line).map(|(time, _)| time)).max()
    }
}

/// Lines with their ends.
fn lines(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

fn start_of_tail(text: &[u8], count: usize) -> usize {
    text.len() - lines(text).rev().take(count).map(<[u8]>::len).sum::<usize>()
}

/// The kubelet's time stamp at the start of a line, and the line without it. Nine decimals set it apart from other formats.
fn stamp(line: &[u8]) -> Option<(Timestamp, &[u8])> {
    const FRACTION: std::ops::Range<usize> = "2026-11-19T09:00:00.".len().."2026-11-19T09:00:00.000000000".len();
    let end = line.iter().position(|byte| byte.is_ascii_whitespace())?;
    let text = std::str::from_utf8(&line[..end]).ok()?;
    if !text.as_bytes().get(FRACTION)?.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let rest = if line[end] == b' ' { end + 1 } else { end };
    Some((text.parse().ok()?, &line[rest..]))
}

/// The logs between the marker lines of `kubectl cluster-info dump`. Source: pkg/cmd/clusterinfo of k8s.io/kubectl.
fn sections(text: &Bytes) -> Vec<Log> {
    let mut logs = Vec::new();
    let mut open: Option<(Log, usize)> = None;
    let mut offset = 0;
    for line in lines(text) {
        let next = offset + line.len();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match open.take() {
            None => open = start_marker(line).map(|log| (log, next)),
            Some((mut log, start)) => {
                // A log that does not end with a line break has the marker on its last line.
                match line.strip_suffix(end_marker(&log).as_bytes()) {
                    Some(last) => {
                        log.text = text.slice(start..offset + last.len());
                        logs.push(log);
                    }
                    None => open = Some((log, start)),
                }
            }
        }
        offset = next;
    }
    if let Some((mut log, start)) = open {
        log.text = text.slice(start..);
        logs.push(log);
    }
    logs
}

/// `==== START logs for container CONTAINER of pod NAMESPACE/POD ====`
fn start_marker(line: &[u8]) -> Option<Log> {
    let line = std::str::from_utf8(line).ok()?;
    let names = line.strip_prefix("==== START logs for container ")?.strip_suffix(" ====")?;
    let (container, pod) = names.split_once(" of pod ")?;
    let (namespace, pod) = pod.split_once('/')?;
    Some(Log {
        namespace: namespace.to_owned(),
        pod: pod.to_owned(),
        container: Some(container.to_owned()),
        previous: false,
        text: Bytes::new(),
        stamped: false,
    })
}

fn end_marker(log: &Log) -> String {
    let container = log.container.as_deref().unwrap_or_default();
    format!("==== END logs for container {container} of pod {}/{} ====", log.namespace, log.pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(path: &str, text: &'static str) -> Log {
        let mut logs = Place::of(path).unwrap().logs(&Bytes::from_static(text.as_bytes()));
        assert_eq!(logs.len(), 1);
        logs.remove(0)
    }

    const STAMPED: &str = "2026-11-19T09:00:00.000000000Z one\n\
                           2026-11-19T09:00:10.500000000Z two\n\
                           no stamp\n\
                           2026-11-19T10:00:20+01:00 not the kubelet's\n\
                           2026-11-19T09:00:30.000000000Z \n";

    #[test]
    fn paths_name_the_container() {
        let place = |path| {
            Place::of(path).map(|place| place.logs(&Bytes::new()).remove(0)).map(|log| (log.pod, log.container, log.previous))
        };
        assert_eq!(place("dump/team-a/web-0/logs.txt"), Some(("web-0".to_owned(), None, false)));
        assert_eq!(place("team-a/web-0/app.log"), Some(("web-0".to_owned(), Some("app".to_owned()), false)));
        assert_eq!(place("team-a/web-0/app.previous.log"), Some(("web-0".to_owned(), Some("app".to_owned()), true)));
        for other in ["kubelet.log", "logs.txt", "web-0/logs.txt", "team-a/web-0/app.txt"] {
            assert_eq!(place(other), None, "{other}");
        }
    }

    #[test]
    fn a_dump_holds_the_log_of_every_container() {
        let text = Bytes::from_static(
            b"==== START logs for container app of pod team-a/web-0 ====\n\
              one\n==== START is not a marker\n\
              ==== END logs for container app of pod team-a/web-0 ====\n\
              ==== START logs for container quiet of pod team-a/web-0 ====\n\
              ==== END logs for container quiet of pod team-a/web-0 ====\n\
              ==== START logs for container sidecar of pod team-a/web-0 ====\n\
              no line break==== END logs for container sidecar of pod team-a/web-0 ====\n\
              ==== START logs for container cut of pod team-a/web-0 ====\n\
              the file ends here",
        );
        let logs = Place::of("team-a/web-0/logs.txt").unwrap().logs(&text);
        let found: Vec<_> = logs.iter().map(|log| (log.container.as_deref().unwrap(), &log.text[..])).collect();
        assert_eq!(
            found,
            [
                ("app", &b"one\n==== START is not a marker\n"[..]),
                ("quiet", b""),
                ("sidecar", b"no line break"),
                ("cut", b"the file ends here"),
            ]
        );
    }

    #[test]
    fn stamps_are_shown_on_demand_only() {
        let log = only("a/b/c.log", STAMPED);
        assert_eq!(log.part(&Cut { timestamps: true, ..Cut::default() }), STAMPED);
        assert_eq!(log.part(&Cut::default()), "one\ntwo\nno stamp\n2026-11-19T10:00:20+01:00 not the kubelet's\n\n");
        assert_eq!(log.newest(), Some("2026-11-19T09:00:30Z".parse().unwrap()));
    }

    #[test]
    fn a_log_without_stamps_is_served_as_it_is() {
        let text = "2026-11-19T09:00:00Z the container's own\nsecond\n";
        for path in ["a/b/c.log", "a/b/logs.txt"] {
            let log = only(path, text);
            let since = Some("2026-11-20T00:00:00Z".parse().unwrap());
            for timestamps in [false, true] {
                assert_eq!(log.part(&Cut { timestamps, since, ..Cut::default() }), text);
            }
            assert_eq!(log.newest(), None);
        }
    }

    #[test]
    fn the_tail_is_cut_before_the_time_and_the_time_before_the_bytes() {
        let log = only("a/b/c.log", STAMPED);
        let part = |tail_lines, since: Option<&str>, limit_bytes| {
            let since = since.map(|since| since.parse().unwrap());
            log.part(&Cut { tail_lines, since, timestamps: false, limit_bytes })
        };
        assert_eq!(part(Some(0), None, None), "");
        assert_eq!(part(Some(1), None, None), "\n");
        assert_eq!(part(Some(99), None, Some(7)), "one\ntwo");
        assert_eq!(part(Some(4), Some("2026-11-19T09:00:10.5Z"), Some(8)), "two\nno s");
        assert_eq!(part(None, Some("2026-11-19T09:00:11Z"), Some(8)), "no stamp");
    }

    #[test]
    fn a_last_line_without_an_end_counts_as_a_line() {
        let log = only("a/b/c.log", "one\ntwo");
        assert_eq!(log.part(&Cut { tail_lines: Some(1), ..Cut::default() }), "two");
    }
}
