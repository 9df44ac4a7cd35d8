//! The documents of one file, JSON or YAML. They are split while they are parsed, so that a list costs as much as one of its
//! items.
//!
//! The memory of a document is bounded, whatever it contains: a million small values, aliases, or nesting.

mod json;
mod parsing;
mod tree;
mod whole;
mod yaml;

use serde_json::{Map, Value};

use self::json::each_json;
use self::yaml::each_yaml;
use super::object::Object;
use super::room::Room;

/// One document.
pub(super) enum Document {
    /// A list of objects, or an array of them.
    List(List),
    /// A map, most often one object.
    Map(Value),
    /// An empty document, as before the first `---`.
    Nothing,
    /// A scalar.
    Scalar,
}

/// A list of objects.
#[derive(Default)]
pub(super) struct List {
    /// Its fields without the items; none for an array.
    pub(super) fields: Map<String, Value>,
    /// Its items that are objects.
    pub(super) items: Vec<Object>,
    /// What is wrong with the first item that is not an object.
    pub(super) wrong: Option<String>,
}

/// Passes each document of a text to `take`. Documents before an error stay.
///
/// # Errors
/// Names the line that cannot be read, and why.
pub(super) fn each(
    extension: &str,
    text: &[u8],
    room: &mut Room,
    mut take: impl FnMut(Document, &mut Room),
) -> Result<(), String> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let line = line_of(text, error.valid_up_to());
        format!("line {line}: not UTF-8; write the file again as UTF-8 text")
    })?;
    let text = text.trim_start_matches('\u{feff}');
    if extension == "json" || text.trim_ascii_start().starts_with(['{', '[']) {
        let tried = each_json(text, room, &mut take);
        // A YAML flow collection begins like JSON; only a parser can tell them apart.
        if extension == "json" || tried.is_ok() {
            return tried;
        }
    }
    each_yaml(text, room, take)
}

