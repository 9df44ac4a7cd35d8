//! What watches a server, `deploy/monitoring`: rules and a dashboard that ask for what there is, a page that says what to do, and a real
//! Prometheus that finds no fault. That one takes minutes to build, so its part runs in `make e2e`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use sandbar_tests::collector::Collector;
use sandbar_tests::http;
use sandbar_tests::mcp::Client;
use sandbar_tests::process::{Leash, Transcript};
use sandbar_tests::until;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::components::hostile_config;
use super::metrics::{counted, port};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const RULES: &str = "deploy/monitoring/rules.yaml";
const RULE_CASES: &str = "deploy/monitoring/rules.test.yaml";
const DASHBOARD: &str = "deploy/monitoring/dashboard.json";
const RUNBOOKS: &str = "docs/how-to/runbooks/alerts.md";

/// Labels that Prometheus gives to what it scrapes.
const TARGET: [&str; 6] = ["cluster", "instance", "job", "namespace", "pod", "service"];

/// What stands before labels in brackets.
const GROUPING: [&str; 6] = ["by", "group_left", "group_right", "ignoring", "on", "without"];

/// Words of the language that are no names and have no brackets behind them.
const WORDS: [&str; 4] = ["and", "bool", "or", "unless"];

/// Variables of the dashboard, as Grafana fills them in.
const VARIABLES: [(&str, &str); 4] = [("$__rate_interval", "1m"), ("$cluster", ".*"), ("$namespace", ".*"), ("$instance", ".*")];

/// A metric as the reference has it.
struct Described {
    is_histogram: bool,
    labels: BTreeSet<String>,
}

static REFERENCE: LazyLock<BTreeMap<String, Described>> = LazyLock::new(|| {
    let page = read("docs/reference/metrics.md");
    let metrics = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, ..] = cells[..] else { return None };
        if !["counter", "gauge", "histogram"].contains(&kind) {
            return None;
        }
        let name = name.trim_matches('`').to_owned();
        let labels = labels.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Some((name, Described { is_histogram: kind == "histogram", labels }))
    });
    metrics.collect()
});

fn path(file: &str) -> String {
    format!("{REPOSITORY}/{file}")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// The metric that a name in an expression stands for: a histogram has three.
fn described(name: &str) -> Option<&'static Described> {
    let histogram = ["_bucket", "_count", "_sum"].into_iter().find_map(|part| REFERENCE.get(name.strip_suffix(part)?));
    let other = || REFERENCE.get(name).filter(|metric| !metric.is_histogram);
    histogram.filter(|metric| metric.is_histogram).or_else(other)
}

/// The names in an expression, by where they stand.
#[derive(Debug, Default)]
struct Names {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
}

impl Names {
    fn of(expression: &str) -> Self {
        // Without texts, and without durations.
        let outside: String = expression.split('"').step_by(2).collect();
        let outside: String = outside.split('[').map(|part| part.rsplit_once(']').map_or(part, |(_, after)| after)).collect();
        let tokens = tokens(&outside);
        let (mut names, mut in_selector, mut in_labels) = (Self::default(), false, false);
        for (index, token) in tokens.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|index| tokens.get(index)).map_or("", String::as_str);
            let is_called = tokens.get(index + 1).is_some_and(|next| ["(", "by", "without"].contains(&next.as_str()));
            match token.as_str() {
                "{" => in_selector = true,
                "}" => in_selector = false,
                "(" => in_labels = GROUPING.contains(&before),
                ")" => in_labels = false,
                word if !word.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') => {}
                word if in_selector || in_labels => names.labels.extend([word.to_owned()]),
                word if is_called || WORDS.contains(&word) => {}
                word => names.metrics.extend([word.to_owned()]),
            }
        }
        names
    }
}

/// Words, and single marks between them.
fn tokens(text: &str) -> Vec<String> {
    let is_of_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let (mut tokens, mut word) = (Vec::new(), String::new());
    for character in text.chars().chain([' ']) {
        if is_of_word(character) {
            word.push(character);
            continue;
        }
        if !word.is_empty() {
            tokens.push(std::mem::take(&mut word));
        }
        if !character.is_whitespace() {
            tokens.push(character.to_string());
        }
    }
    tokens
}

/// Checks that an expression names only metrics and labels of the reference, and a text beside it only labels that there are then.
#[track_caller]
fn assert_known(place: &str, expression: &str, beside: &str) {
    let names = Names::of(expression);
    assert!(!names.metrics.is_empty(), "{place} asks for nothing: {expression}");
    let mut labels: BTreeSet<&str> = TARGET.into();
    for name in names.metrics.iter().filter(|name| *name != "up") {
        let metric = described(name).unwrap_or_else(|| panic!("{place}: the reference has no {name}"));
        labels.extend(metric.labels.iter().map(String::as_str));
        labels.extend(name.ends_with("_bucket").then_some("le"));
    }
    let shown = beside.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(label, _)| label.trim());
    for label in names.labels.iter().map(String::as_str).chain(shown) {
        assert!(labels.contains(label), "{place}: no {label} in {expression}");
    }
}

