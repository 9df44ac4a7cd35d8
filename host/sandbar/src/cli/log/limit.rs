//! How often the log says one and the same thing.
//!
//! Much of what it says is brought about by others: a request from a web page that is refused, a call over the rate. Of each kind, which is
//! a place in the code, a minute has so many events, and then one with the number of the others.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sandbar_catalog::NOT_LET_IN;
use sandbar_text::beginning;
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// How long the events of a kind are counted together.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// Events of one kind in that time. What could not be read of a snapshot is up to 102 lines.
const EVENTS_MAX: u64 = 120;

/// Bytes of what an event says by which its kind is called.
const CALLED_MAX: usize = 80;

/// Counts the events of each kind, and stops those that are too many. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Limit(Arc<Mutex<HashMap<Identifier, Kind>>>);

/// The events of one kind in this time.
struct Kind {
    metadata: &'static Metadata<'static>,
    events: u64,
    /// What the first that was too many says.
    said: String,
}

impl Limit {
    /// Whether an event may be written.
    fn admits(&self, event: &Event<'_>) -> bool {
        let metadata = event.metadata();
        if !is_limited(metadata) {
            return true;
        }
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(metadata.callsite()).or_insert(Kind { metadata, events: 0, said: String::new() });
        kind.events += 1;
        if kind.events == EVENTS_MAX + 1 {
            event.record(&mut Said(&mut kind.said));
        }
        kind.events <= EVENTS_MAX
    }

    /// Says how many events were too many, and counts anew.
    pub(super) fn end_window(&self) {
        let kinds = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for Kind { metadata, events, said } in kinds.into_values() {
            let more = events.saturating_sub(EVENTS_MAX);
            let words = "as many more events in this minute, with these words or similar ones";
            match (more, *metadata.level()) {
                (0, _) => {}
                (_, Level::INFO) if metadata.name() == NOT_LET_IN => {
                    tracing::info!(target: "sandbar::audit", outcome = "busy", calls = more, "calls");
                }
                (_, Level::ERROR) => tracing::error!(target: "sandbar::log", more, said, "{words}"),
                (_, Level::WARN) => tracing::warn!(target: "sandbar::log", more, said, "{words}"),
                _ => tracing::info!(target: "sandbar::log", more, said, "{words}"),
            }
        }
    }
}

impl<S: Subscriber> Layer<S> for Limit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        self.admits(event)
    }
}

/// Calls that are let in have a rate of their own, what a component logs has the limit `logged`, and whoever asks for what is said beyond
/// `info` asks for all of it.
fn is_limited(metadata: &Metadata<'_>) -> bool {
    match metadata.target() {
        "sandbar::audit" => metadata.name() == NOT_LET_IN,
        "sandbar::component" | "sandbar::log" => false,
        _ => *metadata.level() <= Level::INFO,
    }
}

/// Takes the message of an event.
struct Said<'s>(&'s mut String);

impl Visit for Said<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            *self.0 = beginning(&format_args!("{value:?}"), CALLED_MAX).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use tracing_subscriber::layer::SubscriberExt as _;

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

    fn refuse(host: u64) {
        tracing::warn!(host, "a request was refused: {}", "x".repeat(500));
    }

    fn turn_away() {
        tracing::info!(name: NOT_LET_IN, target: "sandbar::audit", outcome = "busy", "call");
    }

    #[test]
    fn a_kind_that_others_bring_about_is_counted_beyond_some_and_hides_no_other() {
        let (limit, written) = (Limit::default(), Written::default());
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let log = tracing_subscriber::registry().with(limit.clone()).with(lines);
        tracing::subscriber::with_default(log, || {
            (0..EVENTS_MAX + 880).for_each(refuse);
            (0..EVENTS_MAX + 7).for_each(|_| turn_away());
            tracing::warn!("another kind");
            for _ in 0..=EVENTS_MAX {
                tracing::info!(target: "sandbar::audit", outcome = "answered", "call");
                tracing::warn!(target: "sandbar::component", "a word");
                tracing::debug!("details");
            }
            limit.end_window();
            limit.end_window();
            refuse(0);
        });
        let text = String::from_utf8(written.0.lock().expect("no panic").clone()).expect("text");
        let count = |part: &str| text.lines().filter(|line| line.contains(part)).count() as u64;
        assert_eq!(count(" a request was refused"), EVENTS_MAX + 1);
        assert_eq!(count("call outcome=\"busy\""), EVENTS_MAX);
        assert_eq!(count("outcome=\"busy\" calls=7"), 1);
        assert_eq!(count("another kind"), 1);
        assert_eq!([count("outcome=\"answered\""), count("a word"), count("details")], [EVENTS_MAX + 1; 3]);
        let told: Vec<&str> = text.lines().filter(|line| line.contains("sandbar::log")).collect();
        assert!(matches!(told[..], [told] if told.contains("WARN") && told.contains("more=880")), "{told:?}");
        assert!(told[0].contains("said=\"a request was refused") && told[0].len() < 300, "{told:?}");
    }
}
