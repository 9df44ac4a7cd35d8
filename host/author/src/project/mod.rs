//! A tool's folder: in which language it is, and how that becomes a component.

mod go;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use serde::Deserialize;
use wit_component::ComponentEncoder;

use crate::described::{Described, version_in};

/// The target of tools in Rust: without a system, so that such a tool imports nothing but the contract.
const TARGET: &str = "wasm32-unknown-unknown";

/// The sources of tools in other languages, as their templates have them.
const PYTHON: &str = "tool.py";
const JAVASCRIPT: &str = "src/tool.js";
const TYPESCRIPT: &str = "src/tool.ts";
const GO: &str = "go.mod";

/// What their packages are built with, within the tool's folder, once its README's first commands have installed it.
const OF_PYTHON: &str = ".venv/bin/python";
const OF_JAVASCRIPT: &str = "node_modules/sandbar-tool/bin/sandbar-tool.js";

/// Bytes of a manifest of a package.
const MANIFEST_BYTES: u64 = 1024 * 1024;

/// Bytes of a module before it is a component: what the host takes at most.
const MODULE_BYTES: u64 = 64 * 1024 * 1024;

/// What a tool is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// One file of JavaScript, which nothing has to build.
    Script,
    /// A crate.
    Rust,
    /// A module, with the package of PyPI.
    Python,
    /// A module, with the package of npm.
    JavaScript,
    /// The same with types.
    TypeScript,
    /// A module, with the package in a folder of its own.
    Go,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Script, Self::Rust, Self::Python, Self::JavaScript, Self::TypeScript, Self::Go];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Rust => "rust",
            Self::Python => "python",
            Self::JavaScript => "js",
            Self::TypeScript => "ts",
            Self::Go => "go",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Language {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|language| language.name() == text).copied();
        known.ok_or_else(|| format!("{text:?} is no language here: {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// A tool's folder.
#[derive(Clone, Debug)]
pub struct Project {
    folder: PathBuf,
    language: Language,
    name: String,
}

/// Why there is no component.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The folder is none of a tool.
    #[error(
        "{0} is no folder of a tool: it has no Cargo.toml, go.mod, tool.py, src/tool.js or src/tool.ts, and no script, a file that ends with .js; \
         `sandbar new NAME` writes one"
    )]
    NoProject(PathBuf),
    /// It is not clear which script is meant.
    #[error("{folder} has several scripts, {}: name the one that is meant", names.join(", "))]
    Several {
        /// The folder.
        folder: PathBuf,
        /// Their names.
        names: Vec<String>,
    },
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Cargo.toml names no package.
    #[error("{path} names no package: {words}")]
    Package {
        /// The file.
        path: PathBuf,
        /// Why.
        words: String,
    },
    /// A tool of the language is missing.
    #[error("{program} cannot be run ({error}): {help}")]
    Missing {
        /// The program.
        program: &'static str,
        /// Why.
        error: io::Error,
        /// How it is installed.
        help: &'static str,
    },
    /// What the language's own tool installs into the folder is not there.
    #[error("{path} is not there: run `{help}` in the folder of the tool first")]
    NotInstalled {
        /// What is missing.
        path: PathBuf,
        /// What installs it.
        help: &'static str,
    },
    /// It does not compile. What is wrong was shown already.
    #[error("it does not compile: see above; this was run: {0}")]
    Failed(String),
    /// What was compiled is no module of a tool.
    #[error("{path} does not become a component: {words}")]
    Module {
        /// The module.
        path: PathBuf,
        /// Why.
        words: String,
    },
}

/// Cargo's word for each thing that it has made.
#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        filenames: Vec<PathBuf>,
    },
    #[serde(other)]
    Other,
}

/// Of a Cargo.toml, what is needed.
#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

impl Project {
    /// The tool of a folder, or of a script in it.
    pub fn at(path: &Path) -> Result<Self, BuildError> {
        if is_script(path) && path.is_file() {
            return Ok(Self::of_script(path));
        }
        let manifest = path.join("Cargo.toml");
        if manifest.is_file() {
            let unread = |error| BuildError::File { path: manifest.clone(), error };
            let text = sandbar_files::read_to_string(&manifest, MANIFEST_BYTES).map_err(unread)?;
            let no_package =
                |error: toml::de::Error| BuildError::Package { path: manifest.clone(), words: error.message().to_owned() };
            let Manifest { package } = toml::from_str(&text).map_err(no_package)?;
            return Ok(Self { folder: path.to_owned(), language: Language::Rust, name: package.name });
        }
        let of_others = [
            (PYTHON, Language::Python),
            (JAVASCRIPT, Language::JavaScript),
            (TYPESCRIPT, Language::TypeScript),
            (GO, Language::Go),
        ];
        if let Some(&(_, language)) = of_others.iter().find(|(source, _)| path.join(source).is_file()) {
            let folder = std::path::absolute(path).map_err(|error| BuildError::File { path: path.to_owned(), error })?;
            return Ok(Self { folder: path.to_owned(), language, name: name_of(&folder) });
        }
        let scripts = scripts(path).map_err(|error| BuildError::File { path: path.to_owned(), error })?;
        match &scripts[..] {
            [] => Err(BuildError::NoProject(path.to_owned())),
            [script] => Ok(Self::of_script(script)),
            several => Err(BuildError::Several {
                folder: path.to_owned(),
                names: several.iter().map(|script| name_of(script)).collect(),
            }),
        }
    }

