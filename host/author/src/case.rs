//! Cases: what a tool has to answer, in YAML beside it.

use std::path::{Path, PathBuf};

use sandbar_text::clean_line;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::bound::{Bound, Used};
use super::differs;

/// Bytes of a file of cases.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Bytes of the name of a case.
const NAME_BYTES: usize = 256;

/// What the name of a file of cases ends with.
const ENDINGS: [&str; 2] = [".test.yaml", ".test.yml"];

/// The host's mark on data of others, in a structured answer. A case need not expect it.
const NOTICE: &str = "_untrusted";

/// A file of cases.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseFile {
    /// The component or the script; none: that of the sandbar.yaml beside it. A relative path starts at the file's own folder.
    #[serde(default)]
    pub component: Option<PathBuf>,
    /// The cluster that is read: `demo`, or a folder of objects; a relative one starts at the file's own folder. None: the demo.
    #[serde(default)]
    pub cluster: Option<String>,
    /// Options, for all cases that do not say others.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// What is called, one after the other.
    pub cases: Vec<Case>,
}

/// One call, and what has to come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Case {
    /// What it shows, on one line: what is printed of a case begins with it.
    #[serde(deserialize_with = "name")]
    pub name: String,
    /// The tool.
    pub call: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
    /// Options, each in the place of that of the file.
    #[serde(default)]
    pub settings: Map<String, Value>,
    /// The namespaces that the tool may look into; none: those of sandbar.yaml, or all.
    #[serde(default)]
    pub namespaces: Option<Vec<String>>,
    /// What is answered.
    #[serde(default)]
    pub expect: Expected,
    /// What the call may use: `requests <= 5`, `bytes <= 2000`, `read <= 100000`, `cpu <= 50ms`.
    #[serde(default)]
    pub budget: Vec<Bound>,
}

/// What is answered. Nothing of it: anything but an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expected {
    /// The structured answer, whole.
    #[serde(default)]
    pub json: Option<Value>,
    /// Words that the text has.
    #[serde(default)]
    pub text: Words,
    /// Words that the error has; with some, the call has to fail.
    #[serde(default)]
    pub error: Words,
}

/// A name on one line.
fn name<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(clean_line(String::deserialize(from)?, NAME_BYTES))
}

/// One text, or several.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Words(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Words {
    fn from(words: OneOrMany) -> Self {
        Self(match words {
            OneOrMany::One(text) => vec![text],
            OneOrMany::Many(texts) => texts,
        })
    }
}

/// What came of a call.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whether it failed.
    pub is_error: bool,
    /// All that a model reads of it as text.
    pub text: String,
    /// The structured answer.
    pub structured: Option<Value>,
    /// What it used.
    pub used: Used,
}

/// Why a file of cases cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It cannot be read.
    #[error("{path} cannot be read: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is no YAML, or not as it should be.
    #[error("{path}: {error}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Where, and what.
        error: serde_saphyr::Error,
    },
    /// There is no case in it.
    #[error("{0} has no cases: write some under `cases`, each with a `name` and a `call`")]
    Empty(PathBuf),
}

impl CaseFile {
    /// Reads a file of cases.
    pub fn read(path: &Path) -> Result<Self, CaseError> {
        let text = sandbar_files::read_to_string(path, FILE_BYTES);
        let text = text.map_err(|error| CaseError::Read { path: path.to_owned(), error })?;
        let file: Self = serde_saphyr::from_str(&text).map_err(|error| CaseError::Invalid { path: path.to_owned(), error })?;
        if file.cases.is_empty() { Err(CaseError::Empty(path.to_owned())) } else { Ok(file) }
    }

