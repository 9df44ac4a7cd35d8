//! Where components come from.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use sandbar_sandbox::Binary;
use serde::{Serialize, Serializer};
use tokio::task::{JoinError, spawn_blocking};

use super::bundled::BUNDLED;
use super::pack::tool_of;

/// Bytes of a component's file. A Python interpreter with its libraries has some 40 MiB.
const COMPONENT_BYTES: u64 = 64 * 1024 * 1024;

/// Where a component comes from. It decides what the component is granted by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Inside the binary: reviewed and released with the host, so it is granted what it asks for.
    Bundled(&'static str),
    /// A file of the operator's: granted what the configuration says.
    File(PathBuf),
}

impl Source {
    /// All components inside the binary.
    pub fn bundled() -> impl Iterator<Item = Source> {
        BUNDLED.iter().map(|(_, file, _)| Source::Bundled(file))
    }

    /// The components that a path names: the file itself, or every `.wasm` file of a directory, in the order of their names.
    pub fn files(path: &Path) -> std::io::Result<Vec<Source>> {
        sandbar_files::in_time(path, sandbar_files::LOOK_TIME, Self::files_at)
    }

    /// The same for as long as it takes.
    pub(super) fn files_at(path: &Path) -> std::io::Result<Vec<Source>> {
        if !path.metadata()?.is_dir() {
            return Ok(vec![Source::File(path.to_owned())]);
        }
        let mut files = std::fs::read_dir(path)?
            .map(|entry| entry.map(|entry| entry.path()))
            .filter(|path| path.as_ref().map_or(true, |path| path.extension().is_some_and(|extension| extension == "wasm")))
            .collect::<std::io::Result<Vec<_>>>()?;
        files.sort();
        Ok(files.into_iter().map(Source::File).collect())
    }

    /// Whether this path names it: its own, or that of the directory that it lies in.
    pub fn is_named_by(&self, named: &Path) -> bool {
        matches!(self, Source::File(path) if path == named || path.parent() == Some(named))
    }

    /// The name that stands for the component in logs and messages: the file's, without its extension.
    pub fn name(&self) -> String {
        match self {
            Source::Bundled(file) => file.trim_end_matches(".wasm").to_owned(),
            Source::File(path) => path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        }
    }

    /// The pack that a bundled component is in.
    pub fn pack(&self) -> Option<&'static str> {
        let Source::Bundled(wanted) = self else { return None };
        BUNDLED.iter().find(|(_, file, _)| file == wanted).map(|(pack, ..)| *pack)
    }

    /// The name of a bundled component's tool.
    pub fn bundled_tool(&self) -> Option<String> {
        match self {
            Source::Bundled(file) => Some(tool_of(file)),
            Source::File(_) => None,
        }
    }

    /// Its file by the one path that all its spellings have; where that cannot be looked at, as it is spelled.
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Source::Bundled(_) => None,
            Source::File(path) => Some(sandbar_files::canonical(path)),
        }
    }

    /// The component. More bytes than any component needs are an error.
    pub fn read(&self) -> std::io::Result<Binary> {
        static HASHED: LazyLock<Vec<Binary>> = LazyLock::new(|| BUNDLED.iter().map(|(.., bytes)| Binary::new(*bytes)).collect());
        match self {
            Source::Bundled(wanted) => {
                let found = BUNDLED.iter().zip(&*HASHED).find(|((_, name, _), _)| name == wanted);
                found.map(|(_, binary)| binary.clone()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
            }
            Source::File(path) => {
                sandbar_files::in_time(path, sandbar_files::READ_TIME, |path| sandbar_files::read(path, COMPONENT_BYTES))
                    .map(Binary::new)
            }
        }
    }

    /// Reads on a thread of its own, since that takes as long as a network volume wants. The outer error says that the thread panicked.
    pub(super) async fn read_on_thread(self) -> Result<std::io::Result<Binary>, JoinError> {
        spawn_blocking(move || self.read()).await
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Bundled(_) => write!(f, "{} (bundled)", self.name()),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Source::Bundled(_) => serializer.serialize_str("bundled"),
            Source::File(path) => serializer.serialize_str(&path.display().to_string()),
        }
    }
}
