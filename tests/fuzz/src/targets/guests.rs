//! What tools make of words that others wrote: amounts, times, paths, selectors, cells. It runs natively here.

use sandbar_kubernetes::{Code, Resource, Scope};
use sandbar_policy::Limits;
use sandbar_snapshot::Selector;
use sandbar_tool::columns::cell;
use sandbar_tool::kubernetes::view::{one_line, quoted};
use sandbar_tool::kubernetes::{Quantity, Time, View, age, lenient, selectors};
use sandbar_tool::path::Path;
use serde_json::Value;

use crate::api::{Api, NAMESPACE};
use crate::head_and_body;

/// The input is an amount, a time, a path and words at once.
pub(super) fn word(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    quantity(&text);
    time(&text);
    path(&text);
    for most in [0, 1, 7, 64] {
        let mark = '…'.len_utf8();
        for (line, most) in [
            (cell(&text, most), most.max(mark)),
            (one_line(&text, most), most.max(mark)),
            (quoted(&text, most), most.max(mark) + 2),
        ] {
            assert!(line.len() <= most && !line.contains(['\n', '\r', '\t']), "{line:?} is over {most}");
        }
        assert!(lenient::shortened(text.clone().into_owned(), most).len() <= most.max(mark));
    }
}

/// An amount is written as it is read, and a whole number is itself.
fn quantity(text: &str) {
    let Some(amount) = Quantity::parse(text) else { return };
    let doubled = (amount + amount).thousandths();
    assert_eq!(doubled.signum(), amount.thousandths().signum(), "{text}");
    // What is beyond that is written as the largest number of a unit.
    if amount.thousandths().unsigned_abs() < 1 << 63 {
        assert_eq!(Quantity::parse(&amount.to_string()), Some(amount), "{text}: {amount}");
    }
    if let Ok(whole) = text.parse::<i64>() {
        assert_eq!(amount.thousandths(), i128::from(whole) * 1000, "{text}");
    }
    for (unit, times) in [("m", 1), ("k", 1_000_000), ("Ki", 1_024_000), ("M", 1_000_000_000)] {
        if let Some(Ok(whole)) = text.strip_suffix(unit).map(str::parse::<i32>) {
            assert_eq!(amount.thousandths(), i128::from(whole) * times, "{text}");
        }
    }
}

/// A time is read again as it was written, and its text is in the order of times.
fn time(text: &str) {
    if let Ok(seconds) = text.parse::<i64>() {
        let words = age::words(seconds);
        assert!(words.len() <= 24 && words.starts_with(|first: char| first.is_ascii_digit()), "{seconds}: {words}");
    }
    let Some(time) = Time::parse(text) else { return };
    let written = time.to_string();
    // By its zone it may be in the year before 0, or in 10000.
    if written.len() == "0000-01-01T00:00:00Z".len() && !written.starts_with('-') {
        let again = Time::parse(&written).unwrap_or_else(|| panic!("{text}: {written}"));
        assert_eq!(again.seconds(), time.seconds(), "{text}: {written}");
        let later = Time::from_seconds(time.seconds() + 1).to_string();
        assert!(later > written || later.len() > written.len(), "{later} after {written}");
    }
}

/// A path is read again as it was written, and the host takes it.
fn path(text: &str) {
    let Ok(path) = Path::parse(text) else { return };
    let written = path.to_string();
    // Behind some words, what people write is one key, dots and all.
    if !["labels", "annotations", "matchLabels", "nodeSelector", "data", "binaryData"].iter().any(|word| written.contains(word)) {
        assert_eq!(Path::parse(&written).as_ref(), Ok(&path), "{text}: {written}");
    }
    let api = Api::new(61, |_| None);
    let of = Resource { group: String::new(), version: "v1".to_owned(), plural: "pods".to_owned() };
    let within = Scope::Namespace(NAMESPACE.to_owned());
    let fields = [written];
    let read = api.read(Limits::default(), async |reader| reader.get_object(&of, &within, "web", Some(&fields)).await);
    // Fields are looked at before anything is asked for, which is not there.
    let code = read.map_err(|error| error.code);
    assert!(matches!(code, Err(Code::NotFound | Code::NotServed)), "{text}: {fields:?}: {code:?}");
}

