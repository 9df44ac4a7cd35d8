//! The page on the port for Prometheus, as a real Chromium shows it.
#![allow(clippy::print_stderr, reason = "a browser that cannot be had on this machine is a line, not a failure")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ::http::Request;
use bytes::Bytes;
use sandbar_tests::clients::program;
use sandbar_tests::mcp::Client;
use sandbar_tests::sandbar::Server;
use sandbar_tests::{http, in_time, until};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;

use super::components::hostile_config;
use super::metrics::{counted, port};

/// Bytes that a page may have.
const PAGE_BYTES: u64 = 100_000;

/// The least contrast of text that WCAG 2 has at its level AA.
const LEAST_CONTRAST: f64 = 4.5;

/// A phone and a desk, in the light and in the dark.
const LOOKS: [(u32, u32, bool); 4] = [(360, 740, false), (360, 740, true), (1280, 800, false), (1280, 800, true)];

/// What a hostile author says of a tool: what could run, what is asked for elsewhere, and what turns a line around.
const HOSTILE: &str =
    "<script>ran = true</script><img src=//evil.example.com/x onerror=\"ran = true\">\u{202e}txet\u{5d0}\u{5d1}";

/// A script with one tool of this name, which says this of itself.
fn script(name: &str, description: &str) -> String {
    let manifest = json!({
        "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"] }],
        "tools": [{ "name": name, "description": description, "inputSchema": { "type": "object" } }],
    });
    format!("export const manifest = {manifest};\nexport function {name}() {{ return {{ ok: true }}; }}\n")
}

/// The entries of sandbar.yaml for these scripts, which are granted what they ask for.
fn entries(folder: &Path, scripts: &[(&str, &str)]) -> String {
    let entry = |(name, description): &(&str, &str)| {
        let file = folder.join(format!("{name}.js"));
        std::fs::write(&file, script(name, description)).unwrap();
        format!("  - {{ script: {}, rules: [{{ apiGroups: [\"\"], resources: [pods], verbs: [get, list] }}] }}\n", file.display())
    };
    scripts.iter().map(entry).collect()
}

async fn page(server: &Server) -> String {
    http::get(port(server), "/").await.text().await
}

/// The page once something is on it.
async fn page_with(server: &Server, said: &str) -> String {
    until(&format!("{said:?} on the page"), async || Some(page(server).await).filter(|page| page.contains(said))).await
}

/// What a browser sees of the page, look by look; none where this machine has no browser.
async fn seen(port: SocketAddr, looks: Value, picture: Option<&Path>) -> Option<Vec<Value>> {
    let browser = program("browser");
    if let Ok(reason) = std::fs::read_to_string(browser.with_extension("missing")) {
        eprintln!("skipped: {}", reason.trim_end());
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/page.cjs");
    let mut process = tokio::process::Command::new(browser)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let task = json!({ "url": format!("http://{port}/"), "looks": looks, "picture": picture });
    process.stdin.take().unwrap().write_all(format!("{task}\n").as_bytes()).await.unwrap();
    let output = in_time("a browser", process.wait_with_output()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn looks() -> Value {
    let look = |(width, height, dark)| json!({ "width": width, "height": height, "dark": dark, "open": 1 });
    LOOKS.map(look).into()
}

/// Checks what holds for each look at the page, whatever is on it.
fn assert_sound(seen: &Value) {
    let about = || format!("{seen:#}");
    assert_eq!(seen["status"], 200, "{}", about());
    assert_eq!(seen["said"], json!([]), "nothing is wrong in the console, and the policy refuses nothing: {}", about());
    assert_eq!(seen["requests"].as_array().unwrap().len(), 1, "nothing but the page is asked for: {}", about());
    assert!(seen["scrollWidth"].as_u64() <= seen["clientWidth"].as_u64(), "nothing is beside the screen: {}", about());
    assert!(seen["leastContrast"].as_f64().unwrap() >= LEAST_CONTRAST, "all of it can be read: {}", about());
    assert_eq!((&seen["foreign"], &seen["ran"]), (&json!(0), &json!(false)), "{}", about());
    assert!(seen["headers"].as_array().unwrap().iter().all(|scope| scope == "col"), "{}", about());
    assert!(seen["bytes"].as_u64().unwrap() <= PAGE_BYTES, "{}", about());
}

#[tokio::test]
async fn a_browser_shows_what_is_served_and_runs_nothing_that_others_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let word = "w".repeat(99);
    let scripts = entries(folder.path(), &[("said", HOSTILE), ("long", &word), (&"n".repeat(60), "A long name.")]);
    let secrets = folder.path().join("refused.js");
    std::fs::write(&secrets, script("refused", "Never served.")).unwrap();
    let refused = format!("{scripts}  - {{ script: {} }}\n", secrets.display());
    let server = counted(&hostile_config(&format!("    limits: {{ cpu: 100ms }}\n{refused}"))).start().await;
    let client = Client::modern(&server);
    client.answer("get_events", json!({ "namespace": "what-i-asked-for" })).await;
    client.failure("misbehave", json!({ "how": "spin" })).await;
    client.failure("misbehave", json!({ "how": "trap" })).await;
    let html = page_with(&server, "1 crashed").await;
    assert!(!html.contains("what-i-asked-for"), "{html}");
    server.configure("bundled: { toolz: {} }");
    server.signal("HUP");
    page_with(&server, "not in force as it is").await;

    let Some(seen) = seen(port(&server), looks(), None).await else { return };
    assert_eq!(seen.len(), LOOKS.len());
    for seen in &seen {
        assert_sound(seen);
        let text = seen["text"].as_str().unwrap();
        for said in [
            "2 things need a look",
            "toolz",
            "it asks for more than it is granted",
            "<script>ran = true</script><img src=//evil.example.com/x onerror=\"ran = true\">",
            "1 limit cpu, 1 crashed",
            "reached 1 time by hostile",
            "demo cluster",
        ] {
            assert!(text.contains(said), "{said:?}: {text}");
        }
        assert!(!text.contains('\u{202e}'), "{text}");
    }
}

#[tokio::test]
async fn the_page_needs_no_script() {
    let server = counted("").start().await;
    Client::modern(&server).answer("check_health", json!({})).await;
    page_with(&server, "<dd>1</dd>").await;
    let look = json!([{ "width": 360, "height": 740, "dark": false, "scripts": false }]);
    let Some(seen) = seen(port(&server), look, None).await else { return };
    assert!(seen[0]["text"].as_str().is_some_and(|text| text.contains("All is well")), "{seen:?}");
}

#[tokio::test]
async fn fifty_tools_fit_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..50).map(|number| format!("tool_{number:02}")).collect();
    let scripts: Vec<(&str, &str)> =
        names.iter().map(|name| (&**name, "What it says of itself, in some ten words or so.")).collect();
    let config = format!("bundled: {{ packs: [] }}\ntools:\n{}", entries(folder.path(), &scripts));
    let server = counted(&config).start().await;
    // Each script says for itself which tools it has, and that may take longer than the start waits.
    page_with(&server, "50 tools of 50 components").await;
    let client = Client::modern(&server);
    for name in &names {
        client.answer(name, json!({})).await;
    }
    let html = page_with(&server, "<dd>50</dd>").await;
    assert!(html.len() as u64 <= PAGE_BYTES, "{} bytes", html.len());
    assert_eq!(html.matches("\"row\">tool_").count(), 50);
    assert_eq!(html.matches("<details>").count(), 50);
}