/// The alerts of the file.
fn alerts() -> Vec<Value> {
    let Value::Array(groups) = yaml(RULES)["groups"].take() else { panic!("no groups") };
    groups.into_iter().flat_map(|mut group| group["rules"].as_array_mut().map(std::mem::take).unwrap_or_default()).collect()
}

/// Each panel's title with an expression of it and its legend.
fn panels() -> Vec<(String, String, String)> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(move |target| [&panel["title"], &target["expr"], &target["legendFormat"]].map(|value| text(value).to_owned()))
    });
    panels.map(|[title, expression, legend]| (title, expression, legend)).collect()
}

#[test]
fn names_are_told_from_functions_and_labels_by_where_they_stand() {
    let names = Names::of(
        r#"1 - sum by (a, le) (rate(m_bucket{b=~"x.y", c!="{z}"}[5m])) / 2.5 > bool 0 and on (d) group_left () up or n unless absent(o)"#,
    );
    assert_eq!(names.metrics.iter().collect::<Vec<_>>(), ["m_bucket", "n", "o", "up"]);
    assert_eq!(names.labels.iter().collect::<Vec<_>>(), ["a", "b", "c", "d", "le"]);
}

#[test]
fn alerts_panels_and_runbooks_ask_for_metrics_and_labels_that_the_reference_has() {
    assert!(REFERENCE.len() > 30, "{} metrics in the reference", REFERENCE.len());
    for alert in alerts() {
        assert_known(text(&alert["alert"]), text(&alert["expr"]), "");
    }
    for (title, expression, legend) in panels() {
        assert_known(&title, &expression, &legend);
    }
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let Some(query) = variable["query"]["query"].as_str() else { continue };
        let values = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
        let (expression, label) = values.and_then(|values| values.rsplit_once(", ")).unwrap_or_else(|| panic!("{query}"));
        assert_known(query, expression, &format!("{{{{{label}}}}}"));
    }
    for page in [RUNBOOKS, "docs/how-to/monitor.md"] {
        let text = read(page);
        for block in text.split("```promql\n").skip(1) {
            assert_known(page, block.split("```").next().unwrap(), "");
        }
    }
}

#[test]
fn each_alert_has_a_case_and_a_section_that_says_what_it_means_how_to_see_why_and_what_to_do() {
    let (page, cases) = (read(RUNBOOKS), read(RULE_CASES));
    let sections: BTreeMap<&str, &str> = page.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect();
    let alerts = alerts();
    assert!(alerts.len() <= 8, "{} alerts are more than anybody looks after", alerts.len());
    for alert in &alerts {
        let name = text(&alert["alert"]);
        for key in ["summary", "description"] {
            assert!(alert["annotations"][key].is_string(), "{name} has no {key}");
        }
        assert!(["critical", "warning"].contains(&text(&alert["labels"]["severity"])), "{name}");
        assert_eq!(text(&alert["annotations"]["runbook_url"]), format!("{RUNBOOKS}#{}", name.to_lowercase()));
        let section = sections.get(name).unwrap_or_else(|| panic!("no section {name}"));
        for part in ["**What it means.**", "**How to see why.**", "**What to do.**"] {
            assert!(section.contains(part), "{name} has no {part}");
        }
        assert!(cases.contains(&format!("alertname: {name}\n")), "{name} has no case in which it fires");
    }
    let names: BTreeSet<&str> = alerts.iter().map(|alert| text(&alert["alert"])).collect();
    assert_eq!(sections.keys().copied().collect::<BTreeSet<_>>(), names);
}

#[test]
fn prometheus_operator_and_the_chart_have_the_same_rules() {
    let [rules, of_chart] = [RULES, "deploy/chart/files/rules.yaml"].map(read);
    assert_eq!(of_chart, rules, "`make rules` writes it anew");
    let of_operator = yaml("deploy/components/prometheus-operator/prometheusrule.yaml");
    assert_eq!(of_operator["spec"], yaml(RULES), "`make rules` writes it anew");
}

/// The folder with promtool, Prometheus and the CRDs of its operator.
pub(super) fn programs() -> &'static Path {
    static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
        let script = path("tests/monitoring/build.sh");
        let output = Command::new(&script).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{script} failed: {}", output.status);
        String::from_utf8(output.stdout).unwrap().trim_end().into()
    });
    &FOLDER
}

