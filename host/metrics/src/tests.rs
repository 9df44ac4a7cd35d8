//! Calls and requests of whoever, and what a scrape has of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::StatusCode;
use sandbar_catalog::{EndedCall, LimitReached, Observer as _, Offer, Outcome, Run};
use sandbar_kubernetes::{RequestObserver as _, RequestVerb, SentRequest};
use sandbar_policy::{Budget, Caller, Identity, Limits};

use super::calls::Served;
use super::{ComponentState, Lookups, Metrics, Readings, Reload};

const PROTOCOLS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// A scrape: the type of each family and its labels, and the value of each series by its name and its labels that are not empty.
#[derive(Debug, PartialEq)]
struct Scrape {
    types: BTreeMap<String, String>,
    labels: BTreeMap<String, BTreeSet<String>>,
    series: BTreeMap<(String, BTreeMap<String, String>), f64>,
}

impl Scrape {
    /// Reads the text format, and refuses what Prometheus would refuse, and what it would only wonder about.
    fn of(text: &str) -> Self {
        let (mut types, mut helps, mut series) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let mut labels_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').expect("words");
                assert!(words.ends_with('.') && !words.ends_with("..") && helps.insert(name.to_owned()), "{line}");
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').expect("a type");
                assert!(helps.contains(name) && ["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!((kind == "counter") == name.ends_with("_total"), "{line}");
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line} again");
            } else {
                let (name, mut labels, value) = sample(line);
                let family = ["_bucket", "_sum", "_count"]
                    .iter()
                    .filter_map(|end| name.strip_suffix(end))
                    .find(|family| types.get(*family).is_some_and(|kind| kind == "histogram"))
                    .unwrap_or(&name);
                assert!(types.contains_key(family), "{line} is of no family");
                let all = labels_of.entry(family.to_owned()).or_default();
                all.extend(labels.keys().filter(|label| *label != "le").cloned());
                // An empty label is none.
                labels.retain(|_, value| !value.is_empty());
                assert!(series.insert((name, labels), value).is_none(), "{line} again");
            }
        }
        Self { types, labels: labels_of, series }
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.series.get(&(name.to_owned(), labels)).copied()
    }

    /// All values of a label.
    fn values_of(&self, label: &str) -> BTreeSet<&str> {
        self.series.keys().filter_map(|(_, labels)| labels.get(label)).map(String::as_str).collect()
    }
}

/// The name, the labels and the value of a line.
fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let value = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
    let (name, labels) = series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest.strip_suffix('}').expect("a }")));
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    assert!(is_name(name), "{line}");
    let mut read = BTreeMap::new();
    let mut rest = labels;
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"").expect("a value in quotes");
        assert!(is_name(label) || label == "le", "{line}");
        let (mut value, mut letters) = (String::new(), quoted.char_indices());
        let end = loop {
            match letters.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => value.push(match letters.next().expect("an escape").1 {
                    'n' => '\n',
                    other @ ('\\' | '"') => other,
                    other => panic!("{line}: \\{other}"),
                }),
                (_, letter) => value.push(letter),
            }
        };
        if label == "le" {
            // One format has `1.0` where the other has `1`.
            value = value.parse::<f64>().expect("the end of a bucket").to_string();
        }
        assert!(read.insert(label.to_owned(), value).is_none(), "{line}");
        rest = &quoted[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (name.to_owned(), read, value)
}

fn served(component: &str, digest: &str, tools: &[&str]) -> Served {
    Served {
        component: component.into(),
        digest: digest.into(),
        source: format!("/tools/{component}.wasm").into(),
        tools: tools.iter().map(|&tool| tool.into()).collect(),
    }
}

fn metrics(all: impl IntoIterator<Item = Served>) -> Metrics {
    let metrics = Metrics::new("1.2.3", PROTOCOLS);
    metrics.calls.knows(all.into_iter());
    metrics
}

/// A call of a tool, as a test has it.
struct Call<'c> {
    offer: Offer,
    name: &'c str,
    component: Option<&'c str>,
    version: Option<&'static str>,
    outcome: Outcome,
    error: Option<i32>,
}

