//! The text of a kubeconfig, or of a credential plugin's answer, as a tree. Both hold secrets, so no parser's message is passed on: the
//! line and the column say where to look.

use serde_json::Value;
use serde_saphyr::Error;

use crate::fault::Fault;
use crate::watched::TEXT_MAX;

/// Nodes of a YAML document, aliases counted as often as they are used. A cluster, its user and its context have some 30.
const NODES_MAX: usize = 200_000;

/// How deep a document nests. A kubeconfig nests 7 levels deep; its extensions can be anything.
const DEPTH_MAX: usize = 64;

/// Reads the first document of a text, as kubectl does: YAML or JSON, in UTF-8 or, with a byte order mark, in UTF-16.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, Fault> {
    if bytes.len() > TEXT_MAX {
        return Err(Fault::new(format!("it is over {} MiB", TEXT_MAX >> 20)));
    }
    let text = decode(bytes)?;
    // What is JSON is read as JSON, which is quicker and takes tabs anywhere; what looks like it may yet be YAML, whose reader counts.
    if text.trim_start().starts_with('{')
        && values_at_most(&text) <= NODES_MAX
        && let Ok(value) = serde_json::from_str(&text)
    {
        return Ok(value);
    }
    let mut reader = text.as_bytes();
    let mut documents = serde_saphyr::read_with_options::<_, Value>(&mut reader, yaml());
    match documents.next() {
        None => Ok(Value::Null),
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) if is_over_budget(&error) => Err(Fault::new(format!(
            "it holds too much: it may have {NODES_MAX} values, counted wherever an alias stands for them, within {DEPTH_MAX} levels"
        ))),
        Some(Err(error)) => Err(match error.location() {
            Some(at) if at.line() > 0 => {
                Fault::new(format!("it cannot be read as YAML or JSON from line {}, column {} on", at.line(), at.column()))
            }
            _ => Fault::new("it cannot be read as YAML or JSON"),
        }),
    }
}

/// How many values a text of JSON has at most: each is the first of all, the first in something, or behind a comma.
fn values_at_most(json: &str) -> usize {
    1 + json.bytes().filter(|byte| matches!(byte, b'[' | b'{' | b',')).count()
}

/// YAML as kubectl reads it: of equal keys the last counts, and there may be aliases. Budgets bound what aliases cost.
fn yaml() -> serde_saphyr::Options {
    serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        // `yes` and `on` are text where text is asked for; a flag knows them, see `Entry::flag`.
        strict_booleans: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: Some(TEXT_MAX * 2),
            max_nodes: NODES_MAX,
            max_events: NODES_MAX * 2,
            max_depth: DEPTH_MAX,
            max_total_scalar_bytes: TEXT_MAX * 2,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
        },
    }
}

fn is_over_budget(error: &Error) -> bool {
    match error {
        Error::AliasError { error, .. } | Error::WithSnippet { error, .. } => is_over_budget(error),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => true,
        _ => false,
    }
}

/// Text in the encodings that YAML allows.
fn decode(bytes: &[u8]) -> Result<String, Fault> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (units, rest) = bytes.as_chunks::<2>();
        let text = String::from_utf16(&units.iter().map(|pair| unit(*pair)).collect::<Vec<_>>());
        text.ok().filter(|_| rest.is_empty()).ok_or_else(|| Fault::new("it begins as UTF-16 and goes on as something else"))
    };
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => decode(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => String::from_utf8(bytes.to_vec()).map_err(|error| {
            let line = bytes[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            Fault::new(format!("it is not UTF-8 text from line {line} on"))
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_kubectl_reads_is_read() {
        let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect()
        };
        for (bytes, value) in [
            (b"a: b".to_vec(), json!({ "a": "b" })),
            (b"\xef\xbb\xbfa: b\r\n".to_vec(), json!({ "a": "b" })),
            (utf16("a: \u{e9}\n", u16::to_le_bytes), json!({ "a": "\u{e9}" })),
            (utf16("a: b\r\n", u16::to_be_bytes), json!({ "a": "b" })),
            (b"{\n\t\"a\":\t\"b\",\n\t\"a\": \"c\"\n}".to_vec(), json!({ "a": "c" })),
            (b"{a: b, 'c': [d]}".to_vec(), json!({ "a": "b", "c": ["d"] })),
            (b"a: b\na: c\n".to_vec(), json!({ "a": "c" })),
            (b"---\na: b\n---\na: c\n".to_vec(), json!({ "a": "b" })),
            (b"---\na: b\n---\n[broken\n".to_vec(), json!({ "a": "b" })),
            (b"a: &x {c: d}\nb: *x\n".to_vec(), json!({ "a": { "c": "d" }, "b": { "c": "d" } })),
            (b"a: &x {c: d}\nb: {<<: *x, e: f}\n".to_vec(), json!({ "a": { "c": "d" }, "b": { "c": "d", "e": "f" } })),
            (b"a: yes\n".to_vec(), json!({ "a": "yes" })),
            (b"".to_vec(), Value::Null),
            (b"# nothing\n".to_vec(), Value::Null),
        ] {
            assert_eq!(parse(&bytes), Ok(value), "{}", String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn a_broken_text_is_told_by_its_place_and_nothing_of_it() {
        for text in [
            "users:\n- name: me\n  user:\n    token: SECRET\n    bad: [\n",
            "token: SECRET\n\tbad: x",
            "{\"token\": \"SECRET\", \"a\": }",
            "token: \"SECRET\n",
            "token: SECRET\nb: *SECRET\n",
            "? [SECRET]\n: SECRET: SECRET: x\n",
            "token: !!int SECRET\n",
            "\u{0}SECRET",
        ] {
            let Err(fault) = parse(text.as_bytes()) else { continue };
            assert!(!fault.to_string().contains("SECRET") && fault.to_string().len() < 100, "{text:?}: {fault}");
        }
        let fault = parse(b"a: b\nc: [\n").expect_err("broken");
        assert!(fault.to_string().contains("line "), "{fault}");
        assert!(parse(b"a: \xff\xfe\n").expect_err("Latin-1").to_string().contains("line 1"));
        assert!(parse(b"\xff\xfea").is_err(), "half a unit");
    }

    #[test]
    fn aliases_and_size_have_bounds() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let before = level - 1;
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(", "));
        }
        let too_much = |text: &[u8]| {
            let words = parse(text).expect_err("too much").to_string();
            assert!(words.contains("200000 values"), "{:?}: {words}", String::from_utf8_lossy(&text[..20]));
        };
        too_much(bomb.as_bytes());
        assert!(parse(&vec![b' '; TEXT_MAX + 1]).expect_err("too long").to_string().contains("8 MiB"));
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        assert!(parse("{\"a\":".repeat(100_000).as_bytes()).is_err());
        // Whichever way it is read, as many values are too many, and one of two bytes takes a hundred in memory.
        for (before, after) in [("{\"a\": [", "]}"), ("{a: [", "]}"), ("a: [", "]")] {
            let text = |count: usize| format!("{before}{}{after}", vec!["[]"; count].join(",")).into_bytes();
            assert!(parse(&text(1000)).is_ok(), "{before}");
            too_much(&text(NODES_MAX + 1));
        }
        // Commas in texts are no values.
        let commas = format!("{{\"a\": \"{}\"}}", ",".repeat(NODES_MAX + 1));
        assert_eq!(parse(commas.as_bytes()).expect("one value")["a"].as_str().map(str::len), Some(NODES_MAX + 1));
    }
}