/// Runs promtool, with a file as its input where there is one.
#[track_caller]
fn promtool(arguments: &[&str], input: Stdio) {
    let output = Command::new(programs().join("promtool")).args(arguments).stdin(input).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&said));
}

/// A real Prometheus that scrapes one server each second, by the rules of the file. It ends when it is dropped.
struct Prometheus {
    address: SocketAddr,
    child: Child,
    _leash: Leash,
    _folder: TempDir,
}

impl Prometheus {
    async fn scraping(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yaml");
        let settings = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [path(RULES)],
            "scrape_configs": [{ "job_name": "sandbar", "static_configs": [{ "targets": [target.to_string()] }] }],
        });
        std::fs::write(&config, settings.to_string()).unwrap();
        let mut child = Command::new(programs().join("prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let leash = Leash::new(child.id());
        let log = Transcript::of(child.stderr.take().unwrap());
        let address = until("Prometheus says where it listens", || {
            let ended = child.try_wait().unwrap();
            let log = log.text();
            async move {
                assert!(ended.is_none(), "Prometheus ended with {ended:?}: {log}");
                let line = log.lines().find(|line| line.contains(r#"msg="Listening on""#))?;
                line.rsplit_once("address=")?.1.trim().parse().ok()
            }
        })
        .await;
        until("Prometheus is ready", || async { (http::get(address, "/-/ready").await.status == 200).then_some(()) }).await;
        Self { address, child, _leash: leash, _folder: folder }
    }

    /// What its API answers.
    async fn get(&self, path: &str) -> Value {
        let answer = http::get(self.address, &format!("/api/v1/{path}")).await.message().await.unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The series that an expression has now.
    async fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.get(&format!("query?query={encoded}")).await["result"].as_array().unwrap().clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "builds Prometheus, which takes minutes: `make e2e`"]
fn promtool_finds_no_fault_in_the_rules_and_each_case_comes_out() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", &path(RULES)], Stdio::null());
    promtool(&["test", "rules", &path(RULE_CASES)], Stdio::null());
}

#[tokio::test]
#[ignore = "builds Prometheus, which takes minutes: `make e2e`"]
async fn a_real_prometheus_scrapes_a_server_and_has_an_answer_for_each_panel_and_each_rule() {
    // With spans that nobody takes: those that are lost are counted only where there are some.
    let traces = format!("traces: {{ endpoint: \"http://{}\" }}\n", Collector::free_address());
    let server = counted(&(traces + &hostile_config("    limits: { cpu: 100ms }\n"))).start().await;
    let prometheus = Prometheus::scraping(port(&server)).await;
    until("a scrape", async || {
        let targets = prometheus.get("targets").await;
        let target = targets["activeTargets"].as_array().unwrap().first()?;
        assert_eq!(target["lastError"], "", "{target}");
        (target["health"] == "up").then_some(())
    })
    .await;
    let client = Client::modern(&server);
    // What has no certificate has no time at which that expires, and all the rest is there once something has happened.
    let absent = "sandbar_certificate_expiry_timestamp_seconds";
    for (title, expression, _) in panels().into_iter().filter(|(_, expression, _)| !expression.contains(absent)) {
        let expression = VARIABLES.iter().fold(expression, |expression, (variable, value)| expression.replace(variable, value));
        until(&format!("{title} has something to show: {expression}"), async || {
            client.answer("get_events", json!({ "namespace": "team-a" })).await;
            client.failure("misbehave", json!({ "how": "spin" })).await;
            (!prometheus.query(&expression).await.is_empty()).then_some(())
        })
        .await;
    }
    until("each rule was looked at", async || {
        let rules = prometheus.get("rules").await;
        let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
        assert_eq!(rules.len(), alerts().len());
        let failed = rules.iter().find(|rule| rule["health"] == "err");
        assert!(failed.is_none(), "{failed:?}");
        rules.iter().all(|rule| rule["health"] == "ok").then_some(())
    })
    .await;

    let all = prometheus.get("label/__name__/values").await;
    let all: BTreeSet<&str> = all.as_array().unwrap().iter().map(text).collect();
    let own = ["ALERTS", "up", "scrape_"];
    for name in all.iter().filter(|name| !own.iter().any(|own| name.starts_with(own))) {
        assert!(described(name).is_some(), "{name} is not in the reference");
    }
    for (name, metric) in REFERENCE.iter().filter(|(name, _)| *name != absent) {
        let series = if metric.is_histogram { format!("{name}_bucket") } else { name.clone() };
        assert!(all.contains(series.as_str()), "the server has no {name}");
    }

    let scrape = http::get(port(&server), "/metrics").await.text().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metrics.txt");
    std::fs::write(&file, scrape).unwrap();
    promtool(&["check", "metrics"], std::fs::File::open(file).unwrap().into());
}
