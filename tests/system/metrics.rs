//! What Prometheus reads of a server: a port of its own, calls by how they ended, and nothing that somebody invents.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ::http::Request;
use bytes::Bytes;
use sandbar_tests::http::{self, Reply};
use sandbar_tests::mcp::{Client, MODERN};
use sandbar_tests::sandbar::{Builder, Server, assert_refused_at_start};
use sandbar_tests::until;
use serde_json::json;

use super::components::hostile_config;

/// A server of the demo cluster that has metrics.
pub(super) fn counted(config: &str) -> Builder {
    Server::builder().cluster("demo").config(config).arg("--metrics-listen").arg("127.0.0.1:0")
}

/// Where it has them.
pub(super) fn port(server: &Server) -> SocketAddr {
    let log = server.log();
    let (_, rest) = log.split_once("metrics are at http://").expect("the log says where the metrics are");
    rest.split('/').next().and_then(|address| address.parse().ok()).expect("an address")
}

/// Each series by its name and labels as they are written.
type Scrape = BTreeMap<String, f64>;

async fn scrape(server: &Server) -> Scrape {
    let text = http::get(port(server), "/metrics").await.text().await;
    let series = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        (series.to_owned(), value.parse().unwrap_or_else(|error| panic!("{line}: {error}")))
    });
    series.collect()
}

fn calls(tool: &str, component: &str, outcome: &str) -> String {
    format!("sandbar_calls_total{{tool=\"{tool}\",component=\"{component}\",outcome=\"{outcome}\"}}")
}

/// What is scraped once a series has this value.
async fn scrape_with(server: &Server, series: &str, value: f64) -> Scrape {
    until(&format!("{series} is {value}"), async || {
        let scrape = scrape(server).await;
        (scrape.get(series) == Some(&value)).then_some(scrape)
    })
    .await
}

#[tokio::test]
async fn without_a_port_for_them_there_are_no_metrics() {
    let server = Server::builder().cluster("demo").start().await;
    assert!(!server.log().contains("metrics are at"), "{}", server.log());
    assert_eq!(http::get(server.address(), "/metrics").await.status, 404);
}