impl<'c> Call<'c> {
    fn of(name: &'c str, component: Option<&'c str>, outcome: Outcome) -> Self {
        Self { offer: Offer::Tool, name, component, version: Some("2026-07-28"), outcome, error: None }
    }

    /// Ends after 30 ms; where it has run, with 1,000 bytes read and 10 returned.
    fn ends(self, metrics: &Metrics, has_run: bool) {
        let budget = Budget::new(Limits::default());
        budget.take_read(1_000).expect("within its limit");
        let run = Run { digest: "d", cluster: None, rights: "server", budget: &budget, result_bytes: 10 };
        let component = self.component.map(Arc::from);
        metrics.ended(&EndedCall {
            caller: &Caller::new(Identity::Anonymous),
            version: self.version,
            offer: self.offer,
            name: self.name,
            component: component.as_ref(),
            argument_bytes: 2,
            is_let_in: true,
            run: has_run.then_some(run),
            outcome: self.outcome,
            error: self.error,
            began: Instant::now(),
            took: Duration::from_millis(30),
            trace: None,
        });
    }
}

fn request(metrics: &Metrics, verb: RequestVerb, resource: &str, status: Option<u16>) {
    let status = status.map(|status| StatusCode::from_u16(status).expect("a status"));
    metrics.attempted(&SentRequest { verb, resource, status, took: Duration::from_millis(7) });
}

#[test]
fn a_call_is_counted_by_its_tool_its_component_and_how_it_ended() {
    let metrics = metrics([served("events", "d1", &["get_events"]), served("logs", "d2", &["get_logs"])]);
    Call::of("get_events", Some("events"), Outcome::Answered).ends(&metrics, true);
    Call::of("get_events", Some("events"), Outcome::Answered).ends(&metrics, true);
    Call::of("get_logs", Some("logs"), Outcome::Limit(LimitReached::Cpu)).ends(&metrics, true);
    Call::of("get_logs", Some("logs"), Outcome::Refused).ends(&metrics, false);
    let scrape = Scrape::of(&metrics.text());
    let calls = |tool, component, outcome| {
        scrape.value("sandbar_calls_total", &[("tool", tool), ("component", component), ("outcome", outcome)])
    };
    assert_eq!(calls("get_events", "events", "answered"), Some(2.0));
    assert_eq!(calls("get_logs", "logs", "limit cpu"), Some(1.0));
    assert_eq!(calls("get_logs", "logs", "refused"), Some(1.0));
    assert_eq!(calls("get_logs", "logs", "answered"), None);
    assert_eq!(scrape.value("sandbar_limits_reached_total", &[("component", "logs"), ("limit", "cpu")]), Some(1.0));
    assert_eq!(scrape.value("sandbar_call_read_bytes_total", &[("component", "events")]), Some(2000.0));
    assert_eq!(scrape.value("sandbar_call_result_bytes_total", &[("component", "logs")]), Some(10.0));
    assert_eq!(scrape.value("sandbar_call_cpu_seconds_total", &[("component", "logs")]), Some(0.0));
}