#[tokio::test]
async fn the_page_is_for_its_own_names_and_can_be_left_out() {
    let server = counted("").start().await;
    let ask = async |method: &str, host: &str| {
        let request = Request::builder().method(method).uri("/").header("host", host).body(Bytes::new()).unwrap();
        http::send(port(&server), request).await
    };
    let reply = ask("GET", "localhost:9090").await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(reply.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'; ")));
    assert_eq!(ask("GET", "rebound.example.net:9090").await.status, 403);
    let head = ask("HEAD", "localhost").await;
    assert_eq!((head.status.as_u16(), head.bytes().await.len()), (200, 0));
    assert_eq!(ask("POST", "localhost").await.status, 405);
    assert_eq!(http::get(server.address(), "/").await.status, 404, "MCP's port has none");

    for without in [counted("").arg("--metrics-page=false"), counted("metrics: { listen: \"127.0.0.1:1\", page: false }")] {
        let server = without.start().await;
        assert_eq!(http::get(port(&server), "/").await.status, 404);
        assert_eq!(http::get(port(&server), "/metrics").await.status, 200);
    }
}

/// Writes the picture in the documentation, of calls over so many minutes:
/// `PICTURE_MINUTES=25 cargo test --workspace --test system -- --ignored picture_of_the_page`.
#[tokio::test]
#[ignore = "writes docs/images/page.png"]
async fn picture_of_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("expiring_certificates.js");
    let asks = script("expiring_certificates", "Which certificates end soon").replace("\"pods\"", "\"pods\",\"secrets\"");
    std::fs::write(&file, asks).unwrap();
    let granted = "rules: [{ apiGroups: [\"\"], resources: [pods], verbs: [get, list] }], partialGrant: true";
    let config = format!("bundled: {{ packs: [coder, kubernetes] }}\ntools:\n  - {{ script: {}, {granted} }}\n", file.display());
    let server = counted(&config).start().await;
    let client = Client::modern(&server);
    let coder = json!({ "kind": "deployment", "name": "coder", "namespace": "team-a" });
    let minutes: usize = std::env::var("PICTURE_MINUTES").map_or(1, |minutes| minutes.parse().unwrap());
    for round in 0..30 * minutes {
        // More in some minutes than in others.
        let calls = [0, 1, 2, 4, 3, 2, 5, 3, 1, 2, 4, 6, 3, 2, 1][round / 20 % 15];
        for number in 0..calls {
            let (tool, arguments) = match (round * 7 + number * 3) % 17 {
                0..=3 => ("get_events", json!({ "namespace": "team-a" })),
                4..=6 => ("list_resources", json!({ "kind": "pods", "namespace": "team-a" })),
                7..=9 => ("find_problems", json!({})),
                10 | 11 => ("list_workspaces", json!({})),
                12 => ("check_health", json!({})),
                13 => ("explain", coder.clone()),
                14 => ("expiring_certificates", json!({})),
                15 => {
                    ("search_logs", json!({ "kind": "deployment", "name": "coder", "namespace": "team-a", "matching": "error" }))
                }
                _ if round % 9 == 0 => ("get_pod_logs", json!({ "namespace": "team-a", "name": "gone" })),
                _ => ("top", json!({ "of": "pods" })),
            };
            client.request("tools/call", json!({ "name": tool, "arguments": arguments })).await;
        }
        // What is in the picture takes its time.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/images/page.png"));
    let look = json!([{ "width": 1000, "height": 1000, "dark": false }]);
    let seen = seen(port(&server), look, Some(file)).await.expect("a browser");
    assert_sound(&seen[0]);
    assert!(file.metadata().unwrap().len() < PAGE_BYTES, "the picture is too large for a page");
}
