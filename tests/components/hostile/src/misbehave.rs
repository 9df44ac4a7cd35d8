//! Faults of the code itself, and floods of what the host takes.

use std::hint::black_box;

use sandbar_tool::bindings::sandbar::kubernetes::types::{ApiResource, Scope};
use sandbar_tool::bindings::sandbar::kubernetes::{logs, logs_many, read, read_many, table};
use sandbar_tool::bindings::sandbar::tool::{context, logging};
use serde::Deserialize;

/// What to do.
#[derive(Deserialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// Executes `unreachable`.
    Trap,
    /// Panics with these words.
    Panic { words: String },
    /// Calls itself so many times, one within the other; without a number until the stack is full.
    Recurse { times: Option<u64> },
    /// Computes for ever.
    Spin,
    /// Asks the host for facts for ever, which computes, too.
    Ask,
    /// Allocates until it gets no more.
    Grow,
    /// Lists pods for ever, whatever comes back.
    Wait,
    /// Lists pods twice, and fails with what the host says to the second request.
    Twice,
    /// Sends a log line so many times, and a progress report with it.
    Flood { times: u32, line: String },
    /// Hands the host a string of so many bytes at a time.
    Push {
        bytes: usize,
        #[serde(default)]
        at: At,
    },
    /// Asks for a list with so many field paths.
    PushPaths { paths: usize },
    /// Asks for so many objects at once.
    PushReads { reads: usize },
    /// Answers with this text, whether it is JSON or not.
    Return { text: String },
    /// Answers with a text of so many bytes.
    Fill { bytes: usize },
    /// Fails with this text.
    Fail { text: String },
    /// Fails with a text of so many bytes.
    FailLong { bytes: usize },
    /// Answers with what the operator has set for an option.
    Tell { option: String },
    /// Leaves a mark in memory that outlives a call, and answers with how many marks there were.
    Remember,
}

impl Fault {
    pub(crate) fn commit(self) -> Result<String, String> {
        match self {
            Fault::Trap => core::arch::wasm32::unreachable(),
            Fault::Panic { words } => panic!("{words}"),
            Fault::Recurse { times } => Ok(structured(&recurse(times.unwrap_or(u64::MAX)).to_string())),
            Fault::Spin => spin(),
            Fault::Ask => loop {
                black_box(context::now_ms());
            },
            Fault::Grow => grow(),
            Fault::Wait => wait(),
            Fault::Twice => twice(),
            Fault::Flood { times, line } => flood(times, &line),
            Fault::Push { bytes, at } => push(&"x".repeat(bytes), at),
            Fault::PushPaths { paths } => push_paths(paths),
            Fault::PushReads { reads } => push_reads(reads),
            Fault::Return { text } => Ok(text),
            Fault::Fill { bytes } => Ok(structured(&"x".repeat(bytes))),
            Fault::Fail { text } => Err(text),
            Fault::FailLong { bytes } => Err("x".repeat(bytes)),
            Fault::Tell { option } => Ok(match context::setting(&option) {
                Some(json) => format!(r#"{{"structuredContent":{{"set":{json}}}}}"#),
                None => r#"{"structuredContent":{}}"#.to_owned(),
            }),
            Fault::Remember => remember(),
        }
    }
}

fn structured(text: &str) -> String {
    format!(r#"{{"structuredContent":{{"text":"{text}"}}}}"#)
}

fn recurse(times: u64) -> u64 {
    if times == 0 { 0 } else { black_box(recurse(black_box(times - 1))) + 1 }
}

fn spin() -> ! {
    let mut number = 0_u64;
    loop {
        number = black_box(number.wrapping_add(1));
    }
}

fn grow() -> ! {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
    }
}

fn wait() -> ! {
    loop {
        let _ = read::list_objects(&read::Query { within: Scope::Namespace("team-a".to_owned()), ..every_pod() });
    }
}

fn twice() -> Result<String, String> {
    let list = || read::list_objects(&read::Query { within: Scope::Namespace("team-a".to_owned()), ..every_pod() });
    list().map_err(|error| format!("the first: {}", error.message))?;
    list().map(|_| structured("a page")).map_err(|error| format!("the second: {}", error.message))
}

fn every_pod() -> read::Query {
    read::Query {
        of: ApiResource { group: String::new(), version: "v1".to_owned(), plural: "pods".to_owned() },
        within: Scope::EveryNamespace,
        label_selector: None,
        field_selector: None,
        fields: None,
        limit: None,
        continue_: None,
        more: None,
    }
}

fn log_of_web() -> logs::Source {
    logs::Source {
        namespace: "team-a".to_owned(),
        pod: "web".to_owned(),
        container: None,
        previous: None,
        tail_lines: None,
        since_seconds: None,
        timestamps: None,
        matching: None,
        limit_bytes: None,
        more: None,
    }
}

fn flood(times: u32, line: &str) -> Result<String, String> {
    for number in 0..times {
        logging::log(logging::Level::Info, line);
        context::progress(f64::INFINITY, None, None);
        context::progress(number.into(), Some(f64::NAN), Some(line));
    }
    Ok(structured("done"))
}

/// Where a huge string goes.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum At {
    #[default]
    Namespace,
    Name,
    Container,
    Pattern,
    LogMore,
    Group,
    Version,
    Plural,
    Scope,
    LabelSelector,
    FieldSelector,
    Field,
    Cursor,
    More,
    GetGroup,
    GetVersion,
    GetPlural,
    GetScope,
    GetName,
    GetField,
    GetMore,
    TableSelector,
    ManyName,
    ManyCursor,
    ManyPattern,
    Setting,
    Log,
    Progress,
}