#[test]
fn the_time_of_a_call_is_in_the_buckets_of_the_conventions_by_method_tool_error_and_version() {
    let metrics = metrics([served("events", "d1", &["get_events"])]);
    Call::of("get_events", Some("events"), Outcome::Answered).ends(&metrics, true);
    Call::of("get_events", Some("events"), Outcome::Failed).ends(&metrics, true);
    let refused = Call::of("nothing", None, Outcome::Refused);
    Call { error: Some(-32602), version: Some("2025-11-25"), ..refused }.ends(&metrics, false);
    let prompt = Call::of("explain", Some("events"), Outcome::Busy);
    Call { offer: Offer::Prompt, error: Some(-32603), ..prompt }.ends(&metrics, false);
    let scrape = Scrape::of(&metrics.text());
    let name = "mcp_server_operation_duration_seconds";
    let (tool, newest) =
        ([("mcp_method_name", "tools/call"), ("gen_ai_tool_name", "get_events")], ("mcp_protocol_version", "2026-07-28"));
    let answered = [&tool[..], &[newest]].concat();
    assert_eq!(scrape.value(&format!("{name}_sum"), &answered), Some(0.03));
    for (le, count) in [("0.02", 0.0), ("0.05", 1.0), ("300", 1.0), ("inf", 1.0)] {
        let labels = [&answered[..], &[("le", le)]].concat();
        assert_eq!(scrape.value(&format!("{name}_bucket"), &labels), Some(count), "{le}");
    }
    let count = |labels: &[(&str, &str)]| scrape.value(&format!("{name}_count"), labels);
    assert_eq!(count(&[&tool[..], &[newest, ("error_type", "tool_error")]].concat()), Some(1.0));
    let other = [("mcp_method_name", "tools/call"), ("gen_ai_tool_name", "_other"), ("error_type", "-32602")];
    assert_eq!(count(&[&other[..], &[("mcp_protocol_version", "2025-11-25")]].concat()), Some(1.0));
    assert_eq!(count(&[("mcp_method_name", "prompts/get"), ("error_type", "-32603"), newest]), Some(1.0));
    assert_eq!(scrape.value("sandbar_calls_total", &[("component", "events"), ("outcome", "busy")]), Some(1.0));
}

#[test]
fn what_somebody_invents_adds_no_series() {
    let invented = |metrics: &Metrics, round: usize| {
        for (number, outcome) in Outcome::ALL.into_iter().cycle().take(Outcome::ALL.len() * 20).enumerate() {
            let name = format!("tool-{round}-{number}");
            let version: &'static str = format!("2099-{round}-{number}").leak();
            for offer in Offer::ALL {
                for component in [None, Some(&*name), Some("events")] {
                    let call = Call::of(&name, component, outcome);
                    let error = i32::try_from(round * 1000 + number).ok().filter(|_| number % 2 == 0);
                    Call { offer, version: Some(version), error, ..call }.ends(metrics, true);
                }
            }
            Call::of("get_events", Some("events"), outcome).ends(metrics, true);
            let status = u16::try_from(100 + number).ok();
            request(metrics, RequestVerb::ALL[number % 4], &format!("kind{}.example.com", round * 1000 + number), status);
        }
    };
    // Kinds are told apart as long as there are few of them.
    let metrics = metrics([served("events", "d", &["get_events"])]);
    for round in 0..3 {
        invented(&metrics, round);
    }
    let full = Scrape::of(&metrics.text());
    for round in 3..10 {
        metrics
            .calls
            .knows([served("events", &format!("d{round}"), &["get_events"]), served("brief", "d", &["brief"])].into_iter());
        Call::of("brief", Some("brief"), Outcome::Limit(LimitReached::Time)).ends(&metrics, true);
        invented(&metrics, round);
        metrics.calls.knows([served("events", "d", &["get_events"])].into_iter());
    }
    let after = Scrape::of(&metrics.text());
    assert_eq!(full.series.keys().collect::<Vec<_>>(), after.series.keys().collect::<Vec<_>>());
    assert_eq!(after.values_of("tool"), ["_other", "get_events"].into());
    assert_eq!(after.values_of("component"), ["_other", "events"].into());
    assert_eq!(after.values_of("mcp_protocol_version"), ["2026-07-28"].into());
    assert_eq!(after.values_of("resource").len(), 201);
}

