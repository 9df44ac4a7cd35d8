//! Compiles the bundled tools, `guest-tools/<pack>/<tool-name>`, to WebAssembly components and writes them to `OUT_DIR`, with two tables
//! in `bundled.rs`, each in the order of the names: of the packs `pub static PACKS: &[(&str, &[&str], &str)]`, name, API groups that their
//! tools ask for and what they tell the model, and of the tools `pub static BUNDLED: &[(&str, &str, &[u8])]`, pack, file name and bytes. Those
//! are compressed, to a third.
//!
//! The tools are compiled by a cargo of their own, because one run of cargo cannot build a crate for another target and embed it.
//! They have one target directory for all profiles of the host, so that a release build does not compile them again.
#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

mod heap;

use std::collections::BTreeSet;
use std::env::{self, VarError};
use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use build_wit_component::{ComponentEncoder, Linker, StringEncoding, embed_component_metadata};
use build_wit_parser::Resolve;
use flate2::Compression;
use flate2::read::ZlibEncoder;
use serde_json::Value;
use sha2::{Digest, Sha256};
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wasm_encoder::{ComponentSection, CustomSection};

/// Core WebAssembly without a system: what such a guest imports is what the contract offers, and no WASI.
const TARGET: &str = "wasm32-unknown-unknown";

/// The cargo profile of the guests, in the workspace's manifest.
const PROFILE: &str = "guest";

/// How the folders in `guest-tools` begin that are no packs, but libraries for tools, and what the engine of scripts is made of. The
/// workspace's members are told apart by this, too.
const NO_PACK: char = 's';

/// The engine of scripts is QuickJS as this crate carries it, compiled for a component of any contract. Only this file of it is used: as a
/// dependency it would bring another wasmtime.
const ENGINE: &str = "componentize-qjs";
const ENGINE_VERSION: &str = "0.4.5";
const ENGINE_FILE: &str = "prebuilt/runtime-sync.wasm";

/// SHA-256 of that file.
const ENGINE_DIGEST: &str = "25703f010b80efb806f9c35daf9ee6524ad60320c9781b0bae4e234264f8dac5";

/// Where the engine, once it is linked, has the byte that says whether it has evaluated a script.
const ENGINE_FLAG: u32 = 1_197_776;

/// The section of the engine for what it begins with: where its flag is, and what each script finds. `script/begun.rs` of the sandbox reads it.
const ENGINE_SECTION: &str = "sandbar:begin";

/// What a pack tells the model, in its folder, if it has something to tell.
const INSTRUCTIONS: &str = "instructions.md";

/// A pack, and the names of its tools, in order.
struct Pack {
    name: String,
    folder: PathBuf,
    tools: Vec<String>,
}

/// What the build of the host sets for itself. Its flags are for another target (or for coverage, or a linter), and with them each
/// kind of host build would compile the guests anew.
const NOT_FOR_GUESTS: [&str; 6] = [
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
];

fn main() {
    if let Err(error) = bundle() {
        // An error of cargo's has one line.
        println!("cargo::error={}", error.to_string().replace('\n', " "));
    }
}

fn bundle() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(required("OUT_DIR")?);
    let workspace = PathBuf::from(required("CARGO_MANIFEST_DIR")?).join("../..").canonicalize()?;
    let guest_tools = workspace.join("guest-tools");
    let packages_of_others = |name: &String| name.starts_with("sdk-");
    let watched = folders(&guest_tools)?.into_iter().filter(|name| !packages_of_others(name)).map(|name| guest_tools.join(name));
    let others = ["wit", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"].map(|name| workspace.join(name));
    for path in watched.chain(others) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    check_target()?;

    let packs = packs(&workspace.join("guest-tools"))?;
    let modules = compile(&workspace, packs.iter().flat_map(|pack| &pack.tools), &guest_target_dir(&out))?;

    let mut of_packs = String::from(
        "/// Name, API groups of the tools' rules and instructions of each pack.\npub static PACKS: &[(&str, &[&str], &str)] = &[\n",
    );
    let mut of_tools = String::from(
        "/// Pack, file name and compressed bytes of each bundled tool.\npub static BUNDLED: &[(&str, &str, &[u8])] = &[\n",
    );
    for pack in &packs {
        let Pack { name, tools, .. } = pack;
        let groups = Vec::from_iter(pack.groups()?);
        writeln!(of_packs, "    ({name:?}, &{groups:?}, {:?}),", pack.instructions()?)?;
        for tool in tools {
            let module = modules.join(tool.replace('-', "_")).with_extension("wasm");
            let component = component(&module).map_err(|error| format!("{tool} is no component: {error:#}"))?;
            let file = format!("{tool}.wasm");
            fs::write(out.join(&file), compressed(&component)?)?;
            writeln!(of_tools, "    ({name:?}, {file:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\"))),")?;
        }
    }
    fs::write(out.join("script.wasm"), compressed(&engine(&workspace)?)?)?;
    let engine = "/// The engine of scripts, a component, compressed.\npub static ENGINE: &[u8] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/script.wasm\"));\n";
    fs::write(out.join("bundled.rs"), format!("{of_packs}];\n\n{of_tools}];\n\n{engine}"))?;
    Ok(())
}

