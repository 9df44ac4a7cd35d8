//! What an API server answers.

use http::StatusCode;
use sandbar_kubernetes::{Error, LogSource, Query, Resource, Scope};
use sandbar_policy::Limits;
use serde_json::Value;

use crate::api::{Api, NAMESPACE};
use crate::{head_and_body, is_clean};

/// Bytes of an error's words: a few values, each shortened.
const WORDS: usize = 8 * 1024;

/// What a first line says: a number, and a text after a space.
pub(super) fn told(head: &[u8]) -> (usize, String) {
    let head = String::from_utf8_lossy(head);
    let (number, text) = head.split_once(' ').unwrap_or((&head, ""));
    (number.parse::<u16>().unwrap_or(61).into(), text.to_owned())
}

pub(super) fn answering(chunk: usize, path: &'static str, status: StatusCode, body: &[u8]) -> Api {
    let body = body.to_vec();
    Api::new(chunk, move |asked| asked.starts_with(path).then(|| (status, body.clone())))
}

pub(super) fn pods() -> Resource {
    Resource { group: String::new(), version: "v1".to_owned(), plural: "pods".to_owned() }
}

/// What is kept, as JSON. It is copied and not read, so half a surrogate pair in it is there still: the one thing that serde_json finds
/// fault with once brackets, strings and numbers are right.
pub(super) fn parsed(kept: &str, body: &[u8]) -> Option<Value> {
    let parsed = serde_json::from_str(kept);
    assert!(parsed.is_ok() || serde_json::from_slice::<Value>(body).is_err(), "{parsed:?} of {kept}");
    parsed.ok()
}

pub(super) fn check_words(error: &Error) {
    assert!(!error.message.is_empty() && error.message.len() <= WORDS, "{} bytes", error.message.len());
    assert!(is_clean(&error.message), "{:?}", error.message);
}

/// The first line is a chunk's size and a field path, the rest a body. What is kept is what a plain reading of the JSON keeps.
pub(super) fn object(bytes: &[u8]) {
    let (head, body) = head_and_body(bytes);
    let (chunk, path) = told(head);
    let api = answering(chunk, "/api/v1/namespaces/team-a/pods/web", StatusCode::OK, body);
    let within = Scope::Namespace(NAMESPACE.to_owned());
    let fields = (!path.is_empty()).then(|| vec![path.clone()]);
    match api.read(Limits::default(), async |reader| reader.get_object(&pods(), &within, "web", fields.as_deref()).await) {
        Err(error) => check_words(&error),
        Ok(kept) => {
            let Some(kept) = parsed(&kept, body) else { return };
            assert!(kept["metadata"].get("managedFields").is_none(), "{kept}");
            // A key that comes twice is the author's riddle: parsers differ in what they make of it.
            let plain = path.split('.').all(|key| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric()));
            if let Ok(Unambiguous(whole)) = serde_json::from_slice(body) {
                if path.is_empty() {
                    let mut whole = whole;
                    if let Some(Value::Object(metadata)) = whole.get_mut("metadata") {
                        metadata.shift_remove("managedFields");
                    }
                    assert_eq!(kept, whole);
                } else if plain {
                    let keys: Vec<&str> = path.split('.').collect();
                    assert_eq!(kept, keep(&whole, &keys).unwrap_or_else(|| Value::Object(Default::default())));
                }
            }
        }
    }
}

/// What a path keeps of a value, said once more and as plainly as can be.
pub(super) fn keep(value: &Value, path: &[&str]) -> Option<Value> {
    let Some((key, rest)) = path.split_first() else { return Some(value.clone()) };
    match value {
        Value::Object(object) => {
            let kept = object.get(*key).and_then(|value| keep(value, rest)).map(|value| ((*key).to_owned(), value));
            Some(Value::Object(kept.into_iter().collect()))
        }
        Value::Array(items) => Some(Value::Array(items.iter().filter_map(|item| keep(item, path)).collect())),
        _ => None,
    }
}

/// JSON without a key that comes twice in one object.
pub(super) struct Unambiguous(pub(super) Value);

impl<'de> serde::Deserialize<'de> for Unambiguous {
    fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Value;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
                let mut object = serde_json::Map::new();
                while let Some((key, Unambiguous(value))) = entries.next_entry::<String, _>()? {
                    if object.insert(key, value).is_some() {
                        return Err(serde::de::Error::custom("a key comes twice"));
                    }
                }
                Ok(Value::Object(object))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
                let mut array = Vec::new();
                while let Some(Unambiguous(value)) = items.next_element()? {
                    array.push(value);
                }
                Ok(Value::Array(array))
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
                Ok(value.into())
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(value.into())
            }
        }
        json.deserialize_any(Visitor).map(Unambiguous)
    }
}

