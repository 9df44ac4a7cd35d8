//! Which types of content a client takes, and which it sends.

use http::{HeaderMap, HeaderName, header};

/// What answers are by themselves.
pub(super) const JSON: &str = "application/json";

/// What answers are that come in several messages.
pub(super) const EVENTS: &str = "text/event-stream";

/// What a client takes for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Takes {
    pub(super) json: bool,
    pub(super) events: bool,
}

/// How exactly a range of types means one type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Exactness {
    Any,
    Main,
    Whole,
}

impl Takes {
    /// What the Accept headers say. Whoever says nothing takes anything.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges: Vec<&str> =
            values.flat_map(|value| split(value, ',')).map(str::trim).filter(|range| !range.is_empty()).collect();
        let takes = |kind| ranges.is_empty() || accepts(&ranges, kind);
        Self { json: takes(JSON), events: takes(EVENTS) }
    }

    pub(super) fn nothing(self) -> bool {
        !self.json && !self.events
    }
}

/// Whether headers such as Accept name this type itself, and not only a range that it is in.
pub(super) fn names(headers: &HeaderMap, header: HeaderName, kind: &str) -> bool {
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<&str> = values.flat_map(|value| split(value, ',')).map(str::trim).collect();
    let is_named = |range: &&str| split(range, ';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(kind));
    ranges.iter().any(is_named) && accepts(&ranges, kind)
}

/// Whether some of the ranges mean the type. The one that means it most exactly counts, whatever the others say.
fn accepts(ranges: &[&str], kind: &str) -> bool {
    let meant = ranges.iter().filter_map(|range| {
        let mut parts = split(range, ';').map(str::trim);
        let exactness = exactness(parts.next()?, kind)?;
        let weights = parts.filter_map(|part| part.split_once('=')).filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
        Some((exactness, !weights.map(|(_, weight)| weight.trim()).any(is_zero)))
    });
    meant.max().is_some_and(|(_, accepted)| accepted)
}

fn exactness(range: &str, kind: &str) -> Option<Exactness> {
    let main = |text: &str| text.split('/').next().map(str::to_ascii_lowercase);
    // `*` alone is of old Java clients.
    if range == "*/*" || range == "*" {
        return Some(Exactness::Any);
    }
    if range.eq_ignore_ascii_case(kind) {
        return Some(Exactness::Whole);
    }
    (range.ends_with("/*") && main(range) == main(kind)).then_some(Exactness::Main)
}

/// Whether a weight excludes what it is about. One that is none of HTTP's says nothing.
fn is_zero(weight: &str) -> bool {
    let (whole, fraction) = weight.split_once('.').unwrap_or((weight, ""));
    whole == "0" && fraction.bytes().all(|digit| digit == b'0')
}

/// The parts of a header's value, where a separator inside of quotes is none.
fn split(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |character| {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => return !quoted && character == separator,
        }
        false
    })
}

/// Why a body is not looked at, if its head says that it is no JSON. A body of which nothing is said is taken for JSON, which it has to
/// be then.
pub(super) fn not_json(headers: &HeaderMap) -> Option<&'static str> {
    let is_json = |value: &http::HeaderValue| {
        let kind = value.to_str().ok().and_then(|value| value.split(';').next());
        kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(JSON))
    };
    let is_plain = |value: &http::HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(header::CONTENT_TYPE).iter().all(is_json) {
        return Some("the body has to be JSON: send `Content-Type: application/json`");
    }
    if !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain) {
        return Some("the body has to be plain JSON: send it without a Content-Encoding");
    }
    None
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn whatever_admits_json_is_served_with_it() {
        for accept in [
            &[][..],
            &[""],
            &["*/*"],
            &["*"],
            &["application/*"],
            &["application/json"],
            &["Application/JSON"],
            &["application/json;charset=utf-8"],
            &["application/json; q=0.001"],
            &["application/json;q=abc"],
            &["application/json, text/plain, */*"],
            &["text/html", "application/json"],
            &["*/*;q=0.8"],
            &["*/*;q=0, application/json"],
            &["application/*;q=0, application/json;q=0.1, */*;q=0"],
            &["text/event-stream, application/json"],
            &["a/b;x=\"y, z\", application/json"],
            &["application/json, application/mcp+json"],
        ] {
            assert!(Takes::of(&headers(header::ACCEPT, accept)).json, "{accept:?}");
        }
    }

    #[test]
    fn what_excludes_json_is_not() {
        for accept in [
            "text/event-stream",
            "text/*",
            "text/html",
            "application/json;q=0",
            "application/json; Q = 0.000 , */*",
            "application/*;q=0, */*",
            "application/jsonx",
            "a/b;x=\"application/json, text/event-stream, \"",
            "application",
        ] {
            assert!(!Takes::of(&headers(header::ACCEPT, &[accept])).json, "{accept}");
        }
    }

    #[test]
    fn events_are_taken_or_not_in_the_same_way() {
        let events = |accept| Takes::of(&headers(header::ACCEPT, &[accept])).events;
        for accept in ["*/*", "text/*", "text/event-stream;q=0.5", "application/json, TEXT/event-stream"] {
            assert!(events(accept), "{accept}");
        }
        for accept in ["application/json", "text/event-stream;q=0, */*", "text/plain"] {
            assert!(!events(accept), "{accept}");
        }
        assert!(Takes::of(&headers(header::ACCEPT, &["text/html"])).nothing());
    }

    #[test]
    fn a_body_says_that_it_is_json_or_nothing() {
        for kind in
            [&[][..], &["application/json"], &["APPLICATION/json ; charset=UTF-8"], &["application/json", "application/json"]]
        {
            assert_eq!(not_json(&headers(header::CONTENT_TYPE, kind)), None, "{kind:?}");
        }
        for kind in [
            &["text/plain"][..],
            &[""],
            &["application/x-www-form-urlencoded"],
            &["application/json, text/plain"],
            &["application/json", "text/plain"],
        ] {
            assert!(not_json(&headers(header::CONTENT_TYPE, kind)).is_some(), "{kind:?}");
        }
        assert_eq!(not_json(&headers(header::CONTENT_ENCODING, &["Identity"])), None);
        assert!(not_json(&headers(header::CONTENT_ENCODING, &["gzip"])).is_some());
    }
}