/// As zlib has it.
fn compressed(component: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    ZlibEncoder::new(component, Compression::best()).read_to_end(&mut compressed)?;
    Ok(compressed)
}

/// Links QuickJS with the contract to a component.
fn engine(workspace: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut resolve = Resolve::default();
    for file in ["wit/tool/tool.wit", "wit/kubernetes/kubernetes.wit"] {
        resolve.push_file(workspace.join(file)).map_err(|error| format!("{error:#}"))?;
    }
    let package = resolve.push_file(workspace.join("guest-tools/script/world.wit")).map_err(|error| format!("{error:#}"))?;
    let world = resolve.select_world(&[package], None).map_err(|error| format!("{error:#}"))?;
    let mut contract = build_wit_dylib::create(&resolve, world, None).map_err(|error| format!("{error:#}"))?;
    embed_component_metadata(&mut contract, &resolve, world, StringEncoding::UTF8, false)
        .map_err(|error| format!("{error:#}"))?;
    let quickjs = quickjs()?;
    let link = || {
        let mut linker = Linker::default();
        linker.library("quickjs.wasm", &quickjs, false)?.library("contract.wasm", &contract, false)?;
        linker.encoder().validate(true).adapter("wasi_snapshot_preview1", WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?;
        linker.encode()
    };
    let mut engine = link().map_err(|error| format!("the engine of scripts cannot be linked: {error:#}"))?;
    let prelude = fs::read(workspace.join("guest-tools/script/prelude.js"))?;
    let data = [&ENGINE_FLAG.to_le_bytes()[..], &prelude].concat();
    CustomSection { name: ENGINE_SECTION.into(), data: data.into() }.append_to_component(&mut engine);
    Ok(engine)
}

/// QuickJS, from cargo's copy of the registry. Cargo fetches a crate that nothing depends on when it is asked about it.
fn quickjs() -> Result<Vec<u8>, String> {
    let crate_name = format!("{ENGINE}-{ENGINE_VERSION}");
    let find = || -> Option<Vec<u8>> {
        let sources = fs::read_dir(cargo_home()?.join("registry/src")).ok()?;
        let files = sources.flatten().map(|registry| registry.path().join(&crate_name).join(ENGINE_FILE));
        files.filter_map(|file| fs::read(file).ok()).find(|bytes| format!("{:x}", Sha256::digest(bytes)) == ENGINE_DIGEST)
    };
    if let Some(engine) = find() {
        return Ok(engine);
    }
    // From a folder of no workspace, whose dependencies would be the ones that are meant.
    let mut cargo = Command::new(required("CARGO")?);
    cargo
        .current_dir(required("OUT_DIR")?)
        .args(["info", "--quiet", "--registry", "crates-io"])
        .arg(format!("{ENGINE}@{ENGINE_VERSION}"));
    let output = cargo.output().map_err(|error| format!("cargo cannot be run: {error}"))?;
    find().ok_or_else(|| {
        let words = String::from_utf8_lossy(&output.stderr);
        format!("the engine of scripts, {ENGINE_FILE} of the crate {crate_name}, cannot be had as SHA-256 {ENGINE_DIGEST} names it: {words}")
    })
}

fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")))
}

/// Each other folder of `guest-tools` is a pack, and each package in it a tool of the same name.
fn packs(guest_tools: &Path) -> Result<Vec<Pack>, Box<dyn Error>> {
    let mut packs = Vec::new();
    for name in folders(guest_tools)?.into_iter().filter(|name| !name.starts_with(NO_PACK)) {
        let folder = guest_tools.join(&name);
        let mut tools = folders(&folder)?;
        tools.retain(|tool| folder.join(tool).join("Cargo.toml").is_file());
        packs.push(Pack { name, folder, tools });
    }
    Ok(packs)
}

