//! Spans of calls, taken by a real collector: whose they are in, what they have, and what becomes of calls where nobody takes them.

use ::http::HeaderMap;
use sandbar_tests::collector::{Collector, TakenSpan};
use sandbar_tests::fake_api::{FakeAnswer, FakeApi};
use sandbar_tests::mcp::{Client, MODERN, set};
use sandbar_tests::sandbar::{Builder, Server, assert_refused_at_start};
use sandbar_tests::{http, until};
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const OTHER_TRACE: &str = "5bf92f3577b34da6a3ce929d0e0e4737";
const SPAN: &str = "00f067aa0ba902b7";

fn parent(trace: &str, flags: &str) -> String {
    format!("00-{trace}-{SPAN}-{flags}")
}

/// A server of a made-up API server that sends its spans to this address.
fn traced(api: &FakeApi, endpoint: &str) -> Builder {
    of(api).config(&format!("traces: {{ endpoint: \"{endpoint}\" }}\n"))
}

fn of(api: &FakeApi) -> Builder {
    Server::builder().fake(api)
}

/// Calls `get_events` with these headers, and with this in `_meta`.
async fn call(server: &Server, headers: &[(&'static str, &str)], meta: Value) -> Value {
    let params = json!({ "name": "get_events", "arguments": { "namespace": "what-i-asked-for" }, "_meta": meta });
    let mut request = Client::modern(server).http_request(json!(1), "tools/call", params);
    headers.iter().for_each(|(name, value)| set(&mut request, name, value));
    let answer = http::send(server.address(), request).await.message().await.unwrap();
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    answer
}

fn said(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned())
}

/// What the API server was told of traces with each request for events.
fn told(api: &FakeApi) -> Vec<(Option<String>, Option<String>)> {
    api.headers_of("/events").iter().map(|headers| (said(headers, "traceparent"), said(headers, "tracestate"))).collect()
}

/// The one span of this name.
#[track_caller]
fn one<'s>(spans: &'s [TakenSpan], name: &str) -> &'s TakenSpan {
    let found: Vec<&TakenSpan> = spans.iter().filter(|taken| taken.name() == name).collect();
    let [one] = found[..] else { panic!("{name}: {found:#?} in {spans:#?}") };
    one
}

fn nanoseconds(taken: &TakenSpan) -> (u64, u64) {
    let of = |key: &str| taken.span[key].as_str().unwrap().parse().unwrap();
    (of("startTimeUnixNano"), of("endTimeUnixNano"))
}

#[tokio::test]
async fn a_call_has_a_span_for_each_of_its_parts_within_the_callers() {
    let (collector, api) = (Collector::start().await, FakeApi::start(|_| None));
    let server = traced(&api, &collector.endpoint()).start().await;
    let meta = json!({ "traceparent": parent(TRACE, "01"), "tracestate": "vendor=opaque" });
    // What stands in `_meta` goes before the header, which a proxy in between may have set.
    call(&server, &[("traceparent", &parent(OTHER_TRACE, "01"))], meta).await;

    let spans = collector.trace(TRACE).await;
    let whole = one(&spans, "tools/call get_events");
    assert_eq!((&whole.span["parentSpanId"], &whole.span["kind"]), (&json!(SPAN), &json!(2)));
    assert_eq!(whole.span["traceState"], "vendor=opaque");
    for (key, value) in [
        ("mcp.method.name", "tools/call"),
        ("mcp.protocol.version", MODERN),
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.tool.name", "get_events"),
        ("sandbar.component", "get-events"),
        ("sandbar.outcome", "answered"),
    ] {
        assert_eq!(whole.attributes.get(key), Some(&json!(value)), "{key}");
    }
    assert!(whole.attributes["sandbar.cpu_seconds"].as_f64() > Some(0.0), "{:?}", whole.attributes);
    assert_ne!(whole.span["status"]["code"], 2);
    assert_eq!(whole.resource.get("service.name"), Some(&json!("sandbar")));

    let (wait, instance, list) = (one(&spans, "wait"), one(&spans, "instance"), one(&spans, "list events"));
    for (part, within, kind) in [(wait, whole, 1), (instance, whole, 1), (list, instance, 3)] {
        assert_eq!((&part.span["parentSpanId"], &part.span["kind"]), (&within.span["spanId"], &json!(kind)));
        let ((began, ended), (from, to)) = (nanoseconds(part), nanoseconds(within));
        assert!(from <= began && began <= ended && ended <= to, "{} is not within {}", part.name(), within.name());
    }
    assert!(nanoseconds(wait).1 <= nanoseconds(instance).0);
    for (key, value) in [
        ("http.request.method", json!("GET")),
        ("http.response.status_code", json!("200")),
        ("sandbar.api.verb", json!("list")),
        ("sandbar.api.resource", json!("events")),
        ("server.address", json!("127.0.0.1")),
    ] {
        assert_eq!(list.attributes.get(key), Some(&value), "{key}");
    }
    // The API server goes on in the span of its request.
    let id = list.span["spanId"].as_str().unwrap();
    assert_eq!(told(&api), [(Some(format!("00-{TRACE}-{id}-01")), Some("vendor=opaque".to_owned()))]);
    // Of what was asked and answered nothing is there, and of the trace of the header neither.
    let text = collector.text();
    assert!(!text.contains("what-i-asked-for") && !text.contains(OTHER_TRACE), "{text}");
}

