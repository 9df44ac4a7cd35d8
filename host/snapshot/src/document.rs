//! The documents of one file, JSON or YAML. They are split while they are parsed, so that a list costs as much as one of its
//! items.
//!
//! The memory of a document is bounded, whatever it contains: a million small values, aliases, or nesting.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::object::Object;
use super::room::Room;

/// Bytes of memory for one parsed object: eight times its limit as text.
const PARSED_BYTES: usize = 64 << 20;

/// Bytes of a value beside its text: itself, and its entry in a map.
const VALUE_BYTES: usize = 128;

/// Nesting of values. Schemas in CustomResourceDefinitions have 40; 100 would overflow a thread's stack of 2 MiB in a debug
/// build.
const DEPTH: usize = 64;

/// Aliases in one document. Tools write none; a manifest written by hand may have some.
const ALIASES: usize = 100;

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

fn each_json(text: &str, room: &mut Room, mut take: impl FnMut(Document, &mut Room)) -> Result<(), String> {
    // Split into documents first: asked after each whether more follow, the parser would count lines from the beginning.
    for document in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let document = document.map_err(|error| not_json(error.line(), &error, None))?.get();
        let read = |parsing: &mut Parsing| Whole(parsing).deserialize(&mut serde_json::Deserializer::from_str(document));
        let read = within(room, read).map_err(|(error, why)| {
            let before = document.as_ptr().addr() - text.as_ptr().addr();
            not_json(line_of(text.as_bytes(), before) + error.line() - 1, &error, why)
        });
        take(read?, room);
    }
    Ok(())
}

/// Why a document cannot be read. The parser's message may quote it.
fn not_json(line: usize, error: &serde_json::Error, why: Option<String>) -> String {
    let why = why.unwrap_or_else(|| match error.classify() {
        Category::Eof => "it ends before it is complete".to_owned(),
        Category::Syntax | Category::Data | Category::Io => format!("column {} is the first that cannot be read", error.column()),
    });
    format!("line {line}: not JSON: {why}")
}

fn each_yaml(text: &str, room: &mut Room, mut take: impl FnMut(Document, &mut Room)) -> Result<(), String> {
    for (first_line, document) in yaml_documents(text) {
        let read = |parsing: &mut Parsing| {
            serde_saphyr::with_deserializer_from_str_with_options(document, yaml_options(), |parser| {
                Whole(parsing).deserialize(parser)
            })
        };
        let read = within(room, read).map_err(|(error, why)| {
            let (line, column) = error.location().map_or((0, 0), |at| (at.line() as usize, at.column()));
            let why = why.unwrap_or_else(|| match error.without_snippet() {
                serde_saphyr::Error::AliasReplayLimitExceeded { .. }
                | serde_saphyr::Error::AliasExpansionLimitExceeded { .. }
                | serde_saphyr::Error::AliasReplayStackDepthExceeded { .. } => {
                    "its aliases stand for too much; write out what they stand for".to_owned()
                }
                serde_saphyr::Error::Budget { .. } => {
                    format!("it has more than {ALIASES} anchors or aliases, or more than {DEPTH} values inside of each other")
                }
                serde_saphyr::Error::DuplicateMappingKey { .. } => "a key stands twice in one map".to_owned(),
                _ => format!("column {column} is the first that cannot be read"),
            });
            format!("line {}: not YAML: {why}", first_line + line)
        });
        take(read?, room);
    }
    Ok(())
}

/// The memory of a document that is being parsed.
struct Parsing {
    room: Room,
    /// Bytes left for the current object.
    left: usize,
    /// Why parsing was stopped, if not by the parser.
    why: Option<String>,
}

impl Parsing {
    /// Stops parsing.
    fn refuse<E: Error>(&mut self, why: String) -> E {
        self.why = Some(why);
        E::custom("")
    }

    fn spend<E: Error>(&mut self, text: usize) -> Result<(), E> {
        match self.left.checked_sub(VALUE_BYTES + text) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(self.refuse(format!("one object in it takes more than {} MiB of memory", PARSED_BYTES >> 20))),
        }
    }
}

/// Gives back the memory of a document that could not be read.
fn within<T, E>(room: &mut Room, read: impl FnOnce(&mut Parsing) -> Result<T, E>) -> Result<T, (E, Option<String>)> {
    let mut parsing = Parsing { room: *room, left: PARSED_BYTES, why: None };
    match read(&mut parsing) {
        Ok(read) => {
            *room = parsing.room;
            Ok(read)
        }
        Err(error) => Err((error, parsing.why)),
    }
}