fn push(text: &str, at: At) -> Result<String, String> {
    let text = || text.to_owned();
    let pods = || read::Query { within: Scope::Namespace("team-a".to_owned()), ..every_pod() };
    let listed = |query: read::Query| read::list_objects(&query).map(|page| page.items);
    let tail = |source: logs::Source| logs::tail(&source).map(|excerpt| excerpt.text);
    let of = |of: ApiResource| listed(read::Query { of, ..pods() });
    let pod = every_pod().of;
    let here = Scope::Namespace("team-a".to_owned());
    let answer = match at {
        At::Namespace => tail(logs::Source { namespace: text(), ..log_of_web() }),
        At::Name => tail(logs::Source { pod: text(), ..log_of_web() }),
        At::Container => tail(logs::Source { container: Some(text()), ..log_of_web() }),
        At::Pattern => tail(logs::Source { matching: Some(text()), ..log_of_web() }),
        At::LogMore => tail(logs::Source { more: Some(text()), ..log_of_web() }),
        At::Group => of(ApiResource { group: text(), ..pod }),
        At::Version => of(ApiResource { version: text(), ..pod }),
        At::Plural => of(ApiResource { plural: text(), ..pod }),
        At::Scope => listed(read::Query { within: Scope::Namespace(text()), ..every_pod() }),
        At::LabelSelector => listed(read::Query { label_selector: Some(text()), ..pods() }),
        At::FieldSelector => listed(read::Query { field_selector: Some(text()), ..pods() }),
        At::Field => listed(read::Query { fields: Some(vec![text()]), ..pods() }),
        At::Cursor => listed(read::Query { continue_: Some(text()), ..pods() }),
        At::More => listed(read::Query { more: Some(text()), ..pods() }),
        At::GetGroup => read::get_object(&ApiResource { group: text(), ..pod }, &here, "web", None, None),
        At::GetVersion => read::get_object(&ApiResource { version: text(), ..pod }, &here, "web", None, None),
        At::GetPlural => read::get_object(&ApiResource { plural: text(), ..pod }, &here, "web", None, None),
        At::GetScope => read::get_object(&pod, &Scope::Namespace(text()), "web", None, None),
        At::GetName => read::get_object(&pod, &here, &text(), None, None),
        At::GetField => read::get_object(&pod, &here, "web", Some(&[text()]), None),
        At::GetMore => read::get_object(&pod, &here, "web", None, Some(&text())),
        At::TableSelector => table::list_table(&read::Query { label_selector: Some(text()), ..pods() }).map(|page| page.rows),
        At::ManyName => {
            read_many::get_many(&[object(text())]).and_then(|answers| answers.into_iter().next().expect("an answer for each"))
        }
        At::ManyCursor => read_many::list_many(&[read::Query { continue_: Some(text()), ..pods() }]).map(|_| String::new()),
        At::ManyPattern => {
            logs_many::tail_many(&[logs::Source { matching: Some(text()), ..log_of_web() }]).map(|_| String::new())
        }
        At::Setting => Ok(context::setting(&text()).unwrap_or_default()),
        At::Log => {
            logging::log(logging::Level::Info, &text());
            Ok(String::new())
        }
        At::Progress => {
            context::progress(1.0, None, Some(&text()));
            Ok(String::new())
        }
    };
    answer.map(|answer| structured(&answer.replace('"', "'"))).map_err(|error| error.message)
}

fn push_paths(paths: usize) -> Result<String, String> {
    let fields = Some(vec!["status.phase".to_owned(); paths]);
    let query = read::Query { fields, within: Scope::Namespace("team-a".to_owned()), ..every_pod() };
    read::list_objects(&query).map(|_| structured("a page")).map_err(|error| error.message)
}

fn object(name: String) -> read_many::Object {
    let within = Scope::Namespace("team-a".to_owned());
    read_many::Object { of: every_pod().of, within, name, fields: None, more: None }
}

fn push_reads(reads: usize) -> Result<String, String> {
    let objects: Vec<_> = (0..reads).map(|_| object("web".to_owned())).collect();
    read_many::get_many(&objects).map(|answers| structured(&answers.len().to_string())).map_err(|error| error.message)
}

fn remember() -> Result<String, String> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static MARKS: AtomicU32 = AtomicU32::new(0);
    let marks = MARKS.fetch_add(1, Ordering::Relaxed);
    Ok(format!(r#"{{"structuredContent":{{"n":{marks}}}}}"#))
}
