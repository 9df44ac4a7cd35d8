//! The server's log, on standard error.
//!
//! Whoever serves does not wait for whoever reads the log: see [`queue`]. What others bring about does not fill it: see [`limit`].

mod limit;
mod queue;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use sandbar_text::clean;
use tracing::Metadata;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use self::limit::Limit;
use self::queue::Queue;
use super::environment;

/// The log's default: what Sandbar and its components say.
const SERVING: &str = "info";

/// What commands say that answer a person at a terminal: beside what is wrong, what components say, who may be the person's own.
const ANSWERING: &str = "warn,sandbar::component=info";

/// How long the end of the server waits for whoever reads its log.
const LAST_LINES: Duration = Duration::from_secs(2);

/// How long a panic waits for it: the process may end of it.
const PANIC_LINES: Duration = Duration::from_millis(100);

/// The way to standard error of a process that serves.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Starts the log, for a command that `serves` or for one that answers a person.
///
/// # Errors
/// A variable about it has a value that means nothing, or no thread can be had.
pub(super) fn start(serves: bool) -> anyhow::Result<()> {
    let filter = filter(&value_of(environment::LOG)?, if serves { SERVING } else { ANSWERING })?;
    let is_json = is_json(&value_of(environment::LOG_FORMAT)?)?;
    let limit = serves.then(Limit::default);
    // Without colours: what is written is cleaned as a whole, since any field of an event may quote a component or the cluster.
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Standard);
    let lines = if is_json { lines.json().boxed() } else { lines.fmt_fields(Plain).boxed() };
    // One by one: a filter that is put together out of two does not say which levels it lets pass, and then the libraries hand over each
    // word of theirs, some dozens for a call.
    let unless_unwanted = filter_fn(|metadata| !is_said_by_us(metadata) && !is_said_by_guests(metadata));
    tracing_subscriber::registry().with(filter).with(unless_unwanted).with(limit.clone()).with(lines).init();
    if let Some(limit) = limit {
        write_aside(limit)?;
    }
    Ok(())
}

/// The value of a variable, empty without one.
fn value_of(name: &str) -> anyhow::Result<String> {
    std::env::var_os(name).unwrap_or_default().into_string().map_err(|value| anyhow!("{name}={value:?} is no UTF-8"))
}

/// The filter that a text means, or the default.
fn filter(text: &str, default: &str) -> anyhow::Result<EnvFilter> {
    let parts = if text.trim().is_empty() { default } else { text }.split(',').map(str::trim);
    // tracing takes a word for a part of the program of which everything is written, so that `verbose` would mean nothing but `verbose`.
    let is_meant = |part: &str| match part.split_once(['=', '[']) {
        Some((name, _)) => name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-:.".contains(letter)),
        None => part.parse::<LevelFilter>().is_ok(),
    };
    let are_meant = parts.clone().all(is_meant);
    let parts = parts.collect::<Vec<_>>().join(",");
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse(parts).ok();
    filter.filter(|_| are_meant).ok_or_else(|| {
        anyhow!(
            "{}={text:?} is no filter of the log: write a level (error, warn, info, debug, trace or off), or one for each part, \
             warn,sandbar::component=debug for example",
            environment::LOG
        )
    })
}

/// Whether a format is that of lines of JSON.
fn is_json(format: &str) -> anyhow::Result<bool> {
    match format {
        "json" => Ok(true),
        "text" | "" => Ok(false),
        _ => bail!("{}={format:?} is no format of the log: write json or text", environment::LOG_FORMAT),
    }
}

/// Whether an event repeats what an error of ours says: the verifier of certificates writes one for each that it refuses, four for a
/// request to the API server. What it warns of, authorities of this machine that cannot be read, is said by nobody else.
fn is_said_by_us(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("rustls_platform_verifier::") && *metadata.level() == tracing::Level::ERROR
}

/// Whether an event says what a guest does, word by word: beyond `info` wasmtime has several for each call of a host function and one for
/// each frame of a stack, some with texts of the guest's. They would stand under wasmtime's name, and the limit `logged` does not count
/// them.
fn is_said_by_guests(metadata: &Metadata<'_>) -> bool {
    let said_in = metadata.target().split("::").next();
    matches!(said_in, Some("wasmtime" | "wasmtime_internal_unwinder" | "wasmtime_wasi" | "wasmtime_wasi_io"))
        && *metadata.level() > tracing::Level::INFO
}

/// Has a thread write what a server says.
fn write_aside(limit: Limit) -> anyhow::Result<()> {
    let writing = move || QUEUE.get_or_init(Queue::default).write_to(&mut io::stderr(), limit::WINDOW, || limit.end_window());
    std::thread::Builder::new().name("log".to_owned()).spawn(writing).context("no thread can be started for the log")?;
    let queue = QUEUE.get_or_init(Queue::default);
    // The standard library's would write by itself, and wait.
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let trace = std::backtrace::Backtrace::capture();
        let trace = Some(&trace).filter(|trace| trace.status() == std::backtrace::BacktraceStatus::Captured);
        let trace = trace.map(|trace| format!("\n{trace}")).unwrap_or_default();
        let words = format!("thread '{}' {panic}{trace}", thread.name().unwrap_or("<unnamed>"));
        write(cleaned(words.as_bytes()));
        queue.wait_until_written(PANIC_LINES);
    }));
    Ok(())
}

/// Writes words for a person, clean, with a line break behind them.
pub(super) fn say(words: &str) {
    write(format!("{}\n", clean(words)).into_bytes());
}

fn write(lines: Vec<u8>) {
    match QUEUE.get() {
        Some(queue) => queue.push(lines),
        // Nobody is left to be told that this has failed.
        None => drop(io::stderr().write_all(&lines)),
    }
}