#[tokio::test]
async fn a_call_is_in_the_trace_of_its_header_or_in_one_of_its_own() {
    let (collector, api) = (Collector::start().await, FakeApi::start(|_| None));
    let server = traced(&api, &collector.endpoint()).start().await;
    // What is not right in `_meta` is ignored.
    call(&server, &[("traceparent", &parent(TRACE, "01"))], json!({ "traceparent": "00-0-0-01" })).await;
    let spans = collector.trace(TRACE).await;
    assert_eq!(one(&spans, "tools/call get_events").span["parentSpanId"], SPAN);

    call(&server, &[], json!({})).await;
    let own = told(&api)[1].0.clone().unwrap();
    let (trace, _) = own.strip_prefix("00-").unwrap().split_once('-').unwrap();
    assert_ne!(trace, TRACE);
    let spans = collector.trace(trace).await;
    assert!(one(&spans, "tools/call get_events").span["parentSpanId"].as_str().is_none_or(str::is_empty));

    // Older clients have the same in `_meta`.
    let legacy = Client::legacy(&server).await;
    let params = json!({ "name": "check_health", "arguments": {}, "_meta": { "traceparent": parent(OTHER_TRACE, "01") } });
    legacy.request("tools/call", params).await;
    let spans = collector.trace(OTHER_TRACE).await;
    let whole = one(&spans, "tools/call check_health");
    assert_eq!(whole.attributes.get("mcp.protocol.version"), Some(&json!("2025-11-25")));
    assert!(!collector.text().contains(legacy.session()));
}

#[tokio::test]
async fn what_its_caller_does_not_sample_has_no_span_and_is_handed_on_all_the_same() {
    let (collector, api) = (Collector::start().await, FakeApi::start(|_| None));
    let server = traced(&api, &collector.endpoint()).start().await;
    call(&server, &[("traceparent", &parent(TRACE, "00"))], json!({})).await;
    call(&server, &[("traceparent", &parent(OTHER_TRACE, "01"))], json!({})).await;
    // They are sent in the order in which they end, so the first would be there.
    collector.trace(OTHER_TRACE).await;
    assert!(!collector.text().contains(TRACE));
    let handed_on = told(&api)[0].0.clone().unwrap();
    assert!(handed_on.starts_with(&format!("00-{TRACE}-")) && handed_on.ends_with("-00"), "{handed_on}");
}

#[tokio::test]
async fn what_goes_wrong_is_in_its_span() {
    let (collector, api) = (
        Collector::start().await,
        FakeApi::start(|path| path.contains("/events").then(|| FakeAnswer::status(403, "Forbidden", "no events for you"))),
    );
    let server = traced(&api, &collector.endpoint()).start().await;
    let client = Client::legacy(&server).await;
    let ask = async |tool: &str, trace: &str| {
        client
            .request(
                "tools/call",
                json!({ "name": tool, "arguments": { "namespace": "a" }, "_meta": { "traceparent": parent(trace, "01") } }),
            )
            .await;
        collector.trace(trace).await
    };
    let failed = ask("get_events", TRACE).await;
    let (whole, list) = (one(&failed, "tools/call get_events"), one(&failed, "list events"));
    assert_eq!(whole.attributes.get("error.type"), Some(&json!("tool_error")));
    assert_eq!(whole.span["status"], json!({ "code": 2, "message": "failed" }));
    assert_eq!(list.attributes.get("error.type"), Some(&json!("403")));
    assert_eq!(list.span["status"]["code"], 2);

    let unknown = ask("a-secret-name", OTHER_TRACE).await;
    let whole = one(&unknown, "tools/call");
    assert_eq!(whole.attributes.get("error.type"), Some(&json!("-32602")));
    assert_eq!(unknown.len(), 1, "{unknown:#?}");
    let text = collector.text();
    assert!(!text.contains("a-secret-name") && !text.contains("no events for you"), "{text}");
}

