//! What a hostile component gets into the log, and onto the terminal of whoever looks at it: its words, as its words.

use sandbar_tests::http as wire;
use sandbar_tests::process::{peak, peak_since};
use sandbar_tests::text::escaped;

use super::*;

/// What would pass for an event of the server's, of a year in which there was none, behind what would wipe it from a terminal.
const FORGED: &str =
    "odd\u{1b}[2J\u{9b}2J\u{202e}\n1999-12-31T23:59:59.000000Z  INFO sandbar::audit: call caller=operator\r\n1999";

/// How its lines begin.
const YEAR: &str = "1999";

/// Whether nothing in a text is obeyed by a terminal, or hidden from a reader.
fn is_clean(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\n' || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'))
}

/// The words of a component are in a log, and no line of it begins with them: what follows the first line of an event is indented.
fn is_quoted_and_forges_nothing(log: &str) {
    assert!(log.contains(YEAR), "it never came to the log: {log:.4000}");
    assert!(is_clean(log), "{log:.4000}");
    let forged: Vec<_> = log.lines().filter(|line| line.starts_with(YEAR)).collect();
    assert!(forged.is_empty(), "{forged:?} in {log:.4000}");
}

/// A server with this component, whose log is for a person or for a program.
async fn server(file: &Path, format: &str) -> Server {
    Server::builder().cluster("demo").env("SANDBAR_LOG_FORMAT", format).arg("--tools").arg(file).start().await
}

/// Each line of a program's log is one event, and none of a component's is the server's own.
fn is_one_event_a_line(log: &str) {
    let events: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(events.len(), log.lines().filter(|line| !line.starts_with("sandbar serves ")).count(), "{log:.4000}");
    let quoted: Vec<_> = events.iter().filter(|event| event.to_string().contains(YEAR)).collect();
    assert!(!quoted.is_empty() && quoted.iter().all(|event| event["target"] != "sandbar::audit"), "{quoted:?}");
}

/// A component that crashes in a function of this name: when it is called, or already while it is asked what it serves.
fn crashing_in(function: &[u8], early: bool) -> Text {
    let name = escaped(function);
    let start = if early { "(start $boom)" } else { "" };
    let core = format!(r#"(func $boom (@name "{name}") unreachable) {start}"#);
    Text::tool("crash").with_core(&core, "").before_answering("(call $boom)")
}

#[tokio::test]
async fn the_names_of_functions_in_a_backtrace_are_no_lines_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let file = crashing_in(FORGED.as_bytes(), false).write(folder.path(), "crash.wasm");
    for format in ["text", "json"] {
        let server = server(&file, format).await;
        let words = Client::modern(&server).failure("crash", json!({})).await;
        assert!(words.contains("the tool crashed") && !words.contains(YEAR), "{words}");
        server.until_logged("a tool crashed").await;
        is_quoted_and_forges_nothing(&server.log());
        if format == "json" {
            is_one_event_a_line(&server.log());
        }
    }
    // Nor of what a command says of a component that cannot even be asked.
    let early = crashing_in(FORGED.as_bytes(), true).write(folder.path(), "early.wasm");
    let inspected = Run::new(&["inspect"]).env("SANDBAR_LOG", "warn").arg(&early).finish().await;
    assert!(inspected.code() == 1 && inspected.stdout.is_empty(), "{inspected:?}");
    is_quoted_and_forges_nothing(&inspected.stderr);
}