pub(super) fn word_seeds() -> Vec<Vec<u8>> {
    [
        "250m",
        "1.5Gi",
        "-129e6",
        "340282366920938463463374607431768211456E",
        "0.0000000001n",
        "1e-3",
        "2026-11-22T10:00:00.5+01:00",
        "0000-01-01T00:00:00+23:59",
        "9999-12-31T23:59:60-23:59",
        "1600-02-29t00:00:00Z",
        "123456789",
        "{.spec.containers[*].image}",
        "metadata.labels.app.kubernetes.io/name",
        "metadata.annotations[\"a.b/c\"]['d\\'e'][0].f\\.g",
        "$.data.tls\\.crt",
        " a\tb\u{a0}c\n\n<none> \u{85}d\u{2028}é🚀",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The first line is labels, as JSON, and the rest a selector of a workload. As text it selects what Kubernetes says that it does, and never
/// everything.
pub(super) fn selector(bytes: &[u8]) {
    let (labels, selector) = head_and_body(bytes);
    let (Ok(labels), Ok(selector)) = (serde_json::from_slice::<Value>(labels), serde_json::from_slice::<Value>(selector)) else {
        return;
    };
    walk(View::of(&selector));
    let _ = selectors::written(View::of(&selector));
    if selectors::selects(View::of(&selector), View::of(&labels)) {
        assert!(selector.as_object().is_some_and(|wanted| !wanted.is_empty()), "nothing selects nothing: {selector}");
    }
    let Some(text) = selectors::label_selector(View::of(&selector)) else { return };
    // One that the API server refuses selects nothing.
    let Ok(read) = Selector::parse_labels(&text) else { return };
    assert!(!read.is_empty(), "{selector} selects everything: {text:?}");
    let label = |key: &str| labels.get(key).and_then(Value::as_str);
    let is_selected = read.matches(label);
    if let Some(expected) = expected(&selector, &label) {
        assert_eq!(is_selected, expected, "{selector} as {text:?} of {labels}");
    }
}

/// Whether a selector selects these labels, by the API's documentation; none where it is none that the API server would take.
fn expected<'l>(selector: &Value, label: &dyn Fn(&str) -> Option<&'l str>) -> Option<bool> {
    let mut all = true;
    for (key, value) in selector.get("matchLabels").and_then(Value::as_object).into_iter().flatten() {
        all &= label(key) == Some(value.as_str()?);
    }
    for expression in selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let value = label(expression.get("key")?.as_str()?);
        let values = expression.get("values").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let values = values.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
        let is_one = value.is_some_and(|value| values.contains(&value));
        all &= match expression.get("operator")?.as_str()? {
            "In" => is_one,
            "NotIn" => !is_one,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => return None,
        };
    }
    Some(all)
}

/// Whatever is there, something is made of it, and of a size.
fn walk(view: View<'_>) {
    for condition in view.conditions() {
        assert!(condition.r#type.len() <= 256 && condition.message.is_none_or(|message| message.len() <= 2048));
    }
    let _ = (
        view.owners(),
        view.controller(),
        view.quantity(),
        view.name(),
        view.namespace(),
        view.time("metadata.creationTimestamp"),
    );
}

pub(super) fn selector_seeds() -> Vec<Vec<u8>> {
    [
        "{\"app\":\"web\",\"tier\":\"db\"}\n{\"matchLabels\":{\"app\":\"web\"},\"matchExpressions\":[{\"key\":\"tier\",\"operator\":\"In\",\"values\":[\"db\",\"cache\"]}]}",
        "{\"app\":\"web\"}\n{\"matchExpressions\":[{\"key\":\"tier\",\"operator\":\"NotIn\",\"values\":[\"db\"]},{\"key\":\"app\",\"operator\":\"Exists\"},{\"key\":\"x\",\"operator\":\"DoesNotExist\"}]}",
        "{\"app\":\"web\"}\n{\"matchExpressions\":[{\"key\":\"\",\"operator\":\"Exists\"}]}",
        "{}\n{\"matchExpressions\":[{\"operator\":\"In\",\"key\":\"app\",\"values\":[]},{\"operator\":\"DoesNotExist\"}],\"matchLabels\":{}}",
        "{\"a\":\"\"}\n{\"matchLabels\":{\"a\":\"\",\"in\":\"x\",\"notin\":true}}",
        "{\"app\":\"web\"}\n{\"app\":\"web\",\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":7}]},\"metadata\":{\"ownerReferences\":[{\"kind\":\"A\",\"controller\":true}],\"creationTimestamp\":\"2026-11-22T10:00:00Z\"}}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
