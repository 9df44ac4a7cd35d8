//! Work that is long by what it is about: texts that a naive scanner looks at again and again, patterns and schemas that compute, large
//! messages, and components that take a compiler too much.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use sandbar_tests::bombs::bombs;
use sandbar_tests::cri_log::CriLog;
use sandbar_tests::http as wire;
use sandbar_tests::mcp::{self, Client};
use sandbar_tests::namespace::Namespace;
use sandbar_tests::sandbar::Server;
use sandbar_tests::text::Text;
use serde_json::{Value, json};

use crate::callers::{Tally, is_busy};
use crate::weather::Weather;

/// What secrets and escapes begin with, and never come to an end.
const BEGINNINGS: [&str; 14] = [
    "encryption_keys%3Da,",
    "=LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUR",
    "-----BEGIN PRIVATE KEY-----",
    "password=",
    "token: \\\"",
    "Authorization: Bearer ",
    "https://a:b",
    "{\"secret\":{",
    "eyJhbGciOi.",
    "mysql -u a -p ",
    "name: PASSWORD, value: ",
    "%25%32%35",
    "\u{1b}[3",
    "\u{1b}]0;",
];

/// Bytes of such a line, and of each of its records.
const LINE: usize = 120_000;
const RECORD: usize = 15_000;

/// Bytes of a message that is as large as may be.
const MESSAGE: usize = 4 * 1024 * 1024 - 1024;

/// Patterns that are allowed and keep many states.
const PATTERNS: [&str; 3] = ["[a-m][a-z]{100}[0-9]", "(keys|a,)*[0-9a-z%]{60}#", "p[a-z]{0,60}w[a-z]{0,60}~"];

/// How long one component may take: longer than a process that compiles has.
const COMPILING: Duration = Duration::from_secs(400);

/// The tool whose arguments take long to check.
pub(crate) const CHECKED: &str = "checked";

/// Makes the pods whose logs take long to read.
pub(crate) async fn furnish(namespace: &Namespace) {
    let texts: Vec<String> = BEGINNINGS.iter().map(|beginning| beginning.repeat(LINE / beginning.len())).collect();
    namespace.pod_with_log("scanned", &log(&texts)).await;
    let mut state = 1_u32;
    let letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + u8::try_from(state >> 24).unwrap() % 26)
    };
    let letters: String = std::iter::repeat_with(letter).take(11 * LINE).collect();
    let lines: Vec<String> = (0..11).map(|line| letters[line * LINE..(line + 1) * LINE].to_owned()).collect();
    namespace.pod_with_log("searched", &log(&lines)).await;
}

/// Lines in records, as a runtime writes long ones.
fn log(lines: &[String]) -> CriLog {
    lines.iter().fold(CriLog::new(), |log, line| {
        let records: Vec<&[u8]> = line.as_bytes().chunks(RECORD).collect();
        let (last, before) = records.split_last().unwrap();
        before.iter().fold(log, |log, record| log.part(record)).line(last)
    })
}

