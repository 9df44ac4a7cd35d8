//! A component's imports and exports, read from the binary before anything is compiled. Wasmtime would refuse the same
//! components, in words for its embedder; these are for the operator and the author.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;

use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};
use wit_component::DecodedWasm;
use wit_parser::{Resolve, World, WorldItem, WorldKey};

use super::contract::contract;
use super::error::{LoadError, short};
use super::features;
use super::script;
use super::wasi;

/// Bytes of one function. Compile time grows faster than its size; the largest one in interpreters, the loop over instructions,
/// has a few hundred KiB.
const FUNCTION_BYTES: usize = 1024 * 1024;

/// The first bytes of every WebAssembly file.
const MAGIC: &[u8] = b"\0asm";

/// What a component imports and exports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imports {
    /// Our interfaces, with the functions that the component uses.
    pub interfaces: BTreeMap<String, BTreeSet<String>>,
    /// WASI interfaces, which the empty WASI implements.
    pub wasi: BTreeSet<String>,
    /// Everything that it exports.
    pub exports: BTreeSet<String>,
}

impl Imports {
    /// Reads the imports and exports of a component, and refuses what the host cannot serve.
    pub fn of(bytes: &[u8]) -> Result<Self, LoadError> {
        let imports = Self::of_engine(bytes)?;
        match imports.wasi.iter().find(|name| script::is_loader(name)) {
            Some(loader) => Err(LoadError::UnknownImport(loader.clone())),
            None => Ok(imports),
        }
    }

    /// The same for the engine of scripts, which may ask for modules.
    pub(super) fn of_engine(bytes: &[u8]) -> Result<Self, LoadError> {
        check_header(bytes)?;
        check_sections(bytes)?;
        let decoded = decode(bytes)?;
        let DecodedWasm::Component(resolve, world) = decoded else { return Err(LoadError::WitPackage) };
        let world = &resolve.worlds[world];

        let exports: BTreeSet<String> = world.exports.keys().map(|key| key_name(&resolve, key)).collect();
        check_exports(&exports)?;
        let mut imports = Self { interfaces: BTreeMap::new(), wasi: BTreeSet::new(), exports };
        imports.read(&resolve, world)?;
        Ok(imports)
    }

    /// Whether all of them are of the contract: those that another version of this host has noted may not be.
    pub(super) fn are_known(&self) -> bool {
        let is_known = |(name, functions): (&String, &BTreeSet<String>)| {
            contract().imports.get(name).is_some_and(|known| functions.is_subset(known))
        };
        self.interfaces.iter().all(is_known)
    }

    /// The interfaces that grant something: those with functions.
    pub fn capabilities(&self) -> impl Iterator<Item = &str> {
        self.interfaces.keys().map(String::as_str).filter(|name| contract().imports.get(*name).is_some_and(|has| !has.is_empty()))
    }