fn line_of(text: &[u8], offset: usize) -> usize {
    text[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::tree::DEPTH;
    use super::yaml::yaml_documents;
    use super::*;

    fn read(extension: &str, text: &str) -> (Vec<Document>, Result<(), String>) {
        let mut documents = Vec::new();
        let result = each(extension, text.as_bytes(), &mut Room::new(usize::MAX), |document, _| documents.push(document));
        (documents, result)
    }

    fn refused(extension: &str, text: &str, why: &str) {
        let (documents, result) = read(extension, text);
        let error = result.expect_err("refused");
        assert!(error.contains(why), "{error}");
        assert!(documents.is_empty());
    }

    #[test]
    fn documents_are_cut_where_kubernetes_cuts_them() {
        let texts = |text| yaml_documents(text).map(|(line, text)| (line, text.to_owned())).collect::<Vec<_>>();
        assert_eq!(texts("a: 1\n"), [(0, "a: 1\n".to_owned())]);
        assert_eq!(
            texts("---\na: 1\n---\nb: |\n  ---\n  ----\n--- # c\nc: 1"),
            [(0, "---\na: 1\n".to_owned()), (2, "---\nb: |\n  ---\n  ----\n".to_owned()), (6, "--- # c\nc: 1".to_owned()),]
        );
        let (documents, result) = read("yaml", "---\n---\na: 1\n---\nb: [\n---\nc: 1\n");
        assert!(matches!(documents[..], [Document::Nothing, Document::Map(_)]), "{}", documents.len());
        assert!(result.unwrap_err().starts_with("line 5: not YAML: "), "the line of the file, not of the document");
    }

    #[test]
    fn json_is_read_whatever_the_file_is_called_and_yaml_that_begins_like_it_too() {
        for (extension, text) in [
            ("json", "{\"a\": 1}"),
            ("yaml", "{\"a\": 1}"),
            ("yaml", "{a: 1}"),
            ("yml", "\n {\"a\": 1}\n"),
            ("json", "\u{feff}{\"a\": 1} {\"a\": 1}"),
        ] {
            let (documents, result) = read(extension, text);
            assert_eq!(result, Ok(()), "{text}");
            assert!(documents.iter().all(|document| matches!(document, Document::Map(value) if value["a"] == 1)), "{text}");
        }
    }

    #[test]
    fn many_documents_take_time_linear_in_their_number() {
        for (extension, document) in [("json", "{\"a\":1}\n"), ("yaml", "---\na: 1\n")] {
            let text = document.repeat(100_000);
            let (documents, result) = read(extension, &text);
            assert_eq!((documents.len(), result), (100_000, Ok(())), "in a blink, and not in minutes");
            let (_, result) = read(extension, &format!("{text}{{"));
            let error = result.unwrap_err();
            let line = 100_000 * document.lines().count() + 1;
            assert!(error.starts_with(&format!("line {line}: ")), "{error}");
        }
    }

    #[test]
    fn aliases_are_few_and_cost_what_they_stand_for() {
        let (documents, _) = read("yaml", "a: &a {b: c}\nd: *a\ne: {<<: *a}\n");
        assert!(matches!(&documents[..], [Document::Map(value)] if value["d"]["b"] == "c" && value["e"]["b"] == "c"));
        let big = "x".repeat(100_000);
        refused("yaml", &format!("a: &a {big}\nb: [{}]\n", vec!["*a"; 50_000].join(",")), "line 2: not YAML: ");
        refused(
            "yaml",
            &format!("- &a {big}{big}{big}{big}{big}{big}{big}{big}\n- [{}]\n", vec!["*a"; 90].join(",")),
            "takes more than 64 MiB",
        );
        let mut nested = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..10 {
            let last = n - 1;
            nested.push_str(&format!("a{n}: &a{n} [{}]\n", vec![format!("*a{last}"); 9].join(",")));
        }
        refused("yaml", &nested, "not YAML: ");
        let merged = (0..200).map(|n| format!("k{n}: {{<<: *a}}\n")).collect::<String>();
        refused("yaml", &format!("a: &a {{b: c}}\n{merged}"), "not YAML: ");
    }

    #[test]
    fn many_small_values_and_deep_ones_are_refused() {
        for text in [format!("{{\"a\":[{}0]}}", "0,".repeat(1 << 20)), format!("{{\"a\":[{}{{}}]}}", "{},".repeat(1 << 20))] {
            refused("json", &text, "one object in it takes more than 64 MiB of memory");
        }
        refused("yaml", &format!("a:\n{}", "- x\n".repeat(600_000)), "one object in it takes more than 64 MiB of memory");
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for depth in [DEPTH + 1, 100_000] {
                let text = format!("{{\"a\":{}1{}}}", open.repeat(depth), close.repeat(depth));
                refused("json", &text, "not JSON: ");
                refused("yaml", &text, "not YAML: ");
            }
        }
        let block: String = (0..1000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        refused("yaml", &block, "not YAML: ");
        let fits = format!("{{\"a\":{}1{}}}", "[".repeat(DEPTH - 2), "]".repeat(DEPTH - 2));
        for extension in ["json", "yaml"] {
            assert_eq!(read(extension, &fits).1, Ok(()));
        }
    }

    #[test]
    fn a_list_may_be_far_larger_than_an_object() {
        let item = "{\"metadata\":{\"name\":\"a\"},\"spec\":[0,0,0,0,0,0,0,0,0,0,0,0]}";
        let text = format!("{{\"items\":[{}],\"kind\":\"PodList\"}}", vec![item; 100_000].join(","));
        let (documents, result) = read("json", &text);
        assert_eq!(result, Ok(()));
        assert!(
            matches!(&documents[..], [Document::List(list)] if list.fields["kind"] == "PodList" && list.items.len() == 100_000)
        );
    }

    #[test]
    fn what_is_kept_of_all_files_has_a_bound_and_a_failed_file_takes_nothing() {
        let object =
            |name: &str, bytes: usize| format!("{{\"metadata\":{{\"name\":\"{name}\"}},\"spec\":\"{}\"}}", "x".repeat(bytes));
        let list = |count: usize| format!("{{\"items\":[{}]}}", vec![object("a", 1000); count].join(","));
        let mut room = Room::of(10_000, 100);
        let mut read = |text: &str| each("json", text.as_bytes(), &mut room, |_, _| {});
        assert!(read(&list(10)).unwrap_err().contains("a snapshot holds 256 MiB of objects at most, and this file has more"));
        assert_eq!(read(&list(5)), Ok(()));
        assert!(read(&list(5)).is_err());
        assert_eq!(read(&list(1)), Ok(()));
    }

    #[test]
    fn a_broken_document_is_told_by_its_place_and_nothing_of_it() {
        for (extension, text) in [
            ("json", "{\"token\": \"SECRET\", \"a\": }"),
            ("json", "{\"token\": SECRET}"),
            ("json", "{\"token\": \"SECRET"),
            ("json", "{\"SECRET\" 1}"),
            ("json", "{\"a\": \"\\uSECRET\"}"),
            ("json", "SECRET"),
            ("json", "{\"items\": \"SECRET\"} SECRET"),
            ("json", "{\"a\": 1e999, \"b\": \"SECRET\"}"),
            ("yaml", "token: SECRET\n\tbad: x"),
            ("yaml", "token: \"SECRET\n"),
            ("yaml", "token: SECRET\nb: *SECRET\n"),
            ("yaml", "a: &SECRET [*SECRET]\n"),
            ("yaml", "? [SECRET]\n: SECRET: SECRET: x\n"),
            ("yaml", "token: !!int SECRET\n"),
            ("yaml", "token: !!SECRET x\n"),
            ("yaml", "token: !!binary SECRET!\n"),
            ("yaml", "SECRET: a\nSECRET: b\n"),
            ("yaml", "users:\n- name: me\n  token: SECRET\n  bad: [\n"),
            ("yaml", "%SECRET\n---\na: 1\n"),
            ("yaml", "a: {b: SECRET\nc: SECRET]"),
            ("yaml", "\u{0}SECRET"),
            ("yaml", "a: @SECRET\n"),
            ("yaml", "<<: SECRET\n"),
        ] {
            let (_, result) = read(extension, text);
            let Err(error) = result else { continue };
            assert!(!error.contains("SECRET") && error.len() < 120, "{text:?}: {error}");
            assert!(error.starts_with("line "), "{text:?}: {error}");
        }
        let told = |extension: &str, text: &str| read(extension, text).1.unwrap_err();
        assert_eq!(told("json", "{\n\"a\": }"), "line 2: not JSON: column 6 is the first that cannot be read");
        assert_eq!(told("json", "{\"a\": 1}\n{\"a\":"), "line 2: not JSON: it ends before it is complete");
        assert_eq!(told("yaml", "a: 1\na: 2\n"), "line 2: not YAML: a key stands twice in one map");
        for number in ["5", "true", "1.5", "-5"] {
            let (documents, result) = read("json", &format!("{{\"items\": {number}}}"));
            assert!(matches!(&documents[..], [Document::Map(_)]) && result == Ok(()), "{number}");
        }
    }
}
