//! Calls as OTLP has them: names and attributes by OpenTelemetry's conventions for MCP and for HTTP clients, and by our own where they have
//! none, which begin with `sandbar.`.

use std::time::{Instant, UNIX_EPOCH};

use sandbar_catalog::Offer;
use sandbar_spans::{Part, SpanId};

use super::ended::{Known, TracedCall, Used};
use super::otlp::{
    AnyValue, ExportTraceServiceRequest, InstrumentationScope, KeyValue, Resource, ResourceSpans, ScopeSpans, Span, SpanKind,
    Status, StatusCode, Value,
};

/// Bits of a span's flags: it is sampled, and it is known whether its parent is of another process.
const SAMPLED: u32 = 0x1;
const KNOWS_PARENT: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;

/// The first status of HTTP that is an error to a client.
const FIRST_ERROR: u16 = 400;

/// The message with the spans of these calls. `resource` is what is said of this server.
pub(super) fn message(resource: &[(String, String)], calls: &[TracedCall]) -> ExportTraceServiceRequest {
    let attributes = resource.iter().map(|(key, value)| text(key, value)).collect();
    let scope = InstrumentationScope { name: "sandbar".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let spans =
        calls.iter().flat_map(|call| std::iter::once(whole(call)).chain(call.parts.spans.iter().map(|part| of_part(call, part))));
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans: spans.collect() }];
    let resource = Some(Resource { attributes });
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans }] }
}

/// The span of a call as a whole.
fn whole(call: &TracedCall) -> Span {
    let TracedCall {
        trace: _,
        span,
        parent,
        state: _,
        offer,
        known,
        version,
        outcome,
        error_type,
        error,
        used,
        began,
        ended,
        now: _,
        parts,
    } = call;
    let method = offer.method();
    let mut attributes = vec![text("mcp.method.name", method)];
    let mut name = method.to_owned();
    if *offer == Offer::Tool {
        attributes.push(text("gen_ai.operation.name", "execute_tool"));
    }
    if let Some(Known { name: known, component }) = known {
        let (key, is_in_name) = match offer {
            Offer::Tool => ("gen_ai.tool.name", true),
            Offer::Prompt => ("gen_ai.prompt.name", true),
            Offer::Resource => ("mcp.resource.uri", false),
        };
        if is_in_name {
            name = format!("{method} {known}");
        }
        attributes.extend([text(key, known), text("sandbar.component", component)]);
    }
    attributes.extend(version.map(|version| text("mcp.protocol.version", version)));
    attributes.push(text("sandbar.outcome", outcome.as_str()));
    attributes.extend(error_type.map(|error| text("error.type", error)));
    attributes.extend(error.map(|code| text("rpc.response.status_code", &code.to_string())));
    if let Some(Used { cluster, cpu_seconds, requests, read_bytes, result_bytes }) = used {
        attributes.extend(cluster.as_ref().map(|cluster| text("k8s.cluster.name", cluster)));
        attributes.push(attribute("sandbar.cpu_seconds", Value::Double(*cpu_seconds)));
        attributes.push(number("sandbar.api_requests", u64::from(*requests)));
        attributes.push(number("sandbar.read_bytes", *read_bytes));
        attributes.push(number("sandbar.result_bytes", *result_bytes as u64));
    }
    if parts.left_out > 0 {
        attributes.push(number("sandbar.requests_without_span", u64::from(parts.left_out)));
    }
    let remote = if parent.is_some() { PARENT_IS_REMOTE } else { 0 };
    Span {
        name,
        kind: SpanKind::Server.into(),
        flags: SAMPLED | KNOWS_PARENT | remote,
        attributes,
        status: error_type.map(|_| failed(outcome.as_str())),
        ..base(call, *span, *parent, (*began, *ended))
    }
}

/// The span of one of its parts.
fn of_part(call: &TracedCall, sandbar_spans::Span { id, parent, part, began, ended }: &sandbar_spans::Span) -> Span {
    let base = base(call, *id, Some(*parent), (*began, ended.unwrap_or(call.ended).max(*began)));
    match part {
        Part::Wait => Span { name: "wait".to_owned(), kind: SpanKind::Internal.into(), ..base },
        Part::Instance => Span { name: "instance".to_owned(), kind: SpanKind::Internal.into(), ..base },
        Part::Request { verb, resource, server, status } => {
            // A review is the one thing that is posted, and none is asked for one call alone.
            let mut attributes = vec![text("http.request.method", if *verb == "review" { "POST" } else { "GET" })];
            attributes.extend([text("sandbar.api.verb", verb), text("sandbar.api.resource", resource)]);
            if let Some((host, port)) = server {
                attributes.extend([text("server.address", host), number("server.port", u64::from(*port))]);
            }
            attributes.extend(status.map(|status| number("http.response.status_code", u64::from(status))));
            let error = match status {
                Some(status) if *status < FIRST_ERROR => None,
                Some(status) => Some(status.to_string()),
                None => Some("no_answer".to_owned()),
            };
            attributes.extend(error.as_ref().map(|error| text("error.type", error)));
            let status = error.map(|_| failed(""));
            Span { name: format!("{verb} {resource}"), kind: SpanKind::Client.into(), attributes, status, ..base }
        }
    }
}

/// What all spans of a call have.
fn base(call: &TracedCall, id: SpanId, parent: Option<SpanId>, (began, ended): (Instant, Instant)) -> Span {
    Span {
        trace_id: call.trace.to_bytes().into(),
        span_id: id.to_bytes().into(),
        trace_state: call.state.as_deref().unwrap_or_default().to_owned(),
        parent_span_id: parent.map(|parent| parent.to_bytes().into()).unwrap_or_default(),
        flags: SAMPLED | KNOWS_PARENT,
        start_time_unix_nano: nanoseconds(call, began),
        end_time_unix_nano: nanoseconds(call, ended),
        ..Default::default()
    }
}

/// A moment of the call, in nanoseconds since 1970.
fn nanoseconds(call: &TracedCall, at: Instant) -> u64 {
    let (now, time) = call.now;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let moment = since.saturating_sub(now.saturating_duration_since(at));
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

fn failed(words: &str) -> Status {
    Status { message: words.to_owned(), code: StatusCode::Error.into() }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::String(value.to_owned()))
}

fn number(key: &str, value: u64) -> KeyValue {
    attribute(key, Value::Int(i64::try_from(value).unwrap_or(i64::MAX)))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
}