/// The documents between lines that begin with `---`, each with the number of lines before it. Such a line cannot be anything
/// else in YAML, and Kubernetes' own reader splits there, too.
fn yaml_documents(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let (mut line, mut start) = (0, Some(0));
    std::iter::from_fn(move || {
        let from = start?;
        let end = text[from..].match_indices("\n---").map(|(at, _)| from + at + 1).find(|&at| is_marker(&text[at..]));
        start = end;
        let document = &text[from..end.unwrap_or(text.len())];
        let before = line;
        line += document.bytes().filter(|byte| *byte == b'\n').count();
        Some((before, document))
    })
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn line_of(text: &[u8], offset: usize) -> usize {
    text[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Options for YAML as kubectl writes it. A file's length is bounded, and parsed values by [`Tree`]; the parser's own limits,
/// each named here, bound what else a document could make it do.
fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // As in YAML 1.2, `yes`, `on` and the like are text.
        strict_booleans: true,
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: ALIASES,
        },
        budget: serde_saphyr::budget! {
            max_aliases: ALIASES,
            max_anchors: ALIASES,
            max_merge_keys: ALIASES,
            max_recorded_anchor_events: 10_000,
            max_recorded_anchor_bytes: 1 << 20,
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
            simple_key_max_lookahead: 1024,
            max_inclusion_depth: 0,
            max_documents: 1,
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
            max_total_comment_bytes: usize::MAX,
            max_buffered_comment_events: 32,
        },
    }
}

/// A whole document.
struct Whole<'p>(&'p mut Parsing);

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let Self(parsing) = self;
        let (mut fields, mut items) = (Map::new(), None);
        while let Some(key) = map.next_key::<String>()? {
            parsing.spend(key.len())?;
            if key == "items" {
                match map.next_value_seed(Items(parsing))? {
                    Listed::Items(listed) => items = Some(listed),
                    Listed::Other(value) => drop(fields.insert(key, value)),
                }
            } else {
                let value = map.next_value_seed(Tree { parsing, depth: 1 })?;
                fields.insert(key, value);
            }
        }
        match items {
            Some(list) => Ok(Document::List(List { fields, ..list })),
            None => Ok(Document::Map(Value::Object(fields))),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Document, A::Error> {
        Ok(Document::List(read_items(seq, self.0)?))
    }

    fn visit_unit<E: Error>(self) -> Result<Document, E> {
        Ok(Document::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Document, E> {
        Ok(Document::Nothing)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Document, E> {
        Ok(Document::Scalar)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Document, E> {
        Ok(Document::Scalar)
    }
}

/// The value of the key `items`.
enum Listed {
    Items(List),
    Other(Value),
}

/// Parses the value of the key `items`, an array one item at a time.
struct Items<'p>(&'p mut Parsing);

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = Listed;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Listed, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = Listed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the items of a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Listed, A::Error> {
        Ok(Listed::Items(read_items(seq, self.0)?))
    }

    // A server in Go writes an empty list as `null`.
    fn visit_unit<E: Error>(self) -> Result<Listed, E> {
        Ok(Listed::Items(List::default()))
    }

    fn visit_none<E: Error>(self) -> Result<Listed, E> {
        self.visit_unit()
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Listed, A::Error> {
        Tree { parsing: self.0, depth: 1 }.visit_map(map).map(Listed::Other)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Listed, E> {
        Ok(Listed::Other(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Listed, E> {
        Ok(Listed::Other(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Listed, E> {
        Ok(Listed::Other(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Listed, E> {
        Ok(Listed::Other(value.into()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Listed, E> {
        Tree { parsing: self.0, depth: 1 }.visit_str(text).map(Listed::Other)
    }
}

fn read_items<'de, A: SeqAccess<'de>>(mut seq: A, parsing: &mut Parsing) -> Result<List, A::Error> {
    let (mut list, around) = (List::default(), parsing.left);
    loop {
        parsing.left = PARSED_BYTES;
        let Some(value) = seq.next_element_seed(Tree { parsing: &mut *parsing, depth: 1 })? else { break };
        match Object::new(value).and_then(|object| parsing.room.admit(object)) {
            Ok(object) => {
                parsing.room.take_object(&object).map_err(|why| parsing.refuse::<A::Error>(why))?;
                list.items.push(object);
            }
            Err(error) => drop(list.wrong.get_or_insert(error)),
        }
    }
    parsing.left = around;
    Ok(list)
}

/// Parses one value, within the bytes that are left.
struct Tree<'p> {
    parsing: &'p mut Parsing,
    depth: usize,
}

impl Tree<'_> {
    fn inner<E: Error>(&mut self) -> Result<Tree<'_>, E> {
        if self.depth >= DEPTH {
            return Err(self.parsing.refuse(format!("more than {DEPTH} values inside of each other")));
        }
        Ok(Tree { parsing: self.parsing, depth: self.depth + 1 })
    }

    fn scalar<E: Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        self.parsing.spend(0)?;
        Ok(value.into())
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.scalar(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.scalar(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.scalar(value)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.parsing.spend(text.len())?;
        Ok(Value::from(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        self.parsing.spend(text.len())?;
        Ok(Value::from(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        self.parsing.spend(0)?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        self.parsing.spend(0)?;
        let mut fields = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            self.parsing.spend(key.len())?;
            let value = map.next_value_seed(self.inner()?)?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
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