/// Writes the component whose tool has a schema in which many parts look at each value.
pub(crate) fn checked(folder: &Path) -> std::path::PathBuf {
    let mut definitions = json!({ "d0": { "anyOf": [{ "type": "string", "pattern": "^(a|b)*c{100}$" }, true] } });
    for level in 1..=4 {
        let below = json!({ "$ref": format!("#/$defs/d{}", level - 1) });
        definitions[format!("d{level}")] = json!({ "allOf": [below, below] });
    }
    let schema = json!({ "type": "object", "$defs": definitions, "additionalProperties": { "items": { "$ref": "#/$defs/d4" } } });
    let manifest = json!({ "tools": [{ "name": CHECKED, "inputSchema": schema, "outputSchema": { "type": "object" } }] });
    Text::new(&manifest).with_pages(16).answering(r#"{"structuredContent":{}}"#).write(folder, "checked.wasm")
}

/// One thing that takes long.
enum Work {
    /// A call. It answers, or names the limit that it came to.
    Call(&'static str, Value),
    /// A message, and the status of its answer where there is room for it.
    Message(Request<Bytes>, u16),
}

fn works(namespace: &str) -> Vec<Work> {
    let logs = |pod: &str, more: Value| {
        let mut arguments = json!({ "namespace": namespace, "name": pod, "tailLines": 1000 });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Work::Call("get_pod_logs", arguments)
    };
    let mut works = vec![
        logs("scanned", json!({})),
        Work::Call(CHECKED, json!({ "a": vec!["ab".repeat(20); 2_000] })),
        Work::Call(CHECKED, json!({ "a": ["ab".repeat(100_000)] })),
    ];
    works.extend(PATTERNS.map(|pattern| logs("searched", json!({ "matching": pattern }))));
    works.extend(PATTERNS.map(|pattern| logs("scanned", json!({ "matching": pattern }))));
    for beginning in BEGINNINGS {
        let text = beginning.repeat(MESSAGE / beginning.len() / 3);
        let name = json!({ "protocolVersion": mcp::LEGACY, "clientInfo": { "name": text, "version": "1" } });
        works.push(message("initialize", &name));
    }
    works.push(message("ping", &json!({ "a": vec![0; 40_000], "b": "x".repeat(MESSAGE - 200_000) })));
    let unknown = json!({ "name": "check_health", "arguments": { "unknown": "x".repeat(MESSAGE) } });
    works.push(message("tools/call", &unknown));
    works
}

fn message(method: &str, params: &Value) -> Work {
    Work::Message(mcp::post(json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })), 200)
}

/// Does each once.
pub(crate) async fn one_of_each(server: &Server, namespace: &str) {
    for work in works(namespace) {
        do_it(server, work, &Weather::fair(), &Tally::default()).await;
    }
}

/// Does one after the other.
pub(crate) async fn work_hard(
    end: Instant,
    number: usize,
    server: Arc<Server>,
    namespace: String,
    weather: Weather,
    tally: Tally,
) {
    let mut skipped = number * 5;
    loop {
        for work in works(&namespace).into_iter().skip(std::mem::take(&mut skipped)) {
            if Instant::now() > end {
                return;
            }
            do_it(&server, work, &weather, &tally).await;
        }
    }
}

async fn do_it(server: &Server, work: Work, weather: &Weather, tally: &Tally) {
    let before = weather.now();
    let is_busy = match work {
        Work::Call(tool, arguments) => match Client::modern(server).call(tool, arguments.clone()).await {
            Ok(_) => false,
            Err(words) if is_busy(&words) => true,
            Err(words) => {
                let is_told = words.contains("limit `") || !weather.was_fair_since(before);
                assert!(is_told, "{tool} {:.300}: {words}", arguments.to_string());
                false
            }
        },
        Work::Message(request, status) => {
            let reply = wire::send(server.address(), request).await;
            assert!([status, 503].contains(&reply.status.as_u16()), "{}", reply.status);
            reply.status == 503
        }
    };
    let count = if is_busy { &tally.busy } else { &tally.heavy };
    count.fetch_add(1, Ordering::Relaxed);
}

/// Puts components into a folder that is served which take a compiler too much, one after the other, until each is refused.
pub(crate) async fn drop_bombs(end: Instant, server: Arc<Server>, folder: tempfile::TempDir, tally: Tally) {
    for round in 0.. {
        for (name, bomb) in bombs(round) {
            if Instant::now() > end {
                return;
            }
            let file = format!("{name}-{round}.wasm");
            bomb.write(folder.path(), &file);
            let refused = async {
                while !server.log().contains(&format!("/{file}: compiling it takes more")) {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            };
            tokio::time::timeout(COMPILING, refused).await.unwrap_or_else(|_| panic!("no word of {file}"));
            std::fs::remove_file(folder.path().join(&file)).unwrap();
            tally.bombs.fetch_add(1, Ordering::Relaxed);
        }
    }
}