#[tokio::test]
async fn neither_are_the_keys_of_a_result_that_the_host_does_not_know() {
    /// Bytes of a log with three calls of such a tool.
    const LOG: usize = 64 * 1024;
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{FORGED}{}", "x".repeat(1 << 20));
    let results = [json!({ FORGED: 1 }), json!({ "resultType": FORGED }), json!({ long: 1 })];
    for (number, result) in results.iter().enumerate() {
        let file = Text::tool("odd").calling("unreachable");
        let name = format!("odd{number}.wasm");
        // Beside the manifest, because it is longer than a page.
        let result = result.to_string();
        let answer = format!("(call $answer (i32.const 0x40000) (i32.const {}))", result.len());
        let data = format!(r#"(data (i32.const 0x40000) "{}")"#, escaped(result.as_bytes()));
        let file = file.with_pages(64).with_core(&data, "").calling(&answer).write(folder.path(), &name);
        for format in ["text", "json"] {
            let server = server(&file, format).await;
            let words = Client::modern(&server).failure("odd", json!({})).await;
            assert!(words.contains("fault of the tool") && is_clean(&words) && words.len() < 8192, "{words:.2000}");
            server.until_logged("a tool broke the contract").await;
            let log = server.log();
            is_quoted_and_forges_nothing(&log);
            assert!(log.len() < LOG, "{} bytes were logged", log.len());
            if format == "json" {
                is_one_event_a_line(&log);
            }
        }
    }
}

/// A C++ symbol whose readable form has `width` to the power of `levels` words: each type has the one before it as all its arguments.
fn unfolding(levels: u8, width: usize) -> String {
    let (mut name, mut inner) = ("_Z1f".to_owned(), "i".to_owned());
    for level in 0..levels {
        name += &format!("1{}I{}E", char::from(b'a' + level), inner.repeat(width));
        // Template and its instance each have a number, in base 36 and one late.
        let number = 2 * u32::from(level);
        inner = format!("S{}_", char::from_digit(number, 36).unwrap().to_ascii_uppercase());
    }
    name
}

#[tokio::test]
async fn a_function_whose_name_unfolds_without_end_costs_the_server_nothing() {
    /// What a crash may take, in bytes: a backtrace and the symbols of a debug build. The readable name has gigabytes.
    const MORE: u64 = 256 << 20;
    let name = unfolding(6, 60);
    assert_eq!(name.len(), 988);
    let folder = tempfile::tempdir().unwrap();
    Text::tool("plain").calling("unreachable").write(folder.path(), "plain.wasm");
    let server = server(folder.path(), "text").await;
    let client = Client::modern(&server);
    client.failure("plain", json!({})).await;
    let before = peak(server.id());

    let early = crashing_in(name.as_bytes(), true).write(folder.path(), "early.wasm");
    server.until_logged(&format!("{}: its manifest cannot be had", early.display())).await;
    crashing_in(name.as_bytes(), false).write(folder.path(), "crash.wasm");
    server.until_logged("a component was added").await;
    let words = client.failure("crash", json!({})).await;
    assert!(words.contains("the tool crashed"), "{words}");
    let more = peak_since(server.id(), before);
    assert!(more < MORE, "{more} bytes for the backtrace of a crash");
    assert!(server.log().len() < 64 * 1024, "{} bytes were logged", server.log().len());
}

/// A manifest with such words wherever there is room for some.
fn manifest() -> Value {
    json!({
        "tools": [{
            "name": "odd", "title": FORGED.replace('\n', " "), "description": FORGED,
            "inputSchema": { "type": "object", "properties": { FORGED: { "description": FORGED } } },
        }],
        "settings": { "type": "object", "title": FORGED, "properties": { FORGED: { "const": FORGED }, "a": { "const": FORGED } } },
        FORGED: FORGED,
    })
}

#[tokio::test]
async fn commands_that_show_a_component_show_nothing_that_a_terminal_obeys() {
    let folder = tempfile::tempdir().unwrap();
    let file = Text::new(&manifest()).write(folder.path(), "evil.wasm");
    for output in ["text", "json"] {
        let inspected = Run::new(&["inspect", "-o", output]).arg(&file).finish().await;
        let listed = Run::new(&["tools", "--cluster", "demo", "-o", output, "--tools"]).arg(&file).finish().await;
        for finished in [inspected, listed] {
            assert_eq!(finished.code(), 0, "{finished:?}");
            is_quoted_and_forges_nothing(&finished.stdout);
            assert!(is_clean(&finished.stderr), "{finished:?}");
        }
    }
    // A name that no object can have is refused, in words that are clean as well.
    let mut named = manifest();
    named["rules"] = json!([{ "apiGroups": [""], "resources": ["pods"], "resourceNames": [FORGED], "verbs": ["get"] }]);
    let file = Text::new(&named).write(folder.path(), "named.wasm");
    for run in [Run::new(&["inspect"]), Run::new(&["tools", "--cluster", "demo", "--tools"])] {
        let finished = run.arg(&file).finish().await;
        assert_eq!(finished.code(), 1, "{finished:?}");
        assert!(finished.stderr.contains("`resourceNames`"), "{finished:?}");
        is_quoted_and_forges_nothing(&finished.stderr);
    }
}

#[tokio::test]
async fn a_title_stays_on_the_line_of_its_tool() {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = manifest();
    manifest["tools"][0]["title"] = json!(FORGED);
    let file = Text::new(&manifest).write(folder.path(), "evil.wasm");
    let finished = Run::new(&["tools", "--cluster", "demo", "--tools"]).arg(&file).finish().await;
    is_quoted_and_forges_nothing(&finished.stdout);
    assert!(finished.stdout.lines().any(|line| line.starts_with("odd  odd ") && line.contains(YEAR)), "{finished:?}");
}

#[tokio::test]
async fn neither_readiness_nor_the_log_is_forged_by_words_about_settings() {
    /// What would pass for a check that is fine.
    const CHECK: &str = "\u{1b}[2J\n[+] 1999: all is well\n1999-12-31T23:59:59.000000Z  INFO forged";
    let schemas = [
        json!({ "type": "object", "properties": { "a": { "const": CHECK } } }),
        json!({ "type": "object", "properties": { "a": { "enum": [CHECK] } } }),
        json!({ "type": "object", "properties": { "a": { "pattern": CHECK } } }),
        json!({ "type": "object", "required": [CHECK] }),
    ];
    for schema in schemas {
        let folder = tempfile::tempdir().unwrap();
        let mut manifest = manifest();
        manifest["settings"] = schema.clone();
        let file = Text::new(&manifest).write(folder.path(), "odd.wasm");
        let config = format!("tools:\n  - component: {}\n    settings: {{ a: b }}\n", file.display());
        let server = Server::builder().cluster("demo").config(&config).start().await;
        let reply = wire::get(server.address(), "/readyz?verbose").await;
        assert_eq!(reply.status, 200);
        let text = reply.text().await;
        assert!(text.contains("`settings` in sandbar.yaml do not fit") && text.contains(YEAR), "{schema}: {text}");
        assert!(is_clean(&text), "{schema}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("[+] 1999") || line.starts_with(YEAR)), "{schema}: {text}");
        is_quoted_and_forges_nothing(&server.log());
    }
}