/// Waits for a moment until everything is written.
pub(super) fn end() {
    if let Some(queue) = QUEUE.get() {
        queue.end(LAST_LINES);
    }
}

/// The fields of an event as tracing writes them without colours, for which it takes three times as long: each call has an event of a dozen
/// fields.
struct Plain;

impl<'w> FormatFields<'w> for Plain {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut fields_of = Fields { writer, separator: "", outcome: Ok(()) };
        fields.record(&mut fields_of);
        fields_of.outcome
    }
}

/// Writes one field after another.
struct Fields<'w> {
    writer: Writer<'w>,
    separator: &'static str,
    outcome: fmt::Result,
}

impl Fields<'_> {
    /// Writes a field, its value by `write`, unless one before it could not be written.
    fn put(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        // Where the word of another library stands in its source.
        if self.outcome.is_ok() && !field.name().starts_with("log.") {
            self.outcome = self.name(field).and_then(|()| write(&mut self.writer));
        }
    }

    /// Writes what stands before a field's value. Piece by piece: the machinery of formats takes longer than the pieces.
    fn name(&mut self, field: &Field) -> fmt::Result {
        self.writer.write_str(std::mem::replace(&mut self.separator, " "))?;
        match field.name() {
            MESSAGE => Ok(()),
            name => {
                self.writer.write_str(name.strip_prefix("r#").unwrap_or(name))?;
                self.writer.write_char('=')
            }
        }
    }
}

/// The field that is an event's words.
const MESSAGE: &str = "message";

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |writer| {
            if field.name() == MESSAGE {
                return writer.write_str(value);
            }
            // What has nothing to escape, which is nearly everything.
            if value.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
                writer.write_char('"')?;
                writer.write_str(value)?;
                return writer.write_char('"');
            }
            write!(writer, "{value:?}")
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, |writer| write!(writer, "{value:?}"));
    }
}

/// Standard error, or the way there.
struct Standard;

impl<'a> MakeWriter<'a> for Standard {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl Write for Standard {
    /// `event` is a whole one: that is how the log is written.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self::write(cleaned(event));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An event without what a terminal would obey or a reader would not see, and with a line break. One of several lines has all but its first
/// indented, so that none of them passes for an event of its own.
fn cleaned(event: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(event).map_or_else(|_| String::from_utf8_lossy(event), Cow::Borrowed);
    let text = clean(&text);
    let lines = text.strip_suffix('\n').unwrap_or(&text);
    let mut cleaned = Vec::with_capacity(lines.len() + 1);
    for (number, line) in lines.split('\n').enumerate() {
        if number > 0 {
            cleaned.extend_from_slice(b"\n    ");
        }
        cleaned.extend_from_slice(line.as_bytes());
    }
    cleaned.push(b'\n');
    cleaned
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[test]
    fn a_filter_is_a_level_or_one_for_each_part() {
        for text in [
            "debug",
            "WARN",
            "off",
            "0",
            " info ",
            "",
            " ",
            "warn,sandbar::component=debug",
            "warn, sandbar::audit=info",
            "sandbar=trace,kube=off",
            "sandbar[call{tool=get_events}]=debug",
        ] {
            assert!(filter(text, SERVING).is_ok(), "{text}");
        }
        for text in [
            "verbose",
            "warning",
            "debug;sandbar=info",
            "sandbar",
            "warn,sandbar::audit",
            "sandbar=verbose",
            "6",
            "info warn",
            "info sandbar=debug",
        ] {
            let words = filter(text, SERVING).expect_err(text).to_string();
            assert!(words.starts_with(&format!("SANDBAR_LOG={text:?} ")) && words.contains("debug, trace"), "{words}");
        }
    }

    #[test]
    fn a_format_is_one_of_two() {
        assert_eq!(["", "text", "json"].map(|format| is_json(format).ok()), [Some(false), Some(false), Some(true)]);
        for format in ["JSON", "yaml", "jsonl", "0", " json"] {
            let words = is_json(format).expect_err(format).to_string();
            assert_eq!(words, format!("SANDBAR_LOG_FORMAT={format:?} is no format of the log: write json or text"));
        }
    }

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, event: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend(cleaned(event));
            Ok(event.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_wasmtime_says_of_each_call_of_a_guest_is_left_out_and_nothing_else() {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone());
        let log = tracing_subscriber::registry().with(filter_fn(|metadata| !is_said_by_guests(metadata))).with(lines);
        tracing::subscriber::with_default(log, || {
            tracing::debug!(target: "wasmtime_wasi::p2::write_stream", "of a guest");
            tracing::trace!(target: "wasmtime_wasi::p2::bindings::async_io", "of a guest");
            tracing::trace!(target: "wasmtime_wasi_io::bindings::wasi::io::streams", "of a guest");
            tracing::trace!(target: "wasmtime::runtime::component::concurrent", "of a guest");
            tracing::trace!(target: "wasmtime_internal_unwinder::stackwalk", "of a guest");
            tracing::warn!(target: "wasmtime::runtime::vm", "of the machine");
            tracing::debug!(target: "wasmtime_internal_cache::worker", "of a folder");
            tracing::trace!(target: "sandbar::component", "by a component");
        });
        let text = String::from_utf8(written.0.lock().expect("no panic").clone()).expect("text");
        assert!(!text.contains("of a guest"), "{text}");
        assert!(["of the machine", "of a folder", "by a component"].iter().all(|kept| text.contains(kept)), "{text}");
    }

    #[test]
    fn no_field_of_an_event_hides_anything_or_passes_for_another_event() {
        let written = Written::default();
        let writer = written.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
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