pub(super) fn object_seeds() -> Vec<Vec<u8>> {
    [
        "3 \n{\"metadata\":{\"name\":\"web\",\"managedFields\":[{\"a\":1}],\"labels\":{\"a\":\"b\"}},\"status\":{\"phase\":\"Running\"}}",
        "7 status.conditions.type\n{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"},{\"type\":\"X\"},[],7,null],\"phase\":\"P\"}}",
        "1 metadata.annotations[\"example.com/owner\"]\n{\"metadata\":{\"annotations\":{\"example.com/owner\":\"\\u00e4\\\"\\\\\",\"b\":\"c\"},\"name\":\"web\"}}",
        "900 spec\n {\"spec\":{\"n\":1e5,\"m\":-0.5,\"x\":[[{}]],\"t\":\"\\ud83d\\ude00\"}, \"metadata\" : null }\n ",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The first line is a chunk's size and a label selector, the rest a list. A page is JSON, no longer than it may be, and the same
/// however the body was cut.
pub(super) fn list(bytes: &[u8]) {
    let (head, body) = head_and_body(bytes);
    let (chunk, selector) = told(head);
    let query = Query {
        of: pods(),
        within: Scope::EveryNamespace,
        label_selector: Some(selector).filter(|selector| !selector.is_empty()),
        field_selector: None,
        fields: None,
        limit: Some(3),
        continue_: None,
    };
    let page = |chunk| {
        let api = answering(chunk, "/api/v1/namespaces/team-a/pods", StatusCode::OK, body);
        api.read(Limits::default(), async |reader| reader.list_objects(&query).await)
    };
    let found = page(chunk);
    match &found {
        Err(error) => check_words(error),
        Ok(page) => {
            let Some(items) = parsed(&page.items, body) else { return };
            let items = items.as_array().expect("one JSON array");
            assert!(items.len() <= 3 && items.iter().all(Value::is_object), "{items:?}");
            assert!(items.iter().all(|item| item["metadata"].get("managedFields").is_none()), "{items:?}");
            assert!(page.warnings.iter().all(|warning| is_clean(warning)), "{:?}", page.warnings);
        }
    }
    assert_eq!(page(body.len()).is_ok(), found.is_ok(), "it depends on the chunks");
    if let (Ok(found), Ok(again)) = (found, page(body.len())) {
        assert_eq!(found, again, "it depends on the chunks");
    }
}

pub(super) fn list_seeds() -> Vec<Vec<u8>> {
    [
        "5 \n{\"kind\":\"PodList\",\"items\":[{\"metadata\":{\"name\":\"a\",\"namespace\":\"team-a\",\"managedFields\":[]}},{\"metadata\":{\"name\":\"b\"},\"x\":\"]}\\\"\"}],\"metadata\":{\"continue\":\"t\",\"remainingItemCount\":7}}",
        "2 app=a\n{\"metadata\":{\"resourceVersion\":\"1\"},\"items\":[{\"metadata\":{\"name\":\"a\",\"labels\":{\"app\":\"a\"}}},{\"metadata\":{\"name\":\"b\",\"labels\":{\"app\":\"b\"}}},{\"metadata\":{\"name\":\"c\"}},{\"metadata\":{\"name\":\"d\",\"labels\":null}}]}",
        "1 a in (b,c),!d,e notin (f)\n{\"items\":null}",
        "61 \n {\"a\":{\"items\":[1]},\"b\":\"items\", \"items\" : [ ] , \"metadata\":{}}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The first line is a chunk's size and a pattern, the rest a log. An excerpt is clean, within the cap, whole lines of the log, and
/// the same however the body was cut.
pub(super) fn log(bytes: &[u8]) {
    const CAP: u64 = 64;
    let (head, body) = head_and_body(bytes);
    let (chunk, pattern) = told(head);
    let source = LogSource {
        namespace: NAMESPACE.to_owned(),
        pod: "web".to_owned(),
        matching: Some(pattern).filter(|pattern| !pattern.is_empty()),
        ..LogSource::default()
    };
    let excerpt = |chunk| {
        let api = answering(chunk, "/api/v1/namespaces/team-a/pods/web/log", StatusCode::OK, body);
        api.read(Limits { logs: CAP, ..Limits::default() }, async |reader| reader.tail(&source).await)
    };
    match (excerpt(chunk), excerpt(body.len())) {
        (Ok(found), Ok(again)) => {
            assert!(found.text.len() as u64 <= CAP, "{} bytes", found.text.len());
            assert!(is_clean(&found.text), "{:?}", found.text);
            assert!(found.warnings.iter().all(|warning| is_clean(warning)), "{:?}", found.warnings);
            assert_eq!((found.text, found.truncated), (again.text, again.truncated), "it depends on the chunks");
        }
        (Err(error), Err(_)) => check_words(&error),
        (found, again) => panic!("it depends on the chunks: {found:?}, {again:?}"),
    }
}

pub(super) fn log_seeds() -> Vec<Vec<u8>> {
    let long = format!("9 \n{}\n", "0123456789".repeat(20));
    [
        "4 \none line\nand another\n".as_bytes(),
        "7 err(or)?\nan error\nfine\nERROR: \x1b[31mno\x1b[0m\nerr".as_bytes(),
        b"3 \n\xff\xfe half \xe2\x82 of a character\n\xf0\x9f\x9a\x80 \xe2\x80\xae\r\n\0",
        long.as_bytes(),
    ]
    .map(<[u8]>::to_vec)
    .to_vec()
}

/// The first line is a status code, the rest what a server says with it. Its words reach a model: they are clean and short.
pub(super) fn status(bytes: &[u8]) {
    let (head, body) = head_and_body(bytes);
    let code = told(head).0 as u16;
    // 429 and 503 may ask to wait, which this would.
    let status = StatusCode::from_u16(code).ok().filter(|_| (400..=599).contains(&code) && ![429, 503].contains(&code));
    let api = answering(61, "/api/v1/namespaces/team-a/pods", status.unwrap_or(StatusCode::FORBIDDEN), body);
    let within = Scope::Namespace(NAMESPACE.to_owned());
    let error = api.read(Limits::default(), async |reader| reader.get_object(&pods(), &within, "web", None).await);
    check_words(&error.expect_err("no status here is a success"));
    let query =
        Query { of: pods(), within, label_selector: None, field_selector: None, fields: None, limit: None, continue_: None };
    let error = api.read(Limits::default(), async |reader| reader.list_objects(&query).await);
    check_words(&error.expect_err("no status here is a success"));
    assert!(api.seen().len() <= 6, "{:?}", api.seen());
}

pub(super) fn status_seeds() -> Vec<Vec<u8>> {
    [
        "403\n{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"pods is forbidden: User \\u001b[31m\\\"x\\\"\",\"reason\":\"Forbidden\",\"details\":{\"kind\":\"pods\",\"name\":\"web\"},\"code\":403}",
        "404\n404 page not found\n",
        "410\n{\"kind\":\"Status\",\"metadata\":{\"continue\":\"fresh\"},\"message\":\"too old\",\"reason\":\"Expired\",\"code\":410}",
        "500\n<html>\u{202e}oops</html>",
        "404\n{\"kind\":\"Status\",\"message\":\"pods \\\"web\\\" not found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"web\",\"retryAfterSeconds\":5}}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The first line answers `/apis`, the rest every other discovery document. What is listed there leads to no path of another kind.
pub(super) fn discovery(bytes: &[u8]) {
    let (groups, resources) = head_and_body(bytes);
    let (groups, resources) = (groups.to_vec(), resources.to_vec());
    let api = Api::new(61, move |path| match path {
        "/apis" => Some((StatusCode::OK, groups.clone())),
        path if path == "/api/v1" || path.starts_with("/apis/") => Some((StatusCode::OK, resources.clone())),
        _ => None,
    });
    api.api_resources();
    let of = Resource { group: "coder.com".to_owned(), version: String::new(), plural: "things".to_owned() };
    let within = Scope::Namespace(NAMESPACE.to_owned());
    if let Err(error) = api.read(Limits::default(), async |reader| reader.get_object(&of, &within, "web", None).await) {
        check_words(&error);
    }
    for path in api.seen() {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let plain = |segment: &&str| segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b));
        assert!(segments.iter().all(plain), "{path}");
        match segments.as_slice() {
            ["apis"] | ["api", _] | ["apis", _, _] => {}
            ["apis", "coder.com", _, "namespaces", NAMESPACE, "things", "web"] => {}
            _ => panic!("{path}"),
        }
    }
}

pub(super) fn discovery_seeds() -> Vec<Vec<u8>> {
    [
        "{\"kind\":\"APIGroupList\",\"groups\":[{\"name\":\"coder.com\",\"versions\":[{\"groupVersion\":\"coder.com/v1\",\"version\":\"v1\"},{\"version\":\"v2\"}],\"preferredVersion\":{\"version\":\"v2\"}}]}\n{\"resources\":[{\"name\":\"things\",\"namespaced\":true,\"verbs\":[\"get\"]},{\"name\":\"things/status\",\"namespaced\":true,\"verbs\":[\"get\"]}]}",
        "{\"groups\":[{\"name\":\"a/../b\",\"versions\":[{\"version\":\"..\"}]},{\"name\":\"coder.com\",\"versions\":[]}]}\n{\"resources\":[]}",
        "{\"groups\":[]}\n{\"resources\":[{\"name\":\"pods\",\"namespaced\":false,\"verbs\":[]}]}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}