#[tokio::test]
async fn metrics_are_on_their_port_alone_and_nothing_else_is() {
    let server = counted("").start().await;
    assert_eq!(http::get(server.address(), "/metrics").await.status, 404, "MCP's port has none");
    for path in ["/mcp", "/healthz", "/readyz"] {
        let reply = http::get(port(&server), path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.text().await.contains("nothing here but /metrics"), "{path}");
    }
    let ask = async |method: &str, accept: &str| -> Reply {
        let request = Request::builder().method(method).uri("/metrics").header("accept", accept).body(Bytes::new()).unwrap();
        http::send(port(&server), request).await
    };
    let plain = ask("GET", "*/*").await;
    assert_eq!((plain.status.as_u16(), plain.header("content-type")), (200, Some("text/plain; version=0.0.4; charset=utf-8")));
    let newer = ask("GET", "application/openmetrics-text;version=1.0.0;q=0.8,*/*;q=0.1").await;
    let kind = newer.header("content-type").map(str::to_owned);
    assert_eq!(kind.as_deref(), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(newer.text().await.ends_with("# EOF\n"));
    let head = ask("HEAD", "*/*").await;
    assert_eq!((head.status.as_u16(), head.bytes().await.len()), (200, 0));
    let post = ask("POST", "*/*").await;
    assert_eq!((post.status.as_u16(), post.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn both_cannot_be_at_one_address() {
    assert_refused_at_start("metrics: { listen: 9090 }", "is no IP address with a port").await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sandbar.yaml");
    std::fs::write(&config, "listen: 127.0.0.1:8099\nmetrics: { listen: 127.0.0.1:8099 }\n").unwrap();
    let run = sandbar_tests::sandbar::Run::new(&["serve", "--cluster", "demo", "--config"]).arg(config);
    run.finish().await.assert_refused("MCP and metrics cannot both be at 127.0.0.1:8099");
}

#[tokio::test]
async fn calls_are_counted_by_how_they_ended() {
    let server = counted(&hostile_config("    limits: { cpu: 100ms }\n")).start().await;
    let client = Client::modern(&server);
    client.answer("check_health", json!({})).await;
    client.answer("get_events", json!({ "namespace": "team-a" })).await;
    client.failure("get_pod_logs", json!({ "namespace": "team-a", "name": "what-i-asked-for" })).await;
    client.failure("get_events", json!({ "limit": "many" })).await;
    client.failure("misbehave", json!({ "how": "spin" })).await;
    client.failure("misbehave", json!({ "how": "trap" })).await;
    let scrape = scrape_with(&server, &calls("misbehave", "hostile", "crashed"), 1.0).await;
    for (tool, component, outcome) in [
        ("check_health", "check-health", "answered"),
        ("get_events", "get-events", "answered"),
        ("get_pod_logs", "get-pod-logs", "failed"),
        ("get_events", "get-events", "refused"),
        ("misbehave", "hostile", "limit cpu"),
    ] {
        assert_eq!(scrape.get(&calls(tool, component, outcome)), Some(&1.0), "{tool} {outcome}");
    }
    let value = |series: &str| scrape.get(series).copied().unwrap_or_else(|| panic!("no {series}: {scrape:#?}"));
    assert_eq!(value("sandbar_limits_reached_total{component=\"hostile\",limit=\"cpu\"}"), 1.0);
    assert!(value("sandbar_call_cpu_seconds_total{component=\"hostile\"}") >= 0.1);
    assert!(value("sandbar_call_read_bytes_total{component=\"get-events\"}") > 0.0);
    assert!(value("sandbar_call_result_bytes_total{component=\"get-events\"}") > 0.0);
    let durations = |error: &str| {
        format!(
            "mcp_server_operation_duration_seconds_count{{mcp_method_name=\"tools/call\",gen_ai_tool_name=\"get_events\",\
             error_type=\"{error}\",mcp_protocol_version=\"{MODERN}\"}}"
        )
    };
    assert_eq!((value(&durations("")), value(&durations("tool_error"))), (1.0, 1.0));
    assert!(value("sandbar_api_requests_total{verb=\"list\",resource=\"events\",code=\"200\"}") >= 1.0);
    assert!(value("sandbar_api_request_duration_seconds_count{verb=\"get\",resource=\"/apis\"}") >= 1.0);
    assert!(value("sandbar_memory_limit_bytes") > value("process_resident_memory_bytes"));
    assert!(value("sandbar_components{state=\"loaded\"}") >= 8.0 && value("sandbar_components{state=\"failed\"}") == 0.0);
    assert_eq!((value("sandbar_calls_running"), value("sandbar_calls_waiting"), value("sandbar_config_valid")), (0.0, 0.0, 1.0));
    assert!(value("sandbar_slots") >= 2.0 && value("sandbar_places") >= 64.0 && value("sandbar_connections") >= 8.0);
    assert!(value("process_resident_memory_bytes") > 1e6 && value("process_open_fds") > 3.0);
    // The rest is nobody's business here.
    let said: Vec<&String> =
        scrape.keys().filter(|series| series.contains("what-i-asked-for") || series.contains("team-a")).collect();
    assert!(said.is_empty(), "{said:?}");
}

#[tokio::test]
async fn what_somebody_invents_is_counted_together() {
    let server = counted("").start().await;
    // The older era has no header for the name, so that it can hold anything.
    let client = Client::legacy(&server).await;
    for number in 0..20 {
        let answer = client.request("tools/call", json!({ "name": format!("invented-{number}\"\n"), "arguments": {} })).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
        client.request("resources/read", json!({ "uri": format!("invented-{number}://a") })).await;
        client.request("prompts/get", json!({ "name": format!("invented-{number}") })).await;
        client.request(&format!("invented/{number}"), json!({})).await;
    }
    let scrape = scrape_with(&server, &calls("_other", "_other", "refused"), 20.0).await;
    assert_eq!(scrape.get(&calls("", "_other", "refused")), Some(&40.0));
    let invented: Vec<&String> = scrape.keys().filter(|series| series.contains("invented")).collect();
    assert!(invented.is_empty(), "{invented:?}");
}

#[tokio::test]
async fn series_follow_what_is_served_and_what_is_configured() {
    let server = counted("").start().await;
    Client::modern(&server).answer("check_health", json!({})).await;
    let of_health = |scrape: &Scrape| scrape.keys().filter(|series| series.contains("check-health")).count();
    let before = scrape_with(&server, &calls("check_health", "check-health", "answered"), 1.0).await;
    assert!(before.keys().any(|series| {
        series.starts_with("sandbar_component_info{component=\"check-health\",digest=\"")
            && series.contains("check-health (bundled)")
    }));

    server.configure("bundled: { tools: { check_health: { enabled: false } } }");
    server.signal("HUP");
    let after = scrape_with(&server, "sandbar_config_reloads_total{outcome=\"applied\"}", 1.0).await;
    assert_eq!(after.get("sandbar_config_valid"), Some(&1.0));
    until("nothing is left of the tool", async || (of_health(&scrape(&server).await) == 0).then_some(())).await;

    server.configure("bundled: { toolz: {} }");
    server.signal("HUP");
    let broken = scrape_with(&server, "sandbar_config_reloads_total{outcome=\"refused\"}", 1.0).await;
    assert_eq!(broken.get("sandbar_config_valid"), Some(&0.0));
    server.configure("");
    server.signal("HUP");
    scrape_with(&server, "sandbar_config_valid", 1.0).await;
    until("the tool is back", async || (of_health(&scrape(&server).await) > 0).then_some(())).await;
}