    fn read(&mut self, resolve: &Resolve, world: &World) -> Result<(), LoadError> {
        for (key, item) in &world.imports {
            let name = key_name(resolve, key);
            match item {
                WorldItem::Interface { id, .. } => {
                    let functions = resolve.interfaces[*id].functions.keys().cloned();
                    self.add(name, functions)?;
                }
                WorldItem::Function(_) => return Err(LoadError::UnknownImport(short(name))),
                WorldItem::Type { .. } => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, name: String, functions: impl Iterator<Item = String>) -> Result<(), LoadError> {
        if name.starts_with("wasi:http/") {
            return Err(LoadError::Http(short(name)));
        }
        if wasi::is_offered(&name) || script::is_loader(&name) {
            self.wasi.insert(name);
            return Ok(());
        }
        let (base, version) = name.split_once('@').unwrap_or((&name, ""));
        let Some(known) = contract().imports.get(base) else { return Err(LoadError::UnknownImport(short(name))) };
        if !same_track(version) {
            return Err(LoadError::Version { found: short(name) });
        }
        let functions: BTreeSet<String> = functions.collect();
        if let Some(function) = functions.difference(known).next() {
            return Err(LoadError::UnknownFunction { interface: base.to_owned(), function: short(function) });
        }
        self.interfaces.insert(base.to_owned(), functions);
        Ok(())
    }
}

/// Decodes the types of a component. The decoder panics on some that make no sense, for example a method of something that is no
/// resource.
fn decode(bytes: &[u8]) -> Result<DecodedWasm, LoadError> {
    let decoded = catch_unwind(|| wit_component::decode(bytes));
    let decoded = decoded.map_err(|_panic| LoadError::Malformed("its types cannot be read".to_owned()))?;
    decoded.map_err(|error| LoadError::Malformed(short(format_args!("{error:#}"))))
}

/// Checks the magic number, then version and layer: 1 and 0 for a core module, 13 and 1 for a component.
pub fn check_header(bytes: &[u8]) -> Result<(), LoadError> {
    let Some((header, _)) = bytes.split_first_chunk::<8>() else {
        return Err(if bytes.starts_with(MAGIC) {
            LoadError::Malformed("it ends within its header".to_owned())
        } else {
            LoadError::NotWasm(beginning(bytes))
        });
    };
    if !header.starts_with(MAGIC) {
        return Err(LoadError::NotWasm(beginning(bytes)));
    }
    let version = u16::from_le_bytes([header[4], header[5]]);
    let layer = u16::from_le_bytes([header[6], header[7]]);
    match (version, layer) {
        (13, 1) => Ok(()),
        (1, 0) => Err(LoadError::CoreModule),
        _ => Err(LoadError::UnknownLayer { version, layer }),
    }
}

/// Checks that every section is as long as it says and uses only features that are on, that nothing nests without end, and that no
/// function is too long to compile. The decoder allocates what a section claims as its length before it looks how much there is: gigabytes, for a file of
/// a few bytes.
fn check_sections(bytes: &[u8]) -> Result<(), LoadError> {
    let mut depth = 0_usize;
    for part in Parser::new(0).parse_all(bytes) {
        let part = part.map_err(|error| LoadError::Malformed(short(error)))?;
        features::check(bytes, &part)?;
        match part {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } if depth == features::DEPTH => {
                return Err(LoadError::Depth(depth));
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CodeSectionEntry(function) if function.range().len() > FUNCTION_BYTES => {
                return Err(LoadError::HugeFunction { bytes: function.range().len(), most: FUNCTION_BYTES });
            }
            _ => {}
        }
    }
    Ok(())
}

/// The first bytes, escaped, for a message.
fn beginning(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes[..bytes.len().min(8)].escape_ascii())
}

fn check_exports(exports: &BTreeSet<String>) -> Result<(), LoadError> {
    let tools = exports.iter().find(|name| name.split('@').next() == Some(&contract().export));
    match tools {
        Some(name) if name.split_once('@').is_some_and(|(_, version)| same_track(version)) => Ok(()),
        Some(name) => Err(LoadError::Version { found: short(name) }),
        None if exports.is_empty() => Err(LoadError::NoTools("nothing".to_owned())),
        None => Err(LoadError::NoTools(short(exports.iter().map(String::as_str).collect::<Vec<_>>().join(", ")))),
    }
}

/// Whether a version links with ours: 0.1.x, and no prerelease.
fn same_track(version: &str) -> bool {
    let mut parts = version.split('.');
    let track = contract().version.rsplit_once('.').map(|(track, _)| track);
    let patch_is_plain = version.rsplit('.').next().is_some_and(|patch| patch.bytes().all(|byte| byte.is_ascii_digit()));
    track == parts.next().zip(parts.next()).map(|(major, minor)| format!("{major}.{minor}")).as_deref() && patch_is_plain
}

fn key_name(resolve: &Resolve, key: &WorldKey) -> String {
    resolve.name_world_key(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_component_is_named_for_what_it_is() {
        assert!(matches!(Imports::of(b"#!/bin/sh\n"), Err(LoadError::NotWasm(text)) if text == "\"#!/bin/s\""));
        assert!(matches!(Imports::of(b""), Err(LoadError::NotWasm(_))));
        assert!(matches!(Imports::of(b"\0asm"), Err(LoadError::Malformed(_))));
        assert!(matches!(Imports::of(b"\0asm\x01\0\0\0"), Err(LoadError::CoreModule)));
        assert!(matches!(Imports::of(b"\0asm\x07\0\x01\0"), Err(LoadError::UnknownLayer { version: 7, layer: 1 })));
        assert!(matches!(Imports::of(b"\0asm\x0d\0\x01\0\xff\xff"), Err(LoadError::Malformed(_))));
        assert!(matches!(Imports::of(b"\0asm\x0d\0\x01\0"), Err(LoadError::NoTools(exports)) if exports == "nothing"));
    }

    #[test]
    fn components_that_nest_without_end_are_refused() {
        const HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";
        const COMPONENT_SECTION: u8 = 4;
        let nested = |depth: usize| {
            // From the innermost on, backwards: a component ends where those within it do.
            let mut backwards: Vec<u8> = HEADER.into_iter().rev().collect();
            for _ in 0..depth {
                let length = u32::try_from(backwards.len()).expect("a short one");
                // LEB128, in as many bytes as there can be.
                let digits = (0..5).map(|at| (length >> (7 * at)) as u8 & 0x7f | if at < 4 { 0x80 } else { 0 });
                backwards.extend(digits.rev());
                backwards.push(COMPONENT_SECTION);
                backwards.extend(HEADER.into_iter().rev());
            }
            backwards.reverse();
            Imports::of(&backwards)
        };
        assert!(matches!(nested(features::DEPTH), Err(LoadError::NoTools(_))), "as deep as they may be");
        for depth in [features::DEPTH + 1, 100_000] {
            assert!(matches!(nested(depth), Err(LoadError::Depth(features::DEPTH))), "{depth}");
        }
    }

    #[test]
    fn the_engine_of_scripts_alone_asks_for_modules() {
        let asks = wat::parse_str(
            r#"(component (import "local:init/module-loader" (instance))
                (core module $m (memory (export "m") 1) (func (export "f") (result i32) unreachable))
                (core instance $i (instantiate $m)) (alias core export $i "m" (core memory $m))
                (func $manifest (result string) (canon lift (core func $i "f") (memory $m)))
                (instance $tools (export "manifest" (func $manifest)))
                (export "sandbar:tool/tools@0.1.0" (instance $tools)))"#,
        );
        let asks = asks.expect("WAT");
        Imports::of_engine(&asks).expect("an engine may");
        assert!(matches!(Imports::of(&asks), Err(LoadError::UnknownImport(name)) if name == script::LOADER));
    }

    #[test]
    fn a_version_links_within_its_track() {
        assert!(same_track("0.1.0"));
        assert!(same_track("0.1.7"));
        assert!(!same_track("0.2.0"));
        assert!(!same_track("0.1.0-draft"));
        assert!(!same_track("0.10.0"));
        assert!(!same_track(""));
    }
}
