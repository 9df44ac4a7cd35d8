//! Folders to begin from. They are inside the binary, so that neither a network nor a checkout is needed.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use include_dir::{Dir, include_dir};

use super::project::Language;

static SCRIPT: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-tools/script/template");
static RUST: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-tools/sdk/template");
static PYTHON: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-tools/sdk-python/template");
static JAVASCRIPT: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-tools/sdk-js/template-js");
static TYPESCRIPT: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-tools/sdk-js/template-ts");

static GO: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-tools/sdk-go/template");

/// The package for tools in Go, which is a folder of each of them: it is in no registry.
static GO_PACKAGE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../guest-tools/sdk-go/sandbar");

/// How the package's own tests end, which are none of a tool.
const GO_TEST: &str = "_test.go";

const LICENSE: &str = include_str!("../../../LICENSE");

/// What a script finds, for editors.
const TYPES: &str = include_str!("../../../guest-tools/script/tool.d.ts");

/// What stands for the name, and for the name of the tool: each template is one of a tool of this name.
const NAME: &str = "my-tool";
const TOOL: &str = "my_tool";

/// The library for tools in Rust, where its Cargo.toml names it.
const SDK: &str = "sandbar-tool = \"0.1.0\"";

/// What the name of a file ends with that would mean something where it lies here.
const SET_ASIDE: &str = ".in";

/// Bytes of a name: it is one of a file, a package and a tool.
const NAME_BYTES: usize = 60;

/// The name of a tool's folder and package, in lower case, with dashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name of its tool, with underscores.
    pub fn tool(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_letter = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        let fits = text.len() <= NAME_BYTES
            && text.starts_with(|letter: char| letter.is_ascii_lowercase())
            && !text.ends_with('-')
            && !text.contains("--")
            && text.chars().all(is_letter);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is no name: at most {NAME_BYTES} small letters, digits and single dashes, a letter first, `list-restarts` for example"
            ))
        }
    }
}

/// A folder to begin from.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    language: Language,
}

/// Why a folder cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Something is there already.
    #[error("{0} is there already: choose another name, or take it away")]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("{path} cannot be written: {error}")]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Template {
    /// The one for a language.
    pub fn of(language: Language) -> Self {
        Self { language }
    }

    /// Writes it as `folder`, which must not be there yet, and names its files in order. `sdk` is the folder of the library for tools in Rust,
    /// where that is not the one of the registry.
    pub fn write(self, folder: &Path, name: &Name, sdk: Option<&Path>) -> Result<Vec<PathBuf>, TemplateError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| TemplateError::Write { path, error }
        };
        std::fs::create_dir(folder).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => TemplateError::Exists(folder.to_owned()),
            _ => TemplateError::Write { path: folder.to_owned(), error },
        })?;
        let mut files = Vec::new();
        for (path, text) in self.files() {
            let path = PathBuf::from(path.replace(NAME, &name.0));
            let (whole, text) = (folder.join(&path), filled(text, name, sdk));
            let parent = whole.parent().unwrap_or(folder);
            std::fs::create_dir_all(parent).map_err(failed(parent))?;
            std::fs::write(&whole, text).map_err(failed(&whole))?;
            files.push(path);
        }
        files.sort();
        Ok(files)
    }

    /// Its files: paths within the folder, and their texts.
    fn files(self) -> Vec<(String, &'static str)> {
        let folder = match self.language {
            Language::Script => &SCRIPT,
            Language::Rust => &RUST,
            Language::Python => &PYTHON,
            Language::JavaScript => &JAVASCRIPT,
            Language::TypeScript => &TYPESCRIPT,
            Language::Go => &GO,
        };
        let mut files = Vec::new();
        collect(folder, &mut files);
        match self.language {
            Language::Script => files.push(("tool.d.ts".to_owned(), TYPES)),
            Language::Go => {
                let mut package = vec![("LICENSE".to_owned(), LICENSE)];
                collect(&GO_PACKAGE, &mut package);
                package.retain(|(path, _)| !path.ends_with(GO_TEST));
                files.extend(package.into_iter().map(|(path, text)| (format!("sandbar/{path}"), text)));
            }
            _ => {}
        }
        files
    }
}

fn collect(folder: &Dir<'static>, files: &mut Vec<(String, &'static str)>) {
    for file in folder.files() {
        let path = file.path().to_string_lossy();
        let text = file.contents_utf8().unwrap_or_default();
        files.push((path.strip_suffix(SET_ASIDE).unwrap_or(&path).to_owned(), text));
    }
    folder.dirs().for_each(|folder| collect(folder, files));
}

fn filled(text: &str, name: &Name, sdk: Option<&Path>) -> String {
    let text = text.replace(NAME, &name.0).replace(TOOL, &name.tool());
    match sdk {
        // A path as TOML's basic string, which is JSON's but for what no path has.
        Some(sdk) => {
            let path = serde_json::Value::from(sdk.to_string_lossy());
            text.replace(SDK, &format!("sandbar-tool = {{ path = {path} }}"))
        }
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_package_and_of_a_tool() {
        assert_eq!("list-restarts".parse::<Name>().map(|name| name.tool()).as_deref(), Ok("list_restarts"));
        for bad in ["", "A", "1a", "a b", "a_b", "-a", "a-", "a--b", "../a", "é", &"a".repeat(NAME_BYTES + 1)] {
            assert!(bad.parse::<Name>().is_err_and(|words| words.contains("is no name")), "{bad:?}");
        }
    }

    #[test]
    fn a_library_that_is_at_hand_stands_in_the_manifest() {
        let folder = tempfile::tempdir().expect("a folder");
        let name: Name = "a".parse().expect("a name");
        Template::of(Language::Rust).write(&folder.path().join("a"), &name, Some(Path::new("/sdk"))).expect("written");
        let manifest = std::fs::read_to_string(folder.path().join("a/Cargo.toml")).expect("a manifest");
        assert!(manifest.contains("sandbar-tool = { path = \"/sdk\" }"), "{manifest}");
    }

    #[test]
    fn every_file_of_a_template_is_text_and_has_nothing_left_to_fill_in() {
        for language in Language::ALL {
            let folder = tempfile::tempdir().expect("a folder");
            let name: Name = "many-restarts".parse().expect("a name");
            let there = folder.path().join("many-restarts");
            let files = Template::of(language).write(&there, &name, None).expect("written");
            assert!(files.len() > 5 && files.iter().any(|file| file.ends_with("many-restarts.test.yaml")), "{files:?}");
            for file in &files {
                let text = std::fs::read_to_string(there.join(file)).expect("text");
                assert!(!text.is_empty() && !text.contains(NAME) && !text.contains(TOOL), "{}", file.display());
                assert!(!file.to_string_lossy().contains(NAME) && file.extension().is_none_or(|end| end != "in"), "{file:?}");
            }
            let again = Template::of(language).write(&there, &name, None).expect_err("it is there");
            assert!(again.to_string().contains("is there already"), "{again}");
        }
    }
}
