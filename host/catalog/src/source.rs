//! Where components come from.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, OnceLock};

use sandbar_registry::{Digest, Reference};
use sandbar_sandbox::Binary;
use serde::{Serialize, Serializer};

use super::bundled::{BUNDLED, ENGINE, unpacked};
use super::located::Contents;
use super::pack::tool_of;

/// Bytes of a component's file. A Python interpreter with its libraries has some 40 MiB.
pub const COMPONENT_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of a script: what a ConfigMap holds.
const SCRIPT_BYTES: u64 = 1024 * 1024;

/// What the file of a script ends with.
const SCRIPT: &str = "js";

/// Where a component comes from. It decides what the component is granted by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Inside the binary: reviewed and released with the host, so it is granted what it asks for.
    Bundled(&'static str),
    /// A file of the operator's, a component or a script: granted what the configuration says.
    File(PathBuf),
    /// What a registry has, granted what the configuration says.
    Registry(Reference),
}

impl Source {
    /// All components inside the binary.
    pub fn bundled() -> impl Iterator<Item = Source> {
        BUNDLED.iter().map(|(_, file, _)| Source::Bundled(file))
    }

    /// The components that a path names: the file itself, or every `.wasm` and `.js` file of a directory, in the order of their names.
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
            .filter(|path| {
                path.as_ref()
                    .map_or(true, |path| path.extension().is_some_and(|extension| extension == "wasm" || extension == SCRIPT))
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        files.sort();
        Ok(files.into_iter().map(Source::File).collect())
    }

    /// Whether this path names it: its own, or that of the directory that it lies in.
    pub fn is_named_by(&self, named: &Path) -> bool {
        matches!(self, Source::File(path) if path == named || path.parent() == Some(named))
    }

    /// Whether what has to be compiled for it is inside the binary: it is, or its engine.
    pub fn is_ours(&self) -> bool {
        matches!(self, Source::Bundled(_)) || self.is_script()
    }

    /// Whether it is a script, by the name of its file.
    pub(super) fn is_script(&self) -> bool {
        matches!(self, Source::File(path) if path.extension().is_some_and(|extension| extension == SCRIPT))
    }

    /// The engine of scripts.
    pub(super) fn engine() -> &'static Binary {
        static UNPACKED: LazyLock<Binary> = LazyLock::new(|| Binary::engine_of_scripts(unpacked(ENGINE)));
        &UNPACKED
    }

    /// The name that stands for the component in logs and messages: the file's, without its extension.
    pub fn name(&self) -> String {
        match self {
            Source::Bundled(file) => file.trim_end_matches(".wasm").to_owned(),
            Source::File(path) => path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
            Source::Registry(reference) => {
                let name = reference.repository.name();
                name.rsplit('/').next().unwrap_or(name).to_owned()
            }
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
            Source::File(_) | Source::Registry(_) => None,
        }
    }

    /// Its file by the one path that all its spellings have; where that cannot be looked at, as it is spelled.
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Source::Bundled(_) | Source::Registry(_) => None,
            Source::File(path) => Some(sandbar_files::canonical(path)),
        }
    }

    /// The component, of the binary or of a file. More bytes than any component needs are an error.
    pub fn read(&self) -> std::io::Result<Contents> {
        // Those of packs that are off are never unpacked.
        static UNPACKED: [OnceLock<Binary>; BUNDLED.len()] = [const { OnceLock::new() }; BUNDLED.len()];
        let of_file = |most| {
            move |path: &Path| sandbar_files::in_time(path, sandbar_files::READ_TIME, move |path| sandbar_files::read(path, most))
        };
        match self {
            Source::Bundled(wanted) => {
                let found = BUNDLED.iter().zip(&UNPACKED).find(|((_, name, _), _)| name == wanted);
                let ((.., packed), place) = found.ok_or(ErrorKind::NotFound)?;
                let binary = place.get_or_init(|| Binary::new(unpacked(packed)));
                Ok(Contents { binary: binary.clone(), digest: None })
            }
            Source::File(path) if self.is_script() => {
                let text = of_file(SCRIPT_BYTES)(path)?;
                let digest = Some(Digest::of(&text));
                let text = std::str::from_utf8(&text).map_err(|error| {
                    let words = format!("it is a script, and from byte {} on it is not UTF-8 text", error.valid_up_to());
                    std::io::Error::new(ErrorKind::InvalidData, words)
                })?;
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                Ok(Contents { binary: Binary::script(Self::engine(), &name, text), digest })
            }
            Source::File(path) => {
                let bytes = of_file(COMPONENT_BYTES)(path)?;
                let binary = Binary::new(bytes);
                let digest = Digest::from_hex(binary.digest()).map_err(std::io::Error::other)?;
                Ok(Contents { binary, digest: Some(digest) })
            }
            Source::Registry(_) => Err(std::io::Error::new(ErrorKind::Unsupported, "it is in a registry, and no file")),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Bundled(_) => write!(f, "{} (bundled)", self.name()),
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Registry(reference) => write!(f, "{reference}"),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Source::Bundled(_) => serializer.serialize_str("bundled"),
            Source::File(_) | Source::Registry(_) => serializer.collect_str(self),
        }
    }
}