/// The names of the folders in a folder, in order.
fn folders(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|name| format!("{}: a name in UTF-8 is needed", folder.join(name).display()))?;
        if entry.path().is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

impl Pack {
    /// The API groups of all rules of its tools, by their manifests in files, which are those inside the components: a test holds them
    /// together.
    fn groups(&self) -> Result<BTreeSet<String>, Box<dyn Error>> {
        let mut groups = BTreeSet::new();
        for tool in &self.tools {
            let file = self.folder.join(tool).join("manifest.json");
            let text = fs::read(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            let manifest: Value = serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", file.display()))?;
            let rules = ["rules", "clusterRules"].iter().filter_map(|key| manifest[key].as_array()).flatten();
            let named = rules.filter_map(|rule| rule["apiGroups"].as_array()).flatten();
            groups.extend(named.filter_map(Value::as_str).map(str::to_owned));
        }
        Ok(groups)
    }

    fn instructions(&self) -> Result<String, Box<dyn Error>> {
        let file = self.folder.join(INSTRUCTIONS);
        if file.is_file() { Ok(fs::read_to_string(file)?) } else { Ok(String::new()) }
    }
}

/// Compiles the tools and returns the folder of the core modules.
fn compile<'a>(workspace: &Path, tools: impl Iterator<Item = &'a String>, target_dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new(required("CARGO")?);
    cargo.current_dir(workspace).args(["build", "--locked", "--quiet", "--lib", "--target", TARGET, "--profile", PROFILE]);
    cargo.arg("--target-dir").arg(target_dir);
    for tool in tools {
        cargo.args(["--package", tool]);
    }
    for variable in NOT_FOR_GUESTS {
        cargo.env_remove(variable);
    }
    cargo.env("CARGO_ENCODED_RUSTFLAGS", remapped_paths(workspace));

    let output = cargo.output().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        // Compiler messages have many lines, which `cargo::error` cannot carry; cargo shows this stream when the script fails.
        let log = String::from_utf8_lossy(&output.stderr);
        for line in log.lines() {
            println!("cargo::warning={line}");
        }
        return Err(
            format!("the bundled tools do not compile: {} from cargo build, see the warnings above", output.status).into()
        );
    }
    Ok(target_dir.join(TARGET).join(PROFILE))
}

/// Source paths stand in panic messages; without this machine's folders in them, the same source makes the same component anywhere.
fn remapped_paths(workspace: &Path) -> OsString {
    let mut flags = OsString::new();
    let mut remap = |from: &Path, to: &str| {
        if !flags.is_empty() {
            flags.push("\x1f");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    };
    if let Some(cargo_home) = cargo_home() {
        remap(&cargo_home, "/cargo");
    }
    remap(workspace, "/sandbar");
    flags
}

fn component(module: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    let module = heap::in_memory(&fs::read(module)?)?;
    let mut encoder = ComponentEncoder::default();
    let encoded = encoder.validate(true).module(&module).and_then(ComponentEncoder::encode);
    Ok(encoded.map_err(|error| format!("{error:#}"))?)
}

/// A missing target is the most likely thing to go wrong for a newcomer, and rustc's own words for it take a page.
fn check_target() -> Result<(), Box<dyn Error>> {
    let output = Command::new(required("RUSTC")?).args(["--print", "target-libdir", "--target", TARGET]).output()?;
    let libraries = String::from_utf8(output.stdout)?;
    if output.status.success() && Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    Err(format!("the bundled tools are WebAssembly, and this Rust toolchain lacks that target: run `rustup target add {TARGET}`")
        .into())
}

/// A folder beside those of the host's own profiles. Not the host's folder itself: the cargo that runs this script has locked it.
fn guest_target_dir(out: &Path) -> PathBuf {
    // Cargo marks the root of a target directory for backup programs.
    let target = out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.unwrap_or(out).join("guest-tools")
}

/// A variable that cargo sets for build scripts.
fn required(variable: &str) -> Result<OsString, String> {
    env::var_os(variable).ok_or_else(|| format!("{variable}: {}", VarError::NotPresent))
}