    fn of_script(file: &Path) -> Self {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self { folder: folder.to_owned(), language: Language::Script, name: name_of(file) }
    }

    /// What is known of it without its component: its name, version, and the revision of its source.
    pub fn described(&self) -> Described {
        Described {
            name: Some(self.name.clone()),
            version: version_in(&self.folder, MANIFEST_BYTES),
            revision: self.revision(),
            ..Described::default()
        }
    }

    /// The commit that the folder is at; with `-dirty` where something in it differs. None where git does not know it.
    fn revision(&self) -> Option<String> {
        let git = |arguments: &[&str]| {
            let output = Command::new("git").current_dir(&self.folder).args(arguments).stdin(Stdio::null()).output().ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        };
        let commit = git(&["rev-parse", "HEAD"])?;
        let differs = git(&["status", "--porcelain", "--", "."]).is_none_or(|changes| !changes.is_empty());
        Some(if differs { format!("{commit}-dirty") } else { commit })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it is written in.
    pub fn language(&self) -> Language {
        self.language
    }

    /// What is served: the script, or what a build makes.
    pub fn component(&self) -> PathBuf {
        match self.language {
            Language::Script => self.folder.join(&self.name),
            _ => self.folder.join(format!("{}.wasm", self.name)),
        }
    }

    /// The files and folders that its component is made of.
    pub fn sources(&self) -> Vec<PathBuf> {
        match self.language {
            Language::Script => vec![self.component()],
            Language::Rust => ["src", "Cargo.toml", "Cargo.lock"].map(|name| self.folder.join(name)).into(),
            Language::Python => ["tool.py", "requirements.txt"].map(|name| self.folder.join(name)).into(),
            Language::JavaScript | Language::TypeScript => ["src", "package.json"].map(|name| self.folder.join(name)).into(),
            Language::Go => go::sources(&self.folder),
        }
    }

    /// Makes the component, and returns its file; `quickly` for somebody who is about to change it again. What its compiler says goes to
    /// standard error.
    pub fn build(&self, quickly: bool) -> Result<PathBuf, BuildError> {
        let file = self.component();
        match self.language {
            Language::Script => {}
            Language::Rust => {
                let component = component(&self.cargo(quickly)?)?;
                write(&file, &component)?;
            }
            Language::Python => {
                let help = "python3 -m venv .venv && .venv/bin/pip install --requirement requirements.txt";
                self.of_package(Command::new(self.installed(OF_PYTHON, help)?).args(["-m", "sandbar_tool", "build", PYTHON]))?;
            }
            Language::JavaScript => self.npm(JAVASCRIPT)?,
            Language::TypeScript => self.npm(TYPESCRIPT)?,
            Language::Go => write(&file, &go::component(&self.folder, &self.name)?)?,
        }
        Ok(file)
    }

    fn npm(&self, source: &str) -> Result<(), BuildError> {
        self.of_package(Command::new("node").arg(self.installed(OF_JAVASCRIPT, "npm install")?).args(["build", source]))
    }

    /// What has been installed into the folder.
    fn installed(&self, path: &str, help: &'static str) -> Result<PathBuf, BuildError> {
        let whole = std::path::absolute(self.folder.join(path)).unwrap_or_else(|_| self.folder.join(path));
        if whole.exists() { Ok(whole) } else { Err(BuildError::NotInstalled { path: self.folder.join(path), help }) }
    }

    /// Has a package of another language write the component.
    fn of_package(&self, build: &mut Command) -> Result<(), BuildError> {
        build.current_dir(&self.folder).arg("-o").arg(format!("{}.wasm", self.name)).stdin(Stdio::null());
        let help = "https://nodejs.org has Node.js, and https://www.python.org Python";
        let status = build.status().map_err(|error| BuildError::Missing { program: "the package's own build", error, help })?;
        if status.success() { Ok(()) } else { Err(BuildError::Failed(shown(build))) }
    }

    /// Runs cargo, and returns the module.
    fn cargo(&self, quickly: bool) -> Result<PathBuf, BuildError> {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(&self.folder).args(["build", "--lib", "--target", TARGET]);
        if !quickly {
            cargo.arg("--release");
        }
        let shown = shown(&cargo);
        cargo.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = cargo.output().map_err(|error| BuildError::Missing {
            program: "cargo",
            error,
            help: "https://rustup.rs installs it, and the tool's rust-toolchain.toml the rest",
        })?;
        if !output.status.success() {
            return Err(BuildError::Failed(shown));
        }
        let lines = output.stdout.split(|byte| *byte == b'\n');
        let mut made = lines.filter_map(|line| match serde_json::from_slice(line) {
            Ok(Message::CompilerArtifact { filenames }) => {
                filenames.into_iter().find(|file| file.extension().is_some_and(|end| end == "wasm"))
            }
            _ => None,
        });
        // The last is the package's own.
        made.next_back().ok_or_else(|| BuildError::Module {
            path: self.folder.join("Cargo.toml"),
            words: "cargo has made no .wasm file; it takes `[lib] crate-type = [\"cdylib\"]`".to_owned(),
        })
    }
}

/// A command as a person would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy().into_owned());
    words.collect::<Vec<_>>().join(" ")
}

