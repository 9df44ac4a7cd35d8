//! The server's log, on standard error.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use crate::policy::clean;

/// The log's default: what Sandbar and its components say.
const SERVING: &str = "info";

/// What commands say that answer a person at a terminal.
const ANSWERING: &str = "warn";

/// Starts the log, for a command that `serves` or for one that answers a person.
pub(super) fn start(serves: bool) {
    let default = if serves { SERVING } else { ANSWERING };
    let filter = EnvFilter::builder()
        .with_default_directive(tracing::level_filters::LevelFilter::WARN.into())
        .parse_lossy(std::env::var("SANDBAR_LOG").ok().filter(|filter| !filter.is_empty()).as_deref().unwrap_or(default));
    // Without colours: what is written is cleaned as a whole, since any field of an event may quote a component or the cluster.
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Clean(io::stderr()));
    if std::env::var("SANDBAR_LOG_FORMAT").is_ok_and(|format| format == "json") {
        log.json().init();
    } else {
        log.init();
    }
}

/// Writes each event without what a terminal would obey or a reader would not see. An event of several lines has all but its first
/// indented, so that none of them passes for an event of its own.
struct Clean<W>(W);

impl<W: Write> Write for Clean<W> {
    /// `event` is a whole one, with its line break: that is how the log is written.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = clean(&text);
        let lines = text.strip_suffix('\n').unwrap_or(&text);
        self.0.write_all(format!("{}\n", lines.replace('\n', "\n    ")).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Written {
        type Writer = Clean<Self>;

        fn make_writer(&'a self) -> Self::Writer {
            Clean(self.clone())
        }
    }

    #[test]
    fn no_field_of_an_event_hides_anything_or_passes_for_another_event() {
        let written = Written::default();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(written.clone()).finish();
        let hostile = "a\u{1b}[2Jb\u{202e}c\n2026-11-25T00:00:00Z  INFO sandbar::audit: call";
        tracing::subscriber::with_default(log, || {
            tracing::warn!(value = hostile, shown = %hostile, "words: {hostile}");
            tracing::warn!("next");
        });
        let text = String::from_utf8(written.0.lock().expect("no panic").clone()).expect("text");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
        assert!(text.contains("bc"), "{text}");
        let events: Vec<_> = text.lines().filter(|line| !line.starts_with("    ")).collect();
        assert!(events.len() == 2 && events.iter().all(|line| line.contains("WARN")), "{text}");
    }
}