    /// The files of cases that a path means: the file itself, or those in a folder and in its `tests`, in the order of their names.
    pub fn found(path: &Path) -> Result<Vec<PathBuf>, CaseError> {
        if !path.is_dir() {
            return Ok(vec![path.to_owned()]);
        }
        let unread = |error| CaseError::Read { path: path.to_owned(), error };
        let mut files = Vec::new();
        for folder in [path.to_owned(), path.join("tests")].into_iter().filter(|folder| folder.is_dir()) {
            for entry in std::fs::read_dir(&folder).map_err(unread)? {
                let file = entry.map_err(unread)?.path();
                let name = file.file_name().unwrap_or_default().to_string_lossy();
                if ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                    files.push(file);
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

impl Case {
    /// What is wrong with the outcome, a line each. Nothing: the case passes.
    pub fn faults(&self, outcome: &Outcome) -> Vec<String> {
        let Expected { json, text, error } = &self.expect;
        let mut faults = Vec::new();
        match (outcome.is_error, error.0.is_empty()) {
            (true, true) => faults.push(format!("it failed: {}", outcome.text)),
            (false, false) => faults.push(format!("it was to fail, and answered: {}", outcome.text)),
            _ => {}
        }
        if faults.is_empty() {
            let lacking = text.0.iter().chain(&error.0).filter(|words| !outcome.text.contains(words.as_str()));
            faults.extend(lacking.map(|words| format!("the answer has no {words:?}: {}", outcome.text)));
            match (json, &outcome.structured) {
                (Some(expected), Some(is)) => faults.extend(differs::faults(expected, &unmarked(expected, is))),
                (Some(_), None) => faults.push(format!("there is no structured answer: {}", outcome.text)),
                (None, _) => {}
            }
        }
        faults.extend(self.budget.iter().filter_map(|bound| bound.fault(&outcome.used)));
        faults
    }
}

/// A structured answer without the host's mark, unless that is expected.
fn unmarked(expected: &Value, is: &Value) -> Value {
    let mut is = is.clone();
    if let Some(is) = is.as_object_mut().filter(|_| expected.get(NOTICE).is_none()) {
        is.remove(NOTICE);
    }
    is
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(text: &str) -> Result<CaseFile, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.test.yaml");
        std::fs::write(&path, text).expect("written");
        CaseFile::read(&path).map_err(|error| error.to_string())
    }

    fn case(more: &str) -> Case {
        let text = format!("cases:\n  - {{ name: a, call: b, {more} }}\n");
        file(&text).unwrap_or_else(|error| panic!("{error}")).cases.remove(0)
    }

    fn answered(structured: Value) -> Outcome {
        Outcome { text: structured.to_string(), structured: Some(structured), ..Outcome::default() }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        for (text, said) in [
            ("cases: []", "has no cases"),
            ("casess: []", "casess"),
            ("cases:\n  - { name: a }", "call"),
            ("cases:\n  - { name: a, call: b, budget: [requests < 5] }", "is no bound"),
            ("a: [", "a.test.yaml"),
        ] {
            let words = file(text).expect_err(text);
            assert!(words.contains(said), "{text}: {words}");
        }
        assert!(CaseFile::read(Path::new("/nowhere.yaml")).is_err_and(|error| error.to_string().contains("/nowhere.yaml")));
    }

    #[test]
    fn no_name_in_a_file_of_cases_makes_a_line_of_its_own() {
        let named = file("cases:\n  - { name: \"a\\nok    b\\e[2K\", call: c }\n").expect("valid");
        assert_eq!(named.cases[0].name, "a ok    b");
        let words = file("cases: [{ name: a, call: b }]\n\"x\\nok    y\": 1\n").expect_err("an unknown key");
        assert!(words.contains("ok    y") && !words.contains("\nok"), "{words}");
    }

    #[test]
    fn files_of_cases_are_found_by_their_names() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("tests")).expect("made");
        for name in ["b.test.yaml", "a.test.yml", "sandbar.yaml", "tests/c.test.yaml"] {
            std::fs::write(folder.path().join(name), "").expect("written");
        }
        let found = CaseFile::found(folder.path()).expect("read");
        let names: Vec<_> =
            found.iter().map(|file| file.strip_prefix(folder.path()).expect("inside").display().to_string()).collect();
        assert_eq!(names, ["a.test.yml", "b.test.yaml", "tests/c.test.yaml"]);
        let file = folder.path().join("sandbar.yaml");
        assert_eq!(CaseFile::found(&file).expect("named"), [file]);
    }

    #[test]
    fn a_case_passes_where_all_is_as_expected() {
        let answer = answered(json!({ "items": [1], "_untrusted": "data" }));
        let faults = |more: &str| case(more).faults(&answer);
        for fits in [
            "",
            "expect: { json: { items: [1] } }",
            "expect: { text: items }",
            "expect: { text: [items, '1'] }",
            "budget: [requests <= 0]",
        ] {
            assert_eq!(faults(fits), Vec::<String>::new(), "{fits}");
        }
        for (more, said) in [
            ("expect: { json: { items: [] } }", "$.items[0]: nothing was expected, and it is 1"),
            ("expect: { json: { items: [1], _untrusted: other } }", "$._untrusted"),
            ("expect: { text: pods }", "the answer has no \"pods\""),
            ("expect: { error: denied }", "it was to fail, and answered"),
        ] {
            assert!(faults(more).concat().contains(said), "{more}: {:?}", faults(more));
        }
    }

    #[test]
    fn a_failure_is_one_unless_it_is_expected() {
        let failed = Outcome { is_error: true, text: "there is no namespace x".to_owned(), ..Outcome::default() };
        assert_eq!(case("").faults(&failed), ["it failed: there is no namespace x"]);
        assert_eq!(case("expect: { error: no namespace }").faults(&failed), Vec::<String>::new());
        assert!(case("expect: { error: denied }").faults(&failed)[0].contains("has no \"denied\""));
        assert!(case("expect: { json: {}, error: no namespace }").faults(&failed)[0].contains("no structured answer"));
    }
}