#[test]
fn series_go_with_their_component_and_stay_where_it_is_loaded_anew() {
    let metrics = metrics([served("a", "d1", &["one", "two"]), served("b", "d2", &["three"])]);
    for (tool, component) in [("one", "a"), ("two", "a"), ("three", "b")] {
        Call::of(tool, Some(component), Outcome::Limit(LimitReached::Memory)).ends(&metrics, true);
    }
    // Another version of `a` without its first tool, whose second is now that of another component.
    metrics.calls.knows([served("a", "d3", &["four"]), served("c", "d4", &["two"])].into_iter());
    // Those that end late bring nothing back.
    Call::of("three", Some("b"), Outcome::Answered).ends(&metrics, true);
    Call::of("two", Some("a"), Outcome::Answered).ends(&metrics, true);
    let scrape = Scrape::of(&metrics.text());
    assert_eq!(scrape.values_of("component"), ["_other", "a", "c"].into());
    assert_eq!(scrape.values_of("tool"), ["_other"].into(), "none of the new ones was called");
    assert_eq!(scrape.value("sandbar_limits_reached_total", &[("component", "a"), ("limit", "memory")]), Some(2.0));
    let other = [("tool", "_other"), ("component", "_other"), ("outcome", "answered")];
    assert_eq!(scrape.value("sandbar_calls_total", &other), Some(2.0));
    let info = |component, digest, source| {
        scrape.value("sandbar_component_info", &[("component", component), ("digest", digest), ("source", source)])
    };
    assert_eq!(info("a", "d3", "/tools/a.wasm"), Some(1.0));
    assert_eq!(info("c", "d4", "/tools/c.wasm"), Some(1.0));
    assert_eq!(scrape.values_of("digest"), ["d3", "d4"].into());
}

#[test]
fn requests_are_counted_by_verb_resource_and_status() {
    let metrics = metrics([]);
    request(&metrics, RequestVerb::List, "pods", Some(200));
    request(&metrics, RequestVerb::List, "pods", Some(200));
    request(&metrics, RequestVerb::List, "pods", Some(429));
    request(&metrics, RequestVerb::Get, "/version", None);
    request(&metrics, RequestVerb::Get, "/version", Some(418));
    let scrape = Scrape::of(&metrics.text());
    let count = |verb, resource, code| {
        scrape.value("sandbar_api_requests_total", &[("verb", verb), ("resource", resource), ("code", code)])
    };
    assert_eq!(count("list", "pods", "200"), Some(2.0));
    assert_eq!(count("list", "pods", "429"), Some(1.0));
    assert_eq!((count("get", "/version", "none"), count("get", "/version", "_other")), (Some(1.0), Some(1.0)));
    let times = [("verb", "list"), ("resource", "pods")];
    assert_eq!(scrape.value("sandbar_api_request_duration_seconds_count", &times), Some(3.0));
}

#[test]
fn what_a_label_says_is_escaped() {
    let strange = "a\"b\\c}d";
    let metrics = metrics([served(strange, "d", &["t"])]);
    Call::of("t", Some(strange), Outcome::Answered).ends(&metrics, true);
    assert_eq!(Scrape::of(&metrics.text()).values_of("component"), [strange].into());
}

#[test]
fn nothing_in_a_label_is_invisible_or_moves_what_is_beside_it() {
    let names = ["a\u{1b}[31m\nb", "\u{202e}c", "c", "\u{200b}c", "\u{9b}31mc"];
    let metrics = metrics(names.map(|name| served(name, name, &[name])));
    for name in names {
        Call::of(name, Some(name), Outcome::Limit(LimitReached::Time)).ends(&metrics, true);
        request(&metrics, RequestVerb::Get, name, Some(200));
    }
    let shown = ["a\\u{1b}[31m\\u{a}b", "\\u{202e}c", "c", "\\u{200b}c", "\\u{9b}31mc"];
    let text = metrics.text();
    assert!(text.lines().all(|line| line.bytes().all(|byte| matches!(byte, b' '..=b'~'))), "{text:?}");
    let scrape = Scrape::of(&text);
    for label in ["component", "digest", "tool", "gen_ai_tool_name", "resource"] {
        assert_eq!(scrape.values_of(label), shown.into(), "{label}");
    }
    assert_eq!(scrape.values_of("source"), shown.map(|name| format!("/tools/{name}.wasm")).iter().map(String::as_str).collect());
}