#[tokio::test]
async fn a_collector_that_is_down_costs_a_line_and_is_found_again() {
    let (address, api) = (Collector::free_address(), FakeApi::start(|_| None));
    let server = traced(&api, &format!("http://{address}")).start().await;
    let sampled = |trace: &str| parent(trace, "01");
    call(&server, &[("traceparent", &sampled(TRACE))], json!({})).await;
    server.until_logged("spans are not taken").await;
    for _ in 0..20 {
        call(&server, &[], json!({})).await;
    }
    let collector = Collector::start_at(address).await;
    // What could not be sent is sent again, and what has come meanwhile after it.
    collector.trace(TRACE).await;
    call(&server, &[("traceparent", &sampled(OTHER_TRACE))], json!({})).await;
    collector.trace(OTHER_TRACE).await;
    let log = server.log();
    assert_eq!(log.matches("spans are not taken").count(), 1, "{log}");
    assert!(log.contains("spans are taken again"), "{log}");
}

#[tokio::test]
async fn a_collector_that_says_nothing_keeps_no_call_and_no_end() {
    let api = FakeApi::start(|_| None);
    let silent = FakeApi::start(|_| Some(FakeAnswer::Never));
    let mut server = traced(&api, silent.endpoint().as_str()).start().await;
    call(&server, &[], json!({})).await;
    until("something is sent", async || (silent.in_flight() == 1).then_some(())).await;
    // Each is answered while the first spans wait for an answer, which never comes.
    for _ in 0..50 {
        call(&server, &[], json!({})).await;
    }
    server.signal("INT");
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn the_variables_of_opentelemetry_are_enough_and_their_headers_are_not_shown() {
    let (api, taker) = (FakeApi::start(|_| None), FakeApi::start(|_| Some(FakeAnswer::text(200, ""))));
    let server = of(&api)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", taker.endpoint())
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter%202")
        .env("OTEL_SERVICE_NAME", "another-name")
        .start()
        .await;
    call(&server, &[], json!({})).await;
    let headers = until("something is sent", async || taker.headers_of("/v1/traces").into_iter().next()).await;
    assert_eq!(said(&headers, "api-key").as_deref(), Some("hunter 2"));
    assert_eq!(said(&headers, "content-type").as_deref(), Some("application/x-protobuf"));
    assert!(!server.log().contains("hunter"), "{}", server.log());
    drop(server);

    let server = of(&api).env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317").env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let server = server.start().await;
    server.until_logged("calls are not traced: OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\"").await;
}

#[tokio::test]
async fn where_nothing_is_configured_nothing_is_handed_on() {
    let api = FakeApi::start(|_| None);
    let server = of(&api).start().await;
    call(&server, &[("traceparent", &parent(TRACE, "01"))], json!({ "traceparent": parent(TRACE, "01") })).await;
    assert_eq!(told(&api), [(None, None)]);
    assert!(!server.log().contains("spans"), "{}", server.log());
}

#[tokio::test]
async fn what_cannot_be_used_is_told_at_the_start() {
    for (traces, said) in [
        ("{}", "endpoint"),
        ("{ endpoint: collector:4318 }", "no http:// or https:// address"),
        ("{ endpoint: \"http://me:hunter2@collector\" }", "put them into a header"),
        ("{ endpoint: \"http://collector:4318\", sample: 2 }", "0 to 1"),
        ("{ endpoint: \"http://collector:4318\", headersFile: none.txt }", "none.txt cannot be read"),
        ("{ endpoint: \"https://collector\", certificateAuthorityFile: sandbar.yaml }", "certificateAuthorityFile"),
    ] {
        assert_refused_at_start(&format!("traces: {traces}\n"), said).await;
    }
}