fn read_module(file: &Path) -> Result<Vec<u8>, BuildError> {
    sandbar_files::read(file, MODULE_BYTES).map_err(|error| BuildError::File { path: file.to_owned(), error })
}

fn write(file: &Path, component: &[u8]) -> Result<(), BuildError> {
    sandbar_files::replace(file, component).map_err(|error| BuildError::File { path: file.to_owned(), error })
}

/// Makes a component of a module of Rust, by what the contract's bindings have left in it.
fn component(module: &Path) -> Result<Vec<u8>, BuildError> {
    encode(&read_module(module)?, None).map_err(|words| BuildError::Module {
        path: module.to_owned(),
        words: format!("{words}; is it a crate of type cdylib that uses `sandbar_tool::export!`?"),
    })
}

/// Makes a component of a module that says of which world it is. Where it imports a system as well, the adapter is that: a name and a module.
fn encode(module: &[u8], adapter: Option<(&str, &[u8])>) -> Result<Vec<u8>, String> {
    let encoder = ComponentEncoder::default().validate(true).module(module);
    let encoder = encoder.and_then(|encoder| match adapter {
        Some((name, adapter)) => encoder.adapter(name, adapter),
        None => Ok(encoder),
    });
    encoder.and_then(|mut encoder| encoder.encode()).map_err(|error| format!("{error:#}"))
}

fn is_script(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "js")
}

/// The scripts in a folder, in the order of their names.
fn scripts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if is_script(&path) {
            scripts.push(path);
        }
    }
    scripts.sort();
    Ok(scripts)
}

fn name_of(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).expect("written"));
        folder
    }

    #[test]
    fn a_folder_says_by_its_files_what_it_is_written_in() {
        let script = folder(&[("a.js", ""), ("tool.d.ts", "")]);
        let project = Project::at(script.path()).expect("a script");
        assert_eq!((project.language(), project.component()), (Language::Script, script.path().join("a.js")));
        assert_eq!(Project::at(&script.path().join("a.js")).expect("the script").component(), script.path().join("a.js"));

        let go = folder(&[("go.mod", "module many-restarts"), ("tool.go", ""), ("made.wasm", ""), (".made.module", "")]);
        let project = Project::at(go.path()).expect("a module");
        let sources = ["go.mod", "tool.go"].map(|name| go.path().join(name));
        assert_eq!((project.language(), project.sources()), (Language::Go, sources.into()));

        let rust = folder(&[("Cargo.toml", "[package]\nname = \"many-restarts\"\n"), ("build.js", "")]);
        let project = Project::at(rust.path()).expect("a crate");
        assert_eq!((project.language(), project.component()), (Language::Rust, rust.path().join("many-restarts.wasm")));
    }

    #[test]
    fn a_tool_whose_package_is_not_installed_says_what_installs_it() {
        for (source, said) in [("tool.py", "pip install"), ("src/tool.js", "npm install"), ("src/tool.ts", "npm install")] {
            let folder = folder(&[]);
            std::fs::create_dir(folder.path().join("src")).expect("made");
            std::fs::write(folder.path().join(source), "").expect("written");
            let words = Project::at(folder.path()).expect("a tool").build(false).expect_err("nothing is installed").to_string();
            assert!(words.contains(said), "{source}: {words}");
        }
    }

    #[test]
    fn what_is_no_tool_is_refused_with_what_is_missing() {
        for (files, said) in [
            (&[][..], "`sandbar new NAME` writes one"),
            (&[("a.js", ""), ("b.js", "")][..], "has several scripts, a.js, b.js"),
            (&[("Cargo.toml", "[workspace]")][..], "names no package"),
        ] {
            let folder = folder(files);
            let words = Project::at(folder.path()).expect_err("no tool").to_string();
            assert!(words.contains(said), "{words}");
        }
    }

    #[test]
    fn what_is_no_module_of_a_tool_is_no_component() {
        let folder = folder(&[("a.wasm", "\0asm\u{1}\0\0\0")]);
        let made = component(&folder.path().join("a.wasm"));
        // A module without anything is a component without anything, which exports no tools: the host says that.
        assert!(made.is_ok());
        std::fs::write(folder.path().join("a.wasm"), "nothing").expect("written");
        let words = component(&folder.path().join("a.wasm")).expect_err("no module").to_string();
        assert!(words.contains("does not become a component") && words.contains("cdylib"), "{words}");
    }

    #[test]
    fn languages_have_names() {
        for language in Language::ALL {
            assert_eq!(language.name().parse(), Ok(language));
        }
        assert!("cobol".parse::<Language>().is_err_and(|words| words.contains("script, rust")));
    }
}
