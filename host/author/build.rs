//! Encodes what makes a component of a module in Go, `guest-tools/sdk-go`, to `OUT_DIR`: the section that says of which world it is, and the system
//! that it runs on.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use build_wit_component::{StringEncoding, embed_component_metadata};
use build_wit_parser::{PackageId, Resolve};

/// What a module without anything is.
const EMPTY: &[u8] = b"\0asm\x01\0\0\0";

fn main() -> Result<(), Box<dyn Error>> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is set by cargo")?);
    let [contract @ .., world, system] =
        ["wit/tool/tool.wit", "wit/kubernetes/kubernetes.wit", "guest-tools/sdk-go/world.wit", "guest-tools/sdk-go/wasi.wat"]
            .map(|file| repository.join(file));
    for file in contract.iter().chain([&world, &system]) {
        println!("cargo::rerun-if-changed={}", file.display());
    }

    let mut resolve = Resolve::default();
    for file in &contract {
        resolve.push_file(file).map_err(|error| format!("{error:#}"))?;
    }
    let package = resolve.push_file(&world).map_err(|error| format!("{error:#}"))?;
    let tool = embedded(EMPTY, &resolve, package, "tool")?;
    fs::write(out.join("go-world.section"), tool.strip_prefix(EMPTY).ok_or("a section comes behind what is there")?)?;
    fs::write(out.join("go-wasi.wasm"), embedded(&wat::parse_file(&system)?, &resolve, package, "wasi")?)?;
    Ok(())
}

/// A module that says of which world it is.
fn embedded(module: &[u8], resolve: &Resolve, package: PackageId, world: &str) -> Result<Vec<u8>, String> {
    let embed = || {
        let (mut module, world) = (module.to_vec(), resolve.select_world(&[package], Some(world))?);
        embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8, false).map(|()| module)
    };
    embed().map_err(|error| format!("{error:#}"))
}
