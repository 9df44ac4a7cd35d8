//! What a component's file says of itself without being run: in sections of its own, as other tools for WebAssembly know them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use sandbar_text::clean_line;
use serde::Deserialize;
use serde_json::Value;
use wasm_encoder::{ComponentNameSection, ComponentSection as _, CustomSection};
use wasmparser::{ComponentNameSectionReader, KnownCustom, Parser, Payload};

/// The section of the rights that are asked for: JSON with the keys of an entry of sandbar.yaml.
const RIGHTS: &str = "sandbar-rights";

/// Bytes of a text that is handed on.
const TEXT_BYTES: usize = 256;

/// Bytes of the rights that are read.
const RIGHTS_BYTES: usize = 16 * 1024;

/// What a component's file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Described {
    /// Its name, on one line, as all texts here.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The revision of its source.
    pub revision: Option<String>,
    /// What it asks for: an object with `rules`, `clusterRules` and `caller`.
    pub rights: Option<Value>,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
}

/// A file that is no component.
#[derive(Debug, thiserror::Error)]
pub enum NoComponent {
    /// It is something else, or broken.
    #[error("it cannot be read as WebAssembly: {0}")]
    Broken(wasmparser::BinaryReaderError),
    /// It is a module.
    #[error("it is a module and no component: `sandbar build` makes components")]
    Module,
}

impl Described {
    /// Reads it. The component's code is not looked at.
    pub fn of(component: &[u8]) -> Result<Self, NoComponent> {
        if Parser::is_core_wasm(component) {
            return Err(NoComponent::Module);
        }
        let mut described = Self::default();
        // What is within another component or a module is about that one.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(NoComponent::Broken)? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                Payload::ComponentImportSection(imports) => {
                    for import in imports {
                        described.imports.push(clean_line(import.map_err(NoComponent::Broken)?.name.name, TEXT_BYTES));
                    }
                }
                Payload::ComponentExportSection(exports) => {
                    for export in exports {
                        described.exports.push(clean_line(export.map_err(NoComponent::Broken)?.name.name, TEXT_BYTES));
                    }
                }
                Payload::CustomSection(section) => match (section.as_known(), section.name()) {
                    (KnownCustom::ComponentName(names), _) => described.name = name(names).or(described.name),
                    (_, "version") => described.version = text(section.data()),
                    (_, "revision") => described.revision = text(section.data()),
                    (_, RIGHTS) if section.data().len() <= RIGHTS_BYTES => {
                        described.rights = serde_json::from_slice(section.data()).ok().filter(Value::is_object);
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        Ok(described)
    }

    /// The component with the name, version, revision and rights of this added. It has to have none of them yet.
    pub fn added_to(&self, component: &[u8]) -> Vec<u8> {
        let mut bytes = component.to_vec();
        if let Some(name) = &self.name {
            let mut names = ComponentNameSection::new();
            names.component(name);
            names.append_to_component(&mut bytes);
        }
        let rights = self.rights.as_ref().map(Value::to_string);
        for (name, text) in [("version", &self.version), ("revision", &self.revision), (RIGHTS, &rights)] {
            if let Some(text) = text {
                let section = CustomSection { name: name.into(), data: Cow::Borrowed(text.as_bytes()) };
                section.append_to_component(&mut bytes);
            }
        }
        bytes
    }

    /// The same in the annotations that registries and their pages know.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let of =
            |key: &str, value: &Option<String>| value.clone().map(|value| (format!("org.opencontainers.image.{key}"), value));
        let rights = self.rights.as_ref().map(|rights| (RIGHTS.to_owned(), rights.to_string()));
        [of("title", &self.name), of("version", &self.version), of("revision", &self.revision), rights]
            .into_iter()
            .flatten()
            .collect()
    }
}

fn name(names: ComponentNameSectionReader<'_>) -> Option<String> {
    names.into_iter().find_map(|name| match name {
        Ok(wasmparser::ComponentName::Component { name, .. }) => text(name.as_bytes()),
        _ => None,
    })
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(clean_line(text, TEXT_BYTES)).filter(|text| !text.is_empty())
}

/// The version that the folder of a tool says: in Cargo.toml or in package.json.
pub(super) fn version_in(folder: &Path, most: u64) -> Option<String> {
    #[derive(Deserialize)]
    struct Cargo {
        package: Versioned,
    }
    #[derive(Deserialize)]
    struct Versioned {
        version: Option<Value>,
    }
    let read = |name: &str| sandbar_files::read_to_string(&folder.join(name), most).ok();
    let of_cargo = || toml::from_str::<Cargo>(&read("Cargo.toml")?).ok()?.package.version;
    let of_npm = || serde_json::from_str::<Versioned>(&read("package.json")?).ok()?.version;
    // One that a workspace says is none that stands here.
    of_cargo().or_else(of_npm)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn component() -> Vec<u8> {
        wasm_encoder::Component::new().finish()
    }

    #[test]
    fn what_is_added_is_read_again() {
        let said = Described {
            name: Some("restarts".to_owned()),
            version: Some("1.2.0".to_owned()),
            revision: Some("4f0a9c1".to_owned()),
            rights: Some(json!({ "rules": [{ "apiGroups": [""], "resources": ["pods"], "verbs": ["list"] }] })),
            ..Described::default()
        };
        let bytes = said.added_to(&component());
        assert_eq!(Described::of(&bytes).expect("a component"), said);
        assert_eq!(
            said.annotations().keys().map(String::as_str).collect::<Vec<_>>(),
            ["org.opencontainers.image.revision", "org.opencontainers.image.title", "org.opencontainers.image.version", RIGHTS]
        );
    }

    #[test]
    fn what_others_wrote_is_cut_and_clean() {
        let said = Described { name: Some("a\n\u{202e}b".to_owned()), version: Some("1".repeat(5000)), ..Described::default() };
        let read = Described::of(&said.added_to(&component())).expect("a component");
        assert!(!read.name.as_deref().unwrap_or_default().contains(['\n', '\u{202e}']), "{read:?}");
        assert!(read.version.as_deref().unwrap_or_default().len() <= TEXT_BYTES + 3, "{read:?}");
        let mut bytes = component();
        CustomSection { name: RIGHTS.into(), data: Cow::Borrowed(b"{}".repeat(RIGHTS_BYTES).as_slice()) }
            .append_to_component(&mut bytes);
        assert_eq!(Described::of(&bytes).expect("a component").rights, None);
    }

    #[test]
    fn what_is_no_component_is_told_apart() {
        assert!(matches!(Described::of(&wasm_encoder::Module::new().finish()), Err(NoComponent::Module)));
        assert!(matches!(Described::of(b"no wasm at all"), Err(NoComponent::Broken(_))));
    }
}