/// One of everything.
fn of_everything() -> Metrics {
    let metrics = metrics([served("events", "d", &["get_events"])]);
    Call::of("get_events", Some("events"), Outcome::Limit(LimitReached::Time)).ends(&metrics, true);
    request(&metrics, RequestVerb::Get, "pods", Some(200));
    metrics.compiled(Duration::from_secs(2));
    metrics.reloaded(Reload::Refused);
    metrics.components(ComponentState::Waiting, 2);
    let known = Lookups { hits: 5, misses: 2 };
    let certificate_expires = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000));
    metrics.read_from(move || Readings {
        calls_running: 3,
        slots: 10,
        memory_limit: 1 << 30,
        access_reviews: known,
        spans_dropped: Some(4),
        certificate_expires,
        ..Readings::default()
    });
    metrics
}

#[test]
fn what_is_under_way_is_read_with_each_scrape() {
    let scrape = Scrape::of(&of_everything().text());
    for (name, labels, value) in [
        ("sandbar_calls_running", &[][..], 3.0),
        ("sandbar_slots", &[], 10.0),
        ("sandbar_memory_limit_bytes", &[], 1_073_741_824.0),
        ("sandbar_components", &[("state", "waiting")], 2.0),
        ("sandbar_components", &[("state", "failed")], 0.0),
        ("sandbar_review_cache_hits_total", &[("review", "access")], 5.0),
        ("sandbar_review_cache_misses_total", &[("review", "oidc")], 0.0),
        ("sandbar_spans_dropped_total", &[], 4.0),
        ("sandbar_certificate_expiry_timestamp_seconds", &[], 2_000_000_000.0),
        ("sandbar_config_valid", &[], 0.0),
        ("sandbar_config_reloads_total", &[("outcome", "refused")], 1.0),
        ("sandbar_config_reloads_total", &[("outcome", "applied")], 0.0),
        ("sandbar_compile_seconds_sum", &[], 2.0),
        ("sandbar_build_info", &[("version", "1.2.3")], 1.0),
    ] {
        assert_eq!(scrape.value(name, labels), Some(value), "{name}");
    }
    assert!(scrape.value("process_resident_memory_bytes", &[]) > Some(1_000_000.0));
    assert!(scrape.value("process_start_time_seconds", &[]) > Some(1_700_000_000.0));
    assert!(scrape.value("process_open_fds", &[]) > Some(0.0));
}

#[test]
fn both_formats_say_the_same() {
    let metrics = of_everything();
    let openmetrics = metrics.openmetrics();
    let lines = openmetrics.strip_suffix("# EOF\n").expect("OpenMetrics has an end").lines();
    // In OpenMetrics, a counter's family is called without its `_total`.
    let counters: BTreeSet<&str> =
        openmetrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let rewritten: String = lines
        .map(|line| match line.splitn(4, ' ').collect::<Vec<_>>()[..] {
            ["#", word, name, rest] if counters.contains(name) => format!("# {word} {name}_total {rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let keys = |scrape: Scrape| (scrape.types, scrape.series.into_keys().collect::<BTreeSet<_>>());
    assert_eq!(keys(Scrape::of(&rewritten)), keys(Scrape::of(&metrics.text())));
}

#[test]
fn each_metric_is_in_the_reference_with_its_type_and_labels() {
    let reference = include_str!("../../../docs/reference/metrics.md");
    let quoted = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>();
    let rows = reference.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|line| {
        let mut cells = line.split(" | ");
        let name = cells.next()?.trim_end_matches('`').to_owned();
        let kind = cells.next()?.to_owned();
        ["counter", "gauge", "histogram"].contains(&&*kind).then(|| (name, (kind, quoted(cells.next().unwrap_or_default()))))
    });
    let described: BTreeMap<_, _> = rows.collect();
    let scrape = Scrape::of(&of_everything().text());
    let labels_of = |name: &String| scrape.labels.get(name).cloned().unwrap_or_default();
    let real: BTreeMap<_, _> = scrape.types.iter().map(|(name, kind)| (name.clone(), (kind.clone(), labels_of(name)))).collect();
    assert_eq!(described, real, "left: docs/reference/metrics.md, right: what is written");
}
